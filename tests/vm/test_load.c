// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * test_load.c: programs that PROG_LOAD must refuse for their structure, calls or map references,
 * with the errno and the line of the log that says why; and some that it must just accept.
 */
#include "../bpf_test.h"
#include "asm.h"

#include <stdbool.h>

#define MAX_INSNS 24
#define NR_FDS 4

/* Immediates that stand for descriptors. */
enum {
	ARRAY = -1000, ARRAY2, HASH, PERCPU_HASH, READ_ONLY, QUEUE, FROZEN, TEXT, PIPE, PROG,
	CLOSED, NR_HANDLES = 11,
};

static int handles[NR_HANDLES];
static char verifier_log[1 << 20];

struct load_case {
	const char *name;
	int error;       /* 0: accepted */
	const char *log; /* a part of it */
	unsigned type;   /* 0: socket filter */
	unsigned flags;
	const char *license;  /* NULL: GPL */
	int fd_array[NR_FDS]; /* handles */
	unsigned nr_fds;      /* entries of fd_array; 0: no fd_array */
	unsigned fd_array_cnt;
	struct bpf_insn insns[MAX_INSNS];
	unsigned count;
};

#define BODY(...)                                                                                  \
	.insns = {__VA_ARGS__},                                                                    \
	.count = sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)
#define RETURN_0 MOV_K(R0, 0), EXIT
#define FDS(...)                                                                                   \
	.fd_array = {__VA_ARGS__}, .nr_fds = sizeof((int[]){__VA_ARGS__}) / sizeof(int)
#define KEY ST_K(DW, R10, -8, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -8)
#define MAP(dst, handle) LD64_RAW(dst, BPF_PSEUDO_MAP_FD, handle, 0)
#define VALUE(dst, handle, off) LD64_RAW(dst, BPF_PSEUDO_MAP_VALUE, handle, off)
/* Is skipped if R1 is number. */
#define UNLESS(number, ...) J_K(JEQ, R1, number, 1), __VA_ARGS__, RETURN_0
#define UNKNOWN_CALL CALL(195896080)
/* Into the stack, with one number below; size as if there were more or less. */
#define SNPRINTF(format, size)                                                                     \
	BODY(KEY, MOV_X(R1, R2), MOV_X(R4, R2), MOV_K(R2, 8), format, MOV_K(R5, size),             \
	     CALL(BPF_FUNC_snprintf), RETURN_0)
#define MEMORY "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_\n"
#define BAD_MAP "is not pointing to valid bpf_map"

