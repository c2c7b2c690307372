/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * foreign.h: what a descriptor of the host kernel names, for maps whose keys or values are such
 * things: sockets, inodes, tasks, cgroups. Knows neither maps nor objects of ours.
 *
 * An identity is numbers that mean the same in all processes of a realm and never come again, so
 * that whatever is kept under one is never found by another thing later on. Nothing here keeps the
 * thing alive.
 */
#ifndef OBJECT_FOREIGN_H
#define OBJECT_FOREIGN_H

#include "base/compiler.h"

enum foreign_kind {
	FOREIGN_NONE,
	FOREIGN_SOCKET,
	FOREIGN_INODE,  /* any descriptor: the inode behind it */
	FOREIGN_TASK,   /* a pidfd */
	FOREIGN_CGROUP, /* a directory of cgroup v2 */
};

/*
 * A socket is its cookie; an inode is its number, device and what tells it from a later one of
 * that number; a task is its thread id and the time at which it started; a cgroup is its id. A
 * socket of a test run has the tag of the thread, which no other socket has.
 */
struct foreign {
	u64 number;
	u64 tag;
};

/*
 * 0; -EBADF for a descriptor that is not open, and for one that is no pidfd or no cgroup;
 * -ENOTSOCK; -ENOENT for a task or cgroup that is gone.
 */
must_check int foreign_from_fd(enum foreign_kind kind, int fd, struct foreign *id);
/* The calling thread; -ENOENT without /proc. */
must_check int foreign_current_task(struct foreign *id);
/* A socket that only this thread knows, by a number: it is gone with the thread. Same result. */
must_check int foreign_task_socket(u32 number, struct foreign *id);
/* Its cgroup in the hierarchy of version 2; -ENOENT unless that is mounted in its usual places. */
must_check int foreign_current_cgroup(struct foreign *id);
/* The one at or above it that is level steps below the root; -ENOENT. */
must_check int foreign_current_ancestor(s32 level, struct foreign *id);
/* Is that the current task's cgroup, or above it? */
bool foreign_current_is_under(u64 cgroup);
/*
 * True if it is certain that the thing is gone. Of tasks and sockets of test runs that is known;
 * of the others an unprivileged process cannot tell, and the answer is false.
 */
bool foreign_is_gone(enum foreign_kind kind, const struct foreign *id);

#endif
