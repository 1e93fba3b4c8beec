#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a container image from files, without a registry or tools.

    mkimage.py OUT.tar NAME:TAG [--file SOURCE=/TARGET[:MODE]]... [--link /NAME=TARGET]... [--dir /PATH[:MODE]]...
               [--text /PATH=TEXT]... [--cmd WORD]... [--entrypoint WORD]... [--env K=V]... [--user USER] [--workdir DIR]
               [--stop-signal NAME] [--arch ARCH]

OUT.tar is an OCI image layout and what `docker save` writes in one: containerd, Docker, Podman and
`lotse image import` read it. The same input gives the same bytes: no times, owners or order of a directory go in.
"""
import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

OCI = "application/vnd.oci.image."


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def entry(name, kind=tarfile.REGTYPE, mode=0o644, size=0):
    info = tarfile.TarInfo(name.lstrip("/"))
    info.type, info.mode, info.size = kind, mode, size
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = "root"
    return info


class Layer:
    """Entries by name, parents made as needed, written in order of their names."""

    def __init__(self):
        self.entries = {}

    def add(self, path, kind, mode, data=b"", link=""):
        path = "/" + path.strip("/")
        parent = os.path.dirname(path)
        if parent != "/" and parent not in self.entries:
            self.add(parent, tarfile.DIRTYPE, 0o755)
        self.entries[path] = (kind, mode, data, link)

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(self.entries):
                kind, mode, data, link = self.entries[path]
                info = entry(path, kind, mode, len(data))
                info.linkname = link
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()


def split_mode(text, default):
    path, colon, mode = text.rpartition(":")
    if colon and mode and all(c in "01234567" for c in mode):
        return path, int(mode, 8)
    return text, default


def layer_of(args):
    layer = Layer()
    for text in args.dir:
        path, mode = split_mode(text, 0o755)
        layer.add(path, tarfile.DIRTYPE, mode)
    for text in args.file:
        source, _, target = text.partition("=")
        target, mode = split_mode(target, 0o755)
        with open(source, "rb") as file:
            layer.add(target, tarfile.REGTYPE, mode, file.read())
    for text in args.text:
        path, _, content = text.partition("=")
        layer.add(path, tarfile.REGTYPE, 0o644, content.encode())
    for text in args.link:
        path, _, target = text.partition("=")
        layer.add(path, tarfile.SYMTYPE, 0o777, link=target)
    return layer.tar()


def image_blobs(args):
    layer = layer_of(args)
    config = {"Cmd": args.cmd, "Entrypoint": args.entrypoint, "Env": args.env, "User": args.user,
              "WorkingDir": args.workdir, "StopSignal": args.stop_signal}
    config = compact({
        "architecture": args.arch, "os": "linux", "created": "1970-01-01T00:00:00Z",
        "config": {k: v for k, v in config.items() if v},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "mkimage.py"}],
    })
    describe = lambda kind, data: {"mediaType": OCI + kind, "digest": digest(data), "size": len(data)}
    manifest = compact({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": describe("config.v1+json", config), "layers": [describe("layer.v1.tar", layer)],
    })
    return layer, config, manifest, describe("manifest.v1+json", manifest)


def write_image(args):
    layer, config, manifest, descriptor = image_blobs(args)
    place = lambda data: "blobs/sha256/" + digest(data).partition(":")[2]
    descriptor["annotations"] = {"io.containerd.image.name": args.name,
                                 "org.opencontainers.image.ref.name": args.name.rpartition(":")[2]}
    files = [
        ("oci-layout", compact({"imageLayoutVersion": "1.0.0"})),
        ("index.json", compact({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [descriptor]})),
        ("manifest.json", compact([{"Config": place(config), "RepoTags": [args.name], "Layers": [place(layer)]}])),
        (place(layer), layer), (place(config), config), (place(manifest), manifest),
    ]
    fresh = args.out + ".new"
    with tarfile.open(fresh, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files:
            tar.addfile(entry(name, size=len(data)), io.BytesIO(data))
    os.replace(fresh, args.out)


def main():
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    parser = argparse.ArgumentParser(description="a container image from files")
    parser.add_argument("out")
    parser.add_argument("name")
    for option in ("file", "link", "dir", "text", "cmd", "entrypoint", "env"):
        parser.add_argument("--" + option, action="append", default=[])
    for option in ("user", "workdir", "stop-signal"):
        parser.add_argument("--" + option, default="")
    parser.add_argument("--arch", default=machine)
    write_image(parser.parse_args())


if __name__ == "__main__":
    main()
