/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_lru.c: LRU_HASH and LRU_PERCPU_HASH: when eviction begins, how many elements go, and which.
 * The numbers are those of a thread that stays on one CPU, so it is pinned.
 */
#include <sched.h>

#include "vm/run.h"

#define LRU BPF_MAP_TYPE_LRU_HASH
#define LRU_PERCPU BPF_MAP_TYPE_LRU_PERCPU_HASH
#define NO_COMMON BPF_F_NO_COMMON_LRU
#define MAX_CPUS 64
#define T 8 /* the batch of a map of full_size() elements */

static unsigned cpus;
static uint64_t value[MAX_CPUS];

static unsigned full_size(void)
{
	return 2 * T * cpus;
}

/* False if there is no such CPU for us. */
static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static int make(unsigned type, unsigned entries, unsigned flags)
{
	int fd = map_create(type, 4, 8, entries, flags);

	assert_true(fd >= 0);
	return fd;
}

static int put(int fd, uint32_t key, uint64_t flags)
{
	for (unsigned i = 0; i < cpus; i++)
		value[i] = key + 1;
	return map_update(fd, &key, value, flags);
}

static void insert(int fd, uint32_t from, uint32_t to)
{
	for (uint32_t key = from; key < to; key++)
		assert_int_equal(put(fd, key, BPF_NOEXIST), 0);
}

static bool has(int fd, uint32_t key)
{
	return map_lookup(fd, &key, value) == 0;
}

/* How many of the keys are there. */
static uint32_t count(int fd, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t key = from; key < to; key++)
		n += has(fd, key);
	return n;
}

static const struct {
	unsigned type, flags;
} kinds[] = {{LRU, 0}, {LRU_PERCPU, 0}, {LRU, NO_COMMON}, {LRU_PERCPU, NO_COMMON}};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static const unsigned sizes[] = {1, 2, 3, 7, 8, 16, 31, 32, 33, 100, 1000};

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned batch_of(unsigned entries)
{
	const unsigned half = entries / cpus / 2;

	return half ? min(half, 128) : 1;
}

/* Insertions from one CPU: the first that evicts, and how many of the oldest it does. */
static void eviction_begins(void **state)
{
	for (unsigned i = 0; i < KINDS * (sizeof(sizes) / sizeof(*sizes)); i++) {
		const unsigned n = sizes[i / KINDS], type = kinds[i % KINDS].type;
		const bool common = !(kinds[i % KINDS].flags & NO_COMMON);
		const unsigned batch = common ? batch_of(n) : min(4, (n + cpus - 1) / cpus);
		const unsigned fit = common ? n / batch * batch : (n + cpus - 1) / cpus;
		const unsigned gone = common ? batch - (n - fit) : batch;
		int fd = make(type, n, kinds[i % KINDS].flags);

		insert(fd, 0, fit);
		assert_int_equal(count(fd, 0, fit), fit);
		insert(fd, fit, fit + 1);
		assert_int_equal(count(fd, 0, gone), 0);
		assert_int_equal(count(fd, gone, fit + 1), fit + 1 - gone);
		for (uint32_t key = fit + 1; key < 4 * n + 20; key++) {
			insert(fd, key, key + 1);
			assert_true(has(fd, key));
		}
		assert_in_range(count(fd, 0, 4 * n + 20), 1, n);
		close(fd);
	}
}

static void nothing_is_lost_far_below_capacity(void **state)
{
	for (unsigned i = 0; i < KINDS; i++) {
		int fd = make(kinds[i].type, 512 * cpus, kinds[i].flags);

		for (int round = 0; round < 50; round++)
			for (uint32_t key = 0; key < 100; key++)
				assert_int_equal(put(fd, key, BPF_ANY), 0);
		assert_int_equal(count(fd, 0, 100), 100);
		close(fd);
	}
}

