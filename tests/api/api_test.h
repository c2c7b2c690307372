/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * api_test.h: what the tests of the C library share: a directory for realms of their own. Such a
 * test is an ordinary user of <userbpf/userbpf.h>.
 */
#ifndef TESTS_API_API_TEST_H
#define TESTS_API_API_TEST_H

#include "bpf_test.h"

#include <userbpf/userbpf.h>

static char realm_directory[] = "/dev/shm/userbpf-test-XXXXXX";

/* Runs the tests in that directory and removes it; what main() returns. */
#define run_in_directory(tests)                                                                    \
	({                                                                                         \
		char command_[64];                                                                 \
		int failed_ = 1;                                                                   \
                                                                                                   \
		if (mkdtemp(realm_directory) && !setenv("USERBPF_DIR", realm_directory, 1)) {      \
			unsetenv("USERBPF_REALM");                                                 \
			failed_ = run_tests(tests);                                                \
			snprintf(command_, sizeof(command_), "rm -rf %s", realm_directory);        \
			failed_ |= system(command_);                                               \
		}                                                                                  \
		failed_;                                                                           \
	})

static inline struct userbpf_map *create_map(uint32_t type, uint32_t key_size, uint32_t value_size,
					     uint32_t max_entries, uint32_t flags)
{
	const struct userbpf_map_opts opts = {
		.size = sizeof(opts),
		.type = type,
		.key_size = key_size,
		.value_size = value_size,
		.max_entries = max_entries,
		.flags = flags,
	};
	struct userbpf_map *map;

	assert_int_equal(userbpf_map_create(&opts, &map), 0);
	assert_non_null(map);
	return map;
}

#endif
