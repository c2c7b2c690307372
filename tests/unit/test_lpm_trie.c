/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_lpm_trie.c: LPM_TRIE at the level of its operations: against a model, with threads, with a
 * process that is killed after every instruction that changed the map, in a full file system.
 */
#include "unit/map_test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lock.h"
#include "base/syscall.h"
#include "object/realm.h"

#define MAX_DATA 256

struct key {
	uint32_t len;
	uint8_t data[MAX_DATA];
};

static struct map *make(uint32_t data_size, uint32_t value_size, uint32_t max_entries)
{
	struct map_spec spec = {.type = BPF_MAP_TYPE_LPM_TRIE,
				.key_size = 4 + data_size,
				.value_size = value_size,
				.max_entries = max_entries,
				.flags = BPF_F_NO_PREALLOC};

	return open_map(&spec);
}

static void drop(struct map *map)
{
	assert_true(map->ops->is_valid(map));
	close_map(map);
}

static struct key ipv4(uint32_t len, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct key){len, {a, b, c, d}};
}

static int put(struct map *map, const struct key *key, uint64_t value, uint64_t flags)
{
	return map->ops->update(map, key, &value, flags);
}

/* 0: nothing matches. */
static uint64_t get(struct map *map, const struct key *key)
{
	uint64_t value = 0, *found = map->ops->lookup(map, key);

	if (map->ops->copy_value(map, key, &value))
		assert_null(found);
	else
		assert_int_equal(*found, value);
	return value;
}

static uint32_t seed = 1;

static uint32_t random_number(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Model: all prefixes in a list. */

#define MODEL 96

struct model {
	uint32_t data_size, count;
	struct {
		struct key key;
		uint64_t value;
	} elements[MODEL];
};

static bool bit(const struct key *key, uint32_t nr)
{
	return key->data[nr / 8] >> (7 - nr % 8) & 1;
}

static uint32_t common(const struct key *a, const struct key *b)
{
	uint32_t n = 0;

	while (n < a->len && n < b->len && bit(a, n) == bit(b, n))
		n++;
	return n;
}

static bool contains(const struct key *a, const struct key *b)
{
	return a->len <= b->len && common(a, b) == a->len;
}

/* Post-order: what is contained comes first, else the first bit that differs decides. */
static bool comes_before(const struct key *a, const struct key *b)
{
	const uint32_t n = common(a, b);

	return n < a->len && n < b->len ? bit(b, n) : a->len > b->len;
}

static int model_find(const struct model *m, const struct key *key)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->elements[i].key.len == key->len && contains(&m->elements[i].key, key))
			return (int)i;
	return -1;
}

static uint64_t model_get(const struct model *m, const struct key *key)
{
	int best = -1;

	for (uint32_t i = 0; i < m->count; i++)
		if (contains(&m->elements[i].key, key) &&
		    (best < 0 || m->elements[i].key.len > m->elements[best].key.len))
			best = (int)i;
	return best < 0 ? 0 : m->elements[best].value;
}

static const struct key *model_next(const struct model *m, const struct key *key)
{
	const struct key *next = NULL;

	for (uint32_t i = 0; i < m->count; i++)
		if ((!key || comes_before(key, &m->elements[i].key)) &&
		    (!next || comes_before(&m->elements[i].key, next)))
			next = &m->elements[i].key;
	return next;
}

static int model_put(struct model *m, const struct key *key, uint64_t value, uint64_t flags,
		     uint32_t max_entries)
{
	int at = model_find(m, key);

	if (at >= 0 && flags == BPF_NOEXIST)
		return -EEXIST;
	if (at < 0 && flags == BPF_EXIST)
		return -ENOENT;
	if (at < 0 && m->count == max_entries)
		return -ENOSPC;
	if (at < 0)
		at = (int)m->count++;
	m->elements[at].key = *key;
	m->elements[at].value = value;
	return 0;
}

static int model_delete(struct model *m, const struct key *key)
{
	const int at = model_find(m, key);

	if (at < 0)
		return -ENOENT;
	m->elements[at] = m->elements[--m->count];
	return 0;
}

/* Few bits that differ, so that prefixes contain each other. */
static struct key random_key(uint32_t data_size)
{
	struct key key = {.len = random_number(4) ? random_number(data_size * 8 + 1)
						  : data_size * 8 - random_number(3)};

