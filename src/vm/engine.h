/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * engine.h: the ways to run a program, which agree bit for bit. Which one runs is decided in
 * engine.c alone.
 */
#ifndef VM_ENGINE_H
#define VM_ENGINE_H

#include "vm/vm.h"

/* Sets run->state for as long as the program runs. Contracts: vm_run() and vm_callback(). */
struct engine {
	const char *name;
	int (*run)(struct vm_run *run, u64 *retval);
	/* The same with memory for the frames from outside, aligned to 16. */
	int (*run_in)(struct vm_run *run, void *frames, u64 *retval);
	size_t frames_bytes;
	int (*callback)(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval);
};

/* vm_run_part() without what every run begins and ends with. */
must_check int interp_run_part(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval);

extern const struct engine interp_engine, jit_engine, both_engine;

/*
 * Runs run->next to its end, with frames of its own, in the engine of the run; in the interpreter if
 * the program is not trusted. For a tail call from a subprogram, which its caller waits for. False
 * after a fault.
 */
must_check bool vm_run_next(struct vm_run *run, u64 *retval);

/* For both_engine: the run has met an inner map, or a program's maps, which it may change. */
void both_remember_map(struct vm_run *run, struct map *map);
void both_remember_prog(struct vm_run *run, const struct prog *prog);

#endif
