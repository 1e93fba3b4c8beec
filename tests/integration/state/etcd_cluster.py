"""etcd for a test: Debian's etcd with one or three members on loopback ports that were free, plain or with TLS and client
certificates, in a temporary directory. Leaves nothing behind."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def make_certificates(directory):
    """ca.pem, server.pem/.key for 127.0.0.1, client.pem/.key; other-ca.pem signed none of them."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for name in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                f"/CN=test {name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, usage in (("server", "serverAuth,clientAuth"), ("client", "clientAuth")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout",
                f"{name}.key", "-out", f"{name}.csr")
        with open(os.path.join(directory, "extensions"), "w") as f:
            f.write(f"extendedKeyUsage={usage}\nsubjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", "extensions", "-out", f"{name}.pem")


class Etcd:
    """with Etcd(members=3) as etcd: ... etcd.plugin_config() goes into [plugins.state.etcd]."""

    def __init__(self, members=1, tls=False, sync=True, request_bytes=6 << 20, arguments=()):
        self.directory = tempfile.mkdtemp(prefix="lotse-etcd-")
        self.tls, self.sync, self.request_bytes, self.arguments = tls, sync, request_bytes, arguments
        self.scheme = "https" if tls else "http"
        ports = free_ports(2 * members)
        self.clients, self.peers = ports[:members], ports[members:]
        self.processes = [None] * members
        if tls:
            make_certificates(self.directory)

    def __enter__(self):
        for i in range(len(self.clients)):
            self.start(i)
        self.wait_ready()
        return self

    def __exit__(self, *_):
        for i, process in enumerate(self.processes):
            if process:
                process.send_signal(signal.SIGCONT)
                self.kill(i)
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, i):
        client, peer = f"{self.scheme}://127.0.0.1:{self.clients[i]}", f"http://127.0.0.1:{self.peers[i]}"
        cluster = ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(self.peers))
        beat, election = ("20", "200") if len(self.peers) == 1 else ("100", "1000")
        command = ["etcd", "--name", f"m{i}", "--data-dir", self.path(f"m{i}"), "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", cluster, "--initial-cluster-token", "test", "--heartbeat-interval", beat, "--election-timeout",
                   election, "--max-request-bytes", str(self.request_bytes), "--log-level", "error", *self.arguments]
        if self.tls:
            command += ["--cert-file", self.path("server.pem"), "--key-file", self.path("server.key"), "--trusted-ca-file",
                        self.path("ca.pem"), "--client-cert-auth"]
        if not self.sync:
            command.append("--unsafe-no-fsync")
        log = open(self.path(f"m{i}.log"), "ab")
        self.processes[i] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self, i):
        self.processes[i].kill()
        self.processes[i].wait()
        self.processes[i] = None

    def signal(self, i, number):
        self.processes[i].send_signal(number)

    def ctl(self, *arguments, members=None, check=True, user=None):
        endpoints = ",".join(f"127.0.0.1:{self.clients[i]}" for i in (members if members is not None else range(len(self.clients))))
        command = ["etcdctl", "--endpoints", endpoints]
        if self.tls:
            command += ["--cacert", self.path("ca.pem"), "--cert", self.path("client.pem"), "--key", self.path("client.key")]
        if user:
            command += ["--user", user]
        return subprocess.run(command + list(arguments), check=check, env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=30).stdout.decode()

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while "is healthy" not in self.ctl("endpoint", "health", check=False):
            if time.monotonic() > end or any(p and p.poll() is not None for p in self.processes):
                raise AssertionError("etcd does not start:\n" + open(self.path("m0.log")).read()[-2000:])
            time.sleep(0.05)

    def leader(self):
        """The index of the member that leads; None: there is none, or it cannot be asked."""
        for i, process in enumerate(self.processes):
            if process is None:
                continue
            answer = self.ctl("endpoint", "status", "--write-out", "json", members=[i], check=False)
            try:
                status = json.loads(answer.strip().splitlines()[-1])[0]["Status"]
            except (ValueError, IndexError, KeyError):
                self.last_answer = answer
                continue
            if status.get("leader") == status["header"]["member_id"]:
                return i
        return None

    def plugin_config(self, quote=True):
        urls = ", ".join(f'"{self.scheme}://127.0.0.1:{port}"' for port in self.clients)
        config = {"endpoints": f"[{urls}]"}
        if self.tls:
            config.update(ca=f'"{self.path("ca.pem")}"', cert=f'"{self.path("client.pem")}"', key=f'"{self.path("client.key")}"')
        return config

    def write_config(self, **more):
        """A file for lotse-plugin-check --config."""
        path = self.path("config")
        with open(path, "w") as f:
            for key, value in {**self.plugin_config(), **more}.items():
                f.write(f"{key} = {value}\n")
        return path
