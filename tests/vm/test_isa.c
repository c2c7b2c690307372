// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * test_isa.c: what every instruction does and which are refused, asked through PROG_LOAD and
 * PROG_TEST_RUN; the kernel passes the same table.
 *
 * A case runs as a subprogram of a socket filter, which hands it memory inside an array map and
 * stores its 64-bit result in the same map. The sweeps run every operation and condition on all
 * pairs of edge operands and compare with this file's own arithmetic.
 */
#include "../bpf_test.h"
#include "asm.h"

#include <stdbool.h>

#define MAX_INSNS 40
#define MEMORY_BYTES 64
#define SHOWN_BYTES 16

enum kind { SUBPROGRAM, WHOLE_FILTER };

struct isa_case {
	const char *name;
	enum kind kind;
	uint64_t result;
	int refused;     /* errno of PROG_LOAD */
	const char *log; /* what the log then says */
	bool compare;    /* the memory afterwards with output, else with input */
	char input[SHOWN_BYTES], output[SHOWN_BYTES];
	struct bpf_insn insns[MAX_INSNS];
	unsigned count;
};

#define BODY(...)                                                                                  \
	.insns = {__VA_ARGS__},                                                                    \
	.count = sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)
#define CASE(name_, result_, ...) {.name = name_, .result = result_, BODY(__VA_ARGS__)},
#define INPUT(name_, input_, result_, ...)                                                         \
	{.name = name_, .result = result_, .input = input_, BODY(__VA_ARGS__)},
#define MEMORY(name_, input_, output_, result_, ...)                                               \
	{.name = name_, .result = result_, .input = input_, .output = output_, .compare = true,    \
	 BODY(__VA_ARGS__)},
#define REFUSED(name_, errno_, log_, ...)                                                          \
	{.name = name_, .refused = errno_, .log = log_, BODY(__VA_ARGS__)},
#define PACKET(name_, result_, ...)                                                                \
	{.name = name_, .kind = WHOLE_FILTER, .result = result_, BODY(__VA_ARGS__)},
#define PACKET_REFUSED(name_, errno_, log_, ...)                                                   \
	{.name = name_, .kind = WHOLE_FILTER, .refused = errno_, .log = log_, BODY(__VA_ARGS__)},

static struct isa_case cases[] = {
#include "isa_cases.h"
};

/* The value of the map. */
struct exchange {
	uint64_t result;
	uint8_t memory[MEMORY_BYTES];
};

static int exchange_fd;
static char verifier_log[65536];

static int load(const struct bpf_insn *insns, unsigned count)
{
	union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				   .insns = ptr64(insns),
				   .insn_cnt = count,
				   .license = ptr64("GPL"),
				   .log_level = 1,
				   .log_size = sizeof(verifier_log),
				   .log_buf = ptr64(verifier_log)}};

	verifier_log[0] = 0;
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

/* The body as a subprogram behind the code that serves it. */
static int load_body(const struct bpf_insn *body, unsigned count)
{
	const struct bpf_insn serve[] = {
		LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, exchange_fd, offsetof(struct exchange, memory)),
		MOV_K(R2, MEMORY_BYTES),
		CALL_LOCAL(5),
		LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, exchange_fd, 0),
		ST_X(DW, R1, 0, R0),
		MOV_K(R0, 0),
		EXIT,
	};
	struct bpf_insn insns[sizeof(serve) / sizeof(serve[0]) + MAX_INSNS];

	memcpy(insns, serve, sizeof(serve));
	memcpy((char *)insns + sizeof(serve), body, count * sizeof(*body));
	return load(insns, sizeof(serve) / sizeof(serve[0]) + count);
}

/* Runs on a packet of a link layer header e0 e1 ... and 64 bytes 00 01 ...; returns R0. */
static uint32_t run(int prog)
{
	uint8_t packet[14 + MEMORY_BYTES];
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.data_in = ptr64(packet),
					.data_size_in = sizeof(packet)}};

	for (unsigned i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i < 14 ? 0xe0 + i : i - 14);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	return t.a.test.retval;
}

