/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash.c: HASH and PERCPU_HASH. Owns index, elements, stripe locks and their repair. Must not know
 * programs, descriptors or attributes. lru_hash.c shares index, elements and the system call side; it
 * keeps free elements in lists of its own instead of the bitmap, and has no spare ones.
 *
 * Index. A power of two of 64-byte buckets, each 7 slots {tag, element index + 1} and one word
 * {overflow count, distance}. A key's hash chooses its home bucket; when that is full the element
 * goes into a following bucket, and the home counts it and how far away the farthest may be. Of at
 * least 7 slots for 4 elements some are always free. An element lies in exactly one slot for its
 * whole life (a replacement takes over the slot of the replaced), so a walk is a scan of the slots.
 *
 * Elements are type-stable: {state, generation, key, value}; values of PERCPU_HASH lie apart, one
 * page-aligned area per CPU. The state word is the truth: free, spare, or owned by a home bucket.
 * Inserting takes a free element, deleting gives one back. Every stripe of a HASH has one spare
 * element beside them: replacing fills it, and the replaced element becomes the spare. So exactly
 * max_entries elements fit, without a counter, and a present key can be replaced in a full map.
 * (One spare is all a stripe ever needs, as it replaces under its lock; and a spare that only the
 * lock's owner touches saves the three atomic operations of a common pool.)
 *
 * Synchronisation. Whatever belongs to a home bucket changes under the lock of its stripe only.
 * Since other homes may want the same slot, an empty slot is taken by compare-and-swap from 0, an
 * element by compare-and-swap of its state.
 *
 *                 lookup  walk  insert  replace  delete  in-place update
 *     lookup        -      -      -        -       -        - (torn values, as in the kernel)
 *     insert        -      -      S        S       S        S
 *     replace       -      -      S        S       S        S
 *     delete        -      -      S        S       S        S         S: excluded by stripe lock
 *
 * Why a lookup needs no lock. Hit: the slot word is read, the generation, and the slot word again:
 * at that instant t the element was published, hence complete, with a generation not older than the
 * one read. The key is compared, then the generation read once more: unchanged, so what was
 * compared was the key published at t. A system call that copies the value checks the generation
 * after that, too. Miss: a key that is present during the whole lookup lies in one slot during the
 * whole lookup, with its tag, and inside the distance of its home, which is raised before the slot
 * is filled and lowered after it was emptied. If the lookup did not see it, there was an instant at
 * which the key was absent.
 *
 * Death of a process at any instruction. Before its first change a mutation writes into the stripe
 * which elements it is going to touch and what becomes of those that end up in no slot. The next
 * owner of the lock lets every such element that no slot of the home names go there, and counts the
 * home's overflow anew. The one store (or compare-and-swap) to the slot is what decides. Before
 * -E2BIG is returned, the stripes whose owner died are repaired, so that no element stays lost.
 *
 * BPF_F_NO_PREALLOC: index and bitmaps are there from the start (they are as large as the kernel's
 * bucket table, which is allocated at creation too); elements are brought in by chunks and stay.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "maps/hash.h"
#include "base/memory.h"

#define MAX_STRIPES 128
#define TAKE_TRIES 1000 /* each fails only against a change by another thread */
#define CHUNK_BYTES (64u << 10)

void *hash_lookup(struct map *map, const void *key)
{
	const struct hash *h = hash_of(map);
	const struct found found = look(h, key);

	return likely(found.element) ? element_value(h, found.element) : NULL;
}

/* What a slot holds may have changed when the element is prefetched; any address will do. */
void hash_prefetch(struct map *map, const void *key, bool element)
{
	const struct hash *h = hash_of(map);
	const struct target target = target_of(h, key);
	struct bucket *bucket = &h->buckets[target.home];
	u32 matches;

	if (!element) {
		__builtin_prefetch(bucket);
		return;
	}
	for (matches = bucket_matches(bucket, target.tag); matches; matches &= matches - 1)
		__builtin_prefetch(element_at(
			h, slot_index(load_relaxed(&bucket->slots[__builtin_ctz(matches)]))));
}

struct found hash_look_far(const struct hash *h, const void *key)
{
	struct hit hit;

	if (!find_key(h, key, &hit))
		return (struct found){NULL, NO_ELEMENT};
	return (struct found){hit.element, hit.index};
}

static void *percpu_hash_lookup_percpu(struct map *map, const void *key, u32 cpu)
{
	const struct hash *h = hash_of(map);
	const struct found found = look(h, key);

	if (unlikely(cpu >= h->ncpus || !found.element))
		return NULL;
	return cpu_value(h, found.index, cpu);
}

void *percpu_hash_lookup(struct map *map, const void *key)
{
	return percpu_hash_lookup_percpu(map, key, vcpu_current());
}

/* Elements. */

/* The bitmap had it marked, but the element is not free. */
static cold void unmark(struct hash *h, u32 index)
{
	slots_mark_used(&h->free, index);
	if (load_ordered(&element_at(h, index)->state) == STATE_FREE) /* freed meanwhile */
		slots_mark_free(&h->free, index);
}

/* Takes a free element for a home, with the journal written. Its index, or -ENOENT. */
static inline s64 element_claim(struct hash *h, struct stripe *stripe, u32 home)
{
	struct element *element;
	s64 index;
	u32 found;

	for (;;) {
		index = slots_find(&h->free, &stripe->hint);
		if (unlikely(index < 0 || index >= elements_populated(h)))
			break; /* none, or one that a grower has not finished with */
		element = element_at(h, (u32)index);
		journal_begin(stripe, STATE_FREE, home, (u32)index, NO_ELEMENT);
		found = STATE_FREE;
		if (likely(atomic_cas(&element->state, &found, STATE_OWNED | home))) {
			slots_mark_used(&h->free, (u32)index);
			element_renew(element);
			return index;
		}
		unmark(h, (u32)index);
	}
	journal_end(stripe);
	return -ENOENT;
}

/* Gives an element back that no slot names any more. */
static inline void element_free(struct hash *h, struct stripe *stripe, u32 index)
{
	store_release(&element_at(h, index)->state, STATE_FREE);
	if (unlikely(h->released))
		return; /* told when the stripe is unlocked */
	slots_mark_free(&h->free, index);
	stripe->hint = index;
}

/* Update and delete. */

INLINE int insert_locked(struct hash *h, struct stripe *stripe, const struct target *target,
			 const void *value, enum fill fill)
{
	const s64 index = element_claim(h, stripe, target->home);
	int err = 0;

	if (unlikely(index < 0))
		return -E2BIG;
	key_write(element_at(h, (u32)index), target->key, h->key_size);
	value_fill(h, (u32)index, value, fill, true);
	if (unlikely(!slot_put(h, target, (u32)index))) {
		element_free(h, stripe, (u32)index);
		err = -E2BIG;
	}
	journal_end(stripe);
	return err;
}

/* The new element is the stripe's spare one, and the old element becomes it. */
static inline void replace_locked(struct hash *h, struct stripe *stripe,
				  const struct target *target, const struct hit *old,
				  const void *value)
{
	const u32 index = MIN(stripe->spare, h->nr_elements - 1);
	struct element *element = element_at(h, index);

	journal_begin(stripe, STATE_SPARE, target->home, index, old->index);
	store_relaxed(&element->state, STATE_OWNED | target->home);
	element_renew(element);
	key_write(element, target->key, h->key_size);
	value_fill(h, index, value, FILL_VALUE, true);
	store_release(old->slot, slot_word(target->tag, index));
	store_release(&old->element->state, STATE_SPARE);
	store_relaxed(&stripe->spare, old->index);
	journal_end(stripe);
}

static inline void remove_locked(struct hash *h, struct stripe *stripe, u32 home,
				 const struct hit *hit)
{
	journal_begin(stripe, STATE_FREE, home, hit->index, NO_ELEMENT);
	slot_clear(h, home, hit->slot);
	element_free(h, stripe, hit->index);
	journal_end(stripe);
}

INLINE int update_locked(struct hash *h, struct stripe *stripe, const struct target *target,
			 const void *value, u64 flags, enum fill fill)
{
	struct hit hit;

	if (!find(h, target, &hit))
		return unlikely(flags & BPF_EXIST) ? -ENOENT
						   : insert_locked(h, stripe, target, value, fill);
	if (unlikely(flags & BPF_NOEXIST))
		return -EEXIST;
	if (unlikely(flags & BPF_F_LOCK))
		return value_write_locked(h->map, element_value(h, hit.element), value);
	if (fill == FILL_VALUE)
		replace_locked(h, stripe, target, &hit, value);
	else
		value_fill(h, hit.index, value, fill, false);
	return 0;
}

static int make_room(struct hash *h, u32 populated, bool *tried);

INLINE int update(struct map *map, const void *key, const void *value, u64 flags, enum fill fill)
{
	struct hash *h = hash_of(map);
	const struct target target = target_of(h, key);
	struct stripe *stripe = stripe_of(h, target.home);
	bool tried = false;
	u32 populated;
	int err;

	if (unlikely(flags > BPF_EXIST &&
		     (!map_has_lock(map) || (flags & ~(u64)BPF_F_LOCK) > BPF_EXIST)))
		return -EINVAL;
	do {
		populated = load_acquire(&h->control->populated);
		err = stripe_lock(h, stripe);
		if (unlikely(err))
			return err;
		err = update_locked(h, stripe, &target, value, flags, fill);
		lock_release(&stripe->lock);
		if (likely(err != -E2BIG))
			return err;
		err = make_room(h, populated, &tried);
	} while (!err);
	return err;
}

static int hash_update(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, FILL_VALUE);
}

