/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * insn.h: which instruction a struct bpf_insn is. Built from insn.def; knows single instructions,
 * nothing of programs.
 */
#ifndef VM_INSN_H
#define VM_INSN_H

#include <linux/bpf.h>

#include "base/compiler.h"
#include "base/uapi.h"

/* Values that Linux 6.1 did not have yet. */
#define UAPI_MEMSX 0x80       /* 6.6: mode of sign-extending loads */
#define UAPI_JCOND 0xe0       /* 6.9: may_goto */
#define UAPI_LOAD_ACQ 0x100   /* 6.15: imm of an atomic */
#define UAPI_STORE_REL 0x110  /* 6.15 */
#define UAPI_ADDR_SPACE_CAST 1 /* 6.9: off of a register move */

#define CODE_LD_IMM64 (BPF_LD | BPF_IMM | BPF_DW)
/* imm of a cast: the address space of the source << 0, of the result << 16. */
#define CAST_TO_PROGRAM 1
#define CAST_TO_USER (1 << 16)
/* Iterations after which may_goto leaves a loop. */
#define MAY_GOTO_LIMIT (8u << 20)

/* Operands that may differ from zero. */
enum insn_fields { USES_DST = 1, USES_SRC = 2, USES_OFF = 4, USES_IMM = 8 };

enum insn_id {
	INSN_NONE, /* no such instruction */
#define INSN(id, code, variant, fields, text) INSN_##id,
#include "vm/insn.def"
	INSN_COUNT
};

struct insn_info {
	const char *name;
	const char *text;
	u8 code;
	u8 fields;
};

/* By enum insn_id. */
extern const struct insn_info insn_infos[INSN_COUNT];

/* What distinguishes insn from others with its opcode: off, imm or src, according to the opcode. */
static inline s32 insn_variant(const struct bpf_insn *insn)
{
	u8 op = BPF_OP(insn->code);

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		if (op == BPF_END)
			return insn->imm;
		return op == BPF_DIV || op == BPF_MOD || op == BPF_MOV ? insn->off : 0;
	case BPF_STX:
		return BPF_MODE(insn->code) == BPF_ATOMIC ? insn->imm : 0;
	case BPF_JMP:
		return op == BPF_CALL ? insn->src_reg : 0;
	case BPF_LD:
		return insn->code == CODE_LD_IMM64 ? insn->src_reg : 0;
	}
	return 0;
}

/* Which instruction this is; INSN_NONE for an unknown one or a reserved operand that is not zero.
 * The second half of a ld_imm64 is none. */
enum insn_id insn_find(const struct bpf_insn *insn);
/* Is there an instruction with this opcode? */
bool insn_opcode_known(u8 code);

static inline bool insn_is_jump(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static inline bool insn_is_ja(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_JA) || insn->code == (BPF_JMP32 | BPF_JA);
}

/* Where a jump at index pc goes to when taken. */
static inline s64 insn_jump_target(const struct bpf_insn *insn, u32 pc)
{
	return (s64)pc + 1 + (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off);
}

#define INSN_R0_TO_R5 0x3fu

/* Registers that an instruction may change, a bit for each. */
static inline u32 insn_changes(const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
	case BPF_LDX:
		return 1u << insn->dst_reg;
	case BPF_LD:
		return insn->code == CODE_LD_IMM64 ? 1u << insn->dst_reg : INSN_R0_TO_R5;
	case BPF_STX:
		return BPF_MODE(insn->code) == BPF_ATOMIC
			       ? 1u << insn->src_reg | 1u << insn->dst_reg | 1u
			       : 0;
	case BPF_JMP:
		return BPF_OP(insn->code) == BPF_CALL ? INSN_R0_TO_R5 : 0;
	}
	return 0;
}

/* The value of a ld_imm64 in its two halves. */
static inline u64 insn_imm64(const struct bpf_insn *insn)
{
	return (u64)(u32)insn[1].imm << 32 | (u32)insn->imm;
}

static inline bool insn_is_tail_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg &&
	       insn->imm == BPF_FUNC_tail_call;
}

static inline bool insn_is_kfunc_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL;
}

/* Refers to a subprogram of the same program: a local call, or the address of a callback. */
static inline bool insn_names_subprog(const struct bpf_insn *insn)
{
	return (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
	       (insn->code == CODE_LD_IMM64 && insn->src_reg == BPF_PSEUDO_FUNC);
}

#endif
