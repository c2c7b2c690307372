/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * engine.c: chooses the engine of a run, and ends the run as every engine has to.
 */
#include "vm/engine.h"

#include <errno.h>

#include "base/lock.h"

/* A run that ends, in whatever way, does not keep its lock. */
static cold int drop_spin_lock(struct vm_run *run)
{
	lock_release(run->spin_lock);
	run->spin_lock = NULL;
	vm_faultf(run, "the program ended inside a bpf_spin_lock-ed region");
	return -EFAULT;
}

int vm_run(struct vm_run *run, u64 *retval)
{
	int err;

	run->fault.set = false;
	run->engine = &interp_engine;
	err = run->engine->run(run, retval);
	if (unlikely(run->spin_lock))
		err = drop_spin_lock(run);
	if (unlikely(run->held.count))
		vm_release_maps(run);
	return err;
}

int vm_callback(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval)
{
	if (unlikely(insn >= run->prog->insn_cnt)) {
		vm_faultf(run, "callback %u is outside the program", insn);
		return -EFAULT;
	}
	return run->engine->callback(run, insn, arguments, retval);
}
