/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cgroup_test.h: the cgroup that tests of maps with cgroups make for themselves.
 */
#ifndef TESTS_MAPS_CGROUP_TEST_H
#define TESTS_MAPS_CGROUP_TEST_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Of a cgroup that this process makes. */
static inline const char *cgroup_name(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "userbpf-test-%d", (int)getpid());
	return name;
}

static inline int cgroup_root(void)
{
	int fd = open("/sys/fs/cgroup/cgroup.procs", O_RDONLY);

	if (fd < 0)
		return open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY);
	close(fd);
	return open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
}

#endif
