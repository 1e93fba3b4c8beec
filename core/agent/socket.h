// A client connection on the Loop for probes and hooks: non-blocking, closed by its destructor, without a thread.
// [loop]
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/agent/safe_path.h"
#include "core/base/loop.h"
#include "core/base/result.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace lotse::agent {

class Socket {
 public:
  // ready: connected (and greeted, with TLS), or why not. After that data comes by on_data until on_close.
  Socket(Loop& loop, std::function<void(Status)> ready, std::function<void(std::string_view)> data,
         std::function<void(Status)> closed);
  ~Socket();
  void connect(const std::string& ip, int port, bool tls, const std::string& server_name);
  void write(std::string_view bytes);
  void pause(bool paused);  // nothing is read meanwhile

 private:
  void step();
  void greet();
  bool flush();
  void receive();
  void watch(bool write);
  void fail(Status status);
  Loop& loop_;
  std::function<void(Status)> ready_;
  std::function<void(std::string_view)> data_;
  std::function<void(Status)> closed_;
  Fd fd_;
  Handle watch_;
  bool watching_write_ = false, tls_ = false, connected_ = false, open_ = false, dead_ = false, paused_ = false,
       watching_read_ = false;
  std::string name_, where_, out_;  // where_: "192.0.2.1:80"
  SSL* ssl_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lotse::agent
