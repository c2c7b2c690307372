/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench.bpf.c: the programs that are measured, the same object file on every side. Map programs do
 * MAP_OPS operations on random keys; base_key and base_value are the same loop without any. What
 * must not be foreseen lies in writable globals: the kernel folds constants of .rodata into the code.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench_bpf.h"

const volatile __u32 mask; /* keys - 1 */
const volatile __u32 absent; /* or-ed to keys that must not be there */
__u64 state = 1;
__u64 result; /* so that nothing is optimised away */
__u32 zero;   /* a number that the kernel's verifier does not know: paths may join */

#define MAP(name, kind)                                                                            \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

MAP(array, ARRAY);
MAP(percpu_array, PERCPU_ARRAY);
MAP(hash, HASH);
MAP(percpu_hash, PERCPU_HASH);
MAP(lru_hash, LRU_HASH);
MAP(lru_percpu_hash, LRU_PERCPU_HASH);

#define KEYLESS(name, kind)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

KEYLESS(queue, QUEUE);
KEYLESS(stack, STACK);
KEYLESS(bloom_filter, BLOOM_FILTER);

/* Where to: an interface, the length of a CPU's queue. */
#define TARGETS(name, kind)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} name SEC(".maps")

TARGETS(devmap, DEVMAP);
TARGETS(devmap_hash, DEVMAP_HASH);
TARGETS(cpumap, CPUMAP);
TARGETS(cgroup_array, CGROUP_ARRAY);

/* Of what is not in the map: a task; a cgroup, which a test run makes up. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} task_storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, __u64);
} cgroup_storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf_events SEC(".maps");

/* Keys are prefix_key() of a number. */
#define TRIE(name, bytes)                                                                          \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                               \
		__uint(max_entries, 1);                                                            \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(key_size, 4 + (bytes));                                                     \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

TRIE(lpm_ipv4, 4);
TRIE(lpm_ipv6, 16);

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inner SEC(".maps");

#define OUTER(name, kind)                                                                          \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__array(values, struct inner);                                                     \
	} name SEC(".maps")

OUTER(array_of_maps, ARRAY_OF_MAPS);
OUTER(hash_of_maps, HASH_OF_MAPS);

static __always_inline __u64 draw(__u64 x)
{
	return x * 6364136223846793005u + 1442695040888963407u;
}

#define KEPT(x) asm volatile("" ::"r"(x) : "memory")
#define REPEAT(n)                                                                                  \
	_Pragma("clang loop unroll(disable)") for (__u32 i = 0; i < (n); i++)

/* One program: MAP_OPS times the body, which may use key and x and add to sum. */
#define MAP_PROGRAM(name, ...) PROGRAM("tc", struct __sk_buff, name, __VA_ARGS__)
#define PROGRAM(section, context, name, ...)                                                       \
	SEC(section) int name(context *ctx)                                                        \
	{                                                                                          \
		__u64 x = state, sum = 0;                                                          \
                                                                                                   \
		REPEAT(MAP_OPS)                                                                    \
		{                                                                                  \
			__u32 key __attribute__((unused));                                         \
                                                                                                   \
			x = draw(x);                                                               \
			key = (__u32)(x >> 33) & mask;                                             \
			__VA_ARGS__                                                                \
		}                                                                                  \
		state = x;                                                                         \
		result = sum;                                                                      \
		return 0;                                                                          \
	}

#define LOOKUP(map)                                                                                \
	{                                                                                          \
		__u64 *found = bpf_map_lookup_elem(&map, &key);                                    \
                                                                                                   \
		if (found)                                                                         \
			sum += *found;                                                             \
	}
#define UPDATE(map) bpf_map_update_elem(&map, &key, &x, BPF_ANY);

