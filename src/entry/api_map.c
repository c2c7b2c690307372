/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * api_map.c: handles of maps. A handle is a use of the map in this process, and a descriptor that
 * keeps the map alive. Element operations go from the handle to the map's type; the checks here
 * are those that bpf(2) makes between the descriptor and the type.
 */
#include "entry/api.h"

#include <linux/bpf.h>
#include <string.h>

#include "base/memory.h"
#include "base/syscall.h"
#include "cmd/bpf.h"
#include "cmd/map_ref.h"
#include "maps/map.h"

/* Constant once made: any thread may use it. */
struct userbpf_map {
	struct map *map;
	enum object_access access; /* of the descriptor */
	bool keyless;
	int fd;
	/* The type's; or one that finds nothing. */
	void *(*lookup)(struct map *map, const void *key);
	void *(*lookup_percpu)(struct map *map, const void *key, u32 cpu);
};

static inline int check(const struct userbpf_map *handle, enum object_access needs)
{
	return map_check_access(handle->map, handle->access, needs);
}

static inline int check_key(const struct userbpf_map *handle, const void *key)
{
	return unlikely(!key != handle->keyless) ? -EINVAL : 0;
}

static inline int check_both(const struct userbpf_map *handle, const void *key,
			     enum object_access needs)
{
	int err = check(handle, needs);

	return err ? err : check_key(handle, key);
}

API void *userbpf_map_lookup(const struct userbpf_map *handle, const void *key)
{
	return likely(key) ? handle->lookup(handle->map, key) : NULL;
}

API void *userbpf_map_lookup_cpu(const struct userbpf_map *handle, const void *key, uint32_t cpu)
{
	if (unlikely(!key || cpu >= handle->map->ncpus))
		return NULL;
	return handle->lookup_percpu(handle->map, key, cpu);
}

/* Keys whose memory is on its way at once. */
#define AHEAD 16u

API size_t userbpf_map_lookup_batch(const struct userbpf_map *handle, const void *keys,
				    size_t count, void **values)
{
	const u8 *key = keys;
	size_t found = 0;

	for (size_t i = 0; i < count; i++, key += handle->map->key_size) {
		if (i % AHEAD == 0)
			map_prefetch(handle->map, key, MIN(count - i, (size_t)AHEAD));
		values[i] = userbpf_map_lookup(handle, key);
		found += values[i] != NULL;
	}
	return found;
}

API int userbpf_map_copy(const struct userbpf_map *handle, const void *key, void *value,
			 uint64_t flags)
{
	int err = check_both(handle, key, OBJECT_READ);

	if (unlikely(err))
		return err;
	if (likely(!flags))
		return map_copy_value(handle->map, key, value);
	if (flags != BPF_F_LOCK || map_check_lock_flag(handle->map, flags))
		return -EINVAL;
	return map_copy_value_locked(handle->map, key, value);
}

API int userbpf_map_take(const struct userbpf_map *handle, const void *key, void *value)
{
	int err = check_both(handle, key, OBJECT_READ_WRITE);

	return unlikely(err) ? err : map_lookup_and_delete(handle->map, key, value);
}

API int userbpf_map_update(const struct userbpf_map *handle, const void *key, const void *value,
			   uint64_t flags)
{
	int err = check_both(handle, key, OBJECT_WRITE);

	if (!err)
		err = map_check_lock_flag(handle->map, flags);
	return unlikely(err) ? err : map_ref_update(handle->map, handle->fd, key, value, flags);
}

API int userbpf_map_delete(const struct userbpf_map *handle, const void *key)
{
	int err = check_both(handle, key, OBJECT_WRITE);

	return unlikely(err) ? err : map_delete(handle->map, key);
}

API int userbpf_map_update_batch(const struct userbpf_map *handle, const void *keys,
				 const void *values, size_t count, uint64_t flags, size_t *done)
{
	const size_t value_size = userbpf_map_copy_size(handle);
	const u8 *key = keys, *value = values;
	size_t i;
	int err = 0;

	for (i = 0; i < count && !err; i += !err) {
		err = userbpf_map_update(handle, key, value, flags);
		key = key ? key + handle->map->key_size : NULL;
		value += value_size;
	}
	if (done)
		*done = i;
	return err;
}

API int userbpf_map_delete_batch(const struct userbpf_map *handle, const void *keys, size_t count,
				 size_t *done)
{
	const u8 *key = keys;
	size_t i;
	int err = 0;

	for (i = 0; i < count && !err; i += !err) {
		err = userbpf_map_delete(handle, key);
		key = key ? key + handle->map->key_size : NULL;
	}
	if (done)
		*done = i;
	return err;
}

API int userbpf_map_next_key(const struct userbpf_map *handle, const void *key, void *next)
{
	int err = check(handle, OBJECT_READ);

	return unlikely(err) ? err : map_get_next_key(handle->map, key, next);
}

