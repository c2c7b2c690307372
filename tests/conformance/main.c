/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * main.c: the conformance program's arguments, its names of types and results.
 *
 *	conformance cases --type T
 *	conformance random --type T [--seed N] [--first N] [--sequences M] [--ops K]
 *			   [--only I,J...] [--verbose]
 */
#include <getopt.h>
#include <sched.h>
#include <sys/mman.h>

#include "conformance.h"

const struct type types[] = {
	{BPF_MAP_TYPE_HASH, "HASH", HASHED},
	{BPF_MAP_TYPE_PERCPU_HASH, "PERCPU_HASH", HASHED | PER_CPU},
	{BPF_MAP_TYPE_LRU_HASH, "LRU_HASH", HASHED | LRU},
	{BPF_MAP_TYPE_LRU_PERCPU_HASH, "LRU_PERCPU_HASH", HASHED | LRU | PER_CPU},
	{BPF_MAP_TYPE_ARRAY, "ARRAY", INDEXED},
	{BPF_MAP_TYPE_PERCPU_ARRAY, "PERCPU_ARRAY", INDEXED | PER_CPU},
	{BPF_MAP_TYPE_QUEUE, "QUEUE", KEYLESS},
	{BPF_MAP_TYPE_STACK, "STACK", KEYLESS},
	{BPF_MAP_TYPE_ARRAY_OF_MAPS, "ARRAY_OF_MAPS", INDEXED | OUTER},
	{BPF_MAP_TYPE_HASH_OF_MAPS, "HASH_OF_MAPS", HASHED | OUTER},
	{BPF_MAP_TYPE_LPM_TRIE, "LPM_TRIE", PREFIXES},
	{BPF_MAP_TYPE_BLOOM_FILTER, "BLOOM_FILTER", KEYLESS | FILTER},
	{BPF_MAP_TYPE_PROG_ARRAY, "PROG_ARRAY", INDEXED | PROGRAMS},
	{BPF_MAP_TYPE_RINGBUF, "RINGBUF", KEYLESS | RECORDS},
	{BPF_MAP_TYPE_USER_RINGBUF, "USER_RINGBUF", KEYLESS | RECORDS},
	{BPF_MAP_TYPE_STACK_TRACE, "STACK_TRACE", INDEXED | TRACES},
	{BPF_MAP_TYPE_PERF_EVENT_ARRAY, "PERF_EVENT_ARRAY", INDEXED | EVENTS},
	{BPF_MAP_TYPE_SK_STORAGE, "SK_STORAGE", OWNED},
	{BPF_MAP_TYPE_INODE_STORAGE, "INODE_STORAGE", OWNED},
	{BPF_MAP_TYPE_TASK_STORAGE, "TASK_STORAGE", OWNED},
	{MAP_TYPE_CGRP_STORAGE, "CGRP_STORAGE", OWNED},
	{BPF_MAP_TYPE_DEVMAP, "DEVMAP", INDEXED | NAMES | WIDE | REDIRECTS},
	{BPF_MAP_TYPE_DEVMAP_HASH, "DEVMAP_HASH", HASHED | NAMES | WIDE | REDIRECTS},
	{BPF_MAP_TYPE_CPUMAP, "CPUMAP", INDEXED | NAMES | WIDE | REDIRECTS | OPAQUE},
	{BPF_MAP_TYPE_XSKMAP, "XSKMAP", INDEXED | NAMES | SOCKETS | REDIRECTS | OPAQUE},
	{BPF_MAP_TYPE_SOCKMAP, "SOCKMAP", INDEXED | NAMES | WIDE | SOCKETS | OPAQUE},
	{BPF_MAP_TYPE_SOCKHASH, "SOCKHASH", HASHED | NAMES | WIDE | SOCKETS | OPAQUE},
	{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "REUSEPORT_SOCKARRAY",
	 INDEXED | NAMES | WIDE | SOCKETS | OPAQUE},
	{BPF_MAP_TYPE_CGROUP_ARRAY, "CGROUP_ARRAY", INDEXED | NAMES | OPAQUE},
	{BPF_MAP_TYPE_CGROUP_STORAGE, "CGROUP_STORAGE", ATTACHED | OPAQUE},
	{BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, "PERCPU_CGROUP_STORAGE", ATTACHED | OPAQUE | PER_CPU},
	{BPF_MAP_TYPE_STRUCT_OPS, "STRUCT_OPS", INDEXED | TABLE | OPAQUE},
	{MAP_TYPE_ARENA, "ARENA", KEYLESS | PAGES | OPAQUE},
};
unsigned cpus;
uint8_t *no_memory;

