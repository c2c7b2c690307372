/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prefixes.c: the storm on LPM_TRIE and BLOOM_FILTER. Sleepable programs may use neither, so the
 * way of programs is that of their helpers, the operations themselves.
 *
 * Each writer of a trie owns prefixes that lie among those of the others: addresses, and networks
 * that contain them, all below one prefix that stays. A filter never denies what was pushed.
 */
#include "storm.h"

#include <stdio.h>

struct prefix {
	uint32_t len;
	uint8_t data[8]; /* long enough for hints */
};

struct value {
	uint64_t owner, sequence, copies[2];
};

#define NOBODY (~0ull)
#define TORN (~0ull)

static int fd;
static struct map *map; /* the same in all processes, which have inherited it */

static void open_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	struct object *object;

	fd = storm_map(type, key_size, value_size, entries, key_size ? BPF_F_NO_PREALLOC : 0, -1,
		       -1);
	map = object_from_fd(fd, OBJECT_MAP, &object, NULL) ? NULL : map_of(object);
}

static void close_map(void)
{
	object_put(&map->object);
	close(fd);
}

/* LPM_TRIE */

/* Of an even number: a network; of the odd number behind it: an address in it. */
static struct prefix prefix_of(unsigned writer, unsigned k)
{
	const uint8_t net = (uint8_t)(k / 2);

	return k % 2 ? (struct prefix){32, {10, net, (uint8_t)writer, 5}}
		     : (struct prefix){24, {10, net, (uint8_t)writer}};
}

static uint64_t owner_of(unsigned writer, unsigned k)
{
	return writer * KEYS + k;
}

static int put(struct storm_log *log, const struct prefix *key, uint64_t owner, uint64_t sequence,
	       uint64_t flags, bool by_program)
{
	const struct value value = {owner, sequence, {sequence, sequence}};

	return by_program ? map->ops->update(map, key, &value, flags)
			  : (int)map_call(log, BPF_MAP_UPDATE_ELEM, fd, key, &value, flags);
}

static int take_away(struct storm_log *log, const struct prefix *key, bool by_program)
{
	return by_program ? map->ops->delete (map, key)
			  : (int)map_call(log, BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

/* 0: not there, and something shorter that contains it is. */
static uint64_t look(struct storm_log *log, unsigned writer, unsigned k)
{
	const struct prefix key = prefix_of(writer, k);
	const uint64_t network = k % 2 ? owner_of(writer, k - 1) : NOBODY;
	struct value v;

	if (map_call(log, BPF_MAP_LOOKUP_ELEM, fd, &key, &v, 0) || v.copies[0] != v.sequence ||
	    v.copies[1] != v.sequence)
		return TORN;
	if (v.owner == owner_of(writer, k))
		return v.sequence;
	return v.owner == NOBODY || v.owner == network ? 0 : TORN;
}

static void create_trie(void)
{
	static struct storm_log unused;
	const struct prefix all = {8, {10}};

	open_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct prefix), sizeof(struct value),
		 WRITERS * KEYS + 1);
	put(&unused, &all, NOBODY, 1, BPF_ANY, true);
}

static bool judge(const struct storm_log *log, unsigned k, uint64_t found)
{
	return found == log->acknowledged[0][k] || found == log->intended[0][k];
}

static void settle_trie(struct storm_log *log, unsigned writer)
{
	for (unsigned k = 0; k < KEYS; k++) {
		const uint64_t at_once = look(log, writer, k);
		uint64_t found;

		EXPECT(log, judge(log, k, at_once));
		/* An owner of the lock may have died on the way: whoever has it next finishes. */
		take_away(log, &(struct prefix){32, {9}}, false);
		found = look(log, writer, k);
		EXPECT(log, judge(log, k, found));
		log->acknowledged[0][k] = log->intended[0][k] = found;
	}
}

