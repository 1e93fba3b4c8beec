"""How stories are told: one after another on one cluster, which goes at the end whatever happens."""
import os
import signal
import sys
import time
import traceback

from lab import Lab


def tell(make_cluster, first, others):
    """argv: BUILD_DIR [STORY...]; with stories: those only, after `first`, which make the cluster. The exit code."""
    if os.geteuid() != 0:
        print("needs root")
        return 77
    lab = Lab(os.path.realpath(sys.argv[1]))
    wanted = sys.argv[2:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    failed = []
    try:
        cluster = make_cluster(lab)
        for story in first + others:
            needed = story in first
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
