/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * globals.c: an ordinary application made with a libbpf skeleton. Its global variables and those of
 * its programs are the same memory.
 */
#include "bpf_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "globals.h"
#include "globals.skel.h"

#define PACKET_BYTES 128
#define LINK_HEADER 14 /* a socket filter begins behind it */

static const char packet[PACKET_BYTES];

/* Runs a program on so many bytes behind the link header; its return value. */
static int run(const struct bpf_program *prog, unsigned len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = LINK_HEADER + len,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	return (int)opts.retval;
}

static int setup(void **state)
{
	struct globals *skel = globals__open();

	if (!skel)
		return -1;
	skel->rodata->limit = 40;
	memcpy((char *)skel->rodata->label, "set", 4);
	skel->data->pair.step = 3;
	skel->bss->total = 1000;
	*state = skel;
	return globals__load(skel);
}

static int teardown(void **state)
{
	globals__destroy(*state);
	return 0;
}

static void test_program_sees_application(void **state)
{
	struct globals *skel = *state;

	assert_int_equal(run(skel->progs.count, 50), 's'); /* .rodata */
	assert_int_equal(skel->data->pair.runs, 3);        /* .data, set before loading */
	assert_int_equal(skel->bss->total, 1050);          /* .bss, set before loading */
	skel->data->pair.step = 10;
	skel->bss->total = 0;
	run(skel->progs.count, 20);
	assert_int_equal(skel->data->pair.runs, 13); /* set while loaded */
	assert_int_equal(skel->bss->total, 20);
}

static void test_application_sees_program(void **state)
{
	struct globals *skel = *state;
	static const unsigned lens[] = {30, 64, 41, 40, 14};

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		run(skel->progs.count, lens[i]);
		assert_int_equal(skel->data->pair.last_len, lens[i]);
		assert_int_equal(skel->data->history[i & 3], lens[i]);
	}
	assert_int_equal(skel->bss->over_limit, 2);
	assert_int_equal(run(skel->progs.reset, 20), 7);
	assert_int_equal(skel->bss->total, 0);
	assert_int_equal(skel->bss->over_limit, 0);
}

/* The same memory a third way: as the value of the array map. */
static void test_map_is_the_memory(void **state)
{
	struct globals *skel = *state;
	struct globals__bss bss;
	uint32_t key = 0;

	run(skel->progs.count, 60);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.bss), &key, &bss), 0);
	assert_int_equal(bss.total, 1060);
	bss.total = 5;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.bss), &key, &bss, 0), 0);
	assert_int_equal(skel->bss->total, 5);
}

static void test_rodata_is_frozen(void **state)
{
	struct globals *skel = *state;
	struct globals__rodata rodata = {0};
	uint32_t key = 0;
	int fd = bpf_map__fd(skel->maps.rodata);

	assert_int_equal(skel->rodata->limit, 40);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &rodata), 0);
	assert_int_equal(rodata.limit, 40);
	assert_int_equal(bpf_map_update_elem(fd, &key, &rodata, 0), -EPERM);
}

static void test_map(void **state)
{
	struct globals *skel = *state;
	int fd = bpf_map__fd(skel->maps.lengths);
	uint32_t len = 33;
	uint64_t seen = 0;

	for (int i = 0; i < 5; i++)
		run(skel->progs.count, len);
	assert_int_equal(bpf_map_lookup_elem(fd, &len, &seen), 0);
	assert_int_equal(seen, 5);
	len = 34;
	assert_int_equal(bpf_map_lookup_elem(fd, &len, &seen), -ENOENT);
}

/* Two instances of one object have nothing in common. */
static void test_second_instance(void **state)
{
	struct globals *skel = *state, *second = globals__open_and_load();

	assert_non_null(second);
	run(second->progs.count, 20);
	assert_int_equal(second->bss->total, 20);
	assert_int_equal(skel->bss->total, 1000);
	assert_int_equal(run(second->progs.count, 20), 'd');
	globals__destroy(second);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_program_sees_application),
		CASE(test_application_sees_program),
		CASE(test_map_is_the_memory),
		CASE(test_rodata_is_frozen),
		CASE(test_map),
		CASE(test_second_instance),
	};

	require_bpf();
	libbpf_set_print(quiet);
	return run_tests(tests);
}
