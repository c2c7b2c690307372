/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_sharing.c: descriptors of maps travel as descriptors do: through fork, exec, posix_spawn,
 * SCM_RIGHTS and dup, and they die by whatever closes a descriptor. The kernel counts; we look at
 * the map's id, which is gone with its last descriptor.
 */
#include "bpf_test.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

static const char *self; /* path of this program */

struct fixture {
	int fd;
	uint32_t id;
};

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	union test_attr t = {.a.info = {
				     .bpf_fd = (uint32_t)fd,
				     .info_len = sizeof(info),
				     .info = ptr64(&info),
			     }};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(t.a.info)), 0);
	return info.id;
}

/* 1: there is a map of this id; 0: there is none. */
static int id_exists(uint32_t id)
{
	union test_attr t = {.a.map_id = id};
	int fd = (int)bpf_sys(BPF_MAP_GET_FD_BY_ID, &t, 12);

	if (fd >= 0)
		close(fd);
	else if (fd != -ENOENT)
		fail_msg("GET_FD_BY_ID: %d", fd);
	return fd >= 0;
}

/* The value of key 0; -1 when the descriptor is no map. */
static long value_of(int fd)
{
	uint32_t key = 0;
	uint64_t value = 0;

	return map_lookup(fd, &key, &value) ? -1 : (long)value;
}

static int set_value(int fd, uint64_t value)
{
	uint32_t key = 0;

	return map_update(fd, &key, &value, BPF_ANY);
}

static int setup(void **state)
{
	static struct fixture fixture;

	fixture.fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	assert_true(fixture.fd >= 0);
	fixture.id = map_id(fixture.fd);
	assert_int_equal(set_value(fixture.fd, 1), 0);
	*state = &fixture;
	return 0;
}

/* Every test closes the map in its own way; nothing of it may be left. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	return id_exists(f->id);
}

static int exit_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What this program does when it is started with a descriptor: it expects 1 and leaves 2. */
static int child_main(const char *number)
{
	int fd = atoi(number);

	if (value_of(fd) != 1)
		return 3;
	return set_value(fd, 2) ? 4 : 0;
}

static void test_close(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(id_exists(f->id), 1);
	close(f->fd);
	assert_int_equal(id_exists(f->id), 0);
	assert_int_equal(value_of(f->fd), -1);
}

static void test_cloexec(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fcntl(f->fd, F_GETFD), FD_CLOEXEC);
	close(f->fd);
}

static void test_dup(void **state)
{
	struct fixture *f = *state;
	int copy = dup(f->fd), high = fcntl(f->fd, F_DUPFD_CLOEXEC, 200);

	assert_true(copy >= 0 && high >= 200);
	close(f->fd);
	assert_int_equal(set_value(copy, 5), 0);
	assert_int_equal(value_of(high), 5);
	close(copy);
	assert_int_equal(id_exists(f->id), 1);
	close(high);
}

/* A table indexed by descriptors would still see the map, or the file. */
static void test_dup2_over(void **state)
{
	struct fixture *f = *state;
	int file = open("/dev/null", O_RDWR | O_CLOEXEC), other;

	assert_int_equal(dup2(file, f->fd), f->fd);
	assert_int_equal(id_exists(f->id), 0);
	assert_int_equal(map_lookup(f->fd, &file, &file), -EINVAL);
	other = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	assert_int_equal(set_value(other, 7), 0);
	assert_int_equal(dup3(other, file, O_CLOEXEC), file);
	assert_int_equal(value_of(file), 7);
	assert_int_equal(dup2(other, f->fd), f->fd);
	assert_int_equal(value_of(f->fd), 7);
	close(file);
	close(other);
	close(f->fd);
}

static void test_close_range(void **state)
{
	struct fixture *f = *state;

	if (syscall(SYS_close_range, f->fd, f->fd, 0) && errno == ENOSYS)
		skip();
	assert_int_equal(id_exists(f->id), 0);
}

static void test_close_range_unshared(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(close_range((unsigned)f->fd, (unsigned)f->fd, CLOSE_RANGE_UNSHARE), 0);
	assert_int_equal(id_exists(f->id), 0);
}

static void test_closefrom(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	if (!pid) {
		int copy = dup(f->fd), found;

		closefrom(f->fd); /* also what the library itself may hold open */
		found = value_of(copy) == -1 && value_of(f->fd) == -1 && id_exists(f->id);
		copy = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
		_exit(found && copy >= 0 && !set_value(copy, 3) && value_of(copy) == 3 ? 0 : 1);
	}
	assert_int_equal(exit_status(pid), 0);
	assert_int_equal(id_exists(f->id), 1);
	close(f->fd);
}

static void test_raw_close(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(syscall(SYS_close, f->fd), 0);
	assert_int_equal(id_exists(f->id), 0);
}

