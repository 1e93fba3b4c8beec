#include "core/api/quota_usage.h"

#include <set>

#include "core/schema/qos.h"

namespace lotse::api {
namespace {

constexpr std::string_view kByName[] = {"configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"};
constexpr std::string_view kStorageClass = ".storageclass.storage.k8s.io/";

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), name) != names.end(); }

// A resource of somebody's own: with a domain, and not kubernetes.io's.
bool is_extended(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && !name.substr(0, slash).ends_with("kubernetes.io") && !name.starts_with("requests.");
}

bool counted_for_pods(std::string_view name) {
  if (is_one_of(name, {"pods", "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu",
                       "limits.memory", "limits.ephemeral-storage"})) {
    return true;
  }
  if (name.starts_with("hugepages-") || name.starts_with("requests.hugepages-")) return true;
  return name.starts_with("requests.") && is_extended(name.substr(9));
}

// Pods that have ended use nothing but their place in the store.
bool uses_compute(const json::Value& pod, WallTime now) {
  const std::string_view phase = pod["status"]["phase"].str();
  if (phase == "Failed" || phase == "Succeeded") return false;
  const json::Value& m = pod["metadata"];
  if (!m["deletionTimestamp"].is_string() || !m["deletionGracePeriodSeconds"].is_integer()) return true;
  const auto due = parse_time(m["deletionTimestamp"].str());
  return !due.ok() || now <= *due + std::chrono::seconds(m["deletionGracePeriodSeconds"].integer());
}

void count_pod(const json::Value& pod, WallTime now, Amounts* used) {
  if (!uses_compute(pod, now)) return;
  (*used)["pods"] = whole_number(1);
  for (const auto& [name, amount] : pod_requests(pod)) {
    const bool native = is_one_of(name, {"cpu", "memory", "ephemeral-storage"}) || name.starts_with("hugepages-");
    if (native) (*used)[name] = amount;
    if (native || is_extended(name)) (*used)["requests." + name] = amount;
  }
  for (const auto& [name, amount] : pod_limits(pod)) {
    if (is_one_of(name, {"cpu", "memory", "ephemeral-storage"})) (*used)["limits." + name] = amount;
  }
}

void count_service(const json::Value& service, Amounts* used) {
  const json::Value& spec = service["spec"];
  const std::string_view type = spec["type"].str();
  int64_t ports = 0;
  if (type == "NodePort") ports = static_cast<int64_t>(spec["ports"].size());
  if (type == "LoadBalancer") {
    const bool all = spec["allocateLoadBalancerNodePorts"].boolean(true);
    for (const auto& p : spec["ports"].items()) ports += all || p["nodePort"].integer() != 0;
  }
  (*used)["services.nodeports"] = whole_number(ports);
  (*used)["services.loadbalancers"] = whole_number(type == "LoadBalancer");
}

void count_claim(const json::Value& claim, Amounts* used) {
  const Amounts requests = amounts_of(claim["spec"]["resources"]["requests"]);
  const auto storage = requests.find("storage");
  const std::string of_class(claim["spec"]["storageClassName"].str());
  if (!of_class.empty()) (*used)[of_class + std::string(kStorageClass) + "persistentvolumeclaims"] = whole_number(1);
  if (storage == requests.end()) return;
  (*used)["requests.storage"] = storage->second;
  if (!of_class.empty()) (*used)[of_class + std::string(kStorageClass) + "requests.storage"] = storage->second;
}

bool has_cross_namespace_affinity(const json::Value& spec) {
  const auto crosses = [](const json::Value& term) { return !term["namespaces"].empty() || term["namespaceSelector"].is_object(); };
  for (const std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
    const json::Value& affinity = spec["affinity"][kind];
    for (const auto& t : affinity["requiredDuringSchedulingIgnoredDuringExecution"].items()) {
      if (crosses(t)) return true;
    }
    for (const auto& t : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
      if (crosses(t["podAffinityTerm"])) return true;
    }
  }
  return false;
}

