// A state backend in memory with a plugin's C functions, for tests. It keeps all history until it is compacted, answers
// and gives events from one thread of its own, and fails on demand. settle() waits until that thread has nothing to do.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lotse/abi/state.h"
#include "lotse/abi/state_backup.h"
#include "lotse/abi/state_watch.h"

namespace lotse::test {

class MemoryState {
 public:
  MemoryState() {
    state_.base.size = sizeof(state_);
    state_.base.self = this;
    state_.base.extension = [](void* self, const char* id) -> const void* {
      if (std::string(id) == LOTSE_STATE_WATCH) return &me(self).watch_;
      if (std::string(id) == LOTSE_STATE_BACKUP) return &me(self).backup_;
      return nullptr;
    };
    state_.commit = [](void* self, const lotse_state_op* ops, size_t n, Done done, void* ctx) { me(self).commit(ops, n, done, ctx); };
    state_.range = [](void* self, const lotse_state_range* r, OnEntry on_entry, void* ctx, lotse_state_range_result* out,
                      lotse_error*) { return me(self).range(*r, on_entry, ctx, out); };
    state_.info = [](void* self, lotse_state_info* info, lotse_error*) -> int32_t {
      std::lock_guard lock(me(self).mutex_);
      info->fast_reads = 1;
      info->shared = me(self).shared ? 1 : 0;
      info->revision = me(self).revision_;
      info->compacted = me(self).compacted_;
      return LOTSE_OK;
    };
    state_.compact = [](void* self, uint64_t revision, lotse_error*) -> int32_t {
      std::lock_guard lock(me(self).mutex_);
      me(self).compacted_ = std::max(me(self).compacted_, revision);
      ++me(self).compactions;
      return LOTSE_OK;
    };
    watch_.size = sizeof(watch_);
    watch_.open = [](void* self, lotse_bytes start, lotse_bytes end, uint64_t from, const lotse_stream_sink* sink,
                     lotse_stream* stream, lotse_error*) { return me(self).open(text(start), text(end), from, *sink, stream); };
    backup_.size = sizeof(backup_);
    backup_.write = [](void* self, int32_t, lotse_error*) -> int32_t {
      std::lock_guard lock(me(self).mutex_);
      me(self).saved_ = me(self).current_;
      me(self).saved_revision_ = me(self).revision_;
      return LOTSE_OK;
    };
    backup_.read = [](void* self, int32_t, uint64_t floor, lotse_error*) -> int32_t { return me(self).restore(floor); };
    thread_ = std::thread([this] { run(); });
  }
  ~MemoryState() {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  MemoryState(const MemoryState&) = delete;

  const lotse_state* get() const { return &state_; }

  // The code of the coming operations, and whether they are carried out all the same (an unknown outcome). Set them while
  // nothing is under way.
  std::atomic<int32_t> fail_with{LOTSE_OK};
  std::atomic<bool> fail_but_do{false};
  std::atomic<int> compactions{0}, batches{0};
  bool shared = false;  // before a store opens it: as etcd is

  // While held, no watch gives anything; outcomes come.
  void hold_events() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release_events() {
    {
      std::lock_guard lock(mutex_);
      held_ = false;
    }
    post([this] { pump_all(); });
    settle();
  }
  void end_watches(int32_t code) {
    post([this, code] {
      for (auto& s : sessions()) finish(s, code);
    });
    settle();
  }
  size_t watches() const {
    std::lock_guard lock(mutex_);
    return sessions_.size();
  }
  uint64_t revision() const {
    std::lock_guard lock(mutex_);
    return revision_;
  }
  void settle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return tasks_.empty() && !busy_; });
  }

 private:
  using Done = void (*)(void*, const lotse_state_outcome*, size_t);
  using OnEntry = int32_t (*)(void*, const lotse_state_entry*);
  using Contents = std::map<std::string, std::pair<uint64_t, std::string>>;
  struct Change {
    uint64_t revision;
    bool put;
    std::string key, value, previous;
    uint64_t previous_revision;
  };
  struct Session {
    MemoryState* owner;
    std::string start, end;
    uint64_t next;  // revision
    lotse_stream_sink sink;
    int64_t credit = 0;
    bool over = false, cancelled = false;
  };
  using SessionPtr = std::shared_ptr<Session>;

  static MemoryState& me(void* self) { return *static_cast<MemoryState*>(self); }
  static std::string text(lotse_bytes b) { return {static_cast<const char*>(b.data), b.size}; }
  static lotse_bytes bytes(const std::string& s) { return {s.data(), s.size()}; }

  void post(std::function<void()> task) {
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_all();
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return over_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      busy_ = true;
      lock.unlock();
      task();
      lock.lock();
      busy_ = false;
      if (tasks_.empty()) idle_.notify_all();
    }
  }

  std::vector<SessionPtr> sessions() const {
    std::lock_guard lock(mutex_);
    return sessions_;
  }
  uint64_t revision_of(const std::string& key) const {
    const auto it = current_.find(key);
    return it == current_.end() ? 0 : it->second.first;
  }

  lotse_state_outcome run(const lotse_state_op& op) {
    lotse_state_outcome out{};
    out.size = sizeof(out);
    out.guard = -1;
    if (fail_with != LOTSE_OK && !fail_but_do) {
      out.code = fail_with;
      return out;
    }
    const std::string key = text(op.key);
    for (size_t g = 0; g < op.guard_count; ++g) {
      const uint64_t has = revision_of(text(op.guards[g].key));
      if (has == op.guards[g].revision) continue;
      out.code = LOTSE_CONFLICT;
      out.guard = static_cast<int32_t>(g);
      out.revision = has;
      return out;
    }
    const uint64_t has = revision_of(key);
    if (op.expected != LOTSE_STATE_ANY && op.expected != has) {
      out.code = LOTSE_CONFLICT;
      out.revision = has;
      return out;
    }
    if (op.kind == LOTSE_STATE_DELETE && has == 0) return out;
    change(op.kind == LOTSE_STATE_PUT, key, text(op.value));
    out.revision = revision_;
    out.code = fail_with;
    return out;
  }

  void change(bool put, const std::string& key, const std::string& value) {
    Change c{++revision_, put, key, value, {}, revision_of(key)};
    if (c.previous_revision) c.previous = current_[key].second;
    if (put) {
      current_[key] = {revision_, value};
    } else {
      current_.erase(key);
    }
    log_.push_back(std::move(c));
  }

  void commit(const lotse_state_op* ops, size_t n, Done done, void* ctx) {
    ++batches;
    std::vector<lotse_state_outcome> outcomes;
    {
      std::lock_guard lock(mutex_);
      for (size_t i = 0; i < n; ++i) outcomes.push_back(run(ops[i]));
    }
    // Now one comes first, now the other: nobody may rely on it.
    const auto answer = [done, ctx, outcomes] { done(ctx, outcomes.data(), outcomes.size()); };
    if (batches % 2 == 0) post([this] { pump_all(); });
    post(answer);
    if (batches % 2 != 0) post([this] { pump_all(); });
  }

  int32_t range(const lotse_state_range& r, OnEntry on_entry, void* ctx, lotse_state_range_result* out) {
    std::lock_guard lock(mutex_);
    const uint64_t at = r.revision ? r.revision : revision_;
    if (at < compacted_) return LOTSE_COMPACTED;
    Contents then;
    if (at >= revision_) {
      then = current_;
    } else {
      for (const auto& c : log_) {
        if (c.revision > at) break;
        if (c.put) {
          then[c.key] = {c.revision, c.value};
        } else {
          then.erase(c.key);
        }
      }
    }
    constexpr uint64_t kChunk = 7;  // small, so that continuing is always tried
    const std::string start = text(r.start), end = text(r.end);
    const uint64_t most = r.limit ? std::min(r.limit, kChunk) : kChunk;
    uint64_t given = 0;
    out->revision = at;
    out->more = 0;
    for (auto it = then.lower_bound(start); it != then.end() && (end.empty() || it->first < end); ++it) {
      if (given == most) {
        out->more = 1;
        break;
      }
      lotse_state_entry e{};
      e.size = sizeof(e);
      e.key = bytes(it->first);
      if (!r.keys_only) e.value = bytes(it->second.second);
      e.revision = it->second.first;
      ++given;
      if (!on_entry(ctx, &e)) break;
    }
    return LOTSE_OK;
  }

  int32_t open(std::string start, std::string end, uint64_t from, const lotse_stream_sink& sink, lotse_stream* stream) {
    std::lock_guard lock(mutex_);
    if (from != 0 && from < compacted_) return LOTSE_COMPACTED;
    auto s = std::make_shared<Session>(Session{this, start, end, from ? from : revision_ + 1, sink});
    sessions_.push_back(s);
    all_.push_back(s);
    stream->self = s.get();
    stream->grant = [](void* self, uint64_t n) {
      auto& session = *static_cast<Session*>(self);
      {
        std::lock_guard guard(session.owner->mutex_);
        session.credit += static_cast<int64_t>(n);
      }
      session.owner->post([owner = session.owner] { owner->pump_all(); });
    };
    stream->write = [](void*, uint32_t, lotse_bytes) -> int32_t { return LOTSE_UNSUPPORTED; };
    stream->half_close = [](void*, uint32_t) {};
    stream->control = [](void*, uint32_t, lotse_bytes) -> int32_t { return LOTSE_UNSUPPORTED; };
    stream->cancel = [](void* self) {
      auto& session = *static_cast<Session*>(self);
      {
        std::lock_guard guard(session.owner->mutex_);
        session.cancelled = true;
      }
      session.owner->post([&session] {
        for (auto& found : session.owner->sessions()) {
          if (found.get() == &session) session.owner->finish(found, LOTSE_CANCELLED);
        }
      });
    };
    stream->release = [](void*) {};
    return LOTSE_OK;
  }

  // [the thread]
  void finish(const SessionPtr& s, int32_t code) {
    {
      std::lock_guard lock(mutex_);
      if (s->over) return;
      s->over = true;
      std::erase(sessions_, s);
    }
    s->sink.on_end(s->sink.ctx, code, {nullptr, 0});
  }

  void pump_all() {
    for (auto& s : sessions()) {
      while (pump(s)) {
      }
    }
  }

  // [the thread] One item of at most three events; false: nothing more to give now.
  bool pump(const SessionPtr& s) {
    std::vector<Change> some;
    uint64_t progress = 0;
    {
      std::lock_guard lock(mutex_);
      if (held_ || s->over || s->cancelled || s->credit <= 0 || s->next > revision_) return false;
      if (s->next < compacted_) {
        progress = 0;
      } else {
        progress = revision_;
        for (const auto& c : log_) {
          if (c.revision < s->next || c.key < s->start || (!s->end.empty() && c.key >= s->end)) continue;
          if (some.size() == 3) {
            progress = some.back().revision;
            break;
          }
          some.push_back(c);
        }
        s->next = progress + 1;
        for (const auto& c : some) s->credit -= static_cast<int64_t>(c.key.size() + c.value.size() + c.previous.size());
        if (some.empty()) s->credit -= 1;
      }
    }
    if (progress == 0) {
      finish(s, LOTSE_COMPACTED);
      return false;
    }
    std::vector<lotse_state_event> events;
    for (const auto& c : some) {
      lotse_state_event e{};
      e.size = sizeof(e);
      e.kind = c.put ? LOTSE_STATE_PUT : LOTSE_STATE_DELETE;
      e.revision = c.revision;
      e.key = bytes(c.key);
      e.value = bytes(c.value);
      e.previous = bytes(c.previous);
      e.previous_revision = c.previous_revision;
      events.push_back(e);
    }
    lotse_state_events item{};
    item.size = sizeof(item);
    item.events = events.data();
    item.count = events.size();
    item.progress = progress;
    s->sink.on_item(s->sink.ctx, 0, {&item, sizeof(item)});
    return true;
  }

  int32_t restore(uint64_t floor) {
    std::lock_guard lock(mutex_);
    revision_ = std::max({revision_, floor, saved_revision_}) + 1;
    compacted_ = revision_;
    current_ = saved_;
    log_.clear();
    for (const auto& [key, entry] : current_) log_.push_back({entry.first, true, key, entry.second, {}, 0});
    for (auto& s : sessions_) s->next = 0;
    return LOTSE_OK;
  }

  lotse_state state_{};
  lotse_state_watch watch_{};
  lotse_state_backup backup_{};
  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::function<void()>> tasks_;
  bool busy_ = false, over_ = false, held_ = false;
  Contents current_, saved_;
  uint64_t saved_revision_ = 0, revision_ = 1, compacted_ = 1;
  std::vector<Change> log_;
  std::vector<SessionPtr> sessions_, all_;
  std::thread thread_;
};

}  // namespace lotse::test
