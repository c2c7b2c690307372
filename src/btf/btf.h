/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf.h: parse and check BTF bytes. Pure: no fd, no map, no program; input may be hostile.
 */
#ifndef BTF_BTF_H
#define BTF_BTF_H

#include <linux/btf.h>

#include "base/compiler.h"
#include "base/text.h"

struct btf {
	const void *data; /* the raw BTF, header first; not owned */
	u32 size;
	u32 nr_types; /* including void, id 0 */
	const struct btf_type **types; /* [nr_types]; types[0] is void */
	const char *strings;
	u32 strings_len;
};

#define BTF_FIELDS_MAX 11 /* in one value or struct, nested ones included */

/* What members of a struct may mean to the kernel. */
enum btf_field_kind {
	FIELD_NONE,
	FIELD_SPIN_LOCK,
	FIELD_RES_SPIN_LOCK,
	FIELD_LIST_HEAD,
	FIELD_LIST_NODE,
	FIELD_RB_ROOT,
	FIELD_RB_NODE,
	FIELD_REFCOUNT,
	FIELD_TIMER,
	FIELD_WQ,
	FIELD_TASK_WORK,
	FIELD_KPTR,
	NR_FIELD_KINDS,
};

#define BTF_FIELD_BIT(kind) (1u << (kind))
#define BTF_LOCKS (BTF_FIELD_BIT(FIELD_SPIN_LOCK) | BTF_FIELD_BIT(FIELD_RES_SPIN_LOCK))
#define BTF_ROOTS (BTF_FIELD_BIT(FIELD_LIST_HEAD) | BTF_FIELD_BIT(FIELD_RB_ROOT))
#define BTF_TASKS                                                                                  \
	(BTF_FIELD_BIT(FIELD_TIMER) | BTF_FIELD_BIT(FIELD_WQ) | BTF_FIELD_BIT(FIELD_TASK_WORK))

struct btf_field {
	u16 kind, size;
	u32 offset;
	u32 type; /* of a root: the struct that it holds; of a pointer: that to which it points */
	u32 node; /* of a root: where in that struct its node is; of a pointer: enum btf_pointer */
};

enum btf_pointer { POINTER_TRUSTED, POINTER_UNTRUSTED, POINTER_PERCPU };

/* By ascending offset, none overlapping another. */
struct btf_fields {
	u32 count;
	struct btf_field list[BTF_FIELDS_MAX];
};

/*
 * Checks raw BTF as the kernel's BTF_LOAD does and fills *btf, which points into data. log may be
 * NULL. 0, or the kernel's errno: -EINVAL for most faults, -ENOTSUPP (version, flags, encoding),
 * -EEXIST (a type that contains itself), -E2BIG (nesting, size, two locks), -EFAULT (misaligned
 * lock), -ENOENT, -ELOOP (lists and trees), -ENOMEM; the text of the log follows the kernel's.
 * data must lie so that the types behind its header are aligned: btf_padding() bytes behind an
 * aligned address. Free with btf_clear().
 */
must_check int btf_parse(struct btf *btf, const void *data, u32 size, struct text_sink *log);
u32 btf_padding(const void *data, u32 size);
/* The same for bytes that were checked before (found in a stamped object file). */
must_check int btf_index(struct btf *btf, const void *data, u32 size);
void btf_clear(struct btf *btf);

/* NULL when the id is out of range. */
const struct btf_type *btf_type(const struct btf *btf, u32 id);
/* The name at a string offset, "" for 0, NULL when out of range. */
const char *btf_name(const struct btf *btf, u32 offset);
/* Strips typedefs and const, volatile, restrict, type tags; NULL for void or a bad id. */
const struct btf_type *btf_resolve(const struct btf *btf, u32 id);
/* Size in bytes of a complete type after resolving; -EINVAL when it has none. */
s64 btf_size(const struct btf *btf, u32 id);
/*
 * The special fields of a map's values, of a type with this size. A value in which they cannot work
 * (two timers, one that is misaligned) has none, as in the kernel. 0 or -ENOMEM.
 */
must_check int btf_value_fields(const struct btf *btf, u32 id, u32 size, struct btf_fields *fields);
/* The same of an object of a struct type that a program makes. */
must_check int btf_object_fields(const struct btf *btf, u32 id, struct btf_fields *fields);
/*
 * The part of size bytes of memory, between special fields, that contains offset. False if a special
 * field does; *from and *to are then that one's.
 */
bool btf_part_at(const struct btf_fields *fields, u32 size, u32 offset, u32 *from, u32 *to);
/* Does any type point to objects that programs or the kernel make? */
bool btf_has_pointers(const struct btf *btf);
/* The first field of these kinds at or behind an offset; NULL. */
const struct btf_field *btf_field_from(const struct btf_fields *fields, u32 kinds, u32 offset);
/* True for a 32-bit plain integer without bit offset, the key of array types. */
bool btf_is_int32(const struct btf *btf, u32 id);

#endif
