/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload_epoll.c: descriptors of ours in epoll sets. The kernel refuses a file in tmpfs with EPERM,
 * so something else enters the set: for an object whose readiness never changes (most maps report
 * EPOLLERR for ever) the writing end of a pipe without reader, which reports exactly that; for one
 * that wakes, its FIFO of object/wake.h.
 *
 * Owns the table of these substitutes. A row belongs to (epoll set, descriptor, file behind it);
 * the application may have closed either number since, so a row whose descriptor shows another
 * file is stale, and so is one whose set has the number of a new one. Everything but our own goes to
 * the kernel first and never gets here.
 *
 * A FIFO only tells that something may have changed. Its row then stands where the kernel has its
 * list of ready items: epoll_wait() asks the object of each "queued" row, reports what is asked for,
 * and keeps the row queued if it is level-triggered. What differs from the kernel: such a set is not
 * readable itself by the level, in another set or poll(2), only by the edge; and a set that another
 * process got without fork has rows only here.
 */
#include "entry/preload.h"

#include <sys/epoll.h>
#include <time.h>

#include "base/syscall.h"
#include "cmd/bpf.h"
#include "object/object.h"
#include "object/wake.h"

#define MAX_WATCHES 256

struct watch {
	u32 users; /* 0: free; 1: being filled or emptied; 2: in the table; more: being looked at */
	u32 live;
	int substitute;
	int epoll, fd;
	u64 ino;
	struct object *object; /* NULL: the substitute reports by itself */
	struct wake *wake;
	u32 missed;
	u32 queued;
	u32 events; /* asked for; 0 after EPOLLONESHOT has fired */
	u64 data;
};

static struct watch watches[MAX_WATCHES];
static u32 nr_waking; /* rows with an object */

#define FOR_EACH_WATCH(w) for (struct watch *w = watches; w < watches + MAX_WATCHES; w++)

static bool take(struct watch *watch)
{
	u32 users = load_relaxed(&watch->users);

	while (users >= 2)
		if (atomic_cas(&watch->users, &users, users + 1))
			return true;
	return false;
}

/* The last one empties the row. */
static void put(struct watch *watch)
{
	if (atomic_sub(&watch->users, 1) != 2)
		return;
	sys_close(watch->substitute); /* leaves the set with its last descriptor */
	if (watch->object) {
		object_put(watch->object);
		atomic_sub(&nr_waking, 1);
	}
	watch->object = NULL;
	store_release(&watch->users, 0);
}

/* By whoever comes first. The caller has a use of its own. */
static void drop_watch(struct watch *watch)
{
	if (atomic_exchange(&watch->live, 0))
		put(watch);
}

static u64 inode_of(int fd)
{
	struct stat st;

	return sys_fstat(fd, &st) ? 0 : st.st_ino;
}

/* The row of a descriptor in a set, with a use; NULL. */
static struct watch *find_watch(int epoll, int fd, u64 ino)
{
	FOR_EACH_WATCH (w) {
		if (!take(w))
			continue;
		if (load_acquire(&w->live) && w->epoll == epoll && w->fd == fd && w->ino == ino)
			return w;
		put(w);
	}
	return NULL;
}

/* A row for the caller to fill, or NULL; what the application has closed meanwhile is dropped. */
static struct watch *claim_watch(void)
{
	FOR_EACH_WATCH (w) {
		u32 free_row = 0;

		if (take(w)) {
			if (inode_of(w->fd) != w->ino)
				drop_watch(w);
			put(w);
		}
		if (atomic_cas(&w->users, &free_row, 1))
			return w;
	}
	return NULL;
}

static int broken_pipe(void)
{
	int ends[2];
	int err = (int)SYSCALL(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK);

	if (err)
		return err;
	sys_close(ends[0]);
	return ends[1];
}

/*
 * A pipe's end is writable too, a map never is: EPOLLOUT is not asked for. The data of a FIFO is
 * its row, which no application's pointer or number is.
 */
static int control(int epoll, int op, struct watch *watch)
{
	const u32 pipe = watch->events & ~(u32)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	struct epoll_event asked = {.events = watch->object ? EPOLLIN | EPOLLET : pipe};

	asked.data.u64 = watch->object ? PTR_U64(watch) : watch->data;
	return (int)SYSCALL(SYS_epoll_ctl, epoll, op, watch->substitute, &asked);
}

