#include "plugins/runtime_hollow/runtime.h"

#include <time.h>

#include <atomic>
#include <fstream>
#include <sstream>

#include "lotse/request.hpp"

namespace lotse::runtime_hollow {
namespace {

constexpr int kKilled = 137;

int64_t unix_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A worker of many hollow nodes has an instance for each; their ids differ.
int instance_number() {
  static std::atomic<int> count{0};
  return ++count;
}

Script load(const std::string& path) {
  if (path.empty()) return Script::parse("");
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw sdk::Failure(LOTSE_INVALID, "the script " + path + " cannot be read");
  return Script::parse(text.str());
}

std::string id_of(const Msg& request) {
  return sdk::need_text(request, "id");
}

}  // namespace

std::vector<lotse_key> HollowRuntime::keys() {
  using sdk::Key;
  return {Key::integer("nodes", "how many agents the worker runs on hollow nodes").fallback("1").range(1, 10000),
          Key::text("script", "a file that says what containers do, one JSON object a line; empty: they run at once")};
}

HollowRuntime::HollowRuntime(const sdk::Host& host, const sdk::Config& config)
    : Runtime(host),
      script_(load(config.text("script"))),
      pods_(host.daemon_dir() + "/" + host.node_name() + "/" + std::to_string(unix_ns()) + "/" + std::to_string(instance_number())),
      events_(host) {}

HollowRuntime::~HollowRuntime() {
  std::map<std::string, sdk::Host::Timer> timers;
  {
    std::lock_guard lock(mutex_);
    timers.swap(timers_);
  }
  timers.clear();  // waits for one that is running
  std::map<std::string, std::vector<sdk::Call>> starting;
  {
    std::lock_guard lock(mutex_);
    starting.swap(starting_);
  }
  for (auto& [id, calls] : starting) {
    for (auto& call : calls) call.fail(LOTSE_CANCELLED, "the plugin is being stopped");
  }
  events_.end();
}

void HollowRuntime::tell(const std::vector<Told>& events) {
  for (auto& e : events) events_.tell(e.kind, e.id, e.sandbox, e.event, e.time);
}

void HollowRuntime::info(const Msg&, sdk::Call call) {
  call.done(Msg::map({{"name", "hollow"}, {"version", "0.1.0"}, {"network", "none"}, {"ready", true}}));
}

void HollowRuntime::drop_timer(const std::string& id, std::vector<sdk::Host::Timer>* out) {
  auto it = timers_.find(id);
  if (it == timers_.end()) return;
  out->push_back(std::move(it->second));
  timers_.erase(it);
}

// ---- sandboxes ----
void HollowRuntime::sandbox_run(const Msg& request, sdk::Call call) {
  bool made = false;
  Msg answer;
  std::vector<Told> told;
  {
    std::lock_guard lock(mutex_);
    Sandbox& s = pods_.sandbox(request, unix_ns(), &made);
    answer = Msg::map({{"id", s.id}, {"ips", Msg::array({s.ip})}});
    if (made) told = {{"sandbox", "created", s.id, s.id, s.created}, {"sandbox", "started", s.id, s.id, s.created}};
  }
  tell(told);  // before the answer: what the caller does next comes after it
  call.done(answer);
}

void HollowRuntime::stop_all_of(const std::string& sandbox, std::vector<Told>* told) {
  int64_t now = unix_ns();
  for (auto& [id, c] : pods_.containers()) {
    if (c.sandbox == sandbox && pods_.finish(c, kKilled, "Error", now))
      told->push_back({"container", "exited", id, sandbox, now});
  }
  Sandbox* s = pods_.find_sandbox(sandbox);
  if (s == nullptr || !s->ready) return;
  s->ready = false;
  told->push_back({"sandbox", "exited", sandbox, sandbox, now});
}

void HollowRuntime::sandbox_stop(const Msg& request, sdk::Call call) {
  std::vector<Told> told;
  {
    std::lock_guard lock(mutex_);
    stop_all_of(id_of(request), &told);
  }
  tell(told);
  call.done(Msg::map());
}

void HollowRuntime::sandbox_remove(const Msg& request, sdk::Call call) {
  std::string id = id_of(request);
  std::vector<Told> told;
  std::vector<sdk::Host::Timer> timers;  // go when the lock is no longer held
  {
    std::lock_guard lock(mutex_);
    stop_all_of(id, &told);
    std::vector<std::string> gone;
    for (auto& [container, c] : pods_.containers()) {
      if (c.sandbox == id) gone.push_back(container);
    }
    for (auto& container : gone) {
      drop_timer(container, &timers);
      pods_.erase_container(container);
      told.push_back({"container", "removed", container, id, unix_ns()});
    }
    if (pods_.find_sandbox(id) != nullptr) told.push_back({"sandbox", "removed", id, id, unix_ns()});
    pods_.erase_sandbox(id);
  }
  tell(told);
  call.done(Msg::map());
}

void HollowRuntime::sandbox_status(const Msg& request, sdk::Call call) {
  std::unique_lock lock(mutex_);
  Msg status = pods_.need_sandbox(id_of(request)).status();
  lock.unlock();
  call.done(status);
}

void HollowRuntime::sandbox_list(const Msg& request, sdk::Call call) {
  std::string uid = sdk::get_text(request, "uid");
  Msg items = Msg::array();
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, s] : pods_.sandboxes()) {
      if (uid.empty() || s.uid == uid) items.push(s.status());
    }
  }
  call.done(Msg::map({{"items", std::move(items)}}));
}

