// Node, Event, role bindings, ResourceQuota.
#include "core/schema/rows.h"

namespace lotse::schema {
namespace {

using json::Value;

std::string node_status(const Value& node) {
  std::string out = "Unknown";
  for (const Value& c : node["status"]["conditions"].items()) {
    if (c["type"].str() == "Ready") out = c["status"].str() == "True" ? "Ready" : "NotReady";
  }
  return out + (node["spec"]["unschedulable"].boolean() ? ",SchedulingDisabled" : "");
}

std::string roles(const Value& labels) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> found;
  for (const auto& [key, value] : labels.members()) {
    if (key.starts_with(kPrefix) && key.size() > kPrefix.size()) found.insert(key.substr(kPrefix.size()));
    if (key == "kubernetes.io/role" && !value.str().empty()) found.insert(std::string(value.str()));
  }
  std::string out;
  for (const std::string& role : found) out += (out.empty() ? "" : ",") + role;
  return or_none(std::move(out));
}

std::string address(const Value& node, std::string_view type) {
  for (const Value& a : node["status"]["addresses"].items()) {
    if (a["type"].str() == type) return std::string(a["address"].str());
  }
  return "<none>";
}

std::string or_unknown(const Value& v) {
  return v.str().empty() ? "<unknown>" : std::string(v.str());
}

const Value& either(const Value& o, std::string_view a, std::string_view b) {
  return o.has(a) ? o[a] : o[b];
}

std::string quota_part(const Value& quota, bool limits) {
  std::string out;
  for (const auto& [name, hard] : quota["status"]["hard"].members()) {
    if (name.starts_with("limits") != limits) continue;
    out += (out.empty() ? "" : ", ") + name + ": " + std::string(quota["status"]["used"][name].str("0")) + "/" +
           std::string(hard.str());
  }
  return out;
}

}  // namespace

Cells row_node(const Value& node, WallTime now) {
  const Value& info = node["status"]["nodeInfo"];
  return {node["metadata"]["name"],          node_status(node),
          roles(node["metadata"]["labels"]), age(node["metadata"]["creationTimestamp"], now),
          info["kubeletVersion"].str(),      address(node, "InternalIP"),
          address(node, "ExternalIP"),       or_unknown(info["osImage"]),
          or_unknown(info["kernelVersion"]), or_unknown(info["containerRuntimeVersion"])};
}

Cells row_event(const Value& event, WallTime now) {
  const Value &about = either(event, "involvedObject", "regarding"),
              &source = either(event, "source", "deprecatedSource");
  const Value &first_time = either(event, "firstTimestamp", "deprecatedFirstTimestamp"),
              &last_time = either(event, "lastTimestamp", "deprecatedLastTimestamp");
  const std::string first = age(first_time.is_null() ? event["eventTime"] : first_time, now);
  std::string last = last_time.is_null() ? first : age(last_time, now);
  int64_t count = std::max<int64_t>(1, either(event, "count", "deprecatedCount").integer());
  if (event["series"].is_object()) {
    last = age(event["series"]["lastObservedTime"], now);
    count = event["series"]["count"].integer();
  }
  std::string target(about["kind"].str());
  for (char& c : target) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!about["name"].str().empty()) target += "/" + std::string(about["name"].str());
  std::string from(source["component"].str(either(event, "reportingComponent", "reportingController").str()));
  if (!source["host"].str().empty()) from += ", " + std::string(source["host"].str());
  std::string_view message = either(event, "message", "note").str();
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.remove_suffix(1);
  return {
      last,  event["type"].str(),      event["reason"].str(), target, about["fieldPath"].str(), from, message, first,
      count, event["metadata"]["name"]};
}

Cells row_binding(const Value& binding, WallTime now) {
  std::string users, groups, accounts;
  for (const Value& s : binding["subjects"].items()) {
    const std::string_view kind = s["kind"].str();
    std::string* list = kind == "User" ? &users : kind == "Group" ? &groups : &accounts;
    if (!list->empty()) *list += ", ";
    if (list == &accounts) *list += std::string(s["namespace"].str()) + "/";
    *list += s["name"].str();
  }
  const Value& ref = binding["roleRef"];
  return {binding["metadata"]["name"],
          std::string(ref["kind"].str()) + "/" + std::string(ref["name"].str()),
          age(binding["metadata"]["creationTimestamp"], now),
          users,
          groups,
          accounts};
}

Cells row_quota(const Value& quota, WallTime now) {
  return {quota["metadata"]["name"], quota_part(quota, false), quota_part(quota, true),
          age(quota["metadata"]["creationTimestamp"], now)};
}

}  // namespace lotse::schema
