/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map.c: what all map types have in common: the registry, creation, attaching, access, the element
 * commands with their defaults, freezing. Owns struct map_header. Knows types only through their
 * ops, and neither programs nor the attributes of bpf(2).
 */
#include "maps/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/atomic.h"
#include "base/interface.h"
#include "base/syscall.h"
#include "base/uapi.h"
#include "btf/local_object.h"
#include "maps/fields.h"
#include "shm/vcpu.h"

/* Types that are newer than the headers. */
#define BPF_MAP_TYPE_CGRP_STORAGE UAPI_MAP_TYPE_CGRP_STORAGE
#define BPF_MAP_TYPE_ARENA UAPI_MAP_TYPE_ARENA

#define MAP_OPS(type, ops) extern const struct map_ops ops;
#include "maps/map_types.def"
#undef MAP_OPS

static const struct map_ops *const types[] = {
#define MAP_OPS(type, ops) [BPF_MAP_TYPE_##type] = &(ops),
#include "maps/map_types.def"
#undef MAP_OPS
};

const struct map_ops *map_ops_of(u32 type)
{
	return type < ARRAY_SIZE(types) ? types[type] : NULL;
}

u32 map_user_value_size(const struct map *map)
{
	return map->ops->traits & MAP_PERCPU ? map->ncpus * map->value_stride : map->value_size;
}

int map_check_access(const struct map *map, enum object_access has, enum object_access needs)
{
	if (load_acquire(&map->header->frozen))
		has = has & ~OBJECT_WRITE;
	return needs & ~has ? -EPERM : 0;
}

/* Of count values that are about to be handed out. */
static void hide_fields(const struct map *map, void *values, u32 count)
{
	const bool percpu = map->ops->traits & MAP_PERCPU;
	const size_t stride = percpu ? map->value_stride : map->value_size;

	if (likely(!map->fields.count))
		return;
	for (size_t i = 0; i < (size_t)count * (percpu ? map->ncpus : 1); i++)
		fields_hide(&map->fields, (u8 *)values + i * stride);
}

/* What the operations of a type know an element by; for descriptors that is in *id. */
static inline int element_key(const struct map *map, const void **key, struct foreign *id)
{
	int fd, err;

	if (likely(!map->ops->key_kind))
		return 0;
	memcpy(&fd, *key, sizeof(fd));
	err = foreign_from_fd(map->ops->key_kind, fd, id);
	*key = id;
	return err;
}

int map_copy_value(struct map *map, const void *key, void *value)
{
	struct foreign id;
	int err = element_key(map, &key, &id);

	if (likely(!err))
		err = map->ops->copy_value ? map->ops->copy_value(map, key, value) : -ENOTSUPP;

	if (likely(!err))
		hide_fields(map, value, 1);
	return err;
}

int map_copy_value_locked(struct map *map, const void *key, void *value)
{
	struct foreign id;
	int err = element_key(map, &key, &id);

	if (likely(!err))
		err = map->ops->copy_value_locked(map, key, value);

	if (likely(!err))
		hide_fields(map, value, 1);
	return err;
}

/* A smaller map lies in the cache, and looking twice costs more than it saves. */
#define PREFETCH_BYTES (1u << 20)

void map_prefetch(struct map *map, const void *keys, size_t count)
{
	const u8 *key;

	if (!map->ops->prefetch || map->object.region.size < PREFETCH_BYTES)
		return;
	for (int element = 0; element < 2; element++) {
		key = keys;
		for (size_t i = 0; i < count; i++, key += map->key_size)
			map->ops->prefetch(map, key, element);
	}
}

int map_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	struct foreign id;
	int err = element_key(map, &key, &id);

	if (unlikely(err))
		return err;
	if (!map->ops->update_user)
		return -ENOTSUPP;
	if ((flags & ~(u64)BPF_F_LOCK) > map->ops->update_flags)
		return -EINVAL;
	return map->ops->update_user(map, key, value, flags);
}

int map_update_object(struct map *map, const void *key, struct object *object, int error,
		      u64 flags)
{
	return map->ops->update_object(map, key, object, error, flags);
}

int map_update_program(struct map *map, const void *key, const void *value,
		       struct object *program, int error, u64 flags)
{
	return map->ops->update_program(map, key, value, program, error, flags);
}

