#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
# cli.sh: the command itself: arguments, exit statuses, signals, realms. Usage: cli.sh USERBPF
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "$0")/tap.sh"
prepare "$1"

# status COMMAND...: its exit status; stdout and stderr go to $scratch/out and $scratch/err.
status() {
	"$@" >"$scratch/out" 2>"$scratch/err"
	echo $?
}

out() { cat "$scratch/out"; }
err() { cat "$scratch/err"; }

arguments() {
	is "no verb: status" 2 "$(status "$userbpf")"
	like "no verb: usage on stderr" '^Usage: userbpf VERB' "$(err)"
	is "--help: status" 0 "$(status "$userbpf" --help)"
	like "--help: names every verb" '^  features ' "$(out)"
	is "--version" 0 "$(status "$userbpf" --version)"
	like "--version: text" '^userbpf [0-9]+\.[0-9]+' "$(out)"
	is "unknown verb" 2 "$(status "$userbpf" frobnicate)"
	is "unknown verb: message" "userbpf: 'frobnicate' is not a verb
Try 'userbpf --help' for more information." "$(err)"
	is "unknown option" 2 "$(status "$userbpf" --frobnicate)"
	for verb in run trace realm features; do
		is "$verb --help" 0 "$(status "$userbpf" $verb --help)"
		like "$verb --help: usage" "^Usage: userbpf $verb" "$(out)"
		cp "$scratch/out" "$scratch/help"
		is "help $verb" 0 "$(status "$userbpf" help $verb)"
		is "help $verb: the same" "$(cat "$scratch/help")" "$(out)"
	done
	is "run: no command" 2 "$(status "$userbpf" run)"
	is "run: no command: message" "userbpf run: which command shall run?
Try 'userbpf run --help' for more information." "$(err)"
	is "run: unknown option" 2 "$(status "$userbpf" run --frob -- true)"
	is "run: unknown option: message" "userbpf run: unrecognized option '--frob'
Try 'userbpf run --help' for more information." "$(err)"
	is "run: bad realm name" 2 "$(status "$userbpf" run --realm a/b -- true)"
	is "run: hidden realm name" 2 "$(status "$userbpf" run --realm .a -- true)"
	is "run: reserved realm name" 2 "$(status "$userbpf" run --realm private-1 -- true)"
	is "run: --private --realm" 2 "$(status "$userbpf" run --private --realm a -- true)"
	is "run: unknown engine" 2 "$(status "$userbpf" run --engine warp -- true)"
	like "run: unknown engine: message" 'no such engine.*: warp' "$(err)"
	is "run: empty --dir" 2 "$(status "$userbpf" run --dir '' -- true)"
	is "trace: argument" 2 "$(status "$userbpf" trace x)"
	is "realm: no action" 2 "$(status "$userbpf" realm)"
	is "realm: unknown action" 2 "$(status "$userbpf" realm destroy)"
}

# On a small file system, in a mount namespace of its own, where that is allowed.
full_file_system() {
	unshare -m true 2>/dev/null || return
	mkdir "$scratch/small"
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'mount -t tmpfs -o size=2m,mode=0700 small "$1" && shift && exec "$@"' \
		sh "$scratch/small" "$userbpf" run -v --dir "$scratch/small" -- bpftool map create \
		/sys/fs/bpf/m type array key 4 value 4096 entries 1000 name m >"$scratch/out" 2>"$scratch/err"
	like "a full file system: which, how much, and what to do" \
		"^userbpf: no room for 41[0-9]+ bytes in $scratch/small/default .*USERBPF_DIR" "$(err)"
}

