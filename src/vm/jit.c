/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * jit.c: the half of the JIT that is the same for every machine: passes over the program, what is
 * known of registers at a call, the memory of the code, and the engine. Trusts the program: a load
 * or store goes where the program says. Only the budget and the depth of the frames are checked.
 *
 * Invariant: code memory is writable or executable, never both.
 */
#include "vm/jit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "shm/vcpu.h"
#include "vm/helper.h"
#include "vm/insn.h"
#include "vm/kfunc.h"
#include "vm/loops.h"
#include "vm/packet_load.h"
#include "vm/state.h"

#define SHRINKING_PASSES 16
/* The JIT's instructions are faster by so much, and it counts more than it executes. */
#define BUDGET_FACTOR 16
/* run->pc while no instruction has said where it is: they do on their way out. */
#define PC_UNKNOWN UINT32_MAX

#if defined(__x86_64__)
extern const struct jit_backend jit_x86_64;
static const struct jit_backend *const backend = &jit_x86_64;
#else
static const struct jit_backend *const backend;
#endif

const struct jit_backend *jit_backend(void)
{
	return backend;
}

/* A translation: what jit.c alone needs to know on top of what the back end sees. */
struct translation {
	struct jit jit; /* first */
	const struct jit_backend *out;
	struct loops loops;
	u32 *detour_at; /* as jit.fault_at: where a jump pays that is seldom taken */
	u32 known;        /* bit per register whose value is a constant here */
	u64 values[MAX_BPF_REG];
	bool changed;     /* places, in this pass */
};

static u32 sub_end(const struct prog *prog, u32 sub)
{
	return sub + 1 == prog->nr_subprogs ? prog->insn_cnt : prog->subprogs[sub + 1];
}

/* The subprogram that begins at an instruction; nr_subprogs if none does. */
static u32 sub_of(const struct prog *prog, u64 first)
{
	u32 low = 0, high = prog->nr_subprogs;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (prog->subprogs[middle] < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low < prog->nr_subprogs && prog->subprogs[low] == first ? low : prog->nr_subprogs;
}

static void place(struct translation *t, u32 *at)
{
	t->changed |= *at != t->jit.at;
	*at = t->jit.at;
}

/* What is known of registers */

static void learn(struct translation *t, u32 reg, u64 value)
{
	t->known |= 1u << reg;
	t->values[reg] = value;
}

static bool is_known(const struct translation *t, u32 reg)
{
	return t->known >> reg & 1;
}

static void learn_from(struct translation *t, const struct bpf_insn *insn)
{
	const u32 dst = insn->dst_reg, src = insn->src_reg;

	if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_K))
		learn(t, dst, (u64)(s64)insn->imm);
	else if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && !insn->off && is_known(t, src))
		learn(t, dst, t->values[src]);
	else if (insn->code == CODE_LD_IMM64)
		learn(t, dst, insn_imm64(insn));
	else
		t->known &= ~insn_changes(insn);
}

/* The map that a register is known to hold; NULL. */
static struct map *known_map(const struct translation *t, u32 reg)
{
	const struct prog *prog = t->jit.prog;

	for (u32 i = 0; is_known(t, reg) && i < prog->nr_maps; i++)
		if (PTR_U64(prog->maps[i]) == t->values[reg])
			return prog->maps[i];
	return NULL;
}

/* Calls */

/* What a map helper does to a known map, for a call without a detour: no such operation faults. */
static const struct {
	u32 map_bit;
	u32 operation; /* offset in struct map_ops */
	u8 args;
	bool returns_int;
} direct_calls[] = {
	{MAP_H_LOOKUP, offsetof(struct map_ops, lookup), 2, false},
	{MAP_H_LOOKUP_PERCPU, offsetof(struct map_ops, lookup_percpu), 3, false},
	{MAP_H_UPDATE, offsetof(struct map_ops, update), 4, true},
	{MAP_H_DELETE, offsetof(struct map_ops, delete), 2, true},
	{MAP_H_PUSH, offsetof(struct map_ops, push), 3, true},
	{MAP_H_POP, offsetof(struct map_ops, pop), 2, true},
	{MAP_H_PEEK, offsetof(struct map_ops, peek), 2, true},
};

