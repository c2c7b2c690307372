/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * jit_x86_64.c: the back end of the JIT for x86-64. Knows instructions; contract in jit.h.
 *
 * R1 to R5 live in the registers of the second to sixth argument of a C function, so that a helper
 * is called by putting the run into the first one. R0 is the register of results, R6 to R9 and R10
 * are registers that C functions keep. The budget (struct vm_run.insns_left) lives in r11 while
 * emitted code runs and in memory while C does.
 *
 * Native stack: every subprogram keeps it aligned to 16 at its calls; the BPF frames lie elsewhere,
 * in struct vm_state.
 */
#if defined(__x86_64__)

#include "vm/jit.h"

#include <errno.h>
#include <stddef.h>

#include "vm/insn.h"
#include "vm/state.h"

enum reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { SCRATCH = R10, SCRATCH2 = RDI, BUDGET = R11, RUN = R12 };
enum condition {
	CC_B = 2, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S,
	CC_L = 12, CC_GE, CC_LE, CC_G,
};

static const u8 reg_of[] = {RAX, RSI, RDX, RCX, R8, R9, RBX, R13, R14, R15, RBP};

#define PUT1(a) jit_put(jit, (u8)(a), 1)
#define PUT2(a, b) jit_put(jit, (u32)(u8)(a) | (u32)(u8)(b) << 8, 2)

/* Encoding */

static void put32(struct jit *jit, u32 value)
{
	jit_put(jit, value, 4);
}

static bool is_s8(s64 value)
{
	return value == (s8)value;
}

/* The REX prefix where one is needed: wide, or registers above the eighth; or where forced. */
static void rex(struct jit *jit, bool wide, u8 reg, u8 base, bool forced)
{
	u8 prefix = (u8)(0x40 | wide << 3 | (reg >> 3) << 2 | base >> 3);

	if (prefix != 0x40 || forced)
		PUT1(prefix);
}

