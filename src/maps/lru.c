/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lru.c: the eviction lists of LRU maps. Owns every struct lru_group and lru_node. Must not know
 * keys, values or the two map types; asks hash.c to evict.
 *
 * Lists. Two generations, inactive and active, and the free elements. New elements are inactive; a
 * rotation, before each search, makes referenced inactive ones active and, while there are fewer
 * inactive than active ones, unreferenced active ones inactive. Victims are the oldest inactive
 * ones that are not referenced; if there are none, the oldest at all. With BPF_F_NO_COMMON_LRU
 * every CPU has such lists. Else they are common, and a CPU takes a batch of elements at a time
 * into a free list of its own; what it has filled is pending there until the next batch.
 *
 * Truth. An element is free or not by its state in the hash alone. A list only says where it can be
 * met, and every element is always on one list or in one batch, which node->where says. Whoever
 * meets a free element in a list of used ones makes it free there, and the reverse, and every
 * refill looks at a few elements in turn; so no death between the change of a state and that of a
 * list loses an element. lru_take() hands out an element that is still free; two that were given
 * the same one settle it by the compare-and-swap of its state.
 *
 * Locks. One per group, and never two at a time, nor one together with that of a stripe. So what
 * goes from one group to another lies in a batch meanwhile: written under the lock of the giver
 * while its count is 0, emptied under the lock of the taker, then the count becomes 0 again.
 * Victims are chosen under the list's lock and evicted under none but their stripe's; anyone who
 * needs the CPU's elements finishes the batch of one that died. The generation in a batch tells the
 * element that was chosen from a later one.
 *
 * Death of the owner of a group's lock: links, counts and cursor are made anew from the nodes:
 * where says on which list a node is, its stamp in which order. A batch with count 0 holds nothing,
 * so what says that it is in it has not left.
 */
#include "maps/lru.h"

#include <errno.h>
#include <string.h>

/* A node that is in a batch. Lists and these make up node->where, together with the group. */
enum { INCOMING = LRU_LISTS, OUTGOING, PLACES = 8 };

/* On the lists of a CPU beside common ones. */
#define LRU_PENDING LRU_INACTIVE

#define TRIES 256
#define VICTIM (1u << 31) /* beside the index in a batch: in use when it was chosen */

#define COMMON 0 /* the group */

/* Nodes and lists. */

static inline u32 place_of(u32 group, u32 place)
{
	return group * PLACES + place;
}

/* Lists are rings; the head's index lies behind those of the elements. */
static inline u32 head_of(const struct lru *lru, u32 group, enum lru_list list)
{
	return lru->hash.nr_elements + group * LRU_LISTS + list;
}

/* Any index will do, in a file that was tampered with. */
static inline struct lru_node *node_at(const struct lru *lru, u32 index)
{
	const u32 nr = lru->hash.nr_elements, head = index - nr, group = head / LRU_LISTS;

	if (likely(index < nr))
		return lru_node_of(element_at(&lru->hash, index));
	return &lru->groups[likely(group < lru->nr_groups) ? group : 0].heads[head % LRU_LISTS];
}

static inline bool is_element(const struct lru *lru, u32 index)
{
	return index < lru->hash.nr_elements;
}

static inline bool is_free(const struct lru *lru, u32 index)
{
	return load_acquire(&element_at(&lru->hash, index)->state) == STATE_FREE;
}

/* Others have a look without the lock. */
static inline void count_nodes(struct lru *lru, u32 group, u32 list, u32 more)
{
	u32 *count = &lru->groups[group].counts[list];

	store_relaxed(count, *count + more);
}

static inline void node_unlink(struct lru *lru, u32 group, u32 index)
{
	struct lru_group *g = &lru->groups[group];
	struct lru_node *node = node_at(lru, index);

	if (unlikely(g->cursor == index))
		g->cursor = node->prev;
	node_at(lru, node->prev)->next = node->next;
	node_at(lru, node->next)->prev = node->prev;
	count_nodes(lru, group, node->where % PLACES % LRU_LISTS, -1u);
}

