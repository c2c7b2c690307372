/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * timer.c: timers in map values: the shared words, and the thread that calls back. Knows no helper
 * table and no map type.
 *
 * The process that starts a timer calls it back, in a thread that is made with its first timer. Its
 * queue is local; the value has only the token of the start that counts. Whoever starts, cancels or
 * overwrites the timer replaces the token, and a queued start whose token is gone does nothing. So
 * nothing has to be repaired after a death: a dead process's token is merely one that never comes.
 * Elements may be recycled, hence the queue looks whether the key still leads to the value.
 */
#include "vm/timer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "object/realm.h"

#define INITIALISED (1ull << 63)
#define CLOCK_SHIFT 52
#define CALLBACK ((1ull << CLOCK_SHIFT) - 1) /* instruction << 32 | id of the program */
#define START_FLAGS 3u                       /* absolute, and on this CPU, which all callbacks are */
#define START_ABSOLUTE 1u
#define NS_PER_S 1000000000ull
#define QUEUE_FIRST 16u
#define STACK_BYTES (256u << 10)

_Static_assert(PROG_MAX_INSNS <= 1u << (CLOCK_SHIFT - 32), "an instruction fits into the state");

struct start {
	u64 due, token;
	struct timer *timer;
	struct map *map;
	struct prog *prog;
	u32 callback;
};

/* Of one process; a forked child gets another and leaves its parent's alone. */
struct service {
	u32 pid;
	u32 changes; /* of the queue and of running; a futex */
	u32 first, sequence; /* of tokens: those of the program that exec() replaced are others */
	u32 thread;
	struct lock lock; /* of the queue */
	u32 count, room;
	struct start *queue; /* a heap: none is due before its parent, at (i - 1) / 2 */
	struct timer *running;
};

static struct service *services;

static u64 now_ns(u64 clock)
{
	struct timespec now = {0};

	clock_gettime((clockid_t)clock, &now);
	return (u64)now.tv_sec * NS_PER_S + (u64)now.tv_nsec;
}

static struct service *service_here(void)
{
	struct service *service = load_acquire(&services);

	return service && service->pid == (u32)sys_getpid() ? service : NULL;
}

static void changed(struct service *service)
{
	__atomic_add_fetch(&service->changes, 1, __ATOMIC_SEQ_CST);
	sys_futex_wake(&service->changes, INT32_MAX);
}

static bool counts(const struct start *start)
{
	return load_acquire(&start->timer->pending) == start->token;
}

static void start_put(const struct start *start)
{
	object_put(&start->map->object);
	object_put(&start->prog->object);
}

/* True: it is the first now. */
static bool queue_add(struct service *service, const struct start *start)
{
	struct start *queue = service->queue;
	u32 i = service->count++;

	for (; i && queue[(i - 1) / 2].due > start->due; i = (i - 1) / 2)
		queue[i] = queue[(i - 1) / 2];
	queue[i] = *start;
	return !i;
}

static u32 count_live(const struct service *service)
{
	u32 live = 0;

	for (u32 i = 0; i < service->count; i++)
		live += counts(&service->queue[i]);
	return live;
}

static void queue_take(struct service *service, struct start *first)
{
	struct start *queue = service->queue;
	const struct start last = queue[--service->count];
	u32 i = 0, child;

	*first = queue[0];
	while ((child = 2 * i + 1) < service->count) {
		child += child + 1 < service->count && queue[child + 1].due < queue[child].due;
		if (queue[child].due >= last.due)
			break;
		queue[i] = queue[child];
		i = child;
	}
	queue[i] = last;
}

/*
 * Makes room by leaving out what was cancelled or started again, and for as many again as are left,
 * so that memory follows the timers that are pending, not those that ever were. The lock is held,
 * and dropped meanwhile; on an error it is not taken again.
 */
