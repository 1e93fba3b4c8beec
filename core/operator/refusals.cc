#include "core/operator/refusals.h"

#include <algorithm>
#include <map>

#include "core/sched/form.h"
#include "lotse/scheduling/policy.hpp"

namespace lotse::ops {
namespace {

struct Answers {
  std::map<std::string, std::vector<std::string>> reasons;
  void take(const lotse_sched_reason* list, size_t count) {
    for (size_t i = 0; i < count; ++i) reasons[std::string(scheduling::view(list[i].node))].emplace_back(scheduling::view(list[i].reason));
  }
};

sched::SelectNamespaces selecting(const std::vector<ObjectPtr>& namespaces) {
  return [&namespaces](const LabelSelector& selector) {
    std::vector<std::string> names;
    for (const auto& ns : namespaces)
      if (selector.matches(ns->header().labels)) names.push_back(ns->header().name);
    return names;
  };
}

}  // namespace

std::vector<NodeAnswer> ask_nodes(const Surroundings& s) {
  auto profile = scheduling::default_profile();
  profile.preemption = false;
  scheduling::Policy policy(std::move(profile));
  for (const auto& node : s.nodes) policy.node_set(sched::NodeForm(*node).raw());
  const auto select = selecting(s.namespaces);
  for (const auto& other : s.pods) {
    if (other->header().node_name.empty() || other->header().uid == s.pod->header().uid || sched::finished(*other)) continue;
    policy.pod_set(sched::PodForm(other, select).raw());
  }
  const sched::PodForm pod(s.pod, select);
  std::vector<NodeAnswer> out;
  // One after the other, as if spec.nodeName asked for it: a policy that finds a node says nothing about the others.
  for (const auto& node : s.nodes) {
    const lotse_sched_pod wanted = pod.on(node->header().name);
    const lotse_sched_pod* list[] = {&wanted};
    Answers answers;
    lotse_sched_answers raw{};
    raw.size = sizeof raw;
    raw.ctx = &answers;
    raw.assign = [](void*, size_t, lotse_bytes) {};
    raw.refuse = [](void* ctx, size_t, const lotse_sched_reason* reasons, size_t count) { static_cast<Answers*>(ctx)->take(reasons, count); };
    policy.schedule(list, 1, 0, raw);
    policy.pod_remove(wanted.uid);  // where it fits it has been placed
    out.push_back({node->header().name, std::move(answers.reasons[node->header().name])});
  }
  std::sort(out.begin(), out.end(), [](const NodeAnswer& a, const NodeAnswer& b) { return a.node < b.node; });
  return out;
}

}  // namespace lotse::ops
