/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_perf_event_array.c: PERF_EVENT_ARRAY, the events it holds and what programs write into them,
 * with the same expectations on kernel and userbpf.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../vm/run.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PERF_ARRAY BPF_MAP_TYPE_PERF_EVENT_ARRAY
#define PAGE 4096u
#define RING PAGE
#define RAW_TP BPF_PROG_TYPE_RAW_TRACEPOINT

static const struct perf_event_attr plain = {
	.type = PERF_TYPE_SOFTWARE,
	.size = sizeof(plain),
	.config = PERF_COUNT_SW_BPF_OUTPUT,
	.sample_type = PERF_SAMPLE_RAW,
	.sample_period = 1,
	.wakeup_events = 1,
};

static int open_event(const struct perf_event_attr *attr, int cpu)
{
	long fd = syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* A map with one event of CPU 0 and its ring. */
struct ring {
	int map, event;
	volatile struct perf_event_mmap_page *page;
	uint64_t at; /* what has been looked at */
};

static void *map_ring(int event, unsigned pages, int prot)
{
	void *ring = mmap(NULL, pages * PAGE, prot, MAP_SHARED, event, 0);

	return ring == MAP_FAILED ? NULL : ring;
}

static struct ring make_ring(const struct perf_event_attr *attr)
{
	struct ring ring = {.map = map_create(PERF_ARRAY, 4, 4, 4, 0)};
	uint32_t key = 0;

	ring.event = open_event(attr, 0);
	assert_true(ring.event >= 0);
	ring.page = map_ring(ring.event, 1 + RING / PAGE, PROT_READ | PROT_WRITE);
	assert_non_null(ring.page);
	assert_int_equal(map_update(ring.map, &key, &ring.event, 0), 0);
	return ring;
}

static void drop_ring(struct ring *ring)
{
	munmap((void *)ring->page, PAGE + RING);
	close(ring->event);
	close(ring->map);
}

/* Writes size bytes of a pattern; flags lie in the context. */
static int load_output(int map, int size)
{
	const struct bpf_insn insns[] = {
		LD(DW, R3, R1, 0),
		LD64(R5, 0x0706050403020100),
		ST_X(DW, R10, -32, R5),
		LD64(R5, 0x0f0e0d0c0b0a0908),
		ST_X(DW, R10, -24, R5),
		ST_K(DW, R10, -16, 0x13121110),
		ST_K(DW, R10, -8, 0x17161514),
		LD64_RAW(R2, BPF_PSEUDO_MAP_FD, map, 0),
		MOV_X(R4, R10),
		ALU64_K(ADD, R4, -32),
		MOV_K(R5, size),
		CALL(BPF_FUNC_perf_event_output),
		EXIT,
	};

	return prog_load(RAW_TP, 0, insns, COUNT(insns));
}

static int run_on(int prog, uint64_t flags, unsigned cpu)
{
	uint64_t ctx[2] = {flags};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.ctx_in = ptr64(ctx),
					.ctx_size_in = sizeof(ctx),
					.flags = BPF_F_TEST_RUN_ON_CPU,
					.cpu = cpu}};
	long err = bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));

	return err ? (int)err : (int)t.a.test.retval;
}

static int output_on(int map, uint64_t flags, int size, unsigned cpu)
{
	int prog = load_output(map, size), result;

	assert_true(prog >= 0);
	result = run_on(prog, flags, cpu);
	close(prog);
	return result;
}

static int output(const struct ring *ring, int size)
{
	return output_on(ring->map, 0, size, 0);
}

static void copy_out(const struct ring *ring, uint64_t at, void *to, unsigned size)
{
	const uint8_t *data = (const uint8_t *)ring->page + PAGE;

	for (unsigned i = 0; i < size; i++)
		((uint8_t *)to)[i] = data[(at + i) % RING];
}

static uint64_t head_of(const struct ring *ring)
{
	return __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
}

static void set_tail(const struct ring *ring, uint64_t tail)
{
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

struct record {
	struct perf_event_header header;
	uint8_t body[RING];
};

/* The next one; false: there is none. */
static bool next_record(struct ring *ring, struct record *record)
{
	if (ring->at == head_of(ring))
		return false;
	copy_out(ring, ring->at, record, sizeof(record->header));
	assert_in_range(record->header.size, 16, RING);
	copy_out(ring, ring->at, record, record->header.size);
	ring->at += record->header.size;
	assert_true(ring->at <= head_of(ring));
	set_tail(ring, ring->at);
	return true;
}

/* Then the task that a program sees there is this one. */
static void go_to_cpu_0(cpu_set_t *before)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	assert_int_equal(sched_getaffinity(0, sizeof(*before), before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(cpu), &cpu), 0);
}

