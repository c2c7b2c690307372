/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * perf_event_array.c: PERF_EVENT_ARRAY, the perf events that programs write into. Says what may be
 * an element; the slots are object_slots.c. Must not know programs, descriptors or attributes.
 *
 * Elements go when no descriptor and no pin of the map is left, unless BPF_F_PRESERVE_ELEMS. (The
 * kernel takes them out one by one with the descriptor through which they came in.)
 */
#include <errno.h>

#include "maps/object_slots.h"
#include "maps/perf_event.h"

static int perf_array_update(struct map *map, const void *key, struct object *object, int error,
			     u64 flags)
{
	int err = object_slots_check_update(map, key, flags);

	if (!err && !object)
		err = error == -EINVAL ? -EBADF : error;
	return err ? err : object_elements_put(map, key, object, flags);
}

/* Cold path */

static cold void perf_array_layout(const struct map_spec *spec, u32 ncpus,
				   struct map_layout *layout)
{
	object_slots_layout(spec, ncpus, layout);
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
	.delete = object_slots_delete,
	.update_object = perf_array_update,
	.get_next_key = array_get_next_key,
	.check = object_slots_check,
	.layout = perf_array_layout,
	.attach = object_slots_attach,
	.detach = object_slots_detach,
	.is_valid = perf_array_is_valid,
};
