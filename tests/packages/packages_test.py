#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packages: made, looked at by lintian and rpmlint, and installed, upgraded, downgraded, removed and purged in a clean Debian
tree with a systemd of its own, while a container runs. usage: packages_test.py BUILD_DIR"""
import glob
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POD = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: c, image: lotse.local/demo:1, imagePullPolicy: IfNotPresent, command: [/bin/sleep, "424242"]}
"""


def run(*args, check=True, timeout=300, **more):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, **more)
    if check and done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s" % (" ".join(args), done.returncode, done.stdout[-3000:]))
    return done.stdout


def wait_until(what, test, seconds=60):
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        assert time.monotonic() < end, "not within %d s: %s" % (seconds, what)
        time.sleep(0.2)


def digests(folder):
    return {os.path.basename(f): hashlib.sha256(open(f, "rb").read()).hexdigest() for f in glob.glob(folder + "/*.[dr][ep][bm]")}


class Tree:
    """A Debian tree, and the systemd that runs in it."""

    def __init__(self, path):
        self.path, self.nspawn, self.leader = path, None, None
        run("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2", "bookworm", path, timeout=900)
        shutil.copy("/etc/resolv.conf", path + "/etc/resolv.conf")
        for f in glob.glob("/etc/apt/apt.conf.d/*"):
            shutil.copy(f, path + "/etc/apt/apt.conf.d/")

    def chroot(self, *args, **more):
        return run("chroot", self.path, *args, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), **more)

    def boot(self):
        log = open(self.path + ".log", "w")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "-q", "-D", self.path, "--register=no", "--keep-unit", "-b", "--private-network", "--capability=all",
             "--system-call-filter=@keyring @privileged @mount bpf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        children = "/proc/%d/task/%d/children" % (self.nspawn.pid, self.nspawn.pid)

        def up():  # its first child is not yet the one that stays
            self.leader = (open(children).read().split() or [None])[0]
            return self.leader and self.do("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")
        wait_until("systemd is up", up, 120)
        # Containers have cgroups, which nspawn makes read-only.
        self.sh("for d in /sys/fs/cgroup/*; do [ ! -d $d ] || mount -o remount,bind,rw $d || true; done")
        # A network of its own: one end of a pair has the address and the default route.
        self.do("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
        self.do("ip", "addr", "add", "10.99.1.2/24", "dev", "eth0")
        for name in ("eth0", "other"):
            self.do("ip", "link", "set", name, "up")
        self.do("ip", "route", "add", "default", "via", "10.99.1.1")

    def do(self, *args, **more):
        return run("nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", *args, **more)

    def sh(self, text, **more):
        return self.do("/bin/sh", "-c", text, **more)

    def kubectl(self, *args, **more):
        return self.do("kubectl", "--kubeconfig", "/var/lib/lotse/admin.kubeconfig", "--request-timeout=20s", *args, **more)

    def ready(self):
        return self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}", check=False).strip() == "True"

    def processes(self):
        """The command lines of what belongs to Lotse in there."""
        inside, found = os.readlink("/proc/%s/ns/pid" % self.leader), []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % entry) as f:
                    line = f.read().replace("\0", " ")
                if os.readlink("/proc/%s/ns/pid" % entry) == inside and ("/var/lib/lotse" in line or "/usr/bin/lotsed" in line):
                    found.append(line)
            except OSError:
                pass
        return found

    def sleeper(self):
        """The container's process: (pid, when it was started) as the machine sees it."""
        for entry in os.listdir("/proc"):
            try:
                with open("/proc/%s/cmdline" % entry, "rb") as f:
                    if f.read().split(b"\0")[:2] != [b"/bin/sleep", b"424242"]:
                        continue
                with open("/proc/%s/stat" % entry) as f:
                    return int(entry), f.read().rsplit(")", 1)[1].split()[19]
            except (OSError, ValueError, IndexError):
                pass
        return None

    def stop(self):
        if not self.nspawn:
            return
        if self.leader and self.nspawn.poll() is None:
            os.kill(int(self.leader), signal.SIGRTMIN + 4)  # poweroff
        try:
            self.nspawn.wait(30)
        except subprocess.TimeoutExpired:
            os.kill(int(self.leader or self.nspawn.pid), signal.SIGKILL)
            self.nspawn.wait(15)


