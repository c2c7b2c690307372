/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_collection.c: the heap of objects, and their lists and trees: against models, with links that
 * are nonsense, and with a process that is killed at each change of memory.
 */
#include "unit/die.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "btf/collection.h"

#define NODES 24
#define OWNER 77
#define WATCHED 4096u

struct item {
	uint64_t key;
	struct list_node link;
	struct rb_node node;
};

static struct region region;
static struct heap heap;
static struct item *items[NODES];
static void *roots;
static struct collection list, tree;

static void *make(u32 size)
{
	struct local_object *object = heap_alloc(&heap, 1, size);

	assert_non_null(object);
	return object + 1;
}

static int open_heap(void **state)
{
	region.size = HEAP_BYTES;
	region.base = mmap(NULL, region.size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	heap = (struct heap){&region, region.base};
	if (region.base == MAP_FAILED || heap_prepare(&heap))
		return -1;
	roots = make(sizeof(struct item)); /* of a size with them: what is watched is together */
	for (u32 i = 0; i < NODES; i++) {
		items[i] = make(sizeof(struct item));
		items[i]->key = i;
	}
	list = (struct collection){&heap, roots, OWNER};
	tree = (struct collection){&heap, (struct list_head *)roots + 1, OWNER + 1};
	return 0;
}

static int close_heap(void **state)
{
	return munmap(region.base, region.size);
}

/* The list against an array. */

static u32 in_list(const struct item **found)
{
	const struct list_head *head = list.root;
	const struct list_node *node;
	u32 count = 0, before = 0;

	list_peek(&list, false); /* repairs */
	for (u32 at = head->first; at; at = node->next) {
		node = heap_memory(&heap, at, sizeof(*node));
		assert_non_null(node);
		assert_int_equal(node->prev, before);
		assert_int_equal(node->owner, OWNER);
		assert_true(count < NODES);
		found[count++] = container_of(node, struct item, link);
		before = at;
	}
	assert_int_equal(head->last, before);
	assert_int_equal(head->changing, 0);
	return count;
}

static void check_list(struct item *const *wanted, u32 count)
{
	const struct item *found[NODES];

	assert_int_equal(in_list(found), count);
	for (u32 i = 0; i < count; i++)
		assert_ptr_equal(found[i], wanted[i]);
}

static void list_like_an_array(void **state)
{
	struct item *model[NODES];
	u32 count = 0;

	for (int round = 0; round < 20000; round++) {
		struct item *item = items[rand() % NODES];
		const bool back = rand() % 2, is_in = item->link.owner;

		if (rand() % 2) {
			assert_int_equal(list_push(&list, &item->link, back), is_in ? -EINVAL : 0);
			if (is_in)
				continue;
			if (!back)
				memmove(model + 1, model, count * sizeof(model[0]));
			model[back ? count : 0] = item;
			count++;
		} else if (count) {
			item = model[back ? count - 1 : 0];
			assert_ptr_equal(list_peek(&list, back), &item->link);
			assert_ptr_equal(list_pop(&list, back), &item->link);
			count--;
			if (!back)
				memmove(model, model + 1, count * sizeof(model[0]));
		} else {
			assert_null(list_pop(&list, back));
		}
		check_list(model, count);
	}
	while (list_pop(&list, true))
		;
}

/* The tree against a set. */

static int is_less(void *context, struct rb_node *a, struct rb_node *b)
{
	return container_of(a, struct item, node)->key < container_of(b, struct item, node)->key;
}

static const struct rb_node *node_at(u32 offset)
{
	return offset ? heap_memory(&heap, offset, sizeof(struct rb_node)) : NULL;
}

/* The number of black nodes on each way down; the chain is met in order. */
static u32 check_subtree(u32 at, u32 parent, bool parent_is_red, u32 *chain)
{
	const struct rb_node *node = node_at(at);
	bool red;
	u32 black;

	if (!node)
		return 1;
	red = node->parent & 1;
	assert_int_equal(node->parent & ~1u, parent);
	assert_int_equal(node->owner, OWNER + 1);
	assert_false(red && parent_is_red);
	black = check_subtree(node->child[0], at, red, chain);
	assert_int_equal(*chain, at);
	*chain = node->next;
	assert_int_equal(check_subtree(node->child[1], at, red, chain), black);
	return black + !red;
}

static void check_tree(u32 wanted)
{
	const struct rb_root *root = tree.root;
	u32 chain, found = 0;

	rbtree_first(&tree); /* repairs */
	chain = root->first;
	check_subtree(root->top, 0, false, &chain);
	assert_int_equal(chain, 0);
	assert_int_equal(root->changing, 0);
	for (u32 at = root->first; at; at = node_at(at)->next)
		found |= 1u << container_of(node_at(at), struct item, node)->key;
	assert_int_equal(found, wanted);
}

static void tree_like_a_set(void **state)
{
	u32 in = 0;

	for (int round = 0; round < 20000; round++) {
		const u32 i = (u32)rand() % NODES;
		const bool is_in = in >> i & 1;

		if (rand() % 2) {
			assert_int_equal(rbtree_add(&tree, &items[i]->node, is_less, NULL),
					 is_in ? -EINVAL : 0);
			in |= 1u << i;
		} else {
			assert_int_equal(rbtree_remove(&tree, &items[i]->node), is_in);
			in &= ~(1u << i);
		}
		check_tree(in);
	}
	for (u32 i = 0; i < NODES; i++)
		rbtree_remove(&tree, &items[i]->node);
	check_tree(0);
}

static int never(void *context, struct rb_node *a, struct rb_node *b)
{
	return -EFAULT;
}

static void who_cannot_compare_changes_nothing(void **state)
{
	assert_int_equal(rbtree_add(&tree, &items[0]->node, never, NULL), 0);
	assert_int_equal(rbtree_add(&tree, &items[1]->node, never, NULL), -EFAULT);
	check_tree(1);
	assert_int_equal(rbtree_add(&tree, &items[1]->node, is_less, NULL), 0);
	check_tree(3);
	rbtree_remove(&tree, &items[0]->node);
	rbtree_remove(&tree, &items[1]->node);
}

/* Death. What a dead process had in its hands belongs to nobody; all else is where it was. */

static void *saved;

static void save(void)
{
	memcpy(saved, heap.base + HEAP_OBJECT_MAX, WATCHED);
}

static void restore(void)
{
	memcpy(heap.base + HEAP_OBJECT_MAX, saved, WATCHED);
}

static void push_one(void *arg)
{
	(void)!list_push(&list, &items[NODES - 1]->link, *(bool *)arg);
}

static void pop_one(void *arg)
{
	list_pop(&list, *(bool *)arg);
}

static void die_everywhere(void (*run)(void *arg), void *arg, void (*check)(void *arg))
{
	const struct death death = {run, arg, heap.base + HEAP_OBJECT_MAX, WATCHED, false};
	unsigned place = 1;
	bool died;

	do {
		save();
		died = dies_at(&death, place++);
		check(arg);
		restore();
	} while (died);
	if (place <= 2)
		print_message("not traced\n");
}

static void check_pushed(void *arg)
{
	struct item *wanted[NODES];
	const struct item *found[NODES];
	const bool back = *(bool *)arg;
	const u32 count = in_list(found);

	for (u32 i = 0; i < 4; i++)
		wanted[i + (back ? 0 : count - 4)] = items[i];
	if (count == 5)
		wanted[back ? 4 : 0] = items[NODES - 1];
	assert_in_range(count, 4, 5);
	check_list(wanted, count);
}

static void check_popped(void *arg)
{
	const struct item *found[NODES];
	const u32 count = in_list(found);

	assert_in_range(count, 3, 4);
	check_list(items + (*(bool *)arg ? 0 : 4 - count), count);
}

static void deaths_in_lists(void **state)
{
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(list_push(&list, &items[i]->link, true), 0);
	for (int back = 0; back < 2; back++) {
		bool arg = back;

		die_everywhere(push_one, &arg, check_pushed);
		die_everywhere(pop_one, &arg, check_popped);
	}
	while (list_pop(&list, true))
		;
}

static void add_one(void *arg)
{
	(void)!rbtree_add(&tree, &items[*(u32 *)arg]->node, is_less, NULL);
}

static void remove_one(void *arg)
{
	rbtree_remove(&tree, &items[*(u32 *)arg]->node);
}

static u32 others;

static void check_rest(void *arg)
{
	const u32 one = 1u << *(u32 *)arg;
	u32 in = 0;

	for (u32 at = ((struct rb_root *)tree.root)->first; at; at = node_at(at)->next)
		in |= 1u << container_of(node_at(at), struct item, node)->key;
	assert_int_equal(in & ~one, others);
	check_tree(in);
}

static void deaths_in_trees(void **state)
{
	for (int round = 0; round < 60; round++) {
		u32 one;

		do
			others = (u32)rand() & ((1u << NODES) - 1);
		while (others == (1u << NODES) - 1);
		do
			one = (u32)rand() % NODES;
		while (others >> one & 1);
		for (u32 i = 0; i < NODES; i++)
			if (others >> i & 1)
				assert_int_equal(
					rbtree_add(&tree, &items[i]->node, is_less, NULL), 0);
		die_everywhere(add_one, &one, check_rest);
		add_one(&one);
		die_everywhere(remove_one, &one, check_rest);
		for (u32 i = 0; i < NODES; i++)
			rbtree_remove(&tree, &items[i]->node);
		check_tree(0);
	}
}

/* Others may have such an object in a list: there it is still one of theirs. */
static void who_died_adding_left_a_tree(void **state)
{
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(rbtree_add(&tree, &items[i]->node, is_less, NULL), 0);
	items[4]->node.owner = OWNER + 1;
	assert_null(rbtree_child(&tree, &items[4]->node, false));
	assert_false(rbtree_remove(&tree, &items[4]->node));
	check_tree(15);
	items[4]->node.parent = items[3]->node.parent;
	items[4]->node.child[0] = heap_offset(&heap, &items[0]->node);
	assert_false(rbtree_remove(&tree, &items[4]->node));
	check_tree(15);
	memset(&items[4]->node, 0, sizeof(items[4]->node));
	for (u32 i = 0; i < 4; i++)
		assert_true(rbtree_remove(&tree, &items[i]->node));
}

/* Whatever the links are, all ends, and nothing beyond the heap is touched. */
static void nonsense(void **state)
{
	for (int round = 0; round < 3000; round++) {
		save();
		for (u32 i = 0; i < 12; i++) {
			rbtree_add(&tree, &items[i]->node, is_less, NULL);
			list_push(&list, &items[i]->link, true);
		}
		for (int i = 0; i < 8; i++) {
			u32 *word = (u32 *)(void *)items[rand() % NODES] + rand() % 16;
			const u32 links[] = {(u32)rand(), 0, *word ^ 1, (u32)rand() % HEAP_BYTES,
					     heap_offset(&heap, &items[rand() % NODES]->node),
					     heap_offset(&heap, &items[rand() % NODES]->link)};

			*word = links[rand() % 6];
		}
		if (rand() % 3 == 0)
			((struct rb_root *)tree.root)->changing = 1;
		if (rand() % 3 == 0)
			((struct list_head *)list.root)->changing = 1;
		for (int i = 0; i < 30; i++) {
			struct item *item = items[rand() % NODES];

			rbtree_remove(&tree, &item->node);
			(void)!rbtree_add(&tree, &item->node, is_less, NULL);
			list_pop(&list, rand() % 2);
			(void)!list_push(&list, &item->link, rand() % 2);
		}
		restore();
	}
}

/* The heap. */

#define THREADS 4
#define HELD 64

static void *allocate(void *arg)
{
	const u32 mine = (u32)(uintptr_t)arg;
	unsigned seed = mine;
	struct local_object *held[HELD] = {NULL};

	for (int i = 0; i < 100000; i++) {
		const u32 at = (u32)rand_r(&seed) % HELD, size = 8u << rand_r(&seed) % 6;
		u32 *memory;

		if (held[at]) {
			memory = (u32 *)(held[at] + 1);
			if (memory[0] != mine || memory[1] != at)
				return "an object was given out twice";
			store_release(&held[at]->refs, 0);
			heap_free(&heap, held[at]);
			held[at] = NULL;
			continue;
		}
		held[at] = heap_alloc(&heap, mine, size);
		if (!held[at])
			return "no memory";
		memory = (u32 *)(held[at] + 1);
		for (u32 word = 0; word < size / 4; word++)
			if (memory[word])
				return "an object is not empty";
		if (heap_object_at(&heap, PTR_U64(memory) + size - 1) != held[at])
			return "an object is not found";
		memory[0] = mine;
		memory[1] = at;
	}
	return NULL;
}

static void threads_share_the_heap(void **state)
{
	pthread_t threads[THREADS];
	void *fault;

	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, allocate,
						(void *)(uintptr_t)(i + 1)),
				 0);
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &fault);
		if (fault)
			fail_msg("%s", (const char *)fault);
	}
}

