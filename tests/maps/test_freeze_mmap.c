/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_freeze_mmap.c: mapping of arrays, freezing, and what each does to the other.
 */
#include "bpf_test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ATTR sizeof(union bpf_attr)
#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)

/* 3 pages of values: 8-byte values that lie 8 apart. */
#define N 1500

static int make(unsigned flags)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, N, BPF_F_MMAPABLE | flags);

	assert_true(fd >= 0);
	return fd;
}

static int freeze(int fd)
{
	union test_attr attr = {.a.map_fd = (uint32_t)fd};

	return (int)bpf_sys(BPF_MAP_FREEZE, &attr, ATTR);
}

/* 0 or -errno; unmapped again. */
static int maps(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

static void which_mappings(void **state)
{
	static const struct {
		size_t len;
		int prot, flags;
		off_t offset;
		int expected;
	} cases[] = {
		{3 * PAGE, RW, MAP_SHARED, 0, 0},
		{3 * PAGE, PROT_READ, MAP_SHARED, 0, 0},
		{3 * PAGE, PROT_WRITE, MAP_SHARED, 0, 0},
		{3 * PAGE, PROT_NONE, MAP_SHARED, 0, 0},
		{3 * PAGE, RW, MAP_SHARED_VALIDATE, 0, 0},
		{1, RW, MAP_SHARED, 0, 0},
		{2 * PAGE + 1, RW, MAP_SHARED, 0, 0},
		{PAGE, RW, MAP_SHARED, 2 * PAGE, 0},
		{3 * PAGE + 1, RW, MAP_SHARED, 0, -EINVAL},
		{4 * PAGE, PROT_READ, MAP_SHARED, 0, -EINVAL},
		{3 * PAGE, RW, MAP_SHARED, PAGE, -EINVAL},
		{PAGE, RW, MAP_SHARED, 3 * PAGE, -EINVAL},
		{PAGE, RW, MAP_SHARED, 1ll << 40, -EINVAL},
		{PAGE, RW, MAP_SHARED, 1, -EINVAL},
		{PAGE, RW, MAP_PRIVATE, 0, -EINVAL},
		{PAGE, PROT_READ, MAP_PRIVATE, 0, -EINVAL},
		{PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, 0, -EPERM},
		{0, PROT_READ, MAP_SHARED, 0, -EINVAL},
	};
	int fd = make(0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int got = maps(fd, cases[i].len, cases[i].prot, cases[i].flags, cases[i].offset);

		if (got != cases[i].expected)
			fail_msg("case %zu: %d instead of %d", i, got, cases[i].expected);
	}
	close(fd);
}

static void which_maps(void **state)
{
	static const struct {
		unsigned type, flags;
		int prot, expected;
	} cases[] = {
		{BPF_MAP_TYPE_ARRAY, 0, PROT_READ, -EINVAL},
		{BPF_MAP_TYPE_ARRAY, BPF_F_RDONLY_PROG, RW, -EACCES},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG, RW, -EACCES},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG, PROT_READ, 0},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_WRONLY_PROG, RW, 0},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_RDONLY, PROT_READ, -EINVAL},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_RDONLY, RW, -EACCES},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_WRONLY, PROT_READ, -EACCES},
		{BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_WRONLY, RW, -EACCES},
		{BPF_MAP_TYPE_PERCPU_ARRAY, 0, PROT_READ, -ENOTSUPP},
		{BPF_MAP_TYPE_PERCPU_ARRAY, 0, RW, -ENOTSUPP},
		{BPF_MAP_TYPE_HASH, 0, PROT_READ, -ENOTSUPP},
		{BPF_MAP_TYPE_HASH, 0, PROT_READ | PROT_EXEC, -EPERM},
		{BPF_MAP_TYPE_PERCPU_HASH, 0, RW, -ENOTSUPP},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = map_create(cases[i].type, 4, 8, N, cases[i].flags);
		int got = maps(fd, PAGE, cases[i].prot, MAP_SHARED, 0);

		if (got != cases[i].expected)
			fail_msg("case %zu: %d instead of %d", i, got, cases[i].expected);
		close(fd);
	}
}

/* One memory for the mapping and the commands, elements a multiple of eight bytes apart. */
static void values_in_the_mapping(void **state)
{
	static const unsigned sizes[] = {4, 8, 12};
	uint8_t value[16], *memory;

	for (int i = 0; i < 3; i++) {
		const unsigned stride = (sizes[i] + 7) / 8 * 8;
		int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, sizes[i], 10, BPF_F_MMAPABLE);

		memory = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(memory, MAP_FAILED);
		for (unsigned at = 0; at < PAGE; at++)
			assert_int_equal(memory[at], 0);
		for (uint32_t key = 0; key < 10; key++) {
			memset(value, (int)key + 1, sizeof(value));
			assert_int_equal(map_update(fd, &key, value, 0), 0);
			assert_memory_equal(memory + key * stride, value, sizes[i]);
			memory[key * stride + 1] = 0xee;
			assert_int_equal(map_lookup(fd, &key, value), 0);
			assert_int_equal(value[1], 0xee);
		}
		memory[PAGE - 1] = 7; /* behind the last element: writable and shared */
		uint8_t *again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		assert_int_equal(again[PAGE - 1], 7);
		munmap(again, PAGE);
		munmap(memory, PAGE);
		close(fd);
	}
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {0};
	union test_attr attr = {.a.info = {.bpf_fd = (uint32_t)fd,
					   .info_len = sizeof(info),
					   .info = ptr64(&info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &attr, ATTR), 0);
	return info.id;
}

