/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * dynptr.c: the dynptrs of a run, and the helpers that make, read and write them. Those of ring
 * buffers release a record, which the run knows of too. Those of packets know offsets only: the
 * packet is where the run has it.
 *
 * The 16 bytes are a number that no other dynptr of this run had, and the address.
 */
#include "vm/dynptr.h"

#include <errno.h>
#include <string.h>

#include "maps/ringbuf.h"
#include "vm/helpers.h"
#include "vm/packet.h"
#include "vm/state.h"

static bool is_intact(const struct vm_dynptr *dynptr)
{
	return !memcmp(U64_PTR(dynptr->address), dynptr->bytes, DYNPTR_BYTES);
}

static bool is_packet(const struct vm_dynptr *dynptr)
{
	return dynptr->kind == DYNPTR_SKB || dynptr->kind == DYNPTR_XDP;
}

/* Not of a packet, which moves. */
static u8 *start_of(const struct vm_dynptr *dynptr)
{
	return dynptr->data + dynptr->offset;
}

struct vm_dynptr *dynptr_at(struct vm_run *run, u64 address)
{
	for (u32 i = run->nr_dynptrs; i--;)
		if (run->dynptrs[i].address == address)
			return is_intact(&run->dynptrs[i]) ? &run->dynptrs[i] : NULL;
	return NULL;
}

void dynptr_drop(struct vm_run *run, struct vm_dynptr *dynptr)
{
	*dynptr = run->dynptrs[--run->nr_dynptrs];
}

/* Those whose bytes the program has overwritten, or whose frame another one has taken. */
static void drop_overwritten(struct vm_run *run)
{
	for (u32 i = run->nr_dynptrs; i--;)
		if (!is_intact(&run->dynptrs[i]))
			dynptr_drop(run, &run->dynptrs[i]);
}

void dynptr_drop_within(struct vm_run *run, const void *memory, size_t size)
{
	for (u32 i = run->nr_dynptrs; i--;)
		if (run->dynptrs[i].address - PTR_U64(memory) < size)
			dynptr_drop(run, &run->dynptrs[i]);
}

struct vm_dynptr *dynptr_make(struct vm_run *run, u64 address, const struct vm_dynptr *what)
{
	struct vm_dynptr *dynptr, made = *what; /* which may be one of ours */

	memset(U64_PTR(address), 0, DYNPTR_BYTES);
	for (u32 i = run->nr_dynptrs; i--;)
		if (run->dynptrs[i].address == address)
			dynptr_drop(run, &run->dynptrs[i]);
	if (run->nr_dynptrs == VM_DYNPTRS)
		drop_overwritten(run);
	if (run->nr_dynptrs == VM_DYNPTRS) {
		vm_faultf(run, "more than %u dynptrs at once", VM_DYNPTRS);
		return NULL;
	}
	dynptr = &run->dynptrs[run->nr_dynptrs++];
	made.address = address;
	made.bytes[0] = ++run->dynptrs_made;
	made.bytes[1] = ~address;
	*dynptr = made;
	memcpy(U64_PTR(address), dynptr->bytes, DYNPTR_BYTES);
	return dynptr;
}

int dynptr_check_range(const struct vm_dynptr *dynptr, u32 offset, u32 len)
{
	return len > dynptr->size || offset > dynptr->size - len ? -E2BIG : 0;
}

void *dynptr_memory(const struct vm_dynptr *dynptr, u32 offset, u32 len)
{
	if (!dynptr->data || dynptr->read_only || dynptr_check_range(dynptr, offset, len))
		return NULL;
	return is_packet(dynptr) ? NULL : start_of(dynptr) + offset;
}

/* Fragments of an XDP packet lie in pages of their own, as far as programs know. */
const void *dynptr_view(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, u32 len)
{
	if (!dynptr->data || dynptr_check_range(dynptr, offset, len))
		return NULL;
	if (is_packet(dynptr))
		return packet_at(run->packet, (u64)dynptr->offset + offset, len);
	return start_of(dynptr) + offset;
}

s64 dynptr_load(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, void *to, u32 len)
{
	const u64 at = (u64)dynptr->offset + offset, ctx = PTR_U64(run->ctx);
	int err;

	if (!dynptr->data)
		return -EINVAL;
	err = dynptr_check_range(dynptr, offset, len);
	if (err)
		return err;
	switch (dynptr->kind) {
	case DYNPTR_SKB:
		return (s64)helper_skb_load_bytes(run, ctx, at, PTR_U64(to), len, 0);
	case DYNPTR_XDP:
		return (s64)helper_xdp_load_bytes(run, ctx, at, PTR_U64(to), len, 0);
	default:
		memmove(to, start_of(dynptr) + offset, len);
		return 0;
	}
}

