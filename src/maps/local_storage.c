/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_storage.c: SK_STORAGE, INODE_STORAGE, TASK_STORAGE and CGRP_STORAGE: values that belong to
 * things of the host kernel. Owns when room of owners that are gone is used again. Must not know
 * programs or descriptors: keys are identities of owners, see object/foreign.h.
 *
 * A storage is a HASH over the same memory with identities as keys. The kernel knows no limit of
 * their number; here there is one, far away, and the file is sparse, so that only elements that
 * were needed take room.
 *
 * The kernel frees a value with its owner. Here it can never be found again, since identities do
 * not return, and whoever adds elements looks at all owners from time to time and deletes those of
 * which it is certain that they are gone. How often follows from two counters that may be wrong.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "maps/hash_within.h"
#include "object/foreign.h"

#define OWNERS_MAX (1u << 16)
#define SWEEP_MIN 256u   /* additions between two looks at all owners, at least */
#define VALUE_MAX 65407u /* the kernel's largest, with its header in 64 KiB */

struct sweeping {
	u32 added; /* elements, ever */
	u32 next;  /* the number of additions after which owners are looked at */
} cacheline_aligned;

/* Process-local. */
struct storage {
	struct sweeping *sweeping;
	struct map elements;
};

static inline struct map *elements_of(const struct map *map)
{
	return &((struct storage *)map->local)->elements;
}

static void *storage_lookup(struct map *map, const void *owner)
{
	return hash_map_ops.lookup(elements_of(map), owner);
}

/*
 * Deletes what belonged to owners that are gone; the number of those that are left. By slots, since
 * keys may lead in circles in a file that somebody scribbled on. Where a lock cannot be had the rest
 * is for another time: so it may be with each of them.
 */
static cold u32 sweep(struct map *map)
{
	struct foreign owner;
	u32 left = 0, cursor = 0, count;
	int err;

	do {
		count = 1;
		err = hash_map_ops.walk(elements_of(map), &cursor, &owner, NULL, &count, false);
		if (!count || !foreign_is_gone(map->ops->key_kind, &owner))
			left += count;
		else if (hash_map_ops.delete(elements_of(map), &owner) == -EBUSY)
			break;
	} while (!err);
	return left;
}

static cold void sweep_and_plan(struct map *map)
{
	struct sweeping *sweeping = ((struct storage *)map->local)->sweeping;

	store_relaxed(&sweeping->next,
		      load_relaxed(&sweeping->added) + MAX(2 * sweep(map), SWEEP_MIN));
}

static int storage_add(struct map *map, const void *owner, const void *value, u64 flags)
{
	struct sweeping *sweeping = ((struct storage *)map->local)->sweeping;
	int err;

	if ((s32)(atomic_add(&sweeping->added, 1) - load_relaxed(&sweeping->next)) >= 0)
		sweep_and_plan(map);
	err = hash_map_ops.update(elements_of(map), owner, value, flags);
	if (err != -E2BIG)
		return err;
	sweep_and_plan(map);
	err = hash_map_ops.update(elements_of(map), owner, value, flags);
	return err == -E2BIG ? -ENOMEM : err;
}

static int storage_update(struct map *map, const void *owner, const void *value, u64 flags)
{
	if (!(flags & BPF_NOEXIST) && storage_lookup(map, owner))
		return hash_map_ops.update(elements_of(map), owner, value, flags);
	return storage_add(map, owner, value, flags);
}

static int storage_delete(struct map *map, const void *owner)
{
	return hash_map_ops.delete(elements_of(map), owner);
}

static void *storage_value_at(struct map *map, const void *address)
{
	return hash_map_ops.value_at(elements_of(map), address);
}

static int storage_copy_value(struct map *map, const void *owner, void *value)
{
	return hash_map_ops.copy_value(elements_of(map), owner, value);
}

static int storage_copy_value_locked(struct map *map, const void *owner, void *value)
{
	return hash_map_ops.copy_value_locked(elements_of(map), owner, value);
}

