#include "plugins/container_engine/engine_core.h"

#include <unistd.h>

namespace lotse::container_engine {
namespace {

constexpr size_t kOomMax = 4096;

}  // namespace

EngineCore::EngineCore(const sdk::Host& h, const char* name) : host(h), reactor(name), name_(name) {}

void EngineCore::stop_core(const std::function<void()>& first, const std::function<void()>& then) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  reactor.run([&] {
    stopping_ = true;
    first();
    auto producers = std::move(producers_);
    producers_.clear();
    for (auto& [producer, end] : producers) end();
    then();
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

void EngineCore::entered() {
  std::lock_guard lock(mutex_);
  active_++;
}

void EngineCore::left() {
  std::lock_guard lock(mutex_);
  if (--active_ == 0) idle_.notify_all();
}

void EngineCore::serve(sdk::Call call, std::function<Co<Msg>(int64_t)> step) {
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
          call.fail_caught(name_.c_str());
        }
      }
      left();
    });
  });
}

void EngineCore::spawn_step(std::function<Co<Done>()> step) {
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

Co<Done> EngineCore::sleep(int64_t ns) {
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

Co<EngineCore::Turn> EngineCore::turn(std::string key) {
  auto [it, first] = turns_.try_emplace(key);
  if (!first) {
    Callback<Done> mine([&](std::function<void(Done)> done) { it->second.push_back(std::move(done)); });
    co_await mine;
  }
  co_return Turn(*this, key);
}

void EngineCore::leave(const std::string& key) {
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

void EngineCore::add(const std::shared_ptr<sdk::Producer>& producer, std::function<void()> end) {
  entered();
  producers_.emplace(producer.get(), std::move(end));
  if (stopping_) {
    auto stop = std::move(producers_.at(producer.get()));
    producers_.erase(producer.get());
    stop();
  }
}

void EngineCore::remove(const sdk::Producer* producer) {
  producers_.erase(producer);
  left();
}

sdk::Producer::Executor EngineCore::executor() {
  return [this](std::function<void()> fn) { reactor.post(std::move(fn)); };
}

void EngineCore::note_oom(const std::string& id) {
  if (!oom_.insert(id).second) return;
  oom_order_.push_back(id);
  if (oom_order_.size() <= kOomMax) return;
  oom_.erase(oom_order_.front());
  oom_order_.pop_front();
}

void EngineCore::forget_oom(const std::string& id) {
  if (oom_.erase(id) != 0) oom_order_.remove(id);
}

std::string EngineCore::fresh_name(const char* what) {
  static std::atomic<uint64_t> count{0};
  return std::string("lotse-") + what + "-" + std::to_string(getpid()) + "-" + std::to_string(Reactor::unix_now_ns()) +
         "-" + std::to_string(++count);
}

}  // namespace lotse::container_engine
