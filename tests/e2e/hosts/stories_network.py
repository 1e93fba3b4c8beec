"""Pods of different nodes reach each other: on one link by routes, across a router by VXLAN."""
import subprocess

from cluster import SERVICE
from lab import wait_until


def routes(host):
    return host.run("ip", "route").stdout


def by_routes(c):
    """pods on both workers; pod-to-pod, Service and DNS across, by routes"""
    c.pod("a1", c.w1, "one")
    c.pod("a2", c.w2, "two")
    c.apply(SERVICE % {"name": "one", "app": "one"} + "---" + SERVICE % {"name": "two", "app": "two"})
    c.wait_pods("a1", "a2")
    assert c.fetch("a1", c.pod_ip("a2") + ":8080") == "a2"
    assert c.fetch("a2", c.pod_ip("a1") + ":8080") == "a1"
    for pod, service, other in (("a1", "two", "a2"), ("a2", "one", "a1")):
        assert c.fetch(pod, c.get("service", service)["spec"]["clusterIP"]) == other
        assert c.fetch(pod, service + ".default.svc.cluster.local") == other
        assert c.fetch(pod, service) == other
    assert c.fetch("a1", "one") == "a1", "a pod does not reach itself through its Service"
    assert "via " + c.w2.ip in routes(c.w1) and "lotse.vx" not in routes(c.w1), routes(c.w1)


def streams(c):
    """kubectl logs, exec and port-forward reach pods on both workers"""
    for number, pod in enumerate(("a1", "a2")):
        assert c.k("logs", pod).stdout == "started\n"
        assert c.k("exec", "-i", pod, "--", "cat", input="through " + pod).stdout == "through " + pod
        done = c.sh(pod, "echo out; echo err >&2; exit 7", check=False)
        assert (done.stdout, "err" in done.stderr, done.returncode) == ("out\n", True, 7), done
        forward = subprocess.Popen(c.kubectl("port-forward", "pod/" + pod, ":8080"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            line = forward.stdout.readline()
            port = line.split("127.0.0.1:")[1].split(" ")[0]
            page = c.master.run("curl", "-sS", "--max-time", "10", "http://127.0.0.1:%s/" % port)
            assert page.stdout.strip() == pod, page.stdout
        finally:
            forward.terminate()
            forward.wait(10)


def by_vxlan(c):
    """a third worker in another subnet joins: its pods are reached across the router, by VXLAN"""
    c.start_worker(c.w3)
    c.wait_ready(c.w3, 90)
    c.import_image(c.w3)
    c.pod("a3", c.w3, "three")
    c.apply(SERVICE % {"name": "three", "app": "three"})
    c.wait_pods("a3")
    for pod in ("a1", "a2"):
        assert c.fetch(pod, c.pod_ip("a3") + ":8080") == "a3"
        assert c.fetch("a3", c.pod_ip(pod) + ":8080") == pod
        assert c.fetch(pod, "three.default.svc.cluster.local") == "a3"
    assert c.fetch("a3", "two.default.svc.cluster.local") == "a2"
    assert "dev lotse.vx" in routes(c.w1) and "via " + c.w2.ip in routes(c.w1), routes(c.w1)
    # More than a frame of the link: the pods' MTU leaves room for the tunnel.
    c.sh("a3", "dd if=/dev/urandom of=/tmp/w/big bs=1024 count=300 2>/dev/null; sha256sum < /tmp/w/big > /tmp/w/sum")
    got = c.sh("a1", "timeout 10 wget -q -O - http://%s:8080/big | sha256sum" % c.pod_ip("a3")).stdout
    assert got == c.sh("a3", "cat /tmp/w/sum").stdout
    assert c.k("logs", "a3").stdout == "started\n"


def worker_leaves(c):
    """a drained and deleted worker's routes and tunnel go from the others"""
    c.k("delete", "pod", "a3", "--wait=true")
    c.k("delete", "node", c.w3.name)
    wait_until("the tunnel has gone", lambda: "lotse.vx" not in routes(c.w1) and "lotse.vx" not in c.w1.run("ip", "link").stdout, 20)
    assert "via " + c.w2.ip in routes(c.w1)
    c.w3.close()


STORIES = [by_routes, streams, by_vxlan, worker_leaves]
