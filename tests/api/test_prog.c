/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_prog.c: program handles and runners: packets in and out, contexts, every errno, both
 * engines, threads with runners of their own.
 */
#include "api/api_test.h"

#include <fcntl.h>
#include <pthread.h>

#define INSN(op, dst, src, offset, value)                                                          \
	((struct bpf_insn){                                                                        \
		.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value)})
#define LOAD(size, dst, src, offset) INSN(BPF_LDX | BPF_MEM | (size), dst, src, offset, 0)
#define STORE(size, dst, src, offset) INSN(BPF_STX | BPF_MEM | (size), dst, src, offset, 0)
#define MOV(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define ADD(dst, value) INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, value)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define load(type, insns, flags) load_insns(type, insns, sizeof(insns) / sizeof(*(insns)), flags)

/* A descriptor. */
static int load_insns(uint32_t type, const struct bpf_insn *insns, uint32_t count, uint32_t flags)
{
	union test_attr attr = {.a = {.prog_type = type,
				      .insns = ptr64(insns),
				      .insn_cnt = count,
				      .license = ptr64("GPL"),
				      .prog_flags = flags}};
	int fd = (int)bpf_sys(BPF_PROG_LOAD, &attr, sizeof(attr.a));

	assert_true(fd >= 0);
	return fd;
}

/* Closes fd. */
static struct userbpf_prog *open_prog(int fd, uint32_t flags)
{
	struct userbpf_prog *prog;

	assert_int_equal(userbpf_prog_open(fd, flags, &prog), 0);
	close(fd);
	return prog;
}

static struct userbpf_runner *open_runner(struct userbpf_prog *prog)
{
	struct userbpf_runner *runner;

	assert_int_equal(userbpf_runner_open(prog, &runner), 0);
	return runner;
}

static void close_both(struct userbpf_prog *prog, struct userbpf_runner *runner)
{
	userbpf_runner_close(runner);
	userbpf_prog_close(prog);
}

/* Returns the first byte of the packet and adds one to it. */
static const struct bpf_insn count_byte[] = {
	LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data)),
	LOAD(BPF_W, 3, 1, offsetof(struct xdp_md, data_end)),
	MOV(4, 2),
	ADD(4, 14),
	SET(0, 1000),
	INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 4, 0),
	LOAD(BPF_B, 0, 2, 0),
	MOV(5, 0),
	ADD(5, 1),
	STORE(BPF_B, 2, 5, 0),
	EXIT,
};

/* bpf_xdp_adjust_head(ctx, -8) */
static const struct bpf_insn grow[] = {
	SET(2, -8), CALL(BPF_FUNC_xdp_adjust_head), EXIT,
};

/* tc: mark = 7; returns the packet's length. */
static const struct bpf_insn mark[] = {
	SET(2, 7),
	STORE(BPF_W, 1, 2, offsetof(struct __sk_buff, mark)),
	LOAD(BPF_W, 0, 1, offsetof(struct __sk_buff, len)),
	EXIT,
};

static void test_open(void **state)
{
	int fd = load(BPF_PROG_TYPE_XDP, count_byte, 0), file = open("/dev/null", O_RDONLY);
	struct userbpf_map *map = create_map(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	struct userbpf_prog *prog;

	errno = 77;
	assert_int_equal(userbpf_prog_open(-1, 0, &prog), -EBADF);
	assert_null(prog);
	assert_int_equal(userbpf_prog_open(file, 0, &prog), -EINVAL);
	assert_int_equal(userbpf_prog_open(userbpf_map_fd(map), 0, &prog), -EINVAL);
	assert_int_equal(userbpf_prog_open(fd, 2, &prog), -EINVAL);
	assert_null(prog);
	prog = open_prog(fd, 0);
	assert_int_equal(userbpf_prog_type(prog), BPF_PROG_TYPE_XDP);
	assert_true(userbpf_prog_fd(prog) >= 0);
	userbpf_prog_close(prog);
	userbpf_prog_close(NULL);
	userbpf_runner_close(NULL);
	userbpf_map_close(map);
	assert_int_equal(errno, 77);
	close(file);
}

static void check_packets(uint32_t flags)
{
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_XDP, count_byte, 0), flags);
	struct userbpf_runner *runner = open_runner(prog);
	uint8_t packets[3][64];
	struct userbpf_run runs[3] = {{0}};

	for (uint8_t i = 0; i < 3; i++) {
		memset(packets[i], 10 * i, sizeof(packets[i]));
		runs[i] = (struct userbpf_run){.data = packets[i], .data_size = 64, .data_room = 64};
	}
	runs[2].data_room = 0;
	assert_int_equal(userbpf_runner_run(runner, runs, 3), 0);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(runs[i].error, 0);
		assert_int_equal(runs[i].retval, 10 * i);
		assert_int_equal(runs[i].data_size, 64);
		assert_int_equal(packets[i][0], 10 * i + (i < 2));
		assert_int_equal(packets[i][1], 10 * i);
	}
	assert_int_equal(userbpf_runner_run(runner, runs, 1), 0);
	assert_int_equal(runs[0].retval, 1);
	assert_int_equal(userbpf_runner_run(runner, NULL, 0), 0);
	close_both(prog, runner);
}

