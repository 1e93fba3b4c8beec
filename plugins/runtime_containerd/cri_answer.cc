#include "plugins/runtime_containerd/cri_answer.h"

#include "plugins/container_engine/json.h"
#include "plugins/runtime_containerd/cri_request.h"

namespace lotse::runtime_containerd {
namespace {

using Texts = google::protobuf::Map<std::string, std::string>;

Msg open_entries(const Texts& texts) {
  Msg out = Msg::map();
  for (auto& [key, value] : texts) {
    if (key.rfind(mark::kPrefix, 0) != 0) out.set(key, value);
  }
  return out;
}

std::string find(const Texts& texts, const char* key) {
  auto it = texts.find(key);
  return it == texts.end() ? std::string() : it->second;
}

template <class Sandbox>
Msg sandbox_facts(const Sandbox& sandbox, uint32_t pid) {
  Msg out = Msg::map({{"id", sandbox.id()},
                      {"uid", sandbox.metadata().uid()},
                      {"namespace", sandbox.metadata().namespace_()},
                      {"name", sandbox.metadata().name()},
                      {"attempt", sandbox.metadata().attempt()},
                      {"state", sandbox.state() == cri::SANDBOX_READY ? "ready" : "notready"},
                      {"created", sandbox.created_at()},
                      {"labels", open_entries(sandbox.labels())},
                      {"annotations", open_entries(sandbox.annotations())}});
  if (pid != 0) out.set("pid", pid);
  return out;
}

const char* state_name(cri::ContainerState state) {
  switch (state) {
    case cri::CONTAINER_CREATED:
      return "created";
    case cri::CONTAINER_RUNNING:
      return "running";
    case cri::CONTAINER_EXITED:
      return "exited";
    default:
      return "unknown";
  }
}

Msg resources_answer(const cri::LinuxContainerResources& r) {
  return Msg::map({{"cpu_shares", r.cpu_shares()},
                   {"cpu_quota_us", r.cpu_quota()},
                   {"cpu_period_us", r.cpu_period()},
                   {"memory_bytes", r.memory_limit_in_bytes()},
                   {"oom_score_adj", r.oom_score_adj()},
                   {"cpuset_cpus", r.cpuset_cpus()}});
}

}  // namespace

Msg sandbox_answer(const cri::PodSandboxStatus& status, uint32_t pid, const std::string& netns) {
  Msg out = sandbox_facts(status, pid);
  Msg ips = Msg::array();
  if (!status.network().ip().empty()) ips.push(status.network().ip());
  for (auto& more : status.network().additional_ips()) ips.push(more.ip());
  out.set("ips", std::move(ips));
  if (!netns.empty()) out.set("netns", netns);
  return out;
}

Msg sandbox_answer(const cri::PodSandbox& sandbox, uint32_t pid) {
  return sandbox_facts(sandbox, pid);
}

Msg container_answer(const cri::ContainerStatus& status, uint32_t pid) {
  // CRI notes the start when the start call returns; a process may have ended by then.
  int64_t finished = status.finished_at() != 0 ? std::max(status.finished_at(), status.started_at()) : 0;
  std::string image = find(status.annotations(), mark::kImage);
  Msg out = Msg::map({{"id", status.id()},
                      {"sandbox", find(status.labels(), mark::kSandbox)},
                      {"name", status.metadata().name()},
                      {"attempt", status.metadata().attempt()},
                      {"state", state_name(status.state())},
                      {"created", status.created_at()},
                      {"started", status.started_at()},
                      {"finished", finished},
                      {"exit_code", status.exit_code()},
                      {"image", image.empty() ? status.image().image() : image},
                      {"image_id", status.image_id().empty() ? status.image_ref() : status.image_id()},
                      {"log_path", status.log_path()},
                      {"labels", open_entries(status.labels())},
                      {"annotations", open_entries(status.annotations())}});
  if (!status.reason().empty()) out.set("reason", status.reason());
  if (!status.message().empty()) out.set("message", status.message());
  if (pid != 0) out.set("pid", pid);
  if (status.resources().has_linux()) out.set("resources", resources_answer(status.resources().linux()));
  if (status.user().has_linux()) {
    Msg groups = Msg::array();
    for (int64_t group : status.user().linux().supplemental_groups()) groups.push(group);
    out.set("user", Msg::map({{"uid", status.user().linux().uid()},
                              {"gid", status.user().linux().gid()},
                              {"groups", std::move(groups)}}));
  }
  return out;
}

Msg stats_answer(const cri::ContainerStats& stats) {
  Msg out = Msg::map({{"id", stats.attributes().id()},
                      {"sandbox", find(stats.attributes().labels(), mark::kSandbox)},
                      {"time", stats.cpu().timestamp()},
                      {"cpu_ns", stats.cpu().usage_core_nano_seconds().value()},
                      {"memory_bytes", stats.memory().working_set_bytes().value()}});
  if (stats.memory().has_usage_bytes()) out.set("memory_usage_bytes", stats.memory().usage_bytes().value());
  if (stats.memory().has_rss_bytes()) out.set("rss_bytes", stats.memory().rss_bytes().value());
  if (stats.writable_layer().has_used_bytes()) out.set("disk_bytes", stats.writable_layer().used_bytes().value());
  if (stats.writable_layer().has_inodes_used()) out.set("inodes", stats.writable_layer().inodes_used().value());
  return out;
}

Msg image_answer(const cri::Image& image) {
  Msg names = Msg::array(), digests = Msg::array();
  for (auto& name : image.repo_tags()) names.push(name);
  for (auto& digest : image.repo_digests()) digests.push(digest);
  Msg out = Msg::map({{"id", image.id()},
                      {"names", std::move(names)},
                      {"digests", std::move(digests)},
                      {"bytes", image.size()},
                      {"pinned", image.pinned()}});
  if (image.has_uid()) out.set("user", std::to_string(image.uid().value()));
  if (!image.username().empty()) out.set("user", image.username());
  return out;
}

void add_image_details(Msg& answer, const std::string& info_json) {
  Json info = Json::parse(info_json);
  Json config = info["imageSpec"]["config"];
  if (auto signal = config["StopSignal"].text(); !signal.empty()) answer.set("stop_signal", signal);
  if (auto volumes = config["Volumes"].keys(); !volumes.empty()) answer.set("volumes", Msg::strings(volumes));
}

std::string netns_of(const std::string& info_json) {
  Json info = Json::parse(info_json);
  for (auto& space : info["runtimeSpec"]["linux"]["namespaces"].items()) {
    if (space["type"].text() == "network") return space["path"].text();
  }
  return {};
}

}  // namespace lotse::runtime_containerd
