/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_wq.c: work queues in map values: what the kernel functions return, and that callbacks come,
 * with the right map, key and value, once, and not after what cancels them.
 */
#include <sys/wait.h>

#include "run.h"
#include "skeleton_run.h"
#include "wq.skel.h"

struct value {
	uint64_t fired, last_key, padding;
	uint64_t work[2];
};

static struct wq *skel;
static int maps[3];

static struct value get(void)
{
	struct value value;

	assert_int_equal(bpf_map_lookup_elem(maps[skel->bss->which], &skel->bss->key, &value), 0);
	return value;
}

static int put(void)
{
	const struct value value = {.work = {1, 2}};

	return bpf_map_update_elem(maps[skel->bss->which], &skel->bss->key, &value, 0);
}

static void wait_for(uint64_t fired)
{
	for (int i = 0; i < 10000 && get().fired < fired; i++)
		usleep(1000);
	assert_int_equal(get().fired, fired);
}

static void fresh(int which, int key)
{
	skel->bss->which = which;
	skel->bss->key = key;
	assert_int_equal(put(), 0);
	assert_int_equal(RUN(init), 0);
	assert_int_equal(RUN(set_callback), 0);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static int setup(void **state)
{
	libbpf_set_print(quiet);
	skel = wq__open_and_load();
	if (!skel)
		return -1;
	maps[0] = bpf_map__fd(skel->maps.array);
	maps[1] = bpf_map__fd(skel->maps.hash);
	maps[2] = bpf_map__fd(skel->maps.lru);
	return 0;
}

static int teardown(void **state)
{
	wq__destroy(skel);
	return 0;
}

static void results(void **state)
{
	for (int i = 0; i < 3; i++) {
		skel->bss->which = i;
		skel->bss->key = 1;
		assert_int_equal(put(), 0);
		assert_int_equal(RUN(start), -EINVAL);
		assert_int_equal(RUN(set_callback), -EINVAL);
		assert_int_equal(RUN(init_flags), -EINVAL);
		assert_int_equal(RUN(init), 0);
		assert_int_equal(RUN(init), -EBUSY);
		assert_int_equal(RUN(init_flags), -EINVAL);
		assert_int_equal(RUN(start), -EINVAL);
		assert_int_equal(RUN(set_callback_flags), -EINVAL);
		assert_int_equal(RUN(set_callback), 0);
		assert_int_equal(RUN(start_flags), -EINVAL);
		assert_int_equal(RUN(set_callback), 0);
		assert_int_equal(get().work[0], 0);
		assert_int_equal(get().work[1], 0);
	}
}

static void calls_back(void **state)
{
	for (int i = 0; i < 3; i++)
		for (int key = 0; key < 4; key++) {
			fresh(i, key);
			assert_int_equal(RUN(start), 0);
			wait_for(1);
			assert_int_equal(get().last_key, key);
			assert_int_equal(RUN(start), 0);
			wait_for(2);
		}
}

static void starts_itself_again(void **state)
{
	fresh(1, 0);
	skel->bss->again = 20;
	assert_int_equal(RUN(start), 0);
	wait_for(21);
}

/* Nothing comes for an element that has been replaced, and its successor knows no callback. */
static void another_value_cancels(void **state)
{
	for (int i = 0; i < 3; i++) {
		fresh(i, 2);
		assert_int_equal(RUN(start), 0);
		wait_for(1);
		if (i)
			assert_int_equal(bpf_map_delete_elem(maps[i], &skel->bss->key), 0);
		assert_int_equal(put(), 0);
		assert_int_equal(RUN(start), -EINVAL);
		assert_int_equal(get().fired, 0);
	}
}

static void another_process_goes_on(void **state)
{
	int status;
	pid_t child;

	fresh(1, 1);
	child = fork();
	if (!child) {
		assert_int_equal(RUN(start), 0);
		wait_for(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(RUN(start), 0);
	wait_for(2);
}

static int load_alone(const char *name)
{
	struct wq *other = wq__open();
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, other->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	err = wq__load(other);
	wq__destroy(other);
	return err;
}

static void loads(void **state)
{
	assert_int_equal(load_alone("in_a_filter"), 0);
	assert_int_equal(load_alone("in_a_probe"), -EINVAL);
	assert_int_equal(load_alone("callback_sleeps"), 0);
	assert_int_equal(load_alone("callback_returns_one"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(calls_back),
		cmocka_unit_test(starts_itself_again),
		cmocka_unit_test(another_value_cancels),
		cmocka_unit_test(another_process_goes_on),
		cmocka_unit_test(loads),
	};

	require_bpf();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("wq", tests, sizeof(tests) / sizeof(*tests), setup,
				       teardown);
}
