/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * stack_trace.c: STACK_TRACE. Owns traces, found by the slot that their hash names. Must not know
 * where stacks come from, programs, descriptors or attributes.
 *
 *     | lock, number of free | u32 slots[2^n >= max_entries] | u32 free[max_entries] | traces |
 *
 * A slot holds the number of a trace plus one. There are as many traces as max_entries, so a trace
 * that replaces another needs a third one.
 *
 * Synchronisation. Everything happens under the lock.
 *
 * Death of a process at any instruction. The slots are the truth, and each store to one is a whole
 * change: a trace is filled before a slot names it. What is free follows from the slots; who takes
 * the lock of a dead owner makes the list anew.
 */
#include "maps/stack_trace.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "maps/array.h"

struct traces {
	struct lock lock;
	u32 nr_free;
} cacheline_aligned;

struct trace {
	u64 hash;
	u32 bytes;
	u32 mark; /* while the free list is made anew: a slot names it */
	u64 frames[];
};

static inline struct traces *traces_of(const struct map *map)
{
	return map->private;
}

static inline u32 nr_slots(u32 max_entries)
{
	return max_entries > 1 ? 1u << (32 - __builtin_clz(max_entries - 1)) : 1;
}

static inline u32 *slots_of(const struct map *map)
{
	return (u32 *)(traces_of(map) + 1);
}

static inline u32 *free_of(const struct map *map)
{
	return slots_of(map) + nr_slots(map->max_entries);
}

static inline u64 trace_bytes(u32 value_size)
{
	return sizeof(struct trace) + value_size;
}

static inline u64 lists_bytes(u32 max_entries)
{
	return ROUND_UP(((u64)nr_slots(max_entries) + max_entries) * sizeof(u32), 64);
}

/* nr was given out by this map; in a file that was tampered with it may be anything. */
static inline struct trace *trace_at(const struct map *map, u32 nr)
{
	u8 *first = (u8 *)slots_of(map) + lists_bytes(map->max_entries);

	return (void *)(first + (nr < map->max_entries ? nr : 0) * trace_bytes(map->value_size));
}

static struct trace *trace_in(const struct map *map, u32 id)
{
	const u32 nr = load_relaxed(&slots_of(map)[id]);

	return nr ? trace_at(map, nr - 1) : NULL;
}

/* Makes the list of free traces from the slots. */
static cold void repair(struct map *map)
{
	struct traces *traces = traces_of(map);
	struct trace *trace;

	for (u32 i = 0; i < map->max_entries; i++)
		trace_at(map, i)->mark = 0;
	for (u32 id = 0; id < nr_slots(map->max_entries); id++) {
		trace = trace_in(map, id);
		if (trace)
			trace->mark = 1;
	}
	traces->nr_free = 0;
	for (u32 i = 0; i < map->max_entries; i++)
		if (!trace_at(map, i)->mark)
			free_of(map)[traces->nr_free++] = i;
}

static int map_lock(struct map *map)
{
	const int err = lock_acquire(&traces_of(map)->lock);

	if (unlikely(err == LOCK_OWNER_DIED))
		repair(map);
	return err < 0 ? err : 0;
}

static void map_unlock(struct map *map)
{
	lock_release(&traces_of(map)->lock);
}

/* Stores what a slot names (0: nothing) and frees what it named. */
static void slot_store(struct map *map, u32 id, u32 nr)
{
	struct traces *traces = traces_of(map);
	const u32 old = load_relaxed(&slots_of(map)[id]);

	store_release(&slots_of(map)[id], nr);
	if (old && traces->nr_free < map->max_entries)
		free_of(map)[traces->nr_free++] = old - 1;
}

static int enter(struct map *map, u32 id, const void *frames, u32 bytes, u64 hash)
{
	struct traces *traces = traces_of(map);
	struct trace *trace;
	u32 nr;

	if (!traces->nr_free || traces->nr_free > map->max_entries)
		return -ENOMEM;
	nr = free_of(map)[--traces->nr_free];
	trace = trace_at(map, nr);
	trace->hash = hash;
	trace->bytes = bytes;
	memcpy(trace->frames, frames, bytes);
	memset((u8 *)trace->frames + bytes, 0, map->value_size - bytes);
	slot_store(map, id, nr + 1);
	return 0;
}

static bool trace_is(const struct trace *trace, const void *frames, u32 bytes, u64 hash, u64 flags)
{
	if (trace->hash != hash)
		return false;
	return flags & BPF_F_FAST_STACK_CMP ||
	       (trace->bytes == bytes && !memcmp(trace->frames, frames, bytes));
}

