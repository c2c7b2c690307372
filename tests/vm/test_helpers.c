/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_helpers.c: what helpers return, one tiny program per row, run on the packet of run.h. The
 * numbers were recorded from Linux 6.18; what depends on the moment is checked for plausibility.
 */
#include "run.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define SKB(field) ((short)offsetof(struct __sk_buff, field))
#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC BPF_PROG_TYPE_SCHED_CLS
#define XDP BPF_PROG_TYPE_XDP
#define LWT BPF_PROG_TYPE_LWT_XMIT
#define ERR(error) ((unsigned)-(error))
#define INSNS_MAX 60

/* Each program starts with R6 = the context. Results lie at -8 and -16, text and vectors below. */
#define STACK(reg) MOV_X(reg, R10), ALU64_K(ADD, reg, -8)
#define STACK_TEXT(reg) MOV_X(reg, R10), ALU64_K(ADD, reg, -64)
#define STACK_ARGS(reg) MOV_X(reg, R10), ALU64_K(ADD, reg, -32)
#define RET EXIT
#define RET_STACK(size) LD(size, R0, R10, -8), EXIT
#define RET_TEXT(size) LD(size, R0, R10, -64), EXIT
#define RET_VALUE LD(W, R0, R10, -16), EXIT
#define LEN LD(W, R0, R6, SKB(len))
#define THEN(insn) insn, EXIT

#define LOAD_BYTES(offset, n)                                                                      \
	MOV_K(R2, offset), STACK(R3), MOV_K(R4, n), CALL(BPF_FUNC_skb_load_bytes)
#define STORE_BYTES(offset, n, flags)                                                              \
	ST_K(W, R10, -8, 0x11223344), MOV_K(R2, offset), STACK(R3), MOV_K(R4, n), MOV_K(R5, flags), \
		CALL(BPF_FUNC_skb_store_bytes)
