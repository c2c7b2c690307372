/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_sys_bpf.c: a checked program that calls bpf(2) gets no log written to memory that is not its
 * own; a trusted one does.
 */
#include "unit/map_test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "cmd/bpf.h"
#include "vm/asm.h"
#include "vm/jit.h"

#define ATTR_BYTES 72
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char log_text[4096]; /* the application's */

static long call(int cmd, union bpf_attr *attr)
{
	return bpf_call(cmd, PTR_U64(attr), sizeof(*attr));
}

/* Loads a program that cannot be loaded; the attribute is the context. */
static int make_loader(bool trusted)
{
	struct bpf_insn insns[64] = {MOV_X(R6, R1)};
	const struct bpf_insn rest[] = {
		MOV_K(R1, BPF_PROG_LOAD), MOV_X(R2, R10), ALU64_K(ADD, R2, -ATTR_BYTES),
		MOV_K(R3, ATTR_BYTES), CALL(BPF_FUNC_sys_bpf), ST_X(DW, R6, 0, R0), MOV_K(R0, 0),
		EXIT};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SYSCALL,
			       .prog_flags = BPF_F_SLEEPABLE,
			       .insns = PTR_U64(insns),
			       .license = PTR_U64("GPL")};
	u32 count = 1;

	for (s16 at = 0; at < ATTR_BYTES; at += 8) {
		insns[count++] = (struct bpf_insn)LD(DW, R1, R6, at);
		insns[count++] = (struct bpf_insn)ST_X(DW, R10, at - ATTR_BYTES, R1);
	}
	memcpy(insns + count, rest, sizeof(rest));
	attr.insn_cnt = count + (u32)COUNT(rest);
	vm_trust_loaded(trusted);
	return (int)call(BPF_PROG_LOAD, &attr);
}

static void check_log(bool trusted, bool expected)
{
	const struct bpf_insn wrong[] = {EXIT};
	union bpf_attr context = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				  .insn_cnt = 1,
				  .insns = PTR_U64(wrong),
				  .license = PTR_U64("GPL"),
				  .log_level = 1,
				  .log_buf = PTR_U64(log_text),
				  .log_size = sizeof(log_text)};
	const int loader = make_loader(trusted);
	union bpf_attr attr = {.test = {.prog_fd = (u32)loader,
					.ctx_in = PTR_U64(&context),
					.ctx_size_in = ATTR_BYTES}};
	s64 result;

	assert_true(loader >= 0);
	memset(log_text, 0, sizeof(log_text));
	assert_int_equal(call(BPF_PROG_TEST_RUN, &attr), 0);
	memcpy(&result, &context, sizeof(result));
	assert_int_equal(result, -EACCES);
	assert_int_equal(log_text[0] != 0, expected);
	close(loader);
}

static void test_log(void **state)
{
	check_log(false, false);
	if (jit_backend())
		check_log(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
