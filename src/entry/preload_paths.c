/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload_paths.c: libc's functions on paths. Owns the translation of /sys/fs/bpf into the realm's
 * directory that stands for it, and the few answers in which bpffs differs from a plain directory:
 * pins cannot be opened or truncated, files cannot be created, names have no dots.
 *
 * A path relative to a descriptor or to the working directory needs nothing: if that lies in
 * bpffs, it already is the realm's directory. Knows nothing of objects.
 */
#include "entry/preload.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/syscall.h"
#include "cmd/bpf.h"

/* A function with one path that is translated, then called as it is. */
#define PATH(ret, name, params, args, failure)                                                     \
	TRANSLATED(ret, name, params, args, failure, bpffs_path)
/* The same where the path is removed. */
#define REMOVE(name, params, args) TRANSLATED(int, name, params, args, -1, removable_path)

#define TRANSLATED(ret, name, params, args, failure, translate)                                    \
	EXPORT ret name params                                                                     \
	{                                                                                          \
		char room[PATH_MAX];                                                               \
                                                                                                   \
		if (unlikely(below_bpffs(path)) && !(path = translate(path, room)))                \
			return failure;                                                            \
		return NEXT(name) args;                                                            \
	}

/* A function with two; nothing can be moved or linked into bpffs or out of it. */
#define PATHS(name, params, args)                                                                  \
	EXPORT int name params                                                                     \
	{                                                                                          \
		char room[PATH_MAX], new_room[PATH_MAX];                                           \
                                                                                                   \
		if (unlikely(below_bpffs(path) || below_bpffs(new_path))) {                        \
			if (crosses_bpffs(path, new_path) ||                                       \
			    !(path = either_path(path, room)) ||                                   \
			    !(new_path = either_path(new_path, new_room)))                         \
				return -1;                                                         \
		}                                                                                  \
		return NEXT(name) args;                                                            \
	}

/* A function that fills a struct stat; a pin is an empty file with one name. */
#define STAT(name, params, args)                                                                   \
	EXPORT int name params                                                                     \
	{                                                                                          \
		char room[PATH_MAX];                                                               \
		int ret;                                                                           \
                                                                                                   \
		if (likely(!below_bpffs(path)))                                                    \
			return NEXT(name) args;                                                    \
		path = bpffs_path(path, room);                                                     \
		ret = path ? NEXT(name) args : -1;                                                 \
		if (!ret)                                                                          \
			show_pin(buf);                                                             \
		return ret;                                                                        \
	}

/* Length of the directory that stands for bpffs, or 0 when path does not lie in it. */
static size_t fs_prefix(const char *path)
{
	const char *realm = realm_path();
	size_t len = strlen(realm);

	if (!len || strncmp(path, realm, len) || strncmp(path + len, "/fs", 3))
		return 0;
	len += 3;
	return path[len] == '/' || path[len] == '\0' ? len : 0;
}

const char *bpffs_path(const char *path, char *room)
{
	const char *translated;
	int saved = errno, err;
	size_t len;

	err = bpf_init();
	errno = err ? EACCES : saved;
	if (err)
		return NULL;
	translated = realm_translate(path, room, PATH_MAX);
	len = fs_prefix(translated);
	if (len && strchr(translated + len, '.')) {
		errno = EPERM;
		return NULL;
	}
	return translated;
}

const char *bpffs_name(const char *path, char *room, size_t size)
{
	size_t len = fs_prefix(path);

	if (!len || (size_t)snprintf(room, size, REALM_BPFFS "%s", path + len) >= size)
		return path;
	return room;
}

/* The translated path, unless it is bpffs itself, which is mounted and stays: then the error. */
static const char *path_inside(const char *path, char *room, int error)
{
	const char *rest;

	path = bpffs_path(path, room);
	if (path != room)
		return path;
	rest = path + fs_prefix(path);
	if (rest[strspn(rest, "/")])
		return path;
	errno = error;
	return NULL;
}

static const char *removable_path(const char *path, char *room)
{
	return path_inside(path, room, EBUSY);
}

/* A path outside bpffs stays as it is. */
static const char *either_path(const char *path, char *room)
{
	return below_bpffs(path) ? path_inside(path, room, EXDEV) : path;
}

static bool is_absolute(const char *path)
{
	return starts_with(path, "/", 1);
}

