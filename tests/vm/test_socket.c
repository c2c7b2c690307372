/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_socket.c: programs find the sockets of the process itself, on the loopback interface: see
 * socket.bpf.c. What they do wrong with them is refused at load where straight-line code shows it.
 */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "run.h"
#include "skeleton_run.h"
#include "socket.skel.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PRIORITY 5
enum { ESTABLISHED = 1, TIME_WAIT = 6, CLOSE = 7, LISTEN = 10 };

static struct socket *skel;

/* A server and a client that has connected to it; accepted is -1 where there is no such thing. */
struct pair {
	int family, type, server, client, accepted;
	struct sockaddr_in6 server_name, client_name; /* or sockaddr_in, whose port lies there too */
};

static uint16_t port_of(const struct sockaddr_in6 *name)
{
	return name->sin6_port;
}

static void get_name(int fd, struct sockaddr_in6 *name)
{
	socklen_t size = sizeof(*name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)name, &size), 0);
}

static bool make_pair(struct pair *pair, int family, int type)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	const struct sockaddr *name = family == AF_INET ? (void *)&ipv4 : (void *)&ipv6;
	const socklen_t size = family == AF_INET ? sizeof(ipv4) : sizeof(ipv6);
	const int priority = PRIORITY;

	*pair = (struct pair){.family = family, .type = type, .accepted = -1};
	pair->server = socket(family, type, 0);
	pair->client = socket(family, type, 0);
	if (bind(pair->server, name, size) || (type == SOCK_STREAM && listen(pair->server, 5)))
		return false;
	get_name(pair->server, &pair->server_name);
	if (connect(pair->client, (struct sockaddr *)&pair->server_name, size))
		return false;
	get_name(pair->client, &pair->client_name);
	if (type == SOCK_STREAM)
		pair->accepted = accept(pair->server, NULL, NULL);
	setsockopt(pair->client, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	return true;
}

static void close_pair(const struct pair *pair)
{
	close(pair->client);
	close(pair->server);
	if (pair->accepted >= 0)
		close(pair->accepted);
}

/* Looks for what gets packets from one port to another. */
static bool find(struct bpf_program *program, const struct pair *pair, uint16_t from, uint16_t to)
{
	struct bpf_sock_tuple tuple = {0};

	if (pair->family == AF_INET) {
		tuple.ipv4.saddr = tuple.ipv4.daddr = htonl(INADDR_LOOPBACK);
		tuple.ipv4.sport = from;
		tuple.ipv4.dport = to;
	} else {
		memcpy(tuple.ipv6.saddr, &in6addr_loopback, 16);
		memcpy(tuple.ipv6.daddr, &in6addr_loopback, 16);
		tuple.ipv6.sport = from;
		tuple.ipv6.dport = to;
	}
	skel->bss->tuple = tuple;
	skel->bss->size = pair->family == AF_INET ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6);
	skel->bss->how = pair->type == SOCK_DGRAM;
	skel->bss->found = -1;
	memset(&skel->bss->seen, 0, sizeof(skel->bss->seen));
	assert_true(run_program(bpf_program__fd(program)) >= 0);
	return skel->bss->found;
}

static void check_address(const struct pair *pair, uint32_t ip4, const uint32_t *ip6, bool there)
{
	if (pair->family == AF_INET)
		assert_int_equal(ip4, there ? htonl(INADDR_LOOPBACK) : 0);
	else
		assert_int_equal(ip6[3], there ? htonl(1) : 0);
}

/* The socket at one end of a connection, or one that waits for any. */
static void check_seen(const struct pair *pair, uint16_t local, uint16_t remote, uint32_t state)
{
	const struct bpf_sock *seen = &skel->bss->seen;

	assert_int_equal(seen->family, pair->family);
	assert_int_equal(seen->src_port, ntohs(local));
	assert_int_equal(seen->dst_port, remote);
	assert_int_equal(seen->state, state);
	check_address(pair, seen->src_ip4, seen->src_ip6, true);
	check_address(pair, seen->dst_ip4, seen->dst_ip6, remote);
}

static void check_kind(const struct pair *pair, uint32_t priority)
{
	const struct bpf_sock *seen = &skel->bss->seen;

	assert_int_equal(seen->type, pair->type);
	assert_int_equal(seen->protocol, pair->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP);
	assert_int_equal(seen->mark, 0);
	assert_int_equal(seen->priority, priority);
	assert_int_equal(seen->bound_dev_if, 0);
}

