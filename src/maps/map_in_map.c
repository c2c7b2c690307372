/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map_in_map.c: ARRAY_OF_MAPS and HASH_OF_MAPS: which maps may be elements, and where a hash keeps
 * them. Elements, their references and their repair are object_elements.c, the slots of an array
 * object_slots.c. Must not know programs, descriptors or attributes.
 *
 * A HASH_OF_MAPS is a HASH over the same memory whose values are elements, with the journal behind
 * it. The token of an element is given out at its insertion and stays when it is replaced.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/memory.h"
#include "maps/hash_within.h"
#include "maps/object_slots.h"

/* map->local of a HASH_OF_MAPS. */
struct outer_hash {
	struct object_elements elements; /* first */
	struct map hash;
};

static inline struct map *hash_of(const struct map *map)
{
	return &((struct outer_hash *)map->local)->hash;
}

static u32 hash_object_id(struct map *map, const void *key)
{
	struct object_element element;

	return hash_map_ops.copy_value(hash_of(map), key, &element) ? 0 : element.id;
}

/* The store of a hash. */

static bool hash_get(struct map *map, const void *key, struct object_element *element)
{
	return !hash_map_ops.copy_value(hash_of(map), key, element);
}

static int hash_put(struct map *map, const void *key, const struct object_element *element)
{
	return hash_map_ops.update(hash_of(map), key, element, BPF_ANY);
}

static int hash_remove(struct map *map, const void *key)
{
	return hash_map_ops.delete(hash_of(map), key);
}

static u32 hash_token(struct map *map, const void *key)
{
	(void)key;
	return object_elements_of(map)->journal->next_token++;
}

static const struct element_store hash_store = {
	.get = hash_get,
	.put = hash_put,
	.remove = hash_remove,
	.new_token = hash_token,
};

/* Changes. object NULL: error says why. */

static int check_inner(const struct map *map, struct object *object, int error)
{
	if (!object)
		return error;
	return map_inner_matches(map, map_of(object)) ? 0 : -EINVAL;
}

static int array_update_object(struct map *map, const void *key, struct object *object, int error,
			       u64 flags)
{
	int err = object_slots_check_update(map, key, flags);

	if (!err)
		err = check_inner(map, object, error);
	return err ? err : object_elements_put(map, key, object, flags);
}

static int hash_update_object(struct map *map, const void *key, struct object *object, int error,
			      u64 flags)
{
	int err = check_inner(map, object, error);

	if (!err && flags > BPF_EXIST)
		err = -EINVAL;
	return err ? err : object_elements_put(map, key, object, flags);
}

/* Reading a hash by the system call. */

static int hash_get_next_key(struct map *map, const void *key, void *next_key)
{
	return hash_map_ops.get_next_key(hash_of(map), key, next_key);
}

/* Under the lock what the walk has found stays until it is removed. */
static int walk_removing(struct map *map, u32 *cursor, void *keys, void *elements, u32 *count)
{
	u64 signals;
	int err, lock = object_elements_lock(map, &signals);

	if (lock < 0)
		return lock;
	err = hash_map_ops.walk(hash_of(map), cursor, keys, elements, count, false);
	for (u32 i = 0; i < *count && (!err || err == -ENOENT); i++)
		if (object_elements_remove_locked(map,
						  (const u8 *)keys + (size_t)i * map->key_size))
			err = -EBUSY;
	object_elements_unlock(lock, signals);
	return err;
}

static int hash_walk(struct map *map, u32 *cursor, void *keys, void *values, u32 *count,
		     bool with_delete)
{
	struct object_element *elements = memory_alloc(*count * sizeof(*elements));
	u32 *ids = values;
	int err;

	if (!elements)
		return -ENOMEM;
	err = with_delete ? walk_removing(map, cursor, keys, elements, count)
			  : hash_map_ops.walk(hash_of(map), cursor, keys, elements,
					      count, false);
	for (u32 i = 0; i < *count && (!err || err == -ENOENT); i++)
		ids[i] = elements[i].id;
	memory_free(elements);
	return err;
}

