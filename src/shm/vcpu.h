/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * vcpu.h: owning a virtual CPU for the duration of one program run.
 *
 * There are as many virtual CPUs as the machine has possible CPUs. A run takes the one it executes
 * on if it is free, else the next free one, else waits; bpf_get_smp_processor_id() and all per-CPU
 * memory use its number, so that a program's non-atomic update of a per-CPU value is as private
 * as in the kernel. A slot whose owner died is reclaimed by the next one that finds none free.
 */
#ifndef SHM_VCPU_H
#define SHM_VCPU_H

#include "base/compiler.h"

#define VCPU_MAX 1024

struct vcpu_slot {
	u32 owner;     /* thread id, 0 when free */
	u32 namespace; /* inode of the owner's pid namespace */
} cacheline_aligned;

/* Lives in the realm's shared state file. All zero is a valid, free table. */
struct vcpu_table {
	struct vcpu_slot slots[VCPU_MAX];
};

/* Number of possible CPUs, at least 1, at most VCPU_MAX; what libbpf_num_possible_cpus() says. */
u32 vcpu_possible(void);
/*
 * Owns a slot until vcpu_leave() and returns its number. A nested call in the same thread (a
 * program run from a signal handler or a callback) returns the slot already owned.
 */
u32 vcpu_enter(struct vcpu_table *table);
void vcpu_leave(struct vcpu_table *table);
/* The slot owned by this thread, or, outside a run, the CPU this thread is on. */
u32 vcpu_current(void);

#endif
