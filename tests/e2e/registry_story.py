#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from Debian's docker-registry, on each runtime: registry_story.py BUILD_DIR containerd|docker|podman [WORD]"""
import base64
import json
import os
import sys

import story
from cluster import IMAGE, ROOT, expect, read, run, wait_until
from objects import container_status, messages, pod, reasons
from registries import Authority, Registry
from story import step

RUNTIME = sys.argv.pop(2) if len(sys.argv) > 2 else "containerd"
PASSWORD = "swordfish-of-the-test"
GONE = "127.0.0.1:9"  # nobody serves it: its images come from a mirror
at = {}


def configuration(cluster):
    """Four registries, and what the node knows of them."""
    archive = cluster.dir + "/image.tar"
    run(sys.executable, ROOT + "/packaging/images/demo/build.py", archive, "lotse.local/pushed:1", "--page", "pushed")
    here, where = cluster.network.address, lambda name: cluster.dir + "/" + name
    ca = Authority(where("ca"), here)
    at["open"] = Registry(where("open"), "127.0.0.1")
    at["node"] = Registry(where("node"), here, "node", PASSWORD, ca)
    at["pods"] = Registry(where("pods"), here, "somebody", PASSWORD, ca)
    at["mirror"] = Registry(where("mirror"), here, "mirror", PASSWORD)
    cluster.beside += [r.process for r in at.values()]
    for name in ("open", "node", "pods"):
        at[name].push(archive, "demo/" + name, "1")
    at["digest"] = at["mirror"].push(archive, "demo/mirrored", "1")
    os.close(os.open(where("password"), os.O_WRONLY | os.O_CREAT, 0o600))
    with open(where("password"), "w") as f:
        f.write(PASSWORD + "\n")
    os.close(os.open(where("lotse.toml"), os.O_WRONLY | os.O_CREAT, 0o600))
    return """
[components]
runtime = "%s"
[registries."%s"]
ca_file = "%s"
username = "node"
password_file = "%s"
[registries."%s"]
ca_file = "%s"
[registries."%s"]
mirrors = ["%s"]
[registries."%s"]
insecure = true
username = "mirror"
password = "%s"
""" % (RUNTIME, at["node"].host, ca.file, where("password"), at["pods"].host, ca.file, GONE, at["mirror"].host, at["mirror"].host, PASSWORD)


def once(name, image, **spec):
    return pod(name, {"name": "main", "image": image, "imagePullPolicy": "Always", "command": ["/bin/true"]}, restartPolicy="Never", **spec)


def runs(k, name, image, **spec):
    k.apply(once(name, image, **spec))
    wait_until("the pod %s has run" % name, lambda: k.phase(name) == "Succeeded", 40)
    expect("Pulled" in reasons(k, name), "no event tells that %s was pulled" % image)


def secret(name, password):
    auth = base64.b64encode(("somebody:" + password).encode()).decode()
    config = json.dumps({"auths": {at["pods"].host: {"auth": auth}}})
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()}}


@step
def open_to_all(cluster, k):
    """Plain HTTP on loopback, without a password; then the image and its name are there."""
    image = at["open"].host + "/demo/open:1"
    runs(k, "plain", image)
    expect("pushed" not in container_status(k, "plain")["image"], "the image has another's name")
    missing = at["open"].host + "/demo/none:1"
    k.apply(once("missing", missing))
    wait_until("it cannot be pulled", lambda: "ErrImagePull" in str(messages(k, "missing", "Failed")), 20)
    wait_until("and backs off", lambda: container_status(k, "missing")["state"]["waiting"]["reason"] == "ImagePullBackOff", 30)


@step
def with_the_nodes_password(cluster, k):
    """TLS by a CA of the test, and a password, both from [registries]."""
    runs(k, "trusted", at["node"].host + "/demo/node:1")


