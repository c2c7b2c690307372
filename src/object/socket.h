/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * socket.h: which socket of the host a descriptor names, whether it is still there, and the states
 * that maps of sockets ask for. Knows no map. Nothing here keeps a socket alive.
 */
#ifndef OBJECT_SOCKET_H
#define OBJECT_SOCKET_H

#include "base/compiler.h"

/* The same in all processes; a cookie never comes again. */
struct socket_id {
	u64 cookie;
	u64 netns; /* the cookie of its network namespace; 0: not known */
	u16 family;
	u16 type;
	u16 protocol;
	u16 unused;
};

/* 0; -EBADF: not open; -ENOTSOCK. */
must_check int socket_from_fd(int fd, struct socket_id *socket);
/*
 * True if the host says that nobody has it open, or that its connection has ended. It tells only of
 * TCP, UDP and Unix sockets in the network namespace of the calling thread; a question takes time
 * in proportion to the sockets there.
 */
bool socket_is_gone(const struct socket_id *socket);

/* Connected or listening TCP, bound UDP, a connected Unix stream, Unix datagrams. */
bool socket_can_be_redirected(int fd, const struct socket_id *socket);
/* May SO_REUSEPORT choose it? 0; -ENOTSUPP: another protocol; -EINVAL: another state. */
must_check int socket_check_reuseport(int fd, const struct socket_id *socket);

/* The ends of a connection, in network order; IPv4's addresses are the first 4 bytes. */
struct socket_ends {
	u8 local[16], remote[16];
	u16 local_port, remote_port;
};

struct socket_found {
	u64 cookie;
	struct socket_ends ends; /* of the socket: 0 where it is not bound or connected */
	u32 ifindex;             /* that it is bound to; 0: none */
	u32 mark;                /* 0 to those whom the host does not tell it */
	u32 priority;
	u8 family;
	u8 state;                /* TCP_* */
	bool waits;              /* what is left of it is TIME_WAIT */
	bool is_request;         /* a connection that its listener has not got yet */
};

/*
 * The TCP or UDP socket of the calling thread's network namespace that gets what arrives on that
 * interface between these ends. 0; -ENOENT; or why the host cannot be asked.
 */
must_check int socket_find(const struct socket_ends *ends, u8 family, u8 protocol, u32 ifindex,
			   struct socket_found *found);

#endif
