#include "core/control/pods.h"

#include <algorithm>
#include <charconv>

namespace lotse::control {

bool PodFacts::available(Duration min_ready, WallTime now, Duration* wait) const {
  if (!ready) return false;
  if (min_ready <= Duration(0)) return true;
  if (ready_since + min_ready <= now) return true;
  if (wait) *wait = std::min(*wait, ready_since + min_ready - now);
  return false;
}

PodFacts pod_facts(const Object& pod) {
  const json::Value v = pod.value();
  PodFacts f;
  f.phase = v["status"]["phase"].str("Pending");
  f.terminating = pod.header().deletion != WallTime{};
  f.created = pod.header().created;
  f.node = pod.header().node_name;
  for (const json::Value& c : v["status"]["conditions"].items()) {
    if (c["type"].str() != "Ready") continue;
    f.ready = c["status"].str() == "True";
    if (auto t = parse_time(c["lastTransitionTime"].str()); t.ok()) f.ready_since = *t;
  }
  for (const char* list : {"containerStatuses", "initContainerStatuses"})
    for (const json::Value& c : v["status"][list].items())
      f.restarts = std::max(f.restarts, c["restartCount"].integer());
  std::string_view cost = v["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"].str();
  std::from_chars(cost.data(), cost.data() + cost.size(), f.deletion_cost);
  return f;
}

const PodFacts& PodFactsCache::of(const Object& pod) {
  Known& known = known_[pod.header().uid];
  if (known.revision != pod.revision() || pod.revision() == 0) known = {pod.revision(), pod_facts(pod)};
  return known.facts;
}

}  // namespace lotse::control
