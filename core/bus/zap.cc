#include "core/bus/zap.h"

#include <zmq.hpp>

namespace lotse::bus {

struct Zap::Impl {
  zmq::socket_t socket;
  Rules rules;
  Handle watch;

  explicit Impl(Context& context, Rules r) : socket(*static_cast<zmq::context_t*>(context.zmq()), zmq::socket_type::rep), rules(std::move(r)) {
    socket.set(zmq::sockopt::linger, 0);
  }

  void work() {
    while (socket.get(zmq::sockopt::events) & ZMQ_POLLIN) {
      // version, request id, domain, address, routing id, mechanism, then CURVE's one credential: the 32 bytes of the key
      std::vector<std::string> parts;
      zmq::message_t part;
      do {
        if (!socket.recv(part, zmq::recv_flags::dontwait)) return;
        parts.push_back(part.to_string());
      } while (part.more());
      answer(parts);
    }
  }

  void answer(const std::vector<std::string>& parts) {
    bool ok = false;
    char key[41] = {};
    if (parts.size() == 7 && parts[0] == "1.0" && parts[5] == "CURVE" && parts[6].size() == 32) {
      zmq_z85_encode(key, reinterpret_cast<const uint8_t*>(parts[6].data()), 32);
      auto rule = rules.find(parts[2]);
      ok = rule != rules.end() && rule->second(key, parts[3]);
    }
    const std::string reply[] = {"1.0", parts.size() > 1 ? parts[1] : "", ok ? "200" : "400", ok ? "OK" : "this key is not known here", ok ? key : "", ""};
    for (size_t i = 0; i < 6; ++i) socket.send(zmq::buffer(reply[i]), i < 5 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
};

Zap::Zap(Context& context, Rules rules) : impl_(std::make_shared<Impl>(context, std::move(rules))) {
  try {
    impl_->socket.bind("inproc://zeromq.zap.01");
  } catch (const zmq::error_t& e) {
    status_ = Status(Reason::kInternalError, std::string("the bus cannot say who may connect: ") + e.what());
    return;
  }
  impl_->watch = context.loop().watch_fd(impl_->socket.get(zmq::sockopt::fd), true, false, [impl = impl_.get()] { impl->work(); });
  impl_->work();
}
Zap::~Zap() { impl_->watch.reset(); }

}  // namespace lotse::bus
