/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_region.c: RCU, preemption and interrupts. A run is preempted and interrupted here
 * whatever it says, and memory that it sees stays valid anyway; what is left is that a program ends
 * each section that it begins, in the order that the kernel asks for.
 */
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

/* What the program has not ended, in the order in which the kernel looks. */
static const char *still_open(const struct vm_open *open)
{
	return open->irq       ? "bpf_local_irq_save-ed region"
	       : open->rcu     ? "bpf_rcu_read_lock-ed region"
	       : open->preempt ? "bpf_preempt_disable-ed region"
			       : "life of an iterator";
}

void kfunc_end_run(struct vm_run *run)
{
	vm_faultf(run, "BPF_EXIT instruction in main prog cannot be used inside %s",
		  still_open(&run->open));
	run->open = (struct vm_open){0};
}