static inline void node_link_stamped(struct lru *lru, u32 group, enum lru_list list, u32 index)
{
	struct lru_node *node = node_at(lru, index), *head = &lru->groups[group].heads[list];

	node->prev = head_of(lru, group, list);
	node->next = head->next;
	node_at(lru, node->next)->prev = index;
	head->next = index;
	count_nodes(lru, group, list, 1);
}

/* At the newest end. */
static inline void node_link(struct lru *lru, u32 group, enum lru_list list, u32 index)
{
	struct lru_node *node = node_at(lru, index);

	node->stamp = ++lru->groups[group].clock;
	store_release(&node->where, place_of(group, list));
	node_link_stamped(lru, group, list, index);
}

static inline void node_move(struct lru *lru, u32 group, enum lru_list list, u32 index)
{
	node_unlink(lru, group, index);
	node_link(lru, group, list, index);
}

static inline void node_move_unreferenced(struct lru *lru, u32 group, enum lru_list list, u32 index)
{
	store_relaxed(&node_at(lru, index)->referenced, 0);
	node_move(lru, group, list, index);
}

static inline u32 newest(const struct lru *lru, u32 group, enum lru_list list)
{
	return lru->groups[group].heads[list].next;
}

static inline u32 oldest(const struct lru *lru, u32 group, enum lru_list list)
{
	return lru->groups[group].heads[list].prev;
}

static inline bool is_referenced(const struct lru *lru, u32 index)
{
	return load_relaxed(&node_at(lru, index)->referenced);
}

static void group_rebuild(struct lru *lru, u32 group);

static inline int group_lock(struct lru *lru, u32 group)
{
	int err = lock_acquire(&lru->groups[group].lock);

	if (unlikely(err == LOCK_OWNER_DIED)) {
		group_rebuild(lru, group);
		err = 0;
	}
	return err;
}

static inline void group_unlock(struct lru *lru, u32 group)
{
	lock_release(&lru->groups[group].lock);
}

/* Batches. */

static inline u32 batch_count(const struct lru_batch *batch)
{
	return MIN(load_acquire(&batch->count), 2u * LRU_BATCH); /* pairs with batch_publish() */
}

static inline void batch_publish(struct lru_batch *batch, u32 count)
{
	store_release(&batch->count, count);
}

/* The node leaves its list. */
static inline void node_choose(struct lru *lru, u32 group, u32 target, u32 index, u32 nr)
{
	struct element *element = element_at(&lru->hash, index);
	/* Read before the state: of a used element, or older. */
	const u32 generation = load_acquire(&element->generation);
	const u32 victim = is_free(lru, index) ? 0 : VICTIM;

	node_unlink(lru, group, index);
	store_release(&node_at(lru, index)->where, place_of(target, INCOMING));
	/* Who still works on the last batch may read it: a victim is judged again under its lock. */
	store_relaxed(&lru->groups[target].in.entries[nr],
		      (u64)generation << 32 | victim | index);
}

/* The element that was chosen is still the one in use. */
static inline bool is_victim(const struct lru *lru, u64 entry, u32 index)
{
	return (u32)entry & VICTIM && !is_free(lru, index) &&
	       load_relaxed(&element_at(&lru->hash, index)->generation) == (u32)(entry >> 32);
}

/* Evicts what is in the batch of a group. No lock is held. 0 or -EBUSY. */
static int batch_evict(struct lru *lru, u32 group)
{
	const struct lru_batch *in = &lru->groups[group].in;
	const u32 count = batch_count(in);
	int err = 0;

	for (u32 i = 0; !err && i < count; i++) {
		const u64 entry = load_relaxed(&in->entries[i]);
		const u32 index = (u32)entry & ~VICTIM;

		if (is_element(lru, index) && is_victim(lru, entry, index))
			err = hash_evict(&lru->hash, index, (u32)(entry >> 32));
	}
	return err;
}

