/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench.h: a benchmark is a row of data; how a family of rows is measured is a bench_kind.
 *
 * Every column of the table (a "side") is a process of this same program that does rows as the
 * driver asks, one after the other, so that all sides see the same minute of the same machine.
 * bench.c is the driver, worker.c the other end of its pipes; the rows are in bench_*.c.
 */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ALL_CPUS (~0u) /* as a number of threads */

/* In the order of the columns. */
enum side {
	SIDE_KERNEL,  /* the host's bpf(2) */
	SIDE_USERBPF, /* userbpf run, with the fastest engine it has */
	SIDE_INTERP,  /* the checked interpreter, where there is another engine */
	SIDE_HANDLE,  /* the embedding API */
	SIDE_CK,      /* Concurrency Kit's ck_ht */
	SIDE_LFHT,    /* liburcu's lock-free hash table */
	SIDE_FLOOR,   /* open addressing without any protection */
	NR_SIDES,
};

struct bench;

/*
 * How rows are measured. All return 0 or -errno; setup may give a reason of its own by
 * bench_reason(). measure does at least *count operations, sets *count to how many it did and *ns to
 * what they took, of one thread.
 */
struct bench_kind {
	const char *title;
	unsigned sides;      /* bit per enum side */
	enum side subject;   /* whose ratio is taken ... */
	unsigned reference;  /* ... to the fastest of these */
	int (*setup)(const struct bench *bench, enum side side, void **state);
	int (*measure)(void *state, __u64 *count, double *ns);
	void (*teardown)(void *state);
};

struct bench {
	const char *name;
	double goal;         /* highest ratio that is good enough; 0: none is set */
	__u32 size;          /* keys */
	__u32 threads;       /* 0: 1 */
	const char *program; /* of bench.bpf.c */
	const char *map;
	__u32 ops;           /* operations in one run of the program; 0: the run is the operation */
	__u32 room;          /* max_entries as a multiple of size; 0: 1 */
	__u32 filled;        /* keys present, in percent of size; 0: 100, NOTHING: none */
	__u32 op;            /* of the kind */
};

#define NOTHING (~0u)

struct bench_table {
	const struct bench_kind *kind;
	const struct bench *rows;
	size_t nr_rows;
};

extern const struct bench_table bench_programs, bench_map_programs, bench_calls_programs;
extern const struct bench_table bench_syscalls, bench_handles;

/* Row nr of all tables; NULL behind the last. */
const struct bench *bench_row(size_t nr, const struct bench_kind **kind);

/* The worker: serves requests from in until it is closed. */
struct request {
	__u32 row;
	__u32 target_ns; /* how long to measure; 0: tear the row down */
};
struct reply {
	double ns; /* per operation */
	int error; /* -errno */
	char reason[100];
};
void worker_serve(enum side side, int in, int out);

/* For kinds. */
void bench_reason(const char *text);
/* What this thread has had of its CPU: what other processes take meanwhile does not count. */
double cpu_ns(void);
void pin_to_cpu(unsigned nr);
unsigned threads_of(const struct bench *bench);
/*
 * Runs loop(state, thread, count) on so many threads at once, each on a CPU of its own as far as
 * they go. What it took: of one thread its CPU time, of several the time by the clock from the first
 * to the last, since waiting for one another is part of it.
 */
int bench_on_threads(unsigned threads, int (*loop)(void *state, unsigned thread, __u64 count),
		     void *state, __u64 count, double *ns);
/* The next of a sequence that visits keys at random: a linear congruential generator. */
static inline __u64 draw(__u64 x)
{
	return x * 6364136223846793005u + 1442695040888963407u;
}
static inline __u32 drawn_key(__u64 x, __u32 size)
{
	return (__u32)(x >> 33) & (size - 1);
}

#endif
