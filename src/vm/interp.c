/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * interp.c: the checked interpreter, the reference semantics of every instruction in insn.def.
 * Owns the frames of a run. Knows no fd, no command and no particular map or program type.
 *
 * Invariant: nothing is dereferenced that has not been proven to lie in a live stack frame, the
 * packet, one value of one map of the program or inner map that the run holds, a field of the
 * context, or a range in run->extra;
 * and the instruction pointer never leaves the program. So any bytecode ends in a result or in a
 * fault. The last instruction is an exit or a jump (checked at the start of a run) and all jump
 * targets are checked when taken; hence falling through needs no check.
 */
#include "vm/state.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "vm/engine.h"
#include "vm/helper.h"
#include "vm/insn.h"
#include "vm/kfunc.h"
#include "vm/local_objects.h"
#include "vm/packet_load.h"

struct frame {
	const struct bpf_insn *caller; /* the call that made it; NULL at the bottom of exec() */
	u32 may_gotos;                 /* passes left */
	u64 saved[4];                  /* the caller's R6-R9 */
};

struct interp {
	struct vm_state state; /* first: run->state points here */
	struct frame frames[PROG_MAX_FRAMES];
	u32 depth; /* live frames */
};

static inline struct interp *interp_of(const struct vm_run *run)
{
	return container_of(run->state, struct interp, state);
}

struct word_u8 {
	u8 v;
} __attribute__((packed, may_alias));
struct word_u16 {
	u16 v;
} __attribute__((packed, may_alias));
struct word_u32 {
	u32 v;
} __attribute__((packed, may_alias));
struct word_u64 {
	u64 v;
} __attribute__((packed, may_alias));

static inline u32 index_of(const struct vm_run *run, const struct bpf_insn *insn)
{
	return (u32)(insn - run->prog->code);
}

#define SWITCH_KEY(code, variant) ((u64)(u32)(variant) << 8 | (u8)(code))

/* The instructions that share an opcode: false when there is no such variant. */
static inline bool alu_off32(u8 op, s16 off, u32 a, u32 b, u64 *out)
{
	typedef u32 U;
	typedef s32 S;

	switch (SWITCH_KEY(op, off)) {
#define ALU_OFF(name, op, off, text, expr)                                                         \
	case SWITCH_KEY(op, off):                                                                  \
		*out = (U)(expr);                                                                  \
		return true;
#include "vm/insn.def"
	}
	return false;
}

static inline bool alu_off64(u8 op, s16 off, u64 a, u64 b, u64 *out)
{
	typedef u64 U;
	typedef s64 S;

	switch (SWITCH_KEY(op, off)) {
#define ALU_OFF(name, op, off, text, expr)                                                         \
	case SWITCH_KEY(op, off):                                                                  \
		*out = (expr);                                                                     \
		return true;
#include "vm/insn.def"
	}
	return false;
}

static inline bool mov_x32(s16 off, u32 b, u64 *out)
{
	typedef u32 U;
	typedef s32 S;

#define MOV(name, class, source, variant, text, expr)                                              \
	if ((class) == BPF_ALU && (source) == BPF_X && off == (variant)) {                         \
		*out = (U)(expr);                                                                  \
		return true;                                                                       \
	}
#include "vm/insn.def"
	return false;
}

static inline bool mov_x64(s16 off, u64 b, u64 *out)
{
	typedef u64 U;
	typedef s64 S;

#define MOV(name, class, source, variant, text, expr)                                              \
	if ((class) == BPF_ALU64 && (source) == BPF_X && off == (variant)) {                       \
		*out = (expr);                                                                     \
		return true;                                                                       \
	}
#include "vm/insn.def"
	return false;
}

static bool cast(const struct prog *prog, const struct bpf_insn *insn, u64 b, u64 *out)
{
	if (insn_find(insn) != INSN_ADDR_SPACE_CAST || !prog->arena.map)
		return false;
	if (insn->imm == CAST_TO_USER)
		*out = (u32)b ? prog->arena.user_high | (u32)b : 0;
	else
		*out = b ? prog->arena.high | (u32)b : 0;
	return true;
}

static inline bool unary(u8 code, s32 variant, u64 a, u64 *out)
{
	switch (SWITCH_KEY(code, variant)) {
#define UNARY(name, code, imm, fields, text, expr)                                                 \
	case SWITCH_KEY(code, imm):                                                                \
		*out = (expr);                                                                     \
		return true;
#include "vm/insn.def"
	}
	return false;
}