const char *result_name(long result)
{
	static char text[4][24];
	static unsigned turn;
	const char *name = result < 0 && result > -4096 ? strerrorname_np((int)-result) : NULL;

	if (name)
		return name;
	if (result == -ENOTSUPP)
		return "ENOTSUPP";
	turn = (turn + 1) % LENGTH(text);
	snprintf(text[turn], sizeof(text[turn]), "%ld", result);
	return text[turn];
}

uint64_t digest(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

const char *bytes_text(const void *data, size_t size)
{
	static char text[80];
	const uint8_t *bytes = data;
	char *at = text;

	if (size > 24) {
		snprintf(text, sizeof(text), "%zu bytes #%016llx", size,
			 (unsigned long long)digest(DIGEST_START, data, size));
		return text;
	}
	*at = '\0';
	for (size_t i = 0; i < size; i++)
		at += sprintf(at, "%02x", bytes[i]);
	return text;
}

static const struct type *type_named(const char *name)
{
	for (unsigned i = 0; i < LENGTH(types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: conformance cases --type T\n"
		"       conformance random --type T [--seed N] [--first N] [--sequences N]\n"
		"                          [--ops N] [--only I,J...] [--verbose]\n");
	return 2;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"type", 1, NULL, 't'},      {"seed", 1, NULL, 's'},
						{"first", 1, NULL, 'f'},     {"ops", 1, NULL, 'k'},
						{"sequences", 1, NULL, 'n'}, {"only", 1, NULL, 'o'},
						{"verbose", 0, NULL, 'v'},   {0}};
	struct random_options o = {.sequences = 1};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 't':
			o.type = type_named(optarg);
			break;
		case 's':
			o.seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			o.first = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'n':
			o.sequences = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'k':
			o.ops = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'o':
			o.only = optarg;
			break;
		case 'v':
			o.verbose = true;
			break;
		default:
			return usage();
		}
	}
	if (!o.type || optind != argc - 1)
		return usage();
	if (!names_exist(o.type)) {
		fprintf(stderr, "conformance: %s: nothing to put in\n", o.type->name);
		return 77;
	}
	if (!strcmp(argv[optind], "cases"))
		return cases_main(o.type);
	return !strcmp(argv[optind], "random") ? random_main(&o) : usage();
}

/* LRU lists and per-CPU values depend on the CPU. */
static bool stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static uint8_t *reserve_no_memory(void)
{
	uint8_t *pages =
		mmap(NULL, 3 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || mprotect(pages + (1 << 16), 1 << 17, PROT_NONE))
		return NULL;
	return pages + (1 << 16);
}

int main(int argc, char **argv)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);

	if (fd == -EPERM || fd == -ENOSYS) {
		fprintf(stderr, "conformance: bpf(2) is not permitted here\n");
		return 77;
	}
	close(fd);
	cpus = possible_cpus();
	no_memory = reserve_no_memory();
	if (cpus > MAX_CPUS || !no_memory || !stay_on_one_cpu()) {
		fprintf(stderr, "conformance: more than %u CPUs, or none for us\n", MAX_CPUS);
		return 77;
	}
	return run(argc, argv);
}
