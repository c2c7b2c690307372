/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench.c: the driver: chooses rows, asks the sides in turn, round after round, and prints. Where
 * the host's bpf(2) may not be called its column stays empty and says why.
 */
#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "side.h"

#define DEFAULT_ROUNDS 7
#define ROUND_NS 25000000u
#define QUICK_ROUNDS 3
#define QUICK_NS 4000000u

struct options {
	unsigned rounds;
	__u32 round_ns;
	const char *filter;
	const char *json;
	bool list;
	int worker; /* the side to be; -1: the driver */
};

static const struct bench_table *const tables[] = {
	&bench_map_programs,
	&bench_programs,
	&bench_calls_programs,
	&bench_syscalls,
	&bench_handles,
};

const struct bench *bench_row(size_t nr, const struct bench_kind **kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		*kind = tables[i]->kind;
		if (nr < tables[i]->nr_rows)
			return &tables[i]->rows[nr];
		nr -= tables[i]->nr_rows;
	}
	return NULL;
}

/* Command line */

static unsigned parse_number(const struct argp_state *state, const char *option, const char *text,
			     unsigned max)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || n > max)
		argp_error(state, "%s wants a number up to %u, not '%s'", option, max, text);
	return (unsigned)n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'r':
		o->rounds = parse_number(state, "--rounds", arg, MAX_ROUNDS);
		if (!o->rounds)
			argp_error(state, "--rounds wants at least 1");
		return 0;
	case 'f':
		o->filter = arg;
		return 0;
	case 'j':
		o->json = arg;
		return 0;
	case 'q':
		o->rounds = QUICK_ROUNDS;
		o->round_ns = QUICK_NS;
		return 0;
	case 'l':
		o->list = true;
		return 0;
	case 'w':
		o->worker = (int)parse_number(state, "--worker", arg, NR_SIDES - 1);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{"rounds", 'r', "N", 0, "Measure N times, all sides in turn (default 7)", 0},
	{"filter", 'f', "GLOB", 0, "Only rows whose name matches", 0},
	{"json", 'j', "FILE", 0, "Write the results there, too", 0},
	{"quick", 'q', NULL, 0, "Three short rounds: to see that it works", 0},
	{"list", 'l', NULL, 0, "Print the names of the rows", 0},
	{"worker", 'w', "SIDE", OPTION_HIDDEN, NULL, 0},
	{0},
};

static const struct argp argp = {
	.options = option_list,
	.parser = parse_option,
	.doc = "Measures userbpf side by side with the kernel and with hash tables of other libraries."
	       "\vNanoseconds per operation, medians. The ratio is that of userbpf to the kernel (of "
	       "the handle to the fastest other library), round by round; below 1 userbpf is faster. "
	       "The spread is the distance of the quartiles of that ratio, in percent of it; a row "
	       "with more than 50 % is noisy: measure it on a machine with nothing else to do.",
};

/* Rows */

static bool is_chosen(const struct options *o, const struct bench *bench)
{
	if (bench->threads == ALL_CPUS && threads_of(bench) <= 2)
		return false; /* there is a row for two threads */
	return !o->filter || !fnmatch(o->filter, bench->name, 0);
}

static bool may_ask(const struct bench_kind *kind, const struct result *result, int side)
{
	return kind->sides >> side & 1 && side_exists(side) && !result->errors[side];
}

static void measure_side(__u32 row, __u32 target_ns, int side, struct result *result)
{
	const struct request request = {row, target_ns};
	struct reply reply;

	side_ask(side, &request, &reply);
	result->samples[side][result->rounds] = reply.ns;
	result->errors[side] = reply.error;
	memcpy(result->reasons[side], reply.reason, sizeof(reply.reason));
}

static void measure_row(const struct options *o, __u32 row, const struct bench_kind *kind,
			struct result *result)
{
	const struct request let_go = {row, 0};
	struct reply reply;

	for (; result->rounds < o->rounds; result->rounds++)
		for (int side = 0; side < NR_SIDES; side++)
			if (may_ask(kind, result, side))
				measure_side(row, o->round_ns, side, result);
	for (int side = 0; side < NR_SIDES; side++)
		if (may_ask(kind, result, side))
			side_ask(side, &let_go, &reply);
}

static void show_progress(size_t done, size_t all, const char *name)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r[%zu/%zu] %-40s\r", done, all, name);
}

static size_t count_chosen(const struct options *o)
{
	const struct bench_kind *kind;
	const struct bench *bench;
	size_t chosen = 0;

	for (size_t row = 0; (bench = bench_row(row, &kind)); row++)
		chosen += is_chosen(o, bench);
	return chosen;
}

static int run_all(const struct options *o)
{
	const size_t chosen = count_chosen(o);
	const struct bench_kind *kind, *last = NULL;
	const struct bench *bench;
	struct result *result;
	size_t done = 0;

	for (size_t row = 0; (bench = bench_row(row, &kind)); row++) {
		if (!is_chosen(o, bench))
			continue;
		if (kind != last)
			print_title(kind);
		last = kind;
		result = calloc(1, sizeof(*result));
		if (!result)
			return -ENOMEM;
		show_progress(++done, chosen, bench->name);
		measure_row(o, (__u32)row, kind, result);
		print_row(bench, kind, result);
		json_add(bench, kind, result);
		free(result);
	}
	print_reasons();
	return o->json ? json_write(o->json, o->rounds) : 0;
}

static void list_rows(const struct options *o)
{
	const struct bench_kind *kind;
	const struct bench *bench;

	for (size_t row = 0; (bench = bench_row(row, &kind)); row++)
		if (is_chosen(o, bench))
			puts(bench->name);
}

int main(int argc, char **argv)
{
	struct options o = {.rounds = DEFAULT_ROUNDS, .round_ns = ROUND_NS, .worker = -1};
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.worker >= 0) {
		worker_serve(o.worker, STDIN_FILENO, STDOUT_FILENO);
		return 0;
	}
	if (o.list) {
		list_rows(&o);
		return 0;
	}
	if (!count_chosen(&o)) {
		fprintf(stderr, "bench: no row matches '%s'; see --list\n", o.filter);
		return 1;
	}
	err = run_all(&o);
	side_stop_all();
	if (err)
		fprintf(stderr, "bench: %s\n", strerror(-err));
	return !!err;
}
