/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * structure.c: the shape of a program: subprograms, jumps, reachability. Looks at instructions
 * only as far as they move the flow of control.
 */
#include "base/memory.h"
#include "verifier/internal.h"

#include <errno.h>
#include <string.h>

#include "vm/insn.h"

/* Index of the first subprogram that starts behind pc. */
static u32 subprogs_up_to(const struct verify_result *result, s64 pc)
{
	u32 low = 0, high = result->nr_subprogs;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (result->subprogs[middle] <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u32 subprog_at(const struct verifier *v, u32 pc)
{
	return subprogs_up_to(v->result, pc) - 1;
}

static int add_subprog(struct verifier *v, s64 start)
{
	struct verify_result *result = v->result;
	u32 at;

	if (start < 0 || start >= v->insn_cnt) {
		verbose(v, "call to invalid destination\n");
		return -EINVAL;
	}
	at = subprogs_up_to(result, start);
	if (at && result->subprogs[at - 1] == start)
		return 0;
	if (result->nr_subprogs == PROG_MAX_SUBPROGS) {
		verbose(v, "too many subprograms\n");
		return -E2BIG;
	}
	memmove(&result->subprogs[at + 1], &result->subprogs[at],
		(result->nr_subprogs - at) * sizeof(result->subprogs[0]));
	result->subprogs[at] = (u32)start;
	result->nr_subprogs++;
	return 0;
}

int find_subprogs(struct verifier *v)
{
	int err = add_subprog(v, 0);

	for (u32 pc = 0; pc < v->insn_cnt && !err; pc++) {
		const struct bpf_insn *insn = &v->insns[pc];

		if (insn_names_subprog(insn))
			err = add_subprog(v, (s64)pc + 1 + insn->imm);
	}
	return err;
}

static int check_subprog(struct verifier *v, u32 start, u32 end)
{
	const struct bpf_insn *last = &v->insns[end - 1];

	for (u32 pc = start; pc < end; pc++) {
		s64 to = insn_jump_target(&v->insns[pc], pc);

		if (insn_is_jump(&v->insns[pc]) && (to < start || to >= end)) {
			verbose(v, "jump out of range from insn %u to %lld\n", pc, (long long)to);
			return -EINVAL;
		}
	}
	if (last->code == (BPF_JMP | BPF_EXIT) || insn_is_ja(last))
		return 0;
	verbose(v, "last insn is not an exit or jmp\n");
	return -EINVAL;
}

static bool is_packet_load(const struct bpf_insn *insn)
{
	u8 mode = BPF_MODE(insn->code);

	return BPF_CLASS(insn->code) == BPF_LD && (mode == BPF_ABS || mode == BPF_IND);
}

/* What ends the program from inside a subprogram needs to be told what the subprogram returns. */
static int check_abnormal_return(struct verifier *v)
{
	if (v->request->nr_func_info || v->result->nr_subprogs == 1)
		return 0;
	for (u32 pc = v->result->subprogs[1]; pc < v->insn_cnt; pc++) {
		const char *what = is_packet_load(&v->insns[pc]) ? "LD_ABS"
				   : insn_is_tail_call(&v->insns[pc]) ? "tail_call"
								 : NULL;

		if (what) {
			verbose(v, "%s is not allowed in subprogs without BTF\n", what);
			return -EINVAL;
		}
	}
	return 0;
}

int check_subprogs(struct verifier *v)
{
	const struct verify_result *result = v->result;

	for (u32 i = 0; i < result->nr_subprogs; i++) {
		bool is_last = i + 1 == result->nr_subprogs;
		int err = check_subprog(v, result->subprogs[i],
					is_last ? v->insn_cnt : result->subprogs[i + 1]);

		if (err)
			return err;
	}
	return check_abnormal_return(v);
}

struct reach {
	u8 *seen;  /* by instruction */
	u32 *todo; /* seen, successors not yet */
	u32 nr_todo;
};

static void reach(struct reach *r, s64 pc)
{
	if (r->seen[pc])
		return;
	r->seen[pc] = 1;
	r->todo[r->nr_todo++] = (u32)pc;
}

/* All targets are inside the program: check_subprogs() and resolve_references() came before. */
static void reach_successors(const struct verifier *v, struct reach *r, u32 pc)
{
	const struct bpf_insn *insn = &v->insns[pc];

	if (insn_is_jump(insn))
		reach(r, insn_jump_target(insn, pc));
	else if (insn_names_subprog(insn))
		reach(r, (s64)pc + 1 + insn->imm);
	if (insn->code != (BPF_JMP | BPF_EXIT) && !insn_is_ja(insn))
		reach(r, pc + (insn->code == CODE_LD_IMM64 ? 2 : 1));
}

static int report_unreached(struct verifier *v, const u8 *seen)
{
	for (u32 pc = 0; pc < v->insn_cnt; pc++) {
		if (!seen[pc]) {
			verbose(v, "unreachable insn %u\n", pc);
			return -EINVAL;
		}
		if (v->insns[pc].code == CODE_LD_IMM64 && seen[++pc]) {
			verbose(v, "jump into the middle of ldimm64 insn %u\n", pc - 1);
			return -EINVAL;
		}
	}
	return 0;
}

int check_reachability(struct verifier *v)
{
	struct reach r = {
		.seen = memory_zalloc(v->insn_cnt, 1),
		.todo = memory_alloc(v->insn_cnt * sizeof(u32)),
	};
	int err = -ENOMEM;

	if (r.seen && r.todo) {
		reach(&r, 0);
		while (r.nr_todo)
			reach_successors(v, &r, r.todo[--r.nr_todo]);
		err = report_unreached(v, r.seen);
	}
	memory_free(r.todo);
	memory_free(r.seen);
	return err;
}
