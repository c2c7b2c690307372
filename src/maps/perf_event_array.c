/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * perf_event_array.c: PERF_EVENT_ARRAY, the perf events that programs write into. Says what may be
 * an element; the slots are object_slots.c. Must not know programs, descriptors or attributes.
 *
 * Elements go with the descriptor through which they came, unless BPF_F_PRESERVE_ELEMS. Behind the
 * slots lies a number for each, raised whenever an element comes; the number and the index are the
 * mark that the descriptor holds. Who deletes, and a test run, look whether it still does.
 */
#include <errno.h>

#include "base/syscall.h"
#include "maps/object_slots.h"
#include "maps/perf_event.h"
#include "object/mark.h"

static int perf_array_update(struct map *map, const void *key, struct object *object, int error,
			     u64 flags)
{
	int err = object_slots_check_update(map, key, flags);

	if (!err && !object)
		err = error == -EINVAL ? -EBADF : error;
	return err ? err : object_elements_put(map, key, object, flags);
}

static u32 *insertions(const struct map *map)
{
	const struct object_slots *slots = map->local;

	return (u32 *)(slots->slots + map->max_entries);
}

static u64 mark_of(u32 index, u32 insertion)
{
	return (u64)index << 32 | insertion;
}

static int perf_array_take(struct map *map, const void *key, int fd)
{
	const u32 index = array_index(key);
	u32 insertion;
	u64 signals;
	int lock, err;

	if (map->flags & BPF_F_PRESERVE_ELEMS || index >= map->max_entries)
		return 0;
	lock = object_elements_lock(map, &signals);
	if (lock < 0)
		return lock;
	insertion = load_relaxed(&insertions(map)[index]) + 1;
	err = object_mark(fd, mark_of(index, insertion));
	if (!err)
		store_release(&insertions(map)[index], insertion);
	object_elements_unlock(lock, signals);
	return err;
}

static bool is_gone(const struct map *map, int marks, u32 index)
{
	const u32 insertion = load_acquire(&insertions(map)[index]); /* released by who took it */

	return object_slots_id_at(map, index) && !object_is_marked(marks, mark_of(index, insertion));
}

static cold void drop(struct map *map, int marks, u32 index)
{
	u64 signals;
	int lock = object_elements_lock(map, &signals);

	if (lock < 0)
		return;
	if (is_gone(map, marks, index))
		(void)object_elements_remove_locked(map, &index);
	object_elements_unlock(lock, signals);
}

static void perf_array_drop_gone(struct map *map)
{
	u32 index = 0;
	int marks;

	if (map->flags & BPF_F_PRESERVE_ELEMS)
		return;
	while (index < map->max_entries && !object_slots_id_at(map, index))
		index++;
	if (index == map->max_entries)
		return;
	marks = object_marks_open(&map->object);
	if (marks < 0)
		return;
	for (; index < map->max_entries; index++)
		if (is_gone(map, marks, index))
			drop(map, marks, index);
	sys_close(marks);
}

static int perf_array_delete(struct map *map, const void *key)
{
	perf_array_drop_gone(map);
	return object_slots_delete(map, key);
}

/* Cold path */

static cold void perf_array_layout(const struct map_spec *spec, u32 ncpus,
				   struct map_layout *layout)
{
	object_slots_layout(spec, ncpus, layout);
	layout->control_size += (u64)spec->max_entries * sizeof(u32);
	layout->flags = spec->flags & BPF_F_PRESERVE_ELEMS ? 0 : OBJECT_OF_USERS;
}

static bool matches(struct map *map, struct object *object)
{
	(void)map;
	return object->type == &perf_event_object_type;
}

static cold bool perf_array_is_valid(struct map *map)
{
	return object_elements_are_valid(map, matches);
}

const struct map_ops perf_event_array_map_ops = {
	.name = "perf_event_array",
	.traits = MAP_BTF_REFUSED,
	.value_kind = OBJECT_PERF,
	.helpers = MAP_H_PERF_EVENT,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PRESERVE_ELEMS,
	.object_id = object_slots_id,
	.delete = perf_array_delete,
	.update_object = perf_array_update,
	.take_element = perf_array_take,
	.drop_gone = perf_array_drop_gone,
	.get_next_key = array_get_next_key,
	.check = object_slots_check,
	.layout = perf_array_layout,
	.attach = object_slots_attach,
	.detach = object_slots_detach,
	.is_valid = perf_array_is_valid,
};
