/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object.c: object files, their descriptors and references, and the table of those that this
 * process has mapped. Knows no map, program or BTF beyond struct object_type.
 *
 * Rules that make the reference count exact:
 *   - names are created under the realm lock shared, removed and judged under it exclusive;
 *   - every flock on an object file is taken under the realm lock, and LOCK_EX only tries and only
 *     under the exclusive one. So who fails to get LOCK_EX has met an application's descriptor,
 *     never another judge, and LOCK_SH never waits.
 *
 * The table is read without a lock. The memory of a struct object is recycled for its kind only,
 * never freed, and "users" carries EVICTED while nobody may take a use; a reader counts itself in
 * first and then checks that it met the object it looked for.
 *
 *   | against       | find           | insert, evict | put            |
 *   | find          | free           | free          | free           |
 *   | insert, evict | free           | process lock  | free           |
 */
#include "object/object.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "object/internal.h"

/*
 * The file position of a descriptor, 63 bits:
 *     62..53 magic | 52..37 realm tag | 36..35 access | 34..32 kind | 31..0 id
 * The identity of an object is the same with access 0.
 */
#define POSITION_MAGIC 0x35bull
#define ACCESS_SHIFT 35
#define ACCESS_MASK (3ull << ACCESS_SHIFT)

#define EVICTED (1u << 30) /* in users; far above any number of threads */
#define OBJECT_NAME_BYTES 48      /* "<type name>.<id>.<slot>" */
#define TABLE_MIN 64

struct table {
	u32 mask;
	u32 used; /* slots that are not NULL */
	struct object *slots[];
};

static const struct object_type *types[OBJECT_KINDS];
static struct table *table;
static struct table *spare; /* of the same size as table, or NULL; process lock */
static struct object *unused[OBJECT_KINDS]; /* recycled memory; process lock */
static struct object gone;                  /* stands for a removed entry of the table */
static u32 seen_removed;                    /* realm_state()->removed at our last sweep */

static u64 identity_of(u32 tag, u32 kind, u32 id)
{
	return POSITION_MAGIC << 53 | (u64)(u16)tag << 37 | (u64)kind << 32 | id;
}

static inline bool is_position(s64 position)
{
	return (u64)position >> 53 == POSITION_MAGIC;
}

static inline u32 kind_of(u64 identity)
{
	return identity >> 32 & 7;
}

static inline u32 first_slot(u64 identity, u32 mask)
{
	return (u32)(identity * 0x9e3779b97f4a7c15u >> 32) & mask;
}

/* The acquire pairs with the release of the identity when the object was complete. */
static inline bool take_use(struct object *object, u64 identity)
{
	if (!(atomic_add(&object->users, 1) & EVICTED) &&
	    load_acquire(&object->identity) == identity)
		return true;
	atomic_sub(&object->users, 1);
	return false;
}

static inline struct object *find(u64 identity)
{
	struct table *t = load_acquire(&table); /* pairs with rebuild_table() */
	struct object *object;

	if (unlikely(!t))
		return NULL;
	for (u32 i = first_slot(identity, t->mask);; i = (i + 1) & t->mask) {
		object = load_acquire(&t->slots[i]); /* pairs with insert_locked() */
		if (!object)
			return NULL;
		if (load_relaxed(&object->identity) == identity && take_use(object, identity))
			return object;
	}
}

static int from_unknown_fd(int fd, s64 position, enum object_kind kind, struct object **object,
			   enum object_access *access);

s64 object_position(int fd)
{
	return sys_lseek(fd, 0, SEEK_CUR);
}

int object_from_fd(int fd, enum object_kind kind, struct object **object,
		   enum object_access *access)
{
	return object_at(fd, object_position(fd), kind, object, access);
}

int object_at(int fd, s64 position, enum object_kind kind, struct object **object,
	      enum object_access *access)
{
	struct object *found;

	if (unlikely(!is_position(position)))
		return from_unknown_fd(fd, position, kind, object, access);
	if (kind && kind_of((u64)position) != kind)
		return -EINVAL;
	found = find((u64)position & ~ACCESS_MASK);
	if (unlikely(!found))
		return from_unknown_fd(fd, position, kind, object, access);
	store_relaxed(&found->named_by, fd);
	*object = found;
	if (access)
		*access = (enum object_access)((u64)position >> ACCESS_SHIFT & 3);
	return 0;
}

bool object_is_open_here(const struct object *object)
{
	const s64 position = object_position(load_relaxed(&object->named_by));

	return is_position(position) && ((u64)position & ~ACCESS_MASK) == object->identity;
}

