/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * arena_pages.c: which pages of an arena are free. Must not know who asks.
 *
 * A page is free if the file has a hole there and its bit in the header is clear: so it is taken
 * by whoever touches it, and given back by making the hole again. The bits are of pages that are
 * reserved and not touched yet.
 *
 * Synchronisation. Taking and giving back happen under the lock; touching does not. A page that
 * user space touches first while a program is given it belongs to both.
 *
 * Death of the owner. What is under way is in the header, and nobody was told of it: who takes
 * the lock gives those pages back, which may be done twice.
 */
#include "maps/arena.h"

#include <errno.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/syscall.h"

/* What one search looks at. */
struct search {
	const u64 *reserved;
	u32 pages; /* in the arena */
	int fd;    /* of its file */
};

static u32 nr_pages(const struct map *map)
{
	return (u32)(MIN(arena_place(map).bytes, (u64)map->object.region.data_size) / PAGE_BYTES);
}

/* Only the lower half of an address counts: it is the same in all address spaces. */
static u32 page_of(const struct map *map, u64 at)
{
	return ((u32)at - (u32)arena_place(map).start) / PAGE_BYTES;
}

static bool is_inside(const struct map *map, u32 first, u32 count)
{
	return count <= nr_pages(map) && first <= nr_pages(map) - count;
}

static void set_reserved(struct map *map, u32 first, u32 count, bool reserve)
{
	u64 *words = arena_header(map)->reserved;

	for (u32 page = first; page < first + count; page++)
		if (reserve)
			words[page / 64] |= 1ull << page % 64;
		else
			words[page / 64] &= ~(1ull << page % 64);
}

/* The first page from page on whose bit is so. */
static u32 next_bit(const struct search *search, u32 page, bool set)
{
	u64 word;

	while (page < search->pages) {
		word = search->reserved[page / 64];
		word = (set ? word : ~word) >> page % 64;
		if (word)
			return MIN(page + (u32)__builtin_ctzll(word), search->pages);
		page = ROUND_UP(page + 1, 64);
	}
	return search->pages;
}

/* The first page from page on that begins data or a hole. */
static u32 next_part(const struct search *search, u32 page, int whence)
{
	const s64 at = sys_lseek(search->fd, (s64)page * PAGE_BYTES, whence);

	return at < 0 ? search->pages : (u32)MIN((u64)at / PAGE_BYTES, (u64)search->pages);
}

/* The first run of free pages from page on. */
static u32 free_run(const struct search *search, u32 page, u32 *count)
{
	u32 hole;

	while (page < search->pages) {
		hole = next_part(search, page, SEEK_HOLE);
		page = next_bit(search, hole, false);
		if (page == hole)
			break;
	}
	*count = 0;
	if (page < search->pages)
		*count = MIN(next_part(search, page, SEEK_DATA), next_bit(search, page, true)) -
			 page;
	return page;
}

/* The start of the shortest run that is long enough; search->pages: there is none. */
static u32 best_run(const struct search *search, u32 count)
{
	u32 best = search->pages, best_len = UINT32_MAX, len;

	for (u32 page = 0; page < search->pages; page += len + 1) {
		page = free_run(search, page, &len);
		if (len >= count && len < best_len) {
			best = page;
			best_len = len;
		}
	}
	return best;
}

static bool all_free(const struct search *search, u32 first, u32 count)
{
	u32 len;

	return free_run(search, first, &len) == first && len >= count;
}

static void begin_change(struct arena_header *header, u32 first, u32 count)
{
	header->first = first;
	store_release(&header->count, count);
}

static void end_change(struct arena_header *header)
{
	store_release(&header->count, 0);
}

static void give_back(struct map *map, u32 first, u32 count)
{
	set_reserved(map, first, count, false);
	sys_madvise(map->object.region.base + (u64)first * PAGE_BYTES, (u64)count * PAGE_BYTES,
		    MADV_REMOVE);
}

static int lock_pages(struct map *map)
{
	struct arena_header *header = arena_header(map);
	const int err = lock_acquire(&header->lock);
	u32 first, count;

	if (err == LOCK_OWNER_DIED) {
		first = load_relaxed(&header->first);
		count = load_acquire(&header->count); /* released by begin_change() */
		if (is_inside(map, first, count))
			give_back(map, first, count);
		end_change(header);
	}
	return err < 0 ? err : 0;
}

static int begin_search(struct map *map, struct search *search)
{
	int err;

	*search = (struct search){.reserved = arena_header(map)->reserved, .pages = nr_pages(map)};
	/* Before the lock: it may take that of the realm. */
	search->fd = object_open(&map->object, OBJECT_READ);
	if (search->fd < 0)
		return -ENOMEM;
	err = lock_pages(map);
	if (err)
		sys_close(search->fd);
	return err;
}

static void end_search(struct map *map, const struct search *search)
{
	lock_release(&arena_header(map)->lock);
	sys_close(search->fd);
}

static bool bring_in(struct map *map, u32 first, u32 count)
{
	struct arena_header *header = arena_header(map);
	bool done;

	begin_change(header, first, count);
	done = !region_populate(&map->object.region, (u64)first * PAGE_BYTES,
				(u64)count * PAGE_BYTES);
	if (!done)
		give_back(map, first, count);
	end_change(header);
	return done;
}

u64 arena_alloc(struct map *map, u64 at, u32 count)
{
	u32 first = at ? page_of(map, at) : 0;
	struct search search;
	bool done;

	if (!count || at % PAGE_BYTES || !is_inside(map, first, count) ||
	    begin_search(map, &search))
		return 0;
	if (!at)
		first = best_run(&search, count);
	done = first < search.pages && (!at || all_free(&search, first, count)) &&
	       bring_in(map, first, count);
	end_search(map, &search);
	return done ? arena_place(map).start + (u64)first * PAGE_BYTES : 0;
}

void arena_free(struct map *map, u64 at, u32 count)
{
	struct arena_header *header = arena_header(map);
	const u32 first = page_of(map, at);

	if (!count || first >= nr_pages(map) || lock_pages(map))
		return;
	count = MIN(count, nr_pages(map) - first);
	begin_change(header, first, count);
	give_back(map, first, count);
	end_change(header);
	lock_release(&header->lock);
}

int arena_reserve(struct map *map, u64 at, u32 count)
{
	struct arena_header *header = arena_header(map);
	const u32 first = page_of(map, at);
	struct search search;
	int err = -EBUSY;

	if (!is_inside(map, first, count))
		return -EINVAL;
	if (begin_search(map, &search))
		return -EBUSY;
	if (all_free(&search, first, count)) {
		begin_change(header, first, count);
		set_reserved(map, first, count, true);
		end_change(header);
		err = 0;
	}
	end_search(map, &search);
	return err;
}