def packages_are_made(work):
    """packaging/build makes them; a second time they are the same to the byte"""
    run(ROOT + "/packaging/build", "--out", work + "/packages", timeout=1500)
    made = digests(work + "/packages")
    assert sum(n.endswith(".deb") for n in made) >= 6 and sum(n.endswith(".rpm") for n in made) >= 6, made
    run(ROOT + "/packaging/build", "--out", work + "/again", timeout=1500)
    again = digests(work + "/again")
    assert again == made, "differ: %s" % [n for n in made if made[n] != again.get(n)]


def linters_find_no_error(work):
    """lintian and rpmlint find no error"""
    debs, rpms = glob.glob(work + "/packages/*.deb"), glob.glob(work + "/packages/*.rpm")
    found = [l for l in run("lintian", "--allow-root", *debs, check=False).splitlines() if l.startswith("E:")]
    found += [l for l in run("rpmlint", "-c", ROOT + "/packaging/rpm/rpmlint.toml", *rpms, check=False).splitlines() if ": E: " in l]
    assert not found, "\n".join(found)


def rpms_install(work):
    """an rpm is installed, verified and removed in a root of its own"""
    root, rpms = work + "/rpmroot", glob.glob(work + "/packages/*.rpm")
    os.mkdir(root)
    run("rpm", "--root", root, "--initdb")
    run("rpm", "--root", root, "-i", "--nodeps", "--noscripts", *rpms)
    names = run("rpm", "--root", root, "-qa").split()
    assert len(names) == len(rpms), names
    run("rpm", "--root", root, "-V", "--nodeps", *names)
    assert "ABI 1." in run(root + "/usr/bin/lotse", "--version")
    run("rpm", "--root", root, "-e", "--nodeps", "--noscripts", *names)
    left = [f for f in glob.glob(root + "/**/*", recursive=True) if os.path.isfile(f) and "/var/" not in f[len(root):]]
    assert not left, left


def install(work, tree):
    """apt installs it with what it needs, systemd starts it, and a pod runs"""
    for name in ("lotse_", "lotse-runtime-containerd_", "lotse-proxy-iptables_"):
        shutil.copy(glob.glob("%s/packages/%s*.deb" % (work, name))[0], tree.path + "/root/")
    tree.chroot("apt-get", "update", "-q")
    tree.chroot("sh", "-c", "apt-get install -y -q --no-install-recommends /root/*.deb", timeout=600)
    kubectl = os.environ.get("KUBECTL_DEBIAN") or run(ROOT + "/packaging/packages/kubectl", ROOT + "/build/kubectl").strip()
    shutil.copy(kubectl, tree.path + "/usr/local/bin/kubectl")
    run(sys.executable, ROOT + "/packaging/images/demo/build.py", tree.path + "/root/demo.tar")
    problems = tree.chroot("systemd-analyze", "verify", "--man=no", "lotsed.service", check=False)
    assert not problems.strip(), problems
    tree.boot()
    tree.do("systemctl", "restart", "lotsed")
    assert tree.do("systemctl", "is-enabled", "lotsed").strip() == "enabled"
    wait_until("the node is Ready", tree.ready, 90)
    tree.do("lotse", "image", "import", "/root/demo.tar")
    tree.sh("kubectl --kubeconfig /var/lib/lotse/admin.kubeconfig apply -f - <<'TEXT'\n%s\nTEXT" % POD)
    wait_until("the pod runs", lambda: "1/1" in tree.kubectl("get", "pod", "sleeper", check=False))
    assert tree.sleeper()


def restarts_leave_containers(work, tree):
    """stop, start, restart and kill -9 leave the container running"""
    before = tree.sleeper()
    tree.do("systemctl", "restart", "lotsed")
    tree.do("systemctl", "stop", "lotsed")
    assert tree.sleeper() == before
    tree.do("systemctl", "start", "lotsed")
    wait_until("the node is Ready", tree.ready)
    tree.do("systemctl", "kill", "-s", "KILL", "--kill-who=main", "lotsed")
    wait_until("systemd has started it again", lambda: tree.do("systemctl", "show", "-P", "NRestarts", "lotsed").strip() == "1" and tree.ready(), 60)
    assert tree.sleeper() == before
    assert tree.kubectl("get", "pod", "sleeper", "-o", "jsonpath={.status.containerStatuses[0].restartCount}").strip() == "0"


