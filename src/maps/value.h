/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * value.h: copying keys and values into and out of memory that programs and other processes use at
 * the same time. The shared side is 8-byte aligned and accessed in aligned words of the largest
 * size that fits, so that no naturally aligned integer in a value is ever seen half written.
 * Orders nothing. And the one question that all arrays of values answer alike.
 */
#ifndef MAPS_VALUE_H
#define MAPS_VALUE_H

#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"

static inline void value_read(void *dst, const void *shared, size_t size)
{
	const u8 *from = shared;
	u8 *to = dst;
	u64 word8;
	u32 word4;
	u16 word2;

	for (; size >= 8; size -= 8, from += 8, to += 8) {
		word8 = load_relaxed((const u64 *)(const void *)from);
		memcpy(to, &word8, 8);
	}
	if (size & 4) {
		word4 = load_relaxed((const u32 *)(const void *)from);
		memcpy(to, &word4, 4);
		from += 4;
		to += 4;
	}
	if (size & 2) {
		word2 = load_relaxed((const u16 *)(const void *)from);
		memcpy(to, &word2, 2);
		from += 2;
		to += 2;
	}
	if (size & 1)
		*to = load_relaxed(from);
}

static inline void value_write(void *shared, const void *src, size_t size)
{
	const u8 *from = src;
	u8 *to = shared;
	u64 word8;
	u32 word4;
	u16 word2;

	for (; size >= 8; size -= 8, from += 8, to += 8) {
		memcpy(&word8, from, 8);
		store_relaxed((u64 *)(void *)to, word8);
	}
	if (size & 4) {
		memcpy(&word4, from, 4);
		store_relaxed((u32 *)(void *)to, word4);
		from += 4;
		to += 4;
	}
	if (size & 2) {
		memcpy(&word2, from, 2);
		store_relaxed((u16 *)(void *)to, word2);
		from += 2;
		to += 2;
	}
	if (size & 1)
		store_relaxed(to, *from);
}

/* size is a multiple of 8. */
static inline void value_zero(void *shared, size_t size)
{
	u64 *word = shared;

	for (; size; size -= 8)
		store_relaxed(word++, 0);
}

/* The value that address lies in, of count values of size bytes, stride apart; else NULL. */
static inline void *value_containing(u8 *values, u64 count, u64 stride, u32 size,
				     const void *address)
{
	const u64 offset = (u64)((const u8 *)address - values); /* huge below values */

	if (offset >= count * stride || offset % stride >= size)
		return NULL;
	return values + offset - offset % stride;
}

#endif
