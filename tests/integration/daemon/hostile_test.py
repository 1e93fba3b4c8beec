"""hostile_test.py BIN_DIR: what a network and its users can send to the real daemon. Each input is answered with a clear refusal or a
closed connection, memory stays bounded, and the daemon serves on."""
import base64
import gzip
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zmq"))
import cluster
from cluster import CONFIGMAPS, PODS, Daemon
import lotse_zmq
import msgpack
import zmq

BIN_DIR = sys.argv[1]
GROWTH_MAX_MIB = 64
daemon = None
api = None
count = 0


def case(fn):
    """Runs fn and judges what it left: memory and a daemon that answers."""
    global count
    before = daemon.rss_mib()
    outcome = fn()
    grown = daemon.rss_mib() - before
    assert daemon.alive(), fn.__name__
    assert grown < GROWTH_MAX_MIB, (fn.__name__, grown)
    count += 1
    print(f"ok   {fn.__name__.replace('_', ' ')}: {str(outcome)[:140]}" + (f" (+{grown:.0f} MiB)" if grown >= 1 else ""))


def refused(method, path, body=None, headers=None, code=400, reason=None, says=""):
    """The answer must be a Status of that code and reason, with a message."""
    status, answer = api.raw(method, path, body, headers or {"Content-Type": "application/json"})
    assert status == code, (status, answer[:300])
    value = json.loads(answer)
    assert value["kind"] == "Status" and value["code"] == code and value["message"] and (reason is None or value["reason"] == reason), value
    assert says.lower() in value["message"].lower(), value["message"]
    assert len(value["message"]) < 8192, len(value["message"])
    return f"{code} {value.get('reason')}: {value['message']}"


def tls(context=None):
    context = context or api.context
    return context.wrap_socket(socket.create_connection(("127.0.0.1", 6443), timeout=60), server_hostname="127.0.0.1")


