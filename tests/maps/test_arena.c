/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_arena.c: ARENA through the system call, mmap(2) and programs, with the same expectations on
 * kernel and userbpf.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../bpf_test.h"
#include "../vm/asm.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAP_TYPE_ARENA 33 /* Linux 6.9 */
#define SEGV_ON_FAULT (1u << 17)
#define NO_USER_CONV (1u << 18)
#define PAGE 4096u
#define HIGH (1ull << 45) /* above what AddressSanitizer keeps for itself */

/* What the compiler emits before an access, and before a pointer is stored. */
#define CAST_KERN(dst, src) RAW(0xbf, dst, src, 1, 1)
#define CAST_USER(dst, src) RAW(0xbf, dst, src, 1, 1 << 16)
#define LD_ARENA(dst, fd) LD64_RAW(dst, BPF_PSEUDO_MAP_FD, fd, 0)

static int create_as(unsigned key, unsigned value, unsigned pages, unsigned flags, uint64_t extra)
{
	union test_attr t = {.a = {.map_type = MAP_TYPE_ARENA,
				   .key_size = key,
				   .value_size = value,
				   .max_entries = pages,
				   .map_flags = flags,
				   .map_extra = extra}};

	return (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
}

static int create(unsigned pages, uint64_t extra)
{
	int fd = create_as(0, 0, pages, BPF_F_MMAPABLE, extra);

	assert_true(fd >= 0);
	return fd;
}

/* 0 or -errno; *at is where it is asked for and where it came to lie. */
static int map_at(int fd, void **at, size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(*at, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	*at = p;
	return 0;
}

static uint64_t *mapped(int fd, size_t pages, void *at)
{
	assert_int_equal(map_at(fd, &at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0), 0);
	return at;
}

static void creation(void **state)
{
	static const struct {
		unsigned key, value, pages, flags;
		uint64_t extra;
		int err;
	} rows[] = {
		{0, 0, 1, BPF_F_MMAPABLE, 0, 0},
		{4, 0, 1, BPF_F_MMAPABLE, 0, -EINVAL},
		{0, 8, 1, BPF_F_MMAPABLE, 0, -EINVAL},
		{0, 0, 0, BPF_F_MMAPABLE, 0, -EINVAL},
		{0, 0, 1, 0, 0, -EINVAL},
		{0, 0, 1, SEGV_ON_FAULT, 0, -EINVAL},
		{0, 0, 1, BPF_F_MMAPABLE | SEGV_ON_FAULT | NO_USER_CONV, 0, 0},
		{0, 0, 1, BPF_F_MMAPABLE | BPF_F_RDONLY, 0, -EINVAL},
		{0, 0, 1, BPF_F_MMAPABLE | BPF_F_NUMA_NODE, 0, -EINVAL},
		{0, 0, 1 << 20, BPF_F_MMAPABLE, 0, 0},
		{0, 0, (1 << 20) + 1, BPF_F_MMAPABLE, 0, -E2BIG},
		{0, 0, 4, BPF_F_MMAPABLE, HIGH, 0},
		{0, 0, 4, BPF_F_MMAPABLE, 1ull << 63, 0},
		{0, 0, 4, BPF_F_MMAPABLE, HIGH + 1, -EINVAL},
		{0, 0, 4, BPF_F_MMAPABLE, HIGH - 4 * PAGE, 0},
		{0, 0, 4, BPF_F_MMAPABLE, HIGH - 3 * PAGE, -ERANGE},
		{0, 0, (1 << 20) + 1, BPF_F_MMAPABLE, 1, -EINVAL},
		{0, 0, 1 << 20, BPF_F_MMAPABLE, PAGE, -ERANGE},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = create_as(rows[i].key, rows[i].value, rows[i].pages, rows[i].flags,
				   rows[i].extra);

		if ((fd < 0 ? fd : 0) != rows[i].err)
			print_message("row %zu: %d\n", i, fd);
		assert_int_equal(fd < 0 ? fd : 0, rows[i].err);
		if (fd >= 0)
			close(fd);
	}
}

static void commands(void **state)
{
	uint64_t value = 0, key = 0;
	int fd = create(4, 0);

	assert_int_equal(map_lookup(fd, NULL, &value), -EINVAL);
	assert_int_equal(map_update(fd, NULL, &value, 0), -EOPNOTSUPP);
	assert_int_equal(map_update(fd, NULL, &value, 99), -EOPNOTSUPP);
	assert_int_equal(map_update(fd, NULL, &value, 1ull << 63), -EOPNOTSUPP);
	assert_int_equal(map_delete(fd, NULL), -EOPNOTSUPP);
	assert_int_equal(map_next_key(fd, NULL, &value), -EOPNOTSUPP);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, &value, 0), -ENOTSUPP);
	assert_int_equal(map_lookup(fd, &key, &value), -EINVAL);
	close(fd);
}

