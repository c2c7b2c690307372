/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bloom_filter.c: BLOOM_FILTER, a set of values that answers "perhaps" or "certainly not". Owns
 * an array of bits. Must not know programs, descriptors or attributes.
 *
 * A value is in the set when all bits are set that its hashes choose. Bits are never cleared. So
 * there is nothing to lock: setting a bit is one atomic operation that may be done twice, a peek
 * may go on beside any number of pushes, and a process that dies within a push leaves some bits
 * too many, as any other value might have.
 *
 * The number of bits is the kernel's, hence the rate of false answers too: max_entries * hashes
 * * 7/5, rounded up to a power of two, at least a word and at most 2^32.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "base/memory.h"
#include "maps/map.h"

#define MAX_HASHES 15
#define DEFAULT_HASHES 5
#define WORD_BITS 64u

/* Process-local. */
struct bloom {
	u64 *words;
	u64 mask; /* bits - 1 */
	u64 seed;
	u32 hashes;
};

static u32 hashes_of(u64 extra)
{
	return extra ? (u32)extra : DEFAULT_HASHES;
}

static u64 bits_of(u32 max_entries, u64 extra)
{
	const u64 wanted = (u64)max_entries * hashes_of(extra) / 5 * 7;
	u64 bits = WORD_BITS;

	while (bits < wanted && bits < 1ull << 32)
		bits *= 2;
	return bits;
}

/* The bits of one value, one after the other. */
struct choice {
	const struct bloom *bloom;
	u64 hash;
	u32 left;
};

static inline struct choice choice_of(const struct map *map, const void *value)
{
	const struct bloom *bloom = map->local;

	return (struct choice){
		.bloom = bloom,
		.hash = hash_bytes(value, map->value_size, bloom->seed),
		.left = bloom->hashes,
	};
}

/* The next bit: its word, and *bit in it. */
static inline u64 *choose(struct choice *choice, u64 *bit)
{
	const u64 nr = choice->hash & choice->bloom->mask;

	choice->left--;
	choice->hash = hash_mix(choice->hash ^ 0x9e3779b97f4a7c15u, 0xd6e8feb86659fd93u);
	*bit = 1ull << nr % WORD_BITS;
	return &choice->bloom->words[nr / WORD_BITS];
}

static int bloom_push(struct map *map, const void *value, u64 flags)
{
	struct choice choice = choice_of(map, value);
	u64 *word, bit;

	if (unlikely(flags != BPF_ANY))
		return -EINVAL;
	while (choice.left) {
		word = choose(&choice, &bit);
		if (!(load_relaxed(word) & bit))
			atomic_or(word, bit);
	}
	return 0;
}

/* value is input. */
static int bloom_peek(struct map *map, void *value)
{
	struct choice choice = choice_of(map, value);
	const u64 *word;
	u64 bit;

	while (choice.left) {
		word = choose(&choice, &bit);
		if (!(load_relaxed(word) & bit))
			return -ENOENT;
	}
	return 0;
}

/* System call context: there is no key. */

static int bloom_copy_value(struct map *map, const void *key, void *value)
{
	(void)key;
	return bloom_peek(map, value);
}

static int bloom_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	(void)key;
	return bloom_push(map, value, flags);
}

static int bloom_delete(struct map *map, const void *key)
{
	(void)map;
	(void)key;
	return -EOPNOTSUPP;
}

static int bloom_get_next_key(struct map *map, const void *key, void *next_key)
{
	(void)map;
	(void)key;
	(void)next_key;
	return -EOPNOTSUPP;
}

/* Cold path */

static cold int bloom_check(struct map_spec *spec)
{
	if (spec->key_size || !spec->value_size || !spec->max_entries || spec->extra > MAX_HASHES)
		return -EINVAL;
	return spec->value_size > MAP_VALUE_MAX ? -E2BIG : 0;
}

static cold int bloom_check_btf(const struct map_spec *spec)
{
	return spec->btf_key_type_id ? -EINVAL : 0;
}

/* memlock as a 6.18 kernel counts it; KERNEL_BLOOM is its fixed part. */
enum { KERNEL_BLOOM = 312 };

static cold void bloom_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = bits_of(spec->max_entries, spec->extra) / 8;
	layout->memlock = KERNEL_BLOOM + layout->control_size;
}

static cold int bloom_attach(struct map *map)
{
	struct bloom *bloom = memory_alloc(sizeof(*bloom));

	if (!bloom)
		return -ENOMEM;
	*bloom = (struct bloom){
		.words = map->private,
		.mask = bits_of(map->max_entries, map->extra) - 1,
		.seed = map->header->seed,
		.hashes = hashes_of(map->extra),
	};
	map->local = bloom;
	return 0;
}

static cold void bloom_detach(struct map *map)
{
	memory_free(map->local);
	map->local = NULL;
}

const struct map_ops bloom_filter_map_ops = {
	.name = "bloom_filter",
	.traits = MAP_KEYLESS | MAP_EXTRA | MAP_VALUE_INPUT,
	.helpers = MAP_H_PUSH | MAP_H_PEEK,
	.create_flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_ZERO_SEED |
			BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
	.push = bloom_push,
	.peek = bloom_peek,
	.delete = bloom_delete,
	.copy_value = bloom_copy_value,
	.update_user = bloom_update_user,
	.get_next_key = bloom_get_next_key,
	.check = bloom_check,
	.check_btf = bloom_check_btf,
	.layout = bloom_layout,
	.attach = bloom_attach,
	.detach = bloom_detach,
};
