/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_object.bpf.c: programs that keep objects of their own types in lists and trees
 * (test_local_object.c). Those behind pointers are in kptr.bpf.c.
 */
#include "local_object.bpf.h"

struct leaf {
	__u64 key;
	struct bpf_rb_node node;
};

struct shelf {
	__u64 before;
	struct bpf_spin_lock lock;
	struct bpf_list_head items contains(item, link);
	__u64 after;
};

private(list) struct bpf_spin_lock list_lock;
private(list) struct bpf_list_head list contains(item, link);
private(tree) struct bpf_spin_lock tree_lock;
private(tree) struct bpf_rb_root tree contains(leaf, node);
private(shared) struct bpf_spin_lock shared_lock;
private(shared) struct bpf_list_head shared_list contains(shared, link);
private(shared) struct bpf_rb_root shared_tree contains(shared, node);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct shelf);
} shelves SEC(".maps");

SEC("tc") int list_push(struct __sk_buff *skb)
{
	for (__u32 i = 0; i < ITEMS && i < count; i++)
		if (push(&list_lock, &list, in[i]))
			return 1;
	return 0;
}

SEC("tc") int list_pop(struct __sk_buff *skb)
{
	for (__u32 i = 0; i < ITEMS && i < count; i++)
		seen[i] = pop(&list_lock, &list);
	return 0;
}

/* The first or last stays where it is. */
SEC("tc") int list_peek(struct __sk_buff *skb)
{
	struct bpf_list_node *node;
	int found = 0;

	bpf_spin_lock(&list_lock);
	node = back ? bpf_list_back(&list) : bpf_list_front(&list);
	if (node)
		found = (int)container(node, struct item, link)->key;
	bpf_spin_unlock(&list_lock);
	return found;
}

SEC("tc") int shelf_push(struct __sk_buff *skb)
{
	struct shelf *shelf = bpf_map_lookup_elem(&shelves, &key);

	if (!shelf)
		return 1;
	for (__u32 i = 0; i < ITEMS && i < count; i++)
		if (push(&shelf->lock, &shelf->items, in[i]))
			return 2;
	return 0;
}

SEC("tc") int shelf_pop(struct __sk_buff *skb)
{
	struct shelf *shelf = bpf_map_lookup_elem(&shelves, &key);

	if (!shelf)
		return 1;
	for (__u32 i = 0; i < ITEMS && i < count; i++)
		seen[i] = pop(&shelf->lock, &shelf->items);
	return 0;
}

static bool leaf_less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container(a, struct leaf, node)->key < container(b, struct leaf, node)->key;
}

SEC("tc") int tree_add(struct __sk_buff *skb)
{
	for (__u32 i = 0; i < ITEMS && i < count; i++) {
		struct leaf *leaf = new(struct leaf);

		if (!leaf)
			return 1;
		leaf->key = in[i];
		bpf_spin_lock(&tree_lock);
		bpf_rbtree_add_impl(&tree, &leaf->node, leaf_less, NULL, 0);
		bpf_spin_unlock(&tree_lock);
	}
	return 0;
}

/* Removes the smallest ones. */
SEC("tc") int tree_take(struct __sk_buff *skb)
{
	for (__u32 i = 0; i < ITEMS && i < count; i++) {
		struct bpf_rb_node *node;
		struct leaf *leaf;

		bpf_spin_lock(&tree_lock);
		node = bpf_rbtree_first(&tree);
		if (!node) {
			bpf_spin_unlock(&tree_lock);
			return (int)i;
		}
		node = bpf_rbtree_remove(&tree, node);
		bpf_spin_unlock(&tree_lock);
		if (!node)
			return -1;
		leaf = container(node, struct leaf, node);
		seen[i] = leaf->key;
		drop(leaf);
	}
	return ITEMS;
}

/* Goes from the root to a key, and notes the keys on its way. */
SEC("tc") int tree_path(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	__u32 i = 0;

	bpf_spin_lock(&tree_lock);
	node = bpf_rbtree_root(&tree);
	for (i = 0; i < 16 && node; i++) {
		__u64 at = container(node, struct leaf, node)->key;

		seen[i] = at;
		if (at == key)
			break;
		node = key < at ? bpf_rbtree_left(&tree, node) : bpf_rbtree_right(&tree, node);
	}
	bpf_spin_unlock(&tree_lock);
	return (int)i;
}

