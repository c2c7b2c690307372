# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
# tap.sh: the few functions that the shell tests share; sourced. $1 of the test is the userbpf
# binary. Results go to stdout as TAP, what a case printed goes to comments.
# shellcheck shell=sh

cases=0
failures=0

# result STATUS NAME [DETAIL]
result() {
	cases=$((cases + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $cases - $2"
	else
		failures=$((failures + 1))
		echo "not ok $cases - $2"
		printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

# is NAME EXPECTED ACTUAL
is() {
	[ "$2" = "$3" ]
	result $? "$1" "expected: $2
got:      $3"
}

# like NAME PATTERN TEXT
like() {
	printf '%s\n' "$3" | grep -Eq -- "$2"
	result $? "$1" "no '$2' in: $3"
}

# skip_all REASON
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# Waits up to ten seconds until the command given succeeds.
wait_until() {
	for _ in $(seq 200); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

finish() {
	echo "1..$cases"
	[ "$failures" -eq 0 ]
	exit $?
}

# A scratch directory, removed at the end, with a copy of the command and its library that every
# user can reach; an ordinary user may write to $scratch/other.
prepare() {
	scratch=$(mktemp -d) || exit 99
	trap 'rm -rf "$scratch"' EXIT
	mkdir "$scratch/bin" "$scratch/other"
	cp "$1" "$(dirname "$1")/libuserbpf-preload.so" "$scratch/bin/" || exit 99
	chmod 755 "$scratch" "$scratch/bin" "$scratch/bin/"*
	[ "$(id -u)" -ne 0 ] || chown 65534:65534 "$scratch/other"
	export userbpf="$scratch/bin/userbpf"
	unset USERBPF_DIR USERBPF_REALM USERBPF_VERBOSE
}
