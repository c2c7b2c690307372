/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_socket_map.c: helpers that redirect between the sockets of a map, or choose one. Programs
 * that may call them can be loaded; neither the kernel nor userbpf has test runs of their types, so
 * only the verdict is here. Arguments have been proven by the caller.
 */
#include <errno.h>

#include "vm/helpers.h"

static u64 verdict(struct map *map, const void *key, u64 flags)
{
	if (flags & ~(u64)BPF_F_INGRESS)
		return SK_DROP;
	return map->ops->lookup(map, key) ? SK_PASS : SK_DROP;
}

HELPER_FN(sk_redirect_map)
{
	const u32 key = (u32)r3;

	return verdict(U64_PTR(r2), &key, r4);
}

HELPER_FN(sk_redirect_hash)
{
	return verdict(U64_PTR(r2), U64_PTR(r3), r4);
}

HELPER_FN(msg_redirect_map)
{
	const u32 key = (u32)r3;

	return verdict(U64_PTR(r2), &key, r4);
}

HELPER_FN(msg_redirect_hash)
{
	return verdict(U64_PTR(r2), U64_PTR(r3), r4);
}

HELPER_FN(sk_select_reuseport)
{
	struct map *map = U64_PTR(r2);

	if (r4)
		return HELPER_ERROR(EINVAL);
	return map->ops->lookup(map, U64_PTR(r3)) ? 0 : HELPER_ERROR(ENOENT);
}

/* No socket lies behind the context. */

HELPER_FN(sock_map_update)
{
	return HELPER_ERROR(EOPNOTSUPP);
}

HELPER_FN(sock_hash_update)
{
	return HELPER_ERROR(EOPNOTSUPP);
}
