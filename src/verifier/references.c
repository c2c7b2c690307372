/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * references.c: results of helpers that a program has to release. Each is followed from its call
 * to the first branch that is not the check for NULL: far enough for what is always forgotten,
 * released twice or used too early or late. What goes wrong beyond is a fault of the run.
 */
#include "verifier/internal.h"

#include <errno.h>

#include "vm/helper.h"
#include "vm/insn.h"

enum state { MAYBE_NULL, THERE, RELEASED };

struct reference {
	struct verifier *v;
	u32 pc;
	u32 acquired_at;
	u32 holders; /* registers, a bit each */
	enum state state;
	bool followed; /* to the end of what can be said */
};

static bool holds(const struct reference *r, u32 reg)
{
	return r->holders & 1u << reg;
}

static const char *type_name(const struct reference *r)
{
	return r->state == RELEASED ? "scalar" : r->state == THERE ? "sock" : "sock_or_null";
}

static int refuse_access(const struct reference *r, u32 reg)
{
	verbose(r->v, "R%u invalid mem access '%s'\n", reg, type_name(r));
	return -EACCES;
}

static int refuse_leak(const struct reference *r)
{
	verbose(r->v,
		"Unreleased reference id=1 alloc_insn=%u\n"
		"BPF_EXIT instruction in main prog would lead to reference leak\n",
		r->acquired_at);
	return -EINVAL;
}

static void overwrite(struct reference *r, u32 reg)
{
	r->holders &= ~(1u << reg);
}

static int follow_alu(struct reference *r, const struct bpf_insn *insn)
{
	const u8 operation = BPF_OP(insn->code);

	if (operation == BPF_MOV) {
		overwrite(r, insn->dst_reg);
		if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && holds(r, insn->src_reg))
			r->holders |= 1u << insn->dst_reg;
		return 0;
	}
	if (holds(r, insn->dst_reg) && r->state != RELEASED &&
	    (operation == BPF_ADD || operation == BPF_SUB)) {
		verbose(r->v, "R%u pointer arithmetic on %s prohibited%s\n", insn->dst_reg,
			type_name(r), r->state == THERE ? "" : ", null-check it first");
		return -EACCES;
	}
	overwrite(r, insn->dst_reg);
	return 0;
}

static bool takes_socket(const struct helper *helper, u32 reg)
{
	return helper->args[reg - 1] == ARG_SOCKET || helper->args[reg - 1] == ARG_SOCKET_FOUND;
}

static int follow_helper(struct reference *r, const struct helper *helper)
{
	for (u32 reg = 1; reg <= 5; reg++) {
		if (!takes_socket(helper, reg) || !holds(r, reg) || r->state == THERE)
			continue;
		verbose(r->v, "R%u type=%s expected=sock_common, sock, tcp_sock, xdp_sock\n", reg,
			type_name(r));
		return -EACCES;
	}
	if (helper->flags & HF_RELEASES && holds(r, 1))
		r->state = RELEASED;
	r->holders &= ~0x3fu;
	return 0;
}

static bool is_check_for_null(const struct reference *r, const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_JEQ | BPF_K) || insn->code == (BPF_JMP | BPF_JNE | BPF_K)
		       ? !insn->imm && holds(r, insn->dst_reg) && r->state == MAYBE_NULL
		       : false;
}

static int follow_jump(struct reference *r, const struct bpf_insn *insn)
{
	if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && helper_of((u32)insn->imm))
		return follow_helper(r, helper_of((u32)insn->imm));
	r->followed = true;
	if (insn->code == (BPF_JMP | BPF_EXIT) && r->state != RELEASED && !subprog_at(r->v, r->pc))
		return refuse_leak(r);
	if (!is_check_for_null(r, insn))
		return 0;
	r->followed = false;
	r->state = THERE;
	if (BPF_OP(insn->code) == BPF_JNE)
		r->pc = (u32)insn_jump_target(insn, r->pc) - 1;
	return 0;
}

static int follow(struct reference *r, const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return follow_alu(r, insn);
	case BPF_LDX:
		if (holds(r, insn->src_reg) && r->state != THERE)
			return refuse_access(r, insn->src_reg);
		overwrite(r, insn->dst_reg);
		return 0;
	case BPF_ST:
	case BPF_STX:
		return holds(r, insn->dst_reg) ? refuse_access(r, insn->dst_reg) : 0;
	case BPF_LD:
		r->followed = insn->code != CODE_LD_IMM64;
		r->pc++;
		overwrite(r, insn->dst_reg);
		return 0;
	}
	return follow_jump(r, insn);
}

int check_reference(struct verifier *v, u32 pc)
{
	struct reference r = {.v = v, .pc = pc + 1, .acquired_at = pc, .holders = 1u << 0};
	int err = 0;

	if (!v->acquires)
		v->first_acquired_at = pc;
	v->acquires = true;
	for (u32 steps = 0; steps < v->insn_cnt && !r.followed && !err; steps++, r.pc++)
		err = follow(&r, &v->insns[r.pc]);
	return err;
}

int check_releases(struct verifier *v)
{
	const struct reference r = {.v = v, .acquired_at = v->first_acquired_at};

	return v->acquires && !v->releases ? refuse_leak(&r) : 0;
}
