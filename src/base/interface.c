/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * interface.c: asks the host for network interfaces. Knows nothing of BPF.
 */
#include "base/interface.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netlink.h"
#include "base/syscall.h"

static bool ask(unsigned long question, struct ifreq *request)
{
	int fd = (int)SYSCALL(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool answered;

	if (fd < 0)
		return false;
	answered = SYSCALL(SYS_ioctl, fd, question, request) == 0;
	sys_close(fd);
	return answered;
}

cold bool interface_exists(u32 ifindex)
{
	struct ifreq request = {.ifr_ifindex = (int)ifindex};

	return ask(SIOCGIFNAME, &request);
}

u32 interface_index(const char *name)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	return ask(SIOCGIFINDEX, &request) ? (u32)request.ifr_ifindex : 0;
}

/* A setting of an address family, of which the host tells all in an array. */
static u32 setting(const struct rtattr *family, u32 array, u32 index)
{
	const struct rtattr *arrays[IFLA_INET6_MAX + 1];

	netlink_nested(family, arrays, ARRAY_SIZE(arrays));
	if (!arrays[array] || RTA_PAYLOAD(arrays[array]) < (index + 1) * sizeof(u32))
		return 0;
	return ((const u32 *)RTA_DATA(arrays[array]))[index];
}

static int read_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);
	const struct rtattr *attributes[IFLA_AF_SPEC + 1], *families[AF_INET6 + 1];
	struct interface *interface = data;

	netlink_attributes(message, sizeof(*link), attributes, ARRAY_SIZE(attributes));
	netlink_nested(attributes[IFLA_AF_SPEC], families, ARRAY_SIZE(families));
	*interface = (struct interface){
		.ifindex = (u32)link->ifi_index,
		.flags = link->ifi_flags,
		.mtu = attribute_u32(attributes[IFLA_MTU]),
		.mtu6 = setting(families[AF_INET6], IFLA_INET6_CONF, DEVCONF_MTU6),
		.type = link->ifi_type,
		.forwards4 = setting(families[AF_INET], IFLA_INET_CONF,
				     IPV4_DEVCONF_FORWARDING - 1),
		.forwards6 = setting(families[AF_INET6], IFLA_INET6_CONF, DEVCONF_FORWARDING),
	};
	attribute_copy(attributes[IFLA_ADDRESS], interface->address, sizeof(interface->address));
	return 0;
}

int interface_get(u32 ifindex, struct interface *interface)
{
	const struct ifinfomsg link = {.ifi_index = (int)ifindex};
	const u32 filter = RTEXT_FILTER_SKIP_STATS;
	struct netlink_request request;

	if (!ifindex || ifindex > INT32_MAX)
		return -ENODEV;
	netlink_begin(&request, RTM_GETLINK, 0, &link, sizeof(link));
	netlink_put(&request, IFLA_EXT_MASK, &filter, sizeof(filter));
	return netlink_ask(NETLINK_ROUTE, &request, read_link, interface);
}
