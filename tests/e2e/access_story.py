#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators and pods do with the API: a pod that asks the API with its own token, cordon and drain, taints, and kubectl's
explain, describe, edit, label, annotate, patch, auth can-i."""
import json
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


def managers(k, what):
    shown = k("get", *what, "-o", "json", *(["--show-managed-fields"] if "--show-managed-fields" in k("get", "--help") else []))
    return {(m["manager"], m["operation"]): m for m in json.loads(shown)["metadata"].get("managedFields", [])}


@step
@each_kubectl
def server_side_apply(c, k):
    things = configmap("things", colour="red", size="big")
    apply = ("apply", "--server-side", "-f", "-")
    k(*apply, input=json.dumps(things))
    owned = managers(k, ["configmap", "things"])
    expect(owned[("kubectl", "Apply")]["fieldsV1"] == {"f:data": {"f:colour": {}, "f:size": {}}}, "kubectl owns what it has applied: %s" % owned)
    k("patch", "configmap", "things", "-p", '{"data":{"colour":"blue"}}')
    expect(("kubectl-patch", "Update") in managers(k, ["configmap", "things"]) or ("kubectl", "Update") in managers(k, ["configmap", "things"]), "a patch is tracked")
    refused = k.try_(*apply, "--field-manager=ci", input=json.dumps(things))
    expect(refused.returncode != 0 and "conflict with" in refused.stderr and ".data.colour" in refused.stderr, "a conflict is told: " + refused.stderr)
    k(*apply, "--field-manager=ci", "--force-conflicts", input=json.dumps(things))
    expect(k.json("get", "configmap", "things")["data"]["colour"] == "red", "and taken by force")
    k(*apply, "--field-manager=ci", input=json.dumps(configmap("things", colour="red")))
    expect(k.json("get", "configmap", "things")["data"].get("size") == "big", "what kubectl still owns stays")
    k(*apply, "--force-conflicts", input=json.dumps(configmap("things", colour="red")))
    expect(k.json("get", "configmap", "things")["data"] == {"colour": "red"}, "what nobody applies any more goes")
    differs = k.try_("diff", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(configmap("things", colour="green")))
    expect(differs.returncode == 1 and "green" in differs.stdout, "diff: %s%s" % (differs.stdout, differs.stderr))
    # From client-side apply to server-side apply and back.
    web = deployment("web", container(SERVE), 0)
    k.apply(web)
    web["spec"]["minReadySeconds"] = 3
    k(*apply, input=json.dumps(web))
    expect(k.json("get", "deployment", "web")["spec"]["minReadySeconds"] == 3, "server-side apply takes over from client-side")
    web["spec"]["minReadySeconds"] = 4
    k.apply(web)
    k("scale", "deployment", "web", "--replicas=1")
    expect(any(m.get("subresource") == "scale" for m in managers(k, ["deployment", "web"]).values()), "scale is tracked apart")


@step
def limits_and_quotas(c, k):
    k.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"},
             "spec": {"limits": [{"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "500m"}}]}})
    k("create", "quota", "few", "--hard=pods=2,requests.cpu=250m,configmaps=3")
    wait_until("the quota is counted", lambda: "used" in k.json("get", "resourcequota", "few").get("status", {}))
    k.apply(pod("one", script("sleep 1000")))
    expect(k.json("get", "pod", "one")["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}, "a container gets the default request")
    large = script("sleep 1000", resources={"requests": {"cpu": "300m"}, "limits": {"cpu": "400m"}})
    refused = k.try_("create", "-f", "-", input=json.dumps(pod("large", large)))
    expect('exceeded quota: few, requested: requests.cpu=300m, used: requests.cpu=100m, limited: requests.cpu=250m' in refused.stderr, refused.stderr)
    huge = script("sleep 1000", resources={"requests": {"cpu": "300m"}, "limits": {"cpu": "1"}})
    refused = k.try_("create", "-f", "-", input=json.dumps(pod("huge", huge)))
    expect("maximum cpu usage per Container is 500m, but limit is 1" in refused.stderr, refused.stderr)
    k("delete", "pod", "one", "--grace-period=0", "--force")
    wait_until("what has gone is given back", lambda: k.json("get", "resourcequota", "few")["status"]["used"]["requests.cpu"] == "0")


if __name__ == "__main__":
    main(200)
