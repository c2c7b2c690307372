/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_dynptr.c: kernel functions on dynptrs; dynptr.bpf.c does it, and says which check failed.
 */
#include "run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dynptr.skel.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static void run(const struct bpf_program *prog, int expected)
{
	uint8_t packet[300];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);

	for (unsigned i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)i;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	if ((int)opts.retval != expected)
		fail_msg("%s: %d instead of %d", bpf_program__name(prog), (int)opts.retval,
			 expected);
}

static void dynptrs(void **state)
{
	struct dynptr *skel = dynptr__open_and_load();

	assert_non_null(skel);
	run(skel->progs.skb, 29);
	run(skel->progs.skb_null, 12);
	run(skel->progs.read_only, 6);
	run(skel->progs.frame, 12);
	run(skel->progs.local, 13);
	run(skel->progs.record, 0);
	dynptr__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(dynptrs)};

	require_bpf();
	libbpf_set_print(quiet);
	return run_tests(tests);
}