static void modrm_reg(struct jit *jit, u8 reg, u8 rm)
{
	PUT1(0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* reg, [base + disp] */
static void modrm_mem(struct jit *jit, u8 reg, u8 base, s32 disp)
{
	u8 mode = disp == 0 && (base & 7) != RBP ? 0x00 : is_s8(disp) ? 0x40 : 0x80;

	PUT1(mode | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == RSP)
		PUT1(0x24);
	if (mode == 0x40)
		PUT1(disp);
	else if (mode == 0x80)
		put32(jit, (u32)disp);
}

/* opcode reg, rm: both registers. */
static void op_reg(struct jit *jit, bool wide, u8 opcode, u8 reg, u8 rm)
{
	rex(jit, wide, reg, rm, false);
	PUT1(opcode);
	modrm_reg(jit, reg, rm);
}

/* The same for the opcodes behind 0f. Byte operands want a prefix for some registers. */
static void op0f_reg(struct jit *jit, bool wide, u8 opcode, u8 reg, u8 rm)
{
	rex(jit, wide, reg, rm, rm >= RSP);
	PUT2(0x0f, opcode);
	modrm_reg(jit, reg, rm);
}

static void op_mem(struct jit *jit, bool wide, u8 opcode, u8 reg, u8 base, s32 disp)
{
	rex(jit, wide, reg, base, false);
	PUT1(opcode);
	modrm_mem(jit, reg, base, disp);
}

static void mov_reg(struct jit *jit, bool wide, u8 dst, u8 src)
{
	op_reg(jit, wide, 0x89, src, dst);
}

static void mov_imm(struct jit *jit, u8 dst, u64 value)
{
	if (value == 0) {
		op_reg(jit, false, 0x31, dst, dst);
	} else if (value == (u32)value) {
		rex(jit, false, 0, dst, false);
		PUT1(0xb8 | (dst & 7));
		put32(jit, (u32)value);
	} else if ((s64)value == (s32)value) {
		op_reg(jit, true, 0xc7, 0, dst);
		put32(jit, (u32)value);
	} else {
		rex(jit, true, 0, dst, false);
		PUT1(0xb8 | (dst & 7));
		jit_put(jit, value, 8);
	}
}

/* The instructions of opcode 81: 0 add, 1 or, 4 and, 5 sub, 6 xor, 7 cmp. */
static void op_imm(struct jit *jit, bool wide, u8 digit, u8 dst, s32 imm)
{
	op_reg(jit, wide, is_s8(imm) ? 0x83 : 0x81, digit, dst);
	jit_put(jit, (u32)imm, is_s8(imm) ? 1 : 4);
}

static void push(struct jit *jit, u8 reg)
{
	rex(jit, false, 0, reg, false);
	PUT1(0x50 | (reg & 7));
}

static void pop(struct jit *jit, u8 reg)
{
	rex(jit, false, 0, reg, false);
	PUT1(0x58 | (reg & 7));
}

static void load_run(struct jit *jit, bool wide, u8 dst, u32 field)
{
	op_mem(jit, wide, 0x8b, dst, RUN, (s32)field);
}

static void store_run(struct jit *jit, bool wide, u32 field, u8 src)
{
	op_mem(jit, wide, 0x89, src, RUN, (s32)field);
}

#define RUN_FIELD(name) ((u32)offsetof(struct vm_run, name))

/* Jumps to a place in the code; cc < 0: always. The short form where the distance allows it. */
static void jump_place(struct jit *jit, int cc, u32 place)
{
	s64 distance = jit_distance(jit, place, 2);

	if (place != JIT_UNKNOWN && is_s8(distance) && !(jit->long_jumps && place > jit->at)) {
		PUT2(cc < 0 ? 0xeb : 0x70 | cc, distance);
		return;
	}
	if (cc < 0)
		PUT1(0xe9);
	else
		PUT2(0x0f, 0x80 | cc);
	put32(jit, place - (jit->at + 4));
}

static void call_place(struct jit *jit, u32 place)
{
	PUT1(0xe8);
	put32(jit, place - (jit->at + 4));
}

/* A jump over what is emitted next: join() is where it goes to. */
static u32 jump_over(struct jit *jit, int cc)
{
	PUT2(cc < 0 ? 0xeb : 0x70 | cc, 0);
	return jit->at;
}

static void join(struct jit *jit, u32 from)
{
	if (jit->out)
		jit->out[from - 1] = (u8)(jit->at - from);
}

static u8 dst_of(const struct bpf_insn *insn)
{
	return reg_of[insn->dst_reg];
}

static u8 src_of(const struct bpf_insn *insn)
{
	return reg_of[insn->src_reg];
}

static bool is_wide(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code);

	return class == BPF_ALU64 || class == BPF_JMP;
}

static bool has_imm(const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_K;
}

/* Arithmetic */

static void multiply(struct jit *jit, const struct bpf_insn *insn)
{
	bool wide = is_wide(insn);
	u8 dst = dst_of(insn);

	if (has_imm(insn)) {
		op_reg(jit, wide, is_s8(insn->imm) ? 0x6b : 0x69, dst, dst);
		jit_put(jit, (u32)insn->imm, is_s8(insn->imm) ? 1 : 4);
	} else {
		op0f_reg(jit, wide, 0xaf, dst, src_of(insn));
	}
}

/* digit: 4 shl, 5 shr, 7 sar. The machine takes counts from cl alone. */
static void shift(struct jit *jit, const struct bpf_insn *insn, u8 digit)
{
	bool wide = is_wide(insn);
	u8 dst = dst_of(insn), src = src_of(insn);

	if (has_imm(insn)) {
		op_reg(jit, wide, 0xc1, digit, dst);
		PUT1(insn->imm & (wide ? 63 : 31));
		return;
	}
	if (src == RCX && dst != RCX) {
		op_reg(jit, wide, 0xd3, digit, dst);
		return;
	}
	mov_reg(jit, true, SCRATCH, dst == RCX ? dst : RCX);
	if (src != RCX)
		mov_reg(jit, false, RCX, src);
	if (dst == RCX) {
		op_reg(jit, wide, 0xd3, digit, SCRATCH);
		mov_reg(jit, wide, RCX, SCRATCH);
	} else {
		op_reg(jit, wide, 0xd3, digit, dst);
		mov_reg(jit, true, RCX, SCRATCH);
	}
}

static void x86_alu(struct jit *jit, const struct bpf_insn *insn)
{
	static const struct {
		u8 opcode, digit;
	} ops[16] = {
		[BPF_ADD >> 4] = {0x01, 0}, [BPF_OR >> 4] = {0x09, 1}, [BPF_AND >> 4] = {0x21, 4},
		[BPF_SUB >> 4] = {0x29, 5}, [BPF_XOR >> 4] = {0x31, 6},
	};
	u8 op = BPF_OP(insn->code);

	switch (op) {
	case BPF_MUL:
		multiply(jit, insn);
		return;
	case BPF_LSH:
		shift(jit, insn, 4);
		return;
	case BPF_RSH:
		shift(jit, insn, 5);
		return;
	case BPF_ARSH:
		shift(jit, insn, 7);
		return;
	}
	if (has_imm(insn))
		op_imm(jit, is_wide(insn), ops[op >> 4].digit, dst_of(insn), insn->imm);
	else
		op_reg(jit, is_wide(insn), ops[op >> 4].opcode, src_of(insn), dst_of(insn));
}

/* dst = quotient or remainder of dst and SCRATCH, which is not 0, nor -1 if signed. */
static void divide_registers(struct jit *jit, const struct bpf_insn *insn)
{
	bool wide = is_wide(insn), is_signed = insn->off, modulo = BPF_OP(insn->code) == BPF_MOD;
	u8 dst = dst_of(insn);

	if (dst != RAX)
		mov_reg(jit, true, SCRATCH2, RAX);
	if (dst != RDX)
		push(jit, RDX);
	if (dst != RAX)
		mov_reg(jit, wide, RAX, dst);
	if (is_signed) {
		rex(jit, wide, 0, 0, false);
		PUT1(0x99); /* cdq, cqo */
	} else {
		op_reg(jit, false, 0x31, RDX, RDX);
	}
	op_reg(jit, wide, 0xf7, is_signed ? 7 : 6, SCRATCH);
	mov_reg(jit, wide, SCRATCH, modulo ? RDX : RAX);
	if (dst != RDX)
		pop(jit, RDX);
	if (dst != RAX)
		mov_reg(jit, true, RAX, SCRATCH2);
	mov_reg(jit, wide, dst, SCRATCH);
}

static void x86_divide(struct jit *jit, const struct bpf_insn *insn)
{
	bool wide = is_wide(insn), modulo = BPF_OP(insn->code) == BPF_MOD;
	u32 not_zero, done_zero, not_minus, done_minus;
	u8 dst = dst_of(insn);

	if (has_imm(insn))
		mov_imm(jit, SCRATCH, wide ? (u64)(s64)insn->imm : (u32)insn->imm);
	else
		mov_reg(jit, wide, SCRATCH, src_of(insn));
	op_reg(jit, wide, 0x85, SCRATCH, SCRATCH);
	not_zero = jump_over(jit, CC_NE);
	if (!modulo)
		op_reg(jit, false, 0x31, dst, dst);
	else
		mov_reg(jit, wide, dst, dst);
	done_zero = jump_over(jit, -1);
	join(jit, not_zero);
	if (!insn->off) {
		divide_registers(jit, insn);
		join(jit, done_zero);
		return;
	}
	op_imm(jit, wide, 7, SCRATCH, -1);
	not_minus = jump_over(jit, CC_NE);
	if (modulo)
		op_reg(jit, false, 0x31, dst, dst);
	else
		op_reg(jit, wide, 0xf7, 3, dst); /* neg */
	done_minus = jump_over(jit, -1);
	join(jit, not_minus);
	divide_registers(jit, insn);
	join(jit, done_zero);
	join(jit, done_minus);
}

static void x86_move(struct jit *jit, const struct bpf_insn *insn)
{
	bool wide = is_wide(insn);
	u8 dst = dst_of(insn);

	if (has_imm(insn))
		mov_imm(jit, dst, wide ? (u64)(s64)insn->imm : (u32)insn->imm);
	else if (insn->off == 0)
		mov_reg(jit, wide, dst, src_of(insn));
	else if (insn->off == 32)
		op_reg(jit, true, 0x63, dst, src_of(insn));
	else
		op0f_reg(jit, wide, insn->off == 8 ? 0xbe : 0xbf, dst, src_of(insn));
}

static void x86_cast(struct jit *jit, const struct bpf_insn *insn, bool wide, u64 upper)
{
	u8 dst = dst_of(insn), src = src_of(insn);
	u32 zero;

	op_reg(jit, wide, 0x85, src, src);
	mov_reg(jit, false, dst, src);
	zero = jump_over(jit, CC_E);
	mov_imm(jit, SCRATCH, upper);
	op_reg(jit, true, 0x09, SCRATCH, dst);
	join(jit, zero);
}

static void swap_bytes(struct jit *jit, u8 dst, s32 bits)
{
	if (bits == 16) {
		PUT1(0x66); /* rol dst16, 8 */
		op_reg(jit, false, 0xc1, 0, dst);
		PUT1(8);
		op0f_reg(jit, false, 0xb7, dst, dst);
		return;
	}
	rex(jit, bits == 64, 0, dst, false);
	PUT2(0x0f, 0xc8 | (dst & 7));
}

static void x86_unary(struct jit *jit, const struct bpf_insn *insn)
{
	u8 dst = dst_of(insn);

	if (BPF_OP(insn->code) == BPF_NEG)
		op_reg(jit, is_wide(insn), 0xf7, 3, dst);
	else if (insn->code != (BPF_ALU | BPF_END | BPF_TO_LE))
		swap_bytes(jit, dst, insn->imm);
	else if (insn->imm == 16)
		op0f_reg(jit, false, 0xb7, dst, dst);
	else if (insn->imm == 32)
		mov_reg(jit, false, dst, dst);
}

static void x86_imm64(struct jit *jit, u8 dst, u64 value)
{
	mov_imm(jit, reg_of[dst], value);
}

/* Memory */

/* dst = [base + disp], extended. */
static void load(struct jit *jit, u8 size, bool is_signed, u8 dst, u8 base, s32 disp)
{
	switch (size) {
	case BPF_W:
		op_mem(jit, is_signed, is_signed ? 0x63 : 0x8b, dst, base, disp);
		return;
	case BPF_DW:
		op_mem(jit, true, 0x8b, dst, base, disp);
		return;
	}
	rex(jit, is_signed, dst, base, false);
	PUT2(0x0f, (is_signed ? 0xbe : 0xb6) | (size == BPF_H));
	modrm_mem(jit, dst, base, disp);
}

static void x86_load(struct jit *jit, const struct bpf_insn *insn)
{
	load(jit, BPF_SIZE(insn->code), BPF_MODE(insn->code) == UAPI_MEMSX, dst_of(insn),
	     src_of(insn), insn->off);
}

/* opcode, for 8-bit operands opcode - 1, with the prefixes of its size. */
static void sized_op_mem(struct jit *jit, u8 size, u8 opcode, u8 reg, u8 base, s32 disp)
{
	if (size == BPF_H)
		PUT1(0x66);
	rex(jit, size == BPF_DW, reg, base, size == BPF_B);
	PUT1(size == BPF_B ? opcode - 1 : opcode);
	modrm_mem(jit, reg, base, disp);
}

static void x86_store(struct jit *jit, const struct bpf_insn *insn)
{
	static const u8 imm_bytes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1,
				       [BPF_DW >> 3] = 4};
	u8 size = BPF_SIZE(insn->code);

	if (BPF_CLASS(insn->code) == BPF_STX) {
		sized_op_mem(jit, size, 0x89, src_of(insn), dst_of(insn), insn->off);
		return;
	}
	sized_op_mem(jit, size, 0xc7, 0, dst_of(insn), insn->off);
	jit_put(jit, (u32)insn->imm, imm_bytes[size >> 3]);
}

