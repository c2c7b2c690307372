/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * features.c: `userbpf features`: what of bpf(2) is served, from the tables that serve it. Knows by
 * itself only the names of the kernel's map types, since types that are not served have no table row.
 */
#include "entry/cli/cli.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "maps/map.h"
#include "vm/helper.h"
#include "vm/kfunc.h"
#include "vm/prog_type.h"

/* In the order of enum bpf_map_type, from 1 on. */
static const char *const map_types[] = {
	"hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array",
	"stack_trace", "cgroup_array", "lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps",
	"hash_of_maps", "devmap", "sockmap", "cpumap", "xskmap", "sockhash", "cgroup_storage",
	"reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack", "sk_storage",
	"devmap_hash", "struct_ops", "ringbuf", "inode_storage", "task_storage", "bloom_filter",
	"user_ringbuf", "cgrp_storage", "arena",
};

/* What a command without a handler answers, and why. */
struct command {
	const char *name, *error, *reason; /* error NULL: served */
};

#define CMD(number, name, last_used, handler) [number] = {#name, NULL, NULL},
#define CMD_MAP CMD
#define CMD_ABSENT(number, name, last_used, fd, error, reason) [number] = {#name, #error, reason},
static const struct command commands[] = {
#include "cmd/commands.def"
};
#undef CMD
#undef CMD_MAP
#undef CMD_ABSENT

/* One row of the report: supported, or the errno of a kernel without it, and why. */
static struct json_object *add_row(struct json_object *rows, const char *name, size_t number,
				   const char *error, const char *reason)
{
	struct json_object *row = json_object_new_object();

	json_object_object_add(row, "name", json_object_new_string(name));
	json_object_object_add(row, "number", json_object_new_int((int)number));
	json_object_object_add(row, "supported", json_object_new_boolean(!error));
	if (error)
		json_object_object_add(row, "errno", json_object_new_string(error));
	if (reason)
		json_object_object_add(row, "reason", json_object_new_string(reason));
	json_object_array_add(rows, row);
	return row;
}

static void add_commands(struct json_object *rows)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		add_row(rows, commands[i].name, i, commands[i].error, commands[i].reason);
}

static void add_map_types(struct json_object *rows)
{
	for (u32 i = 0; i < ARRAY_SIZE(map_types); i++)
		add_row(rows, map_types[i], i + 1, map_ops_of(i + 1) ? NULL : "EINVAL", NULL);
}

static void add_prog_types(struct json_object *rows)
{
	const struct prog_type *type;
	struct json_object *row;

	for (u32 i = 1; (type = prog_type_of(i)); i++) {
		row = add_row(rows, type->name, i, type->needs_btf_id ? "EINVAL" : NULL,
			      type->needs_btf_id ? PROG_TYPE_REASON : NULL);
		json_object_object_add(row, "test_run",
				       json_object_new_boolean(type->test_run != NULL));
	}
}

static void add_helpers(struct json_object *rows)
{
	const struct helper *helper;

	for (u32 i = 1; (helper = helper_of(i)); i++)
		add_row(rows, helper->name, i, helper->fn ? NULL : "EINVAL", helper->reason);
}

static void add_kfuncs(struct json_object *rows)
{
	const struct kfunc *kfunc;

	for (u32 i = 1; (kfunc = kfunc_of(i)); i++)
		add_row(rows, kfunc->call.name, i, NULL, NULL);
}

static const struct section {
	const char *name;
	void (*add)(struct json_object *rows);
} sections[] = {
	{"commands", add_commands},
	{"map_types", add_map_types},
	{"program_types", add_prog_types},
	{"helpers", add_helpers},
	{"kfuncs", add_kfuncs},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case 'j':
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		return cli_wrong(state, "unexpected argument '%s'", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options_of_features[] = {
	{"json", 'j', NULL, 0, "As JSON", 0},
	{0},
};

static const struct argp argp_of_features = {
	.options = options_of_features,
	.parser = parse,
	.doc = "List commands of bpf(2), map types, program types, helpers and kernel functions "
	       "(kfuncs, all are served): whether they are served, or the errno with which they are refused, as by a kernel without them, and why.",
};

static void print_section(const char *name, struct json_object *rows)
{
	struct json_object *row, *error, *reason;

	printf("%s\n", name);
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		row = json_object_array_get_idx(rows, i);
		printf("  %-32s %s",
		       json_object_get_string(json_object_object_get(row, "name")),
		       json_object_object_get_ex(row, "errno", &error)
			       ? json_object_get_string(error)
			       : "supported");
		if (json_object_object_get_ex(row, "reason", &reason))
			printf(": %s", json_object_get_string(reason));
		putchar('\n');
	}
}

int verb_features(int argc, char **argv)
{
	struct json_object *features, *rows;
	bool json = false;

	cli_parse(&argp_of_features, argc, argv, &json);
	features = json_object_new_object();
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		rows = json_object_new_array();
		sections[i].add(rows);
		json_object_object_add(features, sections[i].name, rows);
		if (!json)
			print_section(sections[i].name, rows);
	}
	if (json)
		puts(json_object_to_json_string_ext(features, JSON_C_TO_STRING_PRETTY));
	json_object_put(features);
	return 0;
}
