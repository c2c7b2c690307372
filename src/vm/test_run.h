/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run.h: PROG_TEST_RUN behind the attribute.
 */
#ifndef VM_TEST_RUN_H
#define VM_TEST_RUN_H

#include "base/compiler.h"
#include "vm/packet.h"
#include "vm/prog.h"

/* Parts of the attribute: which were given (some types refuse some), which are to be written. */
enum test_run_parts {
	TEST_DATA_IN = 1 << 0,  /* given: data_in is not NULL, whatever its size; and so on */
	TEST_DATA_OUT = 1 << 1, /* written: data_out, data_size_out */
	TEST_CTX_IN = 1 << 2,   /* written: the bytes at ctx_in, by syscall programs */
	TEST_CTX_OUT = 1 << 3,  /* written: ctx_out, ctx_size_out */
	TEST_DURATION = 1 << 4, /* given: it is not 0 */
};

/* The largest packet a run can leave behind: room for data_out when the caller names no size. */
#define TEST_DATA_OUT_MAX (256u << 10)

/*
 * What consecutive runs of one program share: all that can be made ready once. insns_left counts
 * down to 0, when it is time to end the turn and give others a chance to get the virtual CPU.
 */
struct test_turn {
	struct packet_run run;
	u64 insns_left;
	u32 ctx_bytes; /* that the program needs, if its context is plain memory */
	bool counted;  /* run-time statistics are on */
};

/* Buffers are ours; the command layer copies them in and out. */
struct test_run {
	u32 given;   /* enum test_run_parts */
	u32 written; /* result; the others stay as they were; on success retval is written too */
	const void *data_in; /* NULL: not given or not readable; at least what a type reads */
	u32 data_size_in;
	/*
	 * data_out_room is data_size_out of the attribute, also without data_out: a smaller packet
	 * limit than the result is -ENOSPC, 0 is no limit (data_out then has TEST_DATA_OUT_MAX).
	 */
	void *data_out;      /* NULL: not wanted */
	u32 data_out_room;
	u32 data_size_out;   /* result: bytes there were, also if they did not fit */
	void *ctx_in;        /* our copy; NULL with a size: not readable */
	u32 ctx_size_in;
	void *ctx_out;
	u32 ctx_out_room;
	u32 ctx_size_out;
	u32 repeat;
	u32 flags;
	u32 cpu;
	u32 batch_size;
	struct test_turn *turn; /* NULL: none. Such a run happens once and is not timed. */
	u32 retval;          /* result */
	struct vm_redirect redirect; /* result: of the last run; not set: it did not redirect */
	u32 duration;        /* result: ns per run, mean */
};

/*
 * Runs prog as the kernel's PROG_TEST_RUN does for its type. 0, -EINVAL, -ENOTSUPP (type without
 * test run), -ENOMEM, -ENODEV, -ENXIO (no such interface, CPU), -E2BIG (unknown context bytes),
 * -EFAULT (the checked interpreter stopped the program), -EINTR (a signal came between two runs),
 * -ENOSPC when an out buffer was too small (results are valid then).
 */
must_check int prog_test_run(struct prog *prog, struct test_run *run);

/* 0 or -ENOMEM. */
must_check int test_turn_init(struct test_turn *turn, struct prog *prog);
void test_turn_free(struct test_turn *turn);
/* Owns a virtual CPU from begin to end; inner maps that programs meet stay held meanwhile. */
void test_turn_begin(struct test_turn *turn);
void test_turn_end(struct test_turn *turn);

/* By kind of context; named by prog_types.def only. */
int test_run_skb(struct prog *prog, struct test_run *run);
int test_run_xdp(struct prog *prog, struct test_run *run);
int test_run_flow(struct prog *prog, struct test_run *run);
int test_run_raw_tp(struct prog *prog, struct test_run *run);
int test_run_syscall(struct prog *prog, struct test_run *run);
int test_run_sk_lookup(struct prog *prog, struct test_run *run);
int test_run_method(struct prog *prog, struct test_run *run);

#endif
