#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory.py BUILD_DIR [IDLE_SECONDS]: how much memory one lotsed takes and how often it wakes, node Ready, no user pods.

Pss without the mapping of the store's file, containerd apart: when it has been idle, and after 1,000 creates and deletes; for
containerd+iptables and hollow+none, by library as well. Then what each plugin adds in memory and threads: a lotsed with it beside one with the
smallest of its kind (or, where several can be loaded, without it).
"""
import collections
import os
import re
import sys
import time

from bed import ETCD_SECTION, Bed, Etcd, machine, read, say


def smaps(pid, figure="Pss"):
    """KB by what is mapped."""
    pss, name = collections.Counter(), ""
    for line in read("/proc/%d/smaps" % pid).splitlines():
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$", line)
        if head:
            name = head[1] or "[anonymous: threads' heaps and stacks]"
        elif line.startswith(figure + ":"):
            pss[name] += int(line.split()[1])
    return pss


def total(pid, figure="Pss"):
    return sum(kb for name, kb in smaps(pid, figure).items() if not name.endswith("store.mdb")) / 1024


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


SMALLEST = {"state": "memory", "runtime": "hollow", "proxy": "none", "transport": ("rest",), "scheduler": ("default",)}
OTHERS = [("state", "lmdb"), ("state", "etcd"), ("runtime", "containerd"), ("runtime", "docker"), ("runtime", "podman"), ("proxy", "iptables"),
          ("proxy", "nftables"), ("proxy", "ipvs"), ("transport", "zmq"), ("scheduler", "binpack"), ("scheduler", "spread")]
NEEDS = {"docker": "/var/run/docker.sock", "podman": "/run/podman/podman.sock"}  # a daemon that is not ours to start


def look(build, slots):
    """Of a lotsed that has just become Ready: memory, that of the plugins' own files, threads by name. Rss, as what others on
    the machine share of the same libraries changes Pss from one run to the next."""
    etcd = None
    with Bed(build, more=ETCD_SECTION if slots["state"] == "etcd" else "", **slots) as bed:
        try:
            etcd = Etcd(bed) if slots["state"] == "etcd" else None
            bed.start()
            bed.connection = None
            time.sleep(3)
            own = {os.path.basename(n): kb / 1024 for n, kb in smaps(bed.process.pid, "Rss").items() if "/lotse/plugins/" in n}
            threads = collections.Counter(re.sub(r"\d+$", "", comm) for comm, _ in switches(bed.process.pid).values())
            return total(bed.process.pid, "Rss"), own, threads - collections.Counter(["work"] * 99)  # the pool's come and go
        finally:
            bed.terminate()
            if etcd:
                etcd.close()


def plugins(build):
    plain, own, threads = look(build, SMALLEST)
    say("what a plugin adds to lotsed; the smallest: Rss %.1f MB with %s; %d threads" % (
        plain, ", ".join("%s %.2f" % x for x in sorted(own.items())), sum(threads.values())))
    for kind, name in OTHERS:
        if not os.path.exists("%s/lib/lotse/plugins/%s_%s.so" % (build, kind, name)):
            say("  %s %s: not built" % (kind, name))
        elif name in NEEDS and not os.path.exists(NEEDS[name]):
            say("  %s %s: not measured, as nobody listens at %s" % (kind, name, NEEDS[name]))
        else:
            several = isinstance(SMALLEST[kind], tuple)
            try:
                pss, files, now = look(build, dict(SMALLEST, **{kind: SMALLEST[kind] + (name,) if several else name}))
            except (TimeoutError, SystemExit) as error:
                say("  %s %s: not measured, as lotsed did not become Ready (%s)" % (kind, name, str(error).splitlines()[0]))
                continue
            more = now - threads
            say("  %s %s: %+.1f MB %s %s, of that its own file %.2f MB; threads %+d%s" % (
                kind, name, pss - plain, "beside" if several else "over", ", ".join(SMALLEST[kind]) if several else SMALLEST[kind],
                files.get("%s_%s.so" % (kind, name), 0), sum(now.values()) - sum(threads.values()), ": " + ", ".join(more.elements()) if more else ""))


if __name__ == "__main__":
    machine()
    idle_seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    measure(sys.argv[1], idle_seconds, runtime="containerd", proxy="iptables")
    measure(sys.argv[1], idle_seconds, runtime="hollow", proxy="none")
    plugins(sys.argv[1])
