/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_local_storage.c: SK_STORAGE, INODE_STORAGE, TASK_STORAGE and CGRP_STORAGE: creation, elements
 * named by descriptors, what programs do with those of the current task and of a packet's socket.
 */
#include <fcntl.h>
#include <signal.h>
#include <linux/btf.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vm/run.h"

#define MAP_TYPE_CGRP_STORAGE 32
#define NO_FD 4000

/* BTF: 1 int, 2 u64, 3 struct bpf_spin_lock, 4 struct {u64 a; u32 b; struct bpf_spin_lock lock}, 5 u32 */
enum { B_INT = 1, B_U64, B_LOCK, B_LOCKED, B_U32 };

static int load_btf(void)
{
	static const char strings[] = "\0int\0u64\0bpf_spin_lock\0val\0a\0b\0lock\0v\0u32";
	enum { S_INT = 1, S_U64 = 5, S_LOCK = 9, S_VAL = 23, S_A = 27, S_B = 29, S_L = 31, S_V = 36,
	       S_U32 = 38 };
#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))
	static const uint32_t types[] = {
		S_INT, INFO(BTF_KIND_INT, 0), 4, BTF_INT_SIGNED << 24 | 32,
		S_U64, INFO(BTF_KIND_INT, 0), 8, 64,
		S_LOCK, INFO(BTF_KIND_STRUCT, 1), 4, S_VAL, B_U32, 0,
		S_V, INFO(BTF_KIND_STRUCT, 3), 16, S_A, B_U64, 0, S_B, B_U32, 64, S_L, B_LOCK, 96,
		S_U32, INFO(BTF_KIND_INT, 0), 4, 32,
	};
	struct {
		struct btf_header header;
		uint32_t types[sizeof(types) / 4];
		char strings[sizeof(strings)];
	} __attribute__((packed)) raw = {
		.header = {.magic = BTF_MAGIC,
			   .version = BTF_VERSION,
			   .hdr_len = sizeof(struct btf_header),
			   .type_len = sizeof(types),
			   .str_off = sizeof(types),
			   .str_len = sizeof(strings)},
	};
	union test_attr attr = {.a = {.btf = ptr64(&raw), .btf_size = sizeof(raw)}};

	memcpy(raw.types, types, sizeof(types));
	memcpy(raw.strings, strings, sizeof(strings));
	return (int)bpf_sys(BPF_BTF_LOAD, &attr, sizeof(union bpf_attr));
}

struct spec {
	unsigned type, key_size, value_size, max_entries, flags, key_type, value_type;
};

static int create(const struct spec *spec)
{
	int btf = load_btf(), fd;
	union test_attr attr = {.a = {.map_type = spec->type,
				      .key_size = spec->key_size,
				      .value_size = spec->value_size,
				      .max_entries = spec->max_entries,
				      .map_flags = spec->flags,
				      .btf_fd = (uint32_t)btf,
				      .btf_key_type_id = spec->key_type,
				      .btf_value_type_id = spec->value_type}};

	fd = (int)bpf_sys(BPF_MAP_CREATE, &attr, sizeof(union bpf_attr));
	close(btf);
	return fd;
}

static const unsigned types[] = {BPF_MAP_TYPE_SK_STORAGE, BPF_MAP_TYPE_INODE_STORAGE,
				 BPF_MAP_TYPE_TASK_STORAGE, MAP_TYPE_CGRP_STORAGE};
#define TYPES (sizeof(types) / sizeof(types[0]))

static int storage(unsigned type, unsigned value_type)
{
	int fd = create(&(struct spec){type, 4, value_type == B_LOCKED ? 16 : 8, 0,
				       BPF_F_NO_PREALLOC, B_INT, value_type});

	assert_true(fd >= 0);
	return fd;
}

