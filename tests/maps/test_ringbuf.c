/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_ringbuf.c: RINGBUF as its users have it: records in mapped memory, programs that write them,
 * and every way to wait for them, with the same expectations on kernel and userbpf.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ring_test.h"

#define WAKES (EPOLLIN | EPOLLRDNORM)

static long output(uint64_t size, uint64_t flags)
{
	skel->bss->size = size;
	skel->bss->flags = flags;
	assert_int_equal(RUN(output), 0);
	skel->bss->flags = 0;
	return (long)skel->bss->result;
}

static uint64_t query(uint64_t what)
{
	skel->bss->what = what;
	assert_int_equal(RUN(query), 0);
	return (uint64_t)skel->bss->result;
}

static int submit(uint64_t number, uint64_t flags)
{
	skel->bss->number = number;
	skel->bss->flags = flags;
	return RUN(submit);
}

static int open_ring(void **state)
{
	(void)state;
	skel = ring__open_and_load();
	if (!skel)
		return -1;
	return map_ring(skel->maps.ring, PROT_READ | PROT_WRITE, PROT_READ);
}

static void creation(void **state)
{
	static const struct {
		unsigned key, value, entries, flags;
		int err;
	} rules[] = {
		{4, 0, 4096, 0, -EINVAL},    {0, 4, 4096, 0, -EINVAL},  {0, 0, 0, 0, -EINVAL},
		{0, 0, 2048, 0, -EINVAL},    {0, 0, 12288, 0, -EINVAL}, {0, 0, 4097, 0, -EINVAL},
		{0, 0, 4096, 1, -EINVAL},    {0, 0, 4096, 8, -EINVAL},  {0, 0, 4096, 0x80, -EINVAL},
		{0, 0, 4096, 0x400, -EINVAL}, {0, 0, 4096, 4, 0},       {0, 0, 1u << 20, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const int fd = map_create(BPF_MAP_TYPE_RINGBUF, rules[i].key, rules[i].value,
					  rules[i].entries, rules[i].flags);

		assert_int_equal(fd < 0 ? fd : 0, rules[i].err);
		if (fd >= 0)
			close(fd);
	}
}

static void elements(void **state)
{
	uint32_t word = 0;

	(void)state;
	assert_int_equal(map_lookup(ring, NULL, &word), -ENOTSUPP);
	assert_int_equal(map_update(ring, NULL, &word, 0), -ENOTSUPP);
	assert_int_equal(map_delete(ring, NULL), -ENOTSUPP);
	assert_int_equal(map_next_key(ring, NULL, &word), -ENOTSUPP);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, ring, NULL, &word, 0), -ENOTSUPP);
}

/* 0 or the errno of the mapping. */
static int try_map(size_t offset, size_t len, int prot, int how)
{
	void *at = mmap(NULL, len, prot, how, ring, (off_t)offset);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, len);
	return 0;
}

