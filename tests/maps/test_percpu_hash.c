/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_percpu_hash.c: the element commands on PERCPU_HASH, preallocated and not.
 */
#include "bpf_test.h"

static unsigned cpus;
static const unsigned prealloc_flags[] = {0, BPF_F_NO_PREALLOC};
#define FLAGS 2

static int create(unsigned key_size, unsigned value_size, unsigned n, unsigned flags)
{
	int fd = map_create(BPF_MAP_TYPE_PERCPU_HASH, key_size, value_size, n, flags);

	assert_true(fd >= 0);
	return fd;
}

static void *pattern(uint8_t *buffer, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (uint8_t)(seed * 17 + i * 5 + 3);
	return buffer;
}

static void all_slots_with_their_padding(void **state)
{
	/* The largest last: the kernel may have no memory for it when an element comes late. */
	static const unsigned sizes[][2] = {{4, 1}, {1, 4}, {8, 8}, {16, 9}, {5, 100}, {4, 32768}};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]) * FLAGS - 1; s++) {
		const unsigned k = sizes[s / FLAGS][0], v = sizes[s / FLAGS][1];
		const size_t total = (size_t)(v + 7) / 8 * 8 * cpus;
		int fd = create(k, v, 10, prealloc_flags[s % FLAGS]);
		uint8_t *value = malloc(total), *got = malloc(total + 8), key[16] = {0};

		for (uint8_t i = 0; i < 10; i++) {
			key[0] = i;
			assert_int_equal(map_update(fd, key, pattern(value, total, i), 0), 0);
		}
		memset(got, 0xaa, total + 8);
		for (uint8_t i = 0; i < 10; i++) {
			key[0] = i;
			assert_int_equal(map_lookup(fd, key, got), 0);
			assert_memory_equal(got, pattern(value, total, i), total);
			assert_int_equal(got[total], 0xaa);
			assert_int_equal(map_update(fd, key, pattern(value, total, i + 50), 2), 0);
			assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, key, got, 0),
					 0);
			assert_memory_equal(got, value, total);
			assert_int_equal(map_lookup(fd, key, got), -ENOENT);
		}
		free(value);
		free(got);
		close(fd);
	}
}

static void flags(void **state)
{
	static const struct {
		uint64_t flags;
		int absent, present;
	} cases[] = {
		{BPF_ANY, 0, 0},		{BPF_NOEXIST, 0, -EEXIST},
		{BPF_EXIST, -ENOENT, 0},	{3, -EINVAL, -EINVAL},
		{BPF_F_LOCK, -EINVAL, -EINVAL}, {8, -EINVAL, -EINVAL},
		{16, -EINVAL, -EINVAL},		{1ull << 32 | 8, -EINVAL, -EINVAL},
	};
	uint64_t *values = calloc(cpus, 8);
	uint32_t key = 1;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * FLAGS; i++) {
		const size_t c = i / FLAGS;
		int fd = create(4, 8, 4, prealloc_flags[i % FLAGS]);

		assert_int_equal(map_update(fd, &key, values, cases[c].flags), cases[c].absent);
		assert_int_equal(map_update(fd, &key, values, BPF_ANY), 0);
		assert_int_equal(map_update(fd, &key, values, cases[c].flags), cases[c].present);
		close(fd);
	}
	free(values);
}

static void capacity_is_exact(void **state)
{
	static const unsigned counts[] = {1, 2, 5, 8, 33, 500};
	uint64_t *values = calloc(cpus, 8);

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]) * FLAGS; i++) {
		const uint32_t n = counts[i / FLAGS];
		int fd = create(4, 8, n, prealloc_flags[i % FLAGS]);
		uint32_t key;

		for (key = 0; key < n; key++)
			assert_int_equal(map_update(fd, &key, values, BPF_ANY), 0);
		assert_int_equal(map_update(fd, &key, values, BPF_ANY), -E2BIG);
		assert_int_equal(map_update(fd, &key, values, BPF_EXIST), -ENOENT);
		for (key = 0; key < n; key++)
			assert_int_equal(map_update(fd, &key, values, BPF_EXIST), 0);
		for (unsigned round = 0; round < 2000; round++) {
			key = round % n;
			assert_int_equal(map_delete(fd, &key), 0);
			assert_int_equal(map_update(fd, &key, values, BPF_NOEXIST), 0);
		}
		assert_int_equal(map_update(fd, &n, values, BPF_ANY), -E2BIG);
		close(fd);
	}
	free(values);
}

static void walking(void **state)
{
	uint64_t *values = calloc(cpus, 8);

	for (size_t i = 0; i < FLAGS; i++) {
		int fd = create(4, 8, 50, prealloc_flags[i]);
		uint32_t key, next, count = 0;

		for (key = 0; key < 50; key++)
			assert_int_equal(map_update(fd, &key, values, 0), 0);
		for (int err = map_next_key(fd, NULL, &key); !err; key = next, count++) {
			err = map_next_key(fd, &key, &next);
			assert_int_equal(map_delete(fd, &key), 0);
		}
		assert_int_equal(count, 50);
		assert_int_equal(map_next_key(fd, NULL, &next), -ENOENT);
		close(fd);
	}
	free(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_slots_with_their_padding),
		cmocka_unit_test(flags),
		cmocka_unit_test(capacity_is_exact),
		cmocka_unit_test(walking),
	};

	require_bpf();
	cpus = possible_cpus();
	return run_tests(tests);
}
