/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * route.c: looks through the host's rules and routing tables as it does for packets that it
 * forwards. Knows nothing of BPF.
 */
#include "base/route.h"

#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/netlink.h"
#include "base/syscall.h"

static u32 address_bytes(u8 family)
{
	return family == AF_INET ? 4 : 16;
}

static bool same_prefix(const u8 *a, const u8 *b, u32 bits)
{
	u32 bytes = bits / 8, rest = bits % 8;

	return !memcmp(a, b, bytes) && (!rest || !((a[bytes] ^ b[bytes]) >> (8 - rest)));
}

bool address_in_prefix(const u8 address[16], const struct rtattr *attribute, u32 bits)
{
	u8 prefix[16];

	attribute_copy(attribute, prefix, sizeof(prefix));
	return same_prefix(prefix, address, MIN(bits, 128u));
}

/* Routes of a table */

struct search {
	const struct flow *flow;
	bool found;
	u8 source_prefix, tos;
	u32 score; /* of equals */
	struct route best;
};

/* Longer prefixes first, then by what the families keep their routes sorted by. */
static bool is_better(const struct search *search, const struct rtmsg *message, u32 metric,
		      u32 score)
{
	if (!search->found)
		return true;
	if (message->rtm_dst_len != search->best.prefix)
		return message->rtm_dst_len > search->best.prefix;
	if (message->rtm_src_len != search->source_prefix)
		return message->rtm_src_len > search->source_prefix;
	if (message->rtm_tos != search->tos)
		return message->rtm_tos > search->tos;
	if (metric != search->best.metric)
		return metric < search->best.metric;
	return score > search->score;
}

/* Next hops: of one, the attributes are the route's. */

struct hop {
	u32 oif;
	const struct rtattr *gateway, *via, *encapsulation;
};

static struct hop hop_of(u32 oif, const struct rtattr *const *attributes)
{
	return (struct hop){.oif = oif,
			    .gateway = attributes[RTA_GATEWAY],
			    .via = attributes[RTA_VIA],
			    .encapsulation = attributes[RTA_ENCAP_TYPE]};
}

/* IPv6 prefers an interface, IPv4 insists on it. */
static bool can_leave(const struct flow *flow, u32 oif, u32 flags)
{
	return !(flags & RTNH_F_DEAD) &&
	       (flow->family == AF_INET6 || !flow->oif || flow->oif == oif);
}

/* The one of several that is left after those before it have taken their weights off the number. */
static bool hop_at(const struct flow *flow, const struct rtattr *several, u32 *number,
		   struct hop *hop)
{
	const struct rtattr *attributes[RTA_MAX + 1];
	const struct rtnexthop *next = RTA_DATA(several);
	s64 left = (s64)RTA_PAYLOAD(several);

	for (; left >= (s64)sizeof(*next) && RTNH_OK(next, left);
	     left -= RTNH_ALIGN(next->rtnh_len), next = RTNH_NEXT(next)) {
		if (!can_leave(flow, (u32)next->rtnh_ifindex, next->rtnh_flags))
			continue;
		if (*number <= next->rtnh_hops) {
			netlink_sort(RTNH_DATA(next), next->rtnh_len - (s64)RTNH_LENGTH(0),
				     attributes, ARRAY_SIZE(attributes));
			*hop = hop_of((u32)next->rtnh_ifindex, attributes);
			return true;
		}
		*number -= next->rtnh_hops + 1u;
	}
	return false;
}

static u32 flow_hash(const struct flow *flow)
{
	return (u32)hash_bytes(flow->src, sizeof(flow->src) + sizeof(flow->dst), flow->dport);
}

static bool choose_hop(const struct flow *flow, const struct rtmsg *message,
		       const struct rtattr *const *attributes, struct hop *hop)
{
	u32 left = UINT32_MAX, number = 0;

	if (!attributes[RTA_MULTIPATH]) {
		*hop = hop_of(attribute_u32(attributes[RTA_OIF]), attributes);
		/* IPv4 routes that refuse have no interface. */
		return !hop->oif || can_leave(flow, hop->oif, message->rtm_flags);
	}
	hop_at(flow, attributes[RTA_MULTIPATH], &left, hop);
	if (left != UINT32_MAX && !flow->oif)
		number = flow_hash(flow) % (UINT32_MAX - left);
	return hop_at(flow, attributes[RTA_MULTIPATH], &number, hop);
}

static u32 locked_mtu(const struct rtattr *attribute)
{
	const struct rtattr *metrics[RTAX_MAX + 1];

	netlink_nested(attribute, metrics, ARRAY_SIZE(metrics));
	return attribute_u32(metrics[RTAX_LOCK]) & 1u << RTAX_MTU ? attribute_u32(metrics[RTAX_MTU])
								    : 0;
}

static void take_hop(struct route *route, u8 family, const struct hop *hop)
{
	const struct rtvia *via = hop->via ? RTA_DATA(hop->via) : NULL;

	route->oif = hop->oif;
	route->encapsulates = hop->encapsulation;
	route->gateway_family = hop->gateway ? family : via ? (u8)via->rtvia_family : 0;
	attribute_copy(hop->gateway, route->gateway, sizeof(route->gateway));
	if (via)
		memcpy(route->gateway, via->rtvia_addr,
		       MIN(RTA_PAYLOAD(hop->via) - sizeof(*via), sizeof(route->gateway)));
}

