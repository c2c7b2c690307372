/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_dynptr.c: what programs do with dynptrs by name: those of packets, parts, clones, copies.
 * What a dynptr is and how its bytes are reached is dynptr.c's matter.
 */
#include <string.h>

#include "vm/dynptr.h"
#include "vm/kfuncs.h"
#include "vm/packet.h"

#define CHUNK 256u

static u64 from_packet(struct vm_run *run, u64 address, u64 flags, enum dynptr_kind kind, u32 size)
{
	const struct vm_dynptr what = {
		.kind = kind,
		.data = flags ? NULL : run->packet->data,
		.size = flags ? 0 : size,
		.read_only = !flags && !run->prog->type->packet_write,
	};

	dynptr_make(run, address, &what);
	return KFUNC_INT(flags ? -EINVAL : 0);
}

KFUNC_FN(dynptr_from_skb)
{
	return from_packet(run, r3, r2, DYNPTR_SKB, packet_len(run->packet));
}

KFUNC_FN(dynptr_from_xdp)
{
	const struct packet_run *packet = packet_run_of(run);

	return from_packet(run, r3, r2, DYNPTR_XDP,
			   packet_len(run->packet) + packet->frag_bytes);
}

static struct vm_dynptr *dynptr_arg(struct vm_run *run, u64 address)
{
	struct vm_dynptr *dynptr = dynptr_at(run, address);

	if (!dynptr)
		vm_faultf(run, "there is no dynptr any more");
	return dynptr;
}

/* Where the bytes are; else a copy of them in the program's buffer, if it gave one. */
static u64 slice(struct vm_run *run, const struct vm_dynptr *dynptr, u32 offset, u64 buffer, u32 len)
{
	const void *memory = dynptr_view(run, dynptr, offset, len);

	if (memory || !buffer)
		return PTR_U64(memory);
	return dynptr_load(run, dynptr, offset, U64_PTR(buffer), len) ? 0 : buffer;
}

KFUNC_FN(dynptr_slice)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	return dynptr ? slice(run, dynptr, (u32)r2, r3, (u32)r4) : 0;
}

KFUNC_FN(dynptr_slice_rdwr)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	if (!dynptr || dynptr->read_only)
		return 0;
	return slice(run, dynptr, (u32)r2, r3, (u32)r4);
}

KFUNC_FN(dynptr_adjust)
{
	struct vm_dynptr *dynptr = dynptr_arg(run, r1);
	const u32 start = (u32)r2, end = (u32)r3;

	if (!dynptr || !dynptr->data || start > end)
		return KFUNC_INT(-EINVAL);
	if (end > dynptr->size)
		return KFUNC_INT(-ERANGE);
	dynptr->offset += start;
	dynptr->size = end - start;
	return 0;
}

KFUNC_FN(dynptr_is_null)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	return dynptr && !dynptr->data;
}

KFUNC_FN(dynptr_is_rdonly)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	return dynptr && dynptr->data && dynptr->read_only;
}

KFUNC_FN(dynptr_size)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);

	return KFUNC_INT(dynptr && dynptr->data ? (int)dynptr->size : -EINVAL);
}

KFUNC_FN(dynptr_clone)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);
	const bool none = dynptr && !dynptr->data;

	if (dynptr)
		dynptr_make(run, r2, dynptr);
	return KFUNC_INT(none ? -EINVAL : 0);
}

/* Through a buffer, forwards: neither has its bytes at one place that the other can use. */
static s64 copy_chunks(struct vm_run *run, const struct vm_dynptr *to, u32 to_offset,
		       const struct vm_dynptr *from, u32 from_offset, u32 size)
{
	u8 buffer[CHUNK];
	s64 err = 0;

	for (u32 done = 0; done < size && !err; done += CHUNK) {
		u32 len = MIN(size - done, CHUNK);

		err = dynptr_load(run, from, from_offset + done, buffer, len);
		if (!err)
			err = dynptr_store(run, to, to_offset + done, buffer, len, 0);
	}
	return err;
}

KFUNC_FN(dynptr_copy)
{
	const struct vm_dynptr *to = dynptr_arg(run, r1), *from = dynptr_arg(run, r3);
	const u32 to_offset = (u32)r2, from_offset = (u32)r4, size = (u32)r5;
	const void *view, *target;

	if (!to || !from)
		return 0;
	view = dynptr_view(run, from, from_offset, size);
	target = to->read_only ? NULL : dynptr_view(run, to, to_offset, size);
	if (view && target) {
		memmove((void *)(uintptr_t)target, view, size);
		return 0;
	}
	if (view)
		return KFUNC_INT(dynptr_store(run, to, to_offset, view, size, 0));
	if (dynptr_check_range(to, to_offset, size) || dynptr_check_range(from, from_offset, size))
		return KFUNC_INT(-E2BIG);
	return KFUNC_INT(copy_chunks(run, to, to_offset, from, from_offset, size));
}

KFUNC_FN(dynptr_memset)
{
	const struct vm_dynptr *dynptr = dynptr_arg(run, r1);
	const u32 offset = (u32)r2, size = (u32)r3;
	u8 chunk[CHUNK];
	s64 err = 0;

	if (!dynptr || dynptr->read_only)
		return KFUNC_INT(-EINVAL);
	if (dynptr_check_range(dynptr, offset, size))
		return KFUNC_INT(-E2BIG);
	memset(chunk, (u8)r4, sizeof(chunk));
	for (u32 done = 0; done < size && !err; done += CHUNK)
		err = dynptr_store(run, dynptr, offset + done, chunk, MIN(size - done, CHUNK), 0);
	return KFUNC_INT(err);
}
