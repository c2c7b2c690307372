/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * fault.c: says why the checked interpreter stopped a program: which instruction, and which line of
 * its source if it was loaded with line information. To the realm's trace, and to stderr when asked.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "btf/btf_object.h"
#include "object/realm.h"
#include "vm/vm.h"

#define LINE_OF(col) ((col) >> 10) /* of bpf_line_info.line_col */

/* The record that covers an instruction: the last one that does not begin behind it. */
static const struct bpf_line_info *line_info_of(const struct prog *prog, u32 insn)
{
	const struct prog_header *h = &prog->checked;
	const u8 *records = (const u8 *)prog->header + h->line_info_at;
	const struct bpf_line_info *best = NULL;

	if (h->line_info_rec_size < sizeof(*best))
		return NULL;
	for (u32 i = 0; i < h->nr_line_info; i++) {
		const struct bpf_line_info *info =
			(const void *)(records + (size_t)i * h->line_info_rec_size);

		if (info->insn_off <= insn && (!best || info->insn_off >= best->insn_off))
			best = info;
	}
	return best;
}

static void describe_source(const struct prog *prog, u32 insn, char *text, size_t room)
{
	const struct bpf_line_info *info = line_info_of(prog, insn);
	const char *file, *line;
	struct object *object;

	text[0] = '\0';
	if (!info || object_from_id(OBJECT_BTF, prog->checked.btf_id, &object))
		return;
	file = btf_name(&btf_object_of(object)->btf, info->file_name_off);
	line = btf_name(&btf_object_of(object)->btf, info->line_off);
	if (file && line)
		snprintf(text, room, " (%s:%u: %s)", file, LINE_OF(info->line_col),
			 line + strspn(line, " \t"));
	object_put(object);
}

void vm_fault_report(const struct vm_run *run)
{
	const struct prog *prog = run->prog;
	char source[200], line[512];
	int len;

	describe_source(prog, run->fault.insn, source, sizeof(source));
	len = snprintf(line, sizeof(line), "program %u '%.16s' stopped at instruction %u%s: %s\n",
		       prog->object.id, prog->checked.name, run->fault.insn, source,
		       run->fault.text);
	realm_trace(line, MIN((size_t)len, sizeof(line) - 1));
	log_line(LOG_REFUSED, "%.*s", len - 1, line);
}
