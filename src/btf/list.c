/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * list.c: doubly linked lists, see collection.h. The chain of next is the truth; prev and last follow
 * from it.
 */
#include <errno.h>

#include "btf/collection.h"

#define NODES_MAX (HEAP_BYTES / sizeof(struct list_node))

static struct list_head *head_of(const struct collection *list)
{
	return list->root;
}

static struct list_node *node_at(const struct collection *list, u32 offset)
{
	return heap_memory(list->heap, offset, sizeof(struct list_node));
}

static void change_begin(struct list_head *head)
{
	store_release(&head->changing, 1);
	fence_release();
}

static void change_end(struct list_head *head)
{
	store_release(&head->changing, 0);
}

static cold void repair(const struct collection *list)
{
	struct list_head *head = head_of(list);
	struct list_node *node;
	u32 last = 0, nodes = 0;

	for (u32 at = head->first; (node = node_at(list, at)); at = node->next) {
		if (nodes++ == NODES_MAX)
			break;
		store_relaxed(&node->prev, last);
		store_relaxed(&node->owner, list->owner);
		last = at;
	}
	store_relaxed(&head->last, last);
	change_end(head);
}

static struct list_head *intact(const struct collection *list)
{
	if (unlikely(load_relaxed(&head_of(list)->changing)))
		repair(list);
	return head_of(list);
}

static void push_front(const struct collection *list, struct list_node *node, u32 at)
{
	struct list_head *head = head_of(list);
	struct list_node *next = node_at(list, head->first);

	node->prev = 0;
	node->next = head->first;
	store_release(&head->first, at);
	store_relaxed(next ? &next->prev : &head->last, at);
}

static void push_back(const struct collection *list, struct list_node *node, u32 at)
{
	struct list_head *head = head_of(list);
	struct list_node *prev = node_at(list, head->last);

	node->prev = head->last;
	node->next = 0;
	store_release(prev ? &prev->next : &head->first, at);
	store_relaxed(&head->last, at);
}

int list_push(const struct collection *list, struct list_node *node, bool back)
{
	struct list_head *head;
	u64 nobody = 0;

	if (!atomic_cas(&node->owner, &nobody, list->owner))
		return -EINVAL;
	head = intact(list);
	change_begin(head);
	(back ? push_back : push_front)(list, node, heap_offset(list->heap, node));
	change_end(head);
	return 0;
}

static struct list_node *pop_front(const struct collection *list)
{
	struct list_head *head = head_of(list);
	struct list_node *node = node_at(list, head->first), *next;

	if (!node)
		return NULL;
	next = node_at(list, node->next);
	store_release(&head->first, node->next);
	store_relaxed(next ? &next->prev : &head->last, 0);
	return node;
}

static struct list_node *pop_back(const struct collection *list)
{
	struct list_head *head = head_of(list);
	struct list_node *node = node_at(list, head->last), *prev;

	if (!node)
		return NULL;
	prev = node_at(list, node->prev);
	store_release(prev ? &prev->next : &head->first, 0);
	store_relaxed(&head->last, node->prev);
	return node;
}

struct list_node *list_pop(const struct collection *list, bool back)
{
	struct list_head *head = intact(list);
	struct list_node *node;

	change_begin(head);
	node = back ? pop_back(list) : pop_front(list);
	change_end(head);
	if (node)
		store_release(&node->owner, 0);
	return node;
}

struct list_node *list_peek(const struct collection *list, bool back)
{
	const struct list_head *head = intact(list);

	return node_at(list, back ? head->last : head->first);
}
