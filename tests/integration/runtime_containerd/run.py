#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runtime suite on the containerd plugin with a containerd of its own:

    run.py BUILD_DIR [--keep] [--loopback] [--verbose] [--bench] [--only CASE]...

Needs root, containerd, runc, CNI's plugins and busybox-static. All state lies under a temporary directory; containerd,
shims, mounts, network namespaces, the bridge and cgroups are removed at the end, and what is left over fails the run.
"""
import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
IMAGES = os.path.join(HERE, "..", "..", "..", "packaging", "images")


class Bed:
    def __init__(self, build):
        self.build = os.path.realpath(build)
        self.dir = tempfile.mkdtemp(prefix="lotse-ctrd-")
        self.tag = self.dir[-6:]
        self.bridge = "lt" + self.tag[:8]
        self.cgroup = "/lotse-test-" + self.tag
        self.path = lambda *parts: os.path.join(self.dir, *parts)
        for name in ("host", "cni", "logs"):
            os.mkdir(self.path(name), 0o700)
        with open(self.path("cni", "10-test.conflist"), "w") as file:
            json.dump({"cniVersion": "0.4.0", "name": "test-" + self.tag, "plugins": [
                {"type": "bridge", "bridge": self.bridge, "isGateway": True, "ipMasq": False,
                 "ipam": {"type": "host-local", "dataDir": self.path("ipam"), "ranges": [[{"subnet": "10.213.77.0/24"}]]}},
                {"type": "portmap", "capabilities": {"portMappings": True}}]}, file)
        demo = [sys.executable, os.path.join(IMAGES, "demo", "build.py")]
        subprocess.run(demo + [self.path("demo.tar"), "lotse.local/demo:1"], check=True)
        subprocess.run(demo + [self.path("other.tar"), "lotse.local/other:1", "--page", "other"], check=True)
        subprocess.run(demo + [self.path("corrupt.tar"), "lotse.local/corrupt:1", "--page", "PAGE-OF-THE-IMAGE"], check=True)
        with open(self.path("corrupt.tar"), "r+b") as file:
            file.seek(file.read().index(b"PAGE-OF-THE-IMAGE"))
            file.write(b"page")

    def suite(self, *more):
        return [os.path.join(self.build, "bin", "runtime_suite"),
                os.path.join(self.build, "lib", "lotse", "plugins", "runtime_containerd.so"),
                "mode=managed", "--host=" + self.path("host"), "--directory=" + self.path("logs"),
                "--image=lotse.local/demo:1", "--pause-image=lotse.local/pause:1", "--archive=" + self.path("other.tar"),
                "--archive-image=lotse.local/other:1", "--corrupt-archive=" + self.path("corrupt.tar"), "--cni=" + self.path("cni"), "--cgroup-parent=" + self.cgroup,
                "--prepare=" + os.path.join(self.build, "share", "lotse", "pause.tar"),
                "--prepare=" + self.path("demo.tar"), *more]

    def pid_file(self):
        facts = {}
        with open(self.path("host", "run", "containerd.pid")) as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                facts[key] = value
        return facts

    def tear_down(self):
        left = []
        try:
            pid = int(self.pid_file()["pid"])
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                if not os.path.exists("/proc/%d" % pid):
                    break
                time.sleep(0.05)
            else:
                left.append("containerd did not end")
                os.kill(pid, signal.SIGKILL)
        except (OSError, KeyError):
            left.append("there is no pid file of containerd")
        for proc in glob.glob("/proc/[0-9]*"):
            try:
                words = open(proc + "/cmdline").read().split("\0")
            except OSError:
                continue
            if any(self.dir in word for word in words) and int(proc[6:]) != os.getpid():
                left.append("a process: " + " ".join(words))
                os.kill(int(proc[6:]), signal.SIGKILL)
        for line in reversed(open("/proc/self/mounts").read().splitlines()):
            target = line.split()[1]
            if target.startswith(self.dir):
                left.append("a mount: " + target)
                subprocess.run(["umount", "-l", target], check=False)
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/*"):
            for top in glob.glob(root + self.cgroup):
                for path, _, _ in os.walk(top, topdown=False):
                    if path != top:
                        left.append("a cgroup: " + path)
                    try:
                        os.rmdir(path)
                    except OSError:
                        pass
        shutil.rmtree(self.dir, ignore_errors=True)
        return left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--loopback", action="store_true")
    parser.add_argument("--bench", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    args = parser.parse_args()
    bed = Bed(args.build)
    more = ["--only=" + case for case in args.only]
    more += ["--loopback"] * args.loopback + ["--verbose"] * args.verbose + ["--bench"] * args.bench
    try:
        code = subprocess.run(bed.suite(*more)).returncode
        if args.keep:
            print("kept", bed.dir)
            return code
    except BaseException:
        bed.tear_down()
        raise
    left = bed.tear_down()
    for what in left:
        print("left over:", what)
    return code or (1 if left else 0)


if __name__ == "__main__":
    sys.exit(main())
