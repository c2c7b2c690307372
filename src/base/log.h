/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * log.h: one line to stderr by a raw write(2), no allocation, no stdio, usable inside any
 * interposed call. Silent unless a level was asked for (userbpf run -v sets it).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"

enum log_level { LOG_OFF, LOG_REFUSED, LOG_CALLS };

/* LOG_REFUSED: what was not served and why. LOG_CALLS: every call. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#endif
