#!/usr/bin/python3
"""One master, two workers on its link and a third behind a router, each a lotsed in a network namespace of its own.

  hosts.py BUILD_DIR [STORY...]     with stories: those only, after the ones that make the cluster

Needs root. Debian's own python, for python3-zmq.
"""
import os
import signal
import sys
import time
import traceback

import stories_bus
import stories_failure
import stories_network
from cluster import Cluster
from lab import Lab


def main():
    if os.geteuid() != 0:
        print("needs root")
        return 77
    lab = Lab(os.path.realpath(sys.argv[1]))
    wanted = sys.argv[2:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    failed = []
    try:
        cluster = Cluster(lab)
        every = stories_bus.FIRST + stories_network.STORIES + stories_failure.STORIES + stories_bus.LAST
        for story in every:
            needed = story in stories_bus.FIRST
            if wanted and not needed and story.__name__ not in wanted:
                continue
            began = time.monotonic()
            try:
                story(cluster)
                print("ok      %6.1f s  %s" % (time.monotonic() - began, story.__doc__.strip()), flush=True)
            except Exception:
                failed.append(story.__name__)
                print("FAILED  %6.1f s  %s" % (time.monotonic() - began, story.__doc__.strip()), flush=True)
                traceback.print_exc(file=sys.stdout)
                cluster.show_state()
                cluster.mend()
                if needed:
                    break
    finally:
        if os.environ.get("LOTSE_KEEP") and failed:
            print("kept: %s; KUBECONFIG %s" % (lab.dir, lab.dir))
            input("return takes it down ")
        lab.close()
    print("%d failed%s" % (len(failed), ": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
