/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * rbtree.c: red-black trees, see collection.h. The chain of next, from the smallest node on, is the
 * truth. Programs may look at the shape of a tree, so it is that of the kernel's trees after the same
 * additions and removals: no red node has a red child, all ways down meet as many black nodes, and
 * the place of a removed node with two children goes to the node that follows it.
 */
#include <errno.h>

#include "btf/collection.h"

#define NODES_MAX (HEAP_BYTES / sizeof(struct rb_node))
#define DEPTH_MAX 64 /* more than twice the logarithm of NODES_MAX */
#define RED 1u

enum { LEFT, RIGHT };

static struct rb_root *root_of(const struct collection *tree)
{
	return tree->root;
}

static struct rb_node *node_at(const struct collection *tree, u32 offset)
{
	return heap_memory(tree->heap, offset, sizeof(struct rb_node));
}

static u32 offset_of(const struct collection *tree, const struct rb_node *node)
{
	return node ? heap_offset(tree->heap, node) : 0;
}

static struct rb_node *child_of(const struct collection *tree, const struct rb_node *node, bool side)
{
	return node_at(tree, node->child[side]);
}

static struct rb_node *parent_of(const struct collection *tree, const struct rb_node *node)
{
	return node_at(tree, node->parent & ~RED);
}

static bool is_red(const struct rb_node *node)
{
	return node && node->parent & RED;
}

static void set_red(struct rb_node *node, bool red)
{
	if (node)
		node->parent = (node->parent & ~RED) | red;
}

static void set_parent(const struct collection *tree, struct rb_node *node,
		       const struct rb_node *parent)
{
	node->parent = offset_of(tree, parent) | (node->parent & RED);
}

/* On which side of its parent a child is, or nothing, if there is a child on the other side. */
static bool side_of(const struct collection *tree, const struct rb_node *parent,
		    const struct rb_node *child)
{
	return parent->child[RIGHT] == offset_of(tree, child);
}

/* new (or nothing) comes where old is below parent (or at the top). */
static void replace_child(const struct collection *tree, struct rb_node *parent,
			  const struct rb_node *old, const struct rb_node *new)
{
	if (parent)
		parent->child[side_of(tree, parent, old)] = offset_of(tree, new);
	else
		root_of(tree)->top = offset_of(tree, new);
}

/* Its child on the other side comes up, and it goes down to this side. False: there is none. */
static bool rotate(const struct collection *tree, struct rb_node *node, bool side)
{
	struct rb_node *up = child_of(tree, node, !side), *parent = parent_of(tree, node);
	struct rb_node *between;

	if (!up)
		return false;
	between = child_of(tree, up, side);
	node->child[!side] = offset_of(tree, between);
	if (between)
		set_parent(tree, between, node);
	replace_child(tree, parent, node, up);
	set_parent(tree, up, parent);
	up->child[side] = offset_of(tree, node);
	set_parent(tree, node, up);
	return true;
}

/* node is red, and so may its parent be. */
static void balance_added(const struct collection *tree, struct rb_node *node)
{
	struct rb_node *parent, *grandparent, *uncle;
	bool side;

	for (u32 depth = 0; depth < DEPTH_MAX; depth++) {
		parent = parent_of(tree, node);
		grandparent = is_red(parent) ? parent_of(tree, parent) : NULL;
		if (!parent)
			set_red(node, false);
		if (!grandparent)
			return;
		side = side_of(tree, grandparent, parent);
		uncle = child_of(tree, grandparent, !side);
		set_red(grandparent, true);
		if (is_red(uncle)) {
			set_red(parent, false);
			set_red(uncle, false);
			node = grandparent;
			continue;
		}
		if (side_of(tree, parent, node) != side) {
			rotate(tree, parent, side);
			parent = node;
		}
		set_red(parent, false);
		rotate(tree, grandparent, !side);
		return;
	}
}

/* The ways through node, or through nothing, below parent meet one black node too few. */
static void balance_removed(const struct collection *tree, struct rb_node *parent,
			    struct rb_node *node)
{
	struct rb_node *sibling;
	bool side;

