/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * isa_cases.h: programs and what they must give, one line of table each; test_isa.c runs them.
 *
 *   CASE(name, result, insns...)        a subprogram: R1 = 64 bytes of memory, zero, R2 = 64
 *   INPUT(name, memory, result, insns...)           the same with the memory's first 16 bytes
 *   MEMORY(name, before, after, result, insns...)   and what becomes of them
 *   REFUSED(name, errno, log line, insns...)
 *   PACKET(name, result, insns...)      a whole socket filter
 *   PACKET_REFUSED(name, errno, log line, insns...)
 */

/* ALU, 64 bits */
CASE("mov64 imm sign-extends", -1ull, MOV_K(R0, -1), EXIT)
CASE("mov64 imm positive", 0x7fffffff, MOV_K(R0, 0x7fffffff), EXIT)
CASE("mov32 imm zero-extends", 0xffffffff, MOV32_K(R0, -1), EXIT)
CASE("mov64 reg", 0x123456789abcdef0, LD64(R3, 0x123456789abcdef0), MOV_X(R0, R3), EXIT)
CASE("mov32 reg truncates", 0x9abcdef0, LD64(R3, 0x123456789abcdef0), MOV32_X(R0, R3), EXIT)
CASE("mov32 to itself", 0xffffffff, MOV_K(R0, -1), MOV32_X(R0, R0), EXIT)
CASE("movsx64 8", -128ull, MOV_K(R3, 0x180), MOVSX64(R0, R3, 8), EXIT)
CASE("movsx64 8 positive", 0x7f, MOV_K(R3, -129), MOVSX64(R0, R3, 8), EXIT)
CASE("movsx64 16", -32768ull, MOV_K(R3, 0x18000), MOVSX64(R0, R3, 16), EXIT)
CASE("movsx64 16 positive", 0x7fff, MOV_K(R3, 0xf7fff), MOVSX64(R0, R3, 16), EXIT)
CASE("movsx64 32", -2147483648ll, MOV32_K(R3, 0x80000000), MOVSX64(R0, R3, 32), EXIT)
CASE("movsx64 32 positive", 0x7fffffff, LD64(R3, 0xf7fffffff), MOVSX64(R0, R3, 32), EXIT)
CASE("movsx32 8", 0xffffff80, MOV_K(R3, 0x80), MOVSX32(R0, R3, 8), EXIT)
CASE("movsx32 8 positive", 0x7f, MOV_K(R3, -129), MOVSX32(R0, R3, 8), EXIT)
CASE("movsx32 16", 0xffff8000, MOV_K(R3, 0x8000), MOVSX32(R0, R3, 16), EXIT)
CASE("movsx32 16 positive", 0x1234, MOV_K(R3, 0x7fff1234), MOVSX32(R0, R3, 16), EXIT)
CASE("movsx to itself", -1ull, MOV_K(R0, 0xff), MOVSX64(R0, R0, 8), EXIT)
CASE("add64 imm", 0, MOV_K(R0, 1), ALU64_K(ADD, R0, -1), EXIT)
CASE("add64 carries", 0x100000000, MOV32_K(R0, -1), ALU64_K(ADD, R0, 1), EXIT)
CASE("add64 reg wraps", 1, MOV_K(R0, -1), MOV_K(R3, 2), ALU64_X(ADD, R0, R3), EXIT)
CASE("add32 wraps", 0, MOV32_K(R0, -1), ALU32_K(ADD, R0, 1), EXIT)
CASE("add32 clears the upper half", 3, LD64(R0, 0xffffffff00000001), ALU32_K(ADD, R0, 2), EXIT)
CASE("add to itself", 0x246, MOV_K(R0, 0x123), ALU64_X(ADD, R0, R0), EXIT)
CASE("sub64 imm", -3ull, MOV_K(R0, 2), ALU64_K(SUB, R0, 5), EXIT)
CASE("sub64 imm negative", 7, MOV_K(R0, 2), ALU64_K(SUB, R0, -5), EXIT)
CASE("sub32 imm", 0xfffffffd, MOV_K(R0, 2), ALU32_K(SUB, R0, 5), EXIT)
CASE("sub32 reg", 0xffffffff, MOV_K(R0, 4), MOV_K(R3, 5), ALU32_X(SUB, R0, R3), EXIT)
CASE("sub from itself", 0, MOV_K(R0, 77), ALU64_X(SUB, R0, R0), EXIT)
CASE("mul64 imm", -21ull, MOV_K(R0, 7), ALU64_K(MUL, R0, -3), EXIT)
CASE("mul64 overflows", 0xfffffffe00000001, MOV32_K(R0, -1), ALU64_X(MUL, R0, R0), EXIT)
CASE("mul32 imm", 0xffffffeb, MOV_K(R0, 7), ALU32_K(MUL, R0, -3), EXIT)
CASE("mul32 overflows", 1, MOV32_K(R0, -1), ALU32_X(MUL, R0, R0), EXIT)
CASE("div64 imm", 3, MOV_K(R0, 10), ALU64_K(DIV, R0, 3), EXIT)
CASE("div64 imm is sign-extended", 0, MOV_K(R0, 10), ALU64_K(DIV, R0, -1), EXIT)
CASE("div64 unsigned", 0x7fffffffffffffff, MOV_K(R0, -2), ALU64_K(DIV, R0, 2), EXIT)
CASE("div64 reg by zero", 0, MOV_K(R0, 10), MOV_K(R3, 0), ALU64_X(DIV, R0, R3), EXIT)
CASE("div32 imm", 0x55555555, MOV_K(R0, -1), ALU32_K(DIV, R0, 3), EXIT)
CASE("div32 imm -1", 1, MOV_K(R0, -1), ALU32_K(DIV, R0, -1), EXIT)
CASE("div32 reg by zero", 0, MOV_K(R0, 10), MOV_K(R3, 0), ALU32_X(DIV, R0, R3), EXIT)
CASE("div32 by a multiple of 2^32", 0, MOV_K(R0, 10), LD64(R3, 0x100000000),
     ALU32_X(DIV, R0, R3), EXIT)
CASE("div64 by itself", 1, MOV_K(R0, 10), ALU64_X(DIV, R0, R0), EXIT)
CASE("sdiv64 imm", -3ull, MOV_K(R0, -10), SIGNED64_K(DIV, R0, 3), EXIT)
CASE("sdiv64 imm negative", 3, MOV_K(R0, -10), SIGNED64_K(DIV, R0, -3), EXIT)
CASE("sdiv64 smallest by -1", 0x8000000000000000, LD64(R0, 0x8000000000000000),
     SIGNED64_K(DIV, R0, -1), EXIT)
CASE("sdiv64 reg smallest by -1", 0x8000000000000000, LD64(R0, 0x8000000000000000),
     MOV_K(R3, -1), SIGNED64_X(DIV, R0, R3), EXIT)
