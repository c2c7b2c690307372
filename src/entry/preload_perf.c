/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload_perf.c: perf events that programs write into. Owns ioctl(2); how one is opened is part of
 * the system call in preload.c. Knows no event; asks cmd/bpf.h.
 */
#include "entry/preload.h"

#include <sys/ioctl.h>

#include "base/syscall.h"
#include "cmd/bpf.h"

#define PERF_IOCTL '$'

/* Not variadic, as preload_syscall(). */
EXPORT int preload_ioctl(int fd, unsigned long request, u64 argument) __asm__("ioctl");

int preload_ioctl(int fd, unsigned long request, u64 argument)
{
	const int saved = errno;
	long answer;

	if (likely(_IOC_TYPE(request) != PERF_IOCTL) ||
	    !bpf_ioctl(fd, (u32)request, argument, &answer))
		answer = SYSCALL(SYS_ioctl, fd, request, argument);
	errno = saved;
	return (int)libc_result(answer);
}
