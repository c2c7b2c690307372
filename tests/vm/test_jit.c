// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * test_jit.c: the JIT against the checked interpreter. Every instruction has a translation, code is
 * never writable, what must end a run ends it, and random valid programs do the same in both
 * engines: same result, same memory (engine "both"). USERBPF_JIT_PROGRAMS: how many of those;
 * USERBPF_JIT_SEED: of the first one.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vm/insn.h"
#include "vm/jit.h"
#include "vm/loops.h"
#include "vm/packet.h"
#include "vm/vm.h"
#include "shm/vcpu.h"

static const struct {
	enum insn_id id;
	u8 code, fields;
	s32 variant;
} rows[] = {
#define INSN(id, code, variant, fields, text) {INSN_##id, code, fields, variant},
#include "vm/insn.def"
};

#include "asm.h" /* after insn.def, whose families have the same names */

#define BUDGET 1000000u
#define INSNS_MAX 3072u
#define VALUE_BYTES 64
#define NR_VALUES 8
#define CPUS 4
#define PACKET_BYTES 60

/* Three maps without files: looked up inline, inline per CPU, and through a function. */

static u8 values[3][CPUS][NR_VALUES * VALUE_BYTES] __attribute__((aligned(4096)));
static struct map maps[3];

static void *value_at(struct map *map, const void *address)
{
	u64 at = (u64)((const u8 *)address - map->object.region.base);

	return at < sizeof(values[0]) ? map->object.region.base + at / VALUE_BYTES * VALUE_BYTES
				      : NULL;
}

static void *lookup(struct map *map, const void *key)
{
	u32 index;

	memcpy(&index, key, sizeof(index));
	return index < NR_VALUES ? map->object.region.base + index * VALUE_BYTES : NULL;
}

static void *lookup_on_cpu(struct map *map, const void *key)
{
	u8 *value = lookup(map, key);

	return value ? value + vcpu_current() * map->cpu_stride : NULL;
}

static int update(struct map *map, const void *key, const void *value, u64 flags)
{
	void *to = lookup(map, key);

	if (flags)
		return -EINVAL;
	if (!to)
		return -E2BIG;
	memcpy(to, value, VALUE_BYTES);
	return 0;
}

static const struct map_ops ops[] = {
	{.name = "inline", .helpers = MAP_H_LOOKUP, .lookup = lookup, .value_at = value_at},
	{.name = "percpu", .helpers = MAP_H_LOOKUP, .traits = MAP_PERCPU,
	 .lookup = lookup_on_cpu, .value_at = value_at},
	{.name = "called", .helpers = MAP_H_LOOKUP | MAP_H_UPDATE, .lookup = lookup,
	 .update = update, .value_at = value_at},
};

static struct map_header header = {.type = BPF_MAP_TYPE_ARRAY, .name = "values"};

static void make_maps(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(maps); i++) {
		struct map *map = &maps[i];

		*map = (struct map){.ops = &ops[i], .header = &header, .key_size = 4,
				    .value_size = VALUE_BYTES, .value_stride = VALUE_BYTES,
				    .max_entries = NR_VALUES, .lock_at = -1,
				    .cpu_stride = sizeof(values[0][0])};
		map->object.region = (struct region){.base = values[i][0],
						     .size = sizeof(values[i])};
		map->elements = i < 2 ? values[i][0] : NULL;
	}
}

/* Running */

struct program {
	struct bpf_insn insns[INSNS_MAX];
	u32 count;
	u32 subs[16];
	u32 nr_subs;
};

static void packet_moved(struct vm_run *run)
{
	(void)run;
}

static void prepare(struct prog *prog, struct program *program)
{
	*prog = (struct prog){.checked.trusted = true,
			      .type = prog_type_of(BPF_PROG_TYPE_SOCKET_FILTER),
			      .code = program->insns,
			      .insn_cnt = program->count,
			      .maps = {&maps[0], &maps[1], &maps[2]},
			      .nr_maps = 3,
			      .subprogs = program->subs,
			      .nr_subprogs = program->nr_subs};
}

static u64 budget = BUDGET;

static int run_in(const char *engine, struct program *program, struct vm_fault *fault, u64 *result)
{
	static u64 context[24];
	static const struct ctx_range all = {0, sizeof(context), 15, 15};
	static const struct ctx_rules rules = {
		.size = sizeof(context), .nr_ranges = 1, .ranges = &all};
	struct packet_run run;
	struct prog prog;
	int err;

	prepare(&prog, program);
	assert_true(vm_choose_engine(engine));
	memset(&run, 0, sizeof(run));
	assert_int_equal(arena_take(&run.arena), 0);
	run.vm = (struct vm_run){.prog = &prog, .ctx = context, .ctx_rules = &rules,
				 .packet = &run.packet, .packet_moved = packet_moved,
				 .insns_left = budget};
	run.packet.head = run.packet.mac = run.arena.packet + 256;
	run.packet.data = run.packet.network = run.packet.head + 14;
	run.packet.data_end = run.packet.data + PACKET_BYTES;
	run.packet.end = run.packet.data_end + 64;
	for (u32 i = 0; i < PACKET_BYTES; i++)
		run.packet.data[i] = (u8)(i * 37);
	err = vm_run(&run.vm, result);
	*fault = run.vm.fault;
	arena_put(&run.arena);
	jit_code_free(prog.jit);
	return err;
}

/* Random valid programs */

static u64 state;

static u32 random_u32(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (u32)(state >> 32);
}

static u32 below(u32 n)
{
	return random_u32() % n;
}

