"""operator_test.py BIN_DIR: what the operator's command tells and does of a running cluster: certificates and their rotation under a client,
what is used, a node drained, removed and let in again; -o json and yaml, and exit codes."""
import json
import socket
import ssl
import sys
import threading

import cluster

BIN_DIR = sys.argv[1]


def serving_certificate():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", 6443), 10) as plain, context.wrap_socket(plain) as tls:
        return tls.getpeercert(binary_form=True)


def certificates(daemon):
    facts = json.loads(daemon.lotse("certs", "-o", "json").stdout)["certificates"]
    assert [c["name"] for c in facts] == ["ca", "serving", "admin"] and all(c["good"] for c in facts), facts
    before, kubeconfig = serving_certificate(), open(daemon.kubeconfig).read()
    daemon.lotse("certs", "rotate")
    cluster.until("the API shows the new certificate", lambda: serving_certificate() != before)
    assert open(daemon.kubeconfig).read() != kubeconfig
    cluster.Api(daemon.kubeconfig).get("/api/v1/nodes")  # with the new one, and it is the same CA
    daemon.api.get("/api/v1/nodes")                      # with the old one too
    open(daemon.data + "/pki/serving.crt", "w").write("none")
    broken = daemon.lotse("certs", check=False)
    assert broken.returncode == 1 and b"no certificate in it" in broken.stdout, broken
    daemon.lotse("certs", "rotate")
    daemon.lotse("certs")
    print("ok   certs")


def outputs(daemon):
    for command in (["status"], ["token", "create"], ["master", "list"], ["plugins"], ["config", "check", daemon.file], ["certs"], ["top", "nodes", "--window", "100ms"]):
        document = json.loads(daemon.lotse(*command, "-o", "json").stdout)
        text = daemon.lotse(*command, "-o", "yaml").stdout.decode()
        assert list(document) and all(f"{key}:" in text for key in document), (command, text)
    assert daemon.lotse("status", "-o", "xml", check=False).returncode == 2
    print("ok   json, yaml, exit codes")


def use(daemon):
    pod = json.loads(daemon.lotse("top", "pods", "-A", "--window", "100ms", "-o", "json").stdout)["pods"]
    assert {p["name"].rsplit("-", 1)[0].rsplit("-", 1)[0] for p in pod} == {"web"}, pod
    node = json.loads(daemon.lotse("top", "nodes", "--window", "300ms", "-o", "json").stdout)["nodes"][0]
    assert node["cpuMilli"] >= 0 and node["memoryBytes"] > 0 and node["allocatableCpuMilli"] > 0, node
    print(daemon.lotse("top", "nodes", "--window", "100ms").stdout.decode())
    print("ok   top")


def drain(daemon):
    api = daemon.api
    api.post(cluster.PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone"}, "spec": {"containers": [{"name": "main", "image": "any"}]}})
    running = lambda: [p["metadata"]["name"] for p in api.get(cluster.PODS)["items"] if p["spec"].get("nodeName")]
    cluster.until("all run", lambda: len(running()) == 3)
    refused = daemon.lotse("node", "drain", "node", check=False)
    assert refused.returncode == 1 and b"default/lone has no controller" in refused.stderr, refused
    assert api.get("/api/v1/nodes/node")["spec"]["unschedulable"]
    assert daemon.lotse("node", "remove", "node", check=False).returncode == 1  # pods run on it
    api.post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
             "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}})
    held = lambda: daemon.lotse("node", "drain", "node", "--force", "--timeout", "1s", check=False)
    done = held()
    assert done.returncode == 1 and b"disruption budget" in done.stderr, done
    daemon.lotse("node", "uncordon", "node")
    drained = []
    waiting = threading.Thread(target=lambda: drained.append(daemon.lotse("node", "drain", "node", "--force", check=False)))
    waiting.start()
    cluster.until("the drain has begun", lambda: api.get("/api/v1/nodes/node")["spec"].get("unschedulable"))
    api.delete("/apis/policy/v1/namespaces/default/poddisruptionbudgets/web")
    waiting.join(20)  # sooner than a watch is begun anew
    assert drained and drained[0].returncode == 0, drained
    assert running() == [], running()
    daemon.lotse("node", "uncordon", "node")
    cluster.until("they run again", lambda: len(running()) == 2)
    missing = daemon.lotse("node", "drain", "nobody", check=False)
    assert missing.returncode == 1 and b"not found" in missing.stderr, missing
    print("ok   drain, uncordon")


def main():
    cluster.own_network()
    with cluster.Daemon(BIN_DIR) as daemon:
        daemon.start()
        daemon.api.post(cluster.DEPLOYMENTS, cluster.deployment("web", 2))
        cluster.until("web runs", lambda: cluster.available(daemon.api, "web", 2))
        certificates(daemon)
        outputs(daemon)
        use(daemon)
        drain(daemon)
        daemon.stop()
        assert daemon.lotse("status", check=False).returncode == 3
        daemon.lotse("certs")  # told from the files


main()
