/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * struct_ops.c: see struct_ops.h. Shapes come from the kernel's BTF; what only the kernel's own
 * code says of a table is a row below.
 */
#include "btf/struct_ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf/kernel_btf.h"

#define VALUE_PREFIX "bpf_struct_ops_"
#define NAME_CHARS 128

/* Names of members; lists end with NULL. */
struct ops_rules {
	const char *table;
	const char *absent;   /* nobody may implement it */
	const char *sleepable; /* the only one that may sleep; NULL: all may */
	const char *data[3];  /* that are not functions and may be given; first NULL: all */
	const char *needs[4];
	const char *either[2]; /* one of which it needs */
	int refusal;          /* of every table */
};

static const struct ops_rules all_rules[] = {
	{.table = "bpf_dummy_ops", .sleepable = "test_sleepable", .refusal = -EOPNOTSUPP},
	{.table = "tcp_congestion_ops",
	 .absent = "get_info",
	 .data = {"name", "flags"},
	 .needs = {"name", "ssthresh", "undo_cwnd"},
	 .either = {"cong_avoid", "cong_control"}},
};

static bool is_named(const struct ops_member *member, const char *name)
{
	return name && !strcmp(member->name, name);
}

static bool is_listed(const struct ops_member *member, const char *const *list)
{
	for (; *list; list++)
		if (is_named(member, *list))
			return true;
	return false;
}

static bool is_zero(const void *data, size_t from, size_t to)
{
	const u8 *bytes = data;

	for (; from < to; from++)
		if (bytes[from])
			return false;
	return true;
}

static bool is_struct(const struct btf_type *t)
{
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT;
}

static int kernel_types(const struct btf **btf)
{
	int err = kernel_btf_get(btf);

	return !err || err == -ENOMEM ? err : -ENOTSUPP;
}

static int table_init(struct ops_table *table, const struct btf *btf, u32 id)
{
	*table = (struct ops_table){.btf = btf, .id = id, .type = btf_type(btf, id)};
	if (!is_struct(table->type))
		return -ENOTSUPP;
	table->name = btf_name(btf, table->type->name_off);
	if (!table->name || !*table->name)
		return -ENOTSUPP;
	for (size_t i = 0; i < ARRAY_SIZE(all_rules); i++)
		if (!strcmp(all_rules[i].table, table->name))
			table->rules = &all_rules[i];
	return 0;
}

/* The value: two words, and the table from data_at on. */
static bool value_init(struct ops_table *table, const struct btf_type *value, const char *name)
{
	const struct btf_member *members = (const void *)(value + 1);
	const size_t prefix = sizeof(VALUE_PREFIX) - 1;

	if (!name || strncmp(name, VALUE_PREFIX, prefix) || strcmp(name + prefix, table->name))
		return false;
	table->value_size = value->size;
	table->data_at = members[1].offset / 8;
	return table->data_at >= 2 * sizeof(u32) && table->data_at <= value->size &&
	       table->type->size <= value->size - table->data_at;
}

int ops_table_of_value(u32 value_type_id, struct ops_table *table)
{
	const struct btf_type *value;
	const struct btf *btf;
	int err = kernel_types(&btf);

	if (err)
		return err;
	value = btf_type(btf, value_type_id);
	if (!is_struct(value) || BTF_INFO_VLEN(value->info) != 2)
		return -ENOTSUPP;
	err = table_init(table, btf, ((const struct btf_member *)(value + 1))[1].type);
	if (err)
		return err;
	return value_init(table, value, btf_name(btf, value->name_off)) ? 0 : -ENOTSUPP;
}

int ops_table_of(u32 id, struct ops_table *table)
{
	const struct btf *btf;
	char name[NAME_CHARS];
	long value;
	int err = kernel_types(&btf);

	if (!err)
		err = table_init(table, btf, id);
	if (err)
		return err;
	snprintf(name, sizeof(name), VALUE_PREFIX "%s", table->name);
	value = kernel_btf_find(btf, name, BTF_KIND_STRUCT);
	return value < 0 ? -ENOTSUPP : ops_table_of_value((u32)value, table);
}

u32 ops_members(const struct ops_table *table)
{
	return BTF_INFO_VLEN(table->type->info);
}

void ops_member(const struct ops_table *table, u32 index, struct ops_member *member)
{
	const struct btf_member *m = (const struct btf_member *)(table->type + 1) + index;
	const struct btf_type *t = btf_resolve(table->btf, m->type);
	const bool fields = BTF_INFO_KFLAG(table->type->info);
	const s64 size = btf_size(table->btf, m->type);

	*member = (struct ops_member){
		.name = btf_name(table->btf, m->name_off),
		.at = (fields ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset) / 8,
		.is_pointer = t && BTF_INFO_KIND(t->info) == BTF_KIND_PTR,
	};
	if (!member->name)
		member->name = "";
	member->at = MIN(member->at, table->type->size);
	member->size = size < 0 ? 0 : (u32)MIN(size, (s64)(table->type->size - member->at));
	if (!member->is_pointer || member->size != sizeof(u64))
		return;
	t = btf_resolve(table->btf, t->type);
	if (t && BTF_INFO_KIND(t->info) == BTF_KIND_FUNC_PROTO)
		member->proto = t;
}

