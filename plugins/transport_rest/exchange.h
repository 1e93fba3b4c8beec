// One request to the host and its answer. The host may answer from within submit or later from any thread; the user of
// an exchange hears of it on its own thread, and not at all once the exchange was destroyed (which tells the host that
// the client is gone).
#pragma once
#include <memory>
#include <optional>

#include "plugins/transport_rest/door.h"
#include "plugins/transport_rest/http_response.h"
#include "plugins/transport_rest/output.h"

namespace lotse::transport_rest {

struct Answer {
  uint32_t status = 500;
  std::string content_type;
  Headers headers;
  Body body;
  bool streams = false;
  uint32_t upgrade = LOTSE_UPGRADE_NONE;
  uint64_t stream_id = 0;
};

class ExchangeUser {
 public:
  virtual ~ExchangeUser() = default;
  virtual void on_answer(Answer answer) = 0;
};

class Exchange {
 public:
  Exchange(const Door& door, ExchangeUser& user);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  // The answer if there is one at once; otherwise on_answer follows.
  std::optional<Answer> submit(const lotse_api_request& request);
  // The stream of the answer will be opened: what becomes of it is no longer this exchange's business.
  void take_stream();

 private:
  struct State;
  static void respond(void* ctx, const lotse_api_response* response, uint64_t stream_id);
  std::shared_ptr<State> state_;
};

}  // namespace lotse::transport_rest
