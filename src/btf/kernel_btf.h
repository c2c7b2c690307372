/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kernel_btf.h: the BTF of the kernel that this machine runs, which loaders use to turn names of
 * kernel functions into numbers. Here programs may do the same, and it turns numbers back.
 */
#ifndef BTF_KERNEL_BTF_H
#define BTF_KERNEL_BTF_H

#include "btf/btf.h"

/*
 * For the rest of the process. 0; -ENOENT on a machine that does not offer it, -ENOMEM, -EINVAL.
 * Takes some milliseconds at first.
 */
must_check int kernel_btf_get(const struct btf **btf);
/* The name of the function with this id; NULL when the id is not that of one. */
const char *kernel_btf_function(const struct btf *btf, u32 id);
/* The first type of that name and kind (BTF_KIND_*), or -ENOENT. */
long kernel_btf_find(const struct btf *btf, const char *name, u32 kind);

#endif