static const struct load_case cases[] = {
	/* Map references */
	{"map by fd", 0, "processed 3 insns", BODY(MAP(R1, ARRAY), RETURN_0)},
	{"map by fd with an offset", EINVAL, "unrecognized bpf_ld_imm64 insn",
	 BODY(LD64_RAW(R1, 1, ARRAY, 1), RETURN_0)},
	{"closed fd", EBADF, BAD_MAP, BODY(MAP(R1, CLOSED), RETURN_0)},
	{"fd -1", EBADF, "fd -1 " BAD_MAP, BODY(MAP(R1, -1), RETURN_0)},
	{"fd of a pipe", EINVAL, BAD_MAP, BODY(MAP(R1, PIPE), RETURN_0)},
	{"fd of a program", EINVAL, BAD_MAP, BODY(MAP(R1, PROG), RETURN_0)},
	{"value", 0, "processed 3 insns", BODY(VALUE(R1, ARRAY, 0), RETURN_0)},
	{"value, last byte", 0, "processed", BODY(VALUE(R1, ARRAY, 7), RETURN_0)},
	{"value, behind", EINVAL, "invalid access to map value pointer, value_size=8 off=8",
	 BODY(VALUE(R1, ARRAY, 8), RETURN_0)},
	{"value, 2^29 - 1", EINVAL, "invalid access to map value pointer, value_size=8 off=536870911",
	 BODY(VALUE(R1, ARRAY, 0x1fffffff), RETURN_0)},
	{"value, 2^29", EINVAL, "direct value offset of 536870912 is not allowed",
	 BODY(VALUE(R1, ARRAY, 0x20000000), RETURN_0)},
	{"value, -1", EINVAL, "direct value offset of 4294967295 is not allowed",
	 BODY(VALUE(R1, ARRAY, -1), RETURN_0)},
	{"value of two entries", ENOTSUPP, "invalid access to map value pointer, value_size=8 off=0",
	 BODY(VALUE(R1, ARRAY2, 0), RETURN_0)},
	{"value of a hash", EINVAL, "no direct value access support for this map type",
	 BODY(VALUE(R1, HASH, 0), RETURN_0)},
	{"value of a closed fd", EBADF, BAD_MAP, BODY(VALUE(R1, CLOSED, 0x20000000), RETURN_0)},
	{"by index", 0, "processed", FDS(ARRAY, HASH), BODY(LD64_RAW(R1, 5, 1, 0), RETURN_0)},
	{"by index with an offset", EINVAL, "unrecognized bpf_ld_imm64 insn", FDS(ARRAY),
	 BODY(LD64_RAW(R1, 5, 0, 1), RETURN_0)},
	{"by index, no array", EPROTO, "fd_idx without fd_array is invalid",
	 BODY(LD64_RAW(R1, 5, 0, 0), RETURN_0)},
	{"by index, closed", EBADF, BAD_MAP, FDS(CLOSED), BODY(LD64_RAW(R1, 5, 0, 0), RETURN_0)},
	{"by index, far away", EFAULT, "processed 0 insns", FDS(ARRAY),
	 BODY(LD64_RAW(R1, 5, 0x7fffffff, 0), RETURN_0)},
	{"value by index", 0, "processed", FDS(HASH, ARRAY), BODY(LD64_RAW(R1, 6, 1, 4), RETURN_0)},
	{"value by index, behind", EINVAL, "value_size=8 off=9", FDS(HASH, ARRAY),
	 BODY(LD64_RAW(R1, 6, 1, 9), RETURN_0)},
	{"value by index, no array", EPROTO, "fd_idx without fd_array is invalid",
	 BODY(LD64_RAW(R1, 6, 1, 9), RETURN_0)},
	{"bound maps", 0, "processed 2 insns", FDS(ARRAY, HASH, ARRAY), .fd_array_cnt = 3,
	 BODY(RETURN_0)},
	{"bound closed fd", EBADF, "is not pointing to valid bpf_map or btf", FDS(ARRAY, CLOSED),
	 .fd_array_cnt = 2, BODY(RETURN_0)},
	{"bound program", EINVAL, "is not pointing to valid bpf_map or btf", FDS(PROG),
	 .fd_array_cnt = 1, BODY(RETURN_0)},
	{"bound array missing", EFAULT, "processed 0 insns", .fd_array_cnt = 2, BODY(RETURN_0)},
	{"bound too many", EINVAL, "fd_array_cnt is too big (1073741823)", FDS(ARRAY),
	 .fd_array_cnt = 0x3fffffff, BODY(RETURN_0)},
	{"source 7", EINVAL, "unrecognized bpf_ld_imm64 insn",
	 BODY(LD64_RAW(R1, 7, 0, 0), RETURN_0)},
	{"source 15", EINVAL, "unrecognized bpf_ld_imm64 insn",
	 BODY(LD64_RAW(R1, 15, 0, 0), RETURN_0)},
	{"function without BTF", EINVAL, "missing btf func_info",
	 BODY(LD64_RAW(R1, 4, 3, 0), RETURN_0, RETURN_0)},
	{"function outside", EINVAL, "call to invalid destination",
	 BODY(LD64_RAW(R1, 4, 30, 0), RETURN_0, RETURN_0)},

	/* The shape of ld_imm64 */
	{"ld_imm64 at the end", EINVAL, "last insn is not an exit or jmp",
	 BODY(MOV_K(R0, 0), RAW(0x18, R1, 0, 0, 0))},
	{"second half with a code", EINVAL, "invalid bpf_ld_imm64 insn",
	 BODY(RAW(0x18, R1, 0, 0, 0), RAW(7, 0, 0, 0, 0), RETURN_0)},
	{"second half with a destination", EINVAL, "invalid bpf_ld_imm64 insn",
	 BODY(RAW(0x18, R1, 0, 0, 0), RAW(0, 1, 0, 0, 0), RETURN_0)},
	{"second half with a source", EINVAL, "invalid bpf_ld_imm64 insn",
	 BODY(RAW(0x18, R1, 0, 0, 0), RAW(0, 0, 1, 0, 0), RETURN_0)},
	{"into R10", EACCES, "frame pointer is read only", BODY(LD64_RAW(R10, 0, 0, 0), RETURN_0)},
	{"into R11", EINVAL, "R11 is invalid", BODY(LD64_RAW(R11, 0, 0, 0), RETURN_0)},
	{"jump around the first half", EINVAL, "unreachable insn 1",
	 BODY(JA(1), LD64_RAW(R1, 0, 0, 0), RETURN_0)},
	{"jump into the second half", EINVAL, "jump into the middle of ldimm64 insn 2",
	 BODY(MOV_K(R0, 0), J_K(JEQ, R0, 0, 1), LD64_RAW(R1, 0, 0, 0), RETURN_0)},
	{"subprogram in the second half", EINVAL, "last insn is not an exit or jmp",
	 BODY(CALL_LOCAL(3), RETURN_0, LD64_RAW(R1, 0, 0, 0), RETURN_0)},

	/* Order of the checks */
	{"opcode before map", EINVAL, "unknown opcode ff",
	 BODY(RAW(0xff, 0, 0, 0, 0), MAP(R1, CLOSED), RETURN_0)},
	{"map before opcode", EBADF, BAD_MAP,
	 BODY(MAP(R1, CLOSED), RAW(0xff, 0, 0, 0, 0), RETURN_0)},
	{"jump before opcode", EINVAL, "jump out of range from insn 1 to 11",
	 BODY(RAW(0xff, 0, 0, 0, 0), JA(9), RETURN_0)},
	{"reachability before operands", EINVAL, "unreachable insn 3",
	 BODY(RAW(0x05, 0, 0, 0, 1), RETURN_0, RETURN_0)},
	{"ldx operands before maps", EINVAL, "BPF_LDX uses reserved fields",
	 BODY(RAW(0x61, R0, R1, 0, 1), MAP(R1, CLOSED), RETURN_0)},
	{"subprogram before jump", EINVAL, "call to invalid destination",
	 BODY(JA(9), CALL_LOCAL(9), RETURN_0)},

	/* Flow */
	{"jump to -1", EINVAL, "jump out of range from insn 0 to -1", BODY(JA(-2), RETURN_0)},
	{"jump behind the end", EINVAL, "jump out of range from insn 0 to 3", BODY(JA(2), RETURN_0)},
	{"gotol outside", EINVAL, "jump out of range from insn 0 to 6", BODY(GOTOL(5), RETURN_0)},
	{"may_goto outside", EINVAL, "jump out of range from insn 0 to 10",
	 BODY(MAY_GOTO(9), RETURN_0)},
	{"jump into another subprogram", EINVAL, "jump out of range from insn 3 to 1",
	 BODY(CALL_LOCAL(2), RETURN_0, JA(-3))},
	{"jump into a subprogram", EINVAL, "jump out of range from insn 1 to 4",
	 BODY(CALL_LOCAL(3), J_K(JEQ, R0, 0, 2), RETURN_0, RETURN_0)},
	{"ends with a jump", 0, "processed 4 insns", BODY(JA(2), RETURN_0, JA(-3))},
	{"ends with a condition", EINVAL, "last insn is not an exit or jmp",
	 BODY(MOV_K(R0, 0), J_K(JEQ, R0, 0, -2))},
	{"ends with a call", EINVAL, "last insn is not an exit or jmp",
	 BODY(RETURN_0, CALL(BPF_FUNC_ktime_get_ns))},
	{"subprogram falls through", EINVAL, "last insn is not an exit or jmp",
	 BODY(CALL_LOCAL(1), MOV_K(R0, 0), RETURN_0)},
	{"unused subprogram", EINVAL, "unreachable insn 2", BODY(RETURN_0, RETURN_0)},
	{"subprogram that only it calls", EINVAL, "unreachable insn 2",
	 BODY(RETURN_0, CALL_LOCAL(-1), EXIT)},
	{"endless loop", EINVAL, "infinite loop detected at insn 0", BODY(JA(-1))},
	{"endless gotol", EINVAL, "infinite loop detected at insn 0", BODY(GOTOL(-1))},
	{"endless loop of three", EINVAL, "infinite loop detected at insn 1",
	 BODY(MOV_K(R0, 0), MOV_K(R2, 0), JA(-2))},
	{"bounded loop", 0, "processed", BODY(MOV_K(R0, 0), ALU64_K(ADD, R0, 1),
					     J_K(JLT, R0, 10, -2), EXIT)},
	{"may_goto loop", 0, "processed", BODY(MOV_K(R0, 0), MAY_GOTO(1), JA(-2), EXIT)},
	{"call of itself", E2BIG, "the call stack of 9 frames is too deep",
	 BODY(CALL_LOCAL(-1), EXIT)},
	{"call outside", EINVAL, "call to invalid destination", BODY(CALL_LOCAL(2), RETURN_0)},
	{"call before the program", EINVAL, "call to invalid destination",
	 BODY(CALL_LOCAL(-2), RETURN_0)},
	{"kernel function 0", EINVAL, "invalid kernel function call not eliminated",
	 BODY(RAW(0x85, 0, 0, 0, 7), RAW(0x85, 0, 2, 0, 0), EXIT)},
	{"tail call in a subprogram", EINVAL, "tail_call is not allowed in subprogs without BTF",
	 BODY(CALL_LOCAL(1), EXIT, CALL(BPF_FUNC_tail_call), EXIT)},
	{"two frames of 256", 0, "processed",
	 BODY(ST_K(DW, R10, -256, 0), CALL_LOCAL(1), EXIT, ST_K(DW, R10, -256, 0), RETURN_0)},
	{"256 and 264", EACCES, "combined stack size of 2 calls is 528. Too large",
	 BODY(ST_K(DW, R10, -256, 0), CALL_LOCAL(1), EXIT, ST_K(DW, R10, -264, 0), RETURN_0)},
	{"512 and 512, tracing", 0, "processed", .type = BPF_PROG_TYPE_RAW_TRACEPOINT,
	 BODY(ST_K(DW, R10, -512, 0), CALL_LOCAL(1), EXIT, ST_K(DW, R10, -512, 0), RETURN_0)},
	{"one frame of 512", 0, "processed", BODY(ST_K(B, R10, -512, 0), RETURN_0)},
	{"one frame of 513", EACCES, "invalid write to stack R10 off=-513 size=1",
	 BODY(ST_K(B, R10, -513, 0), RETURN_0)},
	{"R0 not set", EACCES, "R0 !read_ok", BODY(EXIT)},

	/* What a constant condition skips */
	{"skipped call", 0, "processed 4 insns", BODY(MOV_K(R1, 7), UNLESS(7, UNKNOWN_CALL))},
	{"call that is not skipped", EINVAL, "call unknown#195896080",
	 BODY(MOV_K(R1, 7), UNLESS(6, UNKNOWN_CALL))},
	{"branch never taken", 0, "processed 4 insns",
	 BODY(MOV_K(R1, 7), J_K(JEQ, R1, 6, 2), RETURN_0, UNKNOWN_CALL, RETURN_0)},
	{"constant of 64 bits", 0, "processed 5 insns",
	 BODY(LD64(R1, 0x700000000), LD64(R2, 0x700000000), J_X(JEQ, R1, R2, 1), UNKNOWN_CALL,
	      RETURN_0)},
	{"constant in a frozen map", 0, "processed 5 insns",
	 BODY(VALUE(R1, FROZEN, 2), LD(H, R1, R1, 0), UNLESS(0x7654, UNKNOWN_CALL))},
	{"constant in a frozen map, with offsets", 0, "processed 6 insns",
	 BODY(VALUE(R1, FROZEN, 2), ALU64_K(ADD, R1, 1), LD(W, R1, R1, 1),
	      J32_K(JEQ, R1, (int)0xfedcba98, 1), UNKNOWN_CALL, RETURN_0)},
	{"value that may change", EINVAL, "call unknown#195896080",
	 BODY(VALUE(R1, ARRAY, 0), LD(W, R1, R1, 0), UNLESS(0, UNKNOWN_CALL))},
	{"constant on one path of two", EINVAL, "call unknown#195896080",
	 BODY(LD(W, R2, R1, 0), MOV_K(R1, 7), J_K(JEQ, R2, 0, 1), MOV_K(R1, 6),
	      UNLESS(6, UNKNOWN_CALL))},
	{"counter of a loop", EINVAL, "call unknown#195896080",
	 BODY(MOV_K(R1, 0), ALU64_K(ADD, R1, 1), J_K(JNE, R1, 3, -2), UNKNOWN_CALL, RETURN_0)},
	{"constant before a call", EINVAL, "call unknown#195896080",
	 BODY(MOV_K(R6, 7), CALL(BPF_FUNC_get_prandom_u32), MOV_X(R1, R0), UNLESS(7, UNKNOWN_CALL))},
	{"constant kept over a call", 0, "processed 6 insns",
	 BODY(MOV_K(R6, 7), CALL(BPF_FUNC_get_prandom_u32), MOV_X(R1, R6), UNLESS(7, UNKNOWN_CALL))},

	/* Helpers */
	{"map_lookup_elem", 0, "processed",
	 BODY(KEY, MAP(R1, HASH), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"key not set", EACCES, "R2 !read_ok",
	 BODY(MAP(R1, HASH), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"lookup_percpu of a hash", EINVAL,
	 "cannot pass map_type 1 into func bpf_map_lookup_percpu_elem#195",
	 BODY(KEY, MOV_K(R3, 0), MAP(R1, HASH), CALL(BPF_FUNC_map_lookup_percpu_elem), RETURN_0)},
	{"lookup_percpu of a per-CPU hash", 0, "processed",
	 BODY(KEY, MOV_K(R3, 0), MAP(R1, PERCPU_HASH), CALL(BPF_FUNC_map_lookup_percpu_elem),
	      RETURN_0)},
	{"update of a read-only map", EACCES, "write into map forbidden",
	 BODY(KEY, MOV_X(R3, R2), MOV_K(R4, 0), MAP(R1, READ_ONLY),
	      CALL(BPF_FUNC_map_update_elem), RETURN_0)},
	{"the context for a map", EACCES, "R1 type=ctx expected=map_ptr\n",
	 BODY(KEY, CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"a number for a map", EACCES, "R1 type=scalar expected=map_ptr\n",
	 BODY(KEY, MOV_K(R1, 0), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"the frame for a map", EACCES, "R1 type=fp expected=map_ptr\n",
	 BODY(KEY, MOV_X(R1, R2), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"a number for a key", EACCES, "R2 type=scalar expected=" MEMORY,
	 BODY(MAP(R1, HASH), MOV_K(R2, 0), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"the context for a key", EACCES, "R2 type=ctx expected=" MEMORY,
	 BODY(MOV_X(R2, R1), MAP(R1, HASH), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"a map for a key", EACCES, "R2 type=map_ptr expected=" MEMORY,
	 BODY(MAP(R1, HASH), MOV_X(R2, R1), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"a number for a value", EACCES, "R3 type=scalar expected=" MEMORY,
	 BODY(KEY, MOV_K(R3, 1), MOV_K(R4, 0), MAP(R1, HASH), CALL(BPF_FUNC_map_update_elem),
	      RETURN_0)},
	{"a number for a value to be popped", EACCES, "R2 type=scalar expected=" MEMORY,
	 BODY(MOV_K(R2, 1), MAP(R1, QUEUE), CALL(BPF_FUNC_map_pop_elem), RETURN_0)},
	{"key behind the frame", EACCES, "invalid read from stack R2 off=0 size=4\n",
	 BODY(MAP(R1, HASH), MOV_X(R2, R10), CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"key that ends behind the frame", EINVAL, "invalid read from stack R2 off=-2 size=4\n",
	 BODY(KEY, ALU64_K(ADD, R2, 6), MAP(R1, HASH), CALL(BPF_FUNC_map_delete_elem), RETURN_0)},
	{"key at the end of the frame", 0, "processed",
	 BODY(KEY, ALU64_K(ADD, R2, 4), MAP(R1, HASH), CALL(BPF_FUNC_map_delete_elem), RETURN_0)},
	{"key below the frame", EACCES, "invalid read from stack R2 off=-520 size=4\n",
	 BODY(MOV_X(R2, R10), ALU64_K(ADD, R2, -520), MAP(R1, HASH),
	      CALL(BPF_FUNC_map_lookup_elem), RETURN_0)},
	{"value that ends behind the frame", EINVAL, "invalid read from stack R3 off=-4 size=8\n",
	 BODY(KEY, MOV_X(R3, R10), ALU64_K(ADD, R3, -4), MOV_K(R4, 0), MAP(R1, HASH),
	      CALL(BPF_FUNC_map_update_elem), RETURN_0)},
	{"popped behind the frame", EINVAL, "invalid write to stack R2 off=-4 size=8\n",
	 BODY(KEY, ALU64_K(ADD, R2, 4), MAP(R1, QUEUE), CALL(BPF_FUNC_map_pop_elem), RETURN_0)},
	{"key before value", EACCES, "R2 type=scalar expected=" MEMORY,
	 BODY(MAP(R1, HASH), MOV_K(R2, 0), CALL(BPF_FUNC_map_update_elem), RETURN_0)},
	{"key of a queue before value", EACCES, "invalid zero-sized read\n",
	 BODY(KEY, MAP(R1, QUEUE), CALL(BPF_FUNC_map_update_elem), RETURN_0)},
	{"arithmetic on a map", EACCES, "R6 pointer arithmetic on map_ptr prohibited\n",
	 BODY(MAP(R6, HASH), ALU64_K(ADD, R6, 8), RETURN_0)},
	{"arithmetic on a map, backwards", EACCES, "R6 pointer arithmetic on map_ptr prohibited\n",
	 BODY(MAP(R6, HASH), ALU64_K(SUB, R6, 8), RETURN_0)},
	{"0 added to a map", 0, "processed", BODY(MAP(R6, HASH), ALU64_K(ADD, R6, 0), RETURN_0)},
	{"map kept in another register", EINVAL,
	 "cannot pass map_type 1 into func bpf_map_push_elem#87",
	 BODY(MAP(R6, HASH), KEY, MOV_K(R3, 0), MOV_X(R1, R6), CALL(BPF_FUNC_map_push_elem),
	      RETURN_0)},
	{"map kept over a call", EINVAL, "cannot pass map_type 1 into func bpf_map_push_elem#87",
	 BODY(MAP(R6, HASH), CALL(BPF_FUNC_ktime_get_ns), KEY, MOV_K(R3, 0), MOV_X(R1, R6),
	      CALL(BPF_FUNC_map_push_elem), RETURN_0)},
	{"format", 0, "processed", SNPRINTF(VALUE(R3, TEXT, 0), 8)},
	{"format that lacks a number", EINVAL, "Invalid format string\n",
	 SNPRINTF(VALUE(R3, TEXT, 0), 0)},
	{"format with a number too many", 0, "processed", SNPRINTF(VALUE(R3, TEXT, 2), 8)},
	{"format that is none", EINVAL, "Invalid format string\n",
	 SNPRINTF(VALUE(R3, TEXT, 3), 8)},
	{"format without an end", EINVAL, "string is not zero-terminated\n",
	 SNPRINTF(VALUE(R3, TEXT, 6), 8)},
	{"format that may change", EACCES, "R3 does not point to a readonly map'\n",
	 SNPRINTF(VALUE(R3, ARRAY, 0), 8)},
	{"format on the stack", EACCES, "R3 type=fp expected=map_value\n",
	 SNPRINTF(MOV_X(R3, R10), 8)},
	{"number for a format", EACCES, "R3 type=scalar expected=map_value\n",
	 SNPRINTF(MOV_K(R3, 0), 8)},
	{"string to compare with that may change", EACCES,
	 "R3 does not point to a readonly map'\n",
	 BODY(KEY, MOV_X(R1, R2), MOV_K(R2, 8), VALUE(R3, ARRAY, 0), CALL(BPF_FUNC_strncmp),
	      RETURN_0)},
	{"unknown helper", EINVAL, "0: (85) call unknown#212\ninvalid func unknown#212\n",
	 BODY(CALL(212), RETURN_0)},
	{"helper of another type", EINVAL,
	 "program of this type cannot use helper bpf_xdp_adjust_head#44", BODY(CALL(44), RETURN_0)},
	{"GPL helper", EINVAL,
	 "cannot call GPL-restricted function from non-GPL compatible program",
	 .license = "Proprietary", BODY(CALL(BPF_FUNC_trace_printk), RETURN_0)},
	{"other helper without GPL", 0, "processed", .license = "Proprietary",
	 BODY(CALL(BPF_FUNC_ktime_get_boot_ns), EXIT)},
	{"GPL helper in Dual MIT/GPL", 0, "processed", .license = "Dual MIT/GPL",
	 BODY(ST_K(DW, R10, -8, 'a'), MOV_X(R1, R10), ALU64_K(ADD, R1, -8), MOV_K(R2, 2),
	      CALL(BPF_FUNC_trace_printk), RETURN_0)},
	{"packet load in XDP", EINVAL,
	 "BPF_LD_[ABS|IND] instructions not allowed for this program type",
	 .type = BPF_PROG_TYPE_XDP, BODY(MOV_X(R6, R1), LDABS(B, 0), EXIT)},
	{"tracing without a function", EINVAL, "Tracing programs must provide btf_id\nprocessed 0 insns",
	 .type = BPF_PROG_TYPE_TRACING, BODY(RETURN_0)},
	{"context, not a socket", EACCES, "R1 type=ctx expected=", .type = BPF_PROG_TYPE_SYSCALL,
	 .flags = BPF_F_SLEEPABLE, BODY(CALL(BPF_FUNC_get_socket_cookie), EXIT)},
	{"context, not a buffer", EACCES, "R1 type=ctx expected=ptr_, trusted_ptr_, rcu_ptr_",
	 .type = BPF_PROG_TYPE_SYSCALL, .flags = BPF_F_SLEEPABLE,
	 BODY(CALL(BPF_FUNC_xdp_get_buff_len), EXIT)},
	{"packet load in tc", 0, "processed 3 insns", .type = BPF_PROG_TYPE_SCHED_CLS,
	 BODY(MOV_X(R6, R1), LDABS(B, 0), EXIT)},
};

static bool is_handle(int value)
{
	return value >= ARRAY && value < ARRAY + NR_HANDLES;
}

static int fd_of(int value)
{
	return is_handle(value) ? handles[value - ARRAY] : value;
}

static void put_descriptors(struct bpf_insn *insns, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (insns[i].code == 0x18 && (insns[i].src_reg == 1 || insns[i].src_reg == 2))
			insns[i].imm = fd_of(insns[i].imm);
}

static int load(union test_attr *t, struct bpf_insn *insns, unsigned count)
{
	put_descriptors(insns, count);
	t->a.insns = ptr64(insns);
	t->a.insn_cnt = count;
	if (!t->a.log_level)
		t->a.log_level = 1;
	t->a.log_size = sizeof(verifier_log);
	t->a.log_buf = ptr64(verifier_log);
	if (!t->a.prog_type)
		t->a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	if (!t->a.license)
		t->a.license = ptr64("GPL");
	verifier_log[0] = 0;
	/* 152 bytes: up to fd_array_cnt, which the headers do not have yet. */
	return (int)bpf_sys(BPF_PROG_LOAD, t, 152);
}

static void expect(int result, int error, const char *log)
{
	if (!strstr(verifier_log, log))
		fail_msg("result %d, log lacks \"%s\": %s", result, log, verifier_log);
	if (error) {
		assert_int_equal(result, -error);
		return;
	}
	assert_true(result >= 0);
	close(result);
}

static void run_case(void **state)
{
	const struct load_case *c = *state;
	union test_attr t = {.a = {.prog_type = c->type,
				   .prog_flags = c->flags,
				   .license = ptr64(c->license)}};
	struct bpf_insn insns[MAX_INSNS];
	int fds[NR_FDS];

	memcpy(insns, c->insns, sizeof(insns));
	for (unsigned i = 0; i < c->nr_fds; i++)
		fds[i] = fd_of(c->fd_array[i]);
	if (c->nr_fds)
		t.a.fd_array = ptr64(fds);
	memcpy(t.bytes + 148, &c->fd_array_cnt, sizeof(c->fd_array_cnt));
	expect(load(&t, insns, c->count), c->error, c->log);
}

/* Programs too large for the table */

static void load_with_maps(const int *fds, unsigned count, int error, const char *log)
{
	struct bpf_insn insns[2 * 65 + 2], end[] = {RETURN_0};
	union test_attr t = {.bytes = {0}};

	for (unsigned i = 0; i < count; i++) {
		struct bpf_insn pair[] = {MAP(R1, fds[i])};

		memcpy(&insns[2 * i], pair, sizeof(pair));
	}
	memcpy(&insns[2 * count], end, sizeof(end));
	expect(load(&t, insns, 2 * count + 2), error, log);
}

static void too_many_maps(void **state)
{
	int fds[65];

	(void)state;
	for (unsigned i = 0; i < 65; i++)
		fds[i] = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	load_with_maps(fds, 64, 0, "processed 66 insns");
	load_with_maps(fds, 65, E2BIG,
		       "The total number of maps per program has reached the limit of 64");
	for (unsigned i = 0; i < 65; i++)
		close(fds[i]);
}

/* One subprogram calls all the others; the entry counts as one. */
static void too_many_subprograms(void **state)
{
	static struct bpf_insn insns[256 + 2 + 2 * 256];
	const struct bpf_insn end[] = {RETURN_0};

	(void)state;
	for (unsigned count = 255; count <= 256; count++) {
		union test_attr t = {.bytes = {0}};

		for (unsigned i = 0; i < count; i++)
			insns[i] = (struct bpf_insn)CALL_LOCAL((int)(count - i + 1 + 2 * i));
		for (unsigned i = 0; i <= count; i++)
			memcpy(&insns[count + 2 * i], end, sizeof(end));
		expect(load(&t, insns, 3 * count + 2), count == 255 ? 0 : E2BIG,
		       count == 255 ? "processed 767 insns" : "too many subprograms");
	}
}

static void long_program(void **state)
{
	const unsigned count = 100000;
	struct bpf_insn *insns = calloc(count, sizeof(*insns));
	const struct bpf_insn add = ALU64_K(ADD, R0, 1), start = MOV_K(R0, 0), end = EXIT;
	union test_attr t = {.a.log_level = 4}; /* the kernel would list every instruction */

	(void)state;
	for (unsigned i = 0; i < count; i++)
		insns[i] = add;
	insns[0] = start;
	insns[count - 1] = end;
	expect(load(&t, insns, count), 0, "processed 100000 insns (limit 1000000)");
	free(insns);
}

static const uint64_t numbers[] = {0, 1, 7, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000001,
				   1ull << 63, UINT64_MAX};

#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* The code of a condition on a and b, and whether it holds. */
static bool condition(unsigned op, bool wide, uint64_t a, uint64_t b, uint8_t *code)
{
	static const uint8_t codes[] = {0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75, 0xa5, 0xb5, 0xc5, 0xd5};
	int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;

	a = wide ? a : (uint32_t)a;
	b = wide ? b : (uint32_t)b;
	*code = (uint8_t)((codes[op] | 8) + !wide);
	return (bool[]){a == b, a > b,  a >= b, (a & b) != 0, a != b, sa > sb,
			sa >= sb, a < b, a <= b, sa < sb, sa <= sb}[op];
}

/* What a condition that holds skips is not looked at; without a jump it is. */
static void constant_conditions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * 11 * NR_NUMBERS * NR_NUMBERS; i++) {
		uint64_t a = numbers[i / 22 % NR_NUMBERS], b = numbers[i / 22 / NR_NUMBERS];
		struct bpf_insn insns[] = {LD64(R1, a), LD64(R2, b), J_X(JEQ, R1, R2, 1), UNKNOWN_CALL,
					   RETURN_0};
		union test_attr t = {.bytes = {0}};
		bool holds = condition(i / 2 % 11, i % 2, a, b, &insns[4].code);

		expect(load(&t, insns, 8), holds ? 0 : EINVAL, holds ? "processed 5" : "unknown#");
	}
}

/* The code of an operation, and its result. */
static uint64_t operation(unsigned op, bool wide, uint64_t a, uint64_t b, uint8_t *code)
{
	static const uint8_t codes[] = {0x0f, 0x1f, 0x4f, 0x5f, 0x6f, 0x7f, 0xaf, 0xbf, 0xcf};
	unsigned shift = b & (wide ? 63 : 31);
	uint64_t result = (uint64_t[]){a + b, a - b, a | b, a & b, a << shift,
				       (wide ? a : (uint32_t)a) >> shift, a ^ b, b,
				       (uint64_t)((wide ? (int64_t)a : (int32_t)a) >> shift)}[op];

	*code = (uint8_t)(codes[op] - (wide ? 0 : 3));
	return wide ? result : (uint32_t)result;
}

static void constant_operations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * 9 * NR_NUMBERS * NR_NUMBERS; i++) {
		uint64_t a = numbers[i / 18 % NR_NUMBERS], b = numbers[i / 18 / NR_NUMBERS];
		uint8_t code;
		uint64_t result = operation(i / 2 % 9, i % 2, a, b, &code);
		struct bpf_insn insns[] = {LD64(R1, a), LD64(R2, b), LD64(R3, result),
					   RAW(code, R1, R2, 0, 0), J_X(JEQ, R1, R3, 1),
					   UNKNOWN_CALL, RETURN_0};
		union test_attr t = {.bytes = {0}};
		bool shift = i / 2 % 9 == 4 || i / 2 % 9 == 5 || i / 2 % 9 == 8;

		if (!shift || b < (i % 2 ? 64 : 32))
			expect(load(&t, insns, 11), 0, "processed 7 insns");
	}
}

static uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 7;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % limit;
}

/* Plausible enough to be accepted now and then; only forward jumps, so that it ends. */
static struct bpf_insn random_insn(void)
{
	static const uint8_t codes[] = {0x07, 0x0f, 0x04, 0x0c, 0x17, 0x3f, 0x37, 0x67, 0x6f, 0x87,
					0x97, 0xb7, 0xbf, 0xb4, 0xbc, 0xc7, 0xd4, 0xdc, 0xd7, 0x05,
					0x06, 0x15, 0x1d, 0x2e, 0x55, 0x66, 0xe5, 0x85, 0x95, 0x61,
					0x69, 0x71, 0x79, 0x91, 0x81, 0x62, 0x6a, 0x7a, 0x63, 0x7b,
					0xdb, 0xc3, 0xd3, 0x20, 0x28, 0x30, 0x50, 0x18, 0x00};
	static const int numbers[] = {0, 0, 0, 1, 2, 8, 16, 32, 64, -1, -8, 0x100, 0xe1, 0xf1};
	struct bpf_insn insn = RAW(codes[random_below(sizeof(codes))], random_below(11),
				   random_below(3) ? 0 : random_below(11), 0,
				   numbers[random_below(14)]);
	unsigned class = insn.code & 7;

	insn.off = (int16_t)(class == 5 || class == 6 ? (int)random_below(4)
			     : class == 1 || class == 2 || class == 3 ? -8 * (int)random_below(4)
								      : 0);
	if (class == 5 || class == 6)
		insn.imm = abs(insn.imm);
	if (insn.code & 8 && random_below(8))
		insn.imm = 0;
	return insn;
}

/* Whatever is accepted runs to its end, or is stopped. */
static void random_programs(void **state)
{
	const struct bpf_insn start[] = {MOV_X(R6, R1), MOV_K(R0, 1), MOV_K(R3, 3), KEY};
	uint8_t data[64] = {0};
	unsigned accepted = 0;

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		struct bpf_insn insns[24], end[] = {RETURN_0};
		unsigned count = 6;
		union test_attr t = {.a.log_level = 4};
		int prog;

		memcpy(insns, start, sizeof(start));
		for (unsigned more = 1 + random_below(10); more; more--)
			insns[count++] = random_insn();
		memcpy(&insns[count], end, sizeof(end));
		prog = load(&t, insns, count + 2);
		if (prog < 0)
			continue;
		accepted++;
		t = (union test_attr){.a.test = {.prog_fd = (uint32_t)prog,
						 .data_in = ptr64(data),
						 .data_size_in = sizeof(data)}};
		assert_in_set((unsigned long)-bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)),
			      ((unsigned long[]){0, EFAULT}), 2);
		close(prog);
	}
	assert_true(accepted > 100);
}

static void info_of(int fd, void *info, unsigned size)
{
	union test_attr t = {
		.a.info = {.bpf_fd = (uint32_t)fd, .info_len = size, .info = ptr64(info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
}

/* Info shows map references by id, whichever way the program named the maps. */
static void references_by_id(void **state)
{
	const int fds[] = {handles[HASH - ARRAY], handles[0]};
	struct bpf_insn insns[] = {MAP(R1, HASH),	       VALUE(R2, ARRAY, 4),
				   LD64_RAW(R3, 5, 0, 0),      LD64_RAW(R4, 6, 1, 5),
				   LD64(R5, 0x1122334455667788), RETURN_0};
	struct bpf_insn shown[sizeof(insns) / sizeof(insns[0])];
	struct bpf_prog_info info = {.xlated_prog_len = sizeof(shown),
				     .xlated_prog_insns = ptr64(shown)};
	struct bpf_map_info array = {0}, hash = {0};
	union test_attr t = {.a.fd_array = ptr64(fds)};
	int prog = load(&t, insns, sizeof(insns) / sizeof(insns[0]));

	(void)state;
	assert_true(prog >= 0);
	info_of(prog, &info, sizeof(info));
	info_of(handles[0], &array, sizeof(array));
	info_of(handles[HASH - ARRAY], &hash, sizeof(hash));
	const struct bpf_insn expected[] = {
		LD64_RAW(R1, 1, (int)hash.id, 0), LD64_RAW(R2, 2, (int)array.id, 4),
		LD64_RAW(R3, 1, (int)hash.id, 0), LD64_RAW(R4, 2, (int)array.id, 5),
		LD64(R5, 0x1122334455667788), RETURN_0};

	assert_int_equal(info.xlated_prog_len, sizeof(shown));
	assert_memory_equal(shown, expected, sizeof(shown));
	assert_int_equal(info.nr_map_ids, 2);
	close(prog);
}

static int frozen_array(const char value[8])
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY_PROG);
	const uint32_t first = 0;

	map_update(fd, &first, value, 0);
	map_elem(BPF_MAP_FREEZE, fd, NULL, NULL, 0);
	return fd;
}

static void make_handles(void)
{
	struct bpf_insn insns[] = {RETURN_0};
	union test_attr t = {.bytes = {0}};
	int pipes[2];

	if (pipe(pipes))
		abort();
	handles[0] = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	handles[ARRAY2 - ARRAY] = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 2, 0);
	handles[HASH - ARRAY] = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
	handles[PERCPU_HASH - ARRAY] = map_create(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, 0);
	handles[READ_ONLY - ARRAY] = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_RDONLY_PROG);
	handles[QUEUE - ARRAY] = map_create(BPF_MAP_TYPE_QUEUE, 0, 8, 4, 0);
	handles[FROZEN - ARRAY] = frozen_array("\x10\x32\x54\x76\x98\xba\xdc\xfe");
	handles[TEXT - ARRAY] = frozen_array("%d\0%f\0xx");
	handles[PIPE - ARRAY] = pipes[0];
	handles[PROG - ARRAY] = load(&t, insns, 2);
	handles[CLOSED - ARRAY] = 999;
}

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
	static struct CMUnitTest tests[NR_CASES + 7] = {
		cmocka_unit_test(too_many_maps),
		cmocka_unit_test(too_many_subprograms),
		cmocka_unit_test(long_program),
		cmocka_unit_test(constant_conditions),
		cmocka_unit_test(constant_operations),
		cmocka_unit_test(references_by_id),
		cmocka_unit_test(random_programs),
	};

	require_bpf();
	make_handles();
	for (unsigned i = 0; i < NR_CASES; i++)
		tests[7 + i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL,
						   (void *)&cases[i]};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("load", tests, NR_CASES + 7, NULL, NULL);
}
