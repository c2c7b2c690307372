/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_prog_array_changes.c: programs run while others change the array that they call through. (Not
 * a case of test_prog_array.c, since it must not run where engines are compared.)
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../vm/run.h"

#define TC BPF_PROG_TYPE_SCHED_CLS
#define RUNS 20000

static int returns(int value)
{
	const struct bpf_insn insns[] = {MOV_K(R0, value), EXIT};
	int fd = prog_load(TC, 0, insns, 2);

	assert_true(fd >= 0);
	return fd;
}

/* Goes on with the first program, or else returns 9. */
static int caller(int array)
{
	const struct bpf_insn insns[] = {LD64_RAW(R2, BPF_PSEUDO_MAP_FD, array, 0), MOV_K(R3, 0),
					 CALL(BPF_FUNC_tail_call), MOV_K(R0, 9), EXIT};
	int fd = prog_load(TC, 0, insns, 6);

	assert_true(fd >= 0);
	return fd;
}

static int put(int array, uint32_t index, int fd)
{
	return map_update(array, &index, &fd, BPF_ANY);
}

static atomic_int over;

struct changes {
	int array, progs[2];
};

static void *change(void *arg)
{
	const struct changes *c = arg;
	const uint32_t index = 0;

	for (unsigned i = 0; !atomic_load(&over); i++) {
		put(c->array, index, c->progs[i & 1]);
		if (i % 3 == 0)
			map_delete(c->array, &index);
	}
	return NULL;
}

/* Elements change, and programs come and go, while others are on their way to them. */
static void test_changes(void **state)
{
	struct changes c = {map_create(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0),
			    {returns(1), returns(2)}};
	int from = caller(c.array), late = -1;
	unsigned seen[10] = {0};
	pthread_t thread;

	(void)state;
	atomic_store(&over, 0);
	assert_int_equal(pthread_create(&thread, NULL, change, &c), 0);
	for (unsigned i = 0; i < RUNS; i++) {
		int result = run_once(from);

		assert_in_range(result, 1, 9);
		seen[result]++;
		if (i % 100 == 0) {
			close(late);
			late = returns(2);
			put(c.array, 0, late);
		}
	}
	atomic_store(&over, 1);
	pthread_join(thread, NULL);
	assert_int_equal(seen[1] + seen[2] + seen[9], RUNS);
	assert_true(seen[1] + seen[2] > 0);
	close(late);
	close(from);
	close(c.array);
	for (int i = 0; i < 2; i++)
		close(c.progs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
	};

	require_bpf();
	return run_tests(tests);
}
