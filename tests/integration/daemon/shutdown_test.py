"""shutdown_test.py BIN_DIR [ROUNDS [SEED]]: SIGTERM ends lotsed in order whatever it is doing: with watches, execs and followed logs
open, with objects being created and pods being started, and when it has hardly begun. The seed is printed; ROUNDS and SEED repeat a run."""
import http.client
import json
import os
import random
import socket
import sys
import threading
import time

import cluster
from cluster import CONFIGMAPS, PODS, Daemon

BIN_DIR = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("LOTSE_SHUTDOWN_ROUNDS", "10"))
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else int.from_bytes(os.urandom(3), "big")
STOP_MAX = float(os.environ.get("LOTSE_SHUTDOWN_MAX", "10"))  # seconds; sanitizers want more
NODES = 3
EXEC = "/exec?command=true&stdout=1&container=main"


class Load:
    """Threads that do one thing again and again until the server has gone."""

    def __init__(self, daemon, random_):
        self.daemon, self.threads, self.ended, self.counts = daemon, [], threading.Event(), {}
        self.random = random_

    def add(self, name, fn, count=1):
        for i in range(count):
            thread = threading.Thread(target=self.run, args=(name, fn, i), daemon=True)
            self.threads.append(thread)
            thread.start()

    def run(self, name, fn, number):
        done = 0
        while not self.ended.is_set():
            try:
                fn(cluster.Api(self.daemon.kubeconfig), f"{name}-{number}-{done}")
                done += 1
            except (OSError, http.client.HTTPException, cluster.ApiError, ValueError, EOFError):
                if self.ended.wait(0.02):
                    break
        self.counts[name] = self.counts.get(name, 0) + done

    def join(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a client still waits for a server that has ended"


def follow(path):
    def watch(api, _):
        for _ in api.watch(path):
            pass
    return watch


def create_objects(api, name):
    for i in range(50):
        api.post(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-{time.monotonic_ns()}"}, "data": {"i": str(i)}})


def change_one(api, _):
    """Several of these conflict with each other all the time."""
    for i in range(50):
        api.call("PATCH", CONFIGMAPS + "/shared", {"data": {"i": str(time.monotonic_ns())}}, "application/strategic-merge-patch+json")


def roll(api, name):
    made = f"{name}-{time.monotonic_ns()}"
    api.post(cluster.DEPLOYMENTS, cluster.deployment(made, 5))
    time.sleep(0.2)
    api.delete(f"{cluster.DEPLOYMENTS}/{made}")


def exec_again_and_again(api, _):
    """An exec over WebSocket, left open until the server closes it."""
    pods = [p for p in api.get(PODS)["items"] if p.get("status", {}).get("phase") == "Running"]
    if not pods:
        return time.sleep(0.05)
    with socket.create_connection((api.host, api.port), timeout=30) as plain, api.context.wrap_socket(plain, server_hostname=api.host) as s:
        s.sendall((f"GET {PODS}/{pods[0]['metadata']['name']}{EXEC} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n").encode())
        while s.recv(4096):
            pass


def follow_logs(api, _):
    pods = api.get(PODS)["items"]
    if not pods:
        return time.sleep(0.05)
    api.raw("GET", f"{PODS}/{pods[-1]['metadata']['name']}/log?follow=true")


def one_round(number, random_):
    wait = random_.choice([0, 0.05, 0.3, 1, 2]) * random_.random()
    settings = {"components": {"state": random_.choice(['"lmdb"', '"lmdb"', '"memory"']), "transport": random_.choice(['["rest"]', '["rest", "zmq"]'])},
                "plugins.runtime.hollow": {"nodes": NODES}}
    with Daemon(BIN_DIR, settings) as daemon:
        daemon.start()
        load = Load(daemon, random_)
        try:
            daemon.api.post(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}})
        except cluster.ApiError:
            pass
        load.add("watch", follow(PODS), 2)
        load.add("watch", follow(CONFIGMAPS), 2)
        load.add("create", create_objects, 4)
        load.add("change", change_one, 3)
        load.add("roll", roll, 2)
        load.add("exec", exec_again_and_again, 2)
        load.add("logs", follow_logs, 2)
        time.sleep(wait)
        code, seconds = daemon.stop(seconds=60)
        load.join()
        print(f"     round {number}: {json.dumps(settings['components'])}, {wait:.2f} s of {json.dumps(load.counts)}: {code} after {seconds:.2f} s", flush=True)
        assert code == 0, f"lotsed ended with {code}\n" + daemon.log_text()[-20000:]
        assert seconds < STOP_MAX, f"SIGTERM took {seconds:.2f} s"
        # What was stored last can be read by the next one.
        if number % 5 == 0:
            daemon.start()
            daemon.api.get(CONFIGMAPS)
            code, _ = daemon.stop(seconds=60)  # in the middle of the start of its pods
            assert code == 0, f"the second lotsed ended with {code}\n" + daemon.log_text()[-20000:]


cluster.own_network()
print(f"     seed {SEED}, {ROUNDS} rounds")
for round_number in range(ROUNDS):
    one_round(round_number, random.Random(SEED + round_number))
print(f"ok   {ROUNDS} times SIGTERM at a random moment")