static void test_packets(void **state)
{
	check_packets(0);
	check_packets(USERBPF_TRUST);
}

static void test_errors(void **state)
{
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_XDP, count_byte, 0), 0);
	struct userbpf_runner *runner = open_runner(prog);
	static uint8_t packet[80000] = {5};
	uint8_t ctx[256] = {0};
	struct userbpf_run good = {.data = packet, .data_size = 64}, runs[8];

	for (int i = 0; i < 8; i++)
		runs[i] = good;
	runs[1].data_size = 13;
	runs[2].data = NULL;
	runs[3].reserved = 1;
	runs[4].ctx = ctx;
	runs[4].ctx_size = sizeof(ctx);
	ctx[255] = 1;
	runs[6].data_size = sizeof(packet);
	runs[7] = (struct userbpf_run){0};
	errno = 77;
	assert_int_equal(userbpf_runner_run(runner, runs, 8), -EINVAL);
	assert_int_equal(runs[0].error, 0);
	assert_int_equal(runs[1].error, -EINVAL);
	assert_int_equal(runs[2].error, -EFAULT);
	assert_int_equal(runs[3].error, -EINVAL);
	assert_int_equal(runs[4].error, -E2BIG);
	assert_int_equal(runs[5].error, 0);
	assert_int_equal(runs[5].retval, 5);
	assert_int_equal(runs[6].error, -ENOMEM);
	assert_int_equal(runs[7].error, -EINVAL);
	assert_int_equal(errno, 77);
	close_both(prog, runner);
}

static void test_growing(void **state)
{
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_XDP, grow, 0), 0);
	struct userbpf_runner *runner = open_runner(prog);
	uint8_t packet[72] = {0};
	struct userbpf_run run = {.data = packet, .data_size = 64, .data_room = 72};

	packet[0] = 1;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), 0);
	assert_int_equal(run.retval, 0);
	assert_int_equal(run.data_size, 72);
	assert_int_equal(packet[8], 1);
	run.data_size = 72;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -ENOSPC);
	assert_int_equal(run.data_size, 80);
	assert_int_equal(packet[16], 1);
	close_both(prog, runner);
}

static void test_skb_context(void **state)
{
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_SCHED_CLS, mark, 0), 0);
	struct userbpf_runner *runner = open_runner(prog);
	uint8_t packet[60] = {0};
	struct __sk_buff skb = {.priority = 3};
	struct userbpf_run run = {
		.data = packet, .data_size = 60, .ctx = &skb, .ctx_size = sizeof(skb)};

	assert_int_equal(userbpf_runner_run(runner, &run, 1), 0);
	assert_int_equal(run.retval, 60);
	assert_int_equal(skb.mark, 7);
	assert_int_equal(skb.priority, 3);
	skb.len = 1;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	memset(&skb, 0, sizeof(skb));
	skb.ifindex = 0x7fffffff;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -ENODEV);
	memset(&skb, 0, sizeof(skb));
	run.ctx_size = 20;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -ENOSPC);
	close_both(prog, runner);
}

