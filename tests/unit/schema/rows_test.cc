#include <catch2/catch.hpp>

#include "unit/schema/edit.h"

using namespace lotse;
using namespace lotse::schema;

namespace {

// The cells of the columns that are shown without -o wide, or all of them.
std::string cells(std::string_view text, bool wide = false) {
  const json::Value object = yaml(text);
  const ResourceInfo& r = resource_of(object);
  const std::vector<json::Value> all = row(r, object, *parse_time("2026-01-02T03:04:05Z"));
  REQUIRE(all.size() == r.columns.size());
  std::string out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!wide && r.columns[i].priority > 0) continue;
    out += (out.empty() ? "" : " | ") + (all[i].is_string() ? std::string(all[i].str()) : json::write(all[i]));
  }
  return out;
}

std::string pod(std::string_view rest) {
  return cells("{apiVersion: v1, kind: Pod, metadata: {name: p, creationTimestamp: '2026-01-02T03:02:05Z'}, " +
               std::string(rest) + "}");
}

}  // namespace

TEST_CASE("every resource with columns has as many cells") {
  for (const ResourceInfo* r : all()) {
    if (r->columns.empty()) continue;
    INFO(r->resource << " " << r->group);
    CHECK(row(*r, json::Value::object(), WallTime()).size() == r->columns.size());
  }
}

TEST_CASE("a pod's status tells what holds it up") {
  CHECK(pod("spec: {containers: [{name: a}, {name: b}]}, status: {phase: Pending}") == "p | 0/2 | Pending | 0 | 2m");
  CHECK(pod("spec: {containers: [{name: a}]}, status: {phase: Running, containerStatuses: [{name: a, ready: true, "
            "restartCount: 0, state: {running: {}}}]}") == "p | 1/1 | Running | 0 | 2m");
  CHECK(pod("spec: {containers: [{name: a}]}, status: {phase: Running, containerStatuses: [{name: a, restartCount: 3, "
            "state: {waiting: {reason: CrashLoopBackOff}},"
            "lastState: {terminated: {finishedAt: '2026-01-02T03:03:05Z'}}}]}") ==
        "p | 0/1 | CrashLoopBackOff | 3 (60s ago) | 2m");
  CHECK(pod("spec: {containers: [{name: a}]}, status: {phase: Failed, containerStatuses: [{name: a, restartCount: 0, "
            "state: {terminated: {exitCode: 3}}}]}") == "p | 0/1 | ExitCode:3 | 0 | 2m");
  CHECK(pod("spec: {initContainers: [{name: i}, {name: j}], containers: [{name: a}]}, status: {phase: Pending, "
            "initContainerStatuses: [{name: i, state: {terminated: {exitCode: 0}}},"
            "{name: j, state: {running: {}}}]}") == "p | 0/1 | Init:1/2 | 0 | 2m");
  CHECK(
      pod("spec: {initContainers: [{name: i}], containers: [{name: a}]}, status: {phase: Pending, "
          "initContainerStatuses: [{name: i, restartCount: 1, state: {terminated: {exitCode: 1, reason: Error}}}]}") ==
      "p | 0/1 | Init:Error | 1 | 2m");
  CHECK(pod("spec: {initContainers: [{name: i, restartPolicy: Always}], containers: [{name: a}]}, status: {phase: "
            "Running, initContainerStatuses: [{name: i, ready: true, started: true, state: {running: {}}}],"
            "containerStatuses: [{name: a, ready: true, state: {running: {}}}]}") == "p | 2/2 | Running | 0 | 2m");
  CHECK(pod("spec: {containers: [{name: a}]}, status: {phase: Pending, conditions: [{type: PodScheduled, status: "
            "'False', reason: SchedulingGated}]}") == "p | 0/1 | SchedulingGated | 0 | 2m");
  CHECK(cells("{apiVersion: v1, kind: Pod, metadata: {name: p, deletionTimestamp: '2026-01-02T03:04:05Z'}, spec: "
              "{nodeName: n1, readinessGates: [{conditionType: x/y}]}, status: {phase: Running, podIP: 10.0.0.1}}",
              true) == "p | 0/0 | Terminating | 0 | <unknown> | 10.0.0.1 | n1 | <none> | 0/1");
}

