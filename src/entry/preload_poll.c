/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * preload_poll.c: poll(2), select(2) and their kin on descriptors of ours. To the kernel these are
 * files, always ready. So in a copy of what the application asks, one epoll set with the FIFOs of
 * all such objects takes their place, for this one call, and each object says what it is ready for.
 *
 * A process that has not opened its realm has no such descriptor that it could use. select(2) with
 * more than FD_SETSIZE descriptors is left to the kernel: nothing says how long the sets are.
 */
#include "entry/preload.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "base/memory.h"
#include "base/syscall.h"
#include "base/user_mem.h"
#include "cmd/bpf.h"
#include "object/object.h"
#include "object/wake.h"

#define NS 1000000000ll
#define FEW 16

static s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (s64)now.tv_sec * NS + now.tv_nsec;
}

s64 wait_until(const struct timespec *timeout)
{
	if (!timeout || timeout->tv_sec >= INT64_MAX / NS / 2)
		return INT64_MAX;
	return now_ns() + (s64)timeout->tv_sec * NS + timeout->tv_nsec;
}

int wait_slice(s64 until)
{
	const s64 left = until == INT64_MAX ? INT64_MAX : until - now_ns();

	return left <= 0 ? 0 : (int)MIN((left - 1) / 1000000 + 1, (s64)WAKE_PATIENCE_MS);
}

bool wait_is_over(s64 until)
{
	return until != INT64_MAX && now_ns() >= until;
}

/* One descriptor of a call. */
struct wait {
	struct object *object; /* NULL: not ours */
	struct wake *wake;     /* NULL: what it says never changes */
	int fifo;
};

struct waits {
	struct pollfd *fds;   /* the application's */
	struct pollfd *asked; /* of the kernel; one more, which is the set */
	struct wait *list;
	nfds_t count;
	int set;
};

static bool polls(int fd)
{
	const int saved = errno;
	const bool ours = fd >= 0 && bpf_polls(fd);

	errno = saved;
	return ours;
}

/* What the kernel says of any file that is asked for it. */
#define ALWAYS (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/*
 * A look at a descriptor costs system calls. Ours are among those that the kernel calls ready, or
 * that do not ask for what it would say. It has checked the array by then.
 */
static bool any_of_ours(struct pollfd *fds, nfds_t count)
{
	const struct timespec now = {0};
	const int saved = errno;
	int ready;

	if (likely(!*realm_path()))
		return false;
	ready = NEXT(ppoll)(fds, count, &now, NULL);
	errno = saved;
	for (nfds_t i = 0; i < count && ready >= 0; i++)
		if ((fds[i].revents & ALWAYS || !(fds[i].events & ALWAYS)) && polls(fds[i].fd))
			return true;
	return false;
}

static bool is_time(const struct timespec *timeout)
{
	return !timeout ||
	       (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < NS);
}

static int begin_wait(const struct waits *waits, nfds_t i)
{
	struct wait *wait = &waits->list[i];
	struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
	int err = object_from_fd(waits->fds[i].fd, 0, &wait->object, NULL);

	if (err)
		return err;
	waits->asked[i].fd = -1;
	wait->wake = wait->object->type->wake ? wait->object->type->wake(wait->object) : NULL;
	if (!wait->wake)
		return 0;
	err = wait->fifo = wake_open(wait->object, wait->wake);
	if (err < 0)
		return err;
	return (int)SYSCALL(SYS_epoll_ctl, waits->set, EPOLL_CTL_ADD, wait->fifo, &edge);
}

static int begin(const struct waits *waits)
{
	int err = 0;

	for (nfds_t i = 0; i < waits->count; i++) {
		waits->list[i] = (struct wait){.fifo = -1};
		waits->asked[i] = waits->fds[i];
	}
	waits->asked[waits->count] = (struct pollfd){.fd = waits->set, .events = POLLIN};
	for (nfds_t i = 0; i < waits->count && !err; i++)
		if (polls(waits->fds[i].fd))
			err = begin_wait(waits, i);
	return err;
}

