/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_skb.c: test runs on __sk_buff, for every program type whose context it is. What the
 * program finds in its fields is what the kernel's test run puts there: a packet that came in on
 * the loopback interface and whose link layer header has been looked at.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/interface.h"
#include "vm/packet.h"
#include "vm/prog_type.h"
#include "vm/test_run_common.h"

#define HEADROOM 64u /* the kernel's NET_SKB_PAD */
#define LOOPBACK 1u
#define WIRE_LEN_MAX 65536u
#define GSO_SEGS_MAX 65535u
#define TEST_CHECKSUM_COMPLETE (1u << 2) /* BPF_F_TEST_SKB_CHECKSUM_COMPLETE, Linux 6.18 */

#define PACKET_HOST 0
#define PACKET_MULTICAST 2
#define PACKET_OTHERHOST 3
#define PROTO_802_3 0x0001
#define PROTO_802_2 0x0004
#define PROTO_IPV4 0x0800
#define PROTO_IPV6 0x86dd
#define PROTO_MIN 0x0600 /* smaller values are lengths */
#define TCP_CLOSE 7
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u

#define OFFSET(field) offsetof(struct __sk_buff, field)
#define OFFSET_END(field) (OFFSET(field) + sizeof(((struct __sk_buff *)0)->field))

/* Do tc programs, which see the link layer header, run this? */
static bool sees_link_layer(const struct prog *prog)
{
	return prog->type->helper_groups & HG_TC;
}

static void packet_moved(struct vm_run *vm)
{
	struct packet_run *run = packet_run_of(vm);
	struct __sk_buff *skb = vm->ctx;

	skb->len = packet_len(&run->packet);
	skb->data = (u32)PTR_U64(run->packet.data);
	skb->data_end = (u32)PTR_U64(run->packet.data_end);
	skb->data_meta = skb->data;
}

/* Which fields ctx_in may set. */
static int check_ctx(const struct __sk_buff *skb, u32 len)
{
	if (!is_zero(skb, 0, OFFSET(mark)) ||
	    !is_zero(skb, OFFSET_END(mark), OFFSET(priority)) ||
	    !is_zero(skb, OFFSET_END(ifindex), OFFSET(cb)) ||
	    !is_zero(skb, OFFSET_END(cb), OFFSET(tstamp)) ||
	    !is_zero(skb, OFFSET_END(gso_segs), OFFSET(gso_size)) ||
	    !is_zero(skb, OFFSET_END(gso_size), OFFSET(hwtstamp)))
		return -EINVAL;
	if (skb->wire_len && (skb->wire_len < len || skb->wire_len > WIRE_LEN_MAX))
		return -EINVAL;
	if (skb->gso_segs > GSO_SEGS_MAX)
		return -EINVAL;
	return 0;
}

