/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * table_lfht.c: liburcu's lock-free hash table with its usual flavour of RCU. A replaced or removed
 * node is freed by call_rcu(), as users of it do.
 */
#define _LGPL_SOURCE
#include <urcu.h>

#include <stdlib.h>
#include <urcu/rculfhash.h>

#include "table.h"

struct node {
	struct cds_lfht_node node; /* first */
	struct rcu_head rcu;
	__u64 value;
	__u32 key;
};

static unsigned long hash_of(__u32 key)
{
	const __u64 h = key * 0x9e3779b97f4a7c15u;

	return h ^ h >> 32;
}

static int is_key(struct cds_lfht_node *node, const void *key)
{
	return ((struct node *)(void *)node)->key == *(const __u32 *)key;
}

static void *create(__u32 entries)
{
	rcu_register_thread();
	return cds_lfht_new(entries, entries, 0, 0, NULL);
}

static void free_node(struct rcu_head *rcu)
{
	free(caa_container_of(rcu, struct node, rcu));
}

static void destroy(void *table)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	rcu_read_lock();
	cds_lfht_for_each(table, &iter, node)
	{
		if (!cds_lfht_del(table, node))
			call_rcu(&((struct node *)(void *)node)->rcu, free_node);
	}
	rcu_read_unlock();
	rcu_barrier();
	cds_lfht_destroy(table, NULL);
	rcu_unregister_thread();
}

static bool get(void *table, __u32 key, __u64 *value)
{
	struct cds_lfht_iter iter;
	struct node *found;

	rcu_read_lock();
	cds_lfht_lookup(table, hash_of(key), is_key, &key, &iter);
	found = (struct node *)(void *)cds_lfht_iter_get_node(&iter);
	if (found)
		*value = found->value;
	rcu_read_unlock();
	return found;
}

static void put(void *table, __u32 key, __u64 value)
{
	struct node *node = malloc(sizeof(*node));
	struct cds_lfht_node *old;

	if (!node)
		abort();
	cds_lfht_node_init(&node->node);
	node->key = key;
	node->value = value;
	rcu_read_lock();
	old = cds_lfht_add_replace(table, hash_of(key), is_key, &key, &node->node);
	rcu_read_unlock();
	if (old)
		call_rcu(&((struct node *)(void *)old)->rcu, free_node);
}

static void remove_key(void *table, __u32 key)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	rcu_read_lock();
	cds_lfht_lookup(table, hash_of(key), is_key, &key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node && !cds_lfht_del(table, node))
		call_rcu(&((struct node *)(void *)node)->rcu, free_node);
	rcu_read_unlock();
}

static void begin(void)
{
	rcu_register_thread();
}

static void end(void)
{
	rcu_unregister_thread();
}

const struct table_ops lfht_table = {
	.create = create,
	.destroy = destroy,
	.get = get,
	.put = put,
	.remove = remove_key,
	.begin = begin,
	.end = end,
};
