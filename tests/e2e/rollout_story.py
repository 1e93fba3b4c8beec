#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deployments: a rolling update that no request notices, rollback, history, pause and resume; up to twenty pods and back."""
import threading
import urllib.request

from cluster import expect, wait_until
from objects import SERVE, container, deployment, service
from story import each_kubectl, main, step


class Requests(threading.Thread):
    """Asks a URL again and again, a new connection each, without a second try, until it is told to end."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.over, self.done, self.failed, self.pages = url, threading.Event(), 0, [], []

    def run(self):
        while not self.over.is_set():
            try:
                page = urllib.request.urlopen(self.url, timeout=5).read().decode()
                if page not in self.pages:
                    self.pages.append(page)
            except Exception as e:
                self.failed.append(repr(e))
            self.done += 1

    def finish(self):
        self.over.set()
        self.join(10)


# A kubectl older than the sleep handler drops it when it undoes a rollout, so this one is an exec.
WAIT = {"exec": {"command": ["sleep", "1"]}}


def web(page, replicas=3, pre_stop=WAIT):
    main_container = container(["/bin/sh", "-c", "mkdir -p /page && echo %s > /page/index.html && exec httpd -f -p 8080 -h /page" % page],
                               readinessProbe={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                               lifecycle={"preStop": pre_stop})
    return deployment("web", main_container, replicas, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})


def template_page(k):
    return k.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"][0]["command"][2].split()[5]


@step
@each_kubectl
def rolling_update_and_rollback(c, k):
    pre_stop = WAIT if k.program == c.kubectl.program else {"sleep": {"seconds": 1}}
    k.apply(web("one", pre_stop=pre_stop), service("web"))
    k.rollout("web")
    url = "http://%s/" % k.json("get", "service", "web")["spec"]["clusterIP"]
    wait_until("the Service answers", lambda: urllib.request.urlopen(url, timeout=3).read(), 10)
    requests = Requests(url)
    requests.start()
    k.apply(web("two", pre_stop=pre_stop))
    k.rollout("web")
    k("rollout", "undo", "deployment/web")
    k.rollout("web")
    wait_until("only the new pods are left", lambda: len(k.pods("app=web")) == 3, 30)
    requests.finish()
    expect(not requests.failed, "%d of %d requests failed: %s" % (len(requests.failed), requests.done, requests.failed[:3]))
    expect(requests.pages[:2] == ["one\n", "two\n"], "both versions answered: %s" % requests.pages)
    expect(requests.done > 50, "enough requests: %d" % requests.done)
    expect(template_page(k) == "one", "the template is the first one again")
    history = [line.split()[0] for line in k("rollout", "history", "deployment/web").splitlines() if line[:1].isdigit()]
    expect(history == ["2", "3"], "revisions 2 and 3 are left of the history: %s" % history)
    expect("two" in k("rollout", "history", "deployment/web", "--revision=2"), "revision 2 can be shown")


@step
def pause_and_resume(c, k):
    k.apply(web("one", 2))
    k.rollout("web")
    k("rollout", "pause", "deployment/web")
    k.apply(dict(web("two", 2), spec=dict(web("two", 2)["spec"], paused=True)))
    observed = lambda: (lambda d: d["status"]["observedGeneration"] == d["metadata"]["generation"])(k.json("get", "deployment", "web"))
    wait_until("the change is seen", observed)
    expect(len(k.json("get", "replicasets")["items"]) == 1, "nothing is rolled out while paused")
    k("rollout", "resume", "deployment/web")
    k.rollout("web")
    sets = {s["spec"]["replicas"] for s in k.json("get", "replicasets")["items"]}
    expect(sets == {0, 2}, "the new ReplicaSet has taken over: %s" % sets)
    k("rollout", "restart", "deployment/web")
    k.rollout("web")
    expect(len(k.json("get", "replicasets")["items"]) == 3, "a restart makes a third ReplicaSet")


@step
def a_rollout_that_cannot_succeed(c, k):
    k.apply(web("one", 2))
    k.rollout("web")
    broken = deployment("web", dict(container(SERVE), readinessProbe={"exec": {"command": ["/bin/false"]}, "periodSeconds": 1}), 2, progressDeadlineSeconds=3,
                        strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    k.apply(broken)
    done = k.try_("rollout", "status", "deployment/web", "--timeout=30s", timeout=40)
    expect(done.returncode != 0 and "exceeded its progress deadline" in done.stdout + done.stderr, "the deadline is told: %s%s" % (done.stdout, done.stderr))
    expect(k.json("get", "deployment", "web")["status"]["availableReplicas"] == 2, "the old pods serve on")


@step
def scale_to_twenty_and_back(c, k):
    k.apply(deployment("many", container(SERVE), 1, pod={"terminationGracePeriodSeconds": 1}))
    k.rollout("many")
    k("scale", "deployment/many", "--replicas=20")
    k.rollout("many", 90)
    pods = k.pods("app=many")
    expect(len({p["status"]["podIP"] for p in pods}) == 20, "twenty pods with an address each")
    k("scale", "deployment/many", "--replicas=1")
    wait_until("one is left", lambda: len(k.pods("app=many")) == 1, 60)


if __name__ == "__main__":
    main(230)
