/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_sk_lookup.c: test runs of programs that choose the socket for a connection or datagram. ctx_in
 * says between which ends it is. Programs get no sockets from maps here, so none is ever chosen.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "vm/test_run_common.h"

/* What the program sees of the ends: those of the other family are 0. */
static int ends_of(const struct bpf_sk_lookup *given, struct bpf_sk_lookup *seen)
{
	*seen = (struct bpf_sk_lookup){.family = (u16)given->family,
				       .protocol = (u16)given->protocol,
				       .remote_port = given->remote_port,
				       .local_port = given->local_port};
	switch (seen->family) {
	case AF_INET:
		seen->remote_ip4 = given->remote_ip4;
		seen->local_ip4 = given->local_ip4;
		return 0;
	case AF_INET6:
		memcpy(seen->remote_ip6, given->remote_ip6, sizeof(seen->remote_ip6));
		memcpy(seen->local_ip6, given->local_ip6, sizeof(seen->local_ip6));
		return 0;
	}
	return -EAFNOSUPPORT;
}

static int check_given(const struct bpf_sk_lookup *given)
{
	const size_t end = offsetof(struct bpf_sk_lookup, local_port) + sizeof(given->local_port);

	if (given->cookie || !is_zero(given, end, sizeof(*given)))
		return -EINVAL;
	return given->local_port > UINT16_MAX ? -ERANGE : 0;
}

int test_run_sk_lookup(struct prog *prog, struct test_run *test)
{
	struct vm_run own;
	struct bpf_sk_lookup given, seen;
	int err;

	if (test->flags || test->cpu || test->batch_size || test->data_size_in ||
	    test->data_out_room || test->given & (TEST_DATA_IN | TEST_DATA_OUT) ||
	    !(test->ctx_size_in || test->given & TEST_CTX_OUT))
		return -EINVAL;
	err = test_run_ctx_in(test, &given, sizeof(given));
	if (!err)
		err = check_given(&given);
	if (!err)
		err = ends_of(&given, &seen);
	if (err)
		return err;
	err = test_run_loop(test_run_plain(test, prog, &own, &seen, prog->type->ctx), test);
	if (err)
		return err;
	return test_run_finish(test, NULL, 0, 0, &given, sizeof(given));
}
