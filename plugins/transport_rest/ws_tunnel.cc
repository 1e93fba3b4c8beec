#include "plugins/transport_rest/ws_tunnel.h"

namespace lotse::transport_rest {

void WsTunnel::begin(Link& link) {
  outer_ = &link;
  session_.emplace(static_cast<WsHandler&>(*this), link);
  inner_->begin(*this);
}

size_t WsTunnel::receive(std::string_view bytes) {
  session_->receive(bytes);
  return bytes.size();
}

void WsTunnel::send(Body body) {
  for (size_t i = 0; i < body.count(); ++i) session_->send(WsOpcode::kBinary, body.part(i));
}

void WsTunnel::send(std::unique_ptr<Source> source) {
  std::string text;
  while (source->more(text)) {
  }
  session_->send(WsOpcode::kBinary, text);
}

void WsTunnel::on_message(WsOpcode, std::string_view message) {
  if (!message.empty()) inner_->receive(message);
}

void WsTunnel::on_close() { inner_->peer_finished(); }

}  // namespace lotse::transport_rest
