/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kinds.c: what each kind of type demands: of itself, and of its place as a member of a struct.
 * One row per kind in kinds[]; adding a kind is a row and its functions. What a type refers to is
 * followed in resolve.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf/check.h"

#define INT_BITS_MAX 128u
#define POINTER_BYTES 8u

/* Letters of Latin-1, as the kernel classifies bytes. */
static bool is_letter(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static bool is_printable(u8 c)
{
	return (c >= 0x20 && c < 0x7f) || c >= 0xa0;
}

bool check_identifier(const struct check *check, u32 offset)
{
	const char *name = btf_name(check->btf, offset);
	size_t len = strnlen(name, BTF_NAME_CHARS + 1);

	for (size_t i = 0; i < len; i++) {
		u8 c = (u8)name[i];

		if (!is_letter(c) && c != '_' && c != '.' && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return len && len <= BTF_NAME_CHARS;
}

static bool is_section_name(const struct check *check, u32 offset)
{
	const char *name = btf_name(check->btf, offset);
	size_t len = strnlen(name, BTF_NAME_CHARS + 1);

	for (size_t i = 0; i < len; i++)
		if (!is_printable((u8)name[i]))
			return false;
	return len && len <= BTF_NAME_CHARS;
}

/* The two rules nearly every kind has; NULL when neither is broken. */
static const char *plain_fault(const struct btf_type *t)
{
	if (BTF_INFO_VLEN(t->info))
		return "vlen != 0";
	if (BTF_INFO_KFLAG(t->info) && !(kind_traits(t) & KIND_FLAG))
		return "Invalid btf_info kind_flag";
	return NULL;
}

/* Prints the type, with its fault if it has one. */
static int verdict(struct check *check, u32 id, const struct btf_type *t, const char *fault)
{
	check_print(check, id, t, fault);
	return fault ? -EINVAL : 0;
}

/* May [offset, offset+bits) lie in the struct? Whole bytes are needed. */
static const char *fits(const struct btf_type *in, u32 offset, u64 bits)
{
	u64 end = (u64)offset / 8 + (offset % 8 + bits + 7) / 8;

	return end <= in->size ? NULL : "Member exceeds struct_size";
}

static const char *fits_bytes(const struct btf_type *in, u32 offset, u32 bytes)
{
	return offset % 8 ? "Member is not byte aligned" : fits(in, offset, (u64)bytes * 8);
}

/* Integers */

static void describe_int(struct check *check, const struct btf_type *t)
{
	static const char *const encodings[] = {
		[0] = "(none)",
		[BTF_INT_SIGNED] = "SIGNED",
		[BTF_INT_CHAR] = "CHAR",
		[BTF_INT_BOOL] = "BOOL",
	};
	u32 data = *(const u32 *)(t + 1), encoding = BTF_INT_ENCODING(data);
	const char *word = encoding < ARRAY_SIZE(encodings) ? encodings[encoding] : NULL;

	sink_printf(check->log, "size=%u bits_offset=%u nr_bits=%u encoding=%s", t->size,
		    BTF_INT_OFFSET(data), BTF_INT_BITS(data), word ? word : "UNKN");
}

static int check_int(struct check *check, u32 id, const struct btf_type *t)
{
	u32 data = *(const u32 *)(t + 1), bits = BTF_INT_BITS(data) + BTF_INT_OFFSET(data);
	const char *fault = plain_fault(t);
	char text[32];

	if (!fault && data & 0xf0000000u) {
		snprintf(text, sizeof(text), "Invalid int_data:%x", data);
		return check_fail_briefly(check, id, t, text);
	}
	if (!fault && bits > INT_BITS_MAX)
		fault = "nr_bits exceeds 128";
	if (!fault && (bits + 7) / 8 > t->size)
		fault = "nr_bits exceeds type_size";
	if (fault)
		return check_fail(check, id, t, fault);
	switch (BTF_INT_ENCODING(data)) {
	case 0:
	case BTF_INT_SIGNED:
	case BTF_INT_CHAR:
	case BTF_INT_BOOL:
		return verdict(check, id, t, NULL);
	default:
		check_print(check, id, t, "Unsupported encoding");
		return -ENOTSUPP;
	}
}

bool check_int_is_regular(const struct btf_type *t)
{
	u32 data = *(const u32 *)(t + 1), bits = BTF_INT_BITS(data);

	return !BTF_INT_OFFSET(data) &&
	       (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128);
}

static const char *int_bits_fit(const struct btf_type *in, u32 offset, u32 bits)
{
	return offset % 8 + bits > INT_BITS_MAX ? "nr_copy_bits exceeds 128"
						: fits(in, offset, bits);
}

static const char *int_bitfield(const struct btf_type *in, const struct btf_type *t, u32 offset,
				u32 bits)
{
	u32 all = BTF_INT_BITS(*(const u32 *)(t + 1));

	if (!check_int_is_regular(t))
		return "Invalid member base type";
	if (!bits && offset % 8)
		return "Invalid member offset";
	if (bits > all)
		return "Invalid member bitfield_size";
	return int_bits_fit(in, offset, bits ? bits : all);
}

static const char *int_member(struct check *check, const struct btf_type *in, u32 id, u32 offset,
			      u32 bits)
{
	const struct btf_type *t = btf_type(check->btf, id);
	u32 data = *(const u32 *)(t + 1);

	if (BTF_INFO_KFLAG(in->info))
		return int_bitfield(in, t, offset, bits);
	if (offset > UINT32_MAX - BTF_INT_OFFSET(data))
		return "bits_offset exceeds U32_MAX";
	return int_bits_fit(in, offset + BTF_INT_OFFSET(data), BTF_INT_BITS(data));
}

/* References: pointers, modifiers, functions */

static void describe_reference(struct check *check, const struct btf_type *t)
{
	sink_printf(check->log, "type_id=%u", t->type);
}

static const char *reference_name_fault(const struct check *check, const struct btf_type *t)
{
	bool good = !t->name_off;

	if (BTF_INFO_KIND(t->info) == BTF_KIND_TYPEDEF)
		good = check_identifier(check, t->name_off);
	else if (BTF_INFO_KIND(t->info) == BTF_KIND_TYPE_TAG)
		good = *btf_name(check->btf, t->name_off);
	return good ? NULL : "Invalid name";
}

static int check_reference(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = plain_fault(t);

	if (!fault && t->type > BTF_TYPES_MAX)
		fault = "Invalid type_id";
	if (!fault)
		fault = reference_name_fault(check, t);
	return verdict(check, id, t, fault);
}

static const char *pointer_member(struct check *check, const struct btf_type *in, u32 id,
				  u32 offset, u32 bits)
{
	(void)check, (void)id, (void)bits;
	return fits_bytes(in, offset, POINTER_BYTES);
}

static int check_func(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = NULL;

	if (!check_identifier(check, t->name_off))
		fault = "Invalid name";
	else if (BTF_INFO_VLEN(t->info) > BTF_FUNC_GLOBAL)
		fault = "Invalid func linkage";
	else if (BTF_INFO_KFLAG(t->info))
		fault = "Invalid btf_info kind_flag";
	return verdict(check, id, t, fault);
}

static void describe_fwd(struct check *check, const struct btf_type *t)
{
	sink_printf(check->log, "%s", BTF_INFO_KFLAG(t->info) ? "union" : "struct");
}

static int check_fwd(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = plain_fault(t);

	if (!fault && t->type)
		fault = "type != 0";
	if (!fault && !check_identifier(check, t->name_off))
		fault = "Invalid name";
	return verdict(check, id, t, fault);
}

/* Arrays, structs, unions */

static void describe_array(struct check *check, const struct btf_type *t)
{
	const struct btf_array *array = (const struct btf_array *)(t + 1);

	sink_printf(check->log, "type_id=%u index_type_id=%u nr_elems=%u", array->type,
		    array->index_type, array->nelems);
}

static bool is_id(u32 id)
{
	return id && id <= BTF_TYPES_MAX;
}

static int check_array(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_array *array = (const struct btf_array *)(t + 1);
	const char *fault = t->name_off ? "Invalid name" : plain_fault(t);

	if (!fault && t->size)
		fault = "size != 0";
	if (!fault && !is_id(array->type))
		fault = "Invalid elem";
	if (!fault && !is_id(array->index_type))
		fault = "Invalid index";
	return verdict(check, id, t, fault);
}

static const char *array_member(struct check *check, const struct btf_type *in, u32 id, u32 offset,
				u32 bits)
{
	(void)bits;
	return fits_bytes(in, offset, check->array_size[id]);
}

static void describe_compound(struct check *check, const struct btf_type *t)
{
	sink_printf(check->log, "size=%u vlen=%u", t->size, BTF_INFO_VLEN(t->info));
}

static const char *member_fault(const struct check *check, const struct btf_type *t,
				const struct btf_member *member, u32 last)
{
	bool is_union = BTF_INFO_KIND(t->info) == BTF_KIND_UNION;
	u32 offset = member->offset;

	if (BTF_INFO_KFLAG(t->info))
		offset = BTF_MEMBER_BIT_OFFSET(offset);
	if (member->name_off && !check_identifier(check, member->name_off))
		return "Invalid name";
	if (!is_id(member->type))
		return "Invalid type_id";
	if ((is_union && offset) || offset < last)
		return "Invalid member bits_offset";
	if (((u64)offset + 7) / 8 > t->size)
		return "Member bits_offset exceeds its struct size";
	return NULL;
}

static int check_member(struct check *check, const struct btf_type *t,
			const struct btf_member *member, u32 *last)
{
	const char *fault;
	char text[64];

	if (!btf_name(check->btf, member->name_off)) {
		snprintf(text, sizeof(text), "Invalid member name_offset:%u", member->name_off);
		check_print_member(check, t, member, text);
		return -EINVAL;
	}
	fault = member_fault(check, t, member, *last);
	check_print_member(check, t, member, fault);
	*last = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
	return fault ? -EINVAL : 0;
}

static int check_struct(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_member *members = (const struct btf_member *)(t + 1);
	u32 last = 0;
	int err;

	err = verdict(check, id, t,
		      t->name_off && !check_identifier(check, t->name_off) ? "Invalid name" : NULL);
	for (u32 i = 0; !err && i < BTF_INFO_VLEN(t->info); i++)
		err = check_member(check, t, &members[i], &last);
	return err;
}

static const char *struct_member(struct check *check, const struct btf_type *in, u32 id, u32 offset,
				 u32 bits)
{
	(void)bits;
	return fits_bytes(in, offset, btf_type(check->btf, id)->size);
}

/* Enumerations and floating point numbers */

static int check_enumerators(struct check *check, u32 id, const struct btf_type *t)
{
	bool wide = BTF_INFO_KIND(t->info) == BTF_KIND_ENUM64;
	const u32 *at = (const u32 *)(t + 1); /* name, value, and in an ENUM64 its upper half */
	u64 value;

	for (u32 i = 0; i < BTF_INFO_VLEN(t->info); i++, at += wide ? 3 : 2) {
		if (!btf_name(check->btf, at[0])) {
			sink_printf(check->log, "\tInvalid name_offset:%u", at[0]);
			return -EINVAL;
		}
		if (!check_identifier(check, at[0]))
			return check_fail(check, id, t, "Invalid name");
		value = wide ? at[1] | (u64)at[2] << 32 : at[1];
		if (!BTF_INFO_KFLAG(t->info))
			sink_printf(check->log, "\t%s val=%llu\n", check_name(check, at[0]),
				    (unsigned long long)value);
		else
			sink_printf(check->log, "\t%s val=%lld\n", check_name(check, at[0]),
				    wide ? (long long)value : (s32)value);
	}
	return 0;
}

static int check_enum(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = NULL;
	int err;

	if (!t->size || t->size > 8 || t->size & (t->size - 1))
		fault = "Unexpected size";
	else if (t->name_off && !check_identifier(check, t->name_off))
		fault = "Invalid name";
	err = verdict(check, id, t, fault);
	return err ? err : check_enumerators(check, id, t);
}

/* With the kind flag an enumeration counts as an int of 32 bits, whatever its size. */
static const char *enum_member(struct check *check, const struct btf_type *in, u32 id, u32 offset,
			       u32 bits)
{
	if (!BTF_INFO_KFLAG(in->info))
		return fits_bytes(in, offset, btf_type(check->btf, id)->size);
	if (!bits)
		return fits_bytes(in, offset, sizeof(s32));
	return bits > 32 ? "Invalid member bitfield_size" : fits(in, offset, bits);
}

static void describe_float(struct check *check, const struct btf_type *t)
{
	sink_printf(check->log, "size=%u", t->size);
}

static int check_float(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = plain_fault(t);
	u32 size = t->size;

	if (!fault && size != 2 && size != 4 && size != 8 && size != 12 && size != 16)
		fault = "Invalid type_size";
	return verdict(check, id, t, fault);
}

static const char *float_member(struct check *check, const struct btf_type *in, u32 id, u32 offset,
				u32 bits)
{
	u32 size = btf_type(check->btf, id)->size;

	(void)bits;
	if (offset % (MIN(size, POINTER_BYTES) * 8))
		return "Member is not properly aligned";
	return fits(in, offset, (u64)size * 8);
}

/* Functions' prototypes, variables, sections, tags */

static void describe_proto(struct check *check, const struct btf_type *t)
{
	const struct btf_param *params = (const struct btf_param *)(t + 1);
	u32 count = BTF_INFO_VLEN(t->info);

	sink_printf(check->log, "return=%u args=(", t->type);
	if (!count)
		sink_printf(check->log, "void");
	for (u32 i = 0; i < count; i++) {
		const char *comma = i ? ", " : "";

		if (i + 1 == count && !params[i].type)
			sink_printf(check->log, "%svararg", comma);
		else
			sink_printf(check->log, "%s%u %s", comma, params[i].type,
				    check_name(check, params[i].name_off));
	}
	sink_printf(check->log, ")");
}

static int check_proto(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = NULL;

	if (t->name_off)
		fault = "Invalid name";
	else if (BTF_INFO_KFLAG(t->info))
		fault = "Invalid btf_info kind_flag";
	return verdict(check, id, t, fault);
}

static void describe_var(struct check *check, const struct btf_type *t)
{
	sink_printf(check->log, "type_id=%u linkage=%u", t->type,
		    ((const struct btf_var *)(t + 1))->linkage);
}

static int check_var(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_var *var = (const struct btf_var *)(t + 1);
	const char *fault = plain_fault(t);

	if (!fault && !check_identifier(check, t->name_off))
		fault = "Invalid name";
	if (!fault && !is_id(t->type))
		fault = "Invalid type_id";
	if (!fault && var->linkage != BTF_VAR_STATIC && var->linkage != BTF_VAR_GLOBAL_ALLOCATED)
		fault = "Linkage not supported";
	return verdict(check, id, t, fault);
}

/* Ends of variables wrap at 32 bits, as in the kernel; the sum of their sizes does not. */
static const char *section_var_fault(const struct btf_type *t, const struct btf_var_secinfo *var,
				     u32 end)
{
	if (!is_id(var->type))
		return "Invalid type_id";
	if (var->offset < end || var->offset >= t->size)
		return "Invalid offset";
	if (!var->size || var->size > t->size)
		return "Invalid size";
	if (var->offset + var->size > t->size)
		return "Invalid offset+size";
	return NULL;
}

static int check_section_vars(struct check *check, u32 id, const struct btf_type *t)
{
	const struct btf_var_secinfo *vars = (const struct btf_var_secinfo *)(t + 1);
	u64 sum = 0;
	u32 end = 0;

	for (u32 i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const char *fault = section_var_fault(t, &vars[i], end);

		check_print_var(check, &vars[i], fault);
		if (fault)
			return -EINVAL;
		end = vars[i].offset + vars[i].size;
		sum += vars[i].size;
	}
	return sum <= t->size ? 0 : check_fail(check, id, t, "Invalid btf_info size");
}

static int check_datasec(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = NULL;
	int err;

	if (!t->size)
		fault = "size == 0";
	else if (BTF_INFO_KFLAG(t->info))
		fault = "Invalid btf_info kind_flag";
	else if (!is_section_name(check, t->name_off))
		fault = "Invalid name";
	err = verdict(check, id, t, fault);
	return err ? err : check_section_vars(check, id, t);
}

static void describe_decl_tag(struct check *check, const struct btf_type *t)
{
	sink_printf(check->log, "type=%u component_idx=%d", t->type,
		    ((const struct btf_decl_tag *)(t + 1))->component_idx);
}

static int check_decl_tag(struct check *check, u32 id, const struct btf_type *t)
{
	const char *fault = NULL;

	if (!*btf_name(check->btf, t->name_off))
		fault = "Invalid value";
	else
		fault = plain_fault(t);
	if (!fault && ((const struct btf_decl_tag *)(t + 1))->component_idx < -1)
		fault = "Invalid component_idx";
	return verdict(check, id, t, fault);
}

#define MODIFIER(number, word, more)                  \
	[number] = {                                  \
		word,                                 \
		KIND_MODIFIER | KIND_REFERS | (more), \
		describe_reference,                   \
		check_reference,                      \
		resolve_reference,                    \
		NULL,                                 \
	}

static const struct kind kinds[] = {
	[BTF_KIND_INT] = {"INT", KIND_SIZED, describe_int, check_int, NULL, int_member},
	[BTF_KIND_PTR] = {"PTR", KIND_REFERS, describe_reference, check_reference, resolve_pointer,
			  pointer_member},
	[BTF_KIND_ARRAY] = {"ARRAY", KIND_REFERS, describe_array, check_array, resolve_array,
			    array_member},
	[BTF_KIND_STRUCT] = {"STRUCT", KIND_SIZED | KIND_REFERS | KIND_FLAG, describe_compound,
			     check_struct, resolve_struct, struct_member},
	[BTF_KIND_UNION] = {"UNION", KIND_SIZED | KIND_REFERS | KIND_FLAG, describe_compound,
			    check_struct, resolve_struct, struct_member},
	[BTF_KIND_ENUM] = {"ENUM", KIND_SIZED | KIND_FLAG, describe_compound, check_enum, NULL,
			   enum_member},
	[BTF_KIND_FWD] = {"FWD", KIND_NO_SIZE | KIND_FLAG, describe_fwd, check_fwd, NULL, NULL},
	MODIFIER(BTF_KIND_TYPEDEF, "TYPEDEF", 0),
	MODIFIER(BTF_KIND_VOLATILE, "VOLATILE", 0),
	MODIFIER(BTF_KIND_CONST, "CONST", 0),
	MODIFIER(BTF_KIND_RESTRICT, "RESTRICT", 0),
	[BTF_KIND_FUNC] = {"FUNC", KIND_NO_SIZE | KIND_REFERS, describe_reference, check_func,
			   resolve_func, NULL},
	[BTF_KIND_FUNC_PROTO] = {"FUNC_PROTO", KIND_NO_SIZE, describe_proto, check_proto, NULL,
				 NULL},
	[BTF_KIND_VAR] = {"VAR", KIND_REFERS | KIND_TOP_LEVEL, describe_var, check_var, resolve_var,
			  NULL},
	[BTF_KIND_DATASEC] = {"DATASEC", KIND_SIZED | KIND_REFERS | KIND_TOP_LEVEL,
			      describe_compound, check_datasec, resolve_datasec, NULL},
	[BTF_KIND_FLOAT] = {"FLOAT", KIND_SIZED, describe_float, check_float, NULL, float_member},
	[BTF_KIND_DECL_TAG] = {"DECL_TAG", KIND_NO_SIZE | KIND_REFERS | KIND_TOP_LEVEL | KIND_FLAG,
			       describe_decl_tag, check_decl_tag, resolve_decl_tag, NULL},
	MODIFIER(BTF_KIND_TYPE_TAG, "TYPE_TAG", KIND_FLAG),
	[BTF_KIND_ENUM64] = {"ENUM64", KIND_SIZED | KIND_FLAG, describe_compound, check_enum, NULL,
			     enum_member},
};

const struct kind *kind_of(const struct btf_type *t)
{
	u32 number = BTF_INFO_KIND(t->info);

	return number && number < ARRAY_SIZE(kinds) ? &kinds[number] : NULL;
}

u32 kind_traits(const struct btf_type *t)
{
	const struct kind *kind = kind_of(t);

	return kind ? kind->traits : KIND_NO_SIZE; /* void */
}
