/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * user_ringbuf.c: USER_RINGBUF, the mirror image of ringbuf.c: the application writes records and
 * the producer's position, a program consumes. Must not know programs, descriptors or attributes.
 *
 * Everything but the consumer's page is the application's and may change at any time: positions
 * and headers are read once, checked, and cut to a place in the ring. One program consumes at a time;
 * a consumer that died in between has not moved the position, so the next one gets its record again.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "maps/ringbuf.h"
#include "object/wake.h"

#define SIZE_MAX_RECORD ((1u << 24) - 1) /* of a dynptr */

struct user_ring {
	u32 consumer; /* the thread that consumes; 0: none */
	struct wake wake;
};

static inline struct user_ring *ring_of(const struct map *map)
{
	return map->private;
}

static inline u64 *consumer_of(const struct map *map)
{
	return ringbuf_position(map, 0);
}

static inline u64 *producer_of(const struct map *map)
{
	return ringbuf_position(map, 1);
}

int user_ringbuf_enter(struct map *map)
{
	u32 consumer = 0;

	if (atomic_cas(&ring_of(map)->consumer, &consumer, thread_id()))
		return 0;
	if (consumer == thread_id() || thread_is_alive(consumer))
		return -EBUSY;
	return atomic_cas(&ring_of(map)->consumer, &consumer, thread_id()) ? 0 : -EBUSY;
}

void user_ringbuf_leave(struct map *map, bool wake)
{
	store_release(&ring_of(map)->consumer, 0);
	if (wake)
		wake_up(&map->object, &ring_of(map)->wake);
}

static void move(struct map *map, u64 bytes)
{
	store_release(consumer_of(map), load_relaxed(consumer_of(map)) + bytes);
}

int user_ringbuf_peek(struct map *map, void **record, u32 *size)
{
	const u64 produced = load_acquire(producer_of(map)); /* pairs with the application's store */
	const u64 consumed = load_relaxed(consumer_of(map));
	u32 header, len;
	u64 bytes;

	if (produced % 8)
		return -EINVAL;
	if (consumed >= produced)
		return -ENODATA;
	header = load_acquire((u32 *)ringbuf_place(map, consumed)); /* likewise */
	len = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	bytes = ringbuf_record_bytes(len);
	if (bytes > produced - consumed)
		return -EINVAL;
	if (bytes > map->max_entries || len > SIZE_MAX_RECORD)
		return -E2BIG;
	if (header & BPF_RINGBUF_DISCARD_BIT) {
		move(map, bytes);
		return -EAGAIN;
	}
	*record = ringbuf_place(map, consumed + BPF_RINGBUF_HDR_SZ); /* as the application does */
	*size = len;
	return header & BPF_RINGBUF_BUSY_BIT ? -ENODATA : 0;
}

void user_ringbuf_pass(struct map *map, u32 size)
{
	move(map, ringbuf_record_bytes(size));
}

static u32 user_ringbuf_poll(struct map *map)
{
	const u64 consumed = load_acquire(consumer_of(map));

	return load_acquire(producer_of(map)) - consumed < map->max_entries
		       ? EPOLLOUT | EPOLLWRNORM
		       : 0;
}

/* A consumer that died has woken nobody. */
static cold struct wake *user_ringbuf_wake(struct map *map)
{
	struct user_ring *ring = ring_of(map);
	u32 consumer = load_relaxed(&ring->consumer);

	if (consumer && !thread_is_alive(consumer) && atomic_cas(&ring->consumer, &consumer, 0))
		wake_note_missed(&ring->wake);
	return &ring->wake;
}

/* Cold path */

static cold int user_ringbuf_mmap_check(struct map *map, u64 offset, u64 len, int prot)
{
	if (prot & PROT_WRITE && (load_acquire(&map->header->frozen) || !offset))
		return -EPERM;
	return ringbuf_range_check(map, offset, len);
}

static cold void user_ringbuf_layout(const struct map_spec *spec, u32 ncpus,
				     struct map_layout *layout)
{
	(void)ncpus;
	ringbuf_data_layout(spec, layout);
	layout->control_size = sizeof(struct user_ring);
}

const struct map_ops user_ringbuf_map_ops = {
	.name = "user_ringbuf",
	.traits = MAP_KEYLESS | MAP_SLEEPABLE,
	.helpers = MAP_H_USER_RINGBUF,
	.create_flags = BPF_F_NUMA_NODE,
	.mmap_check = user_ringbuf_mmap_check,
	.poll = user_ringbuf_poll,
	.wake = user_ringbuf_wake,
	.check = ringbuf_check,
	.layout = user_ringbuf_layout,
};
