# SPDX-License-Identifier: Apache-2.0
"""What probes and hooks ask in the stories: servers of the test itself, on the node's address. They note who asked for what and when.

Http answers by the path: /status/503, /slow/3 (seconds), /redirect/PATH, anything else is 200. GrpcHealth speaks just enough HTTP/2 to
answer grpc.health.v1.Health/Check as its `serving` says, by service.
"""
import http.server
import socket
import ssl
import struct
import subprocess
import threading
import time


class Http:
    def __init__(self, address, certificate=None):
        self.requests = []  # (time, path, headers)
        self.status = {}    # path -> status; may change meanwhile
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((time.time(), self.path, dict(self.headers)))
                words = self.path.split("?")[0].strip("/").split("/")
                if words[0] == "slow":
                    time.sleep(float(words[1]))
                status = outer.status.get(self.path) or (int(words[1]) if words[0] == "status" else 302 if words[0] == "redirect" else 200)
                try:
                    self.send_response(status)
                    if status == 302:
                        self.send_header("Location", "/" + "/".join(words[1:]))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the probe did not wait

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a probe that went away, or did not speak TLS

        self.server = Server((address, 0), Handler)
        self.server.daemon_threads = True
        self.address, self.port = address, self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path):
        return [r for r in self.requests if r[1] == path]

    def get(self, path, **more):
        """An httpGet handler that asks here."""
        return {"httpGet": dict({"host": self.address, "port": self.port, "path": path}, **more)}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certificate(directory):
    """One file with a key and a certificate that nobody has signed."""
    path = directory + "/probe.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=probe.example", "-keyout", path, "-out", path + ".crt"],
                   check=True, capture_output=True)
    with open(path, "a") as out, open(path + ".crt") as crt:
        out.write(crt.read())
    return path


class GrpcHealth:
    SERVING, NOT_SERVING = 1, 2

    def __init__(self, address):
        self.serving = {"": self.SERVING}  # service -> status; a service that is not in it is unknown (gRPC's NOT_FOUND)
        self.asked = []
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def serve(self, peer):
        stream = peer.makefile("rb")
        try:
            if stream.read(24) != b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
                return
            peer.sendall(self.frame(4, 0, 0))  # SETTINGS
            body = b""
            while True:
                head = stream.read(9)
                if len(head) < 9:
                    return
                size = int.from_bytes(head[:3], "big")
                kind, flags, number = struct.unpack(">BBI", head[3:])
                payload = stream.read(size)
                if kind == 4 and not flags & 1:
                    peer.sendall(self.frame(4, 1, 0))
                if kind == 0:
                    body += payload
                if kind in (0, 1) and flags & 1:  # the end of the request
                    peer.sendall(self.answer(number, body))
                    body = b""
        except OSError:
            pass
        finally:
            peer.close()

    def answer(self, number, body):
        message = body[5:]
        service = message[2:2 + message[1]].decode() if len(message) > 1 else ""
        self.asked.append(service)
        literal = lambda name, value: bytes([0, len(name)]) + name + bytes([len(value)]) + value  # HPACK, never indexed nor compressed
        headers = self.frame(1, 4, number, b"\x88" + literal(b"content-type", b"application/grpc"))
        status = self.serving.get(service)
        data = self.frame(0, 0, number, b"\0\0\0\0\2\x08" + bytes([status])) if status else b""
        return headers + data + self.frame(1, 5, number, literal(b"grpc-status", b"0" if status else b"5"))

    def close(self):
        self.listener.close()
