/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * dynptr.bpf.c: programs that use kernel functions on dynptrs, of packets and of memory. Each
 * returns how many of its checks hold, or less than 0 and the first that does not.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define EINVAL 22
#define E2BIG 7
#define ERANGE 34
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		done++;                                                                            \
		if (!(condition))                                                                  \
			return -done;                                                              \
	} while (0)

/* What is a bool to the kernel is one byte of the result. */
#define IS(function, p) ((bpf_dynptr_is_##function(p)) & 1)

struct bpf_dynptr;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *p) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer,
			      __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, __u32 offset, void *buffer,
				   __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) __ksym;
extern int bpf_dynptr_is_null(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_is_rdonly(const struct bpf_dynptr *p) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *to, __u32 to_offset, struct bpf_dynptr *from,
			   __u32 from_offset, __u32 size) __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *p, __u32 offset, __u32 size, __u8 value) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, char[600]);
} memory SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* The packet counts: its byte at i is i. */
SEC("tc") int skb(struct __sk_buff *skb)
{
	struct bpf_dynptr p, clone;
	int done = 0;
	char buffer[8] = {}, *slice;

	CHECK(bpf_dynptr_from_skb(skb, 0, &p) == 0);
	CHECK(bpf_dynptr_size(&p) == 300);
	CHECK(!IS(null, &p));
	CHECK(!IS(rdonly, &p));
	slice = bpf_dynptr_slice(&p, 20, buffer, 8);
	CHECK(slice && slice[0] == 20 && slice[7] == 27);
	slice = bpf_dynptr_slice(&p, 292, NULL, 8);
	CHECK(slice && (__u8)slice[7] == 43);
	CHECK(!bpf_dynptr_slice(&p, 293, buffer, 8));
	CHECK(bpf_dynptr_adjust(&p, 301, 301) == -ERANGE);
	CHECK(bpf_dynptr_adjust(&p, 0, 301) == -ERANGE);
	CHECK(bpf_dynptr_adjust(&p, 2, 1) == -EINVAL);
	CHECK(bpf_dynptr_adjust(&p, 10, 20) == 0);
	CHECK(bpf_dynptr_size(&p) == 10);
	CHECK(bpf_dynptr_read(buffer, 8, &p, 2, 0) == 0 && buffer[0] == 12);
	CHECK(bpf_dynptr_read(buffer, 8, &p, 3, 0) == -E2BIG);
	CHECK(bpf_dynptr_clone(&p, &clone) == 0);
	CHECK(bpf_dynptr_adjust(&clone, 5, 8) == 0);
	CHECK(bpf_dynptr_size(&clone) == 3 && bpf_dynptr_size(&p) == 10);
	CHECK(bpf_dynptr_write(&clone, 0, "ab", 2, 0) == 0);
	CHECK(bpf_dynptr_write(&clone, 2, "ab", 2, 0) == -E2BIG);
	CHECK(bpf_dynptr_write(&clone, 0, "ab", 2, 64) == -EINVAL);
	CHECK(bpf_dynptr_read(buffer, 4, &p, 4, 0) == 0 && buffer[0] == 14 && buffer[1] == 'a' &&
	      buffer[2] == 'b' && buffer[3] == 17);
	slice = bpf_dynptr_slice_rdwr(&p, 0, buffer, 8);
	CHECK(slice && slice[5] == 'a');
	slice[0] = 77;
	CHECK(bpf_dynptr_read(buffer, 1, &p, 0, 0) == 0 && buffer[0] == 77);
	CHECK(bpf_dynptr_memset(&p, 1, 9, 5) == 0);
	CHECK(bpf_dynptr_memset(&p, 2, 9, 5) == -E2BIG);
	CHECK(bpf_dynptr_copy(&p, 0, &p, 1, 3) == 0);
	CHECK(bpf_dynptr_read(buffer, 4, &p, 0, 0) == 0 && buffer[0] == 5 && buffer[3] == 5);
	CHECK(bpf_dynptr_copy(&p, 0, &p, 1, 10) == -E2BIG);
	CHECK(!bpf_dynptr_data(&p, 0, 1));
	return done;
}

SEC("tc") int skb_null(struct __sk_buff *skb)
{
	struct bpf_dynptr p, clone;
	int done = 0;
	char buffer[8];

	CHECK(bpf_dynptr_from_skb(skb, 1, &p) == -EINVAL);
	CHECK(IS(null, &p));
	CHECK(!IS(rdonly, &p));
	CHECK(bpf_dynptr_size(&p) == (__u32)-EINVAL);
	CHECK(bpf_dynptr_adjust(&p, 0, 0) == -EINVAL);
	CHECK(!bpf_dynptr_slice(&p, 0, buffer, 8));
	CHECK(!bpf_dynptr_slice_rdwr(&p, 0, buffer, 8));
	CHECK(bpf_dynptr_memset(&p, 0, 1, 0) == -E2BIG);
	CHECK(bpf_dynptr_copy(&p, 0, &p, 0, 1) == -E2BIG);
	CHECK(bpf_dynptr_copy(&p, 0, &p, 0, 0) == 0);
	CHECK(bpf_dynptr_clone(&p, &clone) == -EINVAL);
	CHECK(IS(null, &clone));
	return done;
}

