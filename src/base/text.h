/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * text.h: where text goes that a caller asked for: the log buffer of PROG_LOAD and BTF_LOAD, a
 * dump, a test's buffer. Whoever writes does not know which. A NULL sink swallows everything.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/compiler.h"

struct text_sink {
	void (*write)(struct text_sink *sink, const char *text, size_t len);
};

/* Formats at most 1023 bytes and hands them on. */
void sink_printf(struct text_sink *sink, const char *fmt, ...) printf_like(2, 3);

#endif