static int attach_id(u64 identity, struct object **object);

int object_from_id(enum object_kind kind, u32 id, struct object **object)
{
	u64 identity;
	int err = realm_open();

	if (err)
		return err;
	identity = identity_of(realm_state()->tag, kind, id);
	*object = find(identity);
	return likely(*object) ? 0 : attach_id(identity, object);
}

static void drop_untabled(struct object *object);

void object_put(struct object *object)
{
	/* Asked first: without our use a sweep may take the object out of the table. */
	const bool untabled = !load_relaxed(&object->identity);

	if (atomic_sub(&object->users, 1) == 1 && unlikely(untabled))
		drop_untabled(object);
}

/* Cold path: the table */

static u64 process_lock(void)
{
	const u64 signals = signals_block();

	while (lock_acquire(lock_of_process()) < 0)
		cpu_relax();
	return signals;
}

static void process_unlock(u64 signals)
{
	lock_release(lock_of_process());
	signals_restore(signals);
}

/* With one use, that of the caller. */
static struct object *alloc_object(const struct object_type *type)
{
	const u64 signals = process_lock();
	struct object *object = unused[type->kind];

	if (object)
		unused[type->kind] = object->next;
	process_unlock(signals);
	if (!object) {
		object = memory_zalloc(1, type->local_size);
		if (!object)
			return NULL;
		object->users = EVICTED;
	}
	memset(object + 1, 0, type->local_size - sizeof(*object));
	object->type = type;
	object->region = (struct region){0};
	object->id = 0;
	object->fd = object->named_by = -1;
	atomic_sub(&object->users, EVICTED - 1);
	return object;
}

/* The object must be unreachable and have EVICTED set. */
static void free_object(struct object *object)
{
	const u32 kind = object->type->kind;
	const u64 signals = process_lock();

	object->next = unused[kind];
	unused[kind] = object;
	process_unlock(signals);
}

static void put_in_table(struct table *t, struct object *object)
{
	u32 i = first_slot(object->identity, t->mask);

	while (t->slots[i])
		i = (i + 1) & t->mask;
	t->used++;
	store_release(&t->slots[i], object);
}

/* An empty table, the one put aside if it is large enough. */
static struct table *new_table(u32 size)
{
	struct table *t = spare;

	if (!t || t->mask != size - 1) {
		t = memory_alloc(sizeof(*t) + size * sizeof(t->slots[0]));
		if (!t)
			return NULL;
		t->mask = size - 1;
	}
	spare = NULL;
	t->used = 0;
	for (u32 i = 0; i < size; i++)
		store_relaxed(&t->slots[i], NULL);
	return t;
}

/*
 * Rebuilds the table without the removed entries, larger if need be. Readers may still walk the old
 * one, which is therefore never freed: it is put aside for the next time (to a reader it then shows
 * objects or their absence, and who does not find what there is looks again under the lock), or, if
 * it was smaller, given up; all of those sum up to one table.
 */
static bool rebuild_table(void)
{
	struct table *old = table, *new;
	u32 size = old ? old->mask + 1 : TABLE_MIN, live = 0;

	for (u32 i = 0; old && i <= old->mask; i++)
		live += old->slots[i] && old->slots[i] != &gone;
	while (size < 4 * live)
		size *= 2;
	new = new_table(size);
	if (!new)
		return false;
	for (u32 i = 0; old && i <= old->mask; i++)
		if (old->slots[i] && old->slots[i] != &gone)
			put_in_table(new, old->slots[i]);
	store_release(&table, new);
	spare = old && old->mask == new->mask ? old : NULL;
	return true;
}

/* Enters a complete object, unless another thread was faster: then takes a use of that one. */
static int insert_locked(struct object *object, u64 identity, struct object **winner)
{
	*winner = find(identity);
	if (*winner)
		return 0;
	if ((!table || 2 * table->used > table->mask) && !rebuild_table())
		return -ENOMEM;
	store_release(&object->identity, identity);
	put_in_table(table, object);
	*winner = object;
	return 0;
}

static int insert(struct object *object, u64 identity, struct object **winner)
{
	const u64 signals = process_lock();
	const int err = insert_locked(object, identity, winner);

	process_unlock(signals);
	return err;
}

static void name_of(const struct object *object, char *name)
{
	snprintf(name, OBJECT_NAME_BYTES, "%s.%u", object->type->name, object->id);
}

