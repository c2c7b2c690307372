/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash.h: index and elements of the hash family in shared memory, and finding a key in them without
 * a lock. Included by the files of the family only; hash.c describes the whole and proves it.
 */
#ifndef MAPS_HASH_H
#define MAPS_HASH_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/lock.h"
#include "maps/map.h"
#include "shm/slots.h"

#define BUCKET_SLOTS 7
#define NO_ELEMENT 0xffffffffu
#define INLINE static inline __attribute__((always_inline))

struct bucket {
	u64 slots[BUCKET_SLOTS]; /* 0, or tag << 32 | element index + 1 */
	u64 overflow;            /* distance << 32 | count of elements that lie elsewhere */
} cacheline_aligned;

/* States of an element, and what a journal says its elements become. */
enum { STATE_FREE, STATE_SPARE, STATE_OWNED = 1u << 31 /* | home bucket */ };

struct element {
	u32 state;
	u32 generation; /* raised when it is claimed, before its contents change */
	u64 key[];
};

/* Everything but lock is changed and read by the lock's owner only. */
struct stripe {
	struct lock lock;
	u32 journal; /* 0: nothing under way, else 1 + state of elements that are in no slot */
	u32 home;
	u32 elements[2]; /* NO_ELEMENT: none */
	u32 spare;       /* the element to replace with; HASH only */
	u32 hint;        /* where to look for a free element */
} cacheline_aligned;

struct hash_control {
	struct lock grow;
	u32 populated; /* elements brought in so far; raised under grow */
} cacheline_aligned;

/* Process-local. */
struct hash {
	struct bucket *buckets;
	u8 *elements;
	u64 seed;
	u32 bucket_mask;
	u32 key_size;
	u32 element_stride;
	u32 value_offset;
	u32 value_size;
	u32 value_stride;
	struct stripe *stripes;
	u32 stripe_mask;
	u32 ncpus;
	u8 *values; /* per-CPU */
	u64 cpu_stride;
	struct slots free;
	struct hash_control *control;
	u32 nr_elements;
	u32 nr_spares;
	const struct map *map;
	const struct region *region;
};

/* A key's place. */
struct target {
	const void *key;
	u32 home;
	u32 tag;
};

struct hit {
	u64 *slot;
	struct element *element;
	u32 index;
	u32 generation;
};

static inline struct hash *hash_of(const struct map *map)
{
	return map->local;
}

static inline struct element *element_at(const struct hash *h, u32 index)
{
	return (struct element *)(void *)(h->elements + (u64)index * h->element_stride);
}

static inline u32 elements_populated(const struct hash *h)
{
	return MIN(load_acquire(&h->control->populated), h->nr_elements);
}

static inline u64 slot_word(u32 tag, u32 index)
{
	return (u64)tag << 32 | (index + 1);
}

static inline u32 slot_index(u64 word)
{
	return (u32)word - 1;
}

static inline void *element_value(const struct hash *h, const struct element *element)
{
	return (u8 *)element + h->value_offset;
}

static inline u8 *cpu_value(const struct hash *h, u32 index, u32 cpu)
{
	return h->values + cpu * h->cpu_stride + (u64)index * h->value_stride;
}

/* Before the contents change. Whoever reads the element from now on sees another generation. */
static inline void element_renew(struct element *element)
{
	store_relaxed(&element->generation, element->generation + 1);
	fence_release(); /* pairs with the fence in hit_is_current() */
}

static inline void key_write(struct element *element, const void *key, u32 key_size)
{
	const u8 *from = key;
	u64 *word = element->key;

	for (; key_size >= 8; key_size -= 8, from += 8)
		store_relaxed(word++, hash_load(from, 8));
	if (key_size)
		store_relaxed(word, hash_load(from, key_size));
}

static inline u64 nr_slots(const struct hash *h)
{
	return ((u64)h->bucket_mask + 1) * BUCKET_SLOTS;
}

static inline u64 *slot_at(const struct hash *h, u64 nr)
{
	return &h->buckets[nr / BUCKET_SLOTS].slots[nr % BUCKET_SLOTS];
}

static inline u64 slot_nr(const struct hash *h, const u64 *slot)
{
	const u64 word = (u64)(slot - h->buckets[0].slots), per_bucket = sizeof(struct bucket) / 8;

	return word / per_bucket * BUCKET_SLOTS + word % per_bucket;
}

