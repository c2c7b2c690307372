/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_lru.c: LRU maps at the level of their operations: with threads, and with a process that is
 * killed at every single change it makes. Afterwards every element is on one list, and all of them
 * can be used again.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/lru.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/syscall.h"
#include "object/realm.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#else
#define SLOW 0
#endif

#define LRU BPF_MAP_TYPE_LRU_HASH
#define LRU_PERCPU BPF_MAP_TYPE_LRU_PERCPU_HASH
#define NO_COMMON BPF_F_NO_COMMON_LRU
#define MAX_CPUS 64

static u32 cpus;

static bool pin(u32 cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static struct map *make(u32 type, u32 entries, u32 flags)
{
	struct map_spec spec = {.type = type,
				.key_size = 4,
				.value_size = 8,
				.max_entries = entries,
				.flags = flags};

	return open_map(&spec);
}

static void drop(struct map *map)
{
	assert_true(map->ops->is_valid(map));
	close_map(map);
}

/* The value belongs to the key. */
static int put(struct map *map, u32 key, u64 flags)
{
	u64 value[MAX_CPUS];

	for (u32 i = 0; i < cpus; i++)
		value[i] = (u64)key << 32 | 1;
	return map_update_user(map, &key, value, flags);
}

/* 1, 0: absent, or -1: a value that is not the key's. */
static int get(struct map *map, u32 key)
{
	u64 value[MAX_CPUS];

	if (map_copy_value(map, &key, value))
		return 0;
	return value[0] == ((u64)key << 32 | 1) ? 1 : -1;
}

static int erase(struct map *map, u32 key)
{
	return map_delete(map, &key);
}

static u32 count(struct map *map)
{
	u32 key, next, n = 0;

	for (int err = map_get_next_key(map, NULL, &key); !err; n++, key = next)
		err = map_get_next_key(map, &key, &next);
	return n;
}

/*
 * How many elements this CPU can have in use at once: the most that are there while a batch is used
 * up, after all the elements that others left behind have become old.
 */
static u32 capacity(struct map *map)
{
	const u32 n = map->max_entries;
	u32 most = 0, now;

	for (u32 i = 0; i < 4 * n + 20; i++)
		assert_int_equal(put(map, 1000000 + i, BPF_ANY), 0);
	for (u32 i = 0; i < 2 * MIN(n, 256u); i++) {
		assert_int_equal(put(map, 2000000 + i, BPF_ANY), 0);
		assert_int_equal(get(map, 2000000 + i), 1);
		now = count(map);
		most = MAX(most, now);
	}
	return most;
}

/* Large and small numbers alike. */
static u32 garbage(void)
{
	static u32 seed = 1;

	seed = seed * 1664525 + 1013904223;
	return (seed >> 4) >> (seed >> 27);
}

/* A file that was tampered with: no answer is right, but each one comes back. */
static void garbage_does_no_harm(void **state)
{
	for (u32 flags = 0; flags <= NO_COMMON; flags += NO_COMMON) {
		struct map *map = make(LRU, 64 * cpus, flags);
		struct lru *lru = lru_of(hash_of(map));

		for (int round = 0; round < (SLOW ? 30 : 300); round++) {
			for (u32 i = 0; i < lru->nr_groups * sizeof(struct lru_group) / 4; i++)
				((u32 *)lru->groups)[i] = garbage();
			for (u32 i = 0; i < lru->nr_groups; i++)
				lru->groups[i].lock.word = 0;
			for (u32 i = 0; i < map->max_entries; i++) {
				struct lru_node *node =
					lru_node_of(element_at(&lru->hash, i));

				node->prev = garbage();
				node->next = garbage();
				node->where = garbage();
			}
			for (u32 id = 0; id < 40; id++) {
				put(map, id, BPF_ANY);
				get(map, id);
				erase(map, id - 20);
			}
		}
		object_put(&map->object);
		object_collect();
	}
}

/* Threads. */

struct worker {
	struct map *map;
	u32 number, rounds, keys;
	unsigned failures;
};

static void *use(void *arg)
{
	struct worker *w = arg;
	u32 seed = w->number + 1;

	for (u32 round = 0; round < w->rounds; round++) {
		u32 key;
		int err;

		seed = seed * 1664525 + 1013904223;
		key = (seed >> 8) % w->keys;
		switch (seed >> 29) {
		case 0:
			err = erase(w->map, key);
			w->failures += err && err != -ENOENT;
			break;
		case 1:
			w->map->ops->lookup(w->map, &key);
			break;
		case 2:
			err = put(w->map, key, BPF_EXIST);
			w->failures += err && err != -ENOENT;
			break;
		case 3:
			err = put(w->map, key, BPF_NOEXIST);
			w->failures += err && err != -EEXIST;
			break;
		case 4:
			w->failures += get(w->map, key) < 0;
			break;
		default:
			w->failures += put(w->map, key, BPF_ANY) != 0;
		}
	}
	return NULL;
}

static const struct {
	u32 type, entries, flags;
} shared[] = {
	{LRU, 8, 0},	      {LRU, 64, 0},	   {LRU, 2000, 0},	   {LRU_PERCPU, 64, 0},
	{LRU, 16, NO_COMMON}, {LRU, 64, NO_COMMON}, {LRU_PERCPU, 64, NO_COMMON},
};

static void threads_agree(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct map *map = make(shared[i].type, shared[i].entries * cpus, shared[i].flags);
		struct worker workers[4];
		pthread_t threads[4];

		for (u32 t = 0; t < 4; t++) {
			workers[t] = (struct worker){map, t, SLOW ? 3000 : 60000,
						     2 * map->max_entries, 0};
			assert_int_equal(pthread_create(&threads[t], NULL, use, &workers[t]), 0);
		}
		for (u32 t = 0; t < 4; t++) {
			pthread_join(threads[t], NULL);
			assert_int_equal(workers[t].failures, 0);
		}
		drop(map);
	}
}

