"""The cluster that the stories are told about, and what they ask of it with kubectl."""
import json
import os
import subprocess
import sys

from lab import ROOT, run, wait_until

POD = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, labels: {app: %(app)s}}
spec:
  nodeName: %(node)s
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: lotse.local/demo:1
    command: ["/bin/sh", "-c", "mkdir -p /tmp/w && hostname > /tmp/w/index.html && echo started && exec httpd -f -p 8080 -h /tmp/w"]
    ports: [{containerPort: 8080}]
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %(name)s}
spec:
  selector: {app: %(app)s}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""


class Cluster:
    def __init__(self, lab):
        self.lab = lab
        self.master = lab.host("m", 10)
        self.w1 = lab.host("w1", 11)
        self.w2 = lab.host("w2", 12)
        self.w3 = lab.host("w3", 13, subnet=3)
        self.workers = [self.w1, self.w2]
        self.image = os.path.join(lab.dir, "demo.tar")
        run(sys.executable, ROOT + "/packaging/images/demo/build.py", self.image)

    # ---- making it ----
    def start_master(self, roles=("master",), config=""):
        self.master.start(list(roles), config)
        wait_until("the API answers", lambda: self.master.alive() and self.k("get", "--raw", "/readyz", check=False).returncode == 0, 30)

    def new_token(self):
        return self.master.lotse("token", "create").stdout

    def start_worker(self, host, token=None, config=""):
        join = os.path.join(host.dir, "join")
        with open(os.open(join, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(token or self.new_token())
        host.start(["worker"], "[bus]\njoin_file = \"%s\"\n%s" % (join, config))

    def import_image(self, host):
        wait_until("%s takes the image" % host.name, lambda: host.lotse("image", "import", self.image, check=False, timeout=120).returncode == 0, 60, 0.5)

    # ---- asking ----
    @property
    def kubeconfig(self):
        return self.master.dir + "/data/admin.kubeconfig"

    def kubectl(self, *args):
        return self.master.inside(self.lab.kubectl_path, "--kubeconfig", self.kubeconfig, "--request-timeout=20s", *args)

    def k(self, *args, check=True, input=None, timeout=60):
        return run(*self.kubectl(*args), check=check, input=input, timeout=timeout)

    def get(self, *args):
        return json.loads(self.k("get", *args, "-o", "json").stdout)

    def apply(self, text):
        self.k("apply", "-f", "-", input=text)

    def ready(self, node):
        done = self.k("get", "node", node, "-o", "json", check=False)
        if done.returncode != 0:
            return None
        for c in json.loads(done.stdout)["status"].get("conditions", []):
            if c["type"] == "Ready":
                return c["status"] == "True"
        return False

    def wait_ready(self, host, seconds=60):
        wait_until("the node %s is Ready" % host.name, lambda: self.ready(host.name), seconds, 0.3)

    def pod(self, name, host, app="plain"):
        self.apply(POD % {"name": name, "node": host.name, "app": app})

    def pods(self, selector):
        return self.get("pods", "-l", selector)["items"]

    def wait_pods(self, *names, seconds=60):
        self.k("wait", "--for=condition=Ready", "--timeout=%ds" % seconds, *("pod/" + n for n in names), timeout=seconds + 10)

    def pod_ip(self, name):
        return self.get("pod", name)["status"]["podIP"]

    def sh(self, pod, command, check=True):
        return self.k("exec", pod, "--", "/bin/sh", "-c", command, check=check)

    def fetch(self, pod, where):
        """What `pod` gets from http://where/, tried for a while: rules and names arrive a moment after they are made."""
        return wait_until("%s fetches %s" % (pod, where),
                          lambda: self.sh(pod, "timeout 3 wget -q -O - http://%s/" % where, check=False).stdout.strip(), 25, 0.3)

    def container_pids(self, host):
        """The processes of the containers of a host, from the arguments of its shims: {(pid, start)}."""
        from lab import started
        out = set()
        for line in run("ps", "-eo", "pid,ppid,args").stdout.splitlines()[1:]:
            pid, _, args = line.split(None, 2)
            if "containerd-shim" in args and host.data + "/" in args:
                for child in run("ps", "-o", "pid=", "--ppid", pid, check=False).stdout.split():
                    out.add((int(child), started(int(child))))
        return out

    def mend(self):
        """After a story that has failed: everything is up again for the next one."""
        for host in [self.master] + self.workers:
            host.heal()
            if host.process and not host.alive():
                host.start([])

    def show_state(self):
        for what in (["get", "nodes", "-o", "wide"], ["get", "pods", "-A", "-o", "wide"], ["get", "events", "--sort-by=.lastTimestamp"]):
            try:
                print(self.k(*what, check=False, timeout=25).stdout[-3000:])
            except subprocess.TimeoutExpired:
                print("kubectl %s: no answer" % " ".join(what))
        for host in self.lab.hosts:
            print("--- the log of %s ends ---\n%s" % (host.name, "\n".join(host.log().splitlines()[-25:])))
        sys.stdout.flush()
