/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map_cmds.c: creation and the element commands of maps. Owns the order of the kernel's checks and
 * the copying between the application and buffers of ours; what an operation means belongs to the
 * map's type.
 */
#include <errno.h>
#include <linux/btf.h>
#include <string.h>

#include "base/memory.h"
#include "btf/btf_object.h"
#include "cmd/internal.h"
#include "cmd/map_ref.h"
#include "maps/map.h"
#include "vm/prog.h"

int map_ref_get(struct map_ref *ref, int fd, enum object_access needs)
{
	return map_ref_at(ref, fd, object_position(fd), needs);
}

int map_ref_at(struct map_ref *ref, int fd, s64 position, enum object_access needs)
{
	struct object *object;
	int err;

	err = object_at(fd, position, OBJECT_MAP, &object, &ref->access);
	if (err)
		return err;
	ref->map = map_of(object);
	err = map_check_access(ref->map, ref->access, needs);
	if (err)
		object_put(object);
	return err;
}

/* NULL, with the reason in *error, unless fd is such an object. The caller puts it. */
static struct object *object_behind(int fd, enum object_kind kind, int *error)
{
	struct object *object;

	*error = object_from_fd(fd, kind, &object, NULL);
	return *error ? NULL : object;
}

/* The second word of such a value may name a program, by a descriptor above 0. */
static int update_program(struct map *map, const void *key, const void *value, u64 flags)
{
	struct object *object = NULL;
	u32 words[2] = {0};
	int err = 0;

	memcpy(words, value, map->value_size);
	if ((s32)words[1] > 0)
		object = object_behind((int)words[1], OBJECT_PROG, &err);
	if (object && !prog_redirects_at(prog_of(object), map->ops->program_attach))
		err = -EINVAL;
	err = map_update_program(map, key, value, err ? NULL : object, err, flags);
	if (object)
		object_put(object);
	return err;
}

int map_ref_update(struct map *map, int fd, const void *key, const void *value, u64 flags)
{
	struct object *object;
	int named, err;

	if (map->ops->program_attach)
		return update_program(map, key, value, flags);
	if (!map->ops->value_kind)
		return map_update_user(map, key, value, flags);
	memcpy(&named, value, sizeof(named));
	object = object_behind(named, map->ops->value_kind, &err);
	if (object && map->ops->take_element)
		err = map->ops->take_element(map, key, fd);
	err = map_update_object(map, key, err ? NULL : object, err, flags);
	if (object)
		object_put(object);
	return err;
}

void map_ref_put(struct map_ref *ref)
{
	object_put(&ref->map->object);
}

int elem_buffer_init(struct elem_buffer *buffer, const struct map *map, bool with_value)
{
	size_t key = ROUND_UP((size_t)map->key_size, 8);
	size_t value = with_value ? map_user_value_size(map) : 0;

	buffer->heap = NULL;
	buffer->key = buffer->local;
	if (key + value > sizeof(buffer->local)) {
		buffer->heap = memory_alloc(key + value);
		if (!buffer->heap)
			return -ENOMEM;
		buffer->key = buffer->heap;
	}
	buffer->value = buffer->key + key;
	return 0;
}

void elem_buffer_free(struct elem_buffer *buffer)
{
	memory_free(buffer->heap);
}

int elem_read_key(struct elem_buffer *buffer, const struct map *map, u64 user)
{
	if (map->ops->traits & MAP_KEYLESS)
		return user ? -EINVAL : 0;
	return user_read(buffer->key, user, map->key_size);
}

int map_check_lock_flag(const struct map *map, u64 flags)
{
	return flags & BPF_F_LOCK && !map_has_lock(map) ? -EINVAL : 0;
}

/*
 * Resolves a map reference, the element buffer and the key: the common beginning of the element
 * commands. On success elem_end() releases all.
 */
INLINE int elem_begin(struct map_ref *ref, struct elem_buffer *buffer, const struct call *call,
		      enum object_access needs, u64 lock_flags, bool with_value)
{
	const union bpf_attr *attr = &call->attr.a;
	int err = map_ref_at(ref, (int)attr->map_fd, call->position, needs);

	if (err)
		return err;
	err = map_check_lock_flag(ref->map, lock_flags);
	if (err)
		goto put_map;
	err = elem_buffer_init(buffer, ref->map, with_value);
	if (err)
		goto put_map;
	err = elem_read_key(buffer, ref->map, attr->key);
	if (!err)
		return 0;
	elem_buffer_free(buffer);
put_map:
	map_ref_put(ref);
	return err;
}

static void elem_end(struct map_ref *ref, struct elem_buffer *buffer)
{
	elem_buffer_free(buffer);
	map_ref_put(ref);
}

/* The commands that hand a value out, or ask about one. */
static long fetch(const struct call *call, enum object_access needs,
		  int (*operation)(struct map *map, const void *key, void *value))
{
	const union bpf_attr *attr = &call->attr.a;
	struct elem_buffer buffer;
	struct map_ref ref;
	bool asks;
	int err;

	if (attr->flags & ~(u64)BPF_F_LOCK)
		return -EINVAL;
	err = elem_begin(&ref, &buffer, call, needs, attr->flags, true);
	if (err)
		return err;
	asks = ref.map->ops->traits & MAP_VALUE_INPUT && operation == map_copy_value;
	if (asks)
		err = user_read(buffer.value, attr->value, ref.map->value_size);
	if (!err)
		err = operation(ref.map, buffer.key, buffer.value);
	if (!err && !asks)
		err = user_write(attr->value, buffer.value, map_user_value_size(ref.map));
	elem_end(&ref, &buffer);
	return err;
}

long cmd_map_lookup_elem(struct call *call)
{
	return fetch(call, OBJECT_READ,
		     call->attr.a.flags & BPF_F_LOCK ? map_copy_value_locked : map_copy_value);
}

