#include "core/api/deletion.h"

#include <charconv>

#include "core/api/admission.h"
#include "core/api/body.h"
#include "core/api/server_impl.h"

namespace lotse::api {
namespace {

constexpr std::string_view kOrphan = "orphan", kForeground = "foregroundDeletion";

bool has(const json::Value& list, std::string_view text) {
  const auto& items = list.items();
  return std::any_of(items.begin(), items.end(), [&](const json::Value& v) { return v.str() == text; });
}

// The finalizers that make the garbage collector wait or let go, as the policy asks; what was asked before stays if none is given.
json::Value collector_finalizers(const json::Value& metadata, const DeleteOptions& options) {
  const json::Value& before = metadata["finalizers"];
  const bool orphan = options.propagation.empty() ? has(before, kOrphan) : options.propagation == "Orphan";
  const bool foreground = options.propagation.empty() ? has(before, kForeground) : options.propagation == "Foreground";
  json::Value after = json::Value::array();
  for (const auto& f : before.items()) {
    if (f.str() != kOrphan && f.str() != kForeground) after.push(f);
  }
  if (orphan) after.push(kOrphan);
  if (foreground) after.push(kForeground);
  return after;
}

void raise_generation(json::Value& metadata) {
  if (const int64_t g = std::as_const(metadata)["generation"].integer(); g > 0) metadata.set("generation", g + 1);
}

// The pod strategy: how long this pod may take to end.
int64_t pod_grace(const json::Value& pod, const DeleteOptions& options) {
  const std::string_view phase = pod["status"]["phase"].str();
  if (pod["spec"]["nodeName"].str().empty() || phase == "Failed" || phase == "Succeeded") return 0;
  int64_t grace = options.grace_s ? *options.grace_s : pod["spec"]["terminationGracePeriodSeconds"].integer(30);
  return grace < 0 ? 1 : grace;
}

Status check(const Call& call, const ObjectPtr& current, const DeleteOptions& options) {
  const auto& h = current->header();
  const auto failed = [&](const std::string& why) {
    return Status::conflict(call.resource->group, call.resource->resource, h.name, "Precondition failed: " + why);
  };
  if (!options.uid.empty() && options.uid != h.uid) {
    return failed("UID in precondition: " + options.uid + ", UID in object meta: " + h.uid);
  }
  const std::string revision = std::to_string(current->revision());
  if (!options.revision.empty() && options.revision != revision) {
    return failed("ResourceVersion in precondition: " + options.revision + ", ResourceVersion in object meta: " + revision);
  }
  return {};
}

Edit put(json::Value document) { return {Edit::What::kPut, std::move(document)}; }
Edit remove() { return {Edit::What::kRemove, {}}; }

// A second delete of a pod that is ending may only shorten its time.
Edit hasten(json::Value pod, const DeleteOptions& options) {
  json::Value& m = pod["metadata"];
  const int64_t before = std::as_const(m)["deletionGracePeriodSeconds"].integer();
  if (!options.grace_s || *options.grace_s >= before) return {};
  const int64_t grace = *options.grace_s < 0 ? 1 : *options.grace_s;
  if (grace == 0 && std::as_const(m)["finalizers"].empty()) return remove();
  if (const auto due = parse_time(std::as_const(m)["deletionTimestamp"].str()); due.ok()) {
    m.set("deletionTimestamp", format_time(*due - std::chrono::seconds(before) + std::chrono::seconds(grace)));
  }
  m.set("deletionGracePeriodSeconds", grace);
  return put(std::move(pod));
}

void mark(json::Value& metadata, WallTime now, int64_t grace) {
  if (!std::as_const(metadata).has("deletionTimestamp")) {
    raise_generation(metadata);
    metadata.set("deletionTimestamp", format_time(now + std::chrono::seconds(grace)));
  }
  metadata.set("deletionGracePeriodSeconds", grace);
}

// A namespace goes when its contents have gone: the namespace controller takes spec.finalizers away then.
Result<Edit> delete_namespace(const Call& call, json::Value ns, const DeleteOptions& options, WallTime now) {
  json::Value& m = ns["metadata"];
  if (std::as_const(m).has("deletionTimestamp")) {
    if (!std::as_const(ns)["spec"]["finalizers"].empty()) {
      return Status::conflict("", call.resource->resource, std::as_const(m)["name"].str(),
                              "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will "
                              "automatically be purged by the system.");
    }
    return std::as_const(m)["finalizers"].empty() ? remove() : Edit{};
  }
  m.set("finalizers", collector_finalizers(m, options));
  if (std::as_const(m)["finalizers"].empty()) m.erase("finalizers");
  m.set("deletionTimestamp", format_time(now));
  ns["status"].set("phase", "Terminating");
  return put(std::move(ns));
}

}  // namespace

Result<DeleteOptions> delete_options_of(const json::Value& v) {
  DeleteOptions o;
  if (v["gracePeriodSeconds"].is_integer()) o.grace_s = v["gracePeriodSeconds"].integer();
  o.propagation = v["propagationPolicy"].str();
  if (v["orphanDependents"].is_bool()) {
    if (!o.propagation.empty()) {
      return Status::invalid("meta.k8s.io", "DeleteOptions", "",
                             {{"propagationPolicy", "FieldValueInvalid",
                               "Invalid value: \"" + o.propagation + "\": orphanDependents and deletionPropagation cannot be both set"}});
    }
    o.propagation = v["orphanDependents"].boolean() ? "Orphan" : "Background";
  }
  o.uid = v["preconditions"]["uid"].str();
  o.revision = v["preconditions"]["resourceVersion"].str();
  if (!o.propagation.empty() && o.propagation != "Orphan" && o.propagation != "Background" && o.propagation != "Foreground") {
    return Status::invalid("meta.k8s.io", "DeleteOptions", "",
                           {{"propagationPolicy", "FieldValueNotSupported",
                             "Unsupported value: \"" + o.propagation +
                                 "\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""}});
  }
  return o;
}

Result<DeleteOptions> read_delete_options(const Call& call) {
  LOTSE_TRY(json::Value v, read_body(call, "DeleteOptions"));
  if (v.is_null()) {  // then they may stand in the URL
    v = json::Value::object();
    if (const std::string_view text = call.request.option("gracePeriodSeconds"); !text.empty()) {
      int64_t seconds = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
      if (error != std::errc() || end != text.data() + text.size()) return Status(Reason::kBadRequest, "gracePeriodSeconds must be a number");
      v.set("gracePeriodSeconds", seconds);
    }
    if (const std::string_view policy = call.request.option("propagationPolicy"); !policy.empty()) v.set("propagationPolicy", policy);
    if (const std::string_view orphan = call.request.option("orphanDependents"); !orphan.empty()) v.set("orphanDependents", orphan == "true");
  }
  return delete_options_of(v);
}

Result<Edit> deletion(const Call& call, const ObjectPtr& current, const DeleteOptions& options, WallTime now) {
  LOTSE_CHECK_OK(check(call, current, options));
  json::Value object = current->whole();
  if (call.stored() == "namespaces") return delete_namespace(call, std::move(object), options, now);
  const bool is_pod = call.stored() == "pods";
  json::Value& m = object["metadata"];
  const bool ending = std::as_const(m).has("deletionTimestamp");
  if (is_pod && ending && std::as_const(m)["deletionGracePeriodSeconds"].integer() > 0) return hasten(std::move(object), options);
  json::Value finalizers = collector_finalizers(std::as_const(m), options);
  const int64_t grace = is_pod && !ending ? pod_grace(std::as_const(object), options) : 0;
  if (finalizers.empty() && grace == 0) return remove();
  const bool same = finalizers == std::as_const(m)["finalizers"] || (finalizers.empty() && !std::as_const(m).has("finalizers"));
  if (ending && same) return Edit{};
  if (finalizers.empty()) {
    m.erase("finalizers");
  } else {
    m.set("finalizers", std::move(finalizers));
  }
  mark(m, now, grace);
  return put(std::move(object));
}

void delete_object(const CallPtr& call, const store::Key& key, const DeleteOptions& options, std::function<void(Result<Edited>)> done) {
  const auto how = [call, options](const ObjectPtr& current) -> Result<Edit> {
    Admission admission{*call, Verb::kDelete, current->header().name, nullptr, nullptr};
    LOTSE_CHECK_OK(mutate(admission));
    LOTSE_CHECK_OK(validate(admission));
    return deletion(*call, current, options, call->server.clock().now());
  };
  edit(call, key, how, std::move(done));
}

}  // namespace lotse::api
