"""Knocks at a master's bus with a key that nobody knows:  stranger.py MASTER_IP JOIN_STRING

Prints what came of it, a line each: a hello on the main socket, a join with an invented token, a frame that is too large.
"""
import base64
import sys

import msgpack
import zmq


def dealer(context, ip, port, server_key):
    public, secret = zmq.curve_keypair()
    s = context.socket(zmq.DEALER)
    s.curve_serverkey, s.curve_publickey, s.curve_secretkey = server_key, public, secret
    s.linger = 0
    s.connect("tcp://%s:%d" % (ip, port))
    return s


def main():
    ip, text = sys.argv[1], sys.argv[2].strip()[len("lotse1."):]
    facts = msgpack.unpackb(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    key = facts["k"].encode()
    context = zmq.Context()
    hello = msgpack.packb([1, 12345, 0, 0, 0, False, "", msgpack.packb({"protocol": 1, "node": "w1", "version": "x"})])

    s = dealer(context, ip, 6442, key)
    s.send(hello)
    print("hello:" + ("answered" if s.poll(3000) else "silence"))

    s = dealer(context, ip, 6441, key)
    s.send(msgpack.packb({"node": "stranger", "token": "invented"}))
    answer = msgpack.unpackb(s.recv(), raw=False) if s.poll(5000) else {"ok": None}
    print("join:" + {True: "accepted", False: "refused", None: "silence"}[answer["ok"]])
    assert not set(answer) - {"ok", "message"}, answer

    s = dealer(context, ip, 6441, key)
    s.send(b"\xc1" * 100_000)
    print("oversized:" + ("answered" if s.poll(2000) else "closed"))


if __name__ == "__main__":
    main()
