/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_map_in_map.c: ARRAY_OF_MAPS and HASH_OF_MAPS: creation from a template, what may be an
 * element, the element and batch commands, programs, and how long inner maps live. The kernel lets
 * go of maps lazily, so their end is waited for.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "../vm/run.h"

#define ARRAY BPF_MAP_TYPE_ARRAY
#define HASH BPF_MAP_TYPE_HASH
#define AOM BPF_MAP_TYPE_ARRAY_OF_MAPS
#define HOM BPF_MAP_TYPE_HASH_OF_MAPS
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_FD (-1)

static const unsigned outer_types[] = {AOM, HOM};

static int create_outer(unsigned type, unsigned key_size, unsigned value_size, unsigned n,
			unsigned flags, int inner)
{
	union test_attr t = {.a = {.map_type = type,
				   .key_size = key_size,
				   .value_size = value_size,
				   .max_entries = n,
				   .map_flags = flags,
				   .inner_map_fd = (uint32_t)inner}};

	return (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(t.a));
}

/* An inner map: an array of one 8-byte value. */
static int make_inner(uint64_t value)
{
	int fd = map_create(ARRAY, 4, 8, 1, 0);
	uint32_t key = 0;

	assert_true(fd >= 0);
	assert_int_equal(map_update(fd, &key, &value, 0), 0);
	return fd;
}

static int make_outer(unsigned type, unsigned n)
{
	int inner = make_inner(0), fd = create_outer(type, 4, 4, n, 0, inner);

	assert_true(fd >= 0);
	close(inner);
	return fd;
}

static int set(int outer, uint32_t key, int inner)
{
	return map_update(outer, &key, &inner, BPF_ANY);
}

static int unset(int outer, uint32_t key)
{
	return map_delete(outer, &key);
}

/* The id in an element; 0: there is none. */
static uint32_t get(int outer, uint32_t key)
{
	uint32_t id = 0;
	int err = map_lookup(outer, &key, &id);

	assert_true(err == 0 || err == -ENOENT);
	return err ? 0 : id;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	union test_attr t = {
		.a.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = ptr64(&info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(t.a.info)), 0);
	return info.id;
}

static int open_id(uint32_t id)
{
	union test_attr t = {.a.map_id = id};

	return (int)bpf_sys(BPF_MAP_GET_FD_BY_ID, &t, 12);
}

static int is_alive(uint32_t id)
{
	int fd = open_id(id);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int goes_away(uint32_t id)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	for (int i = 0; i < 1000 && is_alive(id); i++)
		nanosleep(&pause, NULL);
	return !is_alive(id);
}

/* The value of an inner map by its id; -1: there is no such map. */
static int64_t value_by_id(uint32_t id)
{
	int fd = open_id(id);
	uint32_t key = 0;
	int64_t value;

	if (fd < 0)
		return -1;
	assert_int_equal(map_lookup(fd, &key, &value), 0);
	close(fd);
	return value;
}

static void templates(void **state)
{
	int inner = make_inner(0), outer = make_outer(HOM, 1), pipes[2];
	const struct {
		unsigned type, key, value, n, flags;
		int inner, result;
	} cases[] = {
		{AOM, 4, 4, 1, 0, inner, 0},
		{HOM, 4, 4, 1, 0, inner, 0},
		{HOM, 13, 4, 1, BPF_F_NO_PREALLOC, inner, 0},
		{HOM, 4, 4, 1, BPF_F_ZERO_SEED | BPF_F_RDONLY_PROG, inner, 0},
		{AOM, 4, 4, 1, BPF_F_NUMA_NODE, inner, 0},
		{AOM, 4, 4, 1, 0, NO_FD, -EBADF},
		{HOM, 4, 4, 1, 0, NO_FD, -EBADF},
		{AOM, 4, 4, 1, 0, 0x7fff, -EBADF},
		{AOM, 4, 4, 1, 0, -2 /* a pipe */, -EINVAL},
		{AOM, 4, 4, 1, 0, outer, -EINVAL},
		{HOM, 4, 4, 1, 0, outer, -EINVAL},
		/* before the template is looked at */
		{AOM, 4, 8, 1, 0, NO_FD, -EINVAL},
		{AOM, 8, 4, 1, 0, NO_FD, -EINVAL},
		{AOM, 4, 4, 0, 0, NO_FD, -EINVAL},
		{HOM, 4, 8, 1, 0, NO_FD, -EINVAL},
		{HOM, 0, 4, 1, 0, NO_FD, -EINVAL},
		{HOM, 4, 4, 0, 0, NO_FD, -EINVAL},
		{HOM, 4 << 20, 4, 1, 0, NO_FD, -E2BIG},
		{AOM, 4, 4, 1, BPF_F_NO_PREALLOC, NO_FD, -EINVAL},
		{AOM, 4, 4, 1, BPF_F_RDONLY_PROG, NO_FD, -EINVAL},
		{AOM, 4, 4, 1, BPF_F_MMAPABLE, NO_FD, -EINVAL},
		{AOM, 4, 4, 1, BPF_F_INNER_MAP, NO_FD, -EINVAL},
		{HOM, 4, 4, 1, BPF_F_INNER_MAP, NO_FD, -EINVAL},
		/* other types do not look */
		{ARRAY, 4, 4, 1, 0, NO_FD, 0},
	};

	assert_int_equal(pipe(pipes), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = create_outer(cases[i].type, cases[i].key, cases[i].value, cases[i].n,
				      cases[i].flags,
				      cases[i].inner == -2 ? pipes[0] : cases[i].inner);

		if ((fd < 0 ? fd : 0) != cases[i].result)
			fail_msg("case %zu: %d", i, fd);
		if (fd >= 0)
			close(fd);
	}
	close(pipes[0]);
	close(pipes[1]);
	close(inner);
	close(outer);
}

