/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_test_run.c: the rules of PROG_TEST_RUN, one row per rule: what is refused, what the program
 * sees, what comes back. The same rows hold for the kernel.
 */
#include "run.h"

#include <signal.h>
#include <sys/wait.h>

#define SKB(field) ((short)offsetof(struct __sk_buff, field))
#define MD(field) ((short)offsetof(struct xdp_md, field))
#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC BPF_PROG_TYPE_SCHED_CLS
#define XDP BPF_PROG_TYPE_XDP
#define CGROUP BPF_PROG_TYPE_CGROUP_SKB
#define RAW_TP BPF_PROG_TYPE_RAW_TRACEPOINT
#define SYSCALL BPF_PROG_TYPE_SYSCALL
#define PROG static const struct bpf_insn

PROG one[] = {MOV_K(R0, 1), EXIT, {0}};
PROG two[] = {MOV_K(R0, 2), EXIT, {0}};
PROG len[] = {LD(W, R0, R1, SKB(len)), EXIT, {0}};
PROG protocol[] = {LD(W, R0, R1, SKB(protocol)), EXIT, {0}};
PROG pkt_type[] = {LD(W, R0, R1, SKB(pkt_type)), EXIT, {0}};
PROG mark[] = {LD(W, R0, R1, SKB(mark)), EXIT, {0}};
PROG ifindex[] = {LD(W, R0, R1, SKB(ifindex)), EXIT, {0}};
PROG wire_len[] = {LD(W, R0, R1, SKB(wire_len)), EXIT, {0}};
PROG vlan_present[] = {LD(W, R0, R1, SKB(vlan_present)), EXIT, {0}};
PROG abs_0[] = {MOV_X(R6, R1), LDABS(B, 0), EXIT, {0}};
PROG abs_12[] = {MOV_X(R6, R1), LDABS(H, 12), EXIT, {0}};
PROG abs_network[] = {MOV_X(R6, R1), LDABS(B, -0x100000), EXIT, {0}};
PROG abs_link[] = {MOV_X(R6, R1), LDABS(B, -0x200000), EXIT, {0}};
PROG abs_beyond[] = {MOV_X(R6, R1), MOV_K(R0, 7), LDABS(W, 64), MOV_K(R0, 9), EXIT, {0}};
PROG data_0[] = {LD(W, R2, R1, SKB(data)),
		 LD(W, R3, R1, SKB(data_end)),
		 MOV_X(R4, R2),
		 ALU64_K(ADD, R4, 1),
		 MOV_K(R0, 0),
		 J_X(JGT, R4, R3, 1),
		 LD(B, R0, R2, 0),
		 EXIT,
		 {0}};
PROG cgroup_data_0[] = {LD(W, R2, R1, SKB(data)),
			LD(W, R3, R1, SKB(data_end)),
			MOV_X(R4, R2),
			ALU64_K(ADD, R4, 1),
			MOV_K(R0, 0),
			J_X(JGT, R4, R3, 3),
			LD(B, R5, R2, 0),
			J_K(JNE, R5, 0x45, 1),
			MOV_K(R0, 1),
			EXIT,
			{0}};
PROG write_skb[] = {MOV_K(R2, 77),
		    ST_X(W, R1, SKB(mark), R2),
		    ST_X(W, R1, SKB(priority), R2),
		    ST_X(W, R1, SKB(cb[1]), R2),
		    ST_X(DW, R1, SKB(tstamp), R2),
		    ST_X(W, R1, SKB(tc_index), R2),
		    MOV_K(R0, 0),
		    EXIT,
		    {0}};
PROG write_data[] = {LD(W, R2, R1, SKB(data)),
		     LD(W, R3, R1, SKB(data_end)),
		     MOV_X(R4, R2),
		     ALU64_K(ADD, R4, 1),
		     MOV_K(R0, 0),
		     J_X(JGT, R4, R3, 2),
		     MOV_K(R5, 99),
		     ST_X(B, R2, 0, R5),
		     EXIT,
		     {0}};
/* Grows by one byte per run; returns the length before. */
PROG grow[] = {MOV_X(R6, R1),
	       LD(W, R7, R1, SKB(len)),
	       MOV_X(R2, R7),
	       ALU64_K(ADD, R2, 1),
	       MOV_K(R3, 0),
	       CALL(BPF_FUNC_skb_change_tail),
	       MOV_X(R0, R7),
	       EXIT,
	       {0}};
PROG count_mark[] = {LD(W, R2, R1, SKB(mark)),
		     ALU64_K(ADD, R2, 1),
		     ST_X(W, R1, SKB(mark), R2),
		     MOV_X(R0, R2),
		     EXIT,
		     {0}};
PROG md_len[] = {
	LD(W, R2, R1, MD(data)), LD(W, R0, R1, MD(data_end)), ALU64_X(SUB, R0, R2), EXIT, {0}};
PROG md_meta_len[] = {
	LD(W, R2, R1, MD(data_meta)), LD(W, R0, R1, MD(data)), ALU64_X(SUB, R0, R2), EXIT, {0}};
PROG md_ingress[] = {LD(W, R0, R1, MD(ingress_ifindex)), EXIT, {0}};
PROG md_head[] = {MOV_K(R2, -8), CALL(BPF_FUNC_xdp_adjust_head), EXIT, {0}};
PROG md_tail[] = {MOV_K(R2, -4), CALL(BPF_FUNC_xdp_adjust_tail), EXIT, {0}};
PROG md_meta[] = {MOV_K(R2, -8), CALL(BPF_FUNC_xdp_adjust_meta), EXIT, {0}};
PROG word_0[] = {LD(W, R0, R1, 0), EXIT, {0}};
PROG word_88[] = {LD(W, R0, R1, 88), EXIT, {0}};
PROG cpu[] = {CALL(BPF_FUNC_get_smp_processor_id), EXIT, {0}};
PROG double_word_0[] = {LD(W, R0, R1, 0), ALU64_X(ADD, R0, R0), ST_X(W, R1, 0, R0), EXIT, {0}};