CASE("sdiv64 reg by zero", 0, MOV_K(R0, -10), MOV_K(R3, 0), SIGNED64_X(DIV, R0, R3), EXIT)
CASE("sdiv32 imm", 0xfffffffd, MOV_K(R0, -10), SIGNED32_K(DIV, R0, 3), EXIT)
CASE("sdiv32 smallest by -1", 0x80000000, MOV32_K(R0, 0x80000000), SIGNED32_K(DIV, R0, -1), EXIT)
CASE("sdiv32 reg smallest by -1", 0x80000000, MOV32_K(R0, 0x80000000), MOV_K(R3, -1),
     SIGNED32_X(DIV, R0, R3), EXIT)
CASE("sdiv32 reg by zero", 0, MOV_K(R0, -10), MOV_K(R3, 0), SIGNED32_X(DIV, R0, R3), EXIT)
CASE("mod64 imm", 1, MOV_K(R0, 10), ALU64_K(MOD, R0, 3), EXIT)
CASE("mod64 unsigned", 0, MOV_K(R0, -1), ALU64_K(MOD, R0, 3), EXIT)
CASE("mod64 reg by zero", -10ull, MOV_K(R0, -10), MOV_K(R3, 0), ALU64_X(MOD, R0, R3), EXIT)
CASE("mod32 imm", 2, MOV_K(R0, -10), ALU32_K(MOD, R0, 4), EXIT)
CASE("mod32 reg by zero clears the upper half", 10, LD64(R0, 0x50000000a), MOV_K(R3, 0),
     ALU32_X(MOD, R0, R3), EXIT)
CASE("mod64 by itself", 0, MOV_K(R0, 10), ALU64_X(MOD, R0, R0), EXIT)
CASE("smod64 imm", -1ull, MOV_K(R0, -10), SIGNED64_K(MOD, R0, 3), EXIT)
CASE("smod64 imm negative", -1ull, MOV_K(R0, -10), SIGNED64_K(MOD, R0, -3), EXIT)
CASE("smod64 positive by negative", 1, MOV_K(R0, 10), SIGNED64_K(MOD, R0, -3), EXIT)
CASE("smod64 smallest by -1", 0, LD64(R0, 0x8000000000000000), SIGNED64_K(MOD, R0, -1), EXIT)
CASE("smod64 reg smallest by -1", 0, LD64(R0, 0x8000000000000000), MOV_K(R3, -1),
     SIGNED64_X(MOD, R0, R3), EXIT)
CASE("smod64 reg by zero", -10ull, MOV_K(R0, -10), MOV_K(R3, 0), SIGNED64_X(MOD, R0, R3), EXIT)
CASE("smod32 imm", 0xffffffff, MOV_K(R0, -10), SIGNED32_K(MOD, R0, 3), EXIT)
CASE("smod32 smallest by -1", 0, MOV32_K(R0, 0x80000000), SIGNED32_K(MOD, R0, -1), EXIT)
CASE("smod32 reg by zero", 0xfffffff6, MOV_K(R0, -10), MOV_K(R3, 0), SIGNED32_X(MOD, R0, R3),
     EXIT)
CASE("or64 imm sign-extends", -1ull, MOV_K(R0, 1), ALU64_K(OR, R0, -2), EXIT)
CASE("or32 imm", 0xffffffff, MOV_K(R0, 1), ALU32_K(OR, R0, -2), EXIT)
CASE("or64 reg", 0xff00ff, MOV_K(R0, 0xff), MOV_K(R3, 0xff0000), ALU64_X(OR, R0, R3), EXIT)
CASE("and64 imm sign-extends", 0x1234567800000000, LD64(R0, 0x123456789abcdef0),
     ALU64_K(AND, R0, 0x80000000), ALU64_K(AND, R0, 0xffffffff), ALU64_K(RSH, R0, 32),
     ALU64_K(LSH, R0, 32), EXIT)
CASE("and32 imm", 0x9abcde00, LD64(R0, 0x123456789abcdef0), ALU32_K(AND, R0, 0xffffff00), EXIT)
CASE("and64 reg", 0xf0, MOV_K(R0, 0xff), MOV_K(R3, 0xf0), ALU64_X(AND, R0, R3), EXIT)
CASE("xor64 imm sign-extends", -2ull, MOV_K(R0, 1), ALU64_K(XOR, R0, -1), EXIT)
CASE("xor32 imm", 0xfffffffe, MOV_K(R0, 1), ALU32_K(XOR, R0, -1), EXIT)
CASE("xor with itself", 0, MOV_K(R0, 77), ALU64_X(XOR, R0, R0), EXIT)
CASE("lsh64 imm", 0x8000000000000000, MOV_K(R0, 1), ALU64_K(LSH, R0, 63), EXIT)
CASE("lsh64 reg masks the count", 2, MOV_K(R0, 1), MOV_K(R3, 65), ALU64_X(LSH, R0, R3), EXIT)
CASE("lsh64 by 0", 1, MOV_K(R0, 1), ALU64_K(LSH, R0, 0), EXIT)
CASE("lsh32 imm", 0x80000000, MOV_K(R0, 1), ALU32_K(LSH, R0, 31), EXIT)
CASE("lsh32 reg masks the count", 2, MOV_K(R0, 1), MOV_K(R3, 33), ALU32_X(LSH, R0, R3), EXIT)
CASE("lsh32 by 0 clears the upper half", 0xffffffff, MOV_K(R0, -1), ALU32_K(LSH, R0, 0), EXIT)
CASE("rsh64 imm", 1, MOV_K(R0, -1), ALU64_K(RSH, R0, 63), EXIT)
CASE("rsh64 reg masks the count", 0x7fffffffffffffff, MOV_K(R0, -1), MOV_K(R3, -63),
     ALU64_X(RSH, R0, R3), EXIT)
CASE("rsh32 imm", 1, MOV_K(R0, -1), ALU32_K(RSH, R0, 31), EXIT)
CASE("rsh32 reg masks the count", 0x7fffffff, MOV_K(R0, -1), MOV_K(R3, 33),
     ALU32_X(RSH, R0, R3), EXIT)
CASE("arsh64 imm", -1ull, MOV_K(R0, -2), ALU64_K(ARSH, R0, 1), EXIT)
CASE("arsh64 imm 63", -1ull, LD64(R0, 0x8000000000000000), ALU64_K(ARSH, R0, 63), EXIT)
CASE("arsh64 reg masks the count", -1ull, MOV_K(R0, -2), MOV_K(R3, 65), ALU64_X(ARSH, R0, R3),
     EXIT)
CASE("arsh32 imm", 0xc0000000, MOV32_K(R0, 0x80000000), ALU32_K(ARSH, R0, 1), EXIT)
CASE("arsh32 of a positive", 0x20000000, LD64(R0, 0xffffffff40000000), ALU32_K(ARSH, R0, 1),
     EXIT)
CASE("arsh32 reg masks the count", 0xc0000000, MOV32_K(R0, 0x80000000), MOV_K(R3, 33),
     ALU32_X(ARSH, R0, R3), EXIT)
