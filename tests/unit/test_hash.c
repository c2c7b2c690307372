/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_hash.c: the hash family at the level of its operations. Against a model, with full maps, with
 * threads, and with a process that is killed after every single instruction of a mutation.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/hash.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/syscall.h"
#include "maps/map.h"
#include "object/realm.h"
#include "shm/vcpu.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#else
#define SLOW 0
#endif

#define VALUE_WORDS 16

static struct map *make(uint32_t type, uint32_t key_size, uint32_t value_size,
			uint32_t max_entries, uint32_t flags)
{
	struct map_spec spec = {.type = type,
				.key_size = key_size,
				.value_size = value_size,
				.max_entries = max_entries,
				.flags = flags};

	return open_map(&spec);
}

static void drop(struct map *map)
{
	assert_true(map->ops->is_valid(map));
	close_map(map);
}

/* Key number id: different for all ids that fit into the key. */
static const void *key_of(const struct map *map, uint32_t id)
{
	static __thread uint8_t key[64] __attribute__((aligned(8)));

	memset(key, 0x5a, sizeof(key));
	memcpy(key + (map->key_size > 4 ? map->key_size - 4 : 0), &id, sizeof(id));
	return key;
}

static uint32_t id_of(const struct map *map, const void *key)
{
	uint32_t id = 0;

	memcpy(&id, (const uint8_t *)key + (map->key_size > 4 ? map->key_size - 4 : 0),
	       MIN(map->key_size, 4u));
	return id;
}

/* A user value all of whose words say the same. */
static const void *value_of(uint64_t word)
{
	static __thread uint64_t value[VALUE_WORDS];

	for (size_t i = 0; i < VALUE_WORDS; i++)
		value[i] = word;
	return value;
}

static int put(struct map *map, uint32_t id, uint64_t word, uint64_t flags)
{
	return map_update_user(map, key_of(map, id), value_of(word), flags);
}

/* The value's word, 0 if absent, ~0 if the value is not of one piece. */
static uint64_t get(struct map *map, uint32_t id)
{
	uint64_t value[VALUE_WORDS];
	uint32_t size = map_user_value_size(map);

	if (map_copy_value(map, key_of(map, id), value))
		return 0;
	for (uint32_t i = 8; i + 8 <= size; i += 8)
		if (memcmp(value, (uint8_t *)value + i, 8))
			return ~0ull;
	return value[0];
}

/* How many more keys fit, from id 1000000 on; they are removed again. */
static uint32_t room(struct map *map)
{
	uint32_t n = 0;
	int err;

	while (!(err = put(map, 1000000 + n, 1, BPF_NOEXIST)))
		n++;
	assert_int_equal(err, -E2BIG);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(map_delete(map, key_of(map, 1000000 + i)), 0);
	return n;
}

struct config {
	uint32_t type, key_size, value_size, max_entries, flags;
};

#define HASH BPF_MAP_TYPE_HASH
#define PERCPU_HASH BPF_MAP_TYPE_PERCPU_HASH
#define SPARSE BPF_F_NO_PREALLOC

static const struct config configs[] = {
	{HASH, 4, 8, 1, 0},	      {HASH, 4, 8, 2, 0},	  {HASH, 4, 8, 7, 0},
	{HASH, 4, 8, 8, SPARSE},      {HASH, 8, 16, 100, 0},	  {HASH, 16, 24, 1000, 0},
	{HASH, 5, 8, 1000, SPARSE},   {HASH, 13, 40, 500, 0},	  {HASH, 40, 64, 300, SPARSE},
	{HASH, 2, 8, 60, 0},	      {HASH, 4, 8, 9000, SPARSE}, {PERCPU_HASH, 4, 8, 1, 0},
	{PERCPU_HASH, 4, 8, 33, 0},   {PERCPU_HASH, 8, 8, 1000, SPARSE},
	{PERCPU_HASH, 20, 8, 200, 0}, {HASH, 4, 8, 4096, BPF_F_ZERO_SEED},
};

static struct map *make_config(const struct config *c)
{
	return make(c->type, c->key_size, c->value_size, c->max_entries, c->flags);
}

