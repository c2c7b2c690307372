/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_vcpu.c: nobody shares a virtual CPU, and no dead owner keeps one. */
#include "shm/vcpu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "bpf_test.h"
#include "unit/die.h"

#define THREADS 6
#define RUNS 20000
#define KILLS 300
#define SECOND_NS 1000000000ull

struct arena {
	struct vcpu_table table;
	struct {
		u64 plain; /* incremented without atomics, as programs do with per-CPU values */
		u32 inside;
	} cacheline_aligned cpu[VCPU_MAX];
	u32 errors;
};

static struct arena *arena;

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * SECOND_NS + (u64)now.tv_nsec;
}

static int set_up(void **state)
{
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	return arena == MAP_FAILED;
}

static int tear_down(void **state)
{
	return munmap(arena, sizeof(*arena));
}

static u32 slots_taken(void)
{
	u32 taken = 0;

	for (u32 i = 0; i < VCPU_MAX; i++)
		taken += load_relaxed(&arena->table.slots[i].owner) != 0;
	return taken;
}

static void test_possible(void **state)
{
	assert_int_equal(vcpu_possible(), possible_cpus());
	assert_true(vcpu_current() < vcpu_possible());
}

static void test_nesting(void **state)
{
	const u32 slot = vcpu_enter(&arena->table);

	assert_true(slot < vcpu_possible());
	assert_int_equal(arena->table.slots[slot].owner, thread_id());
	assert_int_equal(vcpu_enter(&arena->table), slot);
	assert_int_equal(vcpu_current(), slot);
	vcpu_leave(&arena->table);
	assert_int_equal(slots_taken(), 1);
	vcpu_leave(&arena->table);
	assert_int_equal(slots_taken(), 0);
	vcpu_leave(&arena->table); /* once too often: harmless */
	assert_int_equal(slots_taken(), 0);
}

/* The slot follows the CPU unless it is taken. */
static void test_own_cpu_first(void **state)
{
	cpu_set_t old, one;
	u32 slot;

	sched_getaffinity(0, sizeof(old), &old);
	for (u32 cpu = 0; cpu < vcpu_possible(); cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			continue;
		slot = vcpu_enter(&arena->table);
		assert_int_equal(slot, cpu);
		vcpu_leave(&arena->table);
		assert_int_equal(vcpu_current(), cpu);
	}
	sched_setaffinity(0, sizeof(old), &old);
}

static void run_once(void)
{
	const u32 slot = vcpu_enter(&arena->table);
	u64 value;

	if (slot >= vcpu_possible() || vcpu_current() != slot ||
	    atomic_exchange(&arena->cpu[slot].inside, thread_id()))
		atomic_add(&arena->errors, 1);
	value = load_relaxed(&arena->cpu[slot].plain);
	for (int i = 0; i < 5; i++)
		cpu_relax();
	store_relaxed(&arena->cpu[slot].plain, value + 1);
	store_relaxed(&arena->cpu[slot].inside, 0);
	vcpu_leave(&arena->table);
}

static void *run_many(void *arg)
{
	for (int i = 0; i < RUNS; i++)
		run_once();
	return NULL;
}

static void test_threads_lose_nothing(void **state)
{
	pthread_t threads[THREADS];
	u64 sum = 0;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (u32 i = 0; i < vcpu_possible(); i++)
		sum += arena->cpu[i].plain;
	assert_int_equal(sum, THREADS * RUNS);
	assert_int_equal(arena->errors, 0);
	assert_int_equal(slots_taken(), 0);
}

