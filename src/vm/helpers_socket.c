/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_socket.c: helpers that find sockets of the host and look at them. What they find is a
 * copy of what the host tells, in the run's list until the program releases it: nothing keeps the
 * socket itself.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "object/socket.h"
#include "vm/helpers.h"
#include "vm/packet.h"

#define SOCKETS_MAX 64 /* at a time; the kernel would not load a program that collects more */
#define NEW_SYN_RECV 12 /* BPF_TCP_NEW_SYN_RECV */
#define IPV4_HLEN 20u
#define IPV6_HLEN 40u

struct vm_socket *vm_socket_at(const struct vm_run *run, u64 address)
{
	struct vm_socket *socket = run->open.sockets;

	while (socket && PTR_U64(&socket->seen) != address)
		socket = socket->next;
	return socket;
}

static void drop(struct vm_run *run, struct vm_socket *socket)
{
	struct vm_socket **link = &run->open.sockets;

	while (*link != socket)
		link = &(*link)->next;
	*link = socket->next;
	memory_free(socket);
	run->open.nr_sockets--;
	run->open.all--;
}

void vm_drop_sockets(struct vm_run *run)
{
	while (run->open.sockets)
		drop(run, run->open.sockets);
}

/* The ends in a tuple that lies at any address. Its size tells the family; 0: this one none. */
static u8 take_tuple(const void *from, u64 size, struct socket_ends *ends)
{
	struct bpf_sock_tuple tuple;

	memset(ends, 0, sizeof(*ends));
	if (size != sizeof(tuple.ipv4) && size != sizeof(tuple.ipv6))
		return 0;
	memcpy(&tuple, from, size);
	if (size == sizeof(tuple.ipv4)) {
		memcpy(ends->remote, &tuple.ipv4.saddr, 4);
		memcpy(ends->local, &tuple.ipv4.daddr, 4);
		ends->remote_port = tuple.ipv4.sport;
		ends->local_port = tuple.ipv4.dport;
		return AF_INET;
	}
	memcpy(ends->remote, tuple.ipv6.saddr, 16);
	memcpy(ends->local, tuple.ipv6.daddr, 16);
	ends->remote_port = tuple.ipv6.sport;
	ends->local_port = tuple.ipv6.dport;
	return AF_INET6;
}

static void show(const struct socket_found *found, u8 protocol, struct bpf_sock *seen)
{
	const struct socket_ends *ends = &found->ends;

	*seen = (struct bpf_sock){
		.bound_dev_if = found->ifindex,
		.family = found->family,
		.type = protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM,
		.protocol = protocol,
		.mark = found->mark,
		.priority = found->priority,
		.src_port = ntohs(ends->local_port),
		.dst_port = ends->remote_port,
		.state = found->waits		? TCP_TIME_WAIT
			 : found->is_request	? NEW_SYN_RECV
						: found->state,
		.rx_queue_mapping = -1,
	};
	if (found->family == AF_INET) {
		memcpy(&seen->src_ip4, ends->local, 4);
		memcpy(&seen->dst_ip4, ends->remote, 4);
	} else {
		memcpy(seen->src_ip6, ends->local, 16);
		memcpy(seen->dst_ip6, ends->remote, 16);
	}
}

static u64 acquire(struct vm_run *run, const struct socket_found *found, u8 protocol)
{
	struct vm_socket *socket;

	if (run->open.nr_sockets == SOCKETS_MAX)
		return vm_faultf(run, "%u sockets are not released", SOCKETS_MAX);
	socket = memory_alloc(sizeof(*socket));
	if (!socket)
		return 0;
	show(found, protocol, &socket->seen);
	socket->cookie = found->cookie;
	socket->is_full = !found->waits && !found->is_request;
	socket->next = run->open.sockets;
	run->open.sockets = socket;
	run->open.nr_sockets++;
	run->open.all++;
	return PTR_U64(&socket->seen);
}

/* Other network namespaces than that of the process have numbers from 0; they cannot be asked. */
static bool is_this_netns(u64 netns)
{
	return (s32)netns < 0;
}