/* The machine's loads are acquiring and its stores releasing. */
static void x86_ordered(struct jit *jit, const struct bpf_insn *insn)
{
	u8 size = BPF_SIZE(insn->code);

	if (insn->imm == UAPI_LOAD_ACQ)
		load(jit, size, false, dst_of(insn), src_of(insn), insn->off);
	else
		sized_op_mem(jit, size, 0x89, src_of(insn), dst_of(insn), insn->off);
}

static void lock_op(struct jit *jit, bool wide, u8 opcode, u8 reg, u8 base, s32 disp)
{
	PUT1(0xf0);
	op_mem(jit, wide, opcode, reg, base, disp);
}

static void lock_op0f(struct jit *jit, bool wide, u8 opcode, u8 reg, u8 base, s32 disp)
{
	PUT1(0xf0);
	rex(jit, wide, reg, base, false);
	PUT2(0x0f, opcode);
	modrm_mem(jit, reg, base, disp);
}

/* src = fetch and/or/xor: a loop around compare-and-exchange, which wants rax, R0's register. */
static void fetch_loop(struct jit *jit, const struct bpf_insn *insn, u8 opcode)
{
	bool wide = BPF_SIZE(insn->code) == BPF_DW;
	u8 src = src_of(insn), base = dst_of(insn), operand = src == RAX ? SCRATCH2 : src;
	u32 again;

	mov_reg(jit, true, SCRATCH2, RAX);
	if (base == RAX)
		base = SCRATCH2;
	op_mem(jit, wide, 0x8b, RAX, base, insn->off);
	again = jit->at;
	mov_reg(jit, wide, SCRATCH, RAX);
	op_reg(jit, wide, opcode, operand, SCRATCH);
	lock_op0f(jit, wide, 0xb1, SCRATCH, base, insn->off);
	jump_place(jit, CC_NE, again);
	if (src == RAX)
		return;
	mov_reg(jit, wide, src, RAX);
	mov_reg(jit, true, RAX, SCRATCH2);
}

