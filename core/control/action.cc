#include "core/control/action.h"

namespace lotse::control {
namespace {
Action make(api::Verb verb, const Kind& kind, std::string_view ns, std::string_view name) {
  Action a;
  a.verb = verb;
  a.group = kind.group, a.version = kind.version, a.resource = kind.resource;
  a.ns = ns, a.name = name;
  return a;
}
}  // namespace

Action create(const Kind& kind, std::string_view ns, json::Value object) {
  object.set("apiVersion", kind.api_version()).set("kind", kind.kind);
  if (!ns.empty()) object["metadata"].set("namespace", ns);
  Action a = make(api::Verb::kCreate, kind, ns, object["metadata"]["name"].str());
  a.body = std::move(object);
  return a;
}

Action update(const Kind& kind, json::Value object, std::string_view subresource) {
  const json::Value& meta = std::as_const(object)["metadata"];
  Action a = make(api::Verb::kUpdate, kind, meta["namespace"].str(), meta["name"].str());
  a.subresource = subresource;
  a.body = std::move(object);
  if (subresource == "status") a.accept = {Reason::kNotFound};  // what is gone needs no status
  return a;
}

Action merge_patch(const Kind& kind, std::string_view ns, std::string_view name, json::Value patch,
                   std::string_view subresource) {
  Action a = make(api::Verb::kPatch, kind, ns, name);
  a.subresource = subresource;
  a.content_type = "application/merge-patch+json";
  a.body = std::move(patch);
  return a;
}

Action strategic_patch(const Kind& kind, std::string_view ns, std::string_view name, json::Value patch) {
  Action a = merge_patch(kind, ns, name, std::move(patch));
  a.content_type = "application/strategic-merge-patch+json";
  return a;
}

Action adopt(const Kind& kind, const Object& orphan, json::Value owner_ref) {
  json::Value patch;
  patch["metadata"].set("uid", orphan.header().uid);
  patch["metadata"].set("ownerReferences", json::Value::array({std::move(owner_ref)}));
  return strategic_patch(kind, orphan.header().ns, orphan.header().name, std::move(patch));
}

Action release(const Kind& kind, const Object& owned, const Object& owner) {
  json::Value patch;
  patch["metadata"].set("uid", owned.header().uid);
  patch["metadata"].set("ownerReferences",
                        json::Value::array({json::Value::object({{"$patch", "delete"}, {"uid", owner.header().uid}})}));
  Action a = strategic_patch(kind, owned.header().ns, owned.header().name, std::move(patch));
  a.accept = {Reason::kNotFound, Reason::kInvalid};
  return a;
}

Action remove(const Kind& kind, const Object& object, std::string_view propagation) {
  const ObjectHeader& h = object.header();
  Action a = make(api::Verb::kDelete, kind, h.ns, h.name);
  a.body = json::Value::object({{"apiVersion", "v1"}, {"kind", "DeleteOptions"}});
  a.body["preconditions"].set("uid", h.uid);
  if (!propagation.empty()) a.body.set("propagationPolicy", propagation);
  a.accept = {Reason::kNotFound};
  return a;
}

Action remove_now(const Kind& kind, const Object& object) {
  Action a = remove(kind, object);
  a.body.set("gracePeriodSeconds", 0);
  return a;
}

Action remove_collection(const Kind& kind, std::string_view ns) {
  Action a = make(api::Verb::kDeleteCollection, kind, ns, "");
  a.accept = {Reason::kNotFound, Reason::kMethodNotAllowed};
  return a;
}

Action event(const ObjectPtr& about, std::string_view type, std::string_view reason, std::string message) {
  const ObjectHeader& h = about->header();
  json::Value involved =
      json::Value::object({{"apiVersion", h.api_version}, {"kind", h.kind}, {"name", h.name}, {"uid", h.uid}});
  if (!h.ns.empty()) involved.set("namespace", h.ns);
  if (about->revision() != 0) involved.set("resourceVersion", std::to_string(about->revision()));
  json::Value body = json::Value::object({{"message", std::move(message)}, {"reason", reason}, {"type", type}});
  body.set("involvedObject", std::move(involved));
  Action a = create(kEvents, h.ns.empty() ? "default" : h.ns, std::move(body));
  a.optional = true;
  return a;
}

std::string key_of(const Object& object) {
  const ObjectHeader& h = object.header();
  return h.ns.empty() ? h.name : h.ns + "/" + h.name;
}

std::string key_of(const store::Key& key) {
  return key.ns.empty() ? key.name : key.ns + "/" + key.name;
}

NamespacedName split_key(const std::string& key) {
  size_t slash = key.find('/');
  if (slash == std::string::npos) return {"", key};
  return {key.substr(0, slash), key.substr(slash + 1)};
}

json::Value controller_ref(const Kind& kind, const Object& owner) {
  return json::Value::object({{"apiVersion", kind.api_version()},
                              {"kind", kind.kind},
                              {"name", owner.header().name},
                              {"uid", owner.header().uid},
                              {"controller", true},
                              {"blockOwnerDeletion", true}});
}

std::string describe(const Action& a) {
  static constexpr const char* kVerbs[] = {
      "?",       "get",  "list", "watch", "create", "update", "patch", "delete", "delete-collection",
      "connect", "head", "post", "put",   "options"};
  std::string out = kVerbs[static_cast<size_t>(a.verb)];
  if (a.resource == "events" && a.verb == api::Verb::kCreate)
    return "event " + std::string(a.body["type"].str()) + " " + std::string(a.body["reason"].str()) + " on " +
           std::string(a.body["involvedObject"]["kind"].str()) + " " +
           std::string(a.body["involvedObject"]["name"].str()) + ": " + std::string(a.body["message"].str());
  out += " " + a.resource;
  if (!a.subresource.empty()) out += "/" + a.subresource;
  out += " ";
  if (!a.ns.empty()) out += a.ns + "/";
  out += a.name.empty() ? std::string(a.body["metadata"]["generateName"].str()) + "*" : a.name;
  return out;
}

}  // namespace lotse::control
