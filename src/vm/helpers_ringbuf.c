/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_ringbuf.c: helpers on ring buffers, and the records that a run has reserved: memory of
 * the program until it releases them.
 */
#include <errno.h>

#include "maps/ringbuf.h"
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
