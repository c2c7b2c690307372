/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_fib.c: bpf_fib_lookup() and bpf_check_mtu() in a network namespace of the test's own: two
 * ends of a veth pair with addresses, routes of all kinds, rules and neighbours.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "run.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Newer than the headers of Debian 12. */
enum { DIRECT = 1, OUTPUT = 2, SKIP_NEIGH = 4, TBID = 8, SRC = 16, MARK = 32 };
enum { SUCCESS, BLACKHOLE, UNREACHABLE, PROHIBIT, NOT_FWDED, FWD_DISABLED, UNSUPP_LWT, NO_NEIGH,
       FRAG_NEEDED, NO_SRC_ADDR };

static const char setup[] =
	"link add v0 address 02:00:00:00:00:10 type veth peer name v1 address 02:00:00:00:00:11\n"
	"link set lo up\n"
	"link set v0 up mtu 1400\n"
	"link set v1 up\n"
	"addr add 10.0.0.1/24 dev v0\n"
	"addr add 10.0.0.9/24 dev v0\n"
	"addr add 10.1.0.1/24 dev v1\n"
	"addr add fd00::1/64 dev v0 nodad\n"
	"addr add fd01::1/64 dev v1 nodad\n"
	"neigh add 10.0.0.2 lladdr 02:00:00:00:00:99 dev v0 nud permanent\n"
	"neigh add 10.1.0.7 lladdr 02:00:00:00:00:77 dev v1 nud permanent\n"
	"neigh add fd00::2 lladdr 02:00:00:00:00:9a dev v0 nud permanent\n"
	"neigh add fd01::7 lladdr 02:00:00:00:00:78 dev v1 nud permanent\n"
	"route add 10.2.0.0/16 via 10.0.0.2 metric 7\n"
	"route add 10.2.2.0/24 via 10.0.0.2 metric 9\n"
	"route add 10.2.2.0/24 via 10.1.0.7 metric 8 src 10.0.0.9\n"
	"route add 10.2.3.0/24 tos 0x10 via 10.1.0.7\n"
	"route add 10.3.0.0/16 via 10.1.0.7 mtu lock 1000\n"
	"route add 10.3.3.0/24 via 10.1.0.7 mtu 1000\n"
	"route add blackhole 10.4.0.0/16\n"
	"route add unreachable 10.5.0.0/16\n"
	"route add prohibit 10.6.0.0/16\n"
	"route add throw 10.7.0.0/16\n"
	"route add 10.8.0.0/16 via inet6 fd00::2 dev v0\n"
	"route add 10.9.0.0/16 encap ip id 5 dst 10.0.0.2 dev v0\n"
	"route add 10.10.0.0/16 nexthop via 10.0.0.2 nexthop via 10.0.0.2 weight 3\n"
	"route add 10.11.0.0/16 via 10.0.0.3\n"
	"route add 10.20.0.0/16 via 10.0.0.2 table 100\n"
	"route add throw 10.20.1.0/24 table 100\n"
	"route add default via 10.1.0.7 table 101\n"
	"route add 10.21.0.0/16 via 10.1.0.7 table 101\n"
	"rule add pref 10 fwmark 0x5/0xf lookup 100\n"
	"rule add pref 11 iif v1 to 10.21.0.0/16 lookup 101\n"
	"rule add pref 12 from 10.66.0.0/16 ipproto udp dport 50-60 lookup 101\n"
	"rule add pref 13 to 10.67.0.0/16 prohibit\n"
	"rule add pref 14 to 10.68.0.0/16 blackhole\n"
	"rule add pref 15 to 10.69.0.0/16 unreachable\n"
	"rule add pref 16 to 10.70.0.0/16 goto 18\n"
	"rule add pref 17 to 10.70.0.0/16 prohibit\n"
	"rule add pref 18 to 10.70.0.0/16 lookup 101\n"
	"rule add pref 19 to 10.71.0.0/16 lookup 101 suppress_prefixlength 0\n"
	"rule add pref 20 not from 0.0.0.0/1 lookup 101\n"
	"rule add pref 22 to 10.73.0.0/16 tos 0x10 lookup 101\n"
	"rule add pref 21 oif v1 to 10.72.0.0/16 lookup 101\n";

