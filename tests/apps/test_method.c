/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_method.c: an application that brings its own congestion control, with libbpf. Only under
 * userbpf, where the table is used by nobody but who calls its functions: natively it would become
 * the machine's.
 */
#include <signal.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "../bpf_test.h"
#include "method.skel.h"

enum { IN_USE = 1, TO_BE_FREED };

static struct method *skel;
static struct btf *kernel;

static void get_value(void *value)
{
	const unsigned first = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.ours), &first, value), 0);
}

/* Where the table in a value has a member, by its name in the kernel's BTF. */
static unsigned place_of(const char *member)
{
	int id = btf__find_by_name_kind(kernel, "tcp_congestion_ops", BTF_KIND_STRUCT);
	const struct btf_type *t = btf__type_by_id(kernel, (unsigned)id);

	for (unsigned i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(kernel, btf_members(t)[i].name_off), member))
			return 64 + btf_member_bit_offset(t, i) / 8;
	fail();
	return 0;
}

static int program_of(const uint8_t *value, const char *member)
{
	unsigned id;

	memcpy(&id, value + place_of(member), sizeof(id));
	return bpf_prog_get_fd_by_id(id);
}

static void put_program(uint8_t *value, const char *member, const struct bpf_program *program)
{
	int fd = bpf_program__fd(program);

	memcpy(value + place_of(member), &fd, sizeof(fd));
}

static unsigned id_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
	return info.id;
}

static int call(const char *member, uint64_t *args, unsigned count, uint32_t *retval)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = count * 8);
	uint8_t value[4096];
	int fd, err;

	get_value(value);
	fd = program_of(value, member);
	assert_true(fd >= 0);
	err = bpf_prog_test_run_opts(fd, &opts);
	*retval = opts.retval;
	close(fd);
	return err;
}

static void test_call(void **state)
{
	static uint8_t sock[1 << 16]; /* larger than the kernel's */
	uint64_t args[3] = {ptr64(sock), 0, 100};
	uint32_t retval;

	(void)state;
	assert_int_equal(call("ssthresh", args, 1, &retval), 0);
	assert_int_equal(retval, 42);
	assert_int_equal(call("undo_cwnd", args, 1, &retval), 0);
	assert_int_equal(retval, 21);
	assert_int_equal(call("cong_avoid", args, 3, &retval), 0);
	assert_int_equal(call("cong_avoid", args, 3, &retval), 0);
	assert_int_equal(skel->bss->acked_bytes, 200);
	assert_int_equal(call("cong_avoid", args, 2, &retval), -EINVAL);
}

/* The table's programs live with the map, not with who loaded them. */
static void test_references(void **state)
{
	uint64_t args[1] = {0};
	uint32_t retval;
	struct bpf_program *program;

	(void)state;
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__unload(program);
	assert_int_equal(call("ssthresh", args, 1, &retval), -EINVAL); /* no socket */
}

static void test_states(void **state)
{
	const unsigned first = 0;
	int map = bpf_map__fd(skel->maps.ours);
	uint8_t value[4096];
	unsigned words[2];

	(void)state;
	get_value(value);
	memcpy(words, value, sizeof(words));
	assert_int_equal(words[0], 1);
	assert_int_equal(words[1], IN_USE);
	memset(value, 0, sizeof(value));
	assert_int_equal(bpf_map_update_elem(map, &first, value, 0), -EBUSY);
	assert_int_equal(bpf_map_delete_elem(map, &first), 0);
	assert_int_equal(bpf_map_delete_elem(map, &first), -EINPROGRESS);
	get_value(value);
	memcpy(words, value, sizeof(words));
	assert_int_equal(words[0], 0);
	assert_int_equal(words[1], TO_BE_FREED);
}

/* What a table of congestion control must have. */
static void test_incomplete(void **state)
{
	(void)state;
	assert_null(bpf_map__attach_struct_ops(skel->maps.incomplete));
	assert_int_equal(errno, EINVAL);
}

/* A change that fails makes references and drops them; one that is killed leaves some to the next. */
static void test_killed(void **state)
{
	const unsigned first = 0;
	struct method *other = method__open_and_load(), *last = method__open_and_load();
	uint8_t value[4096] = {0};
	unsigned programs[2];
	int map, status;

	(void)state;
	assert_non_null(other);
	assert_non_null(last);
	map = bpf_map__fd(other->maps.incomplete);
	value[place_of("name")] = 'x';
	put_program(value, "ssthresh", other->progs.ssthresh);
	put_program(value, "cong_avoid", other->progs.cong_avoid);
	programs[0] = id_of(other->progs.ssthresh);
	programs[1] = id_of(other->progs.cong_avoid);
	for (unsigned i = 0; i < 300; i++) {
		pid_t child = fork();

		while (!child)
			bpf_map_update_elem(map, &first, value, 0);
		usleep(i * 37 % 3000);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	put_program(value, "ssthresh", last->progs.ssthresh);
	put_program(value, "cong_avoid", last->progs.cong_avoid);
	put_program(value, "undo_cwnd", last->progs.undo_cwnd);
	assert_int_equal(bpf_map_update_elem(map, &first, value, 0), 0);
	map = dup(map);
	method__destroy(other);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(bpf_prog_get_fd_by_id(programs[i]), -ENOENT);
	close(map);
	method__destroy(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_killed),
	};
	struct bpf_link *link;
	int failed;

	require_bpf();
	kernel = btf__load_vmlinux_btf();
	if (!kernel || btf__find_by_name_kind(kernel, "bpf_struct_ops_tcp_congestion_ops",
					      BTF_KIND_STRUCT) < 0) {
		printf("1..0 # SKIP this kernel has no such table\n");
		return 0;
	}
	skel = method__open_and_load();
	link = skel ? bpf_map__attach_struct_ops(skel->maps.ours) : NULL;
	if (!link)
		return 1;
	failed = run_tests(tests);
	bpf_link__destroy(link);
	method__destroy(skel);
	return failed;
}
