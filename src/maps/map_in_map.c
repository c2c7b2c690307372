/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map_in_map.c: ARRAY_OF_MAPS and HASH_OF_MAPS. Owns what an outer map stores for an inner one, the
 * references that keep inner maps alive, and their repair. Must not know programs, descriptors or
 * attributes.
 *
 * An element is {id of the inner map, token}, and for each there is one reference of the outer map
 * to the inner one, named by both. The token of an array element is its index; that of a hash
 * element is given out at its insertion and stays when it is replaced. An array keeps the ids in
 * slots; a hash is a HASH over the same memory whose values are elements.
 *
 * Synchronisation. Changes come from the system call only and are made one at a time per outer map,
 * under the lock of its references. Reading takes no lock: an id is loaded in one piece. Whether
 * it still names a map is for the reader to see, who asks again if it does not.
 *
 * Death of a process at any instruction. A change writes into the journal which element it is going
 * to change from which id to which, adds the reference to the new map, stores the element (one
 * store decides, also in a HASH), and settles: of the two ids in the journal, what the element does
 * not hold now loses its reference. Settling may be done twice, and is also the repair: whoever
 * takes the lock next does it first. So at no time does an element name a map without a reference,
 * and a reference without an element lasts until the next change at most.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "maps/array.h"
#include "maps/map.h"

/* The value of a HASH_OF_MAPS in the memory of its HASH. */
struct element {
	u32 id;
	u32 token;
};

struct journal {
	u32 busy; /* the rest counts */
	u32 token;
	u32 ids[2];     /* before and after; 0: none */
	u32 next_token; /* a token comes again after 2^32 insertions */
	u32 unused;
	u64 key[];
};

/* Process-local. */
struct outer {
	struct journal *journal;
	u32 *slots;          /* ARRAY_OF_MAPS */
	struct map elements; /* HASH_OF_MAPS */
};

extern const struct map_ops array_of_maps_map_ops, hash_map_ops;

static inline bool is_array(const struct map *map)
{
	return map->ops == &array_of_maps_map_ops;
}

static inline struct outer *outer_of(const struct map *map)
{
	return map->local;
}

static u32 array_inner_id(struct map *map, const void *key)
{
	const u32 index = array_index(key);

	return likely(index < map->max_entries) ? load_acquire(&outer_of(map)->slots[index]) : 0;
}

static u32 hash_inner_id(struct map *map, const void *key)
{
	struct element element;

	return hash_map_ops.copy_value(&outer_of(map)->elements, key, &element) ? 0 : element.id;
}

/* Elements of either type. The lock is held. */

static bool element_get(struct map *map, const void *key, struct element *element)
{
	if (!is_array(map))
		return !hash_map_ops.copy_value(&outer_of(map)->elements, key, element);
	element->id = array_inner_id(map, key);
	element->token = array_index(key);
	return element->id;
}

static int element_put(struct map *map, const void *key, const struct element *element)
{
	if (!is_array(map))
		return hash_map_ops.update(&outer_of(map)->elements, key, element, BPF_ANY);
	store_release(&outer_of(map)->slots[array_index(key)], element->id);
	return 0;
}

static int element_remove(struct map *map, const void *key)
{
	static const struct element none;

	return is_array(map) ? element_put(map, key, &none)
			     : hash_map_ops.delete(&outer_of(map)->elements, key);
}

/* The journal. */

static void journal_begin(struct map *map, const void *key, u32 token, u32 before, u32 after)
{
	struct journal *journal = outer_of(map)->journal;

	memcpy(journal->key, key, map->key_size);
	journal->token = token;
	journal->ids[0] = before;
	journal->ids[1] = after;
	store_release(&journal->busy, 1);
}

static void settle(struct map *map)
{
	struct journal *journal = outer_of(map)->journal;
	struct element now;

	if (!load_acquire(&journal->busy))
		return;
	if (!element_get(map, journal->key, &now))
		now.id = 0;
	for (u32 i = 0; i < ARRAY_SIZE(journal->ids); i++)
		if (journal->ids[i] && journal->ids[i] != now.id)
			object_ref_drop(&map->object, OBJECT_MAP, journal->ids[i], journal->token);
	store_release(&journal->busy, 0);
}

static int outer_lock(struct map *map, u64 *signals)
{
	const int lock = object_refs_lock(&map->object, signals);

	if (lock >= 0)
		settle(map);
	return lock;
}

/* Changes. */

static int put_locked(struct map *map, const void *key, struct map *inner, u64 flags)
{
	struct journal *journal = outer_of(map)->journal;
	struct element old, new = {.id = inner->object.id};
	const bool present = element_get(map, key, &old);
	int err;

	if (flags == BPF_NOEXIST && present)
		return -EEXIST;
	if (flags == BPF_EXIST && !present)
		return -ENOENT;
	if (present && old.id == new.id)
		return 0;
	if (is_array(map))
		new.token = array_index(key);
	else
		new.token = present ? old.token : journal->next_token++;
	journal_begin(map, key, new.token, present ? old.id : 0, new.id);
	err = object_ref_add(&map->object, &inner->object, new.token);
	if (err == -ENOENT)
		err = -EBADF; /* its descriptor was closed meanwhile */
	if (!err)
		err = element_put(map, key, &new);
	settle(map);
	return err;
}