/* The two facts that receiving a packet finds out: whom it is for, and what it carries. */
static void classify(struct __sk_buff *skb, const u8 *mac, u32 len)
{
	static const u8 loopback_address[MAC_LEN];
	u16 proto = (u16)(mac[12] << 8 | mac[13]);

	if (!memcmp(mac, loopback_address, MAC_LEN))
		skb->pkt_type = PACKET_HOST;
	else
		skb->pkt_type = mac[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
	if (proto < PROTO_MIN)
		proto = len >= ETH_HLEN + 2 && mac[14] == 0xff && mac[15] == 0xff ? PROTO_802_3
										   : PROTO_802_2;
	skb->protocol = htobe16(proto);
}

/* cgroup_skb programs see the addresses of the socket; here it is the packet's sender. */
static void fill_addresses(struct __sk_buff *skb, const u8 *network)
{
	if (skb->protocol == htobe16(PROTO_IPV4)) {
		skb->family = 2;
		memcpy(&skb->local_ip4, network + 12, 4);
		memcpy(&skb->remote_ip4, network + 16, 4);
	} else if (skb->protocol == htobe16(PROTO_IPV6)) {
		skb->family = 10;
		memcpy(skb->local_ip6, network + 8, 16);
		memcpy(skb->remote_ip6, network + 24, 16);
	}
}

/* The kernel's test run makes a socket for the packet, from the packet. */
static void fill_socket(struct packet_run *run, struct __sk_buff *skb)
{
	struct bpf_sock *socket = &run->socket;
	const u8 *network = run->packet.network;

	*socket = (struct bpf_sock){.state = TCP_CLOSE, .rx_queue_mapping = -1};
	if (skb->protocol == htobe16(PROTO_IPV4)) {
		socket->family = 2;
		memcpy(&socket->src_ip4, network + 12, 4);
		memcpy(&socket->dst_ip4, network + 16, 4);
	} else if (skb->protocol == htobe16(PROTO_IPV6)) {
		socket->family = 10;
		memcpy(socket->src_ip6, network + 8, 16);
		memcpy(socket->dst_ip6, network + 24, 16);
	}
	skb->sk = socket;
	run->vm.extra[0] = (struct vm_memory){.start = PTR_U64(socket),
					      .end = PTR_U64(socket + 1),
					      .name = "the packet's socket"};
	run->vm.nr_extra = 1;
}

static void place_packet(struct packet_run *run, const struct test_run *test, bool link_layer)
{
	struct packet *packet = &run->packet;

	packet->head = run->arena.packet + ARENA_ROOM - HEADROOM;
	packet->mac = run->arena.packet + ARENA_ROOM;
	packet->network = packet->mac + ETH_HLEN;
	packet->data = link_layer ? packet->mac : packet->network;
	packet->data_end = packet->mac + test->data_size_in;
	packet->end = run->arena.packet + ARENA_PACKET_BYTES;
	memcpy(packet->mac, test->data_in, test->data_size_in);
	run->tunnel.is_set = false;
}

static int fill_ctx(struct packet_run *run, const struct test_run *test, bool link_layer)
{
	struct packet *packet = &run->packet;
	struct __sk_buff *skb = run->vm.ctx;
	u32 len = packet_len(packet);
	int err = test->ctx_in ? check_ctx(skb, len) : 0;

	if (err)
		return err;
	if (!skb->ifindex)
		skb->ifindex = LOOPBACK;
	if (link_layer && !skb->wire_len)
		skb->wire_len = len;
	classify(skb, packet->mac, test->data_size_in);
	fill_socket(run, skb);
	if (run->vm.prog->type->helper_groups & HG_CGROUP_SKB)
		fill_addresses(skb, packet->network);
	packet_moved(&run->vm);
	return 0;
}

/* What ctx_out shows: only the fields that ctx_in may set. */
static void export_ctx(struct __sk_buff *out, const struct __sk_buff *in,
		       const struct __sk_buff *skb, u32 len)
{
	*out = *in;
	out->mark = skb->mark;
	out->priority = skb->priority;
	out->ingress_ifindex = skb->ingress_ifindex;
	out->ifindex = skb->ifindex;
	out->tstamp = skb->tstamp;
	out->wire_len = in->wire_len ? in->wire_len : len;
	out->gso_segs = skb->gso_segs;
	out->hwtstamp = skb->hwtstamp;
	memcpy(out->cb, skb->cb, sizeof(out->cb));
}

/* Programs that saw no link layer header give the packet back with an empty one. */
static void restore_link_layer(struct packet *packet)
{
	packet->data -= ETH_HLEN;
	memset(packet->data, 0, ETH_HLEN);
}

/* A packet that says IP must have room for that header. */
static bool is_long_enough(const u8 *mac, u32 len)
{
	u32 least = ETH_HLEN;

	if (mac[12] == PROTO_IPV4 >> 8 && mac[13] == (PROTO_IPV4 & 0xff))
		least += IPV4_BYTES;
	else if (mac[12] == PROTO_IPV6 >> 8 && mac[13] == (PROTO_IPV6 & 0xff))
		least += IPV6_BYTES;
	return len >= least;
}

static int run_packet(struct packet_run *run, struct test_run *test)
{
	bool link_layer = sees_link_layer(run->vm.prog);
	struct __sk_buff in, out;
	u32 len;
	int err;

	err = test_run_ctx_in(test, run->vm.ctx, sizeof(in));
	if (err)
		return err;
	memcpy(&in, run->vm.ctx, sizeof(in));
	if (in.ifindex > LOOPBACK && !interface_exists(in.ifindex))
		return -ENODEV;
	if (!is_long_enough(test->data_in, test->data_size_in))
		return -EINVAL;
	place_packet(run, test, link_layer);
	len = packet_len(&run->packet);
	err = fill_ctx(run, test, link_layer);
	if (!err)
		err = test_run_loop(&run->vm, test);
	if (err)
		return err;
	export_ctx(&out, &in, run->vm.ctx, len);
	if (!link_layer)
		restore_link_layer(&run->packet);
	return test_run_finish(test, run->packet.data, packet_len(&run->packet), 0,
			       test->ctx_in || test->ctx_out ? &out : NULL, sizeof(out));
}

int test_run_skb(struct prog *prog, struct test_run *test)
{
	struct packet_run own, *run;
	int err;

	if (test->flags & ~TEST_CHECKSUM_COMPLETE || test->cpu || test->batch_size)
		return -EINVAL;
	if (test->data_size_in < ETH_HLEN ||
	    test->data_size_in > FRAME_BYTES - HEADROOM - SHARED_INFO_BYTES)
		return -EINVAL;
	if (!test->data_in)
		return -EFAULT;
	run = test_run_packet(test, prog, &own);
	if (!run)
		return -ENOMEM;
	run->vm.packet_moved = packet_moved;
	run->packet.writable = prog->type->packet_write;
	err = run_packet(run, test);
	test_run_packet_end(test, run);
	return err;
}
