// The Node object and its status, from the facts. Pure.
#include "core/agent/node_status.h"

namespace lotse::agent {
namespace {

json::Value quantities(const std::map<std::string, std::string>& map) {
  auto out = json::Value::object();
  for (const auto& [name, value] : map) out.set(name, value);
  return out;
}

json::Value addresses(const Config& config) {
  auto list = json::Value::array();
  for (const auto& ip : config.node_ips) list.push(json::Value::object({{"type", "InternalIP"}, {"address", ip}}));
  list.push(json::Value::object(
      {{"type", "Hostname"}, {"address", config.hostname.empty() ? config.node_name : config.hostname}}));
  return list;
}

json::Value node_info(const Config& config, const NodeState& s) {
  return json::Value::object(
      {{"machineID", s.facts.machine_id},
       {"systemUUID", s.facts.system_uuid},
       {"bootID", s.facts.boot_id},
       {"kernelVersion", s.facts.kernel},
       {"osImage", s.facts.os_image},
       {"containerRuntimeVersion", s.runtime_name.empty() ? "" : s.runtime_name + "://" + s.runtime_version},
       {"kubeletVersion", config.version},
       {"kubeProxyVersion", config.version},
       {"operatingSystem", "linux"},
       {"architecture", s.facts.arch}});
}

json::Value images(const NodeState& s) {
  auto list = json::Value::array();
  for (const auto& image : s.images) {
    auto names = json::Value::array();
    for (const auto& n : image["digests"].items()) names.push(n.as_text());
    for (const auto& n : image["names"].items()) names.push(n.as_text());
    list.push(json::Value::object({{"names", std::move(names)}, {"sizeBytes", image["bytes"].as_int()}}));
  }
  return list;
}

struct Condition {
  std::string type;
  bool on;
  std::string reason, message;
};

std::vector<Condition> conditions(const NodeState& s) {
  auto pressure = [](const char* type, bool on, const char* what, const std::string& yes, const std::string& no) {
    return Condition{
        type, on, on ? yes : no,
        std::string("kubelet has ") + (on ? "" : "sufficient ") + what + (on ? " pressure" : " available")};
  };
  std::vector<Condition> out;
  out.push_back(pressure("MemoryPressure", s.memory_pressure, "memory", "KubeletHasInsufficientMemory",
                         "KubeletHasSufficientMemory"));
  out.push_back(
      pressure("DiskPressure", s.disk_pressure, "disk space", "KubeletHasDiskPressure", "KubeletHasNoDiskPressure"));
  out.push_back(pressure("PIDPressure", s.pid_pressure, "PID", "KubeletHasInsufficientPID", "KubeletHasSufficientPID"));
  std::string why;
  for (const auto* part : {&s.runtime, &s.network}) {
    if (!part->ok())
      why += (why.empty() ? "" : "; ") +
             std::string(part == &s.runtime ? "container runtime is not ready: " : "container network is not ready: ") +
             part->message;
  }
  out.push_back(why.empty() ? Condition{"Ready", true, "KubeletReady", "kubelet is posting ready status"}
                            : Condition{"Ready", false, "KubeletNotReady", why});
  for (const auto& [id, fault] : s.faults) out.push_back({"Fault-" + id, true, fault.reason, fault.message});
  return out;
}

const json::Value& find(const json::Value& list, std::string_view type) {
  static const json::Value none;
  for (const auto& c : list.items()) {
    if (c["type"].str() == type) return c;
  }
  return none;
}

bool same_set(const json::Value& a, const json::Value& b) {
  return a.size() == b.size() && std::all_of(a.items().begin(), a.items().end(), [&](const json::Value& item) {
    return std::find(b.items().begin(), b.items().end(), item) != b.items().end();
  });
}

// Conditions to send; *differs if any says something else than before.
json::Value condition_list(const NodeState& s, const json::Value& have, WallTime now, bool* differs) {
  auto list = json::Value::array();
  auto write = [&](const Condition& c) {
    const auto& old = find(have, c.type);
    bool same = old["status"].str() == (c.on ? "True" : "False");
    if (!same || old["reason"].str() != c.reason || old["message"].str() != c.message) *differs = true;
    std::string since =
        same && old["lastTransitionTime"].is_string() ? std::string(old["lastTransitionTime"].str()) : format_time(now);
    list.push(json::Value::object({{"type", c.type},
                                   {"status", c.on ? "True" : "False"},
                                   {"reason", c.reason},
                                   {"message", c.message},
                                   {"lastHeartbeatTime", format_time(now)},
                                   {"lastTransitionTime", since}}));
  };
  for (const auto& c : conditions(s)) write(c);
  for (const auto& old : have.items()) {
    auto type = old["type"].str();
    if (type.starts_with("Fault-") && find(list, type).is_null() && old["status"].str() == "True") {
      write({std::string(type), false, "Cleared", "it is over"});
    }
  }
  return list;
}

}  // namespace

json::Value make_node(const Config& config, const NodeState& s) {
  auto host = config.hostname.empty() ? config.node_name : config.hostname;
  auto labels = json::Value::object({{"kubernetes.io/hostname", host},
                                     {"kubernetes.io/os", "linux"},
                                     {"kubernetes.io/arch", s.facts.arch},
                                     {"beta.kubernetes.io/os", "linux"},
                                     {"beta.kubernetes.io/arch", s.facts.arch}});
  for (const auto& [k, v] : config.labels) labels.set(k, v);
  auto node = json::Value::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  node.set("metadata",
           json::Value::object(
               {{"name", config.node_name},
                {"labels", std::move(labels)},
                {"annotations",
                 json::Value::object({{"volumes.kubernetes.io/controller-managed-attach-detach", "true"}})}}));
  auto taints = json::Value::array();
  for (const auto& t : config.taints) {
    auto taint = json::Value::object({{"key", t.key}, {"effect", t.effect}});
    if (!t.value.empty()) taint.set("value", t.value);
    taints.push(std::move(taint));
  }
  node.set("spec", json::Value::object());
  if (!taints.empty()) node["spec"].set("taints", std::move(taints));
  auto patch = node_status_patch(config, s, json::Value::object(), WallTime{}, true);
  node.set("status", patch["status"]);
  return node;
}

json::Value node_status_patch(const Config& config, const NodeState& s, const json::Value& node, WallTime now,
                              bool heartbeat) {
  const auto& have = node["status"];
  auto status = json::Value::object();
  bool differs = false;
  auto put = [&](const char* key, json::Value value) {
    if (have[key] == value) return;
    differs = true;
    status.set(key, std::move(value));
  };
  put("capacity", quantities(s.capacity));
  put("allocatable", quantities(s.allocatable));
  put("nodeInfo", node_info(config, s));
  if (!same_set(have["addresses"], addresses(config))) put("addresses", addresses(config));
  if (status.has("addresses") && !have["addresses"].empty())
    status["addresses"].push(json::Value::object({{"$patch", "replace"}}));
  if (!s.images.empty()) put("images", images(s));
  auto list = condition_list(s, have["conditions"], now, &differs);
  if (!differs && !heartbeat) return nullptr;
  if (now != WallTime{}) status.set("conditions", std::move(list));
  return json::Value::object({{"status", std::move(status)}});
}

}  // namespace lotse::agent