static int put(struct map *map, const void *key, struct map *inner, u64 flags)
{
	u64 signals;
	int err, lock = outer_lock(map, &signals);

	if (lock < 0)
		return lock;
	err = put_locked(map, key, inner, flags);
	object_refs_unlock(lock, signals);
	return err;
}

static int remove_locked(struct map *map, const void *key)
{
	struct element old;
	int err;

	if (!element_get(map, key, &old))
		return -ENOENT;
	journal_begin(map, key, old.token, old.id, 0);
	err = element_remove(map, key);
	settle(map);
	return err;
}

static int outer_delete(struct map *map, const void *key)
{
	u64 signals;
	int err, lock;

	if (is_array(map) && array_index(key) >= map->max_entries)
		return -E2BIG;
	lock = outer_lock(map, &signals);
	if (lock < 0)
		return lock;
	err = remove_locked(map, key);
	object_refs_unlock(lock, signals);
	return err;
}

static int check_inner(const struct map *map, const struct map *inner, int inner_error)
{
	if (!inner)
		return inner_error;
	return map_inner_matches(map, inner) ? 0 : -EINVAL;
}

static int array_update_inner(struct map *map, const void *key, struct map *inner, int inner_error,
			      u64 flags)
{
	int err;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (array_index(key) >= map->max_entries)
		return -E2BIG;
	err = check_inner(map, inner, inner_error);
	return err ? err : put(map, key, inner, flags);
}

static int hash_update_inner(struct map *map, const void *key, struct map *inner, int inner_error,
			     u64 flags)
{
	int err = check_inner(map, inner, inner_error);

	if (!err && flags > BPF_EXIST)
		err = -EINVAL;
	return err ? err : put(map, key, inner, flags);
}

/* Reading by the system call. */

static int outer_copy_value(struct map *map, const void *key, void *value)
{
	const u32 id = map->ops->inner_id(map, key);

	if (!id)
		return -ENOENT;
	memcpy(value, &id, sizeof(id));
	return 0;
}

static int hash_get_next_key(struct map *map, const void *key, void *next_key)
{
	return hash_map_ops.get_next_key(&outer_of(map)->elements, key, next_key);
}

/* Under the lock what the walk has found stays until it is removed. */
static int walk_removing(struct map *map, u32 *cursor, void *keys, void *elements, u32 *count)
{
	u64 signals;
	int err, lock = outer_lock(map, &signals);

	if (lock < 0)
		return lock;
	err = hash_map_ops.walk(&outer_of(map)->elements, cursor, keys, elements, count, false);
	for (u32 i = 0; i < *count && (!err || err == -ENOENT); i++)
		if (remove_locked(map, (const u8 *)keys + (size_t)i * map->key_size))
			err = -EBUSY;
	object_refs_unlock(lock, signals);
	return err;
}

static int hash_walk(struct map *map, u32 *cursor, void *keys, void *values, u32 *count,
		     bool with_delete)
{
	struct element *elements = memory_alloc(*count * sizeof(*elements));
	u32 *ids = values;
	int err;

	if (!elements)
		return -ENOMEM;
	err = with_delete ? walk_removing(map, cursor, keys, elements, count)
			  : hash_map_ops.walk(&outer_of(map)->elements, cursor, keys, elements,
					      count, false);
	for (u32 i = 0; i < *count && (!err || err == -ENOENT); i++)
		ids[i] = elements[i].id;
	memory_free(elements);
	return err;
}

/* Cold path */

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_ARRAY = 312, KERNEL_ELEMENT = 48 };

static cold int array_check(struct map_spec *spec)
{
	return spec->max_entries && spec->key_size == 4 && spec->value_size == 4 ? 0 : -EINVAL;
}

static cold int hash_check(struct map_spec *spec)
{
	return spec->value_size == 4 ? hash_map_ops.check(spec) : -EINVAL;
}

static u64 journal_bytes(u32 key_size)
{
	return ROUND_UP(sizeof(struct journal) + key_size, 64);
}

static cold void array_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = journal_bytes(spec->key_size) + (u64)spec->max_entries * sizeof(u32);
	layout->memlock = KERNEL_ARRAY + 8ull * spec->max_entries;
}

/* The journal lies behind the HASH. */
static cold u64 hash_part(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	struct map_spec elements = *spec;

	elements.type = BPF_MAP_TYPE_HASH;
	elements.value_size = sizeof(struct element);
	hash_map_ops.layout(&elements, ncpus, layout);
	return ROUND_UP(layout->control_size, 64);
}

