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
	int (*callback)(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval);
};

extern const struct engine interp_engine, jit_engine, both_engine;

/* For both_engine: the run has met an inner map, which it may change. */
void both_remember_map(struct vm_run *run, struct map *map);

#endif
