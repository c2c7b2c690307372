/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload.c: the library that `userbpf run` puts before libc. Owns the system call, what concerns
 * descriptors (mmap, sizes, links and statistics of descriptors), and start and end of the process.
 * Knows no command and no object; asks cmd/bpf.h.
 *
 * Invariants: exports libc's names only (preload.map); a call that does not concern us costs a
 * compare and a jump; errno is untouched by what succeeds; nothing here allocates or uses stdio.
 */
#include "entry/preload.h"

#include <dlfcn.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/syscall.h"
#include "base/user_mem.h"
#include "base/user_stack.h"
#include "cmd/bpf.h"
#include "vm/vm.h"

/*
 * Not variadic, though unistd.h says so: the six arguments lie in the same registers either way
 * on every ABI that raw_syscall() knows, and this form need not save them first.
 */
EXPORT long preload_syscall(long nr, long a, long b, long c, long d, long e,
			    long f) __asm__("syscall");

/* Takes the place of preload_syscall(): its return address is that of the application's call. */
__attribute__((noinline)) static long served(long cmd, long attr, long size)
{
	USER_STACK_ENTRY;
	int saved = errno;
	long answer = bpf_call((int)cmd, (u64)attr, (u32)size);

	errno = saved; /* the core may call libc */
	return libc_result(answer);
}

/* Not inlined either: with a local variable of its own preload_syscall() could not just jump. */
__attribute__((noinline)) static long open_perf_event(long attr, long pid, long cpu, long group,
						      long flags)
{
	const int saved = errno;
	long answer;

	if (!bpf_perf_event_open((u64)attr, (int)pid, (int)cpu, (int)group, (u64)flags, &answer))
		answer = SYSCALL(SYS_perf_event_open, attr, pid, cpu, group, flags);
	errno = saved;
	return libc_result(answer);
}

long preload_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_bpf)
		return served(a, b, c);
	if (nr == SYS_perf_event_open)
		return open_perf_event(a, b, c, d, e);
	return libc_result(raw_syscall(nr, a, b, c, d, e, f));
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	int saved = errno, from = fd;
	long placed;
	void *mapping;

	if (fd >= 0 && !(flags & MAP_ANONYMOUS)) {
		if (bpf_mmap(fd, addr, (u64)offset, len, prot, flags, &placed)) {
			errno = saved;
			return (void *)libc_result(placed);
		}
		from = bpf_mmap_fd(fd, (u64)offset, len, prot, flags);
		errno = from < 0 ? -from : saved;
		if (from < 0)
			return MAP_FAILED;
	}
	mapping = (void *)libc_result((long)sys_mmap(addr, len, prot, flags, from, offset));
	if (from != fd)
		sys_close(from);
	return mapping;
}
ALIAS(mmap64, mmap);

/* Cold path */

static long no_such_function(void)
{
	errno = ENOSYS;
	return -1;
}

void *next_symbol(const char *name)
{
	int saved = errno;
	void *symbol = dlsym(RTLD_NEXT, name);

	errno = saved;
	return symbol ? symbol : (void *)no_such_function;
}

/* A decimal number; -1 when there is none. *text then points behind it. */
static int parse_number(const char **text)
{
	const char *start = *text;
	int number = 0;

	for (; **text >= '0' && **text <= '9' && number < 100000000; (*text)++)
		number = number * 10 + (**text - '0');
	return *text == start ? -1 : number;
}

/* Skips one word of a path and the slash behind it; NULL when another word stands there. */
static const char *skip_word(const char *path, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(path, word, len) && path[len] == '/' ? path + len + 1 : NULL;
}

int own_fd(const char *path, const char *dir)
{
	const char *rest;
	int fd;

	if (likely(!starts_with(path, "/proc/", 6)))
		return -1;
	path += 6;
	rest = skip_word(path, "self");
	if (!rest)
		rest = skip_word(path, "thread-self");
	if (!rest && parse_number(&path) == sys_getpid() && *path == '/')
		rest = path + 1;
	if (rest)
		rest = skip_word(rest, dir);
	if (!rest)
		return -1;
	fd = parse_number(&rest);
	return *rest ? -1 : fd;
}

bool fd_is_bpf(int fd)
{
	const int saved = errno;
	const bool ours = fd >= 0 && bpf_fd_name(fd);

	errno = saved;
	return ours;
}

/* The file behind a descriptor of ours is mapped: without its bytes every access is a SIGBUS. */
EXPORT int ftruncate(int fd, off_t len)
{
	return likely(!fd_is_bpf(fd)) ? NEXT(ftruncate)(fd, len) : (int)libc_result(-EINVAL);
}
ALIAS(ftruncate64, ftruncate);

/*
 * The kernel makes its checks, in its order, on a range that ends beyond any file: that is the
 * last of them, and it would have found no regular file before.
 */
