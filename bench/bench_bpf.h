/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* bench_bpf.h: sizes that the measured programs and their loader agree on. */
#ifndef BENCH_BPF_H
#define BENCH_BPF_H

#define MAP_OPS 256
#define LCG_OPS 1024
#define PARSE_OPS 64
#define SEARCH_OPS 16
#define TAIL_CALLS 33
#define RECORD_BYTES 32
#define NR_WORDS 1024
#define NR_LONGS 128
#define NR_SORTED 32
#define TEXT_BYTES 512
#define PACKET_BYTES 1024
#define ARENA_PAGES 1024

struct prefix_key {
	unsigned int len;
	unsigned char address[16];
};

/* Prefix number so and so: of 8 to 32 bits, IPv6 of 32 to 64; the bits behind it are set too. */
static inline void prefix_key(struct prefix_key *key, unsigned int number, unsigned int bytes)
{
	unsigned long long x = (number + 1) * 0x9e3779b97f4a7c15ull;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 29;
	key->len = bytes == 4 ? 8 + x % 25 : 32 + x % 33;
	for (unsigned int i = 0; i < bytes; i++)
		key->address[i] = (unsigned char)(x >> (56 - 8 * (i % 8)));
	if (bytes == 16)
		key->address[0] = 0x20; /* as most of the Internet's begin */
}

#endif
