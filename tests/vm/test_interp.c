// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * test_interp.c: what the checked interpreter stops, and what it says then. Runs programs that no
 * verifier has seen, down to random bytes: every run ends in a result or in a fault.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/verify.h"
#include "vm/insn.h"
#include "vm/vm.h"

#include "asm.h" /* after insn.h, whose families have the same names */

#define BUDGET 5000
#define VALUE_BYTES 16
#define NR_VALUES 4
#define PACKET_BYTES 60

static u8 values[2][NR_VALUES * VALUE_BYTES];
static u64 context[4];
static u8 packet_buffer[256];

static void *value_in(u8 *area, const void *address)
{
	u64 at = (u64)((const u8 *)address - area);

	return at < sizeof(values[0]) ? area + at / VALUE_BYTES * VALUE_BYTES : NULL;
}

static void *writable_value_at(struct map *map, const void *address)
{
	(void)map;
	return value_in(values[0], address);
}

static void *read_only_value_at(struct map *map, const void *address)
{
	(void)map;
	return value_in(values[1], address);
}

static const struct map_ops writable_ops = {.name = "writable", .value_at = writable_value_at};
static const struct map_ops read_only_ops = {.name = "read_only", .value_at = read_only_value_at};
static struct map_header header = {.type = BPF_MAP_TYPE_ARRAY};
static struct map maps[2] = {
	{.ops = &writable_ops, .header = &header, .key_size = 4, .value_size = VALUE_BYTES},
	{.ops = &read_only_ops, .header = &header, .key_size = 4, .value_size = VALUE_BYTES,
	 .flags = BPF_F_RDONLY_PROG},
};

static void packet_moved(struct vm_run *run)
{
	context[0] = PTR_U64(run->packet->data);
	context[1] = PTR_U64(run->packet->data_end);
}

static int run_program(struct bpf_insn *insns, u32 count, struct vm_run *run, u64 *result)
{
	static const struct ctx_range ranges[] = {{0, 16, 0x8, 0}, {16, 24, 0xf, 0x8}};
	static const struct ctx_rules rules = {
		.size = sizeof(context), .nr_ranges = 2, .ranges = ranges};
	u32 start = 0;
	struct prog prog = {.type = prog_type_of(BPF_PROG_TYPE_SOCKET_FILTER),
			    .code = insns,
			    .insn_cnt = count,
			    .maps = {&maps[0], &maps[1]},
			    .nr_maps = 2,
			    .subprogs = &start,
			    .nr_subprogs = 1};
	struct packet packet = {.head = packet_buffer + 64,
				.data = packet_buffer + 78,
				.data_end = packet_buffer + 78 + PACKET_BYTES,
				.end = packet_buffer + sizeof(packet_buffer),
				.mac = packet_buffer + 64,
				.network = packet_buffer + 78};

	*run = (struct vm_run){.prog = &prog,
			       .ctx = context,
			       .ctx_rules = &rules,
			       .packet = &packet,
			       .packet_moved = packet_moved,
			       .insns_left = BUDGET};
	packet_moved(run);
	return vm_run(run, result);
}

struct fault_case {
	const char *name;
	const char *fault; /* NULL: runs */
	u32 at;
	struct bpf_insn insns[24];
	u32 count;
};

#define BODY(...)                                                                                  \
	.insns = {__VA_ARGS__},                                                                    \
	.count = sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)
/* An address that is put in before the run. */
#define ADDRESS(dst, what) RAW(0x18, dst, what, 0, 0), RAW(0, 0, 0, 0, 0)
enum { VALUE0 = 8, READ_ONLY0, END_OF_MAP };

enum {
	KFUNC_NONE,
#define KFUNC(name, ...) KFUNC_##name,
#include "vm/kfuncs.def"
#undef KFUNC
	KFUNC_END
};
#define CALL_KERNEL(function) RAW(0x85, 0, 2, 0, KFUNC_##function)
/* R1 = fp-8 */
#define FRAME_R1 MOV_X(R1, R10), ALU64_K(ADD, R1, -8)