/*
 * Death at every change: a child is stepped through one mutation, and the map's memory kept as it
 * would be if it had died there.
 */

static int run_put(struct map *map, u32 id)
{
	return put(map, id, BPF_ANY);
}

static const struct mutation {
	const char *name;
	u32 type, entries, flags; /* entries per CPU; 0: one in all */
	u32 before;               /* keys 0, 1, ... there already */
	u32 id;
	int (*run)(struct map *map, u32 id);
	u32 may_lose; /* of the other keys */
	u32 cpu;      /* where it runs; the keys were put on CPU 0 */
} mutations[] = {
	{"insert", LRU, 8, 0, 5, 20, run_put, 0, 0},
	{"insert with a batch of free ones", LRU, 8, 0, 4, 20, run_put, 0, 0},
	{"insert with eviction", LRU, 8, 0, ~0u, 20000, run_put, 4, 0},
	{"replace with eviction", LRU, 8, 0, ~0u, 1, run_put, 4, 0},
	{"replace the newest", LRU, 8, 0, 6, 5, run_put, 0, 0},
	{"delete an inactive one", LRU, 8, 0, ~0u, 1, erase, 0, 0},
	{"delete a pending one", LRU, 8, 0, 6, 5, erase, 0, 0},
	{"steal", LRU, 0, 0, ~0u, 20000, run_put, 1, 1},
	{"insert per CPU", LRU_PERCPU, 8, 0, ~0u, 20000, run_put, 4, 0},
	{"update in place", LRU_PERCPU, 8, 0, 6, 1, run_put, 0, 0},
	{"insert without a common list", LRU, 8, NO_COMMON, 8, 20000, run_put, 4, 0},
	{"delete without a common list", LRU, 8, NO_COMMON, 8, 3, erase, 0, 0},
	{"insert into a free list", LRU, 8, NO_COMMON, 3, 20000, run_put, 0, 0},
};

static struct map *prepare(const struct mutation *m)
{
	struct map *map = make(m->type, MAX(m->entries * cpus, 1u), m->flags);