static int percpu_hash_update(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, FILL_THIS_CPU);
}

static int percpu_hash_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	return update(map, key, value, flags, FILL_ALL_CPUS);
}

static int copy_out_locked(const struct hash *h, const struct hit *hit, void *value);

/* value may be NULL: not wanted. */
static inline int take(struct map *map, const void *key, void *value)
{
	struct hash *h = hash_of(map);
	const struct target target = target_of(h, key);
	struct stripe *stripe = stripe_of(h, target.home);
	struct hit hit;
	int err;

	err = stripe_lock(h, stripe);
	if (unlikely(err))
		return err;
	if (likely(find(h, &target, &hit))) {
		if (value)
			err = copy_out_locked(h, &hit, value);
		if (likely(!err))
			remove_locked(h, stripe, target.home, &hit);
	} else {
		err = -ENOENT;
	}
	lock_release(&stripe->lock);
	if (unlikely(h->released) && !err)
		h->released(h, hit.index);
	return err;
}

int hash_delete(struct map *map, const void *key)
{
	return take(map, key, NULL);
}

/* System call context */

static void copy_out(const struct hash *h, const struct hit *hit, void *value)
{
	if (!h->values) {
		value_read(value, element_value(h, hit->element), h->value_size);
		return;
	}
	for (u32 cpu = 0; cpu < h->ncpus; cpu++)
		value_read((u8 *)value + (size_t)cpu * h->value_stride,
			   cpu_value(h, hit->index, cpu), h->value_stride);
}

