/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * api.c: the part of the C library that concerns the process: which realm it uses, and names below
 * /sys/fs/bpf. What is not hot goes through the commands of bpf(2), so that its answers are theirs.
 */
#include "entry/api.h"

#include <linux/bpf.h>
#include <string.h>

#include "base/syscall.h"
#include "cmd/bpf.h"
#include "object/realm.h"

/* The size of the first version. */
#define INIT_OPTS_LEAST (offsetof(struct userbpf_init_opts, realm) + sizeof(const char *))

int api_read_opts(void *opts, size_t known, size_t least, const void *given)
{
	const u8 *bytes = given;
	size_t size;

	memcpy(&size, given, sizeof(size));
	if (size < least || size > PAGE_BYTES)
		return -EINVAL;
	for (size_t i = known; i < size; i++)
		if (bytes[i])
			return -E2BIG;
	memset(opts, 0, known);
	memcpy(opts, given, MIN(size, known));
	return 0;
}

int api_open(int fd, enum object_kind kind, struct object **object, enum object_access *access,
	     int *own)
{
	int err = bpf_init();

	if (err)
		return err;
	*own = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (*own < 0)
		return *own;
	err = object_from_fd(*own, kind, object, access);
	if (err)
		sys_close(*own);
	return err;
}

API int userbpf_init(const struct userbpf_init_opts *opts)
{
	struct userbpf_init_opts known = {0};
	KEEP_ERRNO;
	int err = 0;

	if (opts)
		err = api_read_opts(&known, sizeof(known), INIT_OPTS_LEAST, opts);
	if (!err && (known.dir || known.realm))
		err = realm_open_as(known.dir ? known.dir : "", known.realm ? known.realm : "");
	return err ? err : bpf_init();
}

API const char *userbpf_version(void)
{
	return USERBPF_VERSION;
}

API int userbpf_pin(int fd, const char *path)
{
	union bpf_attr attr;
	KEEP_ERRNO;

	memset(&attr, 0, sizeof(attr)); /* an initializer need not clear all of a union */
	attr.pathname = PTR_U64(path);
	attr.bpf_fd = (u32)fd;
	return (int)bpf_call(BPF_OBJ_PIN, PTR_U64(&attr), sizeof(attr));
}

API int userbpf_get_pinned(const char *path)
{
	union bpf_attr attr;
	KEEP_ERRNO;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = PTR_U64(path);
	return (int)bpf_call(BPF_OBJ_GET, PTR_U64(&attr), sizeof(attr));
}
