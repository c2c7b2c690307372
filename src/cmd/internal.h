/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * internal.h: what the command handlers share. A handler gets a struct call whose attributes are
 * already complete: read once, extended with zeros to what the command knows (commands.def), unknown
 * tail and unused fields checked by bpf.c.
 */
#ifndef CMD_INTERNAL_H
#define CMD_INTERNAL_H

#include <errno.h>

#include "base/compiler.h"
#include "base/uapi.h"
#include "base/user_mem.h"
#include "object/object.h"

/* union bpf_attr as Linux 6.18 knows it; newer fields beside the older header's. */
union cmd_attr {
	union bpf_attr a;
	u8 bytes[UAPI_ATTR_BYTES];
	struct {
		u8 known[72];
		s32 value_type_btf_obj_fd;
		s32 map_token_fd;
		u64 excl_prog_hash;
		u32 excl_prog_hash_size;
	} map_create;
	struct {
		u8 known[140];
		u32 log_true_size; /* output */
		s32 prog_token_fd;
		u32 fd_array_cnt;
		u64 signature;
		u32 signature_size;
		s32 keyring_id;
	} prog_load;
	struct {
		u64 btf;
		u64 btf_log_buf;
		u32 btf_size;
		u32 btf_log_size;
		u32 btf_log_level;
		u32 btf_log_true_size; /* output */
		u32 btf_flags;
		s32 btf_token_fd;
	} btf_load;
	struct {
		u64 pathname;
		u32 bpf_fd;
		u32 file_flags;
		s32 path_fd;
	} obj;
};

struct call {
	union cmd_attr attr;
	u64 user;  /* where the attribute lies in the application, for results */
	u32 size;  /* as given */
	s64 position; /* of a CMD_MAP's descriptor, see object_at() */
};

/* Writes a result into the application's attribute. 0 or -EFAULT. */
#define call_put(call, offset, value)                                                              \
	user_write((call)->user + (offset), &(value), sizeof(value))

typedef long (*cmd_handler)(struct call *call);

#define CMD(number, name, last_used, handler) long handler(struct call *call);
#define CMD_MAP CMD
#define CMD_ABSENT(number, name, last_used, fd, error, reason)
#include "cmd/commands.def"
#undef CMD
#undef CMD_MAP
#undef CMD_ABSENT

/* Checks and copies an object name: letters of Latin-1, digits, '_' and '.', NUL within 16. */
must_check int cmd_object_name(char out[BPF_OBJ_NAME_LEN], const char *name);
/* OBJ_GET_INFO_BY_FD: bytes from known to len must be zero. -E2BIG, -EFAULT. */
must_check int info_check_tail(u64 user, u32 len, u32 known);
/* OBJ_GET_INFO_BY_FD for a BTF object; writes at most *len bytes to user, updates *len. */
must_check int btf_object_info(struct object *object, u64 user, u32 *len);
must_check int map_object_info(struct object *object, u64 user, u32 *len);
must_check int prog_object_info(struct object *object, u64 user, u32 *len);

#endif
