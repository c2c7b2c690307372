/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_socket_map.c: SOCKMAP, SOCKHASH, REUSEPORT_SOCKARRAY and XSKMAP: which sockets may be
 * elements, the element commands, sockets that are closed. In a network namespace of our own.
 */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../vm/run.h"

#define SOCKMAP BPF_MAP_TYPE_SOCKMAP
#define SOCKHASH BPF_MAP_TYPE_SOCKHASH
#define REUSE BPF_MAP_TYPE_REUSEPORT_SOCKARRAY
#define XSKMAP BPF_MAP_TYPE_XSKMAP
#define XDP BPF_PROG_TYPE_XDP
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int make(unsigned type, unsigned value_size, unsigned n)
{
	int fd = map_create(type, 4, value_size, n, 0);

	assert_true(fd >= 0);
	return fd;
}

static int set(int map, uint32_t key, int fd, uint64_t flags)
{
	const int64_t value = fd;

	return map_update(map, &key, &value, flags);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	return cookie;
}

/* The cookie in an element; 0: there is none. */
static uint64_t get(int map, uint32_t key)
{
	uint64_t cookie = 0;
	int err = map_lookup(map, &key, &cookie);

	assert_true(err == 0 || err == -ENOENT);
	return err ? 0 : cookie;
}

static int open_socket(int family, int type)
{
	int fd = socket(family, type, 0);

	assert_true(fd >= 0);
	return fd;
}

/* On the loopback interface, on a port that the kernel chooses. */
static int bound(int type, bool reuseport)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = open_socket(AF_INET, type), on = reuseport;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int listening(bool reuseport)
{
	int fd = bound(SOCK_STREAM, reuseport);

	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int connected(int listener)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int fd = open_socket(AF_INET, SOCK_STREAM);

	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
	return fd;
}

static const unsigned sock_types[] = {SOCKMAP, SOCKHASH};

static void test_create(void **state)
{
	static const struct map_creation cases[] = {
		{SOCKMAP, 4, 8, 1, BPF_F_RDONLY, 0},   {SOCKMAP, 8, 8, 1, 0, -EINVAL},
		{SOCKMAP, 4, 5, 1, 0, -EINVAL},        {SOCKMAP, 4, 4, 0, 0, -EINVAL},
		{SOCKHASH, 1, 4, 1, 0, 0},             {SOCKHASH, 512, 8, 1, 0, 0},
		{SOCKHASH, 513, 8, 1, 0, -E2BIG},      {SOCKHASH, 0, 8, 1, 0, -EINVAL},
		{SOCKHASH, 4, 8, 1u << 28, 0, -EINVAL}, {REUSE, 4, 8, 1, BPF_F_RDONLY_PROG, 0},
		{REUSE, 8, 8, 1, 0, -EINVAL},          {XSKMAP, 4, 4, 1, 0, 0},
		{XSKMAP, 4, 8, 1, 0, -EINVAL},
		{XSKMAP, 4, 4, 1, BPF_F_RDONLY_PROG, -EINVAL},
	};

	(void)state;
	check_creations(cases, COUNT(cases));
}

static void test_which_sockets(void **state)
{
	int listener = listening(false), client = connected(listener), pair[2], grams[2], seq[2];
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, grams), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seq), 0);
	for (unsigned i = 0; i < COUNT(sock_types); i++) {
		const struct {
			int fd, result;
		} cases[] = {
			{listener, 0},
			{client, 0},
			{bound(SOCK_DGRAM, false), 0},
			{pair[0], 0},
			{grams[0], 0},
			{seq[0], -EOPNOTSUPP},
			{open_socket(AF_UNIX, SOCK_DGRAM), 0},
			{open_socket(AF_UNIX, SOCK_STREAM), -EOPNOTSUPP},
			{open_socket(AF_INET, SOCK_STREAM), -EOPNOTSUPP},
			{bound(SOCK_STREAM, false), -EOPNOTSUPP},
			{open_socket(AF_INET, SOCK_DGRAM), -EOPNOTSUPP},
			{open_socket(AF_NETLINK, SOCK_RAW), -EOPNOTSUPP},
			{file, -ENOTSOCK},
			{999, -EBADF},
			{-1, -EINVAL},
		};

		for (unsigned n = 0; n < COUNT(cases); n++)
			for (unsigned size = 4; size <= 8; size += 4) {
				int map = make(sock_types[i], size, 1);
				int err = set(map, 0, cases[n].fd, BPF_ANY);

				if (err != cases[n].result)
					fail_msg("type %u case %u: %d", sock_types[i], n, err);
				close(map);
			}
	}
}

