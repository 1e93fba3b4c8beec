"""etcd_test.py BIN_DIR: a lotsed whose state lies in a real etcd: members killed under writes, an etcd that stands still, and moves
from and to lmdb. Everything runs on loopback in a network namespace of its own."""
import http.client
import json
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
import cluster  # noqa: E402
from cluster import CONFIGMAPS, Api, ApiError, Daemon  # noqa: E402
from etcd_cluster import Etcd  # noqa: E402

BIN_DIR = os.path.abspath(sys.argv[1])


def settings(etcd, state="etcd", **more):
    return {"components": {"state": f'"{state}"'}, "daemon": {"roles": '["master"]'}, "plugins.state.etcd": {**etcd.plugin_config(), **more}}


def config_map(name, text="x"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}}


def wait_leader(etcd):
    return cluster.until("etcd has a leader", lambda: [i for i in [etcd.leader()] if i is not None], 30)[0]


class Writers:
    """Threads that create ConfigMaps and remember which were acknowledged, and when."""

    def __init__(self, daemon, count=4):
        self.acknowledged, self.refused, self.stopping, self.broken = [], [], False, None
        self.threads = [threading.Thread(target=self.run, args=(n, Api(daemon.kubeconfig))) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number, api):
        i = 0
        while not self.stopping:
            name = f"w{number}-{i}"
            i += 1
            try:
                made = api.post(CONFIGMAPS, config_map(name))
                self.acknowledged.append((time.monotonic(), name, made["metadata"]["uid"]))
            except ApiError as error:
                assert error.code in (500, 503, 504, 429, 409), error
                self.refused.append((time.monotonic(), name, error.code))
                time.sleep(0.05)
            except (http.client.HTTPException, OSError) as error:
                self.broken = self.broken or str(error)
                return

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a write was never answered"
        assert not self.broken, f"the API's connection broke: {self.broken}"


def member_killed():
    with Etcd(members=3) as etcd, Daemon(BIN_DIR, settings(etcd)) as daemon:
        daemon.start()
        seen = {}
        watch = daemon.api.watch(CONFIGMAPS, timeout=120)

        def follow():
            try:
                for kind, thing in watch:
                    name = thing["metadata"].get("name", "")
                    if kind == "ADDED":
                        assert name not in seen, f"{name} was added twice"
                        seen[name] = thing["metadata"]["uid"]
            except OSError:
                pass

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        writers = Writers(daemon)
        pauses = []
        for _ in range(2):
            time.sleep(2)
            leader = wait_leader(etcd)
            killed = time.monotonic()
            etcd.kill(leader)
            wait_leader(etcd)
            elected = time.monotonic()
            cluster.until("writes go on", lambda: writers.acknowledged and writers.acknowledged[-1][0] > elected, 30)
            first = min(t for t, _, _ in writers.acknowledged if t > killed + 0.3)
            pauses.append((elected - killed, first - killed))
            assert first - elected < 3, f"writes went on {first - elected:.1f} s after the new leader"
            etcd.start(leader)
            cluster.until("all members are healthy", lambda: etcd.ctl("endpoint", "health", check=False).count("is healthy") == 3, 30)
        time.sleep(1)
        writers.stop()
        names = {c["metadata"]["name"]: c["metadata"]["uid"] for c in daemon.api.get(CONFIGMAPS)["items"]}
        for _, name, uid in writers.acknowledged:
            assert names.get(name) == uid, f"{name} was acknowledged and is gone"
        cluster.until("the watch has seen everything", lambda: all(seen.get(name) == uid for name, uid in names.items()), 20)
        daemon.stop()
        daemon.start()
        again = {c["metadata"]["name"]: c["metadata"]["uid"] for c in daemon.api.get(CONFIGMAPS)["items"]}
        assert again == names
        print(f"ok   etcd's leader killed with -9 under {len(writers.acknowledged)} writes, twice: nothing acknowledged is lost; new leader after "
              + ", ".join(f"{p[0]:.1f} s" for p in pauses) + "; first write after " + ", ".join(f"{p[1]:.1f} s" for p in pauses)
              + f"; {len(writers.refused)} refused")