static const char setup6[] =
	"route add fd02::/16 via fd00::2 metric 7\n"
	"route add fd02:2::/32 via fd00::2 metric 9\n"
	"route add fd02:2::/32 via fd01::7 metric 8 src fd00::1\n"
	"route add fd02:3::/32 from fd66::/16 via fd01::7\n"
	"route add fd03::/16 via fd01::7 mtu lock 1290\n"
	"route add fd03:3::/32 via fd01::7 mtu 1290\n"
	"route add blackhole fd04::/16\n"
	"route add unreachable fd05::/16\n"
	"route add prohibit fd06::/16\n"
	"route add throw fd07::/16\n"
	"route add fd09::/16 encap ip6 id 5 dst fd00::2 dev v0\n"
	"route add fd0a::/16 nexthop via fd00::2 nexthop via fd00::4 weight 3\n"
	"route add fd0b::/16 via fd00::3\n"
	"route add fd0c::/16 via fd00::2 metric 5\n"
	"route append fd0c::/16 dev v1 metric 5\n"
	"route add fd20::/16 via fd00::2 table 100\n"
	"route add throw fd20:1::/32 table 100\n"
	"route add default via fd01::7 table 101\n"
	"rule add pref 10 fwmark 0x5/0xf lookup 100\n"
	"rule add pref 11 iif v1 to fd21::/16 lookup 101\n"
	"rule add pref 12 from fd66::/16 ipproto udp dport 50-60 lookup 101\n"
	"rule add pref 13 to fd67::/16 prohibit\n"
	"rule add pref 14 to fd68::/16 blackhole\n";

static bool write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	bool good = file && fputs(text, file) >= 0;

	return file && !fclose(file) && good;
}

static bool ip(const char *command, const char *text)
{
	FILE *pipe = popen(command, "w");
	bool good = pipe && fputs(text, pipe) >= 0;

	return pipe && !pclose(pipe) && good;
}

static bool make_network(void)
{
	return !unshare(CLONE_NEWNET) && ip("ip -batch -", setup) && ip("ip -6 -batch -", setup6) &&
	       write_file("/proc/sys/net/ipv4/conf/v0/forwarding", "1") &&
	       write_file("/proc/sys/net/ipv4/conf/v1/forwarding", "1") &&
	       write_file("/proc/sys/net/ipv6/conf/v0/forwarding", "1") &&
	       write_file("/proc/sys/net/ipv6/conf/v1/forwarding", "1");
}

struct request {
	struct bpf_fib_lookup params;
	uint64_t flags;
	int64_t result;
};

/* A lookup and its answers; what a row does not name is 0 or as before. */
struct fib_case {
	const char *to;
	unsigned flags;
	int result;
	const char *out, *via; /* the interface and the neighbour to go on with */
	unsigned mtu, metric;
	const char *source;    /* with SRC */
	const char *in, *from; /* NULL: v0, address 0 */
	unsigned mark, table, tos, tot_len, protocol, dport;
};

#define N SKIP_NEIGH
#define TO(to_, flags_, result_) .to = to_, .flags = flags_, .result = result_
#define VIA(out_, via_, mtu_, metric_)                                                             \
	.out = out_, .via = via_, .mtu = mtu_, .metric = metric_
