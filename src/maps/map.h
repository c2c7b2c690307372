/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map.h: what a map is, and the contract of every map type.
 *
 * A type is one file that defines a struct map_ops, and one row in map_types.def. Facts that other
 * layers need are data in the ops table; BPF_MAP_TYPE_* is named nowhere outside src/maps.
 * Maps know no program, no verifier and no bpf_attr dispatch. The map commands of bpf(2) are the
 * map_* functions at the end: they take checked scalars and kernel-side buffers.
 */
#ifndef MAPS_MAP_H
#define MAPS_MAP_H

#include <linux/bpf.h>

#include "base/compiler.h"
#include "btf/btf.h"
#include "object/foreign.h"
#include "object/object.h"

/* Raised whenever what any type keeps in its file changes its meaning. */
#define MAP_FILE_FORMAT 5

#define MAP_PERCPU_VALUE_MAX 32768u
#define MAP_VALUE_MAX (4u << 20) /* the largest single allocation of the kernel */

/* What the inner maps of an outer one have in common; in the header since constant. */
struct map_template {
	u32 type; /* 0: the map is no outer one */
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 flags;
	u32 types; /* the BTF of what their values hold, which must be the same; 0: they hold nothing */
	struct btf_fields fields;
};

/* Shared, at the start of the control area of the map's file. Constant after creation, but for
 * frozen. Type-private control data follows at sizeof(struct map_header), 64-byte aligned. */
struct map_header {
	u32 type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 flags; /* without RDONLY, WRONLY: those belong to descriptors */
	u32 ncpus; /* possible CPUs when it was created: slots of per-CPU values */
	u64 extra;
	u64 seed; /* of the hash; 0 with ZERO_SEED */
	char name[BPF_OBJ_NAME_LEN];
	u32 btf_id;
	u32 btf_key_type_id;
	u32 btf_value_type_id;
	u32 kernel_value_type_id; /* in the kernel's BTF; 0: values have no type there */
	u32 frozen;
	u64 memlock; /* bytes shown in fdinfo */
	u64 owner;   /* what all objects in the map have of it, the type in the lowest byte; 0: there
			was none */
	struct btf_fields fields;
	struct map_template inner;
} cacheline_aligned;

struct btf_object;
struct map_ops;

/* Process-local. */
struct map {
	struct object object; /* first */
	const struct map_ops *ops;
	struct map_header *header;
	void *private;   /* the type's control data: header + 1 */
	u32 type;        /* what the header said when it was checked, and hot */
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 flags;
	u32 ncpus;
	u32 value_stride; /* value_size rounded up to 8 */
	u32 kernel_value_type_id;
	u64 extra;
	s32 lock_at;      /* offset of the spin lock in values; -1: none */
	s32 timer_at;     /* of the timer */
	s32 wq_at;        /* of the work queue */
	struct btf_fields fields; /* special fields in values */
	struct btf_object *types; /* with a use, where values hold objects; else NULL */
	/*
	 * Types whose elements all exist, for u32 keys: attach says where they lie, and engines look
	 * up without a call. The value of key k is at elements + k * value_stride, for MAP_PERCPU
	 * + cpu * cpu_stride. NULL: call lookup.
	 */
	u8 *elements;
	u64 cpu_stride;
	/*
	 * Types whose values are objects in an array: a word for each, the id in its lower half. The same
	 * word means the same object for as long as the map has users. NULL: ask object_id.
	 */
	const u64 *slots;
	void *local;      /* for the type's own process-local data; freed by its detach */
};

/* What MAP_CREATE asks for, attributes already separated from fds. */
struct map_spec {
	u32 type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 flags; /* RDONLY/WRONLY included */
	u32 numa_node;
	u64 extra;
	u32 ifindex;
	const char *name; /* checked, at most 15 characters */
	const struct btf *btf; /* NULL without type ids, or with an error */
	struct object *btf_object;
	u32 btf_key_type_id;
	u32 btf_value_type_id;
	u32 kernel_value_type_id;
	int late_error; /* of name and BTF, which the kernel looks at when there is memory */
	struct btf_fields fields; /* found by map_create() */
	struct map *inner; /* of maps: the template; NULL: inner_error says why there is none */
	int inner_error;
};

#define NUMA_NO_NODE 0xffffffffu

/* Values of per-CPU maps lie on all nodes: they refuse one. */
static inline bool map_spec_has_node(const struct map_spec *spec)
{
	return spec->flags & BPF_F_NUMA_NODE && spec->numa_node != NUMA_NO_NODE;
}

/* What an application asks mmap(2) for; address is also where it came to lie. */
struct map_mapping {
	u64 address, offset, len;
	int prot, flags, fd;
};

