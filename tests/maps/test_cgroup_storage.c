/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_cgroup_storage.c: CGROUP_STORAGE and PERCPU_CGROUP_STORAGE: creation, the system call on
 * maps of programs that nobody attached, and what test runs find in them.
 */
#include <linux/btf.h>

#include "vm/run.h"

#define CGROUP_SKB BPF_PROG_TYPE_CGROUP_SKB

static const unsigned types[] = {BPF_MAP_TYPE_CGROUP_STORAGE, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE};
#define TYPES (sizeof(types) / sizeof(types[0]))

/* BTF: 1 u32, 2 u64, 3 struct {u64; u32}, 4 struct bpf_spin_lock, 5 struct with a lock */
enum { B_U32 = 1, B_U64, B_KEY, B_LOCK, B_LOCKED };

static int load_btf(void)
{
	static const char strings[] = "\0u32\0u64\0k\0a\0b\0bpf_spin_lock\0v\0l";
	enum { S_U32 = 1, S_U64 = 5, S_K = 9, S_A = 11, S_B = 13, S_LOCK = 15, S_V = 29, S_L = 31 };
#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))
	static const uint32_t type_words[] = {
		S_U32, INFO(BTF_KIND_INT, 0), 4, 32,
		S_U64, INFO(BTF_KIND_INT, 0), 8, 64,
		S_K, INFO(BTF_KIND_STRUCT, 2), 16, S_A, B_U64, 0, S_B, B_U32, 64,
		S_LOCK, INFO(BTF_KIND_STRUCT, 1), 4, S_A, B_U32, 0,
		S_V, INFO(BTF_KIND_STRUCT, 2), 8, S_A, B_U32, 0, S_L, B_LOCK, 32,
	};
	struct {
		struct btf_header header;
		uint32_t types[sizeof(type_words) / 4];
		char strings[sizeof(strings)];
	} __attribute__((packed)) raw = {
		.header = {.magic = BTF_MAGIC,
			   .version = BTF_VERSION,
			   .hdr_len = sizeof(struct btf_header),
			   .type_len = sizeof(type_words),
			   .str_off = sizeof(type_words),
			   .str_len = sizeof(strings)},
	};
	union test_attr attr = {.a = {.btf = ptr64(&raw), .btf_size = sizeof(raw)}};

	memcpy(raw.types, type_words, sizeof(type_words));
	memcpy(raw.strings, strings, sizeof(strings));
	return (int)bpf_sys(BPF_BTF_LOAD, &attr, sizeof(union bpf_attr));
}

static int create_btf(unsigned type, unsigned key_size, unsigned value_size, unsigned key_type,
		      unsigned value_type)
{
	int btf = load_btf(), fd;
	union test_attr attr = {.a = {.map_type = type,
				      .key_size = key_size,
				      .value_size = value_size,
				      .btf_fd = (uint32_t)btf,
				      .btf_key_type_id = key_type,
				      .btf_value_type_id = value_type}};

	fd = (int)bpf_sys(BPF_MAP_CREATE, &attr, sizeof(union bpf_attr));
	close(btf);
	return fd;
}

static void creation(void **state)
{
	static const struct {
		unsigned key, value, entries, flags;
		int result[TYPES];
	} cases[] = {
		{8, 8, 0, 0, {0, 0}},
		{16, 1, 0, 0, {0, 0}},
		{8, 8, 0, BPF_F_RDONLY_PROG, {0, 0}},
		{8, 8, 0, BPF_F_NUMA_NODE, {0, 0}},
		{8, 8, 0, BPF_F_NO_PREALLOC, {-EINVAL, -EINVAL}},
		{8, 8, 1, 0, {-EINVAL, -EINVAL}},
		{4, 8, 0, 0, {-EINVAL, -EINVAL}},
		{12, 8, 0, 0, {-EINVAL, -EINVAL}},
		{8, 0, 0, 0, {-EINVAL, -EINVAL}},
		{8, 32768, 0, 0, {0, 0}},
		{8, 32769, 0, 0, {0, -E2BIG}},
		{8, 65407, 0, 0, {0, -E2BIG}},
		{8, 65408, 0, 0, {-E2BIG, -E2BIG}},
		{8, 65408, 1, 0, {-E2BIG, -E2BIG}},
	};

	(void)state;
	for (size_t t = 0; t < TYPES; t++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			int fd = map_create(types[t], cases[i].key, cases[i].value,
					    cases[i].entries, cases[i].flags);

			assert_int_equal(fd < 0 ? fd : 0, cases[i].result[t]);
			if (fd >= 0)
				close(fd);
		}
}

static void key_types(void **state)
{
	static const struct {
		unsigned key, key_type, value, value_type;
		int result[TYPES];
	} cases[] = {
		{8, B_U64, 8, B_U64, {0, 0}},
		{16, B_KEY, 8, B_U64, {0, 0}},
		{8, B_LOCKED, 8, B_U64, {-EINVAL, -EINVAL}},
		{8, B_U64, 8, B_LOCKED, {0, -EOPNOTSUPP}},
	};

	(void)state;
	for (size_t t = 0; t < TYPES; t++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			int fd = create_btf(types[t], cases[i].key, cases[i].value,
					    cases[i].key_type, cases[i].value_type);

			assert_int_equal(fd < 0 ? fd : 0, cases[i].result[t]);
			if (fd >= 0)
				close(fd);
		}
}