static void test_plain_contexts(void **state)
{
	/* ctx[1] = ctx[0] + 1 */
	static const struct bpf_insn next[] = {
		LOAD(BPF_DW, 2, 1, 0), ADD(2, 1), STORE(BPF_DW, 1, 2, 8), SET(0, 0), EXIT,
	};
	static const struct bpf_insn second[] = {LOAD(BPF_DW, 0, 1, 8), EXIT};
	uint64_t words[2] = {41, 0};
	struct userbpf_run run = {.ctx = words, .ctx_size = sizeof(words)};
	struct userbpf_prog *prog =
		open_prog(load(BPF_PROG_TYPE_SYSCALL, next, BPF_F_SLEEPABLE), 0);
	struct userbpf_runner *runner = open_runner(prog);

	assert_int_equal(userbpf_runner_run(runner, &run, 1), 0);
	assert_int_equal(words[1], 42);
	run.ctx_size = 8;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	run.ctx_size = 1u << 16;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	run = (struct userbpf_run){.ctx_size = sizeof(words)};
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	close_both(prog, runner);

	prog = open_prog(load(BPF_PROG_TYPE_RAW_TRACEPOINT, second, 0), 0);
	runner = open_runner(prog);
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	run = (struct userbpf_run){.ctx = words};
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	run = (struct userbpf_run){.ctx = words, .ctx_size = sizeof(words)};
	assert_int_equal(userbpf_runner_run(runner, &run, 1), 0);
	assert_int_equal(run.retval, 42);
	run.data = words;
	assert_int_equal(userbpf_runner_run(runner, &run, 1), -EINVAL);
	close_both(prog, runner);
}

static void test_no_test_run(void **state)
{
	static const struct bpf_insn nothing[] = {SET(0, 0), EXIT};
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_KPROBE, nothing, 0), 0);
	struct userbpf_runner *runner = (void *)1;

	assert_int_equal(userbpf_runner_open(prog, &runner), -ENOTSUPP);
	assert_null(runner);
	userbpf_prog_close(prog);
}

/* A run that the checks stop: it loads from beyond the end of the packet. */
static void test_stopped(void **state)
{
	static const struct bpf_insn beyond[] = {
		LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data_end)),
		LOAD(BPF_B, 0, 2, 100),
		EXIT,
	};
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_XDP, beyond, 0), 0);
	struct userbpf_runner *runner = open_runner(prog);
	uint8_t packet[64] = {0};
	struct userbpf_run runs[2] = {{.data = packet, .data_size = 64},
				      {.data = packet, .data_size = 64}};

	assert_int_equal(userbpf_runner_run(runner, runs, 2), -EFAULT);
	assert_int_equal(runs[1].error, -EFAULT);
	close_both(prog, runner);
}

/* Counts in an inner map, which another one replaces between two batches. */
static void check_inner_maps(uint32_t flags)
{
	struct userbpf_map *inner[2] = {create_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0),
					create_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0)}, *outer;
	const struct userbpf_map_opts opts = {.size = sizeof(opts),
					      .type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
					      .key_size = 4,
					      .value_size = 4,
					      .max_entries = 1,
					      .inner_fd = userbpf_map_fd(inner[0])};
	int err = userbpf_map_create(&opts, &outer);
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
		MOV(2, 10),
		ADD(2, -4),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, userbpf_map_fd(outer)),
		INSN(0, 0, 0, 0, 0),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 8, 0),
		MOV(1, 0),
		MOV(2, 10),
		ADD(2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, 0),
		LOAD(BPF_DW, 1, 0, 0),
		ADD(1, 1),
		STORE(BPF_DW, 0, 1, 0),
		SET(0, 0),
		EXIT,
	};
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_XDP, insns, 0), flags);
	struct userbpf_runner *runner = open_runner(prog);
	uint8_t packet[64] = {0};
	struct userbpf_run run = {.data = packet, .data_size = 64}, runs[3] = {run, run, run};
	const uint32_t key = 0;

	assert_int_equal(err, 0);
	for (int i = 0; i < 2; i++) {
		int fd = userbpf_map_fd(inner[i]);

		assert_int_equal(userbpf_map_update(outer, &key, &fd, BPF_ANY), 0);
		assert_int_equal(userbpf_runner_run(runner, runs, 3), 0);
		assert_int_equal(*(uint64_t *)userbpf_map_lookup(inner[i], &key), 3);
		userbpf_map_close(inner[i]);
	}
	close_both(prog, runner);
	userbpf_map_close(outer);
}

static void test_inner_maps(void **state)
{
	check_inner_maps(0);
	check_inner_maps(USERBPF_TRUST);
}

/* Each thread counts in the value of its virtual CPU, without atomics, and nothing is lost. */

enum { THREADS = 4, RUNS = 5000, BATCH = 10 };

static struct userbpf_map *counters;