static bool call_operation(struct translation *t, const struct helper *helper)
{
	const struct map *map = helper->map_bit ? known_map(t, BPF_REG_1) : NULL;
	struct jit_call call = {0};

	if (!map)
		return false;
	if (helper->map_bit == MAP_H_LOOKUP && map->elements) {
		t->out->element(&t->jit, map);
		return true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(direct_calls); i++)
		if (direct_calls[i].map_bit == helper->map_bit) {
			memcpy(&call.function, (const u8 *)map->ops + direct_calls[i].operation,
			       sizeof(void *));
			call.args = direct_calls[i].args;
			call.returns_int = direct_calls[i].returns_int;
		}
	if (!call.function)
		return false;
	t->out->call(&t->jit, &call);
	return true;
}

/* bpf_loop() over a subprogram that is known here. */
static bool call_loop(struct translation *t, const struct helper *helper)
{
	const struct prog *prog = t->jit.prog;
	u32 sub;

	if (helper->fn != helper_of(BPF_FUNC_loop)->fn || !is_known(t, BPF_REG_2) ||
	    !is_known(t, BPF_REG_4) || t->values[BPF_REG_4])
		return false;
	sub = sub_of(prog, t->values[BPF_REG_2]);
	if (sub == 0 || sub == prog->nr_subprogs)
		return false;
	t->out->loop(&t->jit, sub);
	return true;
}

static bool takes_callback(const struct helper *helper)
{
	return memchr(helper->args, ARG_CALLBACK, sizeof(helper->args)) != NULL;
}

static u64 no_helper(struct vm_run *run)
{
	return vm_faultf(run, "call of a function which programs of this type have not");
}

static u64 no_instruction(struct vm_run *run)
{
	return vm_faultf(run, "unknown instruction");
}

/* In code that is never reached there may be anything. */
static void call_fault(struct translation *t, u64 (*fault)(struct vm_run *run))
{
	t->out->call(&t->jit, &(struct jit_call){.function = PTR_U64(fault),
						 .takes_run = true,
						 .may_fault = true});
}

static void call_function(struct translation *t, const struct helper *helper)
{
	t->out->call(&t->jit, &(struct jit_call){.function = PTR_U64(helper->fn),
						 .takes_run = true,
						 .may_fault = true,
						 .calls_back = takes_callback(helper)});
}

static void call_kfunc(struct translation *t, const struct bpf_insn *insn)
{
	const struct kfunc *kfunc = kfunc_of((u32)insn->imm);

	if (kfunc && kfunc_allowed(kfunc, t->jit.prog->type))
		call_function(t, &kfunc->call);
	else
		call_fault(t, no_helper);
}

static void call_helper(struct translation *t, const struct bpf_insn *insn)
{
	const struct helper *helper = helper_of((u32)insn->imm);

	if (!helper || !helper->fn || !(helper->groups & t->jit.prog->type->helper_groups))
		call_fault(t, no_helper);
	else if (helper->flags & HF_TAIL_CALL)
		t->out->tail_call(&t->jit, known_map(t, BPF_REG_2));
	else if (!call_operation(t, helper) && !call_loop(t, helper))
		call_function(t, helper);
}

static bool call_local(struct translation *t, const struct bpf_insn *insn)
{
	const struct prog *prog = t->jit.prog;
	u32 sub = sub_of(prog, (u64)t->jit.pc + 1 + (u64)(s64)insn->imm);

	if (sub == 0 || sub == prog->nr_subprogs)
		return false;
	t->out->call_local(&t->jit, sub);
	return true;
}

/* Instructions */

static void jump_if(struct translation *t, const struct bpf_insn *insn, u32 place)
{
	if (insn->code == (BPF_JMP | UAPI_JCOND))
		t->out->may_goto(&t->jit, place);
	else
		t->out->jump_if(&t->jit, insn, place);
}

