/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_ringbuf.c: RINGBUF and USER_RINGBUF at the level of their operations: producers that die
 * after every change of the ring, and shared memory in which anything may stand.
 */
#include "unit/die.h"
#include "unit/map_test.h"

#include "base/atomic.h"
#include "maps/ringbuf.h"

#define BYTES 4096u

static struct map *map;

static struct map *make(uint32_t type)
{
	struct map_spec spec = {.type = type, .max_entries = BYTES};

	return open_map(&spec);
}

static int open_ring(void **state)
{
	(void)state;
	map = make(BPF_MAP_TYPE_RINGBUF);
	return 0;
}

static int open_user_ring(void **state)
{
	(void)state;
	map = make(BPF_MAP_TYPE_USER_RINGBUF);
	return 0;
}

static int close_ring(void **state)
{
	(void)state;
	close_map(map);
	return 0;
}

static void produce(void *arg)
{
	uint64_t *record = ringbuf_reserve(map, 24);

	(void)arg;
	if (record)
		ringbuf_commit(map, record, 0, false);
}

/* As a consumer does it that waits: false at the end. */
static bool consume(void)
{
	uint64_t *const consumer = ringbuf_position(map, 0);
	const uint32_t *header = ringbuf_place(map, *consumer);

	if (!map->ops->poll(map))
		return false;
	assert_false(load_acquire(header) & BPF_RINGBUF_BUSY_BIT);
	store_release(consumer, *consumer + ringbuf_record_bytes(*header &
								 ~BPF_RINGBUF_DISCARD_BIT));
	return true;
}

static void expect_whole(void)
{
	void *records[3];

	while (consume())
		;
	assert_true(map->ops->is_valid(map));
	for (int i = 0; i < 3; i++) {
		records[i] = ringbuf_reserve(map, 1000);
		assert_non_null(records[i]);
	}
	assert_null(ringbuf_reserve(map, 1100));
	for (int i = 0; i < 3; i++)
		ringbuf_commit(map, records[i], 0, i == 1);
	while (consume())
		;
	assert_int_equal(*ringbuf_position(map, 0), *ringbuf_position(map, 1));
}

static void death_after_any_change(void **state)
{
	const struct death death = {.run = produce,
				    .memory = map->object.region.base,
				    .size = map->object.region.size - PAGE_BYTES};

	(void)state;
	for (unsigned place = 1; dies_at(&death, place); place++) {
		produce(NULL);
		expect_whole();
	}
	expect_whole();
}

/* Who holds the oldest record is dead, and the ring is full: there is room again. */
static void full_of_the_dead(void **state)
{
	pid_t child = fork();

	(void)state;
	if (!child) {
		while (ringbuf_reserve(map, 100))
			;
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_null(ringbuf_reserve(map, 100)); /* discarded records are for the consumer to pass */
	expect_whole();
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 29;
}

static uint64_t odd_position(uint64_t *seed)
{
	static const uint64_t offsets[] = {0, 1, 8, 4088, 4096, 8192, 1ull << 32, 1ull << 63};

	return (next(seed) % 4 ? *ringbuf_position(map, 1) : next(seed) << 20) +
	       offsets[next(seed) % ARRAY_SIZE(offsets)] * (next(seed) % 2 ? 1 : ~0ull);
}

/* Of the pages that can be mapped, or of all but the map's header. */
static void scribble(uint64_t *seed, bool all)
{
	uint8_t *const base = map->object.region.base;
	const uint64_t data = map->object.region.data_size;
	uint64_t at = next(seed) % data & ~3ull;

	if (all && next(seed) % 2)
		at = data + sizeof(struct map_header) +
		     next(seed) % (map_bytes(map) - sizeof(struct map_header) - 8) / 8 * 8;
	*(uint32_t *)(void *)(base + at) = (uint32_t)(next(seed) << next(seed) % 16);
}

static void anything_in_a_ring(void **state)
{
	uint64_t seed = 1;
	char bytes[300] = {0};
	void *record;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		*ringbuf_position(map, 0) = odd_position(&seed);
		scribble(&seed, i % 64 == 0);
		((uint32_t *)map->private)[0] = 0; /* nobody has the lock */
		ringbuf_output(map, bytes, next(&seed) % sizeof(bytes), 0);
		record = ringbuf_reserve(map, next(&seed) % 5000);
		if (record)
			ringbuf_commit(map, record, next(&seed), next(&seed) % 2);
		ringbuf_query(map, next(&seed) % 5);
		if (i % 256 == 0)
			map->ops->poll(map);
	}
}

static void anything_in_a_user_ring(void **state)
{
	uint8_t copy[BYTES];
	uint64_t seed = 1;
	void *record;
	uint32_t size;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		*ringbuf_position(map, 1) = odd_position(&seed) & (next(&seed) % 8 ? ~7ull : ~0ull);
		*ringbuf_position(map, 0) = *ringbuf_position(map, 1) - next(&seed) % 9000;
		scribble(&seed, false);
		assert_int_equal(user_ringbuf_enter(map), 0);
		if (!user_ringbuf_peek(map, &record, &size)) {
			assert_true(size <= sizeof(copy));
			memcpy(copy, record, size);
			user_ringbuf_pass(map, size);
		}
		user_ringbuf_leave(map, true);
	}
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_ring)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(death_after_any_change, open_ring), TEST(full_of_the_dead, open_ring),
		TEST(anything_in_a_ring, open_ring),
		TEST(anything_in_a_user_ring, open_user_ring),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
