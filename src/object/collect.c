/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * collect.c: the realm's directory: which objects exist, which of them nobody refers to, and the
 * removal of those. Works on names and locks alone; knows nothing that is mapped.
 *
 * Judging and removing happens under the realm lock exclusive (see object.c), so no name and no
 * lock of an object can appear meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/syscall.h"
#include "object/internal.h"

#define WEIGHT_SHIFT 18 /* an object weighs 1, and 1 more for each 256 KiB that it takes */
#define COLLECT_MIN 32  /* weight that is not worth a collection */

/* Calls visit for each entry of the directory; ends early when that returns false. */
static int for_each_entry(int parent, const char *path, bool (*visit)(const char *name, void *arg),
			  void *arg)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct dirent64 *entry;
	bool more = true;
	long len = 0;
	int dir;

	dir = sys_openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (dir < 0)
		return dir;
	while (more && (len = sys_getdents64(dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; more && at < len; at += entry->d_reclen) {
			entry = (const struct dirent64 *)(void *)(buf + at);
			if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
				more = visit(entry->d_name, arg);
		}
	}
	sys_close(dir);
	return len < 0 ? (int)len : 0;
}

static bool is_named(const char *name, size_t len, const char *type)
{
	return strlen(type) == len && !memcmp(type, name, len);
}

/* The kind and id in the name of an object's file; 0 for any other. */
static u32 parse_name(const char *name, u32 *id)
{
	const char *dot = strrchr(name, '.');
	const struct object_type *type;
	unsigned long value;
	char *end;

	*id = 0;
	if (!dot || dot[1] < '1' || dot[1] > '9')
		return 0;
	value = strtoul(dot + 1, &end, 10);
	if (*end || value > INT_MAX)
		return 0;
	*id = (u32)value;
	for (u32 kind = 1; kind < OBJECT_KINDS; kind++) {
		type = object_type_of(kind);
		if (type && is_named(name, (size_t)(dot - name), type->name))
			return kind;
	}
	return 0;
}

u32 object_weight(const struct stat *st)
{
	return 1 + (u32)MIN((u64)st->st_blocks * 512 >> WEIGHT_SHIFT, (u64)INT_MAX / 2);
}

/*
 * Does a descriptor of the application hold the file? Needs the exclusive realm lock. Ours is
 * unlocked explicitly: a child forked meanwhile has inherited it.
 */
static bool is_held(int dir, const char *name)
{
	const int fd = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	bool held;

	if (fd < 0)
		return true;
	held = sys_flock(fd, LOCK_EX | LOCK_NB);
	sys_flock(fd, LOCK_UN);
	sys_close(fd);
	return held;
}

/* Is the file without any reference? Needs the exclusive realm lock. */
static bool is_garbage(int dir, const char *name, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && !is_held(dir, name);
}

struct in_dir {
	int dir;
	const char *path;
};

static bool remove_entry(const char *name, void *arg)
{
	const struct in_dir *in = arg;
	char path[2 * NAME_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", in->path, name);
	sys_unlinkat(in->dir, path, 0);
	return true;
}

/* Drops all references of a holder. False if there is nothing or it cannot be removed. */
bool object_remove_refs(int dir, const char *holder)
{
	char path[NAME_MAX + 8];
	struct in_dir in = {dir, path};

	snprintf(path, sizeof(path), "refs/%s", holder);
	if (for_each_entry(dir, path, remove_entry, &in) == -ENOTDIR)
		return !sys_unlinkat(dir, path, 0);
	return !sys_unlinkat(dir, path, AT_REMOVEDIR);
}

/* References of users */

struct pin_search {
	int dir;
	const char *path;
	u64 ino;
	bool found;
};

static bool find_pin(const char *name, void *arg)
{
	struct pin_search *search = arg;
	char path[PATH_MAX];
	struct pin_search below = {search->dir, path, search->ino, false};
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", search->path, name) >= (int)sizeof(path) ||
	    sys_fstatat(search->dir, path, &st, AT_SYMLINK_NOFOLLOW))
		return true;
	if (S_ISDIR(st.st_mode)) {
		for_each_entry(search->dir, path, find_pin, &below);
		search->found |= below.found;
	} else {
		search->found |= st.st_ino == search->ino;
	}
	return !search->found;
}

