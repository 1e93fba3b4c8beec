"""scale_test.py BIN_DIR: a hundred hollow nodes in one daemon. Each is a node like any other, with a session and a name of its own; pods
are spread over them, run, and are gone with their Deployment."""
import collections
import sys
import time

import cluster

BIN_DIR = sys.argv[1]
NODES, PODS = 100, 500


def lap(daemon, what, since):
    begin, cpu = since
    print(f"ok   {what}: {time.monotonic() - begin:.1f} s, {daemon.cpu_seconds() - cpu:.1f} s of processor")


def now(daemon):
    return time.monotonic(), daemon.cpu_seconds()


def nodes_register(daemon):
    begin = now(daemon)
    cluster.until("all nodes are ready", lambda: cluster.nodes_ready(daemon.api) == NODES, 90)
    lap(daemon, f"{NODES} nodes ready", begin)
    names = {n["metadata"]["name"] for n in daemon.api.get("/api/v1/nodes")["items"]}
    assert names == {f"node-hollow-{i}" for i in range(NODES)}, names
    assert f"{NODES} node(s) connected" in daemon.lotse("status").stdout.decode()
    leases = lambda: daemon.api.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")["items"]
    cluster.until("each has a lease of its own", lambda: {l["metadata"]["name"] for l in leases()} == names)
    assert all(l["spec"]["holderIdentity"] == l["metadata"]["name"] for l in leases())


def pods_run(daemon):
    begin = now(daemon)
    daemon.api.post(cluster.DEPLOYMENTS, cluster.deployment("many", PODS))
    cluster.until("all pods are available", lambda: cluster.available(daemon.api, "many", PODS), 200)
    lap(daemon, f"{PODS} pods bound and running", begin)
    pods = daemon.api.get(cluster.PODS)["items"]
    assert len(pods) == PODS and all(p["status"]["phase"] == "Running" for p in pods), collections.Counter(p["status"]["phase"] for p in pods)
    assert len({p["status"]["podIP"] for p in pods}) == PODS
    spread = collections.Counter(p["spec"]["nodeName"] for p in pods)
    # Pods that come while the last nodes register may find others: nearly all nodes are used, and none much more than its share.
    assert len(spread) >= 0.9 * NODES and max(spread.values()) <= 3 * PODS / NODES, spread


def pods_go(daemon):
    begin = now(daemon)
    daemon.api.delete(cluster.DEPLOYMENTS + "/many")
    cluster.until("all pods are gone", lambda: not daemon.api.get(cluster.PODS + "?limit=1")["items"], 200)
    cluster.until("the ReplicaSets are gone", lambda: not daemon.api.get("/apis/apps/v1/namespaces/default/replicasets")["items"])
    lap(daemon, "all gone with their Deployment", begin)


def quiet(daemon):
    """A cluster in which nothing happens costs next to nothing, with a hundred nodes too: heartbeats only."""
    time.sleep(2)
    cpu, begin = daemon.cpu_seconds(), time.monotonic()
    time.sleep(5)
    share = (daemon.cpu_seconds() - cpu) / (time.monotonic() - begin)
    print(f"ok   idle: {share * 100:.1f} % of a processor, {daemon.rss_mib():.0f} MiB")
    assert share < 0.3, share


cluster.own_network()
with cluster.Daemon(BIN_DIR, {"plugins.runtime.hollow": {"nodes": NODES}}) as daemon:
    print(f"ok   started in {daemon.start():.1f} s")
    nodes_register(daemon)
    nodes_mib = daemon.rss_mib()
    pods_run(daemon)
    print(f"     {nodes_mib:.0f} MiB with the nodes, {daemon.rss_mib():.0f} MiB with the pods")
    pods_go(daemon)
    quiet(daemon)
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 10, (code, seconds)
    print(f"ok   ended in {seconds:.1f} s")
