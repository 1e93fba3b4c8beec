"""proxy_modes_test.py BIN_DIR: proxy = "auto" says what it took, a switch of modes takes out the former one's rules and cuts no connection, and
Services of type LoadBalancer get the nodes' addresses unless the configuration says no."""
import json
import socket
import subprocess
import sys
import threading

import cluster
from cluster import Daemon

BIN_DIR = sys.argv[1]
SERVICES, SLICES = "/api/v1/namespaces/default/services", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def serve(listener):
    """Says back what it is told, on any number of connections."""
    def one(connection):
        while data := connection.recv(4096):
            connection.sendall(data)
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def echoes(connection, text=b"hello"):
    connection.sendall(text)
    return connection.recv(4096) == text


def connects(address):
    try:
        with socket.create_connection((address, 80), timeout=1) as connection:
            connection.settimeout(2)
            return echoes(connection)
    except OSError:
        return False


def printed(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def has_nftables():
    return "table ip lotse\n" in printed("nft", "list", "tables")


def has_iptables():
    return "LOTSE-SERVICES" in printed("iptables-save", "-t", "nat")


def ingress(api, name):
    return [i["ip"] for i in api.get(f"{SERVICES}/{name}").get("status", {}).get("loadBalancer", {}).get("ingress", [])]


def balanced(api, name, port):
    api.post(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"type": "LoadBalancer", "ports": [{"port": port}]}})


cluster.own_network()
listener = socket.create_server((cluster.ADDRESS, 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
with Daemon(BIN_DIR, {"components": {"proxy": '"auto"'}}) as daemon:
    daemon.start()
    api = daemon.api
    cluster.until("the node is ready", lambda: cluster.nodes_ready(api) == 1)
    address = api.post(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})["spec"]["clusterIP"]
    api.post(SLICES, {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
                      "ports": [{"port": listener.getsockname()[1], "protocol": "TCP"}], "endpoints": [{"addresses": [cluster.ADDRESS], "nodeName": "node", "conditions": {"ready": True}}]})
    cluster.until("the Service is reached", lambda: connects(address))
    mode = json.loads(daemon.lotse("status", "-o", "json").stdout)["worker"]["proxy"]
    assert mode == "nftables" and has_nftables() and not has_iptables(), mode
    print("ok   auto takes nftables where the kernel has it, and says so")

    balanced(api, "outer", 8443)
    cluster.until("a load balancer's address", lambda: ingress(api, "outer") == [cluster.ADDRESS])
    print("ok   a Service of type LoadBalancer gets the node's address")

    kept = socket.create_connection((address, 80), timeout=5)
    assert echoes(kept)
    for settings, there, gone in (({"components": {"proxy": '"iptables"'}, "network": {"load_balancer": "false"}}, has_iptables, has_nftables),
                                  ({"components": {"proxy": '"auto"'}}, has_nftables, has_iptables)):
        daemon.stop()
        daemon.write(settings)
        daemon.start()
        api = daemon.api
        cluster.until("the other mode's rules are in", there)
        cluster.until("the former one's rules are gone", lambda: not gone())
        assert echoes(kept), "the connection was cut"
        cluster.until("the Service is reached", lambda: connects(address))
        if "network" in settings:
            balanced(api, "left-alone", 9443)
            assert ingress(api, "left-alone") == []
    kept.close()
    print("ok   a switch of modes leaves nothing of the former one and cuts no connection")
    cluster.until("the address comes when the key is back", lambda: ingress(api, "left-alone") == [cluster.ADDRESS])
