#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The proxy suite on Debian's kernel: every case on IPVS but the long one, every scheduler of IPVS on a few, and SCTP, which other kernels may
lack, by iptables and nftables too. Two cases at a time: each has namespaces of its own."""
import concurrent.futures
import subprocess
import sys
import tempfile
import time

BUILD = sys.argv[1]
SCHEDULERS = ["rr", "wrr", "lc", "wlc", "sh", "dh", "sed", "nq", "mh"]
ANY_SCHEDULER = ["none.refused", "change.repeated"]  # whoever of the endpoints answers
LONG = {"resync.equal"}


def words(mode, *more):
    return [BUILD + "/bin/lotse-plugin-check", "%s/lib/lotse/plugins/proxy_%s.so" % (BUILD, mode), "--seed", "1", *more]


def cases():
    listed = subprocess.run([BUILD + "/bin/lotse-plugin-check", words("ipvs")[1], "--list", "--kind", "proxy"], capture_output=True, text=True, check=True).stdout
    return [line.split("\t")[0].split(".", 2)[2] for line in listed.splitlines() if line.startswith("proxy.direct.")]


def run(job):
    title, command = job
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    return title, done, time.monotonic() - begin


def main():
    subprocess.run(["modprobe", "-a", "ip_vs", "sctp", "nf_conntrack", "dummy"], check=True)
    jobs = [("ipvs " + case, words("ipvs", "--only", "proxy.direct." + case)) for case in cases() if case not in LONG]
    jobs += [(mode + " cluster-ip.sctp", words(mode, "--only", "proxy.direct.cluster-ip.sctp")) for mode in ("iptables", "nftables")]
    failed = skipped = 0
    with tempfile.TemporaryDirectory() as directory:
        for scheduler in SCHEDULERS:
            with open("%s/%s" % (directory, scheduler), "w") as file:
                file.write('scheduler = "%s"\n' % scheduler)
            only = [word for case in ANY_SCHEDULER for word in ("--only", "proxy.direct." + case)]
            jobs.append(("ipvs scheduler " + scheduler, words("ipvs", "--config", file.name, *only)))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for title, done, seconds in pool.map(run, jobs):
                good = done.returncode == 0
                skips = [line.split("# SKIP ")[1] for line in done.stdout.splitlines() if "# SKIP " in line]
                unwanted = skips and "sctp" in title
                print("%s %s (%.1f s)%s" % ("ok  " if good and not unwanted else "FAIL", title, seconds, "".join(" not here: " + s for s in skips)), flush=True)
                if not good:
                    print(done.stdout + done.stderr, flush=True)
                failed += not good or bool(unwanted)
                skipped += len(skips)
    print("%d of %d failed, %d cases do not apply to this mode" % (failed, len(jobs), skipped))
    sys.exit(1 if failed else 0)


main()
