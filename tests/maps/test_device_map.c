/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_device_map.c: DEVMAP, DEVMAP_HASH and CPUMAP: what may be an element, the element commands,
 * programs in values and how long they live, bpf_redirect_map. Interfaces: lo, of a network
 * namespace of our own.
 */
#include <sched.h>
#include <time.h>

#include "../vm/run.h"

#define DEVMAP BPF_MAP_TYPE_DEVMAP
#define DEVHASH BPF_MAP_TYPE_DEVMAP_HASH
#define CPUMAP BPF_MAP_TYPE_CPUMAP
#define XDP BPF_PROG_TYPE_XDP
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOOPBACK 1u
#define NO_INTERFACE 9999u

static const struct bpf_insn pass[] = {MOV_K(R0, XDP_PASS), EXIT};

static int make(unsigned type, unsigned value_size, unsigned n)
{
	int fd = map_create(type, 4, value_size, n, 0);

	assert_true(fd >= 0);
	return fd;
}

static int load(unsigned type, unsigned attach)
{
	int fd = prog_load(type, attach, pass, COUNT(pass));

	assert_true(fd >= 0);
	return fd;
}

static int set(int map, uint32_t key, uint32_t first, int program, uint64_t flags)
{
	const uint32_t value[2] = {first, (uint32_t)program};

	return map_update(map, &key, value, flags);
}

static void test_create(void **state)
{
	static const struct map_creation cases[] = {
		{DEVMAP, 4, 4, 1, BPF_F_RDONLY, 0}, {DEVMAP, 4, 8, 1, BPF_F_NUMA_NODE, 0},
		{DEVMAP, 4, 6, 1, 0, -EINVAL},      {DEVMAP, 8, 4, 1, 0, -EINVAL},
		{DEVMAP, 4, 4, 0, 0, -EINVAL},      {DEVMAP, 4, 4, 1, BPF_F_RDONLY_PROG, -EINVAL},
		{DEVHASH, 4, 8, 1, 0, 0},           {DEVHASH, 8, 8, 1, 0, -EINVAL},
		{DEVHASH, 4, 4, 0, 0, -EINVAL},     {DEVHASH, 4, 4, 1, BPF_F_NO_PREALLOC, -EINVAL},
		{DEVHASH, 4, 4, (1u << 31) + 1, 0, -EINVAL},
		{CPUMAP, 4, 8, 256, 0, 0},          {CPUMAP, 4, 4, 257, 0, -E2BIG},
		{CPUMAP, 4, 4, 1, BPF_F_RDONLY, -EINVAL}, {CPUMAP, 4, 12, 1, 0, -EINVAL},
	};

	(void)state;
	check_creations(cases, COUNT(cases));
}

static void test_flags_in_info(void **state)
{
	static const unsigned types[][2] = {
		{DEVMAP, BPF_F_RDONLY_PROG}, {DEVHASH, BPF_F_RDONLY_PROG}, {CPUMAP, 0}};

	(void)state;
	for (unsigned i = 0; i < COUNT(types); i++) {
		struct bpf_map_info info = {0};
		int fd = make(types[i][0], 4, 2);
		union test_attr t = {.a.info = {.bpf_fd = (uint32_t)fd,
						.info_len = sizeof(info),
						.info = ptr64(&info)}};

		assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(t.a)), 0);
		assert_int_equal(info.map_flags, types[i][1]);
		close(fd);
	}
}

static void test_devmap_elements(void **state)
{
	int map = make(DEVMAP, 4, 3);
	uint32_t key = 0, value = 7, next;

	(void)state;
	assert_int_equal(map_lookup(map, &key, &value), -ENOENT);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(set(map, 0, NO_INTERFACE, 0, BPF_ANY), -EINVAL);
	assert_int_equal(set(map, 0, LOOPBACK, 0, BPF_NOEXIST), -EEXIST);
	assert_int_equal(set(map, 0, LOOPBACK, 0, BPF_EXIST), 0);
	assert_int_equal(set(map, 0, LOOPBACK, 0, 3), -EINVAL);
	assert_int_equal(set(map, 3, LOOPBACK, 0, BPF_ANY), -E2BIG);
	assert_int_equal(set(map, 3, LOOPBACK, 0, BPF_NOEXIST), -E2BIG);
	assert_int_equal(map_lookup(map, &key, &value), 0);
	assert_int_equal(value, LOOPBACK);
	assert_int_equal(set(map, 0, 0, 0, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, &key, &value), -ENOENT);
	assert_int_equal(map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 0);
	key = 2;
	assert_int_equal(map_next_key(map, &key, &next), -ENOENT);
	key = 3;
	assert_int_equal(map_delete(map, &key), -EINVAL);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, map, &key, &value, 0), -ENOTSUPP);
	close(map);
}

