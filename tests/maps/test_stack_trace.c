/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_stack_trace.c: STACK_TRACE and the helpers that get stacks, with the same expectations on
 * kernel and userbpf. Only stacks of user space: userbpf has no other. The first frame differs (the
 * C library's syscall() or its caller), so what is compared are the frames behind it.
 */
#include <sys/mman.h>

#include "../vm/run.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define STACK_TRACE BPF_MAP_TYPE_STACK_TRACE
#define USER BPF_F_USER_STACK
#define DEPTH 64u
#if __has_attribute(noipa)
#define NOT_INLINED __attribute__((noipa)) /* nor cloned: each call is a frame */
#else
#define NOT_INLINED __attribute__((noinline))
#endif

static int stacks, room, id_prog, stack_prog;
static uint64_t frames[DEPTH + 1];

/* Flags lie in the context. */
static int load_stackid(int map)
{
	const struct bpf_insn insns[] = {
		LD(DW, R3, R1, 0),
		LD64_RAW(R2, BPF_PSEUDO_MAP_FD, map, 0),
		CALL(BPF_FUNC_get_stackid),
		EXIT,
	};

	return prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, insns, COUNT(insns));
}

/* At most size bytes into the array. */
static int load_stack(int array, int size)
{
	const struct bpf_insn insns[] = {
		LD(DW, R4, R1, 0),
		LD64_RAW(R2, BPF_PSEUDO_MAP_VALUE, array, 0),
		MOV_K(R3, size),
		CALL(BPF_FUNC_get_stack),
		EXIT,
	};

	return prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, insns, COUNT(insns));
}

static NOT_INLINED int run(int prog, uint64_t flags)
{
	uint64_t ctx[2] = {flags};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.ctx_in = ptr64(ctx),
					.ctx_size_in = sizeof(ctx)}};
	long err = bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));

	return err ? (int)err : (int)t.a.test.retval;
}

/* Through frames whose return addresses are known. */
static uint64_t returns[DEPTH];

static NOT_INLINED int run_deep(int prog, uint64_t flags, unsigned depth)
{
	int result;

	returns[depth] = ptr64(__builtin_return_address(0));
	result = depth ? run_deep(prog, flags, depth - 1) : run(prog, flags);
	__asm__ volatile("" : "+r"(result)); /* no jump in place of the call */
	return result;
}

static int get_stack(uint64_t flags, unsigned depth)
{
	uint32_t key = 0;
	int size;

	memset(frames, 0x55, sizeof(frames));
	assert_int_equal(map_update(room, &key, frames, 0), 0);
	size = run_deep(stack_prog, flags, depth);
	assert_int_equal(map_lookup(room, &key, frames), 0);
	return size;
}

