/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * fields.c: members of structs that mean something to the kernel: locks, lists, trees, reference
 * counts, timers, and pointers to kernel objects. Refuses structs in which they cannot work, and
 * finds those of a map's values. Runs on BTF whose types have been checked and resolved; writes no
 * log, as the kernel does not here.
 *
 * BTF_LOAD looks at a struct when a direct member of it has a special type, and there timers and
 * their like are plain data. Two things the kernel knows and we cannot: whether a pointer's target
 * is a kernel type, and whether that type has a destructor. Such pointers pass.
 */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "btf/check.h"

#define BIT(kind) BTF_FIELD_BIT(kind)
#define NODES (BIT(FIELD_LIST_NODE) | BIT(FIELD_RB_NODE))
#define UNIQUE (BTF_LOCKS | BTF_TASKS)
#define BTF_WHOLE (-1) /* component of a declaration tag: all of it */
#define REPEATABLE (BTF_ROOTS | BIT(FIELD_KPTR)) /* may be elements of an array */
#define IN_STRUCTS (BTF_LOCKS | BTF_ROOTS | NODES | BIT(FIELD_REFCOUNT) | BIT(FIELD_KPTR))
#define IN_VALUES (BTF_LOCKS | BTF_ROOTS | BTF_TASKS | BIT(FIELD_REFCOUNT) | BIT(FIELD_KPTR))

static const struct {
	const char *name;
	u32 size, align;
} rows[] = {
	[FIELD_SPIN_LOCK] = {"bpf_spin_lock", 4, 4},
	[FIELD_RES_SPIN_LOCK] = {"bpf_res_spin_lock", 4, 4},
	[FIELD_LIST_HEAD] = {"bpf_list_head", 16, 8},
	[FIELD_LIST_NODE] = {"bpf_list_node", 24, 8},
	[FIELD_RB_ROOT] = {"bpf_rb_root", 16, 8},
	[FIELD_RB_NODE] = {"bpf_rb_node", 32, 8},
	[FIELD_REFCOUNT] = {"bpf_refcount", 4, 4},
	[FIELD_TIMER] = {"bpf_timer", 16, 8},
	[FIELD_WQ] = {"bpf_wq", 16, 8},
	[FIELD_TASK_WORK] = {"bpf_task_work", 8, 8},
	[FIELD_KPTR] = {"", 8, 8},
};

struct field {
	enum btf_field_kind kind;
	u32 offset;
	u32 type;	       /* of a root: the struct that it holds; of a pointer: its target */
	u32 node;	       /* as in struct btf_field */
	const char *node_name; /* of a root: the member that is the node */
};

/*
 * What a walk over one struct has found so far. barren[] remembers for all walks which structs
 * have no field, by the levels of structs inside them, so that no walk repeats itself.
 */
struct fields {
	const struct btf *btf;
	u32 kinds; /* looked for, one bit each */
	u8 *barren;
	u32 deepest; /* level reached */
	struct field list[BTF_FIELDS_MAX];
	u32 count;
};

static bool is_kind(const struct btf_type *t, u32 number)
{
	return BTF_INFO_KIND(t->info) == number;
}

static const char *name_of(const struct btf *btf, const struct btf_type *t)
{
	return btf_name(btf, t->name_off);
}

static u32 bit_offset(const struct btf_type *t, const struct btf_member *member)
{
	return BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
}

static const struct btf_member *members_of(const struct btf_type *t)
{
	return (const struct btf_member *)(t + 1);
}

static const struct {
	const char *tag;
	enum btf_pointer pointer;
} pointers[] = {
	{"kptr", POINTER_TRUSTED},
	{"kptr_untrusted", POINTER_UNTRUSTED},
	{"percpu_kptr", POINTER_PERCPU},
};

static u32 id_of(const struct btf *btf, const struct btf_type *t)
{
	u32 id = 0;

	while (btf->types[id] != t)
		id++;
	return id;
}

