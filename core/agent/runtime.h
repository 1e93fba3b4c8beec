// Runtime: the container runtime as the agent sees it: every function takes one MessagePack map and answers with one,
// by the keys of sdk/include/lotse/abi/runtime.h. runtime_plugin.h puts a loaded plugin behind it, tests a script.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/loop.h"
#include "core/base/msgpack.h"
#include "core/base/stream.h"

namespace lotse::agent {

enum class Call : uint8_t {
  kInfo, kSandboxRun, kSandboxStop, kSandboxRemove, kSandboxStatus, kSandboxList,
  kContainerCreate, kContainerStart, kContainerStop, kContainerRemove, kContainerStatus, kContainerList,
  kContainerUpdate, kContainerStats, kContainerReopenLog, kExecSync,
  kImageImport, kImageStatus, kImageList, kImageRemove, kImageFs
};
std::string_view call_name(Call call);  // "sandbox_run"

enum class Open : uint8_t { kExec, kAttach, kPortForward, kEvents, kImagePull };

using Answer = std::function<void(Result<MsgValue>)>;

class Runtime {
 public:
  virtual ~Runtime() = default;
  // [any] Must not block. `answer` comes exactly once, on any thread, never from within. kTimeout after `timeout`,
  // kNotFound, kServiceUnavailable, kInvalid as the plugin's code says.
  virtual void call(Call call, MsgValue request, Duration timeout, Answer answer) = 0;
  // [any] Must not block.
  virtual Result<StreamPtr> open(Open kind, MsgValue request, SinkPtr sink) = 0;
};

// call() whose `answer` runs on the loop and goes there, too, with all it holds: the runtime's thread never is the last to have it.
void call_on(Loop& loop, Runtime& runtime, Call call, MsgValue request, Duration timeout, Answer answer);

}  // namespace lotse::agent
