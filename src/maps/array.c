/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * array.c: ARRAY and PERCPU_ARRAY. Owns the values: all elements exist from the start and are
 * updated in place. Must not know programs, descriptors or attributes.
 *
 * Elements lie value_stride apart. ARRAY with BPF_F_MMAPABLE: from offset 0 of the file, for the
 * application to map. Other arrays: behind the header. Per-CPU: one page-aligned area per CPU.
 * There is no lock and nothing to repair: a writer that dies leaves a value half copied at worst,
 * as two writers at once do.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "btf/btf.h"
#include "maps/array.h"
#include "maps/fields.h"
#include "maps/value.h"
#include "shm/vcpu.h"

#define ARRAY_ACCESS_FLAGS (BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)

static inline u8 *array_value(const struct map *map, u32 index)
{
	return map->elements + (u64)index * map->value_stride;
}

static inline u8 *array_cpu_value(const struct map *map, u32 index, u32 cpu)
{
	return array_value(map, index) + cpu * map->cpu_stride;
}

static void *array_lookup(struct map *map, const void *key)
{
	u32 index = array_index(key);

	return likely(index < map->max_entries) ? array_value(map, index) : NULL;
}

static void *percpu_array_lookup_percpu(struct map *map, const void *key, u32 cpu)
{
	u32 index = array_index(key);

	if (unlikely(index >= map->max_entries || cpu >= map->ncpus))
		return NULL;
	return array_cpu_value(map, index, cpu);
}

static void *percpu_array_lookup(struct map *map, const void *key)
{
	return percpu_array_lookup_percpu(map, key, vcpu_current());
}

/* All elements are present. The flag for the lock counts only after those for presence. */
static inline int array_check_update(const struct map *map, u32 index, u64 flags)
{
	if (unlikely((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST))
		return -EINVAL;
	if (unlikely(index >= map->max_entries))
		return -E2BIG;
	if (unlikely(flags & BPF_NOEXIST))
		return -EEXIST;
	return unlikely(flags & BPF_F_LOCK && !map_has_lock(map)) ? -EINVAL : 0;
}

static int array_update(struct map *map, const void *key, const void *value, u64 flags)
{
	u32 index = array_index(key);
	int err = array_check_update(map, index, flags);

	if (unlikely(err))
		return err;
	if (unlikely(flags & BPF_F_LOCK)) {
		fields_reset(map, array_value(map, index));
		return value_write_locked(map, array_value(map, index), value);
	}
	fields_write(map, array_value(map, index), value, map->value_size);
	return 0;
}

static int percpu_array_update(struct map *map, const void *key, const void *value, u64 flags)
{
	u32 index = array_index(key), cpu = vcpu_current();
	int err = array_check_update(map, index, flags);

	if (likely(!err && cpu < map->ncpus))
		fields_write(map, array_cpu_value(map, index, cpu), value,
			     map->value_size);
	return err;
}

static int array_delete(struct map *map, const void *key)
{
	(void)map;
	(void)key;
	return -EINVAL;
}

static void array_key_of(struct map *map, const void *value, void *key)
{
	const u32 index = (u32)((u64)((const u8 *)value - map->elements) / map->value_stride);

	memcpy(key, &index, sizeof(index));
}

/* System call context */

static int array_copy_value(struct map *map, const void *key, void *value)
{
	u32 index = array_index(key);

	if (index >= map->max_entries)
		return -ENOENT;
	value_read(value, array_value(map, index), map->value_size);
	return 0;
}

static int array_copy_value_locked(struct map *map, const void *key, void *value)
{
	u32 index = array_index(key);
	int err;

	if (index >= map->max_entries)
		return -ENOENT;
	err = value_lock(map, array_value(map, index));
	if (err)
		return err;
	value_read(value, array_value(map, index), map->value_size);
	value_unlock(map, array_value(map, index));
	return 0;
}

static int percpu_array_copy_value(struct map *map, const void *key, void *value)
{
	u32 index = array_index(key);

	if (index >= map->max_entries)
		return -ENOENT;
	for (u32 cpu = 0; cpu < map->ncpus; cpu++)
		value_read((u8 *)value + (size_t)cpu * map->value_stride,
			   array_cpu_value(map, index, cpu), map->value_stride);
	return 0;
}

static int percpu_array_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	u32 index = array_index(key);
	int err = array_check_update(map, index, flags);

	if (err)
		return err;
	for (u32 cpu = 0; cpu < map->ncpus; cpu++)
		fields_write(map, array_cpu_value(map, index, cpu),
			     (const u8 *)value + (size_t)cpu * map->value_stride,
			     map->value_stride);
	return 0;
}

int array_get_next_key(struct map *map, const void *key, void *next_key)
{
	u32 next = 0;

	if (key && array_index(key) < map->max_entries)
		next = array_index(key) + 1;
	if (next == map->max_entries)
		return -ENOENT;
	memcpy(next_key, &next, sizeof(next));
	return 0;
}

static int array_mmap_check(struct map *map, u64 offset, u64 len, int prot)
{
	if (prot & PROT_WRITE && load_acquire(&map->header->frozen))
		return -EPERM;
	if (prot & PROT_WRITE && map->flags & BPF_F_RDONLY_PROG)
		return -EACCES;
	if (!(map->flags & BPF_F_MMAPABLE))
		return -EINVAL;
	len = ROUND_UP(len, PAGE_BYTES);
	if (offset + len < offset || offset + len > map->object.region.data_size)
		return -EINVAL;
	return 0;
}

