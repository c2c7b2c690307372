/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* array.h: keys that are indices, for array.c and the other types that have them. */
#ifndef MAPS_ARRAY_H
#define MAPS_ARRAY_H

#include <string.h>

#include "maps/map.h"

static inline u32 array_index(const void *key)
{
	u32 index;

	memcpy(&index, key, sizeof(index));
	return index;
}

/* map_ops.get_next_key: all indices, whether or not there is anything at them. */
int array_get_next_key(struct map *map, const void *key, void *next_key);

#endif
