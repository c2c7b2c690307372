/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_method.c: test runs of functions of a table (struct_ops). ctx_in has the arguments, 64
 * bits each. One that points to a struct is an address of the application's: the program gets a
 * copy, and what it leaves there is copied back. The kernel does so for its table for tests
 * (bpf_dummy_ops) and runs no other; here every table's functions can be called.
 */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/user_mem.h"
#include "btf/struct_ops.h"
#include "vm/test_run_common.h"

struct call {
	struct ops_method method;
	u64 args[OPS_ARGS_MAX];  /* as the program gets them */
	void *copies[OPS_ARGS_MAX];
	struct ctx_range ranges[4 * OPS_ARGS_MAX];
	struct ctx_rules rules;
};

/* A number may be loaded in part, from its first byte on; a pointer may not. */
static void make_rules(struct call *call)
{
	struct ctx_range *range = call->ranges;

	for (u32 i = 0; i < call->method.nr_args; i++)
		for (u32 size = call->method.args[i].is_pointer ? 8 : 1; size <= 8; size *= 2)
			*range++ = (struct ctx_range){
				.from = (u16)(i * sizeof(u64)),
				.to = (u16)(i * sizeof(u64) + size),
				.read = (u8)size,
			};
	call->rules = (struct ctx_rules){
		.size = (u32)(call->method.nr_args * sizeof(u64)),
		.nr_ranges = (u32)(range - call->ranges),
		.ranges = call->ranges,
	};
}

/* Copies the structs in and lets the program access the copies. */
static int copy_in(struct call *call, const struct prog *prog, struct vm_run *vm)
{
	const struct prog_header *h = &prog->checked;

	for (u32 i = 0; i < call->method.nr_args; i++) {
		const struct ops_arg *arg = &call->method.args[i];

		if (!arg->bytes || vm->nr_extra == VM_EXTRA_MEMORY)
			continue;
		if (!call->args[i] &&
		    !ops_arg_may_be_null(h->attach_btf_id, h->expected_attach_type, i))
			return -EINVAL;
		if (!call->args[i])
			continue;
		call->copies[i] = memory_alloc(arg->bytes);
		if (!call->copies[i])
			return -ENOMEM;
		if (user_read(call->copies[i], call->args[i], arg->bytes))
			return -EFAULT;
		call->args[i] = PTR_U64(call->copies[i]);
		vm->extra[vm->nr_extra++] = (struct vm_memory){
			.start = call->args[i],
			.end = call->args[i] + arg->bytes,
			.writable = !arg->is_const,
			.name = "argument",
		};
	}
	return 0;
}

static int copy_out(const struct call *call, const u64 *given)
{
	for (u32 i = 0; i < call->method.nr_args; i++) {
		const struct ops_arg *arg = &call->method.args[i];

		if (call->copies[i] && !arg->is_const &&
		    user_write(given[i], call->copies[i], arg->bytes))
			return -EFAULT;
	}
	return 0;
}

static int run_call(struct call *call, struct prog *prog, struct test_run *test)
{
	struct vm_run own;
	struct vm_run *vm = test_run_plain(test, prog, &own, call->args, &call->rules);
	int err;

	vm->nr_extra = 0;
	if (test->ctx_size_in)
		memcpy(call->args, test->ctx_in, test->ctx_size_in);
	err = copy_in(call, prog, vm);
	test->repeat = 1; /* the kernel ignores it, as all else */
	if (!err)
		err = test_run_loop(vm, test);
	if (!err)
		err = copy_out(call, test->ctx_in);
	vm->nr_extra = 0;
	for (u32 i = 0; i < call->method.nr_args; i++)
		memory_free(call->copies[i]);
	return err;
}

int test_run_method(struct prog *prog, struct test_run *test)
{
	struct call call = {0};
	int err = ops_method(prog->checked.attach_btf_id, prog->checked.expected_attach_type,
			     &call.method);

	if (err)
		return err;
	if (test->ctx_size_in != call.method.nr_args * sizeof(u64))
		return -EINVAL;
	if (test->ctx_size_in && !test->ctx_in)
		return -EFAULT;
	make_rules(&call);
	return run_call(&call, prog, test);
}
