/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_perf_buffer.c: libbpf's perf_buffer, as applications use it, with producers in several
 * processes, on the kernel and on userbpf.
 */
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "../vm/run.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PRODUCERS 3u
#define SAMPLES 2000u

struct sample {
	uint64_t producer, number;
};

struct seen {
	uint64_t next[PRODUCERS];
	unsigned long samples, lost;
	bool wrong;
};

/* Writes what the context holds. */
static int load_producer(int map)
{
	const struct bpf_insn insns[] = {
		LD(DW, R6, R1, 0),
		LD(DW, R7, R1, 8),
		ST_X(DW, R10, -16, R6),
		ST_X(DW, R10, -8, R7),
		LD64_RAW(R2, BPF_PSEUDO_MAP_FD, map, 0),
		LD64(R3, BPF_F_CURRENT_CPU),
		MOV_X(R4, R10),
		ALU64_K(ADD, R4, -16),
		MOV_K(R5, 16),
		CALL(BPF_FUNC_perf_event_output),
		EXIT,
	};

	return prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, insns, COUNT(insns));
}

static int produce(int prog, uint64_t producer, uint64_t number)
{
	struct sample sample = {producer, number};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.ctx_in = ptr64(&sample),
					.ctx_size_in = sizeof(sample)}};
	long err = bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));

	return err ? (int)err : (int)t.a.test.retval;
}

/* Of one producer, samples of one CPU are in order; it may change the CPU. */
static void on_sample(void *ctx, int cpu, void *data, unsigned size)
{
	const struct sample *sample = data;
	struct seen *seen = ctx;

	(void)cpu;
	if (size < sizeof(*sample) || sample->producer >= PRODUCERS)
		seen->wrong = true;
	else
		seen->next[sample->producer]++;
	seen->samples++;
}

static void on_lost(void *ctx, int cpu, unsigned long long count)
{
	(void)cpu;
	((struct seen *)ctx)->lost += count;
}

static void wait_for(pid_t *children)
{
	for (unsigned i = 0; i < PRODUCERS; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
}

/* A full buffer is not an error of the producer's: the reader is told. */
static void start(pid_t *children, int prog)
{
	for (unsigned i = 0; i < PRODUCERS; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		for (unsigned n = 0; n < SAMPLES; n++) {
			int err = produce(prog, i, n);

			if (err && err != -ENOSPC)
				_exit(1);
		}
		_exit(0);
	}
}

static void test_poll(void **state)
{
	int map = map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, possible_cpus(), 0);
	int prog = load_producer(map), err;
	struct seen seen = {0};
	struct perf_buffer *buffer = perf_buffer__new(map, 64, on_sample, on_lost, &seen, NULL);
	pid_t children[PRODUCERS];

	(void)state;
	assert_non_null(buffer);
	assert_true(perf_buffer__buffer_cnt(buffer) >= 1);
	start(children, prog);
	while (seen.samples + seen.lost < PRODUCERS * SAMPLES) {
		err = perf_buffer__poll(buffer, 10000);
		assert_true(err > 0); /* 0: nobody woke us */
	}
	wait_for(children);
	assert_int_equal(perf_buffer__consume(buffer), 0);
	assert_int_equal(seen.samples + seen.lost, PRODUCERS * SAMPLES);
	assert_false(seen.wrong);
	perf_buffer__free(buffer);
	close(prog);
	close(map);
}

/* The application's own loop, with another descriptor in its set; a buffer that is too small. */
static void test_own_loop(void **state)
{
	int map = map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, possible_cpus(), 0);
	int prog = load_producer(map), set = epoll_create1(0), other[2];
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1000}, events[8];
	struct seen seen = {0};
	struct perf_buffer *buffer = perf_buffer__new(map, 1, on_sample, on_lost, &seen, NULL);

	(void)state;
	assert_non_null(buffer);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, other[0], &event), 0);
	for (unsigned i = 0; i < perf_buffer__buffer_cnt(buffer); i++) {
		event.data.u64 = i;
		assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, perf_buffer__buffer_fd(buffer, i),
					   &event), 0);
	}
	for (unsigned n = 0; n < 1000; n++)
		produce(prog, 0, n);
	while (seen.samples + seen.lost < 300) {
		int count = epoll_wait(set, events, 8, 5000);

		assert_true(count > 0);
		for (int i = 0; i < count; i++)
			assert_int_equal(perf_buffer__consume_buffer(buffer, events[i].data.u64), 0);
		if (!seen.lost)
			assert_int_equal(produce(prog, 0, 1000), 0);
	}
	assert_int_equal(write(other[1], "x", 1), 1);
	assert_true(epoll_wait(set, events, 8, 5000) > 0);
	close(set);
	close(other[0]);
	close(other[1]);
	perf_buffer__free(buffer);
	close(prog);
	close(map);
}

static enum bpf_perf_event_ret on_event(void *ctx, int cpu, struct perf_event_header *event)
{
	struct seen *seen = ctx;

	(void)cpu;
	seen->wrong |= event->type != PERF_RECORD_SAMPLE || event->size != 8 + 8 + 8 + 4 + 20;
	seen->samples++;
	return LIBBPF_PERF_EVENT_CONT;
}

/* As bpftool map event_pipe does it. */
static void test_raw(void **state)
{
	int map = map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, possible_cpus(), 0);
	int prog = load_producer(map);
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
		.sample_period = 1,
		.wakeup_events = 1,
	};
	struct seen seen = {0};
	struct perf_buffer *buffer = perf_buffer__new_raw(map, 4, &attr, on_event, &seen, NULL);

	(void)state;
	assert_non_null(buffer);
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(produce(prog, 0, n), 0);
	while (seen.samples < 10)
		assert_true(perf_buffer__poll(buffer, 5000) > 0);
	assert_false(seen.wrong);
	perf_buffer__free(buffer);
	close(prog);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_own_loop),
		cmocka_unit_test(test_raw),
	};

	require_bpf();
	return run_tests(tests);
}
