#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Probes of every kind, asked for real: httpGet over HTTP and HTTPS, tcpSocket, grpc, exec; their headers, host, delays, thresholds and
graces. Lifecycle hooks."""
import socket
import time
from datetime import datetime

from cluster import expect, wait_until
from objects import SERVE, container, container_status, messages, pod, reasons, script
from probe_servers import GrpcHealth, Http, certificate
from story import main, step

SLEEP = ["/bin/sleep", "1000"]


def every_second(handler, **more):
    return dict({"periodSeconds": 1, "failureThreshold": 1}, **handler, **more)


def restarts(k, name, container_name="main"):
    return container_status(k, name, container_name).get("restartCount", 0)


def ready(k, name, container_name="main"):
    return container_status(k, name, container_name).get("ready", False)


def started_at(status):
    return datetime.fromisoformat(status["state"]["running"]["startedAt"].replace("Z", "+00:00")).timestamp()


@step
def http_get(c, k):
    server = Http(c.network.address)
    headers = [{"name": "X-Probe", "value": "lotse"}, {"name": "Host", "value": "web.example"}, {"name": "Accept", "value": "text/plain"}]
    k.apply(pod("asked", [
        container(SLEEP, "headers", readinessProbe=every_second(server.get("/headers?a=b", httpHeaders=headers))),
        container(SLEEP, "redirected", readinessProbe=every_second(server.get("/redirect/there"))),
        container(SLEEP, "patient", readinessProbe=every_second(server.get("/slow/2"), timeoutSeconds=5)),
        container(SERVE, "own", ports=[{"name": "web", "containerPort": 8080}], readinessProbe=every_second({"httpGet": {"path": "/", "port": "web"}})),
    ]))
    # Apart, and each as seldom as it may: about one pod a node tells 25 things, then one in five minutes.
    seldom = {"periodSeconds": 5}
    k.apply(pod("failing", [
        container(SLEEP, "refused", readinessProbe=dict(every_second(server.get("/status/503")), **seldom)),
        container(SLEEP, "slow", readinessProbe=dict(every_second(server.get("/slow/2"), timeoutSeconds=1), **seldom)),
        container(SLEEP, "own-closed", readinessProbe=dict(every_second({"httpGet": {"path": "/", "port": 8081}}), **seldom)),
    ]))
    for name in ("headers", "redirected", "patient", "own"):
        wait_until("%s is ready" % name, lambda: ready(k, "asked", name), 20)
    _, _, seen = server.of("/headers?a=b")[0]
    expect(seen["X-Probe"] == "lotse" and seen["Host"] == "web.example" and seen["Accept"] == "text/plain", "the probe's headers: %s" % seen)
    expect(seen["User-Agent"] == "kube-probe/1.36", "who asks: %s" % seen)
    expect(server.of("/there"), "the redirect on the same host was followed")
    wait_until("each failure is an event", lambda: len([m for m in messages(k, "failing", "Unhealthy") if "Readiness probe failed" in m]) >= 3, 15)
    said = messages(k, "failing", "Unhealthy")
    expect(any("HTTP probe failed with statuscode: 503" in m for m in said), "the status: %s" % said)
    expect(any("/slow/2" in m and "deadline exceeded" in m for m in said), "the timeout: %s" % said)
    expect(any(":8081" in m and "refused" in m for m in said), "the closed port: %s" % said)
    for name in ("refused", "slow", "own-closed"):
        expect(not ready(k, "failing", name), "%s is not ready" % name)
    server.close()


@step
def https_get(c, k):
    server = Http(c.network.address, certificate(c.dir))
    k.apply(pod("asked", [container(SLEEP, readinessProbe=every_second(server.get("/tls", scheme="HTTPS", httpHeaders=[{"name": "Host", "value": "probe.example"}]))),
                          container(SLEEP, "plain", readinessProbe=every_second(server.get("/plain")))]))
    wait_until("a certificate that nobody signed is good enough", lambda: ready(k, "asked"), 20)
    expect(server.of("/tls")[0][2]["Host"] == "probe.example", "the host header")
    expect(not ready(k, "asked", "plain") and not server.of("/plain"), "HTTP to an HTTPS port does not do")
    server.close()


@step
def tcp_socket(c, k):
    listener = socket.create_server((c.network.address, 0))
    port = listener.getsockname()[1]
    k.apply(pod("asked", [container(SLEEP, "elsewhere", readinessProbe=every_second({"tcpSocket": {"host": c.network.address, "port": port}})),
                          container(SERVE, "own", readinessProbe=every_second({"tcpSocket": {"port": 8080}})),
                          container(SLEEP, "closed", readinessProbe=every_second({"tcpSocket": {"port": 8081}}))]))
    wait_until("both ports are open", lambda: ready(k, "asked", "elsewhere") and ready(k, "asked", "own"), 20)
    expect(not ready(k, "asked", "closed"), "the closed one is not ready")
    listener.close()
    wait_until("the port was closed", lambda: not ready(k, "asked", "elsewhere"), 10)
    wait_until("the event says so", lambda: any("dial tcp" in m and "refused" in m for m in messages(k, "asked", "Unhealthy")))


@step
def grpc_health(c, k):
    """A pod in the node's network, whose address is where the test's server listens."""
    server = GrpcHealth(c.network.address)
    server.serving["lotse.Sea"] = server.SERVING
    k.apply(pod("asked", [container(SLEEP, readinessProbe=every_second({"grpc": {"port": server.port}}),
                                    livenessProbe=every_second({"grpc": {"port": server.port, "service": "lotse.Sea"}})),
                          container(SLEEP, "unknown", readinessProbe=every_second({"grpc": {"port": server.port, "service": "lotse.None"}}))], hostNetwork=True))
    wait_until("it serves", lambda: ready(k, "asked"), 20)
    expect({"", "lotse.Sea", "lotse.None"} <= set(server.asked), "the services that were asked for: %s" % set(server.asked))
    expect(not ready(k, "asked", "unknown") and restarts(k, "asked") == 0, "a service that is not there is not ready")
    server.serving[""] = server.NOT_SERVING
    wait_until("it does not serve any more", lambda: not ready(k, "asked"), 10)
    wait_until("the event says so", lambda: any("service unhealthy" in m and "NOT_SERVING" in m for m in messages(k, "asked", "Unhealthy")))
    server.serving["lotse.Sea"] = server.NOT_SERVING
    wait_until("the liveness probe restarts it", lambda: restarts(k, "asked") >= 1, 20)
    server.close()


@step
def delays_and_thresholds(c, k):
    server = Http(c.network.address)
    server.status["/live"] = 500
    k.apply(pod("late", container(SLEEP, readinessProbe=dict(server.get("/late"), initialDelaySeconds=4, periodSeconds=1, successThreshold=3))),
            pod("dying", container(SLEEP, livenessProbe=dict(server.get("/live"), periodSeconds=1, failureThreshold=3, terminationGracePeriodSeconds=1)),
                terminationGracePeriodSeconds=300))
    wait_until("it is ready", lambda: ready(k, "late"), 30)
    times = [when for when, _, _ in server.of("/late")]
    began = started_at(container_status(k, "late"))
    expect(times[0] - began >= 3.9, "no probe in the first four seconds: %.1f" % (times[0] - began))
    expect(len([t for t in times if t < times[0] + 1.5]) >= 2, "a probe a second: %s" % times)
    since = next(x for x in k.json("get", "pod", "late")["status"]["conditions"] if x["type"] == "Ready")["lastTransitionTime"]
    expect(datetime.fromisoformat(since.replace("Z", "+00:00")).timestamp() >= int(times[2]), "ready only after the third success: %s, asked %s" % (since, times))
    wait_until("the liveness probe ends it within its own grace, not within the pod's five minutes", lambda: restarts(k, "dying") == 1, 25)
    ended = container_status(k, "dying")["lastState"]["terminated"]
    expect(ended["exitCode"] == 137, "it was killed: %s" % ended)
    expect(len(server.of("/live")) >= 3, "after three failures")
    wait_until("the restart is an event", lambda: any("failed liveness probe, will be restarted" in m for m in messages(k, "dying", "Killing")))
    k("delete", "pod", "dying", "--grace-period=0", "--force")
    server.close()


@step
def startup_first(c, k):
    server = Http(c.network.address)
    server.status.update({"/startup": 500, "/ready": 200, "/live": 500})
    k.apply(pod("slow", container(SLEEP, startupProbe=dict(server.get("/startup"), periodSeconds=1, failureThreshold=30), readinessProbe=every_second(server.get("/ready")))),
            pod("never", container(SLEEP, startupProbe=dict(server.get("/startup"), periodSeconds=1, failureThreshold=2, terminationGracePeriodSeconds=1))))
    wait_until("the startup probe is asked", lambda: len(server.of("/startup")) >= 4, 20)
    expect(not server.of("/ready"), "nothing else is asked before it has succeeded")
    expect(container_status(k, "slow")["started"] is False and not ready(k, "slow"), "it has not started yet")
    wait_until("what never starts is restarted", lambda: restarts(k, "never") >= 1, 20)
    server.status["/startup"] = 200
    wait_until("then it is", lambda: ready(k, "slow") and container_status(k, "slow")["started"] is True, 10)
    count = len(server.of("/startup"))
    seen = len(server.of("/ready"))
    wait_until("readiness goes on", lambda: len(server.of("/ready")) >= seen + 2, 10)
    expect(len([r for r in server.of("/startup")[count:]]) <= 2, "the startup probe of the one that has started is not asked any more")
    server.close()


@step
def hooks(c, k):
    server = Http(c.network.address)
    k.apply(pod("hooked", [container(["/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"],
                                     lifecycle={"postStart": {"exec": {"command": ["/bin/sh", "-c", "echo $0 ran > /tmp/hook"]}}, "preStop": server.get("/bye", httpHeaders=[{"name": "X-Why", "value": "stop"}])}),
                           container(SLEEP, "sleeper", lifecycle={"preStop": {"sleep": {"seconds": 2}}})], terminationGracePeriodSeconds=4),
            pod("unhooked", container(SLEEP, lifecycle={"postStart": {"exec": {"command": ["/bin/false"]}}}), terminationGracePeriodSeconds=1),
            pod("stubborn", container(SLEEP, lifecycle={"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo no >&2; exit 3"]}}}), terminationGracePeriodSeconds=1))
    k.wait("condition=Ready", "pod/hooked", 30)
    k.wait("condition=Ready", "pod/stubborn", 30)
    expect(k("exec", "hooked", "-c", "main", "--", "cat", "/tmp/hook") == "/bin/sh ran\n", "postStart ran in the container")
    began = time.monotonic()
    k("delete", "pod", "hooked", "--timeout=30s")
    expect(1.9 < time.monotonic() - began < 20, "the sleep was waited for: %.1f s" % (time.monotonic() - began))
    expect(server.of("/bye") and server.of("/bye")[0][2]["X-Why"] == "stop", "preStop asked by HTTP, with its headers")
    wait_until("a postStart hook that fails ends the container", lambda: restarts(k, "unhooked") >= 1, 30)
    expect(any("PostStartHook failed" in m for m in messages(k, "unhooked", "FailedPostStartHook")), "its event: %s" % messages(k, "unhooked", "FailedPostStartHook"))
    k("delete", "pod", "stubborn", "--timeout=30s")
    wait_until("a preStop hook that fails is an event and no more", lambda: "FailedPreStopHook" in reasons(k, "stubborn"))
    server.close()


if __name__ == "__main__":
    main(280)