static int ready(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	poll(&one, 1, 0);
	return one.revents;
}

static void test_create(void **state)
{
	static const struct {
		unsigned key, value, entries, flags;
		int error;
	} cases[] = {
		{4, 4, 1, 0, 0},       {4, 4, 1, BPF_F_PRESERVE_ELEMS, 0}, {4, 8, 1, 0, -EINVAL},
		{8, 4, 1, 0, -EINVAL}, {4, 4, 0, 0, -EINVAL},
		{4, 4, 1, BPF_F_NO_PREALLOC, -EINVAL}, {4, 4, 1, BPF_F_RDONLY_PROG, -EINVAL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		int fd = map_create(PERF_ARRAY, cases[i].key, cases[i].value, cases[i].entries,
				    cases[i].flags);

		assert_int_equal(fd < 0 ? fd : 0, cases[i].error);
		if (fd >= 0)
			close(fd);
	}
}

static void test_elements(void **state)
{
	int map = map_create(PERF_ARRAY, 4, 4, 2, 0), event = open_event(&plain, 0), none = 999;
	union test_attr t = {.a.map_fd = (uint32_t)map};
	uint32_t key = 0, next, value = 0;

	(void)state;
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(map_update(map, &key, &event, BPF_EXIST), -EINVAL);
	assert_int_equal(map_update(map, &key, &event, BPF_NOEXIST), -EINVAL);
	assert_int_equal(map_update(map, &key, &none, 0), -EBADF);
	assert_int_equal(map_update(map, &key, &map, 0), -EBADF);
	assert_int_equal(map_update(map, &key, &event, 0), 0);
	assert_int_equal(map_update(map, &key, &event, 0), 0);
	assert_int_equal(map_lookup(map, &key, &value), -ENOTSUPP);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, map, &key, &value, 0), -ENOTSUPP);
	assert_int_equal(map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	key = 2;
	assert_int_equal(map_update(map, &key, &none, 0), -E2BIG);
	assert_int_equal(map_delete(map, &key), -E2BIG);
	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &t, 4), 0);
	key = 0;
	assert_int_equal(map_update(map, &key, &event, 0), -EPERM);
	close(event);
	close(map);
}

