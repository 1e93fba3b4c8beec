// A state plugin as the cases see it: the C functions made synchronous, and watches collected.
#pragma once

#include <lotse/abi/state_backup.h>
#include <lotse/abi/state_current.h>
#include <lotse/abi/state_watch.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "sdk/conformance/check.h"

namespace lotse::check {

inline constexpr int kPatienceSeconds = 15;  // how long an answer may take

struct Op {
  uint32_t kind = LOTSE_STATE_PUT;
  std::string key, value;
  uint64_t expected = LOTSE_STATE_ANY;
  std::vector<std::pair<std::string, uint64_t>> guards = {};
  int64_t ttl_ns = 0;
  bool relaxed = false;
};
inline Op put(std::string key, std::string value, uint64_t expected = LOTSE_STATE_ANY) {
  return {LOTSE_STATE_PUT, std::move(key), std::move(value), expected};
}
inline Op del(std::string key, uint64_t expected = LOTSE_STATE_ANY) {
  return {LOTSE_STATE_DELETE, std::move(key), "", expected};
}

struct Kv {
  std::string key, value;
  uint64_t revision = 0;
  bool operator==(const Kv&) const = default;
};
struct Event {
  uint32_t kind = 0;
  uint64_t revision = 0;
  std::string key, value, previous;
  uint64_t previous_revision = 0;
  bool operator==(const Event&) const = default;
};
std::string describe(const Event& event);

// A commit under way.
class Commit {
 public:
  std::vector<lotse_state_outcome> wait();  // ends the case when no answer comes
  int answers();

 private:
  friend class Store;
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// An open watch. The credit is unlimited unless it is given.
class Watcher {
 public:
  ~Watcher();
  void grant(uint64_t bytes);
  void cancel();
  // Until `count` events are there, or progress has reached `revision`, or it has ended.
  std::vector<Event> wait_events(size_t count);
  std::vector<Event> wait_progress(uint64_t revision);
  int32_t wait_end();
  std::vector<Event> events();
  uint64_t progress();
  bool ended();
  int ends();
  size_t items();
  size_t credit_used();
  void release();

 private:
  friend class Store;
  struct Shared;
  template <class Done>
  void wait(Done done, const char* what);
  std::shared_ptr<Shared> shared_;
  lotse_stream stream_{};
  bool released_ = false;
};

class Store {
 public:
  explicit Store(const Subject& subject);
  // One more at the same store; skips the case where there can be only one.
  struct Second {};
  Store(const Subject& subject, Second);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  void destroy();
  void restart();       // destroy, and create on the same data
  void need_durable();  // skips the case for a store that ends with the instance

  Commit start(const std::vector<Op>& ops);
  std::vector<lotse_state_outcome> commit(const std::vector<Op>& ops) { return start(ops).wait(); }
  lotse_state_outcome commit(const Op& op) { return commit(std::vector<Op>{op}).at(0); }
  uint64_t must(const Op& op);  // committed with LOTSE_OK; its revision

  struct RangeArguments {
    std::string start = {}, end = {};
    uint64_t revision = 0, limit = 0;
    bool keys_only = false;
    size_t stop_after = SIZE_MAX;
  };
  struct RangeAnswer {
    int32_t code = LOTSE_OK;
    std::vector<Kv> entries;
    bool more = false;
    uint64_t revision = 0;
  };
  RangeAnswer range(const RangeArguments& a);  // one call
  std::vector<Kv> list(const std::string& start = "", const std::string& end = "", uint64_t revision = 0,
                       uint64_t limit = 0);  // all pages
  std::optional<Kv> get(const std::string& key, uint64_t revision = 0);

  lotse_state_info info();
  int32_t compact(uint64_t revision);
  // lotse.state.current/1: the code and the revision.
  std::pair<int32_t, uint64_t> current();
  std::unique_ptr<Watcher> watch(const std::string& start, const std::string& end, uint64_t from,
                                 uint64_t credit = UINT64_MAX / 4);
  int32_t backup(int fd);
  int32_t restore(int fd, uint64_t floor);
  const lotse_state* c() const { return state_; }

 private:
  template <class T>
  const T* extension(const char* id);
  const Subject& subject_;
  const lotse_state* state_ = nullptr;
};

}  // namespace lotse::check
