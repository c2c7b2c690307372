/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf_cmds.c: BTF_LOAD, the ids of BTF objects, and what OBJ_GET_INFO_BY_FD says of them. What is
 * good BTF is decided in src/btf.
 */
#include <linux/bpf.h>
#include <string.h>

#include "base/memory.h"
#include "base/syscall.h"
#include "btf/btf_object.h"
#include "cmd/internal.h"
#include "cmd/log_buf.h"

#define BTF_SIZE_MAX (16u << 20)
#define ID_TOKEN_FD_AT 12 /* fd_by_id_token_fd of the attribute (6.9) */

/* The bytes, so placed that their types are aligned; *base is to be freed. */
static int read_btf(u64 user, u32 size, u8 **base, u8 **data)
{
	u32 padding;

	*base = memory_alloc((size_t)size + sizeof(u32));
	if (!*base)
		return -ENOMEM;
	if (user_read(*base, user, size))
		return -EFAULT;
	padding = btf_padding(*base, size);
	*data = *base + padding;
	if (padding)
		memmove(*data, *base, size);
	return 0;
}

/* There are no tokens: the flag can only come with a descriptor of something else, or of nothing.
 */
static int check_token(u32 flags, s32 fd)
{
	if (flags & ~(u32)UAPI_F_TOKEN_FD)
		return -EINVAL;
	if (!(flags & UAPI_F_TOKEN_FD))
		return 0;
	return sys_fcntl(fd, F_GETFD, 0) < 0 ? -EBADF : -EINVAL;
}

long cmd_btf_load(struct call *call)
{
	const union cmd_attr *attr = &call->attr;
	u32 size = attr->btf_load.btf_size, true_size = 0;
	u8 *base = NULL, *data;
	struct btf btf = {0};
	struct log_buf log;
	int err;

	err = check_token(attr->btf_load.btf_flags, attr->btf_load.btf_token_fd);
	if (err)
		return err;
	if (size > BTF_SIZE_MAX)
		return -E2BIG;
	err = log_buf_init(&log, attr->btf_load.btf_log_level, attr->btf_load.btf_log_buf,
			   attr->btf_load.btf_log_size);
	if (err)
		return err;
	err = read_btf(attr->btf_load.btf, size, &base, &data);
	if (!err)
		err = btf_parse(&btf, data, size, log_buf_sink(&log));
	err = log_buf_finish(&log, err, &true_size);
	if (call->size >= offsetof(union cmd_attr, btf_load.btf_flags) &&
	    call_put(call, offsetof(union cmd_attr, btf_load.btf_log_true_size), true_size))
		err = -EFAULT;
	if (!err)
		err = btf_object_create(&btf);
	btf_clear(&btf);
	memory_free(base);
	return err;
}

long cmd_btf_get_fd_by_id(struct call *call)
{
	const union bpf_attr *attr = &call->attr.a;
	s32 token;
	int err;

	memcpy(&token, &call->attr.bytes[ID_TOKEN_FD_AT], sizeof(token));
	err = check_token(attr->open_flags, token);
	return err ? err : object_open_id(OBJECT_BTF, attr->btf_id, OBJECT_READ);
}

/* BTF that a program loaded has no name; the kernel's own does. */
static int put_empty_name(const struct bpf_btf_info *info)
{
	if (!info->name != !info->name_len)
		return -EINVAL;
	return info->name ? user_write(info->name, "", 1) : 0;
}

int btf_object_info(struct object *object, u64 user, u32 *len)
{
	const struct btf *btf = &btf_object_of(object)->btf;
	u32 room = MIN(*len, (u32)sizeof(struct bpf_btf_info));
	struct bpf_btf_info info = {0};
	int err;

	err = info_check_tail(user, *len, sizeof(info));
	if (!err)
		err = user_read(&info, user, room);
	if (!err)
		err = user_write(info.btf, btf->data, MIN(info.btf_size, btf->size));
	if (!err)
		err = put_empty_name(&info);
	if (err)
		return err;
	info.btf_size = btf->size;
	info.id = object->id;
	info.name_len = 0;
	info.kernel_btf = 0;
	*len = room;
	return user_write(user, &info, room);
}
