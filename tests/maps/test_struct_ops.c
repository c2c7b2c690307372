/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_struct_ops.c: programs that are functions of a table of the kernel, their test runs, and
 * STRUCT_OPS maps up to what would register a table: the kernel's tables are not changed here.
 */
#include <stdbool.h>

#include <bpf/btf.h>

#include "../bpf_test.h"
#include "../vm/asm.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define F_LINK (1u << 13)

enum { TEST_1, TEST_2, TEST_SLEEPABLE };
enum { SSTHRESH, CONG_AVOID, GET_INFO = 10, NAME, OWNER };

static struct btf *kernel;
static int any_btf;
static char log_text[65536];
static const struct bpf_insn five[] = {MOV_K(R0, 5), EXIT};

static unsigned type_id(const char *name)
{
	int id = btf__find_by_name_kind(kernel, name, BTF_KIND_STRUCT);

	return id < 0 ? 0 : (unsigned)id;
}

static int load(unsigned table, unsigned member, const struct bpf_insn *insns, size_t count,
		const char *license, unsigned flags)
{
	union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_STRUCT_OPS,
				   .insns = ptr64(insns),
				   .insn_cnt = (uint32_t)count,
				   .license = ptr64(license),
				   .prog_flags = flags,
				   .attach_btf_id = table,
				   .expected_attach_type = member,
				   .log_level = 1,
				   .log_buf = ptr64(log_text),
				   .log_size = sizeof(log_text)}};

	log_text[0] = 0;
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

#define LOAD(table, member, insns) load(type_id(table), member, insns, COUNT(insns), "GPL", 0)

static int run(int fd, const uint64_t *args, unsigned count, uint32_t *retval)
{
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)fd,
					.ctx_in = ptr64(args),
					.ctx_size_in = count * 8,
					.repeat = 7}};
	int err = (int)bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));

	*retval = t.a.test.retval;
	return err;
}

