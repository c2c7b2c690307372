/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf_info.c: func_info and line_info. Owns the rules for both arrays of records; what is in the
 * BTF itself was checked when it was loaded. Wording and errno are the kernel's, line ends too.
 *
 * The command layer copies no records of an impossible size, nor more than it has memory for; then
 * the array is NULL though the count is not 0.
 */
#include "verifier/btf_info.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "vm/insn.h"

#define RECORD_MAX 252u /* bytes */

#define verbose(request, ...) sink_printf((request)->log, __VA_ARGS__)

static bool record_size_ok(u32 size, u32 known)
{
	return size >= known && size <= RECORD_MAX && size % sizeof(u32) == 0;
}

/* Newer records may be longer, if what is new in them is zero. */
static bool tail_is_zero(const u8 *record, u32 size, u32 known)
{
	for (u32 i = known; i < size; i++)
		if (record[i])
			return false;
	return true;
}

static const struct bpf_func_info *func_record(const struct verify_request *request, u32 i)
{
	return (const void *)((const u8 *)request->func_info +
			      (size_t)i * request->func_info_rec_size);
}

static const struct bpf_line_info *line_record(const struct verify_request *request, u32 i)
{
	return (const void *)((const u8 *)request->line_info +
			      (size_t)i * request->line_info_rec_size);
}

/* The prototype of a function record; NULL when the record names no function. */
static const struct btf_type *prototype(const struct btf *btf, u32 type_id)
{
	const struct btf_type *t = btf_type(btf, type_id);

	return t && BTF_INFO_KIND(t->info) == BTF_KIND_FUNC ? btf_type(btf, t->type) : NULL;
}

static int verify_func_record(const struct verify_request *request, u32 i, u32 last)
{
	const struct bpf_func_info *info = func_record(request, i);

	if (!tail_is_zero((const u8 *)info, request->func_info_rec_size, sizeof(*info))) {
		verbose(request, "nonzero tailing record in func info");
		return -E2BIG;
	}
	if (!i && info->insn_off) {
		verbose(request, "nonzero insn_off %u for the first func info record",
			info->insn_off);
		return -EINVAL;
	}
	if (i && info->insn_off <= last) {
		verbose(request,
			"same or smaller insn offset (%u) than previous func info record (%u)",
			info->insn_off, last);
		return -EINVAL;
	}
	if (!prototype(request->btf, info->type_id)) {
		verbose(request, "invalid type id %d in func info", (s32)info->type_id);
		return -EINVAL;
	}
	return 0;
}

int verify_func_records(const struct verify_request *request)
{
	u32 last = 0;
	int err = 0;

	if (!request->nr_func_info)
		return 0;
	if (!record_size_ok(request->func_info_rec_size, sizeof(struct bpf_func_info))) {
		verbose(request, "invalid func info rec size %u\n", request->func_info_rec_size);
		return -EINVAL;
	}
	if (!request->func_info)
		return -ENOMEM;
	for (u32 i = 0; !err && i < request->nr_func_info; i++) {
		err = verify_func_record(request, i, last);
		last = func_record(request, i)->insn_off;
	}
	return err;
}

/* What leaves the subprogram from the middle of it, so that its caller must expect a number. */
static const char *abnormal_return(const struct verify_request *request,
				   const struct verify_result *result, u32 subprog)
{
	u32 end = subprog + 1 < result->nr_subprogs ? result->subprogs[subprog + 1]
						    : request->insn_cnt;
	const char *found = NULL;

	for (u32 pc = result->subprogs[subprog]; pc < end; pc++) {
		const struct bpf_insn *insn = &request->insns[pc];
		u8 mode = BPF_MODE(insn->code);

		if (BPF_CLASS(insn->code) == BPF_LD && (mode == BPF_ABS || mode == BPF_IND))
			return "LD_ABS";
		if (insn_is_tail_call(insn))
			found = "tail_call";
	}
	return found;
}

static bool returns_scalar(const struct btf *btf, const struct btf_type *proto)
{
	const struct btf_type *t = btf_resolve(btf, proto->type);

	if (!t)
		return false;
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
		return t->size <= sizeof(u64);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return true;
	default:
		return false;
	}
}

static int verify_func_info(const struct verify_request *request,
			    const struct verify_result *result)
{
	if (request->nr_func_info != result->nr_subprogs) {
		verbose(request, "number of funcs in func_info doesn't match number of subprogs\n");
		return -EINVAL;
	}
	for (u32 i = 0; i < result->nr_subprogs; i++) {
		const struct bpf_func_info *info = func_record(request, i);
		const char *what = i ? abnormal_return(request, result, i) : NULL;

		if (info->insn_off != result->subprogs[i]) {
			verbose(request, "func_info BTF section doesn't match subprog layout in "
					 "BPF program\n");
			return -EINVAL;
		}
		if (what && !returns_scalar(request->btf, prototype(request->btf, info->type_id))) {
			verbose(request, "%s is only allowed in functions that return 'int'.\n",
				what);
			return -EINVAL;
		}
	}
	return 0;
}

bool verify_is_global(const struct verify_request *request, u32 subprog)
{
	const struct btf_type *t;

	if (!request->nr_func_info)
		return false;
	t = btf_type(request->btf, func_record(request, subprog)->type_id);
	return BTF_INFO_VLEN(t->info) == BTF_FUNC_GLOBAL;
}