def member_stopped():
    """The one member that is in use stands still; its connections stay open."""
    with Etcd(members=3, tls=True) as etcd, Daemon(BIN_DIR, settings(etcd)) as daemon:
        daemon.start()
        daemon.api.post(CONFIGMAPS, config_map("before"))
        leader = wait_leader(etcd)
        for i in (next(i for i in range(3) if i != leader), leader):
            etcd.signal(i, signal.SIGSTOP)
            begin = time.monotonic()

            def write():
                try:
                    return daemon.api.post(CONFIGMAPS, config_map(f"during-{i}"))
                except ApiError as error:
                    assert error.code in (503, 504, 409) or error.status["reason"] == "ServerTimeout", error
                    return error.code == 409
            cluster.until("writes go on with two of three members", write, 30)
            took = time.monotonic() - begin
            etcd.signal(i, signal.SIGCONT)
            cluster.until("all members are healthy", lambda: etcd.ctl("endpoint", "health", check=False).count("is healthy") == 3, 30)
            print(f"ok   a member that stands still (TLS): the first write after {took:.1f} s")


def etcd_stands_still():
    with Etcd() as etcd, Daemon(BIN_DIR, settings(etcd, timeout='"3s"')) as daemon:
        daemon.start()
        api = daemon.api
        for i in range(20):
            api.post(CONFIGMAPS, config_map(f"before-{i}"))
        watch = api.watch(CONFIGMAPS)
        for _ in range(20):
            next(watch)
        pid = daemon.process.pid
        etcd.signal(0, signal.SIGSTOP)
        answers, second = [], Api(daemon.kubeconfig)

        def write():
            begin = time.monotonic()
            try:
                second.post(CONFIGMAPS, config_map("during"))
                answers.append((200, None, time.monotonic() - begin))
            except ApiError as error:
                answers.append((error.code, error.status, time.monotonic() - begin))
        writer = threading.Thread(target=write)
        writer.start()
        slowest, reads, not_ready = 0, 0, False
        while writer.is_alive():
            begin = time.monotonic()
            # What asks for any version is answered; what asks for the newest needs etcd's word that it is.
            assert len([c for c in api.get(CONFIGMAPS + "?resourceVersion=0")["items"] if c["metadata"]["name"].startswith("before-")]) == 20
            assert api.get(CONFIGMAPS + "/before-7?resourceVersion=0")["data"] == {"text": "x"}
            slowest, reads = max(slowest, time.monotonic() - begin), reads + 1
            not_ready = not_ready or b"[-]store" in api.raw("GET", "/readyz?verbose")[1]
            time.sleep(0.1)
        code, status, took = answers[0]
        # 503: it was not tried; 504: nobody knows what came of it.
        assert status["kind"] == "Status" and (code, status["reason"]) in ((503, "ServiceUnavailable"), (504, "Timeout"), (504, "ServerTimeout")), answers
        assert took < 15, took
        begin = time.monotonic()
        refused, text = api.raw("GET", CONFIGMAPS + "/before-7")
        assert refused in (503, 504) and json.loads(text)["kind"] == "Status" and time.monotonic() - begin < 15, (refused, text)
        cluster.until("/readyz tells", lambda: not_ready or b"[-]store" in api.raw("GET", "/readyz?verbose")[1], 10)
        assert api.raw("GET", "/livez")[0] == 200
        etcd.signal(0, signal.SIGCONT)

        def works():
            try:
                return api.post(CONFIGMAPS, config_map(f"after-{time.monotonic_ns()}"))
            except ApiError as error:
                assert error.code in (503, 504), error
        begin = time.monotonic()
        cluster.until("writes work again", works, 20)
        back = time.monotonic() - begin
        cluster.until("/readyz is well again", lambda: api.raw("GET", "/readyz")[0] == 200, 10)
        assert daemon.process.pid == pid and daemon.process.poll() is None
        while not next(watch)[1]["metadata"]["name"].startswith("after-"):
            pass
        print(f"ok   etcd stands still: {reads} reads served (slowest pair {slowest * 1000:.0f} ms), a write got {code} {status['reason']} after "
              f"{took:.1f} s, /readyz told, writes work {back:.1f} s after it goes on; the watch lives")


