"""A fake host with a transport in it, for tests: starts it, knows its addresses, stops it."""
import os
import signal
import ssl
import socket
import subprocess
import tempfile

import msgpack

SECOND = 10**9
DEFAULTS = {
    "threads": 2, "max_connections": 10000, "body_limit": 3 << 20, "header_limit": 65536,
    "handshake_timeout": 10 * SECOND, "header_timeout": 30 * SECOND, "body_timeout": 60 * SECOND,
    "idle_timeout": 90 * SECOND, "write_timeout": 60 * SECOND, "connection_age": 300 * SECOND,
}


class Host:
    def __init__(self, program, plugin, configmaps=2000, extra=(), defaults=DEFAULTS, **config):
        self.dir = tempfile.mkdtemp(prefix="lotse-rest-")
        self.unix = os.path.join(self.dir, "api.sock")
        if "listen" not in config:
            config["listen"] = ["127.0.0.1:0", "unix:" + self.unix]
        packed = msgpack.packb({**defaults, **config}).hex()
        self.process = subprocess.Popen([program, plugin, packed, str(configmaps), *extra], stdout=subprocess.PIPE, text=True)
        self.addresses = []
        for line in self.process.stdout:
            if line.startswith("listening "):
                self.addresses.append(line.split()[1])
            if line.strip() == "ready":
                break
        assert self.addresses, "the host did not start"
        self.address = self.addresses[0]
        if not self.address.startswith("unix"):
            host, port = self.address.rsplit(":", 1)
            if "://" not in host:
                self.tcp = (host, int(port))
                self.url = "https://" + self.address

    def connect(self, tls=True, timeout=10, context=None):
        plain = socket.create_connection(self.tcp, timeout)
        if not tls:
            return plain
        if context is None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname="localhost")

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1])

    def sanitized(self):
        """True under AddressSanitizer, which keeps freed memory for a while: figures mean nothing then."""
        with open(f"/proc/{self.process.pid}/maps") as file:
            return "libasan" in file.read()

    def switches(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/status") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total

    def renew_certificate(self):
        self.process.send_signal(signal.SIGUSR1)

    def stop(self):
        """True if it ended cleanly."""
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stdout.read()
        return self.process.wait(20) == 0 and "ended" in rest
