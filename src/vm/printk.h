/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * printk.h: the format strings of bpf_trace_printk, bpf_trace_vprintk and bpf_snprintf.
 */
#ifndef VM_PRINTK_H
#define VM_PRINTK_H

#include "base/compiler.h"

#define PRINTK_ARGS_MAX 12

/*
 * Formats by the kernel's rules. fmt need not end; it must within fmt_size bytes. Writes at most
 * size bytes to out, NUL included (none if size is 0). Returns the length that the whole text has,
 * -EINVAL for a format the kernel refuses or more specifiers than nr_args.
 * Pointers in args (%s, %pI4 ...) may be anything: what is not readable prints as nothing or zero.
 */
must_check int printk_format(char *out, size_t size, const char *fmt, size_t fmt_size,
			     const u64 *args, u32 nr_args);

/* A line as trace_pipe shows it, newline included. Returns its length. */
size_t printk_trace_line(char *out, size_t size, const char *comm, u32 tid, u32 cpu, u64 now_ns,
			 const char *text);

#endif