static void the_system_call(void **state)
{
	static const int updates[] = {-ENOENT, -EINVAL, -ENOENT, -EINVAL, -EINVAL, -EINVAL};
	uint64_t value[256] = {0}, key = 1;

	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		int fd = map_create(types[t], 8, 8, 0, 0), outer;
		union test_attr attr = {.a = {.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
					      .key_size = 4,
					      .value_size = 4,
					      .max_entries = 1,
					      .inner_map_fd = (uint32_t)fd}};

		assert_int_equal(map_lookup(fd, &key, value), -ENOENT);
		for (unsigned flags = 0; flags < 6; flags++)
			assert_int_equal(map_update(fd, &key, value, flags), updates[flags]);
		assert_int_equal(map_delete(fd, &key), -EINVAL);
		assert_int_equal(map_next_key(fd, NULL, value), -ENOENT);
		assert_int_equal(map_next_key(fd, &key, value), -ENOENT);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &key, value, 0),
				 -ENOTSUPP);
		outer = (int)bpf_sys(BPF_MAP_CREATE, &attr, sizeof(union bpf_attr));
		assert_int_equal(outer, -ENOTSUPP);
		close(fd);
	}
}

static int load(const struct bpf_insn *insns)
{
	return prog_load(CGROUP_SKB, 0, insns, insn_count(insns));
}

#define LOAD(...) load((const struct bpf_insn[]){__VA_ARGS__, {0}})
#define GET(map, flags) LD64_RAW(R1, 1, map, 0), MOV_K(R2, flags), CALL(BPF_FUNC_get_local_storage)

/* R0 of a run: whether the count in the storage was as high as it can be. */
static long run(int prog, unsigned repeat)
{
	uint8_t packet[PACKET_MAX];
	union test_attr attr = {.a = {.test = {.prog_fd = (uint32_t)prog,
					       .repeat = repeat,
					       .data_in = ptr64(packet),
					       .data_size_in = PACKET_LEN}}};
	long err;

	fill_packet(packet);
	err = bpf_sys(BPF_PROG_TEST_RUN, &attr, sizeof(union bpf_attr));
	return err ? err : (long)attr.a.test.retval;
}

static void each_test_run_begins_with_zeros(void **state)
{
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		int map = map_create(types[t], 8, 8, 0, 0), prog;

		/* 1 in the fifth of repeated runs, else 0. */
		prog = LOAD(GET(map, 0), LD(DW, R1, R0, 0), ALU64_K(ADD, R1, 1),
			    ST_X(DW, R0, 0, R1), MOV_K(R0, 0), J_K(JNE, R1, 5, 1), MOV_K(R0, 1), EXIT);
		assert_true(prog >= 0);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(run(prog, 1), 0);
		assert_int_equal(run(prog, 4), 0);
		assert_int_equal(run(prog, 5), 1);
		assert_int_equal(run(prog, 6), 0);
		close(prog);
		close(map);
	}
}

/* Values of the largest size, the lock of one, and both types in one program. */
static void what_programs_may_do(void **state)
{
	int plain = map_create(types[0], 8, 65407, 0, 0), percpu = map_create(types[1], 16, 32768, 0, 0),
	    locked = create_btf(types[0], 8, 8, B_U64, B_LOCKED), prog;

	(void)state;
	prog = LOAD(GET(plain, 0), ST_K(B, R0, 32000, 1), GET(percpu, 0), LD(B, R1, R0, 32000),
		    ST_K(DW, R0, 32760, 1), MOV_X(R0, R1), ALU64_K(AND, R0, 1), EXIT);
	assert_int_equal(run(prog, 1), 0);
	close(prog);
	prog = LOAD(GET(locked, 0), MOV_X(R6, R0), MOV_X(R1, R0), ALU64_K(ADD, R1, 4),
		    CALL(BPF_FUNC_spin_lock), ST_K(W, R6, 0, 1), MOV_X(R1, R6), ALU64_K(ADD, R1, 4),
		    CALL(BPF_FUNC_spin_unlock), LD(W, R0, R6, 0), ALU64_K(AND, R0, 1), EXIT);
	assert_int_equal(run(prog, 3), 1);
	close(prog);
	close(plain);
	close(percpu);
	close(locked);
}

static void what_they_may_not(void **state)
{
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		int map = map_create(types[t], 8, 8, 0, 0), second = map_create(types[t], 16, 8, 0, 0),
		    hash = map_create(BPF_MAP_TYPE_HASH, 8, 8, 1, 0);

		assert_int_equal(LOAD(GET(map, 0), GET(second, 0), MOV_K(R0, 0), EXIT), -EBUSY);
		assert_int_equal(LOAD(GET(map, 1), MOV_K(R0, 0), EXIT), -EINVAL);
		assert_int_equal(LOAD(GET(hash, 0), MOV_K(R0, 0), EXIT), -EINVAL);
		assert_int_equal(LOAD(ST_K(DW, R10, -8, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -8),
				      LD64_RAW(R1, 1, map, 0), CALL(BPF_FUNC_map_lookup_elem),
				      MOV_K(R0, 0), EXIT), -EINVAL);
		close(map);
		close(second);
		close(hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation),
		cmocka_unit_test(key_types),
		cmocka_unit_test(the_system_call),
		cmocka_unit_test(each_test_run_begins_with_zeros),
		cmocka_unit_test(what_programs_may_do),
		cmocka_unit_test(what_they_may_not),
	};

	require_bpf();
	return run_tests(tests);
}
