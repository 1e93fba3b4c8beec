#include "sdk/conformance/state/driver.h"

#include <algorithm>
#include <chrono>

#include "sdk/conformance/check_host.h"

namespace lotse::check {
namespace {
lotse_bytes bytes(const std::string& text) {
  return {text.data(), text.size()};
}
std::string text(lotse_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}
}  // namespace

std::string describe(const Event& e) {
  return (e.kind == LOTSE_STATE_PUT ? "put " : "delete ") + e.key.substr(0, 40) + " at " + std::to_string(e.revision) +
         " (value '" + e.value.substr(0, 20) + "', before '" + e.previous.substr(0, 20) + "' at " +
         std::to_string(e.previous_revision) + ")";
}

struct Commit::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<lotse_state_outcome> outcomes;
  int answers = 0;
};

std::vector<lotse_state_outcome> Commit::wait() {
  std::unique_lock lock(shared_->mutex);
  bool came =
      shared_->changed.wait_for(lock, std::chrono::seconds(kPatienceSeconds), [&] { return shared_->answers > 0; });
  if (!came) fail("a commit was not answered within " + std::to_string(kPatienceSeconds) + " s");
  return shared_->outcomes;
}
int Commit::answers() {
  std::lock_guard lock(shared_->mutex);
  return shared_->answers;
}

Store::Store(const Subject& subject) : subject_(subject) {
  state_ = reinterpret_cast<const lotse_state*>(create(subject));
}
Store::Store(const Subject& subject, Second) : subject_(subject) {
  lotse_error error{};
  error.size = sizeof error;
  const lotse_instance* made =
      subject.factory->create(subject.host->c(), {subject.config.data(), subject.config.size()}, &error);
  if (made == nullptr) skip(std::string("there can be only one instance: ") + error.message);
  state_ = reinterpret_cast<const lotse_state*>(made);
  if (info().ephemeral != 0) skip("what is stored ends with the instance");
}
Store::~Store() {
  destroy();
}
void Store::destroy() {
  if (state_ != nullptr) state_->base.destroy(state_->base.self);
  state_ = nullptr;
}
void Store::restart() {
  destroy();
  state_ = reinterpret_cast<const lotse_state*>(create(subject_));
}
void Store::need_durable() {
  if (info().ephemeral != 0) skip("what is stored ends with the instance");
}

Commit Store::start(const std::vector<Op>& ops) {
  std::vector<lotse_state_op> raw;
  std::vector<std::vector<lotse_state_guard>> guards;
  for (const Op& op : ops) {
    guards.emplace_back();
    for (const auto& [key, revision] : op.guards) guards.back().push_back({bytes(key), revision});
  }
  for (size_t i = 0; i < ops.size(); ++i) {
    raw.push_back({sizeof(lotse_state_op), ops[i].kind, bytes(ops[i].key), bytes(ops[i].value), ops[i].expected,
                   guards[i].data(), guards[i].size(), ops[i].ttl_ns,
                   static_cast<uint32_t>(ops[i].relaxed ? LOTSE_STATE_RELAXED : LOTSE_STATE_DURABLE), 0});
  }
  Commit commit;
  commit.shared_ = std::make_shared<Commit::Shared>();
  auto* ctx = new std::shared_ptr<Commit::Shared>(commit.shared_);  // stays, so that a second answer is noticed
  state_->commit(
      state_->base.self, raw.data(), raw.size(),
      [](void* ctx, const lotse_state_outcome* outcomes, size_t count) {
        Commit::Shared& shared = **static_cast<std::shared_ptr<Commit::Shared>*>(ctx);
        std::lock_guard lock(shared.mutex);
        ++shared.answers;
        shared.outcomes.assign(outcomes, outcomes + count);
        shared.changed.notify_all();
      },
      ctx);
  return commit;
}

uint64_t Store::must(const Op& op) {
  lotse_state_outcome outcome = commit(op);
  if (outcome.code != LOTSE_OK)
    fail("the commit of " + op.key.substr(0, 60) + " ended with code " + std::to_string(outcome.code));
  return outcome.revision;
}

