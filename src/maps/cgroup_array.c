/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cgroup_array.c: CGROUP_ARRAY: ids of cgroups by index. Owns the slots, words that change by one
 * store each. Must not know programs.
 *
 * The kernel keeps a cgroup in a slot from being freed. Here the id stays, and since it never comes
 * again, nothing is ever found to lie below a cgroup that is gone.
 */
#include "maps/cgroup_array.h"

#include <errno.h>
#include <linux/bpf.h>

#include "base/atomic.h"
#include "maps/array.h"
#include "object/foreign.h"

static inline u64 *slots_of(const struct map *map)
{
	return map->private;
}

int cgroup_array_get(const struct map *map, u32 index, u64 *id)
{
	if (index >= map->max_entries)
		return -E2BIG;
	*id = load_relaxed(&slots_of(map)[index]);
	return *id ? 0 : -EAGAIN;
}

/* The value is a descriptor. */
static int cgroup_array_update(struct map *map, const void *key, const void *value, u64 flags)
{
	struct foreign cgroup;
	int fd, err;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (array_index(key) >= map->max_entries)
		return -E2BIG;
	memcpy(&fd, value, sizeof(fd));
	err = foreign_from_fd(FOREIGN_CGROUP, fd, &cgroup);
	if (!err)
		store_relaxed(&slots_of(map)[array_index(key)], cgroup.number);
	return err;
}

static int cgroup_array_delete(struct map *map, const void *key)
{
	if (array_index(key) >= map->max_entries)
		return -E2BIG;
	return atomic_exchange(&slots_of(map)[array_index(key)], 0) ? 0 : -ENOENT;
}

static cold int cgroup_array_check(struct map_spec *spec)
{
	return spec->max_entries && spec->key_size == 4 && spec->value_size == 4 ? 0 : -EINVAL;
}

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_ARRAY = 312 };

static cold void cgroup_array_layout(const struct map_spec *spec, u32 ncpus,
				     struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = (u64)spec->max_entries * sizeof(u64);
	layout->memlock = KERNEL_ARRAY + layout->control_size;
}

const struct map_ops cgroup_array_map_ops = {
	.name = "cgroup_array",
	.traits = MAP_BTF_REFUSED,
	.helpers = MAP_H_CGROUP,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.delete = cgroup_array_delete,
	.update_user = cgroup_array_update,
	.get_next_key = array_get_next_key,
	.check = cgroup_array_check,
	.layout = cgroup_array_layout,
};
