#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""conformance_etcd.py BUILD_DIR [--members N] [--tls] [--only CASE]... [--seed N]: the state suite on etcd. Every case gets an etcd of its own,
as the suite begins with an empty store."""
import argparse
import os
import subprocess
import sys

from etcd_cluster import Etcd

parser = argparse.ArgumentParser()
parser.add_argument("build")
parser.add_argument("--members", type=int, default=1)
parser.add_argument("--tls", action="store_true")
parser.add_argument("--only", action="append", default=[])
parser.add_argument("--seed", default="1")
a = parser.parse_args()

check = os.path.join(a.build, "bin", "lotse-plugin-check")
plugin = os.path.join(a.build, "lib", "lotse", "plugins", "state_etcd.so")
listed = subprocess.run([check, "--list"], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()
cases = [line.split("\t")[0] for line in listed if line.startswith("state.")]
if a.only:
    cases = [case for case in cases if any(case == only or case.startswith(only + ".") for only in a.only)]
failed = 0
for number, case in enumerate(cases, 1):
    with Etcd(members=a.members, tls=a.tls, sync=False) as etcd:
        ran = subprocess.run([check, plugin, "--config", etcd.write_config(), "--only", case, "--seed", a.seed], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        lines = ran.stdout.decode().splitlines()
        print("\n".join(line.replace("ok 1 -", f"ok {number} -") for line in lines if not line.startswith(("1..", "# seed")) and
                        (" success, " not in line or ran.returncode)), flush=True)
        failed += ran.returncode != 0
print(f"# {len(cases)} cases, {failed} failed; members {a.members}, TLS {'yes' if a.tls else 'no'}")
sys.exit(1 if failed else 0)