	for (u32 steps = 0; parent && !is_red(node) && steps < 2 * DEPTH_MAX; steps++) {
		side = side_of(tree, parent, node);
		sibling = child_of(tree, parent, !side);
		if (!sibling)
			return;
		if (is_red(sibling)) {
			set_red(sibling, false);
			set_red(parent, true);
			rotate(tree, parent, side);
			continue;
		}
		if (!is_red(child_of(tree, sibling, LEFT)) &&
		    !is_red(child_of(tree, sibling, RIGHT))) {
			set_red(sibling, true);
			node = parent;
			parent = parent_of(tree, node);
			continue;
		}
		if (!is_red(child_of(tree, sibling, !side))) {
			set_red(child_of(tree, sibling, side), false);
			set_red(sibling, true);
			rotate(tree, sibling, !side);
			sibling = child_of(tree, parent, !side);
		}
		set_red(sibling, is_red(parent));
		set_red(parent, false);
		set_red(child_of(tree, sibling, !side), false);
		rotate(tree, parent, side);
		return;
	}
	if (node)
		set_red(node, false);
}

static void change_begin(const struct collection *tree)
{
	store_release(&root_of(tree)->changing, 1);
	fence_release();
}

static void change_end(const struct collection *tree)
{
	store_release(&root_of(tree)->changing, 0);
}

static u32 count_nodes(const struct collection *tree)
{
	const struct rb_node *node;
	u32 nodes = 0;

	for (u32 at = root_of(tree)->first; (node = node_at(tree, at)); at = node->next)
		if (++nodes == NODES_MAX)
			break;
	return nodes;
}

/* A tree of the next nodes of the chain, as flat as can be, whose lowest level is red. */
static struct rb_node *build(const struct collection *tree, u32 *chain, u32 nodes, u32 levels)
{
	struct rb_node *left, *node, *right;

	if (!nodes)
		return NULL;
	left = build(tree, chain, nodes / 2, levels - 1);
	node = node_at(tree, *chain);
	if (!node)
		return left;
	*chain = node->next;
	right = build(tree, chain, nodes - nodes / 2 - 1, levels - 1);
	node->owner = tree->owner;
	node->child[LEFT] = offset_of(tree, left);
	node->child[RIGHT] = offset_of(tree, right);
	node->parent = levels == 1 ? RED : 0;
	if (left)
		set_parent(tree, left, node);
	if (right)
		set_parent(tree, right, node);
	return node;
}

static cold void repair(const struct collection *tree)
{
	struct rb_root *root = root_of(tree);
	const u32 nodes = count_nodes(tree);
	u32 chain = root->first, levels = 0;
	struct rb_node *top;

	while (nodes >> levels)
		levels++;
	top = build(tree, &chain, nodes, levels);
	root->top = offset_of(tree, top);
	if (top)
		top->parent = 0;
	change_end(tree);
}

static struct rb_root *intact(const struct collection *tree)
{
	if (unlikely(load_relaxed(&root_of(tree)->changing)))
		repair(tree);
	return root_of(tree);
}

/* Where a node would come to be. */
struct place {
	struct rb_node *parent, *before; /* NULL: at the top; first in the chain */
	bool side;
};

static int find_place(const struct collection *tree, struct rb_node *node, rb_less less,
		      void *context, struct place *place)
{
	struct rb_node *at = node_at(tree, root_of(tree)->top);
	int is_less;

	*place = (struct place){NULL, NULL, LEFT};
	for (u32 depth = 0; at && depth < DEPTH_MAX; depth++) {
		is_less = less(context, node, at);
		if (is_less < 0)
			return is_less;
		place->parent = at;
		place->side = is_less ? LEFT : RIGHT;
		if (!is_less)
			place->before = at;
		at = child_of(tree, at, place->side);
	}
	return 0;
}

static void insert(const struct collection *tree, struct rb_node *node, const struct place *place)
{
	const u32 at = offset_of(tree, node);
	u32 *chain = place->before ? &place->before->next : &root_of(tree)->first;

	node->child[LEFT] = node->child[RIGHT] = 0;
	node->parent = offset_of(tree, place->parent) | RED;
	node->next = *chain;
	change_begin(tree);
	store_release(chain, at);
	if (place->parent)
		place->parent->child[place->side] = at;
	else
		root_of(tree)->top = at;
	balance_added(tree, node);
	change_end(tree);
}