/* What an update of the oldest key of a full map answers and leaves. */
static const struct update_case {
	unsigned type;
	uint64_t flags;
	uint32_t offset; /* key: this one; ~0: an absent one */
	int result;
	bool present;
	unsigned lost; /* of the others */
} update_cases[] = {
	{LRU, BPF_ANY, 0, 0, true, T - 1},
	{LRU, BPF_NOEXIST, 0, 0, true, T - 1},
	{LRU, BPF_EXIST, 0, -ENOENT, false, T - 1},
	{LRU, BPF_EXIST, ~0u, -ENOENT, false, T},
	{LRU, BPF_ANY, T, 0, true, T},
	{LRU, BPF_NOEXIST, T, -EEXIST, true, T},
	{LRU, BPF_EXIST, T, 0, true, T},
	{LRU_PERCPU, BPF_ANY, 0, 0, true, T - 1},
	{LRU_PERCPU, BPF_NOEXIST, 0, 0, true, T - 1},
	{LRU_PERCPU, BPF_EXIST, 0, 0, true, 0},
	{LRU_PERCPU, BPF_EXIST, ~0u, -ENOENT, false, 0},
	{LRU_PERCPU, BPF_ANY, T, 0, true, T},
	{LRU_PERCPU, BPF_NOEXIST, T, -EEXIST, true, T},
	{LRU_PERCPU, 3, 0, -EINVAL, true, 0},
	{LRU, 3, 0, -EINVAL, true, 0},
};

static void an_update_of_a_full_map_evicts(void **state)
{
	const unsigned n = full_size();

	for (unsigned i = 0; i < sizeof(update_cases) / sizeof(*update_cases); i++) {
		const struct update_case *c = &update_cases[i];
		const uint32_t key = c->offset == ~0u ? n + 5 : c->offset;
		const uint32_t others = key < n ? n - 1 : n;
		int fd = make(c->type, n, 0);

		insert(fd, 0, n);
		assert_int_equal(put(fd, key, c->flags), c->result);
		assert_int_equal(has(fd, key), c->present);
		assert_int_equal(count(fd, 0, n) - (key < n && c->present), others - c->lost);
		close(fd);
	}
}

/* A node taken for an update that failed or was not needed is used next. */
static void a_failed_update_costs_one_eviction(void **state)
{
	const unsigned n = full_size();
	int fd = make(LRU, n, 0);

	insert(fd, 0, n);
	for (int i = 0; i < 100; i++)
		assert_int_equal(put(fd, n + 1, BPF_EXIST), -ENOENT);
	assert_int_equal(count(fd, 0, n), n - T);
	insert(fd, n, n + T);
	assert_int_equal(count(fd, 0, n + T), n);
	close(fd);
}

static void deleted_elements_are_used_again(void **state)
{
	const unsigned n = full_size(), share = 2 * T;

	for (unsigned i = 0; i < KINDS; i++) {
		const bool common = !(kinds[i].flags & NO_COMMON);
		const unsigned fit = common ? n : share;
		int fd = make(kinds[i].type, n, kinds[i].flags);

		insert(fd, 0, fit);
		for (uint32_t key = 0; key < 4; key++)
			assert_int_equal(map_delete(fd, &key), 0);
		insert(fd, fit, fit + 4);
		/* The common list has four, the batch takes eight. */
		assert_int_equal(count(fd, 0, fit + 4), common ? fit - 4 : fit);
		for (uint32_t key = fit; key < fit + 4; key++) { /* still in the CPU's own list */
			assert_int_equal(map_delete(fd, &key), 0);
			assert_int_equal(map_delete(fd, &key), -ENOENT);
		}
		insert(fd, fit, fit + 4);
		assert_int_equal(count(fd, 0, fit + 4), common ? fit - 4 : fit);
		close(fd);
	}
}

static void another_cpu(void **state)
{
	const unsigned n = full_size(), share = 2 * T;

	if (cpus < 2 || !pin(1))
		skip();
	for (unsigned i = 0; i < KINDS; i++) {
		const bool common = !(kinds[i].flags & NO_COMMON);
		const unsigned fit = common ? n : share;
		int fd = make(kinds[i].type, n, kinds[i].flags);

		pin(0);
		insert(fd, 0, fit);
		pin(1);
		insert(fd, fit, fit + 1);
		assert_int_equal(count(fd, 0, fit), common ? fit - T : fit);
		if (!common) {
			insert(fd, fit + 1, fit + share);
			assert_int_equal(count(fd, 0, fit + share), fit + share);
		}
		close(fd);
		/* All elements lie with the other CPU. */
		fd = make(kinds[i].type, 1, kinds[i].flags);
		for (int round = 0; round < 10; round++) {
			pin(round & 1);
			assert_int_equal(put(fd, (uint32_t)round, BPF_NOEXIST), 0);
			assert_true(has(fd, (uint32_t)round));
		}
		close(fd);
	}
	pin(0);
}

/* A program that looks up, updates or deletes the key in its context. */
enum { OP_LOOKUP, OP_UPDATE, OP_DELETE };

