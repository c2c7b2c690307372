/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * internal.h: what object.c, collect.c and pin.c share, for no other file.
 */
#ifndef OBJECT_INTERNAL_H
#define OBJECT_INTERNAL_H

#include "object/object.h"
#include "object/realm.h"

/* All signals of this thread off, so that no handler can find the realm locked by its own
 * thread. */
u64 signals_block(void);
void signals_restore(u64 mask);

/*
 * Makes fd, a fresh description of an object file, what an application holds: counted and
 * recognisable. Needs the realm lock. 0; -ENOENT when the object is gone, -EINVAL when the file is
 * no object. The caller closes fd on failure.
 */
must_check int object_adopt_fd(int fd, enum object_access access);
/* The same for what an O_PATH descriptor leads to. The application's descriptor, or -errno. */
must_check int object_open_path(int path_fd, enum object_access access);

#define OBJECT_NAME_BYTES 48 /* "<type name>.<id>.<slot>" */

/* Is the descriptor by which the application named it last still one of it? */
bool object_is_open_here(const struct object *object);
/* NULL for a kind that nobody registered. */
const struct object_type *object_type_of(u32 kind);
/* A descriptor of the object with this file name. Needs the realm lock. -ENOENT, -EMFILE. */
must_check int object_open_named(const char *name, enum object_access access);

struct stat;
/* What a file weighs in the decision to collect. */
u32 object_weight(const struct stat *st);
void object_collect_if_due(void);
/* Drops all references of a holder. False if there is nothing or it cannot be removed. */
bool object_remove_refs(int dir, const char *holder);
/* Unmaps what this process does not use any more, if something was removed since. */
void object_sweep_if_due(void);

#endif
