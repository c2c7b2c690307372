/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_arena.c: pages of the program's arena. As in the kernel, another map is no fault. The NUMA
 * node is a wish that is not heeded: pages come where they are touched.
 */
#include "maps/arena.h"
#include "vm/kfuncs.h"
#include "vm/state.h"

static struct map *arena_in(u64 address)
{
	struct map *map = U64_PTR(address);

	return map->ops->traits & MAP_ARENA ? map : NULL;
}

KFUNC_FN(arena_alloc_pages)
{
	struct map *map = arena_in(r1);

	return map && !r5 ? arena_alloc(map, r2, (u32)r3) : 0;
}

/* What the run remembers of touched pages may be gone. */
KFUNC_FN(arena_free_pages)
{
	struct map *map = arena_in(r1);

	if (map && r2)
		arena_free(map, r2, (u32)r3);
	run->state->value.size = 0;
	return 0;
}

KFUNC_FN(arena_reserve_pages)
{
	struct map *map = arena_in(r1);

	if (!map)
		return (u64)-EINVAL;
	return (u64)(s64)((u32)r3 ? arena_reserve(map, r2, (u32)r3) : 0);
}
