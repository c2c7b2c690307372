/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * region.h: a file as memory. Layout of every object file:
 *
 *     0            data_size                       size
 *     | data ...   | control ...   | stamp page    |
 *
 * data is exactly what the kernel would let a program mmap (may be empty; whole pages), control
 * belongs to the object's type (header first), the stamp lies in the last page. A file whose stamp
 * does not match this build is refused; nothing else in a file is validated twice.
 * Knows no map, program, id or realm.
 */
#ifndef SHM_REGION_H
#define SHM_REGION_H

#include "base/compiler.h"

struct region_stamp {
	u64 magic;
	u32 layout; /* derived from sizeof/offsetof of the structures in the file */
	u32 kind;   /* enum object_kind */
	u32 id;     /* written once, when the object gets its id */
	u32 realm;  /* tag of the realm it was created in */
	u64 data_size;
	u64 size; /* whole file */
	/* The object layer's, as the file keeps them. */
	u32 of_users; /* references go with the last descriptor or pin */
	u32 releases; /* how often they have gone */
};

struct region {
	u8 *base; /* data starts here */
	size_t data_size;
	size_t size;
};

enum { REGION_SPARSE = 1 }; /* reserve addresses only; region_populate() brings in the blocks */

/*
 * Creates an unnamed file in directory dirfd with room for data_size and control_size bytes (both
 * rounded up to pages), zeroed, maps it shared and stamps it. *fd receives the descriptor
 * (close-on-exec), which the caller closes. 0; -ENOMEM when the file system or the memory is
 * full; -E2BIG when the sizes overflow; -EMFILE, -ENFILE.
 */
must_check int region_create(int dirfd, u32 kind, u64 data_size, u64 control_size, unsigned flags,
			     struct region *region, int *fd);
/*
 * Maps an existing file through a descriptor of its own (the caller's lock is not prolonged).
 * 0; -EINVAL when it is not one of ours, truncated, of another build or of another kind
 * (kind 0 accepts all); -ENOMEM; -EMFILE.
 */
must_check int region_attach(int fd, u32 kind, struct region *region);
void region_detach(struct region *region);
/* Says, under `userbpf run -v`, once in a process, what did not fit where. Always -ENOMEM. */
int region_no_room(const char *where, u64 bytes);
/* Makes [offset, offset+len) of a sparse region usable. 0 or -ENOMEM. Any thread, repeatable. */
must_check int region_populate(const struct region *region, u64 offset, u64 len);

/*
 * Makes the sizes of what a kind keeps in its files part of the stamp: files of another build are
 * then refused. Call before any file of the kind is created or attached.
 */
void region_set_layout(u32 kind, u32 layout);

/* A new open file description of the file behind fd, close-on-exec; flags as open(2). -errno. */
must_check int region_reopen(int fd, int flags);
/* Gives the file behind fd, named or not, a (further) name. 0 or -errno as link(2). */
must_check int region_link(int fd, int dirfd, const char *name);
/* Where the kernel says that fd leads, NUL-terminated. Its length or -errno (-ENAMETOOLONG). */
must_check int region_fd_path(int fd, char *path, size_t size);
/* Moves a descriptor of ours out of the low numbers that applications count on. Never fails. */
int region_raise_fd(int fd);

struct region_stamp *region_stamp(const struct region *region);
/* Reads only the stamp of an open file. 0 or -EINVAL. */
must_check int region_read_stamp(int fd, struct region_stamp *stamp);

static inline void *region_control(const struct region *region)
{
	return region->base + region->data_size;
}

#endif