# core NAME PREFIX DIR: what must hold for every user; PREFIX is a command that changes the user.
core() {
	who=$1
	as=$2
	dir=$3
	# shellcheck disable=SC2086 # the prefix is several words
	run() { $as "$userbpf" run --dir "$dir" "$@"; }

	is "$who: exit status" 7 "$(status run -- sh -c 'exit 7')"
	is "$who: --private: exit status" 7 "$(status run --private -- sh -c 'exit 7')"
	is "$who: not found" 127 "$(status run -- "$scratch/none")"
	is "$who: not found: message" "userbpf: $scratch/none: No such file or directory" "$(err)"
	is "$who: not executable" 126 "$(status run -- "$scratch/other")"
	is "$who: --private: not found" 127 "$(status run --private -- "$scratch/none")"
	is "$who: arguments arrive" "a|b c|--|-v||" "$(run -- printf '%s|' a 'b c' -- -v '')"
	is "$who: no -- needed" "-n" "$(run printf '%s' -n)"
	is "$who: stdin arrives" "text" "$(echo text | run --private cat)"
	is "$who: death by signal" 143 "$(status run --private -- sh -c 'kill -TERM $$')"
	is "$who: death by SIGKILL" 137 "$(status run --private -- sh -c 'kill -KILL $$')"
	is "$who: death by abort" 134 "$(status run --private -- sh -c 'kill -ABRT $$')"
	like "$who: LD_PRELOAD is kept" "/libuserbpf-preload.so:libm.so.6\$" \
		"$(export LD_PRELOAD=libm.so.6 ASAN_OPTIONS=verify_asan_link_order=0
			run -- printenv LD_PRELOAD)"
	is "$who: a run in a run" "1" \
		"$(run -- "$userbpf" run -- printenv LD_PRELOAD | tr ':' '\n' |
			grep -c userbpf-preload)"
	is "$who: children follow" "bpf_fs" \
		"$(run --private -- sh -c 'sh -c "stat -f -c %T /sys/fs/bpf; :"; :')"
	is "$who: a realm stays" "here" \
		"$(run --realm stay -- mkdir /sys/fs/bpf/here; run --realm stay -- ls /sys/fs/bpf)"
	is "$who: realms are separate" "" "$(run --realm apart -- ls /sys/fs/bpf)"
	is "$who: a private realm goes" "" \
		"$(run --private -- mkdir /sys/fs/bpf/gone
			find "$dir" -maxdepth 1 -name 'private-*')"
	like "$who: a directory of somebody else" 'belongs to uid [0-9]+, not to you' \
		"$(run --dir "$foreign" -- true 2>&1)"
	is "$who: a directory of somebody else: status" 1 \
		"$(status run --dir "$foreign" -- true)"
	is "$who: no such parent" 1 "$(status run --dir "$dir/a/b/c" -- true)"
	is "$who: a file as directory" 1 "$(status run --dir "$userbpf" -- true)"
	like "$who: static program" 'warning: .* is statically linked' \
		"$(run -- /sbin/ldconfig --version 2>&1)"
}

open_directory() {
	mkdir -m 755 "$scratch/open"
	like "directory open to others" 'is open to other users \(mode 0755\)' \
		"$("$userbpf" run --dir "$scratch/open" -- true 2>&1)"
}

set_user_id() {
	[ -u /usr/bin/passwd ] && [ "$(id -u)" -ne 0 ] || return
	like "set-user-ID program" 'warning: .* set-user-ID' \
		"$("$userbpf" run --private --dir "$scratch/suid" -- passwd --help 2>&1)"
}

# The launcher of a private realm stands for its command.
signals() {
	dir=$scratch/signals
	"$userbpf" run --private --dir "$dir" -- sh -c \
		"trap 'echo got; exit 9' TERM; touch $scratch/ready; while :; do sleep 0.05; done" \
		>"$scratch/out" &
	launcher=$!
	wait_until test -e "$scratch/ready"
	kill -TERM $launcher
	wait $launcher
	is "a signal is forwarded" 9 $?
	is "the command got it once" got "$(out)"
	is "the realm is gone" "" "$(ls "$dir")"

	"$userbpf" run --private --dir "$dir" -- sleep 30 &
	launcher=$!
	wait_until sh -c "pgrep -P $launcher sleep >/dev/null"
	child=$(pgrep -P $launcher)
	kill -STOP "$child"
	wait_until grep -q '^State:.T' /proc/$launcher/status
	result $? "stops with its command"
	kill -CONT $launcher
	wait_until grep -q '^State:.S' "/proc/$child/status"
	result $? "continues with it"
	kill -KILL $launcher
	wait $launcher 2>/dev/null
	kill "$child"
	like "a killed launcher leaves its realm" '^private-' "$(ls "$dir")"
	"$userbpf" run --private --dir "$dir" -- true
	is "the next one removes it" "" "$(ls "$dir")"
}