static cold void hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	const u64 spares = ncpus * (KERNEL_ELEMENT + ROUND_UP((u64)spec->key_size, 8) + 8);

	layout->control_size = hash_part(spec, ncpus, layout) + journal_bytes(spec->key_size);
	if (!(spec->flags & BPF_F_NO_PREALLOC))
		layout->memlock -= spares; /* which a HASH has and this type has not */
}

static cold void outer_connect(struct outer *outer, const struct map *map)
{
	const struct map_spec spec = {.type = map->header->type,
				      .key_size = map->key_size,
				      .max_entries = map->max_entries,
				      .flags = map->flags};
	struct map_layout layout = {0};
	u8 *base = map->private;

	memset(outer, 0, sizeof(*outer));
	if (is_array(map)) {
		outer->journal = (struct journal *)(void *)base;
		outer->slots = (u32 *)(void *)(base + journal_bytes(map->key_size));
		return;
	}
	outer->journal = (struct journal *)(void *)(base + hash_part(&spec, map->ncpus, &layout));
	outer->elements = *map;
	outer->elements.ops = &hash_map_ops;
	outer->elements.value_size = outer->elements.value_stride = sizeof(struct element);
}

static cold int hash_init(struct map *map)
{
	const struct region *region = &map->object.region;
	struct outer outer;
	int err = 0;

	outer_connect(&outer, map);
	if (map->flags & BPF_F_NO_PREALLOC)
		err = region_populate(region, (u64)((u8 *)outer.journal - region->base),
				      journal_bytes(map->key_size));
	return err ? err : hash_map_ops.init(&outer.elements);
}

static cold int outer_attach(struct map *map)
{
	struct outer *outer = memory_alloc(sizeof(*outer));
	int err;

	if (!outer)
		return -ENOMEM;
	outer_connect(outer, map);
	err = is_array(map) ? 0 : hash_map_ops.attach(&outer->elements);
	if (err)
		memory_free(outer);
	else
		map->local = outer;
	return err;
}

static cold void outer_detach(struct map *map)
{
	if (!is_array(map))
		hash_map_ops.detach(&outer_of(map)->elements);
	memory_free(map->local);
	map->local = NULL;
}

static bool element_is_valid(struct map *map, const void *key)
{
	struct element element;
	struct object *inner;
	bool valid;

	if (!element_get(map, key, &element))
		return is_array(map);
	if (object_from_id(OBJECT_MAP, element.id, &inner))
		return false;
	valid = map_inner_matches(map, map_of(inner));
	object_put(inner);
	return valid;
}

/* Every element names a map that is there. */
static cold bool outer_is_valid(struct map *map)
{
	u8 *key = memory_alloc(2 * (size_t)map->key_size), *next = key + map->key_size;
	u64 signals;
	int lock = outer_lock(map, &signals);
	bool valid = key && lock >= 0;
	int err = valid ? map->ops->get_next_key(map, NULL, next) : 0;

	if (lock >= 0)
		object_refs_unlock(lock, signals);
	if (valid && !is_array(map))
		valid = hash_map_ops.is_valid(&outer_of(map)->elements);
	while (valid && !err) {
		memcpy(key, next, map->key_size);
		valid = element_is_valid(map, key);
		err = map->ops->get_next_key(map, key, next);
	}
	memory_free(key);
	return valid;
}

const struct map_ops array_of_maps_map_ops = {
	.name = "array_of_maps",
	.traits =
		MAP_OF_MAPS | MAP_BTF_REFUSED | MAP_SLEEPABLE | MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.helpers = MAP_H_LOOKUP,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.inner_id = array_inner_id,
	.delete = outer_delete,
	.copy_value = outer_copy_value,
	.update_inner = array_update_inner,
	.get_next_key = array_get_next_key,
	.check = array_check,
	.layout = array_layout,
	.attach = outer_attach,
	.detach = outer_detach,
	.is_valid = outer_is_valid,
};

const struct map_ops hash_of_maps_map_ops = {
	.name = "hash_of_maps",
	.traits = MAP_OF_MAPS | MAP_BTF_REFUSED | MAP_SLEEPABLE | MAP_BATCH_LOOKUP |
		  MAP_BATCH_TAKE | MAP_BATCH_UPDATE | MAP_BATCH_DELETE,
	.helpers = MAP_H_LOOKUP,
	.create_flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY |
			BPF_F_ZERO_SEED | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
	.inner_id = hash_inner_id,
	.delete = outer_delete,
	.copy_value = outer_copy_value,
	.update_inner = hash_update_inner,
	.get_next_key = hash_get_next_key,
	.walk = hash_walk,
	.check = hash_check,
	.layout = hash_layout,
	.init = hash_init,
	.attach = outer_attach,
	.detach = outer_detach,
	.is_valid = outer_is_valid,
};
