/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * loops.h: what calls and jumps backwards have to take off the budget, so that every program ends.
 * Instructions go forward but for these: so what is executed is at most what was charged, and the
 * program once.
 */
#ifndef VM_LOOPS_H
#define VM_LOOPS_H

#include "vm/prog.h"

struct loops {
	u16 *jumps_to; /* per instruction: jumps that go there, at most UINT16_MAX */
	u32 *latches;  /* per instruction: the last jump that goes there */
	u32 *charges;  /* per jump backwards: instructions that each turn costs; 0: see entries */
	/* What entering a subprogram costs: its instructions, those of loops that end by themselves
	 * soon as often as they can turn. */
	u32 entries[PROG_MAX_SUBPROGS];
};

/* 0 or -ENOMEM; then loops_free(). */
must_check int loops_find(struct loops *loops, const struct prog *prog);
void loops_free(struct loops *loops);

#endif
