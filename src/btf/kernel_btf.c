/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kernel_btf.c: see kernel_btf.h. Trusts the file as little as any other.
 */
#include "btf/kernel_btf.h"

#include <errno.h>
#include <linux/btf.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/syscall.h"

#define KERNEL_BTF_PATH "/sys/kernel/btf/vmlinux"
#define KERNEL_BTF_MAX (256u << 20)

static void unmap(const void *data, size_t size)
{
	sys_munmap((void *)data, ROUND_UP(size, PAGE_BYTES));
}

/* Linux before 6.16 cannot map the file. */
static int read_all(int fd, size_t size, u8 **data)
{
	size_t at = 0;
	long got;

	*data = sys_mmap(NULL, ROUND_UP(size, PAGE_BYTES), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_is_err(*data))
		return -ENOMEM;
	for (; at < size; at += (size_t)got) {
		got = sys_read(fd, *data + at, size - at);
		if (got <= 0) {
			unmap(*data, size);
			return got ? (int)got : -EINVAL;
		}
	}
	return 0;
}

static int read_file(u8 **data, u32 *size)
{
	const int fd = sys_openat(AT_FDCWD, KERNEL_BTF_PATH, O_RDONLY | O_CLOEXEC, 0);
	struct stat st;
	int err;

	if (fd < 0)
		return -ENOENT;
	err = sys_fstat(fd, &st);
	if (!err && (st.st_size <= 0 || st.st_size > KERNEL_BTF_MAX))
		err = -EINVAL;
	if (!err) {
		*size = (u32)st.st_size;
		err = read_all(fd, *size, data);
	}
	sys_close(fd);
	return err;
}

static bool is_btf(const u8 *data, u32 size)
{
	struct btf_header hdr;

	if (size < sizeof(hdr))
		return false;
	memcpy(&hdr, data, sizeof(hdr));
	return hdr.magic == BTF_MAGIC && ((u64)hdr.hdr_len + hdr.type_off) % sizeof(u32) == 0;
}

static int read_btf(struct btf *btf)
{
	u32 size;
	u8 *data;
	int err = read_file(&data, &size);

	if (err)
		return err;
	err = is_btf(data, size) ? btf_index(btf, data, size) : -EINVAL;
	if (err)
		unmap(data, size);
	return err;
}

static void drop_btf(struct btf *btf)
{
	unmap(btf->data, btf->size);
	btf_clear(btf);
	memory_free(btf);
}

/* Some megabytes, read once and kept: whoever loads one such program loads more. */
int kernel_btf_get(const struct btf **btf)
{
	static struct btf *kept;
	struct btf *fresh, *none = NULL;
	int err;

	*btf = load_acquire(&kept); /* pairs with the exchange below */
	if (*btf)
		return 0;
	fresh = memory_alloc(sizeof(*fresh));
	err = fresh ? read_btf(fresh) : -ENOMEM;
	if (err) {
		memory_free(fresh);
		return err;
	}
	if (!atomic_cas(&kept, &none, fresh)) {
		drop_btf(fresh); /* another thread was first */
		fresh = none;
	}
	*btf = fresh;
	return 0;
}

const char *kernel_btf_function(const struct btf *btf, u32 id)
{
	const struct btf_type *t = btf_type(btf, id);

	return t && BTF_INFO_KIND(t->info) == BTF_KIND_FUNC ? btf_name(btf, t->name_off) : NULL;
}

long kernel_btf_find(const struct btf *btf, const char *name, u32 kind)
{
	const struct btf_type *t;
	const char *found;

	for (u32 id = 1; (t = btf_type(btf, id)); id++) {
		found = BTF_INFO_KIND(t->info) == kind ? btf_name(btf, t->name_off) : NULL;
		if (found && !strcmp(found, name))
			return id;
	}
	return -ENOENT;
}
