/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_prog_array.c: what of PROG_ARRAY and tail calls only this side of bpf(2) can see: that every run ends,
 * and the death of who empties an array. Each case runs in a realm of its own.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "unit/realm_cases.h"

#include <errno.h>
#include <linux/btf.h>

#include "base/atomic.h"
#include "vm/asm.h"
#include "vm/jit.h"

#define SLOTS 4
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TAIL_CALL(fd, index)                                                                       \
	LD64_RAW(R2, BPF_PSEUDO_MAP_FD, fd, 0), MOV_K(R3, index), CALL(BPF_FUNC_tail_call)
#define LOAD_AS(type, ...)                                                                         \
	load(type, (const struct bpf_insn[]){__VA_ARGS__},                                         \
	     COUNT(((const struct bpf_insn[]){__VA_ARGS__})))
#define LOAD(...) LOAD_AS(BPF_PROG_TYPE_SCHED_CLS, __VA_ARGS__)

/* A subprogram that makes tail calls needs BTF: a function for each. */
static int load_btf(void)
{
	static const struct {
		struct btf_header header;
		u32 types[13];
		char strings[8];
	} btf = {
		{BTF_MAGIC, 1, 0, sizeof(btf.header), 0, sizeof(btf.types), sizeof(btf.types),
		 sizeof(btf.strings)},
		{1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32,
		 0, BTF_KIND_PTR << 24, 0,
		 0, BTF_KIND_FUNC_PROTO << 24, 1,
		 5, BTF_KIND_FUNC << 24 | BTF_FUNC_STATIC, 3},
		"\0int\0f",
	};
	union bpf_attr attr = {.btf = PTR_U64(&btf), .btf_size = sizeof(btf)};
	const int fd = (int)call(BPF_BTF_LOAD, &attr);

	CHECK(fd >= 0);
	return fd;
}

static int load_with_sub(const struct bpf_insn *insns, u32 count, u32 sub)
{
	const struct bpf_func_info functions[] = {{0, 4}, {sub, 4}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
			       .insns = PTR_U64(insns),
			       .insn_cnt = count,
			       .license = PTR_U64("GPL"),
			       .prog_btf_fd = (u32)load_btf(),
			       .func_info_rec_size = sizeof(functions[0]),
			       .func_info = PTR_U64(functions),
			       .func_info_cnt = COUNT(functions)};
	const int fd = (int)call(BPF_PROG_LOAD, &attr);

	CHECK(fd >= 0);
	return fd;
}

static int load(u32 type, const struct bpf_insn *insns, u32 count)
{
	union bpf_attr attr = {.prog_type = type,
			       .insns = PTR_U64(insns),
			       .insn_cnt = count,
			       .license = PTR_U64("GPL")};
	const int fd = (int)call(BPF_PROG_LOAD, &attr);

	CHECK(fd >= 0);
	return fd;
}

static int make_array(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_PROG_ARRAY,
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = SLOTS};
	const int fd = (int)call(BPF_MAP_CREATE, &attr);

	CHECK(fd >= 0);
	return fd;
}

static void set(int map, u32 index, int program)
{
	union bpf_attr attr = {
		.map_fd = (u32)map, .key = PTR_U64(&index), .value = PTR_U64(&program)};

	CHECK(call(BPF_MAP_UPDATE_ELEM, &attr) == 0);
}

static long run(int program, u32 *retval)
{
	u8 packet[64] = {0};
	union bpf_attr attr = {.test = {.prog_fd = (u32)program,
					.data_in = PTR_U64(packet),
					.data_size_in = sizeof(packet)}};
	const long err = call(BPF_PROG_TEST_RUN, &attr);

	*retval = attr.test.retval;
	return err;
}

static int caller(int map)
{
	return LOAD(TAIL_CALL(map, 0), MOV_K(R0, 9), EXIT);
}

/* A chain of programs that would take long by themselves shares the budget of one run. */
static void run_ends(void)
{
	const int map = make_array();
	u32 retval;

	for (int trusted = 0; trusted < 2; trusted++) {
		vm_trust_loaded(trusted);
		/* 2^24 turns of 2 in each of 34: more than 2^28 */
		int loops = LOAD(MOV_X(R6, R1), MOV_K(R7, 1 << 24), ALU64_K(SUB, R7, 1),
				 J_K(JNE, R7, 0, -2), MOV_X(R1, R6), TAIL_CALL(map, 0),
				 MOV_K(R0, 1), EXIT);

		set(map, 0, loops);
		CHECK(run(loops, &retval) == (trusted ? 0 : -EFAULT));
	}
}