/* Under the value's lock, where it has one. 0 or -EBUSY. */
static int copy_out_locked(const struct hash *h, const struct hit *hit, void *value)
{
	int err = 0;

	if (unlikely(map_has_lock(h->map)))
		err = value_lock(h->map, element_value(h, hit->element));
	if (unlikely(err))
		return err;
	copy_out(h, hit, value);
	if (unlikely(map_has_lock(h->map)))
		value_unlock(h->map, element_value(h, hit->element));
	return 0;
}

int hash_copy_value(struct map *map, const void *key, void *value)
{
	const struct hash *h = hash_of(map);
	struct hit hit;

	do {
		if (!find_key(h, key, &hit))
			return -ENOENT;
		copy_out(h, &hit, value);
	} while (unlikely(!hit_is_current(&hit)));
	return 0;
}

static int hash_copy_value_locked(struct map *map, const void *key, void *value)
{
	const struct hash *h = hash_of(map);
	struct hit hit;
	int err;

	do {
		if (!find_key(h, key, &hit))
			return -ENOENT;
		err = copy_out_locked(h, &hit, value);
	} while (unlikely(!err && !hit_is_current(&hit)));
	return err;
}

int hash_lookup_and_delete(struct map *map, const void *key, void *value)
{
	return take(map, key, value);
}

/* Copies what lies in a slot, value may be NULL. 1, 0: the slot is empty, -EBUSY. */
static int slot_copy(const struct hash *h, u64 *slot, void *key, void *value)
{
	struct hit hit;
	int err = 0;

	do {
		if (!slot_read(h, slot, 0, &hit))
			return 0;
		value_read(key, hit.element->key, h->key_size);
		if (value)
			err = copy_out_locked(h, &hit, value);
	} while (unlikely(!err && !hit_is_current(&hit)));
	return err ? err : 1;
}

