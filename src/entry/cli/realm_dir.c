/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * realm_dir.c: realms as directories, from outside: where they are, whether somebody uses them, how
 * they go away. Attaches no object. Refuses what belongs to another user.
 */
#include "entry/cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEAD_PREFIX ".dead-" /* no realm can have such a name */

const char *realm_base(const char *dir)
{
	static char base[PATH_MAX];
	char cwd[PATH_MAX];
	int len;

	if (!dir)
		dir = getenv("USERBPF_DIR");
	if (!dir || !*dir)
		len = snprintf(base, sizeof(base), "/dev/shm/userbpf-%u", geteuid());
	else if (*dir == '/')
		len = snprintf(base, sizeof(base), "%s", dir);
	else if (!getcwd(cwd, sizeof(cwd)))
		return cli_fail("%s: the working directory: %s", dir, strerror(errno)), NULL;
	else
		len = snprintf(base, sizeof(base), "%s/%s", cwd, dir);
	if (len < PATH_MAX)
		return base;
	return cli_fail("%s: the path is too long", dir), NULL;
}

static int refuse_base(int fd, const char *base, const struct stat *st)
{
	if (st->st_uid != geteuid())
		cli_fail("%s belongs to uid %u, not to you (uid %u); "
			 "choose another directory with --dir or USERBPF_DIR",
			 base, st->st_uid, geteuid());
	else
		cli_fail("%s is open to other users (mode %04o); make it yours alone: chmod 700 %s",
			 base, st->st_mode & 07777, base);
	close(fd);
	return -1;
}

int realm_base_open(const char *base, bool create)
{
	struct stat st;
	int fd;

	if (create && mkdir(base, 0700) && errno != EEXIST) {
		cli_fail("cannot create %s: %s", base, strerror(errno));
		return -1;
	}
	fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && !lstat(base, &st))
		return refuse_base(fd, base, &st);
	if (fd < 0) {
		cli_fail("cannot open %s: %s", base, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) || st.st_uid != geteuid() || st.st_mode & 077)
		return refuse_base(fd, base, &st);
	return fd;
}

int realm_dir_open(int base, const char *name)
{
	return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int realm_each(int dir, int (*visit)(int dir, const char *name, void *arg), void *arg)
{
	int ret = 0, fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (names && !ret && (entry = readdir(names)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = visit(dir, entry->d_name, arg);
	if (names)
		closedir(names);
	else if (fd >= 0)
		close(fd);
	return ret;
}

/* Whether somebody holds a flock on the file; the probe lasts as long as the descriptor. */
static bool is_locked(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
}

/* An application's descriptor of an object holds a shared flock. */
static int object_is_held(int dir, const char *name, void *arg)
{
	bool held;
	int fd;

	(void)arg;
	if (strncmp(name, "bpf-", 4))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT;
	held = is_locked(fd);
	close(fd);
	return held;
}

/* Probes as the collector does: with the realm's lock, which creators take shared. */
bool realm_is_used(int dir)
{
	bool used = true;
	int lock;

	if (is_locked(dir))
		return true;
	lock = openat(dir, "lock", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (lock < 0 || !is_locked(lock))
		used = realm_each(dir, object_is_held, NULL);
	if (lock >= 0)
		close(lock);
	flock(dir, LOCK_UN);
	return used;
}

/* An application may have taken its own rights on a directory away. */
static int remove_tree(int parent, const char *name, void *arg)
{
	int dir;

	if (!unlinkat(parent, name, 0))
		return 0;
	fchmodat(parent, name, 0700, 0);
	dir = realm_dir_open(parent, name);
	if (dir >= 0) {
		realm_each(dir, remove_tree, arg);
		close(dir);
	}
	unlinkat(parent, name, AT_REMOVEDIR);
	return 0;
}

/* The name goes first, so that nobody enters a realm that is half gone. */
void realm_remove(int base, const char *name)
{
	char dead[NAME_MAX + 1];

	snprintf(dead, sizeof(dead), DEAD_PREFIX "%d-%.200s", getpid(), name);
	if (!renameat(base, name, base, dead))
		remove_tree(base, dead, NULL);
}

static int remove_if_stale(int base, const char *name, void *arg)
{
	int dir;

	if (!strncmp(name, DEAD_PREFIX, strlen(DEAD_PREFIX)))
		return remove_tree(base, name, arg);
	if (strncmp(name, REALM_PRIVATE_PREFIX, strlen(REALM_PRIVATE_PREFIX)))
		return 0;
	dir = realm_dir_open(base, name);
	if (dir < 0)
		return 0;
	if (!is_locked(dir))
		realm_remove(base, name);
	close(dir);
	return 0;
}

void realm_remove_stale(int base)
{
	realm_each(base, remove_if_stale, NULL);
}
