/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * skeleton_run.h: running a packet program of a skeleton, whose packet does not matter.
 */
#ifndef TESTS_VM_SKELETON_RUN_H
#define TESTS_VM_SKELETON_RUN_H

#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define RUN(name) run_program(bpf_program__fd(skel->progs.name))

/* What it returns, or -errno. */
static inline int run_program(int fd)
{
	static const uint8_t packet[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));
	int err = bpf_prog_test_run_opts(fd, &opts);

	return err ? err : (int)opts.retval;
}

#endif
