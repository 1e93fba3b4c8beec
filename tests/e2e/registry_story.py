#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from Debian's docker-registry, on each runtime: registry_story.py BUILD_DIR containerd|docker|podman [WORD]"""
import base64
import json
import os
import sys

import story
from cluster import ROOT, expect, read, run, wait_until
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
    run(sys.executable, ROOT + "/packaging/images/demo/build.py", archive, "lotse.local/pushed:1")
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
