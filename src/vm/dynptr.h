/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * dynptr.h: dynamic pointers. What a program has in its stack are 16 bytes without a meaning of
 * their own; what they stand for is kept in the run, by their address. Bytes that are not those
 * that were put there, or are elsewhere, are no dynptr: none can be forged, copied or outlive what
 * it points to.
 */
#ifndef VM_DYNPTR_H
#define VM_DYNPTR_H

#include "vm/vm.h"

#define DYNPTR_BYTES 16u
#define DYNPTR_SIZE_MAX ((1u << 24) - 1)

/*
 * Makes the DYNPTR_BYTES at address a dynptr. what->data NULL: one that was initialised and has
 * nothing. NULL after a fault: there are too many.
 */
struct vm_dynptr *dynptr_make(struct vm_run *run, u64 address, const struct vm_dynptr *what);
/* The dynptr at an address, or NULL. */
struct vm_dynptr *dynptr_at(struct vm_run *run, u64 address);
void dynptr_drop(struct vm_run *run, struct vm_dynptr *dynptr);
/* Those that lie in memory that is no stack any more. */
void dynptr_drop_within(struct vm_run *run, const void *memory, size_t size);

/* Do len bytes from offset on lie in it? 0 or -E2BIG. */
must_check int dynptr_check_range(const struct vm_dynptr *dynptr, u32 offset, u32 len);
/* Memory that the program may have of a dynptr at its address; NULL, also for a packet. */
void *dynptr_memory(const struct vm_dynptr *dynptr, u32 offset, u32 len);
/* The same to look at only, and of packets too as long as they do not move; NULL. */
const void *dynptr_view(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, u32 len);
/* What bpf_dynptr_read() and bpf_dynptr_write() do. */
s64 dynptr_load(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, void *to, u32 len);
s64 dynptr_store(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, const void *from,
		 u32 len, u64 flags);

#endif
