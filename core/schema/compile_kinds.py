#!/usr/bin/env python3
"""Compiles the text tables of the kinds (see README.md for their syntax) into constants: compile_kinds.py OUT IN..."""
import os
import shlex
import sys

SHAPES = ["string", "int32", "int64", "double", "bool", "quantity", "intorstring", "time", "microtime", "bytes",
          "object", "map", "array", "any"]
MERGES = ["atomic", "set", "map", "granular"]
VERBS = {"get": 1, "list": 2, "watch": 4, "create": 8, "update": 16, "patch": 32, "delete": 64, "deletecollection": 128}
NONE = 0xFFFF


def fail(where, what):
    sys.exit(f"{where[0]}:{where[1]}: {what}")


class Pool:
    """All words in one text, each once; longer ones first, so that shorter ones are found inside of them."""

    def __init__(self):
        self.wanted = set()

    def text(self, word):
        self.wanted.add(word)
        return word

    def close(self):
        self.joined = ""
        for word in sorted(self.wanted, key=lambda w: (-len(w), w)):
            if word not in self.joined:
                self.joined += word
        if len(self.joined) > NONE:
            sys.exit("the pool of words is larger than 64 KiB")

    def ref(self, word):
        return "{%d,%d}" % (self.joined.index(word), len(word))


class Tables:
    def __init__(self):
        self.pool = Pool()
        self.packages, self.types, self.resources = {}, {}, []

    def read(self, path):
        package = group = current = None
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            where = (path, number)
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("  "):
                if current is None:
                    fail(where, "an indented line belongs to a type or a resource")
                current["lines"].append((where, line))
                continue
            words = line.split()
            if words[0] == "package":
                package = words[1]
                self.packages[package] = words[2]
            elif words[0] == "group":
                group = ("" if words[1] == "-" else words[1], words[2])
            elif words[0] == "type":
                current = {"package": package, "name": words[1], "atomic": "atomic" in words[2:], "lines": [], "where": where}
                key = (package, words[1])
                if key in self.types:
                    fail(where, f"type {words[1]} is there already")
                self.types[key] = current
            elif words[0] in ("resource", "kind"):
                if group is None:
                    fail(where, "a resource needs a group line before it")
                kind = words[2] if words[0] == "resource" else words[1]
                current = {"package": package, "group": group, "kind": kind, "flags": words[3:], "lines": [],
                           "resource": words[1] if words[0] == "resource" else "", "where": where}
                self.resources.append(current)
            else:
                fail(where, f"unknown line {words[0]!r}")

    def full_name(self, key):
        return self.packages[key[0]] + "." + key[1]

    def resolve(self, where, package, word):
        key = tuple(word.split(".", 1)) if "." in word else (package, word)
        if key not in self.types:
            fail(where, f"unknown type {word!r}")
        return key

    def shape(self, where, package, word):
        """(shape, item shape, type key)"""
        for prefix, shape in (("[]", "array"), ("{}", "map")):
            if word.startswith(prefix):
                inner, deeper, key = self.shape(where, package, word[2:])
                if inner in ("array", "map") and not (shape == "map" and deeper == "string" and inner == "array"):
                    fail(where, "of nested lists and maps only {}[]string exists")
                return shape, inner, key
        if word in SHAPES and word not in ("object", "map", "array"):
            return word, "string", None
        return "object", "string", self.resolve(where, package, word)

    def field(self, where, package, line):
        words = shlex.split(line, posix=False)
        f = {"name": words[0], "merge": None, "given": False, "required": False, "must": False, "patch": False,
             "retain": False, "merge_key": "", "keys": [], "choices": [], "fallback": ""}
        f["shape"], f["item"], f["type"] = self.shape(where, package, words[1])
        for word in words[2:]:
            name, _, value = word.partition("=")
            if name in ("required", "must"):
                f["required"], f["must"] = True, name == "must"
            elif name in ("list", "map"):
                kind, _, keys = value.partition(":")
                f["merge"], f["given"], f["keys"] = kind, True, keys.split(",") if keys else []
            elif name == "patch":
                strategy, _, f["merge_key"] = value.partition(":")
                f["patch"], f["retain"] = "merge" in strategy.split(","), "retainKeys" in strategy.split(",")
            elif name == "enum":
                f["choices"] = value.split(",")
            elif name == "default":
                f["fallback"] = value
            else:
                fail(where, f"unknown word {word!r}")
        if f["merge"] is None:
            f["merge"] = "atomic" if f["shape"] == "array" else "granular"
        for word in [f["name"], f["merge_key"], f["fallback"], *f["keys"], *f["choices"]]:
            self.pool.text(word)
        return f

    def compile_resource(self, r):
        out = dict(r, singular=r["kind"].lower(), short=[], categories=[], subs=[], columns=[], select=[], verbs=255)
        out["type"] = (r["package"], r["kind"])
        if out["type"] not in self.types:
            fail(r["where"], f"there is no type {r['kind']}")
        out["namespaced"] = "cluster" not in r["flags"]
        out["virtual"] = "virtual" in r["flags"] or not r["resource"]
        if out["virtual"]:
            out["verbs"] = VERBS["create"] if r["resource"] else 0
        for where, line in r["lines"]:
            words = shlex.split(line)
            if words[0] == "singular":
                out["singular"] = words[1]
            elif words[0] == "verbs":
                out["verbs"] = sum(VERBS[v] for v in words[1].split(","))
            elif words[0] in ("short", "categories", "select"):
                out[words[0]] += words[1:]
            elif words[0] == "sub":
                out["subs"].append((where, words[1], words[2], sum(VERBS[v] for v in words[3].split(",")), "connect" in words[4:]))
            elif words[0] == "column":
                words += ["-", "0"][len(words) - 3:] if len(words) < 5 else []
                out["columns"].append((words[1], words[2], "" if words[3] == "-" else words[3], int(words[4])))
            else:
                fail(where, f"unknown line {words[0]!r}")
        return out


