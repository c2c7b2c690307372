#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
# bpftool.sh: sessions with the unmodified bpftool. Each step prints what it said; ids, times and
# sizes that may differ are masked, the rest must be what the kernel answers: the steps also run
# natively where that is permitted; elsewhere bpftool.expected has the kernel's recorded answers.
# Usage: bpftool.sh USERBPF PROGRAM.bpf.o [--record]
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"

fs=/sys/fs/bpf

# step NAME COMMAND...: a heading, what the command says, its exit status.
step() {
	echo "## $1"
	shift
	"$@" 2>&1
	echo "status $?"
}

map_steps() {
	step "map create" bpftool map create $fs/h type hash key 4 value 8 entries 4 name ub_counts
	step "map create: again" bpftool map create $fs/h type hash key 4 value 8 entries 4 name ub_counts
	step "map create: bad type" bpftool map create $fs/bad type hash key 0 value 8 entries 4 name bad
	step "map update" bpftool map update pinned $fs/h key 1 0 0 0 value 5 0 0 0 0 0 0 0
	step "map update: second" bpftool map update pinned $fs/h key 2 0 0 0 \
		value 6 0 0 0 0 0 0 0 noexist
	step "map update: noexist" bpftool map update pinned $fs/h key 2 0 0 0 value 7 0 0 0 0 0 0 0 noexist
	step "map update: exist" bpftool map update pinned $fs/h key 9 0 0 0 value 7 0 0 0 0 0 0 0 exist
	step "map lookup" bpftool map lookup pinned $fs/h key 1 0 0 0
	step "map lookup: missing" bpftool map lookup pinned $fs/h key 9 0 0 0
	step "map getnext: last" sh -c "bpftool map getnext pinned $fs/h key 9 0 0 0 | grep -c ' 00 00 00'"
	step "map dump" sh -c "bpftool map dump pinned $fs/h | sort"
	step "map dump: json" sh -c "bpftool -j map dump pinned $fs/h | tr -d ' \n' | wc -c"
	step "map show: pinned" bpftool map show pinned $fs/h
	step "map show: name" bpftool map show name ub_counts
	step "map show: where pinned" bpftool -f map show name ub_counts
	step "map delete" bpftool map delete pinned $fs/h key 1 0 0 0
	step "map delete: missing" bpftool map delete pinned $fs/h key 1 0 0 0
	step "map dump: one" bpftool map dump pinned $fs/h
	step "map fill" sh -c "for i in 3 4 5; do bpftool map update pinned $fs/h \
		key \$i 0 0 0 value 1 0 0 0 0 0 0 0; done"
	step "map full" bpftool map update pinned $fs/h key 6 0 0 0 value 1 0 0 0 0 0 0 0
	step "map pin: second name" bpftool map pin name ub_counts $fs/h2
	step "unlink" rm $fs/h
	step "map show: by the second name" bpftool map show pinned $fs/h2
	step "map pin: not below bpffs" bpftool -n map pin name ub_counts /userbpf-no-pin
	step "map freeze" bpftool map freeze pinned $fs/h2
	step "map update: frozen" bpftool map update pinned $fs/h2 key 3 0 0 0 value 5 0 0 0 0 0 0 0
	step "map show: frozen" bpftool map show pinned $fs/h2
	step "unlink: last" rm $fs/h2
	step "map show: gone" bpftool map show name ub_counts
}

