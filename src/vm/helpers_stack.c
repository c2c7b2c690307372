/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_stack.c: stacks of the thread that runs the program. Arguments have been proven by the
 * caller. There is no kernel, so kernel stacks have no frames: what the kernel answers to that.
 */
#include <errno.h>
#include <string.h>

#include "base/build_id.h"
#include "base/hash.h"
#include "base/user_stack.h"
#include "maps/stack_trace.h"
#include "vm/helpers.h"

#define SKIP_MASK ((u64)BPF_F_SKIP_FIELD_MASK)

/* Frames without those that flags skip; fewer than are to be skipped: -EFAULT. */
static int get_frames(u64 frames[STACK_DEPTH_MAX], u32 max, u64 flags)
{
	const u32 skip = (u32)(flags & SKIP_MASK);
	u32 count = 0;

	if (flags & BPF_F_USER_STACK)
		count = user_stack(frames, MIN(max + skip, STACK_DEPTH_MAX));
	if (count < skip)
		return -EFAULT;
	count -= skip;
	memmove(frames, frames + skip, count * sizeof(*frames));
	return (int)count;
}

static void put_build_id(struct bpf_stack_build_id *to, u64 address)
{
	u64 offset;

	memset(to, 0, sizeof(*to));
	if (build_id_at(address, to->build_id, &offset)) {
		to->status = BPF_STACK_BUILD_ID_VALID;
		to->offset = offset;
	} else {
		to->status = BPF_STACK_BUILD_ID_IP;
		to->ip = address;
	}
}

/* As they are stored. Returns bytes; to may lie at any alignment. */
static u32 put_frames(void *to, const u64 *frames, u32 count, bool build_ids)
{
	struct bpf_stack_build_id id;

	if (!build_ids) {
		memcpy(to, frames, count * sizeof(*frames));
		return count * (u32)sizeof(*frames);
	}
	for (u32 i = 0; i < count; i++) {
		put_build_id(&id, frames[i]);
		memcpy((u8 *)to + i * sizeof(id), &id, sizeof(id));
	}
	return count * (u32)sizeof(id);
}

HELPER_FN(get_stackid)
{
	const u64 known = SKIP_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID;
	struct map *map = U64_PTR(r2);
	const bool build_ids = stack_map_has_build_ids(map);
	struct bpf_stack_build_id trace[STACK_DEPTH_MAX]; /* the larger kind of frame */
	u64 frames[STACK_DEPTH_MAX];
	u32 bytes;
	int count;

	if (r3 & ~known)
		return HELPER_ERROR(EINVAL);
	count = get_frames(frames, map->value_size / stack_frame_bytes(build_ids), r3);
	if (count <= 0)
		return HELPER_ERROR(EFAULT);
	bytes = put_frames(trace, frames, (u32)count, build_ids);
	return (u64)stack_map_id(map, trace, bytes,
				 hash_bytes(frames, (size_t)count * sizeof(*frames), 0), r3);
}

static s64 get_stack(void *to, u32 size, u64 flags)
{
	const bool build_ids = flags & BPF_F_USER_BUILD_ID;
	const u32 frame = stack_frame_bytes(build_ids);
	u64 frames[STACK_DEPTH_MAX];
	int count;

	if (flags & ~(SKIP_MASK | BPF_F_USER_STACK | BPF_F_USER_BUILD_ID) || size % frame ||
	    (build_ids && !(flags & BPF_F_USER_STACK)))
		return -EINVAL;
	count = get_frames(frames, size / frame, flags);
	return count < 0 ? count : (s64)put_frames(to, frames, (u32)count, build_ids);
}

HELPER_FN(get_stack)
{
	const s64 used = get_stack(U64_PTR(r2), (u32)r3, r4);
	const u32 from = used < 0 ? 0 : (u32)used;

	memset((u8 *)U64_PTR(r2) + from, 0, (u32)r3 - from);
	return (u64)used;
}