/* Cold path */

static cold int storage_check(struct map_spec *spec)
{
	if (!(spec->flags & BPF_F_NO_PREALLOC) || spec->max_entries ||
	    spec->key_size != sizeof(int) || !spec->value_size)
		return -EINVAL;
	return spec->value_size > VALUE_MAX ? -E2BIG : 0;
}

static cold int storage_check_btf(const struct map_spec *spec)
{
	return btf_is_int32(spec->btf, spec->btf_key_type_id) ? 0 : -EINVAL;
}

/* The counters lie behind the HASH. */
static struct hash_within elements_like(u32 value_size)
{
	return (struct hash_within){sizeof(struct foreign), value_size, OWNERS_MAX,
				    BPF_F_NO_PREALLOC};
}

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_STORAGE = 448, KERNEL_BUCKET = 16 };

static cold void storage_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	const struct hash_within like = elements_like(spec->value_size);

	layout->control_size = hash_within_layout(&like, ncpus, layout) + sizeof(struct sweeping);
	layout->memlock = KERNEL_STORAGE + KERNEL_BUCKET;
	for (u32 buckets = 1; buckets < MAX(ncpus, 2u); buckets *= 2)
		layout->memlock += KERNEL_BUCKET * (u64)buckets;
}

static cold void storage_connect(struct storage *storage, const struct map *map)
{
	const struct hash_within like = elements_like(map->value_size);

	storage->sweeping = hash_within_connect(&like, map, &storage->elements);
}

static cold int storage_init(struct map *map)
{
	const struct hash_within like = elements_like(map->value_size);
	struct storage storage;
	int err = hash_within_init(&like, map, sizeof(*storage.sweeping));

	if (err)
		return err;
	storage_connect(&storage, map);
	storage.sweeping->next = SWEEP_MIN;
	return 0;
}

static cold int storage_attach(struct map *map)
{
	struct storage *storage = memory_alloc(sizeof(*storage));
	int err;

	if (!storage)
		return -ENOMEM;
	storage_connect(storage, map);
	err = hash_map_ops.attach(&storage->elements);
	if (err)
		memory_free(storage);
	else
		map->local = storage;
	return err;
}

static cold void storage_detach(struct map *map)
{
	hash_map_ops.detach(elements_of(map));
	memory_free(map->local);
	map->local = NULL;
}

static cold bool storage_is_valid(struct map *map)
{
	return hash_map_ops.is_valid(elements_of(map));
}

#define STORAGE_OPS(type, kind, helper)                          \
	const struct map_ops type##_map_ops = {                  \
		.name = #type,                                   \
		.traits = MAP_SLEEPABLE | MAP_BTF_REQUIRED,      \
		.key_kind = kind,                                \
		.helpers = helper,                               \
		.create_flags = BPF_F_NO_PREALLOC | BPF_F_CLONE, \
		.fields = MAP_F_LOCK | MAP_F_OBJECT,             \
		.update_flags = BPF_EXIST,                       \
		.lookup = storage_lookup,                        \
		.update = storage_update,                        \
		.delete = storage_delete,                        \
		.value_at = storage_value_at,                    \
		.copy_value = storage_copy_value,                \
		.copy_value_locked = storage_copy_value_locked,  \
		.update_user = storage_update,                   \
		.check = storage_check,                          \
		.check_btf = storage_check_btf,                  \
		.layout = storage_layout,                        \
		.init = storage_init,                            \
		.attach = storage_attach,                        \
		.detach = storage_detach,                        \
		.is_valid = storage_is_valid,                    \
	}

STORAGE_OPS(sk_storage, FOREIGN_SOCKET, MAP_H_SK_STORAGE);
STORAGE_OPS(inode_storage, FOREIGN_INODE, 0);
STORAGE_OPS(task_storage, FOREIGN_TASK, MAP_H_TASK_STORAGE);
STORAGE_OPS(cgrp_storage, FOREIGN_CGROUP, 0);