static void mappings(void **state)
{
	const size_t pages = 2 + 2 * RING_BYTES / PAGE;

	(void)state;
	assert_int_equal(try_map(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), 0);
	assert_int_equal(try_map(0, 1, PROT_WRITE, MAP_SHARED), 0);
	assert_int_equal(try_map(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
	assert_int_equal(try_map(0, 0, PROT_READ | PROT_WRITE, MAP_SHARED), EINVAL);
	assert_int_equal(try_map(PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
	assert_int_equal(try_map(2 * PAGE, PAGE, PROT_WRITE, MAP_SHARED), EPERM);
	assert_int_equal(try_map(0, pages * PAGE, PROT_READ, MAP_SHARED), 0);
	assert_int_equal(try_map(0, (pages + 1) * PAGE, PROT_READ, MAP_SHARED), EINVAL);
	assert_int_equal(try_map(PAGE, (pages - 1) * PAGE, PROT_READ, MAP_SHARED), 0);
	assert_int_equal(try_map(PAGE, pages * PAGE, PROT_READ, MAP_SHARED), EINVAL);
	assert_int_equal(try_map(pages * PAGE, PAGE, PROT_READ, MAP_SHARED), EINVAL);
	assert_int_equal(try_map(0, PAGE, PROT_READ, MAP_PRIVATE), EINVAL);
	assert_int_equal(try_map(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED), EPERM);
	assert_int_equal(mprotect((void *)producer, PAGE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
}

static void record_layout(void **state)
{
	const struct sample *sample = (void *)(data + 8);

	(void)state;
	assert_int_equal(submit(7, 0), 1);
	assert_int_equal(*producer, 40);
	assert_int_equal(header(0)[0], sizeof(*sample));
	assert_int_equal(header(0)[1], 3);
	assert_int_equal(sample->number, 7);
	assert_int_equal(sample->words[2], 28);
	assert_int_equal(RUN(discard), 1);
	assert_int_equal(header(40)[0], sizeof(*sample) | BPF_RINGBUF_DISCARD_BIT);
	assert_int_equal(output(0, 0), 0);
	assert_int_equal(header(80)[0], 0);
	assert_int_equal(output(13, 0), 0);
	assert_int_equal(header(88)[0], 13);
	assert_int_equal(*producer, 112);
}

static void refusals(void **state)
{
	(void)state;
	assert_int_equal(output(8, 4), -EINVAL);
	assert_int_equal(output(8, 1ull << 32), -EINVAL);
	assert_int_equal(output(RING_BYTES, 0), -EAGAIN);
	assert_int_equal(output(RING_BYTES - 8, 0), -EAGAIN);
	assert_int_equal(RUN(limits), 7);
	assert_int_equal(*producer, RING_BYTES - 8);
	*consumer = *producer;
	assert_int_equal(output(RING_BYTES - 16, 0), 0);
	assert_int_equal(submit(0, 0xff), 0);
	*consumer = *producer;
	assert_int_equal(submit(0, 0xfc), 1);
}

static void filling(void **state)
{
	(void)state;
	for (int i = 0; i < 56; i++)
		assert_int_equal(output(64, 0), 0);
	assert_int_equal(output(64, 0), -EAGAIN);
	assert_int_equal(output(48, 0), 0);
	assert_int_equal(output(0, 0), -EAGAIN);
	*consumer += 72;
	assert_int_equal(output(64, 0), 0);
}

static void queries(void **state)
{
	(void)state;
	assert_int_equal(submit(1, 0), 1);
	assert_int_equal(submit(1, 0), 1);
	*consumer = 40;
	assert_int_equal(query(BPF_RB_AVAIL_DATA), 40);
	assert_int_equal(query(BPF_RB_RING_SIZE), RING_BYTES);
	assert_int_equal(query(BPF_RB_CONS_POS), 40);
	assert_int_equal(query(BPF_RB_PROD_POS), 80);
	assert_int_equal(query(4), 0);
	*consumer = 120;
	assert_int_equal(query(BPF_RB_AVAIL_DATA), (uint64_t)-40);
}

/* Records of all lengths, in all places: each runs on from its header in memory. */
static void wrapping(void **state)
{
	uint64_t at = 0, round = 0;

	(void)state;
	for (uint64_t i = 0; i < 3000; i++) {
		const uint64_t len = i * 7 % 300;

		for (uint64_t b = 0; b < len; b++)
			skel->bss->bytes[b] = (char)(i + b);
		assert_int_equal(output(len, 0), 0);
		assert_int_equal(header(at)[0], len);
		assert_int_equal(header(at)[1], 3);
		assert_memory_equal((uint8_t *)header(at) + 8, skel->bss->bytes, len);
		round += (at + 8) % RING_BYTES == 0;
		at += (len + 15) & ~7ull;
		assert_int_equal(*producer, at);
		*consumer = at;
	}
	assert_true(round > 0); /* a header ended exactly at the end of the ring */
}

/* Whatever a consumer writes there, producers go on when it is right again. */
static void wrong_positions(void **state)
{
	static const uint64_t wrong[] = {1ull << 63, 8, 4096, 5000, ~0ull, 3};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		*consumer = *producer + wrong[i];
		submit(1, 0);
		output(100, 0);
		query(0);
		*consumer = *producer;
		assert_int_equal(submit(1, 0), 1);
	}
	*consumer = *producer + 64;
	assert_int_equal(output(8, 0), -EAGAIN);
}

static void several_rings(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(RUN(two), 2);
		assert_int_equal(RUN(nested), 2);
	}
	assert_int_equal(*producer, 200);
}

static int new_set(int fd, uint32_t events, uint64_t word)
{
	struct epoll_event event = {.events = events, .data.u64 = word};
	int set = epoll_create1(EPOLL_CLOEXEC);

	assert_true(set >= 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	return set;
}

/* How many events there are, of the word 7 if any. */
static int events_of(int set, int ms)
{
	struct epoll_event events[4];
	int count = epoll_wait(set, events, 4, ms);

	for (int i = 0; i < count; i++) {
		assert_int_equal(events[i].data.u64, 7);
		assert_int_equal(events[i].events & ~(uint32_t)WAKES, 0);
	}
	return count;
}

static void epoll_levels(void **state)
{
	int set = new_set(ring, EPOLLIN, 7);

	(void)state;
	assert_int_equal(events_of(set, 0), 0);
	assert_int_equal(events_of(set, 20), 0);
	assert_int_equal(submit(1, 0), 1);
	assert_int_equal(events_of(set, 100), 1);
	assert_int_equal(events_of(set, 0), 1);
	assert_int_equal(events_of(set, -1), 1);
	*consumer = *producer;
	assert_int_equal(events_of(set, 0), 0);
	/* Nobody is woken, and the item is not ready when the wait begins. */
	assert_int_equal(submit(1, BPF_RB_NO_WAKEUP), 1);
	assert_int_equal(events_of(set, 50), 0);
	assert_int_equal(submit(1, 0), 1); /* the consumer is behind: no wake-up either */
	assert_int_equal(events_of(set, 50), 0);
	assert_int_equal(submit(1, BPF_RB_FORCE_WAKEUP), 1);
	assert_int_equal(events_of(set, 50), 1);
	/* Still in the list: it is asked at once. */
	*consumer = *producer;
	assert_int_equal(submit(1, BPF_RB_NO_WAKEUP), 1);
	assert_int_equal(events_of(set, 50), 1);
	close(set);
}

static void epoll_edges(void **state)
{
	int set = new_set(ring, EPOLLIN | EPOLLET, 7);

	(void)state;
	assert_int_equal(submit(1, 0), 1);
	assert_int_equal(events_of(set, 100), 1);
	assert_int_equal(events_of(set, 20), 0);
	assert_int_equal(submit(1, 0), 1);
	assert_int_equal(events_of(set, 20), 0);
	assert_int_equal(submit(1, BPF_RB_FORCE_WAKEUP), 1);
	assert_int_equal(events_of(set, 20), 1);
	assert_int_equal(submit(1, BPF_RB_FORCE_WAKEUP | BPF_RB_NO_WAKEUP), 1);
	assert_int_equal(events_of(set, 20), 1);
	*consumer = *producer;
	assert_int_equal(RUN(discard), 1);
	assert_int_equal(events_of(set, 20), 1);
	close(set);
}

static void epoll_control(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 7};
	int set;

	(void)state;
	assert_int_equal(submit(1, 0), 1);
	set = new_set(ring, EPOLLIN, 7);
	assert_int_equal(events_of(set, 0), 1); /* data was there before */
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring, &event), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, ring, &event), 0);
	assert_int_equal(events_of(set, 0), 1);
	assert_int_equal(events_of(set, 0), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, ring, &event), 0);
	assert_int_equal(events_of(set, 0), 1);
	event.events = EPOLLOUT;
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, ring, &event), 0);
	assert_int_equal(events_of(set, 20), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_DEL, ring, NULL), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_DEL, ring, NULL), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(events_of(set, 0), 0);
	close(set);
}