	for (uint32_t i = 0; i < 3; i++) {
		const uint32_t nr =
			random_number(random_number(2) ? data_size * 8 : MIN(data_size * 8, 20u));

		key.data[nr / 8] ^= (uint8_t)(0x80 >> nr % 8);
	}
	return key;
}

static void check_walk(struct map *map, const struct model *m)
{
	struct key key, next;
	const struct key *expected = model_next(m, NULL);
	int err = map->ops->get_next_key(map, NULL, &key);

	for (; expected; expected = model_next(m, expected)) {
		assert_int_equal(err, 0);
		assert_memory_equal(&key, expected, 4 + m->data_size);
		err = map->ops->get_next_key(map, &key, &next);
		key = next;
	}
	assert_int_equal(err, -ENOENT);
}

static void check_one(struct map *map, struct model *m, uint64_t value)
{
	static const uint64_t flags[] = {BPF_ANY, BPF_ANY, BPF_NOEXIST, BPF_EXIST};
	const struct key key = random_key(m->data_size);
	const uint64_t flag = flags[random_number(4)];
	struct key next;

	switch (random_number(5)) {
	case 0:
	case 1:
		assert_int_equal(put(map, &key, value, flag),
				 model_put(m, &key, value, flag, map->max_entries));
		break;
	case 2:
		if (m->count && random_number(3)) {
			const struct key there = m->elements[random_number(m->count)].key;

			assert_int_equal(map->ops->delete (map, &there), 0);
			model_delete(m, &there);
		}
		assert_int_equal(map->ops->delete (map, &key), model_delete(m, &key));
		break;
	case 3:
		assert_int_equal(get(map, &key), model_get(m, &key));
		break;
	default:
		if (model_find(m, &key) < 0 && !map->ops->get_next_key(map, &key, &next))
			assert_memory_equal(&next, model_next(m, NULL), 4 + m->data_size);
	}
}

static void random_operations_agree_with_a_model(void **state)
{
	static const uint32_t data_sizes[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 40, MAX_DATA};
	static const uint32_t entries[] = {1, 2, 7, 40, MODEL};

	for (size_t i = 0; i < ARRAY_SIZE(data_sizes) * ARRAY_SIZE(entries); i++) {
		struct model m = {.data_size = data_sizes[i / ARRAY_SIZE(entries)]};
		struct map *map = make(m.data_size, 8, entries[i % ARRAY_SIZE(entries)]);

		for (uint32_t n = 1; n <= 3000; n++) {
			check_one(map, &m, n);
			if (n % 100)
				continue;
			assert_true(map->ops->is_valid(map));
			check_walk(map, &m);
		}
		drop(map);
	}
}

static void too_long_is_invalid(void **state)
{
	struct map *map = make(4, 8, 4);
	const struct key all = ipv4(0, 0, 0, 0, 0), longer = ipv4(33, 1, 2, 3, 4);
	struct key next;

	assert_int_equal(put(map, &all, 7, BPF_ANY), 0);
	assert_int_equal(put(map, &longer, 7, BPF_ANY), -EINVAL);
	assert_int_equal(map->ops->delete (map, &longer), -EINVAL);
	assert_int_equal(get(map, &longer), 0);
	assert_int_equal(map->ops->get_next_key(map, &longer, &next), 0);
	assert_int_equal(next.len, 0);
	assert_int_equal(put(map, &all, 7, 3), -EINVAL);
	drop(map);
}

/* A replaced value is a new one: who holds the old one keeps it until its memory is used again. */
static void programs_point_into_elements(void **state)
{
	struct map *map = make(4, 8, 4);
	const struct key key = ipv4(24, 10, 1, 2, 0);
	uint64_t *old, *new;

	assert_int_equal(put(map, &key, 1, BPF_ANY), 0);
	old = map->ops->lookup(map, &key);
	assert_int_equal(put(map, &key, 2, BPF_ANY), 0);
	new = map->ops->lookup(map, &key);
	assert_ptr_not_equal(old, new);
	assert_int_equal(*old, 1);
	assert_int_equal(*new, 2);
	for (size_t i = 0; i < 8; i++)
		assert_ptr_equal(map->ops->value_at(map, (uint8_t *)new + i), new);
	assert_null(map->ops->value_at(map, (uint8_t *)new + 8));
	assert_null(map->ops->value_at(map, (uint8_t *)new - 1));
	assert_null(map->ops->value_at(map, map->header));
	drop(map);
}

