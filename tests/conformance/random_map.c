/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * random_map.c: which map a random sequence is about, and which program uses it. All that is chosen
 * can be created; what cannot is in the table of cases.
 */
#include "random.h"

#define F_LINK (1u << 13)

static unsigned pick_size(struct sequence *s, const unsigned *sizes, unsigned count)
{
	return sizes[below(s, count)];
}

static void pick_lock(struct sequence *s)
{
	struct target *t = &s->t;

	t->has_lock = (t->type->id == BPF_MAP_TYPE_HASH || t->type->id == BPF_MAP_TYPE_ARRAY) &&
		      !(t->flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG | BPF_F_MMAPABLE)) &&
		      once_in(s, 4);
	t->has_lock = t->has_lock || is(s, OWNED);
	if (t->has_lock)
		t->value_size = 8 + 4 * below(s, 15);
}

static void pick_flags_of_map(struct sequence *s)
{
	struct target *t = &s->t;
	const unsigned id = t->type->id;

	if (is(s, OWNED | NAMES | TABLE | PAGES)) {
		t->flags = is(s, OWNED)                    ? BPF_F_NO_PREALLOC
			   : is(s, PAGES)                  ? BPF_F_MMAPABLE
			   : is(s, TABLE) && once_in(s, 3) ? F_LINK
							   : 0;
		return;
	}
	if (is(s, PREFIXES) || (is(s, HASHED) && !is(s, LRU) && once_in(s, 3)))
		t->flags |= BPF_F_NO_PREALLOC;
	if (is(s, LRU) && once_in(s, 3))
		t->flags |= BPF_F_NO_COMMON_LRU;
	if (is(s, HASHED) && once_in(s, 8))
		t->flags |= BPF_F_ZERO_SEED;
	if (id == BPF_MAP_TYPE_ARRAY && once_in(s, 4))
		t->flags |= BPF_F_MMAPABLE;
	if (id == BPF_MAP_TYPE_ARRAY && once_in(s, 8))
		t->flags |= BPF_F_INNER_MAP;
	if (!is(s, OBJECTS | TRACES | EVENTS) && once_in(s, 6))
		t->flags |= once_in(s, 2) ? BPF_F_RDONLY_PROG : BPF_F_WRONLY_PROG;
}

static void pick_sizes(struct sequence *s)
{
	static const unsigned sizes[] = {1, 2, 3, 4, 4, 4, 5, 7, 8, 8, 12, 16, 24, 31, 33, 63, 64};
	static const unsigned prefixes[] = {5, 6, 7, 8, 8, 8, 9, 12, 20, 20, 37, 64};
	static const unsigned wide[] = {4, 8}, attached[] = {8, 16};
	struct target *t = &s->t;

	t->key_size = is(s, KEYLESS)     ? 0
		      : is(s, INDEXED)   ? 4
		      : is(s, REDIRECTS) ? 4
		      : is(s, ATTACHED)  ? pick_size(s, attached, LENGTH(attached))
		      : is(s, PREFIXES)  ? pick_size(s, prefixes, LENGTH(prefixes))
					 : pick_size(s, sizes, LENGTH(sizes));
	t->value_size = is(s, TABLE)                      ? table()->size
			: is(s, PAGES)                    ? 0
			: is(s, WIDE)                     ? pick_size(s, wide, LENGTH(wide))
			: is(s, OBJECTS | EVENTS | NAMES) ? 4
			: is(s, TRACES)                   ? 8 * (1 + below(s, 8))
							  : pick_size(s, sizes, LENGTH(sizes));
}

void pick_target(struct sequence *s)
{
	static const unsigned entries[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 32, 33, 63, 64};
	static const unsigned progs[] = {BPF_PROG_TYPE_SYSCALL, BPF_PROG_TYPE_SCHED_CLS,
					 BPF_PROG_TYPE_XDP};
	static const unsigned inner[] = {0, 0, 2, 4, 5, 6, 7};
	struct target *t = &s->t;

	pick_sizes(s);
	s->entries =
		once_in(s, 3) ? 1 + below(s, MAX_ENTRIES) : pick_size(s, entries, LENGTH(entries));
	pick_flags_of_map(s);
	pick_lock(s);
	/* Sleepable programs may not use all types. */
	t->prog_type = is(s, REDIRECTS)                             ? BPF_PROG_TYPE_XDP
		       : is(s, PREFIXES | FILTER | TRACES | EVENTS) ? progs[1 + below(s, 2)]
								    : progs[below(s, 3)];
	t->direct = t->prog_type != BPF_PROG_TYPE_SYSCALL && once_in(s, 2);
	t->inner = &types[inner[below(s, LENGTH(inner))]];
	if (is(s, FILTER | RECORDS)) /* so many bits that no answer is wrong; a page */
		s->entries = 4096;
	if (is(s, RECORDS))
		t->value_size = 0;
	if (is(s, TABLE | ATTACHED))
		s->entries = is(s, TABLE);
	s->pool = is(s, RECORDS | PAGES) ? 1
		  : is(s, LRU)           ? 2 * s->entries + 2
					 : s->entries * 3 / 2 + 2;
}
