/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run_xdp.c: test runs on xdp_md. The packet lies in a frame of one page as a driver would
 * place it: 256 bytes of headroom in front, the kernel's shared info behind.
 */
#include <errno.h>
#include <string.h>

#include "base/interface.h"
#include "base/log.h"
#include "vm/packet.h"
#include "vm/prog_type.h"
#include "vm/test_run_common.h"

#define HEADROOM 256u
#define XDP_FRAME_BYTES 40u /* kept free at the start of the headroom */
#define META_MAX 255u
#define FRAGS_MAX 17u
#define LOOPBACK 1u

static void packet_moved(struct vm_run *vm)
{
	struct packet_run *run = packet_run_of(vm);
	struct xdp_md *md = vm->ctx;

	md->data = (u32)PTR_U64(run->packet.data);
	md->data_end = (u32)PTR_U64(run->packet.data_end);
	md->data_meta = (u32)PTR_U64(run->meta);
	vm->extra[0] = (struct vm_memory){.start = PTR_U64(run->meta),
					  .end = PTR_U64(run->packet.data),
					  .writable = true,
					  .name = "packet metadata"};
}

static int check_md(const struct xdp_md *md, const struct test_run *test)
{
	if (md->data_meta || md->data_end > test->data_size_in || md->data > md->data_end)
		return -EINVAL;
	if (md->data % 4 || md->data > MIN(META_MAX, HEADROOM - XDP_FRAME_BYTES))
		return -EINVAL;
	return 0;
}

static int check_interface(const struct xdp_md *md)
{
	if (md->egress_ifindex || (!md->ingress_ifindex && md->rx_queue_index))
		return -EINVAL;
	if (!md->ingress_ifindex)
		return 0;
	if (!interface_exists(md->ingress_ifindex))
		return -ENODEV;
	/* A queue that no driver registered for XDP; lo has one. */
	return md->ingress_ifindex == LOOPBACK && !md->rx_queue_index ? 0 : -EINVAL;
}

/*
 * data_in is metadata, then the packet: linear bytes of both in the frame, the rest in fragments.
 * Here they follow at once, out of the reach of direct access.
 */
static void place_packet(struct packet_run *run, const struct test_run *test, u32 meta, u32 linear)
{
	struct packet *packet = &run->packet;

	packet->head = run->arena.packet + ARENA_ROOM;
	packet->end = packet->head + FRAME_BYTES - SHARED_INFO_BYTES;
	run->meta = packet->head + HEADROOM - meta;
	packet->data = run->meta + meta;
	packet->data_end = run->meta + linear;
	run->frag_bytes = test->data_size_in - linear;
	packet->mac = packet->data;
	packet->network = packet->data;
	memset(packet->head, 0, HEADROOM);
	memcpy(run->meta, test->data_in, test->data_size_in);
}

static int check_all(const struct xdp_md *md, const struct test_run *test, u32 linear)
{
	int err;

	if (test->data_size_in - md->data < ETH_HLEN)
		return -EINVAL;
	if (!test->data_in)
		return -EFAULT;
	err = check_interface(md);
	if (err)
		return err;
	return test->data_size_in - linear > FRAGS_MAX * FRAME_BYTES ? -ENOMEM : 0;
}

static int run_packet(struct packet_run *run, struct test_run *test)
{
	bool with_ctx = test->ctx_in || test->ctx_out;
	struct xdp_md *md = run->vm.ctx, out;
	u32 linear, room;
	int err;

	err = test_run_ctx_in(test, md, sizeof(*md));
	if (!err && with_ctx)
		err = check_md(md, test);
	if (err)
		return err;
	out = *md;
	room = FRAME_BYTES - SHARED_INFO_BYTES - HEADROOM + md->data;
	linear = MIN(with_ctx ? md->data_end : test->data_size_in, room);
	err = check_all(md, test, linear);
	if (err)
		return err;
	place_packet(run, test, md->data, linear);
	if (!md->ingress_ifindex)
		md->ingress_ifindex = LOOPBACK;
	packet_moved(&run->vm);
	err = test_run_loop(&run->vm, test);
	if (err)
		return err;
	out.data = (u32)(run->packet.data - run->meta);
	out.data_end = (u32)(run->packet.data_end - run->meta);
	return test_run_finish(test, run->meta, out.data_end + run->frag_bytes, run->frag_bytes,
			       with_ctx ? &out : NULL, sizeof(out));
}

int test_run_xdp(struct prog *prog, struct test_run *test)
{
	struct packet_run own, *run;
	int err;

	if (test->flags & BPF_F_TEST_XDP_LIVE_FRAMES) {
		log_line(LOG_REFUSED, "TEST_RUN: live frames need the host kernel's network stack");
		return -EOPNOTSUPP;
	}
	if (test->flags || test->batch_size ||
	    prog->header->expected_attach_type == BPF_XDP_DEVMAP ||
	    prog->header->expected_attach_type == BPF_XDP_CPUMAP)
		return -EINVAL;
	run = test_run_packet(test, prog, &own);
	if (!run)
		return -ENOMEM;
	run->vm.packet_moved = packet_moved;
	run->vm.nr_extra = 1;
	run->packet.writable = true;
	err = run_packet(run, test);
	test_run_packet_end(test, run);
	return err;
}
