/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_timer.c: timers that several threads and processes start, cancel and overwrite at the same
 * time: no start comes twice, none after it was cancelled, and no death takes one out of use.
 */
#include "unit/map_test.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "vm/timer.h"

#include "unit/timer_program.h"

#define KEYS 4u
#define THREADS 4
#define TURNS 3000
#define MS 1000000u

struct value {
	u64 fired;
	struct timer timer;
};

static struct map *map;
static struct prog *prog;
static u64 started;

static struct value *value_of(u32 key)
{
	return map->ops->lookup(map, &key);
}

/* The descriptors keep their objects in use, without which no timer can be initialised. */
static int open_objects(void **state)
{
	struct map_spec spec = {.type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = sizeof(struct value),
				.max_entries = KEYS,
				.name = "test",
				.fields = {1, {{.kind = FIELD_TIMER,
						.size = sizeof(struct timer),
						.offset = offsetof(struct value, timer)}}}};
	struct object *object;
	int fd = map_create(&spec);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(object_from_fd(fd, OBJECT_MAP, &object, NULL), 0);
	map = map_of(object);
	fd = make_timer_program(map);
	assert_true(fd >= 0);
	assert_int_equal(object_from_fd(fd, OBJECT_PROG, &object, NULL), 0);
	prog = prog_of(object);
	return 0;
}

static void make_ready(u32 key)
{
	timer_init(&value_of(key)->timer, map, CLOCK_MONOTONIC);
	assert_int_equal(timer_set_callback(&value_of(key)->timer, map, prog, CALLBACK), 0);
}

static u64 fired_of(u32 key)
{
	return load_acquire(&value_of(key)->fired);
}

static void wait_for(u32 key, u64 fired)
{
	for (int i = 0; i < 10000 && fired_of(key) < fired; i++)
		usleep(1000);
	assert_int_equal(fired_of(key), fired);
}

static void *change(void *arg)
{
	static const struct value none;
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		u32 key = (u32)rand_r(&seed) % KEYS;
		struct timer *timer = &value_of(key)->timer;

		switch (rand_r(&seed) % 16) {
		case 0:
			map->ops->update(map, &key, &none, BPF_ANY);
			break;
		case 1 ... 3:
			timer_cancel(timer);
			break;
		case 4:
			timer_start_work(timer, map);
			break;
		case 5 ... 8:
			timer_init(timer, map, CLOCK_MONOTONIC);
			timer_set_callback(timer, map, prog, CALLBACK);
			break;
		default:
			if (!timer_start(timer, map, (u64)rand_r(&seed) % MS, 0))
				__atomic_add_fetch(&started, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void threads_change_the_same_timers(void **state)
{
	pthread_t threads[THREADS];
	u64 fired[KEYS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, change, (void *)(uintptr_t)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(started > 0);
	for (u32 key = 0; key < KEYS; key++) {
		make_ready(key);
		timer_cancel(&value_of(key)->timer);
		fired[key] = fired_of(key);
	}
	usleep(20000);
	for (u32 key = 0; key < KEYS; key++) {
		assert_int_equal(fired_of(key), fired[key]);
		make_ready(key);
		assert_int_equal(timer_start(&value_of(key)->timer, map, 0, 0), 0);
	}
	for (u32 key = 0; key < KEYS; key++)
		wait_for(key, fired[key] + 1);
}

/* A process that changes timers until it is killed. */
static pid_t disturb(unsigned seed)
{
	pid_t child = fork();

	if (child)
		return child;
	for (;;)
		change((void *)(uintptr_t)seed);
}

static void deaths_leave_timers_usable(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		pid_t child = disturb(round);
		u64 fired;

		usleep(500 + round % 16 * 300);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		for (u32 key = 0; key < KEYS; key++) {
			make_ready(key);
			fired = fired_of(key);
			assert_int_equal(timer_start_work(&value_of(key)->timer, map), 0);
			wait_for(key, fired + 1);
		}
	}
}

static u64 random_word(void)
{
	return (u64)rand() << 33 ^ (u64)rand() << 16 ^ (u64)rand();
}

/* A state that a hostile process may have left: often of this program, at any instruction. */
static u64 random_state(void)
{
	return rand() % 4 ? 1ull << 63 | (u64)(rand() % 16) << 52 | (u64)(rand() % 8) << 32 |
				    prog->object.id
			  : random_word();
}

static void anything_may_lie_in_the_value(void **state)
{
	(void)state;
	srand(1);
	for (u32 i = 0; i < 20000; i++) {
		struct timer *timer = &value_of(i % KEYS)->timer;

		store_release(&timer->state, random_state());
		if (rand() % 2)
			store_release(&timer->pending, random_word());
		timer_start(timer, map, (u64)rand() % MS, (u64)rand() % 4);
		timer_start_work(timer, map);
		if (rand() % 8)
			store_release(&timer->state, random_state());
		if (rand() % 4 == 0)
			timer_cancel(timer);
	}
	for (u32 key = 0; key < KEYS; key++) {
		const struct value none = {0};
		u64 fired;

		assert_int_equal(map->ops->update(map, &key, &none, BPF_ANY), 0);
		make_ready(key);
		fired = fired_of(key);
		assert_int_equal(timer_start(&value_of(key)->timer, map, 0, 0), 0);
		wait_for(key, fired + 1);
	}
}

/* A start that went with the program which exec() has replaced by this one. */
static void an_earlier_program_starts_nothing(void **state)
{
	const u64 fired = fired_of(0);

	(void)state;
	make_ready(0);
	store_release(&value_of(0)->timer.pending, (u64)getpid() << 32 | 1);
	assert_int_equal(timer_cancel(&value_of(0)->timer), 0);
	make_ready(0);
	store_release(&value_of(0)->timer.pending, (u64)getpid() << 32 | 1);
	assert_int_equal(timer_start_work(&value_of(0)->timer, map), 0);
	wait_for(0, fired + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(threads_change_the_same_timers, open_objects),
		cmocka_unit_test(deaths_leave_timers_usable),
		cmocka_unit_test(an_earlier_program_starts_nothing),
		cmocka_unit_test(anything_may_lie_in_the_value),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	object_register(&prog_object_type);
	return run_in_realm(directory, tests);
}
