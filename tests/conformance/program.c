/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * program.c: generates, for one map, a program that does what a struct request in its packet or its
 * context asks for. Owns the program's layout. Every program is one that the kernel's verifier
 * accepts: a branch for each operation that the map's type allows, a chain of comparisons in front.
 *
 * R9 points to the request all the time, R7 holds the operation, R8 a value across a call.
 */
#include <linux/membarrier.h>

#include "conformance.h"

#define AT(field) ((int)offsetof(struct request, field))
#define MAX_INSNS 1024

enum {
	STACK_KEY = -64,
	STACK_VALUE = -128,
	STACK_INNER_KEY = -136,
	STACK_INNER_VALUE = -144,
	STACK_EACH = -176
};

struct code {
	struct bpf_insn insns[MAX_INSNS];
	int count;
	const struct target *target;
	int map_fd;
};

#define EMIT(code, ...)                                                          \
	do {                                                                     \
		const struct bpf_insn emitted[] = {__VA_ARGS__};                 \
		memcpy((code)->insns + (code)->count, emitted, sizeof(emitted)); \
		(code)->count += (int)LENGTH(emitted);                           \
	} while (0)

/* A jump whose target comes later. */
static int jump(struct code *code, struct bpf_insn insn)
{
	EMIT(code, insn);
	return code->count - 1;
}

#define JUMP(code, ...) jump(code, (struct bpf_insn)__VA_ARGS__)

static void land(struct code *code, int at)
{
	code->insns[at].off = (short)(code->count - at - 1);
}

static void to_stack(struct code *code, int from, int at, unsigned size)
{
	for (unsigned i = 0; i < size; i += 8)
		EMIT(code, LD(DW, R1, R9, from + (int)i), ST_X(DW, R10, at + (int)i, R1));
}

/* reg points to what the request has at an offset. */
static void point(struct code *code, int reg, int offset, int stack)
{
	const bool direct = code->target->direct;

	EMIT(code, MOV_X(reg, direct ? R9 : R10), ALU64_K(ADD, reg, direct ? offset : stack));
}

static void map_argument(struct code *code)
{
	EMIT(code, LD64_RAW(R1, BPF_PSEUDO_MAP_FD, code->map_fd, 0));
}

/* R1 = map, R2 = key */
static void map_and_key(struct code *code)
{
	point(code, R2, AT(key), STACK_KEY);
	map_argument(code);
}

/* Where a value begins that programs may touch. */
static int value_start(const struct target *target)
{
	return target->has_lock ? 4 : 0;
}

/* From where R0 points to the request. */
static void copy_out(struct code *code)
{
	const int end = (int)code->target->value_size;

	if (code->target->flags & BPF_F_WRONLY_PROG)
		return;
	for (int at = value_start(code->target), size; at < end; at += size) {
		size = !(at % 8) && at + 8 <= end ? 8 : !(at % 4) && at + 4 <= end ? 4 : 1;
		EMIT(code,
		     LD(size == 8   ? DW
			: size == 4 ? W
				    : B,
			R1, R0, at),
		     ST_X(size == 8   ? DW
			  : size == 4 ? W
				      : B,
			  R9, AT(out) + at, R1));
	}
}

/* Result 0 if R0 is NULL, else 1 and what the body does. */
static int unless_null(struct code *code)
{
	EMIT(code, MOV_X(R8, R0), MOV_K(R1, 0), ST_X(DW, R9, AT(result), R1));
	int null = JUMP(code, J_K(JEQ, R0, 0, 0));

	EMIT(code, MOV_K(R1, 1), ST_X(DW, R9, AT(result), R1));
	return null;
}

static void emit_lookup(struct code *code)
{
	map_and_key(code);
	EMIT(code, CALL(BPF_FUNC_map_lookup_elem));
	int null = unless_null(code);

	copy_out(code);
	land(code, null);
}

static void store_result(struct code *code)
{
	EMIT(code, ST_X(DW, R9, AT(result), R0));
}

static void emit_update(struct code *code)
{
	map_and_key(code);
	point(code, R3, AT(value), STACK_VALUE);
	EMIT(code, LD(DW, R4, R9, AT(flags)), CALL(BPF_FUNC_map_update_elem));
	store_result(code);
}

