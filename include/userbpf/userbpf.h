/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * userbpf.h: BPF maps and programs as a library. Link with -luserbpf, which also serves bpf(2) to
 * the whole process: libbpf and others that call libc's syscall() reach userbpf, not the kernel.
 *
 * Conventions
 * - Results are 0 or more; errors are -errno. errno itself is never changed, nothing is printed,
 *   the process is never ended, no signal handler is installed.
 * - 524 (ENOTSUPP, without a name in user space) is what the kernel says for an operation that a
 *   map or program type does not have.
 * - Map handles and program handles may be used by any number of threads at once. A handle must not
 *   be used by another thread during or after its close. Runners belong to one thread at a time.
 * - Handles stay valid in a child after fork() and refer to the same, shared, objects.
 * - A process that is killed at any moment leaves every map whole and usable for the others.
 * - Memory that a caller passes must be there: a wild pointer is a crash, not -EFAULT.
 * - Names, types, flags and limits are those of <linux/bpf.h> and bpf(2).
 */
#ifndef USERBPF_USERBPF_H
#define USERBPF_USERBPF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Structures of options grow at their end. size says what the caller knows of one: set it to sizeof
 * and what is not used to zero. -EINVAL: size is too small, or above 4096. -E2BIG: a member that
 * this library does not know is not zero.
 */

/* Process */

struct userbpf_init_opts {
	size_t size;
	/* Of these NULL and "" are the same. */
	const char *dir;   /* where realms are; NULL: $USERBPF_DIR, else /dev/shm/userbpf-<uid> */
	const char *realm; /* NULL: $USERBPF_REALM, else "default" */
};

/*
 * Opens the realm: what the machine is to ids and pins in the kernel. Processes share objects if
 * they share a realm, also with `userbpf run`. Optional: the first call of anything else opens the
 * default one. opts may be NULL. After a failure another realm may be tried.
 * 0. -EBUSY: opts names a realm, and one is open already. -EINVAL: size; realm is no name, or its
 * files are of another build. -EPERM: the directory is another user's, open to others, or in use in
 * another pid namespace; realm begins with "private-" and is not there, since only `userbpf run`
 * makes those. -ENOENT: dir lies in no directory; else what mkdir(2) says. -ENAMETOOLONG, -ENOMEM,
 * -EMFILE.
 */
int userbpf_init(const struct userbpf_init_opts *opts);

/* The library's version, such as "0.1.0"; a constant. */
const char *userbpf_version(void);

/*
 * Gives the map or program behind fd a name below /sys/fs/bpf, which is a directory of the realm.
 * It lives until unlink(2) removes the name. 0, or what BPF_OBJ_PIN says: -EEXIST, -ENOENT: no such
 * directory, -EPERM: not below /sys/fs/bpf, or a dot in the name, -EINVAL: no such descriptor.
 */
int userbpf_pin(int fd, const char *path);
/*
 * A new descriptor of what has the name, to be closed by close(2). -ENOENT; -EACCES: no pin;
 * -EPERM: a dot in the name; -EMFILE.
 */
int userbpf_get_pinned(const char *path);

/* Maps */

struct userbpf_map;

struct userbpf_map_opts {
	size_t size;
	uint32_t type; /* BPF_MAP_TYPE_* */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;      /* BPF_F_* of map creation */
	int32_t inner_fd;    /* template, of an outer map */
	const char *name;    /* up to 15 of [A-Za-z0-9_.]; NULL: none */
	int32_t btf_fd;      /* used with one of the following */
	uint32_t btf_key_type_id;
	uint32_t btf_value_type_id;
	uint32_t numa_node;  /* with BPF_F_NUMA_NODE */
};

/*
 * Creates a map and opens it. 0 and *map; else *map is NULL: -EINVAL: size is too small, or a type,
 * size, flag or name that bpf(2) refuses; -E2BIG: too large; -EBADF: inner_fd, btf_fd; -524: BTF
 * with a type that takes none; -ENOMEM, -EMFILE; what userbpf_init() says.
 */
int userbpf_map_create(const struct userbpf_map_opts *opts, struct userbpf_map **map);
/*
 * Opens the map behind a descriptor, which came from libbpf, a pin, or another process. The handle
 * has a descriptor of its own; fd may be closed. 0 and *map; -EBADF; -EINVAL: no map of userbpf;
 * -ENOMEM, -EMFILE, what userbpf_init() says; *map is then NULL.
 */
