# SPDX-License-Identifier: Apache-2.0
"""The steps of a pod done directly on each runtime's own API: a sandbox, a container in it, both running, and gone again."""
import concurrent.futures
import http.client
import json
import socket
import statistics
import subprocess
import time

from bed import IMAGE

PAUSE = "lotse.local/pause:1"


class Cri:
    """containerd's CRI, by the program cri_bench. Its sandboxes have a network."""
    title = "CRI alone"

    def __init__(self, bed):
        self.bed = bed

    def words(self, *more):
        bed = self.bed
        return subprocess.run([bed.build + "/bin/cri_bench", bed.daemon("containerd")["socket"], IMAGE, bed.cgroup, *more],
                              check=True, capture_output=True, text=True).stdout.split()

    def one_by_one(self, rounds):
        return float(self.words(str(rounds))[2])

    def at_once(self, count):
        return float(self.words(str(count), "at-once")[2])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """HTTP on a unix socket. Its sandboxes have no network: that is the plugin's own work."""

    def __init__(self, bed):
        self.bed = bed
        self.socket = bed.daemon(self.daemon)["socket"]

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, self.prefix + path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise RuntimeError("%s %s: %d %s" % (method, path, answer.status, text[:300]))
            return json.loads(text) if text.strip().startswith(b"{") else None
        finally:
            connection.close()

    def made(self, name):
        ids = [self.ask("POST", *self.sandbox(name))["Id"]]
        self.ask("POST", "/containers/%s/start" % ids[0])
        ids.append(self.ask("POST", *self.container(name, ids[0]))["Id"])
        self.ask("POST", "/containers/%s/start" % ids[1])
        assert self.ask("GET", "/containers/%s/json" % ids[1])["State"]["Running"]
        return ids

    def remove(self, ids):
        for one in reversed(ids):
            for left in range(9, -1, -1):  # podman may find the cgroup of what it has just killed busy
                try:
                    self.ask("DELETE", "/containers/%s?force=true" % one)
                    break
                except RuntimeError as e:
                    if "busy" not in str(e) or not left:
                        raise
                    time.sleep(0.1)

    def one_by_one(self, rounds):
        took = []
        for i in range(rounds):
            begin = time.monotonic()
            ids = self.made("direct%d" % i)
            took.append(1000 * (time.monotonic() - begin))
            self.remove(ids)
        return statistics.median(took)

    def at_once(self, count):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            begin = time.monotonic()
            made = list(pool.map(self.made, ["once%d" % i for i in range(count)]))
            took = 1000 * (time.monotonic() - begin)
        for ids in made:  # one by one: Podman 4.3 can stand still for good when it removes fifty at the same time
            self.remove(ids)
        return took


class Docker(Engine):
    title, daemon, prefix = "Docker's API alone (no network)", "dockerd", "/v1.41"

    def sandbox(self, name):
        return "/containers/create?name=%s-pause" % name, {"Image": PAUSE, "HostConfig": {
            "NetworkMode": "none", "IpcMode": "shareable", "CgroupParent": self.bed.cgroup, "LogConfig": {"Type": "none"}}}

    def container(self, name, sandbox):
        same = "container:" + sandbox
        return "/containers/create?name=" + name, {"Image": IMAGE, "Entrypoint": ["sleep", "1000"], "Cmd": [], "HostConfig": {
            "NetworkMode": same, "IpcMode": same, "CgroupParent": self.bed.cgroup}}


class Podman(Engine):
    title, daemon, prefix = "Podman's API alone (no network)", "podman", "/v4.0.0/libpod"

    def sandbox(self, name):
        return "/containers/create", {"name": name + "-pause", "image": PAUSE, "netns": {"nsmode": "none"}, "cgroup_parent": self.bed.cgroup,
                                      "ipcns": {"nsmode": "shareable"}, "log_configuration": {"driver": "none"}}

    def container(self, name, sandbox):
        same = {"nsmode": "container", "value": sandbox}
        return "/containers/create", {"name": name, "image": IMAGE, "entrypoint": ["sleep", "1000"], "netns": same, "ipcns": same,
                                      "cgroup_parent": self.bed.cgroup, "log_configuration": {"driver": "k8s-file"}}


DIRECT = {"containerd": Cri, "docker": Docker, "podman": Podman}
