/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * vcpu.c: taking and giving back virtual CPUs by one compare-and-swap. Owns the calling thread's
 * notion of its slot; knows nothing of programs.
 *
 * A slot is read and written as one 64-bit word {owner, namespace}, so that nobody ever judges a
 * thread id in the wrong pid namespace. A thread that waits too long looks for dead owners.
 */
#include "shm/vcpu.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/syscall.h"

#define YIELDS 64 /* before a waiter sleeps */
#define SLEEP_NS 50000
#define JUDGE_NS 5000000 /* how often a waiter looks for dead owners */
#define FOREIGN_NS 1000000000

/* This thread's run. */
struct run {
	u32 tid; /* of the thread that filled this in: differs in a forked child */
	u32 depth;
	u32 slot;
	u64 owner; /* what this thread writes into a slot */
};

static __thread struct run self __attribute__((tls_model("initial-exec")));
static u32 possible;

/* Registered by glibc 2.35 and later; absent elsewhere. */
extern const ptrdiff_t __rseq_offset __attribute__((weak, visibility("default")));

static inline u64 *slot_word(struct vcpu_table *table, u32 slot)
{
	return (u64 *)(void *)&table->slots[slot].owner;
}

static inline u64 word_of(u32 owner, u32 pid_ns)
{
	const struct vcpu_slot slot = {.owner = owner, .namespace = pid_ns};
	u64 word;

	memcpy(&word, &slot, sizeof(word));
	return word;
}

static inline struct vcpu_slot slot_of(u64 word)
{
	struct vcpu_slot slot;

	memcpy(&slot, &word, sizeof(word));
	return slot;
}

static inline char *thread_pointer(void)
{
#if defined(__x86_64__)
	char *tp;

	__asm__("mov %%fs:0, %0" : "=r"(tp));
	return tp;
#elif defined(__aarch64__)
	char *tp;

	__asm__("mrs %0, tpidr_el0" : "=r"(tp));
	return tp;
#endif
}

/* The kernel keeps cpu_id, at offset 4 of struct rseq, current; negative: not registered. */
static inline s32 rseq_cpu(void)
{
	if (!&__rseq_offset)
		return -1;
	return *(volatile s32 *)(thread_pointer() + __rseq_offset + 4);
}

static inline u32 this_cpu(void)
{
	s32 cpu = rseq_cpu();

	if (unlikely(cpu < 0))
		cpu = MAX(sched_getcpu(), 0);
	return unlikely((u32)cpu >= vcpu_possible()) ? (u32)cpu % vcpu_possible() : (u32)cpu;
}

static void run_refresh(u32 tid);
static u32 wait_for_slot(struct vcpu_table *table, u32 first);

u32 vcpu_enter(struct vcpu_table *table)
{
	const u32 tid = thread_id();
	u64 free = 0;

	if (unlikely(self.tid != tid))
		run_refresh(tid);
	if (unlikely(self.depth++))
		return self.slot;
	self.slot = this_cpu();
	if (unlikely(!atomic_cas(slot_word(table, self.slot), &free, self.owner)))
		self.slot = wait_for_slot(table, self.slot);
	return self.slot;
}

/* The release pairs with the compare-and-swap of the next owner. */
void vcpu_leave(struct vcpu_table *table)
{
	u64 *word = slot_word(table, self.slot);

	if (unlikely(self.tid != thread_id() || !self.depth || --self.depth))
		return;
	if (likely(load_relaxed(word) == self.owner))
		store_release(word, 0);
}

u32 vcpu_current(void)
{
	return self.depth ? self.slot : this_cpu();
}

/* Cold path */

/* Adds the CPUs of a list such as "0-3,8"; 0 when it cannot be read. */
static u32 count_cpus(const char *list)
{
	unsigned long first, last;
	u32 count = 0;
	char *end;

	for (;; list = end + 1) {
		first = last = strtoul(list, &end, 10);
		if (end == list)
			return count;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last - first >= VCPU_MAX)
			return count;
		count += (u32)(last - first + 1);
		if (*end != ',')
			return count;
	}
}