struct run_case {
	const char *name;
	unsigned type;
	const struct bpf_insn *prog;
	unsigned size;        /* of data_in; none without */
	unsigned room;        /* of data_out */
	bool want_data;       /* data_out is given */
	struct __sk_buff skb; /* context of packet programs; md and words are others */
	struct xdp_md md;
	uint32_t words[32];
	unsigned ctx_size, ctx_room;
	unsigned repeat, flags, cpu, batch;
	/* Expected. */
	int err;
	uint32_t retval, out, ctx_out; /* sizes; what is not written keeps what was asked for */
};

#define IN(bytes) .size = (bytes)
#define OUT(bytes) .want_data = true, .room = (bytes)
#define CTX_SKB(...) .skb = {__VA_ARGS__}, .ctx_size = sizeof(struct __sk_buff)
#define CTX_MD(...) .md = {__VA_ARGS__}, .ctx_size = sizeof(struct xdp_md)
#define CTX_WORDS(n, ...) .words = {__VA_ARGS__}, .ctx_size = 4 * (n)
#define CTX_OUT(bytes) .ctx_room = (bytes)
#define FAILS(error) .err = -(error)
#define NO_SPACE(value, data, ctx) .err = -ENOSPC, GIVES(value, data, ctx)
#define GIVES(value, data, ctx) .retval = (value), .out = (data), .ctx_out = (ctx)

