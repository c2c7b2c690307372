/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * device_map.c: DEVMAP, DEVMAP_HASH and CPUMAP, where packets can be redirected to. Owns the
 * elements and the references to the programs that they name. Must not know what a program is,
 * nor descriptors; nothing is ever sent from here.
 *
 * An element is {interface or length of the queue, id of a program}: what a lookup shows. It is
 * present when the first word is not 0. Array types keep it in slots, one 64-bit word each;
 * DEVMAP_HASH keeps it as the value of a HASH over the same memory.
 *
 *     | journal | u64 slots[max_entries] |        | HASH without preallocation | journal |
 *
 * Changes and their repair are those of object_elements.c; the token of a reference is the key. An
 * interface that goes away leaves its elements where they are: its number does not come again.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/atomic.h"
#include "base/interface.h"
#include "base/memory.h"
#include "maps/array.h"
#include "maps/hash_within.h"
#include "maps/object_elements.h"
#include "maps/value.h"
#include "shm/vcpu.h"

#define CPU_QUEUE_MAX 16384u
#define CPUS_MAX 256u /* of the kernel that was measured */
#define OWNER_PARTS (~OWNER_PLACE) /* what runs behind a map is attached elsewhere than its users */

struct device {
	u32 target; /* interface, or the length of a CPU's queue */
	u32 program;
};

/* map->local. */
struct devices {
	struct object_elements elements; /* first */
	u64 *slots;
	struct map hash; /* DEVMAP_HASH, in place of slots */
};

extern const struct map_ops devmap_hash_map_ops;

static inline struct devices *devices_of(const struct map *map)
{
	return map->local;
}

static inline bool is_hash(const struct map *map)
{
	return map->ops == &devmap_hash_map_ops;
}

static u32 key_of(const void *key)
{
	return array_index(key);
}

/* Program context */

static void *slot_lookup(struct map *map, const void *key)
{
	u64 *slot = &devices_of(map)->slots[key_of(key)];

	return likely(key_of(key) < map->max_entries) && load_acquire(slot) ? slot : NULL;
}

static void *hash_lookup(struct map *map, const void *key)
{
	return hash_map_ops.lookup(&devices_of(map)->hash, key);
}

static void *slot_value_at(struct map *map, const void *address)
{
	return value_containing((u8 *)devices_of(map)->slots, map->max_entries, sizeof(u64),
				map->value_size, address);
}

static void *hash_value_at(struct map *map, const void *address)
{
	return hash_map_ops.value_at(&devices_of(map)->hash, address);
}

/* Elements of either type. */

static bool device_get(struct map *map, const void *key, struct device *device)
{
	u64 word;

	if (is_hash(map))
		return !hash_map_ops.copy_value(&devices_of(map)->hash, key, device);
	if (key_of(key) >= map->max_entries)
		return false;
	word = load_acquire(&devices_of(map)->slots[key_of(key)]);
	memcpy(device, &word, sizeof(word));
	return word;
}

static int device_put(struct map *map, const void *key, const struct device *device)
{
	u64 word;

	memcpy(&word, device, sizeof(word));
	if (!is_hash(map))
		store_release(&devices_of(map)->slots[key_of(key)], word);
	else if (!word)
		return hash_map_ops.delete(&devices_of(map)->hash, key);
	else
		return hash_map_ops.update(&devices_of(map)->hash, key, device, BPF_ANY);
	return 0;
}

static u32 device_program_id(struct map *map, const void *key)
{
	struct device device = {0};

	device_get(map, key, &device);
	return device.program;
}

/* Where the journal looks up which program an element names. */
static bool program_get(struct map *map, const void *key, struct object_element *element)
{
	*element = (struct object_element){.id = device_program_id(map, key),
					   .token = key_of(key)};
	return element->id;
}

static const struct element_store device_store = {.get = program_get};

/* Changes. device without a target removes. The lock is held. */
static int change_locked(struct map *map, const void *key, struct device *device,
			 struct object *program)
{
	struct device old = {0};
	int err = 0;

	if (!device_get(map, key, &old) && !device->target)
		return -ENOENT;
	device->program = program ? program->id : 0;
	object_elements_begin(map, key, key_of(key), old.program, device->program);
	if (program)
		err = object_ref_add(&map->object, program, key_of(key));
	if (err == -ENOENT)
		err = -EINVAL; /* its descriptor was closed meanwhile */
	if (!err)
		err = device_put(map, key, device);
	object_elements_settle(map);
	return err;
}

static bool may_hold(struct map *map, const struct object *program)
{
	return !program || map_claim(map, program->type->owner(program));
}

