/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * arena.h: pages of an arena for programs, and what arena.c and arena_pages.c share.
 */
#ifndef MAPS_ARENA_H
#define MAPS_ARENA_H

#include "base/lock.h"
#include "maps/map.h"

/* Behind the map's header. */
struct arena_header {
	/* 0: not known yet, or map_extra says it; else page number << PLACE_PAGES_BITS | pages. */
	u64 place;
	struct lock lock;
	u32 written; /* it was mapped writable by user space once */
	/* Pages that are being taken or given back; count 0: none. Under the lock. */
	u32 first, count;
	u64 reserved[]; /* a bit for each page; under the lock */
};

/* Where user space has the arena. */
struct arena_place {
	u64 start, bytes; /* 0: not known yet */
};

static inline struct arena_header *arena_header(const struct map *map)
{
	return map->private;
}

static inline u64 arena_header_bytes(u32 max_entries)
{
	return sizeof(struct arena_header) + ROUND_UP((u64)max_entries, 64) / 8;
}

struct arena_place arena_place(const struct map *map);

/*
 * count free pages in a row, at the address at or, if that is 0, anywhere: they are zero, and there.
 * Returns where user space has them; 0: there are none, or no memory.
 */
u64 arena_alloc(struct map *map, u64 at, u32 count);
/* Gives back count pages from the one with the address at on, as far as they are in the arena. */
void arena_free(struct map *map, u64 at, u32 count);
/* arena_alloc() shall not give them anymore. 0; -EINVAL outside the arena; -EBUSY: not all free. */
int arena_reserve(struct map *map, u64 at, u32 count);

#endif
