/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * globals.h: the type that the programs and the application share.
 */
#ifndef GLOBALS_H
#define GLOBALS_H

#include <linux/types.h>

struct pair {
	__u64 runs;
	__u32 last_len;
	__u32 step;
};

#endif
