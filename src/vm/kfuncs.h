/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs.h: the functions of kfuncs.def. Private to the files that define them and kfunc.c.
 */
#ifndef VM_KFUNCS_H
#define VM_KFUNCS_H

#include <errno.h>

#include "vm/helpers.h"

#define KFUNC(name, ...)                                                                           \
	u64 kfunc_##name(struct vm_run *run, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
#include "vm/kfuncs.def"
#undef KFUNC

/* Head of a definition, as HELPER_FN. */
#define KFUNC_FN(name)                                                                             \
	u64 kfunc_##name(MAYBE_UNUSED struct vm_run *run, MAYBE_UNUSED u64 r1,                     \
			 MAYBE_UNUSED u64 r2, MAYBE_UNUSED u64 r3, MAYBE_UNUSED u64 r4,             \
			 MAYBE_UNUSED u64 r5)
/* What a kernel function that returns an int leaves in R0. */
#define KFUNC_INT(value) ((u64)(u32)(value))

/* The kernel does not look for memory of its own below. */
#define KERNEL_START 0xffff800000000000u

/* Why there is nothing to read. */
static inline int kfunc_read_error(u64 from)
{
	return from < KERNEL_START ? -ERANGE : -EFAULT;
}

#endif
