/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash_valid.c: walks a whole hash of hash.c and finds the first broken invariant. For tests; nobody
 * else may be using the map meanwhile.
 */
#include "maps/hash.h"

#include "base/memory.h"

struct census {
	u32 owned;
	u64 *seen;     /* a bit per element */
	u32 *overflow; /* by home */
};

static bool see(struct census *census, u32 index)
{
	const u64 bit = 1ull << index % 64, seen = census->seen[index / 64];

	census->seen[index / 64] |= bit;
	return !(seen & bit);
}

/* As many spare elements as stripes, each in the hands of one. */
static bool stripes_are_valid(const struct hash *h, struct census *census)
{
	for (u32 i = 0; i <= h->stripe_mask; i++) {
		const struct stripe *stripe = &h->stripes[i];

		if (stripe->lock.word || stripe->journal)
			return false;
		if (h->nr_spares &&
		    (stripe->spare >= h->nr_elements || !see(census, stripe->spare) ||
		     element_at(h, stripe->spare)->state != STATE_SPARE))
			return false;
	}
	return true;
}

/* A free element is marked so; the reverse is only a hint. */
static bool elements_are_valid(const struct hash *h, struct census *census)
{
	u32 spares = 0;

	for (u32 i = 0; i < elements_populated(h); i++) {
		const u32 state = element_at(h, i)->state;

		if (state > STATE_SPARE && !(state & STATE_OWNED))
			return false;
		if (state == STATE_FREE && h->free.count && !slots_is_marked(&h->free, i))
			return false;
		spares += state == STATE_SPARE;
		census->owned += state > STATE_SPARE;
	}
	return spares == h->nr_spares;
}

/* An owned element, seen for the first time, where a lookup finds it. */
static bool slot_is_valid(const struct hash *h, u64 *slot, struct census *census)
{
	const u32 index = slot_index(*slot);
	struct element *element = element_at(h, index);
	struct target target;
	struct hit hit;

	if (index >= elements_populated(h) || !see(census, index))
		return false;
	target = target_of(h, element->key);
	if (element->state != (STATE_OWNED | target.home) || !find(h, &target, &hit) ||
	    hit.slot != slot)
		return false;
	census->overflow[target.home] += !is_in_home(h, target.home, slot);
	return true;
}

static bool slots_are_valid(const struct hash *h, struct census *census)
{
	u32 found = 0;

	for (u64 nr = 0; nr < nr_slots(h); nr++) {
		u64 *slot = slot_at(h, nr);

		if (!*slot)
			continue;
		if (!slot_is_valid(h, slot, census))
			return false;
		found++;
	}
	for (u32 home = 0; home <= h->bucket_mask; home++)
		if (census->overflow[home] != (u32)h->buckets[home].overflow)
			return false;
	return found == census->owned;
}

cold bool hash_map_is_valid(struct map *map)
{
	struct hash *h = hash_of(map);
	struct census census = {
		.seen = memory_zalloc(h->nr_elements / 64 + 1, sizeof(u64)),
		.overflow = memory_zalloc((size_t)h->bucket_mask + 1, sizeof(u32)),
	};
	bool valid = census.seen && census.overflow;

	hash_repair_orphans(h);
	valid = valid && stripes_are_valid(h, &census) && elements_are_valid(h, &census) &&
		slots_are_valid(h, &census);
	memory_free(census.seen);
	memory_free(census.overflow);
	return valid;
}