static void creation(void **state)
{
	static const struct {
		struct spec spec; /* but for the type */
		int result;
	} cases[] = {
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC, B_INT, B_U64}, 0},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC, B_U32, B_U64}, 0},
		{{0, 4, 16, 0, BPF_F_NO_PREALLOC | BPF_F_CLONE, B_INT, B_LOCKED}, 0},
		{{0, 4, 8, 0, 0, B_INT, B_U64}, -EINVAL},
		{{0, 4, 8, 1, BPF_F_NO_PREALLOC, B_INT, B_U64}, -EINVAL},
		{{0, 8, 8, 0, BPF_F_NO_PREALLOC, B_U64, B_U64}, -EINVAL},
		{{0, 4, 0, 0, BPF_F_NO_PREALLOC, B_INT, B_U64}, -EINVAL},
		{{0, 4, 4, 0, BPF_F_NO_PREALLOC, B_INT, B_U64}, -EINVAL},
		{{0, 4, 4, 0, BPF_F_NO_PREALLOC, B_LOCK, B_INT}, -EINVAL},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC, 0, 0}, -EINVAL},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC, B_INT, 0}, -EINVAL},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC, 0, B_U64}, -EINVAL},
		{{0, 4, 65408, 0, BPF_F_NO_PREALLOC, 0, 0}, -EINVAL},
		{{0, 4, 65408, 0, BPF_F_NO_PREALLOC, B_INT, B_U64}, -E2BIG},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC | BPF_F_RDONLY, B_INT, B_U64}, -EINVAL},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG, B_INT, B_U64}, -EINVAL},
		{{0, 4, 8, 0, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE, B_INT, B_U64}, -EINVAL},
	};

	(void)state;
	for (size_t t = 0; t < TYPES; t++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct spec spec = cases[i].spec;
			int fd;

			spec.type = types[t];
			fd = create(&spec);
			assert_int_equal(fd < 0 ? fd : 0, cases[i].result);
			if (fd >= 0)
				close(fd);
		}
}

/* Two descriptors of one owner, one of another; -1: there is none on this machine. */
struct owners {
	int first, again, other;
};

static int cgroup_root(void)
{
	int fd = open("/sys/fs/cgroup/cgroup.procs", O_RDONLY);

	if (fd < 0)
		return open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY);
	close(fd);
	return open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static struct owners owners_of(unsigned type)
{
	struct owners owners = {-1, -1, -1};

	switch (type) {
	case BPF_MAP_TYPE_SK_STORAGE:
		owners.first = socket(AF_INET, SOCK_DGRAM, 0);
		owners.other = socket(AF_UNIX, SOCK_STREAM, 0);
		break;
	case BPF_MAP_TYPE_INODE_STORAGE:
		owners.first = open("/proc/self/exe", O_RDONLY);
		owners.again = open("/proc/self/exe", O_PATH);
		owners.other = open("/", O_PATH);
		break;
	case BPF_MAP_TYPE_TASK_STORAGE:
		owners.first = (int)syscall(SYS_pidfd_open, getpid(), 0);
		owners.again = (int)syscall(SYS_pidfd_open, getpid(), 0);
		owners.other = (int)syscall(SYS_pidfd_open, getppid(), 0);
		break;
	case MAP_TYPE_CGRP_STORAGE:
		owners.first = cgroup_root();
		break;
	}
	if (owners.again < 0)
		owners.again = dup(owners.first);
	return owners;
}

static void owners_close(const struct owners *owners)
{
	close(owners->first);
	close(owners->again);
	close(owners->other);
}