/*
 * Puts what is in the batch of the group into its lists, but for victims that nobody has evicted
 * yet. The group's lock is held.
 */
static void batch_collect(struct lru *lru, u32 group)
{
	struct lru_batch *in = &lru->groups[group].in;
	const u32 count = batch_count(in);
	u32 left = 0;

	for (u32 i = 0; i < count; i++) {
		const u64 entry = load_relaxed(&in->entries[i]);
		const u32 index = (u32)entry & ~VICTIM;

		if (!is_element(lru, index) ||
		    load_relaxed(&node_at(lru, index)->where) != place_of(group, INCOMING))
			continue;
		if (is_victim(lru, entry, index))
			left++;
		else
			node_link(lru, group, is_free(lru, index) ? LRU_FREE : LRU_INACTIVE, index);
	}
	if (count && !left)
		batch_publish(in, 0);
}

/* Rotation and the search for victims. The lock of the group is held. */

static void rotate_active(struct lru *lru, u32 group)
{
	const u32 last = newest(lru, group, LRU_ACTIVE);
	u32 index = oldest(lru, group, LRU_ACTIVE), next;

	for (u32 i = 0; i < lru->scans && is_element(lru, index); i++, index = next) {
		next = node_at(lru, index)->prev;
		node_move_unreferenced(
			lru, group, is_referenced(lru, index) ? LRU_ACTIVE : LRU_INACTIVE, index);
		if (index == last)
			break;
	}
}

/* Goes round the inactive list, a part each time, from old to new. */
static void rotate_inactive(struct lru *lru, u32 group)
{
	struct lru_group *g = &lru->groups[group];
	u32 index = g->cursor, next = index, last;

	if (!g->counts[LRU_INACTIVE])
		return;
	last = node_at(lru, index)->next;
	if (!is_element(lru, last))
		last = node_at(lru, last)->next;
	for (u32 i = 0; i < lru->scans; i++, index = next) {
		if (!is_element(lru, index))
			index = oldest(lru, group, LRU_INACTIVE);
		next = node_at(lru, index)->prev;
		if (is_element(lru, index) && is_referenced(lru, index))
			node_move_unreferenced(lru, group, LRU_ACTIVE, index);
		if (index == last)
			break;
	}
	g->cursor = next;
}

static void rotate(struct lru *lru, u32 group)
{
	const struct lru_group *g = &lru->groups[group];

	if (g->counts[LRU_INACTIVE] < g->counts[LRU_ACTIVE])
		rotate_active(lru, group);
	rotate_inactive(lru, group);
}

/* Chooses want elements for the target's batch, which holds nr. How many it holds then. */
static u32 choose_victims(struct lru *lru, u32 group, u32 target, u32 nr, u32 want)
{
	u32 index = oldest(lru, group, LRU_INACTIVE), next, first = nr;

	for (u32 i = 0; i < lru->scans && nr < want && is_element(lru, index); i++, index = next) {
		next = node_at(lru, index)->prev;
		if (is_referenced(lru, index) && !is_free(lru, index))
			node_move_unreferenced(lru, group, LRU_ACTIVE, index);
		else
			node_choose(lru, group, target, index, nr++);
	}
	if (nr > first)
		return nr;
	index = oldest(lru, group, LRU_INACTIVE);
	if (!is_element(lru, index))
		index = oldest(lru, group, LRU_ACTIVE);
	if (is_element(lru, index))
		node_choose(lru, group, target, index, nr++);
	return nr;
}

/*
 * Elements that became free when their owner died, or before it could tell, and that nobody would
 * meet in the active list: looks at a few elements each time. The lock of the group is held.
 */