static void emit_delete(struct code *code)
{
	map_and_key(code);
	EMIT(code, CALL(BPF_FUNC_map_delete_elem));
	store_result(code);
}

static void emit_store(struct code *code)
{
	const int at = value_start(code->target);

	map_and_key(code);
	EMIT(code, CALL(BPF_FUNC_map_lookup_elem));
	int null = unless_null(code);

	EMIT(code, LD(B, R1, R9, AT(value)), ST_X(B, R0, at, R1));
	if (code->target->value_size >= 16)
		EMIT(code, LD(DW, R1, R9, AT(value) + 8), ST_X(DW, R0, 8, R1));
	land(code, null);
}

/* Result: what the operation fetches. The request's argument says which it is. */
static void emit_atomic(struct code *code)
{
	static const struct {
		int size, op;
	} ops[] = {{DW, ADD},         {W, ADD},         {DW, ADD | FETCH}, {W, OR | FETCH},
		   {DW, AND | FETCH}, {W, XOR | FETCH}, {DW, XCHG},        {W, XCHG},
		   {DW, CMPXCHG},     {W, CMPXCHG}};
	const int at = code->target->has_lock ? 8 : 0;
	int done[LENGTH(ops)];

	map_and_key(code);
	EMIT(code, CALL(BPF_FUNC_map_lookup_elem));
	int null = unless_null(code);

	for (unsigned i = 0; i < LENGTH(ops); i++) {
		EMIT(code, LD(W, R2, R9, AT(argument)));
		int other = JUMP(code, J_K(JNE, R2, (int)i, 0));

		EMIT(code, LD(DW, R1, R9, AT(value)), LD(DW, R0, R9, AT(value) + 8),
		     ATOMIC(ops[i].size, ops[i].op, R8, at, R1), ST_X(DW, R9, AT(out), R1),
		     ST_X(DW, R9, AT(out) + 8, R0));
		done[i] = JUMP(code, JA(0));
		land(code, other);
	}
	for (unsigned i = 0; i < LENGTH(ops); i++)
		land(code, done[i]);
	land(code, null);
}

/* What the callback finds: calls so far, sum of digests, calls to make, delete odd keys. Returns
   where the address of the callback belongs. */
static int emit_each(struct code *code)
{
	EMIT(code, MOV_K(R1, 0), ST_X(DW, R10, STACK_EACH, R1), ST_X(DW, R10, STACK_EACH + 8, R1),
	     LD(W, R1, R9, AT(argument)), ST_X(DW, R10, STACK_EACH + 16, R1),
	     LD(DW, R1, R9, AT(inner_key)), ST_X(DW, R10, STACK_EACH + 24, R1));
	map_argument(code);
	const int address = code->count;

	EMIT(code, LD64_RAW(R2, BPF_PSEUDO_FUNC, 0, 0), MOV_X(R3, R10),
	     ALU64_K(ADD, R3, STACK_EACH), LD(DW, R4, R9, AT(flags)),
	     CALL(BPF_FUNC_for_each_map_elem));
	store_result(code);
	EMIT(code, LD(DW, R1, R10, STACK_EACH), ST_X(DW, R9, AT(out), R1),
	     LD(DW, R1, R10, STACK_EACH + 8), ST_X(DW, R9, AT(out) + 8, R1));
	return address;
}

static void mix(struct code *code, int reg, int at)
{
	EMIT(code, LD(B, R1, reg, at), ALU64_X(XOR, R0, R1), ALU64_K(MUL, R0, 0x01000193),
	     MOV_X(R1, R0), ALU64_K(RSH, R1, 29), ALU64_X(XOR, R0, R1));
}

