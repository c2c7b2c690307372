/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_sk_lookup.c: test runs of sk_lookup programs: what they see, and what PROG_TEST_RUN refuses. And
 * bpf_sk_assign(), as far as there is a socket in a test run.
 */
#include "run.h"

#include <sys/socket.h>

#define LOOKUP BPF_PROG_TYPE_SK_LOOKUP
#define FIELD(name) offsetof(struct bpf_sk_lookup, name)

static int load(const struct bpf_insn *insns, size_t count)
{
	int fd = prog_load(LOOKUP, BPF_SK_LOOKUP, insns, count);

	assert_true(fd >= 0);
	return fd;
}

#define LOAD(...) load((const struct bpf_insn[]){__VA_ARGS__},                                     \
		       sizeof((const struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn))

static int run(int fd, union test_attr *t, const struct bpf_sk_lookup *ctx)
{
	t->a.test.prog_fd = (uint32_t)fd;
	if (ctx) {
		t->a.test.ctx_in = ptr64(ctx);
		t->a.test.ctx_size_in = sizeof(*ctx);
	}
	return (int)bpf_sys(BPF_PROG_TEST_RUN, t, sizeof(union bpf_attr));
}

/* Passes if a field has this value. */
static int passes_if(unsigned size, unsigned at, uint32_t value, const struct bpf_sk_lookup *ctx)
{
	int fd = LOAD({(uint8_t)(BPF_LDX | BPF_MEM | size), 2, 1, (int16_t)at, 0}, MOV_K(R0, 1),
		      MOV_K(R3, (int)value), {BPF_JMP32 | BPF_JEQ | BPF_X, 2, 3, 1, 0}, MOV_K(R0, 0),
		      EXIT);
	union test_attr t = {0};
	int err = run(fd, &t, ctx);

	close(fd);
	return err ? err : (int)t.a.test.retval;
}

static void fields(void **state)
{
	const struct bpf_sk_lookup v4 = {.family = AF_INET | 7 << 16,
					 .protocol = 17 | 1 << 16,
					 .remote_ip4 = 0x01020304,
					 .remote_ip6 = {1, 2, 3, 4},
					 .remote_port = 0x1234,
					 .local_ip4 = 0x05060708,
					 .local_ip6 = {5, 6, 7, 8},
					 .local_port = 0x4321};
	struct bpf_sk_lookup v6 = v4;

	v6.family = AF_INET6;
	assert_int_equal(passes_if(BPF_W, FIELD(family), AF_INET, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(family), AF_INET6, &v4), 0);
	assert_int_equal(passes_if(BPF_W, FIELD(protocol), 17, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(remote_ip4), 0x01020304, &v4), 1);
	assert_int_equal(passes_if(BPF_B, FIELD(remote_ip4), 4, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(remote_ip6), 0, &v4), 1);
	assert_int_equal(passes_if(BPF_H, FIELD(remote_port), 0x1234, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(local_ip4), 0x05060708, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(local_ip6) + 12, 0, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(local_port), 0x4321, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(ingress_ifindex), 0, &v4), 1);
	assert_int_equal(passes_if(BPF_DW, 0, 0, &v4), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(family), AF_INET6, &v6), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(remote_ip4), 0, &v6), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(remote_ip6) + 4, 2, &v6), 1);
	assert_int_equal(passes_if(BPF_W, FIELD(local_ip6) + 12, 8, &v6), 1);
}

static void rules(void **state)
{
	static const uint8_t byte;
	const struct bpf_sk_lookup good = {.family = AF_INET, .local_port = 7};
	struct bpf_sk_lookup bad = good, out;
	int fd = LOAD(MOV_K(R0, 1), EXIT), drop = LOAD(MOV_K(R0, 0), EXIT);
	union test_attr t = {.a.test = {.ctx_out = ptr64(&out), .ctx_size_out = sizeof(out)}};

	assert_int_equal(run(fd, &t, &good), 0);
	assert_int_equal(t.a.test.retval, 1);
	assert_int_equal(t.a.test.ctx_size_out, sizeof(out));
	assert_memory_equal(&out, &good, sizeof(out));
	t = (union test_attr){.a.test = {.repeat = 3}};
	assert_int_equal(run(drop, &t, &good), 0);
	assert_int_equal(t.a.test.retval, 0);

	t = (union test_attr){0};
	assert_int_equal(run(fd, &t, NULL), -EINVAL);
	t = (union test_attr){.a.test = {.ctx_out = ptr64(&out), .ctx_size_out = sizeof(out)}};
	assert_int_equal(run(fd, &t, NULL), -EAFNOSUPPORT);
	t = (union test_attr){.a.test = {.flags = 1}};
	assert_int_equal(run(fd, &t, &good), -EINVAL);
	t = (union test_attr){.a.test = {.cpu = 1}};
	assert_int_equal(run(fd, &t, &good), -EINVAL);
	t = (union test_attr){.a.test = {.data_in = ptr64(&byte), .data_size_in = 1}};
	assert_int_equal(run(fd, &t, &good), -EINVAL);
	t = (union test_attr){.a.test = {.data_size_out = 1}};
	assert_int_equal(run(fd, &t, &good), -EINVAL);
	t = (union test_attr){0};
	bad.cookie = 1;
	assert_int_equal(run(fd, &t, &bad), -EINVAL);
	bad = good;
	bad.ingress_ifindex = 1;
	assert_int_equal(run(fd, &t, &bad), -EINVAL);
	bad = good;
	bad.local_port = 65536;
	assert_int_equal(run(fd, &t, &bad), -ERANGE);
	bad.family = 1;
	assert_int_equal(run(fd, &t, &bad), -ERANGE);
	bad.local_port = 1;
	assert_int_equal(run(fd, &t, &bad), -EAFNOSUPPORT);
	close(fd);
	close(drop);
}

/* R0 is 1 if bpf_sk_assign() of no socket says so. */
static int assigns(uint32_t flags, int result)
{
	const struct bpf_sk_lookup ctx = {.family = AF_INET};
	int fd = LOAD(MOV_K(R2, 0), MOV_K(R3, (int)flags), CALL(BPF_FUNC_sk_assign), MOV_X(R2, R0),
		      MOV_K(R0, 1), J_K(JEQ, R2, result, 1), MOV_K(R0, 0), EXIT);
	union test_attr t = {0};
	int err = run(fd, &t, &ctx);

	close(fd);
	return err ? err : (int)t.a.test.retval;
}

static void no_socket(void **state)
{
	assert_int_equal(assigns(0, 0), 1);
	assert_int_equal(assigns(BPF_SK_LOOKUP_F_REPLACE, 0), 1);
	assert_int_equal(assigns(BPF_SK_LOOKUP_F_NO_REUSEPORT, 0), 1);
	assert_int_equal(assigns(4, -EINVAL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(rules),
		cmocka_unit_test(no_socket),
	};

	require_bpf();
	return run_tests(tests);
}
