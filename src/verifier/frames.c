/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * frames.c: what chains of calls need: no more than 8 frames, no recursion, 512 bytes of stack
 * together. Looks at calls and at the depths that check.c has found.
 */
#include "verifier/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/btf_info.h"
#include "vm/insn.h"

/* How much of a frame the JIT compiler reserves; what the kernel counts. */
static u32 frame_size(const struct verifier *v, u32 subprog)
{
	return ROUND_UP((u32)v->stack_depth[subprog], 16u);
}

static u32 subprog_end(const struct verifier *v, u32 subprog)
{
	const struct verify_result *result = v->result;

	return subprog + 1 == result->nr_subprogs ? v->insn_cnt : result->subprogs[subprog + 1];
}

int next_callee(const struct verifier *v, u32 subprog, u32 *pc)
{
	u32 end = subprog_end(v, subprog);

	while (*pc < end) {
		const struct bpf_insn *insn = &v->insns[*pc];
		s64 target = (s64)*pc + 1 + insn->imm;

		*pc += insn->code == CODE_LD_IMM64 ? 2 : 1;
		if (insn_names_subprog(insn) && insn->code != CODE_LD_IMM64)
			return (int)subprog_at(v, (u32)target);
	}
	return -1;
}

/* The deepest chain below each subprogram; 0: not known yet. */
struct chains {
	bool whole; /* also over calls of global functions */
	u32 frames[PROG_MAX_SUBPROGS];
	u32 bytes[PROG_MAX_SUBPROGS];
};

static bool measure(const struct verifier *v, struct chains *chains, u32 subprog, u32 depth)
{
	u32 pc = v->result->subprogs[subprog], frames = 0, bytes = 0;
	int callee;

	if (chains->frames[subprog])
		return depth + chains->frames[subprog] <= PROG_MAX_FRAMES;
	if (depth == PROG_MAX_FRAMES)
		return false;
	while ((callee = next_callee(v, subprog, &pc)) >= 0) {
		if (!chains->whole && verify_is_global(v->request, (u32)callee))
			continue;
		if (!measure(v, chains, (u32)callee, depth + 1))
			return false;
		frames = MAX(frames, chains->frames[callee]);
		bytes = MAX(bytes, chains->bytes[callee]);
	}
	chains->frames[subprog] = frames + 1;
	chains->bytes[subprog] = bytes + frame_size(v, subprog);
	return true;
}

/* Global functions are verified one by one; how deep they call each other is looked at after that. */
int check_call_depth(struct verifier *v)
{
	struct chains parts = {0}, all = {.whole = true};

	for (u32 i = 0; i < v->result->nr_subprogs; i++)
		if ((!i || verify_is_global(v->request, i)) && !measure(v, &parts, i, 0)) {
			verbose(v, "the call stack of %u frames is too deep\n", PROG_MAX_FRAMES + 1);
			return -E2BIG;
		}
	if (measure(v, &all, 0, 0))
		return 0;
	verbose(v, "the call stack of %u frames is too deep !\n", PROG_MAX_FRAMES);
	return -E2BIG;
}

/* The most that frames above each subprogram take together. */
static void measure_above(const struct verifier *v, u32 *above)
{
	for (u32 round = 0; round < PROG_MAX_FRAMES; round++)
		for (u32 i = 0; i < v->result->nr_subprogs; i++) {
			u32 pc = v->result->subprogs[i];
			int callee;

			while ((callee = next_callee(v, i, &pc)) >= 0)
				above[callee] = MAX(above[callee], above[i] + frame_size(v, i));
		}
}

bool has_tail_call(const struct verifier *v, u32 subprog)
{
	for (u32 pc = v->result->subprogs[subprog]; pc < subprog_end(v, subprog); pc++)
		if (insn_is_tail_call(&v->insns[pc]))
			return true;
	return false;
}

/* The program that a subprogram goes on with comes on top of its callers. */
static int check_tail_calls(const struct verifier *v)
{
	u32 above[PROG_MAX_SUBPROGS] = {0};

	measure_above(v, above);
	for (u32 i = 1; i < v->result->nr_subprogs; i++)
		if (above[i] >= PROG_STACK_BYTES / 2 && has_tail_call(v, i)) {
			verbose(v,
				"tail_calls are not allowed when call stack of previous frames is "
				"%u bytes. Too large\n",
				above[i]);
			return -EACCES;
		}
	return 0;
}

int check_stack_size(struct verifier *v)
{
	struct chains chains = {.whole = true};
	u32 subprog = 0, calls = 1, bytes = frame_size(v, 0), pc = 0;
	int err = check_tail_calls(v);

	if (err)
		return err;
	/* These have a stack of their own for every frame. */
	if (v->request->type->helper_groups & (HG_TRACE | HG_PERF_EVENT))
		return 0;
	if (!measure(v, &chains, 0, 0) || chains.bytes[0] <= PROG_STACK_BYTES)
		return 0;
	/* Follow the first chain that is too large to the frame that makes it so. */
	while (bytes <= PROG_STACK_BYTES) {
		int callee = next_callee(v, subprog, &pc);

		if (callee < 0)
			break;
		if (bytes + chains.bytes[callee] <= PROG_STACK_BYTES)
			continue;
		subprog = (u32)callee;
		pc = v->result->subprogs[subprog];
		bytes += frame_size(v, subprog);
		calls++;
	}
	verbose(v, "combined stack size of %u calls is %u. Too large\n", calls, bytes);
	return -EACCES;
}