API int userbpf_map_push(const struct userbpf_map *handle, const void *value, uint64_t flags)
{
	int err = check(handle, OBJECT_WRITE);

	if (unlikely(err))
		return err;
	return handle->map->ops->push ? handle->map->ops->push(handle->map, value, flags)
				      : -ENOTSUPP;
}

API int userbpf_map_pop(const struct userbpf_map *handle, void *value)
{
	int err = check(handle, OBJECT_READ_WRITE);

	if (unlikely(err))
		return err;
	return handle->map->ops->pop ? handle->map->ops->pop(handle->map, value) : -ENOTSUPP;
}

API int userbpf_map_peek(const struct userbpf_map *handle, void *value)
{
	int err = check(handle, OBJECT_READ);

	if (unlikely(err))
		return err;
	return handle->map->ops->peek ? handle->map->ops->peek(handle->map, value) : -ENOTSUPP;
}

API int userbpf_map_fd(const struct userbpf_map *handle)
{
	return handle->fd;
}

API uint32_t userbpf_map_type(const struct userbpf_map *handle)
{
	return handle->map->type;
}

API uint32_t userbpf_map_key_size(const struct userbpf_map *handle)
{
	return handle->map->key_size;
}

API uint32_t userbpf_map_value_size(const struct userbpf_map *handle)
{
	return handle->map->value_size;
}

API uint32_t userbpf_map_max_entries(const struct userbpf_map *handle)
{
	return handle->map->max_entries;
}

API size_t userbpf_map_copy_size(const struct userbpf_map *handle)
{
	return map_user_value_size(handle->map);
}

/* Cold path */

static void *lookup_nothing(struct map *map, const void *key)
{
	(void)map;
	(void)key;
	return NULL;
}

static void *lookup_nothing_percpu(struct map *map, const void *key, u32 cpu)
{
	(void)map;
	(void)key;
	(void)cpu;
	return NULL;
}

static cold void handle_init(struct userbpf_map *handle, struct map *map)
{
	const struct map_ops *ops = map->ops;
	const bool reads = handle->access & OBJECT_READ;
	const bool shows = ops->helpers & MAP_H_LOOKUP && ops->lookup && !ops->key_kind;

	handle->map = map;
	handle->keyless = ops->traits & MAP_KEYLESS;
	handle->lookup = reads && shows ? ops->lookup : lookup_nothing;
	handle->lookup_percpu =
		reads && ops->lookup_percpu ? ops->lookup_percpu : lookup_nothing_percpu;
}

API cold int userbpf_map_open(int fd, struct userbpf_map **handle)
{
	struct object *object;
	KEEP_ERRNO;
	int err;

	*handle = memory_zalloc(1, sizeof(**handle));
	if (!*handle)
		return -ENOMEM;
	err = api_open(fd, OBJECT_MAP, &object, &(*handle)->access, &(*handle)->fd);
	if (!err) {
		handle_init(*handle, map_of(object));
		return 0;
	}
	memory_free(*handle);
	*handle = NULL;
	return err;
}

static cold int set_name(union bpf_attr *attr, const char *name)
{
	const size_t len = name ? strlen(name) : 0;

	if (len >= sizeof(attr->map_name))
		return -EINVAL;
	if (len)
		memcpy(attr->map_name, name, len);
	return 0;
}

static cold int create(const struct userbpf_map_opts *opts)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr)); /* an initializer need not clear all of a union */
	attr.map_type = opts->type;
	attr.key_size = opts->key_size;
	attr.value_size = opts->value_size;
	attr.max_entries = opts->max_entries;
	attr.map_flags = opts->flags;
	attr.inner_map_fd = (u32)opts->inner_fd;
	attr.numa_node = opts->numa_node;
	attr.btf_fd = (u32)opts->btf_fd;
	attr.btf_key_type_id = opts->btf_key_type_id;
	attr.btf_value_type_id = opts->btf_value_type_id;
	err = set_name(&attr, opts->name);
	return err ? err : (int)bpf_call(BPF_MAP_CREATE, PTR_U64(&attr), sizeof(attr));
}

API cold int userbpf_map_create(const struct userbpf_map_opts *opts, struct userbpf_map **handle)
{
	struct userbpf_map_opts known;
	KEEP_ERRNO;
	int fd, err;

	*handle = NULL;
	err = api_read_opts(&known, sizeof(known), offsetof(struct userbpf_map_opts, inner_fd),
			    opts);
	if (err)
		return err;
	fd = create(&known);
	if (fd < 0)
		return fd;
	err = userbpf_map_open(fd, handle);
	sys_close(fd);
	return err;
}

API cold void userbpf_map_close(struct userbpf_map *handle)
{
	KEEP_ERRNO;

	if (!handle)
		return;
	object_put(&handle->map->object);
	sys_close(handle->fd);
	memory_free(handle);
}
