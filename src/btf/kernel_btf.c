/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kernel_btf.c: see kernel_btf.h. Makes no index before one is asked for: some 100000 types
 * are passed over in a millisecond, and most loads ask for few. Trusts the file as little as any other.
 */
#include "btf/kernel_btf.h"

#include <errno.h>
#include <linux/btf.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "btf/check.h"

#define KERNEL_BTF_PATH "/sys/kernel/btf/vmlinux"
#define KERNEL_BTF_MAX (256u << 20)

/* Linux before 6.16 cannot map the file. */
static int read_all(struct kernel_btf *btf, int fd, size_t size)
{
	btf->mapped = ROUND_UP(size, PAGE_BYTES);
	btf->data = sys_mmap(NULL, btf->mapped, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_is_err(btf->data)) {
		btf->data = NULL;
		return -ENOMEM;
	}
	while (btf->size < size) {
		long got = sys_read(fd, btf->data + btf->size, size - btf->size);

		if (got <= 0)
			return got ? (int)got : -EINVAL;
		btf->size += (size_t)got;
	}
	return 0;
}

static int find_sections(struct kernel_btf *btf)
{
	struct btf_header hdr;
	u64 types, strings;

	if (btf->size < sizeof(hdr))
		return -EINVAL;
	memcpy(&hdr, btf->data, sizeof(hdr));
	types = (u64)hdr.hdr_len + hdr.type_off;
	strings = (u64)hdr.hdr_len + hdr.str_off;
	if (hdr.magic != BTF_MAGIC || types % sizeof(u32) || types + hdr.type_len > btf->size ||
	    !hdr.str_len || strings + hdr.str_len > btf->size ||
	    btf->data[strings + hdr.str_len - 1])
		return -EINVAL;
	btf->types = btf->data + types;
	btf->types_end = btf->types + hdr.type_len;
	btf->strings = (const char *)btf->data + strings;
	btf->strings_len = hdr.str_len;
	return 0;
}

static void unmap(const struct kernel_btf *btf)
{
	if (btf->data)
		sys_munmap(btf->data, btf->mapped);
}

static int read_file(struct kernel_btf *btf)
{
	int fd = sys_openat(AT_FDCWD, KERNEL_BTF_PATH, O_RDONLY | O_CLOEXEC, 0);
	struct stat st;
	int err;

	*btf = (struct kernel_btf){0};
	if (fd < 0)
		return -ENOENT;
	err = sys_fstat(fd, &st);
	if (!err && (st.st_size <= 0 || st.st_size > KERNEL_BTF_MAX))
		err = -EINVAL;
	if (!err)
		err = read_all(btf, fd, (size_t)st.st_size);
	if (!err)
		err = find_sections(btf);
	sys_close(fd);
	if (err)
		unmap(btf);
	return err;
}

/* Some megabytes, read once and kept: whoever loads one such program loads more. */
int kernel_btf_get(const struct kernel_btf **btf)
{
	static struct kernel_btf *kept;
	struct kernel_btf *fresh, *none = NULL;
	int err;

	*btf = load_acquire(&kept); /* pairs with the exchange below */
	if (*btf)
		return 0;
	fresh = memory_alloc(sizeof(*fresh));
	err = fresh ? read_file(fresh) : -ENOMEM;
	if (!err && !atomic_cas(&kept, &none, fresh)) {
		unmap(fresh); /* another thread was first */
		memory_free(fresh);
		fresh = none;
	}
	if (err)
		memory_free(fresh);
	else
		*btf = fresh;
	return err;
}

/* The type at *at, which moves on to the next one; NULL behind the last. */
static const struct btf_type *next_type(const struct kernel_btf *btf, const u8 **at)
{
	const struct btf_type *t = (const void *)*at;
	const size_t left = (size_t)(btf->types_end - *at);
	u64 size;

	if (left < sizeof(*t))
		return NULL;
	size = sizeof(*t) + (u64)btf_records_size(t->info);
	*at = size > left ? btf->types_end : *at + size;
	return t;
}

static const char *name_of(const struct kernel_btf *btf, const struct btf_type *t)
{
	return t->name_off < btf->strings_len ? btf->strings + t->name_off : NULL;
}

const char *kernel_btf_function(const struct kernel_btf *btf, u32 id)
{
	const struct btf_type *t;
	const u8 *at = btf->types;

	for (u32 n = 1; (t = next_type(btf, &at)); n++)
		if (n == id)
			return BTF_INFO_KIND(t->info) == BTF_KIND_FUNC ? name_of(btf, t) : NULL;
	return NULL;
}

long kernel_btf_find(const struct kernel_btf *btf, const char *name, u32 kind)
{
	const struct btf_type *t;
	const u8 *at = btf->types;
	const char *found;

	for (u32 n = 1; (t = next_type(btf, &at)); n++) {
		found = BTF_INFO_KIND(t->info) == kind ? name_of(btf, t) : NULL;
		if (found && !strcmp(found, name))
			return n;
	}
	return -ENOENT;
}

int kernel_btf_types(const struct btf **types)
{
	static struct btf *kept;
	const struct kernel_btf *kernel;
	struct btf *fresh, *none = NULL;
	int err = kernel_btf_get(&kernel);

	*types = load_acquire(&kept); /* pairs with the exchange below */
	if (*types || err)
		return err;
	fresh = memory_alloc(sizeof(*fresh));
	err = fresh ? btf_index(fresh, kernel->data, (u32)kernel->size) : -ENOMEM;
	if (!err && !atomic_cas(&kept, &none, fresh)) {
		btf_clear(fresh); /* another thread was first */
		memory_free(fresh);
		fresh = none;
	}
	if (err)
		memory_free(fresh);
	else
		*types = fresh;
	return err;
}