static void exactly_max_entries_fit(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		const uint32_t n = configs[i].max_entries;
		struct map *map = make_config(&configs[i]);

		for (uint32_t id = 0; id < n; id++)
			assert_int_equal(put(map, id, id + 1, BPF_ANY), 0);
		assert_int_equal(put(map, n, 1, BPF_ANY), -E2BIG);
		assert_int_equal(put(map, n, 1, BPF_NOEXIST), -E2BIG);
		assert_int_equal(put(map, n, 1, BPF_EXIST), -ENOENT);
		for (uint32_t id = 0; id < n; id++) { /* present keys can be replaced */
			assert_int_equal(put(map, id, id + 1, BPF_NOEXIST), -EEXIST);
			assert_int_equal(put(map, id, id + 2, BPF_EXIST), 0);
			assert_int_equal(get(map, id), id + 2);
		}
		assert_true(map->ops->is_valid(map));
		for (uint32_t id = 0; id < n; id++) { /* what is deleted makes room at once */
			assert_int_equal(map_delete(map, key_of(map, id)), 0);
			assert_int_equal(map_delete(map, key_of(map, id)), -ENOENT);
			assert_int_equal(put(map, n + id, id + 1, BPF_NOEXIST), 0);
		}
		assert_int_equal(put(map, 0, 1, BPF_ANY), -E2BIG);
		drop(map);
	}
}

static uint32_t random_number(uint32_t below)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * below >> 32);
}

static void walk_shows(struct map *map, const uint64_t *model, uint32_t ids, uint32_t present)
{
	uint8_t key[64];
	uint32_t n = 0;

	for (int err = map_get_next_key(map, NULL, key); !err;
	     err = map_get_next_key(map, key, key)) {
		assert_in_range(id_of(map, key), 0, ids - 1);
		assert_int_not_equal(model[id_of(map, key)], 0);
		n++;
	}
	assert_int_equal(n, present);
}

static void random_operations_agree_with_a_model(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		const uint32_t n = configs[i].max_entries, ids = n + n / 2 + 2;
		struct map *map = make_config(&configs[i]);
		uint64_t *model = calloc(ids, sizeof(*model)), value[VALUE_WORDS];
		uint32_t present = 0;

		for (uint32_t round = 0; round < 20 * MIN(n, 1000u) + 500; round++) {
			const uint32_t id = random_number(ids), kind = random_number(8);
			const uint64_t word = 1 + random_number(~0u), flags = kind % 3;
			int want, got;

			if (kind < 6) {
				want = model[id] ? flags == BPF_NOEXIST ? -EEXIST : 0
				       : flags == BPF_EXIST ? -ENOENT
				       : present == n	    ? -E2BIG
							    : 0;
				got = put(map, id, word, flags);
				present += !want && !model[id];
				model[id] = want ? model[id] : word;
			} else {
				want = model[id] ? 0 : -ENOENT;
				got = kind == 6 ? map_delete(map, key_of(map, id))
						: map_lookup_and_delete(map, key_of(map, id), value);
				if (kind == 7 && !want)
					assert_int_equal(value[0], model[id]);
				present -= model[id] != 0;
				model[id] = 0;
			}
			assert_int_equal(got, want);
			assert_int_equal(get(map, id), model[id]);
		}
		assert_true(map->ops->is_valid(map));
		walk_shows(map, model, ids, present);
		assert_int_equal(room(map), n - present);
		free(model);
		drop(map);
	}
}

static void a_batch_walk_shows_each_element_once(void **state)
{
	static const uint32_t steps[] = {1, 3, 64, 100, 1000};

	for (size_t i = 0; i < ARRAY_SIZE(steps) * 2; i++) {
		const uint32_t step = steps[i / 2];
		struct map *map = make(HASH, 4, 8, 100, 0);
		uint32_t keys[1000], cursor = 0, count, seen[100] = {0}, total = 0;
		uint64_t values[1000];
		int err;

		for (uint32_t id = 0; id < 100; id++)
			assert_int_equal(put(map, id, id + 1, BPF_ANY), 0);
		do {
			count = step;
			err = map->ops->walk(map, &cursor, keys, values, &count, i % 2);
			assert_true(err == 0 || err == -ENOENT);
			assert_true(err || count == step); /* 0: the buffer was filled */
			for (uint32_t j = 0; j < count; j++) {
				assert_int_equal(values[j], keys[j] + 1);
				assert_int_equal(seen[keys[j]]++, 0);
			}
			total += count;
		} while (!err);
		assert_int_equal(total, 100);
		assert_int_equal(room(map), i % 2 ? 100 : 0);
		drop(map);
	}
	struct map *map = make(HASH, 4, 8, 100, 0);
	uint32_t key, cursor = 0xffffffff, count = 1;

	assert_int_equal(put(map, 1, 1, BPF_ANY), 0);
	assert_int_equal(map->ops->walk(map, &cursor, &key, &key, &count, false), -ENOENT);
	assert_int_equal(count, 0);
	drop(map);
}

