/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_storm.c: eight writers in four processes on one HASH and one PERCPU_ARRAY, while a killer
 * SIGKILLs and restarts them. The number of kills: first argument, or USERBPF_STORM_KILLS.
 *
 * Each writer owns some keys and one index, and writes down in a page of its own what it is about to
 * do and what was acknowledged. Whoever looks later must find one or the other. The HASH has room for
 * exactly the keys of all writers, so that one element lost in a kill shows as E2BIG.
 */
#include "bpf_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define PROCESSES 4
#define THREADS 2
#define WRITERS (PROCESSES * THREADS)
#define KEYS 16 /* of each writer */
#define CAPACITY (WRITERS * KEYS)
#define MAX_CPUS 64
#define LIMIT_NS 1000000000ull

struct value {
	uint64_t sequence;
	uint64_t copies[3];
};

/* Sequence 0: absent. */
struct writer_log {
	uint64_t intended[KEYS], acknowledged[KEYS];
	uint64_t index_intended, index_acknowledged;
	uint64_t sequence;
	uint64_t calls, slowest; /* ns */
	unsigned failures;
	int first_failure; /* line */
} __attribute__((aligned(4096)));

static struct writer_log *logs;
static int hash, percpu;
static unsigned cpus, kills = 200;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define EXPECT(log, condition) expect((log), (condition), __LINE__)

static void expect(struct writer_log *log, bool condition, int line)
{
	if (condition)
		return;
	if (!log->failures)
		log->first_failure = line;
	log->failures++;
}

/* One call, timed. */
static int call(struct writer_log *log, int command, int fd, uint32_t key, void *value,
		uint64_t flags)
{
	const uint64_t start = now();
	const int err = map_elem(command, fd, &key, value, flags);
	const uint64_t took = now() - start;

	log->calls++;
	if (took > log->slowest)
		log->slowest = took;
	return err;
}

/* The sequence a key has; 0: absent. */
static uint64_t look(struct writer_log *log, uint32_t key)
{
	struct value value;
	const int err = call(log, BPF_MAP_LOOKUP_ELEM, hash, key, &value, 0);

	if (err) {
		EXPECT(log, err == -ENOENT);
		return 0;
	}
	for (int i = 0; i < 3; i++)
		EXPECT(log, value.copies[i] == value.sequence * (key + 1));
	return value.sequence;
}

/* What a kill left behind: the last state acknowledged or the one intended. */
static void settle(struct writer_log *log, unsigned writer)
{
	uint64_t values[MAX_CPUS];

	for (uint32_t k = 0; k < KEYS; k++) {
		const uint64_t found = look(log, writer * KEYS + k);

		EXPECT(log, found == log->acknowledged[k] || found == log->intended[k]);
		log->acknowledged[k] = log->intended[k] = found;
	}
	EXPECT(log, call(log, BPF_MAP_LOOKUP_ELEM, percpu, writer, values, 0) == 0);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		EXPECT(log, values[cpu] == log->index_acknowledged ||
				    values[cpu] == log->index_intended);
}

static void change_key(struct writer_log *log, unsigned writer, uint32_t k, bool remove)
{
	const uint32_t key = writer * KEYS + k;
	const bool present = log->acknowledged[k];
	const uint64_t sequence = ++log->sequence, n = sequence * (key + 1);
	struct value value = {sequence, {n, n, n}};

	log->intended[k] = remove ? 0 : sequence;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (remove)
		EXPECT(log, call(log, BPF_MAP_DELETE_ELEM, hash, key, NULL, 0) ==
				    (present ? 0 : -ENOENT));
	else
		EXPECT(log, call(log, BPF_MAP_UPDATE_ELEM, hash, key, &value,
				 present ? BPF_EXIST : BPF_NOEXIST) == 0);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	log->acknowledged[k] = log->intended[k];
}

static void change_index(struct writer_log *log, unsigned writer)
{
	uint64_t values[MAX_CPUS];

	log->index_intended = log->index_acknowledged + 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		values[cpu] = log->index_intended;
	EXPECT(log, call(log, BPF_MAP_UPDATE_ELEM, percpu, writer, values, 0) == 0);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	log->index_acknowledged = log->index_intended;
}

