// Another protocol inside binary WebSocket messages: what "SPDY/3.1+portforward.k8s.io" means. The bytes of both
// directions are one stream; where a message begins and ends says nothing.
#pragma once
#include <memory>
#include <optional>

#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {

class WsTunnel : public Protocol, private Link, private WsHandler {
 public:
  explicit WsTunnel(std::unique_ptr<Protocol> inner) : inner_(std::move(inner)) {}
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override { return inner_->wants_input(); }
  void drained() override { inner_->drained(); }
  void peer_finished() override { inner_->peer_finished(); }
  void expired(Wait what) override { inner_->expired(what); }
  void wind_down(bool going) override { inner_->wind_down(going); }

 private:
  void send(std::string text) override { session_->send(WsOpcode::kBinary, text); }
  void send(Body body) override;
  void send(std::unique_ptr<Source> source) override;
  uint64_t backlog() const override { return outer_->backlog(); }
  void resume() override { outer_->resume(); }
  void wait(Wait what) override { outer_->wait(what); }
  void finish() override { session_->close(1000, {}); }
  void abort() override { outer_->abort(); }
  void become(std::unique_ptr<Protocol>) override { outer_->abort(); }  // a tunnel does not change what it carries
  void on_message(WsOpcode kind, std::string_view message) override;
  void on_close() override;

  std::unique_ptr<Protocol> inner_;
  Link* outer_ = nullptr;
  std::optional<WsSession> session_;
};

}  // namespace lotse::transport_rest
