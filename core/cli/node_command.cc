#include <fmt/format.h>

#include "core/cli/cluster.h"

namespace lotse::cli {
namespace {

constexpr Duration kWatchMax = std::chrono::seconds(30);  // then it is listed again

using Pods = std::vector<ObjectPtr>;

std::string full_name(const ObjectPtr& pod) { return pod->header().ns + "/" + pod->header().name; }

bool has_ended(const json::Value& pod) { return pod["status"]["phase"].str() == "Succeeded" || pod["status"]["phase"].str() == "Failed"; }

bool is_of(const ObjectPtr& pod, std::string_view kind) {
  const OwnerRef* owner = pod->header().controller();
  return owner && owner->kind == kind;
}

bool has_empty_dir(const json::Value& pod) {
  for (const auto& volume : pod["spec"]["volumes"].items())
    if (volume.has("emptyDir")) return true;
  return false;
}

// Those that have to go, in *out; what forbids it, a line each.
std::vector<std::string> choose(const Pods& there, const Drain& wanted, Pods* out) {
  std::vector<std::string> refusals;
  for (const auto& pod : there) {
    const json::Value value = pod->value();
    if (value["metadata"]["annotations"].has("kubernetes.io/config.mirror")) continue;
    if (is_of(pod, "DaemonSet")) {
      if (!wanted.ignore_daemon_sets) refusals.push_back(full_name(pod) + " belongs to a DaemonSet, which makes it anew: --ignore-daemonsets leaves it");
      continue;
    }
    if (!has_ended(value) && !pod->header().controller() && !wanted.force) refusals.push_back(full_name(pod) + " has no controller, so nobody makes it anew: --force deletes it");
    else if (!has_ended(value) && has_empty_dir(value) && !wanted.delete_empty_dir) refusals.push_back(full_name(pod) + " has an emptyDir, which goes with it: --delete-emptydir-data accepts that");
    else out->push_back(pod);
  }
  return refusals;
}

Status evict(Cluster& cluster, const ObjectPtr& pod, int64_t grace_s) {
  const auto& h = pod->header();
  json::Value eviction = json::Value::object({{"apiVersion", "policy/v1"}, {"kind", "Eviction"}, {"metadata", json::Value::object({{"name", h.name}, {"namespace", h.ns}})}});
  json::Value options = json::Value::object({{"preconditions", json::Value::object({{"uid", h.uid}})}});
  if (grace_s >= 0) options.set("gracePeriodSeconds", grace_s);
  eviction.set("deleteOptions", std::move(options));
  return cluster.create(kPods, h.ns, h.name, "eviction", eviction);
}

Result<Pods> pods_of(Cluster& cluster, const std::string& node, std::string* revision = nullptr) {
  return cluster.list(kPods, "", {{"fieldSelector", "spec.nodeName=" + node}}, revision);
}

class Deadline {
 public:
  explicit Deadline(Duration most) : end_(Clock::system().steady() + most), endless_(most == Duration::zero()) {}
  bool over() const { return !endless_ && Clock::system().steady() >= end_; }
  Duration watch() const { return endless_ ? kWatchMax : std::min<Duration>(kWatchMax, end_ - Clock::system().steady()); }

