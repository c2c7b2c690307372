/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * region.c: creates, checks and maps object files. Owns the stamp; looks at nothing else in a file.
 *
 * Memory is promised only when it is there: blocks are allocated at creation (or by
 * region_populate), so that a full file system is -ENOMEM and never SIGBUS.
 */
#include "shm/region.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/syscall.h"

#define STAMP_MAGIC 0x6e6f696765725542ull /* "BUregion" */
#define KINDS 8
#define SIZE_LIMIT (1ull << 46)       /* beyond any address space */
#define ALLOCATE_STEP (16ull << 20)   /* a signal makes the kernel undo one step at most */
#define UNCHECKED_BYTES (64ull << 20) /* smaller files are allocated without asking for memory */
#define RAISED_FD 512

static u32 layouts[KINDS];

void region_set_layout(u32 kind, u32 layout)
{
	store_relaxed(&layouts[kind % KINDS], layout);
}

/* Differs when any structure of the file differs; mixes with a multiplication per number. */
static u32 layout_of(u32 kind)
{
	const size_t facts[] = {sizeof(struct region_stamp), offsetof(struct region_stamp, size),
				PAGE_BYTES, load_relaxed(&layouts[kind % KINDS])};
	u32 layout = 0x811c9dc5;

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		layout = (layout ^ (u32)facts[i]) * 0x01000193;
	return layout;
}

struct region_stamp *region_stamp(const struct region *region)
{
	return (struct region_stamp *)(void *)(region->base + region->size - PAGE_BYTES);
}

static int set_sizes(struct region *region, u64 data_size, u64 control_size)
{
	if (data_size > SIZE_LIMIT || control_size > SIZE_LIMIT)
		return -E2BIG;
	region->data_size = ROUND_UP(data_size, PAGE_BYTES);
	region->size = region->data_size + ROUND_UP(control_size, PAGE_BYTES) + PAGE_BYTES;
	return 0;
}

/* The kernel's estimate in bytes of what can be allocated without swapping; all ones if unknown. */
static u64 memory_available(void)
{
	char text[1024];
	const char *line = NULL;
	long len;
	int fd = sys_openat(AT_FDCWD, "/proc/meminfo", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return ~0ull;
	len = sys_read(fd, text, sizeof(text) - 1);
	sys_close(fd);
	if (len > 0) {
		text[len] = 0;
		line = strstr(text, "MemAvailable:");
	}
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : ~0ull;
}

cold int region_no_room(const char *where, u64 bytes)
{
	static int told; /* once: who has no room tries again */

	if (!load_relaxed(&told))
		log_line(LOG_REFUSED,
			 "no room for %llu bytes in %s (errno %d): free memory, enlarge its file "
			 "system (mount -o remount,size=...) or set USERBPF_DIR to a larger one",
			 (unsigned long long)bytes, where, ENOMEM);
	store_relaxed(&told, 1);
	return -ENOMEM;
}

static int allocate(int fd, u64 offset, u64 len)
{
	u64 step;
	int err;

	if (len > UNCHECKED_BYTES && len > memory_available())
		return -ENOMEM;
	for (; len; offset += step, len -= step) {
		step = MIN(len, ALLOCATE_STEP);
		do
			err = sys_fallocate(fd, 0, (s64)offset, (s64)step);
		while (err == -EINTR);
		if (err)
			return -ENOMEM;
	}
	return 0;
}

static int map_file(int fd, struct region *region)
{
	void *base = sys_mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (sys_is_err(base))
		return -ENOMEM;
	region->base = base;
	return 0;
}

int region_create(int dirfd, u32 kind, u64 data_size, u64 control_size, unsigned flags,
		  struct region *region, int *fd)
{
	int err = set_sizes(region, data_size, control_size);
	u64 first;

	if (err)
		return err;
	*fd = sys_openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd < 0)
		return *fd == -ENOSPC ? -ENOMEM : *fd;
	*fd = region_raise_fd(*fd);
	first = flags & REGION_SPARSE ? region->size - PAGE_BYTES : 0;
	err = -ENOMEM;
	if (sys_ftruncate(*fd, (s64)region->size) || allocate(*fd, first, region->size - first) ||
	    map_file(*fd, region))
		goto close;
	*region_stamp(region) = (struct region_stamp){.magic = STAMP_MAGIC,
						      .layout = layout_of(kind),
						      .kind = kind,
						      .data_size = region->data_size,
						      .size = region->size};
	return 0;
close:
	sys_close(*fd);
	*fd = -1;
	return err;
}

static bool stamp_is_ours(const struct region_stamp *stamp, u64 file_size)
{
	return stamp->magic == STAMP_MAGIC && stamp->kind < KINDS &&
	       stamp->layout == layout_of(stamp->kind) && stamp->size == file_size &&
	       stamp->data_size % PAGE_BYTES == 0 && stamp->data_size <= file_size - PAGE_BYTES;
}

