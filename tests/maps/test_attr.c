/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_attr.c: how the map commands read their attribute: size, tail, unused bytes, descriptors,
 * pointers, and which of several errors comes first.
 */
#include "bpf_test.h"

#include <fcntl.h>
#include <sys/mman.h>

#define ATTR sizeof(union bpf_attr)
#define KNOWN 168 /* bytes of the attribute that Linux 6.18 knows */

static int hash, array, pipe_fd;
static void *const bad = (void *)8; /* as good as unmapped */

static union test_attr create_attr(void)
{
	return (union test_attr){.a = {.map_type = BPF_MAP_TYPE_HASH,
				       .key_size = 4,
				       .value_size = 8,
				       .max_entries = 0x104}};
}

static long creates(const void *attr, unsigned size)
{
	long fd = bpf_sys(BPF_MAP_CREATE, attr, size);

	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? fd : 0;
}

static void size_and_tail(void **state)
{
	static const struct {
		unsigned size;
		int expected;
	} sizes[] = {{0, -EINVAL},  {4, -EINVAL},     {12, -EINVAL},	{13, 0},
		     {14, 0},	    {16, 0},	      {72, 0},		{144, 0},
		     {KNOWN, 0},    {KNOWN + 8, 0},   {256, 0},		{4096, 0},
		     {4097, -E2BIG}, {0x7fffffff, -E2BIG}, {0xffffffff, -E2BIG}};
	uint8_t page[4096] = {0};
	union test_attr attr = create_attr();

	memcpy(page, &attr, sizeof(attr));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_int_equal(creates(page, sizes[i].size), sizes[i].expected);
	/* Unused bytes of a command that the kernel knows: EINVAL. Beyond: E2BIG. */
	for (unsigned at = 92; at < 4096; at += at < 180 ? 1 : 509) {
		page[at] = 1;
		assert_int_equal(creates(page, 4096), at < KNOWN ? -EINVAL : -E2BIG);
		assert_int_equal(creates(page, at), 0);
		page[at] = 0;
	}
}

/* A size that ends inside a field fills up with zeros: max_entries 4 instead of 0x104. */
static void size_cuts_a_field(void **state)
{
	union test_attr attr = create_attr();
	struct bpf_map_info info;
	const struct {
		unsigned size, max_entries;
	} cuts[] = {{13, 4}, {14, 0x104}};

	for (size_t i = 0; i < 2; i++) {
		int fd = (int)bpf_sys(BPF_MAP_CREATE, &attr, cuts[i].size);
		union test_attr get = {.a.info = {.bpf_fd = (uint32_t)fd,
						  .info_len = sizeof(info),
						  .info = ptr64(&info)}};

		memset(&info, 0, sizeof(info));
		assert_true(fd >= 0);
		assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &get, ATTR), 0);
		assert_int_equal(info.max_entries, cuts[i].max_entries);
		close(fd);
	}
}

static void unreadable_attributes(void **state)
{
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	union test_attr attr = create_attr();

	munmap(pages + 4096, 4096);
	assert_int_equal(bpf_sys(BPF_MAP_CREATE, NULL, 8), -EFAULT);
	assert_int_equal(bpf_sys(BPF_MAP_CREATE, bad, ATTR), -EFAULT);
	assert_int_equal(bpf_sys(BPF_MAP_CREATE, NULL, 0), -EINVAL);
	assert_int_equal(bpf_sys(38, NULL, 8), -EFAULT);
	assert_int_equal(bpf_sys(38, NULL, 4097), -E2BIG);
	/* Up to the very end of a page, and one byte more. */
	memcpy(pages + 4096 - 72, &attr, 72);
	assert_int_equal(creates(pages + 4096 - 72, 72), 0);
	assert_int_equal(creates(pages + 4096 - 72, 73), -EFAULT);
	assert_int_equal(creates(pages + 4096 - 72, 4096), -EFAULT);
	/* Any alignment. */
	memcpy(pages + 3, &attr, 72);
	assert_int_equal(creates(pages + 3, 72), 0);
	munmap(pages, 4096);
}

static void unknown_commands(void **state)
{
	static const int commands[] = {-1, 38, 39, 100, 0x7fffffff, (int)0x80000000};
	union test_attr attr = {.bytes = {0}};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_int_equal(bpf_sys(commands[i], &attr, ATTR), -EINVAL);
}

static const struct {
	int command;
	unsigned end; /* of the last field that is used */
} layouts[] = {
	{BPF_MAP_LOOKUP_ELEM, 32},	 {BPF_MAP_UPDATE_ELEM, 32}, {BPF_MAP_DELETE_ELEM, 16},
	{BPF_MAP_GET_NEXT_KEY, 24},	 {BPF_MAP_FREEZE, 4},	    {BPF_MAP_LOOKUP_BATCH, 56},
	{BPF_MAP_LOOKUP_AND_DELETE_ELEM, 32},
	{BPF_MAP_LOOKUP_AND_DELETE_BATCH, 56},
	{BPF_MAP_UPDATE_BATCH, 56},	 {BPF_MAP_DELETE_BATCH, 56},
};

