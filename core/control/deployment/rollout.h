// The inside of the deployment controller: one reconcile of one Deployment. Field names and annotations are upstream's.
#pragma once
#include <memory>
#include <vector>

#include "core/control/action.h"

namespace lotse::control::deployment {

inline constexpr const char* kRevision = "deployment.kubernetes.io/revision";
inline constexpr const char* kRevisionHistory = "deployment.kubernetes.io/revision-history";
inline constexpr const char* kDesiredReplicas = "deployment.kubernetes.io/desired-replicas";
inline constexpr const char* kMaxReplicas = "deployment.kubernetes.io/max-replicas";
inline constexpr const char* kTemplateHash = "pod-template-hash";

// A ReplicaSet with what is asked of it all the time. Scaling changes `value`, as if it had been done already.
struct Set {
  ObjectPtr object;
  json::Value value;
  int64_t wanted() const { return value["spec"]["replicas"].integer(1); }
  int64_t status(const char* field) const { return value["status"][field].integer(); }
  int64_t revision() const;
  bool deleting() const { return object->header().deletion != WallTime{}; }
  const std::string& name() const { return object->header().name; }
};

struct Limits {
  int64_t surge = 0, unavailable = 0;
};
// maxSurge rounded up, maxUnavailable rounded down; one pod may be missing if both come to nothing.
Limits limits(const json::Value& deployment);
// "25%" or 3.
int64_t share_of(const json::Value& int_or_percent, int64_t total, bool up);
// Eight letters for a pod template; the same for the same template and collision count, on every machine.
std::string template_hash(const json::Value& pod_template, int64_t collisions);
bool same_template(const json::Value& a, const json::Value& b);

class Rollout {
 public:
  Rollout(ObjectPtr deployment, const View& view, WallTime now);
  Outcome run();

 private:
  // sets.cc
  void claim();
  void find_new_set();
  bool sync_new_set(bool create);  // true: the revision annotations or the set changed; go on next time
  bool create_new_set();
  bool annotate(Set* set, bool fresh);  // true if something changed
  bool set_deployment_revision(const std::string& revision);
  void clean_up();
  void clean_up_if_complete();
  // scale.cc
  bool is_scaling() const;
  bool scale(Set* set, int64_t to);
  void scale_proportionally();
  void set_annotated_replicas(Set* set);
  // strategies.cc
  bool roll();
  bool grow_new();
  bool shrink_old();
  int64_t shrink_unhealthy(int64_t max);
  int64_t shrink_healthy();
  bool recreate();
  int64_t new_set_replicas() const;
  // status.cc
  void pause_condition();
  void progress_condition(json::Value* status);
  void write_status();
  bool complete(const json::Value& status) const;
  bool progressing(const json::Value& status) const;
  bool timed_out(const json::Value& status) const;
  void fill_status(json::Value* status) const;
  void sync_rollout_status();

  int64_t want() const { return v_["spec"]["replicas"].integer(1); }
  bool paused() const { return v_["spec"]["paused"].boolean(); }
  bool rolling() const { return v_["spec"]["strategy"]["type"].str("RollingUpdate") == "RollingUpdate"; }
  bool has_deadline() const;
  bool is_new(const Set* set) const { return set == new_set_; }
  std::vector<Set*> old_sets(bool active_only) const;
  int64_t wanted_total() const;
  int64_t status_total(const char* field) const;
  std::string subject() const;  // of messages: the new set, or the Deployment

  ObjectPtr deployment_;
  const View& view_;
  WallTime now_;
  json::Value v_;
  json::Value original_status_;
  std::vector<std::unique_ptr<Set>> sets_;  // by creation time
  Set* new_set_ = nullptr;
  Outcome out_;
};

}  // namespace lotse::control::deployment
