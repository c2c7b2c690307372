/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * realm_cases.h: for unit tests whose cases have a realm each. The realm of a process is chosen
 * once, so what a case does is done in a child of its own: with CHECK(), not with assertions.
 */
#ifndef TESTS_UNIT_REALM_CASES_H
#define TESTS_UNIT_REALM_CASES_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/bpf.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SKIPPED 77 /* exit status of a child that cannot do it */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition);          \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* Does it in a child. */
#define IN_CHILD(call)                                                                             \
	do {                                                                                       \
		const pid_t child_ = fork();                                                       \
                                                                                                   \
		if (!child_) {                                                                     \
			call;                                                                      \
			_exit(0);                                                                  \
		}                                                                                  \
		child_is_well(child_);                                                             \
	} while (0)

static inline void child_is_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

static char base[64];  /* USERBPF_DIR of the case */
static char realm[96]; /* the realm in it that is opened without a name */

static int set_up(void **state)
{
	(void)state;
	strcpy(base, "/dev/shm/userbpf-test-case-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(realm, sizeof(realm), "%s/default", base);
	unsetenv("USERBPF_REALM");
	return setenv("USERBPF_DIR", base, 1);
}

static inline int remove_path(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(base, remove_path, 16, FTW_DEPTH | FTW_PHYS);
}

static inline long call(int cmd, union bpf_attr *attr)
{
	return bpf_call(cmd, PTR_U64(attr), sizeof(*attr));
}

#endif
