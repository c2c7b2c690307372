/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object_slots.c: elements that stand for objects, in an array of slots of which each holds an id.
 * Owns the slots; how they change is object_elements.c. The token of an element is its index. Must
 * not know what the objects are.
 *
 *     | journal, with room for a key | struct object_slot slots[max_entries] |
 *
 * A map that is an OBJECT_OF_USERS is emptied by one number that is raised: see object_slot.
 */
#include "maps/object_slots.h"

#include <errno.h>

#include "base/memory.h"

u32 object_slots_id(struct map *map, const void *key)
{
	return object_slots_id_at(map, array_index(key));
}

/* The store. */

static bool slot_get(struct map *map, const void *key, struct object_element *element)
{
	element->id = object_slots_id(map, key);
	element->token = array_index(key);
	return element->id;
}

static int slot_put(struct map *map, const void *key, const struct object_element *element)
{
	const struct object_slots *slots = map->local;
	const union {
		struct object_slot slot;
		u64 word;
	} u = {.slot = {element->id, load_relaxed(slots->releases)}};

	store_release(&slots->slots[array_index(key)], u.word);
	return 0;
}

static int slot_remove(struct map *map, const void *key)
{
	static const struct object_element none;

	return slot_put(map, key, &none);
}

static u32 slot_token(struct map *map, const void *key)
{
	(void)map;
	return array_index(key);
}

static const struct element_store slots_store = {
	.get = slot_get,
	.put = slot_put,
	.remove = slot_remove,
	.new_token = slot_token,
};

int object_slots_check_update(const struct map *map, const void *key, u64 flags)
{
	if (flags != BPF_ANY)
		return -EINVAL;
	return array_index(key) < map->max_entries ? 0 : -E2BIG;
}

int object_slots_delete(struct map *map, const void *key)
{
	if (array_index(key) >= map->max_entries)
		return -E2BIG;
	return object_elements_remove(map, key);
}

/* Cold path */

#define KERNEL_ARRAY 312 /* memlock as a 6.18 kernel counts it */

cold int object_slots_check(struct map_spec *spec)
{
	return spec->max_entries && spec->key_size == 4 && spec->value_size == 4 ? 0 : -EINVAL;
}

cold void object_slots_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = object_journal_bytes(spec->key_size) +
			       (u64)spec->max_entries * sizeof(struct object_slot);
	layout->memlock = KERNEL_ARRAY + 8ull * spec->max_entries;
}

cold int object_slots_attach(struct map *map)
{
	struct object_slots *slots = memory_alloc(sizeof(*slots));
	u8 *base = map->private;

	if (!slots)
		return -ENOMEM;
	slots->elements.journal = (struct object_journal *)(void *)base;
	slots->elements.store = &slots_store;
	slots->slots = (u64 *)(void *)(base + object_journal_bytes(map->key_size));
	slots->releases = object_releases(&map->object);
	map->slots = slots->slots;
	map->local = slots;
	return 0;
}

cold void object_slots_detach(struct map *map)
{
	memory_free(map->local);
	map->local = NULL;
}
