/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_method.c: functions of a table of the kernel, called through runners.
 */
#include "api/api_test.h"

#include <bpf/btf.h>

#define INSN(op, dst, src, offset, value)                                                          \
	((struct bpf_insn){                                                                        \
		.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value)})

static uint32_t table;

/* Adds the second argument to the first word of what the first points to, and returns it. */
static struct userbpf_prog *open_adder(void)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 2, 1, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 0, 2, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 3, 1, 8, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, 0, 3, 0, 0),
		INSN(BPF_STX | BPF_MEM | BPF_W, 2, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union test_attr attr = {.a = {.prog_type = BPF_PROG_TYPE_STRUCT_OPS,
				      .insns = ptr64(insns),
				      .insn_cnt = 6,
				      .license = ptr64("GPL"),
				      .attach_btf_id = table,
				      .expected_attach_type = 1}};
	int fd = (int)bpf_sys(BPF_PROG_LOAD, &attr, sizeof(attr.a));
	struct userbpf_prog *prog;

	assert_true(fd >= 0);
	/* Also those that are trusted run with checks. */
	assert_int_equal(userbpf_prog_open(fd, USERBPF_TRUST, &prog), 0);
	close(fd);
	return prog;
}

static void test_runner(void **state)
{
	struct userbpf_prog *prog = open_adder();
	struct userbpf_runner *runner;
	uint32_t word = 1;
	uint64_t args[5] = {ptr64(&word), 2}, bad[5] = {8, 2}, none[5] = {0};
	struct userbpf_run runs[] = {
		{.ctx = args, .ctx_size = sizeof(args)}, {.ctx = bad, .ctx_size = sizeof(bad)},
		{.ctx = none, .ctx_size = sizeof(none)}, {.ctx = args, .ctx_size = 8},
		{.ctx = args, .ctx_size = sizeof(args)},
	};
	const int errors[] = {0, -EFAULT, -EINVAL, -EINVAL, 0};

	(void)state;
	assert_int_equal(userbpf_runner_open(prog, &runner), 0);
	assert_int_equal(userbpf_runner_run(runner, runs, 5), -EFAULT);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(runs[i].error, errors[i]);
	assert_int_equal(runs[0].retval, 3);
	assert_int_equal(runs[4].retval, 5);
	assert_int_equal(word, 5);
	assert_int_equal(args[0], ptr64(&word));
	userbpf_runner_close(runner);
	userbpf_prog_close(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_runner)};
	struct btf *kernel = btf__load_vmlinux_btf();
	int id = kernel ? btf__find_by_name_kind(kernel, "bpf_dummy_ops", BTF_KIND_STRUCT) : -1;

	btf__free(kernel);
	if (id < 0) {
		printf("1..0 # SKIP this kernel has no such table\n");
		return 0;
	}
	table = (uint32_t)id;
	return run_in_directory(tests);
}