/* The sum is the same in whatever order elements come. */
static void emit_callback(struct code *code)
{
	const struct target *t = code->target;

	EMIT(code, MOV_X(R6, R1), MOV_X(R7, R2), MOV_X(R8, R3), MOV_X(R9, R4), MOV_K(R0, 12345));
	for (unsigned i = 0; i < t->key_size; i++)
		mix(code, R7, (int)i);
	if (!(t->flags & BPF_F_WRONLY_PROG))
		for (int i = value_start(t); i < (int)t->value_size; i += 4)
			mix(code, R8, i);
	EMIT(code, LD(DW, R1, R9, 8), ALU64_X(ADD, R1, R0), ST_X(DW, R9, 8, R1), LD(DW, R1, R9, 0),
	     ALU64_K(ADD, R1, 1), ST_X(DW, R9, 0, R1));
	if (!(t->flags & BPF_F_RDONLY_PROG)) {
		EMIT(code, LD(DW, R1, R9, 24));
		int keep = JUMP(code, J_K(JEQ, R1, 0, 0));

		EMIT(code, LD(B, R1, R7, 0));
		int odd = JUMP(code, J_K(JSET, R1, 1, 0));

		land(code, keep);
		int away = JUMP(code, JA(0));

		land(code, odd);
		EMIT(code, MOV_X(R1, R6), MOV_X(R2, R7), CALL(BPF_FUNC_map_delete_elem));
		land(code, away);
	}
	EMIT(code, MOV_K(R0, 0), LD(DW, R1, R9, 0), LD(DW, R2, R9, 16), J_X(JLT, R1, R2, 1),
	     MOV_K(R0, 1), EXIT);
}

static void emit_percpu(struct code *code)
{
	map_and_key(code);
	EMIT(code, LD(W, R3, R9, AT(argument)), CALL(BPF_FUNC_map_lookup_percpu_elem));
	int null = unless_null(code);

	copy_out(code);
	land(code, null);
}

static void emit_push(struct code *code)
{
	map_argument(code);
	point(code, R2, AT(value), STACK_VALUE);
	EMIT(code, LD(DW, R3, R9, AT(flags)), CALL(BPF_FUNC_map_push_elem));
	store_result(code);
}

/* These helpers may not write to the packet. */
static void emit_take(struct code *code, int helper)
{
	to_stack(code, AT(value), STACK_VALUE, DATA_MAX);
	map_argument(code);
	EMIT(code, MOV_X(R2, R10), ALU64_K(ADD, R2, STACK_VALUE), CALL(helper));
	store_result(code);
	for (int i = 0; i < (int)DATA_MAX; i += 8)
		EMIT(code, LD(DW, R1, R10, STACK_VALUE + i), ST_X(DW, R9, AT(out) + i, R1));
}

static void emit_locked(struct code *code)
{
	map_and_key(code);
	EMIT(code, CALL(BPF_FUNC_map_lookup_elem));
	int null = unless_null(code);

	EMIT(code, MOV_X(R1, R8), CALL(BPF_FUNC_spin_lock), LD(W, R1, R9, AT(value)),
	     LD(W, R2, R8, 4), ST_X(W, R8, 4, R1), ST_X(W, R9, AT(out), R2), MOV_X(R1, R8),
	     CALL(BPF_FUNC_spin_unlock));
	land(code, null);
}

static void inner_key(struct code *code)
{
	EMIT(code, MOV_X(R1, R8), MOV_X(R2, R10), ALU64_K(ADD, R2, STACK_INNER_KEY));
}

/* Lookup, or peek. */
static void emit_inner_lookup(struct code *code)
{
	inner_key(code);
	if (code->target->inner->traits & KEYLESS) {
		EMIT(code, CALL(BPF_FUNC_map_peek_elem), ST_X(DW, R9, AT(result), R0),
		     LD(DW, R1, R10, STACK_INNER_KEY), ST_X(DW, R9, AT(out), R1));
		return;
	}
	EMIT(code, CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 4), LD(DW, R1, R0, 0),
	     ST_X(DW, R9, AT(out), R1), MOV_K(R1, 2), ST_X(DW, R9, AT(result), R1));
}

static void emit_inner_update(struct code *code)
{
	inner_key(code);
	if (code->target->inner->traits & KEYLESS)
		EMIT(code, MOV_X(R2, R10), ALU64_K(ADD, R2, STACK_INNER_VALUE),
		     LD(DW, R3, R9, AT(flags)), CALL(BPF_FUNC_map_push_elem));
	else
		EMIT(code, MOV_X(R3, R10), ALU64_K(ADD, R3, STACK_INNER_VALUE),
		     LD(DW, R4, R9, AT(flags)), CALL(BPF_FUNC_map_update_elem));
	store_result(code);
}