static void x86_atomic(struct jit *jit, const struct bpf_insn *insn)
{
	bool wide = BPF_SIZE(insn->code) == BPF_DW;
	u8 src = src_of(insn), base = dst_of(insn);
	s16 off = insn->off;

	switch (insn->imm) {
	case BPF_ADD:
		lock_op(jit, wide, 0x01, src, base, off);
		return;
	case BPF_OR:
		lock_op(jit, wide, 0x09, src, base, off);
		return;
	case BPF_AND:
		lock_op(jit, wide, 0x21, src, base, off);
		return;
	case BPF_XOR:
		lock_op(jit, wide, 0x31, src, base, off);
		return;
	case BPF_ADD | BPF_FETCH:
		lock_op0f(jit, wide, 0xc1, src, base, off);
		return;
	case BPF_OR | BPF_FETCH:
		fetch_loop(jit, insn, 0x09);
		return;
	case BPF_AND | BPF_FETCH:
		fetch_loop(jit, insn, 0x21);
		return;
	case BPF_XOR | BPF_FETCH:
		fetch_loop(jit, insn, 0x31);
		return;
	case BPF_XCHG:
		op_mem(jit, wide, 0x87, src, base, off);
		return;
	case BPF_CMPXCHG:
		lock_op0f(jit, wide, 0xb1, src, base, off);
		if (!wide)
			mov_reg(jit, false, RAX, RAX);
		return;
	}
}