static void test_sockmap_elements(void **state)
{
	int map = make(SOCKMAP, 8, 2);
	int one = bound(SOCK_DGRAM, false), two = bound(SOCK_DGRAM, false);
	uint32_t key = 0, next;

	(void)state;
	assert_int_equal(get(map, 0), 0);
	assert_int_equal(map_delete(map, &key), -EINVAL);
	assert_int_equal(set(map, 0, one, BPF_EXIST), -ENOENT);
	assert_int_equal(set(map, 0, one, 3), -EINVAL);
	assert_int_equal(set(map, 2, one, BPF_ANY), -E2BIG);
	assert_int_equal(set(map, 2, 999, BPF_ANY), -EBADF);
	assert_int_equal(set(map, 0, 999, 3), -EBADF);
	assert_int_equal(set(map, 0, 999, 1ull << 32), -EBADF);
	assert_int_equal(set(map, 0, one, BPF_NOEXIST), 0);
	assert_int_equal(set(map, 1, one, BPF_ANY), 0);
	assert_int_equal(set(map, 0, two, BPF_NOEXIST), -EEXIST);
	assert_int_equal(set(map, 0, two, BPF_EXIST), 0);
	assert_int_equal(get(map, 0), cookie_of(two));
	assert_int_equal(get(map, 1), cookie_of(one));
	assert_int_equal(map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(get(map, 0), 0);
	key = 2;
	assert_int_equal(map_delete(map, &key), -EINVAL);
	close(map);
	map = make(SOCKMAP, 4, 1);
	key = 0;
	assert_int_equal(set(map, 0, one, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, &key, &next), -ENOSPC);
	key = 1;
	assert_int_equal(map_lookup(map, &key, &next), -ENOSPC);
	close(map);
	close(one);
	close(two);
}

static void test_sockhash_elements(void **state)
{
	int map = make(SOCKHASH, 8, 2);
	int one = bound(SOCK_DGRAM, false), two = bound(SOCK_DGRAM, false);
	uint32_t key = 70, next;

	(void)state;
	assert_int_equal(map_next_key(map, NULL, &next), -ENOENT);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(set(map, 70, one, BPF_EXIST), -ENOENT);
	assert_int_equal(set(map, 70, one, BPF_NOEXIST), 0);
	assert_int_equal(set(map, 71, one, BPF_ANY), 0);
	assert_int_equal(set(map, 70, two, BPF_NOEXIST), -EEXIST);
	assert_int_equal(set(map, 72, two, BPF_ANY), -E2BIG);
	assert_int_equal(set(map, 70, two, BPF_ANY), 0);
	assert_int_equal(get(map, 70), cookie_of(two));
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 71);
	close(map);
	close(one);
	close(two);
}

