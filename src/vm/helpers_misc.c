/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_misc.c: helpers on time, chance, the current task, foreign memory and text. Printing is
 * printk.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/lock.h"
#include "base/syscall.h"
#include "base/user_mem.h"
#include "shm/vcpu.h"
#include "vm/helpers.h"

#define NS_PER_S 1000000000u
#define JIFFY_NS 4000000u                 /* 250 Hz */
#define JIFFIES_AT_BOOT 0xfffffffffffedb08u /* five minutes before the 32-bit counter wraps */
#define COMM_LEN 16
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static u64 clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * NS_PER_S + (u64)now.tv_nsec;
}

HELPER_FN(ktime_get_ns)
{
	return vm_varying(run, clock_ns(CLOCK_MONOTONIC));
}

HELPER_FN(ktime_get_boot_ns)
{
	return vm_varying(run, clock_ns(CLOCK_BOOTTIME));
}

HELPER_FN(ktime_get_coarse_ns)
{
	return vm_varying(run, clock_ns(CLOCK_MONOTONIC_COARSE));
}

HELPER_FN(ktime_get_tai_ns)
{
	return vm_varying(run, clock_ns(CLOCK_TAI));
}

HELPER_FN(jiffies64)
{
	return vm_varying(run, clock_ns(CLOCK_MONOTONIC) / JIFFY_NS + (u32)JIFFIES_AT_BOOT);
}

/* A generator per thread, seeded by the kernel; a forked child goes on with another sequence. */
HELPER_FN(get_prandom_u32)
{
	static __thread u64 state;
	static __thread u32 owner;
	u64 z;

	if (owner != thread_id()) {
		owner = thread_id();
		if (SYSCALL(SYS_getrandom, &state, sizeof(state), 0) != sizeof(state))
			state ^= clock_ns(CLOCK_MONOTONIC) * 0x9e3779b97f4a7c15u + owner;
	}
	state += 0x9e3779b97f4a7c15u;
	z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return vm_varying(run, (u32)(z >> 32));
}

HELPER_FN(get_smp_processor_id)
{
	return vcpu_current();
}

HELPER_FN(get_numa_node_id)
{
	unsigned node = 0;

	SYSCALL(SYS_getcpu, NULL, &node, NULL);
	return node;
}

HELPER_FN(get_current_pid_tgid)
{
	return (u64)(u32)sys_getpid() << 32 | thread_id();
}

HELPER_FN(get_current_uid_gid)
{
	return (u64)(u32)SYSCALL(SYS_getgid) << 32 | (u32)SYSCALL(SYS_getuid);
}

/* Of the namespace that device and inode name, which must be the caller's own. */
HELPER_FN(get_ns_current_pid_tgid)
{
	struct bpf_pidns_info *info = U64_PTR(r3);
	struct stat st;

	memset(info, 0, (u32)r4);
	if (r4 != sizeof(*info) || sys_fstatat(AT_FDCWD, "/proc/thread-self/ns/pid", &st, 0) ||
	    r1 != st.st_dev || r2 != st.st_ino)
		return HELPER_ERROR(EINVAL);
	info->pid = thread_id();
	info->tgid = (u32)sys_getpid();
	return 0;
}

/* A signal is sent once. */
static u64 send_signal(struct vm_run *run, u32 thread, u32 signal)
{
	u64 done;

	if (vm_replays(run, &done))
		return done;
	if (thread)
		done = (u64)SYSCALL(SYS_tgkill, sys_getpid(), thread, signal);
	else
		done = (u64)SYSCALL(SYS_kill, sys_getpid(), signal);
	return vm_varying(run, done);
}

HELPER_FN(send_signal)
{
	return send_signal(run, 0, (u32)r1);
}

HELPER_FN(send_signal_thread)
{
	return send_signal(run, thread_id(), (u32)r1);
}

