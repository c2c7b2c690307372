/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bench_prog.c: programs of bench.bpf.c through BPF_PROG_TEST_RUN, whose repeat count makes the call
 * itself disappear. For map operations the same loop without the operation is measured too, in the
 * same round, and taken off. A row loads its own program and creates its own map only.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "bench.skel.h"
#include "bench_bpf.h"

#define MAX_REPEAT 100000000u
#define BASE_SHARE 4 /* the empty loop gets this part of the operations */
#define MAX_CPUS 1024
#define PAGE 4096
#define EVENT_PAGES 64
#define LOOPBACK 1
#define QUEUE_LENGTH 192

/* What bench->op means here: the loop that is taken off, if any. */
enum base { BASE_NONE, BASE_KEY, BASE_VALUE, BASE_IPV4, BASE_IPV6 };

struct program_state {
	const struct bench *bench;
	struct bench_bpf *skeleton;
	int program, base; /* descriptors; base < 0: nothing is taken off */
	/* Of a ring buffer, which has room for so many runs of the program; or 0. */
	__u32 runs;
	volatile __u64 *consumer, *producer;
	__u8 packet[PACKET_BYTES];
};

/* Loading */

static const char *base_name(const struct bench *bench)
{
	static const char *const names[] = {
		[BASE_NONE] = "",
		[BASE_KEY] = "base_key",
		[BASE_VALUE] = "base_value",
		[BASE_IPV4] = "base_ipv4",
		[BASE_IPV6] = "base_ipv6",
	};

	return names[bench->op];
}

static bool is_of_row(const struct bench *bench, const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	return !strcmp(name, bench->program) || !strcmp(name, base_name(bench));
}

static __u32 entries_of(const struct bench *bench)
{
	return bench->size * (bench->room ? bench->room : 1);
}

/* The row's map gets its size, the others stay at one entry. */
static void choose(struct bench_bpf *skeleton, const struct bench *bench)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, is_of_row(bench, program));
	if (!bench->map)
		return;
	map = bpf_object__find_map_by_name(skeleton->obj, bench->map);
	bpf_map__set_max_entries(map, entries_of(bench));
	skeleton->rodata->mask = bench->size - 1;
	skeleton->rodata->absent = bench->size / 2;
}

static int compare_words(const void *a, const void *b)
{
	const __u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return x < y ? -1 : x > y;
}

/* What plain computation works on. */
static void fill_globals(struct bench_bpf__bss *bss)
{
	__u64 x = 1;

	for (size_t i = 0; i < NR_WORDS; i++)
		bss->words[i] = (__u32)((x = draw(x)) >> 33);
	qsort(bss->words, NR_WORDS, sizeof(bss->words[0]), compare_words);
	for (size_t i = 0; i < NR_LONGS; i++)
		bss->source[i] = x = draw(x);
	for (size_t i = 0; i < TEXT_BYTES; i++)
		bss->text[i] = "abcd"[(x = draw(x)) >> 62];
	memcpy(bss->pattern, "abca", sizeof(bss->pattern));
}

/* Ethernet, IPv4, TCP with ACK, and some payload. */
static void fill_packet(__u8 packet[PACKET_BYTES])
{
	__u64 x = 1;

	for (size_t i = 0; i < PACKET_BYTES; i++)
		packet[i] = (__u8)((x = draw(x)) >> 56);
	packet[12] = 0x08, packet[13] = 0x00;
	packet[14] = 0x45, packet[20] = packet[21] = 0, packet[23] = 6;
	packet[47] = 0x10;
}

/* Elements */

static int fill_keys(const struct bpf_map *map, const struct bench *bench)
{
	const __u32 filled = bench->filled == NOTHING ? 0
			     : bench->filled ? (__u32)((__u64)bench->size * bench->filled / 100)
					     : bench->size;
	static __u64 values[MAX_CPUS];
	__u32 key;
	int err = 0;

	for (key = 0; key < filled && !err; key++) {
		values[0] = key;
		err = bpf_map_update_elem(bpf_map__fd(map), bpf_map__key_size(map) ? &key : NULL,
					  values, BPF_ANY);
	}
	return err;
}