static void mapping_rules(void **state)
{
	const int rw = PROT_READ | PROT_WRITE;
	void *at = NULL;
	int fd = create(4, 0);

	assert_int_equal(map_at(fd, &at, 4 * PAGE, rw, MAP_PRIVATE, 0), -EINVAL);
	assert_int_equal(map_at(fd, &at, 4 * PAGE, rw, MAP_SHARED, PAGE), -EINVAL);
	assert_int_equal(map_at(fd, &at, 4 * PAGE, rw | PROT_EXEC, MAP_SHARED, 0), -EPERM);
	assert_int_equal(map_at(fd, &at, (4ull << 30) + PAGE, rw, MAP_SHARED, 0), -E2BIG);
	/* The first mapping fixes where all others must lie, and how long they are. */
	assert_int_equal(map_at(fd, &at, 4 * PAGE, rw, MAP_SHARED, 0), 0);
	((uint64_t *)at)[0] = 1;
	assert_int_equal(munmap(at, 4 * PAGE), 0);
	assert_int_equal(map_at(fd, &(void *){NULL}, 4 * PAGE, rw, MAP_SHARED, 0), -EINVAL);
	assert_int_equal(map_at(fd, &(void *){at}, 5 * PAGE, rw, MAP_SHARED, 0), -E2BIG);
	assert_int_equal(map_at(fd, &(void *){at}, 3 * PAGE, rw, MAP_SHARED, 0), -EINVAL);
	assert_int_equal(map_at(fd, &(void *){at}, 4 * PAGE, PROT_READ, MAP_SHARED, 0), 0);
	assert_int_equal(((uint64_t *)at)[0], 1);
	munmap(at, 4 * PAGE);
	close(fd);

	fd = create(4, HIGH);
	assert_int_equal(map_at(fd, &(void *){NULL}, 4 * PAGE, rw, MAP_SHARED, 0), -EINVAL);
	at = (void *)HIGH;
	assert_int_equal(map_at(fd, &at, 4 * PAGE, rw, MAP_SHARED, 0), 0);
	assert_ptr_equal(at, HIGH);
	munmap(at, 4 * PAGE);
	close(fd);
}

/* Processes that share the map see the same pages at the same place. */
static void pages_are_shared(void **state)
{
	int fd = create(4, 0), status;
	uint64_t *p = mapped(fd, 4, NULL);
	pid_t child;

	assert_int_equal(p[3 * 512], 0);
	child = fork();
	if (!child) {
		munmap(p, 4 * PAGE);
		p = mapped(fd, 4, p);
		p[3 * 512] = 77;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(p[3 * 512], 77);
	munmap(p, 4 * PAGE);
	close(fd);
}

/* More is mapped than there is: what the arena has can be used. */
static void longer_and_shorter(void **state)
{
	int longer = create(2, 0), shorter = create(4, 0);
	uint64_t *p = mapped(longer, 5, NULL), *q = mapped(shorter, 2, NULL);

	p[512] = 1;
	q[512] = 2;
	assert_int_equal(p[512] + q[512], 3);
	munmap(p, 5 * PAGE);
	munmap(q, 2 * PAGE);
	close(longer);
	close(shorter);
}

/* Once it could be written through a mapping, it is never frozen, and then not mapped so. */
static void freezing(void **state)
{
	int in_use = create(2, 0), unused = create(2, 0);
	uint64_t *p = mapped(in_use, 2, NULL);
	union test_attr t = {.a.map_fd = (uint32_t)in_use}, u = {.a.map_fd = (uint32_t)unused};
	void *at = NULL;

	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &t, sizeof(union bpf_attr)), -EBUSY);
	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &u, sizeof(union bpf_attr)), 0);
	assert_int_equal(map_at(unused, &at, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0),
			 -EPERM);
	assert_int_equal(map_at(unused, &at, 2 * PAGE, PROT_READ, MAP_SHARED, 0), 0);
	munmap(at, 2 * PAGE);
	munmap(p, 2 * PAGE);
	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &t, sizeof(union bpf_attr)), -EBUSY);
	close(in_use);
	close(unused);
}

