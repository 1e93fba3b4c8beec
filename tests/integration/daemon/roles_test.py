"""roles_test.py BIN_DIR: every controller, the scheduler and the agents work with the rights of their roles. The scenario makes each of
them do its work; not one request may be forbidden on the way."""
import re
import sys
import time

import cluster
from cluster import DEPLOYMENTS, PODS, ApiError, Daemon

BIN_DIR = sys.argv[1]
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def forbidden(api):
    """What was answered with 403 until now: {what: how often}."""
    found = {}
    for line in api.call("GET", "/metrics").splitlines():
        match = re.match(r'apiserver_request_total\{(.*code="403".*)\} (\d+)', line)
        if match:
            found[match[1]] = int(match[2])
    return found


def there(api, path):
    return api.raw("GET", path)[0] == 200


def namespace(api, name):
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    base = f"/api/v1/namespaces/{name}"
    cluster.until("serviceaccount and root-ca-cert-publisher", lambda: there(api, base + "/serviceaccounts/default") and there(api, base + "/configmaps/kube-root-ca.crt"))


def rollouts(api):
    api.post(DEPLOYMENTS, cluster.deployment("web", 3))
    api.post("/api/v1/namespaces/default/services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
    api.post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
                                                                          "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}})
    cluster.until("available", lambda: cluster.available(api, "web", 3))
    # A new template, then fewer, then another selector's pods adopted.
    api.merge(DEPLOYMENTS + "/web", {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}})
    cluster.until("rolled out", lambda: (lambda s: s.get("updatedReplicas") == 3 and s.get("replicas") == 3 and s.get("availableReplicas") == 3)(api.get(DEPLOYMENTS + "/web")["status"]))
    cluster.until("endpoints", lambda: len(api.get("/api/v1/namespaces/default/endpoints/web").get("subsets") or [{}]) and
                  len((api.get("/api/v1/namespaces/default/endpoints/web").get("subsets") or [{}])[0].get("addresses", [])) == 3)
    slices = lambda: api.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Dweb")["items"]
    cluster.until("slices", lambda: sum(len(s["endpoints"]) for s in slices()) == 3)
    cluster.until("disruption", lambda: api.get("/apis/policy/v1/namespaces/default/poddisruptionbudgets/web").get("status", {}).get("currentHealthy") == 3)
    pod = api.get(PODS + "?labelSelector=app%3Dweb")["items"][0]["metadata"]["name"]
    api.post(f"{PODS}/{pod}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}})
    cluster.until("evicted and replaced", lambda: not there(api, f"{PODS}/{pod}") and cluster.available(api, "web", 3))
    api.merge(DEPLOYMENTS + "/web", {"spec": {"replicas": 1}})
    cluster.until("scaled", lambda: cluster.available(api, "web", 1))


def unschedulable(api):
    api.post(DEPLOYMENTS, cluster.deployment("nowhere", 1, nodeSelector={"no": "where"}))
    items = lambda: api.get(PODS + "?labelSelector=app%3Dnowhere")["items"]
    cluster.until("the scheduler says why", lambda: items() and any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" for c in items()[0]["status"].get("conditions", [])))
    api.delete(DEPLOYMENTS + "/nowhere")


def preemption(api):
    api.post("/apis/scheduling.k8s.io/v1/priorityclasses", {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000})
    cpu = api.get("/api/v1/nodes/node-hollow-0")["status"]["allocatable"]["cpu"]

    def pod(name, **spec):
        container = {"name": "c", "image": "example.test/app:1", "resources": {"requests": {"cpu": cpu}}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": dict({"containers": [container], "nodeSelector": {"kubernetes.io/hostname": host}, "terminationGracePeriodSeconds": 0}, **spec)}

    # A node of its own for the two, else others' requests are in the way.
    host = "only-here"
    api.merge("/api/v1/nodes/node-hollow-0", {"metadata": {"labels": {"place": host}}})
    low, high = pod("low", nodeSelector={"place": host}), pod("high", nodeSelector={"place": host}, priorityClassName="high")
    api.post(PODS, low)
    cluster.until("low runs", lambda: api.get(PODS + "/low")["status"]["phase"] == "Running")
    api.post(PODS, high)
    cluster.until("high has its place", lambda: api.get(PODS + "/high")["status"]["phase"] == "Running")
    assert not there(api, PODS + "/low")
    api.delete(PODS + "/high")


def taints(api):
    api.post(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "here"}, "spec": {"nodeName": "node-hollow-1", "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "example.test/app:1"}]}})
    cluster.until("it runs", lambda: api.get(PODS + "/here")["status"]["phase"] == "Running")
    api.merge("/api/v1/nodes/node-hollow-1", {"spec": {"taints": [{"key": "out", "effect": "NoExecute"}]}})
    cluster.until("taint-eviction", lambda: not there(api, PODS + "/here"))
    api.merge("/api/v1/nodes/node-hollow-1", {"spec": {"unschedulable": True}})
    cluster.until("the node's condition is a taint", lambda: any(t["key"] == "node.kubernetes.io/unschedulable" for t in api.get("/api/v1/nodes/node-hollow-1")["spec"].get("taints", [])))
    api.merge("/api/v1/nodes/node-hollow-1", {"spec": {"unschedulable": None, "taints": None}})


def orphans(api):
    """A pod of a node that nobody has, owners that are gone, and a deletion that waits for what is owned."""
    ghost = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}}
    api.post("/api/v1/nodes", ghost)
    api.post(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "haunted"}, "spec": {"nodeName": "ghost", "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "example.test/app:1"}]}})
    config_maps = cluster.CONFIGMAPS
    owner = api.post(config_maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}
    api.post("/api/v1/namespaces/default/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "owned", "ownerReferences": [reference]}})
    api.call("DELETE", config_maps + "/owner", {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"})
    cluster.until("garbage collection in the foreground", lambda: not there(api, config_maps + "/owner") and not there(api, "/api/v1/namespaces/default/secrets/owned"))
    api.call("DELETE", DEPLOYMENTS + "/web", {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"})
    sets = lambda: api.get("/apis/apps/v1/namespaces/default/replicasets?labelSelector=app%3Dweb")["items"]
    cluster.until("orphaned", lambda: not there(api, DEPLOYMENTS + "/web") and sets() and not any(s["metadata"].get("ownerReferences") for s in sets()))
    api.post(DEPLOYMENTS, cluster.deployment("web", 1))
    cluster.until("adopted", lambda: sets() and all(s["metadata"].get("ownerReferences") for s in sets()))
    api.delete("/api/v1/nodes/ghost")
    for s in sets():
        api.delete(f"/apis/apps/v1/namespaces/default/replicasets/{s['metadata']['name']}")


def namespace_with_content(api):
    for path, thing in (("/apis/apps/v1/namespaces/team/deployments", dict(cluster.deployment("x", 2), metadata={"name": "x"})),
                        ("/api/v1/namespaces/team/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}),
                        ("/apis/rbac.authorization.k8s.io/v1/namespaces/team/roles", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": []}),
                        ("/apis/coordination.k8s.io/v1/namespaces/team/leases", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}})):
        api.post(path, thing)
    cluster.until("available", lambda: api.get("/apis/apps/v1/namespaces/team/deployments/x").get("status", {}).get("availableReplicas") == 2)
    api.delete("/api/v1/namespaces/team")
    cluster.until("the namespace is gone with all that was in it", lambda: not there(api, "/api/v1/namespaces/team"))


def a_role_that_is_missing(api):
    """The test can fail: without its rules a controller is refused, and it shows."""
    before = forbidden(api)
    role = api.get(ROLES + "/system:controller:replicaset-controller")
    api.merge(ROLES + "/system:controller:replicaset-controller", {"rules": []})
    api.post(DEPLOYMENTS, cluster.deployment("without", 1))
    cluster.until("it is refused", lambda: forbidden(api) != before)
    assert any('resource="pods"' in what and 'verb="create"' in what for what in forbidden(api)), forbidden(api)
    api.merge(ROLES + "/system:controller:replicaset-controller", {"rules": role["rules"]})
    cluster.until("with its rules it works again", lambda: cluster.available(api, "without", 1))


cluster.own_network()
with Daemon(BIN_DIR, {"plugins.runtime.hollow": {"nodes": 3}}) as daemon:
    daemon.start()
    api = daemon.api
    cluster.until("the nodes are ready", lambda: cluster.nodes_ready(api) == 3)
    namespace(api, "team")
    for step in (rollouts, unschedulable, preemption, taints, orphans, namespace_with_content):
        begin = time.monotonic()
        step(api)
        refused = forbidden(api)
        if step is namespace_with_content:  # whoever is quick enough to replace a pod of a namespace that ends is refused by its admission
            refused = {what: n for what, n in refused.items() if not re.match('verb="create",resource="(pods|events)",subresource=""', what)}
        assert not refused, (step.__name__, refused)
        print(f"ok   {step.__name__.replace('_', ' ')}: nothing forbidden ({time.monotonic() - begin:.1f} s)")
    said = [line for line in daemon.log_text().splitlines() if re.search("forbidden|403", line, re.I) and "is being terminated" not in line]
    assert not said, said
    members = [b["metadata"]["name"] for b in api.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")["items"] for s in b.get("subjects", []) if s["name"] == "system:masters"]
    assert members == ["cluster-admin"], members
    a_role_that_is_missing(api)
    print("ok   without its role a controller is refused, and with it works again")