@step
def with_the_pods_password(cluster, k):
    """imagePullSecrets of the pod and of its ServiceAccount; with a wrong one it says why."""
    image = at["pods"].host + "/demo/pods:1"
    k.apply(secret("right", PASSWORD), secret("wrong", "not-" + PASSWORD),
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"}, "imagePullSecrets": [{"name": "right"}]})
    for name, spec in (("refused", {"imagePullSecrets": [{"name": "wrong"}]}), ("nobody", {})):
        k.apply(once(name, image, **spec))
        said = wait_until("%s cannot be pulled" % name, lambda: [m for m in messages(k, name, "Failed") if "Failed to pull image" in m], 30)
        expect(image in said[0] and any(w in said[0].lower() for w in ("unauthorized", "authorization failed", "authentication required", "no basic auth")),
               "the event is not clear: %s" % said)
        wait_until("it backs off", lambda: container_status(k, name)["state"]["waiting"]["reason"] == "ImagePullBackOff", 30)
    runs(k, "secret", image, imagePullSecrets=[{"name": "right"}])
    runs(k, "account", image, serviceAccountName="puller")


@step
def through_a_mirror(cluster, k):
    """A registry that nobody serves has a mirror with a password of its own, by plain HTTP: by tag, and by digest."""
    image = GONE + "/demo/mirrored:1"
    runs(k, "mirrored", image)
    expect(container_status(k, "mirrored")["image"] == image, container_status(k, "mirrored"))
    by_digest = GONE + "/demo/mirrored@" + at["digest"]
    runs(k, "digest", by_digest)
    k.apply(once("none", GONE + "/demo/none:1"))
    said = wait_until("what is in no mirror is not there", lambda: messages(k, "none", "Failed"), 30)
    expect("mirror " + at["mirror"].host in str(said), "it does not tell of the mirror: %s" % said)
    names = [name for i in k.json("get", "nodes")["items"][0]["status"]["images"] for name in i.get("names", [])]
    expect(not any(name.startswith(at["mirror"].host) for name in names), "the mirror's name is left: %s" % names)


@step
def images_come_and_go(cluster, k):
    """lotse image list, rm and prune: what is in use, imported or a sandbox's stays."""
    def images():
        return {name: i for i in json.loads(cluster.lotse("image", "list", "-o", "json"))["items"] for name in i["names"] or [i["id"]]}

    used = at["open"].host + "/demo/open:1"
    k.apply(pod("user", {"name": "main", "image": used, "command": ["/bin/sleep", "1000"]}))
    k.wait("condition=Ready", "pod/user", 40)
    table = cluster.lotse("image", "list")
    expect(table.startswith("NAME") and used in table and IMAGE in table and "pinned" in table, table)
    expect(k.namespace + "/user/main" in images()[used]["containers"], images()[used])
    for name, why in ((used, "is in use by the container"), (IMAGE, "is pinned"), ("lotse.local/pause:1", "is pinned"), ("not/there", "there is no image not/there")):
        refused = run(cluster.build + "/bin/lotse", "--data-dir", cluster.data, "image", "rm", name, check=False)
        expect(refused.returncode == 1 and why in refused.stderr, "%s: %s" % (name, refused))
    others = lambda: [c for i in images().values() for c in i["containers"] if not c.startswith(k.namespace + "/")]
    wait_until("the pods of before are gone", lambda: not others(), 40)
    k("delete", "pod", "user", "--timeout=30s")
    wait_until("no container has it", lambda: not images()[used]["containers"], 20)
    expect(cluster.lotse("image", "rm", used).startswith("removed "), "rm does not say what it removed")
    expect(used not in images(), "it is still there")
    runs(k, "again", used)
    k("delete", "pod", "again", "--timeout=30s")
    wait_until("no container has it", lambda: not images()[used]["containers"], 20)
    pruned = json.loads(cluster.lotse("image", "prune", "-o", "json"))
    expect(pruned["removed"] and pruned["bytes"] > 0, pruned)
    left = images()
    expect(IMAGE in left and "lotse.local/pause:1" in left and not any(name.startswith((at["open"].host, GONE)) for name in left), left)
    again = cluster.lotse("image", "prune")
    expect("nothing to remove" in again, "it is not all removed: %s" % again)


@step
def secrets_stay_secret(cluster, k):
    """No password in a log, and none in a file that others can read."""
    for directory, _, files in os.walk(cluster.data):
        for name in files:
            path = os.path.join(directory, name)
            if not name.endswith((".log", ".toml", ".json", ".conf")) or "/root/" in path or os.path.islink(path):
                continue
            expect(PASSWORD not in open(path, errors="replace").read(), "%s has the password" % path)
    expect(PASSWORD not in read(cluster.log), "the daemon's log has the password")


if __name__ == "__main__":
    story.main(seconds=240, config=configuration)
