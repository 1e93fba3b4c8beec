// A listening socket: TCP with TLS, or a unix socket with plain HTTP (0600: whoever may open it is trusted by its host to
// say who he is). Accepted sockets go to the loops in turn.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "plugins/transport_rest/asio.h"

namespace lotse::transport_rest {

class Listener {
 public:
  // A connected, non-blocking socket, which the receiver owns, and the peer's address.
  using Accepted = std::function<void(int fd, std::string address, bool tls)>;
  // Binds; throws sdk::Failure with a sentence that names the address.
  Listener(boost::asio::io_context& io, const std::string& address);
  ~Listener();
  Listener(const Listener&) = delete;
  void start(Accepted accepted);  // on the io_context's thread, like close
  void close();
  const std::string& address() const { return address_; }  // with the real port

 private:
  void wait();
  void accept_some();
  void pause();

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer pause_;
  Accepted accepted_;
  std::string address_, unlink_;
  bool tls_ = true;
};

}  // namespace lotse::transport_rest
