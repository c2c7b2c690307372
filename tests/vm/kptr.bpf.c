/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kptr.bpf.c: programs that keep objects of their own types behind pointers in map values
 * (test_kptr.c).
 */
#include "local_object.bpf.h"

struct bag {
	__u64 key;
	struct bpf_spin_lock lock;
	struct bpf_list_head items contains(item, link);
};

/* test_kptr.c tags the pointers in these two, which clang 14 cannot. */
struct slots {
	__u64 before;
	struct plain *plain;
	struct item *item;
	struct bag *bag;
};

struct percpu_slot {
	struct plain *plain;
};

struct slot_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct slots);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct percpu_slot);
} percpu_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct slot_map);
} outer SEC(".maps") = {.values = {&slots}};

SEC("tc") int slot_put(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct plain *plain, *old;
	__u64 had = 0;

	if (!slot)
		return 1;
	plain = new(struct plain);
	if (!plain)
		return 2;
	plain->key = in[0];
	old = bpf_kptr_xchg(&slot->plain, plain);
	if (old) {
		had = old->key;
		drop(old);
	}
	NOTE(0, had);
	return 0;
}

SEC("tc") int slot_take(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct plain *old;

	if (!slot)
		return -1;
	old = bpf_kptr_xchg(&slot->plain, NULL);
	if (!old)
		return 0;
	NOTE(0, old->key);
	drop(old);
	return 1;
}

/* Reads through the pointer where it is. */
SEC("tc") int slot_read(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct plain *plain;
	int found = 0;

	if (!slot)
		return -1;
	bpf_rcu_read_lock();
	plain = slot->plain;
	if (plain)
		found = (int)plain->key;
	bpf_rcu_read_unlock();
	return found;
}

/* Looks at it for a while, and at something else in between. */
SEC("tc") int slot_watch(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct plain *plain;

	if (!slot)
		return -1;
	bpf_rcu_read_lock();
	plain = slot->plain;
	for (int i = 0; i < 100 && plain; i++) {
		*(volatile __u64 *)&plain->key;
		*(volatile __u64 *)&slot->before;
	}
	bpf_rcu_read_unlock();
	return 0;
}

/* The same in a map that this program finds in another. */
SEC("tc") int inner_read(struct __sk_buff *skb)
{
	__u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&outer, &zero);
	struct slots *slot = inner ? bpf_map_lookup_elem(inner, &key) : NULL;
	struct plain *plain;
	int found = 0;

	if (!slot)
		return -1;
	bpf_rcu_read_lock();
	plain = slot->plain;
	if (plain)
		found = (int)plain->key;
	bpf_rcu_read_unlock();
	return found;
}

/* A list inside an object that a map value points to. */
SEC("tc") int bag_fill(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct bag *bag, *old;
	int err = 0;

	if (!slot)
		return 1;
	bag = new(struct bag);
	if (!bag)
		return 2;
	bag->key = count;
	for (__u32 i = 0; i < ITEMS && i < count && !err; i++)
		err = push(&bag->lock, &bag->items, in[i]);
	old = bpf_kptr_xchg(&slot->bag, bag);
	if (old)
		drop(old);
	return err;
}

SEC("tc") int bag_empty(struct __sk_buff *skb)
{
	struct slots *slot = bpf_map_lookup_elem(&slots, &key);
	struct bag *bag;

	if (!slot)
		return 1;
	bag = bpf_kptr_xchg(&slot->bag, NULL);
	if (!bag)
		return 2;
	for (__u32 i = 0; i < ITEMS && i < count; i++)
		seen[i] = pop(&bag->lock, &bag->items);
	drop(bag);
	return 0;
}

SEC("tc") int percpu_put(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct percpu_slot *slot = bpf_map_lookup_elem(&percpu_slots, &zero);
	struct plain *plain, *old;

	if (!slot)
		return 1;
	plain = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct plain), NULL);
	if (!plain)
		return 2;
	old = bpf_kptr_xchg(&slot->plain, plain);
	if (!old)
		return 0;
	bpf_percpu_obj_drop_impl(old, NULL);
	return 3;
}

/* Gives each CPU's a number of its own; this CPU's gets a further one. */
SEC("tc") int percpu_set(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct percpu_slot *slot = bpf_map_lookup_elem(&percpu_slots, &zero);
	struct plain *all, *plain;

	if (!slot)
		return 1;
	bpf_rcu_read_lock();
	all = slot->plain;
	if (all) {
		for (int cpu = 0; cpu < 512; cpu++) {
			plain = bpf_per_cpu_ptr(all, cpu);
			if (!plain)
				break;
			plain->key = key + cpu;
		}
		plain = bpf_this_cpu_ptr(all);
		plain->key += 1000;
	}
	bpf_rcu_read_unlock();
	return !all;
}

SEC("tc") int percpu_sum(struct __sk_buff *skb)
{
	__u32 zero = 0, sum = 0;
	struct percpu_slot *slot = bpf_map_lookup_elem(&percpu_slots, &zero);
	struct plain *all, *plain;

	if (!slot)
		return 0;
	bpf_rcu_read_lock();
	all = slot->plain;
	for (int cpu = 0; all && cpu < 512; cpu++) {
		plain = bpf_per_cpu_ptr(all, cpu);
		if (!plain)
			break;
		sum += plain->key;
	}
	bpf_rcu_read_unlock();
	return (int)sum;
}

char LICENSE[] SEC("license") = "GPL";