/* Beside it in the set: a pipe and a map that is none of the kind. */
static void epoll_others(void **state)
{
	struct epoll_event events[4] = {{.events = EPOLLIN, .data.u64 = 8}};
	int set = new_set(ring, EPOLLIN, 7), ends[2], seen = 0, count;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], events), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	count = epoll_wait(set, events, 4, 100);
	assert_int_equal(count, 1);
	assert_int_equal(events[0].data.u64, 8);
	assert_int_equal(submit(1, 0), 1);
	count = epoll_wait(set, events, 4, 100);
	assert_int_equal(count, 2);
	for (int i = 0; i < count; i++)
		seen |= 1 << (events[i].data.u64 - 7);
	assert_int_equal(seen, 3);
	assert_int_equal(epoll_wait(set, events, 1, 100), 1);
	close(ends[0]);
	close(ends[1]);
	close(set);
}

/* A set that was closed has nothing to say to the next one of the same number. */
static void epoll_again(void **state)
{
	int set = new_set(ring, EPOLLIN, 8), next;

	(void)state;
	assert_int_equal(submit(1, 0), 1);
	close(set);
	next = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(next, set);
	assert_int_equal(events_of(next, 0), 0);
	close(next);
	assert_int_equal(new_set(ring, EPOLLIN, 7), set);
	assert_int_equal(events_of(set, 0), 1);
	close(set);
	assert_int_equal(epoll_create(1), set);
	assert_int_equal(events_of(set, 0), 0);
	close(set);
	assert_int_equal(epoll_create(0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(epoll_create1(1), -1);
	assert_int_equal(errno, EINVAL);
}

/* What was closed is in no set any more. */
static void epoll_closed(void **state)
{
	int map = map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES, 0), set, other;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	uint64_t *at = page;

	(void)state;
	assert_ptr_not_equal(page, MAP_FAILED);
	*at = (uint64_t)-8; /* behind: there is data */
	set = new_set(map, EPOLLIN, 7);
	assert_int_equal(events_of(set, 0), 1);
	munmap(page, 4096);
	close(map);
	assert_int_equal(events_of(set, 0), 0);
	other = map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES, 0);
	assert_int_equal(other, map);
	assert_int_equal(events_of(set, 0), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, other, &event), 0);
	close(other);
	close(set);
}