def c(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def emit(t, out):
    keys = sorted(t.types, key=t.full_name)
    index = {key: i for i, key in enumerate(keys)}
    fields, types, extras, words = [], [], [(0,)], []
    for key in keys:
        t.pool.text(t.full_name(key))
        info = t.types[key]
        own = sorted((t.field(where, info["package"], line) for where, line in info["lines"]), key=lambda f: f["name"])
        types.append((key, len(fields), len(own), info["atomic"]))
        fields += own
    t.pool.close()
    extra_rows, extra_index, word_rows, word_index = [], {}, [], {}

    def word_list(items):
        items = tuple(items)
        if items not in word_index:
            word_index[items] = len(word_rows)
            word_rows.extend(items)
        return word_index[items]

    for f in fields:
        key = (f["merge_key"], f["fallback"], tuple(f["keys"]), tuple(f["choices"]))
        if not any(key):
            f["extra"] = NONE
            continue
        if key not in extra_index:
            extra_index[key] = len(extra_rows)
            extra_rows.append("{%s,%s,%d,%d,%d,%d}" % (t.pool.ref(key[0]), t.pool.ref(key[1]), word_list(key[2]), len(key[2]),
                                                       word_list(key[3]), len(key[3])))
        f["extra"] = extra_index[key]
    out.write('// Made by compile_kinds.py.\n#include "core/schema/table.h"\n\nnamespace lotse::schema::table {\n\n')
    out.write("const char kPool[] =\n")
    for i in range(0, len(t.pool.joined), 100):
        out.write("    " + c(t.pool.joined[i:i + 100]) + "\n")
    out.write("    ;\n")

    def array(kind, name, rows):
        out.write(f"constexpr {kind} {name}[] = {{\n" + "".join(f"    {row},\n" for row in rows) + "};\n")

    array("Text", "kWords", [t.pool.ref(w) for w in word_rows] or ["{0,0}"])
    array("Extra", "kExtras", extra_rows)
    array("FieldInfo", "kFields", [
        "{%s,%d,%d,%d,%d}" % (t.pool.ref(f["name"]), NONE if f["type"] is None else index[f["type"]], f["extra"],
                              SHAPES.index(f["shape"]) | SHAPES.index(f["item"]) << 4,
                              MERGES.index(f["merge"]) | f["given"] << 2 | f["required"] << 3 | f["must"] << 4 |
                              f["patch"] << 5 | f["retain"] << 6) for f in fields])
    array("TypeInfo", "kTypes", ["{%s,%d,%d,%s}" % (t.pool.ref(t.full_name(k)), first, count, str(atomic).lower())
                                 for k, first, count, atomic in types])
    emit_resources(t, out, index)
    out.write("const size_t kTypeCount = std::size(kTypes);\n\n}  // namespace lotse::schema::table\n")


def emit_resources(t, out, index):
    resources = [t.compile_resource(r) for r in t.resources]
    resources.sort(key=lambda r: (not r["resource"], r["group"], r["resource"], r["kind"]))
    groups = {r["kind"]: r["group"] for r in resources}
    rows, served = [], 0
    for i, r in enumerate(resources):
        group, version = r["group"]
        parts = []
        for name, kind, items in (("short", "std::string_view", [c(w) for w in r["short"]]),
                                  ("categories", "std::string_view", [c(w) for w in r["categories"]]),
                                  ("subs", "SubresourceInfo", [sub_row(t, r, s, groups) for s in r["subs"]]),
                                  ("columns", "ColumnInfo", ["{%s,%s,%s,{},%d}" % (c(n), c(k), c(f), p) for n, k, f, p in r["columns"]]),
                                  ("select", "std::string_view", [c(w) for w in r["select"]])):
            if items:
                out.write(f"constexpr {kind} k{name}{i}[] = {{" + ",".join(items) + "};\n")
            parts.append(f"k{name}{i}" if items else "{}")
        served += bool(r["resource"])
        rows.append("{%s,%s,%s,%s,%s,%s,%s,%s,%s,%d,&kTypes[%d],%s,%s,%s}" % (
            c(group), c(version), c(r["resource"]), c(r["singular"]), c(r["kind"]), parts[0], parts[1],
            str(r["namespaced"]).lower(), str(r["virtual"]).lower(), r["verbs"], index[r["type"]], parts[2], parts[3], parts[4]))
    out.write("constexpr ResourceInfo kResources[] = {\n" + "".join(f"    {row},\n" for row in rows) + "};\n")
    out.write("const ResourceInfo* const kServed[] = {" + ",".join(f"&kResources[{i}]" for i in range(served)) + "};\n")
    out.write(f"const size_t kServedCount = {served}, kResourceCount = {len(rows)};\n")


def sub_row(t, r, sub, groups):
    where, name, kind, verbs, connect = sub
    group = r["group"]
    if "." in kind:
        t.resolve(where, r["package"], kind)
        kind = kind.split(".")[1]
        group = groups[kind]
    return "{%s,%s,%s,%s,%d,%s}" % (c(name), c(group[0]), c(group[1]), c(kind), verbs, str(connect).lower())


def main():
    tables = Tables()
    for path in sorted(sys.argv[2:]):
        tables.read(path)
    os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        emit(tables, out)


main()
