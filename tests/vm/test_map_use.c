// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * test_map_use.c: which helper a program may call on which type of map, with each of the flags that
 * restrict programs: errno and line of the log for every combination.
 */
#include "../bpf_test.h"
#include "asm.h"

#include <stdbool.h>

enum { LOOKUP = 1, UPDATE = 2, DELETE = 4, PUSH = 8, POP = 16, PEEK = 32, LOOKUP_PERCPU = 64 };

#define KEYED (LOOKUP | UPDATE | DELETE)
#define NO_KEY (PUSH | POP | PEEK)

static const struct {
	int id;
	const char *name;
	unsigned bit;
	bool takes_key;
} helpers[] = {
	{BPF_FUNC_map_lookup_elem, "lookup_elem", LOOKUP, true},
	{BPF_FUNC_map_update_elem, "update_elem", UPDATE, true},
	{BPF_FUNC_map_delete_elem, "delete_elem", DELETE, true},
	{BPF_FUNC_map_push_elem, "push_elem", PUSH, false},
	{BPF_FUNC_map_pop_elem, "pop_elem", POP, false},
	{BPF_FUNC_map_peek_elem, "peek_elem", PEEK, false},
	{BPF_FUNC_map_lookup_percpu_elem, "lookup_percpu_elem", LOOKUP_PERCPU, true},
};

static const struct map_type {
	const char *name;
	unsigned type, key_size, helpers;
} types[] = {
	{"hash", BPF_MAP_TYPE_HASH, 4, KEYED},
	{"array", BPF_MAP_TYPE_ARRAY, 4, KEYED},
	{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 4, KEYED | LOOKUP_PERCPU},
	{"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, KEYED | LOOKUP_PERCPU},
	{"lru_hash", BPF_MAP_TYPE_LRU_HASH, 4, KEYED},
	{"lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, KEYED | LOOKUP_PERCPU},
	{"queue", BPF_MAP_TYPE_QUEUE, 0, NO_KEY},
	{"stack", BPF_MAP_TYPE_STACK, 0, NO_KEY},
	{"array_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, LOOKUP},
	{"hash_of_maps", BPF_MAP_TYPE_HASH_OF_MAPS, 4, LOOKUP},
};

static int create(const struct map_type *type, unsigned flags)
{
	int inner = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0), fd;
	bool outer = type->type == BPF_MAP_TYPE_ARRAY_OF_MAPS ||
		     type->type == BPF_MAP_TYPE_HASH_OF_MAPS;
	union test_attr t = {.a = {.map_type = type->type,
				   .key_size = type->key_size,
				   .value_size = 4,
				   .max_entries = 4,
				   .map_flags = flags,
				   .inner_map_fd = outer ? (uint32_t)inner : 0}};

	fd = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
	close(inner);
	return fd;
}

/* A number where a helper wants one in argument 3, else a value. */
static int load(int map, int id, char *log, unsigned size)
{
	bool number = id == BPF_FUNC_map_push_elem || id == BPF_FUNC_map_lookup_percpu_elem;
	struct bpf_insn insns[] = {
		ST_K(DW, R10, -8, 0),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, -8),
		MOV_X(R3, R2),
		MOV_K(R4, 0),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, map, 0),
		CALL(id),
		MOV_K(R0, 0),
		EXIT,
	};
	union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				   .insns = ptr64(insns),
				   .insn_cnt = sizeof(insns) / sizeof(insns[0]),
				   .license = ptr64("GPL"),
				   .log_level = 1,
				   .log_size = size,
				   .log_buf = ptr64(log)}};

	if (number)
		insns[3] = (struct bpf_insn)MOV_K(R3, 0);
	log[0] = 0;
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static void check(const struct map_type *type, unsigned flags, int map, unsigned h)
{
	const unsigned writes = UPDATE | DELETE | PUSH | POP;
	char expected[128] = "processed", log[4096];
	int err = 0, result = load(map, helpers[h].id, log, sizeof(log));

	if (helpers[h].takes_key && !type->key_size) {
		err = -EACCES;
		strcpy(expected, "invalid zero-sized read\n");
	} else if (flags == BPF_F_RDONLY_PROG && helpers[h].bit & writes) {
		err = -EACCES;
		strcpy(expected, "write into map forbidden\n");
	} else if (!(type->helpers & helpers[h].bit)) {
		err = -EINVAL;
		snprintf(expected, sizeof(expected), "cannot pass map_type %u into func bpf_map_%s#%d\n",
			 type->type, helpers[h].name, helpers[h].id);
	}
	if ((result < 0 ? result : 0) != err || !strstr(log, expected))
		fail_msg("%s of %s, flags 0x%x: %d instead of %d, log lacks \"%s\": %s",
			 helpers[h].name, type->name, flags, result, err, expected, log);
	if (result >= 0)
		close(result);
}

static void every_helper(void **state)
{
	static const unsigned flags[] = {0, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
	const struct map_type *type = *state;

	for (unsigned f = 0; f < 3; f++) {
		int map = create(type, flags[f]);

		if (flags[f] && type->type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
			assert_int_equal(map, -EINVAL);
			continue;
		}
		assert_true(map >= 0);
		for (unsigned h = 0; h < sizeof(helpers) / sizeof(helpers[0]); h++)
			check(type, flags[f], map, h);
		close(map);
	}
}

#define NR_TYPES (sizeof(types) / sizeof(types[0]))

int main(void)
{
	struct CMUnitTest tests[NR_TYPES];

	require_bpf();
	for (unsigned i = 0; i < NR_TYPES; i++)
		tests[i] = (struct CMUnitTest){types[i].name, every_helper, NULL, NULL,
					       (void *)&types[i]};
	return run_tests(tests);
}