static void test_run_ends(void **state)
{
	IN_CHILD(run_ends());
}

static u32 programs_alive(void)
{
	u32 count = 0;

	for (u32 id = 0; !object_next_id(OBJECT_PROG, id, &id);)
		count++;
	return count;
}

static void collect(void *arg)
{
	object_collect();
}

/* The id of an array that nothing but two programs in it refers to; one has a descriptor. */
static u32 make_unused(int *keeper)
{
	const int map = make_array(), other = caller(map);
	struct object *object;
	u32 id;

	*keeper = caller(map);
	set(map, 0, *keeper);
	set(map, 1, other);
	close(other);
	CHECK(!object_from_fd(map, OBJECT_MAP, &object, NULL));
	id = object->id;
	object_put(object);
	close(map);
	return id;
}

/* Whoever dies on the way, the next one ends it. */
static void emptier_dies(void)
{
	bool died = true;
	int keeper;

	for (u32 place = 1; died; place++) {
		const u32 id = make_unused(&keeper);
		const struct death death = {.run = collect, .at_calls = true};
		struct object *object;

		died = dies_at(&death, place);
		CHECK(programs_alive() == 1);
		CHECK(!object_from_id(OBJECT_MAP, id, &object));
		for (u32 index = 0; index < SLOTS; index++)
			CHECK(!map_of(object)->ops->object_id(map_of(object), &index));
		CHECK(map_of(object)->ops->is_valid(map_of(object)));
		object_put(object);
		close(keeper);
		CHECK(programs_alive() == 0);
		object_collect(); /* unmaps, which else a child would do */
	}
}

static void test_emptier_dies(void **state)
{
	IN_CHILD(emptier_dies());
}

/* A program that reads the packet, in an array that a program without one calls through. */
static void other_kind(void)
{
	const int map = make_array(),
		  reader = LOAD(MOV_X(R3, R10), ALU64_K(ADD, R3, -8), MOV_K(R2, 0), MOV_K(R4, 8),
				CALL(BPF_FUNC_skb_load_bytes), EXIT),
		  caller = LOAD_AS(BPF_PROG_TYPE_RAW_TRACEPOINT, TAIL_CALL(map, 0), MOV_K(R0, 9), EXIT);
	union bpf_attr attr = {.test = {.prog_fd = (u32)caller}};
	struct object *array, *program;

	CHECK(!object_from_fd(map, OBJECT_MAP, &array, NULL));
	CHECK(!object_from_fd(reader, OBJECT_PROG, &program, NULL));
	store_release((u64 *)(uintptr_t)map_of(array)->slots, program->id);
	CHECK(call(BPF_PROG_TEST_RUN, &attr) == 0);
	CHECK(attr.test.retval == 9);
	object_put(program);
	object_put(array);
}

static void test_other_kind(void **state)
{
	IN_CHILD(other_kind());
}

static int make_value(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 64, .max_entries = 1};
	const int fd = (int)call(BPF_MAP_CREATE, &attr);

	CHECK(fd >= 0);
	return fd;
}

/* The callee leaves where its dynptr lay: in frames that have gone when the caller looks. */
static void dynptr_outlives_frame(void)
{
	const int map = make_array(), value = make_value(),
		  callee = LOAD(LD64_RAW(R6, BPF_PSEUDO_MAP_VALUE, value, 0), MOV_X(R1, R6),
				ALU64_K(ADD, R1, 16), MOV_K(R2, 16), MOV_K(R3, 0), MOV_X(R4, R10),
				ALU64_K(ADD, R4, -16), ST_X(DW, R6, 0, R4),
				CALL(BPF_FUNC_dynptr_from_mem), EXIT);
	const struct bpf_insn caller[] = {
		CALL_LOCAL(8), LD64_RAW(R6, BPF_PSEUDO_MAP_VALUE, value, 0), LD(DW, R1, R6, 0),
		MOV_K(R2, 0), MOV_K(R3, 8), CALL(BPF_FUNC_dynptr_data), MOV_K(R0, 0), EXIT,
		TAIL_CALL(map, 0), MOV_K(R0, 9), EXIT,
	};
	u32 retval;

	set(map, 0, callee);
	CHECK(run(callee, &retval) == 0);
	CHECK(run(load_with_sub(caller, COUNT(caller), 9), &retval) == -EFAULT);
}

static void test_dynptr_outlives_frame(void **state)
{
	IN_CHILD(dynptr_outlives_frame());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_run_ends),
		CASE(test_emptier_dies),
		CASE(test_other_kind),
		CASE(test_dynptr_outlives_frame),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
