/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * user_mem.h: the caller's memory, which may not be there. The only way in which command handlers
 * touch a pointer that came in an attribute; a bad one is -EFAULT, never a crash.
 */
#ifndef BASE_USER_MEM_H
#define BASE_USER_MEM_H

#include "base/compiler.h"

/* 0, or -EFAULT when any byte of the caller's memory is not readable (len 0 never fails). */
must_check int user_read(void *dst, u64 user, size_t len);
/* 0, or -EFAULT when any byte is not writable; bytes before the bad page may have been written. */
must_check int user_write(u64 user, const void *src, size_t len);
/*
 * Copies a NUL-terminated string of at most size bytes, NUL included. Returns its length without
 * the NUL, -EFAULT, or -ENAMETOOLONG when there is no NUL within size bytes (dst is then cut).
 * Nothing is written behind the NUL.
 */
must_check long user_read_string(char *dst, u64 user, size_t size);

#endif
