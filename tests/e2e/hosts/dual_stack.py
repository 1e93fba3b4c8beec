#!/usr/bin/python3
"""A cluster of both address families on three hosts: a master that is a worker too, one worker on its link and one behind a router. One
makes Services reachable by iptables, the others by nftables.

  dual_stack.py BUILD_DIR

Needs root.
"""
import os
import signal
import sys
import time
import traceback

from cluster import Cluster
from lab import Lab, wait_until

NETWORK = """
[network]
pod_cidr = ["10.244.0.0/16", "fd00:10:244::/48"]
service_cidr = ["10.96.0.0/16", "fd00:10:96::/112"]
"""
NFTABLES = "[components]\nproxy = \"nftables\"\n"
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec:
  selector: {app: %s}
  %s
  ports: [{name: http, port: 80, targetPort: 8080}]
---
"""


def six(address):
    return ":" in address


def url(address, port=80):
    return ("[%s]" % address if six(address) else address) + ":%d" % port


def families(addresses):
    return [six(a) for a in addresses]


def routes(host):
    return sorted(host.run("ip", "-6", "route").stdout.splitlines())


def pod_ips(c, name):
    return [a["ip"] for a in c.get("pod", name)["status"]["podIPs"]]


def cluster_ips(c, name):
    return c.get("service", name)["spec"]["clusterIPs"]


def looked_up(c, pod, name, kind):
    """What DNS answers a pod: the addresses of a name."""
    out = c.sh(pod, "nslookup -type=%s %s.default.svc.cluster.local" % (kind, name), check=False).stdout
    return sorted(line.split()[-1] for line in out.partition("Name:")[2].splitlines() if line.startswith("Address"))


def come_up(c):
    """three nodes, each with a network and an address of both families"""
    c.start_master(["master", "worker"], NETWORK)
    c.start_worker(c.w1, config=NFTABLES)
    c.start_worker(c.w3, config=NFTABLES)
    for host in (c.master, c.w1, c.w3):
        c.wait_ready(host, 90)
    for host in (c.master, c.w1, c.w3):
        c.import_image(host)
        node = c.get("node", host.name)
        assert families(node["spec"]["podCIDRs"]) == [False, True], node["spec"]
        addresses = [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
        assert addresses == [host.ip, host.ip6], addresses


def pods_reach_pods(c):
    """every pod has an address of each family, and reaches the others by both: by routes on the link, through the tunnel across the router"""
    c.names = {"pm": c.master, "p1": c.w1, "p3": c.w3}
    for name, host in c.names.items():
        c.pod(name, host, "web")
    c.wait_pods(*c.names)
    c.addresses = {name: pod_ips(c, name) for name in c.names}
    for name, host in c.names.items():
        status = c.get("pod", name)["status"]
        assert families(c.addresses[name]) == [False, True] and status["podIP"] == c.addresses[name][0], status
        assert [a["ip"] for a in status["hostIPs"]] == [host.ip, host.ip6], status["hostIPs"]
    for one in c.names:
        for other in c.names:
            for address in c.addresses[other]:
                assert c.fetch(one, url(address, 8080)) == other
    ways = "\n".join(routes(c.master))
    assert "via " + c.w1.ip6 in ways and "dev lotse.vx" in ways, ways
    # More than a frame of the link: the pods' MTU leaves room for the tunnel.
    c.sh("p3", "yes lotse | head -c 300000 > /tmp/w/much")
    assert c.sh("pm", "timeout 5 wget -q -O - http://%s/much | wc -c" % url(c.addresses["p3"][1], 8080)).stdout.strip() == "300000"


def addresses_of_services(c):
    """Services get addresses as ipFamilyPolicy and ipFamilies say; one can get the second later, and lose it"""
    wanted = {"plain": "", "prefer": "ipFamilyPolicy: PreferDualStack", "six": "ipFamilies: [IPv6]",
              "require": "ipFamilyPolicy: RequireDualStack\n  ipFamilies: [IPv6, IPv4]\n  type: NodePort",
              "headless": "ipFamilyPolicy: PreferDualStack\n  clusterIP: None"}
    c.apply("".join(SERVICE % (name, "web", more) for name, more in wanted.items()) + SERVICE % ("empty", "nobody", "ipFamilies: [IPv6]"))
    got = {name: c.get("service", name)["spec"] for name in wanted}
    assert {name: families(s["clusterIPs"]) for name, s in got.items() if name != "headless"} == {
        "plain": [False], "prefer": [False, True], "six": [True], "require": [True, False]}, got
    assert got["headless"]["ipFamilies"] == ["IPv4", "IPv6"] and got["plain"]["ipFamilyPolicy"] == "SingleStack", got
    c.k("patch", "service", "plain", "-p", '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}')
    first, second = cluster_ips(c, "plain")
    assert first == got["plain"]["clusterIP"] and six(second)
    assert c.fetch("p1", url(second)) in c.names
    c.k("patch", "service", "plain", "-p", '{"spec":{"ipFamilyPolicy":"SingleStack"}}')
    assert cluster_ips(c, "plain") == [first]
    wait_until("the second address does not answer any more",
               lambda: c.sh("p1", "timeout 2 wget -q -O - http://%s/" % url(second), check=False).returncode != 0, 10)
    done = c.k("patch", "service", "plain", "-p", '{"spec":{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv6"]}}', check=False)
    assert done.returncode != 0 and "ipFamilies" in done.stderr, "the first family cannot be changed: %s" % done
    slices = {s["addressType"]: s for s in c.get("endpointslices", "-l", "kubernetes.io/service-name=prefer")["items"]}
    for kind, number in (("IPv4", 0), ("IPv6", 1)):
        assert sorted(e["addresses"][0] for e in slices[kind]["endpoints"]) == sorted(a[number] for a in c.addresses.values()), slices


def reached_everywhere(c):
    """they are reached by both families from pods of every node, by node ports from outside, and by their names; without endpoints refused"""
    for name in c.names:
        for service in ("prefer", "require", "six"):
            for address in cluster_ips(c, service):
                found = {c.fetch(name, url(address)) for _ in range(6)}
                assert found <= set(c.names) and found, (name, address, found)
        assert c.fetch(name, "six") in c.names
        refused = "timeout 3 wget -q -O - http://%s/ 2>&1" % url(cluster_ips(c, "empty")[0])
        assert "refused" in c.sh(name, refused, check=False).stdout, c.sh(name, refused, check=False)
    port = c.get("service", "require")["spec"]["ports"][0]["nodePort"]
    for host in c.names.values():
        for address in (host.ip, host.ip6):
            page = c.lab.outside("curl", "-sS", "-g", "--max-time", "5", "http://%s/" % url(address, port)).stdout.strip()
            assert page in c.names, (address, page)


def names(c):
    """DNS answers A and AAAA for each family, for headless Services too, and names for IPv6 addresses; it is asked by both"""
    four, six_ = cluster_ips(c, "prefer")
    for pod in ("pm", "p3"):
        assert looked_up(c, pod, "prefer", "a") == [four] and looked_up(c, pod, "prefer", "aaaa") == [six_]
        assert looked_up(c, pod, "six", "a") == [] and looked_up(c, pod, "six", "aaaa") == cluster_ips(c, "six")
        assert looked_up(c, pod, "headless", "aaaa") == sorted(a[1] for a in c.addresses.values())
    servers = [line.split()[1] for line in c.sh("p1", "cat /etc/resolv.conf").stdout.splitlines() if line.startswith("nameserver")]
    assert families(servers) == [False, True], servers
    by_six = c.sh("p1", "nslookup -type=aaaa six.default.svc.cluster.local " + servers[1]).stdout
    assert cluster_ips(c, "six")[0] in by_six, by_six
    assert "six.default.svc.cluster.local" in c.sh("p1", "nslookup " + cluster_ips(c, "six")[0], check=False).stdout


def after_a_restart(c):
    """a worker killed with -9 and started again leaves all of it as it was"""
    before = routes(c.w1)
    c.w1.kill()
    c.w1.start([], None)
    wait_until("it is connected again", lambda: "connected to a master" in c.w1.lotse("status", check=False).stdout, 30)
    assert pod_ips(c, "p1") == c.addresses["p1"]
    after = routes(c.w1)
    assert after == before, (before, after)
    assert c.fetch("p1", url(cluster_ips(c, "prefer")[1])) in c.names


STORIES = [come_up, pods_reach_pods, addresses_of_services, reached_everywhere, names, after_a_restart]


def main():
    if os.geteuid() != 0:
        print("needs root")
        return 77
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    lab = Lab(os.path.realpath(sys.argv[1]), six=True)
    failed = []
    try:
        c = Cluster(lab)
        for story in STORIES:
            began = time.monotonic()
            try:
                story(c)
                print("ok      %6.1f s  %s" % (time.monotonic() - began, story.__doc__), flush=True)
            except Exception:
                failed.append(story.__name__)
                print("FAILED  %6.1f s  %s" % (time.monotonic() - began, story.__doc__), flush=True)
                traceback.print_exc(file=sys.stdout)
                c.show_state()
                if story in (come_up, pods_reach_pods):
                    break
    finally:
        if os.environ.get("LOTSE_KEEP") and failed:
            input("kept: %s; return takes it down " % lab.dir)
        lab.close()
    print("%d failed%s" % (len(failed), ": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