static void test_open(void **state)
{
	struct perf_event_attr attr = plain;
	char link[32], name[64] = "";
	uint64_t id = 0;
	int event;

	(void)state;
	assert_int_equal(open_event(&plain, 999), -EINVAL);
	assert_int_equal(open_event(&plain, -1), -EINVAL);
	attr.size = PERF_ATTR_SIZE_VER0;
	event = open_event(&attr, 0);
	assert_true(event >= 0);
	assert_int_equal(fcntl(event, F_GETFD), FD_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", event);
	assert_true(readlink(link, name, sizeof(name) - 1) > 0);
	assert_string_equal(name, "anon_inode:[perf_event]");
	assert_int_equal(ioctl(event, PERF_EVENT_IOC_ID, &id), 0);
	assert_true(id);
	assert_int_equal(ioctl(event, PERF_EVENT_IOC_ID, NULL), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(ioctl(event, PERF_EVENT_IOC_PAUSE_OUTPUT, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ioctl(event, 0x2499, 0), -1);
	assert_int_equal(errno, ENOTTY);
	close(event);
}

static void test_mmap(void **state)
{
	static const struct {
		size_t len;
		int prot, flags;
		long offset;
		int error;
	} cases[] = {
		{9 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0},
		{9 * PAGE - 1, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0},
		{2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0},
		{PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0},
		{9 * PAGE, PROT_READ, MAP_SHARED, 0, 0},
		{4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EINVAL},
		{9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, EINVAL},
		{9 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE, EINVAL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		int event = open_event(&plain, 0);
		void *ring = mmap(NULL, cases[i].len, cases[i].prot, cases[i].flags, event,
				  cases[i].offset);

		assert_int_equal(ring == MAP_FAILED ? errno : 0, cases[i].error);
		if (ring != MAP_FAILED) {
			assert_null(map_ring(event, 17, PROT_READ | PROT_WRITE));
			assert_int_equal(errno, EINVAL);
			munmap(ring, cases[i].len);
		}
		close(event);
	}
}

static void test_records(void **state)
{
	static const struct {
		int size;
		unsigned raw;
	} cases[] = {{8, 12}, {28, 28}, {1, 4}, {4, 4}, {5, 12}, {32, 36}, {0, 4}};
	struct ring ring = make_ring(&plain);
	struct record record;

	(void)state;
	assert_int_equal(ring.page->data_offset, PAGE);
	assert_int_equal(ring.page->data_size, RING);
	assert_int_equal(head_of(&ring), 0);
	for (unsigned round = 0; round < 50; round++)
		for (unsigned i = 0; i < COUNT(cases); i++) {
			uint64_t flags = i & 1 ? BPF_F_CURRENT_CPU : 0;
			uint32_t raw;

			assert_int_equal(output_on(ring.map, flags, cases[i].size, 0), 0);
			assert_true(next_record(&ring, &record));
			assert_int_equal(record.header.type, PERF_RECORD_SAMPLE);
			assert_int_equal(record.header.misc, PERF_RECORD_MISC_KERNEL);
			assert_int_equal(record.header.size, 8 + 4 + cases[i].raw);
			memcpy(&raw, record.body, 4);
			assert_int_equal(raw, cases[i].raw);
			for (int b = 0; b < cases[i].size && b < 20; b++)
				assert_int_equal(record.body[4 + b], b);
			assert_false(next_record(&ring, &record));
		}
	drop_ring(&ring);
}

static void test_fields(void **state)
{
	struct perf_event_attr attr = plain;
	struct record record;
	uint64_t words[10], id;
	struct ring ring;
	cpu_set_t saved;

	(void)state;
	attr.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
			   PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID |
			   PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
			   PERF_SAMPLE_RAW;
	ring = make_ring(&attr);
	assert_int_equal(ioctl(ring.event, PERF_EVENT_IOC_ID, &id), 0);
	go_to_cpu_0(&saved);
	assert_int_equal(output(&ring, 4), 0);
	sched_setaffinity(0, sizeof(saved), &saved);
	assert_true(next_record(&ring, &record));
	assert_int_equal(record.header.size, 8 + 9 * 8 + 8);
	memcpy(words, record.body, sizeof(words));
	assert_int_equal(words[0], id);
	assert_int_equal((uint32_t)words[2], getpid());
	assert_int_equal(words[2] >> 32, getpid());
	assert_true(words[3]);
	assert_int_equal(words[4], 0);
	assert_int_equal(words[5], id);
	assert_int_equal(words[6], id);
	assert_int_equal(words[7], 0);
	assert_int_equal(words[8], 0);
	assert_int_equal(words[9], 0x0302010000000004);
	drop_ring(&ring);
}

static void test_errors(void **state)
{
	struct ring ring = make_ring(&plain);
	int event = open_event(&plain, 1);
	uint32_t key = 1;

	(void)state;
	assert_int_equal(output_on(ring.map, 4, 8, 0), -E2BIG);
	assert_int_equal(output_on(ring.map, 2, 8, 0), -ENOENT);
	assert_int_equal(output_on(ring.map, 1ull << 32, 8, 0), -EINVAL);
	assert_int_equal(output_on(ring.map, 1ull << 52, 8, 0), -EINVAL);
	assert_int_equal(output_on(ring.map, 1ull << 63, 8, 0), -EINVAL);
	if (possible_cpus() > 1) {
		assert_int_equal(output_on(ring.map, 0, 8, 1), -EOPNOTSUPP);
		assert_int_equal(output_on(ring.map, BPF_F_CURRENT_CPU, 8, 1), -ENOENT);
		assert_int_equal(map_update(ring.map, &key, &event, 0), 0);
		assert_int_equal(output_on(ring.map, BPF_F_CURRENT_CPU, 8, 1), -ENOSPC);
	}
	assert_int_equal(ioctl(ring.event, PERF_EVENT_IOC_DISABLE, 0), 0);
	assert_int_equal(output(&ring, 8), -EOPNOTSUPP);
	assert_int_equal(ioctl(ring.event, PERF_EVENT_IOC_ENABLE, 0), 0);
	assert_int_equal(output(&ring, 8), 0);
	assert_int_equal(ioctl(ring.event, PERF_EVENT_IOC_PAUSE_OUTPUT, 1), 0);
	assert_int_equal(output(&ring, 8), -ENOSPC);
	assert_int_equal(ioctl(ring.event, PERF_EVENT_IOC_PAUSE_OUTPUT, 0), 0);
	assert_int_equal(output(&ring, 8), 0);
	close(event);
	drop_ring(&ring);
}

static void test_lost(void **state)
{
	struct ring ring = make_ring(&plain);
	struct record record;
	unsigned entered = 0;
	uint64_t lost[2];

	(void)state;
	while (entered < 1000 && !output(&ring, 8))
		entered++;
	assert_int_equal(entered, RING / 24);
	assert_int_equal(output(&ring, 8), -ENOSPC);
	assert_int_equal(output(&ring, 8), -ENOSPC);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(next_record(&ring, &record));
		assert_int_equal(output(&ring, 8), i ? 0 : -ENOSPC);
	}
	for (unsigned i = 2; i < entered; i++)
		assert_true(next_record(&ring, &record));
	assert_true(next_record(&ring, &record));
	assert_int_equal(record.header.type, PERF_RECORD_LOST);
	assert_int_equal(record.header.misc, 0);
	assert_int_equal(record.header.size, 24);
	memcpy(lost, record.body, sizeof(lost));
	assert_int_equal(lost[1], 4);
	assert_true(next_record(&ring, &record));
	assert_int_equal(record.header.type, PERF_RECORD_SAMPLE);
	assert_false(next_record(&ring, &record));
	drop_ring(&ring);
}

/* Whatever a reader says, room is what the tail leaves modulo the size. */
static void test_hostile_tail(void **state)
{
	struct ring ring = make_ring(&plain);
	int prog = load_output(ring.map, 32);

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 2000; i++) {
		const uint64_t head = head_of(&ring);
		const uint64_t tail = i % 3 ? head - (uint64_t)(rand() % 8192) :
					      (uint64_t)rand() << 33 | (uint64_t)rand();
		int result;

		set_tail(&ring, tail);
		result = run_on(prog, 0, 0);
		assert_true(result == 0 || result == -ENOSPC);
		if (((tail - head - 1) & (RING - 1)) < 48)
			assert_int_equal(result, -ENOSPC);
		if (((tail - head - 1) & (RING - 1)) >= 72)
			assert_int_equal(result, 0);
		assert_true(head_of(&ring) - head <= 72);
	}
	close(prog);
	drop_ring(&ring);
}

static void test_overwrite(void **state)
{
	int map = map_create(PERF_ARRAY, 4, 4, 1, 0), event = open_event(&plain, 0);
	struct perf_event_mmap_page *page = map_ring(event, 2, PROT_READ);
	uint32_t key = 0;

	(void)state;
	assert_non_null(page);
	assert_int_equal(mprotect(page, PAGE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(map_update(map, &key, &event, 0), 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(output_on(map, 0, 32, 0), 0);
	assert_int_equal(page->data_head, 200 * 48);
	munmap(page, 2 * PAGE);
	close(event);
	close(map);
}

static void test_poll(void **state)
{
	static const struct {
		unsigned wakeup;
		bool bytes;
		const char *ready;
	} cases[] = {
		{1, false, "11111111"},
		{3, false, "00100100"},
		{0, false, "00000000"},
		{100, true, "00001000100010001"},
	};
	int unmapped = open_event(&plain, 0);

	(void)state;
	assert_int_equal(ready(unmapped), POLLHUP);
	close(unmapped);
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct perf_event_attr attr = plain;
		struct ring ring;

		attr.wakeup_events = cases[i].wakeup;
		attr.watermark = cases[i].bytes;
		ring = make_ring(&attr);
		for (const char *at = cases[i].ready; *at; at++) {
			assert_int_equal(output(&ring, 8), 0);
			assert_int_equal(ready(ring.event), *at == '1' ? POLLIN : 0);
			assert_int_equal(ready(ring.event), 0);
		}
		drop_ring(&ring);
	}
}

static void test_epoll(void **state)
{
	struct ring ring = make_ring(&plain);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1234567890}, got;
	int set = epoll_create1(EPOLL_CLOEXEC);
	pid_t child;

	(void)state;
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring.event, &event), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring.event, &event), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(epoll_wait(set, &got, 1, 0), 0);
	assert_int_equal(output(&ring, 8), 0);
	assert_int_equal(epoll_wait(set, &got, 1, 1000), 1);
	assert_int_equal(got.events, EPOLLIN);
	assert_int_equal(got.data.u64, 0x1234567890);
	assert_int_equal(epoll_wait(set, &got, 1, 0), 0);
	child = fork();
	if (!child) {
		usleep(50000);
		_exit(output(&ring, 8) != 0);
	}
	assert_int_equal(epoll_wait(set, &got, 1, 20000), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_DEL, ring.event, NULL), 0);
	close(set);
	drop_ring(&ring);
}