static void test_create(void **state)
{
	static const struct {
		unsigned key, value, entries, flags;
		int error;
	} cases[] = {
		{4, 8, 1, 0, 0},     {4, 1016, 1, 0, 0},      {4, 1024, 1, 0, -EINVAL},
		{4, 12, 1, 0, -EINVAL}, {4, 0, 1, 0, -EINVAL}, {4, 4, 1, 0, -EINVAL},
		{8, 8, 1, 0, -EINVAL},  {4, 8, 0, 0, -EINVAL}, {4, 8, 0x80000001, 0, -E2BIG},
		{4, 32, 1, BPF_F_STACK_BUILD_ID, 0},
		{4, 40, 1, BPF_F_STACK_BUILD_ID, -EINVAL},
		{4, 127 * 32, 1, BPF_F_STACK_BUILD_ID, 0},
		{4, 128 * 32, 1, BPF_F_STACK_BUILD_ID, -EINVAL},
		{4, 8, 1, BPF_F_NO_PREALLOC, -EINVAL}, {4, 8, 1, BPF_F_RDONLY_PROG, -EINVAL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		int fd = map_create(STACK_TRACE, cases[i].key, cases[i].value, cases[i].entries,
				    cases[i].flags);

		assert_int_equal(fd < 0 ? fd : 0, cases[i].error);
		if (fd >= 0)
			close(fd);
	}
}

static void test_get_stack(void **state)
{
	const unsigned depth = 5;
	int size, less;

	(void)state;
	size = get_stack(USER, depth);
	assert_true(size >= (int)(8 * (depth + 2)) && size <= (int)(8 * DEPTH));
	for (unsigned i = 0; i <= depth; i++)
		assert_int_equal(frames[2 + i], returns[i]); /* behind run() and its caller */
	for (unsigned i = (unsigned)size / 8; i < DEPTH; i++)
		assert_int_equal(frames[i], 0);
	assert_int_equal(frames[DEPTH], 0x5555555555555555);
	less = get_stack(USER | 3, depth);
	assert_int_equal(less, size - 24);
	assert_int_equal(frames[0], returns[1]);
	assert_int_equal(get_stack(USER | 255, depth), -EFAULT);
	for (unsigned i = 0; i < DEPTH; i++)
		assert_int_equal(frames[i], 0);
	assert_int_equal(get_stack(USER | (uint64_t)(size / 8), depth), 0);
	assert_int_equal(get_stack(USER | (uint64_t)(size / 8 + 1), depth), -EFAULT);
}

static void test_get_stack_sizes(void **state)
{
	int small = load_stack(room, 16), odd = load_stack(room, 20);
	int none = load_stack(room, 0);

	(void)state;
	assert_int_equal(run(small, USER), 16);
	assert_int_equal(run(odd, USER), -EINVAL);
	assert_int_equal(run(none, USER), 0);
	assert_int_equal(run(small, USER | BPF_F_USER_BUILD_ID), -EINVAL);
	close(small);
	close(odd);
	close(none);
}

static void test_flags(void **state)
{
	(void)state;
	for (unsigned bit = 8; bit < 64; bit++) {
		const uint64_t flag = 1ull << bit, known_id = USER | BPF_F_FAST_STACK_CMP |
							      BPF_F_REUSE_STACKID;

		if (!(flag & known_id))
			assert_int_equal(run(id_prog, USER | flag), -EINVAL);
		if (!(flag & (USER | BPF_F_USER_BUILD_ID)))
			assert_int_equal(run(stack_prog, USER | flag), -EINVAL);
	}
	assert_int_equal(run(stack_prog, BPF_F_USER_BUILD_ID), -EINVAL);
	assert_int_equal(run(id_prog, USER | 255), -EFAULT);
}

/* From one place: another caller is another stack. The compiler must not unroll such loops. */
static volatile unsigned rounds;

static void test_stackid(void **state)
{
	static const uint64_t flags[] = {USER, USER, USER | BPF_F_FAST_STACK_CMP};
	uint64_t trace[DEPTH], other[DEPTH];
	uint32_t key, next;
	int ids[3];

	(void)state;
	rounds = 3;
	for (unsigned i = 0; i < rounds; i++)
		ids[i] = run_deep(id_prog, flags[i], 4);
	assert_true(ids[0] >= 0);
	assert_int_equal(ids[1], ids[0]);
	assert_int_equal(ids[2], ids[0]);
	key = (uint32_t)ids[0];
	assert_int_equal(map_lookup(stacks, &key, trace), 0);
	for (unsigned i = 2; i < 7; i++)
		assert_int_equal(trace[i], returns[i - 2]);
	assert_int_equal(map_next_key(stacks, NULL, &next), 0);
	assert_int_equal(next, key);
	assert_int_equal(map_next_key(stacks, &key, &next), -ENOENT);
	assert_int_equal(map_update(stacks, &key, trace, 0), -EINVAL);
	assert_int_equal(map_update(stacks, &key, trace, BPF_EXIST), -EINVAL);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, stacks, &key, other, 0), 0);
	assert_memory_equal(trace, other, sizeof(trace));
	assert_int_equal(map_lookup(stacks, &key, other), -ENOENT);
	assert_int_equal(map_delete(stacks, &key), -ENOENT);
	assert_int_equal(map_next_key(stacks, NULL, &next), -ENOENT);
}

/* Of three entries there are four slots. */
static void test_indices(void **state)
{
	int map = map_create(STACK_TRACE, 4, 64, 3, 0);
	uint64_t value[8];
	uint32_t key = 3;

	(void)state;
	assert_int_equal(map_lookup(map, &key, value), -ENOENT);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	key = 4;
	assert_int_equal(map_lookup(map, &key, value), -ENOENT);
	assert_int_equal(map_delete(map, &key), -E2BIG);
	close(map);
}

static void test_one_slot(void **state)
{
	int map = map_create(STACK_TRACE, 4, 8 * DEPTH, 1, 0), prog = load_stackid(map);
	static const struct {
		uint64_t flags;
		unsigned depth;
		int result;
	} steps[] = {
		{USER, 1, 0},
		{USER, 2, -EEXIST},
		{USER | BPF_F_FAST_STACK_CMP, 2, -EEXIST},
		{USER | BPF_F_REUSE_STACKID, 2, -ENOMEM},
		{USER | BPF_F_REUSE_STACKID, 1, 0},
		{USER | BPF_F_FAST_STACK_CMP, 1, 0},
		{USER, 1, 0},
	};
	uint32_t key = 0;

	(void)state;
	rounds = COUNT(steps);
	for (unsigned i = 0; i < rounds; i++)
		assert_int_equal(run_deep(prog, steps[i].flags, steps[i].depth), steps[i].result);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(run_deep(prog, USER, 2), 0);
	close(prog);
	close(map);
}

