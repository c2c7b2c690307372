/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lpm_trie.h: what an LPM_TRIE keeps in its memory, shared by what looks and changes (lpm_trie.c),
 * what walks (lpm_walk.c) and what checks (lpm_valid.c). lpm_trie.c tells how it works.
 */
#ifndef MAPS_LPM_TRIE_H
#define MAPS_LPM_TRIE_H

#include <endian.h>
#include <string.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "base/lock.h"
#include "maps/map.h"

#define MAX_DATA 256
#define MAX_WORDS (MAX_DATA / 8)
#define MAX_NODES 0xfffffffeu

enum { ELEMENT, BRANCH, POOLS };

struct node {
	u32 generation;
	u32 len;  /* of the prefix, in bits */
	u32 next; /* of a free node: 1 + the next one */
	u32 unused;
	u64 child[2];
	u64 data[]; /* as big-endian numbers, padded with zeros; then the value */
};

struct pool_state {
	u32 free; /* 1 + the first free node that was used before; 0: none */
	u32 used; /* nodes from here on never were */
	u32 populated;
};

/* What a change makes of a pool; retired: the link of the node that it takes out, if any. */
struct pool_change {
	u64 retired;
	u32 next;
	u32 free;
	u32 used;
};

struct change {
	u64 slot; /* bytes from the control data */
	u64 link;
	u32 count;
	struct pool_change pools[POOLS];
};

/* Everything but lock and lengths is read and changed by the lock's owner only. */
struct trie_control {
	struct lock lock;
	u32 pending; /* the journal is valid */
	u32 count;   /* elements in the trie */
	u32 lengths; /* bit n: there may be prefixes of n bits, fewer than the index has */
	struct pool_state pools[POOLS];
	struct change journal;
} cacheline_aligned;

/* Process-local. */
struct pool {
	u8 *nodes;
	u64 stride;
	u32 count;
};

struct trie {
	struct trie_control *control;
	u64 *index;
	u64 *marks;
	u64 *hints; /* of long keys */
	u32 bits; /* of the index */
	u32 data_size;
	u32 words;
	u32 value_offset;
	struct pool pools[POOLS];
	struct map *map;
};

/* A key. */
struct prefix {
	u32 len;
	u64 words[MAX_WORDS];
};

static inline struct trie *trie_of(const struct map *map)
{
	return map->local;
}

static inline u32 max_len(const struct trie *trie)
{
	return trie->data_size * 8;
}

/* The rest of words is left as it is. */
INLINE void prefix_read(struct prefix *prefix, const void *key, u32 data_size)
{
	const u8 *data = (const u8 *)key + sizeof(prefix->len);
	u32 at;

	memcpy(&prefix->len, key, sizeof(prefix->len));
	for (at = 0; at + 8 <= data_size; at += 8)
		prefix->words[at / 8] = be64toh(hash_load(data + at, 8));
	if (at < data_size)
		prefix->words[at / 8] = be64toh(hash_load(data + at, data_size - at));
}

static inline u32 prefix_bit(const u64 *words, u32 nr)
{
	return words[nr / 64] >> (63 - nr % 64) & 1;
}

/* Links */

static inline u32 link_generation(u64 link)
{
	return (u32)(link >> 33);
}

static inline u32 link_pool(u64 link)
{
	return (u32)(link >> 32) & 1;
}

static inline struct node *node_at(const struct pool *pool, u32 nr)
{
	return (struct node *)(void *)(pool->nodes + nr * pool->stride);
}

/* NULL only in a file that was tampered with. */
static inline struct node *node_of(const struct trie *trie, u64 link)
{
	const struct pool *pool = &trie->pools[link_pool(link)];
	const u32 nr = (u32)link - 1;

	return likely(nr < pool->count) ? node_at(pool, nr) : NULL;
}

static inline void *node_value(const struct trie *trie, const struct node *node)
{
	return (u8 *)node + trie->value_offset;
}

/* How many of the first bits, at most limit, are the same. */
INLINE u32 matching(const struct node *node, const struct prefix *key, u32 limit)
{
	u64 difference;

	for (u32 at = 0; at < limit; at += 64) {
		difference = load_relaxed(&node->data[at / 64]) ^ key->words[at / 64];
		if (difference)
			return MIN(at + (u32)__builtin_clzll(difference), limit);
	}
	return limit;
}

static inline u32 first_bits(const struct trie *trie, const struct prefix *key)
{
	return (u32)(key->words[0] >> (64 - trie->bits));
}

/* The slot below which a prefix belongs. */
static inline u32 slot_number(const struct trie *trie, const struct prefix *key)
{
	const u32 len = MIN(key->len, trie->bits);

	return 1u << len | first_bits(trie, key) >> (trie->bits - len);
}

/* Something may be in the slot or below it. */
static inline bool is_marked(const struct trie *trie, u32 nr)
{
	return trie->marks[nr / 64] >> nr % 64 & 1;
}

/* Of changes and walks. Repairs what a dead owner left. 0, or as lock_acquire(). */
must_check int trie_lock(const struct trie *trie);

static inline void trie_unlock(const struct trie *trie)
{
	lock_release(&trie->control->lock);
}

/* Operations of the type. */
int trie_get_next_key(struct map *map, const void *bytes, void *next_key);
bool trie_is_valid(struct map *map);

#endif