static const struct fault_case cases[] = {
	{"stack", NULL, 0, BODY(ST_K(DW, R10, -512, 1), ST_K(B, R10, -1, 1), MOV_K(R0, 0), EXIT)},
	{"stack reads as zero", NULL, 0, BODY(LD(DW, R0, R10, -256), EXIT)},
	{"above the stack", "store of 8 bytes at fp+0 of frame 0", 0,
	 BODY(ST_K(DW, R10, 0, 1), EXIT)},
	{"below the stack", "load of 8 bytes at fp-520 of frame 0", 0,
	 BODY(LD(DW, R0, R10, -520), EXIT)},
	{"across the stack's end", "store of 8 bytes at fp-4 of frame 0", 0,
	 BODY(ST_K(DW, R10, -4, 1), EXIT)},
	{"misaligned stack", "misaligned store of 4 bytes at fp-6", 0,
	 BODY(ST_K(W, R10, -6, 1), EXIT)},
	{"caller's stack", NULL, 0,
	 BODY(MOV_X(R1, R10), CALL_LOCAL(2), MOV_K(R0, 0), EXIT, ST_K(DW, R1, -8, 1), EXIT)},
	{"above the caller's stack", "store of 8 bytes at fp+0 of frame 0", 4,
	 BODY(MOV_X(R1, R10), CALL_LOCAL(2), MOV_K(R0, 0), EXIT, ST_K(DW, R1, 0, 1), EXIT)},
	{"stack of a frame that has gone", "fp-520 of frame 0", 1,
	 BODY(CALL_LOCAL(3), LD(B, R0, R0, 0), EXIT, EXIT, MOV_X(R0, R10), ALU64_K(ADD, R0, -1544),
	      EXIT)},
	{"live frames only", "fp+1016 of frame 0", 1,
	 BODY(CALL_LOCAL(2), LD(B, R0, R0, 0), EXIT, MOV_X(R0, R10), ALU64_K(ADD, R0, -8), EXIT)},
	{"NULL", "load of 4 bytes at 0x8, which is no address (a NULL pointer?)", 1,
	 BODY(MOV_K(R3, 8), LD(W, R0, R3, 0), EXIT)},
	{"wild", "which is no memory of this program", 1,
	 BODY(MOV_K(R3, -4096), LD(W, R0, R3, 0), EXIT)},
	{"context", NULL, 0, BODY(LD(DW, R0, R1, 8), ST_X(DW, R1, 16, R0), LD(B, R0, R1, 17), EXIT)},
	{"context, narrow", "load of 4 bytes at context offset 0", 0,
	 BODY(LD(W, R0, R1, 0), EXIT)},
	{"context, store", "store of 8 bytes at context offset 0", 0,
	 BODY(ST_K(DW, R1, 0, 0), EXIT)},
	{"context, unnamed bytes", "load of 1 bytes at context offset 24", 0,
	 BODY(LD(B, R0, R1, 24), EXIT)},
	{"packet", NULL, 0, BODY(LD(DW, R3, R1, 0), LD(W, R0, R3, 56), EXIT)},
	{"packet, behind", "load of 4 bytes at packet offset 57, the packet has 60 read-only bytes",
	 1, BODY(LD(DW, R3, R1, 0), LD(W, R0, R3, 57), EXIT)},
	{"packet, before", "load of 1 bytes at packet offset -1", 1,
	 BODY(LD(DW, R3, R1, 0), LD(B, R0, R3, -1), EXIT)},
	{"packet, store", "store of 1 bytes at packet offset 0", 1,
	 BODY(LD(DW, R3, R1, 0), ST_K(B, R3, 0, 0), EXIT)},
	{"value", NULL, 0, BODY(ADDRESS(R3, VALUE0), ST_K(DW, R3, 8, 1), LD(B, R0, R3, 9), EXIT)},
	{"value, across two", "store of 8 bytes at offset 12 of a map value of 16 bytes", 2,
	 BODY(ADDRESS(R3, VALUE0), ST_K(DW, R3, 12, 1), EXIT)},
	{"value, the next one", NULL, 0, BODY(ADDRESS(R3, VALUE0), LD(DW, R0, R3, 16), EXIT)},
	{"value, before the first", "load of 1 bytes at", 2,
	 BODY(ADDRESS(R3, VALUE0), LD(B, R0, R3, -1), EXIT)},
	{"read-only value", "store of 1 bytes at offset 0 of a map value of 16 read-only bytes", 3,
	 BODY(ADDRESS(R3, READ_ONLY0), LD(B, R0, R3, 0), ST_K(B, R3, 0, 0), EXIT)},
	{"atomic on a value", NULL, 0,
	 BODY(ADDRESS(R3, VALUE0), MOV_K(R0, 1), ATOMIC(DW, ADD, R3, 8, R0), EXIT)},
	{"atomic, misaligned", "misaligned atomic access of 8 bytes", 3,
	 BODY(ADDRESS(R3, VALUE0), MOV_K(R0, 1), ATOMIC(DW, ADD, R3, 4, R0), EXIT)},
	{"atomic on read-only", "atomic access of 4 bytes at offset 0", 3,
	 BODY(ADDRESS(R3, READ_ONLY0), MOV_K(R0, 1), ATOMIC(W, ADD, R3, 0, R0), EXIT)},
	{"load_acquire on read-only", NULL, 0,
	 BODY(ADDRESS(R3, READ_ONLY0), ATOMIC(W, LOAD_ACQ, R0, 0, R3), EXIT)},
	{"atomic on the context", "unknown atomic instruction 02", 1,
	 BODY(MOV_K(R0, 1), ATOMIC(W, 0x02, R1, 0, R0), EXIT)},
	{"clobbered register", "a register that a call has clobbered", 1,
	 BODY(CALL(BPF_FUNC_get_smp_processor_id), LD(B, R0, R1, 0), EXIT)},
	{"9 frames", "the call stack of 9 frames is too deep", 0, BODY(CALL_LOCAL(-1), EXIT)},
	{"endless", "the instruction budget is used up", 0, BODY(JA(-1))},
	{"jump outside", "jump out of range to 100", 0, BODY(JA(99), EXIT)},
	{"call outside", "jump out of range to -5", 0, BODY(CALL_LOCAL(-6), EXIT)},
	{"into a ld_imm64", "unknown instruction 00", 2,
	 BODY(JA(1), LD64(R0, 5), EXIT)},
	{"unknown opcode", "unknown instruction ff", 0, BODY(RAW(0xff, 0, 0, 0, 0), EXIT)},
	{"unknown variant", "unknown instruction 37", 0, BODY(RAW(0x37, 0, 0, 5, 1), EXIT)},
	{"unknown helper", "call of helper 99999, which programs of this type have not", 0, BODY(CALL(99999), EXIT)},
	{"kernel function 0", "call of a kernel function which programs", 0,
	 BODY(CALL_KERNEL(NONE), EXIT)},
	{"kernel function beyond the last", "call of a kernel function which programs", 0,
	 BODY(CALL_KERNEL(END), EXIT)},
	{"RCU section", NULL, 0,
	 BODY(CALL_KERNEL(rcu_read_lock), CALL_KERNEL(rcu_read_unlock), MOV_K(R0, 0), EXIT)},
	{"RCU section not begun", "unmatched rcu read unlock", 0,
	 BODY(CALL_KERNEL(rcu_read_unlock), EXIT)},
	{"RCU section twice", "nested rcu read lock", 1,
	 BODY(CALL_KERNEL(rcu_read_lock), CALL_KERNEL(rcu_read_lock), EXIT)},
	{"RCU section not ended", "cannot be used inside bpf_rcu_read_lock-ed region", 0,
	 BODY(CALL_KERNEL(rcu_read_lock), MOV_K(R0, 0), EXIT)},
	{"preemption enabled", "unmatched attempt to enable preemption", 0,
	 BODY(CALL_KERNEL(preempt_enable), EXIT)},
	{"preemption left disabled", "inside bpf_preempt_disable-ed region", 0,
	 BODY(CALL_KERNEL(preempt_disable), MOV_K(R0, 0), EXIT)},
	{"interrupts left disabled", "inside bpf_local_irq_save-ed region", 2,
	 BODY(FRAME_R1, CALL_KERNEL(local_irq_save), MOV_K(R0, 0), EXIT)},
	{"interrupts in wrong order", "cannot restore irq state out of order", 8,
	 BODY(FRAME_R1, CALL_KERNEL(local_irq_save), MOV_X(R1, R10), ALU64_K(ADD, R1, -16),
	      CALL_KERNEL(local_irq_save), FRAME_R1, CALL_KERNEL(local_irq_restore), EXIT)},
	{"iterator outside the stack", "R1 of bpf_iter_num_next: 8 writable bytes at", 0,
	 BODY(CALL_KERNEL(iter_num_next), EXIT)},
	{"forged iterator", NULL, 0,
	 BODY(FRAME_R1, ST_K(DW, R10, -8, -1), CALL_KERNEL(iter_num_next), MOV_K(R0, 0), EXIT)},
	{"forged iterator over bits", "R1 of bpf_iter_bits_next is no iterator", 4,
	 BODY(MOV_X(R1, R10), ALU64_K(ADD, R1, -16), ST_K(DW, R10, -16, 4096),
	      ST_K(DW, R10, -8, 128), CALL_KERNEL(iter_bits_next), EXIT)},
	{"iterator left", "would lead to reference leak", 6,
	 BODY(MOV_X(R1, R10), ALU64_K(ADD, R1, -16), MOV_X(R2, R10), ALU64_K(ADD, R2, -64),
	      MOV_K(R3, 2), MOV_K(R0, 0), CALL_KERNEL(iter_bits_new), MOV_K(R0, 0), EXIT)},
	{"too many iterators", "would lead to reference leak", 5,
	 BODY(MOV_X(R1, R10), ALU64_K(ADD, R1, -16), MOV_X(R2, R10), ALU64_K(ADD, R2, -64),
	      MOV_K(R3, 2), CALL_KERNEL(iter_bits_new), MOV_X(R6, R0), J_K(JEQ, R6, 0, -8),
	      MOV_K(R0, 0), EXIT)},
	{"exception where there are none", "call of a kernel function which programs", 1,
	 BODY(MOV_K(R1, 3), CALL_KERNEL(throw), EXIT)},
	{"no end", "does not end with an exit or a jump", 0, BODY(MOV_K(R0, 0))},
	{"ld_imm64 over the end", "unknown instruction 18", 0,
	 BODY(RAW(0x18, 0, 0, 0, 0), EXIT)},
	{"lookup without a map", "R1 of bpf_map_lookup_elem is not a map of this program", 1,
	 BODY(MOV_K(R2, 0), CALL(BPF_FUNC_map_lookup_elem), EXIT)},
	{"helper memory", "R1 of bpf_trace_printk: 600 readable bytes at fp-512 of frame 0", 3,
	 BODY(MOV_X(R1, R10), ALU64_K(ADD, R1, -512), MOV_K(R2, 600),
	      CALL(BPF_FUNC_trace_printk), EXIT)},
	{"helper memory, huge", "18446744073709551615 readable bytes", 3,
	 BODY(MOV_X(R1, R10), ALU64_K(ADD, R1, -512), MOV_K(R2, -1),
	      CALL(BPF_FUNC_trace_printk), EXIT)},
	{"number between two words", "R4 of bpf_strtol is not aligned to 8 bytes", 6,
	 BODY(MOV_X(R1, R10), ALU64_K(ADD, R1, -8), MOV_K(R2, 8), MOV_K(R3, 0), MOV_X(R4, R10),
	      ALU64_K(ADD, R4, -20), CALL(BPF_FUNC_strtol), EXIT)},
	{"packet load", NULL, 0, BODY(MOV_X(R6, R1), LDABS(W, 56), EXIT)},
	{"packet load without R6", "R6 is not the context", 0, BODY(LDABS(W, 56), EXIT)},
};