/* A heap of its own, whose memory ends for a while. */
static void room_comes_back(void **state)
{
	struct region small = {.size = HEAP_BYTES};
	struct heap other = {&small, NULL};
	u8 *end;

	small.base = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(small.base, MAP_FAILED);
	other.base = small.base;
	end = small.base + 2 * HEAP_OBJECT_MAX;
	assert_int_equal(heap_prepare(&other), 0);
	assert_int_equal(mprotect(end, HEAP_BYTES - 2 * HEAP_OBJECT_MAX, PROT_NONE), 0);
	assert_non_null(heap_alloc(&other, 1, HEAP_OBJECT_MAX / 2));
	for (u32 i = 0; i < 2 * HEAP_BYTES / HEAP_OBJECT_MAX; i++)
		assert_null(heap_alloc(&other, 1, HEAP_OBJECT_MAX / 2));
	assert_null(heap_memory(&other, 2 * HEAP_OBJECT_MAX - 8, 16));
	assert_null(heap_memory(&other, 2 * HEAP_OBJECT_MAX, 16));
	assert_int_equal(mprotect(end, HEAP_BYTES - 2 * HEAP_OBJECT_MAX, PROT_READ | PROT_WRITE), 0);
	assert_non_null(heap_alloc(&other, 1, HEAP_OBJECT_MAX / 2));
	munmap(small.base, HEAP_BYTES);
}