def spoken(data, context=None):
    """Sends bytes and reads until the server closes or has answered one request."""
    with tls(context) as s:
        try:
            s.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass
        out = b""
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                out += more
                head, _, rest = out.partition(b"\r\n\r\n")
                length = [l for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")]
                if length and len(rest) >= int(length[0].split(b":")[1]):
                    break
        except (ConnectionError, ssl.SSLError, socket.timeout):
            pass
        return out


# ---- bodies ----
def truncated_json():
    return refused("POST", CONFIGMAPS, b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"')


def no_json_at_all():
    return refused("POST", CONFIGMAPS, b"\x00\x01\x02")


def empty_body():
    return refused("POST", CONFIGMAPS, b"")


def depth_of_100000():
    return refused("POST", CONFIGMAPS, b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":' + b"[" * 100000 + b"]" * 100000 + b"}")


def depth_of_100000_in_yaml():
    return refused("POST", CONFIGMAPS, b"a: " + b"[" * 100000 + b"]" * 100000, {"Content-Type": "application/yaml"})


def yaml_alias_bomb():
    text = b"a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12))
    return refused("POST", CONFIGMAPS, text, {"Content-Type": "application/yaml"})


def depth_in_a_patch():
    return refused("PATCH", CONFIGMAPS + "/kube-root-ca.crt", b'{"data":' * 50000 + b"1" + b"}" * 50000, {"Content-Type": "application/merge-patch+json"})


def json_patch_that_doubles():
    # copy-amplification: each operation doubles the object (as CVE-2019-11253 and its like)
    operations = [{"op": "add", "path": "/data", "value": {"a": "x" * 1000}}] + [{"op": "copy", "from": "/data", "path": f"/data/n{i}"} for i in range(60)]
    status, answer = api.raw("PATCH", CONFIGMAPS + "/kube-root-ca.crt", json.dumps(operations).encode(), {"Content-Type": "application/json-patch+json"})
    value = json.loads(answer)
    assert status in (400, 413, 422) and value["message"], (status, answer[:300])
    return f"{status} {value['message']}"


def body_of_100_mib():
    got = spoken(b"POST " + CONFIGMAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n" + b"[" * (4 << 20))
    assert got.startswith(b"HTTP/1.1 413"), got[:200]
    return got[:40]


def body_of_100_mib_in_chunks():
    with tls() as s:
        s.sendall(b"POST " + CONFIGMAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk, sent = b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 0
        try:
            for _ in range(100):
                s.sendall(chunk)
                sent += 1
        except (ConnectionError, ssl.SSLError):
            pass
        assert sent < 100 or s.recv(64).startswith(b"HTTP/1.1 413"), sent
    return f"cut off after {sent} MiB or answered 413"


def compressed_bomb():
    bomb = gzip.compress(b" " * (100 << 20))
    status, answer = api.raw("POST", CONFIGMAPS, bomb, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert status in (400, 413, 415), (status, answer[:200])
    return f"{status} {json.loads(answer)['message']}"


def bad_utf8():
    return refused("POST", CONFIGMAPS, b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"\xff\xfe"}}')


def numbers_beyond_all_bounds():
    return refused("POST", "/apis/apps/v1/namespaces/default/deployments", json.dumps(cluster.deployment("x", 1)).replace('"replicas": 1', '"replicas": 1e999').encode())


def negative_replicas():
    return refused("POST", cluster.DEPLOYMENTS, json.dumps(cluster.deployment("x", -5)).encode(), code=422, reason="Invalid", says="replicas")


def quantity_of_a_million_digits():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"},
           "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "9" * 1000000}}}]}}
    status, answer = api.raw("POST", PODS, json.dumps(pod).encode(), {"Content-Type": "application/json"})
    assert status in (201, 400, 422), (status, answer[:200])
    if status == 201:  # as upstream: whoever asks for more than there is waits
        time.sleep(0.5)
        assert "nodeName" not in api.get(PODS + "/x")["spec"]
        api.delete(PODS + "/x")
    return status


def protobuf_garbage():
    return refused("POST", CONFIGMAPS, b"k8s\x00" + b"\xff" * 1000, {"Content-Type": "application/vnd.kubernetes.protobuf"})


def unknown_content_type():
    return refused("POST", CONFIGMAPS, b"<x/>", {"Content-Type": "application/xml"}, code=415)


# ---- objects ----
def huge_labels():
    return refused("POST", CONFIGMAPS, json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": {"a": "b" * 100000}}}).encode(), code=422, reason="Invalid", says="label")


def huge_annotations():
    return refused("POST", CONFIGMAPS, json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "annotations": {"a": "b" * 300000}}}).encode(), code=422, reason="Invalid", says="annotations")


def config_map_above_its_size():
    status, answer = api.raw("POST", CONFIGMAPS, json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b" * 1200000}}).encode(), {"Content-Type": "application/json"})
    assert status in (413, 422), (status, answer[:200])
    return f"{status} {json.loads(answer)['message'][:80]}"


def names_that_are_paths():
    for name in ("../../etc/passwd", "a/b", "..", "x" * 300, "\u0000", "UPPER"):
        refused("POST", CONFIGMAPS, json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).encode(), code=422, reason="Invalid", says="name")
    return "422 for each of six"


def mount_outside_of_the_volume():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"},
           "spec": {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "../../../etc"}]}], "volumes": [{"name": "v", "emptyDir": {}}]}}
    return refused("POST", PODS, json.dumps(pod).encode(), code=422, reason="Invalid", says="subPath")


# ---- requests ----
def log_path_traversal():
    said = []
    for path in ("/api/v1/namespaces/default/pods/../../../../../../etc/passwd/log", "/api/v1/namespaces/default/pods/..%2f..%2f..%2fetc%2fpasswd/log",
                 PODS + "/web/log?container=../../../../etc/passwd", "/api/v1/nodes/node/proxy/logs/../../../../etc/passwd", "/api/v1/nodes/node/proxy/logs/%2e%2e/%2e%2e/etc/passwd"):
        status, answer = api.raw("GET", path)
        assert status >= 400 and b"root:" not in answer, (path, status, answer[:200])
        said.append(status)
    return said


