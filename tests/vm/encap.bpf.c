/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * encap.bpf.c: programs that wrap and translate packets. Each returns how many of its checks hold,
 * or less than 0 and the first that does not.
 */
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EINVAL 22
#define ENOENT 2
#define ENOMEM 12
#define EPROTO 71
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		done++;                                                                            \
		if (!(condition))                                                                  \
			return -done;                                                              \
	} while (0)

#define SET(key, size, flags) bpf_skb_set_tunnel_key(skb, key, size, flags)
#define GET(key, size, flags) bpf_skb_get_tunnel_key(skb, key, size, flags)
#define ALL sizeof(struct bpf_tunnel_key)
#define BEFORE(field) offsetof(struct bpf_tunnel_key, field)

/* As flags of a tunnel. */
enum { CSUM = 1, KEY = 4, SEQ = 8, DONT_FRAGMENT = 0x100, NOCACHE = 0x2000, OPTIONS = 0xd800 };

SEC("tc") int ipv4_key(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {.tunnel_id = 7, .remote_ipv4 = 0x0a000001, .tunnel_tos = 3,
				     .tunnel_ttl = 9, .local_ipv4 = 0x0a000002}, got;
	int done = 0;

	CHECK(GET(&got, ALL, 0) == -EINVAL && !got.tunnel_id);
	CHECK(SET(&key, ALL, 32) == -EINVAL);
	CHECK(SET(&key, ALL - 4, 0) == -EINVAL);
	CHECK(SET(&key, ALL, 0) == 0);
	CHECK(GET(&got, ALL, 0) == 0);
	CHECK(got.tunnel_id == 7 && got.tunnel_tos == 3 && got.tunnel_ttl == 9);
	CHECK(got.remote_ipv4 == 0x0a000002 && got.local_ipv4 == 0x0a000001);
	CHECK(!got.remote_ipv6[1] && !got.local_ipv6[3] && !got.tunnel_flags);
	CHECK(GET(&got, ALL, BPF_F_TUNINFO_IPV6) == -EPROTO && !got.tunnel_id);
	CHECK(GET(&got, ALL, 2) == -EINVAL);
	CHECK(GET(&got, ALL - 4, 0) == -EINVAL);
	CHECK(GET(&got, ALL, BPF_F_TUNINFO_FLAGS) == 0);
	CHECK(bpf_ntohs(got.tunnel_flags) == (CSUM | KEY | NOCACHE));
	CHECK(SET(&key, ALL, BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER) == 0);
	CHECK(GET(&got, ALL, BPF_F_TUNINFO_FLAGS) == 0);
	CHECK(bpf_ntohs(got.tunnel_flags) == (DONT_FRAGMENT | SEQ | KEY | NOCACHE));
	key.tunnel_label = 1;
	CHECK(SET(&key, ALL, 0) == -EINVAL);
	key.tunnel_ext = 1;
	CHECK(SET(&key, ALL, BPF_F_TUNINFO_IPV6) == -EINVAL);
	return done;
}

SEC("tc") int ipv6_key(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {.tunnel_id = 8, .remote_ipv6 = {1, 2, 3, 4},
				     .tunnel_label = 0xfff12345, .local_ipv6 = {5, 6, 7, 8}}, got;
	int done = 0;

	CHECK(SET(&key, ALL, BPF_F_TUNINFO_IPV6) == 0);
	CHECK(GET(&got, ALL, 0) == -EPROTO);
	CHECK(GET(&got, ALL, BPF_F_TUNINFO_IPV6) == 0);
	CHECK(got.remote_ipv6[0] == 5 && got.remote_ipv6[3] == 8);
	CHECK(got.local_ipv6[0] == 1 && got.local_ipv6[3] == 4);
	CHECK(got.tunnel_label == 0x12345 && got.tunnel_id == 8);
	CHECK(GET(&got, BEFORE(remote_ipv6[1]), BPF_F_TUNINFO_IPV6) == -EINVAL);
	return done;
}

