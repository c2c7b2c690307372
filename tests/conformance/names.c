/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * names.c: what the values of NAMES types name outside of bpf(2): an interface, the length of a
 * CPU's queue, a socket, a cgroup. Owns the descriptors, which have the same numbers on both sides.
 * Sockets are made anew for each map, since the kernel's may be in one REUSEPORT_SOCKARRAY only.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "../maps/cgroup_test.h"
#include "conformance.h"

#define LOOPBACK 1u
#define NAMES_AT 920 /* where the descriptors begin */

enum { NOTHING = NAMES_GOOD, NO_SUCH, OF_OTHER_KIND, NOT_READY, LARGEST };

static bool made[NR_NAMES];

/* On a port that the kernel chooses: of the kind that all types take. */
static int bound(int kind)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, kind, 0), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (kind == SOCK_STREAM && listen(fd, 1)))
		perror("conformance: a socket");
	return fd;
}

static int open_socket(const struct type *type, uint32_t number)
{
	if (number == OF_OTHER_KIND)
		return socket(AF_UNIX, SOCK_STREAM, 0);
	if (type->id == BPF_MAP_TYPE_XSKMAP)
		return socket(AF_XDP, SOCK_RAW, 0);
	if (number == NOT_READY)
		return socket(AF_INET, SOCK_STREAM, 0);
	return bound(number % 2 ? SOCK_DGRAM : SOCK_STREAM);
}

static uint32_t descriptor(const struct type *type, uint32_t number)
{
	int fd;

	if (number == NO_SUCH)
		return 999;
	if (number == LARGEST)
		return 0xffffffff;
	if (!made[number]) {
		fd = type->traits & SOCKETS ? open_socket(type, number)
		     : number < NAMES_GOOD  ? cgroup_root()
					    : socket(AF_UNIX, SOCK_STREAM, 0);
		made[number] = dup2(fd, NAMES_AT + (int)number) >= 0;
		close(fd);
	}
	return NAMES_AT + number;
}

uint32_t name_of(const struct type *type, uint32_t number)
{
	static const uint32_t no_interfaces[] = {0, 999999, 0x7fffffff, 0x80000000, 0xffffffff};
	static const uint32_t lengths[] = {0, 16384, 16385, 0x80000000, 0xffffffff};

	if (type->traits & SOCKETS || !(type->traits & REDIRECTS))
		return descriptor(type, number);
	if (type->traits & OPAQUE)
		return number < NAMES_GOOD ? 8 * number + 8 : lengths[number - NAMES_GOOD];
	return number < NAMES_GOOD ? LOOPBACK : no_interfaces[number - NAMES_GOOD];
}

void names_renew(void)
{
	for (int i = 0; i < (int)NR_NAMES; i++)
		if (made[i])
			close(NAMES_AT + i);
	memset(made, 0, sizeof(made));
}

void name_hide(const struct type *type, uint8_t *value)
{
	for (uint64_t i = 0; type->traits & SOCKETS && i < NR_NAMES; i++) {
		uint64_t cookie;
		socklen_t size = sizeof(cookie);

		if (made[i] &&
		    !getsockopt(NAMES_AT + (int)i, SOL_SOCKET, SO_COOKIE, &cookie, &size) &&
		    !memcmp(value, &cookie, sizeof(cookie))) {
			memcpy(value, &i, sizeof(i));
			return;
		}
	}
}

bool names_exist(const struct type *type)
{
	const bool cgroups = type->id == MAP_TYPE_CGRP_STORAGE ||
			     (type->traits & NAMES && !(type->traits & (SOCKETS | REDIRECTS)));
	int fd;

	if (type->traits & TABLE)
		return table()->type;
	if (!cgroups && type->id != BPF_MAP_TYPE_XSKMAP)
		return true;
	fd = cgroups ? cgroup_root() : socket(AF_XDP, SOCK_RAW, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