static int make_room(struct service *service)
{
	struct start *old = service->queue, *larger;
	const u32 count = service->count, room = MAX(2 * count_live(service), QUEUE_FIRST);
	u32 gone = 0;

	lock_release(&service->lock);
	larger = memory_alloc(room * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	if (lock_acquire(&service->lock) < 0) {
		memory_free(larger);
		return -EBUSY;
	}
	if (service->queue != old || service->count != count || count_live(service) >= room) {
		memory_free(larger); /* others have taken some and added some */
		return 0;
	}
	service->queue = larger;
	service->count = 0;
	service->room = room;
	for (u32 i = 0; i < count; i++)
		if (counts(&old[i]))
			queue_add(service, &old[i]);
		else
			old[gone++] = old[i];
	lock_release(&service->lock);
	while (gone)
		start_put(&old[--gone]);
	memory_free(old);
	return MIN(lock_acquire(&service->lock), 0);
}

static int enqueue(struct service *service, const struct start *start)
{
	int err = MIN(lock_acquire(&service->lock), 0);
	bool first;

	while (!err && service->count == service->room)
		err = make_room(service);
	if (err)
		return err;
	first = queue_add(service, start);
	lock_release(&service->lock);
	if (first)
		changed(service);
	return 0;
}

/* The start that is due; else false, and how long until the next one is (UINT64_MAX: none). */
static bool dequeue(struct service *service, struct start *start, u64 *wait)
{
	const u64 now = now_ns(CLOCK_MONOTONIC);
	bool due = false;

	*wait = 0;
	if (lock_acquire(&service->lock) < 0)
		return false;
	*wait = UINT64_MAX;
	if (service->count) {
		due = service->queue[0].due <= now;
		*wait = service->queue[0].due - now;
	}
	if (due)
		queue_take(service, start);
	lock_release(&service->lock);
	return due;
}

/* Calling back */

static void call_back(const struct start *start, void *key)
{
	struct vm_run run;
	u64 arguments[4] = {PTR_U64(start->map), PTR_U64(key), 0, 0}, retval;
	void *value = start->map->ops->value_at(start->map, start->timer);

	memset(&run, 0, sizeof(run));
	arguments[2] = PTR_U64(value);
	run.prog = start->prog;
	run.insns_left = VM_DEFAULT_BUDGET;
	run.extra[run.nr_extra++] = (struct vm_memory){
		PTR_U64(key), PTR_U64(key) + start->map->key_size, false, "map key"};
	if (vm_run_part(&run, start->callback, arguments, &retval))
		vm_fault_report(&run);
	vm_release_maps(&run);
}

/* Does the key of the value lead to it? */
static bool is_element(const struct start *start, void *key)
{
	struct map *map = start->map;
	void *value = map->ops->value_at(map, start->timer);

	map->ops->key_of(map, value, key);
	return (map->ops->look ?: map->ops->lookup)(map, key) == value;
}

/* That which the timer has now: it may be another than at the start. */
static bool find_callback(struct start *start)
{
	const u64 state = load_acquire(&start->timer->state);
	struct object *prog;

	if (!(u32)state)
		return false;
	start->callback = (u32)((state & CALLBACK) >> 32);
	if ((u32)state == start->prog->object.id)
		return true;
	if (object_from_id(OBJECT_PROG, (u32)state, &prog))
		return false;
	object_put(&start->prog->object);
	start->prog = prog_of(prog);
	return true;
}

/* running is set before the token is taken: who cancels takes the token and then looks there. */
static void fire(struct service *service, struct start *start)
{
	struct vcpu_table *vcpus = &realm_state()->vcpus;
	void *key = memory_alloc(ROUND_UP(start->map->key_size, 8u));
	u64 token = start->token;

	if (key && counts(start) && object_has_users(&start->map->object)) {
		vcpu_enter(vcpus);
		__atomic_store_n(&service->running, start->timer, __ATOMIC_SEQ_CST);
		if (is_element(start, key) && atomic_cas(&start->timer->pending, &token, 0) &&
		    find_callback(start))
			call_back(start, key);
		__atomic_store_n(&service->running, NULL, __ATOMIC_SEQ_CST);
		changed(service);
		vcpu_leave(vcpus);
	}
	memory_free(key);
	start_put(start);
}

static void *serve(void *arg)
{
	struct service *service = arg;
	struct timespec timeout;
	struct start start;
	u32 changes;
	u64 wait;

	store_release(&service->thread, thread_id());
	for (;;) {
		changes = load_acquire(&service->changes);
		if (dequeue(service, &start, &wait)) {
			fire(service, &start);
			continue;
		}
		timeout = (struct timespec){(time_t)(wait / NS_PER_S), (long)(wait % NS_PER_S)};
		sys_futex_wait(&service->changes, changes, wait == UINT64_MAX ? NULL : &timeout);
	}
	return NULL;
}

/* Cold path */

static cold int create_thread(struct service *service)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int err;

	if (pthread_attr_init(&attributes))
		return -ENOMEM;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(&thread, &attributes, serve, service);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -err;
}

