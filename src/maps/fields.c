/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * fields.c: special fields in values, see fields.h: copying around them, hiding them, the spin
 * lock. Must not know map types.
 */
#include "maps/fields.h"

#include <string.h>

#include "base/lock.h"
#include "btf/local_object.h"

/* The bytes [from, to) of a value, in the largest aligned words that fit. */
static void write_part(u8 *shared, const u8 *src, u32 from, u32 to)
{
	while (from < to) {
		u32 step = from % 8 ? from & -from : 8;

		while (step > to - from)
			step /= 2;
		if (step == 8)
			step = (to - from) & ~7u;
		value_write(shared + from, src + from, step);
		from += step;
	}
}

void fields_write_around(const struct btf_fields *fields, void *shared, const void *src, u32 size)
{
	u32 from = 0;

	for (u32 i = 0; i < fields->count; i++) {
		write_part(shared, src, from, fields->list[i].offset);
		from = fields->list[i].offset + fields->list[i].size;
	}
	write_part(shared, src, from, size);
}

/* A lock that is not to be had leaves the lists and trees as they are; pointers need none. */
static cold void drop_objects(const struct map *map, void *shared)
{
	const bool has_roots = btf_field_from(&map->fields, BTF_ROOTS, 0);
	const bool locked = has_roots && !value_lock(map, shared);

	for (u32 i = 0; i < map->fields.count; i++)
		if (locked || map->fields.list[i].kind == FIELD_KPTR)
			local_field_clear(map->types, &map->fields.list[i], shared);
	if (locked)
		value_unlock(map, shared);
}

void fields_reset(const struct map *map, void *shared)
{
	for (u32 i = 0; i < map->fields.count; i++) {
		const struct btf_field *field = &map->fields.list[i];

		if (BTF_FIELD_BIT(field->kind) & MAP_F_TIMER)
			value_zero((u8 *)shared + field->offset, field->size);
	}
	if (unlikely(map->types))
		drop_objects(map, shared);
}

void fields_hide(const struct btf_fields *fields, void *value)
{
	const u32 one = 1;

	for (u32 i = 0; i < fields->count; i++) {
		const struct btf_field *field = &fields->list[i];

		memset((u8 *)value + field->offset, 0, field->size);
		if (field->kind == FIELD_REFCOUNT)
			memcpy((u8 *)value + field->offset, &one, sizeof(one));
	}
}

bool fields_are_valid(const struct btf_fields *fields, u32 value_size, u32 kinds)
{
	u64 end = 0;

	if (fields->count > BTF_FIELDS_MAX)
		return false;
	for (u32 i = 0; i < fields->count; i++) {
		const struct btf_field *field = &fields->list[i];

		if (field->kind >= NR_FIELD_KINDS || !(kinds & BTF_FIELD_BIT(field->kind)) ||
		    field->offset < end || field->offset % 4 || !field->size || field->size % 4)
			return false;
		if (BTF_FIELD_BIT(field->kind) & FIELDS_OF_OBJECTS &&
		    (field->offset % 8 || field->size < sizeof(u64)))
			return false;
		end = (u64)field->offset + field->size;
	}
	return end <= value_size;
}

bool fields_equal(const struct btf_fields *a, const struct btf_fields *b)
{
	return a->count == b->count && !memcmp(a->list, b->list, a->count * sizeof(a->list[0]));
}

static struct lock *lock_in(const struct map *map, void *value)
{
	return (struct lock *)(void *)((u8 *)value + map->lock_at);
}

int value_lock(const struct map *map, void *value)
{
	return MIN(lock_acquire(lock_in(map, value)), 0);
}

void value_unlock(const struct map *map, void *value)
{
	lock_release(lock_in(map, value));
}

int value_write_locked(const struct map *map, void *value, const void *src)
{
	int err = value_lock(map, value);

	if (err)
		return err;
	fields_write_around(&map->fields, value, src, map->value_size);
	value_unlock(map, value);
	return 0;
}
