/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * wq.bpf.c: a program for each kernel function on work queues; what to do comes in global variables.
 * Callbacks write into the value and into globals what they were given.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback)(void *, int *, void *),
				    unsigned flags, void *aux) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned flags) __ksym;

struct value {
	__u64 fired, last_key, padding;
	struct bpf_wq work;
};

#define MAP(name, kind)                                                                            \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, 4);                                                            \
		__type(key, int);                                                                  \
		__type(value, struct value);                                                       \
	} name SEC(".maps")

MAP(array, BPF_MAP_TYPE_ARRAY);
MAP(hash, BPF_MAP_TYPE_HASH);
MAP(lru, BPF_MAP_TYPE_LRU_HASH);

enum { IN_ARRAY, IN_HASH, IN_LRU };

int which, again, key, copied;
__u64 from;

static int work(void *map, int *k, void *value)
{
	struct value *v = value;

	__sync_fetch_and_add(&v->fired, 1);
	v->last_key = *k;
	if (again) {
		again--;
		bpf_wq_start(&v->work, 0);
	}
	return 0;
}

#define EACH(call)                                                                                 \
	struct value *v;                                                                           \
                                                                                                   \
	if (which == IN_ARRAY) {                                                                   \
		v = bpf_map_lookup_elem(&array, &key);                                             \
		return v ? call(array) : 1;                                                        \
	}                                                                                          \
	if (which == IN_HASH) {                                                                    \
		v = bpf_map_lookup_elem(&hash, &key);                                              \
		return v ? call(hash) : 1;                                                         \
	}                                                                                          \
	v = bpf_map_lookup_elem(&lru, &key);                                                       \
	return v ? call(lru) : 1

#define INIT(map) bpf_wq_init(&v->work, &map, 0)
#define INIT_FLAGS(map) bpf_wq_init(&v->work, &map, 1)
#define SET_CALLBACK(map) bpf_wq_set_callback_impl(&v->work, work, 0, NULL)
#define SET_CALLBACK_FLAGS(map) bpf_wq_set_callback_impl(&v->work, work, 1, NULL)
#define START(map) bpf_wq_start(&v->work, 0)
#define START_FLAGS(map) bpf_wq_start(&v->work, 1)

SEC("tc") int init(struct __sk_buff *skb)
{
	EACH(INIT);
}

SEC("tc") int init_flags(struct __sk_buff *skb)
{
	EACH(INIT_FLAGS);
}

SEC("tc") int set_callback(struct __sk_buff *skb)
{
	EACH(SET_CALLBACK);
}

SEC("tc") int set_callback_flags(struct __sk_buff *skb)
{
	EACH(SET_CALLBACK_FLAGS);
}

SEC("tc") int start(struct __sk_buff *skb)
{
	EACH(START);
}

SEC("tc") int start_flags(struct __sk_buff *skb)
{
	EACH(START_FLAGS);
}

/* Ways to load that may be refused. */

SEC("?socket") int in_a_filter(struct __sk_buff *skb)
{
	struct value *v = bpf_map_lookup_elem(&array, &key);

	return v ? bpf_wq_init(&v->work, &array, 0) : 1;
}

SEC("?kprobe") int in_a_probe(void *ctx)
{
	struct value *v = bpf_map_lookup_elem(&array, &key);

	return v ? bpf_wq_init(&v->work, &array, 0) : 1;
}

static int returns_one(void *map, int *k, void *value)
{
	return 1;
}

SEC("?tc") int callback_returns_one(struct __sk_buff *skb)
{
	struct value *v = bpf_map_lookup_elem(&array, &key);

	return v ? bpf_wq_set_callback_impl(&v->work, returns_one, 0, NULL) : 1;
}

static long copy(void *map, int *k, void *value)
{
	char byte;

	copied = bpf_copy_from_user(&byte, 1, (void *)from);
	return 0;
}

SEC("?tc") int callback_sleeps(struct __sk_buff *skb)
{
	struct value *v = bpf_map_lookup_elem(&array, &key);

	return v ? bpf_wq_set_callback_impl(&v->work, (void *)copy, 0, NULL) : 1;
}

char _license[] SEC("license") = "GPL";
