#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#
# demo.sh: the demo's program under userbpf, and natively where that is permitted, on the recorded
# capture and on odd ones, against counts made without BPF (capture.py). TAP on standard output.
# Build products from $BUILD (build/). As root, what runs under userbpf runs as uid 65534.
set -u

here=$(cd "$(dirname "$0")" && pwd)
demo=$(cd "$here/../../demo" && pwd)
build=$(cd "${BUILD:-$here/../../build}" && pwd) || exit 1
traffic=$build/demo/traffic
capture=$here/capture.py
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
pins=/sys/fs/bpf/traffic

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
mkdir -m 700 "$tmp/realms"
mkdir "$tmp/odd"
unprivileged=()
if [ "$(id -u)" = 0 ]; then
	unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chown 65534:65534 "$tmp/realms"
	# A checkout in /root: uid 65534 works on copies.
	if ! "${unprivileged[@]}" test -x "$traffic"; then
		mkdir -p "$tmp/build/demo"
		cp "$build/userbpf" "$build/libuserbpf-preload.so" "$tmp/build"
		cp "$traffic" "$tmp/build/demo"
		build=$tmp/build traffic=$tmp/build/demo/traffic
	fi
fi
cp "$demo/traffic.pcap" "$tmp/real.pcap"
chmod 644 "$tmp/real.pcap"
"$capture" make "$tmp/odd"
cd "$tmp" || exit 1

cases=0
failures=0

# check NAME COMMAND...: one case; what a failing command printed follows as a comment.
check()
{
	local name=$1 not=

	shift
	cases=$((cases + 1))
	if ! "$@" >"$tmp/said" 2>&1; then
		not='not '
		failures=$((failures + 1))
	fi
	echo "${not}ok $cases - $name"
	[ -z "$not" ] || sed 's/^/# /' "$tmp/said"
}

skip()
{
	cases=$((cases + 1))
	echo "ok $cases - $1 # SKIP $2"
}

userbpf_run() { timeout 120 "${unprivileged[@]}" "$build/userbpf" run --dir "$tmp/realms" "$@"; }
private() { userbpf_run --private -- "$@"; }
in_realm() { userbpf_run --realm demo -- "$@"; }
natively() { [ "${USERBPF_TEST_NATIVE-}" != no ] && timeout 120 "$@"; }

# counts_as_expected PREFIX FILE: the program ends well and agrees with the count without BPF.
counts_as_expected()
{
	"$1" "$traffic" --json "$2" >"$tmp/json" && "$capture" same "$2" "$tmp/json"
}

# fails STATUS PATTERN COMMAND...: exit status STATUS, PATTERN on standard error.
fails()
{
	local status=0 wanted=$1 pattern=$2

	shift 2
	"$@" >/dev/null 2>"$tmp/message" || status=$?
	cat "$tmp/message"
	echo "status $status"
	[ $status = "$wanted" ] && grep -q -- "$pattern" "$tmp/message"
}

# A capture that ends within a frame: told, but counted as far as it goes.
counts_what_is_left()
{
	fails 1 'ends badly' private "$traffic" --json "$1" &&
		! private "$traffic" --json "$1" >"$tmp/json" 2>/dev/null &&
		"$capture" same "$1" "$tmp/json"
}

maps_in_bpftool()
{
	local map

	in_realm "$traffic" --json --pin "$pins" "$tmp/real.pcap" >"$tmp/json" || return 1
	for map in protocol_bytes sources frames; do
		in_realm bpftool -j map dump pinned "$pins/$map" >"$tmp/$map" || return 1
	done
	"$capture" same_maps "$tmp/json" "$tmp/protocol_bytes" "$tmp/sources" "$tmp/frames"
}

small_source_table()
{
	private "$traffic" --json --sources 3 "$tmp/real.pcap" >"$tmp/json" &&
		python3 -c '
import json, sys
r = json.load(sys.stdin)
counted = sum(s["packets"] for s in r["sources"]), sum(s["bytes"] for s in r["sources"])
gone, ip = r["evicted"], r["kinds"]["ip"]
assert 0 < len(r["sources"]) <= 3 and 0 < gone["packets"] < ip["packets"]
assert counted[0] + gone["packets"] == ip["packets"] and counted[1] + gone["bytes"] == ip["bytes"]
' <"$tmp/json"
}

