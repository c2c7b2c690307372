/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_map.c: map handles: every function and errno, on each kind of map; what descriptors allow;
 * threads, fork, and handles and descriptors that are closed while others are used.
 */
#include "api/api_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define HASH BPF_MAP_TYPE_HASH
#define ARRAY BPF_MAP_TYPE_ARRAY

static void test_create(void **state)
{
	struct userbpf_map_opts opts = {.size = sizeof(opts),
					.type = HASH,
					.key_size = 4,
					.value_size = 8,
					.max_entries = 10,
					.name = "named"};
	struct bpf_map_info info = {0};
	union test_attr attr = {
		.a.info = {.info_len = sizeof(info), .info = (uint64_t)(uintptr_t)&info}};
	struct userbpf_map *map;

	errno = 77;
	assert_int_equal(userbpf_map_create(&opts, &map), 0);
	assert_int_equal(userbpf_map_type(map), HASH);
	assert_int_equal(userbpf_map_key_size(map), 4);
	assert_int_equal(userbpf_map_value_size(map), 8);
	assert_int_equal(userbpf_map_max_entries(map), 10);
	assert_int_equal(userbpf_map_copy_size(map), 8);
	attr.a.info.bpf_fd = (uint32_t)userbpf_map_fd(map);
	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.a)), 0);
	assert_string_equal(info.name, "named");
	assert_true(fcntl(userbpf_map_fd(map), F_GETFD) & FD_CLOEXEC);
	userbpf_map_close(map);
	userbpf_map_close(NULL);
	assert_int_equal(errno, 77);
}

static void test_create_errors(void **state)
{
	struct {
		struct userbpf_map_opts opts;
		uint64_t more;
	} longer = {.opts = {.size = sizeof(longer),
			     .type = HASH,
			     .key_size = 4,
			     .value_size = 8,
			     .max_entries = 10}};
	struct userbpf_map_opts opts = longer.opts;
	struct userbpf_map *map = (void *)1;

	errno = 77;
	opts.size = 0;
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	assert_null(map);
	opts.size = offsetof(struct userbpf_map_opts, inner_fd) - 1;
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	opts.size = (size_t)-1;
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	longer.more = 1;
	assert_int_equal(userbpf_map_create(&longer.opts, &map), -E2BIG);
	longer.more = 0;
	assert_int_equal(userbpf_map_create(&longer.opts, &map), 0);
	userbpf_map_close(map);
	opts.size = offsetof(struct userbpf_map_opts, inner_fd);
	assert_int_equal(userbpf_map_create(&opts, &map), 0);
	userbpf_map_close(map);
	opts.size = sizeof(opts);
	opts.name = "sixteen_letters_";
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	opts.name = "bad name";
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	opts.name = NULL;
	opts.max_entries = 0;
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	opts.max_entries = 1u << 30;
	assert_int_equal(userbpf_map_create(&opts, &map), -E2BIG);
	opts.type = 0xffffffff;
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	assert_null(map);
	assert_int_equal(errno, 77);
}

static void test_open(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 10, 0), *again;
	int fd = dup(userbpf_map_fd(map)), file = open("/dev/null", O_RDONLY);
	uint32_t key = 1;
	uint64_t value = 2;

	assert_int_equal(userbpf_map_update(map, &key, &value, BPF_ANY), 0);
	assert_int_equal(userbpf_map_open(-1, &again), -EBADF);
	assert_null(again);
	assert_int_equal(userbpf_map_open(9999, &again), -EBADF);
	assert_int_equal(userbpf_map_open(file, &again), -EINVAL);
	assert_null(again);
	/* The map outlives the handle that made it and the descriptor it was opened from. */
	userbpf_map_close(map);
	assert_int_equal(userbpf_map_open(fd, &again), 0);
	close(fd);
	assert_int_equal(*(uint64_t *)userbpf_map_lookup(again, &key), 2);
	close(file);
	userbpf_map_close(again);
}

static void test_exhaustion(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 10, 0), *again;
	struct userbpf_map_opts opts = {.size = sizeof(opts),
					.type = HASH,
					.key_size = 4,
					.value_size = 4000,
					.max_entries = 1u << 27};
	struct rlimit limit, none;

	assert_int_equal(userbpf_map_create(&opts, &again), -ENOMEM);
	opts.max_entries = 1;
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(userbpf_map_open(userbpf_map_fd(map), &again), -EMFILE);
	assert_null(again);
	assert_int_equal(userbpf_map_create(&opts, &again), -EMFILE);
	assert_null(again);
	setrlimit(RLIMIT_NOFILE, &limit);
	userbpf_map_close(map);
}

