/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * timer_program.h: a program of the core whose callback counts in the first eight bytes of the value.
 */
#ifndef TESTS_UNIT_TIMER_PROGRAM_H
#define TESTS_UNIT_TIMER_PROGRAM_H

#include "vm/asm.h"
#include "vm/prog.h"

#define CALLBACK 2u /* instruction */

static inline int make_timer_program(struct map *map)
{
	const struct bpf_insn insns[] = {
		MOV_K(R0, 0), EXIT, MOV_K(R1, 1), ATOMIC(DW, BPF_ADD, R3, 0, R1),
		MOV_K(R0, 0), EXIT,
	};
	const u32 subprogs[] = {0, CALLBACK};
	const struct prog_image image = {.type = BPF_PROG_TYPE_SCHED_CLS,
					 .gpl_compatible = true,
					 .name = "count",
					 .insns = insns,
					 .insn_cnt = ARRAY_SIZE(insns),
					 .maps = &map,
					 .nr_maps = 1,
					 .subprogs = subprogs,
					 .nr_subprogs = ARRAY_SIZE(subprogs)};

	return prog_create(&image);
}

#endif