int ops_check_method(const struct ops_table *table, const struct ops_member *member, bool sleepable)
{
	const struct ops_rules *rules = table->rules;

	if (rules && is_named(member, rules->absent))
		return -ENOTSUPP;
	if (rules && sleepable && rules->sleepable && !is_named(member, rules->sleepable))
		return -EINVAL;
	return BTF_INFO_VLEN(member->proto->info) <= OPS_ARGS_MAX ? 0 : -ENOTSUPP;
}

int ops_check_data(const struct ops_table *table, const struct ops_member *member, const void *data)
{
	const struct ops_rules *rules = table->rules;
	const bool restricted = rules && rules->data[0];

	if (is_zero(data, member->at, member->at + member->size))
		return restricted && is_listed(member, rules->needs) ? -EINVAL : 0;
	if (member->is_pointer || (restricted && !is_listed(member, rules->data)))
		return -EINVAL;
	return 0;
}

int ops_check_table(const struct ops_table *table, const void *data)
{
	const struct ops_rules *rules = table->rules;
	bool either = !rules || !rules->either[0], any = false;
	struct ops_member member;

	for (u32 i = 0; i < ops_members(table); i++) {
		ops_member(table, i, &member);
		if (is_zero(data, member.at, member.at + member.size)) {
			if (rules && is_listed(&member, rules->needs))
				return -EINVAL;
			continue;
		}
		any |= member.proto != NULL;
		for (size_t k = 0; rules && k < ARRAY_SIZE(rules->either); k++)
			either |= is_named(&member, rules->either[k]);
	}
	return any && either ? 0 : -EINVAL;
}

int ops_refusal(const struct ops_table *table)
{
	return table->rules ? table->rules->refusal : 0;
}

bool ops_holes_are_zero(const struct ops_table *table, const void *value)
{
	const u8 *data = (const u8 *)value + table->data_at;
	struct ops_member member;
	u32 end = 0;

	for (u32 i = 0; i < ops_members(table); i++) {
		ops_member(table, i, &member);
		if (!is_zero(data, end, member.at))
			return false;
		end = MAX(end, member.at + member.size);
	}
	return is_zero(data, end, table->type->size) &&
	       is_zero(value, 2 * sizeof(u32), table->data_at) &&
	       is_zero(value, table->data_at + table->type->size, table->value_size);
}

static void describe_arg(const struct btf *btf, u32 id, struct ops_arg *arg)
{
	const struct btf_type *t = btf_resolve(btf, id), *to, *target;

	*arg = (struct ops_arg){.is_pointer = t && BTF_INFO_KIND(t->info) == BTF_KIND_PTR};
	if (!arg->is_pointer)
		return;
	to = btf_type(btf, t->type);
	target = btf_resolve(btf, t->type);
	arg->is_const = to && BTF_INFO_KIND(to->info) == BTF_KIND_CONST;
	arg->bytes = is_struct(target) ? target->size : 0;
}

static int method_at(u32 id, u32 index, struct ops_table *table, struct ops_member *member)
{
	const struct btf *btf;
	int err = kernel_types(&btf);

	if (!err)
		err = table_init(table, btf, id);
	if (err)
		return err;
	if (index >= ops_members(table))
		return -ENOTSUPP;
	ops_member(table, index, member);
	return member->proto && BTF_INFO_VLEN(member->proto->info) <= OPS_ARGS_MAX ? 0 : -ENOTSUPP;
}

int ops_method(u32 id, u32 index, struct ops_method *method)
{
	const struct btf_param *params;
	struct ops_member member;
	struct ops_table table;
	int err = method_at(id, index, &table, &member);

	if (err)
		return err;
	params = (const void *)(member.proto + 1);
	method->nr_args = BTF_INFO_VLEN(member.proto->info);
	for (u32 i = 0; i < method->nr_args; i++)
		describe_arg(table.btf, params[i].type, &method->args[i]);
	return 0;
}

/* The kernel has a function of the same shape, TABLE__MEMBER, whose arguments are named so. */
bool ops_arg_may_be_null(u32 id, u32 index, u32 arg)
{
	static const char suffix[] = "__nullable";
	const struct btf_type *proto;
	struct ops_member member;
	struct ops_table table;
	char function[NAME_CHARS];
	const char *name;
	long found;

	if (method_at(id, index, &table, &member))
		return false;
	snprintf(function, sizeof(function), "%s__%s", table.name, member.name);
	found = kernel_btf_find(table.btf, function, BTF_KIND_FUNC);
	proto = found < 0 ? NULL : btf_type(table.btf, btf_type(table.btf, (u32)found)->type);
	if (!proto || BTF_INFO_KIND(proto->info) != BTF_KIND_FUNC_PROTO ||
	    arg >= BTF_INFO_VLEN(proto->info))
		return false;
	name = btf_name(table.btf, ((const struct btf_param *)(proto + 1))[arg].name_off);
	return name && strlen(name) >= sizeof(suffix) - 1 &&
	       !strcmp(name + strlen(name) - (sizeof(suffix) - 1), suffix);
}