/* Jumps */

static void x86_charge(struct jit *jit, u32 insns)
{
	op_imm(jit, true, 5, BUDGET, (s32)insns);
	jump_place(jit, CC_B, jit_fault_place(jit));
}

static void x86_refund(struct jit *jit, u32 insns)
{
	op_imm(jit, true, 0, BUDGET, (s32)insns);
}

static void x86_jump_if(struct jit *jit, const struct bpf_insn *insn, u32 place)
{
	static const u8 conditions[16] = {
		[BPF_JEQ >> 4] = CC_E,   [BPF_JGT >> 4] = CC_A,   [BPF_JGE >> 4] = CC_AE,
		[BPF_JSET >> 4] = CC_NE, [BPF_JNE >> 4] = CC_NE,  [BPF_JSGT >> 4] = CC_G,
		[BPF_JSGE >> 4] = CC_GE, [BPF_JLT >> 4] = CC_B,   [BPF_JLE >> 4] = CC_BE,
		[BPF_JSLT >> 4] = CC_L,  [BPF_JSLE >> 4] = CC_LE,
	};
	bool wide = is_wide(insn), test = BPF_OP(insn->code) == BPF_JSET;
	u8 dst = dst_of(insn);

	if (!has_imm(insn)) {
		op_reg(jit, wide, test ? 0x85 : 0x39, src_of(insn), dst);
	} else if (test) {
		op_reg(jit, wide, 0xf7, 0, dst);
		put32(jit, (u32)insn->imm);
	} else if (insn->imm == 0) {
		op_reg(jit, wide, 0x85, dst, dst);
	} else {
		op_imm(jit, wide, 7, dst, insn->imm);
	}
	jump_place(jit, conditions[BPF_OP(insn->code) >> 4], place);
}

static void x86_jump(struct jit *jit, u32 place)
{
	jump_place(jit, -1, place);
}

/* The passes left are on top of the native stack. */
static void x86_may_goto(struct jit *jit, u32 place)
{
	rex(jit, false, 0, RSP, false);
	PUT1(0x83); /* cmp dword [rsp], 0 */
	modrm_mem(jit, 7, RSP, 0);
	PUT1(0);
	jump_place(jit, CC_E, place);
	op_mem(jit, false, 0xff, 1, RSP, 0); /* dec */
}

/* Calls */

static void call_c(struct jit *jit, u64 function)
{
	mov_imm(jit, RAX, function);
	PUT2(0xff, 0xd0);
}

/* C gets the budget in memory and may change it. */
static void call_c_with_budget(struct jit *jit, u64 function)
{
	store_run(jit, true, RUN_FIELD(insns_left), BUDGET);
	call_c(jit, function);
	load_run(jit, true, BUDGET, RUN_FIELD(insns_left));
}

