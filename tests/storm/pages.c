/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * pages.c: the storm on the pages of an ARENA. Writers take runs of pages, as the kernel functions
 * do for programs, mark them, and give them back. A page that is given is zero and nobody else's.
 * What a writer was taking or giving back when it was killed may be lost to all, and no page more.
 */
#include "storm.h"

#include <stdio.h>

#include "maps/arena.h"

#define MAP_TYPE_ARENA 33 /* Linux 6.9 */
#define PAGES 16384u
#define START (1ull << 45)

static int fd;
static struct map *map; /* the same in all processes, which have inherited it */

static void create(void)
{
	union bpf_attr attr = {.map_type = MAP_TYPE_ARENA,
			       .max_entries = PAGES,
			       .map_flags = BPF_F_MMAPABLE,
			       .map_extra = START};
	struct object *object;

	fd = (int)bpf_call(BPF_MAP_CREATE, PTR_U64(&attr), sizeof(attr));
	if (object_from_fd(fd, OBJECT_MAP, &object, NULL)) {
		printf("# no arena\n");
		_exit(1);
	}
	map = map_of(object);
}

static uint32_t pages_of(unsigned k)
{
	return 1 + k % 4;
}

static uint64_t *page_at(uint64_t run, uint32_t i)
{
	return (uint64_t *)(void *)(map->object.region.base + (run - START) + i * PAGE_BYTES);
}

#define WORDS (PAGE_BYTES / sizeof(uint64_t))

static bool is_zero(const uint64_t *page)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (page[i])
			return false;
	return true;
}

static uint64_t mark_of(unsigned writer, unsigned k)
{
	return 1 + writer * KEYS + k;
}

/* The mark is at both ends of each page. */
static void check_marks(struct storm_log *log, unsigned writer, unsigned k, uint64_t run)
{
	for (uint32_t i = 0; i < pages_of(k); i++)
		EXPECT(log, page_at(run, i)[0] == mark_of(writer, k) &&
				    page_at(run, i)[WORDS - 1] == mark_of(writer, k));
}

static void take(struct storm_log *log, unsigned writer, unsigned k)
{
	const uint64_t run = arena_alloc(map, 0, pages_of(k));

	EXPECT(log, run >= START && run + pages_of(k) * PAGE_BYTES <= START + PAGES * PAGE_BYTES);
	for (uint32_t i = 0; run && i < pages_of(k); i++) {
		EXPECT(log, is_zero(page_at(run, i)));
		page_at(run, i)[0] = page_at(run, i)[WORDS - 1] = mark_of(writer, k);
	}
	note();
	log->acknowledged[0][k] = run;
}

static void settle(struct storm_log *log, unsigned writer)
{
	for (unsigned k = 0; k < KEYS; k++) {
		if (log->intended[0][k]) {
			log->acknowledged[0][k] = 0;
			note();
			log->excused[0] += pages_of(k);
			note();
			log->intended[0][k] = 0;
		} else if (log->acknowledged[0][k]) {
			check_marks(log, writer, k, log->acknowledged[0][k]);
		}
	}
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	const unsigned k = random % KEYS;
	const uint64_t run = log->acknowledged[0][k];

	if (run)
		check_marks(log, writer, k, run);
	log->intended[0][k] = 1;
	note();
	if (run) {
		arena_free(map, run, pages_of(k));
		note();
		log->acknowledged[0][k] = 0;
	} else {
		take(log, writer, k);
	}
	note();
	log->intended[0][k] = 0;
	log->calls++;
}

static bool verify(struct storm_log *logs)
{
	uint64_t known = 0, excused = 0;
	bool well;

	for (unsigned i = 0; i < WRITERS * KEYS; i++)
		known += logs[i / KEYS].acknowledged[0][i % KEYS] ? pages_of(i % KEYS) : 0;
	for (unsigned writer = 0; writer < WRITERS; writer++)
		excused += logs[writer].excused[0];
	for (uint32_t run = 256; run; run /= 4)
		while (arena_alloc(map, 0, run))
			known += run;
	well = known <= PAGES && known + excused >= PAGES;
	if (!well)
		printf("# of %u pages %llu are known of, %llu may be lost\n", PAGES,
		       (unsigned long long)known, (unsigned long long)excused);
	object_put(&map->object);
	close(fd);
	return well;
}

const struct family pages_family = {"pages", create, settle, step, verify};
