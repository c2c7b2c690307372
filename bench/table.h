/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* table.h: a hash table in this process, 4-byte keys and 8-byte values, whoever wrote it. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <linux/types.h>
#include <stdbool.h>

struct table_ops {
	/* NULL: no memory. entries is a power of two. */
	void *(*create)(__u32 entries);
	void (*destroy)(void *table);
	bool (*get)(void *table, __u32 key, __u64 *value);
	void (*put)(void *table, __u32 key, __u64 value); /* new or present */
	void (*remove)(void *table, __u32 key);
	/* Around the use by one thread; may be NULL. */
	void (*begin)(void);
	void (*end)(void);
	bool one_writer; /* may not be written by several threads */
};

extern const struct table_ops userbpf_table, ck_table, lfht_table, floor_table;

#endif
