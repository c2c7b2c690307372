/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs.c: which kernel functions a program calls. Owns the way from ids in the kernel's BTF, which
 * differ from kernel to kernel, to rows of kfuncs.def, which do not. Whether a program may call one
 * is for check.c to say, and only where the call is reached.
 */
#include "verifier/internal.h"

#include <errno.h>
#include <stdio.h>

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

static int add_function(struct verifier *v, const struct kernel_btf *btf, u32 id)
{
	struct kernel_function *function = &v->functions[v->nr_functions];
	const char *name;

	if (v->nr_functions == FUNCTIONS_MAX) {
		verbose(v, "too many different kernel function calls\n");
		return -E2BIG;
	}
	name = kernel_btf_function(btf, id);
	if (!name) {
		verbose(v, "kernel btf_id %u is not a function\n", id);
		return -EINVAL;
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

static int open_btf(struct verifier *v, struct kernel_btf *btf)
{
	int err = kernel_btf_open(btf);

	if (err) {
		verbose(v, "calling kernel function is not supported without "
			   "CONFIG_DEBUG_INFO_BTF\n");
		return -ENOTSUPP;
	}
	if (!v->request->gpl_compatible) {
		verbose(v, "cannot call kernel function from non-GPL compatible program\n");
		return -EINVAL;
	}
	v->functions = memory_zalloc(FUNCTIONS_MAX, sizeof(*v->functions));
	return v->functions ? 0 : -ENOMEM;
}

static int find_kfunc(struct verifier *v, struct kernel_btf *btf, const struct bpf_insn *insn)
{
	int err = btf->data ? 0 : open_btf(v, btf);

	if (err || (!insn->imm && !insn->off)) /* is refused when it is reached */
		return err;
	if (insn->off)
		return refuse_module(v, insn->off);
	return kfunc_called(v, insn) ? 0 : add_function(v, btf, (u32)insn->imm);
}

int find_kfuncs(struct verifier *v)
{
	struct kernel_btf btf = {0};
	int err = 0;

	for (u32 pc = 0; pc < v->insn_cnt && !err; pc++)
		if (insn_is_kfunc_call(&v->insns[pc]))
			err = find_kfunc(v, &btf, &v->insns[pc]);
	kernel_btf_close(&btf);
	return err;
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
