/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfunc.h: the table of kernel functions that programs call by name (kfuncs). One row each in
 * kfuncs.def, with arguments of the same kinds as those of helpers, proven in the same way.
 *
 * A loader names such a function by its number in the BTF of the kernel at hand; the file form of a
 * program has its number in this table instead, which means the same on every machine.
 */
#ifndef VM_KFUNC_H
#define VM_KFUNC_H

#include "vm/helper.h"

enum kfunc_flags {
	KF_MAY_SLEEP = 1 << 0, /* only for sleepable programs */
	KF_IN_LOCK = 1 << 1,   /* also while a spin lock is held */
	KF_NO_CALLBACK = 1 << 2, /* not in a subprogram that is a callback, or below one */
	KF_OBJECTS = 1 << 4, /* as HF_OBJECTS */
	KF_ASYNC = 1 << 3, /* argument 2 is called back by itself, later, where it may sleep */
};

struct kfunc {
	struct helper call; /* its groups, flags and map_bit are not used */
	u64 types;          /* bit per BPF_PROG_TYPE_* that may call it */
	u32 flags;
};

/* By the number of its row, from 1; NULL for another number. */
const struct kfunc *kfunc_of(u32 number);
/* The number of the row with a name; 0: there is none. */
u32 kfunc_find(const char *name);

static inline bool kfunc_allowed(const struct kfunc *kfunc, const struct prog_type *type)
{
	return kfunc->types >> type->type & 1;
}

/*
 * The end of a run with something in struct vm_open: an exception is a result, what has been begun
 * and not ended is a fault. err and *retval are what the run came to; returns what they are now.
 */
int kfunc_end_run(struct vm_run *run, int err, u64 *retval);
/* Of the run, that have not been destroyed. */
void kfunc_free_iterators(struct vm_run *run);

#endif
