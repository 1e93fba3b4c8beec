"""A client of Lotse's API over ZeroMQ, written from plugins/transport_zmq/README.md. Needs pyzmq and msgpack."""
import itertools

import msgpack
import zmq


class Client:
    def __init__(self, address, server_key, token="", timeout_ms=10000):
        public, secret = zmq.curve_keypair()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.curve_serverkey = server_key
        self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        self.socket.linger = 0
        self.socket.rcvtimeo = timeout_ms
        self.socket.connect(address)
        self.token = token
        self.ids = itertools.count(1)

    def close(self):
        self.socket.close()

    def send(self, body=b"", **message):
        self.socket.send_multipart([msgpack.packb(message), body])

    def receive(self):
        """The next message that is not a ping: (map, bytes)."""
        while True:
            head, body = self.socket.recv_multipart()
            message = msgpack.unpackb(head)
            if message["op"] != "ping":
                return message, body

    def start(self, verb, resource="", body=b"", **fields):
        id = next(self.ids)
        self.send(body, id=id, op="request", verb=verb, resource=resource, version=fields.pop("version", "v1"), token=self.token, **fields)
        return id

    def ask(self, verb, resource="", body=b"", **fields):
        """A request and its answer, one at a time."""
        id = self.start(verb, resource, body, **fields)
        message, answer = self.receive()
        assert message.get("id") == id, message
        return message, answer

    def watch(self, resource, window=256 * 1024, **fields):
        """Yields the events of a watch."""
        id = self.start("watch", resource, grant=window, **fields)
        message, _ = self.receive()
        if message["op"] != "response" or not message["stream"]:
            raise RuntimeError(message)
        while True:
            message, item = self.receive()
            if message["op"] == "end":
                return
            self.send(id=id, op="grant", bytes=len(item))
            yield item