static bool crosses_bpffs(const char *path, const char *new_path)
{
	if (below_bpffs(path) == below_bpffs(new_path) || !is_absolute(path) ||
	    !is_absolute(new_path))
		return false;
	errno = EXDEV;
	return true;
}

static void show_pin(struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return;
	st->st_size = 0;
	st->st_blocks = 0;
	st->st_nlink = 1;
}

PATH(int, mkdir, (const char *path, mode_t mode), (path, mode), -1)
PATH(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), -1)
REMOVE(rmdir, (const char *path), (path))
REMOVE(unlink, (const char *path), (path))
REMOVE(unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
REMOVE(remove, (const char *path), (path))
PATH(int, access, (const char *path, int mode), (path, mode), -1)
PATH(int, faccessat, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags), -1)
PATH(int, euidaccess, (const char *path, int mode), (path, mode), -1)
PATH(int, chmod, (const char *path, mode_t mode), (path, mode), -1)
PATH(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags),
     -1)
PATH(int, chown, (const char *path, uid_t user, gid_t group), (path, user, group), -1)
PATH(int, lchown, (const char *path, uid_t user, gid_t group), (path, user, group), -1)
PATH(int, fchownat, (int dir, const char *path, uid_t user, gid_t group, int flags),
     (dir, path, user, group, flags), -1)
PATH(int, chdir, (const char *path), (path), -1)
PATH(DIR *, opendir, (const char *path), (path), NULL)
PATH(int, scandir,
     (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)),
     (path, list, filter, compare), -1)

PATHS(rename, (const char *path, const char *new_path), (path, new_path))
PATHS(renameat, (int dir, const char *path, int new_dir, const char *new_path),
      (dir, path, new_dir, new_path))
PATHS(renameat2,
      (int dir, const char *path, int new_dir, const char *new_path, unsigned int flags),
      (dir, path, new_dir, new_path, flags))
PATHS(link, (const char *path, const char *new_path), (path, new_path))
PATHS(linkat, (int dir, const char *path, int new_dir, const char *new_path, int flags),
      (dir, path, new_dir, new_path, flags))

STAT(stat, (const char *path, struct stat *buf), (path, buf))
STAT(lstat, (const char *path, struct stat *buf), (path, buf))
STAT(fstatat, (int dir, const char *path, struct stat *buf, int flags), (dir, path, buf, flags))

ALIAS(eaccess, euidaccess);
ALIAS(stat64, stat);
ALIAS(lstat64, lstat);
ALIAS(fstatat64, fstatat);
ALIAS(scandir64, scandir);

/* What stat() and its like were before glibc 2.33; the version is the same for all of them. */
EXPORT int __xstat(int version, const char *path, struct stat *buf)
{
	(void)version;
	return stat(path, buf);
}
ALIAS(__xstat64, __xstat);

EXPORT int __lxstat(int version, const char *path, struct stat *buf)
{
	(void)version;
	return lstat(path, buf);
}
ALIAS(__lxstat64, __lxstat);

EXPORT int __fxstatat(int version, int dir, const char *path, struct stat *buf, int flags)
{
	(void)version;
	return fstatat(dir, path, buf, flags);
}
ALIAS(__fxstatat64, __fxstatat);

EXPORT int statx(int dir, const char *path, int flags, unsigned int mask, struct statx *buf)
{
	char room[PATH_MAX];
	int ret;

	if (likely(!below_bpffs(path)))
		return NEXT(statx)(dir, path, flags, mask, buf);
	path = bpffs_path(path, room);
	ret = path ? NEXT(statx)(dir, path, flags, mask, buf) : -1;
	if (!ret && S_ISREG(buf->stx_mode)) {
		buf->stx_size = 0;
		buf->stx_blocks = 0;
		buf->stx_nlink = 1;
	}
	return ret;
}

/*
 * Opening. Only directories of bpffs can be opened; a pin answers EIO, and a file that is not
 * there cannot be created. A file in /proc/self/fdinfo of a descriptor of ours is made up.
 */

static bool is_virtual(const char *path)
{
	return below_bpffs(path) || own_fd(path, "fdinfo") >= 0 || fd_is_bpf(own_fd(path, "fd"));
}

