/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf.c: the index over BTF bytes and the questions others ask of it. Owns the table of type
 * pointers; whether the bytes are acceptable is decided in check.c. Knows no fd and no log.
 *
 * Invariant: every entry of types[] lies inside data with all of the records its kind brings.
 */
#include "btf/btf.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "btf/check.h"

const struct btf_type *btf_type(const struct btf *btf, u32 id)
{
	return id < btf->nr_types ? btf->types[id] : NULL;
}

const char *btf_name(const struct btf *btf, u32 offset)
{
	return offset < btf->strings_len ? btf->strings + offset : NULL;
}

static bool is_modifier(const struct btf_type *t)
{
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return true;
	default:
		return false;
	}
}

const struct btf_type *btf_resolve(const struct btf *btf, u32 id)
{
	const struct btf_type *t = id ? btf_type(btf, id) : NULL;

	/* Checked BTF has no loops; a file that somebody changed since may have. */
	for (u32 left = btf->nr_types; t && is_modifier(t); left--)
		t = t->type && left ? btf_type(btf, t->type) : NULL;
	return t;
}

/* The type of what is stored: a variable stands for its value. */
static const struct btf_type *resolve_value(const struct btf *btf, u32 id)
{
	const struct btf_type *t = btf_resolve(btf, id);

	return t && BTF_INFO_KIND(t->info) == BTF_KIND_VAR ? btf_resolve(btf, t->type) : t;
}

s64 btf_size(const struct btf *btf, u32 id)
{
	const struct btf_type *t = resolve_value(btf, id);
	u64 count = 1; /* wraps at most when an inner array is empty, and then the product is 0 */

	for (u32 left = btf->nr_types; t && BTF_INFO_KIND(t->info) == BTF_KIND_ARRAY; left--) {
		const struct btf_array *array = (const struct btf_array *)(t + 1);

		count *= array->nelems;
		t = left ? btf_resolve(btf, array->type) : NULL;
	}
	if (!t)
		return -EINVAL;
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_PTR:
		return (s64)(count * sizeof(u64));
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FLOAT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
		return (s64)(count * t->size);
	default:
		return -EINVAL;
	}
}

bool btf_is_int32(const struct btf *btf, u32 id)
{
	const struct btf_type *t = resolve_value(btf, id);
	u32 data;

	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_INT)
		return false;
	data = *(const u32 *)(t + 1);
	return BTF_INT_BITS(data) == 32 && BTF_INT_OFFSET(data) == 0;
}

/* Cold path */

s64 btf_records_size(u32 info)
{
	u32 vlen = BTF_INFO_VLEN(info);

	switch (BTF_INFO_KIND(info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(u32);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return vlen * (s64)sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return vlen * (s64)sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return vlen * (s64)sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return vlen * (s64)sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return vlen * (s64)sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

int btf_add_type(struct btf *btf, const struct btf_type *t)
{
	u32 n = btf->nr_types;

	if (n == BTF_TYPES_MAX)
		return 0; /* further types are checked and then forgotten, as in the kernel */
	/* The room doubles: it is full when the count is a power of two. */
	if (n >= 64 && !(n & (n - 1))) {
		void *more = memory_realloc(btf->types, 2 * n * sizeof(*btf->types));

		if (!more)
			return -ENOMEM;
		btf->types = more;
	}
	btf->types[btf->nr_types++] = t;
	return 0;
}

int btf_begin(struct btf *btf, const void *data, u32 size)
{
	static const struct btf_type type_void;

	*btf = (struct btf){.data = data, .size = size, .nr_types = 1};
	btf->types = memory_alloc(64 * sizeof(*btf->types));
	if (!btf->types)
		return -ENOMEM;
	btf->types[0] = &type_void;
	return 0;
}

int btf_index(struct btf *btf, const void *data, u32 size)
{
	struct btf_header hdr; /* which may lie unaligned so that the types do not */
	const u8 *at, *end;
	int err;

	if (size < sizeof(hdr))
		return -EINVAL;
	memcpy(&hdr, data, sizeof(hdr));
	if ((u64)hdr.hdr_len + hdr.type_off + hdr.type_len > size ||
	    (u64)hdr.hdr_len + hdr.str_off + hdr.str_len > size)
		return -EINVAL;
	err = btf_begin(btf, data, size);
	if (err)
		return err;
	btf->strings = (const char *)data + hdr.hdr_len + hdr.str_off;
	btf->strings_len = hdr.str_len;
	if (!hdr.str_len || btf->strings[hdr.str_len - 1])
		err = -EINVAL;
	at = (const u8 *)data + hdr.hdr_len + hdr.type_off;
	end = at + hdr.type_len;
	while (!err && at < end) {
		const struct btf_type *t = (const void *)at;

		if ((size_t)(end - at) < sizeof(*t) ||
		    end - at - (s64)sizeof(*t) < btf_records_size(t->info))
			err = -EINVAL;
		else
			err = btf_add_type(btf, t);
		at += sizeof(*t) + (size_t)(err ? 0 : btf_records_size(t->info));
	}
	if (err)
		btf_clear(btf);
	return err;
}

void btf_clear(struct btf *btf)
{
	memory_free(btf->types);
	*btf = (struct btf){0};
}
