#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators and pods do with the API: a pod that asks the API with its own token, cordon and drain, taints, and kubectl's
explain, describe, edit, label, annotate, patch, auth can-i."""
import os

from cluster import expect, wait_until
from objects import SERVE, configmap, container, deployment, pod, reasons, script
from story import each_kubectl, main, step


@step
def a_pod_asks_the_api(c, k):
    program = {"name": "kubectl", "mountPath": "/kubectl"}
    k("create", "role", "reader", "--verb=get,list", "--resource=pods")
    k("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=%s:default" % k.namespace)
    k.apply(pod("asker", dict(container(SERVE), volumeMounts=[program]),
                volumes=[{"name": "kubectl", "hostPath": {"path": os.path.realpath(k.program), "type": "File"}}]))
    k.wait("condition=Ready", "pod/asker", 30)
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    ask = ("/kubectl --cache-dir=/tmp/cache --server=https://kubernetes.default.svc --certificate-authority=%s/ca.crt --token=$(cat %s/token) -n $(cat %s/namespace) "
           % (account, account, account))
    listed = k.try_("exec", "asker", "--", "sh", "-c", ask + "get pods -o name")
    expect(listed.stdout == "pod/asker\n", "it lists the pods: %s%s" % (listed.stdout, listed.stderr))
    refused = k.try_("exec", "asker", "--", "sh", "-c", ask + "get secrets")
    expect(refused.returncode != 0 and "forbidden" in refused.stderr.lower(), "it may not list secrets: %s%s" % (refused.stdout, refused.stderr))
    user = "system:serviceaccount:%s:default" % k.namespace
    expect(k.try_("auth", "can-i", "list", "pods", "--as", user).stdout.strip() == "yes", "can-i agrees about pods")
    expect(k.try_("auth", "can-i", "list", "secrets", "--as", user).stdout.strip() == "no", "and about secrets")


@step
def cordon_drain_and_taints(c, k):
    node = c.node()
    k.apply(deployment("web", container(SERVE), 2, pod={"terminationGracePeriodSeconds": 1}))
    k.rollout("web")
    try:
        k("cordon", node)
        expect("SchedulingDisabled" in k("get", "node", node), "the node is cordoned")
        k("drain", node, "--ignore-daemonsets", "--force", "--timeout=60s", timeout=70)
        pending = lambda: [p for p in k.pods("app=web") if p["status"]["phase"] == "Pending" and not p["spec"].get("nodeName")]
        wait_until("the new pods find no node", lambda: len(pending()) == 2)
        wait_until("which is an event", lambda: "FailedScheduling" in reasons(k, pending()[0]["metadata"]["name"]))
    finally:
        k("uncordon", node)
    k.rollout("web")
    try:
        k("taint", "node", node, "dedicated=tests:NoExecute")
        wait_until("the taint evicts them", lambda: pending() and len(pending()) == len(k.pods("app=web")), 40)
        k.apply(pod("tolerant", script("sleep 1000"), tolerations=[{"key": "dedicated", "operator": "Exists"}]))
        k.wait("condition=Ready", "pod/tolerant", 30)
    finally:
        k("taint", "node", node, "dedicated-")
    k.rollout("web")


@step
@each_kubectl
def kubectl_words(c, k):
    k.apply(configmap("things", colour="red"), pod("web", container(SERVE)))
    k.wait("condition=Ready", "pod/web", 30)
    said = k("explain", "pod.spec.containers.image")
    expect("image" in said and "string" in said, "explain: " + said)
    said = k("describe", "pod", "web")
    expect("Started" in said and "Status:" in said and "Running" in said, "describe: " + said)
    expect("Ready" in k("describe", "node", c.node()), "describe node")
    k("label", "pod", "web", "mood=fine")
    k("annotate", "pod", "web", "note=yes")
    expect(k("get", "pods", "-l", "mood=fine", "-o", "name") == "pod/web\n", "label")
    expect(k.json("get", "pod", "web")["metadata"]["annotations"]["note"] == "yes", "annotate")
    k("patch", "configmap", "things", "-p", '{"data":{"shape":"round"}}')
    k("patch", "configmap", "things", "--type=json", "-p", '[{"op":"add","path":"/data/size","value":"big"}]')
    editor = c.dir + "/editor"
    with open(editor, "w") as f:
        f.write("#!/bin/sh\nsed -i s/red/blue/ \"$1\"\n")
    os.chmod(editor, 0o755)
    k("edit", "configmap", "things", KUBE_EDITOR=editor)
    expect(k.json("get", "configmap", "things")["data"] == {"colour": "blue", "shape": "round", "size": "big"}, "edit and patch")
    expect("configmaps" in k("api-resources"), "api-resources")
    expect("v1" in k("api-versions").split(), "api-versions")
    expect(k("get", "pods", "web", "-o", "wide").split()[0] == "NAME", "a table")
    expect(k.try_("get", "pod", "none").stderr.startswith("Error from server (NotFound)"), "NotFound")
    k("delete", "pod", "web", "--grace-period=0", "--force")


if __name__ == "__main__":
    main(200)
