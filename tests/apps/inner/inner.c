/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * inner.c: an ordinary application made with a libbpf skeleton whose maps of maps are filled by
 * static initialisers; it exchanges inner maps at run time and finds them again by id.
 */
#include "bpf_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "inner.skel.h"

#define LINK_HEADER 14

static int setup(void **state)
{
	struct inner *skel = inner__open();

	*state = skel;
	return skel ? inner__load(skel) : -1;
}

static int teardown(void **state)
{
	inner__destroy(*state);
	return 0;
}

static int run(const struct bpf_program *prog, unsigned len)
{
	static const char packet[256];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = LINK_HEADER + len,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	return (int)opts.retval;
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

/* The id in an element of an outer map, or 0. */
static uint32_t inner_id(const struct bpf_map *outer, uint32_t key)
{
	uint32_t id = 0;

	return bpf_map_lookup_elem(bpf_map__fd(outer), &key, &id) ? 0 : id;
}

static uint64_t value_of(int fd, uint32_t key)
{
	uint64_t value = 0;

	return bpf_map_lookup_elem(fd, &key, &value) ? 0 : value;
}

static void test_initialised(void **state)
{
	struct inner *skel = *state;

	assert_int_equal(inner_id(skel->maps.by_size, 0), id_of(bpf_map__fd(skel->maps.low)));
	assert_int_equal(inner_id(skel->maps.by_size, 1), 0);
	assert_int_equal(inner_id(skel->maps.by_size, 2), id_of(bpf_map__fd(skel->maps.high)));
	assert_int_equal(inner_id(skel->maps.by_size, 3), id_of(bpf_map__fd(skel->maps.low)));
	assert_int_equal(inner_id(skel->maps.by_colour, 1), id_of(bpf_map__fd(skel->maps.red)));
	assert_int_equal(inner_id(skel->maps.by_colour, 5), id_of(bpf_map__fd(skel->maps.blue)));
	assert_int_equal(inner_id(skel->maps.by_colour, 0), 0);
}

static void test_array_of_arrays(void **state)
{
	struct inner *skel = *state;
	static const int found[] = {1, 0, 1, 1, 0};

	for (unsigned i = 0; i < 5; i++) {
		skel->bss->size_class = i;
		assert_int_equal(run(skel->progs.count, 20), found[i]);
		assert_int_equal(run(skel->progs.count, 22), found[i]);
	}
	assert_int_equal(value_of(bpf_map__fd(skel->maps.low), 0), 2); /* two elements are low */
	assert_int_equal(value_of(bpf_map__fd(skel->maps.low), 2), 2);
	assert_int_equal(value_of(bpf_map__fd(skel->maps.high), 2), 1);
}

static void test_hash_of_hashes(void **state)
{
	struct inner *skel = *state;

	assert_int_equal(run(skel->progs.remember, 60), 100);
	skel->bss->colour = 5;
	assert_int_equal(run(skel->progs.remember, 60), 0);
	assert_int_equal(run(skel->progs.remember, 60), -EEXIST);
	skel->bss->colour = 1;
	assert_int_equal(run(skel->progs.remember, 60), 0);
	assert_int_equal(value_of(bpf_map__fd(skel->maps.blue), 60 + LINK_HEADER), 148);
	assert_int_equal(value_of(bpf_map__fd(skel->maps.red), 60 + LINK_HEADER), 148);
}

/* A new generation is made beside the old one and put in its place in one step. */
static void test_exchange(void **state)
{
	struct inner *skel = *state;
	uint32_t key = 2;
	int fresh = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fresh", 4, 8, 4, NULL), again;

	assert_true(fresh >= 0);
	skel->bss->size_class = 2;
	run(skel->progs.count, 20);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.by_size), &key, &fresh, 0), 0);
	run(skel->progs.count, 20);
	run(skel->progs.count, 20);
	assert_int_equal(value_of(bpf_map__fd(skel->maps.high), 0), 1);
	close(fresh);
	again = bpf_map_get_fd_by_id(inner_id(skel->maps.by_size, 2));
	assert_true(again >= 0);
	assert_int_equal(value_of(again, 0), 2);
	close(again);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.by_size), &key), 0);
	assert_int_equal(run(skel->progs.count, 20), 0);
}

/* The outer map of a first instance serves a second one, which finds its inner maps in it. */
static void test_reuse(void **state)
{
	struct inner *first = *state, *second = inner__open();
	int fd = bpf_map_get_fd_by_id(id_of(bpf_map__fd(first->maps.by_size)));

	assert_true(fd >= 0);
	assert_int_equal(bpf_map__reuse_fd(second->maps.by_size, fd), 0);
	close(fd);
	assert_int_equal(inner__load(second), 0);
	second->bss->size_class = 3;
	assert_int_equal(run(second->progs.count, 20), 1);
	first->bss->size_class = 3;
	assert_int_equal(run(first->progs.count, 20), 1);
	assert_int_equal(id_of(bpf_map__fd(first->maps.by_size)),
			 id_of(bpf_map__fd(second->maps.by_size)));
	fd = bpf_map_get_fd_by_id(inner_id(second->maps.by_size, 3));
	assert_int_equal(value_of(fd, 2), 0);
	assert_int_equal(value_of(fd, 0), 2);
	close(fd);
	inner__destroy(second);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_initialised), CASE(test_array_of_arrays), CASE(test_hash_of_hashes),
		CASE(test_exchange),    CASE(test_reuse),
	};

	require_bpf();
	libbpf_set_print(quiet);
	return run_tests(tests);
}
