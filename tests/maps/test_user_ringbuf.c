/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_user_ringbuf.c: USER_RINGBUF: what the application may map and write, what programs make of
 * it, and libbpf's user_ring_buffer, with the same expectations on kernel and userbpf.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ring_test.h"

#define BUSY BPF_RINGBUF_BUSY_BIT
#define DISCARD BPF_RINGBUF_DISCARD_BIT

static long drain(uint64_t flags)
{
	skel->bss->flags = flags;
	assert_int_equal(RUN(drain), 0);
	return (long)skel->bss->result;
}

static int open_ring(void **state)
{
	(void)state;
	skel = ring__open_and_load();
	if (!skel)
		return -1;
	return map_ring(skel->maps.from_user, PROT_READ, PROT_READ | PROT_WRITE);
}

static uint64_t *words(uint64_t position)
{
	return (uint64_t *)(void *)(data + (position + 8) % RING_BYTES);
}

/* A record of 24 bytes with that header. */
static void put(uint64_t number, uint32_t head)
{
	const uint64_t at = *producer;

	header(at)[0] = head;
	words(at)[0] = number;
	words(at)[1] = words(at)[2] = 0;
	*producer = at + 32;
}

/* 0 or the errno of the mapping. */
static int try_map(size_t offset, size_t len, int prot)
{
	void *at = mmap(NULL, len, prot, MAP_SHARED, ring, (off_t)offset);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, len);
	return 0;
}

