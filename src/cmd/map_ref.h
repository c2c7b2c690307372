/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map_ref.h: a map named by a descriptor and the buffers for one of its elements, shared by the
 * element and the batch commands.
 */
#ifndef CMD_MAP_REF_H
#define CMD_MAP_REF_H

#include "base/compiler.h"
#include "maps/map.h"

struct map_ref {
	struct map *map;
	enum object_access access; /* of the descriptor */
};

/* -EBADF, -EINVAL, or -EPERM when the descriptor or a freeze does not allow the access. */
must_check int map_ref_get(struct map_ref *ref, int fd, enum object_access needs);
/* The same, with the file position of fd. */
must_check int map_ref_at(struct map_ref *ref, int fd, s64 position, enum object_access needs);
void map_ref_put(struct map_ref *ref);

/* The flag BPF_F_LOCK, among others, needs a spin lock in the values: 0 or -EINVAL. */
must_check int map_check_lock_flag(const struct map *map, u64 flags);

/* UPDATE with a value as the application lays it out: of an outer map a descriptor. */
int map_ref_update(struct map *map, int fd, const void *key, const void *value, u64 flags);

/* Room for a key and a value as the system call lays it out; small ones need no allocation. */
struct elem_buffer {
	u8 *key;
	u8 *value;
	u8 *heap;
	u8 local[512] __attribute__((aligned(8)));
};

must_check int elem_buffer_init(struct elem_buffer *buffer, const struct map *map, bool with_value);
void elem_buffer_free(struct elem_buffer *buffer);
/* -EFAULT; -EINVAL for a key given to a type without keys. */
must_check int elem_read_key(struct elem_buffer *buffer, const struct map *map, u64 user);

#endif
