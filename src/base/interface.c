/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * interface.c: asks the host for network interfaces. Knows nothing of BPF.
 */
#include "base/interface.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/syscall.h"

cold bool interface_exists(u32 ifindex)
{
	struct ifreq request = {.ifr_ifindex = (int)ifindex};
	int fd = (int)SYSCALL(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool exists;

	if (fd < 0)
		return false;
	exists = SYSCALL(SYS_ioctl, fd, SIOCGIFNAME, &request) == 0;
	sys_close(fd);
	return exists;
}
