/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_packet.c: helpers that read, write and reshape the packet of a run on __sk_buff or
 * xdp_md. Owns no state: everything is in struct packet_run and in the context, which
 * packet_moved() brings up to date after each change of the packet's bounds.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/atomic.h"
#include "base/interface.h"
#include "base/log.h"
#include "vm/helpers.h"
#include "vm/packet.h"
#include "vm/prog_type.h"

#define ETH_HLEN 14
#define MAC_ADDRESSES 12
#define VLAN_HLEN 4
#define PROTO_IPV4 0x0800
#define PROTO_IPV6 0x86dd
#define PROTO_8021Q 0x8100
#define PROTO_8021AD 0x88a8
#define SKB_LEN_MAX 16064u        /* 16 KiB without the kernel's shared info */
#define XDP_RESERVED 40           /* bytes of the headroom that the kernel keeps */
#define XDP_META_MAX 255
#define ECN_CE 3
#define START_MAC 0
#define START_NET 1

static void moved(struct vm_run *run)
{
	run->packet_moved(run);
}

static struct __sk_buff *skb_of(struct vm_run *run)
{
	return run->ctx;
}

/* Reads from the packet at p, or clears the destination as the kernel does when it cannot. */
static u64 load_bytes(const u8 *p, u64 to, u32 len)
{
	if (!p) {
		memset(U64_PTR(to), 0, len);
		return HELPER_ERROR(EFAULT);
	}
	memcpy(U64_PTR(to), p, len);
	return 0;
}

HELPER_FN(skb_load_bytes)
{
	/* A flow dissector in a test run has bytes, but no packet that they come from. */
	const bool none = run->prog->type->helper_groups & HG_FLOW_DISSECTOR;
	u32 offset = (u32)r2, len = (u32)r4;
	const u8 *from = NULL;

	if (!none && offset <= INT_MAX)
		from = packet_at(run->packet, offset, len);
	return load_bytes(from, r3, len);
}

HELPER_FN(skb_load_bytes_relative)
{
	const struct packet *packet = run->packet;
	u32 offset = (u32)r2, len = (u32)r4, from = (u32)r5;
	const u8 *start = from == START_MAC ? packet->mac : packet->network;
	const s64 have = packet->data_end - start; /* < 0: the packet ends before that header */

	if (offset > UINT16_MAX || from > START_NET || (s64)offset + len > have)
		start = NULL;
	return load_bytes(start ? start + offset : NULL, r3, len);
}

HELPER_FN(skb_store_bytes)
{
	u32 offset = (u32)r2, len = (u32)r4;
	u8 *to;

	if (r5 & ~(u64)(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))
		return HELPER_ERROR(EINVAL);
	to = offset <= INT_MAX ? packet_at(run->packet, offset, len) : NULL;
	if (!to)
		return HELPER_ERROR(EFAULT);
	memcpy(to, U64_PTR(r3), len);
	if (r5 & BPF_F_INVALIDATE_HASH)
		skb_of(run)->hash = 0;
	return 0;
}

HELPER_FN(skb_pull_data)
{
	u32 len = (u32)r2;

	return len > packet_len(run->packet) ? HELPER_ERROR(ENOMEM) : 0;
}

/* Checksums */

static u32 fold(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u32)sum;
}

static u64 sum_words(const void *p, u32 len, u64 sum)
{
	const u8 *bytes = p;

	for (u32 i = 0; i + 1 < len; i += 2)
		sum += (u64)(bytes[i] | bytes[i + 1] << 8);
	return len % 2 ? sum + bytes[len - 1] : sum;
}

/* ~(~sum - from + to) in one's complement, on 16-bit sums. */
static void replace_sum(u8 *at, u32 from, u32 to)
{
	u16 sum;

	memcpy(&sum, at, sizeof(sum));
	sum = (u16)~fold((u64)(u16)~sum + fold(~from) + fold(to));
	memcpy(at, &sum, sizeof(sum));
}

/* The field that l3_csum_replace and l4_csum_replace change, or an errno. */
static u64 checksum_at(struct vm_run *run, u64 offset, u8 **at)
{
	*at = offset <= 0xffff && !(offset & 1) ? packet_at(run->packet, offset, 2) : NULL;
	return *at ? 0 : HELPER_ERROR(EFAULT);
}

