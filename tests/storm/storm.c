/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * storm.c: the harness. `storm [-t] [KILLS [FAMILY [SECONDS]]]` runs one family after the other
 * (or the one named, not "all") with that many kills each, in no more than that time each. With -t
 * a call that took more than a second is a failure. With 0 kills, four threads of this process work
 * side by side for a while, which is what a thread sanitizer wants. One line of TAP for each family.
 *
 * A killed process ends when its threads have had a turn on a CPU, which takes longer than all
 * else; so several may be dying at a time.
 */
#include "storm.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "object/realm.h"
#include "shm/vcpu.h"

#define PROCESSES 4
#define THREADS (WRITERS / PROCESSES)
#define LIMIT_NS 1000000000ull
#define DYING 3     /* processes at a time, at most */
#define SETTLING 16 /* one of so many may die while it settles */
#define STEPPED 16   /* one of so many deaths is between two single steps */
#define STEPS 256   /* at most */
#define ROUNDS 4000 /* of each thread where nobody is killed */

static struct storm_log *logs;
static const struct family *family;
unsigned storm_cpus;
static uint64_t limit_ns = UINT64_MAX;
static bool judges_time;

uint64_t storm_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void expect(struct storm_log *log, bool condition, int line)
{
	if (condition)
		return;
	if (!log->failures)
		log->first_failure = line;
	log->failures++;
}

/* The locks of the realm and of references are waited for no longer than a second. */
static long call(int command, union bpf_attr *attr)
{
	long ret;

	do
		ret = bpf_call(command, PTR_U64(attr), sizeof(*attr));
	while (ret == -EAGAIN);
	return ret;
}

long timed_call(struct storm_log *log, int command, union bpf_attr *attr)
{
	const uint64_t start = storm_now();
	const long ret = call(command, attr);
	const uint64_t took = storm_now() - start;

	log->calls++;
	log->slowest = MAX(log->slowest, took);
	return ret;
}

static int must(long ret, const char *what)
{
	if (ret >= 0)
		return (int)ret;
	printf("Bail out! %s: %ld\n", what, ret);
	exit(1);
}

int storm_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries,
	      uint32_t flags, int inner, int btf)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = key_size,
			       .value_size = value_size,
			       .max_entries = entries,
			       .map_flags = flags,
			       .inner_map_fd = inner < 0 ? 0 : (uint32_t)inner};

	if (btf >= 0) {
		attr.btf_fd = (uint32_t)btf;
		attr.btf_key_type_id = 1;
		attr.btf_value_type_id = 3;
	}
	return must(call(BPF_MAP_CREATE, &attr), "map");
}

int storm_program_of(uint32_t type, uint32_t attach_type, const struct bpf_insn *insns, size_t size)
{
	union bpf_attr attr = {.prog_type = type,
			       .insns = PTR_U64(insns),
			       .insn_cnt = (uint32_t)(size / sizeof(*insns)),
			       .license = PTR_U64("GPL"),
			       .prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
			       .expected_attach_type = attach_type};

	return must(call(BPF_PROG_LOAD, &attr), "program");
}

int storm_program(const struct bpf_insn *insns, size_t size)
{
	return storm_program_of(BPF_PROG_TYPE_SYSCALL, 0, insns, size);
}

int storm_run(struct storm_log *log, int program, void *context, uint32_t size)
{
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)program,
					.ctx_in = PTR_U64(context),
					.ctx_size_in = size}};
	const long err = timed_call(log, BPF_PROG_TEST_RUN, &attr);

	return err ? (int)err : (int)attr.test.retval;
}

bool storm_is_valid(int fd)
{
	struct object *object;
	bool valid;

	if (object_from_fd(fd, OBJECT_MAP, &object, NULL))
		return false;
	valid = !map_of(object)->ops->is_valid || map_of(object)->ops->is_valid(map_of(object));
	object_put(object);
	return valid;
}

/* Writers */

