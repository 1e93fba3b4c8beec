# SPDX-License-Identifier: Apache-2.0
"""How a story runs: its functions, one after another, on one cluster, each in a Kubernetes namespace of its own.

A function marked each_kubectl runs once with Debian's kubectl and once with a newer one, if there is one. `story.py BUILD [WORD]`
runs those functions only whose name has WORD in it; LOTSE_E2E_KEEP=1 keeps what a failure left in the cluster's namespace until
a key is pressed.
"""
import os
import signal
import sys
import time
import traceback

import cluster as fixture

functions = []


def step(f):
    functions.append(f)
    return f


def each_kubectl(f):
    f.each_kubectl = True
    return f


def on_alarm(*_):
    raise fixture.Failure("the story took too long")


def main(seconds=170, config=""):
    if len(sys.argv) < 2:
        sys.exit("usage: %s BUILD_DIR [WORD]" % sys.argv[0])
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.alarm(int(seconds * fixture.SLOW))
    cluster = fixture.Cluster(sys.argv[1], config)
    failed = False
    try:
        cluster.start()
        for f in functions:
            if word in f.__name__:
                failed = not run_function(cluster, f) or failed
    except fixture.Failure as e:
        print("FAIL %s" % e)
        cluster.describe()
        failed = True
    finally:
        signal.alarm(int(60 * fixture.SLOW))
        try:
            cluster.stop()
        except fixture.Failure as e:
            print("FAIL %s" % e)
            failed = True
    sys.exit(1 if failed else 0)


def run_function(cluster, f):
    good = True
    for number, kubectl in enumerate(cluster.kubectls if hasattr(f, "each_kubectl") else cluster.kubectls[:1]):
        name = f.__name__.replace("_", "-") + ("-newer" if number else "")
        begin = time.monotonic()
        k = kubectl.within(name)
        try:
            k("create", "namespace", name)
            fixture.wait_until("the namespace has its ServiceAccount", lambda: k.try_("get", "serviceaccount", "default").returncode == 0, 20)
            f(cluster, k)
            print("ok   %s (%.1f s)" % (name, time.monotonic() - begin), flush=True)
            k.try_("delete", "namespace", name, "--wait=false")
        except Exception as e:
            good = False
            print("FAIL %s (%.1f s): %s" % (name, time.monotonic() - begin, e))
            if not isinstance(e, fixture.Failure):
                traceback.print_exc()
            cluster.describe(k)
            if os.environ.get("LOTSE_E2E_KEEP"):
                input("kept: KUBECONFIG=%s, network namespace %s; Enter goes on " % (k.kubeconfig, cluster.network.name))
            if "took too long" in str(e):
                return False
    return good
