/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * storm.h: what a family of map types gives to the storm, and what the storm keeps for each writer.
 *
 * The storm runs writers, two threads in each of four processes, and kills the processes. A
 * writer notes in its log what it is about to do and what was acknowledged; whoever looks later must
 * find one or the other. Logs are in memory that survives the writer.
 */
#ifndef TESTS_STORM_H
#define TESTS_STORM_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "cmd/bpf.h"
#include "maps/map.h"

#define WRITERS 8
#define KEYS 16 /* of each writer in each map */
#define MAPS 4  /* of a family, at most */
#define MAX_CPUS 64

struct storm_log {
	uint64_t sequence;
	uint64_t intended[MAPS][KEYS], acknowledged[MAPS][KEYS]; /* 0: absent */
	/* What is under way writes over the value: a kill leaves any mixture. */
	bool in_place[MAPS][KEYS];
	/* Rings: elements of this writer, and pops of it whose result was noted. */
	uint64_t pushing[MAPS], pushed[MAPS], popped[MAPS];
	bool popping[MAPS];
	uint64_t next[MAPS][WRITERS]; /* queues: older ones of that writer come no more */
	uint64_t excused[MAPS]; /* pops and pushes that a kill interrupted */
	uint64_t calls, slowest; /* ns */
	uint32_t steps;          /* since it has settled */
	unsigned failures;
	int first_failure; /* line */
} __attribute__((aligned(4096)));

struct family {
	const char *name;
	void (*create)(void);
	/* At a writer's start and at the end: judges what a kill left, and makes the state known. */
	void (*settle)(struct storm_log *log, unsigned writer);
	void (*step)(struct storm_log *log, unsigned writer, uint32_t random);
	/* All writers have ended; closes what create() made. */
	bool (*verify)(struct storm_log *logs);
};

extern const struct family keyed_families[], ring_family, prefix_families[], records_family;
extern const struct family samples_family, pages_family, timers_family, objects_family;
extern const unsigned nr_keyed_families, nr_prefix_families;
extern unsigned storm_cpus;

#define EXPECT(log, condition) expect((log), (condition), __LINE__)
void expect(struct storm_log *log, bool condition, int line);
uint64_t storm_now(void);

/* bpf(2), timed. */
long timed_call(struct storm_log *log, int command, union bpf_attr *attr);
int storm_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries,
	      uint32_t flags, int inner, int btf);
int storm_program(const struct bpf_insn *insns, size_t size);
int storm_program_of(uint32_t type, uint32_t attach_type, const struct bpf_insn *insns, size_t size);
/* The program's result; context may be changed. */
int storm_run(struct storm_log *log, int program, void *context, uint32_t size);
bool storm_is_valid(int fd);
/* How many objects of this kind there are. */
uint32_t storm_objects(enum object_kind kind);

static inline long map_call(struct storm_log *log, int command, int fd, const void *key,
			    const void *value, uint64_t flags)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd,
			       .key = PTR_U64(key),
			       .value = PTR_U64(value),
			       .flags = flags};

	return timed_call(log, command, &attr);
}

/* Neither the compiler nor a kill puts a note on the other side of what it is about. */
static inline void note(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
