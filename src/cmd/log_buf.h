/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * log_buf.h: the log of BTF_LOAD and PROG_LOAD. Text is kept in memory of ours and reaches the
 * application's buffer once, at the end. A full buffer keeps the last bytes, or with
 * BPF_LOG_FIXED the first, and the call then fails with ENOSPC.
 */
#ifndef CMD_LOG_BUF_H
#define CMD_LOG_BUF_H

#include "base/compiler.h"
#include "base/text.h"

/* log_level: any of the first three makes text, FIXED says which part of it is kept. */
enum { LOG_LEVEL1 = 1, LOG_LEVEL2 = 2, LOG_STATS = 4, LOG_FIXED = 8 };

struct log_buf {
	struct text_sink sink;
	u32 level;
	u64 user;
	u32 keep;   /* characters that the application's buffer can show */
	char *text; /* a ring of keep bytes, as much of it as was needed */
	u32 room;   /* allocated */
	u64 length; /* of all text so far */
	bool no_memory;
};

/* 0, or -EINVAL for a combination that the kernel refuses. */
must_check int log_buf_init(struct log_buf *log, u32 level, u64 user, u32 size);
/* NULL when no log is wanted. */
struct text_sink *log_buf_sink(struct log_buf *log);
/*
 * Hands the text over and frees it. *true_size: bytes that would have held all of it, 0 for none.
 * Returns err, unless the log itself failed: -EFAULT, -ENOSPC, -ENOMEM.
 */
must_check int log_buf_finish(struct log_buf *log, int err, u32 *true_size);

#endif
