#include "core/operator/why.h"

#include <catch2/catch.hpp>

using namespace lotse;
using namespace lotse::ops;

namespace {

const WallTime kNow = *parse_time("2026-06-01T12:00:00Z");
using Lines = std::vector<std::string>;

ObjectPtr object(const std::string& yaml) { return Object::from_value(*json::parse_yaml(yaml), 1); }
json::Value event(const std::string& yaml) { return *json::parse_yaml(yaml); }

ObjectPtr node(const std::string& name, const std::string& cpu, const std::string& more = {}) {
  return object("apiVersion: v1\nkind: Node\nmetadata: {name: " + name + "}\nstatus:\n  allocatable: {cpu: '" + cpu +
                "', memory: 4Gi, pods: '110'}\n  conditions: [{type: Ready, status: 'True', reason: KubeletReady, lastTransitionTime: '2026-06-01T11:00:00Z'}]\n" + more);
}

// A pod of one container that asks for two processors, with further lines for spec and status.
ObjectPtr pod(const std::string& spec, const std::string& status) {
  return object("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default, uid: u1, creationTimestamp: '2026-06-01T11:57:00Z'}\nspec:\n"
                "  containers: [{name: main, image: web, resources: {requests: {cpu: '2'}}}]\n" + spec + "status:\n  phase: Pending\n" + status);
}

// Bound to node a, which is ready, with an address.
Surroundings bound(const std::string& spec, const std::string& status) {
  Surroundings s;
  s.nodes = {node("a", "4")};
  s.pod = pod("  nodeName: a\n" + spec, "  podIPs: [{ip: 10.0.0.5}]\n" + status);
  return s;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("a pod that no node takes is told node by node why") {
  Surroundings s;
  s.pod = pod("", "  conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: 0/2 nodes are available, lastTransitionTime: '2026-06-01T11:59:30Z'}]\n");
  s.nodes = {node("small", "1"), node("kept", "8", "spec:\n  taints: [{key: for, value: others, effect: NoSchedule}]\n")};
  auto e = why(s, kNow);
  CHECK(e.verdict == "pod default/web is Pending: 0/2 nodes are available (30 s ago)");
  REQUIRE(e.steps.size() == 2);
  CHECK(e.steps[0].says == "3 min ago");
  CHECK(e.steps[1].more == Lines{"kept: node(s) had untolerated taint {for: others}", "small: Insufficient cpu"});
}

TEST_CASE("a node that fits now is named, and what other pods take is reckoned in") {
  Surroundings s;
  s.pod = pod("", "  conditions: [{type: PodScheduled, status: 'False'}]\n");
  s.nodes = {node("free", "4"), node("full", "4")};
  s.pods = {object("apiVersion: v1\nkind: Pod\nmetadata: {name: other, namespace: default, uid: u2}\nspec: {nodeName: full, containers: [{name: c, resources: {requests: {cpu: '3'}}}]}\n")};
  CHECK(why(s, kNow).steps.back().more == Lines{"free: fits now; the next attempt takes it", "full: Insufficient cpu"});
}

TEST_CASE("gates and unknown schedulers are told before any node is asked") {
  Surroundings s;
  s.nodes = {node("a", "4")};
  s.pod = pod("  schedulingGates: [{name: example.com/wait}]\n", "");
  CHECK(why(s, kNow).steps.back().more == Lines{"the scheduling gate example.com/wait holds it"});
  s.pod = pod("  schedulerName: mine\n", "");
  CHECK(contains(why(s, kNow).steps.back().more.front(), "the scheduler mine has not said anything"));
}

TEST_CASE("a node that is not ready is to blame, not the containers") {
  Surroundings s;
  s.pod = pod("  nodeName: gone\n", "");
  CHECK(why(s, kNow).verdict == "pod default/web is Pending: gone does not exist: the pod will be collected");
  s.nodes = {object("apiVersion: v1\nkind: Node\nmetadata: {name: gone}\nstatus: {conditions: [{type: Ready, status: Unknown, reason: NodeStatusUnknown, message: no word from it, "
                    "lastTransitionTime: '2026-06-01T11:00:00Z'}]}\n")};
  auto e = why(s, kNow);
  CHECK(e.verdict == "pod default/web is Pending: gone is not ready, 60 min ago");
  CHECK(e.steps.back().more == Lines{"NodeStatusUnknown: no word from it"});
}

TEST_CASE("volumes and sandboxes are told by their events, the latest first") {
  Surroundings s;
  s.pod = pod("  nodeName: a\n", "");
  s.nodes = {node("a", "4")};
  s.events = {event("{type: Warning, reason: FailedMount, message: configmap missing, count: 4, lastTimestamp: '2026-06-01T11:59:00Z'}"),
              event("{type: Warning, reason: FailedCreatePodSandBox, message: no address is free, lastTimestamp: '2026-06-01T11:59:50Z'}"),
              event("{type: Normal, reason: Scheduled, message: fine, lastTimestamp: '2026-06-01T11:57:00Z'}")};
  auto e = why(s, kNow);
  CHECK(e.steps.back().name == "sandbox");
  CHECK(e.steps.back().more == Lines{"FailedCreatePodSandBox: no address is free (10 s ago)", "FailedMount: configmap missing (60 s ago, 4 times)"});
}

TEST_CASE("a container that ends again and again is told with its exit code") {
  Surroundings s = bound("", "  containerStatuses: [{name: main, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff, message: back-off 40s}}, "
                             "lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}]\n");
  auto e = why(s, kNow);
  CHECK(e.verdict == "pod default/web is Pending: 1 of 1 do not run");
  CHECK(e.steps.back().more.front() ==
        "main waits: CrashLoopBackOff: back-off 40s; last time it ended with exit code 137 (OOMKilled): it used more memory than its limit, 5 restarts");
}

TEST_CASE("an init container that has not ended holds the others up") {
  Surroundings s = bound("  initContainers: [{name: first, image: i}, {name: second, image: i}]\n",
                         "  initContainerStatuses: [{name: first, state: {terminated: {exitCode: 0}}}, {name: second, state: {running: {}}}]\n");
  auto e = why(s, kNow);
  CHECK(e.steps.back().says == "second has not ended well");
  CHECK(e.steps.back().more == Lines{"second is running"});
}

TEST_CASE("a pod that runs and is not ready is told by its probe") {
  Surroundings s = bound("", "  conditions: [{type: Ready, status: 'False', message: 'containers with unready status: [main]'}]\n"
                             "  containerStatuses: [{name: main, ready: false, restartCount: 0, state: {running: {}}}]\n");
  s.events = {event("{type: Warning, reason: Unhealthy, message: 'Readiness probe failed: 503', lastTimestamp: '2026-06-01T11:59:55Z'}")};
  auto e = why(s, kNow);
  CHECK(e.steps.back().name == "ready");
  CHECK(e.steps.back().more == Lines{"main runs, and its probe does not succeed yet", "Unhealthy: Readiness probe failed: 503 (5 s ago)"});
}

TEST_CASE("a pod that is well is said to be well, as text and as JSON") {
  Surroundings s = bound("", "  conditions: [{type: Ready, status: 'True', lastTransitionTime: '2026-06-01T11:58:00Z'}]\n"
                             "  containerStatuses: [{name: main, ready: true, restartCount: 2, state: {running: {}}}]\n");
  auto e = why(s, kNow);
  CHECK(e.verdict == "pod default/web runs and is ready");
  CHECK(contains(as_text(e), "  + containers       1 running, restarted 2 times\n"));
  CHECK(as_json(e)["steps"].at(1)["taken"].boolean());
}

TEST_CASE("a pod that is being deleted names what holds it") {
  Surroundings s;
  s.nodes = {node("a", "4")};
  s.pod = object("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default, uid: u1, creationTimestamp: '2026-06-01T11:57:00Z', deletionTimestamp: '2026-06-01T11:59:00Z', "
                 "deletionGracePeriodSeconds: 30, finalizers: [example.com/keep]}\nspec: {nodeName: a}\nstatus: {phase: Running}\n");
  auto e = why(s, kNow);
  CHECK(e.verdict == "pod default/web is being deleted");
  CHECK(e.steps.front().more == Lines{"the finalizer example.com/keep has to be taken away by its owner"});
}

TEST_CASE("a pod that is over says how it ended") {
  Surroundings s;
  s.pod = object("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default}\nspec: {nodeName: a}\nstatus: {phase: Failed, reason: Evicted, message: 'The node was low on resource: memory.'}\n");
  auto e = why(s, kNow);
  CHECK(e.verdict == "pod default/web is over: Failed (Evicted)");
  CHECK(e.steps.back().says == "The node was low on resource: memory.");
}