/* All types but the outer ones and those that hold programs. */
static void template_types(void **state)
{
	static const struct {
		unsigned type, key, value, n, flags;
		int result;
	} cases[] = {
		{HASH, 4, 4, 4, 0, 0},
		{ARRAY, 4, 4, 4, BPF_F_MMAPABLE, 0},
		{BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 4, 0, 0},
		{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 4, 0, 0},
		{BPF_MAP_TYPE_LRU_HASH, 4, 4, 4, 0, 0},
		{BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 4, 4, 0, 0},
		{BPF_MAP_TYPE_QUEUE, 0, 4, 4, 0, 0},
		{BPF_MAP_TYPE_STACK, 0, 4, 4, 0, 0},
		{BPF_MAP_TYPE_LPM_TRIE, 8, 4, 4, BPF_F_NO_PREALLOC, 0},
		{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, 0},
		{BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0, -ENOTSUPP},
	};

	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const size_t c = i / 2;
		int inner = map_create(cases[c].type, cases[c].key, cases[c].value, cases[c].n,
				       cases[c].flags);
		int fd;

		if (inner < 0)
			continue; /* this build does not have the type */
		fd = create_outer(outer_types[i % 2], 4, 4, 1, 0, inner);
		if (cases[c].result) {
			assert_int_equal(fd, cases[c].result);
		} else {
			assert_true(fd >= 0);
			assert_int_equal(set(fd, 0, inner), 0);
			assert_int_equal(get(fd, 0), map_id(inner));
			close(fd);
		}
		close(inner);
	}
}

struct shape {
	unsigned type, key, value, n, flags;
};

/* What may be an element: the shape of the template, of the element, the result. */
static void matching(void **state)
{
	static const struct {
		struct shape template, element;
		int result;
	} cases[] = {
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 4, 1, 0}, 0},
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 4, 1, BPF_F_RDONLY}, 0},
		{{ARRAY, 4, 4, 1, BPF_F_WRONLY}, {ARRAY, 4, 4, 1, 0}, 0},
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 4, 2, 0}, -EINVAL},
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 8, 1, 0}, -EINVAL},
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 4, 1, BPF_F_MMAPABLE}, -EINVAL},
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 4, 1, BPF_F_INNER_MAP}, -EINVAL},
		{{ARRAY, 4, 4, 1, 0}, {ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG}, -EINVAL},
		{{ARRAY, 4, 4, 1, 0}, {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 1, 0}, -EINVAL},
		{{ARRAY, 4, 4, 1, 0}, {HASH, 4, 4, 1, 0}, -EINVAL},
		{{ARRAY, 4, 4, 1, BPF_F_INNER_MAP}, {ARRAY, 4, 4, 5, BPF_F_INNER_MAP}, 0},
		{{ARRAY, 4, 4, 5, BPF_F_INNER_MAP}, {ARRAY, 4, 4, 5, 0}, -EINVAL},
		{{HASH, 4, 4, 4, 0}, {HASH, 4, 4, 400, 0}, 0},
		{{HASH, 4, 4, 4, 0}, {HASH, 4, 4, 4, BPF_F_NO_PREALLOC}, -EINVAL},
		{{HASH, 4, 4, 4, 0}, {HASH, 5, 4, 4, 0}, -EINVAL},
		{{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 4, 0},
		 {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 9, 0},
		 0},
		{{BPF_MAP_TYPE_QUEUE, 0, 4, 4, 0}, {BPF_MAP_TYPE_QUEUE, 0, 4, 9, 0}, 0},
		{{BPF_MAP_TYPE_QUEUE, 0, 4, 4, 0}, {BPF_MAP_TYPE_STACK, 0, 4, 4, 0}, -EINVAL},
	};

	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const struct shape *t = &cases[i / 2].template, *e = &cases[i / 2].element;
		int template = map_create(t->type, t->key, t->value, t->n, t->flags);
		int element = map_create(e->type, e->key, e->value, e->n, e->flags);
		int fd = create_outer(outer_types[i % 2], 4, 4, 2, 0, template);

		assert_true(fd >= 0 && element >= 0);
		close(template);
		if (set(fd, 1, element) != cases[i / 2].result)
			fail_msg("case %zu: %d", i, set(fd, 1, element));
		close(element);
		close(fd);
	}
}