TEST_CASE("services and endpoints") {
  CHECK(cells("{apiVersion: v1, kind: Service, metadata: {name: s, creationTimestamp: '2026-01-01T03:04:05Z'}, spec: "
              "{type: NodePort, clusterIP: 10.0.0.1, ports: [{port: 80, nodePort: 30000, protocol: TCP}, {port: 53, "
              "protocol: UDP}], selector: {b: '1', a: '2'}}}",
              true) == "s | NodePort | 10.0.0.1 | <none> | 80:30000/TCP,53/UDP | 24h | a=2,b=1");
  CHECK(
      cells(
          "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer, clusterIPs: [10.0.0.1]}}") ==
      "s | LoadBalancer | 10.0.0.1 | <pending> | <none> | <unknown>");
  CHECK(cells("{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: ExternalName, externalName: "
              "example.com}}") == "s | ExternalName | <none> | example.com | <none> | <unknown>");
  CHECK(cells("{apiVersion: v1, kind: Endpoints, metadata: {name: e}, subsets: [{addresses: [{ip: 10.0.0.1}, {ip: "
              "10.0.0.2}], ports: [{port: 80}, {port: 81}]}]}") ==
        "e | 10.0.0.1:80,10.0.0.1:81,10.0.0.2:80 + 1 more... | <unknown>");
  CHECK(cells("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}, addressType: IPv4, "
              "endpoints: [{addresses: [10.0.0.1]}], ports: [{port: 80}]}") == "e | IPv4 | 80 | 10.0.0.1 | <unknown>");
}

TEST_CASE("nodes, events and workloads") {
  CHECK(cells("{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {node-role.kubernetes.io/control-plane: '', "
              "node-role.kubernetes.io/worker: ''}}, spec: {unschedulable: true}, status: {conditions: [{type: Ready, "
              "status: 'True'}], nodeInfo: {kubeletVersion: v1.36.0}}}") ==
        "n1 | Ready,SchedulingDisabled | control-plane,worker | <unknown> | v1.36.0");
  CHECK(cells("{apiVersion: v1, kind: Event, metadata: {name: e}, involvedObject: {kind: Pod, name: p, fieldPath: "
              "'spec.containers{a}'}, type: Warning, reason: BackOff, message: \"again\\n\", count: 3, firstTimestamp: "
              "'2026-01-02T03:03:05Z', lastTimestamp: '2026-01-02T03:03:55Z', source: {component: kubelet, host: n1}}",
              true) == "10s | Warning | BackOff | pod/p | spec.containers{a} | kubelet, n1 | again | 60s | 3 | e");
  CHECK(cells("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 3, selector: "
              "{matchLabels: {app: d}}, template: {spec: {containers: [{name: a, image: x}, {name: b, image: z}]}}}, "
              "status: {readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1}}",
              true) == "d | 2/3 | 3 | 1 | <unknown> | a,b | x,z | app=d");
  CHECK(cells("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r}, spec: {replicas: 3}, status: {replicas: 2, "
              "readyReplicas: 1}}") == "r | 3 | 2 | 1 | <unknown>");
  CHECK(cells("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b}, spec: {minAvailable: 50%}, "
              "status: {disruptionsAllowed: 1}}") == "b | 50% | N/A | 1 | <unknown>");
  CHECK(cells("{apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: c, ownerReferences: [{apiVersion: "
              "apps/v1, kind: StatefulSet, name: s, controller: true}]}, revision: 2}") ==
        "c | statefulset.apps/s | 2 | <unknown>");
}

TEST_CASE("configuration and access") {
  CHECK(cells("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}, binaryData: {c: ''}}") ==
        "c | 2 | <unknown>");
  CHECK(cells("{apiVersion: v1, kind: Secret, metadata: {name: s}, type: Opaque, data: {a: b}}") ==
        "s | Opaque | 1 | <unknown>");
  CHECK(cells("{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b}, roleRef: {kind: "
              "Role, name: r}, subjects: [{kind: User, name: u}, {kind: ServiceAccount, namespace: d, name: s}]}",
              true) == "b | Role/r | <unknown> | u |  | d/s");
  CHECK(cells("{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, creationTimestamp: "
              "'2026-01-02T03:04:05Z'}}") == "r | 2026-01-02T03:04:05Z");
  CHECK(cells("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: p}, value: 5, "
              "preemptionPolicy: Never}") == "p | 5 | false | <unknown> | Never");
}
