# SPDX-License-Identifier: Apache-2.0
"""A one-node cluster in a network namespace of its own, for the stories in this directory.

The test process itself enters the namespace (setns, not `ip netns exec`, which hides the cgroups), so that everything it starts
and every connection it makes is in there. Nothing sleeps for a fixed time: wait_until asks until a deadline. Teardown is part of
the test: no process, mount, cgroup, interface or rule of the cluster may be left.
"""
import ctypes
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
ROOT = os.path.dirname(os.path.dirname(HERE))
IMAGE = "lotse.local/demo:1"
SLOW = float(os.environ.get("LOTSE_E2E_SLOW", "1"))  # times longer is waited for everything: in an emulated machine


class Failure(Exception):
    """What a story expected and did not see."""


def expect(true, what):
    if not true:
        raise Failure(what)


def wait_until(what, check, seconds=30, every=0.1):
    """Calls check until it gives something true, which is returned; an exception that it ends with is part of the failure."""
    deadline, last = time.monotonic() + seconds * SLOW, None
    while True:
        try:
            last = check()
            if last:
                return last
        except (Failure, OSError, ValueError, KeyError, IndexError) as e:
            last = e
        if time.monotonic() > deadline:
            raise Failure("not within %d s: %s (last: %.600s)" % (seconds, what, last))
        time.sleep(every)


def run(*words, check=True, input=None, timeout=60, env=None):
    done = subprocess.run(words, input=input, capture_output=True, text=True, timeout=timeout * SLOW, env=env)
    if check and done.returncode != 0:
        raise Failure("exit %d: %s\n%.2000s%.2000s" % (done.returncode, " ".join(words), done.stdout, done.stderr))
    return done


