#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
"""probe.py: bpftool's probes of features find what `userbpf features` says. Usage: probe.py USERBPF

libbpf's probes load and create; what they find must be what is served, neither more nor less. Why a helper is
not, `userbpf run -v` tells.
"""
import json
import os
import re
import shutil
import subprocess
import sys

# bpftool asks for these only with "full", since the probe would write to the kernel's log.
NOT_ASKED = {"trace_printk", "trace_vprintk", "probe_write_user"}
TOO_NEW = {"cgrp_storage_get", "cgrp_storage_delete"}  # for bpftool 7.1


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True)


def differences(userbpf):
    served = json.loads(run(userbpf, "features", "--json").stdout)
    probe = run(userbpf, "run", "-v", "--private", "--", "bpftool", "feature", "probe", "kernel")
    text = probe.stdout
    for section, word in (("map_types", "map_type"), ("program_types", "program_type")):
        for row in served[section]:
            found = re.search(rf"^eBPF {word} {row['name']} is (NOT )?available", text, re.M)
            if found and (found[1] is None) != row["supported"]:
                yield f"{word} {row['name']}: {found[0]}"
    found = set(re.findall(r"^\s*- bpf_(\w+)", text, re.M))
    helpers = {row["name"] for row in served["helpers"] if row["supported"]}
    for name in sorted((found ^ helpers) - NOT_ASKED):
        yield f"helper {name}: {'found' if name in found else 'not found'}"
    for row in served["helpers"]:
        if "reason" in row and row["name"] not in NOT_ASKED | TOO_NEW and \
                f"helper bpf_{row['name']}: {row['reason']} (errno" not in probe.stderr:
            yield f"helper {row['name']}: -v does not say why not"


def main():
    if not shutil.which("bpftool"):
        print("1..0 # SKIP no bpftool")
        return
    if os.geteuid():
        print("1..0 # SKIP bpftool probes for root only")
        return
    print("1..1")
    wrong = list(differences(sys.argv[1]))
    print("\n".join(f"# {line}" for line in wrong))
    print(f"{'not ' if wrong else ''}ok 1 - bpftool feature probe")
    sys.exit(bool(wrong))


main()
