/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * packet.c: the pool of arenas. Owns their mapping; what lies in them is the run's matter.
 */
#include "vm/packet.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/syscall.h"

#define ARENA_BYTES (ARENA_CTX_BYTES + ARENA_PACKET_BYTES)
#define POOL 8

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Idle arenas. Private memory: after fork the child owns its copies of them. */
static u64 pool[POOL];

static bool lies_low(const void *p)
{
	return !sys_is_err(p) && PTR_U64(p) + ARENA_BYTES < UINT32_MAX;
}

/* Architectures without MAP_32BIT: the kernel takes a hint that is free. */
static cold u8 *map_by_hint(void)
{
	for (u64 hint = 1u << 28; hint < UINT32_MAX - ARENA_BYTES; hint += 1u << 26) {
		void *p = sys_mmap(U64_PTR(hint), ARENA_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (lies_low(p))
			return p;
		if (!sys_is_err(p))
			sys_munmap(p, ARENA_BYTES);
	}
	return NULL;
}

static cold u8 *map_arena(void)
{
	void *p = sys_mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (lies_low(p))
		return p;
	if (!sys_is_err(p))
		sys_munmap(p, ARENA_BYTES);
	return map_by_hint();
}

int arena_take(struct arena *arena)
{
	u8 *base = NULL;

	for (unsigned i = 0; i < POOL && !base; i++)
		if (load_relaxed(&pool[i]))
			base = U64_PTR(atomic_exchange(&pool[i], 0));
	if (!base)
		base = map_arena();
	if (!base)
		return -ENOMEM;
	arena->ctx = base;
	arena->packet = base + ARENA_CTX_BYTES;
	return 0;
}

void arena_put(struct arena *arena)
{
	for (unsigned i = 0; i < POOL; i++) {
		u64 empty = 0;

		if (!load_relaxed(&pool[i]) && atomic_cas(&pool[i], &empty, PTR_U64(arena->ctx)))
			return;
	}
	sys_munmap(arena->ctx, ARENA_BYTES);
}