/* Programs may know older, shorter keys. */
SEC("tc") int old_keys(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {.tunnel_id = 7, .remote_ipv4 = 5, .tunnel_ttl = 9,
				     .local_ipv4 = 6}, got;
	int done = 0;

	CHECK(SET(&key, BEFORE(remote_ipv6[1]), 0) == 0);
	CHECK(GET(&got, ALL, 0) == 0);
	CHECK(got.tunnel_id == 7 && got.local_ipv4 == 5 && !got.tunnel_ttl && !got.remote_ipv4);
	CHECK(SET(&key, BEFORE(tunnel_ext), 0) == 0);
	CHECK(SET(&key, BEFORE(tunnel_label), 0) == 0);
	CHECK(SET(&key, BEFORE(local_ipv6), 0) == 0);
	got.local_ipv4 = 77;
	CHECK(GET(&got, BEFORE(local_ipv6), 0) == 0);
	CHECK(got.local_ipv4 == 77 && got.tunnel_ttl == 9);
	CHECK(GET(&got, BEFORE(remote_ipv6[1]), 0) == 0);
	return done;
}

SEC("tc") int tunnel_options(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {.tunnel_id = 7};
	unsigned options[3] = {1, 2, 3}, got[4] = {9, 9, 9, 9};
	int done = 0;

	CHECK(bpf_skb_set_tunnel_opt(skb, options, sizeof(options)) == -EINVAL);
	CHECK(bpf_skb_get_tunnel_opt(skb, got, sizeof(got)) == -ENOENT && !got[0]);
	CHECK(SET(&key, ALL, 0) == 0);
	CHECK(bpf_skb_get_tunnel_opt(skb, got, sizeof(got)) == -ENOENT);
	CHECK(bpf_skb_set_tunnel_opt(skb, options, 11) == -EINVAL);
	CHECK(bpf_skb_set_tunnel_opt(skb, options, sizeof(options)) == 0);
	got[3] = 9;
	CHECK(bpf_skb_get_tunnel_opt(skb, got, sizeof(got)) == 12);
	CHECK(got[0] == 1 && got[2] == 3 && !got[3]);
	CHECK(bpf_skb_get_tunnel_opt(skb, got, 8) == -ENOMEM && !got[0]);
	CHECK(GET(&key, ALL, BPF_F_TUNINFO_FLAGS) == 0);
	CHECK(bpf_ntohs(key.tunnel_flags) == (CSUM | KEY | NOCACHE | OPTIONS));
	CHECK(SET(&key, BEFORE(tunnel_ext), 0) == 0);
	CHECK(bpf_skb_get_tunnel_opt(skb, got, sizeof(got)) == -ENOENT);
	return done;
}

#define ETH_HLEN 14
#define ENOTSUPP 524
#define PROTO_IPV4 bpf_htons(0x0800)
#define PROTO_IPV6 bpf_htons(0x86dd)

static __always_inline unsigned char byte_at(struct __sk_buff *skb, int offset)
{
	unsigned char byte = 0xee;

	bpf_skb_load_bytes(skb, offset, &byte, 1);
	return byte;
}

/* The bytes of the packet count, but for its headers. */
SEC("tc") int translate(struct __sk_buff *skb)
{
	const unsigned len = skb->len, first = byte_at(skb, 0);
	int done = 0;

	CHECK(bpf_skb_change_proto(skb, PROTO_IPV6, 1) == -EINVAL);
	CHECK(bpf_skb_change_proto(skb, PROTO_IPV4, 0) == -ENOTSUPP);
	CHECK(bpf_skb_change_proto(skb, bpf_htons(0x0806), 0) == -ENOTSUPP);
	bpf_set_hash(skb, 5);
	CHECK(bpf_skb_change_proto(skb, PROTO_IPV6, 0) == 0);
	CHECK(skb->len == len + 20 && skb->protocol == PROTO_IPV6 && skb->hash != 5);
	CHECK(byte_at(skb, 0) == first && byte_at(skb, 13) == 0);
	CHECK(byte_at(skb, ETH_HLEN) == 0 && byte_at(skb, ETH_HLEN + 19) == 0);
	CHECK(byte_at(skb, ETH_HLEN + 20) == 0x45 && byte_at(skb, 14 + 20 + 30) == 44);
	CHECK(bpf_skb_change_proto(skb, PROTO_IPV4, 0) == 0);
	CHECK(skb->len == len && skb->protocol == PROTO_IPV4);
	CHECK(byte_at(skb, 0) == first && byte_at(skb, ETH_HLEN) == 0x45);
	return done;
}