static void test_forked_child_owns_nothing(void **state)
{
	const u32 slot = vcpu_enter(&arena->table);
	const pid_t pid = fork();
	int status;

	if (!pid) {
		vcpu_leave(&arena->table); /* the parent's run: must stay */
		_exit(arena->table.slots[slot].owner != (u32)getppid());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	vcpu_leave(&arena->table);
	assert_int_equal(slots_taken(), 0);
}

static pid_t fork_runner(void)
{
	const pid_t pid = fork();
	u32 slot;

	while (!pid) {
		slot = vcpu_enter(&arena->table);
		arena->cpu[slot].plain++;
		vcpu_leave(&arena->table);
	}
	return pid;
}

static void test_killed_owners(void **state)
{
	const struct timespec nap = {.tv_nsec = 500000};
	u64 start;
	pid_t pid;

	for (int i = 0; i < KILLS; i++) {
		pid = fork_runner();
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	/* Whatever they left, all slots can be had again. */
	for (u32 i = 0; i < vcpu_possible(); i++) {
		start = now_ns();
		vcpu_enter(&arena->table);
		assert_true(now_ns() - start < SECOND_NS);
		vcpu_leave(&arena->table);
	}
}

static u64 enter_full_table(u32 owner, u32 namespace, u32 *slot)
{
	const u64 start = now_ns();

	for (u32 i = 0; i < vcpu_possible(); i++)
		arena->table.slots[i] = (struct vcpu_slot){.owner = owner, .namespace = namespace};
	*slot = vcpu_enter(&arena->table);
	return now_ns() - start;
}

static u32 our_namespace(void)
{
	const u32 slot = vcpu_enter(&arena->table);
	const u32 namespace = arena->table.slots[slot].namespace;

	vcpu_leave(&arena->table);
	return namespace;
}

static void enter_and_leave(void *table)
{
	vcpu_enter(table);
	vcpu_leave(table);
}

/* A slot that its owner took with it can be had again where all others are taken by the living. */
static void test_death_at_any_change(void **state)
{
	struct vcpu_table *table = &arena->table;
	const struct death death = {.run = enter_and_leave,
				    .arg = table,
				    .memory = table,
				    .size = sizeof(*table)};
	const u32 namespace = our_namespace();

	for (unsigned place = 1; dies_at(&death, place); place++) {
		const u32 taken = slots_taken();
		u32 orphaned = 0;

		assert_in_range(taken, 0, 1);
		for (u32 i = 0; i < vcpu_possible(); i++)
			if (table->slots[i].owner)
				orphaned = i;
			else if (taken)
				table->slots[i] = (struct vcpu_slot){1, namespace};
		if (taken)
			assert_int_equal(vcpu_enter(table), orphaned);
		vcpu_leave(table);
		memset(table, 0, sizeof(*table));
	}
}

static void test_all_owners_dead(void **state)
{
	u32 slot;

	assert_true(enter_full_table(0x3ffffffe, our_namespace(), &slot) < SECOND_NS / 2);
	assert_int_equal(arena->table.slots[slot].owner, thread_id());
	vcpu_leave(&arena->table);
	assert_int_equal(slots_taken(), vcpu_possible() - 1);
}

/* Of the owners in another pid namespace nothing is known, so they get a second. */
static void test_all_owners_foreign(void **state)
{
	const u64 took = enter_full_table(0x3ffffffe, our_namespace() + 1, &(u32){0});

	assert_true(took >= SECOND_NS && took < 2 * SECOND_NS);
	vcpu_leave(&arena->table);
}

/* A run that was displaced must not free what is another's now. */
static void test_displaced(void **state)
{
	const u32 slot = vcpu_enter(&arena->table);

	arena->table.slots[slot].owner = 1;
	vcpu_leave(&arena->table);
	assert_int_equal(arena->table.slots[slot].owner, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_possible),
		TEST(test_nesting),
		TEST(test_own_cpu_first),
		TEST(test_threads_lose_nothing),
		TEST(test_forked_child_owns_nothing),
		TEST(test_killed_owners),
		TEST(test_death_at_any_change),
		TEST(test_all_owners_dead),
		TEST(test_all_owners_foreign),
		TEST(test_displaced),
	};

	return run_tests(tests);
}