Store::RangeAnswer Store::range(const RangeArguments& a) {
  lotse_state_range raw{sizeof raw, a.keys_only ? 1u : 0u, bytes(a.start), bytes(a.end), a.revision, a.limit};
  lotse_state_range_result result{sizeof result, 0, 0};
  lotse_error error{};
  error.size = sizeof error;
  struct Context {
    RangeAnswer answer;
    size_t stop_after;
  } context{{}, a.stop_after};
  context.answer.code = state_->range(
      state_->base.self, &raw,
      [](void* ctx, const lotse_state_entry* entry) -> int32_t {
        auto& c = *static_cast<Context*>(ctx);
        c.answer.entries.push_back({text(entry->key), text(entry->value), entry->revision});
        return c.answer.entries.size() < c.stop_after ? 1 : 0;
      },
      &context, &result, &error);
  context.answer.more = result.more != 0;
  context.answer.revision = result.revision;
  if (context.answer.code != LOTSE_OK && error.message[0] == '\0') warn("a range failed without a sentence");
  return context.answer;
}

std::vector<Kv> Store::list(const std::string& start, const std::string& end, uint64_t revision, uint64_t limit) {
  std::vector<Kv> all;
  RangeArguments a{start, end, revision, limit};
  for (;;) {
    RangeAnswer page = range(a);
    if (page.code != LOTSE_OK) fail("a range ended with code " + std::to_string(page.code));
    expect(limit == 0 || page.entries.size() <= limit, "a range gave more entries than its limit");
    expect(!page.more || !page.entries.empty(), "a range says that there is more and gives nothing");
    all.insert(all.end(), page.entries.begin(), page.entries.end());
    if (!page.more) return all;
    a.revision = page.revision;
    a.start = page.entries.back().key + '\0';
  }
}

std::optional<Kv> Store::get(const std::string& key, uint64_t revision) {
  RangeAnswer page = range({key, key + '\0', revision});
  if (page.code != LOTSE_OK) fail("a get ended with code " + std::to_string(page.code));
  if (page.entries.empty()) return std::nullopt;
  return page.entries[0];
}

lotse_state_info Store::info() {
  lotse_state_info info{};
  info.size = sizeof info;
  lotse_error error{};
  error.size = sizeof error;
  if (state_->info(state_->base.self, &info, &error) != LOTSE_OK) fail(std::string("info failed: ") + error.message);
  return info;
}

int32_t Store::compact(uint64_t revision) {
  lotse_error error{};
  error.size = sizeof error;
  return state_->compact(state_->base.self, revision, &error);
}

template <class T>
const T* Store::extension(const char* id) {
  auto* found = static_cast<const T*>(state_->base.extension(state_->base.self, id));
  if (found == nullptr) skip(std::string("the plugin does not offer ") + id);
  return found;
}
std::pair<int32_t, uint64_t> Store::current() {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    int answers = 0;
    std::pair<int32_t, uint64_t> answer;
  };
  auto waiting = std::make_shared<Waiting>();
  auto* ctx = new std::shared_ptr<Waiting>(waiting);  // stays, so that a second answer is noticed
  extension<lotse_state_current>(LOTSE_STATE_CURRENT)
      ->ask(
          state_->base.self, INT64_C(5'000'000'000),
          [](void* ctx, int32_t code, uint64_t revision) {
            Waiting& w = **static_cast<std::shared_ptr<Waiting>*>(ctx);
            std::lock_guard lock(w.mutex);
            ++w.answers;
            w.answer = {code, revision};
            w.changed.notify_all();
          },
          ctx);
  std::unique_lock lock(waiting->mutex);
  if (!waiting->changed.wait_for(lock, std::chrono::seconds(kPatienceSeconds), [&] { return waiting->answers > 0; }))
    fail("nobody said what is current");
  expect_equal(waiting->answers, 1, "the number of answers");
  return waiting->answer;
}

int32_t Store::backup(int fd) {
  lotse_error error{};
  error.size = sizeof error;
  return extension<lotse_state_backup>(LOTSE_STATE_BACKUP)->write(state_->base.self, fd, &error);
}
int32_t Store::restore(int fd, uint64_t floor) {
  lotse_error error{};
  error.size = sizeof error;
  return extension<lotse_state_backup>(LOTSE_STATE_BACKUP)->read(state_->base.self, fd, floor, &error);
}

struct Watcher::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Event> events;
  uint64_t progress = 0;
  size_t items = 0;
  size_t credit_used = 0;
  int ends = 0;
  int32_t code = -1;
  bool busy = false;   // a call to the sink is under way
  std::string broken;  // a rule of streams that was broken

  void enter() {
    if (busy) broken = "two calls to one sink at once";
    if (ends > 0) broken = "a call to the sink after its end";
    busy = true;
  }
};