/*
 * A jump, if it stays in the subprogram; backwards it pays for the way, when it is taken: first and
 * gets it back, if it is the one that closes its loop, else on a detour. insn has a condition, or
 * is a may_goto, or neither.
 */
static bool jump(struct translation *t, const struct bpf_insn *insn)
{
	struct jit *jit = &t->jit;
	const u32 charge = t->loops.charges[jit->pc];
	const s64 to = insn_jump_target(insn, jit->pc);

	if (to < jit->prog->subprogs[jit->sub] || to >= sub_end(jit->prog, jit->sub))
		return false;
	if (charge && !insn_is_ja(insn) && t->loops.latches[to] != jit->pc) {
		t->detour_at[jit->pc] = t->detour_at[jit->pc] ?: JIT_UNKNOWN;
		jump_if(t, insn, t->detour_at[jit->pc]);
		return true;
	}
	if (charge)
		t->out->charge(jit, charge);
	if (!insn_is_ja(insn))
		jump_if(t, insn, jit->insn_at[to]);
	else if (to != jit->pc + 1)
		t->out->jump(jit, jit->insn_at[to]);
	if (charge && !insn_is_ja(insn))
		t->out->refund(jit, charge);
	return true;
}

static void detour(struct translation *t)
{
	const s64 to = insn_jump_target(&t->jit.prog->code[t->jit.pc], t->jit.pc);

	t->out->charge(&t->jit, t->loops.charges[t->jit.pc]);
	t->out->jump(&t->jit, t->jit.insn_at[to]);
}

static bool packet_load(struct translation *t, const struct bpf_insn *insn)
{
	if (!t->jit.prog->type->ld_abs)
		return false;
	t->out->packet_load(&t->jit, insn);
	return true;
}

static bool cast(struct translation *t, const struct bpf_insn *insn)
{
	const struct map_window *arena = &t->jit.prog->arena;

	if (!arena->map)
		return false;
	if (insn->imm == CAST_TO_USER)
		t->out->cast(&t->jit, insn, false, arena->user_high);
	else
		t->out->cast(&t->jit, insn, true, arena->high);
	return true;
}

static bool load_imm64(struct translation *t, const struct bpf_insn *insn)
{
	if (t->jit.pc + 1 == t->jit.prog->insn_cnt)
		return false;
	t->out->imm64(&t->jit, insn->dst_reg, insn_imm64(insn));
	return true;
}

static bool translate(struct translation *t, const struct bpf_insn *insn)
{
	const struct jit_backend *out = t->out;
	struct jit *jit = &t->jit;

	if (insn->dst_reg > BPF_REG_10 || insn->src_reg > BPF_REG_10)
		return false;
	switch (insn_find(insn)) {
#define EACH_WIDTH(name)                                                                           \
	case INSN_##name##32_K:                                                                    \
	case INSN_##name##32_X:                                                                    \
	case INSN_##name##64_K:                                                                    \
	case INSN_##name##64_X:
#define ALU(name, op, text, expr)                                                                  \
	EACH_WIDTH(name) out->alu(jit, insn);                                                      \
	return true;
#define ALU_OFF(name, op, off, text, expr)                                                         \
	EACH_WIDTH(name) out->divide(jit, insn);                                                   \
	return true;
#define JUMP(name, op, text, expr)                                                                 \
	EACH_WIDTH(name) return jump(t, insn);
#define MOV(name, class, source, off, text, expr)                                                  \
	case INSN_##name:                                                                          \
		out->move(jit, insn);                                                              \
		return true;
#define CAST(name, text)                                                                           \
	case INSN_##name:                                                                          \
		return cast(t, insn);
#define UNARY(name, code, imm, fields, text, expr)                                                 \
	case INSN_##name:                                                                          \
		out->unary(jit, insn);                                                             \
		return true;
#define LOAD(name, mode, size, type)                                                               \
	case INSN_##name:                                                                          \
		out->load(jit, insn);                                                              \
		return true;
#define STORE(name, size, type)                                                                    \
	case INSN_STX##name:                                                                       \
	case INSN_ST##name:                                                                        \
		out->store(jit, insn);                                                             \
		return true;
#define ATOMIC(name, imm, result, text, expr)                                                      \
	case INSN_##name##32:                                                                      \
	case INSN_##name##64:                                                                      \
		out->atomic(jit, insn);                                                            \
		return true;
#define ORDERED(name, size, type)                                                                  \
	case INSN_LOAD_ACQUIRE_##name:                                                             \
	case INSN_STORE_RELEASE_##name:                                                            \
		out->ordered(jit, insn);                                                           \
		return true;
#define LD_PACKET(name, size, type)                                                                \
	case INSN_LDABS##name:                                                                     \
	case INSN_LDIND##name:                                                                     \
		return packet_load(t, insn);
#define FLOW(...)     /* below */
#define LD_IMM64(...) /* below */
#include "vm/insn.def"
	case INSN_JA:
	case INSN_GOTOL:
	case INSN_MAY_GOTO:
		return jump(t, insn);
	case INSN_CALL:
		call_helper(t, insn);
		return true;
	case INSN_CALL_KERNEL:
		call_kfunc(t, insn);
		return true;
	case INSN_CALL_LOCAL:
		return call_local(t, insn);
	case INSN_EXIT:
		out->leave(jit);
		return true;
	case INSN_LD_IMM64:
	case INSN_LD_FUNC:
		return load_imm64(t, insn);
	default:
		return false;
	}
}

