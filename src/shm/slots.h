/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * slots.h: which of N type-stable element slots are free: a two-level bitmap in shared memory.
 *
 * The bitmap is a hint; the truth is a state word that the caller keeps per slot and changes by
 * compare-and-swap. Setting and clearing a bit are idempotent, so that a repair after a dead
 * owner simply does again what the state word says.
 */
#ifndef SHM_SLOTS_H
#define SHM_SLOTS_H

#include "base/atomic.h"
#include "base/compiler.h"

/* Shared: how a search that found nothing learns that a slot became free behind its back. */
struct slots_sync {
	u32 searches; /* exhaustive searches under way; one that died keeps it up, which only costs
		       */
	u32 releases; /* counted while searches is not 0 */
} cacheline_aligned;

struct slots {
	u32 count;
	u32 words; /* u64 words in level 0 */
	struct slots_sync *sync;
	u64 *level0; /* bit set: probably free */
	u64 *level1; /* bit clear: that word of level 0 is probably 0 */
};

/* Bytes of shared memory for count slots. */
size_t slots_bytes(u32 count);
/* Points s into mem, 64-byte aligned. All-zero memory means: nothing free. */
void slots_attach(struct slots *s, void *mem, u32 count);
void slots_mark_range_free(struct slots *s, u32 first, u32 count);
/*
 * A slot that is probably free, looking first at and near *hint, which is updated. -ENOENT only
 * when at the end of the call no slot was marked free by a slots_mark_free() that had returned.
 */
s64 slots_find(struct slots *s, u32 *hint);
bool slots_is_marked(const struct slots *s, u32 slot);

/* The bit is set before searches is read: pairs with slots_find(), which counts itself first. */
static inline void slots_mark_free(struct slots *s, u32 slot)
{
	const u32 word = slot / 64;
	u64 *summary = &s->level1[word / 64];
	const u64 bit = 1ull << word % 64;

	atomic_or(&s->level0[word], 1ull << slot % 64);
	if (unlikely(!(load_relaxed(summary) & bit)))
		atomic_or(summary, bit);
	if (unlikely(load_ordered(&s->sync->searches)))
		atomic_add(&s->sync->releases, 1);
}

/* Level 1 is left alone: a search that stumbles over an empty word puts it right. */
static inline void slots_mark_used(struct slots *s, u32 slot)
{
	atomic_and(&s->level0[slot / 64], ~(1ull << slot % 64));
}

#endif
