/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * resolve.c: what types refer to. Walks from every type that refers to others, depth first and at
 * most BTF_DEPTH_MAX deep, and refuses types that contain themselves, are incomplete, or do not
 * fit where they are put.
 *
 * A pointer may point back to what holds it, a struct may not. Therefore a walk that starts at a
 * pointer follows pointers and modifiers only, one that starts at a struct or array follows
 * structs, arrays and modifiers only; each meets every loop of its own sort.
 *
 * Invariant: in state RESOLVED, target[] of a modifier, pointer or variable names no modifier that
 * could still change, and array_size[] of an array is final.
 */
#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "btf/check.h"

enum resolve_state { NOT_VISITED, VISITED, RESOLVED };

/* Does the present walk stop at t? */
static bool ends_walk(const struct check *check, const struct btf_type *t)
{
	u32 number = BTF_INFO_KIND(t->info);

	if (kind_traits(t) & KIND_MODIFIER)
		return false;
	switch (check->walk) {
	case WALK_POINTER:
		return number != BTF_KIND_PTR;
	case WALK_AGGREGATE:
		return number != BTF_KIND_ARRAY && number != BTF_KIND_STRUCT &&
		       number != BTF_KIND_UNION;
	default:
		return !(kind_traits(t) & KIND_REFERS);
	}
}

static void choose_walk(struct check *check, const struct btf_type *t)
{
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_PTR:
		check->walk = WALK_POINTER;
		break;
	case BTF_KIND_ARRAY:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		check->walk = WALK_AGGREGATE;
		break;
	default:
		break;
	}
}

static int visit(struct check *check, u32 id)
{
	const struct btf_type *t = check->btf->types[id];
	int err;

	if (check->depth == BTF_DEPTH_MAX)
		return -E2BIG;
	if (check->state[id] != NOT_VISITED)
		return -EEXIST;
	if (check->walk == WALK_ANY)
		choose_walk(check, t);
	check->state[id] = VISITED;
	check->depth++;
	err = kind_of(t)->resolve(check, id, t);
	check->depth--;
	if (!err)
		check->state[id] = RESOLVED;
	return err;
}

/* Resolves what a type refers to, unless the walk ends there. */
static int follow(struct check *check, u32 id)
{
	if (check->state[id] == RESOLVED || ends_walk(check, check->btf->types[id]))
		return 0;
	return visit(check, id);
}

/*
 * A modifier that was resolved in an aggregate walk ends at a pointer which that walk did not
 * enter; a pointer walk has to.
 */
static int follow_through(struct check *check, u32 id)
{
	int err = follow(check, id);
	u32 end = check->target[id];

	if (err || !(kind_traits(check->btf->types[id]) & KIND_MODIFIER) ||
	    BTF_INFO_KIND(check->btf->types[end]->info) != BTF_KIND_PTR)
		return err;
	return follow(check, end);
}

/* NULL when nothing may refer to it, or there is no such type. */
static const struct btf_type *referable(const struct check *check, u32 id)
{
	const struct btf_type *t = btf_type(check->btf, id);

	return t && !(kind_traits(t) & KIND_TOP_LEVEL) ? t : NULL;
}

static const struct btf_type *complete(const struct check *check, u32 id)
{
	const struct btf_type *t = referable(check, id);

	return t && !(kind_traits(t) & KIND_NO_SIZE) ? t : NULL;
}

/* One type's own size; false if it has none by itself. */
static bool own_size(const struct check *check, u32 id, u32 *size)
{
	const struct btf_type *t = check->btf->types[id];

	if (kind_traits(t) & KIND_SIZED)
		*size = t->size;
	else if (BTF_INFO_KIND(t->info) == BTF_KIND_ARRAY)
		*size = check->array_size[id];
	else if (BTF_INFO_KIND(t->info) == BTF_KIND_PTR)
		*size = sizeof(u64);
	else
		return false;
	return true;
}

const struct btf_type *resolve_sized(struct check *check, u32 *id, u32 *size)
{
	const struct btf_type *t = btf_type(check->btf, *id);
	u32 end = *id, ignored;

	if (!t || kind_traits(t) & KIND_NO_SIZE)
		return NULL;
	if (kind_traits(t) & KIND_MODIFIER || BTF_INFO_KIND(t->info) == BTF_KIND_VAR)
		end = check->target[end];
	if (!own_size(check, end, size ? size : &ignored))
		return NULL;
	*id = end;
	return check->btf->types[end];
}

/* The end of a reference may also be void, a forward declaration or a prototype. */
static int set_target(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_type *to;
	u32 end = t->type;

	if (!resolve_sized(check, &end, NULL)) {
		if (check->state[end] == RESOLVED)
			end = check->target[end];
		to = check->btf->types[end];
		if (end && BTF_INFO_KIND(to->info) != BTF_KIND_FWD &&
		    BTF_INFO_KIND(to->info) != BTF_KIND_FUNC_PROTO)
			return check_fail(check, id, t, "Invalid type_id");
	}
	check->target[id] = end;
	return 0;
}

