/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_local_storage.c: SK_STORAGE, INODE_STORAGE, TASK_STORAGE and CGRP_STORAGE: creation,
 * elements named by descriptors, what programs do with those of the current task and of a packet's
 * socket.
 */
#include <fcntl.h>
#include <signal.h>
#include <linux/btf.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vm/run.h"
#include "cgroup_test.h"

#define MAP_TYPE_CGRP_STORAGE 32
#define NO_FD 4000

/* BTF: 1 int, 2 u64, 3 struct bpf_spin_lock, 4 struct {u64 a; u32 b; lock of 3}, 5 u32 */
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

	return btf_load_parts(types, sizeof(types), strings, sizeof(strings));
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

/* The kernel may be busy for a moment with what an owner had before. */
static int update(int fd, const void *key, const void *value, uint64_t flags)
{
	int err;

	do {
		err = map_update(fd, key, value, flags);
	} while (err == -EAGAIN);
	return err;
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
		assert_int_equal(update(fd, &owners.first, &value, BPF_EXIST), -ENOENT);
		assert_int_equal(update(fd, &owners.first, &value, BPF_NOEXIST), 0);
		assert_int_equal(update(fd, &owners.first, &value, BPF_NOEXIST), -EEXIST);
		assert_int_equal(map_lookup(fd, &owners.again, &got), 0);
		assert_int_equal(got, 7);
		value = 8;
		assert_int_equal(update(fd, &owners.again, &value, BPF_EXIST), 0);
		assert_int_equal(map_lookup(fd, &owners.first, &got), 0);
		assert_int_equal(got, 8);
		assert_int_equal(update(fd, &owners.again, &value, BPF_ANY), 0);
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
		assert_int_equal(update(fd, &file, &value, 0), cases[i].file);
		assert_int_equal(map_delete(fd, &file), cases[i].file);
		close(fd);
	}
	for (size_t t = 0; t < TYPES; t++) {
		struct owners owners = owners_of(types[t]);
		int fd = storage(types[t], B_U64);

		assert_int_equal(map_lookup(fd, &none, &value), -EBADF);
		assert_int_equal(map_lookup(fd, &negative, &value), -EBADF);
		assert_int_equal(update(fd, &none, &value, 0), -EBADF);
		assert_int_equal(update(fd, &none, &value, 8), -EBADF);
		assert_int_equal(update(fd, &none, &value, BPF_F_LOCK), -EINVAL);
		assert_int_equal(update(fd, &none, (void *)1, 0), -EFAULT);
		assert_int_equal(map_lookup(fd, NULL, &value), -EFAULT);
		assert_int_equal(map_delete(fd, &none), -EBADF);
		if (owners.first >= 0) {
			assert_int_equal(update(fd, &owners.first, &value, 3), -EINVAL);
			assert_int_equal(update(fd, &owners.first, &value, 8), -EINVAL);
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
		assert_int_equal(update(fd, &owners.first, &value, 2 | BPF_F_LOCK), -ENOENT);
		assert_int_equal(update(fd, &owners.first, &value, BPF_F_LOCK), 0);
		assert_int_equal(update(fd, &owners.first, &value, BPF_F_LOCK), 0);
		assert_int_equal(update(fd, &owners.first, &value, 1 | BPF_F_LOCK), -EEXIST);
		assert_int_equal(update(fd, &owners.first, &value, 3 | BPF_F_LOCK), -EINVAL);
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
	assert_int_equal(update(tasks, &pidfd, &value, 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(map_lookup(tasks, &pidfd, &value), -ENOENT);
	assert_int_equal(update(tasks, &pidfd, &value, 0), -ENOENT);
	close(pidfd);
	close(tasks);
	sockets = storage(BPF_MAP_TYPE_SK_STORAGE, B_U64);
	for (int i = 0; i < 100; i++) {
		sock = socket(AF_UNIX, SOCK_DGRAM, 0);
		assert_int_equal(update(sockets, &sock, &value, BPF_NOEXIST), 0);
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
		assert_int_equal(update(tasks, &pidfd, &value, BPF_NOEXIST), 0);
		close(pidfd);
		waitpid(pid, NULL, 0);
	}
	close(tasks);
}

/* Programs. */

#define TC BPF_PROG_TYPE_SCHED_CLS
#define PROG_SYSCALL BPF_PROG_TYPE_SYSCALL

static int load(unsigned type, const struct bpf_insn *insns)
{
	return prog_load(type, 0, insns, insn_count(insns));
}

#define LOAD(type, ...) load(type, (const struct bpf_insn[]){__VA_ARGS__, {0}})

/* R0, or -errno. */
static long run(int prog, unsigned repeat, bool packet)
{
	uint8_t bytes[PACKET_MAX];
	union test_attr attr = {.a = {.test = {.prog_fd = (uint32_t)prog, .repeat = repeat}}};
	long err;

	fill_packet(bytes);
	if (packet) {
		attr.a.test.data_in = ptr64(bytes);
		attr.a.test.data_size_in = PACKET_LEN;
	}
	err = bpf_sys(BPF_PROG_TEST_RUN, &attr, sizeof(union bpf_attr));
	return err ? err : (long)attr.a.test.retval;
}

/* Of a program that makes a value; the kernel may be busy for a moment, as above. */
static long run_making(int prog, unsigned repeat, bool packet)
{
	long result;

	do {
		result = run(prog, repeat, packet);
	} while (result == 1000);
	return result;
}

/* R2 is the owner: counts in its value, which begins as flags and the value at init say. */
#define COUNT(map, helper, init, flags)                                                            \
	LD64_RAW(R1, 1, map, 0), init, MOV_K(R4, flags), CALL(helper), J_K(JNE, R0, 0, 2),         \
		MOV_K(R0, 1000), EXIT, LD(DW, R1, R0, 0), ALU64_K(ADD, R1, 1), ST_X(DW, R0, 0, R1), \
		MOV_X(R0, R1), EXIT
#define NO_INIT MOV_K(R3, 0)
#define CURRENT_TASK CALL(BPF_FUNC_get_current_task_btf), MOV_X(R2, R0)

/* Is the number the pointer, and not 0? */
static void the_task_as_a_number(void **state)
{
	int prog = LOAD(TC, CALL(BPF_FUNC_get_current_task), MOV_X(R6, R0),
			CALL(BPF_FUNC_get_current_task_btf), MOV_X(R1, R0), MOV_K(R0, 0),
			J_K(JEQ, R6, 0, 2), J_X(JNE, R1, R6, 1), MOV_K(R0, 1), EXIT);

	(void)state;
	assert_true(prog >= 0);
	assert_int_equal(run(prog, 1, true), 1);
	close(prog);
}

static void the_current_task(void **state)
{
	static const struct {
		unsigned type;
		bool packet;
	} kinds[] = {{TC, true}, {BPF_PROG_TYPE_XDP, true}, {PROG_SYSCALL, false},
		     {BPF_PROG_TYPE_RAW_TRACEPOINT, false}};
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const bool packet = kinds[i].packet;
		int map = storage(BPF_MAP_TYPE_TASK_STORAGE, B_U64), get, create, init, delete;
		uint64_t value = 41;

		get = LOAD(kinds[i].type, CURRENT_TASK,
			   COUNT(map, BPF_FUNC_task_storage_get, NO_INIT, 0));
		create = LOAD(kinds[i].type, CURRENT_TASK,
			      COUNT(map, BPF_FUNC_task_storage_get, NO_INIT, 1));
		init = LOAD(kinds[i].type, ST_K(DW, R10, -8, 500), CURRENT_TASK, MOV_X(R3, R10),
			    COUNT(map, BPF_FUNC_task_storage_get, ALU64_K(ADD, R3, -8), 1));
		delete = LOAD(kinds[i].type, CURRENT_TASK, LD64_RAW(R1, 1, map, 0),
			      CALL(BPF_FUNC_task_storage_delete), EXIT);
		assert_true(get >= 0 && create >= 0 && init >= 0 && delete >= 0);
		assert_int_equal(run(get, 0, packet), 1000);
		assert_int_equal(run_making(create, 0, packet), 1);
		assert_int_equal(run(init, 0, packet), 2);
		assert_int_equal(map_lookup(map, &self, &value), 0);
		assert_int_equal(value, 2);
		value = 41;
		assert_int_equal(update(map, &self, &value, BPF_EXIST), 0);
		assert_int_equal(run(get, 0, packet), 42);
		assert_int_equal((int)run(delete, 0, packet), 0);
		assert_int_equal((int)run(delete, 0, packet), -ENOENT);
		assert_int_equal(map_lookup(map, &self, &value), -ENOENT);
		assert_int_equal(run_making(init, 0, packet), 501);
		close(get);
		close(create);
		close(init);
		close(delete);
		close(map);
	}
	close(self);
}

static void *task_of_its_own(void *create)
{
	assert_int_equal(run_making(*(int *)create, 0, true), 1);
	assert_int_equal(run(*(int *)create, 0, true), 2);
	return NULL;
}

static void each_task_has_its_value(void **state)
{
	int map = storage(BPF_MAP_TYPE_TASK_STORAGE, B_U64), create, status;
	pthread_t thread;
	pid_t pid;

	(void)state;
	create = LOAD(TC, CURRENT_TASK, COUNT(map, BPF_FUNC_task_storage_get, NO_INIT, 1));
	assert_int_equal(run_making(create, 0, true), 1);
	pthread_create(&thread, NULL, task_of_its_own, &create);
	pthread_join(thread, NULL);
	pid = fork();
	if (!pid)
		_exit((int)run_making(create, 0, true));
	waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(run(create, 0, true), 2);
	close(create);
	close(map);
}

/* What programs ask for that cannot be had. */
static void wrong_programs(void **state)
{
	int tasks = storage(BPF_MAP_TYPE_TASK_STORAGE, B_U64),
	    sockets = storage(BPF_MAP_TYPE_SK_STORAGE, B_U64), prog;

	(void)state;
	prog = LOAD(TC, CURRENT_TASK, COUNT(tasks, BPF_FUNC_task_storage_get, NO_INIT, 2));
	assert_int_equal(run(prog, 0, true), 1000);
	close(prog);
	prog = LOAD(TC, MOV_K(R2, 0), COUNT(tasks, BPF_FUNC_task_storage_get, NO_INIT, 1));
	assert_int_equal(run(prog, 0, true), 1000);
	close(prog);
	assert_int_equal(LOAD(TC, CURRENT_TASK,
			      COUNT(sockets, BPF_FUNC_task_storage_get, NO_INIT, 1)), -EINVAL);
	assert_int_equal(LOAD(BPF_PROG_TYPE_XDP, MOV_X(R2, R1),
			      COUNT(sockets, BPF_FUNC_sk_storage_get, NO_INIT, 1)), -EINVAL);
	assert_int_equal(LOAD(TC, MOV_X(R2, R10), ALU64_K(ADD, R2, -8), ST_K(DW, R10, -8, 0),
			      LD64_RAW(R1, 1, tasks, 0), CALL(BPF_FUNC_map_lookup_elem),
			      MOV_K(R0, 0), EXIT), -EINVAL);
	close(tasks);
	close(sockets);
}

/* Where there is no packet there is no socket of one; the kernel knows that at load. */
static void no_socket(void **state)
{
	int prog = LOAD(PROG_SYSCALL, CALL(BPF_FUNC_get_socket_cookie), EXIT);

	(void)state;
	if (prog >= 0)
		assert_int_equal(run(prog, 0, false), -EFAULT);
	else
		assert_int_equal(prog, -EACCES);
	close(prog);
}

#define SOCKET LD(DW, R2, R1, 168), J_K(JNE, R2, 0, 2), MOV_K(R0, 2000), EXIT

/* The socket of a packet is there for one test run, also for a repeated one. */
static void the_socket_of_a_packet(void **state)
{
	int map = storage(BPF_MAP_TYPE_SK_STORAGE, B_U64), create, delete;

	(void)state;
	create = LOAD(TC, SOCKET, COUNT(map, BPF_FUNC_sk_storage_get, NO_INIT, 1));
	delete = LOAD(TC, SOCKET, LD64_RAW(R1, 1, map, 0), CALL(BPF_FUNC_sk_storage_delete), EXIT);
	assert_true(create >= 0 && delete >= 0);
	for (unsigned repeat = 1; repeat < 10; repeat++)
		assert_int_equal(run(create, repeat, true), repeat);
	assert_int_equal((int)run(delete, 0, true), -ENOENT);
	close(create);
	close(delete);
	close(map);
}

static void the_fields_of_that_socket(void **state)
{
	static const uint32_t expected[20] = {[1] = 2, [6] = 0x0100007f, [13] = 0x0200007f,
					      [18] = 7, [19] = 0xffffffff};

	(void)state;
	for (int i = 0; i < 20; i++) {
		int prog = LOAD(TC, LD(DW, R1, R1, 168), J_K(JNE, R1, 0, 2), MOV_K(R0, 2000), EXIT,
				CALL(BPF_FUNC_sk_fullsock), J_K(JNE, R0, 0, 2), MOV_K(R0, 3000), EXIT,
				LD(W, R0, R0, i * 4), EXIT);

		assert_int_equal((uint32_t)run(prog, 0, true), expected[i]);
		close(prog);
	}
}

static void removed_cgroups(void **state)
{
	int root = cgroup_root(), map = storage(MAP_TYPE_CGRP_STORAGE, B_U64), dir;
	uint64_t value = 1;

	(void)state;
	if (root < 0 || mkdirat(root, cgroup_name(), 0755))
		skip();
	dir = openat(root, cgroup_name(), O_PATH);
	assert_int_equal(update(map, &dir, &value, 0), 0);
	assert_int_equal(unlinkat(root, cgroup_name(), AT_REMOVEDIR), 0);
	assert_int_equal(map_lookup(map, &dir, &value), -ENOENT);
	assert_int_equal(update(map, &dir, &value, 0), -ENOENT);
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
		cmocka_unit_test(the_task_as_a_number),
		cmocka_unit_test(the_current_task),
		cmocka_unit_test(each_task_has_its_value),
		cmocka_unit_test(wrong_programs),
		cmocka_unit_test(no_socket),
		cmocka_unit_test(the_socket_of_a_packet),
		cmocka_unit_test(the_fields_of_that_socket),
	};

	require_bpf();
	return run_tests(tests);
}