static s32 random_imm(void)
{
	static const s32 special[] = {0, 1, -1, 2, 8, 31, 32, 63, 127, 128, -128, -129, INT32_MAX,
				      INT32_MIN};

	return below(3) ? (s32)random_u32() : special[below(ARRAY_SIZE(special))];
}

static void add(struct program *p, struct bpf_insn insn)
{
	assert_true(p->count < INSNS_MAX);
	p->insns[p->count++] = insn;
}

#define ADD_INSNS(p, ...)                                                                          \
	do {                                                                                       \
		const struct bpf_insn insns_[] = {__VA_ARGS__};                                    \
		for (u32 i_ = 0; i_ < ARRAY_SIZE(insns_); i_++)                                    \
			add(p, insns_[i_]);                                                        \
	} while (0)

/*
 * R6 is the context, R8 counts loops, R9 points to a map value, R10 to 64 bytes of stack that have
 * been written; the others hold numbers.
 */
static u32 scalar(void)
{
	static const u8 registers[] = {R0, R1, R2, R3, R4, R5, R7};

	return registers[below(ARRAY_SIZE(registers))];
}

static void add_constant(struct program *p, u32 reg)
{
	u64 value = (u64)random_u32() << 32 | random_u32();

	switch (below(4)) {
	case 0:
		ADD_INSNS(p, LD64(reg, value));
		break;
	case 1:
		ADD_INSNS(p, LD64(reg, value >> 32));
		break;
	case 2:
		ADD_INSNS(p, MOV32_K(reg, random_imm()));
		break;
	default:
		ADD_INSNS(p, MOV_K(reg, random_imm()));
	}
}

/* After a call. */
static void add_clobbered(struct program *p)
{
	for (u32 reg = R1; reg <= R5; reg++)
		add_constant(p, reg);
}

static void add_alu(struct program *p)
{
	static const u8 operations[] = {ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR, ARSH};
	u8 op = operations[below(ARRAY_SIZE(operations))];
	bool division = op == DIV || op == MOD, shift = op == LSH || op == RSH || op == ARSH;
	u8 wide = (u8)below(2);
	struct bpf_insn insn = RAW((wide ? 0x07 : 0x04) | op, scalar(), 0, 0, random_imm());

	if (below(2)) {
		insn.code |= BPF_X;
		insn.src_reg = scalar();
		insn.imm = 0;
	} else if (shift) {
		insn.imm = (s32)below(wide ? 64 : 32);
	} else if (division && !insn.imm) {
		insn.imm = 7;
	}
	if (division)
		insn.off = (s16)below(2);
	if (division && below(8) == 0) /* the quotient that does not fit */
		ADD_INSNS(p, LD64(insn.dst_reg, wide ? 1ull << 63 : 1ull << 31), MOV_K(R7, -1));
	add(p, insn);
}

static void add_move(struct program *p)
{
	static const s16 narrow[] = {8, 16, 32}, bits[] = {16, 32, 64};
	u32 dst = scalar(), src = scalar();

	switch (below(9)) {
	case 0:
		add_constant(p, dst);
		break;
	case 1:
		ADD_INSNS(p, MOV_X(dst, src));
		break;
	case 2:
		ADD_INSNS(p, MOV32_X(dst, src));
		break;
	case 3:
		ADD_INSNS(p, MOVSX64(dst, src, narrow[below(3)]));
		break;
	case 4:
		ADD_INSNS(p, MOVSX32(dst, src, narrow[below(2)]));
		break;
	case 5:
		ADD_INSNS(p, TO_LE(dst, bits[below(3)]));
		break;
	case 6:
		ADD_INSNS(p, TO_BE(dst, bits[below(3)]));
		break;
	case 7:
		ADD_INSNS(p, BSWAP(dst, bits[below(3)]));
		break;
	default:
		if (below(2))
			ADD_INSNS(p, NEG64(dst));
		else
			ADD_INSNS(p, NEG32(dst));
	}
}

static void add_memory(struct program *p)
{
	static const u8 sizes[] = {B, H, W, DW};
	static const s32 atomics[] = {ADD, OR, AND, XOR, ADD | FETCH, OR | FETCH, AND | FETCH,
				      XOR | FETCH, XCHG, CMPXCHG};
	u32 log = below(4), bytes = 1u << log, size = sizes[log];
	bool on_stack = below(2);
	u32 base = on_stack ? R10 : R9;
	s16 off = (s16)((on_stack ? -64 : 0) + (s32)(below(64 / bytes) * bytes));

	switch (below(7)) {
	case 0:
		ADD_INSNS(p, LD(size, scalar(), base, off));
		break;
	case 1:
		if (size != DW) {
			ADD_INSNS(p, LDS(size, scalar(), base, off));
			break;
		}
		/* fall through */
	case 2:
		ADD_INSNS(p, ST_X(size, base, off, scalar()));
		break;
	case 3:
		ADD_INSNS(p, ST_K(size, base, off, random_imm()));
		break;
	case 4:
		ADD_INSNS(p, ATOMIC(size, LOAD_ACQ, scalar(), off, base));
		break;
	case 5:
		ADD_INSNS(p, ATOMIC(size, STORE_REL, base, off, scalar()));
		break;
	default:
		off &= ~7;
		if (below(4) == 0) /* what a compare-and-exchange may meet */
			ADD_INSNS(p, LD(W, R0, base, off), ALU64_X(OR, R0, R7));
		ADD_INSNS(p, ATOMIC(below(2) ? W : DW, atomics[below(ARRAY_SIZE(atomics))], base, off,
				    scalar()));
	}
}