static void work(unsigned writer, uint32_t rounds)
{
	uint32_t seed = (uint32_t)storm_now() * 2 + writer;
	struct storm_log *log = &logs[writer];

	family->settle(log, writer);
	for (log->steps = 0; log->steps < rounds; log->steps++) {
		seed = seed * 1664525 + 1013904223;
		family->step(log, writer, seed >> 8);
	}
}

static void *work_for_ever(void *writer)
{
	for (;;)
		work((unsigned)(uintptr_t)writer, ~0u);
	return NULL;
}

static void *work_a_while(void *writer)
{
	work((unsigned)(uintptr_t)writer, ROUNDS);
	return NULL;
}

static pid_t start(unsigned process)
{
	const uintptr_t first = process * THREADS;
	pthread_t thread;
	pid_t child;

	for (unsigned i = 0; i < THREADS; i++)
		logs[first + i].steps = 0;
	child = fork();
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uintptr_t i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, work_for_ever, (void *)(first + i)))
			_exit(1);
	work_for_ever((void *)first);
	_exit(0);
}

/* A death between two instructions, so also between two of a critical section. */
static void step(pid_t child, uint32_t steps)
{
	int status;

	if (ptrace(PTRACE_SEIZE, child, NULL, NULL) || ptrace(PTRACE_INTERRUPT, child, NULL, NULL))
		return;
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return;
	while (steps--)
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) ||
		    waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
			return;
}

static struct process {
	pid_t pid;
	bool is_dying;
} processes[PROCESSES];

/* Starts those anew that have died; returns how many have not yet. *well: none ended by itself. */
static unsigned restart_dead(bool *well)
{
	unsigned dying = 0;
	int status;

	for (unsigned i = 0; i < PROCESSES; i++) {
		struct process *process = &processes[i];

		if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
			*well = *well && process->is_dying && WIFSIGNALED(status);
			*process = (struct process){start(i), false};
		}
		dying += process->is_dying;
	}
	return dying;
}

/* Most are to die in their work, few in settling what the last one left. */
static bool may_die(unsigned i, uint32_t random)
{
	bool works = true;

	for (unsigned writer = i * THREADS; writer < (i + 1) * THREADS; writer++)
		works = works && logs[writer].steps;
	return !processes[i].is_dying && (works || random % SETTLING == 0);
}

static bool kill_one(uint32_t random)
{
	const unsigned i = random % PROCESSES;

	if (!may_die(i, random / PROCESSES))
		return false;
	random /= PROCESSES * SETTLING;
	if (random % STEPPED == 0)
		step(processes[i].pid, random / STEPPED % STEPS);
	kill(processes[i].pid, SIGKILL);
	processes[i].is_dying = true;
	return true;
}

static void end_all(void)
{
	for (unsigned i = 0; i < PROCESSES; i++)
		kill(processes[i].pid, SIGKILL);
	for (unsigned i = 0; i < PROCESSES; i++)
		waitpid(processes[i].pid, NULL, 0);
}

/* How many were killed. */
static unsigned kill_and_restart(unsigned kills, bool *well)
{
	const uint64_t begin = storm_now();
	uint32_t seed = 1;
	unsigned i = 0;

	for (unsigned process = 0; process < PROCESSES; process++)
		processes[process] = (struct process){start(process), false};
	while (*well && i < kills && storm_now() - begin < limit_ns) {
		seed = seed * 1664525 + 1013904223;
		nanosleep(&(struct timespec){.tv_nsec = seed >> 12}, NULL); /* up to 1 ms */
		if (restart_dead(well) == DYING || !kill_one(seed >> 8))
			continue;
		if (++i % 1000 == 0)
			fprintf(stderr, "# %s: %u of %u kills in %.0f s\n", family->name, i, kills,
				(double)(storm_now() - begin) / 1e9);
	}
	end_all();
	return i;
}