static bool is_pinned(int dir, const struct stat *st)
{
	struct pin_search search = {dir, "fs", st->st_ino, false};

	for_each_entry(dir, "fs", find_pin, &search);
	return search.found;
}

/*
 * An OBJECT_OF_USERS without users gives up its references; that other objects refer to it does not
 * count. The number goes up first: what the file says of its references is void before they go.
 */
static bool release_unused(int dir, const char *name, const struct stat *st)
{
	char refs[OBJECT_NAME_BYTES + 8];
	struct region_stamp stamp;
	bool released = false;
	struct stat found;
	int fd;

	snprintf(refs, sizeof(refs), "refs/%s", name);
	if (sys_fstatat(dir, refs, &found, AT_SYMLINK_NOFOLLOW))
		return false;
	fd = sys_openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (!region_read_stamp(fd, &stamp) && stamp.of_users && !is_held(dir, name) &&
	    !is_pinned(dir, st)) {
		stamp.releases++;
		sys_pwrite(fd, &stamp.releases, sizeof(stamp.releases),
			   st->st_size - PAGE_BYTES + (s64)offsetof(struct region_stamp, releases));
		released = object_remove_refs(dir, name);
	}
	sys_close(fd);
	return released;
}

void object_release(struct object *object)
{
	char name[OBJECT_NAME_BYTES];
	struct stat st;
	u64 signals;
	int lock, dir;

	if (!region_stamp(&object->region)->of_users || object_is_open_here(object))
		return;
	snprintf(name, sizeof(name), "%s.%u", object->type->name, object->id);
	signals = signals_block();
	lock = realm_lock(true);
	if (lock >= 0) {
		dir = realm_dir();
		if (dir >= 0 && !sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
			release_unused(dir, name, &st);
		realm_unlock(lock);
	}
	signals_restore(signals);
}

bool object_has_users(const struct object *object)
{
	char name[OBJECT_NAME_BYTES];
	struct stat st;
	bool has = false;
	u64 signals;
	int lock, dir;

	if (object_is_open_here(object))
		return true;
	snprintf(name, sizeof(name), "%s.%u", object->type->name, object->id);
	signals = signals_block();
	lock = realm_lock(true);
	if (lock >= 0) {
		dir = realm_dir();
		has = dir >= 0 && !sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) &&
		      (is_held(dir, name) || is_pinned(dir, &st));
		realm_unlock(lock);
	}
	signals_restore(signals);
	return has;
}

struct collection {
	int dir;
	u32 removed;
	u32 kept; /* weight */
	bool changed;
};

