/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * insn.c: the instruction table as data. Only expands insn.def.
 */
#include "vm/insn.h"

/* Several instructions share an opcode; all of them say the same about it. */
#pragma GCC diagnostic ignored "-Woverride-init"

const struct insn_info insn_infos[INSN_COUNT] = {
#define INSN(id, code, variant, fields, text) [INSN_##id] = {#id, text, code, fields},
#include "vm/insn.def"
};

#define KEY(code, variant) ((u64)(u32)(variant) << 8 | (u8)(code))

static enum insn_id find_key(u64 key)
{
	switch (key) {
#define INSN(id, code, variant, fields, text)                                                      \
	case KEY(code, variant):                                                                   \
		return INSN_##id;
#include "vm/insn.def"
	}
	return INSN_NONE;
}

static u8 fields_set(const struct bpf_insn *insn)
{
	return (insn->dst_reg ? USES_DST : 0) | (insn->src_reg ? USES_SRC : 0) |
	       (insn->off ? USES_OFF : 0) | (insn->imm ? USES_IMM : 0);
}

enum insn_id insn_find(const struct bpf_insn *insn)
{
	enum insn_id id = find_key(KEY(insn->code, insn_variant(insn)));

	return fields_set(insn) & ~insn_infos[id].fields ? INSN_NONE : id;
}

bool insn_opcode_known(u8 code)
{
	static const bool known[256] = {
#define INSN(id, code, variant, fields, text) [code] = true,
#include "vm/insn.def"
	};

	return known[code];
}
