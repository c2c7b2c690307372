/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench_calls.c: programs of bench_calls.bpf.c. BPF_PROG_TEST_RUN runs those once, so its call is
 * part of what is measured: a 256th of it in each operation.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "../tests/vm/local_object.h"

#include "bench.h"
#include "bench_bpf.h"
#include "bench_calls.skel.h"

#define ARENA_START (1ull << 44)

static int calls_setup(const struct bench *bench, enum side side, void **state)
{
	struct bench_calls *skeleton = bench_calls__open();
	struct bpf_program *program;
	int err;

	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(
		program,
		program == bpf_object__find_program_by_name(skeleton->obj, bench->program));
	skeleton->rodata->pages = bench->size;
	err = bpf_map__set_map_extra(skeleton->maps.arena, ARENA_START);
	if (!err)
		err = bench_calls__load(skeleton);
	if (err)
		bench_calls__destroy(skeleton);
	else
		*state = skeleton;
	return err;
}

static int loaded_program(const struct bench_calls *skeleton)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program,
				     skeleton->obj) if (bpf_program__fd(program) >= 0) break;
	return bpf_program__fd(program);
}

static int calls_measure(void *state, __u64 *count, double *ns)
{
	const int program = loaded_program(state);
	const __u64 calls = (*count + MAP_OPS - 1) / MAP_OPS;
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	const double from = cpu_ns();
	int err = 0;

	for (__u64 i = 0; i < calls && !err; i++)
		err = bpf_prog_test_run_opts(program, &opts);
	*ns = cpu_ns() - from;
	*count = calls * MAP_OPS;
	return err;
}

static void calls_teardown(void *state)
{
	bench_calls__destroy(state);
}

static const struct bench_kind calls = {
	.title = "Programs that are called for 256 operations, ns each",
	.sides = 1 << SIDE_KERNEL | 1 << SIDE_USERBPF | 1 << SIDE_INTERP,
	.subject = SIDE_USERBPF,
	.reference = 1 << SIDE_KERNEL,
	.setup = calls_setup,
	.measure = calls_measure,
	.teardown = calls_teardown,
};

static const struct bench rows[] = {
	{.name = "bpf_get_stackid, user stack", .program = "stack_id"},
	{.name = "arena alloc+free 1 page", .program = "arena_pages", .size = 1},
	{.name = "arena alloc+free 16 pages", .program = "arena_pages", .size = 16},
	{.name = "bpf_obj_new, bpf_obj_drop", .program = "object_new_drop"},
	{.name = "list push, pop, each under its lock", .program = "list_push_pop"},
	{.name = "new in rbtree of 16, first goes", .program = "tree_add_remove", .size = 16},
	{.name = "new in rbtree of 1k, first goes", .program = "tree_add_remove", .size = 1024},
};

const struct bench_table bench_calls_programs = {&calls, rows, ARRAY_SIZE(rows)};
