/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_batch.c: the four batch commands: which types have them, flags, count on success and failure,
 * cursors.
 */
#include "bpf_test.h"

#include <stdbool.h>

#define ATTR sizeof(union bpf_attr)
#define N 64

static unsigned cpus;

struct batch {
	void *in, *out, *keys, *values;
	uint32_t count;
	uint64_t elem_flags, flags;
};

static int run(int command, int fd, struct batch *b)
{
	union test_attr attr = {.a.batch = {.in_batch = ptr64(b->in),
					    .out_batch = ptr64(b->out),
					    .keys = ptr64(b->keys),
					    .values = ptr64(b->values),
					    .count = b->count,
					    .map_fd = (uint32_t)fd,
					    .elem_flags = b->elem_flags,
					    .flags = b->flags}};
	int err = (int)bpf_sys(command, &attr, ATTR);

	b->count = attr.a.batch.count;
	return err;
}

/* With keys 0..count-1 and key + 1 in all bytes of the value that are looked at. */
static int make(unsigned type, unsigned flags, uint32_t count)
{
	int fd = map_create(type, 4, 8, N, flags);
	uint64_t *value = calloc(cpus, 8);

	assert_true(fd >= 0);
	for (uint32_t key = 0; key < count; key++) {
		for (unsigned i = 0; i < cpus; i++)
			value[i] = key + 1;
		assert_int_equal(map_update(fd, &key, value, BPF_ANY), 0);
	}
	free(value);
	return fd;
}

enum { HAS_LOOKUP = 1, HAS_TAKE = 2, HAS_UPDATE = 4, HAS_DELETE = 8, HAS_ALL = 15 };

