"""A worker is cut off and comes back; the master and a worker are killed."""
import os
import signal
import subprocess
import time

from lab import run, wait_until

WRITER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "writer.py")
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: crew}
spec:
  replicas: 4
  selector: {matchLabels: {app: crew}}
  template:
    metadata: {labels: {app: crew}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 2}
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 2}
      containers:
      - name: c
        image: lotse.local/demo:1
        command: ["/bin/sleep", "100000"]
"""


def crew(c):
    return [p for p in c.pods("app=crew")]


def running_on(c, host):
    return [p for p in crew(c) if p["spec"].get("nodeName") == host.name and p["status"]["phase"] == "Running" and "deletionTimestamp" not in p["metadata"]]


def master_killed(c):
    """the master is killed with -9 under a stream of writes: nothing acknowledged is lost, containers are untouched, workers come back"""
    before = {w.name: c.container_pids(w) for w in c.workers}
    assert all(before.values()), before
    writer = subprocess.Popen(c.master.inside("/usr/bin/python3", WRITER, c.kubeconfig, "kept"), stdout=subprocess.PIPE, text=True)
    acknowledged = []
    try:
        while len(acknowledged) < 50:
            acknowledged.append(writer.stdout.readline().strip())
        for _ in range(2):
            c.master.kill()
            c.master.start(["master"])
            wanted = len(acknowledged) + 50
            end = time.monotonic() + 30
            while len(acknowledged) < wanted and time.monotonic() < end:
                acknowledged.append(writer.stdout.readline().strip())
    finally:
        writer.terminate()
        acknowledged += writer.stdout.read().split()
        writer.wait(10)
    names = {o.rsplit("/", 1)[1] for o in c.k("get", "configmaps", "-o", "name").stdout.split()}
    lost = [n for n in acknowledged if n not in names]
    assert acknowledged and not lost, "lost: %s of %d" % (lost[:5], len(acknowledged))
    for worker in c.workers:
        wait_until(worker.name + " has a session again", lambda: "connected to a master" in worker.lotse("status").stdout, 30)
        assert c.ready(worker.name)
    assert {w.name: c.container_pids(w) for w in c.workers} == before
    assert c.fetch("a1", "two") == "a2"
    wait_until("the new master reaches the worker", lambda: c.k("logs", "a2", check=False).stdout == "started\n", 15)


def servers(c, host):
    """The processes of host's containers that are busybox' httpd: {pid: start}."""
    out = {}
    for pid, begun in c.container_pids(host):
        try:
            with open("/proc/%d/cmdline" % pid) as f:
                if f.read().startswith("httpd"):
                    out[pid] = begun
        except OSError:
            pass
    return out


def worker_killed(c):
    """a worker's lotsed, killed with -9 and started while no master answers, finds its containers, restarts one that ends, and answers DNS"""
    before = c.container_pids(c.w1)
    address = c.get("service", "two")["spec"]["clusterIP"]
    c.master.kill()
    wait_until("a worker sees within two seconds that its master has gone", lambda: "no session" in c.w1.lotse("status").stdout, 2, 0.1)
    c.w1.kill()
    written = len(c.w1.log())
    c.w1.start(["worker"])
    wait_until("it has found its pods", lambda: "agent.found" in c.w1.log()[written:], 30)
    assert c.container_pids(c.w1) == before
    asked = lambda: run(*c.w1.inside("/bin/busybox", "nslookup", "two.default.svc.cluster.local", "10.96.0.10"), check=False, timeout=20).stdout
    wait_until("DNS is served without a master", lambda: address in asked(), 20, 0.5)
    victim, = servers(c, c.w1)
    os.kill(victim, signal.SIGKILL)
    wait_until("the container runs again", lambda: servers(c, c.w1) and victim not in servers(c, c.w1), 30)
    c.start_master()
    wait_until("the worker is connected", lambda: "connected to a master" in c.w1.lotse("status").stdout, 30)
    c.wait_ready(c.w1)
    wait_until("the restart is told", lambda: c.get("pod", "a1")["status"]["containerStatuses"][0]["restartCount"] == 1, 20)
    assert len(c.container_pids(c.w1) & before) == len(before) - 1
    assert c.fetch("a1", "two") == "a2"


def cut_off(c):
    """a worker cut off becomes NotReady and its pods are replaced; healed, it is Ready again and nothing is doubled"""
    c.apply(DEPLOYMENT)
    wait_until("both workers have some", lambda: len(running_on(c, c.w1)) + len(running_on(c, c.w2)) == 4 and running_on(c, c.w2), 60, 0.5)
    c.w2.cut()
    try:
        wait_until("the worker sees that nothing comes any more", lambda: "no session" in c.w2.lotse("status").stdout, 8, 0.2)
        wait_until("the node is not Ready", lambda: c.ready(c.w2.name) is False, 75, 0.5)
        assert c.get("node", c.w2.name)["spec"]["taints"], "no taint"
        wait_until("all four run on the other", lambda: len(running_on(c, c.w1)) == 4, 45, 0.5)
    finally:
        c.w2.heal()
    c.wait_ready(c.w2, 45)
    wait_until("no pod is left over", lambda: len(crew(c)) == 4 and len(running_on(c, c.w1)) + len(running_on(c, c.w2)) == 4, 40, 0.5)
    names = {p["metadata"]["name"] for p in running_on(c, c.w2)}
    wait_until("its old containers have gone", lambda: len(c.container_pids(c.w2)) <= 2 * (len(names) + len(c.get("pods", "--field-selector=spec.nodeName=w2")["items"])), 20)
    assert c.get("node", c.w2.name)["spec"].get("taints", []) == []
    c.pod("late", c.w2)
    c.wait_pods("late", "a2")  # a2 tolerated the cut and is Ready again
    c.k("delete", "deployment", "crew")


STORIES = [master_killed, worker_killed, cut_off]