int userbpf_map_open(int fd, struct userbpf_map **map);
/* Ends the handle. The map lives on while anything else refers to it. NULL is fine. */
void userbpf_map_close(struct userbpf_map *map);

/* The handle's descriptor, for bpf(2) and libbpf; closed with the handle, not before. */
int userbpf_map_fd(const struct userbpf_map *map);
uint32_t userbpf_map_type(const struct userbpf_map *map);
uint32_t userbpf_map_key_size(const struct userbpf_map *map);
uint32_t userbpf_map_value_size(const struct userbpf_map *map);
uint32_t userbpf_map_max_entries(const struct userbpf_map *map);
/*
 * Bytes of a value in the functions that copy: value_size, but for per-CPU maps one value for each
 * possible CPU, each rounded up to 8 bytes; for maps of maps the 4 bytes of a descriptor (update)
 * or an id (lookup).
 */
size_t userbpf_map_copy_size(const struct userbpf_map *map);

/*
 * Element functions check no identity, and make no system call but to wait for a lock and to change
 * maps of maps. A lookup takes no lock, a change one of a small part of the map, a queue's or
 * stack's the whole one's. Keys are key_size bytes; NULL for queues and stacks.
 *
 * Common errors: -EPERM: not allowed by the access of the descriptor that was opened (BPF_F_RDONLY,
 * BPF_F_WRONLY), or the map is frozen. -EINVAL: key is NULL, or must be. -524: not with this map
 * type. -EBUSY: from a signal handler, which interrupted a change in the same part of the map; or a
 * lock's owner has not moved for a second.
 */

/*
 * The value in the map itself; NULL: no such key, a type whose values programs do not see (queue,
 * stack, maps of maps, CPUs, sockets), or a descriptor that may not read. Valid until the handle is
 * closed; as for a program, after a delete its memory may come to hold the value of another key.
 * Readers and writers synchronise as they like (atomics); a special field such as bpf_spin_lock in
 * it is not to be touched, and nothing if the map is frozen or the descriptor may not write. An LRU
 * map counts this as a use. Per-CPU maps: the value of the CPU that the thread is on.
 */
void *userbpf_map_lookup(const struct userbpf_map *map, const void *key);
/* The same for a given CPU of a per-CPU map; NULL also for other maps and no such CPU. */
void *userbpf_map_lookup_cpu(const struct userbpf_map *map, const void *key, uint32_t cpu);
/*
 * The same for count keys that follow one another; values receives count pointers. The number of
 * keys that were found.
 */
size_t userbpf_map_lookup_batch(const struct userbpf_map *map, const void *keys, size_t count,
				void **values);
/*
 * Copies the value to copy_size bytes at value. flags: 0 or BPF_F_LOCK. 0; -ENOENT; -EINVAL: flags.
 * For queues and stacks: peek.
 */
int userbpf_map_copy(const struct userbpf_map *map, const void *key, void *value, uint64_t flags);
/* Copies the value and deletes the element, at once. 0; -ENOENT. */
int userbpf_map_take(const struct userbpf_map *map, const void *key, void *value);
/*
 * Sets the value of a key, from copy_size bytes. flags: BPF_ANY, BPF_NOEXIST, BPF_EXIST and
 * BPF_F_LOCK. 0; -EEXIST, -ENOENT: by flags; -E2BIG: the map is full, or the index beyond the
 * array; -EINVAL: flags; -ENOMEM: elements of BPF_F_NO_PREALLOC; for maps of maps -EBADF, -EINVAL:
 * the inner map.
 */
int userbpf_map_update(const struct userbpf_map *map, const void *key, const void *value,
		       uint64_t flags);
/* 0; -ENOENT; -EINVAL: elements of an array cannot be deleted. */
int userbpf_map_delete(const struct userbpf_map *map, const void *key);
/*
 * The first count keys, or keys and values, that follow one another. *done is the number of
 * elements that were changed before the first error, which is returned. done may be NULL.
 */
int userbpf_map_update_batch(const struct userbpf_map *map, const void *keys, const void *values,
			     size_t count, uint64_t flags, size_t *done);
int userbpf_map_delete_batch(const struct userbpf_map *map, const void *keys, size_t count,
			     size_t *done);
/*
 * Walks all keys: the one behind key, the first for NULL or a key that is not there. next may be
 * the same memory as key. 0; -ENOENT: that was the last one. Keys that come and go meanwhile may be
 * met or missed.
 */
