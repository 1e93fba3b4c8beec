"""Hosts of a cluster on one machine: network namespaces on a bridge, and one behind a router, each with a lotsed of its own.

Everything has the lab's prefix, lives in the lab's directory and goes with close(); nothing is changed in the machine's own
network namespace: the bridge and the router are a namespace too.
"""
import glob
import json
import os
import secrets
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", "..", ".."))


def run(*args, check=True, timeout=60, input=None):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout, input=input)
    if check and done.returncode != 0:
        raise RuntimeError("%s: exit %d\n%s%s" % (" ".join(map(str, args)), done.returncode, done.stdout, done.stderr))
    return done


def wait_until(what, test, seconds=30.0, every=0.15):
    """The first true value of test(); AssertionError with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(every)


def started(pid):
    """When a process was started, in ticks: with its pid this names it for good."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(") ", 1)[1].split()[19]
    except OSError:
        return None


class Host:
    """One namespace and the lotsed in it."""

    def __init__(self, lab, name, ip, gateway, bridged):
        self.lab, self.name, self.ip, self.bridged = lab, name, ip, bridged
        self.ns = lab.prefix + name
        self.port = lab.prefix + name + "p"  # the far end of its link, in the switch's namespace
        self.dir = os.path.join(lab.dir, name)
        self.process = None
        os.makedirs(self.dir)
        run("ip", "netns", "add", self.ns)
        lab.namespaces.append(self.ns)
        run("ip", "-n", lab.switch, "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.ns)
        if bridged:
            run("ip", "-n", lab.switch, "link", "set", self.port, "master", "br0", "up")
        else:
            run("ip", "-n", lab.switch, "addr", "add", gateway + "/24", "dev", self.port)
            run("ip", "-n", lab.switch, "link", "set", self.port, "up")
        run("ip", "-n", self.ns, "addr", "add", ip + "/24", "dev", "eth0")
        run("ip", "-n", self.ns, "link", "set", "eth0", "up")
        run("ip", "-n", self.ns, "link", "set", "lo", "up")
        run("ip", "-n", self.ns, "route", "add", "default", "via", gateway)
        if lab.six:
            subnet, number = ip.split(".")[2:]
            self.ip6, gateway6 = "fd88:%s::%s" % (subnet, number), "fd88:%s::1" % subnet
            if not bridged:
                run("ip", "-n", lab.switch, "addr", "add", gateway6 + "/64", "dev", self.port, "nodad")
            run("ip", "-n", self.ns, "addr", "add", self.ip6 + "/64", "dev", "eth0", "nodad")
            run("ip", "-n", self.ns, "route", "add", "default", "via", gateway6)

    def cut(self):
        run("ip", "-n", self.lab.switch, "link", "set", self.port, "down")

    def heal(self):
        run("ip", "-n", self.lab.switch, "link", "set", self.port, "up")

    def inside(self, *args):
        return ["nsenter", "--net=/var/run/netns/" + self.ns, *map(str, args)]

    def run(self, *args, **more):
        return run(*self.inside(*args), **more)

    def start(self, roles, config=""):
        path = os.path.join(self.dir, "lotse.toml")
        if config is not None and not os.path.exists(path):
            with open(path, "w") as f:
                f.write("[daemon]\nroles = %s\ndata_dir = \"%s/data\"\nnode_name = \"%s\"\n%s" % (json.dumps(roles), self.dir, self.name, config))
        self.data = os.path.join(self.dir, "data")
        with open(os.path.join(self.dir, "log"), "a") as log:
            self.process = subprocess.Popen(self.inside(self.lab.binary("lotsed"), "--config", path), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        self.lab.hosts.add(self)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()

    def lotse(self, *args, **more):
        return run(self.lab.binary("lotse"), "--data-dir", self.data, *args, **more)

    def close(self):
        """Ends what runs here, gently where that works, and takes away what the data directory names."""
        if self.alive():
            run(self.lab.binary("lotse"), "--data-dir", self.data, "node", "reset", check=False, timeout=90)
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        for name in ("dockerd", "podman", "containerd"):  # dockerd before its containerd
            for file in glob.glob(self.dir + "/data/run/runtime/*/%s.pid" % name):
                self.end_runtime(name, file)
        for group in glob.glob(self.dir + "/data/cgroup-root"):
            self.end_group(open(group).read().strip())

    @staticmethod
    def end_runtime(name, file):
        facts = dict(line.split("=", 1) for line in open(file).read().splitlines() if "=" in line)
        pid = int(facts.get("pid", 0))
        if pid and started(pid) == facts.get("start"):
            os.kill(pid, signal.SIGTERM)
            try:
                wait_until(name + " ends", lambda: started(pid) != facts["start"], 10)
            except AssertionError:
                os.kill(pid, signal.SIGKILL)
        if facts.get("socket", "").startswith("/run/lotse-"):
            shutil.rmtree(os.path.dirname(facts["socket"]), ignore_errors=True)

    def end_group(self, group):
        for top in ["/sys/fs/cgroup/" + group] + glob.glob("/sys/fs/cgroup/*/" + group):
            for path, _, _ in os.walk(top, topdown=False):
                try:
                    for pid in open(path + "/cgroup.procs").read().split():
                        os.kill(int(pid), signal.SIGKILL)
                    wait_until("empty", lambda: not open(path + "/cgroup.procs").read(), 5)
                    os.rmdir(path)
                except (OSError, AssertionError):
                    pass


class Lab:
    def __init__(self, build, six=False):
        """six: the hosts have IPv6 addresses too, fd88:SUBNET::NUMBER."""
        self.build, self.six = build, six
        self.prefix = "lh" + secrets.token_hex(2)
        self.dir = "/tmp/" + self.prefix
        os.makedirs(self.dir, 0o700)
        self.namespaces, self.hosts = [], set()
        self.switch = self.prefix + "s"
        run("ip", "netns", "add", self.switch)
        self.namespaces.append(self.switch)
        run("ip", "-n", self.switch, "link", "set", "lo", "up")
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "addr", "add", "10.88.2.1/24", "dev", "br0")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")
        run("nsenter", "--net=/var/run/netns/" + self.switch, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        if six:
            run("ip", "-n", self.switch, "addr", "add", "fd88:2::1/64", "dev", "br0", "nodad")
            run("nsenter", "--net=/var/run/netns/" + self.switch, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.kubectl_path = os.environ.get("KUBECTL_DEBIAN") or run(ROOT + "/packaging/packages/kubectl", ROOT + "/build/kubectl").stdout.strip()

    def outside(self, *args, **more):
        """Runs a program where the hosts' links end: in their network, on none of them."""
        return run("nsenter", "--net=/var/run/netns/" + self.switch, *args, **more)

    def binary(self, name):
        return os.path.join(self.build, "bin", name)

    def host(self, name, number, subnet=2):
        return Host(self, name, "10.88.%d.%d" % (subnet, number), "10.88.%d.1" % subnet, subnet == 2)

    def close(self):
        for host in list(self.hosts):
            try:
                host.close()
            except Exception as e:  # the others are cleared up all the same
                print("clearing up %s: %s" % (host.name, e))
        self.end_processes()
        for ns in reversed(self.namespaces):
            run("ip", "netns", "del", ns, check=False)
        mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
        for mount in sorted((m for m in mounts if m.startswith(self.dir + "/")), reverse=True):
            run("umount", "-l", mount, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def end_processes(self):
        """What is left in our namespaces, and shims, which have our directory among their arguments."""
        for ns in self.namespaces:
            for pid in run("ip", "netns", "pids", ns, check=False).stdout.split():
                self.end(int(pid))
        for file in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                words = open(file).read()
            except OSError:
                continue
            if ("containerd-shim" in words or "conmon" in words) and self.dir + "/" in words:
                self.end(int(file.split("/")[2]))

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