static void take_route(struct search *search, const struct rtmsg *message,
		       const struct rtattr *const *attributes, const struct hop *hop, u32 score)
{
	struct route *route = &search->best;

	search->found = true;
	search->source_prefix = message->rtm_src_len;
	search->tos = message->rtm_tos;
	search->score = score;
	*route = (struct route){
		.type = message->rtm_type,
		.prefix = message->rtm_dst_len,
		.has_source = attributes[RTA_PREFSRC],
		.metric = attribute_u32(attributes[RTA_PRIORITY]),
		.locked_mtu = locked_mtu(attributes[RTA_METRICS]),
	};
	attribute_copy(attributes[RTA_PREFSRC], route->source, sizeof(route->source));
	take_hop(route, message->rtm_family, hop);
}

/* IPv6 prefers routers that say so of themselves, then the flow's interface. */
static u32 score_of(const struct flow *flow, const struct rtattr *preference, u32 oif)
{
	u8 said = 0;

	if (flow->family == AF_INET)
		return 0;
	attribute_copy(preference, &said, sizeof(said));
	return (said ^ 2u) << 1 | (flow->oif ? oif == flow->oif : oif == flow->iif);
}

static int read_route(const struct nlmsghdr *header, void *data)
{
	const struct rtmsg *message = NLMSG_DATA(header);
	const struct rtattr *attributes[RTA_MAX + 1];
	struct search *search = data;
	const struct flow *flow = search->flow;
	struct hop hop;
	u32 score;

	netlink_attributes(header, sizeof(*message), attributes, ARRAY_SIZE(attributes));
	if (message->rtm_flags & RTM_F_CLONED ||
	    (message->rtm_tos && message->rtm_tos != flow->tos) ||
	    !address_in_prefix(flow->dst, attributes[RTA_DST], message->rtm_dst_len) ||
	    !address_in_prefix(flow->src, attributes[RTA_SRC], message->rtm_src_len) ||
	    !choose_hop(flow, message, attributes, &hop))
		return 0;
	score = score_of(flow, attributes[RTA_PREF], hop.oif);
	if (is_better(search, message, attribute_u32(attributes[RTA_PRIORITY]), score))
		take_route(search, message, attributes, &hop, score);
	return 0;
}

int route_in_table(const struct flow *flow, u32 table, struct route *route)
{
	const struct rtmsg message = {.rtm_family = flow->family};
	struct search search = {.flow = flow};
	struct netlink_request request;
	int err;

	netlink_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &message, sizeof(message));
	netlink_put(&request, RTA_TABLE, &table, sizeof(table));
	err = netlink_ask(NETLINK_ROUTE, &request, read_route, &search);
	if (err && err != -ENOENT) /* there is no such table */
		return err;
	*route = search.best;
	return search.found ? 0 : -ESRCH;
}

/* Sources and neighbours */

static int read_source(const struct nlmsghdr *message, void *data)
{
	const struct rtattr *attributes[RTA_MAX + 1];

	netlink_attributes(message, sizeof(struct rtmsg), attributes, ARRAY_SIZE(attributes));
	if (!attributes[RTA_PREFSRC])
		return -EADDRNOTAVAIL;
	attribute_copy(attributes[RTA_PREFSRC], data, 16);
	return 0;
}

int route_source(const struct flow *flow, u8 source[16])
{
	const u32 bytes = address_bytes(flow->family);
	const struct rtmsg message = {.rtm_family = flow->family, .rtm_dst_len = (u8)(8 * bytes)};
	struct netlink_request request;

	netlink_begin(&request, RTM_GETROUTE, 0, &message, sizeof(message));
	netlink_put(&request, RTA_DST, flow->dst, bytes);
	netlink_put(&request, RTA_OIF, &flow->oif, sizeof(flow->oif));
	return netlink_ask(NETLINK_ROUTE, &request, read_source, source);
}

#define VALID_STATES                                                                               \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static int read_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *neighbour = NLMSG_DATA(message);
	const struct rtattr *attributes[NDA_LLADDR + 1];

	netlink_attributes(message, sizeof(*neighbour), attributes, ARRAY_SIZE(attributes));
	attribute_copy(attributes[NDA_LLADDR], data, 6);
	return neighbour->ndm_state & VALID_STATES ? 0 : -ENOENT;
}

int route_neighbour(u8 family, const u8 address[16], u32 ifindex, u8 link_address[6])
{
	const struct ndmsg neighbour = {.ndm_family = family, .ndm_ifindex = (int)ifindex};
	struct netlink_request request;

	netlink_begin(&request, RTM_GETNEIGH, 0, &neighbour, sizeof(neighbour));
	netlink_put(&request, NDA_DST, address, address_bytes(family));
	return netlink_ask(NETLINK_ROUTE, &request, read_neighbour, link_address);
}
