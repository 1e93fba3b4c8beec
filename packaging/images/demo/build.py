#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the demo image from Debian's busybox-static:  build.py OUT.tar [NAME:TAG] [--page TEXT]

It serves /www on port 8080 (httpd), and has a shell, wget, nslookup, tar and the rest of busybox.
"""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))


def main():
    parser = argparse.ArgumentParser(description="the demo image")
    parser.add_argument("out")
    parser.add_argument("name", nargs="?", default="lotse.local/demo:1")
    parser.add_argument("--busybox", default="/bin/busybox")
    parser.add_argument("--page", default="Hello from Lotse.\n")
    args = parser.parse_args()
    applets = subprocess.run([args.busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    command = [sys.executable, os.path.join(HERE, "..", "mkimage.py"), args.out, args.name,
               "--file", args.busybox + "=/bin/busybox:755",
               "--dir", "/tmp:1777", "--dir", "/proc:555", "--dir", "/sys:555", "--dir", "/dev", "--dir", "/root:700",
               "--text", "/etc/passwd=root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
               "--text", "/etc/group=root:x:0:\nnogroup:x:65534:\n",
               "--text", "/www/index.html=" + args.page,
               "--env", "PATH=/bin:/sbin:/usr/bin:/usr/sbin"]
    command += ["--cmd=" + word for word in ("httpd", "-f", "-p", "8080", "-h", "/www")]
    for applet in applets:
        if applet != "busybox":
            command += ["--link", "/bin/%s=busybox" % applet]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
