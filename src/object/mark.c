/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * mark.c: marks are locks of open file descriptions on bytes far behind the end of the object's
 * file. The kernel drops them with the description, so nothing has to be noticed or repaired.
 */
#include "object/mark.h"

#include <errno.h>
#include <stdio.h>

#include "base/syscall.h"
#include "object/internal.h"

#define FIRST_MARK (1ull << 62)

static struct flock lock_of(u64 mark, short type)
{
	return (struct flock){.l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)(FIRST_MARK + mark),
			      .l_len = 1};
}

int object_mark(int fd, u64 mark)
{
	struct flock lock = lock_of(mark, F_WRLCK);
	const int err = sys_fcntl(fd, F_OFD_SETLK, (long)&lock);

	if (err == -EINVAL)
		return 0; /* a system without such locks: nothing goes before the last descriptor */
	if (err == -EAGAIN || err == -EACCES)
		return -EBUSY;
	return err == -ENOLCK ? -ENOMEM : err;
}

int object_marks_open(const struct object *object)
{
	char name[OBJECT_NAME_BYTES];
	const int dir = realm_dir();

	snprintf(name, sizeof(name), "%s.%u", object->type->name, object->id);
	return dir < 0 ? dir
		       : sys_openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
}

bool object_is_marked(int marks, u64 mark)
{
	struct flock lock = lock_of(mark, F_WRLCK);

	return sys_fcntl(marks, F_OFD_GETLK, (long)&lock) || lock.l_type != F_UNLCK;
}