static void programs_point_into_elements(void **state)
{
	struct map *map = make(HASH, 4, 20, 64, 0);
	const uint64_t flags[] = {3, BPF_F_LOCK, 8, 1ull << 32, 1ull << 63};
	uint8_t *value, *old;

	assert_int_equal(put(map, 1, 11, BPF_ANY), 0);
	old = map->ops->lookup(map, key_of(map, 1));
	assert_non_null(old);
	for (int at = 0; at < 24; at++)
		assert_ptr_equal(map->ops->value_at(map, old + at), at < 20 ? old : NULL);
	assert_null(map->ops->value_at(map, &state));
	assert_null(map->ops->value_at(map, map->header));
	assert_int_equal(put(map, 1, 12, BPF_ANY), 0); /* replaced: the old value stays readable */
	value = map->ops->lookup(map, key_of(map, 1));
	assert_ptr_not_equal(value, old);
	assert_int_equal(*(uint64_t *)(void *)old, 11);
	assert_int_equal(*(uint64_t *)(void *)value, 12);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		assert_int_equal(
			map->ops->update(map, key_of(map, 1), value_of(1), flags[i]), -EINVAL);
	drop(map);
}

static void a_program_updates_its_own_cpu(void **state)
{
	struct map *map = make(PERCPU_HASH, 4, 8, 4, 0);
	uint64_t values[VALUE_WORDS], mine = 7;
	uint32_t cpu = vcpu_current();
	uint8_t *value;

	assert_int_equal(put(map, 1, 5, BPF_ANY), 0);
	assert_int_equal(map_delete(map, key_of(map, 1)), 0);
	/* A new key shows nothing of an old one on other CPUs. */
	for (int round = 0; round < 8; round++) {
		cpu = vcpu_current();
		assert_int_equal(map->ops->update(map, key_of(map, 2), &mine, BPF_ANY), 0);
		if (cpu != vcpu_current())
			continue; /* moved: this round says nothing */
		assert_int_equal(map_copy_value(map, key_of(map, 2), values), 0);
		for (uint32_t i = 0; i < map->ncpus; i++)
			assert_int_equal(values[i], i == cpu ? 7 : 0);
		value = map->ops->lookup_percpu(map, key_of(map, 2), cpu);
		assert_ptr_equal(map->ops->value_at(map, value + 3), value);
		assert_int_equal(*(uint64_t *)(void *)value, 7);
		assert_int_equal(map_delete(map, key_of(map, 2)), 0);
	}
	assert_null(map->ops->lookup_percpu(map, key_of(map, 2), map->ncpus));
	drop(map);
}

/* A file that was tampered with: no answer is right, but each one comes back. */
static void garbage_does_no_harm(void **state)
{
	struct map *map = make(HASH, 4, 8, 64, 0);
	struct hash *h = hash_of(map);
	uint32_t key;

	for (int round = 0; round < 200; round++) {
		for (uint32_t i = 0; i <= h->bucket_mask; i++)
			for (int j = 0; j < 8; j++)
				((uint64_t *)&h->buckets[i])[j] =
					(uint64_t)random_number(~0u) << 32 | random_number(300);
		for (uint32_t id = 0; id < 100; id++) {
			get(map, id);
			put(map, id, 1, BPF_ANY);
			map_delete(map, key_of(map, id));
			map_get_next_key(map, key_of(map, id), &key);
		}
		assert_false(map->ops->is_valid(map));
	}
	object_put(&map->object);
}

/* Threads: each owns its keys, everybody reads everything. */
#define THREADS 4
#define KEYS 64

