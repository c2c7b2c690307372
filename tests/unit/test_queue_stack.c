/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_queue_stack.c: QUEUE and STACK at the level of their operations: with threads, and with a
 * process that is killed after every instruction of interest.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/map.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/syscall.h"
#include "object/realm.h"

#define QUEUE BPF_MAP_TYPE_QUEUE
#define STACK BPF_MAP_TYPE_STACK

static const uint32_t types[] = {QUEUE, STACK};

/* An element names its producer and its number there; 0 is none. */
struct element {
	uint64_t name;
	uint64_t check[4];
};

static uint64_t name_of(uint32_t producer, uint32_t number)
{
	return (uint64_t)(producer + 1) << 32 | number;
}

static struct element element_of(uint64_t name)
{
	struct element element = {.name = name};

	for (size_t i = 0; i < ARRAY_SIZE(element.check); i++)
		element.check[i] = name * (2 * i + 3);
	return element;
}

static bool is_whole(const struct element *element)
{
	const struct element wanted = element_of(element->name);

	return element->name && !memcmp(element, &wanted, sizeof(wanted));
}

static struct map *make(uint32_t type, uint32_t max_entries)
{
	struct map_spec spec = {.type = type,
				.value_size = sizeof(struct element),
				.max_entries = max_entries};

	return open_map(&spec);
}

static void drop(struct map *map)
{
	assert_true(map->ops->is_valid(map));
	close_map(map);
}

static int push(struct map *map, uint64_t name, uint64_t flags)
{
	const struct element element = element_of(name);

	return map->ops->push(map, &element, flags);
}

/* The name; 0 if there is none, ~0 if the element is not of one piece. */
static uint64_t pop(struct map *map)
{
	struct element element;
	int err = map->ops->pop(map, &element);

	if (err == -ENOENT)
		return 0;
	return !err && is_whole(&element) ? element.name : ~0ull;
}

/* How many more elements fit; they are pushed and, as the last ones, stay. */
static uint32_t fill(struct map *map)
{
	uint32_t n = 0;
	int err;

	while (!(err = push(map, 1000000 + n, BPF_ANY)))
		n++;
	assert_int_equal(err, -E2BIG);
	return n;
}

static void re_entry_is_busy(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct map *map = make(types[i], 2);
		struct lock *lock = map->private; /* the first of the control data */
		struct element element = {.name = 7};

		assert_int_equal(push(map, 1, BPF_ANY), 0);
		assert_int_equal(lock_acquire(lock), LOCK_TAKEN);
		assert_int_equal(push(map, 2, BPF_ANY), -EBUSY);
		assert_int_equal(map->ops->pop(map, &element), -EBUSY);
		assert_int_equal(map->ops->peek(map, &element), -EBUSY);
		assert_int_equal(element.name, 7);
		lock_release(lock);
		assert_int_equal(pop(map), 1);
		assert_int_equal(pop(map), 0);
		drop(map);
	}
}

/* A file that was tampered with: no answer is right, but each one comes back. */
static void garbage_does_no_harm(void **state)
{
	static const uint64_t spans[] = {
		~0ull, 5, 5ull << 32, 4ull << 32 | 5, 5ull << 32 | 4, 0xffffffff, 0xffffffffull << 32,
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(spans); i++) {
		struct map *map = make(types[i % 2], 4);
		uint64_t *span = (uint64_t *)map->private + 1;

		*span = spans[i / 2];
		assert_false(map->ops->is_valid(map));
		assert_int_equal(pop(map), 0);
		*span = spans[i / 2];
		assert_int_equal(push(map, 1, BPF_EXIST), 0);
		assert_int_equal(pop(map), 1);
		drop(map);
	}
}

/*
 * Death at any instruction: a child is killed after each one that changed the ring. Afterwards the
 * operation has been done or not, and nothing in between.
 */

#define CAPACITY 4

struct operation {
	const char *name;
	uint32_t skip;   /* pushes and pops before, to turn the ring */
	uint32_t before; /* elements 1, 2, ... */
	void (*run)(void *map);
	int change; /* in the number of elements */
};

static void run_push(void *map)
{
	push(map, 99, BPF_ANY);
}

static void run_exist(void *map)
{
	push(map, 99, BPF_EXIST);
}

static void run_pop(void *map)
{
	pop(map);
}

static void run_peek(void *map)
{
	struct element element;

	map_copy_value(map, NULL, &element);
}

static const struct operation operations[] = {
	{"push", 0, 0, run_push, 1},	   {"push around the end", 3, 2, run_push, 1},
	{"push the last", 2, 3, run_push, 1}, {"push over", 0, 4, run_exist, 0},
	{"push over, turned", 4, 4, run_exist, 0}, {"pop", 0, 4, run_pop, -1},
	{"pop around the end", 4, 2, run_pop, -1}, {"pop the last", 2, 1, run_pop, -1},
	{"peek", 0, 2, run_peek, 0},
};

static struct map *prepare(uint32_t type, const struct operation *op)
{
	struct map *map = make(type, CAPACITY);

