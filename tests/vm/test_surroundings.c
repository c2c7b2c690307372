/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_surroundings.c: helpers by which programs reach out of themselves: system calls and names of
 * the kernel for syscall programs (what loader programs are made of), signals, namespaces, and what
 * a packet of a test run has not: groups, routes, attachments.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "run.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SYSCALL_PROG BPF_PROG_TYPE_SYSCALL
#define ATTR_BYTES 144
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define LOAD(type, ...)                                                                            \
	load(type, (const struct bpf_insn[]){__VA_ARGS__},                                         \
	     COUNT(((const struct bpf_insn[]){__VA_ARGS__})))

static int load(unsigned type, const struct bpf_insn *insns, unsigned count)
{
	int fd = prog_load(type, 0, insns, count);

	assert_true(fd >= 0);
	return fd;
}

/* Runs a syscall program once, on a context that comes back. */
static void run_on(int program, void *context, unsigned size)
{
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)program,
					.ctx_in = ptr64(context),
					.ctx_size_in = size}};

	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
}

/* bpf(2) by a program: the context says which and with what, and gets the result. */
struct bpf_request {
	uint64_t command;
	int64_t result;
	union bpf_attr attr;
};

static int bpf_caller(void)
{
	static struct bpf_insn insns[64] = {MOV_X(R6, R1)};
	const struct bpf_insn call[] = {
		LD(DW, R1, R6, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -ATTR_BYTES),
		MOV_K(R3, ATTR_BYTES), CALL(BPF_FUNC_sys_bpf), ST_X(DW, R6, 8, R0), MOV_K(R0, 0),
		EXIT};
	unsigned count = 1;

	for (short at = 0; at < ATTR_BYTES; at += 8) {
		insns[count++] = (struct bpf_insn)LD(DW, R1, R6, 16 + at);
		insns[count++] = (struct bpf_insn)ST_X(DW, R10, at - ATTR_BYTES, R1);
	}
	memcpy(insns + count, call, sizeof(call));
	return load(SYSCALL_PROG, insns, count + COUNT(call));
}

static long by_program(int program, unsigned command, const union bpf_attr *attr)
{
	struct {
		struct bpf_request request;
		uint8_t room[ATTR_BYTES]; /* of which the attribute may have less */
	} context = {.request = {.command = command, .attr = *attr}};

	run_on(program, &context, 16 + ATTR_BYTES);
	return context.request.result;
}

/* Programs make maps and close them. (Pointers would have to be theirs.) */
static void makes_maps(void **state)
{
	int program = bpf_caller(), closer;
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = 2};
	int map = (int)by_program(program, BPF_MAP_CREATE, &attr);
	uint32_t key = 1, value = 5;
	int64_t fds[] = {map, 0};

	assert_true(map >= 0);
	assert_int_equal(map_update(map, &key, &value, 0), 0);
	assert_int_equal(by_program(program, BPF_MAP_FREEZE, &(union bpf_attr){.map_fd = map}), 0);
	assert_int_equal(map_update(map, &key, &value, 0), -EPERM);
	attr.key_size = 5;
	assert_int_equal(by_program(program, BPF_MAP_CREATE, &attr), -EINVAL);
	closer = LOAD(SYSCALL_PROG, MOV_X(R6, R1), LD(DW, R1, R1, 0), CALL(BPF_FUNC_sys_close),
		      ST_X(DW, R6, 0, R0), MOV_K(R0, 0), EXIT);
	run_on(closer, fds, sizeof(fds));
	assert_int_equal(fds[0], 0);
	assert_int_equal(map_lookup(map, &key, &value), -EBADF);
	fds[0] = -1;
	run_on(closer, fds, sizeof(fds));
	assert_int_equal(fds[0], -EBADF);
	close(closer);
	close(program);
}

