/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * obj_cmds.c: what holds for objects of every kind: ids, pins, names, info by descriptor.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "cmd/bpf.h"
#include "cmd/internal.h"
#include "maps/map.h"
#include "object/realm.h"

/* Of ASCII or Latin-1. */
static bool is_letter(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

int cmd_object_name(char out[BPF_OBJ_NAME_LEN], const char *name)
{
	u32 len;

	for (len = 0; len < BPF_OBJ_NAME_LEN && name[len]; len++) {
		u8 c = (u8)name[len];

		if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '.')
			return -EINVAL;
	}
	if (len == BPF_OBJ_NAME_LEN)
		return -EINVAL;
	memset(out, 0, BPF_OBJ_NAME_LEN);
	memcpy(out, name, len);
	return 0;
}

/* RDONLY/WRONLY of open_flags or file_flags as an access; -EINVAL for both. */
static int access_of(u32 flags, enum object_access *access)
{
	switch (flags & (BPF_F_RDONLY | BPF_F_WRONLY)) {
	case 0:
		*access = OBJECT_READ_WRITE;
		return 0;
	case BPF_F_RDONLY:
		*access = OBJECT_READ;
		return 0;
	case BPF_F_WRONLY:
		*access = OBJECT_WRITE;
		return 0;
	default:
		return -EINVAL;
	}
}

static long next_id(struct call *call, enum object_kind kind)
{
	u32 next;
	int err;

	if (call->attr.a.start_id >= INT_MAX)
		return -EINVAL;
	err = object_next_id(kind, call->attr.a.start_id, &next);
	return err ? err : call_put(call, offsetof(union bpf_attr, next_id), next);
}

long cmd_map_get_next_id(struct call *call)
{
	return next_id(call, OBJECT_MAP);
}

long cmd_prog_get_next_id(struct call *call)
{
	return next_id(call, OBJECT_PROG);
}

long cmd_btf_get_next_id(struct call *call)
{
	return next_id(call, OBJECT_BTF);
}

long cmd_map_get_fd_by_id(struct call *call)
{
	u32 flags = call->attr.a.open_flags;
	enum object_access access;

	if (flags & ~(BPF_F_RDONLY | BPF_F_WRONLY) || access_of(flags, &access))
		return -EINVAL;
	return object_open_id(OBJECT_MAP, call->attr.a.map_id, access);
}

long cmd_prog_get_fd_by_id(struct call *call)
{
	return object_open_id(OBJECT_PROG, call->attr.a.prog_id, OBJECT_READ_WRITE);
}

/* The path of OBJ_PIN and OBJ_GET; path_fd counts only with its flag. */
static int read_path(const union cmd_attr *attr, char path[PATH_MAX], int *dirfd)
{
	long len;

	if (!(attr->obj.file_flags & UAPI_F_PATH_FD) && attr->obj.path_fd)
		return -EINVAL;
	*dirfd = attr->obj.file_flags & UAPI_F_PATH_FD ? attr->obj.path_fd : AT_FDCWD;
	len = user_read_string(path, attr->obj.pathname, PATH_MAX);
	if (len < 0)
		return (int)len;
	return len ? 0 : -ENOENT;
}

/* What can be pinned; anything else, also a closed descriptor, is EINVAL. */
static bool is_pinnable(int fd)
{
	struct object *object;
	bool pinnable;

	if (object_from_fd(fd, 0, &object, NULL))
		return false;
	pinnable = object->type->kind != OBJECT_BTF;
	object_put(object);
	return pinnable;
}

long cmd_obj_pin(struct call *call)
{
	const union cmd_attr *attr = &call->attr;
	char path[PATH_MAX];
	int err, dirfd;

	if (attr->obj.file_flags & ~UAPI_F_PATH_FD || !is_pinnable((int)attr->obj.bpf_fd))
		return -EINVAL;
	err = read_path(attr, path, &dirfd);
	return err ? err : object_pin((int)attr->obj.bpf_fd, dirfd, path);
}

long cmd_obj_get(struct call *call)
{
	const union cmd_attr *attr = &call->attr;
	enum object_access access;
	char path[PATH_MAX];
	int err, dirfd;

	if (attr->obj.bpf_fd ||
	    attr->obj.file_flags & ~(BPF_F_RDONLY | BPF_F_WRONLY | UAPI_F_PATH_FD))
		return -EINVAL;
	err = read_path(attr, path, &dirfd);
	if (!err)
		err = access_of(attr->obj.file_flags, &access);
	return err ? err : object_get_pinned(dirfd, path, access);
}

/* Bytes of the application's buffer beyond what this kernel fills must be zero. */
int info_check_tail(u64 user, u32 len, u32 known)
{
	u8 tail[PAGE_BYTES];
	int err;

	if (len > PAGE_BYTES)
		return -E2BIG;
	if (len <= known)
		return 0;
	err = user_read(tail, user + known, len - known);
	for (u32 i = 0; !err && i < len - known; i++)
		if (tail[i])
			return -E2BIG;
	return err;
}

static int info_of(struct object *object, u64 user, u32 *len)
{
	switch (object->type->kind) {
	case OBJECT_MAP:
		return map_object_info(object, user, len);
	case OBJECT_PROG:
		return prog_object_info(object, user, len);
	case OBJECT_BTF:
		return btf_object_info(object, user, len);
	default:
		return -EINVAL;
	}
}

long cmd_obj_get_info_by_fd(struct call *call)
{
	const union bpf_attr *attr = &call->attr.a;
	u32 len = attr->info.info_len;
	struct object *object;
	int err;

	err = object_from_fd((int)attr->info.bpf_fd, 0, &object, NULL);
	if (err)
		return err == -EBADF ? -EBADFD : err;
	err = info_of(object, attr->info.info, &len);
	if (!err)
		err = call_put(call, offsetof(union bpf_attr, info.info_len), len);
	object_put(object);
	return err;
}
