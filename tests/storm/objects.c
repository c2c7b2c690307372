/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * objects.c: the storm on objects of programs, in a list and in a tree of one value, under its lock.
 * An object names its writer and its number there. None comes twice, none is missing, those of one
 * writer leave the list in their order, and the tree is sorted. A death costs one object at most.
 */
#include "storm.h"

#include <stdio.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "btf/collection.h"
#include "btf/local_object.h"
#include "maps/fields.h"

#define NUMBERS (16u << 20) /* of each writer, and after them no more is put in */
#define DEPTH 8		    /* at which a tree is cut into, at most */

enum { LIST, TREE, KINDS, HANDS = KINDS };
enum { VALUE = 3, ITEM = 9, LEAF }; /* types of the BTF */

struct item {
	uint64_t name;
	struct list_node link;
};

struct leaf {
	uint64_t name;
	struct rb_node node;
};

struct value {
	struct lock lock;
	uint32_t unused; /* roots are aligned to 8 bytes */
	struct list_head list;
	struct rb_root tree;
};

static int map_fd;
static struct map *map; /* the same in all processes, which have inherited it */
static struct value *value;
static struct collection list, tree;
static struct popped {
	uint8_t is_popped[KINDS][WRITERS][NUMBERS / 8];
} *popped;

#define STRUCT(members) (4u << 24 | (members))

static int load_btf(void)
{
	static const struct {
		struct btf_header header;
		uint32_t types[64];
		char strings[144];
	} btf = {
		{0xeb9f, 1, 0, 24, 0, 256, 256, 144},
		{1, 1u << 24, 4, 32, /* int */
		 5, 1u << 24, 8, 64, /* long */
		 100, STRUCT(3), sizeof(struct value), 0, 4, 0, 0, 5, 64, 0, 7, 192,
		 10, STRUCT(1), 4, 0, 1, 0, /* bpf_spin_lock */
		 24, STRUCT(0), 16, 38, STRUCT(0), 24, /* bpf_list_head, _node */
		 52, STRUCT(0), 16, 64, STRUCT(0), 32, /* bpf_rb_root, _node */
		 76, STRUCT(2), sizeof(struct item), 96, 2, 0, 86, 6, 64,
		 81, STRUCT(2), sizeof(struct leaf), 96, 2, 0, 91, 8, 64,
		 106, 17u << 24, VALUE, 1, 125, 17u << 24, VALUE, 2},
		"\0int\0long\0bpf_spin_lock\0bpf_list_head\0bpf_list_node\0bpf_rb_root\0"
		"bpf_rb_node\0item\0leaf\0link\0node\0key\0value\0contains:item:link\0"
		"contains:leaf:node",
	};
	union bpf_attr attr = {.btf = PTR_U64(&btf), .btf_size = sizeof(btf)};

	return (int)bpf_call(BPF_BTF_LOAD, PTR_U64(&attr), sizeof(attr));
}

static void create(void)
{
	const int btf = load_btf();
	struct object *object;

	popped = mmap(NULL, sizeof(*popped), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	map_fd = storm_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct value), 1, 0, -1, btf);
	close(btf);
	if (popped == MAP_FAILED || object_from_fd(map_fd, OBJECT_MAP, &object, NULL)) {
		printf("# no map of objects\n");
		_exit(1);
	}
	map = map_of(object);
	value = map->ops->lookup(map, &(uint32_t){0});
	list = (struct collection){&map->types->heap, &value->list, 1};
	tree = (struct collection){&map->types->heap, &value->tree, 2};
}

/* A change that was interrupted under the lock has happened or not. */
static void settle(struct storm_log *log, unsigned writer)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		log->excused[kind] += log->popping[kind] + (log->pushing[kind] != log->pushed[kind]);
		log->pushed[kind] = log->pushing[kind];
		log->popping[kind] = false;
	}
	log->excused[HANDS] += log->in_place[HANDS][0];
	log->in_place[HANDS][0] = false;
}

/* There may be an object that nobody else knows. */
static void has_in_hands(struct storm_log *log, bool has)
{
	note();
	log->in_place[HANDS][0] = has;
	note();
}

/* Its owner may be a process that is dying and gets no turn. */
static void lock(struct storm_log *log)
{
	const uint64_t start = storm_now();

	while (value_lock(map, value))
		;
	log->calls++;
	log->slowest = MAX(log->slowest, storm_now() - start);
}

static int is_less(void *context, struct rb_node *a, struct rb_node *b)
{
	return container_of(a, struct leaf, node)->name < container_of(b, struct leaf, node)->name;
}

static void put(struct storm_log *log, unsigned kind, unsigned writer)
{
	struct local_object *object;
	struct item *item;
	struct leaf *leaf;

	if (log->pushed[kind] == NUMBERS)
		return;
	has_in_hands(log, true);
	object = local_object_new(map->types, kind == LIST ? ITEM : LEAF, 0);
	item = local_memory(object);
	leaf = local_memory(object);
	item->name = (uint64_t)writer << 32 | log->pushed[kind];
	lock(log);
	log->pushing[kind]++;
	note();
	EXPECT(log, !(kind == LIST ? list_push(&list, &item->link, true)
				   : rbtree_add(&tree, &leaf->node, is_less, NULL)));
	note();
	log->pushed[kind]++;
	note();
	value_unlock(map, value);
	has_in_hands(log, false);
}