/* The readiness of now counts as an event, as the kernel asks for it when it adds an item. */
static void ask_for(struct watch *watch, const struct epoll_event *event)
{
	watch->data = event->data.u64;
	store_release(&watch->events, event->events);
	store_release(&watch->queued, 1);
}

static int open_substitute(struct watch *watch, struct object *object)
{
	watch->wake = object->type->wake ? object->type->wake(object) : NULL;
	watch->object = watch->wake ? object : NULL;
	if (!watch->wake)
		return broken_pipe();
	watch->missed = wake_missed(watch->wake);
	return wake_open(object, watch->wake);
}

static int add_watch(int epoll, int fd, u64 ino, const struct epoll_event *event)
{
	struct watch *watch = claim_watch();
	struct object *object = NULL;
	int err;

	if (!watch)
		return -ENOSPC;
	err = object_from_fd(fd, 0, &object, NULL);
	if (err)
		goto release;
	err = watch->substitute = open_substitute(watch, object);
	if (err < 0)
		goto put_object;
	ask_for(watch, event);
	err = control(epoll, EPOLL_CTL_ADD, watch);
	if (err)
		goto close;
	watch->epoll = epoll;
	watch->fd = fd;
	watch->ino = ino;
	if (watch->object)
		atomic_add(&nr_waking, 1);
	else
		object_put(object);
	store_release(&watch->live, 1);
	store_release(&watch->users, 2);
	return 0;
close:
	sys_close(watch->substitute);
put_object:
	object_put(object);
release:
	watch->object = NULL;
	store_release(&watch->users, 0);
	return err;
}

static int change_watch(struct watch *watch, int epoll, int op, const struct epoll_event *event)
{
	int err = 0;

	if (op == EPOLL_CTL_DEL) {
		err = control(epoll, op, watch);
		drop_watch(watch);
		return err;
	}
	ask_for(watch, event);
	return control(epoll, op, watch); /* to whom waits in the set: look again */
}

static int control_ours(int epoll, int op, int fd, const struct epoll_event *event)
{
	const struct epoll_event nothing = {0};
	const u64 ino = inode_of(fd);
	struct watch *watch;
	int err;

	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
		return -EINVAL;
	watch = find_watch(epoll, fd, ino);
	if (!watch)
		return op == EPOLL_CTL_ADD ? add_watch(epoll, fd, ino, event ?: &nothing) : -ENOENT;
	err = op == EPOLL_CTL_ADD ? -EEXIST : change_watch(watch, epoll, op, event ?: &nothing);
	put(watch);
	return err;
}

/* Who had this number before was closed by the application, with its rows in it. */
static void forget_set(int epoll)
{
	const int saved = errno;

	FOR_EACH_WATCH (w) {
		if (!take(w))
			continue;
		if (w->epoll == epoll)
			drop_watch(w);
		put(w);
	}
	errno = saved;
}

EXPORT int epoll_create1(int flags)
{
	const int epoll = (int)SYSCALL(SYS_epoll_create1, flags);

	if (epoll >= 0)
		forget_set(epoll);
	return (int)libc_result(epoll);
}

EXPORT int epoll_create(int size)
{
	return size > 0 ? epoll_create1(0) : (int)libc_result(-EINVAL);
}

EXPORT int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	long answer = SYSCALL(SYS_epoll_ctl, epoll, op, fd, event);
	int saved = errno;

	if (unlikely(answer == -EPERM) && bpf_polls(fd))
		answer = control_ours(epoll, op, fd, event);
	errno = saved;
	return (int)libc_result(answer);
}

/* Waiting */

/* What the row has to report now. */
static u32 ready_events(struct watch *watch)
{
	const u32 asked = load_acquire(&watch->events);
	u32 now;

	if (!asked || !atomic_exchange(&watch->queued, 0))
		return 0;
	now = watch->object->type->poll(watch->object) & (asked | EPOLLERR | EPOLLHUP);
	if (!now)
		return 0;
	if (asked & EPOLLONESHOT)
		store_release(&watch->events, 0);
	else if (!(asked & EPOLLET))
		store_release(&watch->queued, 1);
	return now;
}

