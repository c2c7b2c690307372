/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_fib.c: helpers that ask the host's network stack where a packet would go and whether it
 * fits, in the network namespace of the process that runs the test.
 */
#include <endian.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/interface.h"
#include "base/route.h"
#include "base/uapi.h"
#include "vm/helpers.h"
#include "vm/packet.h"
#include "vm/prog_type.h"

#define FAMILY_IPV4 2
#define FAMILY_IPV6 10
#define VLAN_HLEN 4u
#define LOOKUP_FLAGS                                                                               \
	(BPF_FIB_LOOKUP_DIRECT | BPF_FIB_LOOKUP_OUTPUT | UAPI_FIB_LOOKUP_SKIP_NEIGH |              \
	 UAPI_FIB_LOOKUP_TBID | UAPI_FIB_LOOKUP_SRC | UAPI_FIB_LOOKUP_MARK)

/* struct bpf_fib_lookup with the names that its last parts have got since Linux 6.1. */
struct lookup {
	struct bpf_fib_lookup *params;
	u32 flags;
	bool is_ipv6;
	bool checks_length;
	u32 mtu; /* that was checked; 0: none */
};

/* The bytes of h_vlan_proto and h_vlan_TCI, and of smac, as they come in. */
static u32 *table_of(struct bpf_fib_lookup *params)
{
	return (u32 *)&params->h_vlan_proto;
}

static bool forwards(const struct lookup *lookup, const struct interface *interface)
{
	return lookup->is_ipv6 ? interface->forwards6 : interface->forwards4;
}

static struct flow flow_of(const struct lookup *lookup)
{
	const struct bpf_fib_lookup *params = lookup->params;
	const bool output = lookup->flags & BPF_FIB_LOOKUP_OUTPUT;
	const u32 address_bytes = lookup->is_ipv6 ? 16 : 4;
	struct flow flow = {
		.family = params->family,
		.protocol = params->l4_protocol,
		.tos = (u8)(lookup->is_ipv6 ? be32toh(params->flowinfo) >> 20 : params->tos) & 0xfc,
		.by_source = !lookup->is_ipv6 || !output,
		.sport = params->sport,
		.dport = params->dport,
		.iif = output ? 1 : params->ifindex,
		.oif = output ? params->ifindex : 0,
	};

	if (lookup->flags & UAPI_FIB_LOOKUP_MARK && !(lookup->flags & BPF_FIB_LOOKUP_DIRECT))
		memcpy(&flow.mark, params->smac, sizeof(flow.mark));
	memcpy(flow.src, params->ipv6_src, address_bytes);
	memcpy(flow.dst, params->ipv6_dst, address_bytes);
	return flow;
}

static int find_route(const struct lookup *lookup, const struct flow *flow, struct route *route)
{
	u32 table = RT_TABLE_MAIN;

	if (!(lookup->flags & BPF_FIB_LOOKUP_DIRECT))
		return route_by_rules(flow, route);
	if (lookup->flags & UAPI_FIB_LOOKUP_TBID) {
		table = *table_of(lookup->params);
		*table_of(lookup->params) = 0;
	}
	return route_in_table(flow, table, route);
}

/* What the program gets for a lookup that ends without a route to follow. */
static u64 refusal(const struct lookup *lookup, int err, u8 type)
{
	switch (err) {
	case 0:
		return type == RTN_BLACKHOLE	 ? BPF_FIB_LKUP_RET_BLACKHOLE
		       : type == RTN_UNREACHABLE ? BPF_FIB_LKUP_RET_UNREACHABLE
		       : type == RTN_PROHIBIT	 ? BPF_FIB_LKUP_RET_PROHIBIT
						 : BPF_FIB_LKUP_RET_NOT_FWDED;
	case -EINVAL:
		return lookup->is_ipv6 ? BPF_FIB_LKUP_RET_NOT_FWDED : BPF_FIB_LKUP_RET_BLACKHOLE;
	case -EACCES:
		return lookup->is_ipv6 ? BPF_FIB_LKUP_RET_NOT_FWDED : BPF_FIB_LKUP_RET_PROHIBIT;
	case -ESRCH:
	case -ENETUNREACH:
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	}
	return HELPER_ERROR(-err); /* the host cannot be asked */
}

