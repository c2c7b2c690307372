/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ring.bpf.c: one program for each thing that a program can do with a ring buffer. Arguments and
 * results are global variables.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "ring.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} other SEC(".maps");

struct inner_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner_ring);
} outer SEC(".maps") = {
	.values = {&inner},
};

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, RING_BYTES);
} from_user SEC(".maps");

__u64 flags, what, size, number;
__s64 result;
__u64 spins, spun;
char bytes[RING_BYTES];

static void fill(struct sample *sample)
{
	sample->number = number;
	for (int i = 0; i < 3; i++)
		sample->words[i] = number * (i + 2);
}

/* 1: there is a record, of 32 bytes. */
SEC("socket")
int submit(struct __sk_buff *skb)
{
	struct sample *sample = bpf_ringbuf_reserve(&ring, sizeof(*sample), 0);

	if (!sample)
		return 0;
	fill(sample);
	bpf_ringbuf_submit(sample, flags);
	return 1;
}

SEC("socket")
int discard(struct __sk_buff *skb)
{
	struct sample *sample = bpf_ringbuf_reserve(&ring, sizeof(*sample), 0);

	if (!sample)
		return 0;
	fill(sample);
	bpf_ringbuf_discard(sample, flags);
	return 1;
}

SEC("socket")
int output(struct __sk_buff *skb)
{
	if (size <= sizeof(bytes))
		result = bpf_ringbuf_output(&ring, bytes, size, flags);
	return 0;
}

SEC("socket")
int query(struct __sk_buff *skb)
{
	result = bpf_ringbuf_query(&ring, what);
	return 0;
}

/* Bit 0: all of the ring was refused, 1: so were flags, 2: the largest record was not. */
SEC("socket")
int limits(struct __sk_buff *skb)
{
	void *all = bpf_ringbuf_reserve(&ring, RING_BYTES, 0);
	void *flagged = bpf_ringbuf_reserve(&ring, 8, 1);
	void *largest = bpf_ringbuf_reserve(&ring, RING_BYTES - 16, 0);
	int answer = !all | !flagged << 1 | !!largest << 2;

	if (all)
		bpf_ringbuf_discard(all, 0);
	if (flagged)
		bpf_ringbuf_discard(flagged, 0);
	if (largest)
		bpf_ringbuf_discard(largest, 0);
	return answer;
}

/* Two records of two rings, released in the order that they were reserved in. */
SEC("socket")
int two(struct __sk_buff *skb)
{
	struct sample *first = bpf_ringbuf_reserve(&ring, sizeof(*first), 0), *second;

	if (!first)
		return 0;
	second = bpf_ringbuf_reserve(&other, sizeof(*second), 0);
	if (second)
		fill(second);
	fill(first);
	bpf_ringbuf_submit(first, flags);
	if (!second)
		return 1;
	bpf_ringbuf_discard(second, flags);
	return 2;
}

SEC("socket")
int nested(struct __sk_buff *skb)
{
	__u32 key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);
	struct sample *sample;

	if (!map)
		return 0;
	sample = bpf_ringbuf_reserve(map, sizeof(*sample), 0);
	if (!sample)
		return 1;
	fill(sample);
	bpf_ringbuf_submit(sample, flags);
	return 2;
}

static long spin(__u32 index, void *context)
{
	spun++;
	return 0;
}

/* Keeps a record for a while. */
SEC("socket")
int hold(struct __sk_buff *skb)
{
	struct sample *sample = bpf_ringbuf_reserve(&ring, sizeof(*sample), 0);

	if (!sample)
		return 0;
	fill(sample);
	bpf_loop(spins, spin, 0, 0);
	bpf_ringbuf_submit(sample, flags);
	return 1;
}

__s64 results[16];

/* Two records of which neither gets room are released one by one. */
SEC("socket")
int dynptr_no_room(struct __sk_buff *skb)
{
	struct bpf_dynptr first, second;

	results[0] = bpf_ringbuf_reserve_dynptr(&ring, size, 0, &first);
	results[1] = bpf_ringbuf_reserve_dynptr(&ring, size, 0, &second);
	bpf_ringbuf_discard_dynptr(&first, 0);
	results[2] = bpf_dynptr_write(&second, 0, &number, sizeof(number), 0);
	bpf_ringbuf_submit_dynptr(&second, 0);
	return 3;
}

