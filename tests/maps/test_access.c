/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_access.c: what read-only and write-only descriptors allow, for each command, and that the
 * mode belongs to the descriptor and not to the map.
 */
#include "bpf_test.h"

#include <fcntl.h>

#define ATTR sizeof(union bpf_attr)

enum { READ_WRITE, READ_ONLY, WRITE_ONLY };

static const unsigned mode_flags[] = {0, BPF_F_RDONLY, BPF_F_WRONLY};

static const struct {
	int command;
	int expected[3]; /* by mode, with a present key */
} commands[] = {
	{BPF_MAP_LOOKUP_ELEM, {0, 0, -EPERM}},
	{BPF_MAP_GET_NEXT_KEY, {0, 0, -EPERM}},
	{BPF_MAP_UPDATE_ELEM, {0, -EPERM, 0}},
	{BPF_MAP_LOOKUP_AND_DELETE_ELEM, {0, -EPERM, -EPERM}},
	{BPF_MAP_DELETE_ELEM, {0, -EPERM, 0}},
};

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

static void check_mode(int fd, int full, int mode)
{
	uint32_t key = 1, other = 2, next;
	uint64_t value = 5;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const int command = commands[i].command;
		void *out = command == BPF_MAP_GET_NEXT_KEY  ? (void *)&next
			    : command == BPF_MAP_DELETE_ELEM ? NULL
							     : (void *)&value;
		int got;

		assert_int_equal(map_update(full, &key, &value, BPF_ANY), 0);
		assert_int_equal(map_update(full, &other, &value, BPF_ANY), 0);
		if (command == BPF_MAP_GET_NEXT_KEY) /* NULL: there is a first key */
			got = map_elem(command, fd, NULL, out, 0);
		else
			got = map_elem(command, fd, &key, out, 0);
		assert_int_equal(got, commands[i].expected[mode]);
		/* The mode is looked at before the pointers, and before the lock flag. */
		if (commands[i].expected[mode] == -EPERM) {
			assert_int_equal(map_elem(command, fd, NULL, NULL, 0), -EPERM);
			if (command != BPF_MAP_DELETE_ELEM && command != BPF_MAP_GET_NEXT_KEY)
				assert_int_equal(map_elem(command, fd, NULL, NULL, BPF_F_LOCK),
						 -EPERM);
		}
	}
}

static void created_with_a_mode(void **state)
{
	for (int mode = READ_WRITE; mode <= WRITE_ONLY; mode++) {
		int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, mode_flags[mode]);
		int full = open_id(id_of(fd), 0);

		assert_true(fd >= 0 && full >= 0);
		check_mode(fd, full, mode);
		close(fd);
		close(full);
	}
}

static void opened_with_a_mode(void **state)
{
	for (int created = READ_WRITE; created <= WRITE_ONLY; created++)
		for (int mode = READ_WRITE; mode <= WRITE_ONLY; mode++) {
			int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, mode_flags[created]);
			int full = open_id(id_of(fd), 0);
			int opened = open_id(id_of(fd), mode_flags[mode]);

			assert_true(opened >= 0);
			check_mode(opened, full, mode);
			close(opened);
			close(full);
			close(fd);
		}
}

/* The mode goes with the open file description. */
static void duplicates_keep_the_mode(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_RDONLY);
	int copies[] = {dup(fd), dup3(fd, 200, O_CLOEXEC), fcntl(fd, F_DUPFD, 100)};
	uint32_t key = 1;
	uint64_t value = 1;

	close(fd);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(map_update(copies[i], &key, &value, 0), -EPERM);
		assert_int_equal(map_lookup(copies[i], &key, &value), -ENOENT);
		close(copies[i]);
	}
}

static void flags_for_opening(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	const uint32_t id = id_of(fd);

	assert_int_equal(open_id(id, BPF_F_RDONLY | BPF_F_WRONLY), -EINVAL);
	for (unsigned bit = 0; bit < 32; bit++) {
		const unsigned flag = 1u << bit;
		int opened = open_id(id, flag);

		if (flag == BPF_F_RDONLY || flag == BPF_F_WRONLY)
			assert_true(opened >= 0);
		else
			assert_int_equal(opened, -EINVAL);
		if (opened >= 0)
			close(opened);
	}
	assert_int_equal(open_id(0, 0), -ENOENT);
	assert_int_equal(open_id(0xffffffff, 0), -ENOENT);
	close(fd);
	assert_int_equal(open_id(id, 0), -ENOENT); /* that was the last reference */
}

/* RDONLY_PROG and WRONLY_PROG are for programs; the system call does not care. */
static void program_flags_do_not_matter(void **state)
{
	static const unsigned flags[] = {BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};

	for (int i = 0; i < 2; i++) {
		int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, flags[i]);

		assert_true(fd >= 0);
		check_mode(fd, fd, READ_WRITE);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(created_with_a_mode),
		cmocka_unit_test(opened_with_a_mode),
		cmocka_unit_test(duplicates_keep_the_mode),
		cmocka_unit_test(flags_for_opening),
		cmocka_unit_test(program_flags_do_not_matter),
	};

	require_bpf();
	return run_tests(tests);
}