KINDS = ["/api/v1/configmaps", "/api/v1/secrets", "/api/v1/namespaces", "/api/v1/services", "/api/v1/serviceaccounts", "/api/v1/pods",
         "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
         "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "/apis/rbac.authorization.k8s.io/v1/roles"]


def everything(api):
    """All objects as text, without what may differ."""
    found = {}
    for kind in KINDS:
        status, text = api.raw("GET", kind)
        assert status == 200, (kind, status)
        for item in json.loads(text)["items"]:
            item["metadata"].pop("resourceVersion")
            found[kind, item["metadata"].get("namespace"), item["metadata"]["name"]] = json.dumps(item)
    return found


def revision(api):
    return int(api.get(CONFIGMAPS)["metadata"]["resourceVersion"])


def migrate(daemon, api_before, to, etcd):
    """Moves it, starts it anew, and compares. Returns how many objects there are."""
    # A client that follows, as an informer does: it lists again after a 410.
    version = str(revision(daemon.api))
    # No controller is at work any more.
    previous = None
    for _ in range(100):
        now = everything(daemon.api)
        if now == previous:
            break
        previous = now
        time.sleep(0.3)
    last = revision(daemon.api)
    said = daemon.lotse("state", "migrate", "--to", to).stdout.decode()
    assert f'state = "{to}"' in said, said
    try:
        daemon.api.post(CONFIGMAPS, config_map("too-late"))
        raise AssertionError("a write was taken after the move")
    except ApiError as error:
        assert error.code == 503 and "moved" in error.status["message"], error
    assert everything(daemon.api) == previous, "reads changed with the move"
    daemon.stop()
    code, words = daemon.refuses_to_start()
    assert code == 1 and f"moved to the state backend {to}" in words, (code, words)
    daemon.write(settings(etcd, to))
    daemon.start()
    after = everything(daemon.api)
    for key, text in previous.items():
        assert after.get(key) == text, f"{key} is another one after the move:\n{text}\n{after.get(key)}"
    assert revision(daemon.api) > last, "resource versions went back"
    try:
        first = next(daemon.api.watch(f"{CONFIGMAPS}?resourceVersion={version}"))
        assert first[0] == "ERROR" and first[1]["code"] == 410, first
    except ApiError as error:
        assert error.code == 410, error
    return len(previous)


def moves():
    with Etcd() as etcd, Daemon(BIN_DIR, settings(etcd, "lmdb")) as daemon:
        daemon.start()
        api = daemon.api
        for i in range(50):
            api.post(CONFIGMAPS, config_map(f"c{i}", "\u00e4\u0000\n"[:1 + i % 3 * 2].replace("\0", " ") * i))
        api.post(CONFIGMAPS, config_map("large", "l" * 900_000))
        api.post(cluster.DEPLOYMENTS, cluster.deployment("web", 3, schedulerName="nobody"))
        cluster.until("the pods are there", lambda: len(api.get(cluster.PODS)["items"]) == 3)
        refused = daemon.lotse("state", "migrate", "--to", "lmdb", check=False)
        assert refused.returncode == 1 and b"already" in refused.stderr, refused
        refused = daemon.lotse("state", "migrate", "--to", "nothing", check=False)
        assert refused.returncode == 1 and b"nothing" in refused.stderr, refused
        count = migrate(daemon, api, "etcd", etcd)
        print(f"ok   from lmdb to etcd: {count} objects are the same; a client that watches gets 410")
        daemon.api.post(CONFIGMAPS, config_map("made-in-etcd"))
        daemon.api.delete(CONFIGMAPS + "/c1")
        count = migrate(daemon, api, "lmdb", etcd)
        assert "made-in-etcd" in str(daemon.api.get(CONFIGMAPS))
        print(f"ok   and back: {count} objects")
        daemon.api.post(CONFIGMAPS, config_map("made-in-lmdb"))
        with Daemon(BIN_DIR, settings(etcd, "etcd")) as other:
            code, words = other.refuses_to_start()
            assert code == 1 and "moved to the state backend lmdb" in words, (code, words)
        print("ok   the store that was left is not opened by mistake")


def users_compactions_and_quota():
    with Etcd(arguments=["--quota-backend-bytes", str(24 << 20)]) as etcd, Daemon(BIN_DIR) as daemon:
        etcd.ctl("user", "add", "root:secret")
        etcd.ctl("user", "grant-role", "root", "root")
        etcd.ctl("user", "add", "lotse:also-secret")
        etcd.ctl("role", "add", "lotse")
        etcd.ctl("role", "grant-permission", "lotse", "readwrite", "/lotse/", "/lotse0")
        etcd.ctl("role", "grant-permission", "lotse", "read", "", "--from-key=true")
        etcd.ctl("user", "grant-role", "lotse", "lotse")
        etcd.ctl("auth", "enable")
        with open(daemon.folder + "/password", "w") as f:
            f.write("wrong\n")
        more = {"user": '"lotse"', "password_file": f'"{daemon.folder}/password"'}
        daemon.write(settings(etcd, **more))
        code, words = daemon.refuses_to_start()
        assert code == 1 and "authentication failed" in words and "wrong" not in words, (code, words)
        with open(daemon.folder + "/password", "w") as f:
            f.write("also-secret\n")
        daemon.start()
        for i in range(30):
            daemon.api.post(CONFIGMAPS, config_map(f"c{i}"))
        print("ok   etcd's users: a wrong password is refused in a sentence, the right one serves with rights to its prefix")

        for i in range(50):  # somebody else's keys, and their history
            etcd.ctl("put", "foreign", str(i), user="root:secret")
        answer = json.loads(etcd.ctl("get", "foreign", "--write-out", "json", user="root:secret").strip().splitlines()[-1])
        etcd.ctl("compact", str(answer["header"]["revision"]), user="root:secret")
        daemon.api.post(CONFIGMAPS, config_map("after-compaction"))
        names = {c["metadata"]["name"] for c in daemon.api.get(CONFIGMAPS)["items"]}
        last = revision(daemon.api)
        daemon.stop()
        daemon.start()
        assert {c["metadata"]["name"] for c in daemon.api.get(CONFIGMAPS)["items"]} == names and revision(daemon.api) >= last
        daemon.api.post(CONFIGMAPS, config_map("and-on"))
        print("ok   an etcd that others write to and compact: everything is there after a restart")

        code = None
        for i in range(60):
            try:
                daemon.api.post(CONFIGMAPS, config_map(f"large{i}", "l" * 900_000))
            except ApiError as error:
                code, status = error.code, error.status
                break
        assert code == 507, (code, "the quota was never reached")
        assert daemon.api.get(CONFIGMAPS + "/c3") and daemon.process.poll() is None
        assert b"[-]store" in daemon.api.raw("GET", "/readyz?verbose")[1]
        print(f"ok   etcd's quota is reached: puts get {code} {status['reason']}, reads go on, /readyz tells")


TESTS = {"conditions": [users_compactions_and_quota], "killed": [member_killed], "still": [etcd_stands_still, member_stopped], "migrate": [moves]}
cluster.own_network()
for chosen in sys.argv[2:] or TESTS:
    for test in TESTS[chosen]:
        test()
