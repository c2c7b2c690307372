/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_types.c: which types in its BTF a program may make objects of. Asked where the number of the type is
 * known; elsewhere the run asks whether it is a struct.
 */
#include "verifier/internal.h"

#include <errno.h>

#include "btf/local_object.h"

#define NESTED_MAX 4 /* structs within one of which each CPU has a copy */

static const struct btf_type *element_of(const struct btf *btf, u32 id)
{
	const struct btf_type *t = btf_resolve(btf, id);

	while (t && BTF_INFO_KIND(t->info) == BTF_KIND_ARRAY)
		t = btf_resolve(btf, ((const struct btf_array *)(t + 1))->type);
	return t;
}

static bool is_of_scalars(const struct btf *btf, const struct btf_type *t, u32 level)
{
	const struct btf_member *members = (const struct btf_member *)(t + 1);

	for (u32 i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_type *member = element_of(btf, members[i].type);
		const u32 kind = member ? BTF_INFO_KIND(member->info) : BTF_KIND_UNKN;

		if (kind == BTF_KIND_STRUCT && level + 1 < NESTED_MAX &&
		    is_of_scalars(btf, member, level + 1))
			continue;
		if (kind != BTF_KIND_INT && kind != BTF_KIND_ENUM && kind != BTF_KIND_ENUM64)
			return false;
	}
	return true;
}

static int check_percpu(struct verifier *v, const struct btf_type *t, u32 id)
{
	struct btf_fields fields;
	int err;

	if (t->size > LOCAL_PERCPU_MAX) {
		verbose(v, "bpf_percpu_obj_new type size (%u) is greater than %u\n", t->size,
			LOCAL_PERCPU_MAX);
		return -EINVAL;
	}
	if (!is_of_scalars(v->request->btf, t, 0)) {
		verbose(v, "bpf_percpu_obj_new type ID argument must be of a struct of scalars\n");
		return -EINVAL;
	}
	err = btf_object_fields(v->request->btf, id, &fields);
	if (!err && fields.count) {
		verbose(v, "bpf_percpu_obj_new type ID argument must not contain special fields\n");
		return -EINVAL;
	}
	return err;
}

int check_local_type(struct verifier *v, u64 id, bool percpu)
{
	const struct btf *btf = v->request->btf;
	const struct btf_type *t;

	if (id > UINT32_MAX) {
		verbose(v, "local type ID argument must be in range [0, U32_MAX]\n");
		return -EINVAL;
	}
	if (!btf) {
		verbose(v, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF\n");
		return -EINVAL;
	}
	t = btf_type(btf, (u32)id);
	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_STRUCT) {
		verbose(v, "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct\n");
		return -EINVAL;
	}
	return percpu ? check_percpu(v, t, (u32)id) : 0;
}