static void add_packet_load(struct program *p)
{
	static const u8 sizes[] = {B, H, W};
	static const s32 bases[] = {0, 0, 0, -0x100000, -0x200000};
	u32 size = sizes[below(3)];
	s32 at = bases[below(5)] + (s32)below(below(8) ? PACKET_BYTES - 4 : PACKET_BYTES + 4);

	if (below(2)) {
		ADD_INSNS(p, LDABS(size, at));
	} else {
		u32 index = scalar();

		ADD_INSNS(p, MOV32_K(index, (s32)below(8)), LDIND(size, index, at - 4));
	}
	add_clobbered(p);
}

static void add_map_call(struct program *p)
{
	u32 which = below(3);
	u64 map = PTR_U64(&maps[which]);

	ADD_INSNS(p, ST_K(W, R10, -72, (s32)below(NR_VALUES + 2)), LD64(R1, map), MOV_X(R2, R10),
		  ALU64_K(ADD, R2, -72));
	if (which == 2 && below(2)) {
		ADD_INSNS(p, MOV_X(R3, R10), ALU64_K(ADD, R3, -64), MOV_K(R4, (s32)below(8) / 7),
			  CALL(BPF_FUNC_map_update_elem));
	} else {
		if (below(4) == 0) /* not a constant here */
			ADD_INSNS(p, MOV_X(R7, R1), JA(0), MOV_X(R1, R7));
		ADD_INSNS(p, CALL(BPF_FUNC_map_lookup_elem), MOV_K(R7, 5), J_K(JEQ, R0, 0, 1),
			  LD(DW, R7, R0, (s16)(8 * below(VALUE_BYTES / 8))), MOV_X(R0, R7));
	}
	add_clobbered(p);
}

static void add_call(struct program *p, u32 sub, u32 nr_subs)
{
	static const s32 simple[] = {BPF_FUNC_ktime_get_ns, BPF_FUNC_get_prandom_u32,
				     BPF_FUNC_get_smp_processor_id};
	u32 callee = sub + 1 + below(nr_subs);

	if (callee >= nr_subs || below(2)) {
		ADD_INSNS(p, CALL(simple[below(3)]));
	} else if (below(3)) {
		ADD_INSNS(p, CALL_LOCAL((s32)callee)); /* resolved below */
	} else {
		ADD_INSNS(p, MOV_K(R1, (s32)below(9)), LD64_RAW(R2, BPF_PSEUDO_FUNC, (s32)callee, 0),
			  MOV_X(R3, R7), MOV_K(R4, below(8) ? 0 : 1));
		if (below(3) == 0) /* not a constant here */
			ADD_INSNS(p, JA(0));
		ADD_INSNS(p, CALL(BPF_FUNC_loop));
	}
	add_clobbered(p);
}

static void add_block(struct program *p, u32 sub, u32 nr_subs, u32 depth);

/* Skips a block, or runs it some times. */
static void add_jump(struct program *p, u32 sub, u32 nr_subs, u32 depth)
{
	static const u8 operations[] = {JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, JLT, JLE, JSLT, JSLE};
	u8 op = operations[below(ARRAY_SIZE(operations))], code = below(2) ? 0x05 : 0x06;
	u32 at = p->count;

	if (depth < 2 && below(4) == 0) {
		ADD_INSNS(p, MOV_K(R8, 1 + (s32)below(6)));
		at = p->count;
		add_block(p, sub, nr_subs, 2); /* no loop in a loop: R8 is taken */
		if (below(2)) /* the form in which the JIT sees a loop that counts */
			ADD_INSNS(p, ALU64_K(ADD, R8, -1));
		else
			ADD_INSNS(p, ALU64_K(SUB, R8, 1));
		ADD_INSNS(p, J_K(JNE, R8, 0, (s16)(at - p->count - 1)));
		return;
	}
	if (below(2))
		ADD_INSNS(p, RAW(code | op, scalar(), 0, 0, random_imm()));
	else
		ADD_INSNS(p, RAW(code | BPF_X | op, scalar(), scalar(), 0, 0));
	if (below(8) == 0)
		p->insns[at] = (struct bpf_insn)JA(0);
	if (below(16) == 0)
		p->insns[at] = (struct bpf_insn)MAY_GOTO(0);
	add_block(p, sub, nr_subs, depth < 2 ? depth + 1 : 3);
	p->insns[at].off = (s16)(p->count - at - 1);
}

static void add_block(struct program *p, u32 sub, u32 nr_subs, u32 depth)
{
	for (u32 n = below(8); n && p->count < INSNS_MAX - 600; n--)
		switch (below(12)) {
		case 0 ... 3:
			add_alu(p);
			break;
		case 4 ... 5:
			add_move(p);
			break;
		case 6 ... 7:
			add_memory(p);
			break;
		case 8:
			add_packet_load(p);
			break;
		case 9:
			add_map_call(p);
			break;
		case 10:
			add_call(p, sub, nr_subs);
			break;
		default:
			if (depth < 3)
				add_jump(p, sub, nr_subs, depth);
		}
}

