// Eviction: a delete that asks the pod's disruption budget first.
#include "core/api/body.h"
#include "core/api/deletion.h"
#include "core/api/server_impl.h"
#include "core/api/status_object.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

constexpr std::string_view kBudgets = "poddisruptionbudgets.policy";
constexpr size_t kDisruptedMax = 2000;

bool is_ready(const json::Value& pod) {
  for (const auto& c : pod["status"]["conditions"].items()) {
    if (c["type"].str() == "Ready") return c["status"].str() == "True";
  }
  return false;
}

// Nothing is disrupted by the end of a pod that does no work.
bool needs_no_budget(const ObjectPtr& pod, const json::Value& v) {
  const std::string_view phase = v["status"]["phase"].str();
  return phase == "Succeeded" || phase == "Failed" || phase == "Pending" || pod->header().deletion != WallTime{};
}

bool unhealthy_may_go(const json::Value& budget) {
  if (budget["spec"]["unhealthyPodEvictionPolicy"].str() == "AlwaysAllow") return true;
  const int64_t healthy = budget["status"]["currentHealthy"].integer(), desired = budget["status"]["desiredHealthy"].integer();
  return healthy >= desired && desired > 0;
}

Status too_many(std::string message, int retry_s, Cause cause) {
  Status status(Reason::kTooManyRequests, std::move(message));
  status.causes.push_back(std::move(cause));
  status.retry_after_s = retry_s;
  return status;
}

// Takes one disruption from the budget.
Result<Edit> spend(const ObjectPtr& current, const std::string& pod, const std::string& now) {
  json::Value budget = current->whole();
  const std::string& name = current->header().name;
  const json::Value& status = std::as_const(budget)["status"];
  if (status["observedGeneration"].integer() < std::as_const(budget)["metadata"]["generation"].integer()) {
    return too_many("Cannot evict pod as it would violate the pod's disruption budget.", 10,
                    {"", "DisruptionBudget", "The disruption budget " + name + " is still being processed by the server."});
  }
  const int64_t allowed = status["disruptionsAllowed"].integer();
  if (allowed < 0 || status["disruptedPods"].size() > kDisruptedMax) {
    return Status(Reason::kForbidden, "the disruption budget " + name + " cannot record another disruption");
  }
  if (allowed == 0) {
    return too_many("Cannot evict pod as it would violate the pod's disruption budget.", 0,
                    {"", "DisruptionBudget",
                     "The disruption budget " + name + " needs " + std::to_string(status["desiredHealthy"].integer()) + " healthy pods and has " +
                         std::to_string(status["currentHealthy"].integer()) + " currently"});
  }
  budget["status"].set("disruptionsAllowed", allowed - 1);
  budget["status"]["disruptedPods"].set(pod, now);
  return Edit{Edit::What::kPut, std::move(budget)};
}

void finish(const CallPtr& call, const store::Key& pod, const DeleteOptions& options) {
  delete_object(call, pod, options, [call](Result<Edited> r) {
    if (!r.ok()) return call->fail(r.status());
    json::Value ok = status_value({});
    ok.set("code", 201);
    call->give(201, ok);
  });
}

}  // namespace

void evict(const CallPtr& call) {
  auto body = read_body(*call, "Eviction");
  if (!body.ok()) return call->fail(body.status());
  const std::string_view name = std::as_const(*body)["metadata"]["name"].str();
  if (!name.empty() && name != call->request.name) {
    return call->fail({Reason::kBadRequest, "name in URL does not match name in Eviction object"});
  }
  auto options = delete_options_of(std::as_const(*body)["deleteOptions"]);
  if (!options.ok()) return call->fail(options.status());
  for (const auto& dry : std::as_const(*body)["deleteOptions"]["dryRun"].items()) call->dry_run |= dry.str() == "All";
  auto& store = call->server.store();
  const auto found = store.get(call->key());
  if (!found.ok()) return call->fail(found.status());
  const json::Value pod = (*found)->value();
  if (needs_no_budget(*found, pod)) return finish(call, call->key(), *options);
  store::ListQuery query;
  query.resource = kBudgets;
  query.ns = call->request.ns;
  const auto budgets = store.list(query);
  if (!budgets.ok()) return call->fail(budgets.status());
  std::vector<ObjectPtr> matching;
  for (const auto& b : budgets->items) {
    const auto selector = LabelSelector::from_value(b->value()["spec"]["selector"]);
    if (selector.ok() && selector->matches((*found)->header().labels)) matching.push_back(b);
  }
  if (matching.size() > 1) {
    return call->fail({Reason::kInternalError,
                       "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."});
  }
  if (matching.empty() || (!is_ready(pod) && unhealthy_may_go(matching[0]->value()))) return finish(call, call->key(), *options);
  const std::string now = format_time(call->server.clock().now());
  const store::Key budget{std::string(kBudgets), call->request.ns, matching[0]->header().name};
  edit(call, budget, [pod_name = call->request.name, now](const ObjectPtr& current) { return spend(current, pod_name, now); },
       [call, options = *options](Result<Edited> r) {
         if (!r.ok()) return call->fail(r.status());
         DeleteOptions go = options;
         finish(call, call->key(), go);
       });
}

}  // namespace lotse::api