static void *submit_later(void *number)
{
	usleep(100000);
	return submit((uint64_t)(uintptr_t)number, 0) == 1 ? NULL : number;
}

static pthread_t begin_later(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, submit_later, (void *)9), 0);
	return thread;
}

static void expect_submitted(pthread_t thread)
{
	void *result;

	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
}

static void polling(void **state)
{
	struct pollfd fds[2] = {{.fd = ring, .events = POLLIN | POLLOUT}, {.events = POLLIN}};
	int ends[2];
	pthread_t thread;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fds[1].fd = ends[0];
	assert_int_equal(poll(fds, 2, 0), 0);
	assert_int_equal(poll(fds, 2, 30), 0);
	thread = begin_later();
	assert_int_equal(poll(fds, 2, 10000), 1);
	assert_int_equal(fds[0].revents, POLLIN);
	assert_int_equal(fds[1].revents, 0);
	expect_submitted(thread);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(poll(fds, 2, -1), 2);
	*consumer = *producer;
	assert_int_equal(poll(fds, 2, -1), 1);
	assert_int_equal(fds[0].revents, 0);
	assert_int_equal(fds[1].revents, POLLIN);
	close(ends[0]);
	close(ends[1]);
}

static void selecting(void **state)
{
	struct timeval timeout = {.tv_usec = 20000};
	pthread_t thread;
	fd_set in, out;

	(void)state;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(ring, &in);
	FD_SET(ring, &out);
	assert_int_equal(select(ring + 1, &in, &out, NULL, &timeout), 0);
	assert_false(FD_ISSET(ring, &in));
	assert_int_equal(timeout.tv_sec * 1000000 + timeout.tv_usec, 0);
	FD_SET(ring, &in);
	FD_SET(ring, &out);
	thread = begin_later();
	timeout.tv_sec = 10;
	assert_int_equal(select(ring + 1, &in, &out, NULL, &timeout), 1);
	assert_true(FD_ISSET(ring, &in));
	assert_false(FD_ISSET(ring, &out));
	assert_int_equal(timeout.tv_sec, 9);
	expect_submitted(thread);
}