static void test_fclose(void **state)
{
	struct fixture *f = *state;
	FILE *file = fdopen(f->fd, "r");

	assert_non_null(file);
	fclose(file);
	assert_int_equal(id_exists(f->id), 0);
}

static void test_fork(void **state)
{
	struct fixture *f = *state;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		close(ready[1]);
		if (read(ready[0], &byte, 1)) /* until the parent has closed its descriptor */
			_exit(1);
		_exit(value_of(f->fd) == 1 && !set_value(f->fd, 2) && id_exists(f->id) ? 0 : 2);
	}
	close(f->fd);
	assert_int_equal(id_exists(f->id), 1);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(exit_status(pid), 0);
	assert_int_equal(id_exists(f->id), 0);
}

static void test_fork_writes(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	if (!pid)
		_exit(set_value(f->fd, 9) != 0);
	assert_int_equal(exit_status(pid), 0);
	assert_int_equal(value_of(f->fd), 9);
	close(f->fd);
}

/* The child makes a map and is killed: nothing of it is left. */
static void test_killed_owner(void **state)
{
	struct fixture *f = *state;
	uint32_t id = 0;
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		id = map_id(map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 0));
		if (write(pipes[1], &id, sizeof(id)) == sizeof(id))
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &id, sizeof(id)), sizeof(id));
	assert_int_equal(id_exists(id), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(id_exists(id), 0);
	close(pipes[0]);
	close(pipes[1]);
	close(f->fd);
}

static void test_exec(void **state)
{
	struct fixture *f = *state;
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", f->fd);
	fcntl(f->fd, F_SETFD, 0);
	pid = fork();
	if (!pid) {
		execl(self, self, "--child", number, NULL);
		_exit(127);
	}
	assert_int_equal(exit_status(pid), 0);
	assert_int_equal(value_of(f->fd), 2);
	close(f->fd);
}

static void test_exec_closes(void **state)
{
	struct fixture *f = *state;
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", f->fd);
	pid = fork();
	if (!pid) {
		execl(self, self, "--child", number, NULL);
		_exit(127);
	}
	assert_int_equal(exit_status(pid), 3); /* close-on-exec: there is no map */
	close(f->fd);
}

static void test_posix_spawn(void **state)
{
	struct fixture *f = *state;
	posix_spawn_file_actions_t actions;
	char child[] = "--child", number[] = "100";
	char *args[] = {(char *)self, child, number, NULL};
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, f->fd, 100);
	assert_int_equal(posix_spawn(&pid, self, &actions, NULL, args, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(exit_status(pid), 0);
	assert_int_equal(value_of(f->fd), 2);
	close(f->fd);
}

static void send_fd(int socket, int fd)
{
	char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
	char byte, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room)};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* The descriptor travels to a process that was there before the map. */
static void test_scm_rights(void **state)
{
	struct fixture *f = *state;
	int sockets[2], fd, copy;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	pid = fork();
	if (!pid) {
		close(f->fd);
		fd = receive_fd(sockets[1]);
		_exit(value_of(fd) == 8 && !set_value(fd, 6) ? 0 : 1);
	}
	copy = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	assert_int_equal(set_value(copy, 8), 0);
	send_fd(sockets[0], copy);
	assert_int_equal(exit_status(pid), 0);
	assert_int_equal(value_of(copy), 6);
	close(copy);
	close(sockets[0]);
	close(sockets[1]);
	close(f->fd);
}

/* Nobody has the map open; only the message holds it. */
static void test_scm_in_flight(void **state)
{
	struct fixture *f = *state;
	int sockets[2], fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	send_fd(sockets[0], f->fd);
	close(f->fd);
	assert_int_equal(id_exists(f->id), 1);
	fd = receive_fd(sockets[1]);
	assert_int_equal(value_of(fd), 1);
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
}

/* Many descriptors come and go under the same numbers; none is mistaken for another. */
static void test_number_reuse(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 200; i++) {
		int fd = map_create(i & 1 ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);

		assert_true(fd >= 0);
		assert_int_equal(set_value(fd, i), 0);
		assert_int_equal(value_of(fd), i);
		close(fd);
		assert_int_equal(value_of(fd), -1);
	}
	close(f->fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	static char path[4096];
	const struct CMUnitTest tests[] = {
		CASE(test_close),      CASE(test_cloexec),       CASE(test_dup),
		CASE(test_dup2_over),  CASE(test_close_range),   CASE(test_close_range_unshared),
		CASE(test_closefrom),  CASE(test_raw_close),     CASE(test_fclose),
		CASE(test_fork),       CASE(test_fork_writes),   CASE(test_killed_owner),
		CASE(test_exec),       CASE(test_exec_closes),   CASE(test_posix_spawn),
		CASE(test_scm_rights), CASE(test_scm_in_flight), CASE(test_number_reuse),
	};

	if (argc == 3 && !strcmp(argv[1], "--child"))
		return child_main(argv[2]);
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return 1;
	self = path;
	require_bpf();
	return run_tests(tests);
}