static void *array_value_at(struct map *map, const void *address)
{
	return value_containing(map->elements, map->max_entries, map->value_stride,
				map->value_size, address);
}

static void *percpu_array_value_at(struct map *map, const void *address)
{
	const u64 stride = map->cpu_stride;
	const u64 cpu = (u64)((const u8 *)address - map->elements) / stride;

	return cpu < map->ncpus
		       ? value_containing(map->elements + cpu * stride, map->max_entries,
					  map->value_stride, map->value_size, address)
		       : NULL;
}

/* Cold path */

static cold int array_check(struct map_spec *spec)
{
	if (spec->max_entries == 0 || spec->key_size != 4 || spec->value_size == 0)
		return -EINVAL;
	return spec->value_size > INT32_MAX ? -E2BIG : 0;
}

static cold int percpu_array_check(struct map_spec *spec)
{
	int err = map_spec_has_node(spec) ? -EINVAL : array_check(spec);

	if (!err && spec->value_size > MAP_PERCPU_VALUE_MAX)
		err = -E2BIG;
	return err;
}

/* Without a key type: what the sections .data, .bss and .rodata of a program are made of. */
static cold int array_check_btf(const struct map_spec *spec)
{
	const struct btf_type *value;

	if (spec->btf_key_type_id)
		return btf_is_int32(spec->btf, spec->btf_key_type_id) ? 0 : -EINVAL;
	value = btf_type(spec->btf, spec->btf_value_type_id);
	return spec->max_entries == 1 && value && BTF_INFO_KIND(value->info) == BTF_KIND_DATASEC
		       ? 0
		       : -EINVAL;
}

static cold int percpu_array_check_btf(const struct map_spec *spec)
{
	return spec->btf_key_type_id ? array_check_btf(spec) : -EINVAL;
}

/* memlock as a 6.18 kernel counts it; KERNEL_ARRAY is its fixed part. */
enum { KERNEL_ARRAY = 312 };

static cold void array_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	u64 bytes = (u64)spec->max_entries * ROUND_UP((u64)spec->value_size, 8);

	(void)ncpus;
	if (spec->flags & BPF_F_MMAPABLE) {
		layout->data_size = ROUND_UP(bytes, PAGE_BYTES);
		layout->memlock = PAGE_BYTES + layout->data_size;
	} else {
		layout->control_size = bytes;
		layout->memlock = KERNEL_ARRAY + bytes;
	}
}

static cold void percpu_array_layout(const struct map_spec *spec, u32 ncpus,
				     struct map_layout *layout)
{
	u64 bytes = (u64)spec->max_entries * ROUND_UP(spec->value_size, 8);

	layout->control_size =
		PAGE_BYTES - sizeof(struct map_header) + ncpus * ROUND_UP(bytes, PAGE_BYTES);
	layout->memlock = KERNEL_ARRAY + 8 * (u64)spec->max_entries + bytes * ncpus;
}

static cold int array_attach(struct map *map)
{
	map->elements = map->flags & BPF_F_MMAPABLE ? map->object.region.base : map->private;
	return 0;
}

static cold int percpu_array_attach(struct map *map)
{
	map->elements = (u8 *)map->header + PAGE_BYTES;
	map->cpu_stride = ROUND_UP((u64)map->max_entries * map->value_stride, PAGE_BYTES);
	return 0;
}

const struct map_ops array_map_ops = {
	.name = "array",
	.traits = MAP_DIRECT_VALUE | MAP_INFO_HASH | MAP_SLEEPABLE | MAP_OFFLOAD |
		  MAP_INNER_ENTRIES | MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.helpers = MAP_H_LOOKUP | MAP_H_UPDATE | MAP_H_DELETE | MAP_H_FOR_EACH |
		   MAP_H_TIMER,
	.create_flags = ARRAY_ACCESS_FLAGS | BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_INNER_MAP,
	.fields = MAP_F_LOCK | MAP_F_TIMER | MAP_F_OBJECT | MAP_F_ROOT,
	.update_flags = BPF_EXIST,
	.lookup = array_lookup,
	.update = array_update,
	.delete = array_delete,
	.value_at = array_value_at,
	.key_of = array_key_of,
	.copy_value = array_copy_value,
	.copy_value_locked = array_copy_value_locked,
	.update_user = array_update,
	.get_next_key = array_get_next_key,
	.mmap_check = array_mmap_check,
	.check = array_check,
	.check_btf = array_check_btf,
	.layout = array_layout,
	.attach = array_attach,
};

const struct map_ops percpu_array_map_ops = {
	.name = "percpu_array",
	.traits = MAP_PERCPU | MAP_SLEEPABLE | MAP_BATCH_LOOKUP | MAP_BATCH_UPDATE,
	.helpers =
		MAP_H_LOOKUP | MAP_H_UPDATE | MAP_H_DELETE | MAP_H_LOOKUP_PERCPU | MAP_H_FOR_EACH,
	.create_flags = ARRAY_ACCESS_FLAGS | BPF_F_NUMA_NODE,
	.fields = MAP_F_OBJECT,
	.update_flags = BPF_EXIST,
	.lookup = percpu_array_lookup,
	.lookup_percpu = percpu_array_lookup_percpu,
	.update = percpu_array_update,
	.delete = array_delete,
	.value_at = percpu_array_value_at,
	.copy_value = percpu_array_copy_value,
	.update_user = percpu_array_update_user,
	.get_next_key = array_get_next_key,
	.check = percpu_array_check,
	.check_btf = percpu_array_check_btf,
	.layout = percpu_array_layout,
	.attach = percpu_array_attach,
};
