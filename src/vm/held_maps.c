/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * held_maps.c: the inner maps that runs have met. A lookup in an outer map gives an inner one, of
 * which the run takes a use, so that the map and the addresses of its values stay valid until the
 * last of the runs ends, whatever happens to the outer map. Must not know map types.
 *
 * A few maps lie in a list, with the one that was looked up last at its end: most searches end with
 * the first compare. More of them lie in a table, at the place that their id says or behind it.
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
static inline struct map **place_of(const struct vm_held *held, u32 id)
{
	u32 i = id & held->mask;

	while (held->table[i] && held->table[i]->object.id != id)
		i = (i + 1) & held->mask;
	return &held->table[i];
}

static inline struct map *held_by_id(struct vm_held *held, u32 id)
{
	if (held->table)
		return *place_of(held, id);
	for (u32 i = held->count; i--;)
		if (held->few[i]->object.id == id)
			return to_back(held, i);
	return NULL;
}

#define FOR_EACH_HELD(held, map, i)                                                                \
	for (u32 i = 0; i < ((held)->table ? (held)->mask + 1 : (held)->count); i++)               \
		if ((map = ((held)->table ? (held)->table : (held)->few)[i]))

struct map *vm_held_map(struct vm_run *run, u64 address)
{
	struct map *map;

	FOR_EACH_HELD(&run->held, map, i)
		if (PTR_U64(map) == address)
			return map;
	return NULL;
}

struct map *vm_held_map_with(struct vm_run *run, u64 address, void **value)
{
	struct map *map;

	FOR_EACH_HELD(&run->held, map, i) {
		*value = map->ops->value_at ? map->ops->value_at(map, U64_PTR(address)) : NULL;
		if (*value)
			return map;
	}
	return NULL;
}

/* A table of which no more than half is used when it is full. */
static cold bool make_room(struct vm_held *held)
{
	const u32 size = held->table ? 2 * (held->mask + 1) : 4 * VM_HELD_FEW;
	struct vm_held larger = {.count = held->count, .mask = size - 1};
	struct map *map;

	larger.table = memory_zalloc(size, sizeof(*larger.table));
	if (!larger.table)
		return false;
	FOR_EACH_HELD(held, map, i)
		*place_of(&larger, map->object.id) = map;
	memory_free(held->table);
	*held = larger;
	return true;
}

static bool is_full(const struct vm_held *held)
{
	return held->count == (held->table ? (held->mask + 1) / 2 : VM_HELD_FEW);
}

static void add(struct vm_held *held, struct map *map)
{
	if (held->table)
		*place_of(held, map->object.id) = map;
	else
		held->few[held->count] = map;
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

	while ((id = outer->ops->inner_id(outer, key)) && id != gone) {
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
	memory_free(run->held.table);
	run->held.table = NULL;
	run->held.count = 0;
}