/* Of two threads that make one at a time, one wins, and alone starts the thread. */
static cold struct service *make_service(void)
{
	struct service *before = load_acquire(&services), *service;

	service = memory_zalloc(1, sizeof(*service));
	if (!service)
		return NULL;
	service->pid = (u32)sys_getpid();
	service->first = service->sequence = (u32)now_ns(CLOCK_MONOTONIC);
	if (!atomic_cas(&services, &before, service)) {
		memory_free(service);
		return service_here();
	}
	if (!create_thread(service))
		return service;
	store_release(&services, NULL); /* not freed: others may have met it */
	return NULL;
}

/* The shared words */

int timer_init(struct timer *timer, struct map *map, u64 clock)
{
	u64 none = 0;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return -EINVAL;
	if (load_relaxed(&timer->state))
		return -EBUSY;
	if (!object_has_users(&map->object))
		return -EPERM;
	return atomic_cas(&timer->state, &none, INITIALISED | clock << CLOCK_SHIFT) ? 0 : -EBUSY;
}

int timer_set_callback(struct timer *timer, struct map *map, struct prog *prog, u32 callback)
{
	u64 state = load_acquire(&timer->state), next;

	do {
		if (!(state & INITIALISED))
			return -EINVAL;
		if (!object_has_users(&map->object))
			return -EPERM;
		next = (state & ~CALLBACK) | (u64)callback << 32 | prog->object.id;
	} while (!atomic_cas(&timer->state, &state, next));
	return 0;
}

static u64 due_at(u64 state, u64 ns, u64 flags)
{
	const u64 clock = state >> CLOCK_SHIFT & 15, now = now_ns(CLOCK_MONOTONIC);

	if (flags & START_ABSOLUTE)
		ns -= MIN(now_ns(clock), ns);
	return now + MIN(ns, (u64)INT64_MAX - now);
}

/* Takes uses of what the callback needs: the queue may outlive the run. */
static int hold(struct start *start, struct map *map, u32 prog_id)
{
	struct object *prog, *object;
	int err = object_from_id(OBJECT_PROG, prog_id, &prog);

	if (err)
		return -EINVAL;
	start->prog = prog_of(prog);
	err = object_from_id(OBJECT_MAP, map->object.id, &object);
	start->map = map;
	if (err)
		object_put(prog);
	return err;
}

int timer_start(struct timer *timer, struct map *map, u64 ns, u64 flags)
{
	const u64 state = load_acquire(&timer->state);
	struct service *service;
	struct start start = {.timer = timer};
	u64 token;
	int err;

	if (flags & ~(u64)START_FLAGS || !(state & INITIALISED) || !(u32)state)
		return -EINVAL;
	service = service_here() ?: make_service();
	if (!service)
		return -ENOMEM;
	start.due = due_at(state, ns, flags);
	start.token = (u64)service->pid << 32 |
		      __atomic_add_fetch(&service->sequence, 1, __ATOMIC_RELAXED);
	err = hold(&start, map, (u32)state);
	if (err)
		return err;
	token = start.token;
	store_release(&timer->pending, token);
	err = enqueue(service, &start);
	if (err) {
		atomic_cas(&timer->pending, &token, 0);
		start_put(&start);
	}
	return err;
}

/* Will the process that a token is from call back? */
static bool is_pending(const struct service *service, u64 token)
{
	const u32 pid = (u32)(token >> 32);

	if (!token || pid != (u32)sys_getpid())
		return token && thread_is_alive(pid);
	return service && (u32)token - service->first <=
				  load_relaxed(&service->sequence) - service->first;
}

int timer_start_work(struct timer *timer, struct map *map)
{
	if (is_pending(service_here(), load_acquire(&timer->pending)))
		return 0;
	return timer_start(timer, map, 0, 0);
}

static void wait_for_callback(struct service *service, const struct timer *timer)
{
	u32 changes;

	for (;;) {
		changes = load_acquire(&service->changes);
		if (__atomic_load_n(&service->running, __ATOMIC_SEQ_CST) != timer)
			return;
		sys_futex_wait(&service->changes, changes, NULL);
	}
}

int timer_cancel(struct timer *timer)
{
	struct service *service = service_here();
	const bool served = service && load_acquire(&service->thread) == thread_id();
	u64 token;

	if (!(load_acquire(&timer->state) & INITIALISED))
		return -EINVAL;
	if (served && service->running == timer)
		return -EDEADLK;
	__atomic_and_fetch(&timer->state, ~CALLBACK, __ATOMIC_SEQ_CST);
	token = __atomic_exchange_n(&timer->pending, 0, __ATOMIC_SEQ_CST);
	if (service && !served)
		wait_for_callback(service, timer);
	return is_pending(service, token);
}
