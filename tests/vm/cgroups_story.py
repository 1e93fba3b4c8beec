#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests, limits and classes as the kernel has them, in a machine whose cgroups are mounted as LOTSE_VM says (v2 or v1): what is
written for pods and containers, what the kernel does at the limit, what is counted, and what is left afterwards."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "e2e"))
import cluster
import direct
from cluster import expect, read, wait_until
from objects import container, container_status, pod, script
from story import main, step

V2 = os.environ.get("LOTSE_VM", "v2") == "v2"
MI = 1 << 20
SLEEP = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]


def directory(path, controller):
    return "/sys/fs/cgroup" + ("" if V2 else "/" + controller) + path


def limits(path):
    """What the group has, in the same words for both versions: shares (as v1 counts), cores (None: no limit), memory (None: no limit)."""
    if V2:
        quota, period = read(directory(path, "cpu") + "/cpu.max").split()
        memory = read(directory(path, "memory") + "/memory.max").strip()
        return {"weight": int(read(directory(path, "cpu") + "/cpu.weight")), "cores": None if quota == "max" else int(quota) / int(period),
                "memory": None if memory == "max" else int(memory)}
    quota, period = (int(read(directory(path, "cpu") + "/cpu.cfs_%s_us" % n)) for n in ("quota", "period"))
    memory = int(read(directory(path, "memory") + "/memory.limit_in_bytes"))
    return {"weight": int(read(directory(path, "cpu") + "/cpu.shares")), "cores": None if quota < 0 else quota / period,
            "memory": None if memory > 1 << 60 else memory}


