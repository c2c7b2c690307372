/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload_epoll.c: descriptors of maps in epoll sets. The kernel accepts a map and reports
 * EPOLLERR for ever; a file in tmpfs it refuses with EPERM. So what enters the set for a map is
 * the writing end of a pipe without reader, which reports exactly that.
 *
 * Owns the table of these substitutes. A row belongs to (epoll set, descriptor, file behind it);
 * the application may have closed either number since, so a row whose descriptor shows another
 * file is stale. Everything but maps goes to the kernel first and never gets here.
 */
#include "entry/preload.h"

#include <sys/epoll.h>

#include "base/syscall.h"
#include "cmd/bpf.h"

#define MAX_WATCHES 64

struct watch {
	int substitute; /* 0: free row; -1: being filled */
	int epoll, fd;
	u64 ino;
};

static struct watch watches[MAX_WATCHES];

static bool is_map(int fd)
{
	const char *name = bpf_fd_name(fd);

	return name && !strcmp(name, "anon_inode:bpf-map");
}

static void drop_watch(struct watch *watch)
{
	sys_close(watch->substitute); /* leaves the set with its last descriptor */
	store_release(&watch->substitute, 0);
}

static u64 inode_of(int fd)
{
	struct stat st;

	return sys_fstat(fd, &st) ? 0 : st.st_ino;
}

/* The row of a descriptor in a set, or NULL. */
static struct watch *find_watch(int epoll, int fd, u64 ino)
{
	for (struct watch *w = watches; w < watches + MAX_WATCHES; w++)
		if (load_acquire(&w->substitute) > 0 && w->epoll == epoll && w->fd == fd &&
		    w->ino == ino)
			return w;
	return NULL;
}

/* A row for the caller to fill, or NULL; what the application has closed meanwhile is dropped. */
static struct watch *claim_watch(void)
{
	for (struct watch *w = watches; w < watches + MAX_WATCHES; w++) {
		int free_row = 0;

		if (load_acquire(&w->substitute) > 0 && inode_of(w->fd) != w->ino)
			drop_watch(w);
		if (atomic_cas(&w->substitute, &free_row, -1))
			return w;
	}
	return NULL;
}

static int broken_pipe(void)
{
	int ends[2];
	int err = (int)SYSCALL(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK);

	if (err)
		return err;
	sys_close(ends[0]);
	return ends[1];
}

/* A pipe's end is writable too, a map never is: EPOLLOUT is not asked for. */
static int control(int epoll, int op, int fd, const struct epoll_event *event)
{
	struct epoll_event asked = event ? *event : (struct epoll_event){0};

	asked.events &= ~(u32)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	return (int)SYSCALL(SYS_epoll_ctl, epoll, op, fd, &asked);
}

static int add_watch(int epoll, int fd, u64 ino, const struct epoll_event *event)
{
	struct watch *watch = claim_watch();
	int err, substitute;

	if (!watch)
		return -ENOSPC;
	substitute = broken_pipe();
	err = substitute < 0 ? substitute : control(epoll, EPOLL_CTL_ADD, substitute, event);
	if (err) {
		if (substitute >= 0)
			sys_close(substitute);
		store_release(&watch->substitute, 0);
		return err;
	}
	watch->epoll = epoll;
	watch->fd = fd;
	watch->ino = ino;
	store_release(&watch->substitute, substitute);
	return 0;
}

static int control_map(int epoll, int op, int fd, const struct epoll_event *event)
{
	u64 ino = inode_of(fd);
	struct watch *watch = find_watch(epoll, fd, ino);
	int err;

	if (op == EPOLL_CTL_ADD)
		return watch ? -EEXIST : add_watch(epoll, fd, ino, event);
	if (op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
		return -EINVAL;
	if (!watch)
		return -ENOENT;
	err = control(epoll, op, watch->substitute, event);
	if (op == EPOLL_CTL_DEL && !err)
		drop_watch(watch);
	return err;
}

EXPORT int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	long answer = SYSCALL(SYS_epoll_ctl, epoll, op, fd, event);
	int saved = errno;

	if (unlikely(answer == -EPERM) && is_map(fd))
		answer = control_map(epoll, op, fd, event);
	errno = saved;
	return (int)libc_result(answer);
}
