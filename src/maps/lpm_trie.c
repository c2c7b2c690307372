/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lpm_trie.c: LPM_TRIE, the longest prefix that matches a key. Owns index, nodes, lock and
 * journal. Must not know programs, descriptors or attributes.
 *
 * Index. The first bits of a key, as many as max_entries has but at most 18, choose a slot:
 * slots are numbered as a heap, slot 1 << length | bits is that of a prefix no longer than the
 * index, and holds it or nothing. The slots of the full length hold what begins with their bits:
 * a binary trie without nodes that decide nothing. Its nodes are elements, {prefix, two
 * children, value}, and branches, which have two children and no value. So a lookup skips the
 * levels that many prefixes share; what it does not find below its slot it looks for among the
 * short prefixes, at the lengths that are there.
 *
 * Hints. Keys of more than 32 bits, IPv6 addresses, tend to be alike where the index looks.
 * Their first 32 bits choose a hint: the link of a node that a lookup met there on a long way.
 * The generation in it tells whether the node is still in the trie; if its prefix is the key's,
 * all that is longer lies below it. So a hint is right or found to be wrong, whatever has been
 * changed.
 *
 * Nodes are type-stable, in two pools that are brought in by chunks and keep free nodes in a
 * list. A branch has elements on both sides, so there are always fewer of them than elements.
 * One element more than max_entries lets a full map replace.
 *
 * A link is one word: {generation, pool, node}. A node's generation is raised when it has left
 * the trie and before its contents change.
 *
 * Synchronisation. Changes, and walks by key, hold the lock. A node that can be reached changes
 * in its children only: anything else is a new node, put in place of the old one by one store.
 *
 * Why a lookup needs no lock. It reads the node that a link names, then its generation: if it is
 * that of the link, the node was in the trie when its child was read, and what was read belongs
 * together. Otherwise it starts again. So it follows, from node to node, links that were right
 * when they were read: whatever prefix is there during the whole lookup lies on its way.
 *
 * Death of a process at any instruction. A change is computed into the journal first: the slot
 * and its new link, and what the lists, counters and generations will be; one store makes it
 * valid. It is then carried out, the link first. The next owner of the lock carries a valid
 * journal out again, and knows nothing of one that is not: nodes that were filled for it are
 * free ones still.
 *
 * Walks are in lpm_walk.c, the check of all this in lpm_valid.c.
 */
#include "maps/lpm_trie.h"

#include <errno.h>
#include <linux/bpf.h>

#include "base/memory.h"
#include "maps/value.h"

#define MAX_INDEX_BITS 18
#define HINT_BITS 32
#define LONG_WAY 3 /* nodes */
#define CHUNK_BYTES (64u << 10)
#define POOL_BYTES (1ull << 40) /* of addresses; more memory than there is */
#define GENERATIONS 0x7fffffffu
#define TRIES (1u << 14) /* each fails only against a change by another thread */

/* Looking */

struct hit {
	struct node *node; /* NULL: none */
	u32 generation;
	u32 passed; /* nodes on the way */
	u64 way;    /* the last of them that a hint may name */
};

static inline bool hit_is_current(const struct hit *hit)
{
	fence_acquire(); /* pairs with the fence in node_retire() */
	return load_relaxed(&hit->node->generation) == hit->generation;
}

/* Follows a link. False: something was taken out meanwhile. */
INLINE bool descend(const struct trie *trie, const struct prefix *key, u64 link, struct hit *hit)
{
	u32 floor = 0, len, same;
	struct hit here;
	u64 next;

	while (link) {
		here.node = node_of(trie, link);
		here.generation = link_generation(link);
		if (unlikely(!here.node))
			return true;
		len = load_relaxed(&here.node->len);
		same = matching(here.node, key, MIN(len, key->len));
		next = len < key->len ? /* pairs with the store that published the child */
			       load_acquire(&here.node->child[prefix_bit(key->words, len)])
				      : 0;
		if (unlikely(!hit_is_current(&here)))
			return false;
		if (same < len || unlikely(len < floor))
			return true;
		if (link_pool(link) == ELEMENT) {
			hit->node = here.node;
			hit->generation = here.generation;
		}
		if (len <= HINT_BITS)
			hit->way = link;
		hit->passed++;
		floor = len + 1;
		link = next;
	}
	return true;
}