static void test_packet(void **state)
{
	static const unsigned types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS};
	static const unsigned lens[] = {0, 1, 20, 64};
	struct ring ring = make_ring(&plain);
	uint8_t packet[PACKET_MAX];
	struct record record;
	cpu_set_t saved;

	(void)state;
	fill_packet(packet);
	go_to_cpu_0(&saved);
	for (unsigned i = 0; i < COUNT(types) * (COUNT(lens) + 2); i++) {
		const unsigned type = types[i % 2], nr = i / 2;
		const uint64_t len = nr < COUNT(lens) ? lens[nr] : nr == COUNT(lens) ? 65 : 0xfffff;
		const struct bpf_insn insns[] = {
			ST_K(DW, R10, -8, 0x11223344),
			LD64_RAW(R2, BPF_PSEUDO_MAP_FD, ring.map, 0),
			LD64(R3, len << 32 | 0xffffffff),
			MOV_X(R4, R10),
			ALU64_K(ADD, R4, -8),
			MOV_K(R5, 8),
			CALL(BPF_FUNC_perf_event_output),
			EXIT,
		};
		int prog = prog_load(type, 0, insns, COUNT(insns));
		union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
						.data_in = ptr64(packet),
						.data_size_in = PACKET_LEN}};

		assert_true(prog >= 0);
		assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
		assert_int_equal((int)t.a.test.retval, len <= PACKET_LEN ? 0 : -EFAULT);
		assert_int_equal(next_record(&ring, &record), len <= PACKET_LEN);
		if (len <= PACKET_LEN)
			assert_memory_equal(record.body + 12, packet, len);
		close(prog);
	}
	sched_setaffinity(0, sizeof(saved), &saved);
	drop_ring(&ring);
}

