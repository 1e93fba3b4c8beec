"""masters_test.py BIN_DIR: three masters on an etcd of three members, two workers and a master that is a worker too, all hollow, each at an
address of its own. Joining, exec and logs through every master, a paused leader, masters and an etcd member killed under load, and the first
master lost for good."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import cluster
from cluster import CONFIGMAPS, DEPLOYMENTS, PODS, Api, Daemon

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "state"))
from etcd_cluster import Etcd

BIN_DIR = sys.argv[1]
KUBECTL = cluster.kubectl()


def master(number, etcd, join=None, roles='["master"]'):
    ip = f"192.0.2.{10 + number}"
    settings = {"daemon": {"node_name": f'"m{number}"', "roles": roles}, "components": {"state": '"etcd"'}, "api": {"advertise_address": f'"{ip}"'},
                "bus": {"listen": f'"tcp://{ip}:6442"'}, "plugins.transport.rest": {"listen": f'["{ip}:6443"]'}, "plugins.state.etcd": etcd.plugin_config()}
    d = Daemon(BIN_DIR, settings)
    d.name, d.ip, d.settings = f"m{number}", ip, settings
    if join:
        give(d, join)
    return d


def give(d, join):
    with open(d.folder + "/join", "w") as out:
        out.write(join)
    d.settings["bus"]["join_file"] = f'"{d.folder}/join"'
    d.write(d.settings)


def worker(name, join):
    d = Daemon(BIN_DIR, {})
    d.name, d.settings = name, {"daemon": {"node_name": f'"{name}"', "roles": '["worker"]'}, "bus": {}}
    give(d, join)
    return d


def begin(d):
    d.start()
    d.api = Api(d.kubeconfig, host=d.ip) if os.path.exists(d.kubeconfig) else None
    return d


def leads(d):
    return json.loads(d.lotse("status", "-o", "json").stdout)["master"]["leads"]


def leader(masters):
    return cluster.until("somebody leads", lambda: [m for m in masters if leads(m)], 30)[0]


def addresses(api):
    subsets = api.get("/api/v1/namespaces/default/endpoints/kubernetes").get("subsets") or [{}]
    slices = api.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    found = sorted(a["ip"] for a in subsets[0].get("addresses", []))
    assert found == sorted(a for e in slices["endpoints"] for a in e["addresses"])
    return found


class Judged(threading.Thread):
    """Watches the nodes through one master: whoever is not ready once it was is written down."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.ready, self.lost = api, set(), []
        self.start()

    def run(self):
        try:
            for _, node in self.api.watch("/api/v1/nodes", timeout=600):
                name = node["metadata"]["name"]
                if cluster.condition(node, "Ready"):
                    self.ready.add(name)
                elif name in self.ready:
                    self.lost.append((name, [c for c in node["status"]["conditions"] if c["type"] == "Ready"]))
        except Exception:  # the master was ended
            pass


class Writer(threading.Thread):
    """A client with several addresses: one ConfigMap after the other, at the next address when one fails."""

    def __init__(self, kubeconfig, hosts, prefix):
        super().__init__(daemon=True)
        self.apis = [Api(kubeconfig, host=h) for h in hosts]
        self.prefix, self.acknowledged, self.gap, self.over = prefix, [], 0.0, False
        self.start()

    def run(self):
        last, number, at = time.monotonic(), 0, 0
        while not self.over:
            name = f"{self.prefix}-{number}"
            api = self.apis[at % len(self.apis)]
            try:
                status, _ = api.raw("POST", CONFIGMAPS, json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}), {"Content-Type": "application/json"})
            except OSError:
                status = 0
                api.kept = None
            if status in (201, 409):  # 409: the answer of the try before was lost
                self.gap = max(self.gap, time.monotonic() - last)
                last = time.monotonic()
                self.acknowledged.append(name)
                number += 1
            else:
                at += 1
                time.sleep(0.02)

    def end(self):
        self.over = True
        self.join()


def all_there(api, writer):
    there = {c["metadata"]["name"] for c in api.get(CONFIGMAPS)["items"]}
    missing = [name for name in writer.acknowledged if name not in there]
    assert not missing, (len(missing), missing[:5])
    assert len(writer.acknowledged) > 20, len(writer.acknowledged)


