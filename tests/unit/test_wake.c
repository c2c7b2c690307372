/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_wake.c: whoever waits for an object is woken, whatever became of other waiters and wakers.
 */
#include "unit/map_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "object/wake.h"

static struct map *map;
static struct wake *wake;

static int open_object(void **state)
{
	struct map_spec spec = {.type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = 4,
				.max_entries = 1};

	(void)state;
	map = open_map(&spec);
	wake = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return wake == MAP_FAILED;
}

static int close_object(void **state)
{
	(void)state;
	munmap(wake, PAGE_BYTES);
	close_map(map);
	return 0;
}

/* A set with a FIFO in it, whose edge of the beginning has been taken. */
static int new_set(int *fifo)
{
	struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
	int set = epoll_create1(0);

	*fifo = wake_open(&map->object, wake);
	assert_true(*fifo >= 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, *fifo, &edge), 0);
	epoll_wait(set, &edge, 1, 0);
	return set;
}

static int edges(int set, int ms)
{
	struct epoll_event edge;

	return epoll_wait(set, &edge, 1, ms);
}

static void several_waiters(void **state)
{
	int fifos[2], sets[2] = {new_set(&fifos[0]), new_set(&fifos[1])};

	(void)state;
	for (int i = 0; i < 3; i++) {
		wake_up(&map->object, wake);
		assert_int_equal(edges(sets[0], 0), 1);
		assert_int_equal(edges(sets[1], 0), 1);
		assert_int_equal(edges(sets[0], 0), 0);
	}
	for (int i = 0; i < 2; i++) {
		close(sets[i]);
		close(fifos[i]);
	}
}

/* More edges than a FIFO takes. */
static void full_fifo(void **state)
{
	int fifo, set = new_set(&fifo);

	(void)state;
	for (int i = 0; i < 70000; i++)
		wake_up(&map->object, wake);
	assert_int_equal(edges(set, 0), 1);
	wake_up(&map->object, wake);
	assert_int_equal(edges(set, 0), 1);
	assert_int_equal(wake_missed(wake), 0);
	close(set);
	close(fifo);
}

/* What a killed waiter leaves goes with the next wake-up. */
static void killed_waiter(void **state)
{
	int fifo, set;
	pid_t child = fork();

	(void)state;
	if (!child) {
		new_set(&fifo);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(wake->waiters, 1);
	wake_up(&map->object, wake);
	assert_int_equal(wake->waiters, 0);
	set = new_set(&fifo);
	wake_up(&map->object, wake);
	assert_int_equal(edges(set, 0), 1);
	close(set);
	close(fifo);
}

static void other_process(void **state)
{
	int fifo, set = new_set(&fifo);

	(void)state;
	if (!fork()) {
		wake_up(&map->object, wake);
		_exit(0);
	}
	assert_int_equal(edges(set, 10000), 1);
	assert_true(wait(NULL) > 0);
	close(set);
	close(fifo);
}

/* A waker that cannot open the FIFO says that a wake-up is missing. */
static void no_descriptor(void **state)
{
	int fifo, set = new_set(&fifo);
	struct rlimit limit, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){3, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	wake_up(&map->object, wake);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(wake_missed(wake), 1);
	close(set);
	close(fifo);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_object, close_object)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(several_waiters), TEST(full_fifo),
					   TEST(killed_waiter), TEST(other_process),
					   TEST(no_descriptor)};
	const char *directory = make_realm_directory();

	if (!directory)
		return 1;
	return run_in_realm(directory, tests);
}
