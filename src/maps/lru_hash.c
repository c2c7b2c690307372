/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lru_hash.c: LRU_HASH and LRU_PERCPU_HASH: the index, the elements and the system call side of
 * hash.c, with elements that lru.c hands out. Owns the order of the steps of an update. Must not
 * know programs, descriptors or attributes.
 *
 * As in the kernel an update takes a new element before it looks for the key, so that it may evict
 * even if it fails, and the key itself. Only an update of a present key in LRU_PERCPU_HASH changes
 * the value in place, and with BPF_EXIST it takes no element at all.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "base/memory.h"
#include "maps/lru.h"

#define TRIES 256 /* of claiming an element that others take away */

static void *lru_hash_lookup(struct map *map, const void *key)
{
	const struct hash *h = hash_of(map);
	const struct found found = look(h, key);

	if (unlikely(!found.element))
		return NULL;
	lru_reference(found.element);
	return element_value(h, found.element);
}

static void *lru_percpu_hash_lookup_percpu(struct map *map, const void *key, u32 cpu)
{
	const struct hash *h = hash_of(map);
	const struct found found = look(h, key);

	if (unlikely(cpu >= h->ncpus || !found.element))
		return NULL;
	lru_reference(found.element);
	return cpu_value(h, found.index, cpu);
}

static void *lru_percpu_hash_lookup(struct map *map, const void *key)
{
	return lru_percpu_hash_lookup_percpu(map, key, vcpu_current());
}

/* What an update is about to do. The stripe of the key is held. */
struct change {
	const struct target *target;
	const void *value;
	u64 flags;
	enum fill fill;
	u32 index; /* the new element, then the one that is not used; NO_ELEMENT: none */
};

/* The new element takes the place of old, or a place of its own. -EAGAIN: somebody else has it. */
INLINE int put_locked(struct hash *h, struct stripe *stripe, struct change *c,
		      const struct hit *old)
{
	const u32 index = c->index, home = c->target->home;
	struct element *element = element_at(h, index);
	u32 found = STATE_FREE;
	int err = 0;

	journal_begin(stripe, STATE_FREE, home, index, old ? old->index : NO_ELEMENT);
	if (unlikely(!atomic_cas(&element->state, &found, STATE_OWNED | home))) {
		journal_end(stripe);
		return -EAGAIN;
	}
	element_renew(element);
	key_write(element, c->target->key, h->key_size);
	value_fill(h, index, c->value, c->fill, true);
	if (old) {
		lru_reference(element);
		store_release(old->slot, slot_word(c->target->tag, index));
		store_release(&old->element->state, STATE_FREE);
		c->index = old->index;
	} else if (likely(slot_put(h, c->target, index))) {
		c->index = NO_ELEMENT;
	} else {
		store_release(&element->state, STATE_FREE);
		err = -E2BIG;
	}
	journal_end(stripe);
	return err;
}

INLINE int change_locked(struct hash *h, struct stripe *stripe, struct change *c)
{
	struct hit hit;

	if (!find(h, c->target, &hit))
		return unlikely(c->flags == BPF_EXIST) ? -ENOENT : put_locked(h, stripe, c, NULL);
	if (unlikely(c->flags == BPF_NOEXIST))
		return -EEXIST;
	if (c->fill == FILL_VALUE)
		return put_locked(h, stripe, c, &hit);
	lru_reference(hit.element);
	value_fill(h, hit.index, c->value, c->fill, false);
	return 0;
}

INLINE int try_update(struct hash *h, struct stripe *stripe, struct change *c)
{
	const bool in_place = c->fill != FILL_VALUE && c->flags == BPF_EXIST;
	const s64 index = in_place ? NO_ELEMENT : lru_take(lru_of(h), vcpu_current());
	int err;

	if (unlikely(index < 0))
		return (int)index;
	c->index = (u32)index;
	err = stripe_lock(h, stripe);
	if (likely(!err)) {
		err = change_locked(h, stripe, c);
		lock_release(&stripe->lock);
	}
	if (c->index != NO_ELEMENT && err != -EAGAIN)
		lru_release(h, c->index);
	return err;
}

INLINE int update(struct map *map, const void *key, const void *value, u64 flags, enum fill fill)
{
	struct hash *h = hash_of(map);
	const struct target target = target_of(h, key);
	struct change change = {&target, value, flags, fill, NO_ELEMENT};
	int err = -EAGAIN;

	if (unlikely(flags > BPF_EXIST))
		return -EINVAL;
	for (u32 i = 0; i < TRIES && err == -EAGAIN; i++)
		err = try_update(h, stripe_of(h, target.home), &change);
	return likely(err != -EAGAIN) ? err : -ENOMEM;
}

static int lru_hash_update(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, FILL_VALUE);
}

