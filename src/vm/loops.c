/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * loops.c: finds loops that count from one constant to another and end soon whatever else they do.
 * They need not be charged by the turn: with that a tight loop is about a tenth slower.
 *
 * Such a loop begins behind the only instruction that gives its counter a first value, is entered
 * there alone, adds a constant to the counter once in every turn, and jumps back while that differs
 * from, or is less than, another constant. Loops inside it count as often as it turns.
 */
#include "vm/loops.h"

#include <errno.h>

#include "base/memory.h"
#include "vm/insn.h"

/* A loop is charged by the turn if it has more instructions, in all its turns or in one. */
#define FREE_INSNS 65536u
#define LOOP_INSNS 256u
/* A subprogram with more, its free loops included, gets no further ones. */
#define SUB_FREE_INSNS (1u << 20)
/* So far ahead of a loop its counter is looked for. */
#define INIT_INSNS 64u

/* From first to last, which jumps back to first while the counter has not reached its bound. */
struct loop {
	const struct prog *prog;
	const struct loops *loops;
	u32 first, last;
	u32 step_at;
	bool wide;     /* the counter has 64 bits */
	u64 init, step, bound;
};

/* What the counter has at the start, when the straight way there says so. */
static bool find_init(struct loop *loop)
{
	const struct bpf_insn *code = loop->prog->code;
	const u32 counter = code[loop->last].dst_reg;

	if (loop->loops->jumps_to[loop->first] != 1)
		return false;
	for (u32 pc = loop->first, n = INIT_INSNS; n && pc-- > 0; n--) {
		const struct bpf_insn *insn = &code[pc];

		if (pc && code[pc - 1].code == CODE_LD_IMM64)
			continue; /* a second half */
		if (insn_is_ja(insn) || insn->code == (BPF_JMP | BPF_EXIT))
			return false;
		if (insn_changes(insn) >> counter & 1) {
			bool wide = insn->code == (BPF_ALU64 | BPF_MOV | BPF_K);

			loop->init = wide ? (u64)(s64)insn->imm : (u32)insn->imm;
			return wide || insn->code == (BPF_ALU | BPF_MOV | BPF_K);
		}
		if (loop->loops->jumps_to[pc])
			return false;
	}
	return false;
}

/* The one addition to the counter. */
static bool find_step(struct loop *loop)
{
	const struct bpf_insn *code = loop->prog->code;
	const u32 counter = code[loop->last].dst_reg;
	u32 found = 0;

	for (u32 pc = loop->first; pc < loop->last; pc++) {
		if (insn_changes(&code[pc]) >> counter & 1) {
			loop->step_at = pc;
			found++;
		}
		pc += code[pc].code == CODE_LD_IMM64;
	}
	if (found != 1)
		return false;
	loop->wide = code[loop->step_at].code == (BPF_ALU64 | BPF_ADD | BPF_K);
	loop->step = (u64)(s64)code[loop->step_at].imm;
	return loop->wide || code[loop->step_at].code == (BPF_ALU | BPF_ADD | BPF_K);
}

/*
 * Every turn passes the step once, nothing jumps into the loop, and nothing out of it jumps back to
 * before it: that jump would not pay for the turns which begin anew.
 */
static bool is_closed(const struct loop *loop)
{
	const struct bpf_insn *code = loop->prog->code;
	u64 inside = 0, all = 0;

	for (u32 pc = loop->first; pc < loop->last; pc++) {
		s64 to = insn_jump_target(&code[pc], pc);
		bool jumps = insn_is_jump(&code[pc]) && to > loop->first && to <= loop->last;

		all += pc > loop->first ? loop->loops->jumps_to[pc] : 0;
		inside += jumps;
		if (jumps && (pc < loop->step_at) != (to <= loop->step_at))
			return false;
		if (insn_is_jump(&code[pc]) && to <= loop->first)
			return false;
		pc += code[pc].code == CODE_LD_IMM64;
	}
	all += loop->loops->jumps_to[loop->last];
	return all == inside;
}

