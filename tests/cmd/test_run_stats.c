/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_stats.c: run-time statistics: on as long as a descriptor of theirs is open anywhere, and
 * what counts as a run.
 */
#include "../vm/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static int enable_stats(uint32_t type, unsigned size)
{
	union test_attr t = {.bytes = {0}};

	memcpy(t.bytes, &type, sizeof(type));
	return (int)bpf_sys(BPF_ENABLE_STATS, &t, size);
}

static int stats_on(void)
{
	const int fd = enable_stats(BPF_STATS_RUN_TIME, sizeof(union bpf_attr));

	assert_true(fd >= 0);
	return fd;
}

static struct bpf_prog_info info_of(int prog)
{
	struct bpf_prog_info info = {0};
	union test_attr t = {.a.info = {.bpf_fd = (uint32_t)prog,
					.info_len = sizeof(info),
					.info = ptr64(&info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(info.recursion_misses, 0);
	return info;
}

static int load_type(unsigned type)
{
	const struct bpf_insn insns[] = {MOV_K(R0, 0), EXIT};
	const int fd = prog_load(type, 0, insns, 2);

	assert_true(fd >= 0);
	return fd;
}

static void run_packet(int fd, uint32_t repeat)
{
	uint8_t packet[PACKET_MAX];
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)fd,
					.data_in = ptr64(packet),
					.data_size_in = PACKET_LEN,
					.repeat = repeat}};

	fill_packet(packet);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
}

/* How many of some runs were counted, and that they took time. */
static uint64_t counted(int prog)
{
	const struct bpf_prog_info before = info_of(prog);
	struct bpf_prog_info after;

	run_packet(prog, 3);
	run_packet(prog, 0);
	after = info_of(prog);
	assert_int_equal(after.run_time_ns > before.run_time_ns, after.run_cnt > before.run_cnt);
	return after.run_cnt - before.run_cnt;
}

/* On where somebody else has asked for statistics, or the machine's administrator. */
static void require_off(int prog)
{
	if (counted(prog))
		skip();
}

static void arguments(void **state)
{
	union test_attr t = {.bytes = {0}};
	int fd;

	(void)state;
	assert_int_equal(enable_stats(1, sizeof(union bpf_attr)), -EINVAL);
	assert_int_equal(enable_stats(UINT32_MAX, sizeof(union bpf_attr)), -EINVAL);
	t.bytes[4] = 1;
	assert_int_equal(bpf_sys(BPF_ENABLE_STATS, &t, sizeof(union bpf_attr)), -EINVAL);
	fd = enable_stats(BPF_STATS_RUN_TIME, 0);
	assert_true(fd >= 0);
	close(fd);
}

/* Read-only, closed by exec, and no object. */
static void descriptor(void **state)
{
	struct bpf_prog_info info = {0};
	const int fd = stats_on();
	union test_attr t = {.a.info = {.bpf_fd = (uint32_t)fd,
					.info_len = sizeof(info),
					.info = ptr64(&info)}};

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), -EINVAL);
	t = (union test_attr){.a = {.pathname = ptr64("/sys/fs/bpf/userbpf-test-stats"),
				    .bpf_fd = (uint32_t)fd}};
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &t, sizeof(union bpf_attr)), -EINVAL);
	close(fd);
}

static void on_and_off(void **state)
{
	const int prog = load_type(BPF_PROG_TYPE_SOCKET_FILTER);
	int first, second;

	(void)state;
	require_off(prog);
	first = stats_on();
	assert_int_equal(counted(prog), 4);
	second = stats_on();
	close(first);
	assert_int_equal(counted(prog), 4);
	first = dup(second);
	close(second);
	assert_int_equal(counted(prog), 4);
	close(first);
	assert_int_equal(counted(prog), 0);
	first = stats_on();
	assert_int_equal(counted(prog), 4);
	close(first);
	assert_int_equal(info_of(prog).run_cnt, 16);
	close(prog);
}

/* A child has it, too, until it dies. */
static void other_processes(void **state)
{
	const int prog = load_type(BPF_PROG_TYPE_SOCKET_FILTER);
	int fd;
	pid_t child;

	(void)state;
	require_off(prog);
	fd = stats_on();
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	close(fd);
	assert_int_equal(counted(prog), 4);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(counted(prog), 0);
	close(prog);
}

static void packet_programs(void **state)
{
	static const unsigned types[] = {
		BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_XDP,
		BPF_PROG_TYPE_LWT_IN, BPF_PROG_TYPE_FLOW_DISSECTOR,
	};
	const int fd = stats_on();

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const int prog = load_type(types[i]);

		assert_int_equal(counted(prog), 4);
		close(prog);
	}
	close(fd);
}

static void other_programs(void **state)
{
	static const unsigned types[] = {BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_SYSCALL};
	const int fd = stats_on();

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const int prog = load_type(types[i]);
		union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog}};

		for (uint64_t runs = 1; runs < 3; runs++) {
			assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
			assert_int_equal(info_of(prog).run_cnt, runs);
		}
		close(prog);
	}
	close(fd);
}

/* Who makes a tail call has run, where it goes has not. */
static void tail_calls(void **state)
{
	const int array = map_create(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	const int target = load_type(BPF_PROG_TYPE_SOCKET_FILTER), fd = stats_on();
	const struct bpf_insn insns[] = {LD64_RAW(R2, BPF_PSEUDO_MAP_FD, array, 0), MOV_K(R3, 0),
					 CALL(BPF_FUNC_tail_call), MOV_K(R0, 1), EXIT};
	const int prog = prog_load(BPF_PROG_TYPE_SOCKET_FILTER, 0, insns, 6);

	(void)state;
	assert_int_equal(map_update(array, &(uint32_t){0}, &target, 0), 0);
	assert_int_equal(run_once(prog), 0);
	assert_int_equal(info_of(prog).run_cnt, 1);
	assert_int_equal(info_of(target).run_cnt, 0);
	close(prog);
	close(fd);
	close(target);
	close(array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),       cmocka_unit_test(descriptor),
		cmocka_unit_test(on_and_off),      cmocka_unit_test(other_processes),
		cmocka_unit_test(packet_programs), cmocka_unit_test(other_programs),
		cmocka_unit_test(tail_calls),
	};

	require_bpf();
	return run_tests(tests);
}
