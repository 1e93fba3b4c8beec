// Backend: a state plugin's C functions in C++ terms, with its codes as Statuses. Revisions here are the backend's own.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "lotse/abi/state.h"
#include "lotse/abi/state_backup.h"
#include "lotse/abi/state_current.h"
#include "lotse/abi/state_watch.h"

namespace lotse::store {

// What a code of the plugin means to whoever asked the store.
Status backend_status(int32_t code, std::string_view message);

struct BackendInfo {
  bool fast_reads = false, shared = false;
  uint64_t revision = 0, compacted = 0;
  std::string identity;
};
struct BackendEntry {
  std::string_view key, value;
  uint64_t revision;
};
struct BackendRange {
  std::string_view start, end;
  uint64_t revision = 0, limit = 0;
  bool keys_only = false;
};
struct BackendRangeResult {
  bool more = false;
  uint64_t revision = 0;
};

inline lotse_bytes as_bytes(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view as_view(lotse_bytes b) { return {static_cast<const char*>(b.data), b.size}; }

// A watch on the backend: items come on a thread of the plugin, one after the other. Ended by cancel; on_end is last.
class BackendWatch {
 public:
  using OnEvents = std::function<void(const lotse_state_events& events, size_t size)>;
  using OnEnd = std::function<void(Status)>;
  void grant(uint64_t bytes);
  void cancel();
  void finish();  // cancel, and wait until on_end has returned; not from within a callback

 private:
  friend class Backend;
  static void item(void* ctx, uint32_t channel, lotse_bytes bytes);
  static void end(void* ctx, int32_t code, lotse_bytes payload);
  std::mutex mutex_;      // held while a function of stream_ runs, so that none runs after release
  std::condition_variable gone_;
  bool ended_ = false;
  lotse_stream stream_{};
  OnEvents on_events_;
  OnEnd on_end_;
  std::shared_ptr<BackendWatch> self_;  // until the end
};

class Backend {
 public:
  explicit Backend(const lotse_state* state);
  // What the store needs of it: fails in a sentence.
  Status check() const;
  const lotse_state* operator->() const { return state_; }
  void* self() const { return state_->base.self; }
  Result<BackendInfo> info() const;
  // Calls fn for entries in order until it gives false or the plugin stops; `more` tells whether to ask again.
  Result<BackendRangeResult> range(const BackendRange& range, const std::function<bool(const BackendEntry&)>& fn) const;
  // The one entry, if there is one.
  Result<bool> read(std::string_view key, std::string* value, uint64_t* revision) const;
  Status compact(uint64_t revision) const;
  // false: the backend does not offer lotse.state.current/1, and done is not called.
  bool ask_current(int64_t timeout_ns, void (*done)(void* ctx, int32_t code, uint64_t revision), void* ctx) const;
  Result<std::shared_ptr<BackendWatch>> watch(std::string_view start, std::string_view end, uint64_t from,
                                              BackendWatch::OnEvents on_events, BackendWatch::OnEnd on_end) const;
  Status backup(int fd) const;
  Status restore(int fd, uint64_t floor) const;

 private:
  const lotse_state* state_;
  const lotse_state_watch* watch_;
  const lotse_state_backup* backup_;
  const lotse_state_current* current_;
};

}  // namespace lotse::store
