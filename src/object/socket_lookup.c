/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * socket_lookup.c: finds the socket that a packet would be received by. sock_diag answers to one
 * address with what the host's own lookup finds, listeners and groups included.
 */
#include <endian.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netlink.h"
#include "object/socket.h"

#define TIMER_TIME_WAIT 3 /* idiag_timer */

static void take_ends(struct socket_found *found, const struct inet_diag_sockid *id)
{
	found->cookie = id->idiag_cookie[0] | (u64)id->idiag_cookie[1] << 32;
	found->ifindex = id->idiag_if;
	found->ends.local_port = id->idiag_sport;
	found->ends.remote_port = id->idiag_dport;
	memcpy(found->ends.local, id->idiag_src, sizeof(found->ends.local));
	memcpy(found->ends.remote, id->idiag_dst, sizeof(found->ends.remote));
}

static int read_socket(const struct nlmsghdr *message, void *data)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(message);
	const struct rtattr *attributes[INET_DIAG_MAX + 1];
	struct socket_found *found = data;

	netlink_attributes(message, sizeof(*socket), attributes, ARRAY_SIZE(attributes));
	take_ends(found, &socket->id);
	found->family = socket->idiag_family;
	found->state = socket->idiag_state;
	found->waits = socket->idiag_timer == TIMER_TIME_WAIT;
	found->is_request = socket->idiag_state == TCP_SYN_RECV && !socket->idiag_inode;
	found->mark = attribute_u32(attributes[INET_DIAG_MARK]);
	found->priority = attribute_u32(attributes[INET_DIAG_CLASS_ID]);
	return 0;
}

int socket_find(const struct socket_ends *ends, u8 family, u8 protocol, u32 ifindex,
		struct socket_found *found)
{
	const bool udp = protocol == IPPROTO_UDP;
	struct inet_diag_req_v2 ask = {
		.sdiag_family = family,
		.sdiag_protocol = protocol,
		.idiag_ext = 1 << (INET_DIAG_TCLASS - 1),
		.idiag_states = UINT32_MAX,
		.id = {.idiag_if = ifindex, .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
	};
	struct netlink_request request;

	/* In requests for UDP the remote end is the source. */
	ask.id.idiag_sport = udp ? ends->remote_port : ends->local_port;
	ask.id.idiag_dport = udp ? ends->local_port : ends->remote_port;
	memcpy(ask.id.idiag_src, udp ? ends->remote : ends->local, sizeof(ends->local));
	memcpy(ask.id.idiag_dst, udp ? ends->local : ends->remote, sizeof(ends->local));
	netlink_begin(&request, SOCK_DIAG_BY_FAMILY, 0, &ask, sizeof(ask));
	memset(found, 0, sizeof(*found));
	return netlink_ask(NETLINK_SOCK_DIAG, &request, read_socket, found);
}