/* False: the packet is too long for the route. */
static bool fits(struct lookup *lookup, const struct route *route, const struct interface *leaving)
{
	struct bpf_fib_lookup *params = lookup->params;

	if (!lookup->checks_length)
		return true;
	lookup->mtu = route->locked_mtu	 ? route->locked_mtu
		      : lookup->is_ipv6 ? leaving->mtu6
					 : MIN(leaving->mtu, 65535u);
	if (params->tot_len <= lookup->mtu)
		return true;
	params->mtu_result = (u16)lookup->mtu;
	return false;
}

/*
 * A route without a source has that of its interface, IPv4's towards the gateway. IPv6's is towards
 * the destination, which the host's own rules may not lead to that interface.
 */
static bool find_source(const struct lookup *lookup, struct flow *flow, const struct route *route,
			u8 source[16])
{
	flow->oif = route->oif;
	if (lookup->is_ipv6 && !route_source(flow, source))
		return true;
	if (route->gateway_family == flow->family)
		memcpy(flow->dst, route->gateway, sizeof(flow->dst));
	return !route_source(flow, source);
}

static bool set_source(const struct lookup *lookup, struct flow *flow, const struct route *route)
{
	u8 source[16];

	memcpy(source, route->source, sizeof(source));
	if (!route->has_source && !find_source(lookup, flow, route, source))
		return false;
	memcpy(lookup->params->ipv6_src, source, lookup->is_ipv6 ? 16 : 4);
	return true;
}

static u64 set_neighbour(struct bpf_fib_lookup *params, const struct interface *leaving)
{
	u8 address[16] = {0}, found[6];

	if (params->family == FAMILY_IPV6)
		memcpy(address, params->ipv6_dst, 16);
	else if (!(leaving->flags & (IFF_LOOPBACK | IFF_POINTOPOINT)))
		memcpy(address, &params->ipv4_dst, 4);
	if (route_neighbour(params->family, address, leaving->ifindex, found))
		return BPF_FIB_LKUP_RET_NO_NEIGH;
	memcpy(params->dmac, found, sizeof(found));
	memcpy(params->smac, leaving->address, sizeof(params->smac));
	return BPF_FIB_LKUP_RET_SUCCESS;
}

/* The results about a route that can be followed. */
static u64 follow(struct lookup *lookup, struct flow *flow, const struct route *route,
		  const struct interface *leaving)
{
	struct bpf_fib_lookup *params = lookup->params;
	u64 ret = BPF_FIB_LKUP_RET_SUCCESS;

	params->rt_metric = route->metric;
	params->ifindex = route->oif;
	if (lookup->flags & UAPI_FIB_LOOKUP_SRC && !set_source(lookup, flow, route))
		return UAPI_FIB_LKUP_RET_NO_SRC_ADDR;
	if (route->gateway_family) {
		params->family = route->gateway_family;
		memcpy(params->ipv6_dst, route->gateway,
		       route->gateway_family == FAMILY_IPV6 ? 16 : 4);
	}
	if (!(lookup->flags & UAPI_FIB_LOOKUP_SKIP_NEIGH))
		ret = set_neighbour(params, leaving);
	if (ret)
		return ret;
	params->h_vlan_TCI = params->h_vlan_proto = 0;
	if (lookup->mtu)
		params->mtu_result = (u16)lookup->mtu;
	return ret;
}

static u64 look_up(struct lookup *lookup, struct interface *leaving)
{
	struct bpf_fib_lookup *params = lookup->params;
	struct flow flow = flow_of(lookup);
	struct route route;
	int err = interface_get(params->ifindex, leaving);

	if (err)
		return HELPER_ERROR(-err);
	if (!forwards(lookup, leaving))
		return BPF_FIB_LKUP_RET_FWD_DISABLED;
	err = find_route(lookup, &flow, &route);
	if (err || route.type != RTN_UNICAST)
		return refusal(lookup, err, route.type);
	err = interface_get(route.oif, leaving);
	if (err)
		return HELPER_ERROR(-err);
	if (!fits(lookup, &route, leaving))
		return BPF_FIB_LKUP_RET_FRAG_NEEDED;
	if (route.encapsulates)
		return BPF_FIB_LKUP_RET_UNSUPP_LWT;
	return follow(lookup, &flow, &route, leaving);
}