CASE("neg64", -5ull, MOV_K(R0, 5), NEG64(R0), EXIT)
CASE("neg64 of the smallest", 0x8000000000000000, LD64(R0, 0x8000000000000000), NEG64(R0), EXIT)
CASE("neg32", 0xfffffffb, MOV_K(R0, 5), NEG32(R0), EXIT)
CASE("neg32 clears the upper half", 1, MOV_K(R0, -1), NEG32(R0), EXIT)

/* Byte order */
CASE("le16", 0xdef0, LD64(R0, 0x123456789abcdef0), TO_LE(R0, 16), EXIT)
CASE("le32", 0x9abcdef0, LD64(R0, 0x123456789abcdef0), TO_LE(R0, 32), EXIT)
CASE("le64", 0x123456789abcdef0, LD64(R0, 0x123456789abcdef0), TO_LE(R0, 64), EXIT)
CASE("be16", 0xf0de, LD64(R0, 0x123456789abcdef0), TO_BE(R0, 16), EXIT)
CASE("be32", 0xf0debc9a, LD64(R0, 0x123456789abcdef0), TO_BE(R0, 32), EXIT)
CASE("be64", 0xf0debc9a78563412, LD64(R0, 0x123456789abcdef0), TO_BE(R0, 64), EXIT)
CASE("bswap16", 0xf0de, LD64(R0, 0x123456789abcdef0), BSWAP(R0, 16), EXIT)
CASE("bswap32", 0xf0debc9a, LD64(R0, 0x123456789abcdef0), BSWAP(R0, 32), EXIT)
CASE("bswap64", 0xf0debc9a78563412, LD64(R0, 0x123456789abcdef0), BSWAP(R0, 64), EXIT)
CASE("bswap16 twice", 0xdef0, LD64(R0, 0x123456789abcdef0), BSWAP(R0, 16), BSWAP(R0, 16), EXIT)
REFUSED("le8", EINVAL, "BPF_END uses reserved fields", MOV_K(R0, 1), TO_LE(R0, 8), EXIT)
REFUSED("be24", EINVAL, "BPF_END uses reserved fields", MOV_K(R0, 1), TO_BE(R0, 24), EXIT)
REFUSED("bswap128", EINVAL, "BPF_END uses reserved fields", MOV_K(R0, 1), BSWAP(R0, 128), EXIT)
REFUSED("bswap with a source", EINVAL, "BPF_END uses reserved fields", MOV_K(R0, 1),
	RAW(0xd7, R0, R1, 0, 16), EXIT)
REFUSED("bswap, register form", EINVAL, "unknown opcode df", MOV_K(R0, 1),
	RAW(0xdf, R0, 0, 0, 16), EXIT)

/* 64-bit constants */
CASE("ld_imm64", 0x1122334455667788, LD64(R0, 0x1122334455667788), EXIT)
CASE("ld_imm64 low half negative", 0xffffffff, LD64(R0, 0xffffffff), EXIT)
CASE("ld_imm64 high half only", 0xffffffff00000000, LD64(R0, 0xffffffff00000000), EXIT)
CASE("ld_imm64 all ones", -1ull, LD64(R0, -1ull), EXIT)
CASE("ld_imm64 jumped over", 1, MOV_K(R0, 1), J_K(JEQ, R0, 1, 2), LD64(R0, 2), EXIT)
CASE("ld_imm64 as a jump target", 3, MOV_K(R0, 1), J_K(JEQ, R0, 1, 1), EXIT, LD64(R0, 3), EXIT)

/* Jumps; the sweeps of test_isa.c cover all conditions and operands */
CASE("ja", 1, MOV_K(R0, 1), J_K(JEQ, R2, 0, 1), JA(1), MOV_K(R0, 2), EXIT)
CASE("ja 0", 2, MOV_K(R0, 1), JA(0), MOV_K(R0, 2), EXIT)
CASE("gotol", 1, MOV_K(R0, 1), J_K(JEQ, R2, 0, 1), GOTOL(1), MOV_K(R0, 2), EXIT)
CASE("gotol backwards", 5, JA(2), MOV_K(R0, 5), EXIT, GOTOL(-3))
CASE("ja backwards", 5, JA(2), MOV_K(R0, 5), EXIT, JA(-3))
CASE("jeq imm taken", 1, MOV_K(R0, 1), LD(W, R3, R1, 0), J_K(JEQ, R3, 0, 1), MOV_K(R0, 2), EXIT)
CASE("jeq imm sign-extends", 2, MOV_K(R0, 1), MOV32_K(R3, -1), J_K(JEQ, R3, -1, 1), MOV_K(R0, 2),
     EXIT)
CASE("jeq32 imm", 1, MOV_K(R0, 1), MOV32_K(R3, -1), J32_K(JEQ, R3, -1, 1), MOV_K(R0, 2), EXIT)
CASE("jeq32 ignores the upper half", 1, MOV_K(R0, 1), LD64(R3, 0x500000007),
     J32_K(JEQ, R3, 7, 1), MOV_K(R0, 2), EXIT)
CASE("jset imm sign-extends", 1, MOV_K(R0, 1), LD64(R3, 0x100000000),
     J_K(JSET, R3, 0x80000000, 1), MOV_K(R0, 2), EXIT)
CASE("jset32 ignores the upper half", 2, MOV_K(R0, 1), LD64(R3, 0x100000000),
     J32_K(JSET, R3, 0x80000000, 1), MOV_K(R0, 2), EXIT)
CASE("jgt is unsigned", 1, MOV_K(R0, 1), MOV_K(R3, -1), J_K(JGT, R3, 5, 1), MOV_K(R0, 2), EXIT)
CASE("jsgt is signed", 2, MOV_K(R0, 1), MOV_K(R3, -1), J_K(JSGT, R3, 5, 1), MOV_K(R0, 2), EXIT)
CASE("jslt32 sees bit 31", 1, MOV_K(R0, 1), MOV32_K(R3, 0x80000000), J32_K(JSLT, R3, 0, 1),
     MOV_K(R0, 2), EXIT)
CASE("jslt does not", 2, MOV_K(R0, 1), MOV32_K(R3, 0x80000000), J_K(JSLT, R3, 0, 1),
     MOV_K(R0, 2), EXIT)
CASE("loop", 55, MOV_K(R0, 0), MOV_K(R3, 10), ALU64_X(ADD, R0, R3), ALU64_K(SUB, R3, 1),
     J_K(JNE, R3, 0, -3), EXIT)
CASE("nested loops", 12, MOV_K(R0, 0), MOV_K(R3, 3), MOV_K(R4, 4), ALU64_K(ADD, R0, 1),
     ALU64_K(SUB, R4, 1), J_K(JNE, R4, 0, -3), ALU64_K(SUB, R3, 1), J_K(JNE, R3, 0, -6), EXIT)
