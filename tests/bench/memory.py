#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory.py BUILD_DIR [IDLE_SECONDS]: how much memory one lotsed takes and how often it wakes, node Ready, no user pods.

Pss without the mapping of the store's file, containerd apart: when it has been idle, and after 1,000 creates and deletes; for
containerd+iptables (by library as well) and hollow+none.
"""
import collections
import os
import re
import sys
import time

from bed import Bed, machine, read, say


def smaps(pid):
    """KB of Pss by what is mapped, and private memory that is shared with nobody."""
    pss, name = collections.Counter(), ""
    for line in read("/proc/%d/smaps" % pid).splitlines():
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$", line)
        if head:
            name = head[1] or "[anonymous: threads' heaps and stacks]"
        elif line.startswith("Pss:"):
            pss[name] += int(line.split()[1])
    return pss


def total(pid):
    return sum(kb for name, kb in smaps(pid).items() if not name.endswith("store.mdb")) / 1024


def switches(pid):
    counts = {}
    for task in os.listdir("/proc/%d/task" % pid):
        status = read("/proc/%d/task/%s/status" % (pid, task))
        counts[task] = (read("/proc/%d/task/%s/comm" % (pid, task)).strip(), sum(int(n) for n in re.findall(r"ctxt_switches:\s*(\d+)", status)))
    return counts


def idle(bed, seconds):
    before = switches(bed.process.pid)
    time.sleep(seconds)
    rates = [(comm, (n - before.get(task, (comm, 0))[1]) / seconds) for task, (comm, n) in switches(bed.process.pid).items()]
    say("  context switches per second when idle (%d s): %.2f; %s" % (
        seconds, sum(r for _, r in rates), ", ".join("%s %.2f" % (c, r) for c, r in sorted(rates, key=lambda x: -x[1]) if r > 0) or "none"))
    say("  threads: %s" % ", ".join("%d %s" % (n, c) for c, n in sorted(collections.Counter(re.sub(r"\d+$", "", c) for c, _ in rates).items())))


def table(pid):
    by = collections.Counter()
    for name, kb in smaps(pid).items():
        by[os.path.basename(name)] += kb
    rest = 0
    for name, kb in by.most_common():
        if kb >= 100:
            say("  %7.2f MB  %s" % (kb / 1024, name + (" (not counted)" if name == "store.mdb" else "")))
        else:
            rest += kb
    say("  %7.2f MB  all others" % (rest / 1024))


def measure(build, seconds, **slots):
    with Bed(build, **slots) as bed:
        bed.start()
        say("%s:" % bed.title)
        if bed.runtime == "containerd":
            bed.connection = None
        time.sleep(3)
        say("  Pss %.1f MB, node Ready" % total(bed.process.pid))
        bed.connection = None
        time.sleep(2)
        idle(bed, seconds)
        say("  Pss %.1f MB, after that" % total(bed.process.pid))
        body = bed.config_map()
        path = "/api/v1/namespaces/default/configmaps"
        bed.client("create", path, 1000, 4, "m", body)
        bed.client("delete", path, 1000, 4, "m")
        time.sleep(3)
        say("  Pss %.1f MB, after 1,000 creates and deletes" % total(bed.process.pid))
        table(bed.process.pid)


if __name__ == "__main__":
    machine()
    idle_seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    measure(sys.argv[1], idle_seconds, runtime="containerd", proxy="iptables")
    measure(sys.argv[1], idle_seconds, runtime="hollow", proxy="none")