static void test_load(void **state)
{
	static const struct {
		const char *table;
		unsigned member, flags;
		int expected;
		const char *text;
	} cases[] = {
		{"bpf_dummy_ops", TEST_1, 0, 0, ""},
		{"bpf_dummy_ops", 3, 0, -EINVAL,
		 "attach to invalid member idx 3 of struct bpf_dummy_ops\n"},
		{"bpf_dummy_ops", TEST_2, BPF_F_SLEEPABLE, -EINVAL,
		 "attach to unsupported member test_2 of struct bpf_dummy_ops\n"},
		{"bpf_dummy_ops", TEST_SLEEPABLE, BPF_F_SLEEPABLE, 0, ""},
		{"tcp_congestion_ops", SSTHRESH, BPF_F_SLEEPABLE, 0, ""},
		{"tcp_congestion_ops", GET_INFO, 0, -ENOTSUPP,
		 "attach to unsupported member get_info of struct tcp_congestion_ops\n"},
		{"tcp_congestion_ops", NAME, 0, -EINVAL,
		 "attach to invalid member name(@idx 11) of struct tcp_congestion_ops\n"},
		{"tcp_congestion_ops", OWNER, 0, -EINVAL,
		 "attach to invalid member owner(@idx 12) of struct tcp_congestion_ops\n"},
		{"sk_buff", 0, 0, -ENOTSUPP, " is not a supported struct\n"},
		{"bpf_struct_ops_bpf_dummy_ops", 1, 0, -ENOTSUPP, " is not a supported struct\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = load(type_id(cases[i].table), cases[i].member, five, 2, "GPL",
			      cases[i].flags);

		assert_int_equal(fd < 0 ? fd : 0, cases[i].expected);
		assert_non_null(strstr(log_text, cases[i].text));
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(load(type_id("bpf_dummy_ops"), 0, five, 2, "x", 0), -EINVAL);
	assert_non_null(strstr(log_text, "struct ops programs must have a GPL compatible license"));
	assert_int_equal(load(0, 0, five, 2, "GPL", 0), -ENOTSUPP);
	assert_int_equal(load(0xfffff, 0, five, 2, "GPL", 0), -ENOTSUPP);
	assert_int_equal(load(0x100000, 0, five, 2, "GPL", 0), -EINVAL);
}

/* A function without a result need not set R0. */
static void test_void(void **state)
{
	static const struct bpf_insn nothing[] = {EXIT};
	int fd = LOAD("tcp_congestion_ops", CONG_AVOID, nothing);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(LOAD("tcp_congestion_ops", SSTHRESH, nothing), -EACCES);
	assert_non_null(strstr(log_text, "R0 !read_ok"));
}

static void test_run_state(void **state)
{
	static const struct bpf_insn add_one[] = {
		LD(DW, R1, R1, 0), J_K(JNE, R1, 0, 2), MOV_K(R0, 77), EXIT,
		LD(W, R0, R1, 0),  ALU64_K(ADD, R0, 1), ST_X(W, R1, 0, R0), EXIT,
	};
	int fd = LOAD("bpf_dummy_ops", TEST_1, add_one);
	uint32_t words[2] = {7, 9}, retval;
	uint64_t args[2] = {ptr64(words)};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(run(fd, args, 1, &retval), 0);
	assert_int_equal(retval, 8);
	assert_int_equal(words[0], 8);
	assert_int_equal(words[1], 9);
	assert_int_equal(run(fd, args, 2, &retval), -EINVAL);
	assert_int_equal(run(fd, NULL, 0, &retval), -EINVAL);
	args[0] = 8;
	assert_int_equal(run(fd, args, 1, &retval), -EFAULT);
	args[0] = 0; /* the one member that says that it may be */
	assert_int_equal(run(fd, args, 1, &retval), 0);
	assert_int_equal(retval, 77);
	close(fd);
}

static void test_run_numbers(void **state)
{
	static const struct bpf_insn sum[] = {
		LD(DW, R0, R1, 8),   LD(W, R2, R1, 16),   LD(H, R3, R1, 24),   LD(B, R4, R1, 32),
		ALU64_X(ADD, R0, R2), ALU64_X(ADD, R0, R3), ALU64_X(ADD, R0, R4), EXIT,
	};
	int fd = LOAD("bpf_dummy_ops", TEST_2, sum);
	uint32_t word = 0, retval;
	uint64_t args[5] = {ptr64(&word), 1, 0x700000002, 0x30003, 0x104};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(run(fd, args, 5, &retval), 0);
	assert_int_equal(retval, 10);
	args[0] = 0;
	assert_int_equal(run(fd, args, 5, &retval), -EINVAL);
	close(fd);
}

/* Refused at load where paths are followed, else stopped by the run. */
static void test_context(void **state)
{
	static const struct {
		unsigned member;
		struct bpf_insn insns[3];
	} cases[] = {
		{TEST_1, {LD(DW, R2, R1, 8), MOV_K(R0, 0), EXIT}},
		{TEST_1, {LD(W, R2, R1, 0), MOV_K(R0, 0), EXIT}},
		{TEST_2, {LD(W, R2, R1, 12), MOV_K(R0, 0), EXIT}},
		{TEST_2, {LD(DW, R2, R1, 40), MOV_K(R0, 0), EXIT}},
		{TEST_1, {ST_X(DW, R1, 0, R1), MOV_K(R0, 0), EXIT}},
	};
	uint32_t word = 0, retval;
	uint64_t args[5] = {ptr64(&word)};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const unsigned nr_args = cases[i].member == TEST_2 ? 5 : 1;
		int fd = LOAD("bpf_dummy_ops", cases[i].member, cases[i].insns);

		if (fd < 0) {
			assert_int_equal(fd, -EACCES);
			continue;
		}
		assert_int_equal(run(fd, args, nr_args, &retval), -EFAULT);
		close(fd);
	}
}

static unsigned value_size(const char *value)
{
	return btf__type_by_id(kernel, type_id(value))->size;
}

static int create_as(const char *value, unsigned size, unsigned flags)
{
	union test_attr t = {.a = {.map_type = BPF_MAP_TYPE_STRUCT_OPS,
				   .key_size = 4,
				   .value_size = size,
				   .max_entries = 1,
				   .map_flags = flags,
				   .btf_fd = (uint32_t)any_btf,
				   .btf_vmlinux_value_type_id = type_id(value)}};

	return (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
}

#define TCP "bpf_struct_ops_tcp_congestion_ops"
#define DUMMY "bpf_struct_ops_bpf_dummy_ops"

static int create(const char *value, unsigned flags)
{
	int fd = create_as(value, value_size(value), flags);

	assert_true(fd >= 0);
	return fd;
}

static void test_create(void **state)
{
	struct bpf_map_info info = {0};
	union test_attr t = {.a.info = {.info_len = sizeof(info), .info = ptr64(&info)}};
	int fd = create(TCP, F_LINK), kept = any_btf;

	(void)state;
	t.a.info.bpf_fd = (uint32_t)fd;
	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(info.btf_vmlinux_value_type_id, type_id(TCP));
	assert_int_equal(info.map_flags, F_LINK);
	assert_int_equal(info.btf_value_type_id, 0);
	t = (union test_attr){.a.map_fd = (uint32_t)fd};
	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &t, sizeof(union bpf_attr)), -ENOTSUPP);
	close(fd);
	assert_int_equal(create_as(TCP, 8, 0), -EINVAL);
	assert_int_equal(create_as("tcp_congestion_ops", value_size(TCP), 0), -ENOTSUPP);
	assert_int_equal(create_as("no such type", value_size(TCP), 0), -EINVAL);
	assert_int_equal(create_as(TCP, value_size(TCP), BPF_F_RDONLY_PROG), -EINVAL);
	any_btf = -1;
	assert_int_equal(create_as(TCP, value_size(TCP), 0), -EBADF);
	assert_int_equal(create_as("tcp_congestion_ops", value_size(TCP), 0), -ENOTSUPP);
	any_btf = kept;
}

