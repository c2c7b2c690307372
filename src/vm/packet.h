/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * packet.h: where the packets and contexts of runs live: arenas below 4 GiB, so that the 32-bit
 * data fields of __sk_buff and xdp_md are true pointers. Private to src/vm.
 *
 * An arena belongs to one run at a time. It is taken from a small pool of this process and given
 * back afterwards, without a lock, so that any thread, a run inside a run (signal handlers) and a
 * forked child just take another one.
 */
#ifndef VM_PACKET_H
#define VM_PACKET_H

#include <linux/bpf.h>

#include "vm/vm.h"

#define ARENA_CTX_BYTES 4096u
/* Room on both sides for what the kernel would find by reallocating: skb_change_head and _tail. */
#define ARENA_ROOM 69632u
#define ARENA_PACKET_BYTES (3 * ARENA_ROOM)

struct arena {
	u8 *ctx;    /* ARENA_CTX_BYTES */
	u8 *packet; /* ARENA_PACKET_BYTES */
};

/* 0 or -ENOMEM. Contents are left over from earlier runs. */
must_check int arena_take(struct arena *arena);
void arena_put(struct arena *arena);

/* What a tunnel device would wrap the packet in, as its helpers keep it. */
struct tunnel {
	bool is_set;
	bool is_ipv6;
	u8 option_bytes;
	u16 flags; /* TUNNEL_*, in network order */
	struct bpf_tunnel_key key; /* as it was given */
	u8 options[252];
};

/* A run on a packet; vm.packet points at packet, vm.ctx into the arena. */
struct packet_run {
	struct vm_run vm; /* first */
	struct packet packet;
	struct arena arena;
	u8 *meta;       /* XDP: start of the metadata, packet.data without */
	u32 frag_bytes; /* XDP: what follows data_end, in pages of its own as far as programs know */
	u64 cookie;     /* of its socket; 0 before it was asked for */
	struct bpf_sock socket; /* what the program sees of it */
	struct tunnel tunnel;
	bool has_storage; /* maps may have values of the socket */
};

static inline struct packet_run *packet_run_of(struct vm_run *run)
{
	return (struct packet_run *)run;
}

static inline u32 packet_len(const struct packet *packet)
{
	return (u32)(packet->data_end - packet->data);
}

/* [offset, offset+len) of the packet without fragments, or NULL when it is not all there. */
static inline u8 *packet_at(const struct packet *packet, u64 offset, u64 len)
{
	u64 have = packet_len(packet);

	return offset <= have && len <= have - offset ? packet->data + offset : NULL;
}

/* The test run is over: values that maps keep for the packet's socket go. */
void vm_end_socket(struct packet_run *packet);

#endif
