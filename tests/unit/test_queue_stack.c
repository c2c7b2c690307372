/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_queue_stack.c: QUEUE and STACK at the level of their operations: with threads, with a
 * process that is killed after every instruction of interest, and with processes that are killed at
 * random, whose elements are all accounted for.
 */
#include "unit/map_test.h"
#include "maps/map.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
	void (*run)(struct map *map);
	int change; /* in the number of elements */
};

static void run_push(struct map *map)
{
	push(map, 99, BPF_ANY);
}

static void run_exist(struct map *map)
{
	push(map, 99, BPF_EXIST);
}

static void run_pop(struct map *map)
{
	pop(map);
}

static void run_peek(struct map *map)
{
	struct element element;

	map->ops->peek(map, &element);
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

static pid_t start_stopped(struct map *map, const struct operation *op)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		lock_release(lock_of_process()); /* does what only a first call in a process does */
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			SYSCALL(SYS_exit_group, 0);
		SYSCALL(SYS_tkill, sys_gettid(), SIGSTOP);
		op->run(map);
		SYSCALL(SYS_exit_group, 0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSTOPPED(status) ? child : 0; /* 0: ptrace is not permitted */
}

/* Lock, span and slots: all that others can see of an operation. */
struct image {
	uint64_t span[8];
	struct element slots[CAPACITY + 1];
};

/*
 * A child is stepped through the operation and killed when it has changed the ring so many times.
 * True if it came to its end before.
 */
static bool step_and_kill(struct map *map, const struct operation *op, unsigned changes)
{
	const pid_t child = start_stopped(map, op);
	struct image image;
	bool ended = !child;
	int status;

	memcpy(&image, map->private, sizeof(image));
	while (!ended && changes) {
		ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
		waitpid(child, &status, 0);
		ended = WIFEXITED(status);
		changes -= memcmp(&image, map->private, sizeof(image)) != 0;
		memcpy(&image, map->private, sizeof(image));
	}
	if (!ended) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return ended;
}

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

			ended = step_and_kill(map, op, changes);
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

/*
 * Storm: two producers and two consumers, one of which is killed again and again. The journal of
 * each tells what it was about to do. An operation in flight at a kill may have happened or not: a
 * push of the number that had been begun, a pop of the element that had been copied out.
 */

#define STORM_NUMBERS (16u << 20)
#define STORM_ENTRIES 61
#define WAIT_LIMIT_NS 1000000000ull

struct journal {
	uint32_t begun;  /* producer: numbers below are pushed or being pushed */
	uint32_t pushed; /* producer: numbers below are pushed, or their fate was settled */
	uint32_t popping;
	struct element element; /* consumer: where it pops to */
	int64_t last[PRODUCERS]; /* consumer: what it popped last of each producer */
	uint64_t longest;        /* operation, in nanoseconds */
	uint32_t failures;
};

/* What is known of an element: how often it was popped, and whether a kill excuses its lack. */
enum { POPPED = 1, EXCUSED = 0x80 };

struct storm {
	struct journal journals[2 * PRODUCERS];
	uint8_t elements[PRODUCERS][STORM_NUMBERS];
};

struct storm_case {
	uint32_t type;
	uint64_t flags;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void settle_time(struct journal *journal, uint64_t start)
{
	journal->longest = MAX(journal->longest, now() - start);
}

static void storm_produce(struct map *map, struct journal *journal, uint32_t producer,
			  uint64_t flags)
{
	for (uint32_t n = journal->pushed; n < STORM_NUMBERS; n = journal->pushed) {
		const struct element element = element_of(name_of(producer, n));
		const uint64_t start = now();
		int err;

		store_release(&journal->begun, n + 1);
		err = n % 2 ? map->ops->push(map, &element, flags)
			    : map_update_user(map, NULL, &element, flags);
		store_release(&journal->pushed, err ? n : n + 1);
		settle_time(journal, start);
		journal->failures += err && err != -E2BIG;
	}
}

/* An element that has been popped; false if it should not have been. */
static bool account(struct storm *storm, int64_t *last, uint32_t type,
		    const struct element *element)
{
	const uint32_t producer = (uint32_t)(element->name >> 32) - 1;
	const uint32_t number = (uint32_t)element->name;
	bool in_order;

	if (!is_whole(element) || producer >= PRODUCERS || number >= STORM_NUMBERS)
		return false;
	in_order = type != QUEUE || number > last[producer];
	last[producer] = number;
	return !(atomic_add(&storm->elements[producer][number], POPPED) & ~EXCUSED) && in_order;
}

static void storm_consume(struct map *map, struct storm *storm, struct journal *journal)
{
	for (uint32_t n = 0;; n++) {
		const uint64_t start = now();
		int err;

		memset(&journal->element, 0, sizeof(journal->element));
		store_release(&journal->popping, 1);
		err = n % 2 ? map->ops->pop(map, &journal->element)
			    : map_lookup_and_delete(map, NULL, &journal->element);
		if (!err)
			journal->failures += !account(storm, journal->last, map->header->type,
						      &journal->element);
		store_release(&journal->popping, 0);
		settle_time(journal, start);
		journal->failures += err && err != -ENOENT;
	}
}

static pid_t storm_start(struct map *map, struct storm *storm, uint32_t nr, uint64_t flags)
{
	struct journal *journal = &storm->journals[nr];
	pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (nr % 2)
		storm_consume(map, storm, journal);
	storm_produce(map, journal, nr / 2, flags);
	for (;;)
		pause();
}

static void excuse(struct storm *storm, uint64_t name)
{
	const uint32_t producer = (uint32_t)(name >> 32) - 1, number = (uint32_t)name;

	if (producer < PRODUCERS && number < STORM_NUMBERS)
		atomic_or(&storm->elements[producer][number], EXCUSED);
}

/* Kills one and settles what it was doing. */
static void storm_kill(struct storm *storm, uint32_t nr, pid_t child)
{
	struct journal *journal = &storm->journals[nr];

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	if (journal->begun > journal->pushed)
		excuse(storm, name_of(nr / 2, journal->pushed));
	journal->pushed = journal->begun;
	if (journal->popping && is_whole(&journal->element))
		excuse(storm, journal->element.name);
	journal->popping = 0;
}

static void storm_check(struct map *map, struct storm *storm, const struct storm_case *c)
{
	int64_t last[PRODUCERS] = {-1, -1};
	struct element element;
	uint32_t inside = 0, missing = 0;

	while (!map->ops->pop(map, &element)) {
		assert_true(account(storm, last, c->type == STACK ? STACK : QUEUE, &element));
		inside++;
	}
	assert_in_range(inside, 0, STORM_ENTRIES);
	for (uint32_t producer = 0; producer < PRODUCERS; producer++)
		for (uint32_t n = 0; n < STORM_NUMBERS; n++) {
			const bool pushed = n < storm->journals[2 * producer].pushed;
			const uint8_t element = storm->elements[producer][n];

			assert_in_range(element & ~EXCUSED, 0, pushed);
			missing += pushed && !element;
		}
	if (c->flags != BPF_EXIST) /* which drops elements */
		assert_int_equal(missing, 0);
	for (uint32_t i = 0; i < 2 * PRODUCERS; i++) {
		assert_int_equal(storm->journals[i].failures, 0);
		assert_in_range(storm->journals[i].longest, 0, WAIT_LIMIT_NS);
	}
	assert_int_equal(fill(map), STORM_ENTRIES);
}

static void storm_run(const struct storm_case *c, unsigned kills)
{
	struct storm *storm = sys_mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct map *map = make(c->type, STORM_ENTRIES);
	pid_t children[2 * PRODUCERS];
	uint32_t seed = 1;

	assert_false(sys_is_err(storm));
	for (uint32_t i = 0; i < 2 * PRODUCERS; i++) {
		memset(storm->journals[i].last, 0xff, sizeof(storm->journals[i].last));
		children[i] = storm_start(map, storm, i, c->flags);
	}
	for (unsigned k = 0; k < kills; k++) {
		uint32_t nr;

		seed = seed * 1664525 + 1013904223;
		nr = seed >> 16 & 3;
		usleep(1000 + (seed >> 8 & 0xfff));
		storm_kill(storm, nr, children[nr]);
		children[nr] = storm_start(map, storm, nr, c->flags);
	}
	for (uint32_t i = 0; i < 2 * PRODUCERS; i++)
		storm_kill(storm, i, children[i]);
	storm_check(map, storm, c);
	sys_munmap(storm, sizeof(*storm));
	drop(map);
}

static void a_storm_of_kills_loses_and_doubles_nothing(void **state)
{
	static const struct storm_case cases[] = {{QUEUE, BPF_ANY}, {STACK, BPF_ANY},
						  {QUEUE, BPF_EXIST}};
	const char *kills = getenv("USERBPF_STORM_KILLS");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		storm_run(&cases[i], kills ? (unsigned)atoi(kills) : 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(re_entry_is_busy),
		cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(death_at_any_instruction),
		cmocka_unit_test(threads_lose_and_double_nothing),
		cmocka_unit_test(a_storm_of_kills_loses_and_doubles_nothing),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