static int load_counter(void)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
		MOV(2, 10),
		ADD(2, -4),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, userbpf_map_fd(counters)),
		INSN(0, 0, 0, 0, 0),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, 0),
		LOAD(BPF_DW, 1, 0, 0),
		ADD(1, 1),
		STORE(BPF_DW, 0, 1, 0),
		SET(0, 0),
		EXIT,
	};

	return load(BPF_PROG_TYPE_XDP, insns, 0);
}

static void *run_many(void *prog)
{
	uint8_t packet[64] = {0};
	struct userbpf_run runs[BATCH];
	struct userbpf_runner *runner;
	int err = userbpf_runner_open(prog, &runner);

	for (int i = 0; i < BATCH; i++)
		runs[i] = (struct userbpf_run){.data = packet, .data_size = 64};
	for (int i = 0; !err && i < RUNS / BATCH; i++)
		err = userbpf_runner_run(runner, runs, BATCH);
	userbpf_runner_close(runner);
	return err ? "failed" : NULL;
}

/* Reads beyond the packet. */
static const struct bpf_insn read_beyond[] = {
	LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data)), LOAD(BPF_B, 0, 2, 64), SET(0, 2), EXIT,
};

/* What is not trusted is checked, whoever calls it; who is not trusted goes on in the interpreter. */
static void check_tail_call(uint32_t caller_flags, uint32_t target_flags, int expected)
{
	struct userbpf_map *array = create_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	const struct bpf_insn insns[] = {
		INSN(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_FD, 0, userbpf_map_fd(array)),
		INSN(0, 0, 0, 0, 0),
		SET(3, 0),
		CALL(BPF_FUNC_tail_call),
		SET(0, 1),
		EXIT,
	};
	struct userbpf_prog *target = open_prog(load(BPF_PROG_TYPE_XDP, read_beyond, 0), target_flags);
	struct userbpf_prog *caller = open_prog(load(BPF_PROG_TYPE_XDP, insns, 0), caller_flags);
	struct userbpf_runner *runner = open_runner(caller);
	struct userbpf_run run = {.data = (uint8_t[64]){0}, .data_size = 64, .data_room = 64};
	const int fd = userbpf_prog_fd(target);
	const uint32_t key = 0;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(userbpf_runner_run(runner, &run, 1), 0);
		assert_int_equal(run.error, 0);
		assert_int_equal(run.retval, 1);
	}
	assert_int_equal(map_update(userbpf_map_fd(array), &key, &fd, 0), 0);
	userbpf_prog_close(target);
	for (int i = 0; i < 2; i++) {
		userbpf_runner_run(runner, &run, 1);
		assert_int_equal(run.error, expected);
		if (!expected)
			assert_int_equal(run.retval, 2);
	}
	close_both(caller, runner);
	userbpf_map_close(array);
}

static void test_tail_calls(void **state)
{
	check_tail_call(0, 0, -EFAULT);
	check_tail_call(0, USERBPF_TRUST, -EFAULT);
	check_tail_call(USERBPF_TRUST, 0, -EFAULT);
	check_tail_call(USERBPF_TRUST, USERBPF_TRUST, 0);
}

static void check_threads(uint32_t flags)
{
	const uint32_t cpus = possible_cpus(), key = 0;
	pthread_t threads[THREADS];
	struct userbpf_prog *prog;
	uint64_t sum = 0;
	void *failed;

	counters = create_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1, 0);
	prog = open_prog(load_counter(), flags);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, prog), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		sum += *(uint64_t *)userbpf_map_lookup_cpu(counters, &key, cpu);
	assert_int_equal(sum, THREADS * RUNS);
	userbpf_prog_close(prog);
	userbpf_map_close(counters);
}

static void test_threads(void **state)
{
	check_threads(0);
	check_threads(USERBPF_TRUST);
}

/* One run of a program that calls a helper with R1 to R3 of its own and returns what it says. */
static int run_redirect(unsigned type, const struct bpf_insn *insns, unsigned count,
			struct userbpf_redirect *redirect)
{
	struct userbpf_prog *prog = open_prog(load_insns(type, insns, count, 0), 0);
	struct userbpf_runner *runner = open_runner(prog);
	uint8_t packet[64] = {0};
	struct userbpf_run run = {.data = packet, .data_size = sizeof(packet)};
	int err;

