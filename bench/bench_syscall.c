/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench_syscall.c: libbpf calls on a map's descriptor. Keys and values lie on the caller's stack,
 * as they mostly do, or in the heap, where they say so.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define MAX_VALUES 1024 /* possible CPUs */
#define BATCH 256
#define ROOM 2 /* max_entries are so many times the keys */

enum operation {
	OP_HIT,
	OP_HIT_IN_HEAP,
	OP_MISS,
	OP_UPDATE,
	OP_INSERT_DELETE,
	OP_NEXT_KEY,
	OP_LOOKUP_BATCH,
	OP_UPDATE_BATCH,
	OP_PUSH_POP,
};

struct syscall_state {
	const struct bench *bench;
	int map;
};

/* What map holds the keys of which row */

static __u32 type_of(const struct bench *bench)
{
	static const struct {
		const char *name;
		__u32 type;
	} types[] = {
		{"hash", BPF_MAP_TYPE_HASH},
		{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH},
		{"lru_hash", BPF_MAP_TYPE_LRU_HASH},
		{"array", BPF_MAP_TYPE_ARRAY},
		{"queue", BPF_MAP_TYPE_QUEUE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, bench->map))
			return types[i].type;
	return BPF_MAP_TYPE_UNSPEC;
}

static void syscall_teardown(void *state)
{
	struct syscall_state *s = state;

	if (s->map >= 0)
		close(s->map);
	free(s);
}

static int create_and_fill(struct syscall_state *s)
{
	static __u64 values[MAX_VALUES];
	const struct bench *bench = s->bench;
	const __u32 filled = bench->filled == NOTHING ? 0 : bench->size;
	const __u32 key_size = bench->op == OP_PUSH_POP ? 0 : sizeof(__u32);
	int err = 0;

	s->map = bpf_map_create(type_of(bench), "bench", key_size, sizeof(__u64),
				bench->size * ROOM, NULL);
	if (s->map < 0)
		return s->map;
	for (__u32 key = 0; key < filled && !err; key++)
		err = bpf_map_update_elem(s->map, &key, values, BPF_ANY);
	return err;
}

static int syscall_setup(const struct bench *bench, enum side side, void **state)
{
	struct syscall_state *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->bench = bench;
	err = create_and_fill(s);
	if (err) {
		syscall_teardown(s);
		return err;
	}
	*state = s;
	return 0;
}

/* One thread's part: as many operations, each on a random key. */

static int do_hits(int map, __u32 size, __u64 x, __u64 count)
{
	__u64 values[MAX_VALUES];
	__u32 key;
	int err = 0;

	while (count-- && !err) {
		key = drawn_key(x = draw(x), size);
		err = bpf_map_lookup_elem(map, &key, values);
	}
	return err;
}

static int do_hits_in_heap(int map, __u32 size, __u64 x, __u64 count)
{
	__u64 *value = malloc(sizeof(*value));
	__u32 *key = malloc(sizeof(*key));
	int err = value && key ? 0 : -ENOMEM;

	while (!err && count--) {
		*key = drawn_key(x = draw(x), size);
		err = bpf_map_lookup_elem(map, key, value);
	}
	free(key);
	free(value);
	return err;
}

static int do_misses(int map, __u32 size, __u64 x, __u64 count)
{
	__u64 value;
	__u32 key;
	int err = -ENOENT;

	while (count-- && err == -ENOENT) {
		key = drawn_key(x = draw(x), size) + size;
		err = bpf_map_lookup_elem(map, &key, &value);
	}
	return err == -ENOENT ? 0 : -EEXIST;
}

static int do_updates(int map, __u32 size, __u64 x, __u64 count)
{
	__u64 values[MAX_VALUES] = {0};
	__u32 key;
	int err = 0;

	while (count-- && !err) {
		key = drawn_key(x = draw(x), size);
		err = bpf_map_update_elem(map, &key, values, BPF_ANY);
	}
	return err;
}

/* Threads have keys of their own here, or one would delete what the other wants to. */
static int do_inserts_and_deletes(int map, __u32 size, __u64 x, __u64 count)
{
	const __u32 own = (__u32)(x + 1) << 24;
	__u32 key;
	int err = 0;

	while (count-- && !err) {
		key = own | (drawn_key(x = draw(x), size) + size);
		err = bpf_map_update_elem(map, &key, &x, BPF_ANY);
		if (!err)
			err = bpf_map_delete_elem(map, &key);
	}
	return err;
}

static int do_next_keys(int map, __u32 size, __u64 x, __u64 count)
{
	__u32 key;
	int err = bpf_map_get_next_key(map, NULL, &key);

	while (count-- && !err) {
		err = bpf_map_get_next_key(map, &key, &key);
		if (err == -ENOENT)
			err = bpf_map_get_next_key(map, NULL, &key);
	}
	return err;
}

