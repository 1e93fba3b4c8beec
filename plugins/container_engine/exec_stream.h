// exec as a stream and exec_sync as a call, over whatever a runtime makes a further process with; and attach, which is
// the same with a process that is there already.
//
// Threads: the reactor's.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugins/container_engine/engine_core.h"

namespace lotse::container_engine {

struct ExecRequest {
  std::string container;
  std::vector<std::string> command;
  bool in = false, out = false, err = false, tty = false;

  static ExecRequest parse(const Msg& request, bool attach = false);  // throws LOTSE_INVALID
};

// How it ended: the exit code, where there is one to tell.
using ExecEnd = Outcome<std::optional<int>>;

// Who takes what the process writes.
class ExecTaker {
 public:
  virtual ~ExecTaker() = default;
  virtual bool has_room() = 0;
  virtual void output(uint32_t channel, std::string_view data) = 0;
  virtual void input_taken(size_t bytes) = 0;
  virtual void ended(ExecEnd end) = 0;  // exactly once, and the last
};

class ExecSession {
 public:
  virtual ~ExecSession() = default;
  virtual void start(int64_t start_deadline_ns) = 0;
  virtual void write(std::string_view data) = 0;
  virtual void close_stdin() = 0;
  virtual void resize(uint32_t width, uint32_t height) = 0;
  virtual void signal(int number) = 0;
  virtual void kill() = 0;        // an attach only lets go; ended() follows, with LOTSE_CANCELLED
  virtual void room_again() = 0;  // has_room() is true once more
};

using MakeExec = std::function<std::shared_ptr<ExecSession>(ExecRequest, std::weak_ptr<ExecTaker>)>;

sdk::ProducerPtr open_exec(EngineCore& engine, ExecRequest request, MakeExec make);
void serve_exec_sync(EngineCore& engine, const Msg& request, sdk::Call call, MakeExec make);

}  // namespace lotse::container_engine
