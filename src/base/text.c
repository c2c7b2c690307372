/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* text.c: the one formatting entry of text sinks; keeps nothing. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 1023 /* where the kernel's logs cut a piece of text */

void sink_printf(struct text_sink *sink, const char *fmt, ...)
{
	char text[TEXT_MAX + 1];
	va_list args;
	int n;

	if (!sink)
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n > 0)
		sink->write(sink, text, MIN((size_t)n, (size_t)TEXT_MAX));
}