/* Removes one by its key, wherever it is. */
SEC("tc") int tree_remove(struct __sk_buff *skb)
{
	struct bpf_rb_node *node, *found = NULL;

	bpf_spin_lock(&tree_lock);
	node = bpf_rbtree_root(&tree);
	for (int i = 0; i < 16 && node; i++) {
		__u64 at = container(node, struct leaf, node)->key;

		if (at == key) {
			found = bpf_rbtree_remove(&tree, node);
			break;
		}
		node = key < at ? bpf_rbtree_left(&tree, node) : bpf_rbtree_right(&tree, node);
	}
	bpf_spin_unlock(&tree_lock);
	if (!found)
		return 1;
	drop(container(found, struct leaf, node));
	return 0;
}

static bool shared_less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container(a, struct shared, node)->key < container(b, struct shared, node)->key;
}

/* One object in a list and in a tree; in the list a second time it may not be. */
SEC("tc") int shared_add(struct __sk_buff *skb)
{
	struct shared *one = new(struct shared), *two, *three;
	int errs;

	if (!one)
		return 1;
	two = bpf_refcount_acquire_impl(one, NULL);
	three = bpf_refcount_acquire_impl(one, NULL);
	if (!two || !three) {
		if (two)
			drop(two);
		if (three)
			drop(three);
		drop(one);
		return 2;
	}
	one->key = key;
	bpf_spin_lock(&shared_lock);
	errs = bpf_list_push_back_impl(&shared_list, &one->link, NULL, 0);
	errs = errs * 100 + bpf_rbtree_add_impl(&shared_tree, &two->node, shared_less, NULL, 0);
	errs = errs * 100 + bpf_list_push_front_impl(&shared_list, &three->link, NULL, 0);
	bpf_spin_unlock(&shared_lock);
	return errs;
}

SEC("tc") int shared_take_list(struct __sk_buff *skb)
{
	struct bpf_list_node *node;
	struct shared *shared;

	bpf_spin_lock(&shared_lock);
	node = bpf_list_pop_front(&shared_list);
	bpf_spin_unlock(&shared_lock);
	if (!node)
		return 0;
	shared = container(node, struct shared, link);
	NOTE(0, shared->key);
	shared->key += 100;
	drop(shared);
	return 1;
}

SEC("tc") int shared_take_tree(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	struct shared *shared;

	bpf_spin_lock(&shared_lock);
	node = bpf_rbtree_first(&shared_tree);
	if (!node) {
		bpf_spin_unlock(&shared_lock);
		return 0;
	}
	node = bpf_rbtree_remove(&shared_tree, node);
	bpf_spin_unlock(&shared_lock);
	if (!node)
		return 2;
	shared = container(node, struct shared, node);
	NOTE(0, shared->key);
	drop(shared);
	return 1;
}

/* Who removed it from the tree no longer can. */
SEC("tc") int shared_remove_twice(struct __sk_buff *skb)
{
	struct bpf_rb_node *node, *again;
	struct shared *kept;
	int answer = 1;

	bpf_spin_lock(&shared_lock);
	node = bpf_rbtree_first(&shared_tree);
	if (!node) {
		bpf_spin_unlock(&shared_lock);
		return 0;
	}
	kept = bpf_refcount_acquire_impl(container(node, struct shared, node), NULL);
	node = bpf_rbtree_remove(&shared_tree, node);
	bpf_spin_unlock(&shared_lock);
	if (node)
		drop(container(node, struct shared, node));
	if (!kept)
		return 3;
	bpf_spin_lock(&shared_lock);
	again = bpf_rbtree_remove(&shared_tree, &kept->node);
	bpf_spin_unlock(&shared_lock);
	if (again) {
		drop(container(again, struct shared, node));
		answer = 4;
	}
	NOTE(0, kept->key);
	drop(kept);
	return answer;
}

/* A new object is made and dropped, over and over. */
SEC("tc") int churn(struct __sk_buff *skb)
{
	for (int i = 0; i < 1000; i++) {
		struct plain *plain = new(struct plain);

		if (!plain)
			return i + 1;
		drop(plain);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
