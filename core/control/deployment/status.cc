// Status and conditions of a Deployment; reasons and messages are upstream's, as people and scripts look for them.
#include <algorithm>

#include "core/control/conditions.h"
#include "core/control/deployment/rollout.h"

namespace lotse::control::deployment {

bool Rollout::has_deadline() const {
  const json::Value& d = v_["spec"]["progressDeadlineSeconds"];
  return !d.is_null() && d.integer() != INT32_MAX;
}

std::string Rollout::subject() const {
  return new_set_ ? "ReplicaSet \"" + new_set_->name() + "\"" : "Deployment \"" + deployment_->header().name + "\"";
}

void Rollout::pause_condition() {
  if (!has_deadline()) return;
  const json::Value* old = find_condition(std::as_const(v_)["status"], "Progressing");
  if (old && (*old)["reason"].str() == "ProgressDeadlineExceeded") return;
  const bool noted = old && (*old)["reason"].str() == "DeploymentPaused";
  if (paused() && !noted)
    set_condition(&v_["status"], "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now_, true);
  else if (!paused() && noted)
    set_condition(&v_["status"], "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now_, true);
}

void Rollout::fill_status(json::Value* status) const {
  const int64_t available = status_total("availableReplicas");
  const int64_t missing = std::max<int64_t>(0, wanted_total() - available);
  // Zero is written only where something else stood.
  auto number = [&](const char* field, int64_t n) {
    if (n != 0)
      status->set(field, n);
    else
      status->erase(field);
  };
  status->set("observedGeneration", v_["metadata"]["generation"].integer());
  number("replicas", status_total("replicas"));
  number("updatedReplicas", new_set_ ? new_set_->status("replicas") : 0);
  number("readyReplicas", status_total("readyReplicas"));
  number("availableReplicas", available);
  number("unavailableReplicas", missing);
  number("terminatingReplicas", status_total("terminatingReplicas"));
  if (available >= want() - limits(v_).unavailable)
    set_condition(status, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now_,
                  true);
  else
    set_condition(status, "Available", "False", "MinimumReplicasUnavailable",
                  "Deployment does not have minimum availability.", now_, true);
}

bool Rollout::complete(const json::Value& status) const {
  return status["updatedReplicas"].integer() == want() && status["replicas"].integer() == want() &&
         status["availableReplicas"].integer() == want() &&
         status["observedGeneration"].integer() >= v_["metadata"]["generation"].integer();
}

bool Rollout::progressing(const json::Value& status) const {
  auto old_replicas = [](const json::Value& s) { return s["replicas"].integer() - s["updatedReplicas"].integer(); };
  const json::Value& before = original_status_;
  return status["updatedReplicas"].integer() > before["updatedReplicas"].integer() ||
         old_replicas(status) < old_replicas(before) ||
         status["readyReplicas"].integer() > before["readyReplicas"].integer() ||
         status["availableReplicas"].integer() > before["availableReplicas"].integer();
}

bool Rollout::timed_out(const json::Value& status) const {
  const json::Value* c = find_condition(status, "Progressing");
  if (!c || (*c)["reason"].str() == "NewReplicaSetAvailable") return false;
  if ((*c)["reason"].str() == "ProgressDeadlineExceeded") return true;
  auto since = parse_time((*c)["lastUpdateTime"].str());
  return since.ok() && *since + std::chrono::seconds(v_["spec"]["progressDeadlineSeconds"].integer()) < now_;
}

void Rollout::progress_condition(json::Value* status) {
  if (!has_deadline()) {
    remove_condition(status, "Progressing");
    return;
  }
  const json::Value* current = find_condition(*status, "Progressing");
  const json::Value& s = *status;
  const bool done_before = s["replicas"].integer() == s["updatedReplicas"].integer() && current &&
                           (*current)["reason"].str() == "NewReplicaSetAvailable";
  if (done_before) return;
  if (complete(*status)) {
    set_condition(status, "Progressing", "True", "NewReplicaSetAvailable", subject() + " has successfully progressed.",
                  now_, true);
  } else if (progressing(*status)) {
    // Each step forward begins the deadline anew.
    json::Value since =
        current && (*current)["status"].str() == "True" ? (*current)["lastTransitionTime"] : json::Value();
    remove_condition(status, "Progressing");
    set_condition(status, "Progressing", "True", "ReplicaSetUpdated", subject() + " is progressing.", now_, true);
    if (!since.is_null())
      for (json::Value& c : (*status)["conditions"].array_items())
        if (std::as_const(c)["type"].str() == "Progressing") c.set("lastTransitionTime", since);
  } else if (timed_out(*status)) {
    set_condition(status, "Progressing", "False", "ProgressDeadlineExceeded", subject() + " has timed out progressing.",
                  now_, true);
  }
}

// What the sets say of pods that could not be made is said of the Deployment too.
static void copy_failure(const std::vector<std::unique_ptr<Set>>& sets, const Set* new_set, json::Value* status,
                         WallTime now) {
  const json::Value* found = new_set ? find_condition(new_set->value["status"], "ReplicaFailure") : nullptr;
  for (const auto& s : sets)
    if (!found) found = find_condition(s->value["status"], "ReplicaFailure");
  if (found)
    set_condition(status, "ReplicaFailure", (*found)["status"].str(), (*found)["reason"].str(),
                  (*found)["message"].str(), now, true);
  else
    remove_condition(status, "ReplicaFailure");
}

void Rollout::clean_up_if_complete() {
  json::Value status = std::as_const(v_)["status"];
  fill_status(&status);
  if (complete(status)) clean_up();
}

void Rollout::sync_rollout_status() {
  json::Value status = std::as_const(v_)["status"];
  fill_status(&status);
  progress_condition(&status);
  copy_failure(sets_, new_set_, &status, now_);
  v_.set("status", status);
  // The deadline has to be noticed although nothing happens.
  const json::Value* c = find_condition(status, "Progressing");
  if (has_deadline() && c && !complete(status) && (*c)["reason"].str() != "ProgressDeadlineExceeded") {
    auto since = parse_time((*c)["lastUpdateTime"].str());
    if (since.ok()) {
      Duration left =
          *since + std::chrono::seconds(std::as_const(v_)["spec"]["progressDeadlineSeconds"].integer()) - now_;
      out_.again = std::max(left, Duration(0)) + std::chrono::seconds(1);
    }
  }
  if (std::as_const(v_)["status"] != original_status_) out_.actions.push_back(update(kDeployments, v_, "status"));
}

// While paused or scaled, progress is not judged.
void Rollout::write_status() {
  json::Value status = std::as_const(v_)["status"];
  fill_status(&status);
  v_.set("status", status);
  if (status != original_status_) out_.actions.push_back(update(kDeployments, v_, "status"));
}

}  // namespace lotse::control::deployment