/* In each kind of socket that may be an element. */
static void test_closed_sockets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(sock_types); i++) {
		int map = make(sock_types[i], 8, 4), listener = listening(false), pair[2];
		uint32_t next;
		int fds[4];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		fds[0] = listener;
		fds[1] = connected(listener);
		fds[2] = bound(SOCK_DGRAM, false);
		fds[3] = pair[0];
		for (uint32_t key = 0; key < 4; key++) {
			assert_int_equal(set(map, key, fds[key], BPF_NOEXIST), 0);
			assert_int_equal(get(map, key), cookie_of(fds[key]));
		}
		for (uint32_t key = 4; key--;) {
			close(fds[key]);
			assert_int_equal(get(map, key), 0);
		}
		fds[0] = bound(SOCK_DGRAM, false);
		if (sock_types[i] == SOCKHASH)
			assert_int_equal(map_next_key(map, NULL, &next), -ENOENT);
		for (uint32_t key = 0; key < 4; key++)
			assert_int_equal(set(map, key, fds[0], BPF_NOEXIST), 0);
		close(fds[0]);
		fds[0] = bound(SOCK_DGRAM, false);
		assert_int_equal(set(map, 3, fds[0], BPF_NOEXIST), 0);
		close(fds[0]);
		close(pair[1]);
		close(map);
	}
}

/* A full map whose sockets are closed has room. */
static void test_full_of_closed(void **state)
{
	int map = make(SOCKHASH, 8, 2), one = bound(SOCK_DGRAM, false);

	(void)state;
	assert_int_equal(set(map, 1, one, BPF_ANY), 0);
	assert_int_equal(set(map, 2, one, BPF_ANY), 0);
	close(one);
	one = bound(SOCK_DGRAM, false);
	assert_int_equal(set(map, 3, one, BPF_ANY), 0);
	assert_int_equal(set(map, 4, one, BPF_ANY), 0);
	assert_int_equal(set(map, 5, one, BPF_ANY), -E2BIG);
	close(one);
	close(map);
}

static void test_reuseport(void **state)
{
	int map = make(REUSE, 8, 3), short_map = make(REUSE, 4, 1);
	int one = bound(SOCK_DGRAM, true), two = listening(true);
	uint32_t key = 0, value;

	(void)state;
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(set(map, 3, one, BPF_ANY), -E2BIG);
	assert_int_equal(set(map, 0, 999, BPF_ANY), -EBADF);
	assert_int_equal(set(map, 0, -1, BPF_ANY), -EINVAL);
	assert_int_equal(set(short_map, 0, -1, BPF_ANY), -EBADF);
	assert_int_equal(set(map, 0, map, BPF_ANY), -ENOTSOCK);
	assert_int_equal(set(map, 0, open_socket(AF_UNIX, SOCK_DGRAM), BPF_ANY), -ENOTSUPP);
	assert_int_equal(set(map, 0, socket(AF_INET, SOCK_RAW, IPPROTO_UDP), BPF_ANY), -ENOTSUPP);
	assert_int_equal(set(map, 0, open_socket(AF_INET, SOCK_DGRAM), BPF_ANY), -EINVAL);
	assert_int_equal(set(map, 0, bound(SOCK_DGRAM, false), BPF_ANY), -EINVAL);
	assert_int_equal(set(map, 0, bound(SOCK_STREAM, true), BPF_ANY), -EINVAL);
	assert_int_equal(set(map, 0, one, BPF_EXIST), -ENOENT);
	assert_int_equal(set(map, 0, one, BPF_NOEXIST), 0);
	assert_int_equal(set(map, 1, two, BPF_ANY), 0);
	assert_int_equal(set(map, 0, one, BPF_ANY), -EBUSY);
	assert_int_equal(set(map, 2, one, BPF_ANY), -EBUSY);
	assert_int_equal(set(map, 0, one, BPF_NOEXIST), -EEXIST);
	assert_int_equal(get(map, 0), cookie_of(one));
	assert_int_equal(map_lookup(short_map, &key, &value), -ENOSPC);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(set(map, 2, one, BPF_ANY), 0);
	close(one);
	assert_int_equal(get(map, 2), 0);
	key = 3;
	assert_int_equal(map_delete(map, &key), -E2BIG);
	close(two);
	close(map);
	close(short_map);
}

static uint32_t run_xdp(const struct bpf_insn *insns, unsigned count)
{
	uint8_t packet[PACKET_MAX];
	union test_attr t = {0};
	int fd = prog_load(XDP, 0, insns, count);

	assert_true(fd >= 0);
	fill_packet(packet);
	t.a.test.prog_fd = (uint32_t)fd;
	t.a.test.data_in = ptr64(packet);
	t.a.test.data_size_in = PACKET_LEN;
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(t.a)), 0);
	close(fd);
	return t.a.test.retval;
}