static void add_sub(struct program *p, u32 sub, u32 nr_subs)
{
	p->subs[sub] = p->count;
	if (sub)
		ADD_INSNS(p, LD64(R6, 0)); /* no context: no packet loads, see below */
	else
		ADD_INSNS(p, MOV_X(R6, R1));
	ADD_INSNS(p, MOV_K(R8, 0), LD64(R9, PTR_U64(values[below(3)][0])), ALU64_K(ADD, R9, 0),
		  MOV_K(R0, random_imm()), MOV_K(R7, random_imm()));
	if (!sub)
		add_clobbered(p);
	else
		ADD_INSNS(p, MOV_X(R7, R1), MOV_K(R3, 3), MOV_K(R4, 4), MOV_K(R5, 5));
	for (s16 off = -72; off < 0; off += 8)
		ADD_INSNS(p, ST_K(DW, R10, off, random_imm()));
	for (u32 n = 1 + below(4); n; n--)
		add_block(p, sub, nr_subs, 0);
	for (u32 reg = R1; reg <= R7; reg++)
		if (reg != R6)
			ADD_INSNS(p, ALU64_X(XOR, R0, reg));
	if (sub)
		ADD_INSNS(p, ALU64_K(AND, R0, (s32)below(2))); /* fit for a callback */
	ADD_INSNS(p, EXIT);
}

/* Numbers of subprograms become distances; packet loads stay in the main program. */
static void resolve(struct program *p)
{
	for (u32 i = 0; i < p->count; i++) {
		struct bpf_insn *insn = &p->insns[i];

		if (insn->code == 0x85 && insn->src_reg == BPF_PSEUDO_CALL)
			insn->imm = (s32)p->subs[insn->imm] - (s32)i - 1;
		else if (insn->code == 0x18 && insn->src_reg == BPF_PSEUDO_FUNC)
			insn->imm = (s32)p->subs[insn->imm];
		else if (i >= p->subs[p->nr_subs > 1] && p->nr_subs > 1 && (insn->code & 7) == 0 && insn->code != 0x18 && insn->code)
			*insn = (struct bpf_insn)MOV_K(R0, 9);
	}
}

static void random_program(struct program *p, u64 seed)
{
	state = seed;
	random_u32();
	p->count = 0;
	p->nr_subs = 1 + below(4);
	for (u32 sub = 0; sub < p->nr_subs; sub++)
		add_sub(p, sub, p->nr_subs);
	resolve(p);
}

static u64 number_from(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void random_programs_agree(void **unused)
{
	const u64 count = number_from("USERBPF_JIT_PROGRAMS", 5000);
	const u64 first = number_from("USERBPF_JIT_SEED", 1);
	static struct program program;
	u64 result, results = 0, budgets = 0;
	struct vm_fault fault;

	(void)unused;
	for (u64 seed = first; seed < first + count; seed++) {
		random_program(&program, seed);
		if (!run_in("both", &program, &fault, &result))
			results++;
		else if (strstr(fault.text, "budget"))
			budgets++;
		else
			fail_msg("seed %llu: instruction %u: %s", (unsigned long long)seed,
				 fault.insn, fault.text);
		if (seed % 100000 == 0)
			fprintf(stderr, "# %llu programs\n", (unsigned long long)(seed - first));
	}
	assert_true(results > count / 2 && results + budgets == count);
}

/* Programs made by hand */

#define PROGRAM(...)                                                                               \
	{                                                                                          \
		.insns = {__VA_ARGS__},                                                            \
		.count = sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn),       \
		.nr_subs = 1,                                                                      \
	}

static void expect_fault(struct program *program, const char *text, u32 insn)
{
	struct vm_fault fault;
	u64 result;

	assert_int_equal(run_in("jit", program, &fault, &result), -EFAULT);
	assert_non_null(strstr(fault.text, text));
	assert_int_equal(fault.insn, insn);
}

static void endless_programs_end(void **unused)
{
	static struct program loop = PROGRAM(MOV_K(R0, 0), JA(-2), EXIT);
	static struct program spin = PROGRAM(MOV_K(R0, 0), ALU64_K(ADD, R0, 1), J_K(JNE, R0, 0, -2),
					     EXIT);

	(void)unused;
	expect_fault(&loop, "budget", 1);
	expect_fault(&spin, "budget", 2);
}

/* Which loops are free of charge: those that end soon, beyond doubt. The jump is the last but one. */
struct loop_case {
	const char *name;
	bool is_free;
	struct program program;
};

