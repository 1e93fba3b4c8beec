#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a node does about what grows: logs are rotated, dead containers and unused images go, and under pressure pods have to, in
the order that Kubernetes documents."""
import os
import re
import subprocess
import sys
import time

from cluster import ROOT, expect, read, run, wait_until
from objects import container, container_status, messages, pod, reasons, script
from story import main, step

SLEEP = ["/bin/sleep", "1000"]
CONFIG = """[worker]
care_period = "%(care)s"
log_file_size = "20KiB"
log_files = 3
image_gc_high_percent = %(gc)d
image_gc_low_percent = 0
image_gc_age_min = "1s"
image_gc_period = "2s"
eviction_memory_available = "%(memory)s"
eviction_disk_available_percent = %(disk)d
eviction_inodes_free_percent = 0
eviction_transition = "3s"
"""


def config(care="1s", gc=100, memory="0", disk=0):
    return CONFIG % dict(care=care, gc=gc, memory=memory, disk=disk)


def start_again(c, **settings):
    c.daemon.terminate()
    c.daemon.wait(20)
    c.config = config(**settings)
    c.start_daemon()
    wait_until("the API answers", lambda: c.kubectl.try_("get", "--raw", "/readyz", timeout=10).returncode == 0, 30)
    wait_until("the node is Ready", lambda: c.node_condition("Ready") == "True", 30)


def ctr(c, *words):
    facts = dict(line.split("=", 1) for line in read(c.data + "/run/runtime/containerd/containerd.pid").splitlines() if "=" in line)
    return run("ctr", "-a", facts["socket"], "-n", "k8s.io", *words).stdout


def log_dir(c, k, name):
    return "%s/log/pods/%s_%s_%s/main" % (c.data, k.namespace, name, k.json("get", "pod", name)["metadata"]["uid"])


def numbers(text):
    return [int(line.split()[-2]) for line in text.splitlines()]


def in_a_row(list_of_numbers):
    return list_of_numbers == list(range(list_of_numbers[0], list_of_numbers[0] + len(list_of_numbers)))


@step
def logs_across_rotations(c, k):
    talk = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i ........................................; [ $((i % 20)) = 0 ] && sleep 0.05; done; sleep 1000"
    k.apply(pod("talks", script(talk)))
    k.wait("condition=Ready", "pod/talks", 30)
    follow = k.start("logs", "-f", "talks", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seen = []
    for line in follow.stdout:
        seen.append(int(line.split()[1]))
        if seen[-1] == 3000:
            break
    follow.terminate()
    follow.wait(5)
    expect(seen == list(range(1, 3001)), "logs -f misses nothing and doubles nothing: %d lines, %s..." % (len(seen), seen[:3]))
    directory = log_dir(c, k, "talks")
    files = lambda: sorted(os.listdir(directory))
    wait_until("old files have gone", lambda: len(files()) <= 3 and files()[0] == "0.log", 10)
    expect(len(files()) == 3 and all(re.fullmatch(r"0\.log\.\d+", f) for f in files()[1:]), "the files: %s" % files())
    names = files()
    kept = numbers(k("logs", "talks"))
    expect(in_a_row(kept) and kept[-1] == 3000 and kept[0] > 1 and len(kept) > 600, "what is kept is shown, in order: %d lines from %d on" % (len(kept), kept[0]))
    tail = numbers(k("logs", "talks", "--tail=%d" % (len(kept) - 10)))
    if files() != names:  # turned over meanwhile, for the last time as nothing more is written
        kept = numbers(k("logs", "talks"))
        tail = numbers(k("logs", "talks", "--tail=%d" % (len(kept) - 10)))
    expect(tail == kept[10:], "a tail reaches into older files: %s, %s" % (tail[:3], kept[:13]))
    expect(k("logs", "talks", "--tail=1") == "line 3000 ........................................\n", "the last line")
    stamped = k("logs", "talks", "--tail=3", "--timestamps").splitlines()
    expect(all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\S* line \d+ ", line) for line in stamped), "with times: %s" % stamped)
    since = numbers(k("logs", "talks", "--since-time=" + stamped[1].split()[0]))  # kubectl sends whole seconds
    expect(in_a_row(since) and since[-1] == 3000 and since[0] <= 2999 and len(since) < len(kept), "since a time: from %d on" % since[0])
    expect(len(k("logs", "talks", "--limit-bytes=10")) == 10, "a limit of bytes")
    wait_until("since a while ago", lambda: k("logs", "talks", "--since=1s") == "", 10)
    links = [os.readlink(c.data + "/log/containers/" + f) for f in os.listdir(c.data + "/log/containers") if f.startswith("talks_")]
    expect(links == [directory + "/0.log"], "the link to it: %s" % links)


@step
def the_log_of_the_one_before(c, k):
    once = "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo line $i ........................................; [ $((i % 50)) = 0 ] && sleep 0.1; done; exit 1"
    k.apply(pod("dies", script(once)))
    wait_until("it has run twice", lambda: container_status(k, "dies").get("restartCount", 0) >= 1 and container_status(k, "dies")["lastState"], 60)
    previous = numbers(k("logs", "dies", "--previous"))
    expect(in_a_row(previous) and previous[-1] == 1500 and len(previous) > 300, "the end of the last run: %d lines" % len(previous))
    wait_until("it has died three times", lambda: container_status(k, "dies").get("restartCount", 0) >= 2 and container_status(k, "dies").get("state", {}).get("waiting"), 90)
    attempts = {f.split(".")[0] for f in os.listdir(log_dir(c, k, "dies"))}
    expect(attempts == {"1", "2"}, "logs of the last run and of the one before: %s" % attempts)
    uid = k.json("get", "pod", "dies")["metadata"]["uid"]
    mine = ctr(c, "containers", "ls", "-q", 'labels."io.kubernetes.pod.uid"==%s,labels."io.kubernetes.container.name"==main' % uid).split()
    expect(len(mine) == 2, "and two containers: %s" % mine)
    directory = os.path.dirname(log_dir(c, k, "dies"))
    k("delete", "pod", "dies", "--timeout=30s")
    wait_until("nothing of it is left", lambda: not os.path.exists(directory) and not ctr(c, "containers", "ls", "-q", 'labels."io.kubernetes.pod.uid"==%s' % uid).split(), 20)


@step
def unused_images_go(c, k):
    archive = c.dir + "/other.tar"
    run(sys.executable, ROOT + "/packaging/images/demo/build.py", archive, "lotse.local/other:1", "--page", "another")
    ctr(c, "images", "import", archive)  # as if it had been pulled: nobody has told lotsed of it
    names = lambda: ctr(c, "images", "ls", "-q").split()
    k.apply(pod("user", dict(container(SLEEP), image="lotse.local/other:1")))
    k.wait("condition=Ready", "pod/user", 30)
    start_again(c, gc=0)  # no disk is empty enough
    time.sleep(6)  # three rounds of it
    expect("lotse.local/other:1" in names(), "an image in use stays: %s" % names())
    k("delete", "pod", "user", "--timeout=30s")
    wait_until("an unused one goes", lambda: "lotse.local/other:1" not in names(), 30)
    expect({"lotse.local/demo:1", "lotse.local/pause:1"} <= set(names()), "what was imported stays: %s" % names())
    wait_until("the node's status follows", lambda: "lotse.local/other:1" not in str(c.kubectl.json("get", "nodes")["items"][0]["status"]["images"]), 20)
    start_again(c)


def evicted(k, name):
    status = k.json("get", "pod", name)["status"]
    if status.get("reason") != "Evicted" or status["phase"] != "Failed":
        return None
    return next(x["lastTransitionTime"] for x in status["conditions"] if x["type"] == "DisruptionTarget")


@step
def memory_pressure(c, k):
    important = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "important"}, "value": 1000}
    k.apply(important)
    asks = {"resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "64Mi"}}}
    k.apply(pod("important", container(SLEEP), priorityClassName="important"), pod("asked", container(SLEEP, **asks)), pod("plain", container(SLEEP)))
    for name in ("important", "asked", "plain"):
        k.wait("condition=Ready", "pod/" + name, 30)
    start_again(c, care="3s", memory="100TiB")
    wait_until("the node says so", lambda: c.node_condition("MemoryPressure") == "True", 20)
    taints = lambda: [t["key"] for t in c.kubectl.json("get", "nodes")["items"][0]["spec"].get("taints", [])]
    wait_until("and is tainted", lambda: "node.kubernetes.io/memory-pressure" in taints(), 10)
    k.apply(pod("direct", container(SLEEP), nodeName=c.node()))
    wait_until("best effort is not let in", lambda: k.json("get", "pod", "direct")["status"].get("reason") == "Evicted", 15)
    expect("The node had condition: [MemoryPressure]" in k.json("get", "pod", "direct")["status"]["message"], "why not")
    for name in ("plain", "important", "asked"):
        wait_until("%s is evicted" % name, lambda: evicted(k, name), 40)
    expect(evicted(k, "plain") < evicted(k, "important") < evicted(k, "asked"), "low priority above its request first, who keeps to it last: %s" % [evicted(k, n) for n in ("plain", "important", "asked")])
    message = k.json("get", "pod", "plain")["status"]["message"]
    expect(message.startswith("The node was low on resource: memory. Threshold quantity: ") and "Container main was using" in message, "what it is told: " + message)
    expect("Evicted" in reasons(k, "plain") and messages(k, "plain", "Evicted")[0].startswith("The node was low on resource: memory"), "as an event")
    start_again(c)
    wait_until("the pressure is over", lambda: c.node_condition("MemoryPressure") == "False" and not taints(), 30)
    k.apply(pod("later", container(SLEEP)))
    k.wait("condition=Ready", "pod/later", 40)
    k("delete", "pod", "later", "--timeout=30s")
    c.kubectl("delete", "priorityclass", "important")


@step
def disk_pressure(c, k):
    k.apply(pod("small", script("sleep 1000")), pod("big", script("head -c 8000000 /dev/zero > /data/big; sleep 1000", volumeMounts=[{"name": "data", "mountPath": "/data"}]),
                                                    volumes=[{"name": "data", "emptyDir": {}}]))
    for name in ("small", "big"):
        k.wait("condition=Ready", "pod/" + name, 30)
    start_again(c, care="3s", disk=100)
    wait_until("the node says so", lambda: c.node_condition("DiskPressure") == "True", 20)
    wait_until("who keeps most on the disk goes first", lambda: evicted(k, "big"), 40)
    expect(not evicted(k, "small") or evicted(k, "big") < evicted(k, "small"), "before the other")
    expect("low on resource: ephemeral-storage. Threshold quantity: 100%, available: " in k.json("get", "pod", "big")["status"]["message"], "what it is told: " + k.json("get", "pod", "big")["status"]["message"])
    expect("lotse.local/demo:1" in ctr(c, "images", "ls", "-q").split(), "imported images stay")
    start_again(c)
    wait_until("the pressure is over", lambda: c.node_condition("DiskPressure") == "False", 30)


if __name__ == "__main__":
    main(400, config())
