/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_map_in_map.c: outer maps and the death of those who change them. After SIGKILL at any
 * instant every element is what it was before the interrupted change or what it was to become, and
 * when the outer map is empty, no inner map is left. Each case runs in a realm of its own.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "unit/realm_cases.h"

#include <dirent.h>
#include <errno.h>


#define KEYS 8

static int create(u32 type, u32 value_size, u32 n, int inner)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = 4,
			       .value_size = value_size,
			       .max_entries = n,
			       .inner_map_fd = (u32)inner};

	return (int)call(BPF_MAP_CREATE, &attr);
}

static int elem(int cmd, int fd, u32 key, void *value)
{
	union bpf_attr attr = {.map_fd = (u32)fd, .key = PTR_U64(&key), .value = PTR_U64(value)};

	return (int)call(cmd, &attr);
}

static int make_inner(u32 value)
{
	int fd = create(BPF_MAP_TYPE_ARRAY, 4, 1, -1);

	return fd < 0 || elem(BPF_MAP_UPDATE_ELEM, fd, 0, &value) ? -1 : fd;
}

static int make_outer(u32 type)
{
	int inner = make_inner(0), fd = create(type, 4, KEYS, inner);

	CHECK(fd >= 0);
	close(inner);
	return fd;
}

/* Puts the map into an element, or without one deletes it. */
static int put(int outer, u32 key, int inner)
{
	if (inner >= 0)
		return elem(BPF_MAP_UPDATE_ELEM, outer, key, &inner);
	return elem(BPF_MAP_DELETE_ELEM, outer, key, NULL);
}

/* The same with a new map of this value; 0: without one, and there may be nothing to delete. */
static int change(int outer, u32 key, u32 value)
{
	int inner = value ? make_inner(value) : -1, err;

	if (value && inner < 0)
		return -1;
	err = put(outer, key, inner);
	if (value)
		close(inner);
	return !value && err == -ENOENT ? 0 : err;
}

/* The value in the inner map of an element; 0: there is none. */
static u32 value_in(int outer, u32 key)
{
	u32 id, value;
	int fd, err = elem(BPF_MAP_LOOKUP_ELEM, outer, key, &id);

	CHECK(!err || err == -ENOENT);
	if (err)
		return 0;
	fd = (int)call(BPF_MAP_GET_FD_BY_ID, &(union bpf_attr){.map_id = id});
	CHECK(fd >= 0);
	CHECK(elem(BPF_MAP_LOOKUP_ELEM, fd, 0, &value) == 0);
	close(fd);
	return value;
}

static struct map *map_behind(int fd)
{
	struct object *object;

	CHECK(!object_from_fd(fd, OBJECT_MAP, &object, NULL));
	object_put(object);
	return map_of(object);
}

/* Names in the outer map's directory of references. */
static u32 references(int outer)
{
	char path[256];
	u32 count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/refs/bpf-map.%u", realm_path(),
		 map_behind(outer)->object.id);
	dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count ? count - 2 : 0;
}

static u32 maps_in_realm(void)
{
	u32 count = 0;

	for (u32 id = 0; !object_next_id(OBJECT_MAP, id, &id);)
		count++;
	return count;
}

static void check_empties(int outer)
{
	for (u32 key = 0; key < KEYS; key++)
		CHECK(change(outer, key, 0) == 0);
	CHECK(references(outer) == 0);
	CHECK(maps_in_realm() == 1);
}

struct dying {
	int outer, inner;
};

static void run_put(void *arg)
{
	const struct dying *d = arg;

	put(d->outer, 3, d->inner);
}

/* before and after are values, 0: no element. Death at each system call or change of the map. */
static void dies_everywhere(int outer, u32 before, u32 after, bool at_calls)
{
	const struct map *map = map_behind(outer);
	bool died = true;

	for (u32 place = 1; died; place++) {
		struct dying d = {outer, after ? make_inner(after) : -1};
		const struct death death = {.run = run_put,
					    .arg = &d,
					    .memory = at_calls ? NULL : map->header,
					    .size = map_bytes(map),
					    .at_calls = at_calls};
		u32 value;

		CHECK(change(outer, 3, before) == 0);
		CHECK(references(outer) == 1 + !!before);
		died = dies_at(&death, place);
		close(d.inner);
		value = value_in(outer, 3);
		CHECK(died ? value == before || value == after : value == after);
	}
}

static void dies(u32 type)
{
	int outer = make_outer(type);

	CHECK(change(outer, 5, 55) == 0);
	dies_everywhere(outer, 0, 2, true);
	dies_everywhere(outer, 1, 2, true);
	dies_everywhere(outer, 1, 0, true);
#if !defined(__SANITIZE_THREAD__) /* hundreds of thousands of steps */
	dies_everywhere(outer, 1, 2, false);
	dies_everywhere(outer, 1, 0, false);
#endif
	CHECK(value_in(outer, 5) == 55);
	CHECK(map_behind(outer)->ops->is_valid(map_behind(outer)));
	check_empties(outer);
}

static void test_dies_array(void **state)
{
	IN_CHILD(dies(BPF_MAP_TYPE_ARRAY_OF_MAPS));
}

static void test_dies_hash(void **state)
{
	IN_CHILD(dies(BPF_MAP_TYPE_HASH_OF_MAPS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_dies_array),
		CASE(test_dies_hash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