concurrent() {
	dir=$scratch/concurrent
	for i in 1 2 3 4 5 6 7 8; do
		"$userbpf" run --private --dir "$dir" -- \
			sh -c "mkdir /sys/fs/bpf/d; test -d /sys/fs/bpf/d && echo $i" &
	done >"$scratch/out"
	wait
	is "private runs side by side" "1 2 3 4 5 6 7 8 " "$(sort "$scratch/out" | tr '\n' ' ')"
	is "nothing is left of them" "" "$(ls "$dir")"
}

trace() {
	dir=$scratch/trace
	mkdir -m 700 "$dir"
	is "trace: no realm" 1 "$(status "$userbpf" trace --dir "$dir")"
	mkdir -m 700 "$dir/default"
	is "trace: nothing yet" "" "$("$userbpf" trace --dir "$dir" 2>&1)"
	echo old >"$dir/default/trace.old"
	echo new >"$dir/default/trace"
	is "trace: old, then new" "old new " "$("$userbpf" trace --dir "$dir" | tr '\n' ' ')"
	USERBPF_DIR=$dir "$userbpf" trace -f >"$scratch/out" &
	follower=$!
	wait_until grep -q new "$scratch/out"
	echo more >>"$dir/default/trace"
	wait_until grep -q more "$scratch/out"
	result $? "trace -f: goes on"
	mv "$dir/default/trace" "$dir/default/trace.old"
	echo last >>"$dir/default/trace.old"
	echo next >"$dir/default/trace"
	wait_until grep -q next "$scratch/out"
	is "trace -f: across a rotation" "old new more last next " "$(tr '\n' ' ' <"$scratch/out")"
	kill $follower
}

realms() {
	dir=$scratch/realms
	is "realm list: no directory" 0 "$(status "$userbpf" realm list --dir "$dir")"
	"$userbpf" run --dir "$dir" --realm one -- mkdir /sys/fs/bpf/d
	"$userbpf" run --dir "$dir" --realm two -- true
	mkdir -p "$dir/two"
	touch "$dir/one/fs/d/pin"
	like "realm list" '^one +0 +1 +[0-9]+  no$' "$("$userbpf" realm list --dir "$dir")"
	like "realm list --json" '"name": *"one"' "$("$userbpf" realm list --json --dir "$dir")"
	is "realm clean" "removed two" "$("$userbpf" realm clean --dir "$dir")"
	is "realm clean: pins are kept" one "$(ls "$dir")"
	rm "$dir/one/fs/d/pin"
	"$userbpf" realm clean --dir "$dir" >/dev/null
	is "realm clean: without pins" "" "$(ls "$dir")"
}

features() {
	is "features" 0 "$(status "$userbpf" features)"
	like "features: served" '^  map_lookup_elem +supported$' "$(out)"
	like "features: not served" '^  LINK_CREATE +EINVAL: there is no ' "$(out)"
	is "features: argument" 2 "$(status "$userbpf" features x)"
	is "features --json" "hash 1 True" "$("$userbpf" features --json | python3 -c '
import json, sys
row = json.load(sys.stdin)["map_types"][0]
print(row["name"], row["number"], row["supported"])')"
}

installed() {
	mkdir -p "$scratch/usr/bin" "$scratch/usr/lib/userbpf"
	cp "$userbpf" "$scratch/usr/bin/"
	cp "$scratch/bin/libuserbpf-preload.so" "$scratch/usr/lib/userbpf/"
	is "the library of an installation" bpf_fs "$("$scratch/usr/bin/userbpf" run --private \
		--dir "$scratch/usr/realms" -- stat -f -c %T /sys/fs/bpf)"
}

exports() {
	is "exports nothing of its own" "" \
		"$(nm -D --defined-only "$scratch/bin/libuserbpf-preload.so" | awk '{ print $3 }' |
			grep -E '^(bpf_|btf_|libbpf_|perf_buffer_|ring_buffer_|userbpf|realm_|object_)')"
}

if [ "$(id -u)" -eq 0 ]; then
	foreign=$scratch/foreign
	mkdir -m 700 "$foreign"
	chown 12345 "$foreign"
	full_file_system
	core "root" "" "$scratch/root"
	core "nobody" "setpriv --reuid=65534 --regid=65534 --clear-groups" "$scratch/other/realms"
else
	foreign=/
	core "user" "" "$scratch/other/realms"
fi
arguments
open_directory
set_user_id
signals
concurrent
trace
realms
features
installed
exports
finish
