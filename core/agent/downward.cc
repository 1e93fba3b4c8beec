#include "core/agent/downward.h"

#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '\r') out += "\\r";
    else out += c;
  }
  return out + "\"";
}

std::string map_text(const json::Value& map) {
  std::string out;
  for (const auto& [k, v] : map.members()) out += (out.empty() ? "" : "\n") + k + "=" + quoted(v.str());
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& p : parts) out += (out.empty() ? "" : ",") + p;
  return out;
}

Quantity quantity(const json::Value& v) {
  auto q = Quantity::parse(v.is_number() ? v.number_text() : v.str("0"));
  return q.ok() ? *q : Quantity();
}

int64_t divided(int64_t value, int64_t by) {
  if (by <= 0) return value;
  return value / by + (value % by != 0 ? 1 : 0);
}

}  // namespace

const json::Value& find_container(const json::Value& pod, std::string_view name) {
  static const json::Value none;
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const auto& c : pod["spec"][list].items()) {
      if (c["name"].str() == name) return c;
    }
  }
  return none;
}

Result<std::string> field_value(const json::Value& pod, std::string_view path, const PodFacts& facts) {
  const auto& meta = pod["metadata"];
  for (const char* map : {"labels", "annotations"}) {
    std::string whole = std::string("metadata.") + map;
    if (path == whole) return map_text(meta[map]);
    if (path.starts_with(whole + "['") && path.ends_with("']")) {
      auto key = path.substr(whole.size() + 2, path.size() - whole.size() - 4);
      return std::string(meta[map][key].str());
    }
  }
  auto first = [](const std::vector<std::string>& list) { return list.empty() ? std::string() : list.front(); };
  if (path == "metadata.name") return std::string(meta["name"].str());
  if (path == "metadata.namespace") return std::string(meta["namespace"].str());
  if (path == "metadata.uid") return std::string(meta["uid"].str());
  if (path == "spec.nodeName") return std::string(pod["spec"]["nodeName"].str());
  if (path == "spec.serviceAccountName") return std::string(pod["spec"]["serviceAccountName"].str());
  if (path == "status.hostIP") return first(facts.host_ips);
  if (path == "status.hostIPs") return joined(facts.host_ips);
  if (path == "status.podIP") return first(facts.pod_ips);
  if (path == "status.podIPs") return joined(facts.pod_ips);
  return Status(Reason::kInvalid, "unsupported fieldPath: " + std::string(path));
}

Result<std::string> resource_value(const json::Value& pod, const json::Value& ref, const json::Value& container,
                                   const PodFacts& facts) {
  const auto& c = ref["containerName"].str().empty() ? container : find_container(pod, ref["containerName"].str());
  auto resource = ref["resource"].str();
  auto dot = resource.find('.');
  auto list = resource.substr(0, dot);
  auto name = dot == std::string_view::npos ? std::string_view() : resource.substr(dot + 1);
  if ((list != "limits" && list != "requests") || name.empty()) {
    return Status(Reason::kInvalid, "unsupported container resource: " + std::string(resource));
  }
  auto value = quantity(c["resources"][list][name]);
  if (list == "requests" && value.is_zero()) value = quantity(c["resources"]["limits"][name]);
  if (list == "limits" && value.is_zero()) {
    if (auto all = facts.allocatable.find(std::string(name)); all != facts.allocatable.end())
      value = quantity(json::Value(all->second));
  }
  auto divisor = quantity(ref["divisor"]);
  if (name == "cpu") return std::to_string(divided(value.milli(), divisor.is_zero() ? 1000 : divisor.milli()));
  return std::to_string(divided(value.value(), divisor.is_zero() ? 1 : divisor.value()));
}

}  // namespace lotse::agent
