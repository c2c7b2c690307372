/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * traffic.h: the layout of the maps, shared by the programs (traffic.bpf.c) and their reader
 * (traffic.c). Nothing else is shared.
 */
#ifndef DEMO_TRAFFIC_H
#define DEMO_TRAFFIC_H

#include <linux/types.h>

/* What a frame is; index of the map "frames". Every frame counts in exactly one. */
enum frame_kind {
	FRAME_IP,
	FRAME_ARP,
	FRAME_OTHER,   /* another EtherType, or 802.3 with a length */
	FRAME_DAMAGED, /* IP by its EtherType, but the header is cut off or makes no sense */
	FRAME_KINDS
};

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct source_key {
	__u32 family;     /* AF_INET or AF_INET6 */
	__u8 address[16]; /* network order; IPv4 uses the first four bytes, the rest is zero */
};

#endif
