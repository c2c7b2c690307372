/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ringbuf.h: what programs do with a RINGBUF map beyond the operations that all maps have.
 */
#ifndef MAPS_RINGBUF_H
#define MAPS_RINGBUF_H

#include "maps/map.h"

/*
 * size bytes for a record that consumers do not pass until it is committed; NULL: there is no
 * room. The caller is its owner: when its thread dies, somebody else discards the record.
 */
void *ringbuf_reserve(struct map *map, u64 size);
/* discard: consumers skip it. flags: BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP; others are ignored. */
void ringbuf_commit(struct map *map, void *record, u64 flags, bool discard);
/* 0, -EINVAL, -EAGAIN: no room. */
int ringbuf_output(struct map *map, const void *data, u64 size, u64 flags);
u64 ringbuf_query(struct map *map, u64 what);

#endif