static void check_fault(struct jit *jit)
{
	rex(jit, false, 0, RUN, false);
	PUT1(0x80); /* cmp byte [run + fault.set], 0 */
	modrm_mem(jit, 7, RUN, (s32)RUN_FIELD(fault.set));
	PUT1(0);
	jump_place(jit, CC_NE, jit_fault_place(jit));
}

static void x86_call(struct jit *jit, const struct jit_call *call)
{
	static const u8 arguments[] = {RDI, RSI, RDX, RCX, R8, R9};

	if (call->takes_run)
		mov_reg(jit, true, RDI, RUN);
	for (u8 i = 0; !call->takes_run && i < call->args; i++)
		mov_reg(jit, true, arguments[i], arguments[i + 1]);
	if (call->calls_back)
		store_run(jit, true, RUN_FIELD(frame), RBP);
	call_c_with_budget(jit, call->function);
	if (call->returns_int)
		op_reg(jit, true, 0x63, RAX, RAX);
	if (call->may_fault)
		check_fault(jit);
}

static void next_frame(struct jit *jit)
{
	op_imm(jit, true, 0, RBP, FRAME_STRIDE);
	op_mem(jit, true, 0x3b, RBP, RUN, (s32)RUN_FIELD(stack_end));
	jump_place(jit, CC_A, jit_fault_place(jit));
}

static void last_frame(struct jit *jit)
{
	op_imm(jit, true, 5, RBP, FRAME_STRIDE);
}

static void x86_call_local(struct jit *jit, u32 sub)
{
	next_frame(jit);
	call_place(jit, jit->sub_at[sub]);
	last_frame(jit);
}

/* ebx the round, r13d their number, r14 the context. The kernel's error has 32 bits here. */
static void x86_loop(struct jit *jit, u32 sub)
{
	u32 too_many, none, again, end;

	mov_imm(jit, RAX, (u32)-E2BIG);
	op_imm(jit, false, 7, RSI, HELPER_LOOPS_MAX);
	too_many = jump_over(jit, CC_A);
	op_reg(jit, false, 0x31, RAX, RAX);
	op_reg(jit, false, 0x85, RSI, RSI);
	none = jump_over(jit, CC_E);
	push(jit, RBX);
	push(jit, R13);
	push(jit, R14);
	op_imm(jit, true, 5, RSP, 8);
	op_reg(jit, false, 0x31, RBX, RBX);
	mov_reg(jit, false, R13, RSI);
	mov_reg(jit, true, R14, RCX);
	next_frame(jit);
	again = jit->at;
	mov_reg(jit, false, RSI, RBX);
	mov_reg(jit, true, RDX, R14);
	call_place(jit, jit->sub_at[sub]);
	op_imm(jit, false, 0, RBX, 1);
	op_reg(jit, true, 0x85, RAX, RAX);
	end = jump_over(jit, CC_NE);
	op_reg(jit, false, 0x39, R13, RBX);
	jump_place(jit, CC_B, again);
	join(jit, end);
	last_frame(jit);
	mov_reg(jit, false, RAX, RBX);
	op_imm(jit, true, 0, RSP, 8);
	pop(jit, R14);
	pop(jit, R13);
	pop(jit, RBX);
	join(jit, too_many);
	join(jit, none);
}

/* dst *= factor */
static void scale(struct jit *jit, u8 dst, u64 factor)
{
	if (factor & (factor - 1)) {
		mov_imm(jit, RAX, factor);
		op0f_reg(jit, true, 0xaf, dst, RAX);
	} else if (factor > 1) {
		op_reg(jit, true, 0xc1, 4, dst);
		PUT1(__builtin_ctzll(factor));
	}
}

static void x86_element(struct jit *jit, const struct map *map)
{
	u32 absent;

	load(jit, BPF_W, false, SCRATCH, RDX, 0);
	op_reg(jit, false, 0x31, RAX, RAX);
	op_reg(jit, false, 0x81, 7, SCRATCH);
	put32(jit, map->max_entries);
	absent = jump_over(jit, CC_AE);
	scale(jit, SCRATCH, map->value_stride);
	if (map->ops->traits & MAP_PERCPU) {
		load_run(jit, false, SCRATCH2, RUN_FIELD(cpu));
		scale(jit, SCRATCH2, map->cpu_stride);
		op_reg(jit, true, 0x01, SCRATCH2, SCRATCH);
	}
	mov_imm(jit, RAX, PTR_U64(map->elements));
	op_reg(jit, true, 0x01, SCRATCH, RAX);
	join(jit, absent);
}

