#!/usr/bin/python3
"""One cluster whose three workers have a runtime each: containerd, Docker and Podman, in network namespaces of their own.

  runtimes.py BUILD_DIR [STORY...]     with stories: those only, after the ones that make the cluster

Needs root.
"""
import glob
import os
import shutil
import signal
import subprocess
import sys

from cluster import SERVICE, Cluster
from lab import run, started, wait_until
from telling import tell

DAEMONS = {"containerd": "containerd", "docker": "dockerd", "podman": "podman"}
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
      containers:
      - name: c
        image: lotse.local/demo:1
        command: ["/bin/sh", "-c", "mkdir -p /tmp/w && hostname > /tmp/w/index.html && echo started && exec httpd -f -p 8080 -h /tmp/w"]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"""
# Numbers its lines, and says how its requests to the Service went.
CLIENT = """
apiVersion: v1
kind: Pod
metadata: {name: client-%(runtime)s, labels: {app: client}}
spec:
  nodeName: %(node)s
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: lotse.local/demo:1
    command:
    - /bin/sh
    - -c
    - 'i=0; while true; do i=$((i+1)); page=$(timeout 5 wget -q -O - http://%(service)s/) && echo "$i $page" || echo "$i failed"; done'
"""


class Runtimes(Cluster):
    def __init__(self, lab):
        self.lab = lab
        self.master = lab.host("m", 10)
        self.on = {runtime: lab.host("w%d" % n, 10 + n) for n, runtime in enumerate(DAEMONS, 1)}
        self.workers = list(self.on.values())
        self.image = os.path.join(lab.dir, "demo.tar")
        run(sys.executable, os.path.join(os.path.dirname(__file__), "../../../packaging/images/demo/build.py"), self.image)

    def web(self):
        """The Deployment's pods that are not going: {runtime: pod}."""
        nodes = {host.name: runtime for runtime, host in self.on.items()}
        return {nodes[p["spec"]["nodeName"]]: p for p in self.pods("app=web")
                if "deletionTimestamp" not in p["metadata"] and p["spec"].get("nodeName")}

    def daemon(self, runtime):
        """(pid, start) of a runtime's daemon, by its file."""
        file, = glob.glob("%s/data/run/runtime/*/%s.pid" % (self.on[runtime].dir, DAEMONS[runtime]))
        facts = dict(line.strip().split("=", 1) for line in open(file) if "=" in line)
        return int(facts["pid"]), facts["start"]

    def lines(self, pod):
        """What a client has written: [(number, page)]. Every number is there once, in order."""
        out = [line.split(" ", 1) for line in self.k("logs", pod, timeout=30).stdout.splitlines()]
        numbers = [int(words[0]) for words in out]
        assert numbers == list(range(1, len(numbers) + 1)), "the log of %s goes wrong: %s" % (
            pod, [(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1][:5])
        return [(int(number), page) for number, page in out]


def joins(c):
    """three workers join, with a runtime each; the image comes from DIR/images"""
    c.start_master()
    for runtime, host in c.on.items():
        os.makedirs(host.dir + "/data/images")
        shutil.copy(c.image, host.dir + "/data/images/demo.tar")
        c.start_worker(host, config="[components]\nruntime = \"%s\"\n" % runtime)
    for runtime, host in c.on.items():
        c.wait_ready(host)
        version = c.get("node", host.name)["status"]["nodeInfo"]["containerRuntimeVersion"]
        assert version.startswith(runtime + "://"), version


def spreads(c):
    """a Deployment over all three, behind one Service: pods of each runtime reach pods of the others"""
    c.apply(WEB + "---" + SERVICE % {"name": "web", "app": "web"})
    c.k("rollout", "status", "deployment/web", "--timeout=60s", timeout=70)
    pods = c.web()
    assert set(pods) == set(DAEMONS), pods.keys()
    names = {p["metadata"]["name"] for p in pods.values()}
    for pod in pods.values():
        name = pod["metadata"]["name"]
        for other in pods.values():
            assert c.fetch(name, other["status"]["podIP"] + ":8080") == other["metadata"]["name"]
        seen = set()
        wait_until("%s reaches all by the Service" % name, lambda: seen.add(c.fetch(name, "web")) or seen == names, 40)


def streams(c):
    """kubectl logs, exec and port-forward on each"""
    for runtime, pod in c.web().items():
        name = pod["metadata"]["name"]
        assert c.k("logs", name).stdout == "started\n", runtime
        assert c.k("exec", "-i", name, "--", "cat", input="through " + runtime).stdout == "through " + runtime
        done = c.sh(name, "echo out; echo err >&2; exit 7", check=False)
        assert (done.stdout, "err" in done.stderr, done.returncode) == ("out\n", True, 7), done
        forward = subprocess.Popen(c.kubectl("port-forward", "pod/" + name, ":8080"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            port = forward.stdout.readline().split("127.0.0.1:")[1].split(" ")[0]
            assert c.master.run("curl", "-sS", "--max-time", "10", "http://127.0.0.1:%s/" % port).stdout.strip() == name, runtime
        finally:
            forward.terminate()
            forward.wait(10)


def daemons_die(c):
    """each runtime's daemon is killed with -9 under load: the pods stay, no request fails, no line of a log is lost"""
    service = c.get("service", "web")["spec"]["clusterIP"]
    for runtime, host in c.on.items():
        c.apply(CLIENT % {"runtime": runtime, "node": host.name, "service": service})
    c.wait_pods(*("client-" + runtime for runtime in c.on))
    before = {p["metadata"]["name"]: p["status"]["containerStatuses"][0] for p in c.get("pods")["items"]}
    for runtime in c.on:
        client, old = "client-" + runtime, c.daemon(runtime)
        wait_until("%s asks" % client, lambda: len(c.lines(client)) > 20)
        os.kill(old[0], signal.SIGKILL)
        wait_until("%s is started anew" % DAEMONS[runtime], lambda: c.daemon(runtime) != old and started(c.daemon(runtime)[0]), 30)
        wait_until("exec works once more with %s" % runtime, lambda: c.sh(client, "echo alive", check=False).stdout == "alive\n", 30)
        count = len(c.lines(client))
        wait_until("its log goes on", lambda: len(c.lines(client)) > count + 20)
    for runtime in c.on:
        lines = c.lines("client-" + runtime)
        failed = [line for line in lines if line[1] == "failed"]
        assert not failed, "of %d requests from %s failed: %s" % (len(lines), runtime, failed[:5])
    for p in c.get("pods")["items"]:
        now, then = p["status"]["containerStatuses"][0], before[p["metadata"]["name"]]
        same = all(now[key] == then[key] for key in ("containerID", "restartCount", "state"))
        assert same, "%s is not what it was:\n%s\n%s" % (p["metadata"]["name"], then, now)


def works_on(c):
    """after that pods end and others come on each"""
    c.k("delete", "pod", "-l", "app=client", "--timeout=60s", timeout=70)
    old = {p["metadata"]["name"] for p in c.web().values()}
    c.k("rollout", "restart", "deployment/web")
    c.k("rollout", "status", "deployment/web", "--timeout=90s", timeout=100)
    fresh = {p["metadata"]["name"] for p in c.web().values()}
    assert len(fresh) == 3 and not fresh & old, fresh
    for name in fresh:
        assert c.fetch(name, "web") in fresh
    c.k("delete", "deployment,service", "web")
    wait_until("the pods are gone", lambda: not c.pods("app=web"), 40)


if __name__ == "__main__":
    sys.exit(tell(Runtimes, [joins, spreads], [streams, daemons_die, works_on]))