 private:
  const SteadyTime end_;
  const bool endless_;
};

// Evicts all at once; those that a budget holds up again whenever a budget has changed.
Status evict_all(Cluster& cluster, Pods left, const Drain& wanted, const Deadline& deadline, Streams streams) {
  while (true) {
    std::string revision, held;
    LOTSE_CHECK_OK(cluster.list(kDisruptionBudgets, "", {{"limit", "1"}}, &revision).status());  // before the try, so that no change is missed
    Pods again;
    for (const auto& pod : left) {
      Status status = evict(cluster, pod, wanted.grace_s);
      if (status.ok()) streams.out << "evicted " << full_name(pod) << "\n" << std::flush;
      else if (status.reason == Reason::kTooManyRequests) again.push_back(pod), held = status.message;
      else if (status.reason != Reason::kNotFound && status.reason != Reason::kConflict) return status;
    }
    left.swap(again);
    if (left.empty()) return {};
    if (deadline.over()) return Status(Reason::kTimeout, fmt::format("{} could not be evicted in time: {}", full_name(left[0]), held));
    LOTSE_CHECK_OK(cluster.watch(kDisruptionBudgets, {}, revision, deadline.watch(), [](std::string_view, const json::Value&) { return false; }));
  }
}

// Until none of them is on the node any more.
Status wait_gone(Cluster& cluster, const Pods& pods, const Drain& wanted, const Deadline& deadline) {
  std::map<std::string, std::string> left;  // by uid: its name
  for (const auto& pod : pods) left.emplace(pod->header().uid, full_name(pod));
  while (true) {
    std::string revision;
    LOTSE_TRY(Pods there, pods_of(cluster, wanted.node, &revision));
    std::erase_if(left, [&](const auto& l) { return std::none_of(there.begin(), there.end(), [&](const ObjectPtr& p) { return p->header().uid == l.first; }); });
    if (left.empty()) return {};
    if (deadline.over()) return Status(Reason::kTimeout, fmt::format("{} pod(s) have not ended in time, {} the first", left.size(), left.begin()->second));
    LOTSE_CHECK_OK(cluster.watch(kPods, {{"fieldSelector", "spec.nodeName=" + wanted.node}}, revision, deadline.watch(), [&](std::string_view type, const json::Value& pod) {
      if (type == "DELETED") left.erase(std::string(pod["metadata"]["uid"].str()));
      return !left.empty();
    }));
  }
}

Status mark(Cluster& cluster, const std::string& node, bool unschedulable) {
  return cluster.patch(kNodes, "", node, json::Value::object({{"spec", json::Value::object({{"unschedulable", unschedulable ? json::Value(true) : json::Value()}})}}));
}

}  // namespace

int drain_node(Cluster& cluster, const Drain& wanted, Streams streams) {
  if (Status marked = mark(cluster, wanted.node, true); !marked.ok()) return failed(cluster, marked, streams);
  streams.out << "node " << wanted.node << " takes no new pods\n" << std::flush;
  auto there = pods_of(cluster, wanted.node);
  if (!there.ok()) return failed(cluster, there.status(), streams);
  Pods pods;
  const auto refusals = choose(*there, wanted, &pods);
  for (const auto& line : refusals) streams.err << "lotse: " << line << "\n";
  if (!refusals.empty()) return kExitFailed;
  const Deadline deadline(wanted.timeout);
  Status done = evict_all(cluster, pods, wanted, deadline, streams);
  if (done.ok()) done = wait_gone(cluster, pods, wanted, deadline);
  if (!done.ok()) {
    streams.err << "lotse: " << done.message << "\n";
    return kExitFailed;
  }
  streams.out << "node " << wanted.node << " is drained\n";
  return kExitOk;
}

int uncordon_node(Cluster& cluster, const std::string& node, Streams streams) {
  if (Status marked = mark(cluster, node, false); !marked.ok()) return failed(cluster, marked, streams);
  streams.out << "node " << node << " takes pods again\n";
  return kExitOk;
}

int remove_node(Cluster& cluster, const std::string& node, bool force, Streams streams) {
  auto there = pods_of(cluster, node);
  if (!there.ok()) return failed(cluster, there.status(), streams);
  size_t running = 0;
  for (const auto& pod : *there) running += !has_ended(pod->value()) && !is_of(pod, "DaemonSet");
  if (running > 0 && !force) {
    streams.err << fmt::format("lotse: {} pod(s) run on {}: `lotse node drain {}` first, or --force where the machine is lost\n", running, node, node);
    return kExitFailed;
  }
  if (Status gone = cluster.remove(kNodes, "", node); !gone.ok()) return failed(cluster, gone, streams);
  streams.out << fmt::format("node {} is no longer of this cluster; `lotse node reset` on that machine ends what runs there, and a new join string lets it in again\n", node);
  return kExitOk;
}

}  // namespace lotse::cli