static void end(const struct waits *waits)
{
	for (nfds_t i = 0; i < waits->count; i++) {
		if (waits->list[i].fifo >= 0)
			sys_close(waits->list[i].fifo);
		if (waits->list[i].object)
			object_put(waits->list[i].object);
	}
	sys_close(waits->set);
}

/* Edges have come: the objects are asked now. */
static void take_edges(const struct waits *waits)
{
	struct epoll_event edges[FEW];

	while (SYSCALL(SYS_epoll_pwait, waits->set, edges, FEW, 0, NULL, 0) == FEW)
		;
}

/* What the objects say goes into the application's array; how many say something. */
static int ask_ours(const struct waits *waits)
{
	int count = 0;

	for (nfds_t i = 0; i < waits->count; i++) {
		struct object *object = waits->list[i].object;
		const u32 asked = (u32)(u16)waits->fds[i].events | POLLERR | POLLHUP;

		if (!object)
			continue;
		waits->fds[i].revents = (short)(object->type->poll(object) & asked);
		count += waits->fds[i].revents != 0;
	}
	return count;
}

/* What the kernel says of the others. */
static int merge(const struct waits *waits)
{
	int count = 0;

	for (nfds_t i = 0; i < waits->count; i++)
		if (!waits->list[i].object) {
			waits->fds[i].revents = waits->asked[i].revents;
			count += waits->fds[i].revents != 0;
		}
	return count;
}

static void settle(const struct waits *waits)
{
	for (nfds_t i = 0; i < waits->count; i++)
		if (waits->list[i].wake)
			waits->list[i].object->type->wake(waits->list[i].object);
}

static int wait_for(const struct waits *waits, const struct timespec *timeout, const sigset_t *mask)
{
	const s64 until = wait_until(timeout);
	struct timespec pause;
	int mine, slice, count;

	for (;;) {
		take_edges(waits);
		mine = ask_ours(waits);
		slice = mine ? 0 : wait_slice(until);
		pause = (struct timespec){slice / 1000, slice % 1000 * 1000000L};
		count = NEXT(ppoll)(waits->asked, waits->count + 1, &pause, mask);
		if (count < 0 && !mine)
			return count;
		count = mine + (count < 0 ? 0 : merge(waits));
		if (count || wait_is_over(until))
			return count;
		settle(waits);
	}
}

static int poll_in(struct waits *waits, const struct timespec *timeout, const sigset_t *mask)
{
	int err, count = -1;

	waits->set = (int)SYSCALL(SYS_epoll_create1, EPOLL_CLOEXEC);
	if (waits->set < 0)
		return (int)libc_result(-ENOMEM);
	waits->set = region_raise_fd(waits->set);
	err = begin(waits);
	if (err < 0)
		errno = -err;
	else
		count = wait_for(waits, timeout, mask);
	end(waits);
	return count;
}

static int poll_ours(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		     const sigset_t *mask)
{
	struct waits waits = {.fds = fds, .count = count};
	int ready = -1;

	waits.asked = memory_alloc((count + 1) * sizeof(*waits.asked));
	waits.list = memory_alloc((count + 1) * sizeof(*waits.list));
	if (waits.asked && waits.list)
		ready = poll_in(&waits, timeout, mask);
	else
		errno = ENOMEM;
	memory_free(waits.asked);
	memory_free(waits.list);
	return ready;
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int ms)
{
	const struct timespec timeout = {ms / 1000, ms % 1000 * 1000000L};

	if (likely(!any_of_ours(fds, count)))
		return NEXT(poll)(fds, count, ms);
	return poll_ours(fds, count, ms < 0 ? NULL : &timeout, NULL);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		 const sigset_t *mask)
{
	if (likely(!is_time(timeout) || !any_of_ours(fds, count)))
		return NEXT(ppoll)(fds, count, timeout, mask);
	return poll_ours(fds, count, timeout, mask);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int ms, size_t room);
EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int ms, size_t room)
{
	if (room / sizeof(*fds) < count)
		abort();
	return poll(fds, count, ms);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *mask, size_t room);
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		       const sigset_t *mask, size_t room)
{
	if (room / sizeof(*fds) < count)
		abort();
	return ppoll(fds, count, timeout, mask);
}

