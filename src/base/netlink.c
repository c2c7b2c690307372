/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * netlink.c: one question, one socket: what is left of an answer that nobody wants goes with it.
 */
#include "base/netlink.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "base/syscall.h"

#define ANSWER_BYTES 32768u /* the most that the kernel puts into a part of an answer */
#define MORE INT_MIN        /* parts follow; no result of a reader */

void netlink_begin(struct netlink_request *request, u16 type, u16 flags, const void *body, u32 size)
{
	memset(request, 0, sizeof(*request));
	request->header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(size),
					    .nlmsg_type = type,
					    .nlmsg_flags = NLM_F_REQUEST | flags};
	memcpy(request->body, body, size);
}

void netlink_put(struct netlink_request *request, u16 type, const void *value, u32 size)
{
	struct rtattr *attribute =
		(void *)((u8 *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (u16)RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), value, size);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_LENGTH(size);
}

static int read_part(const struct nlmsghdr *message, long length, netlink_reader reader, void *data)
{
	int ret;

	for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return *(const int *)NLMSG_DATA(message);
		ret = reader(message, data);
		if (ret || !(message->nlmsg_flags & NLM_F_MULTI))
			return ret;
	}
	return MORE;
}

static int read_answer(int fd, netlink_reader reader, void *data)
{
	void *buffer = memory_alloc(ANSWER_BYTES);
	int ret = buffer ? MORE : -ENOMEM;
	long length;

	while (ret == MORE) {
		length = SYSCALL(SYS_recvfrom, fd, buffer, ANSWER_BYTES, 0, NULL, NULL);
		ret = length <= 0 ? (int)length : read_part(buffer, length, reader, data);
	}
	memory_free(buffer);
	return ret;
}

int netlink_ask(int protocol, const struct netlink_request *request, netlink_reader reader,
		void *data)
{
	const int strict = 1; /* filters in requests for lists are meant; Linux 4.20 */
	int fd = (int)SYSCALL(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
	long ret = fd;

	if (fd < 0)
		return fd;
	SYSCALL(SYS_setsockopt, fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
	ret = SYSCALL(SYS_sendto, fd, request, request->header.nlmsg_len, 0, NULL, 0);
	if (ret > 0)
		ret = read_answer(fd, reader, data);
	sys_close(fd);
	return (int)ret;
}

void netlink_sort(const struct rtattr *attribute, s64 bytes, const struct rtattr **table, u32 count)
{
	memset(table, 0, count * sizeof(*table));
	for (; RTA_OK(attribute, bytes); attribute = RTA_NEXT(attribute, bytes))
		if ((attribute->rta_type & NLA_TYPE_MASK) < count)
			table[attribute->rta_type & NLA_TYPE_MASK] = attribute;
}

void netlink_attributes(const struct nlmsghdr *message, u32 fixed, const struct rtattr **table,
			u32 count)
{
	netlink_sort((const void *)((const u8 *)NLMSG_DATA(message) + NLMSG_ALIGN(fixed)),
		     (s64)message->nlmsg_len - NLMSG_SPACE(fixed), table, count);
}

void netlink_nested(const struct rtattr *attribute, const struct rtattr **table, u32 count)
{
	netlink_sort(attribute ? RTA_DATA(attribute) : NULL,
		     attribute ? (s64)RTA_PAYLOAD(attribute) : 0, table, count);
}

void attribute_copy(const struct rtattr *attribute, void *to, u32 size)
{
	u32 have = attribute ? (u32)RTA_PAYLOAD(attribute) : 0;

	memset(to, 0, size);
	if (have)
		memcpy(to, RTA_DATA(attribute), MIN(have, size));
}
