/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * route.h: where the host would forward a packet: its rules, routes and neighbours, in the network
 * namespace of the calling thread. The host is asked for its tables, not for a decision, since the
 * decisions that it tells are those for packets that it sends or has received.
 */
#ifndef BASE_ROUTE_H
#define BASE_ROUTE_H

#include "base/compiler.h"

struct rtattr;

/* Addresses are in network order, IPv4's the first 4 bytes. */
struct flow {
	u8 family;
	u8 protocol; /* 0: not known; then neither are ports */
	u8 tos;      /* without the bits for ECN */
	bool by_source; /* the source address is known */
	u16 sport, dport;
	u32 iif, oif;
	u32 mark;
	u8 src[16], dst[16];
};

struct route {
	u8 type;        /* RTN_* */
	u8 prefix;      /* bits of the destination that it says */
	u8 gateway_family; /* 0: none */
	bool encapsulates;
	bool has_source;
	u32 oif;
	u32 metric;
	u32 locked_mtu; /* 0: that of the interface */
	u8 gateway[16];
	u8 source[16];  /* to prefer */
};

/*
 * By a table, or by the rules. 0; -ESRCH: no route; what a rule says instead of a route: -EACCES,
 * -EINVAL, -ENETUNREACH; or why the host cannot be asked. Rules that select by VRF, tunnel, flow
 * label or masks of ports match nothing; of several next hops one is chosen by the flow.
 */
must_check int route_in_table(const struct flow *flow, u32 table, struct route *route);
must_check int route_by_rules(const struct flow *flow, struct route *route);
/* Is the address in a prefix of that many bits? No attribute: the address 0. */
bool address_in_prefix(const u8 address[16], const struct rtattr *attribute, u32 bits);

/* The source address that the host takes for the flow if it leaves by flow->oif; -errno. */
must_check int route_source(const struct flow *flow, u8 source[16]);
/* The link layer address of a valid neighbour; -ENOENT. */
must_check int route_neighbour(u8 family, const u8 address[16], u32 ifindex, u8 link_address[6]);

#endif
