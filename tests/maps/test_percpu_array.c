/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_percpu_array.c: the element commands on PERCPU_ARRAY: one slot for each possible CPU, each a
 * multiple of eight bytes, padding kept.
 */
#include "bpf_test.h"

#define N 3

static unsigned cpus;

static unsigned slot_size(unsigned value_size)
{
	return (value_size + 7) / 8 * 8;
}

static void all_slots_with_their_padding(void **state)
{
	static const unsigned sizes[] = {1, 4, 7, 8, 9, 24, 100, 32768};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		const size_t total = (size_t)slot_size(sizes[s]) * cpus;
		int fd = map_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizes[s], N, 0);
		uint8_t *values[N], *got = malloc(total + 8);

		assert_true(fd >= 0);
		for (uint32_t key = 0; key < N; key++) {
			values[key] = malloc(total);
			memset(got, 0xaa, total + 8);
			assert_int_equal(map_lookup(fd, &key, got), 0);
			for (size_t i = 0; i < total + 8; i++)
				assert_int_equal(got[i], i < total ? 0 : 0xaa);
			for (size_t i = 0; i < total; i++)
				values[key][i] = (uint8_t)(key * 11 + i * 13 + 5);
			assert_int_equal(map_update(fd, &key, values[key], 0), 0);
		}
		for (uint32_t key = 0; key < N; key++) {
			assert_int_equal(map_lookup(fd, &key, got), 0);
			assert_memory_equal(got, values[key], total);
			free(values[key]);
		}
		free(got);
		close(fd);
	}
}

static void flags_and_indices(void **state)
{
	static const struct {
		uint64_t flags;
		int in_range, out_of_range;
	} cases[] = {
		{BPF_ANY, 0, -E2BIG},		{BPF_EXIST, 0, -E2BIG},
		{BPF_NOEXIST, -EEXIST, -E2BIG}, {3, -EINVAL, -EINVAL},
		{BPF_F_LOCK, -EINVAL, -EINVAL}, {8, -EINVAL, -EINVAL},
		{16, -EINVAL, -EINVAL},		{1ull << 32 | 8, -EINVAL, -EINVAL},
	};
	int fd = map_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, N, 0);
	uint64_t *values = calloc(cpus, 8);
	uint32_t in = N - 1, out = N;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(map_update(fd, &in, values, cases[i].flags), cases[i].in_range);
		assert_int_equal(map_update(fd, &out, values, cases[i].flags),
				 cases[i].out_of_range);
	}
	assert_int_equal(map_lookup(fd, &out, values), -ENOENT);
	assert_int_equal(map_delete(fd, &in), -EINVAL);
	assert_int_equal(map_delete(fd, &out), -EINVAL);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &in, values, 0), -ENOTSUPP);
	free(values);
	close(fd);
}

static void walking(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, N, 0);
	uint32_t key = 0xffffffff, next;

	for (uint32_t expected = 0; expected < N; expected++) {
		assert_int_equal(map_next_key(fd, &key, &next), 0);
		assert_int_equal(next, expected);
		key = next;
	}
	assert_int_equal(map_next_key(fd, &key, &next), -ENOENT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_slots_with_their_padding),
		cmocka_unit_test(flags_and_indices),
		cmocka_unit_test(walking),
	};

	require_bpf();
	cpus = possible_cpus();
	return run_tests(tests);
}
