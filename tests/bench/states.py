#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""states.py BUILD_DIR [STATE...]: creates and watches on each state backend (lmdb and etcd), the same lotsed otherwise.

Durable creates of 1 KB ConfigMaps on 16 connections over TLS, with 0 and 50 watches of them; and how long it takes from a lone create's
request until it is answered, and until the last of 50 watches has it. etcd: Debian's, one member, on the same disk, without TLS.
"""
import json
import os
import statistics
import subprocess
import sys
import time

from bed import ETCD_SECTION, Bed, Etcd, machine, say

MAPS = "/api/v1/namespaces/%s/configmaps"
WATCHES = 50
CREATES = 3000
ALONE = 100


def cpu(bed, etcd):
    used = sum(bed.cpu().values())
    if etcd:
        with open("/proc/%d/stat" % etcd.process.pid) as f:
            used += sum(int(n) for n in f.read().rsplit(") ", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")
    return used


def watching(bed, ns, count, prefix):
    process = subprocess.Popen(bed.words("watch", MAPS % ns, count, WATCHES, prefix), stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(1)
    return process


def under_load(bed, etcd, watches):
    ns = "load-%d" % watches
    bed.ask("POST", "/api/v1/namespaces", {"metadata": {"name": ns}})
    watch = watching(bed, ns, CREATES, "c-") if watches else None
    used, begin = cpu(bed, etcd), time.monotonic()
    made = bed.client("create", MAPS % ns, CREATES, 16, "c", bed.config_map())
    told = json.loads(watch.communicate(timeout=300)[0].splitlines()[-1])["last_at"][-1] - begin if watch else 0
    used = cpu(bed, etcd) - used
    say("  %2d watches: %5.0f creates/s, p50 %.1f ms, p99 %.1f ms%s; %.2f ms of processor time a create%s" % (
        watches, made["per_second"], made["p50_ms"], made["p99_ms"], "; %.0f events/s" % (CREATES * watches / told) if watches else "",
        1000 * used / CREATES, ", etcd's included" if etcd else ""))
    return made["per_second"]


def alone(bed):
    bed.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "alone"}})
    watch = watching(bed, "alone", ALONE, "a-")
    asked, answered = [], []
    for n in range(ALONE):
        asked.append(time.monotonic())
        bed.ask("POST", MAPS % "alone", {"metadata": {"name": "a-%03d" % n}, "data": {"k": "v" * 900}})
        answered.append(time.monotonic())
    seen = json.loads(watch.communicate(timeout=60)[0].splitlines()[-1])["last_at"]
    middle = lambda times: 1000 * statistics.median(t - a for t, a in zip(times, asked))
    say("  one create at a time: answered after %.1f ms, seen by the last of %d watches after %.1f ms (medians of %d; client: python)" % (
        middle(answered), WATCHES, middle(seen), ALONE))


def measure(build, state):
    with Bed(build, state=state, more=ETCD_SECTION if state == "etcd" else "") as bed:
        etcd = Etcd(bed) if state == "etcd" else None
        try:
            bed.start()
            say("%s:" % bed.title)
            bed.client("create", MAPS % "default", 500, 16, "warm", bed.config_map())
            rate = under_load(bed, etcd, 0)
            under_load(bed, etcd, WATCHES)
            alone(bed)
        finally:
            bed.terminate()
            if etcd:
                etcd.close()
    return rate


def main():
    machine()
    states = sys.argv[2:] or ["lmdb", "etcd"]
    rates = {state: measure(sys.argv[1], state) for state in states}
    if len(states) > 1:
        say("creates, times %s: %s" % (states[0], ", ".join("%s %.2f" % (s, rates[s] / rates[states[0]]) for s in states[1:])))


if __name__ == "__main__":
    main()