static u64 look_up(struct vm_run *run, u64 tuple, u64 size, u8 protocol, bool full)
{
	const u32 ifindex = helper_interface(run);
	struct socket_ends ends;
	struct socket_found found;
	const u8 family = take_tuple(U64_PTR(tuple), size, &ends);

	if (!family || socket_find(&ends, family, protocol, ifindex, &found))
		return 0;
	if (full && found.is_request) { /* a listener's, which is meant */
		memset(ends.remote, 0, sizeof(ends.remote));
		ends.remote_port = 0;
		if (socket_find(&ends, family, protocol, ifindex, &found))
			return 0;
	}
	return full && found.waits ? 0 : acquire(run, &found, protocol);
}

HELPER_FN(sk_lookup_tcp)
{
	return r5 || !is_this_netns(r4) ? 0 : look_up(run, r2, r3, IPPROTO_TCP, true);
}

HELPER_FN(sk_lookup_udp)
{
	return r5 || !is_this_netns(r4) ? 0 : look_up(run, r2, r3, IPPROTO_UDP, true);
}

HELPER_FN(skc_lookup_tcp)
{
	return r5 || !is_this_netns(r4) ? 0 : look_up(run, r2, r3, IPPROTO_TCP, false);
}

HELPER_FN(sk_release)
{
	drop(run, vm_socket_at(run, r1));
	return 0;
}

/*
 * The packet of a test run has not come in by an interface. And what chooses a socket can have none
 * here but NULL, which is to choose none.
 */
HELPER_FN(sk_assign)
{
	if (run->packet)
		return HELPER_ERROR(!r2 || r3 ? EINVAL : EOPNOTSUPP);
	if (r3 & ~(u64)(BPF_SK_LOOKUP_F_REPLACE | BPF_SK_LOOKUP_F_NO_REUSEPORT))
		return HELPER_ERROR(EINVAL);
	return r2 ? HELPER_ERROR(ESOCKTNOSUPPORT) : 0;
}

HELPER_FN(sk_fullsock)
{
	const struct vm_socket *found = vm_socket_at(run, r1);

	return !found || found->is_full ? r1 : 0;
}

static bool listens(const struct vm_run *run, u64 address)
{
	const struct vm_socket *found = vm_socket_at(run, address);

	return found && found->seen.protocol == IPPROTO_TCP && found->seen.state == TCP_LISTEN;
}

HELPER_FN(get_listener_sock)
{
	return listens(run, r1) ? r1 : 0;
}

/* That of a packet in a test run is of no protocol. */
HELPER_FN(tcp_sock)
{
	const struct vm_socket *found = vm_socket_at(run, r1);

	if (!found || !found->is_full || found->seen.protocol != IPPROTO_TCP)
		return 0;
	return vm_faultf(run, "bpf_tcp_sock: the host does not tell what is in a TCP socket");
}

/*
 * SYN cookies. A listener hands them out while its queue is full; here none is, so it needs none,
 * and nobody can have got one.
 */

static u64 check_headers(u64 socket, const u8 *ip, u64 ip_bytes)
{
	const struct bpf_sock *seen = U64_PTR(socket);

	if (ip_bytes < IPV4_HLEN)
		return HELPER_ERROR(EINVAL);
	switch (ip[0] >> 4) {
	case 4:
		return HELPER_ERROR(ENOENT);
	case 6:
		return ip_bytes < IPV6_HLEN || seen->family != AF_INET6 ? HELPER_ERROR(EINVAL)
									 : HELPER_ERROR(ENOENT);
	}
	return HELPER_ERROR(EPROTONOSUPPORT);
}

HELPER_FN(tcp_check_syncookie)
{
	struct tcphdr tcp;

	if ((u32)r5 < sizeof(tcp) || !listens(run, r1))
		return HELPER_ERROR(EINVAL);
	memcpy(&tcp, U64_PTR(r4), sizeof(tcp));
	if (!tcp.ack || tcp.rst || tcp.syn)
		return HELPER_ERROR(ENOENT);
	return (u32)r3 < IPV4_HLEN ? HELPER_ERROR(EINVAL) : HELPER_ERROR(ENOENT);
}

HELPER_FN(tcp_gen_syncookie)
{
	struct tcphdr tcp;

	if ((u32)r5 < sizeof(tcp) || !listens(run, r1))
		return HELPER_ERROR(EINVAL);
	memcpy(&tcp, U64_PTR(r4), sizeof(tcp));
	if ((u32)r5 != tcp.doff * 4u || !tcp.syn || tcp.ack || tcp.fin || tcp.rst)
		return HELPER_ERROR(EINVAL);
	return check_headers(r1, U64_PTR(r2), (u32)r3);
}