static struct loop_case loop_cases[] = {
	{"up", true, PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 100, -2), EXIT)},
	{"down", true, PROGRAM(MOV_K(R1, 9), ALU64_K(ADD, R1, -3), J_K(JNE, R1, 0, -2), EXIT)},
	{"less", true, PROGRAM(MOV_K(R1, 1), ALU64_K(ADD, R1, 4), J_K(JLT, R1, 100, -2), EXIT)},
	{"32 bits", true, PROGRAM(MOV32_K(R1, 0), ALU32_K(ADD, R1, 1), J32_K(JNE, R1, 9, -2), EXIT)},
	{"32 bits, wide jump", true,
	 PROGRAM(MOV32_K(R1, 0), ALU32_K(ADD, R1, 1), J_K(JNE, R1, 9, -2), EXIT)},
	{"a way out", true,
	 PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_X(JEQ, R2, R3, 1), J_K(JNE, R1, 9, -3), EXIT)},
	{"a branch", true,
	 PROGRAM(MOV_K(R1, 0), J_X(JEQ, R2, R3, 1), MOV_K(R2, 0), ALU64_K(ADD, R1, 1),
		 J_K(JNE, R1, 9, -4), EXIT)},
	{"call, kept counter", true,
	 PROGRAM(MOV_K(R6, 0), CALL(5), ALU64_K(ADD, R6, 1), J_K(JNE, R6, 9, -3), EXIT)},
	{"call, lost counter", false,
	 PROGRAM(MOV_K(R1, 0), CALL(5), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 9, -3), EXIT)},
	{"many turns", false,
	 PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 1 << 20, -2), EXIT)},
	{"misses its bound", false,
	 PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 3), J_K(JNE, R1, 100, -2), EXIT)},
	{"away from its bound", false,
	 PROGRAM(MOV_K(R1, 200), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 100, -2), EXIT)},
	{"stands", false, PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 0), J_K(JNE, R1, 9, -2), EXIT)},
	{"less, down", false,
	 PROGRAM(MOV_K(R1, 9), ALU64_K(ADD, R1, -1), J_K(JLT, R1, 100, -2), EXIT)},
	{"32 bits, never negative", false,
	 PROGRAM(MOV32_K(R1, -16), ALU32_K(ADD, R1, 1), J_K(JNE, R1, -1, -2), EXIT)},
	{"64 bits, half compared", false,
	 PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J32_K(JNE, R1, 9, -2), EXIT)},
	{"no first value", false, PROGRAM(MOV_K(R2, 0), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 9, -2), EXIT)},
	{"first value from a register", false,
	 PROGRAM(MOV_X(R1, R2), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 9, -2), EXIT)},
	{"second way in", false,
	 PROGRAM(MOV_K(R1, 50), J_X(JEQ, R2, R3, 1), MOV_K(R1, 0), ALU64_K(ADD, R1, 1),
		 J_K(JNE, R1, 9, -2), EXIT)},
	{"jumped into", false,
	 PROGRAM(J_X(JEQ, R2, R3, 2), MOV_K(R1, 0), MOV_K(R4, 0), ALU64_K(ADD, R1, 1),
		 J_K(JNE, R1, 9, -3), EXIT)},
	{"step jumped over", false,
	 PROGRAM(MOV_K(R1, 0), J_X(JEQ, R2, R3, 1), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 9, -3), EXIT)},
	{"step in an inner loop", false,
	 PROGRAM(MOV_K(R1, 0), MOV_K(R4, 0), ALU64_K(ADD, R1, 4), J_X(JEQ, R2, R3, -2),
		 J_K(JNE, R1, 8, -4), EXIT)},
	{"two steps", false,
	 PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 9, -3), EXIT)},
	{"another step", false,
	 PROGRAM(MOV_K(R1, 1), ALU64_K(LSH, R1, 1), J_K(JNE, R1, 8, -2), EXIT)},
	{"bound in a register", false,
	 PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_X(JNE, R1, R2, -2), EXIT)},
	{"jumps back out", false,
	 PROGRAM(MOV_K(R6, 0), ALU64_K(ADD, R6, 1), J_K(JNE, R6, 99, 1), JA(-4), J_K(JNE, R6, 100, -4),
		 EXIT)},
	{"first value behind a join", false,
	 PROGRAM(J_X(JEQ, R2, R3, 1), MOV_K(R1, 0), MOV_K(R4, 0), ALU64_K(ADD, R1, 1),
		 J_K(JNE, R1, 9, -2), EXIT)},
	{"always", false, PROGRAM(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), JA(-2), EXIT)},
};

static void loops_that_count(void **unused)
{
	(void)unused;
	for (u32 i = 0; i < ARRAY_SIZE(loop_cases); i++) {
		struct program *p = &loop_cases[i].program;
		struct loops loops;
		struct prog prog;

		prepare(&prog, p);
		assert_int_equal(loops_find(&loops, &prog), 0);
		if (!loops.charges[p->count - 2] != loop_cases[i].is_free ||
		    (loops.entries[0] > p->count) != loop_cases[i].is_free)
			fail_msg("%s", loop_cases[i].name);
		loops_free(&loops);
	}
}

/* A loop that is free of charge inside one that is not, in a subprogram: all turns count. */
static void nested_loops_end(void **unused)
{
	static struct program nested = PROGRAM(
		MOV_K(R0, 0), MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 20000, -2), JA(-4), EXIT);
	static struct program called = PROGRAM(
		CALL_LOCAL(1), JA(-2), MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 20000, -2), EXIT);

	struct loops loops;
	struct prog prog;

	(void)unused;
	prepare(&prog, &nested);
	assert_int_equal(loops_find(&loops, &prog), 0);
	assert_int_equal(loops.charges[4], 4 + 2 * 20000);
	loops_free(&loops);
	expect_fault(&nested, "budget", 4);
	called.nr_subs = 2;
	called.subs[1] = 2;
	expect_fault(&called, "budget", 2);
}

/* Many times round a skipped way out that would begin a free loop anew. */
static void loops_left_backwards_end(void **unused)
{
	static struct program p = PROGRAM(
		MOV_K(R0, 0), MOV_K(R6, 0), ALU64_K(ADD, R6, 1), J_K(JNE, R6, 15999, 1), JA(-4),
		J_K(JNE, R6, 16000, -4), EXIT);

	(void)unused;
	expect_fault(&p, "budget", 5);
}

/* Calls without any jump: every level calls the next one so often. */
static void call_trees_end(void **unused)
{
	static struct program p;

	(void)unused;
	p.count = 0;
	p.nr_subs = PROG_MAX_FRAMES;
	for (u32 level = 0; level < p.nr_subs; level++) {
		p.subs[level] = p.count;
		for (u32 i = 0; i < 60 && level + 1 < p.nr_subs; i++)
			ADD_INSNS(&p, CALL_LOCAL((s32)(62 * (level + 1)) - (s32)p.count - 1));
		while (p.count < 62 * level + 61)
			ADD_INSNS(&p, MOV_K(R0, 0));
		ADD_INSNS(&p, EXIT);
	}
	expect_fault(&p, "budget", p.subs[p.nr_subs - 1]);
}