static const struct {
	unsigned type, flags, served, per_cpu;
} types[] = {
	{BPF_MAP_TYPE_HASH, 0, HAS_ALL, 0},
	{BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, HAS_ALL, 0},
	{BPF_MAP_TYPE_PERCPU_HASH, 0, HAS_ALL, 1},
	{BPF_MAP_TYPE_ARRAY, 0, HAS_LOOKUP | HAS_UPDATE, 0},
	{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, HAS_LOOKUP | HAS_UPDATE, 0},
	{BPF_MAP_TYPE_PERCPU_ARRAY, 0, HAS_LOOKUP | HAS_UPDATE, 1},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static const int commands[] = {BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_AND_DELETE_BATCH,
			       BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH};

static bool is_hash(size_t type)
{
	return types[type].served == HAS_ALL;
}

static void what_types_have(void **state)
{
	uint32_t keys[N] = {0};
	uint64_t *values = calloc(N * cpus, 8), cursor = 0;

	for (size_t t = 0; t < TYPES; t++)
		for (int c = 0; c < 4; c++) {
			int fd = make(types[t].type, types[t].flags, N);
			struct batch b = {NULL, &cursor, keys, values, 1, 0, 0};
			int err = run(commands[c], fd, &b);

			/* Nothing of the attribute is looked at where the command is missing. */
			if (!(types[t].served & 1u << c)) {
				assert_int_equal(err, -ENOTSUPP);
				assert_int_equal(b.count, 1);
				b = (struct batch){NULL, NULL, NULL, NULL, 0, 1, 1};
				assert_int_equal(run(commands[c], fd, &b), -ENOTSUPP);
			} else {
				assert_int_not_equal(err, -ENOTSUPP);
				b = (struct batch){NULL, NULL, NULL, NULL, 0, 0, 0};
				assert_int_equal(run(commands[c], fd, &b), 0);
			}
			close(fd);
		}
	free(values);
}

static void flags_are_checked(void **state)
{
	static const uint64_t wrong[] = {1, 2, 4, 8, 1ull << 32, 1ull << 63};
	uint64_t *values = calloc(N * cpus, 8), cursor = 0;
	uint32_t keys[N] = {0};

	for (size_t t = 0; t < TYPES; t++)
		for (int c = 0; c < 4; c++) {
			int fd = make(types[t].type, types[t].flags, 4);
			struct batch b;

			if (!(types[t].served & 1u << c)) {
				close(fd);
				continue;
			}
			for (int i = 0; i < 6; i++) {
				b = (struct batch){NULL, &cursor, keys, values, 7, wrong[i], 0};
				assert_int_equal(run(commands[c], fd, &b), -EINVAL);
				assert_int_equal(b.count, 7);
				b = (struct batch){NULL, &cursor, keys, values, 1, 0, wrong[i]};
				if (is_hash(t) && c < 2) {
					assert_int_equal(run(commands[c], fd, &b), -EINVAL);
					assert_int_equal(b.count, 1);
				} else {
					assert_int_not_equal(run(commands[c], fd, &b), -EINVAL);
				}
			}
			close(fd);
		}
	free(values);
}

/* In several steps of any size each element comes once, with its value. */
static void lookups_show_everything(void **state)
{
	static const uint32_t steps[] = {16, 20, N - 1, N, N + 1, 4 * N};
	uint64_t *values = calloc(4 * N * cpus, 8);
	uint32_t keys[4 * N], cursor, seen[N];

	for (size_t i = 0; i < TYPES * 6; i++) {
		const size_t t = i / 6;
		const unsigned slots = types[t].per_cpu ? cpus : 1;
		int fd = make(types[t].type, types[t].flags, N), err = 0;
		uint32_t total = 0, calls = 0;

		memset(seen, 0, sizeof(seen));
		while (!err) {
			struct batch b = {calls ? &cursor : NULL, &cursor, keys, values,
					  steps[i % 6], 0, 0};

			err = run(BPF_MAP_LOOKUP_BATCH, fd, &b);
			if (err != -ENOENT)
				assert_int_equal(err, 0);
			assert_true(b.count <= steps[i % 6]);
			for (uint32_t e = 0; e < b.count; e++) {
				assert_in_range(keys[e], 0, N - 1);
				assert_int_equal(seen[keys[e]]++, 0);
				for (unsigned s = 0; s < slots; s++)
					assert_int_equal(values[e * slots + s], keys[e] + 1);
			}
			total += b.count;
			calls++;
		}
		assert_int_equal(total, N);
		if (!is_hash(t)) /* by key: full steps, then the rest with ENOENT */
			assert_int_equal(calls, N / steps[i % 6] + 1);
		close(fd);
	}
	free(values);
}

/* All in one call: the end and all elements together. */
static void taking_everything(void **state)
{
	uint64_t *values = calloc(N * cpus, 8);
	uint32_t keys[N], cursor, key;

	for (size_t t = 0; t < TYPES; t++) {
		int fd = make(types[t].type, types[t].flags, N);
		struct batch b = {NULL, &cursor, keys, values, N, 0, 0};

		if (is_hash(t)) {
			assert_int_equal(run(BPF_MAP_LOOKUP_AND_DELETE_BATCH, fd, &b), -ENOENT);
			assert_int_equal(b.count, N);
			for (int i = 0; i < N; i++)
				assert_int_equal(values[i * (types[t].per_cpu ? cpus : 1)],
						 keys[i] + 1);
			assert_int_equal(map_next_key(fd, NULL, &key), -ENOENT);
			assert_int_equal(run(BPF_MAP_LOOKUP_AND_DELETE_BATCH, fd, &b), -ENOENT);
			assert_int_equal(b.count, 0);
			b.count = N;
			assert_int_equal(run(BPF_MAP_LOOKUP_BATCH, fd, &b), -ENOENT);
			assert_int_equal(b.count, 0);
		}
		close(fd);
	}
	free(values);
}

static void cursors_beyond_the_end(void **state)
{
	uint64_t *values = calloc(N * cpus, 8);
	uint32_t keys[N], in = 0xfffffff0, out;

	for (size_t t = 0; t < TYPES; t++) {
		int fd = make(types[t].type, types[t].flags, N);
		struct batch b = {&in, &out, keys, values, 5, 0, 0};

		if (is_hash(t)) {
			assert_int_equal(run(BPF_MAP_LOOKUP_BATCH, fd, &b), -ENOENT);
			assert_int_equal(b.count, 0);
		} else { /* starts again */
			assert_int_equal(run(BPF_MAP_LOOKUP_BATCH, fd, &b), 0);
			assert_int_equal(b.count, 5);
			assert_int_equal(keys[0], 0);
			assert_int_equal(out, 4);
		}
		close(fd);
	}
	free(values);
}

static void bad_pointers_of_lookups(void **state)
{
	uint64_t *values = calloc(N * cpus, 8);
	uint32_t keys[N], cursor = 0;
	const struct batch good = {NULL, &cursor, keys, values, 16, 0, 0};

	for (size_t t = 0; t < TYPES; t++) {
		int fd = make(types[t].type, types[t].flags, N);

		for (int which = 0; which < 4; which++) {
			struct batch b = good;

			if (which == 0)
				b.in = (void *)8;
			else
				*(which == 1 ? &b.out : which == 2 ? &b.keys : &b.values) = NULL;
			assert_int_equal(run(BPF_MAP_LOOKUP_BATCH, fd, &b), -EFAULT);
			if (which && is_hash(t))
				assert_int_equal(b.count, 0);
			if (which == 1 && !is_hash(t)) /* what was copied before */
				assert_int_equal(b.count, 16);
			if (which > 1)
				assert_int_equal(b.count, 0);
		}
		close(fd);
	}
	free(values);
}

static void updates_stop_at_the_first_failure(void **state)
{
	uint64_t *values = calloc((N + 2) * cpus, 8);
	uint32_t keys[N + 2], key;

	for (size_t t = 0; t < TYPES; t++) {
		const unsigned slots = types[t].per_cpu ? cpus : 1;
		int fd = make(types[t].type, types[t].flags, 0);
		struct batch b = {(void *)8, (void *)8, keys, values, N + 2, 0, 0};

		for (uint32_t i = 0; i < N + 2; i++) {
			keys[i] = i;
			for (unsigned s = 0; s < slots; s++)
				values[i * slots + s] = 2 * i;
		}
		/* The last two do not fit; cursors are not looked at. */
		assert_int_equal(run(BPF_MAP_UPDATE_BATCH, fd, &b), -E2BIG);
		assert_int_equal(b.count, N);
		key = N - 1;
		assert_int_equal(map_lookup(fd, &key, values), 0);
		assert_int_equal(values[0], 2 * (N - 1));
		/* One key several times is fine; the last one counts. */
		keys[0] = keys[1] = keys[2] = 3;
		values[2 * slots] = 99;
		b = (struct batch){NULL, NULL, keys, values, 3, 0, 0xffff};
		assert_int_equal(run(BPF_MAP_UPDATE_BATCH, fd, &b), 0);
		assert_int_equal(b.count, 3);
		key = 3;
		assert_int_equal(map_lookup(fd, &key, values), 0);
		assert_int_equal(values[0], 99);
		b = (struct batch){NULL, NULL, NULL, values, 3, 0, 0};
		assert_int_equal(run(BPF_MAP_UPDATE_BATCH, fd, &b), -EFAULT);
		assert_int_equal(b.count, 0);
		b = (struct batch){NULL, NULL, keys, NULL, 3, 0, 0};
		assert_int_equal(run(BPF_MAP_UPDATE_BATCH, fd, &b), -EFAULT);
		assert_int_equal(b.count, 0);
		close(fd);
	}
	free(values);
}

static void deletes_stop_at_the_first_failure(void **state)
{
	uint32_t keys[] = {0, 1, 1, 2}, key;
	uint64_t *value = calloc(cpus, 8);

	for (size_t t = 0; t < 3; t++) {
		int fd = make(types[t].type, types[t].flags, N);
		struct batch b = {NULL, NULL, keys, NULL, 4, 0, 0};

		assert_int_equal(run(BPF_MAP_DELETE_BATCH, fd, &b), -ENOENT);
		assert_int_equal(b.count, 2);
		for (key = 0; key < 4; key++)
			assert_int_equal(map_lookup(fd, &key, value), key < 2 ? -ENOENT : 0);
		b = (struct batch){NULL, NULL, keys + 3, NULL, 1, 0, 0};
		assert_int_equal(run(BPF_MAP_DELETE_BATCH, fd, &b), 0);
		assert_int_equal(b.count, 1);
		close(fd);
	}
	free(value);
}

static void access_is_checked_first(void **state)
{
	static const struct {
		unsigned flag;
		int expected[4];
	} cases[] = {
		{BPF_F_RDONLY, {0, -EPERM, -EPERM, -EPERM}},
		{BPF_F_WRONLY, {-EPERM, -EPERM, 0, 0}},
	};

	for (size_t i = 0; i < 2; i++)
		for (int c = 0; c < 4; c++) {
			int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, N, cases[i].flag);
			struct batch b = {NULL, NULL, NULL, NULL, 0, 0, 0};

			assert_int_equal(run(commands[c], fd, &b), cases[i].expected[c]);
			b = (struct batch){NULL, NULL, NULL, NULL, 9, 1, 1};
			assert_int_equal(run(commands[c], fd, &b),
					 cases[i].expected[c] ? -EPERM : -EINVAL);
			assert_int_equal(b.count, 9);
			close(fd);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_types_have),
		cmocka_unit_test(flags_are_checked),
		cmocka_unit_test(lookups_show_everything),
		cmocka_unit_test(taking_everything),
		cmocka_unit_test(cursors_beyond_the_end),
		cmocka_unit_test(bad_pointers_of_lookups),
		cmocka_unit_test(updates_stop_at_the_first_failure),
		cmocka_unit_test(deletes_stop_at_the_first_failure),
		cmocka_unit_test(access_is_checked_first),
	};

	require_bpf();
	cpus = possible_cpus();
	return run_tests(tests);
}
