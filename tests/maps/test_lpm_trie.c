/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_lpm_trie.c: LPM_TRIE through the system call and from programs, with the same expectations
 * on kernel and userbpf.
 */
#include <linux/btf.h>
#include <stdbool.h>

#include "../bpf_test.h"
#include "../vm/asm.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LPM BPF_MAP_TYPE_LPM_TRIE
#define ERROR_OF(fd) ((fd) < 0 ? (fd) : 0)

struct key {
	uint32_t len;
	uint8_t data[4];
};

#define KEY(len, ...)               \
	{                           \
		(len),              \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

static int create(unsigned entries)
{
	int fd = map_create(LPM, sizeof(struct key), 8, entries, BPF_F_NO_PREALLOC);

	assert_true(fd >= 0);
	return fd;
}

static int put(int fd, struct key key, uint64_t value)
{
	return map_update(fd, &key, &value, BPF_ANY);
}

/* 0: nothing matches. */
static uint64_t get(int fd, struct key key)
{
	uint64_t value = 0;

	return map_lookup(fd, &key, &value) ? 0 : value;
}

static void creation(void **state)
{
	static const struct {
		unsigned key_size, value_size, entries, flags;
		int err;
	} rows[] = {
		{8, 8, 4, 1, 0},
		{8, 8, 4, 0, -EINVAL},
		{4, 8, 4, 1, -EINVAL},
		{5, 8, 4, 1, 0},
		{260, 8, 4, 1, 0},
		{261, 8, 4, 1, -EINVAL},
		{8, 0, 4, 1, -EINVAL},
		{8, 1, 4, 1, 0},
		{8, 4194024, 4, 1, 0},
		{8, 4194025, 4, 1, -EINVAL},
		{260, 4194024, 4, 1, 0},
		{8, 8, 0, 1, -EINVAL},
		{8, 8, 1, 1, 0},
		{8, 8, ~0u, 1, 0},
		{260, 4194024, ~0u, 1, 0},
		{8, 8, 4, 1 | BPF_F_RDONLY_PROG, 0},
		{8, 8, 4, 1 | BPF_F_WRONLY_PROG, 0},
		{8, 8, 4, 1 | BPF_F_ZERO_SEED, -EINVAL},
		{8, 8, 4, 1 | BPF_F_MMAPABLE, -EINVAL},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = map_create(LPM, rows[i].key_size, rows[i].value_size, rows[i].entries,
				    rows[i].flags);

		assert_int_equal(ERROR_OF(fd), rows[i].err);
		if (fd >= 0)
			close(fd);
	}
}

/* Types: u32, u64, a struct of 8 bytes. */
static void key_types(void **state)
{
	static const struct {
		struct btf_header header;
		uint32_t types[17];
		char strings[12];
	} btf = {
		{0xeb9f, 1, 0, 24, 0, 68, 68, 12},
		{1, 1u << 24, 4, 32, 1, 1u << 24, 8, 64, 5, 4u << 24 | 2, 8, 7, 1, 0, 9, 1, 32},
		"\0int\0k\0l\0d\0",
	};
	union test_attr t = {.a = {.btf = ptr64(&btf), .btf_size = sizeof(btf)}};
	static const struct {
		uint32_t key, value;
		int err;
	} ids[] = {{3, 2, 0}, {2, 2, -EINVAL}, {0, 2, -EINVAL}, {3, 0, -EINVAL}, {1, 2, -EINVAL}};
	const int btf_fd = (int)bpf_sys(BPF_BTF_LOAD, &t, sizeof(union bpf_attr));

	assert_true(btf_fd >= 0);
	for (size_t i = 0; i < COUNT(ids); i++) {
		union test_attr c = {.a = {.map_type = LPM,
					   .key_size = 8,
					   .value_size = 8,
					   .max_entries = 4,
					   .map_flags = BPF_F_NO_PREALLOC,
					   .btf_fd = (uint32_t)btf_fd,
					   .btf_key_type_id = ids[i].key,
					   .btf_value_type_id = ids[i].value}};
		int fd = (int)bpf_sys(BPF_MAP_CREATE, &c, sizeof(union bpf_attr));

		assert_int_equal(ERROR_OF(fd), ids[i].err);
		if (fd >= 0)
			close(fd);
	}
	close(btf_fd);
}

static void longest_match(void **state)
{
	static const struct {
		struct key key;
		uint64_t found;
	} rows[] = {
		{KEY(32, 10, 1, 2, 3), 32}, {KEY(32, 10, 1, 2, 4), 24}, {KEY(32, 10, 1, 3, 3), 8},
		{KEY(32, 11, 1, 2, 3), 0},  {KEY(24, 10, 1, 2, 3), 24}, {KEY(23, 10, 1, 2, 3), 8},
		{KEY(8, 10, 1, 2, 3), 8},   {KEY(7, 10, 1, 2, 3), 0},   {KEY(0, 10, 1, 2, 3), 0},
		{KEY(33, 10, 1, 2, 3), 0},
	};
	int fd = create(8);

	assert_int_equal(put(fd, (struct key)KEY(24, 10, 1, 2, 77), 24), 0);
	assert_int_equal(put(fd, (struct key)KEY(8, 10), 8), 0);
	assert_int_equal(put(fd, (struct key)KEY(32, 10, 1, 2, 3), 32), 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(get(fd, rows[i].key), rows[i].found);
	assert_int_equal(put(fd, (struct key)KEY(0, 1, 2, 3, 4), 1), 0);
	for (size_t i = 0; i < COUNT(rows) - 1; i++)
		assert_int_equal(get(fd, rows[i].key), rows[i].found ?: 1);
	assert_int_equal(get(fd, (struct key)KEY(33, 10, 1, 2, 3)), 0);
	close(fd);
}

static void flags_and_capacity(void **state)
{
	const struct key present = KEY(32, 10), absent = KEY(32, 12), branch = KEY(7, 10),
			 wrong = KEY(33, 10);
	uint64_t value = 1;
	int fd = create(2);

	assert_int_equal(put(fd, (struct key)KEY(32, 10), 1), 0);
	assert_int_equal(put(fd, (struct key)KEY(32, 11), 1), 0);
	for (uint64_t flags = 0; flags < 5; flags++) {
		static const int of_present[] = {0, -EEXIST, 0, -EINVAL, -EINVAL};
		static const int of_absent[] = {-ENOSPC, -ENOSPC, -ENOENT, -EINVAL, -EINVAL};

		assert_int_equal(map_update(fd, &present, &value, flags), of_present[flags]);
		assert_int_equal(map_update(fd, &absent, &value, flags), of_absent[flags]);
		assert_int_equal(map_update(fd, &branch, &value, flags), of_absent[flags]);
		assert_int_equal(map_update(fd, &wrong, &value, flags), -EINVAL);
	}
	assert_int_equal(map_delete(fd, &branch), -ENOENT);
	assert_int_equal(map_delete(fd, &wrong), -EINVAL);
	assert_int_equal(map_delete(fd, &present), 0);
	assert_int_equal(map_delete(fd, &present), -ENOENT);
	assert_int_equal(map_update(fd, &absent, &value, BPF_NOEXIST), 0);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &absent, &value, 0),
			 -ENOTSUPP);
	close(fd);
}

