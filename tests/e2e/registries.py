# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-registry in the test's own network namespace: with or without TLS, with or without a password."""
import gzip
import hashlib
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tarfile
import urllib.error
import urllib.request
import warnings

from cluster import run, wait_until

CONFIG = """version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: %(dir)s/data}}
http: {addr: "%(at)s", secret: %(secret)s%(tls)s}
"""
PULL = "application/vnd.docker.distribution.manifest.v2+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def bcrypt(password):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crypt
    return crypt.crypt(password, "$2b$05$" + secrets.token_hex(11))


class Authority:
    """A CA, and a certificate of it for one address."""

    def __init__(self, directory, address):
        os.makedirs(directory)
        self.file, self.key, self.certificate = (directory + "/" + name for name in ("ca.pem", "key.pem", "cert.pem"))
        openssl = lambda *words: run("openssl", *words)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=the CA of a test",
                "-keyout", directory + "/ca.key", "-out", self.file)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=registry", "-keyout", self.key,
                "-out", directory + "/request")
        with open(directory + "/names", "w") as f:
            f.write("subjectAltName=IP:" + address)
        openssl("x509", "-req", "-in", directory + "/request", "-CA", self.file, "-CAkey", directory + "/ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", directory + "/names", "-out", self.certificate)


class Registry:
    def __init__(self, directory, address, user=None, password=None, authority=None):
        os.makedirs(directory)
        program = shutil.which("docker-registry")
        if not program:
            raise RuntimeError("docker-registry is not installed")
        with socket.socket() as probe:
            probe.bind((address, 0))
            self.host = "%s:%d" % (address, probe.getsockname()[1])
        self.user, self.password, self.authority = user, password, authority
        tls = ", tls: {certificate: %s, key: %s}" % (authority.certificate, authority.key) if authority else ""
        text = CONFIG % {"dir": directory, "at": self.host, "secret": secrets.token_hex(8), "tls": tls}
        if user:
            with open(directory + "/htpasswd", "w") as f:
                f.write("%s:%s\n" % (user, bcrypt(password)))
            text += "auth: {htpasswd: {realm: test, path: %s/htpasswd}}\n" % directory
        with open(directory + "/config.yml", "w") as f:
            f.write(text)
        self.log = directory + "/log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([program, "serve", directory + "/config.yml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("the registry at %s answers" % self.host, lambda: self.ask("GET", "/v2/")[0] == 200, 20)

    def ask(self, method, path, data=None, kind="application/octet-stream"):
        scheme = "https" if self.authority else "http"
        request = urllib.request.Request(path if "://" in path else "%s://%s%s" % (scheme, self.host, path), method=method, data=data)
        if data is not None:
            request.add_header("Content-Type", kind)
        if self.user:
            import base64
            request.add_header("Authorization", "Basic " + base64.b64encode(("%s:%s" % (self.user, self.password)).encode()).decode())
        context = ssl.create_default_context(cafile=self.authority.file) if self.authority else None
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.status, dict(answer.headers)

    def push(self, archive, repository, tag):
        """The image of an archive as docker save writes it. Its digest."""
        with tarfile.open(archive) as tar:
            read = lambda name: tar.extractfile(name).read()
            saved = json.loads(read("manifest.json"))[0]
            config, layers = read(saved["Config"]), [gzip.compress(read(name), 1, mtime=0) for name in saved["Layers"]]
        for blob in [config] + layers:
            _, headers = self.ask("POST", "/v2/%s/blobs/uploads/" % repository, b"")
            place = headers["Location"]
            self.ask("PUT", place + ("&" if "?" in place else "?") + "digest=" + digest(blob), blob)
        describe = lambda kind, blob: {"mediaType": kind, "size": len(blob), "digest": digest(blob)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": PULL, "config": describe("application/vnd.docker.container.image.v1+json", config),
                               "layers": [describe("application/vnd.docker.image.rootfs.diff.tar.gzip", layer) for layer in layers]}).encode()
        self.ask("PUT", "/v2/%s/manifests/%s" % (repository, tag), manifest, PULL)
        return digest(manifest)
