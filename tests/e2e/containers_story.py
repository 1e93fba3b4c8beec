#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What happens in a pod: crashes and their backoff, probes, init containers and sidecars, restart policies, limits, files that follow
their ConfigMap."""
import time

from cluster import expect, wait_until
from objects import configmap, container, container_status, pod, reasons, script, service
from story import main, step


@step
def a_crash_loop_backs_off(c, k):
    k.apply(pod("crash", script("echo I was here; exit 3")))
    wait_until("it waits in CrashLoopBackOff", lambda: container_status(k, "crash").get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff", 30)
    status = wait_until("the last run's end is told", lambda: container_status(k, "crash") if container_status(k, "crash").get("lastState") else None)
    expect(status["lastState"]["terminated"]["exitCode"] == 3, "its exit code")
    expect(status["restartCount"] >= 1, "it was restarted")
    expect("CrashLoopBackOff" in k("get", "pod", "crash"), "kubectl shows CrashLoopBackOff")
    wait_until("the backoff is an event", lambda: "BackOff" in reasons(k, "crash"))
    began = time.monotonic()
    wait_until("the second restart comes", lambda: container_status(k, "crash")["restartCount"] >= 2, 40)
    expect(k("logs", "crash", "--previous") == "I was here\n", "the previous run's log")
    expect(time.monotonic() - began > 3, "the second restart waits longer than the first")
    expect({"Scheduled", "Pulled", "Created", "Started"} <= set(reasons(k, "crash")), "the other events: %s" % reasons(k, "crash"))


@step
def probes(c, k):
    gated = script("touch /tmp/alive; sleep 1000", readinessProbe={"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1},
                   livenessProbe={"exec": {"command": ["cat", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 1},
                   startupProbe={"exec": {"command": ["cat", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 30})
    k.apply(pod("gated", gated), service("gated"))
    wait_until("it runs", lambda: k.phase("gated") == "Running", 30)
    wait_until("it has started", lambda: container_status(k, "gated").get("started"), 20)
    expect(not container_status(k, "gated")["ready"], "not ready before the file is there")
    addresses = lambda kind: [a["ip"] for s in k.json("get", "endpoints", "gated").get("subsets", []) for a in s.get(kind, [])]
    wait_until("its address is among those not ready", lambda: addresses("notReadyAddresses") and not addresses("addresses"))
    k("exec", "gated", "--", "touch", "/tmp/ready")
    k.wait("condition=Ready", "pod/gated", 15)
    wait_until("its address is ready", lambda: addresses("addresses"))
    k("exec", "gated", "--", "rm", "/tmp/ready")
    wait_until("it is not ready any more", lambda: not container_status(k, "gated")["ready"], 15)
    wait_until("the failure is an event", lambda: "Unhealthy" in reasons(k, "gated"))
    k("exec", "gated", "--", "rm", "/tmp/alive")
    wait_until("the liveness probe restarts it", lambda: container_status(k, "gated")["restartCount"] == 1, 30)
    expect("Killing" in reasons(k, "gated"), "the restart is an event")


@step
def init_containers_and_sidecars(c, k):
    volume = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    k.apply(pod("ordered", script("echo main >> /shared/order; cat /shared/order", **volume), restartPolicy="Never",
                initContainers=[script("echo first >> /shared/order", "first", **volume),
                                script("echo sidecar >> /shared/order; trap 'exit 0' TERM; touch /tmp/up; while true; do sleep 0.1; done", "side", restartPolicy="Always",
                                       startupProbe={"exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1}, **volume),
                                script("echo last >> /shared/order", "last", **volume)],
                volumes=[{"name": "shared", "emptyDir": {}}]))
    wait_until("the pod has succeeded", lambda: k.phase("ordered") == "Succeeded", 40)
    expect(k("logs", "ordered", "-c", "main").split() == ["first", "sidecar", "last", "main"], "the order: " + k("logs", "ordered", "-c", "main"))
    wait_until("the sidecar has ended", lambda: container_status(k, "ordered", "side").get("state", {}).get("terminated"), 20)
    k.apply(pod("refused", script("true"), restartPolicy="Never", initContainers=[script("exit 7", "first")]))
    wait_until("a failed init container fails the pod", lambda: k.phase("refused") == "Failed", 30)
    expect(container_status(k, "refused", "first")["state"]["terminated"]["exitCode"] == 7, "with its exit code")


@step
def restart_policies(c, k):
    k.apply(pod("good", script("echo done"), restartPolicy="Never"), pod("bad", script("exit 4"), restartPolicy="Never"),
            pod("once-more", script("[ -f /shared/ran ] || { touch /shared/ran; exit 1; }", volumeMounts=[{"name": "shared", "mountPath": "/shared"}]),
                restartPolicy="OnFailure", volumes=[{"name": "shared", "emptyDir": {}}]))
    wait_until("exit 0 is Succeeded", lambda: k.phase("good") == "Succeeded", 30)
    wait_until("exit 4 is Failed", lambda: k.phase("bad") == "Failed", 30)
    wait_until("OnFailure tries again", lambda: k.phase("once-more") == "Succeeded", 40)
    expect(container_status(k, "once-more")["restartCount"] == 1, "once")
    lines = {line.split()[0]: line.split()[2] for line in k("get", "pods", "--no-headers").splitlines()}
    expect(lines["good"] == "Completed" and lines["bad"] == "Error", "as kubectl shows them: %s" % lines)
    expect(k("logs", "good") == "done\n", "the log of a completed pod")


@step
def too_much_memory(c, k):
    k.apply(pod("hungry", container(["/bin/busybox", "tail", "/dev/zero"], resources={"limits": {"memory": "16Mi", "cpu": "500m"}}), restartPolicy="Never"))
    wait_until("the pod has failed", lambda: k.phase("hungry") == "Failed", 40)
    ended = lambda: container_status(k, "hungry")["state"]["terminated"]
    wait_until("the kernel's word about memory is the reason", lambda: ended()["reason"] == "OOMKilled" and ended()["exitCode"] == 137)
    expect(k.json("get", "pod", "hungry")["status"]["qosClass"] == "Guaranteed", "limits alone are requests too")


@step
def files_follow_their_configmap(c, k):
    mounts = {"volumeMounts": [{"name": "settings", "mountPath": "/settings"}, {"name": "info", "mountPath": "/info"}]}
    k.apply(configmap("settings", colour="red"),
            pod("reader", script("sleep 1000", env=[{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}}], **mounts),
                volumes=[{"name": "settings", "configMap": {"name": "settings"}},
                         {"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]))
    k.wait("condition=Ready", "pod/reader", 30)
    cat = lambda file: k("exec", "reader", "--", "cat", file)
    expect(cat("/settings/colour") == "red", "the file")
    k.apply(configmap("settings", colour="blue", shape="round"))
    wait_until("the file follows", lambda: cat("/settings/colour") == "blue" and cat("/settings/shape") == "round", 20)
    expect(k("exec", "reader", "--", "sh", "-c", "echo $COLOUR") == "red\n", "the environment stays as it was")
    k("label", "pod", "reader", "mood=fine")
    wait_until("labels follow too", lambda: 'mood="fine"' in cat("/info/labels"), 20)


@step
def a_pod_waits_for_what_it_mounts(c, k):
    k.apply(pod("waiting", script("cat /settings/colour; echo; sleep 1000", volumeMounts=[{"name": "settings", "mountPath": "/settings"}]),
                volumes=[{"name": "settings", "configMap": {"name": "late"}}]))
    wait_until("the failure is an event", lambda: "FailedMount" in reasons(k, "waiting"), 20)
    k.apply(configmap("late", colour="green"))
    k.wait("condition=Ready", "pod/waiting", 30)
    wait_until("it has the file", lambda: k("logs", "waiting") == "green\n", 10)


@step
def an_image_that_is_not_there(c, k):
    k.apply(pod("nothing", dict(container(["/bin/true"]), image="lotse.local/no-such-image:1", imagePullPolicy="Never")))
    wait_until("it says so", lambda: container_status(k, "nothing").get("state", {}).get("waiting", {}).get("reason") == "ErrImageNeverPull", 20)
    k("delete", "pod", "nothing", "--timeout=20s")


if __name__ == "__main__":
    main(230)
