/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_slots.c: the bitmap of free slots against a plain array, at word and summary boundaries,
 * with a wrong summary, and with threads that are entitled to a slot.
 */
#include "bpf_test.h"

#include <pthread.h>

#include "shm/slots.h"

static struct slots make(uint32_t count)
{
	struct slots s;
	void *mem = aligned_alloc(64, ROUND_UP(slots_bytes(count), 64));

	assert_non_null(mem);
	memset(mem, 0, slots_bytes(count));
	slots_attach(&s, mem, count);
	return s;
}

static void drop(struct slots *s)
{
	free(s->sync);
}

static const uint32_t counts[] = {1, 2, 63, 64, 65, 128, 4095, 4096, 4097, 12345};

static void nothing_is_free_at_first(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct slots s = make(counts[i]);
		uint32_t hint = 0;

		assert_int_equal(slots_find(&s, &hint), -ENOENT);
		drop(&s);
	}
}

static void each_slot_is_found_once(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct slots s = make(counts[i]);
		uint8_t *seen = calloc(1, counts[i]);
		uint32_t hint = counts[i] / 2;

		slots_mark_range_free(&s, 0, counts[i]);
		for (uint32_t n = 0; n < counts[i]; n++) {
			int64_t slot = slots_find(&s, &hint);

			assert_in_range(slot, 0, counts[i] - 1);
			assert_int_equal(hint, slot);
			assert_false(seen[slot]);
			seen[slot] = 1;
			slots_mark_used(&s, (uint32_t)slot);
		}
		assert_int_equal(slots_find(&s, &hint), -ENOENT);
		free(seen);
		drop(&s);
	}
}

static void a_range_is_a_range(void **state)
{
	static const uint32_t ranges[][2] = {{0, 1},   {0, 64},   {1, 63},     {63, 2},
					     {64, 64}, {60, 200}, {4000, 200}, {0, 12345}};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct slots s = make(12345);

		slots_mark_range_free(&s, ranges[i][0], ranges[i][1]);
		for (uint32_t slot = 0; slot < 12345; slot++)
			assert_int_equal(slots_is_marked(&s, slot),
					 slot - ranges[i][0] < ranges[i][1]);
		drop(&s);
	}
}

static void the_hint_comes_first(void **state)
{
	struct slots s = make(10000);
	uint32_t hint;

	slots_mark_range_free(&s, 0, 10000);
	for (uint32_t want = 0; want < 10000; want += 77) {
		hint = want;
		assert_int_equal(slots_find(&s, &hint), want);
	}
	hint = 0xffffffff; /* whatever a dead process left */
	assert_in_range(slots_find(&s, &hint), 0, 9999);
	drop(&s);
}

/* What a process leaves that died between the two levels. */
static void a_wrong_summary_hides_nothing(void **state)
{
	struct slots s = make(10000);
	uint32_t hint = 0;

	s.level0[9000 / 64] |= 1ull << 9000 % 64;
	assert_int_equal(slots_find(&s, &hint), 9000);
	hint = 0;
	assert_int_equal(slots_find(&s, &hint), 9000);
	slots_mark_used(&s, 9000);
	for (uint32_t i = 0; i < (s.words + 63) / 64; i++)
		s.level1[i] = ~0ull >> (i == s.words / 64 ? 64 - s.words % 64 : 0);
	assert_int_equal(slots_find(&s, &hint), -ENOENT);
	assert_int_equal(s.level1[0], 0); /* put right */
	drop(&s);
}

/* As many slots as threads; each takes one and gives one back, so there is always one to find. */
#define THREADS 4
#define ROUNDS 20000

struct worker {
	struct slots *s;
	uint8_t *taken; /* the truth */
	unsigned missed;
};

static void *take_and_give(void *arg)
{
	struct worker *w = arg;
	uint32_t hint = 0;

	for (int i = 0; i < ROUNDS; i++) {
		uint8_t no = 0;
		int64_t slot = slots_find(w->s, &hint);

		if (slot < 0) {
			w->missed++;
			continue;
		}
		if (!atomic_cas(&w->taken[slot], &no, 1)) {
			slots_mark_used(w->s, (uint32_t)slot);
			if (!load_ordered(&w->taken[slot]))
				slots_mark_free(w->s, (uint32_t)slot);
			i--;
			continue;
		}
		slots_mark_used(w->s, (uint32_t)slot);
		store_release(&w->taken[slot], 0);
		slots_mark_free(w->s, (uint32_t)slot);
		hint = (uint32_t)slot * 7919 % w->s->count;
	}
	return NULL;
}

static void who_is_entitled_finds_one(void **state)
{
	const uint32_t count = 5000;
	struct slots s = make(count);
	uint8_t *taken = malloc(count);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	memset(taken, 1, count);
	for (uint32_t i = 0; i < THREADS; i++) {
		taken[i * 1234] = 0;
		slots_mark_free(&s, i * 1234);
	}
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){&s, taken, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].missed, 0);
	}
	free(taken);
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_free_at_first),
		cmocka_unit_test(each_slot_is_found_once),
		cmocka_unit_test(a_range_is_a_range),
		cmocka_unit_test(the_hint_comes_first),
		cmocka_unit_test(a_wrong_summary_hides_nothing),
		cmocka_unit_test(who_is_entitled_finds_one),
	};

	return run_tests(tests);
}
