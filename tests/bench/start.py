#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""start.py BUILD_DIR [OBJECTS]: seconds from exec until /readyz says ok, asked over TLS every 2 ms.

A new cluster; an empty one that was there; one with 100,000 ConfigMaps of 1 KB; that one after kill -9. rest, lmdb, hollow, none.
"""
import os
import statistics
import sys
import time

from bed import Bed, machine, say


def again(bed, end, times=5):
    took = []
    for _ in range(times):
        end()
        took.append(bed.start(node=False) * 1000)
    return "%.0f ms (median of %d: %s)" % (statistics.median(took), times, ", ".join("%.0f" % t for t in took))


def main():
    objects = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    machine()
    with Bed(sys.argv[1]) as bed:
        say("exec to /readyz, %s; client: python's ssl" % bed.title)
        say("  new cluster (CA and keys are made): %.0f ms" % (bed.start() * 1000))
        say("  empty store:    %s" % again(bed, bed.terminate))
        bed.start(node=False) if bed.process.poll() is not None else None
        begin = time.monotonic()
        bed.client("create", "/api/v1/namespaces/default/configmaps", objects, 64, "f", bed.config_map())
        say("  (filled with %d objects in %.1f s; the store's file: %.0f MB)" % (
            objects, time.monotonic() - begin, max(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(bed.data) for f in fs) / 1e6))
        say("  %d objects: %s" % (objects, again(bed, bed.terminate)))
        say("  after kill -9:  %s" % again(bed, bed.kill))


if __name__ == "__main__":
    main()