/* from and to by the size of the header field that changed; size 0: to is a difference. */
static u64 replace_field(u8 *at, u64 from, u64 to, u32 size)
{
	switch (size) {
	case 0:
		if (from)
			return HELPER_ERROR(EINVAL);
		replace_sum(at, UINT32_MAX, (u32)to);
		return 0;
	case 2:
		replace_sum(at, (u32)~(u16)~from, (u16)to);
		return 0;
	case 4:
		replace_sum(at, (u32)from, (u32)to);
		return 0;
	}
	return HELPER_ERROR(EINVAL);
}

HELPER_FN(l3_csum_replace)
{
	u64 err;
	u8 *at;

	if (r5 & ~(u64)BPF_F_HDR_FIELD_MASK)
		return HELPER_ERROR(EINVAL);
	err = checksum_at(run, (u32)r2, &at);
	return err ? err : replace_field(at, r3, r4, r5 & BPF_F_HDR_FIELD_MASK);
}

HELPER_FN(l4_csum_replace)
{
	const u64 ipv6 = 1u << 7; /* BPF_F_IPV6, Linux 6.16 */
	u16 sum;
	u64 err;
	u8 *at;

	if (r5 & ~(BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR |
		   BPF_F_HDR_FIELD_MASK | ipv6))
		return HELPER_ERROR(EINVAL);
	err = checksum_at(run, (u32)r2, &at);
	if (err)
		return err;
	memcpy(&sum, at, sizeof(sum));
	if (r5 & BPF_F_MARK_MANGLED_0 && !(r5 & BPF_F_MARK_ENFORCE) && !sum)
		return 0;
	err = replace_field(at, r3, r4, r5 & BPF_F_HDR_FIELD_MASK);
	memcpy(&sum, at, sizeof(sum));
	if (!err && r5 & BPF_F_MARK_MANGLED_0 && !sum)
		memset(at, 0xff, sizeof(sum));
	return err;
}

HELPER_FN(csum_diff)
{
	u32 from = (u32)r2, to = (u32)r4;
	u64 sum = (u32)r5;

	sum = sum_words(U64_PTR(r3), to, sum);
	if (from)
		sum += (u16)~fold(sum_words(U64_PTR(r1), from, 0));
	return fold(sum);
}

HELPER_FN(csum_update)
{
	return HELPER_ERROR(ENOTSUPP); /* these packets carry no checksum of their own */
}

HELPER_FN(csum_level)
{
	switch (r2) {
	case BPF_CSUM_LEVEL_QUERY:
		return HELPER_ERROR(EACCES);
	case BPF_CSUM_LEVEL_INC:
	case BPF_CSUM_LEVEL_DEC:
	case BPF_CSUM_LEVEL_RESET:
		return 0;
	}
	return HELPER_ERROR(EINVAL);
}

/* Bounds of an skb */

HELPER_FN(skb_change_tail)
{
	struct packet *packet = run->packet;
	u32 len = (u32)r2, old = packet_len(packet);
	s64 least = packet->network - packet->data;

	if (r3 || len > SKB_LEN_MAX || (s64)len < least)
		return HELPER_ERROR(EINVAL);
	if (packet->data + len > packet->end)
		return HELPER_ERROR(ENOMEM);
	if (len > old)
		memset(packet->data_end, 0, len - old);
	packet->data_end = packet->data + len;
	moved(run);
	return 0;
}

HELPER_FN(skb_change_head)
{
	struct packet *packet = run->packet;
	u32 room = (u32)r2, len = packet_len(packet) + room;

	if (r3 || room > INT_MAX || len > SKB_LEN_MAX)
		return HELPER_ERROR(EINVAL);
	if (room > (u64)(packet->data - packet_run_of(run)->arena.packet))
		return HELPER_ERROR(ENOMEM);
	packet->data -= room;
	packet->head = MIN(packet->head, packet->data);
	packet->mac = packet->data;
	memset(packet->data, 0, room);
	moved(run);
	return 0;
}

