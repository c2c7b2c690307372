/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_timer.c: helpers on timers in map values, and kernel functions on work queues, which are
 * timers that are due at once. The field has been proven to be one.
 */
#include <time.h>

#include "vm/kfuncs.h"
#include "vm/timer.h"

/* The map whose value the timer lies in; NULL after a fault. */
static struct map *map_of_timer(struct vm_run *run, u64 timer)
{
	void *value;
	struct map *map = vm_map_with_value(run, timer, &value);

	if (!map)
		vm_faultf(run, "a timer that is in no map of the program");
	return map;
}

HELPER_FN(timer_init)
{
	struct map *map = map_of_timer(run, r1);

	if (!map)
		return 0;
	if (PTR_U64(map) != r2)
		return vm_faultf(run, "timer pointer in R1 doesn't match map pointer in R2");
	return (u64)(s64)timer_init(U64_PTR(r1), map, r3);
}

HELPER_FN(timer_set_callback)
{
	struct map *map = map_of_timer(run, r1);

	return map ? (u64)(s64)timer_set_callback(U64_PTR(r1), map, run->prog, (u32)r2) : 0;
}

HELPER_FN(timer_start)
{
	struct map *map = map_of_timer(run, r1);

	return map ? (u64)(s64)timer_start(U64_PTR(r1), map, r2, r3) : 0;
}

HELPER_FN(timer_cancel)
{
	return (u64)(s64)timer_cancel(U64_PTR(r1));
}

KFUNC_FN(wq_init)
{
	struct map *map = map_of_timer(run, r1);

	if (!map)
		return 0;
	if (PTR_U64(map) != r2)
		return vm_faultf(run, "workqueue pointer in R1 doesn't match map pointer in R2");
	return KFUNC_INT((u32)r3 ? -EINVAL : timer_init(U64_PTR(r1), map, CLOCK_MONOTONIC));
}

KFUNC_FN(wq_set_callback_impl)
{
	struct map *map = map_of_timer(run, r1);

	if (!map)
		return 0;
	return KFUNC_INT((u32)r3 ? -EINVAL
				 : timer_set_callback(U64_PTR(r1), map, run->prog, (u32)r2));
}

KFUNC_FN(wq_start)
{
	struct map *map = map_of_timer(run, r1);

	if (!map)
		return 0;
	return KFUNC_INT((u32)r2 ? -EINVAL : timer_start_work(U64_PTR(r1), map));
}