int userbpf_map_next_key(const struct userbpf_map *map, const void *key, void *next);

/*
 * Queues and stacks; value_size bytes at value. push: flags BPF_ANY, or BPF_EXIST: the oldest gives
 * way; 0, -E2BIG: full, -EINVAL: flags. pop removes what peek shows; 0, -ENOENT: empty, and *value
 * is zeros.
 */
int userbpf_map_push(const struct userbpf_map *map, const void *value, uint64_t flags);
int userbpf_map_pop(const struct userbpf_map *map, void *value);
int userbpf_map_peek(const struct userbpf_map *map, void *value);

/* Programs */

struct userbpf_prog;
struct userbpf_runner;

/*
 * Flag: the caller vouches for the program; from now on it runs as machine code, without checks, in
 * this process. A wrong program then does what wrong machine code does. Without effect where there
 * is no JIT. Programs loaded with $USERBPF_TRUST=1 are trusted already.
 */
#define USERBPF_TRUST 1u

/*
 * Opens the program behind a descriptor, as userbpf_map_open() does for maps. flags: 0 or
 * USERBPF_TRUST; others: -EINVAL.
 */
int userbpf_prog_open(int fd, uint32_t flags, struct userbpf_prog **prog);
/* Runners made of it are closed first. NULL is fine. */
void userbpf_prog_close(struct userbpf_prog *prog);
int userbpf_prog_fd(const struct userbpf_prog *prog);
uint32_t userbpf_prog_type(const struct userbpf_prog *prog);

/*
 * One run: input and output. Programs on packets (socket filter, tc, XDP, cgroup_skb, lwt) take
 * data and may take a context; others take a context alone: syscall programs change it, raw
 * tracepoint programs read it as 64-bit words; for struct_ops programs these words are arguments,
 * and what structs they point to is read before and written after the run.
 */
struct userbpf_run {
	void *data;         /* the packet, from the link layer on */
	uint32_t data_size; /* its bytes; with data_room, after the run those it has then */
	uint32_t data_room; /* bytes at data, where the packet is put back; 0: it is not */
	void *ctx;          /* struct __sk_buff, xdp_md, ...: as ctx_in and ctx_out of
			       BPF_PROG_TEST_RUN; NULL: none */
	uint32_t ctx_size;  /* bytes at ctx */
	uint32_t retval;    /* result: R0 */
	int32_t error;      /* result: 0 or -errno */
	uint32_t reserved;  /* 0 */
};

/*
 * What one thread needs to run prog again and again. 0 and *runner; else *runner is NULL: -ENOMEM;
 * -524: programs of this type cannot be run.
 */
int userbpf_runner_open(struct userbpf_prog *prog, struct userbpf_runner **runner);
void userbpf_runner_close(struct userbpf_runner *runner);
/*
 * Runs the program count times, in order, without a system call; all of them, whatever one returns.
 * Meanwhile the thread owns a virtual CPU, whose values in per-CPU maps are its own. Returns 0, or
 * the error of the first run that has one. Each run has its own in error: -EINVAL: size of packet
 * or context, contents of ctx, or reserved; -ENOMEM: an XDP packet above 72 KiB; -E2BIG: unknown
 * bytes in ctx; -ENODEV: no such interface in ctx; -EFAULT: data is NULL and data_size is not 0,
 * or the checks stopped the program (`userbpf trace` tells why); -ENOSPC: the packet has grown
 * beyond data_room (what fits was put back, data_size tells the need), or ctx is smaller than the
 * structure.
 */
int userbpf_runner_run(struct userbpf_runner *runner, struct userbpf_run *runs, size_t count);

/* Where a packet would go that bpf_redirect() or bpf_redirect_map() redirected. */
struct userbpf_redirect {
	uint32_t map_id;  /* 0: bpf_redirect() and its like */
	uint32_t key;     /* in the map: of a CPUMAP the number of the CPU */
	uint32_t ifindex; /* the interface; 0: several (BPF_F_BROADCAST), or it is none */
	uint32_t flags;   /* as the program gave them */
};

/*
 * Where the last run sent its packet, which goes nowhere here. 0 and *redirect; -ENOENT: it did not
 * return the verdict to redirect, or had called no helper that says where to.
 */
int userbpf_runner_redirect(const struct userbpf_runner *runner, struct userbpf_redirect *redirect);

#ifdef __cplusplus
}
#endif

#endif