static void step_trie(struct storm_log *log, unsigned writer, uint32_t random)
{
	const unsigned k = random % KEYS;
	const struct prefix key = prefix_of(writer, k);
	const uint64_t was = log->acknowledged[0][k], sequence = ++log->sequence;
	const bool by_program = random & 16, remove = random & 32;
	int err;

	if (random / 64 % 4 == 0) {
		EXPECT(log, look(log, writer, k) == was);
		return;
	}
	log->intended[0][k] = remove ? 0 : sequence;
	note();
	err = remove ? take_away(log, &key, by_program)
		     : put(log, &key, owner_of(writer, k), sequence, was ? BPF_EXIST : BPF_NOEXIST,
			   by_program);
	EXPECT(log, err == (remove && !was ? -ENOENT : 0));
	note();
	log->acknowledged[0][k] = log->intended[0][k];
}

static uint32_t count_prefixes(struct storm_log *log)
{
	struct prefix key;
	uint32_t n = 0;

	for (long err = map_call(log, BPF_MAP_GET_NEXT_KEY, fd, NULL, &key, 0); !err; n++)
		err = map_call(log, BPF_MAP_GET_NEXT_KEY, fd, &key, &key, 0);
	return n;
}

/* Exactly the prefixes that the logs tell of are there, and as many more fit as are missing. */
static bool verify_trie(struct storm_log *logs)
{
	uint32_t present = 1;
	bool well;

	for (unsigned i = 0; i < WRITERS * KEYS; i++)
		present += logs[i / KEYS].acknowledged[0][i % KEYS] != 0;
	well = count_prefixes(logs) == present && storm_is_valid(fd);
	for (; present < WRITERS * KEYS + 1; present++)
		well = well && !put(logs, &(struct prefix){32, {11, 0, 0, (uint8_t)present}},
				    NOBODY, 1, BPF_NOEXIST, false);
	well = well &&
	       put(logs, &(struct prefix){32, {12}}, NOBODY, 1, BPF_ANY, false) == -ENOSPC &&
	       count_prefixes(logs) == present && storm_is_valid(fd);
	if (!well)
		printf("# the trie lost a prefix, its room or its shape\n");
	close_map();
	return well;
}

/* BLOOM_FILTER */

#define PUSHES (1u << 16) /* of each writer, and after them it only looks */

static void create_filter(void)
{
	open_map(BPF_MAP_TYPE_BLOOM_FILTER, 0, sizeof(uint64_t), WRITERS * PUSHES);
}

static void settle_filter(struct storm_log *log, unsigned writer)
{
	log->pushing[0] = log->pushed[0];
}

static uint64_t pushed_value(unsigned writer, uint64_t number)
{
	return (uint64_t)writer << 32 | number;
}

static void step_filter(struct storm_log *log, unsigned writer, uint32_t random)
{
	const bool by_program = random & 1;
	uint64_t value;

	if (random & 2 && log->pushed[0] < PUSHES) {
		value = pushed_value(writer, log->pushed[0]);
		EXPECT(log,
		       (by_program ? map->ops->push(map, &value, BPF_ANY)
				   : map_call(log, BPF_MAP_UPDATE_ELEM, fd, NULL, &value, 0)) == 0);
		note();
		log->pushed[0]++;
	} else if (log->pushed[0]) {
		value = pushed_value(writer, (random >> 2) % log->pushed[0]);
		EXPECT(log,
		       (by_program ? map->ops->peek(map, &value)
				   : map_call(log, BPF_MAP_LOOKUP_ELEM, fd, NULL, &value, 0)) == 0);
	}
}

/* Nothing that was pushed is missing; and something that was not is, or there is nothing to tell.
 */
static bool verify_filter(struct storm_log *logs)
{
	unsigned missing = 0, found = 0;
	uint64_t value;

	for (unsigned writer = 0; writer < WRITERS; writer++)
		for (uint64_t n = 0; n < logs[writer].pushed[0]; n++) {
			value = pushed_value(writer, n);
			missing += map->ops->peek(map, &value) != 0;
			value = pushed_value(writer + WRITERS, n);
			found += map->ops->peek(map, &value) == 0;
		}
	close_map();
	if (missing || found > WRITERS * PUSHES / 10)
		printf("# the filter denies %u values and makes up %u\n", missing, found);
	return !missing && found <= WRITERS * PUSHES / 10;
}

const struct family prefix_families[] = {
	{"lpm", create_trie, settle_trie, step_trie, verify_trie},
	{"bloom", create_filter, settle_filter, step_filter, verify_filter},
};
const unsigned nr_prefix_families = ARRAY_SIZE(prefix_families);
