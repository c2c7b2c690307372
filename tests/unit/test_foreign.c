/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_foreign.c: identities of sockets, inodes, tasks and cgroups. */
#include "bpf_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "object/foreign.h"

#define NO_FD 4000

static bool same(const struct foreign *a, const struct foreign *b)
{
	return a->number == b->number && a->tag == b->tag;
}

static int pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Through a second descriptor a thing is the same; another thing is another. */
static void check_two(enum foreign_kind kind, int fd, int other)
{
	struct foreign first, again, different;
	int copy = dup(fd);

	assert_int_equal(foreign_from_fd(kind, fd, &first), 0);
	assert_int_equal(foreign_from_fd(kind, copy, &again), 0);
	assert_int_equal(foreign_from_fd(kind, other, &different), 0);
	assert_true(same(&first, &again));
	assert_false(same(&first, &different));
	close(copy);
}

static void test_sockets(void **state)
{
	int sockets[2];
	struct foreign id;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	check_two(FOREIGN_SOCKET, sockets[0], sockets[1]);
	assert_int_equal(foreign_from_fd(FOREIGN_SOCKET, 0, &id), -ENOTSOCK);
	assert_int_equal(foreign_from_fd(FOREIGN_SOCKET, NO_FD, &id), -EBADF);
	close(sockets[0]);
	close(sockets[1]);
}

/* The number of an inode comes again at once on many file systems, its identity does not. */
static void test_inodes(void **state)
{
	char name[] = "/tmp/foreign.XXXXXX";
	struct foreign first, second;
	int fd = mkstemp(name), other;

	(void)state;
	other = open("/", O_PATH);
	check_two(FOREIGN_INODE, fd, other);
	assert_int_equal(foreign_from_fd(FOREIGN_INODE, NO_FD, &first), -EBADF);
	assert_int_equal(foreign_from_fd(FOREIGN_INODE, fd, &first), 0);
	close(fd);
	unlink(name);
	fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
	assert_int_equal(foreign_from_fd(FOREIGN_INODE, fd, &second), 0);
	assert_false(same(&first, &second));
	close(fd);
	close(other);
	unlink(name);
}

static void *thread_task(void *arg)
{
	assert_int_equal(foreign_current_task(arg), 0);
	return NULL;
}

static void test_tasks(void **state)
{
	struct foreign self, by_fd, other;
	int pidfd = pidfd_open(getpid());
	pthread_t thread;

	(void)state;
	assert_int_equal(foreign_current_task(&self), 0);
	assert_int_equal(foreign_from_fd(FOREIGN_TASK, pidfd, &by_fd), 0);
	assert_true(same(&self, &by_fd));
	pthread_create(&thread, NULL, thread_task, &other);
	pthread_join(thread, NULL);
	assert_false(same(&self, &other));
	assert_int_equal(foreign_from_fd(FOREIGN_TASK, 0, &other), -EBADF);
	assert_int_equal(foreign_from_fd(FOREIGN_TASK, NO_FD, &other), -EBADF);
	assert_false(foreign_is_gone(FOREIGN_TASK, &self));
	by_fd.tag++;
	assert_true(foreign_is_gone(FOREIGN_TASK, &by_fd));
	close(pidfd);
}

/* A task is there until somebody has waited for it, and a child is not its parent. */
static void test_death(void **state)
{
	struct foreign self, child;
	int pipes[2], pidfd;
	pid_t pid;

	(void)state;
	assert_int_equal(foreign_current_task(&self), 0);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		if (foreign_current_task(&child) || write(pipes[1], &child, sizeof(child)) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(pipes[0], &child, sizeof(child)), sizeof(child));
	assert_false(same(&self, &child));
	pidfd = pidfd_open(pid);
	assert_false(foreign_is_gone(FOREIGN_TASK, &child));
	waitpid(pid, NULL, 0);
	assert_true(foreign_is_gone(FOREIGN_TASK, &child));
	assert_int_equal(foreign_from_fd(FOREIGN_TASK, pidfd, &child), -ENOENT);
	close(pidfd);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_cgroups(void **state)
{
	struct foreign id;
	int root = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(foreign_from_fd(FOREIGN_CGROUP, root, &id), -EBADF);
	assert_int_equal(foreign_from_fd(FOREIGN_CGROUP, NO_FD, &id), -EBADF);
	if (!foreign_current_cgroup(&id)) {
		assert_true(id.number);
		assert_false(foreign_is_gone(FOREIGN_CGROUP, &id));
	}
	close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets), cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_tasks),   cmocka_unit_test(test_death),
		cmocka_unit_test(test_cgroups),
	};

	return run_tests(tests);
}
