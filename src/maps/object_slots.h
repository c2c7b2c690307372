/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object_slots.h: what the types share whose elements are objects in an array of slots. A type
 * names these functions in its map_ops and sets value_kind; it adds update_object, which says what
 * may be an element, and get_next_key, which is array_get_next_key().
 */
#ifndef MAPS_OBJECT_SLOTS_H
#define MAPS_OBJECT_SLOTS_H

#include "base/atomic.h"
#include "maps/array.h"
#include "maps/object_elements.h"

/* An id counts while the map has not released its references since. */
struct object_slot {
	u32 id;
	u32 releases;
};

/* map->local. */
struct object_slots {
	struct object_elements elements; /* first */
	u64 *slots;          /* struct object_slot, each loaded and stored in one piece */
	const u32 *releases; /* of the map */
};

/* The id in a slot; 0: it is empty, or there is none. Bounded, for programs too. */
static inline u32 object_slots_id_at(const struct map *map, u32 index)
{
	const struct object_slots *slots = map->local;
	union {
		u64 word;
		struct object_slot slot;
	} u;

	if (unlikely(index >= map->max_entries))
		return 0;
	u.word = load_acquire(&slots->slots[index]);
	return likely(u.slot.releases == load_relaxed(slots->releases)) ? u.slot.id : 0;
}

u32 object_slots_id(struct map *map, const void *key);
/*
 * The beginning of update_object: only BPF_ANY, and an index that exists. Then the type looks at
 * the object; then object_elements_put().
 */
must_check int object_slots_check_update(const struct map *map, const void *key, u64 flags);
int object_slots_delete(struct map *map, const void *key);
int object_slots_check(struct map_spec *spec);
void object_slots_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout);
int object_slots_attach(struct map *map);
void object_slots_detach(struct map *map);

#endif
