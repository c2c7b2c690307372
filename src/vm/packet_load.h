/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* packet_load.h: which bytes LD_ABS and LD_IND load. */
#ifndef VM_PACKET_LOAD_H
#define VM_PACKET_LOAD_H

#include <linux/filter.h>

#include "vm/vm.h"

/* Where the bytes of a packet load start: negative offsets count from a header. */
static inline s64 packet_load_offset(const struct packet *packet, s32 at)
{
	if (at >= 0)
		return at;
	if (at >= SKF_NET_OFF)
		return packet->network - packet->data + (s64)at - SKF_NET_OFF;
	if (at >= SKF_LL_OFF)
		return packet->mac - packet->data + (s64)at - SKF_LL_OFF;
	return INT64_MAX / 2;
}

/* False outside the packet. Headers in front of the data count as inside. */
static inline bool packet_load_at(const struct packet *packet, s32 at, u32 size, u64 *value)
{
	s64 offset = packet_load_offset(packet, at);

	if (offset < (at < 0 ? packet->head - packet->data : 0) ||
	    offset + size > packet->data_end - packet->data)
		return false;
	*value = 0;
	for (u32 i = 0; i < size; i++)
		*value = *value << 8 | packet->data[offset + i];
	return true;
}

#endif
