/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * worker.c: one side. Sets the row up when it is first asked for, finds out how many operations fill
 * the time asked for, and keeps the row set up until it is told to let go: rounds of two sides
 * alternate, and setting up a map of a million keys takes longer than measuring it.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define CALIBRATION_NS 1000000.0
#define MAX_THREADS 64

static char reason[sizeof(((struct reply *)0)->reason)];

void bench_reason(const char *text)
{
	snprintf(reason, sizeof(reason), "%s", text);
}

static double clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static double now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* CPUs that this process may use, counted from the last: the first serves the interrupts. */
void pin_to_cpu(unsigned nr)
{
	static cpu_set_t allowed;
	cpu_set_t one;
	int left, cpu = CPU_SETSIZE;

	if (!CPU_COUNT(&allowed) && sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	left = (int)(nr % (unsigned)CPU_COUNT(&allowed)) + 1;
	while (left && cpu > 0)
		left -= !!CPU_ISSET(--cpu, &allowed);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

unsigned threads_of(const struct bench *bench)
{
	static long online;

	if (!online)
		online = sysconf(_SC_NPROCESSORS_ONLN);
	if (bench->threads == ALL_CPUS)
		return online > MAX_THREADS ? MAX_THREADS : (unsigned)online;
	return bench->threads ? bench->threads : 1;
}

/* Threads */

struct crew {
	int (*loop)(void *state, unsigned thread, __u64 count);
	void *state;
	__u64 count;
	pthread_barrier_t start;
};

struct member {
	struct crew *crew;
	pthread_t thread;
	unsigned nr;
	int err;
	double from, to;
};

static void *member_run(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;

	pin_to_cpu(member->nr);
	pthread_barrier_wait(&crew->start);
	member->from = now_ns();
	member->err = crew->loop(crew->state, member->nr, crew->count);
	member->to = now_ns();
	return NULL;
}

static int run_crew(struct crew *crew, unsigned threads, double *ns)
{
	struct member members[MAX_THREADS];
	double from = 0, to = 0;
	int err = 0;

	pthread_barrier_init(&crew->start, NULL, threads);
	for (unsigned i = 0; i < threads; i++) {
		members[i] = (struct member){.crew = crew, .nr = i};
		if (pthread_create(&members[i].thread, NULL, member_run, &members[i]))
			abort(); /* those at the barrier would wait for ever */
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(members[i].thread, NULL);
		err = err ? err : members[i].err;
		from = i && from < members[i].from ? from : members[i].from;
		to = to > members[i].to ? to : members[i].to;
	}
	pthread_barrier_destroy(&crew->start);
	*ns = to - from;
	return err;
}

int bench_on_threads(unsigned threads, int (*loop)(void *state, unsigned thread, __u64 count),
		     void *state, __u64 count, double *ns)
{
	struct crew crew = {.loop = loop, .state = state, .count = count};
	double from;
	int err;

	if (threads > 1)
		return run_crew(&crew, threads, ns);
	from = cpu_ns();
	err = loop(state, 0, count);
	*ns = cpu_ns() - from;
	return err;
}

/* Rows */

static struct {
	const struct bench *bench;
	const struct bench_kind *kind;
	void *state;
	double elapsed_per_op; /* everything that measuring does, by the clock */
} current;

static int measure(__u64 count, double *ns)
{
	const double from = now_ns();
	const int err = current.kind->measure(current.state, &count, ns);

	*ns /= (double)count;
	current.elapsed_per_op = (now_ns() - from) / (double)count;
	return err;
}

static int calibrate(void)
{
	double ns;
	__u64 count = 1;
	int err;

	do {
		count *= 2;
		err = measure(count, &ns);
	} while (!err && current.elapsed_per_op * (double)count < CALIBRATION_NS);
	return err;
}

static void let_go(void)
{
	if (current.state)
		current.kind->teardown(current.state);
	memset(&current, 0, sizeof(current));
}

static int take_up(enum side side, __u32 row)
{
	const struct bench *bench = bench_row(row, &current.kind);
	int err;

	err = current.kind->setup(bench, side, &current.state);
	if (err)
		return err;
	current.bench = bench;
	return calibrate();
}

static int serve(enum side side, const struct request *request, double *ns)
{
	int err;

	*ns = 0;
	if (!request->target_ns) {
		let_go();
		return 0;
	}
	if (!current.bench) {
		err = take_up(side, request->row);
		if (err)
			return err;
	}
	return measure((__u64)(request->target_ns / current.elapsed_per_op) + 1, ns);
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

void worker_serve(enum side side, int in, int out)
{
	struct request request;
	struct reply reply;

	libbpf_set_print(print_nothing);
	pin_to_cpu(0);
	while (read(in, &request, sizeof(request)) == (ssize_t)sizeof(request)) {
		memset(&reply, 0, sizeof(reply));
		reason[0] = 0;
		reply.error = serve(side, &request, &reply.ns);
		if (reply.error && !reason[0])
			bench_reason(strerror(-reply.error));
		memcpy(reply.reason, reason, sizeof(reason));
		if (write(out, &reply, sizeof(reply)) != (ssize_t)sizeof(reply))
			return;
	}
}