CASE("may_goto falls through", 7, MOV_K(R0, 7), MAY_GOTO(1), EXIT, MOV_K(R0, 8), EXIT)
CASE("exit with a nonzero off", 4, MOV_K(R0, 4), RAW(0x95, 0, 0, 1, 0))
REFUSED("ja out of range", EINVAL, "jump out of range", MOV_K(R0, 0), JA(100), EXIT)
REFUSED("ja before the program", EINVAL, "jump out of range", MOV_K(R0, 0), JA(-100), EXIT)
REFUSED("gotol out of range", EINVAL, "jump out of range", MOV_K(R0, 0), GOTOL(100000), EXIT)
REFUSED("jump to the end", EINVAL, "jump out of range", MOV_K(R0, 0), J_K(JEQ, R0, 0, 1), EXIT)
REFUSED("jump into ld_imm64", EINVAL, "jump into the middle of ldimm64", MOV_K(R0, 0),
	J_K(JEQ, R0, 1, 1), LD64(R0, 1), EXIT)

/* Loads and stores of memory */
INPUT("ldxb", "\x81\x82\x83\x84\x85\x86\x87\x88", 0x82, LD(B, R0, R1, 1), EXIT)
INPUT("ldxh", "\x81\x82\x83\x84\x85\x86\x87\x88", 0x8483, LD(H, R0, R1, 2), EXIT)
INPUT("ldxw", "\x81\x82\x83\x84\x85\x86\x87\x88", 0x88878685, LD(W, R0, R1, 4), EXIT)
INPUT("ldxdw", "\x81\x82\x83\x84\x85\x86\x87\x88", 0x8887868584838281, LD(DW, R0, R1, 0),
       EXIT)
INPUT("ldxh unaligned", "\x81\x82\x83\x84", 0x8382, LD(H, R0, R1, 1), EXIT)
INPUT("ldxw unaligned", "\x81\x82\x83\x84\x85", 0x85848382, LD(W, R0, R1, 1), EXIT)
INPUT("ldxdw unaligned", "\x81\x82\x83\x84\x85\x86\x87\x88\x89", 0x8988878685848382,
       LD(DW, R0, R1, 1), EXIT)
INPUT("ldxb signed", "\x81\x82", 0xffffffffffffff82, LDS(B, R0, R1, 1), EXIT)
INPUT("ldxh signed", "\x81\x82\x83\x84", 0xffffffffffff8483, LDS(H, R0, R1, 2), EXIT)
INPUT("ldxw signed", "\x81\x82\x83\x84", 0xffffffff84838281, LDS(W, R0, R1, 0), EXIT)
INPUT("ldxb signed positive", "\x7f", 0x7f, LDS(B, R0, R1, 0), EXIT)
INPUT("ldxh signed positive", "\xff\x7f", 0x7fff, LDS(H, R0, R1, 0), EXIT)
INPUT("ldxw signed positive", "\xff\xff\xff\x7f", 0x7fffffff, LDS(W, R0, R1, 0), EXIT)
INPUT("load into the base register", "\x07", 7, LD(B, R1, R1, 0), MOV_X(R0, R1), EXIT)
INPUT("negative offset", "\x01\x02\x03\x04", 3, ALU64_K(ADD, R1, 4), LD(B, R0, R1, -2),
       EXIT)
INPUT("variable offset", "\x02\x00\x09\x00", 9, LD(B, R3, R1, 0), ALU64_K(AND, R3, 7),
       ALU64_X(ADD, R1, R3), LD(B, R0, R1, 0), EXIT)
MEMORY("stb", "", "\x00\xfe", 0, ST_K(B, R1, 1, 0xfe), MOV_K(R0, 0), EXIT)
MEMORY("sth", "", "\x00\x00\xdc\xfe", 0, ST_K(H, R1, 2, 0x1fedc), MOV_K(R0, 0), EXIT)
MEMORY("stw", "", "\x98\xba\xdc\xfe", 0, ST_K(W, R1, 0, 0xfedcba98), MOV_K(R0, 0), EXIT)
MEMORY("stdw sign-extends", "", "\xfe\xff\xff\xff\xff\xff\xff\xff", 0, ST_K(DW, R1, 0, -2),
       MOV_K(R0, 0), EXIT)
MEMORY("stxb", "", "\x00\xf0", 0, LD64(R3, 0x123456789abcdef0), ST_X(B, R1, 1, R3), MOV_K(R0, 0),
       EXIT)
MEMORY("stxh", "", "\x00\x00\xf0\xde", 0, LD64(R3, 0x123456789abcdef0), ST_X(H, R1, 2, R3),
       MOV_K(R0, 0), EXIT)
MEMORY("stxw", "", "\xf0\xde\xbc\x9a", 0, LD64(R3, 0x123456789abcdef0), ST_X(W, R1, 0, R3),
       MOV_K(R0, 0), EXIT)
MEMORY("stxdw", "", "\xf0\xde\xbc\x9a\x78\x56\x34\x12", 0, LD64(R3, 0x123456789abcdef0),
       ST_X(DW, R1, 0, R3), MOV_K(R0, 0), EXIT)
MEMORY("stxw unaligned", "", "\x00\xf0\xde\xbc\x9a", 0, LD64(R3, 0x123456789abcdef0),
       ST_X(W, R1, 1, R3), MOV_K(R0, 0), EXIT)
CASE("stack stb", 0xfe, ST_K(DW, R10, -8, 0), ST_K(B, R10, -8, 0xfe), LD(DW, R0, R10, -8), EXIT)
CASE("stack sth", 0xfedc0000, ST_K(DW, R10, -8, 0), ST_K(H, R10, -6, 0xfedc),
     LD(DW, R0, R10, -8), EXIT)
CASE("stack stw", 0xfedcba9800000000, ST_K(DW, R10, -8, 0), ST_K(W, R10, -4, 0xfedcba98),
     LD(DW, R0, R10, -8), EXIT)
CASE("stack stdw", -2ull, ST_K(DW, R10, -8, -2), LD(DW, R0, R10, -8), EXIT)
CASE("stack spilled and filled", 0x123456789abcdef0, LD64(R3, 0x123456789abcdef0),
     ST_X(DW, R10, -16, R3), LD(DW, R0, R10, -16), EXIT)
CASE("stack ldxw of a spill", 0x9abcdef0, LD64(R3, 0x123456789abcdef0), ST_X(DW, R10, -16, R3),
     LD(W, R0, R10, -16), EXIT)
CASE("stack signed loads", 0xfffffffffffffff0, LD64(R3, 0x123456789abcdef0),
     ST_X(DW, R10, -16, R3), LDS(B, R0, R10, -16), EXIT)
CASE("stack through a copied pointer", 9, MOV_X(R3, R10), ALU64_K(ADD, R3, -32),
     ST_K(DW, R3, 8, 9), LD(DW, R0, R10, -24), EXIT)
CASE("stack pointer spilled", 9, MOV_X(R3, R10), ST_X(DW, R10, -8, R3), ST_K(DW, R10, -16, 9),
     LD(DW, R4, R10, -8), LD(DW, R0, R4, -16), EXIT)
CASE("deep stack", 5, ST_K(DW, R10, -480, 5), LD(DW, R0, R10, -480), EXIT)
REFUSED("store above the stack", EACCES, "invalid write to stack R10 off=0 size=8",
	ST_K(DW, R10, 0, 0), MOV_K(R0, 0), EXIT)
