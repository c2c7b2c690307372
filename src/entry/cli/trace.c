/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * trace.c: `userbpf trace`. Reads the realm's trace file, as others read trace_pipe. The file is
 * renamed to trace.old when it is full; a reader who follows it reads it to its end first.
 */
#include "entry/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_PAUSE_NS 100000000 /* a person reads along */

struct trace_options {
	const char *realm, *dir;
	bool follow;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct trace_options *options = state->input;

	switch (key) {
	case 'r':
		options->realm = arg;
		return cli_realm_name(state, arg);
	case 'd':
		options->dir = arg;
		return 0;
	case 'f':
		options->follow = true;
		return 0;
	case ARGP_KEY_ARG:
		return cli_wrong(state, "unexpected argument '%s'", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options_of_trace[] = {
	{"realm", 'r', "NAME", 0, "Of the realm NAME (default: $USERBPF_REALM or \"default\")", 0},
	{"dir", 'd', "DIR", 0, "Realms are in DIR (default: $USERBPF_DIR or /dev/shm/userbpf-UID)",
	 0},
	{"follow", 'f', NULL, 0, "Go on with what is written from now on", 0},
	{0},
};

static const struct argp argp_of_trace = {
	.options = options_of_trace,
	.parser = parse,
	.doc = "Print what programs of a realm wrote with bpf_trace_printk().",
};

/* Copies what is there up to the end. 0, or -1 when nobody reads our output any more. */
static int copy_rest(int fd)
{
	char block[65536];
	ssize_t len;

	while ((len = read(fd, block, sizeof(block))) > 0)
		if (fwrite(block, 1, (size_t)len, stdout) != (size_t)len)
			return -1;
	return fflush(stdout);
}

static int open_trace(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static void print_file(int dir, const char *name)
{
	int fd = open_trace(dir, name);

	if (fd < 0)
		return;
	copy_rest(fd);
	close(fd);
}

static bool is_replaced(int dir, int fd)
{
	struct stat open, named;

	return fd < 0 || fstat(fd, &open) || fstatat(dir, "trace", &named, AT_SYMLINK_NOFOLLOW) ||
	       open.st_ino != named.st_ino;
}

/* Whether the file was replaced is asked before the last read of the old one. */
static int follow(int dir)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_PAUSE_NS};
	int fd = open_trace(dir, "trace");
	bool replaced;

	for (;;) {
		replaced = is_replaced(dir, fd);
		if (fd >= 0 && copy_rest(fd))
			return cli_fail("cannot write: %s", strerror(errno));
		if (replaced) {
			if (fd >= 0)
				close(fd);
			fd = open_trace(dir, "trace");
		}
		if (!replaced || fd < 0)
			nanosleep(&pause, NULL);
	}
}

int verb_trace(int argc, char **argv)
{
	struct trace_options options = {.realm = getenv("USERBPF_REALM")};
	const char *path;
	int base, dir;

	cli_parse(&argp_of_trace, argc, argv, &options);
	if (!options.realm || !*options.realm)
		options.realm = "default";
	path = realm_base(options.dir);
	base = path ? realm_base_open(path, false) : -1;
	if (base < 0)
		return STATUS_FAILED;
	dir = realm_dir_open(base, options.realm);
	if (dir < 0)
		return cli_fail("there is no realm '%s' in %s", options.realm, path);
	print_file(dir, "trace.old");
	if (options.follow)
		return follow(dir);
	print_file(dir, "trace");
	return 0;
}