static int change(struct map *map, const void *key, u32 target, struct object *program, u64 flags)
{
	struct device device = {.target = target}, old;
	u64 signals;
	int err, lock = object_elements_lock(map, &signals);

	if (lock < 0)
		return lock;
	if (flags & BPF_NOEXIST && device_get(map, key, &old))
		err = -EEXIST;
	else
		err = change_locked(map, key, &device, program);
	object_elements_unlock(lock, signals);
	return err;
}

/* All elements count as present. */
static int check_slot(const struct map *map, const void *key, u64 flags)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (key_of(key) >= map->max_entries)
		return -E2BIG;
	return flags == BPF_NOEXIST ? -EEXIST : 0;
}

static int slot_remove(struct map *map, const void *key)
{
	int err = change(map, key, 0, NULL, BPF_ANY);

	return err == -ENOENT ? 0 : err;
}

static int slot_delete(struct map *map, const void *key)
{
	return key_of(key) < map->max_entries ? slot_remove(map, key) : -EINVAL;
}

static int hash_delete(struct map *map, const void *key)
{
	return change(map, key, 0, NULL, BPF_ANY);
}

static u32 target_of(const void *value)
{
	u32 target;

	memcpy(&target, value, sizeof(target));
	return target;
}

static int devmap_update(struct map *map, const void *key, const void *value,
			 struct object *program, int error, u64 flags)
{
	const u32 ifindex = target_of(value);
	int err = check_slot(map, key, flags);

	if (err)
		return err;
	if (!ifindex)
		return program || error ? -EINVAL : slot_remove(map, key);
	if (error || !interface_exists(ifindex) || !may_hold(map, program))
		return -EINVAL;
	return change(map, key, ifindex, program, BPF_ANY);
}

static int devmap_hash_update(struct map *map, const void *key, const void *value,
			      struct object *program, int error, u64 flags)
{
	const u32 ifindex = target_of(value);
	struct device old;

	if (flags > BPF_EXIST || !ifindex)
		return -EINVAL;
	if (flags & BPF_NOEXIST && device_get(map, key, &old))
		return -EEXIST;
	if (error || !interface_exists(ifindex) || !may_hold(map, program))
		return -EINVAL;
	return change(map, key, ifindex, program, flags);
}

static int cpumap_update(struct map *map, const void *key, const void *value,
			 struct object *program, int error, u64 flags)
{
	const u32 length = target_of(value);
	int err = check_slot(map, key, flags);

	if (err)
		return err;
	if (length > CPU_QUEUE_MAX)
		return -EOVERFLOW;
	if (key_of(key) >= vcpu_possible())
		return -ENODEV;
	if (!length)
		return slot_remove(map, key);
	if (error || !may_hold(map, program))
		return -ENOMEM;
	return change(map, key, length, program, BPF_ANY);
}

/* Reading by the system call. */

static int device_copy_value(struct map *map, const void *key, void *value)
{
	struct device device;

	if (!device_get(map, key, &device))
		return -ENOENT;
	memcpy(value, &device, map->value_size);
	return 0;
}

static int hash_get_next_key(struct map *map, const void *key, void *next_key)
{
	return hash_map_ops.get_next_key(&devices_of(map)->hash, key, next_key);
}

/* Cold path */

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_DEVMAP = 344, KERNEL_CPUMAP = 304 };

static cold int slots_check(struct map_spec *spec)
{
	const bool value = spec->value_size == 4 || spec->value_size == 8;

	return spec->max_entries && spec->key_size == 4 && value ? 0 : -EINVAL;
}

static cold int devmap_hash_check(struct map_spec *spec)
{
	int err = slots_check(spec);

	if (err || spec->max_entries > 1u << 31)
		return -EINVAL;
	return spec->max_entries > 1u << 27 ? -ENOMEM : 0; /* the largest HASH */
}

static cold int cpumap_check(struct map_spec *spec)
{
	int err = slots_check(spec);

	return !err && spec->max_entries > CPUS_MAX ? -E2BIG : err;
}

static cold void slots_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = object_journal_bytes(spec->key_size) + 8ull * spec->max_entries;
	layout->memlock = (spec->type == BPF_MAP_TYPE_CPUMAP ? KERNEL_CPUMAP : KERNEL_DEVMAP) +
			  8ull * spec->max_entries;
}

/* The journal lies behind the HASH. */
static struct hash_within elements_like(u32 max_entries)
{
	return (struct hash_within){sizeof(u32), sizeof(struct device), max_entries,
				    BPF_F_NO_PREALLOC};
}