static int allocate_nothing(int fd, int mode, s64 offset, s64 len)
{
	const bool range = offset >= 0 && len > 0;
	const int err = (int)SYSCALL(SYS_fallocate, fd, mode, range ? INT64_MAX : offset,
				     range ? INT64_MAX : len);

	return err == -EFBIG ? -ENODEV : err;
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (likely(!fd_is_bpf(fd)))
		return NEXT(fallocate)(fd, mode, offset, len);
	return (int)libc_result(allocate_nothing(fd, mode, offset, len));
}
ALIAS(fallocate64, fallocate);

EXPORT int posix_fallocate(int fd, off_t offset, off_t len)
{
	if (likely(!fd_is_bpf(fd)))
		return NEXT(posix_fallocate)(fd, offset, len);
	return -allocate_nothing(fd, 0, offset, len);
}
ALIAS(posix_fallocate64, posix_fallocate);

/* What readlink says of a descriptor of ours; 0: it is none. */
static ssize_t read_fd_link(const char *path, char *buf, size_t size)
{
	int fd = own_fd(path, "fd"), saved = errno;
	const char *name = fd < 0 ? NULL : bpf_fd_name(fd);
	size_t len;

	errno = saved;
	if (likely(!name) || !size)
		return 0;
	len = MIN(strlen(name), size);
	return libc_result(user_write(PTR_U64(buf), name, len) ?: (long)len);
}

/* A symbolic link inside bpffs: both its place and what it says are translated. */
static ssize_t read_bpffs_link(int dir, const char *path, char *buf, size_t size)
{
	char room[PATH_MAX], back[PATH_MAX];
	const char *target;
	long len;

	path = bpffs_path(path, room);
	if (!path)
		return -1;
	len = sys_readlinkat(dir, path, back, sizeof(back) - 1);
	if (len < 0 || !size)
		return libc_result(size ? len : -EINVAL);
	back[len] = '\0';
	target = bpffs_name(back, room, sizeof(room));
	len = (long)MIN(strlen(target), size);
	return libc_result(user_write(PTR_U64(buf), target, (size_t)len) ?: len);
}

EXPORT ssize_t readlinkat(int dir, const char *path, char *buf, size_t size)
{
	ssize_t len;

	if (unlikely(below_bpffs(path)))
		return read_bpffs_link(dir, path, buf, size);
	len = read_fd_link(path, buf, size);
	return len ? len : NEXT(readlinkat)(dir, path, buf, size);
}

EXPORT ssize_t readlink(const char *path, char *buf, size_t size)
{
	ssize_t len;

	if (unlikely(below_bpffs(path)))
		return read_bpffs_link(AT_FDCWD, path, buf, size);
	len = read_fd_link(path, buf, size);
	return len ? len : NEXT(readlink)(path, buf, size);
}

EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room)
{
	if (size > room)
		abort();
	return readlink(path, buf, size);
}

EXPORT ssize_t __readlinkat_chk(int dir, const char *path, char *buf, size_t size, size_t room)
{
	if (size > room)
		abort();
	return readlinkat(dir, path, buf, size);
}

bool fd_below_bpffs(int fd)
{
	char link[32], path[PATH_MAX], room[PATH_MAX];
	long len;

	if (!*realm_path())
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = sys_readlinkat(AT_FDCWD, link, path, sizeof(path) - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	return bpffs_name(path, room, sizeof(room)) != path;
}

static bool path_below_bpffs(const char *path)
{
	bool below;
	int fd;

	if (!*realm_path())
		return false;
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	below = fd_below_bpffs(fd);
	sys_close(fd);
	return below;
}

EXPORT int fstatfs(int fd, struct statfs *buf)
{
	int ret = NEXT(fstatfs)(fd, buf);

	if (!ret && fd_below_bpffs(fd))
		buf->f_type = BPF_FS_MAGIC;
	return ret;
}
ALIAS(fstatfs64, fstatfs);

EXPORT int statfs(const char *path, struct statfs *buf)
{
	char room[PATH_MAX];
	int ret;

	if (unlikely(below_bpffs(path))) {
		path = bpffs_path(path, room);
		if (!path)
			return -1;
	}
	ret = NEXT(statfs)(path, buf);
	if (!ret && path_below_bpffs(path))
		buf->f_type = BPF_FS_MAGIC;
	return ret;
}
ALIAS(statfs64, statfs);

__attribute__((constructor)) static void start(void)
{
	const char *verbose = secure_getenv("USERBPF_VERBOSE");
	const char *engine = secure_getenv("USERBPF_ENGINE");
	const char *trust = secure_getenv("USERBPF_TRUST");

	if (verbose)
		log_set_level(*verbose >= '2'   ? LOG_CALLS
			      : *verbose == '1' ? LOG_REFUSED
						: LOG_OFF);
	if (!vm_choose_engine(engine))
		log_line(LOG_REFUSED, "there is no engine '%s' here; see userbpf run --help", engine);
	vm_trust_loaded(trust && *trust == '1');
}

__attribute__((destructor)) static void finish(void)
{
	if (log_enabled(LOG_REFUSED))
		bpf_log_summary();
}
