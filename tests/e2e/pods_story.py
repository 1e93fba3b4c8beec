#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a pod's spec says of its network, names, rights and ends, as its containers see it; exact status and events."""
import re
import socket
import time
import urllib.error
import urllib.request

from cluster import expect, wait_until
from objects import SERVE, container, container_status, messages, pod, reasons, script, service
from story import main, step

SLEEP = ["/bin/sleep", "1000"]


def shell(k, name, text, container_name="main"):
    return k("exec", name, "-c", container_name, "--", "/bin/sh", "-c", text).strip()


def proc(k, name, field, container_name="main"):
    """A line of /proc/1/status of a container."""
    return re.search("^%s:\\s*(.*)$" % field, shell(k, name, "cat /proc/1/status", container_name), re.M).group(1).strip()


def waiting(k, name, container_name="main"):
    return container_status(k, name, container_name).get("state", {}).get("waiting", {})


@step
def the_nodes_network(c, k):
    serve = ["/bin/busybox", "httpd", "-f", "-p", "18080", "-h", "/www"]
    k.apply(pod("host", container(serve), hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"), pod("default", container(SLEEP), hostNetwork=True))
    k.wait("condition=Ready", "pod/host", 30)
    k.wait("condition=Ready", "pod/default", 30)
    status = k.json("get", "pod", "host")["status"]
    expect(status["podIP"] == status["hostIP"] == c.network.address and status["podIPs"] == [{"ip": c.network.address}], "its address is the node's: %s" % status)
    expect(urllib.request.urlopen("http://%s:18080/" % c.network.address, timeout=5).read(), "its port is the node's")
    expect(shell(k, "host", "hostname") == socket.gethostname(), "its name is the node's: " + shell(k, "host", "hostname"))
    expect("nameserver 10.96.0.10" in shell(k, "host", "cat /etc/resolv.conf"), "ClusterFirstWithHostNet asks the cluster's DNS")
    expect("10.96.0.10" not in shell(k, "default", "cat /etc/resolv.conf"), "ClusterFirst in the node's network asks as the node does")
    expect("host network" in shell(k, "host", "cat /etc/hosts"), "its hosts file is the node's")


@step
def host_ports(c, k):
    serve = container(SERVE, ports=[{"containerPort": 8080, "hostPort": 18081}])
    k.apply(pod("port", serve))
    k.wait("condition=Ready", "pod/port", 30)
    url = "http://%s:18081/" % c.network.address
    wait_until("the node's port leads to the pod", lambda: urllib.request.urlopen(url, timeout=3).read(), 10)
    k.apply(pod("second", serve))
    wait_until("the scheduler knows that it is taken", lambda: "FailedScheduling" in reasons(k, "second"), 20)
    k("delete", "pod", "port", "--timeout=30s")
    k.wait("condition=Ready", "pod/second", 60)
    wait_until("then it is the other's", lambda: urllib.request.urlopen(url, timeout=3).read(), 10)
    k("delete", "pod", "second", "--timeout=30s")

    def closed():
        try:
            urllib.request.urlopen(url, timeout=3)
        except urllib.error.URLError:
            return True
    wait_until("and nobody's after that", closed, 10)


@step
def processes(c, k):
    k.apply(pod("node", container(SLEEP), hostPID=True), pod("shared", [script("exec sleep 4321", "one"), container(SLEEP, "two")], shareProcessNamespace=True),
            pod("own", [script("exec sleep 4321", "one"), container(SLEEP, "two")]))
    for name in ("node", "shared", "own"):
        k.wait("condition=Ready", "pod/" + name, 30)
    expect("lotsed" in shell(k, "node", "ps"), "hostPID sees the node's processes")
    expect("sleep 4321" in shell(k, "shared", "ps", "two") and "pause" in shell(k, "shared", "ps", "two"), "shareProcessNamespace sees the other container")
    expect("4321" not in shell(k, "own", "ps", "two"), "otherwise it does not: " + shell(k, "own", "ps", "two"))


@step
def names(c, k):
    k.apply(pod("plain", container(SLEEP)), pod("named", container(SLEEP), hostname="web-0", subdomain="crew", hostAliases=[{"ip": "192.0.2.9", "hostnames": ["light.example", "house"]}]),
            pod("full", container(SLEEP), labels={"app": "crew"}, hostname="web-1", subdomain="crew", setHostnameAsFQDN=True), service("crew", clusterIP="None"))
    for name in ("plain", "named", "full"):
        k.wait("condition=Ready", "pod/" + name, 30)
    expect(shell(k, "plain", "hostname") == "plain" and shell(k, "named", "hostname") == "web-0", "hostname")
    domain = "crew.%s.svc.cluster.local" % k.namespace
    expect(shell(k, "full", "hostname") == "web-1." + domain, "setHostnameAsFQDN: " + shell(k, "full", "hostname"))
    hosts = shell(k, "named", "cat /etc/hosts")
    ip = k.json("get", "pod", "named")["status"]["podIP"]
    expect("%s\tweb-0.%s\tweb-0" % (ip, domain) in hosts and "192.0.2.9\tlight.example\thouse" in hosts, "its hosts file: " + hosts)
    full = k.json("get", "pod", "full")["status"]["podIP"]
    wait_until("the headless Service gives its name", lambda: full in shell(k, "plain", "nslookup web-1.%s" % domain), 20)


@step
def dns(c, k):
    k.apply(pod("first", container(SLEEP)), pod("default", container(SLEEP), dnsPolicy="Default"),
            pod("none", container(SLEEP), dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"], "searches": ["a.example"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}),
            pod("more", container(SLEEP), dnsConfig={"searches": ["b.example"], "options": [{"name": "ndots", "value": "1"}]}))
    for name in ("first", "default", "none", "more"):
        k.wait("condition=Ready", "pod/" + name, 30)
    conf = lambda name: dict(line.split(None, 1) for line in shell(k, name, "cat /etc/resolv.conf").splitlines() if " " in line)
    first = conf("first")
    search = "%s.svc.cluster.local svc.cluster.local cluster.local" % k.namespace
    expect(first["nameserver"] == "10.96.0.10" and first["search"].startswith(search) and first["options"] == "ndots:5", "ClusterFirst: %s" % first)
    expect("10.96.0.10" not in shell(k, "default", "cat /etc/resolv.conf"), "Default")
    expect(conf("none") == {"nameserver": "192.0.2.53", "search": "a.example", "options": "ndots:2 edns0"}, "None: %s" % conf("none"))
    more = conf("more")
    expect(more["search"].startswith(search) and more["search"].endswith("b.example") and more["options"] == "ndots:1", "dnsConfig is added: %s" % more)


@step
def last_words(c, k):
    k.apply(pod("said", script("echo done > /dev/termination-log"), restartPolicy="Never"),
            pod("elsewhere", script("echo there > /tmp/last; exit 2", terminationMessagePath="/tmp/last"), restartPolicy="Never"),
            pod("fallback", script("seq 100; exit 1", terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never"),
            pod("fine", script("seq 3; exit 0", terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never"),
            pod("long", script("head -c 9000 /dev/zero | tr '\\0' x > /dev/termination-log"), restartPolicy="Never"))
    ended = lambda name: container_status(k, name).get("state", {}).get("terminated")
    for name in ("said", "elsewhere", "fallback", "fine", "long"):
        wait_until("%s has ended" % name, lambda: ended(name), 30)
    expect(ended("said")["message"] == "done\n" and ended("said")["reason"] == "Completed", "what it wrote: %s" % ended("said"))
    expect(ended("elsewhere")["message"] == "there\n" and ended("elsewhere")["exitCode"] == 2 and ended("elsewhere")["reason"] == "Error", "where it wrote it: %s" % ended("elsewhere"))
    expect(ended("fallback")["message"] == "".join("%d\n" % n for n in range(21, 101)), "the last 80 lines of its log: %s" % ended("fallback"))
    expect("message" not in ended("fine"), "but not of one that ended well")
    expect(len(ended("long")["message"]) == 4096, "no more than 4 KiB: %d" % len(ended("long")["message"]))


@step
def pull_policies(c, k):
    k.apply(pod("present", container(SLEEP)), pod("never", dict(container(SLEEP), imagePullPolicy="Never")),
            pod("missing", dict(container(SLEEP), image="192.0.2.1:5000/nobody/none:1", imagePullPolicy="IfNotPresent")),
            pod("always", dict(container(SLEEP), image="127.0.0.1:1/demo:1", imagePullPolicy="Always")), pod("wrong", dict(container(SLEEP), image="Not an image")))
    for name in ("present", "never"):
        k.wait("condition=Ready", "pod/" + name, 30)
    wait_until("a name that is none", lambda: waiting(k, "wrong").get("reason") == "InvalidImageName", 20)
    wait_until("a registry that is not there", lambda: waiting(k, "always").get("reason") in ("ErrImagePull", "ImagePullBackOff"), 30)
    wait_until("after a while it waits", lambda: waiting(k, "always").get("reason") == "ImagePullBackOff", 30)
    seen = k.json("get", "events", "--field-selector", "involvedObject.name=always")["items"]
    expect({"Pulling", "Failed", "BackOff"} <= {e["reason"] for e in seen}, "its events: %s" % [(e["reason"], e["message"]) for e in seen])
    expect('Container image "lotse.local/demo:1" already present on machine' in " ".join(messages(k, "present", "Pulled")), "what is there is not pulled")
    k("delete", "pod", "missing", "always", "wrong", "--grace-period=0", "--force")


@step
def users_and_rights(c, k):
    def secure(name, context, spec=None, **more):
        return pod(name, container(SLEEP, securityContext=context, **more), **(spec or {}))
    k.apply(secure("user", {"runAsUser": 1000, "runAsGroup": 1001}, {"securityContext": {"runAsUser": 1, "supplementalGroups": [5, 6]}}),
            secure("nonroot", {"runAsNonRoot": True}), secure("nonroot-user", {"runAsNonRoot": True, "runAsUser": 7}),
            secure("bare", {"capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}),
            secure("net", {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}), secure("normal", {}),
            secure("strict", {"seccompProfile": {"type": "RuntimeDefault"}}), secure("free", {"seccompProfile": {"type": "Unconfined"}}),
            secure("sysctl", {}, {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}}), secure("tall", {"privileged": True}))
    for name in ("user", "nonroot-user", "bare", "net", "normal", "strict", "free", "sysctl"):
        k.wait("condition=Ready", "pod/" + name, 40)
    expect(shell(k, "user", "id -u; id -g").split() == ["1000", "1001"] and set(proc(k, "user", "Groups").split()) >= {"5", "6"}, "runAsUser, runAsGroup, supplementalGroups: " + proc(k, "user", "Groups"))
    wait_until("runAsNonRoot refuses root", lambda: waiting(k, "nonroot").get("reason") == "CreateContainerConfigError" and "will run as root" in waiting(k, "nonroot")["message"], 20)
    expect(shell(k, "nonroot-user", "id -u") == "7", "and takes others")
    expect(int(proc(k, "bare", "CapEff"), 16) == 0 and proc(k, "bare", "NoNewPrivs") == "1", "no capabilities, no new privileges")
    expect("Read-only" in shell(k, "bare", "touch /x 2>&1 || true"), "a root that may only be read")
    expect(int(proc(k, "net", "CapEff"), 16) == 1 << 12, "one capability: " + proc(k, "net", "CapEff"))
    expect(int(proc(k, "normal", "CapEff"), 16) == 0xa80425fb and proc(k, "normal", "NoNewPrivs") == "0", "the usual ones: " + proc(k, "normal", "CapEff"))
    expect(proc(k, "strict", "Seccomp") == "2" and proc(k, "free", "Seccomp") == "0", "seccomp")
    expect(shell(k, "sysctl", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "80", "a sysctl of the pod's")
    # A machine whose root lacks a capability cannot give it away: then the refusal is told.
    wait_until("a privileged one runs or says why not", lambda: k.phase("tall") == "Running" and container_status(k, "tall").get("state", {}).get("running") or container_status(k, "tall").get("lastState", {}).get("terminated") or waiting(k, "tall").get("message"), 30)
    if container_status(k, "tall").get("state", {}).get("running"):
        expect(int(proc(k, "tall", "CapEff"), 16) > 0xa80425fb and "fuse" in shell(k, "tall", "ls /dev") or len(shell(k, "tall", "ls /dev").split()) > 20, "the node's devices")


@step
def exact_status(c, k):
    """What kubectl and controllers read in a status, field by field."""
    k.apply(pod("exact", [script("sleep 1; exit 3", resources={"requests": {"cpu": "10m"}, "limits": {"memory": "32Mi"}})], initContainers=[script("true", "first")], restartPolicy="OnFailure"))
    wait_until("it was restarted", lambda: container_status(k, "exact").get("restartCount", 0) == 1 and container_status(k, "exact").get("lastState"), 40)
    wait_until("it waits", lambda: waiting(k, "exact").get("reason") == "CrashLoopBackOff", 30)
    p = k.json("get", "pod", "exact")
    s = p["status"]
    expect(s["phase"] == "Running" and s["qosClass"] == "Burstable" and s["hostIP"] == c.network.address and s["hostIPs"] == [{"ip": c.network.address}], "of the pod: %s" % s)
    expect(s["podIPs"] == [{"ip": s["podIP"]}] and s["startTime"], "addresses")
    conditions = {x["type"]: x for x in s["conditions"]}
    expect({t: x["status"] for t, x in conditions.items()} == {"PodReadyToStartContainers": "True", "Initialized": "True", "Ready": "False", "ContainersReady": "False", "PodScheduled": "True"}, "conditions: %s" % conditions)
    expect(conditions["Ready"]["reason"] == "ContainersNotReady" and conditions["Ready"]["message"] == "containers with unready status: [main]", "why it is not ready")
    first, = s["initContainerStatuses"]
    expect(first["ready"] and first["started"] is False and first["restartCount"] == 0 and first["state"]["terminated"]["reason"] == "Completed", "the init container: %s" % first)
    main_status, = s["containerStatuses"]
    expect(main_status["image"] == "lotse.local/demo:1" and main_status["imageID"].startswith(("sha256:", "lotse.local/")) and re.fullmatch("containerd://[0-9a-f]{64}", main_status["containerID"]), "image and container: %s" % main_status)
    last = main_status["lastState"]["terminated"]
    expect(last["exitCode"] == 3 and last["reason"] == "Error" and last["startedAt"] <= last["finishedAt"] and last["containerID"], "its last end: %s" % last)
    expect(re.match("back-off (10|20|40)s restarting failed container=main pod=exact_%s" % k.namespace, waiting(k, "exact")["message"]), "the wait: %s" % waiting(k, "exact"))
    expect(main_status["resources"] == {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "32Mi"}} and main_status["allocatedResources"] == {"cpu": "10m", "memory": "32Mi"}, "what it has: %s" % main_status)
    mounts = {m["mountPath"]: m for m in main_status["volumeMounts"]}
    expect(mounts["/var/run/secrets/kubernetes.io/serviceaccount"]["readOnly"] is True, "its mounts: %s" % mounts)
    order = [e["reason"] for e in sorted(k.json("get", "events", "--field-selector", "involvedObject.name=exact")["items"], key=lambda e: e["metadata"]["creationTimestamp"])]
    expect(order[0] == "Scheduled" and {"Pulled", "Created", "Started", "BackOff"} <= set(order), "events: %s" % order)
    events = k.json("get", "events", "--field-selector", "involvedObject.name=exact")["items"]
    started = next(e for e in events if e["reason"] == "Started" and e["involvedObject"].get("fieldPath") == "spec.containers{main}")
    expect(started["source"] == {"component": "kubelet", "host": c.node()} and started["reportingComponent"] == "kubelet" and started["type"] == "Normal", "who says so: %s" % started)
    expect(any(e["involvedObject"].get("fieldPath") == "spec.initContainers{first}" for e in events), "of which container")
    backoff = next(e for e in events if e["reason"] == "BackOff")
    expect(backoff["type"] == "Warning" and backoff["message"].startswith("Back-off restarting failed container main in pod exact_"), "the backoff: %s" % backoff["message"])


@step
def graces(c, k):
    k.apply(pod("slow", script("trap 'sleep 2; exit 0' TERM; while true; do sleep 0.1; done"), terminationGracePeriodSeconds=20), pod("deaf", container(SLEEP), terminationGracePeriodSeconds=2))
    k.wait("condition=Ready", "pod/slow", 30)
    k.wait("condition=Ready", "pod/deaf", 30)
    began = time.monotonic()
    k("delete", "pod", "slow", "--timeout=40s")
    expect(1.9 < time.monotonic() - began < 15, "what ends within its grace is not killed: %.1f s" % (time.monotonic() - began))
    began = time.monotonic()
    k("delete", "pod", "deaf", "--timeout=40s")
    expect(1.9 < time.monotonic() - began < 15, "what does not is: %.1f s" % (time.monotonic() - began))
    expect(any("Stopping container main" in m for m in messages(k, "slow", "Killing")), "the end is an event")


if __name__ == "__main__":
    main(280)
