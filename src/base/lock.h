/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lock.h: a 4-byte lock in a shared file that survives the death of its owner.
 *
 * The word holds the owner's thread id, as the kernel's robust futexes want it. While a thread
 * takes, holds or drops a lock, the list_op_pending field of the robust list that its C library
 * registered names the word; when the thread dies at any instruction, the kernel marks the word
 * FUTEX_OWNER_DIED and wakes a waiter. Where a thread has no robust list, waiters look at /proc.
 *
 * One thread may nest locks only in a signal handler (the pending field is saved and restored).
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "base/compiler.h"

struct lock {
	u32 word; /* 0 free, else tid | FUTEX_WAITERS | FUTEX_OWNER_DIED */
};

enum { LOCK_TAKEN = 0, LOCK_OWNER_DIED = 1 };

/*
 * Blocks until the lock is held. LOCK_TAKEN; LOCK_OWNER_DIED: held too, and the caller must repair
 * what the lock protects before anything else; -EBUSY: this thread already holds this very lock
 * (it was interrupted inside the critical section), or the owner did not move for about a second.
 */
must_check int lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
/* True if the last owner died and nobody has repaired yet. Needs no lock. */
bool lock_is_orphaned(const struct lock *lock);

/* The lock of this process's own tables; in a forked child it is free. Not for shared files. */
struct lock *lock_of_process(void);

/* What thread ids are relative to: the inode of the pid namespace, 0 when /proc does not say. */
u32 thread_namespace(void);
/* This thread's id, cached; right again in a forked child. */
u32 thread_id(void);
/* Reads /proc. THREAD_GONE: certainly ended (zombies have). THREAD_STOPPED: by a signal, a tracer. */
enum thread_state { THREAD_GONE, THREAD_STOPPED, THREAD_RUNS };
enum thread_state thread_state(u32 tid);

static inline bool thread_is_alive(u32 tid)
{
	return thread_state(tid) != THREAD_GONE;
}

#endif