array_steps() {
	step "array: create" bpftool map create $fs/a type array key 4 value 4 entries 2 name arr
	step "array: update" bpftool map update pinned $fs/a key 1 0 0 0 value 1 2 3 4
	step "array: dump" bpftool map dump pinned $fs/a
	step "array: beyond the end" bpftool map update pinned $fs/a key 2 0 0 0 value 1 2 3 4
	step "array: delete" bpftool map delete pinned $fs/a key 1 0 0 0
	step "percpu: create" bpftool map create $fs/p type percpu_array key 4 value 8 entries 2 name pc
	step "percpu: update" bpftool map update pinned $fs/p key 1 0 0 0 value 5 0 0 0 0 0 0 0
	step "percpu: dump" sh -c "bpftool map dump pinned $fs/p | uniq"
	step "percpu hash" bpftool map create $fs/ph type percpu_hash key 4 value 4 entries 2 name ph
	step "percpu hash: update" bpftool map update pinned $fs/ph key 7 0 0 0 value 5 0 0 0
	step "percpu hash: dump" sh -c "bpftool map dump pinned $fs/ph | uniq"
	step "array: show" bpftool map show pinned $fs/a
	step "percpu: show" bpftool map show pinned $fs/p
	step "arrays: unlink" rm $fs/a $fs/p $fs/ph
}

prog_steps() {
	step "prog loadall" bpftool prog loadall "$object" $fs/progs pinmaps $fs/maps
	step "pins" sh -c "find $fs/progs $fs/maps -type f | sort"
	step "prog show" bpftool prog show pinned $fs/progs/count
	step "prog show: where pinned" sh -c "bpftool -f prog show name reset | grep pinned"
	step "prog dump xlated: text" sh -c "bpftool prog dump xlated pinned $fs/progs/reset"
	step "prog dump xlated: lines" sh -c "bpftool prog dump xlated pinned $fs/progs/count |
		grep -c '^; '"
	step "prog run" bpftool prog run pinned $fs/progs/count data_in "$object.in" repeat 3
	step "prog run: data_out" sh -c "bpftool prog run pinned $fs/progs/reset data_in $object.in \
		data_out $object.out && cmp $object.in $object.out"
	step "prog run: too short" sh -c "head -c 10 $object.in >$object.10 &&
		bpftool prog run pinned $fs/progs/count data_in $object.10"
	step "map dump: BTF" bpftool map dump pinned $fs/maps/lengths
	step "prog run: again" bpftool prog run pinned $fs/progs/count data_in "$object.in"
	step "map dump: .bss" bpftool map dump pinned $fs/maps/globals_bss
	step "map dump: .data" bpftool map dump pinned $fs/maps/globals_data
	step "map dump: .rodata" bpftool map dump pinned $fs/maps/globals_rodata
	step "map show: .rodata" bpftool map show pinned $fs/maps/globals_rodata
	step "map show: with BTF" bpftool map show pinned $fs/maps/lengths
	step "btf dump: map" bpftool btf dump map pinned $fs/maps/lengths
	step "btf dump: prog" sh -c "bpftool btf dump prog pinned $fs/progs/count | head -n 20"
	step "prog pin" sh -c "bpftool prog pin pinned $fs/progs/reset $fs/again && rm $fs/again"
	step "unlink: all" rm -r $fs/progs $fs/maps
}

session() {
	object=$1
	step "version" bpftool version
	map_steps
	array_steps
	prog_steps
}

# What may differ: ids, times, what the kernel's allocator, its rewriting and its JIT make of it.
mask() {
	sed -E -e 's/^[0-9]+: /ID: /' -e 's/"id": [0-9]+/"id": ID/' \
		-e 's/(map_ids|btf_id|prog_ids) [0-9,]+/\1 IDS/' -e 's/map\[id:[0-9]+\]/map[id:ID]/' \
		-e 's/loaded_at .*$/loaded_at TIME/' -e 's/(duration.*): [0-9]+ns/\1/' \
		-e 's/  (not jited|(xlated|jited|memlock) [0-9]+B)//g' -e 's/\txlated [0-9]+B/\t/' \
		-e 's/CPU [0-9]+/CPU/' -e "s,$object,OBJECT,g"
}

# block NAME FILE: the lines of one step.
block() {
	awk -v name="## $1" '$0 == name { on = 1; next } /^## / { on = 0 } on' "$2"
}

# compare PREFIX EXPECTED GOT: one case for each step.
compare() {
	grep '^## ' "$2" | cut -c 4- >"$scratch/steps"
	while IFS= read -r name; do
		is "$1: $name" "$(block "$name" "$2")" "$(block "$name" "$3")"
	done <"$scratch/steps"
}

