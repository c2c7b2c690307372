/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash_within.h: a HASH that a map of another type keeps its elements in. It lies at the start of
 * that map's control data and brings its synchronisation and repair; what the type keeps besides
 * lies behind it.
 */
#ifndef MAPS_HASH_WITHIN_H
#define MAPS_HASH_WITHIN_H

#include "maps/map.h"

extern const struct map_ops hash_map_ops;

/* What the HASH is like. */
struct hash_within {
	u32 key_size, value_size, max_entries;
	u32 flags; /* BPF_F_NO_PREALLOC, or 0 */
};

/* As map_ops.layout, for the HASH alone. Returns where what lies behind it begins. */
u64 hash_within_layout(const struct hash_within *like, u32 ncpus, struct map_layout *layout);
/* Makes hash that of map, before it is initialised or attached. Returns what lies behind. */
void *hash_within_connect(const struct hash_within *like, const struct map *map, struct map *hash);
/* As map_ops.init; what lies behind takes so many bytes. */
must_check int hash_within_init(const struct hash_within *like, struct map *map, u64 bytes_behind);

#endif
