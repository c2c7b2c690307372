/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_map.c: helpers on maps and those that call back into the program. Arguments have been
 * proven by the caller: the map is one of the program's and takes the operation.
 */
#include <errno.h>

#include "base/lock.h"
#include "base/memory.h"
#include "vm/helpers.h"

static struct map *map_arg(u64 reg)
{
	return U64_PTR(reg);
}

HELPER_FN(map_lookup_elem)
{
	struct map *map = map_arg(r1);

	if (unlikely(!map->ops->lookup))
		return PTR_U64(vm_lookup_inner(run, map, U64_PTR(r2)));
	return PTR_U64(map->ops->lookup(map, U64_PTR(r2)));
}

HELPER_FN(map_update_elem)
{
	struct map *map = map_arg(r1);

	return (u64)(s64)map->ops->update(map, U64_PTR(r2), U64_PTR(r3), r4);
}

HELPER_FN(map_delete_elem)
{
	struct map *map = map_arg(r1);

	return (u64)(s64)map->ops->delete(map, U64_PTR(r2));
}

HELPER_FN(map_push_elem)
{
	struct map *map = map_arg(r1);

	return (u64)(s64)map->ops->push(map, U64_PTR(r2), r3);
}

HELPER_FN(map_pop_elem)
{
	struct map *map = map_arg(r1);

	return (u64)(s64)map->ops->pop(map, U64_PTR(r2));
}

HELPER_FN(map_peek_elem)
{
	struct map *map = map_arg(r1);

	return (u64)(s64)map->ops->peek(map, U64_PTR(r2));
}

HELPER_FN(map_lookup_percpu_elem)
{
	struct map *map = map_arg(r1);

	return PTR_U64(map->ops->lookup_percpu(map, U64_PTR(r2), (u32)r3));
}

/*
 * The keys are copied before each callback and the successor is asked for first, so that the
 * callback may delete the element it was given.
 */
static u64 walk(struct vm_run *run, struct map *map, u8 *keys, u64 callback, u64 ctx)
{
	u8 *key = keys, *next = keys + ROUND_UP(map->key_size, 8u), *spare;
	int err = map->ops->get_next_key(map, NULL, key);
	void *(*look)(struct map *, const void *) = map->ops->look ?: map->ops->lookup;
	u64 args[4] = {PTR_U64(map), 0, 0, ctx}, count = 0, stop;

	for (u32 i = 0; !err && i < map->max_entries; i++) {
		void *value = look(map, key);

		err = map->ops->get_next_key(map, key, next);
		if (value) {
			count++;
			run->extra[run->nr_extra - 1].start = PTR_U64(key);
			run->extra[run->nr_extra - 1].end = PTR_U64(key) + map->key_size;
			args[1] = PTR_U64(key);
			args[2] = PTR_U64(value);
			if (vm_callback(run, (u32)callback, args, &stop) || stop)
				break;
		}
		spare = key;
		key = next;
		next = spare;
	}
	return count;
}

HELPER_FN(for_each_map_elem)
{
	struct map *map = map_arg(r1);
	u64 count;
	u8 *keys;

	if (r4)
		return HELPER_ERROR(EINVAL);
	if (run->nr_extra >= VM_EXTRA_MEMORY)
		return vm_faultf(run, "for_each_map_elem: nested too deeply");
	keys = memory_alloc(2 * ROUND_UP((size_t)map->key_size, 8u));
	if (!keys)
		return HELPER_ERROR(ENOMEM);
	run->extra[run->nr_extra++] = (struct vm_memory){.name = "map key"};
	count = walk(run, map, keys, r2, r3);
	run->nr_extra--;
	memory_free(keys);
	return count;
}

HELPER_FN(loop)
{
	u32 count = (u32)r1;
	u64 args[4] = {0, r3}, stop;

	if (r4)
		return HELPER_ERROR(EINVAL);
	if (count > HELPER_LOOPS_MAX)
		return (u32)-E2BIG; /* what the kernel makes of it where the callback is a constant */
	for (; args[0] < count; args[0]++)
		if (vm_callback(run, (u32)r2, args, &stop) || stop)
			return args[0] + 1;
	return count;
}

/* A program cannot be told that a lock is not to be had. */
HELPER_FN(spin_lock)
{
	struct lock *lock = U64_PTR(r1);

	if (lock_acquire(lock) < 0)
		return vm_faultf(run, "the owner of the bpf_spin_lock does not drop it");
	run->spin_lock = lock;
	return 0;
}

HELPER_FN(spin_unlock)
{
	if (U64_PTR(r1) != run->spin_lock)
		return vm_faultf(run, run->spin_lock ? "bpf_spin_unlock of different lock"
						     : "bpf_spin_unlock without taking a lock");
	if (run->comparing)
		return vm_faultf(run, "the callback of a tree drops its lock");
	lock_release(run->spin_lock);
	run->spin_lock = NULL;
	return 0;
}