/* Maps with BTF: [1] int, [2] struct bpf_spin_lock, [3] struct { bpf_spin_lock lock; int n; } */

static int load_btf(void)
{
	static const char strings[] = "\0int\0bpf_spin_lock\0val\0value\0lock\0n";
	enum { INT = 1, SPIN_LOCK = 5, VAL = 19, VALUE = 23, LOCK = 29, N = 34 };
	static const uint32_t types[] = {
		INT, 1u << 24, 4, 1u << 24 | 32,
		SPIN_LOCK, 4u << 24 | 1, 4, VAL, 1, 0,
		VALUE, 4u << 24 | 2, 8, LOCK, 2, 0, N, 1, 32,
	};
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t hdr_len, type_off, type_len, str_off, str_len;
		uint8_t data[sizeof(types) + sizeof(strings)];
	} btf = {.magic = 0xeb9f,
		 .version = 1,
		 .hdr_len = 24,
		 .type_len = sizeof(types),
		 .str_off = sizeof(types),
		 .str_len = sizeof(strings)};
	union test_attr attr = {.a = {.btf = ptr64(&btf), .btf_size = 24 + sizeof(btf.data)}};
	int fd;

	memcpy(btf.data, types, sizeof(types));
	memcpy(btf.data + sizeof(types), strings, sizeof(strings));
	fd = (int)bpf_sys(BPF_BTF_LOAD, &attr, sizeof(attr.a));
	assert_true(fd >= 0);
	return fd;
}

static void test_spin_lock(void **state)
{
	struct userbpf_map_opts opts = {.size = sizeof(opts),
					.type = HASH,
					.key_size = 4,
					.value_size = 8,
					.max_entries = 4,
					.btf_fd = load_btf(),
					.btf_key_type_id = 1,
					.btf_value_type_id = 3};
	uint32_t key = 1, value[2] = {77, 5}, out[2];
	struct userbpf_map *map, *outer;

	assert_int_equal(userbpf_map_create(&opts, &map), 0);
	assert_int_equal(userbpf_map_copy(map, &key, out, BPF_F_LOCK), -ENOENT);
	assert_int_equal(userbpf_map_update(map, &key, value, BPF_ANY | BPF_F_LOCK), 0);
	assert_int_equal(userbpf_map_update(map, &key, value, BPF_EXIST | BPF_F_LOCK), 0);
	assert_int_equal(userbpf_map_copy(map, &key, out, BPF_F_LOCK), 0);
	assert_int_equal(out[0], 0); /* a lock is nobody's business */
	assert_int_equal(out[1], 5);
	userbpf_map_close(map);

	opts.btf_value_type_id = 99;
	assert_int_equal(userbpf_map_create(&opts, &map), -EINVAL);
	map = create_map(HASH, 4, 4, 4, 0);
	opts.type = BPF_MAP_TYPE_ARRAY_OF_MAPS;
	opts.value_size = 4;
	opts.btf_value_type_id = 1;
	opts.inner_fd = userbpf_map_fd(map);
	assert_int_equal(userbpf_map_create(&opts, &outer), -ENOTSUPP);
	opts.btf_key_type_id = opts.btf_value_type_id = 0;
	opts.inner_fd = -1;
	assert_int_equal(userbpf_map_create(&opts, &outer), -EBADF);
	userbpf_map_close(map);
	close(opts.btf_fd);
	opts.type = HASH;
	opts.btf_value_type_id = 1;
	assert_int_equal(userbpf_map_create(&opts, &map), -EBADF);
}

