/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object_elements.h: elements that stand for objects (maps, programs), for the types that have
 * them. An element is {id of the object, token}, and for each there is one reference of the map to
 * the object, named by both. Where elements lie is the type's business: see struct element_store.
 */
#ifndef MAPS_OBJECT_ELEMENTS_H
#define MAPS_OBJECT_ELEMENTS_H

#include "maps/map.h"

struct object_element {
	u32 id;
	u32 token;
};

/* In the map's file; its bytes depend on the size of keys. */
struct object_journal {
	u32 busy; /* the rest counts */
	u32 token;
	u32 ids[2];     /* before and after; 0: none */
	u32 next_token; /* for stores that give tokens out; one comes again after 2^32 insertions */
	u32 unused;
	u64 key[];
};

/* The lock is held. */
struct element_store {
	bool (*get)(struct map *map, const void *key, struct object_element *element);
	int (*put)(struct map *map, const void *key, const struct object_element *element);
	int (*remove)(struct map *map, const void *key);
	u32 (*new_token)(struct map *map, const void *key); /* of an element that is inserted */
};

/* Process-local, first in map->local. */
struct object_elements {
	struct object_journal *journal;
	const struct element_store *store;
};

static inline struct object_elements *object_elements_of(const struct map *map)
{
	return map->local;
}

static inline u64 object_journal_bytes(u32 key_size)
{
	return ROUND_UP(sizeof(struct object_journal) + key_size, 64);
}

/*
 * Changes come one at a time: under this lock, which is object_refs_lock() and finishes first what
 * one who died left. Its errors.
 */
must_check int object_elements_lock(struct map *map, u64 *signals);
void object_elements_unlock(int lock, u64 signals);

/*
 * For types that change elements themselves. Under the lock: begin says which element (its key and
 * token) is going to change from which id to which, 0 for none; then the reference is added, the
 * element stored, and settle drops what the element does not hold now.
 */
void object_elements_begin(struct map *map, const void *key, u32 token, u32 before, u32 after);
void object_elements_settle(struct map *map);

/* Makes object the element of key: 0, -EEXIST, -ENOENT, -EBADF, or what the store says. */
int object_elements_put(struct map *map, const void *key, struct object *object, u64 flags);
/* map_ops.delete, for a key that can exist. 0, -ENOENT, or what the store says. */
int object_elements_remove(struct map *map, const void *key);
int object_elements_remove_locked(struct map *map, const void *key);
/* map_ops.copy_value: the id. */
int object_elements_copy_id(struct map *map, const void *key, void *value);
/* map_ops.is_valid: every element names an object that is there and that matches() accepts. */
bool object_elements_are_valid(struct map *map,
			       bool (*matches)(struct map *map, struct object *object));

#endif