static void sweep(struct lru *lru, u32 group)
{
	struct lru_group *g = &lru->groups[group];
	const u32 n = MIN(lru->sweep, lru->hash.nr_elements);
	u32 index = g->swept, where;

	for (u32 i = 0; i < n; i++, index++) {
		if (index >= lru->hash.nr_elements)
			index = 0;
		if (likely(!is_free(lru, index)))
			continue;
		where = load_relaxed(&node_at(lru, index)->where);
		if (where == place_of(group, LRU_INACTIVE) || where == place_of(group, LRU_ACTIVE))
			node_move(lru, group, LRU_FREE, index);
	}
	g->swept = index;
}

/* Common lists. */

/* The node leaves its list. The CPU's lock is held, and the batch was empty. */
static inline void node_stage(struct lru *lru, u32 group, u32 index, u32 nr)
{
	node_unlink(lru, group, index);
	store_release(&node_at(lru, index)->where, place_of(group, OUTGOING));
	lru->groups[group].out.entries[nr] = index;
}

/* What was pending goes out. More than comes in, should several threads have filled the list. */
static void stage_pending(struct lru *lru, u32 group)
{
	struct lru_batch *out = &lru->groups[group].out;
	u32 count = 0, index;

	if (batch_count(out))
		return;
	while (count < ARRAY_SIZE(out->entries) &&
	       is_element(lru, index = oldest(lru, group, LRU_PENDING)))
		node_stage(lru, group, index, count++);
	batch_publish(out, count);
}

/* What went out goes into the common lists. Their lock is held. */
static void drain(struct lru *lru, u32 group)
{
	struct lru_batch *out = &lru->groups[group].out;
	const u32 count = batch_count(out);
	enum lru_list list;

	for (u32 i = 0; i < count; i++) {
		const u32 index = (u32)load_relaxed(&out->entries[i]);
		struct lru_node *node = node_at(lru, index);

		if (!is_element(lru, index) ||
		    load_relaxed(&node->where) != place_of(group, OUTGOING))
			continue;
		list = is_free(lru, index)         ? LRU_FREE
		       : is_referenced(lru, index) ? LRU_ACTIVE
						   : LRU_INACTIVE;
		store_relaxed(&node->referenced, 0);
		node_link(lru, COMMON, list, index);
	}
	if (count)
		batch_publish(out, 0);
}

/* Free elements of the common list for the batch of a CPU. Their number. */
static u32 choose_free(struct lru *lru, u32 target)
{
	u32 nr = 0, index;

	for (u32 i = 0; i < lru->hash.nr_elements && nr < lru->target; i++) {
		index = newest(lru, COMMON, LRU_FREE);
		if (!is_element(lru, index))
			break;
		if (is_free(lru, index))
			node_choose(lru, COMMON, target, index, nr++);
		else
			node_move(lru, COMMON, LRU_INACTIVE, index);
	}
	return nr;
}

/* 1 if there is something for the CPU, 0, -EBUSY. */
static int refill(struct lru *lru, u32 group)
{
	struct lru_batch *in = &lru->groups[group].in;
	int err = group_lock(lru, COMMON);
	u32 nr;

	if (unlikely(err))
		return err;
	drain(lru, group);
	/* Unless another thread on this CPU has been here meanwhile. */
	if (!batch_count(in) && !load_relaxed(&lru->groups[group].counts[LRU_FREE])) {
		sweep(lru, COMMON);
		rotate(lru, COMMON);
		nr = choose_free(lru, group);
		if (nr < lru->target)
			nr = choose_victims(lru, COMMON, group, nr, lru->target);
		batch_publish(in, nr);
	}
	group_unlock(lru, COMMON);
	err = batch_evict(lru, group);
	return err ? err : batch_count(in) || load_relaxed(&lru->groups[group].counts[LRU_FREE]);
}

/* A free element of the CPU becomes pending: its index or -ENOENT. The lock is held. */
static s64 pop_free(struct lru *lru, u32 group)
{
	for (u32 i = 0; i < lru->hash.nr_elements; i++) {
		const u32 index = newest(lru, group, LRU_FREE);

		if (!is_element(lru, index))
			break;
		if (likely(is_free(lru, index))) {
			node_move_unreferenced(lru, group, LRU_PENDING, index);
			return index;
		}
		node_move(lru, group, LRU_PENDING, index);
	}
	return -ENOENT;
}

