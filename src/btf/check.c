/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * check.c: hostile bytes become struct btf or an errno. Owns the header, the sections and the walk
 * over the types; what each kind demands is in kinds.c. The log is worded as the kernel words it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf/check.h"

/* The reserved bits of btf_type.info. */
#define INFO_KNOWN 0x9f00ffffu

static int fail(struct check *check, const char *what, int err)
{
	sink_printf(check->log, "%s", what);
	return err;
}

static void print_header(struct check *check, const struct btf_header *hdr, u32 size)
{
	sink_printf(check->log, "magic: 0x%x\n", hdr->magic);
	sink_printf(check->log, "version: %u\n", hdr->version);
	sink_printf(check->log, "flags: 0x%x\n", hdr->flags);
	sink_printf(check->log, "hdr_len: %u\n", hdr->hdr_len);
	sink_printf(check->log, "type_off: %u\n", hdr->type_off);
	sink_printf(check->log, "type_len: %u\n", hdr->type_len);
	sink_printf(check->log, "str_off: %u\n", hdr->str_off);
	sink_printf(check->log, "str_len: %u\n", hdr->str_len);
	sink_printf(check->log, "btf_total_size: %u\n", size);
}

struct section {
	u32 off, len;
};

/* The two sections follow the header and each other without gap or overlap, and that is all. */
static int check_sections(struct check *check, const struct btf_header *hdr, u32 size)
{
	struct section first = {hdr->type_off, hdr->type_len};
	struct section second = {hdr->str_off, hdr->str_len}, swap;
	s32 order = (s32)(first.off - second.off);
	u32 total = 0, room = size - hdr->hdr_len;

	if (order > 0 || (!order && (s32)(first.len - second.len) > 0)) {
		swap = first;
		first = second;
		second = swap;
	}
	for (int i = 0; i < 2; i++, first = second) {
		if (first.off > room)
			return fail(check, "Invalid section offset", -EINVAL);
		if (first.off > total)
			return fail(check, "Unsupported section found", -EINVAL);
		if (first.off < total)
			return fail(check, "Section overlap found", -EINVAL);
		if (first.len > room - total)
			return fail(check, "Total section length too long", -EINVAL);
		total += first.len;
	}
	return total == room ? 0 : fail(check, "Unsupported section found", -EINVAL);
}

/* *hdr receives what there is of a header; a longer one must have a zero tail. */
static int read_header(struct check *check, struct btf_header *hdr, const u8 *data, u32 size)
{
	u32 len;

	if (size < offsetof(struct btf_header, hdr_len) + sizeof(len))
		return fail(check, "hdr_len not found", -EINVAL);
	memcpy(&len, data + offsetof(struct btf_header, hdr_len), sizeof(len));
	if (size < len)
		return fail(check, "btf_header not found", -EINVAL);
	for (u32 i = sizeof(*hdr); i < len; i++)
		if (data[i])
			return fail(check, "Unsupported btf_header", -E2BIG);
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, data, MIN(len, sizeof(*hdr)));
	return 0;
}

static int check_header(struct check *check, struct btf_header *hdr, const u8 *data, u32 size)
{
	int err = read_header(check, hdr, data, size);

	if (err)
		return err;
	print_header(check, hdr, size);
	if (hdr->magic != BTF_MAGIC)
		return fail(check, "Invalid magic", -EINVAL);
	if (hdr->version != BTF_VERSION)
		return fail(check, "Unsupported version", -ENOTSUPP);
	if (hdr->flags)
		return fail(check, "Unsupported flags", -ENOTSUPP);
	if (size == hdr->hdr_len)
		return fail(check, "No data", -EINVAL);
	return check_sections(check, hdr, size);
}

static int check_strings(struct check *check, const struct btf_header *hdr, const u8 *data)
{
	struct btf *btf = check->btf;
	const u8 *start = data + hdr->hdr_len + hdr->str_off;

	if (start + hdr->str_len != data + btf->size)
		return fail(check, "String section is not at the end", -EINVAL);
	if (!hdr->str_len || start[0] || start[hdr->str_len - 1])
		return fail(check, "Invalid string section", -EINVAL);
	btf->strings = (const char *)start;
	btf->strings_len = hdr->str_len;
	return 0;
}

/* One type of at most left bytes: returns its size or -errno. */
static s64 check_type(struct check *check, u32 id, const struct btf_type *t, u32 left)
{
	char text[64];
	s64 records;
	int err;

	if (left < sizeof(*t)) {
		sink_printf(check->log, "[%u] meta_left:%u meta_needed:%zu", id, left, sizeof(*t));
		return -EINVAL;
	}
	if (t->info & ~INFO_KNOWN) {
		sink_printf(check->log, "[%u] Invalid btf_info:%x", id, t->info);
		return -EINVAL;
	}
	if (!kind_of(t)) {
		sink_printf(check->log, "[%u] Invalid kind:%u", id, BTF_INFO_KIND(t->info));
		return -EINVAL;
	}
	if (!btf_name(check->btf, t->name_off)) {
		sink_printf(check->log, "[%u] Invalid name_offset:%u", id, t->name_off);
		return -EINVAL;
	}
	records = btf_records_size(t->info);
	left -= sizeof(*t);
	if (left < records) {
		snprintf(text, sizeof(text), "meta_left:%u meta_needed:%u", left, (u32)records);
		return check_fail_briefly(check, id, t, text);
	}
	err = kind_of(t)->check(check, id, t);
	return err ? err : (s64)sizeof(*t) + records;
}