static int open_id(uint32_t id, unsigned flags)
{
	union test_attr attr = {.a = {.map_id = id, .open_flags = flags}};

	return (int)bpf_sys(BPF_MAP_GET_FD_BY_ID, &attr, ATTR);
}

static void a_mapping_keeps_the_map(void **state)
{
	int fd = make(0), again;
	const uint32_t id = id_of(fd);
	uint64_t *memory = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	uint32_t key = 2;
	uint64_t value;

	assert_ptr_not_equal(memory, MAP_FAILED);
	close(fd);
	memory[2] = 44;
	again = open_id(id, 0);
	assert_true(again >= 0);
	assert_int_equal(map_lookup(again, &key, &value), 0);
	assert_int_equal(value, 44);
	close(again);
	munmap(memory, PAGE);
	assert_int_equal(open_id(id, 0), -ENOENT);
}

static void mappings_go_through_fork(void **state)
{
	int fd = make(0), status;
	uint64_t *memory = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	uint32_t key = 1;
	uint64_t value = 0;
	pid_t child = fork();

	if (child == 0) {
		memory[1] = 99;
		_exit(map_lookup(fd, &key, &value) || value != 99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(memory[1], 99);
	munmap(memory, PAGE);
	close(fd);
}

static void frozen_for_the_system_call(void **state)
{
	static const unsigned types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH,
					 BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};
	uint64_t *value = calloc(possible_cpus(), 8);
	uint32_t key = 1, next;

	for (int i = 0; i < 4; i++) {
		int fd = map_create(types[i], 4, 8, 4, 0), other;

		other = open_id(id_of(fd), 0);
		assert_int_equal(map_update(fd, &key, value, 0), 0);
		assert_int_equal(freeze(fd), 0);
		assert_int_equal(freeze(fd), -EPERM);
		assert_int_equal(freeze(other), -EPERM);
		for (int j = 0; j < 3; j++) {
			int by = j == 0 ? fd : j == 1 ? other : open_id(id_of(fd), BPF_F_WRONLY);

			assert_true(by >= 0);
			assert_int_equal(map_update(by, &key, value, 0), -EPERM);
			assert_int_equal(map_update(by, NULL, NULL, BPF_F_LOCK), -EPERM);
			assert_int_equal(map_delete(by, &key), -EPERM);
			assert_int_equal(
				map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, by, &key, value, 0),
				-EPERM);
			assert_int_equal(map_lookup(by, &key, value), j == 2 ? -EPERM : 0);
			assert_int_equal(map_next_key(by, NULL, &next), j == 2 ? -EPERM : 0);
			if (j)
				close(by);
		}
		close(fd);
	}
	free(value);
}

static void freezing_needs_a_writable_descriptor(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_RDONLY), full;

	assert_int_equal(freeze(fd), -EPERM);
	full = open_id(id_of(fd), BPF_F_WRONLY);
	assert_int_equal(freeze(full), 0);
	close(full);
	close(fd);
}

static void frozen_maps_are_mapped_read_only(void **state)
{
	int fd = make(0);
	void *memory;

	assert_int_equal(freeze(fd), 0);
	assert_int_equal(maps(fd, PAGE, RW, MAP_SHARED, 0), -EPERM);
	assert_int_equal(maps(fd, PAGE, PROT_WRITE, MAP_SHARED, 0), -EPERM);
	memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	munmap(memory, PAGE);
	close(fd);
}

static void a_writable_mapping_prevents_freezing(void **state)
{
	int fd = make(0), status;
	void *writable = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	void *readable = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	pid_t child;

	assert_int_equal(freeze(fd), -EBUSY);
	munmap(writable, PAGE);
	assert_int_equal(freeze(fd), -EBUSY);
	child = fork(); /* the mapping of another process counts, too */
	if (child == 0) {
		pause();
		_exit(0);
	}
	munmap((char *)writable + PAGE, 2 * PAGE);
	assert_int_equal(freeze(fd), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_int_equal(freeze(fd), 0);
	munmap(readable, 3 * PAGE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_mappings),
		cmocka_unit_test(which_maps),
		cmocka_unit_test(values_in_the_mapping),
		cmocka_unit_test(a_mapping_keeps_the_map),
		cmocka_unit_test(mappings_go_through_fork),
		cmocka_unit_test(frozen_for_the_system_call),
		cmocka_unit_test(freezing_needs_a_writable_descriptor),
		cmocka_unit_test(frozen_maps_are_mapped_read_only),
		cmocka_unit_test(a_writable_mapping_prevents_freezing),
	};

	require_bpf();
	return run_tests(tests);
}
