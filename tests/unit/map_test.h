/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * map_test.h: what unit tests of map types share: a realm of their own, and maps made and dropped
 * through the layer's own functions.
 */
#ifndef TESTS_UNIT_MAP_TEST_H
#define TESTS_UNIT_MAP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "maps/map.h"
#include "object/realm.h"

/* A map that only the caller's use keeps. */
static inline struct map *open_map(struct map_spec *spec)
{
	struct object *object;
	int fd;

	spec->name = "test";
	fd = map_create(spec);
	assert_true(fd >= 0);
	assert_int_equal(object_from_fd(fd, OBJECT_MAP, &object, NULL), 0);
	close(fd);
	return map_of(object);
}

static inline void close_map(struct map *map)
{
	object_put(&map->object);
	object_collect();
}

/* The memory of the map that all processes share, but for the values that may be mapped. */
static inline size_t map_bytes(const struct map *map)
{
	return map->object.region.size - map->object.region.data_size - PAGE_BYTES;
}

/* A fresh directory for realms, which this process will use; NULL when there can be none. */
static inline const char *make_realm_directory(void)
{
	static char directory[] = "/dev/shm/userbpf-test-XXXXXX";

	if (!mkdtemp(directory))
		return NULL;
	setenv("USERBPF_DIR", directory, 1);
	object_register(&map_object_type);
	return directory;
}

static inline int remove_realm_directory(const char *directory)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

/* Runs the tests in that directory and removes it; what main() returns. */
#define run_in_realm(directory, tests)                                                             \
	({                                                                                         \
		int failed_ = 1;                                                                   \
                                                                                                   \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                          \
		if (!realm_open())                                                                 \
			failed_ = cmocka_run_group_tests((tests), NULL, NULL);                     \
		remove_realm_directory(directory) ? 1 : failed_;                                   \
	})

#endif
