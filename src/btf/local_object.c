/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_object.c: see local_object.h. Objects hold objects, in lists and trees and by pointers, in
 * chains of any length: those that must go wait in a list of their own, through the words that free
 * slots of the heap have for that.
 */
#include "btf/local_object.h"

#include "base/memory.h"
#include "btf/collection.h"

#define CHAIN_MAX (HEAP_BYTES / sizeof(struct list_node))

static struct local_type *make_type(const struct btf *btf, u32 id)
{
	struct local_type *type = memory_zalloc(1, sizeof(*type));

	if (!type)
		return NULL;
	type->size = btf->types[id]->size;
	if (!btf_object_fields(btf, id, &type->fields))
		return type;
	memory_free(type);
	return NULL;
}

const struct local_type *local_type_of(struct btf_object *types, u32 id)
{
	const struct btf *btf = &types->btf;
	struct local_type *type, *before = NULL;

	if (id >= btf->nr_types || BTF_INFO_KIND(btf->types[id]->info) != BTF_KIND_STRUCT)
		return NULL;
	type = load_acquire(&types->local[id]);
	if (likely(type))
		return type;
	type = make_type(btf, id);
	if (!type || atomic_cas(&types->local[id], &before, type))
		return type;
	memory_free(type);
	return before;
}

struct local_object *local_object_new(struct btf_object *types, u32 id, u32 copies)
{
	const struct local_type *type = local_type_of(types, id);
	struct local_object *object;

	if (!type || type->size > HEAP_OBJECT_MAX / MAX(copies, 1))
		return NULL;
	object = heap_alloc(&types->heap, id, local_stride(type) * MAX(copies, 1));
	if (object)
		object->copies = copies;
	return object;
}

bool local_object_get(struct local_object *object)
{
	u32 refs = load_relaxed(&object->refs);

	do
		if (!refs)
			return false;
	while (!atomic_cas(&object->refs, &refs, refs + 1));
	return true;
}

/* Without its last reference it is the next to go. */
static void drop(struct local_object **doomed, const struct heap *heap, struct local_object *object)
{
	u32 refs = load_relaxed(&object->refs);

	do
		if (!refs)
			return;
	while (!atomic_cas(&object->refs, &refs, refs - 1));
	if (refs > 1)
		return;
	store_relaxed(&object->next, *doomed ? heap_offset(heap, *doomed) : 0); /* see heap_alloc() */
	*doomed = object;
}

static void drop_chain(struct local_object **doomed, const struct heap *heap, u32 first)
{
	struct chain_node *node;
	struct local_object *object;
	u32 nodes = 0;

	for (u32 at = first; (node = heap_memory(heap, at, sizeof(*node)));) {
		object = heap_object_at(heap, PTR_U64(node));
		at = node->next;
		if (!object || nodes++ == CHAIN_MAX)
			return;
		store_release(&node->owner, 0);
		drop(doomed, heap, object);
	}
}

static void clear(struct local_object **doomed, const struct heap *heap,
		  const struct btf_field *field, u8 *memory)
{
	u64 *word = (u64 *)(void *)(memory + field->offset);
	struct local_object *object;

	if (BTF_FIELD_BIT(field->kind) & BTF_ROOTS) {
		drop_chain(doomed, heap, collection_take(memory + field->offset));
	} else if (field->kind == FIELD_KPTR) {
		object = heap_object_at(heap, heap_address(heap, atomic_exchange(word, 0)));
		if (object)
			drop(doomed, heap, object);
	}
}

static void free_doomed(struct btf_object *types, struct local_object *doomed)
{
	struct heap *heap = &types->heap;
	const struct local_type *type;
	struct local_object *object;

	while ((object = doomed)) {
		doomed = heap_memory(heap, object->next, sizeof(*object));
		type = object->copies ? NULL : local_type_of(types, object->type);
		for (u32 i = 0; type && i < type->fields.count; i++)
			clear(&doomed, heap, &type->fields.list[i], local_memory(object));
		heap_free(heap, object);
	}
}

void local_object_put(struct btf_object *types, struct local_object *object)
{
	struct local_object *doomed = NULL;

	drop(&doomed, &types->heap, object);
	free_doomed(types, doomed);
}

void local_field_clear(struct btf_object *types, const struct btf_field *field, void *memory)
{
	struct local_object *doomed = NULL;

	clear(&doomed, &types->heap, field, memory);
	free_doomed(types, doomed);
}

void local_types_free(struct btf_object *types)
{
	for (u32 id = 0; types->local && id < types->btf.nr_types; id++)
		memory_free(types->local[id]);
	memory_free(types->local);
	types->local = NULL;
}