static void put_addresses(struct bpf_insn *insns, u32 count)
{
	for (u32 i = 0; i + 1 < count; i++) {
		u64 address = PTR_U64(insns[i].src_reg == VALUE0 ? values[0] : values[1]);

		if (insns[i].code != 0x18 || insns[i].src_reg < VALUE0)
			continue;
		insns[i].src_reg = 0;
		insns[i].imm = (s32)address;
		insns[i + 1].imm = (s32)(address >> 32);
	}
}

static void run_case(void **state)
{
	const struct fault_case *c = *state;
	struct bpf_insn insns[24];
	struct vm_run run;
	u64 result;
	int err;

	memcpy(insns, c->insns, sizeof(insns));
	put_addresses(insns, c->count);
	err = run_program(insns, c->count, &run, &result);
	if (!c->fault) {
		if (err)
			fail_msg("fault at %u: %s", run.fault.insn, run.fault.text);
		return;
	}
	assert_int_equal(err, -EFAULT);
	assert_true(run.fault.set);
	if (!strstr(run.fault.text, c->fault))
		fail_msg("fault \"%s\" instead of \"%s\"", run.fault.text, c->fault);
	assert_int_equal(run.fault.insn, c->at);
}

/* Random programs */

static u64 random_state = 42;

static u32 random_below(u32 limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 32) % limit;
}