static int do_lookup_batches(int map, __u32 size, __u64 x, __u64 count)
{
	__u32 keys[BATCH], cursor, done;
	__u64 values[BATCH];
	bool is_first = true;
	int err;

	for (; count; count -= done < count ? done : count) {
		done = BATCH;
		err = bpf_map_lookup_batch(map, is_first ? NULL : &cursor, &cursor, keys, values,
					   &done, NULL);
		if (err && err != -ENOENT)
			return err;
		is_first = err == -ENOENT;
	}
	return 0;
}

static int do_update_batches(int map, __u32 size, __u64 x, __u64 count)
{
	__u32 keys[BATCH], done;
	__u64 values[BATCH] = {0};
	int err = 0;

	for (; count && !err; count -= done < count ? done : count) {
		for (__u32 i = 0; i < BATCH; i++)
			keys[i] = drawn_key(x = draw(x), size);
		done = BATCH;
		err = bpf_map_update_batch(map, keys, values, &done, NULL);
	}
	return err;
}

static int do_pushes_and_pops(int map, __u32 size, __u64 x, __u64 count)
{
	int err = 0;

	while (count-- && !err) {
		err = bpf_map_update_elem(map, NULL, &x, BPF_ANY);
		if (!err)
			err = bpf_map_lookup_and_delete_elem(map, NULL, &x);
	}
	return err;
}

static int loop(void *state, unsigned thread, __u64 count)
{
	static int (*const operations[])(int map, __u32 size, __u64 x, __u64 count) = {
		[OP_HIT] = do_hits,
		[OP_HIT_IN_HEAP] = do_hits_in_heap,
		[OP_MISS] = do_misses,
		[OP_UPDATE] = do_updates,
		[OP_INSERT_DELETE] = do_inserts_and_deletes,
		[OP_NEXT_KEY] = do_next_keys,
		[OP_LOOKUP_BATCH] = do_lookup_batches,
		[OP_UPDATE_BATCH] = do_update_batches,
		[OP_PUSH_POP] = do_pushes_and_pops,
	};
	const struct syscall_state *s = state;

	return operations[s->bench->op](s->map, s->bench->size, thread, count);
}

static int syscall_measure(void *state, __u64 *count, double *ns)
{
	const struct syscall_state *s = state;

	return bench_on_threads(threads_of(s->bench), loop, state, *count, ns);
}

static const struct bench_kind kind = {
	.title = "libbpf calls on a map's descriptor, ns each (per thread)",
	.sides = 1 << SIDE_KERNEL | 1 << SIDE_USERBPF,
	.subject = SIDE_USERBPF,
	.reference = 1 << SIDE_KERNEL,
	.setup = syscall_setup,
	.measure = syscall_measure,
	.teardown = syscall_teardown,
};

#define ROW(title, op_, map_, size_, goal_, ...)                                                   \
	{.name = title, .op = op_, .map = map_, .size = size_, .goal = goal_, __VA_ARGS__}
#define EACH_THREADS(title, op, map)                                                               \
	ROW(title, op, map, 1024, 0.2), ROW(title ", 2 threads", op, map, 1024, 0, .threads = 2),  \
		ROW(title ", all CPUs", op, map, 1024, 0, .threads = ALL_CPUS)

static const struct bench rows[] = {
	EACH_THREADS("call: hash hit", OP_HIT, "hash"),
	ROW("call: hash hit, 1M keys", OP_HIT, "hash", 1u << 20, 0.2),
	ROW("call: hash hit, key in heap", OP_HIT_IN_HEAP, "hash", 1024, 0),
	ROW("call: hash miss", OP_MISS, "hash", 1024, 0.2),
	EACH_THREADS("call: hash update", OP_UPDATE, "hash"),
	ROW("call: hash insert+delete", OP_INSERT_DELETE, "hash", 1024, 0.2),
	ROW("call: hash next key", OP_NEXT_KEY, "hash", 1024, 0.2),
	ROW("call: hash lookup batch, per key", OP_LOOKUP_BATCH, "hash", 1024, 0),
	ROW("call: hash update batch, per key", OP_UPDATE_BATCH, "hash", 1024, 0),
	ROW("call: percpu_hash hit", OP_HIT, "percpu_hash", 1024, 0.2),
	ROW("call: lru_hash update", OP_UPDATE, "lru_hash", 1024, 0.2),
	ROW("call: array lookup", OP_HIT, "array", 1024, 0.2),
	ROW("call: array update", OP_UPDATE, "array", 1024, 0.2),
	ROW("call: queue push+pop", OP_PUSH_POP, "queue", 1024, 0.2, .filled = NOTHING),
};

const struct bench_table bench_syscalls = {&kind, rows, ARRAY_SIZE(rows)};
