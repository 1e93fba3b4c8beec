"""The REST transport against real clients: sockets, curl, and both generations of kubectl.

usage: rest_test.py FAKE_HOST PLUGIN.so
"""
import gzip
import hashlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from host import SECOND, Host  # noqa: E402

PROGRAM, PLUGIN = sys.argv[1:3]
LIST = "/api/v1/namespaces/default/configmaps"


def old_kubectl():
    """kubectl 1.20, of Debian's kubernetes-client: unpacked by whoever runs the tests, or installed."""
    for path in (os.environ.get("LOTSE_KUBECTL_120"), os.environ.get("KUBECTL_DEBIAN", ""), shutil.which("kubectl")):
        if path and os.path.exists(path):
            return path


def request(path, method="GET", headers="", body=b"", host="Host: x\r\n"):
    return f"{method} {path} HTTP/1.1\r\n{host}{headers}\r\n".encode() + body


class Response:
    def __init__(self, file, method="GET"):
        self.status = int(file.readline().split()[1])
        self.headers = {}
        while (line := file.readline().strip()):
            name, value = line.decode().split(": ", 1)
            self.headers[name.lower()] = value
        self.body = b""
        if method == "HEAD" or self.status in (100, 101, 304):
            return
        if self.headers.get("transfer-encoding") == "chunked":
            while (size := int(file.readline(), 16)):
                self.body += file.read(size)
                file.readline()
            file.readline()
        elif "content-length" in self.headers:
            self.body = file.read(int(self.headers["content-length"]))

    def json(self):
        return json.loads(self.body)


class Case(unittest.TestCase):
    config = {}

    @classmethod
    def setUpClass(cls):
        cls.host = Host(PROGRAM, PLUGIN, **cls.config)

    @classmethod
    def tearDownClass(cls):
        assert cls.host.stop(), "the host did not end cleanly"

    def ask(self, data, connection=None, method="GET"):
        connection = connection or self.host.connect()
        connection.sendall(data)
        return Response(connection.makefile("rb"), method)

    def assert_serves(self):
        self.assertEqual(self.ask(request("/healthz")).body, b"ok")