static void *write_for_ever(void *arg)
{
	const unsigned writer = (unsigned)(uintptr_t)arg;
	struct writer_log *log = &logs[writer];
	uint32_t seed = (uint32_t)now() * 2 + 1;

	settle(log, writer);
	for (;;) {
		seed = seed * 1664525 + 1013904223;
		switch (seed >> 29) {
		case 0:
			change_index(log, writer);
			break;
		case 1:
			EXPECT(log, look(log, writer * KEYS + (seed >> 20) % KEYS) ==
					    log->acknowledged[(seed >> 20) % KEYS]);
			break;
		default:
			change_key(log, writer, (seed >> 20) % KEYS, seed >> 29 < 4);
		}
	}
	return NULL;
}

static pid_t start(unsigned process)
{
	const uintptr_t first = process * THREADS;
	pthread_t thread;
	pid_t child = fork();

	if (child)
		return child;
	for (uintptr_t i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, write_for_ever, (void *)(first + i)))
			_exit(1);
	write_for_ever((void *)first);
	_exit(0);
}

static void stop(pid_t child)
{
	int status;

	assert_true(child > 0);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status)); /* it did not end by itself */
}

static void check_log(unsigned writer)
{
	const struct writer_log *log = &logs[writer];

	if (log->failures)
		fail_msg("writer %u: %u failures, the first in line %d", writer, log->failures,
			 log->first_failure);
	if (log->slowest > LIMIT_NS)
		fail_msg("writer %u: a call took %llu ms", writer,
			 (unsigned long long)log->slowest / 1000000);
}

static void what_was_acknowledged_is_there(void **state)
{
	const struct timespec pause = {.tv_nsec = 100000};
	uint64_t calls = 0, slowest = 0, begin = now();
	pid_t children[PROCESSES];
	uint32_t seed = 1;

	for (unsigned i = 0; i < PROCESSES; i++)
		children[i] = start(i);
	for (unsigned i = 0; i < kills; i++) {
		seed = seed * 1664525 + 1013904223;
		for (uint32_t n = seed >> 28; n; n--)
			nanosleep(&pause, NULL);
		stop(children[seed >> 20 & (PROCESSES - 1)]);
		children[seed >> 20 & (PROCESSES - 1)] = start(seed >> 20 & (PROCESSES - 1));
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		stop(children[i]);
	for (unsigned i = 0; i < WRITERS; i++) {
		settle(&logs[i], i);
		check_log(i);
		calls += logs[i].calls;
		slowest = logs[i].slowest > slowest ? logs[i].slowest : slowest;
	}
	print_message("# %u kills, %llu calls in %llu ms, the slowest took %llu us\n", kills,
		      (unsigned long long)calls, (unsigned long long)(now() - begin) / 1000000,
		      (unsigned long long)slowest / 1000);
}

static uint32_t count_elements(void)
{
	uint32_t key, count = 0;

	for (int err = map_next_key(hash, NULL, &key); !err; err = map_next_key(hash, &key, &key))
		count++;
	return count;
}

static void capacity_is_whole_again(void **state)
{
	struct value value = {0};
	uint32_t present = 0, key;

	for (unsigned i = 0; i < WRITERS; i++)
		for (unsigned k = 0; k < KEYS; k++)
			present += logs[i].acknowledged[k] != 0;
	assert_int_equal(count_elements(), present);
	for (int round = 0; round < 2; round++) {
		for (key = 1000; present < CAPACITY; key++, present++)
			assert_int_equal(map_update(hash, &key, &value, BPF_NOEXIST), 0);
		assert_int_equal(map_update(hash, &key, &value, BPF_NOEXIST), -E2BIG);
		for (present = CAPACITY; !map_next_key(hash, NULL, &key); present--)
			assert_int_equal(map_delete(hash, &key), 0);
		assert_int_equal(present, 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_is_there),
		cmocka_unit_test(capacity_is_whole_again),
	};
	const char *count = argc > 1 ? argv[1] : getenv("USERBPF_STORM_KILLS");

	require_bpf();
	if (count)
		kills = (unsigned)strtoul(count, NULL, 10);
	cpus = possible_cpus();
	if (cpus > MAX_CPUS) {
		printf("1..0 # SKIP more than %d CPUs\n", MAX_CPUS);
		return 77;
	}
	logs = mmap(NULL, sizeof(*logs) * WRITERS, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	hash = map_create(BPF_MAP_TYPE_HASH, 4, sizeof(struct value), CAPACITY, 0);
	percpu = map_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, WRITERS, 0);
	if (logs == MAP_FAILED || hash < 0 || percpu < 0)
		return 1;
	alarm(60 + kills / 10);
	return run_tests(tests);
}