static void test_devmap_hash_elements(void **state)
{
	int map = make(DEVHASH, 4, 2);
	uint32_t key = 70, value, next;

	(void)state;
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(map_next_key(map, NULL, &next), -ENOENT);
	assert_int_equal(set(map, 70, 0, 0, BPF_ANY), -EINVAL);
	assert_int_equal(set(map, 70, NO_INTERFACE, 0, BPF_ANY), -EINVAL);
	assert_int_equal(set(map, 70, LOOPBACK, 0, BPF_EXIST), 0);
	assert_int_equal(set(map, 70, LOOPBACK, 0, BPF_NOEXIST), -EEXIST);
	assert_int_equal(set(map, 70, NO_INTERFACE, 0, BPF_NOEXIST), -EEXIST);
	assert_int_equal(set(map, 70, 0, 0, BPF_NOEXIST), -EINVAL);
	assert_int_equal(set(map, 70, LOOPBACK, 0, BPF_ANY), 0);
	assert_int_equal(set(map, 71, LOOPBACK, 0, BPF_NOEXIST), 0);
	assert_int_equal(set(map, 72, LOOPBACK, 0, BPF_ANY), -E2BIG);
	assert_int_equal(set(map, 71, LOOPBACK, 0, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, &key, &value), 0);
	assert_int_equal(value, LOOPBACK);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 71);
	assert_int_equal(map_next_key(map, &next, &next), -ENOENT);
	close(map);
}

static void test_cpumap_elements(void **state)
{
	int map = make(CPUMAP, 4, 255);
	uint32_t key = 0, value;

	(void)state;
	assert_int_equal(set(map, 0, 16385, 0, BPF_ANY), -EOVERFLOW);
	assert_int_equal(set(map, 254, 16385, 0, BPF_ANY), -EOVERFLOW);
	assert_int_equal(set(map, 0, 192, 0, BPF_NOEXIST), -EEXIST);
	assert_int_equal(set(map, 255, 192, 0, BPF_ANY), -E2BIG);
	if (possible_cpus() < 254)
		assert_int_equal(set(map, 254, 192, 0, BPF_ANY), -ENODEV);
	assert_int_equal(set(map, 0, 16384, 0, BPF_EXIST), 0);
	assert_int_equal(map_lookup(map, &key, &value), 0);
	assert_int_equal(value, 16384);
	assert_int_equal(set(map, 0, 0, 0, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, &key, &value), -ENOENT);
	assert_int_equal(map_delete(map, &key), 0);
	close(map);
}

static uint32_t prog_id(int fd)
{
	struct bpf_prog_info info = {0};
	union test_attr t = {.a.info = {.bpf_fd = (uint32_t)fd,
					.info_len = sizeof(info),
					.info = ptr64(&info)}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(t.a)), 0);
	return info.id;
}

