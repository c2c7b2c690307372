/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench_handle.c: a map in the same process against hash tables of other libraries and a floor, all
 * behind the same indirect calls. The tables hold what the row says and have room for as much again.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"
#include "table.h"

enum operation { OP_HIT, OP_MISS, OP_PUT, OP_INSERT_DELETE, OP_MIX };

#define PUTS_IN_MIX 10 /* of a hundred operations */

struct handle_state {
	const struct bench *bench;
	const struct table_ops *ops;
	void *table;
};

static const struct table_ops *ops_of(enum side side)
{
	static const struct table_ops *const ops[NR_SIDES] = {
		[SIDE_HANDLE] = &userbpf_table,
#ifdef HAVE_CK
		[SIDE_CK] = &ck_table,
#endif
#ifdef HAVE_LFHT
		[SIDE_LFHT] = &lfht_table,
#endif
		[SIDE_FLOOR] = &floor_table,
	};

	return ops[side];
}

static bool only_reads(const struct bench *bench)
{
	return bench->op == OP_HIT || bench->op == OP_MISS;
}

static int check(const struct bench *bench, const struct table_ops *ops)
{
	if (!ops)
		bench_reason("its development files were missing when bench was built");
	else if (ops->one_writer && threads_of(bench) > 1 && !only_reads(bench))
		bench_reason("cannot be written by several threads");
	else
		return 0;
	return -EOPNOTSUPP;
}

static void handle_teardown(void *state)
{
	struct handle_state *s = state;

	s->ops->destroy(s->table);
	free(s);
}

static int handle_setup(const struct bench *bench, enum side side, void **state)
{
	struct handle_state *s = calloc(1, sizeof(*s));
	int err = s ? check(bench, ops_of(side)) : -ENOMEM;

	if (!err) {
		s->bench = bench;
		s->ops = ops_of(side);
		s->table = s->ops->create(2 * bench->size);
		err = s->table ? 0 : -ENOMEM;
	}
	if (err) {
		free(s);
		return err;
	}
	for (__u32 key = 0; key < bench->size; key++)
		s->ops->put(s->table, key, key);
	*state = s;
	return 0;
}

/* Keys that are absent; every thread has its own. */
static __u32 absent_key(const struct bench *bench, unsigned thread, __u64 x)
{
	return drawn_key(x, bench->size) + bench->size * (thread + 1);
}

static __u64 operate(const struct handle_state *s, unsigned thread, __u64 x)
{
	const struct table_ops *ops = s->ops;
	const __u32 key = drawn_key(x, s->bench->size);
	const __u32 absent = absent_key(s->bench, thread, x);
	__u64 value = 0;

	switch ((enum operation)s->bench->op) {
	case OP_HIT:
		ops->get(s->table, key, &value);
		break;
	case OP_MISS:
		ops->get(s->table, absent, &value);
		break;
	case OP_PUT:
		ops->put(s->table, key, x);
		break;
	case OP_INSERT_DELETE:
		ops->put(s->table, absent, x);
		ops->remove(s->table, absent);
		break;
	case OP_MIX:
		if ((x >> 20) % 100 < PUTS_IN_MIX)
			ops->put(s->table, key, x);
		else
			ops->get(s->table, key, &value);
		break;
	}
	return value;
}

static int loop(void *state, unsigned thread, __u64 count)
{
	const struct handle_state *s = state;
	const bool is_guest = threads_of(s->bench) > 1 && s->ops->begin;
	volatile __u64 result;
	__u64 x = thread, sum = 0;

	if (is_guest)
		s->ops->begin();
	while (count--)
		sum += operate(s, thread, x = draw(x));
	result = sum;
	(void)result;
	if (is_guest)
		s->ops->end();
	return 0;
}

static int handle_measure(void *state, __u64 *count, double *ns)
{
	const struct handle_state *s = state;

	return bench_on_threads(threads_of(s->bench), loop, state, *count, ns);
}

static const struct bench_kind kind = {
	.title = "A map in the same process against hash tables, ns each (per thread)",
	.sides = 1 << SIDE_HANDLE | 1 << SIDE_CK | 1 << SIDE_LFHT | 1 << SIDE_FLOOR,
	.subject = SIDE_HANDLE,
	.reference = 1 << SIDE_CK | 1 << SIDE_LFHT,
	.setup = handle_setup,
	.measure = handle_measure,
	.teardown = handle_teardown,
};

#define K *1024u
#define ROW(title, op_, size_, threads_, goal_)                                                    \
	{.name = "handle: " title, .op = op_, .size = size_, .threads = threads_, .goal = goal_}

static const struct bench rows[] = {
	ROW("hit 1k", OP_HIT, 1 K, 1, 1.0),
	ROW("hit 16k", OP_HIT, 16 K, 1, 1.0),
	ROW("hit 64k", OP_HIT, 64 K, 1, 1.0),
	ROW("hit 1M", OP_HIT, 1024 K, 1, 1.0),
	ROW("miss 16k", OP_MISS, 16 K, 1, 1.0),
	ROW("update 16k", OP_PUT, 16 K, 1, 1.0),
	ROW("insert+delete 16k", OP_INSERT_DELETE, 16 K, 1, 1.0),
	ROW("90 % hit, 10 % update 16k", OP_MIX, 16 K, 1, 1.0),
	ROW("hit 16k, 2 threads", OP_HIT, 16 K, 2, 1.0),
	ROW("90/10 mix 16k, 2 threads", OP_MIX, 16 K, 2, 1.0),
	ROW("update 16k, 2 threads", OP_PUT, 16 K, 2, 1.0),
	ROW("90/10 mix 16k, all CPUs", OP_MIX, 16 K, ALL_CPUS, 1.0),
};

const struct bench_table bench_handles = {&kind, rows, ARRAY_SIZE(rows)};
