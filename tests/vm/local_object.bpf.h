/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_object.bpf.h: what programs with objects of their own share: the kernel's functions, a type
 * that can be in a list, and lists of it. What to do comes in global variables, what was found goes to
 * seen[].
 */
#ifndef TESTS_VM_LOCAL_OBJECT_BPF_H
#define TESTS_VM_LOCAL_OBJECT_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "local_object.h"

extern void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(__u64 type, void *meta) __ksym;
extern void bpf_percpu_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				    void *meta, __u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_back(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (*less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
					     struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root,
					   struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_right(struct bpf_rb_root *root,
					    struct bpf_rb_node *node) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define new(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define drop(object) bpf_obj_drop_impl(object, NULL)
#define container(node, type, member) ((type *)((void *)(node) - __builtin_offsetof(type, member)))

struct item {
	__u64 key;
	struct bpf_list_node link;
	__u64 value;
};

struct shared {
	__u64 key;
	struct bpf_list_node link;
	struct bpf_rb_node node;
	struct bpf_refcount refs;
};

struct plain {
	__u64 key;
};

__u32 count, back, key;
__u64 in[ITEMS], seen[ITEMS];

/* The index within the array, as the verifier can see. */
#define NOTE(at, what)                                                                             \
	do {                                                                                       \
		if ((at) < ITEMS)                                                                  \
			seen[at] = (what);                                                         \
	} while (0)

static __always_inline int push(struct bpf_spin_lock *lock, struct bpf_list_head *head, __u64 number)
{
	struct item *item = new(struct item);
	int err;

	if (!item)
		return -1;
	item->key = number;
	item->value = ~number;
	bpf_spin_lock(lock);
	err = back ? bpf_list_push_back_impl(head, &item->link, NULL, 0)
		   : bpf_list_push_front_impl(head, &item->link, NULL, 0);
	bpf_spin_unlock(lock);
	return err;
}

static __always_inline __u64 pop(struct bpf_spin_lock *lock, struct bpf_list_head *head)
{
	struct bpf_list_node *node;
	struct item *item;
	__u64 found;

	bpf_spin_lock(lock);
	node = back ? bpf_list_pop_back(head) : bpf_list_pop_front(head);
	bpf_spin_unlock(lock);
	if (!node)
		return 0;
	item = container(node, struct item, link);
	found = item->value == ~item->key ? item->key : 1000;
	drop(item);
	return found;
}

#endif