long cmd_map_lookup_and_delete_elem(struct call *call)
{
	return fetch(call, OBJECT_READ_WRITE, map_lookup_and_delete);
}

long cmd_map_update_elem(struct call *call)
{
	const union bpf_attr *attr = &call->attr.a;
	struct elem_buffer buffer;
	struct map_ref ref;
	int err;

	err = elem_begin(&ref, &buffer, call, OBJECT_WRITE, attr->flags, true);
	if (err)
		return err;
	err = user_read(buffer.value, attr->value, map_user_value_size(ref.map));
	if (!err)
		err = map_ref_update(ref.map, (int)attr->map_fd, buffer.key, buffer.value,
				     attr->flags);
	elem_end(&ref, &buffer);
	return err;
}

long cmd_map_delete_elem(struct call *call)
{
	struct elem_buffer buffer;
	struct map_ref ref;
	int err;

	err = elem_begin(&ref, &buffer, call, OBJECT_WRITE, 0, false);
	if (err)
		return err;
	err = map_delete(ref.map, buffer.key);
	elem_end(&ref, &buffer);
	return err;
}

long cmd_map_get_next_key(struct call *call)
{
	const union bpf_attr *attr = &call->attr.a;
	struct elem_buffer buffer;
	struct map_ref ref;
	u8 *next;
	int err;

	err = map_ref_at(&ref, (int)attr->map_fd, call->position, OBJECT_READ);
	if (err)
		return err;
	err = elem_buffer_init(&buffer, ref.map, false);
	if (err)
		goto put_map;
	/* NULL asks for the first key, with or without keys in the type. */
	err = attr->key ? elem_read_key(&buffer, ref.map, attr->key) : 0;
	if (err)
		goto free_buffer;
	next = memory_alloc(ref.map->key_size ? ref.map->key_size : 1);
	err = next ? map_get_next_key(ref.map, attr->key ? buffer.key : NULL, next) : -ENOMEM;
	if (!err)
		err = user_write(attr->next_key, next, ref.map->key_size);
	memory_free(next);
free_buffer:
	elem_buffer_free(&buffer);
put_map:
	map_ref_put(&ref);
	return err;
}

long cmd_map_freeze(struct call *call)
{
	struct map_ref ref;
	int err = map_ref_get(&ref, (int)call->attr.a.map_fd, (enum object_access)0);

	if (err)
		return err;
	err = map_freeze(ref.map, ref.access);
	map_ref_put(&ref);
	return err;
}

/* The BTF of a map: looked at only when a type id is given. */
static int read_btf(struct map_spec *spec, const union bpf_attr *attr)
{
	struct object *object;
	int err;

	if (!attr->btf_key_type_id && !attr->btf_value_type_id && !attr->btf_vmlinux_value_type_id)
		return 0;
	err = object_from_fd((int)attr->btf_fd, OBJECT_BTF, &object, NULL);
	if (err)
		return err;
	spec->btf_object = object;
	spec->btf = &btf_object_of(object)->btf;
	return 0;
}

/* Of an outer map; other types ignore the field. */
static void read_template(struct map_spec *spec, const union bpf_attr *attr)
{
	const struct map_ops *ops = map_ops_of(spec->type);
	struct object *object;

	if (!ops || !map_ops_of_maps(ops))
		return;
	object = object_behind((int)attr->inner_map_fd, OBJECT_MAP, &spec->inner_error);
	spec->inner = object ? map_of(object) : NULL;
}

/* Attribute fields that only other features give a meaning to. */
static int check_create_extras(const union cmd_attr *attr)
{
	const struct map_ops *ops = map_ops_of(attr->a.map_type);
	u32 flags = attr->a.map_flags;

	if (attr->map_create.excl_prog_hash ? attr->map_create.excl_prog_hash_size != 32
					    : attr->map_create.excl_prog_hash_size != 0)
		return -EINVAL;
	if (attr->map_create.excl_prog_hash)
		return -EOPNOTSUPP; /* exclusive maps: not served */
	if (flags & (UAPI_F_VTYPE_BTF_OBJ_FD | UAPI_F_TOKEN_FD))
		return -EINVAL;
	if (attr->a.btf_key_type_id && !attr->a.btf_value_type_id &&
	    !attr->a.btf_vmlinux_value_type_id)
		return -EINVAL;
	if (attr->a.btf_vmlinux_value_type_id &&
	    (!ops || !(ops->traits & MAP_OF_METHODS) || attr->a.btf_key_type_id ||
	     attr->a.btf_value_type_id))
		return -EINVAL;
	return 0;
}

long cmd_map_create(struct call *call)
{
	const union bpf_attr *attr = &call->attr.a;
	char name[BPF_OBJ_NAME_LEN];
	struct map_spec spec = {
		.type = attr->map_type,
		.key_size = attr->key_size,
		.value_size = attr->value_size,
		.max_entries = attr->max_entries,
		.flags = attr->map_flags,
		.numa_node = attr->numa_node,
		.extra = attr->map_extra,
		.ifindex = attr->map_ifindex,
		.btf_key_type_id = attr->btf_key_type_id,
		.btf_value_type_id = attr->btf_value_type_id,
		.kernel_value_type_id = attr->btf_vmlinux_value_type_id,
		.name = name,
	};
	int err;

	err = check_create_extras(&call->attr);
	if (err)
		return err;
	spec.late_error = cmd_object_name(name, attr->map_name);
	if (!spec.late_error)
		spec.late_error = read_btf(&spec, attr);
	read_template(&spec, attr);
	err = map_create(&spec);
	if (spec.inner)
		object_put(&spec.inner->object);
	if (spec.btf_object)
		object_put(spec.btf_object);
	return err;
}
