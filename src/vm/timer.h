/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * timer.h: timers and work queues in map values. The helpers' view; who runs the callbacks is timer.c's business.
 */
#ifndef VM_TIMER_H
#define VM_TIMER_H

#include "vm/vm.h"

/* struct bpf_timer or bpf_wq. Shared; all zero: not initialised. */
struct timer {
	u64 state;   /* initialised, clock, callback */
	u64 pending; /* who will call back: a process and a number of its own; 0: nobody */
};

/*
 * What the kernel's functions return: 0, or -EINVAL, -EBUSY, -EPERM, -ENOMEM. map is the one whose
 * value the timer lies in, prog the one with the callback.
 */
int timer_init(struct timer *timer, struct map *map, u64 clock);
int timer_set_callback(struct timer *timer, struct map *map, struct prog *prog, u32 callback);
int timer_start(struct timer *timer, struct map *map, u64 ns, u64 flags);
/* Due at once; nothing to do if it is pending already. */
int timer_start_work(struct timer *timer, struct map *map);
/* 1: it was pending. -EDEADLK: it is the one whose callback calls. */
int timer_cancel(struct timer *timer);

#endif