/* Frames */

/* As at the entry of the subprogram. */
static void unwind(struct jit *jit)
{
	u32 saved = (u32)__builtin_popcount(jit->saves), pushed = saved + jit->has_may_goto;

	if (!(pushed & 1))
		pushed++;
	if (pushed > saved)
		op_imm(jit, true, 0, RSP, (s32)(8 * (pushed - saved)));
	for (u8 reg = BPF_REG_10; reg-- > BPF_REG_6;)
		if (jit->saves >> reg & 1)
			pop(jit, reg_of[reg]);
}

static void x86_leave(struct jit *jit)
{
	unwind(jit);
	PUT1(0xc3);
}

static void x86_enter(struct jit *jit)
{
	u32 saved = (u32)__builtin_popcount(jit->saves);

	for (u8 reg = BPF_REG_6; reg < BPF_REG_10; reg++)
		if (jit->saves >> reg & 1)
			push(jit, reg_of[reg]);
	if (!((saved + jit->has_may_goto) & 1))
		op_imm(jit, true, 5, RSP, 8);
	if (jit->has_may_goto) {
		PUT1(0x68);
		put32(jit, MAY_GOTO_LIMIT);
	}
}

/* Leaves the first subprogram for the code in rax. */
static void jump_to_program(struct jit *jit)
{
	load_run(jit, true, RSI, RUN_FIELD(ctx));
	unwind(jit);
	PUT2(0xff, 0xe0);
}

/*
 * 110 bytes at most lie between any jump_over() and its join().
 * From the slot straight to the code, if the slot is what it was when its program was met; rdi is
 * what run->targets knows of it. Where C has to be asked, the places to go on from.
 */
static void tail_call_inline(struct jit *jit, const struct map *array, u32 ask[3])
{
	const s32 recent = (s32)RUN_FIELD(targets.recent);

	mov_reg(jit, false, RAX, RCX);
	op_reg(jit, false, 0x81, 7, RAX);
	put32(jit, array->max_entries);
	ask[0] = jump_over(jit, CC_AE);
	op_reg(jit, false, 0xc1, 4, RAX);
	PUT1(3);
	mov_imm(jit, SCRATCH, PTR_U64(array->slots));
	op_reg(jit, true, 0x01, RAX, SCRATCH);
	op_mem(jit, true, 0x8b, RAX, SCRATCH, 0);
	mov_reg(jit, false, RDI, RAX);
	op_imm(jit, false, 4, RDI, VM_RECENT - 1);
	op_reg(jit, false, 0xc1, 4, RDI);
	PUT1(__builtin_ctzll(sizeof(struct vm_target)));
	op_reg(jit, true, 0x01, RUN, RDI);
	op_reg(jit, true, 0x85, RAX, RAX);
	ask[1] = jump_over(jit, CC_E);
	op_mem(jit, true, 0x3b, RAX, RDI, recent + (s32)offsetof(struct vm_target, slot));
	ask[2] = jump_over(jit, CC_NE);
	load_run(jit, false, RAX, RUN_FIELD(tail_calls));
	op_imm(jit, false, 7, RAX, VM_TAIL_CALLS_MAX);
}

static void x86_tail_call(struct jit *jit, const struct map *array)
{
	u32 ask[3], too_many = 0, nowhere;
	const bool is_inline = !jit->sub && array && array->max_entries <= INT32_MAX / 8;

	if (is_inline) {
		tail_call_inline(jit, array, ask);
		too_many = jump_over(jit, CC_AE);
		op_mem(jit, false, 0xff, 0, RUN, (s32)RUN_FIELD(tail_calls)); /* inc */
		op_mem(jit, true, 0x8b, RAX, RDI,
		       (s32)(RUN_FIELD(targets.recent) + offsetof(struct vm_target, prog)));
		store_run(jit, true, RUN_FIELD(prog), RAX);
		op_mem(jit, true, 0x8b, RAX, RDI,
		       (s32)(RUN_FIELD(targets.recent) + offsetof(struct vm_target, entry)));
		jump_to_program(jit);
		for (u32 i = 0; i < ARRAY_SIZE(ask); i++)
			join(jit, ask[i]);
	}
	mov_reg(jit, true, RDI, RUN);
	call_c_with_budget(jit, jit->sub ? PTR_U64(jit_tail_call_from_sub)
					 : PTR_U64(jit_tail_call));
	check_fault(jit);
	op_reg(jit, !jit->sub, jit->sub ? 0x84 : 0x85, RAX, RAX);
	nowhere = jump_over(jit, CC_E);
	if (jit->sub) {
		load_run(jit, true, RAX, RUN_FIELD(tail_result));
		x86_leave(jit);
	} else {
		jump_to_program(jit);
	}
	join(jit, nowhere);
	if (is_inline)
		join(jit, too_many);
}

