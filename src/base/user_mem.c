/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * user_mem.c: copies from and to memory that may not be there. Three ways, by falling speed:
 *   - what lies on the calling thread's own stack, above us, is there (no system call);
 *   - up to PROBED_BYTES, each page is probed by a system call that touches it, then copied;
 *   - more is copied by the kernel itself, which needs no probes but costs more to begin with.
 * Only the last is proof against another thread that unmaps the memory meanwhile.
 */
#include "base/user_mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/syscall.h"

#ifdef __SANITIZE_ADDRESS__
#define PROBED_BYTES 0 /* an address may lie in the sanitizer's own memory: the kernel copies */
#else
#define PROBED_BYTES (4 * PAGE_BYTES)
#endif

/*
 * How much of the main thread's stack is taken for granted: far less than the gap that the kernel
 * keeps free of mappings below it, so that a stack pointer in it proves that we run on it.
 */
#define MAIN_STACK_BYTES (1u << 20)

#define STRING_PART 256u /* of a string are read at once; dst gets none that lie behind its end */

struct stack {
	uintptr_t low, high;
	bool known;
};

static __thread struct stack stack __attribute__((tls_model("initial-exec")));
static bool vm_calls_forbidden; /* by a container's system call filter */

/* glibc's: where the main thread's stack began. */
extern void *__libc_stack_end __attribute__((weak, visibility("default")));

static void find_stack(void);

/* Frames of callers, which must have been mapped for us to get here. */
static inline bool on_own_stack(u64 user, size_t len)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (unlikely(!stack.known))
		find_stack();
	return here >= stack.low && user >= here && user <= stack.high && len <= stack.high - user;
}

INLINE int copy_slowly(u64 user, void *ours, size_t len, bool write);

/* Keys and values mostly have one of two sizes, for which a call would cost more than the copy. */
static inline void copy(void *dst, const void *src, size_t len)
{
	if (len == 8)
		memcpy(dst, src, 8);
	else if (len == 4)
		memcpy(dst, src, 4);
	else
		memcpy(dst, src, len);
}

int user_read(void *dst, u64 user, size_t len)
{
	if (!on_own_stack(user, len))
		return copy_slowly(user, dst, len, false);
	copy(dst, U64_PTR(user), len);
	return 0;
}

int user_write(u64 user, const void *src, size_t len)
{
	if (!on_own_stack(user, len))
		return copy_slowly(user, (void *)(uintptr_t)src, len, true);
	copy(U64_PTR(user), src, len);
	return 0;
}

/* Bytes from addr to the end of its page, at most len. */
static inline size_t page_part(u64 addr, size_t len)
{
	return MIN(PAGE_BYTES - (size_t)(addr % PAGE_BYTES), len);
}

/*
 * An invalid "how" is refused only after the new mask was read, and nothing has changed then. NULL
 * would mean "no new mask"; its neighbour lies in the same page.
 */
static inline bool page_is_readable(u64 addr)
{
	const u64 word = addr < 8 ? 8 : addr & ~(u64)7;

	return SYSCALL(SYS_rt_sigprocmask, 77, word, 0, 8) != -EFAULT;
}

/*
 * An atomic addition of 0 by the kernel needs write permission and changes nothing. Who waits on
 * the word may be woken once for nothing if the word holds 2047, as any futex waiter may.
 */
static inline bool page_is_writable(u64 addr)
{
	const long add_zero = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 2047);
	const u64 word = addr & ~(u64)3;
	u32 nobody = 0;

	return SYSCALL(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, word,
		       add_zero) != -EFAULT;
}

INLINE int copy_probed(u64 user, void *ours, size_t len, bool write)
{
	u8 *p = ours;
	size_t part;

	for (; len; user += part, p += part, len -= part) {
		part = page_part(user, len);
		if (!(write ? page_is_writable(user) : page_is_readable(user)))
			return -EFAULT;
		if (write)
			memcpy(U64_PTR(user), p, part);
		else
			memcpy(p, U64_PTR(user), part);
	}
	return 0;
}

/* The id of any thread stands for the process. */
INLINE int copy_slowly(u64 user, void *ours, size_t len, bool write)
{
	struct iovec local = {ours, len}, remote = {U64_PTR(user), len};
	const long nr = write ? SYS_process_vm_writev : SYS_process_vm_readv;
	long ret;

	if (user + len < user)
		return -EFAULT;
	if (len <= PROBED_BYTES || load_relaxed(&vm_calls_forbidden))
		return copy_probed(user, ours, len, write);
	ret = SYSCALL(nr, thread_id(), &local, 1, &remote, 1, 0);
	if (ret == -EPERM || ret == -ENOSYS) {
		store_relaxed(&vm_calls_forbidden, true);
		return copy_probed(user, ours, len, write);
	}
	return ret == (long)len ? 0 : -EFAULT;
}

long user_read_string(char *dst, u64 user, size_t size)
{
	char part[STRING_PART];
	size_t done = 0, len;
	const char *nul;

	while (done < size) {
		len = MIN(page_part(user + done, size - done), sizeof(part));
		if (copy_slowly(user + done, part, len, false))
			return -EFAULT;
		nul = memchr(part, 0, len);
		memcpy(dst + done, part, nul ? (size_t)(nul - part) + 1 : len);
		if (nul)
			return (long)(done + (size_t)(nul - part));
		done += len;
	}
	if (size)
		dst[size - 1] = 0;
	return -ENAMETOOLONG;
}

/* Cold path */

/* The C library would read the main thread's from /proc through stdio, which may be interposed. */
static cold void find_stack(void)
{
	pthread_attr_t attr;
	void *low = NULL;
	size_t size = 0;

	/* Until it is found every copy is a slow one, also in a signal handler that comes now. */
	stack.low = UINTPTR_MAX;
	stack.known = true;
	if (sys_getpid() == sys_gettid()) {
		if (&__libc_stack_end && __libc_stack_end) {
			stack.high = (uintptr_t)__libc_stack_end;
			stack.low = stack.high - MAIN_STACK_BYTES;
		}
	} else if (!pthread_getattr_np(pthread_self(), &attr)) {
		if (!pthread_attr_getstack(&attr, &low, &size)) {
			stack.high = (uintptr_t)low + size;
			stack.low = (uintptr_t)low;
		}
		pthread_attr_destroy(&attr);
	}
}