/* select: each of the three sets asks for, and is told by, other bits. */
#define SELECT_READ (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_WRITE (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)

static const short select_asks[3] = {POLLIN | POLLRDNORM | POLLRDBAND,
				     POLLOUT | POLLWRNORM | POLLWRBAND, POLLPRI};
static const short select_tells[3] = {SELECT_READ, SELECT_WRITE, POLLPRI};

static short asked_of(fd_set *const sets[3], int fd)
{
	short events = 0;

	for (int i = 0; i < 3; i++)
		if (sets[i] && FD_ISSET(fd, sets[i]))
			events |= select_asks[i];
	return events;
}

static bool read_sets(int nfds, fd_set *const sets[3], fd_set *const copies[3])
{
	const size_t bytes = ((size_t)nfds + 63) / 64 * 8;

	for (int i = 0; i < 3; i++)
		if (sets[i] && user_read(copies[i], PTR_U64(sets[i]), bytes))
			return false;
	return true;
}

static bool select_has_ours(int nfds, fd_set *const sets[3])
{
	fd_set room[3] = {0}, *const copies[3] = {&room[0], &room[1], &room[2]};

	if (likely(!*realm_path()) || nfds < 0 || nfds > FD_SETSIZE ||
	    !read_sets(nfds, sets, copies))
		return false;
	for (int fd = 0; fd < nfds; fd++)
		if (asked_of(copies, fd) && polls(fd))
			return true;
	return false;
}

/* The bits that are told; -EBADF for a descriptor that is not open. */
static int tell(const struct pollfd *fds, nfds_t count, fd_set *const sets[3])
{
	int bits = 0;

	for (nfds_t n = 0; n < count; n++)
		if (fds[n].revents & POLLNVAL)
			return -EBADF;
	for (nfds_t n = 0; n < count; n++)
		for (int i = 0; i < 3; i++) {
			if (!sets[i] || !FD_ISSET(fds[n].fd, sets[i]))
				continue;
			if (fds[n].revents & select_tells[i])
				bits++;
			else
				FD_CLR(fds[n].fd, sets[i]);
		}
	return bits;
}

static int select_ours(int nfds, fd_set *const sets[3], const struct timespec *timeout,
		       const sigset_t *mask)
{
	struct pollfd fds[FD_SETSIZE] = {{0}};
	nfds_t count = 0;
	int ready;

	for (int fd = 0; fd < nfds; fd++)
		if (asked_of(sets, fd))
			fds[count++] = (struct pollfd){.fd = fd, .events = asked_of(sets, fd)};
	ready = poll_ours(fds, count, timeout, mask);
	return ready < 0 ? ready : (int)libc_result(tell(fds, count, sets));
}

EXPORT int pselect(int nfds, fd_set *in, fd_set *out, fd_set *other, const struct timespec *timeout,
		   const sigset_t *mask)
{
	fd_set *const sets[3] = {in, out, other};

	if (likely(!is_time(timeout) || !select_has_ours(nfds, sets)))
		return NEXT(pselect)(nfds, in, out, other, timeout, mask);
	return select_ours(nfds, sets, timeout, mask);
}

/* Linux leaves in timeout what was left of it. */
EXPORT int select(int nfds, fd_set *in, fd_set *out, fd_set *other, struct timeval *timeout)
{
	fd_set *const sets[3] = {in, out, other};
	struct timespec wait;
	s64 until, left;
	int ready;

	if (likely((timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) ||
		   !select_has_ours(nfds, sets)))
		return NEXT(select)(nfds, in, out, other, timeout);
	if (!timeout)
		return select_ours(nfds, sets, NULL, NULL);
	wait = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
	until = wait_until(&wait);
	ready = select_ours(nfds, sets, &wait, NULL);
	left = MAX(until - now_ns(), (s64)0);
	*timeout = (struct timeval){left / NS, left % NS / 1000};
	return ready;
}
