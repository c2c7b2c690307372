/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bpf_test.h: what every test at the bpf(2) level shares. Such a test is an ordinary program that
 * calls libc's syscall(): run natively it asks the kernel, under `userbpf run` it asks userbpf,
 * and its expectations are the same. Where bpf(2) is not permitted it says so in TAP and ends.
 */
#ifndef TESTS_BPF_TEST_H
#define TESTS_BPF_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/bpf.h>

#ifndef ENOTSUPP
#define ENOTSUPP 524
#endif

/* An attribute with room for every field of Linux 6.18, also where the headers are older. */
union test_attr {
	union bpf_attr a;
	uint8_t bytes[256];
};

/* The result, or -errno. */
static inline long bpf_sys(int cmd, const void *attr, unsigned size)
{
	long ret = syscall(SYS_bpf, cmd, attr, size);

	return ret < 0 ? -errno : ret;
}

static inline uint64_t ptr64(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static inline int map_create(unsigned type, unsigned key_size, unsigned value_size,
			     unsigned max_entries, unsigned flags)
{
	union test_attr t = {.a = {.map_type = type,
				   .key_size = key_size,
				   .value_size = value_size,
				   .max_entries = max_entries,
				   .map_flags = flags}};

	return (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
}

/* What MAP_CREATE says of each. */
struct map_creation {
	unsigned type, key, value, n, flags;
	int result;
};

static inline void check_creations(const struct map_creation *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = map_create(cases[i].type, cases[i].key, cases[i].value, cases[i].n,
				    cases[i].flags);

		if (fd >= 0)
			close(fd);
		if ((fd < 0 ? fd : 0) != cases[i].result)
			fail_msg("case %zu: %d", i, fd);
	}
}

/* BTF of these types and strings: its descriptor, or -errno. */
static inline int btf_load_parts(const void *types, unsigned type_bytes, const void *strings,
				 unsigned string_bytes)
{
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t hdr_len, type_off, type_len, str_off, str_len;
	} header = {0xeb9f, 1, 0, sizeof(header), 0, type_bytes, type_bytes, string_bytes};
	uint8_t raw[1024];
	union test_attr t = {
		.a = {.btf = ptr64(raw), .btf_size = sizeof(header) + type_bytes + string_bytes}};

	assert_true(t.a.btf_size <= sizeof(raw));
	memcpy(raw, &header, sizeof(header));
	memcpy(raw + sizeof(header), types, type_bytes);
	memcpy(raw + sizeof(header) + type_bytes, strings, string_bytes);
	return (int)bpf_sys(BPF_BTF_LOAD, &t, sizeof(union bpf_attr));
}

static inline int map_elem(int cmd, int fd, const void *key, const void *value, uint64_t flags)
{
	union test_attr t = {
		.a = {.map_fd = (uint32_t)fd, .key = ptr64(key), .value = ptr64(value), .flags = flags}};

	return (int)bpf_sys(cmd, &t, sizeof(union bpf_attr));
}

static inline int map_lookup(int fd, const void *key, void *value)
{
	return map_elem(BPF_MAP_LOOKUP_ELEM, fd, key, value, 0);
}

static inline int map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	return map_elem(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

static inline int map_delete(int fd, const void *key)
{
	return map_elem(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

static inline int map_next_key(int fd, const void *key, void *next)
{
	return map_elem(BPF_MAP_GET_NEXT_KEY, fd, key, next, 0);
}

/* Number of possible CPUs, as per-CPU values are laid out. */
static inline unsigned possible_cpus(void)
{
	unsigned first, last, count = 0;
	char sep;
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");

	if (!f)
		return 1;
	while (fscanf(f, "%u", &first) == 1) {
		last = first;
		sep = (char)fgetc(f);
		if (sep == '-') {
			if (fscanf(f, "%u", &last) != 1)
				break;
			sep = (char)fgetc(f);
		}
		count += last - first + 1;
		if (sep != ',')
			break;
	}
	fclose(f);
	return count ? count : 1;
}

/* Call first in main(): ends the program, skipping all, where bpf(2) is not permitted. */
static inline void require_bpf(void)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);

	if (fd == -EPERM || fd == -ENOSYS) {
		printf("1..0 # SKIP bpf(2) is not permitted here\n");
		exit(0);
	}
	if (fd >= 0)
		close(fd);
}

/* TAP, so that the build counts the cases. */
#undef run_tests /* an older interface of cmocka */
#define run_tests(tests)                                                                           \
	(cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests((tests), NULL, NULL))

#endif