static const struct fib_case cases[] = {
	{TO("10.0.0.1", N, NOT_FWDED)},
	{TO("10.0.0.2", 0, SUCCESS), VIA("v0", "10.0.0.2", 1400, 0)},
	{TO("10.0.0.5", 0, NO_NEIGH), VIA("v0", "10.0.0.5", 0, 0)},
	{TO("10.0.0.255", N, NOT_FWDED)},
	{TO("224.0.0.5", N, NOT_FWDED)},
	{TO("99.0.0.1", N, NOT_FWDED)},
	{TO("10.2.1.1", 0, SUCCESS), VIA("v0", "10.0.0.2", 1400, 7)},
	{TO("10.2.1.1", N | SRC, SUCCESS), VIA("v0", "10.0.0.2", 1400, 7), .source = "10.0.0.1"},
	{TO("10.2.2.1", 0, SUCCESS), VIA("v1", "10.1.0.7", 1500, 8)},
	{TO("10.2.2.1", N | SRC, SUCCESS), VIA("v1", "10.1.0.7", 1500, 8), .source = "10.0.0.9"},
	{TO("10.2.3.1", N, SUCCESS), VIA("v0", "10.0.0.2", 1400, 7)},
	{TO("10.2.3.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0), .tos = 0x13},
	{TO("10.3.1.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1000, 0), .tot_len = 1000},
	{TO("10.3.1.1", N, FRAG_NEEDED), .mtu = 1000, .tot_len = 1001},
	{TO("10.3.3.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0), .tot_len = 1001},
	{TO("10.4.0.1", N, BLACKHOLE)},
	{TO("10.4.0.1", N | OUTPUT, BLACKHOLE)},
	{TO("10.5.0.1", N, UNREACHABLE)},
	{TO("10.6.0.1", N, PROHIBIT)},
	{TO("10.7.0.1", N, NOT_FWDED)},
	{TO("10.8.0.1", 0, SUCCESS), VIA("v0", "fd00::2", 1400, 0)},
	{TO("10.9.0.1", N, UNSUPP_LWT)},
	{TO("10.10.0.1", 0, SUCCESS), VIA("v0", "10.0.0.2", 1400, 0)},
	{TO("10.11.0.1", 0, NO_NEIGH), VIA("v0", "10.0.0.3", 0, 0)},
	{TO("10.20.0.1", N, NOT_FWDED)},
	{TO("10.20.0.1", N | MARK, SUCCESS), VIA("v0", "10.0.0.2", 1400, 0), .mark = 0x15},
	{TO("10.20.0.1", N, NOT_FWDED), .mark = 0x15},
	{TO("10.20.1.1", N | MARK, NOT_FWDED), .mark = 5},
	{TO("10.20.0.1", N | DIRECT | TBID, SUCCESS), VIA("v0", "10.0.0.2", 1400, 0), .table = 100},
	{TO("10.20.0.1", N | DIRECT | TBID, NOT_FWDED), .table = 777},
	{TO("10.20.0.1", N | DIRECT | MARK, NOT_FWDED), .mark = 5},
	{TO("10.0.0.1", N | DIRECT, SUCCESS), VIA("v0", "10.0.0.1", 1400, 0)},
	{TO("10.21.0.1", N, NOT_FWDED)},
	{TO("10.21.0.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0), .in = "v1"},
	{TO("99.0.0.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0), .from = "10.66.0.1",
	 .protocol = 17, .dport = 60},
	{TO("99.0.0.1", N, NOT_FWDED), .from = "10.66.0.1", .protocol = 17, .dport = 61},
	{TO("99.0.0.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0), .from = "200.0.0.1"},
	{TO("10.67.0.1", N, PROHIBIT)},
	{TO("10.68.0.1", N, BLACKHOLE)},
	{TO("10.69.0.1", N, NOT_FWDED)},
	{TO("10.70.0.1", N, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0)},
	{TO("10.71.0.1", N, NOT_FWDED)},
	{TO("10.72.0.1", N, NOT_FWDED)},
	{TO("10.72.0.1", N | OUTPUT, SUCCESS), VIA("v1", "10.1.0.7", 1500, 0), .in = "v1"},
	{TO("10.2.2.1", N | OUTPUT, SUCCESS), VIA("v0", "10.0.0.2", 1400, 9)},
	{TO("10.0.0.2", N, FWD_DISABLED), .in = "lo"},
	{TO("fd00::1", N, NOT_FWDED)},
	{TO("fd00::2", 0, SUCCESS), VIA("v0", "fd00::2", 1400, 256)},
	{TO("fd00::5", 0, NO_NEIGH), VIA("v0", "fd00::5", 0, 256)},
	{TO("fe80::1", N, NOT_FWDED)},
	{TO("ff02::1", N, NOT_FWDED)},
	{TO("fd00::2", N, NOT_FWDED), .from = "::1"},
	{TO("fd99::1", N, NOT_FWDED)},
	{TO("fd02:1::1", N | SRC, SUCCESS), VIA("v0", "fd00::2", 1400, 7), .source = "fd00::1"},
	{TO("fd02:2::1", N, SUCCESS), VIA("v1", "fd01::7", 1500, 8)},
	{TO("fd02:2::1", N | SRC, SUCCESS), VIA("v1", "fd01::7", 1500, 8), .source = "fd00::1"},
	{TO("fd02:3::1", N, SUCCESS), VIA("v0", "fd00::2", 1400, 7)},
	{TO("fd02:3::1", N, SUCCESS), VIA("v1", "fd01::7", 1500, 1024), .from = "fd66::1"},
	{TO("fd03::1", N, SUCCESS), VIA("v1", "fd01::7", 1290, 1024), .tot_len = 1290},
	{TO("fd03::1", N, FRAG_NEEDED), .mtu = 1290, .tot_len = 1291},
	{TO("fd03:3::1", N, SUCCESS), VIA("v1", "fd01::7", 1500, 1024), .tot_len = 1291},
	{TO("fd04::1", N, BLACKHOLE)},
	{TO("fd05::1", N, UNREACHABLE)},
	{TO("fd06::1", N, PROHIBIT)},
	{TO("fd07::1", N, NOT_FWDED)},
	{TO("fd09::1", N, UNSUPP_LWT)},
	{TO("fd0b::1", 0, NO_NEIGH), VIA("v0", "fd00::3", 0, 1024)},
	{TO("fd0c::1", N, SUCCESS), VIA("v0", "fd00::2", 1400, 5)},
	{TO("fd0c::1", N, SUCCESS), VIA("v1", "fd0c::1", 1500, 5), .in = "v1"},
	{TO("fd20::1", N, NOT_FWDED)},
	{TO("fd20::1", N | MARK, SUCCESS), VIA("v0", "fd00::2", 1400, 1024), .mark = 0x15},
	{TO("fd20:1::1", N | MARK, NOT_FWDED), .mark = 5},
	{TO("fd20::1", N | DIRECT | TBID, SUCCESS), VIA("v0", "fd00::2", 1400, 1024), .table = 100},
	{TO("fd21::1", N, SUCCESS), VIA("v1", "fd01::7", 1500, 1024), .in = "v1"},
	{TO("fd99::1", N, SUCCESS), VIA("v1", "fd01::7", 1500, 1024), .from = "fd66::1",
	 .protocol = 17, .dport = 50},
	{TO("fd99::1", N | OUTPUT, NOT_FWDED), .from = "fd66::1", .protocol = 17, .dport = 50},
	{TO("fd67::1", N, NOT_FWDED)},
	{TO("fd68::1", N, NOT_FWDED)},
	{TO("fd00::2", N, FWD_DISABLED), .in = "lo"},
};

static int map;

static int load_lookup(unsigned type, int size)
{
	const struct bpf_insn insns[] = {
		LD64_RAW(R6, BPF_PSEUDO_MAP_VALUE, map, 0), MOV_X(R2, R6), MOV_K(R3, size),
		LD(DW, R4, R6, offsetof(struct request, flags)), CALL(BPF_FUNC_fib_lookup),
		ST_X(DW, R6, offsetof(struct request, result), R0), MOV_K(R0, 0), EXIT};
	int fd = prog_load(type, 0, insns, COUNT(insns));

	assert_true(fd >= 0);
	return fd;
}

static void look_up(int program, struct request *request)
{
	uint32_t key = 0;

	assert_int_equal(map_update(map, &key, request, 0), 0);
	run_once(program);
	assert_int_equal(map_lookup(map, &key, request), 0);
}

static uint8_t set_address(const char *text, void *to)
{
	const int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	assert_int_equal(inet_pton(family, text, to), 1);
	return (uint8_t)family;
}

static void set_mac(uint8_t *at, uint8_t last)
{
	const uint8_t mac[] = {2, 0, 0, 0, 0, last};

	memcpy(at, mac, sizeof(mac));
}

static struct request request_of(const struct fib_case *c)
{
	struct request request = {.flags = c->flags};
	struct bpf_fib_lookup *params = &request.params;

	params->family = set_address(c->to, params->ipv6_dst);
	if (c->from)
		set_address(c->from, params->ipv6_src);
	params->l4_protocol = (uint8_t)c->protocol;
	params->sport = htons(1000);
	params->dport = htons((uint16_t)c->dport);
	params->tot_len = (uint16_t)c->tot_len;
	params->ifindex = if_nametoindex(c->in ? c->in : "v0");
	params->tos = (uint8_t)c->tos;
	memcpy(&params->h_vlan_proto, &c->table, sizeof(c->table));
	memcpy(params->smac, &c->mark, sizeof(c->mark));
	return request;
}

/* By the request and what the case says of its answer. */
static struct request answer_to(const struct fib_case *c)
{
	struct request answer = request_of(c);
	struct bpf_fib_lookup *params = &answer.params;
	const uint32_t none[4] = {0};

	answer.result = c->result;
	if (c->out) {
		params->ifindex = if_nametoindex(c->out);
		params->rt_metric = c->metric;
	}
	if (c->via) {
		memcpy(params->ipv6_dst, none, c->via == c->to ? 0 : 4);
		params->family = set_address(c->via, params->ipv6_dst);
	}
	if (c->source)
		set_address(c->source, params->ipv6_src);
	if (c->mtu)
		params->mtu_result = (uint16_t)c->mtu;
	if (c->table)
		memcpy(&params->h_vlan_proto, none, sizeof(c->table));
	if (c->result == SUCCESS && !(c->flags & SKIP_NEIGH)) {
		const bool v0 = c->out[1] == '0', ipv6 = params->family == AF_INET6;

		set_mac(params->smac, v0 ? 0x10 : 0x11);
		set_mac(params->dmac, (uint8_t)((v0 ? 0x99 : 0x77) + ipv6));
	}
	return answer;
}

static void check_cases(unsigned type)
{
	int program = load_lookup(type, sizeof(struct bpf_fib_lookup));

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct request request = request_of(&cases[i]), answer = answer_to(&cases[i]);

		look_up(program, &request);
		if (memcmp(&request, &answer, sizeof(answer)))
			fail_msg("case %zu, %s: %d, expected %d", i, cases[i].to,
				 (int)request.result, cases[i].result);
	}
	close(program);
}

static void xdp(void **state)
{
	check_cases(BPF_PROG_TYPE_XDP);
}

static void tc(void **state)
{
	check_cases(BPF_PROG_TYPE_SCHED_CLS);
}

/* A packet that is too long for the interface, though the program does not say how long it is. */
static void packet_length(void **state)
{
	const struct fib_case c = {.to = "10.10.0.1", .flags = SKIP_NEIGH};
	struct request request = request_of(&c);
	int program = load_lookup(BPF_PROG_TYPE_SCHED_CLS, sizeof(struct bpf_fib_lookup));
	uint8_t packet[PACKET_MAX];
	uint32_t key = 0;
	union test_attr t = {.a = {.test = {.prog_fd = (uint32_t)program,
					    .data_in = ptr64(packet),
					    .data_size_in = 1400 + 14 + 4}}};

	fill_packet(packet);
	for (int over = 0; over < 2; over++, t.a.test.data_size_in++) {
		t.a.test.data_size_out = 0;
		assert_int_equal(map_update(map, &key, &request, 0), 0);
		assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
		assert_int_equal(map_lookup(map, &key, &request), 0);
		assert_int_equal(request.result, over ? FRAG_NEEDED : SUCCESS);
		assert_int_equal(request.params.mtu_result, 1400);
		request = request_of(&c);
	}
	close(program);
}

static void refused(void **state)
{
	const struct fib_case c = {.to = "10.10.0.1"};
	struct request request = request_of(&c);
	int program = load_lookup(BPF_PROG_TYPE_XDP, sizeof(struct bpf_fib_lookup)),
	    smaller = load_lookup(BPF_PROG_TYPE_XDP, sizeof(struct bpf_fib_lookup) - 1);

	look_up(smaller, &request);
	assert_int_equal(request.result, -EINVAL);
	request.flags = 64;
	look_up(program, &request);
	assert_int_equal(request.result, -EINVAL);
	request = request_of(&c);
	request.params.family = AF_UNIX;
	look_up(program, &request);
	assert_int_equal(request.result, -EAFNOSUPPORT);
	request = request_of(&c);
	request.params.ifindex = 1000;
	look_up(program, &request);
	assert_int_equal(request.result, -ENODEV);
	request.params.ifindex = 0;
	look_up(program, &request);
	assert_int_equal(request.result, -ENODEV);
	close(program);
	close(smaller);
}

/* Does a packet fit an interface? */

struct mtu_case {
	unsigned type, packet_len;
	const char *interface; /* "": that of the context, lo */
	uint32_t length;
	int32_t difference;
	uint64_t flags;
	uint32_t gso_size;
	int result;
	uint32_t mtu; /* 0: length is left */
};

struct mtu_request {
	uint32_t length;
	int32_t difference;
	uint64_t flags, ifindex;
	int64_t result;
	uint8_t unused[sizeof(struct request) - 32];
};

enum { TC = BPF_PROG_TYPE_SCHED_CLS, XDP = BPF_PROG_TYPE_XDP };
static const struct mtu_case mtu_cases[] = {
	{TC, 1414, "v0", 0, 0, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{TC, 1415, "v0", 0, 0, 0, 0, BPF_MTU_CHK_RET_FRAG_NEEDED, 1400},
	{TC, 1415, "v0", 0, -1, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{TC, 1415, "v1", 0, 100, 0, 0, BPF_MTU_CHK_RET_FRAG_NEEDED, 1500},
	{TC, 1415, "v0", 1400, 0, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{TC, 1414, "v0", 1401, 0, 0, 0, BPF_MTU_CHK_RET_FRAG_NEEDED, 1400},
	{TC, 1414, "v0", 1401, -2000, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{TC, 1415, "", 0, 0, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 65536},
	{TC, 1415, "v0", 0, 0, 0, 500, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{TC, 1415, "v0", 0, 0, BPF_MTU_CHK_SEGS, 500, -EINVAL, 0},
	{TC, 1414, "v0", 0, 0, BPF_MTU_CHK_SEGS, 500, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{TC, 1415, "v0", 0, 0, BPF_MTU_CHK_SEGS, 0, BPF_MTU_CHK_RET_FRAG_NEEDED, 1400},
	{TC, 1414, "v0", 1, 0, BPF_MTU_CHK_SEGS, 0, -EINVAL, 0},
	{TC, 1414, "v0", 0, 1, BPF_MTU_CHK_SEGS, 0, -EINVAL, 0},
	{TC, 1414, "v0", 0, 0, 2, 0, -EINVAL, 0},
	{TC, 1414, "none", 3, 0, 0, 0, -ENODEV, 0},
	{XDP, 1414, "v0", 0, 0, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{XDP, 1415, "v0", 0, 0, 0, 0, BPF_MTU_CHK_RET_FRAG_NEEDED, 1400},
	{XDP, 1415, "v0", 1300, 100, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 1400},
	{XDP, 1415, "", 0, 0, 0, 0, BPF_MTU_CHK_RET_SUCCESS, 65536},
	{XDP, 1415, "v0", 0, 0, BPF_MTU_CHK_SEGS, 0, -EINVAL, 0},
	{XDP, 1414, "none", 3, 0, 0, 0, -ENODEV, 0},
};

static int load_check(unsigned type)
{
	const struct bpf_insn insns[] = {
		LD64_RAW(R6, BPF_PSEUDO_MAP_VALUE, map, 0),
		LD(DW, R2, R6, offsetof(struct mtu_request, ifindex)), MOV_X(R3, R6),
		LD(W, R4, R6, offsetof(struct mtu_request, difference)),
		LD(DW, R5, R6, offsetof(struct mtu_request, flags)), CALL(BPF_FUNC_check_mtu),
		ST_X(DW, R6, offsetof(struct mtu_request, result), R0), MOV_K(R0, 0), EXIT};
	int fd = prog_load(type, 0, insns, COUNT(insns));

	assert_true(fd >= 0);
	return fd;
}

static struct mtu_request check_mtu(int program, const struct mtu_case *c)
{
	uint8_t packet[PACKET_MAX];
	struct __sk_buff skb = {.gso_size = c->gso_size};
	struct mtu_request request = {
		.length = c->length, .difference = c->difference, .flags = c->flags};
	union test_attr t = {.a = {.test = {.prog_fd = (uint32_t)program,
					    .data_in = ptr64(packet),
					    .data_size_in = c->packet_len,
					    .ctx_in = c->type == TC ? ptr64(&skb) : 0,
					    .ctx_size_in = c->type == TC ? sizeof(skb) : 0}}};
	uint32_t key = 0;

	if (c->interface[0])
		request.ifindex = if_nametoindex(c->interface);
	if (c->result == -ENODEV)
		request.ifindex = 1000;
	fill_packet(packet);
	assert_int_equal(map_update(map, &key, &request, 0), 0);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(map_lookup(map, &key, &request), 0);
	return request;
}

static void mtu(void **state)
{
	int tc_program = load_check(TC), xdp_program = load_check(XDP);

	for (size_t i = 0; i < COUNT(mtu_cases); i++) {
		const struct mtu_case *c = &mtu_cases[i];
		struct mtu_request got = check_mtu(c->type == TC ? tc_program : xdp_program, c);

		if (got.result != c->result || got.length != (c->mtu ? c->mtu : c->length))
			fail_msg("case %zu: %d, length %u", i, (int)got.result, got.length);
	}
	close(tc_program);
	close(xdp_program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp),
		cmocka_unit_test(tc),
		cmocka_unit_test(packet_length),
		cmocka_unit_test(refused),
		cmocka_unit_test(mtu),
	};

	require_bpf();
	if (!make_network()) {
		printf("1..0 # SKIP no network namespace of one's own, or no ip(8)\n");
		return 0;
	}
	map = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct request), 1, 0);
	return run_tests(tests);
}