static bool collect_object(const char *name, void *arg)
{
	struct collection *c = arg;
	struct stat st;
	u32 id;

	if (!parse_name(name, &id) || sys_fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return true;
	if (!is_garbage(c->dir, name, &st) || sys_unlinkat(c->dir, name, 0)) {
		c->kept += object_weight(&st);
		if (S_ISREG(st.st_mode) && st.st_nlink > 1)
			c->changed |= release_unused(c->dir, name, &st);
		return true;
	}
	object_remove_refs(c->dir, name);
	c->removed++;
	c->changed = true;
	return true;
}

/* A holder that has gone leaves its references when its collector was killed. */
static bool collect_orphan_refs(const char *name, void *arg)
{
	struct collection *c = arg;
	struct stat st;

	if (sys_fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT &&
	    object_remove_refs(c->dir, name))
		c->changed = true;
	return true;
}

/* Removing a holder may leave its targets without reference: until nothing changes. */
static void collect_locked(int dir)
{
	struct collection c = {.dir = dir};

	do {
		c.changed = false;
		c.kept = 0;
		for_each_entry(dir, ".", collect_object, &c);
		for_each_entry(dir, "refs", collect_orphan_refs, &c);
	} while (c.changed);
	store_relaxed(&realm_state()->kept, c.kept);
	store_relaxed(&realm_state()->created, 0);
	atomic_add(&realm_state()->removed, c.removed);
}

void object_collect(void)
{
	u64 signals;
	int lock, dir;

	if (realm_open())
		return;
	signals = signals_block();
	lock = realm_lock(true);
	if (lock >= 0) {
		dir = realm_dir();
		if (dir >= 0)
			collect_locked(dir);
		realm_unlock(lock);
	}
	signals_restore(signals);
	object_sweep_if_due();
}

void object_collect_if_due(void)
{
	const struct realm_state *state = realm_state();

	if (load_relaxed(&state->created) > MAX(COLLECT_MIN, load_relaxed(&state->kept)))
		object_collect();
}

/*
 * Does the object exist, once what nobody refers to has gone? A further name may be a reference
 * from garbage, so only a descriptor speaks for itself.
 */
static bool is_live(int dir, const char *name)
{
	struct stat st;

	if (sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	if (is_held(dir, name))
		return true;
	collect_locked(dir);
	return !sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
}

struct search {
	u32 kind;
	u32 above;
	u32 best; /* 0: none */
};

static bool find_next(const char *name, void *arg)
{
	struct search *s = arg;
	u32 id, kind = parse_name(name, &id);

	if (kind == s->kind && id > s->above && (!s->best || id < s->best))
		s->best = id;
	return true;
}

static int next_id_locked(enum object_kind kind, u32 start, u32 *next)
{
	struct search s = {.kind = kind, .above = start};
	int err, dir = realm_dir();
	char name[OBJECT_NAME_BYTES];

	if (dir < 0)
		return dir;
	for (;; s.above = s.best) {
		s.best = 0;
		err = for_each_entry(dir, ".", find_next, &s);
		if (err || !s.best)
			return err ? err : -ENOENT;
		snprintf(name, sizeof(name), "%s.%u", object_type_of(kind)->name, s.best);
		if (is_live(dir, name)) {
			*next = s.best;
			return 0;
		}
	}
}

int object_next_id(enum object_kind kind, u32 start, u32 *next)
{
	int lock, err = realm_open();
	u64 signals;

	if (err)
		return err;
	if (!object_type_of(kind))
		return -ENOENT;
	signals = signals_block();
	err = lock = realm_lock(true);
	if (lock >= 0) {
		err = next_id_locked(kind, start, next);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return err;
}

/* The name says one thing; a file that somebody else put there may be another. */
static bool is_object(int fd, enum object_kind kind, u32 id)
{
	struct region_stamp stamp;

	return !region_read_stamp(fd, &stamp) && stamp.kind == (u32)kind && stamp.id == id;
}

static int open_id_locked(enum object_kind kind, u32 id, enum object_access access)
{
	char name[OBJECT_NAME_BYTES];
	int fd, dir = realm_dir();

	if (dir < 0)
		return dir;
	snprintf(name, sizeof(name), "%s.%u", object_type_of(kind)->name, id);
	if (!is_live(dir, name))
		return -ENOENT;
	fd = object_open_named(name, access);
	if (fd < 0 || is_object(fd, kind, id))
		return fd;
	sys_close(fd);
	return -ENOENT;
}

int object_open_id(enum object_kind kind, u32 id, enum object_access access)
{
	int lock, fd = realm_open();
	u64 signals;

	if (fd)
		return fd;
	if (!object_type_of(kind))
		return -ENOENT;
	signals = signals_block();
	fd = lock = realm_lock(true);
	if (lock >= 0) {
		fd = open_id_locked(kind, id, access);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return fd;
}