static void deleting_leaves_the_longer_ones(void **state)
{
	int fd = create(8);
	const struct key wide = KEY(8, 10), narrow = KEY(24, 10, 1, 2),
			 address = KEY(32, 10, 1, 2, 3);

	assert_int_equal(put(fd, wide, 1), 0);
	assert_int_equal(put(fd, narrow, 2), 0);
	assert_int_equal(map_delete(fd, &wide), 0);
	assert_int_equal(get(fd, address), 2);
	assert_int_equal(put(fd, wide, 3), 0);
	assert_int_equal(map_delete(fd, &narrow), 0);
	assert_int_equal(get(fd, address), 3);
	close(fd);
}

/* Longer ones before those that contain them, 0 before 1. */
static const struct key ordered[] = {
	KEY(16, 1, 1, 7, 7),
	KEY(24, 10, 1, 2),
	KEY(32, 10, 1, 3, 1),
	KEY(32, 10, 1, 3, 2),
	KEY(24, 10, 1, 3),
	KEY(8, 10),
	KEY(1, 0),
	KEY(32, 192, 0, 2, 1),
	KEY(2, 192),
	KEY(0, 9, 9, 9, 9),
};

static void order_of_walks(void **state)
{
	const struct key absent = KEY(9, 10), wrong = KEY(33, 1, 1);
	int fd = create(COUNT(ordered));
	struct key key, next = KEY(77);

	assert_int_equal(map_next_key(fd, NULL, &next), -ENOENT);
	assert_int_equal(next.len, 77);
	for (size_t i = 0; i < COUNT(ordered); i++)
		assert_int_equal(put(fd, ordered[(i * 7 + 3) % COUNT(ordered)], i + 1), 0);
	assert_int_equal(map_next_key(fd, NULL, &key), 0);
	for (size_t i = 0; i < COUNT(ordered); i++) {
		assert_memory_equal(&key, &ordered[i], sizeof(key));
		assert_int_equal(map_next_key(fd, &key, &next),
				 i + 1 < COUNT(ordered) ? 0 : -ENOENT);
		key = next;
	}
	assert_int_equal(map_next_key(fd, &absent, &key), 0);
	assert_memory_equal(&key, &ordered[0], sizeof(key));
	assert_int_equal(map_next_key(fd, &wrong, &key), 0);
	assert_memory_equal(&key, &ordered[0], sizeof(key));
	for (size_t i = 0; i < COUNT(ordered); i++) { /* delete while walking */
		assert_int_equal(map_next_key(fd, NULL, &key), 0);
		assert_memory_equal(&key, &ordered[i], sizeof(key));
		assert_int_equal(map_delete(fd, &key), 0);
	}
	assert_int_equal(map_next_key(fd, NULL, &key), -ENOENT);
	close(fd);
}

