/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * timers.c: the storm on timers in values. Their callback counts. Each writer owns timers, starts
 * and cancels them as the helpers do for programs. No start comes twice, none comes after it was
 * cancelled, those of a dead process never come, and no death takes a timer out of use.
 */
#include "storm.h"

#include <stdio.h>
#include <time.h>

#include "base/atomic.h"
#include "unit/timer_program.h"
#include "vm/timer.h"

#define MS 1000000u
#define PATIENCE 10000 /* ms until a timer that is due counts as lost */

struct value {
	uint64_t fired;
	struct timer timer;
};

/* intended[STARTS] counts starts; acknowledged[FIRED] is 1 + what a cancelled one had counted. */
enum { STARTS, FIRED };

static int map_fd, prog_fd;
static struct map *map; /* the same in all processes, which have inherited them */
static struct prog *prog;

static int make_map(void)
{
	struct map_spec spec = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = sizeof(struct value),
		.max_entries = WRITERS * KEYS,
		.name = "timers",
		.fields = {1,
			   {{.kind = FIELD_TIMER,
			     .size = sizeof(struct timer),
			     .offset = offsetof(struct value, timer)}}}};

	return map_create(&spec);
}

static struct object *must_open(int fd, enum object_kind kind)
{
	struct object *object;

	if (fd >= 0 && !object_from_fd(fd, kind, &object, NULL))
		return object;
	printf("# no map or program\n");
	_exit(1);
}

static void create(void)
{
	map_fd = make_map();
	map = map_of(must_open(map_fd, OBJECT_MAP));
	prog_fd = make_timer_program(map);
	prog = prog_of(must_open(prog_fd, OBJECT_PROG));
}

static struct value *value_of(unsigned writer, unsigned k)
{
	return map->ops->lookup(map, &(uint32_t){writer * KEYS + k});
}

static void check_count(struct storm_log *log, unsigned k, struct value *value)
{
	const uint64_t fired = load_acquire(&value->fired), cancelled = log->acknowledged[FIRED][k];

	EXPECT(log, fired <= log->intended[STARTS][k]);
	EXPECT(log, !cancelled || fired == cancelled - 1);
}

/* Cancelling has taken the callback away. 0 or -errno. */
static int start(struct storm_log *log, unsigned k, struct value *value, uint64_t ns)
{
	log->acknowledged[FIRED][k] = 0;
	note();
	log->intended[STARTS][k]++;
	note();
	log->calls++;
	EXPECT(log, !timer_set_callback(&value->timer, map, prog, CALLBACK));
	return timer_start(&value->timer, map, ns, 0);
}

/* Afterwards no callback is under way, nor will one come. */
static void cancel(struct storm_log *log, unsigned k, struct value *value)
{
	EXPECT(log, timer_cancel(&value->timer) >= 0);
	note();
	log->acknowledged[FIRED][k] = 1 + load_acquire(&value->fired);
	log->calls++;
}

static void wait_for(struct storm_log *log, struct value *value, uint64_t fired)
{
	for (int i = 0; i < 10 * PATIENCE && load_acquire(&value->fired) < fired; i++)
		usleep(100);
	EXPECT(log, load_acquire(&value->fired) == fired);
}

/* Whatever a kill left: it can be used, and counts once for one start. */
static void settle(struct storm_log *log, unsigned writer)
{
	for (unsigned k = 0; k < KEYS; k++) {
		struct value *value = value_of(writer, k);
		const int err = timer_init(&value->timer, map, CLOCK_MONOTONIC);
		uint64_t fired;

		EXPECT(log, !err || err == -EBUSY);
		check_count(log, k, value);
		cancel(log, k, value);
		fired = load_acquire(&value->fired);
		EXPECT(log, !start(log, k, value, 0));
		wait_for(log, value, fired + 1);
	}
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	const unsigned k = random % KEYS;
	struct value *value = value_of(writer, k);

	check_count(log, k, value);
	if (random / KEYS % 4)
		EXPECT(log, !start(log, k, value, random / 64 % MS));
	else
		cancel(log, k, value);
}

static bool verify(struct storm_log *logs)
{
	bool well = storm_is_valid(map_fd);

	for (unsigned i = 0; i < WRITERS * KEYS; i++) {
		cancel(&logs[i / KEYS], i % KEYS, value_of(i / KEYS, i % KEYS));
		check_count(&logs[i / KEYS], i % KEYS, value_of(i / KEYS, i % KEYS));
	}
	for (unsigned writer = 0; writer < WRITERS; writer++)
		well = well && !logs[writer].failures;
	if (!well)
		printf("# a timer came too often, too late or not at all\n");
	object_put(&map->object);
	object_put(&prog->object);
	close(prog_fd);
	close(map_fd);
	return well;
}

const struct family timers_family = {"timers", create, settle, step, verify};