enum atomic_result { NONE, SRC, R0 };

static bool atomic32(const struct bpf_insn *insn, u64 *regs, u32 *p)
{
	u32 v = (u32)regs[insn->src_reg], r0 = (u32)regs[0], before;

	switch (insn->imm) {
#define ATOMIC(name, imm, result, text, expr)                                                      \
	case imm:                                                                                  \
		before = (expr);                                                                   \
		if ((result) != NONE)                                                              \
			regs[(result) == SRC ? insn->src_reg : 0] = before;                        \
		return true;
#include "vm/insn.def"
	}
	return false;
}

static bool atomic64(const struct bpf_insn *insn, u64 *regs, u64 *p)
{
	u64 v = regs[insn->src_reg], r0 = regs[0], before;

	switch (insn->imm) {
#define ATOMIC(name, imm, result, text, expr)                                                      \
	case imm:                                                                                  \
		before = (expr);                                                                   \
		if ((result) != NONE)                                                              \
			regs[(result) == SRC ? insn->src_reg : 0] = before;                        \
		return true;
#include "vm/insn.def"
	}
	return false;
}

static u64 atomic_load_sized(u64 address, u32 size)
{
	switch (size) {
	case 1:
		return load_acquire((u8 *)U64_PTR(address));
	case 2:
		return load_acquire((u16 *)U64_PTR(address));
	case 4:
		return load_acquire((u32 *)U64_PTR(address));
	}
	return load_acquire((u64 *)U64_PTR(address));
}

static void atomic_store_sized(u64 address, u32 size, u64 value)
{
	switch (size) {
	case 1:
		store_release((u8 *)U64_PTR(address), (u8)value);
		return;
	case 2:
		store_release((u16 *)U64_PTR(address), (u16)value);
		return;
	case 4:
		store_release((u32 *)U64_PTR(address), (u32)value);
		return;
	}
	store_release((u64 *)U64_PTR(address), value);
}

