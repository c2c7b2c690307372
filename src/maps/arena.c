/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * arena.c: ARENA, sparse memory that programs and processes share by pointers. Owns where an arena
 * lies: for processes at one address in all of them, for programs in a window of this process. Must
 * not know instructions.
 *
 * The data area of the file is the arena; its pages come when they are touched, by whomever. The
 * lower halves of the two addresses of a byte are equal, so an address is turned into the other by
 * replacing its upper half. That is why a window is 4 GiB long and aligned, with guards for the
 * offsets of instructions. What of a window the arena does not fill is private memory of this
 * process: a program that a kernel has accepted may read zeros there.
 *
 * A word of the header says where user space has the arena and how long it is there; it is stored
 * once, by who maps it first. arena_pages.c gives pages to programs.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/syscall.h"
#include "base/uapi.h"
#include "maps/arena.h"

#define WINDOW_BYTES (1ull << 32)
#define GUARD_BYTES (64ull << 10)
#define ARENA_FLAGS (BPF_F_MMAPABLE | UAPI_F_SEGV_ON_FAULT | UAPI_F_NO_USER_CONV)
#define PLACE_PAGES_BITS 21

static u64 pack(struct arena_place place)
{
	return place.start / PAGE_BYTES << PLACE_PAGES_BITS | place.bytes / PAGE_BYTES;
}

struct arena_place arena_place(const struct map *map)
{
	const u64 place = load_acquire(&arena_header(map)->place); /* released by arena_mmap() */

	if (map->extra)
		return (struct arena_place){map->extra, map->object.region.data_size};
	return (struct arena_place){(place >> PLACE_PAGES_BITS) * PAGE_BYTES,
			      (place & ((1u << PLACE_PAGES_BITS) - 1)) * PAGE_BYTES};
}

static bool crosses_window(u64 start, u64 bytes)
{
	return start >> 32 != (start + bytes - 1) >> 32;
}

static cold int arena_check(struct map_spec *spec)
{
	const u64 bytes = spec->max_entries * (u64)PAGE_BYTES;

	if (spec->key_size || spec->value_size || !spec->max_entries ||
	    !(spec->flags & BPF_F_MMAPABLE) || spec->extra % PAGE_BYTES)
		return -EINVAL;
	if (bytes > WINDOW_BYTES)
		return -E2BIG;
	return crosses_window(spec->extra, bytes) ? -ERANGE : 0;
}

static cold void arena_layout(const struct map_spec *spec, u32 ncpus, struct map_layout *layout)
{
	(void)ncpus;
	layout->data_size = spec->max_entries * (u64)PAGE_BYTES;
	layout->control_size = arena_header_bytes(spec->max_entries);
	layout->flags = REGION_SPARSE;
}

static cold int arena_init(struct map *map)
{
	const struct region *region = &map->object.region;
	const u64 header = arena_header_bytes(map->max_entries);

	return region_populate(region, region->data_size, sizeof(struct map_header) + header);
}

/* Mapping by user space */

/*
 * Addresses for the first mapping, which is to lie below one boundary of 4 GiB. Twice as many are
 * asked for, so that half of them do.
 */
