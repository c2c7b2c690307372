/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * value.c: the BTF that the conformance program needs: values that begin with a bpf_spin_lock, and
 * functions for callbacks; and descriptors that are keys. Made once each and kept.
 */
#include <bpf/btf.h>
#include <sys/socket.h>

#include "../maps/cgroup_test.h"
#include "conformance.h"

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

static int load(const uint32_t *words, uint32_t size, const char *strings, uint32_t string_bytes)
{
	uint8_t data[512];
	const struct btf_header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = size,
		.str_off = size,
		.str_len = string_bytes,
	};
	union test_attr t = {.a = {.btf = ptr64(data)}};

	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), words, size);
	memcpy(data + sizeof(header) + size, strings, string_bytes);
	t.a.btf_size = (uint32_t)sizeof(header) + size + string_bytes;
	return (int)bpf_sys(BPF_BTF_LOAD, &t, ATTR_SIZE);
}

/* struct v { struct bpf_spin_lock l; int d[]; }: a multiple of 4 bytes. */
int btf_of_value(unsigned value_size)
{
	static int fds[DATA_MAX / 4 + 1];
	static const char strings[] = "\0int\0bpf_spin_lock\0v\0l\0d";
	const uint32_t words[] = {
		1,          INFO(BTF_KIND_INT, 0),
		4,          1 << 24 | 32, /* 1: int */
		5,          INFO(BTF_KIND_STRUCT, 1),
		4,          1,
		1,          0, /* 2: the lock */
		0,          INFO(BTF_KIND_ARRAY, 0),
		0,          1,
		1,          value_size / 4 - 1, /* 3: int[] */
		19,         INFO(BTF_KIND_STRUCT, 2),
		value_size, 21,
		2,          0,
		23,         3,
		32, /* 4: struct v */
	};
	int *fd = &fds[value_size / 4];

	if (!*fd)
		*fd = load(words, sizeof(words), strings, sizeof(strings));
	return *fd;
}

int btf_of_functions(void)
{
	static int fd;
	static const char strings[] = "\0int\0f";
	static const uint32_t words[] = {
		1, INFO(BTF_KIND_INT, 0),        4, 1 << 24 | 32, /* 1: int */
		0, INFO(BTF_KIND_FUNC_PROTO, 0), 1,               /* 2: int (*)() */
		5, INFO(BTF_KIND_FUNC, 0),       2,               /* 3: f */
	};

	if (!fd)
		fd = load(words, sizeof(words), strings, sizeof(strings));
	return fd;
}

const struct table *table(void)
{
	static struct table found;
	struct btf *kernel;
	int id;

	if (found.type)
		return &found;
	kernel = btf__load_vmlinux_btf();
	id = btf__find_by_name_kind(kernel, "bpf_struct_ops_bpf_dummy_ops", BTF_KIND_STRUCT);

	if (id > 0)
		found = (struct table){(uint32_t)id, btf__type_by_id(kernel, (uint32_t)id)->size};
	btf__free(kernel);
	return &found;
}

#define OWNERS_AT 500 /* where the descriptors begin */
#define OWNERS_MAX 400u

int owner(const struct type *type, uint32_t number)
{
	static bool made[OWNERS_MAX];
	int fd;

	if (number >= OWNERS_MAX)
		return (int)number;
	if (!made[number]) {
		if (type->id == BPF_MAP_TYPE_TASK_STORAGE && number < 2)
			fd = (int)syscall(SYS_pidfd_open, number ? getppid() : getpid(), 0);
		else if (type->id == MAP_TYPE_CGRP_STORAGE && number < 2)
			fd = cgroup_root();
		else
			fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		made[number] = dup2(fd, OWNERS_AT + (int)number) >= 0;
		close(fd);
	}
	return OWNERS_AT + (int)number;
}

int element(int command, int fd, const void *key, const void *value, uint64_t flags)
{
	int err;

	do {
		err = map_elem(command, fd, key, value, flags);
	} while (err == -EAGAIN);
	return err;
}
