/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench_calls.bpf.c: programs of types whose test runs know no repeat count, each with MAP_OPS
 * operations. Apart from the others because kernel functions want the BTF of the kernel at hand.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bench_bpf.h"

#define MAP_TYPE_ARENA 33 /* Linux 6.9 */

const volatile __u32 pages; /* of a run */
__u64 result;		    /* so that nothing is optimised away */

struct {
	__uint(type, MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ARENA_PAGES);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1024);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

extern void *bpf_arena_alloc_pages(void *map, void *addr, __u32 page_cnt, int node_id,
				   __u64 flags) __ksym;
extern void bpf_arena_free_pages(void *map, void *ptr, __u32 page_cnt) __ksym;

#define REPEAT(n)                                                                                  \
	_Pragma("clang loop unroll(disable)") for (__u32 i = 0; i < (n); i++)

SEC("syscall") int arena_pages(void *ctx)
{
	REPEAT(MAP_OPS)
	{
		void *run = bpf_arena_alloc_pages(&arena, (void *)0, pages, -1, 0);

		if (run)
			bpf_arena_free_pages(&arena, run, pages);
	}
	return 0;
}

/* The same stack each time, as of a place that is come by often. */
SEC("raw_tracepoint/sys_enter") int stack_id(void *ctx)
{
	__u64 sum = 0;

	REPEAT(MAP_OPS)
		sum += bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	result = sum;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
