/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_objects.h: the objects that a run meets: which it has references to, and must give away or
 * drop before it ends, and the fields of objects and values that hold some.
 */
#ifndef VM_LOCAL_OBJECTS_H
#define VM_LOCAL_OBJECTS_H

#include "btf/local_object.h"
#include "vm/vm.h"

/* A special field of a map's value or of an object. */
struct vm_field {
	const struct btf_field *field;
	struct btf_object *types; /* of what it holds; NULL: it holds nothing */
	struct lock *lock;        /* in the same value or object; NULL: there is none */
	u64 owner;                /* see collection.h */
};

/* The field of one of these kinds that lies at this address. False: there is none. */
bool vm_field_at(struct vm_run *run, u64 address, u32 kinds, struct vm_field *found);
/* The object, of one of the program's types, with address in its memory; NULL. */
struct local_object *vm_object_at(struct vm_run *run, u64 address, struct btf_object **types);
/* Also what was one: who met it by a pointer in a value may go on reading, as under RCU. */
struct local_object *vm_object_met(struct vm_run *run, u64 address, struct btf_object **types);
/* The part of an object, between special fields, with address in it. False: there is none. */
bool vm_object_part(struct vm_run *run, u64 address, u64 *start, u32 *size);

/* The run has one more reference, which it gets; or a fault, and the reference is dropped. */
bool vm_reference_add(struct vm_run *run, struct btf_object *types, struct local_object *object);
/* The run's reference is somebody else's now. False: it has none. */
bool vm_reference_remove(struct vm_run *run, const struct local_object *object);
/* Drops what the run has left, which is a fault; returns -EFAULT. */
int vm_drop_references(struct vm_run *run);

/* What an 8-byte load of a pointer to an object gives. False: the address is no such pointer's. */
bool vm_load_pointer(struct vm_run *run, u64 address, u64 *value);

#endif
