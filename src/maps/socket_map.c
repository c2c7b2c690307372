/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * socket_map.c: SOCKMAP, SOCKHASH, REUSEPORT_SOCKARRAY and XSKMAP, whose values are sockets of the
 * host. Owns which sockets may be values. Must not know programs; nothing is ever sent from here.
 *
 * A value comes as a descriptor of the calling process and is kept as what identifies the socket
 * (object/socket.h). All four types keep elements in a HASH without preallocation over the same
 * memory, which brings its synchronisation and repair; types with indices check them first.
 *
 * A socket does not know that it is in a map, so its end is found out by asking the host: when the
 * system call looks its element up, changes it, or finds the map full. Where the host does not
 * tell, the element stays.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "maps/array.h"
#include "maps/hash_within.h"
#include "object/socket.h"

#define KEY_MAX 512u

extern const struct map_ops sockhash_map_ops;

static struct map *hash_of(const struct map *map)
{
	return map->local;
}

static bool index_exists(const struct map *map, const void *key)
{
	return array_index(key) < map->max_entries;
}

/* An element whose socket is gone goes, too. */
static bool socket_get(struct map *map, const void *key, struct socket_id *socket)
{
	if (hash_map_ops.copy_value(hash_of(map), key, socket))
		return false;
	if (!socket_is_gone(socket))
		return true;
	hash_map_ops.delete(hash_of(map), key);
	return false;
}

/* By slots, since keys may lead in circles in a file that somebody scribbled on. False: the end. */
static bool next_element(const struct map *map, u32 *cursor, void *key, struct socket_id *socket)
{
	u32 count = 1;

	return !hash_map_ops.walk(hash_of(map), cursor, key, socket, &count, false) || count;
}

static bool remove_gone(struct map *map)
{
	u64 key[KEY_MAX / sizeof(u64)];
	struct socket_id socket;
	bool removed = false;
	u32 cursor = 0;

	while (next_element(map, &cursor, key, &socket))
		removed |= !socket_get(map, key, &socket);
	return removed;
}

static int put(struct map *map, const void *key, const struct socket_id *socket, u64 flags)
{
	struct socket_id old;
	int err;

	socket_get(map, key, &old);
	err = hash_map_ops.update(hash_of(map), key, socket, flags);
	if (err == -E2BIG && remove_gone(map))
		err = hash_map_ops.update(hash_of(map), key, socket, flags);
	return err;
}

/* The descriptor in a value. The high half of a long one is 0. */
static int read_fd(const struct map *map, const void *value, int *fd)
{
	u64 number = 0;

	memcpy(&number, value, map->value_size);
	*fd = (int)number;
	return map->value_size == sizeof(u64) && number > INT32_MAX ? -EINVAL : 0;
}

static int sock_update(struct map *map, const void *key, const void *value, u64 flags)
{
	struct socket_id socket;
	int fd, err = read_fd(map, value, &fd);

	if (err || fd < 0)
		return -EINVAL;
	err = socket_from_fd(fd, &socket);
	if (err)
		return err;
	if (!socket_can_be_redirected(fd, &socket))
		return -EOPNOTSUPP;
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (map->ops != &sockhash_map_ops && !index_exists(map, key))
		return -E2BIG;
	return put(map, key, &socket, flags);
}

static int check_index(const struct map *map, const void *key, u64 flags)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	return index_exists(map, key) ? 0 : -E2BIG;
}

static int check_presence(bool present, u64 flags)
{
	if (present && flags & BPF_NOEXIST)
		return -EEXIST;
	return !present && flags & BPF_EXIST ? -ENOENT : 0;
}

static bool is_in_map(struct map *map, const struct socket_id *socket)
{
	struct socket_id other;
	u32 key, cursor = 0;

	while (next_element(map, &cursor, &key, &other))
		if (other.cookie == socket->cookie)
			return true;
	return false;
}

static int reuseport_update(struct map *map, const void *key, const void *value, u64 flags)
{
	struct socket_id socket, old;
	int fd, err = check_index(map, key, flags);

	if (!err)
		err = read_fd(map, value, &fd);
	if (!err)
		err = socket_from_fd(fd, &socket);
	if (!err)
		err = check_presence(socket_get(map, key, &old), flags);
	if (!err)
		err = socket_check_reuseport(fd, &socket);
	if (err)
		return err;
	return is_in_map(map, &socket) ? -EBUSY : put(map, key, &socket, flags);
}

