#include "core/bus/session.h"

namespace lotse::bus {

Sender::Sender(Loop& loop, Mux& mux, std::function<Socket::Sent(const std::string&)> send, std::function<void()> gone)
    : loop_(loop), mux_(mux), send_(std::move(send)), gone_(std::move(gone)) {}

// Deferred to the next turn of the loop, so that what is queued together leaves together and a Mux never calls back into itself.
void Sender::pump() {
  if (posted_) return;
  posted_ = true;
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    send_some();
  });
}

void Sender::send_some() {
  for (int left = 128; left > 0; --left) {
    if (refused_.empty() && !mux_.next(&refused_)) return;
    switch (send_(refused_)) {
      case Socket::Sent::kYes: refused_.clear(); break;
      case Socket::Sent::kFull: return;  // the socket tells when there is room
      case Socket::Sent::kGone: {
        auto gone = gone_;  // may destroy this
        return gone();
      }
    }
  }
  pump();
}

bool valid_node_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  char before = '.';
  for (char c : name) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!alnum && c != '-' && c != '.') return false;
    if (!alnum && (before == '.' || (c == '.' && before == '-'))) return false;
    before = c;
  }
  return before != '-' && before != '.';
}

std::string join_endpoint(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) return endpoint;
  return endpoint.substr(0, colon + 1) + std::to_string(std::atoi(endpoint.c_str() + colon + 1) - 1);
}

}  // namespace lotse::bus