int map_delete(struct map *map, const void *key)
{
	struct foreign id;
	int err = element_key(map, &key, &id);

	if (unlikely(err))
		return err;
	return map->ops->delete ? map->ops->delete (map, key) : -ENOTSUPP;
}

int map_get_next_key(struct map *map, const void *key, void *next_key)
{
	return map->ops->get_next_key ? map->ops->get_next_key(map, key, next_key) : -ENOTSUPP;
}

int map_lookup_and_delete(struct map *map, const void *key, void *value)
{
	int err = map->ops->lookup_and_delete ? map->ops->lookup_and_delete(map, key, value)
					      : -ENOTSUPP;

	if (likely(!err))
		hide_fields(map, value, 1);
	return err;
}

int map_walk(struct map *map, u32 *cursor, void *keys, void *values, u32 *count, bool with_delete)
{
	int err = map->ops->walk(map, cursor, keys, values, count, with_delete);

	if (!err || err == -ENOENT)
		hide_fields(map, values, *count);
	return err;
}

/* Cold path: freezing */

/*
 * Who has the data mapped writable: /proc/<pid>/maps of all processes that may be read, our own
 * mapping in /proc/self/maps telling device and inode as they appear there. A mapping of ours
 * always covers the whole file; mmap(2) by an application is refused beyond the data, which ends at
 * least a page earlier. So the end tells whose a mapping is.
 */
struct mapping {
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
};

/* Called for each mapping of a process; true ends the search. */
typedef bool (*mapping_fn)(const struct mapping *mapping, void *context);

static bool parse_mapping(const char *line, struct mapping *m)
{
	return sscanf(line, "%llx-%llx %4s %llx %x:%x %llu", &m->start, &m->end, m->perms,
		      &m->offset, &m->major, &m->minor, &m->inode) == 7;
}

/* All lines in text, which is NUL-terminated; *rest receives the first unfinished line. */
static bool visit_lines(char *text, mapping_fn visit, void *context, char **rest)
{
	struct mapping mapping;
	char *end;

	for (; (end = strchr(text, '\n')); text = end + 1) {
		*end = 0;
		if (parse_mapping(text, &mapping) && visit(&mapping, context))
			return true;
	}
	*rest = text;
	return false;
}

/* A line is at most a path and some 80 bytes. */
static bool visit_mappings(const char *path, mapping_fn visit, void *context)
{
	char buffer[2 * PAGE_BYTES], *rest;
	size_t kept = 0;
	bool found = false;
	long len;
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	while (!found && kept < sizeof(buffer) - 1) {
		len = sys_read(fd, buffer + kept, sizeof(buffer) - 1 - kept);
		if (len <= 0)
			break;
		buffer[kept + (size_t)len] = 0;
		found = visit_lines(buffer, visit, context, &rest);
		kept = found ? 0 : strlen(rest);
		if (kept)
			memmove(buffer, rest, kept);
	}
	sys_close(fd);
	return found;
}

struct mapping_search {
	unsigned long long base, data_size;
	struct mapping own;
};

static bool is_own(const struct mapping *mapping, void *context)
{
	struct mapping_search *search = context;

	if (mapping->start > search->base || mapping->end <= search->base)
		return false;
	search->own = *mapping;
	return true;
}

static bool is_writer(const struct mapping *mapping, void *context)
{
	const struct mapping_search *search = context;

	return mapping->inode == search->own.inode && mapping->major == search->own.major &&
	       mapping->minor == search->own.minor && mapping->perms[1] == 'w' &&
	       mapping->perms[3] == 's' &&
	       mapping->offset + (mapping->end - mapping->start) <= search->data_size;
}

struct dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

static cold bool mapped_writable(struct map *map)
{
	const struct region *region = &map->object.region;
	struct mapping_search search = {.base = PTR_U64(region->base),
					.data_size = region->data_size};
	char entries[PAGE_BYTES] __attribute__((aligned(8))), path[32];
	bool found = false;
	long len;
	int proc;

	if (map->ops->written)
		return map->ops->written(map);
	if (!region->data_size || !visit_mappings("/proc/self/maps", is_own, &search))
		return false;
	proc = sys_openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	while (!found && proc >= 0 && (len = sys_getdents64(proc, entries, sizeof(entries))) > 0) {
		for (long at = 0; !found && at < len;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			long pid = strtol(entry->name, NULL, 10);

			at += entry->reclen;
			snprintf(path, sizeof(path), "/proc/%ld/maps", pid);
			found = pid > 0 && visit_mappings(path, is_writer, &search);
		}
	}
	if (proc >= 0)
		sys_close(proc);
	return found;
}

