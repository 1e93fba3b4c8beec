#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rollout.py BUILD_DIR [PODS [NODES]]: pods onto hollow nodes through API, scheduler and bus.

5,000 pods are created on 16 connections over TLS while a watch, over TLS too, notes when each is bound and Running. 1,000 nodes, each
an agent with a session of its own, live in the same lotsed; lmdb, durable.
"""
import json
import re
import subprocess
import sys
import time

from bed import Bed, machine, say, wait_until

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "@NAME@", "labels": {"app": "bench"}},
       "spec": {"containers": [{"name": "main", "image": "lotse.local/demo:1", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}}


def patches(bed):
    """Status patches of pods so far."""
    connection = bed.connect()
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return sum(int(n) for n in re.findall(r'apiserver_request_total\{verb="patch",resource="pods",subresource="status",code="200"\} (\d+)', text))


def main():
    pods = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    nodes = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    machine()
    with Bed(sys.argv[1], more="[plugins.runtime.hollow]\nnodes = %d\n" % nodes) as bed:
        begin = time.monotonic()
        bed.start()
        wait_until("all nodes are there", lambda: len(bed.ask("GET", "/api/v1/nodes")["items"]) == nodes and bed.nodes_ready(), 120, 0.5)
        say("%s, %d nodes Ready after %.1f s" % (bed.title, nodes, time.monotonic() - begin))
        time.sleep(2)
        path = "/api/v1/namespaces/default/pods"
        watch = subprocess.Popen(bed.words("pods", path, pods), stdout=subprocess.PIPE, text=True)
        watch.stdout.readline()
        told, before, begin = patches(bed), bed.cpu(), time.monotonic()
        made = bed.client("create", path, pods, 16, "p", bed.body("pod.json", POD))
        out, _ = watch.communicate(timeout=300)
        seen = json.loads(out.splitlines()[-1])
        after = bed.cpu()
        say("  %d creates in %.2f s: %.0f/s" % (pods, made["seconds"], made["per_second"]))
        for what in ("bound", "running"):
            took = seen[what + "_last"] - begin
            say("  %-7s %.0f/s (all after %.2f s from the first create)" % (what, pods / took, took))
        used = {k: after[k] - before.get(k, 0) for k in after}
        say("  status patches a pod: %.2f" % ((patches(bed) - told) / pods))
        say("  processor time of lotsed: %.2f ms a pod; by thread: %s" % (1000 * sum(used.values()) / pods,
            ", ".join("%s %.2f s" % (k[1], s) for k, s in sorted(used.items(), key=lambda x: -x[1]) if s > 0.2)))


if __name__ == "__main__":
    main()
