/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * records.c: the storm on RINGBUF. One writer consumes, as an application does it; the others
 * produce. A record names its producer and its number there, so that each comes once and in order,
 * and none that was acknowledged is missing.
 */
#include "storm.h"

#include <stdio.h>

#include "base/atomic.h"
#include "maps/ringbuf.h"

#define BYTES 4096u
#define CONSUMER 0u
#define WORDS_MAX 8u
#define FILL_BYTES 64u
#define FILL_RECORDS 56u /* of those, in a ring of BYTES */

static int fd;
static struct map *map; /* the same in all processes, which have inherited it */

static void create(void)
{
	struct object *object;

	fd = storm_map(BPF_MAP_TYPE_RINGBUF, 0, 0, BYTES, 0, -1, -1);
	map = object_from_fd(fd, OBJECT_MAP, &object, NULL) ? NULL : map_of(object);
}

/* What a kill interrupted has happened or not. */
static void settle(struct storm_log *log, unsigned writer)
{
	(void)writer;
	log->excused[0] += log->pushing[0] != log->pushed[0];
	log->pushed[0] = log->pushing[0];
	log->excused[0] += log->intended[0][0] != log->acknowledged[0][0];
	log->acknowledged[0][0] = log->intended[0][0];
}

static void fill(uint64_t *record, uint64_t name, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		record[i] = name;
}

/* True if there was room. */
static bool produce_at(unsigned how, uint64_t name, unsigned words)
{
	uint64_t copy[WORDS_MAX], *record;

	if (how == 0) {
		fill(copy, name, words);
		return !ringbuf_output(map, copy, words * sizeof(*copy), 0);
	}
	record = ringbuf_reserve(map, words * sizeof(*record));
	if (!record)
		return false;
	fill(record, name, words);
	ringbuf_commit(map, record, 0, how == 1);
	return true;
}

static void produce(struct storm_log *log, unsigned writer, uint32_t random)
{
	const uint64_t name = (uint64_t)writer << 32 | log->pushed[0];
	const unsigned how = random % 4, words = 1 + random / 4 % WORDS_MAX;

	if (how == 1) { /* discarded: of no name */
		produce_at(how, ~0ull, words);
		return;
	}
	log->pushing[0]++;
	note();
	if (produce_at(how, name, words)) {
		note();
		log->pushed[0]++;
	} else {
		note();
		log->pushing[0]--;
	}
	log->calls++;
}

/* Whole, and none that is older than one that came before. Counts those of each producer. */
static bool is_right(struct storm_log *log, const uint64_t *record, uint32_t len)
{
	const uint64_t writer = record[0] >> 32, n = (uint32_t)record[0];

	for (uint32_t i = 0; i < len / sizeof(*record); i++)
		if (record[i] != record[0])
			return false;
	if (len % sizeof(*record) || writer >= WRITERS || n < log->next[0][writer])
		return false;
	log->next[0][writer] = n + 1;
	log->acknowledged[1][writer]++;
	return true;
}

/* The position is noted before a record is judged: a kill leaves it to be passed. */
static bool consume(struct storm_log *log)
{
	uint64_t *const consumer = ringbuf_position(map, 0), at = load_acquire(consumer);
	const uint32_t *header = ringbuf_place(map, at);
	uint32_t len;

	if (at == load_acquire(ringbuf_position(map, 1)))
		return false;
	len = load_acquire(header);
	if (len & BPF_RINGBUF_BUSY_BIT)
		return map->ops->poll(map) && !(load_acquire(header) & BPF_RINGBUF_BUSY_BIT);
	if (log->intended[0][0] != at + 1) {
		log->intended[0][0] = at + 1;
		note();
		if (!(len & BPF_RINGBUF_DISCARD_BIT))
			EXPECT(log, is_right(log, (const uint64_t *)(const void *)(header + 2), len));
		note();
		log->acknowledged[0][0] = at + 1;
	}
	note();
	store_release(consumer, at + ringbuf_record_bytes(len & ~BPF_RINGBUF_DISCARD_BIT));
	log->calls++;
	return true;
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	if (writer == CONSUMER)
		consume(log);
	else
		produce(log, writer, random);
}

static bool nothing_is_missing(struct storm_log *logs)
{
	uint64_t excused = 0, missing = 0;

	for (unsigned i = 0; i < WRITERS; i++) {
		missing += logs[i].pushed[0] - logs[CONSUMER].acknowledged[1][i];
		excused += logs[i].excused[0];
	}
	return missing <= excused;
}

static bool capacity_is_whole(void)
{
	for (unsigned i = 0; i < FILL_RECORDS; i++)
		if (!produce_at(2, 0, FILL_BYTES / sizeof(uint64_t)))
			return false;
	return !produce_at(2, 0, FILL_BYTES / sizeof(uint64_t));
}

static bool verify(struct storm_log *logs)
{
	bool well;

	while (consume(&logs[CONSUMER]))
		;
	well = !logs[CONSUMER].failures && nothing_is_missing(logs) && storm_is_valid(fd) &&
	       *ringbuf_position(map, 0) == *ringbuf_position(map, 1) && capacity_is_whole() &&
	       storm_is_valid(fd);
	if (!well)
		printf("# the ring lost a record, its room or its shape\n");
	object_put(&map->object);
	close(fd);
	return well;
}

const struct family records_family = {"ringbuf", create, settle, step, verify};