static uint32_t redirect(int map, uint32_t key, uint64_t flags)
{
	const struct bpf_insn insns[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0),
					 MOV_K(R2, (int)key), LD64(R3, flags),
					 CALL(BPF_FUNC_redirect_map), EXIT};

	return run_xdp(insns, COUNT(insns));
}

/* As programs for AF_XDP ask whether anybody listens; they use the answer for nothing else. */
static uint32_t has_socket(int map)
{
	const struct bpf_insn insns[] = {
		ST_K(W, R10, -4, 0), LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0), MOV_X(R2, R10),
		ALU64_K(ADD, R2, -4), CALL(BPF_FUNC_map_lookup_elem), MOV_X(R1, R0), MOV_K(R0, 0),
		J_K(JEQ, R1, 0, 1), MOV_K(R0, 1), EXIT};

	return run_xdp(insns, COUNT(insns));
}

static void test_xskmap(void **state)
{
	int map = make(XSKMAP, 4, 2), one = socket(AF_XDP, SOCK_RAW, 0);
	int two = socket(AF_XDP, SOCK_RAW, 0);
	uint32_t key = 0, value;

	(void)state;
	assert_int_equal(map_lookup(map, &key, &value), -EOPNOTSUPP);
	assert_int_equal(map_delete(map, &key), 0);
	assert_int_equal(set(map, 0, 999, BPF_ANY), -EBADF);
	assert_int_equal(set(map, 0, map, BPF_ANY), -ENOTSOCK);
	assert_int_equal(set(map, 0, open_socket(AF_UNIX, SOCK_DGRAM), BPF_ANY), -EOPNOTSUPP);
	assert_int_equal(redirect(map, 0, XDP_PASS), XDP_PASS);
	assert_int_equal(has_socket(map), 0);
	key = 2;
	assert_int_equal(map_delete(map, &key), -EINVAL);
	if (one >= 0 && two >= 0) {
		assert_int_equal(set(map, 2, one, BPF_ANY), -E2BIG);
		assert_int_equal(set(map, 0, one, BPF_EXIST), -ENOENT);
		assert_int_equal(set(map, 0, one, BPF_ANY), 0);
		assert_int_equal(set(map, 0, one, BPF_NOEXIST), 0);
		assert_int_equal(set(map, 0, two, BPF_NOEXIST), -EEXIST);
		assert_int_equal(set(map, 0, two, BPF_EXIST), 0);
		assert_int_equal(redirect(map, 0, XDP_PASS), XDP_REDIRECT);
		assert_int_equal(has_socket(map), 1);
		assert_int_equal(redirect(map, 1, XDP_TX), XDP_TX);
		assert_int_equal(redirect(map, 0, BPF_F_BROADCAST), XDP_ABORTED);
		key = 0;
		assert_int_equal(map_delete(map, &key), 0);
		assert_int_equal(redirect(map, 0, XDP_PASS), XDP_PASS);
	}
	close(map);
}