/* Calls visit, with a use, for each row of the set that wakes. */
#define FOR_EACH_WAKING(w, set)                                                                    	FOR_EACH_WATCH (w)                                                                         		if (take(w))                                                                       			for (bool once_ = true; once_; put(w), once_ = false)                      				if (w->live && w->object && w->epoll == (set))

static int collect(int epoll, struct epoll_event *events, int room)
{
	int count = 0;

	FOR_EACH_WAKING (w, epoll) {
		const u32 now = count < room ? ready_events(w) : 0;

		if (now && inode_of(w->fd) != w->ino) {
			drop_watch(w);
		} else if (now) {
			events[count].events = now;
			events[count++].data.u64 = w->data;
		}
	}
	return count;
}

/* Takes the FIFOs' events out of what the kernel reported; what stays. */
static int queue_ours(struct epoll_event *events, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		const u64 at = events[i].data.u64 - PTR_U64(watches);

		if (at < sizeof(watches) && at % sizeof(watches[0]) == 0)
			store_release(&watches[at / sizeof(watches[0])].queued, 1);
		else
			events[kept++] = events[i];
	}
	return kept;
}

static void queue_missed(int epoll)
{
	FOR_EACH_WAKING (w, epoll) {
		w->object->type->wake(w->object);
		if (wake_missed(w->wake) != w->missed) {
			w->missed = wake_missed(w->wake);
			store_release(&w->queued, 1);
		}
	}
}

static bool has_waking(int epoll)
{
	bool found = false;

	if (likely(!load_relaxed(&nr_waking)))
		return false;
	FOR_EACH_WAKING (w, epoll)
		found = true;
	return found;
}

static bool any_queued(int epoll)
{
	bool found = false;

	FOR_EACH_WAKING (w, epoll)
		found |= load_relaxed(&w->queued);
	return found;
}

/*
 * One look at the set, of at most ms. The kernel first: an edge that it has for a queued row is none
 * of its own any more. Where there is room for one event only, the queued rows have every other look.
 */
static int look(int epoll, struct epoll_event *events, int room, int ms, const sigset_t *mask)
{
	static u32 turns;
	const bool queued = any_queued(epoll);
	int count = 0;

	if (queued && room == 1 && atomic_add(&turns, 1) % 2)
		count = collect(epoll, events, room);
	if (count)
		return count;
	count = NEXT(epoll_pwait)(epoll, events, queued && room > 1 ? room - 1 : room,
				  queued ? 0 : ms, mask);
	if (count < 0)
		return count;
	count = queue_ours(events, count);
	return count + collect(epoll, events + count, room - count);
}

static int wait_set(int epoll, struct epoll_event *events, int room, const struct timespec *timeout,
		    const sigset_t *mask)
{
	const s64 until = wait_until(timeout);

	for (;;) {
		const int slice = wait_slice(until);
		const int count = look(epoll, events, room, slice, mask);

		if (count || (wait_is_over(until) && !any_queued(epoll)))
			return count;
		if (slice == WAKE_PATIENCE_MS)
			queue_missed(epoll);
	}
}

static struct timespec *of_ms(struct timespec *timeout, int ms)
{
	*timeout = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	return ms < 0 ? NULL : timeout;
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int room, int ms)
{
	struct timespec timeout;

	if (likely(!has_waking(epoll)) || room <= 0)
		return NEXT(epoll_wait)(epoll, events, room, ms);
	return wait_set(epoll, events, room, of_ms(&timeout, ms), NULL);
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int room, int ms,
		       const sigset_t *mask)
{
	struct timespec timeout;

	if (likely(!has_waking(epoll)) || room <= 0)
		return NEXT(epoll_pwait)(epoll, events, room, ms, mask);
	return wait_set(epoll, events, room, of_ms(&timeout, ms), mask);
}

EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int room,
			const struct timespec *timeout, const sigset_t *mask)
{
	if (likely(!has_waking(epoll)) || room <= 0)
		return NEXT(epoll_pwait2)(epoll, events, room, timeout, mask);
	return wait_set(epoll, events, room, timeout, mask);
}