/*
 * One element of the CPU goes out: a free one, else the oldest that is not referenced, else the
 * oldest. The CPU's lock is held.
 */
static void stage_one(struct lru *lru, u32 group)
{
	struct lru_group *g = &lru->groups[group];
	u32 index = newest(lru, group, LRU_FREE);

	if (batch_count(&g->out))
		return;
	if (!is_element(lru, index)) {
		index = oldest(lru, group, LRU_PENDING);
		for (u32 i = 0; i < g->counts[LRU_PENDING] && is_element(lru, index); i++) {
			if (!is_referenced(lru, index))
				break;
			index = node_at(lru, index)->prev;
		}
		if (!is_element(lru, index))
			index = oldest(lru, group, LRU_PENDING);
	}
	if (!is_element(lru, index))
		return;
	node_stage(lru, group, index, 0);
	batch_publish(&g->out, 1);
}

/* One element of another CPU goes to the common lists. 0 or -EBUSY. */
static int steal(struct lru *lru, u32 group)
{
	struct lru_group *g = &lru->groups[group];
	const u32 ncpus = lru->nr_groups - 1, first = load_relaxed(&g->steal_from);
	int err = 0;

	for (u32 i = 0; !err && i < ncpus; i++) {
		const u32 from = 1 + (first + i) % ncpus;

		err = batch_evict(lru, from);
		if (!err)
			err = group_lock(lru, from);
		if (err)
			break;
		batch_collect(lru, from);
		stage_one(lru, from);
		group_unlock(lru, from);
		if (!batch_count(&lru->groups[from].out))
			continue;
		store_relaxed(&g->steal_from, from % ncpus);
		err = group_lock(lru, COMMON);
		if (err)
			break;
		drain(lru, from);
		group_unlock(lru, COMMON);
		break;
	}
	return err;
}

static s64 take_common(struct lru *lru, u32 group)
{
	s64 index;
	int err;

	for (u32 i = 0; i < TRIES; i++) {
		err = group_lock(lru, group);
		if (unlikely(err))
			return err;
		if (unlikely(batch_count(&lru->groups[group].in)))
			batch_collect(lru, group);
		index = pop_free(lru, group);
		if (unlikely(index < 0))
			stage_pending(lru, group);
		group_unlock(lru, group);
		if (likely(index >= 0))
			return index;
		err = refill(lru, group);
		if (!err)
			err = steal(lru, group);
		if (err < 0)
			return err;
	}
	return -ENOMEM;
}

/* Lists of each CPU. */

/* A free element becomes an inactive one: its index or -ENOENT. The lock is held. */
static s64 take_locked(struct lru *lru, u32 group, bool is_first)
{
	struct lru_group *g = &lru->groups[group];
	s64 index;

	batch_collect(lru, group);
	if (is_first)
		rotate(lru, group);
	index = pop_free(lru, group);
	if (likely(index >= 0) || batch_count(&g->in))
		return index;
	sweep(lru, group);
	batch_publish(&g->in, choose_victims(lru, group, group, 0, lru->target));
	return index;
}

static s64 take_percpu(struct lru *lru, u32 group)
{
	s64 index;
	int err;

	for (u32 i = 0; i < TRIES; i++) {
		err = group_lock(lru, group);
		if (unlikely(err))
			return err;
		index = take_locked(lru, group, i == 0);
		group_unlock(lru, group);
		if (index >= 0)
			return index;
		err = batch_evict(lru, group);
		if (unlikely(err))
			return err;
	}
	return -ENOMEM;
}

s64 lru_take(struct lru *lru, u32 cpu)
{
	cpu %= lru->hash.ncpus;
	return lru->is_common ? take_common(lru, 1 + cpu) : take_percpu(lru, cpu);
}

