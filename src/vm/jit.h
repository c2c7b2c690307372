/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * jit.h: what the machine-independent half of the JIT (jit.c) and its back ends (one file per
 * machine) share. jit.c decides what is emitted and in which order; a back end knows instructions
 * of its machine and nothing of maps, helpers or programs.
 *
 * Code is emitted in passes. In every pass all instructions are emitted in the same order; jumps use
 * the places that the pass before found, so that they can be short where they may. Only the last
 * pass writes.
 */
#ifndef VM_JIT_H
#define VM_JIT_H

#include "vm/engine.h"
#include "vm/prog.h"

#define JIT_UNKNOWN UINT32_MAX /* a place that no pass has found yet */

struct jit {
	const struct prog *prog;
	u8 *out; /* NULL: this pass only measures */
	u32 at;  /* bytes emitted so far */
	u32 pc;  /* the instruction at hand */
	u32 shrunk; /* bytes that this pass has saved so far against the one before */
	bool long_jumps; /* ahead: so that places do not depend on those behind them */
	/* Places: of instructions, of their way out in case of a fault, of subprograms, of the exit. */
	u32 *insn_at;
	u32 *fault_at; /* JIT_UNKNOWN: it has been asked for; 0: it is not needed */
	u32 sub_at[PROG_MAX_SUBPROGS];
	u32 entry_at, stop_at, result_at;
	/* The subprogram at hand. */
	u32 sub;
	bool has_may_goto;
	u16 saves; /* bit per register of R6-R9 that it has to restore */
};

/* A C function that the code calls. */
struct jit_call {
	u64 function;
	bool takes_run; /* before R1 to R5 */
	u8 args;        /* otherwise: how many of R1 to R5 it takes */
	bool returns_int; /* which becomes R0 sign-extended */
	bool may_fault; /* run->fault has to be looked at afterwards */
	bool calls_back; /* into the program */
};

/*
 * One per machine. Each function appends code for what its name says; operands are those of insn.
 * Where a jump goes is a place. charge takes instructions off the budget, before a jump
 * backwards; refund puts them back where it was not taken.
 */
struct jit_backend {
	void (*alu)(struct jit *jit, const struct bpf_insn *insn);
	void (*divide)(struct jit *jit, const struct bpf_insn *insn);
	void (*move)(struct jit *jit, const struct bpf_insn *insn);
	/* dst = upper | lower half of src; 0 if src, or with !wide its lower half, is 0. */
	void (*cast)(struct jit *jit, const struct bpf_insn *insn, bool wide, u64 upper);
	void (*unary)(struct jit *jit, const struct bpf_insn *insn);
	void (*load)(struct jit *jit, const struct bpf_insn *insn);
	void (*store)(struct jit *jit, const struct bpf_insn *insn);
	void (*atomic)(struct jit *jit, const struct bpf_insn *insn);
	void (*ordered)(struct jit *jit, const struct bpf_insn *insn);
	void (*imm64)(struct jit *jit, u8 dst, u64 value);
	void (*charge)(struct jit *jit, u32 insns);
	void (*refund)(struct jit *jit, u32 insns);
	void (*jump_if)(struct jit *jit, const struct bpf_insn *insn, u32 place);
	void (*jump)(struct jit *jit, u32 place);
	void (*may_goto)(struct jit *jit, u32 place);
	void (*call)(struct jit *jit, const struct jit_call *call);
	void (*call_local)(struct jit *jit, u32 sub);
	/* bpf_loop(R1 times, sub, R3, 0). */
	void (*loop)(struct jit *jit, u32 sub);
	/*
	 * bpf_tail_call(R1, R2, R3): ends the subprogram, or falls through. From the first one the code
	 * that run->targets or jit_tail_call() knows takes over, with R1 and the frame; from others the
	 * result of jit_tail_call_from_sub() is R0. array: what R2 is known to be, or NULL.
	 */
	void (*tail_call)(struct jit *jit, const struct map *array);
	/* R0 = the element of map (struct map.elements) for the key that R2 points to, or NULL. */
	void (*element)(struct jit *jit, const struct map *map);
	/* R0 = jit_packet_load(run, imm (+ src), size), leaving the frame where that says so. */
	void (*packet_load)(struct jit *jit, const struct bpf_insn *insn);
	/* The start of a subprogram; its end, with R0 the result. */
	void (*enter)(struct jit *jit);
	void (*leave)(struct jit *jit);
	/* The way out of the instruction at hand. */
	void (*fault)(struct jit *jit);
	/*
	 * What vm_run() calls (jit_entry), at entry_at; what ends a faulting run, at stop_at; what
	 * returns run->tail_result, at result_at.
	 */
	void (*frame)(struct jit *jit);
};

/* The machine code of a program. Immutable, readable and executable, never writable. */
struct jit_code {
	u8 *base;
	size_t size;    /* of the mapping */
	u32 text_bytes; /* of the subprograms, which come first */
	u32 entry_at, result_at;
	u32 nr_subs;
	u32 sub_at[]; /* where each begins */
};

/* NULL on a machine without a back end. */
const struct jit_backend *jit_backend(void);
/*
 * The program's code, made at the first call; NULL when there is no back end, no memory, or the
 * program has an instruction that is none. Lives as long as the program is attached. Any thread.
 */
const struct jit_code *jit_code_of(struct prog *prog);
void jit_code_free(struct jit_code *code);

/*
 * Called by emitted code: the code to go on with, or NULL. Where the program there is not to run as
 * machine code it has run, and the code returns its result. From a subprogram it always has run,
 * and the result is in run->tail_result; false: there is none.
 */
const u8 *jit_tail_call(struct vm_run *run, const void *ctx, struct map *array, u64 index);
bool jit_tail_call_from_sub(struct vm_run *run, const void *ctx, struct map *array, u64 index);
/* Called by emitted code: LD_ABS and LD_IND. Below zero: the frame ends with R0 = 0. */
s64 jit_packet_load(struct vm_run *run, s32 at, u32 size);
/* Called by emitted code: the budget is used up, or a helper has faulted, at run->pc. */
void jit_stopped(struct vm_run *run);

/*
 * How far it is from the end of what is emitted now to a place. Places ahead are those of the pass
 * before: they have moved as far as we have, so that no pass makes a jump longer again.
 */
static inline s64 jit_distance(const struct jit *jit, u32 place, u32 insn_bytes)
{
	return (s64)place - (place > jit->at ? jit->shrunk : 0) - (s64)(jit->at + insn_bytes);
}

/* Appends; for back ends. */
static inline void jit_put(struct jit *jit, u64 bytes, u32 count)
{
	if (jit->out)
		for (u32 i = 0; i < count; i++)
			jit->out[jit->at + i] = (u8)(bytes >> 8 * i);
	jit->at += count;
}

/* The place of the way out of the instruction at hand, which is needed hence. */
static inline u32 jit_fault_place(struct jit *jit)
{
	if (!jit->fault_at[jit->pc])
		jit->fault_at[jit->pc] = JIT_UNKNOWN;
	return jit->fault_at[jit->pc];
}

#endif