def joining(etcd, first):
    # Who has no keys, or a worker's token, does not become a second CA.
    stranger = master(9, etcd)
    code, said = stranger.refuses_to_start()
    assert code != 0 and "lotse token create --master" in said, said[-500:]
    for_worker = first.lotse("token", "create").stdout.decode()
    give(stranger, for_worker)
    code, said = stranger.refuses_to_start()
    assert code != 0 and "lets a worker in" in said, said[-500:]
    join = first.lotse("token", "create", "--master").stdout.decode()
    second = begin(master(2, etcd, join, '["master", "worker"]'))
    give(stranger, join)
    code, said = stranger.refuses_to_start(60)
    assert code != 0 and "has been used" in said, said[-500:]
    assert not os.path.exists(stranger.data + "/pki/ca.key")
    stranger.__exit__(None)
    third = begin(master(3, etcd, first.lotse("token", "create", "--master").stdout.decode()))
    for m in (second, third):
        for name in ("ca.key", "ca.crt", "sa.key"):
            assert open(f"{m.data}/pki/{name}").read() == open(f"{first.data}/pki/{name}").read(), name
            assert os.stat(f"{m.data}/pki/{name}").st_mode & 0o777 == 0o600
        assert open(m.data + "/pki/bus.key").read() != open(first.data + "/pki/bus.key").read()
        assert open(first.data + "/pki/ca.key").read().split("\n")[1] not in m.log_text() + first.log_text()
    return second, third