#define XDP_BYTES(fn, offset, n)                                                                   \
	MOV_K(R2, offset), STACK(R3), MOV_K(R4, n), CALL(BPF_FUNC_##fn)
#define CSUM(fn, offset, from, to, flags)                                                          \
	MOV_K(R2, offset), MOV_K(R3, from), MOV_K(R4, to), MOV_K(R5, flags), CALL(BPF_FUNC_##fn),  \
		MOV_X(R1, R6)
#define CSUM_DIFF(from, to, seed)                                                                  \
	ST_K(DW, R10, -8, 0x12345678), ST_K(DW, R10, -16, (int)0x87654321), MOV_X(R1, R10),        \
		ALU64_K(ADD, R1, -16), MOV_K(R2, from), STACK(R3), MOV_K(R4, to), MOV_K(R5, seed), \
		CALL(BPF_FUNC_csum_diff)
#define TAIL(len, flags) MOV_K(R2, len), MOV_K(R3, flags), CALL(BPF_FUNC_skb_change_tail)
#define HEAD(len, flags) MOV_K(R2, len), MOV_K(R3, flags), CALL(BPF_FUNC_skb_change_head)
#define VLAN_PUSH(proto, tci) MOV_K(R2, proto), MOV_K(R3, tci), CALL(BPF_FUNC_skb_vlan_push)
#define ROOM(len, mode, flags)                                                                     \
	MOV_K(R2, len), MOV_K(R3, mode), MOV_K(R4, flags), CALL(BPF_FUNC_skb_adjust_room)

/* 32 bytes of text, zero-filled. */
#define PAD(s) (s "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
#define BYTE(s, i) ((unsigned)(unsigned char)PAD(s)[i])
#define WORD(s, i)                                                                                 \
	(int)(BYTE(s, i) | BYTE(s, (i) + 1) << 8 | BYTE(s, (i) + 2) << 16 | BYTE(s, (i) + 3) << 24)
#define TEXT_WORD(s, i) ST_K(W, R10, -64 + (i), WORD(s, i))
#define TEXT(s)                                                                                    \
	TEXT_WORD(s, 0), TEXT_WORD(s, 4), TEXT_WORD(s, 8), TEXT_WORD(s, 12), TEXT_WORD(s, 16),     \
		TEXT_WORD(s, 20), TEXT_WORD(s, 24), TEXT_WORD(s, 28)
#define STRTO(fn, base)                                                                            \
	STACK_TEXT(R1), MOV_K(R2, 32), MOV_K(R3, base), MOV_X(R4, R10), ALU64_K(ADD, R4, -16),     \
		CALL(BPF_FUNC_##fn)
#define PRINTK(a, b, c)                                                                            \
	STACK_TEXT(R1), MOV_K(R2, 32), MOV_K(R3, a), MOV_K(R4, b), MOV_K(R5, c),                   \
		CALL(BPF_FUNC_trace_printk)
#define VPRINTK(size)                                                                              \
	ST_K(DW, R10, -32, 1), ST_K(DW, R10, -24, 2), ST_K(DW, R10, -16, 3), ST_K(DW, R10, -8, 4), \
		STACK_TEXT(R1), MOV_K(R2, 32), STACK_ARGS(R3), MOV_K(R4, size),                    \
		CALL(BPF_FUNC_trace_vprintk)

struct helper_case {
	const char *name;
	unsigned type;
	struct bpf_insn insns[INSNS_MAX];
	unsigned expected; /* R0 */
};

static const struct helper_case cases[] = {
	/* Reading the packet. */
	{"skb_load_bytes", FILTER, {LOAD_BYTES(0, 4), RET_STACK(W)}, 0x32000045},
	{"skb_load_bytes: last", FILTER, {LOAD_BYTES(49, 1), RET_STACK(B)}, 63},
	{"skb_load_bytes: beyond", FILTER, {LOAD_BYTES(47, 4), RET}, ERR(EFAULT)},
	{"skb_load_bytes: cleared", FILTER, {ST_K(W, R10, -8, 5), LOAD_BYTES(47, 4), RET_STACK(W)},
	 0},
	{"skb_load_bytes: negative", FILTER, {LOAD_BYTES(-1, 4), RET}, ERR(EFAULT)},
	{"skb_load_bytes: tc", TC, {LOAD_BYTES(12, 4), RET_STACK(W)}, 0x450008},
	{"load_relative mac", FILTER, {MOV_K(R2, 12), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 0),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET_STACK(W)}, 0x450008},
	{"load_relative network", FILTER, {MOV_K(R2, 0), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 1),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET_STACK(W)}, 0x32000045},
	{"load_relative 2", FILTER, {MOV_K(R2, 0), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 2),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET}, ERR(EFAULT)},
	{"load_relative -1", FILTER, {MOV_K(R2, -1), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 1),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET}, ERR(EFAULT)},
	{"load_relative end", FILTER, {MOV_K(R2, 46), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 1),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET}, 0},
	{"load_relative end+1", FILTER, {MOV_K(R2, 47), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 1),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET}, ERR(EFAULT)},
	/* Writing. */
	{"skb_store_bytes:", TC, {STORE_BYTES(20, 4, 0), MOV_X(R1, R6), LOAD_BYTES(20, 4),
	  RET_STACK(W)}, 0x11223344},
	{"skb_store_bytes: flags 1", TC, {STORE_BYTES(20, 4, 1), RET}, 0},
	{"skb_store_bytes: flags 2", TC, {STORE_BYTES(20, 4, 2), RET}, 0},
	{"skb_store_bytes: flags 4", TC, {STORE_BYTES(20, 4, 4), RET}, ERR(EINVAL)},
	{"skb_store_bytes: end", TC, {STORE_BYTES(60, 4, 0), RET}, 0},
	{"skb_store_bytes: beyond", TC, {STORE_BYTES(61, 4, 0), RET}, ERR(EFAULT)},
	{"skb_store_bytes: -1", TC, {STORE_BYTES(-1, 4, 0), RET}, ERR(EFAULT)},
	{"skb_pull_data: 0", TC, {MOV_K(R2, 0), CALL(BPF_FUNC_skb_pull_data), RET}, 0},
	{"skb_pull_data: 64", TC, {MOV_K(R2, 64), CALL(BPF_FUNC_skb_pull_data), RET}, 0},
	{"skb_pull_data: 65", TC, {MOV_K(R2, 65), CALL(BPF_FUNC_skb_pull_data), RET}, ERR(ENOMEM)},
	/* Checksums. */
	{"l3_csum_replace 2", TC, {CSUM(l3_csum_replace, 24, 0x1234, 0x4321, 2), LOAD_BYTES(24, 2),
	  RET_STACK(H)}, 0x938f},
	{"l3_csum_replace 4", TC, {CSUM(l3_csum_replace, 24, 0x12345678, 0x77654321, 4),
	  LOAD_BYTES(24, 2), RET_STACK(H)}, 0x72a2},
	{"l3_csum_replace 0", TC, {CSUM(l3_csum_replace, 24, 0, 0x1234567, 0), LOAD_BYTES(24, 2),
	  RET_STACK(H)}, 0x7df2},
	{"l3_csum_replace 0 neg", TC, {CSUM(l3_csum_replace, 24, 0, -5, 0), LOAD_BYTES(24, 2),
	  RET_STACK(H)}, 0xc480},
	{"l3_csum_replace 0 from", TC, {CSUM(l3_csum_replace, 24, 1, 0x1234567, 0), RET},
	 ERR(EINVAL)},
	{"l3_csum_replace 3", TC, {CSUM(l3_csum_replace, 24, 1, 0x1234567, 3), RET}, ERR(EINVAL)},
	{"l3_csum_replace flags", TC, {CSUM(l3_csum_replace, 24, 1, 0x1234567, 16), RET},
	 ERR(EINVAL)},
	{"l3_csum_replace odd", TC, {CSUM(l3_csum_replace, 25, 1, 2, 2), RET}, ERR(EFAULT)},
	{"l3_csum_replace beyond", TC, {CSUM(l3_csum_replace, 64, 1, 2, 2), RET}, ERR(EFAULT)},
	{"l3_csum_replace 64k", TC, {CSUM(l3_csum_replace, 65536, 1, 2, 2), RET}, ERR(EFAULT)},
	{"l4_csum_replace 2", TC, {CSUM(l4_csum_replace, 50, 0x1234, 0x4321, 2), LOAD_BYTES(50, 2),
	  RET_STACK(H)}, 581},
	{"l4_csum_replace 4 pseudo", TC, {CSUM(l4_csum_replace, 50, 0x12345678, 0x77654321, 4 | 16),
	  LOAD_BYTES(50, 2), RET_STACK(H)}, 0xe157},
	{"l4_csum_replace 0", TC, {CSUM(l4_csum_replace, 50, 0, 0x1234567, 0), LOAD_BYTES(50, 2),
	  RET_STACK(H)}, 0xeca7},
	{"l4_csum_replace mangled", TC, {CSUM(l4_csum_replace, 50, 0x1234, 0x4321, 2 | 32),
	  LOAD_BYTES(50, 2), RET_STACK(H)}, 581},
	{"l4_csum_replace ipv6", TC, {CSUM(l4_csum_replace, 50, 0, 0x4321, 128), LOAD_BYTES(50, 2),
	  RET_STACK(H)}, 0xf010},
	{"l4_csum_replace ipv6 4", TC, {CSUM(l4_csum_replace, 50, 1, 0x4321, 128 | 4),
	  LOAD_BYTES(50, 2), RET_STACK(H)}, 0xf011},
	{"l4_csum_replace flags 256", TC, {CSUM(l4_csum_replace, 50, 1, 0x4321, 256), RET},
	 ERR(EINVAL)},
	{"csum_diff none", TC, {CSUM_DIFF(0, 0, 7), RET}, 7},
	{"csum_diff none big", TC, {CSUM_DIFF(0, 0, -7), RET}, 0xfff9},
	{"csum_diff to", TC, {CSUM_DIFF(0, 8, 7), RET}, 0x68b3},
	{"csum_diff to 0", TC, {CSUM_DIFF(0, 8, 0), RET}, 0x68ac},
	{"csum_diff from", TC, {CSUM_DIFF(8, 0, 7), RET}, 0x3580},
	{"csum_diff from 0", TC, {CSUM_DIFF(8, 0, 0), RET}, 0x3579},
	{"csum_diff from big", TC, {CSUM_DIFF(8, 0, -1), RET}, 0x3579},
	{"csum_diff both", TC, {CSUM_DIFF(8, 4, 7), RET}, 0x9e2c},
	{"csum_diff both big", TC, {CSUM_DIFF(8, 4, -3), RET}, 0x9e23},
	{"csum_diff same", TC, {CSUM_DIFF(8, 8, 0), RET}, 0x9e25},
	{"csum_diff same 7", TC, {CSUM_DIFF(8, 8, 7), RET}, 0x9e2c},
	{"csum_diff odd", TC, {CSUM_DIFF(7, 4, 7), RET}, 0x9d2d},
	{"csum_diff 1 0", TC, {CSUM_DIFF(1, 0, 3), RET}, 0xffe1},
	{"csum_diff 0 3", TC, {CSUM_DIFF(0, 3, 3), RET}, 0x56af},
	{"csum_diff 3 5", TC, {CSUM_DIFF(3, 5, 3), RET}, 9513},
	{"csum_diff 8 8 big", TC, {CSUM_DIFF(8, 8, -1), RET}, 0x9e25},
	{"csum_diff 0 0 large", TC, {CSUM_DIFF(0, 0, 0x7fffffff), RET}, 0x7fff},
	{"csum_diff 0 0 -1", TC, {CSUM_DIFF(0, 0, -1), RET}, 0xffff},
	{"csum_update", TC, {MOV_K(R2, 5), CALL(BPF_FUNC_csum_update), RET}, ERR(ENOTSUPP)},
	{"csum_level 0", TC, {MOV_K(R2, 0), CALL(BPF_FUNC_csum_level), RET}, ERR(EACCES)},
	{"csum_level 1", TC, {MOV_K(R2, 1), CALL(BPF_FUNC_csum_level), RET}, 0},
	{"csum_level 2", TC, {MOV_K(R2, 2), CALL(BPF_FUNC_csum_level), RET}, 0},
	{"csum_level 3", TC, {MOV_K(R2, 3), CALL(BPF_FUNC_csum_level), RET}, 0},
	{"csum_level 4", TC, {MOV_K(R2, 4), CALL(BPF_FUNC_csum_level), RET}, ERR(EINVAL)},
	/* Reshaping. */
	{"skb_change_tail: 100", TC, {TAIL(100, 0), THEN(LEN)}, 100},
	{"skb_change_tail: 14", TC, {TAIL(14, 0), THEN(LEN)}, 14},
	{"skb_change_tail: 13", TC, {TAIL(13, 0), RET}, ERR(EINVAL)},
	{"skb_change_tail: flags", TC, {TAIL(20, 1), RET}, ERR(EINVAL)},
	{"skb_change_tail: 65550", TC, {TAIL(65550, 0), RET}, ERR(EINVAL)},
	{"skb_change_tail: 65551", TC, {TAIL(65551, 0), RET}, ERR(EINVAL)},
	{"skb_change_tail: lwt 0", LWT, {TAIL(0, 0), RET}, 0},
	{"skb_change_tail: lwt 1", LWT, {TAIL(1, 0), RET}, 0},
	{"skb_change_head: 8", TC, {HEAD(8, 0), THEN(LEN)}, 72},
	{"skb_change_head: 8 content", TC, {HEAD(8, 0), MOV_X(R1, R6), LOAD_BYTES(6, 4),
	  RET_STACK(W)}, 0x20000},
	{"skb_change_head: flags", TC, {HEAD(8, 1), RET}, ERR(EINVAL)},
	{"skb_change_head: -1", TC, {HEAD(-1, 0), RET}, ERR(EINVAL)},
	{"skb_change_head: 65486", TC, {HEAD(65486, 0), RET}, ERR(EINVAL)},
	{"skb_change_head: 65487", TC, {HEAD(65487, 0), RET}, ERR(EINVAL)},
	{"skb_change_head: 20000", TC, {HEAD(20000, 0), THEN(LEN)}, 64},
	{"skb_change_head: net", TC, {HEAD(8, 0), MOV_X(R1, R6), MOV_K(R2, 0), STACK(R3),
	  MOV_K(R4, 4), MOV_K(R5, 1), CALL(BPF_FUNC_skb_load_bytes_relative), RET_STACK(W)},
	 0x32000045},
	{"vlan push", TC, {VLAN_PUSH(0x81, 5), THEN(LEN)}, 64},
	{"load_relative: header cut off", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6),
	  VLAN_PUSH(0x81, 6), MOV_X(R1, R6), HEAD(4, 0), MOV_X(R1, R6), TAIL(18, 0), MOV_X(R1, R6),
	  CALL(BPF_FUNC_skb_vlan_pop), MOV_X(R1, R6), MOV_K(R2, 0), STACK(R3), MOV_K(R4, 4),
	  MOV_K(R5, 1), CALL(BPF_FUNC_skb_load_bytes_relative), RET}, ERR(EFAULT)},
	{"vlan push proto", TC, {VLAN_PUSH(0xa888, 5), LD(W, R0, R6, SKB(vlan_proto)), EXIT},
	 0xa888},
	{"vlan push proto bad", TC, {VLAN_PUSH(0x1234, 5), LD(W, R0, R6, SKB(vlan_proto)), EXIT},
	 129},
	{"vlan push tci", TC, {VLAN_PUSH(0x81, 0x12345), LD(W, R0, R6, SKB(vlan_tci)), EXIT}, 9029},
	{"vlan push present", TC, {VLAN_PUSH(0x81, 0x12345), LD(W, R0, R6, SKB(vlan_present)),
	  EXIT}, 1},
	{"vlan push 2 len", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6), THEN(LEN)},
	 68},
	{"vlan push 2 bytes", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  MOV_X(R1, R6), LOAD_BYTES(12, 4), RET_STACK(W)}, 0x5000081},
	{"vlan push 2 proto", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  LD(W, R0, R6, SKB(protocol)), EXIT}, 129},
	{"vlan push 2 net", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  MOV_X(R1, R6), MOV_K(R2, 0), STACK(R3), MOV_K(R4, 4), MOV_K(R5, 1),
	  CALL(BPF_FUNC_skb_load_bytes_relative), RET_STACK(W)}, 0x80500},
	{"vlan push 2 pop", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  MOV_X(R1, R6), CALL(BPF_FUNC_skb_vlan_pop), LD(W, R0, R6, SKB(vlan_tci)), EXIT}, 5},
	{"vlan push 2 pop proto", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  MOV_X(R1, R6), CALL(BPF_FUNC_skb_vlan_pop), LD(W, R0, R6, SKB(protocol)), EXIT}, 8},
	{"vlan push 2 pop len", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  MOV_X(R1, R6), CALL(BPF_FUNC_skb_vlan_pop), THEN(LEN)}, 64},
	{"vlan push 2 pop 2", TC, {VLAN_PUSH(0x81, 5), MOV_X(R1, R6), VLAN_PUSH(0x81, 6),
	  MOV_X(R1, R6), CALL(BPF_FUNC_skb_vlan_pop), MOV_X(R1, R6), CALL(BPF_FUNC_skb_vlan_pop),
	  LD(W, R0, R6, SKB(vlan_present)), EXIT}, 0},
	{"vlan pop none", TC, {CALL(BPF_FUNC_skb_vlan_pop), THEN(LEN)}, 64},
	{"skb_adjust_room: net +8", TC, {ROOM(8, 0, 0), THEN(LEN)}, 72},
	{"skb_adjust_room: net +8 bytes", TC, {ROOM(8, 0, 0), MOV_X(R1, R6), LOAD_BYTES(32, 4),
	  RET_STACK(W)}, 512},
	{"skb_adjust_room: net +8 after", TC, {ROOM(8, 0, 0), MOV_X(R1, R6), LOAD_BYTES(42, 4),
	  RET_STACK(W)}, 0x50003412},
	{"skb_adjust_room: mac +8", TC, {ROOM(8, 1, 0), MOV_X(R1, R6), LOAD_BYTES(12, 4),
	  RET_STACK(W)}, 8},
	{"skb_adjust_room: mac -8", TC, {ROOM(-8, 1, 0), MOV_X(R1, R6), LOAD_BYTES(12, 4),
	  RET_STACK(W)}, 0x6400008},
	{"skb_adjust_room: net -8", TC, {ROOM(-8, 0, 0), MOV_X(R1, R6), LOAD_BYTES(32, 4),
	  RET_STACK(W)}, 0x2b2a0200},
	{"skb_adjust_room: net -30", TC, {ROOM(-30, 0, 0), RET}, 0},
	{"skb_adjust_room: net -31", TC, {ROOM(-31, 0, 0), RET}, ERR(ENOTSUPP)},
	{"skb_adjust_room: mode 2", TC, {ROOM(8, 2, 0), RET}, ERR(ENOTSUPP)},
	{"skb_adjust_room: flags", TC, {ROOM(8, 0, 512), RET}, ERR(EINVAL)},
	{"skb_adjust_room: decap grow", TC, {ROOM(8, 0, 128), RET}, ERR(EINVAL)},
	{"skb_adjust_room: decap both", TC, {ROOM(-8, 0, 384), RET}, ERR(EINVAL)},
	{"skb_adjust_room: decap 6", TC, {ROOM(-8, 1, 256), LD(W, R0, R6, SKB(protocol)), EXIT},
	 0xdd86},
	{"skb_adjust_room: decap 4", TC, {ROOM(-8, 1, 128), LD(W, R0, R6, SKB(protocol)), EXIT}, 8},
	{"skb_adjust_room: encap both", TC, {ROOM(8, 0, 6), RET}, ERR(EINVAL)},
	{"skb_adjust_room: encap l4 both", TC, {ROOM(8, 0, 24), RET}, 0},
	{"skb_adjust_room: encap 4", TC, {ROOM(20, 1, 2), LD(W, R0, R6, SKB(protocol)), EXIT}, 8},
	{"skb_adjust_room: encap 6", TC, {ROOM(40, 1, 4), LD(W, R0, R6, SKB(protocol)), EXIT},
	 0xdd86},
	{"skb_adjust_room: encap udp", TC, {ROOM(28, 1, 2 | 16), LD(W, R0, R6, SKB(protocol)),
	  EXIT}, 8},
	{"skb_adjust_room: encap l3 l4 both", TC, {ROOM(28, 1, 2 | 24), RET}, ERR(EINVAL)},
	{"skb_adjust_room: encap ipv4", TC, {ROOM(20, 1, 2), RET}, 0},
	{"skb_adjust_room: shrink encap", TC, {ROOM(-8, 1, 2), LD(W, R0, R6, SKB(protocol)), EXIT},
	 8},
	{"skb_adjust_room: mac -30", TC, {ROOM(-30, 1, 0), RET}, 0},
	{"skb_adjust_room: mac -31", TC, {ROOM(-31, 1, 0), RET}, ERR(ENOTSUPP)},
	{"skb_adjust_room: encap udp only", TC, {ROOM(28, 1, 16), RET}, 0},
	{"skb_adjust_room: 4095", TC, {ROOM(4095, 0, 0), RET}, 0},
	{"skb_adjust_room: 4096", TC, {ROOM(4096, 0, 0), RET}, ERR(EFAULT)},
	{"skb_adjust_room: 0", TC, {ROOM(0, 0, 0), RET}, 0},
	/* Beside the packet. */
	{"hash set", TC, {MOV_K(R2, 77), CALL(BPF_FUNC_set_hash), LD(W, R0, R6, SKB(hash)), EXIT},
	 77},
	{"hash set recalc", TC, {MOV_K(R2, 77), CALL(BPF_FUNC_set_hash), MOV_X(R1, R6),
	  CALL(BPF_FUNC_get_hash_recalc), RET}, 77},
	{"hash recalc twice", TC, {CALL(BPF_FUNC_get_hash_recalc), MOV_X(R7, R0), MOV_X(R1, R6),
	  CALL(BPF_FUNC_get_hash_recalc), ALU64_X(SUB, R0, R7), RET}, 0},
	{"hash store inval", TC, {MOV_K(R2, 77), CALL(BPF_FUNC_set_hash), MOV_X(R1, R6),
	  STORE_BYTES(20, 4, 2), LD(W, R0, R6, SKB(hash)), EXIT}, 0},
	{"hash invalid", TC, {MOV_K(R2, 77), CALL(BPF_FUNC_set_hash), MOV_X(R1, R6),
	  CALL(BPF_FUNC_set_hash_invalid), LD(W, R0, R6, SKB(hash)), EXIT}, 0},
	{"change type 0", TC, {MOV_K(R2, 0), CALL(BPF_FUNC_skb_change_type),
	  LD(W, R0, R6, SKB(pkt_type)), EXIT}, 0},
	{"change type 3", TC, {MOV_K(R2, 3), CALL(BPF_FUNC_skb_change_type), RET}, 0},
	{"change type 4", TC, {MOV_K(R2, 4), CALL(BPF_FUNC_skb_change_type), RET}, ERR(EINVAL)},
	{"redirect", TC, {MOV_K(R1, 1), MOV_K(R2, 0), CALL(BPF_FUNC_redirect), RET}, 7},
	{"redirect ingress", TC, {MOV_K(R1, 1), MOV_K(R2, 1), CALL(BPF_FUNC_redirect), RET}, 7},
	{"redirect flags", TC, {MOV_K(R1, 1), MOV_K(R2, 2), CALL(BPF_FUNC_redirect), RET}, 2},
	{"redirect peer", TC, {MOV_K(R1, 1), MOV_K(R2, 0), CALL(BPF_FUNC_redirect_peer), RET}, 7},
	{"redirect peer flags", TC, {MOV_K(R1, 1), MOV_K(R2, 1), CALL(BPF_FUNC_redirect_peer), RET},
	 2},
	{"redirect neigh", TC, {MOV_K(R1, 1), MOV_K(R2, 0), MOV_K(R3, 0), MOV_K(R4, 0),
	  CALL(BPF_FUNC_redirect_neigh), RET}, 7},
	{"redirect neigh flags", TC, {MOV_K(R1, 1), MOV_K(R2, 0), MOV_K(R3, 0), MOV_K(R4, 1),
	  CALL(BPF_FUNC_redirect_neigh), RET}, 2},
	{"redirect neigh small", TC, {MOV_K(R1, 1), STACK(R2), MOV_K(R3, 4), MOV_K(R4, 0),
	  CALL(BPF_FUNC_redirect_neigh), RET}, 2},
	{"cookie twice", TC, {CALL(BPF_FUNC_get_socket_cookie), MOV_X(R7, R0), MOV_X(R1, R6),
	  CALL(BPF_FUNC_get_socket_cookie), ALU64_X(SUB, R0, R7), RET}, 0},
	{"uid", TC, {CALL(BPF_FUNC_get_socket_uid), RET}, 0},
	/* XDP. */
	{"xdp redirect", XDP, {MOV_K(R1, 1), MOV_K(R2, 0), CALL(BPF_FUNC_redirect), RET}, 4},
	{"xdp redirect flags", XDP, {MOV_K(R1, 1), MOV_K(R2, 1), CALL(BPF_FUNC_redirect), RET}, 0},
	{"xdp head -216", XDP, {MOV_K(R2, -216), CALL(BPF_FUNC_xdp_adjust_head), RET}, 0},
	{"xdp head -217", XDP, {MOV_K(R2, -217), CALL(BPF_FUNC_xdp_adjust_head), RET}, ERR(EINVAL)},
	{"xdp head 50", XDP, {MOV_K(R2, 50), CALL(BPF_FUNC_xdp_adjust_head), RET}, 0},
	{"xdp head 51", XDP, {MOV_K(R2, 51), CALL(BPF_FUNC_xdp_adjust_head), RET}, ERR(EINVAL)},
	{"xdp head min", XDP, {MOV_K(R2, (int)0x80000000), CALL(BPF_FUNC_xdp_adjust_head), RET},
	 ERR(EINVAL)},
	{"xdp tail 3456", XDP, {MOV_K(R2, 3456), CALL(BPF_FUNC_xdp_adjust_tail), RET}, 0},
	{"xdp tail 3457", XDP, {MOV_K(R2, 3457), CALL(BPF_FUNC_xdp_adjust_tail), RET}, ERR(EINVAL)},
	{"xdp tail -50", XDP, {MOV_K(R2, -50), CALL(BPF_FUNC_xdp_adjust_tail), RET}, 0},
	{"xdp tail -51", XDP, {MOV_K(R2, -51), CALL(BPF_FUNC_xdp_adjust_tail), RET}, ERR(EINVAL)},
	{"xdp tail min", XDP, {MOV_K(R2, (int)0x80000000), CALL(BPF_FUNC_xdp_adjust_tail), RET},
	 ERR(EINVAL)},
	{"xdp meta -4", XDP, {MOV_K(R2, -4), CALL(BPF_FUNC_xdp_adjust_meta), RET}, 0},
	{"xdp meta -3", XDP, {MOV_K(R2, -3), CALL(BPF_FUNC_xdp_adjust_meta), RET}, ERR(EACCES)},
	{"xdp meta -32", XDP, {MOV_K(R2, -32), CALL(BPF_FUNC_xdp_adjust_meta), RET}, 0},
	{"xdp meta -36", XDP, {MOV_K(R2, -36), CALL(BPF_FUNC_xdp_adjust_meta), RET}, 0},
	{"xdp meta -216", XDP, {MOV_K(R2, -216), CALL(BPF_FUNC_xdp_adjust_meta), RET}, 0},
	{"xdp meta -220", XDP, {MOV_K(R2, -220), CALL(BPF_FUNC_xdp_adjust_meta), RET}, ERR(EINVAL)},
	{"xdp meta 4", XDP, {MOV_K(R2, 4), CALL(BPF_FUNC_xdp_adjust_meta), RET}, ERR(EINVAL)},
	{"xdp meta head", XDP, {MOV_K(R2, -32), CALL(BPF_FUNC_xdp_adjust_meta), MOV_X(R1, R6),
	  MOV_K(R2, -184), CALL(BPF_FUNC_xdp_adjust_head), RET}, 0},
	{"xdp meta head 1", XDP, {MOV_K(R2, -32), CALL(BPF_FUNC_xdp_adjust_meta), MOV_X(R1, R6),
	  MOV_K(R2, -185), CALL(BPF_FUNC_xdp_adjust_head), RET}, ERR(EINVAL)},
	{"xdp len", XDP, {CALL(BPF_FUNC_xdp_get_buff_len), RET}, 64},
	{"xdp load", XDP, {XDP_BYTES(xdp_load_bytes, 12, 4), RET_STACK(W)}, 0x450008},
	{"xdp load end", XDP, {XDP_BYTES(xdp_load_bytes, 60, 4), RET}, 0},
	{"xdp load beyond", XDP, {XDP_BYTES(xdp_load_bytes, 61, 4), RET}, ERR(EINVAL)},
	{"xdp load -1", XDP, {XDP_BYTES(xdp_load_bytes, -1, 4), RET}, ERR(EFAULT)},
	{"xdp load 65535", XDP, {XDP_BYTES(xdp_load_bytes, 65535, 4), RET}, ERR(EINVAL)},
	{"xdp load 65536", XDP, {XDP_BYTES(xdp_load_bytes, 65536, 4), RET}, ERR(EFAULT)},
	{"xdp store", XDP, {ST_K(W, R10, -8, 0x11223344), XDP_BYTES(xdp_store_bytes, 20, 4), MOV_X(R1, R6),
	  XDP_BYTES(xdp_load_bytes, 18, 4), RET_STACK(W)}, 0x33440100},
	{"xdp store beyond", XDP, {ST_K(W, R10, -8, 0x11223344), XDP_BYTES(xdp_store_bytes, 62, 4), RET},
	 ERR(EINVAL)},
	/* The coarse clock is never ahead of the exact one. */
	{"coarse clock", FILTER, {CALL(BPF_FUNC_ktime_get_coarse_ns), MOV_X(R7, R0),
	  CALL(BPF_FUNC_ktime_get_ns), MOV_X(R1, R0), MOV_K(R0, 0), J_X(JGT, R7, R1, 1),
	  MOV_K(R0, 1), RET}, 1},
	/* Numbers and strings. */
	{"strtol 42", FILTER, {TEXT("42"), STRTO(strtol, 0), RET}, 2},
	{"strtol 42 v", FILTER, {TEXT("42"), STRTO(strtol, 0), RET_VALUE}, 42},
	{"strtol -42 v", FILTER, {TEXT(" -42x"), STRTO(strtol, 0), RET_VALUE}, 0xffffffd6},
	{"strtol -42", FILTER, {TEXT(" -42x"), STRTO(strtol, 0), RET}, 4},
	{"strtol 0x1f", FILTER, {TEXT("0x1f"), STRTO(strtol, 0), RET_VALUE}, 31},
	{"strtol 0x1f n", FILTER, {TEXT("0x1f"), STRTO(strtol, 0), RET}, 4},
	{"strtol 0x1f 16", FILTER, {TEXT("0x1f"), STRTO(strtol, 16), RET_VALUE}, 31},
	{"strtol 0x 16", FILTER, {TEXT("0xg"), STRTO(strtol, 16), RET}, ERR(EINVAL)},
	{"strtol 0x 0", FILTER, {TEXT("0xg"), STRTO(strtol, 0), RET}, 1},
	{"strtol 017", FILTER, {TEXT("017"), STRTO(strtol, 0), RET_VALUE}, 15},
	{"strtol 017 10", FILTER, {TEXT("017"), STRTO(strtol, 10), RET_VALUE}, 17},
	{"strtol 019", FILTER, {TEXT("019"), STRTO(strtol, 8), RET}, 2},
	{"strtol base 2", FILTER, {TEXT("11"), STRTO(strtol, 2), RET}, ERR(EINVAL)},
	{"strtol base 32", FILTER, {TEXT("11"), STRTO(strtol, 32), RET}, ERR(EINVAL)},
	{"strtol none", FILTER, {TEXT("x"), STRTO(strtol, 0), RET}, ERR(EINVAL)},
	{"strtol space", FILTER, {TEXT("    "), STRTO(strtol, 0), RET}, ERR(EINVAL)},
	{"strtol +4", FILTER, {TEXT("+4"), STRTO(strtol, 0), RET}, ERR(EINVAL)},
	{"strtol max", FILTER, {TEXT("9223372036854775807"), STRTO(strtol, 0), RET}, 19},
	{"strtol max+1", FILTER, {TEXT("9223372036854775808"), STRTO(strtol, 0), RET}, ERR(ERANGE)},
	{"strtol min", FILTER, {TEXT("-9223372036854775808"), STRTO(strtol, 0), RET}, 20},
	{"strtol min-1", FILTER, {TEXT("-9223372036854775809"), STRTO(strtol, 0), RET},
	 ERR(ERANGE)},
	{"strtol over", FILTER, {TEXT("99999999999999999999"), STRTO(strtol, 0), RET}, ERR(ERANGE)},
	{"strtol -0", FILTER, {TEXT("-0"), STRTO(strtol, 0), RET}, 2},
	{"strtoul max", FILTER, {TEXT("18446744073709551615"), STRTO(strtoul, 0), RET}, 20},
	{"strtoul over", FILTER, {TEXT("18446744073709551616"), STRTO(strtoul, 0), RET},
	 ERR(ERANGE)},
	{"strtoul -1", FILTER, {TEXT("-1"), STRTO(strtoul, 0), RET}, ERR(EINVAL)},
	{"strtoul 7", FILTER, {TEXT("7"), STRTO(strtoul, 0), RET_VALUE}, 7},
	/* Printing. */
	{"trace_printk:", FILTER, {TEXT("a %d %u %x"), PRINTK(65, -66, 67), RET}, 18},
	{"trace_printk: %%", FILTER, {TEXT("100%%"), PRINTK(65, -66, 67), RET}, 4},
	{"trace_printk: % end", FILTER, {TEXT("100%"), PRINTK(65, -66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: 4 args", FILTER, {TEXT("%d %d %d %d"), PRINTK(65, -66, 67), RET},
	 ERR(EINVAL)},
	{"trace_printk: %f", FILTER, {TEXT("%f"), PRINTK(65, -66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %hd", FILTER, {TEXT("%hd"), PRINTK(65, -66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %.5d", FILTER, {TEXT("%.5d"), PRINTK(65, -66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %5d", FILTER, {TEXT("%5d|%-5d|%05d"), PRINTK(65, -66, 67), RET}, 17},
	{"trace_printk: %ld", FILTER, {TEXT("%ld %lld %lx"), PRINTK(65, -66, 67), RET}, 9},
	{"trace_printk: %llld", FILTER, {TEXT("%llld"), PRINTK(65, -66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %lc", FILTER, {TEXT("%lc"), PRINTK(65, -66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %c", FILTER, {TEXT("%c%c"), PRINTK(65, 66, 67), RET}, 2},
	{"trace_printk: %5c", FILTER, {TEXT("%5c"), PRINTK(65, 66, 67), RET}, 5},
	{"trace_printk: %s", FILTER, {TEXT("%s|"), PRINTK(0, 0, 0), RET}, 1},
	{"trace_printk: %5s", FILTER, {TEXT("%5s|"), PRINTK(0, 0, 0), RET}, 6},
	{"trace_printk: %s self", FILTER, {TEXT("%s|"), STACK_TEXT(R3), MOV_X(R1, R3),
	  MOV_K(R2, 32), CALL(BPF_FUNC_trace_printk), RET}, 4},
	{"trace_printk: %ps", FILTER, {TEXT("%ps %pS %pB"), PRINTK(65, 66, 67), RET}, 14},
	{"trace_printk: %p", FILTER, {TEXT("%p %px %pK"), PRINTK(65, 66, 67), RET}, 50},
	{"trace_printk: %p0", FILTER, {TEXT("%p %px"), PRINTK(0, 0, 67), RET}, 33},
	{"trace_printk: %pX", FILTER, {TEXT("%pX"), PRINTK(65, 66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %pI4", FILTER, {TEXT("%pI4 %pi4"), PRINTK(0, 0, 67), RET}, 23},
	{"trace_printk: %pI6", FILTER, {TEXT("%pI6 %pi6"), PRINTK(0, 0, 67), RET}, 72},
	{"trace_printk: %pI5", FILTER, {TEXT("%pI5"), PRINTK(0, 0, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %pks", FILTER, {TEXT("%pks|%pus|"), PRINTK(0, 0, 67), RET}, 2},
	{"trace_printk: tab", FILTER, {TEXT("a\tb\n"), PRINTK(65, 66, 67), RET}, 4},
	{"trace_printk: ctrl", FILTER, {TEXT("a\001b"), PRINTK(65, 66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: utf8", FILTER, {TEXT("a\xc3\xa9"), PRINTK(65, 66, 67), RET}, 3},
	{"trace_printk: %i%X", FILTER, {TEXT("%i %X %#x"), PRINTK(65, 66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %o", FILTER, {TEXT("%o"), PRINTK(65, 66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: % d", FILTER, {TEXT("% d %+d"), PRINTK(65, 66, 67), RET}, 7},
	{"trace_printk: %zu", FILTER, {TEXT("%zu"), PRINTK(65, 66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: del", FILTER, {TEXT("a\177"), PRINTK(65, 66, 67), RET}, ERR(EINVAL)},
	{"trace_printk: 0x80", FILTER, {TEXT("a\x80\xff"), PRINTK(65, 66, 67), RET}, 3},
	{"trace_printk: %5p", FILTER, {TEXT("%5p %20px %-20px|"), PRINTK(65, 66, 67), RET}, 51},
	{"trace_printk: %20ps", FILTER, {TEXT("%20ps %-20ps|"), PRINTK(65, 66, 67), RET}, 42},
	{"trace_printk: %20pI4", FILTER, {TEXT("%20pI4|%-20pI4|"), PRINTK(0, 0, 67), RET}, 16},
	{"trace_printk: %5p alone", FILTER, {TEXT("%5p|%5px"), PRINTK(0, 66, 67), RET}, 11},
	{"trace_printk: %20pB", FILTER, {TEXT("%20pB|"), PRINTK(65, 66, 67), RET}, 5},
	{"trace_printk: %20pks", FILTER, {TEXT("%20pks|%20pus|"), PRINTK(0, 0, 67), RET}, 2},
	{"trace_printk: signs", FILTER, {TEXT("%+05ld|%- 5i|%+x"), PRINTK(65, 66, 67), RET}, 14},
	{"trace_printk: widest", FILTER, {TEXT("%8388607d%-8388607s%8388607c"), PRINTK(65, 0, 67),
	  RET}, 25165821},
	{"trace_printk: %5%", FILTER, {TEXT("%5%"), PRINTK(0, 0, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %l", FILTER, {TEXT("%l"), PRINTK(0, 0, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %pK.", FILTER, {TEXT("%pK.%px,"), PRINTK(1, 2, 67), RET}, 34},
	{"trace_printk: %pa", FILTER, {TEXT("%pa"), PRINTK(1, 2, 67), RET}, ERR(EINVAL)},
	{"trace_printk: %pletter", FILTER, {TEXT("%p\xc3\xa9"), PRINTK(1, 2, 67), RET},
	 ERR(EINVAL)},
	{"trace_printk: short", FILTER, {TEXT("abcdefghijklmnop"), STACK_TEXT(R1), MOV_K(R2, 5),
	  MOV_K(R3, 0), MOV_K(R4, 0), MOV_K(R5, 0), CALL(BPF_FUNC_trace_printk), RET}, ERR(EINVAL)},
	{"trace_vprintk: 0", FILTER, {TEXT("hello"), VPRINTK(0), RET}, 5},
	{"trace_vprintk: 2", FILTER, {TEXT("%d %d"), VPRINTK(16), RET}, 3},
	{"trace_vprintk: few", FILTER, {TEXT("%d %d"), VPRINTK(8), RET}, ERR(EINVAL)},
	{"trace_vprintk: odd", FILTER, {TEXT("%d %d"), VPRINTK(12), RET}, ERR(EINVAL)},
	{"trace_vprintk: 4", FILTER, {TEXT("%d %d %d %d"), VPRINTK(32), RET}, 7},
	/* The task and foreign memory. */
	{"get_current_comm", FILTER, {STACK_TEXT(R1), MOV_K(R2, 16),
	  CALL(BPF_FUNC_get_current_comm), RET_TEXT(W)}, 0x706c6568},
	{"get_current_comm: 3", FILTER, {STACK_TEXT(R1), MOV_K(R2, 3), ST_K(W, R10, -64, -1),
	  CALL(BPF_FUNC_get_current_comm), RET_TEXT(W)}, 0xff006568},
	{"pid", FILTER, {CALL(BPF_FUNC_get_current_pid_tgid), MOV_X(R1, R0), ALU64_K(RSH, R1, 32),
	  ALU32_X(SUB, R0, R1), EXIT}, 0},
	{"probe_read_kernel null", FILTER, {STACK(R1), MOV_K(R2, 8), MOV_K(R3, 0),
	  CALL(BPF_FUNC_probe_read_kernel), RET}, ERR(ERANGE)},
	{"probe_read_kernel cleared", FILTER, {ST_K(W, R10, -8, 9), STACK(R1), MOV_K(R2, 8),
	  MOV_K(R3, 0), CALL(BPF_FUNC_probe_read_kernel), RET_STACK(W)}, 0},
	{"probe_read_kernel stack", FILTER, {ST_K(W, R10, -16, 9), STACK(R1), MOV_K(R2, 4),
	  MOV_X(R3, R10), ALU64_K(ADD, R3, -16), CALL(BPF_FUNC_probe_read_kernel), RET_STACK(W)},
	 9},
	{"probe_read_kernel high", FILTER, {STACK(R1), MOV_K(R2, 8), MOV_K(R3, -8192),
	  CALL(BPF_FUNC_probe_read_kernel), RET}, ERR(EFAULT)},
	{"probe_read_kernel odd", FILTER, {STACK(R1), MOV_K(R2, 8), LD64(R3, 0x1234567812345678ull),
	  CALL(BPF_FUNC_probe_read_kernel), RET}, ERR(ERANGE)},
	{"probe_read_user high", FILTER, {STACK(R1), MOV_K(R2, 8), MOV_K(R3, -8192),
	  CALL(BPF_FUNC_probe_read_user), RET}, ERR(EFAULT)},
	{"probe_read_user_str null", FILTER, {STACK(R1), MOV_K(R2, 8), MOV_K(R3, 0),
	  CALL(BPF_FUNC_probe_read_user_str), RET}, ERR(EFAULT)},
	{"probe_read_kernel_str 0", FILTER, {STACK(R1), MOV_K(R2, 0), MOV_K(R3, 0),
	  CALL(BPF_FUNC_probe_read_kernel_str), RET}, 0},
	{"probe_read_user null", FILTER, {STACK(R1), MOV_K(R2, 8), MOV_K(R3, 0),
	  CALL(BPF_FUNC_probe_read_user), RET}, ERR(EFAULT)},
	{"probe_read 0", FILTER, {STACK(R1), MOV_K(R2, 0), MOV_K(R3, 0),
	  CALL(BPF_FUNC_probe_read_user), RET}, 0},
	{"probe_read_str null", FILTER, {STACK(R1), MOV_K(R2, 8), MOV_K(R3, 0),
	  CALL(BPF_FUNC_probe_read_kernel_str), RET}, ERR(ERANGE)},
	{"probe_read_str", FILTER, {TEXT("abc"), STACK(R1), MOV_K(R2, 8), STACK_TEXT(R3),
	  CALL(BPF_FUNC_probe_read_kernel_str), RET}, 4},
	{"probe_read_str cut", FILTER, {TEXT("abcdefghijk"), STACK(R1), MOV_K(R2, 8),
	  STACK_TEXT(R3), CALL(BPF_FUNC_probe_read_kernel_str), RET}, 8},
	{"probe_read_str cut v", FILTER, {TEXT("abcdefghijk"), STACK(R1), MOV_K(R2, 4),
	  STACK_TEXT(R3), CALL(BPF_FUNC_probe_read_kernel_str), RET_STACK(W)}, 0x636261},
};

/* Instructions up to the last one that is not empty. */
static unsigned length_of(const struct bpf_insn *insns, unsigned max)
{
	while (max && !insns[max - 1].code)
		max--;
	return max;
}

static long run_program(int fd, void *ctx, unsigned ctx_size, unsigned *retval)
{
	uint8_t packet[PACKET_MAX] = {0};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)fd,
					.data_in = ctx ? 0 : ptr64(packet),
					.data_size_in = ctx ? 0 : PACKET_LEN,
					.ctx_in = ptr64(ctx),
					.ctx_size_in = ctx_size}};
	long err;

	fill_packet(packet);
	err = bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));
	*retval = t.a.test.retval;
	return err;
}

static bool is_as_expected(const struct helper_case *c)
{
	struct bpf_insn insns[INSNS_MAX + 1] = {MOV_X(R6, R1)};
	unsigned count = length_of(c->insns, INSNS_MAX), retval = 0;
	long err;
	int fd;

	memcpy(insns + 1, c->insns, count * sizeof(*insns));
	fd = prog_load(c->type, 0, insns, count + 1);
	err = fd < 0 ? fd : run_program(fd, NULL, 0, &retval);
	if (fd >= 0)
		close(fd);
	if (!err && retval == c->expected)
		return true;
	print_error("%s: result %ld, R0 %#x; expected %#x\n", c->name, err, retval, c->expected);
	return false;
}

static void every_row(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		wrong += !is_as_expected(&cases[i]);
	assert_int_equal(wrong, 0);
}

/* Callbacks: the kernel wants BTF for them. It knows int main(void) and static int cb(void). */
struct tiny_btf {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, type_off, type_len, str_off, str_len;
	uint32_t types[4 + 3 + 3 + 3];
	char strings[14];
};

static int load_btf(void)
{
	const struct tiny_btf btf = {
		.magic = 0xeb9f,
		.version = 1,
		.hdr_len = 24,
		.type_len = sizeof(btf.types),
		.str_off = sizeof(btf.types),
		.str_len = sizeof(btf.strings),
		.types = {1, 1u << 24, 4, 1u << 24 | 32, /* int */
			  0, 13u << 24, 1,               /* int (void) */
			  5, 12u << 24, 2,               /* main */
			  10, 12u << 24, 2},             /* cb */
		.strings = "\0int\0main\0cb",
	};
	union test_attr t = {.a = {.btf = ptr64(&btf), .btf_size = 24 + sizeof(btf.types) +
								   sizeof(btf.strings)}};

	return (int)bpf_sys(BPF_BTF_LOAD, &t, sizeof(union bpf_attr));
}

struct callback_case {
	const char *name;
	struct bpf_insn insns[24]; /* a map reference becomes the test's map */
	unsigned callback;         /* its first instruction */
	unsigned expected;
};

#define CALLBACK(reg, distance) LD64_RAW(reg, BPF_PSEUDO_FUNC, distance, 0)
#define MAP(reg) LD64_RAW(reg, BPF_PSEUDO_MAP_FD, 0, 0)
/* Calls back at 8 instructions after the start of the second one. */
#define LOOP(n, flags)                                                                             \
	MOV_K(R1, n), CALLBACK(R2, 5), MOV_K(R3, 0), MOV_K(R4, flags), CALL(BPF_FUNC_loop), EXIT
#define FOR_EACH(flags)                                                                            \
	ST_K(DW, R10, -8, 0), MAP(R1), CALLBACK(R2, 7), STACK(R3), MOV_K(R4, flags),               \
		CALL(BPF_FUNC_for_each_map_elem)

static const struct callback_case callback_cases[] = {
	{"loop: 5", {LOOP(5, 0), MOV_K(R0, 0), EXIT}, 7, 5},
	{"loop: none", {LOOP(0, 0), MOV_K(R0, 0), EXIT}, 7, 0},
	{"loop: flags", {LOOP(5, 1), MOV_K(R0, 0), EXIT}, 7, ERR(EINVAL)},
	{"loop: too many", {LOOP((1 << 23) + 1, 0), MOV_K(R0, 0), EXIT}, 7, ERR(E2BIG)},
	{"loop: stopped", {LOOP(5, 0), MOV_K(R0, 0), J_K(JNE, R1, 2, 1), MOV_K(R0, 1), EXIT}, 7, 3},
	{"for_each: flags", {FOR_EACH(1), LD(W, R1, R10, -8), EXIT, MOV_K(R0, 0), EXIT}, 11,
	 ERR(EINVAL)},
	{"for_each: count", {FOR_EACH(0), LD(W, R1, R10, -8), EXIT, MOV_K(R0, 0), EXIT}, 11, 4},
	{"for_each: stopped", {FOR_EACH(0), LD(W, R1, R10, -8), EXIT, MOV_K(R0, 1), EXIT}, 11, 1},
	{"for_each: values", {FOR_EACH(0), LD(W, R0, R10, -8), EXIT, LD(W, R3, R3, 0),
			      LD(DW, R5, R4, 0), ALU64_X(ADD, R5, R3), ST_X(DW, R4, 0, R5),
			      MOV_K(R0, 0), EXIT}, 11, 100},
	{"for_each: keys", {FOR_EACH(0), LD(W, R0, R10, -8), EXIT, LD(W, R3, R2, 0),
			    LD(DW, R5, R4, 0), ALU64_X(ADD, R5, R3), ST_X(DW, R4, 0, R5),
			    MOV_K(R0, 0), EXIT}, 11, 6},
};

static int load_with_callback(const struct callback_case *c, int btf, int map)
{
	const uint32_t functions[] = {0, 3, c->callback, 4};
	struct bpf_insn insns[24];
	unsigned count = length_of(c->insns, 24);
	union test_attr t = {.a = {.prog_type = FILTER,
				   .insns = ptr64(insns),
				   .insn_cnt = count,
				   .license = ptr64("GPL"),
				   .prog_btf_fd = (uint32_t)btf,
				   .func_info = ptr64(functions),
				   .func_info_cnt = 2,
				   .func_info_rec_size = 8}};

	memcpy(insns, c->insns, sizeof(insns));
	for (unsigned i = 0; i < count; i++)
		if (insns[i].code == 0x18 && insns[i].src_reg == BPF_PSEUDO_MAP_FD)
			insns[i].imm = map;
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static int four_elements(unsigned type)
{
	int map = map_create(type, 4, 4, 4, 0);

	assert_true(map >= 0);
	for (uint32_t key = 0; key < 4; key++) {
		const uint32_t value = 10 * (key + 1);

		assert_int_equal(map_update(map, &key, &value, BPF_ANY), 0);
	}
	return map;
}

static unsigned callbacks_with(unsigned map_type)
{
	int btf = load_btf(), map = four_elements(map_type);
	unsigned wrong = 0;

	assert_true(btf >= 0);
	for (size_t i = 0; i < sizeof(callback_cases) / sizeof(*callback_cases); i++) {
		const struct callback_case *c = &callback_cases[i];
		int fd = load_with_callback(c, btf, map);
		unsigned retval = 0;
		long err = fd < 0 ? fd : run_program(fd, NULL, 0, &retval);

		if (err || retval != c->expected) {
			print_error("%s: result %ld, R0 %#x; expected %#x\n", c->name, err, retval,
				    c->expected);
			wrong++;
		}
		if (fd >= 0)
			close(fd);
	}
	close(map);
	close(btf);
	return wrong;
}

static void callbacks(void **state)
{
	(void)state;
	assert_int_equal(callbacks_with(BPF_MAP_TYPE_ARRAY), 0);
	assert_int_equal(callbacks_with(BPF_MAP_TYPE_HASH), 0);
}

/* What a syscall program finds out, into its context. */
#define REPORT(helper, offset) CALL(BPF_FUNC_##helper), ST_X(DW, R6, offset, R0)

struct facts {
	uint64_t ktime, boot, random[2], pid_tgid, uid_gid, cpu, jiffies, later, tai, node;
};

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void the_moment(void **state)
{
	static const struct bpf_insn insns[] = {
		MOV_X(R6, R1),
		REPORT(ktime_get_ns, 0),
		REPORT(ktime_get_boot_ns, 8),
		REPORT(get_prandom_u32, 16),
		REPORT(get_prandom_u32, 24),
		REPORT(get_current_pid_tgid, 32),
		REPORT(get_current_uid_gid, 40),
		REPORT(get_smp_processor_id, 48),
		REPORT(jiffies64, 56),
		REPORT(ktime_get_ns, 64),
		REPORT(ktime_get_tai_ns, 72),
		REPORT(get_numa_node_id, 80),
		MOV_K(R0, 0),
		EXIT,
	};
	uint64_t before = clock_now(CLOCK_MONOTONIC), boot = clock_now(CLOCK_BOOTTIME),
		 tai = clock_now(CLOCK_TAI);
	int fd = prog_load(BPF_PROG_TYPE_SYSCALL, 0, insns, sizeof(insns) / sizeof(*insns));
	struct facts facts = {0};
	unsigned retval;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(run_program(fd, &facts, sizeof(facts), &retval), 0);
	close(fd);
	assert_in_range(facts.ktime, before, clock_now(CLOCK_MONOTONIC));
	assert_in_range(facts.later, facts.ktime, clock_now(CLOCK_MONOTONIC));
	assert_in_range(facts.boot, boot, clock_now(CLOCK_BOOTTIME));
	assert_true(facts.random[0] != facts.random[1]);
	assert_true(facts.random[0] <= UINT32_MAX && facts.random[1] <= UINT32_MAX);
	assert_int_equal(facts.pid_tgid, (uint64_t)getpid() << 32 | (uint32_t)gettid());
	assert_int_equal(facts.uid_gid, (uint64_t)getgid() << 32 | getuid());
	assert_in_range(facts.cpu, 0, possible_cpus() - 1);
	assert_true(facts.jiffies != 0);
	assert_in_range(facts.tai, tai, clock_now(CLOCK_TAI));
	assert_in_range(facts.node, 0, 1023);
}

/* Of a process's memory: what is there, and what is not. */
static void other_memory(void **state)
{
#define READ(fn, address)                                                                          \
	STACK(R1), MOV_K(R2, 8), LD(DW, R3, R6, address), CALL(BPF_FUNC_##fn), ST_X(DW, R6, 16, R0), \
		LD(DW, R0, R10, -8), ST_X(DW, R6, 24, R0), MOV_K(R0, 0), EXIT
	static const struct bpf_insn copy[] = {MOV_X(R6, R1), READ(copy_from_user, 0)},
		copy_bad[] = {MOV_X(R6, R1), READ(copy_from_user, 8)},
		probe[] = {MOV_X(R6, R1), READ(probe_read_user, 0)},
		probe_bad[] = {MOV_X(R6, R1), READ(probe_read, 8)},
		string_bad[] = {MOV_X(R6, R1), READ(probe_read_str, 8)};
	static const char text[8] = "in user";
	static const struct {
		const struct bpf_insn *insns;
		int result;
	} reads[] = {{copy, 0}, {copy_bad, -EFAULT}, {probe, 0}, {probe_bad, -EFAULT},
		     {string_bad, -EFAULT}};
	unsigned retval;

	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		uint64_t ctx[4] = {ptr64(text), 8};
		int fd = prog_load(BPF_PROG_TYPE_SYSCALL, 0, reads[i].insns,
				   sizeof(copy) / sizeof(*copy));

		assert_true(fd >= 0);
		assert_int_equal(run_program(fd, ctx, sizeof(ctx), &retval), 0);
		close(fd);
		assert_int_equal((int)ctx[2], reads[i].result);
		assert_memory_equal(&ctx[3], reads[i].result ? "\0\0\0\0\0\0\0" : text, 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(callbacks),
		cmocka_unit_test(the_moment),
		cmocka_unit_test(other_memory),
	};

	require_bpf();
	prctl(PR_SET_NAME, "helpers");
	return run_tests(tests);
}