int hash_get_next_key(struct map *map, const void *key, void *next_key)
{
	const struct hash *h = hash_of(map);
	struct hit hit;
	u64 nr = 0;

	if (key && find_key(h, key, &hit))
		nr = slot_nr(h, hit.slot) + 1;
	for (; nr < nr_slots(h); nr++)
		if (slot_copy(h, slot_at(h, nr), next_key, NULL))
			return 0;
	return -ENOENT;
}

/*
 * Copies and deletes what lies in a slot. 1, 0: the slot is empty, -EBUSY. The tries are bounded: in
 * a file that somebody scribbled on, a slot may name what no home owns.
 */
static int slot_take(struct hash *h, u64 *slot, void *key, void *value)
{
	struct stripe *stripe;
	struct hit hit;
	u32 state;
	int taken = 0;

	for (u32 tries = 0; !taken && tries < TAKE_TRIES && slot_read(h, slot, 0, &hit); tries++) {
		state = load_acquire(&hit.element->state);
		stripe = stripe_of(h, state);
		taken = stripe_lock(h, stripe);
		if (taken)
			break;
		/* Under the lock of its home an element that is in a slot stays there. */
		if (slot_index(load_acquire(slot)) == hit.index && state & STATE_OWNED &&
		    load_acquire(&hit.element->state) == state) {
			value_read(key, hit.element->key, h->key_size);
			taken = copy_out_locked(h, &hit, value);
			if (!taken) {
				remove_locked(h, stripe, state & h->bucket_mask, &hit);
				taken = 1;
			}
		}
		lock_release(&stripe->lock);
	}
	if (unlikely(h->released) && taken > 0)
		h->released(h, hit.index);
	return taken;
}

/* The slot of an element of this home. */
static bool find_index(const struct hash *h, u32 home, u32 index, struct hit *hit);

int hash_evict(struct hash *h, u32 index, u32 generation)
{
	struct element *element = element_at(h, index);
	const u32 state = load_acquire(&element->state);
	struct stripe *stripe = stripe_of(h, state);
	struct hit hit;
	int err;

	if (!(state & STATE_OWNED))
		return 0;
	err = stripe_lock(h, stripe);
	if (unlikely(err))
		return err;
	/* Whatever this stripe's elements are changes under its lock only. */
	if (likely(load_acquire(&element->state) == state && element->generation == generation &&
		   find_index(h, state & h->bucket_mask, index, &hit)))
		remove_locked(h, stripe, state & h->bucket_mask, &hit);
	lock_release(&stripe->lock);
	return 0;
}

/* A cursor is the number of slots that have been passed. */
int hash_walk(struct map *map, u32 *cursor, void *keys, void *values, u32 *count,
	      bool with_delete)
{
	struct hash *h = hash_of(map);
	const u32 value_size = map_user_value_size(map), room = *count;
	u64 nr = *cursor;
	u32 done = 0;
	int found = 0;

	for (; found >= 0 && nr < nr_slots(h); nr++) {
		u64 *slot = slot_at(h, nr);
		void *key = (u8 *)keys + (size_t)done * h->key_size;
		void *value = (u8 *)values + (size_t)done * value_size;

		if (!load_relaxed(slot))
			continue;
		if (done == room)
			break;
		found = with_delete ? slot_take(h, slot, key, value)
				    : slot_copy(h, slot, key, value);
		done += found > 0;
	}
	*count = done;
	*cursor = (u32)MIN(nr, nr_slots(h));
	if (found < 0 && !done)
		return found;
	return nr < nr_slots(h) ? 0 : -ENOENT;
}

/* Cold path */

static inline u64 overflow_word(u32 count, u32 distance)
{
	return count ? (u64)distance << 32 | count : 0;
}

static bool bucket_has_room(const struct bucket *bucket)
{
	for (u32 i = 0; i < BUCKET_SLOTS; i++)
		if (!load_relaxed(&bucket->slots[i]))
			return true;
	return false;
}

/*
 * Puts the word into the nearest bucket with room, having raised the home's distance before. False
 * only when the slots are not what they must be: almost half of them are free in a full map.
 */
