/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * batch_cmds.c: the four MAP_*_BATCH commands. Owns the bookkeeping of count and cursors that the
 * kernel has; a hash-like type walks itself (map_ops.walk), others are walked key by key.
 */

#include "base/memory.h"
#include "cmd/internal.h"
#include "cmd/map_ref.h"

enum batch_kind { BATCH_LOOKUP, BATCH_TAKE, BATCH_UPDATE, BATCH_DELETE };

static const enum object_access batch_access[] = {
	[BATCH_LOOKUP] = OBJECT_READ,
	[BATCH_TAKE] = OBJECT_READ_WRITE,
	[BATCH_UPDATE] = OBJECT_WRITE,
	[BATCH_DELETE] = OBJECT_WRITE,
};

static int put_count(const struct call *call, u32 count)
{
	return call_put(call, offsetof(union bpf_attr, batch.count), count);
}

/* UPDATE_BATCH and DELETE_BATCH: in order, stop at the first failure; count = elements done. */
static int batch_modify(struct call *call, struct map *map, bool update)
{
	const union bpf_attr *attr = &call->attr.a;
	u32 value_size = map_user_value_size(map), done = 0;
	struct elem_buffer buffer;
	int err, put_err;

	err = elem_buffer_init(&buffer, map, update);
	if (err)
		return err;
	for (; !err && done < attr->batch.count; done += !err) {
		err = user_read(buffer.key, attr->batch.keys + (u64)done * map->key_size,
				map->key_size);
		if (!err && update)
			err = user_read(buffer.value, attr->batch.values + (u64)done * value_size,
					value_size);
		if (!err)
			err = update ? map_ref_update(map, (int)attr->batch.map_fd, buffer.key,
						      buffer.value, attr->batch.elem_flags)
				     : map_delete(map, buffer.key);
	}
	elem_buffer_free(&buffer);
	put_err = put_count(call, done);
	return put_err ? put_err : err;
}

/* A hash-like type: 4-byte cursor, the type's own walk. */
static int batch_walk(struct call *call, struct map *map, bool with_delete)
{
	const union bpf_attr *attr = &call->attr.a;
	u32 value_size = map_user_value_size(map), cursor = 0;
	/* More than fits into the map is never returned in one call. */
	u32 count = MIN(attr->batch.count, map->max_entries);
	u8 *keys = memory_alloc((size_t)count * map->key_size);
	u8 *values = memory_alloc((size_t)count * value_size);
	int err = keys && values ? 0 : -ENOMEM, end;

	if (!err && attr->batch.in_batch)
		err = user_read(&cursor, attr->batch.in_batch, sizeof(cursor));
	if (err)
		goto out;
	end = map_walk(map, &cursor, keys, values, &count, with_delete);
	if (end && end != -ENOENT) {
		err = end;
		goto out;
	}
	err = user_write(attr->batch.keys, keys, (size_t)count * map->key_size);
	if (!err)
		err = user_write(attr->batch.values, values, (size_t)count * value_size);
	if (!err)
		err = user_write(attr->batch.out_batch, &cursor, sizeof(cursor));
	if (!err)
		err = put_count(call, count);
	if (!err)
		err = end;
out:
	memory_free(keys);
	memory_free(values);
	return err;
}

/* Copies one element out; the walk by key goes on behind it. */
static int copy_out(const union bpf_attr *attr, struct map *map, const u8 *key, void *value, u32 at)
{
	u32 value_size = map_user_value_size(map);
	int err = attr->batch.elem_flags & BPF_F_LOCK ? map_copy_value_locked(map, key, value)
						      : map_copy_value(map, key, value);

	if (!err)
		err = user_write(attr->batch.keys + (u64)at * map->key_size, key, map->key_size);
	if (err == 0)
		err = user_write(attr->batch.values + (u64)at * value_size, value, value_size);
	return err;
}

/* Any other type: the cursor is the last key returned. */
static int batch_by_key(struct call *call, struct map *map)
{
	const union bpf_attr *attr = &call->attr.a;
	u8 *key = memory_alloc(map->key_size), *last = memory_alloc(map->key_size);
	u8 *value = memory_alloc(map_user_value_size(map)), *swap;
	bool have_last = attr->batch.in_batch;
	/* More keys in a row without an element than there can be: the file leads in circles. */
	const u64 most = MAX((u64)map->max_entries, 1u << 16);
	u64 passed = 0;
	u32 done = 0;
	int err = key && last && value ? 0 : -ENOMEM;

	if (!err && have_last)
		err = user_read(last, attr->batch.in_batch, map->key_size);
	if (err)
		goto out;
	while (done < attr->batch.count) {
		err = passed <= most ? map_get_next_key(map, have_last ? last : NULL, key) : -EINTR;
		if (err)
			break;
		err = copy_out(attr, map, key, value, done);
		if (err && err != -ENOENT)
			goto out;
		done += !err; /* an element deleted meanwhile is passed over */
		passed = err ? passed + 1 : 0;
		err = 0;
		swap = last;
		last = key;
		key = swap;
		have_last = true;
	}
	if (put_count(call, done) ||
	    (done && user_write(attr->batch.out_batch, last, map->key_size)))
		err = -EFAULT;
out:
	memory_free(key);
	memory_free(last);
	memory_free(value);
	return err;
}

static bool batch_is_served(const struct map_ops *ops, enum batch_kind kind)
{
	static const u32 needs[] = {
		[BATCH_LOOKUP] = MAP_BATCH_LOOKUP,
		[BATCH_TAKE] = MAP_BATCH_TAKE,
		[BATCH_UPDATE] = MAP_BATCH_UPDATE,
		[BATCH_DELETE] = MAP_BATCH_DELETE,
	};

	return ops->traits & needs[kind];
}

static int batch_run(struct call *call, struct map *map, enum batch_kind kind)
{
	const union bpf_attr *attr = &call->attr.a;
	bool modify = kind == BATCH_UPDATE || kind == BATCH_DELETE;

	if (!batch_is_served(map->ops, kind))
		return -ENOTSUPP;
	if (attr->batch.elem_flags & ~(u64)BPF_F_LOCK ||
	    map_check_lock_flag(map, attr->batch.elem_flags) ||
	    (attr->batch.flags && !modify && map->ops->walk))
		return -EINVAL;
	if (!attr->batch.count)
		return 0;
	if (modify)
		return batch_modify(call, map, kind == BATCH_UPDATE);
	if (put_count(call, 0))
		return -EFAULT;
	return map->ops->walk ? batch_walk(call, map, kind == BATCH_TAKE) : batch_by_key(call, map);
}

static long batch(struct call *call, enum batch_kind kind)
{
	struct map_ref ref;
	int err = map_ref_get(&ref, (int)call->attr.a.batch.map_fd, batch_access[kind]);

	if (err)
		return err;
	err = batch_run(call, ref.map, kind);
	map_ref_put(&ref);
	return err;
}

long cmd_map_lookup_batch(struct call *call)
{
	return batch(call, BATCH_LOOKUP);
}

long cmd_map_lookup_and_delete_batch(struct call *call)
{
	return batch(call, BATCH_TAKE);
}

long cmd_map_update_batch(struct call *call)
{
	return batch(call, BATCH_UPDATE);
}

long cmd_map_delete_batch(struct call *call)
{
	return batch(call, BATCH_DELETE);
}