static void emit_inner_delete(struct code *code)
{
	const bool keyless = code->target->inner->traits & KEYLESS;

	inner_key(code);
	EMIT(code, CALL(keyless ? BPF_FUNC_map_pop_elem : BPF_FUNC_map_delete_elem),
	     ST_X(DW, R9, AT(result), R0), LD(DW, R1, R10, STACK_INNER_KEY),
	     ST_X(DW, R9, AT(out), R1));
}

/* The argument says what is done to the inner map. */
static void emit_inner(struct code *code)
{
	static void (*const emit[NR_INNER_OPS])(struct code *) = {
		emit_inner_lookup, emit_inner_update, emit_inner_delete};
	int done[NR_INNER_OPS];

	to_stack(code, AT(inner_key), STACK_INNER_KEY, 8);
	to_stack(code, AT(inner_value), STACK_INNER_VALUE, 8);
	map_and_key(code);
	EMIT(code, CALL(BPF_FUNC_map_lookup_elem));
	int null = unless_null(code);

	for (int i = 0; i < NR_INNER_OPS; i++) {
		EMIT(code, LD(W, R2, R9, AT(argument)));
		int other = JUMP(code, J_K(JNE, R2, i, 0));

		emit[i](code);
		done[i] = JUMP(code, JA(0));
		land(code, other);
	}
	for (int i = 0; i < NR_INNER_OPS; i++)
		land(code, done[i]);
	land(code, null);
}

static void emit_redirect(struct code *code)
{
	map_argument(code);
	EMIT(code, LD(W, R2, R9, AT(key)), LD(DW, R3, R9, AT(flags)), CALL(BPF_FUNC_redirect_map));
	store_result(code);
}

/* R9 = request, or the end if the packet is too short. */
static void emit_prologue(struct code *code)
{
	const bool xdp = code->target->prog_type == BPF_PROG_TYPE_XDP;

	if (code->target->prog_type == BPF_PROG_TYPE_SYSCALL) {
		EMIT(code, MOV_X(R9, R1));
	} else {
		EMIT(code, LD(W, R9, R1, xdp ? 0 : (int)offsetof(struct __sk_buff, data)),
		     LD(W, R2, R1, xdp ? 4 : (int)offsetof(struct __sk_buff, data_end)),
		     MOV_X(R3, R9), ALU64_K(ADD, R3, (int)sizeof(struct request)),
		     J_X(JLE, R3, R2, 2), MOV_K(R0, 0), EXIT);
	}
	EMIT(code, LD(W, R7, R9, AT(op)));
	if (!code->target->direct) {
		to_stack(code, AT(key), STACK_KEY, DATA_MAX);
		to_stack(code, AT(value), STACK_VALUE, DATA_MAX);
	}
}

unsigned program_ops(const struct target *t)
{
	const unsigned traits = t->type->traits;
	const bool reads = !(t->flags & BPF_F_WRONLY_PROG),
		   writes = !(t->flags & BPF_F_RDONLY_PROG);
	const unsigned whole = t->has_lock ? 16 : 8;
	unsigned ops = 0;

	if (traits & REDIRECTS)
		return 1u << DO_REDIRECT | (traits & OPAQUE ? 0 : 1u << DO_LOOKUP);
	if (traits & (PROGRAMS | OPAQUE))
		return 0;
	if (traits & OUTER)
		return 1u << DO_INNER;
	if (traits & FILTER)
		return (writes ? 1u << DO_PUSH : 0) | (reads ? 1u << DO_PEEK : 0);
	if (traits & KEYLESS)
		return (writes ? 1u << DO_PUSH | 1u << DO_POP : 0) | (reads ? 1u << DO_PEEK : 0);
	ops |= 1u << DO_LOOKUP | (traits & PREFIXES ? 0 : 1u << DO_EACH);
	if (writes)
		ops |= 1u << DO_UPDATE | 1u << DO_DELETE | 1u << DO_STORE;
	if (writes && reads && t->value_size >= whole)
		ops |= 1u << DO_ATOMIC;
	if (traits & PER_CPU)
		ops |= 1u << DO_PERCPU;
	if (t->has_lock && writes && reads)
		ops |= 1u << DO_LOCKED;
	return ops;
}

