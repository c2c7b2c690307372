#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
"""exports: the public header compiles alone, and the library exports what it and the maps say.

Usage: exports.py LIBRARY CC [CXX]. Prints TAP.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "include/userbpf/userbpf.h"
FOREIGN = ("bpf_", "btf_", "libbpf_", "ring_buffer_", "perf_buffer_")


def names_of(version_script):
    """The names between global: and local: or the end of the node."""
    text = re.sub(r"/\*.*?\*/", "", version_script.read_text(), flags=re.S)
    return set(re.findall(r"(\w+);", text.split("global:")[1].split("local:")[0]))


def exported(library):
    """Name: version of every symbol that the library defines."""
    output = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout
    symbols = (line.split()[-1] for line in output.splitlines() if " A " not in line)
    return dict((symbol.split("@@") + [""])[:2] for symbol in symbols)


def header_problems(compilers):
    for compiler, language, standard in compilers:
        run = subprocess.run(
            [*compiler.split(), "-x", language, f"-std={standard}", "-pedantic", "-Wall", "-Wextra",
             "-Werror", "-fsyntax-only", str(HEADER)],
            capture_output=True, text=True, check=False,
        )
        if run.returncode:
            yield f"{compiler} -std={standard}: {run.stderr}"


def export_problems(library):
    ours = names_of(ROOT / "src/entry/libuserbpf.map")
    libc = names_of(ROOT / "src/entry/preload.map")
    wanted = {name: "USERBPF_0.1" for name in ours} | {name: "" for name in libc}
    found = exported(library)
    for name in sorted(wanted.keys() ^ found.keys()):
        yield f"{name}: {'not exported' if name in wanted else 'in no map'}"
    for name in sorted(wanted.keys() & found.keys()):
        if found[name] != wanted[name]:
            yield f"{name}: has version '{found[name]}', not '{wanted[name]}'"
    for name in sorted(found):
        if name.startswith(FOREIGN):
            yield f"{name}: belongs to libbpf"


def declaration_problems():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    declared = set(re.findall(r"\b(userbpf_\w+)\(", text))
    for name in sorted(declared ^ names_of(ROOT / "src/entry/libuserbpf.map")):
        yield f"{name}: {'no export' if name in declared else 'not declared'}"


def unload_problems(library):
    """Threads of ours run in it, whoever calls dlclose()."""
    output = subprocess.run(
        ["readelf", "-d", library], check=True, capture_output=True, text=True
    ).stdout
    if "NODELETE" not in output:
        yield "dlclose() unmaps the library"


def main():
    library, compiler, *plus = sys.argv[1:]
    compilers = [(compiler, "c", "c99"), (compiler, "c", "c11")]
    compilers += [(name, "c++", "c++17") for name in plus]
    cases = [
        ("the header compiles alone", header_problems(compilers)),
        ("the library exports what its maps say", export_problems(library)),
        ("the header declares what the library exports", declaration_problems()),
        ("the library stays where it is", unload_problems(library)),
    ]
    print(f"1..{len(cases)}")
    failed = False
    for number, (name, problems) in enumerate(cases, 1):
        found = list(problems)
        for problem in found:
            print("#", problem.replace("\n", "\n# "))
        print(f"{'not ok' if found else 'ok'} {number} - {name}")
        failed |= bool(found)
    return failed


if __name__ == "__main__":
    sys.exit(main())
