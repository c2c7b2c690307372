/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * fields.h: values with special fields, for the types whose maps may have them. Bytes of special
 * fields are never copied: a value handed out has zeros there (a reference count is 1), and what
 * comes in leaves them as they are. Timers, and what holds objects, belong to the vm, and are empty
 * again in each new value. The spin lock is a lock of base/lock.h. It belongs to the memory of the
 * element and outlives the element itself, so that whoever holds it can drop it whatever became of the
 * element.
 *
 * Lock order: what a type locks by itself comes before the lock in a value. A program that holds
 * one calls no helper, hence takes no other lock.
 */
#ifndef MAPS_FIELDS_H
#define MAPS_FIELDS_H

#include "maps/map.h"
#include "maps/value.h"

void fields_write_around(const struct btf_fields *fields, void *shared, const void *src, u32 size);
/* The value becomes a new one: its timers are cancelled, and the objects that it holds go. */
void fields_reset(const struct map *map, void *shared);

/* Copies a new value in. A lock is taken only to let objects go. */
static inline void fields_write(const struct map *map, void *shared, const void *src, u32 size)
{
	if (likely(!map->fields.count)) {
		value_write(shared, src, size);
		return;
	}
	fields_reset(map, shared);
	fields_write_around(&map->fields, shared, src, size);
}

/* A new value of zeros. */
static inline void fields_zero(const struct map *map, void *shared, u32 size)
{
	fields_reset(map, shared);
	value_zero(shared, size);
}

/* Gives the fields in a copy of a value what a new value has there. */
void fields_hide(const struct btf_fields *fields, void *value);
/* Do they lie inside a value of this size, in order, and are they of these kinds? */
bool fields_are_valid(const struct btf_fields *fields, u32 value_size, u32 kinds);
bool fields_equal(const struct btf_fields *a, const struct btf_fields *b);

/*
 * The lock of a value of a map with spin locks. 0, or -EBUSY: this thread holds it already, or its
 * owner did not move for about a second. A dead owner's is taken over: the value is then what that
 * one left, as everything in it is.
 */
must_check int value_lock(const struct map *map, void *value);
void value_unlock(const struct map *map, void *value);
/* Copies a value in, in place, under its lock. Same results. */
must_check int value_write_locked(const struct map *map, void *value, const void *src);

#endif
