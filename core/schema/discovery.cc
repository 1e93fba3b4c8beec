// The documents of discovery: /api, /apis, /apis/GROUP, /apis/GROUP/VERSION, and the aggregated form of both.
#include "core/base/ids.h"
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr std::string_view kVerbNames[] = {"get",    "list",  "watch",  "create",
                                           "update", "patch", "delete", "deletecollection"};

Value verb_list(uint16_t verbs) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::size(kVerbNames); ++i) {
    if (verbs & (1u << i)) names.emplace_back(kVerbNames[i]);
  }
  std::sort(names.begin(), names.end());
  Value out = Value::array();
  for (std::string& name : names) out.push(std::move(name));
  return out;
}

Value word_list(std::span<const std::string_view> words) {
  Value out = Value::array();
  for (std::string_view w : words) out.push(w);
  return out;
}

// Upstream tells a hash per stored kind, so that migrations can be seen; any stable text does.
std::string storage_hash(const ResourceInfo& r) {
  const uint64_t h = hash64(std::string(r.group) + "/" + std::string(r.version) + "/" + std::string(r.kind));
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(h >> (8 * i)));
  return base64(bytes);
}

Value resource_entry(const ResourceInfo& r) {
  Value v = Value::object({{"name", r.resource},
                           {"singularName", r.singular},
                           {"namespaced", r.namespaced},
                           {"kind", r.kind},
                           {"verbs", verb_list(r.verbs)}});
  if (!r.short_names.empty()) v.set("shortNames", word_list(r.short_names));
  if (!r.categories.empty()) v.set("categories", word_list(r.categories));
  if (!r.virtual_resource) v.set("storageVersionHash", storage_hash(r));
  return v;
}

Value subresource_entry(const ResourceInfo& r, const SubresourceInfo& s) {
  Value v = Value::object({{"name", std::string(r.resource) + "/" + std::string(s.name)},
                           {"singularName", ""},
                           {"namespaced", r.namespaced},
                           {"kind", s.kind},
                           {"verbs", verb_list(s.verbs)}});
  if (s.group != r.group || s.version != r.version) v.set("group", s.group).set("version", s.version);
  return v;
}

struct GroupVersion {
  std::string_view group, version;
};

std::vector<GroupVersion> group_versions() {
  std::vector<GroupVersion> out;
  for (const ResourceInfo* r : all()) {
    if (out.empty() || out.back().group != r->group || out.back().version != r->version)
      out.push_back({r->group, r->version});
  }
  return out;
}

Value group_entry(std::string_view group) {
  Value versions = Value::array();
  for (auto& gv : group_versions()) {
    if (gv.group != group) continue;
    versions.push(
        Value::object({{"groupVersion", std::string(group) + "/" + std::string(gv.version)}, {"version", gv.version}}));
  }
  Value preferred = versions.at(0);
  return Value::object(
      {{"name", group}, {"versions", std::move(versions)}, {"preferredVersion", std::move(preferred)}});
}

Value response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

Value aggregated_resource(const ResourceInfo& r) {
  Value v = Value::object({{"resource", r.resource},
                           {"responseKind", response_kind(r.group, r.version, r.kind)},
                           {"scope", r.namespaced ? "Namespaced" : "Cluster"},
                           {"singularResource", r.singular},
                           {"verbs", verb_list(r.verbs)}});
  if (!r.short_names.empty()) v.set("shortNames", word_list(r.short_names));
  if (!r.categories.empty()) v.set("categories", word_list(r.categories));
  for (const SubresourceInfo& s : r.subresources) {
    v["subresources"].push(Value::object({{"subresource", s.name},
                                          {"responseKind", response_kind(s.group, s.version, s.kind)},
                                          {"verbs", verb_list(s.verbs)}}));
  }
  return v;
}

}  // namespace

Value api_versions() {
  return Value::object(
      {{"kind", "APIVersions"}, {"versions", Value::array({"v1"})}, {"serverAddressByClientCIDRs", Value::array()}});
}

Value api_group_list() {
  Value groups = Value::array();
  std::string_view last;
  for (auto& gv : group_versions()) {
    if (!gv.group.empty() && gv.group != last) groups.push(group_entry(gv.group));
    last = gv.group;
  }
  return Value::object({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}});
}

Result<Value> api_group(std::string_view group) {
  Value v = group_entry(group);
  if (group.empty() || v["versions"].empty()) return Status::not_found("", "groups", group);
  v.set("kind", "APIGroup").set("apiVersion", "v1");
  return v;
}

Result<Value> api_resources(std::string_view group, std::string_view version) {
  Value list = Value::array();
  std::string api_version(version);
  for (const ResourceInfo* r : all()) {
    if (r->group != group || r->version != version) continue;
    api_version = r->api_version();
    list.push(resource_entry(*r));
    for (const SubresourceInfo& s : r->subresources) list.push(subresource_entry(*r, s));
  }
  if (list.empty()) return Status::not_found("", "groupversions", std::string(group) + "/" + std::string(version));
  return Value::object({{"kind", "APIResourceList"},
                        {"apiVersion", "v1"},
                        {"groupVersion", api_version},
                        {"resources", std::move(list)}});
}

Value aggregated_discovery(bool core) {
  Value groups = Value::array();
  std::string_view last = "-";
  for (auto& gv : group_versions()) {
    if (gv.group.empty() != core) continue;
    if (gv.group != last) {
      Value metadata = Value::object({{"creationTimestamp", nullptr}});
      if (!core) metadata.set("name", gv.group);
      groups.push(Value::object({{"metadata", std::move(metadata)}, {"versions", Value::array()}}));
    }
    last = gv.group;
    Value resources = Value::array();
    for (const ResourceInfo* r : all()) {
      if (r->group == gv.group && r->version == gv.version) resources.push(aggregated_resource(*r));
    }
    groups.array_items().back()["versions"].push(
        Value::object({{"version", gv.version}, {"freshness", "Current"}, {"resources", std::move(resources)}}));
  }
  return Value::object({{"kind", "APIGroupDiscoveryList"},
                        {"apiVersion", "apidiscovery.k8s.io/v2"},
                        {"metadata", Value::object()},
                        {"items", std::move(groups)}});
}

}  // namespace lotse::schema