cold bool hash_overflow_put(struct hash *h, u32 home, u64 word)
{
	u64 *overflow = &h->buckets[home].overflow;
	const u32 count = (u32)*overflow + 1;
	u32 distance = (u32)(*overflow >> 32);
	struct bucket *bucket;

	for (u64 step = 0; step < 4ull * h->bucket_mask; step++) {
		const u32 d = (u32)(step % h->bucket_mask) + 1;

		bucket = &h->buckets[(home + d) & h->bucket_mask];
		if (!bucket_has_room(bucket))
			continue;
		distance = MAX(distance, d);
		store_release(overflow, overflow_word(count, distance));
		if (bucket_put(bucket, word))
			return true;
	}
	store_release(overflow, overflow_word(count - 1, distance));
	return false;
}

/* The slot has been emptied before. */
cold void hash_overflow_drop(struct hash *h, u32 home)
{
	u64 *overflow = &h->buckets[home].overflow;

	store_release(overflow, overflow_word((u32)*overflow - 1, (u32)(*overflow >> 32)));
}

/* Repair after a dead owner. The stripe is held. */

static u32 overflow_distance(const struct hash *h, u32 home)
{
	return MIN((u32)(h->buckets[home].overflow >> 32), h->bucket_mask);
}

/* Elements of a home in its bucket d; index NO_ELEMENT counts all, else only that one. */
static u32 count_in_bucket(const struct hash *h, u32 home, u32 d, u32 index)
{
	const struct bucket *bucket = &h->buckets[(home + d) & h->bucket_mask];
	u32 count = 0, found;
	u64 word;

	for (u32 i = 0; i < BUCKET_SLOTS; i++) {
		word = load_acquire(&bucket->slots[i]);
		found = slot_index(word);
		if (found < h->nr_elements && (index == NO_ELEMENT || index == found))
			count += load_acquire(&element_at(h, found)->state) == (STATE_OWNED | home);
	}
	return count;
}

static bool find_index(const struct hash *h, u32 home, u32 index, struct hit *hit)
{
	hit->index = index;
	hit->element = element_at(h, index);
	for (u32 d = 0; d <= overflow_distance(h, home); d++) {
		struct bucket *bucket = &h->buckets[(home + d) & h->bucket_mask];

		for (u32 i = 0; i < BUCKET_SLOTS; i++) {
			hit->slot = &bucket->slots[i];
			if (slot_index(load_acquire(hit->slot)) == index)
				return true;
		}
	}
	return false;
}

static bool is_in_slot(const struct hash *h, u32 home, u32 index)
{
	u32 count = 0;

	for (u32 d = 0; d <= overflow_distance(h, home); d++)
		count += count_in_bucket(h, home, d, index);
	return count;
}

/*
 * An element named by the journal. In a slot it stays; else it gets the journal's state. One that
 * another home has taken meanwhile, or had before, is none of ours.
 */
static void element_settle(struct hash *h, struct stripe *stripe, u32 home, u32 index, u32 state)
{
	struct element *element = element_at(h, index);
	u32 found = STATE_OWNED | home;

	if (is_in_slot(h, home, index))
		return;
	atomic_cas(&element->state, &found, state);
	found = load_ordered(&element->state);
	if (state == STATE_FREE && found == STATE_FREE && !h->released)
		slots_mark_free(&h->free, index);
	else if (state == STATE_SPARE && found == STATE_SPARE)
		stripe->spare = index;
}

cold void hash_stripe_repair(struct hash *h, struct stripe *stripe)
{
	const u32 journal = load_acquire(&stripe->journal), home = stripe->home & h->bucket_mask;
	u32 count = 0;

	if (!journal)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(stripe->elements); i++)
		if (stripe->elements[i] < h->nr_elements)
			element_settle(h, stripe, home, stripe->elements[i], journal - 1);
	for (u32 d = 1; d <= overflow_distance(h, home); d++)
		count += count_in_bucket(h, home, d, NO_ELEMENT);
	store_release(&h->buckets[home].overflow, overflow_word(count, overflow_distance(h, home)));
	journal_end(stripe);
}

