/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * memory.h: the core's own heap. bpf(2) may be called from a signal handler that interrupted the
 * application's malloc(), so the core never calls it. Lock-free, usable in signal handlers and in
 * a child forked at any moment.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/compiler.h"

/* At least size bytes (also for 0), aligned to 16; NULL when there is no memory. */
void *memory_alloc(size_t size);
/* The same, zeroed; NULL also when count * size overflows. */
void *memory_zalloc(size_t count, size_t size);
/* As realloc(3). */
void *memory_realloc(void *memory, size_t size);
/* NULL is fine. */
void memory_free(void *memory);

#endif