static inline u32 size_of_access(u8 code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

/* All of STX | ATOMIC. Only naturally aligned memory; false after a fault. */
static bool run_atomic(struct vm_run *run, const struct bpf_insn *insn, u64 *regs)
{
	u32 size = size_of_access(insn->code);
	bool load = insn->imm == UAPI_LOAD_ACQ;
	u64 address = regs[load ? insn->src_reg : insn->dst_reg] + (u64)(s64)insn->off;

	run->pc = index_of(run, insn);
	if (insn_find(insn) == INSN_NONE) {
		vm_faultf(run, "unknown atomic instruction %02x of %u bytes", insn->imm, size);
		return false;
	}
	if (!may_access(run, address, size, !load)) {
		vm_fault_access(run, address, size, load ? "load" : "atomic access");
		return false;
	}
	if (address % size) {
		vm_faultf(run, "misaligned atomic access of %u bytes at 0x%llx", size,
			  (unsigned long long)address);
		return false;
	}
	if (load)
		regs[insn->dst_reg] = atomic_load_sized(address, size);
	else if (insn->imm == UAPI_STORE_REL)
		atomic_store_sized(address, size, regs[insn->src_reg]);
	else if (size == 4)
		return atomic32(insn, regs, U64_PTR(address));
	else
		return atomic64(insn, regs, U64_PTR(address));
	return true;
}

static void clobber(u64 *regs, u32 first)
{
	for (u32 i = first; i <= 5; i++)
		regs[i] = POISON;
}

enum packet_load { PACKET_LOADED, PACKET_ENDS, PACKET_FAULT };

/* LD_ABS and LD_IND. Outside the packet: the frame ends with R0 = 0. */
static enum packet_load run_packet_load(struct vm_run *run, const struct bpf_insn *insn, u64 *regs)
{
	const struct packet *packet = run->packet;
	s32 at = insn->imm;

	run->pc = index_of(run, insn);
	if (!packet || !run->prog->type->ld_abs || insn_find(insn) == INSN_NONE ||
	    regs[6] != PTR_U64(run->ctx)) {
		vm_faultf(run, "packet load without a packet, or R6 is not the context");
		return PACKET_FAULT;
	}
	if (BPF_MODE(insn->code) == BPF_IND)
		at = (s32)((u32)at + (u32)regs[insn->src_reg]);
	clobber(regs, 1);
	regs[0] = 0;
	if (!packet_load_at(packet, at, size_of_access(insn->code), &regs[0]))
		return PACKET_ENDS;
	return PACKET_LOADED;
}

/*
 * memset() called, not expanded: what compilers put in place of a constant size (rep stos) takes
 * four times as long for the 512 bytes that every call clears.
 */
static inline void clear(void *memory, size_t size)
{
	__asm__("" : "+r"(size));
	memset(memory, 0, size);
}

static u64 frame_pointer(const struct interp *vm)
{
	return PTR_U64(vm->state.stack) + vm->state.live_bytes;
}

static void frame_begin(struct interp *vm)
{
	vm->frames[vm->depth - 1].may_gotos = MAY_GOTO_LIMIT;
	clear(vm->state.stack + vm->state.live_bytes - PROG_STACK_BYTES, PROG_STACK_BYTES);
}

/* Nothing runs off the end. False after a fault. */
static bool ends_well(struct vm_run *run)
{
	const struct prog *prog = run->prog;
	const struct bpf_insn *last = prog->insn_cnt ? &prog->code[prog->insn_cnt - 1] : NULL;

	if (last && (last->code == (BPF_JMP | BPF_EXIT) || insn_is_ja(last)))
		return true;
	vm_faultf(run, "the program does not end with an exit or a jump");
	return false;
}

static bool push_frame(struct vm_run *run, const struct bpf_insn *caller, const u64 *regs)
{
	struct interp *vm = interp_of(run);
	struct frame *frame = &vm->frames[vm->depth];

	if (vm->depth == PROG_MAX_FRAMES) {
		vm_faultf(run, "the call stack of %u frames is too deep", PROG_MAX_FRAMES + 1);
		return false;
	}
	frame->caller = caller;
	memcpy(frame->saved, regs + 6, sizeof(frame->saved));
	vm->depth++;
	vm->state.live_bytes += FRAME_STRIDE;
	frame_begin(vm);
	return true;
}

static const struct bpf_insn *pop_frame(struct interp *vm, u64 *regs)
{
	struct frame *frame = &vm->frames[--vm->depth];

	vm->state.live_bytes -= FRAME_STRIDE;
	memcpy(regs + 6, frame->saved, sizeof(frame->saved));
	regs[10] = frame_pointer(vm);
	return frame->caller;
}

/* The program that a tail call goes on with takes over the first frame. Its code; NULL: a fault. */
static const struct bpf_insn *enter_next(struct vm_run *run, u64 *regs)
{
	run->prog = run->next;
	run->next = NULL;
	if (!ends_well(run))
		return NULL;
	frame_begin(interp_of(run));
	for (u32 i = 0; i < BPF_REG_10; i++)
		regs[i] = POISON;
	regs[1] = PTR_U64(run->ctx);
	return run->prog->code;
}

/* Calls a function with R1-R5, result in R0. False after a fault. */
static inline bool call_function(struct vm_run *run, const struct helper *helper, u64 *regs)
{
	if (unlikely(!helper_arguments_ok(run, helper, regs)))
		return false;
	regs[0] = helper->fn(run, regs[1], regs[2], regs[3], regs[4], regs[5]);
	clobber(regs, helper->ret == RET_VOID ? 0 : 1);
	return likely(!run->fault.set);
}

/* Calls a helper; the same results. */
static inline bool call_helper(struct vm_run *run, u32 id, u64 *regs)
{
	const struct helper *helper = helper_of(id);

	if (unlikely(!helper || !helper->fn ||
		     !(helper->groups & run->prog->type->helper_groups))) {
		vm_faultf(run, "call of helper %u, which programs of this type have not", id);
		return false;
	}
	if (unlikely(run->spin_lock && !(helper->flags & HF_UNLOCKS))) {
		vm_faultf(run, "function calls are not allowed while holding a lock");
		return false;
	}
	return call_function(run, helper, regs);
}

static bool call_kfunc(struct vm_run *run, u32 number, u64 *regs)
{
	const struct kfunc *kfunc = kfunc_of(number);

	if (unlikely(!kfunc || !kfunc_allowed(kfunc, run->prog->type))) {
		vm_faultf(run, "call of a kernel function which programs of this type have not");
		return false;
	}
	if (unlikely(run->spin_lock && !(kfunc->flags & KF_IN_LOCK))) {
		vm_faultf(run, "function calls are not allowed while holding a lock");
		return false;
	}
	return call_function(run, &kfunc->call, regs);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

#define DST regs[insn->dst_reg]
#define SRC_REG regs[insn->src_reg]
#define NEXT()                                                                                     \
	do {                                                                                       \
		insn++;                                                                            \
		goto *labels[insn->code];                                                          \
	} while (0)
/*
 * Takes what has been executed since `start` off the budget; straight-line code between two of
 * these is bounded by the size of the program.
 */
#define CHARGE()                                                                                   \
	do {                                                                                       \
		u64 done = (u64)(insn + 1 - start);                                                \
		if (unlikely(run->insns_left < done))                                              \
			goto out_of_budget;                                                        \
		run->insns_left -= done;                                                           \
	} while (0)

/*
 * Runs from code[pc] until the frame it starts in returns. Only dispatches: what an instruction
 * does is said in insn.def and the functions above.
 */
static int exec(struct vm_run *run, u32 pc, const u64 arguments[4], u64 *retval)
{
	static const void *const labels[256] = {
		[0 ... 255] = &&unknown,
#define ALU(name, op, text, expr)                                                                  \
	[BPF_ALU | (op) | BPF_K] = &&name##32_K, [BPF_ALU | (op) | BPF_X] = &&name##32_X,          \
	[BPF_ALU64 | (op) | BPF_K] = &&name##64_K, [BPF_ALU64 | (op) | BPF_X] = &&name##64_X,
#define ALU_OFF(name, op, off, text, expr)                                                         \
	[BPF_ALU | (op) | BPF_K] = &&off32_K, [BPF_ALU | (op) | BPF_X] = &&off32_X,                \
	[BPF_ALU64 | (op) | BPF_K] = &&off64_K, [BPF_ALU64 | (op) | BPF_X] = &&off64_X,
#define UNARY(name, code, imm, fields, text, expr) [code] = &&unary,
#define JUMP(name, op, text, expr)                                                                 \
	[BPF_JMP | (op) | BPF_K] = &&name##64_K, [BPF_JMP | (op) | BPF_X] = &&name##64_X,          \
	[BPF_JMP32 | (op) | BPF_K] = &&name##32_K, [BPF_JMP32 | (op) | BPF_X] = &&name##32_X,
#define LOAD(name, mode, size, type) [BPF_LDX | (mode) | (size)] = &&name,
#define STORE(name, size, type)                                                                    \
	[BPF_STX | BPF_MEM | (size)] = &&STX##name, [BPF_ST | BPF_MEM | (size)] = &&ST##name,
#define ORDERED(name, size, type) [BPF_STX | BPF_ATOMIC | (size)] = &&atomic,
#define LD_PACKET(name, size, type)                                                                \
	[BPF_LD | BPF_ABS | (size)] = &&packet, [BPF_LD | BPF_IND | (size)] = &&packet,
#include "vm/insn.def"
		[BPF_ALU | BPF_MOV | BPF_K] = &&mov32_K,
		[BPF_ALU | BPF_MOV | BPF_X] = &&mov32_X,
		[BPF_ALU64 | BPF_MOV | BPF_K] = &&mov64_K,
		[BPF_ALU64 | BPF_MOV | BPF_X] = &&mov64_X,
		[BPF_JMP | BPF_JA] = &&ja,
		[BPF_JMP32 | BPF_JA] = &&gotol,
		[BPF_JMP | UAPI_JCOND] = &&may_goto,
		[BPF_JMP | BPF_CALL] = &&call,
		[BPF_JMP | BPF_EXIT] = &&exit,
		[CODE_LD_IMM64] = &&ld_imm64,
	};
	const struct bpf_insn *code = run->prog->code;
	u64 insn_cnt = run->prog->insn_cnt;
	const struct bpf_insn *insn = code + pc, *start = insn;
	struct interp *const vm = interp_of(run);
	u64 regs[16];
	u64 address = 0;
	u32 size = 0;
	s64 to;

	clear(regs, sizeof(regs));
	memcpy(regs + 1, arguments, 4 * sizeof(regs[0]));
	if (!push_frame(run, NULL, regs))
		return -EFAULT;
	regs[10] = frame_pointer(vm);
	goto *labels[insn->code];

#define BINARY(label, type, stype, mask, operand, expr)                                            \
	label : {                                                                                  \
		typedef type U;                                                                    \
		typedef stype S __attribute__((unused));                                           \
		enum { SHIFT_MASK = mask };                                                        \
		U a = (U)DST, b = (U)(operand);                                                    \
		DST = (U)(expr);                                                                   \
		NEXT();                                                                            \
	}
#define ALU(name, op, text, expr)                                                                  \
	BINARY(name##32_K, u32, s32, 31, insn->imm, expr)                                          \
	BINARY(name##32_X, u32, s32, 31, SRC_REG, expr)                                            \
	BINARY(name##64_K, u64, s64, 63, (s64)insn->imm, expr)                                     \
	BINARY(name##64_X, u64, s64, 63, SRC_REG, expr)
#define BRANCH(label, type, stype, operand, expr)                                                  \
	label : {                                                                                  \
		typedef type U;                                                                    \
		typedef stype S __attribute__((unused));                                           \
		U a = (U)DST, b = (U)(operand);                                                    \
		if (expr)                                                                          \
			goto ja;                                                                   \
		NEXT();                                                                            \
	}
#define JUMP(name, op, text, expr)                                                                 \
	BRANCH(name##32_K, u32, s32, insn->imm, expr)                                              \
	BRANCH(name##32_X, u32, s32, SRC_REG, expr)                                                \
	BRANCH(name##64_K, u64, s64, (s64)insn->imm, expr)                                         \
	BRANCH(name##64_X, u64, s64, SRC_REG, expr)
#define LOAD(name, mode, bpf_size, type)                                                           \
	name : {                                                                                   \
		address = SRC_REG + (u64)(s64)insn->off;                                           \
		size = sizeof(type);                                                               \
		if (unlikely(!may_access(run, address, sizeof(type), false)))                  \
			goto bad_load;                                                             \
		DST = (u64)(s64)(type)WORD(type, address);                                         \
		NEXT();                                                                            \
	}
#define STORE_OF(label, type, value)                                                               \
	label : {                                                                                  \
		address = DST + (u64)(s64)insn->off;                                               \
		size = sizeof(type);                                                               \
		if (unlikely(!may_access(run, address, sizeof(type), true)))                   \
			goto bad_store;                                                            \
		WORD(type, address) = (type)(value);                                               \
		NEXT();                                                                            \
	}
#define STORE(name, bpf_size, type)                                                                \
	STORE_OF(STX##name, type, SRC_REG)                                                         \
	STORE_OF(ST##name, type, (s64)insn->imm)
#define WORD(type, address) (((struct word_##type *)U64_PTR(address))->v)
#define word_s8 word_u8
#define word_s16 word_u16
#define word_s32 word_u32
#include "vm/insn.def"

off32_K:
	if (!alu_off32(BPF_OP(insn->code), insn->off, (u32)DST, (u32)insn->imm, &DST))
		goto unknown;
	NEXT();
off32_X:
	if (!alu_off32(BPF_OP(insn->code), insn->off, (u32)DST, (u32)SRC_REG, &DST))
		goto unknown;
	NEXT();
off64_K:
	if (!alu_off64(BPF_OP(insn->code), insn->off, DST, (u64)(s64)insn->imm, &DST))
		goto unknown;
	NEXT();
off64_X:
	if (!alu_off64(BPF_OP(insn->code), insn->off, DST, SRC_REG, &DST))
		goto unknown;
	NEXT();
mov32_K:
	DST = (u32)insn->imm;
	NEXT();
mov32_X:
	if (!mov_x32(insn->off, (u32)SRC_REG, &DST))
		goto unknown;
	NEXT();
mov64_K:
	DST = (u64)(s64)insn->imm;
	NEXT();
mov64_X:
	if (unlikely(!mov_x64(insn->off, SRC_REG, &DST)) && !cast(run->prog, insn, SRC_REG, &DST))
		goto unknown;
	NEXT();
unary:
	if (!unary(insn->code, insn_variant(insn), DST, &DST))
		goto unknown;
	NEXT();
ld_imm64:
	if (unlikely((u64)(insn - code) + 2 >= insn_cnt))
		goto unknown;
	DST = (u64)(u32)insn[1].imm << 32 | (u32)insn->imm;
	insn++;
	NEXT();
atomic:
	if (unlikely(!run_atomic(run, insn, regs)))
		goto stop;
	NEXT();
packet:
	switch (run_packet_load(run, insn, regs)) {
	case PACKET_LOADED:
		NEXT();
	case PACKET_ENDS:
		goto exit;
	case PACKET_FAULT:
		goto stop;
	}

may_goto:
	if (likely(vm->frames[vm->depth - 1].may_gotos)) {
		vm->frames[vm->depth - 1].may_gotos--;
		NEXT();
	}
ja:
	to = (insn - code) + 1 + (s64)insn->off;
jump:
	if (unlikely((u64)to >= insn_cnt))
		goto bad_jump;
	CHARGE();
	insn = start = code + to;
	goto *labels[insn->code];
gotol:
	to = (insn - code) + 1 + (s64)insn->imm;
	goto jump;

call:
	CHARGE();
	start = insn + 1;
	run->pc = index_of(run, insn);
	if (likely(insn->src_reg == 0)) {
		if (unlikely(!call_helper(run, (u32)insn->imm, regs)))
			goto stop;
		if (unlikely(run->next))
			goto tail_call;
		NEXT();
	}
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		if (unlikely(!call_kfunc(run, (u32)insn->imm, regs)))
			goto stop;
		NEXT();
	}
	to = (insn - code) + 1 + (s64)insn->imm;
	if (unlikely(insn->src_reg != BPF_PSEUDO_CALL))
		goto unknown;
	if (unlikely((u64)to >= insn_cnt))
		goto bad_jump;
	if (unlikely(!push_frame(run, insn, regs)))
		goto stop;
	regs[10] = frame_pointer(vm);
	insn = start = code + to;
	goto *labels[insn->code];
tail_call:
	if (vm->depth > 1) {
		if (unlikely(!vm_run_next(run, &regs[0])))
			goto stop;
		goto exit;
	}
	insn = enter_next(run, regs);
	if (unlikely(!insn))
		goto stop;
	code = start = insn;
	insn_cnt = run->prog->insn_cnt;
	goto *labels[insn->code];
exit:
	CHARGE();
	insn = pop_frame(vm, regs);
	start = insn + 1;
	if (insn) {
		clobber(regs, 1);
		NEXT();
	}
	*retval = regs[0];
	return 0;

bad_load:
	if (size == sizeof(u64) && vm_load_pointer(run, address, &DST))
		NEXT();
	run->pc = index_of(run, insn);
	vm_fault_access(run, address, size, "load");
	goto stop;
bad_store:
	run->pc = index_of(run, insn);
	vm_fault_access(run, address, size, "store");
	goto stop;
bad_jump:
	run->pc = index_of(run, insn);
	vm_faultf(run, "jump out of range to %lld", (long long)to);
	goto stop;
out_of_budget:
	run->pc = index_of(run, insn);
	run->insns_left = 0;
	vm_faultf(run, "the instruction budget is used up");
	goto stop;
unknown:
	run->pc = index_of(run, insn);
	vm_faultf(run, "unknown instruction %02x", insn->code);
stop:
	return -EFAULT;
}

#pragma GCC diagnostic pop

/* Cold path */

/* An exec() that faulted leaves its frames; its caller unwinds them. */
static int exec_unwinding(struct vm_run *run, u32 pc, const u64 arguments[4], u64 *retval)
{
	struct interp *vm = interp_of(run);
	u32 depth = vm->depth;
	int err = exec(run, pc, arguments, retval);

	vm->depth = depth;
	vm->state.live_bytes = depth * FRAME_STRIDE;
	return err;
}

static int run_from(struct vm_run *run, struct interp *vm, u32 insn, const u64 arguments[4],
		    u64 *retval)
{
	int err;

	vm->depth = 0;
	vm_state_init(&vm->state);
	run->state = &vm->state;
	err = ends_well(run) ? exec_unwinding(run, insn, arguments, retval) : -EFAULT;
	run->state = NULL;
	return err;
}

static int interp_run_in(struct vm_run *run, void *frames, u64 *retval)
{
	const u64 arguments[4] = {PTR_U64(run->ctx)};

	return run_from(run, frames, 0, arguments, retval);
}

int interp_run_part(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval)
{
	struct interp vm;

	return run_from(run, &vm, insn, arguments, retval);
}

static int interp_run(struct vm_run *run, u64 *retval)
{
	struct interp vm;

	return interp_run_in(run, &vm, retval);
}

static int interp_callback(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval)
{
	u32 pc = run->pc;
	int err = exec_unwinding(run, insn, arguments, retval);

	if (!err)
		run->pc = pc;
	return err;
}

const struct engine interp_engine = {
	.name = "interp",
	.run = interp_run,
	.run_in = interp_run_in,
	.frames_bytes = sizeof(struct interp),
	.callback = interp_callback,
};