static void run_case(void **state)
{
	const struct isa_case *c = *state;
	struct exchange exchange = {0};
	uint32_t key = 0, retval;
	int prog = c->kind == SUBPROGRAM ? load_body(c->insns, c->count)
					 : load(c->insns, c->count);

	if (c->refused) {
		assert_int_equal(prog, -c->refused);
		if (!strstr(verifier_log, c->log))
			fail_msg("log lacks \"%s\": %s", c->log, verifier_log);
		return;
	}
	if (prog < 0)
		fail_msg("refused with %d: %s", prog, verifier_log);
	memcpy(exchange.memory, c->input, SHOWN_BYTES);
	assert_int_equal(map_update(exchange_fd, &key, &exchange, 0), 0);
	retval = run(prog);
	close(prog);
	if (c->kind == WHOLE_FILTER) {
		assert_int_equal(retval, c->result);
		return;
	}
	assert_int_equal(retval, 0);
	assert_int_equal(map_lookup(exchange_fd, &key, &exchange), 0);
	assert_int_equal(exchange.result, c->result);
	assert_memory_equal(exchange.memory, c->compare ? c->output : c->input, SHOWN_BYTES);
}

/* Sweeps */

static const uint64_t edges[] = {
	0, 1, 2, 7, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff,
	0x100000000, 0x180000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000,
	0xfffffffffffffff9, 0xfffffffffffffffe, 0xffffffffffffffff, 0x123456789abcdef0,
};

static uint64_t divide(bool modulo, bool is_signed, unsigned bits, uint64_t a, uint64_t b)
{
	bool negative_a = is_signed && a >> (bits - 1) & 1;
	bool negative_b = is_signed && b >> (bits - 1) & 1;
	uint64_t quotient, rest;

	if (!b)
		return modulo ? a : 0;
	if (bits == 32) {
		a = (uint32_t)(negative_a ? -a : a);
		b = (uint32_t)(negative_b ? -b : b);
	} else {
		a = negative_a ? -a : a;
		b = negative_b ? -b : b;
	}
	quotient = a / b;
	rest = a - quotient * b;
	if (modulo)
		return negative_a ? -rest : rest;
	return negative_a != negative_b ? -quotient : quotient;
}

static uint64_t arithmetic(unsigned op, bool is_signed, unsigned bits, uint64_t a, uint64_t b)
{
	unsigned count = b & (bits - 1);

	switch (op) {
	case ADD:
		return a + b;
	case SUB:
		return a - b;
	case MUL:
		return a * b;
	case DIV:
	case MOD:
		return divide(op == MOD, is_signed, bits, a, b);
	case OR:
		return a | b;
	case AND:
		return a & b;
	case XOR:
		return a ^ b;
	case MOV:
		return b;
	case LSH:
		return a << count;
	case RSH:
		return a >> count;
	case ARSH:
		return a >> count | (a >> (bits - 1) & 1 && count ? -1ull << (bits - count) : 0);
	}
	fail_msg("no such operation");
	return 0;
}

static bool condition(unsigned op, unsigned bits, uint64_t a, uint64_t b)
{
	uint64_t sign = 1ull << (bits - 1), sa = a ^ sign, sb = b ^ sign;

	switch (op) {
	case JEQ:
		return a == b;
	case JNE:
		return a != b;
	case JSET:
		return a & b;
	case JGT:
		return a > b;
	case JGE:
		return a >= b;
	case JLT:
		return a < b;
	case JLE:
		return a <= b;
	case JSGT:
		return sa > sb;
	case JSGE:
		return sa >= sb;
	case JSLT:
		return sa < sb;
	case JSLE:
		return sa <= sb;
	}
	fail_msg("no such condition");
	return false;
}

struct sweep {
	unsigned op;
	bool jump, is_signed;
};

static const struct sweep sweeps[] = {
	{ADD, 0, 0}, {SUB, 0, 0}, {MUL, 0, 0}, {DIV, 0, 0}, {DIV, 0, 1}, {MOD, 0, 0},
	{MOD, 0, 1}, {OR, 0, 0}, {AND, 0, 0}, {XOR, 0, 0}, {MOV, 0, 0}, {LSH, 0, 0},
	{RSH, 0, 0}, {ARSH, 0, 0}, {JEQ, 1, 0}, {JNE, 1, 0}, {JSET, 1, 0}, {JGT, 1, 0},
	{JGE, 1, 0}, {JLT, 1, 0}, {JLE, 1, 0}, {JSGT, 1, 0}, {JSGE, 1, 0}, {JSLT, 1, 0},
	{JSLE, 1, 0},
};

static uint64_t expected(const struct sweep *s, unsigned bits, uint64_t a, uint64_t b)
{
	uint64_t result;

	if (bits == 32) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	if (s->jump)
		return condition(s->op, bits, a, b);
	result = arithmetic(s->op, s->is_signed, bits, a, b);
	return bits == 32 ? (uint32_t)result : result;
}

