# SPDX-License-Identifier: Apache-2.0
"""The objects that stories apply, with just what they are about."""
from cluster import IMAGE

SERVE = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]


def container(command, name="main", **more):
    return dict({"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": command}, **more)


def script(text, name="main", **more):
    return container(["/bin/sh", "-c", text], name, **more)


def pod(name, containers, labels=None, **spec):
    spec.setdefault("terminationGracePeriodSeconds", 1)
    containers = containers if isinstance(containers, list) else [containers]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {"app": name}},
            "spec": dict(spec, containers=containers)}


def deployment(name, main, replicas=1, **spec):
    template = {"terminationGracePeriodSeconds": 5, "containers": [main]}
    template.update(spec.pop("pod", {}))
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": dict(spec, replicas=replicas, selector={"matchLabels": {"app": name}},
                         template={"metadata": {"labels": {"app": name}}, "spec": template})}


def service(name, port=80, target=8080, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": dict(spec, selector={"app": name}, ports=[{"name": "http", "port": port, "targetPort": target}])}


def configmap(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def reasons(k, name):
    """The reasons of the events about an object."""
    return [e["reason"] for e in k.json("get", "events", "--field-selector", "involvedObject.name=" + name)["items"]]


def messages(k, name, reason):
    """What the events of one reason about an object say."""
    return [e["message"] for e in k.json("get", "events", "--field-selector", "involvedObject.name=" + name)["items"] if e["reason"] == reason]


def container_status(k, pod_name, name="main"):
    status = k.json("get", "pod", pod_name)["status"]
    for s in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
        if s["name"] == name:
            return s
    return {}
