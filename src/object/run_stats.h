/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * run_stats.h: does anybody want the runs of programs in this realm to be counted? As long as a
 * descriptor of the realm's file "run_stats" is open, in whatever process.
 */
#ifndef OBJECT_RUN_STATS_H
#define OBJECT_RUN_STATS_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "object/realm.h"

/* A further such descriptor, for the application; -EMFILE, -ENOMEM, -EAGAIN. */
must_check int run_stats_open(void);
/* Not quick; clears the word that says so when the last one has gone. */
bool run_stats_wanted(void);

/* The realm is open. */
static inline bool run_stats_on(void)
{
	return unlikely(load_relaxed(&realm_state()->run_stats)) && run_stats_wanted();
}

#endif