static int lru_percpu_hash_update(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, FILL_THIS_CPU);
}

static int lru_percpu_hash_update_user(struct map *map, const void *key, const void *value,
				       u64 flags)
{
	return update(map, key, value, flags, FILL_ALL_CPUS);
}

/* Cold path: creation */

static cold int lru_hash_check(struct map_spec *spec)
{
	const u32 ncpus = vcpu_possible();
	const u64 rounded = ((u64)spec->max_entries + ncpus - 1) / ncpus * ncpus;

	if (spec->flags & BPF_F_NO_PREALLOC)
		return -ENOTSUPP;
	if (spec->flags & BPF_F_NO_COMMON_LRU && map_spec_has_node(spec))
		return -EINVAL;
	if (spec->flags & BPF_F_NO_COMMON_LRU && rounded <= 0xffffffffu)
		spec->max_entries = (u32)rounded;
	return hash_check(spec);
}

static cold void lru_hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	hash_layout(spec, ncpus, layout);
	layout->control_size += lru_bytes(ncpus);
}

static cold void lru_hash_connect(struct lru *lru, const struct map *map)
{
	hash_connect(&lru->hash, map);
	lru_connect(lru, !(map->flags & BPF_F_NO_COMMON_LRU));
}

static cold int lru_hash_init(struct map *map)
{
	struct lru lru;

	lru_hash_connect(&lru, map);
	lru_init(&lru);
	return hash_init(map);
}

static cold int lru_hash_attach(struct map *map)
{
	struct lru *lru = memory_alloc(sizeof(*lru));

	if (!lru)
		return -ENOMEM;
	lru_hash_connect(lru, map);
	map->local = &lru->hash;
	return 0;
}

static cold void lru_hash_detach(struct map *map)
{
	memory_free(lru_of(hash_of(map)));
	map->local = NULL;
}

static cold bool lru_hash_is_valid(struct map *map)
{
	return hash_map_is_valid(map) && lru_is_valid(lru_of(hash_of(map)));
}

#define LRU_CREATE_FLAGS                                                                           \
	(BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | \
	 BPF_F_ZERO_SEED | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)
#define LRU_TRAITS \
	(MAP_SLEEPABLE | MAP_BATCH_LOOKUP | MAP_BATCH_TAKE | MAP_BATCH_UPDATE | MAP_BATCH_DELETE)
#define LRU_HELPERS (MAP_H_LOOKUP | MAP_H_UPDATE | MAP_H_DELETE | MAP_H_FOR_EACH)

const struct map_ops lru_hash_map_ops = {
	.name = "lru_hash",
	.traits = LRU_TRAITS,
	.helpers = LRU_HELPERS | MAP_H_TIMER,
	.create_flags = LRU_CREATE_FLAGS,
	.fields = MAP_F_TIMER | MAP_F_OBJECT,
	.update_flags = BPF_EXIST,
	.lookup = lru_hash_lookup,
	.prefetch = hash_prefetch,
	.look = hash_lookup,
	.update = lru_hash_update,
	.delete = hash_delete,
	.value_at = hash_value_at,
	.key_of = hash_key_of,
	.copy_value = hash_copy_value,
	.update_user = lru_hash_update,
	.lookup_and_delete = hash_lookup_and_delete,
	.get_next_key = hash_get_next_key,
	.walk = hash_walk,
	.check = lru_hash_check,
	.layout = lru_hash_layout,
	.init = lru_hash_init,
	.attach = lru_hash_attach,
	.detach = lru_hash_detach,
	.is_valid = lru_hash_is_valid,
};

const struct map_ops lru_percpu_hash_map_ops = {
	.name = "lru_percpu_hash",
	.traits = LRU_TRAITS | MAP_PERCPU,
	.helpers = LRU_HELPERS | MAP_H_LOOKUP_PERCPU,
	.create_flags = LRU_CREATE_FLAGS,
	.fields = MAP_F_OBJECT,
	.update_flags = BPF_EXIST,
	.lookup = lru_percpu_hash_lookup,
	.prefetch = hash_prefetch,
	.lookup_percpu = lru_percpu_hash_lookup_percpu,
	.look = percpu_hash_lookup,
	.update = lru_percpu_hash_update,
	.delete = hash_delete,
	.value_at = percpu_hash_value_at,
	.copy_value = hash_copy_value,
	.update_user = lru_percpu_hash_update_user,
	.lookup_and_delete = hash_lookup_and_delete,
	.get_next_key = hash_get_next_key,
	.walk = hash_walk,
	.check = lru_hash_check,
	.layout = lru_hash_layout,
	.init = lru_hash_init,
	.attach = lru_hash_attach,
	.detach = lru_hash_detach,
	.is_valid = lru_hash_is_valid,
};
