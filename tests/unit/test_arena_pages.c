/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_arena_pages.c: a process that is killed while it takes pages of an arena or gives them back
 * loses no page for ever, and takes none from others.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/arena.h"

#define PAGES 70u /* more than a word of the bitmap */
#define START (1ull << 45)
#define PAGE_AT(nr) (START + (nr) * (u64)PAGE_BYTES)

static struct map *map;
static int map_fd;

static void make(void)
{
	struct map_spec spec = {.type = 33, /* ARENA, Linux 6.9 */
				.max_entries = PAGES,
				.flags = BPF_F_MMAPABLE,
				.extra = START,
				.name = "test"};
	struct object *object;

	map_fd = map_create(&spec);
	assert_true(map_fd >= 0);
	assert_int_equal(object_from_fd(map_fd, OBJECT_MAP, &object, NULL), 0);
	map = map_of(object);
	assert_int_equal(arena_alloc(map, 0, 1), START);
	map->object.region.base[1] = 9;
	assert_int_equal(arena_alloc(map, PAGE_AT(60), 8), PAGE_AT(60));
}

static void drop(void)
{
	close(map_fd);
	close_map(map);
}

static void take(void *arg)
{
	(void)arg;
	if (arena_alloc(map, PAGE_AT(10), 4) != PAGE_AT(10))
		abort();
}

static void reserve(void *arg)
{
	(void)arg;
	if (arena_reserve(map, PAGE_AT(20), 4))
		abort();
}

static void give_back(void *arg)
{
	(void)arg;
	arena_free(map, PAGE_AT(60), 8);
}

static bool dies_while(void (*run)(void *), unsigned place, bool at_calls)
{
	const struct death death = {.run = run,
				    .memory = at_calls ? NULL : map->header,
				    .size = map_bytes(map),
				    .at_calls = at_calls};

	return dies_at(&death, place);
}

/* Whatever was under way happened wholly or not at all. */
static bool all_or_none_free(unsigned first, unsigned count)
{
	if (arena_alloc(map, PAGE_AT(first), count))
		return true;
	for (unsigned page = first; page < first + count; page++)
		if (arena_alloc(map, PAGE_AT(page), 1))
			return false;
	return true;
}

static void death_at_any_place(void **state)
{
	void (*const operations[])(void *) = {take, reserve, give_back};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(operations); i++) {
		bool ended = false;

		for (unsigned place = 1; !ended; place++) {
			make();
			ended = !dies_while(operations[i / 2], place, i % 2);
			assert_true(all_or_none_free(10, 4));
			assert_true(all_or_none_free(20, 4));
			assert_true(all_or_none_free(60, 8));
			assert_true(arena_alloc(map, PAGE_AT(24), 36));
			assert_int_equal(map->object.region.base[1], 9);
			drop();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(death_at_any_place),
	};
	const char *directory = make_realm_directory();

	if (!directory) {
		printf("1..0 # SKIP no /dev/shm\n");
		return 0;
	}
	return run_in_realm(directory, tests);
}
