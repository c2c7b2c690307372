/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfunc.c: the table behind kfunc_of(), built from kfuncs.def. Knows no function's meaning; a
 * further one is a row there and a function in one of the kfuncs_*.c.
 */
#include "vm/kfunc.h"

#include <string.h>

#include "vm/kfuncs.h"

/* Program types that may call what the row says, as the kernel registers its sets of functions. */
#define T(type) (1ull << BPF_PROG_TYPE_##type)
#define BPF_PROG_TYPE_NETFILTER 32 /* Linux 6.4 */
#define TYPES_ALL UINT64_MAX
#define TYPES_BY_BTF (T(TRACING) | T(STRUCT_OPS) | T(EXT) | T(LSM))
#define TYPES_TRACING (T(TRACEPOINT) | T(PERF_EVENT) | TYPES_BY_BTF)
#define TYPES_CGROUP                                                                               \
	(T(CGROUP_SKB) | T(CGROUP_SOCK) | T(SOCK_OPS) | T(CGROUP_DEVICE) | T(CGROUP_SOCK_ADDR) |   \
	 T(CGROUP_SYSCTL) | T(CGROUP_SOCKOPT))
#define TYPES_GENERIC (T(SCHED_CLS) | T(XDP) | T(SYSCALL) | TYPES_TRACING | TYPES_CGROUP)
#define TYPES_XDP (T(XDP) | TYPES_BY_BTF)
#define TYPES_SKB                                                                                  \
	(T(SOCKET_FILTER) | T(SCHED_CLS) | T(SCHED_ACT) | T(SK_SKB) | T(LWT_IN) | T(LWT_OUT) |     \
	 T(LWT_XMIT) | T(LWT_SEG6LOCAL) | T(NETFILTER) | TYPES_TRACING | TYPES_CGROUP)
#define KFUNC(_name, _types, _flags, _ret, a1, a2, a3, a4, a5)                                     \
	{.call = {.name = #_name,                                                                  \
		  .fn = kfunc_##_name,                                                             \
		  .ret = _ret,                                                                     \
		  .args = {a1, a2, a3, a4, a5}},                                                   \
	 .types = TYPES_##_types,                                                                  \
	 .flags = _flags},
static const struct kfunc table[] = {
#include "vm/kfuncs.def"
};
#undef KFUNC

const struct kfunc *kfunc_of(u32 number)
{
	return number && number <= ARRAY_SIZE(table) ? &table[number - 1] : NULL;
}

u32 kfunc_find(const char *name)
{
	if (strncmp(name, "bpf_", 4))
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].call.name, name + 4))
			return i + 1;
	return 0;
}