/* Programs go lazily in the kernel. */
static bool is_gone(uint32_t id)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	union test_attr t = {.a.prog_id = id};
	int fd;

	for (int i = 0; i < 5000; i++) {
		fd = (int)bpf_sys(BPF_PROG_GET_FD_BY_ID, &t, sizeof(t.a));
		if (fd == -ENOENT)
			return true;
		close(fd);
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool is_there(uint32_t id)
{
	union test_attr t = {.a.prog_id = id};
	int fd = (int)bpf_sys(BPF_PROG_GET_FD_BY_ID, &t, sizeof(t.a));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static const struct {
	unsigned type, attach, first;
	int closed, wrong;
} program_types[] = {
	{DEVMAP, BPF_XDP_DEVMAP, LOOPBACK, -EINVAL, -EINVAL},
	{DEVHASH, BPF_XDP_DEVMAP, LOOPBACK, -EINVAL, -EINVAL},
	{CPUMAP, BPF_XDP_CPUMAP, 8, -ENOMEM, -ENOMEM},
};

static void test_programs_refused(void **state)
{
	int plain = load(XDP, 0), filter = load(BPF_PROG_TYPE_SOCKET_FILTER, 0);

	(void)state;
	for (unsigned i = 0; i < COUNT(program_types); i++) {
		const unsigned first = program_types[i].first;
		int map = make(program_types[i].type, 8, 2);

		assert_int_equal(set(map, 0, first, 0, BPF_ANY), 0);
		assert_int_equal(set(map, 0, first, -1, BPF_ANY), 0);
		assert_int_equal(set(map, 0, first, 999, BPF_ANY), program_types[i].closed);
		assert_int_equal(set(map, 0, first, map, BPF_ANY), program_types[i].wrong);
		assert_int_equal(set(map, 0, first, plain, BPF_ANY), program_types[i].wrong);
		assert_int_equal(set(map, 0, first, filter, BPF_ANY), program_types[i].wrong);
		close(map);
	}
	close(plain);
	close(filter);
}

static void check_program(int map, unsigned i, int end)
{
	const unsigned first = program_types[i].first;
	int program = load(XDP, program_types[i].attach);
	int other = load(XDP, program_types[i].attach);
	uint32_t id = prog_id(program), other_id = prog_id(other), key = 0, value[2];

	assert_int_equal(set(map, 0, first, program, BPF_ANY), 0);
	assert_int_equal(set(map, 0, first, program, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, &key, value), 0);
	assert_int_equal(value[0], first);
	assert_int_equal(value[1], id);
	close(program);
	assert_true(is_there(id));
	assert_int_equal(set(map, 0, first, other, BPF_ANY), 0);
	assert_true(is_gone(id));
	close(other);
	assert_true(is_there(other_id));
	if (end == 0)
		assert_int_equal(map_delete(map, &key), 0);
	else if (end == 1)
		assert_int_equal(set(map, 0, first, 0, BPF_ANY), 0);
	else
		close(map);
	assert_true(is_gone(other_id));
}

static int load_user(unsigned type, int map)
{
	const struct bpf_insn insns[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0), MOV_K(R0, 0), EXIT};

	return prog_load(type, 0, insns, COUNT(insns));
}

/* The first program that uses the map, or is put in, decides; in a hash only one that is put in. */
static void test_owner(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(program_types); i++) {
		const bool is_hash = program_types[i].type == DEVHASH;
		const unsigned attach = program_types[i].attach, first = program_types[i].first;
		const int refused = program_types[i].wrong;
		int whole = load(XDP, attach);
		int frags = prog_load_flags(XDP, attach, pass, COUNT(pass), "GPL", BPF_F_XDP_HAS_FRAGS);
		int map = make(program_types[i].type, 8, 2), filter, user;

		assert_int_equal(set(map, 0, first, whole, BPF_ANY), 0);
		assert_int_equal(set(map, 0, first, frags, BPF_ANY), refused);
		user = load_user(XDP, map);
		assert_true(user >= 0);
		close(user);
		filter = load_user(BPF_PROG_TYPE_SOCKET_FILTER, map);
		assert_int_equal(filter < 0 ? filter : 0, is_hash ? 0 : -EINVAL);
		close(filter);
		close(map);

		map = make(program_types[i].type, 8, 2);
		close(load_user(BPF_PROG_TYPE_SOCKET_FILTER, map));
		assert_int_equal(set(map, 0, first, 0, BPF_ANY), 0);
		assert_int_equal(set(map, 0, first, frags, BPF_ANY), is_hash ? 0 : refused);
		close(map);
		close(whole);
		close(frags);
	}
}

static void test_programs_live(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(program_types); i++) {
		int map = make(program_types[i].type, 8, 2);

		for (int end = 0; end < 3; end++)
			check_program(map, i, end);
	}
}

/* redirect_map(map, key, flags) of the map in fd; the verdict. */
static uint32_t redirect(int map, uint32_t key, uint64_t flags)
{
	const struct bpf_insn insns[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0),
					 MOV_K(R2, (int)key), LD64(R3, flags),
					 CALL(BPF_FUNC_redirect_map), EXIT};
	uint8_t packet[PACKET_MAX];
	union test_attr t = {0};
	int fd = prog_load(XDP, 0, insns, COUNT(insns));

	assert_true(fd >= 0);
	fill_packet(packet);
	t.a.test.prog_fd = (uint32_t)fd;
	t.a.test.data_in = ptr64(packet);
	t.a.test.data_size_in = PACKET_LEN;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(t.a)), 0);
	close(fd);
	return t.a.test.retval;
}