REFUSED("store below the stack", EACCES, "invalid write to stack R10 off=-520 size=8",
	ST_K(DW, R10, -520, 0), MOV_K(R0, 0), EXIT)
REFUSED("load above the stack", EACCES, "invalid read from stack R10 off=0 size=1",
	LD(B, R0, R10, 0), EXIT)
REFUSED("load below the stack", EACCES, "invalid read from stack R10 off=-513 size=1",
	LD(B, R0, R10, -513), EXIT)
REFUSED("misaligned stack store", EACCES, "misaligned stack access off 0+0+-12 size 8",
	ST_K(DW, R10, -12, 0), MOV_K(R0, 0), EXIT)
REFUSED("misaligned stack load", EACCES, "misaligned stack access off 0+0+-7 size 4",
	LD(W, R0, R10, -7), EXIT)
REFUSED("ldx with an immediate", EINVAL, "BPF_LDX uses reserved fields",
	RAW(0x61, R0, R1, 0, 1), EXIT)
REFUSED("ldxdw signed", EINVAL, "opcode 99", RAW(0x99, R0, R1, 0, 0), EXIT)
REFUSED("stx with an immediate", EINVAL, "BPF_STX uses reserved fields",
	RAW(0x63, R1, R2, 0, 1), MOV_K(R0, 0), EXIT)
REFUSED("st with a source", EINVAL, "BPF_ST uses reserved fields", RAW(0x62, R1, R2, 0, 1),
	MOV_K(R0, 0), EXIT)

/* Atomics: on 8 bytes f0debc9a78563412 with source 0x100000003, or on the low 4 */
#define A_IN "\xf0\xde\xbc\x9a\x78\x56\x34\x12"
#define A(size, op) LD64(R3, 0x100000003), ATOMIC(size, op, R1, 0, R3)
#define A_OLD 0x123456789abcdef0
#define A_OLD32 0x9abcdef0
MEMORY("atomic add64", A_IN, "\xf3\xde\xbc\x9a\x79\x56\x34\x12", 0x100000003, A(DW, ADD),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic or64", A_IN, "\xf3\xde\xbc\x9a\x79\x56\x34\x12", 0x100000003, A(DW, OR),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic and64", A_IN, "\x00\x00\x00\x00\x00\x00\x00\x00", 0x100000003, A(DW, AND),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic xor64", A_IN, "\xf3\xde\xbc\x9a\x79\x56\x34\x12", 0x100000003, A(DW, XOR),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_add64", A_IN, "\xf3\xde\xbc\x9a\x79\x56\x34\x12", A_OLD, A(DW, ADD | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_or64", A_IN, "\xf3\xde\xbc\x9a\x79\x56\x34\x12", A_OLD, A(DW, OR | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_and64", A_IN, "\x00\x00\x00\x00\x00\x00\x00\x00", A_OLD, A(DW, AND | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_xor64", A_IN, "\xf3\xde\xbc\x9a\x79\x56\x34\x12", A_OLD, A(DW, XOR | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("xchg64", A_IN, "\x03\x00\x00\x00\x01\x00\x00\x00", A_OLD, A(DW, XCHG), MOV_X(R0, R3),
       EXIT)
MEMORY("cmpxchg64 equal", A_IN, "\x03\x00\x00\x00\x01\x00\x00\x00", A_OLD, LD64(R0, A_OLD),
       A(DW, CMPXCHG), EXIT)
MEMORY("cmpxchg64 different", A_IN, A_IN, A_OLD, LD64(R0, A_OLD32), A(DW, CMPXCHG), EXIT)
MEMORY("cmpxchg64 leaves the source", A_IN, A_IN, 0x100000003, MOV_K(R0, 0), A(DW, CMPXCHG),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic add32", A_IN, "\xf3\xde\xbc\x9a\x78\x56\x34\x12", 0x100000003, A(W, ADD),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic or32", A_IN, "\xf3\xde\xbc\x9a\x78\x56\x34\x12", 0x100000003, A(W, OR),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic and32", A_IN, "\x00\x00\x00\x00\x78\x56\x34\x12", 0x100000003, A(W, AND),
       MOV_X(R0, R3), EXIT)
MEMORY("atomic xor32", A_IN, "\xf3\xde\xbc\x9a\x78\x56\x34\x12", 0x100000003, A(W, XOR),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_add32", A_IN, "\xf3\xde\xbc\x9a\x78\x56\x34\x12", A_OLD32, A(W, ADD | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_or32", A_IN, "\xf3\xde\xbc\x9a\x78\x56\x34\x12", A_OLD32, A(W, OR | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_and32", A_IN, "\x00\x00\x00\x00\x78\x56\x34\x12", A_OLD32, A(W, AND | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("fetch_xor32", A_IN, "\xf3\xde\xbc\x9a\x78\x56\x34\x12", A_OLD32, A(W, XOR | FETCH),
       MOV_X(R0, R3), EXIT)
MEMORY("xchg32", A_IN, "\x03\x00\x00\x00\x78\x56\x34\x12", A_OLD32, A(W, XCHG), MOV_X(R0, R3),
       EXIT)
MEMORY("cmpxchg32 equal", A_IN, "\x03\x00\x00\x00\x78\x56\x34\x12", A_OLD32, LD64(R0, A_OLD),
       A(W, CMPXCHG), EXIT)
MEMORY("cmpxchg32 different", A_IN, A_IN, A_OLD32, MOV_K(R0, -1), A(W, CMPXCHG), EXIT)
MEMORY("add32 carries nowhere", "\xff\xff\xff\xff\x01", "\x02\x00\x00\x00\x01", 0, A(W, ADD),
       MOV_K(R0, 0), EXIT)
MEMORY("load_acquire8", A_IN, A_IN, 0xde, ATOMIC(B, LOAD_ACQ, R0, 1, R1), EXIT)
MEMORY("load_acquire16", A_IN, A_IN, 0x9abc, ATOMIC(H, LOAD_ACQ, R0, 2, R1), EXIT)
MEMORY("load_acquire32", A_IN, A_IN, 0x12345678, ATOMIC(W, LOAD_ACQ, R0, 4, R1), EXIT)
MEMORY("load_acquire64", A_IN, A_IN, A_OLD, ATOMIC(DW, LOAD_ACQ, R0, 0, R1), EXIT)
MEMORY("store_release8", A_IN, "\xf0\x03\xbc\x9a\x78\x56\x34\x12", 0, LD64(R3, 0x100000003),
       ATOMIC(B, STORE_REL, R1, 1, R3), MOV_K(R0, 0), EXIT)
MEMORY("store_release16", A_IN, "\xf0\xde\x03\x00\x78\x56\x34\x12", 0, LD64(R3, 0x100000003),
       ATOMIC(H, STORE_REL, R1, 2, R3), MOV_K(R0, 0), EXIT)
MEMORY("store_release32", A_IN, "\x03\x00\x00\x00\x78\x56\x34\x12", 0, A(W, STORE_REL),
       MOV_K(R0, 0), EXIT)
MEMORY("store_release64", A_IN, "\x03\x00\x00\x00\x01\x00\x00\x00", 0, A(DW, STORE_REL),
       MOV_K(R0, 0), EXIT)
CASE("atomic add64 on the stack", 12, ST_K(DW, R10, -8, 5), MOV_K(R3, 7),
     ATOMIC(DW, ADD, R10, -8, R3), LD(DW, R0, R10, -8), EXIT)
CASE("atomic add32 on the stack", 0x700000002, LD64(R4, 0x7ffffffff), ST_X(DW, R10, -8, R4),
     MOV_K(R3, 3), ATOMIC(W, ADD, R10, -8, R3), LD(DW, R0, R10, -8), EXIT)
CASE("fetch_add64 on the stack", 5, ST_K(DW, R10, -8, 5), MOV_K(R3, 7),
     ATOMIC(DW, ADD | FETCH, R10, -8, R3), MOV_X(R0, R3), EXIT)
CASE("cmpxchg64 on the stack", 9, ST_K(DW, R10, -8, 5), MOV_K(R3, 9), MOV_K(R0, 5),
     ATOMIC(DW, CMPXCHG, R10, -8, R3), LD(DW, R0, R10, -8), EXIT)
CASE("cmpxchg32 on the stack", 5, ST_K(DW, R10, -8, 5), MOV_K(R3, 9), MOV_K(R0, 4),
     ATOMIC(W, CMPXCHG, R10, -8, R3), EXIT)
CASE("xchg32 on the stack", 5, ST_K(DW, R10, -8, 5), MOV_K(R3, 9), ATOMIC(W, XCHG, R10, -8, R3),
     MOV_X(R0, R3), EXIT)
REFUSED("atomic opcode 02", EINVAL, "BPF_ATOMIC uses invalid atomic opcode 02", MOV_K(R0, 0),
	ATOMIC(DW, 0x02, R1, 0, R0), EXIT)
REFUSED("xchg without fetch", EINVAL, "BPF_ATOMIC uses invalid atomic opcode e0", MOV_K(R0, 0),
	ATOMIC(DW, 0xe0, R1, 0, R0), EXIT)
REFUSED("cmpxchg without fetch", EINVAL, "BPF_ATOMIC uses invalid atomic opcode f0",
	MOV_K(R0, 0), ATOMIC(DW, 0xf0, R1, 0, R0), EXIT)
REFUSED("atomic opcode -1", EINVAL, "BPF_ATOMIC uses invalid atomic opcode ffffffff",
	MOV_K(R0, 0), ATOMIC(DW, -1, R1, 0, R0), EXIT)
REFUSED("atomic add8", EINVAL, "invalid atomic operand size", MOV_K(R0, 0),
	ATOMIC(B, ADD, R1, 0, R0), EXIT)
REFUSED("atomic add16", EINVAL, "invalid atomic operand size", MOV_K(R0, 0),
	ATOMIC(H, ADD, R1, 0, R0), EXIT)
REFUSED("fetch into the frame pointer", EACCES, "frame pointer is read only",
	ST_K(DW, R10, -8, 0), ATOMIC(DW, ADD | FETCH, R10, -8, R10), MOV_K(R0, 0), EXIT)
REFUSED("misaligned atomic on the stack", EACCES, "misaligned stack access off 0+0+-12 size 8",
	MOV_K(R0, 0), ATOMIC(DW, ADD, R10, -12, R0), EXIT)

/* Calls */
CASE("local call", 3, CALL_LOCAL(1), EXIT, MOV_K(R0, 3), EXIT)
CASE("arguments", 12345, MOV_K(R1, 1), MOV_K(R2, 2), MOV_K(R3, 3), MOV_K(R4, 4), MOV_K(R5, 5),
     CALL_LOCAL(1), EXIT, MOV_X(R0, R1), ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R2),
     ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R3), ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R4),
     ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R5), EXIT)
