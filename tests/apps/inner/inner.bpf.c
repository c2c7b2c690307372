/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * inner.bpf.c: maps of maps in libbpf's declarative form: inner maps of their own names, put into
 * outer ones by static initialisers, with holes.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct counts {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} low SEC(".maps"), high SEC(".maps");

struct names {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} red SEC(".maps"), blue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct counts);
} by_size SEC(".maps") = {
	.values = {&low, [2] = &high, [3] = &low},
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct names);
} by_colour SEC(".maps") = {
	.values = {[1] = &red, [5] = &blue},
};

__u32 size_class, colour;

/* Counts in the inner array of the size class; 0 where there is none, else 1. */
SEC("socket")
int count(struct __sk_buff *skb)
{
	__u32 outer = size_class, slot = skb->len & 3;
	void *inner = bpf_map_lookup_elem(&by_size, &outer);
	__u64 *seen = inner ? bpf_map_lookup_elem(inner, &slot) : 0;

	if (!seen)
		return 0;
	__sync_fetch_and_add(seen, 1);
	return 1;
}

/* Remembers the length under the colour; what bpf_map_update_elem() said, 100 without a map. */
SEC("tc")
int remember(struct __sk_buff *skb)
{
	__u32 outer = colour, len = skb->len;
	void *inner = bpf_map_lookup_elem(&by_colour, &outer);
	__u64 value = len * 2;

	return inner ? bpf_map_update_elem(inner, &len, &value, BPF_NOEXIST) : 100;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