static void array_elements(void **state)
{
	int outer = make_outer(AOM, 4), a = make_inner(1), b = make_inner(2),
	    other = make_outer(AOM, 4);
	const struct {
		uint32_t key;
		uint64_t flags;
		int value, result;
	} cases[] = {
		{1, BPF_NOEXIST, a, -EINVAL},
		{1, BPF_EXIST, a, -EINVAL},
		{1, BPF_F_LOCK, a, -EINVAL},
		{1, 8, a, -EINVAL},
		{4, 0, a, -E2BIG},
		{4, BPF_NOEXIST, a, -EINVAL},
		{~0u, 0, a, -E2BIG},
		{4, 0, NO_FD, -E2BIG},
		{1, BPF_NOEXIST, -1, -EINVAL},
		{1, 0, NO_FD, -EBADF},
		{1, 0, outer, -EINVAL},
		{1, 0, other, -EINVAL},
		{1, 0, a, 0},
		{1, 0, b, 0},
		{1, 0, b, 0},
		{3, 0, b, 0},
	};
	uint32_t key, got = 77;

	for (size_t i = 0; i < COUNT(cases); i++)
		if (map_update(outer, &cases[i].key, &cases[i].value, cases[i].flags) !=
		    cases[i].result)
			fail_msg("case %zu", i);
	assert_int_equal(get(outer, 1), map_id(b));
	assert_int_equal(get(outer, 3), map_id(b));
	assert_int_equal(get(outer, 0), 0);
	assert_int_equal(get(outer, 4), 0);
	assert_int_equal(set(outer, 1, a), 0);
	assert_int_equal(get(outer, 1), map_id(a));
	key = 1;
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, outer, &key, &got, 0), -ENOTSUPP);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_ELEM, outer, &key, &got, BPF_F_LOCK), -EINVAL);
	assert_int_equal(unset(outer, 1), 0);
	assert_int_equal(unset(outer, 1), -ENOENT);
	assert_int_equal(unset(outer, 4), -E2BIG);
	for (uint32_t i = 0; i < 4; i++) { /* empty or not */
		assert_int_equal(map_next_key(outer, i ? &(uint32_t){i - 1} : NULL, &got), 0);
		assert_int_equal(got, i);
	}
	assert_int_equal(map_next_key(outer, &(uint32_t){3}, &got), -ENOENT);
	assert_int_equal(map_next_key(outer, &(uint32_t){4}, &got), 0);
	assert_int_equal(got, 0);
	close(outer);
	close(other);
	close(a);
	close(b);
}

