/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * asm.h: instructions as initialisers of struct bpf_insn, for tables of test programs. Independent
 * of src/vm/insn.def on purpose: it says once more what an encoding is.
 */
#ifndef TESTS_VM_ASM_H
#define TESTS_VM_ASM_H

#include <linux/bpf.h>

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R15 = 15 };
enum { ADD = 0x00, SUB = 0x10, MUL = 0x20, DIV = 0x30, OR = 0x40, AND = 0x50, LSH = 0x60,
       RSH = 0x70, NEG = 0x80, MOD = 0x90, XOR = 0xa0, MOV = 0xb0, ARSH = 0xc0, END = 0xd0 };
enum { JEQ = 0x10, JGT = 0x20, JGE = 0x30, JSET = 0x40, JNE = 0x50, JSGT = 0x60, JSGE = 0x70,
       JLT = 0xa0, JLE = 0xb0, JSLT = 0xc0, JSLE = 0xd0 };
enum { W = 0x00, H = 0x08, B = 0x10, DW = 0x18 };
enum { FETCH = 0x01, XCHG = 0xe1, CMPXCHG = 0xf1, LOAD_ACQ = 0x100, STORE_REL = 0x110 };

#define RAW(code_, dst, src, off_, imm_)                                                           \
	{.code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_)}

#define ALU64_K(op, dst, imm) RAW(0x07 | (op), dst, 0, 0, imm)
#define ALU64_X(op, dst, src) RAW(0x0f | (op), dst, src, 0, 0)
#define ALU32_K(op, dst, imm) RAW(0x04 | (op), dst, 0, 0, imm)
#define ALU32_X(op, dst, src) RAW(0x0c | (op), dst, src, 0, 0)
/* Signed division and remainder: DIV or MOD. */
#define SIGNED64_K(op, dst, imm) RAW(0x07 | (op), dst, 0, 1, imm)
#define SIGNED64_X(op, dst, src) RAW(0x0f | (op), dst, src, 1, 0)
#define SIGNED32_K(op, dst, imm) RAW(0x04 | (op), dst, 0, 1, imm)
#define SIGNED32_X(op, dst, src) RAW(0x0c | (op), dst, src, 1, 0)

#define MOV_K(dst, imm) ALU64_K(MOV, dst, imm)
#define MOV_X(dst, src) ALU64_X(MOV, dst, src)
#define MOV32_K(dst, imm) ALU32_K(MOV, dst, imm)
#define MOV32_X(dst, src) ALU32_X(MOV, dst, src)
#define MOVSX64(dst, src, bits) RAW(0xbf, dst, src, bits, 0)
#define MOVSX32(dst, src, bits) RAW(0xbc, dst, src, bits, 0)
#define NEG64(dst) RAW(0x87, dst, 0, 0, 0)
#define NEG32(dst) RAW(0x84, dst, 0, 0, 0)
#define TO_LE(dst, bits) RAW(0xd4, dst, 0, 0, bits)
#define TO_BE(dst, bits) RAW(0xdc, dst, 0, 0, bits)
#define BSWAP(dst, bits) RAW(0xd7, dst, 0, 0, bits)

#define J_K(op, dst, imm, off) RAW(0x05 | (op), dst, 0, off, imm)
#define J_X(op, dst, src, off) RAW(0x0d | (op), dst, src, off, 0)
#define J32_K(op, dst, imm, off) RAW(0x06 | (op), dst, 0, off, imm)
#define J32_X(op, dst, src, off) RAW(0x0e | (op), dst, src, off, 0)
#define JA(off) RAW(0x05, 0, 0, off, 0)
#define GOTOL(imm) RAW(0x06, 0, 0, 0, imm)
#define MAY_GOTO(off) RAW(0xe5, 0, 0, off, 0)
#define CALL(helper) RAW(0x85, 0, 0, 0, helper)
#define CALL_LOCAL(imm) RAW(0x85, 0, 1, 0, imm)
#define EXIT RAW(0x95, 0, 0, 0, 0)

#define LD(size, dst, src, off) RAW(0x61 | (size), dst, src, off, 0)
#define LDS(size, dst, src, off) RAW(0x81 | (size), dst, src, off, 0)
#define ST_X(size, dst, off, src) RAW(0x63 | (size), dst, src, off, 0)
#define ST_K(size, dst, off, imm) RAW(0x62 | (size), dst, 0, off, imm)
#define ATOMIC(size, op, dst, off, src) RAW(0xc3 | (size), dst, src, off, op)
#define LDABS(size, imm) RAW(0x20 | (size), 0, 0, 0, imm)
#define LDIND(size, src, imm) RAW(0x40 | (size), 0, src, 0, imm)

/* Two slots. */
#define LD64_RAW(dst, src, low, high) RAW(0x18, dst, src, 0, low), RAW(0, 0, 0, 0, high)
#define LD64(dst, value)                                                                           \
	LD64_RAW(dst, 0, (int)(unsigned)((value) & 0xffffffff),                                    \
		 (int)(unsigned)((unsigned long long)(value) >> 32))

#endif