/* The bits behind the prefix are kept, and replaced. */
static void bits_behind_the_prefix(void **state)
{
	int fd = create(2);
	struct key key = KEY(9, 10, 1, 2, 3);

	assert_int_equal(put(fd, key, 1), 0);
	key = (struct key)KEY(9, 10, 2, 4, 6);
	assert_int_equal(put(fd, key, 2), 0);
	assert_int_equal(map_next_key(fd, NULL, &key), 0);
	assert_memory_equal(&key, &((struct key)KEY(9, 10, 2, 4, 6)), sizeof(key));
	assert_int_equal(map_next_key(fd, &((struct key)KEY(9, 10, 1)), &key), -ENOENT);
	close(fd);
}

static void batches(void **state)
{
	struct key keys[COUNT(ordered)], cursor;
	uint64_t values[COUNT(ordered)] = {0};
	int fd = create(COUNT(ordered));
	union test_attr t = {.a.batch = {.map_fd = (uint32_t)fd,
					 .count = COUNT(ordered),
					 .keys = ptr64(ordered),
					 .values = ptr64(values)}};

	assert_int_equal(bpf_sys(BPF_MAP_UPDATE_BATCH, &t, sizeof(union bpf_attr)), 0);
	t.a.batch.keys = ptr64(keys);
	t.a.batch.out_batch = ptr64(&cursor);
	for (size_t done = 0, i = 0; i < 4; i++, done += t.a.batch.count) {
		t.a.batch.count = 3;
		assert_int_equal(bpf_sys(BPF_MAP_LOOKUP_BATCH, &t, sizeof(union bpf_attr)),
				 i < 3 ? 0 : -ENOENT);
		assert_int_equal(t.a.batch.count, i < 3 ? 3 : 1);
		assert_memory_equal(keys, &ordered[done], t.a.batch.count * sizeof(keys[0]));
		t.a.batch.in_batch = ptr64(&cursor);
	}
	t.a.batch.count = 3;
	assert_int_equal(bpf_sys(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &t, sizeof(union bpf_attr)),
			 -ENOTSUPP);
	t.a.batch.keys = ptr64(ordered);
	t.a.batch.count = COUNT(ordered);
	assert_int_equal(bpf_sys(BPF_MAP_DELETE_BATCH, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(map_next_key(fd, NULL, &cursor), -ENOENT);
	close(fd);
}

static void all_sizes_of_keys(void **state)
{
	static const unsigned sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 100, 256};
	struct {
		uint32_t len;
		uint8_t data[256];
	} key = {0};
	uint32_t value = 0;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		const unsigned size = sizes[i];
		int fd = map_create(LPM, 4 + size, 4, 8 * size + 1, BPF_F_NO_PREALLOC);

		memset(key.data, 0x5a, sizeof(key.data));
		for (key.len = 0; key.len <= 8 * size; key.len++)
			assert_int_equal(map_update(fd, &key, &key.len, BPF_NOEXIST), 0);
		for (key.len = 0; key.len <= 8 * size; key.len++) {
			assert_int_equal(map_lookup(fd, &key, &value), 0);
			assert_int_equal(value, key.len);
		}
		for (uint32_t at = 0; at < 8 * size; at++) { /* up to the first bit that differs */
			key.len = 8 * size;
			key.data[at / 8] ^= (uint8_t)(0x80 >> at % 8);
			assert_int_equal(map_lookup(fd, &key, &value), 0);
			assert_int_equal(value, at);
			key.data[at / 8] ^= (uint8_t)(0x80 >> at % 8);
		}
		close(fd);
	}
}