/* A record of any size: what reserving says, then writing in front, at the end and beyond. */
SEC("socket")
int dynptr_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	results[0] = bpf_ringbuf_reserve_dynptr(&ring, size, what, &record);
	results[1] = bpf_dynptr_write(&record, 0, &number, sizeof(number), 0);
	results[2] = bpf_dynptr_write(&record, size - 8, &number, sizeof(number), 0);
	results[3] = bpf_dynptr_write(&record, size - 7, &number, sizeof(number), 0);
	results[4] = bpf_dynptr_write(&record, 8, &number, sizeof(number), 1);
	slice = bpf_dynptr_data(&record, 8, 8);
	if (slice)
		*slice = number + 1;
	results[5] = !!slice;
	results[6] = bpf_dynptr_read(&results[7], 8, &record, 8, 0);
	if (flags == 1ull << 32)
		bpf_ringbuf_discard_dynptr(&record, 0);
	else
		bpf_ringbuf_submit_dynptr(&record, flags);
	return 0;
}

SEC("socket")
int dynptr_memory(struct __sk_buff *skb)
{
	struct bpf_dynptr memory, empty;
	char two[2] = "ab";

	results[0] = bpf_dynptr_from_mem(bytes, 100, 0, &memory);
	results[1] = bpf_dynptr_write(&memory, 98, two, 2, 0);
	results[2] = bpf_dynptr_write(&memory, 99, two, 2, 0);
	results[3] = bpf_dynptr_write(&memory, 0, two, 2, 4);
	results[4] = bpf_dynptr_read(two, 2, &memory, 97, 0);
	results[5] = two[1];
	results[6] = bpf_dynptr_read(two, 2, &memory, 0, 1);
	results[7] = bpf_dynptr_read(two, 2, &memory, (__u32)-1, 0);
	results[8] = !bpf_dynptr_data(&memory, 90, 11);
	results[9] = bpf_dynptr_data(&memory, 90, 10) == bytes + 90;
	results[10] = bpf_dynptr_from_mem(bytes, 100, 1, &empty);
	results[11] = bpf_dynptr_read(two, 2, &empty, 0, 0);
	results[12] = bpf_dynptr_write(&empty, 0, two, 2, 0);
	results[13] = !bpf_dynptr_data(&empty, 0, 1);
	/* One inside the other. */
	results[14] = bpf_dynptr_write(&memory, 1, bytes, 50, 0);
	return 0;
}

__u64 seen, sum, stop_after;
__s64 again;

/* Adds the sample's number, and doubles it there. */
static long take(struct bpf_dynptr *sample, void *context)
{
	__u64 *word = bpf_dynptr_data(sample, 0, 8), number = 0;

	seen++;
	results[0] = bpf_dynptr_read(&number, 8, sample, 0, 0);
	sum += number;
	if (word)
		*word = 2 * number;
	results[1] = bpf_dynptr_write(sample, 8, &number, 8, 0);
	return seen == stop_after;
}

SEC("socket")
int drain(struct __sk_buff *skb)
{
	result = bpf_user_ringbuf_drain(&from_user, take, 0, flags);
	return 0;
}

static long take_and_drain(struct bpf_dynptr *sample, void *context)
{
	again = bpf_user_ringbuf_drain(&from_user, take, 0, 0);
	return 0;
}

SEC("socket")
int drain_twice(struct __sk_buff *skb)
{
	result = bpf_user_ringbuf_drain(&from_user, take_and_drain, 0, flags);
	return 0;
}

static long take_slowly(struct bpf_dynptr *sample, void *context)
{
	bpf_loop(spins, spin, 0, 0);
	return 0;
}

SEC("socket")
int drain_slowly(struct __sk_buff *skb)
{
	result = bpf_user_ringbuf_drain(&from_user, take_slowly, 0, flags);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