static void hash_elements(void **state)
{
	int outer = make_outer(HOM, 4), a = make_inner(1), b = make_inner(2),
	    wrong = make_outer(AOM, 1);
	const struct {
		uint32_t key;
		uint64_t flags;
		int value, result;
	} cases[] = {
		{1, BPF_EXIST, a, -ENOENT},
		{1, BPF_NOEXIST, a, 0},
		{1, BPF_NOEXIST, a, -EEXIST},
		{1, BPF_NOEXIST, b, -EEXIST},
		{1, BPF_EXIST, b, 0},
		{1, BPF_EXIST, b, 0},
		{1, 3, a, -EINVAL},
		{1, BPF_F_LOCK, a, -EINVAL},
		{1, 8, a, -EINVAL},
		{1, 3, NO_FD, -EBADF},
		{2, BPF_EXIST, NO_FD, -EBADF},
		{1, 0, wrong, -EINVAL},
		{2, BPF_EXIST, wrong, -EINVAL},
		{2, 0, a, 0},
		{3, 0, a, 0},
		{4, 0, a, 0},
		{5, 0, a, -E2BIG},
		{5, BPF_NOEXIST, a, -E2BIG},
		{5, BPF_EXIST, a, -ENOENT},
		{4, 0, b, 0},
		{4, BPF_EXIST, a, 0},
	};
	uint32_t key = 1, got, count = 0, *last = NULL;

	for (size_t i = 0; i < COUNT(cases); i++)
		if (map_update(outer, &cases[i].key, &cases[i].value, cases[i].flags) !=
		    cases[i].result)
			fail_msg("case %zu", i);
	assert_int_equal(get(outer, 1), map_id(b));
	assert_int_equal(get(outer, 2), map_id(a));
	assert_int_equal(get(outer, 4), map_id(a));
	assert_int_equal(get(outer, 5), 0);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, outer, &key, &got, 0), -ENOTSUPP);
	for (; !map_next_key(outer, last, &key); last = &key)
		count++;
	assert_int_equal(count, 4);
	for (key = 1; key <= 4; key++)
		assert_int_equal(unset(outer, key), 0);
	assert_int_equal(unset(outer, 4), -ENOENT);
	assert_int_equal(map_next_key(outer, NULL, &key), -ENOENT);
	close(outer);
	close(wrong);
	close(a);
	close(b);
}

/* Keys of many sizes, more insertions than elements, both kinds of allocation. Few updates: each
 * makes the kernel wait for all programs. */
static void hash_capacity(void **state)
{
	static const unsigned sizes[] = {1, 4, 8, 33, 300};
	int a = make_inner(1), b = make_inner(2);
	uint8_t key[300] = {0};

	for (size_t s = 0; s < 2 * COUNT(sizes); s++) {
		const unsigned size = sizes[s / 2], flags = s % 2 ? BPF_F_NO_PREALLOC : 0;
		int outer = create_outer(HOM, size, 4, 5, flags, a);

		assert_true(outer >= 0);
		for (unsigned i = 0; i < 9; i++) {
			if (i >= 5) {
				key[size - 1] = (uint8_t)i;
				assert_int_equal(map_update(outer, key, &a, 0), -E2BIG);
				key[size - 1] = (uint8_t)(i - 5);
				assert_int_equal(map_update(outer, key, &b, 0), 0);
				assert_int_equal(map_delete(outer, key), 0);
			}
			key[size - 1] = (uint8_t)i;
			assert_int_equal(map_update(outer, key, &a, BPF_NOEXIST), 0);
		}
		close(outer);
	}
	close(a);
	close(b);
}

static long batch(int cmd, int fd, void *in, uint32_t *keys, uint32_t *values, uint32_t *count,
		  uint64_t elem_flags, uint64_t flags)
{
	static uint32_t cursor;
	union test_attr t = {.a.batch = {.in_batch = ptr64(in ? &cursor : NULL),
					 .out_batch = ptr64(&cursor),
					 .keys = ptr64(keys),
					 .values = ptr64(values),
					 .count = *count,
					 .map_fd = (uint32_t)fd,
					 .elem_flags = elem_flags,
					 .flags = flags}};
	long result = bpf_sys(cmd, &t, 56);

	*count = t.a.batch.count;
	return result;
}

static void array_batches(void **state)
{
	int outer = make_outer(AOM, 4), inner = make_inner(1);
	uint32_t keys[8] = {0, 1, 2, 3}, values[8], n = 4;

	for (int i = 0; i < 4; i++)
		values[i] = (uint32_t)inner;
	values[2] = (uint32_t)NO_FD;
	assert_int_equal(batch(BPF_MAP_UPDATE_BATCH, outer, NULL, keys, values, &n, 0, 0), -EBADF);
	assert_int_equal(n, 2);
	values[2] = (uint32_t)inner;
	n = 4;
	assert_int_equal(batch(BPF_MAP_UPDATE_BATCH, outer, NULL, keys, values, &n, 1, 0), -EINVAL);
	assert_int_equal(batch(BPF_MAP_UPDATE_BATCH, outer, NULL, keys, values, &n, 0, 7), 0);
	assert_int_equal(n, 4);
	assert_int_equal(batch(BPF_MAP_DELETE_BATCH, outer, NULL, keys, values, &n, 0, 0),
			 -ENOTSUPP);
	assert_int_equal(
		batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH, outer, NULL, keys, values, &n, 0, 0),
		-ENOTSUPP);
	assert_int_equal(unset(outer, 1), 0);
	n = 2;
	assert_int_equal(batch(BPF_MAP_LOOKUP_BATCH, outer, NULL, keys, values, &n, 0, 5), 0);
	assert_true(n == 2 && keys[0] == 0 && keys[1] == 2 && values[1] == map_id(inner));
	assert_int_equal(batch(BPF_MAP_LOOKUP_BATCH, outer, keys, keys, values, &n, 0, 0), -ENOENT);
	assert_true(n == 1 && keys[0] == 3 && values[0] == map_id(inner));
	close(outer);
	close(inner);
}