/* 1 for a pointer to a struct that is tagged as a kernel object, 0 for other types, -EINVAL. */
static int find_kptr(const struct btf *btf, const struct btf_type *t, struct field *field)
{
	const struct btf_type *tag;
	const char *word;
	u32 i = 0;

	if (is_kind(t, BTF_KIND_VOLATILE))
		t = btf->types[t->type];
	if (!is_kind(t, BTF_KIND_PTR))
		return 0;
	tag = btf->types[t->type];
	if (!is_kind(tag, BTF_KIND_TYPE_TAG) || BTF_INFO_KFLAG(tag->info))
		return 0;
	if (is_kind(btf->types[tag->type], BTF_KIND_TYPE_TAG))
		return -EINVAL;
	word = name_of(btf, tag);
	if (!strcmp(word, "uptr"))
		return 0;
	while (i < ARRAY_SIZE(pointers) && strcmp(word, pointers[i].tag))
		i++;
	t = btf_resolve(btf, tag->type);
	if (i == ARRAY_SIZE(pointers) || !t || !is_kind(t, BTF_KIND_STRUCT))
		return -EINVAL;
	field->type = id_of(btf, t);
	field->node = pointers[i].pointer;
	return 1;
}

/* The name decides, also of a type that then turns out not to be the struct of that name. */
static enum btf_field_kind field_kind(const struct fields *found, const struct btf_type *t)
{
	const char *name = name_of(found->btf, t);

	for (u32 i = FIELD_SPIN_LOCK; i < FIELD_KPTR; i++)
		if (found->kinds & BIT(i) && !strcmp(name, rows[i].name))
			return i;
	return is_kind(t, BTF_KIND_STRUCT) ? FIELD_NONE : FIELD_KPTR;
}

static u32 find_struct(const struct btf *btf, const char *name, size_t len)
{
	for (u32 id = 1; id < btf->nr_types; id++)
		if (is_kind(btf->types[id], BTF_KIND_STRUCT) &&
		    !strncmp(name_of(btf, btf->types[id]), name, len) &&
		    !name_of(btf, btf->types[id])[len])
			return id;
	return 0;
}

/* The one tag "contains:..." of a member, behind the colon; NULL for none or several. */
static const char *contains_tag(const struct btf *btf, u32 id, u32 index)
{
	static const char prefix[] = "contains:";
	const char *found = NULL;

	for (u32 i = 1; i < btf->nr_types; i++) {
		const struct btf_type *t = btf->types[i];
		const char *name = name_of(btf, t);

		if (!is_kind(t, BTF_KIND_DECL_TAG) || t->type != id ||
		    ((const struct btf_decl_tag *)(t + 1))->component_idx != (s32)index ||
		    strncmp(name, prefix, sizeof(prefix) - 1))
			continue;
		if (found)
			return NULL;
		found = name + sizeof(prefix) - 1;
	}
	return found;
}

static int find_root(const struct btf *btf, u32 id, u32 index, struct field *field)
{
	const char *tag = contains_tag(btf, id, index), *colon;

	colon = tag ? strchr(tag, ':') : NULL;
	if (!colon)
		return -EINVAL;
	field->type = find_struct(btf, tag, (size_t)(colon - tag));
	if (!field->type)
		return -ENOENT;
	field->node_name = colon + 1;
	return *field->node_name ? 1 : -EINVAL;
}

/* 1 if a member of this type is such a field indeed, 0 if not, or -errno. */
static int find_field(const struct btf *btf, u32 id, u32 index, const struct btf_type *t,
		      struct field *field)
{
	if (field->kind == FIELD_KPTR)
		return find_kptr(btf, t, field);
	if (!is_kind(t, BTF_KIND_STRUCT) || t->size != rows[field->kind].size)
		return 0;
	return BIT(field->kind) & BTF_ROOTS ? find_root(btf, id, index, field) : 1;
}