/* Passes */

static void begin_sub(struct translation *t, u32 sub)
{
	const struct prog *prog = t->jit.prog;
	u16 writes = 0;

	t->jit.sub = sub;
	t->jit.has_may_goto = false;
	for (u32 pc = prog->subprogs[sub]; pc < sub_end(prog, sub); pc++) {
		const struct bpf_insn *insn = &prog->code[pc];

		t->jit.has_may_goto |= insn->code == (BPF_JMP | UAPI_JCOND);
		writes |= (u16)(1u << insn->dst_reg | 1u << insn->src_reg);
	}
	t->jit.saves = sub ? writes & 0x3c0 : 0; /* R6-R9; the entry saves them for the first one */
	t->known = 0;
	place(t, &t->jit.sub_at[sub]);
	t->jit.pc = prog->subprogs[sub];
	t->out->enter(&t->jit);
	t->out->charge(&t->jit, t->loops.entries[sub]);
}

static void translate_sub(struct translation *t, u32 sub)
{
	const struct prog *prog = t->jit.prog;
	const u32 end = sub_end(prog, sub);
	struct jit *jit = &t->jit;

	begin_sub(t, sub);
	for (jit->pc = prog->subprogs[sub]; jit->pc < end; jit->pc++) {
		const struct bpf_insn *insn = &prog->code[jit->pc];

		if (t->loops.jumps_to[jit->pc])
			t->known = 0;
		jit->shrunk = jit->insn_at[jit->pc] - jit->at;
		place(t, &jit->insn_at[jit->pc]);
		if (translate(t, insn))
			learn_from(t, insn);
		else
			call_fault(t, no_instruction);
		if (insn->code == CODE_LD_IMM64)
			jit->pc++; /* the second half */
	}
	for (jit->pc = prog->subprogs[sub]; jit->pc < end; jit->pc++)
		if (t->detour_at[jit->pc]) {
			place(t, &t->detour_at[jit->pc]);
			detour(t);
		}
	for (jit->pc = prog->subprogs[sub]; jit->pc < end; jit->pc++)
		if (jit->fault_at[jit->pc]) {
			place(t, &jit->fault_at[jit->pc]);
			t->out->fault(jit);
		}
}

/* Returns the end of the subprograms. */
static u32 pass(struct translation *t)
{
	u32 text_bytes;

	t->jit.at = 0;
	t->changed = false;
	for (u32 sub = 0; sub < t->jit.prog->nr_subprogs; sub++)
		translate_sub(t, sub);
	text_bytes = t->jit.at;
	t->out->frame(&t->jit);
	return text_bytes;
}

/*
 * Until no place moves any more: each pass can only make jumps shorter. In a chain in which one
 * becomes short only after the next one has, that takes as many passes; after some of them jumps
 * ahead are left long.
 */