static void hash_batches(void **state)
{
	int outer = make_outer(HOM, 4), inner = make_inner(1);
	uint32_t keys[8] = {0, 1, 2, 3, 4}, values[8], n = 5, seen = 0, id = map_id(inner);

	for (int i = 0; i < 5; i++)
		values[i] = (uint32_t)inner;
	assert_int_equal(batch(BPF_MAP_UPDATE_BATCH, outer, NULL, keys, values, &n, 0, 0), -E2BIG);
	assert_int_equal(n, 4);
	n = 8;
	assert_int_equal(batch(BPF_MAP_LOOKUP_BATCH, outer, NULL, keys, values, &n, 0, 1), -EINVAL);
	memset(values, 0xaa, sizeof(values));
	assert_int_equal(batch(BPF_MAP_LOOKUP_BATCH, outer, NULL, keys, values, &n, 0, 0), -ENOENT);
	assert_int_equal(n, 4);
	assert_int_equal(values[4], 0xaaaaaaaa);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(values[i], id);
		seen |= 1u << keys[i];
	}
	assert_int_equal(seen, 15);
	keys[0] = 1;
	keys[1] = 9;
	n = 2;
	assert_int_equal(batch(BPF_MAP_DELETE_BATCH, outer, NULL, keys, NULL, &n, 0, 0), -ENOENT);
	assert_int_equal(n, 1);
	close(inner);
	n = 8;
	memset(values, 0, sizeof(values));
	assert_int_equal(
		batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH, outer, NULL, keys, values, &n, 0, 0),
		-ENOENT);
	assert_true(n == 3 && values[0] == id && values[2] == id);
	assert_int_equal(map_next_key(outer, NULL, keys), -ENOENT);
	assert_true(goes_away(id));
	close(outer);
}

static void frozen_and_restricted(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		const unsigned type = outer_types[i];
		int inner = make_inner(1), outer = make_outer(type, 2);
		int rd = create_outer(type, 4, 4, 2, BPF_F_RDONLY, inner);
		int wr = create_outer(type, 4, 4, 2, BPF_F_WRONLY, inner);
		union test_attr freeze = {.a.map_fd = (uint32_t)outer};
		uint32_t key = 0, got;

		assert_int_equal(set(rd, 0, inner), -EPERM);
		assert_int_equal(unset(rd, 0), -EPERM);
		assert_int_equal(map_lookup(rd, &key, &got), -ENOENT);
		assert_int_equal(set(wr, 0, inner), 0);
		assert_int_equal(map_lookup(wr, &key, &got), -EPERM);
		assert_int_equal(set(outer, 0, inner), 0);
		assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &freeze, 4), 0);
		assert_int_equal(set(outer, 1, inner), -EPERM);
		assert_int_equal(unset(outer, 0), -EPERM);
		assert_int_equal(get(outer, 0), map_id(inner));
		freeze.a.map_fd = (uint32_t)inner; /* a frozen map may be template and element */
		assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &freeze, 4), 0);
		assert_int_equal(set(wr, 1, inner), 0);
		close(rd);
		rd = create_outer(type, 4, 4, 2, 0, inner);
		assert_true(rd >= 0);
		close(rd);
		close(wr);
		close(outer);
		close(inner);
	}
}

static void memlock(void **state)
{
	static const struct {
		unsigned type, key, n, flags;
		long bytes;
	} cases[] = {
		{AOM, 4, 1, 0, 320},
		{AOM, 4, 1000, 0, 8312},
		{HOM, 4, 10, 0, 1808},
		{HOM, 13, 10, 0, 1888},
		{HOM, 4, 10, BPF_F_NO_PREALLOC, 1152},
	};
	int inner = make_inner(0);

	if (possible_cpus() != 2)
		skip();
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = create_outer(cases[i].type, cases[i].key, 4, cases[i].n, cases[i].flags,
				      inner);
		char path[64], line[128];
		long bytes = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		f = fopen(path, "r");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f))
			sscanf(line, "memlock: %ld", &bytes);
		fclose(f);
		assert_int_equal(bytes, cases[i].bytes);
		close(fd);
	}
	close(inner);
}