static int anonymous_file(int flags)
{
	return (int)SYSCALL(SYS_memfd_create, "userbpf", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
}

static int open_text(const char *text, size_t len, int flags)
{
	int fd = anonymous_file(flags);

	if (fd >= 0) {
		sys_write(fd, text, len);
		sys_lseek(fd, 0, SEEK_SET);
	}
	return fd;
}

/* A file that is not there: bpffs creates none, but a missing directory comes first. */
static int refuse_creation(char *path)
{
	struct stat st;

	*strrchr(path, '/') = '\0';
	return sys_fstatat(AT_FDCWD, path, &st, 0) ?: -EACCES;
}

static int open_bpffs(char *path, int flags, mode_t mode)
{
	bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	bool follow = !(flags & O_NOFOLLOW) && !exclusive;
	struct stat st;
	int err;

	err = sys_fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
	if (err)
		return err == -ENOENT && flags & O_CREAT ? refuse_creation(path) : err;
	if (exclusive)
		return -EEXIST;
	if (S_ISDIR(st.st_mode) && flags & O_CREAT)
		return -EISDIR;
	if (S_ISREG(st.st_mode) && !(flags & (O_PATH | O_DIRECTORY)))
		return -EIO;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	return sys_openat(AT_FDCWD, path, flags & ~(O_CREAT | O_TRUNC), mode);
}

/* As open(2) with -1 and errno, for a path that is_virtual(). */
static int open_virtual(int dir, const char *path, int flags, mode_t mode)
{
	int fd = own_fd(path, "fdinfo"), saved = errno, len;
	char room[PATH_MAX];

	if (fd_is_bpf(own_fd(path, "fd")) && !(flags & O_PATH))
		return (int)libc_result(-ENXIO); /* a descriptor is no file to open again */
	if (fd >= 0) {
		len = bpf_fdinfo(fd, room, sizeof(room));
		errno = saved;
		if (len >= 0)
			return (int)libc_result(open_text(room, (size_t)len, flags));
	} else {
		path = bpffs_path(path, room);
		if (path == room)
			return (int)libc_result(open_bpffs(room, flags, mode));
	}
	return path ? (int)libc_result(sys_openat(dir, path, flags, mode)) : -1;
}

/* The mode argument is there only when a file may be created. */
#define OPTIONAL_MODE(last)                                                                        \
	({                                                                                         \
		mode_t mode_ = 0;                                                                  \
		va_list list_;                                                                     \
                                                                                                   \
		if ((last)&O_CREAT || ((last)&O_TMPFILE) == O_TMPFILE) {                           \
			va_start(list_, last);                                                     \
			mode_ = va_arg(list_, mode_t);                                             \
			va_end(list_);                                                             \
		}                                                                                  \
		mode_;                                                                             \
	})

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode = OPTIONAL_MODE(flags);

	if (unlikely(is_virtual(path)))
		return open_virtual(AT_FDCWD, path, flags, mode);
	return NEXT(open)(path, flags, mode);
}
ALIAS(open64, open);

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = OPTIONAL_MODE(flags);

	if (unlikely(is_virtual(path)))
		return open_virtual(dir, path, flags, mode);
	return NEXT(openat)(dir, path, flags, mode);
}
ALIAS(openat64, openat);

EXPORT int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
ALIAS(creat64, creat);

/* What the compiler calls when it knows that there is no mode argument. */
EXPORT int __open_2(const char *path, int flags)
{
	return open(path, flags);
}
ALIAS(__open64_2, __open_2);

EXPORT int __openat_2(int dir, const char *path, int flags)
{
	return openat(dir, path, flags);
}
ALIAS(__openat64_2, __openat_2);

static int fopen_flags(const char *mode)
{
	int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : O_CREAT | O_APPEND;

	flags |= strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
	flags |= strchr(mode, 'e') ? O_CLOEXEC : 0;
	return flags | (strchr(mode, 'x') ? O_EXCL : 0);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	FILE *file;
	int fd;

	if (likely(!is_virtual(path)))
		return NEXT(fopen)(path, mode);
	fd = open_virtual(AT_FDCWD, path, fopen_flags(mode), 0666);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, mode);
	if (!file)
		sys_close(fd);
	return file;
}
ALIAS(fopen64, fopen);

EXPORT int truncate(const char *path, off_t len)
{
	char room[PATH_MAX];
	struct stat st;
	int err;

	if (unlikely(fd_is_bpf(own_fd(path, "fd"))))
		return (int)libc_result(-EINVAL);
	if (likely(!below_bpffs(path)))
		return NEXT(truncate)(path, len);
	path = bpffs_path(path, room);
	if (!path)
		return -1;
	err = sys_fstatat(AT_FDCWD, path, &st, 0);
	return (int)libc_result(err ?: S_ISDIR(st.st_mode) ? -EISDIR : -EPERM);
}
ALIAS(truncate64, truncate);