static char log_text[1 << 16];

static int load(unsigned type, const struct bpf_insn *insns, size_t count)
{
	union test_attr t = {.a = {.prog_type = type,
				   .insns = ptr64(insns),
				   .insn_cnt = (uint32_t)count,
				   .license = ptr64("GPL"),
				   .log_level = 1,
				   .log_size = sizeof(log_text),
				   .log_buf = ptr64(log_text)}};

	log_text[0] = 0;
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

#define LOAD(insns) load(BPF_PROG_TYPE_SOCKET_FILTER, insns, COUNT(insns))

static uint32_t run(int prog)
{
	static uint8_t packet[64];
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.data_in = ptr64(packet),
					.data_size_in = sizeof(packet)}};

	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	close(prog);
	return t.a.test.retval;
}

#define RUN(insns)                                                                                 \
	({                                                                                         \
		int prog = LOAD(insns);                                                            \
		if (prog < 0)                                                                      \
			print_message("%d: %s\n", prog, log_text);                                 \
		assert_true(prog >= 0);                                                            \
		run(prog);                                                                         \
	})

static void refused(void **state)
{
	int fd = create(4, 0), other = create(4, HIGH), third = create(4, HIGH);
	struct bpf_insn unknown[] = {LD_ARENA(R1, fd), MOV_K(R0, 0), EXIT};
	struct bpf_insn two[] = {LD_ARENA(R1, other), LD_ARENA(R2, third), MOV_K(R0, 0), EXIT};
	struct bpf_insn twice[] = {LD_ARENA(R1, other), LD_ARENA(R2, other), MOV_K(R0, 0), EXIT};
	struct bpf_insn beyond[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, other, 4 * PAGE + 1),
				    MOV_K(R0, 0), EXIT};
	struct bpf_insn key[] = {LD_ARENA(R1, other), MOV_X(R2, R10), ALU64_K(ADD, R2, -8),
				 ST_K(DW, R10, -8, 0), CALL(BPF_FUNC_map_lookup_elem),
				 MOV_K(R0, 0), EXIT};
	struct bpf_insn space[] = {LD_ARENA(R1, other), MOV_K(R1, 0), RAW(0xbf, R1, R1, 1, 2),
				   MOV_K(R0, 0), EXIT};

	assert_int_equal(LOAD(unknown), -EINVAL);
	assert_non_null(strstr(log_text, "arena's user address must be set via map_extra or mmap()"));
	assert_int_equal(LOAD(two), -EBUSY);
	assert_non_null(strstr(log_text, "Only one arena per program"));
	assert_int_equal(RUN(twice), 0);
	assert_int_equal(LOAD(beyond), -ERANGE);
	assert_non_null(strstr(log_text, "invalid access to map value pointer, value_size=0 off="));
	assert_int_equal(LOAD(key), -EACCES);
	assert_non_null(strstr(log_text, "invalid zero-sized read"));
	assert_int_equal(LOAD(space), -EINVAL);
	close(fd);
	close(other);
	close(third);
}

