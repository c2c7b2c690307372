/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * timer.bpf.c: a program for each helper on timers; what to do comes in global variables. Callbacks
 * write into the value and into globals what they were given.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct value {
	__u64 fired, last_key, padding;
	struct bpf_timer timer;
};

#define MAP(name, kind)                                                                            \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, 4);                                                            \
		__type(key, __u32);                                                                \
		__type(value, struct value);                                                       \
	} name SEC(".maps")

MAP(array, BPF_MAP_TYPE_ARRAY);
MAP(hash, BPF_MAP_TYPE_HASH);
MAP(lru, BPF_MAP_TYPE_LRU_HASH);

enum { IN_ARRAY, IN_HASH, IN_LRU };

int which, again, cancel_inside, result;
__u32 key;
__u64 ns, flags, clock;

static int on_time(void *map, __u32 *k, struct value *v)
{
	__sync_fetch_and_add(&v->fired, 1);
	v->last_key = *k;
	if (again) {
		again--;
		bpf_timer_start(&v->timer, 1000000, 0);
	}
	if (cancel_inside)
		result = bpf_timer_cancel(&v->timer);
	return 0;
}

static int on_time_too(void *map, __u32 *k, struct value *v)
{
	__sync_fetch_and_add(&v->fired, 100);
	return 0;
}

static struct value *value(void)
{
	switch (which) {
	case IN_ARRAY:
		return bpf_map_lookup_elem(&array, &key);
	case IN_HASH:
		return bpf_map_lookup_elem(&hash, &key);
	}
	return bpf_map_lookup_elem(&lru, &key);
}

#define EACH(map_name) bpf_map_lookup_elem(&map_name, &key)

SEC("tc") int init(struct __sk_buff *skb)
{
	struct value *v;

	if (which == IN_ARRAY) {
		v = EACH(array);
		return v ? bpf_timer_init(&v->timer, &array, clock) : 1;
	}
	if (which == IN_HASH) {
		v = EACH(hash);
		return v ? bpf_timer_init(&v->timer, &hash, clock) : 1;
	}
	v = EACH(lru);
	return v ? bpf_timer_init(&v->timer, &lru, clock) : 1;
}

SEC("tc") int set_callback(struct __sk_buff *skb)
{
	struct value *v;

	if (which == IN_ARRAY) {
		v = EACH(array);
		return v ? bpf_timer_set_callback(&v->timer, on_time) : 1;
	}
	if (which == IN_HASH) {
		v = EACH(hash);
		return v ? bpf_timer_set_callback(&v->timer, on_time) : 1;
	}
	v = EACH(lru);
	return v ? bpf_timer_set_callback(&v->timer, on_time) : 1;
}

SEC("tc") int set_other_callback(struct __sk_buff *skb)
{
	struct value *v = EACH(hash);

	return v ? bpf_timer_set_callback(&v->timer, on_time_too) : 1;
}

SEC("tc") int start(struct __sk_buff *skb)
{
	struct value *v = value();

	return v ? bpf_timer_start(&v->timer, flags & 1 ? bpf_ktime_get_ns() + ns : ns, flags) : 1;
}

SEC("tc") int cancel(struct __sk_buff *skb)
{
	struct value *v = value();

	return v ? bpf_timer_cancel(&v->timer) : 1;
}

SEC("tc") int delete(struct __sk_buff *skb)
{
	return bpf_map_delete_elem(&hash, &key);
}

char _license[] SEC("license") = "GPL";