def through_each(masters, pods):
    """exec and logs of every pod's node through every master. Hollow pods write no logs: it is the node that says so."""
    for m in masters:
        for pod in pods:
            done = subprocess.run([KUBECTL, "--kubeconfig", m.kubeconfig, "--server", f"https://{m.ip}:6443", "exec", pod, "--", "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
            assert done.returncode == 0, (m.name, pod, done.stdout.decode())
            status, text = m.api.raw("GET", f"{PODS}/{pod}/log")
            assert status == 404 and b"/log/pods/default_" in text, (m.name, pod, status, text[:300])


def one_pod_a_node(api):
    found = {}
    for pod in api.get(PODS)["items"]:
        if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]:
            found[pod["spec"]["nodeName"]] = pod["metadata"]["name"]
    return found


def paused_leader(masters, judged):
    old = leader(masters)
    others = [m for m in masters if m is not old]
    api = others[0].api
    api.post(DEPLOYMENTS, cluster.deployment("burst", 150))
    cluster.until("the leader has begun", lambda: len(api.get(PODS + "?labelSelector=app%3Dburst")["items"]) > 5)
    old.process.send_signal(signal.SIGSTOP)
    made = len(api.get(PODS + "?labelSelector=app%3Dburst")["items"])
    start = time.monotonic()
    new = leader(others)
    took = time.monotonic() - start
    cluster.until("the new leader goes on", lambda: cluster.available(api, "burst", 150), 120)
    old.process.send_signal(signal.SIGCONT)
    cluster.until("the old leader rests", lambda: not leads(old), 20)
    assert leads(new)
    time.sleep(2)  # whatever it still had to say has been said
    pods = [p for p in api.get(PODS + "?labelSelector=app%3Dburst")["items"]]
    assert len(pods) == 150, len(pods)
    cluster.until("one answer from all", lambda: len({m.api.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dburst")["metadata"]["resourceVersion"] for m in masters}) >= 1)
    refused = old.log_text().count("another master has become the leader")
    assert not judged.lost, judged.lost
    api.delete(DEPLOYMENTS + "/burst")
    cluster.until("it is taken away", lambda: not api.get(PODS + "?labelSelector=app%3Dburst")["items"])
    return f"{made} pods made when it was paused, {took:.1f} s to the next leader, {refused} refused writes in its log"


def killed_under_load(masters, victim, reader):
    writer = Writer(reader.kubeconfig, [victim.ip, reader.ip], "k-" + victim.name)
    cluster.until("it writes", lambda: len(writer.acknowledged) > 30)
    victim.process.kill()
    victim.process.wait()
    at = len(writer.acknowledged)
    cluster.until("it goes on", lambda: len(writer.acknowledged) > at + 60)
    writer.end()
    all_there(reader.api, writer)
    assert writer.gap < 3, writer.gap
    return f"{len(writer.acknowledged)} writes, the longest pause {writer.gap:.2f} s"


def main():
    cluster.own_network()
    for number in (11, 12, 13, 14, 19):
        subprocess.run(["ip", "addr", "add", f"192.0.2.{number}/24", "dev", "eth0"], check=True)
    daemons = []
    with Etcd(members=3, sync=False) as etcd:
        try:
            story(etcd, daemons)
        except BaseException:
            for d in daemons:
                if os.path.exists(d.log_file):
                    print(f"---- {d.name} ----\n" + d.log_text()[-3500:], file=sys.stderr)
            raise
        finally:
            for d in daemons:
                if d.process is not None:
                    d.process.send_signal(signal.SIGCONT)
                d.__exit__(None)


def story(etcd, daemons):
    def ok(what, more=""):
        print(f"ok   {what}{': ' + more if more else ''}", flush=True)

    first = master(1, etcd)
    daemons.append(first)
    begin(first)
    cluster.until("the only master leads", lambda: leads(first), 10)
    second, third = joining(etcd, first)
    daemons += [second, third]
    masters = [first, second, third]
    assert [m for m in masters if leads(m)] == [first]
    ok("two masters join: CA and signing key are the cluster's, bus keys their own; no token, a used one and a worker's are refused")

    workers = [worker(f"w{i}", m.lotse("token", "create").stdout.decode()) for i, m in ((1, first), (2, third))]
    daemons += workers
    for w in workers:
        begin(w)
    cluster.until("the nodes are ready", lambda: cluster.nodes_ready(third.api) == 3)
    judged = Judged(Api(third.kubeconfig, host=third.ip))
    cluster.until("every master has a session with every node", lambda: all(json.loads(m.lotse("status", "-o", "json").stdout)["master"]["connectedNodes"] == 3 for m in masters), 20)
    cluster.until("all masters are endpoints of kubernetes", lambda: addresses(second.api) == ["192.0.2.11", "192.0.2.12", "192.0.2.13"], 20)
    ok("every worker has a session with every master, and kubernetes names all three")

    second.api.post(DEPLOYMENTS, cluster.deployment("web", 6))
    for m in masters:  # what one has answered the others know at once
        assert m.api.get(DEPLOYMENTS + "/web")["spec"]["replicas"] == 6
    cluster.until("it runs on all nodes", lambda: cluster.available(third.api, "web", 6) and len(one_pod_a_node(third.api)) == 3)
    pods = one_pod_a_node(third.api)
    through_each(masters, pods.values())
    ok("exec and logs of each node through each master")

    ok("a leader is paused in the middle of its work: another goes on, it rests when it wakes, and there are no more pods than were asked for", paused_leader(masters, judged))

    victim = leader(masters)
    others = [m for m in masters if m is not victim]
    ok("the leader killed with -9 under load", killed_under_load(masters, victim, others[-1]))
    leader(others)
    begin(victim)
    cluster.until("it is back", lambda: addresses(others[0].api) == ["192.0.2.11", "192.0.2.12", "192.0.2.13"] and
                  json.loads(victim.lotse("status", "-o", "json").stdout)["master"]["connectedNodes"] >= 2, 40)
    ok("it comes back: sessions and endpoints too")

    # The first master is gone for good, with its disk.
    first.process.kill()
    first.process.wait()
    first.process = None
    shutil.rmtree(first.data)
    daemons.remove(first)
    masters = [second, third]
    leader(masters)
    cluster.until("it is no endpoint any more", lambda: addresses(third.api) == ["192.0.2.12", "192.0.2.13"], 40)
    through_each(masters, one_pod_a_node(third.api).values())
    second.lotse("master", "remove", "m1")
    assert "m1" not in second.lotse("master", "list").stdout.decode()
    fourth = begin(master(4, etcd, third.lotse("token", "create", "--master").stdout.decode()))
    daemons.append(fourth)
    masters.append(fourth)
    cluster.until("workers find the new one", lambda: json.loads(fourth.lotse("status", "-o", "json").stdout)["master"]["connectedNodes"] == 3, 20)
    workers[0].stop()
    begin(workers[0])  # with what lies on its disk
    cluster.until("a worker finds the others from its disk", lambda: all(json.loads(m.lotse("status", "-o", "json").stdout)["master"]["connectedNodes"] == 3 for m in masters), 20)
    assert not judged.lost, judged.lost
    ok("the first master lost for good: another one joins, workers are told of it")

    member = Writer(third.kubeconfig, [third.ip, fourth.ip], "member")
    cluster.until("it writes", lambda: len(member.acknowledged) > 20)
    etcd.kill(etcd.leader() or 0)
    at = len(member.acknowledged)
    cluster.until("it goes on", lambda: len(member.acknowledged) > at + 40)
    member.end()
    all_there(second.api, member)
    ok("etcd's leader killed with -9 under load", f"{len(member.acknowledged)} writes, the longest pause {member.gap:.2f} s")
    cluster.until("all is well", lambda: cluster.available(fourth.api, "web", 6) and cluster.nodes_ready(fourth.api) == 3)
    assert not judged.lost, judged.lost
    ok("no node was judged on the way")
    for d in reversed(daemons):
        code, _ = d.stop()
        assert code == 0, (d.name, code)
    ok("all end as they are told")


main()
