#include "core/schema/openapi.h"

namespace lotse::schema::openapi {
namespace {

using json::Value;

struct Method {
  uint16_t verb;
  std::string_view http, action, prefix;
};
constexpr Method kCollection[] = {{kList, "get", "list", "list"},
                                  {kCreate, "post", "post", "create"},
                                  {kDeleteCollection, "delete", "deletecollection", "delete"}};
constexpr Method kItem[] = {{kGet, "get", "get", "read"},
                            {kUpdate, "put", "put", "replace"},
                            {kPatch, "patch", "patch", "patch"},
                            {kDelete, "delete", "delete", "delete"},
                            {kCreate, "post", "post", "create"}};
constexpr std::string_view kPatchTypes[] = {"application/json-patch+json", "application/merge-patch+json",
                                            "application/strategic-merge-patch+json"};
constexpr std::string_view kPatchBody = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
                           kStatus = "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
                           kDeleteBody = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

// "rbac.authorization.k8s.io" is RbacAuthorization, "" is Core.
std::string group_word(std::string_view group) {
  if (group.empty()) return "Core";
  if (group.ends_with(".k8s.io")) group.remove_suffix(7);
  std::string out;
  bool upper = true;
  for (char c : group) {
    if (c != '.') out.push_back(upper ? static_cast<char>(c - 'a' + 'A') : c);
    upper = c == '.';
  }
  return out;
}

std::string capital(std::string_view word) {
  std::string out(word);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

Value parameter(Dialect dialect, std::string_view in, std::string_view name) {
  Value out = Value::object({{"in", in}, {"name", name}});
  if (in == "path") out.set("required", true);
  if (dialect == Dialect::kV3)
    out.set("schema", Value::object({{"type", "string"}}));
  else
    out.set("type", "string");
  return out;
}

struct Target {
  const ResourceInfo& resource;
  const SubresourceInfo* sub;
  bool namespaced;  // of this path, not of the resource
  std::string_view group, version, kind, schema;
};

class Operations {
 public:
  Operations(Dialect dialect, const Target& target) : dialect_(dialect), t_(target) {}

  Value make(const Method& m) const {
    const std::string group = group_word(t_.resource.group);
    std::string tag = group + "_" + std::string(t_.resource.version), action(m.action);
    tag[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(tag[0])));
    if (is_connect()) action = "connect";
    const bool everywhere = !t_.namespaced && t_.resource.namespaced;
    std::string id = (is_connect() ? "connect" : std::string(m.prefix)) + group + capital(t_.resource.version);
    if (is_connect()) id += capital(m.http);
    if (m.verb == kDeleteCollection) id += "Collection";
    id += (t_.namespaced ? "Namespaced" : "") + std::string(t_.resource.kind);
    id += (t_.sub ? capital(t_.sub->name) : "") + (everywhere ? "ForAllNamespaces" : "");
    Value out = Value::object({{"operationId", id},
                               {"tags", Value::array({tag})},
                               {"x-kubernetes-action", action},
                               {"x-kubernetes-group-version-kind",
                                Value::object({{"group", t_.group}, {"version", t_.version}, {"kind", t_.kind}})}});
    add_response(m, &out);
    if (is_connect()) return out;
    add_parameters(m, &out);
    return out;
  }

 private:
  // A log is read; what upgrades the connection or passes requests on has options as its kind.
  bool is_connect() const { return t_.sub && t_.sub->connect && t_.sub->name != "log"; }
  void add_response(const Method& m, Value* out) const {
    Value schema = Value::object({{"type", "string"}});
    std::string name(t_.schema);
    if (m.verb == kDelete || m.verb == kDeleteCollection) name = kStatus;
    if (m.verb == kList) name = list_name(t_.resource);
    if (!name.empty() && !(t_.sub && t_.sub->connect)) schema = reference(dialect_, name);
    Value ok = Value::object({{"description", "OK"}});
    if (dialect_ == Dialect::kV2)
      ok.set("schema", std::move(schema));
    else
      ok["content"]["application/json"].set("schema", std::move(schema));
    (*out)["responses"].set(m.verb == kCreate ? "201" : "200", std::move(ok));
    if (dialect_ == Dialect::kV2) out->set("produces", Value::array({"application/json"}));
  }
  void add_parameters(const Method& m, Value* out) const {
    const bool writes = m.verb != kGet && m.verb != kList;
    const auto query = [&](std::string_view name) { (*out)["parameters"].push(parameter(dialect_, "query", name)); };
    if (writes) {
      for (std::string_view name : {"dryRun", "fieldManager", "fieldValidation"}) query(name);
      add_body(m, out);
    } else if (m.verb == kList) {
      for (std::string_view name : {"continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "watch"})
        query(name);
    }
  }
  void add_body(const Method& m, Value* out) const {
    const bool patch = m.verb == kPatch, deletes = m.verb == kDelete || m.verb == kDeleteCollection;
    Value schema = reference(dialect_, patch ? kPatchBody : deletes ? kDeleteBody : t_.schema);
    Value types = Value::array();
    if (patch)
      for (std::string_view type : kPatchTypes) types.push(type);
    else
      types.push("*/*");
    if (dialect_ == Dialect::kV2) {
      (*out)["parameters"].push(
          Value::object({{"in", "body"}, {"name", "body"}, {"required", !deletes}, {"schema", std::move(schema)}}));
      out->set("consumes", std::move(types));
      return;
    }
    for (const Value& type : types.items()) (*out)["requestBody"]["content"][type.str()].set("schema", schema);
  }

  Dialect dialect_;
  const Target& t_;
};

Value path_item(Dialect dialect, const Target& target, std::span<const Method> methods, uint16_t verbs, bool named) {
  Value item = Value::object();
  const Operations operations(dialect, target);
  for (const Method& m : methods) {
    if (verbs & m.verb) item.set(m.http, operations.make(m));
  }
  if (named) item["parameters"].push(parameter(dialect, "path", "name"));
  if (target.namespaced) item["parameters"].push(parameter(dialect, "path", "namespace"));
  return item;
}

void add_paths(Dialect dialect, const ResourceInfo& r, std::map<std::string, Value>* out) {
  const std::string base = (r.group.empty() ? "/api/" : "/apis/" + std::string(r.group) + "/") + std::string(r.version);
  const std::string all = base + "/" + std::string(r.resource);
  const std::string own = r.namespaced ? base + "/namespaces/{namespace}/" + std::string(r.resource) : all;
  const Target target{r, nullptr, r.namespaced, r.group, r.version, r.kind, r.type->name()};
  out->emplace(own, path_item(dialect, target, kCollection, r.verbs, false));
  if (r.namespaced && (r.verbs & kList)) {
    const Target everywhere{r, nullptr, false, r.group, r.version, r.kind, r.type->name()};
    out->emplace(all, path_item(dialect, everywhere, std::span(kCollection, 1), kList, false));
  }
  if (r.virtual_resource) return;
  out->emplace(own + "/{name}", path_item(dialect, target, std::span(kItem, 4), r.verbs, true));
  for (const SubresourceInfo& s : r.subresources) {
    const ResourceInfo* kind = find_kind(s.group, s.version, s.kind);
    const Target sub{r, &s, r.namespaced, s.group, s.version, s.kind, kind ? kind->type->name() : std::string_view()};
    out->emplace(own + "/{name}/" + std::string(s.name), path_item(dialect, sub, kItem, s.verbs, true));
  }
}

}  // namespace

void each_path(Dialect dialect, const std::function<bool(const ResourceInfo&)>& wanted, const PathSink& sink) {
  for (const ResourceInfo* r : all()) {
    if (!wanted(*r)) continue;
    std::map<std::string, Value> paths;
    add_paths(dialect, *r, &paths);
    for (const auto& [path, item] : paths) sink(path, item);
  }
}

}  // namespace lotse::schema::openapi