// ---- containers ----
void HollowRuntime::container_create(const Msg& request, sdk::Call call) {
  bool made = false;
  std::vector<Told> told;
  std::string id;
  {
    std::lock_guard lock(mutex_);
    Container& c = pods_.container(request, script_, unix_ns(), &made);
    id = c.id;
    if (made) told = {{"container", "created", id, c.sandbox, c.created}};
  }
  tell(told);
  call.done(Msg::map({{"id", id}}));
}

void HollowRuntime::container_start(const Msg& request, sdk::Call call) {
  std::string id = id_of(request);
  uint64_t run = 0;
  int64_t delay = 0;
  {
    std::lock_guard lock(mutex_);
    Container& c = pods_.need_container(id);
    if (!c.rule.start_error.empty()) throw sdk::Failure(LOTSE_UNKNOWN, c.rule.start_error);
    if (c.state == Container::kRunning || c.state == Container::kExited) {
      delay = -1;
    } else {
      starting_[id].push_back(call);
      if (c.state == Container::kStarting) return;
      c.state = Container::kStarting;
      run = ++c.run;
      delay = c.rule.start_delay_ms;
    }
  }
  if (delay < 0) return call.done(Msg::map());
  if (delay == 0) return begin_to_run(id, run);
  after(id, run, delay, &HollowRuntime::begin_to_run);
}

void HollowRuntime::after(const std::string& id, uint64_t run, int64_t delay_ms,
                          void (HollowRuntime::*then)(const std::string&, uint64_t)) {
  auto timer = host().after(std::chrono::milliseconds(delay_ms), [this, id, run, then] { (this->*then)(id, run); });
  std::unique_lock lock(mutex_);
  std::swap(timers_[id], timer);
  lock.unlock();  // the old one is stopped without the lock
}

void HollowRuntime::begin_to_run(const std::string& id, uint64_t run) {
  std::vector<sdk::Call> calls;
  std::vector<Told> told;
  int64_t ends_after = -1;
  {
    std::lock_guard lock(mutex_);
    Container* c = pods_.find_container(id);
    auto waiting = starting_.find(id);
    if (waiting != starting_.end()) {
      calls = std::move(waiting->second);
      starting_.erase(waiting);
    }
    if (c != nullptr && c->state == Container::kStarting && c->run == run) {
      c->state = Container::kRunning;
      c->started = unix_ns();
      ends_after = c->rule.exit_after_ms;
      told = {{"container", "started", id, c->sandbox, c->started}};
    }
  }
  tell(told);
  for (auto& call : calls) call.done(Msg::map());
  if (ends_after >= 0) after(id, run, ends_after, &HollowRuntime::end_by_itself);
}

void HollowRuntime::end_by_itself(const std::string& id, uint64_t run) {
  std::vector<Told> told;
  {
    std::lock_guard lock(mutex_);
    Container* c = pods_.find_container(id);
    int64_t now = unix_ns();
    if (c != nullptr && c->run == run && pods_.finish(*c, c->rule.exit_code, c->rule.reason, now)) {
      told = {{"container", "exited", id, c->sandbox, now}};
    }
  }
  tell(told);
}

