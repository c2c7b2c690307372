/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ringbuf.c: RINGBUF. Owns the ring, the reservation of records and who is woken by them. Must not
 * know programs, descriptors or attributes.
 *
 * The data area of the file is the kernel's mmap ABI: a page with the consumer's position, one with
 * the producer's, the ring, and as much again behind it. Where the kernel maps the ring twice, a
 * record that begins near the end of the ring simply runs on behind it.
 *
 * Only consumers write the consumer's page, and anything may be in it: it is compared, and cut to a
 * place in the ring. The producer's page is a copy of `produced`, which decides. A record is a header,
 * written busy, and its bytes; reserving takes the lock, committing is one exchange of the header.
 *
 * Death of a process at any instruction. A reservation counts from the store of `produced` on; who
 * finds the lock of a dead owner copies that to the producer's page again. A busy record whose owner
 * died is discarded by whoever meets it as the oldest busy one: a reservation that finds no room, every
 * some of those made while the consumer waits for that record, and a consumer that polls. A producer
 * that dies between the exchange and the wake-up has committed what lies at the consumer's position: a
 * waiter that looks there once a second finds the dead owner. A thread id that lives again delays all
 * this until that thread ends.
 */
#include "maps/ringbuf.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "object/wake.h"

#define KERNEL_PAGES 3 /* before the kernel's data: its private page and the two positions */
#define RECORD_MAX (UINT32_MAX / 4)
#define STALLS_CHECKED 64 /* see room_behind() */

struct record {
	u32 len; /* and BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT */
	u32 page;
	u8 data[];
};

struct ring {
	struct lock lock;
	u32 stalls;   /* reservations made while the consumer waits for the same busy record */
	u64 produced; /* the position behind the last record */
	u64 pending;  /* of the oldest record that was busy when somebody looked */
	struct wake wake cacheline_aligned;
	u32 owners[] cacheline_aligned; /* thread that reserved the record that begins here, by 8 bytes */
};

static inline struct ring *ring_of(const struct map *map)
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

static inline u64 mask_of(const struct map *map)
{
	return map->max_entries - 1;
}

static inline struct record *record_at(const struct map *map, u64 position)
{
	return ringbuf_place(map, position);
}

static inline u32 *owner_at(const struct map *map, u64 position)
{
	return &ring_of(map)->owners[ringbuf_offset(map, position) / 8];
}

static inline bool is_busy(u32 len)
{
	return len & BPF_RINGBUF_BUSY_BIT;
}

static bool owner_is_dead(const struct map *map, u64 position)
{
	const u32 owner = load_relaxed(owner_at(map, position));

	return owner != thread_id() && !thread_is_alive(owner);
}

/* The last owner may have died before the producer's page followed. */
static int ring_lock(struct map *map)
{
	const int err = lock_acquire(&ring_of(map)->lock);

	if (unlikely(err == LOCK_OWNER_DIED))
		store_release(producer_of(map), ring_of(map)->produced);
	return unlikely(err < 0) ? err : 0;
}

/* Moves `pending` to the oldest busy record. Needs the lock. */
static void pass_committed(struct map *map)
{
	struct ring *ring = ring_of(map);
	u64 at = ring->pending, passed;
	u32 len;

	if (unlikely(ring->produced - at > map->max_entries))
		at = ring->produced; /* only in a file that was tampered with */
	while (at != ring->produced) {
		len = load_acquire(&record_at(map, at)->len); /* pairs with ringbuf_commit() */
		if (is_busy(len))
			break;
		passed = ringbuf_record_bytes(len & ~BPF_RINGBUF_DISCARD_BIT);
		at = passed < ring->produced - at ? at + passed : ring->produced;
	}
	if (at != ring->pending)
		ring->stalls = 0;
	ring->pending = at;
}

/* Discards the oldest busy record if its owner is dead, and so on. Needs the lock. */
static cold bool discard_dead(struct map *map)
{
	struct ring *ring = ring_of(map);
	bool discarded = false;

	pass_committed(map);
	while (ring->pending != ring->produced && owner_is_dead(map, ring->pending)) {
		struct record *record = record_at(map, ring->pending);
		u32 len = load_relaxed(&record->len);

		/* Not one that its owner has committed as its last deed. */
		if (is_busy(len))
			atomic_cas(&record->len, &len,
				   (len & ~BPF_RINGBUF_BUSY_BIT) | BPF_RINGBUF_DISCARD_BIT);
		discarded = true;
		pass_committed(map);
	}
	return discarded;
}

static inline bool has_room(const struct map *map, u64 consumed, u64 bytes)
{
	const struct ring *ring = ring_of(map);

	return ring->produced + bytes - consumed <= mask_of(map) &&
	       ring->produced + bytes - ring->pending <= mask_of(map);
}

/* Is there room for a record? Needs the lock. */
static inline bool room_behind(struct map *map, u64 bytes)
{
	struct ring *ring = ring_of(map);
	const u64 consumed = load_acquire(consumer_of(map)); /* what lay before has been read */

	pass_committed(map);
	if (unlikely(consumed == ring->pending && ring->pending != ring->produced &&
		     ++ring->stalls % STALLS_CHECKED == 0))
		discard_dead(map);
	return likely(has_room(map, consumed, bytes)) ||
	       (discard_dead(map) && has_room(map, consumed, bytes));
}