/* 1 << 23 rounds of a callback that has no jump of its own, inline and through the helper. */
static void endless_callbacks_end(void **unused)
{
	static struct program inlined = PROGRAM(
		MOV_K(R1, 1 << 23), LD64_RAW(R2, BPF_PSEUDO_FUNC, 7, 0), MOV_K(R3, 0), MOV_K(R4, 0),
		CALL(BPF_FUNC_loop), EXIT, MOV_K(R0, 0), EXIT);
	static struct program called;

	(void)unused;
	inlined.nr_subs = 2;
	inlined.subs[1] = 7;
	expect_fault(&inlined, "budget", 7);
	called = inlined;
	called.insns[4] = (struct bpf_insn)MOV_X(R4, R3); /* a zero still, but the JIT knows that */
	called.insns[3] = (struct bpf_insn)RAW(0x54, R3, 0, 0, 0); /* this it does not */
	expect_fault(&called, "budget", 7);
}

/* A callback that loops over itself. */
static void deep_callbacks_end(void **unused)
{
	static struct program deep = PROGRAM(
		MOV_K(R0, 0), LD64_RAW(R2, BPF_PSEUDO_FUNC, 8, 0), MOV_K(R1, 1), MOV_K(R3, 0),
		MOV_K(R4, 0), CALL(BPF_FUNC_loop), EXIT, MOV_K(R1, 1),
		LD64_RAW(R2, BPF_PSEUDO_FUNC, 8, 0), MOV_K(R3, 0), MOV_K(R4, 0),
		CALL(BPF_FUNC_loop), EXIT);

	(void)unused;
	deep.nr_subs = 2;
	deep.subs[1] = 8;
	expect_fault(&deep, "too deep", 13);
}

/* Jumps of every length around the short form's limits. */
static void jumps_of_any_length(void **unused)
{
	static struct program p;
	struct vm_fault fault;
	u64 result;

	(void)unused;
	for (u32 distance = 0; distance < 80; distance++) {
		p.count = 0;
		p.nr_subs = 1;
		ADD_INSNS(&p, MOV_K(R0, 1), MOV_K(R1, 3), J_K(JEQ, R0, 2, (s16)distance));
		for (u32 i = 0; i < distance; i++)
			ADD_INSNS(&p, ALU64_K(ADD, R0, 1));
		ADD_INSNS(&p, ALU64_K(SUB, R1, 1), J_K(JNE, R1, 0, (s16)(-3 - (s32)distance)), EXIT);
		assert_int_equal(run_in("jit", &p, &fault, &result), 0);
		assert_int_equal(run_in("both", &p, &fault, &result), 0);
	}
}

/* Each becomes short only when the next one is: as many passes as jumps, were there no end to it. */
static void chains_of_jumps(void **unused)
{
	static struct program p;
	struct vm_fault fault;
	u64 result;

	(void)unused;
	p.count = 0;
	p.nr_subs = 1;
	ADD_INSNS(&p, MOV_K(R0, 0));
	for (u32 jump = 0; jump < 100; jump++) {
		ADD_INSNS(&p, J_K(JEQ, R0, 1, 31));
		for (u32 i = 0; i < 15; i++)
			ADD_INSNS(&p, ALU64_K(ADD, R0, 2));
	}
	for (u32 i = 0; i < 32; i++)
		ADD_INSNS(&p, ALU64_K(ADD, R0, 2));
	ADD_INSNS(&p, EXIT);
	assert_int_equal(run_in("jit", &p, &fault, &result), 0);
	assert_int_equal(result, 2 * (15 * 100 + 32));
}

static void expect_result(struct program *program, u64 expected)
{
	static const char *const engines[] = {"interp", "jit", "both"};
	struct vm_fault fault;
	u64 result;

	for (u32 i = 0; i < ARRAY_SIZE(engines); i++) {
		if (run_in(engines[i], program, &fault, &result))
			fail_msg("%s: %u: %s", engines[i], fault.insn, fault.text);
		assert_int_equal(result, expected);
	}
}

/* Which map R1 is may be known at a call only if it is so on every way there. */
static void maps_are_known_or_not(void **unused)
{
#define KEY_AND_MAP(map) ST_K(W, R10, -4, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -4), LD64(R1, map)
#define LOOK_AND_LEAVE                                                                             \
	CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 1), LD(DW, R0, R0, 0), EXIT
	struct program join = PROGRAM(KEY_AND_MAP(PTR_U64(&maps[2])), MOV_K(R3, 1),
				      J_K(JEQ, R3, 1, 2), LD64(R1, PTR_U64(&maps[0])), LOOK_AND_LEAVE);
	struct program loaded = PROGRAM(KEY_AND_MAP(PTR_U64(&maps[0])), LD64(R3, PTR_U64(&maps[2])),
					ST_X(DW, R10, -16, R3), LD(DW, R1, R10, -16), LOOK_AND_LEAVE);
	struct program added = PROGRAM(KEY_AND_MAP(PTR_U64(&maps[0])),
				       ALU64_K(ADD, R1, 2 * (s32)sizeof(maps[0])), LOOK_AND_LEAVE);
	struct program fetched = PROGRAM(KEY_AND_MAP(PTR_U64(&maps[2])), ST_X(DW, R10, -16, R1),
					 LD64(R1, PTR_U64(&maps[0])),
					 ATOMIC(DW, XCHG, R10, -16, R1), LOOK_AND_LEAVE);
	struct program returned = PROGRAM(KEY_AND_MAP(PTR_U64(&maps[0])), MOV_X(R0, R1), CALL_LOCAL(0),
					  MOV_X(R1, R0), MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
					  LOOK_AND_LEAVE, LD64(R0, PTR_U64(&maps[2])), EXIT);

	(void)unused;
	for (u32 i = 0; i < ARRAY_SIZE(maps); i++)
		memset(values[i], (int)(i + 1), sizeof(values[i]));
	expect_result(&join, 0x0303030303030303);
	join.insns[5].imm = 0;
	expect_result(&join, 0x0101010101010101);
	expect_result(&loaded, 0x0303030303030303);
	expect_result(&added, 0x0303030303030303);
	expect_result(&fetched, 0x0303030303030303);
	returned.nr_subs = 2;
	returned.subs[1] = returned.count - 3;
	returned.insns[6].imm = (s32)returned.subs[1] - 7;
	expect_result(&returned, 0x0303030303030303);
}