SEC("tc") int copies(struct __sk_buff *skb)
{
	const unsigned len = skb->len;
	int done = 0;

	CHECK(bpf_clone_redirect(skb, 1, 2) == -EINVAL);
	CHECK(bpf_clone_redirect(skb, 100000, 0) == -EINVAL);
	CHECK(bpf_clone_redirect(skb, 1, BPF_F_INGRESS) == 0);
	CHECK(skb->len == len);
	return done;
}

#define EACCES 13

/* A header with an option that says the segment size, and the answer to it. */
struct segment {
	struct tcphdr header;
	unsigned char options[8];
};

static __always_inline void answer(struct tcphdr *tcp, long cookie)
{
	tcp->seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
	tcp->ack_seq = bpf_htonl((__u32)cookie + 1);
}

SEC("xdp") int cookies4(struct xdp_md *xdp)
{
	struct segment syn = {.header = {.source = 5, .dest = 6, .seq = 7, .doff = 7},
			      .options = {1, 2, 4, 0x05, 0xb0}}; /* 1456 */
	struct iphdr ip = {.saddr = 1, .daddr = 2};
	int done = 0;
	long cookie;

	CHECK(bpf_tcp_raw_gen_syncookie_ipv4(&ip, &syn.header, 16) == -EINVAL);
	CHECK(bpf_tcp_raw_gen_syncookie_ipv4(&ip, &syn.header, 24) == -EINVAL);
	cookie = bpf_tcp_raw_gen_syncookie_ipv4(&ip, &syn.header, sizeof(syn));
	CHECK(cookie >> 32 == 1440);
	answer(&syn.header, cookie);
	CHECK(bpf_tcp_raw_check_syncookie_ipv4(&ip, &syn.header) == 0);
	ip.saddr++;
	CHECK(bpf_tcp_raw_check_syncookie_ipv4(&ip, &syn.header) == -EACCES);
	ip.saddr--;
	syn.header.dest++;
	CHECK(bpf_tcp_raw_check_syncookie_ipv4(&ip, &syn.header) == -EACCES);
	syn.header.dest--;
	syn.header.ack_seq ^= 1;
	CHECK(bpf_tcp_raw_check_syncookie_ipv4(&ip, &syn.header) == -EACCES);
	syn.header.doff = 5;
	cookie = bpf_tcp_raw_gen_syncookie_ipv4(&ip, &syn.header, sizeof(syn.header));
	CHECK(cookie >> 32 == 536);
	return done;
}

SEC("xdp") int cookies6(struct xdp_md *xdp)
{
	struct segment syn = {.header = {.source = 5, .dest = 6, .seq = 7, .doff = 7},
			      .options = {3, 3, 7, 2, 4, 0x40, 0, 0}}; /* 16384 */
	struct ipv6hdr ip = {.saddr.s6_addr32 = {1, 2, 3, 4}, .daddr.s6_addr32 = {5, 6, 7, 8}};
	int done = 0;
	long cookie;

	cookie = bpf_tcp_raw_gen_syncookie_ipv6(&ip, &syn.header, sizeof(syn));
	CHECK(cookie >> 32 == 8940);
	answer(&syn.header, cookie);
	CHECK(bpf_tcp_raw_check_syncookie_ipv6(&ip, &syn.header) == 0);
	ip.daddr.s6_addr32[3]++;
	CHECK(bpf_tcp_raw_check_syncookie_ipv6(&ip, &syn.header) == -EACCES);
	syn.header.doff = 5;
	cookie = bpf_tcp_raw_gen_syncookie_ipv6(&ip, &syn.header, sizeof(syn.header));
	CHECK(cookie >> 32 == 1220);
	return done;
}

char _license[] SEC("license") = "GPL";
