/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_perf_event.c: the ring of perf events at the level of its operations: a writer that is killed
 * at any change of what others see, and files that somebody has tampered with.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "maps/perf_event.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "base/atomic.h"

#define PAGES 2u

static struct perf_event *event;

static struct perf_event_mmap_page *page(void)
{
	return (void *)event->object.region.base;
}

static void make(void)
{
	const struct perf_event_attr attr = {.sample_type = PERF_SAMPLE_RAW, .wakeup_events = 1};
	struct object *object;
	int fd = perf_event_create(&attr, 0);

	assert_true(fd >= 0);
	assert_int_equal(object_from_fd(fd, OBJECT_PERF, &object, NULL), 0);
	close(fd);
	event = perf_event_of(object);
	assert_int_equal(perf_event_map(event, 0, PAGES * PAGE_BYTES, true), 0);
}

static void drop(void)
{
	object_put(&event->object);
	object_collect();
}

static int write_number(u64 number)
{
	const u64 words[2] = {number, ~number};
	const struct perf_raw raw = {.data = words, .size = sizeof(words)};

	return perf_event_output(event, &raw);
}

/* The number of the record that begins there, which is whole. */
static u64 number_at(u64 at)
{
	struct {
		struct perf_event_header header;
		u32 size;
		u8 bytes[20];
	} record;
	u64 words[2];

	for (u32 i = 0; i < sizeof(record); i++)
		((u8 *)&record)[i] = event->object.region.base[PAGE_BYTES + (at + i) % PAGE_BYTES];
	memcpy(words, record.bytes, sizeof(words));
	assert_int_equal(record.header.type, PERF_RECORD_SAMPLE);
	assert_int_equal(record.header.size, sizeof(record));
	assert_int_equal(record.size, sizeof(record.bytes));
	assert_int_equal(words[1], ~words[0]);
	return words[0];
}

static void writes_in_turn(void **state)
{
	(void)state;
	make();
	for (u64 i = 0; i < 1000; i++) {
		assert_int_equal(write_number(i), 0);
		assert_int_equal(page()->data_head, (i + 1) * 32);
		assert_int_equal(number_at(i * 32), i);
		page()->data_tail = page()->data_head;
	}
	drop();
}

static void killed_write(void *arg)
{
	if (write_number(*(u64 *)arg))
		abort();
}

static void death_at_any_change(void **state)
{
	u64 number = 1, head;
	bool ended = false;

	(void)state;
	for (unsigned place = 1; !ended; place++) {
		make();
		assert_int_equal(write_number(0), 0);
		assert_int_equal(event->object.type->poll(&event->object), EPOLLIN);
		ended = !dies_at(&(struct death){.run = killed_write,
						 .arg = &number,
						 .memory = event->control,
						 .size = sizeof(*event->control)},
				 place);
		assert_int_equal(number_at(0), 0);
		assert_int_equal(write_number(2), 0);
		head = page()->data_head;
		assert_true(head == 64 || head == 96);
		assert_int_equal(number_at(head - 32), 2);
		if (head == 96)
			assert_int_equal(number_at(32), 1);
		assert_int_equal(event->object.type->poll(&event->object), EPOLLIN);
		drop();
	}
}

/* Who has written but not woken is found dead by those who wait. */
static void owed_wakeup(void **state)
{
	struct wake *wake;
	u32 missed;
	pid_t child;

	(void)state;
	make();
	wake = event->object.type->wake(&event->object);
	missed = wake_missed(wake);
	child = fork();
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	event->control->waker = (u32)child;
	event->object.type->wake(&event->object);
	assert_int_not_equal(wake_missed(wake), missed);
	assert_int_equal(event->control->waker, 0);
	drop();
}

/* Numbers in the file may be anybody's. */
static void tampered_files(void **state)
{
	(void)state;
	make();
	srand(1);
	for (unsigned i = 0; i < 5000; i++) {
		u32 *words = (u32 *)event->control;
		const u32 at = 4 + (u32)rand() % (sizeof(*event->control) / 4 - 4);
		int err;

		if (&words[at] >= (u32 *)&event->control->wake)
			continue;
		words[at] = (u32)rand() >> rand() % 31;
		event->control->pages = i % 7 ? PAGES : (u32)rand() | 1u << 20;
		page()->data_tail = (u64)rand() << 32 | (u32)rand();
		err = write_number(i);
		assert_true(!err || err == -ENOSPC);
	}
	drop();
}

#define FLIPS 20000000u

static void *flip_type(void *flips)
{
	for (u32 i = 1; i <= FLIPS; i++) {
		__atomic_xor_fetch(&event->control->sample_type, PERF_SAMPLE_RAW, __ATOMIC_RELAXED);
		store_release((u32 *)flips, i);
	}
	return NULL;
}

/* What a sample has is decided once; none is larger than the ring. */
static void changing_type(void **state)
{
	static u8 data[3 * PAGES * PAGE_BYTES];
	const struct perf_raw large = {.data = data, .size = sizeof(data)};
	u32 flips = 0;
	pthread_t thread;

	(void)state;
	make();
	memset(data, 0xee, sizeof(data));
	assert_int_equal(pthread_create(&thread, NULL, flip_type, &flips), 0);
	while (load_acquire(&flips) < FLIPS) {
		perf_event_output(event, &large);
		page()->data_tail = page()->data_head;
	}
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < (PAGES - 1) * PAGE_BYTES; i++)
		assert_int_not_equal(event->object.region.base[PAGE_BYTES + i], 0xee);
	drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_in_turn),
		cmocka_unit_test(death_at_any_change),
		cmocka_unit_test(owed_wakeup),
		cmocka_unit_test(tampered_files),
		cmocka_unit_test(changing_type),
	};
	const char *directory = make_realm_directory();

	if (!directory) {
		printf("1..0 # SKIP no /dev/shm\n");
		return 0;
	}
	object_register(&perf_event_object_type);
	return run_in_realm(directory, tests);
}
