#include "core/agent/container_config.h"

#include "core/agent/resources.h"
#include "core/agent/sandbox_config.h"
#include "core/agent/security_context.h"

namespace lotse::agent {
namespace {

MsgValue words(const json::Value& list, const EnvironmentMap& env) {
  MsgValue::Array out;
  for (const auto& w : list.items()) out.push_back(expand(w.str(), env));
  return out;
}

// "..", "a/../b" and absolute paths are refused by the API already; here they must not even be tried.
bool stays_below(std::string_view path) {
  if (path.starts_with('/')) return false;
  while (!path.empty()) {
    auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return false;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return true;
}

Result<std::string> expand_strictly(std::string_view text, const EnvironmentMap& env) {
  auto out = expand(text, env);
  for (size_t at = out.find("$("); at != std::string::npos; at = out.find("$(", at + 1)) {
    if (out.find(')', at) != std::string::npos) {
      return Status(Reason::kInvalid, "subPathExpr \"" + std::string(text) + "\" names a variable that does not exist");
    }
  }
  return out;
}

const json::Value& volume_of(const json::Value& pod, std::string_view name) {
  static const json::Value none;
  for (const auto& v : pod["spec"]["volumes"].items()) {
    if (v["name"].str() == name) return v;
  }
  return none;
}

bool critical(const json::Value& pod) { return pod["spec"]["priority"].integer() >= 2000000000; }

MsgValue mount_list(const ContainerInput& in) {
  MsgValue::Array out;
  bool has_hosts = false;
  for (const auto& m : in.mounts) {
    has_hosts = has_hosts || m.target == "/etc/hosts";
    auto v = MsgValue::map({{"source", m.image.empty() ? m.source : m.image},
                            {"target", m.target},
                            {"read_only", m.read_only},
                            {"propagation", m.propagation}});
    if (m.recursive_read_only) v.set("recursive_read_only", true);
    if (!m.image.empty()) v.set("image", true);
    out.push_back(std::move(v));
  }
  if (in.config.hollow) return out;
  if (!has_hosts)
    out.push_back(MsgValue::map({{"source", in.dirs.hosts()}, {"target", "/etc/hosts"}, {"read_only", false}}));
  auto path = in.container["terminationMessagePath"].str("/dev/termination-log");
  if (!path.empty()) {
    out.push_back(
        MsgValue::map({{"source", in.dirs.termination_log(std::string(in.container["name"].str()), in.attempt)},
                       {"target", path},
                       {"read_only", false}}));
  }
  return out;
}

}  // namespace

Result<std::vector<MountPlan>> plan_mounts(const json::Value& pod, const json::Value& container,
                                           const std::map<std::string, std::string>& volumes, const Environment& env) {
  std::vector<MountPlan> out;
  EnvironmentMap map(env.begin(), env.end());
  for (const auto& m : container["volumeMounts"].items()) {
    MountPlan plan;
    plan.volume = std::string(m["name"].str());
    plan.target = std::string(m["mountPath"].str());
    if (!plan.target.starts_with('/')) plan.target = "/" + plan.target;
    plan.read_only = m["readOnly"].boolean();
    plan.recursive_read_only =
        plan.read_only && (m["recursiveReadOnly"].str() == "Enabled" || m["recursiveReadOnly"].str() == "IfPossible");
    plan.propagation = std::string(m["mountPropagation"].str("None"));
    plan.sub_path = std::string(m["subPath"].str());
    if (auto expr = m["subPathExpr"].str(); !expr.empty()) {
      LOTSE_TRY(plan.sub_path, expand_strictly(expr, map));
    }
    if (!stays_below(plan.sub_path))
      return Status(Reason::kInvalid, "subPath \"" + plan.sub_path + "\" leaves its volume");
    const auto& volume = volume_of(pod, plan.volume);
    if (volume.has("image")) {
      plan.image = std::string(volume["image"]["reference"].str());
      plan.read_only = true;
    } else {
      auto it = volumes.find(plan.volume);
      if (it == volumes.end()) return Status(Reason::kInvalid, "volume \"" + plan.volume + "\" is not mounted");
      plan.source = it->second;
      // What follows its source is ours to write.
      for (const char* kind : {"configMap", "secret", "downwardAPI", "projected"})
        plan.read_only = plan.read_only || volume.has(kind);
    }
    out.push_back(std::move(plan));
  }
  return out;
}

Result<MsgValue> container_request(const ContainerInput& in) {
  const auto& c = in.container;
  std::string name(c["name"].str());
  EnvironmentMap env(in.env.begin(), in.env.end());
  LOTSE_TRY(auto security, container_security(in.pod, c, in.image.user));
  auto labels = MsgValue::map({{std::string(kLabelPod), in.spec.name}, {std::string(kLabelNamespace), in.spec.ns},
                               {std::string(kLabelUid), in.spec.uid}, {std::string(kLabelContainer), name},
                               {std::string(kLabelNode), in.config.node_name}});
  MsgValue::Array env_list;
  for (const auto& [k, v] : in.env) env_list.push_back(MsgValue::array({k, v}));
  auto request = MsgValue::map({{"sandbox", in.sandbox},
                                {"name", name},
                                {"attempt", in.attempt},
                                {"image", in.image.id},
                                {"log_path", name + "/" + std::to_string(in.attempt) + ".log"},
                                {"stdin", c["stdin"].boolean()},
                                {"stdin_once", c["stdinOnce"].boolean()},
                                {"tty", c["tty"].boolean()},
                                {"cgroup_parent", in.cgroup_parent}});
  request.set("command", words(c["command"], env));
  request.set("args", words(c["args"], env));
  request.set("env", std::move(env_list));
  if (!c["workingDir"].str().empty()) request.set("working_dir", c["workingDir"].str());
  request.set("mounts", mount_list(in));
  request.set("labels", std::move(labels));
  request.set("annotations", MsgValue::map({{"io.kubernetes.container.restartCount", std::to_string(in.attempt)},
                                            {"lotse.io/image", c["image"].str()}}));
  auto resources = runtime_resources(c, in.spec.qos, in.node_memory, critical(in.pod), in.cgroup_files);
  request.set("resources", std::move(resources));
  request.set("security", std::move(security));
  if (auto signal = c["lifecycle"]["stopSignal"].str(); !signal.empty()) request.set("stop_signal", signal);
  return request;
}

}  // namespace lotse::agent