/* Also with a descriptor that is none: nothing else is looked at before. */
static void bytes_behind_the_last_field(void **state)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		for (unsigned at = layouts[i].end; at < KNOWN; at++) {
			union test_attr attr = {.a.map_fd = 9999};

			attr.bytes[at] = 0x80;
			assert_int_equal(bpf_sys(layouts[i].command, &attr, KNOWN), -EINVAL);
		}
}

static void padding_may_hold_anything(void **state)
{
	uint32_t key = 1, next;
	uint64_t value = 2;
	union test_attr attr = {
		.a = {.map_fd = (uint32_t)hash, .key = ptr64(&key), .value = ptr64(&value)}};

	memset(attr.bytes + 4, 0xff, 4);
	assert_int_equal(bpf_sys(BPF_MAP_UPDATE_ELEM, &attr, ATTR), 0);
	assert_int_equal(bpf_sys(BPF_MAP_LOOKUP_ELEM, &attr, ATTR), 0);
	attr.a.next_key = ptr64(&next);
	attr.a.key = 0;
	assert_int_equal(bpf_sys(BPF_MAP_GET_NEXT_KEY, &attr, ATTR), 0);
	attr.a.next_key = 0;
	attr.a.key = ptr64(&key);
	assert_int_equal(bpf_sys(BPF_MAP_DELETE_ELEM, &attr, ATTR), 0);
}

static void descriptors(void **state)
{
	uint32_t key = 0;
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		union test_attr attr = {.bytes = {0}};

		if (layouts[i].end == 56) {
			attr.a.batch.keys = ptr64(&key);
			attr.a.batch.values = ptr64(&value);
		}
		for (int j = 0; j < 4; j++) {
			const struct {
				uint32_t fd;
				int expected;
			} fds[] = {{9999, -EBADF},
				   {0xffffffff, -EBADF},
				   {0x80000000, -EBADF},
				   {(uint32_t)pipe_fd, -EINVAL}};

			if (layouts[i].end == 56)
				attr.a.batch.map_fd = fds[j].fd;
			else
				attr.a.map_fd = fds[j].fd;
			assert_int_equal(bpf_sys(layouts[i].command, &attr, ATTR),
					 fds[j].expected);
		}
	}
}

enum which { HASH, ARRAY, CLOSED };