static cold u32 read_possible(void)
{
	char list[256];
	long len = -1;
	u32 count;
	int fd;

	fd = sys_openat(AT_FDCWD, "/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0) {
		len = sys_read(fd, list, sizeof(list) - 1);
		sys_close(fd);
	}
	list[MAX(len, 0)] = 0;
	count = count_cpus(list);
	count = MIN(MAX(count, 1u), (u32)VCPU_MAX);
	store_relaxed(&possible, count);
	return count;
}

u32 vcpu_possible(void)
{
	const u32 count = load_relaxed(&possible);

	return likely(count) ? count : read_possible();
}

static cold void run_refresh(u32 tid)
{
	self.depth = 0;
	self.owner = word_of(tid, thread_namespace());
	self.tid = tid;
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

static bool take_any(struct vcpu_table *table, u32 *slot)
{
	const u32 count = vcpu_possible();
	u64 free;

	for (u32 i = 0; i < count; i++) {
		free = 0;
		if (atomic_cas(slot_word(table, (*slot + i) % count), &free, self.owner)) {
			*slot = (*slot + i) % count;
			return true;
		}
	}
	return false;
}

/*
 * A thread of our own id that is not us is a dead predecessor. One that was stopped in the middle of
 * a run loses its slot too: when it goes on, it shares the number for the rest of that run.
 */
static bool owner_is_out(u64 word)
{
	const struct vcpu_slot owner = slot_of(word), ours = slot_of(self.owner);

	return owner.namespace == ours.namespace &&
	       (owner.owner == ours.owner || thread_state(owner.owner) != THREAD_RUNS);
}

static bool take_from_absent(struct vcpu_table *table, u32 *slot)
{
	u64 word;

	for (u32 i = 0; i < vcpu_possible(); i++) {
		word = load_acquire(slot_word(table, i));
		if (word && owner_is_out(word) &&
		    atomic_cas(slot_word(table, i), &word, self.owner)) {
			*slot = i;
			return true;
		}
	}
	return false;
}

/* A thread that always finds its slot taken by a dead one would never run on its CPU again. */
static bool take_from_dead(struct vcpu_table *table, u32 slot)
{
	u64 word = load_acquire(slot_word(table, slot));
	const struct vcpu_slot owner = slot_of(word);

	return word && owner.namespace == slot_of(self.owner).namespace &&
	       SYSCALL(SYS_tkill, owner.owner, 0) == -ESRCH &&
	       atomic_cas(slot_word(table, slot), &word, self.owner);
}

/*
 * The first choice is taken, if not by a dead thread. All slots are taken: gives way, then sleeps, and now and then looks for owners that died or were
 * stopped. Of owners in other pid namespaces nothing is known; the one on our first choice is
 * displaced when it sat there for FOREIGN_NS.
 */
static cold u32 wait_for_slot(struct vcpu_table *table, u32 first)
{
	static const struct timespec sleep = {.tv_nsec = SLEEP_NS};
	u64 judged, since, now, word, seen = 0;
	u32 slot = first;

	if (take_from_dead(table, first))
		return first;
	judged = since = now_ns();
	for (u32 tries = 0; !take_any(table, &slot); tries++) {
		if (tries < YIELDS)
			sched_yield();
		else
			SYSCALL(SYS_nanosleep, &sleep, NULL);
		now = now_ns();
		word = load_relaxed(slot_word(table, first));
		if (word != seen) {
			seen = word;
			since = now;
		}
		if (now - since > FOREIGN_NS &&
		    slot_of(word).namespace != slot_of(self.owner).namespace &&
		    atomic_cas(slot_word(table, first), &word, self.owner))
			return first;
		if (now - judged > JUDGE_NS) {
			if (take_from_absent(table, &slot))
				return slot;
			judged = now_ns();
		}
	}
	return slot;
}
