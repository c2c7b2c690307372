/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * socket.bpf.c: programs that find sockets between given ends, tell what they see and release them.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define CURRENT_NETNS -1

struct bpf_sock_tuple tuple;
int size;   /* of the tuple */
long netns = CURRENT_NETNS;
long flags;
int how;    /* what to find it with */
struct bpf_sock seen;
int found, full, listener;
long storage;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} stored SEC(".maps");

static __always_inline struct bpf_sock *find(void *ctx)
{
	if (size == sizeof(tuple.ipv4))
		return how ? bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), netns, flags)
			   : bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), netns, flags);
	if (size == sizeof(tuple.ipv6))
		return how ? bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), netns, flags)
			   : bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), netns, flags);
	return bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4) + 4, netns, flags);
}

static __always_inline void tell_ends(const struct bpf_sock *sk)
{
	seen.family = sk->family;
	seen.src_port = sk->src_port;
	seen.dst_port = sk->dst_port;
	seen.src_ip4 = sk->src_ip4;
	seen.dst_ip4 = sk->dst_ip4;
	seen.src_ip6[0] = sk->src_ip6[0];
	seen.src_ip6[3] = sk->src_ip6[3];
	seen.dst_ip6[3] = sk->dst_ip6[3];
	seen.state = sk->state;
}

static __always_inline void tell(const struct bpf_sock *sk)
{
	tell_ends(sk);
	seen.bound_dev_if = sk->bound_dev_if;
	seen.type = sk->type;
	seen.protocol = sk->protocol;
	seen.mark = sk->mark;
	seen.priority = sk->priority;
}

SEC("tc") int by_tc(struct __sk_buff *skb)
{
	struct bpf_sock *sk = find(skb), *listening;
	long *value;

	found = !!sk;
	if (!sk)
		return 0;
	tell(sk);
	full = bpf_sk_fullsock(sk) == sk;
	listening = bpf_get_listener_sock(sk);
	listener = listening && listening->src_port == sk->src_port;
	value = bpf_sk_storage_get(&stored, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (value)
		storage = *value += 10;
	bpf_sk_release(sk);
	return 0;
}

SEC("xdp") int by_xdp(struct xdp_md *xdp)
{
	struct bpf_sock *sk = find(xdp);

	found = !!sk;
	if (!sk)
		return XDP_PASS;
	tell(sk);
	return bpf_sk_release(sk) ? XDP_DROP : XDP_PASS;
}

SEC("tc") int common(struct __sk_buff *skb)
{
	struct bpf_sock *sk =
		bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), netns, flags);

	found = !!sk;
	if (!sk)
		return 0;
	tell_ends(sk);
	full = !!bpf_sk_fullsock(sk);
	bpf_sk_release(sk);
	return 0;
}

/* Several at a time, in any order. */
SEC("tc") int several(struct __sk_buff *skb)
{
	struct bpf_sock *a, *b;
	int same;

	a = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), netns, flags);
	if (!a)
		return -1;
	b = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), netns, flags);
	if (!b) {
		bpf_sk_release(a);
		return -2;
	}
	same = a->src_port == b->src_port;
	bpf_sk_release(a);
	same += b->state;
	bpf_sk_release(b);
	return same;
}

/* Neither the packet's socket nor one of UDP is of TCP. */
SEC("cgroup_skb/egress") int no_tcp(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	int done = 0;

	if (!sk)
		return 0;
	done += !bpf_tcp_sock(sk);
	done += !bpf_get_listener_sock(sk);
	sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), netns, flags);
	if (sk) {
		done += !bpf_tcp_sock(sk);
		bpf_sk_release(sk);
	}
	return done == 3;
}

/* SYN cookies of the listener: headers of IPv4 without options. */
unsigned char ip[20] = {0x45}, tcp[20] = {[12] = 5 << 4};
int ip_size = 20;
long checked, generated;

SEC("tc") int cookies(struct __sk_buff *skb)
{
	struct bpf_sock *sk =
		bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), netns, flags);

	if (!sk)
		return -1;
	checked = bpf_tcp_check_syncookie(sk, ip, sizeof(ip), (void *)tcp, sizeof(tcp));
	generated = bpf_tcp_gen_syncookie(sk, ip, sizeof(ip), (void *)tcp, sizeof(tcp));
	bpf_sk_release(sk);
	return 0;
}

char _license[] SEC("license") = "GPL";
