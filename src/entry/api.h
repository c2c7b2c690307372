/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * api.h: what the files of the C library share.
 */
#ifndef ENTRY_API_H
#define ENTRY_API_H

#include "base/compiler.h"

#include <errno.h>

#include "object/object.h"
#include "userbpf/userbpf.h"

#define API __attribute__((visibility("default")))

/* Functions on the cold paths may call libc: errno is as it was when the scope ends. */
static inline void errno_restore(const int *saved)
{
	errno = *saved;
}
#define KEEP_ERRNO const int saved_errno __attribute__((cleanup(errno_restore), unused)) = errno

/* The size bytes of a structure of the caller, as the known ones of ours: 0, -EINVAL or -E2BIG. */
must_check int api_read_opts(void *opts, size_t known, size_t least, const void *given);
/*
 * The object behind fd, with a use, and a descriptor of our own that keeps it alive. 0, or an error
 * of userbpf_map_open().
 */
must_check int api_open(int fd, enum object_kind kind, struct object **object,
			enum object_access *access, int *own);

#endif
