#include "plugins/runtime_containerd/engine.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/runtime_containerd/json.h"
#include "plugins/runtime_containerd/process_file.h"

namespace lotse::runtime_containerd {
namespace {

constexpr size_t kOomMax = 4096;
constexpr int64_t kMs = 1'000'000;

}  // namespace

Engine::Engine(const sdk::Host& h, const sdk::Config& config)
    : host(h),
      settings(Settings::read(h, config)),
      grpc(reactor, settings.socket),
      client(reactor, grpc),
      supervisor(host, settings, grpc, client) {
  mkdir((settings.run_dir + "/io").c_str(), 0700);
  reactor.start();
  reactor.post([this] { supervisor.start(); });
}

Engine::~Engine() {
  stop();
}

void Engine::stop() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  reactor.run([this] {
    stopping_ = true;
    supervisor.stop();
    auto producers = std::move(producers_);
    producers_.clear();
    for (auto& [producer, end] : producers) end();
    grpc.close();
    auto sleepers = std::move(sleepers_);
    sleepers_.clear();
    for (auto& [timer, wake] : sleepers) {
      reactor.timer_stop(timer);
      wake(Done{});
    }
  });
  {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return active_ == 0; });
  }
  reactor.stop();
}

void Engine::entered() {
  std::lock_guard lock(mutex_);
  active_++;
}

void Engine::left() {
  std::lock_guard lock(mutex_);
  if (--active_ == 0) idle_.notify_all();
}

void Engine::serve(sdk::Call call, std::function<Co<Msg>(int64_t)> step) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return call.fail(LOTSE_CANCELLED, "the plugin is being stopped");
    active_++;
  }
  int64_t deadline = call.deadline_ns() != 0 ? call.deadline_ns() : Reactor::now_ns() + kCallTimeoutNs;
  reactor.post([this, call, deadline, step = std::move(step)] {
    spawn<Msg>(step(deadline), [this, call](std::optional<Msg> answer, std::exception_ptr error) {
      if (!error) {
        call.done(*answer);
      } else {
        try {
          std::rethrow_exception(error);
        } catch (...) {
          call.fail_caught("the containerd plugin");
        }
      }
      left();
    });
  });
}

void Engine::spawn_step(std::function<Co<Done>()> step) {
  entered();
  spawn<Done>(step(), [this](std::optional<Done>, std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (...) {
      host.debug("step.failed", sdk::caught("a step").sentence);
    }
    left();
  });
}

Co<Done> Engine::ready(int64_t deadline_ns) {
  Callback<Verdict> up([&](auto done) { supervisor.when_ready(deadline_ns, std::move(done)); });
  Verdict verdict = co_await up;
  if (!verdict.ok()) verdict.failure().raise();
  co_return Done{};
}

Co<Done> Engine::sleep(int64_t ns) {
  if (stopping_) throw sdk::Failure(LOTSE_CANCELLED, "the plugin is being stopped");
  Callback<Done> woken([&](std::function<void(Done)> done) {
    auto id = std::make_shared<uint64_t>(0);
    *id = reactor.timer(ns, [this, id, done] {
      sleepers_.erase(*id);
      done(Done{});
    });
    sleepers_.emplace(*id, done);
  });
  co_await woken;
  if (stopping_) throw sdk::Failure(LOTSE_CANCELLED, "the plugin is being stopped");
  co_return Done{};
}

Co<Engine::Turn> Engine::turn(std::string key) {
  auto [it, first] = turns_.try_emplace(key);
  if (!first) {
    Callback<Done> mine([&](std::function<void(Done)> done) { it->second.push_back(std::move(done)); });
    co_await mine;
  }
  co_return Turn(*this, key);
}

void Engine::leave(const std::string& key) {
  auto it = turns_.find(key);
  if (it == turns_.end()) return;
  if (it->second.empty()) {
    turns_.erase(it);
    return;
  }
  auto next = std::move(it->second.front());
  it->second.pop_front();
  reactor.post([next] { next(Done{}); });
}

void Engine::add(const std::shared_ptr<sdk::Producer>& producer, std::function<void()> end) {
  entered();
  producers_.emplace(producer.get(), std::move(end));
  if (stopping_) {
    auto stop = std::move(producers_.at(producer.get()));
    producers_.erase(producer.get());
    stop();
  }
}

void Engine::remove(const sdk::Producer* producer) {
  producers_.erase(producer);
  left();
}

sdk::Producer::Executor Engine::executor() {
  return [this](std::function<void()> fn) { reactor.post(std::move(fn)); };
}

void Engine::note_oom(const std::string& id) {
  if (!oom_.insert(id).second) return;
  oom_order_.push_back(id);
  if (oom_order_.size() <= kOomMax) return;
  oom_.erase(oom_order_.front());
  oom_order_.pop_front();
}

void Engine::forget_oom(const std::string& id) {
  if (oom_.erase(id) != 0) oom_order_.remove(id);
}

std::string Engine::fresh_name(const char* what) {
  static std::atomic<uint64_t> count{0};
  return std::string("lotse-") + what + "-" + std::to_string(getpid()) + "-" + std::to_string(Reactor::unix_now_ns()) +
         "-" + std::to_string(++count);
}

Co<Done> Engine::install_cni(std::string directory, int64_t deadline_ns) {
  const std::string& target = settings.cni_conf_dir;
  if (directory.empty() || target.empty() || directory == target) co_return Done{};
  // containerd takes the first list of its directory by name, and so do we.
  std::set<std::string> names;
  if (DIR* dir = opendir(directory.c_str())) {
    while (dirent* entry = readdir(dir)) {
      std::string name = entry->d_name;
      if (name.ends_with(".conflist")) names.insert(name);
    }
    closedir(dir);
  }
  if (names.empty()) throw sdk::Failure(LOTSE_UNAVAILABLE, "there is no CNI list in " + directory + " yet");
  auto wanted = read_small_file(directory + "/" + *names.begin());
  if (!wanted) throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot read the CNI list in " + directory);
  if (*wanted == cni_installed_) co_return Done{};
  std::string path = target + "/10-lotse.conflist";
  mkdir(target.c_str(), 0700);
  if (read_small_file(path) != wanted && !replace_file(path, *wanted)) {
    throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot write " + path);
  }
  // containerd notices the file by inotify and tells in its verbose status what it has loaded.
  cri::StatusRequest verbose;
  verbose.set_verbose(true);
  for (int64_t delay = kMs; Reactor::now_ns() < deadline_ns; delay = std::min(delay * 2, 100 * kMs)) {
    auto status = co_await call<cri::StatusResponse>(method::kStatus, verbose, deadline_ns);
    auto config = status.info().find("cniconfig");
    Json networks = Json::parse(config == status.info().end() ? "" : config->second)["Networks"];
    for (auto& network : networks.items()) {
      if (network["Config"]["Source"].text() != *wanted) continue;
      cni_installed_ = *wanted;
      co_return Done{};
    }
    co_await sleep(delay);
  }
  throw sdk::Failure(LOTSE_UNAVAILABLE, "containerd has not loaded " + path + " yet");
}

}  // namespace lotse::runtime_containerd
