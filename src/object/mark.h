/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * mark.h: what of an object is to go with one descriptor of it, not with the last. A mark is a
 * number below 2^62; it stays as long as the open file description through which it was made, that
 * is, until the descriptor and all its duplicates are closed, in whatever process.
 */
#ifndef OBJECT_MARK_H
#define OBJECT_MARK_H

#include "base/compiler.h"
#include "object/object.h"

/* fd must be open for writing. 0; -ENOMEM; -EBUSY: another description has made this mark. */
must_check int object_mark(int fd, u64 mark);
/* A descriptor to look at the object's marks with; -errno. */
must_check int object_marks_open(const struct object *object);
/* Also where that cannot be said. */
bool object_is_marked(int marks, u64 mark);

#endif