/* Programs */

#define MAP_FD(dst, fd) LD64_RAW(dst, BPF_PSEUDO_MAP_FD, fd, 0)
#define KEY(off, key) ST_K(W, R10, off, key), MOV_X(R2, R10), ALU64_K(ADD, R2, off)

static int load(const struct bpf_insn *insns)
{
	int fd = prog_load(BPF_PROG_TYPE_SOCKET_FILTER, 0, insns, insn_count(insns));

	assert_true(fd >= 0);
	return fd;
}

static uint32_t run(int prog, unsigned repeat)
{
	static const uint8_t packet[64];
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.data_in = ptr64(packet),
					.data_size_in = sizeof(packet),
					.repeat = repeat}};

	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	return t.a.test.retval;
}

static void refused_at_load(void **state)
{
	static const struct {
		const char *name;
		int helper;
	} cases[] = {
		{"map_update_elem", 2}, {"map_delete_elem", 3}, {"map_push_elem", 87},
		{"map_pop_elem", 88},   {"map_peek_elem", 89},  {"map_lookup_percpu_elem", 195},
	};
	char log[4096], expected[128];

	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		int outer = make_outer(outer_types[i % 2], 2);
		const struct bpf_insn insns[] = {KEY(-4, 0),
						 MOV_X(R3, R2),
						 MOV_K(R4, 0),
						 MAP_FD(R1, outer),
						 CALL(cases[i / 2].helper),
						 MOV_K(R0, 0),
						 EXIT};
		union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
					   .insns = ptr64(insns),
					   .insn_cnt = COUNT(insns),
					   .license = ptr64("GPL"),
					   .log_buf = ptr64(log),
					   .log_size = sizeof(log),
					   .log_level = 1}};

		assert_int_equal(bpf_sys(BPF_PROG_LOAD, &t, sizeof(t.a)), -EINVAL);
		snprintf(expected, sizeof(expected), "cannot pass map_type %u into func bpf_%s#%d",
			 outer_types[i % 2], cases[i / 2].name, cases[i / 2].helper);
		assert_non_null(strstr(log, expected));
		close(outer);
	}
}

/* The sum of the values of the inner maps under keys 0..n-1; key of the value 0. */
static int load_sum(int outer, int n)
{
	const struct bpf_insn insns[] = {
		MOV_K(R6, 0),
		MOV_K(R7, 0),
		ST_X(W, R10, -4, R6),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -4),
		MAP_FD(R1, outer),
		CALL(1),
		J_K(JEQ, R0, 0, 8),
		MOV_X(R1, R0),
		KEY(-8, 0),
		CALL(1),
		J_K(JEQ, R0, 0, 2),
		LD(DW, R1, R0, 0),
		ALU64_X(ADD, R7, R1),
		ALU64_K(ADD, R6, 1),
		J_K(JLT, R6, n, -17),
		MOV_X(R0, R7),
		EXIT,
		{0},
	};

	return load(insns);
}

static void programs_read(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int outer = make_outer(outer_types[i], 100), prog = load_sum(outer, 100);
		uint64_t expected = 0;

		assert_int_equal(run(prog, 1), 0);
		for (uint32_t key = 0; key < 100; key += 3) { /* many in one run */
			int inner = make_inner(key + 1);

			assert_int_equal(set(outer, key, inner), 0);
			close(inner);
			expected += key + 1;
			assert_int_equal(run(prog, 1), expected);
		}
		assert_int_equal(run(prog, 50), expected);
		assert_int_equal(unset(outer, 99), 0);
		assert_int_equal(run(prog, 1), expected - 100);
		close(outer);
		assert_int_equal(run(prog, 1), expected - 100);
		close(prog);
	}
}