static void check_pair(struct bpf_program *program, int family, int type)
{
	const bool tcp = type == SOCK_STREAM;
	uint16_t client, server;
	struct pair pair;

	if (!make_pair(&pair, family, type)) {
		close_pair(&pair);
		return; /* no such protocol here */
	}
	client = port_of(&pair.client_name);
	server = port_of(&pair.server_name);
	assert_true(find(program, &pair, server, client));
	check_seen(&pair, client, server, ESTABLISHED);
	check_kind(&pair, PRIORITY);
	assert_true(find(program, &pair, client, server));
	check_seen(&pair, server, tcp ? client : 0, tcp ? ESTABLISHED : CLOSE);
	check_kind(&pair, 0);
	assert_true(find(program, &pair, htons(1), server));
	check_seen(&pair, server, 0, tcp ? LISTEN : CLOSE);
	assert_false(find(program, &pair, htons(1), client));
	close_pair(&pair);
	assert_false(find(program, &pair, htons(1), server));
}

static void finds(void **state)
{
	struct bpf_program *programs[] = {skel->progs.by_tc, skel->progs.by_xdp};

	for (size_t i = 0; i < COUNT(programs); i++) {
		check_pair(programs[i], AF_INET, SOCK_STREAM);
		check_pair(programs[i], AF_INET, SOCK_DGRAM);
		check_pair(programs[i], AF_INET6, SOCK_STREAM);
		check_pair(programs[i], AF_INET6, SOCK_DGRAM);
	}
}

static void finds_nothing(void **state)
{
	struct pair pair;
	uint16_t server;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	server = port_of(&pair.server_name);
	assert_true(find(skel->progs.by_tc, &pair, htons(1), server));
	skel->bss->flags = 1;
	assert_false(find(skel->progs.by_tc, &pair, htons(1), server));
	skel->bss->flags = 0;
	skel->data->netns = 1ll << 31; /* the lower half is less than 0 */
	assert_true(find(skel->progs.by_tc, &pair, htons(1), server));
	skel->data->netns = 12345;
	assert_false(find(skel->progs.by_tc, &pair, htons(1), server));
	skel->data->netns = -1;
	skel->bss->size = 16;
	assert_int_equal(RUN(by_tc), 0);
	assert_false(skel->bss->found);
	close_pair(&pair);
}

static void listeners(void **state)
{
	struct pair pair;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	find(skel->progs.by_tc, &pair, htons(1), port_of(&pair.server_name));
	assert_true(skel->bss->full && skel->bss->listener);
	find(skel->progs.by_tc, &pair, port_of(&pair.server_name), port_of(&pair.client_name));
	assert_true(skel->bss->full && !skel->bss->listener);
	close_pair(&pair);
}

static void no_tcp(void **state)
{
	struct pair pair;

	assert_true(make_pair(&pair, AF_INET, SOCK_DGRAM));
	assert_true(find(skel->progs.by_tc, &pair, htons(1), port_of(&pair.server_name)));
	assert_int_equal(RUN(no_tcp), 1);
	close_pair(&pair);
}

/* What is left of a connection is a socket to bpf_skc_lookup_tcp() only. */
static void time_wait(void **state)
{
	uint16_t client, server;
	struct pair pair;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	client = port_of(&pair.client_name);
	server = port_of(&pair.server_name);
	assert_true(find(skel->progs.common, &pair, server, client));
	check_seen(&pair, client, server, ESTABLISHED);
	assert_true(skel->bss->full);
	shutdown(pair.client, SHUT_WR); /* it leaves first */
	close(pair.accepted);
	pair.accepted = -1;
	close_pair(&pair);
	assert_true(find(skel->progs.common, &pair, server, client));
	check_seen(&pair, client, server, TIME_WAIT);
	assert_false(skel->bss->full);
	assert_false(find(skel->progs.by_tc, &pair, server, client));
}

