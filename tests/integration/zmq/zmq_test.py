"""The ZeroMQ transport, by the client of lotse_zmq.py.

usage: zmq_test.py FAKE_HOST PLUGIN.so
"""
import json
import os
import socket
import sys
import time
import unittest

import msgpack
import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../rest")]
from host import Host  # noqa: E402
from lotse_zmq import Client  # noqa: E402

PROGRAM, PLUGIN = sys.argv[1:3]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.public, secret = zmq.curve_keypair()
        cls.host = Host(PROGRAM, PLUGIN, extra=(cls.public.decode(), secret.decode()), listen=["tcp://127.0.0.1:*"],
                        defaults={"message_limit": 3 << 20, "max_clients": 50})

    @classmethod
    def tearDownClass(cls):
        assert cls.host.stop(), "the host did not end cleanly"

    def client(self, **options):
        client = Client(self.host.address, self.public, **options)
        self.addCleanup(client.close)
        return client

    def test_requests_and_answers(self):
        client = self.client(token="abc")
        message, body = client.ask("get", "configmaps", namespace="default", name="c0")
        self.assertEqual((message["status"], message["content_type"], message["stream"]), (200, "application/json", False))
        self.assertEqual(json.loads(body)["metadata"]["name"], "c0")
        message, body = client.ask("create", "echoes", b"{}", group="a.b", namespace="n", content_type="application/json",
                                   headers={"Impersonate-User": "eve"}, options={"async": ["1"], "dryRun": "All"})
        seen = json.loads(body)
        self.assertEqual((message["status"], seen["group"], seen["namespace"], seen["token"], seen["body"], seen["remote"], seen["headers"]),
                         (201, "a.b", "n", "abc", 2, "zmq", {"Impersonate-User": "eve"}))
        self.assertEqual(client.ask("get", path="/healthz")[1], b"ok")
        self.assertEqual(client.ask("get", "nothings", name="x")[0]["status"], 404)

    def test_list_of_two_megabytes(self):
        message, body = self.client().ask("list", "configmaps")
        self.assertEqual(len(json.loads(body)["items"]), 2000)

    def test_watch(self):
        events = list(self.client().watch("pods", options={"count": "500", "bytes": "10000"}, window=20000))
        self.assertEqual([json.loads(e)["object"]["n"] for e in events], list(range(500, 0, -1)))

    def test_many_at_once(self):
        client = self.client()
        ids = {client.start("get", "configmaps", name="c0", options={"async": "1"} if i % 2 else {}) for i in range(200)}
        while ids:
            message, _ = client.receive()
            ids.remove(message["id"])

    def test_exec(self):
        client = self.client()
        id = client.start("connect", "pods", namespace="default", name="demo", subresource="exec", grant=1 << 20,
                          options={"command": ["sh", "-c", "cat; echo err >&2; exit 3"], "stdin": "1", "stdout": "1"})
        self.assertTrue(client.receive()[0]["stream"])
        client.send(b"hello", id=id, op="write", channel=0)
        client.send(id=id, op="half_close", channel=0)
        seen = {1: b"", 2: b""}
        while (answer := client.receive())[0]["op"] != "end":
            if answer[0]["op"] == "item":
                seen[answer[0]["channel"]] += answer[1]
        self.assertEqual(seen, {1: b"hello", 2: b"err\n"})
        self.assertEqual(msgpack.unpackb(answer[0]["result"]), {"exit_code": 3})

    def test_cancel(self):
        client = self.client()
        id = client.start("watch", "pods", grant=1000, options={"stay": "1"})
        client.receive()
        client.send(id=id, op="cancel")
        after = client.start("get", path="/healthz")
        while client.receive()[0]["id"] != after:
            pass  # events that were on their way
        for _ in range(3):
            self.assertEqual(client.ask("get", path="/healthz")[1], b"ok")

    def test_malformed_messages(self):
        client = self.client()
        for head in (b"", b"\xc1", b"\x80", msgpack.packb([1]), msgpack.packb({"id": "x", "op": "request"}), msgpack.packb({"id": 1, "op": "dance"}),
                     msgpack.packb({"id": 1, "op": "request", "verb": "own", "resource": "pods"}), msgpack.packb({"id": 1, "op": "request", "verb": "get"}),
                     msgpack.packb({"id": 1, "op": "request", "verb": "get", "resource": "pods", "options": 7}), b"\x91" * 100000,
                     b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"):
            client.socket.send_multipart([head, b""])
            self.assertEqual(client.receive()[0]["op"], "error", head[:20])
        self.assertEqual(client.ask("get", path="/healthz")[1], b"ok")

    def test_strangers_get_nothing(self):
        wrong, _ = zmq.curve_keypair()
        client = Client(self.host.address, wrong, timeout_ms=500)
        client.start("get", path="/healthz")
        with self.assertRaises(zmq.Again):
            client.receive()
        client.close()
        host, port = self.host.address.removeprefix("tcp://").rsplit(":", 1)
        with socket.create_connection((host, int(port))) as c:
            c.sendall(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100000)
        self.assertEqual(self.client().ask("get", path="/healthz")[1], b"ok")

    def test_oversized_messages_end_the_connection(self):
        client = self.client(timeout_ms=1000)
        client.start("create", "echoes", b"x" * (4 << 20))
        with self.assertRaises(zmq.Again):
            client.receive()
        self.assertEqual(self.client().ask("get", path="/healthz")[1], b"ok")

    def test_clients_that_do_not_read_cost_little(self):
        before = self.host.status("VmRSS")
        clients = [self.client() for _ in range(5)]
        for client in clients:
            client.socket.rcvhwm = 1
            for _ in range(40):
                client.start("list", "configmaps")
            client.start("watch", "pods", grant=1 << 20, options={"count": "100000", "bytes": "10000"})
        time.sleep(2)
        if not self.host.sanitized():
            self.assertLess(self.host.status("VmRSS") - before, 80 << 10)
        self.assertEqual(self.client().ask("get", path="/healthz")[1], b"ok")
        for client in clients:
            client.close()

    def test_an_idle_server_sleeps(self):
        client = self.client()
        client.ask("get", path="/healthz")
        time.sleep(0.5)
        before = self.host.switches()
        time.sleep(3)
        self.assertLess(self.host.switches() - before, 6)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=1, warnings="ignore")
