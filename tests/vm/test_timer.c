/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_timer.c: timers in map values: what the helpers return, and that callbacks come, with the
 * right map, key and value, once, and not after what cancels them.
 */
#include <sys/wait.h>
#include <time.h>

#include "run.h"
#include "skeleton_run.h"
#include "timer.skel.h"

#define MS 1000000ull
#define LONG (3600 * 1000 * MS)

struct value {
	uint64_t fired, last_key, padding;
	uint64_t timer[2];
};

static struct timer *skel;
static int maps[3];

static int start(uint64_t ns, uint64_t flags)
{
	skel->bss->ns = ns;
	skel->bss->flags = flags;
	return RUN(start);
}

static struct value get(void)
{
	struct value value;

	assert_int_equal(bpf_map_lookup_elem(maps[skel->bss->which], &skel->bss->key, &value), 0);
	return value;
}

static int put(void)
{
	const struct value value = {.timer = {1, 2}};

	return bpf_map_update_elem(maps[skel->bss->which], &skel->bss->key, &value, 0);
}

static void wait_for(uint64_t fired)
{
	for (int i = 0; i < 10000 && get().fired < fired; i++)
		usleep(1000);
	assert_int_equal(get().fired, fired);
}

/* A fresh element with a timer that has a callback. */
static void fresh(int which, uint32_t key)
{
	skel->bss->which = which;
	skel->bss->key = key;
	skel->bss->clock = CLOCK_MONOTONIC;
	assert_int_equal(put(), 0);
	assert_int_equal(RUN(init), 0);
	assert_int_equal(RUN(set_callback), 0);
}

static int setup(void **state)
{
	(void)state;
	skel = timer__open_and_load();
	if (!skel)
		return -1;
	maps[0] = bpf_map__fd(skel->maps.array);
	maps[1] = bpf_map__fd(skel->maps.hash);
	maps[2] = bpf_map__fd(skel->maps.lru);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timer__destroy(skel);
	return 0;
}

static void results(void **state)
{
	static const uint64_t bad[] = {2, 3, 4, 5, 6, 8, 11, 16, 17, 1ull << 32};

	(void)state;
	for (int i = 0; i < 3; i++) {
		skel->bss->which = i;
		skel->bss->key = 1;
		assert_int_equal(put(), 0);
		assert_int_equal(start(LONG, 0), -EINVAL);
		assert_int_equal(RUN(set_callback), -EINVAL);
		assert_int_equal(RUN(cancel), -EINVAL);
		for (size_t b = 0; b < sizeof(bad) / sizeof(*bad); b++) {
			skel->bss->clock = bad[b];
			assert_int_equal(RUN(init), -EINVAL);
		}
		skel->bss->clock = CLOCK_REALTIME;
		assert_int_equal(RUN(init), 0);
		assert_int_equal(RUN(init), -EBUSY);
		assert_int_equal(start(LONG, 0), -EINVAL);
		assert_int_equal(RUN(cancel), 0);
		assert_int_equal(RUN(set_callback), 0);
		assert_int_equal(start(LONG, 4), -EINVAL);
		assert_int_equal(start(LONG, 8), -EINVAL);
		assert_int_equal(start(LONG, 0), 0);
		assert_int_equal(start(LONG, 2), 0);
		assert_int_equal(RUN(cancel), 1);
		assert_int_equal(RUN(cancel), 0);
		assert_int_equal(start(LONG, 0), -EINVAL);
		assert_int_equal(RUN(init), -EBUSY);
		assert_int_equal(get().timer[0], 0);
		assert_int_equal(get().timer[1], 0);
		if (i)
			assert_int_equal(bpf_map_delete_elem(maps[i], &skel->bss->key), 0);
	}
}

static void calls_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		for (uint32_t key = 0; key < 4; key++) {
			fresh(i, key);
			assert_int_equal(start(MS, key % 2), 0);
			wait_for(1);
			assert_int_equal(get().last_key, key);
			assert_int_equal(RUN(cancel), 0);
		}
}

static void in_the_past_is_now(void **state)
{
	(void)state;
	fresh(0, 0);
	assert_int_equal(start(-5000 * MS, 1), 0);
	wait_for(1);
}

static void starts_itself_again(void **state)
{
	(void)state;
	fresh(1, 0);
	skel->bss->again = 20;
	assert_int_equal(start(0, 0), 0);
	wait_for(21);
}