/* Values of several inner maps stay valid side by side; programs change inner maps. */
static void programs_write(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int outer = make_outer(outer_types[i], 2), a = make_inner(10), b = make_inner(20);
		const struct bpf_insn insns[] = {
			KEY(-4, 0),
			MAP_FD(R1, outer),
			CALL(1),
			J_K(JEQ, R0, 0, 26),
			MOV_X(R1, R0),
			KEY(-8, 0),
			CALL(1),
			J_K(JEQ, R0, 0, 20),
			MOV_X(R6, R0), /* the value of a */
			KEY(-4, 1),
			MAP_FD(R1, outer),
			CALL(1),
			J_K(JEQ, R0, 0, 12),
			LD(DW, R1, R6, 0),
			ST_X(DW, R10, -16, R1),
			ST_K(DW, R6, 0, 33),
			MOV_X(R1, R0),
			MOV_X(R2, R10),
			ALU64_K(ADD, R2, -8),
			MOV_X(R3, R10),
			ALU64_K(ADD, R3, -16),
			MOV_K(R4, 0),
			CALL(2),
			LD(DW, R0, R6, 0),
			EXIT,
			MOV_K(R0, 0),
			EXIT,
			{0},
		};
		uint32_t key = 0;
		uint64_t value;
		int prog;

		assert_int_equal(set(outer, 0, a), 0);
		assert_int_equal(set(outer, 1, b), 0);
		prog = load(insns);
		assert_int_equal(run(prog, 1), 33);
		assert_int_equal(map_lookup(a, &key, &value), 0);
		assert_int_equal(value, 33);
		assert_int_equal(map_lookup(b, &key, &value), 0);
		assert_int_equal(value, 10);
		close(prog);
		close(outer);
		close(a);
		close(b);
	}
}

/* The helpers of the inner type, here of a queue and of a hash that was empty. */
static void programs_use_inner_types(void **state)
{
	int queue = map_create(BPF_MAP_TYPE_QUEUE, 0, 4, 4, 0), hash = map_create(HASH, 8, 4, 4, 0);
	int queues = create_outer(AOM, 4, 4, 1, 0, queue),
	    hashes = create_outer(HOM, 4, 4, 1, 0, hash);
	const struct bpf_insn push[] = {
		KEY(-4, 0),     MAP_FD(R1, queues),
		CALL(1),        J_K(JEQ, R0, 0, 6),
		MOV_X(R1, R0),  ST_K(W, R10, -8, 77),
		MOV_X(R2, R10), ALU64_K(ADD, R2, -8),
		MOV_K(R3, 0),   CALL(87),
		EXIT,           {0},
	};
	const struct bpf_insn insert[] = {
		KEY(-4, 0),
		MAP_FD(R1, hashes),
		CALL(1),
		J_K(JEQ, R0, 0, 8),
		MOV_X(R1, R0),
		ST_K(DW, R10, -16, 5),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -16),
		MOV_X(R3, R10),
		ALU64_K(ADD, R3, -4),
		MOV_K(R4, BPF_NOEXIST),
		CALL(2),
		EXIT,
		{0},
	};
	uint64_t key = 5;
	uint32_t value = 0;
	int prog = load(push);

	assert_int_equal(set(queues, 0, queue), 0);
	assert_int_equal(set(hashes, 0, hash), 0);
	assert_int_equal(run(prog, 1), 0);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, queue, NULL, &value, 0), 0);
	assert_int_equal(value, 77);
	assert_int_equal(run(prog, 5), (uint32_t)-E2BIG);
	close(prog);
	prog = load(insert);
	assert_int_equal(run(prog, 1), 0);
	assert_int_equal(run(prog, 1), (uint32_t)-EEXIST);
	assert_int_equal(map_lookup(hash, &key, &value), 0);
	close(prog);
	close(queue);
	close(hash);
	close(queues);
	close(hashes);
}

/* Lifetimes */

static void inner_maps_live_by_the_outer(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int outer = make_outer(outer_types[i], 4), second = make_outer(outer_types[i], 4);
		int a = make_inner(11), b = make_inner(22), fd;
		const uint32_t a_id = map_id(a), b_id = map_id(b);

		assert_int_equal(set(outer, 0, a), 0);
		assert_int_equal(set(outer, 1, a), 0);
		assert_int_equal(set(second, 3, a), 0);
		close(a);
		assert_int_equal(value_by_id(a_id), 11);
		assert_int_equal(set(outer, 0, b), 0);
		assert_int_equal(unset(outer, 1), 0);
		close(b);
		assert_int_equal(value_by_id(a_id), 11); /* the second one names it */
		close(second);
		assert_true(goes_away(a_id));
		assert_int_equal(value_by_id(b_id), 22);
		fd = open_id(b_id);
		assert_int_equal(unset(outer, 0), 0);
		assert_int_equal(set(outer, 2, fd), 0);
		close(fd);
		assert_int_equal(value_by_id(b_id), 22);
		close(outer);
		assert_true(goes_away(b_id));
	}
}

