/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_arena_pages.c: bpf_arena_alloc_pages, bpf_arena_free_pages and bpf_arena_reserve_pages with
 * the same expectations on kernel and userbpf. The programs are written out: only the latest clang
 * knows pointers into arenas.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/btf.h>

#include "../bpf_test.h"
#include "../vm/asm.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAP_TYPE_ARENA 33 /* Linux 6.9 */
#define PAGE 4096u
#define WORDS (PAGE / sizeof(uint64_t))
#define PAGES 8u
#define CAST_KERN(dst, src) RAW(0xbf, dst, src, 1, 1)
#define LD_ARENA(dst, fd) LD64_RAW(dst, BPF_PSEUDO_MAP_FD, fd, 0)
#define CALL_KERNEL(id) RAW(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id)

/* What the programs get and say. */
struct request {
	uint64_t at, count, flags;
	int64_t answer;
};

static struct btf *kernel;
static int arena, allocate, release, reserve;
static uint64_t *memory;

static int load(unsigned type, const struct bpf_insn *insns, size_t count)
{
	const bool sleepable = type == BPF_PROG_TYPE_SYSCALL;
	union test_attr t = {.a = {.prog_type = type,
				   .insns = ptr64(insns),
				   .insn_cnt = (uint32_t)count,
				   .prog_flags = sleepable ? BPF_F_SLEEPABLE : 0,
				   .license = ptr64("GPL")}};

	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static int caller(int map, const char *function, bool answers)
{
	const int id = btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC);
	const struct bpf_insn insns[] = {
		LD_ARENA(R7, arena),
		MOV_X(R6, R1),
		LD_ARENA(R1, map),
		LD(DW, R2, R6, 0),
		LD(DW, R3, R6, 8),
		MOV_K(R4, -1),
		LD(DW, R5, R6, 16),
		CALL_KERNEL(id),
		answers ? (struct bpf_insn)ST_X(DW, R6, 24, R0) : (struct bpf_insn)MOV_K(R0, 0),
		MOV_K(R0, 0),
		EXIT,
	};
	int prog = load(BPF_PROG_TYPE_SYSCALL, insns, COUNT(insns));

	if (prog < 0)
		print_message("%s: %d\n", function, prog);
	assert_true(id > 0 && prog >= 0);
	return prog;
}

static int64_t call_with(int prog, uint64_t at, uint64_t count, uint64_t flags)
{
	struct request request = {at, count, flags, 0};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.ctx_in = ptr64(&request),
					.ctx_size_in = sizeof(request)}};

	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	return request.answer;
}

static int64_t call(int prog, const void *at, uint64_t count)
{
	return call_with(prog, ptr64(at), count, 0);
}

/* An int fills half a register. */
static int reserved(const void *at, uint64_t count)
{
	return (int)call(reserve, at, count);
}

/* The page that a call gave; -1: none. */
static int page_given(const void *at, uint64_t count)
{
	const uint64_t given = (uint64_t)call(allocate, at, count);

	if (!given)
		return -1;
	assert_int_equal(given % PAGE, 0);
	return (int)((given - ptr64(memory)) / PAGE);
}

static uint64_t *page(unsigned nr)
{
	return memory + nr * WORDS;
}

static int set_up(void **state)
{
	union test_attr t = {.a = {.map_type = MAP_TYPE_ARENA,
				   .max_entries = PAGES,
				   .map_flags = BPF_F_MMAPABLE}};

	kernel = btf__load_vmlinux_btf();
	assert_non_null(kernel);
	arena = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
	assert_true(arena >= 0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, arena, 0);
	assert_true(memory != MAP_FAILED);
	allocate = caller(arena, "bpf_arena_alloc_pages", true);
	release = caller(arena, "bpf_arena_free_pages", false);
	reserve = caller(arena, "bpf_arena_reserve_pages", true);
	return 0;
}

static int tear_down(void **state)
{
	close(allocate);
	close(release);
	close(reserve);
	munmap(memory, PAGES * PAGE);
	close(arena);
	btf__free(kernel);
	return 0;
}

static void all_pages_and_no_more(void **state)
{
	bool seen[PAGES] = {false};

	for (unsigned i = 0; i < PAGES; i++) {
		const int nr = page_given(NULL, 1);

		assert_in_range(nr, 0, PAGES - 1);
		assert_false(seen[nr]);
		seen[nr] = true;
		assert_int_equal(page((unsigned)nr)[5], 0);
		page((unsigned)nr)[5] = 77;
	}
	assert_int_equal(page_given(NULL, 1), -1);
	assert_int_equal(reserved(memory, 1), -EBUSY);
	/* Given back: it comes again, and is zero. */
	call(release, page(3), 1);
	assert_int_equal(page_given(NULL, 1), 3);
	assert_int_equal(page(3)[5], 0);
	assert_int_equal(page(2)[5], 77);
}