static void test_read(void **state)
{
	struct ring ring = make_ring(&plain);
	const struct bpf_insn insns[] = {
		LD(DW, R2, R1, 0),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, ring.map, 0),
		CALL(BPF_FUNC_perf_event_read),
		EXIT,
	};
	const struct bpf_insn value_insns[] = {
		ST_K(DW, R10, -8, 7),
		ST_K(DW, R10, -16, 7),
		ST_K(DW, R10, -24, 7),
		LD(DW, R2, R1, 0),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, ring.map, 0),
		MOV_X(R3, R10),
		ALU64_K(ADD, R3, -24),
		MOV_K(R4, 24),
		CALL(BPF_FUNC_perf_event_read_value),
		J_K(JNE, R0, 0, 1),
		LD(DW, R0, R10, -24),
		EXIT,
	};
	int progs[] = {prog_load(RAW_TP, 0, insns, COUNT(insns)),
		       prog_load(RAW_TP, 0, value_insns, COUNT(value_insns))};

	(void)state;
	for (unsigned i = 0; i < COUNT(progs); i++) {
		assert_int_equal(run_on(progs[i], 0, 0), 0);
		assert_int_equal(run_on(progs[i], BPF_F_CURRENT_CPU, 0), 0);
		assert_int_equal(run_on(progs[i], 1, 0), -ENOENT);
		assert_int_equal(run_on(progs[i], 9, 0), -E2BIG);
		assert_int_equal(run_on(progs[i], 1ull << 33, 0), -EINVAL);
		if (possible_cpus() > 1)
			assert_int_equal(run_on(progs[i], 0, 1), -EINVAL);
		close(progs[i]);
	}
	drop_ring(&ring);
}

