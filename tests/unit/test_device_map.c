/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_device_map.c: the death of those who change maps whose values name programs. After SIGKILL
 * at any system call or change of the map an element is the old or the new one, and the next change
 * leaves exactly the references that elements have. Each case runs in a realm of its own.
 */
#include "unit/die.h"
#include "unit/map_test.h"
#include "unit/realm_cases.h"

#include <dirent.h>
#include <errno.h>

#include "object/realm.h"
#include "vm/asm.h"

#define LOOPBACK 1u

static int elem(int cmd, int fd, u32 key, void *value)
{
	union bpf_attr attr = {.map_fd = (u32)fd, .key = PTR_U64(&key), .value = PTR_U64(value)};

	return (int)call(cmd, &attr);
}

static int make_program(void)
{
	const struct bpf_insn pass[] = {MOV_K(R0, XDP_PASS), EXIT};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
			       .expected_attach_type = BPF_XDP_DEVMAP,
			       .insns = PTR_U64(pass),
			       .insn_cnt = 2,
			       .license = PTR_U64("GPL")};
	const int fd = (int)call(BPF_PROG_LOAD, &attr);

	CHECK(fd >= 0);
	return fd;
}

static struct map *map_behind(int fd)
{
	struct object *object;

	CHECK(!object_from_fd(fd, OBJECT_MAP, &object, NULL));
	object_put(object);
	return map_of(object);
}

/* Names in the map's directory of references. */
static u32 references(int fd)
{
	char path[256];
	u32 count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/refs/bpf-map.%u", realm_path(),
		 map_behind(fd)->object.id);
	dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count ? count - 2 : 0;
}

/* A descriptor of a program, or what the element becomes without one. */
enum { GONE = -1, PLAIN = 0 };

static void change(int map, u32 key, int program)
{
	u32 value[2] = {LOOPBACK, (u32)program};
	int err = program == GONE ? elem(BPF_MAP_DELETE_ELEM, map, key, NULL)
				  : elem(BPF_MAP_UPDATE_ELEM, map, key, value);

	CHECK(!err || (program == GONE && err == -ENOENT));
}

/* The id in an element; 0: none, or no element. */
static u32 program_in(int map, u32 key)
{
	u32 value[2] = {0};
	int err = elem(BPF_MAP_LOOKUP_ELEM, map, key, value);

	CHECK(!err || err == -ENOENT);
	return value[1];
}

static u32 id_of(int program)
{
	struct object *object;
	u32 id;

	if (program <= 0)
		return 0;
	CHECK(!object_from_fd(program, OBJECT_PROG, &object, NULL));
	id = object->id;
	object_put(object);
	return id;
}

struct dying {
	int map, program;
};

static void run_change(void *arg)
{
	const struct dying *d = arg;

	change(d->map, 3, d->program);
}

static void dies_everywhere(int fd, int before, int after, bool at_calls)
{
	const struct map *map = map_behind(fd);
	struct dying d = {fd, after};
	const struct death death = {.run = run_change,
				    .arg = &d,
				    .memory = at_calls ? NULL : map->header,
				    .size = map_bytes(map),
				    .at_calls = at_calls};
	bool died = true;

	for (u32 place = 1; died; place++) {
		u32 id;

		change(fd, 3, before);
		CHECK(references(fd) == 1u + (before > 0));
		died = dies_at(&death, place);
		id = program_in(fd, 3);
		CHECK(id == id_of(after) || (died && id == id_of(before)));
	}
}

static void dies(u32 type)
{
	union bpf_attr attr = {.map_type = type, .key_size = 4, .value_size = 8, .max_entries = 8};
	const int map = (int)call(BPF_MAP_CREATE, &attr), one = make_program(), two = make_program();

	CHECK(map >= 0);
	change(map, 5, one);
	dies_everywhere(map, GONE, two, true);
	dies_everywhere(map, one, two, true);
	dies_everywhere(map, one, PLAIN, true);
	dies_everywhere(map, one, GONE, true);
#if !defined(__SANITIZE_THREAD__) /* hundreds of thousands of steps */
	dies_everywhere(map, one, two, false);
	dies_everywhere(map, one, GONE, false);
#endif
	CHECK(program_in(map, 5) == id_of(one));
	CHECK(map_behind(map)->ops->is_valid(map_behind(map)));
	change(map, 3, GONE);
	change(map, 5, GONE);
	CHECK(references(map) == 0);
}

static void test_dies_slots(void **state)
{
	IN_CHILD(dies(BPF_MAP_TYPE_DEVMAP));
}

static void test_dies_hash(void **state)
{
	IN_CHILD(dies(BPF_MAP_TYPE_DEVMAP_HASH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_dies_slots),
		CASE(test_dies_hash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