static void test_hash(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 2, 0);
	uint32_t keys[] = {1, 2, 3};
	uint64_t value = 10, out = 0, *inside;

	assert_null(userbpf_map_lookup(map, &keys[0]));
	assert_null(userbpf_map_lookup(map, NULL));
	assert_null(userbpf_map_lookup_cpu(map, &keys[0], 0));
	assert_int_equal(userbpf_map_copy(map, &keys[0], &out, 0), -ENOENT);
	assert_int_equal(userbpf_map_update(map, &keys[0], &value, BPF_EXIST), -ENOENT);
	assert_int_equal(userbpf_map_update(map, &keys[0], &value, BPF_NOEXIST), 0);
	assert_int_equal(userbpf_map_update(map, &keys[0], &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(userbpf_map_update(map, &keys[0], &value, 3), -EINVAL);
	assert_int_equal(userbpf_map_update(map, &keys[0], &value, 1ull << 63), -EINVAL);
	assert_int_equal(userbpf_map_update(map, &keys[0], &value, BPF_F_LOCK), -EINVAL);
	assert_int_equal(userbpf_map_update(map, NULL, &value, 0), -EINVAL);
	inside = userbpf_map_lookup(map, &keys[0]);
	assert_int_equal(*inside, 10);
	*inside = 11;
	assert_int_equal(userbpf_map_copy(map, &keys[0], &out, 0), 0);
	assert_int_equal(out, 11);
	assert_int_equal(userbpf_map_copy(map, &keys[0], &out, BPF_F_LOCK), -EINVAL);
	assert_int_equal(userbpf_map_copy(map, &keys[0], &out, 1), -EINVAL);
	assert_int_equal(userbpf_map_copy(map, NULL, &out, 0), -EINVAL);
	assert_int_equal(userbpf_map_update(map, &keys[1], &value, BPF_ANY), 0);
	assert_int_equal(userbpf_map_update(map, &keys[2], &value, BPF_ANY), -E2BIG);
	assert_int_equal(userbpf_map_take(map, &keys[0], &out), 0);
	assert_int_equal(out, 11);
	assert_int_equal(userbpf_map_take(map, &keys[0], &out), -ENOENT);
	assert_int_equal(userbpf_map_take(map, NULL, &out), -EINVAL);
	assert_int_equal(userbpf_map_delete(map, &keys[1]), 0);
	assert_int_equal(userbpf_map_delete(map, &keys[1]), -ENOENT);
	assert_int_equal(userbpf_map_delete(map, NULL), -EINVAL);
	assert_int_equal(userbpf_map_push(map, &value, 0), -ENOTSUPP);
	assert_int_equal(userbpf_map_pop(map, &out), -ENOTSUPP);
	assert_int_equal(userbpf_map_peek(map, &out), -ENOTSUPP);
	userbpf_map_close(map);
}

static void test_batch(void **state)
{
	enum { N = 100 };
	struct userbpf_map *map = create_map(HASH, 4, 8, N, 0);
	uint32_t keys[N + 1];
	uint64_t values[N + 1], *found[N + 1];
	size_t done = 77;

	for (uint32_t i = 0; i <= N; i++) {
		keys[i] = 1000 + i;
		values[i] = i;
	}
	assert_int_equal(userbpf_map_update_batch(map, keys, values, N + 1, BPF_ANY, &done), -E2BIG);
	assert_int_equal(done, N);
	assert_int_equal(userbpf_map_update_batch(map, keys, values, N, BPF_EXIST, NULL), 0);
	assert_int_equal(userbpf_map_update_batch(map, NULL, values, 1, 0, &done), -EINVAL);
	assert_int_equal(done, 0);
	assert_int_equal(userbpf_map_update_batch(map, keys, values, 0, 0, &done), 0);
	assert_int_equal(userbpf_map_lookup_batch(map, keys, N + 1, (void **)found), N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(*found[i], i);
	assert_null(found[N]);
	assert_int_equal(userbpf_map_lookup_batch(map, keys, 0, (void **)found), 0);
	assert_int_equal(userbpf_map_delete_batch(map, keys, N + 1, &done), -ENOENT);
	assert_int_equal(done, N);
	assert_int_equal(userbpf_map_delete_batch(map, NULL, 1, &done), -EINVAL);
	assert_int_equal(userbpf_map_lookup_batch(map, keys, N, (void **)found), 0);
	userbpf_map_close(map);
}

static void test_walk(void **state)
{
	enum { N = 500 };
	struct userbpf_map *map = create_map(HASH, 4, 8, N, 0);
	bool seen[N] = {false};
	uint32_t key, count = 0;
	uint64_t value = 0;
	int err;

	assert_int_equal(userbpf_map_next_key(map, NULL, &key), -ENOENT);
	for (key = 0; key < N; key++)
		assert_int_equal(userbpf_map_update(map, &key, &value, BPF_NOEXIST), 0);
	for (err = userbpf_map_next_key(map, NULL, &key); !err;
	     err = userbpf_map_next_key(map, &key, &key)) {
		assert_true(key < N && !seen[key]);
		seen[key] = true;
		count++;
	}
	assert_int_equal(err, -ENOENT);
	assert_int_equal(count, N);
	userbpf_map_close(map);
}

static void test_array(void **state)
{
	struct userbpf_map *map = create_map(ARRAY, 4, 8, 3, 0);
	uint32_t key = 2, beyond = 3, next = 77;
	uint64_t value = 5, out;

	assert_int_equal(userbpf_map_update(map, &key, &value, BPF_ANY), 0);
	assert_int_equal(userbpf_map_update(map, &key, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(userbpf_map_update(map, &beyond, &value, BPF_ANY), -E2BIG);
	assert_int_equal(*(uint64_t *)userbpf_map_lookup(map, &key), 5);
	assert_null(userbpf_map_lookup(map, &beyond));
	assert_int_equal(userbpf_map_copy(map, &beyond, &out, 0), -ENOENT);
	assert_int_equal(userbpf_map_delete(map, &key), -EINVAL);
	assert_int_equal(userbpf_map_take(map, &key, &out), -ENOTSUPP);
	assert_int_equal(userbpf_map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(userbpf_map_next_key(map, &key, &next), -ENOENT);
	userbpf_map_close(map);
}

static void test_percpu(void **state)
{
	static const uint32_t types[] = {BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
					 BPF_MAP_TYPE_LRU_PERCPU_HASH};
	const uint32_t cpus = possible_cpus(), key = 0;
	uint64_t *values = calloc(cpus, 8), *mine;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct userbpf_map *map = create_map(types[i], 4, 5, 1, 0);

		assert_int_equal(userbpf_map_copy_size(map), 8 * cpus);
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			values[cpu] = cpu + 1;
		assert_int_equal(userbpf_map_update(map, &key, values, BPF_ANY), 0);
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			assert_int_equal(*(uint8_t *)userbpf_map_lookup_cpu(map, &key, cpu),
					 cpu + 1);
		assert_null(userbpf_map_lookup_cpu(map, &key, cpus));
		assert_null(userbpf_map_lookup_cpu(map, &key, UINT32_MAX));
		assert_null(userbpf_map_lookup_cpu(map, NULL, 0));
		mine = userbpf_map_lookup(map, &key);
		assert_in_range(*(uint8_t *)mine, 1, cpus);
		memset(values, 0, 8 * cpus);
		assert_int_equal(userbpf_map_copy(map, &key, values, 0), 0);
		assert_int_equal(values[cpus - 1], cpus);
		userbpf_map_close(map);
	}
	free(values);
}

static void test_queue_stack(void **state)
{
	static const uint32_t types[] = {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK};

	for (size_t i = 0; i < 2; i++) {
		struct userbpf_map *map = create_map(types[i], 0, 4, 2, 0);
		const bool lifo = types[i] == BPF_MAP_TYPE_STACK;
		uint32_t one = 1, two = 2, three = 3, out = 77;

		assert_int_equal(userbpf_map_pop(map, &out), -ENOENT);
		assert_int_equal(out, 0);
		assert_int_equal(userbpf_map_peek(map, &out), -ENOENT);
		assert_int_equal(userbpf_map_push(map, &one, BPF_ANY), 0);
		assert_int_equal(userbpf_map_push(map, &two, BPF_NOEXIST), -EINVAL);
		assert_int_equal(userbpf_map_push(map, &two, 1ull << 40), -EINVAL);
		assert_int_equal(userbpf_map_update(map, NULL, &two, BPF_ANY), 0);
		assert_int_equal(userbpf_map_push(map, &three, BPF_ANY), -E2BIG);
		assert_int_equal(userbpf_map_peek(map, &out), 0);
		assert_int_equal(out, lifo ? 2 : 1);
		assert_int_equal(userbpf_map_push(map, &three, BPF_EXIST), 0);
		assert_int_equal(userbpf_map_pop(map, &out), 0);
		assert_int_equal(out, lifo ? 3 : 2);
		assert_int_equal(userbpf_map_copy(map, NULL, &out, 0), 0);
		assert_int_equal(userbpf_map_take(map, NULL, &out), 0);
		assert_int_equal(out, lifo ? 2 : 3);
		assert_int_equal(userbpf_map_copy(map, &one, &out, 0), -EINVAL);
		assert_int_equal(userbpf_map_update(map, &one, &one, 0), -EINVAL);
		assert_int_equal(userbpf_map_delete(map, NULL), -EINVAL);
		assert_int_equal(userbpf_map_next_key(map, NULL, &out), -EINVAL);
		assert_null(userbpf_map_lookup(map, NULL));
		assert_null(userbpf_map_lookup(map, &one));
		userbpf_map_close(map);
	}
}

static void test_map_of_maps(void **state)
{
	struct userbpf_map *inner = create_map(HASH, 4, 8, 4, 0), *outer;
	struct userbpf_map_opts opts = {.size = sizeof(opts),
					.type = BPF_MAP_TYPE_HASH_OF_MAPS,
					.key_size = 4,
					.value_size = 4,
					.max_entries = 4,
					.inner_fd = userbpf_map_fd(inner)};
	int fd = userbpf_map_fd(inner), bad = -1;
	uint32_t key = 1, id = 0;

	assert_int_equal(userbpf_map_create(&opts, &outer), 0);
	assert_int_equal(userbpf_map_copy_size(outer), 4);
	assert_int_equal(userbpf_map_update(outer, &key, &bad, BPF_ANY), -EBADF);
	assert_int_equal(userbpf_map_update(outer, &key, &fd, BPF_ANY), 0);
	assert_int_equal(userbpf_map_copy(outer, &key, &id, 0), 0);
	assert_int_not_equal(id, 0);
	assert_null(userbpf_map_lookup(outer, &key));
	fd = userbpf_map_fd(outer);
	assert_int_equal(userbpf_map_update(outer, &key, &fd, BPF_ANY), -EINVAL);
	assert_int_equal(userbpf_map_delete(outer, &key), 0);
	userbpf_map_close(outer);
	userbpf_map_close(inner);
}

static void test_read_only(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 4, BPF_F_RDONLY);
	uint32_t key = 1;
	uint64_t value = 1;

	assert_int_equal(userbpf_map_update(map, &key, &value, 0), -EPERM);
	assert_int_equal(userbpf_map_update_batch(map, &key, &value, 1, 0, NULL), -EPERM);
	assert_int_equal(userbpf_map_delete(map, &key), -EPERM);
	assert_int_equal(userbpf_map_take(map, &key, &value), -EPERM);
	assert_int_equal(userbpf_map_copy(map, &key, &value, 0), -ENOENT);
	userbpf_map_close(map);
	map = create_map(BPF_MAP_TYPE_QUEUE, 0, 8, 4, BPF_F_RDONLY);
	assert_int_equal(userbpf_map_push(map, &value, 0), -EPERM);
	assert_int_equal(userbpf_map_pop(map, &value), -EPERM);
	assert_int_equal(userbpf_map_peek(map, &value), -ENOENT);
	userbpf_map_close(map);
}

static void test_write_only(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 4, BPF_F_WRONLY);
	uint32_t key = 1;
	uint64_t value = 1;

	assert_int_equal(userbpf_map_update(map, &key, &value, 0), 0);
	assert_null(userbpf_map_lookup(map, &key));
	assert_int_equal(userbpf_map_copy(map, &key, &value, 0), -EPERM);
	assert_int_equal(userbpf_map_take(map, &key, &value), -EPERM);
	assert_int_equal(userbpf_map_next_key(map, NULL, &key), -EPERM);
	userbpf_map_close(map);
	map = create_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, BPF_F_WRONLY);
	assert_null(userbpf_map_lookup_cpu(map, &key, 0));
	userbpf_map_close(map);
	map = create_map(BPF_MAP_TYPE_QUEUE, 0, 8, 4, BPF_F_WRONLY);
	assert_int_equal(userbpf_map_peek(map, &value), -EPERM);
	userbpf_map_close(map);
}

static void test_frozen(void **state)
{
	struct userbpf_map *map = create_map(ARRAY, 4, 8, 4, 0);
	union test_attr attr = {.a.map_fd = (uint32_t)userbpf_map_fd(map)};
	uint32_t key = 1;
	uint64_t value = 1;

	assert_int_equal(userbpf_map_update(map, &key, &value, 0), 0);
	assert_int_equal(bpf_sys(BPF_MAP_FREEZE, &attr, sizeof(attr.a)), 0);
	assert_int_equal(userbpf_map_update(map, &key, &value, 0), -EPERM);
	assert_int_equal(userbpf_map_copy(map, &key, &value, 0), 0);
	userbpf_map_close(map);
}

static void test_pins(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 4, 0), *again;
	int fd = userbpf_map_fd(map);
	uint32_t key = 1;
	uint64_t value = 4711;

	errno = 77;
	assert_int_equal(userbpf_map_update(map, &key, &value, 0), 0);
	assert_int_equal(userbpf_get_pinned("/sys/fs/bpf/table"), -ENOENT);
	assert_int_equal(userbpf_pin(-1, "/sys/fs/bpf/table"), -EINVAL);
	assert_int_equal(userbpf_pin(fd, "/dev/shm/table"), -EPERM);
	assert_int_equal(userbpf_pin(fd, "/sys/fs/bpf/a.table"), -EPERM);
	assert_int_equal(userbpf_pin(fd, NULL), -EFAULT);
	assert_int_equal(userbpf_get_pinned("/sys/fs/bpf/a.table"), -EPERM);
	assert_int_equal(userbpf_get_pinned("/sys/fs/bpf"), -EACCES);
	assert_int_equal(userbpf_pin(fd, "/sys/fs/bpf/table"), 0);
	assert_int_equal(userbpf_pin(fd, "/sys/fs/bpf/table"), -EEXIST);
	assert_int_equal(userbpf_pin(fd, "/sys/fs/bpf/no/table"), -ENOENT);
	assert_int_equal(errno, 77);
	userbpf_map_close(map);
	fd = userbpf_get_pinned("/sys/fs/bpf/table");
	assert_true(fd >= 0);
	assert_int_equal(userbpf_map_open(fd, &again), 0);
	close(fd);
	assert_int_equal(*(uint64_t *)userbpf_map_lookup(again, &key), 4711);
	userbpf_map_close(again);
	assert_int_equal(unlink("/sys/fs/bpf/table"), 0);
	assert_int_equal(userbpf_get_pinned("/sys/fs/bpf/table"), -ENOENT);
}