int rbtree_add(const struct collection *tree, struct rb_node *node, rb_less less, void *context)
{
	struct place place;
	u64 nobody = 0;
	int err;

	if (!atomic_cas(&node->owner, &nobody, tree->owner))
		return -EINVAL;
	intact(tree);
	err = find_place(tree, node, less, context, &place);
	if (err)
		store_release(&node->owner, 0);
	else
		insert(tree, node, &place);
	return err;
}

/* The last one on a side below a node, which may be itself. */
static struct rb_node *outermost(const struct collection *tree, struct rb_node *node, bool side)
{
	struct rb_node *child;

	for (u32 depth = 0; depth < DEPTH_MAX && (child = child_of(tree, node, side)); depth++)
		node = child;
	return node;
}

static struct rb_node *previous(const struct collection *tree, struct rb_node *node)
{
	struct rb_node *parent = child_of(tree, node, LEFT);

	if (parent)
		return outermost(tree, parent, RIGHT);
	for (u32 depth = 0; depth < DEPTH_MAX; depth++, node = parent) {
		parent = parent_of(tree, node);
		if (!parent || side_of(tree, parent, node) == RIGHT)
			return parent;
	}
	return NULL;
}

/* Who died may have left a node that says it is in the tree and is not: no way leads to it. */
static bool is_in(const struct collection *tree, const struct rb_node *node)
{
	const struct rb_node *parent;

	for (u32 depth = 0; depth < DEPTH_MAX && (parent = parent_of(tree, node)); depth++) {
		if (!side_of(tree, parent, node) && parent->child[LEFT] != offset_of(tree, node))
			return false;
		node = parent;
	}
	return root_of(tree)->top == offset_of(tree, node);
}

/* The only child, if any, takes the place of the node. */
static void unlink_node(const struct collection *tree, struct rb_node *node)
{
	struct rb_node *child = child_of(tree, node, LEFT) ?: child_of(tree, node, RIGHT);
	struct rb_node *parent = parent_of(tree, node);

	replace_child(tree, parent, node, child);
	if (child)
		set_parent(tree, child, parent);
	if (!is_red(node))
		balance_removed(tree, parent, child);
}

/* Two nodes change places, of which the second is the first one below the right of the first. */
static void exchange(const struct collection *tree, struct rb_node *node, struct rb_node *follower)
{
	struct rb_node *parent = parent_of(tree, node), *below = parent_of(tree, follower);
	struct rb_node *left = child_of(tree, node, LEFT), *right = child_of(tree, node, RIGHT);
	struct rb_node *child = child_of(tree, follower, RIGHT);
	const bool red = is_red(follower);

	replace_child(tree, parent, node, follower);
	follower->parent = node->parent;
	follower->child[LEFT] = offset_of(tree, left);
	if (left)
		set_parent(tree, left, follower);
	if (right == follower) {
		below = follower;
		follower->child[RIGHT] = offset_of(tree, node);
	} else {
		follower->child[RIGHT] = offset_of(tree, right);
		set_parent(tree, right, follower);
		replace_child(tree, below, follower, node);
	}
	node->child[LEFT] = 0;
	node->child[RIGHT] = offset_of(tree, child);
	if (child)
		set_parent(tree, child, node);
	node->parent = offset_of(tree, below) | red;
}

bool rbtree_remove(const struct collection *tree, struct rb_node *node)
{
	struct rb_node *before, *right;

	if (load_acquire(&node->owner) != tree->owner)
		return false;
	intact(tree);
	if (!is_in(tree, node))
		return false;
	before = previous(tree, node);
	change_begin(tree);
	store_release(before ? &before->next : &root_of(tree)->first, node->next);
	right = child_of(tree, node, RIGHT);
	if (child_of(tree, node, LEFT) && right)
		exchange(tree, node, outermost(tree, right, LEFT));
	unlink_node(tree, node);
	change_end(tree);
	store_release(&node->owner, 0);
	return true;
}

struct rb_node *rbtree_first(const struct collection *tree)
{
	return node_at(tree, intact(tree)->first);
}

struct rb_node *rbtree_top(const struct collection *tree)
{
	return node_at(tree, intact(tree)->top);
}

struct rb_node *rbtree_child(const struct collection *tree, struct rb_node *node, bool right)
{
	if (load_acquire(&node->owner) != tree->owner)
		return NULL;
	intact(tree);
	return is_in(tree, node) ? child_of(tree, node, right) : NULL;
}
