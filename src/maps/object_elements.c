/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object_elements.c: how maps change that have objects as values. Owns the references that keep
 * these objects alive, and their repair. Must not know what the objects are, where elements lie,
 * descriptors or attributes.
 *
 * Synchronisation. Changes come from the system call only and are made one at a time per map, under
 * the lock of its references. Reading takes no lock: an id is loaded in one piece. Whether it still
 * names an object is for the reader to see, who asks again if it does not.
 *
 * Death of a process at any instruction. A change writes into the journal which element it is going
 * to change from which id to which, adds the reference to the new object, stores the element (one
 * store decides), and settles: of the two ids in the journal, what the element does not hold now
 * loses its reference. Settling may be done twice, and is also the repair: whoever takes the lock
 * next does it first. So at no time does an element name an object without a reference, and a
 * reference without an element lasts until the next change at most.
 */
#include "maps/object_elements.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"

static struct object_journal *journal_of(const struct map *map)
{
	return object_elements_of(map)->journal;
}

static const struct element_store *store_of(const struct map *map)
{
	return object_elements_of(map)->store;
}

void object_elements_begin(struct map *map, const void *key, u32 token, u32 before, u32 after)
{
	struct object_journal *journal = journal_of(map);

	memcpy(journal->key, key, map->key_size);
	journal->token = token;
	journal->ids[0] = before;
	journal->ids[1] = after;
	store_release(&journal->busy, 1);
}

void object_elements_settle(struct map *map)
{
	struct object_journal *journal = journal_of(map);
	struct object_element now;

	if (!load_acquire(&journal->busy))
		return;
	if (!store_of(map)->get(map, journal->key, &now))
		now.id = 0;
	for (u32 i = 0; i < ARRAY_SIZE(journal->ids); i++)
		if (journal->ids[i] && journal->ids[i] != now.id)
			object_ref_drop(&map->object, map->ops->value_kind, journal->ids[i],
					journal->token);
	store_release(&journal->busy, 0);
}

int object_elements_lock(struct map *map, u64 *signals)
{
	const int lock = object_refs_lock(&map->object, signals);

	if (lock >= 0)
		object_elements_settle(map);
	return lock;
}

void object_elements_unlock(int lock, u64 signals)
{
	object_refs_unlock(lock, signals);
}

static int put_locked(struct map *map, const void *key, struct object *object, u64 flags)
{
	const struct element_store *store = store_of(map);
	struct object_element old, new = {.id = object->id};
	const bool present = store->get(map, key, &old);
	int err;

	if (flags == BPF_NOEXIST && present)
		return -EEXIST;
	if (flags == BPF_EXIST && !present)
		return -ENOENT;
	if (present && old.id == new.id)
		return 0;
	new.token = present ? old.token : store->new_token(map, key);
	object_elements_begin(map, key, new.token, present ? old.id : 0, new.id);
	err = object_ref_add(&map->object, object, new.token);
	if (err == -ENOENT)
		err = -EBADF; /* its descriptor was closed meanwhile */
	if (!err)
		err = store->put(map, key, &new);
	object_elements_settle(map);
	return err;
}

int object_elements_put(struct map *map, const void *key, struct object *object, u64 flags)
{
	u64 signals;
	int err, lock = object_elements_lock(map, &signals);

	if (lock < 0)
		return lock;
	err = put_locked(map, key, object, flags);
	object_elements_unlock(lock, signals);
	return err;
}

int object_elements_remove_locked(struct map *map, const void *key)
{
	struct object_element old;
	int err;

	if (!store_of(map)->get(map, key, &old))
		return -ENOENT;
	object_elements_begin(map, key, old.token, old.id, 0);
	err = store_of(map)->remove(map, key);
	object_elements_settle(map);
	return err;
}

int object_elements_remove(struct map *map, const void *key)
{
	u64 signals;
	int err, lock = object_elements_lock(map, &signals);

	if (lock < 0)
		return lock;
	err = object_elements_remove_locked(map, key);
	object_elements_unlock(lock, signals);
	return err;
}

int object_elements_copy_id(struct map *map, const void *key, void *value)
{
	const u32 id = map->ops->object_id(map, key);

	if (!id)
		return -ENOENT;
	memcpy(value, &id, sizeof(id));
	return 0;
}

/* Cold path */

static bool element_is_valid(struct map *map, const void *key,
			     bool (*matches)(struct map *map, struct object *object))
{
	const u32 id = map->ops->object_id(map, key);
	struct object *object;
	bool valid;

	if (!id)
		return true;
	if (object_from_id(map->ops->value_kind, id, &object))
		return false;
	valid = matches(map, object);
	object_put(object);
	return valid;
}

cold bool object_elements_are_valid(struct map *map,
				    bool (*matches)(struct map *map, struct object *object))
{
	u8 *key = memory_alloc(2 * (size_t)map->key_size), *next = key + map->key_size;
	u64 signals;
	int lock = object_elements_lock(map, &signals);
	bool valid = key && lock >= 0;
	int err = valid ? map->ops->get_next_key(map, NULL, next) : 0;

	if (lock >= 0)
		object_elements_unlock(lock, signals);
	while (valid && !err) {
		memcpy(key, next, map->key_size);
		valid = element_is_valid(map, key, matches);
		err = map->ops->get_next_key(map, key, next);
	}
	memory_free(key);
	return valid;
}