static void measure(struct translation *t)
{
	for (u32 passes = 0; t->changed; passes++) {
		t->jit.long_jumps = passes >= SHRINKING_PASSES;
		pass(t);
	}
}

static int write_code(struct translation *t, struct jit_code *code)
{
	code->size = ROUND_UP((size_t)t->jit.at, PAGE_BYTES);
	code->base = sys_mmap(NULL, code->size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_is_err(code->base))
		return -ENOMEM;
	t->jit.out = code->base;
	code->text_bytes = pass(t);
	if (SYSCALL(SYS_mprotect, code->base, code->size, PROT_READ | PROT_EXEC)) {
		sys_munmap(code->base, code->size);
		return -EACCES;
	}
	code->entry_at = t->jit.entry_at;
	code->result_at = t->jit.result_at;
	memcpy(code->sub_at, t->jit.sub_at, code->nr_subs * sizeof(u32));
	return 0;
}

/* 0; -ENOMEM; -EACCES where memory must not be made executable. */
static int translate_program(struct translation *t, struct jit_code *code)
{
	const struct prog *prog = t->jit.prog;
	u32 *places = memory_zalloc(prog->insn_cnt, 3 * sizeof(u32));
	int err = places ? loops_find(&t->loops, prog) : -ENOMEM;

	if (!err) {
		t->jit.insn_at = places;
		t->jit.fault_at = places + prog->insn_cnt;
		t->detour_at = places + 2 * (size_t)prog->insn_cnt;
		t->jit.stop_at = JIT_UNKNOWN;
		t->changed = true;
		memset(t->jit.insn_at, 0xff, prog->insn_cnt * sizeof(u32)); /* JIT_UNKNOWN */
		memset(t->jit.sub_at, 0xff, sizeof(t->jit.sub_at));
		measure(t);
		err = write_code(t, code);
		loops_free(&t->loops);
	}
	memory_free(places);
	return err;
}

static int compile(const struct prog *prog, struct jit_code **code)
{
	struct translation *t = memory_zalloc(1, sizeof(*t));
	int err = -ENOMEM;

	*code = memory_zalloc(1, sizeof(**code) + prog->nr_subprogs * sizeof(u32));
	if (t && *code) {
		t->jit.prog = prog;
		t->out = backend;
		(*code)->nr_subs = prog->nr_subprogs;
		err = translate_program(t, *code);
	}
	memory_free(t);
	if (err) {
		memory_free(*code);
		*code = NULL;
	}
	return err;
}

/* Stands for the code of a program that has none, so that it is not tried again. */
static struct jit_code no_code;

void jit_code_free(struct jit_code *code)
{
	if (!code || code == &no_code)
		return;
	sys_munmap(code->base, code->size);
	memory_free(code);
}

const struct jit_code *jit_code_of(struct prog *prog)
{
	struct jit_code *code = load_acquire(&prog->jit), *none = NULL; /* released below */

	if (unlikely(!code)) {
		if (!backend || compile(prog, &code) == -EACCES)
			code = &no_code;
		if (!code)
			return NULL;
		if (!atomic_cas(&prog->jit, &none, code)) {
			jit_code_free(code); /* another thread was first */
			code = none;
		}
	}
	return likely(code != &no_code) ? code : NULL;
}

/* Running */

typedef u64 (*jit_entry)(struct vm_run *run, const u64 arguments[4], const u8 *sub, u64 frame);

/* Runs run->next to its end. The budget is counted as outside of the engine meanwhile. */
static bool run_next(struct vm_run *run)
{
	bool done;

	run->insns_left /= BUDGET_FACTOR;
	done = vm_run_next(run, &run->tail_result);
	run->insns_left *= BUDGET_FACTOR;
	return done;
}

bool jit_tail_call_from_sub(struct vm_run *run, const void *ctx, struct map *array, u64 index)
{
	(void)ctx;
	run->next = vm_tail_target(run, array, (u32)index);
	return run->next && run_next(run);
}