/* Values are those of the socket, whether a program or a descriptor names it. */
static void storages(void **state)
{
	int map = bpf_map__fd(skel->maps.stored);
	struct pair pair;
	long value = 5;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	assert_int_equal(map_update(map, &pair.client, &value, 0), 0);
	find(skel->progs.by_tc, &pair, port_of(&pair.server_name), port_of(&pair.client_name));
	assert_int_equal(skel->bss->storage, 15);
	assert_int_equal(map_lookup(map, &pair.client, &value), 0);
	assert_int_equal(value, 15);
	find(skel->progs.by_tc, &pair, htons(1), port_of(&pair.server_name));
	assert_int_equal(map_lookup(map, &pair.server, &value), 0);
	assert_int_equal(value, 10);
	close_pair(&pair);
}

static void several(void **state)
{
	struct pair pair;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	find(skel->progs.by_tc, &pair, htons(1), port_of(&pair.server_name));
	assert_int_equal(RUN(several), 1 + LISTEN);
	close_pair(&pair);
}

/* A listener whose queue has room needs no cookies. */
static void cookies(void **state)
{
	enum { FLAGS = 13, SYN = 2, ACK = 16 };
	static const struct {
		uint8_t flags, version;
		bool of_client;
		long checked, generated;
	} cases[] = {
		{ACK, 0x45, false, -ENOENT, -EINVAL},
		{SYN, 0x45, false, -ENOENT, -ENOENT},
		{SYN, 0x55, false, -ENOENT, -EPROTONOSUPPORT},
		{SYN, 0x65, false, -ENOENT, -EINVAL},
		{SYN | ACK, 0x45, false, -ENOENT, -EINVAL},
		{ACK, 0x45, true, -EINVAL, -EINVAL},
	};
	struct pair pair;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sockaddr_in6 *to =
			cases[i].of_client ? &pair.client_name : &pair.server_name;

		find(skel->progs.by_tc, &pair,
		     cases[i].of_client ? port_of(&pair.server_name) : htons(1), port_of(to));
		skel->data->tcp[FLAGS] = cases[i].flags;
		skel->data->ip[0] = cases[i].version;
		assert_int_equal(RUN(cookies), 0);
		if (skel->bss->checked != cases[i].checked ||
		    skel->bss->generated != cases[i].generated)
			fail_msg("case %zu: %ld, %ld", i, skel->bss->checked,
				 skel->bss->generated);
	}
	close_pair(&pair);
}

/* The socket is in R0, or NULL. */
#define LOOKUP                                                                                     \
	ST_K(DW, R10, -8, 0), ST_K(W, R10, -12, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -12),         \
		MOV_K(R3, 12), MOV_K(R4, -1), MOV_K(R5, 0), CALL(BPF_FUNC_sk_lookup_tcp)
#define RELEASE MOV_X(R1, R0), CALL(BPF_FUNC_sk_release)
#define END MOV_K(R0, 0), EXIT

