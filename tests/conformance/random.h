/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * random.h: a random sequence as its parts share it. random.c does it, random_map.c chooses the
 * map.
 */
#ifndef TESTS_CONFORMANCE_RANDOM_H
#define TESTS_CONFORMANCE_RANDOM_H

#include "conformance.h"

#define MAX_ENTRIES 64u
#define NR_INNER 4u

/* Descriptors: the map's own, others of the same map, and ones that are wrong. */
enum where { OWN, READ_ONLY, WRITE_ONLY, CLOSED, NEGATIVE, PIPE, PROGRAM, BTF, NR_WHERE };

struct sequence {
	struct target t;
	unsigned entries, pool, number;
	int fds[NR_WHERE], prog, inner[NR_INNER + 1];
	uint32_t inner_ids[NR_INNER + 1];
	uint64_t state; /* of the random numbers */
	void *pages;
	uint64_t digest;
	char text[512];
	size_t length;
	const struct random_options *options;
};

static inline uint64_t mix64(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint64_t next(struct sequence *s)
{
	return mix64(s->state += 0x9e3779b97f4a7c15ull);
}

static inline unsigned below(struct sequence *s, unsigned n)
{
	return (unsigned)(next(s) >> 32) % n;
}

static inline bool once_in(struct sequence *s, unsigned n)
{
	return below(s, n) == 0;
}

static inline bool is(const struct sequence *s, unsigned trait)
{
	return s->t.type->traits & trait;
}

/* The map's type, sizes, flags and program, from the sequence's random numbers. */
void pick_target(struct sequence *s);

#endif
