/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_flow.c: test runs of flow dissectors. The program sees the packet from its Ethernet
 * header on, and fills in struct bpf_flow_keys, which is the result; of ctx_in it gets the flags.
 */
#include <errno.h>
#include <string.h>

#include "vm/packet.h"
#include "vm/test_run_common.h"

/* In front of the packet: there engines that are compared find what changes. */
static struct bpf_flow_keys *keys_of(const struct vm_run *vm)
{
	return (struct bpf_flow_keys *)(void *)packet_run_of((struct vm_run *)vm)->arena.packet;
}

/* Each run begins anew. */
static void begin(struct vm_run *vm)
{
	struct bpf_flow_keys *keys = keys_of(vm);
	const u32 flags = keys->flags;

	memset(keys, 0, sizeof(*keys));
	keys->flags = flags;
	keys->nhoff = keys->thoff = ETH_HLEN;
	memcpy(&keys->n_proto, vm->packet->data + ETH_HLEN - sizeof(keys->n_proto),
	       sizeof(keys->n_proto));
}

/* Offsets lie in the packet, in order. */
static void put_right(struct bpf_flow_keys *keys, u32 len)
{
	keys->nhoff = (u16)MIN(MAX((u32)keys->nhoff, ETH_HLEN), len);
	keys->thoff = (u16)MIN(MAX((u32)keys->thoff, (u32)keys->nhoff), len);
}

/* Nothing but the flags may be given. */
static bool is_given_right(const struct bpf_flow_keys *given)
{
	const size_t at = offsetof(struct bpf_flow_keys, flags);

	return is_zero(given, 0, at) && is_zero(given, at + sizeof(given->flags), sizeof(*given));
}

static void place_packet(struct packet_run *run, const struct test_run *test)
{
	struct packet *packet = &run->packet;
	struct __sk_buff *skb = run->vm.ctx;

	packet->head = packet->data = run->arena.packet + ARENA_ROOM;
	packet->end = packet->data_end = packet->data + test->data_size_in;
	packet->mac = packet->data;
	packet->network = packet->data + ETH_HLEN;
	packet->writable = false;
	memcpy(packet->data, test->data_in, test->data_size_in);
	memset(skb, 0, sizeof(*skb));
	skb->data = (u32)PTR_U64(packet->data);
	skb->data_end = (u32)PTR_U64(packet->data_end);
	skb->flow_keys = keys_of(&run->vm);
	run->vm.extra[0] = (struct vm_memory){.start = PTR_U64(keys_of(&run->vm)),
					      .end = PTR_U64(keys_of(&run->vm) + 1),
					      .writable = true,
					      .name = "flow keys"};
	run->vm.nr_extra = 1;
}

static int run_packet(struct packet_run *run, struct test_run *test)
{
	const bool with_ctx = test->ctx_in || test->ctx_out;
	struct bpf_flow_keys given, *keys = keys_of(&run->vm);
	int err;

	if (test->flags || test->cpu || test->batch_size || test->data_size_in < ETH_HLEN ||
	    test->data_size_in > PAGE_BYTES)
		return -EINVAL;
	if (!test->data_in)
		return -EFAULT;
	err = test_run_ctx_in(test, &given, sizeof(given));
	if (err)
		return err;
	if (!is_given_right(&given))
		return -EINVAL;
	place_packet(run, test);
	keys->flags = given.flags;
	run->vm.begin = begin;
	err = test_run_loop(&run->vm, test);
	if (err)
		return err;
	put_right(keys, test->data_size_in);
	return test_run_finish(test, keys, sizeof(*keys), 0, with_ctx ? &given : NULL,
			       sizeof(given));
}

int test_run_flow(struct prog *prog, struct test_run *test)
{
	struct packet_run own, *run = test_run_packet(test, prog, &own);
	int err;

	if (!run)
		return -ENOMEM;
	err = run_packet(run, test);
	test_run_packet_end(test, run);
	return err;
}
