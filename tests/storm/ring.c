/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ring.c: the storm on queues and stacks. An element names its writer and its number there; a
 * common table tells which were popped, so that none comes twice, and at the end none is missing.
 */
#include "storm.h"

#include <stdio.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "vm/asm.h"

#define ENTRIES 61
#define NUMBERS (16u << 20) /* of each writer, and after them no more is pushed */

struct element {
	uint64_t name, copies[3];
};

enum { PUSH, POP, PROGRAMS };

static const struct ring_row {
	uint32_t type;
	uint64_t flags; /* of each push: with BPF_EXIST the oldest is dropped */
} rows[] = {
	{BPF_MAP_TYPE_QUEUE, BPF_ANY},
	{BPF_MAP_TYPE_STACK, BPF_ANY},
	{BPF_MAP_TYPE_QUEUE, BPF_EXIST},
	{BPF_MAP_TYPE_STACK, BPF_EXIST},
};

static struct ring {
	int fd, programs[PROGRAMS];
} rings[ARRAY_SIZE(rows)];

struct popped {
	uint8_t is_popped[ARRAY_SIZE(rows)][WRITERS][NUMBERS / 8];
};
static struct popped *popped;

#define MAP(reg, fd) LD64_RAW(reg, BPF_PSEUDO_MAP_FD, fd, 0)
#define COPY(to, at, from, off) LD(DW, R1, from, off), ST_X(DW, to, at, R1)
#define VALUE(reg) MOV_X(reg, R10), ALU64_K(ADD, reg, -32)

static int load_push(int fd, uint64_t flags)
{
	const struct bpf_insn insns[] = {
		COPY(R10, -8, R6, 24), COPY(R10, -16, R6, 16), COPY(R10, -24, R6, 8),
		COPY(R10, -32, R6, 0), MAP(R1, fd), VALUE(R2), MOV_K(R3, (int)flags),
		CALL(BPF_FUNC_map_push_elem), EXIT,
	};
	struct bpf_insn whole[ARRAY_SIZE(insns) + 1] = {MOV_X(R6, R1)};

	memcpy(whole + 1, insns, sizeof(insns));
	return storm_program(whole, sizeof(whole));
}

static int load_pop(int fd)
{
	const struct bpf_insn insns[] = {
		MOV_X(R6, R1), MAP(R1, fd), VALUE(R2), CALL(BPF_FUNC_map_pop_elem),
		COPY(R6, 0, R10, -32), COPY(R6, 8, R10, -24), COPY(R6, 16, R10, -16),
		COPY(R6, 24, R10, -8), EXIT,
	};

	return storm_program(insns, sizeof(insns));
}

static void create(void)
{
	popped = mmap(NULL, sizeof(*popped), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ring *ring = &rings[i];

		ring->fd = storm_map(rows[i].type, 0, sizeof(struct element), ENTRIES, 0, -1, -1);
		ring->programs[PUSH] = load_push(ring->fd, rows[i].flags);
		ring->programs[POP] = load_pop(ring->fd);
	}
}

/* An interrupted push or pop has happened or not. */
static void settle(struct storm_log *log, unsigned writer)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		log->excused[i] += log->popping[i] + (log->pushing[i] != log->pushed[i]);
		log->pushed[i] = log->pushing[i];
		log->popping[i] = false;
	}
}

/* Whole, not popped before, and from a queue none that is older than one that came before. */
static bool is_right(struct storm_log *log, size_t number, const struct element *e)
{
	const uint64_t writer = e->name >> 32, n = (uint32_t)e->name;
	const uint8_t bit = (uint8_t)(1 << n % 8);

	for (size_t i = 0; i < ARRAY_SIZE(e->copies); i++)
		if (e->copies[i] != e->name)
			return false;
	if (writer >= WRITERS || n >= NUMBERS ||
	    (rows[number].type == BPF_MAP_TYPE_QUEUE && n < log->next[number][writer]))
		return false;
	log->next[number][writer] = n + 1;
	return !(atomic_or(&popped->is_popped[number][writer][n / 8], bit) & bit);
}