static bool work_together(void)
{
	pthread_t threads[PROCESSES];

	for (uintptr_t i = 0; i < PROCESSES; i++)
		if (pthread_create(&threads[i], NULL, work_a_while, (void *)i))
			return false;
	for (unsigned i = 0; i < PROCESSES; i++)
		pthread_join(threads[i], NULL);
	return true;
}

/* Verdict */

uint32_t storm_objects(enum object_kind kind)
{
	uint32_t count = 0;

	object_collect();
	for (uint32_t id = 0; !object_next_id(kind, id, &id);)
		count++;
	return count;
}

static bool check_log(unsigned writer)
{
	const struct storm_log *log = &logs[writer];
	const bool is_slow = judges_time && log->slowest > LIMIT_NS;

	if (log->failures)
		printf("# writer %u: %u failures, the first in line %d\n", writer, log->failures,
		       log->first_failure);
	if (is_slow)
		printf("# writer %u: a call took %llu ms\n", writer,
		       (unsigned long long)log->slowest / 1000000);
	return !log->failures && !is_slow;
}

static bool run_family(unsigned number, unsigned kills)
{
	uint64_t calls = 0, slowest = 0, begin = storm_now();
	uint32_t left;
	bool well = true;

	memset(logs, 0, sizeof(*logs) * WRITERS);
	family->create();
	if (kills)
		kills = kill_and_restart(kills, &well);
	else
		well = work_together();
	for (unsigned i = 0; i < WRITERS; i++) {
		family->settle(&logs[i], i);
		well = check_log(i) && well;
		calls += logs[i].calls;
		slowest = MAX(slowest, logs[i].slowest);
	}
	well = family->verify(logs) && well;
	left = storm_objects(OBJECT_MAP) + storm_objects(OBJECT_PROG);
	printf("%sok %u - %s: %u kills, %llu calls in %.1f s, slowest %.1f ms, %u objects left\n",
	       well && !left ? "" : "not ", number, family->name, kills, (unsigned long long)calls,
	       (double)(storm_now() - begin) / 1e9, (double)slowest / 1e6, left);
	fflush(stdout);
	return well && !left;
}

/* NULL behind the last. */
static const struct family *family_nr(unsigned i)
{
	static const struct family *const others[] = {
		&ring_family,  &records_family, &samples_family,
		&pages_family, &timers_family,	&objects_family};

	if (i < nr_keyed_families)
		return &keyed_families[i];
	i -= nr_keyed_families;
	if (i < nr_prefix_families)
		return &prefix_families[i];
	i -= nr_prefix_families;
	return i < ARRAY_SIZE(others) ? others[i] : NULL;
}

static bool run_families(unsigned kills, const char *only)
{
	unsigned number = 0;
	bool well = true;

	for (unsigned i = 0; (family = family_nr(i)); i++) {
		if (!strcmp(only, "all") || !strcmp(only, family->name))
			well = run_family(++number, kills) && well;
	}
	printf("1..%u\n", number);
	return well && number;
}

static int remove_directory(const char *directory)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

int main(int argc, char **argv)
{
	char directory[] = "/dev/shm/userbpf-storm-XXXXXX";
	unsigned kills;
	bool well;

	judges_time = argc > 1 && !strcmp(argv[1], "-t");
	argc -= judges_time;
	argv += judges_time;
	kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100;
	if (argc > 3)
		limit_ns = strtoul(argv[3], NULL, 10) * 1000000000ull;
	storm_cpus = vcpu_possible();
	if (storm_cpus > MAX_CPUS) {
		printf("1..0 # SKIP more than %d CPUs\n", MAX_CPUS);
		return 0;
	}
	logs = mmap(NULL, sizeof(*logs) * WRITERS, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (logs == MAP_FAILED || !mkdtemp(directory))
		return 1;
	unsetenv("USERBPF_REALM");
	setenv("USERBPF_DIR", directory, 1);
	well = !bpf_init() && run_families(kills, argc > 2 ? argv[2] : "all");
	return remove_directory(directory) || !well;
}
