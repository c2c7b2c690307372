/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_array.c: the element commands on ARRAY.
 */
#include "bpf_test.h"

#define N 5

static const unsigned value_sizes[] = {1, 3, 4, 7, 8, 12, 15, 16, 100, 4097};
#define SIZES (sizeof(value_sizes) / sizeof(value_sizes[0]))

static void *pattern(uint8_t *buffer, unsigned size, unsigned seed)
{
	for (unsigned i = 0; i < size; i++)
		buffer[i] = (uint8_t)(seed * 31 + i * 7 + 1);
	return buffer;
}

/* Exactly value_size bytes are read and written. */
static void values_of_all_sizes(void **state)
{
	uint8_t value[5000], got[5000];

	for (size_t s = 0; s < 2 * SIZES; s++) {
		const unsigned size = value_sizes[s / 2];
		int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, size, N, s % 2 ? BPF_F_MMAPABLE : 0);

		assert_true(fd >= 0);
		for (uint32_t key = 0; key < N; key++) {
			memset(got, 0xaa, sizeof(got));
			assert_int_equal(map_lookup(fd, &key, got), 0);
			for (unsigned i = 0; i < sizeof(got); i++)
				assert_int_equal(got[i], i < size ? 0 : 0xaa);
		}
		for (uint32_t key = 0; key < N; key++)
			assert_int_equal(map_update(fd, &key, pattern(value, size, key), 0), 0);
		for (uint32_t key = 0; key < N; key++) {
			assert_int_equal(map_lookup(fd, &key, got), 0);
			assert_memory_equal(got, pattern(value, size, key), size);
			assert_int_equal(got[size], 0xaa);
		}
		close(fd);
	}
}

static void flags_and_indices(void **state)
{
	static const struct {
		uint64_t flags;
		int in_range, out_of_range;
	} cases[] = {
		{BPF_ANY, 0, -E2BIG},		 {BPF_EXIST, 0, -E2BIG},
		{BPF_NOEXIST, -EEXIST, -E2BIG},	 {3, -EINVAL, -EINVAL},
		{BPF_F_LOCK, -EINVAL, -EINVAL},	 {5, -EINVAL, -EINVAL},
		{8, -EINVAL, -EINVAL},		 {16, -EINVAL, -EINVAL},
		{1ull << 32, -EINVAL, -EINVAL},	 {1ull << 63, -EINVAL, -EINVAL},
	};
	static const uint32_t outside[] = {N, N + 1, 0x80000000, 0xffffffff};
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, N, 0);
	uint64_t value = 3;
	uint32_t key = N - 1;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(map_update(fd, &key, &value, cases[i].flags), cases[i].in_range);
		for (size_t j = 0; j < 4; j++)
			assert_int_equal(map_update(fd, &outside[j], &value, cases[i].flags),
					 cases[i].out_of_range);
	}
	for (size_t j = 0; j < 4; j++) {
		assert_int_equal(map_lookup(fd, &outside[j], &value), -ENOENT);
		assert_int_equal(map_delete(fd, &outside[j]), -EINVAL);
	}
	assert_int_equal(map_delete(fd, &key), -EINVAL);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &key, &value, 0), -ENOTSUPP);
	close(fd);
}

static void walking(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, N, 0);
	uint32_t key, next = 77;

	assert_int_equal(map_next_key(fd, NULL, &next), 0);
	assert_int_equal(next, 0);
	for (key = 0; key < N - 1; key++) {
		assert_int_equal(map_next_key(fd, &key, &next), 0);
		assert_int_equal(next, key + 1);
	}
	next = 77;
	assert_int_equal(map_next_key(fd, &key, &next), -ENOENT);
	assert_int_equal(next, 77);
	for (uint32_t outside = N; outside; outside <<= 7) { /* any index out of range */
		assert_int_equal(map_next_key(fd, &outside, &next), 0);
		assert_int_equal(next, 0);
	}
	key = 0xffffffff;
	assert_int_equal(map_next_key(fd, &key, &next), 0);
	assert_int_equal(next, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_all_sizes),
		cmocka_unit_test(flags_and_indices),
		cmocka_unit_test(walking),
	};

	require_bpf();
	return run_tests(tests);
}
