/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_hash.c: the element commands on HASH, preallocated and not.
 */
#include "bpf_test.h"

#include <pthread.h>

static const unsigned prealloc_flags[] = {0, BPF_F_NO_PREALLOC, BPF_F_ZERO_SEED};
#define FLAGS 3

static int create(unsigned key_size, unsigned value_size, unsigned n, unsigned flags)
{
	int fd = map_create(BPF_MAP_TYPE_HASH, key_size, value_size, n, flags);

	assert_true(fd >= 0);
	return fd;
}

static void keys_and_values_of_all_sizes(void **state)
{
	static const unsigned sizes[][2] = {{1, 1},  {2, 3},	{3, 8},	  {4, 4},  {4, 8},    {5, 13},
					    {8, 8},  {12, 100}, {13, 7},  {16, 16}, {17, 1},  {20, 24},
					    {36, 5}, {64, 64},	{511, 9}, {512, 5000}};
	uint8_t key[512], value[5000], got[5008];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]) * FLAGS; s++) {
		const unsigned k = sizes[s / FLAGS][0], v = sizes[s / FLAGS][1];
		int fd = create(k, v, 100, prealloc_flags[s % FLAGS]);

		memset(key, 0x33, sizeof(key));
		for (unsigned i = 0; i < 100; i++) { /* keys differ in one byte, here or there */
			key[k - 1] = (uint8_t)i;
			memset(value, (int)i + 1, v);
			assert_int_equal(map_update(fd, key, value, BPF_NOEXIST), 0);
		}
		memset(got, 0xaa, sizeof(got));
		for (unsigned i = 0; i < 100; i++) {
			key[k - 1] = (uint8_t)i;
			memset(value, (int)i + 1, v);
			assert_int_equal(map_lookup(fd, key, got), 0);
			assert_memory_equal(got, value, v);
			assert_int_equal(got[v], 0xaa);
			key[0] ^= 0x80;
			assert_int_equal(map_lookup(fd, key, got), -ENOENT);
			key[0] ^= 0x80;
		}
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
		{BPF_F_LOCK, -EINVAL, -EINVAL}, {5, -EINVAL, -EINVAL},
		{8, -EINVAL, -EINVAL},		{1ull << 32, -EINVAL, -EINVAL},
	};
	uint32_t key = 1;
	uint64_t value;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * FLAGS; i++) {
		const size_t c = i / FLAGS;
		int fd = create(4, 8, 4, prealloc_flags[i % FLAGS]);

		value = 10;
		assert_int_equal(map_update(fd, &key, &value, cases[c].flags), cases[c].absent);
		assert_int_equal(map_lookup(fd, &key, &value), cases[c].absent ? -ENOENT : 0);
		value = 20;
		assert_int_equal(map_update(fd, &key, &value, BPF_ANY), 0);
		value = 30;
		assert_int_equal(map_update(fd, &key, &value, cases[c].flags), cases[c].present);
		assert_int_equal(map_lookup(fd, &key, &value), 0);
		assert_int_equal(value, cases[c].present ? 20 : 30);
		close(fd);
	}
}

static void capacity_is_exact(void **state)
{
	static const unsigned counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 1000, 5000};
	uint64_t value = 5;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]) * FLAGS; i++) {
		const uint32_t n = counts[i / FLAGS];
		int fd = create(4, 8, n, prealloc_flags[i % FLAGS]);
		uint32_t key;

		for (key = 0; key < n; key++)
			assert_int_equal(map_update(fd, &key, &value, BPF_ANY), 0);
		assert_int_equal(map_update(fd, &key, &value, BPF_ANY), -E2BIG);
		assert_int_equal(map_update(fd, &key, &value, BPF_NOEXIST), -E2BIG);
		assert_int_equal(map_update(fd, &key, &value, BPF_EXIST), -ENOENT);
		for (key = 0; key < n; key++) /* present keys can be updated in a full map */
			assert_int_equal(map_update(fd, &key, &value, key % 2 * BPF_EXIST), 0);
		for (unsigned round = 0; round < 3000; round++) { /* deleting makes room at once */
			key = round % n;
			assert_int_equal(map_delete(fd, &key), 0);
			assert_int_equal(map_update(fd, &key, &value, BPF_NOEXIST), 0);
		}
		assert_int_equal(map_update(fd, &n, &value, BPF_ANY), -E2BIG);
		close(fd);
	}
}

