/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * access.c: which memory a run may touch. The quick answers (the stack, the packet, the map value
 * touched last) are inline in state.h; the rest is looked for here. Knows no instruction.
 */
#include "maps/value.h"
#include "vm/local_objects.h"
#include "vm/state.h"

static bool in_context(const struct vm_run *run, u64 address, u64 size, bool write)
{
	u64 offset = address - PTR_U64(run->ctx);

	if (!run->ctx || !run->ctx_rules || offset >= run->ctx_rules->size)
		return false;
	return (size == 1 || size == 2 || size == 4 || size == 8) &&
	       ctx_access_ok(run->ctx_rules, offset, (u32)size, write);
}

struct map *vm_map_with_value(struct vm_run *run, u64 address, void **value)
{
	for (u32 i = 0; i < run->prog->nr_maps; i++) {
		struct map *map = run->prog->maps[i];

		*value = map->ops->value_at ? map->ops->value_at(map, U64_PTR(address)) : NULL;
		if (*value)
			return map;
	}
	for (u32 i = 0; i < ARRAY_SIZE(run->storage); i++) {
		const struct vm_storage *storage = &run->storage[i];

		*value = storage->map ? value_containing(storage->memory,
							 storage->size / storage->map->value_stride,
							 storage->map->value_stride,
							 storage->map->value_size, U64_PTR(address))
				      : NULL;
		if (*value)
			return storage->map;
	}
	return vm_held_map_with(run, address, value);
}

/* Finds and remembers the map value that contains address, or its part between special fields. */
static bool find_value(struct vm_run *run, u64 address)
{
	struct vm_state *state = run->state;
	void *value;
	const struct map *map = vm_map_with_value(run, address, &value);
	u32 from, to;

	if (!map || !map_value_part(map, (u32)(address - PTR_U64(value)), &from, &to))
		return false;
	state->value.start = PTR_U64(value) + from;
	state->value.size = to - from;
	state->value.readable = !(map->flags & BPF_F_WRONLY_PROG);
	state->value.writable = !(map->flags & BPF_F_RDONLY_PROG);
	return true;
}

/*
 * Pages of an arena are made when they are touched: here, where no room is a fault of the run and not
 * a signal. The pages touched last are remembered as a value is.
 */
static bool in_arena(struct vm_run *run, u64 address, u64 size)
{
	const struct map_window *arena = &run->prog->arena;
	u64 at = address - arena->start, from = at / PAGE_BYTES * PAGE_BYTES;

	if (!arena->map || !in_range(address, size, arena->start, arena->size) ||
	    region_populate(&arena->map->object.region, at, size))
		return false;
	run->state->value.start = arena->start + from;
	run->state->value.size = (u32)(ROUND_UP(at + size, PAGE_BYTES) - from);
	run->state->value.readable = run->state->value.writable = true;
	return true;
}

static bool in_object(struct vm_run *run, u64 address, u64 size)
{
	struct vm_state *state = run->state;

	if (!run->prog->nr_types ||
	    !vm_object_part(run, address, &state->value.start, &state->value.size))
		return false;
	state->value.readable = state->value.writable = true;
	return in_range(address, size, state->value.start, state->value.size);
}

/* Programs read what they see of sockets, and write none of it. */
static bool in_socket(const struct vm_run *run, u64 address, u64 size)
{
	for (const struct vm_socket *socket = run->open.sockets; socket; socket = socket->next)
		if (in_range(address, size, PTR_U64(&socket->seen), sizeof(socket->seen)))
			return true;
	return false;
}

bool vm_memory_elsewhere(struct vm_run *run, u64 address, u64 size, bool write)
{
	for (u32 i = 0; i < MIN(run->nr_extra, (u32)VM_EXTRA_MEMORY); i++) {
		const struct vm_memory *extra = &run->extra[i];

		if (in_range(address, size, extra->start, extra->end - extra->start))
			return extra->writable || !write;
	}
	for (u32 i = 0; i < run->nr_records; i++)
		if (in_range(address, size, run->records[i].start, run->records[i].size))
			return true;
	if (in_context(run, address, size, write))
		return true;
	if (run->open.sockets && in_socket(run, address, size))
		return !write;
	if (in_arena(run, address, size) || in_object(run, address, size))
		return true;
	return find_value(run, address) && in_last_value(run->state, address, size, write);
}

bool vm_memory_ok(struct vm_run *run, u64 address, u64 size, bool write)
{
	const struct vm_state *state = run->state;
	u64 at = address - PTR_U64(state->stack);

	if (size == 0)
		return true;
	if (at < state->live_bytes)
		return in_frame(at, size);
	return in_last_value(state, address, size, write) ||
	       in_packet(run->packet, address, size, write) ||
	       vm_memory_elsewhere(run, address, size, write);
}