/* True if there was something to repair. */
cold bool hash_repair_orphans(struct hash *h)
{
	bool found = false;

	for (u32 i = 0; i <= h->stripe_mask; i++) {
		struct stripe *stripe = &h->stripes[i];

		if (!lock_is_orphaned(&stripe->lock) || stripe_lock(h, stripe))
			continue;
		lock_release(&stripe->lock);
		found = true;
	}
	return found;
}

/* BPF_F_NO_PREALLOC: elements are brought in as they are needed. */

static cold int populate(const struct hash *h, const void *from, u64 bytes)
{
	return region_populate(h->region, (u64)((const u8 *)from - h->region->base), bytes);
}

static cold int elements_populate(const struct hash *h, u32 first, u32 count)
{
	int err = populate(h, element_at(h, first), (u64)count * h->element_stride);

	for (u32 cpu = 0; !err && h->values && cpu < h->ncpus; cpu++)
		err = populate(h, cpu_value(h, first, cpu), (u64)count * h->value_stride);
	return err;
}

/* What one that died here had done already is done again; marks of used elements do no harm. */
static cold int elements_grow(struct hash *h, u32 first)
{
	const u32 chunk = CHUNK_BYTES / MAX(h->element_stride, h->value_stride);
	const u32 count = MIN(h->nr_elements - first, MAX(chunk, 1u));
	int err = elements_populate(h, first, count);

	if (err)
		return err;
	slots_mark_range_free(&h->free, first, count);
	store_release(&h->control->populated, first + count);
	return 0;
}

/*
 * No free element was found when so many were populated. 0: try again; -E2BIG; -ENOMEM when the
 * file system is full.
 */
static cold int make_room(struct hash *h, u32 populated, bool *tried)
{
	int err;

	if (!*tried && hash_repair_orphans(h)) {
		*tried = true;
		return 0;
	}
	if (populated >= h->nr_elements)
		return -E2BIG;
	err = lock_acquire(&h->control->grow);
	if (err < 0)
		return err;
	err = h->control->populated == populated ? elements_grow(h, populated) : 0;
	lock_release(&h->control->grow);
	return err;
}

/* Creation */

/* Where everything lies, from the start of the map's header. */
struct hash_shape {
	u32 nr_buckets, nr_stripes;
	u32 nr_spares, nr_elements;
	u32 element_stride, value_offset; /* value_offset: inside an element; 0 if they lie apart */
	u64 stripes_at, slots_at, buckets_at, elements_at, values_at;
	u64 cpu_stride;
	u64 beside_at; /* the end of the hash */
};

