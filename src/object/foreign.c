/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * foreign.c: identities of sockets, inodes, tasks and cgroups. Asks the kernel only, through
 * descriptors, /proc and the cgroup file system; no privilege is needed.
 */
#include "object/foreign.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/syscall.h"

#define TEXT_MAX 4096
#define START_TIME_FIELD 22 /* of /proc/<tid>/stat */
#define HANDLE_MAX 128

/* Reads a small file as a string. Its length, or -errno. */
static long read_text(const char *path, char *text, size_t room)
{
	const int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long len;

	if (fd < 0)
		return fd;
	len = sys_read(fd, text, room - 1);
	sys_close(fd);
	if (len >= 0)
		text[len] = '\0';
	return len;
}

static int socket_identity(int fd, struct foreign *id)
{
	socklen_t size = sizeof(id->number);

	id->tag = 0;
	return (int)SYSCALL(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &id->number, &size);
}

/*
 * File systems that reuse numbers of inodes have a generation, which is part of their handles. One
 * without handles (pipes, anonymous inodes) counts on.
 */
static u32 inode_generation(int fd)
{
	struct {
		struct file_handle header;
		u8 bytes[HANDLE_MAX];
	} handle = {.header.handle_bytes = HANDLE_MAX};
	int mount;

	if (SYSCALL(SYS_name_to_handle_at, fd, "", &handle.header, &mount, AT_EMPTY_PATH))
		return 0;
	return (u32)hash_bytes(handle.bytes, MIN(handle.header.handle_bytes, (u32)HANDLE_MAX), 0);
}

static int inode_identity(int fd, struct foreign *id)
{
	struct stat st;

	if (sys_fstat(fd, &st))
		return -EBADF;
	id->number = st.st_ino;
	id->tag = (u64)(u32)st.st_dev << 32 | inode_generation(fd);
	return 0;
}

/* When the thread started, in clock ticks since boot; 0: there is none. */
static u64 start_time(u32 tid)
{
	char path[40], text[TEXT_MAX], *at;

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	if (read_text(path, text, sizeof(text)) <= 0)
		return 0;
	at = strrchr(text, ')'); /* the end of field 2, which may contain anything */
	for (int field = 2; at && field < START_TIME_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static int task_of(u32 tid, struct foreign *id)
{
	id->number = tid;
	id->tag = start_time(tid);
	return id->tag ? 0 : -ENOENT;
}

/* A pidfd tells its thread in fdinfo, or -1 for one that is gone. */
static int task_identity(int fd, struct foreign *id)
{
	char path[40], text[TEXT_MAX];
	const char *line;
	long tid;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
	line = read_text(path, text, sizeof(text)) > 0 ? strstr(text, "\nPid:") : NULL;
	if (!line)
		return -EBADF;
	tid = strtol(line + strlen("\nPid:"), NULL, 10);
	return tid > 0 ? task_of((u32)tid, id) : -ENOENT;
}

/* The id of a cgroup is the number of its inode; one that was removed has no files. */
static int cgroup_identity(int fd, struct foreign *id)
{
	struct statfs fs;
	struct stat st, file;

	if (SYSCALL(SYS_fstatfs, fd, &fs) || (u64)fs.f_type != CGROUP2_SUPER_MAGIC ||
	    sys_fstat(fd, &st) || !S_ISDIR(st.st_mode))
		return -EBADF;
	id->number = st.st_ino;
	id->tag = 0;
	return sys_fstatat(fd, "cgroup.procs", &file, 0) ? -ENOENT : 0;
}

int foreign_from_fd(enum foreign_kind kind, int fd, struct foreign *id)
{
	switch (kind) {
	case FOREIGN_SOCKET:
		return socket_identity(fd, id);
	case FOREIGN_INODE:
		return inode_identity(fd, id);
	case FOREIGN_TASK:
		return task_identity(fd, id);
	case FOREIGN_CGROUP:
		return cgroup_identity(fd, id);
	case FOREIGN_NONE:
		break;
	}
	return -EINVAL;
}

/* A thread asks once; a forked child is another one. */
int foreign_current_task(struct foreign *id)
{
	static __thread struct foreign self;
	int err;

	if (unlikely(self.number != thread_id())) {
		err = task_of(thread_id(), &self);
		if (err) {
			self.number = 0;
			return err;
		}
	}
	*id = self;
	return 0;
}

int foreign_task_socket(u32 number, struct foreign *id)
{
	int err = foreign_current_task(id);

	id->number |= (u64)number << 32;
	return err;
}

/* The path of the current task's cgroup below the root of its hierarchy, which is "/". */
static bool current_cgroup_path(char text[TEXT_MAX], char **path)
{
	char *line, *end;

	if (read_text("/proc/thread-self/cgroup", text, TEXT_MAX) <= 0)
		return false;
	line = strstr(text, "0::/"); /* hierarchies of version 1 have names and numbers above 0 */
	end = line ? strchr(line, '\n') : NULL;
	if (!end)
		return false;
	*end = '\0';
	*path = line + strlen("0::");
	return true;
}

static int cgroup_below(const char *root, const char *name, struct foreign *id)
{
	char path[TEXT_MAX + 32];
	int fd, err;

	snprintf(path, sizeof(path), "%s%s", root, name);
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	err = cgroup_identity(fd, id);
	sys_close(fd);
	return err;
}

/* Alone, or beside hierarchies of version 1. */
static bool cgroup_at(const char *name, struct foreign *id)
{
	return !cgroup_below("/sys/fs/cgroup", name, id) ||
	       !cgroup_below("/sys/fs/cgroup/unified", name, id);
}

int foreign_current_cgroup(struct foreign *id)
{
	char text[TEXT_MAX], *path;

	return current_cgroup_path(text, &path) && cgroup_at(path, id) ? 0 : -ENOENT;
}

/* Ends the path behind so many names; false if it has fewer. */
static bool cut_path(char *path, s32 names)
{
	if (path[1])
		for (; names && *path; names--)
			path += 1 + strcspn(path + 1, "/");
	*path = '\0';
	return !names;
}

int foreign_current_ancestor(s32 level, struct foreign *id)
{
	char text[TEXT_MAX], *path;

	return level >= 0 && current_cgroup_path(text, &path) && cut_path(path, level) &&
			       cgroup_at(path, id)
		       ? 0
		       : -ENOENT;
}

bool foreign_current_is_under(u64 cgroup)
{
	char text[TEXT_MAX], *path, *end;
	struct foreign id;

	if (!current_cgroup_path(text, &path))
		return false;
	while (!cgroup_at(path, &id) || id.number != cgroup) {
		end = strrchr(path, '/');
		if (!end)
			return false;
		*end = '\0';
	}
	return true;
}

bool foreign_is_gone(enum foreign_kind kind, const struct foreign *id)
{
	struct foreign self, now;

	if (kind != FOREIGN_TASK && !(kind == FOREIGN_SOCKET && id->tag))
		return false;
	/* Without /proc nothing is known. */
	if (foreign_current_task(&self))
		return false;
	return task_of((u32)id->number, &now) || now.tag != id->tag;
}
