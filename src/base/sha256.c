/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* sha256.c: one-shot SHA-256 after FIPS 180-4. Not for secrets: nothing here is constant-time. */
#include "base/sha256.h"

#include <string.h>

static const u32 round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static u32 rotate_right(u32 x, unsigned bits)
{
	return x >> bits | x << (32 - bits);
}

static u32 load_be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static void store_be32(u8 *p, u32 x)
{
	for (int i = 0; i < 4; i++)
		p[i] = (u8)(x >> (24 - 8 * i));
}

static void expand(u32 w[64], const u8 block[64])
{
	for (int i = 0; i < 16; i++)
		w[i] = load_be32(block + 4 * i);
	for (int i = 16; i < 64; i++) {
		u32 a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] +
		       (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) +
		       (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
	}
}

static void compress(u32 state[8], const u8 block[64])
{
	u32 w[64], s[8];

	expand(w, block);
	memcpy(s, state, sizeof(s));
	for (int i = 0; i < 64; i++) {
		u32 e = s[4], a = s[0];
		u32 t1 = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
			 ((e & s[5]) ^ (~e & s[6])) + round_constants[i] + w[i];
		u32 t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
			 ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

void sha256(u8 digest[SHA256_BYTES], const void *data, size_t len)
{
	u32 state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	size_t whole = len & ~(size_t)63, rest = len - whole;
	size_t padded = rest < 56 ? 64 : 128;
	u8 last[128] = {0};

	for (size_t at = 0; at < whole; at += 64)
		compress(state, (const u8 *)data + at);
	if (rest)
		memcpy(last, (const u8 *)data + whole, rest);
	last[rest] = 0x80;
	store_be32(last + padded - 8, (u32)((u64)len >> 29));
	store_be32(last + padded - 4, (u32)(len << 3));
	for (size_t at = 0; at < padded; at += 64)
		compress(state, last + at);
	for (int i = 0; i < 8; i++)
		store_be32(digest + 4 * i, state[i]);
}
