// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * test_jited.c: what OBJ_GET_INFO_BY_FD shows of a program's machine code. For the kernel, where its
 * JIT is on, and for `userbpf run --engine jit`.
 */
#include "run.h"

#define SUBPROGS 2

static const struct bpf_insn two_functions[] = {
	MOV_K(R1, 20), CALL_LOCAL(1), EXIT, MOV_X(R0, R1), ALU64_K(ADD, R0, 22), EXIT,
};

static int program;

static void get_info(struct bpf_prog_info *info)
{
	union test_attr t = {.a.info = {.bpf_fd = (uint32_t)program,
					.info = ptr64(info),
					.info_len = sizeof(*info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
}

static void lengths_add_up(void **state)
{
	uint32_t lengths[SUBPROGS + 1] = {0};
	struct bpf_prog_info info = {.nr_jited_func_lens = SUBPROGS + 1,
				     .jited_func_lens = ptr64(lengths)};

	get_info(&info);
	assert_int_equal(info.nr_jited_func_lens, SUBPROGS);
	assert_true(lengths[0] > 0 && lengths[1] > 0 && lengths[2] == 0);
	assert_int_equal(lengths[0] + lengths[1], info.jited_prog_len);
}

static void addresses_are_in_order(void **state)
{
	uint64_t addresses[SUBPROGS] = {0};
	struct bpf_prog_info info = {.nr_jited_ksyms = SUBPROGS, .jited_ksyms = ptr64(addresses)};

	get_info(&info);
	assert_int_equal(info.nr_jited_ksyms, SUBPROGS);
	assert_true(addresses[0] && addresses[1] && addresses[0] != addresses[1]);
}

static void code_is_copied(void **state)
{
	uint8_t whole[4096] = {0}, part[4] = {0};
	struct bpf_prog_info info = {.jited_prog_len = sizeof(whole),
				     .jited_prog_insns = ptr64(whole)};
	uint32_t len;

	get_info(&info);
	len = info.jited_prog_len;
	assert_in_range(len, 8, sizeof(whole));
	info = (struct bpf_prog_info){.jited_prog_len = 3, .jited_prog_insns = ptr64(part)};
	get_info(&info);
	assert_int_equal(info.jited_prog_len, len);
	assert_memory_equal(whole, part, 3);
	assert_int_equal(part[3], 0);
}

static void it_runs(void **state)
{
	uint8_t packet[PACKET_MAX];
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)program,
					.data_in = ptr64(packet),
					.data_size_in = PACKET_LEN}};

	fill_packet(packet);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(t.a.test.retval, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_add_up),
		cmocka_unit_test(addresses_are_in_order),
		cmocka_unit_test(code_is_copied),
		cmocka_unit_test(it_runs),
	};
	struct bpf_prog_info info = {0};

	require_bpf();
	program = prog_load(BPF_PROG_TYPE_SOCKET_FILTER, 0, two_functions, 6);
	if (program < 0)
		return 1;
	get_info(&info);
	if (!info.jited_prog_len) {
		printf("1..0 # SKIP programs are interpreted here\n");
		return 0;
	}
	return run_tests(tests);
}