static s32 random_number(void)
{
	static const s32 likely_ones[] = {0, 1, -1, 2, 4, 8, 16, 64, -8, -16, -512, 0x7fffffff};

	return random_below(4) ? likely_ones[random_below(ARRAY_SIZE(likely_ones))]
			       : (s32)random_below(UINT32_MAX);
}

/* Mostly one of insn.def with plausible operands, and helpers that need no more than the run. */
static struct bpf_insn random_insn(u32 count)
{
	static const s32 helpers[] = {
		BPF_FUNC_map_lookup_elem,  BPF_FUNC_map_update_elem,
		BPF_FUNC_map_delete_elem,  BPF_FUNC_ktime_get_ns,
		BPF_FUNC_get_prandom_u32,  BPF_FUNC_get_smp_processor_id,
		BPF_FUNC_get_current_comm, BPF_FUNC_strtol,
		BPF_FUNC_snprintf,	   BPF_FUNC_loop,
		BPF_FUNC_for_each_map_elem, -1,
	};
	const struct insn_info *info = &insn_infos[1 + random_below(INSN_COUNT - 1)];
	u8 class = BPF_CLASS(info->code);
	bool jump = class == BPF_JMP || class == BPF_JMP32;
	struct bpf_insn insn = RAW(random_below(50) ? info->code : (u8)random_below(256),
				   random_below(12), random_below(12), 0, 0);

