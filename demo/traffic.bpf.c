/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * traffic.bpf.c: two socket filters which count: bytes per IP protocol, and packets and bytes per
 * source address. Ordinary BPF: nothing here knows where it runs.
 *
 * Headers are read relative to the MAC header, so the programs see the same on a packet socket
 * and in BPF_PROG_TEST_RUN, which hands a socket filter its frame without the Ethernet header.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "traffic.h"

#define AF_INET 2
#define AF_INET6 10
#define EEXIST 17

#define MAX_VLAN_TAGS 4
#define MAX_EXTENSION_HEADERS 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} protocol_bytes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAME_KINDS);
	__type(key, __u32);
	__type(value, struct traffic);
} frames SEC(".maps");

/* When it is full, a new source takes the place of one that has not been heard for long. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct source_key);
	__type(value, struct traffic);
} sources SEC(".maps");

struct packet {
	struct source_key source;
	__u32 protocol;
};

static __always_inline long load(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	return bpf_skb_load_bytes_relative(skb, offset, to, size, BPF_HDR_START_MAC);
}

/* Whoever replays a capture puts the length on the wire in cb[0]; on a real socket it is 0. */
static __always_inline __u64 frame_bytes(struct __sk_buff *skb)
{
	__u32 wire_len = skb->cb[0];

	return wire_len ? wire_len : skb->len;
}

static __always_inline void add(struct traffic *t, __u64 bytes)
{
	__sync_fetch_and_add(&t->packets, 1);
	__sync_fetch_and_add(&t->bytes, bytes);
}

static __always_inline void count_frame(__u32 kind, __u64 bytes)
{
	struct traffic *t = bpf_map_lookup_elem(&frames, &kind);

	if (t)
		add(t, bytes);
}

static __always_inline bool is_vlan(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool is_extension(__u32 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_DSTOPTS;
}

static __always_inline enum frame_kind parse_ipv4(struct __sk_buff *skb, __u32 offset,
						  struct packet *p)
{
	struct iphdr ip;

	if (load(skb, offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return FRAME_DAMAGED;
	p->source.family = AF_INET;
	__builtin_memcpy(p->source.address, &ip.saddr, sizeof(ip.saddr));
	p->protocol = ip.protocol;
	return FRAME_IP;
}

/*
 * The protocol is the one behind the extension headers. Where they are cut off, or more than
 * MAX_EXTENSION_HEADERS, it is the last one which could be read.
 */
static __always_inline enum frame_kind parse_ipv6(struct __sk_buff *skb, __u32 offset,
						  struct packet *p)
{
	struct ipv6hdr ip;
	struct ipv6_opt_hdr ext;

	if (load(skb, offset, &ip, sizeof(ip)) || ip.version != 6)
		return FRAME_DAMAGED;
	p->source.family = AF_INET6;
	__builtin_memcpy(p->source.address, &ip.saddr, sizeof(ip.saddr));
	p->protocol = ip.nexthdr;
	offset += sizeof(ip);
	for (int i = 0; i < MAX_EXTENSION_HEADERS && is_extension(p->protocol); i++) {
		if (load(skb, offset, &ext, sizeof(ext)))
			break;
		offset += p->protocol == IPPROTO_FRAGMENT ? 8 : (ext.hdrlen + 1) * 8;
		p->protocol = ext.nexthdr;
	}
	return FRAME_IP;
}

static __noinline enum frame_kind parse_frame(struct __sk_buff *skb, struct packet *p)
{
	__u32 offset = offsetof(struct ethhdr, h_proto);
	__be16 type;

	if (load(skb, offset, &type, sizeof(type)))
		return FRAME_DAMAGED;
	for (int i = 0; i < MAX_VLAN_TAGS && is_vlan(type); i++) {
		offset += 4;
		if (load(skb, offset, &type, sizeof(type)))
			return FRAME_DAMAGED;
	}
	offset += sizeof(type);
	switch (bpf_ntohs(type)) {
	case ETH_P_IP:
		return parse_ipv4(skb, offset, p);
	case ETH_P_IPV6:
		return parse_ipv6(skb, offset, p);
	case ETH_P_ARP:
		return FRAME_ARP;
	default:
		return FRAME_OTHER;
	}
}

SEC("socket")
int count_protocols(struct __sk_buff *skb)
{
	struct packet p = {};
	__u64 bytes = frame_bytes(skb);
	enum frame_kind kind = parse_frame(skb, &p);
	__u64 *sum;

	count_frame(kind, bytes);
	if (kind != FRAME_IP)
		return 0;
	sum = bpf_map_lookup_elem(&protocol_bytes, &p.protocol);
	if (sum)
		__sync_fetch_and_add(sum, bytes);
	return 0;
}

SEC("socket")
int count_sources(struct __sk_buff *skb)
{
	struct packet p = {};
	struct traffic first = {.packets = 1, .bytes = frame_bytes(skb)};
	struct traffic *t;

	if (parse_frame(skb, &p) != FRAME_IP)
		return 0;
	t = bpf_map_lookup_elem(&sources, &p.source);
	if (!t) {
		long err = bpf_map_update_elem(&sources, &p.source, &first, BPF_NOEXIST);

		if (!err)
			return 0;
		/* Another CPU was first: its element is there now. */
		if (err == -EEXIST)
			t = bpf_map_lookup_elem(&sources, &p.source);
	}
	if (t)
		add(t, first.bytes);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
