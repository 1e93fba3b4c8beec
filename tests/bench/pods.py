#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pods.py BUILD_DIR [ROUNDS [RUNTIME...]]: a pod through the whole cluster beside the same steps on the runtime's own API, by turns.

From the POST (over TLS) until a watch shows Running, and from a DELETE with 1 s grace until the watch shows it gone; the container is
`sleep`, which ignores SIGTERM. Then fifty at once. The API alone (engines.py): sandbox, container, start, status, with the same daemon and
image. Fails if a pod takes far longer than that. Without RUNTIME: containerd and docker. Podman 4.3 takes minutes for fifty at once, or stands
still when its API removes them, so it is measured only when it is named.
"""
import json
import statistics
import sys
import time

from bed import IMAGE, Bed, machine, say
from engines import DIRECT

PODS = "/api/v1/namespaces/default/pods"
TURNS = 3
AT_ONCE = 50
AT_MOST = {"containerd": 2.5, "docker": 4, "podman": 4}  # times the API alone; the aim is 1.3 for containerd


def pod(name):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "automountServiceAccountToken": False, "containers": [{"name": "main", "image": IMAGE, "command": ["sleep", "1000"], "imagePullPolicy": "Never"}]}}


class Watch:
    def __init__(self, bed):
        connection = bed.connect()
        connection.request("GET", PODS + "?watch=true")
        self.answer = connection.getresponse()
        self.connection = connection

    def until(self, check):
        while True:
            event = json.loads(self.answer.readline())
            if check(event["type"], event["object"]):
                return time.monotonic()


def one(bed, watch, name):
    begin = time.monotonic()
    bed.ask("POST", PODS, pod(name))
    running = watch.until(lambda kind, o: o["metadata"]["name"] == name and o.get("status", {}).get("phase") == "Running")
    asked = time.monotonic()
    bed.ask("DELETE", PODS + "/" + name, {"gracePeriodSeconds": 1})
    gone = watch.until(lambda kind, o: kind == "DELETED" and o["metadata"]["name"] == name)
    return 1000 * (running - begin), 1000 * (gone - asked)


def many(bed, watch, count):
    """Milliseconds from the first POST until the last one runs."""
    names = {"many%d" % i for i in range(count)}
    begin = time.monotonic()
    for name in sorted(names):
        bed.ask("POST", PODS, pod(name))
    waiting, left = set(names), set(names)

    def runs(_, o):
        if o.get("status", {}).get("phase") == "Running":
            waiting.discard(o["metadata"]["name"])
        return not waiting
    running = watch.until(runs)
    for name in sorted(names):
        bed.ask("DELETE", PODS + "/" + name, {"gracePeriodSeconds": 0})

    def gone(kind, o):
        if kind == "DELETED":
            left.discard(o["metadata"]["name"])
        return not left
    watch.until(gone)
    return 1000 * (running - begin)


def measure(build, runtime, rounds):
    with Bed(build, runtime=runtime, proxy="iptables") as bed:
        bed.start()
        bed.import_demo()
        watch, api = Watch(bed), DIRECT[runtime](bed)
        one(bed, watch, "warm")
        say("%s; client: python's http.client" % bed.title)
        up, down, direct = [], [], []
        for turn in range(TURNS):
            mine = [one(bed, watch, "p%d-%d" % (turn, i)) for i in range(rounds)]
            direct.append(api.one_by_one(rounds))
            up.append(statistics.median(m[0] for m in mine))
            down.append(statistics.median(m[1] for m in mine))
            say("  turn %d: pod to Running %.0f ms, %s %.0f ms; delete with 1 s grace to gone %.0f ms" % (turn + 1, up[-1], api.title, direct[-1], down[-1]))
        ratio = min(up) / min(direct)
        say("  create to Running: %.2f times %s; delete to gone: %.2f s" % (ratio, api.title, min(down) / 1000))
        mine, theirs = many(bed, watch, AT_ONCE), api.at_once(AT_ONCE)
        say("  %d at once: all Running after %.1f s, %s %.1f s" % (AT_ONCE, mine / 1000, api.title, theirs / 1000))
    return ratio <= AT_MOST[runtime]


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    machine()
    good = [measure(sys.argv[1], runtime, rounds) for runtime in sys.argv[3:] or ("containerd", "docker")]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
