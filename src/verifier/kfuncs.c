/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs.c: which kernel functions a program calls. Owns the way from ids in the kernel's BTF, which
 * differ from kernel to kernel, to rows of kfuncs.def, which do not. Whether the program may call one
 * matters only where the call is reached: check.c asks there.
 *
 * A program may also ask whether the kernel has a function (bpf_ksym_exists()), for its address: here
 * that is 0 for one that is not served, so that the program goes its other way.
 */
#include "verifier/internal.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/user_mem.h"
#include "btf/btf_object.h"
#include "btf/kernel_btf.h"
#include "vm/insn.h"
#include "vm/kfunc.h"

/* BTF of a kernel module has no descriptor here: whatever is named is something else. */
static int refuse_module(struct verifier *v, s16 index)
{
	struct object *object;
	int err, fd;

	if (index < 0) {
		verbose(v, "negative offset disallowed for kernel module function call\n");
		return -EINVAL;
	}
	if (!v->request->fd_array) {
		verbose(v, "kfunc offset > 0 without fd_array is invalid\n");
		return -EPROTO;
	}
	if (user_read(&fd, v->request->fd_array + (u64)index * sizeof(fd), sizeof(fd)))
		return -EFAULT;
	err = object_from_fd(fd, OBJECT_BTF, &object, NULL);
	if (err) {
		verbose(v, "invalid module BTF fd specified\n");
		return err;
	}
	object_put(object);
	verbose(v, "BTF fd for kfunc is not a module BTF\n");
	return -EINVAL;
}

static int add_function(struct verifier *v, u32 id, const char *name)
{
	struct kernel_function *function = &v->functions[v->nr_functions];

	if (v->nr_functions == FUNCTIONS_MAX) {
		verbose(v, "too many different kernel function calls\n");
		return -E2BIG;
	}
	function->id = id;
	function->number = kfunc_find(name);
	snprintf(function->name, sizeof(function->name), "%s", name);
	v->nr_functions++;
	return 0;
}

const struct kernel_function *kfunc_called(const struct verifier *v, const struct bpf_insn *insn)
{
	for (u32 i = 0; i < v->nr_functions; i++)
		if (v->functions[i].id == (u32)insn->imm)
			return &v->functions[i];
	return NULL;
}

static int open_btf(struct verifier *v, const struct btf **btf)
{
	if (kernel_btf_get(btf))
		return -ENOTSUPP;
	if (v->functions)
		return 0;
	v->functions = memory_zalloc(FUNCTIONS_MAX, sizeof(*v->functions));
	return v->functions ? 0 : -ENOMEM;
}

static int find_called(struct verifier *v, const struct bpf_insn *insn)
{
	const struct btf *btf;
	int err = open_btf(v, &btf);
	const char *name;

	if (err == -ENOTSUPP)
		verbose(v, "calling kernel function is not supported without "
			   "CONFIG_DEBUG_INFO_BTF\n");
	if (!err && !v->request->gpl_compatible) {
		verbose(v, "cannot call kernel function from non-GPL compatible program\n");
		return -EINVAL;
	}
	if (err || (!insn->imm && !insn->off)) /* is refused when it is reached */
		return err;
	if (insn->off)
		return refuse_module(v, insn->off);
	if (kfunc_called(v, insn))
		return 0;
	name = kernel_btf_function(btf, (u32)insn->imm);
	if (name)
		return add_function(v, (u32)insn->imm, name);
	verbose(v, "kernel btf_id %u is not a function\n", (u32)insn->imm);
	return -EINVAL;
}

/* What is no function is refused with the other references. */
static int find_address(struct verifier *v, const struct bpf_insn *insn)
{
	const struct btf *btf;
	const char *name;

	if (open_btf(v, &btf))
		return 0;
	name = kfunc_called(v, insn) ? NULL : kernel_btf_function(btf, (u32)insn->imm);
	return name ? add_function(v, (u32)insn->imm, name) : 0;
}

int find_kfuncs(struct verifier *v)
{
	int err = 0;

	for (u32 pc = 0; pc < v->insn_cnt && !err; pc++)
		if (insn_is_kfunc_call(&v->insns[pc]))
			err = find_called(v, &v->insns[pc]);
		else if (v->insns[pc].code == CODE_LD_IMM64 &&
			 v->insns[pc].src_reg == BPF_PSEUDO_BTF_ID)
			err = find_address(v, &v->insns[pc]);
	return err;
}

static int refuse_function(struct verifier *v, const struct kernel_function *function, bool served)
{
	verbose(v, "calling kernel function %s is not allowed\n", function->name);
	if (!served)
		log_line(LOG_REFUSED, "BPF_PROG_LOAD: kernel function %s is not served",
			 function->name);
	return -EACCES;
}

int check_kfunc_permission(struct verifier *v, u32 pc, const struct kfunc **kfunc)
{
	const struct kernel_function *function = kfunc_called(v, &v->insns[pc]);

	if (!function) {
		verbose(v, "invalid kernel function call not eliminated in verifier pass\n");
		return -EINVAL;
	}
	*kfunc = kfunc_of(function->number);
	if (!*kfunc || !kfunc_allowed(*kfunc, v->request->type))
		return refuse_function(v, function, *kfunc);
	if (((*kfunc)->flags & KF_MAY_SLEEP) && !may_sleep(v, pc)) {
		verbose(v, "program must be sleepable to call sleepable kfunc %s\n",
			function->name);
		return -EACCES;
	}
	if (((*kfunc)->flags & KF_NO_CALLBACK) && runs_in_callback(v, subprog_at(v, pc))) {
		verbose(v, "%s kfunc (insn %u) cannot be called from callback subprog %u\n",
			function->name, pc, subprog_at(v, pc));
		return -EINVAL;
	}
	return 0;
}

void resolve_kfuncs(struct verifier *v)
{
	for (u32 pc = 0; pc < v->insn_cnt; pc++) {
		struct bpf_insn *insn = &v->insns[pc];
		const struct kernel_function *function =
			insn_is_kfunc_call(insn) ? kfunc_called(v, insn) : NULL;

		if (function)
			insn->imm = (s32)function->number;
	}
}

void free_kfuncs(struct verifier *v)
{
	memory_free(v->functions);
	v->functions = NULL;
}
