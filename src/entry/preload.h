/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload.h: what the interposers share: how to export one, how to reach the function it stands
 * before, and how to recognise in a few instructions that a call does not concern us.
 */
#ifndef ENTRY_PRELOAD_H
#define ENTRY_PRELOAD_H

/*
 * We define the names themselves: no header may rename open to open64 or turn it into an inline
 * function. So this header comes first in every file of the preload library.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include "base/atomic.h"
#include "base/compiler.h" /* defines _GNU_SOURCE */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "object/realm.h"

#define EXPORT __attribute__((visibility("default")))

#if __has_attribute(copy)
#define ATTRIBUTES_OF(name) __attribute__((copy(name)))
#else
#define ATTRIBUTES_OF(name)
#endif

/* A second name: the 64-bit variants are the same functions on every architecture we know. */
#define ALIAS(new_name, name)                                                                      \
	extern __typeof__(name) alias_##new_name __asm__(#new_name) ATTRIBUTES_OF(name)            \
		__attribute__((alias(#name), visibility("default")))

/* dlsym(RTLD_NEXT), errno kept; a function that fails with ENOSYS when there is none. */
void *next_symbol(const char *name);

/* The function that the application would have called; looked up at first use. */
#define NEXT(name)                                                                                 \
	({                                                                                         \
		static __typeof__(&name) next_;                                                    \
		__typeof__(&name) fn_ = load_relaxed(&next_);                                      \
		if (unlikely(!fn_)) {                                                              \
			fn_ = (__typeof__(&name))next_symbol(#name);                               \
			store_relaxed(&next_, fn_);                                                \
		}                                                                                  \
		fn_;                                                                               \
	})

/* The kernel's answer as libc gives it: -1 and errno, or the result with errno untouched. */
static inline long libc_result(long answer)
{
	if (likely((unsigned long)answer < (unsigned long)-4095))
		return answer;
	errno = (int)-answer;
	return -1;
}

/* Pointers into page 0 are left to the kernel, which says EFAULT. */
static inline bool starts_with(const char *path, const char *prefix, size_t len)
{
	return (uintptr_t)path >= PAGE_BYTES && path[0] == '/' &&
	       !strncmp(path, prefix, len);
}

static inline bool below_bpffs(const char *path)
{
	const size_t len = sizeof(REALM_BPFFS) - 1;

	return starts_with(path, REALM_BPFFS, len) && (path[len] == '/' || path[len] == '\0');
}

/*
 * Where a path below bpffs lies in the realm. NULL with errno: EPERM for a last name with a dot,
 * which bpffs refuses to look up; EACCES when there is no realm to translate to.
 */
const char *bpffs_path(const char *path, char *room);
/*
 * Turns a path inside the realm's fs directory back into one below bpffs. Returns path itself when
 * it lies elsewhere, else room.
 */
const char *bpffs_name(const char *path, char *room, size_t size);
/*
 * Waiting in slices, so that a wake-up which was missed is met soon. wait_until: when to give up,
 * in ns of CLOCK_MONOTONIC, INT64_MAX for a NULL timeout. wait_slice: the next milliseconds.
 */
s64 wait_until(const struct timespec *timeout);
int wait_slice(s64 until);
bool wait_is_over(s64 until);
/* True for a descriptor of ours; errno is kept. */
bool fd_is_bpf(int fd);
/* True when the open file lies in what stands for bpffs. */
bool fd_below_bpffs(int fd);
/*
 * N of /proc/self/<dir>/N, where dir is "fd" or "fdinfo" and the process this one; -1 when path is
 * no such thing.
 */
int own_fd(const char *path, const char *dir);

#endif
