// An engine for tests: answers one connection after the other on a unix socket in a directory of its own.
#pragma once
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace lotse::engine_http {

class FakeServer {
 public:
  // speak: reads the request from the descriptor and answers on it; it is closed afterwards.
  explicit FakeServer(std::vector<std::function<void(int fd)>> connections) {
    char name[] = "/tmp/lotse-http-XXXXXX";
    directory_ = mkdtemp(name);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, socket().c_str(), socket().size());
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 8) != 0)
      abort();
    thread_ = std::thread([this, connections = std::move(connections)] {
      for (auto& speak : connections) {
        int fd = accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        speak(fd);
        close(fd);
      }
    });
  }
  ~FakeServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    unlink(socket().c_str());
    rmdir(directory_.c_str());
  }
  std::string socket() const { return directory_ + "/s"; }

  // Up to the empty line.
  static std::string read_head(int fd) {
    std::string head;
    char c;
    while (head.find("\r\n\r\n") == std::string::npos && read(fd, &c, 1) == 1) head += c;
    return head;
  }
  static void say(int fd, const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      ssize_t n = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  }

 private:
  std::string directory_;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace lotse::engine_http
