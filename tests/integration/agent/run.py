#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent with a containerd of its own: run.py BUILD_DIR. Needs root, containerd, runc, CNI's plugins, busybox-static.

The bed (bridge, images, and that nothing is left over) is that of the containerd plugin's test.
"""
import contextlib
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "runtime"))
import run as runtime  # noqa: E402


def main():
    build = os.path.realpath(sys.argv[1])
    bed = runtime.Bed(build, runtime.RUNTIMES["containerd"])
    images = bed.path("images")
    os.mkdir(images)
    shutil.copy(os.path.join(build, "share", "lotse", "pause.tar"), images)
    shutil.copy(bed.path("demo.tar"), images)
    for name in ("data", "podlogs"):
        os.mkdir(bed.path(name), 0o700)
    env = dict(os.environ, LOTSE_PLUGINS=os.path.join(build, "lib", "lotse", "plugins"), LOTSE_DIR=bed.dir, LOTSE_IMAGES=images,
               LOTSE_CGROUP=bed.cgroup.strip("/"), LOTSE_PAUSE="lotse.local/pause:1", LOTSE_IMAGE="lotse.local/demo:1", LOTSE_CNI=bed.path("cni"))
    code = 1
    try:
        code = subprocess.run([os.path.join(build, "bin", "integration_agent")], env=env).returncode
    finally:
        # The containerd of the agent's plugin lies where the plugin was told to put things.
        for pid_file in glob.glob(bed.path("host", "**", "containerd.pid"), recursive=True):
            os.makedirs(bed.path("host", "run"), exist_ok=True)
            target = bed.path("host", "run", "containerd.pid")
            if os.path.realpath(pid_file) != os.path.realpath(target):
                shutil.copy(pid_file, target)
        for top in glob.glob("/sys/fs/cgroup" + bed.cgroup) + glob.glob("/sys/fs/cgroup/*" + bed.cgroup):
            for name in ("burstable", "besteffort"):
                with contextlib.suppress(OSError):  # what is busy is told as left over
                    os.rmdir(os.path.join(top, name))
        left = bed.tear_down()
    for what in left:
        print("left over:", what)
    return code or (1 if left else 0)


if __name__ == "__main__":
    sys.exit(main())