int resolve_reference(struct check *check, u32 id, const struct btf_type *t)
{
	int err;

	if (!referable(check, t->type))
		return check_fail(check, id, t, "Invalid type_id");
	err = follow(check, t->type);
	return err ? err : set_target(check, id, t);
}

int resolve_pointer(struct check *check, u32 id, const struct btf_type *t)
{
	int err;

	if (!referable(check, t->type))
		return check_fail(check, id, t, "Invalid type_id");
	err = follow_through(check, t->type);
	return err ? err : set_target(check, id, t);
}

int resolve_var(struct check *check, u32 id, const struct btf_type *t)
{
	u32 end = t->type;
	int err;

	if (!referable(check, end))
		return check_fail(check, id, t, "Invalid type_id");
	err = follow_through(check, end);
	if (err)
		return err;
	if (!resolve_sized(check, &end, NULL))
		return check_fail(check, id, t, "Invalid type_id");
	check->target[id] = end;
	return 0;
}

static bool is_int(const struct btf_type *t)
{
	return BTF_INFO_KIND(t->info) == BTF_KIND_INT;
}

int resolve_array(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_array *array = (const struct btf_array *)(t + 1);
	u32 index = array->index_type, elem = array->type, size;
	const struct btf_type *end;
	int err;

	if (!complete(check, index))
		return check_fail(check, id, t, "Invalid index");
	err = follow(check, index);
	if (err)
		return err;
	end = resolve_sized(check, &index, NULL);
	if (!end || !is_int(end) || !check_int_is_regular(end))
		return check_fail(check, id, t, "Invalid index");
	if (!complete(check, elem))
		return check_fail(check, id, t, "Invalid elem");
	err = follow(check, elem);
	if (err)
		return err;
	end = resolve_sized(check, &elem, &size);
	if (!end)
		return check_fail(check, id, t, "Invalid elem");
	if (is_int(end) && !check_int_is_regular(end))
		return check_fail(check, id, t, "Invalid array of int");
	if ((u64)size * array->nelems > UINT32_MAX)
		return check_fail(check, id, t, "Array size overflows U32_MAX");
	check->array_size[id] = size * array->nelems;
	return 0;
}

static bool is_bitfield_base(const struct btf_type *t)
{
	u32 number = BTF_INFO_KIND(t->info);

	return number == BTF_KIND_INT || number == BTF_KIND_ENUM || number == BTF_KIND_ENUM64;
}

/* Does a member, whose type is resolved, lie in the struct? The log names the type at the end. */
static int place_member(struct check *check, u32 id, const struct btf_type *t,
			struct btf_member member)
{
	u32 offset = member.offset, bits = 0;
	const struct btf_type *type = resolve_sized(check, &member.type, NULL);
	const char *fault;

	if (BTF_INFO_KFLAG(t->info)) {
		bits = BTF_MEMBER_BITFIELD_SIZE(offset);
		offset = BTF_MEMBER_BIT_OFFSET(offset);
	}
	if (!type)
		fault = "Invalid member";
	else if (bits && !is_bitfield_base(type))
		fault = "Invalid member bitfield_size";
	else
		fault = kind_of(type)->member(check, t, member.type, offset, bits);
	return fault ? check_member_fail(check, id, t, &member, fault) : 0;
}

int resolve_struct(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_member *members = (const struct btf_member *)(t + 1);
	int err = 0;

	for (u32 i = 0; !err && i < BTF_INFO_VLEN(t->info); i++) {
		if (!complete(check, members[i].type))
			return check_member_fail(check, id, t, &members[i], "Invalid member");
		err = follow(check, members[i].type);
		if (!err)
			err = place_member(check, id, t, members[i]);
	}
	return err;
}

int resolve_datasec(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_var_secinfo *vars = (const struct btf_var_secinfo *)(t + 1);

	for (u32 i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_type *var = btf_type(check->btf, vars[i].type);
		u32 type, size;
		int err;

		if (!var || BTF_INFO_KIND(var->info) != BTF_KIND_VAR)
			return check_var_fail(check, id, t, &vars[i], "Not a VAR kind member");
		if (check->state[vars[i].type] != RESOLVED) {
			check->walk = WALK_ANY; /* each variable starts a walk of its own */
			err = visit(check, vars[i].type);
			if (err)
				return err;
			continue; /* the kernel looks at sizes only of those resolved before */
		}
		type = var->type;
		if (!resolve_sized(check, &type, &size))
			return check_var_fail(check, id, t, &vars[i], "Invalid type_id");
		if (vars[i].size < size)
			return check_var_fail(check, id, t, &vars[i], "Invalid size");
	}
	return 0;
}