	for (uint32_t i = 0; i < op->skip; i++) { /* a queue's first slot moves on, a stack's not */
		assert_int_equal(push(map, 50, BPF_ANY), 0);
		assert_int_equal(pop(map), 50);
	}
	for (uint32_t i = 0; type == STACK && op->skip && i < CAPACITY + op->skip; i++)
		assert_int_equal(push(map, 50, BPF_EXIST), 0);
	while (pop(map))
		;
	for (uint32_t i = 1; i <= op->before; i++)
		assert_int_equal(push(map, i, BPF_ANY), 0);
	return map;
}

/* Lock, span and slots: all that others can see of an operation. */
struct image {
	uint64_t span[8];
	struct element slots[CAPACITY + 1];
};

/* Names the elements that are there before or after, in the order of pops; 0 ends the list. */
static void expected(uint32_t type, const struct operation *op, bool after, uint64_t *names)
{
	uint64_t list[CAPACITY + 1] = {0};
	uint32_t first = 0, count = op->before;

	for (uint32_t i = 0; i < count; i++)
		list[i] = i + 1;
	if (after && op->run == run_pop) {
		first = type == QUEUE;
		count--;
	} else if (after && op->run != run_peek) {
		list[count] = 99;
		first = op->change == 0;
		count += op->change != 0;
	}
	for (uint32_t i = 0; i < count; i++)
		names[i] = list[first + (type == QUEUE ? i : count - 1 - i)];
	names[count] = 0;
}

/* The map must be as before (false) or as after the operation (true). */
static bool is_done(struct map *map, const struct operation *op, uint32_t type)
{
	uint64_t found[CAPACITY + 1], before[CAPACITY + 1], after[CAPACITY + 1];
	uint32_t n = 0;
	bool as_before, as_after;

	assert_true(map->ops->is_valid(map));
	while (n < CAPACITY && (found[n] = pop(map)))
		n++;
	found[n] = 0;
	expected(type, op, false, before);
	expected(type, op, true, after);
	as_before = !memcmp(found, before, (n + 1) * sizeof(*found));
	as_after = !memcmp(found, after, (n + 1) * sizeof(*found));
	if (!as_before && !as_after)
		fail_msg("%s: neither before nor after", op->name);
	assert_int_equal(pop(map), 0);
	assert_int_equal(fill(map), CAPACITY);
	return !as_before;
}

static void death_at_any_instruction(void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(operations); i++) {
		const struct operation *op = &operations[i / 2];
		bool ended = false, done = false, done_now;

		for (unsigned changes = 1; !ended; changes++) {
			struct map *map = prepare(types[i % 2], op);

			ended = !dies_at(&(struct death){.run = op->run,
							 .arg = map,
							 .memory = map->private,
							 .size = sizeof(struct image)},
					 changes);
			done_now = is_done(map, op, types[i % 2]);
			if (done && !done_now)
				fail_msg("%s: undone again", op->name);
			done = done_now;
			drop(map);
		}
	}
}

/* Threads: what is pushed is popped once. */

#define PRODUCERS 2
#define NUMBERS 50000u

struct worker {
	struct map *map;
	uint32_t producer;
	uint32_t *producing; /* threads */
	uint8_t *popped[PRODUCERS];
	uint32_t failures;
};

static void *produce(void *arg)
{
	struct worker *w = arg;
	int err;

	for (uint32_t n = 0; n < NUMBERS; n++)
		while ((err = push(w->map, name_of(w->producer, n), BPF_ANY))) {
			w->failures += err != -E2BIG;
			sched_yield();
		}
	atomic_sub(w->producing, 1);
	return NULL;
}

static void *consume(void *arg)
{
	struct worker *w = arg;
	int64_t last[PRODUCERS] = {-1, -1};
	bool at_end = false;

	while (!at_end) {
		const bool ended = !load_acquire(w->producing);
		const uint64_t name = pop(w->map);
		const uint32_t producer = (uint32_t)(name >> 32) - 1, number = (uint32_t)name;

		if (!name) {
			at_end = ended;
			sched_yield();
		} else if (producer >= PRODUCERS || number >= NUMBERS) {
			w->failures++;
		} else {
			w->failures += w->map->header->type == QUEUE && number <= last[producer];
			atomic_add(&w->popped[producer][number], 1);
			last[producer] = number;
		}
	}
	return NULL;
}

static void threads_lose_and_double_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct map *map = make(types[i], 7);
		uint8_t *popped = calloc(PRODUCERS, NUMBERS);
		uint32_t producing = PRODUCERS;
		struct worker workers[2 * PRODUCERS];
		pthread_t threads[2 * PRODUCERS];

		for (uint32_t t = 0; t < 2 * PRODUCERS; t++) {
			workers[t] = (struct worker){
				map, t / 2, &producing, {popped, popped + NUMBERS}, 0};
			assert_int_equal(pthread_create(&threads[t], NULL, t % 2 ? consume : produce,
							&workers[t]), 0);
		}
		for (uint32_t t = 0; t < 2 * PRODUCERS; t++)
			pthread_join(threads[t], NULL);
		for (uint32_t t = 0; t < 2 * PRODUCERS; t++)
			assert_int_equal(workers[t].failures, 0);
		for (uint32_t n = 0; n < PRODUCERS * NUMBERS; n++)
			assert_int_equal(popped[n], 1);
		free(popped);
		drop(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(re_entry_is_busy),
		cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(death_at_any_instruction),
		cmocka_unit_test(threads_lose_and_double_nothing),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