static bool is_lru(u32 type)
{
	return type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static bool is_percpu(u32 type)
{
	return map_ops_of(type)->traits & MAP_PERCPU;
}

static u64 place(u64 *end, u64 bytes, u64 align)
{
	const u64 at = ROUND_UP(*end, align);

	*end = at + bytes;
	return at;
}

static u32 power_of_two_from(u32 n)
{
	return n > 1 ? 1u << (32 - __builtin_clz(n - 1)) : 1;
}

static cold void hash_shape(struct hash_shape *s, const struct map_spec *spec, u32 ncpus)
{
	const bool percpu = is_percpu(spec->type), lru = is_lru(spec->type);
	const u32 value_stride = ROUND_UP(spec->value_size, 8);
	const u32 front = lru ? sizeof(struct lru_node) : 0;
	u64 end = sizeof(struct map_header) + sizeof(struct hash_control);

	s->nr_buckets = power_of_two_from((spec->max_entries + 3) / 4);
	s->nr_stripes = MIN(s->nr_buckets, MAX_STRIPES);
	s->nr_spares = percpu || lru ? 0 : s->nr_stripes;
	s->nr_elements = spec->max_entries + s->nr_spares;
	s->value_offset = (u32)sizeof(struct element) + ROUND_UP(spec->key_size, 8);
	s->element_stride = front + s->value_offset + (percpu ? 0 : value_stride);
	s->stripes_at = place(&end, s->nr_stripes * sizeof(struct stripe), 64);
	s->slots_at = place(&end, slots_bytes(lru ? 0 : s->nr_elements), 64);
	s->buckets_at = place(&end, s->nr_buckets * sizeof(struct bucket), 64);
	s->elements_at = place(&end, (u64)s->nr_elements * s->element_stride, PAGE_BYTES) + front;
	s->cpu_stride = ROUND_UP((u64)s->nr_elements * value_stride, PAGE_BYTES);
	s->values_at = percpu ? place(&end, ncpus * s->cpu_stride, PAGE_BYTES) : 0;
	s->beside_at = ROUND_UP(end, 64);
}

/* The process-local part. */
cold void hash_connect(struct hash *h, const struct map *map)
{
	const struct map_spec spec = {.type = map->type,
				      .key_size = map->key_size,
				      .value_size = map->value_size,
				      .max_entries = map->max_entries};
	u8 *base = (u8 *)map->header;
	struct hash_shape s;

	hash_shape(&s, &spec, map->ncpus);
	*h = (struct hash){
		.control = map->private,
		.buckets = (struct bucket *)(void *)(base + s.buckets_at),
		.elements = base + s.elements_at,
		.stripes = (struct stripe *)(void *)(base + s.stripes_at),
		.values = s.values_at ? base + s.values_at : NULL,
		.seed = map->header->seed,
		.bucket_mask = s.nr_buckets - 1,
		.stripe_mask = s.nr_stripes - 1,
		.key_size = map->key_size,
		.value_size = map->value_size,
		.value_offset = s.value_offset,
		.element_stride = s.element_stride,
		.value_stride = map->value_stride,
		.cpu_stride = s.cpu_stride,
		.ncpus = map->ncpus,
		.nr_elements = s.nr_elements,
		.nr_spares = s.nr_spares,
		.map = map,
		.region = &map->object.region,
		.beside = base + s.beside_at,
	};
	slots_attach(&h->free, base + s.slots_at, is_lru(spec.type) ? 0 : s.nr_elements);
}

enum {
	KERNEL_ELEMENT = 48,   /* bytes in front of the key, in a 6.18 kernel */
	ENTRIES_MAX = 1 << 27, /* more would need a bucket table above 4 GiB there */
};

cold int hash_check(struct map_spec *spec)
{
	if (!spec->max_entries || !spec->key_size || !spec->value_size ||
	    (is_percpu(spec->type) && map_spec_has_node(spec)))
		return -EINVAL;
	if (spec->max_entries > ENTRIES_MAX ||
	    (u64)spec->key_size + spec->value_size >= MAP_VALUE_MAX - KERNEL_ELEMENT)
		return -E2BIG;
	if (is_percpu(spec->type) && spec->value_size > MAP_PERCPU_VALUE_MAX)
		return -E2BIG;
	return 0;
}

/* memlock as a 6.18 kernel counts it, without the elements of BPF_F_NO_PREALLOC. */
static cold u64 kernel_bytes(const struct map_spec *spec, u32 ncpus)
{
	const u64 value = ROUND_UP(spec->value_size, 8);
	const bool percpu = is_percpu(spec->type);
	const u64 element = KERNEL_ELEMENT + ROUND_UP(spec->key_size, 8) + (percpu ? 8 : value);
	const u64 base = 896 + 16ull * power_of_two_from(spec->max_entries);

	if (spec->flags & BPF_F_NO_PREALLOC)
		return base;
	if (percpu)
		return base + spec->max_entries * (element + value * ncpus);
	if (is_lru(spec->type))
		return base + spec->max_entries * element;
	return base + ((u64)spec->max_entries + ncpus) * element + 8ull * ncpus;
}

cold u64 hash_bytes_of(const struct map_spec *spec, u32 ncpus)
{
	struct hash_shape s;

	hash_shape(&s, spec, ncpus);
	return s.beside_at;
}

cold void hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	layout->control_size = hash_bytes_of(spec, ncpus) - sizeof(struct map_header);
	layout->flags = spec->flags & BPF_F_NO_PREALLOC ? REGION_SPARSE : 0;
	layout->memlock = kernel_bytes(spec, ncpus);
}

/* Zeroed memory: all elements are free, but none is marked so. */
cold int hash_init(struct map *map)
{
	const bool sparse = map->flags & BPF_F_NO_PREALLOC;
	struct hash h;
	int err = 0;

	hash_connect(&h, map);
	if (sparse)
		err = populate(&h, map->header, (u64)(h.elements - (u8 *)map->header));
	if (sparse && !err && h.nr_spares)
		err = elements_populate(&h, 0, h.nr_spares);
	if (err)
		return err;
	for (u32 i = 0; i <= h.stripe_mask; i++) {
		h.stripes[i].spare = i;
		h.stripes[i].hint =
			h.nr_spares + (u32)((u64)map->max_entries * i / (h.stripe_mask + 1));
	}
	for (u32 i = 0; i < h.nr_spares; i++)
		element_at(&h, i)->state = STATE_SPARE;
	if (!sparse && h.free.count)
		slots_mark_range_free(&h.free, h.nr_spares, map->max_entries);
	h.control->populated = sparse ? h.nr_spares : h.nr_elements;
	return 0;
}

