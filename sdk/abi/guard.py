#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the ABI's headers with the recorded release, and fails on a change that a plugin built then would not survive.

    sdk/abi/guard.py                 compare the headers with the newest sdk/abi/MAJOR.MINOR.txt
    sdk/abi/guard.py --record        write the record of the version that the headers name
    sdk/abi/guard.py --include DIR --against FILE

The record has a line for every struct (its size), member (offset, size and type, as the compiler mangles it, so that the
names of parameters do not count), enumerator and macro. What a release may do within a major version: add structs,
enumerators and macros, add members at the end of a struct that begins with its own size, and give a name to a reserved member,
which every plugin so far has set to 0. Whatever it adds, it raises
LOTSE_ABI_MINOR. Everything else is refused with a sentence. Exit code: 0 fine, 1 incompatible, 2 it could not be found out.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def fail(sentence):
    print(f"guard.py: {sentence}", file=sys.stderr)
    sys.exit(2)


def members(body):
    """Names of a struct's members, in order, from its text without comments."""
    names = []
    depth, start = 0, 0
    for at, letter in enumerate(body):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == ";" and depth == 0:
            text = body[start:at].strip()
            start = at + 1
            match = re.search(r"\(\s*\*\s*(\w+)\s*\)", text) or re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*$", text)
            names.append(match.group(1))
    return names


def parse(headers):
    """(structs: name -> members, enumerators, macros) of the headers' text."""
    structs, enumerators, macros = {}, [], []
    for header in headers:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header.read_text(), flags=re.S)
        for match in re.finditer(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*\w+\s*;", text, re.S):
            structs[match.group(1)] = members(match.group(2))
        for match in re.finditer(r"enum\s+\w+\s*\{(.*?)\}", text, re.S):
            enumerators += re.findall(r"(\w+)\s*(?:=[^,}]*)?(?:,|$)", match.group(1).strip())
        for match in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(LOTSE_\w+)[ \t]+(\S.*)$", text, re.M):
            macros.append(match.group(1))
    return structs, enumerators, macros


def layout(include, compiler):
    """The record's lines, by asking the compiler: {what: value}."""
    headers = sorted((include / "lotse" / "abi").glob("*.h"))
    if not headers:
        fail(f"no headers in {include}/lotse/abi")
    structs, enumerators, macros = parse(headers)
    lines = ["#include <cstddef>", "#include <cstdint>", "#include <cstdio>", "#include <typeinfo>"]
    lines += [f'#include "lotse/abi/{header.name}"' for header in headers]
    lines += ['static void show(const char* what, long long n) { std::printf("%s %lld\\n", what, n); }',
              'static void show(const char* what, const char* s) { std::printf("%s \\"%s\\"\\n", what, s); }',
              "template <class T> static void show(const char* what, T n) { show(what, static_cast<long long>(n)); }",
              "int main() {"]
    for name, names in structs.items():
        lines.append(f'std::printf("struct {name} %zu\\n", sizeof({name}));')
        for member in names:
            lines.append(f'std::printf("member {name}.{member} %zu %zu %s\\n", offsetof({name}, {member}), '
                         f"sizeof((({name}*)0)->{member}), typeid(decltype({name}::{member})).name());")
    lines += [f'show("enumerator {name}", static_cast<long long>({name}));' for name in enumerators]
    lines += [f'show("macro {name}", {name});' for name in macros]
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "layout.cc")
        source.write_text("\n".join(lines) + "\n")
        built = subprocess.run([compiler, "-std=c++17", "-w", f"-I{include}", str(source), "-o", f"{folder}/layout"],
                               capture_output=True, text=True)
        if built.returncode:
            fail(f"{compiler} does not take the headers:\n{built.stderr}")
        text = subprocess.run([f"{folder}/layout"], capture_output=True, text=True, check=True).stdout
    return read(text)


def read(text):
    """A record's lines as {"struct lotse_bytes": "16"}; what begins with # is for people."""
    record = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, name, value = line.split(" ", 2)
            record[f"{kind} {name}"] = value
    return record


def minor(record):
    return int(record["macro LOTSE_ABI_MINOR"])


