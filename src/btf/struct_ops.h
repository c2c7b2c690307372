/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * struct_ops.h: tables of functions of the kernel that programs may implement. Each is a struct of
 * the kernel's BTF for which there is a second one, bpf_struct_ops_NAME: the value of a map, which
 * begins with two words about its state. Knows no map and no program.
 */
#ifndef BTF_STRUCT_OPS_H
#define BTF_STRUCT_OPS_H

#include "btf/btf.h"

#define OPS_ARGS_MAX 12 /* the kernel's MAX_BPF_FUNC_ARGS */

struct ops_rules;

struct ops_table {
	const struct btf *btf; /* the kernel's */
	const struct btf_type *type;
	const struct ops_rules *rules; /* what the kernel's owner of the table adds; NULL: not known */
	const char *name;
	u32 id;
	u32 value_size;
	u32 data_at; /* of the table in values; 0: they were not asked for */
};

struct ops_member {
	const char *name;
	u32 at, size; /* in the table */
	bool is_pointer;
	const struct btf_type *proto; /* NULL: no pointer to a function */
};

struct ops_arg {
	bool is_pointer;
	bool is_const;
	u32 bytes; /* of the struct that it points to; 0: to none */
};

struct ops_method {
	u32 nr_args;
	struct ops_arg args[OPS_ARGS_MAX];
};

/* The table that values of this type have. 0, -ENOTSUPP: it is not such a type; -ENOMEM. */
must_check int ops_table_of_value(u32 value_type_id, struct ops_table *table);
/* The table with this id. 0, -ENOTSUPP: it is none, or no program may implement it; -ENOMEM. */
must_check int ops_table_of(u32 id, struct ops_table *table);

u32 ops_members(const struct ops_table *table);
void ops_member(const struct ops_table *table, u32 index, struct ops_member *member);
/*
 * May a program be this member, a function? 0; -ENOTSUPP, -EINVAL: the kernel's owner of the table
 * does not want it.
 */
must_check int ops_check_method(const struct ops_table *table, const struct ops_member *member,
				bool sleepable);
/* May the member, which is no function, be this? 0 or -EINVAL. */
must_check int ops_check_data(const struct ops_table *table, const struct ops_member *member,
			      const void *data);
/* Is what the table needs in it? 0, -EINVAL. */
must_check int ops_check_table(const struct ops_table *table, const void *data);
/* What the owner says of every table that it is given; 0: it may accept it. */
int ops_refusal(const struct ops_table *table);
/* Are all bytes between members 0, in the table and in the value around it? */
bool ops_holes_are_zero(const struct ops_table *table, const void *value);

/* The function of the table id at an index. 0, -ENOTSUPP: there is none; -ENOMEM. */
must_check int ops_method(u32 id, u32 index, struct ops_method *method);
/* May the method be called with NULL for this argument? Looks through all names. */
bool ops_arg_may_be_null(u32 id, u32 index, u32 arg);

#endif