/*
 * MAP_ARENA: where programs of this process and where user space find the arena. The lower halves
 * of both addresses are equal; user_high and high are the upper ones.
 */
struct map_window {
	struct map *map; /* NULL: there is no arena */
	u64 user, user_size, user_high;
	u64 start, size, high;
};

/* How large the file must be. */
struct map_layout {
	u64 data_size;    /* mmapable part */
	u64 control_size; /* behind struct map_header */
	unsigned flags;   /* REGION_SPARSE */
	u64 memlock;
};

/* Facts about a type (map_ops.traits). */
enum map_traits {
	MAP_KEYLESS = 1 << 0,       /* key must be NULL */
	MAP_PERCPU = 1 << 1,        /* user values are ncpus slots of value_stride bytes */
	MAP_DIRECT_VALUE = 1 << 2,  /* programs may hold the address of the value (max_entries 1) */
	MAP_BTF_REFUSED = 1 << 3,   /* MAP_CREATE with BTF: ENOTSUPP */
	MAP_INFO_HASH = 1 << 4,     /* info has a SHA-256 of the frozen contents */
	MAP_SLEEPABLE = 1 << 5,     /* sleepable programs may use it */
	MAP_BATCH_LOOKUP = 1 << 6,  /* the batch commands that the type has; others: ENOTSUPP */
	MAP_BATCH_TAKE = 1 << 7,    /* LOOKUP_AND_DELETE_BATCH */
	MAP_BATCH_UPDATE = 1 << 8,
	MAP_BATCH_DELETE = 1 << 9,
	MAP_OFFLOAD = 1 << 10,      /* map_ifindex: EOPNOTSUPP for a device, not EINVAL */
	MAP_OWNED = 1 << 11,        /* programs that use it are owners as those in it; see map_claim() */
	MAP_INNER_ENTRIES = 1 << 12, /* as an inner map it needs the max_entries of the template */
	MAP_EXTRA = 1 << 13,        /* map_extra has a meaning; other types want 0 */
	MAP_VALUE_INPUT = 1 << 14,  /* LOOKUP and peek ask about the value that they are given */
	MAP_BTF_REQUIRED = 1 << 21, /* MAP_CREATE without BTF: EINVAL */
	MAP_OF_RUNS = 1 << 22,      /* values belong to a run; a program has one such map with and
				       one without MAP_PERCPU */
	MAP_ARENA = 1 << 29,        /* see mmap and window */
	MAP_INNER_REFUSED = 1 << 19, /* may not be an inner map */
	MAP_OPAQUE = 1 << 25,       /* what lookup gives programs can only be compared with NULL */
	MAP_INTERFACES = 1 << 24,   /* values begin with the number of a network interface */
	MAP_OF_METHODS = 1 << 26,   /* the value is a table of functions, with a type of the
				       kernel's BTF; programs cannot refer to it */
};

/* Special fields that values may have (map_ops.fields). */
enum map_fields {
	MAP_F_LOCK = BTF_LOCKS,
	MAP_F_TIMER = BTF_TASKS,
	MAP_F_OBJECT = BTF_FIELD_BIT(FIELD_REFCOUNT) | BTF_FIELD_BIT(FIELD_KPTR),
	MAP_F_ROOT = BTF_ROOTS,
};

/* Which helpers take this type (map_ops.helpers); the load-time permission matrix. */
enum map_helpers {
	MAP_H_LOOKUP = 1 << 0,
	MAP_H_UPDATE = 1 << 1,
	MAP_H_DELETE = 1 << 2,
	MAP_H_PUSH = 1 << 3,
	MAP_H_POP = 1 << 4,
	MAP_H_PEEK = 1 << 5,
	MAP_H_LOOKUP_PERCPU = 1 << 6,
	MAP_H_FOR_EACH = 1 << 7,
	MAP_H_TAIL_CALL = 1 << 8,
	MAP_H_REDIRECT = 1 << 9, /* its lookup says whether there is a target */
	MAP_H_PERF_EVENT = 1 << 12,
	MAP_H_STACKID = 1 << 13,
	MAP_H_SOCK_MAP = 1 << 20,
	MAP_H_SOCK_HASH = 1 << 21,
	MAP_H_REUSEPORT = 1 << 22,
	MAP_H_RINGBUF = 1 << 10,
	MAP_H_USER_RINGBUF = 1 << 11,
	MAP_H_SK_STORAGE = 1 << 14,
	MAP_H_TASK_STORAGE = 1 << 15,
	MAP_H_LOCAL_STORAGE = 1 << 18,
	MAP_H_CGROUP = 1 << 19,
	MAP_H_TIMER = 1 << 23,
};