/* The fields found since first stand in an element that occurs times over. */
static int repeat_fields(struct fields *found, u32 first, u32 times, u32 stride)
{
	u32 count = found->count - first;

	if (times <= 1 || !count)
		return 0;
	for (u32 i = first; i < found->count; i++)
		if (!(BIT(found->list[i].kind) & REPEATABLE))
			return -EINVAL;
	if ((u64)count * times > BTF_FIELDS_MAX - first)
		return -E2BIG;
	for (u32 i = first + count; i < first + count * times; i++) {
		found->list[i] = found->list[i - count];
		found->list[i].offset += stride;
	}
	found->count = first + count * times;
	return 0;
}

static int find_fields(struct fields *found, u32 id, u32 offset, u32 level);

/* A member of a struct, or a variable in a section. */
struct member {
	u32 owner, index, type; /* a variable is its owner's BTF_WHOLE */
	u32 offset; /* in its owner */
	u32 size;   /* that a field must have; 0: any */
};

/* The owner lies at offset. seen: kinds met before in it that it may have only one of. */
static int find_in_member(struct fields *found, const struct member *member, u32 offset, u32 level,
			  u32 *seen)
{
	const struct btf *btf = found->btf;
	struct field field = {.offset = offset + member->offset};
	u32 type = member->type, times = 1, first = found->count, depth;
	const struct btf_type *t = btf->types[type];
	int err;

	for (depth = 0; depth < BTF_DEPTH_MAX && is_kind(t, BTF_KIND_ARRAY); depth++) {
		times *= ((const struct btf_array *)(t + 1))->nelems;
		type = ((const struct btf_array *)(t + 1))->type;
		t = btf->types[type];
	}
	if (depth == BTF_DEPTH_MAX)
		return -E2BIG;
	if (!times)
		return 0;
	field.kind = field_kind(found, t);
	if (field.kind == FIELD_NONE) {
		err = find_fields(found, type, field.offset, level + 1);
		return err ? err : repeat_fields(found, first, times, t->size);
	}
	if (*seen & UNIQUE & BIT(field.kind))
		return -E2BIG;
	*seen |= BIT(field.kind);
	if ((member->size && member->size != rows[field.kind].size * times) ||
	    member->offset % rows[field.kind].align)
		return 0;
	err = find_field(btf, member->owner, member->index, t, &field);
	if (err <= 0)
		return err;
	if (found->count == BTF_FIELDS_MAX)
		return -E2BIG;
	found->list[found->count++] = field;
	return repeat_fields(found, first, times, rows[field.kind].size);
}

static int find_fields(struct fields *found, u32 id, u32 offset, u32 level)
{
	const struct btf_type *t = found->btf->types[id];
	u32 first = found->count, seen = 0, deepest = found->deepest;
	int err = 0;

	if (level + MAX(found->barren[id], 1) > BTF_DEPTH_MAX)
		return -E2BIG;
	found->deepest = level;
	if (found->barren[id]) {
		found->deepest += found->barren[id] - 1u;
		goto out;
	}
	for (u32 i = 0; !err && i < BTF_INFO_VLEN(t->info); i++) {
		if (bit_offset(t, members_of(t) + i) % 8)
			return -EINVAL;
		err = find_in_member(found,
				     &(struct member){id, i, members_of(t)[i].type,
						      bit_offset(t, members_of(t) + i) / 8, 0},
				     offset, level, &seen);
	}
	if (!err && found->count == first)
		found->barren[id] = (u8)(found->deepest - level + 1);
out:
	found->deepest = MAX(found->deepest, deepest);
	return err;
}

/* A root's node: exactly one member of that name, a node of the right sort, aligned. */
static int find_node(const struct btf *btf, struct field *root)
{
	const struct btf_type *t = btf->types[root->type];
	u32 node = root->kind == FIELD_LIST_HEAD ? FIELD_LIST_NODE : FIELD_RB_NODE;
	bool found = false;

	for (u32 i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_member *member = members_of(t) + i;
		const struct btf_type *type = btf->types[member->type];

		if (strcmp(btf_name(btf, member->name_off), root->node_name))
			continue;
		if (found || !is_kind(type, BTF_KIND_STRUCT) ||
		    strcmp(name_of(btf, type), rows[node].name) ||
		    bit_offset(t, member) % (rows[node].align * 8))
			return -EINVAL;
		root->node = bit_offset(t, member) / 8;
		found = true;
	}
	return found ? 0 : -ENOENT;
}