bool in_priority_scope(const json::Value& e, const json::Value& spec) {
  const std::string_view op = e["operator"].str("Exists"), name = spec["priorityClassName"].str();
  if (op == "Exists") return !name.empty();
  if (op == "DoesNotExist") return name.empty();
  const auto& values = e["values"].items();
  const bool listed = std::any_of(values.begin(), values.end(), [&](const json::Value& v) { return v.str() == name; });
  return op == "In" ? listed : op == "NotIn" && !listed;
}

bool in_scope(const json::Value& e, const json::Value& pod) {
  const std::string_view scope = e["scopeName"].str();
  const json::Value& spec = pod["spec"];
  const bool terminating = spec["activeDeadlineSeconds"].is_integer();
  if (scope == "Terminating") return terminating;
  if (scope == "NotTerminating") return !terminating;
  if (scope == "BestEffort") return schema::qos_class(pod) == "BestEffort";
  if (scope == "NotBestEffort") return schema::qos_class(pod) != "BestEffort";
  if (scope == "PriorityClass") return in_priority_scope(e, spec);
  if (scope == "CrossNamespacePodAffinity") return has_cross_namespace_affinity(spec);
  return false;
}

bool scopes_fit(const json::Value& quota, std::string_view stored, const json::Value& object) {
  const auto& scopes = quota["spec"]["scopes"].items();
  const auto& selectors = quota["spec"]["scopeSelector"]["matchExpressions"].items();
  if (stored != "pods") return scopes.empty() && selectors.empty();
  for (const auto& s : scopes) {
    if (!in_scope(json::Value::object({{"scopeName", s}, {"operator", "Exists"}}), object)) return false;
  }
  return std::all_of(selectors.begin(), selectors.end(), [&](const json::Value& e) { return in_scope(e, object); });
}

}  // namespace

bool counted_for(std::string_view stored, std::string_view name) {
  if (name.starts_with("count/")) return name.substr(6) == stored;
  if (stored == "pods") return counted_for_pods(name);
  if (stored == "services" && (name == "services.nodeports" || name == "services.loadbalancers")) return true;
  if (stored == "persistentvolumeclaims" && (name == "requests.storage" || name.find(kStorageClass) != std::string_view::npos)) return true;
  return name == stored && std::find(std::begin(kByName), std::end(kByName), stored) != std::end(kByName);
}

Amounts quota_usage(std::string_view stored, const json::Value& object, WallTime now) {
  Amounts used;
  used["count/" + std::string(stored)] = whole_number(1);
  if (stored == "pods") {
    count_pod(object, now, &used);
  } else if (counted_for(stored, stored)) {
    used[std::string(stored)] = whole_number(1);
  }
  if (stored == "services") count_service(object, &used);
  if (stored == "persistentvolumeclaims") count_claim(object, &used);
  return used;
}

bool quota_matches(const json::Value& quota, const json::Value& hard, std::string_view stored, const json::Value& object) {
  const auto& names = hard.members();
  if (std::none_of(names.begin(), names.end(), [&](auto& m) { return counted_for(stored, m.first); })) return false;
  return scopes_fit(quota, stored, object);
}

std::string missing_for_quota(std::string_view stored, const Amounts& hard, const json::Value& object) {
  if (stored != "pods") return {};
  std::map<std::string, std::set<std::string>> missing;
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const auto& c : object["spec"][list].items()) {
      for (const auto& [name, amount] : hard) {
        if (!is_one_of(name, {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})) continue;
        const bool limit = name.starts_with("limits.");
        const std::string_view resource = std::string_view(name).substr(name.find('.') + 1);
        if (object["spec"]["resources"][limit ? "limits" : "requests"].has(resource)) continue;
        if (!c["resources"][limit ? "limits" : "requests"].has(resource)) missing[name].emplace(c["name"].str());
      }
    }
  }
  std::string text;
  for (const auto& [name, containers] : missing) {
    std::string names;
    for (const auto& c : containers) names += (names.empty() ? "" : ",") + c;
    text += (text.empty() ? "must specify " : "; ") + name + " for: " + names;
  }
  return text;
}

Amounts masked(const Amounts& amounts, const Amounts& names) {
  Amounts out;
  for (const auto& [name, amount] : amounts) {
    if (names.contains(name)) out.emplace(name, amount);
  }
  return out;
}

}  // namespace lotse::api
