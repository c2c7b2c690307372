/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_fields.c: values with special fields below the system call: copying around fields against a
 * model, headers that lie, and spin locks whose owner is stopped, or dies after any instruction.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/fields.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/syscall.h"
#include "object/realm.h"

#define VALUE_BYTES 24u

#define FIELD(a, b, c) {.kind = a, .size = b, .offset = c}

static struct map *make_locked(uint32_t type)
{
	struct map_spec spec = {.type = type,
				.key_size = 4,
				.value_size = VALUE_BYTES,
				.max_entries = 4,
				.fields = {1, {FIELD(FIELD_SPIN_LOCK, 4, 4)}}};
	struct map *map = open_map(&spec);

	assert_int_equal(map->lock_at, 4);
	return map;
}

static int put(struct map *map, uint8_t byte, u64 flags)
{
	uint8_t value[VALUE_BYTES];
	uint32_t key = 1;

	memset(value, byte, sizeof(value));
	return map_update_user(map, &key, value, flags);
}

static void drop(struct map *map)
{
	close_map(map);
}

/* Fields at random places, in order. */
static void random_fields(struct btf_fields *fields, uint32_t size)
{
	uint32_t at = 0;

	fields->count = 0;
	while (fields->count < BTF_FIELDS_MAX) {
		uint32_t bytes = 4u << rand() % 3;

		at += 4 * (uint32_t)(rand() % 4);
		if (at + bytes > size)
			return;
		fields->list[fields->count++] =
			(struct btf_field)FIELD(FIELD_TIMER, (u16)bytes, at);
		at += bytes;
	}
}

static void what_lies_between_fields_is_copied(void **state)
{
	uint64_t shared[16], before[16];
	uint8_t source[128], expected[128];
	struct btf_fields fields;

	for (int round = 0; round < 2000; round++) {
		const uint32_t size = 1 + (uint32_t)rand() % sizeof(shared);

		random_fields(&fields, size);
		assert_true(fields_are_valid(&fields, size, MAP_F_TIMER));
		for (uint32_t i = 0; i < sizeof(shared); i++) {
			((uint8_t *)before)[i] = (uint8_t)rand();
			source[i] = (uint8_t)rand();
		}
		memcpy(shared, before, sizeof(shared));
		memcpy(expected, before, sizeof(expected));
		memcpy(expected, source, size);
		for (uint32_t i = 0; i < fields.count; i++)
			memcpy(expected + fields.list[i].offset,
			       (uint8_t *)before + fields.list[i].offset, fields.list[i].size);
		fields_write_around(&fields, shared, source, size);
		assert_memory_equal(shared, expected, sizeof(expected));
	}
}

static void what_a_file_says_is_checked(void **state)
{
	static const struct btf_fields cases[] = {
		{BTF_FIELDS_MAX + 1, {FIELD(FIELD_SPIN_LOCK, 4, 0)}},
		{0xffffffff, {FIELD(FIELD_SPIN_LOCK, 4, 0)}},
		{1, {FIELD(FIELD_NONE, 4, 0)}},
		{1, {FIELD(NR_FIELD_KINDS, 4, 0)}},
		{1, {FIELD(0xffff, 4, 0)}},
		{1, {FIELD(FIELD_REFCOUNT, 4, 0)}}, /* of a kind that the type has not */
		{1, {FIELD(FIELD_SPIN_LOCK, 4, 64)}},
		{1, {FIELD(FIELD_SPIN_LOCK, 4, 0xfffffffc)}},
		{1, {FIELD(FIELD_SPIN_LOCK, 4, 2)}},
		{1, {FIELD(FIELD_SPIN_LOCK, 0, 60)}},
		{1, {FIELD(FIELD_TIMER, 16, 56)}},
		{2, {FIELD(FIELD_TIMER, 16, 0), FIELD(FIELD_SPIN_LOCK, 4, 12)}},
		{2, {FIELD(FIELD_TIMER, 16, 8), FIELD(FIELD_SPIN_LOCK, 4, 0)}},
	};
	const struct btf_fields good = {2, {FIELD(FIELD_TIMER, 16, 0), FIELD(FIELD_SPIN_LOCK, 4, 60)}};

	assert_true(fields_are_valid(&good, 64, MAP_F_LOCK | MAP_F_TIMER));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_false(fields_are_valid(&cases[i], 64, MAP_F_LOCK | MAP_F_TIMER));
}

