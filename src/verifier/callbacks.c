/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * callbacks.c: what holds of subprograms that are called back: by a helper during its call, or by a
 * timer or work queue at a time of its own. The latter are known where straight-line code shows
 * which function a call is given.
 */
#include "verifier/internal.h"

#include <errno.h>

#include "verifier/known.h"
#include "vm/insn.h"

/* The subprogram that an instruction names as a callback; 0: none. */
static u32 named_callback(const struct verifier *v, u32 pc)
{
	const struct bpf_insn *insn = &v->insns[pc];

	if (insn->code != CODE_LD_IMM64 || !insn_names_subprog(insn))
		return 0;
	return subprog_at(v, (u32)((s64)pc + 1 + insn->imm));
}

void note_async(struct verifier *v, const struct known *function, u32 async)
{
	if (function->kind == FUNC)
		v->async[named_callback(v, (u32)(function->insn - v->insns))] |= (u8)async;
}

int check_async_exit(const struct verifier *v, u32 pc, const struct known *r0)
{
	if (!v->async[subprog_at(v, pc)] || !r0->exact || !r0->number)
		return 0;
	verbose(v,
		"At async callback return the register R0 has smin=%lld smax=%lld should have been "
		"in [0, 0]\n",
		(long long)r0->number, (long long)r0->number);
	return -EINVAL;
}

bool may_sleep(const struct verifier *v, u32 pc)
{
	return v->request->flags & BPF_F_SLEEPABLE ||
	       v->async[subprog_at(v, pc)] & ASYNC_SLEEPS;
}

static bool calls(const struct verifier *v, u32 caller, u32 subprog)
{
	u32 pc = v->result->subprogs[caller];
	int callee;

	while ((callee = next_callee(v, caller, &pc)) >= 0)
		if ((u32)callee == subprog)
			return true;
	return false;
}

/* Callbacks first, then what they call, as deep as calls go. */
bool runs_in_callback(const struct verifier *v, u32 subprog)
{
	bool inside[PROG_MAX_SUBPROGS] = {false};

	for (u32 pc = 0; pc < v->insn_cnt; pc++)
		inside[named_callback(v, pc)] = true;
	inside[0] = false;
	for (u32 round = 1; round < PROG_MAX_FRAMES && !inside[subprog]; round++)
		for (u32 caller = 1; caller < v->result->nr_subprogs; caller++)
			for (u32 i = 1; inside[caller] && i < v->result->nr_subprogs; i++)
				inside[i] |= calls(v, caller, i);
	return inside[subprog];
}

/* The kernel's verifier does not get along with callbacks that go on with another program. */
int check_callbacks(const struct verifier *v)
{
	for (u32 pc = 0; pc < v->insn_cnt; pc++) {
		const u32 callback = named_callback(v, pc);

		if (callback && has_tail_call(v, callback)) {
			verbose(v, "verifier bug: callback unexpected regs 1\n");
			return -EFAULT;
		}
	}
	return 0;
}
