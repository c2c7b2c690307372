/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_collection.c: lists and trees of objects. A root is a field of a map's value or of an object,
 * and the lock beside it must be held. What the kernel's verifier proves of roots and nodes is looked at
 * here, in all engines.
 */
#include <errno.h>

#include "btf/collection.h"
#include "vm/kfuncs.h"
#include "vm/local_objects.h"

struct root {
	struct collection collection;
	const struct btf_field *field;
	struct btf_object *types;
};

static bool find_root(struct vm_run *run, u64 address, enum btf_field_kind kind, struct root *root)
{
	const char *name = kind == FIELD_RB_ROOT ? "bpf_rb_root" : "bpf_list_head";
	struct vm_field found;

	if (!vm_field_at(run, address, BTF_FIELD_BIT(kind), &found) || !found.types) {
		vm_faultf(run, "R1 does not point to a %s", name);
		return false;
	}
	if (!found.lock || run->spin_lock != found.lock) {
		vm_faultf(run, "the lock beside the %s is not held", name);
		return false;
	}
	*root = (struct root){{&found.types->heap, U64_PTR(address), found.owner},
			      found.field,
			      found.types};
	return true;
}

/* The object with such a node at this address; NULL after a fault. */
static struct local_object *find_node(struct vm_run *run, const struct root *root, u64 address)
{
	struct btf_object *types;
	struct local_object *object = vm_object_at(run, address, &types);

	if (object && types == root->types && object->type == root->field->type &&
	    address - PTR_U64(local_memory(object)) == root->field->node)
		return object;
	vm_faultf(run, "R2 is no node at offset %u of an object that the root may hold",
		  root->field->node);
	return NULL;
}

/* The run gets the object with this node, which was in a collection. */
static u64 taken(struct vm_run *run, const struct root *root, void *node)
{
	struct local_object *object = node ? heap_object_at(&root->types->heap, PTR_U64(node)) : NULL;

	return object && vm_reference_add(run, root->types, object) ? PTR_U64(node) : 0;
}

/* Who puts an object in gives his reference away, also in vain. */
static struct local_object *given(struct vm_run *run, const struct root *root, u64 node)
{
	struct local_object *object = find_node(run, root, node);

	if (object && vm_reference_remove(run, object))
		return object;
	if (object)
		vm_faultf(run, "R2 is no object of the program's own");
	return NULL;
}

static u64 push(struct vm_run *run, u64 head, u64 node, bool back)
{
	struct local_object *object;
	struct root root;
	int err;

	if (!find_root(run, head, FIELD_LIST_HEAD, &root))
		return 0;
	object = given(run, &root, node);
	if (!object)
		return 0;
	err = list_push(&root.collection, U64_PTR(node), back);
	if (err)
		local_object_put(root.types, object);
	return KFUNC_INT(err);
}

KFUNC_FN(list_push_front_impl)
{
	return push(run, r1, r2, false);
}

KFUNC_FN(list_push_back_impl)
{
	return push(run, r1, r2, true);
}

static u64 pop(struct vm_run *run, u64 head, bool back)
{
	struct root root;

	if (!find_root(run, head, FIELD_LIST_HEAD, &root))
		return 0;
	return taken(run, &root, list_pop(&root.collection, back));
}

KFUNC_FN(list_pop_front)
{
	return pop(run, r1, false);
}

KFUNC_FN(list_pop_back)
{
	return pop(run, r1, true);
}

static u64 peek(struct vm_run *run, u64 head, bool back)
{
	struct root root;

	if (!find_root(run, head, FIELD_LIST_HEAD, &root))
		return 0;
	return PTR_U64(list_peek(&root.collection, back));
}

KFUNC_FN(list_front)
{
	return peek(run, r1, false);
}

KFUNC_FN(list_back)
{
	return peek(run, r1, true);
}

/* Asks the program. */
struct question {
	struct vm_run *run;
	u32 callback;
};

static int is_less(void *context, struct rb_node *a, struct rb_node *b)
{
	const struct question *question = context;
	const u64 arguments[4] = {PTR_U64(a), PTR_U64(b), 0, 0};
	u64 answer;
	int err;

	question->run->comparing = true;
	err = vm_callback(question->run, question->callback, arguments, &answer);
	question->run->comparing = false;
	return err ? -EFAULT : answer != 0;
}

static bool find_tree_to_change(struct vm_run *run, u64 address, struct root *root)
{
	if (!run->comparing)
		return find_root(run, address, FIELD_RB_ROOT, root);
	vm_faultf(run, "the callback of a tree changes a tree");
	return false;
}

KFUNC_FN(rbtree_add_impl)
{
	struct question question = {run, (u32)r3};
	struct local_object *object;
	struct root root;
	int err;

	if (!find_tree_to_change(run, r1, &root))
		return 0;
	object = given(run, &root, r2);
	if (!object)
		return 0;
	err = rbtree_add(&root.collection, U64_PTR(r2), is_less, &question);
	if (err)
		local_object_put(root.types, object);
	return KFUNC_INT(err);
}

KFUNC_FN(rbtree_remove)
{
	struct root root;

	if (!find_tree_to_change(run, r1, &root) || !find_node(run, &root, r2))
		return 0;
	return rbtree_remove(&root.collection, U64_PTR(r2)) ? taken(run, &root, U64_PTR(r2)) : 0;
}

KFUNC_FN(rbtree_first)
{
	struct root root;

	return find_root(run, r1, FIELD_RB_ROOT, &root) ? PTR_U64(rbtree_first(&root.collection)) : 0;
}

KFUNC_FN(rbtree_root)
{
	struct root root;

	return find_root(run, r1, FIELD_RB_ROOT, &root) ? PTR_U64(rbtree_top(&root.collection)) : 0;
}

static u64 child(struct vm_run *run, u64 tree, u64 node, bool right)
{
	struct root root;

	if (!find_root(run, tree, FIELD_RB_ROOT, &root) || !find_node(run, &root, node))
		return 0;
	return PTR_U64(rbtree_child(&root.collection, U64_PTR(node), right));
}

KFUNC_FN(rbtree_left)
{
	return child(run, r1, r2, false);
}

KFUNC_FN(rbtree_right)
{
	return child(run, r1, r2, true);
}
