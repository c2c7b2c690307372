/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_objects.c: see local_objects.h. Machine code gets the same answers as the interpreter, so that
 * what it does to lists, trees and references is checked, too; only its loads and stores are not.
 */
#include "vm/local_objects.h"

#include <errno.h>

#include "vm/state.h"

/* Owners in maps: beyond those in heaps. */
#define OWNER_MAP_SHIFT 40

_Static_assert(HEAP_BYTES < 1ull << OWNER_MAP_SHIFT, "owners of objects and of maps are apart");

static struct local_object *slot_at(struct vm_run *run, u64 address, struct btf_object **types)
{
	struct prog *const prog = run->prog;
	struct local_object *slot;

	for (u32 i = 0; i < prog->nr_types; i++) {
		*types = prog->types[i];
		slot = heap_slot_at(&prog->types[i]->heap, address);
		if (slot)
			return slot;
	}
	return NULL;
}

struct local_object *vm_object_at(struct vm_run *run, u64 address, struct btf_object **types)
{
	struct local_object *slot = slot_at(run, address, types);

	return slot && load_acquire(&slot->refs) ? slot : NULL;
}

struct local_object *vm_object_met(struct vm_run *run, u64 address, struct btf_object **types)
{
	return run->met_pointers ? slot_at(run, address, types) : vm_object_at(run, address, types);
}

/* From a start on, with fields of which one of these kinds lies at address. */
static bool find_field(const struct btf_fields *fields, u8 *memory, u64 address, u32 kinds,
		       struct vm_field *found)
{
	const u64 offset = address - PTR_U64(memory);
	const struct btf_field *lock = btf_field_from(fields, BTF_LOCKS, 0);

	found->field = btf_field_from(fields, kinds, (u32)offset);
	found->lock = lock ? (struct lock *)(void *)(memory + lock->offset) : NULL;
	return found->field && found->field->offset == offset;
}

bool vm_field_at(struct vm_run *run, u64 address, u32 kinds, struct vm_field *found)
{
	struct local_object *object = vm_object_at(run, address, &found->types);
	const struct local_type *type;
	struct map *map;
	void *value;

	if (object) {
		type = object->copies ? NULL : local_type_of(found->types, object->type);
		found->owner = address - PTR_U64(found->types->heap.base);
		return type && find_field(&type->fields, local_memory(object), address, kinds,
					  found);
	}
	map = vm_map_with_value(run, address, &value);
	if (!map)
		return false;
	found->types = map->types;
	found->owner = (u64)map->object.id << OWNER_MAP_SHIFT |
		       (address - PTR_U64(map->object.region.base)) / 8;
	return find_field(&map->fields, value, address, kinds, found);
}

bool vm_object_part(struct vm_run *run, u64 address, u64 *start, u32 *size)
{
	struct btf_object *types;
	struct local_object *object = vm_object_met(run, address, &types);
	const struct local_type *type = object ? local_type_of(types, object->type) : NULL;
	u32 offset, stride, from, to;
	u8 *memory;

	if (!type)
		return false;
	memory = local_memory(object);
	offset = (u32)(address - PTR_U64(memory));
	stride = local_stride(type);
	if (!stride || offset / stride >= MAX(object->copies, 1))
		return false;
	memory += offset / stride * stride;
	offset %= stride;
	if (offset >= type->size || !btf_part_at(&type->fields, type->size, offset, &from, &to))
		return false;
	*start = PTR_U64(memory) + from;
	*size = to - from;
	return true;
}

bool vm_reference_add(struct vm_run *run, struct btf_object *types, struct local_object *object)
{
	if (run->nr_references == VM_OBJECTS) {
		local_object_put(types, object);
		vm_faultf(run, "the program has more than %u objects at once", VM_OBJECTS);
		return false;
	}
	run->references[run->nr_references++] = (struct vm_reference){object, types};
	return true;
}

bool vm_reference_remove(struct vm_run *run, const struct local_object *object)
{
	for (u32 i = run->nr_references; i--;) {
		if (run->references[i].object != object)
			continue;
		run->references[i] = run->references[--run->nr_references];
		return true;
	}
	return false;
}

cold int vm_drop_references(struct vm_run *run)
{
	while (run->nr_references--)
		local_object_put(run->references[run->nr_references].types,
				 run->references[run->nr_references].object);
	run->nr_references = 0;
	vm_faultf(run, "the program ended with objects that it has neither dropped nor given away");
	return -EFAULT;
}

bool vm_load_pointer(struct vm_run *run, u64 address, u64 *value)
{
	struct vm_field found;
	u64 to;

	if (!vm_field_at(run, address, BTF_FIELD_BIT(FIELD_KPTR), &found) || !found.types)
		return false;
	to = heap_address(&found.types->heap, load_acquire((u64 *)U64_PTR(address)));
	*value = heap_slot_at(&found.types->heap, to) ? to : 0;
	run->met_pointers = true;
	return true;
}
