/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_absent.c: what the tables say is not served: every such helper in programs of every type,
 * every such program type and command answers as a kernel without it does, and a reason is known.
 */
#include "unit/map_test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/uapi.h"
#include "cmd/bpf.h"
#include "vm/asm.h"
#include "vm/prog_type.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	int number;
	const char *reason;
} helpers[] = {
#define HELPER(...)
#define HELPER_ABSENT(name, number, groups, flags, reason) {#name, number, reason},
#include "vm/helpers.def"
};

#define NO_FD (-1)

static const struct {
	const char *name;
	int cmd, fd_at, error;
	const char *reason;
} commands[] = {
#define CMD(...)
#define CMD_MAP(...)
#define CMD_ABSENT(number, name, last_used, fd, error, reason) {#name, number, fd, error, reason},
#include "cmd/commands.def"
};

static long call(int cmd, union bpf_attr *attr)
{
	return bpf_call(cmd, PTR_U64(attr), sizeof(*attr));
}

/* PROG_LOAD of a program that calls the helper, with what its type asks for. */
static long load_call(const struct prog_type *type, int helper, char *log, unsigned room)
{
	const struct bpf_insn insns[] = {CALL(helper), MOV_K(R0, 0), EXIT};
	union bpf_attr attr = {
		.prog_type = type->type,
		.expected_attach_type = type->attach_types ? __builtin_ctzll(type->attach_types) : 0,
		.prog_flags = type->must_sleep ? BPF_F_SLEEPABLE : 0,
		.insns = PTR_U64(insns),
		.insn_cnt = COUNT(insns),
		.license = PTR_U64("GPL"),
		.log_level = 1,
		.log_buf = PTR_U64(log),
		.log_size = room};

	*log = '\0';
	return call(BPF_PROG_LOAD, &attr);
}

static void helpers_are_unknown(void **state)
{
	const struct prog_type *type;
	char log[512], expected[128];

	(void)state;
	for (size_t i = 0; i < COUNT(helpers); i++) {
		assert_true(*helpers[i].reason);
		if (!helpers[i].number)
			continue; /* the word for no helper */
		snprintf(expected, sizeof(expected), "unknown func bpf_%s#%d\n", helpers[i].name,
			 helpers[i].number);
		for (u32 t = 1; (type = prog_type_of(t)); t++) {
			if (type->needs_btf_id || type->is_method)
				continue;
			assert_int_equal(load_call(type, helpers[i].number, log, sizeof(log)),
					 -EINVAL);
			if (!strstr(log, expected))
				fail_msg("%s in %s: %s", helpers[i].name, type->name, log);
		}
	}
}

static void program_types_are_refused(void **state)
{
	const struct bpf_insn insns[] = {MOV_K(R0, 0), EXIT};
	const struct prog_type *type;
	int refused = 0;

	(void)state;
	for (u32 t = 1; (type = prog_type_of(t)); t++)
		for (u32 id = 0; type->needs_btf_id && id <= 4; id++, refused++) {
			union bpf_attr attr = {.prog_type = t,
					       .attach_btf_id = id,
					       .insns = PTR_U64(insns),
					       .insn_cnt = COUNT(insns),
					       .license = PTR_U64("GPL")};

			assert_int_equal(call(BPF_PROG_LOAD, &attr), -EINVAL);
		}
	assert_true(refused);
}

/* With a program where they name one. */
static void commands_are_refused(void **state)
{
	const struct bpf_insn insns[] = {MOV_K(R0, 0), EXIT};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insns = PTR_U64(insns),
			       .insn_cnt = COUNT(insns),
			       .license = PTR_U64("GPL")};
	const int prog = (int)call(BPF_PROG_LOAD, &load);

	(void)state;
	assert_true(prog >= 0);
	for (size_t i = 0; i < COUNT(commands); i++) {
		union bpf_attr attr = {0};
		const int at = commands[i].fd_at;

		assert_true(*commands[i].reason);
		if (at != NO_FD) {
			memset((char *)&attr + at, 0xff, sizeof(int));
			assert_int_equal(call(commands[i].cmd, &attr), -EBADF);
			memcpy((char *)&attr + at, &(int){STDOUT_FILENO}, sizeof(int));
			assert_int_equal(call(commands[i].cmd, &attr), -EINVAL);
			memcpy((char *)&attr + at, &prog, sizeof(int));
		}
		assert_int_equal(call(commands[i].cmd, &attr), -commands[i].error);
		memset((char *)&attr + sizeof(attr) - 8, 1, 8); /* no field of theirs */
		assert_int_equal(call(commands[i].cmd, &attr), -EINVAL);
	}
	close(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helpers_are_unknown),
		cmocka_unit_test(program_types_are_refused),
		cmocka_unit_test(commands_are_refused),
	};
	const char *directory = make_realm_directory();

	return directory ? run_in_realm(directory, tests) : 1;
}
