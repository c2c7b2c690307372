/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * heap.h: memory for the objects that programs make of struct types in their BTF. It lies in the
 * file of the BTF, so that all programs and maps with this BTF share it, and nothing in it outlives
 * the BTF. Numbers in it are offsets from its start, 0 for none.
 *
 * Slots have fixed sizes and keep them for ever. All functions may be called by any number of
 * threads and processes. What a process that dies has in its hands stays taken.
 */
#ifndef BTF_HEAP_H
#define BTF_HEAP_H

#include "base/atomic.h"
#include "shm/region.h"

#define HEAP_BYTES (256u << 20) /* of the file; its memory comes when it is used */
#define HEAP_OBJECT_MAX (64u << 10) /* header included */

/* In front of each object's memory. */
struct local_object {
	u32 type; /* in the BTF */
	u32 refs; /* 0: the slot is free */
	u32 next; /* free slot, or one that is about to be */
	u32 copies; /* 0, or one for each CPU */
};

/* Process-local. */
struct heap {
	const struct region *region;
	u8 *base;
};

/* Before any other function, in each process. 0 or -ENOMEM. */
must_check int heap_prepare(const struct heap *heap);
/* An object with one reference and size zeroed bytes; NULL: there is no memory. */
struct local_object *heap_alloc(struct heap *heap, u32 type, u32 size);
/* One without references. */
void heap_free(struct heap *heap, struct local_object *object);
/* The slot, of an object or free, with address in its memory; NULL. */
struct local_object *heap_slot_at(const struct heap *heap, u64 address);
/* The object with address in its memory; NULL. */
struct local_object *heap_object_at(const struct heap *heap, u64 address);

/* size bytes at an offset that was found in shared memory; NULL if no object can lie there. */
void *heap_memory(const struct heap *heap, u32 offset, u32 size);

/* Where an offset leads, which may be to nothing. */
static inline u64 heap_address(const struct heap *heap, u64 offset)
{
	return PTR_U64(heap->base) + offset;
}

static inline u32 heap_offset(const struct heap *heap, const void *memory)
{
	return (u32)((const u8 *)memory - heap->base);
}

#endif
