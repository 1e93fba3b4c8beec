// Containers: CRI's, with the idempotence that the ABI asks for.
#include <signal.h>

#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/container_engine/signal_name.h"
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/steps.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

Co<Outcome<cri::ContainerStatusResponse>> try_status(Engine& engine, std::string id, int64_t deadline) {
  cri::ContainerStatusRequest request;
  request.set_container_id(id);
  return engine.try_call<cri::ContainerStatusResponse>(method::kContainerStatus, request, deadline);
}

// CRI may give the reason of a container that ran out of memory as "Error": the event can come after the exit.
void note_reason(const Engine& engine, cri::ContainerStatus& status) {
  if (status.state() == cri::CONTAINER_EXITED && status.exit_code() == 128 + SIGKILL && engine.was_oom(status.id())) {
    status.set_reason("OOMKilled");
  }
}

Co<cri::ListContainersResponse> list(Engine& engine, cri::ContainerFilter filter, int64_t deadline) {
  cri::ListContainersRequest request;
  *request.mutable_filter() = std::move(filter);
  (*request.mutable_filter()->mutable_label_selector())[mark::kOwner] = engine.settings.machine.owner;
  co_return co_await engine.call<cri::ListContainersResponse>(method::kListContainers, request, deadline);
}

Co<std::string> find(Engine& engine, std::string sandbox, cri::ContainerMetadata metadata, int64_t deadline) {
  cri::ContainerFilter filter;
  filter.set_pod_sandbox_id(sandbox);
  (*filter.mutable_label_selector())[mark::kName] = metadata.name();
  auto found = co_await list(engine, std::move(filter), deadline);
  for (auto& container : found.containers()) {
    if (container.metadata().attempt() == metadata.attempt()) co_return container.id();
  }
  co_return std::string();
}

bool has_run(const Outcome<cri::ContainerStatusResponse>& status) {
  return status.ok() && status->status().started_at() != 0;
}

}  // namespace

Co<Msg> container_create_step(Engine& engine, Msg request, int64_t deadline) {
  std::string sandbox = need_text(request, "sandbox");
  co_await engine.ready(deadline);
  cri::PodSandboxStatusRequest which;
  which.set_pod_sandbox_id(sandbox);
  auto known = co_await engine.call<cri::PodSandboxStatusResponse>(method::kPodSandboxStatus, which, deadline);
  cri::CreateContainerRequest wanted = container_request(request, known.status(), engine.settings.machine);
  auto& metadata = wanted.config().metadata();
  auto turn =
      co_await engine.turn("container/" + sandbox + "/" + metadata.name() + "/" + std::to_string(metadata.attempt()));
  auto made = co_await engine.try_call<cri::CreateContainerResponse>(method::kCreateContainer, wanted, deadline);
  if (made.ok()) co_return Msg::map({{"id", made->container_id()}});
  std::string id;
  if (made.code() == LOTSE_EXISTS || made.failure().message.find("reserve") != std::string::npos) {
    id = co_await find(engine, sandbox, metadata, deadline);
  }
  if (id.empty()) made.failure().raise();
  co_return Msg::map({{"id", id}});
}

Co<Msg> container_start_step(Engine& engine, Msg request, int64_t deadline) {
  cri::ContainerIdRequest wanted;
  wanted.set_container_id(need_text(request, "id"));
  co_await engine.ready(deadline);
  auto turn = co_await engine.turn("start/" + wanted.container_id());
  auto started = co_await engine.try_call<cri::Empty>(method::kStartContainer, wanted, deadline);
  if (!started.ok()) {
    auto status = co_await try_status(engine, wanted.container_id(), deadline);
    // One that could not be started is "exited" too, with a start time of 0.
    if (!has_run(status)) started.failure().raise();
  }
  co_return Msg::map();
}

// The container's own stop signal, where the pod's specification names one; CRI of containerd 1.6 knows only the
// image's.
static Co<Done> stop_by_signal(Engine& engine, std::string id, int signal, int64_t timeout_ns, int64_t deadline) {
  ctrd::KillRequest kill;
  kill.set_container_id(id);
  kill.set_signal(static_cast<uint32_t>(signal));
  auto sent = co_await engine.try_call<ctrd::Empty>(method::kTaskKill, kill, deadline);
  if (!sent.ok()) co_return Done{};
  ctrd::ProcessRequest task;
  task.set_container_id(id);
  int64_t until = std::min(deadline, Reactor::now_ns() + timeout_ns);
  co_await engine.try_call<ctrd::WaitResponse>(method::kTaskWait, task, until);
  co_return Done{};
}