/* Everything else about bpf(2) is not for programs. */
static void other_commands(void **state)
{
	static const unsigned refused[] = {
		BPF_MAP_LOOKUP_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_OBJ_PIN, BPF_OBJ_GET,
		BPF_PROG_TEST_RUN, BPF_MAP_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD,
		BPF_BTF_GET_FD_BY_ID, BPF_MAP_UPDATE_BATCH, BPF_PROG_BIND_MAP, 1000};
	int program = bpf_caller(), map = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	union bpf_attr attr = {.map_fd = (uint32_t)map};

	for (size_t i = 0; i < COUNT(refused); i++)
		assert_int_equal(by_program(program, refused[i], &attr), -EINVAL);
	attr = (union bpf_attr){.map_id = 0};
	assert_int_equal(by_program(program, BPF_MAP_GET_FD_BY_ID, &attr), -ENOENT);
	attr = (union bpf_attr){.insn_cnt = 0};
	assert_int_equal(by_program(program, BPF_PROG_LOAD, &attr), -E2BIG);
	close(map);
	close(program);
}

/* A loader: the program's instructions lie in a map of the loader's. */
static void loads_programs(void **state)
{
	const struct bpf_insn insns[] = {MOV_K(R0, 42), EXIT};
	struct {
		struct bpf_insn insns[2];
		char license[8];
		union bpf_attr attr;
	} blob = {.license = "GPL", .attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS, .insn_cnt = 2}};
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(blob), 1, 0), loader, loaded;
	const short attr = offsetof(__typeof__(blob), attr);
	uint8_t packet[PACKET_MAX];
	uint32_t key = 0;
	int64_t result = 0;
	union test_attr t = {.a.test = {.data_in = ptr64(packet), .data_size_in = PACKET_LEN}};

	memcpy(blob.insns, insns, sizeof(insns));
	assert_int_equal(map_update(map, &key, &blob, 0), 0);
	loader = LOAD(SYSCALL_PROG, MOV_X(R6, R1), LD64_RAW(R7, BPF_PSEUDO_MAP_VALUE, map, 0),
		      ST_X(DW, R7, attr + 8, R7), MOV_X(R1, R7),
		      ALU64_K(ADD, R1, (int)offsetof(__typeof__(blob), license)),
		      ST_X(DW, R7, attr + 16, R1), MOV_K(R1, BPF_PROG_LOAD), MOV_X(R2, R7),
		      ALU64_K(ADD, R2, attr), MOV_K(R3, 72), CALL(BPF_FUNC_sys_bpf),
		      ST_X(DW, R6, 0, R0), MOV_K(R0, 0), EXIT);
	run_on(loader, &result, sizeof(result));
	loaded = (int)result;
	assert_true(loaded >= 0);
	fill_packet(packet);
	t.a.test.prog_fd = (uint32_t)loaded;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(t.a.test.retval, 42);
	close(loaded);
	close(loader);
	close(map);
}

/* The result of a helper that is asked about a name of this many bytes. */
static int64_t ask(const char *name, unsigned size, int helper, int third, int fourth)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 32, 1, 0), program;
	char value[32] = "";
	uint32_t key = 0;
	int64_t results[2] = {0};
	const struct bpf_insn pointer[] = {MOV_X(R4, R10), ALU64_K(ADD, R4, -8)};
	const struct bpf_insn number[] = {MOV_K(R4, fourth), MOV_K(R5, 0)};
	const struct bpf_insn *last = fourth < 0 ? pointer : number;

	memcpy(value, name, strlen(name));
	assert_int_equal(map_update(map, &key, value, 0), 0);
	program = LOAD(SYSCALL_PROG, MOV_X(R6, R1), ST_K(DW, R10, -8, 7),
		       LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, map, 0), MOV_K(R2, (int)size),
		       MOV_K(R3, third), last[0], last[1], CALL(helper), ST_X(DW, R6, 0, R0),
		       MOV_K(R0, 0), EXIT);
	run_on(program, results, sizeof(results));
	close(program);
	close(map);
	return results[0];
}