static void expect_errno(int answer, int error)
{
	assert_int_equal(answer, -1);
	assert_int_equal(errno, error);
}

/* More than the process may have open. (Just more: sanitizers look at all of them first.) */
static void expect_too_many(struct pollfd *nowhere)
{
	struct rlimit before, low;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	expect_errno(poll(nowhere, 257, 0), EINVAL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The kernel's answers, whatever descriptors of ours there are. */
static void wrong_arguments(void **state)
{
	struct timespec times[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
	struct pollfd fd = {.fd = ring, .events = POLLIN};
	struct timeval before = {-1, 0};
	void *volatile nowhere = (void *)16;
	fd_set in;

	(void)state;
	expect_errno(poll(nowhere, 1, 0), EFAULT);
	expect_too_many(nowhere);
	expect_errno(select(ring + 1, nowhere, NULL, NULL, NULL), EFAULT);
	expect_errno(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	FD_ZERO(&in);
	FD_SET(ring, &in);
	for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		expect_errno(ppoll(&fd, 1, &times[i], NULL), EINVAL);
		expect_errno(pselect(ring + 1, &in, NULL, NULL, &times[i], NULL), EINVAL);
	}
	expect_errno(select(ring + 1, &in, NULL, NULL, &before), EINVAL);
	errno = 77;
	assert_int_equal(poll(nowhere, 0, 0), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(errno, 77);
}

/* The poll of maps that are no ring. */
static void other_maps(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	struct pollfd fd = {.fd = map, .events = POLLIN};

	(void)state;
	assert_int_equal(poll(&fd, 1, -1), 1);
	assert_int_equal(fd.revents, POLLERR);
	fd.events = 0;
	assert_int_equal(poll(&fd, 1, -1), 1);
	assert_int_equal(fd.revents, POLLERR);
	close(map);
}

struct seen {
	unsigned count;
	uint64_t sum;
};

static int see(void *context, void *record, size_t size)
{
	const struct sample *sample = record;
	struct seen *seen = context;

	if (size != sizeof(*sample) || sample->words[0] != 2 * sample->number ||
	    sample->words[2] != 4 * sample->number)
		return -EBADMSG;
	seen->count++;
	seen->sum += sample->number;
	return 0;
}

#define PRODUCERS 3
#define EACH 400u

/* Its own copy of the arguments, so that numbers and flags of several do not mix. */
static void produce(unsigned from)
{
	struct ring *mine = ring__open();
	unsigned i;

	if (!mine || bpf_map__reuse_fd(mine->maps.ring, ring) || ring__load(mine))
		_exit(1);
	for (i = 0; i < EACH;) {
		mine->bss->number = from + i;
		if (run_program(bpf_program__fd(mine->progs.submit)) == 1)
			i++;
		else
			usleep(100);
	}
	_exit(0);
}

static void libbpf_consumer(void **state)
{
	struct seen seen = {0};
	struct ring_buffer *buffer = ring_buffer__new(ring, see, &seen, NULL);
	unsigned sum = 0;
	int status, err;

	(void)state;
	assert_non_null(buffer);
	for (unsigned i = 0; i < PRODUCERS; i++)
		if (!fork())
			produce(i * 1000);
	while (seen.count < PRODUCERS * EACH) {
		err = ring_buffer__poll(buffer, 5000);
		assert_true(err >= 0); /* 0: the first record is reserved still */
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		for (unsigned n = 0; n < EACH; n++)
			sum += i * 1000 + n;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(seen.sum, sum);
	assert_int_equal(ring_buffer__poll(buffer, 0), 0);
	assert_int_equal(submit(5, 0), 1);
	assert_int_equal(ring_buffer__consume(buffer), 1);
	ring_buffer__free(buffer);
}

/* A producer is killed while it has a record: others and the consumer go on. */
static void killed_producer(void **state)
{
	struct seen seen = {0};
	struct ring_buffer *buffer = ring_buffer__new(ring, see, &seen, NULL);
	pid_t child;

	(void)state;
	skel->bss->number = 3;
	skel->bss->spins = 1 << 23;
	child = fork();
	if (!child)
		for (;;)
			RUN(hold);
	while (!*producer)
		usleep(100);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(submit(3, 0), 1);
	for (int i = 0; i < 50 && *consumer != *producer; i++)
		assert_true(ring_buffer__poll(buffer, 200) >= 0);
	assert_int_equal(*consumer, *producer);
	assert_true(seen.count >= 1);
	ring_buffer__free(buffer);
}

static void expect_results(const int64_t *wanted, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (skel->bss->results[i] != wanted[i])
			fail_msg("result %u is %lld, not %lld", i, (long long)skel->bss->results[i],
				 (long long)wanted[i]);
}

static void run_dynptr(uint64_t size, uint64_t reserve, uint64_t release)
{
	skel->bss->size = size;
	skel->bss->what = reserve;
	skel->bss->flags = release;
	skel->bss->number = 77;
	assert_int_equal(RUN(dynptr_record), 0);
	skel->bss->flags = skel->bss->what = 0;
}

static void dynptr_records(void **state)
{
	static const int64_t good[] = {0, 0, 0, -E2BIG, -EINVAL, 1, 0, 78},
			     none[] = {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0, -EINVAL},
			     big[] = {-E2BIG, -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0, -EINVAL};

	(void)state;
	run_dynptr(24, 0, 0);
	expect_results(good, 8);
	assert_int_equal(header(0)[0], 24);
	assert_int_equal(*(uint64_t *)(void *)(data + 16), 78);
	assert_int_equal(*(uint64_t *)(void *)(data + 24), 77);
	run_dynptr(1001, 0, 1ull << 32);
	assert_int_equal(header(32)[0], 1001 | BPF_RINGBUF_DISCARD_BIT);
	assert_int_equal(*producer, 32 + 1016);
	run_dynptr(24, 1, 0);
	expect_results(none, 7);
	run_dynptr(RING_BYTES, 0, 0);
	expect_results(none, 7);
	run_dynptr(1u << 31, 0, 0);
	expect_results(big, 7);
	run_dynptr(1u << 24, 0, 0);
	expect_results(big, 7);
	assert_int_equal(*producer, 32 + 1016);
}

static void dynptr_no_room(void **state)
{
	static const int64_t none[] = {-EINVAL, -EINVAL, -EINVAL};

	(void)state;
	skel->bss->size = RING_BYTES;
	assert_int_equal(RUN(dynptr_no_room), 3);
	expect_results(none, 3);
}

static void dynptr_memory(void **state)
{
	static const int64_t wanted[] = {0, 0, -E2BIG, -EINVAL, 0, 'a', -EINVAL, -E2BIG,
					 1, 1, -EINVAL, -EINVAL, -EINVAL, 1, 0};

	(void)state;
	for (int i = 0; i < 50; i++)
		skel->bss->bytes[i] = (char)i;
	assert_int_equal(RUN(dynptr_memory), 0);
	expect_results(wanted, 15);
	for (int i = 0; i < 50; i++)
		assert_int_equal(skel->bss->bytes[i + 1], i);
	assert_int_equal(skel->bss->bytes[98], 'a');
}

/* reserve of 16 bytes into R6, and on if there is room */
#define RESERVE                                                                                    \
	LD64_RAW(R1, BPF_PSEUDO_MAP_FD, ring, 0), MOV_K(R2, 16), MOV_K(R3, 0),                     \
		CALL(BPF_FUNC_ringbuf_reserve), J_K(JNE, R0, 0, 1), EXIT, MOV_X(R6, R0)
#define SUBMIT MOV_X(R1, R6), MOV_K(R2, 0), CALL(BPF_FUNC_ringbuf_submit)
#define END MOV_K(R0, 0), EXIT
/* The same with a dynptr at fp-16. */
#define RESERVE_DYNPTR                                                                             \
	LD64_RAW(R1, BPF_PSEUDO_MAP_FD, ring, 0), MOV_K(R2, 16), MOV_K(R3, 0), MOV_X(R4, R10),     \
		ALU64_K(ADD, R4, -16), CALL(BPF_FUNC_ringbuf_reserve_dynptr)
#define SUBMIT_DYNPTR                                                                              \
	MOV_X(R1, R10), ALU64_K(ADD, R1, -16), MOV_K(R2, 0), CALL(BPF_FUNC_ringbuf_submit_dynptr)
#define DYNPTR_DATA                                                                                \
	MOV_X(R1, R10), ALU64_K(ADD, R1, -16), MOV_K(R2, 0), MOV_K(R3, 8),                         \
		CALL(BPF_FUNC_dynptr_data), J_K(JNE, R0, 0, 1), EXIT, MOV_X(R6, R0)

/* The kernel does not load such a program, userbpf may; it does not run to its end. */
static void expect_stopped(const struct bpf_insn *insns)
{
	const int prog = prog_load(BPF_PROG_TYPE_SOCKET_FILTER, 0, insns, insn_count(insns));

	if (prog < 0)
		return;
	assert_int_equal(run_program(prog), -EFAULT);
	close(prog);
}

static void misuse(void **state)
{
	const struct bpf_insn programs[][32] = {
		{RESERVE, END},
		{RESERVE, SUBMIT, SUBMIT, END},
		{RESERVE, SUBMIT, ST_K(DW, R6, 0, 1), END},
		{RESERVE, SUBMIT, LD(DW, R0, R6, 0), END},
		{RESERVE, ST_K(DW, R6, 16, 1), SUBMIT, END},
		{RESERVE, ST_K(W, R6, -8, 0), SUBMIT, END},
		{RESERVE, ALU64_K(ADD, R6, 8), SUBMIT, END},
		{MOV_X(R6, R10), SUBMIT, END},
		{RESERVE, CALL_LOCAL(5), SUBMIT, END, RESERVE, END},
		{RESERVE_DYNPTR, END},
		{SUBMIT_DYNPTR, END},
		{RESERVE_DYNPTR, SUBMIT_DYNPTR, SUBMIT_DYNPTR, END},
		{RESERVE_DYNPTR, ST_K(DW, R10, -16, 5), SUBMIT_DYNPTR, END},
		{RESERVE_DYNPTR, DYNPTR_DATA, SUBMIT_DYNPTR, ST_K(DW, R6, 0, 1), END},
		{RESERVE_DYNPTR, DYNPTR_DATA, MOV_X(R1, R10), ALU64_K(ADD, R1, -8), MOV_K(R2, 0),
		 CALL(BPF_FUNC_ringbuf_submit_dynptr), END},
		{RESERVE_DYNPTR, RESERVE_DYNPTR, SUBMIT_DYNPTR, END},
	};

	(void)state;
	if (getenv("USERBPF_ENGINE"))
		return; /* one that trusts the program */
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		expect_stopped(programs[i]);
	/* Nothing of that stalls the ring. */
	assert_int_equal(submit(1, 0), 1);
	for (; *consumer != *producer; *consumer += 8 + ((*header(*consumer) + 7) & 0xffff8))
		assert_false(*header(*consumer) & BPF_RINGBUF_BUSY_BIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(creation),      TEST(elements),        TEST(mappings),
		TEST(record_layout), TEST(refusals),        TEST(filling),
		TEST(queries),       TEST(wrapping),        TEST(wrong_positions),
		TEST(several_rings), TEST(epoll_levels),    TEST(epoll_edges),
		TEST(epoll_control), TEST(epoll_others),    TEST(polling),
		TEST(epoll_again),   TEST(epoll_closed),    TEST(wrong_arguments),
		TEST(selecting),     TEST(other_maps),      TEST(libbpf_consumer),
		TEST(killed_producer), TEST(misuse),
		TEST(dynptr_records), TEST(dynptr_no_room), TEST(dynptr_memory),
	};

	require_bpf();
	return run_tests(tests);
}