CASE("callee-saved registers", 6789, MOV_K(R6, 6), MOV_K(R7, 7), MOV_K(R8, 8), MOV_K(R9, 9),
     CALL_LOCAL(8), MOV_X(R0, R6), ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R7),
     ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R8), ALU64_K(MUL, R0, 10), ALU64_X(ADD, R0, R9),
     EXIT, MOV_K(R6, 0), MOV_K(R7, 0), MOV_K(R8, 0), MOV_K(R9, 0), MOV_K(R0, 0), EXIT)
CASE("own stack frames", 5, ST_K(DW, R10, -8, 5), CALL_LOCAL(2), LD(DW, R0, R10, -8), EXIT,
     ST_K(DW, R10, -8, 9), MOV_K(R0, 0), EXIT)
CASE("pointer to the caller's stack", 9, ST_K(DW, R10, -8, 5), MOV_X(R1, R10),
     ALU64_K(ADD, R1, -8), CALL_LOCAL(2), LD(DW, R0, R10, -8), EXIT, ST_K(DW, R1, 0, 9),
     MOV_K(R0, 0), EXIT)
CASE("calls two deep", 11, CALL_LOCAL(1), EXIT, CALL_LOCAL(2), ALU64_K(ADD, R0, 1), EXIT,
     MOV_K(R0, 10), EXIT)
CASE("called twice", 10, MOV_K(R1, 3), CALL_LOCAL(4), MOV_X(R1, R0), CALL_LOCAL(2),
     ALU64_K(SUB, R0, 3), EXIT, MOV_X(R0, R1), ALU64_K(ADD, R0, 5), EXIT)
CASE("call backwards", 4, CALL_LOCAL(3), EXIT, MOV_K(R0, 4), EXIT, CALL_LOCAL(-3), EXIT)
CASE("subprogram without a result", 2, CALL_LOCAL(2), MOV_K(R0, 2), EXIT, MOV_K(R3, 1), EXIT)
CASE("8 frames", 1, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1),
     EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, MOV_K(R0, 1), EXIT)
CASE("helper", 0, CALL(BPF_FUNC_get_prandom_u32), ALU64_K(RSH, R0, 32), EXIT)
CASE("helper keeps R6-R9", 30, MOV_K(R6, 6), MOV_K(R7, 7), MOV_K(R8, 8), MOV_K(R9, 9),
     CALL(BPF_FUNC_get_prandom_u32), MOV_X(R0, R6), ALU64_X(ADD, R0, R7), ALU64_X(ADD, R0, R8),
     ALU64_X(ADD, R0, R9), EXIT)
CASE("clock runs", 1, CALL(BPF_FUNC_ktime_get_ns), MOV_X(R6, R0), CALL(BPF_FUNC_ktime_get_ns),
     MOV_K(R3, 1), J_X(JGE, R0, R6, 1), MOV_K(R3, 0), MOV_X(R0, R3), EXIT)
REFUSED("9 frames", E2BIG, "the call stack of 9 frames is too deep", CALL_LOCAL(1), EXIT,
	CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT,
	CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, MOV_K(R0, 1), EXIT)