int verify_callee(const struct verify_request *request, u32 subprog)
{
	const struct btf *btf = request->btf;
	const struct btf_type *t;
	const char *name;

	if (!verify_is_global(request, subprog))
		return 0;
	t = btf_type(btf, func_record(request, subprog)->type_id);
	if (returns_scalar(btf, btf_type(btf, t->type)))
		return 0;
	name = btf_name(btf, t->name_off);
	verbose(request,
		"Global function %s() doesn't return scalar. Only those are supported.\n"
		"Caller passes invalid args into func#%u ('%s')\n", name, subprog, name);
	return -EINVAL;
}

static int verify_line_record(const struct verify_request *request, u32 i, u32 last)
{
	const struct bpf_line_info *info = line_record(request, i);

	if (!tail_is_zero((const u8 *)info, request->line_info_rec_size, sizeof(*info))) {
		verbose(request, "nonzero tailing record in line_info");
		return -E2BIG;
	}
	if ((i && info->insn_off <= last) || info->insn_off >= request->insn_cnt) {
		verbose(request,
			"Invalid line_info[%u].insn_off:%u (prev_offset:%u prog->len:%u)\n", i,
			info->insn_off, last, request->insn_cnt);
		return -EINVAL;
	}
	if (!request->insns[info->insn_off].code) {
		verbose(request, "Invalid insn code at line_info[%u].insn_off\n", i);
		return -EINVAL;
	}
	if (!btf_name(request->btf, info->line_off) ||
	    !btf_name(request->btf, info->file_name_off)) {
		verbose(request, "Invalid line_info[%u].line_off or .file_name_off\n", i);
		return -EINVAL;
	}
	return 0;
}

/* Every subprogram has a line at its first instruction; seen counts those that had. */
static int match_line(const struct verify_request *request, const struct verify_result *result,
		      u32 insn_off, u32 *seen)
{
	if (*seen == result->nr_subprogs || insn_off < result->subprogs[*seen])
		return 0;
	if (insn_off > result->subprogs[*seen]) {
		verbose(request, "missing bpf_line_info for func#%u\n", *seen);
		return -EINVAL;
	}
	++*seen;
	return 0;
}

static int verify_line_info(const struct verify_request *request,
			    const struct verify_result *result)
{
	u32 last = 0, seen = 0;

	if (request->nr_line_info > INT_MAX / sizeof(struct bpf_line_info) ||
	    !record_size_ok(request->line_info_rec_size, sizeof(struct bpf_line_info)))
		return -EINVAL;
	if (!request->line_info)
		return -ENOMEM;
	for (u32 i = 0; i < request->nr_line_info; i++) {
		int err = verify_line_record(request, i, last);

		last = line_record(request, i)->insn_off;
		if (!err)
			err = match_line(request, result, last, &seen);
		if (err)
			return err;
	}
	if (seen != result->nr_subprogs) {
		verbose(request, "missing bpf_line_info for %u funcs starting from func#%u\n",
			result->nr_subprogs - seen, seen);
		return -EINVAL;
	}
	return 0;
}

int verify_btf_info(const struct verify_request *request, const struct verify_result *result)
{
	int err = 0;

	if (request->nr_func_info)
		err = verify_func_info(request, result);
	if (!err && request->nr_line_info)
		err = verify_line_info(request, result);
	return err;
}

/* The function that the main one names in a tag to run after bpf_throw(); NULL: none. */
static const char *exception_callback(const struct verify_request *request)
{
	static const char prefix[] = "exception_callback:";
	const u32 main = func_record(request, 0)->type_id;

	for (u32 id = 1; id < request->btf->nr_types; id++) {
		const struct btf_type *t = btf_type(request->btf, id);
		const char *tag = btf_name(request->btf, t->name_off);

		if (BTF_INFO_KIND(t->info) == BTF_KIND_DECL_TAG && t->type == main &&
		    ((const struct btf_decl_tag *)(t + 1))->component_idx == -1 &&
		    !strncmp(tag, prefix, sizeof(prefix) - 1))
			return tag + sizeof(prefix) - 1;
	}
	return NULL;
}

static u32 find_function(const struct btf *btf, const char *name)
{
	for (u32 id = 1; id < btf->nr_types; id++)
		if (BTF_INFO_KIND(btf_type(btf, id)->info) == BTF_KIND_FUNC &&
		    !strcmp(btf_name(btf, btf_type(btf, id)->name_off), name))
			return id;
	return 0;
}

static bool has_record(const struct verify_request *request, u32 type_id)
{
	for (u32 i = 0; i < request->nr_func_info; i++)
		if (func_record(request, i)->type_id == type_id)
			return true;
	return false;
}

int verify_exception_callback(const struct verify_request *request)
{
	const char *name = request->nr_func_info ? exception_callback(request) : NULL;
	const u32 id = name ? find_function(request->btf, name) : 0;

	if (!name)
		return 0;
	if (!id) {
		verbose(request, "exception callback '%s' could not be found in BTF\n", name);
		return -ENOENT;
	}
	if (!has_record(request, id)) {
		verbose(request, "exception callback type id not found in func_info\n");
		return -EINVAL;
	}
	verbose(request, "exception callback '%s' is not supported\n", name);
	log_line(LOG_REFUSED, "BPF_PROG_LOAD: exception callbacks are not served");
	return -EINVAL;
}
