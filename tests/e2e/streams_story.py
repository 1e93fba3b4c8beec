#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exec with standard input and with a terminal, logs that are followed, cp both ways, attach, port-forward."""
import os
import pty
import select
import signal
import socket
import time
import urllib.request

from cluster import Failure, expect, wait_until
from objects import SERVE, container, pod, script
from story import each_kubectl, main, step


def read_until(fd, text, seconds=20):
    """What a stream says until text is in it."""
    got, deadline = b"", time.monotonic() + seconds
    while text.encode() not in got:
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise Failure("not within %d s: %r; it said %r" % (seconds, text, got))
        try:
            more = os.read(fd, 65536)
        except OSError:  # the terminal's other end has closed
            more = b""
        if not more:
            raise Failure("it ended without %r; it said %r" % (text, got))
        got += more
    return got.decode()


def end(process, number=signal.SIGINT):
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(5)
    finally:
        if process.poll() is None:
            process.kill()


def tools(k):
    k.apply(pod("tools", container(SERVE)))
    k.wait("condition=Ready", "pod/tools", 30)


@step
@each_kubectl
def exec_in_a_pod(c, k):
    tools(k)
    expect(k("exec", "tools", "--", "echo", "moin") == "moin\n", "output")
    failed = k.try_("exec", "tools", "--", "sh", "-c", "echo out; echo wrong >&2; exit 42")
    expect(failed.returncode == 42 and failed.stdout == "out\n" and failed.stderr.startswith("wrong\n"), "exit code and both outputs: %s" % failed)
    text = "".join("line %d\n" % i for i in range(50000))
    expect(k("exec", "-i", "tools", "--", "cat", input=text) == text, "what goes in by standard input comes out, and the end of it ends cat")
    expect(k("exec", "-i", "tools", "--", "wc", "-l", input=text).strip() == "50000", "wc sees the end of its input")
    much = k.try_("exec", "tools", "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    expect(much.returncode == 0 and len(much.stdout) == 3000000, "three megabytes of output: exit %d, %d bytes, %s" % (much.returncode, len(much.stdout), much.stderr))
    expect(k.try_("exec", "tools", "--", "no-such-program").returncode != 0, "a program that is not there")
    expect(k.try_("exec", "no-such-pod", "--", "true").returncode != 0, "a pod that is not there")


@step
@each_kubectl
def exec_with_a_terminal(c, k):
    tools(k)
    ours, theirs = pty.openpty()
    shell = k.start("exec", "-it", "tools", "--", "sh", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    try:
        os.close(theirs)
        read_until(ours, "#")
        os.write(ours, b"tty && echo $((40 + 2))\n")
        said = read_until(ours, "42\r\n")
        expect("/dev/pts/" in said, "it has a terminal: %r" % said)
        os.write(ours, b"sh -c 'echo as''leep; exec sleep 1000'\n")
        read_until(ours, "asleep\r\n")
        os.write(ours, b"\x03")
        read_until(ours, "#")
        os.write(ours, b"exit 5\n")
        wait_until("the shell ends", lambda: shell.poll() is not None, 20)
        expect(shell.returncode == 5, "with its exit code: %d" % shell.returncode)
    finally:
        end(shell, signal.SIGKILL)
        os.close(ours)


@step
@each_kubectl
def logs(c, k):
    k.apply(pod("talker", script("i=0; while [ ! -e /tmp/end ]; do i=$((i+1)); echo line $i; sleep 0.2; done; echo over"), restartPolicy="Never"))
    k.wait("condition=Ready", "pod/talker", 30)
    follow = k.start("logs", "-f", "talker")
    try:
        read_until(follow.stdout.fileno(), "line 1\n")
        read_until(follow.stdout.fileno(), "line 5\n")
        expect(len(k("logs", "talker", "--tail=2").splitlines()) == 2, "the last two lines")
        stamp = k("logs", "talker", "--tail=1", "--timestamps").split()[0]
        expect(stamp[10] == "T" and stamp.endswith("Z"), "a timestamp: " + stamp)
        k("exec", "talker", "--", "touch", "/tmp/end")
        read_until(follow.stdout.fileno(), "over\n")
        wait_until("following ends with the container", lambda: follow.poll() == 0, 10)
    finally:
        end(follow)
    expect(k("logs", "-l", "app=talker", "--tail=1") == "over\n", "by label")


@step
@each_kubectl
def copy_both_ways(c, k):
    tools(k)
    source, back = c.dir + "/source", c.dir + "/back-" + k.namespace
    os.makedirs(source + "/inner", exist_ok=True)
    data = os.urandom(2000000)
    for name in ("/data", "/inner/more"):
        with open(source + name, "wb") as f:
            f.write(data)
    k("cp", source, "tools:/tmp/copied")
    sums = k("exec", "tools", "--", "sh", "-c", "cd /tmp/copied && md5sum data inner/more | cut -d' ' -f1").split()
    expect(len(set(sums)) == 1, "both files are the same in the pod")
    k("cp", "tools:/tmp/copied", back)
    for name in ("/data", "/inner/more"):
        with open(back + name, "rb") as f:
            expect(f.read() == data, "and come back as they were")


@step
@each_kubectl
def attach(c, k):
    k.apply(pod("listener", dict(script("while read line; do echo heard $line; [ \"$line\" = end ] && exit 0; done"), stdin=True), restartPolicy="Never"))
    k.wait("condition=Ready", "pod/listener", 30)
    process = k.start("attach", "-i", "listener", stdin=-1)
    try:
        # What is said before the stream stands is lost or not, so it is said until it is heard.
        def heard():
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            return select.select([process.stdout], [], [], 0.5)[0]
        wait_until("it answers", heard, 20)
        read_until(process.stdout.fileno(), "heard hello\n")
        process.stdin.write(b"end\n")
        process.stdin.close()
        wait_until("the pod ends", lambda: k.phase("listener") == "Succeeded", 20)
        wait_until("attach ends with it", lambda: process.poll() is not None, 10)
    finally:
        end(process)


@step
@each_kubectl
def port_forward(c, k):
    tools(k)
    process = k.start("port-forward", "pod/tools", ":8080")
    try:
        said = read_until(process.stdout.fileno(), "->")
        url = "http://127.0.0.1:%s/" % said.split("127.0.0.1:")[1].split()[0]
        for _ in range(20):
            expect(urllib.request.urlopen(url, timeout=5).read() == b"Hello from Lotse.\n", "the page")
        connections = [socket.create_connection(("127.0.0.1", int(url[17:-1])), 5) for _ in range(5)]
        for s in connections:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        for s in connections:
            s.settimeout(5)
            got = b""
            while True:
                more = s.recv(4096)
                if not more:
                    break
                got += more
            expect(b"Hello from Lotse." in got, "five at once")
            s.close()
    finally:
        end(process)


if __name__ == "__main__":
    main(230)
