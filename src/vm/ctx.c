/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ctx.c: which parts of its context a program may load and store. The ranges were measured: one
 * program per type, offset, size and direction, asked of Linux 6.18 on x86-64. Where the kernel
 * hands out a pointer (sk, flow_keys, sockets), the range only says that the load is accepted.
 */
#include "vm/ctx.h"

bool ctx_access_ok(const struct ctx_rules *rules, u64 offset, u32 size, bool write)
{
	const struct ctx_range *range = rules->ranges, *end = range + rules->nr_ranges;

	if (offset % size)
		return false;
	for (; range < end; range++)
		if (offset >= range->from && offset < range->to && size <= range->to - offset &&
		    (write ? range->write : range->read) & size)
			return true;
	return false;
}

/* Sizes of access. */
#define B 1
#define H 2
#define W 4
#define D 8
#define BHW (B | H | W)
#define ALL (BHW | D)

#define CTX(name, bytes, ...)                                                                      \
	static const struct ctx_range name##_ranges[] = {__VA_ARGS__};                             \
	const struct ctx_rules ctx_##name = {                                                      \
		.size = (bytes),                                                                   \
		.nr_ranges = ARRAY_SIZE(name##_ranges),                                            \
		.ranges = name##_ranges,                                                           \
	};

CTX(socket_filter, 192, {0, 72, BHW, 0}, {48, 68, D, ALL}, {84, 88, BHW, 0}, {164, 168, BHW, 0},
    {168, 176, D, 0}, {176, 180, BHW, 0})
CTX(tc, 192, {0, 88, W, 0}, {0, 76, B | H, 0}, {8, 16, 0, W}, {32, 36, 0, W}, {44, 68, D, W | D},
    {48, 68, 0, B | H}, {72, 76, 0, W}, {84, 88, B | H, 0}, {140, 144, W, 0}, {152, 160, D, D},
    {160, 168, BHW, 0}, {168, 176, D, 0}, {176, 181, BHW, 0}, {184, 192, D, 0})
CTX(cgroup_skb, 192, {0, 72, BHW, 0}, {8, 12, 0, W}, {32, 36, 0, W}, {48, 68, D, ALL},
    {76, 140, W, 0}, {84, 92, B | H, 0}, {132, 140, B | H, 0}, {152, 160, D, D},
    {164, 168, BHW, 0}, {168, 176, D, 0}, {176, 180, BHW, 0}, {184, 192, D, 0})
CTX(lwt, 192, {0, 72, BHW, 0}, {8, 12, 0, W}, {32, 36, 0, W}, {48, 68, D, ALL}, {76, 88, W, 0},
    {84, 88, B | H, 0}, {164, 168, BHW, 0}, {168, 176, D, 0}, {176, 180, BHW, 0})
CTX(sk_skb, 192, {0, 8, BHW, 0}, {12, 72, BHW, 0}, {32, 36, 0, W}, {44, 48, 0, W}, {48, 64, D, 0},
    {76, 140, W, 0}, {84, 92, B | H, 0}, {132, 140, B | H, 0}, {164, 168, BHW, 0},
    {168, 176, D, 0}, {176, 180, BHW, 0})
CTX(flow_dissector, 192, {76, 84, W, 0}, {144, 152, D, 0})
CTX(xdp, 24, {0, 20, W, 0})
CTX(pt_regs, 168, {0, 168, ALL, 0})
CTX(tracepoint, 8192, {8, 8192, ALL, 0})
CTX(raw_tracepoint, 96, {0, 96, ALL, 0})
CTX(raw_tracepoint_writable, 96, {0, 96, D, 0}, {1, 96, BHW, 0})
CTX(perf_event, 184, {0, 184, D, 0}, {168, 184, BHW, 0})
CTX(cgroup_sock, 80, {0, 24, W, 0}, {0, 4, 0, W}, {4, 6, H, 0}, {4, 5, B, 0}, {8, 10, H, 0},
    {8, 9, B, 0}, {12, 14, H, 0}, {12, 13, B, 0}, {16, 24, 0, W}, {48, 80, W, 0},
    {48, 50, B | H, 0}, {52, 74, H, 0}, {52, 73, B, 0}, {76, 78, H, 0}, {76, 77, B, 0})
CTX(cgroup_sock_bind4, 80, {4, 16, W, 0}, {4, 6, H, 0}, {4, 5, B, 0}, {8, 10, H, 0}, {8, 9, B, 0},
    {12, 14, H, 0}, {12, 13, B, 0}, {24, 28, BHW, 0}, {44, 80, W, 0}, {44, 46, H, 0},
    {44, 45, B, 0}, {48, 50, B | H, 0}, {52, 74, H, 0}, {52, 73, B, 0}, {76, 78, H, 0},
    {76, 77, B, 0})
CTX(cgroup_sock_bind6, 80, {4, 16, W, 0}, {4, 6, H, 0}, {4, 5, B, 0}, {8, 10, H, 0}, {8, 9, B, 0},
    {12, 14, H, 0}, {12, 13, B, 0}, {28, 80, W, 0}, {28, 46, H, 0}, {28, 45, B, 0},
    {48, 50, B | H, 0}, {52, 74, H, 0}, {52, 73, B, 0}, {76, 78, H, 0}, {76, 77, B, 0})
CTX(sock_ops, 224, {0, 168, W, 0}, {4, 8, 0, W}, {164, 168, 0, W}, {168, 208, D, 0},
    {208, 216, W, 0}, {212, 214, H, 0}, {212, 213, B, 0}, {216, 224, D, 0})
CTX(cgroup_device, 12, {0, 12, W, 0}, {0, 4, B | H, 0})
CTX(sk_msg, 80, {0, 16, D, 0}, {16, 72, W, 0}, {72, 80, D, 0})
CTX(sock_addr4, 72, {0, 8, W, 0}, {4, 8, B | H, W}, {24, 40, W, 0}, {24, 28, B | H, W},
    {64, 72, D, 0})
CTX(sock_addr6, 72, {0, 4, W, 0}, {8, 40, W, 0}, {8, 28, B | H | D, W | D}, {64, 72, D, 0})
CTX(sock_addr4_sendmsg, 72, {0, 8, W, 0}, {4, 8, B | H, W}, {24, 44, W, 0}, {24, 28, B | H, W},
    {40, 44, B | H, W}, {64, 72, D, 0})
CTX(sock_addr6_sendmsg, 72, {0, 4, W, 0}, {8, 40, W, 0}, {8, 28, B | H | D, W | D},
    {44, 60, ALL, W | D}, {64, 72, D, 0})
CTX(sock_addr_unix, 72, {0, 4, W, 0}, {24, 40, W, 0}, {24, 28, B | H, W}, {64, 72, D, 0})
CTX(sk_reuseport, 56, {0, 16, D, 0}, {16, 36, W, 0}, {16, 32, H, 0}, {16, 20, B, 0},
    {24, 32, B, 0}, {40, 56, D, 0})
CTX(sysctl, 8, {0, 8, BHW, 0}, {4, 8, 0, W})
CTX(getsockopt, 40, {0, 24, D, 0}, {24, 40, W, 0}, {32, 40, 0, W})
CTX(setsockopt, 40, {0, 24, D, 0}, {24, 36, W, W})
CTX(sk_lookup, 72, {0, 8, D, 0}, {8, 68, BHW, 0})
CTX(syscall, 65535, {0, 65535, ALL, ALL})
CTX(netfilter, 16, {0, 16, D, 0})
/* Not measured: the one field is the 32-bit sample. */
CTX(lirc_mode2, 4, {0, 4, W, 0})

const struct ctx_rules ctx_none;