s64 dynptr_store(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, const void *from,
		 u32 len, u64 flags)
{
	const u64 at = (u64)dynptr->offset + offset, ctx = PTR_U64(run->ctx);
	int err;

	if (!dynptr->data || dynptr->read_only)
		return -EINVAL;
	err = dynptr_check_range(dynptr, offset, len);
	if (err)
		return err;
	if (dynptr->kind == DYNPTR_SKB)
		return (s64)helper_skb_store_bytes(run, ctx, at, PTR_U64(from), len, flags);
	if (flags)
		return -EINVAL;
	if (dynptr->kind == DYNPTR_XDP)
		return (s64)helper_xdp_store_bytes(run, ctx, at, PTR_U64(from), len, 0);
	memmove(start_of(dynptr) + offset, from, len);
	return 0;
}

/* The helper's result, with a dynptr at address that has what there is. */
static u64 initialised(struct vm_run *run, u64 address, enum dynptr_kind kind, void *data, u32 size,
		u32 error)
{
	const struct vm_dynptr what = {.kind = kind, .data = data, .size = data ? size : 0};

	dynptr_make(run, address, &what);
	return HELPER_ERROR(error);
}

HELPER_FN(dynptr_from_mem)
{
	u32 error = (u32)r2 > DYNPTR_SIZE_MAX ? E2BIG : r3 ? EINVAL : 0;

	return initialised(run, r4, DYNPTR_LOCAL, error ? NULL : U64_PTR(r1), (u32)r2, error);
}

static struct vm_dynptr *dynptr_arg(struct vm_run *run, u64 address)
{
	struct vm_dynptr *dynptr = dynptr_at(run, address);

	if (unlikely(!dynptr))
		vm_faultf(run, "there is no dynptr any more");
	return dynptr;
}

HELPER_FN(dynptr_read)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r3);

	if (!dynptr || r5)
		return HELPER_ERROR(EINVAL);
	return (u64)dynptr_load(run, dynptr, (u32)r4, U64_PTR(r1), (u32)r2);
}

HELPER_FN(dynptr_write)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	if (!dynptr)
		return HELPER_ERROR(EINVAL);
	return (u64)dynptr_store(run, dynptr, (u32)r2, U64_PTR(r3), (u32)r4, r5);
}

HELPER_FN(dynptr_data)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	return dynptr ? PTR_U64(dynptr_memory(dynptr, (u32)r2, (u32)r3)) : 0;
}

HELPER_FN(ringbuf_reserve_dynptr)
{
	const u32 size = (u32)r2;
	u64 record;

	if (r3 || size > DYNPTR_SIZE_MAX)
		return initialised(run, r4, DYNPTR_RINGBUF, NULL, 0, r3 ? EINVAL : E2BIG);
	record = vm_reserve_record(run, U64_PTR(r1), size);
	return initialised(run, r4, DYNPTR_RINGBUF, U64_PTR(record), size, record ? 0 : EINVAL);
}

/* The dynptr and its clones. */
static void drop_record(struct vm_run *run, const u8 *record)
{
	for (u32 i = run->nr_dynptrs; i--;)
		if (run->dynptrs[i].kind == DYNPTR_RINGBUF && run->dynptrs[i].data == record)
			dynptr_drop(run, &run->dynptrs[i]);
}

static u64 release(struct vm_run *run, u64 address, u64 flags, bool discard)
{
	struct vm_dynptr *dynptr = dynptr_arg(run, address);
	u64 record;

	if (!dynptr)
		return 0;
	if (dynptr->kind != DYNPTR_RINGBUF)
		return vm_faultf(run, "the dynptr is not that of a record");
	record = PTR_U64(dynptr->data);
	memset(U64_PTR(address), 0, DYNPTR_BYTES);
	if (!record) {
		dynptr_drop(run, dynptr);
		return 0;
	}
	drop_record(run, U64_PTR(record));
	return vm_release_record(run, record, flags, discard);
}

HELPER_FN(ringbuf_submit_dynptr)
{
	return release(run, r1, r2, false);
}

HELPER_FN(ringbuf_discard_dynptr)
{
	return release(run, r1, r2, true);
}
