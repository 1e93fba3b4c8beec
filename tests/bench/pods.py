#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pods.py BUILD_DIR [ROUNDS]: a pod through the whole cluster beside the same steps on containerd's CRI, by turns.

From the POST (over TLS) until a watch shows Running, and from a DELETE with 1 s grace until the watch shows it gone; the container is
`sleep`, which ignores SIGTERM. CRI alone: sandbox, container, start, status, with the same containerd and image. Fails if a pod takes
far longer than CRI.
"""
import json
import statistics
import subprocess
import sys
import time

from bed import IMAGE, Bed, machine, say

PODS = "/api/v1/namespaces/default/pods"
TURNS = 3
AT_MOST = 2.5  # times CRI alone; the aim is 1.3


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


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    machine()
    with Bed(sys.argv[1], runtime="containerd", proxy="iptables") as bed:
        bed.start()
        bed.import_demo()
        watch = Watch(bed)
        one(bed, watch, "warm")
        say("%s; client: python's http.client" % bed.title)
        up, down, direct = [], [], []
        for turn in range(TURNS):
            mine = [one(bed, watch, "p%d-%d" % (turn, i)) for i in range(rounds)]
            words = subprocess.run([bed.build + "/bin/cri_bench", bed.containerd()["socket"], IMAGE, bed.cgroup, str(rounds)],
                                   check=True, capture_output=True, text=True).stdout.split()
            up.append(statistics.median(m[0] for m in mine))
            down.append(statistics.median(m[1] for m in mine))
            direct.append(float(words[2]))
            say("  turn %d: pod to Running %.0f ms, CRI alone %.0f ms; delete with 1 s grace to gone %.0f ms" % (turn + 1, up[-1], direct[-1], down[-1]))
        ratio = min(up) / min(direct)
        say("  create to Running: %.2f times CRI alone; delete to gone: %.2f s" % (ratio, min(down) / 1000))
    return 0 if ratio <= AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