struct context {
	uint32_t op, key;
	uint64_t value;
	int64_t result;
};

static int load(int fd)
{
	const struct bpf_insn insns[] = {
		MOV_X(R6, R1),
		LD(W, R7, R6, 0),
		LD(W, R1, R6, 4),
		ST_X(W, R10, -4, R1),
		LD(DW, R1, R6, 8),
		ST_X(DW, R10, -16, R1),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -4),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0),
		J_K(JEQ, R7, OP_UPDATE, 6),
		J_K(JEQ, R7, OP_DELETE, 10),
		CALL(BPF_FUNC_map_lookup_elem),
		MOV_K(R1, 0),
		J_K(JEQ, R0, 0, 9),
		MOV_K(R1, 1),
		JA(7),
		MOV_X(R3, R10),
		ALU64_K(ADD, R3, -16),
		MOV_K(R4, 0),
		CALL(BPF_FUNC_map_update_elem),
		JA(1),
		CALL(BPF_FUNC_map_delete_elem),
		MOV_X(R1, R0),
		ST_X(DW, R6, 16, R1),
		MOV_K(R0, 0),
		EXIT,
	};
	int prog = prog_load(BPF_PROG_TYPE_SYSCALL, 0, insns, sizeof(insns) / sizeof(*insns));

	assert_true(prog >= 0);
	return prog;
}

static long run(int prog, uint32_t op, uint32_t key)
{
	struct context c = {.op = op, .key = key, .value = key + 1};
	union test_attr t = {.a = {.test = {.prog_fd = (uint32_t)prog,
					    .ctx_in = ptr64(&c),
					    .ctx_size_in = sizeof(c)}}};

	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	return c.result;
}

static void a_lookup_by_a_program_protects(void **state)
{
	const unsigned n = full_size();
	uint32_t key = 0, next;

	for (unsigned type = LRU; type <= LRU_PERCPU; type++) {
		int fd = make(type, n, 0), prog = load(fd);

		insert(fd, 0, n);
		for (key = 0; key < T; key++)
			assert_int_equal(run(prog, OP_LOOKUP, key), 1);
		assert_int_equal(run(prog, OP_LOOKUP, n), 0);
		insert(fd, n, n + 2 * T);
		assert_int_equal(count(fd, 0, T), T);
		assert_int_equal(count(fd, T, 3 * T), 0);
		close(prog);
		close(fd);
	}
	for (unsigned type = LRU; type <= LRU_PERCPU; type++) {
		int fd = make(type, n, 0);

		insert(fd, 0, n); /* not so one by the system call */
		assert_int_equal(count(fd, 0, n), n);
		for (int err = map_next_key(fd, NULL, &key); !err; key = next)
			err = map_next_key(fd, &key, &next);
		insert(fd, n, n + 2 * T);
		assert_int_equal(count(fd, 0, 2 * T), 0);
		assert_int_equal(count(fd, 2 * T, n + 2 * T), n);
		close(fd);
	}
}

static void protection_is_weaker_without_a_common_list(void **state)
{
	const unsigned n = full_size(), share = 2 * T;
	int fd = make(LRU, n, NO_COMMON), prog = load(fd);

	insert(fd, 0, share);
	for (uint32_t key = 0; key < T; key++)
		assert_int_equal(run(prog, OP_LOOKUP, key), 1);
	insert(fd, share, 2 * share);
	assert_int_equal(count(fd, 0, T), 5);
	close(prog);
	close(fd);
}

static void programs_insert_and_delete(void **state)
{
	const unsigned n = full_size();

	for (unsigned type = LRU; type <= LRU_PERCPU; type++) {
		int fd = make(type, n, 0), prog = load(fd);
		uint32_t key;

		for (key = 0; key < n; key++)
			assert_int_equal(run(prog, OP_UPDATE, key), 0);
		assert_int_equal(count(fd, 0, n), n);
		assert_int_equal(run(prog, OP_UPDATE, n), 0);
		assert_int_equal(count(fd, 0, n + 1), n + 1 - T);
		assert_int_equal(run(prog, OP_DELETE, n), 0);
		assert_int_equal(run(prog, OP_DELETE, n), -ENOENT);
		assert_int_equal(run(prog, OP_UPDATE, n - 1), 0);
		assert_true(map_lookup(fd, &(uint32_t){n - 1}, value) == 0);
		for (unsigned cpu = 0; type == LRU_PERCPU && cpu < cpus; cpu++)
			assert_int_equal(value[cpu], cpu ? 0 : n);
		close(prog);
		close(fd);
	}
}

