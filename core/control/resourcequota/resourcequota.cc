#include "core/control/resourcequota/resourcequota.h"

#include <algorithm>

#include "core/api/quota_usage.h"
#include "core/control/action.h"
#include "core/object/cursor.h"

namespace lotse::control {
namespace {

constexpr Duration kResync = std::chrono::minutes(5);
// What was counted may lack an object that had been charged and was not stored yet: its request has ended by then.
constexpr Duration kCountAgain = std::chrono::seconds(10);

bool has_ended(const ObjectPtr& pod) {
  const std::string_view phase = pod ? find_raw(pod->bytes(), "status.phase") : std::string_view();
  return phase == "\"Succeeded\"" || phase == "\"Failed\"";
}

// Whether less may be used now than what was charged.
bool frees(const store::Event& e) {
  if (e.type == store::Event::Type::kDeleted) return true;
  if (e.type != store::Event::Type::kModified) return false;
  if (e.key.resource == "services" || e.key.resource == "persistentvolumeclaims") return true;
  return e.key.resource == "pods" && has_ended(e.object) && !has_ended(e.previous);
}

// A quota's own changes matter when its bounds change. Those of its status are admission's: to count at once what it has charged would find the
// object not stored yet, and take the charge back.
bool has_new_bounds(const store::Event& e) {
  if (e.type == store::Event::Type::kDeleted) return false;
  return !e.previous || find_raw(e.object->bytes(), "spec") != find_raw(e.previous->bytes(), "spec");
}

api::Amounts used_by(const store::ResourceName& resource, const json::Value& quota, const api::Amounts& hard, std::string_view ns,
                     const View& view, WallTime now) {
  api::Amounts used;
  const json::Value& spec_hard = quota["spec"]["hard"];
  for (const ObjectPtr& object : view.list(resource, ns, {})) {
    const json::Value v = object->value();
    if (!api::quota_matches(quota, spec_hard, resource, v)) continue;
    used = api::plus(std::move(used), api::masked(api::quota_usage(resource, v, now), hard));
  }
  return used;
}

}  // namespace

ResourceQuotaController::ResourceQuotaController(const std::vector<Settings::Resource>& resources) {
  for (const auto& r : resources) {
    if (!r.namespaced || r.resource == "events") continue;
    counted_.push_back(r.group.empty() ? r.resource : r.resource + "." + r.group);
  }
}

std::vector<store::ResourceName> ResourceQuotaController::resources() const {
  std::vector<store::ResourceName> all = counted_;
  if (std::find(all.begin(), all.end(), kResourceQuotas.name()) == all.end()) all.push_back(kResourceQuotas.name());
  return all;
}

std::vector<std::string> ResourceQuotaController::keys(const store::Event& event, const View& view) {
  std::vector<std::string> out;
  if (event.key.resource == kResourceQuotas.name() && has_new_bounds(event)) out.push_back(key_of(event.key));
  if (event.key.ns.empty() || !frees(event)) return out;
  for (const ObjectPtr& quota : view.list(kResourceQuotas.name(), event.key.ns, {})) out.push_back(key_of(*quota));
  return out;
}

Outcome ResourceQuotaController::reconcile(const std::string& key, const View& view, WallTime now) {
  const auto [ns, name] = split_key(key);
  const ObjectPtr object = view.get(kResourceQuotas.name(), ns, name);
  Outcome out;
  if (!object || object->header().deletion != WallTime{}) return out;
  json::Value quota = object->value();
  const json::Value& spec_hard = std::as_const(quota)["spec"]["hard"];
  const api::Amounts hard = api::amounts_of(spec_hard);
  api::Amounts used;
  for (const auto& [resource, amount] : hard) used.emplace(resource, api::whole_number(0));
  for (const auto& resource : counted_) {
    const bool named = std::any_of(hard.begin(), hard.end(), [&](auto& h) { return api::counted_for(resource, h.first); });
    if (named) used = api::plus(std::move(used), used_by(resource, std::as_const(quota), hard, ns, view, now));
  }
  out.again = kResync;
  const json::Value next = api::amounts_value(used);
  const json::Value& status = std::as_const(quota)["status"];
  if (status["hard"] == spec_hard && status["used"] == next) return out;
  out.again = kCountAgain;
  quota["status"].set("hard", json::Value(spec_hard)).set("used", next);
  out.actions.push_back(update(kResourceQuotas, std::move(quota), "status"));
  return out;
}

}  // namespace lotse::control
