/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash.h: index and elements of the hash family in shared memory, finding a key in them without a
 * lock, and the steps of a change. Included by the files of the family only; hash.c describes the
 * whole and proves it.
 */
#ifndef MAPS_HASH_H
#define MAPS_HASH_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/lock.h"
#include "maps/fields.h"
#include "maps/map.h"
#include "shm/slots.h"
#include "shm/vcpu.h"

#define BUCKET_SLOTS 7
#define NO_ELEMENT 0xffffffffu

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

/* In front of each element of an LRU type; lru.h says what it means. */
struct lru_node {
	u32 prev, next;
	u32 where;
	u32 referenced;
	u64 stamp;
};

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
	u8 *beside; /* what the type keeps behind the hash, 64-byte aligned */
	/*
	 * Told when an element has become free, outside the stripe lock, by a type that keeps its own
	 * account of free elements. NULL: the bitmap does.
	 */
	void (*released)(struct hash *h, u32 index);
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

/*
 * Bit i: slot i had this tag. Only says where to look: slot_read() reads the slot again, atomically.
 */
static inline u32 bucket_matches(const struct bucket *bucket, u32 tag)
{
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
	const __m128 *pairs = (const __m128 *)(const void *)bucket;
	const __m128i tags = _mm_set1_epi32((s32)tag);
	__m128 low, high;

	__asm__ volatile("" ::: "memory"); /* what another thread has stored meanwhile counts */
	low = _mm_shuffle_ps(pairs[0], pairs[1], 0xdd); /* the upper halves of four words */
	high = _mm_shuffle_ps(pairs[2], pairs[3], 0xdd);
	low = _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_castps_si128(low), tags));
	high = _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_castps_si128(high), tags));
	return ((u32)_mm_movemask_ps(low) | (u32)_mm_movemask_ps(high) << 4) &
	       ((1u << BUCKET_SLOTS) - 1);
#else
	u32 matches = 0;

	for (u32 i = 0; i < BUCKET_SLOTS; i++)
		matches |= (u32)(load_relaxed(&bucket->slots[i]) >> 32 == tag) << i;
	return matches;
#endif
}