def repacked(work, version):
    """The package lotse with another version, as a later release would be."""
    folder = "%s/repacked-%s" % (work, version)
    run("dpkg-deb", "-R", glob.glob(work + "/packages/lotse_*.deb")[0], folder)
    with open(folder + "/DEBIAN/control") as f:
        control = f.read()
    with open(folder + "/DEBIAN/control", "w") as f:
        f.write("".join("Version: %s\n" % version if l.startswith("Version:") else l for l in control.splitlines(True)))
    run("dpkg-deb", "--root-owner-group", "-b", folder, folder + ".deb")
    return folder + ".deb"


def upgrade(work, tree):
    """an upgrade and a downgrade restart lotsed, keep a changed configuration, and touch no container"""
    before = tree.sleeper()
    tree.sh("printf '\\n# changed by hand\\n' >> /etc/lotse/lotse.toml")
    shutil.copy(repacked(work, "0.1.1"), tree.path + "/root/later.deb")
    for deb, version in (("later.deb", "0.1.1"), (os.path.basename(glob.glob(tree.path + "/root/lotse_*.deb")[0]), "0.1.0")):
        pid = tree.do("systemctl", "show", "-P", "MainPID", "lotsed")
        tree.do("dpkg", "-i", "/root/" + deb)
        assert version in tree.do("dpkg-query", "-W", "lotse")
        assert tree.do("systemctl", "show", "-P", "MainPID", "lotsed") != pid
        wait_until("the node is Ready", tree.ready)
        assert tree.sleeper() == before
        assert "# changed by hand" in tree.do("tail", "-n", "1", "/etc/lotse/lotse.toml")
    assert tree.kubectl("get", "pod", "sleeper", "-o", "jsonpath={.status.containerStatuses[0].restartCount}").strip() == "0"


def removal(work, tree):
    """removal ends containers and keeps data, which a new installation takes up; purge takes all of it"""
    tree.do("dpkg", "-r", "lotse-runtime-containerd", "lotse-proxy-iptables", "lotse")
    wait_until("the container has ended", lambda: not tree.sleeper(), 20)
    wait_until("no process of it is left", lambda: not tree.processes(), 20)
    assert tree.do("ls", "/var/lib/lotse/admin.kubeconfig")
    assert "KUBE" not in tree.sh("iptables-save 2>/dev/null") and "LOTSE" not in tree.sh("iptables-save 2>/dev/null")
    tree.sh("dpkg -i /root/lotse_*.deb /root/lotse-*.deb")
    wait_until("the pod runs again", lambda: tree.sleeper() and "1/1" in tree.kubectl("get", "pod", "sleeper", check=False), 90)
    tree.do("dpkg", "-P", "lotse-runtime-containerd", "lotse-proxy-iptables", "lotse")
    for path in ("/var/lib/lotse", "/etc/lotse", "/usr/lib/lotse", "/usr/share/lotse"):
        assert not os.path.exists(tree.path + path), path + " is left"
    wait_until("no process of it is left", lambda: not tree.processes(), 20)


def main():
    work = tempfile.mkdtemp(prefix="lotse-packages-")
    tree, failed = None, 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def step(function, *args):
        nonlocal failed
        began = time.monotonic()
        try:
            function(work, *args)
            print("ok     %5.1f s  %s" % (time.monotonic() - began, function.__doc__), flush=True)
            return True
        except Exception:
            failed += 1
            print("FAILED %5.1f s  %s" % (time.monotonic() - began, function.__doc__), flush=True)
            traceback.print_exc(file=sys.stdout)
            return False

    try:
        if step(packages_are_made):
            step(linters_find_no_error)
            step(rpms_install)
            tree = Tree(work + "/tree")
            if step(install, tree):
                for function in (restarts_leave_containers, upgrade, removal):
                    step(function, tree)
            if failed and tree.leader:
                print(tree.do("journalctl", "--no-pager", "-u", "lotsed", "-n", "60", check=False))
    finally:
        if tree:
            tree.stop()
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