Co<Msg> container_stop_step(Engine& engine, Msg request, int64_t deadline) {
  cri::StopContainerRequest wanted;
  wanted.set_container_id(need_text(request, "id"));
  int64_t timeout = need_int(request, "timeout_ns", 0, INT64_MAX / 2);
  co_await engine.ready(deadline);
  auto status = co_await try_status(engine, wanted.container_id(), deadline);
  if (!status.ok() && status.code() == LOTSE_NOT_FOUND) co_return Msg::map();
  if (!status.ok()) status.failure().raise();
  // Not started yet: CRI's stop leaves it so, and so may we.
  if (status->status().state() == cri::CONTAINER_EXITED) co_return Msg::map();
  auto named = status->status().annotations().find(mark::kStopSignal);
  int signal = named == status->status().annotations().end() ? 0 : signal_number(named->second);
  if (signal != 0 && timeout > 0) {
    co_await stop_by_signal(engine, wanted.container_id(), signal, timeout, deadline);
    timeout = 0;
  }
  wanted.set_timeout((timeout + kSecond - 1) / kSecond);
  auto stopped = co_await engine.try_call<cri::Empty>(method::kStopContainer, wanted, deadline);
  if (!stopped.ok() && stopped.code() != LOTSE_NOT_FOUND) stopped.failure().raise();
  co_return Msg::map();
}

Co<Msg> container_remove_step(Engine& engine, Msg request, int64_t deadline) {
  cri::ContainerIdRequest wanted;
  wanted.set_container_id(need_text(request, "id"));
  co_await engine.ready(deadline);
  auto removed = co_await engine.try_call<cri::Empty>(method::kRemoveContainer, wanted, deadline);
  if (!removed.ok() && removed.code() != LOTSE_NOT_FOUND) removed.failure().raise();
  engine.forget_oom(wanted.container_id());
  co_return Msg::map();
}

Co<Msg> container_status_step(Engine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  auto answer = std::move(co_await try_status(engine, id, deadline)).take();
  auto& status = *answer.mutable_status();
  note_reason(engine, status);
  uint32_t pid = 0;
  if (status.state() == cri::CONTAINER_RUNNING) pid = co_await task_pid(engine, id, deadline);
  co_return container_answer(status, pid);
}

Co<Msg> container_list_step(Engine& engine, Msg request, int64_t deadline) {
  cri::ContainerFilter filter;
  filter.set_pod_sandbox_id(get_text(request, "sandbox"));
  co_await engine.ready(deadline);
  auto found = co_await list(engine, std::move(filter), deadline);
  auto pids = co_await task_pids(engine, deadline);
  Msg items = Msg::array();
  for (auto& container : found.containers()) {
    auto one = co_await try_status(engine, container.id(), deadline);
    if (!one.ok() && one.code() == LOTSE_NOT_FOUND) continue;
    if (!one.ok()) one.failure().raise();
    auto& status = *one->mutable_status();
    note_reason(engine, status);
    auto pid = pids.find(container.id());
    bool runs = status.state() == cri::CONTAINER_RUNNING && pid != pids.end();
    items.push(container_answer(status, runs ? pid->second : 0));
  }
  co_return Msg::map({{"items", std::move(items)}});
}

Co<Msg> container_update_step(Engine& engine, Msg request, int64_t deadline) {
  cri::UpdateContainerResourcesRequest wanted;
  wanted.set_container_id(need_text(request, "id"));
  if (request["resources"].is_nil()) refuse("the key \"resources\" is missing");
  *wanted.mutable_linux() = resources_of(get_map(request, "resources"), engine.settings.machine);
  co_await engine.ready(deadline);
  co_await engine.call<cri::Empty>(method::kUpdateContainerResources, wanted, deadline);
  co_return Msg::map();
}

Co<Msg> container_stats_step(Engine& engine, Msg request, int64_t deadline) {
  cri::ListContainerStatsRequest wanted;
  wanted.mutable_filter()->set_id(get_text(request, "id"));
  wanted.mutable_filter()->set_pod_sandbox_id(get_text(request, "sandbox"));
  (*wanted.mutable_filter()->mutable_label_selector())[mark::kOwner] = engine.settings.machine.owner;
  co_await engine.ready(deadline);
  auto found = co_await engine.call<cri::ListContainerStatsResponse>(method::kListContainerStats, wanted, deadline);
  Msg items = Msg::array();
  for (auto& stats : found.stats()) items.push(stats_answer(stats));
  co_return Msg::map({{"items", std::move(items)}});
}

Co<Msg> container_reopen_log_step(Engine& engine, Msg request, int64_t deadline) {
  cri::ContainerIdRequest wanted;
  wanted.set_container_id(need_text(request, "id"));
  co_await engine.ready(deadline);
  co_await engine.call<cri::Empty>(method::kReopenContainerLog, wanted, deadline);
  co_return Msg::map();
}

}  // namespace lotse::runtime_containerd
