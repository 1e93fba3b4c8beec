#include "core/plugin/call.h"

#include <condition_variable>

#include "core/base/log.h"
#include "core/plugin/code.h"
#include "core/plugin/shield.h"

namespace lotse::plugin {

// Calls that are under way, by number: the number is the ctx that the plugin has, so an answer that comes twice, or
// after we have given up, finds nothing instead of freed memory.
class CallTable {
 public:
  static CallTable& one() {
    static auto* table = new CallTable;  // plugins may answer until the very end of the process
    return *table;
  }
  void* add(const CallOptions& options, CallDone done) {
    std::lock_guard lock(mutex_);
    uintptr_t id = next_++;
    calls_.emplace(id, Entry{options.cancel.flag_, std::move(done)});
    return reinterpret_cast<void*>(id);
  }
  static void done(void* ctx, int32_t code, lotse_bytes payload) {
    auto call = one().take(ctx);
    if (!call) {
      log::warn("plugin.call.answered_twice", "a plugin answered a call that had ended", {{"code", code}});
      return;
    }
    if (code == LOTSE_OK)
      call->done(Status(), Bytes(view(payload)));
    else
      call->done(status_of(code, view(payload)), Bytes());
  }
  static int32_t cancelled(void* ctx) {
    std::lock_guard lock(one().mutex_);
    auto found = one().calls_.find(reinterpret_cast<uintptr_t>(ctx));
    return found == one().calls_.end() || *found->second.cancelled ? 1 : 0;
  }
  // Gives a call up. False: it was answered meanwhile.
  bool drop(void* ctx) { return take(ctx).has_value(); }

 private:
  struct Entry {
    std::shared_ptr<std::atomic<bool>> cancelled;
    CallDone done;
  };
  std::optional<Entry> take(void* ctx) {
    std::lock_guard lock(mutex_);
    auto found = calls_.find(reinterpret_cast<uintptr_t>(ctx));
    if (found == calls_.end()) return std::nullopt;
    Entry entry = std::move(found->second);
    calls_.erase(found);
    return entry;
  }
  std::mutex mutex_;
  uintptr_t next_ = 1;
  std::unordered_map<uintptr_t, Entry> calls_;
};

namespace {

lotse_call make_call(const CallOptions& options, CallDone done) {
  int64_t deadline = 0;
  if (options.timeout.count() > 0) deadline = (Clock::system().steady() + options.timeout).time_since_epoch().count();
  return {sizeof(lotse_call),  0, deadline, CallTable::one().add(options, std::move(done)), CallTable::done,
          CallTable::cancelled};
}

// What comes out of the plugin is its answer, unless it has given one already.
template <class Fn>
void shielded_call(const lotse_call& call, const Fn& fn) {
  std::string why = shielded("that was called", fn);
  if (!why.empty()) CallTable::done(call.ctx, LOTSE_INTERNAL, bytes(why));
}

}  // namespace

void start_call(const std::function<void(const lotse_call*)>& fn, const CallOptions& options, CallDone done) {
  lotse_call call = make_call(options, std::move(done));
  shielded_call(call, [&] { fn(&call); });
}

void call_message(lotse_message_fn fn, void* self, std::string_view request, const CallOptions& options,
                  CallDone done) {
  if (fn == nullptr) {
    done(status_of(LOTSE_UNSUPPORTED, ""), Bytes());
    return;
  }
  start_call([&](const lotse_call* call) { fn(self, bytes(request), call); }, options, std::move(done));
}

Result<MsgValue> call_and_wait(lotse_message_fn fn, void* self, const MsgValue& request, CallOptions options) {
  if (fn == nullptr) return status_of(LOTSE_UNSUPPORTED, "");
  struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    bool here = false;
    Status status;
    Bytes payload;
  };
  auto answer = std::make_shared<Answer>();
  lotse_call call = make_call(options, [answer](Status status, Bytes payload) {
    std::lock_guard lock(answer->mutex);
    answer->here = true;
    answer->status = std::move(status);
    answer->payload = std::move(payload);
    answer->came.notify_all();
  });
  std::string encoded = request.encode();
  shielded_call(call, [&] { fn(self, bytes(encoded), &call); });
  std::unique_lock lock(answer->mutex);
  auto patience =
      (options.timeout.count() > 0 ? options.timeout : Duration(std::chrono::minutes(10))) + std::chrono::seconds(5);
  if (!answer->came.wait_for(lock, patience, [&] { return answer->here; })) {
    lock.unlock();
    if (CallTable::one().drop(call.ctx)) {
      log::error("plugin.call.overdue", "a plugin gave no answer, not even after the deadline");
      return Status(Reason::kTimeout, "the plugin gave no answer in time");
    }
    lock.lock();
    answer->came.wait(lock, [&] { return answer->here; });  // done is running
  }
  LOTSE_CHECK_OK(answer->status);
  if (answer->payload.empty()) return MsgValue::map();
  return MsgValue::parse(answer->payload.view());
}

}  // namespace lotse::plugin
