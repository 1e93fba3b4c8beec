// Engine: all that one instance of the plugin owns.
#pragma once
#include <string>

#include "plugins/container_engine/engine_core.h"
#include "plugins/container_engine/pull_source.h"
#include "plugins/container_engine/supervisor.h"
#include "plugins/runtime_containerd/containerd_client.h"
#include "plugins/runtime_containerd/cri_request.h"
#include "plugins/runtime_containerd/settings.h"

namespace lotse::runtime_containerd {

class Engine : public EngineCore {
 public:
  Engine(const sdk::Host& host, const sdk::Config& config);
  ~Engine() override;
  // [any] Ends every call and stream, then the thread. containerd runs on.
  void stop();

  // ---- steps that the functions share ----
  Co<Done> ready(int64_t deadline_ns) override;  // containerd is up, or throws
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

  // Lets the managed containerd know how the registry is reached. What an external one cannot be told: the end of a sentence.
  std::string trust(const PullSource& source);

  const Settings settings;
  GrpcClient grpc;
  ContainerdClient client;
  Supervisor supervisor;

 private:
  template <class Answer>
  static Co<Answer> taken(Co<Outcome<Answer>> step) {
    Outcome<Answer> outcome = co_await std::move(step);
    co_return std::move(outcome).take();
  }
  Daemon daemon();

  std::string cni_installed_;
};

}  // namespace lotse::runtime_containerd
