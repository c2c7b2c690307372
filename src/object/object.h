/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * object.h: what an fd, an id and a pin stand for.
 *
 * An object is a file in the realm directory, named "<type name>.<id>". The application's fd is a
 * descriptor of that file which holds a shared flock: the kernel counts those references for us
 * through dup, fork, SCM_RIGHTS, mmap and SIGKILL. Every other reference is a further name (hard
 * link) of the file: pins are names below fs/, references held by other objects are names below
 * refs/<holder type>.<holder id>/. An object whose lock nobody holds and whose only name is its id
 * is garbage; whoever creates or looks up objects collects it.
 *
 * An fd is recognised by its file position (magic, realm tag, access, kind, id), which belongs to
 * the open file description; if that was lost, by the stamp in the file. Tables indexed by fd
 * numbers do not exist.
 *
 * Per process, an attached object is one struct object, embedded first in struct map, struct prog
 * and so on. It is found by identity without a lock, counted by users, and kept mapped after the
 * last put until the object is found dead.
 */
#ifndef OBJECT_OBJECT_H
#define OBJECT_OBJECT_H

#include "base/compiler.h"
#include "shm/region.h"

enum object_kind {
	OBJECT_MAP = 1,
	OBJECT_PROG,
	OBJECT_BTF,
	OBJECT_LINK,
	OBJECT_PERF,
	OBJECT_KINDS
};

/* What a descriptor may do; the kernel's FMODE. */
enum object_access { OBJECT_READ = 1, OBJECT_WRITE = 2, OBJECT_READ_WRITE = 3 };

/* Of the owner of an object: where it may be attached. */
#define OWNER_PLACE 0xffff0000ull

struct object;
struct wake;

struct object_type {
	enum object_kind kind;
	const char *name;      /* "bpf-map": file name and what readlink of an fd shows */
	size_t local_size;     /* bytes of the process-local structure that embeds struct object */
	u32 layout;            /* from the sizes of what the kind keeps in its files; in the stamp */
	/*
	 * Fills the local part from the mapped file; called once per process, also for a new object
	 * (after its control area has been written). -errno refuses the object.
	 */
	int (*attach)(struct object *object);
	/* Undoes attach; the region is unmapped afterwards. */
	void (*detach)(struct object *object);
	/*
	 * Objects that a map may hold together have the same of these, which is not 0. Unset: they are
	 * no different. The kernel's map owner: the type in the lowest byte, and OWNER_PLACE.
	 */
	u64 (*owner)(const struct object *object);
	/* What poll(2) says of a descriptor, as EPOLL* bits. Unset: as of any file. */
	u32 (*poll)(struct object *object);
	/*
	 * Who waits for that to change; NULL: it never does. Puts right what dead processes left, so
	 * that wake_missed() tells.
	 */
	struct wake *(*wake)(struct object *object);
};

struct object {
	const struct object_type *type;
	struct region region;
	u32 id;    /* 0 until published */
	u32 users; /* holders in this process */
	u64 identity;
	int fd;              /* the file while it has no name, else -1 */
	int named_by;        /* the application's descriptor that was met last; -1: none yet */
	struct object *next; /* among the unused memory of its kind */
};

/* Makes a kind known to this process; call before any other function, once per kind. */
void object_register(const struct object_type *type);

/* Beside those of region.h. */
enum { OBJECT_OF_USERS = 1 << 8 };

/*
 * A new, unnamed object with zeroed memory; the caller fills the control area, then publishes or
 * discards it. type->attach has not been called. flags: REGION_SPARSE; OBJECT_OF_USERS: it gives up
 * the references that it holds when no descriptor and no pin of it is left, though other objects
 * may still refer to it. See object_releases().
 * 0, or as region_create().
 */
must_check int object_create(const struct object_type *type, u64 data_size, u64 control_size,
			     unsigned flags, struct object **object);
/*
 * Gives the object its id and names, records the references it holds on others (may be none) and
 * returns a new descriptor with the access given. The caller keeps its use of *object and puts it.
 * On failure (-ENOMEM, -EMFILE, -ENOSPC, what attach says) the object is still to be discarded.
 */
must_check int object_publish(struct object *object, struct object *const *refs, unsigned nr_refs,
			      enum object_access access);
void object_discard(struct object *object);
/*
 * Adds (or drops) a reference from holder to target later on; slot distinguishes several
 * references between the same two. Adding an existing one is fine, and dropping one that is not.
 */
must_check int object_ref_add(struct object *holder, struct object *target, u32 slot);
void object_ref_drop(struct object *holder, enum object_kind kind, u32 target_id, u32 slot);
/*
 * For holders whose references change: one changer at a time, with its signals blocked meanwhile.
 * The kernel takes the lock from a changer that dies. Comes before the realm lock and before any
 * lock in shared memory. The lock, or -EINVAL for a holder of another realm, -EAGAIN, -ENOMEM.
 */
must_check int object_refs_lock(struct object *holder, u64 *signals);
void object_refs_unlock(int lock, u64 signals);

/*
 * The object behind an application's descriptor; the caller puts it. *access may be NULL.
 * -EBADF: not open. -EINVAL: open, but not an object of this kind (kind 0: any kind).
 */
must_check int object_from_fd(int fd, enum object_kind kind, struct object **object,
			      enum object_access *access);
/* The same in two steps. The position of a descriptor tells which object lies behind it. */
s64 object_position(int fd);
must_check int object_at(int fd, s64 position, enum object_kind kind, struct object **object,
			 enum object_access *access);
/* The object with this id, without a descriptor; -ENOENT. For references by id inside objects. */
must_check int object_from_id(enum object_kind kind, u32 id, struct object **object);
void object_put(struct object *object);

/* A new descriptor of an attached object or of an id. -ENOENT when it is gone, -EMFILE. */
must_check int object_open(struct object *object, enum object_access access);
must_check int object_open_id(enum object_kind kind, u32 id, enum object_access access);
/* Smallest id above start of a live object. 0, or -ENOENT. */
must_check int object_next_id(enum object_kind kind, u32 start, u32 *next);

/*
 * Pins. path is what the application wrote: absolute below /sys/fs/bpf (or below the realm's own
 * fs directory); dirfd as openat(2). pin: 0, -EPERM outside bpffs or for a dot in the name,
 * -EEXIST, -ENOENT, -ENAMETOOLONG, -EINVAL when fd is no object. get: fd, -ENOENT, -EACCES for
 * what is no pin, kind in *kind.
 */
must_check int object_pin(int fd, int dirfd, const char *path);
must_check int object_get_pinned(int dirfd, const char *path, enum object_access access);

/* Removes every object that nothing refers to. Cheap when there is nothing to do. */
void object_collect(void);

/* How often an OBJECT_OF_USERS has lost its references. What it says of older ones is void. */
const u32 *object_releases(const struct object *object);
/* Has any process a descriptor of it, or is it pinned? Quick if one was used here and is open. */
bool object_has_users(const struct object *object);
/* Takes them now if no descriptor and no pin is left; collections notice that sooner or later. */
void object_release(struct object *object);

#endif
