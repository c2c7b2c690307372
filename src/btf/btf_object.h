/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf_object.h: BTF with an fd and an id. The file holds the raw bytes, of which each process that
 * attaches it makes its own index, and the heap for objects of the types in it.
 */
#ifndef BTF_BTF_OBJECT_H
#define BTF_BTF_OBJECT_H

#include "btf/btf.h"
#include "btf/heap.h"
#include "object/object.h"

/* Process-local. */
struct btf_object {
	struct object object; /* first */
	struct btf btf;       /* points into the file */
	struct heap heap;     /* unused until btf_object_use_heap() */
	bool has_pointers;    /* then: some struct has a pointer to an object */
	struct local_type **local; /* [btf.nr_types], those looked up so far; see local_object.h */
};

extern const struct object_type btf_object_type;

static inline struct btf_object *btf_object_of(struct object *object)
{
	return container_of(object, struct btf_object, object);
}

/* Before objects of its types are made or touched in this process. 0 or -ENOMEM. */
must_check int btf_object_use_heap(struct btf_object *object);

/* Makes BTF that btf_parse() accepted an object and returns its descriptor; -ENOMEM, -EMFILE. */
must_check int btf_object_create(const struct btf *btf);

#endif