static cold int hash_attach(struct map *map)
{
	struct hash *h = memory_alloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	hash_connect(h, map);
	map->local = h;
	return 0;
}

static cold void hash_detach(struct map *map)
{
	memory_free(map->local);
	map->local = NULL;
}

/* The checked interpreter's question. */

void *hash_value_at(struct map *map, const void *address)
{
	const struct hash *h = hash_of(map);

	return value_containing(h->elements + h->value_offset, elements_populated(h),
				h->element_stride, h->value_size, address);
}

void hash_key_of(struct map *map, const void *value, void *key)
{
	const struct hash *h = hash_of(map);

	value_read(key, (const u8 *)value - h->value_offset + offsetof(struct element, key),
		   h->key_size);
}

void *percpu_hash_value_at(struct map *map, const void *address)
{
	const struct hash *h = hash_of(map);
	const u64 cpu = (u64)((const u8 *)address - h->values) / h->cpu_stride;

	return cpu < h->ncpus
		       ? value_containing(h->values + cpu * h->cpu_stride, elements_populated(h),
					  h->value_stride, h->value_size, address)
		       : NULL;
}

#define HASH_CREATE_FLAGS                                                                      \
	(BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_ZERO_SEED | \
	 BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)
#define HASH_TRAITS \
	(MAP_SLEEPABLE | MAP_BATCH_LOOKUP | MAP_BATCH_TAKE | MAP_BATCH_UPDATE | MAP_BATCH_DELETE)

const struct map_ops hash_map_ops = {
	.name = "hash",
	.traits = HASH_TRAITS | MAP_OFFLOAD,
	.helpers = MAP_H_LOOKUP | MAP_H_UPDATE | MAP_H_DELETE | MAP_H_FOR_EACH |
		   MAP_H_TIMER,
	.create_flags = HASH_CREATE_FLAGS,
	.fields = MAP_F_LOCK | MAP_F_TIMER | MAP_F_OBJECT | MAP_F_ROOT,
	.update_flags = BPF_EXIST,
	.lookup = hash_lookup,
	.prefetch = hash_prefetch,
	.update = hash_update,
	.delete = hash_delete,
	.value_at = hash_value_at,
	.key_of = hash_key_of,
	.copy_value = hash_copy_value,
	.copy_value_locked = hash_copy_value_locked,
	.update_user = hash_update,
	.lookup_and_delete = hash_lookup_and_delete,
	.get_next_key = hash_get_next_key,
	.walk = hash_walk,
	.check = hash_check,
	.layout = hash_layout,
	.init = hash_init,
	.attach = hash_attach,
	.detach = hash_detach,
	.is_valid = hash_map_is_valid,
};

const struct map_ops percpu_hash_map_ops = {
	.name = "percpu_hash",
	.traits = HASH_TRAITS | MAP_PERCPU,
	.helpers =
		MAP_H_LOOKUP | MAP_H_UPDATE | MAP_H_DELETE | MAP_H_LOOKUP_PERCPU | MAP_H_FOR_EACH,
	.create_flags = HASH_CREATE_FLAGS,
	.fields = MAP_F_OBJECT,
	.update_flags = BPF_EXIST,
	.lookup = percpu_hash_lookup,
	.prefetch = hash_prefetch,
	.lookup_percpu = percpu_hash_lookup_percpu,
	.update = percpu_hash_update,
	.delete = hash_delete,
	.value_at = percpu_hash_value_at,
	.copy_value = hash_copy_value,
	.update_user = percpu_hash_update_user,
	.lookup_and_delete = hash_lookup_and_delete,
	.get_next_key = hash_get_next_key,
	.walk = hash_walk,
	.check = hash_check,
	.layout = hash_layout,
	.init = hash_init,
	.attach = hash_attach,
	.detach = hash_detach,
	.is_valid = hash_map_is_valid,
};