/* True as long as the element has not been claimed anew since the hit. */
static inline bool hit_is_current(const struct hit *hit)
{
	fence_acquire(); /* pairs with the fence in element_renew() */
	return load_relaxed(&hit->element->generation) == hit->generation;
}

/*
 * The element in a slot as of one instant. False when the slot does not hold one with this tag
 * (tag 0: any). *hit is then undefined.
 */
INLINE bool slot_read(const struct hash *h, u64 *slot, u32 tag, struct hit *hit)
{
	u64 word;

	hit->slot = slot;
	do {
		word = load_acquire(slot); /* pairs with the store that published the element */
		if (unlikely(tag ? word >> 32 != tag : !word))
			return false;
		hit->index = slot_index(word);
		if (unlikely(hit->index >= h->nr_elements))
			return false; /* only in a file that was tampered with */
		hit->element = element_at(h, hit->index);
		hit->generation = load_acquire(&hit->element->generation);
	} while (unlikely(load_acquire(slot) != word));
	return true;
}

/* Finding a key: inlined once for each common key size, which is then a constant. */

/* The last word of a key in an element is padded with zeros, see key_write(). */
INLINE bool key_equal(const struct element *element, const void *key, u32 key_size)
{
	const u8 *theirs = key;
	const u64 *word = element->key;
	u64 difference = 0;

	for (; key_size >= 8; key_size -= 8, theirs += 8, word++)
		difference |= load_relaxed(word) ^ hash_load(theirs, 8);
	if (key_size)
		difference |= load_relaxed(word) ^ hash_load(theirs, key_size);
	return !difference;
}

INLINE bool slot_holds(const struct hash *h, u64 *slot, const struct target *target, u32 key_size,
		       struct hit *hit)
{
	bool equal;

	do {
		if (!slot_read(h, slot, target->tag, hit))
			return false;
		equal = key_equal(hit->element, target->key, key_size);
	} while (unlikely(!hit_is_current(hit)));
	return equal;
}

INLINE bool bucket_find(const struct hash *h, struct bucket *bucket, const struct target *target,
			u32 key_size, struct hit *hit)
{
	u32 matches = 0;

	for (u32 i = 0; i < BUCKET_SLOTS; i++)
		matches |= (u32)(load_relaxed(&bucket->slots[i]) >> 32 == target->tag) << i;
	for (; matches; matches &= matches - 1)
		if (likely(slot_holds(h, &bucket->slots[__builtin_ctz(matches)], target, key_size,
				      hit)))
			return true;
	return false;
}

static cold __attribute__((unused)) bool
find_overflow(const struct hash *h, const struct target *target, u64 overflow, struct hit *hit)
{
	const u32 distance = MIN((u32)(overflow >> 32), h->bucket_mask);

	for (u32 d = 1; d <= distance; d++)
		if (bucket_find(h, &h->buckets[(target->home + d) & h->bucket_mask], target,
				h->key_size, hit))
			return true;
	return false;
}

INLINE bool find_sized(const struct hash *h, const struct target *target, u32 key_size,
		       struct hit *hit)
{
	struct bucket *home = &h->buckets[target->home];
	u64 overflow;

	if (bucket_find(h, home, target, key_size, hit))
		return true;
	overflow = load_acquire(&home->overflow); /* pairs with overflow_put() */
	return unlikely(overflow) && find_overflow(h, target, overflow, hit);
}

/* A tag is never 0: an empty slot matches none. */
INLINE struct target target_sized(const struct hash *h, const void *key, u32 key_size)
{
	const u64 hash = hash_bytes(key, key_size, h->seed);

	return (struct target){key, (u32)(hash >> 32) & h->bucket_mask, (u32)hash | 1};
}

static inline struct target target_of(const struct hash *h, const void *key)
{
	switch (h->key_size) {
	case 4:
		return target_sized(h, key, 4);
	case 8:
		return target_sized(h, key, 8);
	case 16:
		return target_sized(h, key, 16);
	default:
		return target_sized(h, key, h->key_size);
	}
}

static inline bool find(const struct hash *h, const struct target *target, struct hit *hit)
{
	switch (h->key_size) {
	case 4:
		return find_sized(h, target, 4, hit);
	case 8:
		return find_sized(h, target, 8, hit);
	case 16:
		return find_sized(h, target, 16, hit);
	default:
		return find_sized(h, target, h->key_size, hit);
	}
}

static inline bool find_key(const struct hash *h, const void *key, struct hit *hit)
{
	const struct target target = target_of(h, key);

	return find(h, &target, hit);
}

#endif
