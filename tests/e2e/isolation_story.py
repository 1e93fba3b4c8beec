#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""containerd's and iptables' plugins in processes of their own: they do all that they do elsewhere; one that is killed, or hangs, is started
again, and neither containers nor Services nor lotsed notice."""
import os
import signal
import urllib.request

from cluster import expect, read, wait_until
from objects import SERVE, container, deployment, service
from story import main, step

CONFIG = """
[plugins.runtime.containerd]
isolation = "process"
isolation_patience = "3s"
[plugins.proxy.iptables]
isolation = "process"
isolation_patience = "3s"
"""


def hosts(c):
    """The lotse-plugin-hosts of this lotsed, the oldest first."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = read("/proc/%s/stat" % pid).rsplit(")", 1)[1].split()
            name = os.readlink("/proc/%s/exe" % pid)
        except OSError:
            continue
        if name.endswith("/lotse-plugin-host") and int(stat[1]) == c.daemon.pid and stat[0] != "Z":
            found.append(int(pid))
    return sorted(found)


def containers(k):
    return {s["containerID"]: (s["restartCount"], s["state"]["running"]["startedAt"]) for p in k.pods("app=web") for s in p["status"]["containerStatuses"]}


def faults(k):
    return {cond["type"]: cond for n in k.json("get", "nodes")["items"] for cond in n["status"]["conditions"] if cond["type"].startswith("Fault-") and cond["status"] == "True"}


@step
def killed_and_stopped(c, k):
    first = hosts(c)
    expect(len(first) == 2, "a process each: %s" % first)
    k.apply(deployment("web", container(SERVE), 2), service("web"))
    k.rollout("web")
    before, pids, lotsed = containers(k), sorted(c.in_pods()), c.daemon.pid
    url = "http://%s/" % k.json("get", "service", "web")["spec"]["clusterIP"]
    wait_until("the Service answers", lambda: urllib.request.urlopen(url, timeout=3).read(), 10)
    pod = k.pods("app=web")[0]["metadata"]["name"]
    expect(k("exec", "-i", pod, "--", "cat", input="moin\n") == "moin\n", "exec through the process")
    for what, sig in (("killed", signal.SIGKILL), ("hanging", signal.SIGSTOP)):
        old = hosts(c)
        for pid in old:
            os.kill(pid, sig)
        expect(urllib.request.urlopen(url, timeout=3).read(), "the Service answers meanwhile")
        k.apply(service("web-" + what))  # a plugin that hangs is found out by who uses it
        k.try_("exec", pod, "--", "true")
        wait_until("new ones are there", lambda: len(hosts(c)) == 2 and not set(old) & set(hosts(c)), 30)
        wait_until("nothing is wrong any more: %s" % faults(k), lambda: not faults(k), 60)
        wait_until("exec works", lambda: k.try_("exec", pod, "--", "echo", "moin").stdout == "moin\n", 60)
        expect(containers(k) == before and sorted(c.in_pods()) == pids, "the same containers and processes")
        expect(c.daemon.pid == lotsed and c.daemon.poll() is None, "the same lotsed")
        reasons = k("get", "events", "-A", "-o", "custom-columns=R:.reason")
        expect(("PluginCrashed" if sig == signal.SIGKILL else "PluginHung") in reasons, "an event says so: " + reasons)
        k("scale", "deployment/web", "--replicas=3")
        k.rollout("web")
        k("scale", "deployment/web", "--replicas=2")
        wait_until("two are left", lambda: len(k.pods("app=web")) == 2 and len(c.in_pods()) == len(pids), 60)
        before, pids = containers(k), sorted(c.in_pods())
        pod = k.pods("app=web")[0]["metadata"]["name"]


@step
def they_end_with_lotsed(c, k):
    old, pids = hosts(c), sorted(c.in_pods())
    c.daemon.kill()
    c.daemon.wait()
    wait_until("they have ended", lambda: not any(os.path.exists("/proc/%d/exe" % pid) for pid in old), 10)
    expect(sorted(c.in_pods()) == pids, "no container has ended with them")
    c.start_daemon()
    c.wait_ready()


if __name__ == "__main__":
    main(300, CONFIG)
