/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers.h: the functions of helpers.def. Private to the files that define them and helper.c.
 */
#ifndef VM_HELPERS_H
#define VM_HELPERS_H

#include "vm/vm.h"

#define HELPER(name, ...)                                                                          \
	u64 helper_##name(struct vm_run *run, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
#define HELPER_ABSENT(...)
#include "vm/helpers.def"
#undef HELPER
#undef HELPER_ABSENT

/* Head of a definition: the registers of the call by name, of which a helper rarely needs all. */
#define MAYBE_UNUSED __attribute__((unused))
#define HELPER_FN(name)                                                                            \
	u64 helper_##name(MAYBE_UNUSED struct vm_run *run, MAYBE_UNUSED u64 r1,                    \
			  MAYBE_UNUSED u64 r2, MAYBE_UNUSED u64 r3, MAYBE_UNUSED u64 r4,            \
			  MAYBE_UNUSED u64 r5)
/* The interface that a packet's context says it came in on. */
u32 helper_interface(const struct vm_run *run);
/* An errno as a program sees it. */
#define HELPER_ERROR(error) ((u64)-(s64)(error))

#endif