void HollowRuntime::container_stop(const Msg& request, sdk::Call call) {
  std::string id = id_of(request);
  int64_t timeout = sdk::need_int(request, "timeout_ns", 0, INT64_MAX / 2);
  std::vector<Told> told;
  std::vector<sdk::Call> calls;
  std::vector<sdk::Host::Timer> timers;
  {
    std::lock_guard lock(mutex_);
    int64_t now = unix_ns();
    Container* c = pods_.find_container(id);
    // Hollow processes end politely unless they are given no time for it.
    if (c != nullptr && pods_.finish(*c, timeout > 0 ? 0 : kKilled, "", now))
      told = {{"container", "exited", id, c->sandbox, now}};
    if (auto it = starting_.find(id); it != starting_.end()) {
      calls = std::move(it->second);
      starting_.erase(it);
    }
    drop_timer(id, &timers);
  }
  for (auto& waiting : calls) waiting.fail(LOTSE_CANCELLED, "it was stopped before it ran");
  tell(told);
  call.done(Msg::map());
}

void HollowRuntime::container_remove(const Msg& request, sdk::Call call) {
  std::string id = id_of(request);
  std::vector<Told> told;
  std::vector<sdk::Host::Timer> timers;
  {
    std::lock_guard lock(mutex_);
    drop_timer(id, &timers);
    if (Container* c = pods_.find_container(id)) {
      int64_t now = unix_ns();
      std::string sandbox = c->sandbox;
      if (pods_.finish(*c, kKilled, "Error", now)) told.push_back({"container", "exited", id, sandbox, now});
      pods_.erase_container(id);
      told.push_back({"container", "removed", id, sandbox, now});
    }
  }
  tell(told);
  call.done(Msg::map());
}

void HollowRuntime::container_status(const Msg& request, sdk::Call call) {
  std::unique_lock lock(mutex_);
  Msg status = pods_.need_container(id_of(request)).status();
  lock.unlock();
  call.done(status);
}

void HollowRuntime::container_list(const Msg& request, sdk::Call call) {
  std::string sandbox = sdk::get_text(request, "sandbox");
  Msg items = Msg::array();
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, c] : pods_.containers()) {
      if (sandbox.empty() || c.sandbox == sandbox) items.push(c.status());
    }
  }
  call.done(Msg::map({{"items", std::move(items)}}));
}

void HollowRuntime::container_update(const Msg& request, sdk::Call call) {
  std::string id = id_of(request);
  if (request["resources"].is_nil()) sdk::refuse("the key \"resources\" is missing");
  Msg resources = sdk::get_map(request, "resources");
  {
    std::lock_guard lock(mutex_);
    pods_.need_container(id).resources = std::move(resources);
  }
  call.done(Msg::map());
}

// They use nothing, and that is what is measured.
void HollowRuntime::container_stats(const Msg& request, sdk::Call call) {
  std::string wanted = sdk::get_text(request, "id"), sandbox = sdk::get_text(request, "sandbox");
  Msg items = Msg::array();
  int64_t now = unix_ns();
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, c] : pods_.containers()) {
      bool fits = (wanted.empty() || wanted == id) && (sandbox.empty() || sandbox == c.sandbox);
      if (!fits || c.state != Container::kRunning) continue;
      items.push(Msg::map({{"id", id}, {"sandbox", c.sandbox}, {"time", now}, {"cpu_ns", 0}, {"memory_bytes", 0}}));
    }
  }
  call.done(Msg::map({{"items", std::move(items)}}));
}

void HollowRuntime::container_reopen_log(const Msg& request, sdk::Call call) {
  {
    std::lock_guard lock(mutex_);
    pods_.need_container(id_of(request));
  }
  call.done(Msg::map());
}

// ---- images: whatever is asked for is there ----
void HollowRuntime::image_import(const Msg& request, sdk::Call call) {
  sdk::need_text(request, "path");
  call.done(Msg::map({{"images", Msg::array()}}));
}

void HollowRuntime::image_status(const Msg& request, sdk::Call call) {
  std::string name = sdk::need_text(request, "image");
  call.done(Msg::map({{"id", image_id(name)},
                      {"names", Msg::array({name})},
                      {"digests", Msg::array()},
                      {"bytes", 0},
                      {"pinned", false}}));
}

void HollowRuntime::image_list(const Msg&, sdk::Call call) {
  call.done(Msg::map({{"items", Msg::array()}}));
}

void HollowRuntime::image_remove(const Msg& request, sdk::Call call) {
  sdk::need_text(request, "image");
  call.done(Msg::map());
}

void HollowRuntime::image_fs(const Msg&, sdk::Call call) {
  call.done(Msg::map({{"path", host().data_dir()}, {"used_bytes", 0}, {"inodes_used", 0}}));
}

}  // namespace lotse::runtime_hollow
