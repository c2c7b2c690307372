/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_ringbuf.c: helpers on ring buffers, and the records that a run has reserved: memory of
 * the program until it releases them.
 */
#include <errno.h>

#include "maps/ringbuf.h"
#include "vm/dynptr.h"
#include "vm/helpers.h"
#include "vm/state.h"

static struct map *map_arg(u64 reg)
{
	return U64_PTR(reg);
}

/* Most often the last one. */
struct vm_record *vm_record_at(struct vm_run *run, u64 address)
{
	for (u32 i = run->nr_records; i--;)
		if (run->records[i].start == address)
			return &run->records[i];
	return NULL;
}

/* The record may be another one's memory from now on. */
static void release(struct vm_run *run, struct vm_record *record, u64 flags, bool discard)
{
	const struct vm_record released = *record;

	*record = run->records[--run->nr_records];
	for (u32 i = run->nr_dynptrs; i--;)
		if (PTR_U64(run->dynptrs[i].data) == released.start)
			run->dynptrs[i].data = NULL;
	if (run->state && run->state->value.start == released.start)
		run->state->value.size = 0;
	ringbuf_commit(released.map, U64_PTR(released.start), flags, discard);
}

void vm_discard_records(struct vm_run *run)
{
	while (run->nr_records)
		release(run, &run->records[run->nr_records - 1], 0, true);
}

u64 vm_reserve_record(struct vm_run *run, struct map *ring, u64 size)
{
	u64 start;

	if (unlikely(run->nr_records == VM_RECORDS))
		return vm_faultf(run, "more than %u records are reserved", VM_RECORDS);
	start = PTR_U64(ringbuf_reserve(ring, size));
	if (likely(start)) {
		run->records[run->nr_records++] = (struct vm_record){start, size, ring};
		run->state->value.start = start;
		run->state->value.size = (u32)size;
		run->state->value.readable = run->state->value.writable = true;
	}
	return start;
}

u64 vm_release_record(struct vm_run *run, u64 start, u64 flags, bool discard)
{
	struct vm_record *record = vm_record_at(run, start);

	if (unlikely(!record))
		return vm_faultf(run, "release of a record that is not reserved");
	release(run, record, flags, discard);
	return 0;
}

HELPER_FN(ringbuf_reserve)
{
	return likely(!r3) ? vm_reserve_record(run, map_arg(r1), r2) : 0;
}

HELPER_FN(ringbuf_submit)
{
	return vm_release_record(run, r1, r2, false);
}

HELPER_FN(ringbuf_discard)
{
	return vm_release_record(run, r1, r2, true);
}

HELPER_FN(ringbuf_output)
{
	return (u64)(s64)ringbuf_output(map_arg(r1), U64_PTR(r2), r3, r4);
}

HELPER_FN(ringbuf_query)
{
	return ringbuf_query(map_arg(r1), r2);
}

#define DRAIN_MAX (1u << 17)

/* One record through the callback. False: it wants no more, or the run has faulted. */
static bool drain_one(struct vm_run *run, u64 callback, u64 ctx, void *record, u32 size)
{
	const struct vm_dynptr what = {.kind = DYNPTR_LOCAL, .data = record, .size = size};
	u64 bytes[DYNPTR_BYTES / sizeof(u64)], args[4] = {PTR_U64(bytes), ctx}, stop = 1;
	const u32 nr_extra = run->nr_extra;
	struct vm_dynptr *dynptr;

	if (run->nr_extra == VM_EXTRA_MEMORY)
		return vm_faultf(run, "user_ringbuf_drain: nested too deeply");
	if (!dynptr_make(run, PTR_U64(bytes), &what))
		return false;
	run->extra[run->nr_extra++] = (struct vm_memory){
		PTR_U64(record), PTR_U64(record) + size, true, "sample"};
	if (vm_callback(run, (u32)callback, args, &stop))
		stop = 1;
	run->nr_extra = nr_extra;
	dynptr = dynptr_at(run, PTR_U64(bytes));
	if (dynptr)
		dynptr_drop(run, dynptr);
	return !stop;
}

static int drain(struct vm_run *run, struct map *map, u64 callback, u64 ctx, u32 *count)
{
	bool more = true;
	void *record;
	u32 size;
	int err = 0;

	for (u32 i = 0; i < DRAIN_MAX && more; i++) {
		err = user_ringbuf_peek(map, &record, &size);
		if (err == -EAGAIN)
			continue;
		if (err)
			break;
		more = drain_one(run, callback, ctx, record, size);
		if (run->fault.set)
			break;
		user_ringbuf_pass(map, size);
		++*count;
	}
	return err == -EAGAIN || err == -ENODATA ? 0 : err;
}

HELPER_FN(user_ringbuf_drain)
{
	struct map *map = map_arg(r1);
	u32 count = 0;
	int err;

	if (r4 & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return HELPER_ERROR(EINVAL);
	err = user_ringbuf_enter(map);
	if (err)
		return (u64)(s64)err;
	err = drain(run, map, r2, r3, &count);
	user_ringbuf_leave(map, r4 & BPF_RB_FORCE_WAKEUP ||
					(!(r4 & BPF_RB_NO_WAKEUP) && count));
	return err ? (u64)(s64)err : count;
}
