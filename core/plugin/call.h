// Calls into a plugin that complete later: a callback becomes a lotse_call with a deadline and a way to cancel. However
// a plugin misbehaves, `done` runs exactly once as seen from here: a second answer is logged and ignored.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/msgpack.h"
#include "core/base/result.h"
#include "lotse/abi/runtime.h"

namespace lotse::plugin {

// With an ok status `payload` is the answer. [any thread of the plugin, or the caller's before the call returns]
using CallDone = std::function<void(Status status, Bytes payload)>;

class Cancel {
 public:
  Cancel() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void cancel() { *flag_ = true; }  // the plugin is asked to end soon; done still comes
  bool cancelled() const { return *flag_; }

 private:
  friend class CallTable;
  std::shared_ptr<std::atomic<bool>> flag_;
};

struct CallOptions {
  Duration timeout{};  // 0: none
  Cancel cancel{};
};

// Any function of the ABI that takes a lotse_call.
void start_call(const std::function<void(const lotse_call*)>& fn, const CallOptions& options, CallDone done);
// fn NULL: kMethodNotAllowed.
void call_message(lotse_message_fn fn, void* self, std::string_view request, const CallOptions& options, CallDone done);
// [worker] The same, waiting for the answer: at most for the timeout and five seconds; a plugin that still has not
// answered is told off in the log, and its answer will be ignored.
Result<MsgValue> call_and_wait(lotse_message_fn fn, void* self, const MsgValue& request, CallOptions options);

}  // namespace lotse::plugin