static void emit_take_pop(struct code *code)
{
	emit_take(code, BPF_FUNC_map_pop_elem);
}

static void emit_take_peek(struct code *code)
{
	emit_take(code, BPF_FUNC_map_peek_elem);
}

/*
 * Linux 6.18 frees programs after a grace period, on one queue of the CPU. When a thousand of them
 * lie there at once and a load wants memory meanwhile, none goes on any more: so we wait, too.
 */
int program_load_attr(const union test_attr *t)
{
	static unsigned loads;

	if (++loads % 16 == 0)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	return (int)bpf_sys(BPF_PROG_LOAD, t, ATTR_SIZE);
}

static int load(const struct code *code, int callback)
{
	const uint32_t functions[] = {0, BTF_FUNCTION_ID, (uint32_t)callback, BTF_FUNCTION_ID};
	const bool sleepable = code->target->prog_type == BPF_PROG_TYPE_SYSCALL;
	union test_attr t = {.a = {.prog_type = code->target->prog_type,
				   .insns = ptr64(code->insns),
				   .insn_cnt = (uint32_t)code->count,
				   .license = ptr64("GPL"),
				   .prog_flags = sleepable ? BPF_F_SLEEPABLE : 0}};

	if (callback) {
		t.a.prog_btf_fd = (uint32_t)btf_of_functions();
		t.a.func_info = ptr64(functions);
		t.a.func_info_cnt = 2;
		t.a.func_info_rec_size = 8;
	}
	return program_load_attr(&t);
}

int program_load(const struct target *target, int map_fd)
{
	static void (*const emit[NR_PROGRAM_OPS])(struct code *) = {
		[DO_LOOKUP] = emit_lookup,  [DO_UPDATE] = emit_update,
		[DO_DELETE] = emit_delete,  [DO_STORE] = emit_store,
		[DO_ATOMIC] = emit_atomic,  [DO_PERCPU] = emit_percpu,
		[DO_PUSH] = emit_push,      [DO_POP] = emit_take_pop,
		[DO_PEEK] = emit_take_peek, [DO_LOCKED] = emit_locked,
		[DO_INNER] = emit_inner,    [DO_REDIRECT] = emit_redirect};
	static struct code code;
	const unsigned ops = program_ops(target);
	int address = 0, callback = 0;

	code.count = 0;
	code.target = target;
	code.map_fd = map_fd;
	emit_prologue(&code);
	for (int op = 0; op < NR_PROGRAM_OPS; op++) {
		if (!(ops & 1u << op))
			continue;
		int other = JUMP(&code, J_K(JNE, R7, op, 0));

		if (op == DO_EACH)
			address = emit_each(&code);
		else
			emit[op](&code);
		EMIT(&code, MOV_K(R0, 0), EXIT);
		land(&code, other);
	}
	EMIT(&code, MOV_K(R0, 0), EXIT);
	if (address) {
		callback = code.count;
		code.insns[address].imm = callback - address - 1;
		emit_callback(&code);
	}
	return load(&code, callback);
}

int program_returning(unsigned prog_type, unsigned attach_type, int value)
{
	const struct bpf_insn insns[] = {MOV_K(R0, value), EXIT};
	union test_attr t = {.a = {.prog_type = prog_type,
				   .insns = ptr64(insns),
				   .insn_cnt = LENGTH(insns),
				   .license = ptr64("GPL"),
				   .expected_attach_type = attach_type}};

	return program_load_attr(&t);
}

int program_run(const struct target *target, int prog_fd, struct request *request)
{
	const bool context = target->prog_type == BPF_PROG_TYPE_SYSCALL;
	union test_attr t = {.a = {.test = {.prog_fd = (uint32_t)prog_fd}}};

	if (context) {
		t.a.test.ctx_in = ptr64(request);
		t.a.test.ctx_size_in = sizeof(*request);
	} else {
		t.a.test.data_in = t.a.test.data_out = ptr64(request);
		t.a.test.data_size_in = t.a.test.data_size_out = sizeof(*request);
	}
	return (int)bpf_sys(BPF_PROG_TEST_RUN, &t, ATTR_SIZE);
}
