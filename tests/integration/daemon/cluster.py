"""A lotsed of its own for a test: the real program with hollow pods, in a network namespace that only this process and its children
have, with all its state in a temporary directory. Needs root; leaves nothing behind."""
import base64
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

ADDRESS = "192.0.2.10"
CLONE_NEWNET = 0x40000000


def own_network():
    """Moves this process into a new network namespace, which ends with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        sys.exit(f"needs root for a network namespace: {os.strerror(ctypes.get_errno())}")
    for command in (["link", "set", "lo", "up"], ["link", "add", "eth0", "type", "bridge"], ["addr", "add", ADDRESS + "/24", "dev", "eth0"],
                    ["link", "set", "eth0", "up"], ["route", "add", "default", "via", "192.0.2.1"]):
        subprocess.run(["ip"] + command, check=True)


def kubectl():
    """Debian's kubectl: from KUBECTL_DEBIAN, or fetched into build/kubectl."""
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
    return os.environ.get("KUBECTL_DEBIAN") or subprocess.run([root + "/packaging/packages/kubectl", root + "/build/kubectl"], check=True,
                                                              stdout=subprocess.PIPE).stdout.decode().strip()


def until(what, fn, seconds=60.0):
    """The first true value of fn(); a deadline instead of hope."""
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class ApiError(Exception):
    def __init__(self, code, status):
        super().__init__(f"{code} {status}")
        self.code, self.status = code, status


class Api:
    """REST as the cluster's administrator, over one kept connection."""

    def __init__(self, kubeconfig, port=6443, host="127.0.0.1"):
        text = open(kubeconfig).read()
        folder = os.path.dirname(kubeconfig)
        self.context = ssl.create_default_context(cadata=self.field(text, "certificate-authority-data").decode())
        pair = os.path.join(folder, "test-admin.pem")
        with open(os.open(pair, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
            out.write(self.field(text, "client-certificate-data") + self.field(text, "client-key-data"))
        self.context.load_cert_chain(pair)
        self.host, self.port, self.kept = host, port, None

    @staticmethod
    def field(text, name):
        return base64.b64decode(re.search(name + r": *(\S+)", text).group(1))

    def connection(self, timeout=60):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)

    def raw(self, method, path, body=None, headers=None):
        """(status, bytes); one more try on a kept connection that the server has closed."""
        for again in (True, False):
            if self.kept is None:
                self.kept = self.connection()
            try:
                self.kept.request(method, path, body, headers or {})
                response = self.kept.getresponse()
                return response.status, response.read()
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                self.kept.close()
                self.kept = None
                if not again:
                    raise

    def call(self, method, path, body=None, content="application/json"):
        status, answer = self.raw(method, path, None if body is None else json.dumps(body), {"Content-Type": content} if body is not None else {})
        value = json.loads(answer) if answer[:1] in (b"{", b"[") else answer.decode()
        if status >= 400:
            raise ApiError(status, value)
        return value

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path):
        return self.call("DELETE", path)

    def watch(self, path, timeout=60):
        """Yields (type, object); ends when the server ends the watch."""
        connection = self.connection(timeout)
        try:
            connection.request("GET", path + ("&" if "?" in path else "?") + "watch=1")
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(response.status, json.loads(response.read()))
            for line in response:
                event = json.loads(line)
                yield event["type"], event["object"]
        finally:
            connection.close()


class Daemon:
    """lotsed with a directory. `settings` are lines of TOML by section, over those that every test wants."""

    def __init__(self, bin_dir, settings=None, folder=None, text=None):
        self.bin_dir = bin_dir
        self.folder = folder or tempfile.mkdtemp(prefix="lotse-daemon-test-")
        self.data = self.folder + "/data"
        self.file = self.folder + "/lotse.toml"
        self.log_file = self.folder + "/log"
        self.process = None
        self.write(settings or {}, text)

    def write(self, settings, text=None):
        wanted = {"components": {"transport": '["rest"]', "state": '"lmdb"', "scheduler": '["default"]', "runtime": '"hollow"', "proxy": '"none"'},
                  "daemon": {"data_dir": f'"{self.data}"', "node_name": '"node"', "plugin_path": f'["{self.bin_dir}/../lib/lotse/plugins"]'}}
        for section, lines in settings.items():
            wanted.setdefault(section, {}).update(lines)
        lines = []
        for section, keys in wanted.items():
            lines += [f"[{section}]"] + [f"{key} = {value}" for key, value in keys.items()]
        with open(self.file, "w") as out:
            out.write("\n".join(lines) + "\n" if text is None else text)

    def start(self, seconds=60.0):
        """Returns when it says that it is ready: the seconds that took."""
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"\0lotse-test-{os.getpid()}-{time.monotonic_ns()}"
        ready.bind(name)
        ready.settimeout(0.2)
        self.log = open(self.log_file, "ab")
        begin = time.monotonic()
        self.process = subprocess.Popen([self.bin_dir + "/lotsed", "--config", self.file], stdout=self.log, stderr=self.log,
                                        env=dict(os.environ, NOTIFY_SOCKET="@" + name[1:]))
        with ready:
            while True:
                try:
                    if b"READY=1" in ready.recv(4096):
                        break
                except socket.timeout:
                    if self.process.poll() is not None or time.monotonic() - begin > seconds:
                        raise AssertionError("lotsed does not start:\n" + self.log_text()[-4000:])
        took = time.monotonic() - begin
        if os.path.exists(self.kubeconfig):
            self.api = Api(self.kubeconfig)
        return took

    def refuses_to_start(self, seconds=30):
        """Runs it to its end: (exit code, what it said)."""
        done = subprocess.run([self.bin_dir + "/lotsed", "--config", self.file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        return done.returncode, done.stdout.decode(errors="replace")

    def stop(self, with_signal=signal.SIGTERM, seconds=20):
        """Ends it: (exit code, seconds)."""
        begin = time.monotonic()
        self.process.send_signal(with_signal)
        code = self.process.wait(seconds)
        self.log.close()
        self.process = None
        return code, time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process is not None:
            if kind is not None:
                print("---- the daemon's log, its end ----\n" + self.log_text()[-6000:], file=sys.stderr)
            self.process.kill()
            self.process.wait()
        if kind is not None and os.environ.get("LOTSE_KEEP"):
            print("kept:", self.folder, file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def kubeconfig(self):
        return self.data + "/admin.kubeconfig"

    def log_text(self):
        return open(self.log_file, errors="replace").read()

    def lotse(self, *arguments, check=True):
        done = subprocess.run([self.bin_dir + "/lotse", "--data-dir", self.data, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"lotse {arguments}: {done.returncode} {done.stderr.decode()}")
        return done

    def rss_mib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self):
        return self.process.poll() is None and self.api.raw("GET", "/readyz")[0] == 200


def deployment(name, replicas, **more):
    labels = {"app": name}
    container = {"name": "main", "image": "example.test/app:1"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": dict({"containers": [container]}, **more)}}}


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def condition(thing, kind):
    return any(c["type"] == kind and c["status"] == "True" for c in thing.get("status", {}).get("conditions", []))


def nodes_ready(api):
    return sum(condition(n, "Ready") for n in api.get("/api/v1/nodes")["items"])


def available(api, name, replicas):
    return api.get(f"{DEPLOYMENTS}/{name}").get("status", {}).get("availableReplicas", 0) == replicas