static void test_fork(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 4, 0);
	uint32_t key = 1;
	uint64_t value = 1;
	int status;
	pid_t child;

	assert_int_equal(userbpf_map_update(map, &key, &value, 0), 0);
	child = fork();
	if (!child) {
		__atomic_fetch_add((uint64_t *)userbpf_map_lookup(map, &key), 41,
				   __ATOMIC_RELAXED);
		key = 2;
		status = userbpf_map_update(map, &key, &value, BPF_NOEXIST);
		userbpf_map_close(map);
		_exit(status != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(*(uint64_t *)userbpf_map_lookup(map, &key), 42);
	key = 2;
	assert_non_null(userbpf_map_lookup(map, &key));
	userbpf_map_close(map);
}

/* Threads with one handle count in shared values; others open and close handles of their own. */

enum { THREADS = 4, ROUNDS = 20000, KEYS = 16 };

static void *count(void *arg)
{
	struct userbpf_map *map = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t key = i % KEYS, own = KEYS + i % KEYS;
		uint64_t value = i;

		__atomic_fetch_add((uint64_t *)userbpf_map_lookup(map, &key), 1, __ATOMIC_RELAXED);
		if (userbpf_map_update(map, &own, &value, BPF_ANY))
			return "update";
		if (i % 3 == 0 && userbpf_map_take(map, &own, &value) && value >= ROUNDS)
			return "take";
	}
	return NULL;
}