/* What was entered last is there, whatever it replaced. */
static void test_reuse(void **state)
{
	int map = map_create(STACK_TRACE, 4, 8 * DEPTH, 3, 0), prog = load_stackid(map);
	uint64_t trace[DEPTH];
	unsigned entered = 0;

	(void)state;
	for (unsigned depth = 1; depth < 40; depth++) {
		int id = run_deep(prog, USER | BPF_F_REUSE_STACKID, depth);
		uint32_t key = (uint32_t)id;

		if (id == -ENOMEM)
			continue;
		assert_in_range(id, 0, 3);
		entered++;
		assert_int_equal(map_lookup(map, &key, trace), 0);
		for (unsigned i = 0; i <= depth; i++)
			assert_int_equal(trace[2 + i], returns[i]);
	}
	assert_true(entered >= 3);
	close(prog);
	close(map);
}

static void check_build_ids(const struct bpf_stack_build_id *ids, unsigned from)
{
	for (unsigned i = from; i < from + 3; i++) {
		assert_int_equal(ids[i].status, BPF_STACK_BUILD_ID_VALID);
		assert_memory_equal(ids[i].build_id, ids[from].build_id, sizeof(ids[i].build_id));
		assert_int_equal(ids[i].offset - ids[from].offset,
				 returns[i - 2] - returns[from - 2]);
	}
}

static void test_build_ids(void **state)
{
	int map = map_create(STACK_TRACE, 4, 32 * 8, 4, BPF_F_STACK_BUILD_ID);
	int prog = load_stackid(map);
	struct bpf_stack_build_id ids[DEPTH];
	uint32_t key;
	int id;

	(void)state;
	assert_int_equal(get_stack(USER | BPF_F_USER_BUILD_ID, 10), sizeof(frames) / 32 * 32);
	memcpy(ids, frames, sizeof(frames) - 8);
	check_build_ids(ids, 2);
	id = run_deep(prog, USER, 10);
	assert_true(id >= 0);
	key = (uint32_t)id;
	assert_int_equal(map_lookup(map, &key, ids), 0);
	check_build_ids(ids, 2);
	close(prog);
	close(map);
}

/* As many frames with build ids as a value can have room for. */
static void test_deep_build_ids(void **state)
{
	int map = map_create(STACK_TRACE, 4, 32 * 127, 4, BPF_F_STACK_BUILD_ID);
	int prog = load_stackid(map), id = run_deep(prog, USER, DEPTH - 1);
	struct bpf_stack_build_id ids[127];
	uint32_t key = (uint32_t)id;

	(void)state;
	assert_true(id >= 0);
	assert_int_equal(map_lookup(map, &key, ids), 0);
	for (unsigned i = 2; i < DEPTH - 3; i++)
		check_build_ids(ids, i);
	close(prog);
	close(map);
}

#ifdef __x86_64__
/* With anything in the register of the frame pointer. */
static long run_with_frame_pointer(int prog, uint64_t flags, uint64_t pointer)
{
	uint64_t ctx[2] = {flags};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.ctx_in = ptr64(ctx),
					.ctx_size_in = sizeof(ctx)}};
	long result = SYS_bpf;

	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "sub $256, %%rsp\n\t"
			 "and $-16, %%rsp\n\t"
			 "push %%rbp\n\t"
			 "push %%rbp\n\t"
			 "mov %[pointer], %%rbp\n\t"
			 "mov %%rax, %%rdi\n\t"
			 "call syscall@PLT\n\t"
			 "pop %%rbp\n\t"
			 "pop %%rbp\n\t"
			 "mov %%rbx, %%rsp"
			 : "+a"(result)
			 : "S"((long)BPF_PROG_TEST_RUN), "d"(&t), "c"(sizeof(union bpf_attr)),
			   [pointer] "r"(pointer)
			 : "rbx", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	return result ? -errno : (int)t.a.test.retval;
}

static void test_broken_stacks(void **state)
{
	uint64_t circle[2], wild[2] = {0x1234567, 42};
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	munmap(pages + 4096, 4096);
	circle[0] = ptr64(circle);
	circle[1] = 77;
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, 0), 8);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, 1), 8);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, ~0ull), 8);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, ~0ull << 47), 8);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, ptr64(pages + 4088)), 8);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, ptr64(pages + 4096)), 8);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, ptr64(wild)), 16);
	assert_int_equal(run_with_frame_pointer(stack_prog, USER, ptr64(circle)), 8 * DEPTH);
	munmap(pages, 4096);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),    cmocka_unit_test(test_get_stack),
		cmocka_unit_test(test_get_stack_sizes), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_stackid),   cmocka_unit_test(test_indices),
		cmocka_unit_test(test_one_slot),  cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_build_ids), cmocka_unit_test(test_deep_build_ids),
#ifdef __x86_64__
		cmocka_unit_test(test_broken_stacks),
#endif
	};

	require_bpf();
	stacks = map_create(STACK_TRACE, 4, 8 * DEPTH, 128, 0);
	room = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(frames), 1, 0);
	id_prog = load_stackid(stacks);
	stack_prog = load_stack(room, 8 * DEPTH);
	return run_tests(tests);
}
