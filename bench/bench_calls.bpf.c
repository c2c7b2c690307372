/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench_calls.bpf.c: programs of types whose test runs know no repeat count, each with MAP_OPS
 * operations. Apart from the others because kernel functions want the BTF of the kernel at hand.
 */
#include "../tests/vm/local_object.bpf.h"

#include "bench_bpf.h"

#define MAP_TYPE_ARENA 33 /* Linux 6.9 */

const volatile __u32 pages; /* of a run, or nodes of the tree */
__u64 result;		    /* so that nothing is optimised away */
__u64 state = 1;
__u32 nodes;

struct {
	__uint(type, MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ARENA_PAGES);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1024);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

extern void *bpf_arena_alloc_pages(void *map, void *addr, __u32 page_cnt, int node_id,
				   __u64 flags) __ksym;
extern void bpf_arena_free_pages(void *map, void *ptr, __u32 page_cnt) __ksym;

struct leaf {
	__u64 key;
	struct bpf_rb_node node;
};

private(list) struct bpf_spin_lock list_lock;
private(list) struct bpf_list_head list contains(item, link);
private(tree) struct bpf_spin_lock tree_lock;
private(tree) struct bpf_rb_root tree contains(leaf, node);

#define REPEAT(n)                                                                                  \
	_Pragma("clang loop unroll(disable)") for (__u32 i = 0; i < (n); i++)

SEC("syscall") int arena_pages(void *ctx)
{
	REPEAT(MAP_OPS)
	{
		void *run = bpf_arena_alloc_pages(&arena, (void *)0, pages, -1, 0);

		if (run)
			bpf_arena_free_pages(&arena, run, pages);
	}
	return 0;
}

SEC("syscall") int object_new_drop(void *ctx)
{
	REPEAT(MAP_OPS)
	{
		struct item *item = new(struct item);

		if (!item)
			return 1;
		drop(item);
	}
	return 0;
}

/* One object goes in, and the first one comes out, each under the lock. */
SEC("syscall") int list_push_pop(void *ctx)
{
	struct bpf_list_node *node;
	struct item *item = new(struct item);

	if (!item)
		return 1;
	REPEAT(MAP_OPS)
	{
		bpf_spin_lock(&list_lock);
		bpf_list_push_back_impl(&list, &item->link, (void *)0, 0);
		bpf_spin_unlock(&list_lock);
		bpf_spin_lock(&list_lock);
		node = bpf_list_pop_front(&list);
		bpf_spin_unlock(&list_lock);
		if (!node)
			return 2;
		item = container(node, struct item, link);
	}
	drop(item);
	return 0;
}

static bool is_sooner(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container(a, struct leaf, node)->key < container(b, struct leaf, node)->key;
}

/* What is due at some time soon goes in, and what is due first comes out, as in a scheduler. */
static long add_remove(__u32 i, void *context)
{
	struct leaf *leaf = new(struct leaf);
	struct bpf_rb_node *node;

	if (!leaf)
		return 1;
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	leaf->key = ++result + (state >> 33) % (2 * pages);
	bpf_spin_lock(&tree_lock);
	bpf_rbtree_add_impl(&tree, &leaf->node, is_sooner, (void *)0, 0);
	bpf_spin_unlock(&tree_lock);
	if (nodes < pages) {
		nodes++;
		return 0;
	}
	bpf_spin_lock(&tree_lock);
	node = bpf_rbtree_first(&tree);
	if (!node) {
		bpf_spin_unlock(&tree_lock);
		return 1;
	}
	node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&tree_lock);
	if (!node)
		return 1;
	drop(container(node, struct leaf, node));
	return 0;
}

/* Not a loop of its own: the kernel's verifier would go through all its turns. */
SEC("syscall") int tree_add_remove(void *ctx)
{
	return bpf_loop(MAP_OPS, add_remove, (void *)0, 0) != MAP_OPS;
}

/* The same stack each time, as of a place that is come by often. */
SEC("raw_tracepoint/sys_enter") int stack_id(void *ctx)
{
	__u64 sum = 0;

	REPEAT(MAP_OPS)
		sum += bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	result = sum;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
