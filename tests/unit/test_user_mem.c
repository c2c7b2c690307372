/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_user_mem.c: good memory is copied, bad memory is EFAULT, wherever it lies. */
#include "base/user_mem.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bpf_test.h"

#define PAGES 16
#define SIZE (PAGES * (size_t)PAGE_BYTES)

static u8 in_data[256] = "static data";
static const u8 in_rodata[256] = "read-only data";

/* PAGES usable pages, then one that is not there. */
static u8 *map_before_hole(void)
{
	u8 *mem = mmap(NULL, SIZE + PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	assert_true(mem != MAP_FAILED);
	assert_int_equal(munmap(mem + SIZE, PAGE_BYTES), 0);
	return mem;
}

/* There and back again. */
static void check_good(void *user, size_t len)
{
	u8 *saved = malloc(len), *pattern = malloc(len), *seen = malloc(len);

	memset(pattern, 0xa5, len);
	assert_int_equal(user_read(saved, ptr64(user), len), 0);
	assert_memory_equal(saved, user, len);
	assert_int_equal(user_write(ptr64(user), pattern, len), 0);
	assert_int_equal(user_read(seen, ptr64(user), len), 0);
	assert_memory_equal(seen, pattern, len);
	assert_int_equal(user_write(ptr64(user), saved, len), 0);
	free(saved);
	free(pattern);
	free(seen);
}

static void check_places(void)
{
	u8 on_stack[300] = {1}, *on_heap = malloc(300);

	memset(on_heap, 2, 300);
	for (size_t len = 1; len <= 256; len++) {
		check_good(on_stack, len);
		check_good(on_heap + 1, len);
		check_good(in_data, len);
	}
	free(on_heap);
}

static void test_good(void **state)
{
	u8 *mem = map_before_hole(), copy[sizeof(in_rodata)];

	check_places();
	check_good(mem, SIZE);
	check_good(mem + 1, SIZE - 1);
	check_good(mem + PAGE_BYTES - 3, 7);
	check_good(mem + SIZE - 1, 1);
	assert_int_equal(user_read(copy, ptr64(in_rodata), sizeof(copy)), 0);
	assert_memory_equal(copy, in_rodata, sizeof(copy));
	munmap(mem, SIZE);
}

static void *in_thread(void *arg)
{
	check_places();
	return NULL;
}

static void on_signal(int signal)
{
	check_places();
}

/* Every kind of stack: a thread's, a signal handler's own, a forked child's. */
static void test_other_stacks(void **state)
{
	stack_t alternate = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18},
		none = {.ss_flags = SS_DISABLE};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK}, old;
	pthread_t thread;
	int status;
	pid_t pid;

	assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
	pthread_join(thread, NULL);
	sigaltstack(&alternate, NULL);
	sigaction(SIGUSR1, &action, &old);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &old, NULL);
	sigaltstack(&none, NULL);
	free(alternate.ss_sp);
	pid = fork();
	if (!pid) {
		check_places();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void test_bad(void **state)
{
	u8 *mem = map_before_hole(), *none = map_before_hole(), *rdonly = map_before_hole();
	u8 *ours = calloc(1, 2 * SIZE);
	const struct {
		const char *name;
		u64 user;
		size_t len;
		int read, write;
	} cases[] = {
		{"NULL", 0, 8, -EFAULT, -EFAULT},
		{"NULL page", 8, 1, -EFAULT, -EFAULT},
		{"nothing at NULL", 0, 0, 0, 0},
		{"nothing at a bad address", ~0ull, 0, 0, 0},
		{"kernel", 0xffff888000000000, 8, -EFAULT, -EFAULT},
		{"not canonical", 0x0000800000000000, 8, -EFAULT, -EFAULT},
		{"deeper not canonical", 0x8000000000000000, 64, -EFAULT, -EFAULT},
		{"last byte", ~0ull, 1, -EFAULT, -EFAULT},
		{"wraps", ~0ull - 4, 8, -EFAULT, -EFAULT},
		{"wraps far", ptr64(mem), SIZE_MAX, -EFAULT, -EFAULT},
		{"hole", ptr64(mem + SIZE), 1, -EFAULT, -EFAULT},
		{"into the hole", ptr64(mem + SIZE - 4), 8, -EFAULT, -EFAULT},
		{"much into the hole", ptr64(mem), SIZE + 1, -EFAULT, -EFAULT},
		{"no access", ptr64(none), 8, -EFAULT, -EFAULT},
		{"much no access", ptr64(none), SIZE, -EFAULT, -EFAULT},
		{"read-only", ptr64(rdonly), 8, 0, -EFAULT},
		{"much read-only", ptr64(rdonly), SIZE, 0, -EFAULT},
		{"constant", ptr64(in_rodata), 8, 0, -EFAULT},
		{"code", ptr64(test_bad), 8, 0, -EFAULT},
	};

	mprotect(none, SIZE, PROT_NONE);
	mprotect(rdonly, SIZE, PROT_READ);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].len <= 2 * SIZE || cases[i].len == SIZE_MAX) {
			if (user_read(ours, cases[i].user, cases[i].len) != cases[i].read)
				fail_msg("read: %s", cases[i].name);
			if (user_write(cases[i].user, ours, cases[i].len) != cases[i].write)
				fail_msg("write: %s", cases[i].name);
		}
	}
	munmap(mem, SIZE);
	munmap(none, SIZE);
	munmap(rdonly, SIZE);
	free(ours);
}

static void test_strings(void **state)
{
	u8 *mem = map_before_hole();
	char out[2 * PAGE_BYTES], small[4];
	char *end = (char *)mem + SIZE;

	assert_int_equal(user_read_string(out, ptr64("abc"), sizeof(out)), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(user_read_string(out, ptr64(""), sizeof(out)), 0);
	assert_int_equal(user_read_string(small, ptr64("abc"), sizeof(small)), 3);
	assert_int_equal(user_read_string(small, ptr64("abcd"), sizeof(small)), -ENAMETOOLONG);
	assert_string_equal(small, "abc");
	assert_int_equal(user_read_string(out, 0, sizeof(out)), -EFAULT);
	strcpy(end - 4, "end");
	assert_int_equal(user_read_string(out, ptr64(end - 4), sizeof(out)), 3);
	memset(end - 4, 'x', 4);
	assert_int_equal(user_read_string(out, ptr64(end - 4), sizeof(out)), -EFAULT);
	assert_int_equal(user_read_string(small, ptr64(end - 4), 4), -ENAMETOOLONG);
	memset(mem, 'y', PAGE_BYTES + 100);
	mem[PAGE_BYTES + 100] = 0;
	assert_int_equal(user_read_string(out, ptr64(mem), sizeof(out)), PAGE_BYTES + 100);
	memset(out, '.', 8);
	assert_int_equal(user_read_string(out, ptr64("ab\0cd"), 8), 2);
	assert_memory_equal(out, "ab\0.....", 8);
	munmap(mem, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_other_stacks),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_strings),
	};

	return run_tests(tests);
}
