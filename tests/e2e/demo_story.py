#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo: a Deployment behind a Service, reached by cluster IP, node port and DNS name; its page from a ConfigMap, a Secret in the
environment."""
import urllib.request

from cluster import ROOT, expect, read, wait_until
from story import each_kubectl, main, step


def get(url):
    return urllib.request.urlopen(url, timeout=3).read().decode()


@step
@each_kubectl
def demo(c, k):
    k("apply", "-f", ROOT + "/packaging/demo/demo.yaml")
    k.rollout("web")
    pods = k.pods("app=web")
    expect(len(pods) == 3, "three pods")
    address = k.json("get", "service", "web")["spec"]["clusterIP"]
    wait_until("the cluster IP answers", lambda: get("http://%s/" % address) == "Hello from Lotse.\n", 10)
    for _ in range(10):
        expect(get("http://%s/" % address) == "Hello from Lotse.\n", "the page by cluster IP")
        expect(get("http://%s:30080/" % c.network.address) == "Hello from Lotse.\n", "the page by node port")
    pod = pods[0]["metadata"]["name"]
    for name in ("web", "web.%s" % k.namespace, "web.%s.svc" % k.namespace, "web.%s.svc.cluster.local" % k.namespace):
        expect(k("exec", pod, "--", "wget", "-q", "-O", "-", "http://%s/" % name) == "Hello from Lotse.\n", "the page by the name " + name)
    for pod in pods:
        expect(k("exec", pod["metadata"]["name"], "--", "sh", "-c", "echo $GREETING") == "moin\n", "the Secret in the environment")
    addresses = {a["ip"] for s in k.json("get", "endpoints", "web")["subsets"] for a in s["addresses"]}
    expect(addresses == {p["status"]["podIP"] for p in pods}, "the Service's endpoints are the pods")
    k("delete", "-f", ROOT + "/packaging/demo/demo.yaml", "--wait=true")
    wait_until("its pods are gone", lambda: not k.pods("app=web"), 30)


@step
@each_kubectl
def apply_diff_and_delete(c, k):
    file = ROOT + "/packaging/demo/demo.yaml"
    k("apply", "-f", file)
    expect("unchanged" in k("apply", "-f", file), "a second apply changes nothing")
    expect(k.try_("diff", "-f", file).returncode == 0, "no difference")
    changed = read(file).replace("Hello from Lotse.", "Moin.")
    k("apply", "-f", "-", input=changed)
    expect("Moin." in k.json("get", "configmap", "page")["data"]["index.html"], "the change is there")
    out = k("delete", "-f", file)
    expect('deployment.apps "web" deleted' in out, "the Deployment is deleted")


if __name__ == "__main__":
    main()
