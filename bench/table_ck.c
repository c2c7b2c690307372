/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * table_ck.c: Concurrency Kit's ck_ht, keys and values directly in its slots. It allows one writer
 * beside readers; a spin lock makes one out of several.
 */
#include <ck_ht.h>
#include <pthread.h>
#include <stdlib.h>

#include "table.h"

struct table {
	ck_ht_t ht;
	pthread_spinlock_t writer;
};

static void *ck_malloc(size_t size)
{
	return malloc(size);
}

static void ck_free(void *p, size_t size, bool defer)
{
	free(p); /* it grows only while it is filled, by one thread */
}

static struct ck_malloc allocator = {.malloc = ck_malloc, .free = ck_free};

static void *create(__u32 entries)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_spin_init(&t->writer, PTHREAD_PROCESS_PRIVATE);
	if (ck_ht_init(&t->ht, CK_HT_MODE_DIRECT | CK_HT_WORKLOAD_DELETE, NULL, &allocator,
		       2 * (CK_HT_TYPE)entries, 6602834))
		return t;
	free(t);
	return NULL;
}

static void destroy(void *table)
{
	struct table *t = table;

	ck_ht_destroy(&t->ht);
	free(t);
}

/* 0 stands for an empty slot there. */
static void entry_of(struct table *t, __u32 key, __u64 value, ck_ht_hash_t *hash,
		     ck_ht_entry_t *entry)
{
	ck_ht_hash_direct(hash, &t->ht, (uintptr_t)key + 1);
	ck_ht_entry_set_direct(entry, *hash, (uintptr_t)key + 1, value);
}

static bool get(void *table, __u32 key, __u64 *value)
{
	struct table *t = table;
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	ck_ht_hash_direct(&hash, &t->ht, (uintptr_t)key + 1);
	ck_ht_entry_key_set_direct(&entry, (uintptr_t)key + 1);
	if (!ck_ht_get_spmc(&t->ht, hash, &entry))
		return false;
	*value = ck_ht_entry_value_direct(&entry);
	return true;
}

static void put(void *table, __u32 key, __u64 value)
{
	struct table *t = table;
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	entry_of(t, key, value, &hash, &entry);
	pthread_spin_lock(&t->writer);
	ck_ht_set_spmc(&t->ht, hash, &entry);
	pthread_spin_unlock(&t->writer);
}

static void remove_key(void *table, __u32 key)
{
	struct table *t = table;
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	entry_of(t, key, 0, &hash, &entry);
	pthread_spin_lock(&t->writer);
	ck_ht_remove_spmc(&t->ht, hash, &entry);
	pthread_spin_unlock(&t->writer);
}

const struct table_ops ck_table = {
	.create = create,
	.destroy = destroy,
	.get = get,
	.put = put,
	.remove = remove_key,
};