static void push(struct storm_log *log, size_t number, unsigned writer, bool by_program)
{
	const uint64_t name = (uint64_t)writer << 32 | log->pushed[number];
	struct element e = {name, {name, name, name}};
	long err;

	if (log->pushed[number] == NUMBERS)
		return;
	log->pushing[number]++;
	note();
	err = by_program ? storm_run(log, rings[number].programs[PUSH], &e, sizeof(e))
			 : map_call(log, BPF_MAP_UPDATE_ELEM, rings[number].fd, NULL, &e,
				    rows[number].flags);
	EXPECT(log, !err || (err == -E2BIG && rows[number].flags == BPF_ANY));
	note();
	if (err)
		log->pushing[number]--;
	else
		log->pushed[number]++;
}

static long pop(struct storm_log *log, size_t number, bool by_program)
{
	struct element e = {0};
	long err;

	log->popping[number] = true;
	note();
	err = by_program ? storm_run(log, rings[number].programs[POP], &e, sizeof(e))
			 : map_call(log, BPF_MAP_LOOKUP_AND_DELETE_ELEM, rings[number].fd, NULL, &e,
				    0);
	EXPECT(log, err == -ENOENT || (!err && is_right(log, number, &e)));
	note();
	log->popped[number] += !err;
	note();
	log->popping[number] = false;
	return err;
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	const size_t number = random % ARRAY_SIZE(rows);

	if (random & 16)
		push(log, number, writer, random & 32);
	else
		pop(log, number, random & 32);
}

/* What was pushed and not popped by a writer is in the ring, but for what deaths excuse. */
static bool nothing_is_missing(struct storm_log *logs, size_t number)
{
	uint64_t pushed = 0, taken = 0, excused = 0;

	while (!pop(logs, number, false))
		;
	for (unsigned i = 0; i < WRITERS; i++) {
		pushed += logs[i].pushed[number];
		taken += logs[i].popped[number];
		excused += logs[i].excused[number];
	}
	return rows[number].flags == BPF_EXIST ? taken <= pushed
					       : taken <= pushed && pushed <= taken + excused;
}

static bool capacity_is_whole(struct storm_log *log, size_t number)
{
	const struct element e = {0};
	const int fd = rings[number].fd;

	for (unsigned i = 0; i < ENTRIES; i++)
		if (map_call(log, BPF_MAP_UPDATE_ELEM, fd, NULL, &e, BPF_ANY))
			return false;
	return map_call(log, BPF_MAP_UPDATE_ELEM, fd, NULL, &e, BPF_ANY) == -E2BIG;
}

/* Pushes twice as many as there is room for: the younger half is there, in its order. */
static bool drops_the_oldest(struct storm_log *log, size_t number)
{
	const bool is_stack = rows[number].type == BPF_MAP_TYPE_STACK;
	const int fd = rings[number].fd;
	struct element e = {0};

	for (e.name = 0; e.name < 2 * ENTRIES; e.name++)
		if (map_call(log, BPF_MAP_UPDATE_ELEM, fd, NULL, &e, BPF_EXIST))
			return false;
	for (unsigned i = 0; i < ENTRIES; i++)
		if (map_call(log, BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, &e, 0) ||
		    e.name != (is_stack ? 2 * ENTRIES - 1 - i : ENTRIES + i))
			return false;
	return map_call(log, BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, &e, 0) == -ENOENT;
}

static bool verify(struct storm_log *logs)
{
	bool well = true;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!nothing_is_missing(logs, i) || !capacity_is_whole(logs, i) ||
		    !drops_the_oldest(logs, i) || !storm_is_valid(rings[i].fd) || logs->failures) {
			printf("# ring %zu lost an element, its room or its shape\n", i);
			well = false;
		}
		close(rings[i].programs[PUSH]);
		close(rings[i].programs[POP]);
		close(rings[i].fd);
	}
	munmap(popped, sizeof(*popped));
	return well;
}

const struct family ring_family = {"queue_stack", create, settle, step, verify};
