// Sandboxes: CRI's, with the idempotence that the ABI asks for.
#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/steps.h"

namespace lotse::runtime_containerd {
namespace {

Co<cri::ListPodSandboxResponse> list(Engine& engine, std::string uid, int64_t deadline) {
  cri::ListPodSandboxRequest request;
  auto& labels = *request.mutable_filter()->mutable_label_selector();
  labels[mark::kOwner] = engine.settings.machine.owner;
  if (!uid.empty()) labels[mark::kUid] = uid;
  co_return co_await engine.call<cri::ListPodSandboxResponse>(method::kListPodSandbox, request, deadline);
}

// The sandbox with this metadata; empty: there is none.
Co<std::string> find(Engine& engine, cri::PodSandboxMetadata metadata, int64_t deadline) {
  auto found = co_await list(engine, metadata.uid(), deadline);
  for (auto& sandbox : found.items()) {
    if (sandbox.metadata().name() == metadata.name() && sandbox.metadata().namespace_() == metadata.namespace_() &&
        sandbox.metadata().attempt() == metadata.attempt()) {
      co_return sandbox.id();
    }
  }
  co_return std::string();
}

struct Described {
  cri::PodSandboxStatus status;
  std::string netns;
};

Co<Described> describe(Engine& engine, std::string id, int64_t deadline) {
  cri::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(id);
  request.set_verbose(true);
  auto answer = co_await engine.call<cri::PodSandboxStatusResponse>(method::kPodSandboxStatus, request, deadline);
  Described out;
  out.status = std::move(*answer.mutable_status());
  auto info = answer.info().find("info");
  if (info != answer.info().end()) out.netns = netns_of(info->second);
  co_return out;
}

// "name ... is reserved for ...": what containerd says of metadata that it has already.
bool is_reserved(const Failure& failure) {
  return failure.code == LOTSE_EXISTS || failure.message.find("reserve") != std::string::npos;
}

Co<Msg> by_id(Engine& engine, const char* method, Msg request, int64_t deadline) {
  cri::PodSandboxIdRequest wanted;
  wanted.set_pod_sandbox_id(need_text(request, "id"));
  co_await engine.ready(deadline);
  auto outcome = co_await engine.try_call<cri::Empty>(method, wanted, deadline);
  if (!outcome.ok() && outcome.code() != LOTSE_NOT_FOUND) outcome.failure().raise();
  co_return Msg::map();
}

}  // namespace

Co<Msg> sandbox_run_step(Engine& engine, Msg request, int64_t deadline) {
  cri::RunPodSandboxRequest wanted = sandbox_request(request, engine.settings.machine);
  std::string directory = get_text(request, "cni");
  co_await engine.ready(deadline);
  if (!get_bool(request, "host_network")) co_await engine.install_cni(directory, deadline);
  auto& metadata = wanted.config().metadata();
  auto turn = co_await engine.turn("sandbox/" + metadata.uid() + "/" + std::to_string(metadata.attempt()));
  auto made = co_await engine.try_call<cri::RunPodSandboxResponse>(method::kRunPodSandbox, wanted, deadline);
  std::string id;
  if (made.ok()) {
    id = made->pod_sandbox_id();
  } else {
    if (is_reserved(made.failure())) id = co_await find(engine, metadata, deadline);
    if (id.empty()) made.failure().raise();
  }
  Described sandbox = co_await describe(engine, id, deadline);
  Msg answer = Msg::map({{"id", id}});
  Msg facts = sandbox_answer(sandbox.status, 0, sandbox.netns);
  answer.set("ips", facts["ips"]);
  if (!sandbox.netns.empty()) answer.set("netns", sandbox.netns);
  co_return answer;
}

Co<Msg> sandbox_stop_step(Engine& engine, Msg request, int64_t deadline) {
  return by_id(engine, method::kStopPodSandbox, std::move(request), deadline);
}

Co<Msg> sandbox_remove_step(Engine& engine, Msg request, int64_t deadline) {
  return by_id(engine, method::kRemovePodSandbox, std::move(request), deadline);
}

Co<Msg> sandbox_status_step(Engine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  Described sandbox = co_await describe(engine, id, deadline);
  uint32_t pid = co_await task_pid(engine, id, deadline);
  co_return sandbox_answer(sandbox.status, pid, sandbox.netns);
}

Co<Msg> sandbox_list_step(Engine& engine, Msg request, int64_t deadline) {
  std::string uid = get_text(request, "uid");
  co_await engine.ready(deadline);
  auto found = co_await list(engine, uid, deadline);
  auto pids = co_await task_pids(engine, deadline);
  Msg items = Msg::array();
  for (auto& sandbox : found.items()) {
    // Addresses are only in the status; a sandbox that is gone meanwhile is no longer listed.
    cri::PodSandboxStatusRequest one;
    one.set_pod_sandbox_id(sandbox.id());
    auto status = co_await engine.try_call<cri::PodSandboxStatusResponse>(method::kPodSandboxStatus, one, deadline);
    if (!status.ok() && status.code() == LOTSE_NOT_FOUND) continue;
    if (!status.ok()) status.failure().raise();
    auto pid = pids.find(sandbox.id());
    items.push(sandbox_answer(status->status(), pid == pids.end() ? 0 : pid->second, ""));
  }
  co_return Msg::map({{"items", std::move(items)}});
}

Co<uint32_t> task_pid(Engine& engine, std::string id, int64_t deadline) {
  ctrd::ProcessRequest request;
  request.set_container_id(id);
  auto task = co_await engine.try_call<ctrd::GetTaskResponse>(method::kTaskGet, request, deadline);
  constexpr int kStopped = 3;
  co_return task.ok() && task->process().status() != kStopped ? task->process().pid() : 0;
}

Co<std::map<std::string, uint32_t>> task_pids(Engine& engine, int64_t deadline) {
  auto tasks = co_await engine.call<ctrd::ListTasksResponse>(method::kTaskList, ctrd::ListTasksRequest(), deadline);
  std::map<std::string, uint32_t> pids;
  constexpr int kStopped = 3;
  for (auto& task : tasks.tasks()) {
    // A task has its container's id here, and its own in `container_id` or not at all, as the version goes.
    if (task.status() != kStopped) pids[task.container_id().empty() ? task.id() : task.container_id()] = task.pid();
  }
  co_return pids;
}

}  // namespace lotse::runtime_containerd