	pin(0);
	for (u32 id = 0; id < MIN(m->before, map->max_entries); id++)
		assert_int_equal(put(map, id, BPF_ANY), 0);
	assert_int_equal(count(map), MIN(m->before, map->max_entries));
	if (!pin(m->cpu))
		pin(0);
	return map;
}

/* The map's memory after each change. */
struct history {
	u8 *memory;
	size_t size;
	u32 count;
};

static bool is_news(const struct history *history, const void *memory)
{
	return !history->count ||
	       memcmp(history->memory + (history->count - 1) * history->size, memory,
		      history->size);
}

static void remember(struct history *history, const void *memory)
{
	history->memory = realloc(history->memory, (history->count + 1) * history->size);
	assert_non_null(history->memory);
	memcpy(history->memory + history->count++ * history->size, memory, history->size);
}

struct dying {
	struct map *map;
	const struct mutation *m;
};

static void run_mutation(void *arg)
{
	const struct dying *d = arg;

	d->m->run(d->map, d->m->id);
}

/* The child's number, or 0 if it cannot be stepped. */
static pid_t step(struct map *map, const struct mutation *m, struct history *history)
{
	const struct death death = {.run = run_mutation, .arg = &(struct dying){map, m}};
	const pid_t child = death_start(&death);

	history->size = map_bytes(map);
	if (!child)
		return 0;
	do {
		if (is_news(history, map->header))
			remember(history, map->header);
	} while (death_step(&death, child));
	return child;
}

static void orphan(struct lock *lock, pid_t owner)
{
	if ((lock->word & FUTEX_TID_MASK) == (u32)owner)
		lock->word = FUTEX_OWNER_DIED;
}

/* As if the owner of locks had died when the memory was so. */
static void go_back(struct map *map, const struct history *history, u32 nr, pid_t owner)
{
	struct lru *lru = lru_of(hash_of(map));

	memcpy(map->header, history->memory + nr * history->size, history->size);
	for (u32 i = 0; i < lru->nr_groups; i++)
		orphan(&lru->groups[i].lock, owner);
	for (u32 i = 0; i <= lru->hash.stripe_mask; i++)
		orphan(&lru->hash.stripes[i].lock, owner);
}

static void check_survivors(struct map *map, const struct mutation *m, u32 nr)
{
	const u32 before = MIN(m->before, map->max_entries);
	u32 lost = 0, found;

	for (u32 id = 0; id < before; id++)
		if (id != m->id) {
			assert_true(get(map, id) >= 0);
			lost += !get(map, id);
		}
	if (lost > m->may_lose)
		fail_msg("%s, change %u: lost %u", m->name, nr, lost);
	if (m->id < before && m->run == run_put && !m->may_lose && get(map, m->id) != 1)
		fail_msg("%s, change %u: the key is lost", m->name, nr);
	found = capacity(map);
	if (found != (m->flags & NO_COMMON ? m->entries : map->max_entries))
		fail_msg("%s, change %u: %u of %u elements", m->name, nr, found,
			 map->max_entries);
	if (!map->ops->is_valid(map))
		fail_msg("%s, change %u: invalid", m->name, nr);
}

static void death_at_any_instruction(void **state)
{
#if defined(__SANITIZE_THREAD__)
	skip(); /* hundreds of thousands of steps */
#endif
	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		const struct mutation *m = &mutations[i];
		struct map *map = prepare(m);
		struct history history = {0};
		const pid_t child = step(map, m, &history);

		for (u32 nr = 0; nr < history.count; nr++) {
			go_back(map, &history, nr, child);
			check_survivors(map, m, nr);
		}
		free(history.memory);
		drop(map);
	}
	pin(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(threads_agree),
		cmocka_unit_test(death_at_any_instruction),
	};
	const char *directory;

	cpus = vcpu_possible();
	if (cpus > MAX_CPUS) {
		printf("1..0 # SKIP more than %d CPUs\n", MAX_CPUS);
		return 0;
	}
	directory = make_realm_directory();
	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
