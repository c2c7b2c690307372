/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* side.h: the processes behind the columns, seen from the driver. */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include "bench.h"

/* What heads the side's column. */
const char *side_name(enum side side);
/* Which engine runs programs on SIDE_USERBPF: "interpreter" or "jit". */
const char *side_engine(void);
/* Is there such a side here at all? SIDE_INTERP is none where it is the only engine. */
bool side_exists(enum side side);
/* The side's answer; starts its process when first asked. */
void side_ask(enum side side, const struct request *request, struct reply *reply);
/* Ends all processes. */
void side_stop_all(void);

#endif
