/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_local_storage.c: the room of owners that are gone is used again, that of the others never;
 * what the far limit says; and death in the middle of making room.
 */
#include "unit/die.h"
#include "unit/map_test.h"

#include <errno.h>

#include "btf/btf_object.h"
#include "maps/hash.h"
#include "object/foreign.h"

#define FAR_LIMIT 65536u

static struct object *btf;

static void make_btf(void)
{
	static const struct {
		struct btf_header header;
		u32 types[8];
		char strings[3];
	} __attribute__((packed, aligned(8))) raw = {
		.header = {.magic = BTF_MAGIC,
			   .version = BTF_VERSION,
			   .hdr_len = sizeof(struct btf_header),
			   .type_len = 32,
			   .str_off = 32,
			   .str_len = 3},
		.types = {1, BTF_KIND_INT << 24, 4, 32, 1, BTF_KIND_INT << 24, 8, 64},
		.strings = "\0i",
	};
	struct btf parsed;
	int fd;

	assert_int_equal(btf_parse(&parsed, &raw, sizeof(raw.header) + 35, NULL), 0);
	fd = btf_object_create(&parsed);
	btf_clear(&parsed);
	assert_true(fd >= 0);
	assert_int_equal(object_from_fd(fd, OBJECT_BTF, &btf, NULL), 0); /* fd keeps it */
}

static struct map *create(u32 type)
{
	struct map_spec spec = {
		.type = type,
		.key_size = 4,
		.value_size = 8,
		.flags = BPF_F_NO_PREALLOC,
		.btf_key_type_id = 1,
		.btf_value_type_id = 2,
	};

	if (!btf)
		make_btf();
	spec.btf_object = btf;
	spec.btf = &btf_object_of(btf)->btf;
	return open_map(&spec);
}

static int update(struct map *map, const struct foreign *owner, u64 value)
{
	return map->ops->update(map, owner, &value, BPF_ANY);
}

static u64 value_of(struct map *map, const struct foreign *owner)
{
	u64 *value = map->ops->lookup(map, owner);

	return value ? *value : 0;
}

/* This thread, as it would be had it started at another time. */
static struct foreign gone(u32 number)
{
	struct foreign self;

	assert_int_equal(foreign_current_task(&self), 0);
	self.tag += 1 + number;
	return self;
}

static u32 count_gone(struct map *map, u32 n)
{
	u32 count = 0;

	for (u32 i = 0; i < n; i++) {
		const struct foreign owner = gone(i);

		count += value_of(map, &owner) != 0;
	}
	return count;
}

static void owners_that_are_gone_make_room(void **state)
{
	struct map *map = create(BPF_MAP_TYPE_TASK_STORAGE);
	struct foreign self;
	u32 n = 20000;

	assert_int_equal(foreign_current_task(&self), 0);
	assert_int_equal(update(map, &self, 7), 0);
	for (u32 i = 0; i < n; i++) {
		const struct foreign owner = gone(i);

		assert_int_equal(update(map, &owner, i + 1), 0);
		assert_int_equal(value_of(map, &owner), i + 1);
	}
	assert_int_equal(value_of(map, &self), 7);
	assert_in_range(count_gone(map, n), 0, 600);
	assert_true(map->ops->is_valid(map));
	close_map(map);
}

/* Sockets of test runs too, and real ones never. */
static void the_far_limit(void **state)
{
	struct map *map = create(BPF_MAP_TYPE_SK_STORAGE);
	struct foreign run, socket = {0};

	assert_int_equal(foreign_task_socket(1, &run), 0);
	for (u32 i = 0; i < FAR_LIMIT; i++) {
		socket.number = (1ull << 40) + i;
		assert_int_equal(update(map, &socket, 1), 0);
	}
	assert_int_equal(update(map, &run, 1), -ENOMEM);
	assert_int_equal(update(map, &socket, 2), 0);
	assert_int_equal(map->ops->delete (map, &socket), 0);
	assert_int_equal(update(map, &run, 1), 0);
	assert_int_equal(update(map, &socket, 1), -ENOMEM);
	assert_int_equal(value_of(map, &run), 1);
	assert_int_equal(map->ops->delete (map, &run), 0);
	run.tag++;
	assert_int_equal(update(map, &run, 1), 0); /* of a thread that is gone */
	assert_int_equal(update(map, &socket, 1), 0);
	assert_int_equal(value_of(map, &run), 0);
	close_map(map);
}

/* Adds one to a map whose next look at all owners is due, and which has some to delete. */
static void add_one(void *arg)
{
	const struct foreign owner = {.number = 1, .tag = 1};

	if (update(arg, &owner, 9))
		abort();
}

static void death_while_making_room(void **state)
{
	struct foreign self;
	bool ended = false;

	assert_int_equal(foreign_current_task(&self), 0);
	for (unsigned place = 1; !ended; place += 1 + place / 8) {
		struct map *map = create(BPF_MAP_TYPE_TASK_STORAGE);

		assert_int_equal(update(map, &self, 7), 0);
		for (u32 i = 0; i < 255; i++) {
			const struct foreign owner = gone(i);

			assert_int_equal(update(map, &owner, i + 1), 0);
		}
		ended = !dies_at(&(struct death){.run = add_one, .arg = map, .at_calls = true},
				 place);
		assert_int_equal(value_of(map, &self), 7);
		for (u32 i = 0; i < 2000; i++) {
			const struct foreign owner = gone(i);

			assert_int_equal(update(map, &owner, i + 1), 0);
		}
		assert_int_equal(value_of(map, &self), 7);
		assert_in_range(count_gone(map, 2000), 0, 600);
		assert_true(map->ops->is_valid(map));
		close_map(map);
	}
}

/* Keys that lead in circles: looking for owners that are gone ends all the same. */
static void copied_words(void **state)
{
	struct foreign self;

	assert_int_equal(foreign_current_task(&self), 0);
	srand(1);
	for (u32 round = 0; round < 20; round++) {
		struct map *map = create(BPF_MAP_TYPE_TASK_STORAGE);
		u64 *words = map->private;
		const u32 nr_words = 1u << 17;

		for (u32 i = 0; i < 1000; i++) {
			const struct foreign owner = gone(i);
			int err = update(map, &owner, i + 1);

			assert_true(!err || err == -EBUSY || err == -ENOMEM);
			for (u32 n = 0; n < 200; n++)
				words[64 + (u32)rand() % nr_words] = words[64 + (u32)rand() % nr_words];
		}
		close_map(map);
	}
}

/* Owners that are gone, behind locks of a stranger who lives: no change waits for each of them. */
static void locks_of_a_stranger(void **state)
{
	struct map *map = create(BPF_MAP_TYPE_TASK_STORAGE);
	const struct {
		void *sweeping;
		struct map elements;
	} *storage = map->local;
	const struct hash *hash = hash_of(&storage->elements);
	struct foreign owner;

	for (u32 i = 0; i < 255; i++) {
		owner = gone(i);
		assert_int_equal(update(map, &owner, i + 1), 0);
	}
	for (u32 i = 0; i <= hash->stripe_mask; i++)
		store_relaxed(&hash->stripes[i].lock.word, (u32)getppid());
	for (u32 i = 255; i < 258; i++) {
		owner = gone(i);
		assert_int_equal(update(map, &owner, 1), -EBUSY);
	}
	close_map(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_that_are_gone_make_room),
		cmocka_unit_test(the_far_limit),
		cmocka_unit_test(death_while_making_room),
		cmocka_unit_test(copied_words),
		cmocka_unit_test(locks_of_a_stranger),
	};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	object_register(&btf_object_type);
	return run_in_realm(directory, tests);
}