/* What programs may write does not keep an arena from being frozen. */
static void freezing_with_programs(void **state)
{
	int fd = create(4, HIGH);
	union test_attr t = {.a.map_fd = (uint32_t)fd};
	struct bpf_insn insns[] = {LD_ARENA(R1, fd), MOV_K(R0, 7), EXIT};
	int prog = LOAD(insns);

	assert_true(prog >= 0);
	assert_int_equal(run(dup(prog)), 7);
	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(run(prog), 7);
	close(fd);
}

/* An address of user space is made one of the program and back; NULL stays NULL. */
static void casts(void **state)
{
	int fd = create(4, 0);
	uint64_t *p = mapped(fd, 4, NULL);
	struct bpf_insn load_store[] = {
		LD_ARENA(R1, fd),          LD64(R1, ptr64(p + 512)), CAST_KERN(R2, R1),
		LD(DW, R0, R2, 8),         ST_X(DW, R2, 16, R0),     ST_K(W, R2, 24, 5),
		CAST_USER(R3, R2),         ST_X(DW, R2, 32, R3),     EXIT,
	};
	struct bpf_insn null[] = {
		LD_ARENA(R1, fd),  MOV_K(R1, 0),     CAST_KERN(R2, R1), CAST_USER(R3, R2),
		MOV_X(R0, R2),     ALU64_X(OR, R0, R3), EXIT,
	};
	struct bpf_insn atomic[] = {
		LD_ARENA(R1, fd),
		LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, fd, 2 * PAGE),
		CAST_KERN(R2, R1),
		MOV_K(R0, 3),
		ATOMIC(DW, ADD | FETCH, R2, 0, R0),
		MOV_K(R3, 1),
		ATOMIC(W, ADD, R2, 8, R3),
		EXIT,
	};

	p[513] = 42;
	p[512] = 0;
	assert_int_equal(RUN(load_store), 42);
	assert_int_equal(p[514], 42);
	assert_int_equal(p[515], 5);
	assert_int_equal(p[516], ptr64(p + 512));
	assert_int_equal(RUN(null), 0);
	p[1024] = 4;
	assert_int_equal(RUN(atomic), 4);
	assert_int_equal(p[1024], 7);
	assert_int_equal(p[1025], 1);
	munmap(p, 4 * PAGE);
	close(fd);
}

/* Without a mapping in this process; the first page of a window of 4 GiB is no NULL. */
static void not_mapped_here(void **state)
{
	int fd = create(1 << 20, HIGH);
	struct bpf_insn first[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, fd, 0),
				   CAST_KERN(R2, R1),
				   LD(DW, R0, R2, 0),
				   EXIT};
	struct bpf_insn last[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, fd, 0x1ffff000),
				  CAST_KERN(R2, R1),
				  LD(DW, R0, R2, PAGE - 8),
				  EXIT};
	uint64_t *p;

	assert_int_equal(RUN(first), 0);
	assert_int_equal(RUN(last), 0);
	p = mapped(fd, 1 << 20, (void *)HIGH);
	p[0] = 11;
	p[0x1fffffff / 8] = 12;
	assert_int_equal(RUN(first), 11);
	assert_int_equal(RUN(last), 12);
	munmap(p, 4ull << 30);
	close(fd);
}

static void no_user_conversion(void **state)
{
	int fd = create_as(0, 0, 4, BPF_F_MMAPABLE | NO_USER_CONV, HIGH + PAGE);
	struct bpf_insn insns[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, fd, 0),
				   CAST_KERN(R2, R1),
				   CAST_USER(R0, R2),
				   ALU64_K(RSH, R0, 12),
				   EXIT};

	assert_int_equal(RUN(insns), 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation),
		cmocka_unit_test(commands),
		cmocka_unit_test(mapping_rules),
		cmocka_unit_test(pages_are_shared),
		cmocka_unit_test(longer_and_shorter),
		cmocka_unit_test(freezing),
		cmocka_unit_test(refused),
		cmocka_unit_test(freezing_with_programs),
		cmocka_unit_test(casts),
		cmocka_unit_test(not_mapped_here),
		cmocka_unit_test(no_user_conversion),
	};

	require_bpf();
	return run_tests(tests);
}
