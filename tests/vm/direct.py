# SPDX-License-Identifier: Apache-2.0
"""A Kubectl whose reads do not start a program: in an emulated machine kubectl takes seconds a call, and stories ask often while they
wait. What changes something, and what prints for people, is still done by kubectl."""
import base64
import http.client
import json
import os
import re
import ssl
import tempfile
from urllib.parse import quote, urlencode, urlsplit

import cluster

RESOURCES = {"pod": "pods", "node": "nodes", "serviceaccount": "serviceaccounts", "event": "events"}


class Api:
    """One connection with the client certificate of a kubeconfig."""

    def __init__(self, kubeconfig):
        text = cluster.read(kubeconfig)
        field = lambda name: re.search(r"^ *%s: (\S+)$" % name, text, re.M).group(1)
        self.server = urlsplit(field("server"))
        self.context = ssl.create_default_context(cadata=base64.b64decode(field("certificate-authority-data")).decode())
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(field("client-certificate-data")) + base64.b64decode(field("client-key-data")))
            file.flush()
            self.context.load_cert_chain(file.name)
        self.connection = None

    def get(self, path):
        for again in (False, True):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPSConnection(self.server.hostname, self.server.port, timeout=30, context=self.context)
                self.connection.request("GET", path)
                answer = self.connection.getresponse()
                body = answer.read().decode()
                if answer.status != 200:
                    raise cluster.Failure("%d for %s: %.300s" % (answer.status, path, body))
                return body
            except (OSError, http.client.HTTPException) as e:  # the server has gone, or was started again
                self.connection = None
                if again:
                    raise OSError("%s: %s" % (path, e))


class Kubectl(cluster.Kubectl):
    apis = {}

    def within(self, namespace):
        return Kubectl(self.program, self.kubeconfig, self.home, namespace)

    def api(self):
        key = (self.kubeconfig, os.stat(self.kubeconfig).st_mtime)
        if key not in self.apis:
            self.apis[key] = Api(self.kubeconfig)
        return self.apis[key]

    def json(self, *args):
        words = list(args)
        query = {}
        for option, name in (("-l", "labelSelector"), ("--field-selector", "fieldSelector")):
            if option in words:
                at = words.index(option)
                query[name] = words[at + 1]
                del words[at:at + 2]
        resource = RESOURCES.get(words[1], words[1]) if len(words) in (2, 3) and words[0] == "get" else None
        if resource not in RESOURCES.values():
            return super().json(*args)
        path = "/api/v1/" + ("" if resource == "nodes" else "namespaces/%s/" % self.namespace) + resource
        if len(words) == 3:
            path += "/" + quote(words[2])
        return json.loads(self.api().get(path + ("?" + urlencode(query) if query else "")))
