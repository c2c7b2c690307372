/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * log.c: formats on the stack and writes once, so that lines of several threads do not mix and a
 * full or closed stderr harms nobody. Owns the level; knows nothing of who logs.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/syscall.h"

#define LOG_PREFIX "userbpf: "

static enum log_level current_level;

void log_set_level(enum log_level level)
{
	store_relaxed(&current_level, level);
}

bool log_enabled(enum log_level level)
{
	return level != LOG_OFF && level <= load_relaxed(&current_level);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[512] = LOG_PREFIX;
	const size_t prefix = sizeof(LOG_PREFIX) - 1;
	size_t len;
	va_list args;
	int n;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	n = vsnprintf(line + prefix, sizeof(line) - prefix, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	len = MIN(prefix + (size_t)n, sizeof(line) - 1);
	line[len] = '\n'; /* over the NUL */
	sys_write(STDERR_FILENO, line, len + 1);
}
