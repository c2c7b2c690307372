/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * lock.c: owner-death-proof locks on the robust list that the C library registered for the thread.
 *
 * Only list_op_pending is borrowed: the kernel looks at it when the thread dies, and the C library
 * uses it for an instant inside its own robust mutexes, which no critical section of ours calls.
 * The list itself is never touched and set_robust_list(2) never called.
 *
 * States of the word: 0 free; tid held; tid|OWNER_DIED held by one who has to repair;
 * OWNER_DIED orphaned (written by the kernel). FUTEX_WAITERS may accompany all but 0. A repairer
 * that dies leaves OWNER_DIED again, so that the duty to repair is never lost.
 *
 * All waits are bounded, so no lost wake costs more than WAIT_NS. An owner that the kernel did not
 * report (no robust list, or a signal handler's robust mutex cleared the pending field) is looked
 * up in /proc after PATIENCE waits without any change. An owner that lives but does not go on (it was
 * stopped, or the word names a stranger) makes others give up after GIVE_UP waits.
 */
#include "base/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/syscall.h"

#define LOCK_DEPTH 8 /* one critical section and the signal handlers nested in it */
#define SPINS 100
#define WAIT_NS 20000000
#define PATIENCE 20
#define GIVE_UP 45 /* waits for a living owner: 0.9 s */

/* Per process, in memory that a forked child finds zeroed. */
struct process_page {
	u32 epoch; /* 0 until first use in this process; no two relatives share one */
	struct lock lock;
};

struct held {
	struct lock *lock;
	struct robust_list *pending; /* what the pending field said before */
};

struct thread {
	u32 epoch; /* of the process that filled this in */
	u32 tid;
	struct robust_list_head *robust;
	u32 depth;
	struct held held[LOCK_DEPTH];
};

static __thread struct thread self __attribute__((tls_model("initial-exec")));
static struct robust_list_head no_robust_list; /* stands in; the kernel does not know it */
static struct process_page *process;
static struct process_page unwiped; /* where the kernel cannot wipe on fork: epoch stays 0 */
static u32 last_epoch;

static struct thread *thread_refresh(void);

/* A signal handler sees the stores of its own thread in program order. */
static inline void order_for_signals(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline struct thread *thread_self(void)
{
	const struct process_page *page = load_acquire(&process);

	if (likely(page && self.epoch && self.epoch == load_relaxed(&page->epoch)))
		return &self;
	return thread_refresh();
}

static inline u32 owner_of(u32 word)
{
	return word & FUTEX_TID_MASK;
}

static bool is_held(const struct thread *thread, const struct lock *lock)
{
	for (u32 i = 0; i < thread->depth; i++)
		if (thread->held[i].lock == lock)
			return true;
	return false;
}

/*
 * The entry is claimed before it is filled: a signal handler in between uses the next one, and what
 * it finds in this one is no lock.
 */
static inline void held_push(struct thread *thread, struct lock *lock)
{
	struct held *held = &thread->held[thread->depth];

	thread->depth++;
	order_for_signals();
	held->pending = thread->robust->list_op_pending;
	held->lock = lock;
	order_for_signals();
	thread->robust->list_op_pending =
		(struct robust_list *)((char *)&lock->word - thread->robust->futex_offset);
	order_for_signals();
}

static inline void held_pop(struct thread *thread)
{
	struct held *held = &thread->held[thread->depth - 1];

	order_for_signals();
	thread->robust->list_op_pending = held->pending;
	held->lock = NULL;
	order_for_signals();
	thread->depth--;
}

static int acquire_contended(struct lock *lock, struct thread *thread, u32 word);

int lock_acquire(struct lock *lock)
{
	struct thread *thread = thread_self();
	u32 word = 0;

	if (unlikely(thread->depth && (is_held(thread, lock) || thread->depth == LOCK_DEPTH)))
		return -EBUSY;
	held_push(thread, lock);
	if (likely(atomic_cas(&lock->word, &word, thread->tid)))
		return LOCK_TAKEN;
	return acquire_contended(lock, thread, word);
}

/*
 * A child forked inside the critical section comes here too, but the lock is its parent's. A word
 * that somebody scribbled on stays as it is.
 */
void lock_release(struct lock *lock)
{
	struct thread *thread = thread_self();

	if (unlikely(!thread->depth))
		return;
	if (unlikely(owner_of(load_relaxed(&lock->word)) != thread->tid)) {
		if (thread->held[thread->depth - 1].lock == lock)
			held_pop(thread);
		return;
	}
	if (unlikely(atomic_exchange(&lock->word, 0) & FUTEX_WAITERS))
		sys_futex_wake(&lock->word, 1);
	held_pop(thread);
}

bool lock_is_orphaned(const struct lock *lock)
{
	return load_relaxed(&lock->word) & FUTEX_OWNER_DIED;
}

u32 thread_id(void)
{
	return thread_self()->tid;
}

/* Cold path */

u32 thread_namespace(void)
{
	struct stat st;

	return sys_fstatat(AT_FDCWD, "/proc/thread-self/ns/pid", &st, 0) ? 0 : (u32)st.st_ino;
}

/*
 * One attempt: true when *word was free to take and is now ours. Our own tid in a lock that we do
 * not hold is that of a dead predecessor.
 */
static bool try_take(struct lock *lock, const struct thread *thread, u32 *word, u32 waiters)
{
	const u32 owner = owner_of(*word);
	u32 died = *word & FUTEX_OWNER_DIED;

	if (owner && owner != thread->tid)
		return false;
	if (owner)
		died = FUTEX_OWNER_DIED;
	return atomic_cas(&lock->word, word,
			  thread->tid | died | waiters | (*word & FUTEX_WAITERS));
}

static bool spin_for(struct lock *lock, const struct thread *thread, u32 *word)
{
	for (int i = 0; i < SPINS; i++) {
		if (try_take(lock, thread, word, 0))
			return true;
		cpu_relax();
		*word = load_relaxed(&lock->word);
	}
	return false;
}

/* Does to the word what the kernel would have done at the owner's death. */
static void orphan(struct lock *lock, u32 word)
{
	if (!thread_is_alive(owner_of(word)))
		atomic_cas(&lock->word, &word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
}

static int acquire_contended(struct lock *lock, struct thread *thread, u32 word)
{
	static const struct timespec wait = {.tv_nsec = WAIT_NS};
	u32 seen = 0, unchanged = 0;

	if (spin_for(lock, thread, &word))
		goto taken;
	/* After a sleep others may still sleep, so the word keeps FUTEX_WAITERS. */
	while (!try_take(lock, thread, &word, FUTEX_WAITERS)) {
		if (!owner_of(word) || owner_of(word) == thread->tid)
			continue;
		if (!(word & FUTEX_WAITERS) &&
		    !atomic_cas(&lock->word, &word, word | FUTEX_WAITERS))
			continue;
		word |= FUTEX_WAITERS;
		unchanged = word == seen ? unchanged + 1 : 0;
		seen = word;
		if (unchanged == GIVE_UP) {
			held_pop(thread);
			return -EBUSY;
		}
		if (unchanged == PATIENCE)
			orphan(lock, word);
		if (sys_futex_wait(&lock->word, word, &wait) != -ETIMEDOUT)
			unchanged = 0;
		word = load_relaxed(&lock->word);
	}
taken:
	return load_relaxed(&lock->word) & FUTEX_OWNER_DIED ? LOCK_OWNER_DIED : LOCK_TAKEN;
}

/* Maps the page once per program image; a race is lost by whoever comes second. */
static cold struct process_page *process_page(void)
{
	struct process_page *page = load_acquire(&process), *expected = NULL;

	if (page)
		return page;
	page = sys_mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	if (sys_is_err(page))
		return &unwiped;
	if (sys_madvise(page, PAGE_BYTES, MADV_WIPEONFORK) ||
	    !atomic_cas(&process, &expected, page)) {
		sys_munmap(page, PAGE_BYTES);
		return expected ? expected : &unwiped;
	}
	return page;
}

static u32 process_epoch(struct process_page *page)
{
	u32 epoch = load_relaxed(&page->epoch), fresh;

	if (epoch || page == &unwiped)
		return epoch;
	fresh = atomic_add(&last_epoch, 1) + 1;
	return atomic_cas(&page->epoch, &epoch, fresh) ? fresh : epoch;
}

/* First use by this thread, or first use in a forked child, where nothing is held. */
static cold struct thread *thread_refresh(void)
{
	const u32 epoch = process_epoch(process_page()), tid = (u32)sys_gettid();
	struct robust_list_head *robust = NULL;
	size_t len;

	if (self.tid == tid && !epoch)
		return &self;
	if (SYSCALL(SYS_get_robust_list, 0, &robust, &len) || !robust)
		robust = &no_robust_list;
	self.depth = 0;
	memset(self.held, 0, sizeof(self.held));
	self.robust = robust;
	self.tid = tid;
	order_for_signals();
	self.epoch = epoch;
	return &self;
}

struct lock *lock_of_process(void)
{
	return &process_page()->lock;
}

enum thread_state thread_state(u32 tid)
{
	char path[32], stat[128];
	const char *state;
	long len;
	int fd;

	if (SYSCALL(SYS_tkill, tid, 0) == -ESRCH)
		return THREAD_GONE;
	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return THREAD_RUNS;
	len = sys_read(fd, stat, sizeof(stat) - 1);
	sys_close(fd);
	if (len <= 0)
		return len == -ESRCH ? THREAD_GONE : THREAD_RUNS;
	stat[len] = 0;
	state = strrchr(stat, ')'); /* the name may contain anything */
	if (!state || len - (state - stat) < 3)
		return THREAD_RUNS;
	if (strchr("ZXx", state[2]))
		return THREAD_GONE;
	return strchr("Tt", state[2]) ? THREAD_STOPPED : THREAD_RUNS;
}
