// cri_bench SOCKET IMAGE CGROUP_PARENT N [at-once]: what `runtime_drive bench` does, with the calls to CRI alone; or N pods at
// the same time.
#include <algorithm>
#include <cstdio>
#include <future>

#include "lotse/runtime_containerd/cri.pb.h"
#include "plugins/runtime_containerd/containerd_client.h"

using namespace lotse::runtime_containerd;

namespace {

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

cri::RunPodSandboxRequest pod(const std::string& name, const std::string& cgroup) {
  cri::RunPodSandboxRequest run;
  auto& config = *run.mutable_config();
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_uid("uid-" + name);
  config.mutable_metadata()->set_namespace_("cri-bench");
  config.set_hostname(name);
  config.mutable_linux()->set_cgroup_parent(cgroup);
  return run;
}

struct Pod {
  cri::RunPodSandboxRequest run;
  cri::ContainerIdRequest container;
  cri::PodSandboxIdRequest sandbox;
};

Pod make(ContainerdClient& client, char** words, const std::string& name) {
  Pod out;
  out.run = pod(name, words[3]);
  cri::CreateContainerRequest create;
  create.set_pod_sandbox_id(
      client.wait<cri::RunPodSandboxResponse>(method::kRunPodSandbox, out.run).take().pod_sandbox_id());
  *create.mutable_sandbox_config() = out.run.config();
  create.mutable_config()->mutable_metadata()->set_name("main");
  create.mutable_config()->mutable_image()->set_image(words[2]);
  create.mutable_config()->add_command("sleep");
  create.mutable_config()->add_args("1000");
  out.container.set_container_id(
      client.wait<cri::CreateContainerResponse>(method::kCreateContainer, create).take().container_id());
  client.wait<cri::Empty>(method::kStartContainer, out.container).take();
  cri::ContainerStatusRequest query;
  query.set_container_id(out.container.container_id());
  client.wait<cri::ContainerStatusResponse>(method::kContainerStatus, query).take();
  out.sandbox.set_pod_sandbox_id(create.pod_sandbox_id());
  return out;
}

void unmake(ContainerdClient& client, const Pod& pod) {
  cri::StopContainerRequest stop;
  stop.set_container_id(pod.container.container_id());
  client.wait<cri::Empty>(method::kStopContainer, stop).take();
  client.wait<cri::Empty>(method::kRemoveContainer, pod.container).take();
  client.wait<cri::Empty>(method::kStopPodSandbox, pod.sandbox).take();
  client.wait<cri::Empty>(method::kRemovePodSandbox, pod.sandbox).take();
}

// Milliseconds from the first call until the last one runs.
double at_once(ContainerdClient& client, char** words, int count) {
  int64_t began = Reactor::now_ns();
  std::vector<std::future<Pod>> making;
  for (int i = 0; i < count; i++) {
    making.push_back(std::async(std::launch::async, [&client, words, i] { return make(client, words, "once" + std::to_string(i)); }));
  }
  std::vector<Pod> made;
  for (auto& one : making) made.push_back(one.get());
  double took = static_cast<double>(Reactor::now_ns() - began) / 1e6;
  for (auto& one : made) unmake(client, one);
  return took;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) return fprintf(stderr, "cri_bench SOCKET IMAGE CGROUP_PARENT N [at-once]\n"), 2;
  Reactor reactor;
  GrpcClient grpc(reactor, argv[1]);
  ContainerdClient client(reactor, grpc);
  reactor.start();
  int count = atoi(argv[4]);
  if (argc > 5) {
    printf("direct at_once_ms %.1f\n", at_once(client, argv, count));
  } else {
    std::vector<double> up, down;
    for (int i = 0; i < count; i++) {
      int64_t began = Reactor::now_ns();
      Pod made = make(client, argv, "direct" + std::to_string(i));
      int64_t running = Reactor::now_ns();
      unmake(client, made);
      up.push_back(static_cast<double>(running - began) / 1e6);
      down.push_back(static_cast<double>(Reactor::now_ns() - running) / 1e6);
    }
    printf("direct up_ms %.1f down_ms %.1f\n", median(up), median(down));
  }
  reactor.run([&] { grpc.close(); });
  reactor.stop();
  return 0;
} catch (const std::exception& error) {
  fprintf(stderr, "%s\n", error.what());
  return 1;
}