/* Moves the first bytes of the packet by -count (opening a gap behind them) or +count. */
static bool shift_front(struct vm_run *run, u32 bytes, s32 count)
{
	struct packet *packet = run->packet;

	if (packet->data + count < packet_run_of(run)->arena.packet)
		return false;
	memmove(packet->data + count, packet->data, bytes);
	packet->data += count;
	packet->network += count;
	packet->head = MIN(packet->head, packet->data);
	packet->mac = packet->data;
	moved(run);
	return true;
}

static u16 load_be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static void store_be16(u8 *p, u16 value)
{
	p[0] = (u8)(value >> 8);
	p[1] = (u8)value;
}

static bool is_vlan(u16 proto)
{
	return proto == PROTO_8021Q || proto == PROTO_8021AD;
}

/* The tag that was beside the packet goes into it. */
static bool push_tag(struct vm_run *run)
{
	struct __sk_buff *skb = skb_of(run);
	u8 *tag;

	if (!shift_front(run, MAC_ADDRESSES, -VLAN_HLEN))
		return false;
	tag = run->packet->data + MAC_ADDRESSES;
	store_be16(tag, be16toh((u16)skb->vlan_proto));
	store_be16(tag + 2, (u16)skb->vlan_tci);
	skb->protocol = skb->vlan_proto;
	return true;
}

HELPER_FN(skb_vlan_push)
{
	struct __sk_buff *skb = skb_of(run);
	u16 proto = (u16)r2;

	if (!is_vlan(be16toh(proto)))
		proto = htobe16(PROTO_8021Q);
	if (skb->vlan_present && !push_tag(run))
		return HELPER_ERROR(ENOMEM);
	skb->vlan_present = 1;
	skb->vlan_proto = proto;
	skb->vlan_tci = (u16)r3;
	return 0;
}

/* Takes the tag out of the packet and returns it. */
static u16 pop_tag(struct vm_run *run)
{
	const struct packet *packet = run->packet;
	u16 tci = load_be16(packet->data + ETH_HLEN);

	shift_front(run, MAC_ADDRESSES, VLAN_HLEN);
	skb_of(run)->protocol = htobe16(load_be16(packet->data + MAC_ADDRESSES));
	return tci;
}

HELPER_FN(skb_vlan_pop)
{
	struct __sk_buff *skb = skb_of(run);
	const u32 tagged = ETH_HLEN + VLAN_HLEN;

	if (skb->vlan_present) {
		skb->vlan_present = skb->vlan_tci = skb->vlan_proto = 0;
	} else {
		if (!is_vlan(be16toh((u16)skb->protocol)))
			return 0;
		if (packet_len(run->packet) < tagged)
			return HELPER_ERROR(ENOMEM);
		pop_tag(run);
	}
	if (!is_vlan(be16toh((u16)skb->protocol)) || packet_len(run->packet) < tagged)
		return 0;
	skb->vlan_proto = skb->protocol;
	skb->vlan_tci = pop_tag(run);
	skb->vlan_present = 1;
	return 0;
}

/* Room between the headers */

#define IPV4_HLEN 20
#define IPV6_HLEN 40
#define ROOM_MAX 0xfff
#define ROOM_DECAP_IPV4 (1u << 7) /* BPF_F_ADJ_ROOM_DECAP_L3_IPV4, _IPV6: Linux 6.4 */
#define ROOM_DECAP_IPV6 (1u << 8)
#define ROOM_DECAP (ROOM_DECAP_IPV4 | ROOM_DECAP_IPV6)
#define ROOM_ENCAP_IP (BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)
#define ROOM_ENCAP_L4 (BPF_F_ADJ_ROOM_ENCAP_L4_GRE | BPF_F_ADJ_ROOM_ENCAP_L4_UDP)
#define ROOM_ENCAP_L2 (0xffull << BPF_ADJ_ROOM_ENCAP_L2_SHIFT)
#define ROOM_FLAGS                                                                                 \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET | ROOM_ENCAP_IP | ROOM_ENCAP_L4 |  \
	 ROOM_ENCAP_L2 | BPF_F_ADJ_ROOM_ENCAP_L2_ETH | ROOM_DECAP)

