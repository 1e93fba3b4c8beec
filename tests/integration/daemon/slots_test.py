"""slots_test.py BIN_DIR: each slot of the same configuration filled with each of its plugins, one line changed at a time. The
cluster becomes ready and a Deployment available, as a user sees it."""
import http.client
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zmq"))
import cluster
import lotse_zmq

BIN_DIR, KUBECTL = sys.argv[1], cluster.kubectl()
REPLICAS = 3


class Kubectl:
    def __init__(self, daemon):
        self.base = [KUBECTL, "--kubeconfig", daemon.kubeconfig, "--cache-dir", daemon.folder + "/kubectl"]

    def __call__(self, *arguments, stdin=None):
        done = subprocess.run(self.base + list(arguments), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout.decode()


def deploys_with_kubectl(daemon):
    kubectl = Kubectl(daemon)
    kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=60s")
    kubectl("apply", "-f", "-", stdin=json.dumps(cluster.deployment("web", REPLICAS)).encode())
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    names = kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.phase}").split()
    assert names == ["Running"] * REPLICAS, names
    kubectl("delete", "deployment", "web", "--timeout=60s")
    cluster.until("the pods are gone", lambda: kubectl("get", "pods", "-o", "name") == "")


def bus_key(daemon):
    """The server's public key, as the join string shows it to who may ask for one."""
    import base64
    import msgpack
    word = daemon.lotse("token", "create").stdout.decode().strip().split(".", 1)[1]
    return msgpack.unpackb(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))["k"].encode()


def deploys_with_zmq(daemon, token, address="tcp://127.0.0.1:6444"):
    client = lotse_zmq.Client(address, bus_key(daemon), token)

    def ask(verb, resource, body=None, group="apps", **fields):
        message, answer = client.ask(verb, resource, b"" if body is None else json.dumps(body).encode(), group=group, namespace="default", **fields)
        assert message["status"] < 300, (verb, resource, message, answer)
        return json.loads(answer)

    ask("create", "deployments", cluster.deployment("web", REPLICAS))
    cluster.until("available over ZeroMQ", lambda: ask("get", "deployments", name="web").get("status", {}).get("availableReplicas") == REPLICAS)
    ask("delete", "deployments", name="web")
    cluster.until("gone over ZeroMQ", lambda: not ask("list", "pods", group="")["items"])
    client.close()