static int xsk_update(struct map *map, const void *key, const void *value, u64 flags)
{
	struct socket_id socket, old;
	int fd, err = check_index(map, key, flags);
	bool present;

	if (!err)
		err = read_fd(map, value, &fd);
	if (!err)
		err = socket_from_fd(fd, &socket);
	if (err)
		return err;
	if (socket.family != AF_XDP)
		return -EOPNOTSUPP;
	present = socket_get(map, key, &old);
	if (present && old.cookie == socket.cookie)
		return 0;
	return put(map, key, &socket, flags);
}

static int sockmap_delete(struct map *map, const void *key)
{
	struct socket_id socket;

	if (!index_exists(map, key) || !socket_get(map, key, &socket))
		return -EINVAL;
	return hash_map_ops.delete(hash_of(map), key) ? -EINVAL : 0;
}

static int sockhash_delete(struct map *map, const void *key)
{
	struct socket_id socket;

	return socket_get(map, key, &socket) ? hash_map_ops.delete(hash_of(map), key) : -ENOENT;
}

static int reuseport_delete(struct map *map, const void *key)
{
	return index_exists(map, key) ? sockhash_delete(map, key) : -E2BIG;
}

static int xsk_delete(struct map *map, const void *key)
{
	if (!index_exists(map, key))
		return -EINVAL;
	hash_map_ops.delete(hash_of(map), key);
	return 0;
}

static int socket_copy_value(struct map *map, const void *key, void *value)
{
	struct socket_id socket;

	if (map->value_size != sizeof(socket.cookie))
		return -ENOSPC;
	if (!socket_get(map, key, &socket))
		return -ENOENT;
	memcpy(value, &socket.cookie, sizeof(socket.cookie));
	return 0;
}

static int xsk_copy_value(struct map *map, const void *key, void *value)
{
	(void)map;
	(void)key;
	(void)value;
	return -EOPNOTSUPP;
}

static int sockhash_get_next_key(struct map *map, const void *key, void *next_key)
{
	struct socket_id socket;
	int err = 0;

	for (u32 i = 0; i <= map->max_entries && !err; i++) {
		err = hash_map_ops.get_next_key(hash_of(map), key, next_key);
		if (!err && socket_get(map, next_key, &socket))
			return 0;
	}
	return -ENOENT;
}

/* Program context: is there a socket to redirect to? */
static void *socket_lookup(struct map *map, const void *key)
{
	return hash_map_ops.lookup(hash_of(map), key);
}

static void *socket_value_at(struct map *map, const void *address)
{
	return hash_map_ops.value_at(hash_of(map), address);
}

/* Cold path */

/* memlock as a 6.18 kernel counts it. */
enum { KERNEL_SOCKMAP = 376, KERNEL_SOCKHASH = 384, KERNEL_XSKMAP = 304, KERNEL_REUSEPORT = 296 };

static cold int array_check(struct map_spec *spec)
{
	const bool value = spec->value_size == 4 || spec->value_size == 8;

	if (!spec->max_entries || spec->key_size != 4 || !value)
		return -EINVAL;
	return spec->max_entries > 1u << 27 ? -ENOMEM : 0; /* the largest HASH */
}

static cold int xsk_check(struct map_spec *spec)
{
	return spec->value_size == 4 ? array_check(spec) : -EINVAL;
}

static cold int sockhash_check(struct map_spec *spec)
{
	const bool value = spec->value_size == 4 || spec->value_size == 8;

	if (!spec->max_entries || !spec->key_size || !value)
		return -EINVAL;
	if (spec->key_size > KEY_MAX)
		return -E2BIG;
	return spec->max_entries > 1u << 27 ? -EINVAL : 0;
}

static cold int reuseport_check_btf(const struct map_spec *spec)
{
	(void)spec;
	return 0;
}

static struct hash_within elements_like(u32 key_size, u32 max_entries)
{
	return (struct hash_within){key_size, sizeof(struct socket_id), max_entries,
				    BPF_F_NO_PREALLOC};
}

static struct hash_within elements_of(const struct map *map)
{
	return elements_like(map->key_size, map->max_entries);
}

static cold void hash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	const struct hash_within like = elements_like(spec->key_size, spec->max_entries);

	hash_within_layout(&like, ncpus, layout);
}

static cold void sockmap_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	hash_layout(spec, ncpus, layout);
	layout->memlock = KERNEL_SOCKMAP + 8ull * spec->max_entries;
}