/* The same among the prefixes that are shorter than the index. */
INLINE bool look_short(const struct trie *trie, const struct prefix *key, struct hit *hit)
{
	const u32 longest = MIN(key->len, trie->bits - 1), bits = first_bits(trie, key);
	u32 lengths = load_acquire(&trie->control->lengths) & ((2u << longest) - 1);
	u64 link;

	while (lengths && !hit->node) {
		const u32 len = 31 - (u32)__builtin_clz(lengths);

		lengths &= ~(1u << len);
		link = load_acquire(&trie->index[1u << len | bits >> (trie->bits - len)]);
		if (link && !descend(trie, key, link, hit))
			return false;
	}
	return true;
}

static inline u64 *hint_of(const struct trie *trie, const struct prefix *key)
{
	const u64 hash = (key->words[0] >> (64 - HINT_BITS)) * 0x9e3779b97f4a7c15u;

	return &trie->hints[hash >> (63 - trie->bits)];
}

/* From where the hint says. The result is final if there is one. */
INLINE bool look_hinted(const struct trie *trie, const struct prefix *key, struct hit *hit)
{
	const u64 hint = load_acquire(hint_of(trie, key)); /* pairs with leave_hint() */

	return hint && descend(trie, key, hint, hit) && hit->node;
}

/* Published again: whoever reads the hint must see the node as it was first published. */
static inline void leave_hint(const struct trie *trie, const struct prefix *key,
			      const struct hit *hit)
{
	if (hit->passed >= LONG_WAY && hit->way)
		store_release(hint_of(trie, key), hit->way);
}

INLINE struct hit look_sized(const struct trie *trie, const void *bytes, u32 data_size)
{
	struct hit hit = {NULL, 0, 0, 0};
	bool hinted;
	struct prefix key;

	prefix_read(&key, bytes, data_size);
	if (unlikely(key.len > data_size * 8))
		return hit;
	hinted = data_size * 8 > HINT_BITS && key.len >= HINT_BITS;
	if (hinted && look_hinted(trie, &key, &hit))
		return hit;
	for (u32 tries = 0; tries < TRIES; tries++) {
		hit = (struct hit){NULL, 0, 0, 0};
		if (likely(key.len >= trie->bits) &&
		    !descend(trie, &key, load_acquire(&trie->index[slot_number(trie, &key)]), &hit))
			continue;
		if (hinted)
			leave_hint(trie, &key, &hit);
		if (likely(hit.node) || look_short(trie, &key, &hit))
			return hit;
	}
	return (struct hit){NULL, 0, 0, 0}; /* only in a file that was tampered with */
}

/* One way through for each common key size. */
static inline struct hit look(const struct trie *trie, const void *key)
{
	switch (trie->data_size) {
	case 4:
		return look_sized(trie, key, 4);
	case 16:
		return look_sized(trie, key, 16);
	default:
		return look_sized(trie, key, trie->data_size);
	}
}

static void *trie_lookup(struct map *map, const void *key)
{
	const struct hit hit = look(trie_of(map), key);

	return hit.node ? node_value(trie_of(map), hit.node) : NULL;
}

static int trie_copy_value(struct map *map, const void *key, void *value)
{
	const struct trie *trie = trie_of(map);
	struct hit hit;

	do {
		hit = look(trie, key);
		if (!hit.node)
			return -ENOENT;
		value_read(value, node_value(trie, hit.node), map->value_size);
	} while (unlikely(!hit_is_current(&hit)));
	return 0;
}

/* The journal */

/* Nobody who still has a link to the node believes it from now on. */
static inline void node_retire(struct node *node, u64 link, u32 next)
{
	store_relaxed(&node->generation, (link_generation(link) + 1) & GENERATIONS);
	fence_release(); /* pairs with the fence in hit_is_current() */
	store_relaxed(&node->next, next);
}