/* Helpers with (ctx, map, key, flags); the key as a number or by address. */
static void test_programs(void **state)
{
	static const struct {
		unsigned type, attach;
		int helper;
		bool number;
		unsigned map, wrong;
	} cases[] = {
		{BPF_PROG_TYPE_SK_SKB, 0, BPF_FUNC_sk_redirect_map, true, SOCKMAP, SOCKHASH},
		{BPF_PROG_TYPE_SK_SKB, 0, BPF_FUNC_sk_redirect_hash, false, SOCKHASH, SOCKMAP},
		{BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, BPF_FUNC_msg_redirect_map, true, SOCKMAP,
		 SOCKHASH},
		{BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, BPF_FUNC_msg_redirect_hash, false,
		 SOCKHASH, SOCKMAP},
		{BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, BPF_FUNC_sock_map_update, false,
		 SOCKMAP, SOCKHASH},
		{BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, BPF_FUNC_sock_hash_update, false,
		 SOCKHASH, REUSE},
		{BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, BPF_FUNC_sk_select_reuseport,
		 false, REUSE, XSKMAP},
		{BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, BPF_FUNC_sk_select_reuseport,
		 false, SOCKMAP, XSKMAP},
		{BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, BPF_FUNC_sk_select_reuseport,
		 false, SOCKHASH, XSKMAP},
	};

	(void)state;
	for (unsigned i = 0; i < 2 * COUNT(cases); i++) {
		const unsigned c = i / 2, map_type = i % 2 ? cases[c].wrong : cases[c].map;
		int map = make(map_type, 4, 1), fd;
		struct bpf_insn insns[] = {
			ST_K(DW, R10, -8, 0), LD64_RAW(R2, BPF_PSEUDO_MAP_FD, map, 0),
			MOV_X(R3, R10), ALU64_K(ADD, R3, -8), MOV_K(R4, 0),
			CALL(cases[c].helper), MOV_K(R0, 1), EXIT};

		if (cases[c].number)
			insns[4] = (struct bpf_insn)MOV_K(R3, 0);
		fd = prog_load(cases[c].type, cases[c].attach, insns, COUNT(insns));
		if (i % 2 ? fd != -EINVAL : fd < 0)
			fail_msg("case %u, map type %u: %d", c, map_type, fd);
		if (fd >= 0)
			close(fd);
		close(map);
	}
}

static int load_delete(int map, unsigned type, unsigned attach)
{
	const struct bpf_insn insns[] = {
		ST_K(W, R10, -4, 0), LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0), MOV_X(R2, R10),
		ALU64_K(ADD, R2, -4), CALL(BPF_FUNC_map_delete_elem), ALU64_K(NEG, R0, 0), EXIT};

	return prog_load(type, attach, insns, COUNT(insns));
}

static void test_delete_by_program(void **state)
{
	static const struct {
		unsigned type, attach;
		int expected;
	} cases[] = {
		{BPF_PROG_TYPE_SOCKET_FILTER, 0, 0},
		{BPF_PROG_TYPE_SCHED_CLS, 0, 0},
		{BPF_PROG_TYPE_FLOW_DISSECTOR, 0, 0},
		{BPF_PROG_TYPE_CGROUP_SKB, 0, -EINVAL},
		{BPF_PROG_TYPE_TRACEPOINT, 0, -EINVAL},
		{BPF_PROG_TYPE_SK_SKB, 0, -EINVAL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(sock_types); i++) {
		int map = make(sock_types[i], 8, 2), one = bound(SOCK_DGRAM, false), program;

		for (unsigned c = 0; c < COUNT(cases); c++) {
			program = load_delete(map, cases[c].type, cases[c].attach);
			assert_int_equal(program < 0 ? program : 0, cases[c].expected);
			close(program);
		}
		program = load_delete(map, XDP, 0);
		assert_int_equal(set(map, 0, one, BPF_ANY), 0);
		assert_int_equal(set(map, 1, one, BPF_ANY), 0);
		assert_int_equal(run_once(program), 0);
		assert_int_equal(get(map, 0), 0);
		assert_true(get(map, 1));
		assert_int_equal(run_once(program), sock_types[i] == SOCKMAP ? EINVAL : ENOENT);
		close(program);
		close(one);
		close(map);
	}
}

/* bind() to loopback wants the interface up. */
static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		exit(1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_which_sockets),
		cmocka_unit_test(test_sockmap_elements),
		cmocka_unit_test(test_sockhash_elements),
		cmocka_unit_test(test_closed_sockets),
		cmocka_unit_test(test_full_of_closed),
		cmocka_unit_test(test_reuseport),
		cmocka_unit_test(test_xskmap),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_delete_by_program),
	};

	require_bpf();
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace of our own\n");
		return 0;
	}
	raise_loopback();
	return run_tests(tests);
}