/* What has been found must fit together. Fills *mask with the kinds. */
static int check_found(struct fields *found, u32 *mask)
{
	u32 end = 0;
	int err;

	for (u32 i = 0; i < found->count; i++) {
		struct field *field = &found->list[i];

		if (field->offset < end)
			return -EEXIST;
		end = field->offset + rows[field->kind].size;
		*mask |= BIT(field->kind);
		err = BIT(field->kind) & BTF_ROOTS ? find_node(found->btf, field) : 0;
		if (err)
			return err;
	}
	if ((*mask & BTF_LOCKS) == BTF_LOCKS || (*mask & BTF_ROOTS && !(*mask & BTF_LOCKS)) ||
	    ((*mask & NODES) == NODES && !(*mask & BIT(FIELD_REFCOUNT))))
		return -EINVAL;
	return 0;
}

/* A struct that has special members. */
static int check_struct_fields(const struct btf *btf, u32 id, u32 *mask, u8 *barren)
{
	struct fields found = {.btf = btf, .kinds = IN_STRUCTS, .barren = barren};
	int err = find_fields(&found, id, 0, 0);

	if (!err && !found.count)
		err = -EFAULT;
	return err ? err : check_found(&found, mask);
}

/* What a root holds must be known, and what is itself held may not hold a further holder. */
static int check_ownership(const struct btf *btf, u32 id, const u32 *masks, u8 *barren)
{
	struct fields found = {.btf = btf, .kinds = IN_STRUCTS, .barren = barren};
	int err;

	if (!(masks[id] & BTF_ROOTS))
		return 0;
	err = find_fields(&found, id, 0, 0);
	for (u32 i = 0; !err && i < found.count; i++) {
		if (!(BIT(found.list[i].kind) & BTF_ROOTS))
			continue;
		if (!masks[found.list[i].type])
			err = -EFAULT;
		else if (masks[id] & NODES && masks[found.list[i].type] & BTF_ROOTS)
			err = -ELOOP;
	}
	return err;
}

/* The types whose members make a struct worth a look, one bit each; false if there are none. */
static bool mark_special(const struct btf *btf, u8 *special)
{
	struct field field;
	bool any = false;

	for (u32 i = FIELD_SPIN_LOCK; i < FIELD_KPTR; i++) {
		u32 id = BIT(i) & IN_STRUCTS & ~BIT(FIELD_RES_SPIN_LOCK)
				 ? find_struct(btf, rows[i].name, strlen(rows[i].name))
				 : 0;

		special[id] = id != 0;
		any |= id != 0;
	}
	for (u32 id = 1; id < btf->nr_types; id++) {
		if (find_kptr(btf, btf->types[id], &field) != 1)
			continue;
		special[id] = true;
		any = true;
	}
	return any;
}

bool btf_has_pointers(const struct btf *btf)
{
	struct field field;

	for (u32 id = 1; id < btf->nr_types; id++)
		if (find_kptr(btf, btf->types[id], &field) == 1)
			return true;
	return false;
}

static bool has_special_member(const struct btf_type *t, const u8 *special)
{
	if (!is_kind(t, BTF_KIND_STRUCT))
		return false;
	for (u32 i = 0; i < BTF_INFO_VLEN(t->info); i++)
		if (special[members_of(t)[i].type])
			return true;
	return false;
}

static int check_marked(const struct btf *btf, const u8 *special, u32 *masks, u8 *barren)
{
	int err = 0;

	for (u32 id = 1; !err && id < btf->nr_types; id++)
		if (has_special_member(btf->types[id], special))
			err = check_struct_fields(btf, id, &masks[id], barren);
	for (u32 id = 1; !err && id < btf->nr_types; id++)
		err = check_ownership(btf, id, masks, barren);
	return err;
}

