/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_kptr.c: objects of programs' own types behind pointers in map values (kptr.bpf.c).
 */
#include <sys/wait.h>

#include "run.h"

#include "kptr.skel.h"
#include "local_object.h"
#include "skeleton_run.h"
#include "tag_pointers.h"

static struct kptr *skel, *other;

#include "local_object_run.h"

static struct kptr *open_and_load(void)
{
	struct kptr *loaded = kptr__open();

	if (!loaded)
		return NULL;
	tag_pointers(bpf_object__btf(loaded->obj), "slots", "kptr");
	tag_pointers(bpf_object__btf(loaded->obj), "percpu_slot", "percpu_kptr");
	if (!kptr__load(loaded))
		return loaded;
	kptr__destroy(loaded);
	return NULL;
}

/* The other one has BTF of its own. */
static int load(void **state)
{
	skel = open_and_load();
	other = open_and_load();
	return !skel || !other;
}

static int unload(void **state)
{
	kptr__destroy(skel);
	kptr__destroy(other);
	return 0;
}

static void pointers(void **state)
{
	const int map = bpf_map__fd(skel->maps.slots);
	uint64_t words[4];
	uint32_t key = 1;

	skel->bss->key = key;
	assert_int_equal(RUN(slot_read), 0);
	assert_int_equal(DO(slot_put, 11), 0);
	assert_int_equal(skel->bss->seen[0], 0);
	assert_int_equal(RUN(slot_read), 11);
	assert_int_equal(DO(slot_put, 12), 0);
	SEEN(11);
	assert_int_equal(bpf_map_lookup_elem(map, &key, words), 0);
	assert_int_equal(words[1], 0);
	assert_int_equal(RUN(slot_take), 1);
	SEEN(12);
	assert_int_equal(RUN(slot_take), 0);
	assert_int_equal(DO(slot_put, 13), 0);
	memset(words, 0xff, sizeof(words));
	assert_int_equal(bpf_map_update_elem(map, &key, words, BPF_ANY), 0);
	assert_int_equal(RUN(slot_read), 0);
	assert_int_equal(bpf_map_lookup_elem(map, &key, words), 0);
	assert_int_equal(words[0], UINT64_MAX);
	assert_int_equal(words[1], 0);
}

/* The pointer leads to an object for as long as its reader looks, though others drop it meanwhile. */
static void readers(void **state)
{
	pid_t writer;
	int status;

	skel->bss->key = 1;
	assert_int_equal(DO(slot_put, 7), 0);
	writer = fork();
	for (int i = 0; !writer && i < 20000; i++)
		if (RUN(slot_put))
			_exit(1);
	if (!writer)
		_exit(0);
	while (!waitpid(writer, &status, WNOHANG))
		assert_int_equal(RUN(slot_watch), 0);
	assert_int_equal(status, 0);
	assert_int_equal(RUN(slot_take), 1);
}

/* Inner maps hold objects of the same BTF. */
static void inner_maps(void **state)
{
	const int outer = bpf_map__fd(skel->maps.outer);
	int inner = bpf_map__fd(skel->maps.slots);
	uint32_t zero = 0;

	skel->bss->key = 1;
	assert_int_equal(RUN(inner_read), 0);
	assert_int_equal(DO(slot_put, 21), 0);
	assert_int_equal(RUN(inner_read), 21);
	assert_int_equal(RUN(slot_take), 1);
	assert_int_equal(RUN(inner_read), 0);
	assert_int_equal(bpf_map_update_elem(outer, &zero, &inner, BPF_ANY), 0);
	inner = bpf_map__fd(other->maps.slots);
	assert_int_equal(bpf_map_update_elem(outer, &zero, &inner, BPF_ANY), -EINVAL);
}

static void bags(void **state)
{
	skel->bss->key = 0;
	skel->bss->back = 1;
	assert_int_equal(RUN(bag_empty), 2);
	assert_int_equal(DO(bag_fill, 1, 2, 3), 0);
	assert_int_equal(DO(bag_fill, 4, 5, 6, 7), 0);
	skel->bss->count = 3;
	assert_int_equal(RUN(bag_empty), 0);
	SEEN(7, 6, 5);
	assert_int_equal(RUN(bag_empty), 2);
}

static void percpu(void **state)
{
	const int n = libbpf_num_possible_cpus();

	skel->bss->key = 5;
	assert_int_equal(RUN(percpu_set), 1);
	assert_int_equal(RUN(percpu_sum), 0);
	assert_int_equal(RUN(percpu_put), 0);
	assert_int_equal(RUN(percpu_set), 0);
	assert_int_equal(RUN(percpu_sum), n * 5 + n * (n - 1) / 2 + 1000);
	assert_int_equal(RUN(percpu_put), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers),
		cmocka_unit_test(readers),
		cmocka_unit_test(inner_maps),
		cmocka_unit_test(bags),
		cmocka_unit_test(percpu),
	};

	require_bpf();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, load, unload);
}
