#!/usr/bin/python3
"""One master, two workers on its link and a third behind a router, each a lotsed in a network namespace of its own.

  hosts.py BUILD_DIR [STORY...]     with stories: those only, after the ones that make the cluster

Needs root. Debian's own python, for python3-zmq.
"""
import sys

import stories_bus
import stories_failure
import stories_network
from cluster import Cluster
from telling import tell

if __name__ == "__main__":
    sys.exit(tell(Cluster, stories_bus.FIRST, stories_network.STORIES + stories_failure.STORIES + stories_bus.LAST))