/* Elements at distances that are no powers of two, on a CPU that is not the first one. */
static void elements_of_odd_sizes(void **unused)
{
	struct program p = PROGRAM(ST_K(W, R10, -4, 3), MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
				   LD64(R1, PTR_U64(&maps[1])), LOOK_AND_LEAVE);
	cpu_set_t last, first;
	u64 expected = 0x1122334455667788;
	u32 cpu = CPUS;

	(void)unused;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	do {
		CPU_ZERO(&last);
		CPU_SET(--cpu, &last);
	} while (sched_setaffinity(0, sizeof(last), &last));
	maps[1].value_stride = 40;
	maps[1].cpu_stride = 424;
	memset(values[1], 0, sizeof(values[1]));
	memcpy(values[1][0] + cpu * 424 + 3 * 40, &expected, sizeof(expected));
	assert_true(vm_choose_engine("jit"));
	{
		struct vm_fault fault;
		u64 result;

		assert_int_equal(run_in("jit", &p, &fault, &result), 0);
		assert_int_equal(result, expected);
	}
	sched_setaffinity(0, sizeof(first), &first);
	make_maps();
}

/* Every register as base, with displacements of none, one and four bytes. */
static void addresses_of_every_form(void **unused)
{
	static const u32 bases[] = {R0, R1, R2, R3, R4, R5, R6, R7, R8, R9};
	static const s16 offsets[] = {0, 8, -8, 120, -128, 128, -136, 480, -480, 32000, -32000};
	static struct program p;
	u64 address = PTR_U64(&values[0][0][256]);

	(void)unused;
	for (u32 i = 0; i < ARRAY_SIZE(bases); i++)
		for (u32 j = 0; j < ARRAY_SIZE(offsets); j++) {
			u32 base = bases[i], other = base == R5 ? R4 : R5;

			p.count = 0;
			p.nr_subs = 1;
			ADD_INSNS(&p, MOV_K(other, (s32)(100 * i + j)),
				  LD64(base, address - (u64)(s64)offsets[j]),
				  ST_X(W, base, offsets[j], other), ST_K(B, base, offsets[j] + 4, 1),
				  LD(W, other, base, offsets[j]), MOV_X(R0, other), EXIT);
			expect_result(&p, 100 * i + j);
		}
	p.count = 0;
	ADD_INSNS(&p, ST_K(DW, R10, -200, 7), ST_K(DW, R10, -512, 9), LD(DW, R0, R10, -200), EXIT);
	expect_result(&p, 7);
}

/* The only way out is that the passes of may_goto are used up. */
static void may_goto_counts(void **unused)
{
	static struct program p = PROGRAM(MOV_K(R0, 0), MAY_GOTO(2), ALU64_K(ADD, R0, 1), JA(-3), EXIT);
	struct vm_fault fault;
	u64 result;

	(void)unused;
	budget = 1u << 28;
	assert_int_equal(run_in("jit", &p, &fault, &result), 0);
	assert_int_equal(result, MAY_GOTO_LIMIT);
	assert_int_equal(run_in("interp", &p, &fault, &result), 0);
	assert_int_equal(result, MAY_GOTO_LIMIT);
	budget = BUDGET;
}

/* Two threads, one value: what a lock prefix is for. */

#define ADDITIONS 3000000

static void *add_in_code(void *argument)
{
	struct program *p = argument;
	struct vm_fault fault;
	u64 result;

	return run_in("jit", p, &fault, &result) ? p : NULL;
}

static void atomics_are_atomic(void **unused)
{
	static const s32 operations[] = {ADD, ADD | FETCH, XOR | FETCH};
	u64 *value = (u64 *)(void *)values[0][0];
	cpu_set_t all, before;

	(void)unused;
	memset(&all, 0xff, sizeof(all));
	sched_getaffinity(0, sizeof(before), &before);
	sched_setaffinity(0, sizeof(all), &all);
	for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
		struct program p = PROGRAM(LD64(R0, PTR_U64(value)), MOV_K(R6, 0), MOV_K(R1, 1),
					   ATOMIC(DW, operations[i], R0, 0, R1), ALU64_K(ADD, R6, 1),
					   J_K(JNE, R6, ADDITIONS, -4), EXIT);
		pthread_t thread;
		void *failed;

		*value = 0;
		assert_int_equal(pthread_create(&thread, NULL, add_in_code, &p), 0);
		assert_null(add_in_code(&p));
		assert_int_equal(pthread_join(thread, &failed), 0);
		assert_null(failed);
		assert_int_equal(*value, operations[i] == (XOR | FETCH) ? 0 : 2 * ADDITIONS);
	}
	sched_setaffinity(0, sizeof(before), &before);
}