static void names(void **state)
{
	const bool has_btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	const struct {
		const char *name;
		unsigned size;
		int kind, flags;
		int64_t expected; /* 1: an id, where the kernel has BTF */
	} cases[] = {
		{"task_struct", 12, 4, 0, 1},       {"int", 4, 1, 0, 1},
		{"task_struct", 12, 1, 0, -ENOENT}, {"no_such_type", 13, 4, 0, -ENOENT},
		{"task_struct", 12, 4, 1, -EINVAL}, {"task_struct", 11, 4, 0, -EINVAL},
		{"", 1, 4, 0, -EINVAL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const int64_t expected =
			cases[i].expected > 0 && !has_btf ? -ENOENT : cases[i].expected;
		int64_t id = ask(cases[i].name, cases[i].size, BPF_FUNC_btf_find_by_name_kind,
				 cases[i].kind, cases[i].flags);

		assert_int_equal(id > 0 ? 1 : id, expected);
	}
	assert_int_equal(ask("no_such_symbol", 15, BPF_FUNC_kallsyms_lookup_name, 0, -1), -ENOENT);
	assert_int_equal(ask("no_such_symbol", 14, BPF_FUNC_kallsyms_lookup_name, 0, -1), -EINVAL);
	assert_int_equal(ask("no_such_symbol", 15, BPF_FUNC_kallsyms_lookup_name, 1, -1), -EINVAL);
}

static volatile sig_atomic_t received;

static void on_signal(int signal)
{
	received++;
}

static void signals(void **state)
{
	static const int helpers[] = {BPF_FUNC_send_signal, BPF_FUNC_send_signal_thread};
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	for (size_t i = 0; i < COUNT(helpers); i++) {
		int program = LOAD(SYSCALL_PROG, MOV_X(R6, R1), LD(DW, R1, R1, 0), CALL(helpers[i]),
				   ST_X(DW, R6, 0, R0), MOV_K(R0, 0), EXIT);
		int64_t number = SIGUSR1;

		received = 0;
		run_on(program, &number, sizeof(number));
		assert_int_equal(number, 0);
		assert_int_equal(received, 1);
		number = 0;
		run_on(program, &number, sizeof(number));
		assert_int_equal(number, 0);
		number = 100;
		run_on(program, &number, sizeof(number));
		assert_int_equal(number, -EINVAL);
		close(program);
	}
}

static void namespaces(void **state)
{
	const int socket_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t size = sizeof(uint64_t);
	uint64_t cookie = 0;
	struct stat st;
	uint8_t packet[PACKET_MAX];
	int program = LOAD(BPF_PROG_TYPE_SCHED_CLS, CALL(BPF_FUNC_get_netns_cookie), EXIT);
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)program,
					.data_in = ptr64(packet),
					.data_size_in = PACKET_LEN}};

	assert_int_equal(getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size), 0);
	fill_packet(packet);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(t.a.test.retval, (uint32_t)cookie);
	close(program);
	close(socket_fd);
	assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
	for (uint64_t wrong = 0; wrong < 3; wrong++) {
		int64_t results[2] = {0};

		program = LOAD(SYSCALL_PROG, MOV_X(R6, R1), LD64(R1, st.st_dev + (wrong == 1)),
			       LD64(R2, st.st_ino + (wrong == 2)), MOV_X(R3, R10),
			       ST_K(DW, R10, -8, 7), ALU64_K(ADD, R3, -8), MOV_K(R4, 8),
			       CALL(BPF_FUNC_get_ns_current_pid_tgid), ST_X(DW, R6, 0, R0),
			       LD(DW, R1, R10, -8), ST_X(DW, R6, 8, R1), MOV_K(R0, 0), EXIT);
		run_on(program, results, sizeof(results));
		assert_int_equal(results[0], wrong ? -EINVAL : 0);
		assert_int_equal((uint32_t)results[1], wrong ? 0 : getpid());
		assert_int_equal(results[1] >> 32, wrong ? 0 : getpid());
		close(program);
	}
}

static unsigned run_packet(int helper, uint8_t packet[PACKET_MAX])
{
	int program = LOAD(BPF_PROG_TYPE_SCHED_CLS, CALL(helper), EXIT);
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)program,
					.data_in = ptr64(packet),
					.data_out = ptr64(packet),
					.data_size_in = PACKET_LEN,
					.data_size_out = PACKET_LEN}};

	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	close(program);
	return t.a.test.retval;
}

