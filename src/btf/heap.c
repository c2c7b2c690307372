/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * heap.c: see heap.h. The first block has the header; each other one is given to a size class when
 * that has none left, and for ever. A class has a stack of free slots, whose head carries the number
 * of its changes, and the block from which it takes slots that were never used.
 */
#include "btf/heap.h"

#include <string.h>

#define BLOCK_BYTES HEAP_OBJECT_MAX
#define BLOCKS (HEAP_BYTES / BLOCK_BYTES)

static const u32 sizes[] = {32,  48,	64,   96,   128,  192,	256,   384,   512,
			    768, 1024, 1536, 2048, 4096, 8192, 16384, 32768, BLOCK_BYTES};

struct heap_class {
	u64 free;  /* changes << 32 | offset of the slot on top */
	u64 fresh; /* block << 32 | bytes of it that have been used */
};

struct heap_header {
	struct heap_class classes[ARRAY_SIZE(sizes)];
	u32 blocks;	      /* given out */
	u8 class_of[BLOCKS]; /* from 1 */
};

static struct heap_header *header_of(const struct heap *heap)
{
	return (struct heap_header *)(void *)heap->base;
}

static int populate(const struct heap *heap, u32 offset, u32 len)
{
	return region_populate(heap->region, (u64)(heap->base - heap->region->base) + offset, len);
}

int heap_prepare(const struct heap *heap)
{
	return populate(heap, 0, sizeof(struct heap_header));
}

void *heap_memory(const struct heap *heap, u32 offset, u32 size)
{
	const u32 block = offset / BLOCK_BYTES;

	if (!block || block > load_relaxed(&header_of(heap)->blocks) || offset % 8 ||
	    offset % BLOCK_BYTES > BLOCK_BYTES - size)
		return NULL;
	return heap->base + offset;
}

static u32 class_for(u64 size)
{
	u32 class = 0;

	while (class < ARRAY_SIZE(sizes) && sizes[class] < size)
		class++;
	return class;
}

static struct local_object *take_free(struct heap *heap, u32 class)
{
	struct heap_class *from = &header_of(heap)->classes[class];
	u64 top = load_acquire(&from->free), next;
	struct local_object *object;

	do {
		object = heap_memory(heap, (u32)top, sizes[class]);
		if (!object)
			return NULL;
		next = ((top >> 32) + 1) << 32 | load_relaxed(&object->next);
	} while (!atomic_cas(&from->free, &top, next));
	return object;
}

/* A block that no class has, with memory; 0: there is none. */
static u32 take_block(struct heap *heap)
{
	u32 *blocks = &header_of(heap)->blocks;
	u32 block = load_relaxed(blocks);

	do
		if (block >= BLOCKS - 1 ||
		    populate(heap, (block + 1) * BLOCK_BYTES, BLOCK_BYTES))
			return 0;
	while (!atomic_cas(blocks, &block, block + 1));
	return block + 1;
}

/* Two that need one at the same time both get one: the slots of the second are free ones. */
static bool add_block(struct heap *heap, u32 class, u64 fresh)
{
	struct heap_header *header = header_of(heap);
	const u32 block = take_block(heap), start = block * BLOCK_BYTES;

	if (!block)
		return false;
	store_release(&header->class_of[block], (u8)(class + 1));
	if (atomic_cas(&header->classes[class].fresh, &fresh, (u64)block << 32))
		return true;
	for (u32 at = 0; at + sizes[class] <= BLOCK_BYTES; at += sizes[class])
		heap_free(heap, (struct local_object *)(void *)(heap->base + start + at));
	return true;
}

static struct local_object *take_fresh(struct heap *heap, u32 class)
{
	struct heap_class *from = &header_of(heap)->classes[class];
	u64 fresh = load_acquire(&from->fresh);

	for (;;) {
		if (!fresh || (u32)fresh + sizes[class] > BLOCK_BYTES) {
			if (!add_block(heap, class, fresh))
				return NULL;
			fresh = load_acquire(&from->fresh);
		} else if (atomic_cas(&from->fresh, &fresh, fresh + sizes[class])) {
			return heap_memory(heap, (u32)(fresh >> 32) * BLOCK_BYTES + (u32)fresh,
					   sizes[class]);
		}
	}
}

struct local_object *heap_alloc(struct heap *heap, u32 type, u32 size)
{
	const u32 class = class_for((u64)size + sizeof(struct local_object));
	struct local_object *object;

	if (class == ARRAY_SIZE(sizes))
		return NULL;
	object = take_free(heap, class) ?: take_fresh(heap, class);
	if (!object)
		return NULL;
	memset(object + 1, 0, size);
	store_relaxed(&object->next, 0); /* who comes late to the free slot still looks at it */
	object->type = type;
	object->copies = 0;
	store_release(&object->refs, 1);
	return object;
}

void heap_free(struct heap *heap, struct local_object *object)
{
	const u32 offset = heap_offset(heap, object);
	const u32 class = load_relaxed(&header_of(heap)->class_of[offset / BLOCK_BYTES]);
	struct heap_class *to;
	u64 top;

	if (!class || class > ARRAY_SIZE(sizes))
		return;
	to = &header_of(heap)->classes[class - 1];
	top = load_relaxed(&to->free);
	do
		store_relaxed(&object->next, (u32)top);
	while (!atomic_cas(&to->free, &top, ((top >> 32) + 1) << 32 | offset));
}

struct local_object *heap_slot_at(const struct heap *heap, u64 address)
{
	const u64 at = address - PTR_U64(heap->base);
	const u32 block = (u32)(at / BLOCK_BYTES);
	struct local_object *object;
	u32 class, size, offset;

	if (at >= HEAP_BYTES || !block || block > load_relaxed(&header_of(heap)->blocks))
		return NULL;
	class = load_relaxed(&header_of(heap)->class_of[block]);
	if (!class || class > ARRAY_SIZE(sizes))
		return NULL;
	size = sizes[class - 1];
	offset = (u32)(at % BLOCK_BYTES) / size * size;
	if (offset + size > BLOCK_BYTES)
		return NULL;
	object = (struct local_object *)(void *)(heap->base + block * BLOCK_BYTES + offset);
	return address >= PTR_U64(object + 1) ? object : NULL;
}

struct local_object *heap_object_at(const struct heap *heap, u64 address)
{
	struct local_object *object = heap_slot_at(heap, address);

	return object && load_acquire(&object->refs) ? object : NULL;
}