	insn.imm = (s32)info->name[0] == 'A' ? random_number() % 4 : random_number();
	insn.off = (s16)(jump ? (s32)random_below(count) - (s32)count / 2 : random_number() % 600);
	if (class == BPF_ALU || class == BPF_ALU64)
		insn.off = (s16)(random_below(4) ? 0 : random_below(3) * 8);
	if (info->code == (BPF_JMP | BPF_CALL)) {
		insn.src_reg = random_below(2);
		insn.imm = insn.src_reg ? insn.off : helpers[random_below(ARRAY_SIZE(helpers))];
	}
	return insn;
}

/* Values and the context as pointers, to be stumbled upon. */
static u32 random_program(struct bpf_insn *insns, u32 room)
{
	const struct bpf_insn head[] = {ADDRESS(R7, VALUE0), ADDRESS(R8, READ_ONLY0), MOV_X(R6, R1),
					LD(DW, R9, R1, 0),   MOV_X(R0, R10),
					MOV_X(R2, R10),      ALU64_K(ADD, R2, -64)};
	const struct bpf_insn end = EXIT;
	u32 count = ARRAY_SIZE(head) + 1 + random_below(room - ARRAY_SIZE(head) - 1);

	memcpy(insns, head, sizeof(head));
	put_addresses(insns, ARRAY_SIZE(head));
	for (u32 i = ARRAY_SIZE(head); i < count; i++)
		insns[i] = random_insn(count);
	if (random_below(20))
		insns[count - 1] = end;
	return count;
}

static void verify_copy(const struct bpf_insn *insns, u32 count)
{
	struct bpf_insn copy[64];
	struct verify_result result;
	struct verify_request request = {
		.type = prog_type_of(BPF_PROG_TYPE_SOCKET_FILTER),
		.gpl_compatible = true,
		.insns = copy,
		.insn_cnt = count,
	};

	memcpy(copy, insns, count * sizeof(*insns));
	if (!verify_program(&request, &result))
		verify_release(&result);
}

static void random_programs_end(void **state)
{
	struct bpf_insn insns[64];
	u32 results = 0, faults = 0;
	struct vm_run run;
	u64 result;

	(void)state;
	for (u32 i = 0; i < 200000; i++) {
		u32 count = random_program(insns, ARRAY_SIZE(insns));

		verify_copy(insns, count);
		if (!run_program(insns, count, &run, &result))
			results++;
		else if (run.fault.set && run.fault.text[0] && run.fault.insn < count)
			faults++;
	}
	assert_int_equal(results + faults, 200000);
	assert_true(results > 1000);
}

/* Random bytes without any plausibility. */
static void random_bytes_end(void **state)
{
	struct bpf_insn insns[64];
	const struct bpf_insn end = EXIT;
	struct vm_run run;
	u64 result;

	(void)state;
	for (u32 i = 0; i < 100000; i++) {
		u32 count = 1 + random_below(ARRAY_SIZE(insns)), words = count * sizeof(*insns) / 4;

		for (u32 j = 0; j < words; j++) {
			u32 word = random_below(UINT32_MAX);

			memcpy((u8 *)insns + 4 * j, &word, 4);
		}
		insns[count - 1] = end;
		verify_copy(insns, count);
		if (run_program(insns, count, &run, &result))
			assert_true(run.fault.set);
	}
}

#define NR_CASES ARRAY_SIZE(cases)

int main(void)
{
	static struct CMUnitTest tests[NR_CASES + 2] = {
		cmocka_unit_test(random_programs_end),
		cmocka_unit_test(random_bytes_end),
	};

	for (u32 i = 0; i < NR_CASES; i++)
		tests[2 + i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL,
						   (void *)&cases[i]};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("interp", tests, NR_CASES + 2, NULL, NULL);
}