/* May be done twice. The link is stored first, so that what can be reached is always valid. */
static void change_apply(const struct trie *trie, const struct change *change)
{
	struct trie_control *control = trie->control;
	const struct map *map = trie->map;
	const u64 kernel_node = 24 + trie->data_size + map->value_size;

	store_release((u64 *)(void *)((u8 *)control + change->slot), change->link);
	for (u32 i = 0; i < POOLS; i++) {
		const struct pool_change *pool = &change->pools[i];

		if (pool->retired)
			node_retire(node_of(trie, pool->retired), pool->retired, pool->next);
		store_relaxed(&control->pools[i].free, pool->free);
		store_relaxed(&control->pools[i].used, pool->used);
	}
	store_relaxed(&control->count, change->count);
	store_relaxed(&map->header->memlock, change->count * kernel_node);
}

static void change_commit(const struct trie *trie, const struct change *change)
{
	trie->control->journal = *change;
	store_release(&trie->control->pending, 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* death comes between two instructions */
	change_apply(trie, change);
	store_release(&trie->control->pending, 0);
}

static bool link_is_whole(const struct trie *trie, u64 link, u32 pool)
{
	return !link || (link_pool(link) == pool && node_of(trie, link));
}

/* A dead owner's change. Only in a file that was tampered with it is not whole. */
static cold void repair(const struct trie *trie)
{
	const struct change journal = trie->control->journal;
	const u64 end = (u64)((u8 *)trie->pools[BRANCH].nodes - (u8 *)trie->control) +
			trie->pools[BRANCH].count * trie->pools[BRANCH].stride;

	if (!load_acquire(&trie->control->pending))
		return;
	if (journal.slot < end && journal.slot % 8 == 0 &&
	    link_is_whole(trie, journal.pools[ELEMENT].retired, ELEMENT) &&
	    link_is_whole(trie, journal.pools[BRANCH].retired, BRANCH))
		change_apply(trie, &journal);
	store_release(&trie->control->pending, 0);
}

int trie_lock(const struct trie *trie)
{
	int err = lock_acquire(&trie->control->lock);

	if (unlikely(err == LOCK_OWNER_DIED)) {
		repair(trie);
		err = 0;
	}
	return err;
}

/* Changes, under the lock */

/* Where a prefix is or would be. above: the node in which slot lies, if any. */
struct place {
	u64 *slot;
	u64 link; /* what is in the slot */
	struct node *node;
	u32 same; /* bits that key and node have in common */
	u64 *above_slot;
	u64 above;
};

static void locate(const struct trie *trie, const struct prefix *key, struct place *p)
{
	memset(p, 0, sizeof(*p));
	p->slot = &trie->index[slot_number(trie, key)];
	for (u32 floor = 0; (p->link = load_relaxed(p->slot)); floor = p->node->len + 1) {
		p->node = node_of(trie, p->link);
		if (unlikely(!p->node || p->node->len < floor)) {
			p->link = 0; /* only in a file that was tampered with */
			return;
		}
		p->same = matching(p->node, key, MIN(p->node->len, key->len));
		if (p->same < p->node->len || p->node->len == key->len)
			return;
		p->above_slot = p->slot;
		p->above = p->link;
		p->slot = &p->node->child[prefix_bit(key->words, p->node->len)];
	}
}

static bool is_same_prefix(const struct place *p, const struct prefix *key)
{
	return p->link && p->same == key->len && p->node->len == key->len;
}

static bool is_present(const struct place *p, const struct prefix *key)
{
	return is_same_prefix(p, key) && link_pool(p->link) == ELEMENT;
}

static void change_begin(const struct trie *trie, struct change *change)
{
	memset(change, 0, sizeof(*change));
	change->count = trie->control->count;
	for (u32 i = 0; i < POOLS; i++) {
		change->pools[i].free = trie->control->pools[i].free;
		change->pools[i].used = trie->control->pools[i].used;
	}
}

static void change_slot(const struct trie *trie, struct change *change, const u64 *slot, u64 link)
{
	change->slot = (u64)((const u8 *)slot - (const u8 *)trie->control);
	change->link = link;
}

/* Brings in the memory of the next nodes. */
static cold int pool_grow(const struct trie *trie, const struct pool *pool,
			  struct pool_state *state)
{
	const u64 chunk = MAX(CHUNK_BYTES / pool->stride, 1u);
	const u32 count = (u32)MIN(pool->count - state->populated, chunk);
	const u8 *from = pool->nodes + state->populated * pool->stride;
	const struct region *region = &trie->map->object.region;
	int err = region_populate(region, (u64)(from - region->base), count * pool->stride);

	if (!err)
		store_release(&state->populated, state->populated + count);
	return err;
}

/* A free node, of which the change may make anything, and its link. 0 or -ENOMEM. */
static int take(const struct trie *trie, struct change *change, u32 kind, struct node **node,
		u64 *link)
{
	const struct pool *pool = &trie->pools[kind];
	struct pool_change *to = &change->pools[kind];
	struct pool_state *state = &trie->control->pools[kind];
	u32 nr = to->free - 1;
	int err;

	if (to->free && nr < pool->count) {
		*node = node_at(pool, nr);
		to->free = (*node)->next;
	} else {
		nr = to->used;
		if (nr >= pool->count)
			return -ENOMEM;
		err = nr < state->populated ? 0 : pool_grow(trie, pool, state);
		if (err)
			return err;
		*node = node_at(pool, nr);
		to->used++;
	}
	*link = (u64)((*node)->generation & GENERATIONS) << 33 | (u64)kind << 32 | (nr + 1);
	return 0;
}

static void retire(struct change *change, u64 link)
{
	struct pool_change *pool = &change->pools[link_pool(link)];

	pool->retired = link;
	pool->next = pool->free;
	pool->free = (u32)link;
}

static void node_fill(const struct trie *trie, struct node *node, u32 len, const u64 *words)
{
	store_relaxed(&node->len, len);
	for (u32 i = 0; i < trie->words; i++)
		store_relaxed(&node->data[i], words[i]);
}

static void children_fill(struct node *node, u64 first, u64 second)
{
	store_relaxed(&node->child[0], first);
	store_relaxed(&node->child[1], second);
}

/* A branch above the element that has just been filled and what was in its place. */
static int split(const struct trie *trie, struct change *change, const struct prefix *key,
		 const struct place *p, u64 element)
{
	const u32 side = prefix_bit(key->words, p->same);
	struct node *branch;
	u64 link;
	int err = take(trie, change, BRANCH, &branch, &link);

	if (err)
		return err;
	node_fill(trie, branch, p->same, key->words);
	children_fill(branch, side ? p->link : element, side ? element : p->link);
	change_slot(trie, change, p->slot, link);
	return 0;
}

/* Puts the element, which has its prefix and its value, where it belongs. */
static int put(const struct trie *trie, struct change *change, const struct prefix *key,
	       const struct place *p, struct node *element, u64 link)
{
	change_slot(trie, change, p->slot, link);
	children_fill(element, 0, 0);
	if (!p->link)
		return 0;
	if (is_same_prefix(p, key)) {
		children_fill(element, p->node->child[0], p->node->child[1]);
		retire(change, p->link);
		return 0;
	}
	if (p->same < key->len)
		return split(trie, change, key, p, link);
	store_relaxed(&element->child[prefix_bit(p->node->data, key->len)], p->link);
	return 0;
}

/* Where there will be something. */
static void mark(const struct trie *trie, const struct prefix *key)
{
	u32 nr = slot_number(trie, key);

	if (key->len < trie->bits)
		store_release(&trie->control->lengths, trie->control->lengths | 1u << key->len);
	for (; nr; nr >>= 1)
		trie->marks[nr / 64] |= 1ull << nr % 64;
}

static int update_locked(const struct trie *trie, const struct prefix *key, const void *value,
			 u64 flags)
{
	struct change change;
	struct node *element;
	struct place p;
	bool present;
	u64 link;
	int err;

	locate(trie, key, &p);
	present = is_present(&p, key);
	if (present && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!present && flags == BPF_EXIST)
		return -ENOENT;
	if (!present && trie->control->count >= trie->map->max_entries)
		return -ENOSPC;
	change_begin(trie, &change);
	err = take(trie, &change, ELEMENT, &element, &link);
	if (err)
		return err;
	node_fill(trie, element, key->len, key->words);
	value_write(node_value(trie, element), value, trie->map->value_size);
	err = put(trie, &change, key, &p, element, link);
	if (err)
		return err;
	change.count += !present;
	mark(trie, key);
	change_commit(trie, &change);
	return 0;
}

static int trie_update(struct map *map, const void *bytes, const void *value, u64 flags)
{
	const struct trie *trie = trie_of(map);
	struct prefix key;
	int err;

	prefix_read(&key, bytes, trie->data_size);
	if (flags > BPF_EXIST || key.len > max_len(trie))
		return -EINVAL;
	err = trie_lock(trie);
	if (err)
		return err;
	err = update_locked(trie, &key, value, flags);
	trie_unlock(trie);
	return err;
}

/* An element with two children leaves a branch. */
static int replace_by_branch(const struct trie *trie, struct change *change, const struct place *p)
{
	struct node *branch;
	u64 link;
	int err = take(trie, change, BRANCH, &branch, &link);

	if (err)
		return err;
	node_fill(trie, branch, p->node->len, p->node->data);
	children_fill(branch, p->node->child[0], p->node->child[1]);
	change_slot(trie, change, p->slot, link);
	return 0;
}

static int delete_locked(const struct trie *trie, const struct prefix *key)
{
	struct node *above;
	struct change change;
	struct place p;
	u64 *child;
	int err = 0;

	locate(trie, key, &p);
	if (!is_present(&p, key))
		return -ENOENT;
	child = p.node->child;
	change_begin(trie, &change);
	if (child[0] && child[1]) {
		err = replace_by_branch(trie, &change, &p);
	} else if (!child[0] && !child[1] && p.above && link_pool(p.above) == BRANCH) {
		above = node_of(trie, p.above); /* which has but one child now */
		change_slot(trie, &change, p.above_slot,
			    above->child[p.slot == &above->child[0]]);
		retire(&change, p.above);
	} else {
		change_slot(trie, &change, p.slot, child[0] | child[1]);
	}
	if (err)
		return err;
	retire(&change, p.link);
	change.count--;
	change_commit(trie, &change);
	return 0;
}

static int trie_delete(struct map *map, const void *bytes)
{
	const struct trie *trie = trie_of(map);
	struct prefix key;
	int err;

	prefix_read(&key, bytes, trie->data_size);
	if (key.len > max_len(trie))
		return -EINVAL;
	err = trie_lock(trie);
	if (err)
		return err;
	err = delete_locked(trie, &key);
	trie_unlock(trie);
	return err;
}

static void *trie_value_at(struct map *map, const void *address)
{
	const struct trie *trie = trie_of(map);
	const struct pool *pool = &trie->pools[ELEMENT];
	const u32 populated = load_acquire(&trie->control->pools[ELEMENT].populated);

	return value_containing(pool->nodes + trie->value_offset, MIN(populated, pool->count),
				pool->stride, map->value_size, address);
}

/* Creation */

/* The kernel's node, key and value are one allocation. */
#define VALUE_MAX (MAP_VALUE_MAX - MAX_DATA - 24)

static cold int trie_check(struct map_spec *spec)
{
	if (!spec->max_entries || !(spec->flags & BPF_F_NO_PREALLOC) ||
	    spec->key_size < sizeof(u32) + 1 || spec->key_size > sizeof(u32) + MAX_DATA ||
	    !spec->value_size || spec->value_size > VALUE_MAX)
		return -EINVAL;
	return 0;
}

static cold int trie_check_btf(const struct map_spec *spec)
{
	const struct btf_type *key = btf_type(spec->btf, spec->btf_key_type_id);

	return key && BTF_INFO_KIND(key->info) == BTF_KIND_STRUCT ? 0 : -EINVAL;
}

/* Where everything lies, from the start of the control data. */
struct shape {
	u32 bits;
	u32 value_offset;
	u64 marks_at, index_at, hints_at, end;
	struct {
		u64 at, stride;
		u32 count;
	} pools[POOLS];
};

static cold void pool_shape(struct shape *s, u32 kind, u64 size, u64 count)
{
	const u64 stride = ROUND_UP(size, 64);

	s->pools[kind].at = ROUND_UP(s->end, PAGE_BYTES);
	s->pools[kind].stride = stride;
	s->pools[kind].count = (u32)MIN(MIN(count, (u64)MAX_NODES), POOL_BYTES / stride);
	s->end = s->pools[kind].at + s->pools[kind].count * stride;
}

static cold void shape_of(struct shape *s, u32 data_size, u32 value_size, u32 max_entries)
{
	const u32 most = MIN(MAX_INDEX_BITS, data_size * 8);

	s->bits = 1;
	while (s->bits < most && 1ull << s->bits < max_entries)
		s->bits++;
	s->value_offset = (u32)sizeof(struct node) + ROUND_UP(data_size, 8);
	s->marks_at = sizeof(struct trie_control);
	s->index_at = s->marks_at + ROUND_UP((2u << s->bits) / 8, 64);
	s->hints_at = s->index_at + (2ull << s->bits) * sizeof(u64);
	s->end = s->hints_at + (data_size * 8 > HINT_BITS ? (2ull << s->bits) * sizeof(u64) : 0);
	pool_shape(s, ELEMENT, s->value_offset + (u64)value_size, max_entries + 1ull);
	pool_shape(s, BRANCH, s->value_offset, max_entries);
}

static cold void trie_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	struct shape s;

	(void)ncpus;
	shape_of(&s, spec->key_size - (u32)sizeof(u32), spec->value_size, spec->max_entries);
	layout->control_size = s.end;
	layout->flags = REGION_SPARSE;
}