/* Of several errors the first in the kernel's order is reported. */
static void order_of_errors(void **state)
{
	static uint32_t present = 7, absent = 8;
	static uint64_t value = 1;
	const struct {
		int command;
		enum which map;
		const void *key, *value;
		uint64_t flags;
		int expected;
	} cases[] = {
		{BPF_MAP_LOOKUP_ELEM, CLOSED, NULL, NULL, 0, -EBADF},
		{BPF_MAP_LOOKUP_ELEM, CLOSED, NULL, NULL, 1, -EINVAL},
		{BPF_MAP_LOOKUP_ELEM, CLOSED, NULL, NULL, 1ull << 32, -EINVAL},
		{BPF_MAP_LOOKUP_ELEM, CLOSED, NULL, NULL, 1ull << 63, -EINVAL},
		{BPF_MAP_LOOKUP_ELEM, CLOSED, NULL, NULL, BPF_F_LOCK, -EBADF},
		{BPF_MAP_LOOKUP_ELEM, HASH, NULL, NULL, BPF_F_LOCK, -EINVAL},
		{BPF_MAP_LOOKUP_ELEM, HASH, NULL, NULL, 0, -EFAULT},
		{BPF_MAP_LOOKUP_ELEM, HASH, bad, &value, 0, -EFAULT},
		{BPF_MAP_LOOKUP_ELEM, HASH, &absent, NULL, 0, -ENOENT},
		{BPF_MAP_LOOKUP_ELEM, HASH, &present, NULL, 0, -EFAULT},
		{BPF_MAP_LOOKUP_ELEM, HASH, &present, bad, 0, -EFAULT},
		{BPF_MAP_LOOKUP_ELEM, HASH, &present, &value, 0, 0},
		{BPF_MAP_UPDATE_ELEM, CLOSED, NULL, NULL, 77, -EBADF},
		{BPF_MAP_UPDATE_ELEM, HASH, NULL, NULL, 77, -EINVAL}, /* 77 & BPF_F_LOCK */
		{BPF_MAP_UPDATE_ELEM, HASH, NULL, NULL, 3, -EFAULT},
		{BPF_MAP_UPDATE_ELEM, HASH, &present, NULL, 3, -EFAULT},
		{BPF_MAP_UPDATE_ELEM, HASH, &present, &value, 3, -EINVAL},
		{BPF_MAP_UPDATE_ELEM, HASH, &present, &value, 8, -EINVAL},
		{BPF_MAP_UPDATE_ELEM, HASH, &present, &value, 1ull << 32, -EINVAL},
		{BPF_MAP_UPDATE_ELEM, HASH, &present, &value, 1ull << 63 | 1, -EINVAL},
		{BPF_MAP_UPDATE_ELEM, ARRAY, NULL, NULL, 5, -EINVAL},
		{BPF_MAP_UPDATE_ELEM, ARRAY, &present, NULL, 0, -EFAULT},
		{BPF_MAP_UPDATE_ELEM, ARRAY, &present, &value, 0, -E2BIG},
		{BPF_MAP_UPDATE_ELEM, ARRAY, &present, &value, 3, -EINVAL},
		{BPF_MAP_DELETE_ELEM, CLOSED, NULL, NULL, 0, -EBADF},
		{BPF_MAP_DELETE_ELEM, HASH, NULL, NULL, 0, -EFAULT},
		{BPF_MAP_DELETE_ELEM, HASH, bad, NULL, 0, -EFAULT},
		{BPF_MAP_DELETE_ELEM, HASH, &present, &value, 0, -EINVAL}, /* value is not used */
		{BPF_MAP_DELETE_ELEM, HASH, &present, NULL, 1, -EINVAL},
		{BPF_MAP_DELETE_ELEM, ARRAY, NULL, NULL, 0, -EFAULT},
		{BPF_MAP_DELETE_ELEM, ARRAY, &present, NULL, 0, -EINVAL},
		{BPF_MAP_GET_NEXT_KEY, CLOSED, NULL, NULL, 0, -EBADF},
		{BPF_MAP_GET_NEXT_KEY, HASH, bad, NULL, 0, -EFAULT},
		{BPF_MAP_GET_NEXT_KEY, HASH, NULL, NULL, 0, -EFAULT},
		{BPF_MAP_GET_NEXT_KEY, HASH, NULL, bad, 0, -EFAULT},
		{BPF_MAP_GET_NEXT_KEY, HASH, &present, NULL, 0, -ENOENT}, /* the last key */
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, CLOSED, NULL, NULL, 1, -EINVAL},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, CLOSED, NULL, NULL, BPF_F_LOCK, -EBADF},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, HASH, NULL, NULL, BPF_F_LOCK, -EINVAL},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, HASH, NULL, NULL, 0, -EFAULT},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, HASH, &absent, NULL, 0, -ENOENT},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, ARRAY, NULL, NULL, 0, -EFAULT},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, ARRAY, &present, &value, 0, -ENOTSUPP},
	};
	const int fds[] = {hash, array, 9999};

	assert_int_equal(map_update(hash, &present, &value, BPF_ANY), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int got = map_elem(cases[i].command, fds[cases[i].map], cases[i].key,
				   cases[i].value, cases[i].flags);

		if (got != cases[i].expected)
			fail_msg("case %zu: %d instead of %d", i, got, cases[i].expected);
	}
	assert_int_equal(map_delete(hash, &present), 0);
}

/* Copies stop at the page that is not there, and nothing else happens. */
static void pointers_at_the_end_of_a_page(void **state)
{
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t key = 3;
	uint64_t value = 4;

	munmap(pages + 4096, 4096);
	memcpy(pages + 4092, &key, 4);
	assert_int_equal(map_update(hash, pages + 4092, &value, 0), 0);
	assert_int_equal(map_update(hash, pages + 4093, &value, 0), -EFAULT);
	assert_int_equal(map_lookup(hash, &key, pages + 4088), 0);
	assert_int_equal(map_lookup(hash, &key, pages + 4089), -EFAULT);
	assert_int_equal(map_next_key(hash, NULL, pages + 4092), 0);
	assert_int_equal(map_next_key(hash, NULL, pages + 4094), -EFAULT);
	mprotect(pages, 4096, PROT_READ);
	assert_int_equal(map_lookup(hash, &key, pages), -EFAULT);
	assert_int_equal(map_update(hash, &key, pages, 0), 0);
	/* Deleted before its value is copied out. */
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, hash, &key, pages, 0), -EFAULT);
	assert_int_equal(map_lookup(hash, &key, &value), -ENOENT);
	munmap(pages, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_and_tail),
		cmocka_unit_test(size_cuts_a_field),
		cmocka_unit_test(unreadable_attributes),
		cmocka_unit_test(unknown_commands),
		cmocka_unit_test(bytes_behind_the_last_field),
		cmocka_unit_test(padding_may_hold_anything),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(order_of_errors),
		cmocka_unit_test(pointers_at_the_end_of_a_page),
	};
	int fds[2];

	require_bpf();
	hash = map_create(BPF_MAP_TYPE_HASH, 4, 8, 16, 0);
	array = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	if (hash < 0 || array < 0 || pipe2(fds, O_CLOEXEC))
		return 1;
	pipe_fd = fds[0];
	return run_tests(tests);
}
