#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runtime suite on a plugin with a runtime of its own:

    run.py BUILD_DIR [--runtime containerd|docker|podman] [--keep] [--verbose] [--bench ROUNDS] [--only CASE]...

Needs root, the runtime, runc, CNI's plugins and busybox-static. All state lies under a temporary directory; daemons,
shims, mounts, network namespaces, the bridge and cgroups are removed at the end, and what is left over fails the run.
"""
import argparse
import contextlib
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


class Containerd:
    known_to_fail = []
    own_processes = ()
    name = "containerd"
    daemons = ["containerd"]

    @staticmethod
    def own_mounts(_):
        return []

    @staticmethod
    def external(bed):
        return ('mode = "external"\nsocket = "%s"\ncni_conf_dir = "%s"\n'
                % (bed.pid_file("containerd")["socket"], bed.path("host", "data", "cni")))


class Docker:
    known_to_fail = []
    own_processes = ()
    name = "docker"
    daemons = ["dockerd", "containerd"]

    @staticmethod
    def own_mounts(bed):
        return [bed.path("host", "data", "root")]  # dockerd leaves its root mounted so that containers can live on

    @staticmethod
    def external(bed):
        return 'mode = "external"\nsocket = "%s"\n' % bed.pid_file("dockerd")["socket"]


class Podman:
    known_to_fail = []
    own_processes = ("conmon",)  # one stays on for some seconds after an exec, in a cgroup of its own
    name = "podman"
    daemons = ["podman"]

    @staticmethod
    def own_mounts(bed):
        return [bed.path("host", "data", "root", "overlay")]  # Podman leaves its storage mounted

    @staticmethod
    def external(bed):
        return 'mode = "external"\nsocket = "%s"\n' % bed.pid_file("podman")["socket"]


RUNTIMES = {kind.name: kind for kind in (Containerd, Docker, Podman)}


class Bed:
    def __init__(self, build, runtime):
        self.runtime = runtime
        self.build = os.path.realpath(build)
        self.dir = tempfile.mkdtemp(prefix="lotse-rt-")
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

    def drive(self, command, *words):
        binary = os.path.join(self.build, "bin", "runtime_drive")
        return [binary, self.plugin(), self.path("host"), command, *words]

    def plugin(self):
        return os.path.join(self.build, "lib", "lotse", "plugins", "runtime_%s.so" % self.runtime.name)

    def start(self):
        """Starts the managed runtime, with the images that the cases need."""
        pause = os.path.join(self.build, "share", "lotse", "pause.tar")
        subprocess.run(self.drive("start", pause, self.path("demo.tar")), check=True)
        with open(self.path("check.toml"), "w") as file:
            file.write(self.runtime.external(self))

    def surroundings(self):
        return dict(os.environ, LOTSE_RUNTIME_IMAGE="lotse.local/demo:1", LOTSE_RUNTIME_ARCHIVE=self.path("other.tar"),
                    LOTSE_RUNTIME_ARCHIVE_IMAGE="lotse.local/other:1",
                    LOTSE_RUNTIME_CORRUPT_ARCHIVE=self.path("corrupt.tar"), LOTSE_RUNTIME_CNI=self.path("cni"),
                    LOTSE_RUNTIME_CGROUP_PARENT=self.cgroup)

    def suite(self, only, verbose):
        command = [os.path.join(self.build, "bin", "lotse-plugin-check"), self.plugin(), "--config", self.path("check.toml")]
        for case in only:
            command += ["--only", case]
        ran = subprocess.run(command + ["--verbose"] * verbose, env=self.surroundings(), stdout=subprocess.PIPE, text=True)
        print(ran.stdout, end="", flush=True)
        failed = {line.split(".")[-1] for line in ran.stdout.splitlines() if line.startswith("not ok")}
        known = failed & set(self.runtime.known_to_fail)
        if known:
            print("known to fail with %s (see its README):" % self.runtime.name, *sorted(known))
        return ran.returncode if failed - known or not failed else 0

    def restart(self):
        return subprocess.run(self.drive("restart", "lotse.local/demo:1", self.path("cni"), self.cgroup,
                                         self.runtime.daemons[0])).returncode

    def bench(self, rounds):
        """The plugin and CRI alone by turns, so that a busy machine is equally busy for both."""
        figures = {"plugin": ([], []), "direct": ([], [])}
        for turn in range(3):
            for command in (self.drive("bench", "lotse.local/demo:1", self.path("cni"), self.cgroup, str(rounds)),
                            [os.path.join(self.build, "bin", "cri_bench"), self.pid_file("containerd")["socket"], "lotse.local/demo:1",
                             self.cgroup, str(rounds)]):
                words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                print(*words)
                figures[words[0]][0].append(float(words[2]))
                figures[words[0]][1].append(float(words[4]))
        for i, what in enumerate(("sandbox and container until running", "until gone")):
            ratio = min(figures["plugin"][i]) / min(figures["direct"][i])
            print("%s: %.2f times CRI alone" % (what, ratio))

    def pid_file(self, daemon):
        facts = {}
        with open(self.path("host", "run", daemon + ".pid")) as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                facts[key] = value
        return facts

    def tear_down(self):
        left = []
        for daemon in self.runtime.daemons:
            try:
                pid = int(self.pid_file(daemon)["pid"])
                os.kill(pid, signal.SIGTERM)
                for _ in range(100):
                    if not os.path.exists("/proc/%d" % pid):
                        break
                    time.sleep(0.05)
                else:
                    left.append(daemon + " did not end")
                    os.kill(pid, signal.SIGKILL)
            except (OSError, KeyError):
                left.append("there is no pid file of " + daemon)
        for proc in glob.glob("/proc/[0-9]*"):
            try:
                words = open(proc + "/cmdline").read().split("\0")
            except OSError:
                continue
            if any(self.dir in word for word in words) and int(proc[6:]) != os.getpid():
                if not words[0].endswith(self.runtime.own_processes):
                    left.append("a process: " + " ".join(words))
                os.kill(int(proc[6:]), signal.SIGKILL)
        for line in reversed(open("/proc/self/mounts").read().splitlines()):
            target = line.split()[1]
            if target.startswith(self.dir):
                if target not in self.runtime.own_mounts(self):
                    left.append("a mount: " + target)
                subprocess.run(["umount", "-l", target], check=False)
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/*"):
            for top in glob.glob(root + self.cgroup):
                for path, _, _ in os.walk(top, topdown=False):
                    if path != top:
                        if os.path.basename(path) not in self.runtime.own_processes:
                            left.append("a cgroup: " + path)
                        for pid in open(os.path.join(path, "cgroup.procs")).read().split():
                            os.kill(int(pid), signal.SIGKILL)
                        time.sleep(0.1)
                    with contextlib.suppress(OSError):
                        os.rmdir(path)
        shutil.rmtree(self.dir, ignore_errors=True)
        return left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runtime", choices=sorted(RUNTIMES), default="containerd")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--bench", type=int, default=0)
    parser.add_argument("--only", action="append", default=[])
    args = parser.parse_args()
    bed = Bed(args.build, RUNTIMES[args.runtime])
    try:
        bed.start()
        code = 0
        if args.bench:
            bed.bench(args.bench)
        else:
            code = bed.suite(args.only, args.verbose)
            if not args.only:
                restarted = bed.restart()
                print("restart of %s:" % bed.runtime.daemons[0], "failed" if restarted else "ok")
                woken = subprocess.run(bed.drive("idle", bed.runtime.name)).returncode
                code = code or restarted or woken
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