/*
 * The kernel holds off new writable mappings meanwhile; here one that is made between the search
 * and the store is missed.
 */
cold int map_freeze(struct map *map, enum object_access access)
{
	u32 expected = 0;
	int err;

	if (map->fields.count || map->ops->traits & MAP_OF_METHODS)
		return -ENOTSUPP;
	err = map_check_access(map, access, OBJECT_WRITE);
	if (err)
		return err;
	if (mapped_writable(map))
		return -EBUSY;
	return atomic_cas(&map->header->frozen, &expected, 1) ? 0 : -EPERM;
}

/* Cold path: creation */

static cold bool numa_node_exists(u32 node)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
	return node == 0 || sys_fstatat(AT_FDCWD, path, &st, 0) == 0;
}

static cold int check_numa(const struct map_spec *spec)
{
	return !map_spec_has_node(spec) || numa_node_exists(spec->numa_node) ? 0 : -EINVAL;
}

/* No device offloads maps here; the kernel tells devices that cannot from those that are not. */
static cold int check_ifindex(const struct map_spec *spec, const struct map_ops *ops)
{
	if (!spec->ifindex)
		return 0;
	if (!(ops->traits & MAP_OFFLOAD))
		return -EINVAL;
	return interface_exists(spec->ifindex) ? -EOPNOTSUPP : -EINVAL;
}

static inline bool has_both(u32 flags, u32 both)
{
	return (flags & both) == both;
}