#define MAP_PROGRAMS(map)                                                                          \
	MAP_PROGRAM(map##_lookup, LOOKUP(map))                                                     \
	MAP_PROGRAM(map##_update, UPDATE(map))

MAP_PROGRAM(base_key, KEPT(&key);)
MAP_PROGRAM(base_value, KEPT(&key); KEPT(&x);)

MAP_PROGRAMS(array)
MAP_PROGRAMS(percpu_array)
MAP_PROGRAMS(hash)
MAP_PROGRAMS(percpu_hash)
MAP_PROGRAMS(lru_hash)
MAP_PROGRAMS(lru_percpu_hash)

#define MISS(map) key |= absent; LOOKUP(map)
#define INSERT_DELETE(map) key |= absent; UPDATE(map) bpf_map_delete_elem(&map, &key);
#define CHURN(map) key = (__u32)(x >> 32); UPDATE(map)

MAP_PROGRAM(hash_miss, MISS(hash))
MAP_PROGRAM(hash_insert_delete, INSERT_DELETE(hash))
MAP_PROGRAM(percpu_hash_insert_delete, INSERT_DELETE(percpu_hash))
MAP_PROGRAM(lru_hash_churn, CHURN(lru_hash))
MAP_PROGRAM(lru_percpu_hash_churn, CHURN(lru_percpu_hash))

#define PUSH_POP(map) bpf_map_push_elem(&map, &x, 0); bpf_map_pop_elem(&map, &sum);

MAP_PROGRAM(queue_push_pop, PUSH_POP(queue))
MAP_PROGRAM(stack_push_pop, PUSH_POP(stack))
MAP_PROGRAM(queue_peek, bpf_map_peek_elem(&queue, &sum);)

MAP_PROGRAM(bloom_push, x &= mask; bpf_map_push_elem(&bloom_filter, &x, 0);)
MAP_PROGRAM(bloom_peek, x &= mask; sum += bpf_map_peek_elem(&bloom_filter, &x);)

/* Records of RECORD_BYTES. Nobody is woken: how long a wake-up takes is the system call's time. */
#define RESERVE_SUBMIT                                                                             \
	{                                                                                          \
		__u64 *record = bpf_ringbuf_reserve(&ringbuf, RECORD_BYTES, 0);                    \
                                                                                                   \
		if (record) {                                                                      \
			record[0] = record[1] = record[2] = record[3] = x;                         \
			bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);                              \
		}                                                                                  \
	}
#define OUTPUT                                                                                     \
	{                                                                                          \
		__u64 record[RECORD_BYTES / 8] = {x, x, x, x};                                     \
                                                                                                   \
		bpf_ringbuf_output(&ringbuf, record, RECORD_BYTES, BPF_RB_NO_WAKEUP);              \
	}

MAP_PROGRAM(ringbuf_reserve_submit, RESERVE_SUBMIT)
MAP_PROGRAM(ringbuf_output, OUTPUT)

/* Into rings that are overwritten. */
#define PERF_OUTPUT                                                                                \
	{                                                                                          \
		__u64 record[RECORD_BYTES / 8] = {x, x, x, x};                                     \
                                                                                                   \
		bpf_perf_event_output(ctx, &perf_events, BPF_F_CURRENT_CPU, record, RECORD_BYTES); \
	}

MAP_PROGRAM(perf_event_output, PERF_OUTPUT)

#define REDIRECT(map) sum += bpf_redirect_map(&map, key, XDP_PASS);

PROGRAM("xdp", struct xdp_md, devmap_redirect, REDIRECT(devmap))
PROGRAM("xdp", struct xdp_md, devmap_hash_redirect, REDIRECT(devmap_hash))
PROGRAM("xdp", struct xdp_md, cpumap_redirect, REDIRECT(cpumap))

MAP_PROGRAM(under_cgroup, sum += bpf_current_task_under_cgroup(&cgroup_array, key);)

#define TASK_STORAGE_GET                                                                           \
	{                                                                                          \
		__u64 *found = bpf_task_storage_get(&task_storage, bpf_get_current_task_btf(),     \
						    (void *)0, BPF_LOCAL_STORAGE_GET_F_CREATE);    \
                                                                                                   \
		if (found)                                                                         \
			sum += *found;                                                             \
	}
#define LOCAL_STORAGE sum += *(__u64 *)bpf_get_local_storage(&cgroup_storage, 0);

MAP_PROGRAM(task_storage_get, TASK_STORAGE_GET)
PROGRAM("cgroup_skb/ingress", struct __sk_buff, local_storage, LOCAL_STORAGE)

/* An address below a prefix that is there, or most probably one. */
#define PREFIX_LOOKUP(map, address_bytes)                                                          \
	{                                                                                          \
		struct prefix_key prefix;                                                          \
		__u64 *found;                                                                      \
                                                                                                   \
		prefix_key(&prefix, key, address_bytes);                                           \
		prefix.len = (address_bytes) * 8;                                                  \
		found = bpf_map_lookup_elem(&map, &prefix);                                        \
		if (found)                                                                         \
			sum += *found;                                                             \
	}
#define PREFIX_UPDATE(map, address_bytes)                                                          \
	{                                                                                          \
		struct prefix_key prefix;                                                          \
                                                                                                   \
		prefix_key(&prefix, key, address_bytes);                                           \
		bpf_map_update_elem(&map, &prefix, &x, BPF_ANY);                                   \
	}
#define PREFIX_BASE(address_bytes)                                                                 \
	{                                                                                          \
		struct prefix_key prefix;                                                          \
                                                                                                   \
		prefix_key(&prefix, key, address_bytes);                                           \
		KEPT(&prefix);                                                                     \
	}

MAP_PROGRAM(base_ipv4, PREFIX_BASE(4))
MAP_PROGRAM(base_ipv6, PREFIX_BASE(16))
MAP_PROGRAM(lpm_ipv4_lookup, PREFIX_LOOKUP(lpm_ipv4, 4))
MAP_PROGRAM(lpm_ipv6_lookup, PREFIX_LOOKUP(lpm_ipv6, 16))
MAP_PROGRAM(lpm_ipv4_update, PREFIX_UPDATE(lpm_ipv4, 4))

#define INNER_LOOKUP(map)                                                                          \
	{                                                                                          \
		void *found = bpf_map_lookup_elem(&map, &key);                                     \
		__u32 zero = 0;                                                                    \
		__u64 *value = found ? bpf_map_lookup_elem(found, &zero) : (void *)0;              \
                                                                                                   \
		if (value)                                                                         \
			sum += *value;                                                             \
	}

MAP_PROGRAM(array_of_maps_lookup, INNER_LOOKUP(array_of_maps))
MAP_PROGRAM(hash_of_maps_lookup, INNER_LOOKUP(hash_of_maps))

#define ATOMIC(operation)                                                                          \
	{                                                                                          \
		__u64 *found = bpf_map_lookup_elem(&array, &key);                                  \
                                                                                                   \
		if (found)                                                                         \
			operation;                                                                 \
	}

MAP_PROGRAM(atomic_add, ATOMIC(sum += __sync_fetch_and_add(found, 1)))
MAP_PROGRAM(atomic_cmpxchg, ATOMIC(sum += __sync_val_compare_and_swap(found, x, sum)))

static long add_value(void *map, const void *key, void *value, void *sum)
{
	*(__u64 *)sum += *(__u64 *)value;
	return 0;
}

SEC("tc") int hash_for_each(struct __sk_buff *skb)
{
	__u64 sum = 0;

	bpf_for_each_map_elem(&hash, add_value, &sum, 0);
	result = sum;
	return 0;
}

/* Plain computation. */

__u32 words[NR_WORDS]; /* sorted by the loader */
__u64 source[NR_LONGS], target[NR_LONGS];
char text[TEXT_BYTES], pattern[4];
__u32 unsorted[NR_SORTED];

SEC("tc") int empty(struct __sk_buff *skb)
{
	return 0;
}

SEC("tc") int loop_lcg(struct __sk_buff *skb)
{
	__u64 x = state;

	REPEAT(LCG_OPS)
		x = draw(x) ^ i;
	state = x;
	return 0;
}

SEC("tc") int mul_div(struct __sk_buff *skb)
{
	__u64 x = state, sum = 0;

	REPEAT(MAP_OPS)
	{
		x = draw(x);
		sum += x / ((x >> 40) | 1);
		sum ^= x % ((x >> 32) | 1);
	}
	state = x;
	result = sum;
	return 0;
}

SEC("tc") int checksum(struct __sk_buff *skb)
{
	const __u16 *data = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;
	__u32 sum = 0;

	REPEAT(PACKET_BYTES / 2)
	{
		if ((void *)(data + i + 1) > end)
			break;
		sum += data[i];
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~((sum & 0xffff) + (sum >> 16));
}

static __always_inline __u32 parse_tcp(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4)
		return 0;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || ip->frag_off & bpf_htons(0x1fff))
		return 0;
	tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > end || !tcp->ack)
		return 0;
	return ip->saddr ^ ip->daddr ^ tcp->source ^ tcp->dest;
}