/* Is the object of our realm? Others cannot be found by name. */
static bool is_local(u64 identity)
{
	return identity == identity_of(realm_state()->tag, kind_of(identity), (u32)identity);
}

/* What has gone from the realm, and what is not of our realm and can be attached again. */
static bool is_evictable(int dir, const struct object *object)
{
	char name[OBJECT_NAME_BYTES];
	struct stat st;

	name_of(object, name);
	return !is_local(object->identity) ||
	       sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

/* Takes them out of the table, chained. *busy: some are in use and were left. */
static struct object *evict(int dir, bool *busy)
{
	const u64 signals = process_lock();
	struct object *evicted = NULL, *object;
	u32 free = 0;

	*busy = false;
	for (u32 i = 0; table && i <= table->mask; i++, free = 0) {
		object = table->slots[i];
		if (!object || object == &gone || !is_evictable(dir, object))
			continue;
		if (!atomic_cas(&object->users, &free, EVICTED)) {
			*busy = true;
			continue;
		}
		store_release(&object->identity, 0);
		store_release(&table->slots[i], &gone);
		object->next = evicted;
		evicted = object;
	}
	process_unlock(signals);
	return evicted;
}

/* Detaching one may end the last use of another: until nothing changes. */
static void sweep(void)
{
	struct object *evicted, *object;
	bool busy = false;
	int dir = realm_dir();

	while (dir >= 0 && (evicted = evict(dir, &busy))) {
		while ((object = evicted)) {
			evicted = object->next;
			object->type->detach(object);
			region_detach(&object->region);
			free_object(object);
		}
		dir = realm_dir();
	}
	if (busy)
		atomic_sub(&seen_removed, 1); /* not done: due again */
}

void object_sweep_if_due(void)
{
	const u32 removed = load_relaxed(&realm_state()->removed);

	if (atomic_exchange(&seen_removed, removed) != removed)
		sweep();
}

/* Cold path: attaching */

const struct object_type *object_type_of(u32 kind)
{
	return kind < OBJECT_KINDS ? types[kind] : NULL;
}

void object_register(const struct object_type *type)
{
	types[type->kind] = type;
	region_set_layout(type->kind, type->layout);
}

/* Files of others than root and ourselves may hold anything behind a good stamp. */
static bool is_trusted(int fd)
{
	struct stat st;

	return !sys_fstat(fd, &st) && (st.st_uid == 0 || st.st_uid == sys_geteuid());
}

static void unmap_object(struct object *object)
{
	if (object->region.base)
		region_detach(&object->region);
	atomic_add(&object->users, EVICTED - 1);
	free_object(object);
}

static bool is_exhaustion(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/* Maps the object behind fd. identity is what the descriptor claims; the stamp must agree. */
static int attach_fd(int fd, u64 identity, struct object **object)
{
	const u32 kind = kind_of(identity);
	const struct object_type *type = kind < OBJECT_KINDS ? types[kind] : NULL;
	const struct region_stamp *stamp;
	struct object *fresh;
	int err;

	if (!type || !is_trusted(fd))
		return -EINVAL;
	fresh = alloc_object(type);
	if (!fresh)
		return -ENOMEM;
	err = region_attach(fd, kind, &fresh->region);
	if (err)
		goto unmap;
	stamp = region_stamp(&fresh->region);
	err = -EINVAL;
	if (identity_of(stamp->realm, stamp->kind, stamp->id) != identity)
		goto unmap;
	fresh->id = stamp->id;
	err = type->attach(fresh);
	if (err)
		goto unmap;
	err = insert(fresh, identity, object);
	if (!err && *object == fresh)
		return 0;
	type->detach(fresh);
unmap:
	unmap_object(fresh);
	return err;
}

static int attach_id(u64 identity, struct object **object)
{
	const u32 kind = kind_of(identity);
	char name[OBJECT_NAME_BYTES];
	struct stat st;
	int fd, err, dir = realm_dir();

	if (dir < 0)
		return dir;
	if (!types[kind])
		return -ENOENT;
	snprintf(name, sizeof(name), "%s.%u", types[kind]->name, (u32)identity);
	fd = sys_openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
		return is_exhaustion(fd) ? fd : -ENOENT;
	object_sweep_if_due();
	err = attach_fd(fd, identity, object);
	if (!err && !sys_fstat(fd, &st) && !st.st_nlink)
		atomic_sub(&seen_removed, 1); /* removed meanwhile: a sweep may have missed it */
	sys_close(fd);
	return err == -EINVAL ? -ENOENT : err;
}

static enum object_access native_access(int fd)
{
	switch (sys_fcntl(fd, F_GETFL, 0) & O_ACCMODE) {
	case O_RDONLY:
		return OBJECT_READ;
	case O_WRONLY:
		return OBJECT_WRITE;
	default:
		return OBJECT_READ_WRITE;
	}
}

/* A position without our magic: a file of the realm that was opened anew, or something else. */
static int identity_from_file(int fd, u64 *identity)
{
	struct region_stamp stamp;
	struct stat st, realm;
	int err = sys_fstat(fd, &st);

	if (err || !S_ISREG(st.st_mode) || realm_open() || sys_fstat(realm_dir(), &realm) ||
	    st.st_dev != realm.st_dev)
		return err == -EBADF ? -EBADF : -EINVAL;
	err = region_read_stamp(fd, &stamp);
	if (err)
		return err;
	if (!stamp.id)
		return -EINVAL;
	*identity = identity_of(stamp.realm, stamp.kind, stamp.id);
	return 0;
}

static void adopt_again(int fd, enum object_access access);

static int from_unknown_fd(int fd, s64 position, enum object_kind kind, struct object **object,
			   enum object_access *access)
{
	enum object_access native = OBJECT_READ_WRITE;
	u64 identity;
	int err = 0;

	if (position < 0) /* ESPIPE: no regular file */
		return position == -EBADF ? -EBADF : -EINVAL;
	if (is_position(position)) {
		identity = (u64)position & ~ACCESS_MASK;
		native = (enum object_access)((u64)position >> ACCESS_SHIFT & 3);
	} else {
		err = identity_from_file(fd, &identity);
		if (err)
			return err;
		native = native_access(fd);
		adopt_again(fd, native);
	}
	if (kind && kind_of(identity) != kind)
		return -EINVAL;
	*object = find(identity);
	if (!*object)
		err = attach_fd(fd, identity, object);
	if (!err && access)
		*access = native;
	return err;
}

/* Cold path: descriptors */

static int open_flags(enum object_access access)
{
	static const int flags[] = {
		[OBJECT_READ] = O_RDONLY, [OBJECT_WRITE] = O_WRONLY, [OBJECT_READ_WRITE] = O_RDWR};

	return flags[access];
}

/* A file system that cannot seek that far leaves the descriptor to be known by its stamp. */
static int hold(int fd, u64 identity, enum object_access access)
{
	const int err = sys_flock(fd, LOCK_SH | LOCK_NB);

	if (!err)
		sys_lseek(fd, (s64)(identity | (u64)access << ACCESS_SHIFT), SEEK_SET);
	return err;
}

int object_adopt_fd(int fd, enum object_access access)
{
	struct region_stamp stamp;
	struct stat st;
	int err = region_read_stamp(fd, &stamp);

	if (err)
		return err;
	if (!stamp.id)
		return -EINVAL;
	err = hold(fd, identity_of(stamp.realm, stamp.kind, stamp.id), access);
	if (err)
		return err;
	return sys_fstat(fd, &st) || !st.st_nlink ? -ENOENT : 0;
}

/* Best effort: without it the descriptor works, but slowly and uncounted. */
static void adopt_again(int fd, enum object_access access)
{
	const u64 signals = signals_block();
	const int lock = realm_lock(false);

	if (lock >= 0) {
		if (object_adopt_fd(fd, access))
			sys_flock(fd, LOCK_UN);
		realm_unlock(lock);
	}
	signals_restore(signals);
}

int object_open_path(int path_fd, enum object_access access)
{
	struct stat st;
	int fd, err;

	if (sys_fstat(path_fd, &st) || !S_ISREG(st.st_mode))
		return -EINVAL;
	fd = region_reopen(path_fd, open_flags(access));
	if (fd < 0)
		return fd;
	err = object_adopt_fd(fd, access);
	if (!err)
		return fd;
	sys_close(fd);
	return err;
}

int object_open_named(const char *name, enum object_access access)
{
	int fd, path_fd, dir = realm_dir();

	if (dir < 0)
		return dir;
	fd = path_fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (path_fd >= 0) {
		path_fd = region_raise_fd(path_fd);
		fd = object_open_path(path_fd, access);
		sys_close(path_fd);
	}
	return fd >= 0 || is_exhaustion(fd) ? fd : -ENOENT;
}

int object_open(struct object *object, enum object_access access)
{
	char name[OBJECT_NAME_BYTES];
	u64 signals;
	int lock, fd;

	if (realm_open() || !is_local(object->identity))
		return -ENOENT;
	name_of(object, name);
	signals = signals_block();
	fd = lock = realm_lock(false);
	if (lock >= 0) {
		fd = object_open_named(name, access);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return fd;
}

/* Cold path: creation */

static int create_region(struct object *object, u64 data_size, u64 control_size, unsigned flags)
{
	const int dir = realm_dir();

	if (dir < 0)
		return dir;
	return region_create(dir, object->type->kind, data_size, control_size, flags,
			     &object->region, &object->fd);
}

int object_create(const struct object_type *type, u64 data_size, u64 control_size, unsigned flags,
		  struct object **object)
{
	struct object *fresh;
	int err = realm_open();

	if (err)
		return err;
	object_collect_if_due();
	fresh = alloc_object(type);
	if (!fresh)
		return -ENOMEM;
	err = create_region(fresh, data_size, control_size, flags);
	if (err == -ENOMEM) {
		object_collect();
		err = create_region(fresh, data_size, control_size, flags);
	}
	if (err == -ENOMEM)
		region_no_room(realm_path(), fresh->region.size);
	if (err) {
		fresh->region.base = NULL;
		unmap_object(fresh);
		return err;
	}
	region_stamp(&fresh->region)->of_users = !!(flags & OBJECT_OF_USERS);
	*object = fresh;
	return 0;
}

const u32 *object_releases(const struct object *object)
{
	return &region_stamp(&object->region)->releases;
}

void object_discard(struct object *object)
{
	if (object->fd >= 0)
		sys_close(object->fd);
	unmap_object(object);
}

/* The last use of a published object that nobody else can find. */
static cold void drop_untabled(struct object *object)
{
	object->type->detach(object);
	region_detach(&object->region);
	atomic_add(&object->users, EVICTED);
	free_object(object);
}

/* Has the application closed our descriptor, and perhaps put another file in its place? */
static bool is_still_ours(const struct object *object)
{
	struct stat st;

	return !sys_fstat(object->fd, &st) && S_ISREG(st.st_mode) && !st.st_nlink &&
	       (u64)st.st_size == object->region.size;
}

static int no_space(int err)
{
	return err == -ENOSPC || err == -EDQUOT ? -ENOMEM : err;
}

/* suffix: what distinguishes several references between the same two. */
static int link_ref(int dir, const char *holder, const struct object *target, const char *suffix)
{
	char name[OBJECT_NAME_BYTES], path[2 * OBJECT_NAME_BYTES + 8];
	int err;

	if (!is_local(target->identity))
		return -EINVAL;
	name_of(target, name);
	snprintf(path, sizeof(path), "refs/%s", holder);
	err = sys_mkdirat(dir, path, 0700);
	if (err && err != -EEXIST)
		return no_space(err);
	snprintf(path, sizeof(path), "refs/%s/%s%s", holder, name, suffix);
	err = sys_linkat(dir, name, dir, path, 0);
	return err == -EEXIST ? 0 : no_space(err);
}

/*
 * The holder's references come first and its name last, since the name makes it exist. The
 * descriptor is opened through the name, which readlink then shows.
 */
static int link_and_open(const struct object *object, struct object *const *refs, unsigned nr_refs,
			 u64 identity, enum object_access access)
{
	char name[OBJECT_NAME_BYTES];
	int fd = 0, err, dir = realm_dir();

	if (dir < 0)
		return dir;
	name_of(object, name);
	for (unsigned i = 0; i < nr_refs && !fd; i++)
		fd = link_ref(dir, name, refs[i], "");
	if (fd == -ENOENT)
		fd = -EBADF; /* the caller's descriptor of it was closed meanwhile */
	if (!fd)
		fd = no_space(region_link(object->fd, dir, name));
	if (fd)
		goto drop_refs;
	fd = sys_openat(dir, name, open_flags(access) | O_CLOEXEC, 0);
	if (fd < 0)
		goto unlink;
	err = hold(fd, identity, access);
	if (!err)
		return fd;
	sys_close(fd);
	fd = err;
unlink:
	sys_unlinkat(dir, name, 0);
drop_refs:
	object_remove_refs(dir, name);
	return fd;
}

static int name_and_open(const struct object *object, struct object *const *refs, unsigned nr_refs,
			 u64 identity, enum object_access access)
{
	const u64 signals = signals_block();
	const int lock = realm_lock(false);
	int fd = lock;

	if (lock >= 0) {
		fd = -EBADF;
		if (is_still_ours(object))
			fd = link_and_open(object, refs, nr_refs, identity, access);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return fd;
}

static int take_id(struct object *object)
{
	struct realm_state *state = realm_state();
	const u32 id = atomic_add(&state->next_id[object->type->kind], 1) + 1;

	if (!id || id > INT_MAX)
		return -ENOSPC;
	object->id = id;
	region_stamp(&object->region)->realm = state->tag;
	region_stamp(&object->region)->id = id;
	return 0;
}

static int publish_under_next_id(struct object *object, struct object *const *refs,
				 unsigned nr_refs, enum object_access access)
{
	struct object *winner;
	struct stat st;
	u64 identity;
	int fd, err = take_id(object);

	if (err)
		return err;
	identity = identity_of(realm_state()->tag, object->type->kind, object->id);
	err = object->type->attach(object);
	if (err)
		goto no_id;
	fd = name_and_open(object, refs, nr_refs, identity, access);
	if (fd == -ENOMEM) {
		object_collect();
		fd = name_and_open(object, refs, nr_refs, identity, access);
	}
	err = fd;
	if (fd < 0)
		goto detach;
	if (!sys_fstat(object->fd, &st))
		atomic_add(&realm_state()->created, object_weight(&st));
	sys_close(object->fd);
	object->fd = -1;
	object->named_by = fd;
	/*
	 * Another thread may have found the name and attached the object before us, or the table
	 * may not grow: ours then serves the caller only and goes with its use.
	 */
	if (!insert(object, identity, &winner) && winner != object)
		object_put(winner);
	return fd;
detach:
	object->type->detach(object);
no_id:
	object->id = 0;
	return err;
}

/* Whatever has the name of an id that was never given out: the next one will do. */
int object_publish(struct object *object, struct object *const *refs, unsigned nr_refs,
		   enum object_access access)
{
	int fd;

	do
		fd = publish_under_next_id(object, refs, nr_refs, access);
	while (fd == -EEXIST);
	return fd;
}

int object_ref_add(struct object *holder, struct object *target, u32 slot)
{
	char name[OBJECT_NAME_BYTES], suffix[16];
	int lock, err, dir;
	u64 signals;

	err = realm_open();
	if (err)
		return err;
	name_of(holder, name);
	snprintf(suffix, sizeof(suffix), ".%u", slot);
	signals = signals_block();
	err = lock = realm_lock(false);
	if (lock >= 0) {
		dir = realm_dir();
		err = dir < 0 ? dir : link_ref(dir, name, target, suffix);
		realm_unlock(lock);
	}
	signals_restore(signals);
	return err;
}

void object_ref_drop(struct object *holder, enum object_kind kind, u32 target_id, u32 slot)
{
	char name[OBJECT_NAME_BYTES], path[2 * OBJECT_NAME_BYTES];
	const int dir = realm_dir();

	if (dir < 0)
		return;
	name_of(holder, name);
	snprintf(path, sizeof(path), "refs/%s/%s.%u.%u", name, types[kind]->name, target_id, slot);
	sys_unlinkat(dir, path, 0);
}

static int open_refs(const struct object *holder)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	char name[OBJECT_NAME_BYTES], path[OBJECT_NAME_BYTES + 8];
	int err, fd, dir = realm_dir();

	if (dir < 0)
		return dir;
	name_of(holder, name);
	snprintf(path, sizeof(path), "refs/%s", name);
	fd = sys_openat(dir, path, flags, 0);
	if (fd != -ENOENT)
		return fd;
	err = sys_mkdirat(dir, path, 0700);
	return err && err != -EEXIST ? no_space(err) : sys_openat(dir, path, flags, 0);
}

int object_refs_lock(struct object *holder, u64 *signals)
{
	int fd, err = realm_open();

	if (err)
		return err;
	if (!is_local(holder->identity))
		return -EINVAL;
	*signals = signals_block();
	err = fd = open_refs(holder);
	if (fd >= 0) {
		fd = region_raise_fd(fd);
		err = realm_flock(fd, LOCK_EX);
		if (!err)
			return fd;
		sys_close(fd);
	}
	signals_restore(*signals);
	return err;
}

void object_refs_unlock(int lock, u64 signals)
{
	sys_flock(lock, LOCK_UN); /* not just closed: see realm_flock() */
	sys_close(lock);
	signals_restore(signals);
}
