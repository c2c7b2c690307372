/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * method.c: programs that are a function of a table (struct_ops): is there such a table, is that
 * member a function, and may it be one of theirs? Order and words are the kernel's.
 */
#include <errno.h>

#include "btf/struct_ops.h"
#include "verifier/internal.h"

static int check_member(struct verifier *v, const struct ops_table *table)
{
	const u32 index = v->request->expected_attach_type;
	struct ops_member member;
	int err;

	if (index >= ops_members(table)) {
		verbose(v, "attach to invalid member idx %u of struct %s\n", index, table->name);
		return -EINVAL;
	}
	ops_member(table, index, &member);
	if (!member.proto) {
		verbose(v, "attach to invalid member %s(@idx %u) of struct %s\n", member.name, index,
			table->name);
		return -EINVAL;
	}
	err = ops_check_method(table, &member, v->request->flags & BPF_F_SLEEPABLE);
	if (err)
		verbose(v, "attach to unsupported member %s of struct %s\n", member.name,
			table->name);
	v->returns_nothing = !member.proto->type;
	return err;
}

int check_method(struct verifier *v)
{
	const u32 id = v->request->attach_btf_id;
	struct ops_table table;
	int err;

	if (!v->request->gpl_compatible) {
		verbose(v, "struct ops programs must have a GPL compatible license\n");
		return -EINVAL;
	}
	if (!id)
		return -ENOTSUPP;
	err = ops_table_of(id, &table);
	if (err == -ENOTSUPP)
		verbose(v, "attach_btf_id %u is not a supported struct\n", id);
	return err ? err : check_member(v, &table);
}