void *ringbuf_reserve(struct map *map, u64 size)
{
	struct ring *ring = ring_of(map);
	const u64 bytes = ringbuf_record_bytes(size);
	struct record *record = NULL;

	if (unlikely(size > RECORD_MAX || bytes > map->max_entries || ring_lock(map)))
		return NULL;
	if (likely(room_behind(map, bytes))) {
		record = record_at(map, ring->produced);
		*owner_at(map, ring->produced) = thread_id();
		record->page = (u32)(ringbuf_offset(map, ring->produced) / PAGE_BYTES + KERNEL_PAGES);
		store_relaxed(&record->len, (u32)size | BPF_RINGBUF_BUSY_BIT);
		store_release(&ring->produced, ring->produced + bytes);
		store_release(producer_of(map), ring->produced);
	}
	lock_release(&ring->lock);
	return record ? record->data : NULL;
}

void ringbuf_commit(struct map *map, void *data, u64 flags, bool discard)
{
	struct record *record = container_of(data, struct record, data);
	const u64 at = (u64)((u8 *)record - (u8 *)record_at(map, 0));
	u32 len = record->len & ~BPF_RINGBUF_BUSY_BIT;

	/* The exchange comes before the load: a consumer that we do not wake has seen the record. */
	atomic_exchange(&record->len, discard ? len | BPF_RINGBUF_DISCARD_BIT : len);
	if (flags & BPF_RB_FORCE_WAKEUP ||
	    (!(flags & BPF_RB_NO_WAKEUP) && (load_ordered(consumer_of(map)) & mask_of(map)) == at))
		wake_up(&map->object, &ring_of(map)->wake);
}

int ringbuf_output(struct map *map, const void *data, u64 size, u64 flags)
{
	void *record;

	if (unlikely(flags & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)))
		return -EINVAL;
	record = ringbuf_reserve(map, size);
	if (unlikely(!record))
		return -EAGAIN;
	memcpy(record, data, size);
	ringbuf_commit(map, record, flags, false);
	return 0;
}

u64 ringbuf_query(struct map *map, u64 what)
{
	const u64 consumed = load_acquire(consumer_of(map)); /* first: never ahead of the producer */
	const u64 produced = load_acquire(producer_of(map));

	switch (what) {
	case BPF_RB_AVAIL_DATA:
		return produced - consumed;
	case BPF_RB_RING_SIZE:
		return map->max_entries;
	case BPF_RB_CONS_POS:
		return consumed;
	case BPF_RB_PROD_POS:
		return produced;
	}
	return 0;
}

static u32 ringbuf_poll(struct map *map)
{
	const u64 consumed = load_acquire(consumer_of(map));

	if (consumed == load_acquire(producer_of(map)))
		return 0;
	if (is_busy(load_relaxed(&record_at(map, consumed)->len)) && !ring_lock(map)) {
		discard_dead(map);
		lock_release(&ring_of(map)->lock);
	}
	return EPOLLIN | EPOLLRDNORM;
}

static cold struct wake *ringbuf_wake(struct map *map)
{
	struct ring *ring = ring_of(map);
	const u64 consumed = load_acquire(consumer_of(map));

	if (ring_lock(map))
		return &ring->wake;
	if (consumed != ring->produced && owner_is_dead(map, consumed)) {
		discard_dead(map);
		*owner_at(map, consumed) = thread_id(); /* told once */
		wake_note_missed(&ring->wake);
	}
	lock_release(&ring->lock);
	return &ring->wake;
}

/* Cold path */

cold int ringbuf_range_check(const struct map *map, u64 offset, u64 len)
{
	len = ROUND_UP(len, PAGE_BYTES);
	return offset + len < offset || offset + len > map->object.region.data_size ? -EINVAL : 0;
}

static cold int ringbuf_mmap_check(struct map *map, u64 offset, u64 len, int prot)
{
	const bool consumer = !offset && ROUND_UP(len, PAGE_BYTES) == PAGE_BYTES;

	if (prot & PROT_WRITE && (load_acquire(&map->header->frozen) || !consumer))
		return -EPERM;
	return ringbuf_range_check(map, offset, len);
}

cold int ringbuf_check(struct map_spec *spec)
{
	const u32 size = spec->max_entries;

	return spec->key_size || spec->value_size || !size || size & (size - 1) ||
			       size % PAGE_BYTES
		       ? -EINVAL
		       : 0;
}

/* memlock as a 6.18 kernel counts it: a fixed part, pages, and a pointer to each mapped page. */
enum { KERNEL_RING = 304 };

cold void ringbuf_data_layout(const struct map_spec *spec, struct map_layout *layout)
{
	const u64 size = spec->max_entries, pages = size / PAGE_BYTES;

	layout->data_size = RINGBUF_POSITION_PAGES * PAGE_BYTES + 2 * size;
	layout->memlock = KERNEL_RING + (KERNEL_PAGES + 2 * pages) * sizeof(void *) +
			  (KERNEL_PAGES + pages) * PAGE_BYTES;
}

static cold void ringbuf_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	ringbuf_data_layout(spec, layout);
	layout->control_size = sizeof(struct ring) + spec->max_entries / 8 * sizeof(u32);
}

/* From the oldest busy record to the producer's position, records follow one another. */
static cold bool ringbuf_is_valid(struct map *map)
{
	const struct ring *ring = ring_of(map);
	u64 at = ring->pending;

	if (ring->produced - at > map->max_entries || *producer_of(map) != ring->produced)
		return false;
	while (at < ring->produced)
		at += ringbuf_record_bytes(record_at(map, at)->len &
				   ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT));
	return at == ring->produced;
}

const struct map_ops ringbuf_map_ops = {
	.name = "ringbuf",
	.traits = MAP_KEYLESS | MAP_SLEEPABLE,
	.helpers = MAP_H_RINGBUF,
	.create_flags = BPF_F_NUMA_NODE,
	.mmap_check = ringbuf_mmap_check,
	.poll = ringbuf_poll,
	.wake = ringbuf_wake,
	.check = ringbuf_check,
	.layout = ringbuf_layout,
	.is_valid = ringbuf_is_valid,
};