static const struct {
	unsigned flags, entries;
	int result;
} create_cases[] = {
	{0, 1, 0},
	{NO_COMMON, 1, 0},
	{BPF_F_NO_PREALLOC, 1, -ENOTSUPP},
	{BPF_F_NO_PREALLOC | NO_COMMON, 1, -ENOTSUPP},
	{BPF_F_NO_PREALLOC, 0, -ENOTSUPP},
	{0, 0, -EINVAL},
	{NO_COMMON, 0, -EINVAL},
	{NO_COMMON | BPF_F_NUMA_NODE, 1, -EINVAL},
	{BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE, 1, -ENOTSUPP}, /* before the node is looked at */
	{BPF_F_ZERO_SEED | BPF_F_RDONLY, 1, 0},
	{BPF_F_RDONLY_PROG, 1, 0},
	{BPF_F_MMAPABLE, 1, -EINVAL},
	{BPF_F_INNER_MAP, 1, -EINVAL},
	{0, (1u << 27) + 1, -E2BIG},
	{NO_COMMON, 0xffffffff, -E2BIG},
};

static void creation(void **state)
{
	for (unsigned i = 0; i < sizeof(create_cases) / sizeof(*create_cases) * 2; i++) {
		int fd = map_create(i % 2 ? LRU_PERCPU : LRU, 4, 8, create_cases[i / 2].entries,
				    create_cases[i / 2].flags);

		assert_int_equal(fd < 0 ? fd : 0, create_cases[i / 2].result);
		if (fd >= 0)
			close(fd);
	}
}

static void a_share_per_cpu_rounds_max_entries(void **state)
{
	for (unsigned n = 1; n < 10; n++) {
		int fd = make(LRU, n, NO_COMMON);
		struct bpf_map_info info = {0};
		union test_attr t = {.a = {.info = {.bpf_fd = (uint32_t)fd,
						    .info_len = sizeof(info),
						    .info = ptr64(&info)}}};

		assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
		assert_int_equal(info.max_entries, (n + cpus - 1) / cpus * cpus);
		close(fd);
	}
}

static void lookup_and_delete_and_batches(void **state)
{
	const unsigned n = full_size();
	uint32_t keys[16 * MAX_CPUS], cursor;

	for (unsigned i = 0; i < KINDS; i++) {
		static uint64_t values[16 * MAX_CPUS * MAX_CPUS];
		int fd = make(kinds[i].type, n, kinds[i].flags);
		union test_attr t = {.a = {.batch = {.out_batch = ptr64(&cursor),
						     .keys = ptr64(keys),
						     .values = ptr64(values),
						     .count = n,
						     .map_fd = (uint32_t)fd}}};

		insert(fd, 0, 2 * T);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &(uint32_t){3}, value,
					  0), 0);
		assert_int_equal(value[0], 4);
		assert_false(has(fd, 3));
		assert_int_equal(
			bpf_sys(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &t, sizeof(union bpf_attr)),
			-ENOENT);
		assert_int_equal(t.a.batch.count, 2 * T - 1);
		assert_int_equal(count(fd, 0, 2 * T), 0);
		insert(fd, 0, 2 * T); /* everything is free again */
		assert_int_equal(count(fd, 0, 2 * T), 2 * T);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation),
		cmocka_unit_test(a_share_per_cpu_rounds_max_entries),
		cmocka_unit_test(eviction_begins),
		cmocka_unit_test(nothing_is_lost_far_below_capacity),
		cmocka_unit_test(an_update_of_a_full_map_evicts),
		cmocka_unit_test(a_failed_update_costs_one_eviction),
		cmocka_unit_test(deleted_elements_are_used_again),
		cmocka_unit_test(another_cpu),
		cmocka_unit_test(a_lookup_by_a_program_protects),
		cmocka_unit_test(protection_is_weaker_without_a_common_list),
		cmocka_unit_test(programs_insert_and_delete),
		cmocka_unit_test(lookup_and_delete_and_batches),
	};

	require_bpf();
	cpus = possible_cpus();
	if (cpus > MAX_CPUS || !pin(0)) {
		printf("1..0 # SKIP more than %d CPUs, or none\n", MAX_CPUS);
		return 0;
	}
	return run_tests(tests);
}