/* Cold path */

#define KERNEL_ELEMENT 48 /* memlock as a 6.18 kernel counts it */

static cold int hash_check(struct map_spec *spec)
{
	return spec->value_size == 4 ? hash_map_ops.check(spec) : -EINVAL;
}

/* The journal lies behind the HASH. */
static struct hash_within elements_like(u32 key_size, u32 max_entries, u32 flags)
{
	return (struct hash_within){key_size, sizeof(struct object_element), max_entries,
				    flags & BPF_F_NO_PREALLOC};
}

static struct hash_within elements_of(const struct map *map)
{
	return elements_like(map->key_size, map->max_entries, map->flags);
}

static cold void hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	const struct hash_within like =
		elements_like(spec->key_size, spec->max_entries, spec->flags);
	const u64 spares = ncpus * (KERNEL_ELEMENT + ROUND_UP((u64)spec->key_size, 8) + 8);

	layout->control_size = hash_within_layout(&like, ncpus, layout) +
			       object_journal_bytes(spec->key_size);
	if (!(spec->flags & BPF_F_NO_PREALLOC))
		layout->memlock -= spares; /* which a HASH has and this type has not */
}

static cold int hash_init(struct map *map)
{
	const struct hash_within like = elements_of(map);

	return hash_within_init(&like, map, object_journal_bytes(map->key_size));
}

static cold int hash_attach(struct map *map)
{
	struct outer_hash *outer = memory_alloc(sizeof(*outer));
	const struct hash_within like = elements_of(map);
	int err;

	if (!outer)
		return -ENOMEM;
	outer->elements.journal = hash_within_connect(&like, map, &outer->hash);
	outer->elements.store = &hash_store;
	err = hash_map_ops.attach(&outer->hash);
	if (err)
		memory_free(outer);
	else
		map->local = outer;
	return err;
}

static cold void hash_detach(struct map *map)
{
	hash_map_ops.detach(hash_of(map));
	memory_free(map->local);
	map->local = NULL;
}

static bool inner_matches(struct map *map, struct object *object)
{
	return map_inner_matches(map, map_of(object));
}

static cold bool array_is_valid(struct map *map)
{
	return object_elements_are_valid(map, inner_matches);
}

static cold bool hash_is_valid(struct map *map)
{
	return object_elements_are_valid(map, inner_matches) &&
	       hash_map_ops.is_valid(hash_of(map));
}

const struct map_ops array_of_maps_map_ops = {
	.name = "array_of_maps",
	.traits = MAP_BTF_REFUSED | MAP_SLEEPABLE | MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.value_kind = OBJECT_MAP,
	.helpers = MAP_H_LOOKUP,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.object_id = object_slots_id,
	.delete = object_slots_delete,
	.copy_value = object_elements_copy_id,
	.update_object = array_update_object,
	.get_next_key = array_get_next_key,
	.check = object_slots_check,
	.layout = object_slots_layout,
	.attach = object_slots_attach,
	.detach = object_slots_detach,
	.is_valid = array_is_valid,
};

const struct map_ops hash_of_maps_map_ops = {
	.name = "hash_of_maps",
	.traits = MAP_BTF_REFUSED | MAP_SLEEPABLE | MAP_BATCH_LOOKUP |
		  MAP_BATCH_TAKE | MAP_BATCH_UPDATE | MAP_BATCH_DELETE,
	.value_kind = OBJECT_MAP,
	.helpers = MAP_H_LOOKUP,
	.create_flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY |
			BPF_F_ZERO_SEED | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
	.object_id = hash_object_id,
	.delete = object_elements_remove,
	.copy_value = object_elements_copy_id,
	.update_object = hash_update_object,
	.get_next_key = hash_get_next_key,
	.walk = hash_walk,
	.check = hash_check,
	.layout = hash_layout,
	.init = hash_init,
	.attach = hash_attach,
	.detach = hash_detach,
	.is_valid = hash_is_valid,
};