EXPORT int symlinkat(const char *target, int dir, const char *path)
{
	char room[PATH_MAX], target_room[PATH_MAX];

	if (unlikely(below_bpffs(path)) && !(path = bpffs_path(path, room)))
		return -1;
	if (unlikely(below_bpffs(target)) && !(target = bpffs_path(target, target_room)))
		return -1;
	return NEXT(symlinkat)(target, dir, path);
}

EXPORT int symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}

/* Names that libc hands back are those the application knows. */

EXPORT char *realpath(const char *path, char *resolved)
{
	char room[PATH_MAX], back[PATH_MAX], *found;
	const char *name;

	if (likely(!below_bpffs(path)))
		return NEXT(realpath)(path, resolved);
	path = bpffs_path(path, room);
	found = path ? NEXT(realpath)(path, back) : NULL;
	if (!found)
		return NULL;
	name = bpffs_name(back, room, sizeof(room));
	return resolved ? strcpy(resolved, name) : strdup(name);
}

EXPORT char *canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}

EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room)
{
	if (room < PATH_MAX)
		abort();
	return realpath(path, resolved);
}

/* The walk of this thread, as nftw() has no argument for its callback. */
static __thread __nftw_func_t walk_callback;

static int walk_step(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char room[PATH_MAX];
	const char *name = bpffs_name(path, room, sizeof(room));
	struct FTW here = *ftw;
	struct stat pin = *st;

	if (name != path) {
		here.base = (int)(strrchr(name, '/') - name + 1);
		show_pin(&pin);
	}
	return walk_callback(name, &pin, type, &here);
}

EXPORT int nftw(const char *path, __nftw_func_t callback, int depth, int flags)
{
	__nftw_func_t outer = walk_callback;
	char room[PATH_MAX];
	int ret;

	if (likely(!below_bpffs(path)))
		return NEXT(nftw)(path, callback, depth, flags);
	path = bpffs_path(path, room);
	if (!path)
		return -1;
	walk_callback = callback;
	ret = NEXT(nftw)(path, walk_step, depth, flags);
	walk_callback = outer;
	return ret;
}
ALIAS(nftw64, nftw);

static __thread __ftw_func_t plain_callback;

static int plain_step(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	return plain_callback(path, st, type);
}

EXPORT int ftw(const char *path, __ftw_func_t callback, int depth)
{
	__ftw_func_t outer = plain_callback;
	int ret;

	if (likely(!below_bpffs(path)))
		return NEXT(ftw)(path, callback, depth);
	plain_callback = callback;
	ret = nftw(path, plain_step, depth, 0);
	plain_callback = outer;
	return ret;
}
ALIAS(ftw64, ftw);

/* The table of mounts shows bpffs where it is mounted for our programs: bpftool looks for pins. */
static void copy_mounts(int from, int to)
{
	static const char bpffs[] = "bpf " REALM_BPFFS " bpf rw,nosuid,nodev,noexec,mode=700 0 0\n";
	char block[PAGE_BYTES + 1];
	bool mounted = false;
	long len;

	while ((len = sys_read(from, block, sizeof(block) - 1)) > 0) {
		block[len] = '\0';
		mounted |= strstr(block, " " REALM_BPFFS " bpf ") != NULL;
		sys_write(to, block, (size_t)len);
	}
	if (!mounted)
		sys_write(to, bpffs, sizeof(bpffs) - 1);
	sys_lseek(to, 0, SEEK_SET);
}

static bool is_mount_table(const char *path)
{
	return !strcmp(path, "/proc/mounts") || !strcmp(path, "/proc/self/mounts") ||
	       !strcmp(path, "/etc/mtab");
}

EXPORT FILE *setmntent(const char *path, const char *mode)
{
	FILE *file = NULL;
	int from, to;

	if (*mode != 'r' || !is_mount_table(path))
		return NEXT(setmntent)(path, mode);
	from = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (from < 0)
		return NEXT(setmntent)(path, mode);
	to = anonymous_file(O_CLOEXEC);
	if (to >= 0) {
		copy_mounts(from, to);
		file = fdopen(to, mode);
	}
	if (!file)
		sys_close(to);
	sys_close(from);
	return file;
}