/* R0 = memory[0] op operand, or whether the jump is taken; the operand is imm or memory[1]. */
static int load_sweep(const struct sweep *s, unsigned bits, const int32_t *imm)
{
	uint8_t code = (uint8_t)(s->op | (imm ? 0x00 : 0x08) |
				 (s->jump ? (bits == 64 ? 0x05 : 0x06) : (bits == 64 ? 0x07 : 0x04)));
	const struct bpf_insn arithmetic_body[] = {
		LD(DW, R0, R1, 0),
		LD(DW, R3, R1, 8),
		RAW(code, R0, imm ? 0 : R3, s->is_signed, imm ? *imm : 0),
		EXIT,
	};
	const struct bpf_insn jump_body[] = {
		LD(DW, R4, R1, 0),
		LD(DW, R3, R1, 8),
		MOV_K(R0, 1),
		RAW(code, R4, imm ? 0 : R3, 1, imm ? *imm : 0),
		MOV_K(R0, 0),
		EXIT,
	};

	return s->jump ? load_body(jump_body, 6) : load_body(arithmetic_body, 4);
}

static void sweep_values(const struct sweep *s, unsigned bits, int prog, uint64_t a, uint64_t b)
{
	struct exchange exchange = {0};
	uint32_t key = 0;

	memcpy(exchange.memory, &a, 8);
	memcpy(exchange.memory + 8, &b, 8);
	assert_int_equal(map_update(exchange_fd, &key, &exchange, 0), 0);
	assert_int_equal(run(prog), 0);
	assert_int_equal(map_lookup(exchange_fd, &key, &exchange), 0);
	if (exchange.result != expected(s, bits, a, b))
		fail_msg("%s op %02x%s, %u bits, %llx %llx: %llx instead of %llx",
			 s->jump ? "jump" : "alu", s->op, s->is_signed ? " signed" : "", bits,
			 (unsigned long long)a, (unsigned long long)b,
			 (unsigned long long)exchange.result,
			 (unsigned long long)expected(s, bits, a, b));
}

static bool constant_allowed(const struct sweep *s, unsigned bits, int32_t imm)
{
	if (s->jump)
		return true;
	switch (s->op) {
	case DIV:
	case MOD:
		return imm != 0;
	case LSH:
	case RSH:
	case ARSH:
		return (uint32_t)imm < bits;
	}
	return true;
}

#define NR_EDGES (sizeof(edges) / sizeof(edges[0]))

static void sweep_registers(const struct sweep *s, unsigned bits)
{
	int prog = load_sweep(s, bits, NULL);

	assert_true(prog >= 0);
	for (unsigned i = 0; i < NR_EDGES; i++)
		for (unsigned j = 0; j < NR_EDGES; j++)
			sweep_values(s, bits, prog, edges[i], edges[j]);
	close(prog);
}

static void sweep_constants(const struct sweep *s, unsigned bits)
{
	for (unsigned j = 0; j < NR_EDGES; j++) {
		int32_t imm = (int32_t)edges[j];
		int prog = load_sweep(s, bits, &imm);

		if (!constant_allowed(s, bits, imm)) {
			assert_int_equal(prog, -EINVAL);
			continue;
		}
		assert_true(prog >= 0);
		for (unsigned i = 0; i < NR_EDGES; i += 2)
			sweep_values(s, bits, prog, edges[i], (uint64_t)(int64_t)imm);
		close(prog);
	}
}

static void run_sweep(void **state)
{
	const struct sweep *s = *state;

	sweep_registers(s, 64);
	sweep_registers(s, 32);
	sweep_constants(s, 64);
	sweep_constants(s, 32);
}

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))
#define NR_SWEEPS (sizeof(sweeps) / sizeof(sweeps[0]))

int main(void)
{
	static struct CMUnitTest tests[NR_CASES + NR_SWEEPS];
	static char names[NR_SWEEPS][40];

	require_bpf();
	exchange_fd = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct exchange), 1, 0);
	for (unsigned i = 0; i < NR_CASES; i++)
		tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, &cases[i]};
	for (unsigned i = 0; i < NR_SWEEPS; i++) {
		snprintf(names[i], sizeof(names[i]), "sweep of %s %02x%s",
			 sweeps[i].jump ? "jump" : "alu", sweeps[i].op,
			 sweeps[i].is_signed ? " signed" : "");
		tests[NR_CASES + i] = (struct CMUnitTest){names[i], run_sweep, NULL, NULL,
							  (void *)&sweeps[i]};
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("isa", tests, NR_CASES + NR_SWEEPS, NULL, NULL);
}
