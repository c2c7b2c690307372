/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* output.h: results as a table for people and as JSON for tools. */
#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include "bench.h"

#define MAX_ROUNDS 99

struct result {
	double samples[NR_SIDES][MAX_ROUNDS]; /* ns per operation */
	unsigned rounds;
	int errors[NR_SIDES]; /* -errno: the side has no samples, and this is why */
	char reasons[NR_SIDES][sizeof(((struct reply *)0)->reason)];
};

struct summary {
	double ns[NR_SIDES]; /* medians; 0: none */
	double ratio;        /* median of the rounds' ratios; 0: no reference */
	double spread;       /* of those, (p75 - p25) / median */
};

void summarize(const struct bench_kind *kind, const struct result *result, struct summary *summary);

void print_title(const struct bench_kind *kind);
void print_row(const struct bench *bench, const struct bench_kind *kind,
	       const struct result *result);
/* Why cells were empty, each reason once. */
void print_reasons(void);

void json_add(const struct bench *bench, const struct bench_kind *kind,
	      const struct result *result);
int json_write(const char *path, unsigned rounds);

#endif