static void a_full_heap_says_so(void **state)
{
	u32 count = 0;

	assert_null(heap_alloc(&heap, 1, HEAP_OBJECT_MAX));
	assert_null(heap_alloc(&heap, 1, UINT32_MAX));
	while (heap_alloc(&heap, 1, HEAP_OBJECT_MAX - sizeof(struct local_object)))
		count++;
	assert_in_range(count, HEAP_BYTES / HEAP_OBJECT_MAX - 64, HEAP_BYTES / HEAP_OBJECT_MAX);
	assert_null(heap_object_at(&heap, PTR_U64(heap.base)));
	assert_null(heap_object_at(&heap, PTR_U64(heap.base) + HEAP_BYTES));
	assert_null(heap_object_at(&heap, PTR_U64(heap.base) - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_like_an_array),
		cmocka_unit_test(tree_like_a_set),
		cmocka_unit_test(who_cannot_compare_changes_nothing),
		cmocka_unit_test(deaths_in_lists),
		cmocka_unit_test(deaths_in_trees),
		cmocka_unit_test(who_died_adding_left_a_tree),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(threads_share_the_heap),
		cmocka_unit_test(room_comes_back),
		cmocka_unit_test(a_full_heap_says_so),
	};

	saved = malloc(WATCHED);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_heap, close_heap);
}
