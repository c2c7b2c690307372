/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * check.h: what the files share that check BTF: check.c (bytes and single types), kinds.c (one
 * row per kind), resolve.c (what types refer to) and fields.c (special fields of structs).
 * Nothing outside src/btf includes this.
 */
#ifndef BTF_CHECK_H
#define BTF_CHECK_H

#include "btf/btf.h"

#define BTF_TYPES_MAX 0xfffffu /* greatest id that may be named; types have smaller ones */
#define BTF_BYTES_MAX (16u << 20)
#define BTF_DEPTH_MAX 32
#define BTF_NAME_CHARS 512

/* Which types end a walk, decided by the first pointer, array or struct on it. */
enum walk { WALK_ANY, WALK_POINTER, WALK_AGGREGATE };

struct check {
	struct btf *btf;
	struct text_sink *log;
	bool resolving; /* all types are known and have been printed once */
	enum walk walk;
	u32 depth;
	u8 *state;       /* [nr_types] enum resolve_state */
	u32 *target;     /* [nr_types] of a resolved reference: the type at its end */
	u32 *array_size; /* [nr_types] of a resolved array, in bytes */
};

/* What kind a type is to those that refer to it. */
enum kind_traits {
	KIND_MODIFIER = 1 << 0,  /* typedef, const, ...: stands for another type */
	KIND_SIZED = 1 << 1,     /* struct btf_type has its size */
	KIND_NO_SIZE = 1 << 2,   /* cannot be a member or an element */
	KIND_REFERS = 1 << 3,    /* must be resolved */
	KIND_TOP_LEVEL = 1 << 4, /* nothing may refer to it */
	KIND_FLAG = 1 << 5,      /* may have the kind flag */
};

struct kind {
	const char *name;
	u32 traits;
	/* The words behind the name in the log. */
	void (*describe)(struct check *check, const struct btf_type *t);
	/* The type by itself; its records are known to be there. */
	int (*check)(struct check *check, u32 id, const struct btf_type *t);
	/* What it refers to; KIND_REFERS only. */
	int (*resolve)(struct check *check, u32 id, const struct btf_type *t);
	/* May it be a member so? NULL: never asked. bits: width of the bit field or 0. */
	const char *(*member)(struct check *check, const struct btf_type *in, u32 id, u32 offset,
			      u32 bits);
};

/* NULL for a number that is no kind. */
const struct kind *kind_of(const struct btf_type *t);
u32 kind_traits(const struct btf_type *t);

/* Prints the type and what is wrong with it; always -EINVAL. */
int check_fail(struct check *check, u32 id, const struct btf_type *t, const char *what);
/* The same without the words that describe the type, which may not be there. */
int check_fail_briefly(struct check *check, u32 id, const struct btf_type *t, const char *what);
/* What is wrong with a member of a struct, with the type line before it once types are resolved. */
int check_member_fail(struct check *check, u32 id, const struct btf_type *t,
		      const struct btf_member *member, const char *what);
int check_var_fail(struct check *check, u32 id, const struct btf_type *t,
		   const struct btf_var_secinfo *var, const char *what);
/* Prints a line that finds no fault; what is NULL. */
void check_print(struct check *check, u32 id, const struct btf_type *t, const char *what);
void check_print_member(struct check *check, const struct btf_type *t,
			const struct btf_member *member, const char *what);
void check_print_var(struct check *check, const struct btf_var_secinfo *var, const char *what);

/* A name for the log: "(anon)" for none. */
const char *check_name(const struct check *check, u32 offset);
/* Is the string at offset an identifier as C and the kernel know it (dots included)? */
bool check_identifier(const struct check *check, u32 offset);
/* An integer that shows 1, 2, 4, 8 or 16 bytes from its first bit on. */
bool check_int_is_regular(const struct btf_type *t);

/* resolve.c */
int resolve_all(struct check *check);
int resolve_reference(struct check *check, u32 id, const struct btf_type *t);
int resolve_pointer(struct check *check, u32 id, const struct btf_type *t);
int resolve_array(struct check *check, u32 id, const struct btf_type *t);
int resolve_struct(struct check *check, u32 id, const struct btf_type *t);
int resolve_var(struct check *check, u32 id, const struct btf_type *t);
int resolve_datasec(struct check *check, u32 id, const struct btf_type *t);
int resolve_decl_tag(struct check *check, u32 id, const struct btf_type *t);
int resolve_func(struct check *check, u32 id, const struct btf_type *t);
/* The type with a size at the end of *id, which follows, or NULL. size may be NULL. */
const struct btf_type *resolve_sized(struct check *check, u32 *id, u32 *size);

/* fields.c: locks, lists, trees and kernel pointers in structs. */
int check_fields(const struct btf *btf);

/* btf.c */
int btf_begin(struct btf *btf, const void *data, u32 size);
int btf_add_type(struct btf *btf, const struct btf_type *t);
/* Bytes of the records behind struct btf_type. */
s64 btf_records_size(u32 info);

#endif
