/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ringbuf.h: what programs do with RINGBUF and USER_RINGBUF maps, which have no elements, and what
 * the two have in common.
 */
#ifndef MAPS_RINGBUF_H
#define MAPS_RINGBUF_H

#include "maps/map.h"

/*
 * What RINGBUF and USER_RINGBUF have in common: a page with the consumer's position, one with the
 * producer's, the ring, and as much again behind it.
 */
#define RINGBUF_POSITION_PAGES 2u

static inline u64 *ringbuf_position(const struct map *map, u32 page)
{
	return (u64 *)(void *)(map->object.region.base + page * PAGE_BYTES);
}

static inline u64 ringbuf_offset(const struct map *map, u64 position)
{
	return position & (map->max_entries - 1) & ~7ull;
}

static inline void *ringbuf_place(const struct map *map, u64 position)
{
	return map->object.region.base + RINGBUF_POSITION_PAGES * PAGE_BYTES +
	       ringbuf_offset(map, position);
}

static inline u64 ringbuf_record_bytes(u64 size)
{
	return ROUND_UP(size + BPF_RINGBUF_HDR_SZ, 8);
}

int ringbuf_check(struct map_spec *spec);
void ringbuf_data_layout(const struct map_spec *spec, struct map_layout *layout);
int ringbuf_range_check(const struct map *map, u64 offset, u64 len);

/* RINGBUF */

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

/* USER_RINGBUF. One consumer at a time: -EBUSY. wake: producers that wait for room. */
must_check int user_ringbuf_enter(struct map *map);
void user_ringbuf_leave(struct map *map, bool wake);
/*
 * The oldest record, between enter and leave: 0; -ENODATA: there is none that is ready; -EAGAIN:
 * there was a discarded one; -EINVAL, -E2BIG: position or header are wrong. The application may
 * change its bytes at any time.
 */
must_check int user_ringbuf_peek(struct map *map, void **record, u32 *size);
void user_ringbuf_pass(struct map *map, u32 size);

#endif
