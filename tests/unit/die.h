/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * die.h: death at any instruction. A child is stepped through an operation and killed there; the
 * test then looks at what is left. Where tracing is not permitted the operation just ends.
 *
 * Only what others can see matters: where memory is watched, a death between two instructions that
 * change nothing of it is the same as the one before.
 */
#ifndef TESTS_UNIT_DIE_H
#define TESTS_UNIT_DIE_H

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/syscall.h"

struct death {
	void (*run)(void *arg);
	void *arg;
	/* Each change of it is a place to die; NULL: each instruction is, or each side of a call. */
	const void *memory;
	size_t size;
	bool at_calls;
};

/* A child that is about to run it, or 0. */
static inline pid_t death_start(const struct death *death)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		lock_release(lock_of_process()); /* what only a first call in a process does */
		if (!ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			SYSCALL(SYS_tkill, sys_gettid(), SIGSTOP);
		death->run(death->arg);
		SYSCALL(SYS_exit_group, 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	return WIFSTOPPED(status) ? child : 0;
}

/* One step on. False: that was its end. */
static inline bool death_step(const struct death *death, pid_t child)
{
	int status;

	if (ptrace(death->at_calls ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, child, NULL, NULL) ||
	    waitpid(child, &status, 0) != child)
		abort();
	return WIFSTOPPED(status);
}

/* Kills the child at that place, counted from 1. False: it came to its end before. */
static inline bool dies_at(const struct death *death, unsigned place)
{
	const pid_t child = death_start(death);
	bool lives = child;
	void *seen = NULL;

	if (death->memory) {
		seen = malloc(death->size);
		memcpy(seen, death->memory, death->size);
	}
	while (lives && place) {
		lives = death_step(death, child);
		if (!seen) {
			place--;
		} else if (memcmp(seen, death->memory, death->size)) {
			place--;
			memcpy(seen, death->memory, death->size);
		}
	}
	free(seen);
	if (lives) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return lives;
}

#endif
