/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * compiler.h: fixed-width names, attributes and the few macros everybody needs.
 * Depends on nothing; every other header may include it.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

/* Before any header of libc: a .c file's first include is one of ours. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define INLINE static inline __attribute__((always_inline))
#define must_check __attribute__((warn_unused_result))
#define cold __attribute__((cold, noinline))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define cacheline_aligned __attribute__((aligned(64)))

#if defined(__clang__)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1 /* as GCC says it */
#endif
#endif

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* Powers of two only. */
#define ROUND_UP(x, to) (((x) + (to)-1) & ~((__typeof__(x))(to)-1))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* User-space pointers travel as u64 in attributes. */
#define U64_PTR(x) ((void *)(uintptr_t)(x))
#define PTR_U64(p) ((u64)(uintptr_t)(p))

/* The kernel's "not supported" that has no name in user space. */
#define ENOTSUPP 524

#define PAGE_BYTES 4096u

#endif