REFUSED("recursion", E2BIG, "the call stack of 9 frames is too deep", CALL_LOCAL(-1), EXIT)
REFUSED("mutual recursion", E2BIG, "the call stack of 9 frames is too deep", CALL_LOCAL(1), EXIT,
	CALL_LOCAL(-3), EXIT)
REFUSED("combined stack", EACCES, "combined stack size of 3 calls is 528. Too large",
	ST_K(DW, R10, -256, 0), CALL_LOCAL(1), EXIT, ST_K(DW, R10, -264, 0), MOV_K(R0, 0), EXIT)
REFUSED("call outside", EINVAL, "call to invalid destination", CALL_LOCAL(100), EXIT)
REFUSED("call of an unknown helper", EINVAL, "invalid func unknown#99999", CALL(99999), EXIT)
REFUSED("call of helper -1", EINVAL, "invalid func unknown#-1", CALL(-1), EXIT)
REFUSED("call of helper 0", EINVAL, "program of this type cannot use helper bpf_unspec#0",
	CALL(0), EXIT)
REFUSED("call of another type's helper", EINVAL,
	"program of this type cannot use helper bpf_skb_store_bytes#9", CALL(9), EXIT)
REFUSED("callx", EINVAL, "unknown opcode 8d", MOV_K(R0, 0), RAW(0x8d, R0, 0, 0, 0), EXIT)
REFUSED("call with a destination", EINVAL, "BPF_CALL uses reserved fields",
	RAW(0x85, R1, 0, 0, 7), EXIT)
REFUSED("call with an offset", EINVAL, "BPF_CALL uses reserved fields", RAW(0x85, 0, 0, 1, 7),
	EXIT)
REFUSED("call of source 3", EINVAL, "BPF_CALL uses reserved fields", RAW(0x85, 0, 3, 0, 7), EXIT)
REFUSED("R1 after a helper", EACCES, "R1 !read_ok", CALL(BPF_FUNC_get_prandom_u32),
	MOV_X(R0, R1), EXIT)
REFUSED("R6 in a subprogram", EACCES, "R6 !read_ok", MOV_X(R0, R6), EXIT)

/* Operands */
REFUSED("R11 as destination", EINVAL, "R11 is invalid", MOV_K(R11, 0), EXIT)
REFUSED("R12 as source", EINVAL, "R12 is invalid", MOV_X(R0, R12), EXIT)
REFUSED("R15 as base", EINVAL, "R15 is invalid", LD(W, R0, R15, 0), EXIT)
REFUSED("mov to the frame pointer", EACCES, "frame pointer is read only", MOV_K(R10, 0), EXIT)
REFUSED("add to the frame pointer", EACCES, "frame pointer is read only", ALU64_K(ADD, R10, -8),
	EXIT)
REFUSED("load into the frame pointer", EACCES, "frame pointer is read only", LD(DW, R10, R1, 0),
	EXIT)
REFUSED("unwritten register", EACCES, "R3 !read_ok", ALU64_K(ADD, R3, 1), EXIT)
REFUSED("unwritten source", EACCES, "R4 !read_ok", MOV_X(R0, R4), EXIT)
REFUSED("lsh64 64", EINVAL, "invalid shift 64", MOV_K(R0, 1), ALU64_K(LSH, R0, 64), EXIT)
REFUSED("lsh64 -1", EINVAL, "invalid shift -1", MOV_K(R0, 1), ALU64_K(LSH, R0, -1), EXIT)
REFUSED("lsh32 32", EINVAL, "invalid shift 32", MOV_K(R0, 1), ALU32_K(LSH, R0, 32), EXIT)
REFUSED("rsh64 64", EINVAL, "invalid shift 64", MOV_K(R0, 1), ALU64_K(RSH, R0, 64), EXIT)
REFUSED("rsh32 33", EINVAL, "invalid shift 33", MOV_K(R0, 1), ALU32_K(RSH, R0, 33), EXIT)
REFUSED("arsh64 99", EINVAL, "invalid shift 99", MOV_K(R0, 1), ALU64_K(ARSH, R0, 99), EXIT)
REFUSED("arsh32 32", EINVAL, "invalid shift 32", MOV_K(R0, 1), ALU32_K(ARSH, R0, 32), EXIT)
REFUSED("div64 by constant 0", EINVAL, "div by zero", MOV_K(R0, 1), ALU64_K(DIV, R0, 0), EXIT)
REFUSED("div32 by constant 0", EINVAL, "div by zero", MOV_K(R0, 1), ALU32_K(DIV, R0, 0), EXIT)
REFUSED("mod64 by constant 0", EINVAL, "div by zero", MOV_K(R0, 1), ALU64_K(MOD, R0, 0), EXIT)
REFUSED("mod32 by constant 0", EINVAL, "div by zero", MOV_K(R0, 1), ALU32_K(MOD, R0, 0), EXIT)
REFUSED("sdiv by constant 0", EINVAL, "div by zero", MOV_K(R0, 1), SIGNED64_K(DIV, R0, 0), EXIT)
REFUSED("smod by constant 0", EINVAL, "div by zero", MOV_K(R0, 1), SIGNED32_K(MOD, R0, 0), EXIT)
REFUSED("add with an offset", EINVAL, "BPF_ALU uses reserved fields",
	RAW(0x07, R1, 0, 1, 1), EXIT)
REFUSED("add reg with an immediate", EINVAL, "BPF_ALU uses reserved fields",
	RAW(0x0f, R1, R2, 0, 1), EXIT)
REFUSED("add imm with a source", EINVAL, "BPF_ALU uses reserved fields",
	RAW(0x07, R1, R2, 0, 1), EXIT)
REFUSED("div with offset 2", EINVAL, "BPF_ALU uses reserved fields", RAW(0x37, R2, 0, 2, 1),
	EXIT)
REFUSED("neg with an immediate", EINVAL, "BPF_NEG uses reserved fields", RAW(0x87, R2, 0, 0, 1),
	EXIT)
REFUSED("mov imm with an offset", EINVAL, "BPF_MOV uses reserved fields",
	RAW(0xb7, R0, 0, 8, 1), EXIT)
REFUSED("movsx64 24", EINVAL, "BPF_MOV uses reserved fields", MOVSX64(R0, R2, 24), EXIT)
REFUSED("movsx32 32", EINVAL, "BPF_MOV uses reserved fields", MOVSX32(R0, R2, 32), EXIT)
REFUSED("mov reg with an immediate", EINVAL, "BPF_MOV uses reserved fields",
	RAW(0xbf, R0, R2, 0, 1), EXIT)
REFUSED("addr_space_cast", EINVAL, "only be used in a program that has an associated arena",
	RAW(0xbf, R0, R2, 1, 1), EXIT)
REFUSED("addr_space_cast 2", EINVAL, "can only convert between address space 1 and 0",
	RAW(0xbf, R0, R2, 1, 2), EXIT)
REFUSED("ja with an immediate", EINVAL, "BPF_JA uses reserved fields", RAW(0x05, 0, 0, 0, 1),
	MOV_K(R0, 0), EXIT)