int check_fields(const struct btf *btf)
{
	u8 *special = memory_zalloc(btf->nr_types, 1), *barren = memory_zalloc(btf->nr_types, 1);
	u32 *masks = memory_zalloc(btf->nr_types, sizeof(*masks));
	int err = special && barren && masks ? 0 : -ENOMEM;

	if (!err && mark_special(btf, special))
		err = check_marked(btf, special, masks, barren);
	memory_free(special);
	memory_free(barren);
	memory_free(masks);
	return err;
}

/* The variables of a section are what the members of a struct are. */
static int find_in_section(struct fields *found, u32 id)
{
	const struct btf_type *t = found->btf->types[id];
	const struct btf_var_secinfo *vars = (const void *)(t + 1);
	u32 seen = 0;
	int err = 0;

	for (u32 i = 0; !err && i < BTF_INFO_VLEN(t->info); i++)
		err = find_in_member(found,
				     &(struct member){vars[i].type, (u32)BTF_WHOLE,
						      found->btf->types[vars[i].type]->type,
						      vars[i].offset, vars[i].size},
				     0, 0, &seen);
	return err;
}

static int find_in_type(struct fields *found, const struct btf_type *t, u32 size)
{
	const u32 id = id_of(found->btf, t);
	u32 mask = 0;
	int err;

	err = is_kind(t, BTF_KIND_STRUCT)    ? find_fields(found, id, 0, 0)
	      : is_kind(t, BTF_KIND_DATASEC) ? find_in_section(found, id)
					     : -EINVAL;
	if (!err)
		err = check_found(found, &mask);
	for (u32 i = 0; !err && i < found->count; i++)
		if ((u64)found->list[i].offset + rows[found->list[i].kind].size > size)
			err = -EFAULT;
	return err;
}

static int fields_of(const struct btf *btf, u32 kinds, const struct btf_type *t, u32 size,
		     struct btf_fields *fields)
{
	struct fields found = {.btf = btf, .kinds = kinds};

	fields->count = 0;
	found.barren = memory_zalloc(btf->nr_types, 1);
	if (!found.barren)
		return -ENOMEM;
	if (t && !find_in_type(&found, t, size)) {
		for (u32 i = 0; i < found.count; i++)
			fields->list[i] = (struct btf_field){
				.kind = (u16)found.list[i].kind,
				.size = (u16)rows[found.list[i].kind].size,
				.offset = found.list[i].offset,
				.type = found.list[i].type,
				.node = found.list[i].node,
			};
		fields->count = found.count;
	}
	memory_free(found.barren);
	return 0;
}

int btf_value_fields(const struct btf *btf, u32 id, u32 size, struct btf_fields *fields)
{
	return fields_of(btf, IN_VALUES, btf_resolve(btf, id), size, fields);
}

int btf_object_fields(const struct btf *btf, u32 id, struct btf_fields *fields)
{
	const struct btf_type *t = btf->types[id];

	return fields_of(btf, IN_STRUCTS, t, t->size, fields);
}

const struct btf_field *btf_field_from(const struct btf_fields *fields, u32 kinds, u32 offset)
{
	for (u32 i = 0; i < fields->count; i++)
		if (fields->list[i].offset >= offset && BTF_FIELD_BIT(fields->list[i].kind) & kinds)
			return &fields->list[i];
	return NULL;
}

bool btf_part_at(const struct btf_fields *fields, u32 size, u32 offset, u32 *from, u32 *to)
{
	*from = 0;
	for (u32 i = 0; i < fields->count; i++) {
		const struct btf_field *field = &fields->list[i];

		*to = field->offset;
		if (offset < *to)
			return true;
		if (offset - field->offset < field->size) {
			*from = field->offset;
			*to = field->offset + field->size;
			return false;
		}
		*from = field->offset + field->size;
	}
	*to = size;
	return true;
}
