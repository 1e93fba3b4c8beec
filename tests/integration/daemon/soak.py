"""soak.py BIN_DIR [SECONDS [SEED]]: by hand. lotsed with LMDB and hollow pods is ended at random moments, by kill -9 or SIGTERM, while
clients write and watch. It must come back every time, hold everything acknowledged (and nothing whose deletion was), never give out a
revision twice, and a watch that goes on from its last revision must end up with exactly what a list shows."""
import collections
import http.client
import os
import random
import signal
import sys
import threading
import time

import cluster
from cluster import CONFIGMAPS, ApiError, Daemon

BIN_DIR = sys.argv[1]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 120
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else int.from_bytes(os.urandom(3), "big")
SLOW = float(os.environ.get("LOTSE_SOAK_SLOW", "1"))  # sanitizers
GONE = (OSError, http.client.HTTPException, ValueError)


class Writer(threading.Thread):
    """Creates, changes and deletes objects of its own; knows of each what was acknowledged, and what was asked for since."""

    def __init__(self, daemon, number, known):
        super().__init__(daemon=True)
        self.api, self.random, self.number, self.known, self.refused = cluster.Api(daemon.kubeconfig), random.Random(SEED * 100 + number), number, known, []

    def run(self):
        while True:
            name = f"w{self.number}-{self.random.randrange(40)}"
            acknowledged = self.known.get(name, (None, None))[0]
            value = str(time.monotonic_ns())
            wanted = None if acknowledged and self.random.random() < 0.25 else value
            self.known[name] = (acknowledged, [wanted])  # under way: either may be found
            try:
                if wanted is None:
                    self.api.delete(f"{CONFIGMAPS}/{name}")
                elif acknowledged is None:
                    self.api.post(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}})
                else:
                    self.api.merge(f"{CONFIGMAPS}/{name}", {"data": {"v": value}})
                self.known[name] = (wanted, None)
            except ApiError as error:
                if error.code < 500:
                    self.refused.append(f"{name}: {error}")
                return
            except GONE:
                return


class Watcher(threading.Thread):
    """What a client's cache is: goes on from the last revision it saw, over every restart; lists again only when it is told to."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.api, self.objects, self.revision, self.relists, self.ended, self.faults = cluster.Api(daemon.kubeconfig), {}, None, 0, False, []

    def run(self):
        while not self.ended:
            try:
                if self.revision is None:
                    listed = self.api.get(CONFIGMAPS)
                    self.objects = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in listed["items"]}
                    self.revision = int(listed["metadata"]["resourceVersion"])
                    self.relists += 1
                for kind, thing in self.api.watch(f"{CONFIGMAPS}?resourceVersion={self.revision}&allowWatchBookmarks=true"):
                    self.take(kind, thing)
            except ApiError as error:
                if error.code == 410:
                    self.revision = None
            except GONE:
                pass
            time.sleep(0.05)

    def take(self, kind, thing):
        if kind == "ERROR":
            self.revision = None
            raise ValueError(thing)
        version = int(thing["metadata"]["resourceVersion"])
        if version <= self.revision and kind != "BOOKMARK":
            self.faults.append(f"{kind} {thing['metadata']['name']} at {version} after {self.revision}")
        self.revision = max(self.revision, version)
        name = thing["metadata"].get("name")
        if kind in ("ADDED", "MODIFIED"):
            if (kind == "ADDED") == (name in self.objects):
                self.faults.append(f"{kind} {name} at {version}, known at {self.objects.get(name)}")
            self.objects[name] = thing["metadata"]["resourceVersion"]
        elif kind == "DELETED" and self.objects.pop(name, None) is None:
            self.faults.append(f"DELETED {name} at {version}, which was not there")


def check(daemon, known, highest):
    listed = daemon.api.get(CONFIGMAPS)
    there = {o["metadata"]["name"]: o["data"]["v"] for o in listed["items"] if o["metadata"]["name"].startswith("w")}
    for name, (acknowledged, under_way) in list(known.items()):
        found = there.get(name)
        allowed = [acknowledged] + (under_way or [])
        assert found in allowed, f"{name}: found {found}, acknowledged {acknowledged}, under way {under_way}"
        known[name] = (found, None)
    now = int(listed["metadata"]["resourceVersion"])
    assert now >= highest, (now, highest)
    return now


cluster.own_network()
print(f"     seed {SEED}, {SECONDS:.0f} s", flush=True)
rng, known, counts, highest, starts, stops, end = random.Random(SEED), {}, collections.Counter(), 0, [], [], time.monotonic() + SECONDS
with Daemon(BIN_DIR, {"plugins.runtime.hollow": {"nodes": 3}}) as lotsed:
    starts.append(lotsed.start())
    lotsed.api.post(cluster.DEPLOYMENTS, cluster.deployment("web", 6))
    watcher = Watcher(lotsed)
    watcher.start()
    while time.monotonic() < end:
        writers = [Writer(lotsed, i, known) for i in range(4)]
        for w in writers:
            w.start()
        time.sleep(SLOW * rng.choice([0.1, 0.5, 2, 5]) * rng.random())
        how = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        code, took = lotsed.stop(how, seconds=60)
        counts[how.name] += 1
        if how == signal.SIGTERM:
            assert code == 0, f"ended with {code}\n" + lotsed.log_text()[-20000:]
            stops.append(took)
        for w in writers:
            w.join(60)
            assert not w.is_alive(), "a client still waits"
            assert not w.refused, w.refused
        starts.append(lotsed.start())
        highest = check(lotsed, known, highest)
    api = lotsed.api
    cluster.until("web is available", lambda: cluster.available(api, "web", 6) and cluster.nodes_ready(api) == 3, 60 * SLOW)
    listed = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in api.get(CONFIGMAPS)["items"]}
    cluster.until("the watcher has seen everything", lambda: watcher.objects == listed, 30 * SLOW)
    watcher.ended = True
    assert not watcher.faults, watcher.faults[:10]
    code, took = lotsed.stop()
    assert code == 0, code
print(f"ok   {dict(counts)}: nothing lost of {highest} revisions; up again in {max(starts):.2f} s at most, down in {max(stops or [0]):.2f} s; "
      f"the watch listed {watcher.relists} times", flush=True)
