/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_object.h: objects of struct types in a program's BTF, with the special fields that such types
 * may have, and how they end: what an object holds goes with it.
 */
#ifndef BTF_LOCAL_OBJECT_H
#define BTF_LOCAL_OBJECT_H

#include "btf/btf_object.h"

/* Fields that hold objects. */
#define FIELDS_OF_OBJECTS (BTF_ROOTS | BTF_FIELD_BIT(FIELD_KPTR))

#define LOCAL_PERCPU_MAX 512u /* bytes of an object of which each CPU has a copy */

/* What a struct type has; kept by the process once it was looked up. */
struct local_type {
	u32 size;
	struct btf_fields fields;
};

/* From the copy of one CPU to the next. */
static inline u32 local_stride(const struct local_type *type)
{
	return ROUND_UP(type->size, 8);
}

/* NULL: the id is no struct's, or there is no memory. */
const struct local_type *local_type_of(struct btf_object *types, u32 id);
void local_types_free(struct btf_object *types);

/* A new one, or NULL. copies: 0, or for each CPU one. */
struct local_object *local_object_new(struct btf_object *types, u32 id, u32 copies);
/* Drops a reference, and with the last one the object and what it holds. */
void local_object_put(struct btf_object *types, struct local_object *object);
/* One more reference; false: it has none any more. */
bool local_object_get(struct local_object *object);

static inline void *local_memory(struct local_object *object)
{
	return object + 1;
}

/* What a special field holds goes; the lock of a root is the caller's. Of other fields nothing does. */
void local_field_clear(struct btf_object *types, const struct btf_field *field, void *memory);

#endif