SEC("socket") int read_only(struct __sk_buff *skb)
{
	struct bpf_dynptr p;
	int done = 0;
	char buffer[8], *slice;

	CHECK(bpf_dynptr_from_skb(skb, 0, &p) == 0);
	CHECK(bpf_dynptr_size(&p) == 286); /* behind the Ethernet header */
	CHECK(IS(rdonly, &p));
	slice = bpf_dynptr_slice(&p, 6, buffer, 8);
	CHECK(slice && slice[0] == 20);
	CHECK(bpf_dynptr_memset(&p, 0, 1, 0) == -EINVAL);
	CHECK(bpf_dynptr_copy(&p, 0, &p, 0, 1) == -EINVAL);
	return done;
}

SEC("xdp") int frame(struct xdp_md *xdp)
{
	struct bpf_dynptr p;
	int done = 0;
	char buffer[8], *slice;

	CHECK(bpf_dynptr_from_xdp(xdp, 0, &p) == 0);
	CHECK(bpf_dynptr_size(&p) == 300);
	CHECK(!IS(rdonly, &p));
	slice = bpf_dynptr_slice_rdwr(&p, 100, buffer, 8);
	CHECK(slice && slice[0] == 100);
	slice[0] = 1;
	CHECK(bpf_dynptr_read(buffer, 8, &p, 100, 0) == 0 && buffer[0] == 1 && buffer[7] == 107);
	CHECK(bpf_dynptr_memset(&p, 0, 300, 9) == 0);
	CHECK(bpf_dynptr_read(buffer, 8, &p, 292, 0) == 0 && buffer[7] == 9);
	CHECK(bpf_dynptr_write(&p, 0, buffer, 8, 1) == -EINVAL);
	/* The packet is where it has moved to. */
	CHECK(bpf_dynptr_write(&p, 4, "xy", 2, 0) == 0);
	CHECK(bpf_xdp_adjust_head(xdp, 2) == 0);
	CHECK(bpf_dynptr_read(buffer, 8, &p, 2, 0) == 0 && buffer[0] == 'x' && buffer[2] == 9);
	CHECK(bpf_dynptr_read(buffer, 8, &p, 292, 0) < 0);
	return done;
}

SEC("tc") int local(struct __sk_buff *skb)
{
	__u32 first = 0, second = 1;
	char *a = bpf_map_lookup_elem(&memory, &first), *b = bpf_map_lookup_elem(&memory, &second);
	struct bpf_dynptr p, q, s;
	char buffer[8], *slice;
	int done = 0;

	if (!a || !b)
		return -100;
	bpf_dynptr_from_mem(a, 600, 0, &p);
	bpf_dynptr_from_mem(b, 600, 0, &q);
	bpf_dynptr_from_skb(skb, 0, &s);
	CHECK(bpf_dynptr_memset(&p, 0, 600, 7) == 0);
	CHECK(bpf_dynptr_adjust(&p, 300, 600) == 0);
	slice = bpf_dynptr_slice_rdwr(&p, 0, buffer, 8);
	CHECK(slice && slice[0] == 7);
	slice[1] = 8;
	CHECK(bpf_dynptr_copy(&q, 100, &p, 0, 300) == 0);
	CHECK(bpf_dynptr_read(buffer, 4, &q, 99, 0) == 0 && buffer[1] == 7 && buffer[2] == 8);
	CHECK(bpf_dynptr_copy(&q, 0, &s, 0, 300) == 0);
	CHECK(bpf_dynptr_read(buffer, 1, &q, 100, 0) == 0 && buffer[0] == 100);
	CHECK(bpf_dynptr_copy(&s, 20, &p, 0, 280) == 0);
	CHECK(bpf_dynptr_read(buffer, 3, &s, 19, 0) == 0 && buffer[0] == 19 && buffer[2] == 8);
	CHECK(bpf_dynptr_copy(&s, 21, &p, 0, 280) == -E2BIG);
	CHECK(bpf_dynptr_copy(&s, 0, &p, 21, 280) == -E2BIG);
	CHECK(bpf_dynptr_data(&p, 0, 300));
	CHECK(!bpf_dynptr_data(&p, 0, 301));
	return done;
}

SEC("tc") int record(struct __sk_buff *skb)
{
	struct bpf_dynptr p, clone;
	int failed = 0;
	char *slice;

	if (bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &p)) {
		bpf_ringbuf_discard_dynptr(&p, 0);
		return -100;
	}
	bpf_dynptr_clone(&p, &clone);
	failed += bpf_dynptr_adjust(&clone, 8, 16) != 0;
	failed += bpf_dynptr_write(&clone, 0, "12345678", 8, 0) != 0;
	slice = bpf_dynptr_slice_rdwr(&p, 8, NULL, 8);
	failed += !slice || slice[0] != '1';
	/* Of either, and both are gone. */
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return failed;
}

char LICENSE[] SEC("license") = "GPL";
