/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_cgroup_array.c: CGROUP_ARRAY, and what programs learn of cgroups. A cgroup of version 2 may
 * be missing, or out of bounds for the user who runs the tests: those cases are left out then.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "vm/run.h"
#include "cgroup_test.h"

#define TC BPF_PROG_TYPE_SCHED_CLS
#define NO_FD 4000

static int create(void)
{
	int fd = map_create(BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 4, 0);

	assert_true(fd >= 0);
	return fd;
}

static void creation(void **state)
{
	static const struct {
		unsigned key, value, entries, flags;
		int result;
	} cases[] = {
		{4, 4, 1, 0, 0},	      {4, 4, 1, BPF_F_NUMA_NODE, 0},
		{4, 4, 0, 0, -EINVAL},	      {8, 4, 1, 0, -EINVAL},
		{4, 8, 1, 0, -EINVAL},	      {4, 4, 1, BPF_F_NO_PREALLOC, -EINVAL},
		{4, 4, 1, BPF_F_RDONLY, 0},   {4, 4, 1, BPF_F_RDONLY_PROG, -EINVAL},
		{4, 4, 1, BPF_F_MMAPABLE, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = map_create(BPF_MAP_TYPE_CGROUP_ARRAY, cases[i].key, cases[i].value,
				    cases[i].entries, cases[i].flags);

		assert_int_equal(fd < 0 ? fd : 0, cases[i].result);
		if (fd >= 0)
			close(fd);
	}
}

static void wrong_elements(void **state)
{
	const uint32_t zero = 0, beyond = 4;
	const int none = NO_FD, file = open("/", O_RDONLY);
	uint32_t next, value;
	int fd = create();

	(void)state;
	assert_int_equal(map_update(fd, &zero, &none, 0), -EBADF);
	assert_int_equal(map_update(fd, &zero, &file, 0), -EBADF);
	assert_int_equal(map_update(fd, &zero, &none, BPF_NOEXIST), -EINVAL);
	assert_int_equal(map_update(fd, &beyond, &none, BPF_EXIST), -EINVAL);
	assert_int_equal(map_update(fd, &beyond, &none, 0), -E2BIG);
	assert_int_equal(map_lookup(fd, &zero, &value), -ENOTSUPP);
	assert_int_equal(map_delete(fd, &zero), -ENOENT);
	assert_int_equal(map_delete(fd, &beyond), -E2BIG);
	assert_int_equal(map_next_key(fd, &zero, &next), 0);
	assert_int_equal(next, 1);
	next = 3;
	assert_int_equal(map_next_key(fd, &next, &value), -ENOENT);
	close(file);
	close(fd);
}

static void slots(void **state)
{
	const uint32_t zero = 0;
	int fd = create(), root = cgroup_root();

	(void)state;
	if (root < 0)
		skip();
	assert_int_equal(map_update(fd, &zero, &root, 0), 0);
	assert_int_equal(map_update(fd, &zero, &root, 0), 0);
	assert_int_equal(map_delete(fd, &zero), 0);
	assert_int_equal(map_delete(fd, &zero), -ENOENT);
	close(root);
	close(fd);
}

static int run(const struct bpf_insn *insns)
{
	uint8_t packet[PACKET_MAX];
	int prog = prog_load(TC, 0, insns, insn_count(insns));
	union test_attr attr = {.a = {.test = {.prog_fd = (uint32_t)prog,
					       .data_in = ptr64(packet),
					       .data_size_in = PACKET_LEN}}};

	assert_true(prog >= 0);
	fill_packet(packet);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &attr, sizeof(union bpf_attr)), 0);
	close(prog);
	return (int)attr.a.test.retval;
}

#define RUN(...) run((const struct bpf_insn[]){__VA_ARGS__, EXIT, {0}})
#define TASK_UNDER(map, index)                                                                     \
	RUN(LD64_RAW(R1, 1, map, 0), MOV_K(R2, index), CALL(BPF_FUNC_current_task_under_cgroup))
#define CURRENT_ANCESTOR(level)                                                                    \
	RUN(MOV_K(R1, level), CALL(BPF_FUNC_get_current_ancestor_cgroup_id))