static void x86_packet_load(struct jit *jit, const struct bpf_insn *insn)
{
	static const u8 bytes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1};
	u32 loaded;

	if (BPF_MODE(insn->code) == BPF_IND) {
		mov_reg(jit, false, RSI, src_of(insn));
		op_imm(jit, false, 0, RSI, insn->imm);
	} else {
		mov_imm(jit, RSI, (u32)insn->imm);
	}
	mov_imm(jit, RDX, bytes[BPF_SIZE(insn->code) >> 3]);
	mov_reg(jit, true, RDI, RUN);
	call_c_with_budget(jit, PTR_U64(jit_packet_load));
	op_reg(jit, true, 0x85, RAX, RAX);
	loaded = jump_over(jit, CC_S ^ 1);
	op_reg(jit, false, 0x31, RAX, RAX);
	x86_leave(jit);
	join(jit, loaded);
}

/* Tells the instruction; the rest is the same for all. */
static void x86_fault(struct jit *jit)
{
	op_mem(jit, false, 0xc7, 0, RUN, (s32)RUN_FIELD(pc));
	put32(jit, jit->pc);
	jump_place(jit, -1, jit->stop_at);
}

static const u8 kept[] = {RBP, RBX, R12, R13, R14, R15};

/* (run, arguments, subprogram, frame pointer), as jit.c calls it. */
static void x86_frame(struct jit *jit)
{
	u32 end;

	jit->entry_at = jit->at;
	for (u32 i = 0; i < ARRAY_SIZE(kept); i++)
		push(jit, kept[i]);
	op_mem(jit, false, 0xff, 6, RDI, (s32)RUN_FIELD(exit_sp)); /* push */
	op_mem(jit, true, 0x89, RSP, RDI, (s32)RUN_FIELD(exit_sp));
	mov_reg(jit, true, RUN, RDI);
	mov_reg(jit, true, RBP, RCX);
	mov_reg(jit, true, RAX, RDX);
	mov_reg(jit, true, SCRATCH, RSI);
	load_run(jit, true, BUDGET, RUN_FIELD(insns_left));
	for (u8 i = 0; i < 4; i++)
		op_mem(jit, true, 0x8b, reg_of[BPF_REG_1 + i], SCRATCH, 8 * i);
	PUT2(0xff, 0xd0);
	store_run(jit, true, RUN_FIELD(insns_left), BUDGET);
	end = jit->at;
	op_mem(jit, false, 0x8f, 0, RUN, (s32)RUN_FIELD(exit_sp)); /* pop */
	for (u32 i = ARRAY_SIZE(kept); i--;)
		pop(jit, kept[i]);
	PUT1(0xc3);

	jit->stop_at = jit->at;
	store_run(jit, true, RUN_FIELD(insns_left), BUDGET);
	load_run(jit, true, RSP, RUN_FIELD(exit_sp));
	mov_reg(jit, true, RDI, RUN);
	call_c(jit, PTR_U64(jit_stopped));
	jump_place(jit, -1, end);

	jit->result_at = jit->at;
	load_run(jit, true, RAX, RUN_FIELD(tail_result));
	PUT1(0xc3);
}

const struct jit_backend jit_x86_64 = {
	.alu = x86_alu,
	.divide = x86_divide,
	.move = x86_move,
	.cast = x86_cast,
	.unary = x86_unary,
	.load = x86_load,
	.store = x86_store,
	.atomic = x86_atomic,
	.ordered = x86_ordered,
	.imm64 = x86_imm64,
	.charge = x86_charge,
	.refund = x86_refund,
	.jump_if = x86_jump_if,
	.jump = x86_jump,
	.may_goto = x86_may_goto,
	.call = x86_call,
	.call_local = x86_call_local,
	.loop = x86_loop,
	.tail_call = x86_tail_call,
	.element = x86_element,
	.packet_load = x86_packet_load,
	.enter = x86_enter,
	.leave = x86_leave,
	.fault = x86_fault,
	.frame = x86_frame,
};

#endif