/*
 * From the list it is on to the free ones of the same group. In a batch, or if somebody moves it
 * just now, whoever meets it next sees that it is free.
 */
void lru_release(struct hash *h, u32 index)
{
	struct lru *lru = lru_of(h);
	struct lru_node *node = node_at(lru, index);
	const u32 where = load_acquire(&node->where), group = where / PLACES;
	const u32 list = where % PLACES;

	if ((list != LRU_INACTIVE && list != LRU_ACTIVE) || group >= lru->nr_groups ||
	    group_lock(lru, group))
		return;
	if (load_relaxed(&node->where) == where && is_free(lru, index))
		node_move(lru, group, LRU_FREE, index);
	group_unlock(lru, group);
}

/* Cold path: a group after the death of its lock's owner. The lock is held. */

/*
 * Where the node belongs: its own place, or, if it was about to leave for a batch that was never
 * published, the list it came from. Who reads the count first sees what came of a full batch.
 */
static cold u32 settled_place(struct lru *lru, u32 group, u32 index)
{
	const u32 where = load_acquire(&node_at(lru, index)->where), at = where / PLACES;
	const u32 giver = lru->is_common ? COMMON : at;
	const u32 list = is_free(lru, index) ? LRU_FREE : LRU_INACTIVE;

	if (at >= lru->nr_groups)
		return place_of(group, list); /* only in a file that was tampered with */
	if (where % PLACES == INCOMING && giver == group && !batch_count(&lru->groups[at].in) &&
	    load_acquire(&node_at(lru, index)->where) == where)
		return place_of(group, list);
	if (where % PLACES == OUTGOING && at == group && !batch_count(&lru->groups[at].out) &&
	    load_acquire(&node_at(lru, index)->where) == where)
		return place_of(group, LRU_PENDING);
	return where;
}

/* Two chains along next, from old to new, become one. */
static cold u32 chain_merge(struct lru *lru, u32 a, u32 b)
{
	u32 first = NO_ELEMENT, *end = &first;

	while (a != NO_ELEMENT && b != NO_ELEMENT) {
		u32 *from = node_at(lru, a)->stamp <= node_at(lru, b)->stamp ? &a : &b;
		const u32 index = *from;

		*end = index;
		end = &node_at(lru, index)->next;
		*from = *end;
	}
	*end = a != NO_ELEMENT ? a : b;
	return first;
}

static cold u32 chain_sort(struct lru *lru, u32 chain)
{
	u32 bins[32], sorted = NO_ELEMENT, next, i;

	memset(bins, 0xff, sizeof(bins));
	for (; chain != NO_ELEMENT; chain = next) {
		u32 carry = chain;

		next = node_at(lru, chain)->next;
		node_at(lru, chain)->next = NO_ELEMENT;
		for (i = 0; i < 31 && bins[i] != NO_ELEMENT; i++) {
			carry = chain_merge(lru, bins[i], carry);
			bins[i] = NO_ELEMENT;
		}
		bins[i] = carry;
	}
	for (i = 0; i < 32; i++)
		sorted = chain_merge(lru, bins[i], sorted);
	return sorted;
}

static cold void list_reset(struct lru *lru, u32 group, enum lru_list list)
{
	struct lru_group *g = &lru->groups[group];

	g->heads[list].prev = g->heads[list].next = head_of(lru, group, list);
	g->counts[list] = 0;
	if (list == LRU_INACTIVE)
		g->cursor = head_of(lru, group, list);
}