INLINE bool bucket_find(const struct hash *h, struct bucket *bucket, const struct target *target,
			u32 key_size, struct hit *hit)
{
	u32 matches = bucket_matches(bucket, target->tag);

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

/* What a lookup without a lock needs of a hit, in registers. element NULL: none. */
struct found {
	struct element *element;
	u32 index;
};

struct found hash_look_far(const struct hash *h, const void *key);

INLINE struct found look_sized(const struct hash *h, const void *key, u32 key_size)
{
	const struct target target = target_sized(h, key, key_size);
	struct bucket *home = &h->buckets[target.home];
	struct hit hit;

	if (likely(bucket_find(h, home, &target, key_size, &hit)))
		return (struct found){hit.element, hit.index};
	if (likely(!load_acquire(&home->overflow))) /* pairs with overflow_put() */
		return (struct found){NULL, NO_ELEMENT};
	return hash_look_far(h, key);
}

/* For programs and handles: one way through for each common key size. */
INLINE struct found look(const struct hash *h, const void *key)
{
	if (likely(h->key_size == 4))
		return look_sized(h, key, 4);
	if (h->key_size == 8)
		return look_sized(h, key, 8);
	if (h->key_size == 16)
		return look_sized(h, key, 16);
	return hash_look_far(h, key);
}

static inline bool find_key(const struct hash *h, const void *key, struct hit *hit)
{
	const struct target target = target_of(h, key);

	return find(h, &target, hit);
}

/*
 * Changing, under the lock of the home's stripe.
 */
void hash_stripe_repair(struct hash *h, struct stripe *stripe);
/* Puts a slot word into another bucket than its home. */
bool hash_overflow_put(struct hash *h, u32 home, u64 word);
void hash_overflow_drop(struct hash *h, u32 home);

static inline int stripe_lock(struct hash *h, struct stripe *stripe)
{
	int err = lock_acquire(&stripe->lock);

	if (unlikely(err == LOCK_OWNER_DIED)) {
		hash_stripe_repair(h, stripe);
		err = 0;
	}
	return err;
}

static inline struct stripe *stripe_of(const struct hash *h, u32 home)
{
	return &h->stripes[home & h->stripe_mask];
}

/* Elements that end up in no slot get this state. The store is the last one before any change. */
static inline void journal_begin(struct stripe *stripe, u32 state, u32 home, u32 first, u32 second)
{
	store_release(&stripe->journal, 0); /* what follows must not be taken for the old entry */
	store_relaxed(&stripe->home, home);
	store_relaxed(&stripe->elements[0], first);
	store_relaxed(&stripe->elements[1], second);
	store_release(&stripe->journal, state + 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* death comes between two instructions */
}

static inline void journal_end(struct stripe *stripe)
{
	store_release(&stripe->journal, 0);
}

/* What an update brings: one value, the values of all CPUs, or that of the current one. */
enum fill { FILL_VALUE, FILL_ALL_CPUS, FILL_THIS_CPU };

INLINE void value_fill(const struct hash *h, u32 index, const void *value, enum fill fill,
		       bool is_new)
{
	u32 cpu;

	switch (fill) {
	case FILL_VALUE:
		fields_write(h->map, element_value(h, element_at(h, index)), value,
			     h->value_size);
		return;
	case FILL_ALL_CPUS:
		for (cpu = 0; cpu < h->ncpus; cpu++)
			fields_write(h->map, cpu_value(h, index, cpu),
				     (const u8 *)value + (size_t)cpu * h->value_stride,
				     h->value_stride);
		return;
	case FILL_THIS_CPU:
		for (cpu = 0; is_new && cpu < h->ncpus; cpu++)
			fields_zero(h->map, cpu_value(h, index, cpu), h->value_stride);
		cpu = vcpu_current();
		if (likely(cpu < h->ncpus))
			fields_write(h->map, cpu_value(h, index, cpu), value,
				     h->value_size);
		return;
	}
}

static inline bool bucket_put(struct bucket *bucket, u64 word)
{
	u64 found;

	for (u32 i = 0; i < BUCKET_SLOTS; i++) {
		found = 0;
		if (!load_relaxed(&bucket->slots[i]) && atomic_cas(&bucket->slots[i], &found, word))
			return true;
	}
	return false;
}

/* Publishes an element that is complete. */
INLINE bool slot_put(struct hash *h, const struct target *target, u32 index)
{
	const u64 word = slot_word(target->tag, index);

	return likely(bucket_put(&h->buckets[target->home], word)) ||
	       hash_overflow_put(h, target->home, word);
}

static inline bool is_in_home(const struct hash *h, u32 home, const u64 *slot)
{
	return (u64)((const u8 *)slot - (const u8 *)&h->buckets[home]) < sizeof(struct bucket);
}

/* What a slot no longer names; the last step of every removal from a slot. */
INLINE void slot_clear(struct hash *h, u32 home, u64 *slot)
{
	store_release(slot, 0);
	if (unlikely(!is_in_home(h, home, slot)))
		hash_overflow_drop(h, home);
}

/*
 * Removes element index if it is still the one with this generation. 0, also when it is another;
 * -EBUSY.
 */
must_check int hash_evict(struct hash *h, u32 index, u32 generation);

/* Operations that all types of the family share. */
void *hash_lookup(struct map *map, const void *key);
void hash_prefetch(struct map *map, const void *key, bool element);
void *percpu_hash_lookup(struct map *map, const void *key);
int hash_delete(struct map *map, const void *key);
int hash_copy_value(struct map *map, const void *key, void *value);
int hash_lookup_and_delete(struct map *map, const void *key, void *value);
int hash_get_next_key(struct map *map, const void *key, void *next_key);
int hash_walk(struct map *map, u32 *cursor, void *keys, void *values, u32 *count,
	      bool with_delete);
void *hash_value_at(struct map *map, const void *address);
void hash_key_of(struct map *map, const void *value, void *key);
void *percpu_hash_value_at(struct map *map, const void *address);
/* Bytes from the map's header to what lies beside the hash, for a map of ncpus. */
u64 hash_bytes_of(const struct map_spec *spec, u32 ncpus);
int hash_check(struct map_spec *spec);
void hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout);
int hash_init(struct map *map);
void hash_connect(struct hash *h, const struct map *map);
bool hash_map_is_valid(struct map *map);
/* Repairs every stripe whose owner died. True if there was one. */
bool hash_repair_orphans(struct hash *h);

#endif
