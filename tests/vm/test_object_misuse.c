/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_object_misuse.c: what the kernel refuses to load and userbpf stops (object_misuse.bpf.c).
 */
#include "run.h"

#include "local_object.h"
#include "object_misuse.skel.h"
#include "skeleton_run.h"
#include "tag_pointers.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static void check_program(const char *name)
{
	struct object_misuse *skel = object_misuse__open();
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);

	tag_pointers(bpf_object__btf(skel->obj), "slots", "kptr");
	bpf_program__set_autoload(prog, true);
	if (!object_misuse__load(skel) && run_program(bpf_program__fd(prog)) != -EFAULT)
		fail_msg("%s is not stopped", name);
	object_misuse__destroy(skel);
}

static void misuse(void **state)
{
	struct object_misuse *skel = object_misuse__open();
	struct bpf_program *prog;

	assert_non_null(skel);
	bpf_object__for_each_program(prog, skel->obj)
		check_program(bpf_program__name(prog));
	object_misuse__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misuse),
	};

	require_bpf();
	libbpf_set_print(quiet);
	return run_tests(tests);
}
