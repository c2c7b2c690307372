/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * collection.h: lists and trees of objects, as they lie in the bpf_list_head, bpf_list_node,
 * bpf_rb_root and bpf_rb_node of programs. Links are offsets in the heap.
 *
 * The caller holds the lock that protects the root. A dead holder's lock is taken over, so what a
 * change leaves half done must be recognisable: the chain of nodes in order is the truth and
 * changes by one store, all other links follow from it, and `changing` is set while they do not.
 * Whoever comes next makes them anew. Links may be anything: walks end.
 *
 * A node says which root it belongs to; nodes of refcounted objects may be offered to several roots
 * at a time, and one gets them.
 */
#ifndef BTF_COLLECTION_H
#define BTF_COLLECTION_H

#include "btf/heap.h"

struct list_head {
	u32 first, last;
	u32 changing;
	u32 unused;
};

struct list_node {
	u32 next, prev;
	u64 owner; /* 0: in no list */
	u64 unused;
};

struct rb_root {
	u32 first; /* of the chain: the smallest */
	u32 top;
	u32 changing;
	u32 unused;
};

struct rb_node {
	u32 next; /* of the chain */
	u32 parent; /* its offset; bit 0: this node is red */
	u64 owner;
	u32 child[2]; /* smaller, and not smaller */
	u64 unused;
};

/* A root, and the number by which its nodes know it, which is not 0. */
struct collection {
	struct heap *heap;
	void *root;
	u64 owner;
};

/* 0, or -EINVAL: the node belongs to a root already. */
int list_push(const struct collection *list, struct list_node *node, bool back);
/* NULL: it is empty. */
struct list_node *list_pop(const struct collection *list, bool back);
struct list_node *list_peek(const struct collection *list, bool back);

/* Does a come before b? 1, 0, or -errno to give up. */
typedef int (*rb_less)(void *context, struct rb_node *a, struct rb_node *b);

/* 0; -EINVAL: the node belongs to a root already; what less said. */
int rbtree_add(const struct collection *tree, struct rb_node *node, rb_less less, void *context);
/* False: it is not in this tree. */
bool rbtree_remove(const struct collection *tree, struct rb_node *node);
/* NULL: there is none. */
struct rb_node *rbtree_first(const struct collection *tree);
struct rb_node *rbtree_top(const struct collection *tree);
struct rb_node *rbtree_child(const struct collection *tree, struct rb_node *node, bool right);

/* What all nodes begin with. */
struct chain_node {
	u32 next, link;
	u64 owner;
};

/* Takes the whole chain from a root; the offset of its first node, or 0. */
static inline u32 collection_take(void *root)
{
	struct list_head *head = root;
	const u32 first = atomic_exchange(&head->first, 0);

	store_relaxed(&head->last, 0);
	store_relaxed(&head->changing, 0);
	return first;
}

#endif
