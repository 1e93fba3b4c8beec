"""Who gets onto the bus, and who does not."""
import os
import time

from lab import wait_until

STRANGER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "stranger.py")


def join(c):
    """two workers join the master with a token each, and their nodes become Ready"""
    c.start_master()
    c.used_token = c.new_token()
    c.start_worker(c.w1, c.used_token)
    c.start_worker(c.w2)
    for worker in c.workers:
        c.wait_ready(worker, 90)
    for worker in c.workers:
        c.import_image(worker)
    cidrs = {c.get("node", w.name)["spec"]["podCIDR"] for w in c.workers}
    assert len(cidrs) == 2, cidrs
    assert "2 node(s) connected" in c.master.lotse("status").stdout
    assert "connected to a master" in c.w1.lotse("status").stdout


def token_once(c):
    """a join token works once, and is refused in a sentence afterwards"""
    thief = c.lab.host("thief", 66)
    try:
        c.start_worker(thief, c.used_token)
        assert thief.process.wait(40) != 0
        assert "has been used" in thief.log(), thief.log()
        assert c.ready("thief") is None
    finally:
        c.lab.hosts.discard(thief)


def unknown_key(c):
    """an unknown key gets nothing: no answer to a hello, and no join without a token"""
    done = c.w1.run("/usr/bin/python3", STRANGER, c.master.ip, c.used_token, timeout=40)
    assert done.stdout.split() == ["hello:silence", "join:refused", "oversized:closed"], done.stdout
    for host in (c.w1, c.w2):
        assert c.ready(host.name)


def removed_node(c):
    """a deleted node is out with its next message, and stays out"""
    c.k("delete", "node", c.w2.name, "--wait=false")
    wait_until("the session has ended", lambda: "\"w2\"" not in c.master.lotse("status", "-o", "json").stdout and
               "no session" in c.w2.lotse("status").stdout, 25, 0.3)
    time.sleep(3)
    assert c.ready(c.w2.name) is None, "the node has come back"
    assert "no session" in c.w2.lotse("status").stdout
    assert c.ready(c.w1.name)


def rejoin(c):
    """a removed node whose join_file gets a new string is let in again, by the lotsed that runs"""
    with open(os.path.join(c.w2.dir, "join"), "w") as f:
        f.write(c.new_token())
    c.wait_ready(c.w2, 60)
    assert "connected to a master" in c.w2.lotse("status").stdout


FIRST = [join]
LAST = [token_once, unknown_key, removed_node, rejoin]