static cold int reserve(u64 *start, u64 bytes, int flags)
{
	const int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	const u64 room = fixed ? bytes : 2 * bytes;
	void *p = sys_mmap(U64_PTR(*start), room, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
	u64 from = PTR_U64(p);

	if (sys_is_err(p))
		return (int)(s64)from;
	if (crosses_window(from, bytes)) {
		if (fixed) {
			sys_munmap(p, room);
			return -EINVAL;
		}
		from = ROUND_UP(from, WINDOW_BYTES);
	}
	*start = from;
	if (from > PTR_U64(p))
		sys_munmap(p, from - PTR_U64(p));
	if (PTR_U64(p) + room > from + bytes)
		sys_munmap(U64_PTR(from + bytes), PTR_U64(p) + room - from - bytes);
	return 0;
}

/* Exactly where the first mapping was, if there was one. */
static cold int check_place(struct arena_place place, const struct map_mapping *mapping)
{
	const u64 bytes = ROUND_UP(mapping->len, PAGE_BYTES);

	if (mapping->offset)
		return -EINVAL;
	if (mapping->len > WINDOW_BYTES || (place.bytes && bytes > place.bytes))
		return -E2BIG;
	return place.bytes && (bytes != place.bytes || mapping->address != place.start) ? -EINVAL : 0;
}

static cold int arena_mmap_place(const struct map *map, const struct map_mapping *mapping)
{
	return check_place(arena_place(map), mapping);
}

/* What else lies there stays, unless it may go. */
static cold int reserve_again(u64 start, u64 bytes, int flags)
{
	const int fixed = flags & MAP_FIXED ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	void *p = sys_mmap(U64_PTR(start), bytes, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);

	if (sys_is_err(p))
		return (s64)PTR_U64(p) == -EEXIST ? -EBUSY : (int)(s64)PTR_U64(p);
	return 0;
}

/* The file over what was reserved; beyond the arena's end nothing can be touched. */
static cold int fill(struct map *map, struct map_mapping *mapping, u64 start)
{
	const u64 bytes = MIN(mapping->len, (u64)map->object.region.data_size);
	void *p = sys_mmap(U64_PTR(start), bytes, mapping->prot,
			   (mapping->flags & ~MAP_FIXED_NOREPLACE) | MAP_FIXED, mapping->fd, 0);

	if (sys_is_err(p)) {
		sys_munmap(U64_PTR(start), mapping->len);
		return (int)(s64)PTR_U64(p);
	}
	mapping->address = start;
	return 0;
}

/* The first one says where; false: another one was first, and it was elsewhere. */
static cold bool settle(struct map *map, struct arena_place place)
{
	u64 known = 0;

	return atomic_cas(&arena_header(map)->place, &known, pack(place)) || known == pack(place);
}

static cold int arena_mmap(struct map *map, struct map_mapping *mapping)
{
	const struct arena_place known = arena_place(map);
	u64 start = mapping->address;
	int err = check_place(known, mapping);

	if (err)
		return err;
	mapping->len = ROUND_UP(mapping->len, PAGE_BYTES);
	if (mapping->prot & PROT_WRITE && load_acquire(&map->header->frozen))
		return -EPERM;
	err = known.bytes ? reserve_again(start, mapping->len, mapping->flags)
			  : reserve(&start, mapping->len, mapping->flags);
	if (err)
		return err;
	if (!known.bytes && !settle(map, (struct arena_place){start, mapping->len})) {
		sys_munmap(U64_PTR(start), mapping->len);
		return -EINVAL;
	}
	err = fill(map, mapping, start);
	if (!err && mapping->prot & PROT_WRITE)
		store_release(&arena_header(map)->written, 1);
	return err;
}

/* The kernel forgets to count down when it is unmapped. */
static cold bool arena_written(struct map *map)
{
	return load_acquire(&arena_header(map)->written);
}

/* The window of programs */

static cold void unmap_window(u64 window)
{
	sys_munmap(U64_PTR(window - GUARD_BYTES), WINDOW_BYTES + 2 * GUARD_BYTES);
}

static cold int reserve_window(u64 *window)
{
	const u64 room = 2 * WINDOW_BYTES + 2 * GUARD_BYTES;
	void *p = sys_mmap(NULL, room, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const u64 from = PTR_U64(p);
	u64 first, end;

	if (sys_is_err(p))
		return -ENOMEM;
	*window = ROUND_UP(from + GUARD_BYTES, WINDOW_BYTES);
	first = *window - GUARD_BYTES;
	end = *window + WINDOW_BYTES + GUARD_BYTES;
	if (first > from)
		sys_munmap(p, first - from);
	if (end < from + room)
		sys_munmap(U64_PTR(end), from + room - end);
	return 0;
}

/* The arena's part of the window is a further mapping of what is mapped already. */
static cold int make_window(const struct map *map, u64 start, u64 *window)
{
	const struct region *region = &map->object.region;
	const u64 bytes = MIN((u64)region->data_size, WINDOW_BYTES - (u32)start);
	int err = reserve_window(window);
	void *p;

	if (err)
		return err;
	p = (void *)SYSCALL(SYS_mremap, region->base, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			    *window + (u32)start);
	if (sys_is_err(p)) {
		unmap_window(*window);
		return -ENOMEM;
	}
	return 0;
}

static cold int arena_window(struct map *map, struct map_window *window)
{
	const struct arena_place place = arena_place(map);
	const u64 start = place.start;
	void *known = load_acquire(&map->local); /* stored below */
	u64 made;
	int err;

	if (!place.bytes)
		return -EINVAL;
	if (!known) {
		err = make_window(map, start, &made);
		if (err)
			return err;
		if (atomic_cas(&map->local, &known, U64_PTR(made)))
			known = U64_PTR(made);
		else
			unmap_window(made);
	}
	*window = (struct map_window){
		.map = map,
		.user = start,
		.user_high = map->flags & UAPI_F_NO_USER_CONV ? 0 : start >> 32 << 32,
		.high = PTR_U64(known),
		.start = PTR_U64(known) + (u32)start,
		.user_size = place.bytes,
		.size = MIN((u64)map->object.region.data_size, WINDOW_BYTES - (u32)start),
	};
	return 0;
}

static cold void arena_detach(struct map *map)
{
	if (map->local)
		unmap_window(PTR_U64(map->local));
	map->local = NULL;
}

/* Commands on elements, of which there are none */

static int arena_copy_value(struct map *map, const void *key, void *value)
{
	(void)map;
	(void)key;
	(void)value;
	return -EINVAL;
}

static int arena_update_user(struct map *map, const void *key, const void *value, u64 flags)
{
	(void)map;
	(void)key;
	(void)value;
	(void)flags;
	return -EOPNOTSUPP;
}

static int arena_delete(struct map *map, const void *key)
{
	(void)map;
	(void)key;
	return -EOPNOTSUPP;
}

static int arena_get_next_key(struct map *map, const void *key, void *next_key)
{
	(void)map;
	(void)key;
	(void)next_key;
	return -EOPNOTSUPP;
}

const struct map_ops arena_map_ops = {
	.name = "arena",
	.traits = MAP_KEYLESS | MAP_EXTRA | MAP_SLEEPABLE | MAP_ARENA,
	.create_flags = ARENA_FLAGS,
	.update_flags = UINT64_MAX,
	.delete = arena_delete,
	.copy_value = arena_copy_value,
	.update_user = arena_update_user,
	.get_next_key = arena_get_next_key,
	.mmap = arena_mmap,
	.written = arena_written,
	.mmap_place = arena_mmap_place,
	.window = arena_window,
	.check = arena_check,
	.layout = arena_layout,
	.init = arena_init,
	.detach = arena_detach,
};