static cold void hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	const struct hash_within like = elements_like(spec->max_entries);
	u64 buckets = 1;

	while (buckets < spec->max_entries)
		buckets *= 2;
	layout->control_size = hash_within_layout(&like, ncpus, layout) +
			       object_journal_bytes(spec->key_size);
	layout->memlock = KERNEL_DEVMAP + 8 * buckets;
}

static cold int hash_init(struct map *map)
{
	const struct hash_within like = elements_like(map->max_entries);

	return hash_within_init(&like, map, object_journal_bytes(map->key_size));
}

static cold void devices_connect(struct devices *devices, const struct map *map)
{
	const struct hash_within like = elements_like(map->max_entries);
	u8 *base = map->private;

	memset(devices, 0, sizeof(*devices));
	devices->elements.store = &device_store;
	if (is_hash(map)) {
		devices->elements.journal = hash_within_connect(&like, map, &devices->hash);
		return;
	}
	devices->elements.journal = (struct object_journal *)(void *)base;
	devices->slots = (u64 *)(void *)(base + object_journal_bytes(map->key_size));
}

static cold int devices_attach(struct map *map)
{
	struct devices *devices = memory_alloc(sizeof(*devices));
	int err;

	if (!devices)
		return -ENOMEM;
	devices_connect(devices, map);
	err = is_hash(map) ? hash_map_ops.attach(&devices->hash) : 0;
	if (err)
		memory_free(devices);
	else
		map->local = devices;
	return err;
}

static cold void devices_detach(struct map *map)
{
	if (is_hash(map))
		hash_map_ops.detach(&devices_of(map)->hash);
	memory_free(map->local);
	map->local = NULL;
}

static bool is_program(struct map *map, struct object *object)
{
	(void)map;
	return object->type->kind == OBJECT_PROG;
}

/* Every program that an element names is there. */
static cold bool devices_are_valid(struct map *map)
{
	return object_elements_are_valid(map, is_program) &&
	       (!is_hash(map) || hash_map_ops.is_valid(&devices_of(map)->hash));
}

const struct map_ops devmap_map_ops = {
	.name = "devmap",
	.traits = MAP_BTF_REFUSED | MAP_INTERFACES | MAP_OWNED,
	.value_kind = OBJECT_PROG,
	.owner_mask = OWNER_PARTS,
	.helpers = MAP_H_LOOKUP | MAP_H_REDIRECT,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.own_flags = BPF_F_RDONLY_PROG,
	.program_attach = BPF_XDP_DEVMAP,
	.redirect_flags = BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS,
	.lookup = slot_lookup,
	.delete = slot_delete,
	.object_id = device_program_id,
	.value_at = slot_value_at,
	.copy_value = device_copy_value,
	.update_program = devmap_update,
	.get_next_key = array_get_next_key,
	.check = slots_check,
	.layout = slots_layout,
	.attach = devices_attach,
	.detach = devices_detach,
	.is_valid = devices_are_valid,
};

const struct map_ops devmap_hash_map_ops = {
	.name = "devmap_hash",
	.traits = MAP_BTF_REFUSED | MAP_INTERFACES,
	.value_kind = OBJECT_PROG,
	.owner_mask = OWNER_PARTS,
	.helpers = MAP_H_LOOKUP | MAP_H_REDIRECT,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.own_flags = BPF_F_RDONLY_PROG,
	.program_attach = BPF_XDP_DEVMAP,
	.redirect_flags = BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS,
	.lookup = hash_lookup,
	.delete = hash_delete,
	.object_id = device_program_id,
	.value_at = hash_value_at,
	.copy_value = device_copy_value,
	.update_program = devmap_hash_update,
	.get_next_key = hash_get_next_key,
	.check = devmap_hash_check,
	.layout = hash_layout,
	.init = hash_init,
	.attach = devices_attach,
	.detach = devices_detach,
	.is_valid = devices_are_valid,
};

const struct map_ops cpumap_map_ops = {
	.name = "cpumap",
	.traits = MAP_BTF_REFUSED | MAP_OWNED,
	.value_kind = OBJECT_PROG,
	.owner_mask = OWNER_PARTS,
	.helpers = MAP_H_REDIRECT,
	.create_flags = BPF_F_NUMA_NODE,
	.program_attach = BPF_XDP_CPUMAP,
	.lookup = slot_lookup,
	.delete = slot_delete,
	.object_id = device_program_id,
	.value_at = slot_value_at,
	.copy_value = device_copy_value,
	.update_program = cpumap_update,
	.get_next_key = array_get_next_key,
	.check = cpumap_check,
	.layout = slots_layout,
	.attach = devices_attach,
	.detach = devices_detach,
	.is_valid = devices_are_valid,
};