static const struct run_case cases[] = {
	{"filter: no data", FILTER, one, FAILS(EINVAL)},
	{"filter: 13 bytes", FILTER, one, IN(13), FAILS(EINVAL)},
	{"filter: 14 bytes", FILTER, len, IN(14), FAILS(EINVAL)},
	{"filter: 15 bytes", FILTER, len, IN(15), FAILS(EINVAL)},
	{"filter: 33 bytes", FILTER, len, IN(33), FAILS(EINVAL)},
	{"filter: 34 bytes", FILTER, len, IN(34), GIVES(20, 34, 0)},
	{"filter: 3712 bytes", FILTER, len, IN(3712), GIVES(3698, 3712, 0)},
	{"filter: 3713 bytes", FILTER, len, IN(3713), FAILS(EINVAL)},
	{"filter: 4096 bytes", FILTER, len, IN(4096), FAILS(EINVAL)},
	{"tc: 13 bytes", TC, len, IN(13), FAILS(EINVAL)},
	{"tc: 14 bytes", TC, len, IN(14), FAILS(EINVAL)},
	{"tc: 3712 bytes", TC, len, IN(3712), GIVES(3712, 3712, 0)},
	{"tc: 3713 bytes", TC, len, IN(3713), FAILS(EINVAL)},
	{"filter: abs 0", FILTER, abs_0, IN(64), GIVES(69, 64, 0)},
	{"filter: abs 12", FILTER, abs_12, IN(64), GIVES(0x7f00, 64, 0)},
	{"filter: abs net", FILTER, abs_network, IN(64), GIVES(69, 64, 0)},
	{"filter: abs link", FILTER, abs_link, IN(64), GIVES(2, 64, 0)},
	{"filter: abs beyond", FILTER, abs_beyond, IN(64), GIVES(0, 64, 0)},
	{"tc: abs 0", TC, abs_0, IN(64), GIVES(2, 64, 0)},
	{"tc: abs 12", TC, abs_12, IN(64), GIVES(2048, 64, 0)},
	{"tc: abs net", TC, abs_network, IN(64), GIVES(69, 64, 0)},
	{"tc: abs link", TC, abs_link, IN(64), GIVES(2, 64, 0)},
	{"tc: abs beyond", TC, abs_beyond, IN(64), GIVES(0, 64, 0)},
	{"tc: data 0", TC, data_0, IN(64), GIVES(2, 64, 0)},
	{"cgroup: data 0", CGROUP, cgroup_data_0, IN(64), GIVES(1, 64, 0)},
	{"filter: proto", FILTER, protocol, IN(64), GIVES(8, 64, 0)},
	{"filter: pkt_type", FILTER, pkt_type, IN(64), GIVES(3, 64, 0)},
	{"filter: vlan", FILTER, vlan_present, IN(64), GIVES(0, 64, 0)},
	{"filter: out", FILTER, one, IN(64), OUT(64), GIVES(1, 64, 0)},
	{"filter: out room 0", FILTER, one, IN(64), OUT(0), GIVES(1, 64, 0)},
	{"filter: out small", FILTER, one, IN(64), OUT(10), NO_SPACE(1, 64, 0)},
	{"filter: out 63", FILTER, one, IN(64), OUT(63), NO_SPACE(1, 64, 0)},
	{"filter: no out, room small", FILTER, one, IN(64), .room = 10, NO_SPACE(1, 64, 0)},
	{"tc: out", TC, one, IN(64), OUT(100), GIVES(1, 64, 0)},
	{"tc: write", TC, write_data, IN(64), OUT(100), GIVES(0, 64, 0)},
	{"tc: write 3", TC, write_data, IN(64), OUT(100), .repeat = 3, GIVES(0, 64, 0)},
	{"tc: grow", TC, grow, IN(64), OUT(100), GIVES(64, 65, 0)},
	{"tc: grow 3", TC, grow, IN(64), OUT(100), .repeat = 3, GIVES(66, 67, 0)},
	{"tc: grow ENOSPC", TC, grow, IN(64), OUT(64), NO_SPACE(64, 65, 0)},
	{"tc: count", TC, count_mark, IN(64), .repeat = 5, GIVES(5, 64, 0)},
	{"tc: flags 1", TC, one, IN(64), .flags = 1, FAILS(EINVAL)},
	{"tc: flags 2", TC, one, IN(64), .flags = 2, FAILS(EINVAL)},
	{"tc: flags 4", TC, one, IN(64), .flags = 4, GIVES(1, 64, 0)},
	{"tc: flags 8", TC, one, IN(64), .flags = 8, FAILS(EINVAL)},
	{"tc: cpu", TC, one, IN(64), .cpu = 1, FAILS(EINVAL)},
	{"tc: batch", TC, one, IN(64), .batch = 1, FAILS(EINVAL)},
	{"tc: ctx mark", TC, mark, IN(64), CTX_SKB(.mark = 5), GIVES(5, 64, 0)},
	{"tc: ctx len", TC, mark, IN(64), CTX_SKB(.len = 5), FAILS(EINVAL)},
	{"tc: ctx pkt_type", TC, mark, IN(64), CTX_SKB(.pkt_type = 5), FAILS(EINVAL)},
	{"tc: ctx queue", TC, mark, IN(64), CTX_SKB(.queue_mapping = 5), FAILS(EINVAL)},
	{"tc: ctx protocol", TC, mark, IN(64), CTX_SKB(.protocol = 5), FAILS(EINVAL)},
	{"tc: ctx vlan_present", TC, mark, IN(64), CTX_SKB(.vlan_present = 5), FAILS(EINVAL)},
	{"tc: ctx vlan_tci", TC, mark, IN(64), CTX_SKB(.vlan_tci = 5), FAILS(EINVAL)},
	{"tc: ctx vlan_proto", TC, mark, IN(64), CTX_SKB(.vlan_proto = 5), FAILS(EINVAL)},
	{"tc: ctx priority", TC, mark, IN(64), CTX_SKB(.priority = 5), GIVES(0, 64, 0)},
	{"tc: ctx ingress", TC, mark, IN(64), CTX_SKB(.ingress_ifindex = 11), GIVES(0, 64, 0)},
	{"tc: ctx ifindex 1", TC, ifindex, IN(64), CTX_SKB(.ifindex = 1), GIVES(1, 64, 0)},
	{"tc: ctx ifindex 9999", TC, ifindex, IN(64), CTX_SKB(.ifindex = 9999), FAILS(ENODEV)},
	{"tc: ctx tc_index", TC, mark, IN(64), CTX_SKB(.tc_index = 1), FAILS(EINVAL)},
	{"tc: ctx cb", TC, mark, IN(64), CTX_SKB(.cb = {1, 2, 3, 4, 5}), CTX_OUT(192),
	 GIVES(0, 64, 192)},
	{"tc: ctx hash", TC, mark, IN(64), CTX_SKB(.hash = 1), FAILS(EINVAL)},
	{"tc: ctx classid", TC, mark, IN(64), CTX_SKB(.tc_classid = 1), FAILS(EINVAL)},
	{"tc: ctx data", TC, mark, IN(64), CTX_SKB(.data = 1), FAILS(EINVAL)},
	{"tc: ctx data_end 0", TC, mark, IN(64), CTX_SKB(.data_end = 0), GIVES(0, 64, 0)},
	{"tc: ctx data_end 1", TC, mark, IN(64), CTX_SKB(.data_end = 1), FAILS(EINVAL)},
	{"tc: ctx data_end 20", TC, mark, IN(64), CTX_SKB(.data_end = 20), OUT(100), FAILS(EINVAL)},
	{"tc: ctx data_end 64", TC, mark, IN(64), CTX_SKB(.data_end = 64), FAILS(EINVAL)},
	{"tc: ctx data_end 65", TC, mark, IN(64), CTX_SKB(.data_end = 65), FAILS(EINVAL)},
	{"tc: ctx napi", TC, mark, IN(64), CTX_SKB(.napi_id = 1), FAILS(EINVAL)},
	{"tc: ctx family", TC, mark, IN(64), CTX_SKB(.family = 1), FAILS(EINVAL)},
	{"tc: ctx data_meta", TC, mark, IN(64), CTX_SKB(.data_meta = 1), FAILS(EINVAL)},
	{"tc: ctx tstamp", TC, mark, IN(64), CTX_SKB(.tstamp = 1), CTX_OUT(192), GIVES(0, 64, 192)},
	{"tc: ctx wire_len 63", TC, wire_len, IN(64), CTX_SKB(.wire_len = 63), FAILS(EINVAL)},
	{"tc: ctx wire_len 64", TC, wire_len, IN(64), CTX_SKB(.wire_len = 64), GIVES(64, 64, 0)},
	{"tc: ctx wire_len 65536", TC, wire_len, IN(64), CTX_SKB(.wire_len = 65536),
	 GIVES(0x10000, 64, 0)},
	{"tc: ctx wire_len 65537", TC, wire_len, IN(64), CTX_SKB(.wire_len = 65537), FAILS(EINVAL)},
	{"filter: ctx wire_len 49", FILTER, one, IN(64), CTX_SKB(.wire_len = 49), FAILS(EINVAL)},
	{"filter: ctx wire_len 50", FILTER, one, IN(64), CTX_SKB(.wire_len = 50), GIVES(1, 64, 0)},
	{"tc: ctx gso_segs 65535", TC, mark, IN(64), CTX_SKB(.gso_segs = 65535), CTX_OUT(192),
	 GIVES(0, 64, 192)},
	{"tc: ctx gso_segs 65536", TC, mark, IN(64), CTX_SKB(.gso_segs = 65536), FAILS(EINVAL)},
	{"tc: ctx sk", TC, mark, IN(64), CTX_SKB(.sk = (void *)8), FAILS(EINVAL)},
	{"tc: ctx gso_size", TC, mark, IN(64), CTX_SKB(.gso_size = 10), CTX_OUT(192),
	 GIVES(0, 64, 192)},
	{"tc: ctx tstamp_type", TC, mark, IN(64), CTX_SKB(.tstamp_type = 1), FAILS(EINVAL)},
	{"tc: ctx hwtstamp", TC, mark, IN(64), CTX_SKB(.hwtstamp = 10), CTX_OUT(192),
	 GIVES(0, 64, 192)},
	{"tc: ctx short", TC, mark, IN(64), .skb = {.mark = 6}, .ctx_size = 12, GIVES(6, 64, 0)},
	{"tc: ctx 1 byte", TC, mark, IN(64), .ctx_size = 1, GIVES(0, 64, 0)},
	{"tc: ctx long zero", TC, mark, IN(64), .skb = {.mark = 6}, .ctx_size = 200,
	 GIVES(6, 64, 0)},
	{"tc: ctx long nonzero", TC, mark, IN(64), .skb = {.mark = 6}, .md = {.data = 1},
	 .ctx_size = 200, FAILS(E2BIG)},
	{"tc: ctx out only", TC, mark, IN(64), CTX_OUT(192), GIVES(0, 64, 192)},
	{"tc: ctx out small", TC, mark, IN(64), CTX_OUT(100), NO_SPACE(0, 64, 192)},
	{"tc: ctx out large", TC, mark, IN(64), CTX_OUT(300), GIVES(0, 64, 192)},
	{"tc: ctx out and data small", TC, mark, IN(64), OUT(4), CTX_OUT(100),
	 NO_SPACE(0, 64, 100)},
	{"tc: data small ctx ok", TC, mark, IN(64), OUT(4), CTX_OUT(192), NO_SPACE(0, 64, 192)},
	{"tc: write skb", TC, write_skb, IN(64), CTX_OUT(192), GIVES(0, 64, 192)},
	{"tc: write skb in", TC, write_skb, IN(64),
	 CTX_SKB(.mark = 1, .gso_size = 9, .data_end = 64), CTX_OUT(192), FAILS(EINVAL)},
	{"tc: grow ctx", TC, grow, IN(64), CTX_OUT(192), GIVES(64, 65, 192)},
	{"filter: ctx out", FILTER, one, IN(64), CTX_OUT(192), GIVES(1, 64, 192)},
	{"xdp: 13 bytes", XDP, two, IN(13), FAILS(EINVAL)},
	{"xdp: 14 bytes", XDP, md_len, IN(14), GIVES(14, 14, 0)},
	{"xdp: none", XDP, two, FAILS(EINVAL)},
	{"xdp: 3519 bytes", XDP, md_len, IN(3519), GIVES(3519, 3519, 0)},
	{"xdp: 3520 bytes", XDP, md_len, IN(3520), GIVES(3520, 3520, 0)},
	{"xdp: 3521 bytes", XDP, md_len, IN(3521), GIVES(3520, 3521, 0)},
	{"xdp: 4096 bytes", XDP, md_len, IN(4096), GIVES(3520, 4096, 0)},
	{"xdp: 8192 bytes", XDP, md_len, IN(8192), GIVES(3520, 8192, 0)},
	{"xdp: flags 1", XDP, two, IN(64), .flags = 1, FAILS(EINVAL)},
	{"xdp: flags 4", XDP, two, IN(64), .flags = 4, FAILS(EINVAL)},
	{"xdp: batch", XDP, two, IN(64), .batch = 1, FAILS(EINVAL)},
	{"xdp: cpu", XDP, two, IN(64), .cpu = 1, GIVES(2, 64, 0)},
	{"xdp: out", XDP, two, IN(64), OUT(100), GIVES(2, 64, 0)},
	{"xdp: out small", XDP, two, IN(64), OUT(10), NO_SPACE(2, 64, 0)},
	{"xdp: head", XDP, md_head, IN(64), OUT(100), GIVES(0, 72, 0)},
	{"xdp: head 40", XDP, md_head, IN(64), OUT(1000), .repeat = 40, GIVES(0xffffffea, 280, 0)},
	{"xdp: tail", XDP, md_tail, IN(64), OUT(100), GIVES(0, 60, 0)},
	{"xdp: tail 20", XDP, md_tail, IN(64), OUT(100), .repeat = 20, GIVES(0xffffffea, 16, 0)},
	{"xdp: meta", XDP, md_meta, IN(64), OUT(100), GIVES(0, 72, 0)},
	{"xdp: meta ctx", XDP, md_meta, IN(64), OUT(100), CTX_OUT(24), GIVES(0, 72, 24)},
	{"xdp: md zero", XDP, md_len, IN(64), CTX_MD(0), GIVES(0, 64, 0)},
	{"xdp: md end 64", XDP, md_len, IN(64), CTX_MD(.data_end = 64), GIVES(64, 64, 0)},
	{"xdp: md end 63", XDP, md_len, IN(64), CTX_MD(.data_end = 63), GIVES(63, 64, 0)},
	{"xdp: md end 20", XDP, md_len, IN(64), CTX_MD(.data_end = 20), OUT(100), CTX_OUT(24),
	 GIVES(20, 64, 24)},
	{"xdp: md end 13", XDP, md_len, IN(64), CTX_MD(.data_end = 13), GIVES(13, 64, 0)},
	{"xdp: md end 65", XDP, md_len, IN(64), CTX_MD(.data_end = 65), FAILS(EINVAL)},
	{"xdp: md meta field", XDP, md_len, IN(64), CTX_MD(.data_end = 64, .data_meta = 4),
	 FAILS(EINVAL)},
	{"xdp: md data 4", XDP, md_meta_len, IN(64), CTX_MD(.data = 4, .data_end = 64), OUT(100),
	 CTX_OUT(24), GIVES(4, 64, 24)},
	{"xdp: md data 4 len", XDP, md_len, IN(64), CTX_MD(.data = 4, .data_end = 64),
	 GIVES(60, 64, 0)},
	{"xdp: md data 3", XDP, md_meta_len, IN(64), CTX_MD(.data = 3, .data_end = 64),
	 FAILS(EINVAL)},
	{"xdp: md data 32", XDP, md_meta_len, IN(64), CTX_MD(.data = 32, .data_end = 64),
	 GIVES(32, 64, 0)},
	{"xdp: md data 36", XDP, md_meta_len, IN(64), CTX_MD(.data = 36, .data_end = 64),
	 GIVES(36, 64, 0)},
	{"xdp: md data 48", XDP, md_meta_len, IN(64), CTX_MD(.data = 48, .data_end = 64),
	 GIVES(48, 64, 0)},
	{"xdp: md data 52", XDP, md_meta_len, IN(64), CTX_MD(.data = 52, .data_end = 64),
	 FAILS(EINVAL)},
	{"xdp: md data 64", XDP, md_meta_len, IN(128), CTX_MD(.data = 64, .data_end = 128),
	 GIVES(64, 128, 0)},
	{"xdp: md data 216", XDP, md_meta_len, IN(300), CTX_MD(.data = 216, .data_end = 300),
	 GIVES(216, 300, 0)},
	{"xdp: md data 220", XDP, md_meta_len, IN(300), CTX_MD(.data = 220, .data_end = 300),
	 FAILS(EINVAL)},
	{"xdp: md data > end", XDP, md_meta_len, IN(64), CTX_MD(.data = 32, .data_end = 16),
	 FAILS(EINVAL)},
	{"xdp: md big", XDP, md_len, IN(3552), CTX_MD(.data = 32, .data_end = 3552),
	 GIVES(3520, 3552, 0)},
	{"xdp: md big 1", XDP, md_len, IN(3553), CTX_MD(.data = 32, .data_end = 3553),
	 GIVES(3520, 3553, 0)},
	{"xdp: md big 2", XDP, md_len, IN(3521), CTX_MD(.data = 0, .data_end = 3521),
	 GIVES(3520, 3521, 0)},
	{"xdp: ingress 1", XDP, md_ingress, IN(64), CTX_MD(.data_end = 64, .ingress_ifindex = 1),
	 CTX_OUT(24), GIVES(1, 64, 24)},
	{"xdp: ingress 9999", XDP, md_ingress, IN(64),
	 CTX_MD(.data_end = 64, .ingress_ifindex = 9999), FAILS(ENODEV)},
	{"xdp: queue", XDP, md_ingress, IN(64), CTX_MD(.data_end = 64, .rx_queue_index = 1),
	 FAILS(EINVAL)},
	{"xdp: ingress 1 queue 1", XDP, md_ingress, IN(64),
	 CTX_MD(.data_end = 64, .ingress_ifindex = 1, .rx_queue_index = 1), FAILS(EINVAL)},
	{"xdp: ingress", XDP, md_ingress, IN(64), GIVES(1, 64, 0)},
	{"xdp: egress", XDP, md_ingress, IN(64), CTX_MD(.data_end = 64, .egress_ifindex = 1),
	 FAILS(EINVAL)},
	{"xdp: ctx short", XDP, md_len, IN(64), .md = {.data_end = 64}, .ctx_size = 8,
	 GIVES(64, 64, 0)},
	{"xdp: ctx short 4", XDP, md_len, IN(64), .ctx_size = 4, GIVES(0, 64, 0)},
	{"xdp: ctx out only", XDP, md_len, IN(64), CTX_OUT(24), GIVES(0, 64, 24)},
	{"xdp: ctx out small", XDP, md_len, IN(64), CTX_OUT(20), NO_SPACE(0, 64, 24)},
	{"cgroup: 14 bytes", CGROUP, one, IN(14), FAILS(EINVAL)},
	{"cgroup: 13 bytes", CGROUP, one, IN(13), FAILS(EINVAL)},
	{"cgroup: 33 bytes", CGROUP, one, IN(33), OUT(100), FAILS(EINVAL)},
	{"cgroup: out", CGROUP, one, IN(64), OUT(100), GIVES(1, 64, 0)},
	{"raw_tp: none", RAW_TP, one, GIVES(1, 0, 0)},
	{"raw_tp: ctx 4", RAW_TP, word_0, CTX_WORDS(1, 5), GIVES(5, 0, 0)},
	{"raw_tp: none word0", RAW_TP, word_0, FAILS(EINVAL)},
	{"raw_tp: ctx 2 bytes word0", RAW_TP, word_0, .words = {9}, .ctx_size = 2, FAILS(EINVAL)},
	{"raw_tp: ctx 96", RAW_TP, word_88, CTX_WORDS(24, [22] = 7), GIVES(7, 0, 0)},
	{"raw_tp: ctx 91", RAW_TP, word_88, .ctx_size = 91, FAILS(EINVAL)},
	{"raw_tp: ctx 92", RAW_TP, word_88, .ctx_size = 92, GIVES(0, 0, 0)},
	{"raw_tp: ctx 97", RAW_TP, word_0, .ctx_size = 97, FAILS(EINVAL)},
	{"raw_tp: ctx 100", RAW_TP, word_0, .ctx_size = 100, FAILS(EINVAL)},
	{"raw_tp: data", RAW_TP, one, IN(64), FAILS(EINVAL)},
	{"raw_tp: data out", RAW_TP, one, OUT(64), FAILS(EINVAL)},
	{"raw_tp: ctx out", RAW_TP, one, CTX_OUT(8), FAILS(EINVAL)},
	{"raw_tp: repeat", RAW_TP, one, .repeat = 1, FAILS(EINVAL)},
	{"raw_tp: batch", RAW_TP, one, .batch = 1, FAILS(EINVAL)},
	{"raw_tp: flags 1", RAW_TP, cpu, .flags = 1, .cpu = 0, GIVES(0, 0, 0)},
	{"raw_tp: flags 1 cpu 1", RAW_TP, cpu, .flags = 1, .cpu = 1, GIVES(1, 0, 0)},
	{"raw_tp: flags 1 cpu 9999", RAW_TP, cpu, .flags = 1, .cpu = 9999, FAILS(ENXIO)},
	{"raw_tp: flags 1 cpu -1", RAW_TP, cpu, .flags = 1, .cpu = -1, FAILS(ENXIO)},
	{"raw_tp: cpu 1", RAW_TP, cpu, .cpu = 1, FAILS(EINVAL)},
	{"raw_tp: flags 2", RAW_TP, one, .flags = 2, GIVES(1, 0, 0)},
	{"raw_tp: flags 4", RAW_TP, one, .flags = 4, GIVES(1, 0, 0)},
	{"raw_tp: flags 8", RAW_TP, one, .flags = 8, GIVES(1, 0, 0)},
	{"raw_tp: data size only", RAW_TP, one, .room = 7, GIVES(1, 7, 0)},
	{"syscall: none", SYSCALL, one, GIVES(1, 0, 0)},
	{"syscall: word0 none", SYSCALL, word_0, FAILS(EINVAL)},
	{"syscall: word0", SYSCALL, word_0, CTX_WORDS(1, 8), GIVES(8, 0, 0)},
	{"syscall: double", SYSCALL, double_word_0, CTX_WORDS(2, 8, 9), GIVES(16, 0, 0)},
	{"syscall: 3 bytes", SYSCALL, word_0, .ctx_size = 3, FAILS(EINVAL)},
	{"syscall: repeat", SYSCALL, one, .repeat = 1, FAILS(EINVAL)},
	{"syscall: flags", SYSCALL, one, .flags = 1, FAILS(EINVAL)},
	{"syscall: cpu", SYSCALL, one, .cpu = 1, GIVES(1, 0, 0)},
	{"syscall: batch", SYSCALL, one, .batch = 1, FAILS(EINVAL)},
	{"syscall: data", SYSCALL, one, IN(64), FAILS(EINVAL)},
	{"syscall: data out", SYSCALL, one, OUT(64), FAILS(EINVAL)},
	{"syscall: ctx out", SYSCALL, one, CTX_OUT(64), FAILS(EINVAL)},
	{"lwt_in", BPF_PROG_TYPE_LWT_IN, one, IN(64), OUT(100), GIVES(1, 64, 0)},
	{"lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, grow, IN(64), OUT(100), GIVES(50, 65, 0)},
	{"kprobe", BPF_PROG_TYPE_KPROBE, one, FAILS(ENOTSUPP)},
	{"sk_skb", BPF_PROG_TYPE_SK_SKB, one, IN(64), FAILS(ENOTSUPP)},
	{"tp", BPF_PROG_TYPE_TRACEPOINT, one, FAILS(ENOTSUPP)},
	{"raw_tp_w", BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, one, FAILS(ENOTSUPP)},
	{"cgroup_dev", BPF_PROG_TYPE_CGROUP_DEVICE, one, FAILS(ENOTSUPP)},
	{"sock_ops", BPF_PROG_TYPE_SOCK_OPS, one, FAILS(ENOTSUPP)},
	{"perf", BPF_PROG_TYPE_PERF_EVENT, one, FAILS(ENOTSUPP)},
	{"sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, one, FAILS(ENOTSUPP)},
	{"sk_msg", BPF_PROG_TYPE_SK_MSG, one, FAILS(ENOTSUPP)},
};

static const void *context_of(const struct run_case *c)
{
	if (!c->ctx_size)
		return NULL;
	if (c->type == XDP)
		return &c->md;
	return c->type == RAW_TP || c->type == SYSCALL ? (const void *)c->words : &c->skb;
}

struct buffers {
	uint8_t packet[PACKET_MAX], out[PACKET_MAX];
	uint8_t ctx[512], ctx_out[512];
};

static long run(const struct run_case *c, struct buffers *b, union test_attr *t)
{
	int fd = prog_load(c->type, 0, c->prog, insn_count(c->prog));
	const void *ctx = context_of(c);
	long err;

	if (fd < 0)
		return fd;
	fill_packet(b->packet);
	memset(b->out, 0xee, sizeof(b->out));
	memset(b->ctx_out, 0xee, sizeof(b->ctx_out));
	if (ctx)
		memcpy(b->ctx, ctx, c->ctx_size);
	*t = (union test_attr){.a.test = {.prog_fd = (uint32_t)fd,
					  .data_in = c->size ? ptr64(b->packet) : 0,
					  .data_size_in = c->size,
					  .data_out = c->want_data ? ptr64(b->out) : 0,
					  .data_size_out = c->room,
					  .ctx_in = ctx ? ptr64(b->ctx) : 0,
					  .ctx_size_in = c->ctx_size,
					  .ctx_out = c->ctx_room ? ptr64(b->ctx_out) : 0,
					  .ctx_size_out = c->ctx_room,
					  .repeat = c->repeat,
					  .flags = c->flags,
					  .cpu = c->cpu,
					  .batch_size = c->batch}};
	err = bpf_sys(BPF_PROG_TEST_RUN, t, sizeof(union bpf_attr));
	close(fd);
	return err;
}

static bool is_as_expected(const struct run_case *c)
{
	static struct buffers b;
	union test_attr t;
	long err = run(c, &b, &t);
	bool ran = !c->err || c->err == -ENOSPC;

	if (err == c->err && t.a.test.retval == c->retval &&
	    t.a.test.data_size_out == (ran ? c->out : c->room) &&
	    t.a.test.ctx_size_out == (ran ? c->ctx_out : c->ctx_room))
		return true;
	print_error("%s: result %ld, retval %#x, %u bytes, context %u; expected %d, %#x, %u, %u\n",
		    c->name, err, t.a.test.retval, t.a.test.data_size_out, t.a.test.ctx_size_out,
		    c->err, c->retval, c->out, c->ctx_out);
	return false;
}

static void every_rule(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool other_cpu = cases[i].cpu && cases[i].cpu < 1024;

		if (!other_cpu || cases[i].cpu < possible_cpus())
			wrong += !is_as_expected(&cases[i]);
	}
	assert_int_equal(wrong, 0);
}

static void filter_returns_an_empty_link_layer_header(void **state)
{
	const struct run_case c = {"", FILTER, one, IN(64), OUT(64)};
	static const uint8_t none[14];
	struct buffers b;
	union test_attr t;

	(void)state;
	assert_int_equal(run(&c, &b, &t), 0);
	assert_memory_equal(b.out, none, sizeof(none));
	assert_memory_equal(b.out + 14, b.packet + 14, 50);
	assert_int_equal(b.out[64], 0xee);
}

static void without_a_limit_all_bytes_come_back(void **state)
{
	const struct run_case c = {"", TC, one, IN(64), OUT(0)};
	struct buffers b;
	union test_attr t;

	(void)state;
	assert_int_equal(run(&c, &b, &t), 0);
	assert_memory_equal(b.out, b.packet, 64);
	assert_int_equal(b.out[64], 0xee);
}

static void small_data_out_gets_what_fits(void **state)
{
	const struct run_case c = {"", TC, one, IN(64), OUT(10), CTX_OUT(192)};
	struct buffers b;
	union test_attr t;

	(void)state;
	assert_int_equal(run(&c, &b, &t), -ENOSPC);
	assert_memory_equal(b.out, b.packet, 10);
	assert_int_equal(b.out[10], 0xee);
	assert_int_equal(b.ctx_out[0], 0xee); /* the context is not even begun */
}

static void ctx_out_shows_what_ctx_in_may_set(void **state)
{
	const struct run_case c = {"",
				   TC,
				   write_skb,
				   IN(64),
				   CTX_SKB(.gso_size = 9, .hwtstamp = 8, .cb = {1, 0, 3}),
				   CTX_OUT(sizeof(struct __sk_buff))};
	const struct __sk_buff expected = {.mark = 77,
					   .priority = 77,
					   .ifindex = 1,
					   .cb = {1, 77, 3},
					   .tstamp = 77,
					   .wire_len = 64,
					   .gso_size = 9,
					   .hwtstamp = 8};
	struct buffers b;
	union test_attr t;

	(void)state;
	assert_int_equal(run(&c, &b, &t), 0);
	assert_memory_equal(b.ctx_out, &expected, sizeof(expected));
}

static void xdp_moves_are_seen_outside(void **state)
{
	const struct run_case c = {"",
				   XDP,
				   md_head,
				   IN(64),
				   OUT(100),
				   CTX_MD(.data_end = 64),
				   CTX_OUT(sizeof(struct xdp_md))};
	const struct xdp_md expected = {.data_end = 72};
	static const uint8_t none[8];
	struct buffers b;
	union test_attr t;

	(void)state;
	assert_int_equal(run(&c, &b, &t), 0);
	assert_memory_equal(b.ctx_out, &expected, sizeof(expected));
	assert_memory_equal(b.out, none, sizeof(none));
	assert_memory_equal(b.out + 8, b.packet, 64);
}

static void syscall_program_writes_ctx_in(void **state)
{
	const struct run_case c = {"", SYSCALL, double_word_0, CTX_WORDS(2, 21, 5)};
	struct buffers b;
	union test_attr t;

	(void)state;
	assert_int_equal(run(&c, &b, &t), 0);
	assert_int_equal(*(uint32_t *)(void *)b.ctx, 42);
	assert_int_equal(*(uint32_t *)(void *)(b.ctx + 4), 5);
}

/* Inner maps are held from run to run. */
static void repeated_runs_change_an_inner_map_once_each(void **state)
{
	const uint32_t key = 0, inner = (uint32_t)map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const union test_attr create = {.a = {.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
					      .key_size = 4,
					      .value_size = 4,
					      .max_entries = 1,
					      .inner_map_fd = inner}};
	const int outer = (int)bpf_sys(BPF_MAP_CREATE, &create, sizeof(create.a));
	const struct bpf_insn count[] = {
		ST_K(W, R10, -4, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, outer, 0),
		CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 8),
		MOV_X(R1, R0), MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
		CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 3),
		LD(DW, R1, R0, 0), ALU64_K(ADD, R1, 1), ST_X(DW, R0, 0, R1),
		MOV_K(R0, 0), EXIT, {0},
	};
	const struct run_case five = {"count", TC, count, IN(64), .repeat = 5};
	struct buffers b;
	union test_attr t;
	uint64_t value = 0;

	(void)state;
	assert_int_equal(map_update(outer, &key, &inner, BPF_ANY), 0);
	assert_int_equal(run(&five, &b, &t), 0);
	assert_int_equal(map_lookup((int)inner, &key, &value), 0);
	assert_int_equal(value, 5);
	close(outer);
	close((int)inner);
}

