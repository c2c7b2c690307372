/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prog_type.c: the table behind prog_type_of(), built from prog_types.def.
 */
#include "vm/prog_type.h"

#include "vm/ctx.h"
#include "vm/test_run.h"

enum row_flags {
	PT_PACKET = 1 << 0,
	PT_PACKET_WRITE = 1 << 1,
	PT_LD_ABS = 1 << 2,
	PT_MAY_SLEEP = 1 << 3,
	PT_MUST_SLEEP = 1 << 4,
	PT_KERNEL_BTF = 1 << 5,
	PT_METHOD = 1 << 6,
};

/* Attach types newer than the headers of Linux 6.1, and the absence of one. */
enum {
	BPF_UNSET = 0,
	BPF_NETFILTER = 45,
	BPF_UNIX_CONNECT = 49,
	BPF_UNIX_SENDMSG = 50,
	BPF_UNIX_RECVMSG = 51,
	BPF_UNIX_GETPEERNAME = 52,
	BPF_UNIX_GETSOCKNAME = 53,
};

#define AT(attach_type) (1ull << BPF_##attach_type)
#define PROG_TYPE(number, label, group, context, flags, run, attach)                               \
	{.type = (number),                                                                         \
	 .name = (label),                                                                          \
	 .helper_groups = HG_##group,                                                              \
	 .ctx = &ctx_##context,                                                                    \
	 .packet_access = ((flags) & PT_PACKET) != 0,                                              \
	 .packet_write = ((flags) & PT_PACKET_WRITE) != 0,                                         \
	 .ld_abs = ((flags) & PT_LD_ABS) != 0,                                                     \
	 .may_sleep = ((flags) & PT_MAY_SLEEP) != 0,                                               \
	 .must_sleep = ((flags) & PT_MUST_SLEEP) != 0,                                             \
	 .needs_btf_id = ((flags) & PT_KERNEL_BTF) != 0,                                           \
	 .is_method = ((flags) & PT_METHOD) != 0,                                                  \
	 .attach_types = (attach),                                                                 \
	 .test_run = (run)},
static const struct prog_type rows[] = {
#include "vm/prog_types.def"
};
#undef PROG_TYPE

const struct prog_type *prog_type_of(u32 type)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

const struct prog_type *prog_type_variant(const struct prog_type *type, u32 expected_attach_type)
{
	const struct prog_type *end = rows + ARRAY_SIZE(rows);

	for (const struct prog_type *row = type; row < end && row->type == type->type; row++)
		if (!row->attach_types ||
		    (expected_attach_type < 64 && row->attach_types >> expected_attach_type & 1))
			return row;
	return NULL;
}
