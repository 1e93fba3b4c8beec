# SPDX-License-Identifier: Apache-2.0
"""What the figures of this folder are measured on: one lotsed in a network namespace and a directory of its own.

The measuring process enters the namespace too (setns: `ip netns exec` would hide the cgroups), so its clients are inside.
"""
import base64
import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
IMAGE = "lotse.local/demo:1"
PORT = 6443
HOST = "127.0.0.1"

CONFIG = """[daemon]
node_name = "bench"
[components]
transport = {transport}
state = "{state}"
scheduler = {scheduler}
runtime = "{runtime}"
proxy = "{proxy}"
[bus]
listen = "tcp://127.0.0.1:6442"
[plugins.transport.rest]
listen = ["127.0.0.1:6443"]
{more}
"""
ETCD_SECTION = '[plugins.state.etcd]\nendpoints = ["http://127.0.0.1:2379"]\n'


def say(text):
    print(text, flush=True)


def machine():
    """The first line of every figure: what it was measured on."""
    with open("/proc/loadavg") as f:
        load = f.read().split()[0]
    say("%s; %d processors, shared with the clients; load %s before it began" % (time.strftime("%Y-%m-%d %H:%M"), os.cpu_count(), load))


def wait_until(what, check, seconds=60, every=0.02):
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException, KeyError, IndexError):
            found = check()
            if found:
                return found
        if time.monotonic() > deadline:
            raise TimeoutError("not within %d s: %s" % (seconds, what))
        time.sleep(every)


def read(path):
    with open(path) as f:
        return f.read()