def zmq_user_token(api):
    """A service account that may do everything: who speaks over ZeroMQ has a token, never a certificate."""
    api.post("/api/v1/namespaces/default/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "zmq"}})
    api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
             {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "zmq"},
              "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
              "subjects": [{"kind": "ServiceAccount", "name": "zmq", "namespace": "default"}]})
    made = api.post("/api/v1/namespaces/default/serviceaccounts/zmq/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})
    return made["status"]["token"]


def components(**changed):
    return {"components": {key: json.dumps(value) for key, value in changed.items()}}


def one_line_changed():
    for changed in ({}, {"state": "memory"}, {"scheduler": ["binpack"]}, {"scheduler": ["spread"]}, {"proxy": "iptables"}):
        with cluster.Daemon(BIN_DIR, components(**changed)) as daemon:
            took = daemon.start()
            deploys_with_kubectl(daemon)
            print(f"ok   {changed or 'as it stands'}: started in {took:.2f} s, {daemon.rss_mib():.0f} MiB")
            code, seconds = daemon.stop()
            assert code == 0 and seconds < 5, (code, seconds)


def schedulers_by_name():
    with cluster.Daemon(BIN_DIR, components(scheduler=["spread", "binpack", "default"])) as daemon:
        daemon.start()
        api = daemon.api
        names = ("default-scheduler", "spread", "binpack", "default")
        for name in names + ("nobody",):
            api.post(cluster.DEPLOYMENTS, cluster.deployment(name, 2, schedulerName=name))
        for name in names:
            cluster.until(name, lambda: cluster.available(api, name, 2))
        pods = [p for p in api.get("/api/v1/namespaces/default/pods")["items"] if p["spec"]["schedulerName"] == "nobody"]
        assert len(pods) == 2 and all(p["status"]["phase"] == "Pending" and not p["spec"].get("nodeName") for p in pods), pods
        print("ok   each scheduler binds the pods that ask for it by name; who asks for none that there is stays Pending")


def zmq_beside_rest_and_alone():
    with cluster.Daemon(BIN_DIR, components(transport=["rest", "zmq"])) as daemon:
        daemon.start()
        token = zmq_user_token(daemon.api)
        deploys_with_kubectl(daemon)
        deploys_with_zmq(daemon, token)
        daemon.stop()
        print("ok   rest and zmq together")
        daemon.write(components(transport=["zmq"]))
        daemon.start()
        deploys_with_zmq(daemon, token)
        try:
            daemon.api.raw("GET", "/readyz")
            raise AssertionError("somebody serves REST")
        except ConnectionRefusedError:
            pass
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5, (code, seconds)
        print("ok   zmq alone")


def several_addresses_and_unix_sockets():
    """Both transports, each on TCP and on a path; who comes by a path is nobody until a token says who it is."""
    with cluster.Daemon(BIN_DIR, components(transport=["rest", "zmq"])) as daemon:
        rest, zmq = daemon.folder + "/rest.sock", daemon.folder + "/zmq.sock"
        daemon.write(dict(components(transport=["rest", "zmq"]), **{
            "plugins.transport.rest": {"listen": json.dumps(["127.0.0.1:6443", "192.0.2.10:6443", "unix://" + rest])},
            "plugins.transport.zmq": {"listen": json.dumps(["tcp://127.0.0.1:6444", "unix://" + zmq])}}))
        daemon.start()
        token = zmq_user_token(daemon.api)
        cluster.until("the node", lambda: cluster.nodes_ready(daemon.api) == 1)
        assert os.stat(rest).st_mode & 0o777 == 0o600 and os.stat(zmq).st_mode & 0o777 == 0o600
        for address in ("127.0.0.1", "192.0.2.10"):
            assert cluster.Api(daemon.kubeconfig, host=address).raw("GET", "/readyz")[0] == 200, address

        def over_path(headers):
            connection = http.client.HTTPConnection("lotse")
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(rest)
            connection.request("GET", cluster.PODS, headers=headers)
            return connection.getresponse().status
        assert over_path({}) == 403, "anonymous"
        assert over_path({"Authorization": "Bearer " + token}) == 200
        deploys_with_zmq(daemon, token, "ipc://" + zmq)
        watches_with_zmq(daemon, token, "ipc://" + zmq)
        deploys_with_zmq(daemon, token)
        daemon.stop()
        assert not os.path.exists(rest) and not os.path.exists(zmq)
    print("ok   several addresses, and unix sockets that need a token as well")


def watches_with_zmq(daemon, token, address):
    """get, list, create and watch with the client that was written from the protocol's page."""
    client, watcher = (lotse_zmq.Client(address, bus_key(daemon), token) for _ in range(2))
    name = {"metadata": {"name": "seen"}, "apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"}}
    message, listed = client.ask("list", "configmaps", namespace="default")
    assert message["status"] == 200
    events = watcher.watch("configmaps", namespace="default", options={"resourceVersion": json.loads(listed)["metadata"]["resourceVersion"]})
    assert client.ask("create", "configmaps", json.dumps(name).encode(), namespace="default")[0]["status"] == 201
    event = json.loads(next(events))
    assert event["type"] == "ADDED" and event["object"]["metadata"]["name"] == "seen", event
    assert json.loads(client.ask("get", "configmaps", namespace="default", name="seen")[1])["data"] == {"k": "v"}
    client.close(), watcher.close()


def a_name_that_no_plugin_has():
    for changed in ({"transport": ["rst"]}, {"state": "lmbd"}, {"scheduler": ["bin"]}, {"runtime": "none"}, {"proxy": "ipvz"}):
        with cluster.Daemon(BIN_DIR, components(**changed)) as daemon:
            code, said = daemon.refuses_to_start()
            wrong = list(changed.values())[0]
            wrong = wrong[0] if isinstance(wrong, list) else wrong
            assert code == 78 and wrong in said, (code, said)
    print("ok   a name without a plugin is refused, naming it")


cluster.own_network()
one_line_changed()
schedulers_by_name()
zmq_beside_rest_and_alone()
several_addresses_and_unix_sockets()
a_name_that_no_plugin_has()
