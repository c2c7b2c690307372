/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * verify.h: accept or reject a program. Today the structural half: everything that can be said
 * without following values along paths. What it cannot prove, the checked interpreter checks.
 */
#ifndef VERIFIER_VERIFY_H
#define VERIFIER_VERIFY_H

#include "base/compiler.h"
#include "base/text.h"
#include "vm/prog.h"

struct verify_request {
	const struct prog_type *type;
	u32 expected_attach_type, attach_btf_id;
	u32 flags;            /* prog_flags */
	bool gpl_compatible;
	struct bpf_insn *insns; /* writable copy; rewritten to the file form (map ids) on success */
	u32 insn_cnt;
	u64 fd_array;         /* application pointer to ints, or 0 */
	u32 fd_array_cnt;
	const struct btf *btf; /* of prog_btf_fd, or NULL */
	const void *func_info; /* records in our memory */
	u32 nr_func_info, func_info_rec_size;
	const void *line_info;
	u32 nr_line_info, line_info_rec_size;
	struct text_sink *log; /* NULL without a log */
	u32 log_level;
};

struct verify_result {
	struct map *maps[PROG_MAX_MAPS]; /* with a use each; verify_release() puts them */
	u32 nr_maps;
	u32 subprogs[PROG_MAX_SUBPROGS];
	u32 nr_subprogs;
	u32 verified_insns;
};

/* 0, or the kernel's errno with the reason in the log. */
must_check int verify_program(struct verify_request *request, struct verify_result *result);
void verify_release(struct verify_result *result);

#endif