SEC("tc") int parse_packet(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u64 sum = 0;

	REPEAT(PARSE_OPS)
	{
		asm volatile("" : "+r"(data) : : "memory");
		sum += parse_tcp(data, end);
	}
	result = sum;
	return 0;
}

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))

/* Bob Jenkins' lookup3, its inner step on three words. */
static __always_inline void jenkins_mix(__u32 *a, __u32 *b, __u32 *c)
{
	*a -= *c, *a ^= ROTATE(*c, 4), *c += *b;
	*b -= *a, *b ^= ROTATE(*a, 6), *a += *c;
	*c -= *b, *c ^= ROTATE(*b, 8), *b += *a;
	*a -= *c, *a ^= ROTATE(*c, 16), *c += *b;
	*b -= *a, *b ^= ROTATE(*a, 19), *a += *c;
	*c -= *b, *c ^= ROTATE(*b, 4), *b += *a;
}

SEC("tc") int hash_jenkins(struct __sk_buff *skb)
{
	__u32 a = 0xdeadbeef, b = a, c = a;

	REPEAT(NR_WORDS / 4)
	{
		a += words[i * 4];
		b += words[i * 4 + 1];
		c += words[i * 4 + 2];
		jenkins_mix(&a, &b, &c);
	}
	result = c;
	return 0;
}

