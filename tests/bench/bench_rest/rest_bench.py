"""How quick and how small the REST transport is by itself: over TLS, against a host that answers from memory.

usage: rest_bench.py FAKE_HOST PLUGIN.so [SECONDS]      (release build; needs wrk)
"""
import os
import re
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../integration/rest"))
from host import Host  # noqa: E402

LIST = "/api/v1/namespaces/default/configmaps"


def wrk(host, path, seconds, *headers):
    out = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", *sum((["-H", h] for h in headers), []), host.url + path],
                         capture_output=True, text=True).stdout
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", out)[1])
    p99 = re.search(r"99%\s*(\S+)", out)[1]
    size = re.search(r"Transfer/sec:\s*(\S+)", out)[1]
    return rate, p99, size


def list_over_one_connection(host, seconds):
    """MB/s of LISTs read by a client that does nothing with them."""
    with host.connect() as c:
        request = f"GET {LIST} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        buffer = bytearray(1 << 20)
        total, begun = 0, time.time()
        while time.time() - begun < seconds:
            c.sendall(request)
            size = c.recv_into(buffer)
            head = bytes(buffer[:size]).split(b"\r\n\r\n")[0]
            left = len(head) + 4 + int(re.search(rb"Content-Length: (\d+)", head)[1]) - size
            total += size
            while left > 0:
                got = c.recv_into(buffer)
                left -= got
                total += got
        return total / (time.time() - begun) / 1e6


def idle_connections(host, count):
    before = host.status("VmRSS")
    kept = [host.connect() for _ in range(count)]
    for c in kept:
        c.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        c.recv(1000)
    time.sleep(0.5)
    return host.status("VmRSS") - before, kept


def main():
    program, plugin = sys.argv[1:3]
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    host = Host(program, plugin)
    print(f"client and server share {os.cpu_count()} processors; TLS 1.3; wrk with 16 connections")
    print(f"rss at rest              {host.status('VmRSS')} kB (of the whole host, its 2,000 objects included)")
    rate, p99, _ = wrk(host, "/api/v1/namespaces/default/configmaps/c0", seconds)
    print(f"GET of 1 KB              {rate:.0f}/s, p99 {p99}")
    rate, p99, _ = wrk(host, "/api/v1/namespaces/default/configmaps/c0?async=1", seconds)
    print(f"the same, answered late  {rate:.0f}/s, p99 {p99}")
    rate, p99, size = wrk(host, LIST, seconds)
    print(f"LIST of 2,000 x 1 KB     {rate:.0f}/s, {size}/s, p99 {p99}")
    rate, _, size = wrk(host, LIST, seconds, "Accept-Encoding: gzip")
    print(f"the same, gzip           {rate:.0f}/s, {size}/s on the wire")
    print(f"LIST, one connection     {list_over_one_connection(host, seconds):.0f} MB/s (client: Python)")
    grown, kept = idle_connections(host, 1000)
    print(f"1,000 idle connections   {grown} kB")
    before = host.switches()
    time.sleep(5)
    print(f"context switches         {(host.switches() - before) / 5:.1f}/s with these")
    del kept
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    begun, n = time.time(), 0
    while time.time() - begun < 2:
        host.connect(context=context).close()
        n += 1
    print(f"handshakes               {n / 2:.0f}/s from one Python thread")
    host.stop()


main()
