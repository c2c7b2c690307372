/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_iter.c: open-coded iterators, whose state lies on the program's stack. A checked program
 * could write there what it likes; hence the state is nothing that could be misused: numbers, and
 * addresses that are looked up among those that the run knows.
 */
#include <errno.h>

#include "base/memory.h"
#include "base/user_mem.h"
#include "vm/kfunc.h"
#include "vm/kfuncs.h"

/* struct bpf_iter_num: the number before the next one, and the one at which it ends. */
struct iter_num {
	s32 current, end;
} __attribute__((packed, may_alias));

KFUNC_FN(iter_num_new)
{
	struct iter_num *iter = U64_PTR(r1);
	const s32 start = (s32)r2, end = (s32)r3;

	iter->current = iter->end = 0;
	if (start > end)
		return KFUNC_INT(-EINVAL);
	if ((s64)end - start > HELPER_LOOPS_MAX)
		return KFUNC_INT(-E2BIG);
	iter->current = (s32)((u32)start - 1);
	iter->end = end;
	return 0;
}

/* The number itself is what the program gets a pointer to. */
KFUNC_FN(iter_num_next)
{
	struct iter_num *iter = U64_PTR(r1);
	const s32 next = (s32)((u32)iter->current + 1);

	if (next >= iter->end) {
		iter->current = iter->end = 0;
		return 0;
	}
	iter->current = next;
	return PTR_U64(iter);
}

KFUNC_FN(iter_num_destroy)
{
	struct iter_num *iter = U64_PTR(r1);

	iter->current = iter->end = 0;
	return 0;
}

#define ITER_WORDS_MAX 511u
#define ITERS_MAX 256u /* frames have no room for more */
#define WORD_BITS 64

/* struct bpf_iter_bits */
struct iter_bits {
	u64 words; /* the word itself, or where a copy of several lies */
	s32 nr_bits, bit;
} __attribute__((packed, may_alias));

/* A copy of what an iterator looks at, in the run's list until the iterator is destroyed. */
struct iter_words {
	struct iter_words *next;
	u32 nr_words;
	u64 words[];
};

static struct iter_words **find_words(struct vm_run *run, u64 address)
{
	struct iter_words **link = &run->open.bits;

	while (*link && PTR_U64(*link) != address)
		link = &(*link)->next;
	return link;
}

static int copy_words(struct vm_run *run, struct iter_bits *iter, u64 from, u32 nr_words)
{
	struct iter_words *copy;

	if (run->open.nr_bits == ITERS_MAX)
		return -ENOMEM;
	copy = memory_alloc(sizeof(*copy) + nr_words * sizeof(u64));
	if (!copy)
		return -ENOMEM;
	if (user_read(copy->words, from, nr_words * sizeof(u64))) {
		memory_free(copy);
		return kfunc_read_error(from);
	}
	copy->nr_words = nr_words;
	copy->next = run->open.bits;
	run->open.bits = copy;
	run->open.nr_bits++;
	run->open.all++;
	iter->words = PTR_U64(copy);
	return 0;
}

KFUNC_FN(iter_bits_new)
{
	struct iter_bits *iter = U64_PTR(r1);
	const u32 nr_words = (u32)r3;
	u64 word;
	int err = 0;

	*iter = (struct iter_bits){.bit = -1};
	if (!r2 || !nr_words)
		return KFUNC_INT(-EINVAL);
	if (nr_words > ITER_WORDS_MAX)
		return KFUNC_INT(-E2BIG);
	if (nr_words > 1)
		err = copy_words(run, iter, r2, nr_words);
	else if (user_read(&word, r2, sizeof(word)))
		err = -EFAULT;
	else
		iter->words = word;
	if (!err)
		iter->nr_bits = (s32)(nr_words * WORD_BITS);
	return KFUNC_INT(err);
}

/* The first bit at or behind from that is set; -1: there is none. */
static s32 next_bit(const u64 *words, u32 nr_words, u32 from)
{
	for (u32 i = from / WORD_BITS; i < nr_words; i++) {
		u64 word = words[i] & ~0ull << (i == from / WORD_BITS ? from % WORD_BITS : 0);

		if (word)
			return (s32)(i * WORD_BITS + (u32)__builtin_ctzll(word));
	}
	return -1;
}

KFUNC_FN(iter_bits_next)
{
	struct iter_bits *iter = U64_PTR(r1);
	const u64 address = iter->words, *words = &address;
	const struct iter_words *copy;
	u32 nr_words = 1;
	s32 bit;

	if (!iter->nr_bits)
		return 0;
	if (iter->nr_bits != WORD_BITS) {
		copy = *find_words(run, address);
		if (!copy)
			return vm_faultf(run, "R1 of bpf_iter_bits_next is no iterator");
		words = copy->words;
		nr_words = copy->nr_words;
	}
	bit = next_bit(words, nr_words, (u32)iter->bit + 1);
	if (bit < 0) {
		iter->bit = iter->nr_bits;
		return 0;
	}
	iter->bit = bit;
	return PTR_U64(iter) + offsetof(struct iter_bits, bit);
}

static void free_words(struct vm_run *run, struct iter_words **link)
{
	struct iter_words *copy = *link;

	*link = copy->next;
	memory_free(copy);
	run->open.nr_bits--;
	run->open.all--;
}

KFUNC_FN(iter_bits_destroy)
{
	struct iter_bits *iter = U64_PTR(r1);
	struct iter_words **link = find_words(run, iter->words);

	if (iter->nr_bits != WORD_BITS && *link)
		free_words(run, link);
	*iter = (struct iter_bits){0};
	return 0;
}

void kfunc_free_iterators(struct vm_run *run)
{
	while (run->open.bits)
		free_words(run, &run->open.bits);
}
