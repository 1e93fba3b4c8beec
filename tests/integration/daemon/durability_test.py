"""durability_test.py BIN_DIR: what was acknowledged is there after a restart, after kill -9, and after a restore; and resource versions
never go back."""
import http.client
import os
import signal
import subprocess
import sys
import threading
import time

import cluster
from cluster import CONFIGMAPS, ApiError, Daemon

BIN_DIR = sys.argv[1]
SLOW = float(os.environ.get("LOTSE_SLOW", "1"))  # times longer: sanitizers


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def revision(api):
    return int(api.get(CONFIGMAPS)["metadata"]["resourceVersion"])


def restart_keeps_everything():
    with Daemon(BIN_DIR) as daemon:
        daemon.start()
        api = daemon.api
        made = api.post(CONFIGMAPS, config_map("kept", key="värde"))
        api.post(cluster.DEPLOYMENTS, cluster.deployment("web", 2))
        cluster.until("web is available", lambda: cluster.available(api, "web", 2))
        watch = api.watch(CONFIGMAPS)
        next(watch)
        before, kubeconfig = revision(api), open(daemon.kubeconfig).read()
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 2 * SLOW, (code, seconds)
        list(watch)  # it ends, and in order
        took = daemon.start()
        api = daemon.api
        assert open(daemon.kubeconfig).read() == kubeconfig
        kept = api.get(CONFIGMAPS + "/kept")
        assert kept["data"] == made["data"] and kept["metadata"]["uid"] == made["metadata"]["uid"] and kept["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], kept
        assert revision(api) >= before
        # Hollow containers are gone with the process; the agent makes them anew.
        cluster.until("web is available again", lambda: cluster.available(api, "web", 2) and cluster.nodes_ready(api) == 1)
        print(f"ok   restart keeps everything; SIGTERM took {seconds:.2f} s with an open watch, the start {took:.2f} s")


def second_daemon_is_refused():
    with Daemon(BIN_DIR) as daemon:
        daemon.start()
        code, said = daemon.refuses_to_start()
        assert code == 1 and f"another lotsed serves {daemon.data} already" in said, (code, said)
        assert daemon.alive()
        print("ok   a second daemon on the same directory is refused")


def changed_network_is_refused():
    with Daemon(BIN_DIR, {"network": {"pod_cidr": '["10.50.0.0/16"]', "cluster_domain": '"one.test"'}}) as daemon:
        daemon.start()
        daemon.stop()
        for key, value, was, now in (("pod_cidr", '["10.51.0.0/16"]', "10.50.0.0/16", "10.51.0.0/16"), ("cluster_domain", '"two.test"', "one.test", "two.test"),
                                     ("service_cidr", '["10.99.0.0/16"]', "10.96.0.0/16", "10.99.0.0/16")):
            network = {"pod_cidr": '["10.50.0.0/16"]', "cluster_domain": '"one.test"'}
            network[key] = value
            daemon.write({"network": network})
            code, said = daemon.refuses_to_start()
            assert code == 78 and was in said and now in said and key in said and daemon.file in said, (code, said)
        daemon.write({"network": {"pod_cidr": '["10.50.0.0/16"]', "cluster_domain": '"one.test"'}})
        daemon.start()
        print("ok   a changed [network] is refused, naming both values; the old one starts again")


class Creator(threading.Thread):
    """Creates objects, one after the other, until the server is gone; knows what was acknowledged."""

    def __init__(self, daemon, name):
        super().__init__()
        self.api, self.name_of, self.acknowledged = cluster.Api(daemon.kubeconfig), name, {}

    def run(self):
        try:
            for i in range(100000):
                name = f"{self.name_of}-{i}"
                made = self.api.post(CONFIGMAPS, config_map(name, n=str(i)))
                self.acknowledged[name] = int(made["metadata"]["resourceVersion"])
        except (OSError, http.client.HTTPException, ApiError):
            pass


def kill_under_creates():
    with Daemon(BIN_DIR) as daemon:
        daemon.start()
        acknowledged, starts = {}, []
        for round in range(3):
            creators = [Creator(daemon, f"r{round}-{i}") for i in range(6)]
            for c in creators:
                c.start()
            time.sleep(1 + 0.37 * round)
            daemon.stop(signal.SIGKILL)
            for c in creators:
                c.join()
                acknowledged.update(c.acknowledged)
            starts.append(daemon.start())
            there = {o["metadata"]["name"]: int(o["metadata"]["resourceVersion"]) for o in daemon.api.get(CONFIGMAPS)["items"]}
            lost = {name: rv for name, rv in acknowledged.items() if there.get(name) != rv}
            assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged objects are lost: {list(lost.items())[:5]}"
            now = revision(daemon.api)
            assert now >= max(acknowledged.values()), now
            made = daemon.api.post(CONFIGMAPS, config_map(f"after-{round}"))
            assert int(made["metadata"]["resourceVersion"]) > max(acknowledged.values())
        print(f"ok   kill -9, three times: none of {len(acknowledged)} acknowledged objects lost; up again in {', '.join(f'{s:.2f}' for s in starts)} s")
        assert max(starts) < 10 * SLOW, starts


class Following(threading.Thread):
    """An old client: a watch from a revision, and what became of it."""

    def __init__(self, api, resource_version):
        super().__init__(daemon=True)
        self.api, self.since, self.events, self.gone = api, resource_version, [], None
        self.start()

    def run(self):
        try:
            for kind, thing in self.api.watch(f"{CONFIGMAPS}?resourceVersion={self.since}"):
                self.events.append((kind, thing["metadata"].get("name") if kind != "ERROR" else thing["code"]))
            self.gone = "ended"
        except Exception as problem:  # whatever it is belongs into the assertion
            self.gone = repr(problem)


def backup_and_restore(state):
    with Daemon(BIN_DIR, {"components": {"state": f'"{state}"'}}) as daemon:
        daemon.start()
        api = daemon.api
        cluster.until("the node is ready", lambda: cluster.nodes_ready(api) == 1)
        first = api.post(CONFIGMAPS, config_map("first", v="old"))
        second = api.post(CONFIGMAPS, config_map("second", v="old"))
        api.post(cluster.DEPLOYMENTS, cluster.deployment("web", 2))
        cluster.until("web is available", lambda: cluster.available(api, "web", 2))
        file = daemon.folder + "/backup"
        daemon.lotse("backup", file)
        # Changes: one thing changed, one deleted, one new.
        api.merge(CONFIGMAPS + "/first", {"data": {"v": "new"}})
        api.delete(CONFIGMAPS + "/second")
        last = api.post(CONFIGMAPS, config_map("third"))
        api.delete(cluster.DEPLOYMENTS + "/web")
        cluster.until("the pods are gone", lambda: not api.get(cluster.PODS)["items"])
        highest = revision(api)
        follower = Following(cluster.Api(daemon.kubeconfig), highest)
        api.post(CONFIGMAPS, config_map("fourth"))
        cluster.until("the watch runs", lambda: follower.events)
        highest = max(highest, revision(api))

        daemon.lotse("restore", file)
        cluster.until("the old watch has ended", lambda: follower.gone)
        assert follower.gone == "ended" and follower.events[0] == ("ADDED", "fourth"), (follower.gone, follower.events)
        assert len(follower.events) == 1 or follower.events[1] == ("ERROR", 410), follower.events
        for since in (highest, last["metadata"]["resourceVersion"]):
            again = Following(cluster.Api(daemon.kubeconfig), since)
            cluster.until("an old revision is refused", lambda: again.gone)
            assert again.events == [("ERROR", 410)] or "410" in again.gone, (again.gone, again.events)
        now = {o["metadata"]["name"]: o for o in api.get(CONFIGMAPS)["items"]}
        assert {"first", "second"} <= set(now) and not {"third", "fourth"} & set(now), list(now)
        assert now["first"]["data"] == {"v": "old"} and now["first"]["metadata"]["uid"] == first["metadata"]["uid"]
        assert now["second"]["metadata"]["uid"] == second["metadata"]["uid"]
        assert revision(api) > highest, (revision(api), highest)
        after = api.post(CONFIGMAPS, config_map("after"))
        assert int(after["metadata"]["resourceVersion"]) > highest
        # Controllers, scheduler and agent have come along: the Deployment is back, and runs.
        cluster.until("web is back", lambda: cluster.available(api, "web", 2))
        api.post(cluster.DEPLOYMENTS, cluster.deployment("fresh", 2))
        cluster.until("a new Deployment works", lambda: cluster.available(api, "fresh", 2))
        running = lambda: [p for p in api.get(cluster.PODS)["items"] if p["status"]["phase"] == "Running" and cluster.condition(p, "Ready")]
        cluster.until("pods of both run", lambda: len(running()) == 4)
        assert daemon.lotse("restore", "/does/not/exist", check=False).returncode != 0
        with open(daemon.folder + "/garbage", "wb") as out:
            out.write(b"\x00garbage" * 1000)
        refused = daemon.lotse("restore", daemon.folder + "/garbage", check=False)
        assert refused.returncode != 0 and refused.stderr, refused
        with open(file, "rb") as whole, open(daemon.folder + "/half", "wb") as half:
            half.write(whole.read()[:-100])
        refused = daemon.lotse("restore", daemon.folder + "/half", check=False)
        assert refused.returncode != 0 and refused.stderr, refused
        assert daemon.alive() and cluster.available(api, "fresh", 2)
        print(f"ok   {state}: backup and restore; garbage and half a backup are refused: {refused.stderr.decode().strip()}")
        if state == "lmdb":
            highest = revision(api)
            code, seconds = daemon.stop()
            assert code == 0 and seconds < 2 * SLOW, (code, seconds)
            daemon.start()
            assert revision(daemon.api) >= highest
            cluster.until("pods of both run", lambda: cluster.available(daemon.api, "web", 2) and cluster.available(daemon.api, "fresh", 2))
            print("ok   and it is all there after a restart")


cluster.own_network()
restart_keeps_everything()
second_daemon_is_refused()
changed_network_is_refused()
kill_under_creates()
backup_and_restore("lmdb")
backup_and_restore("memory")