static void *open_and_close(void *arg)
{
	struct userbpf_map *map;

	for (uint32_t i = 0; i < 500; i++) {
		int fd = dup(userbpf_map_fd(arg));
		uint32_t key = i % KEYS;

		if (userbpf_map_open(fd, &map))
			return "open";
		close(fd);
		if (!userbpf_map_lookup(map, &key))
			return "lookup";
		userbpf_map_close(map);
		userbpf_map_close(create_map(HASH, 4, 8, 4, 0));
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct userbpf_map *map = create_map(HASH, 4, 8, 2 * KEYS, 0);
	pthread_t threads[THREADS + 2];
	uint64_t value = 0, sum = 0;
	void *failed;

	for (uint32_t key = 0; key < KEYS; key++)
		assert_int_equal(userbpf_map_update(map, &key, &value, BPF_ANY), 0);
	for (int i = 0; i < THREADS + 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < THREADS ? count : open_and_close, map), 0);
	for (int i = 0; i < THREADS + 2; i++) {
		pthread_join(threads[i], &failed);
		if (failed)
			fail_msg("%s failed", (char *)failed);
	}
	for (uint32_t key = 0; key < KEYS; key++)
		sum += *(uint64_t *)userbpf_map_lookup(map, &key);
	assert_int_equal(sum, THREADS * ROUNDS);
	userbpf_map_close(map);
}

