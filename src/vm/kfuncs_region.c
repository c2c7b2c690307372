/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_region.c: RCU, preemption, interrupts and exceptions. A run is preempted and interrupted here
 * whatever it says, and memory that it sees stays valid anyway; what is left is that a program ends
 * each section that it begins, in the order that the kernel asks for.
 */
#include <errno.h>

#include "vm/kfunc.h"
#include "vm/kfuncs.h"

KFUNC_FN(rcu_read_lock)
{
	if (run->open.rcu)
		return vm_faultf(run, "nested rcu read lock (kernel function bpf_rcu_read_lock)");
	run->open.rcu = 1;
	run->open.all++;
	return 0;
}

KFUNC_FN(rcu_read_unlock)
{
	if (!run->open.rcu)
		return vm_faultf(run,
				 "unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)");
	run->open.rcu = 0;
	run->open.all--;
	return 0;
}

KFUNC_FN(preempt_disable)
{
	run->open.preempt++;
	run->open.all++;
	return 0;
}

KFUNC_FN(preempt_enable)
{
	if (!run->open.preempt)
		return vm_faultf(run, "unmatched attempt to enable preemption (kernel function "
				      "bpf_preempt_enable)");
	run->open.preempt--;
	run->open.all--;
	return 0;
}

/* The flags that are saved are how many have been saved: they are restored in reverse order. */
KFUNC_FN(local_irq_save)
{
	*(u64 *)U64_PTR(r1) = ++run->open.irq;
	run->open.all++;
	return 0;
}

KFUNC_FN(local_irq_restore)
{
	if (!run->open.irq || *(u64 *)U64_PTR(r1) != run->open.irq)
		return vm_faultf(run, "cannot restore irq state out of order");
	run->open.irq--;
	run->open.all--;
	return 0;
}

/*
 * What the program has not ended, in the order in which the kernel looks. It ends here; a copy of an
 * iterator goes with the run.
 */
static const char *still_open(const struct vm_open *open)
{
	return open->irq       ? "cannot be used inside bpf_local_irq_save-ed region"
	       : open->rcu     ? "cannot be used inside bpf_rcu_read_lock-ed region"
	       : open->preempt ? "cannot be used inside bpf_preempt_disable-ed region"
			       : "would lead to reference leak";
}

static int catch(struct vm_run *run, u64 *retval)
{
	run->fault.set = false;
	run->open.thrown = false;
	*retval = run->open.cookie;
	return 0;
}

int kfunc_end_run(struct vm_run *run, int err, u64 *retval)
{
	if (run->open.thrown) {
		run->open.all--;
		err = catch(run, retval);
	}
	if (run->open.all) {
		vm_faultf(run, "BPF_EXIT instruction in main prog %s", still_open(&run->open));
		err = -EFAULT;
	}
	kfunc_free_iterators(run);
	vm_drop_sockets(run);
	run->open = (struct vm_open){0};
	return err;
}

/*
 * Leaves all frames as a fault does, which kfunc_end_run() makes a result. What is held in the
 * frames that are left is not given back here either.
 */
KFUNC_FN(throw)
{
	vm_faultf(run, "bpf_throw");
	run->open.thrown = true;
	run->open.cookie = r1;
	run->open.all++;
	return 0;
}
