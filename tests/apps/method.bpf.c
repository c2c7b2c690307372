/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * method.bpf.c: a congestion control of TCP, as applications write one: three functions, of a table
 * whose members libbpf finds in the kernel's BTF by name.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

__u64 acked_bytes;
__u32 threshold = 42;

SEC("struct_ops")
__u32 BPF_PROG(ssthresh, struct sock *sk)
{
	return threshold;
}

SEC("struct_ops")
void BPF_PROG(cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	acked_bytes += acked;
}

SEC("struct_ops")
__u32 BPF_PROG(undo_cwnd, struct sock *sk)
{
	return threshold / 2;
}

SEC(".struct_ops")
struct tcp_congestion_ops ours = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "ours",
};

/* It lacks what the kernel insists on. */
SEC(".struct_ops")
struct tcp_congestion_ops incomplete = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.name = "incomplete",
};

char _license[] SEC("license") = "GPL";