/* How often the loop turns at most; 0: not known. */
static u64 turns(const struct loop *loop)
{
	const struct bpf_insn *jump = &loop->prog->code[loop->last];
	const u64 mask = loop->wide ? UINT64_MAX : UINT32_MAX;
	const u64 init = loop->init & mask;
	u64 bound = (u64)(s64)jump->imm, way, step;

	if (!loop->wide && BPF_CLASS(jump->code) == BPF_JMP && jump->imm < 0)
		return 0; /* 32 bits are never equal to it */
	if (loop->wide && BPF_CLASS(jump->code) == BPF_JMP32)
		return 0;
	bound &= mask;
	if (BPF_OP(jump->code) == BPF_JNE) {
		bool down = (s64)loop->step < 0;

		way = (down ? init - bound : bound - init) & mask;
		step = down ? 0 - loop->step : loop->step;
		return step && way && way % step == 0 ? way / step : 0;
	}
	if (BPF_OP(jump->code) != BPF_JLT || (s64)loop->step <= 0 || init >= bound ||
	    bound > INT32_MAX)
		return 0;
	return (bound - init + loop->step - 1) / loop->step;
}

/* What all turns of the loop together may cost, if that is little; 0: it must be charged. */
static u32 free_cost(struct loop *loop, u64 turn)
{
	const struct bpf_insn *jump = &loop->prog->code[loop->last];
	u64 most;

	if (BPF_CLASS(jump->code) != BPF_JMP && BPF_CLASS(jump->code) != BPF_JMP32)
		return 0;
	if (loop->last - loop->first >= LOOP_INSNS || BPF_SRC(jump->code) != BPF_K)
		return 0;
	if (!find_step(loop) || !find_init(loop) || !is_closed(loop))
		return 0;
	most = turns(loop);
	return most && most <= FREE_INSNS && most * turn <= FREE_INSNS ? (u32)(most * turn) : 0;
}

/* free_before: instructions of free loops that end before an instruction. */
static void measure(struct loops *loops, const struct prog *prog, u64 *free_before)
{
	u32 sub = 0;

	for (u32 pc = 0; pc < prog->insn_cnt; pc++) {
		const struct bpf_insn *insn = &prog->code[pc];
		const s64 to = insn_jump_target(insn, pc);
		struct loop loop = {.prog = prog, .loops = loops, .first = (u32)to, .last = pc};
		u32 cost = 0;
		u64 turn;

		sub += sub + 1 < prog->nr_subprogs && prog->subprogs[sub + 1] == pc;
		loops->entries[sub]++;
		if (insn_is_jump(insn) && to >= 0 && to <= pc) {
			turn = pc - (u32)to + 1 + free_before[pc] - free_before[to];
			cost = free_cost(&loop, turn);
			if (loops->entries[sub] + cost > SUB_FREE_INSNS)
				cost = 0;
			loops->entries[sub] += cost;
			if (!cost)
				loops->charges[pc] = (u32)MIN(turn, (u64)INT32_MAX);
		}
		free_before[pc + 1] = free_before[pc] + cost;
	}
}

static void count_jumps(struct loops *loops, const struct prog *prog)
{
	for (u32 pc = 0; pc < prog->insn_cnt; pc++) {
		s64 to = insn_jump_target(&prog->code[pc], pc);

		if (!insn_is_jump(&prog->code[pc]) || to < 0 || to >= prog->insn_cnt)
			continue;
		loops->latches[to] = pc;
		loops->jumps_to[to] += loops->jumps_to[to] < UINT16_MAX;
	}
}

int loops_find(struct loops *loops, const struct prog *prog)
{
	u64 *free_before = memory_zalloc(prog->insn_cnt + 1, sizeof(u64));

	*loops = (struct loops){.jumps_to = memory_zalloc(prog->insn_cnt, sizeof(u16)),
				.latches = memory_zalloc(prog->insn_cnt, sizeof(u32)),
				.charges = memory_zalloc(prog->insn_cnt, sizeof(u32))};
	if (!free_before || !loops->jumps_to || !loops->latches || !loops->charges) {
		memory_free(free_before);
		loops_free(loops);
		return -ENOMEM;
	}
	count_jumps(loops, prog);
	measure(loops, prog, free_before);
	memory_free(free_before);
	return 0;
}

void loops_free(struct loops *loops)
{
	memory_free(loops->jumps_to);
	memory_free(loops->latches);
	memory_free(loops->charges);
}
