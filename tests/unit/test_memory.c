/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_memory.c: the core's heap: sizes, contents, threads, signal handlers, fork. */
#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCKS 64
#define ROUNDS 40000

static void sizes_and_alignment(void **state)
{
	static const size_t sizes[] = {0, 1, 48, 49, 4096, 65536, 131056, 131057, 1 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *block = memory_alloc(sizes[i]);

		assert_non_null(block);
		assert_int_equal((uintptr_t)block % 16, 0);
		memset(block, 0xaa, sizes[i]);
		memory_free(block);
	}
	memory_free(NULL);
	assert_null(memory_zalloc(SIZE_MAX / 2, 4));
}

static void zeroed_and_grown(void **state)
{
	u8 *block = memory_alloc(100);

	memset(block, 0xff, 100);
	memory_free(block);
	block = memory_zalloc(10, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(block[i], 0);
	for (int i = 0; i < 100; i++)
		block[i] = (u8)i;
	block = memory_realloc(block, 300000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(block[i], i);
	memory_free(block);
	block = memory_realloc(NULL, 10);
	assert_non_null(block);
	memory_free(block);
}

/* Each block is filled with its own number; a block given out twice shows. */
static long churn(unsigned seed)
{
	u32 *blocks[BLOCKS] = {0};
	long wrong = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 at = (seed = seed * 1103515245 + 12345) >> 16 & (BLOCKS - 1);
		u32 words = 1 + (seed >> 8 & 63);

		if (blocks[at]) {
			for (u32 w = 1; w < blocks[at][0]; w++)
				wrong += blocks[at][w] != (blocks[at][0] ^ (u32)(uintptr_t)blocks);
			memory_free(blocks[at]);
		}
		blocks[at] = memory_alloc(words * sizeof(u32));
		blocks[at][0] = words;
		for (u32 w = 1; w < words; w++)
			blocks[at][w] = words ^ (u32)(uintptr_t)blocks;
	}
	for (u32 i = 0; i < BLOCKS; i++)
		memory_free(blocks[i]);
	return wrong;
}

static void *churn_thread(void *arg)
{
	return (void *)churn((unsigned)(uintptr_t)arg);
}

static void threads(void **state)
{
	pthread_t thread[4];
	void *wrong;

	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn_thread, (void *)i), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
}

#ifndef __SANITIZE_ADDRESS__
static volatile sig_atomic_t interruptions;

static void allocate_in_handler(int signo)
{
	u8 *block = memory_alloc(40);

	interruptions++;
	memset(block, signo, 40);
	memory_free(block);
}

static void signal_handlers(void **state)
{
	const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	long wrong = 0;

	signal(SIGALRM, allocate_in_handler);
	setitimer(ITIMER_REAL, &often, NULL);
	while (interruptions < 20)
		wrong += churn(7);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(wrong, 0);
}
#endif

static void a_child_goes_on(void **state)
{
	void *block = memory_alloc(1000);
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(churn(3) != 0);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	memory_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_alignment),
		cmocka_unit_test(zeroed_and_grown),
		cmocka_unit_test(threads),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(signal_handlers),
#endif
		cmocka_unit_test(a_child_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
