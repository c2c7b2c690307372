/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * wake.h: waiting for an object, across processes. Who waits holds a FIFO beside the object's
 * references open; who changes something that is waited for writes a byte into it, through a
 * descriptor that it closes again. The bytes mean nothing and stay: each is an edge (EPOLLET).
 *
 * A waiter that dies leaves nothing but a number that the next wake-up takes back. A waker that
 * dies, or has no descriptor left, may leave a wake-up undone: waiters look every second whether
 * wake_missed() has changed.
 */
#ifndef OBJECT_WAKE_H
#define OBJECT_WAKE_H

#include "object/object.h"

/* In the control area of the object, zero at first. */
struct wake {
	u32 waiters; /* 0: nobody waits, else how many have begun to since that was true */
	u32 missed;  /* wake-ups that may not have arrived */
};

/* How often a waiter should ask wake_missed(). */
#define WAKE_PATIENCE_MS 1000

/*
 * A descriptor, close-on-exec, for an epoll set with EPOLLIN | EPOLLET: each wake-up from now on
 * is an edge. What was there before does not count: look afterwards. -EINVAL: of another realm;
 * -EMFILE, -ENOMEM.
 */
must_check int wake_open(struct object *object, struct wake *wake);
/* Call it after the change, without locks. Costs a load when nobody waits. */
void wake_up(struct object *object, struct wake *wake);
/* The object's kind says that a waker died or may have. */
void wake_note_missed(struct wake *wake);
u32 wake_missed(const struct wake *wake);

#endif
