#!/usr/bin/env python3
"""How proxy modes bear many Services: tests/bench/proxy.py BUILD_DIR [--sizes 10000,30000] [--modes nftables,iptables,ipvs].

For each mode and size: the whole table into an empty kernel, one change (median of 11), and a connect from a pod to the first and to the last
Service (median of 200). Each run has a network namespace of its own, and two minutes.
"""
import argparse
import json
import os
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("build")
parser.add_argument("--sizes", default="10000,30000")
parser.add_argument("--modes", default="nftables,iptables,ipvs")
parser.add_argument("--seconds", type=int, default=120)
args = parser.parse_args()

failed = False
print(f"{'mode':10} {'services':>8} {'load':>10} {'change':>10} {'first':>8} {'last':>8}")
for size in map(int, args.sizes.split(",")):
    for mode in args.modes.split(","):
        plugin = os.path.join(args.build, "lib/lotse/plugins", f"proxy_{mode}.so")
        if not os.path.exists(plugin):
            print(f"{mode:10} {size:8} not built")
            continue
        try:
            run = subprocess.run([os.path.join(args.build, "bin/bench_proxy"), plugin, str(size)], capture_output=True, text=True, timeout=args.seconds)
        except subprocess.TimeoutExpired:
            print(f"{mode:10} {size:8} not within {args.seconds} s")
            continue
        if run.returncode != 0:
            print(f"{mode:10} {size:8} {run.stderr.strip()[:140]}")
            failed = failed or "this kernel has no" not in run.stderr
            continue
        r = json.loads(run.stdout)
        print(f"{mode:10} {size:8} {r['load_ms']:7.0f} ms {r['change_ms']:7.1f} ms {r['first_us']:5.0f} us {r['last_us']:5.0f} us", flush=True)
sys.exit(1 if failed else 0)