static void nothing_around(void **state)
{
	static const int helpers[] = {BPF_FUNC_get_cgroup_classid, BPF_FUNC_skb_cgroup_classid,
				      BPF_FUNC_get_route_realm};
	int program = LOAD(BPF_PROG_TYPE_RAW_TRACEPOINT, CALL(BPF_FUNC_get_attach_cookie), EXIT);
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)program}};
	uint8_t packet[PACKET_MAX];

	fill_packet(packet);
	for (size_t i = 0; i < COUNT(helpers); i++)
		assert_int_equal(run_packet(helpers[i], packet), 0);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(t.a.test.retval, 0);
	close(program);
}

/* Only where the sender understands, and IPv4 has a checksum over it. */
static void congestion(void **state)
{
	static const struct {
		uint16_t proto;
		uint8_t before, after, changed, checksum; /* the last byte of it */
	} cases[] = {
		{0x0800, 0x00, 0x00, 0, 0xc4}, {0x0800, 0x01, 0x03, 1, 0xc2},
		{0x0800, 0x02, 0x03, 1, 0xc3}, {0x0800, 0x03, 0x03, 1, 0xc4},
		{0x86dd, 0x00, 0x00, 0, 0xc4}, {0x86dd, 0x10, 0x30, 1, 0xc4},
		{0x86dd, 0x20, 0x30, 1, 0xc4}, {0x86dd, 0x30, 0x30, 1, 0xc4},
		{0x0806, 0x01, 0x01, 0, 0xc4},
	};
	uint8_t packet[PACKET_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		fill_packet(packet);
		packet[12] = (uint8_t)(cases[i].proto >> 8);
		packet[13] = (uint8_t)cases[i].proto;
		packet[14] = cases[i].proto == 0x86dd ? 0x60 : 0x45;
		packet[15] = cases[i].before;
		assert_int_equal(run_packet(BPF_FUNC_skb_ecn_set_ce, packet), cases[i].changed);
		assert_int_equal(packet[15], cases[i].after);
		assert_int_equal(packet[25], cases[i].checksum);
	}
}

/* Who reads a string gets none of what lies behind it: such buffers are keys of maps. */
static void strings(void **state)
{
	static const struct {
		int helper, size;
		char wanted[17]; /* of the dots that were there */
	} cases[] = {
		{BPF_FUNC_probe_read_user_str, 16, "ab\0\0\0\0\0\0........"},
		{BPF_FUNC_probe_read_user_str, 8, "ab\0\0\0\0\0\0........"},
		{BPF_FUNC_probe_read_user_str, 7, "ab\0............."},
		{BPF_FUNC_probe_read_user_str, 3, "ab\0............."},
		{BPF_FUNC_probe_read_user_str, 2, "a\0.............."},
		{BPF_FUNC_probe_read_str, 16, "ab\0\0\0\0\0\0........"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		static const char source[32] = "ab\0secret behind the string";
		uint64_t context[3] = {ptr64(source)};
		int program = LOAD(SYSCALL_PROG, MOV_X(R6, R1), LD64(R1, 0x2e2e2e2e2e2e2e2eull),
				   ST_X(DW, R10, -16, R1), ST_X(DW, R10, -8, R1), MOV_X(R1, R10),
				   ALU64_K(ADD, R1, -16), MOV_K(R2, cases[i].size), LD(DW, R3, R6, 0),
				   CALL(cases[i].helper), ST_X(DW, R6, 0, R0), LD(DW, R1, R10, -16),
				   ST_X(DW, R6, 8, R1), LD(DW, R1, R10, -8), ST_X(DW, R6, 16, R1),
				   MOV_K(R0, 0), EXIT);

		run_on(program, context, sizeof(context));
		assert_int_equal(context[0], cases[i].size < 3 ? cases[i].size : 3);
		assert_memory_equal(context + 1, cases[i].wanted, 16);
		close(program);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_maps),
		cmocka_unit_test(other_commands),
		cmocka_unit_test(loads_programs),
		cmocka_unit_test(names),
		cmocka_unit_test(strings),
		cmocka_unit_test(signals),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(nothing_around),
		cmocka_unit_test(congestion),
	};

	require_bpf();
	return run_tests(tests);
}
