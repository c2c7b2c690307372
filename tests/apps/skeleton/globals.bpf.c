/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * globals.bpf.c: programs whose state lies in global variables of every kind, and in one map.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "globals.h"

/* .rodata: set by the application before loading. */
const volatile __u32 limit = 10;
const volatile char label[8] = "default";

/* .data: starting values of the object file. */
struct pair pair = {.step = 1};
__u64 history[4] = {100, 200, 300, 400};

/* .bss */
__u64 total;
__u32 over_limit;
static __u32 hidden; /* not in the skeleton's names, but in its memory */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} lengths SEC(".maps");

SEC("socket")
int count(struct __sk_buff *skb)
{
	__u32 len = skb->len;
	__u64 one = 1, *seen;

	pair.runs += pair.step;
	pair.last_len = len;
	history[hidden++ & 3] = len;
	__sync_fetch_and_add(&total, len);
	if (len > limit)
		over_limit++;
	seen = bpf_map_lookup_elem(&lengths, &len);
	if (seen)
		__sync_fetch_and_add(seen, 1);
	else
		bpf_map_update_elem(&lengths, &len, &one, BPF_NOEXIST);
	return label[0];
}

SEC("tc")
int reset(struct __sk_buff *skb)
{
	total = 0;
	over_limit = 0;
	hidden = 0;
	pair.runs = 0;
	return 7;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