/* Half of a context without the other, and addresses that are not there. */
static void attribute_itself(void **state)
{
	int fd = prog_load(TC, 0, one, 2);
	uint8_t bytes[64] = {0};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)fd,
					.data_in = ptr64(bytes),
					.data_size_in = 64,
					.ctx_in = ptr64(bytes)}};

	(void)state;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), -EINVAL);
	t.a.test.ctx_in = 0;
	t.a.test.ctx_size_out = 8;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), -EINVAL);
	t.a.test.ctx_size_out = 0;
	t.a.test.data_in = 8;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), -EFAULT);
	t.a.test.data_in = ptr64(bytes);
	t.a.test.data_out = 8;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), -EFAULT);
	close(fd);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), -EBADF);
}

static long test_run(union test_attr *t)
{
	return bpf_sys(BPF_PROG_TEST_RUN, t, sizeof(union bpf_attr));
}

static union test_attr test_of(int prog, uint64_t data, uint32_t data_size, uint64_t ctx,
			       uint32_t ctx_size)
{
	return (union test_attr){.a.test = {.prog_fd = (uint32_t)prog,
					    .retval = 99,
					    .data_in = data,
					    .data_size_in = data_size,
					    .ctx_in = ctx,
					    .ctx_size_in = ctx_size}};
}

