/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* table_userbpf.c: a HASH map of the realm that this process runs in, without system calls. */
#include "maps/map.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include "object/realm.h"
#include "table.h"

static struct map *map_behind(int fd)
{
	struct object *object;

	object_register(&map_object_type);
	if (realm_open() || object_from_fd(fd, OBJECT_MAP, &object, NULL))
		return NULL;
	return map_of(object);
}

static void *create(u32 entries)
{
	const int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "bench", sizeof(u32), sizeof(u64), entries,
				      NULL);
	struct map *map = fd < 0 ? NULL : map_behind(fd);

	if (fd >= 0)
		close(fd);
	return map;
}

static void destroy(void *table)
{
	struct map *map = table;

	object_put(&map->object);
}

static bool get(void *table, u32 key, __u64 *value)
{
	struct map *map = table;
	const u64 *found = map->ops->lookup(map, &key);

	if (!found)
		return false;
	*value = *found;
	return true;
}

static void put(void *table, u32 key, __u64 value)
{
	struct map *map = table;

	map->ops->update(map, &key, &value, BPF_ANY);
}

static void remove_key(void *table, u32 key)
{
	struct map *map = table;

	map->ops->delete (map, &key);
}

const struct table_ops userbpf_table = {
	.create = create,
	.destroy = destroy,
	.get = get,
	.put = put,
	.remove = remove_key,
};