/* The context's socket, and init's where there is none, are in the caller's namespace. */
HELPER_FN(get_netns_cookie)
{
	const int fd = (int)SYSCALL(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(u64);
	u64 cookie = 0;

	if (fd >= 0) {
		SYSCALL(SYS_getsockopt, fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size);
		sys_close(fd);
	}
	return cookie;
}

/* What attachments, networks and groups give, of which no test run has any. */

HELPER_FN(get_attach_cookie)
{
	return 0;
}

HELPER_FN(get_cgroup_classid)
{
	return 0;
}

HELPER_FN(skb_cgroup_classid)
{
	return 0;
}

HELPER_FN(get_route_realm)
{
	return 0;
}

HELPER_FN(get_current_comm)
{
	char comm[COMM_LEN] = "";
	u32 size = (u32)r2;

	SYSCALL(SYS_prctl, 16 /* PR_GET_NAME */, comm);
	memset(U64_PTR(r1), 0, size);
	memcpy(U64_PTR(r1), comm, MIN(size, (u32)COMM_LEN));
	((char *)U64_PTR(r1))[size - 1] = '\0';
	return 0;
}

/* Memory that may not be there: kernel and user addresses are one space here, this process's. */

#define KERNEL_START 0xffff800000000000u

static u64 probe_failed(u64 to, u32 size, u64 error)
{
	memset(U64_PTR(to), 0, size);
	return error;
}

/* The kernel refuses to look for kernel memory where none can be. */
static u64 kernel_error(u64 from)
{
	return from < KERNEL_START ? HELPER_ERROR(ERANGE) : HELPER_ERROR(EFAULT);
}

static u64 probe_bytes(u64 to, u32 size, u64 from, u64 error)
{
	return user_read(U64_PTR(to), from, size) ? probe_failed(to, size, error) : 0;
}

static u64 probe_string(u64 to, u32 size, u64 from, u64 error)
{
	long len;

	if (!size)
		return 0;
	len = user_read_string(U64_PTR(to), from, size);
	if (len == -ENAMETOOLONG)
		return size;
	return len < 0 ? probe_failed(to, size, error) : (u64)len + 1;
}

/* Of a user's string the kernel writes whole words, as far as there is room: zeros behind the NUL. */
static u64 probe_user_string(u64 to, u32 size, u64 from, u64 error)
{
	const u64 result = probe_string(to, size, from, error), words = ROUND_UP(result, 8);

	if ((s64)result > 0 && words <= size)
		memset(U64_PTR(to + result), 0, words - result);
	return result;
}

#define PROBE(name, how, error)                                                                    \
	HELPER_FN(name)                                                                            \
	{                                                                                          \
		return how(r1, (u32)r2, r3, error);                                                \
	}
PROBE(probe_read, probe_bytes, HELPER_ERROR(EFAULT))
PROBE(probe_read_kernel, probe_bytes, kernel_error(r3))
PROBE(probe_read_user, probe_bytes, HELPER_ERROR(EFAULT))
PROBE(copy_from_user, probe_bytes, HELPER_ERROR(EFAULT))
PROBE(probe_read_str, probe_user_string, HELPER_ERROR(EFAULT))
PROBE(probe_read_kernel_str, probe_string, kernel_error(r3))
PROBE(probe_read_user_str, probe_user_string, HELPER_ERROR(EFAULT))

/* Numbers */

#define DIGITS_MAX 63 /* characters of a number that are looked at */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return 16;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || (u8)c == 0xa0;
}

/* Skips a prefix of base 16; with base 0, the prefix decides. Returns the characters skipped. */
static u32 fix_base(const char *s, u32 len, u32 *base)
{
	bool hex = len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x' && digit_of(s[2]) < 16;

	if (*base == 0)
		*base = hex ? 16 : len && s[0] == '0' ? 8 : 10;
	return *base == 16 && len > 1 && s[0] == '0' && (s[1] | 0x20) == 'x' ? 2 : 0;
}

/* The number of digits at s; -EINVAL without any, -ERANGE above 64 bits. */
static int parse_digits(const char *s, u32 len, u32 base, u64 *value)
{
	u32 i;

	*value = 0;
	for (i = 0; i < len && (u32)digit_of(s[i]) < base; i++)
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, (u64)digit_of(s[i]), value))
			return -ERANGE;
	return i ? (int)i : -EINVAL;
}

/* Characters consumed, or an errno. */
static int parse_number(const char *s, u32 len, u64 base, u64 *value, bool *negative)
{
	u32 at = 0, skipped, radix = (u32)base;
	int digits;

	if (base != 0 && base != 8 && base != 10 && base != 16)
		return -EINVAL;
	while (at < len && is_space(s[at]))
		at++;
	*negative = at < len && s[at] == '-';
	at += *negative;
	len = MIN(len - at, (u32)DIGITS_MAX);
	skipped = fix_base(s + at, len, &radix);
	digits = parse_digits(s + at + skipped, len - skipped, radix, value);
	return digits < 0 ? digits : (int)(at + skipped) + digits;
}

HELPER_FN(strtol)
{
	bool negative;
	u64 value = 0;
	int used = parse_number(U64_PTR(r1), (u32)r2, r3, &value, &negative);

	*(s64 *)U64_PTR(r4) = 0;
	if (used >= 0 && value > (u64)INT64_MAX + negative)
		used = -ERANGE;
	if (used >= 0)
		*(u64 *)U64_PTR(r4) = negative ? -value : value;
	return (u64)(s64)used;
}

HELPER_FN(strtoul)
{
	bool negative;
	u64 value = 0;
	int used = parse_number(U64_PTR(r1), (u32)r2, r3, &value, &negative);

	*(u64 *)U64_PTR(r4) = 0;
	if (used >= 0 && negative)
		used = -EINVAL;
	if (used >= 0)
		*(u64 *)U64_PTR(r4) = value;
	return (u64)(s64)used;
}

/* The second string is a constant of the program's: it ends, or the run does. */
HELPER_FN(strncmp)
{
	const u8 *s = U64_PTR(r1);
	u32 size = (u32)r2;

	for (u32 i = 0; i < size; i++) {
		u8 c;

		if (!vm_memory_ok(run, r3 + i, 1, false))
			return vm_faultf(run, "strncmp: the string at %#llx has no end",
					 (unsigned long long)r3);
		c = *(const u8 *)U64_PTR(r3 + i);
		if (s[i] != c)
			return s[i] < c ? (u64)-1 : 1;
		if (!c)
			return 0;
	}
	return 0;
}