static void elements(void **state)
{
	uint64_t value, got = 0;

	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		struct owners owners = owners_of(types[t]);
		int fd = storage(types[t], B_U64), second = storage(types[t], B_U64);

		if (owners.first < 0)
			continue;
		value = 7;
		assert_int_equal(map_lookup(fd, &owners.first, &got), -ENOENT);
		assert_int_equal(map_update(fd, &owners.first, &value, BPF_EXIST), -ENOENT);
		assert_int_equal(map_update(fd, &owners.first, &value, BPF_NOEXIST), 0);
		assert_int_equal(map_update(fd, &owners.first, &value, BPF_NOEXIST), -EEXIST);
		assert_int_equal(map_lookup(fd, &owners.again, &got), 0);
		assert_int_equal(got, 7);
		value = 8;
		assert_int_equal(map_update(fd, &owners.again, &value, BPF_EXIST), 0);
		assert_int_equal(map_lookup(fd, &owners.first, &got), 0);
		assert_int_equal(got, 8);
		assert_int_equal(map_update(fd, &owners.again, &value, BPF_ANY), 0);
		assert_int_equal(map_lookup(second, &owners.first, &got), -ENOENT);
		if (owners.other >= 0) {
			assert_int_equal(map_lookup(fd, &owners.other, &got), -ENOENT);
			assert_int_equal(map_delete(fd, &owners.other), -ENOENT);
		}
		assert_int_equal(map_delete(fd, &owners.again), 0);
		assert_int_equal(map_delete(fd, &owners.first), -ENOENT);
		assert_int_equal(map_lookup(fd, &owners.first, &got), -ENOENT);
		owners_close(&owners);
		close(fd);
		close(second);
	}
}

static void commands_that_are_not_there(void **state)
{
	union test_attr attr = {.a = {.batch = {.count = 1}}};
	uint64_t value;

	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		struct owners owners = owners_of(types[t]);
		int fd = storage(types[t], B_U64);

		assert_int_equal(map_next_key(fd, NULL, &value), -ENOTSUPP);
		assert_int_equal(map_next_key(fd, &owners.first, &value), -ENOTSUPP);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &owners.first, &value, 0),
				 -ENOTSUPP);
		attr.a.batch.map_fd = (uint32_t)fd;
		for (int cmd = BPF_MAP_LOOKUP_BATCH; cmd <= BPF_MAP_DELETE_BATCH; cmd++)
			assert_int_equal(bpf_sys(cmd, &attr, sizeof(union bpf_attr)), -ENOTSUPP);
		owners_close(&owners);
		close(fd);
	}
}

/* What is no owner, and what comes before that is found out. */
static void wrong_descriptors(void **state)
{
	static const struct {
		unsigned type;
		int file;
	} cases[] = {
		{BPF_MAP_TYPE_SK_STORAGE, -ENOTSOCK},
		{BPF_MAP_TYPE_TASK_STORAGE, -EBADF},
		{MAP_TYPE_CGRP_STORAGE, -EBADF},
	};
	const int none = NO_FD, negative = -1;
	int file = open("/proc/self/exe", O_RDONLY);
	uint64_t value = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = storage(cases[i].type, B_U64);

		assert_int_equal(map_lookup(fd, &file, &value), cases[i].file);
		assert_int_equal(map_update(fd, &file, &value, 0), cases[i].file);
		assert_int_equal(map_delete(fd, &file), cases[i].file);
		close(fd);
	}
	for (size_t t = 0; t < TYPES; t++) {
		struct owners owners = owners_of(types[t]);
		int fd = storage(types[t], B_U64);

		assert_int_equal(map_lookup(fd, &none, &value), -EBADF);
		assert_int_equal(map_lookup(fd, &negative, &value), -EBADF);
		assert_int_equal(map_update(fd, &none, &value, 0), -EBADF);
		assert_int_equal(map_update(fd, &none, &value, 8), -EBADF);
		assert_int_equal(map_update(fd, &none, &value, BPF_F_LOCK), -EINVAL);
		assert_int_equal(map_update(fd, &none, (void *)1, 0), -EFAULT);
		assert_int_equal(map_lookup(fd, NULL, &value), -EFAULT);
		assert_int_equal(map_delete(fd, &none), -EBADF);
		if (owners.first >= 0) {
			assert_int_equal(map_update(fd, &owners.first, &value, 3), -EINVAL);
			assert_int_equal(map_update(fd, &owners.first, &value, 8), -EINVAL);
		}
		owners_close(&owners);
		close(fd);
	}
	close(file);
}

