// port-forward over SPDY: for each connection the client opens a pair of streams with the same "requestid" header, one of
// "streamtype" error and one of data, and names the "port" on both. Each pair is a connection of its own in the pod.
#pragma once
#include <map>
#include <memory>
#include <optional>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/input_queue.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/spdy_session.h"

namespace lotse::transport_rest {

class SpdyPortForward : public Protocol, private SpdyHandler {
 public:
  explicit SpdyPortForward(OpenPort open);
  ~SpdyPortForward() override;
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override;
  void drained() override;
  void peer_finished() override;
  void expired(Wait) override;
  void wind_down(bool) override {}

 private:
  class Pair;
  void on_stream(uint32_t id, const Headers& headers, bool fin) override;
  void on_data(uint32_t id, std::string_view bytes, bool fin) override;
  void on_reset(uint32_t id) override;
  void on_goaway() override;
  void remove(Pair& pair);

  OpenPort open_;
  Link* link_ = nullptr;
  std::optional<SpdySession> session_;
  std::map<std::string, std::unique_ptr<Pair>> pairs_;  // by request id
  std::map<uint32_t, Pair*> by_stream_;
  std::unique_ptr<Pair> dying_;                         // lives until its own callback has returned
  size_t waiting_ = 0;                                  // bytes of the client that no stream has taken yet
};

}  // namespace lotse::transport_rest
