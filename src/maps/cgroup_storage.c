/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cgroup_storage.c: CGROUP_STORAGE and PERCPU_CGROUP_STORAGE. Elements come with the attachment of
 * a program to a cgroup. Nothing is ever attached here, so such a map is empty, and what a test run
 * of a program gets in its place belongs to that run (vm.h). Must not know programs.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "maps/map.h"

#define VALUE_MAX 65407u /* the kernel's largest, with its header in 64 KiB */

static int no_element(struct map *map, const void *key, void *value)
{
	(void)map;
	(void)key;
	(void)value;
	return -ENOENT;
}

/* Elements can be changed, not made. */
static int cgroup_storage_update(struct map *map, const void *key, const void *value, u64 flags)
{
	(void)map;
	(void)key;
	(void)value;
	return flags & BPF_NOEXIST ? -EINVAL : -ENOENT;
}

static int cgroup_storage_delete(struct map *map, const void *key)
{
	(void)map;
	(void)key;
	return -EINVAL;
}

/* Cold path */

/* A key is the id of a cgroup, or that and the type of the attachment. */
static cold int cgroup_storage_check(struct map_spec *spec)
{
	const bool percpu = map_ops_of(spec->type)->traits & MAP_PERCPU;

	if ((spec->key_size != sizeof(u64) &&
	     spec->key_size != sizeof(struct bpf_cgroup_storage_key)) ||
	    !spec->value_size)
		return -EINVAL;
	if (spec->value_size > (percpu ? MAP_PERCPU_VALUE_MAX : VALUE_MAX))
		return -E2BIG;
	return spec->max_entries ? -EINVAL : 0;
}

static cold bool is_integer(const struct btf *btf, u32 id, u32 bits)
{
	const struct btf_type *type = btf_resolve(btf, id);
	const u32 *encoding = (const void *)(type + 1);

	return type && BTF_INFO_KIND(type->info) == BTF_KIND_INT && !BTF_INT_OFFSET(*encoding) &&
	       BTF_INT_BITS(*encoding) == bits;
}

static cold int cgroup_storage_check_btf(const struct map_spec *spec)
{
	const struct btf_type *key = btf_type(spec->btf, spec->btf_key_type_id);
	const struct btf_member *members = (const void *)(key + 1);

	if (spec->key_size == sizeof(u64))
		return BTF_INFO_KIND(key->info) == BTF_KIND_INT &&
				       is_integer(spec->btf, spec->btf_key_type_id, 64)
			       ? 0
			       : -EINVAL;
	if (BTF_INFO_KIND(key->info) != BTF_KIND_STRUCT || BTF_INFO_VLEN(key->info) != 2)
		return -EINVAL;
	return members[0].offset == 0 && is_integer(spec->btf, members[0].type, 64) &&
			       members[1].offset == 64 && is_integer(spec->btf, members[1].type, 32)
		       ? 0
		       : -EINVAL;
}

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_CGROUP_STORAGE = 328 };

static cold void cgroup_storage_layout(const struct map_spec *spec, u32 ncpus,
				       struct map_layout *layout)
{
	(void)spec;
	(void)ncpus;
	layout->memlock = KERNEL_CGROUP_STORAGE;
}

#define CGROUP_STORAGE_OPS(type, more_traits, special)                          \
	const struct map_ops type##_map_ops = {                                 \
		.name = #type,                                                  \
		.traits = MAP_OF_RUNS | MAP_INNER_REFUSED | (more_traits),      \
		.helpers = MAP_H_LOCAL_STORAGE,                                 \
		.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | \
				BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,          \
		.fields = special,                                              \
		.update_flags = BPF_EXIST,                                      \
		.copy_value = no_element,                                       \
		.copy_value_locked = no_element,                                \
		.update_user = cgroup_storage_update,                           \
		.delete = cgroup_storage_delete,                                \
		.get_next_key = no_element,                                     \
		.check = cgroup_storage_check,                                  \
		.check_btf = cgroup_storage_check_btf,                          \
		.layout = cgroup_storage_layout,                                \
	}

CGROUP_STORAGE_OPS(cgroup_storage, 0, MAP_F_LOCK);
CGROUP_STORAGE_OPS(percpu_cgroup_storage, MAP_PERCPU, 0);