static u64 grow_room(struct vm_run *run, u32 at, u32 len, u64 flags)
{
	u64 inner_mac = flags >> BPF_ADJ_ROOM_ENCAP_L2_SHIFT;

	if (flags & ROOM_ENCAP_IP &&
	    ((flags & ROOM_ENCAP_IP) == ROOM_ENCAP_IP ||
	     (flags & ROOM_ENCAP_L4) == ROOM_ENCAP_L4 || inner_mac > len))
		return HELPER_ERROR(EINVAL);
	if (!shift_front(run, at, -(s32)len))
		return HELPER_ERROR(ENOMEM);
	memset(run->packet->data + at, 0, len);
	if (flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)
		skb_of(run)->protocol = htobe16(PROTO_IPV4);
	if (flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)
		skb_of(run)->protocol = htobe16(PROTO_IPV6);
	return 0;
}

static u64 shrink_room(struct vm_run *run, u32 at, u32 len, u64 flags)
{
	if (flags & (ROOM_ENCAP_IP | ROOM_ENCAP_L4 | ROOM_ENCAP_L2 | BPF_F_ADJ_ROOM_ENCAP_L2_ETH))
		return HELPER_ERROR(EINVAL);
	if (packet_len(run->packet) < at + len)
		return HELPER_ERROR(ENOMEM);
	shift_front(run, at, (s32)len);
	if (flags & ROOM_DECAP)
		skb_of(run)->protocol = htobe16(flags & ROOM_DECAP_IPV4 ? PROTO_IPV4 : PROTO_IPV6);
	return 0;
}

HELPER_FN(skb_adjust_room)
{
	struct packet *packet = run->packet;
	u16 proto = be16toh((u16)skb_of(run)->protocol);
	u32 base = proto == PROTO_IPV4 ? IPV4_HLEN : IPV6_HLEN, least = base;
	u32 at = (u32)(packet->network - packet->mac), have = packet_len(packet);
	u32 payload = (u32)(packet->data_end - packet->network);
	s32 diff = (s32)r2;
	u32 len = diff < 0 ? -(u32)diff : (u32)diff;

	if (r4 & ~(u64)ROOM_FLAGS || (r4 & ROOM_DECAP && (diff >= 0 || (r4 & ROOM_DECAP) == ROOM_DECAP)))
		return HELPER_ERROR(EINVAL);
	if (len > ROOM_MAX)
		return HELPER_ERROR(EFAULT);
	if ((proto != PROTO_IPV4 && proto != PROTO_IPV6) || r3 > BPF_ADJ_ROOM_MAC)
		return HELPER_ERROR(ENOTSUPP);
	if (r4 & ROOM_DECAP)
		least = r4 & ROOM_DECAP_IPV4 ? IPV4_HLEN : IPV6_HLEN;
	at += r3 == BPF_ADJ_ROOM_NET ? base : 0;
	if (diff < 0 ? len >= payload || payload - len < least : have + len > SKB_LEN_MAX)
		return HELPER_ERROR(ENOTSUPP);
	return diff < 0 ? shrink_room(run, at, len, r4) : grow_room(run, at, len, r4);
}

/* From IPv4 to IPv6 or back: the header that was there makes room for one of the other size. */
HELPER_FN(skb_change_proto)
{
	const u32 at = (u32)(run->packet->network - run->packet->mac);
	const s32 more = IPV6_HLEN - IPV4_HLEN;
	const u16 from = be16toh((u16)skb_of(run)->protocol), to = be16toh((u16)r2);
	const bool grows = from == PROTO_IPV4 && to == PROTO_IPV6;

	if (r3)
		return HELPER_ERROR(EINVAL);
	if (!grows && (from != PROTO_IPV6 || to != PROTO_IPV4))
		return HELPER_ERROR(ENOTSUPP);
	if ((!grows && packet_len(run->packet) < at + (u32)more) ||
	    !shift_front(run, at, grows ? -more : more))
		return HELPER_ERROR(ENOMEM);
	if (grows)
		memset(run->packet->data + at, 0, (u32)more);
	skb_of(run)->protocol = htobe16(to);
	skb_of(run)->hash = 0;
	return 0;
}

/* Facts beside the packet */

/*
 * "Congestion experienced", if the sender said that it understands: the two low bits of the byte
 * that IPv4 has second, IPv6 across the first two.
 */