static cold int trie_init(struct map *map)
{
	const struct region *region = &map->object.region;
	struct shape s;

	shape_of(&s, map->key_size - (u32)sizeof(u32), map->value_size, map->max_entries);
	return region_populate(region, region->data_size,
			       sizeof(struct map_header) + s.pools[ELEMENT].at);
}

static cold int trie_attach(struct map *map)
{
	struct trie *trie = memory_alloc(sizeof(*trie));
	u8 *control = map->private;
	struct shape s;

	if (!trie)
		return -ENOMEM;
	shape_of(&s, map->key_size - (u32)sizeof(u32), map->value_size, map->max_entries);
	trie->control = map->private;
	trie->marks = (u64 *)(void *)(control + s.marks_at);
	trie->index = (u64 *)(void *)(control + s.index_at);
	trie->hints = (u64 *)(void *)(control + s.hints_at);
	trie->bits = s.bits;
	trie->data_size = map->key_size - (u32)sizeof(u32);
	trie->words = (trie->data_size + 7) / 8;
	trie->value_offset = s.value_offset;
	trie->map = map;
	for (u32 i = 0; i < POOLS; i++)
		trie->pools[i] = (struct pool){control + s.pools[i].at, s.pools[i].stride,
					       s.pools[i].count};
	map->local = trie;
	return 0;
}

static cold void trie_detach(struct map *map)
{
	memory_free(map->local);
	map->local = NULL;
}

const struct map_ops lpm_trie_map_ops = {
	.name = "lpm_trie",
	.traits = MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE | MAP_BATCH_DELETE,
	.helpers = MAP_H_LOOKUP | MAP_H_UPDATE | MAP_H_DELETE,
	.create_flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY |
			BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
	.update_flags = BPF_EXIST,
	.lookup = trie_lookup,
	.update = trie_update,
	.delete = trie_delete,
	.value_at = trie_value_at,
	.copy_value = trie_copy_value,
	.update_user = trie_update,
	.get_next_key = trie_get_next_key,
	.check = trie_check,
	.check_btf = trie_check_btf,
	.layout = trie_layout,
	.init = trie_init,
	.attach = trie_attach,
	.detach = trie_detach,
	.is_valid = trie_is_valid,
};