/* How many members or parameters the tagged type has; -1 when it may have no index at all. */
static s64 components(const struct check *check, const struct btf_type *tagged)
{
	switch (BTF_INFO_KIND(tagged->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return BTF_INFO_VLEN(tagged->info);
	case BTF_KIND_FUNC:
		return BTF_INFO_VLEN(check->btf->types[tagged->type]->info);
	default:
		return -1;
	}
}

static bool is_taggable(const struct btf_type *t)
{
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_TYPEDEF:
		return true;
	default:
		return false;
	}
}

int resolve_decl_tag(struct check *check, u32 id, const struct btf_type *t)
{
	s32 index = ((const struct btf_decl_tag *)(t + 1))->component_idx;
	const struct btf_type *tagged = btf_type(check->btf, t->type);
	int err;

	if (!tagged || !is_taggable(tagged))
		return check_fail(check, id, t, "Invalid type_id");
	err = follow(check, t->type);
	if (err)
		return err;
	if (index != -1 && index >= components(check, tagged))
		return check_fail(check, id, t, "Invalid component_idx");
	check->target[id] = t->type;
	return 0;
}

static int fail_param(struct check *check, u32 id, const struct btf_type *t, u32 i)
{
	char text[32];

	snprintf(text, sizeof(text), "Invalid arg#%u", i + 1);
	return check_fail(check, id, t, text);
}

/* A function's prototype names its parameters. */
int resolve_func(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_type *proto = btf_type(check->btf, t->type);
	const struct btf_param *params;

	if (!proto || BTF_INFO_KIND(proto->info) != BTF_KIND_FUNC_PROTO)
		return check_fail(check, id, t, "Invalid type_id");
	params = (const struct btf_param *)(proto + 1);
	for (u32 i = 0; i < BTF_INFO_VLEN(proto->info); i++)
		if (!params[i].name_off && params[i].type)
			return fail_param(check, id, t, i);
	check->target[id] = t->type;
	return 0;
}

/* Starts a walk at a type. */
static int resolve(struct check *check, u32 id)
{
	const struct btf_type *t = check->btf->types[id];
	int err;

	if (!(kind_traits(t) & KIND_REFERS) || check->state[id] == RESOLVED)
		return 0;
	check->walk = WALK_ANY;
	err = visit(check, id);
	if (err == -E2BIG)
		check_print(check, id, t, "Exceeded max resolving depth:32");
	else if (err == -EEXIST)
		check_print(check, id, t, "Loop detected");
	return err;
}

/* A type that can be passed: 1; one that cannot: 0; or -errno of resolving it. */
static int passable(struct check *check, u32 id)
{
	int err;

	if (!referable(check, id))
		return 0;
	err = resolve(check, id);
	return err ? err : resolve_sized(check, &id, NULL) != NULL;
}

static bool param_name_ok(const struct check *check, u32 name)
{
	return !name || (btf_name(check->btf, name) && check_identifier(check, name));
}

static int check_params(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_param *params = (const struct btf_param *)(t + 1);
	u32 count = BTF_INFO_VLEN(t->info);
	int ok;

	if (count && !params[count - 1].type) {
		count--;
		if (params[count].name_off)
			return fail_param(check, id, t, count);
	}
	for (u32 i = 0; i < count; i++) {
		if (!param_name_ok(check, params[i].name_off) || !params[i].type)
			return fail_param(check, id, t, i);
		ok = passable(check, params[i].type);
		if (ok < 0)
			return ok;
		if (!ok)
			return fail_param(check, id, t, i);
	}
	return 0;
}

static int check_prototype(struct check *check, u32 id, const struct btf_type *t)
{
	int ok = t->type ? passable(check, t->type) : 1;

	if (ok < 0)
		return ok;
	return ok ? check_params(check, id, t) : check_fail(check, id, t, "Invalid return type");
}

static int resolve_each(struct check *check)
{
	const struct btf *btf = check->btf;
	int err = 0;

	check->resolving = true;
	for (u32 id = 1; !err && id < btf->nr_types; id++) {
		err = resolve(check, id);
		if (!err && BTF_INFO_KIND(btf->types[id]->info) == BTF_KIND_FUNC_PROTO)
			err = check_prototype(check, id, btf->types[id]);
	}
	return err;
}

int resolve_all(struct check *check)
{
	u32 n = check->btf->nr_types;
	int err = -ENOMEM;

	check->state = memory_zalloc(n, 1);
	check->target = memory_zalloc(n, sizeof(u32));
	check->array_size = memory_zalloc(n, sizeof(u32));
	if (check->state && check->target && check->array_size)
		err = resolve_each(check);
	memory_free(check->state);
	memory_free(check->target);
	memory_free(check->array_size);
	return err;
}
