/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * slots.c: searching the two-level bitmap of free slots. Owns the bits, knows no element.
 *
 * Level 1 may be wrong in both directions for an instant, or for good where a process died between
 * two steps. It only shortens searches: before a search fails it has read level 0 from end to end.
 * That alone would not do, since a slot may become free behind the search while the one in front of
 * it is taken. So a failing search counts itself in, and whoever frees a slot meanwhile leaves a
 * count behind: no count, no slot missed.
 */
#include "shm/slots.h"

#include <errno.h>

static u32 words_for(u32 bits)
{
	return (u32)(((u64)bits + 63) / 64);
}

/* The first set bit at or after start, cyclically. bits is not 0. */
static u32 first_bit(u64 bits, u32 start)
{
	const u64 rotated = bits >> start | bits << (-start & 63);

	return (start + (u32)__builtin_ctzll(rotated)) & 63;
}

/* A bit of one word of level 0, from *hint on if it lies in that word. */
static s64 find_in_word(const struct slots *s, u32 word, u32 *hint)
{
	const u64 bits = load_relaxed(&s->level0[word]);

	if (!bits)
		return -ENOENT;
	*hint = word * 64 + first_bit(bits, *hint / 64 == word ? *hint % 64 : 0);
	return *hint;
}

static s64 find_by_summary(struct slots *s, u32 *hint);
static s64 find_exhaustively(struct slots *s, u32 *hint);

s64 slots_find(struct slots *s, u32 *hint)
{
	s64 slot;

	if (unlikely(*hint >= s->count))
		*hint = 0;
	slot = find_in_word(s, *hint / 64, hint);
	if (likely(slot >= 0))
		return slot;
	slot = find_by_summary(s, hint);
	return slot >= 0 ? slot : find_exhaustively(s, hint);
}

/* Cold path */

size_t slots_bytes(u32 count)
{
	const u32 words = words_for(count);

	return sizeof(struct slots_sync) + 8 * ((size_t)words + words_for(words));
}

void slots_attach(struct slots *s, void *mem, u32 count)
{
	s->count = count;
	s->words = words_for(count);
	s->sync = mem;
	s->level1 = (u64 *)(s->sync + 1);
	s->level0 = s->level1 + words_for(s->words);
}

bool slots_is_marked(const struct slots *s, u32 slot)
{
	return load_relaxed(&s->level0[slot / 64]) >> slot % 64 & 1;
}

void slots_mark_range_free(struct slots *s, u32 first, u32 count)
{
	const u64 end = (u64)first + count;
	u64 slot = first;

	while (slot < end) {
		const u32 n = (u32)MIN(end - slot, 64 - slot % 64), word = (u32)(slot / 64);

		atomic_or(&s->level0[word], (n == 64 ? ~0ull : (1ull << n) - 1) << slot % 64);
		atomic_or(&s->level1[word / 64], 1ull << word % 64);
		slot += n;
	}
	if (load_ordered(&s->sync->searches))
		atomic_add(&s->sync->releases, 1);
}

/* Level 1 said that the word has free slots. If another one frees a slot meanwhile, it is right. */
static void clear_summary(struct slots *s, u32 word)
{
	const u64 bit = 1ull << word % 64;

	atomic_and(&s->level1[word / 64], ~bit);
	if (load_relaxed(&s->level0[word]))
		atomic_or(&s->level1[word / 64], bit);
}

/* Level 1 word by word, beginning with the one that covers *hint. */
static s64 find_by_summary(struct slots *s, u32 *hint)
{
	const u32 summaries = words_for(s->words), start = *hint / 64;
	s64 slot;

	for (u32 i = 0; i < summaries; i++) {
		const u32 at = (start / 64 + i) % summaries;
		u64 bits = load_relaxed(&s->level1[at]);

		while (bits) {
			const u32 bit = first_bit(bits, i ? 0 : start % 64);
			const u32 word = at * 64 + bit;

			slot = find_in_word(s, word, hint);
			if (slot >= 0)
				return slot;
			clear_summary(s, word);
			bits &= ~(1ull << bit);
		}
	}
	return -ENOENT;
}

static s64 find_exhaustively(struct slots *s, u32 *hint)
{
	s64 slot = -ENOENT;
	u32 releases;

	atomic_add(&s->sync->searches, 1);
	fence_full(); /* pairs with load_ordered() in slots_mark_free() */
	do {
		releases = load_acquire(&s->sync->releases);
		for (u32 word = 0; slot < 0 && word < s->words; word++)
			slot = find_in_word(s, word, hint);
		fence_full();
	} while (slot < 0 && releases != load_relaxed(&s->sync->releases));
	atomic_sub(&s->sync->searches, 1);
	if (slot >= 0)
		atomic_or(&s->level1[slot / 64 / 64], 1ull << slot / 64 % 64);
	return slot;
}