HELPER_FN(skb_ecn_set_ce)
{
	const struct packet *packet = run->packet;
	const u32 proto = be16toh((u16)skb_of(run)->protocol), shift = proto == PROTO_IPV6 ? 4 : 0;
	u8 *ip = packet->network;
	u32 check, before;

	if ((proto != PROTO_IPV4 || packet->data_end - ip < 20) &&
	    (proto != PROTO_IPV6 || packet->data_end - ip < 40))
		return 0;
	before = ip[1];
	if (!(before >> shift & ECN_CE))
		return 0;
	ip[1] |= (u8)(ECN_CE << shift);
	if (proto == PROTO_IPV4) {
		check = fold((u16)~load_be16(ip + 10) + (u16)~before + ip[1]);
		ip[10] = (u8)(~check >> 8);
		ip[11] = (u8)~check;
	}
	return 1;
}

/* The kernel hashes the flow with a secret; any number but 0 that the flow determines will do. */
HELPER_FN(get_hash_recalc)
{
	struct __sk_buff *skb = skb_of(run);
	const struct packet *packet = run->packet;
	u32 len = MIN((u32)(packet->data_end - packet->network), 64u);

	if (!skb->hash && packet->network < packet->data_end)
		skb->hash = fold(sum_words(packet->network, len, 1)) * 0x9e3779b1u | 1;
	return skb->hash;
}

HELPER_FN(set_hash)
{
	skb_of(run)->hash = (u32)r2;
	return 0;
}

HELPER_FN(set_hash_invalid)
{
	skb_of(run)->hash = 0;
	return 0;
}

HELPER_FN(skb_change_type)
{
	struct __sk_buff *skb = skb_of(run);

	if (skb->pkt_type > 3 || (u32)r2 > 3)
		return HELPER_ERROR(EINVAL);
	skb->pkt_type = (u32)r2;
	return 0;
}

/* The kernel's test run makes a socket for the packet; so each run has a cookie of its own. */
HELPER_FN(get_socket_cookie)
{
	static u64 last;
	struct packet_run *packet = packet_run_of(run);

	if (!packet->cookie)
		packet->cookie = vm_varying(run, atomic_add(&last, 1) + 1);
	return packet->cookie;
}

HELPER_FN(get_socket_uid)
{
	return 0;
}

/* Where the packet would go: only the verdict and the report of it exist here. */

#define TC_ACT_SHOT 2

static u64 redirect_to_interface(struct vm_run *run, u64 ifindex, u64 flags, u64 verdict)
{
	run->redirect = (struct vm_redirect){.set = true, .ifindex = (u32)ifindex, .flags = flags};
	return verdict;
}

HELPER_FN(redirect)
{
	if (run->prog->type->helper_groups & HG_XDP)
		return r2 ? XDP_ABORTED : redirect_to_interface(run, r1, r2, XDP_REDIRECT);
	return r2 & ~(u64)BPF_F_INGRESS ? TC_ACT_SHOT
					: redirect_to_interface(run, r1, r2, TC_ACT_REDIRECT);
}

/* A copy of the packet goes to the interface, which here means nowhere. */
HELPER_FN(clone_redirect)
{
	const u32 ifindex = (u32)r2;

	if (r3 & ~(u64)BPF_F_INGRESS)
		return HELPER_ERROR(EINVAL);
	if (skb_of(run)->gso_size)
		return HELPER_ERROR(EBADMSG);
	if (!interface_exists(ifindex))
		return HELPER_ERROR(EINVAL);
	log_line(LOG_REFUSED,
		 "program %u '%.16s' sent a copy of a packet to interface %u: it goes nowhere",
		 run->prog->object.id, run->prog->checked.name, ifindex);
	return 0;
}

HELPER_FN(redirect_peer)
{
	return r2 ? TC_ACT_SHOT : redirect_to_interface(run, r1, r2, TC_ACT_REDIRECT);
}

HELPER_FN(redirect_neigh)
{
	bool bad_size = r3 && r3 < sizeof(struct bpf_redir_neigh);

	return bad_size || r4 ? TC_ACT_SHOT : redirect_to_interface(run, r1, r4, TC_ACT_REDIRECT);
}

