// ControlSocket: DIR/lotse.sock, by which the operator's command `lotse` talks to the daemon of that directory. Open to
// root and to the user that the daemon runs as.
//
// Protocol, frames as in core/base/frame_io.h: one request {"command": text, ...}, answered by any number of {"out":
// text} (for standard output) and {"data": bin} (for a file), and last by {"exit": int, "error": text, "reason": text}.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/loop.h"
#include "core/base/msgpack.h"

namespace lotse::daemon {

// What a handler answers with. [worker] Each waits for a slow client, at most 30 s. False: it has gone, so end soon.
class ControlReply {
 public:
  virtual ~ControlReply() = default;
  virtual bool out(std::string_view text) = 0;
  virtual bool data(std::string_view bytes) = 0;  // split into frames as needed
  virtual bool gone() const = 0;                  // or the daemon is ending
  // wake: [loop] once when the daemon ends, or at once [worker] if it does already. For a handler that waits for something else; until it returns.
  virtual void when_ending(std::function<void()> wake) = 0;
};

// [worker] ok: exit code 0; otherwise 1 and the sentence.
using ControlHandler = std::function<Status(const MsgValue& request, ControlReply& reply)>;

class ControlSocket {
 public:
  struct Limits {
    size_t connections_max = 16;
    size_t request_max = 64 * 1024;
    Duration request_time = std::chrono::seconds(10);  // to send the request; to wait for serve()
  };
  // [loop] kAlreadyExists when another daemon serves that path. A socket left by a dead one is replaced. Whoever asks before serve() is
  // answered then, so that a cluster whose API answers can be asked here as well, or told after request_time that it is starting.
  static Result<std::unique_ptr<ControlSocket>> listen(Loop& loop, WorkerPool& workers, const std::string& path,
                                                       Limits limits);
  static Result<std::unique_ptr<ControlSocket>> listen(Loop& loop, WorkerPool& workers, const std::string& path) {
    return listen(loop, workers, path, Limits());
  }
  // [loop or not] Takes the socket away and waits for the handlers that run; they see gone(). Those that need the loop end only when this is called off it.
  ~ControlSocket();
  // [loop] Before serve. What does not have a handler is answered with a sentence.
  void handle(const std::string& command, ControlHandler handler);
  // [loop] Once, when all handlers are there.
  void serve();

 private:
  class Impl;
  explicit ControlSocket(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse::daemon
