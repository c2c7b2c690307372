/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * pin.c: pins are further names of object files below <realm>/fs, whose directories are ordinary
 * ones. Where a path really leads is asked of the kernel (readlink of its descriptor), so symbolic
 * links and working directories need no thought here.
 */
#include "object/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/syscall.h"

static int root_path(char *root)
{
	return snprintf(root, PATH_MAX, "%s/fs", realm_path());
}

/* The first component of path with a dot in it that is neither . nor .. */
static const char *find_dotted(const char *path)
{
	size_t len;

	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (memchr(path, '.', len) && (len > 2 || strspn(path, ".") < len))
			return path;
	}
	return NULL;
}

/*
 * Below bpffs a name with a dot is EPERM as soon as it is looked up, which it is when the directory
 * before it exists.
 */
static bool meets_dot(const char *path)
{
	char root[PATH_MAX], parent[PATH_MAX];
	const size_t len = (size_t)root_path(root);
	const char *dotted;
	struct stat st;

	if (strncmp(path, root, len) || path[len] != '/' || !(dotted = find_dotted(path + len)))
		return false;
	memcpy(parent, path, (size_t)(dotted - path));
	parent[dotted - path] = 0;
	return !sys_fstatat(AT_FDCWD, parent, &st, 0) && S_ISDIR(st.st_mode);
}

/* Does fd lead to <realm>/fs or below it? */
static bool is_below_root(int fd)
{
	char path[PATH_MAX], root[PATH_MAX];
	const int len = root_path(root);

	if (region_fd_path(fd, path, sizeof(path)) < 0)
		return false;
	return !strncmp(path, root, (size_t)len) && (!path[len] || path[len] == '/');
}

/* Prefixes a relative path with that of dirfd. */
static int make_absolute(int dirfd, const char *path, char *out, size_t size)
{
	struct stat st;
	int len, err;

	if (dirfd == AT_FDCWD) {
		len = (int)sys_readlinkat(AT_FDCWD, "/proc/thread-self/cwd", out, size);
	} else {
		err = sys_fstat(dirfd, &st);
		if (err || !S_ISDIR(st.st_mode))
			return err ? err : -ENOTDIR;
		len = region_fd_path(dirfd, out, size);
	}
	if (len < 0)
		return len;
	if ((size_t)len + strlen(path) + 2 > size)
		return -ENAMETOOLONG;
	out[len] = '/';
	strcpy(out + len + 1, path);
	return 0;
}

/* The path in the realm that the application means; out holds PATH_MAX bytes. */
static int resolve(int dirfd, const char *path, char *out)
{
	char absolute[PATH_MAX];
	const char *translated;
	int err = realm_open();

	if (err)
		return err;
	if (!*path)
		return -ENOENT;
	if (*path != '/') {
		err = make_absolute(dirfd, path, absolute, sizeof(absolute));
		if (err)
			return err;
		path = absolute;
	}
	translated = realm_translate(path, out, PATH_MAX);
	if (translated == out)
		return 0;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(out, path);
	return 0;
}

/* Cuts the last component off path, and slashes behind it, and opens the directory before it. */
static int open_parent(char *path, const char **name, bool *slashes)
{
	size_t len = strlen(path);
	char *slash;

	*slashes = false;
	while (len > 1 && path[len - 1] == '/') {
		path[--len] = 0;
		*slashes = true;
	}
	slash = strrchr(path, '/');
	*name = slash + 1;
	if (slash == path)
		return sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	*slash = 0;
	return sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

static int link_pin(int fd, int dir, const char *name)
{
	const u64 signals = signals_block();
	const int lock = realm_lock(false);
	int err = lock;

	if (lock >= 0) {
		err = region_link(fd, dir, name);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return err == -EDQUOT ? -ENOSPC : err;
}

static bool can_be_pinned(int fd)
{
	struct object *object;
	bool yes;

	if (object_from_fd(fd, 0, &object, NULL))
		return false;
	yes = object->type->kind != OBJECT_BTF;
	object_put(object);
	return yes;
}

/* The checks in the kernel's order. */
static int pin_in(int fd, int dir, const char *name, bool slashes)
{
	const bool bpffs = is_below_root(dir);
	struct stat st;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (!*name || !sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	if (slashes)
		return -ENOENT;
	return bpffs ? link_pin(fd, dir, name) : -EPERM;
}

int object_pin(int fd, int dirfd, const char *path)
{
	char resolved[PATH_MAX];
	const char *name;
	bool slashes;
	int dir, err;

	if (!can_be_pinned(fd))
		return -EINVAL;
	err = resolve(dirfd, path, resolved);
	if (err)
		return err;
	if (meets_dot(resolved))
		return -EPERM;
	dir = open_parent(resolved, &name, &slashes);
	if (dir < 0)
		return dir;
	err = pin_in(fd, dir, name, slashes);
	sys_close(dir);
	return err;
}

static int open_pin(int path_fd, enum object_access access)
{
	const u64 signals = signals_block();
	const int lock = realm_lock(false);
	int fd = lock;

	if (lock >= 0) {
		fd = object_open_path(path_fd, access);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return fd == -EINVAL ? -EACCES : fd;
}

int object_get_pinned(int dirfd, const char *path, enum object_access access)
{
	char resolved[PATH_MAX];
	int fd, path_fd, err;

	err = resolve(dirfd, path, resolved);
	if (err)
		return err;
	if (meets_dot(resolved))
		return -EPERM;
	path_fd = sys_openat(AT_FDCWD, resolved, O_PATH | O_CLOEXEC, 0);
	if (path_fd < 0)
		return path_fd;
	path_fd = region_raise_fd(path_fd);
	fd = is_below_root(path_fd) ? open_pin(path_fd, access) : -EACCES;
	sys_close(path_fd);
	return fd;
}