/* The next call through this slot needs no C, unless it has changed meanwhile. */
static void remember(struct vm_run *run, struct map *array, u32 index, const struct prog *next,
		     const u8 *entry)
{
	struct vm_target *recent = &run->targets.recent[next->object.id % VM_RECENT];
	const u64 slot = load_relaxed(&array->slots[index]);

	if ((u32)slot != next->object.id ||
	    array->ops->object_id(array, &index) != next->object.id)
		return;
	recent->slot = slot;
	recent->entry = entry;
}

const u8 *jit_tail_call(struct vm_run *run, const void *ctx, struct map *array, u64 index)
{
	const struct jit_code *code = run->prog->jit;
	struct prog *next = vm_tail_target(run, array, (u32)index);
	const u8 *entry;

	(void)ctx;
	if (!next)
		return NULL;
	if (likely(vm_runs_jited(next) && jit_code_of(next))) {
		entry = next->jit->base + next->jit->sub_at[0];
		remember(run, array, (u32)index, next, entry);
		run->prog = next;
		return entry;
	}
	run->next = next;
	return run_next(run) ? code->base + code->result_at : NULL;
}

s64 jit_packet_load(struct vm_run *run, s32 at, u32 size)
{
	u64 value;

	return run->packet && packet_load_at(run->packet, at, size, &value) ? (s64)value : -1;
}

cold void jit_stopped(struct vm_run *run)
{
	if (!run->fault.set && (s64)run->insns_left >= 0) {
		vm_faultf(run, "the call stack of %u frames is too deep", PROG_MAX_FRAMES + 1);
	} else if (!run->fault.set) {
		vm_faultf(run, "the instruction budget is used up");
		run->insns_left = 0;
	}
	if (run->fault.insn == PC_UNKNOWN)
		run->fault.insn = run->pc;
}

static int enter(struct vm_run *run, const struct jit_code *code, u32 sub, const u64 arguments[4],
		 u64 frame, u64 *retval)
{
	union {
		const u8 *code;
		jit_entry call;
	} entry = {.code = code->base + code->entry_at};

	*retval = entry.call(run, arguments, code->base + code->sub_at[sub], frame);
	return unlikely(run->fault.set) ? -EFAULT : 0;
}

static int jit_run_in(struct vm_run *run, void *frames, u64 *retval)
{
	const struct jit_code *code = jit_code_of(run->prog);
	const u64 arguments[4] = {PTR_U64(run->ctx)};
	struct vm_state *state = frames;
	int err;

	if (unlikely(!code)) {
		vm_faultf(run, "the program cannot be translated to machine code");
		return -EFAULT;
	}
	vm_state_init(state);
	state->live_bytes = sizeof(state->stack);
	run->state = state;
	run->pc = PC_UNKNOWN;
	run->stack_end = PTR_U64(state->stack) + sizeof(state->stack);
	run->cpu = vcpu_current();
	run->insns_left *= BUDGET_FACTOR;
	err = enter(run, code, 0, arguments, PTR_U64(state->stack) + FRAME_STRIDE, retval);
	run->insns_left /= BUDGET_FACTOR;
	run->state = NULL;
	run->pc = 0;
	return err;
}

static int jit_run(struct vm_run *run, u64 *retval)
{
	struct vm_state state;

	return jit_run_in(run, &state, retval);
}

static int jit_callback(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval)
{
	const u64 frame = run->frame;
	const u32 sub = sub_of(run->prog, insn);
	int err;

	if (sub == run->prog->nr_subprogs) {
		vm_faultf(run, "callback %u is no subprogram", insn);
		return -EFAULT;
	}
	if (frame + FRAME_STRIDE > run->stack_end) {
		vm_faultf(run, "the call stack of %u frames is too deep", PROG_MAX_FRAMES + 1);
		return -EFAULT;
	}
	err = enter(run, run->prog->jit, sub, arguments, frame + FRAME_STRIDE, retval);
	run->frame = frame;
	return err;
}

const struct engine jit_engine = {
	.name = "jit",
	.run = jit_run,
	.run_in = jit_run_in,
	.frames_bytes = sizeof(struct vm_state),
	.callback = jit_callback,
};
