/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * memory.c: blocks of powers of two. A freed block goes to the lock-free stack of its size and is
 * never given back to the kernel, so that another thread which is about to pop it may still read
 * its link; large blocks are mappings of their own.
 */
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "base/syscall.h"

#if defined(__SANITIZE_ADDRESS__)
/* An address sanitizer must see each block. */
#include <stdlib.h>

void *memory_alloc(size_t size)
{
	return malloc(size);
}

void *memory_zalloc(size_t count, size_t size)
{
	return calloc(count, size);
}

void *memory_realloc(void *memory, size_t size)
{
	return realloc(memory, size);
}

void memory_free(void *memory)
{
	free(memory);
}

#else

#define CLASS_MIN 6  /* 64 bytes, header included */
#define CLASS_MAX 17 /* 128 KiB */
#define REFILL_BYTES (64u << 10)

struct block {
	u64 size; /* of the whole block */
	u64 next; /* on a stack: as in its head, without the tag */
};

_Static_assert(sizeof(struct block) == 16, "what follows the header is aligned to 16");

/* Heads: address in the lower 48 bits, a counter above them against reuse between load and swap. */
static u64 stacks[CLASS_MAX + 1];

#define ADDRESS_MASK ((1ull << 48) - 1)

static void push(unsigned class, struct block *block)
{
	u64 head = load_relaxed(&stacks[class]);

	do
		store_relaxed(&block->next, head & ADDRESS_MASK);
	while (!atomic_cas(&stacks[class], &head,
			   ((head & ~ADDRESS_MASK) + (1ull << 48)) | PTR_U64(block)));
}

static struct block *pop(unsigned class)
{
	u64 head = load_acquire(&stacks[class]); /* pairs with push() */
	struct block *block;

	do {
		block = U64_PTR(head & ADDRESS_MASK);
		if (!block)
			return NULL;
	} while (!atomic_cas(&stacks[class], &head,
			     (head & ~ADDRESS_MASK) + (1ull << 48) + load_relaxed(&block->next)));
	return block;
}

static void *map_anonymous(size_t size)
{
	void *memory = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);

	return sys_is_err(memory) ? NULL : memory;
}

/* Cuts fresh memory into blocks of the class; returns one, the others go to the stack. */
static struct block *refill(unsigned class)
{
	const size_t size = (size_t)1 << class, bytes = MAX(size, (size_t)REFILL_BYTES);
	u8 *fresh = map_anonymous(bytes);

	if (!fresh)
		return NULL;
	for (size_t at = 0; at < bytes; at += size) {
		struct block *block = (struct block *)(void *)(fresh + at);

		block->size = size;
		if (at)
			push(class, block);
	}
	return (struct block *)(void *)fresh;
}

static struct block *large(size_t size)
{
	struct block *block = map_anonymous(size);

	if (block)
		block->size = size;
	return block;
}

static unsigned class_of(size_t size)
{
	return size <= 1u << CLASS_MIN ? CLASS_MIN : 64 - (unsigned)__builtin_clzll(size - 1);
}

void *memory_alloc(size_t size)
{
	const size_t whole = size + sizeof(struct block);
	struct block *block;
	unsigned class;

	if (whole < size || whole > (size_t)PTRDIFF_MAX)
		return NULL;
	class = class_of(whole);
	if (class > CLASS_MAX) {
		block = large(ROUND_UP(whole, (size_t)PAGE_BYTES));
	} else {
		block = pop(class);
		if (!block)
			block = refill(class);
	}
	return block ? block + 1 : NULL;
}

void *memory_zalloc(size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	memory = memory_alloc(bytes);
	return memory ? memset(memory, 0, bytes) : NULL;
}

static struct block *block_of(void *memory)
{
	return (struct block *)memory - 1;
}

void *memory_realloc(void *memory, size_t size)
{
	size_t room = memory ? block_of(memory)->size - sizeof(struct block) : 0;
	void *larger;

	if (memory && room >= size)
		return memory;
	larger = memory_alloc(size);
	if (larger && memory) {
		memcpy(larger, memory, room);
		memory_free(memory);
	}
	return larger;
}

void memory_free(void *memory)
{
	struct block *block;

	if (!memory)
		return;
	block = block_of(memory);
	if (class_of(block->size) > CLASS_MAX)
		sys_munmap(block, block->size);
	else
		push(class_of(block->size), block);
}

#endif
