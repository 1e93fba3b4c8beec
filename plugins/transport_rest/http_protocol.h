// The server's side of HTTP/1.1 on one connection: one request at a time, answered before the next is looked at (a client
// that pipelines waits), connections kept, bodies streamed, upgrades handed on to other protocols.
#pragma once
#include <memory>
#include <optional>

#include "plugins/transport_rest/api_request.h"
#include "plugins/transport_rest/exchange.h"
#include "plugins/transport_rest/http_request.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/push_stream.h"
#include "plugins/transport_rest/upgrade.h"

namespace lotse::transport_rest {

class HttpProtocol : public Protocol, private ExchangeUser {
 public:
  HttpProtocol(const Door& door, const HttpLimits& limits, Peer peer);
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override;
  void drained() override;
  void peer_finished() override;
  void expired(Wait what) override;
  void wind_down(bool going) override;

 private:
  enum class State { kReading, kAsking, kStreaming, kDone };
  size_t read(std::string_view bytes);
  void dispatch();
  void on_answer(Answer answer) override;
  void answer(Answer answer);
  void send_whole(Answer answer);
  void send_stream(Answer answer);
  void upgrade(Answer answer);
  void switch_to(std::variant<Upgrade, Refusal> plan);
  void refuse(const Refusal& refusal, bool close);
  void next_request();
  ResponseHead head_of(const Answer& answer) const;
  OpenStream opener(uint64_t stream_id);
  OpenPort port_opener();

  const Door door_;
  const HttpLimits limits_;
  Peer peer_;
  Link* link_ = nullptr;
  State state_ = State::kReading;
  std::unique_ptr<RequestParser> parser_;  // while a request is being read
  std::shared_ptr<ApiRequest> request_;    // from then on until it is answered
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<PushStream> push_;
  bool continued_ = false;     // "100 Continue" was sent
  bool close_next_ = false;    // this answer is the last
  bool going_ = false;
};

}  // namespace lotse::transport_rest