/* fd must be readable. */
static int read_stamp(int fd, struct region_stamp *stamp)
{
	struct stat st;
	u64 size;

	if (sys_fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -EINVAL;
	size = (u64)st.st_size;
	if (size < PAGE_BYTES || size % PAGE_BYTES || size > 2 * SIZE_LIMIT)
		return -EINVAL;
	if (sys_pread(fd, stamp, sizeof(*stamp), (s64)(size - PAGE_BYTES)) != sizeof(*stamp))
		return -EINVAL;
	return stamp_is_ours(stamp, size) ? 0 : -EINVAL;
}

/*
 * After a change of user the file may not be opened anew; the descriptor that was handed down
 * still serves, at the price of prolonging its lock.
 */
static int own_descriptor(int fd)
{
	const int own = region_reopen(fd, O_RDWR);

	return own == -EACCES || own == -ENOENT ? sys_fcntl(fd, F_DUPFD_CLOEXEC, RAISED_FD) : own;
}

int region_attach(int fd, u32 kind, struct region *region)
{
	struct region_stamp stamp;
	int own = own_descriptor(fd), err;

	if (own < 0)
		return own == -EMFILE || own == -ENFILE || own == -ENOMEM ? own : -EINVAL;
	err = read_stamp(own, &stamp);
	if (!err && kind && stamp.kind != kind)
		err = -EINVAL;
	if (!err) {
		region->data_size = stamp.data_size;
		region->size = stamp.size;
		err = map_file(own, region);
	}
	sys_close(own);
	return err;
}

void region_detach(struct region *region)
{
	sys_munmap(region->base, region->size);
	region->base = NULL;
}

int region_read_stamp(int fd, struct region_stamp *stamp)
{
	int own = region_reopen(fd, O_RDONLY), err;

	if (own < 0)
		return own == -EMFILE || own == -ENFILE || own == -ENOMEM ? own : -EINVAL;
	err = read_stamp(own, stamp);
	sys_close(own);
	return err;
}

/* Before Linux 5.14: an atomic addition of 0 by the kernel, which answers where we would die. */
static int touch_pages(u8 *first, const u8 *end)
{
	const long add_zero = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);

	for (; first < end; first += PAGE_BYTES)
		if (SYSCALL(SYS_futex, first, FUTEX_WAKE_OP, 0, 0, first, add_zero) < 0)
			return -ENOMEM;
	return 0;
}

static int populate(const struct region *region, u64 offset, u64 len)
{
	u8 *first = region->base + offset / PAGE_BYTES * PAGE_BYTES;
	u8 *end = region->base + ROUND_UP(offset + len, PAGE_BYTES);
	int err;

	if (offset > region->size || len > region->size - offset)
		return -ENOMEM;
	if (len > UNCHECKED_BYTES && len > memory_available())
		return -ENOMEM;
	do
		err = sys_madvise(first, (size_t)(end - first), MADV_POPULATE_WRITE);
	while (err == -EINTR || err == -EAGAIN);
	if (err == -EINVAL)
		return touch_pages(first, end);
	return err ? -ENOMEM : 0;
}

int region_populate(const struct region *region, u64 offset, u64 len)
{
	return populate(region, offset, len) ? region_no_room("a map that grows", len) : 0;
}

/* thread-self: a thread may have a descriptor table of its own. */
static void link_of(int fd, char link[48])
{
	snprintf(link, 48, "/proc/thread-self/fd/%d", fd);
}

int region_reopen(int fd, int flags)
{
	char link[48];

	link_of(fd, link);
	return sys_openat(AT_FDCWD, link, flags | O_CLOEXEC, 0);
}

int region_link(int fd, int dirfd, const char *name)
{
	char link[48];

	link_of(fd, link);
	return sys_linkat(AT_FDCWD, link, dirfd, name, AT_SYMLINK_FOLLOW);
}

int region_fd_path(int fd, char *path, size_t size)
{
	char link[48];
	long len;

	link_of(fd, link);
	len = sys_readlinkat(AT_FDCWD, link, path, size);
	if (len >= (long)size)
		return -ENAMETOOLONG;
	if (len >= 0)
		path[len] = 0;
	return (int)len;
}

int region_raise_fd(int fd)
{
	int raised;

	if (fd < 0 || fd >= RAISED_FD)
		return fd;
	raised = sys_fcntl(fd, F_DUPFD_CLOEXEC, RAISED_FD);
	if (raised < 0)
		raised = sys_fcntl(fd, F_DUPFD_CLOEXEC, RAISED_FD / 8);
	if (raised < 0)
		return fd;
	sys_close(fd);
	return raised;
}
