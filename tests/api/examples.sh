#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
# examples.sh: runs the examples, each in a directory for realms of its own, and compares what they
# print. Usage: examples.sh BUILD-DIRECTORY OBJECT
set -u
examples=$1/examples
object=$2
number=0

example() { # expected output, program, arguments...
	local expected=$1 name output
	shift
	name=$(basename "$1")
	number=$((number + 1))
	if [ ! -x "$1" ]; then
		echo "ok $number - $name # SKIP not built"
		return
	fi
	USERBPF_DIR=$(mktemp -d /dev/shm/userbpf-test-XXXXXX)
	export USERBPF_DIR
	if output=$("$@" 2>&1) && [[ $output == $expected ]]; then
		echo "ok $number - $name"
	else
		echo "# $output"
		echo "not ok $number - $name"
	fi
	rm -rf "$USERBPF_DIR"
}

echo "1..5"
example "200000 visits by two processes" "$examples/shared_table"
example "*job 1000: say 1000 *" "$examples/work_queue"
example "*64000 of 128000 packets passed, 64000 of them UDP"* "$examples/packets" "$object"
example "*64000 of 128000 packets passed, 64000 of them UDP"* "$examples/packets" "$object" trust
example "square of 1: known; old ones forgotten" "$examples/recent"
