#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Volumes as a container sees them: paths inside them, owners and modes, what may be missing, what follows its source, limits."""
import base64
import json
import os
import socket

from cluster import expect, wait_until
from objects import SERVE, configmap, container, container_status, messages, pod, reasons, script
from story import main, step

SLEEP = ["/bin/sleep", "1000"]


def secret(name, **data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def mount(name, path, **more):
    return dict({"name": name, "mountPath": path}, **more)


def shell(k, name, text, container_name="main"):
    return k("exec", name, "-c", container_name, "--", "/bin/sh", "-c", text).strip()


@step
def paths_inside_volumes(c, k):
    name = [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    k.apply(configmap("settings", **{"a.conf": "a", "b.conf": "b"}),
            pod("paths", [container(SLEEP, env=name, volumeMounts=[
                mount("settings", "/etc/a.conf", subPath="a.conf"), mount("data", "/whole"), mount("data", "/part", subPath="x/y"),
                mount("data", "/mine", subPathExpr="pods/$(NAME)"), mount("data", "/frozen", subPath="x/y", readOnly=True)])],
                volumes=[{"name": "settings", "configMap": {"name": "settings"}}, {"name": "data", "emptyDir": {}}]))
    k.wait("condition=Ready", "pod/paths", 30)
    expect(shell(k, "paths", "cat /etc/a.conf; ls /etc | grep -c conf$") == "a2", "one file of a ConfigMap, among the image's own")
    shell(k, "paths", "echo 1 > /part/one; echo 2 > /mine/two")
    expect(shell(k, "paths", "cat /whole/x/y/one /whole/pods/paths/two /frozen/one").split() == ["1", "2", "1"], "the same directories")
    expect("Read-only" in shell(k, "paths", "touch /frozen/three 2>&1 || true"), "a mount that may only be read")
    k.apply(configmap("settings", **{"a.conf": "changed"}))
    # A file that was mounted by itself stays what it was.
    expect(shell(k, "paths", "cat /etc/a.conf") == "a", "a subPath does not follow")
    k.apply(pod("lost", container(SLEEP, volumeMounts=[mount("data", "/mine", subPathExpr="$(NOBODY)")]), volumes=[{"name": "data", "emptyDir": {}}]))
    waiting = lambda: container_status(k, "lost").get("state", {}).get("waiting", {})
    wait_until("a variable that does not exist is refused", lambda: waiting().get("reason") == "CreateContainerConfigError", 20)
    uid = k.json("get", "pod", "paths")["metadata"]["uid"]
    k("delete", "pod", "paths", "--timeout=30s")
    expect(not os.path.exists(c.data + "/pods/" + uid), "nothing is left of its volumes")


@step
def links_do_not_lead_out(c, k):
    """A container puts a link to the host's / where the next container's subPath is."""
    k.apply(pod("sly", [container(SLEEP, volumeMounts=[mount("data", "/out", subPath="door")])],
                initContainers=[script("ln -s / /data/door", "evil", volumeMounts=[mount("data", "/data")])], volumes=[{"name": "data", "emptyDir": {}}]))
    waiting = lambda: container_status(k, "sly").get("state", {}).get("waiting", {})
    wait_until("it is refused", lambda: waiting().get("reason") == "CreateContainerConfigError", 30)
    expect("subPath" in waiting()["message"], "with a word about it: %s" % waiting())


@step
def owners_and_modes(c, k):
    k.apply(configmap("settings", one="1", two="2"), secret("key", token="t", other="o"),
            pod("owned", container(SLEEP, volumeMounts=[mount("data", "/data"), mount("settings", "/settings"), mount("key", "/key"), mount("all", "/all"), mount("fast", "/fast")]),
                securityContext={"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000, "supplementalGroups": [3000]},
                volumes=[{"name": "data", "emptyDir": {}}, {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                         {"name": "settings", "configMap": {"name": "settings", "items": [{"key": "one", "path": "deep/first", "mode": 0o440}, {"key": "two", "path": "second"}]}},
                         {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
                         {"name": "all", "projected": {"defaultMode": 0o600, "sources": [
                             {"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "sea"}},
                             {"configMap": {"name": "settings", "items": [{"key": "one", "path": "c/one"}]}},
                             {"secret": {"name": "key", "items": [{"key": "other", "path": "s/other"}]}},
                             {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}]),
            pod("plain", container(SLEEP, volumeMounts=[mount("data", "/data"), mount("key", "/key"), mount("settings", "/settings")]),
                volumes=[{"name": "data", "emptyDir": {}}, {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}}, {"name": "settings", "configMap": {"name": "settings"}}]))
    k.wait("condition=Ready", "pod/owned", 30)
    k.wait("condition=Ready", "pod/plain", 30)
    at = lambda path, name="owned": shell(k, name, "stat -L -c '%%u:%%g %%a' %s" % path)
    expect(shell(k, "owned", "id") == "uid=1000 gid=1000 groups=1000,2000,3000", "who it is: " + shell(k, "owned", "id"))
    expect(at("/data") == "0:2000 2777", "an empty directory is the group's: " + at("/data"))
    expect(shell(k, "owned", "touch /data/new; stat -c %g /data/new") == "2000", "and what is made in it too")
    expect(at("/key/token") == "0:2000 440", "the group may read a secret of mode 0400: " + at("/key/token"))
    expect(at("/settings/deep/first") == "0:2000 440" and at("/settings/second") == "0:2000 644", "modes of items and the default: %s, %s" % (at("/settings/deep/first"), at("/settings/second")))
    expect(shell(k, "owned", "ls /settings | wc -l") == "2", "only the items")
    expect(shell(k, "owned", "cat /all/c/one /all/s/other /all/name") == "1oowned", "several sources in one volume")
    token = shell(k, "owned", "cat /all/token").split(".")
    claims = json.loads(base64.urlsafe_b64decode(token[1] + "=="))
    expect(claims["aud"] == ["sea"] and claims["exp"] - claims["iat"] == 600 and claims["kubernetes.io"]["pod"]["name"] == "owned", "the token's claims: %s" % claims)
    expect("tmpfs" in shell(k, "owned", "grep ' /key ' /proc/mounts") and "tmpfs" in shell(k, "owned", "grep ' /all ' /proc/mounts"), "secrets lie in memory")
    expect("tmpfs" in shell(k, "owned", "grep ' /fast ' /proc/mounts"), "an emptyDir in memory")
    expect(int(shell(k, "owned", "head -c 2000000 /dev/zero > /fast/big; stat -c %s /fast/big")) <= 1 << 20, "which is limited")
    for path in ("/settings", "/key", "/all"):
        expect("Read-only" in shell(k, "owned", "touch %s/x 2>&1 || true" % path), "%s may not be written to" % path)
    expect(at("/data", "plain") == "0:0 777" and at("/key/token", "plain") == "0:0 400" and at("/settings/one", "plain") == "0:0 644", "without a group")
    expect(at("/var/run/secrets/kubernetes.io/serviceaccount/token", "plain") == "0:0 644", "the token of a pod that is root")


@step
def what_may_be_missing(c, k):
    optional = {"name": "maybe", "configMap": {"name": "none", "optional": True}}
    k.apply(configmap("some", a="1"),
            pod("content", container(SLEEP, volumeMounts=[mount("maybe", "/maybe"), mount("part", "/part")], env=[
                {"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": True}}}]),
                volumes=[optional, {"name": "part", "projected": {"sources": [{"configMap": {"name": "some", "optional": True, "items": [{"key": "zzz", "path": "zzz"}]}},
                                                                              {"secret": {"name": "none", "optional": True}}]}}]),
            pod("waits", container(SLEEP, volumeMounts=[mount("part", "/part")]), volumes=[{"name": "part", "configMap": {"name": "some", "items": [{"key": "b", "path": "b"}]}}]))
    k.wait("condition=Ready", "pod/content", 30)
    expect(shell(k, "content", "ls /maybe /part | grep -v : | wc -w") == "0", "nothing there")
    wait_until("a key that must be there is waited for", lambda: any("no key" in m or "non-existent" in m for m in messages(k, "waits", "FailedMount")), 20)
    k.apply(configmap("none", now="here"), configmap("some", a="1", b="2"))
    k.wait("condition=Ready", "pod/waits", 30)
    wait_until("what comes later appears", lambda: shell(k, "content", "cat /maybe/now") == "here", 20)


@step
def files_follow(c, k):
    k.apply(configmap("settings", a="1", b="1"), secret("key", word="old"),
            pod("reader", container(SLEEP, volumeMounts=[mount("settings", "/settings"), mount("key", "/key"), mount("all", "/all"), mount("info", "/info")]),
                labels={"app": "reader"}, volumes=[
                    {"name": "settings", "configMap": {"name": "settings"}}, {"name": "key", "secret": {"secretName": "key"}},
                    {"name": "all", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "key"}},
                                                              {"downwardAPI": {"items": [{"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}}]}}]}},
                    {"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                                                               {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.memory", "divisor": "1Mi"}}]}}]))
    k.wait("condition=Ready", "pod/reader", 30)
    expect(int(shell(k, "reader", "cat /info/cpu")) > 100, "without a limit it is the node's")
    k.apply(configmap("settings", a="2"), secret("key", word="new", more="too"))
    k("annotate", "pod", "reader", "note=moin")
    k("label", "pod", "reader", "app-")
    wait_until("ConfigMap", lambda: shell(k, "reader", "cat /settings/a /all/a; echo; ls /settings /all | grep -c '^b$' || true").split() == ["22", "0"] or None, 20)
    wait_until("Secret", lambda: shell(k, "reader", "cat /key/word /key/more /all/word") == "newtoonew", 20)
    wait_until("annotations", lambda: 'note="moin"' in shell(k, "reader", "cat /all/notes"), 20)
    wait_until("labels", lambda: shell(k, "reader", "cat /info/labels") == "", 20)
    k("delete", "configmap", "settings")
    expect(shell(k, "reader", "cat /settings/a") == "2", "what was deleted stays as it was in the pods that run")


@step
def too_much_in_an_empty_directory(c, k):
    k.apply(pod("greedy", script("head -c 3000000 /dev/zero > /data/big; sleep 1000", volumeMounts=[mount("data", "/data")]), volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}]),
            pod("heavy", script("head -c 3000000 /dev/zero > /tmp/big; sleep 1000", resources={"limits": {"ephemeral-storage": "1Mi"}})),
            pod("modest", script("head -c 300000 /dev/zero > /data/big; sleep 1000", volumeMounts=[mount("data", "/data")]), volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}]))
    for name in ("greedy", "heavy"):
        wait_until("%s is evicted" % name, lambda: k.json("get", "pod", name)["status"].get("reason") == "Evicted", 60)
    status = k.json("get", "pod", "greedy")["status"]
    expect(status["phase"] == "Failed" and status["message"] == 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". ', "how it says so: %s" % status["message"])
    expect({"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}.items() <= next(x for x in status["conditions"] if x["type"] == "DisruptionTarget").items(), "as a condition")
    expect("Evicted" in reasons(k, "greedy"), "as an event")
    message = k.json("get", "pod", "heavy")["status"]["message"]
    expect("ephemeral local storage usage exceeds" in message or "exceeded its local ephemeral storage limit" in message, "the other: " + message)
    expect(k.phase("modest") == "Running", "who keeps to it stays")


@step
def paths_of_the_host(c, k):
    base = c.dir + "/host"
    os.makedirs(base + "/dir")
    with open(base + "/file", "w") as f:
        f.write("on the host\n")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(base + "/socket")
    kinds = {"dir": "Directory", "file": "File", "socket": "Socket", "new-dir": "DirectoryOrCreate", "new-file": "FileOrCreate", "any": ""}
    host = lambda name, path, kind: {"name": name, "hostPath": {"path": path, "type": kind}}
    k.apply(pod("host", container(SERVE, volumeMounts=[mount(n, "/host/" + n) for n in kinds] + [mount("null", "/host/null")]),
                volumes=[host(n, base + "/" + n, kind) for n, kind in kinds.items()] + [host("null", "/dev/null", "CharDevice")]),
            pod("none", container(SLEEP, volumeMounts=[mount("dir", "/dir")]), volumes=[host("dir", base + "/nothing", "Directory")]),
            pod("wrong", container(SLEEP, volumeMounts=[mount("dir", "/dir")]), volumes=[host("dir", base + "/dir", "File")]))
    k.wait("condition=Ready", "pod/host", 30)
    expect(shell(k, "host", "cat /host/file; echo moin > /host/new-dir/x; echo moin > /host/new-file; test -S /host/socket && test -c /host/null && echo yes") == "on the host\nyes", "what they are")
    expect(open(base + "/new-dir/x").read() == open(base + "/new-file").read() == "moin\n", "written on the host")
    for name in ("none", "wrong"):
        wait_until("%s is refused" % name, lambda: any("hostPath type check failed" in m for m in messages(k, name, "FailedMount")), 20)
    listener.close()


if __name__ == "__main__":
    main(280)
