/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * socket.c: asks the host about sockets: by getsockopt(2) about one that is open here, by sock_diag
 * about one that another process may have. No privilege is needed for either.
 */
#include "object/socket.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/netlink.h"
#include "base/syscall.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int get_option(int fd, int level, int name, void *value, socklen_t size)
{
	memset(value, 0, size);
	return (int)SYSCALL(SYS_getsockopt, fd, level, name, value, &size);
}

static int int_option(int fd, int name)
{
	int value;

	return get_option(fd, SOL_SOCKET, name, &value, sizeof(value)) ? 0 : value;
}

static u64 netns_of(int fd)
{
	u64 cookie;

	return get_option(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, sizeof(cookie)) ? 0 : cookie;
}

int socket_from_fd(int fd, struct socket_id *socket)
{
	int err;

	memset(socket, 0, sizeof(*socket));
	err = get_option(fd, SOL_SOCKET, SO_COOKIE, &socket->cookie, sizeof(socket->cookie));
	if (err)
		return err;
	socket->netns = netns_of(fd);
	socket->family = (u16)int_option(fd, SO_DOMAIN);
	socket->type = (u16)int_option(fd, SO_TYPE);
	socket->protocol = (u16)int_option(fd, SO_PROTOCOL);
	return 0;
}

/* Is it still there? */

static void begin_request(struct netlink_request *request, const struct socket_id *socket)
{
	const struct unix_diag_req local = {.sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX};
	const struct inet_diag_req_v2 inet = {.sdiag_family = (u8)socket->family,
					      .sdiag_protocol = (u8)socket->protocol,
					      .idiag_states = UINT32_MAX};

	if (socket->family == AF_UNIX)
		netlink_begin(request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &local, sizeof(local));
	else
		netlink_begin(request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &inet, sizeof(inet));
}

/* 1: it is the socket. One that a process has open has an inode. */
static int is_meant(const struct nlmsghdr *message, void *data)
{
	const struct socket_id *socket = data;
	const struct inet_diag_msg *inet = NLMSG_DATA(message);
	const struct unix_diag_msg *unix_ = NLMSG_DATA(message);
	const bool is_unix = socket->family == AF_UNIX;
	const u32 *cookie = is_unix ? unix_->udiag_cookie : inet->id.idiag_cookie;

	return message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)) &&
	       (u32)socket->cookie == cookie[0] && socket->cookie >> 32 == cookie[1] &&
	       (is_unix || inet->idiag_inode);
}

static bool host_tells_of(const struct socket_id *socket)
{
	if (socket->family == AF_UNIX)
		return true;
	return (socket->family == AF_INET || socket->family == AF_INET6) &&
	       (socket->protocol == IPPROTO_TCP || socket->protocol == IPPROTO_UDP);
}

static bool is_in_this_netns(const struct socket_id *socket)
{
	int fd = (int)SYSCALL(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool same;

	if (fd < 0)
		return false;
	same = netns_of(fd) == socket->netns;
	sys_close(fd);
	return same;
}

bool socket_is_gone(const struct socket_id *socket)
{
	struct socket_id copy = *socket;
	struct netlink_request request;

	if (!host_tells_of(socket) || !socket->netns || !is_in_this_netns(socket))
		return false;
	begin_request(&request, socket);
	return netlink_ask(NETLINK_SOCK_DIAG, &request, is_meant, &copy) == 0;
}

/* States */

static u8 tcp_state(int fd)
{
	struct tcp_info info;

	return get_option(fd, IPPROTO_TCP, TCP_INFO, &info, sizeof(info)) ? TCP_CLOSE
									   : info.tcpi_state;
}

static bool has_port(int fd)
{
	struct sockaddr_in6 address = {0}; /* the port is where it is in sockaddr_in, too */
	socklen_t size = sizeof(address);

	return !SYSCALL(SYS_getsockname, fd, &address, &size) && address.sin6_port;
}

static bool has_peer(int fd)
{
	struct sockaddr_un address;
	socklen_t size = sizeof(address);

	return !SYSCALL(SYS_getpeername, fd, &address, &size);
}

static bool is_inet(const struct socket_id *socket)
{
	return socket->family == AF_INET || socket->family == AF_INET6;
}

bool socket_can_be_redirected(int fd, const struct socket_id *socket)
{
	if (socket->family == AF_UNIX)
		return socket->type == SOCK_DGRAM ||
		       (socket->type == SOCK_STREAM && has_peer(fd));
	if (is_inet(socket) && socket->protocol == IPPROTO_TCP)
		return tcp_state(fd) == TCP_ESTABLISHED || tcp_state(fd) == TCP_LISTEN;
	return is_inet(socket) && socket->protocol == IPPROTO_UDP && has_port(fd);
}

int socket_check_reuseport(int fd, const struct socket_id *socket)
{
	const bool tcp = socket->protocol == IPPROTO_TCP;

	if (!is_inet(socket) || (!tcp && socket->protocol != IPPROTO_UDP) ||
	    (socket->type != SOCK_STREAM && socket->type != SOCK_DGRAM))
		return -ENOTSUPP;
	if (!int_option(fd, SO_REUSEPORT))
		return -EINVAL;
	return (tcp ? tcp_state(fd) == TCP_LISTEN : has_port(fd)) ? 0 : -EINVAL;
}