std::unique_ptr<Watcher> Store::watch(const std::string& start, const std::string& end, uint64_t from,
                                      uint64_t credit) {
  auto* watch = extension<lotse_state_watch>(LOTSE_STATE_WATCH);
  auto watcher = std::make_unique<Watcher>();
  watcher->shared_ = std::make_shared<Watcher::Shared>();
  lotse_stream_sink sink{};
  sink.size = sizeof sink;
  sink.ctx = new std::shared_ptr<Watcher::Shared>(watcher->shared_);
  sink.on_item = [](void* ctx, uint32_t, lotse_bytes item) {
    Watcher::Shared& shared = **static_cast<std::shared_ptr<Watcher::Shared>*>(ctx);
    auto* raw = static_cast<const lotse_state_events*>(item.data);
    std::lock_guard lock(shared.mutex);
    shared.enter();
    for (size_t i = 0; i < raw->count; ++i) {
      auto* at = reinterpret_cast<const char*>(raw->events) + i * raw->events[0].size;
      auto* e = reinterpret_cast<const lotse_state_event*>(at);
      shared.events.push_back(
          {e->kind, e->revision, text(e->key), text(e->value), text(e->previous), e->previous_revision});
      shared.credit_used += e->key.size + e->value.size;
    }
    if (raw->progress < shared.progress) shared.broken = "progress fell";
    shared.progress = raw->progress;
    ++shared.items;
    shared.busy = false;
    shared.changed.notify_all();
  };
  sink.on_writable = [](void*, uint64_t) {};
  sink.on_end = [](void* ctx, int32_t code, lotse_bytes) {
    Watcher::Shared& shared = **static_cast<std::shared_ptr<Watcher::Shared>*>(ctx);
    std::lock_guard lock(shared.mutex);
    shared.enter();
    ++shared.ends;
    shared.code = code;
    shared.busy = false;
    shared.changed.notify_all();
  };
  lotse_error error{};
  error.size = sizeof error;
  int32_t code = watch->open(state_->base.self, bytes(start), bytes(end), from, &sink, &watcher->stream_, &error);
  if (code != LOTSE_OK) fail(std::string("a watch could not be opened: ") + error.message);
  if (credit > 0) watcher->grant(credit);
  return watcher;
}

Watcher::~Watcher() {
  if (released_ || stream_.release == nullptr) return;
  if (!ended()) {
    cancel();
    wait_end();
  }
  release();
}
void Watcher::release() {
  released_ = true;
  stream_.release(stream_.self);
}
void Watcher::grant(uint64_t n) {
  stream_.grant(stream_.self, n);
}
void Watcher::cancel() {
  stream_.cancel(stream_.self);
}

template <class Done>
void Watcher::wait(Done done, const char* what) {
  std::unique_lock lock(shared_->mutex);
  bool came = shared_->changed.wait_for(lock, std::chrono::seconds(kPatienceSeconds), done);
  if (!shared_->broken.empty()) fail(shared_->broken);
  if (!came) {
    fail(std::string("a watch waited in vain for ") + what + ": " + std::to_string(shared_->events.size()) +
         " events, progress " + std::to_string(shared_->progress));
  }
}
std::vector<Event> Watcher::wait_events(size_t count) {
  wait([&] { return shared_->events.size() >= count || shared_->ends > 0; }, "events");
  return events();
}
std::vector<Event> Watcher::wait_progress(uint64_t revision) {
  wait([&] { return shared_->progress >= revision || shared_->ends > 0; }, "progress");
  return events();
}
int32_t Watcher::wait_end() {
  wait([&] { return shared_->ends > 0; }, "its end");
  return shared_->code;
}
std::vector<Event> Watcher::events() {
  std::lock_guard lock(shared_->mutex);
  return shared_->events;
}
uint64_t Watcher::progress() {
  std::lock_guard lock(shared_->mutex);
  return shared_->progress;
}
bool Watcher::ended() {
  return ends() > 0;
}
int Watcher::ends() {
  std::lock_guard lock(shared_->mutex);
  return shared_->ends;
}
size_t Watcher::items() {
  std::lock_guard lock(shared_->mutex);
  return shared_->items;
}
size_t Watcher::credit_used() {
  std::lock_guard lock(shared_->mutex);
  return shared_->credit_used;
}

}  // namespace lotse::check
