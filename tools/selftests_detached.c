// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * selftests_detached.c: stands between a test and libc, so that tests of programs on the raw
 * tracepoints sys_enter and sys_exit run without attaching anything: opening such a tracepoint
 * only remembers the program, and when the test makes the system call that should set it off,
 * BPF_PROG_TEST_RUN runs it with the arguments that the tracepoint would have. Other ways to
 * attach are refused. The same on the kernel and under userbpf.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_OPEN 64

static int opened[MAX_OPEN]; /* descriptors of programs, as links; 0: free */

static long libc_syscall(long number, const long *args)
{
	static long (*next)(long, ...);

	if (!next)
		next = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
	return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static long call_bpf(long cmd, union bpf_attr *attr)
{
	const long args[6] = {cmd, (long)(uintptr_t)attr, sizeof(*attr)};

	return libc_syscall(SYS_bpf, args);
}

static void set_off(long number)
{
	int saved = errno;

	for (unsigned i = 0; i < MAX_OPEN; i++) {
		uint64_t ctx[2] = {0, (uint64_t)number};
		union bpf_attr attr = {.test = {.prog_fd = (uint32_t)opened[i],
						.ctx_in = (uint64_t)(uintptr_t)ctx,
						.ctx_size_in = sizeof(ctx)}};

		if (opened[i])
			call_bpf(BPF_PROG_TEST_RUN, &attr);
	}
	errno = saved;
}

static long open_tracepoint(const union bpf_attr *attr)
{
	const char *name = (const char *)(uintptr_t)attr->raw_tracepoint.name;
	unsigned i = 0;

	while (i < MAX_OPEN && opened[i])
		i++;
	if (i == MAX_OPEN || !name || (strcmp(name, "sys_enter") && strcmp(name, "sys_exit"))) {
		errno = EOPNOTSUPP;
		return -1;
	}
	opened[i] = dup((int)attr->raw_tracepoint.prog_fd);
	return opened[i];
}

long syscall(long number, ...)
{
	long args[6];
	va_list list;

	va_start(list, number);
	for (unsigned i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && args[0] == BPF_RAW_TRACEPOINT_OPEN)
		return open_tracepoint((const union bpf_attr *)(uintptr_t)args[1]);
	if (number == SYS_perf_event_open ||
	    (number == SYS_bpf && (args[0] == BPF_LINK_CREATE || args[0] == BPF_PROG_ATTACH))) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (number != SYS_bpf)
		set_off(number);
	return libc_syscall(number, args);
}

int close(int fd)
{
	static int (*next)(int);

	if (!next)
		next = (int (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "close");
	for (unsigned i = 0; i < MAX_OPEN; i++)
		if (fd > 0 && opened[i] == fd)
			opened[i] = 0;
	return next(fd);
}
