/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * realm.c: `userbpf realm list` and `userbpf realm clean`. A realm is dead when no process holds an
 * object of it and nothing is pinned in it.
 */
#include "entry/cli/cli.h"

#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct realm_options {
	const char *action, *dir;
	bool json;
	struct json_object *list; /* NULL: print a table */
};

struct realm_facts {
	unsigned objects, pins;
	u64 bytes;
	bool used;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct realm_options *options = state->input;

	switch (key) {
	case 'd':
		options->dir = arg;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->action || (strcmp(arg, "list") && strcmp(arg, "clean")))
			return cli_wrong(state, "unexpected argument '%s'", arg);
		options->action = arg;
		return 0;
	case ARGP_KEY_END:
		return options->action ? 0 : cli_wrong(state, "list or clean?");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options_of_realm[] = {
	{"dir", 'd', "DIR", 0, "Realms are in DIR (default: $USERBPF_DIR or /dev/shm/userbpf-UID)",
	 0},
	{"json", 'j', NULL, 0, "List as JSON", 0},
	{0},
};

static const struct argp argp_of_realm = {
	.options = options_of_realm,
	.parser = parse,
	.args_doc = "list\nclean",
	.doc = "List realms with their objects (maps, programs, BTF), pins and memory; or remove "
	       "those "
	       "in which no process holds an object and nothing is pinned.",
};

static int count_pin(int dir, const char *name, void *arg)
{
	struct realm_facts *facts = arg;
	struct stat st;
	int below;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	facts->pins += S_ISREG(st.st_mode);
	below = S_ISDIR(st.st_mode) ? realm_dir_open(dir, name) : -1;
	if (below >= 0) {
		realm_each(below, count_pin, facts);
		close(below);
	}
	return 0;
}

static int count_file(int dir, const char *name, void *arg)
{
	struct realm_facts *facts = arg;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return 0;
	facts->objects += !strncmp(name, "bpf-", 4);
	facts->bytes += (u64)st.st_blocks * 512;
	return 0;
}

static void read_facts(int dir, struct realm_facts *facts)
{
	*facts = (struct realm_facts){.used = realm_is_used(dir)};
	realm_each(dir, count_file, facts);
	count_pin(dir, "fs", facts);
}

static void add_json(struct json_object *list, const char *name, const struct realm_facts *facts)
{
	struct json_object *row = json_object_new_object();

	json_object_object_add(row, "name", json_object_new_string(name));
	json_object_object_add(row, "objects", json_object_new_int64(facts->objects));
	json_object_object_add(row, "pins", json_object_new_int64(facts->pins));
	json_object_object_add(row, "bytes", json_object_new_int64((int64_t)facts->bytes));
	json_object_object_add(row, "used", json_object_new_boolean(facts->used));
	json_object_array_add(list, row);
}

static int list_realm(int base, const char *name, void *arg)
{
	struct realm_options *options = arg;
	struct realm_facts facts;
	int dir = *name == '.' ? -1 : realm_dir_open(base, name);

	if (dir < 0)
		return 0;
	read_facts(dir, &facts);
	close(dir);
	if (options->list)
		add_json(options->list, name, &facts);
	else
		printf("%-32s %8u %6u %12llu  %s\n", name, facts.objects, facts.pins,
		       (unsigned long long)facts.bytes, facts.used ? "yes" : "no");
	return 0;
}

static int clean_realm(int base, const char *name, void *arg)
{
	struct realm_facts facts;
	int dir = *name == '.' ? -1 : realm_dir_open(base, name);

	(void)arg;
	if (dir < 0)
		return 0;
	read_facts(dir, &facts);
	close(dir);
	if (!facts.used && !facts.pins) {
		realm_remove(base, name);
		printf("removed %s\n", name);
	}
	return 0;
}

static int list(int base, struct realm_options *options)
{
	if (options->json)
		options->list = json_object_new_array();
	else
		printf("%-32s %8s %6s %12s  %s\n", "REALM", "OBJECTS", "PINS", "BYTES", "USED");
	realm_each(base, list_realm, options);
	if (options->list) {
		puts(json_object_to_json_string_ext(options->list, JSON_C_TO_STRING_PRETTY));
		json_object_put(options->list);
	}
	return 0;
}

int verb_realm(int argc, char **argv)
{
	struct realm_options options = {0};
	const char *path;
	int base;

	cli_parse(&argp_of_realm, argc, argv, &options);
	path = realm_base(options.dir);
	if (path && access(path, F_OK)) /* no realm yet */
		return options.json ? puts("[ ]") < 0 : 0;
	base = path ? realm_base_open(path, false) : -1;
	if (base < 0)
		return STATUS_FAILED;
	if (!strcmp(options.action, "list"))
		return list(base, &options);
	realm_remove_stale(base);
	return realm_each(base, clean_realm, &options);
}