/*
 * In children of their own, which end with 0 if the answer is the expected one. After a failure the
 * default realm can still be opened.
 */
static int init_in_child(const struct userbpf_init_opts *opts, bool opened_before, int expected)
{
	pid_t child = fork();
	int status, err;

	if (!child) {
		err = opened_before ? userbpf_init(NULL) : 0;
		_exit(err || userbpf_init(opts) != expected || userbpf_init(NULL));
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

static void *init_realm(void *realm)
{
	const struct userbpf_init_opts opts = {.size = sizeof(opts), .realm = realm};

	return (void *)(intptr_t)userbpf_init(&opts);
}

/* Of two threads that want different realms one gets its own, the other is told. */
static void test_init_threads(void **state)
{
	for (int i = 0; i < 30; i++) {
		pid_t child = fork();
		pthread_t other;
		void *answer;
		int status;

		if (!child) {
			if (pthread_create(&other, NULL, init_realm, "one"))
				_exit(2);
			status = (int)(intptr_t)init_realm("another");
			pthread_join(other, &answer);
			_exit(status + (int)(intptr_t)answer != -EBUSY || (status && answer));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

static void test_init(void **state)
{
	struct {
		struct userbpf_init_opts opts;
		uint64_t more;
	} longer = {.opts.size = sizeof(longer), .more = 1};
	struct userbpf_init_opts opts = {.size = sizeof(opts), .realm = "other"};
	static char path[5000];

	assert_int_equal(init_in_child(NULL, false, 0), 0);
	assert_int_equal(init_in_child(&opts, false, 0), 0);
	assert_int_equal(init_in_child(&opts, true, -EBUSY), 0);
	opts.realm = "bad/name";
	assert_int_equal(init_in_child(&opts, false, -EINVAL), 0);
	opts.realm = "private-nobody";
	assert_int_equal(init_in_child(&opts, false, -EPERM), 0);
	opts.realm = "";
	assert_int_equal(init_in_child(&opts, false, 0), 0);
	opts.realm = NULL;
	assert_int_equal(init_in_child(&opts, true, 0), 0);
	opts.dir = "/nonexistent/realms";
	assert_int_equal(init_in_child(&opts, false, -ENOENT), 0);
	opts.dir = "/proc/self";
	assert_int_equal(init_in_child(&opts, false, -EPERM), 0);
	opts.dir = memset(path, '/', sizeof(path) - 1);
	assert_int_equal(init_in_child(&opts, false, -ENAMETOOLONG), 0);
	opts = (struct userbpf_init_opts){.size = 1};
	assert_int_equal(init_in_child(&opts, false, -EINVAL), 0);
	opts.size = 4097;
	assert_int_equal(init_in_child(&opts, false, -EINVAL), 0);
	assert_int_equal(init_in_child(&longer.opts, false, -E2BIG), 0);
	assert_string_equal(userbpf_version(), USERBPF_VERSION);
}

/* Values that programs do not see are copied only. */
static void test_cpumap(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_CPUMAP, 4, 4, 1, 0);
	const uint32_t key = 0, length = 64;
	struct userbpf_map *map;
	uint32_t copy = 0;

	(void)state;
	assert_int_equal(userbpf_map_open(fd, &map), 0);
	assert_int_equal(userbpf_map_update(map, &key, &length, BPF_ANY), 0);
	assert_null(userbpf_map_lookup(map, &key));
	assert_int_equal(userbpf_map_copy(map, &key, &copy, 0), 0);
	assert_int_equal(copy, length);
	userbpf_map_close(map);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_threads),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_create_errors),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_spin_lock),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_array),
		cmocka_unit_test(test_percpu),
		cmocka_unit_test(test_queue_stack),
		cmocka_unit_test(test_map_of_maps),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_write_only),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_cpumap),
	};

	return run_in_directory(tests);
}
