/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * run.h: loading a program and running it, as the tests at the system call level below tests/vm do
 * it. The packet is always the same: Ethernet, IPv4, TCP, then a counting payload.
 */
#ifndef TESTS_VM_RUN_H
#define TESTS_VM_RUN_H

#include <stdbool.h>

#include "../bpf_test.h"
#include "asm.h"

#define PACKET_MAX 8192u
#define PACKET_LEN 64u

static inline int prog_load_flags(unsigned type, unsigned attach, const struct bpf_insn *insns,
				  unsigned count, const char *license, unsigned flags)
{
	union test_attr t = {.a = {.prog_type = type,
				   .expected_attach_type = attach,
				   .insns = ptr64(insns),
				   .insn_cnt = count,
				   .license = ptr64(license),
				   .prog_flags = flags}};

	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static inline int prog_load(unsigned type, unsigned attach, const struct bpf_insn *insns,
			    unsigned count)
{
	unsigned flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0;

	return prog_load_flags(type, attach, insns, count, "GPL", flags);
}

static inline void fill_packet(uint8_t packet[PACKET_MAX])
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,                     /* Ethernet */
		0x45, 0, 0, 50, 0, 1, 0, 0, 64, 6, 0x7c, 0xc4,                /* IPv4 */
		127, 0, 0, 1, 127, 0, 0, 2,
		0x12, 0x34, 0, 80,                                            /* TCP ports */
	};

	for (unsigned i = 0; i < PACKET_MAX; i++)
		packet[i] = (uint8_t)i;
	memcpy(packet, head, sizeof(head));
}

/* What a packet program returns. */
static inline int run_once(int fd)
{
	uint8_t packet[PACKET_MAX];
	union test_attr t = {.a = {.test = {.prog_fd = (uint32_t)fd,
					    .data_in = ptr64(packet),
					    .data_size_in = PACKET_LEN}}};

	fill_packet(packet);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	return (int)t.a.test.retval;
}

/* Instructions up to the first all-zero one, which no valid program contains. */
static inline unsigned insn_count(const struct bpf_insn *insns)
{
	unsigned count = 0;

	while (insns[count].code || insns[count].dst_reg || insns[count].imm ||
	       (count && insns[count - 1].code == 0x18))
		count++;
	return count;
}

#endif