static cold void xsk_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	hash_layout(spec, ncpus, layout);
	layout->memlock = KERNEL_XSKMAP + 8ull * spec->max_entries;
}

static cold void reuseport_layout(const struct map_spec *spec, u32 ncpus,
				  struct map_layout *layout)
{
	hash_layout(spec, ncpus, layout);
	layout->memlock = KERNEL_REUSEPORT + 8ull * spec->max_entries;
}

static cold void sockhash_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	u64 buckets = 1;

	while (buckets < spec->max_entries)
		buckets *= 2;
	hash_layout(spec, ncpus, layout);
	layout->memlock = KERNEL_SOCKHASH + 16 * buckets;
}

static cold int socket_map_init(struct map *map)
{
	const struct hash_within like = elements_of(map);

	return hash_within_init(&like, map, 0);
}

static cold int socket_map_attach(struct map *map)
{
	struct map *hash = memory_alloc(sizeof(*hash));
	const struct hash_within like = elements_of(map);
	int err;

	if (!hash)
		return -ENOMEM;
	hash_within_connect(&like, map, hash);
	err = hash_map_ops.attach(hash);
	if (err)
		memory_free(hash);
	else
		map->local = hash;
	return err;
}

static cold void socket_map_detach(struct map *map)
{
	hash_map_ops.detach(hash_of(map));
	memory_free(map->local);
	map->local = NULL;
}

static cold bool socket_map_is_valid(struct map *map)
{
	return hash_map_ops.is_valid(hash_of(map));
}

/* Flags are the type's own business: what is wrong with the socket comes first. */
#define ANY_FLAGS UINT64_MAX

const struct map_ops sockmap_map_ops = {
	.name = "sockmap",
	.traits = MAP_BTF_REFUSED,
	.helpers = MAP_H_SOCK_MAP | MAP_H_REUSEPORT | MAP_H_DELETE,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.update_flags = ANY_FLAGS,
	.lookup = socket_lookup,
	.delete = sockmap_delete,
	.value_at = socket_value_at,
	.copy_value = socket_copy_value,
	.update_user = sock_update,
	.get_next_key = array_get_next_key,
	.check = array_check,
	.layout = sockmap_layout,
	.init = socket_map_init,
	.attach = socket_map_attach,
	.detach = socket_map_detach,
	.is_valid = socket_map_is_valid,
};

const struct map_ops sockhash_map_ops = {
	.name = "sockhash",
	.traits = MAP_BTF_REFUSED,
	.helpers = MAP_H_SOCK_HASH | MAP_H_REUSEPORT | MAP_H_DELETE,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.update_flags = ANY_FLAGS,
	.lookup = socket_lookup,
	.delete = sockhash_delete,
	.value_at = socket_value_at,
	.copy_value = socket_copy_value,
	.update_user = sock_update,
	.get_next_key = sockhash_get_next_key,
	.check = sockhash_check,
	.layout = sockhash_layout,
	.init = socket_map_init,
	.attach = socket_map_attach,
	.detach = socket_map_detach,
	.is_valid = socket_map_is_valid,
};

const struct map_ops reuseport_sockarray_map_ops = {
	.name = "reuseport_sockarray",
	.helpers = MAP_H_REUSEPORT,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |
			BPF_F_WRONLY_PROG,
	.update_flags = BPF_EXIST,
	.lookup = socket_lookup,
	.delete = reuseport_delete,
	.value_at = socket_value_at,
	.copy_value = socket_copy_value,
	.update_user = reuseport_update,
	.get_next_key = array_get_next_key,
	.check = array_check,
	.check_btf = reuseport_check_btf,
	.layout = reuseport_layout,
	.init = socket_map_init,
	.attach = socket_map_attach,
	.detach = socket_map_detach,
	.is_valid = socket_map_is_valid,
};

const struct map_ops xskmap_map_ops = {
	.name = "xskmap",
	.traits = MAP_BTF_REFUSED | MAP_OPAQUE,
	.helpers = MAP_H_LOOKUP | MAP_H_REDIRECT,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.update_flags = BPF_EXIST,
	.lookup = socket_lookup,
	.delete = xsk_delete,
	.copy_value = xsk_copy_value,
	.update_user = xsk_update,
	.get_next_key = array_get_next_key,
	.check = xsk_check,
	.layout = xsk_layout,
	.init = socket_map_init,
	.attach = socket_map_attach,
	.detach = socket_map_detach,
	.is_valid = socket_map_is_valid,
};