static unsigned long memlock(int fd)
{
	unsigned long bytes = ~0ul;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "memlock: %lu", &bytes);
	if (f)
		fclose(f);
	return bytes;
}

static void memory_in_fdinfo(void **state)
{
	int fd = create(4);

	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(memlock(fd), i * 36u);
		assert_int_equal(put(fd, (struct key)KEY(32, i), 1), 0);
	}
	assert_int_equal(put(fd, (struct key)KEY(32, 1), 1), 0);
	assert_int_equal(map_delete(fd, &((struct key)KEY(32, 2))), 0);
	assert_int_equal(memlock(fd), 2 * 36u);
	close(fd);
}

/* From programs */

static int load(const struct bpf_insn *insns, unsigned count, unsigned type)
{
	union test_attr t = {
		.a = {.prog_type = type,
		      .prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
		      .insns = ptr64(insns),
		      .insn_cnt = count,
		      .license = ptr64("GPL")}};

	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static int run(int prog)
{
	static const uint8_t packet[64];
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.data_in = ptr64(packet),
					.data_size_in = sizeof(packet)}};
	long err = prog < 0 ? prog : bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));

	if (prog >= 0)
		close(prog);
	return err ? (int)err : (int)t.a.test.retval;
}

/* The helper's result; of a lookup: the value, or -1. */
static int call(int fd, int helper, struct key key, int value, int flags)
{
	const bool looks = helper == BPF_FUNC_map_lookup_elem;
	struct bpf_insn insns[] = {
		ST_K(W, R10, -8, (int)key.len),
		ST_K(B, R10, -4, key.data[0]),
		ST_K(B, R10, -3, key.data[1]),
		ST_K(B, R10, -2, key.data[2]),
		ST_K(B, R10, -1, key.data[3]),
		ST_K(DW, R10, -16, value),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -8),
		MOV_X(R3, R10),
		ALU64_K(ADD, R3, -16),
		MOV_K(R4, flags),
		CALL(helper),
		J_K(JNE, R0, 0, 2),
		MOV_K(R0, -1),
		EXIT,
		LD(W, R0, R0, 0),
		EXIT,
	};

	if (!looks)
		insns[COUNT(insns) - 5] = (struct bpf_insn)EXIT;
	return run(load(insns, looks ? COUNT(insns) : COUNT(insns) - 4, BPF_PROG_TYPE_SCHED_CLS));
}

