// A loaded runtime plugin as a Runtime: its functions may block, so each call and open runs on the pool; what finds the
// pool's queue full waits in one of its own, in order.
#pragma once
#include <memory>

#include "core/agent/runtime.h"
#include "core/base/loop.h"
#include "core/plugin/instance.h"

namespace lotse::agent {

class PluginRuntime : public Runtime {
 public:
  // REQUIRES: plugin outlives it, loop and pool outlive every call made through it. The destructor waits for functions of the plugin that
  // are running, so it is not called on the loop; answers that come later are the plugin's affair.
  PluginRuntime(const plugin::RuntimePlugin& plugin, Loop& loop, WorkerPool& pool);
  ~PluginRuntime() override;
  void call(Call call, MsgValue request, Duration timeout, Answer answer) override;
  Result<StreamPtr> open(Open kind, MsgValue request, SinkPtr sink) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