static cold void group_rebuild(struct lru *lru, u32 group)
{
	u32 chains[LRU_LISTS], next, where;
	u64 clock = lru->groups[group].clock;

	memset(chains, 0xff, sizeof(chains));
	for (u32 i = 0; i < lru->hash.nr_elements; i++) {
		struct lru_node *node = node_at(lru, i);

		where = settled_place(lru, group, i);
		if (where / PLACES != group || where % PLACES >= LRU_LISTS)
			continue;
		store_release(&node->where, where);
		clock = MAX(clock, node->stamp);
		node->next = chains[where % PLACES];
		chains[where % PLACES] = i;
	}
	lru->groups[group].clock = clock;
	for (u32 list = 0; list < LRU_LISTS; list++) {
		list_reset(lru, group, list);
		for (u32 i = chain_sort(lru, chains[list]); i != NO_ELEMENT; i = next) {
			next = node_at(lru, i)->next;
			node_link_stamped(lru, group, list, i);
		}
	}
}

/* Cold path: creation */

cold u64 lru_bytes(u32 ncpus)
{
	return (1 + (u64)ncpus) * sizeof(struct lru_group);
}

cold void lru_connect(struct lru *lru, bool is_common)
{
	const struct hash *h = &lru->hash;
	const u32 half = h->nr_elements / h->ncpus / 2;

	lru->groups = (struct lru_group *)(void *)h->beside;
	lru->is_common = is_common;
	lru->nr_groups = h->ncpus + is_common;
	lru->target = is_common ? MIN(MAX(half, 1u), (u32)LRU_BATCH) : 4;
	lru->scans = is_common ? LRU_BATCH : 4;
	lru->sweep = MAX(lru->target / 4, 4u);
	lru->hash.released = lru_release;
}

cold void lru_init(struct lru *lru)
{
	const u32 share = lru->hash.nr_elements / lru->hash.ncpus;

	for (u32 group = 0; group < lru->nr_groups; group++) {
		for (u32 list = 0; list < LRU_LISTS; list++)
			list_reset(lru, group, list);
		lru->groups[group].steal_from = lru->is_common && group ? group - 1 : 0;
	}
	for (u32 i = 0; i < lru->hash.nr_elements; i++)
		node_link(lru, lru->is_common ? COMMON : MIN(i / share, lru->nr_groups - 1),
			  LRU_FREE, i);
}

/* Invariants. */

/* A ring that comes back to its head, all of whose nodes know where they are. Their number. */
static bool list_is_valid(const struct lru *lru, u32 group, enum lru_list list, u32 *found)
{
	const u32 head = head_of(lru, group, list), count = lru->groups[group].counts[list];
	u32 at = head;

	for (u32 i = 0; i < count; i++) {
		const u32 next = node_at(lru, at)->next;
		const struct lru_node *node = node_at(lru, next);

		if (!is_element(lru, next) || node->prev != at ||
		    node->where != place_of(group, list) ||
		    (is_element(lru, at) && node->stamp > node_at(lru, at)->stamp))
			return false;
		at = next;
	}
	*found += count;
	return node_at(lru, at)->next == head && node_at(lru, head)->prev == at;
}

/* Entries of a batch are either in it, as their nodes say, or have been taken out of it. */
static u32 batch_holds(const struct lru *lru, const struct lru_batch *batch, u32 where)
{
	u32 found = 0;

	for (u32 i = 0; i < batch_count(batch); i++)
		found += node_at(lru, (u32)batch->entries[i] & ~VICTIM)->where == where;
	return found;
}

cold bool lru_is_valid(struct lru *lru)
{
	u32 found = 0;

	for (u32 group = 0; group < lru->nr_groups; group++) {
		const struct lru_group *g = &lru->groups[group];

		if (group_lock(lru, group))
			return false;
		group_unlock(lru, group);
		for (u32 list = 0; list < LRU_LISTS; list++)
			if (!list_is_valid(lru, group, list, &found))
				return false;
		found += batch_holds(lru, &g->in, place_of(group, INCOMING));
		found += batch_holds(lru, &g->out, place_of(group, OUTGOING));
		if (g->cursor != head_of(lru, group, LRU_INACTIVE) &&
		    node_at(lru, g->cursor)->where != place_of(group, LRU_INACTIVE))
			return false;
	}
	return found == lru->hash.nr_elements;
}
