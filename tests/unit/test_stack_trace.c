/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_stack_trace.c: STACK_TRACE at the level of its operations: a process that is killed after
 * every change of the map's memory loses no trace and no room.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/stack_trace.h"

#include <errno.h>
#include <string.h>

#define ENTRIES 4u
#define FRAMES 3u

static struct map *map;

static void make(void)
{
	struct map_spec spec = {.type = BPF_MAP_TYPE_STACK_TRACE,
				.key_size = 4,
				.value_size = FRAMES * sizeof(u64),
				.max_entries = ENTRIES};

	map = open_map(&spec);
}

/* A trace for a slot. */
static s64 enter(u32 slot, u64 variant, u64 flags)
{
	const u64 trace[FRAMES] = {slot, variant, ~variant};

	return stack_map_id(map, trace, sizeof(trace), variant << 8 | slot, flags);
}

static bool slot_holds(u32 slot, u64 variant)
{
	u64 trace[FRAMES];

	return !map->ops->copy_value(map, &slot, trace) && trace[0] == slot &&
	       trace[1] == variant && trace[2] == ~variant;
}

static bool slot_is_empty(u32 slot)
{
	u64 trace[FRAMES];

	return map->ops->copy_value(map, &slot, trace) == -ENOENT;
}

static void enters_and_replaces(void **state)
{
	u32 slot = 1;

	(void)state;
	make();
	for (u32 i = 0; i < ENTRIES; i++)
		assert_int_equal(enter(i, 1, 0), i);
	assert_int_equal(enter(slot, 1, 0), slot);
	assert_int_equal(enter(slot, 2, 0), -EEXIST);
	assert_int_equal(enter(slot, 2, BPF_F_REUSE_STACKID), -ENOMEM);
	slot = 3;
	assert_int_equal(map->ops->delete(map, &slot), 0);
	slot = 1;
	assert_int_equal(enter(slot, 2, BPF_F_REUSE_STACKID), slot);
	assert_true(slot_holds(slot, 2));
	assert_true(map->ops->is_valid(map));
	close_map(map);
}

static void enter_new(void *arg)
{
	(void)arg;
	if (enter(2, 7, 0) != 2)
		abort();
}

static void replace(void *arg)
{
	(void)arg;
	if (enter(1, 7, BPF_F_REUSE_STACKID) != 1)
		abort();
}

static void remove_one(void *arg)
{
	u32 slot = 1;

	(void)arg;
	if (map->ops->delete(map, &slot))
		abort();
}

static void death_at_any_change(void **state)
{
	void (*const operations[])(void *) = {enter_new, replace, remove_one};
	bool ended;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(operations); i++) {
		ended = false;
		for (unsigned place = 1; !ended; place++) {
			make();
			assert_int_equal(enter(0, 1, 0), 0);
			assert_int_equal(enter(1, 1, 0), 1);
			ended = !dies_at(&(struct death){.run = operations[i],
							 .memory = map->header,
							 .size = map_bytes(map)},
					 place);
			assert_true(slot_holds(0, 1));
			assert_true(slot_holds(1, 1) || (i == 1 && slot_holds(1, 7)) ||
				    (i == 2 && slot_is_empty(1)));
			assert_true(slot_is_empty(2) || (i == 0 && slot_holds(2, 7)));
			enter(2, 7, 0);
			assert_int_equal(enter(3, 1, 0), 3);
			assert_true(map->ops->is_valid(map));
			close_map(map);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enters_and_replaces),
		cmocka_unit_test(death_at_any_change),
	};
	const char *directory = make_realm_directory();

	if (!directory) {
		printf("1..0 # SKIP no /dev/shm\n");
		return 0;
	}
	return run_in_realm(directory, tests);
}