/* What a program may hold: one row of insn.def each, operands of any kind. */
static bool is_served(enum insn_id id)
{
	switch (id) {
	case INSN_NONE:
	case INSN_CALL_KERNEL:
	case INSN_LD_BTF_ID:
	/* Not in the runnable copy. */
	case INSN_LD_MAP_FD:
	case INSN_LD_MAP_VALUE:
	case INSN_LD_MAP_IDX:
	case INSN_LD_MAP_IDX_VALUE:
		return false;
	default:
		return true;
	}
}

/* insn_variant() the other way round. */
static struct bpf_insn example(u8 code, s32 variant, u8 fields)
{
	struct bpf_insn insn = RAW(code, fields & USES_DST ? R2 : 0, fields & USES_SRC ? R3 : 0, 0, 0);

	switch (BPF_CLASS(code)) {
	case BPF_ALU:
	case BPF_ALU64:
		if (BPF_OP(code) == BPF_END)
			insn.imm = variant;
		else
			insn.off = (s16)variant;
		break;
	case BPF_STX:
		insn.imm = variant;
		break;
	case BPF_JMP:
		if (BPF_OP(code) == BPF_CALL) {
			insn.src_reg = (u8)variant & 15;
			insn.imm = BPF_FUNC_ktime_get_ns;
		}
		break;
	case BPF_LD:
		if (code == CODE_LD_IMM64)
			insn.src_reg = (u8)variant & 15;
	}
	return insn;
}

static void every_instruction_is_translated(void **unused)
{
	static struct program p;
	u32 translated = 0;

	(void)unused;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bpf_insn insn = example(rows[i].code, rows[i].variant, rows[i].fields);
		struct prog prog;

		if (!is_served(rows[i].id))
			continue;
		assert_int_equal(insn_find(&insn), rows[i].id);
		p.count = 0;
		p.nr_subs = 1;
		ADD_INSNS(&p, insn, RAW(0, 0, 0, 0, 0));
		if (insn.code != CODE_LD_IMM64)
			p.insns[1] = (struct bpf_insn)MOV_K(R0, 0);
		ADD_INSNS(&p, EXIT, MOV_K(R0, 0), EXIT);
		if (rows[i].id == INSN_CALL_LOCAL) {
			p.insns[0].imm = 2;
			p.nr_subs = 2;
			p.subs[1] = 3;
		}
		prepare(&prog, &p);
		if (!jit_code_of(&prog))
			fail_msg("%s has no translation", insn_infos[rows[i].id].name);
		jit_code_free(prog.jit);
		translated++;
	}
	assert_true(translated > 150);
}

/* Behind a branch that is never taken there may be anything: what the kernel does not look at. */
static void unreached_code_may_be_anything(void **unused)
{
	static const struct bpf_insn odd[] = {
		CALL(9999), RAW(0x85, 0, 2, 0, 9999), MOV_K(R11, 0x41414141), MOV_X(R15, R12),
		RAW(0xb7, R1, R3, 5, 0), ATOMIC(W, 0x77, R1, 0, R2), RAW(0x57, R1, R7, 0, 0), JA(4000),
	};
	static struct program dead, live;
	struct vm_fault fault;
	u64 result;

	(void)unused;
	for (u32 i = 0; i < ARRAY_SIZE(odd); i++) {
		dead = (struct program)PROGRAM(MOV_K(R0, 7), J_K(JEQ, R0, 7, 1), JA(0), EXIT);
		dead.insns[2] = odd[i];
		live = dead;
		live.insns[0].imm = 8;
		assert_int_equal(run_in("jit", &dead, &fault, &result), 0);
		assert_int_equal(result, 7);
		assert_int_equal(run_in("jit", &live, &fault, &result), -EFAULT);
		assert_int_equal(fault.insn, 2);
	}
}

static void code_is_not_writable(void **unused)
{
	static struct program p = PROGRAM(MOV_K(R0, 7), EXIT);
	unsigned long start, end;
	char line[512], rights[5];
	bool found = false;
	struct prog prog;
	const struct jit_code *code;
	FILE *maps_file;

	(void)unused;
	prepare(&prog, &p);
	code = jit_code_of(&prog);
	assert_non_null(code);
	maps_file = fopen("/proc/self/maps", "r");
	assert_non_null(maps_file);
	while (fgets(line, sizeof(line), maps_file))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 &&
		    PTR_U64(code->base) >= start && PTR_U64(code->base) < end) {
			assert_string_equal(rights, "r-xp");
			found = true;
		}
	fclose(maps_file);
	assert_true(found);
	jit_code_free(prog.jit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_is_translated),
		cmocka_unit_test(unreached_code_may_be_anything),
		cmocka_unit_test(code_is_not_writable),
		cmocka_unit_test(jumps_of_any_length),
		cmocka_unit_test(chains_of_jumps),
		cmocka_unit_test(maps_are_known_or_not),
		cmocka_unit_test(elements_of_odd_sizes),
		cmocka_unit_test(addresses_of_every_form),
		cmocka_unit_test(may_goto_counts),
		cmocka_unit_test(atomics_are_atomic),
		cmocka_unit_test(endless_programs_end),
		cmocka_unit_test(loops_that_count),
		cmocka_unit_test(nested_loops_end),
		cmocka_unit_test(loops_left_backwards_end),
		cmocka_unit_test(call_trees_end),
		cmocka_unit_test(endless_callbacks_end),
		cmocka_unit_test(deep_callbacks_end),
		cmocka_unit_test(random_programs_agree),
	};
	cpu_set_t first;

	if (!jit_backend()) {
		printf("1..0 # SKIP there is no JIT for this machine\n");
		return 0;
	}
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	make_maps();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
