/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* table_userbpf.c: a HASH map through the C library, in the realm that this process runs in. */
#include <linux/bpf.h>
#include <stddef.h>
#include <userbpf/userbpf.h>

#include "table.h"

static void *create(__u32 entries)
{
	const struct userbpf_map_opts opts = {
		.size = sizeof(opts),
		.type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(__u32),
		.value_size = sizeof(__u64),
		.max_entries = entries,
	};
	struct userbpf_map *map;

	return userbpf_map_create(&opts, &map) ? NULL : map;
}

static void destroy(void *table)
{
	userbpf_map_close(table);
}

static bool get(void *table, __u32 key, __u64 *value)
{
	const __u64 *found = userbpf_map_lookup(table, &key);

	if (!found)
		return false;
	*value = *found;
	return true;
}

static void put(void *table, __u32 key, __u64 value)
{
	userbpf_map_update(table, &key, &value, BPF_ANY);
}

static void remove_key(void *table, __u32 key)
{
	userbpf_map_delete(table, &key);
}

const struct table_ops userbpf_table = {
	.create = create,
	.destroy = destroy,
	.get = get,
	.put = put,
	.remove = remove_key,
};
