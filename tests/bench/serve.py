#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""serve.py BUILD_DIR [SECONDS]: what one lotsed answers per second over TLS, beside raw puts to a private etcd.

Durable creates of 1 KB ConfigMaps on 16 connections by turns with etcd's 16 clients; GET of one on 16 connections; LIST of
2,000. Fails if creates are far behind etcd.
"""
import re
import statistics
import subprocess
import sys
import tempfile

from bed import HOST, PORT, Bed, machine, say

MAPS = "/api/v1/namespaces/%s/configmaps"
TURNS = 3
SLACK = 0.5  # of etcd's puts; a machine that is busy with other things is not to fail the run


def creates(bed, seconds):
    body, ours, theirs, probe = bed.config_map(), [], [], bed.client("create", MAPS % "default", 500, 16, "warm", bed.config_map())
    count = max(500, int(probe["per_second"] * seconds))
    for turn in range(TURNS):
        before, used = bed.syncs(), sum(bed.cpu().values())
        mine = bed.client("create", MAPS % "default", count, 16, "c%d" % turn, body)
        mine["syncs_per_second"] = (bed.syncs() - before) / mine["seconds"]
        mine["cpu_ms"] = 1000 * (sum(bed.cpu().values()) - used) / mine["requests"]
        ours.append(mine)
        with tempfile.TemporaryDirectory(prefix="lotse-bench-") as directory:
            theirs.append(bed.etcd(directory, seconds))
        say("  turn %d: lotse %6.0f creates/s, %4.0f syncs/s, p50 %.1f ms, p99 %.1f ms, %.2f ms of processor time each; etcd %6.0f puts/s, %4.0f syncs/s, %.2f ms" % (
            turn + 1, mine["per_second"], mine["syncs_per_second"], mine["p50_ms"], mine["p99_ms"], mine["cpu_ms"], theirs[-1]["per_second"], theirs[-1]["syncs_per_second"], theirs[-1]["cpu_ms"]))
    ratio = statistics.median(o["per_second"] for o in ours) / statistics.median(t["per_second"] for t in theirs)
    say("  durable creates: %.2f times etcd's raw puts" % ratio)
    return ratio


def wrk(path, token, seconds, connections=16):
    out = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", "-H", "Authorization: Bearer " + token, "https://%s:%d%s" % (HOST, PORT, path)],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", out)[1]), re.search(r"99%\s*(\S+)", out)[1], re.search(r"Transfer/sec:\s*(\S+)", out)[1]


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    machine()
    with Bed(sys.argv[1], preload=True) as bed:
        bed.start()
        say("%s; client: 16 threads with OpenSSL, a client certificate; etcd: HTTP/1.1 without TLS through its JSON gateway" % bed.title)
        ratio = creates(bed, seconds)
        bed.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "list"}})
        bed.client("create", MAPS % "list", 2000, 16, "l", bed.config_map())
        token = bed.token("list", "view")
        rate, p99, _ = wrk(MAPS % "list" + "/l-7", token, seconds)
        say("  GET of a 1 KB ConfigMap: %.0f/s, p99 %s (wrk, 16 connections, TLS 1.3, a ServiceAccount's token under RBAC)" % (rate, p99))
        used = sum(bed.cpu().values())
        got = bed.client("read", MAPS % "list" + "/l-7", seconds, 16)
        used = 1000 * (sum(bed.cpu().values()) - used) / got["requests"]
        say("  GET of a 1 KB ConfigMap: %.0f/s, p99 %.2f ms, %.3f ms of processor time each (bench_client, 16 connections, TLS 1.3, the admin's certificate)" % (got["per_second"], got["p99_ms"], used))
        health = wrk("/readyz", token, seconds)
        say("  GET of /readyz: %.0f/s (what connection, parser and TLS alone allow)" % health[0])
        for connections in (1, 4):
            got = bed.client("read", MAPS % "list", seconds, connections)
            say("  LIST of 2,000 x 1 KB: %.0f MB/s, %.0f/s (bench_client, %d connection%s)" % (got["mb_per_second"], got["per_second"], connections, "s" * (connections > 1)))
    return 0 if ratio >= SLACK else 1


if __name__ == "__main__":
    sys.exit(main())