static void pages_in_a_row(void **state)
{
	assert_int_equal(page_given(NULL, PAGES + 1), -1);
	assert_int_equal(page_given(NULL, 0), -1);
	assert_int_equal(page_given(NULL, PAGES), 0);
	call(release, page(1), 2);
	call(release, page(4), 3);
	assert_int_equal(page_given(NULL, 4), -1);
	assert_int_equal(page_given(NULL, 3), 4);
	/* The shortest room that is long enough. */
	call(release, page(0), 1);
	call(release, page(6), 1);
	assert_int_equal(page_given(NULL, 1), 6);
	assert_int_equal(page_given(NULL, 3), 0);
}

static void at_an_address(void **state)
{
	assert_int_equal(page_given(page(5), 2), 5);
	assert_int_equal(page_given(page(4), 2), -1);
	assert_int_equal(page_given(page(6), 1), -1);
	assert_int_equal(page_given(page(7), 1), 7);
	assert_int_equal(page_given((const char *)page(0) + 8, 1), -1);
	assert_int_equal(page_given(page(PAGES), 1), -1);
	assert_int_equal(call_with(allocate, 0, 1, 1), 0);
	/* The lower half of an address is enough. */
	assert_int_equal(page_given((void *)(ptr64(page(1)) & UINT32_MAX), 1), 1);
	/* Not from the start of a page on, and beyond the end. */
	call(release, (char *)page(7) + 100, 9);
	assert_int_equal(page_given(page(7), 1), 7);
	call(release, NULL, 1);
	call(release, page(7), 0);
	assert_int_equal(page_given(page(7), 1), -1);
}

static void touched_pages_are_taken(void **state)
{
	page(2)[0] = 9;
	assert_int_equal(page_given(page(2), 1), -1);
	assert_int_equal(page_given(NULL, PAGES - 2), -1);
	assert_int_equal(page_given(NULL, 3), 3);
	assert_int_equal(page(2)[0], 9);
	call(release, page(2), 1);
	assert_int_equal(page_given(page(2), 1), 2);
	assert_int_equal(page(2)[0], 0);
}

static void reserved_pages(void **state)
{
	assert_int_equal(reserved(page(3), 2), 0);
	assert_int_equal(reserved(page(4), 1), -EBUSY);
	assert_int_equal(reserved(page(5), 0), 0);
	assert_int_equal(reserved(page(7), 2), -EINVAL);
	assert_int_equal(reserved(page(0), PAGES + 1), -EINVAL);
	assert_int_equal(page_given(page(3), 1), -1);
	assert_int_equal(page_given(NULL, 4), -1);
	assert_int_equal(page_given(page(0), 3), 0);
	page(3)[0] = 1;
	call(release, page(3), 2);
	assert_int_equal(page_given(page(3), 2), 3);
	assert_int_equal(page(3)[0], 0);
}

static void who_may_call(void **state)
{
	union test_attr t = {
		.a = {.map_type = BPF_MAP_TYPE_ARRAY,
		      .key_size = 4,
		      .value_size = 8,
		      .max_entries = 1}};
	int array = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
	int other = caller(array, "bpf_arena_alloc_pages", true);
	int other_reserve = caller(array, "bpf_arena_reserve_pages", true);
	struct bpf_insn awake[] = {
		LD_ARENA(R1, arena), MOV_K(R2, 0), MOV_K(R3, 1), MOV_K(R4, -1), MOV_K(R5, 0),
		CALL_KERNEL(btf__find_by_name_kind(kernel, "bpf_arena_alloc_pages", BTF_KIND_FUNC)),
		MOV_K(R0, 0), EXIT,
	};

	assert_int_equal(call(other, NULL, 1), 0);
	assert_int_equal((int)call(other_reserve, page(0), 1), -EINVAL);
	assert_int_equal(load(BPF_PROG_TYPE_SOCKET_FILTER, awake, COUNT(awake)), -EACCES);
	close(other);
	close(other_reserve);
	close(array);
}

/* A program uses the page that it was given. */
static void used_by_the_program(void **state)
{
	const int id = btf__find_by_name_kind(kernel, "bpf_arena_alloc_pages", BTF_KIND_FUNC);
	const struct bpf_insn insns[] = {
		MOV_X(R6, R1),     LD_ARENA(R1, arena), MOV_K(R2, 0),  MOV_K(R3, 1),
		MOV_K(R4, -1),     MOV_K(R5, 0),        CALL_KERNEL(id), ST_X(DW, R6, 24, R0),
		CAST_KERN(R1, R0), ST_K(DW, R1, 8, 42), MOV_K(R0, 0),  EXIT,
	};
	int prog = load(BPF_PROG_TYPE_SYSCALL, insns, COUNT(insns));
	uint64_t *given;

	assert_true(prog >= 0);
	given = (void *)call(prog, NULL, 0);
	assert_ptr_equal(given, memory);
	assert_int_equal(given[1], 42);
	close(prog);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_pages_and_no_more),   TEST(pages_in_a_row),      TEST(at_an_address),
		TEST(touched_pages_are_taken), TEST(reserved_pages),      TEST(who_may_call),
		TEST(used_by_the_program),
	};

	require_bpf();
	return run_tests(tests);
}
