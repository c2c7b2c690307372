/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * held_maps.c: the inner maps that runs have met. A lookup in an outer map gives an inner one, of
 * which the run takes a use, so that the map and the addresses of its values stay valid until the
 * last of the runs ends, whatever happens to the outer map. Must not know map types.
 *
 * A few maps lie in a list, with the one that was looked up last at its end: most searches end with
 * the first compare. More of them lie in a table, in the slot that their id says or behind it, and
 * in an array by address, so that no access of a checked run takes long.
 * A map that the process has mapped already is found and held without a system call.
 */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "vm/engine.h"

static inline struct map *to_back(struct vm_held *held, u32 i)
{
	struct map *map = held->few[i];

	held->few[i] = held->few[held->count - 1];
	held->few[held->count - 1] = map;
	return map;
}

/* Where the map with this id is, or would be. */
static inline struct map **slot_of(const struct vm_held *held, u32 id)
{
	u32 i = id & held->mask;

	while (held->table[i] && held->table[i]->object.id != id)
		i = (i + 1) & held->mask;
	return &held->table[i];
}

static inline struct map *held_by_id(struct vm_held *held, u32 id)
{
	if (held->table)
		return *slot_of(held, id);
	for (u32 i = held->count; i--;)
		if (held->few[i]->object.id == id)
			return to_back(held, i);
	return NULL;
}

/* An else that follows is not ours. */
#define FOR_EACH_HELD(held, map, i)                                                                \
	for (u32 i = 0; i < ((held)->table ? (held)->mask + 1 : (held)->count); i++)               \
		if (!(map = ((held)->table ? (held)->table : (held)->few)[i])) {                   \
		} else

/* Of count places, how many begin at address or before it. */
static u32 places_before(const struct vm_place *places, u32 count, u64 address)
{
	u32 low = 0, high = count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (places[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_places(struct vm_held *held, u32 nr_maps, struct map *map)
{
	held->places[2 * nr_maps] = (struct vm_place){PTR_U64(map), map};
	held->places[2 * nr_maps + 1] = (struct vm_place){PTR_U64(map->object.region.base), map};
}

static void sort_places(struct vm_held *held)
{
	for (; held->nr_sorted < 2 * held->count; held->nr_sorted++) {
		const struct vm_place place = held->places[held->nr_sorted];
		const u32 at = places_before(held->places, held->nr_sorted, place.start);

		memmove(held->places + at + 1, held->places + at,
			(held->nr_sorted - at) * sizeof(place));
		held->places[at] = place;
	}
}

/* The only map in the table to which address can belong. */
static struct map *map_before(struct vm_held *held, u64 address)
{
	u32 before;

	sort_places(held);
	before = places_before(held->places, held->nr_sorted, address);
	return before ? held->places[before - 1].map : NULL;
}

struct map *vm_held_map(struct vm_run *run, u64 address)
{
	struct vm_held *held = &run->held;
	struct map *map;

	if (held->table) {
		map = map_before(held, address);
		return PTR_U64(map) == address ? map : NULL;
	}
	for (u32 i = 0; i < held->count; i++)
		if (PTR_U64(held->few[i]) == address)
			return held->few[i];
	return NULL;
}

static inline void *value_at(struct map *map, u64 address)
{
	return map->ops->value_at ? map->ops->value_at(map, U64_PTR(address)) : NULL;
}

struct map *vm_held_map_with(struct vm_run *run, u64 address, void **value)
{
	struct vm_held *held = &run->held;
	struct map *map;

	if (held->table) {
		map = map_before(held, address);
		*value = map ? value_at(map, address) : NULL;
		return *value ? map : NULL;
	}
	for (u32 i = 0; i < held->count; i++) {
		*value = value_at(held->few[i], address);
		if (*value)
			return held->few[i];
	}
	return NULL;
}

/* A table of which no more than half is used when it is full. */
static cold bool make_room(struct vm_held *held)
{
	const u32 size = held->table ? 2 * (held->mask + 1) : 4 * VM_HELD_FEW;
	struct vm_held larger = {
		.count = held->count, .mask = size - 1, .nr_sorted = held->nr_sorted};
	struct map *map;

	larger.places = memory_zalloc(size, sizeof(*larger.places) + sizeof(*larger.table));
	if (!larger.places)
		return false;
	larger.table = (struct map **)(larger.places + size);
	FOR_EACH_HELD(held, map, i)
		*slot_of(&larger, map->object.id) = map;
	if (held->table)
		memcpy(larger.places, held->places, 2 * held->count * sizeof(*held->places));
	else
		for (u32 i = 0; i < held->count; i++)
			add_places(&larger, i, held->few[i]);
	memory_free(held->places);
	*held = larger;
	return true;
}

static bool is_full(const struct vm_held *held)
{
	return held->count == (held->table ? (held->mask + 1) / 2 : VM_HELD_FEW);
}

static void add(struct vm_held *held, struct map *map)
{
	if (held->table) {
		*slot_of(held, map->object.id) = map;
		add_places(held, held->count, map);
	} else {
		held->few[held->count] = map;
	}
	held->count++;
}

static int hold(struct vm_run *run, struct map *outer, u32 id)
{
	struct object *object;
	int err = object_from_id(OBJECT_MAP, id, &object);

	if (err)
		return err;
	err = -ENOENT;
	if (!map_inner_matches(outer, map_of(object)))
		goto put;
	err = -ENOMEM;
	if (is_full(&run->held) && !make_room(&run->held))
		goto put;
	add(&run->held, map_of(object));
	if (unlikely(run->both))
		both_remember_map(run, map_of(object));
	return 0;
put:
	object_put(object);
	return err;
}

/* An id that names no map any more has just been replaced: it is read again. */
struct map *vm_lookup_inner(struct vm_run *run, struct map *outer, const void *key)
{
	u32 id, gone = 0;
	struct map *inner;
	int err;

	while ((id = outer->ops->object_id(outer, key)) && id != gone) {
		inner = held_by_id(&run->held, id);
		if (likely(inner))
			return inner;
		err = hold(run, outer, id);
		if (err == -ENOENT) {
			gone = id;
		} else if (err) {
			vm_faultf(run, "inner map %u cannot be mapped (errno %d)", id, -err);
			return NULL;
		}
	}
	return NULL;
}

void vm_release_maps(struct vm_run *run)
{
	struct map *map;

	if (likely(!run->held.count))
		return;
	FOR_EACH_HELD(&run->held, map, i)
		object_put(&map->object);
	memory_free(run->held.places);
	run->held.table = NULL;
	run->held.places = NULL;
	run->held.nr_sorted = 0;
	run->held.count = 0;
}