def selectors_and_fields():
    for query in ("labelSelector=a%20in%20(", "labelSelector=" + "a%3Db," * 1000 + "%21", "fieldSelector=spec.nope%3D1", "limit=-1", "continue=garbage", "resourceVersion=-1&resourceVersionMatch=Exact"):
        refused("GET", f"{PODS}?{query}")
    refused("GET", PODS + "?resourceVersionMatch=Sometimes&resourceVersion=1", code=422, reason="Invalid", says="resourceVersionMatch")
    return "400 or 422 for each of seven"


def watch_from_an_insane_revision():
    said = [refused("GET", f"{PODS}?watch=1&resourceVersion={rv}") for rv in ("abc", "-1", "99999999999999999999999999", "1.5", "%00")]
    watch = api.watch(f"{PODS}?resourceVersion=9999999999999&timeoutSeconds=5")
    try:
        kind, thing = next(watch)
        assert kind == "ERROR" and thing["code"] in (410, 504), (kind, thing)
        return f"{said[0]}; from the future: {thing['code']} {thing['message']}"
    except cluster.ApiError as problem:
        assert problem.code in (410, 504), problem
        return f"{said[0]}; from the future: {problem.code}"
    except StopIteration:
        return f"{said[0]}; from the future: it waits and ends"


def list_from_the_future():
    return refused("GET", f"{PODS}?resourceVersion=9999999999999", code=504, reason="Timeout", says="too large resource version")


