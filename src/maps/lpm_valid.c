/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lpm_valid.c: walks an LPM_TRIE that nobody changes and finds the first broken invariant. For tests.
 */
#include "maps/lpm_trie.h"

struct census {
	u32 nodes[POOLS];
};

/* All that hangs on a link: prefixes of at least floor bits, each beginning with the one above. */
static cold bool subtrie_is_valid(const struct trie *trie, u64 link, u32 floor,
				  struct census *census)
{
	const struct node *node = node_of(trie, link), *below;

	if (!node || node->generation != link_generation(link) || node->len < floor ||
	    node->len > max_len(trie) || census->nodes[link_pool(link)]++ > MAX_NODES - 1)
		return false;
	if (link_pool(link) == BRANCH && !(node->child[0] && node->child[1]))
		return false;
	for (u32 side = 0; side < 2; side++) {
		struct prefix key = {.len = node->len};

		if (!node->child[side])
			continue;
		memcpy(key.words, node->data, trie->words * sizeof(u64));
		below = node_of(trie, node->child[side]);
		if (!below || below->len <= node->len ||
		    matching(below, &key, node->len) < node->len ||
		    prefix_bit(below->data, node->len) != side ||
		    !subtrie_is_valid(trie, node->child[side], node->len + 1, census))
			return false;
	}
	return true;
}

static cold bool slot_is_valid(const struct trie *trie, u32 nr, struct census *census)
{
	const u64 link = trie->index[nr];
	const u32 len = 31 - (u32)__builtin_clz(nr);
	const struct node *node = link ? node_of(trie, link) : NULL;

	if (!link)
		return true;
	if (!node || node->data[0] >> (64 - trie->bits) >> (trie->bits - len) != (nr ^ 1u << len) ||
	    !subtrie_is_valid(trie, link, len, census))
		return false;
	for (u32 above = nr; above; above >>= 1)
		if (!is_marked(trie, above))
			return false;
	return len == trie->bits || (node->len == len && link_pool(link) == ELEMENT &&
				     !node->child[0] && !node->child[1] &&
				     trie->control->lengths >> len & 1);
}

/* Every node that was used is in the trie or in the list of free ones. */
static cold bool pool_is_valid(const struct trie *trie, u32 kind, u32 in_trie)
{
	const struct pool_state *state = &trie->control->pools[kind];
	u32 free = 0;

	if (state->used > state->populated || state->populated > trie->pools[kind].count)
		return false;
	for (u32 next = state->free; next && free <= state->used; free++) {
		if (next > state->used)
			return false;
		next = node_at(&trie->pools[kind], next - 1)->next;
	}
	return in_trie + free == state->used;
}

cold bool trie_is_valid(struct map *map)
{
	const struct trie *trie = trie_of(map);
	struct census census = {0};

	if (trie_lock(trie))
		return false;
	trie_unlock(trie);
	for (u32 nr = 1; nr < 2u << trie->bits; nr++)
		if (!slot_is_valid(trie, nr, &census))
			return false;
	return census.nodes[ELEMENT] == trie->control->count &&
	       census.nodes[ELEMENT] <= map->max_entries &&
	       census.nodes[BRANCH] <= MAX(census.nodes[ELEMENT], 1u) - 1 &&
	       pool_is_valid(trie, ELEMENT, census.nodes[ELEMENT]) &&
	       pool_is_valid(trie, BRANCH, census.nodes[BRANCH]);
}
