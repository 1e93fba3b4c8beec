"""Creates ConfigMaps over HTTPS as fast as one connection allows and prints the name of each that was acknowledged:

  writer.py KUBECONFIG PREFIX

A connection that breaks is made anew; what was not acknowledged is not tried again. SIGTERM ends it.
"""
import base64
import http.client
import json
import os
import re
import ssl
import sys
import tempfile
import time


def material(text, key):
    return base64.b64decode(re.search(key + r":\s*\"?([A-Za-z0-9+/=]+)", text).group(1))


def main():
    config, prefix = open(sys.argv[1]).read(), sys.argv[2]
    host, port = re.search(r"server:\s*\"?https://([^:\s\"]+):(\d+)", config).groups()
    with tempfile.TemporaryDirectory() as d:
        for name, key in (("cert", "client-certificate-data"), ("key", "client-key-data")):
            with open(os.open(d + "/" + name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                f.write(material(config, key))
        tls = ssl.create_default_context(cadata=material(config, "certificate-authority-data").decode())
        tls.load_cert_chain(d + "/cert", d + "/key")
    connection, number = None, 0
    while True:
        number += 1
        name = "%s-%06d" % (prefix, number)
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(number)}})
        try:
            connection = connection or http.client.HTTPSConnection(host, int(port), context=tls, timeout=5)
            connection.request("POST", "/api/v1/namespaces/default/configmaps", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 201:
                print(name, flush=True)
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.05)


if __name__ == "__main__":
    main()