/* Finds the special fields; values of this type must be allowed to have them. */
static cold int check_fields(struct map_spec *spec, const struct map_ops *ops)
{
	int err = btf_value_fields(spec->btf, spec->btf_value_type_id, spec->value_size,
				   &spec->fields);

	if (err || !spec->fields.count)
		return err;
	if ((spec->flags | ops->own_flags) & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
		return -EACCES;
	return fields_are_valid(&spec->fields, spec->value_size, ops->fields) ? 0 : -EOPNOTSUPP;
}

static cold int check_btf(struct map_spec *spec, const struct map_ops *ops)
{
	int err;

	if (spec->late_error || !spec->btf || spec->kernel_value_type_id)
		return spec->late_error;
	if (!spec->btf_value_type_id ||
	    (!spec->btf_key_type_id && !ops->check_btf && !(ops->traits & MAP_BTF_REFUSED)))
		return -EINVAL;
	if (spec->btf_key_type_id &&
	    btf_size(spec->btf, spec->btf_key_type_id) != (s64)spec->key_size)
		return -EINVAL;
	if (btf_size(spec->btf, spec->btf_value_type_id) != (s64)spec->value_size)
		return -EINVAL;
	err = check_fields(spec, ops);
	if (err)
		return err;
	if (ops->traits & MAP_BTF_REFUSED)
		return -ENOTSUPP;
	return ops->check_btf ? ops->check_btf(spec) : 0;
}

/* Exactly two levels: an outer map is no template. */
static cold int check_template(const struct map_spec *spec, const struct map_ops *ops)
{
	if (!map_ops_of_maps(ops))
		return 0;
	if (!spec->inner)
		return spec->inner_error;
	if (spec->inner->ops->traits & MAP_INNER_REFUSED)
		return -ENOTSUPP;
	return map_ops_of_maps(spec->inner->ops) ? -EINVAL : 0;
}

/* The kernel's order: what is wrong first decides the errno. */
static cold int check_spec(struct map_spec *spec, const struct map_ops *ops)
{
	int err;

	if (!ops || (spec->extra && !(ops->traits & MAP_EXTRA)) || spec->flags & ~ops->create_flags ||
	    has_both(spec->flags, BPF_F_RDONLY | BPF_F_WRONLY) ||
	    has_both(spec->flags, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG) ||
	    (ops->traits & MAP_BTF_REQUIRED && !(spec->btf_key_type_id && spec->btf_value_type_id)))
		return -EINVAL;
	err = check_numa(spec);
	if (!err)
		err = ops->check(spec);
	if (!err)
		err = check_ifindex(spec, ops);
	return err ? err : check_template(spec, ops);
}

/* The process-local facts, by a header that does not change. Also for a new map. */
static void map_fill(struct map *map, const struct map_header *header)
{
	map->header = region_control(&map->object.region);
	map->private = map->header + 1;
	map->ops = map_ops_of(header->type);
	map->type = header->type;
	map->extra = header->extra;
	map->kernel_value_type_id = header->kernel_value_type_id;
	map->key_size = header->key_size;
	map->value_size = header->value_size;
	map->max_entries = header->max_entries;
	map->flags = header->flags;
	map->ncpus = header->ncpus;
	map->value_stride = ROUND_UP(header->value_size, 8);
	map->fields = header->fields;
	map->lock_at = map->timer_at = map->wq_at = -1;
	for (u32 i = 0; i < MIN(map->fields.count, (u32)BTF_FIELDS_MAX); i++)
		if (map->fields.list[i].kind == FIELD_SPIN_LOCK)
			map->lock_at = (s32)map->fields.list[i].offset;
		else if (map->fields.list[i].kind == FIELD_TIMER)
			map->timer_at = (s32)map->fields.list[i].offset;
		else if (map->fields.list[i].kind == FIELD_WQ)
			map->wq_at = (s32)map->fields.list[i].offset;
}

static u32 types_of(const struct map *map)
{
	return map->types ? map->types->object.id : 0;
}

static void template_init(struct map_template *template, const struct map *inner)
{
	*template = (struct map_template){
		.type = inner->type,
		.key_size = inner->key_size,
		.value_size = inner->value_size,
		.max_entries = inner->max_entries,
		.flags = inner->flags,
		.types = types_of(inner),
		.fields = inner->fields,
	};
}

bool map_claim(struct map *map, u64 owner)
{
	const u64 part = owner & map->ops->owner_mask;
	u64 found = 0;

	return !part || atomic_cas(&map->header->owner, &found, part) || found == part;
}

bool map_inner_matches(const struct map *outer, const struct map *inner)
{
	const struct map_template *template = &outer->header->inner;
	const bool any_entries = !(inner->ops->traits & MAP_INNER_ENTRIES) ||
				 inner->flags & BPF_F_INNER_MAP;

	return inner->type == template->type && inner->key_size == template->key_size &&
	       inner->value_size == template->value_size && inner->flags == template->flags &&
	       fields_equal(&inner->fields, &template->fields) && types_of(inner) == template->types &&
	       (any_entries || inner->max_entries == template->max_entries);
}

static cold void header_init(struct map_header *header, const struct map_spec *spec, u64 memlock)
{
	header->type = spec->type;
	header->key_size = spec->key_size;
	header->value_size = spec->value_size;
	header->max_entries = spec->max_entries;
	header->flags = (spec->flags & ~(u32)(BPF_F_RDONLY | BPF_F_WRONLY)) |
			map_ops_of(spec->type)->own_flags;
	header->ncpus = vcpu_possible();
	header->extra = spec->extra;
	strncpy(header->name, spec->name, sizeof(header->name) - 1);
	header->kernel_value_type_id = spec->kernel_value_type_id;
	if (spec->btf) {
		header->btf_id = spec->btf_object->id;
		header->btf_key_type_id = spec->btf_key_type_id;
		header->btf_value_type_id = spec->btf_value_type_id;
	}
	header->fields = spec->fields;
	if (spec->inner)
		template_init(&header->inner, spec->inner);
	header->memlock = memlock;
	/* Without entropy, which only a very early boot lacks, the seed is 0. */
	if (!(spec->flags & BPF_F_ZERO_SEED))
		SYSCALL(SYS_getrandom, &header->seed, sizeof(header->seed), 0);
}

/* Fills the control area of a new object. */
static cold int map_init(struct map *map, const struct map_spec *spec,
			 const struct map_layout *layout)
{
	const struct region *region = &map->object.region;
	int err = 0;

	if (layout->flags & REGION_SPARSE)
		err = region_populate(region, region->data_size, sizeof(struct map_header));
	if (err)
		return err;
	header_init(region_control(region), spec, layout->memlock);
	map_fill(map, region_control(region));
	return map->ops->init ? map->ops->init(map) : 0;
}

static enum object_access access_of(u32 flags)
{
	if (flags & BPF_F_RDONLY)
		return OBJECT_READ;
	return flags & BPF_F_WRONLY ? OBJECT_WRITE : OBJECT_READ_WRITE;
}

static cold void map_layout_of(const struct map_spec *spec, const struct map_ops *ops, u32 ncpus,
			       struct map_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	ops->layout(spec, ncpus, layout);
	layout->control_size += sizeof(struct map_header);
}

int map_create(struct map_spec *spec)
{
	const struct map_ops *ops = map_ops_of(spec->type);
	struct map_layout layout;
	struct object *object;
	int err;

	err = check_spec(spec, ops);
	if (err)
		return err;
	map_layout_of(spec, ops, vcpu_possible(), &layout);
	err = object_create(&map_object_type, layout.data_size, layout.control_size, layout.flags,
			    &object);
	if (err) /* larger than any address space: the kernel finds no memory for it */
		return err == -E2BIG ? -ENOMEM : err;
	err = check_btf(spec, ops);
	if (!err)
		err = map_init(map_of(object), spec, &layout);
	if (!err)
		err = object_publish(object, &spec->btf_object, spec->btf ? 1 : 0,
				     access_of(spec->flags));
	if (err < 0)
		object_discard(object);
	else
		object_put(object);
	return err;
}

/*
 * The stamp vouches for the layout of the file, but its numbers may be anybody's: every offset that
 * follows from the header must lie inside the file, and the type must accept the numbers. They may
 * change at any time, so what is checked is a copy.
 */
static cold int check_header(const struct region *region, const struct map_header *header)
{
	const struct map_ops *ops = map_ops_of(header->type);
	struct map_spec spec = {
		.type = header->type,
		.key_size = header->key_size,
		.value_size = header->value_size,
		.max_entries = header->max_entries,
		.flags = header->flags,
		.numa_node = NUMA_NO_NODE, /* it was checked, and is not kept */
		.extra = header->extra,
		.kernel_value_type_id = header->kernel_value_type_id,
	};
	struct map_layout layout;

	if (!ops || header->flags & ~(ops->create_flags | ops->own_flags) || !header->ncpus ||
	    header->ncpus > VCPU_MAX || ops->check(&spec))
		return -EINVAL;
	map_layout_of(&spec, ops, header->ncpus, &layout);
	if (layout.data_size != region->data_size ||
	    layout.control_size > region->size - region->data_size - PAGE_BYTES)
		return -EINVAL;
	return 0;
}

/* Objects that values hold are of types in the map's BTF, and lie with it. */
static cold int attach_types(struct map *map)
{
	struct object *btf;
	int err;

	map->types = NULL;
	if (!btf_field_from(&map->fields, FIELDS_OF_OBJECTS, 0))
		return 0;
	err = object_from_id(OBJECT_BTF, map->header->btf_id, &btf);
	if (err)
		return err;
	map->types = btf_object_of(btf);
	return btf_object_use_heap(map->types);
}

static cold void put_types(struct map *map)
{
	if (map->types)
		object_put(&map->types->object);
	map->types = NULL;
}

static cold int map_attach(struct object *object)
{
	const struct region *region = &object->region;
	struct map *map = map_of(object);
	struct map_header header;
	int err;

	if (region->size - region->data_size < sizeof(header) + PAGE_BYTES)
		return -EINVAL;
	memcpy(&header, region_control(region), sizeof(header));
	err = check_header(region, &header);
	if (err)
		return err;
	map_fill(map, &header);
	if (!fields_are_valid(&map->fields, map->value_size, map->ops->fields))
		return -EINVAL;
	map->local = NULL;
	err = attach_types(map);
	if (!err && map->ops->attach)
		err = map->ops->attach(map);
	if (err)
		put_types(map);
	return err;
}

static cold void map_detach(struct object *object)
{
	struct map *map = map_of(object);

	if (map->ops->detach)
		map->ops->detach(map);
	put_types(map);
}

static u32 map_poll(struct object *object)
{
	struct map *map = map_of(object);

	return map->ops->poll ? map->ops->poll(map) : EPOLLERR;
}

static struct wake *map_wake(struct object *object)
{
	struct map *map = map_of(object);

	return map->ops->wake ? map->ops->wake(map) : NULL;
}

const struct object_type map_object_type = {
	.kind = OBJECT_MAP,
	.name = "bpf-map",
	.layout = MAP_FILE_FORMAT << 16 | sizeof(struct map_header),
	.local_size = sizeof(struct map),
	.attach = map_attach,
	.detach = map_detach,
	.poll = map_poll,
	.wake = map_wake,
};
