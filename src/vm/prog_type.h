/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prog_type.h: facts about program types, one row each in prog_types.def. Other layers ask here
 * and never name BPF_PROG_TYPE_*.
 */
#ifndef VM_PROG_TYPE_H
#define VM_PROG_TYPE_H

#include <linux/bpf.h>

#include "base/compiler.h"

struct prog;
struct test_run;

/*
 * Classes of programs that may call the same helpers; helpers.def rows name the classes allowed.
 * Most are one program type; where the attach type decides, a type has several.
 */
enum helper_group {
	HG_SOCKET_FILTER = 1 << 0,
	HG_TRACE = 1 << 1, /* kprobe, tracepoint, raw_tracepoint */
	HG_PERF_EVENT = 1 << 2,
	HG_TC = 1 << 3, /* sched_cls, sched_act */
	HG_XDP = 1 << 4,
	HG_CGROUP_SKB = 1 << 5,
	HG_CGROUP_SOCK = 1 << 6,
	HG_LWT_IN = 1 << 7,
	HG_LWT_OUT = 1 << 8,
	HG_LWT_XMIT = 1 << 9,
	HG_SEG6LOCAL = 1 << 10,
	HG_SOCK_OPS = 1 << 11,
	HG_SK_SKB = 1 << 12,
	HG_SK_MSG = 1 << 13,
	HG_CGROUP_DEVICE = 1 << 14,
	HG_SOCK_ADDR = 1 << 15, /* bind, sendmsg */
	HG_SOCK_ADDR_CONNECT = 1 << 16,
	HG_SOCK_ADDR_NAME = 1 << 17, /* recvmsg, getpeername, getsockname */
	HG_SYSCTL = 1 << 18,
	HG_GETSOCKOPT = 1 << 19,
	HG_SETSOCKOPT = 1 << 20,
	HG_SK_REUSEPORT = 1 << 21,
	HG_FLOW_DISSECTOR = 1 << 22,
	HG_TRACING = 1 << 23, /* tracing, lsm, ext */
	HG_STRUCT_OPS = 1 << 24,
	HG_SK_LOOKUP = 1 << 25,
	HG_SYSCALL = 1 << 26,
	HG_NETFILTER = 1 << 27,
	HG_LIRC = 1 << 28,

	HG_ALL = (1 << 29) - 1,
	HG_LWT = HG_LWT_IN | HG_LWT_OUT | HG_LWT_XMIT,
	HG_SOCK_ADDR_ANY = HG_SOCK_ADDR | HG_SOCK_ADDR_CONNECT | HG_SOCK_ADDR_NAME,
	HG_SOCKOPT = HG_GETSOCKOPT | HG_SETSOCKOPT,
	HG_TRACERS = HG_TRACE | HG_PERF_EVENT | HG_TRACING,
	HG_PACKETLESS = HG_TRACING | HG_SYSCALL, /* what packets are to others has a type in BTF */
};

/*
 * A part of a context structure: accesses of the sizes in the masks (a size of 1, 2, 4 or 8 bytes is
 * its own bit) are allowed inside [from, to) at multiples of their size.
 */
struct ctx_range {
	u16 from, to;
	u8 read, write;
};

struct ctx_rules {
	u32 size; /* bytes of the structure that exist */
	u32 nr_ranges;
	const struct ctx_range *ranges; /* an access is allowed if any range allows it */
};

/*
 * One row of prog_types.def. Where helpers or context depend on the expected attach type, a type
 * has several rows; the first one is the type's.
 */
struct prog_type {
	u32 type;         /* BPF_PROG_TYPE_* */
	const char *name; /* "socket_filter", as bpftool and libbpf say */
	u32 helper_groups;
	const struct ctx_rules *ctx;
	bool packet_access;  /* context loads of data and data_end give packet pointers */
	bool packet_write;   /* stores through them are allowed */
	bool ld_abs;         /* LD_ABS and LD_IND are allowed */
	bool may_sleep;      /* BPF_F_SLEEPABLE is allowed */
	bool must_sleep;     /* and required */
	bool needs_btf_id;   /* attach_btf_id is required: not served, PROG_TYPE_REASON says why */
	bool is_method;      /* attach_btf_id and expected_attach_type name a member of a table of
				functions of the kernel */
	u64 attach_types;    /* bit per expected_attach_type of this row; 0: any */
	/* PROG_TEST_RUN; NULL: -ENOTSUPP. */
	int (*test_run)(struct prog *prog, struct test_run *run);
};

#define PROG_TYPE_REASON "there are no functions of the host kernel to attach to"

/* The first row of a type; NULL for a type the kernel does not list. */
const struct prog_type *prog_type_of(u32 type);
/* The row for an expected attach type; NULL where PROG_LOAD answers -EINVAL to it. */
const struct prog_type *prog_type_variant(const struct prog_type *type, u32 expected_attach_type);

static inline bool prog_attach_type_ok(const struct prog_type *type, u32 expected_attach_type)
{
	return prog_type_variant(type, expected_attach_type) != NULL;
}

/* May this load or store touch the context? size is 1, 2, 4 or 8. */
bool ctx_access_ok(const struct ctx_rules *rules, u64 offset, u32 size, bool write);

#endif
