/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * conformance.h: what the parts of the conformance program share. It is an ordinary user of bpf(2)
 * that prints what it is answered, in a form that is the same on every machine and in every run:
 * descriptors, ids, cursors and the order of hashes never show. Run natively it asks the kernel,
 * under `userbpf run` it asks userbpf; tools/conformance compares.
 */
#ifndef TESTS_CONFORMANCE_H
#define TESTS_CONFORMANCE_H

#include <stdbool.h>

#include "../bpf_test.h"
#include "../vm/asm.h"

#define ATTR_SIZE sizeof(union bpf_attr)
#define MAX_CPUS 64u
#define DATA_MAX 64u /* of a key or a value of the random driver */
#define round8(n) (((n) + 7u) & ~7u)
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
/* Newer than some headers. */
#define MAP_TYPE_CGRP_STORAGE 32
#define MAP_TYPE_ARENA 33

enum trait {
	HASHED = 1,
	PER_CPU = 2,
	INDEXED = 4,
	KEYLESS = 8,
	OUTER = 16,
	LRU = 32,
	PREFIXES = 64, /* keys are prefixes */
	FILTER = 128,  /* a set that LOOKUP asks about the value that it is given */
	PROGRAMS = 256, /* values are programs */
	OBJECTS = OUTER | PROGRAMS,
	RECORDS = 512, /* a ring of bytes: no values */
	TRACES = 1024, /* values are stacks, which programs enter */
	EVENTS = 2048, /* values are perf events */
	OWNED = 4096,  /* keys are descriptors, values have a type */
	NAMES = 8192,  /* values name what is outside of bpf(2): names.c */
	WIDE = 16384,  /* of eight bytes, if wanted */
	SOCKETS = 32768,
	REDIRECTS = 65536, /* where packets may be redirected to */
	OPAQUE = 131072,   /* programs do not look into values */
	ATTACHED = 262144, /* elements come with attachments, so there are none */
	TABLE = 524288,	   /* the value is a table of the kernel's */
	PAGES = 1048576,   /* memory that is mapped */
};

struct type {
	unsigned id;
	const char *name;
	unsigned traits;
};

extern const struct type types[];
extern unsigned cpus;

/* "0", "EINVAL"; what a call returned, with negative errno. */
const char *result_name(long result);
/* Continues an FNV-1a hash. */
uint64_t digest(uint64_t hash, const void *data, size_t size);
#define DIGEST_START 0xcbf29ce484222325ull
/* Bytes as text: hexadecimal if they are few, a digest if they are many. Not reentrant. */
const char *bytes_text(const void *data, size_t size);

/* Memory that cannot be touched, and the end of memory that can. */
extern uint8_t *no_memory;

/*
 * value.c: what an OWNED type has as its key of this number, the same descriptor on both sides:
 * sockets, which are inodes too and no tasks; of tasks the first two are ones.
 */
int owner(const struct type *type, uint32_t number);
/* map_elem() until the kernel is not busy (EAGAIN) with what an owner had before. */
int element(int command, int fd, const void *key, const void *value, uint64_t flags);
/* BTF for values with a lock at their start, and for callbacks. */
int btf_of_value(unsigned value_size);
int btf_of_functions(void);
#define BTF_KEY_ID 1
#define BTF_VALUE_ID 4
#define BTF_FUNCTION_ID 3
/* A table of the kernel that registers nothing: the type of a map's value; 0: it has none. */
struct table {
	uint32_t type, size;
};
const struct table *table(void);

/*
 * names.c: the first word of a NAMES type's value of this number; from NAMES_GOOD on it is wrong,
 * or an end of its range.
 */
#define NAMES_GOOD 11u
#define NR_NAMES 16u
uint32_t name_of(const struct type *type, uint32_t number);
/* Before each map: new sockets. */
void names_renew(void);
/* The cookie of a socket, as a value has it, becomes its number. */
void name_hide(const struct type *type, uint8_t *value);
/* Whether this machine, and this user, has what values and keys of the type name. */
bool names_exist(const struct type *type);

/* program.c: a program that does to a map what its packet or context says. */
enum program_op {
	DO_LOOKUP,
	DO_UPDATE,
	DO_DELETE,
	DO_STORE,
	DO_ATOMIC,
	DO_EACH,
	DO_PERCPU,
	DO_PUSH,
	DO_POP,
	DO_PEEK,
	DO_LOCKED,
	DO_INNER,
	DO_REDIRECT,
	NR_PROGRAM_OPS,
};
enum { INNER_LOOKUP, INNER_UPDATE, INNER_DELETE, NR_INNER_OPS };

/* In the packet, behind an Ethernet header; or the context. */
struct request {
	uint8_t ethernet[16];
	uint32_t op, argument;
	uint64_t flags;
	uint8_t key[DATA_MAX], value[DATA_MAX];
	int64_t result;
	uint8_t out[DATA_MAX];
	uint64_t inner_key, inner_value;
};

struct target {
	const struct type *type;
	unsigned key_size, value_size, flags;
	bool has_lock;
	const struct type *inner; /* of an outer map; its keys have 4 bytes, its values 8 */
	unsigned prog_type;
	bool direct; /* keys and values lie in the packet, not on the stack */
};

/* The operations that a program may do to the map, as bits. */
unsigned program_ops(const struct target *target);
int program_load_attr(const union test_attr *t);
int program_load(const struct target *target, int map_fd);
int program_returning(unsigned prog_type, unsigned attach_type, int value);
/* The result of PROG_TEST_RUN; the request comes back. */
int program_run(const struct target *target, int prog_fd, struct request *request);

/* cases.c: the table of cases. One answer is one line: TYPE COMMAND name: answer. */
int cases_main(const struct type *type);
__attribute__((format(printf, 4, 5))) void answer(const struct type *type, const char *command,
						  const char *name, const char *format, ...);
/*
 * The attribute of a small map of the type: 4 entries, keys of 4 bytes (prefixes: 8), values of 8
 * (or 4), where the type lets us choose. Its keys have numbers; from SMALL_ENTRIES on they are ones that are not there.
 */
#define SMALL_ENTRIES 4u
#define SMALL_KEY_MAX 8u
unsigned small_key_size(const struct type *type);
unsigned small_value_size(const struct type *type);
void small_key(const struct type *type, uint32_t number, uint8_t key[SMALL_KEY_MAX]);
union test_attr small_map(const struct type *type);
int create_small(const struct type *type, unsigned flags);
void fill_small(const struct type *type, int fd, uint32_t count);
/* A program that may be an element of the small maps of programs. Kept. */
int inner_program(void);
/* A map that may be an element of the small outer maps. Kept. */
int inner_map(void);
/* Of the kind that programs write into. */
int perf_event(void);
uint32_t map_id(int fd);
int map_reopen(int fd, unsigned flags);
void create_cases(const struct type *type);
void program_cases(const struct type *type);

struct random_options {
	const struct type *type;
	uint64_t seed;
	unsigned first, sequences, ops;
	const char *only;
	bool verbose;
};
int random_main(const struct random_options *options);

#endif
