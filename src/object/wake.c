/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * wake.c: the FIFOs of wake.h: "wake" in the directory of the object's references, so that they go
 * with it. Knows no kind of object.
 *
 * A waiter opens the FIFO first and counts itself then; a waker that finds no reader takes the
 * count back only if nobody has counted himself since it looked.
 */
#include "object/wake.h"

#include <stdio.h>

#include "base/atomic.h"
#include "base/syscall.h"
#include "object/internal.h"

#define OPEN_FLAGS (O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)

static void dir_of(const struct object *object, char *path, size_t size)
{
	snprintf(path, size, "refs/%s.%u", object->type->name, object->id);
}

static int open_fifo(const struct object *object, int flags)
{
	char path[OBJECT_NAME_BYTES + 16];
	int dir = realm_dir();

	if (dir < 0)
		return dir;
	snprintf(path, sizeof(path), "refs/%s.%u/wake", object->type->name, object->id);
	return sys_openat(dir, path, flags | OPEN_FLAGS, 0);
}

static int make_fifo(const struct object *object)
{
	char path[OBJECT_NAME_BYTES + 16];
	int err, dir = realm_dir();

	if (dir < 0)
		return dir;
	dir_of(object, path, sizeof(path));
	err = sys_mkdirat(dir, path, 0700);
	if (err && err != -EEXIST)
		return err == -ENOSPC ? -ENOMEM : err;
	snprintf(path, sizeof(path), "refs/%s.%u/wake", object->type->name, object->id);
	err = (int)SYSCALL(SYS_mknodat, dir, path, S_IFIFO | 0600, 0);
	return err == -EEXIST ? 0 : err == -ENOSPC ? -ENOMEM : err;
}

static bool is_local(const struct object *object)
{
	return !realm_open() && region_stamp(&object->region)->realm == realm_state()->tag;
}

int wake_open(struct object *object, struct wake *wake)
{
	int fd, err;

	if (!is_local(object))
		return -EINVAL;
	err = make_fifo(object);
	fd = err ? err : open_fifo(object, O_RDWR); /* so that it never has no writer */
	if (fd < 0)
		return fd;
	atomic_add(&wake->waiters, 1);
	return region_raise_fd(fd);
}

/* Full of edges that nobody needs any more. */
static void drain(int fd)
{
	char bytes[PAGE_BYTES];

	sys_read(fd, bytes, sizeof(bytes));
}

/* Our own reader is there so that a write after the last other one has gone is no SIGPIPE. */
static int write_edge(const struct object *object, int writer)
{
	const int reader = open_fifo(object, O_RDONLY);
	long written;

	if (reader < 0)
		return reader;
	written = sys_write(writer, "", 1);
	if (written == -EAGAIN) {
		drain(reader);
		written = sys_write(writer, "", 1);
	}
	sys_close(reader);
	return written == 1 ? 0 : (int)written;
}

static cold void wake_waiters(struct object *object, struct wake *wake, u32 seen)
{
	int err, writer;

	if (!is_local(object))
		return;
	err = writer = open_fifo(object, O_WRONLY);
	if (writer >= 0) {
		err = write_edge(object, writer);
		sys_close(writer);
	}
	if (err == -ENXIO || err == -ENOENT)
		atomic_cas(&wake->waiters, &seen, 0);
	else if (err)
		wake_note_missed(wake);
}

void wake_up(struct object *object, struct wake *wake)
{
	const u32 seen = load_ordered(&wake->waiters);

	if (unlikely(seen))
		wake_waiters(object, wake, seen);
}

void wake_note_missed(struct wake *wake)
{
	atomic_add(&wake->missed, 1);
}

u32 wake_missed(const struct wake *wake)
{
	return load_acquire(&wake->missed); /* pairs with wake_note_missed() */
}
