/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_object.c: how programs make objects of their own types, share them, put them behind pointers
 * in values and drop them. The second argument, for which the kernel has a use of its own, means
 * nothing.
 */
#include "shm/vcpu.h"
#include "vm/helpers.h"
#include "vm/kfuncs.h"
#include "vm/local_objects.h"
#include "vm/state.h"

static u64 make(struct vm_run *run, u64 type, u32 copies)
{
	struct btf_object *types = run->prog->nr_types ? run->prog->types[0] : NULL;
	struct local_object *object;

	if (!types || !run->prog->checked.btf_id ||
	    types->object.id != run->prog->checked.btf_id)
		return vm_faultf(run, "objects need the BTF of the program");
	if (type > UINT32_MAX || !local_type_of(types, (u32)type))
		return vm_faultf(run, "type %llu is no struct of which there can be objects",
				 (unsigned long long)type);
	object = local_object_new(types, (u32)type, copies);
	if (!object || !vm_reference_add(run, types, object))
		return 0;
	return PTR_U64(local_memory(object));
}

/* Takes the run's reference to the object whose memory begins here. False after a fault: it has none. */
static bool take(struct vm_run *run, const struct local_object *object, u64 address, bool percpu)
{
	if (object && PTR_U64(object + 1) == address && !object->copies == !percpu &&
	    vm_reference_remove(run, object))
		return true;
	vm_faultf(run, "0x%llx is no object of the program's own",
		  (unsigned long long)address);
	return false;
}

static u64 drop(struct vm_run *run, u64 address, bool percpu)
{
	struct btf_object *types;
	struct local_object *object = vm_object_at(run, address, &types);

	if (!take(run, object, address, percpu))
		return 0;
	run->state->value.size = 0;
	local_object_put(types, object);
	return 0;
}

KFUNC_FN(obj_new_impl)
{
	return make(run, r1, 0);
}

KFUNC_FN(obj_drop_impl)
{
	return drop(run, r1, false);
}

KFUNC_FN(percpu_obj_new_impl)
{
	return make(run, r1, vcpu_possible());
}

KFUNC_FN(percpu_obj_drop_impl)
{
	return drop(run, r1, true);
}

KFUNC_FN(refcount_acquire_impl)
{
	struct btf_object *types;
	struct local_object *object = vm_object_met(run, r1, &types);
	const struct local_type *type = object ? local_type_of(types, object->type) : NULL;

	if (!type || PTR_U64(local_memory(object)) != r1 ||
	    !btf_field_from(&type->fields, BTF_FIELD_BIT(FIELD_REFCOUNT), 0))
		return vm_faultf(run, "0x%llx is no object with a bpf_refcount",
				 (unsigned long long)r1);
	if (!local_object_get(object) || !vm_reference_add(run, types, object))
		return 0;
	return r1;
}

/* May an object be behind that pointer? */
static bool matches(const struct vm_field *pointer, const struct btf_object *types,
		    const struct local_object *object)
{
	return types == pointer->types && object->type == pointer->field->type &&
	       (pointer->field->node == POINTER_PERCPU) == !!object->copies;
}

HELPER_FN(kptr_xchg)
{
	struct btf_object *types;
	struct local_object *object = NULL, *before;
	struct vm_field pointer;
	u64 word = 0;

	if (!vm_field_at(run, r1, BTF_FIELD_BIT(FIELD_KPTR), &pointer) || !pointer.types)
		return vm_faultf(run, "R1 has no valid kptr");
	if (r2) {
		object = vm_object_at(run, r2, &types);
		if (!object || !matches(&pointer, types, object))
			return vm_faultf(run, "the object is not of the type of the kptr");
		if (!take(run, object, r2, object->copies))
			return 0;
		word = heap_offset(&types->heap, U64_PTR(r2));
	}
	word = atomic_exchange((u64 *)U64_PTR(r1), word);
	before = heap_object_at(&pointer.types->heap, heap_address(&pointer.types->heap, word));
	if (!before || !vm_reference_add(run, pointer.types, before))
		return 0;
	return PTR_U64(local_memory(before));
}

static u64 copy_of(struct vm_run *run, u64 address, u64 cpu)
{
	struct btf_object *types;
	struct local_object *object = vm_object_met(run, address, &types);
	const struct local_type *type = object ? local_type_of(types, object->type) : NULL;

	if (!type || !object->copies || PTR_U64(local_memory(object)) != address)
		return vm_faultf(run, "0x%llx is no object of which each CPU has one",
				 (unsigned long long)address);
	return cpu < object->copies ? address + cpu * local_stride(type) : 0;
}

HELPER_FN(per_cpu_ptr)
{
	return copy_of(run, r1, (u32)r2);
}

HELPER_FN(this_cpu_ptr)
{
	return copy_of(run, r1, vcpu_current());
}