static int another_descriptor(int map)
{
	struct bpf_map_info info = {0};
	union test_attr t = {.a.info = {.bpf_fd = (uint32_t)map,
					.info_len = sizeof(info),
					.info = ptr64(&info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
	t = (union test_attr){.a.map_id = info.id};
	return (int)bpf_sys(BPF_MAP_GET_FD_BY_ID, &t, sizeof(union bpf_attr));
}

static void test_life(void **state)
{
	struct ring ring = make_ring(&plain);
	int prog = load_output(ring.map, 8), copy = dup(ring.map), other;
	uint32_t key = 0;

	(void)state;
	close(ring.event); /* the element keeps it */
	assert_int_equal(run_on(prog, 0, 0), 0);
	close(ring.map);
	assert_int_equal(run_on(prog, 0, 0), 0);
	close(copy); /* the program still keeps the map, which has no user any more */
	assert_int_equal(run_on(prog, 0, 0), -ENOENT);
	close(prog);
	munmap((void *)ring.page, PAGE + RING);

	ring.map = map_create(PERF_ARRAY, 4, 4, 1, BPF_F_PRESERVE_ELEMS);
	ring.event = open_event(&plain, 0);
	ring.page = map_ring(ring.event, 2, PROT_READ | PROT_WRITE);
	assert_int_equal(map_update(ring.map, &key, &ring.event, 0), 0);
	other = another_descriptor(ring.map);
	close(ring.map);
	close(ring.event);
	assert_int_equal(output_on(other, 0, 8, 0), 0);
	close(other);
	munmap((void *)ring.page, PAGE + RING);
}

/* Inserts by a descriptor of its own, which a child may keep; returns that one. */
static pid_t insert_and_close(int map, uint32_t key, int event, bool keep)
{
	const int other = another_descriptor(map);
	pid_t child = 0;

	assert_true(other >= 0);
	assert_int_equal(map_update(other, &key, &event, 0), 0);
	if (keep)
		child = fork();
	if (keep && !child) {
		pause();
		_exit(0);
	}
	close(other);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* An element goes with the descriptor through which it came, and its duplicates. */
static void test_life_of_elements(void **state)
{
	const int map = map_create(PERF_ARRAY, 4, 4, 2, 0), event = open_event(&plain, 0);
	const int other_event = open_event(&plain, 0);
	const uint32_t key = 1;
	pid_t child;

	(void)state;
	insert_and_close(map, key, event, false);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	child = insert_and_close(map, key, event, true);
	assert_int_equal(map_delete(map, &key), 0);
	end_child(child);
	child = insert_and_close(map, key, event, true);
	end_child(child);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(map_update(map, &key, &other_event, 0), 0);
	insert_and_close(map, key, event, false);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(map_update(map, &key, &event, 0), 0);
	insert_and_close(map, key, event, false);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	child = insert_and_close(map, key, event, true);
	assert_int_equal(map_update(map, &key, &event, 0), 0);
	end_child(child);
	assert_int_equal(map_delete(map, &key), 0);
	close(event);
	close(other_event);
	close(map);
}

static void test_programs_miss_elements(void **state)
{
	struct ring ring = make_ring(&plain);
	const int prog = load_output(ring.map, 8);

	(void)state;
	assert_int_equal(run_on(prog, 0, 0), 0);
	insert_and_close(ring.map, 0, ring.event, false);
	assert_int_equal(run_on(prog, 0, 0), -ENOENT);
	close(prog);
	drop_ring(&ring);
}

/* Writers that are killed at any moment leave a ring of whole records, which others go on with. */
static void test_killed_writers(void **state)
{
	struct ring ring = make_ring(&plain);
	int prog = load_output(ring.map, 32);
	struct record record;
	unsigned long records = 0;
	uint32_t raw;

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		pid_t children[2];

		for (unsigned i = 0; i < COUNT(children); i++) {
			children[i] = fork();
			if (!children[i])
				for (;;)
					run_on(prog, 0, 0);
		}
		for (unsigned i = 0; i < 20000; i++)
			while (next_record(&ring, &record)) {
				memcpy(&raw, record.body, 4);
				assert_true(record.header.type == PERF_RECORD_LOST || raw == 36);
				records++;
			}
		for (unsigned i = 0; i < COUNT(children); i++)
			kill(children[i], SIGKILL);
		for (unsigned i = 0; i < COUNT(children); i++)
			assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
		while (next_record(&ring, &record))
			;
		assert_int_equal(run_on(prog, 0, 0), 0);
		while (next_record(&ring, &record))
			records++;
		assert_int_equal(ring.at, head_of(&ring));
	}
	assert_true(records >= 40);
	close(prog);
	drop_ring(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),   cmocka_unit_test(test_elements),
		cmocka_unit_test(test_open),     cmocka_unit_test(test_mmap),
		cmocka_unit_test(test_records),  cmocka_unit_test(test_fields),
		cmocka_unit_test(test_errors),   cmocka_unit_test(test_lost),
		cmocka_unit_test(test_hostile_tail), cmocka_unit_test(test_overwrite),
		cmocka_unit_test(test_poll),     cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_packet),   cmocka_unit_test(test_read),
		cmocka_unit_test(test_life),     cmocka_unit_test(test_killed_writers),
		cmocka_unit_test(test_life_of_elements),
		cmocka_unit_test(test_programs_miss_elements),
	};

	require_bpf();
	return run_tests(tests);
}