class Http(Case):
    def test_keep_alive_and_pipelining(self):
        with self.host.connect() as c:
            c.sendall(request("/healthz") * 3 + request("/version") + request("/api/v1/echoes/a?async=1") + request("/healthz"))
            file = c.makefile("rb")
            answers = [Response(file) for _ in range(6)]
            self.assertEqual([a.status for a in answers], [200] * 6)
            self.assertEqual(answers[3].json()["minor"], "36")
            self.assertEqual(answers[4].json()["resource"], "echoes")

    def test_request_as_the_host_sees_it(self):
        seen = self.ask(request("/apis/a.b/v1/namespaces/n/echoes/x/status?y=1", "PUT",
                                "Authorization: bearer abc\r\nImpersonate-User: eve\r\nX-Other: 1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n", b"{}")).json()
        for key, value in {"verb": 5, "group": "a.b", "resource": "echoes", "namespace": "n", "name": "x", "subresource": "status",
                           "token": "abc", "content_type": "application/json", "body": 2, "headers": {"Impersonate-User": "eve"}}.items():
            self.assertEqual(seen[key], value)
        seen = self.ask(request("/api/v1/nodes/n/proxy/a/b", "PATCH", "X-Other: 1\r\nAuthorization: Bearer t\r\nContent-Length: 0\r\n")).json()
        self.assertEqual((seen["path"], seen["method"], seen["headers"]), ("/a/b", "PATCH", {"Host": "x", "X-Other": "1"}))

    def test_client_certificates_reach_the_host_unjudged(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=me",
                            "-keyout", folder + "/key", "-out", folder + "/cert"], check=True, capture_output=True)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                context.maximum_version = version
                context.load_cert_chain(folder + "/cert", folder + "/key")
                with self.host.connect(context=context) as c:
                    self.assertEqual(self.ask(request("/api/v1/echoes/a"), c).json()["certificates"], 1)

    def test_unix_socket(self):
        self.assertEqual(os.stat(self.host.unix).st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(self.host.unix)
            self.assertEqual(self.ask(request("/api/v1/echoes/a"), c).json()["remote"], "unix")

    def test_head_and_conditional(self):
        with self.host.connect() as c:
            self.assertEqual(self.ask(request("/version", "HEAD"), c, "HEAD").headers["content-length"], "54")
            self.assertEqual(self.ask(request("/api/v1/configmaps/a?etag=1", headers='If-None-Match: "v1"\r\n'), c).status, 304)
            self.assertEqual(self.ask(request("/api/v1/configmaps/a?etag=1", headers='If-None-Match: "v0"\r\n'), c).status, 200)

    def test_large_lists_are_compressed_for_those_who_ask(self):
        with self.host.connect() as c:
            plain = self.ask(request(LIST), c)
            packed = self.ask(request(LIST, headers="Accept-Encoding: gzip\r\n"), c)
            self.assertNotIn("content-encoding", plain.headers)
            self.assertEqual(packed.headers["content-encoding"], "gzip")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
            self.assertEqual(len(plain.json()["items"]), 2000)
            self.assertNotIn("content-encoding", self.ask(request("/version", headers="Accept-Encoding: gzip\r\n"), c).headers)

    def test_expect_continue(self):
        with self.host.connect() as c:
            file = c.makefile("rb")
            c.sendall(request("/api/v1/echoes", "POST", "Expect: 100-continue\r\nContent-Length: 3\r\n"))
            self.assertEqual(Response(file).status, 100)
            c.sendall(b"abc")
            self.assertEqual(Response(file).json()["body"], 3)

    def test_watch_comes_line_by_line_as_it_happens(self):
        with self.host.connect() as c:
            c.sendall(request("/api/v1/pods?watch=1&count=2&stay=1"))
            file = c.makefile("rb")
            while file.readline().strip():
                pass
            for _ in range(2):
                size = int(file.readline(), 16)
                line = file.read(size)
                self.assertEqual(json.loads(line)["type"], "ADDED")
                self.assertTrue(line.endswith(b"\n"))
                file.readline()

    def test_tls_versions(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        with self.host.connect(context=context) as c:
            self.assertEqual(c.selected_alpn_protocol(), "http/1.1")
            self.assertEqual(c.version(), "TLSv1.3")
        old = subprocess.run(["openssl", "s_client", "-connect", self.host.address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                             capture_output=True, stdin=subprocess.DEVNULL)
        self.assertNotEqual(old.returncode, 0)


class Hostile(Case):
    config = {"header_timeout": SECOND, "idle_timeout": SECOND, "handshake_timeout": SECOND, "body_timeout": SECOND, "write_timeout": 2 * SECOND}

    def refused(self, data, status):
        answer = self.ask(data)
        self.assertEqual(answer.status, status, data[:80])
        body = answer.json()
        self.assertEqual((body["kind"], body["status"], body["code"]), ("Status", "Failure", status))
        return answer

    def test_malformed_requests(self):
        for data in (b"\x00\x01\x02\r\n\r\n", request("/a/../b"), request("/%2e%2e/b"), request("/%ff"), request("/%00"), request("/a%zz"),
                     request("/", host=""), request("/", host="Host: a\r\nHost: b\r\n"),
                     request("/", "POST", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
                     request("/", "POST", "Content-Length: 1\r\nContent-Length: 2\r\n", b"ab"),
                     request("/", "POST", "Transfer-Encoding: chunked\r\n", b"zz\r\n\r\n"), request("/", headers="A B: c\r\n")):
            self.refused(data, 400)
        self.assertIn("allow", self.refused(request("/api/v1/pods", "BREW"), 405).headers)
        self.refused(request("/", headers="X: " + "y" * 70000 + "\r\n"), 431)
        self.refused(request("/", headers="".join(f"H{i}: y\r\n" for i in range(1000))), 431)
        self.refused(request("/api/v1/namespaces/a/pods/p/exec?stdout=1", "POST", "Content-Length: 0\r\n"), 400)
        self.assert_serves()

    def test_a_body_of_100_megabytes_is_not_read(self):
        self.refused(request("/api/v1/echoes", "POST", f"Content-Length: {100 << 20}\r\n"), 413)
        before = self.host.status("VmRSS")
        with self.host.connect() as c:
            c.sendall(request("/api/v1/echoes", "POST", "Transfer-Encoding: chunked\r\n"))
            sent = 0
            try:
                while sent < 100 << 20:
                    c.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                    sent += 65536
            except OSError:
                pass
            self.assertLess(sent, 20 << 20)
        if not self.host.sanitized():
            self.assertLess(self.host.status("VmRSS") - before, 16 << 10)
        self.assert_serves()

    def test_slow_clients_are_let_go(self):
        begun = time.time()
        silent, no_hello = self.host.connect(), self.host.connect(tls=False)
        slow_head, slow_body = self.host.connect(), self.host.connect()
        slow_head.sendall(b"GET / HT")
        slow_body.sendall(request("/api/v1/echoes", "POST", "Content-Length: 10\r\n", b"abc"))
        self.assertEqual(silent.recv(1), b"")
        self.assertEqual(no_hello.recv(1), b"")
        self.assertEqual(Response(slow_head.makefile("rb")).status, 408)
        self.assertEqual(Response(slow_body.makefile("rb")).status, 408)
        self.assertLess(time.time() - begun, 5)

    def test_slow_readers_cost_little_and_hold_nobody_up(self):
        before = self.host.status("VmRSS")
        readers = []
        for _ in range(20):
            c = self.host.connect()
            c.sendall(request("/api/v1/pods?watch=1&count=100000&bytes=10000&stay=1"))
            readers.append(c)
        time.sleep(0.5)
        self.assert_serves()
        if not self.host.sanitized():
            self.assertLess(self.host.status("VmRSS") - before, 20 << 10)
        time.sleep(2.5)  # nothing was taken for longer than write_timeout
        for c in readers:
            with self.assertRaises((ConnectionError, ssl.SSLError, AssertionError)):
                while c.recv(1 << 20):
                    pass
                raise AssertionError
        self.assert_serves()

    def test_a_client_that_hangs_up_ends_its_streams(self):
        for path in ("/api/v1/pods?watch=1&stay=1", "/api/v1/echoes/a?async=1", LIST):
            for _ in range(20):
                c = self.host.connect()
                c.sendall(request(path))
                c.close()
        self.assert_serves()

    def test_plain_http_on_the_tls_port(self):
        with self.host.connect(tls=False) as c:
            c.sendall(request("/healthz"))
            self.assertNotIn(b"HTTP", c.recv(1000))


class Rotation(Case):
    config = {"connection_age": 2 * SECOND}

    def test_new_certificate_without_a_restart(self):
        old, idle, watch = self.host.connect(), self.host.connect(), self.host.connect()
        first = old.getpeercert(True)
        for c in (old, idle):
            self.assertNotIn("connection", self.ask(request("/healthz"), c).headers)
        watch.sendall(request("/api/v1/pods?watch=1&stay=1"))
        self.host.renew_certificate()
        for _ in range(50):
            with self.host.connect() as c:
                second = c.getpeercert(True)
            if first != second:
                break
            time.sleep(0.02)
        self.assertNotEqual(first, second)
        answer = self.ask(request("/healthz"), old)
        self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
        begun = time.time()
        for c in (idle, watch):
            try:
                while c.recv(4096):
                    pass
            except OSError:
                pass
        self.assertLess(time.time() - begun, 4)
        self.assert_serves()


class Limits(Case):
    config = {"max_connections": 3}

    def test_connections_above_the_limit_are_closed(self):
        kept = [self.host.connect() for _ in range(3)]
        with self.assertRaises(OSError):
            self.host.connect()
        kept.pop().close()
        time.sleep(0.2)
        self.assert_serves()


class Kubectl(Case):
    def kubectl(self, binary, *arguments, env=None, **options):
        command = [binary, "--kubeconfig=/dev/null", "--server=" + self.host.url, "--insecure-skip-tls-verify", "--token=x",
                   "--cache-dir=" + self.host.dir, *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, **(env or {})}, **options)

    def binaries(self):
        yield "1.20", old_kubectl(), {}
        new = shutil.which("kubectl")
        if new and new != old_kubectl():
            yield "new, WebSocket", new, {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "true"}
            yield "new, SPDY", new, {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}

    def test_exec_and_cp(self):
        data = os.urandom(5_000_000)
        for name, binary, env in self.binaries():
            with self.subTest(name):
                done = self.kubectl(binary, "exec", "demo", "--", "sh", "-c", "echo out; echo err >&2; exit 3", env=env)
                self.assertEqual((done.returncode, done.stdout), (3, b"out\n"))
                self.assertIn(b"err\n", done.stderr)
                done = self.kubectl(binary, "exec", "-i", "demo", "--", "cat", input=data, env=env)
                self.assertEqual((done.returncode, hashlib.md5(done.stdout).digest()), (0, hashlib.md5(data).digest()))
                done = self.kubectl(binary, "exec", "demo", "--", "/no/such", env=env)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(b"executable file not found", done.stderr)
                with tempfile.TemporaryDirectory() as folder:
                    os.makedirs(folder + "/from/deep")
                    with open(folder + "/from/deep/file", "wb") as file:
                        file.write(data)
                    os.makedirs(folder + "/to")
                    self.kubectl(binary, "cp", folder + "/from", "demo:" + folder + "/to", env=env)
                    self.kubectl(binary, "cp", "demo:" + folder + "/to/from/deep/file", folder + "/back", env=env)
                    with open(folder + "/back", "rb") as file:
                        self.assertEqual(file.read(), data)

    def test_port_forward(self):
        data = os.urandom(3_000_000)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, binary, env in self.binaries():
            with self.subTest(name):
                process = subprocess.Popen([binary, "--kubeconfig=/dev/null", "--server=" + self.host.url, "--insecure-skip-tls-verify",
                                            "--token=x", "--cache-dir=" + self.host.dir, "port-forward", "pod/demo", f":{server.server_port}"],
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **env})
                port = process.stdout.readline().split()[2].rsplit(":", 1)[1]
                fetched = []
                fetchers = [threading.Thread(target=lambda: fetched.append(subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/"],
                                                                                         capture_output=True).stdout)) for _ in range(8)]
                for fetcher in fetchers:
                    fetcher.start()
                for fetcher in fetchers:
                    fetcher.join()
                self.assertEqual([f == data for f in fetched], [True] * 8)
                process.terminate()
                process.wait()
        server.shutdown()


class Idle(Case):
    def test_an_idle_server_sleeps(self):
        watches = []
        for _ in range(10):
            c = self.host.connect()
            c.sendall(request("/api/v1/pods?watch=1&stay=1"))
            c.recv(100)
            watches.append(c)
        time.sleep(0.5)
        before = self.host.switches()
        time.sleep(4)
        self.assertLess(self.host.switches() - before, 8)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=1, warnings="ignore")
