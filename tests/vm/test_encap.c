/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_encap.c: helpers that wrap and translate packets; encap.bpf.c does it, and says which check
 * failed.
 */
#include "run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "encap.skel.h"

static struct encap *skel;

static void run(const struct bpf_program *program, int expected)
{
	int ret = run_once(bpf_program__fd(program));

	if (ret != expected)
		fail_msg("%s: %d instead of %d", bpf_program__name(program), ret, expected);
}

static void tunnels(void **state)
{
	run(skel->progs.ipv4_key, 18);
	run(skel->progs.ipv6_key, 7);
	run(skel->progs.old_keys, 9);
	run(skel->progs.tunnel_options, 13);
}

static void translation(void **state)
{
	run(skel->progs.translate, 11);
}

static void copies(void **state)
{
	run(skel->progs.copies, 4);
}

static void cookies(void **state)
{
	run(skel->progs.cookies4, 8);
	run(skel->progs.cookies6, 4);
}

static int make_all(void **state)
{
	skel = encap__open_and_load();
	return !skel;
}

static int destroy_all(void **state)
{
	encap__destroy(skel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tunnels),
		cmocka_unit_test(translation),
		cmocka_unit_test(copies),
		cmocka_unit_test(cookies),
	};

	require_bpf();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_all, destroy_all);
}