/* The first one, or one on the way down to somewhere. */
static struct rb_node *choose(struct storm_log *log, uint32_t random)
{
	struct rb_node *node = random % 4 ? rbtree_top(&tree) : rbtree_first(&tree), *next;

	for (uint32_t depth = random % 4 ? random / 4 % DEPTH : 0; node && depth; depth--) {
		const bool right = random >> (8 + depth) & 1;

		next = rbtree_child(&tree, node, right);
		EXPECT(log, !next || is_less(NULL, node, next) == right);
		node = next ?: node;
	}
	return node;
}

static struct rb_node *cut(struct storm_log *log, uint32_t random)
{
	struct rb_node *node = choose(log, random);

	EXPECT(log, !node || rbtree_remove(&tree, node));
	return node;
}

/* Not taken before, and from the front of the list none that is older than one that came before. */
static bool is_right(struct storm_log *log, unsigned kind, uint64_t name, bool back)
{
	const uint64_t writer = name >> 32, n = (uint32_t)name;
	const uint8_t bit = (uint8_t)(1 << n % 8);

	if (writer >= WRITERS || n >= NUMBERS ||
	    (kind == LIST && !back && n < log->next[kind][writer]))
		return false;
	if (!back)
		log->next[kind][writer] = n + 1;
	return !(atomic_or(&popped->is_popped[kind][writer][n / 8], bit) & bit);
}

/* False: there is none. */
static bool take(struct storm_log *log, unsigned kind, uint32_t random)
{
	const bool back = random & 1;
	void *node;

	has_in_hands(log, true);
	lock(log);
	log->popping[kind] = true;
	note();
	node = kind == LIST ? (void *)list_pop(&list, back) : (void *)cut(log, random);
	if (node) {
		EXPECT(log, is_right(log, kind, ((uint64_t *)node)[-1], back));
		note();
		log->popped[kind]++;
	}
	note();
	log->popping[kind] = false;
	note();
	value_unlock(map, value);
	if (node)
		local_object_put(map->types, heap_object_at(list.heap, PTR_U64(node)));
	has_in_hands(log, false);
	return node;
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	if (random & 2)
		put(log, random & 1, writer);
	else
		take(log, random & 1, random >> 2);
}

static uint64_t count_objects(void)
{
	const struct local_object *object;
	uint64_t count = 0;

	for (uint32_t at = HEAP_OBJECT_MAX; heap_memory(list.heap, at, 16); at += 16) {
		object = heap_object_at(list.heap, PTR_U64(list.heap->base) + at);
		count += object && PTR_U64(object + 1) == PTR_U64(list.heap->base) + at;
	}
	return count;
}

/* What was put in and not taken out is there, but for what deaths excuse. */
static bool nothing_is_missing(struct storm_log *logs, unsigned kind)
{
	uint64_t pushed = 0, taken = 0, lost = 0, last = 0;

	for (struct rb_node *node; kind == TREE && (node = rbtree_first(&tree));) {
		EXPECT(logs, container_of(node, struct leaf, node)->name >= last);
		last = container_of(node, struct leaf, node)->name;
		take(logs, TREE, 0);
	}
	while (take(logs, kind, 0))
		;
	for (unsigned i = 0; i < WRITERS; i++) {
		pushed += logs[i].pushed[kind];
		taken += logs[i].popped[kind];
		lost += logs[i].excused[kind];
	}
	return taken <= pushed && pushed <= taken + lost;
}

/* A new value: what the old one held goes. */
static bool goes_with_the_value(struct storm_log *log, uint64_t objects)
{
	const struct value zeros = {0};
	const uint32_t key = 0;

	for (unsigned i = 0; i < KEYS; i++)
		put(log, i % KINDS, 0);
	return count_objects() == objects + KEYS &&
	       !map_call(log, BPF_MAP_UPDATE_ELEM, map_fd, &key, &zeros, BPF_ANY) &&
	       count_objects() == objects;
}

static bool verify(struct storm_log *logs)
{
	uint64_t excused = 0, objects;
	bool well = nothing_is_missing(logs, LIST);

	well = nothing_is_missing(logs, TREE) && well;
	objects = count_objects();
	for (unsigned i = 0; i < WRITERS; i++)
		excused += logs[i].excused[HANDS];
	well = well && objects <= excused && goes_with_the_value(logs, objects) && !logs->failures;
	if (!well)
		printf("# an object is missing, or %llu are left where deaths excuse %llu\n",
		       (unsigned long long)objects, (unsigned long long)excused);
	object_put(&map->object);
	munmap(popped, sizeof(*popped));
	close(map_fd);
	return well;
}

const struct family objects_family = {"objects", create, settle, step, verify};