static void mappings(void **state)
{
	const size_t pages = 2 + 2 * RING_BYTES / PAGE;

	(void)state;
	assert_int_equal(try_map(0, PAGE, PROT_READ | PROT_WRITE), EPERM);
	assert_int_equal(try_map(0, pages * PAGE, PROT_READ | PROT_WRITE), EPERM);
	assert_int_equal(try_map(0, pages * PAGE, PROT_READ), 0);
	assert_int_equal(try_map(0, (pages + 1) * PAGE, PROT_READ), EINVAL);
	assert_int_equal(try_map(PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(try_map(2 * PAGE, PAGE, PROT_WRITE), 0);
	assert_int_equal(try_map(PAGE, pages * PAGE, PROT_READ | PROT_WRITE), EINVAL);
	assert_int_equal(map_create(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4095, 0), -EINVAL);
	assert_int_equal(map_create(BPF_MAP_TYPE_USER_RINGBUF, 0, 8, 4096, 0), -EINVAL);
	assert_int_equal(map_create(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, 8), -EINVAL);
	assert_int_equal(map_lookup(ring, NULL, &skel), -ENOTSUPP);
}

static void draining(void **state)
{
	(void)state;
	assert_int_equal(drain(0), 0);
	assert_int_equal(drain(4), -EINVAL);
	put(5, 24);
	put(6, 24);
	put(7, 24 | DISCARD);
	put(8, 24);
	assert_int_equal(drain(0), 3);
	assert_int_equal(skel->bss->sum, 19);
	assert_int_equal(skel->bss->results[0], 0);
	assert_int_equal(skel->bss->results[1], 0);
	assert_int_equal(*consumer, 128);
	assert_int_equal(words(0)[0], 10);
	assert_int_equal(words(0)[1], 5);
	skel->bss->stop_after = 2;
	skel->bss->seen = 0;
	for (int i = 0; i < 4; i++)
		put(1, 24);
	assert_int_equal(drain(1), 2);
	assert_int_equal(drain(2), 2);
	assert_int_equal(drain(3), 0);
}

static void not_ready(void **state)
{
	(void)state;
	put(5, 24 | BUSY);
	put(6, 24);
	assert_int_equal(drain(0), 0);
	assert_int_equal(*consumer, 0);
	header(0)[0] = 24;
	header(32)[0] = 24 | BUSY | DISCARD; /* discarded all the same */
	assert_int_equal(drain(0), 1);
	assert_int_equal(*consumer, 64);
}

static void wrong_headers(void **state)
{
	static const uint32_t wrong[] = {25, 32, RING_BYTES, 0x3fffffff};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put(1, wrong[i]);
		assert_int_equal(drain(0), -EINVAL);
		*producer -= 32;
	}
	*producer = 4;
	assert_int_equal(drain(0), -EINVAL);
	header(0)[0] = RING_BYTES - 7;
	*producer = 4 * RING_BYTES;
	assert_int_equal(drain(0), -E2BIG);
	header(0)[0] = 0x3fffffff;
	*producer = 1ull << 40;
	assert_int_equal(drain(0), -E2BIG);
	assert_int_equal(*consumer, 0);
	*producer = 0;
	put(3, 23);
	assert_int_equal(drain(0), 1);
	assert_int_equal(skel->bss->results[1], 0);
	put(3, 15);
	*producer -= 8;
	assert_int_equal(drain(0), 1);
	assert_int_equal(skel->bss->results[1], -E2BIG);
	header(*producer)[0] = 0;
	*producer += 8;
	assert_int_equal(drain(0), 1);
	assert_int_equal(skel->bss->results[0], -E2BIG);
	*producer = 0;
	assert_int_equal(drain(0), 0);
}

/* A consumer inside a consumer. */
static void nesting(void **state)
{
	(void)state;
	put(1, 24);
	assert_int_equal(RUN(drain_twice), 0);
	assert_int_equal(skel->bss->result, 1);
	assert_int_equal(skel->bss->again, -EBUSY);
}

static void polling(void **state)
{
	struct pollfd fd = {.fd = ring, .events = POLLIN | POLLOUT};

	(void)state;
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(fd.revents, POLLOUT);
	header(0)[0] = RING_BYTES - 8;
	*producer = RING_BYTES;
	assert_int_equal(poll(&fd, 1, 30), 0);
	assert_int_equal(drain(0), 1);
	assert_int_equal(poll(&fd, 1, -1), 1);
}

static void *drain_later(void *arg)
{
	(void)arg;
	usleep(50000);
	return drain(0) > 0 ? NULL : skel;
}

/* All of the library: records of all lengths, and waiting for room. */
static void libbpf_producer(void **state)
{
	struct user_ring_buffer *buffer = user_ring_buffer__new(ring, NULL);
	uint64_t sum = 0, count = 0, *record;
	pthread_t thread;
	void *failed;

	(void)state;
	assert_non_null(buffer);
	for (uint32_t i = 0; i < 3000; i++) {
		record = user_ring_buffer__reserve(buffer, 16 + i * 7 % 300);
		assert_non_null(record);
		record[0] = i;
		if (i % 5) {
			user_ring_buffer__submit(buffer, record);
			sum += i;
			count++;
		} else {
			user_ring_buffer__discard(buffer, record);
		}
		if (i % 8 == 7)
			assert_true(drain(0) > 0);
	}
	drain(0);
	assert_int_equal(skel->bss->seen, count);
	assert_int_equal(skel->bss->sum, sum);
	for (int i = 0; i < 3; i++) {
		while ((record = user_ring_buffer__reserve(buffer, 100)))
			user_ring_buffer__submit(buffer, record);
		assert_int_equal(errno, ENOSPC);
		assert_null(user_ring_buffer__reserve_blocking(buffer, 100, 20));
		pthread_create(&thread, NULL, drain_later, NULL);
		record = user_ring_buffer__reserve_blocking(buffer, 100, 10000);
		assert_non_null(record);
		user_ring_buffer__discard(buffer, record);
		pthread_join(thread, &failed);
		assert_null(failed);
	}
	user_ring_buffer__free(buffer);
}

/* The next consumer gets what a killed one was at. */
static void killed_consumer(void **state)
{
	pid_t child;

	(void)state;
	for (int i = 0; i < 4; i++)
		put(1, 24);
	skel->bss->spins = 1 << 23;
	child = fork();
	if (!child)
		_exit(RUN(drain_slowly));
	while (!*(volatile uint64_t *)&skel->bss->spun)
		usleep(100);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_true(drain(0) >= 0);
	assert_int_equal(*consumer, *producer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mappings), TEST(draining), TEST(not_ready),       TEST(wrong_headers),
		TEST(nesting),  TEST(polling),  TEST(libbpf_producer), TEST(killed_consumer),
	};

	require_bpf();
	return run_tests(tests);
}
