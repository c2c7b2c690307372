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
		if (strncmp(bpf_program__name(prog), "type_", 5))
			check_program(bpf_program__name(prog));
	object_misuse__destroy(skel);
}

static void types(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{"type_none", "type ID argument must be of a struct\n"},
		{"type_zero", "type ID argument must be of a struct\n"},
		{"type_long", "local type ID argument must be in range [0, U32_MAX]"},
		{"type_number", "type ID argument must be of a struct\n"},
		{"type_size", "bpf_percpu_obj_new type size (600) is greater than 512"},
		{"type_pointer", "type ID argument must be of a struct of scalars"},
		{"type_field", "type ID argument must not contain special fields"},
	};
	static char log[1 << 16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct object_misuse *skel = object_misuse__open();
		struct bpf_program *prog =
			bpf_object__find_program_by_name(skel->obj, rows[i].name);

		bpf_program__set_autoload(prog, true);
		bpf_program__set_log_buf(prog, log, sizeof(log));
		bpf_program__set_log_level(prog, 1);
		assert_int_equal(object_misuse__load(skel), -EINVAL);
		if (!strstr(log, rows[i].text))
			fail_msg("%s: %s", rows[i].name, log);
		object_misuse__destroy(skel);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misuse),
		cmocka_unit_test(types),
	};

	require_bpf();
	libbpf_set_print(quiet);
	return run_tests(tests);
}