# On a bpffs in a mount namespace of its own, as bpftool would mount one for everybody.
native() {
	# Not on top of another one: bpftool would show each pin once for every mount.
	unshare --mount sh -c 'umount -a -t bpf; mount -t bpf bpf /sys/fs/bpf && exec sh "$@"' sh \
		"$here/bpftool.sh" --session "$object"
}

# Every command in a process and a launcher of its own; only the realm holds them together.
processes() {
	who=$1
	as=$2
	dir=$3
	# shellcheck disable=SC2086 # the prefix is several words
	bt() { $as "$userbpf" run --dir "$dir" --realm session -- bpftool "$@" 2>&1; }

	is "$who: create" "" "$(bt map create $fs/m type hash key 4 value 4 entries 8 name shared)"
	is "$who: update" "" "$(bt map update pinned $fs/m key 1 0 0 0 value 2 0 0 0)"
	is "$who: lookup" "key: 01 00 00 00  value: 02 00 00 00" \
		"$(bt map lookup pinned $fs/m key 1 0 0 0)"
	like "$who: show" '^[0-9]+: hash  name shared' "$(bt map show)"
	id=$(bt map show | sed -n 's/^\([0-9]*\): .*/\1/p')
	is "$who: update by id" "" "$(bt map update id "$id" key 2 0 0 0 value 3 0 0 0)"
	like "$who: dump by id" 'Found 2 elements' "$(bt map dump id "$id")"
	is "$who: delete" "" "$(bt map delete id "$id" key 1 0 0 0)"
	like "$who: dump after it" 'Found 1 element$' "$(bt map dump name shared)"
	is "$who: pin again" "" "$(bt map pin id "$id" $fs/n)"
	like "$who: both pins" "pinned $fs/m|pinned $fs/n" "$(bt -f map show)"
	is "$who: load" "" "$(bt prog load "$object" $fs/prog)"
	like "$who: run" '^Return value: ' "$(bt prog run pinned $fs/prog data_in "$object.in")"
	like "$who: the verbose summary" 'served: .*MAP_' \
		"$($as "$userbpf" run -v --dir "$dir" --realm session -- bpftool map show 2>&1)"
	$as "$userbpf" run --dir "$dir" --realm session -- rm $fs/m $fs/n $fs/prog
	is "$who: all gone" "" "$(bt map show; bt prog show; bt btf show)"
}

if [ "$1" = --session ]; then
	session "$2"
	exit
fi

command -v bpftool >/dev/null || PATH=$PATH:/usr/sbin:/sbin
command -v bpftool >/dev/null || skip_all "bpftool is not installed"
export PATH LC_ALL=C
prepare "$1"
object=$scratch/other/globals.bpf.o
cp "$2" "$object"
cp "$here/bpftool.sh" "$here/tap.sh" "$scratch/bin"
head -c 64 /dev/zero >"$object.in"
chmod 644 "$object"*

expected=$here/bpftool.expected
if [ "$3" = --record ]; then
	native | mask >"$expected"
	exit
fi
if [ "$(id -u)" -eq 0 ] && [ "${USERBPF_TEST_NATIVE-}" != no ] &&
	unshare --mount mount -t bpf bpf /sys/fs/bpf 2>/dev/null; then
	expected=$scratch/native
	native | mask >"$expected"
fi
rm -f "$object.out" "$object.10" # of the native session
nobody=
[ "$(id -u)" -ne 0 ] || nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
$nobody "$userbpf" run --private --dir "$scratch/other/private" -- \
	sh "$scratch/bin/bpftool.sh" --session "$object" | mask >"$scratch/got"
compare userbpf "$expected" "$scratch/got"
if [ -n "$nobody" ]; then
	processes root "" "$scratch/root"
	processes nobody "$nobody" "$scratch/other/realms"
else
	processes user "" "$scratch/other/realms"
fi
finish