static int fill_outer(const struct bpf_map *map, const struct bench *bench)
{
	__u32 key = 0;
	int err = 0, inner;

	for (; key < bench->size && !err; key++) {
		inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", sizeof(__u32), sizeof(__u64), 1,
				       NULL);
		if (inner < 0)
			return inner;
		err = bpf_map_update_elem(bpf_map__fd(map), &key, &inner, BPF_ANY);
		close(inner);
	}
	return err;
}

static int fill_trie(const struct bpf_map *map, const struct bench *bench)
{
	struct prefix_key key;
	__u64 value = 0;
	int err = 0;

	for (__u32 number = 0; number < bench->size && !err; number++) {
		prefix_key(&key, number, bpf_map__key_size(map) - (__u32)sizeof(key.len));
		err = bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY);
	}
	return err;
}

/* What its consumer maps. */
static int map_ring(struct program_state *s, const struct bpf_map *map)
{
	const int fd = bpf_map__fd(map);

	s->consumer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	s->producer = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	if (s->consumer == MAP_FAILED || s->producer == MAP_FAILED)
		return -errno;
	s->runs = s->bench->size / (s->bench->ops * (BPF_RINGBUF_HDR_SZ + RECORD_BYTES));
	return 0;
}

/* One event for each CPU. Mapped read-only its ring never is full, and nobody waits. */
static int open_events(const struct bpf_map *map, const struct bench *bench)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = EVENT_PAGES * PAGE,
	};
	int err = 0, event;

	for (__u32 cpu = 0; cpu < bench->size && !err; cpu++) {
		event = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		if (event < 0)
			return cpu ? 0 : -errno;
		if (mmap(NULL, (1 + EVENT_PAGES) * PAGE, PROT_READ, MAP_SHARED, event, 0) == MAP_FAILED)
			err = -errno;
		else
			err = bpf_map_update_elem(bpf_map__fd(map), &cpu, &event, BPF_ANY);
		close(event);
	}
	return err;
}

static int fill_with(const struct bpf_map *map, const struct bench *bench, __u32 value)
{
	int err = 0;

	for (__u32 key = 0; key < bench->size && !err; key++)
		err = bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY);
	return err;
}

/* That of all tasks. */
static int fill_cgroups(const struct bpf_map *map, const struct bench *bench)
{
	int root = open("/sys/fs/cgroup/cgroup.procs", O_RDONLY), err;

	if (root < 0) {
		root = open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY);
	} else {
		close(root);
		root = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
	}
	if (root < 0)
		return -errno;
	err = fill_with(map, bench, (__u32)root);
	close(root);
	return err;
}

static int fill_map(struct program_state *s)
{
	const struct bench *bench = s->bench;
	const struct bpf_map *map = bpf_object__find_map_by_name(s->skeleton->obj, bench->map);

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return fill_outer(map, bench);
	case BPF_MAP_TYPE_LPM_TRIE:
		return fill_trie(map, bench);
	case BPF_MAP_TYPE_RINGBUF:
		return map_ring(s, map);
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		return open_events(map, bench);
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		return fill_with(map, bench, LOOPBACK);
	case BPF_MAP_TYPE_CPUMAP:
		return fill_with(map, bench, QUEUE_LENGTH);
	case BPF_MAP_TYPE_CGROUP_ARRAY:
		return fill_cgroups(map, bench);
	default:
		return fill_keys(map, bench);
	}
}

static int program_fd(const struct bench_bpf *skeleton, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, name));
}

static void program_teardown(void *state)
{
	struct program_state *s = state;

	if (s->runs) {
		munmap((void *)s->consumer, PAGE);
		munmap((void *)s->producer, PAGE);
	}
	bench_bpf__destroy(s->skeleton);
	free(s);
}