s64 stack_map_id(struct map *map, const void *frames, u32 bytes, u64 hash, u64 flags)
{
	const u32 id = (u32)hash & (nr_slots(map->max_entries) - 1);
	const struct trace *trace;
	int err = map_lock(map);

	if (unlikely(err))
		return err;
	trace = trace_in(map, id);
	if (!trace || !trace_is(trace, frames, bytes, hash, flags))
		err = trace && !(flags & BPF_F_REUSE_STACKID)
			      ? -EEXIST
			      : enter(map, id, frames, bytes, hash);
	map_unlock(map);
	return err ? err : (s64)id;
}

/* System call context. */

static int trace_take(struct map *map, const void *key, void *value, bool remove)
{
	const u32 id = array_index(key);
	const struct trace *trace;
	int err;

	if (id >= nr_slots(map->max_entries))
		return -ENOENT;
	err = map_lock(map);
	if (err)
		return err;
	trace = trace_in(map, id);
	if (trace)
		memcpy(value, trace->frames, map->value_size);
	if (trace && remove)
		slot_store(map, id, 0);
	map_unlock(map);
	return trace ? 0 : -ENOENT;
}

static int trace_copy_value(struct map *map, const void *key, void *value)
{
	return trace_take(map, key, value, false);
}

static int trace_lookup_and_delete(struct map *map, const void *key, void *value)
{
	return trace_take(map, key, value, true);
}

static int trace_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	(void)map;
	(void)key;
	(void)value;
	(void)flags;
	return -EINVAL;
}

static int trace_delete(struct map *map, const void *key)
{
	const u32 id = array_index(key);
	bool present;
	int err;

	if (id >= nr_slots(map->max_entries))
		return -E2BIG;
	err = map_lock(map);
	if (err)
		return err;
	present = trace_in(map, id);
	if (present)
		slot_store(map, id, 0);
	map_unlock(map);
	return present ? 0 : -ENOENT;
}

/* An empty slot is no key: the walk begins again. */
static int trace_get_next_key(struct map *map, const void *key, void *next_key)
{
	const u32 end = nr_slots(map->max_entries);
	u32 id = 0;

	if (key && array_index(key) < end && load_relaxed(&slots_of(map)[array_index(key)]))
		id = array_index(key) + 1;
	while (id < end && !load_relaxed(&slots_of(map)[id]))
		id++;
	if (id >= end)
		return -ENOENT;
	memcpy(next_key, &id, sizeof(id));
	return 0;
}

/* Cold path */

static cold int trace_check(struct map_spec *spec)
{
	const u32 frame = stack_frame_bytes(spec->flags & BPF_F_STACK_BUILD_ID);

	if (!spec->max_entries || spec->key_size != 4 || spec->value_size < sizeof(u64) ||
	    spec->value_size % frame || spec->value_size / frame > STACK_DEPTH_MAX)
		return -EINVAL;
	return spec->max_entries > 1u << 31 ? -E2BIG : 0;
}

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_MAP = 320, KERNEL_TRACE = 16 };

static cold void trace_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = sizeof(struct traces) + lists_bytes(spec->max_entries) +
			       spec->max_entries * trace_bytes(spec->value_size);
	layout->memlock = KERNEL_MAP + 8ull * nr_slots(spec->max_entries) +
			  (u64)spec->max_entries * (KERNEL_TRACE + spec->value_size);
}

static cold int trace_init(struct map *map)
{
	repair(map);
	return 0;
}

/* Each trace is free or in one slot. */
static cold bool trace_is_valid(struct map *map)
{
	const u32 nr_free = traces_of(map)->nr_free;
	u32 used = 0;

	for (u32 id = 0; id < nr_slots(map->max_entries); id++)
		used += trace_in(map, id) != NULL;
	repair(map);
	return nr_free + used == map->max_entries && traces_of(map)->nr_free == nr_free;
}

const struct map_ops stack_trace_map_ops = {
	.name = "stack_trace",
	.traits = MAP_BTF_REFUSED,
	.helpers = MAP_H_STACKID,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_STACK_BUILD_ID,
	.update_flags = BPF_EXIST,
	.delete = trace_delete,
	.copy_value = trace_copy_value,
	.update_user = trace_update_user,
	.lookup_and_delete = trace_lookup_and_delete,
	.get_next_key = trace_get_next_key,
	.check = trace_check,
	.layout = trace_layout,
	.init = trace_init,
	.is_valid = trace_is_valid,
};
