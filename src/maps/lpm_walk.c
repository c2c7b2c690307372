/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lpm_walk.c: the order of an LPM_TRIE's keys. Walks visit longer prefixes before the shorter ones
 * that contain them, 0 before 1. Marks say in which parts of the index there may be something; a
 * walk that finds nothing takes the mark away. All under the lock of the trie.
 */
#include <errno.h>

#include "maps/lpm_trie.h"

/* The first slot with a mark, of nr and those below it; nr itself comes last. */
static u32 first_slot(const struct trie *trie, u32 nr)
{
	while (!(nr >> trie->bits) && (is_marked(trie, 2 * nr) || is_marked(trie, 2 * nr + 1)))
		nr = 2 * nr + !is_marked(trie, 2 * nr);
	return nr;
}

static u32 next_slot(const struct trie *trie, u32 nr)
{
	return nr > 1 && !(nr & 1) && is_marked(trie, nr + 1) ? first_slot(trie, nr + 1) : nr >> 1;
}

/* Nothing in the slot: nor is there below it, or first_slot() would have gone there. */
static void unmark(const struct trie *trie, u32 nr)
{
	if (nr >> trie->bits || !(is_marked(trie, 2 * nr) || is_marked(trie, 2 * nr + 1)))
		trie->marks[nr / 64] &= ~(1ull << nr % 64);
}

/* The first element that hangs on a link. */
static struct node *first_below(const struct trie *trie, u64 link)
{
	struct node *node = NULL;
	u32 floor = 0;

	while (link && (node = node_of(trie, link)) && node->len >= floor) {
		floor = node->len + 1;
		link = node->child[0] ?: node->child[1];
	}
	return node;
}

/* From slot nr on. NULL: the end. */
static struct node *first_from(const struct trie *trie, u32 nr)
{
	for (; nr; nr = next_slot(trie, nr)) {
		const u64 link = load_relaxed(&trie->index[nr]);

		if (link)
			return first_below(trie, link);
		unmark(trie, nr);
	}
	return NULL;
}

/* What follows key, which must be there, below its slot. False: it is not there. */
static bool next_below(const struct trie *trie, const struct prefix *key, struct node **next)
{
	u64 link = load_relaxed(&trie->index[slot_number(trie, key)]), first = 0;
	u32 floor = 0;

	*next = NULL;
	while (link) {
		struct node *node = node_of(trie, link);
		u32 side;

		if (!node || node->len < floor || node->len > key->len ||
		    matching(node, key, node->len) < node->len)
			return false;
		if (node->len == key->len) {
			if (first)
				*next = first_below(trie, first);
			return link_pool(link) == ELEMENT;
		}
		side = prefix_bit(key->words, node->len);
		if (!side && node->child[1]) {
			first = node->child[1];
		} else if (link_pool(link) == ELEMENT) {
			first = 0;
			*next = node;
		}
		floor = node->len + 1;
		link = node->child[side];
	}
	return false;
}

static int next_locked(const struct trie *trie, const struct prefix *key, struct prefix *found)
{
	struct node *node;

	if (!key || key->len > max_len(trie) || !next_below(trie, key, &node))
		node = first_from(trie, first_slot(trie, 1));
	else if (!node)
		node = first_from(trie, next_slot(trie, slot_number(trie, key)));
	if (!node)
		return -ENOENT;
	found->len = node->len;
	memcpy(found->words, node->data, trie->words * sizeof(u64));
	return 0;
}

static void prefix_write(const struct prefix *prefix, void *key, u32 data_size)
{
	u8 *data = (u8 *)key + sizeof(prefix->len);
	u64 word;

	memcpy(key, &prefix->len, sizeof(prefix->len));
	for (u32 at = 0; at < data_size; at += 8) {
		word = htobe64(prefix->words[at / 8]);
		memcpy(data + at, &word, MIN(data_size - at, 8u));
	}
}

int trie_get_next_key(struct map *map, const void *bytes, void *next_key)
{
	const struct trie *trie = trie_of(map);
	struct prefix key, found;
	int err;

	if (bytes)
		prefix_read(&key, bytes, trie->data_size);
	err = trie_lock(trie);
	if (err)
		return err;
	err = next_locked(trie, bytes ? &key : NULL, &found);
	trie_unlock(trie);
	if (!err)
		prefix_write(&found, next_key, trie->data_size);
	return err;
}