static int program_load(struct program_state *s)
{
	const struct bench *bench = s->bench;
	int err;

	s->skeleton = bench_bpf__open();
	if (!s->skeleton)
		return -errno;
	choose(s->skeleton, bench);
	err = bench_bpf__load(s->skeleton);
	if (err)
		return err;
	fill_globals(s->skeleton->bss);
	if (bench->map)
		err = fill_map(s);
	s->program = program_fd(s->skeleton, bench->program);
	if (!err && s->program == program_fd(s->skeleton, "tail_calls"))
		err = bpf_map_update_elem(bpf_map__fd(s->skeleton->maps.next_program), &(__u32){0},
					  &s->program, BPF_ANY);
	s->base = bench->op == BASE_NONE ? -1 : program_fd(s->skeleton, base_name(bench));
	return err;
}

static int program_setup(const struct bench *bench, enum side side, void **state)
{
	struct program_state *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->bench = bench;
	fill_packet(s->packet);
	err = program_load(s);
	if (err) {
		program_teardown(s);
		return err;
	}
	*state = s;
	return 0;
}

/* Measuring */

/* The records of a ring buffer are consumed unseen when it is full. */
static int timed_run(struct program_state *s, int program, __u32 repeat, double *ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->packet,
		    .data_size_in = sizeof(s->packet));
	const double from = cpu_ns();
	int err = 0;

	for (; repeat && !err; repeat -= (__u32)opts.repeat) {
		if (s->runs)
			*s->consumer = *s->producer;
		opts.repeat = (int)(s->runs && s->runs < repeat ? s->runs : repeat);
		err = bpf_prog_test_run_opts(program, &opts);
	}
	*ns = cpu_ns() - from;
	return err;
}

static int program_measure(void *state, __u64 *count, double *ns)
{
	struct program_state *s = state;
	const __u32 ops = s->bench->ops ? s->bench->ops : 1;
	__u64 repeat = (*count + ops - 1) / ops;
	double base_ns;
	__u32 base_repeat;
	int err;

	repeat = repeat > MAX_REPEAT ? MAX_REPEAT : repeat;
	*count = repeat * ops;
	err = timed_run(s, s->program, (__u32)repeat, ns);
	if (err || s->base < 0)
		return err;
	base_repeat = (__u32)(repeat / BASE_SHARE) + 1;
	err = timed_run(s, s->base, base_repeat, &base_ns);
	*ns -= base_ns / base_repeat * (double)repeat;
	return err;
}

/* The kinds and their rows */

static const struct bench_kind map_programs = {
	.title = "Map operations in a program, ns each",
	.sides = 1 << SIDE_KERNEL | 1 << SIDE_USERBPF | 1 << SIDE_INTERP,
	.subject = SIDE_USERBPF,
	.reference = 1 << SIDE_KERNEL,
	.setup = program_setup,
	.measure = program_measure,
	.teardown = program_teardown,
};

static const struct bench_kind programs = {
	.title = "Plain computation, ns",
	.sides = 1 << SIDE_KERNEL | 1 << SIDE_USERBPF | 1 << SIDE_INTERP,
	.subject = SIDE_USERBPF,
	.reference = 1 << SIDE_KERNEL,
	.setup = program_setup,
	.measure = program_measure,
	.teardown = program_teardown,
};