static void misuse(void **state)
{
	static const struct {
		struct bpf_insn insns[24];
		int result;
	} cases[] = {
		{{LOOKUP, J_K(JEQ, R0, 0, 2), RELEASE, END}, 0},
		{{LOOKUP, J_K(JNE, R0, 0, 2), END, RELEASE, END}, 0},
		{{LOOKUP, END}, -EINVAL},
		{{LOOKUP, J_K(JEQ, R0, 0, 1), LD(W, R1, R0, 4), END}, -EINVAL},
		{{LOOKUP, RELEASE, END}, -EACCES},
		{{LOOKUP, LD(W, R1, R0, 4), J_K(JEQ, R0, 0, 2), RELEASE, END}, -EACCES},
		{{LOOKUP, ALU64_K(ADD, R0, 8), J_K(JEQ, R0, 0, 2), RELEASE, END}, -EACCES},
		{{LOOKUP, J_K(JEQ, R0, 0, 3), ALU64_K(ADD, R0, 4), RELEASE, END}, -EACCES},
		{{LOOKUP, J_K(JEQ, R0, 0, 3), ST_K(W, R0, 4, 0), RELEASE, END}, -EACCES},
		{{LOOKUP, J_K(JEQ, R0, 0, 4), MOV_X(R6, R0), RELEASE, LD(W, R1, R6, 4), END},
		 -EACCES},
		{{LOOKUP, J_K(JEQ, R0, 0, 5), MOV_X(R6, R0), RELEASE, MOV_X(R0, R6), RELEASE, END},
		 -EACCES},
		{{LOOKUP, J_K(JNE, R0, 0, 2), END, LD(W, R1, R0, 4), END}, -EINVAL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = prog_load(BPF_PROG_TYPE_SCHED_CLS, 0, cases[i].insns,
				   insn_count(cases[i].insns));

		if (fd >= 0)
			close(fd);
		if ((fd < 0 ? fd : 0) != cases[i].result)
			fail_msg("case %zu: %d", i, fd);
	}
}

/* The context in R7; the tuple's addresses and ports are put in before the load, at 1 to 3. */
#define LOOKUP_LISTENER                                                                            \
	MOV_X(R7, R1), ST_K(W, R10, -12, 0), ST_K(W, R10, -8, 0), ST_K(W, R10, -4, 0),              \
		MOV_X(R2, R10), ALU64_K(ADD, R2, -12), MOV_K(R3, 12), MOV_K(R4, -1),                \
		MOV_K(R5, 0), CALL(BPF_FUNC_sk_lookup_tcp), MOV_X(R6, R0)
/* A branch that is not the check for NULL. */
#define BRANCH LD(W, R1, R7, 0), J_K(JEQ, R1, 0, 0)
#define RELEASE_R6 MOV_X(R1, R6), CALL(BPF_FUNC_sk_release)

/* The kernel does not load such programs at all. */
static bool is_stopped(const struct bpf_insn *code, uint32_t ports)
{
	const uint8_t packet[64] = {0};
	const int address = (int)htonl(INADDR_LOOPBACK);
	struct bpf_insn insns[32] = {0};
	union test_attr t = {.a = {.test = {.data_in = ptr64(packet),
					    .data_size_in = sizeof(packet)}}};
	long ret;
	int fd;

	memcpy(insns, code, sizeof(insns[0]) * insn_count(code));
	insns[1].imm = insns[2].imm = address;
	insns[3].imm = (int)ports;
	fd = prog_load(BPF_PROG_TYPE_SCHED_CLS, 0, insns, insn_count(insns));
	if (fd < 0)
		return fd == -EACCES || fd == -EINVAL;
	t.a.test.prog_fd = (uint32_t)fd;
	ret = bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));
	close(fd);
	return ret == -EFAULT;
}

static void misuse_behind_branches(void **state)
{
	static const struct bpf_insn good[32] = {LOOKUP_LISTENER, J_K(JEQ, R6, 0, 4), BRANCH,
						 RELEASE_R6, END};
	static const struct bpf_insn cases[][32] = {
		{LOOKUP_LISTENER, LD(W, R1, R7, 0), J_K(JEQ, R1, 0, 2), END, J_K(JEQ, R6, 0, 2),
		 RELEASE_R6, END},
		{LOOKUP_LISTENER, J_K(JEQ, R6, 0, 5), BRANCH, RELEASE_R6, LD(W, R1, R6, 4), END},
		{LOOKUP_LISTENER, J_K(JEQ, R6, 0, 6), BRANCH, RELEASE_R6, RELEASE_R6, END},
		{LOOKUP_LISTENER, J_K(JEQ, R6, 0, 5), BRANCH, ST_K(W, R6, 4, 0), RELEASE_R6, END},
		{LOOKUP_LISTENER, J_K(JEQ, R6, 0, 5), BRANCH, ALU64_K(ADD, R6, 4), RELEASE_R6, END},
	};
	struct pair pair;
	uint32_t ports;

	assert_true(make_pair(&pair, AF_INET, SOCK_STREAM));
	ports = 1 | (uint32_t)port_of(&pair.server_name) << 16;
	assert_false(is_stopped(good, ports));
	for (size_t i = 0; i < COUNT(cases); i++)
		if (!is_stopped(cases[i], ports))
			fail_msg("case %zu is not stopped", i);
	close_pair(&pair);
}

static int make_all(void **state)
{
	skel = socket__open_and_load();
	return !skel;
}

static int destroy_all(void **state)
{
	socket__destroy(skel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),     cmocka_unit_test(finds_nothing),
		cmocka_unit_test(listeners), cmocka_unit_test(time_wait),
		cmocka_unit_test(storages),  cmocka_unit_test(several),
		cmocka_unit_test(cookies),   cmocka_unit_test(misuse),
		cmocka_unit_test(misuse_behind_branches),
		cmocka_unit_test(no_tcp),
	};

	require_bpf();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_all, destroy_all);
}
