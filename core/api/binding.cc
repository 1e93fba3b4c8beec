// Binding: the scheduler's word that a pod runs on a node. Given once; a pod never moves.
#include "core/api/body.h"
#include "core/api/edit.h"
#include "core/api/server_impl.h"
#include "core/api/status_object.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

void merge(json::Value& metadata, const json::Value& from, std::string_view field) {
  for (const auto& [key, value] : from[field].members()) metadata[field].set(key, value);
}

void set_scheduled(json::Value& pod, const std::string& now) {
  json::Value condition = json::Value::object({{"type", "PodScheduled"}, {"status", "True"}, {"lastProbeTime", nullptr}, {"lastTransitionTime", now}});
  json::Value& conditions = pod["status"]["conditions"];
  if (!conditions.is_array()) conditions = json::Value::array();
  for (auto& c : conditions.array_items()) {
    if (std::as_const(c)["type"].str() != "PodScheduled") continue;
    if (std::as_const(c)["status"].str() == "True") return;
    c = std::move(condition);
    return;
  }
  conditions.push(std::move(condition));
}

Result<Edit> assign(const ObjectPtr& current, const json::Value& binding, const std::string& now) {
  const auto& h = current->header();
  const auto conflict = [&](const std::string& why) { return Status::conflict("", "pods/binding", h.name, why); };
  const std::string_view uid = binding["metadata"]["uid"].str();
  if (!uid.empty() && uid != h.uid) return conflict("Precondition failed: UID in precondition: " + std::string(uid) + ", UID in object meta: " + h.uid);
  if (h.deletion != WallTime{}) return conflict("pod " + h.name + " is being deleted, cannot be assigned to a host");
  if (!h.node_name.empty()) return conflict("pod " + h.name + " is already assigned to node \"" + h.node_name + "\"");
  json::Value pod = current->whole();
  if (!std::as_const(pod)["spec"]["schedulingGates"].empty()) return conflict("pod " + h.name + " has non-empty .spec.schedulingGates");
  pod["spec"].set("nodeName", binding["target"]["name"].str());
  merge(pod["metadata"], binding["metadata"], "annotations");
  merge(pod["metadata"], binding["metadata"], "labels");
  set_scheduled(pod, now);
  return Edit{Edit::What::kPut, std::move(pod)};
}

}  // namespace

void bind(const CallPtr& call) {
  auto body = read_body(*call, "Binding");
  if (!body.ok()) return call->fail(body.status());
  const json::Value& b = *body;
  const std::string named(b["metadata"]["name"].str());
  const std::string pod = call->request.name.empty() ? named : call->request.name;
  if (pod.empty() || (!named.empty() && named != pod)) {
    return call->fail({Reason::kBadRequest, "the name of the Binding does not match the name on the URL"});
  }
  const std::string_view kind = b["target"]["kind"].str();
  std::vector<Cause> causes;
  if (!kind.empty() && kind != "Node") {
    causes.push_back({"target.kind", "FieldValueNotSupported", "Unsupported value: \"" + std::string(kind) + "\": supported values: \"Node\", \"<empty>\""});
  }
  if (b["target"]["name"].str().empty()) causes.push_back({"target.name", "FieldValueRequired", "Required value"});
  if (!causes.empty()) return call->fail(Status::invalid("", "Binding", pod, std::move(causes)));
  const std::string now = format_time(call->server.clock().now());
  const store::Key key{"pods", call->request.ns, pod};
  edit(call, key, [b = *body, now](const ObjectPtr& current) { return assign(current, b, now); }, [call](Result<Edited> r) {
    if (!r.ok()) return call->fail(r.status());
    json::Value ok = status_value({});
    ok.set("code", 201);
    call->give(201, ok);
  });
}

}  // namespace lotse::api
