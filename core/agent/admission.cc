#include "core/agent/admission.h"

#include <charconv>
#include <set>

#include "core/agent/resources.h"
#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

using Requests = std::map<std::string, int64_t>;

void add_requests(const json::Value& container, Requests* out) {
  const auto& resources = container["resources"];
  std::set<std::string> names;
  for (const char* list : {"requests", "limits"}) {
    for (const auto& [name, value] : resources[list].members()) names.insert(name);
  }
  for (const auto& name : names) {
    const auto& v = resources["requests"].has(name) ? resources["requests"][name] : resources["limits"][name];
    auto q = Quantity::parse(v.is_number() ? v.number_text() : v.str());
    if (q.ok()) (*out)[name] += name == "cpu" ? q->milli() : q->value();
  }
}

Requests requests_of(const json::Value& pod) {
  Requests sum, sidecars, peak;
  for (const auto& c : pod["spec"]["initContainers"].items()) {
    Requests with = sidecars;
    add_requests(c, &with);
    if (c["restartPolicy"].str() == "Always") sidecars = with;
    for (const auto& [name, amount] : with) peak[name] = std::max(peak[name], amount);
  }
  sum = sidecars;
  for (const auto& c : pod["spec"]["containers"].items()) add_requests(c, &sum);
  for (const auto& [name, amount] : peak) sum[name] = std::max(sum[name], amount);
  auto pod_level = pod_amounts(pod);
  sum["cpu"] = pod_level.cpu_request_m;
  sum["memory"] = pod_level.memory_request;
  return sum;
}

std::optional<Rejection> check_resources(const AdmissionInput& in) {
  if (in.others.size() + 1 > static_cast<size_t>(in.pods_max)) {
    return Rejection{"OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: " +
                                      std::to_string(in.others.size()) + ", capacity: " + std::to_string(in.pods_max)};
  }
  Requests used;
  for (const PodClaims* other : in.others) {
    for (const auto& [name, amount] : other->requests) used[name] += amount;
  }
  for (const auto& [name, amount] : requests_of(in.pod)) {
    if (amount == 0) continue;
    auto it = in.allocatable.find(name);
    if (it == in.allocatable.end()) continue;  // not a resource of this node's own: the scheduler knows better
    auto q = Quantity::parse(it->second);
    int64_t capacity = q.ok() ? (name == "cpu" ? q->milli() : q->value()) : 0;
    if (used[name] + amount <= capacity) continue;
    return Rejection{"OutOf" + name,
                     "Node didn't have enough resource: " + name + ", requested: " + std::to_string(amount) +
                         ", used: " + std::to_string(used[name]) + ", capacity: " + std::to_string(capacity)};
  }
  return std::nullopt;
}

std::set<std::string> host_ports(const json::Value& pod) {
  std::set<std::string> out;
  for (const char* list : {"initContainers", "containers"}) {
    for (const auto& c : pod["spec"][list].items()) {
      if (list[0] == 'i' && c["restartPolicy"].str() != "Always") continue;
      for (const auto& p : c["ports"].items()) {
        if (p["hostPort"].integer() <= 0) continue;
        std::string ip(p["hostIP"].str("0.0.0.0"));
        out.insert(std::string(p["protocol"].str("TCP")) + "/" + std::to_string(p["hostPort"].integer()) + "/" +
                   (ip.empty() || ip == "::" ? "0.0.0.0" : ip));
      }
    }
  }
  return out;
}

bool conflict(const std::set<std::string>& a, const std::set<std::string>& b) {
  for (const auto& x : a) {
    auto cut = x.rfind('/');
    for (const auto& y : b) {
      auto cut_y = y.rfind('/');
      if (x.substr(0, cut) != y.substr(0, cut_y)) continue;
      if (x == y || x.ends_with("/0.0.0.0") || y.ends_with("/0.0.0.0")) return true;
    }
  }
  return false;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(n) : std::nullopt;
}

bool requirement_holds(const json::Value& r, const json::Value* have) {
  auto op = r["operator"].str();
  auto among = [&] {
    return have && std::any_of(r["values"].items().begin(), r["values"].items().end(),
                               [&](const json::Value& v) { return v.str() == have->str(); });
  };
  if (op == "In") return among();
  if (op == "NotIn") return !among();
  if (op == "Exists") return have != nullptr;
  if (op == "DoesNotExist") return have == nullptr;
  auto a = have ? number(have->str()) : std::nullopt, b = number(r["values"].at(0).str());
  if (!a || !b) return false;
  return op == "Gt" ? *a > *b : op == "Lt" && *a < *b;
}

bool term_holds(const json::Value& term, const json::Value& node) {
  if (term["matchExpressions"].empty() && term["matchFields"].empty()) return false;
  for (const auto& r : term["matchExpressions"].items()) {
    if (!requirement_holds(r, node["metadata"]["labels"].find(r["key"].str()))) return false;
  }
  for (const auto& r : term["matchFields"].items()) {
    if (r["key"].str() != "metadata.name" || !requirement_holds(r, node["metadata"].find("name"))) return false;
  }
  return true;
}

bool node_fits(const json::Value& pod, const json::Value& node) {
  for (const auto& [key, value] : pod["spec"]["nodeSelector"].members()) {
    const auto* have = node["metadata"]["labels"].find(key);
    if (!have || have->str() != value.str()) return false;
  }
  const auto& required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (!required.is_object()) return true;
  const auto& terms = required["nodeSelectorTerms"].items();
  return std::any_of(terms.begin(), terms.end(), [&](const json::Value& t) { return term_holds(t, node); });
}

}  // namespace

PodClaims claims_of(const json::Value& pod) {
  return {requests_of(pod), host_ports(pod)};
}

std::optional<Rejection> admit_pod(const AdmissionInput& in) {
  if (in.node.is_object() && !node_fits(in.pod, in.node))
    return Rejection{"NodeAffinity",
                     "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"};
  auto ports = host_ports(in.pod);
  for (const PodClaims* other : in.others) {
    if (!ports.empty() && conflict(ports, other->host_ports))
      return Rejection{"NodePorts", "Predicate NodePorts failed: a host port is taken"};
  }
  return check_resources(in);
}

}  // namespace lotse::agent
