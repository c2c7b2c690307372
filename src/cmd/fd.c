/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * fd.c: what file operations on a descriptor of ours must say: mmap, readlink, fdinfo, poll.
 * Called by the interposers in src/entry, most often for descriptors that are none of ours.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/syscall.h"
#include "cmd/bpf.h"
#include "maps/map.h"
#include "maps/perf_event.h"
#include "object/object.h"
#include "vm/prog.h"

static struct object *object_behind(int fd, enum object_access *access)
{
	struct object *object;

	if (bpf_init() || object_from_fd(fd, 0, &object, access))
		return NULL;
	return object;
}

static int map_mmap_rules(const struct map *map, enum object_access access, u64 len, int prot,
			  int flags)
{
	bool shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;

	if (!len)
		return -EINVAL;
	/* First what holds for any file, then what holds for any map. */
	if (!(access & OBJECT_READ) || (shared && prot & PROT_WRITE && !(access & OBJECT_WRITE)))
		return -EACCES;
	if (prot & PROT_EXEC)
		return -EPERM;
	if ((!map->ops->mmap_check && !map->ops->mmap) || map->fields.count)
		return -ENOTSUPP;
	return shared && access == OBJECT_READ_WRITE ? 0 : -EINVAL;
}

static int map_mmap_check(struct map *map, enum object_access access, u64 offset, u64 len, int prot,
			  int flags)
{
	int err = map_mmap_rules(map, access, len, prot, flags);

	if (err)
		return err;
	/* Without one bpf_mmap() has it mapped, unless the map could not be attached just then. */
	return map->ops->mmap_check ? map->ops->mmap_check(map, offset, len, prot) : -ENOMEM;
}

static int perf_mmap_check(struct perf_event *event, u64 offset, u64 len, int prot, int flags)
{
	const int type = flags & MAP_TYPE;

	if (prot & PROT_EXEC)
		return -EPERM;
	if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	return perf_event_map(event, offset, len, prot & PROT_WRITE);
}

/* As in the kernel, what was mapped read-only cannot be made writable by mprotect. */
static int mmap_fd(struct object *object, int fd, int prot)
{
	int read_only;

	if (prot & PROT_WRITE)
		return fd;
	read_only = object_open(object, OBJECT_READ);
	return read_only < 0 ? fd : read_only;
}

int bpf_mmap_fd(int fd, u64 offset, u64 len, int prot, int flags)
{
	enum object_access access;
	struct object *object = object_behind(fd, &access);
	int result = -ENODEV;

	if (!object)
		return fd;
	if (object->type->kind == OBJECT_MAP)
		result = map_mmap_check(map_of(object), access, offset, len, prot, flags);
	else if (object->type->kind == OBJECT_PERF)
		result = perf_mmap_check(perf_event_of(object), offset, len, prot, flags);
	if (!result)
		result = mmap_fd(object, fd, prot);
	object_put(object);
	return result;
}

static long map_mmap(struct map *map, enum object_access access, struct map_mapping *mapping)
{
	int err = mapping->len ? map->ops->mmap_place(map, mapping) : -EINVAL;

	if (!err)
		err = map_mmap_rules(map, access, mapping->len, mapping->prot, mapping->flags);
	if (!err) {
		mapping->fd = mmap_fd(&map->object, mapping->fd, mapping->prot);
		err = map->ops->mmap(map, mapping);
	}
	return err ? err : (long)mapping->address;
}

bool bpf_mmap(int fd, void *address, u64 offset, u64 len, int prot, int flags, long *result)
{
	struct map_mapping mapping = {PTR_U64(address), offset, len, prot, flags, fd};
	enum object_access access;
	struct object *object = object_behind(fd, &access);
	bool maps = object && object->type->kind == OBJECT_MAP && map_of(object)->ops->mmap;

	if (maps)
		*result = map_mmap(map_of(object), access, &mapping);
	if (mapping.fd != fd)
		sys_close(mapping.fd);
	if (object)
		object_put(object);
	return maps;
}

const char *bpf_fd_name(int fd)
{
	static const char *const names[] = {
		[OBJECT_MAP] = "anon_inode:bpf-map",
		[OBJECT_PROG] = "anon_inode:bpf-prog",
		[OBJECT_BTF] = "anon_inode:btf",
		[OBJECT_LINK] = "anon_inode:bpf-link",
		[OBJECT_PERF] = "anon_inode:[perf_event]",
	};
	struct object *object = object_behind(fd, NULL);
	const char *name;

	if (!object)
		return NULL;
	name = names[object->type->kind];
	object_put(object);
	return name;
}

bool bpf_polls(int fd)
{
	struct object *object = object_behind(fd, NULL);
	bool polls;

	if (!object)
		return false;
	polls = object->type->poll != NULL;
	object_put(object);
	return polls;
}

static int map_fdinfo(const struct map *map, char *text, size_t size)
{
	const struct map_header *h = map->header;
	int at = snprintf(text, size,
			"map_type:\t%u\nkey_size:\t%u\nvalue_size:\t%u\nmax_entries:\t%u\n"
			"map_flags:\t0x%x\nmap_extra:\t0x%llx\nmemlock:\t%llu\nmap_id:\t%u\n"
			"frozen:\t%u\n",
			h->type, h->key_size, h->value_size, h->max_entries, h->flags,
			(unsigned long long)h->extra, (unsigned long long)h->memlock,
			map->object.id, h->frozen);

	if (h->owner)
		at += snprintf(text + at, size - (size_t)at,
			       "owner_prog_type:\t%u\nowner_jited:\t0\n", (u8)h->owner);
	return at;
}

static int prog_fdinfo(const struct prog *prog, char *text, size_t size)
{
	const struct prog_header *h = &prog->checked;
	int at = snprintf(text, size, "prog_type:\t%u\nprog_jited:\t0\nprog_tag:\t", h->type);

	for (size_t i = 0; i < sizeof(h->tag); i++)
		at += snprintf(text + at, size - (size_t)at, "%02x", h->tag[i]);
	return at + snprintf(text + at, size - (size_t)at,
			     "\nmemlock:\t%zu\nprog_id:\t%u\nrun_time_ns:\t%llu\nrun_cnt:\t%llu\n"
			     "recursion_misses:\t0\nverified_insns:\t%u\n",
			     prog->object.region.size, prog->object.id,
			     (unsigned long long)h->run_time_ns, (unsigned long long)h->run_cnt,
			     h->verified_insns);
}

int bpf_fdinfo(int fd, char *text, size_t size)
{
	enum object_access access;
	struct object *object;
	int at;

	if (size < 1024)
		return -EINVAL;
	object = object_behind(fd, &access);
	if (!object)
		return -EINVAL;
	at = snprintf(text, size, "pos:\t0\nflags:\t0200000%u\nmnt_id:\t15\nino:\t%u\n",
		      access == OBJECT_READ_WRITE ? 2 : access == OBJECT_WRITE, object->id);
	if (object->type->kind == OBJECT_MAP)
		at += map_fdinfo(map_of(object), text + at, size - (size_t)at);
	else if (object->type->kind == OBJECT_PROG)
		at += prog_fdinfo(prog_of(object), text + at, size - (size_t)at);
	else if (object->type->kind == OBJECT_BTF)
		at += snprintf(text + at, size - (size_t)at, "btf_id:\t%u\n", object->id);
	object_put(object);
	return at;
}
