// RuntimeEvents: follows a runtime's events and hands each to whoever owns the sandbox. One for all agents of a process
// that share a runtime. When events were lost, everybody is told to look again. [loop]
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/agent/runtime.h"
#include "core/base/loop.h"

namespace lotse::agent {

struct RuntimeEvent {
  bool sandbox = false;  // about the sandbox itself
  std::string id, sandbox_id, what;  // "created", "started", "exited", "removed", "oom"
};

class RuntimeEvents {
 public:
  RuntimeEvents(Runtime& runtime, Loop& loop);
  ~RuntimeEvents();
  // Both until the Handle goes. `lost` is called after events were missed: list again.
  Handle follow_sandbox(const std::string& id, std::function<void(const RuntimeEvent&)> fn);
  Handle on_lost(std::function<void()> fn);
  void start();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