/* The shape of a 64-bit multiply-rotate hash: four lanes. */
SEC("tc") int hash_lanes(struct __sk_buff *skb)
{
	const __u64 k1 = 0x9e3779b185ebca87, k2 = 0xc2b2ae3d27d4eb4f;
	__u64 lanes[4] = {k1 + k2, k2, 0, -k1};

	REPEAT(NR_LONGS / 4)
	{
		for (int lane = 0; lane < 4; lane++) {
			__u64 h = lanes[lane] + source[i * 4 + lane] * k2;

			lanes[lane] = (h << 31 | h >> 33) * k1;
		}
	}
	result = lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3];
	return 0;
}

SEC("tc") int sort(struct __sk_buff *skb)
{
	__u64 x = state;

	REPEAT(NR_SORTED)
	{
		x = draw(x);
		unsorted[i] = x >> 32;
	}
	state = x;
	REPEAT(NR_SORTED - 1)
	{
		_Pragma("clang loop unroll(disable)") for (__u32 j = 0; j < NR_SORTED - 1; j++)
		{
			__u32 a = unsorted[j], b = unsorted[j + 1];

			if (a > b) {
				unsorted[j] = b;
				unsorted[j + 1] = a;
			}
		}
	}
	return 0;
}

static __noinline __u64 callee(__u64 a, __u64 b)
{
	KEPT(a);
	return a ^ b;
}

SEC("tc") int bpf_calls(struct __sk_buff *skb)
{
	__u64 x = state;

	REPEAT(MAP_OPS)
		x = callee(x, i) + 1;
	state = x;
	return 0;
}

static long loop_body(__u32 index, void *sum)
{
	*(__u64 *)sum += index;
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_program SEC(".maps");

/* Calls itself until the limit. */
SEC("tc") int tail_calls(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &next_program, 0);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

/* To slots that are empty: the way that a program's own fallback takes. */
SEC("xdp") int redirect_map(struct xdp_md *ctx)
{
	__u64 sum = 0;

	for (int i = 0; i < MAP_OPS; i++)
		sum += bpf_redirect_map(&interfaces, i & 63, XDP_PASS);
	result = sum;
	return XDP_PASS;
}

SEC("tc") int loop_helper(struct __sk_buff *skb)
{
	__u64 sum = 0;

	bpf_loop(MAP_OPS, loop_body, &sum, 0);
	result = sum;
	return 0;
}

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");

static int on_time(void *map, __u32 *key, struct timed *value)
{
	return 0;
}

/* Putting off one that is far from due, as who waits for something with a time limit does. */
SEC("tc") int timer_start(struct __sk_buff *skb)
{
	struct timed *value = bpf_map_lookup_elem(&timers, &zero);

	if (!value)
		return 1;
	bpf_timer_init(&value->timer, &timers, 1);
	bpf_timer_set_callback(&value->timer, on_time);
	REPEAT(MAP_OPS)
	{
		bpf_timer_start(&value->timer, 1ull << 40, 0);
	}
	return 0;
}

/* Once cancelled a timer has no callback. */
SEC("tc") int timer_start_cancel(struct __sk_buff *skb)
{
	struct timed *value = bpf_map_lookup_elem(&timers, &zero);

	if (!value)
		return 1;
	bpf_timer_init(&value->timer, &timers, 1);
	REPEAT(MAP_OPS)
	{
		bpf_timer_set_callback(&value->timer, on_time);
		bpf_timer_start(&value->timer, 1ull << 40, 0);
		bpf_timer_cancel(&value->timer);
	}
	return 0;
}

SEC("tc") int string_match(struct __sk_buff *skb)
{
	__u64 sum = 0;

	REPEAT(TEXT_BYTES - 3)
	{
		if (text[i] == pattern[0] && text[i + 1] == pattern[1] &&
		    text[i + 2] == pattern[2] && text[i + 3] == pattern[3])
			sum++;
	}
	result = sum;
	return 0;
}

SEC("tc") int binary_search(struct __sk_buff *skb)
{
	__u64 x = state, sum = 0;

	REPEAT(SEARCH_OPS)
	{
		__u32 at = zero & (NR_WORDS - 1), key;

		x = draw(x);
		key = x >> 33;
		_Pragma("clang loop unroll(disable)") for (__u32 bit = NR_WORDS / 2; bit; bit >>= 1)
		{
			__u32 next = (at + bit) & (NR_WORDS - 1);

			if (words[next] <= key)
				at = next;
			at &= NR_WORDS - 1;
		}
		sum += at;
	}
	state = x;
	result = sum;
	return 0;
}

SEC("tc") int copy(struct __sk_buff *skb)
{
	REPEAT(NR_LONGS)
	{
		target[i] = source[i];
		KEPT(target);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
