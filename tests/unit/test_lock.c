/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_lock.c: exclusion, and what is left of a lock whose owner was killed at any instruction. */
#include "base/atomic.h"
#include "base/lock.h"
#include "unit/die.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "bpf_test.h"

#define STORM_PROCESSES 4
#define STORM_KILLS 600
#define SECOND_NS 1000000000ull

/* In memory shared by all processes of a test. */
struct arena {
	struct lock lock, other;
	u32 inside;        /* thread id of who is in the critical section */
	u64 entries, twin; /* always equal outside the critical section */
	u64 died, longest_ns;
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

/* Forks a child that takes the lock, tells so and sleeps until it is killed. */
static pid_t fork_holder(bool without_robust_list)
{
	u32 before = load_acquire(&arena->inside);
	pid_t pid = fork();

	if (!pid) {
		if (without_robust_list)
			syscall(SYS_set_robust_list, NULL, 24);
		if (lock_acquire(&arena->lock) < 0)
			_exit(1);
		store_release(&arena->inside, thread_id());
		for (;;)
			pause();
	}
	while (load_acquire(&arena->inside) == before)
		sched_yield();
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_take_and_release(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(lock_acquire(&arena->lock), LOCK_TAKEN);
		assert_int_equal(arena->lock.word, gettid());
		assert_int_equal(lock_acquire(&arena->lock), -EBUSY);
		assert_int_equal(lock_acquire(&arena->other), LOCK_TAKEN);
		lock_release(&arena->other);
		assert_int_equal(lock_acquire(&arena->lock), -EBUSY);
		lock_release(&arena->lock);
		assert_int_equal(arena->lock.word, 0);
	}
}

static void test_forked_child(void **state)
{
	int status;
	pid_t pid;

	assert_int_equal(thread_id(), gettid());
	assert_int_equal(lock_acquire(&arena->lock), LOCK_TAKEN);
	assert_int_equal(lock_acquire(lock_of_process()), LOCK_TAKEN);
	pid = fork();
	if (!pid) {
		lock_release(&arena->lock); /* the parent's: must stay taken */
		_exit(thread_id() != (u32)gettid() || arena->lock.word == 0 ||
		      lock_acquire(lock_of_process()) != LOCK_TAKEN);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(arena->lock.word, gettid());
	lock_release(lock_of_process());
	lock_release(&arena->lock);
}

static void test_owner_killed(void **state)
{
	kill_and_reap(fork_holder(false));
	assert_true(lock_is_orphaned(&arena->lock));
	assert_int_equal(lock_acquire(&arena->lock), LOCK_OWNER_DIED);
	assert_true(lock_is_orphaned(&arena->lock)); /* not repaired yet */
	lock_release(&arena->lock);
	assert_false(lock_is_orphaned(&arena->lock));
	assert_int_equal(lock_acquire(&arena->lock), LOCK_TAKEN);
	lock_release(&arena->lock);
}

static void test_repairer_killed(void **state)
{
	for (int i = 0; i < 3; i++)
		kill_and_reap(fork_holder(false));
	assert_int_equal(lock_acquire(&arena->lock), LOCK_OWNER_DIED);
	lock_release(&arena->lock);
}

/* Nobody marks the word: the waiter has to find out. */
static void test_owner_without_robust_list(void **state)
{
	kill_and_reap(fork_holder(true));
	assert_false(lock_is_orphaned(&arena->lock));
	assert_int_equal(lock_acquire(&arena->lock), LOCK_OWNER_DIED);
	lock_release(&arena->lock);
}

static void test_waiter_outlives_owner(void **state)
{
	const pid_t owner = fork_holder(false), waiter = fork();
	const struct timespec nap = {.tv_nsec = 50000000};
	int status;

	if (!waiter)
		_exit(lock_acquire(&arena->lock) == LOCK_OWNER_DIED ? 0 : 1);
	nanosleep(&nap, NULL);
	kill_and_reap(owner);
	assert_int_equal(waitpid(waiter, &status, 0), waiter);
	assert_int_equal(status, 0);
}

static void *take_and_end(void *arg)
{
	return lock_acquire(&arena->lock) < 0 ? arena : NULL;
}

static void test_owner_thread_ended(void **state)
{
	pthread_t thread;
	void *failed;

	assert_int_equal(pthread_create(&thread, NULL, take_and_end, NULL), 0);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(lock_acquire(&arena->lock), LOCK_OWNER_DIED);
	lock_release(&arena->lock);
}

/* A word with our own id that we did not write is of a dead predecessor with that id. */
static void test_own_id_of_a_predecessor(void **state)
{
	arena->lock.word = (u32)gettid();
	assert_int_equal(lock_acquire(&arena->lock), LOCK_OWNER_DIED);
	lock_release(&arena->lock);
}

static volatile sig_atomic_t handler_runs, handler_busy;

static void on_alarm(int signal)
{
	int err = lock_acquire(&arena->lock);

	handler_runs++;
	if (err == -EBUSY)
		handler_busy++;
	else
		lock_release(&arena->lock);
	if (lock_acquire(&arena->other) == LOCK_TAKEN)
		lock_release(&arena->other);
}

static void test_signal_handler(void **state)
{
	const struct itimerval often = {{0, 200}, {0, 200}}, never = {0};
	const u64 until = now_ns() + SECOND_NS / 2;
	struct sigaction action = {.sa_handler = on_alarm}, old;

	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	while (now_ns() < until) {
		assert_int_equal(lock_acquire(&arena->lock), LOCK_TAKEN);
		for (int i = 0; i < 20; i++)
			cpu_relax();
		assert_int_equal(arena->lock.word & ~0x80000000u, gettid());
		lock_release(&arena->lock);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_true(handler_runs > 0 && handler_busy > 0);
	assert_int_equal(arena->lock.word, 0);
	assert_int_equal(arena->other.word, 0);
}

/* One turn in the critical section, with the checks that every taker can make. */
static void enter_once(void)
{
	const u64 start = now_ns();
	const int ret = lock_acquire(&arena->lock);
	const u64 took = now_ns() - start;

	if (ret < 0 || (ret == LOCK_TAKEN && arena->inside))
		atomic_add(&arena->errors, 1);
	if (ret == LOCK_OWNER_DIED) {
		arena->died++;
		arena->twin = arena->entries;
	}
	if (arena->twin != arena->entries)
		atomic_add(&arena->errors, 1);
	if (took > arena->longest_ns)
		arena->longest_ns = took;
	store_relaxed(&arena->inside, thread_id());
	arena->entries++;
	for (int i = 0; i < 30; i++)
		cpu_relax();
	arena->twin++;
	store_relaxed(&arena->inside, 0);
	lock_release(&arena->lock);
}

static pid_t fork_runner(void)
{
	pid_t pid = fork();

	while (!pid)
		enter_once();
	return pid;
}

static void test_kill_storm(void **state)
{
	pid_t pids[STORM_PROCESSES];
	struct timespec nap = {0};
	u64 before;

	srand(1);
	for (int i = 0; i < STORM_PROCESSES; i++)
		pids[i] = fork_runner();
	for (int i = 0; i < STORM_KILLS; i++) {
		nap.tv_nsec = rand() % 2000000;
		nanosleep(&nap, NULL);
		kill_and_reap(pids[i % STORM_PROCESSES]);
		pids[i % STORM_PROCESSES] = fork_runner();
	}
	for (int i = 0; i < STORM_PROCESSES; i++)
		kill_and_reap(pids[i]);
	before = arena->entries;
	enter_once();
	assert_int_equal(arena->entries, before + 1);
	assert_int_equal(arena->errors, 0);
	assert_true(before > STORM_KILLS);
	print_message("# %llu entries, owner died %llu times, longest wait %llu us\n",
		      (unsigned long long)before, (unsigned long long)arena->died,
		      (unsigned long long)arena->longest_ns / 1000);
}

static void enter(void *unused)
{
	if (lock_acquire(&arena->lock) == LOCK_OWNER_DIED)
		arena->twin = arena->entries;
	arena->entries++;
	arena->twin++;
	lock_release(&arena->lock);
}

static void test_death_at_any_instruction(void **state)
{
#if defined(__SANITIZE_THREAD__)
	skip(); /* too many steps */
#endif
	const struct death death = {.run = enter};

	for (unsigned place = 1; dies_at(&death, place); place++) {
		enter_once();
		assert_int_equal(arena->lock.word, 0);
		assert_int_equal(arena->entries, arena->twin);
		assert_int_equal(arena->errors, 0);
	}
}

static void *run_thread(void *arg)
{
	for (int i = 0; i < 20000; i++)
		enter_once();
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(arena->entries, ARRAY_SIZE(threads) * 20000);
	assert_int_equal(arena->errors, 0);
	assert_int_equal(arena->died, 0);
}

static void test_thread_is_alive(void **state)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_true(thread_is_alive((u32)gettid()));
	assert_true(thread_is_alive(1));
	assert_false(thread_is_alive(0x3ffffffe));
	while (thread_is_alive((u32)pid)) /* ends when it is a zombie */
		sched_yield();
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(thread_is_alive((u32)pid));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_take_and_release),
		TEST(test_forked_child),
		TEST(test_owner_killed),
		TEST(test_repairer_killed),
		TEST(test_owner_without_robust_list),
		TEST(test_waiter_outlives_owner),
		TEST(test_owner_thread_ended),
		TEST(test_own_id_of_a_predecessor),
		TEST(test_signal_handler),
		TEST(test_kill_storm),
		TEST(test_death_at_any_instruction),
		TEST(test_threads),
		TEST(test_thread_is_alive),
	};

	return run_tests(tests);
}