static void template_is_a_description(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int template = make_inner(0), inner = make_inner(5);
		const uint32_t id = map_id(template);
		int outer = create_outer(outer_types[i], 4, 4, 1, 0, template);

		close(template);
		assert_true(goes_away(id));
		assert_int_equal(set(outer, 0, inner), 0);
		close(inner);
		close(outer);
	}
}

static void program_keeps_all(void **state)
{
	int outer = make_outer(HOM, 4), inner = make_inner(5), prog = load_sum(outer, 4);
	const uint32_t id = map_id(inner), outer_id = map_id(outer);

	assert_int_equal(set(outer, 2, inner), 0);
	close(inner);
	close(outer);
	assert_int_equal(run(prog, 1), 5);
	assert_true(is_alive(outer_id) && is_alive(id));
	close(prog);
	assert_true(goes_away(outer_id) && goes_away(id));
}

/* What another process puts in stays when it ends, and can be used here. */
static void across_processes(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int outer = make_outer(outer_types[i], 4), prog = load_sum(outer, 4), status;
		const uint32_t outer_id = map_id(outer);
		uint32_t id;

		assert_int_equal(run(prog, 1), 0);
		for (uint32_t round = 1; round < 20; round++) {
			pid_t pid = fork();

			if (!pid) {
				int fd = open_id(outer_id), inner = map_create(ARRAY, 4, 8, 1, 0);
				uint32_t key = 0;
				uint64_t value = round;

				_exit(map_update(inner, &key, &value, 0) ||
				      set(fd, round % 4, inner) || run(prog, 1) < round);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_int_equal(status, 0);
			id = get(outer, round % 4);
			assert_int_equal(value_by_id(id), round);
		}
		assert_int_equal(run(prog, 1), 16 + 17 + 18 + 19);
		assert_int_equal(unset(outer, 3), 0);
		assert_true(goes_away(id));
		close(prog);
		close(outer);
	}
}

struct traffic {
	int outer;
	atomic_int stop;
};

/* Every inner map that is ever in the outer one holds 7. */
static void *replace(void *arg)
{
	struct traffic *t = arg;

	for (uint32_t i = 0; !atomic_load(&t->stop); i++) {
		int inner = make_inner(7);

		if (i % 5 == 4)
			unset(t->outer, i % 2);
		else
			set(t->outer, i % 2, inner);
		close(inner);
	}
	return NULL;
}

static void replaced_while_programs_read(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct traffic t = {.outer = make_outer(outer_types[i], 2)};
		int prog = load_sum(t.outer, 2), inner;
		struct timespec start, now;
		pthread_t threads[2];

		for (int n = 0; n < 2; n++)
			assert_int_equal(pthread_create(&threads[n], NULL, replace, &t), 0);
		clock_gettime(CLOCK_MONOTONIC, &start);
		do {
			uint32_t sum = run(prog, 500);

			if (sum != 0 && sum != 7 && sum != 14)
				fail_msg("sum %u", sum);
			clock_gettime(CLOCK_MONOTONIC, &now);
		} while (now.tv_sec < start.tv_sec + 1);
		atomic_store(&t.stop, 1);
		for (int n = 0; n < 2; n++)
			pthread_join(threads[n], NULL);
		inner = make_inner(7);
		assert_int_equal(set(t.outer, 0, inner), 0);
		assert_int_equal(set(t.outer, 1, inner), 0);
		assert_int_equal(run(prog, 1), 14);
		close(inner);
		close(prog);
		close(t.outer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates),
		cmocka_unit_test(template_types),
		cmocka_unit_test(matching),
		cmocka_unit_test(array_elements),
		cmocka_unit_test(hash_elements),
		cmocka_unit_test(hash_capacity),
		cmocka_unit_test(array_batches),
		cmocka_unit_test(hash_batches),
		cmocka_unit_test(frozen_and_restricted),
		cmocka_unit_test(memlock),
		cmocka_unit_test(refused_at_load),
		cmocka_unit_test(programs_read),
		cmocka_unit_test(programs_write),
		cmocka_unit_test(programs_use_inner_types),
		cmocka_unit_test(inner_maps_live_by_the_outer),
		cmocka_unit_test(template_is_a_description),
		cmocka_unit_test(program_keeps_all),
		cmocka_unit_test(across_processes),
		cmocka_unit_test(replaced_while_programs_read),
	};

	require_bpf();
	return run_tests(tests);
}
