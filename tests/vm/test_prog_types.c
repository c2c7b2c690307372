/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_prog_types.c: of each program type a program of two instructions loads, with an attach type
 * where the type wants one; those that want a function of the kernel do not without.
 */
#include "run.h"

/* Newer than the headers. */
#define PROG_TYPE_NETFILTER 32
#define ATTACH_NETFILTER 45

static const struct type_case {
	const char *name;
	unsigned type, attach;
	int error;
} cases[] = {
	{"socket_filter", BPF_PROG_TYPE_SOCKET_FILTER, 0, 0},
	{"kprobe", BPF_PROG_TYPE_KPROBE, 0, 0},
	{"sched_cls", BPF_PROG_TYPE_SCHED_CLS, 0, 0},
	{"sched_act", BPF_PROG_TYPE_SCHED_ACT, 0, 0},
	{"tracepoint", BPF_PROG_TYPE_TRACEPOINT, 0, 0},
	{"xdp", BPF_PROG_TYPE_XDP, 0, 0},
	{"perf_event", BPF_PROG_TYPE_PERF_EVENT, 0, 0},
	{"cgroup_skb", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, 0},
	{"cgroup_sock", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, 0},
	{"lwt_in", BPF_PROG_TYPE_LWT_IN, 0, 0},
	{"lwt_out", BPF_PROG_TYPE_LWT_OUT, 0, 0},
	{"lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, 0, 0},
	{"sock_ops", BPF_PROG_TYPE_SOCK_OPS, 0, 0},
	{"sk_skb", BPF_PROG_TYPE_SK_SKB, 0, 0},
	{"cgroup_device", BPF_PROG_TYPE_CGROUP_DEVICE, 0, 0},
	{"sk_msg", BPF_PROG_TYPE_SK_MSG, 0, 0},
	{"raw_tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0},
	{"cgroup_sock_addr", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, 0},
	{"cgroup_sock_addr without", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 0, EINVAL},
	{"lwt_seg6local", BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, 0},
	{"lirc_mode2", BPF_PROG_TYPE_LIRC_MODE2, 0, 0},
	{"sk_reuseport", BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, 0},
	{"flow_dissector", BPF_PROG_TYPE_FLOW_DISSECTOR, 0, 0},
	{"cgroup_sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, 0, 0},
	{"raw_tracepoint_writable", BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, 0},
	{"cgroup_sockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, 0},
	{"tracing without", BPF_PROG_TYPE_TRACING, 0, EINVAL},
	{"ext without", BPF_PROG_TYPE_EXT, 0, EINVAL},
	{"lsm without", BPF_PROG_TYPE_LSM, 0, EINVAL},
	{"sk_lookup", BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 0},
	{"syscall", BPF_PROG_TYPE_SYSCALL, 0, 0},
	{"netfilter", PROG_TYPE_NETFILTER, ATTACH_NETFILTER, 0},
	{"netfilter without", PROG_TYPE_NETFILTER, 0, EINVAL},
	{"no such type", PROG_TYPE_NETFILTER + 1, 0, EINVAL},
};

static void load_one(void **state)
{
	const struct type_case *c = *state;
	const struct bpf_insn insns[] = {MOV_K(R0, 0), EXIT};
	int fd = prog_load(c->type, c->attach, insns, 2);

	if (fd == -EINVAL && c->type == BPF_PROG_TYPE_LIRC_MODE2)
		skip(); /* few kernels have infrared receivers */
	if (fd == -EPERM && c->error)
		skip(); /* not on every machine even to root */
	if (c->error) {
		assert_int_equal(fd, -c->error);
		return;
	}
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	static struct CMUnitTest tests[sizeof(cases) / sizeof(*cases)];

	require_bpf();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		tests[i] = (struct CMUnitTest){cases[i].name, load_one, NULL, NULL,
					       (void *)&cases[i]};
	return run_tests(tests);
}
