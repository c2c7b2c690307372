/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_common.h: what the kinds of test run share. Private to test_run*.c.
 */
#ifndef VM_TEST_RUN_COMMON_H
#define VM_TEST_RUN_COMMON_H

#include "vm/test_run.h"
#include "vm/vm.h"

#define ETH_HLEN 14u
#define MAC_LEN 6u

/* What the kernel puts behind a packet, and the page that both share. */
#define SHARED_INFO_BYTES 320u
#define FRAME_BYTES 4096u

/*
 * Runs vm's program repeat times (0 counts as 1); sets retval and duration. 0, -EFAULT, or -EINTR
 * when a signal came between two runs.
 */
must_check int test_run_loop(struct vm_run *vm, struct test_run *run);

/*
 * The turn's run, or *own made ready for prog; NULL: no memory. Packet, what to do when it moves
 * and further memory are left to the kind of run.
 */
struct packet_run *test_run_packet(const struct test_run *test, struct prog *prog,
				   struct packet_run *own);
void test_run_packet_end(const struct test_run *test, struct packet_run *run);
/* The same of a run without a packet, whose context is other memory. */
struct vm_run *test_run_plain(const struct test_run *test, struct prog *prog, struct vm_run *own,
			      void *ctx, const struct ctx_rules *rules);
/*
 * Copies ctx_in over the size bytes at ctx, which are cleared first. -E2BIG when ctx_in is longer
 * than a page or has nonzero bytes beyond size; -EFAULT.
 */
must_check int test_run_ctx_in(const struct test_run *run, void *ctx, u32 size);
/*
 * Results, and -ENOSPC where they do not fit. frags: bytes at the end of data that are fragments.
 * ctx NULL: the program had none to give back.
 */
must_check int test_run_finish(struct test_run *run, const void *data, u32 size, u32 frags,
			       const void *ctx, u32 ctx_size);

/* Are all bytes from from to to zero? */
static inline bool is_zero(const void *p, size_t from, size_t to)
{
	const u8 *bytes = p;

	for (; from < to; from++)
		if (bytes[from])
			return false;
	return true;
}

#endif
