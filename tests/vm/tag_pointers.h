/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * tag_pointers.h: type tags in BTF that the compiler, clang 14, does not write.
 */
#ifndef TESTS_VM_TAG_POINTERS_H
#define TESTS_VM_TAG_POINTERS_H

#include <bpf/btf.h>

/* The pointers in a struct become pointers to objects of the program. */
static inline void tag_pointers(struct btf *btf, const char *name, const char *tag)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT), to;

	assert_true(id > 0);
	for (int i = 0; i < btf_vlen(btf__type_by_id(btf, (__u32)id)); i++) {
		__u32 type = btf_members(btf__type_by_id(btf, (__u32)id))[i].type;

		if (!btf_is_ptr(btf__type_by_id(btf, type)))
			continue;
		to = btf__add_type_tag(btf, tag, (int)btf__type_by_id(btf, type)->type);
		to = btf__add_ptr(btf, to);
		assert_true(to > 0);
		btf_members((struct btf_type *)btf__type_by_id(btf, (__u32)id))[i].type = (__u32)to;
	}
}

#endif
