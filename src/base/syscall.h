/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * syscall.h: the raw system calls of the core. Nothing below src/entry calls libc's wrappers for
 * anything that the preload library interposes, so interception can never recurse into itself.
 * Every function returns the kernel's answer: a result, or -errno. errno is never touched.
 */
#ifndef BASE_SYSCALL_H
#define BASE_SYSCALL_H

#include "base/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#if defined(__x86_64__)
static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "userbpf needs a raw system call for this architecture: add it here"
#endif

#define SYSCALL(nr, ...) SYSCALL_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYSCALL_(nr, a, b, c, d, e, f, ...)                                                        \
	raw_syscall((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline int sys_openat(int dir, const char *path, int flags, mode_t mode)
{
	return (int)SYSCALL(SYS_openat, dir, path, flags, mode);
}

static inline int sys_close(int fd)
{
	return (int)SYSCALL(SYS_close, fd);
}

static inline s64 sys_lseek(int fd, s64 offset, int whence)
{
	return SYSCALL(SYS_lseek, fd, offset, whence);
}

static inline int sys_fstat(int fd, struct stat *st)
{
	return (int)SYSCALL(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

static inline int sys_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return (int)SYSCALL(SYS_newfstatat, dir, path, st, flags);
}

static inline int sys_flock(int fd, int operation)
{
	return (int)SYSCALL(SYS_flock, fd, operation);
}

static inline int sys_fallocate(int fd, int mode, s64 offset, s64 len)
{
	return (int)SYSCALL(SYS_fallocate, fd, mode, offset, len);
}

static inline int sys_ftruncate(int fd, s64 size)
{
	return (int)SYSCALL(SYS_ftruncate, fd, size);
}

static inline int sys_linkat(int olddir, const char *old, int newdir, const char *new, int flags)
{
	return (int)SYSCALL(SYS_linkat, olddir, old, newdir, new, flags);
}

static inline int sys_unlinkat(int dir, const char *path, int flags)
{
	return (int)SYSCALL(SYS_unlinkat, dir, path, flags);
}

static inline int sys_mkdirat(int dir, const char *path, mode_t mode)
{
	return (int)SYSCALL(SYS_mkdirat, dir, path, mode);
}

static inline long sys_getdents64(int fd, void *buf, size_t size)
{
	return SYSCALL(SYS_getdents64, fd, buf, size);
}

static inline long sys_readlinkat(int dir, const char *path, char *buf, size_t size)
{
	return SYSCALL(SYS_readlinkat, dir, path, buf, size);
}

static inline long sys_read(int fd, void *buf, size_t len)
{
	return SYSCALL(SYS_read, fd, buf, len);
}

static inline long sys_write(int fd, const void *buf, size_t len)
{
	return SYSCALL(SYS_write, fd, buf, len);
}

static inline long sys_pwrite(int fd, const void *buf, size_t len, s64 offset)
{
	return SYSCALL(SYS_pwrite64, fd, buf, len, offset);
}

static inline long sys_pread(int fd, void *buf, size_t len, s64 offset)
{
	return SYSCALL(SYS_pread64, fd, buf, len, offset);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)SYSCALL(SYS_fcntl, fd, cmd, arg);
}

/* Returns the address, or -errno as an address in the last page; test with sys_is_err(). */
static inline void *sys_mmap(void *addr, size_t len, int prot, int flags, int fd, s64 offset)
{
#if defined(__SANITIZE_THREAD__)
	/* Must see that the addresses are new; the unit tests, its only users, interpose nothing. */
	void *memory = mmap(addr, len, prot, flags, fd, offset);

	return memory == MAP_FAILED ? (void *)(intptr_t)-errno : memory;
#else
	return (void *)SYSCALL(SYS_mmap, addr, len, prot, flags, fd, offset);
#endif
}

static inline bool sys_is_err(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)-4095;
}

static inline int sys_munmap(void *addr, size_t len)
{
	return (int)SYSCALL(SYS_munmap, addr, len);
}

static inline int sys_madvise(void *addr, size_t len, int advice)
{
	return (int)SYSCALL(SYS_madvise, addr, len, advice);
}

static inline int sys_gettid(void)
{
	return (int)SYSCALL(SYS_gettid);
}

static inline int sys_getpid(void)
{
	return (int)SYSCALL(SYS_getpid);
}

static inline u32 sys_geteuid(void)
{
	return (u32)SYSCALL(SYS_geteuid);
}

/* Shared futexes only: every lock word lives in a shared file. timeout is relative, may be NULL. */
static inline int sys_futex_wait(u32 *word, u32 expected, const struct timespec *timeout)
{
	return (int)SYSCALL(SYS_futex, word, FUTEX_WAIT, expected, timeout);
}

static inline int sys_futex_wake(u32 *word, int count)
{
	return (int)SYSCALL(SYS_futex, word, FUTEX_WAKE, count);
}

#endif
