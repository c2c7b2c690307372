/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_syncookie.c: SYN cookies without a socket. A cookie says when it was made, and of which
 * segment size, to whoever knows the realm's secret: the kernel's own are not known here, nor is
 * one of these to the kernel. Headers have been proven to be there by the caller.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "object/realm.h"
#include "vm/helpers.h"

#define PERIOD_SECONDS 60 /* a cookie is good in the one it was made in, and the next */
#define SIZE_BITS 2
#define IPV4_ADDRESSES 12 /* where they are in the header */
#define IPV6_ADDRESSES 8

/* Of a family: the segment sizes that a cookie can say, and the one that no option means. */
struct family {
	u32 addresses_at, address_bytes;
	u16 sizes[1 << SIZE_BITS];
	u16 usual;
};

static const struct family ipv4 = {IPV4_ADDRESSES, 8, {536, 1300, 1440, 1460}, 536};
static const struct family ipv6 = {IPV6_ADDRESSES, 32, {1220, 1420, 1440, 8940}, 1220};

/* The cookie without a size, for the sender's sequence number at a time. */
static u32 secret_of(const struct family *family, const u8 *ip, const struct tcphdr *tcp, u32 seq,
		     u64 period)
{
	struct {
		u8 addresses[32];
		u16 source, dest;
		u32 seq;
		u64 period;
	} flow = {.source = tcp->source, .dest = tcp->dest, .seq = seq, .period = period};

	memcpy(flow.addresses, ip + family->addresses_at, family->address_bytes);
	return (u32)hash_bytes(&flow, sizeof(flow), realm_state()->tag) << SIZE_BITS;
}

static u64 period_now(struct vm_run *run)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return vm_varying(run, (u64)now.tv_sec / PERIOD_SECONDS);
}

/* The segment size that the sender's options name; 0: none. */
static u16 segment_size(const u8 *option, const u8 *end)
{

	while (option < end && *option != TCPOPT_EOL) {
		if (*option == TCPOPT_NOP) {
			option++;
			continue;
		}
		if (end - option < 2 || option[1] < 2 || option[1] > end - option)
			return 0;
		if (option[0] == TCPOPT_MAXSEG && option[1] == TCPOLEN_MAXSEG)
			return (u16)(option[2] << 8 | option[3]);
		option += option[1];
	}
	return 0;
}

static u64 generate(struct vm_run *run, const struct family *family, const u8 *ip,
		    const u8 *segment, u32 bytes)
{
	u32 size, index = (1u << SIZE_BITS) - 1;
	struct tcphdr tcp;

	if (bytes < sizeof(tcp))
		return HELPER_ERROR(EINVAL);
	memcpy(&tcp, segment, sizeof(tcp));
	if (bytes != tcp.doff * 4u)
		return HELPER_ERROR(EINVAL);
	size = segment_size(segment + sizeof(tcp), segment + bytes);
	if (!size)
		size = family->usual;
	while (index && family->sizes[index] > size)
		index--;
	return secret_of(family, ip, &tcp, be32toh(tcp.seq), period_now(run)) | index |
	       (u64)family->sizes[index] << 32;
}

static u64 check(struct vm_run *run, const struct family *family, const u8 *ip,
		 const u8 *segment)
{
	const u64 now = period_now(run);
	struct tcphdr tcp;
	u32 cookie, seq;

	memcpy(&tcp, segment, sizeof(tcp));
	cookie = (be32toh(tcp.ack_seq) - 1) >> SIZE_BITS << SIZE_BITS;
	seq = be32toh(tcp.seq) - 1;
	return cookie == secret_of(family, ip, &tcp, seq, now) ||
			       cookie == secret_of(family, ip, &tcp, seq, now - 1)
		       ? 0
		       : HELPER_ERROR(EACCES);
}

HELPER_FN(tcp_raw_gen_syncookie_ipv4)
{
	return generate(run, &ipv4, U64_PTR(r1), U64_PTR(r2), (u32)r3);
}

HELPER_FN(tcp_raw_gen_syncookie_ipv6)
{
	return generate(run, &ipv6, U64_PTR(r1), U64_PTR(r2), (u32)r3);
}

HELPER_FN(tcp_raw_check_syncookie_ipv4)
{
	return check(run, &ipv4, U64_PTR(r1), U64_PTR(r2));
}

HELPER_FN(tcp_raw_check_syncookie_ipv6)
{
	return check(run, &ipv6, U64_PTR(r1), U64_PTR(r2));
}
