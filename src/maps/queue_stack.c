/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * queue_stack.c: QUEUE and STACK, first in first out and last in first out. Owns a ring of slots,
 * the span of it that holds elements, and its lock. Must not know programs, descriptors or
 * attributes.
 *
 * Both types push behind the span; a queue pops in front and a stack at the end of it, and a full
 * one that is pushed to with BPF_EXIST loses the element in front, which is the oldest one of
 * either. So every operation copies one value and moves the span, whatever type and filling are.
 *
 * Synchronisation. All operations hold the lock, peeks too; nothing is accessed without it.
 *
 * Death of a process at any instruction. The span, {first slot, count}, is one word, and what it
 * covers are the elements: there is no other record of what is used or free. An operation stores to
 * the ring at most twice: first a value into the slot behind the span, then the new span. The ring
 * has one slot more than max_entries, so the slot behind the span is never inside it, not even when
 * the map is full and the push is about to drop an element. Hence death before the second store
 * leaves exactly the elements of before, and the half-written slot is overwritten by the next push;
 * death after it leaves the operation done. A pop copies the value out before that store. The next
 * owner of the lock finds nothing to repair, and no slot can get lost or be used twice.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "maps/map.h"

struct ring {
	struct lock lock;
	u64 span; /* slot of the first element << 32 | number of elements */
	u8 slots[] cacheline_aligned;
};

struct span {
	u64 first;
	u64 count;
};

extern const struct map_ops stack_map_ops;

static inline bool is_stack(const struct map *map)
{
	return map->ops == &stack_map_ops;
}

static inline struct ring *ring_of(const struct map *map)
{
	return map->private;
}

/* What a dead owner leaves is whole. */
static inline int ring_lock(struct ring *ring)
{
	const int err = lock_acquire(&ring->lock);

	return unlikely(err < 0) ? err : 0;
}

/* nr is less than twice the number of slots, which is max_entries + 1. */
static inline u64 ring_wrap(const struct map *map, u64 nr)
{
	return nr > map->max_entries ? nr - map->max_entries - 1 : nr;
}

static inline void *ring_slot(const struct map *map, u64 nr)
{
	return ring_of(map)->slots + ring_wrap(map, nr) * map->value_stride;
}

static inline struct span span_load(const struct map *map)
{
	const u64 word = load_relaxed(&ring_of(map)->span);
	const struct span span = {word >> 32, (u32)word};

	if (unlikely(span.first > map->max_entries || span.count > map->max_entries))
		return (struct span){0, 0}; /* only in a file that was tampered with */
	return span;
}

/* The one store that an operation consists of. The copying comes before it also if we die here. */
static inline void span_commit(const struct map *map, u64 first, u64 count)
{
	store_release(&ring_of(map)->span, ring_wrap(map, first) << 32 | count);
}

static int ring_push(struct map *map, const void *value, u64 flags)
{
	struct ring *ring = ring_of(map);
	struct span span;
	u32 dropped;
	int err;

	if (unlikely(flags != BPF_ANY && flags != BPF_EXIST))
		return -EINVAL;
	err = ring_lock(ring);
	if (unlikely(err))
		return err;
	span = span_load(map);
	dropped = span.count == map->max_entries;
	if (unlikely(dropped && flags != BPF_EXIST)) {
		err = -E2BIG;
	} else {
		memcpy(ring_slot(map, span.first + span.count), value, map->value_size);
		span_commit(map, span.first + dropped, span.count + 1 - dropped);
	}
	lock_release(&ring->lock);
	return err;
}

static inline int ring_get(struct map *map, void *value, bool remove)
{
	struct ring *ring = ring_of(map);
	const bool last = is_stack(map);
	int err = ring_lock(ring);
	struct span span;

	if (unlikely(err))
		return err;
	span = span_load(map);
	if (unlikely(!span.count)) {
		memset(value, 0, map->value_size);
		err = -ENOENT;
	} else {
		memcpy(value, ring_slot(map, span.first + (last ? span.count - 1 : 0)),
		       map->value_size);
		if (remove)
			span_commit(map, span.first + !last, span.count - 1);
	}
	lock_release(&ring->lock);
	return err;
}

static int ring_pop(struct map *map, void *value)
{
	return ring_get(map, value, true);
}

static int ring_peek(struct map *map, void *value)
{
	return ring_get(map, value, false);
}

/* System call context: there is no key. */

static int ring_copy_value(struct map *map, const void *key, void *value)
{
	(void)key;
	return ring_peek(map, value);
}

static int ring_lookup_and_delete(struct map *map, const void *key, void *value)
{
	(void)key;
	return ring_pop(map, value);
}

static int ring_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	(void)key;
	return ring_push(map, value, flags);
}

static int ring_delete(struct map *map, const void *key)
{
	(void)map;
	(void)key;
	return -EINVAL;
}

static int ring_get_next_key(struct map *map, const void *key, void *next_key)
{
	(void)map;
	(void)key;
	(void)next_key;
	return -EINVAL;
}

/* Cold path */

static cold int ring_check(struct map_spec *spec)
{
	if (spec->max_entries == 0 || spec->key_size != 0 || spec->value_size == 0)
		return -EINVAL;
	return spec->value_size > MAP_VALUE_MAX ? -E2BIG : 0;
}

/* memlock as a 6.18 kernel counts it; KERNEL_RING is its fixed part. */
enum { KERNEL_RING = 312 };

static cold void ring_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	const u64 nr_slots = (u64)spec->max_entries + 1;

	(void)ncpus;
	layout->control_size = sizeof(struct ring) + nr_slots * ROUND_UP(spec->value_size, 8);
	layout->memlock = KERNEL_RING + nr_slots * spec->value_size;
}

static cold bool ring_is_valid(struct map *map)
{
	const u64 span = load_relaxed(&ring_of(map)->span);

	return span >> 32 <= map->max_entries && (u32)span <= map->max_entries;
}

#define RING_OPS                                                                                   \
	.traits = MAP_KEYLESS | MAP_SLEEPABLE,                                                     \
	.helpers = MAP_H_PUSH | MAP_H_POP | MAP_H_PEEK,                                            \
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |        \
			BPF_F_WRONLY_PROG,                                                         \
	.update_flags = BPF_EXIST,                                                                 \
	.push = ring_push,                                                                         \
	.pop = ring_pop,                                                                           \
	.peek = ring_peek,                                                                         \
	.delete = ring_delete,                                                                     \
	.copy_value = ring_copy_value,                                                             \
	.update_user = ring_update_user,                                                           \
	.lookup_and_delete = ring_lookup_and_delete,                                               \
	.get_next_key = ring_get_next_key,                                                         \
	.check = ring_check,                                                                       \
	.layout = ring_layout,                                                                     \
	.is_valid = ring_is_valid

const struct map_ops queue_map_ops = {
	.name = "queue",
	RING_OPS,
};

const struct map_ops stack_map_ops = {
	.name = "stack",
	RING_OPS,
};