def unknown_paths_and_methods():
    refused("GET", "/apis/nope.test/v1/things", code=404)
    refused("GET", "/api/v1/namespaces/default/nopes", code=404)
    refused("GET", f"{PODS}/nope", code=404, reason="NotFound")
    for method in ("BREW", "TRACE", "CONNECT"):
        got = spoken(method.encode() + b" /api/v1/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert got[9:12] in (b"400", b"405", b"501"), got[:100]
    return "404, 405"


def header_flood():
    many = spoken(b"GET /api HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(20000)) + b"\r\n")
    one = spoken(b"GET /api HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 10000000 + b"\r\n\r\n")
    url = spoken(b"GET /api?" + b"y" * 10000000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    for got in (many, one, url):
        assert not got or got[9:12] in (b"431", b"414", b"400"), got[:100]
    return (many or one or url)[:40]


def request_smuggling():
    for head in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"Content-Length: -1\r\n",
                 b"Content-Length: 99999999999999999999\r\n"):
        got = spoken(b"POST /api HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got[9:12] in (b"400", b"413", b"501") and b"gitVersion" not in got, (head, got[:200])
    return "400 or 413 for each of five"


def garbage_instead_of_tls():
    for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(100000), b"\x16\x03\x01\xff\xff" + b"\x00" * 70000, b""):
        with socket.create_connection(("127.0.0.1", 6443), timeout=30) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:  # closed already
                pass
    return "closed"


def slow_clients():
    """300 connections that say nothing, half a request, or never read what they asked for: others are served at once."""
    idle = [socket.create_connection(("127.0.0.1", 6443)) for _ in range(100)]
    half = [tls() for _ in range(100)]
    for s in half:
        s.sendall(b"GET /api/v1/pods HT")
    deaf = [tls() for _ in range(50)]
    for s in deaf:
        s.sendall(b"GET /openapi/v2 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    begin = time.monotonic()
    for _ in range(10):
        assert api.raw("GET", "/readyz")[0] == 200
    took = (time.monotonic() - begin) / 10
    rss = daemon.rss_mib()
    for s in idle + half + deaf:
        s.close()
    assert took < 1, took
    return f"others wait {took * 1000:.0f} ms; {rss:.0f} MiB meanwhile"


# ---- identities ----
def anonymous_context():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def ask_as(context, headers, path="/api/v1/secrets"):
    lines = b"".join(f"{k}: {v}\r\n".encode() for k, v in headers.items())
    got = spoken(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n", context)
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head[9:12]), body


def bogus_certificates():
    key, pem = daemon.folder + "/bogus.key", daemon.folder + "/bogus.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", pem, "-days", "1",
                    "-subj", "/O=system:masters/CN=kubernetes-admin"], check=True, stderr=subprocess.DEVNULL)
    context = anonymous_context()
    context.load_cert_chain(pem, key)
    status, body = ask_as(context, {})
    assert status == 401 and json.loads(body)["reason"] == "Unauthorized", (status, body)
    return f"system:masters by a CA of its own: {status}"


def bogus_tokens():
    part = lambda v: base64.urlsafe_b64encode(json.dumps(v).encode()).rstrip(b"=").decode()
    claims = {"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:kube-system:default", "aud": ["https://kubernetes.default.svc.cluster.local"], "exp": 4102444800, "iat": 1, "nbf": 1,
              "kubernetes.io": {"namespace": "kube-system", "serviceaccount": {"name": "default", "uid": "x"}}}
    for token in ("x", "a.b.c", "." * 1000, "A" * 30000, part({"alg": "none"}) + "." + part(claims) + ".", part({"alg": "HS256"}) + "." + part(claims) + ".AAAA",
                  part({"alg": "RS256", "kid": "../../etc/passwd"}) + "." + part(claims) + "." + "A" * 342):
        status, body = ask_as(anonymous_context(), {"Authorization": "Bearer " + token})
        assert status == 401 and json.loads(body)["reason"] == "Unauthorized", (token[:50], status, body[:200])
    return "401 for each of seven"


def nobody_at_all():
    status, body = ask_as(anonymous_context(), {})
    assert status == 403 and "system:anonymous" in json.loads(body)["message"], (status, body)
    status, _ = ask_as(anonymous_context(), {"Impersonate-User": "kubernetes-admin", "Impersonate-Group": "system:masters"})
    assert status == 403, status
    return json.loads(body)["message"]


# ---- the bus ----
def bus_key():
    word = daemon.lotse("token", "create").stdout.decode().strip().split(".", 1)[1]
    return msgpack.unpackb(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))


def dealer(port, server_key):
    public, secret = zmq.curve_keypair()
    s = zmq.Context.instance().socket(zmq.DEALER)
    s.curve_serverkey, s.curve_publickey, s.curve_secretkey = server_key, public, secret
    s.linger, s.rcvtimeo, s.sndtimeo = 0, 1500, 1500
    s.connect(f"tcp://127.0.0.1:{port}")
    return s, public.decode()


def bus_garbage():
    for port in (6442, 6441):
        for data in (os.urandom(100000), b"\xff" + b"\x00" * 8 + b"\x7f" + b"\x03\x00CURVE" + b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" * 1000, b""):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
                except OSError:
                    pass
    return "closed, on both sockets"


def bus_null_mechanism():
    """ZMTP 3 by hand: the NULL mechanism and a frame that claims 2^62 bytes."""
    for mechanism in (b"NULL", b"PLAIN", b"CURVE"):
        with socket.create_connection(("127.0.0.1", 6442), timeout=5) as s:
            try:
                s.sendall(b"\xff" + b"\x00" * 8 + b"\x7f\x03\x00" + mechanism.ljust(20, b"\x00") + b"\x00" * 32)
                s.recv(64)
                s.sendall(b"\x02" + struct.pack(">Q", 1 << 62) + b"x" * 1000)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
    return "closed"


def bus_with_an_unknown_key():
    s, _ = dealer(6442, bus_key()["k"].encode())
    try:
        for message in (b"x", msgpack.packb({"op": "hello", "node": "node", "t": "hello", "n": "node"}), b"\xff" * 1000):
            s.send_multipart([message])
        answer = s.recv_multipart()
        raise AssertionError(f"an unknown key was answered: {answer}")
    except zmq.Again:
        return "no answer"
    finally:
        s.close()


def bus_with_the_wrong_server_key():
    s, _ = dealer(6442, zmq.curve_keypair()[0])
    try:
        s.send_multipart([b"x"])
        s.recv_multipart()
        raise AssertionError("answered")
    except zmq.Again:
        return "no answer"
    finally:
        s.close()


def bus_oversized_frames():
    for port in (6442, 6441):
        s, _ = dealer(port, bus_key()["k"].encode())
        try:
            for _ in range(20):
                s.send_multipart([b"\x00" * (10 << 20)])
            s.recv_multipart()
        except zmq.Again:
            pass
        finally:
            s.close()
    return "cut off"


def join_socket_garbage():
    said = []
    key = bus_key()["k"].encode()
    for parts in ([b"x"], [msgpack.packb({})], [msgpack.packb([[]] * 100)], [b"\x91" * 5000], [b""] * 50, [msgpack.packb({"token": "x", "node": "../../etc", "key": "y"})]):
        s, _ = dealer(6441, key)
        s.rcvtimeo = 300
        try:
            s.send_multipart(parts)
            said.append(s.recv_multipart()[-1][:60])
        except zmq.Again:
            said.append(None)
        finally:
            s.close()
    return [x for x in said if x] or "no answer"


def join(name, word, folder):
    """A worker that wants to join: (its exit code or None, what it said)."""
    other = Daemon(BIN_DIR, {"daemon": {"node_name": f'"{name}"', "roles": '["worker"]'}, "bus": {"join_file": f'"{folder}/join"'}}, folder=folder)
    with open(folder + "/join", "w") as out:
        out.write(word)
    return other


def replayed_join_token():
    import tempfile
    word = daemon.lotse("token", "create").stdout.decode().strip().replace("192.0.2.10", "127.0.0.1")
    with join("second", word, tempfile.mkdtemp(prefix="lotse-daemon-test-")) as first:
        first.start()
        cluster.until("the second node is ready", lambda: cluster.nodes_ready(api) == 2)
        said = []
        for name in ("third", "second"):
            with join(name, word, tempfile.mkdtemp(prefix="lotse-daemon-test-")) as other:
                code, text = other.refuses_to_start(60)
                assert code != 0 and ("has been used" in text or "belongs to another key" in text), (code, text)
                said.append(text.strip().splitlines()[-1])
        # And with a good token, but the name of a node that has another key.
        fresh = daemon.lotse("token", "create").stdout.decode().strip()
        with join("second", fresh, tempfile.mkdtemp(prefix="lotse-daemon-test-")) as thief:
            code, text = thief.refuses_to_start(60)
            assert code != 0 and "belongs to another key" in text, (code, text)
        first.stop()
    api.delete("/api/v1/nodes/second")
    return said[0][-120:]


def tokens_that_are_none():
    import tempfile
    good = bus_key()
    pack = lambda v: "lotse1." + base64.urlsafe_b64encode(msgpack.packb(v)).rstrip(b"=").decode()
    for word in ("", "lotse1.", "lotse1.!!!", "lotse2.AAAA", "x" * 100000, pack({"a": [], "k": good["k"], "t": good["t"]}), pack({"a": good["a"], "k": "short", "t": good["t"]}),
                 pack({"a": good["a"], "k": good["k"], "t": "wrong"})):
        with join("thief", word, tempfile.mkdtemp(prefix="lotse-daemon-test-")) as other:
            code, text = other.refuses_to_start(60)
            assert code in (1, 78) and ("token" in text or "8192" in text), (word[:40], code, text)
    return "each of eight refused"


# ---- the ZeroMQ transport ----
def zmq_transport():
    key = bus_key()["k"].encode()
    client = lotse_zmq.Client("tcp://127.0.0.1:6444", key)
    said = []
    for parts in ([b"\xff"], [msgpack.packb([1, 2])], [b"\x81" * 10000], [msgpack.packb({"id": -1, "op": "request"})], [msgpack.packb({"id": 1, "op": "fly"})], [msgpack.packb({"id": 1, "op": "grant", "bytes": -5})],
                  [b"", b"", b"", b""]):
        client.socket.send_multipart(parts)
    client.socket.rcvtimeo = 2000
    try:
        while True:
            said.append(client.receive()[0]["op"])
    except zmq.Again:
        pass
    message, answer = client.ask("list", "secrets")
    assert message["status"] in (401, 403), (message, answer)
    client.socket.send_multipart([msgpack.packb({"id": 9, "op": "request", "verb": "create", "resource": "configmaps", "version": "v1"}), b"x" * (20 << 20)])
    client.close()
    return said


# ---- the configuration ----
def configurations():
    good = open(daemon.file).read()
    texts = {"cut off": good[: len(good) // 2] + '\nx = "', "unknown key": good.replace("[components]", "[components]\ntransprot = []"), "unknown section": good + "\n[nope]\n", "wrong type": good.replace('runtime = "hollow"', "runtime = 5"),
             "depth": "x = " + "[" * 100000 + "]" * 100000, "not UTF-8": good.encode()[:20].decode() + "\udcff", "twice": good + good, "2 MiB": good + "#" * (2 << 20), "a NUL": good + "\0",
             "range": good + "\n[plugins.runtime.hollow]\nnodes = 100000000\n", "a network of nobody": good + '\n[network]\npod_cidr = ["999.0.0.0/99"]\n', "no role": good.replace("[daemon]", '[daemon]\nroles = ["king"]'),
             "relative data_dir": good.replace(f'"{daemon.data}"', '"data"'), "dotted keys": ".".join(["a"] * 50000) + " = 1"}
    for what, text in texts.items():
        file = daemon.folder + "/hostile.toml"
        with open(file, "w", errors="surrogateescape") as out:
            out.write(text)
        done = subprocess.run([BIN_DIR + "/lotsed", "--config", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 78 and "hostile.toml" in said and len(said) < 20000, (what, done.returncode, said[:500])
    return f"each of {len(texts)} refused with code 78 and its place: {said.strip()[-80:]}"


REST = [truncated_json, no_json_at_all, empty_body, depth_of_100000, depth_of_100000_in_yaml, yaml_alias_bomb, depth_in_a_patch, json_patch_that_doubles, body_of_100_mib, body_of_100_mib_in_chunks, compressed_bomb,
        bad_utf8, numbers_beyond_all_bounds, negative_replicas, quantity_of_a_million_digits, protobuf_garbage, unknown_content_type, huge_labels, huge_annotations, config_map_above_its_size, names_that_are_paths,
        mount_outside_of_the_volume, log_path_traversal, selectors_and_fields, watch_from_an_insane_revision, list_from_the_future, unknown_paths_and_methods, header_flood, request_smuggling, garbage_instead_of_tls,
        slow_clients, bogus_certificates, bogus_tokens, nobody_at_all]
BUS = [bus_garbage, bus_null_mechanism, bus_with_an_unknown_key, bus_with_the_wrong_server_key, bus_oversized_frames, join_socket_garbage, replayed_join_token, tokens_that_are_none, zmq_transport]

cluster.own_network()
with Daemon(BIN_DIR, {"components": {"transport": '["rest", "zmq"]'}}) as daemon:
    daemon.start()
    api = daemon.api
    cluster.until("the node is ready", lambda: cluster.nodes_ready(api) == 1)
    cluster.until("the root certificate is published", lambda: api.raw("GET", CONFIGMAPS + "/kube-root-ca.crt")[0] == 200)
    begin = daemon.rss_mib()
    failed = []
    for fn in REST + BUS + [configurations]:
        try:
            case(fn)
        except Exception as problem:
            if daemon.process.poll() is not None:
                raise
            failed.append(fn.__name__)
            print(f"FAIL {fn.__name__}: {type(problem).__name__} {str(problem)[:600]}")
    end = daemon.rss_mib()
    assert not failed, failed
    assert end - begin < 2 * GROWTH_MAX_MIB, (begin, end)
    api.post(cluster.DEPLOYMENTS, cluster.deployment("after", 2))
    cluster.until("a Deployment works after all that", lambda: cluster.available(api, "after", 2))
    code, seconds = daemon.stop()
    assert code == 0, code
    print(f"ok   {count} kinds of hostile input; {begin:.0f} MiB before, {end:.0f} MiB after; ended in {seconds:.2f} s")
