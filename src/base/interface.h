/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * interface.h: network interfaces of the host, in the network namespace of the calling thread.
 */
#ifndef BASE_INTERFACE_H
#define BASE_INTERFACE_H

#include "base/compiler.h"

struct interface {
	u32 ifindex;
	u32 flags; /* IFF_* */
	u32 mtu;
	u32 mtu6;  /* for IPv6 */
	u16 type;  /* ARPHRD_* */
	bool forwards4, forwards6;
	u8 address[6]; /* of the link layer; the first bytes if it is longer */
};

/* False also when the host gives no socket to ask with. */
bool interface_exists(u32 ifindex);
/* 0; -ENODEV: no such interface; or why the host cannot be asked. */
must_check int interface_get(u32 ifindex, struct interface *interface);
/* 0: there is none of this name. */
u32 interface_index(const char *name);

#endif
