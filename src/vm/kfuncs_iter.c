/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_iter.c: open-coded iterators, whose state lies on the program's stack. A checked program
 * could write there what it likes; hence the state is nothing that could be misused: numbers.
 */
#include <errno.h>

#include "vm/kfuncs.h"

/* struct bpf_iter_num: the number before the next one, and the one at which it ends. */
struct iter_num {
	s32 current, end;
} __attribute__((packed, may_alias));

KFUNC_FN(iter_num_new)
{
	struct iter_num *iter = U64_PTR(r1);
	const s32 start = (s32)r2, end = (s32)r3;

	iter->current = iter->end = 0;
	if (start > end)
		return KFUNC_INT(-EINVAL);
	if ((s64)end - start > HELPER_LOOPS_MAX)
		return KFUNC_INT(-E2BIG);
	iter->current = (s32)((u32)start - 1);
	iter->end = end;
	return 0;
}

/* The number itself is what the program gets a pointer to. */
KFUNC_FN(iter_num_next)
{
	struct iter_num *iter = U64_PTR(r1);
	const s32 next = (s32)((u32)iter->current + 1);

	if (next >= iter->end) {
		iter->current = iter->end = 0;
		return 0;
	}
	iter->current = next;
	return PTR_U64(iter);
}

KFUNC_FN(iter_num_destroy)
{
	struct iter_num *iter = U64_PTR(r1);

	iter->current = iter->end = 0;
	return 0;
}
