/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * uapi.h: numbers of the bpf(2) interface that are newer than the headers of Debian 12 (Linux
 * 6.1), each with the kernel it came with. Values only; layouts that grew are beside their users.
 */
#ifndef BASE_UAPI_H
#define BASE_UAPI_H

#include <linux/bpf.h>

/* Bytes of union bpf_attr that Linux 6.18 knows. */
#define UAPI_ATTR_BYTES 168u
/* Bytes of struct bpf_map_info (6.18: hash, hash_size). */
#define UAPI_MAP_INFO_BYTES 104u

enum {
	UAPI_TOKEN_CREATE = 36,           /* 6.9 */
	UAPI_PROG_STREAM_READ_BY_FD = 37, /* 6.17 */

	UAPI_PROG_TYPE_NETFILTER = 32,    /* 6.4 */

	UAPI_MAP_TYPE_CGRP_STORAGE = 32,  /* 6.2 */
	UAPI_MAP_TYPE_ARENA = 33,         /* 6.9 */

	UAPI_F_LINK = 1u << 13,              /* 6.4 */
	UAPI_F_PATH_FD = 1u << 14,           /* 6.5 */
	UAPI_F_VTYPE_BTF_OBJ_FD = 1u << 15,  /* 6.9 */
	UAPI_F_TOKEN_FD = 1u << 16,          /* 6.9 */
	UAPI_F_SEGV_ON_FAULT = 1u << 17,     /* 6.9 */
	UAPI_F_NO_USER_CONV = 1u << 18,      /* 6.9 */

	UAPI_F_TEST_REG_INVARIANTS = 1u << 7, /* 6.8, prog_flags */
	UAPI_F_XDP_DEV_BOUND_ONLY = 1u << 6,  /* 6.3, prog_flags */

	UAPI_FIB_LOOKUP_SKIP_NEIGH = 1u << 2, /* 6.3 */
	UAPI_FIB_LOOKUP_TBID = 1u << 3,       /* 6.5 */
	UAPI_FIB_LOOKUP_SRC = 1u << 4,        /* 6.7 */
	UAPI_FIB_LOOKUP_MARK = 1u << 5,       /* 6.10 */
	UAPI_FIB_LKUP_RET_NO_SRC_ADDR = 9,    /* 6.7 */
};

#endif