/* The lowest bits are the verdict for a target that is not there. */
#define ACTION_BITS ((u64)XDP_TX)

HELPER_FN(redirect_map)
{
	struct map *map = U64_PTR(r1);
	const u32 key = (u32)r2, *target;

	if (r3 & ~(ACTION_BITS | map->ops->redirect_flags))
		return XDP_ABORTED;
	target = map->ops->lookup(map, &key);
	if (!target && !(r3 & BPF_F_BROADCAST))
		return r3 & ACTION_BITS;
	run->redirect = (struct vm_redirect){
		.set = true, .map_id = map->object.id, .key = key, .flags = r3};
	if (target && !(r3 & BPF_F_BROADCAST) && map->ops->traits & MAP_INTERFACES)
		run->redirect.ifindex = load_relaxed(target);
	return XDP_REDIRECT;
}

/* XDP */

HELPER_FN(xdp_adjust_head)
{
	struct packet_run *xdp = packet_run_of(run);
	struct packet *packet = run->packet;
	s64 offset = (s32)r2, meta = packet->data - xdp->meta;

	if (packet->data - packet->head + offset < XDP_RESERVED + meta ||
	    packet->data_end - packet->data - offset < ETH_HLEN)
		return HELPER_ERROR(EINVAL);
	memmove(xdp->meta + offset, xdp->meta, (size_t)meta);
	xdp->meta += offset;
	packet->data += offset;
	moved(run);
	return 0;
}

/* Length with fragments. */
static u32 xdp_len(struct vm_run *run)
{
	return packet_len(run->packet) + packet_run_of(run)->frag_bytes;
}

/* How far the end may move out: to that of the last fragment's page, or of the frame. */
static s64 xdp_tailroom(struct vm_run *run)
{
	u32 frags = packet_run_of(run)->frag_bytes;

	return frags ? ROUND_UP(frags, PAGE_BYTES) - frags : run->packet->end - run->packet->data_end;
}

HELPER_FN(xdp_adjust_tail)
{
	struct packet_run *xdp = packet_run_of(run);
	struct packet *packet = run->packet;
	s64 offset = (s32)r2, in_frags;

	if (offset > xdp_tailroom(run) || xdp_len(run) + offset < ETH_HLEN)
		return HELPER_ERROR(EINVAL);
	if (offset > 0)
		memset(packet->data_end + xdp->frag_bytes, 0, (size_t)offset);
	in_frags = xdp->frag_bytes ? MAX(offset, -(s64)xdp->frag_bytes) : 0;
	xdp->frag_bytes += (u32)in_frags;
	packet->data_end += offset - in_frags;
	moved(run);
	return 0;
}

HELPER_FN(xdp_adjust_meta)
{
	struct packet_run *xdp = packet_run_of(run);
	struct packet *packet = run->packet;
	s64 len = packet->data - xdp->meta - (s32)r2;

	if (packet->data - packet->head - len < XDP_RESERVED || len < 0)
		return HELPER_ERROR(EINVAL);
	if (len % 4 || len > XDP_META_MAX)
		return HELPER_ERROR(EACCES);
	xdp->meta = packet->data - len;
	moved(run);
	return 0;
}

HELPER_FN(xdp_get_buff_len)
{
	return xdp_len(run);
}

/* The range of an XDP packet that r2 and r4 name; -EFAULT and -EINVAL as the kernel. */
static u64 xdp_range(struct vm_run *run, u64 offset, u64 len, u8 **at)
{
	if (offset > UINT16_MAX || len > UINT16_MAX)
		return HELPER_ERROR(EFAULT);
	*at = run->packet->data + offset;
	return offset + len <= xdp_len(run) ? 0 : HELPER_ERROR(EINVAL);
}

HELPER_FN(xdp_load_bytes)
{
	u64 err;
	u8 *from;

	err = xdp_range(run, (u32)r2, (u32)r4, &from);
	if (!err)
		memcpy(U64_PTR(r3), from, (u32)r4);
	return err;
}

HELPER_FN(xdp_store_bytes)
{
	u64 err;
	u8 *to;

	err = xdp_range(run, (u32)r2, (u32)r4, &to);
	if (!err)
		memcpy(to, U64_PTR(r3), (u32)r4);
	return err;
}