static void helpers(void **state)
{
	const struct key wide = KEY(8, 10), address = KEY(32, 10, 1, 2, 3), wrong = KEY(33, 10);
	int fd = create(1);

	assert_int_equal(call(fd, BPF_FUNC_map_lookup_elem, address, 0, 0), -1);
	assert_int_equal(call(fd, BPF_FUNC_map_update_elem, wide, 7, BPF_EXIST), -ENOENT);
	assert_int_equal(call(fd, BPF_FUNC_map_update_elem, wide, 7, 3), -EINVAL);
	assert_int_equal(call(fd, BPF_FUNC_map_update_elem, wrong, 7, 0), -EINVAL);
	assert_int_equal(call(fd, BPF_FUNC_map_update_elem, wide, 7, BPF_NOEXIST), 0);
	assert_int_equal(call(fd, BPF_FUNC_map_update_elem, wide, 7, BPF_NOEXIST), -EEXIST);
	assert_int_equal(call(fd, BPF_FUNC_map_update_elem, address, 7, BPF_ANY), -ENOSPC);
	assert_int_equal(call(fd, BPF_FUNC_map_lookup_elem, address, 0, 0), 7);
	assert_int_equal(call(fd, BPF_FUNC_map_lookup_elem, wrong, 0, 0), -1);
	assert_int_equal(call(fd, BPF_FUNC_map_delete_elem, address, 0, 0), -ENOENT);
	assert_int_equal(call(fd, BPF_FUNC_map_delete_elem, wrong, 0, 0), -EINVAL);
	assert_int_equal(call(fd, BPF_FUNC_map_delete_elem, wide, 0, 0), 0);
	assert_int_equal(call(fd, BPF_FUNC_map_push_elem, wide, 0, 0), -EINVAL);
	close(fd);
}

static void not_in_sleepable_programs(void **state)
{
	int fd = create(1);
	const struct bpf_insn insns[] = {
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0),
		MOV_K(R0, 0),
		EXIT,
	};

	assert_int_equal(load(insns, COUNT(insns), BPF_PROG_TYPE_SYSCALL), -EINVAL);
	close(fd);
}

/* A replaced value is another one: the pointer to the old one shows the old one. */
static void replaced_under_a_pointer(void **state)
{
	int fd = create(4);
	const struct bpf_insn insns[] = {
		ST_K(W, R10, -8, 8),
		ST_K(W, R10, -4, 10),
		ST_K(DW, R10, -16, 2),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -8),
		CALL(BPF_FUNC_map_lookup_elem),
		J_K(JNE, R0, 0, 2),
		MOV_K(R0, 0),
		EXIT,
		MOV_X(R6, R0),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -8),
		MOV_X(R3, R10),
		ALU64_K(ADD, R3, -16),
		MOV_K(R4, 0),
		CALL(BPF_FUNC_map_update_elem),
		LD(W, R0, R6, 0),
		EXIT,
	};

	assert_int_equal(put(fd, (struct key)KEY(8, 10), 1), 0);
	assert_int_equal(run(load(insns, COUNT(insns), BPF_PROG_TYPE_SCHED_CLS)), 1);
	assert_int_equal(get(fd, (struct key)KEY(8, 10)), 2);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation),
		cmocka_unit_test(key_types),
		cmocka_unit_test(longest_match),
		cmocka_unit_test(flags_and_capacity),
		cmocka_unit_test(deleting_leaves_the_longer_ones),
		cmocka_unit_test(order_of_walks),
		cmocka_unit_test(bits_behind_the_prefix),
		cmocka_unit_test(batches),
		cmocka_unit_test(all_sizes_of_keys),
		cmocka_unit_test(memory_in_fdinfo),
		cmocka_unit_test(helpers),
		cmocka_unit_test(not_in_sleepable_programs),
		cmocka_unit_test(replaced_under_a_pointer),
	};

	require_bpf();
	return run_tests(tests);
}