static void a_thread_does_not_wait_for_itself(void **state)
{
	struct map *map = make_locked(BPF_MAP_TYPE_ARRAY);
	uint8_t value[VALUE_BYTES];
	uint32_t key = 1;
	void *shared = map->ops->lookup(map, &key);

	assert_int_equal(value_lock(map, shared), 0);
	assert_int_equal(put(map, 1, BPF_F_LOCK), -EBUSY);
	assert_int_equal(map_copy_value_locked(map, &key, value), -EBUSY);
	assert_int_equal(put(map, 1, BPF_ANY), 0);
	value_unlock(map, shared);
	assert_int_equal(put(map, 1, BPF_F_LOCK), 0);
	drop(map);
}

/* A word that somebody scribbled on: the thread goes on, and the next to come takes it over. */
static void a_lost_lock_is_forgotten(void **state)
{
	struct map *map = make_locked(BPF_MAP_TYPE_ARRAY);
	uint32_t key = 1, stranger = 0x3fffffff;
	u8 *shared = map->ops->lookup(map, &key);

	for (int i = 0; i < 20; i++) {
		assert_int_equal(value_lock(map, shared), 0);
		memcpy(shared + map->lock_at, &(u32){0}, 4);
		value_unlock(map, shared);
	}
	memcpy(shared + map->lock_at, &stranger, 4);
	assert_int_equal(put(map, 1, BPF_F_LOCK), 0);
	drop(map);
}

static void a_stopped_owner_does_not_stop_others(void **state)
{
	static const uint32_t types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct map *map = make_locked(types[i]);
		uint8_t value[VALUE_BYTES];
		uint32_t key = 1;
		int status;
		pid_t child;

		assert_int_equal(put(map, 1, BPF_ANY), 0);
		child = fork();
		if (child == 0) {
			status = value_lock(map, map->ops->lookup(map, &key));
			SYSCALL(SYS_tkill, sys_gettid(), SIGSTOP);
			SYSCALL(SYS_exit_group, status);
		}
		assert_int_equal(waitpid(child, &status, WUNTRACED), child);
		assert_true(WIFSTOPPED(status));
		assert_int_equal(map_copy_value(map, &key, value), 0);
		assert_int_equal(map_copy_value_locked(map, &key, value), -EBUSY);
		assert_int_equal(put(map, 2, BPF_F_LOCK), -EBUSY);
		assert_int_equal(put(map, 3, BPF_ANY), 0);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_int_equal(put(map, 4, BPF_F_LOCK), 0);
		assert_int_equal(map_copy_value_locked(map, &key, value), 0);
		assert_int_equal(value[0], 4);
		drop(map);
	}
}

static void put_in_place(void *map)
{
	put(map, 1, BPF_F_LOCK);
}

static void an_owner_may_die_at_any_instruction(void **state)
{
	static const uint32_t types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct map *map = make_locked(types[i]);
		uint8_t value[VALUE_BYTES];
		uint32_t key = 1;
		bool ended = false;

		assert_int_equal(put(map, 0, BPF_ANY), 0);
		for (unsigned changes = 1; !ended; changes++) {
			ended = !dies_at(&(struct death){.run = put_in_place,
							 .arg = map,
							 .memory = map->header,
							 .size = map_bytes(map)},
					 changes);
			assert_int_equal(map_copy_value_locked(map, &key, value), 0);
			assert_int_equal(put(map, 0xee, BPF_F_LOCK), 0);
			assert_int_equal(map_copy_value_locked(map, &key, value), 0);
			assert_int_equal(value[VALUE_BYTES - 1], 0xee);
		}
		assert_true(!map->ops->is_valid || map->ops->is_valid(map));
		drop(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lies_between_fields_is_copied),
		cmocka_unit_test(what_a_file_says_is_checked),
		cmocka_unit_test(a_thread_does_not_wait_for_itself),
		cmocka_unit_test(a_lost_lock_is_forgotten),
		cmocka_unit_test(a_stopped_owner_does_not_stop_others),
		cmocka_unit_test(an_owner_may_die_at_any_instruction),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
