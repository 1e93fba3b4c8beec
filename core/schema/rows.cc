#include "core/schema/rows.h"

#include "core/object/selector.h"
#include "core/schema/schema.h"

namespace lotse::schema {

using json::Value;

std::string age(const Value& time, WallTime now) {
  auto then = parse_time(time.str());
  if (!then.ok()) return "<unknown>";
  return format_age(std::max(now - *then, Duration(0)));
}

std::string or_none(std::string text) {
  return text.empty() ? "<none>" : text;
}

std::string label_text(const Value& map) {
  std::string out;
  for (const auto& [key, value] : map.members()) out += (out.empty() ? "" : ",") + key + "=" + std::string(value.str());
  return or_none(std::move(out));
}

namespace {

std::string joined(const Value& list, std::string_view key) {
  std::string out;
  for (const Value& v : list.items()) out += (out.empty() ? "" : ",") + std::string(v[key].str());
  return out;
}

std::string text_of(const Value& v, std::string_view fallback) {
  if (v.is_null()) return std::string(fallback);
  return v.is_number() ? std::string(v.number_text()) : std::string(v.str());
}

Cells row_deployment(const Value& o, WallTime now) {
  const Value& s = o["status"];
  Cells cells = {o["metadata"]["name"],
                 std::to_string(s["readyReplicas"].integer()) + "/" + std::to_string(o["spec"]["replicas"].integer()),
                 s["updatedReplicas"].integer(), s["availableReplicas"].integer(),
                 age(o["metadata"]["creationTimestamp"], now)};
  append_workload(o, &cells);
  return cells;
}

Cells row_replica_set(const Value& o, WallTime now) {
  const Value& s = o["status"];
  Cells cells = {o["metadata"]["name"], o["spec"]["replicas"].integer(), s["replicas"].integer(),
                 s["readyReplicas"].integer(), age(o["metadata"]["creationTimestamp"], now)};
  append_workload(o, &cells);
  return cells;
}

Cells row_controller_revision(const Value& o, WallTime now) {
  std::string owner;
  for (const Value& ref : o["metadata"]["ownerReferences"].items()) {
    if (!ref["controller"].boolean()) continue;
    owner = ref["kind"].str();
    for (char& c : owner) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string_view version = ref["apiVersion"].str();
    if (const size_t slash = version.find('/'); slash != version.npos)
      owner += "." + std::string(version.substr(0, slash));
    owner += "/" + std::string(ref["name"].str());
  }
  return {o["metadata"]["name"], or_none(owner), o["revision"].integer(), age(o["metadata"]["creationTimestamp"], now)};
}

Cells row_pod_template(const Value& o, WallTime) {
  const Value& containers = o["template"]["spec"]["containers"];
  return {o["metadata"]["name"], joined(containers, "name"), joined(containers, "image"),
          label_text(o["template"]["metadata"]["labels"])};
}

// Cells after the name and before the age, for kinds that need no more than a line.
Cells simple_cells(std::string_view kind, const Value& o) {
  if (kind == "Namespace") return {o["status"]["phase"]};
  if (kind == "ConfigMap") return {static_cast<int64_t>(o["data"].size() + o["binaryData"].size())};
  if (kind == "Secret") return {o["type"], static_cast<int64_t>(o["data"].size())};
  if (kind == "ServiceAccount") return {static_cast<int64_t>(o["secrets"].size())};
  if (kind == "Lease") return {o["spec"]["holderIdentity"].str()};
  if (kind == "PriorityClass") return {o["value"].integer(), o["globalDefault"].boolean()};
  if (kind == "PodDisruptionBudget") {
    return {text_of(o["spec"]["minAvailable"], "N/A"), text_of(o["spec"]["maxUnavailable"], "N/A"),
            o["status"]["disruptionsAllowed"].integer()};
  }
  return {};
}

struct KindRow {
  std::string_view kind;
  Cells (*row)(const Value&, WallTime);
};
constexpr KindRow kRows[] = {{"Pod", row_pod},
                             {"Service", row_service},
                             {"Endpoints", row_endpoints},
                             {"EndpointSlice", row_endpoint_slice},
                             {"Node", row_node},
                             {"Event", row_event},
                             {"Deployment", row_deployment},
                             {"ReplicaSet", row_replica_set},
                             {"ControllerRevision", row_controller_revision},
                             {"PodTemplate", row_pod_template},
                             {"ResourceQuota", row_quota},
                             {"RoleBinding", row_binding},
                             {"ClusterRoleBinding", row_binding}};

}  // namespace

void append_workload(const Value& o, Cells* cells) {
  const Value& containers = o["spec"]["template"]["spec"]["containers"];
  cells->push_back(joined(containers, "name"));
  cells->push_back(joined(containers, "image"));
  auto selector = LabelSelector::from_value(o["spec"]["selector"]);
  cells->push_back(selector.ok() && !selector->matches_nothing() ? or_none(selector->text()) : "<none>");
}

std::vector<Value> row(const ResourceInfo& resource, const Value& object, WallTime now) {
  for (const KindRow& r : kRows) {
    if (r.kind == resource.kind) return r.row(object, now);
  }
  const Value& metadata = object["metadata"];
  Cells cells = {metadata["name"]};
  if (resource.columns.size() == 2 && resource.columns[1].name == "Created At") {
    cells.push_back(metadata["creationTimestamp"]);
    return cells;
  }
  for (Value& cell : simple_cells(resource.kind, object)) cells.push_back(std::move(cell));
  cells.push_back(age(metadata["creationTimestamp"], now));
  if (resource.kind == "PriorityClass") cells.push_back(object["preemptionPolicy"]);
  return cells;
}

}  // namespace lotse::schema