/* 8 is no address. Which of two reasons is given follows from the order of the checks. */
static void order_of_refusals(void **state)
{
	static uint8_t zeros[1 << 17], short_ip[15] = {[12] = 8};
	const uint64_t good = ptr64(zeros), ip = ptr64(short_ip);
	struct __sk_buff no_device = {.ifindex = 0x7fffffff};
	struct xdp_md egress = {.data_end = 90000, .egress_ifindex = 1};
	const struct {
		unsigned type;
		uint64_t data;
		uint32_t data_size;
		uint64_t ctx;
		uint32_t ctx_size;
		int err;
	} refusals[] = {
		{TC, 8, 5, 0, 0, EINVAL},           {TC, 8, 5000000, 0, 0, EINVAL},
		{TC, 8, 64, 0, 0, EFAULT},          {TC, good, 5, 8, 64, EINVAL},
		{TC, good, 64, 8, 64, EFAULT},      {TC, good, 64, good, 4096, 0},
		{TC, good, 64, good, 4097, E2BIG},  {TC, good, 64, 8, 4097, E2BIG},
		{TC, 8, 64, good, 4097, EFAULT},    {TC, ip, 15, good, 4097, E2BIG},
		{TC, good, 64, good, 5000000, E2BIG},
		{TC, ip, 15, ptr64(&no_device), sizeof(no_device), ENODEV},
		{XDP, 8, 5, 0, 0, EINVAL},          {XDP, 8, 5000000, 0, 0, EFAULT},
		{XDP, 0, 80000, 0, 0, EFAULT},      {XDP, good, 80000, 0, 0, ENOMEM},
		{XDP, 8, 5, 8, 24, EFAULT},         {XDP, good, 64, good, 4097, E2BIG},
		{XDP, good, 90000, ptr64(&egress), sizeof(egress), EINVAL},
		{RAW_TP, 8, 64, 8, 8, EINVAL},      {RAW_TP, 0, 0, 8, 96, EFAULT},
		{RAW_TP, 0, 0, 8, 97, EINVAL},      {SYSCALL, 0, 0, 8, 65535, EFAULT},
		{SYSCALL, 0, 0, 8, 65536, EINVAL},  {BPF_PROG_TYPE_SK_MSG, 8, 64, 0, 0, ENOTSUPP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		int fd = prog_load(refusals[i].type, 0, one, 2);
		union test_attr t = test_of(fd, refusals[i].data, refusals[i].data_size,
					    refusals[i].ctx, refusals[i].ctx_size);
		long err = test_run(&t);

		if (err != -refusals[i].err)
			fail_msg("row %zu: result %ld, not %d", i, err, -refusals[i].err);
		assert_int_equal(t.a.test.retval, err ? 99 : 1);
		close(fd);
	}
}

/* Data comes first, then its size and R0: what cannot be written leaves the rest untouched. */
static void what_cannot_be_written(void **state)
{
	static uint8_t packet[64];
	int fd = prog_load(TC, 0, one, 2);
	union test_attr t = test_of(fd, ptr64(packet), sizeof(packet), 0, 0);

	(void)state;
	t.a.test.data_out = 8;
	assert_int_equal(test_run(&t), -EFAULT);
	assert_int_equal(t.a.test.retval, 99);
	t.a.test.data_size_out = 15; /* cut, and not even written */
	assert_int_equal(test_run(&t), -ENOSPC);
	assert_int_equal(t.a.test.retval, 99);
	assert_int_equal(t.a.test.data_size_out, 15);
	t.a.test.data_size_out = 0;
	t.a.test.ctx_out = ptr64(packet);
	t.a.test.ctx_size_out = 20;
	assert_int_equal(test_run(&t), -EFAULT);
	assert_int_equal(t.a.test.ctx_size_out, 20);
	close(fd);
}

/* 5000 bytes are 3520 in the page and 1480 in a fragment, all of which is put. */
static void xdp_fragments_are_not_cut(void **state)
{
	static uint8_t packet[5000], out[5000];
	int fd = prog_load(XDP, 0, one, 2);
	union test_attr t = test_of(fd, ptr64(packet), sizeof(packet), 0, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7 + 1);
	t.a.test.data_out = ptr64(out);
	t.a.test.data_size_out = 1479;
	assert_int_equal(test_run(&t), -ENOSPC);
	assert_int_equal(t.a.test.data_size_out, 1479);
	assert_int_equal(t.a.test.retval, 99);
	assert_int_equal(out[0], 0);
	t.a.test.data_size_out = 2000;
	assert_int_equal(test_run(&t), -ENOSPC);
	assert_int_equal(t.a.test.data_size_out, 5000);
	assert_int_equal(t.a.test.retval, 1);
	assert_memory_equal(out, packet, 520);
	assert_memory_equal(out + 520, packet + 3520, 1480);
	assert_int_equal(out[2000], 0);
	assert_int_equal(test_run(&t), 0);
	assert_memory_equal(out, packet, 5000);
	close(fd);
}

static volatile sig_atomic_t handled;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

/* Again and again, since the first may come too early: an ignored signal, then one that is not. */
static pid_t start_signals(void)
{
	pid_t parent = getpid(), child = fork();

	while (!child && getppid() == parent) {
		kill(parent, SIGURG);
		usleep(10000);
		kill(parent, SIGALRM);
	}
	if (!child)
		_exit(0);
	return child;
}

/* Only between two runs. */
static void signal_ends_repeated_runs(void **state)
{
	const struct run_case endless = {"", FILTER, one, IN(64), .repeat = UINT32_MAX};
	const struct run_case once = {"", FILTER, one, IN(64)};
	const struct sigaction count = {.sa_handler = on_signal};
	struct buffers b;
	union test_attr t;
	sigset_t blocked;
	pid_t child;

	(void)state;
	sigaction(SIGALRM, &count, NULL);
	child = start_signals();
	assert_int_equal(run(&endless, &b, &t), -EINTR);
	assert_true(handled > 0);
	assert_int_equal(run(&once, &b, &t), 0);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGALRM));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
		cmocka_unit_test(filter_returns_an_empty_link_layer_header),
		cmocka_unit_test(without_a_limit_all_bytes_come_back),
		cmocka_unit_test(small_data_out_gets_what_fits),
		cmocka_unit_test(ctx_out_shows_what_ctx_in_may_set),
		cmocka_unit_test(xdp_moves_are_seen_outside),
		cmocka_unit_test(syscall_program_writes_ctx_in),
		cmocka_unit_test(repeated_runs_change_an_inner_map_once_each),
		cmocka_unit_test(attribute_itself),
		cmocka_unit_test(order_of_refusals),
		cmocka_unit_test(what_cannot_be_written),
		cmocka_unit_test(xdp_fragments_are_not_cut),
		cmocka_unit_test(signal_ends_repeated_runs),
	};

	require_bpf();
	return run_tests(tests);
}