/*
 * The contract of a map type. Unset operations answer as the kernel does for a type without them:
 * -ENOTSUPP for element and batch commands (map.c), refused at load for helpers.
 *
 * key and value point to readable memory of key_size and value_size bytes (values of per-CPU
 * types: see each operation). Nothing here ever touches application memory.
 */
struct map_ops {
	const char *name;  /* "hash" */
	u32 traits;
	enum object_kind value_kind; /* values are such objects; 0: they are plain bytes */
	/*
	 * Keys in the system call are descriptors of such things; 0: plain bytes. The operations get
	 * a struct foreign in place of the descriptor, and there is no get_next_key.
	 */
	enum foreign_kind key_kind;
	u32 helpers;
	u32 create_flags;  /* map_flags accepted at creation */
	u32 own_flags;     /* map_flags that every map of this type has */
	u32 fields;        /* enum map_fields */
	u64 owner_mask;    /* what the owners of one map have in common; 0: nothing */
	u32 program_attach; /* attach type of the programs that values name; see update_program */
	u32 redirect_flags; /* flags of redirect_map beyond the action for a missing target */
	u64 update_flags;  /* highest plain flag value accepted by update: 0 or BPF_EXIST */

	/*
	 * Program context: bounded, no allocation, no fd. Also used by the embedding API.
	 * lookup returns a pointer into the map, valid for the life of the mapping; it may be recycled
	 * for another key after a delete. Per-CPU types use vcpu_current() and plain value_size.
	 */
	void *(*lookup)(struct map *map, const void *key);
	void *(*lookup_percpu)(struct map *map, const void *key, u32 cpu);
	/* As lookup, where looking is no use of the element (a walk). Unset: lookup. */
	void *(*look)(struct map *map, const void *key);
	/*
	 * Begins to load what a lookup or change of this key will touch: the index first, and, once that
	 * has come, the element. For many keys in turn. Unset: there is nothing to wait for.
	 */
	void (*prefetch)(struct map *map, const void *key, bool element);
	int (*update)(struct map *map, const void *key, const void *value, u64 flags);
	int (*delete)(struct map *map, const void *key);
	/*
	 * Types without keys. pop and peek of an empty map: -ENOENT, and value_size zeros in value. With
	 * MAP_VALUE_INPUT peek and copy_value only read value.
	 */
	int (*push)(struct map *map, const void *value, u64 flags);
	int (*pop)(struct map *map, void *value);
	int (*peek)(struct map *map, void *value);
	/* In place of lookup, where values are objects: the id of the object, or 0. */
	u32 (*object_id)(struct map *map, const void *key);
	/*
	 * The start of the value that contains address, of value_size bytes; NULL if address is not
	 * inside a value of this map. The checked interpreter's question.
	 */
	void *(*value_at)(struct map *map, const void *address);
	/* The key with which a value lies in the map, or lay before it was deleted. With MAP_H_TIMER. */
	void (*key_of)(struct map *map, const void *value, void *key);

	/*
	 * System call context. value: the user layout (value_size, or ncpus * value_stride bytes for
	 * per-CPU types), in memory of ours.
	 */
	int (*copy_value)(struct map *map, const void *key, void *value); /* 0 or -ENOENT */
	/* The same under the value's spin lock, or -EBUSY. Types with MAP_F_LOCK. */
	int (*copy_value_locked)(struct map *map, const void *key, void *value);
	int (*update_user)(struct map *map, const void *key, const void *value, u64 flags);
	/* In place of update_user, where values are objects; NULL: error is why there is none. */
	int (*update_object)(struct map *map, const void *key, struct object *object, int error,
			     u64 flags);
	/*
	 * Before that, where elements go with the descriptor through which they came: that of key
	 * is to be fd's. And takes out those whose descriptor has gone.
	 */
	int (*take_element)(struct map *map, const void *key, int fd);
	void (*drop_gone)(struct map *map);
	/*
	 * In place of update_user, where the second word of a value may name a program; value has
	 * what the application wrote. program NULL: none was named, or error is why there is none.
	 */
	int (*update_program)(struct map *map, const void *key, const void *value,
			      struct object *program, int error, u64 flags);
	int (*lookup_and_delete)(struct map *map, const void *key, void *value);
	int (*get_next_key)(struct map *map, const void *key, void *next_key); /* key NULL: first */
	/*
	 * Batch walk: copies up to *count elements from *cursor on (0 starts) into keys and values
	 * and sets *count and *cursor. 0: more may follow; -ENOENT: that was the end (*count may
	 * still be > 0). with_delete removes what it returns. Unset: walk by get_next_key.
	 */
	int (*walk)(struct map *map, u32 *cursor, void *keys, void *values, u32 *count,
		    bool with_delete);
	/* May [offset, offset+len) of the fd be mapped so? 0 or the errno of mmap. */
	int (*mmap_check)(struct map *map, u64 offset, u64 len, int prot);
	/* In place of mmap_check, for types that choose the address: maps. */
	int (*mmap)(struct map *map, struct map_mapping *mapping);
	/* Are there writable mappings of applications? Unset: the kernel is asked. */
	bool (*written)(struct map *map);
	/* With mmap: what the kernel looks at before the rights of the descriptor. */
	int (*mmap_place)(const struct map *map, const struct map_mapping *mapping);
	/* For programs of this process; -EINVAL when the address in user space is not known yet. */
	int (*window)(struct map *map, struct map_window *window);
	/* As those of struct object_type. Unset: EPOLLERR, for ever. */
	u32 (*poll)(struct map *map);
	struct wake *(*wake)(struct map *map);