def weight(milli):
    shares = max(2, milli * 1024 // 1000)
    return 1 + (shares - 2) * 9999 // 262142 if V2 else shares


def group_of(c, p):
    qos = {"Guaranteed": "", "Burstable": "/burstable", "BestEffort": "/besteffort"}[p["status"]["qosClass"]]
    return "/" + c.cgroup() + qos + "/pod" + p["metadata"]["uid"]


def container_group(c, p):
    return group_of(c, p) + "/" + p["status"]["containerStatuses"][0]["containerID"].split("//")[1]


def processes(path):
    return read(directory(path, "memory") + "/cgroup.procs").split()


def running(k, *names):
    def look():
        pods = {p["metadata"]["name"]: p for p in k.pods()}
        return pods if all(pods[n]["status"].get("phase") == "Running" for n in names) else None
    return wait_until("%s run" % ", ".join(names), look, 60, every=1)


@step
def classes_and_limits(c, k):
    sleeper = lambda **resources: container(SLEEP, resources=resources)
    k.apply(pod("sure", sleeper(limits={"cpu": "500m", "memory": "64Mi"})),
            pod("some", sleeper(requests={"cpu": "250m", "memory": "32Mi"}, limits={"cpu": "1", "memory": "48Mi"})),
            pod("open", sleeper(requests={"cpu": "100m"})),
            pod("none", sleeper()))
    pods = running(k, "sure", "some", "open", "none")

    root = "/" + c.cgroup()
    node = k.json("get", "nodes")["items"][0]["status"]["allocatable"]
    expect(limits(root)["memory"] == int(node["memory"][:-2]) * 1024, "all pods together have what is allocatable: %s, %s" % (limits(root), node))
    expect(limits(root)["weight"] == weight(1000 * int(node["cpu"])), "and weigh as much: %s" % limits(root))
    wait_until("the burstable class weighs what its pods request", lambda: limits(root + "/burstable")["weight"] == weight(350))
    expect(limits(root + "/besteffort") == {"weight": weight(0), "cores": None, "memory": None}, "best effort weighs least: %s" % limits(root + "/besteffort"))

    wanted = {"sure": {"weight": weight(500), "cores": 0.5, "memory": 64 * MI}, "some": {"weight": weight(250), "cores": 1, "memory": 48 * MI},
              "open": {"weight": weight(100), "cores": None, "memory": None}, "none": {"weight": weight(0), "cores": None, "memory": None}}
    for name, want in wanted.items():
        for path in (group_of(c, pods[name]), container_group(c, pods[name])):
            expect(limits(path) == want, "%s in %s: %s, wanted %s" % (name, path, limits(path), want))
    if V2:
        inner = directory(container_group(c, pods["sure"]), "")
        expect({"cpu", "memory", "pids"} <= set(read(inner + "/cgroup.controllers").split()), "the container has its controllers")
        expect(read(inner + "/memory.oom.group") == "1\n", "the kernel kills a container as a whole")
        expect(read(inner + "/memory.swap.max") == "0\n", "a container does not swap")
        expect(read(directory(group_of(c, pods["sure"]), "") + "/pids.max") == "max\n", "no limit of processes that nobody set")
    scores = {name: int(read("/proc/%s/oom_score_adj" % processes(container_group(c, p))[0])) for name, p in pods.items()}
    expect(scores["sure"] == -997 and scores["none"] == 1000 and 2 < scores["some"] < 1000, "who is killed first: %s" % scores)

    # What is counted.
    stats = json.loads(k("get", "--raw", "/api/v1/nodes/%s/proxy/stats/summary" % c.node()))
    mine = {p["podRef"]["name"]: p for p in stats["pods"] if p["podRef"]["namespace"] == k.namespace}
    expect(set(mine) == set(pods), "all pods are in the summary: %s" % list(mine))
    for name, counted in mine.items():
        expect(0 < counted["memory"]["workingSetBytes"] < 48 * MI, "%s works with some memory: %s" % (name, counted["memory"]))
        expect(counted["cpu"]["usageCoreNanoSeconds"] > 0, "%s has used the processor" % name)
    expect(0 < stats["node"]["memory"]["availableBytes"] < int(node["memory"][:-2]) * 1024, "the node's memory: %s" % stats["node"]["memory"])
    expect(c.node_condition("MemoryPressure") == "False", "no memory pressure")

    # And what is left: nothing.
    k("delete", "pod", "--all", "--timeout=%ds" % 120, timeout=60)
    for p in pods.values():
        for controller in ("cpu", "memory", "pids"):
            expect(not os.path.exists(directory(group_of(c, p), controller)), "the group of %s is gone" % p["metadata"]["name"])
    wait_until("the burstable class weighs nothing again", lambda: limits(root + "/burstable")["weight"] == weight(0))


@step
def too_much_memory(c, k):
    """On v2 the whole container ends with the process that took too much; on v1 the others of it go on."""
    hungry = "/bin/busybox tail /dev/zero"
    memory = {"resources": {"limits": {"memory": "16Mi", "cpu": "500m"}}}
    k.apply(pod("alone", container(hungry.split(), **memory), restartPolicy="Never"),
            pod("child", script(hungry + "; echo it goes on; exec sleep 100000", **memory), restartPolicy="Never"))
    for name in ("alone", "child") if V2 else ("alone",):
        wait_until(name + " has failed", lambda: k.phase(name) == "Failed", 60, every=1)
        ended = wait_until("the kernel's word about memory is the reason", lambda: [
            t for t in [container_status(k, name)["state"]["terminated"]] if t["reason"] == "OOMKilled"], every=1)[0]
        expect(ended["exitCode"] == 137, "killed: %s" % ended)
    if not V2:
        wait_until("what is left of the container goes on", lambda: "it goes on" in k("logs", "child"), 30, every=1)
        expect(k.phase("child") == "Running", "it runs")


def killed_and_started_again(c, k):
    k.apply(pod("steady", container(SLEEP, resources={"limits": {"cpu": "300m", "memory": "32Mi"}})))
    before = running(k, "steady")["steady"]
    path = container_group(c, before)
    pids = processes(path)
    c.daemon.kill()
    c.daemon.wait()
    expect(pids and processes(path) == pids, "the container has not ended with lotsed")
    c.start_daemon()
    c.wait_ready()
    wait_until("the pod is ready", lambda: container_status(k, "steady").get("ready"), every=1)
    after = k.json("get", "pod", "steady")
    expect(container_group(c, after) == path and after["status"]["containerStatuses"][0]["restartCount"] == 0, "the same container")
    expect(processes(path) == pids, "the same processes")
    expect(limits(path) == {"weight": weight(300), "cores": 0.3, "memory": 32 * MI}, "its limits: %s" % limits(path))
    k("delete", "pod", "steady", "--timeout=%ds" % 120, timeout=60)
    expect(not os.path.exists(directory(group_of(c, before), "memory")), "its group is gone")


if V2:  # e2e_restart tells the same where v1 is mounted
    step(killed_and_started_again)

if __name__ == "__main__":
    cluster.Kubectl = direct.Kubectl
    main(170)
