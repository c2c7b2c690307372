/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * hash_within.c: see hash_within.h.
 */
#include "maps/hash_within.h"

cold u64 hash_within_layout(const struct hash_within *like, u32 ncpus, struct map_layout *layout)
{
	const struct map_spec spec = {.type = BPF_MAP_TYPE_HASH,
				      .key_size = like->key_size,
				      .value_size = like->value_size,
				      .max_entries = like->max_entries,
				      .flags = like->flags};

	hash_map_ops.layout(&spec, ncpus, layout);
	return ROUND_UP(layout->control_size, 64);
}

cold void *hash_within_connect(const struct hash_within *like, const struct map *map,
			       struct map *hash)
{
	struct map_layout layout = {0};

	*hash = *map;
	hash->ops = &hash_map_ops;
	hash->key_size = like->key_size;
	hash->value_size = like->value_size;
	hash->value_stride = ROUND_UP(like->value_size, 8);
	hash->max_entries = like->max_entries;
	hash->flags = like->flags;
	return (u8 *)map->private + hash_within_layout(like, map->ncpus, &layout);
}

cold int hash_within_init(const struct hash_within *like, struct map *map, u64 bytes_behind)
{
	const struct region *region = &map->object.region;
	struct map hash;
	const u8 *behind = hash_within_connect(like, map, &hash);
	int err = 0;

	if (like->flags & BPF_F_NO_PREALLOC && bytes_behind)
		err = region_populate(region, (u64)(behind - region->base), bytes_behind);
	return err ? err : hash_map_ops.init(&hash);
}