/* Nothing is taken before it is needed. */
static void the_largest_maps(void **state)
{
	static const uint32_t value_sizes[] = {1, 8, 4194024};

	for (size_t i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		struct map *map = make(4, value_sizes[i], ~0u);
		uint8_t *value = calloc(1, value_sizes[i]);
		const struct key key = ipv4(24, 10, 1, 2, 0);

		value[0] = 9;
		assert_int_equal(map->ops->update(map, &key, value, BPF_ANY), 0);
		assert_memory_equal(map->ops->lookup(map, &key), value, value_sizes[i]);
		assert_int_equal(map->ops->delete (map, &key), 0);
		free(value);
		drop(map);
	}
}

/* A file that was tampered with: no answer is right, but each one comes back. */
static void garbage_does_no_harm(void **state)
{
	struct map *map = make(4, 8, 64);
	uint64_t *words = map->private;
	struct key next;

	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 30; i++) {
			const struct key key = random_key(4);

			put(map, &key, 1, BPF_ANY);
		}
		for (int i = 0; i < 8; i++) { /* not the lock, which is the first word */
			const uint32_t at = 1 + random_number(random_number(2) ? 40 : 1400);

			words[at] ^= random_number(2)
					     ? 1ull << random_number(64)
					     : (uint64_t)random_number(70) << 32 * random_number(2);
		}
		for (int i = 0; i < 30; i++) {
			const struct key key = random_key(4);

			map->ops->lookup(map, &key);
			map->ops->delete (map, &key);
			map->ops->get_next_key(map, &key, &next);
		}
	}
	map->ops->is_valid(map);
	close_map(map);
}

/* Threads: each owns its keys, everybody reads everything. */
#define THREADS 4
#define KEYS 64

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 5000
#else
#define ROUNDS 100000
#endif

struct worker {
	struct map *map;
	uint32_t number;
	unsigned failures;
};

/* Neighbours belong to different threads, and all lie below one prefix that stays. */
static struct key key_of(uint32_t number, uint32_t k)
{
	return ipv4(32, 10, 0, 0, (uint8_t)(k * THREADS + number));
}

static bool belongs(uint64_t value, uint32_t number, uint32_t k)
{
	return value >> 32 == k * THREADS + number + 1;
}

static uint64_t copied(struct map *map, const struct key *key)
{
	uint64_t value = 0;

	return map->ops->copy_value(map, key, &value) ? 0 : value;
}

