#include <fmt/format.h>

#include <thread>

#include "core/cli/cluster.h"

namespace lotse::cli {
namespace {

constexpr Duration kBetweenTries = std::chrono::milliseconds(500);  // while a budget holds pods up, or they end

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

// True where it is out of the way: gone, or another one of the same name.
bool is_gone(Cluster& cluster, const ObjectPtr& pod) {
  auto now = cluster.get(kPods, pod->header().ns, pod->header().name);
  return now.ok() ? (*now)["metadata"]["uid"].str() != pod->header().uid : now.status().reason == Reason::kNotFound;
}

// Evicts all at once, again those that a budget holds up, and waits until they are gone.
Status evict_all(Cluster& cluster, const Pods& pods, const Drain& wanted, Streams streams) {
  const auto end = Clock::system().steady() + wanted.timeout;
  Pods left = pods, ending;
  std::string held;
  while (true) {
    Pods again;
    for (const auto& pod : left) {
      Status status = evict(cluster, pod, wanted.grace_s);
      if (status.ok()) streams.out << "evicted " << full_name(pod) << "\n" << std::flush, ending.push_back(pod);
      else if (status.reason == Reason::kTooManyRequests) again.push_back(pod), held = status.message;
      else if (status.reason != Reason::kNotFound && status.reason != Reason::kConflict) return status;
    }
    left.swap(again);
    std::erase_if(ending, [&](const ObjectPtr& pod) { return is_gone(cluster, pod); });
    if (left.empty() && ending.empty()) return {};
    if (wanted.timeout != Duration::zero() && Clock::system().steady() >= end) {
      return Status(Reason::kTimeout, left.empty() ? fmt::format("{} pod(s) have not ended in time, {} the first", ending.size(), full_name(ending[0]))
                                                   : fmt::format("{} could not be evicted in time: {}", full_name(left[0]), held));
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Status mark(Cluster& cluster, const std::string& node, bool unschedulable) {
  return cluster.patch(kNodes, "", node, json::Value::object({{"spec", json::Value::object({{"unschedulable", unschedulable ? json::Value(true) : json::Value()}})}}));
}

Result<Pods> pods_of(Cluster& cluster, const std::string& node) { return cluster.list(kPods, "", {{"fieldSelector", "spec.nodeName=" + node}}); }

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
  if (Status done = evict_all(cluster, pods, wanted, streams); !done.ok()) {
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