REFUSED("ja with a destination", EINVAL, "BPF_JA uses reserved fields", RAW(0x05, 1, 0, 0, 0),
	MOV_K(R0, 0), EXIT)
REFUSED("gotol with an offset", EINVAL, "BPF_JA uses reserved fields", RAW(0x06, 0, 0, 1, 0),
	MOV_K(R0, 0), EXIT)
REFUSED("jeq reg with an immediate", EINVAL, "BPF_JMP/JMP32 uses reserved fields",
	RAW(0x1d, R1, R2, 0, 1), MOV_K(R0, 0), EXIT)
REFUSED("jeq imm with a source", EINVAL, "BPF_JMP/JMP32 uses reserved fields",
	RAW(0x15, R1, R2, 0, 1), MOV_K(R0, 0), EXIT)
REFUSED("may_goto with a source", EINVAL, "invalid may_goto imm 0", RAW(0xe5, 0, 1, 0, 0),
	MOV_K(R0, 0), EXIT)
REFUSED("may_goto with an immediate", EINVAL, "invalid may_goto imm 5", RAW(0xe5, 0, 0, 0, 5),
	MOV_K(R0, 0), EXIT)
REFUSED("exit with an immediate", EINVAL, "BPF_EXIT uses reserved fields", MOV_K(R0, 0),
	RAW(0x95, 0, 0, 0, 1))
REFUSED("exit with a source", EINVAL, "BPF_EXIT uses reserved fields", MOV_K(R0, 0),
	RAW(0x95, 0, 1, 0, 0))
REFUSED("ld_imm64 with an offset", EINVAL, "BPF_LD_IMM64 uses reserved fields",
	RAW(0x18, R0, 0, 1, 0), RAW(0, 0, 0, 0, 0), EXIT)
REFUSED("ld_imm64 without its half", EINVAL, "invalid bpf_ld_imm64 insn",
	RAW(0x18, R0, 0, 0, 0), EXIT)
REFUSED("ld_imm64 half with an offset", EINVAL, "invalid bpf_ld_imm64 insn",
	RAW(0x18, R0, 0, 0, 0), RAW(0, 0, 0, 1, 0), EXIT)
REFUSED("ld_imm64 of source 7", EINVAL, "unrecognized bpf_ld_imm64 insn",
	RAW(0x18, R0, 7, 0, 0), RAW(0, 0, 0, 0, 0), EXIT)
REFUSED("half of a ld_imm64", EINVAL, "unknown opcode 00", RAW(0, 0, 0, 0, 0), MOV_K(R0, 0),
	EXIT)
REFUSED("falls off the end", EINVAL, "last insn is not an exit or jmp", MOV_K(R0, 0))
REFUSED("unreachable", EINVAL, "unreachable insn", MOV_K(R0, 0), EXIT, MOV_K(R0, 1), EXIT)

/* Legacy packet loads: 64 bytes 0x00 0x01 ... behind the link layer header */
#define SKB MOV_X(R6, R1)
PACKET("ld_abs8", 0x04, SKB, LDABS(B, 4), EXIT)
PACKET("ld_abs16", 0x0405, SKB, LDABS(H, 4), EXIT)
PACKET("ld_abs32", 0x04050607, SKB, LDABS(W, 4), EXIT)
PACKET("ld_abs32 unaligned", 0x05060708, SKB, LDABS(W, 5), EXIT)
PACKET("ld_ind8", 0x07, SKB, MOV_K(R3, 3), LDIND(B, R3, 4), EXIT)
PACKET("ld_ind16", 0x0708, SKB, MOV_K(R3, 3), LDIND(H, R3, 4), EXIT)
PACKET("ld_ind32", 0x0708090a, SKB, MOV_K(R3, 3), LDIND(W, R3, 4), EXIT)
PACKET("ld_ind, negative register", 0x01, SKB, MOV_K(R3, -3), LDIND(B, R3, 4), EXIT)
PACKET("ld_ind uses 32 bits", 0x07, SKB, LD64(R3, 0x100000003), LDIND(B, R3, 4), EXIT)
PACKET("ld_abs last byte", 0x3f, SKB, LDABS(B, 63), EXIT)
PACKET("ld_abs last word", 0x3c3d3e3f, SKB, LDABS(W, 60), EXIT)
PACKET("ld_abs past the end", 0, SKB, LDABS(B, 64), MOV_K(R0, 9), EXIT)
PACKET("ld_abs across the end", 0, SKB, LDABS(W, 61), MOV_K(R0, 9), EXIT)
PACKET("ld_abs far away", 0, SKB, LDABS(W, 0x7fffffff), MOV_K(R0, 9), EXIT)
PACKET("ld_ind overflowing", 0, SKB, MOV_K(R3, 0x7fffffff), LDIND(W, R3, 4), MOV_K(R0, 9), EXIT)
PACKET("ld_abs network header", 0x0203, SKB, LDABS(H, -0x100000 + 2), EXIT)
PACKET("ld_abs link header", 0xe0e1, SKB, LDABS(H, -0x200000), EXIT)
PACKET("ld_abs across both headers", 0xed00, SKB, LDABS(H, -0x200000 + 13), EXIT)
PACKET("ld_abs below the link offset", 0, SKB, LDABS(B, -0x200001), MOV_K(R0, 9), EXIT)
PACKET("ld_abs ancillary", 0, SKB, LDABS(W, -0x1000), MOV_K(R0, 9), EXIT)
PACKET("ld_abs -1", 0, SKB, LDABS(B, -1), MOV_K(R0, 9), EXIT)
PACKET("ld_abs keeps R6-R9", 0x0b, SKB, MOV_K(R7, 7), LDABS(B, 4), ALU64_X(ADD, R0, R7), EXIT)
PACKET("ld_abs is zero-extended", 0x3c, SKB, MOV_K(R0, -1), LDABS(B, 60), EXIT)
PACKET_REFUSED("ld_abs without R6", EACCES, "R6 !read_ok", LDABS(B, 0), EXIT)
PACKET_REFUSED("ld_abs64", EINVAL, "unknown opcode 38", SKB, LDABS(DW, 0), EXIT)
PACKET_REFUSED("ld_abs with a source", EINVAL, "BPF_LD_[ABS|IND] uses reserved fields", SKB,
	       RAW(0x20, 0, 1, 0, 0), EXIT)
PACKET_REFUSED("ld_abs with a destination", EINVAL, "BPF_LD_[ABS|IND] uses reserved fields", SKB,
	       RAW(0x20, 1, 0, 0, 0), EXIT)
PACKET_REFUSED("ld_ind with an offset", EINVAL, "BPF_LD_[ABS|IND] uses reserved fields", SKB,
	       MOV_K(R3, 0), RAW(0x40, 0, R3, 1, 0), EXIT)
PACKET_REFUSED("R1 after ld_abs", EACCES, "R1 !read_ok", SKB, LDABS(B, 0), MOV_X(R0, R1), EXIT)
REFUSED("ld_abs in a subprogram", EINVAL, "LD_ABS is not allowed in subprogs without BTF",
	MOV_X(R6, R1), LDABS(B, 0), EXIT)
