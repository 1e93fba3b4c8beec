// cri_bench SOCKET IMAGE CGROUP_PARENT N: what `runtime_drive bench` does, with the calls to CRI alone.
#include <algorithm>
#include <cstdio>

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

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) return fprintf(stderr, "cri_bench SOCKET IMAGE CGROUP_PARENT N\n"), 2;
  Reactor reactor;
  GrpcClient grpc(reactor, argv[1]);
  ContainerdClient client(reactor, grpc);
  reactor.start();
  std::vector<double> up, down;
  for (int i = 0; i < atoi(argv[4]); i++) {
    int64_t began = Reactor::now_ns();
    auto run = pod("direct" + std::to_string(i), argv[3]);
    cri::CreateContainerRequest create;
    create.set_pod_sandbox_id(
        client.wait<cri::RunPodSandboxResponse>(method::kRunPodSandbox, run).take().pod_sandbox_id());
    *create.mutable_sandbox_config() = run.config();
    create.mutable_config()->mutable_metadata()->set_name("main");
    create.mutable_config()->mutable_image()->set_image(argv[2]);
    create.mutable_config()->add_command("sleep");
    create.mutable_config()->add_args("1000");
    cri::ContainerIdRequest id;
    id.set_container_id(
        client.wait<cri::CreateContainerResponse>(method::kCreateContainer, create).take().container_id());
    client.wait<cri::Empty>(method::kStartContainer, id).take();
    cri::ContainerStatusRequest query;
    query.set_container_id(id.container_id());
    client.wait<cri::ContainerStatusResponse>(method::kContainerStatus, query).take();
    int64_t running = Reactor::now_ns();
    cri::StopContainerRequest stop;
    stop.set_container_id(id.container_id());
    client.wait<cri::Empty>(method::kStopContainer, stop).take();
    client.wait<cri::Empty>(method::kRemoveContainer, id).take();
    cri::PodSandboxIdRequest sandbox;
    sandbox.set_pod_sandbox_id(create.pod_sandbox_id());
    client.wait<cri::Empty>(method::kStopPodSandbox, sandbox).take();
    client.wait<cri::Empty>(method::kRemovePodSandbox, sandbox).take();
    up.push_back(static_cast<double>(running - began) / 1e6);
    down.push_back(static_cast<double>(Reactor::now_ns() - running) / 1e6);
  }
  printf("direct up_ms %.1f down_ms %.1f\n", median(up), median(down));
  reactor.run([&] { grpc.close(); });
  reactor.stop();
  return 0;
} catch (const std::exception& error) {
  fprintf(stderr, "%s\n", error.what());
  return 1;
}
