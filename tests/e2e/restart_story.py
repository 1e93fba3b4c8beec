#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lotsed is killed with -9 and started again: what runs goes on running, untouched, and is found again; an idle lotsed hardly wakes."""
import os
import time
import urllib.request

from cluster import expect, read, wait_until
from objects import SERVE, container, deployment, service
from story import main, step


def containers(k):
    return {s["containerID"]: (s["restartCount"], s["state"]["running"]["startedAt"]) for p in k.pods("app=web") for s in p["status"]["containerStatuses"]}


@step
def killed_and_started_again(c, k):
    k.apply(deployment("web", container(SERVE), 3), service("web"))
    k.rollout("web")
    before, pids = containers(k), sorted(c.in_pods())
    url = "http://%s/" % k.json("get", "service", "web")["spec"]["clusterIP"]
    wait_until("the Service answers", lambda: urllib.request.urlopen(url, timeout=3).read(), 10)
    c.daemon.kill()
    c.daemon.wait()
    for _ in range(5):
        expect(urllib.request.urlopen(url, timeout=3).read(), "the Service answers without lotsed")
    expect(sorted(c.in_pods()) == pids, "nothing has ended with lotsed")
    c.start_daemon()
    c.wait_ready()
    wait_until("the pods are ready", lambda: all(s["ready"] for p in k.pods("app=web") for s in p["status"]["containerStatuses"]), 30)
    expect(containers(k) == before, "the same containers: %s, before %s" % (containers(k), before))
    expect(sorted(c.in_pods()) == pids, "the same processes")
    k("scale", "deployment/web", "--replicas=4")
    k.rollout("web")
    expect(set(pids) < set(c.in_pods()), "a fourth comes beside them")
    pod = next(p for p in k.pods("app=web") if p["status"]["containerStatuses"][0]["containerID"] in before)["metadata"]["name"]
    expect(k("exec", pod, "--", "echo", "moin") == "moin\n", "exec in a container that was found again")


def switches(pid):
    """By thread: those of a thread that has ended are gone from the sum."""
    found = {}
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            lines = read("/proc/%d/task/%s/status" % (pid, thread)).splitlines()
        except OSError:
            continue
        found[thread] = sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return found


@step
def an_idle_daemon_hardly_wakes(c, k):
    """The least of several windows, since what came before may still be settling."""
    def rate():
        begin, before = time.monotonic(), switches(c.daemon.pid)
        time.sleep(3)
        after = switches(c.daemon.pid)
        return sum(n - before.get(thread, 0) for thread, n in after.items()) / (time.monotonic() - begin)
    rates = [rate() for _ in range(4)]
    least = min(rates)
    print("     context switches a second while idle: " + ", ".join("%.1f" % r for r in rates))
    expect(least < 20, "%.1f context switches a second while nothing happens" % least)


if __name__ == "__main__":
    main(150)
