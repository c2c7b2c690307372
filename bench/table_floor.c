/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * table_floor.c: linear probing with backward shift, one multiplication as hash, half full. No
 * locks, no seed, nothing shared, nothing survives: what a lookup costs at the least.
 */
#include <stdlib.h>

#include "table.h"

struct entry {
	__u32 key; /* + 1; 0: free */
	__u64 value;
};

struct table {
	__u32 mask;
	struct entry entries[];
};

static __u32 home_of(const struct table *t, __u32 key)
{
	return (__u32)(key * 0x9e3779b97f4a7c15u >> 32) & t->mask;
}

static struct entry *find(struct table *t, __u32 key)
{
	__u32 i = home_of(t, key);

	while (t->entries[i].key && t->entries[i].key != key + 1)
		i = (i + 1) & t->mask;
	return &t->entries[i];
}

static void *create(__u32 entries)
{
	struct table *t = calloc(1, sizeof(*t) + 2 * (size_t)entries * sizeof(t->entries[0]));

	if (t)
		t->mask = 2 * entries - 1;
	return t;
}

static bool get(void *table, __u32 key, __u64 *value)
{
	const struct entry *entry = find(table, key);

	*value = entry->value;
	return entry->key;
}

static void put(void *table, __u32 key, __u64 value)
{
	*find(table, key) = (struct entry){key + 1, value};
}

static void remove_key(void *table, __u32 key)
{
	struct table *t = table;
	__u32 hole = (__u32)(find(t, key) - t->entries), next = hole, home;

	for (;;) {
		t->entries[hole].key = 0;
		do {
			next = (next + 1) & t->mask;
			if (!t->entries[next].key)
				return;
			home = home_of(t, t->entries[next].key - 1);
		} while (((next - home) & t->mask) < ((next - hole) & t->mask));
		t->entries[hole] = t->entries[next];
		hole = next;
	}
}

const struct table_ops floor_table = {
	.create = create,
	.destroy = free,
	.get = get,
	.put = put,
	.remove = remove_key,
	.one_writer = true,
};
