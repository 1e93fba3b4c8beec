// EngineCore: what every runtime plugin's engine is built on: the reactor, the calls and streams that run on it, and
// how both end.
//
// Threads: the reactor's, unless said otherwise. A step is a coroutine there and throws sdk::Failure.
#pragma once
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "lotse/call.hpp"
#include "lotse/stream.hpp"
#include "plugins/container_engine/co.h"
#include "plugins/container_engine/outcome.h"
#include "plugins/container_engine/reactor.h"
#include "plugins/container_engine/request.h"

namespace lotse::container_engine {

class EngineCore {
 public:
  // name: of the thread, and of the plugin in sentences.
  EngineCore(const sdk::Host& host, const char* name);
  virtual ~EngineCore() = default;

  // [any] Runs a step on the reactor; its value answers the call, and so does what it throws.
  void serve(sdk::Call call, std::function<Co<Msg>(int64_t deadline_ns)> step);
  // The same for a step that nobody waits for.
  void spawn_step(std::function<Co<Done>()> step);

  // ---- steps that the functions share ----
  virtual Co<Done> ready(int64_t deadline_ns) = 0;  // the runtime is up, or throws
  Co<Done> sleep(int64_t ns);                       // throws when the engine stops

  // Two calls that create the same thing: the second waits for the first. Held as long as the Turn lives.
  class Turn {
   public:
    Turn(EngineCore& engine, std::string key) : engine_(&engine), key_(std::move(key)) {}
    Turn(Turn&& o) noexcept : engine_(std::exchange(o.engine_, nullptr)), key_(std::move(o.key_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (engine_ != nullptr) engine_->leave(key_);
    }

   private:
    EngineCore* engine_;
    std::string key_;
  };
  Co<Turn> turn(std::string key);

  // Streams that are open. Ended by stop().
  void add(const std::shared_ptr<sdk::Producer>& producer, std::function<void()> end);
  void remove(const sdk::Producer* producer);
  sdk::Producer::Executor executor();

  // Containers of which the runtime has said that they ran out of memory. Bounded.
  void note_oom(const std::string& id);
  bool was_oom(const std::string& id) const { return oom_.count(id) != 0; }
  void forget_oom(const std::string& id);

  // [any] A name that nothing else of this process has.
  std::string fresh_name(const char* what);

  bool stopping() const { return stopping_; }

  const sdk::Host host;
  Reactor reactor;

 protected:
  // [any] Ends every call and stream, then the thread. `first` and `then` run on the reactor before and after the
  // streams are ended. The runtime runs on. Called by the destructor of who derives.
  void stop_core(const std::function<void()>& first, const std::function<void()>& then);

 private:
  void leave(const std::string& key);
  void entered();
  void left();

  const std::string name_;
  bool stopping_ = false;
  std::map<std::string, std::list<std::function<void(Done)>>> turns_;
  std::map<uint64_t, std::function<void(Done)>> sleepers_;
  std::map<const sdk::Producer*, std::function<void()>> producers_;
  std::set<std::string> oom_;
  std::list<std::string> oom_order_;

  std::mutex mutex_;  // guards active_ and closed_
  std::condition_variable idle_;
  int active_ = 0;
  bool closed_ = false;
};

// How long a call may take that came without a deadline.
inline constexpr int64_t kCallTimeoutNs = 120'000'000'000;

}  // namespace lotse::container_engine
