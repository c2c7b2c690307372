/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object_misuse.bpf.c: programs with objects of their own that the kernel refuses to load, and
 * userbpf stops (test_object_misuse.c).
 */
#include "local_object.bpf.h"

/* test_object_misuse.c tags the pointer, which clang 14 cannot. */
struct slots {
	struct plain *plain;
};

private(list) struct bpf_spin_lock list_lock;
private(list) struct bpf_list_head list contains(item, link);
private(tree) struct bpf_spin_lock tree_lock;
private(tree) struct bpf_rb_root tree contains(shared, node);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slots);
} slots SEC(".maps");

SEC("?tc") int leak(struct __sk_buff *skb)
{
	struct plain *plain = new(struct plain);

	if (plain)
		plain->key = 1;
	return 0;
}

SEC("?tc") int drop_twice(struct __sk_buff *skb)
{
	struct plain *plain = new(struct plain);

	if (!plain)
		return 0;
	drop(plain);
	drop(plain);
	return 0;
}

SEC("?tc") int load_after_drop(struct __sk_buff *skb)
{
	struct plain *plain = new(struct plain);

	if (!plain)
		return 0;
	drop(plain);
	return (int)*(volatile __u64 *)&plain->key;
}

SEC("?tc") int store_to_node(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	*(volatile __u64 *)&item->link = 1;
	drop(item);
	return 0;
}

SEC("?tc") int push_without_lock(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (item)
		bpf_list_push_back_impl(&list, &item->link, NULL, 0);
	return 0;
}

SEC("?tc") int push_with_other_lock(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&tree_lock);
	bpf_list_push_back_impl(&list, &item->link, NULL, 0);
	bpf_spin_unlock(&tree_lock);
	return 0;
}

SEC("?tc") int push_twice(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&list_lock);
	bpf_list_push_back_impl(&list, &item->link, NULL, 0);
	bpf_list_push_back_impl(&list, &item->link, NULL, 0);
	bpf_spin_unlock(&list_lock);
	return 0;
}

SEC("?tc") int node(struct __sk_buff *skb)
{
	struct shared *shared = new(struct shared);

	if (!shared)
		return 0;
	bpf_spin_lock(&list_lock);
	bpf_list_push_back_impl(&list, &shared->link, NULL, 0);
	bpf_spin_unlock(&list_lock);
	return 0;
}

static bool unlocks(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_spin_unlock(&tree_lock);
	bpf_spin_lock(&tree_lock);
	return false;
}

static bool removes(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	struct bpf_rb_node *node = bpf_rbtree_remove(&tree, (struct bpf_rb_node *)b);

	if (node)
		bpf_rbtree_add_impl(&tree, node, unlocks, NULL, 0);
	return false;
}

/* The callback is asked when there is one to compare with. */
static __always_inline void add_two(bool (*less)(struct bpf_rb_node *a, const struct bpf_rb_node *b))
{
	for (int i = 0; i < 2; i++) {
		struct shared *shared = new(struct shared);

		if (!shared)
			return;
		bpf_spin_lock(&tree_lock);
		bpf_rbtree_add_impl(&tree, &shared->node, less, NULL, 0);
		bpf_spin_unlock(&tree_lock);
	}
}

SEC("?tc") int less_unlocks(struct __sk_buff *skb)
{
	add_two(unlocks);
	return 0;
}

SEC("?tc") int less_removes(struct __sk_buff *skb)
{
	add_two(removes);
	return 0;
}

SEC("?tc") int refcount(struct __sk_buff *skb)
{
	struct item *item = new(struct item), *more;

	if (!item)
		return 0;
	more = bpf_refcount_acquire_impl(item, NULL);
	if (more)
		drop(more);
	drop(item);
	return 0;
}

SEC("?tc") int pointer(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct item *item = slot ? new(struct item) : NULL;

	if (item)
		item = bpf_kptr_xchg(&slot->plain, item);
	if (item)
		drop(item);
	return 0;
}

/* What is refused at load everywhere; test_object_misuse.c has why. */

struct copied {
	struct {
		__u8 bytes[300];
	} parts[2];
};

struct pointing {
	void *to;
};

#define TYPE(name, make, drop, id)                                                                 \
	SEC("?tc") int type_##name(struct __sk_buff *skb)                                          \
	{                                                                                          \
		void *object = make(id, NULL);                                                     \
                                                                                                   \
		if (object)                                                                        \
			drop(object, NULL);                                                        \
		return 0;                                                                          \
	}
#define OF(type) bpf_core_type_id_local(type)

TYPE(none, bpf_obj_new_impl, bpf_obj_drop_impl, 0x7fffffff)
TYPE(zero, bpf_obj_new_impl, bpf_obj_drop_impl, 0)
TYPE(long, bpf_obj_new_impl, bpf_obj_drop_impl, 1ull << 32 | 1)
TYPE(number, bpf_obj_new_impl, bpf_obj_drop_impl, OF(__u32))
TYPE(size, bpf_percpu_obj_new_impl, bpf_percpu_obj_drop_impl, OF(struct copied))
TYPE(pointer, bpf_percpu_obj_new_impl, bpf_percpu_obj_drop_impl, OF(struct pointing))
TYPE(field, bpf_percpu_obj_new_impl, bpf_percpu_obj_drop_impl, OF(struct item))

char LICENSE[] SEC("license") = "GPL";