static void test_elements(void **state)
{
	const char *const types[] = {TCP, DUMMY};
	const unsigned none = 0, one = 1, five_ = 5;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int fd = create(types[i], 0), link = create(types[i], F_LINK);
		uint8_t value[4096] = {0};
		unsigned next = 9;

		assert_int_equal(map_lookup(fd, &none, value), 0);
		for (unsigned k = 0; k < value_size(types[i]); k++)
			assert_int_equal(value[k], 0);
		assert_int_equal(map_lookup(fd, &one, value), -ENOENT);
		assert_int_equal(map_next_key(fd, NULL, &next), 0);
		assert_int_equal(next, 0);
		assert_int_equal(map_next_key(fd, &none, &next), -ENOENT);
		assert_int_equal(map_next_key(fd, &five_, &next), 0);
		assert_int_equal(map_delete(fd, &none), -ENOENT);
		assert_int_equal(map_delete(link, &none), -EOPNOTSUPP);
		assert_int_equal(map_update(fd, &one, value, 0), -E2BIG);
		assert_int_equal(map_update(fd, &none, value, BPF_NOEXIST), -EINVAL);
		assert_int_equal(map_update(fd, &none, value, 0), i ? -EOPNOTSUPP : -EINVAL);
		for (unsigned at = 0; at < 16; at += 4) { /* state words, and a hole */
			value[at] = 1;
			assert_int_equal(map_update(fd, &none, value, 0), -EINVAL);
			value[at] = 0;
		}
		close(fd);
		close(link);
	}
}

static void test_functions(void **state)
{
	const unsigned none = 0;
	int map = create(TCP, 0), fd = LOAD("bpf_dummy_ops", TEST_1, five);
	int other = LOAD("tcp_congestion_ops", CONG_AVOID, five);
	const int cases[][2] = {{fd, -EINVAL}, {other, -EINVAL}, {map, -EINVAL}, {-1, -EBADF}};
	uint8_t value[4096] = {0};

	(void)state;
	assert_true(fd >= 0 && other >= 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		memcpy(value + 64, &cases[i][0], 4);
		assert_int_equal(map_update(map, &none, value, 0), cases[i][1]);
	}
	assert_int_equal(map_lookup(map, &none, value), 0);
	assert_int_equal(value[64], 0);
	close(other);
	close(fd);
	close(map);
}

static void test_program_cannot_refer(void **state)
{
	int map = create(DUMMY, 0);
	const struct bpf_insn insns[] = {RAW(0x18, R1, 1, 0, map), RAW(0, 0, 0, 0, 0), MOV_K(R0, 0),
					 EXIT};

	(void)state;
	assert_int_equal(LOAD("bpf_dummy_ops", TEST_1, insns), -EINVAL);
	assert_non_null(strstr(log_text, "bpf_struct_ops map cannot be used in prog"));
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_void),
		cmocka_unit_test(test_run_state),
		cmocka_unit_test(test_run_numbers),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_program_cannot_refer),
	};
	struct btf *small;

	require_bpf();
	kernel = btf__load_vmlinux_btf();
	if (!kernel || !type_id(DUMMY) || !type_id(TCP)) {
		printf("1..0 # SKIP this kernel has no such tables\n");
		return 0;
	}
	small = btf__new_empty();
	if (!small || btf__add_int(small, "int", 4, BTF_INT_SIGNED) < 0 ||
	    btf__load_into_kernel(small))
		return 1;
	any_btf = btf__fd(small);
	return run_tests(tests);
}
