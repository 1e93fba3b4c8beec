#include "core/api/quota.h"

#include "core/api/edit.h"
#include "core/api/server_impl.h"

namespace lotse::api {
namespace {

constexpr std::string_view kQuotas = "resourcequotas";

bool is_charged(const Call& call, const json::Value* old) {
  if (call.request.ns.empty() || !call.resource->namespaced) return false;
  const std::string stored = call.stored();
  if (!call.request.subresource.empty()) return stored == "pods" && call.request.subresource == "resize";
  return !old || stored == "services" || stored == "persistentvolumeclaims";
}

}  // namespace

bool falls_under_quotas(const Call& call, const json::Value* old) {
  return is_charged(call, old) && call.server.store().count(std::string(kQuotas), call.request.ns) > 0;
}

namespace {

std::string names_text(const Amounts& amounts) {
  std::string text;
  for (const auto& [name, amount] : amounts) text += (text.empty() ? "" : ",") + name;
  return text;
}

struct Charging : std::enable_shared_from_this<Charging> {
  CallPtr call;
  std::string stored, name;
  json::Value object;
  Amounts delta;
  std::vector<store::Key> quotas;
  size_t next = 0;
  QuotaChargePtr charge;
  std::function<void(Result<QuotaChargePtr>)> done;

  void run() {
    if (next == quotas.size()) return done(charge);
    auto taken = std::make_shared<Amounts>();
    edit(call, quotas[next], [self = shared_from_this(), taken](const ObjectPtr& quota) { return self->take(quota, taken.get()); },
         [self = shared_from_this(), taken](Result<Edited> r) {
           if (!r.ok() && r.status().reason != Reason::kNotFound) {
             self->charge->give_back();
             return self->done(r.status());
           }
           if (r.ok() && r->what == Edit::What::kPut) self->charge->add({self->quotas[self->next], *taken});
           ++self->next;
           self->run();
         });
  }

  // How much of this quota is taken, or why it is not.
  Result<Edit> take(const ObjectPtr& current, Amounts* taken) {
    json::Value quota = current->whole();
    const json::Value& status = std::as_const(quota)["status"];
    const std::string& quota_name = current->header().name;
    if (!quota_matches(std::as_const(quota), status["hard"], stored, object)) return Edit{};
    Amounts hard;
    for (const auto& [resource, amount] : amounts_of(status["hard"])) {
      if (counted_for(stored, resource)) hard.emplace(resource, amount);
    }
    const Amounts used = amounts_of(status["used"]);
    if (const std::string missing = missing_for_quota(stored, hard, object); !missing.empty()) {
      return forbidden(*call, name, "failed quota: " + quota_name + ": " + missing);
    }
    if (masked(used, hard).size() < hard.size()) {
      return forbidden(*call, name, "status unknown for quota: " + quota_name + ", resources: " + names_text(hard));
    }
    const Amounts requested = masked(delta, hard);
    if (requested.empty()) return Edit{};
    Amounts exceeded;
    for (const auto& [resource, amount] : requested) {
      if ((used.at(resource) + amount).compare(hard.at(resource)) > 0 && !amount.negative()) exceeded.emplace(resource, amount);
    }
    if (!exceeded.empty()) {
      return forbidden(*call, name, "exceeded quota: " + quota_name + ", requested: " + amounts_text(exceeded) + ", used: " +
                                        amounts_text(masked(used, exceeded)) + ", limited: " + amounts_text(masked(hard, exceeded)));
    }
    *taken = requested;
    quota["status"].set("used", amounts_value(plus(used, requested)));
    return Edit{Edit::What::kPut, std::move(quota)};
  }
};

}  // namespace

void QuotaCharge::give_back() {
  if (call_->dry_run) return;
  for (const auto& part : parts_) {
    edit(call_, part.quota,
         [amounts = part.amounts](const ObjectPtr& current) -> Result<Edit> {
           json::Value quota = current->whole();
           quota["status"].set("used", amounts_value(minus(amounts_of(std::as_const(quota)["status"]["used"]), amounts)));
           return Edit{Edit::What::kPut, std::move(quota)};
         },
         [](Result<Edited>) {});  // what stays charged is found when the controller counts anew
  }
  parts_.clear();
}

void charge_quotas(const CallPtr& call, const json::Value& object, const json::Value* old, std::function<void(Result<QuotaChargePtr>)> done) {
  auto& store = call->server.store();
  store::ListQuery query;
  query.resource = kQuotas;
  query.ns = call->request.ns;
  const auto page = store.list(query);
  if (!page.ok()) return done(page.status());
  auto charging = std::make_shared<Charging>();
  charging->call = call;
  charging->stored = call->stored();
  charging->name = object["metadata"]["name"].str();
  charging->object = object;
  const WallTime now = call->server.clock().now();
  charging->delta = quota_usage(charging->stored, object, now);
  if (old) charging->delta = minus(std::move(charging->delta), quota_usage(charging->stored, *old, now));
  std::erase_if(charging->delta, [](auto& entry) { return entry.second.is_zero(); });
  if (old && charging->delta.empty()) return done(QuotaChargePtr());
  for (const auto& quota : page->items) charging->quotas.push_back({std::string(kQuotas), quota->header().ns, quota->header().name});
  charging->charge = std::make_shared<QuotaCharge>(call);
  charging->done = std::move(done);
  charging->run();
}

}  // namespace lotse::api
