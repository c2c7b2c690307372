/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prog_array.c: PROG_ARRAY, the programs that bpf_tail_call() goes on with. Says what may be an
 * element; the slots are object_slots.c. Must not know what a program is, descriptors or attributes.
 *
 * An array keeps its programs while somebody has a descriptor of it or a pin. The program that
 * calls through it refers to it too, and would otherwise keep itself alive by being its element.
 */
#include <errno.h>

#include "maps/object_slots.h"

static int prog_array_update(struct map *map, const void *key, struct object *object, int error,
			     u64 flags)
{
	int err = object_slots_check_update(map, key, flags);

	if (!err && !object)
		err = error;
	if (!err && !map_claim(map, object->type->owner(object)))
		err = -EINVAL;
	return err ? err : object_elements_put(map, key, object, flags);
}

/* Cold path */

static cold void prog_array_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	object_slots_layout(spec, ncpus, layout);
	layout->flags = OBJECT_OF_USERS;
}

static bool matches(struct map *map, struct object *object)
{
	return object->type->owner(object) == map->header->owner;
}

static cold bool prog_array_is_valid(struct map *map)
{
	return object_elements_are_valid(map, matches);
}

const struct map_ops prog_array_map_ops = {
	.name = "prog_array",
	.traits = MAP_OWNED | MAP_INNER_REFUSED,
	.value_kind = OBJECT_PROG,
	.owner_mask = UINT64_MAX,
	.helpers = MAP_H_TAIL_CALL,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.object_id = object_slots_id,
	.delete = object_slots_delete,
	.copy_value = object_elements_copy_id,
	.update_object = prog_array_update,
	.get_next_key = array_get_next_key,
	.check = object_slots_check,
	.layout = prog_array_layout,
	.attach = object_slots_attach,
	.detach = object_slots_detach,
	.is_valid = prog_array_is_valid,
};