static void test_redirect(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(program_types); i++) {
		const bool cpus = program_types[i].type == CPUMAP;
		int map = make(program_types[i].type, 4, 2);

		assert_int_equal(set(map, 0, program_types[i].first, 0, BPF_ANY), 0);
		assert_int_equal(redirect(map, 0, 0), XDP_REDIRECT);
		assert_int_equal(redirect(map, 0, XDP_TX), XDP_REDIRECT);
		for (unsigned action = 0; action <= XDP_TX; action++) {
			assert_int_equal(redirect(map, 1, action), action);
			assert_int_equal(redirect(map, 77, action), action);
		}
		assert_int_equal(redirect(map, 0, 4), XDP_ABORTED);
		assert_int_equal(redirect(map, 0, 1ull << 40), XDP_ABORTED);
		assert_int_equal(redirect(map, 77, BPF_F_BROADCAST | XDP_PASS),
				 cpus ? XDP_ABORTED : XDP_REDIRECT);
		assert_int_equal(redirect(map, 77, BPF_F_EXCLUDE_INGRESS | XDP_PASS),
				 cpus ? XDP_ABORTED : XDP_PASS);
		assert_int_equal(redirect(map, 77, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS),
				 cpus ? XDP_ABORTED : XDP_REDIRECT);
		close(map);
	}
}

/* The interface of a present element as the program sees it. */
static void test_lookup_by_program(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int map = make(program_types[i].type, 8, 2);
		const struct bpf_insn insns[] = {
			ST_K(W, R10, -4, 0), LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0),
			MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
			CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 1), LD(W, R0, R0, 0), EXIT};
		const struct bpf_insn store[] = {
			ST_K(W, R10, -4, 0), LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0),
			MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
			CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 2), ST_K(W, R0, 0, 5),
			MOV_K(R0, 0), EXIT};
		uint8_t packet[PACKET_MAX];
		union test_attr t = {0};
		int fd = prog_load(XDP, 0, insns, COUNT(insns));

		assert_true(fd >= 0);
		fill_packet(packet);
		t.a.test.prog_fd = (uint32_t)fd;
		t.a.test.data_in = ptr64(packet);
		t.a.test.data_size_in = PACKET_LEN;
		assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(t.a)), 0);
		assert_int_equal(t.a.test.retval, 0);
		assert_int_equal(set(map, 0, LOOPBACK, 0, BPF_ANY), 0);
		assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(t.a)), 0);
		assert_int_equal(t.a.test.retval, LOOPBACK);
		close(fd);
		/* Refused here or there: at load or when it happens. */
		fd = prog_load(XDP, 0, store, COUNT(store));
		if (fd >= 0) {
			t.a.test.prog_fd = (uint32_t)fd;
			assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(t.a)), -EFAULT);
			close(fd);
		} else {
			assert_int_equal(fd, -EACCES);
		}
		close(map);
	}
}

static int load_call(unsigned type, int map, int function)
{
	const struct bpf_insn insns[] = {
		ST_K(DW, R10, -8, 0), ST_K(DW, R10, -16, 0),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -8),
		MOV_X(R3, R10), ALU64_K(ADD, R3, -16), MOV_K(R4, 0),
		CALL(function), MOV_K(R0, 0), EXIT};
	int fd = prog_load(type, 0, insns, COUNT(insns));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void test_refused_at_load(void **state)
{
	int dev = make(DEVMAP, 4, 1), hash = make(DEVHASH, 4, 1), cpu = make(CPUMAP, 4, 1);
	int array = make(BPF_MAP_TYPE_ARRAY, 4, 1);
	const struct bpf_insn redirect_array[] = {
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, array, 0), MOV_K(R2, 0), MOV_K(R3, 0),
		CALL(BPF_FUNC_redirect_map), EXIT};

	(void)state;
	assert_int_equal(load_call(XDP, dev, BPF_FUNC_map_update_elem), -EACCES);
	assert_int_equal(load_call(XDP, hash, BPF_FUNC_map_delete_elem), -EACCES);
	assert_int_equal(load_call(XDP, cpu, BPF_FUNC_map_update_elem), -EINVAL);
	assert_int_equal(load_call(XDP, cpu, BPF_FUNC_map_lookup_elem), -EINVAL);
	assert_int_equal(load_call(BPF_PROG_TYPE_SCHED_CLS, dev, BPF_FUNC_map_lookup_elem), 0);
	assert_int_equal(prog_load(XDP, 0, redirect_array, COUNT(redirect_array)), -EINVAL);
	assert_int_equal(prog_load(BPF_PROG_TYPE_SCHED_CLS, 0, redirect_array,
				   COUNT(redirect_array)), -EINVAL);
	close(array);
	close(dev);
	close(hash);
	close(cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_flags_in_info),
		cmocka_unit_test(test_devmap_elements),
		cmocka_unit_test(test_devmap_hash_elements),
		cmocka_unit_test(test_cpumap_elements),
		cmocka_unit_test(test_programs_refused),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_programs_live),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_lookup_by_program),
		cmocka_unit_test(test_refused_at_load),
	};

	require_bpf();
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace of our own\n");
		return 0;
	}
	return run_tests(tests);
}