static int check_types(struct check *check, const struct btf_header *hdr, const u8 *data)
{
	struct btf *btf = check->btf;
	const u8 *at = data + hdr->hdr_len + hdr->type_off;
	u32 left = hdr->type_len;

	if (hdr->type_off % sizeof(u32))
		return fail(check, "Unaligned type_off", -EINVAL);
	if (!left)
		return fail(check, "No type found", -EINVAL);
	for (u32 id = 1; left; id++) {
		s64 size = check_type(check, id, (const void *)at, left);
		int err = size < 0 ? (int)size : btf_add_type(btf, (const void *)at);

		if (err)
			return err;
		if (id >= BTF_TYPES_MAX)
			sink_printf(check->log, "Exceeded max num of types");
		at += size;
		left -= (u32)size;
	}
	return 0;
}

/* From one modifier to the end of its chain, or to a modifier from which it was walked before. */
static int check_chain(struct check *check, u32 id)
{
	const struct btf *btf = check->btf;
	bool may_tag = true;
	u32 steps = 0;

	for (u32 at = id; kind_traits(btf->types[at]) & KIND_MODIFIER; at = btf->types[at]->type) {
		bool tag = BTF_INFO_KIND(btf->types[at]->info) == BTF_KIND_TYPE_TAG;

		if (steps++ == BTF_DEPTH_MAX)
			return fail(check, "Max chain length or cycle detected", -ELOOP);
		if (tag && !may_tag)
			return fail(check, "Type tags don't precede modifiers", -EINVAL);
		may_tag = tag;
		if (at < id)
			break;
	}
	return 0;
}

/* Type tags stand in front of all other modifiers, next to the pointer whose target they tag. */
static int check_tag_order(struct check *check)
{
	int err = 0;

	for (u32 id = 1; !err && id < check->btf->nr_types; id++)
		err = check_chain(check, id);
	return err;
}

static int check_all(struct check *check, const u8 *data, u32 size)
{
	struct btf_header hdr;
	int err;

	err = check_header(check, &hdr, data, size);
	if (!err)
		err = check_strings(check, &hdr, data);
	if (!err)
		err = check_types(check, &hdr, data);
	if (!err)
		err = resolve_all(check);
	if (!err)
		err = check_tag_order(check);
	return err ? err : check_fields(check->btf);
}

int btf_parse(struct btf *btf, const void *data, u32 size, struct text_sink *log)
{
	struct check check = {.btf = btf, .log = log};
	int err;

	if (size > BTF_BYTES_MAX)
		return -E2BIG;
	err = btf_begin(btf, data, size);
	if (err)
		return err;
	err = check_all(&check, data, size);
	if (err)
		btf_clear(btf);
	return err;
}

u32 btf_padding(const void *data, u32 size)
{
	u32 len = 0;

	if (size >= offsetof(struct btf_header, hdr_len) + sizeof(len))
		memcpy(&len, (const u8 *)data + offsetof(struct btf_header, hdr_len), sizeof(len));
	return -len % sizeof(u32);
}

/* Words for the log */

const char *check_name(const struct check *check, u32 offset)
{
	const char *name = btf_name(check->btf, offset);

	if (!offset)
		return "(anon)";
	return name ? name : "(invalid-name-offset)";
}

void check_print(struct check *check, u32 id, const struct btf_type *t, const char *what)
{
	if (!check->log)
		return;
	sink_printf(check->log, "[%u] %s %s ", id, kind_of(t)->name,
		    check_name(check, t->name_off));
	kind_of(t)->describe(check, t);
	sink_printf(check->log, what ? " %s\n" : "\n", what);
}

int check_fail_briefly(struct check *check, u32 id, const struct btf_type *t, const char *what)
{
	sink_printf(check->log, "[%u] %s %s", id, kind_of(t)->name, check_name(check, t->name_off));
	sink_printf(check->log, " %s\n", what);
	return -EINVAL;
}

int check_fail(struct check *check, u32 id, const struct btf_type *t, const char *what)
{
	check_print(check, id, t, what);
	return -EINVAL;
}

void check_print_member(struct check *check, const struct btf_type *t,
			const struct btf_member *member, const char *what)
{
	const char *name = check_name(check, member->name_off);

	if (BTF_INFO_KFLAG(t->info))
		sink_printf(check->log, "\t%s type_id=%u bitfield_size=%u bits_offset=%u", name,
			    member->type, BTF_MEMBER_BITFIELD_SIZE(member->offset),
			    BTF_MEMBER_BIT_OFFSET(member->offset));
	else
		sink_printf(check->log, "\t%s type_id=%u bits_offset=%u", name, member->type,
			    member->offset);
	sink_printf(check->log, what ? " %s\n" : "\n", what);
}

int check_member_fail(struct check *check, u32 id, const struct btf_type *t,
		      const struct btf_member *member, const char *what)
{
	if (check->resolving)
		check_print(check, id, t, NULL);
	check_print_member(check, t, member, what);
	return -EINVAL;
}

void check_print_var(struct check *check, const struct btf_var_secinfo *var, const char *what)
{
	sink_printf(check->log, "\t type_id=%u offset=%u size=%u", var->type, var->offset,
		    var->size);
	sink_printf(check->log, what ? " %s\n" : "\n", what);
}

int check_var_fail(struct check *check, u32 id, const struct btf_type *t,
		   const struct btf_var_secinfo *var, const char *what)
{
	if (check->resolving)
		check_print(check, id, t, NULL);
	check_print_var(check, var, what);
	return -EINVAL;
}
