/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bpf.h: the system call. Everything in src/entry comes in here.
 */
#ifndef CMD_BPF_H
#define CMD_BPF_H

#include "base/compiler.h"

/*
 * bpf(2): a result >= 0, or -errno. attr is application memory and may be anything. Any thread,
 * any process of the realm, also from signal handlers.
 */
long bpf_call(int cmd, u64 attr, u32 size);

/* Opens the realm and registers the object types; bpf_call() does it when needed. 0 or -errno. */
int bpf_init(void);

/*
 * What to map when the application maps fd: fd itself; or a further descriptor of the same object,
 * to be closed after mapping, when the mapping must never become writable; or the -errno of mmap.
 */
int bpf_mmap_fd(int fd, u64 offset, u64 len, int prot, int flags);
/*
 * perf_event_open(2) and ioctl(2), where the event is one that programs write into. False: not
 * served, ask the kernel. Otherwise *result is a result >= 0, or -errno.
 */
bool bpf_perf_event_open(u64 attr, int pid, int cpu, int group, u64 flags, long *result);
bool bpf_ioctl(int fd, u32 request, u64 argument, long *result);
/*
 * Types of maps that choose the address are mapped at once: true, and *result is that of mmap.
 */
bool bpf_mmap(int fd, void *address, u64 offset, u64 len, int prot, int flags, long *result);
/* "anon_inode:bpf-map" and so on for a descriptor of ours; NULL otherwise. */
const char *bpf_fd_name(int fd);
/* A descriptor of ours for which poll(2) says something else than for a file? */
bool bpf_polls(int fd);
/* Fills text with what /proc/self/fdinfo shows for a descriptor of ours. Length, or -EINVAL. */
int bpf_fdinfo(int fd, char *text, size_t size);
/* One line with the commands this process was served and refused; for `userbpf run -v`. */
void bpf_log_summary(void);

#endif
