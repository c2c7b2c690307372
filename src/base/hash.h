/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash.h: a seeded 64-bit hash of a byte string, good enough in all bits that any of them may
 * choose a bucket, strong enough against flooding as long as the seed stays secret.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <string.h>

#include "base/compiler.h"

static inline u64 hash_mix(u64 a, u64 b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

/* Up to 8 bytes as a little-endian number. Piece by piece: a memcpy() of unknown size is a call. */
INLINE u64 hash_load(const u8 *p, size_t len)
{
	u64 word = 0;
	u32 four;
	u16 two;

	if (len == 8) {
		memcpy(&word, p, 8);
		return word;
	}
	if (len & 1)
		word = p[len - 1];
	if (len & 2) {
		memcpy(&two, p + (len & 4), 2);
		word = word << 16 | two;
	}
	if (len & 4) {
		memcpy(&four, p, 4);
		word = word << 32 | four;
	}
	return word;
}

/* Folded multiplication over 16-byte steps; the length and the seed enter the last step. */
INLINE u64 hash_bytes(const void *key, size_t len, u64 seed)
{
	const u64 k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u, k2 = 0xa0761d6478bd642fu;
	const u8 *p = key;
	size_t left = len;
	u64 h = seed ^ k0;

	while (left > 16) {
		h = hash_mix(hash_load(p, 8) ^ k1 ^ h, hash_load(p + 8, 8) ^ k2 ^ seed);
		p += 16;
		left -= 16;
	}
	if (left > 8)
		h = hash_mix(hash_load(p, 8) ^ k1 ^ h, hash_load(p + 8, left - 8) ^ k2 ^ seed);
	else
		h = hash_mix(hash_load(p, left) ^ k1 ^ h, k2 ^ seed);
	return hash_mix(h ^ k0, k1 ^ len ^ seed);
}

#endif
