/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_local_object.c: objects of programs' own types, in lists and in trees (local_object.bpf.c).
 */
#include "run.h"

#include "local_object.h"
#include "local_object.skel.h"
#include "skeleton_run.h"

static struct local_object *skel;

#include "local_object_run.h"

static int load(void **state)
{
	skel = local_object__open_and_load();
	return !skel;
}

static int unload(void **state)
{
	local_object__destroy(skel);
	return 0;
}

static void lists(void **state)
{
	skel->bss->back = 0;
	assert_int_equal(RUN(list_peek), 0);
	assert_int_equal(DO(list_push, 1, 2, 3), 0);
	assert_int_equal(RUN(list_peek), 3);
	skel->bss->back = 1;
	assert_int_equal(RUN(list_peek), 1);
	assert_int_equal(DO(list_push, 4, 5), 0);
	assert_int_equal(RUN(list_peek), 5);
	skel->bss->count = 2;
	assert_int_equal(RUN(list_pop), 0);
	SEEN(5, 4);
	skel->bss->back = 0;
	skel->bss->count = 4;
	assert_int_equal(RUN(list_pop), 0);
	SEEN(3, 2, 1);
	assert_int_equal(skel->bss->seen[3], 0);
	assert_int_equal(RUN(list_peek), 0);
}

/* A list in a value goes with the value. */
static void lists_in_values(void **state)
{
	const int map = bpf_map__fd(skel->maps.shelves);
	const uint64_t words[5] = {1, 2, 3, 4, 5};
	uint64_t got[5];
	uint32_t key = 7;

	skel->bss->key = key;
	skel->bss->back = 1;
	assert_int_equal(RUN(shelf_push), 1);
	assert_int_equal(bpf_map_update_elem(map, &key, words, BPF_ANY), 0);
	assert_int_equal(DO(shelf_push, 1, 2, 3), 0);
	assert_int_equal(bpf_map_lookup_elem(map, &key, got), 0);
	assert_int_equal(got[0], 1); /* the kernel shows addresses in place of the list */
	assert_int_equal(got[4], 5);
	skel->bss->back = 0;
	skel->bss->count = 1;
	assert_int_equal(RUN(shelf_pop), 0);
	SEEN(1);
	assert_int_equal(bpf_map_update_elem(map, &key, words, BPF_EXIST), 0);
	assert_int_equal(DO(shelf_pop, 9, 9), 0);
	assert_int_equal(skel->bss->seen[0], 0);
	assert_int_equal(DO(shelf_push, 4, 5), 0);
	assert_int_equal(bpf_map_delete_elem(map, &key), 0);
	assert_int_equal(bpf_map_update_elem(map, &key, words, BPF_ANY), 0);
	assert_int_equal(RUN(shelf_pop), 0);
	assert_int_equal(skel->bss->seen[0], 0);
}

static void trees(void **state)
{
	assert_int_equal(DO(tree_add, 5, 3, 8, 1, 4, 7, 9, 2, 6, 5), 0);
	skel->bss->count = 3;
	assert_int_equal(RUN(tree_take), ITEMS);
	SEEN(1, 2, 3);
	skel->bss->key = 8;
	assert_int_equal(RUN(tree_remove), 0);
	assert_int_equal(RUN(tree_remove), 1);
	skel->bss->count = ITEMS;
	assert_int_equal(RUN(tree_take), 6);
	SEEN(4, 5, 5, 6, 7, 9);
	assert_int_equal(RUN(tree_take), 0);
}

/* The way to each key, as numbers of one digit each. */
static uint64_t path_to(unsigned key)
{
	uint64_t path = 0;
	int steps;

	skel->bss->key = key;
	memset(skel->bss->seen, 0, sizeof(skel->bss->seen));
	steps = RUN(tree_path);
	assert_in_range(steps, 0, 16);
	for (int i = 0; i < 16 && skel->bss->seen[i]; i++)
		path = path * 100 + skel->bss->seen[i];
	return path;
}

static void check_shape(const uint64_t paths[14])
{
	for (unsigned key = 1; key <= 13; key++)
		if (path_to(key) != paths[key])
			fail_msg("path to %u: %llu", key, (unsigned long long)path_to(key));
}

/* The tree is the kernel's, node by node. */
static void tree_shape(void **state)
{
	static const uint64_t grown[14] = {
		0,	 40201,	 402,	  40203, 4,	     4080605, 40806,
		4080607, 408, 4081009, 40810, 408101211, 4081012, 408101213,
	};
	static const uint64_t cut[14] = {
		0,	 50201,	 502,	  50203, 50203,	     5,	      50806,
		5080607, 508, 5081009, 50810, 508101311, 508101311, 5081013,
	};

	assert_int_equal(DO(tree_add, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), 0);
	check_shape(grown);
	skel->bss->key = 4;
	assert_int_equal(RUN(tree_remove), 0);
	skel->bss->key = 12;
	assert_int_equal(RUN(tree_remove), 0);
	check_shape(cut);
	skel->bss->count = ITEMS;
	assert_int_equal(RUN(tree_take), 11);
}

static void shared(void **state)
{
	skel->bss->key = 7;
	assert_int_equal(RUN(shared_add), -EINVAL);
	assert_int_equal(RUN(shared_take_list), 1);
	SEEN(7);
	assert_int_equal(RUN(shared_take_list), 0);
	assert_int_equal(RUN(shared_take_tree), 1);
	SEEN(107);
	assert_int_equal(RUN(shared_take_tree), 0);
	assert_int_equal(RUN(shared_add), -EINVAL);
	assert_int_equal(RUN(shared_remove_twice), 1);
	SEEN(7);
	assert_int_equal(RUN(shared_remove_twice), 0);
	assert_int_equal(RUN(shared_take_list), 1);
}

static void churn(void **state)
{
	for (int i = 0; i < 100; i++)
		assert_int_equal(RUN(churn), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),      cmocka_unit_test(lists_in_values),
		cmocka_unit_test(trees),      cmocka_unit_test(tree_shape),
		cmocka_unit_test(shared),     cmocka_unit_test(churn),
	};

	require_bpf();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, load, unload);
}