static void deleting(void **state)
{
	for (size_t i = 0; i < FLAGS; i++) {
		int fd = create(4, 8, 4, prealloc_flags[i]);
		uint32_t key = 9;
		uint64_t value = 77, got = 0;

		assert_int_equal(map_delete(fd, &key), -ENOENT);
		assert_int_equal(map_update(fd, &key, &value, 0), 0);
		assert_int_equal(map_delete(fd, &key), 0);
		assert_int_equal(map_delete(fd, &key), -ENOENT);
		assert_int_equal(map_lookup(fd, &key, &got), -ENOENT);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &key, &got, 0),
				 -ENOENT);
		assert_int_equal(map_update(fd, &key, &value, 0), 0);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &key, &got, 0), 0);
		assert_int_equal(got, 77);
		assert_int_equal(map_lookup(fd, &key, &got), -ENOENT);
		close(fd);
	}
}

static void walking(void **state)
{
	uint32_t key, next, seen[100], count;
	uint64_t value = 1;

	for (size_t i = 0; i < FLAGS; i++) {
		int fd = create(4, 8, 100, prealloc_flags[i]);

		next = 77;
		key = 5;
		assert_int_equal(map_next_key(fd, NULL, &next), -ENOENT);
		assert_int_equal(map_next_key(fd, &key, &next), -ENOENT);
		assert_int_equal(next, 77);
		for (key = 0; key < 100; key++)
			assert_int_equal(map_update(fd, &key, &value, 0), 0);
		memset(seen, 0, sizeof(seen));
		count = 0;
		for (int err = map_next_key(fd, NULL, &key); !err;
		     err = map_next_key(fd, &key, &key)) {
			assert_in_range(key, 0, 99);
			assert_int_equal(seen[key]++, 0);
			count++;
		}
		assert_int_equal(count, 100);
		/* An absent key restarts the walk. */
		assert_int_equal(map_next_key(fd, NULL, &next), 0);
		key = 12345;
		assert_int_equal(map_next_key(fd, &key, &key), 0);
		assert_int_equal(key, next);
		/* Fetch the next, then delete the current: everything once. */
		count = 0;
		for (int err = map_next_key(fd, NULL, &key); !err; key = next, count++) {
			err = map_next_key(fd, &key, &next);
			assert_int_equal(map_delete(fd, &key), 0);
		}
		assert_int_equal(count, 100);
		assert_int_equal(map_next_key(fd, NULL, &key), -ENOENT);
		/* Delete, then the next of the deleted: everything, too. */
		for (key = 0; key < 100; key++)
			assert_int_equal(map_update(fd, &key, &value, 0), 0);
		count = 0;
		for (int err = map_next_key(fd, NULL, &key); !err; count++) {
			assert_int_equal(map_delete(fd, &key), 0);
			err = map_next_key(fd, &key, &key);
		}
		assert_int_equal(count, 100);
		close(fd);
	}
}

/* Two threads on one key see nothing but presence and absence. */
struct pair {
	int fd;
	int wrong;
};

static void *insert_and_delete(void *arg)
{
	struct pair *pair = arg;
	uint32_t key = 1;
	uint64_t value = 1;

	for (int i = 0; i < 20000; i++) {
		int err = map_update(pair->fd, &key, &value, BPF_NOEXIST);

		pair->wrong += err != 0 && err != -EEXIST;
		err = map_delete(pair->fd, &key);
		pair->wrong += err != 0 && err != -ENOENT;
	}
	return NULL;
}

static void two_threads_on_one_key(void **state)
{
	struct pair pair = {create(4, 8, 16, 0), 0}, other = pair;
	uint32_t key = 1;
	uint64_t value = 1;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, insert_and_delete, &other), 0);
	insert_and_delete(&pair);
	pthread_join(thread, NULL);
	assert_int_equal(pair.wrong + other.wrong, 0);
	map_delete(pair.fd, &key);
	assert_int_equal(map_update(pair.fd, &key, &value, BPF_NOEXIST), 0);
	close(pair.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_values_of_all_sizes),
		cmocka_unit_test(flags),
		cmocka_unit_test(capacity_is_exact),
		cmocka_unit_test(deleting),
		cmocka_unit_test(walking),
		cmocka_unit_test(two_threads_on_one_key),
	};

	require_bpf();
	return run_tests(tests);
}