	assert_int_equal(userbpf_runner_redirect(runner, redirect), -ENOENT);
	assert_int_equal(userbpf_runner_run(runner, &run, 1), 0);
	err = userbpf_runner_redirect(runner, redirect);
	close_both(prog, runner);
	return err;
}

static void test_redirect_to_interface(void **state)
{
	const struct bpf_insn redirect[] = {SET(1, 3), SET(2, 0), CALL(BPF_FUNC_redirect),
					    EXIT};
	const struct bpf_insn passes[] = {SET(1, 3), SET(2, 0), CALL(BPF_FUNC_redirect),
					  SET(0, XDP_PASS), EXIT};
	struct userbpf_redirect to;

	(void)state;
	assert_int_equal(run_redirect(BPF_PROG_TYPE_XDP, redirect, 4, &to), 0);
	assert_int_equal(to.map_id, 0);
	assert_int_equal(to.ifindex, 3);
	assert_int_equal(run_redirect(BPF_PROG_TYPE_SCHED_CLS, redirect, 4, &to), 0);
	assert_int_equal(to.ifindex, 3);
	assert_int_equal(run_redirect(BPF_PROG_TYPE_XDP, passes, 5, &to), -ENOENT);
}

static void test_redirect_by_map(void **state)
{
	const uint32_t key = 70, loopback = 1;
	int map = map_create(BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 2, 0);
	struct bpf_insn redirect[] = {INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
				      INSN(0, 0, 0, 0, 0), SET(2, 70),
				      SET(3, 2), CALL(BPF_FUNC_redirect_map), EXIT};
	struct userbpf_redirect to;

	(void)state;
	assert_int_equal(run_redirect(BPF_PROG_TYPE_XDP, redirect, 6, &to), -ENOENT);
	assert_int_equal(map_update(map, &key, &loopback, 0), 0);
	assert_int_equal(run_redirect(BPF_PROG_TYPE_XDP, redirect, 6, &to), 0);
	assert_true(to.map_id);
	assert_int_equal(to.key, 70);
	assert_int_equal(to.ifindex, 1);
	assert_int_equal(to.flags, 2);
	redirect[3].imm = BPF_F_BROADCAST;
	assert_int_equal(run_redirect(BPF_PROG_TYPE_XDP, redirect, 6, &to), 0);
	assert_int_equal(to.ifindex, 0);
	assert_int_equal(to.flags, BPF_F_BROADCAST);
	close(map);
}

static uint64_t runs_counted(const struct userbpf_prog *prog)
{
	struct bpf_prog_info info = {0};
	union test_attr attr = {.a.info = {.bpf_fd = (uint32_t)userbpf_prog_fd(prog),
					   .info_len = sizeof(info),
					   .info = ptr64(&info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.a)), 0);
	assert_int_equal(!info.run_time_ns, !info.run_cnt);
	return info.run_cnt;
}

static void test_run_stats(void **state)
{
	struct userbpf_prog *prog = open_prog(load(BPF_PROG_TYPE_XDP, count_byte, 0), 0);
	struct userbpf_runner *runner = open_runner(prog);
	union test_attr attr = {.a.enable_stats.type = BPF_STATS_RUN_TIME};
	uint8_t packet[64] = {0};
	struct userbpf_run runs[2] = {{.data = packet, .data_size = sizeof(packet)},
				      {.data = packet, .data_size = sizeof(packet)}};
	int fd;

	assert_int_equal(userbpf_runner_run(runner, runs, 2), 0);
	assert_int_equal(runs_counted(prog), 0);
	fd = (int)bpf_sys(BPF_ENABLE_STATS, &attr, sizeof(attr.a));
	assert_true(fd >= 0);
	assert_int_equal(userbpf_runner_run(runner, runs, 2), 0);
	assert_int_equal(userbpf_runner_run(runner, runs, 1), 0);
	assert_int_equal(runs_counted(prog), 3);
	close(fd);
	assert_int_equal(userbpf_runner_run(runner, runs, 2), 0);
	assert_int_equal(runs_counted(prog), 3);
	close_both(prog, runner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_skb_context),
		cmocka_unit_test(test_plain_contexts),
		cmocka_unit_test(test_no_test_run),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_inner_maps),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_tail_calls),
		cmocka_unit_test(test_redirect_to_interface),
		cmocka_unit_test(test_redirect_by_map),
		cmocka_unit_test(test_run_stats),
	};

	return run_in_directory(tests);
}
