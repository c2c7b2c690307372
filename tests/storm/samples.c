/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * samples.c: the storm on stacks and perf events. Every stack and every sample is made of copies of
 * one number, so that half of one never passes. Rings of events are mapped without write permission:
 * they take each sample, over the oldest one.
 */
#include "storm.h"

#include <sched.h>
#include <stdio.h>

#include "base/user_stack.h"
#include "maps/perf_event.h"
#include "shm/vcpu.h"
#include "vm/asm.h"

#define TRACES 8u
#define FRAMES 4u
#define SAMPLE_BYTES 32u
#define RECORD_BYTES 48u /* header, size, sample, padding */
#define RING_PAGES 2u

static int stacks, events, enter_program, sample_program;
static unsigned nr_events;
static struct perf_event *rings[MAX_CPUS];

static void load_programs(void)
{
	const struct bpf_insn enter[] = {
		LD(DW, R3, R1, 0), LD64_RAW(R2, BPF_PSEUDO_MAP_FD, stacks, 0),
		CALL(BPF_FUNC_get_stackid), EXIT,
	};
	const struct bpf_insn sample[] = {
		LD(DW, R6, R1, 0), ST_X(DW, R10, -32, R6), ST_X(DW, R10, -24, R6),
		ST_X(DW, R10, -16, R6), ST_X(DW, R10, -8, R6),
		LD64_RAW(R2, BPF_PSEUDO_MAP_FD, events, 0), LD64(R3, BPF_F_CURRENT_CPU),
		MOV_X(R4, R10), ALU64_K(ADD, R4, -32), MOV_K(R5, SAMPLE_BYTES),
		CALL(BPF_FUNC_perf_event_output), EXIT,
	};

	enter_program = storm_program_of(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, enter, sizeof(enter));
	sample_program = storm_program_of(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, sample, sizeof(sample));
}

static bool open_ring(uint32_t cpu)
{
	const struct perf_event_attr attr = {.sample_type = PERF_SAMPLE_RAW, .wakeup_events = 1};
	struct object *object;
	int fd = perf_event_create(&attr, cpu);
	bool well;

	if (fd < 0 || object_from_fd(fd, OBJECT_PERF, &object, NULL))
		return false;
	rings[cpu] = perf_event_of(object);
	well = !perf_event_map(rings[cpu], 0, RING_PAGES * PAGE_BYTES, false) &&
	       !map_call(&(struct storm_log){0}, BPF_MAP_UPDATE_ELEM, events, &cpu, &fd, BPF_ANY);
	close(fd);
	return well;
}

static void create(void)
{
	nr_events = MIN(vcpu_possible(), (uint32_t)MAX_CPUS);
	stacks = storm_map(BPF_MAP_TYPE_STACK_TRACE, 4, FRAMES * 8, TRACES, 0, -1, -1);
	events = storm_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, nr_events, 0, -1, -1);
	load_programs();
	for (uint32_t cpu = 0; cpu < nr_events; cpu++)
		if (!open_ring(cpu)) {
			printf("# no perf event\n");
			_exit(1);
		}
}

/* Nothing that a kill interrupts needs an excuse: numbers tell all. */
static void settle(struct storm_log *log, unsigned writer)
{
	(void)log;
	(void)writer;
}

/* With a stack whose every address is the number. */
static void enter(struct storm_log *log, uint64_t number, uint64_t flags)
{
	struct {
		const void *next;
		uint64_t address;
	} records[FRAMES];
	uint64_t context[2] = {BPF_F_USER_STACK | flags};
	const void *outer = user_stack_enter(records);
	int id;

	for (unsigned i = 0; i < FRAMES; i++) {
		records[i].next = i + 1 < FRAMES ? &records[i + 1] : NULL;
		records[i].address = number;
	}
	id = storm_run(log, enter_program, context, sizeof(context));
	user_stack_leave(&outer);
	EXPECT(log, (id >= 0 && id < (int)TRACES) || id == -EEXIST ||
			    (id == -ENOMEM && flags & BPF_F_REUSE_STACKID));
}

static void look(struct storm_log *log, uint32_t slot, int command)
{
	uint64_t trace[FRAMES];
	const long err = map_call(log, command, stacks, &slot, trace, 0);

	EXPECT(log, !err || err == -ENOENT);
	for (unsigned i = 1; i < FRAMES && !err; i++)
		EXPECT(log, trace[i] == trace[0]);
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	const uint64_t number = (uint64_t)(writer + 1) << 32 | random % 32;
	uint32_t slot = random / 64 % TRACES;
	uint64_t context[2] = {number};
	long err;

	switch (random % 8) {
	case 0:
		look(log, slot, BPF_MAP_LOOKUP_ELEM);
		break;
	case 1:
		look(log, slot, BPF_MAP_LOOKUP_AND_DELETE_ELEM);
		break;
	case 2:
		err = map_call(log, BPF_MAP_DELETE_ELEM, stacks, &slot, NULL, 0);
		EXPECT(log, !err || err == -ENOENT);
		break;
	case 3:
		enter(log, number, 0);
		break;
	case 4:
		enter(log, number, BPF_F_REUSE_STACKID);
		break;
	default:
		EXPECT(log, !storm_run(log, sample_program, context, sizeof(context)));
	}
}

/* All records that the ring still holds are whole. */
static bool ring_is_right(const struct perf_event *event)
{
	const struct perf_event_mmap_page *page = (void *)event->object.region.base;
	const uint8_t *data = event->object.region.base + PAGE_BYTES;
	uint64_t size = (RING_PAGES - 1) * PAGE_BYTES, at = page->data_head;

	if (page->data_head % RECORD_BYTES)
		return false;
	for (; at >= RECORD_BYTES && page->data_head - at + RECORD_BYTES <= size;
	     at -= RECORD_BYTES) {
		uint64_t words[SAMPLE_BYTES / 8];
		uint8_t record[RECORD_BYTES];

		for (unsigned i = 0; i < RECORD_BYTES; i++)
			record[i] = data[(at - RECORD_BYTES + i) % size];
		memcpy(words, record + 12, sizeof(words));
		for (unsigned i = 1; i < ARRAY_SIZE(words); i++)
			if (words[i] != words[0])
				return false;
	}
	return true;
}

/* One run on each CPU, as far as that is allowed: a ring is put right when it is written. */
static bool run_everywhere(struct storm_log *logs)
{
	uint64_t context[2] = {1};
	cpu_set_t before, one;
	bool well = true;

	sched_getaffinity(0, sizeof(before), &before);
	for (unsigned cpu = 0; cpu < nr_events; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		well = !storm_run(logs, sample_program, context, sizeof(context)) && well;
	}
	sched_setaffinity(0, sizeof(before), &before);
	return well;
}

static bool verify(struct storm_log *logs)
{
	bool well = storm_is_valid(stacks) && storm_is_valid(events) && !logs->failures;

	/* A writer that died behind the head has its last record shown by the next one. */
	for (unsigned i = 0; i < 100; i++)
		well = run_everywhere(logs) && well;
	close(enter_program);
	close(sample_program);
	close(stacks);
	close(events);
	for (unsigned cpu = 0; cpu < nr_events; cpu++) {
		if (!ring_is_right(rings[cpu])) {
			printf("# the ring of CPU %u has half a record\n", cpu);
			well = false;
		}
		object_put(&rings[cpu]->object);
	}
	return well && !storm_objects(OBJECT_PERF);
}

const struct family samples_family = {"samples", create, settle, step, verify};
