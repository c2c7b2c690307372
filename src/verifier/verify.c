/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * verify.c: the entry of the verifier: the order of the passes and the last lines of the log. Must
 * not know what a pass looks for.
 */
#include "verifier/internal.h"

#include <errno.h>
#include <string.h>

#include "base/syscall.h"
#include "verifier/btf_info.h"

#define LOG_STATS 4

static int check_sleepable(struct verifier *v)
{
	const struct prog_type *type = v->request->type;
	bool sleepable = v->request->flags & BPF_F_SLEEPABLE;

	if (type->must_sleep && !sleepable) {
		verbose(v, "Syscall programs can only be sleepable\n");
		return -EINVAL;
	}
	if (sleepable && !type->may_sleep) {
		verbose(v, "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops "
			   "programs can be sleepable\n");
		return -EINVAL;
	}
	return 0;
}

static int check_target(struct verifier *v)
{
	if (v->request->type->needs_btf_id) {
		verbose(v, "Tracing programs must provide btf_id\n");
		return -EINVAL;
	}
	return v->request->type->is_method ? check_method(v) : 0;
}

static int run_passes(struct verifier *v)
{
	int err;

	err = bind_fd_array(v);
	if (!err)
		err = verify_func_records(v->request);
	if (!err)
		err = find_subprogs(v);
	if (!err)
		err = find_kfuncs(v);
	if (!err)
		err = verify_exception_callback(v->request);
	if (!err)
		err = check_subprogs(v);
	if (!err)
		err = verify_btf_info(v->request, v->result);
	if (!err)
		err = resolve_references(v);
	if (!err)
		err = check_reachability(v);
	if (!err)
		err = check_sleepable(v);
	if (!err)
		err = check_target(v);
	if (!err)
		err = check_instructions(v);
	if (!err)
		err = check_callbacks(v);
	if (!err)
		err = check_call_depth(v);
	if (!err)
		err = check_stack_size(v);
	if (!err)
		resolve_kfuncs(v);
	free_kfuncs(v);
	return err;
}

static u64 now_ns(void)
{
	struct timespec now = {0};

	SYSCALL(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

static void log_stats(const struct verifier *v, u64 started)
{
	if (v->request->log_level & LOG_STATS) {
		verbose(v, "verification time %llu usec\n",
			(unsigned long long)(now_ns() - started) / 1000);
		verbose(v, "stack depth ");
		for (u32 i = 0; i < v->result->nr_subprogs; i++)
			verbose(v, "%s%u", i ? "+" : "", v->stack_depth[i]);
		verbose(v, "\n");
	}
	verbose(v,
		"processed %u insns (limit %u) max_states_per_insn 0 total_states 0 "
		"peak_states 0 mark_read 0\n",
		v->result->verified_insns, PROG_MAX_INSNS);
}

int verify_program(struct verify_request *request, struct verify_result *result)
{
	struct verifier v = {
		.request = request,
		.result = result,
		.insns = request->insns,
		.insn_cnt = request->insn_cnt,
	};
	u64 started = now_ns();
	int err;

	memset(result, 0, sizeof(*result));
	err = run_passes(&v);
	log_stats(&v, started);
	if (err)
		verify_release(result);
	return err;
}

void verify_release(struct verify_result *result)
{
	while (result->nr_maps)
		object_put(&result->maps[--result->nr_maps]->object);
}