static void locked_values(void **state)
{
	const struct {
		uint64_t a;
		uint32_t b, lock;
	} value = {1, 2, 3}, hidden = {1, 2, 0};
	uint8_t got[16];

	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		struct owners owners = owners_of(types[t]);
		int fd = storage(types[t], B_LOCKED);

		if (owners.first < 0)
			continue;
		assert_int_equal(map_update(fd, &owners.first, &value, 2 | BPF_F_LOCK), -ENOENT);
		assert_int_equal(map_update(fd, &owners.first, &value, BPF_F_LOCK), 0);
		assert_int_equal(map_update(fd, &owners.first, &value, BPF_F_LOCK), 0);
		assert_int_equal(map_update(fd, &owners.first, &value, 1 | BPF_F_LOCK), -EEXIST);
		assert_int_equal(map_update(fd, &owners.first, &value, 3 | BPF_F_LOCK), -EINVAL);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_ELEM, fd, &owners.first, got, BPF_F_LOCK), 0);
		assert_memory_equal(got, &hidden, sizeof(got));
		owners_close(&owners);
		close(fd);
	}
}

/* What belonged to one that is gone does not belong to its successor. */
static void owners_that_die(void **state)
{
	int tasks = storage(BPF_MAP_TYPE_TASK_STORAGE, B_U64), sockets, pidfd, sock;
	uint64_t value = 5;
	pid_t pid = sleeper();

	(void)state;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_int_equal(map_update(tasks, &pidfd, &value, 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(map_lookup(tasks, &pidfd, &value), -ENOENT);
	assert_int_equal(map_update(tasks, &pidfd, &value, 0), -ENOENT);
	close(pidfd);
	close(tasks);
	sockets = storage(BPF_MAP_TYPE_SK_STORAGE, B_U64);
	for (int i = 0; i < 100; i++) {
		sock = socket(AF_UNIX, SOCK_DGRAM, 0);
		assert_int_equal(map_update(sockets, &sock, &value, BPF_NOEXIST), 0);
		close(sock);
	}
	close(sockets);
}

/* Far more owners than are there at a time. */
static void many_tasks(void **state)
{
	int tasks = storage(BPF_MAP_TYPE_TASK_STORAGE, B_U64), pidfd;
	uint64_t value = 5;

	(void)state;
	for (int i = 0; i < 700; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		assert_int_equal(map_update(tasks, &pidfd, &value, BPF_NOEXIST), 0);
		close(pidfd);
		waitpid(pid, NULL, 0);
	}
	close(tasks);
}

static void removed_cgroups(void **state)
{
	int root = cgroup_root(), map = storage(MAP_TYPE_CGRP_STORAGE, B_U64), dir;
	uint64_t value = 1;

	(void)state;
	if (root < 0 || mkdirat(root, "userbpf-test", 0755))
		skip();
	dir = openat(root, "userbpf-test", O_PATH);
	assert_int_equal(map_update(map, &dir, &value, 0), 0);
	assert_int_equal(unlinkat(root, "userbpf-test", AT_REMOVEDIR), 0);
	assert_int_equal(map_lookup(map, &dir, &value), -ENOENT);
	assert_int_equal(map_update(map, &dir, &value, 0), -ENOENT);
	close(dir);
	close(map);
	close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation),
		cmocka_unit_test(elements),
		cmocka_unit_test(commands_that_are_not_there),
		cmocka_unit_test(wrong_descriptors),
		cmocka_unit_test(locked_values),
		cmocka_unit_test(owners_that_die),
		cmocka_unit_test(many_tasks),
		cmocka_unit_test(removed_cgroups),
	};

	require_bpf();
	return run_tests(tests);
}