prints_tables()
{
	private "$traffic" --top 3 "$tmp/real.pcap" >"$tmp/table" || return 1
	cat "$tmp/table"
	# The name comes from /etc/protocols, which small systems lack.
	grep -qE '^  (tcp|protocol) \(6\) +[0-9.]+ [kM]B +[0-9.]+ %$' "$tmp/table" &&
		grep -q '^  no IP: ARP ' "$tmp/table" &&
		grep -q 'the first 3 of ' "$tmp/table" &&
		grep -qE '^  [0-9a-f.:]+ +[0-9.]+ [kM]?B +[0-9.]+ % +[0-9]+$' "$tmp/table"
}

from_standard_input()
{
	private "$traffic" --json - <"$tmp/real.pcap" >"$tmp/json" &&
		"$capture" same "$tmp/real.pcap" "$tmp/json"
}

whole_demo()
{
	BUILD=$BUILD timeout 120 "$demo/demo" "$@" >"$tmp/demo" 2>&1
	local status=$?

	cat "$tmp/demo"
	[ $status = 0 ] && grep -qE '^(Identical|Not compared): ' "$tmp/demo" &&
		grep -q '^The demo took ' "$tmp/demo"
}

# Build and capture in a directory that uid 65534 cannot enter, as in a checkout in /root.
whole_demo_behind_closed_doors()
{
	mkdir -m 700 "$tmp/closed" && mkdir "$tmp/closed/demo" &&
		cp "$build/userbpf" "$build/libuserbpf-preload.so" "$tmp/closed" &&
		cp "$traffic" "$tmp/closed/demo" &&
		install -m 600 "$tmp/real.pcap" "$tmp/closed/own.pcap" &&
		BUILD=$tmp/closed whole_demo "$tmp/closed/own.pcap"
}

check 'the recorded capture has every kind of traffic' "$capture" has "$tmp/real.pcap"
check 'userbpf: the recorded capture' counts_as_expected private "$tmp/real.pcap"
for odd in odd random nano many empty; do
	check "userbpf: $odd.pcap" counts_as_expected private "$tmp/odd/$odd.pcap"
done
check 'userbpf: cut.pcap' counts_what_is_left "$tmp/odd/cut.pcap"
check 'userbpf: standard input' from_standard_input
check 'userbpf: a source table that is too small' small_source_table
check 'userbpf: the tables' prints_tables
check 'userbpf: bpftool sees the pinned maps' maps_in_bpftool
check 'userbpf: pins are not overwritten' fails 1 'hold no maps yet' \
	in_realm "$traffic" --pin "$pins" "$tmp/real.pcap"
check 'no such file' fails 1 'No such file' private "$traffic" "$tmp/none.pcap"
check 'not a capture' fails 1 'Give a pcap' private "$traffic" "$tmp/odd/text.pcap"
check 'not Ethernet' fails 1 'no Ethernet frames' private "$traffic" "$tmp/odd/cooked.pcap"
check 'a wrong number' fails 2 'wants a number' private "$traffic" --top 0 "$tmp/real.pcap"
check 'no file at all' fails 2 'which capture' private "$traffic"

if "${unprivileged[@]}" "$traffic" "$tmp/odd/empty.pcap" >/dev/null 2>&1; then
	skip 'without permission' 'anybody may use bpf(2) here'
else
	check 'without permission' fails 77 'userbpf run --' \
		"${unprivileged[@]}" "$traffic" "$tmp/real.pcap"
fi
if natively "$traffic" "$tmp/odd/empty.pcap" >/dev/null 2>&1; then
	for file in real.pcap odd/many.pcap; do
		check "kernel: $file" counts_as_expected natively "$tmp/$file"
	done
	# Which frames TEST_RUN refuses, depends on the version.
	oldest=$(printf '6.18\n%s\n' "$(uname -r)" | sort -V | head -n 1)
	for file in odd/odd.pcap odd/random.pcap; do
		if [ "$oldest" = 6.18 ]; then
			check "kernel: $file" counts_as_expected natively "$tmp/$file"
		else
			skip "kernel: $file" 'Linux is older than 6.18'
		fi
	done
else
	skip 'kernel' 'bpf(2) is not permitted here'
fi
BUILD=$build
check 'the whole demo' whole_demo
check 'the whole demo where only its owner may go' whole_demo_behind_closed_doors
check 'the demo on a missing file' fails 1 'cannot read' env BUILD="$build" "$demo/demo" "$tmp/none"

echo "1..$cases"
[ $failures = 0 ]