	/*
	 * Creation. check: the type's attribute rules, 0 or -errno, and may change spec->max_entries.
	 * layout: sizes. init: fills the zeroed control area. attach/detach: map->local.
	 */
	int (*check)(struct map_spec *spec);
	int (*check_btf)(const struct map_spec *spec);
	void (*layout)(const struct map_spec *spec, u32 ncpus, struct map_layout *layout);
	int (*init)(struct map *map);
	int (*attach)(struct map *map);
	void (*detach)(struct map *map);

	/* Walks everything and returns false at the first broken invariant; for tests. Quiescent. */
	bool (*is_valid)(struct map *map);
};

extern const struct object_type map_object_type;

static inline struct map *map_of(struct object *object)
{
	return container_of(object, struct map, object);
}

/* NULL for a type this build does not serve. */
const struct map_ops *map_ops_of(u32 type);

/*
 * MAP_CREATE behind the attribute: checks spec as the kernel does and returns a descriptor, or
 * -EINVAL, -E2BIG, -ENOTSUPP, -EOPNOTSUPP, -ENOMEM, -EMFILE.
 */
must_check int map_create(struct map_spec *spec);

/* May inner be an element of the outer map? */
bool map_inner_matches(const struct map *outer, const struct map *inner);

/* Are values maps? */
static inline bool map_ops_of_maps(const struct map_ops *ops)
{
	return ops->value_kind == OBJECT_MAP;
}

/*
 * Some maps hold what belongs together only: the first owner is theirs for ever. False: the map is
 * another's.
 */
bool map_claim(struct map *map, u64 owner);

static inline bool map_has_lock(const struct map *map)
{
	return map->lock_at >= 0;
}

/* As btf_part_at(), of a value. */
static inline bool map_value_part(const struct map *map, u32 offset, u32 *from, u32 *to)
{
	return btf_part_at(&map->fields, map->value_size, offset, from, to);
}

/* Bytes of a value as the system call sees it. */
u32 map_user_value_size(const struct map *map);

/*
 * The element commands. access is that of the descriptor. Buffers are ours. Errors are the
 * kernel's, in the kernel's order, from the permission check on (see docs/architecture.md).
 */
must_check int map_check_access(const struct map *map, enum object_access has,
				enum object_access needs);
int map_copy_value(struct map *map, const void *key, void *value);
/* BPF_F_LOCK; the map has a spin lock. */
int map_copy_value_locked(struct map *map, const void *key, void *value);
int map_update_user(struct map *map, const void *key, const void *value, u64 flags);
/* The value is an object, which the application named by a descriptor; see update_object. */
int map_update_object(struct map *map, const void *key, struct object *object, int error,
		      u64 flags);
/* The value may name a program; see update_program. */
int map_update_program(struct map *map, const void *key, const void *value,
		       struct object *program, int error, u64 flags);
int map_delete(struct map *map, const void *key);
int map_get_next_key(struct map *map, const void *key, void *next_key);
/* Of count keys that follow one another, not many; see map_ops.prefetch. */
void map_prefetch(struct map *map, const void *keys, size_t count);
int map_lookup_and_delete(struct map *map, const void *key, void *value);
/* As map_ops.walk, which the type must have. */
int map_walk(struct map *map, u32 *cursor, void *keys, void *values, u32 *count, bool with_delete);
/*
 * access is that of the descriptor. 0; -ENOTSUPP with special fields or MAP_OF_METHODS; -EPERM, also when frozen
 * before; -EBUSY while some process has it mapped writable.
 */
int map_freeze(struct map *map, enum object_access access);

#endif