static void *write_and_read(void *arg)
{
	struct worker *w = arg;
	uint64_t own[KEYS] = {0};
	uint32_t state = w->number + 1;

	for (uint32_t round = 1; round <= ROUNDS; round++) {
		const uint32_t k = (state = state * 1664525 + 1013904223) >> 16 & (KEYS - 1);
		const uint32_t other = state >> 8 & (KEYS - 1), whose = state >> 24 & (THREADS - 1);
		const struct key key = key_of(w->number, k), others = key_of(whose, other);
		const uint64_t value = (uint64_t)(k * THREADS + w->number + 1) << 32 | round;
		uint64_t found;

		if (state >> 30) {
			w->failures +=
				put(w->map, &key, value, own[k] ? BPF_EXIST : BPF_NOEXIST) != 0;
			own[k] = value;
		} else {
			w->failures += w->map->ops->delete (w->map, &key) != (own[k] ? 0 : -ENOENT);
			own[k] = 0;
		}
		w->failures += copied(w->map, &key) != (own[k] ?: 1);
		found = copied(w->map, &others);
		w->failures += found != 1 && !belongs(found, whose, other);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	/* Keys of more than 32 bits have hints. */
	static const struct {
		uint32_t data_size, above;
	} rows[] = {{4, 0}, {4, 8}, {4, 24}, {8, 0}, {8, 24}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct map *map = make(rows[i].data_size, 8, THREADS * KEYS + 1);
		const struct key above = ipv4(rows[i].above, 10, 0, 0, 0);
		struct worker workers[THREADS];
		pthread_t threads[THREADS];

		assert_int_equal(put(map, &above, 1, BPF_ANY), 0);
		for (uint32_t t = 0; t < THREADS; t++) {
			workers[t] = (struct worker){map, t, 0};
			assert_int_equal(
				pthread_create(&threads[t], NULL, write_and_read, &workers[t]), 0);
		}
		for (uint32_t t = 0; t < THREADS; t++) {
			pthread_join(threads[t], NULL);
			assert_int_equal(workers[t].failures, 0);
		}
		drop(map);
	}
}

/*
 * Death at any instruction: a child is stepped through one change and killed after each instruction
 * that changed the map. Afterwards the map is as before or as after it, and whole.
 */
enum { OLD = 100, NEW = 200, CAPACITY = 6 };

struct change {
	const char *name;
	struct key before[CAPACITY]; /* with the value OLD; all zeros: no more */
	struct key key;
	bool remove;
};

#define KEY(len, ...)               \
	{                           \
		(len),              \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

static const struct change changes[] = {
	{"into an empty slot", {KEY(8, 10)}, KEY(24, 192, 168, 1), false},
	{"a short prefix", {KEY(24, 192, 168, 1)}, KEY(2, 192), false},
	{"below", {KEY(8, 10)}, KEY(24, 10, 1, 2), false},
	{"above", {KEY(24, 10, 1, 2)}, KEY(8, 10), false},
	{"beside, with a branch", {KEY(24, 10, 1, 2)}, KEY(24, 10, 1, 3), false},
	{"in place of a branch", {KEY(24, 10, 1, 2), KEY(24, 10, 1, 3)}, KEY(23, 10, 1, 2), false},
	{"replace", {KEY(24, 10, 1, 2), KEY(8, 10)}, KEY(24, 10, 1, 2), false},
	{"replace above others",
	 {KEY(24, 10, 1, 2), KEY(24, 10, 1, 3), KEY(8, 10)},
	 KEY(8, 10),
	 false},
	{"replace in a full map",
	 {KEY(24, 10, 1, 2), KEY(24, 10, 1, 3), KEY(8, 10), KEY(8, 11), KEY(16, 11, 1), KEY(1, 0)},
	 KEY(8, 10),
	 false},
	{"delete the only one", {KEY(24, 10, 1, 2)}, KEY(24, 10, 1, 2), true},
	{"delete a short one", {KEY(2, 192), KEY(24, 192, 168, 1)}, KEY(2, 192), true},
	{"delete below", {KEY(24, 10, 1, 2), KEY(8, 10)}, KEY(24, 10, 1, 2), true},
	{"delete above", {KEY(24, 10, 1, 2), KEY(8, 10)}, KEY(8, 10), true},
	{"delete below a branch", {KEY(24, 10, 1, 2), KEY(24, 10, 1, 3)}, KEY(24, 10, 1, 3), true},
	{"delete, leaves a branch",
	 {KEY(24, 10, 1, 2), KEY(24, 10, 1, 3), KEY(23, 10, 1, 2)},
	 KEY(23, 10, 1, 2),
	 true},
};

static uint32_t fill(struct map *map, const struct change *c)
{
	uint32_t n = 0;

	/* Free nodes that were used before, as well as ones that never were. */
	for (uint8_t i = 0; i < 2; i++)
		put(map, &(struct key){24, {77, i, 0, 0}}, 1, BPF_ANY);
	for (uint8_t i = 0; i < 2; i++)
		map->ops->delete (map, &(struct key){24, {77, i, 0, 0}});
	for (; n < CAPACITY && c->before[n].len; n++)
		assert_int_equal(put(map, &c->before[n], OLD, BPF_ANY), 0);
	return n;
}

/* The value of exactly this prefix, 0 if there is none. */
static uint64_t value_of(struct map *map, const struct key *key)
{
	struct key found;
	int err = map->ops->get_next_key(map, NULL, &found);

	while (!err && (found.len != key->len || !contains(&found, key)))
		err = map->ops->get_next_key(map, &found, &found);
	return err ? 0 : get(map, key);
}

/* How many more fit; they are taken out again. */
static uint32_t room(struct map *map)
{
	uint32_t n = 0;

	while (!put(map, &(struct key){32, {99, 0, 0, (uint8_t)n}}, 1, BPF_NOEXIST))
		n++;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(map->ops->delete (map, &(struct key){32, {99, 0, 0, (uint8_t)i}}),
				 0);
	return n;
}

static size_t control_size(const struct map *map)
{
	return map->object.region.size - map->object.region.data_size - PAGE_BYTES;
}

static bool has_changed(const struct map *map, void *memory)
{
	const void *control = region_control(&map->object.region);

	if (!memcmp(memory, control, control_size(map)))
		return false;
	memcpy(memory, control, control_size(map));
	return true;
}

static pid_t start_stopped(struct map *map, const struct change *c)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		put(map, &(struct key){32, {1, 1, 1, 1}}, 1,
		    BPF_EXIST); /* what a first call does */
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		SYSCALL(SYS_tkill, sys_gettid(), SIGSTOP);
		if (c->remove)
			map->ops->delete (map, &c->key);
		else
			put(map, &c->key, NEW, BPF_ANY);
		SYSCALL(SYS_exit_group, 0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSTOPPED(status) ? child : 0; /* 0: ptrace is not permitted */
}

/* True if the child came to its end before it had changed the map so many times. */
static bool step_and_kill(struct map *map, const struct change *c, unsigned nr_changes)
{
	void *memory = malloc(control_size(map));
	const pid_t child = start_stopped(map, c);
	bool ended = !child;
	int status;

	memset(memory, 0, control_size(map));
	has_changed(map, memory);
	while (!ended && nr_changes) {
		ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
		waitpid(child, &status, 0);
		ended = WIFEXITED(status);
		nr_changes -= has_changed(map, memory);
	}
	if (!ended) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	free(memory);
	return ended;
}

/* Readers without a lock see one or the other even before anybody repairs. True: the change is
 * done. */
static bool check_survivors(struct map *map, const struct change *c, uint32_t present)
{
	const uint64_t at_once = get(map, &c->key);
	struct model before = {.data_size = 4}, after;
	uint64_t found;
	bool done;

	for (uint32_t i = 0; i < present; i++)
		model_put(&before, &c->before[i], OLD, BPF_ANY, CAPACITY);
	after = before;
	if (c->remove)
		model_delete(&after, &c->key);
	else
		model_put(&after, &c->key, NEW, BPF_ANY, CAPACITY);
	if (at_once != model_get(&before, &c->key) && at_once != model_get(&after, &c->key))
		fail_msg("%s: finds %llu", c->name, (unsigned long long)at_once);
	found = value_of(map, &c->key); /* repairs */
	done = c->remove ? !found : found == NEW;
	check_walk(map, done ? &after : &before);
	assert_int_equal(get(map, &c->key), model_get(done ? &after : &before, &c->key));
	if (!map->ops->is_valid(map))
		fail_msg("%s: invalid", c->name);
	assert_int_equal(room(map), CAPACITY - (done ? after : before).count);
	assert_true(map->ops->is_valid(map));
	return done;
}

static void death_at_any_instruction(void **state)
{
#if defined(__SANITIZE_THREAD__)
	skip(); /* hundreds of thousands of steps */
#endif
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		bool ended = false, done = false, done_now;

		for (unsigned n = 1; !ended; n++) {
			struct map *map = make(4, 8, CAPACITY);
			const uint32_t present = fill(map, c);

			ended = step_and_kill(map, c, n);
			done_now = check_survivors(map, c, present);
			if (done && !done_now)
				fail_msg("%s: undone again", c->name);
			done = done_now;
			drop(map);
		}
		assert_true(done);
	}
}

/*
 * A file system that fills up while a map grows: -ENOMEM, nothing lost. In a child with a mount
 * namespace of its own; 77: not permitted.
 */
static struct key numbered(uint32_t n)
{
	return ipv4(32, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
}

static int grow_until_full(const char *directory)
{
	struct map *map;
	struct key key;
	uint32_t n = 0;
	int err = 0;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", directory, "tmpfs", 0, "size=4m"))
		return 77;
	if (chmod(directory, 0700) || realm_open())
		return 1;
	for (map = make(4, 8, 100000); !err; n += !err) {
		key = numbered(n);
		err = put(map, &key, n + 1, BPF_NOEXIST);
	}
	if (err != -ENOMEM || n < 1000 || n == 100000 || !map->ops->is_valid(map))
		return 2;
	for (uint32_t i = 0; i < n; i++) {
		key = numbered(i);
		if (get(map, &key) != i + 1)
			return 3;
	}
	for (uint32_t i = 0; i < n / 2; i++) {
		key = numbered(i);
		if (map->ops->delete (map, &key) || put(map, &key, 1, BPF_NOEXIST))
			return 4;
	}
	return map->ops->is_valid(map) ? 0 : 5;
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
		cmocka_unit_test(random_operations_agree_with_a_model),
		cmocka_unit_test(too_long_is_invalid),
		cmocka_unit_test(programs_point_into_elements),
		cmocka_unit_test(the_largest_maps),
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