struct worker {
	struct map *map;
	uint32_t number, rounds;
	unsigned failures;
};

static void *write_and_read(void *arg)
{
	struct worker *w = arg;
	uint32_t seed = w->number + 1;
	uint64_t own[KEYS] = {0};

	for (uint32_t round = 1; round <= w->rounds; round++) {
		uint32_t k, id, other;
		uint64_t word;

		seed = seed * 1664525 + 1013904223;
		k = seed >> 16 & (KEYS - 1);
		id = w->number * KEYS + k;
		word = (uint64_t)(id + 1) << 32 | round;
		if (seed >> 30) {
			w->failures += put(w->map, id, word, BPF_ANY) != 0;
			own[k] = word;
		} else {
			w->failures += map_delete(w->map, key_of(w->map, id)) !=
				       (own[k] ? 0 : -ENOENT);
			own[k] = 0;
		}
		w->failures += get(w->map, id) != own[k];
		other = (seed >> 8) % (THREADS * KEYS);
		word = get(w->map, other);
		w->failures += word && word >> 32 != other + 1;
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	static const struct config shared[] = {
		{HASH, 4, 64, THREADS * KEYS, 0},
		{HASH, 4, 64, THREADS * KEYS, SPARSE},
		{HASH, 12, 32, 8 * THREADS * KEYS, 0},
		{PERCPU_HASH, 4, 8, THREADS * KEYS, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct map *map = make_config(&shared[i]);
		struct worker workers[THREADS];
		pthread_t threads[THREADS];

		for (uint32_t t = 0; t < THREADS; t++) {
			workers[t] = (struct worker){map, t, SLOW ? 5000 : 200000, 0};
			/* The values of a per-CPU element are not of one piece for others. */
			assert_int_equal(pthread_create(&threads[t], NULL, write_and_read,
							&workers[t]), 0);
		}
		for (uint32_t t = 0; t < THREADS; t++) {
			pthread_join(threads[t], NULL);
			if (shared[i].type == HASH)
				assert_int_equal(workers[t].failures, 0);
		}
		drop(map);
	}
}

/*
 * Death at any instruction: a child is stepped through one mutation and killed after each
 * instruction that changed the map. Afterwards the map is as before or as after it, and whole.
 */
enum { OLD = 100, NEW = 200 };

struct mutation {
	const char *name;
	struct config config;
	uint32_t before; /* elements present: ids 0, 1, ... with the value OLD */
	uint32_t id;
	int (*run)(struct map *map, uint32_t id);
};

static int run_put(struct map *map, uint32_t id)
{
	return put(map, id, NEW, BPF_ANY);
}

static int run_delete(struct map *map, uint32_t id)
{
	return map_delete(map, key_of(map, id));
}

static const struct mutation mutations[] = {
	{"insert", {HASH, 4, 16, 8, 0}, 4, 5, run_put},
	{"insert into another bucket", {HASH, 4, 8, 4096, BPF_F_ZERO_SEED}, 4095, 5000, run_put},
	{"replace", {HASH, 4, 16, 8, 0}, 8, 3, run_put},
	{"replace the only element", {HASH, 4, 16, 1, 0}, 1, 0, run_put},
	{"delete", {HASH, 4, 16, 8, 0}, 8, 3, run_delete},
	{"insert into a growing map", {HASH, 4, 16, 8, SPARSE}, 0, 3, run_put},
	{"insert per CPU", {PERCPU_HASH, 4, 8, 8, 0}, 7, 20, run_put},
	{"delete per CPU", {PERCPU_HASH, 4, 8, 8, 0}, 8, 7, run_delete},
};

static void fill(struct map *map, const struct mutation *m)
{
	for (uint32_t id = 0; id < m->before; id++)
		assert_int_equal(put(map, id, OLD, BPF_ANY), 0);
}

/* With ZERO_SEED: an id whose home bucket is full already, so that it goes elsewhere. */
static uint32_t overflowing_id(struct map *map, uint32_t from)
{
	struct hash *h = hash_of(map);

	for (uint32_t id = from;; id++) {
		struct target target = target_of(h, key_of(map, id));
		bool full = true;

		for (int i = 0; i < BUCKET_SLOTS; i++)
			full = full && h->buckets[target.home].slots[i];
		if (full)
			return id;
	}
}

struct dying {
	struct map *map;
	const struct mutation *m;
	uint32_t id;
};

static void run_mutation(void *arg)
{
	const struct dying *d = arg;

	d->m->run(d->map, d->id);
}

static void check_survivors(struct map *map, const struct mutation *m, uint32_t id)
{
	const uint64_t before = id < m->before ? OLD : 0;
	const uint64_t after = m->run == run_delete ? 0 : NEW, is = get(map, id);
	uint32_t present = m->before - (before != 0) + (is != 0);

	if (is != before && is != after)
		fail_msg("%s: value %llu", m->name, (unsigned long long)is);
	for (uint32_t other = 0; other < m->before; other++)
		if (other != id)
			assert_int_equal(get(map, other), OLD);
	/* First, since is_valid() repairs. */
	assert_int_equal(room(map), m->config.max_entries - present);
	if (!map->ops->is_valid(map))
		fail_msg("%s: invalid", m->name);
}

static void death_at_any_instruction(void **state)
{
#if defined(__SANITIZE_THREAD__)
	skip(); /* hundreds of thousands of steps */
#endif
	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		const struct mutation *m = &mutations[i];
		struct map *map = make_config(&m->config);
		uint32_t id = m->id;
		bool ended = false;

		fill(map, m);
		if (m->before > 100)
			id = overflowing_id(map, m->id);
		for (unsigned changes = 1; !ended; changes++) {
			if (m->config.flags & SPARSE) { /* it grows only once */
				drop(map);
				map = make_config(&m->config);
			}
			ended = !dies_at(&(struct death){.run = run_mutation,
							 .arg = &(struct dying){map, m, id},
							 .memory = map->header,
							 .size = map_bytes(map)},
					 changes);
			check_survivors(map, m, id);
			map_delete(map, key_of(map, id));
			fill(map, m);
		}
		drop(map);
	}
}

/*
 * A file system that fills up while a map grows: -ENOMEM, nothing lost. In a child with a mount
 * namespace of its own; 77: not permitted.
 */
static int grow_until_full(const char *directory)
{
	struct map *map;
	uint32_t n = 0, kept;
	int err;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", directory, "tmpfs", 0, "size=4m"))
		return 77;
	if (chmod(directory, 0700) || realm_open())
		return 1;
	map = make(HASH, 4, 64, 50000, SPARSE);
	while (!(err = put(map, n, n + 1, BPF_NOEXIST)))
		n++;
	if (err != -ENOMEM || n < 1000 || n == 50000 || !map->ops->is_valid(map))
		return 2;
	for (kept = 0; kept < n && get(map, kept) == kept + 1; kept++)
		if (put(map, kept, kept + 1, BPF_EXIST))
			return 3;
	for (uint32_t id = 0; id < n / 2; id++)
		if (map_delete(map, key_of(map, id)) || put(map, n + id, 1, BPF_NOEXIST))
			return 4;
	return kept == n && put(map, 60000, 1, BPF_ANY) == -ENOMEM && map->ops->is_valid(map) ? 0 : 5;
}

static int full_status; /* of the child, which main() starts before there is a realm */

static void a_full_file_system_is_no_memory(void **state)
{
	if (WIFEXITED(full_status) && WEXITSTATUS(full_status) == 77)
		skip();
	assert_int_equal(full_status, 0);
}

static void start_on_small_file_system(const char *directory)
{
	pid_t child = fork();

	if (child == 0)
		_exit(grow_until_full(directory));
	if (child < 0 || waitpid(child, &full_status, 0) != child)
		full_status = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_max_entries_fit),
		cmocka_unit_test(random_operations_agree_with_a_model),
		cmocka_unit_test(a_batch_walk_shows_each_element_once),
		cmocka_unit_test(programs_point_into_elements),
		cmocka_unit_test(a_program_updates_its_own_cpu),
		cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(threads_do_not_disturb_each_other),
		cmocka_unit_test(death_at_any_instruction),
		cmocka_unit_test(a_full_file_system_is_no_memory),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	start_on_small_file_system(directory);
	return run_in_realm(directory, tests);
}
