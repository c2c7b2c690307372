/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * held_maps.c: the inner maps that a run has met. A lookup in an outer map gives an inner one, of
 * which the run takes a use, so that the map and the addresses of its values stay valid until the
 * run ends, whatever happens to the outer map. Must not know map types.
 *
 * The map that was looked up last is the last one held: most searches end with the first compare.
 * A map that the process has mapped already is found and held without a system call.
 */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "vm/engine.h"

static struct map **held_maps(struct vm_run *run)
{
	return run->held.more ? run->held.more : run->held.few;
}

static inline struct map *to_back(struct vm_run *run, u32 i)
{
	struct map **maps = held_maps(run), *map = maps[i];

	maps[i] = maps[run->held.count - 1];
	maps[run->held.count - 1] = map;
	return map;
}

static struct map *held_by_id(struct vm_run *run, u32 id)
{
	struct map **maps = held_maps(run);

	for (u32 i = run->held.count; i--;)
		if (maps[i]->object.id == id)
			return to_back(run, i);
	return NULL;
}

struct map *vm_held_map(struct vm_run *run, u64 address)
{
	struct map **maps = held_maps(run);

	for (u32 i = run->held.count; i--;)
		if (PTR_U64(maps[i]) == address)
			return maps[i];
	return NULL;
}

struct map *vm_held_map_with(struct vm_run *run, u64 address, void **value)
{
	struct map **maps = held_maps(run);

	for (u32 i = run->held.count; i--;) {
		*value = maps[i]->ops->value_at ? maps[i]->ops->value_at(maps[i], U64_PTR(address))
						: NULL;
		if (*value)
			return maps[i];
	}
	return NULL;
}

static cold bool make_room(struct vm_run *run)
{
	const u32 room = 2 * run->held.count;
	struct map **more = memory_realloc(run->held.more, room * sizeof(*more));

	if (!more)
		return false;
	if (!run->held.more)
		memcpy(more, run->held.few, sizeof(run->held.few));
	run->held.more = more;
	run->held.room = room;
	return true;
}

static int hold(struct vm_run *run, struct map *outer, u32 id)
{
	const u32 room = run->held.more ? run->held.room : VM_HELD_FEW;
	struct object *object;
	int err = object_from_id(OBJECT_MAP, id, &object);

	if (err)
		return err;
	err = -ENOENT;
	if (!map_inner_matches(outer, map_of(object)))
		goto put;
	err = -ENOMEM;
	if (run->held.count == room && !make_room(run))
		goto put;
	held_maps(run)[run->held.count++] = map_of(object);
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
		inner = held_by_id(run, id);
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
	struct map **maps = held_maps(run);

	while (run->held.count)
		object_put(&maps[--run->held.count]->object);
	memory_free(run->held.more);
	run->held.more = NULL;
}
