/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* stack_trace.h: what the helpers on stacks ask of a STACK_TRACE map. */
#ifndef MAPS_STACK_TRACE_H
#define MAPS_STACK_TRACE_H

#include "maps/map.h"

#define STACK_DEPTH_MAX 127u /* the kernel's, unless a sysctl says otherwise */

/* Bytes that a frame takes. */
static inline u32 stack_frame_bytes(bool build_ids)
{
	return build_ids ? sizeof(struct bpf_stack_build_id) : sizeof(u64);
}

static inline bool stack_map_has_build_ids(const struct map *map)
{
	return map->flags & BPF_F_STACK_BUILD_ID;
}

/*
 * The id of a trace of bytes, which are frames; entered unless it is there. flags:
 * BPF_F_FAST_STACK_CMP, BPF_F_REUSE_STACKID. -EEXIST when its slot holds another one, -ENOMEM when
 * all memory is used, -EBUSY. Any context.
 */
s64 stack_map_id(struct map *map, const void *trace, u32 bytes, u64 hash, u64 flags);

#endif
