/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * known.h: what registers hold, as far as straight-line code tells: enough to refuse a key that is
 * a number, and to see that a branch on a constant is never taken.
 */
#ifndef VERIFIER_KNOWN_H
#define VERIFIER_KNOWN_H

#include "verifier/verify.h"

#define NR_REGS 11
#define FP 10

enum known_kind { UNKNOWN, SCALAR, CTX, FRAME, MAP, VALUE, FUNC };

struct known {
	enum known_kind kind;
	bool exact;            /* SCALAR: number is its value */
	u64 number;
	s32 off;               /* FRAME: from the frame pointer; VALUE: from the value's first byte */
	const struct map *map; /* MAP, VALUE */
	const struct bpf_insn *insn; /* FUNC: the ld_imm64 that names it */
};

/* As the kernel's log has it; not for UNKNOWN. */
const char *known_name(const struct known *known);
/* Does it point into a map that never changes, like .rodata? */
bool known_is_constant(const struct known *known);
/* And inside its value? Then *text is there, *room bytes from its end. */
bool known_constant(const struct known *known, const char **text, u32 *room);
/* Several paths meet here. Kinds stay, so that what is wrong on one of them is still refused. */
void known_join(struct known *regs);
void known_forget(struct known *regs, u32 from, u32 to);
/* After an instruction that is no jump, local call or exit. */
void known_step(struct known *regs, const struct bpf_insn *insn, const struct verify_result *maps);
/* Does a condition always, or never, hold? False: not known. */
bool known_condition(const struct known *regs, const struct bpf_insn *insn, bool *holds);

#endif