def may_grow(record, name):
    """A struct that begins with its size (or, the entry, with magic and size), or with an instance, which does."""
    base = record.get(f"member {name}.base", "").split(" ")
    size = record.get(f"member {name}.size", "").split(" ")
    return (base[0] == "0" and base[-1] == "14lotse_instance") or (size[0] in ("0", "8") and size[-1] == "j")


def compare(then, now):
    """Sentences about what a plugin built `then` would trip over."""
    complaints, added = [], sorted(set(now) - set(then))
    named = {(what.split(".")[0], now[what]) for what in added if "." in what}  # (struct, where and what type)
    if now["macro LOTSE_ABI_MAJOR"] != then["macro LOTSE_ABI_MAJOR"]:
        return []  # another major: nothing of the old one loads, and a sentence says so
    for what, before in then.items():
        kind, name = what.split(" ")
        after = now.get(what)
        if what == "macro LOTSE_ABI_MINOR":
            continue
        if after is None and ".reserved" in name and (what.split(".")[0], before) in named:
            continue
        if after is None:
            complaints.append(f"{kind} {name} is gone")
        elif kind == "struct" and after != before:
            if int(after) < int(before):
                complaints.append(f"struct {name} has shrunk from {before} to {after} bytes")
            elif not may_grow(then, name):
                complaints.append(f"struct {name} does not begin with its size and has grown from {before} to {after} bytes")
        elif kind == "member" and after != before:
            words = ("offset", "size", "type")
            differs = [f"{word} {b} is now {a}" for word, b, a in zip(words, before.split(" "), after.split(" ")) if a != b]
            complaints.append(f"member {name}: {', '.join(differs)}")
        elif after != before:
            complaints.append(f"{kind} {name} was {before} and is {after}")
    for what in added:
        kind, name = what.split(" ")
        struct = name.split(".")[0]
        was_reserved = any(then.get(f"member {struct}.{word}") == now[what] for word in ("reserved", "reserved1", "reserved2"))
        if kind == "member" and not was_reserved and f"struct {struct}" in then and int(now[what].split(" ")[0]) < int(then[f"struct {struct}"]):
            complaints.append(f"member {name} was put where an older plugin has padding: it would be read there as if it were set")
    if added and not complaints and minor(now) <= minor(then):
        complaints.append(f"{', '.join(added)}: added, so LOTSE_ABI_MINOR has to be more than {minor(then)}")
    if minor(now) < minor(then):
        complaints.append(f"LOTSE_ABI_MINOR went back from {minor(then)} to {minor(now)}")
    return complaints


def newest():
    """The record of the last release."""
    records = sorted(HERE.glob("*.*.txt"), key=lambda file: [int(part) for part in file.stem.split(".")])
    if not records:
        fail(f"no record in {HERE}: make one with --record")
    return records[-1]


def main():
    arguments = argparse.ArgumentParser(description="Guards the plugin ABI.")
    arguments.add_argument("--include", type=pathlib.Path, default=HERE.parent / "include", help="where lotse/abi/ lies")
    arguments.add_argument("--against", type=pathlib.Path, help="the record to compare with; default: the newest")
    arguments.add_argument("--compiler", default=os.environ.get("CXX", "c++"))
    arguments.add_argument("--record", action="store_true", help="write the record of the headers as they are")
    options = arguments.parse_args()
    now = layout(options.include, options.compiler)
    if options.record:
        file = HERE / f"{now['macro LOTSE_ABI_MAJOR']}.{now['macro LOTSE_ABI_MINOR']}.txt"
        head = "# The ABI as it was released; written by guard.py --record. x86-64 and every other LP64 machine.\n"
        file.write_text(head + "".join(f"{what} {value}\n" for what, value in now.items()))
        print(f"wrote {file}: {len(now)} lines")
        return
    against = options.against or newest()
    complaints = compare(read(against.read_text()), now)
    for complaint in complaints:
        print(f"{against.stem}: {complaint}")
    if complaints:
        sys.exit(1)
    print(f"compatible with {against.stem}: {len(now)} facts")


if __name__ == "__main__":
    main()
