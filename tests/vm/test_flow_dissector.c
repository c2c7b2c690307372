/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_flow_dissector.c: test runs of flow dissectors: what the program is given, and what becomes
 * of the keys that it leaves.
 */
#include "run.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS sizeof(struct bpf_flow_keys)
#define KEY(field) offsetof(struct bpf_flow_keys, field)
#define LOAD_KEYS(reg) LD(DW, reg, R1, offsetof(struct __sk_buff, flow_keys))
#define LOAD(...)                                                                                  \
	load((const struct bpf_insn[]){__VA_ARGS__},                                               \
	     COUNT(((const struct bpf_insn[]){__VA_ARGS__})))

struct outcome {
	struct bpf_flow_keys keys, context;
	unsigned retval, size, context_size;
	long err;
};

static int load(const struct bpf_insn *insns, unsigned count)
{
	int fd = prog_load(BPF_PROG_TYPE_FLOW_DISSECTOR, 0, insns, count);

	assert_true(fd >= 0);
	return fd;
}

static struct outcome run_with(int program, union test_attr *t, unsigned len,
			       const void *context, unsigned context_size)
{
	struct outcome o;
	uint8_t packet[PACKET_MAX];

	memset(&o, 0xaa, sizeof(o));
	fill_packet(packet);
	t->a.test.prog_fd = (uint32_t)program;
	t->a.test.data_in = ptr64(packet);
	t->a.test.data_size_in = len;
	t->a.test.data_out = ptr64(&o.keys);
	if (context) {
		t->a.test.ctx_in = ptr64(context);
		t->a.test.ctx_size_in = context_size;
		t->a.test.ctx_out = ptr64(&o.context);
		t->a.test.ctx_size_out = sizeof(o.context);
	}
	o.err = bpf_sys(BPF_PROG_TEST_RUN, t, sizeof(union bpf_attr));
	o.retval = t->a.test.retval;
	o.size = t->a.test.data_size_out;
	o.context_size = t->a.test.ctx_size_out;
	return o;
}

static struct outcome run_plain(int program, unsigned len)
{
	return run_with(program, &(union test_attr){.a.test.data_size_out = KEYS}, len, NULL, 0);
}

static void fresh_keys(void **state)
{
	int program = LOAD(MOV_K(R0, 5), EXIT);
	const struct bpf_flow_keys expected = {.nhoff = 14, .thoff = 14, .n_proto = 0x0008};
	struct outcome o = run_plain(program, PACKET_LEN);

	assert_int_equal(o.err, 0);
	assert_int_equal(o.retval, 5);
	assert_int_equal(o.size, KEYS);
	assert_memory_equal(&o.keys, &expected, KEYS);
	close(program);
}

static void sizes(void **state)
{
	int program = LOAD(MOV_K(R0, 5), EXIT);
	static const struct {
		unsigned len;
		long err;
	} cases[] = {{0, -EINVAL}, {13, -EINVAL}, {14, 0}, {4096, 0}, {4097, -EINVAL}};
	union test_attr t = {.a.test.data_size_out = 8}, flags = {.a.test.flags = 1};

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(run_plain(program, cases[i].len).err, cases[i].err);
	assert_int_equal(run_with(program, &t, PACKET_LEN, NULL, 0).err, -ENOSPC);
	assert_int_equal(t.a.test.data_size_out, KEYS);
	assert_int_equal(run_with(program, &flags, PACKET_LEN, NULL, 0).err, -EINVAL);
	close(program);
}

/* Of the context only the flags may be given; they come back with nothing else. */
static void flags(void **state)
{
	int program = LOAD(LOAD_KEYS(R2), LD(W, R0, R2, KEY(flags)), EXIT);
	union test_attr t = {.a.test.data_size_out = KEYS};
	struct bpf_flow_keys given = {.flags = 7};
	struct outcome o = run_with(program, &t, PACKET_LEN, &given, sizeof(given));

	assert_int_equal(o.err, 0);
	assert_int_equal(o.retval, 7);
	assert_int_equal(o.keys.flags, 7);
	assert_int_equal(o.context_size, KEYS);
	assert_memory_equal(&o.context, &given, KEYS);
	for (unsigned at = 0; at < KEYS; at += 4) {
		uint8_t bytes[KEYS] = {0};

		bytes[at] = 1;
		t = (union test_attr){.a.test.data_size_out = KEYS};
		assert_int_equal(run_with(program, &t, PACKET_LEN, bytes, KEYS).err,
				 at == KEY(flags) ? 0 : -EINVAL);
	}
	close(program);
}

/* Offsets are put into the packet, and into their order. */
static void offsets(void **state)
{
	static const struct {
		int nhoff, thoff;
		unsigned nhoff_out, thoff_out;
	} cases[] = {{3, 1000, 14, PACKET_LEN}, {20, 10, 20, 20}, {18, 38, 18, 38},
		     {1000, 5, PACKET_LEN, PACKET_LEN}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int program = LOAD(LOAD_KEYS(R2), ST_K(H, R2, KEY(nhoff), cases[i].nhoff),
				   ST_K(H, R2, KEY(thoff), cases[i].thoff),
				   ST_K(H, R2, KEY(sport), 0x1234), MOV_K(R0, 0), EXIT);
		struct outcome o = run_plain(program, PACKET_LEN);

		assert_int_equal(o.err, 0);
		assert_int_equal(o.keys.nhoff, cases[i].nhoff_out);
		assert_int_equal(o.keys.thoff, cases[i].thoff_out);
		assert_int_equal(o.keys.sport, 0x1234);
		close(program);
	}
}

static void reads_the_packet(void **state)
{
	int program = LOAD(LD(W, R2, R1, offsetof(struct __sk_buff, data)),
			   LD(W, R3, R1, offsetof(struct __sk_buff, data_end)), MOV_X(R4, R2),
			   ALU64_K(ADD, R4, 38), J_X(JLE, R4, R3, 2), MOV_K(R0, 99), EXIT,
			   LD(H, R0, R2, 36), EXIT);
	int loads = LOAD(MOV_K(R2, 36), MOV_X(R3, R10), ALU64_K(ADD, R3, -8), MOV_K(R4, 2),
			 CALL(BPF_FUNC_skb_load_bytes), EXIT);

	assert_int_equal(run_plain(program, PACKET_LEN).retval, 80 << 8);
	assert_int_equal(run_plain(program, 20).retval, 99);
	assert_int_equal(run_plain(loads, PACKET_LEN).retval, (uint32_t)-EFAULT);
	close(program);
	close(loads);
}

/* Repeated runs begin with fresh keys. */
static void repeated(void **state)
{
	int program = LOAD(LOAD_KEYS(R2), LD(H, R0, R2, KEY(sport)), ALU64_K(ADD, R0, 1),
			   ST_X(H, R2, KEY(sport), R0), EXIT);
	union test_attr t = {.a.test = {.repeat = 5, .data_size_out = KEYS}};
	struct outcome o = run_with(program, &t, PACKET_LEN, NULL, 0);

	assert_int_equal(o.err, 0);
	assert_int_equal(o.retval, 1);
	assert_int_equal(o.keys.sport, 1);
	close(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_keys),
		cmocka_unit_test(sizes),
		cmocka_unit_test(flags),
		cmocka_unit_test(offsets),
		cmocka_unit_test(reads_the_packet),
		cmocka_unit_test(repeated),
	};

	require_bpf();
	return run_tests(tests);
}
