/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lru.h: which element of an LRU map is used next, and which ones are evicted for it. Owns the
 * lists, their locks and struct lru_node; knows elements as indices of a struct hash. lru.c tells
 * how the lists work.
 */
#ifndef MAPS_LRU_H
#define MAPS_LRU_H

#include "maps/hash.h"

#define LRU_BATCH 128 /* the most that a CPU takes at a time */

enum lru_list { LRU_FREE, LRU_INACTIVE, LRU_ACTIVE, LRU_LISTS };

/* On the way from one list to another. */
struct lru_batch {
	u32 count; /* 0: entries may be written */
	u64 entries[2 * LRU_BATCH];
} cacheline_aligned;

/* Lists that share a lock. */
struct lru_group {
	struct lock lock;
	u32 cursor; /* where the next rotation of the inactive list begins */
	u32 counts[LRU_LISTS];
	u32 steal_from; /* the CPU to steal from next */
	u32 swept;      /* the element to look at next for one that nobody reported free */
	u64 clock;      /* the last stamp given out */
	struct lru_node heads[LRU_LISTS];
	struct lru_batch in;  /* elements that are to be free here when they have been evicted */
	struct lru_batch out; /* elements that leave this CPU for the common lists */
} cacheline_aligned;

/* Process-local. */
struct lru {
	struct hash hash;         /* first */
	struct lru_group *groups; /* the common one and one per CPU; or only one per CPU */
	u32 nr_groups;
	bool is_common;
	u32 target; /* how many elements a CPU takes at a time */
	u32 scans;  /* how many a rotation or a search for victims looks at */
	u32 sweep;  /* how many a refill looks at for ones that nobody reported free */
};

static inline struct lru *lru_of(const struct hash *h)
{
	return (struct lru *)(void *)h;
}

static inline struct lru_node *lru_node_of(struct element *element)
{
	return (struct lru_node *)(void *)element - 1;
}

/* By programs and updates. Takes no lock and writes only when it must. */
static inline void lru_reference(struct element *element)
{
	struct lru_node *node = lru_node_of(element);

	if (!load_relaxed(&node->referenced))
		store_relaxed(&node->referenced, 1);
}

u64 lru_bytes(u32 ncpus);
/* Points lru into beside of its hash, which is connected. */
void lru_connect(struct lru *lru, bool is_common);
void lru_init(struct lru *lru);

/*
 * An element for this CPU to fill, evicting others if there is no free one: its index. It is free
 * still; whoever takes it from STATE_FREE has it. -ENOMEM if others were faster again and again;
 * -EBUSY.
 */
must_check s64 lru_take(struct lru *lru, u32 cpu);
/* The element has become free, or was not used after lru_take(). hash->released. */
void lru_release(struct hash *h, u32 index);

/* Quiescent. Repairs first what a dead owner left. */
bool lru_is_valid(struct lru *lru);

#endif