class Kubectl:
    """A kubectl with a namespace: k("get", "pods") gives what it prints, k.json(...) the object, k.try_(...) never complains."""

    def __init__(self, program, kubeconfig, home, namespace="default"):
        self.program, self.kubeconfig, self.home, self.namespace = program, kubeconfig, home, namespace

    def within(self, namespace):
        return Kubectl(self.program, self.kubeconfig, self.home, namespace)

    def words(self, *args):
        return [self.program, "--kubeconfig", self.kubeconfig, "-n", self.namespace] + list(args)

    def env(self, **more):
        return dict(os.environ, HOME=self.home, **more)

    def try_(self, *args, input=None, timeout=60, **env):
        return run(*self.words(*args), check=False, input=input, timeout=timeout, env=self.env(**env))

    def __call__(self, *args, input=None, timeout=60, **env):
        return run(*self.words(*args), input=input, timeout=timeout, env=self.env(**env)).stdout

    def json(self, *args):
        return json.loads(self(*args, "-o", "json"))

    def start(self, *args, **popen):
        """A kubectl that goes on: the caller ends it."""
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.STDOUT)
        return subprocess.Popen(self.words(*args), env=self.env(), **popen)

    def apply(self, *objects):
        return self("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def pods(self, selector=None):
        args = ["get", "pods"] + (["-l", selector] if selector else [])
        return self.json(*args)["items"]

    def wait(self, condition, what, seconds=60):
        return self("wait", "--for=" + condition, what, "--timeout=%ds" % (seconds * SLOW), timeout=seconds + 10)

    def rollout(self, name, seconds=90):
        return self("rollout", "status", "deployment/" + name, "--timeout=%ds" % (seconds * SLOW), timeout=seconds + 10)

    def phase(self, pod):
        return self.json("get", "pod", pod).get("status", {}).get("phase")


def enter_namespace(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


class Network:
    """A network namespace behind a veth pair: 10.88.N.2 in it, 10.88.N.1 outside."""

    def __init__(self):
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for self.number in range(1, 255):
            self.name = "lotse-e2e-%d" % self.number
            if run("ip", "netns", "add", self.name, check=False).returncode == 0:
                break
        else:
            raise Failure("no network namespace is free")
        self.address, gateway = "10.88.%d.2" % self.number, "10.88.%d.1" % self.number
        veth = "lotse-e2e%d" % self.number
        run("ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "address", "add", gateway + "/24", "dev", veth)
        run("ip", "link", "set", veth, "up")
        inside = os.open("/var/run/netns/" + self.name, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(inside).st_ino
        enter_namespace(inside)
        os.close(inside)
        for words in (["link", "set", "lo", "up"], ["address", "add", self.address + "/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                      ["route", "add", "default", "via", gateway]):
            run("ip", *words)

    def links(self):
        return sorted(link["ifname"] for link in json.loads(run("ip", "-j", "link").stdout))

    def remove(self):
        enter_namespace(self.outside)
        run("ip", "netns", "delete", self.name)


def processes(accept):
    """The pids of living processes (no zombies) that accept(pid) takes."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                if f.read().rsplit(") ", 1)[1][0] != "Z" and accept(pid):
                    found.append(int(pid))
        except (OSError, IndexError):
            pass  # it has ended meanwhile
    return found


def read(path):
    with open(path) as f:
        return f.read()


class Cluster:
    def __init__(self, build, config=""):
        """config: lotse.toml's text, or a function of the cluster that gives it once there is a network."""
        self.build = os.path.realpath(build)
        self.dir = tempfile.mkdtemp(prefix="lotse-e2e-")
        self.data = self.dir + "/data"
        self.home = self.dir + "/home"
        os.mkdir(self.home)
        self.log = self.dir + "/lotsed.log"
        self.daemon = None
        self.network = None
        self.left = []
        self.beside = []  # processes that a story has started beside the cluster: they end with it
        self.config = config
        self.kubectls = self.find_kubectls()
        self.kubectl = self.kubectls[0]

    def find_kubectls(self):
        debian = os.environ.get("KUBECTL_DEBIAN") or run(ROOT + "/packaging/packages/kubectl", ROOT + "/build/kubectl", timeout=300).stdout.strip()
        programs = [debian]
        newer = shutil.which("kubectl") if SLOW == 1 else None
        if newer:
            version = json.loads(run(newer, "version", "--client", "-o", "json").stdout)["clientVersion"]
            if int(version["minor"].rstrip("+")) > 20:
                programs.append(newer)
        return [Kubectl(p, self.data + "/admin.kubeconfig", self.home) for p in programs]

    # -- up

    def start(self):
        begin = time.monotonic()
        self.network = Network()
        if callable(self.config):
            self.config = self.config(self)
        self.start_daemon()
        self.wait_ready()
        archive = self.dir + "/demo.tar"
        run(sys.executable, ROOT + "/packaging/images/demo/build.py", archive, IMAGE)
        self.lotse("image", "import", archive)
        print("     the cluster is up after %.1f s, in %s" % (time.monotonic() - begin, self.dir), flush=True)

    def start_daemon(self):
        words = [self.build + "/bin/lotsed", "--data-dir", self.data]
        if self.config:
            with open(self.dir + "/lotse.toml", "w") as f:
                f.write(self.config)
            words += ["--config", self.dir + "/lotse.toml"]
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wait_ready(self):
        def answers():
            if self.daemon.poll() is not None:
                raise AssertionError("lotsed has ended with %d" % self.daemon.returncode)
            return os.path.exists(self.kubectl.kubeconfig) and self.kubectl.try_("get", "--raw", "/readyz", timeout=10).returncode == 0
        wait_until("the API answers", answers, 30)
        wait_until("the node is Ready", lambda: self.node_condition("Ready") == "True", 60)
        wait_until("the default ServiceAccount is there", lambda: self.kubectl.json("get", "serviceaccount", "default"), 20)

    def node_condition(self, kind):
        nodes = self.kubectl.json("get", "nodes")["items"]
        return nodes and {c["type"]: c["status"] for c in nodes[0]["status"]["conditions"]}.get(kind)

    def node(self):
        return self.kubectl.json("get", "nodes")["items"][0]["metadata"]["name"]

    def lotse(self, *words, **more):
        return run(self.build + "/bin/lotse", "--data-dir", self.data, *words, **more).stdout

    # -- what belongs to the cluster

    def cgroup(self):
        return read(self.data + "/cgroup-root").strip()

    def in_pods(self):
        mark = "/" + self.cgroup() + "/"
        return processes(lambda pid: mark in read("/proc/%s/cgroup" % pid))

    def in_network(self):
        return [p for p in processes(lambda pid: os.stat("/proc/%s/ns/net" % pid).st_ino == self.network.inode) if p != os.getpid()]

    def mounts(self):
        points = [line.split()[4] for line in read("/proc/self/mountinfo").splitlines()]
        return [p for p in points if p.startswith(self.dir + "/")]

    def cgroups(self):
        name = self.cgroup()
        roots = ["/sys/fs/cgroup"] + [e.path for e in os.scandir("/sys/fs/cgroup") if e.is_dir()]
        return [r + "/" + name for r in roots if os.path.isdir(r + "/" + name)]

    # -- down

    def stop(self):
        """Takes everything down, whatever state it is in, and raises Failure if something was left that should have gone."""
        if self.network is None:
            shutil.rmtree(self.dir, ignore_errors=True)
            return
        begin = time.monotonic()
        for process in self.beside:
            process.terminate()
            process.wait(10)
        try:
            if os.path.exists(self.data + "/cgroup-root"):
                self.take_down()
            elif self.daemon and self.daemon.poll() is None:
                self.end_daemon()
        finally:
            self.sweep()
        shutil.rmtree(self.dir, ignore_errors=True)
        self.network.remove()
        print("     it is down after %.1f s" % (time.monotonic() - begin), flush=True)
        more = "" if len(self.left) <= 12 else " and %d more" % (len(self.left) - 12)
        expect(not self.left, "left behind or gone wrong:\n  " + "\n  ".join(self.left[:12]) + more)

    def take_down(self):
        if self.daemon.poll() is not None:
            self.start_daemon()
            wait_until("lotsed answers once more", lambda: run(self.build + "/bin/lotse", "--data-dir", self.data, "status", check=False).returncode == 0, 30)
        pod_networks = {os.stat("/proc/%d/ns/net" % p).st_ino for p in self.in_pods() if os.path.exists("/proc/%d" % p)}
        reset = run(self.build + "/bin/lotse", "--data-dir", self.data, "node", "reset", check=False, timeout=120)
        if reset.returncode != 0:
            self.left.append("node reset failed: " + reset.stdout + reset.stderr)
        self.end_daemon()
        self.end_runtime()
        saved = run("iptables-nft-save").stdout + run("iptables-legacy-save").stdout
        rules = [line for line in saved.splitlines() if line.startswith("-A") or (line.startswith(":") and line.split()[1] == "-")]
        if rules:
            self.left.append("iptables rules %s" % rules[:5])
        links = [name for name in self.network.links() if name not in ("lo", "eth0")]
        if links:
            self.left.append("interfaces %s" % links)
        for entry in os.scandir("/var/run/netns"):
            if entry.name.startswith("cni-") and entry.stat().st_ino in pod_networks - {self.network.inode}:
                self.left.append("network namespace " + entry.name)
                run("ip", "netns", "delete", entry.name, check=False)

    def end_daemon(self):
        self.daemon.terminate()
        try:
            if self.daemon.wait(20 * SLOW) != 0:
                self.left.append("lotsed ended with %d on SIGTERM" % self.daemon.returncode)
        except subprocess.TimeoutExpired:
            self.left.append("lotsed did not end within 20 s of SIGTERM")
            self.daemon.kill()
            self.daemon.wait()

    def end_runtime(self):
        for name in ("dockerd", "podman", "containerd"):  # dockerd before its containerd
            for file in glob.glob(self.data + "/run/runtime/*/%s.pid" % name):
                self.end_by_file(name, file)
        # dockerd and Podman leave their roots mounted, so that containers can live on.
        for mount in sorted(self.mounts(), reverse=True):
            if mount.endswith(("/docker/root", "/podman/root/overlay")):
                run("umount", "-l", mount, check=False)

    def end_by_file(self, name, file):
        facts = dict(line.split("=", 1) for line in read(file).splitlines() if "=" in line)
        try:
            if read("/proc/%s/stat" % facts["pid"]).rsplit(") ", 1)[1].split()[19] == facts["start"]:
                os.kill(int(facts["pid"]), signal.SIGTERM)
                wait_until(name + " ends", lambda: int(facts["pid"]) not in self.in_network(), 10)
        except OSError:
            pass
        if facts["socket"].startswith("/run/lotse-"):
            shutil.rmtree(os.path.dirname(facts["socket"]), ignore_errors=True)

    def sweep(self):
        """Notes what is left and removes it, so that one failure does not make others."""
        pods = self.in_pods() if os.path.exists(self.data + "/cgroup-root") else []
        for what, pids in (("in pods", pods), ("in its network namespace", self.in_network())):
            for pid in pids:
                try:
                    self.left.append("process %d %s: %s" % (pid, what, read("/proc/%d/cmdline" % pid).replace("\0", " ")[:200]))
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        wait_until("the processes are gone", lambda: not self.in_network(), 10)
        for mount in sorted(self.mounts(), reverse=True):
            self.left.append("mount " + mount)
            run("umount", "-l", mount, check=False)
        if os.path.exists(self.data + "/cgroup-root"):
            for group in self.cgroups():
                inner = [d for d, _, _ in os.walk(group, topdown=False)]
                self.left.append("cgroup %s" % inner[0])
                for d in inner:
                    try:
                        os.rmdir(d)
                    except OSError as e:
                        self.left.append("cgroup %s: %s" % (d, e))

    # -- when a story fails

    def describe(self, k=None):
        if k:
            for args in (["get", "pods,deployments,replicasets,services,endpoints", "-o", "wide"], ["get", "events", "--sort-by=.lastTimestamp"]):
                done = k.try_(*args)
                print("\n".join((done.stdout + done.stderr).splitlines()[-40:]))
        if os.path.exists(self.log):
            print("--- lotsed.log\n" + "\n".join(read(self.log).splitlines()[-15:]))
