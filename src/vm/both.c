/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * both.c: the engine that runs a program twice, in the checked interpreter and then, from the same
 * state, in the JIT, and compares everything the program could change: R0, the context, the packet
 * and all its maps. A difference ends the run with a fault. The interpreter goes first, so that
 * the JIT follows a path on which every access has been proven.
 *
 * For tests: meanwhile nobody else may use the maps, which are copied as a whole. Callbacks of timers
 * and work queues would, so a run that meets a map which may have them is in the interpreter alone; so
 * is one of a program that makes objects, which lie in no map.
 */
#include "vm/engine.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/memory.h"
#include "vm/packet.h"

#define PARTS_MAX 160
#define VARYING_MAX 4096u

/* Memory that the program can change. */
struct part {
	const char *name;
	u8 *at;
	size_t size;
	u8 *before, *after; /* after: what the interpreter left */
};

struct both {
	struct part parts[PARTS_MAX];
	u32 nr_parts;
	bool second; /* the JIT's turn */
	bool alone;  /* it has none */
	bool full;   /* there was no memory, or no room in these arrays */
	u32 nr_varying, replayed;
	u64 varying[VARYING_MAX];
};

static void remember(struct both *both, const char *name, void *at, size_t size)
{
	struct part *part = &both->parts[both->nr_parts];

	if (both->full || both->alone || !size)
		return;
	for (u32 i = 0; i < both->nr_parts; i++)
		if (both->parts[i].at == at)
			return;
	if (both->nr_parts == PARTS_MAX) {
		both->full = true;
		return;
	}
	*part = (struct part){name, at, size, memory_alloc(size), memory_alloc(size)};
	both->nr_parts++;
	both->full = !part->before || !part->after;
	if (!both->full)
		memcpy(part->before, at, size);
}

void both_remember_map(struct vm_run *run, struct map *map)
{
	struct region *region = &map->object.region;

	if (run->both->second)
		return;
	run->both->alone |= map->timer_at >= 0 || map->wq_at >= 0;
	remember(run->both, map->header->name, region->base, region->size);
}

void both_remember_prog(struct vm_run *run, const struct prog *prog)
{
	run->both->alone |= prog->nr_types != 0;
	for (u32 i = 0; i < prog->nr_maps; i++)
		both_remember_map(run, prog->maps[i]);
}

static void remember_all(struct vm_run *run)
{
	struct both *both = run->both;
	struct packet_run *packet = packet_run_of(run);

	if (run->ctx && run->ctx_rules)
		remember(both, "the context", run->ctx, run->ctx_rules->size);
	for (u32 i = 0; i < ARRAY_SIZE(run->storage); i++)
		remember(both, "the storage", run->storage[i].memory, run->storage[i].size);
	if (run->packet) {
		remember(both, "the packet", packet->arena.packet, ARENA_PACKET_BYTES);
		remember(both, "the packet's bounds", &packet->packet,
			 sizeof(*packet) - offsetof(struct packet_run, packet));
		remember(both, "the metadata's bounds", run->extra,
			 run->nr_extra * sizeof(run->extra[0]));
	}
	both_remember_prog(run, run->prog);
}

static void back_to_start(struct both *both)
{
	for (u32 i = 0; i < both->nr_parts; i++) {
		struct part *part = &both->parts[i];

		memcpy(part->after, part->at, part->size);
		memcpy(part->at, part->before, part->size);
	}
}

static void compare(struct vm_run *run, u64 first, u64 second)
{
	const struct both *both = run->both;

	if (first != second)
		vm_faultf(run,
			  "the engines differ: R0 is %#llx in the interpreter, %#llx in the JIT",
			  (unsigned long long)first, (unsigned long long)second);
	for (u32 i = 0; i < both->nr_parts; i++) {
		const struct part *part = &both->parts[i];
		size_t byte = 0;

		while (byte < part->size && part->at[byte] == part->after[byte])
			byte++;
		if (byte < part->size)
			vm_faultf(run, "the engines differ: byte %zu of %s is %02x in the "
				  "interpreter, %02x in the JIT",
				  byte, part->name, part->after[byte], part->at[byte]);
	}
}

static void forget(struct both *both)
{
	for (u32 i = 0; i < both->nr_parts; i++) {
		memory_free(both->parts[i].before);
		memory_free(both->parts[i].after);
	}
	memory_free(both);
}

/* The first run's result in *retval; the second one is the one whose effects stay. */
static int run_twice(struct vm_run *run, u64 *retval)
{
	const u64 insns_left = run->insns_left;
	struct prog *const prog = run->prog;
	u64 again;
	int err;

	run->engine = &interp_engine;
	err = run->engine->run(run, retval);
	if (err || run->both->alone || run->both->full || run->nr_records)
		return err;
	back_to_start(run->both);
	run->both->second = true;
	run->nr_dynptrs = 0;
	run->insns_left = insns_left;
	run->tail_calls = 0;
	run->prog = prog;
	run->engine = &jit_engine;
	err = run->engine->run(run, &again);
	if (!err)
		compare(run, *retval, again);
	return run->fault.set ? -EFAULT : 0;
}

/* Once is enough. */
static cold void tell_alone(const struct prog *prog)
{
	static bool told;

	if (load_relaxed(&told))
		return;
	store_relaxed(&told, true);
	log_line(LOG_REFUSED, "engines are not compared, but programs interpreted, where maps may "
		 "have timers or work queues or hold objects: first in program %u '%.16s'",
		 prog->object.id, prog->checked.name);
}

static int both_run(struct vm_run *run, u64 *retval)
{
	const struct prog *const prog = run->prog;
	int err;

	run->both = memory_zalloc(1, sizeof(*run->both));
	if (!run->both) {
		vm_faultf(run, "no memory to compare engines");
		return -EFAULT;
	}
	vm_release(run); /* what is held from earlier runs is met, and remembered, anew */
	remember_all(run);
	err = run_twice(run, retval);
	if (run->both->alone)
		tell_alone(prog);
	else if (!err && run->both->full) {
		vm_faultf(run, "the program has too much state to compare engines");
		err = -EFAULT;
	}
	forget(run->both);
	run->both = NULL;
	return err;
}

bool vm_replays(struct vm_run *run, u64 *value)
{
	struct both *both = run->both;

	if (likely(!both) || !both->second || both->replayed >= both->nr_varying)
		return false;
	*value = both->varying[both->replayed++];
	return true;
}

u64 vm_varying(struct vm_run *run, u64 value)
{
	struct both *both = run->both;

	if (likely(!both) || vm_replays(run, &value))
		return value;
	if (both->nr_varying == VARYING_MAX)
		both->full = true;
	else
		both->varying[both->nr_varying++] = value;
	return value;
}

/* Callbacks go to the engine whose turn it is. */
const struct engine both_engine = {.name = "both", .run = both_run};
