/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_tunnel.c: what a packet's tunnel is to be. No packet leaves here, so it is what programs
 * say and read back during a test run. Arguments have been proven by the caller.
 */
#include <endian.h>
#include <errno.h>
#include <linux/if_tunnel.h>
#include <string.h>

#include "vm/helpers.h"
#include "vm/packet.h"

#define FLOW_LABEL_MASK 0x000fffffu
#define NO_TUNNEL_KEY (1u << 4) /* BPF_F_NO_TUNNEL_KEY, Linux 6.2 */
#define SET_FLAGS                                                                                  \
	(BPF_F_TUNINFO_IPV6 | BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER |         \
	 NO_TUNNEL_KEY)
/* Those that say whose options there are, which the helper does not know. */
#define ANY_OPTIONS htobe16(0xd800)
#define OPTIONS_MAX 255

static struct tunnel *tunnel_of(struct vm_run *run)
{
	return &packet_run_of(run)->tunnel;
}

/* The sizes that struct bpf_tunnel_key has had. */
static bool is_known_size(u64 size)
{
	return size == sizeof(struct bpf_tunnel_key) ||
	       size == offsetof(struct bpf_tunnel_key, local_ipv6) ||
	       size == offsetof(struct bpf_tunnel_key, tunnel_label) ||
	       size == offsetof(struct bpf_tunnel_key, tunnel_ext) ||
	       size == offsetof(struct bpf_tunnel_key, remote_ipv6[1]);
}

static u16 flags_of(u64 flags)
{
	return (u16)(TUNNEL_NOCACHE | (flags & NO_TUNNEL_KEY ? 0 : TUNNEL_KEY) |
		     (flags & BPF_F_ZERO_CSUM_TX ? 0 : TUNNEL_CSUM) |
		     (flags & BPF_F_DONT_FRAGMENT ? TUNNEL_DONT_FRAGMENT : 0) |
		     (flags & BPF_F_SEQ_NUMBER ? TUNNEL_SEQ : 0));
}

HELPER_FN(skb_set_tunnel_key)
{
	struct tunnel *tunnel = tunnel_of(run);
	struct bpf_tunnel_key key = {0};

	if (r4 & ~(u64)SET_FLAGS || !is_known_size((u32)r3))
		return HELPER_ERROR(EINVAL);
	memcpy(&key, U64_PTR(r2), (u32)r3);
	if ((key.tunnel_label && !(r4 & BPF_F_TUNINFO_IPV6)) || key.tunnel_ext)
		return HELPER_ERROR(EINVAL);
	key.tunnel_label &= FLOW_LABEL_MASK;
	tunnel->is_set = true;
	tunnel->is_ipv6 = r4 & BPF_F_TUNINFO_IPV6;
	tunnel->flags = flags_of(r4);
	tunnel->option_bytes = 0;
	tunnel->key = key;
	return 0;
}

/* Read back, the remote end is the source, as of a packet that came out of a tunnel. */
static void swap_ends(const struct tunnel *tunnel, struct bpf_tunnel_key *key)
{
	const u32 bytes = tunnel->is_ipv6 ? sizeof(key->remote_ipv6) : sizeof(key->remote_ipv4);

	memset(key->remote_ipv6, 0, sizeof(key->remote_ipv6));
	memset(key->local_ipv6, 0, sizeof(key->local_ipv6));
	memcpy(key->remote_ipv6, tunnel->key.local_ipv6, bytes);
	memcpy(key->local_ipv6, tunnel->key.remote_ipv6, bytes);
}

static int get_key(const struct tunnel *tunnel, u64 size, u64 flags, struct bpf_tunnel_key *key)
{
	if (!tunnel->is_set || flags & ~(u64)(BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS))
		return -EINVAL;
	if (tunnel->is_ipv6 != !!(flags & BPF_F_TUNINFO_IPV6))
		return -EPROTO;
	if (!is_known_size(size) ||
	    (tunnel->is_ipv6 && size == offsetof(struct bpf_tunnel_key, remote_ipv6[1])))
		return -EINVAL;
	*key = tunnel->key;
	swap_ends(tunnel, key);
	key->tunnel_flags = flags & BPF_F_TUNINFO_FLAGS ? tunnel->flags : 0;
	return 0;
}

HELPER_FN(skb_get_tunnel_key)
{
	struct bpf_tunnel_key key;
	int err = get_key(tunnel_of(run), (u32)r3, r4, &key);

	if (err)
		memset(U64_PTR(r2), 0, (u32)r3);
	else
		memcpy(U64_PTR(r2), &key, (u32)r3);
	return (u64)(s64)err;
}

HELPER_FN(skb_set_tunnel_opt)
{
	struct tunnel *tunnel = tunnel_of(run);
	const u32 size = (u32)r3;

	if (!tunnel->is_set || size % sizeof(u32))
		return HELPER_ERROR(EINVAL);
	if (size > OPTIONS_MAX)
		return HELPER_ERROR(ENOMEM);
	memcpy(tunnel->options, U64_PTR(r2), size);
	tunnel->option_bytes = (u8)size;
	tunnel->flags |= ANY_OPTIONS;
	return 0;
}

HELPER_FN(skb_get_tunnel_opt)
{
	const struct tunnel *tunnel = tunnel_of(run);
	const u32 have = tunnel->is_set ? tunnel->option_bytes : 0;

	memset(U64_PTR(r2), 0, (u32)r3);
	if (!have)
		return HELPER_ERROR(ENOENT);
	if (have > (u32)r3)
		return HELPER_ERROR(ENOMEM);
	memcpy(U64_PTR(r2), tunnel->options, have);
	return have;
}