#define K *1024u
#define M *1024u * 1024u
#define ROW(title, program_, map_, size_, goal_, op_, ...)                                         \
	{.name = title, .program = program_, .map = map_, .size = size_, .goal = goal_,            \
	 .ops = MAP_OPS, .op = BASE_##op_, __VA_ARGS__}

/* An array's lookup hides behind the loop: what the processor does meanwhile cannot be taken off. */
static const struct bench map_rows[] = {
	ROW("empty loop", "base_key", "array", 1 K, 0, NONE),
	ROW("array lookup 1k, with loop", "array_lookup", "array", 1 K, 1.0, NONE),
	ROW("array update 1k", "array_update", "array", 1 K, 0.3, VALUE),
	ROW("array lookup 1M, with loop", "array_lookup", "array", 1 M, 0, NONE),
	ROW("percpu_array lookup 1k, with loop", "percpu_array_lookup", "percpu_array", 1 K, 1.0, NONE),
	ROW("percpu_array update 1k", "percpu_array_update", "percpu_array", 1 K, 0, VALUE),
	ROW("atomic add in array, with loop", "atomic_add", "array", 1 K, 0, NONE),
	ROW("atomic cmpxchg in array, with loop", "atomic_cmpxchg", "array", 1 K, 0, NONE),
	ROW("hash hit 1k", "hash_lookup", "hash", 1 K, 0.5, KEY),
	ROW("hash hit 64k", "hash_lookup", "hash", 64 K, 0, KEY),
	ROW("hash hit 1M", "hash_lookup", "hash", 1 M, 0.7, KEY),
	ROW("hash miss 1k", "hash_miss", "hash", 1 K, 0.5, KEY, .filled = 50),
	ROW("hash miss 64k", "hash_miss", "hash", 64 K, 0, KEY, .filled = 50),
	ROW("hash miss 1M", "hash_miss", "hash", 1 M, 0, KEY, .filled = 50),
	ROW("hash update 1k", "hash_update", "hash", 1 K, 0.35, VALUE),
	ROW("hash update 64k", "hash_update", "hash", 64 K, 0, VALUE),
	ROW("hash update 1M", "hash_update", "hash", 1 M, 0, VALUE),
	ROW("hash insert+delete 1k", "hash_insert_delete", "hash", 1 K, 0.35, VALUE, .filled = 50),
	ROW("hash insert+delete 64k", "hash_insert_delete", "hash", 64 K, 0, VALUE, .filled = 50),
	ROW("hash insert+delete 1M", "hash_insert_delete", "hash", 1 M, 0, VALUE, .filled = 50),
	ROW("percpu_hash hit 1k", "percpu_hash_lookup", "percpu_hash", 1 K, 0.5, KEY),
	ROW("percpu_hash update 1k", "percpu_hash_update", "percpu_hash", 1 K, 0, VALUE),
	ROW("percpu_hash insert+delete 1k", "percpu_hash_insert_delete", "percpu_hash", 1 K, 0, VALUE,
	    .filled = 50),
	ROW("lru_hash hit 1k", "lru_hash_lookup", "lru_hash", 1 K, 0.5, KEY, .room = 4),
	ROW("lru_hash hit 64k", "lru_hash_lookup", "lru_hash", 64 K, 0, KEY, .room = 2),
	ROW("lru_hash update 1k", "lru_hash_update", "lru_hash", 1 K, 0.35, VALUE, .room = 4),
	ROW("lru_hash churn 1k", "lru_hash_churn", "lru_hash", 1 K, 0.35, VALUE),
	ROW("lru_hash churn 64k", "lru_hash_churn", "lru_hash", 64 K, 0.35, VALUE),
	ROW("lru_percpu_hash hit 1k", "lru_percpu_hash_lookup", "lru_percpu_hash", 1 K, 0.5, KEY,
	    .room = 4),
	ROW("lru_percpu_hash update 1k", "lru_percpu_hash_update", "lru_percpu_hash", 1 K, 0, VALUE,
	    .room = 4),
	ROW("lru_percpu_hash churn 1k", "lru_percpu_hash_churn", "lru_percpu_hash", 1 K, 0, VALUE),
	{.name = "for_each in hash 1k, per key", .program = "hash_for_each", .map = "hash",
	 .size = 1 K, .ops = 1 K},
	ROW("queue push+pop", "queue_push_pop", "queue", 1 K, 0.5, VALUE, .filled = 50),
	ROW("queue peek", "queue_peek", "queue", 1 K, 0, KEY, .filled = 50),
	ROW("stack push+pop", "stack_push_pop", "stack", 1 K, 0.5, VALUE, .filled = 50),
	ROW("bloom push", "bloom_push", "bloom_filter", 64 K, 0.5, VALUE, .filled = NOTHING),
	ROW("bloom peek", "bloom_peek", "bloom_filter", 64 K, 0.5, VALUE, .filled = 50),
	ROW("ringbuf reserve+submit 32 bytes", "ringbuf_reserve_submit", "ringbuf", 1 M, 1.0, VALUE),
	ROW("ringbuf output 32 bytes", "ringbuf_output", "ringbuf", 1 M, 1.0, VALUE),
	ROW("perf_event_output 32 bytes", "perf_event_output", "perf_events", MAX_CPUS, 1.0, VALUE),
	ROW("lpm IPv4 lookup 1k", "lpm_ipv4_lookup", "lpm_ipv4", 1 K, 0, IPV4),
	ROW("lpm IPv4 lookup 128k", "lpm_ipv4_lookup", "lpm_ipv4", 128 K, 0.3, IPV4),
	ROW("lpm IPv4 lookup 1M", "lpm_ipv4_lookup", "lpm_ipv4", 1 M, 0.3, IPV4),
	ROW("lpm IPv6 lookup 128k", "lpm_ipv6_lookup", "lpm_ipv6", 128 K, 0.3, IPV6),
	ROW("lpm IPv4 update 128k", "lpm_ipv4_update", "lpm_ipv4", 128 K, 0, IPV4),
	ROW("redirect_map in devmap 64", "devmap_redirect", "devmap", 64, 0, KEY),
	ROW("redirect_map in devmap_hash 64", "devmap_hash_redirect", "devmap_hash", 64, 0, KEY),
	ROW("redirect_map in cpumap 1", "cpumap_redirect", "cpumap", 1, 0, KEY),
	ROW("task under cgroup", "under_cgroup", "cgroup_array", 64, 0, KEY),
	ROW("task storage get", "task_storage_get", "task_storage", 0, 0, KEY),
	ROW("get_local_storage", "local_storage", "cgroup_storage", 0, 0, KEY),
	ROW("array_of_maps inner lookup, with loop", "array_of_maps_lookup", "array_of_maps", 64, 0, NONE),
	ROW("hash_of_maps inner lookup", "hash_of_maps_lookup", "hash_of_maps", 64, 0, KEY),
};

#define PROGRAM(title, program_, ops_, goal_)                                                      \
	{.name = title, .program = program_, .ops = ops_, .goal = goal_}

static const struct bench program_rows[] = {
	PROGRAM("empty program", "empty", 1, 0),
	PROGRAM("LCG loop, per turn", "loop_lcg", LCG_OPS, 1.0),
	PROGRAM("multiply, divide, modulo", "mul_div", MAP_OPS, 1.0),
	PROGRAM("bpf2bpf call", "bpf_calls", MAP_OPS, 1.0),
	PROGRAM("tail call", "tail_calls", TAIL_CALLS, 1.0),
	PROGRAM("bpf_redirect_map", "redirect_map", MAP_OPS, 1.0),
	PROGRAM("timer start", "timer_start", MAP_OPS, 0),
	PROGRAM("timer set, start, cancel", "timer_start_cancel", MAP_OPS, 0),
	PROGRAM("bpf_loop, per turn", "loop_helper", MAP_OPS, 1.0),
	PROGRAM("checksum of 1 KiB packet", "checksum", 1, 1.0),
	PROGRAM("parse Ethernet, IPv4, TCP", "parse_packet", PARSE_OPS, 1.0),
	PROGRAM("Jenkins hash of 4 KiB", "hash_jenkins", 1, 1.0),
	PROGRAM("four-lane hash of 1 KiB", "hash_lanes", 1, 1.0),
	PROGRAM("sort 32 numbers", "sort", 1, 1.0),
	PROGRAM("string match in 512 bytes", "string_match", 1, 1.0),
	PROGRAM("binary search in 1024", "binary_search", SEARCH_OPS, 1.0),
	PROGRAM("copy 1 KiB by words", "copy", 1, 1.0),
};

const struct bench_table bench_map_programs = {&map_programs, map_rows, ARRAY_SIZE(map_rows)};
const struct bench_table bench_programs = {&programs, program_rows, ARRAY_SIZE(program_rows)};