#define SKB_ANCESTOR(level) RUN(MOV_K(R2, level), CALL(BPF_FUNC_skb_ancestor_cgroup_id))
#define SKB_UNDER(map, index)                                                                      \
	RUN(LD64_RAW(R2, 1, map, 0), MOV_K(R3, index), CALL(BPF_FUNC_skb_under_cgroup))

static void under_a_cgroup(void **state)
{
	const uint32_t zero = 0, one = 1;
	int fd = create(), root = cgroup_root(), dir;
	struct stat st;

	(void)state;
	assert_int_equal(TASK_UNDER(fd, 0), -EAGAIN);
	assert_int_equal(TASK_UNDER(fd, 4), -E2BIG);
	assert_int_equal(SKB_UNDER(fd, 0), -EAGAIN);
	assert_int_equal(SKB_UNDER(fd, 4), -E2BIG);
	if (root < 0 || mkdirat(root, cgroup_name(), 0755))
		skip();
	dir = openat(root, cgroup_name(), O_RDONLY | O_DIRECTORY);
	assert_int_equal(map_update(fd, &zero, &root, 0), 0);
	assert_int_equal(map_update(fd, &one, &dir, 0), 0);
	assert_int_equal(TASK_UNDER(fd, 0), 1);
	assert_int_equal(TASK_UNDER(fd, 1), 0);
	assert_int_equal(SKB_UNDER(fd, 0), 1);
	assert_int_equal(SKB_UNDER(fd, 1), 0);
	assert_int_equal(fstat(dir, &st), 0);
	assert_int_equal(unlinkat(root, cgroup_name(), AT_REMOVEDIR), 0);
	assert_int_equal(map_update(fd, &zero, &dir, 0), -ENOENT);
	assert_int_equal(TASK_UNDER(fd, 1), 0);
	close(dir);
	close(root);
	close(fd);
}

/* In and out of a cgroup below the one that the test began in. */
static void the_current_cgroup(void **state)
{
	int root = cgroup_root(), fd = create(), dir, procs, before;
	const uint32_t zero = 0;
	struct stat st;

	(void)state;
	before = RUN(CALL(BPF_FUNC_get_current_cgroup_id));
	assert_int_equal(RUN(CALL(BPF_FUNC_skb_cgroup_id)), before);
	if (root < 0 || mkdirat(root, cgroup_name(), 0755))
		skip();
	dir = openat(root, cgroup_name(), O_RDONLY | O_DIRECTORY);
	procs = openat(dir, "cgroup.procs", O_WRONLY);
	assert_int_equal(write(procs, "0", 1), 1);
	assert_int_equal(fstat(dir, &st), 0);
	assert_int_equal(map_update(fd, &zero, &dir, 0), 0);
	assert_int_equal(RUN(CALL(BPF_FUNC_get_current_cgroup_id)), (int)st.st_ino);
	assert_int_equal(RUN(CALL(BPF_FUNC_skb_cgroup_id)), (int)st.st_ino);
	assert_int_equal(TASK_UNDER(fd, 0), 1);
	assert_int_equal(SKB_UNDER(fd, 0), 1);
	assert_int_equal(CURRENT_ANCESTOR(1), (int)st.st_ino);
	assert_int_equal(SKB_ANCESTOR(1), (int)st.st_ino);
	assert_int_equal(CURRENT_ANCESTOR(2), 0);
	assert_int_equal(SKB_ANCESTOR(-1), 0);
	assert_int_equal(fstat(root, &st), 0);
	assert_int_equal(CURRENT_ANCESTOR(0), (int)st.st_ino);
	assert_int_equal(SKB_ANCESTOR(0), (int)st.st_ino);
	close(procs);
	procs = openat(root, "cgroup.procs", O_WRONLY);
	assert_int_equal(write(procs, "0", 1), 1);
	close(procs);
	assert_int_equal(TASK_UNDER(fd, 0), 0);
	assert_int_equal(CURRENT_ANCESTOR(1), 0);
	assert_int_equal(CURRENT_ANCESTOR(0), (int)st.st_ino);
	assert_int_equal(unlinkat(root, cgroup_name(), AT_REMOVEDIR), 0);
	close(dir);
	close(root);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation),
		cmocka_unit_test(wrong_elements),
		cmocka_unit_test(slots),
		cmocka_unit_test(under_a_cgroup),
		cmocka_unit_test(the_current_cgroup),
	};

	require_bpf();
	return run_tests(tests);
}
