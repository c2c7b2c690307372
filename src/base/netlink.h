/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * netlink.h: questions to the host's network stack, in the network namespace of the calling thread.
 * Only such as need no privilege. Knows no protocol's messages.
 */
#ifndef BASE_NETLINK_H
#define BASE_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/compiler.h"

struct netlink_request {
	struct nlmsghdr header;
	u8 body[256];
};

/* What a reader is called with is one message; what it returns other than 0 ends the answer. */
typedef int (*netlink_reader)(const struct nlmsghdr *message, void *data);

/* A request of this type with its fixed part; NLM_F_REQUEST is implied. */
void netlink_begin(struct netlink_request *request, u16 type, u16 flags, const void *body,
		   u32 size);
/* A further attribute. */
void netlink_put(struct netlink_request *request, u16 type, const void *value, u32 size);
/* What the reader returned, or how the host ended the answer: 0, or -errno. */
must_check int netlink_ask(int protocol, const struct netlink_request *request,
			   netlink_reader reader, void *data);

/* Sorts attributes into a table by type; types from count on are dropped. */
void netlink_sort(const struct rtattr *attribute, s64 bytes, const struct rtattr **table,
		  u32 count);
/* Those behind a fixed part of that size. */
void netlink_attributes(const struct nlmsghdr *message, u32 fixed, const struct rtattr **table,
			u32 count);
/* Those in another one; NULL: none. */
void netlink_nested(const struct rtattr *attribute, const struct rtattr **table, u32 count);

/* What is not there, or where it is too short, is 0. */
static inline u32 attribute_u32(const struct rtattr *attribute)
{
	return attribute && RTA_PAYLOAD(attribute) >= sizeof(u32) ? *(const u32 *)RTA_DATA(attribute)
								   : 0;
}
void attribute_copy(const struct rtattr *attribute, void *to, u32 size);

#endif
