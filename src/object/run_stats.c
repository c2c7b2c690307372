/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * run_stats.c: the descriptors that keep run-time statistics on. Each holds a shared flock on one
 * file, which the kernel counts through dup, fork and SIGKILL as it does for objects. A word in the
 * realm's state says that there may be one, so that runs look no further as long as there was none.
 *
 * Who clears the word holds the lock exclusively meanwhile, and who sets it holds it already, so
 * the word is never clear while a descriptor that was given out is open.
 */
#include "object/run_stats.h"

#include <errno.h>

#include "base/syscall.h"
#include "shm/region.h"

static int open_file(void)
{
	const int flags = O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const int dir = realm_dir();
	const int fd = dir < 0 ? dir : sys_openat(dir, "run_stats", flags, 0600);

	return fd == -ENOSPC ? -ENOMEM : fd;
}

int run_stats_open(void)
{
	const int fd = open_file();
	int err;

	if (fd < 0)
		return fd;
	err = realm_flock(fd, LOCK_SH);
	if (err) {
		sys_close(fd);
		return err;
	}
	store_release(&realm_state()->run_stats, 1);
	return fd;
}

cold bool run_stats_wanted(void)
{
	int fd = open_file();
	bool wanted;

	if (fd < 0)
		return true; /* who knows */
	fd = region_raise_fd(fd);
	wanted = sys_flock(fd, LOCK_EX | LOCK_NB) != 0;
	if (!wanted) {
		store_release(&realm_state()->run_stats, 0);
		sys_flock(fd, LOCK_UN); /* a child that was just forked has the description, too */
	}
	sys_close(fd);
	return wanted;
}
