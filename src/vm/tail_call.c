/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * tail_call.c: where a tail call goes. Owns the programs that runs have met so: each is held, and
 * with it its code, until the last of the runs ends, whatever happens to the array. What an engine
 * does to get there is the engine's.
 *
 * The programs that were met last lie in a small table by id, in front of the list of all.
 * A program that the process has mapped already is found and held without a system call.
 */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "vm/engine.h"
#include "vm/helpers.h"

static cold bool make_room(struct vm_targets *targets)
{
	const u32 room = targets->room ? 2 * targets->room : 8;
	struct prog **held = memory_zalloc(room, sizeof(*held));

	if (!held)
		return false;
	if (targets->count)
		memcpy(held, targets->held, targets->count * sizeof(*held));
	memory_free(targets->held);
	targets->held = held;
	targets->room = room;
	return true;
}

/* What a run gives to its program is right for programs that may share an array with it. */
static bool may_follow(const struct vm_run *run, const struct object *object)
{
	return object->type->owner(object) == object->type->owner(&run->prog->object);
}

static int hold(struct vm_run *run, u32 id, struct prog **prog)
{
	struct vm_targets *targets = &run->targets;
	struct object *object;
	int err;

	if (targets->count == targets->room && !make_room(targets))
		return -ENOMEM;
	err = object_from_id(OBJECT_PROG, id, &object);
	if (err)
		return err;
	if (!may_follow(run, object)) {
		object_put(object);
		return -ENOENT;
	}
	*prog = targets->held[targets->count++] = prog_of(object);
	if (unlikely(run->both))
		both_remember_prog(run, *prog);
	return 0;
}

static int find(struct vm_run *run, u32 id, struct prog **prog)
{
	struct vm_targets *targets = &run->targets;
	struct vm_target *recent = &targets->recent[id % VM_RECENT];
	int err = 0;

	if (likely(recent->prog && recent->prog->object.id == id)) {
		*prog = recent->prog;
		return 0;
	}
	*prog = NULL;
	for (u32 i = 0; i < targets->count && !*prog; i++)
		if (targets->held[i]->object.id == id)
			*prog = targets->held[i];
	if (!*prog)
		err = hold(run, id, prog);
	if (!err)
		*recent = (struct vm_target){.prog = *prog};
	return err;
}

/*
 * An id that names no program any more has just been replaced: it is read again. One of a program
 * that no update would have put there was written by somebody else: the slot counts as empty.
 */
struct prog *vm_tail_target(struct vm_run *run, struct map *array, u32 index)
{
	struct prog *prog;
	u32 id, gone = 0;
	int err;

	if (unlikely(run->tail_calls == VM_TAIL_CALLS_MAX))
		return NULL;
	while ((id = array->ops->object_id(array, &index)) && id != gone) {
		err = find(run, id, &prog);
		if (likely(!err)) {
			run->tail_calls++;
			return prog;
		}
		if (err != -ENOENT) {
			vm_faultf(run, "program %u cannot be mapped (errno %d)", id, -err);
			return NULL;
		}
		gone = id;
	}
	return NULL;
}

/* For engines that look at run->next after the call. */
HELPER_FN(tail_call)
{
	run->next = vm_tail_target(run, U64_PTR(r2), (u32)r3);
	return 0;
}

void vm_release_targets(struct vm_run *run)
{
	struct vm_targets *targets = &run->targets;

	if (likely(!targets->count))
		return;
	while (targets->count)
		object_put(&targets->held[--targets->count]->object);
	memory_free(targets->held);
	memset(targets, 0, sizeof(*targets));
}
