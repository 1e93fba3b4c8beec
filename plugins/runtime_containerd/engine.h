// Engine: all that one instance of the plugin owns, and the steps its functions are made of.
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
#include "plugins/runtime_containerd/containerd_client.h"
#include "plugins/runtime_containerd/cri_request.h"
#include "plugins/runtime_containerd/settings.h"
#include "plugins/runtime_containerd/supervisor.h"

namespace lotse::runtime_containerd {

class Engine {
 public:
  Engine(const sdk::Host& host, const sdk::Config& config);
  ~Engine();
  // [any] Ends every call and stream, then the thread. containerd runs on.
  void stop();

  // [any] Runs a step on the reactor; its value answers the call, and so does what it throws.
  void serve(sdk::Call call, std::function<Co<Msg>(int64_t deadline_ns)> step);
  // The same for a step that nobody waits for.
  void spawn_step(std::function<Co<Done>()> step);

  // ---- steps that the functions share ----
  Co<Done> ready(int64_t deadline_ns);  // containerd is up, or throws
  Co<Done> sleep(int64_t ns);           // at once when the engine stops
  template <class Answer>
  Co<Answer> call(const char* method, const google::protobuf::MessageLite& request, int64_t deadline_ns) {
    return taken<Answer>(client.call<Answer>(method, request, {deadline_ns, {}}));
  }
  // Does not throw for an outcome that the caller wants to look at.
  template <class Answer>
  Co<Outcome<Answer>> try_call(const char* method, const google::protobuf::MessageLite& request, int64_t deadline_ns) {
    return client.call<Answer>(method, request, {deadline_ns, {}});
  }
  // Copies the CNI list of `directory` to where containerd looks for it, and waits until it has loaded it.
  Co<Done> install_cni(std::string directory, int64_t deadline_ns);

  // Two calls that create the same thing: the second waits for the first. Held as long as the Turn lives.
  class Turn {
   public:
    Turn(Engine& engine, std::string key) : engine_(&engine), key_(std::move(key)) {}
    Turn(Turn&& o) noexcept : engine_(std::exchange(o.engine_, nullptr)), key_(std::move(o.key_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (engine_ != nullptr) engine_->leave(key_);
    }

   private:
    Engine* engine_;
    std::string key_;
  };
  Co<Turn> turn(std::string key);

  // Streams that are open. Ended by stop().
  void add(const std::shared_ptr<sdk::Producer>& producer, std::function<void()> end);
  void remove(const sdk::Producer* producer);
  sdk::Producer::Executor executor();

  // Containers of which containerd has said that they ran out of memory. Bounded.
  void note_oom(const std::string& id);
  bool was_oom(const std::string& id) const { return oom_.count(id) != 0; }
  void forget_oom(const std::string& id);

  // [any] A name that nothing else of this process has.
  std::string fresh_name(const char* what);

  const sdk::Host host;
  const Settings settings;
  Reactor reactor;
  GrpcClient grpc;
  ContainerdClient client;
  Supervisor supervisor;

 private:
  template <class Answer>
  static Co<Answer> taken(Co<Outcome<Answer>> step) {
    Outcome<Answer> outcome = co_await std::move(step);
    co_return std::move(outcome).take();
  }
  void leave(const std::string& key);
  void entered();
  void left();

  bool stopping_ = false;
  std::map<std::string, std::list<std::function<void(Done)>>> turns_;
  std::map<uint64_t, std::function<void(Done)>> sleepers_;
  std::map<const sdk::Producer*, std::function<void()>> producers_;
  std::set<std::string> oom_;
  std::list<std::string> oom_order_;
  std::string cni_installed_;

  std::mutex mutex_;  // guards active_ and closed_
  std::condition_variable idle_;
  int active_ = 0;
  bool closed_ = false;
};

// How long a call may take that came without a deadline.
inline constexpr int64_t kCallTimeoutNs = 120'000'000'000;

}  // namespace lotse::runtime_containerd