def enter(path):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path) as f:
        if libc.setns(f.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns " + path)


class Network:
    """A namespace with loopback and a bridge that has the machine's address and the default route: nothing leaves it."""

    def __init__(self):
        self.name = "lotse-bench-%d" % os.getpid()
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.outside = "/proc/%d/fd/%d" % (os.getpid(), os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        enter("/var/run/netns/" + self.name)
        for words in ("link set lo up", "link add eth0 type bridge", "address add 10.89.0.2/24 dev eth0", "link set eth0 up",
                      "route add default via 10.89.0.1"):
            subprocess.run(["ip"] + words.split(), check=True)

    def remove(self):
        enter(self.outside)
        subprocess.run(["ip", "netns", "delete", self.name], check=False)


class Etcd:
    """A member of its own in the bed's network namespace."""

    def __init__(self, bed):
        self.log = open(bed.dir + "/etcd.log", "wb")
        url, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        self.process = subprocess.Popen(["etcd", "--name", "bench", "--data-dir", bed.dir + "/etcd", "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "bench=" + peer, "--max-request-bytes", "6291456"],
            stdout=self.log, stderr=self.log)
        wait_until("etcd is healthy", lambda: b"true" in urllib.request.urlopen(url + "/health", timeout=1).read(), 30, 0.1)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Bed:
    def __init__(self, build, state="lmdb", runtime="hollow", proxy="none", more="", preload=False, transport=("rest",), scheduler=("default",)):
        self.build = os.path.realpath(build)
        self.dir = tempfile.mkdtemp(prefix="lotse-bench-")
        self.data, self.log = self.dir + "/data", self.dir + "/lotsed.log"
        self.runtime, self.preload = runtime, preload
        self.process = self.connection = None
        with open(self.dir + "/lotse.toml", "w") as f:
            f.write(CONFIG.format(state=state, runtime=runtime, proxy=proxy, more=more, transport=json.dumps(transport), scheduler=json.dumps(scheduler)))
        self.title = "rest (TLS 1.3), %s, default, %s+%s" % (state, runtime, proxy)
        self.cgroup = "/lotse-bench-%d" % os.getpid()  # for what uses the same containerd beside lotsed
        self.network = Network()

    # -- the daemon

    def start(self, node=True):
        """Seconds from exec until /readyz says ok. With `node`, waits (uncounted) until the node is Ready too."""
        env = dict(os.environ)
        if self.preload:
            with open(self.dir + "/syncs", "wb") as f:
                f.write(bytes(8))
            env.update(LD_PRELOAD=self.build + "/lib/bench_count_syncs.so", LOTSE_BENCH_SYNCS=self.dir + "/syncs")
        with open(self.log, "ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen([self.build + "/bin/lotsed", "--config", self.dir + "/lotse.toml", "--data-dir", self.data], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env, start_new_session=True)
        wait_until("/readyz", self.is_ready, 120, 0.002)
        took = time.monotonic() - begin
        wait_until("the admin's kubeconfig", lambda: os.path.exists(self.data + "/admin.kubeconfig"))
        self.credentials()
        if node:
            wait_until("the nodes are Ready", self.nodes_ready, 120, 0.2)
            wait_until("the default ServiceAccount", lambda: self.api("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
        return took

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit("lotsed has ended with %d:\n%s" % (self.process.returncode, read(self.log)[-2000:]))
        context = ssl._create_unverified_context()
        with socket.create_connection((HOST, PORT), 5) as plain, context.wrap_socket(plain) as c:
            c.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return c.recv(4096).startswith(b"HTTP/1.1 200")

    def nodes_ready(self):
        status, nodes = self.api("GET", "/api/v1/nodes")
        return status == 200 and nodes["items"] and all(
            any(c["type"] == "Ready" and c["status"] == "True" for c in n.get("status", {}).get("conditions", [])) for n in nodes["items"])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.connection = None

    def terminate(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                say("lotsed did not end within 30 s of SIGTERM")
                self.process.kill()
                self.process.wait()
        self.connection = None

    def cpu(self):
        """Seconds of processor time of lotsed so far, by (thread's id, name)."""
        out = {}
        for task in os.listdir("/proc/%d/task" % self.process.pid):
            head, tail = read("/proc/%d/task/%s/stat" % (self.process.pid, task)).rsplit(") ", 1)
            out[(task, head.split("(", 1)[1])] = sum(int(n) for n in tail.split()[11:13]) / os.sysconf("SC_CLK_TCK")
        return out

    def syncs(self):
        with open(self.dir + "/syncs", "rb") as f:
            return int.from_bytes(f.read(8), sys.byteorder)

    # -- clients

    def credentials(self):
        text = read(self.data + "/admin.kubeconfig")
        for name, key in (("ca.crt", "certificate-authority-data"), ("client.crt", "client-certificate-data"), ("client.key", "client-key-data")):
            with open(os.open(self.dir + "/" + name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(base64.b64decode(re.search(key + r": (\S+)", text)[1]))

    def connect(self):
        context = ssl.create_default_context(cafile=self.dir + "/ca.crt")
        context.load_cert_chain(self.dir + "/client.crt", self.dir + "/client.key")
        return http.client.HTTPSConnection(HOST, PORT, timeout=60, context=context)

    def api(self, method, path, body=None):
        if self.connection is None:
            self.connection = self.connect()
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            self.connection = None
            raise

    def ask(self, method, path, body=None):
        status, answer = self.api(method, path, body)
        if status // 100 != 2:
            raise RuntimeError("%s %s: %d %s" % (method, path, status, answer.get("message")))
        return answer

    def words(self, command, *args):
        return [self.build + "/bin/bench_client", command, HOST, str(PORT), self.dir] + [str(a) for a in args]

    def client(self, command, *args):
        done = subprocess.run(self.words(command, *args), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError("bench_client %s: %s" % (command, done.stderr.strip()))
        return json.loads(done.stdout.splitlines()[-1])

    def etcd(self, directory, seconds):
        done = subprocess.run([self.build + "/bin/bench_client", "etcd", directory, str(seconds), "16"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def body(self, name, value):
        path = self.dir + "/" + name
        with open(path, "w") as f:
            json.dump(value, f)
        return path

    def config_map(self):
        """A ConfigMap of 1 KB."""
        value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "@NAME@"}, "data": {"k": ""}}
        value["data"]["k"] = "v" * (1024 - len(json.dumps(value)))
        return self.body("configmap.json", value)

    def token(self, namespace, role):
        """A bearer token of the namespace's default ServiceAccount, which gets the cluster role in it."""
        self.ask("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings" % namespace, {
            "metadata": {"name": "bench"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}]})
        return self.ask("POST", "/api/v1/namespaces/%s/serviceaccounts/default/token" % namespace, {"spec": {}})["status"]["token"]

    def import_demo(self):
        subprocess.run([sys.executable, ROOT + "/packaging/images/demo/build.py", self.dir + "/demo.tar", IMAGE], check=True)
        subprocess.run([self.build + "/bin/lotse", "--data-dir", self.data, "image", "import", self.dir + "/demo.tar"], check=True, capture_output=True)

    # -- down

    def daemon(self, name):
        """What the file of a daemon of the runtime tells: pid, start, socket."""
        return dict(line.split("=", 1) for line in read("%s/run/runtime/%s/%s.pid" % (self.data, self.runtime, name)).splitlines() if "=" in line)

    def close(self):
        if self.runtime != "hollow" and self.process and self.process.poll() is None:
            subprocess.run([self.build + "/bin/lotse", "--data-dir", self.data, "node", "reset"], check=False, capture_output=True, timeout=120)
        self.terminate()
        if self.runtime != "hollow":
            self.end_runtime()
        self.network.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    def end_runtime(self):
        for name in ("dockerd", "podman", "containerd"):  # dockerd before its containerd
            with contextlib.suppress(OSError, KeyError):
                facts = self.daemon(name)
                if read("/proc/%s/stat" % facts["pid"]).rsplit(") ", 1)[1].split()[19] == facts["start"]:
                    os.kill(int(facts["pid"]), signal.SIGTERM)
                    wait_until(name + " ends", lambda: not os.path.exists("/proc/" + facts["pid"]), 10)
                shutil.rmtree(os.path.dirname(facts["socket"]), ignore_errors=True)
        for line in reversed(read("/proc/self/mounts").splitlines()):
            if line.split()[1].startswith(self.dir + "/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        tops = ["/sys/fs/cgroup"] + [e.path for e in os.scandir("/sys/fs/cgroup") if e.is_dir()]
        for name in (read(self.data + "/cgroup-root").strip(), self.cgroup.strip("/")):
            for path in [path for top in tops for path, _, _ in os.walk(top + "/" + name, topdown=False)]:
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that everything is taken down
        return self

    def __exit__(self, kind, *_):
        if kind is not None and os.path.exists(self.log):
            say("--- the end of lotsed's log\n" + read(self.log)[-3000:])
        self.close()
