/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * engine.c: chooses the engine of a run, and ends the run as every engine has to.
 */
#include "vm/engine.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/memory.h"
#include "vm/dynptr.h"
#include "vm/jit.h"
#include "vm/kfunc.h"
#include "vm/local_objects.h"

static const struct engine *chosen; /* NULL: by the trust that the program has */

bool vm_choose_engine(const char *name)
{
	static const struct engine *const engines[] = {&interp_engine, &jit_engine, &both_engine};

	if (!name) {
		chosen = NULL;
		return true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(engines); i++)
		if (!strcmp(name, engines[i]->name)) {
			chosen = engines[i];
			return chosen == &interp_engine || jit_backend();
		}
	return false;
}

static bool trust_loaded;

void vm_trust_loaded(bool trust)
{
	trust_loaded = trust;
}

bool vm_loaded_are_trusted(void)
{
	return trust_loaded;
}

/* A trusted program that has no code (executable memory may be forbidden) is interpreted. */
static const struct engine *engine_of(struct prog *prog)
{
	if (unlikely(prog->opaque))
		return &interp_engine;
	if (unlikely(chosen))
		return chosen;
	return load_relaxed(&prog->checked.trusted) && jit_code_of(prog) ? &jit_engine : &interp_engine;
}

bool vm_runs_jited(struct prog *prog)
{
	return engine_of(prog) != &interp_engine;
}

/* A run that ends, in whatever way, does not keep its lock. */
static cold int drop_spin_lock(struct vm_run *run)
{
	lock_release(run->spin_lock);
	run->spin_lock = NULL;
	vm_faultf(run, "the program ended inside a bpf_spin_lock-ed region");
	return -EFAULT;
}

/* Nor its records: consumers would wait for them for ever. */
static cold int drop_records(struct vm_run *run)
{
	vm_discard_records(run);
	vm_faultf(run, "the program ended with a reserved record of a ring buffer");
	return -EFAULT;
}

static inline void begin(struct vm_run *run, const struct engine *engine)
{
	run->fault.set = false;
	run->nr_records = run->nr_dynptrs = run->nr_references = 0;
	run->met_pointers = false;
	run->pc = 0;
	run->tail_calls = 0;
	run->next = NULL;
	run->engine = engine;
}

static inline int end(struct vm_run *run, struct prog *prog, int err, u64 *retval)
{
	if (unlikely(run->spin_lock))
		err = drop_spin_lock(run);
	if (unlikely(run->open.all))
		err = kfunc_end_run(run, err, retval);
	if (unlikely(run->nr_records))
		err = drop_records(run);
	if (unlikely(run->nr_references))
		err = vm_drop_references(run);
	run->prog = prog;
	return err;
}

int vm_run(struct vm_run *run, u64 *retval)
{
	struct prog *const prog = run->prog;

	begin(run, engine_of(prog));
	return end(run, prog, run->engine->run(run, retval), retval);
}

int vm_run_part(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval)
{
	struct prog *const prog = run->prog;

	begin(run, &interp_engine);
	if (insn >= prog->insn_cnt) {
		vm_faultf(run, "callback %u is outside the program", insn);
		return -EFAULT;
	}
	return end(run, prog, interp_run_part(run, insn, arguments, retval), retval);
}

bool vm_run_next(struct vm_run *run, u64 *retval)
{
	struct prog *const prog = run->prog, *const next = run->next;
	const struct engine *const outer = run->engine;
	const struct engine *engine = outer != &interp_engine && !vm_runs_jited(next)
					      ? &interp_engine
					      : outer;
	struct vm_state *const state = run->state;
	const u64 frame = run->frame, stack_end = run->stack_end;
	const u32 pc = run->pc;
	void *frames = memory_alloc(engine->frames_bytes);

	if (!frames) {
		vm_faultf(run, "no memory for the frames of a tail call");
		return false;
	}
	run->engine = engine;
	run->prog = next;
	run->next = NULL;
	(void)!engine->run_in(run, frames, retval);
	dynptr_drop_within(run, frames, engine->frames_bytes);
	memory_free(frames);
	run->engine = outer;
	run->prog = prog;
	run->state = state;
	run->pc = pc;
	run->frame = frame;
	run->stack_end = stack_end;
	return !run->fault.set;
}

int vm_callback(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval)
{
	if (unlikely(insn >= run->prog->insn_cnt)) {
		vm_faultf(run, "callback %u is outside the program", insn);
		return -EFAULT;
	}
	return run->engine->callback(run, insn, arguments, retval);
}