static void a_later_start_counts(void **state)
{
	(void)state;
	fresh(1, 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(start(LONG + i, 0), 0);
	assert_int_equal(start(MS, 0), 0);
	wait_for(1);
	assert_int_equal(start(MS, 0), 0);
	assert_int_equal(start(LONG, 0), 0);
	assert_int_equal(RUN(cancel), 1);
}

/* That which is set when the time comes, also by another program than when it was started. */
static void the_last_callback_counts(void **state)
{
	(void)state;
	fresh(1, 0);
	assert_int_equal(start(50 * MS, 0), 0);
	assert_int_equal(RUN(set_other_callback), 0);
	wait_for(100);
	assert_int_equal(start(0, 0), 0);
	wait_for(200);
}

static void callback_cannot_wait_for_itself(void **state)
{
	(void)state;
	fresh(2, 3);
	skel->bss->cancel_inside = 1;
	assert_int_equal(start(0, 0), 0);
	wait_for(1);
	for (int i = 0; i < 10000 && !skel->bss->result; i++)
		usleep(1000);
	skel->bss->cancel_inside = 0;
	assert_int_equal(skel->bss->result, -EDEADLK);
}

/* A timer that was due when its element went must not be seen in the next one. */
static void another_value_cancels(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		fresh(i, 2);
		assert_int_equal(start(50 * MS, 0), 0);
		assert_int_equal(put(), 0);
		assert_int_equal(start(0, 0), -EINVAL);
		assert_int_equal(RUN(cancel), -EINVAL);
		usleep(100000);
		assert_int_equal(get().fired, 0);
	}
}

static void delete_cancels(void **state)
{
	(void)state;
	for (int i = 1; i < 3; i++) {
		fresh(i, 2);
		assert_int_equal(start(50 * MS, 0), 0);
		assert_int_equal(bpf_map_delete_elem(maps[i], &skel->bss->key), 0);
		assert_int_equal(put(), 0);
		usleep(100000);
		assert_int_equal(get().fired, 0);
	}
	fresh(1, 2);
	assert_int_equal(start(50 * MS, 0), 0);
	assert_int_equal(RUN(delete), 0);
	assert_int_equal(put(), 0);
	assert_int_equal(RUN(cancel), -EINVAL);
}

/* Started by a process that has ended; its callback may have come or not. */
static void another_process_goes_on(void **state)
{
	int status;
	pid_t child;

	(void)state;
	fresh(1, 1);
	child = fork();
	if (!child)
		_exit(start(LONG, 0) != 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(start(MS, 0), 0);
	wait_for(1);
	child = fork();
	if (!child) {
		assert_int_equal(start(0, 0), 0);
		wait_for(2);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(get().fired, 2);
}

/* Loads that are refused. */

static int load(unsigned type, int map)
{
	const struct bpf_insn insns[] = {
		MOV_X(R6, R1), ST_K(DW, R10, -8, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -8),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0), CALL(BPF_FUNC_map_lookup_elem),
		J_K(JEQ, R0, 0, 3), MOV_X(R1, R0), ALU64_K(ADD, R1, 24),
		CALL(BPF_FUNC_timer_cancel), MOV_K(R0, 0), EXIT,
	};

	return prog_load(type, 0, insns, sizeof(insns) / sizeof(*insns));
}

static void refused_at_load(void **state)
{
	int plain = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct value), 4, 0), fd;

	(void)state;
	fd = load(BPF_PROG_TYPE_SCHED_CLS, maps[0]);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(load(BPF_PROG_TYPE_SCHED_CLS, plain), -EINVAL);
	assert_int_equal(load(BPF_PROG_TYPE_KPROBE, maps[0]), -EINVAL);
	assert_int_equal(load(BPF_PROG_TYPE_RAW_TRACEPOINT, maps[0]), -EINVAL);
	close(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(calls_back),
		cmocka_unit_test(in_the_past_is_now),
		cmocka_unit_test(starts_itself_again),
		cmocka_unit_test(a_later_start_counts),
		cmocka_unit_test(the_last_callback_counts),
		cmocka_unit_test(callback_cannot_wait_for_itself),
		cmocka_unit_test(another_value_cancels),
		cmocka_unit_test(delete_cancels),
		cmocka_unit_test(another_process_goes_on),
		cmocka_unit_test(refused_at_load),
	};

	require_bpf();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("timer", tests, sizeof(tests) / sizeof(*tests), setup,
				       teardown);
}