/* Addresses that nobody forwards to or from. */
static bool is_local_ipv6(const u32 words[4])
{
	const u8 *address = (const u8 *)words;

	return address[0] == 0xff || (address[0] == 0xfe && (address[1] & 0xc0) == 0x80) ||
	       (!words[0] && !words[1] && !words[2] && be32toh(words[3]) == 1);
}

static bool is_xdp(const struct vm_run *run)
{
	return run->prog->type->helper_groups & HG_XDP;
}

/* The host does not tell how long headers of the link layer are. */
static u32 header_bytes(const struct interface *interface)
{
	return interface->type == ARPHRD_ETHER || interface->type == ARPHRD_LOOPBACK ? ETH_HLEN : 0;
}

/* Will it be cut into segments? */
static bool has_segments(const struct vm_run *run)
{
	return !is_xdp(run) && ((const struct __sk_buff *)run->ctx)->gso_size;
}

/* What the packet is checked against when the program did not say how long it is. */
static bool can_forward_skb(struct vm_run *run, const struct interface *leaving)
{
	return leaving->flags & IFF_UP &&
	       (has_segments(run) ||
		packet_len(run->packet) <= leaving->mtu + header_bytes(leaving) + VLAN_HLEN);
}

static u64 look_up_for(struct vm_run *run, struct bpf_fib_lookup *params, u32 flags)
{
	struct lookup lookup = {.params = params, .flags = flags};
	struct interface leaving;
	u64 ret;

	if (params->family != FAMILY_IPV4 && params->family != FAMILY_IPV6)
		return HELPER_ERROR(EAFNOSUPPORT);
	lookup.is_ipv6 = params->family == FAMILY_IPV6;
	lookup.checks_length = is_xdp(run) || params->tot_len;
	if (lookup.is_ipv6 && (is_local_ipv6(params->ipv6_dst) || is_local_ipv6(params->ipv6_src)))
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	ret = look_up(&lookup, &leaving);
	if (ret || lookup.checks_length)
		return ret;
	params->mtu_result = (u16)leaving.mtu;
	return can_forward_skb(run, &leaving) ? BPF_FIB_LKUP_RET_SUCCESS
					      : BPF_FIB_LKUP_RET_FRAG_NEEDED;
}

HELPER_FN(fib_lookup)
{
	struct bpf_fib_lookup params; /* the program's may lie at any address */
	u64 ret;

	if (r3 < sizeof(params) || (u32)r4 & ~LOOKUP_FLAGS)
		return HELPER_ERROR(EINVAL);
	memcpy(&params, U64_PTR(r2), sizeof(params));
	ret = look_up_for(run, &params, (u32)r4);
	memcpy(U64_PTR(r2), &params, sizeof(params));
	return ret;
}

u32 helper_interface(const struct vm_run *run)
{
	return is_xdp(run) ? ((const struct xdp_md *)run->ctx)->ingress_ifindex
			   : ((const struct __sk_buff *)run->ctx)->ifindex;
}

/*
 * What is longer than the MTU may still be so in segments. How long those are is not known: a test
 * run's packet has no transport header to say how much of it each one repeats.
 */
static s64 check_long(const struct vm_run *run, u64 flags)
{
	if (!has_segments(run))
		return BPF_MTU_CHK_RET_FRAG_NEEDED;
	return flags & BPF_MTU_CHK_SEGS ? -EINVAL : BPF_MTU_CHK_RET_SUCCESS;
}

HELPER_FN(check_mtu)
{
	u32 *length = U64_PTR(r3);
	const u64 known = is_xdp(run) ? 0 : BPF_MTU_CHK_SEGS;
	struct interface interface;
	s64 result = BPF_MTU_CHK_RET_SUCCESS;
	s32 have;
	int err;

	if (r5 & ~known || (r5 && ((s32)r4 || *length)))
		return HELPER_ERROR(EINVAL);
	err = interface_get((u32)r2 ? (u32)r2 : helper_interface(run), &interface);
	if (err)
		return HELPER_ERROR(-err);
	have = (s32)(*length ? *length + header_bytes(&interface) : packet_len(run->packet)) +
	       (s32)r4;
	if (have > (s32)(interface.mtu + header_bytes(&interface)))
		result = check_long(run, r5);
	if (result >= 0)
		*length = interface.mtu;
	return (u64)result;
}
