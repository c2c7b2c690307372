/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* known.c: see known.h. Knows the meaning of instructions, not which of them are allowed. */
#include "verifier/known.h"

#include <string.h>

#include "base/atomic.h"
#include "maps/map.h"
#include "vm/insn.h"

const char *known_name(const struct known *known)
{
	static const char *const names[] = {
		[SCALAR] = "scalar", [CTX] = "ctx",         [FRAME] = "fp",
		[MAP] = "map_ptr",   [VALUE] = "map_value",
		[FUNC] = "func",
	};

	return names[known->kind];
}

void known_join(struct known *regs)
{
	for (u32 reg = 0; reg < NR_REGS; reg++) {
		regs[reg].exact = false;
		if (regs[reg].kind == VALUE || regs[reg].kind == FUNC)
			regs[reg].kind = UNKNOWN;
	}
}

void known_forget(struct known *regs, u32 from, u32 to)
{
	for (u32 reg = from; reg <= to; reg++)
		regs[reg] = (struct known){.kind = UNKNOWN};
}

static struct known exactly(u64 number)
{
	return (struct known){.kind = SCALAR, .exact = true, .number = number};
}

static bool is_wide(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU64 || BPF_CLASS(insn->code) == BPF_JMP;
}

static struct known operand(const struct known *regs, const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_X ? regs[insn->src_reg] : exactly((u64)(s64)insn->imm);
}

static bool compute(const struct bpf_insn *insn, u64 a, u64 b, u64 *result)
{
	bool wide = is_wide(insn);
	u32 shift = b & (wide ? 63 : 31);

	a = wide ? a : (u32)a;
	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		a += b;
		break;
	case BPF_SUB:
		a -= b;
		break;
	case BPF_AND:
		a &= b;
		break;
	case BPF_OR:
		a |= b;
		break;
	case BPF_XOR:
		a ^= b;
		break;
	case BPF_LSH:
		a <<= shift;
		break;
	case BPF_RSH:
		a >>= shift;
		break;
	case BPF_ARSH:
		a = wide ? (u64)((s64)a >> shift) : (u64)((s32)a >> shift);
		break;
	default:
		return false;
	}
	*result = wide ? a : (u32)a;
	return true;
}

static struct known after_move(const struct known *regs, const struct bpf_insn *insn)
{
	struct known source = operand(regs, insn);

	if (insn->off || (!is_wide(insn) && !source.exact))
		return (struct known){.kind = UNKNOWN};
	if (!is_wide(insn))
		source.number = (u32)source.number;
	return source;
}

static struct known after_alu(const struct known *regs, const struct bpf_insn *insn)
{
	struct known target = regs[insn->dst_reg], source = operand(regs, insn);
	u64 result;

	if (BPF_OP(insn->code) == BPF_MOV)
		return after_move(regs, insn);
	if (target.exact && source.exact && compute(insn, target.number, source.number, &result))
		return exactly(result);
	if (insn->code != (BPF_ALU64 | BPF_ADD | BPF_K) || target.kind == SCALAR ||
	    target.kind == CTX || target.kind == FUNC)
		return (struct known){.kind = UNKNOWN};
	target.off = (s32)((u32)target.off + (u32)insn->imm);
	return target;
}

/* No program writes it, and since it is frozen nobody else does. */
bool known_is_constant(const struct known *known)
{
	return known->kind == VALUE && known->map->flags & BPF_F_RDONLY_PROG &&
	       load_acquire(&known->map->header->frozen);
}

bool known_constant(const struct known *known, const char **text, u32 *room)
{
	const struct map *map = known->map;
	u32 first = 0;

	if (!known_is_constant(known) || known->off < 0 ||
	    (u32)known->off >= map->value_size)
		return false;
	*text = (const char *)map->ops->lookup((struct map *)map, &first) + known->off;
	*room = map->value_size - (u32)known->off;
	return true;
}

static struct known after_load(const struct known *regs, const struct bpf_insn *insn)
{
	static const u8 sizes[] = {4, 2, 1, 8}; /* by BPF_SIZE */
	struct known from = regs[insn->src_reg];
	u32 size = sizes[BPF_SIZE(insn->code) >> 3], room;
	const char *value;
	u64 number = 0;

	from.off = (s32)((u32)from.off + (u32)insn->off);
	if (BPF_MODE(insn->code) != BPF_MEM || !known_constant(&from, &value, &room) || size > room)
		return (struct known){.kind = UNKNOWN};
	for (u32 i = 0; i < size; i++)
		number |= (u64)(u8)value[i] << 8 * i;
	return exactly(number);
}

static struct known after_imm64(const struct bpf_insn *insn, const struct verify_result *maps)
{
	if (!insn->src_reg)
		return exactly((u32)insn[0].imm | (u64)(u32)insn[1].imm << 32);
	if (insn->src_reg == BPF_PSEUDO_FUNC)
		return (struct known){.kind = FUNC, .insn = insn};
	for (u32 i = 0; i < maps->nr_maps; i++) {
		const struct map *map = maps->maps[i];

		if (map->object.id != (u32)insn->imm)
			continue;
		if (insn->src_reg == BPF_PSEUDO_MAP_FD)
			return (struct known){.kind = MAP, .map = map};
		if (insn->src_reg == BPF_PSEUDO_MAP_VALUE)
			return (struct known){.kind = VALUE, .map = map, .off = insn[1].imm};
	}
	return (struct known){.kind = UNKNOWN};
}

void known_step(struct known *regs, const struct bpf_insn *insn, const struct verify_result *maps)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		regs[insn->dst_reg] = after_alu(regs, insn);
		break;
	case BPF_LDX:
		regs[insn->dst_reg] = after_load(regs, insn);
		break;
	case BPF_LD:
		if (insn->code == CODE_LD_IMM64)
			regs[insn->dst_reg] = after_imm64(insn, maps);
		else
			known_forget(regs, 0, 5);
		break;
	case BPF_STX: /* atomic operations fetch into one of these */
		if (BPF_MODE(insn->code) == BPF_ATOMIC) {
			known_forget(regs, 0, 0);
			known_forget(regs, insn->src_reg, insn->src_reg);
			known_forget(regs, insn->dst_reg, insn->dst_reg);
		}
		break;
	case BPF_JMP:
		known_forget(regs, 0, 5);
		break;
	}
	regs[FP] = (struct known){.kind = FRAME};
}

bool known_condition(const struct known *regs, const struct bpf_insn *insn, bool *holds)
{
	const struct known target = regs[insn->dst_reg], source = operand(regs, insn);
	bool wide = is_wide(insn);
	u64 a = wide ? target.number : (u32)target.number;
	u64 b = wide ? source.number : (u32)source.number;
	s64 sa = wide ? (s64)a : (s32)a, sb = wide ? (s64)b : (s32)b;

	if (!target.exact || !source.exact)
		return false;
	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		*holds = a == b;
		return true;
	case BPF_JNE:
		*holds = a != b;
		return true;
	case BPF_JSET:
		*holds = a & b;
		return true;
	case BPF_JGT:
		*holds = a > b;
		return true;
	case BPF_JGE:
		*holds = a >= b;
		return true;
	case BPF_JLT:
		*holds = a < b;
		return true;
	case BPF_JLE:
		*holds = a <= b;
		return true;
	case BPF_JSGT:
		*holds = sa > sb;
		return true;
	case BPF_JSGE:
		*holds = sa >= sb;
		return true;
	case BPF_JSLT:
		*holds = sa < sb;
		return true;
	case BPF_JSLE:
		*holds = sa <= sb;
		return true;
	}
	return false;
}
