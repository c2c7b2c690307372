/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * route_rules.c: which of the host's routing tables decides about a flow. Knows no route.
 */
#include <endian.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <sys/socket.h>

#include "base/interface.h"
#include "base/netlink.h"
#include "base/route.h"

/* FRA_DSCP and what follows it, up to 6.18. */
enum { RULE_DSCP = 25, RULE_FLOW_LABEL, RULE_FLOW_LABEL_MASK, RULE_SPORT_MASK, RULE_DPORT_MASK,
       RULE_DSCP_MASK, RULE_ATTRIBUTES };

struct walk {
	const struct flow *flow;
	struct route *route;
	u32 skip_to; /* the priority of the rule to go on with */
};

/* Attributes that narrow a rule down by what a flow here does not have. */
static bool is_beyond_us(const struct rtattr *const *a)
{
	static const u8 beyond[] = {FRA_TUN_ID, FRA_L3MDEV, RULE_FLOW_LABEL, RULE_SPORT_MASK,
				    RULE_DPORT_MASK, RULE_DSCP_MASK};

	for (u32 i = 0; i < ARRAY_SIZE(beyond); i++)
		if (a[beyond[i]])
			return true;
	return false;
}

static bool is_interface(const struct rtattr *name, u32 ifindex)
{
	return !name || interface_index(RTA_DATA(name)) == ifindex;
}

static bool has_port(const struct rtattr *attribute, u16 port)
{
	struct fib_rule_port_range range;

	attribute_copy(attribute, &range, sizeof(range));
	return !attribute || (be16toh(port) >= range.start && be16toh(port) <= range.end);
}

static bool has_bytes(const struct flow *flow, const struct fib_rule_hdr *rule,
		      const struct rtattr *const *a)
{
	u8 dscp = 0, protocol = 0;

	attribute_copy(a[RULE_DSCP], &dscp, sizeof(dscp));
	attribute_copy(a[FRA_IP_PROTO], &protocol, sizeof(protocol));
	return (!rule->tos || rule->tos == flow->tos) &&
	       (!a[RULE_DSCP] || dscp == flow->tos >> 2) &&
	       (!protocol || protocol == flow->protocol);
}

/* Packets that are forwarded are root's. */
static bool is_of_root(const struct rtattr *users)
{
	return attribute_u32(users) == 0; /* the first one of a range */
}

static bool matches(const struct flow *flow, const struct fib_rule_hdr *rule,
		    const struct rtattr *const *a)
{
	const u32 mark = attribute_u32(a[FRA_FWMARK]);

	if (is_beyond_us(a))
		return false;
	return (is_interface(a[FRA_IIFNAME], flow->iif) && is_interface(a[FRA_OIFNAME], flow->oif) &&
		!((mark ^ flow->mark) & attribute_u32(a[FRA_FWMASK])) &&
		address_in_prefix(flow->dst, a[FRA_DST], rule->dst_len) &&
		(!rule->src_len || (flow->by_source &&
				    address_in_prefix(flow->src, a[FRA_SRC], rule->src_len))) &&
		has_bytes(flow, rule, a) && has_port(a[FRA_SPORT_RANGE], flow->sport) &&
		has_port(a[FRA_DPORT_RANGE], flow->dport) && is_of_root(a[FRA_UID_RANGE])) !=
	       !!(rule->flags & FIB_RULE_INVERT);
}

/* 1: decided, there is a route; 0: ask the next rule. */
static int ask_table(struct walk *walk, const struct fib_rule_hdr *rule,
		     const struct rtattr *const *a)
{
	const u32 table = a[FRA_TABLE] ? attribute_u32(a[FRA_TABLE]) : rule->table;
	const struct rtattr *suppress = a[FRA_SUPPRESS_PREFIXLEN];
	int err = route_in_table(walk->flow, table, walk->route);

	if (err == -ESRCH ||
	    (!err && (walk->route->type == RTN_THROW && walk->flow->family == AF_INET)))
		return 0;
	if (!err && suppress && walk->route->prefix <= (s32)attribute_u32(suppress))
		return 0;
	return err ? err : 1;
}

static int read_rule(const struct nlmsghdr *message, void *data)
{
	const struct fib_rule_hdr *rule = NLMSG_DATA(message);
	const struct rtattr *a[RULE_ATTRIBUTES];
	struct walk *walk = data;

	netlink_attributes(message, sizeof(*rule), a, ARRAY_SIZE(a));
	if (attribute_u32(a[FRA_PRIORITY]) < walk->skip_to || !matches(walk->flow, rule, a))
		return 0;
	switch (rule->action) {
	case FR_ACT_TO_TBL:
		return ask_table(walk, rule, a);
	case FR_ACT_GOTO:
		if (!(rule->flags & FIB_RULE_UNRESOLVED))
			walk->skip_to = attribute_u32(a[FRA_GOTO]);
		return 0;
	case FR_ACT_BLACKHOLE:
		return -EINVAL;
	case FR_ACT_UNREACHABLE:
		return -ENETUNREACH;
	case FR_ACT_PROHIBIT:
		return -EACCES;
	}
	return 0;
}

int route_by_rules(const struct flow *flow, struct route *route)
{
	const struct fib_rule_hdr rule = {.family = flow->family};
	struct walk walk = {.flow = flow, .route = route};
	struct netlink_request request;
	int ret;

	netlink_begin(&request, RTM_GETRULE, NLM_F_DUMP, &rule, sizeof(rule));
	ret = netlink_ask(NETLINK_ROUTE, &request, read_rule, &walk);
	if (ret > 0)
		return 0;
	return ret ? ret : -ESRCH;
}
