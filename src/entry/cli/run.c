/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * run.c: `userbpf run`. Owns the environment through which a command and its children find the
 * preload library and the realm. In the ordinary case this process becomes the command.
 */
#include "entry/cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/vm.h"

#define PRELOAD_NAME "libuserbpf-preload.so"

/* Where the library is installed; a build in its own tree finds it next to the command. */
#ifndef USERBPF_PRELOAD_INSTALLED
#define USERBPF_PRELOAD_INSTALLED "/usr/lib/userbpf/" PRELOAD_NAME
#endif

/* What must be loaded before it: the sanitizer's runtime in a build with one. */
#ifndef USERBPF_PRELOAD_FIRST
#define USERBPF_PRELOAD_FIRST ""
#endif

struct run_options {
	bool private;
	unsigned verbose;
	const char *realm, *dir, *engine;
	char **command;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *options = state->input;

	switch (key) {
	case 'p':
		options->private = true;
		return 0;
	case 'r':
		options->realm = arg;
		if (!strncmp(arg, REALM_PRIVATE_PREFIX, strlen(REALM_PRIVATE_PREFIX)))
			return cli_wrong(state,
					 "names with '" REALM_PRIVATE_PREFIX "' belong to --private");
		return cli_realm_name(state, arg);
	case 'd':
		options->dir = arg;
		return *arg ? 0 : cli_wrong(state, "--dir needs the name of a directory");
	case 'e':
		options->engine = arg;
		return vm_choose_engine(arg) ? 0
					     : cli_wrong(state, "no such engine on this machine: %s",
							 arg);
	case 'v':
		options->verbose++;
		return 0;
	case ARGP_KEY_ARG:
		options->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!options->command)
			return cli_wrong(state, "which command shall run?");
		if (options->private && options->realm)
			return cli_wrong(state, "--private and --realm exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options_of_run[] = {
	{"private", 'p', NULL, 0, "Use a fresh realm, removed when COMMAND ends", 0},
	{"realm", 'r', "NAME", 0, "Use the realm NAME (default: $USERBPF_REALM or \"default\")", 0},
	{"dir", 'd', "DIR", 0, "Keep realms in DIR (default: $USERBPF_DIR or /dev/shm/userbpf-UID)",
	 0},
	{"engine", 'e', "ENGINE", 0,
	 "Run programs in the checked interpreter (interp), as machine code without checks (jit), or "
	 "in both and compare (both); default: jit for programs loaded with USERBPF_TRUST=1, "
	 "interp for others",
	 0},
	{"verbose", 'v', NULL, 0,
	 "Say on stderr which calls were served, which were not and why; twice: every call", 0},
	{0},
};

static const struct argp argp_of_run = {
	.options = options_of_run,
	.parser = parse,
	.args_doc = "[--] COMMAND [ARGUMENT...]",
	.doc = "Run COMMAND, and whatever it starts, with bpf(2) served in user space. Processes "
	       "of one "
	       "realm share their maps, programs and pins below /sys/fs/bpf.\v"
	       "The exit status is that of COMMAND; 1 when userbpf fails, 2 for wrong arguments, "
	       "126 when "
	       "COMMAND cannot be executed, 127 when it is not found.",
};

static bool is_readable(char *path, size_t size, const char *dir, const char *name)
{
	return (size_t)snprintf(path, size, "%s%s", dir, name) < size && !access(path, R_OK);
}

/* The library next to the command, where an installation has it, or where the build says. */
static bool find_library(char *path, size_t size)
{
	char dir[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	dir[len < 0 ? 0 : len] = '\0';
	if (strrchr(dir, '/'))
		*strrchr(dir, '/') = '\0';
	return is_readable(path, size, dir, "/" PRELOAD_NAME) ||
	       is_readable(path, size, dir, "/../lib/userbpf/" PRELOAD_NAME) ||
	       is_readable(path, size, "", USERBPF_PRELOAD_INSTALLED);
}

/* Before whatever else the user preloads; once, also in a run inside a run. */
static int set_preload(void)
{
	const char *old = getenv("LD_PRELOAD"), *first = USERBPF_PRELOAD_FIRST;
	char path[PATH_MAX], *list;
	int err;

	if (!find_library(path, sizeof(path)))
		return cli_fail(PRELOAD_NAME " is not where this command looks for it");
	if (strpbrk(path, " :"))
		return cli_fail("%s: LD_PRELOAD cannot name a path with spaces or colons", path);
	if (old && strstr(old, path))
		return 0;
	if (asprintf(&list, "%s%s%s%s%s", first, *first ? ":" : "", path, old && *old ? ":" : "",
		     old ? old : "") < 0)
		return cli_fail("out of memory");
	err = setenv("LD_PRELOAD", list, 1);
	free(list);
	return err ? cli_fail("out of memory") : 0;
}

static int set_environment(const struct run_options *options, const char *base)
{
	int err = 0;

	if (options->dir || getenv("USERBPF_DIR")) /* absolute now; the default follows the user */
		err = setenv("USERBPF_DIR", base, 1);
	if (options->realm)
		err |= setenv("USERBPF_REALM", options->realm, 1);
	if (options->engine)
		err |= setenv("USERBPF_ENGINE", options->engine, 1);
	if (options->verbose)
		err |= setenv("USERBPF_VERBOSE", options->verbose > 1 ? "2" : "1", 1);
	return err ? cli_fail("out of memory") : set_preload();
}

static void warn_of_trouble(const char *program, bool verbose)
{
	bool certain;
	const char *trouble = program_trouble(program, &certain);

	if (trouble && (certain || verbose))
		cli_fail("warning: %s %s; its bpf calls go to the kernel", program, trouble);
}

int exec_command(char **command)
{
	int err;

	execvp(command[0], command);
	err = errno;
	cli_fail("%s: %s", command[0], strerror(err));
	return err == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

int verb_run(int argc, char **argv)
{
	struct run_options options = {0};
	const char *path;
	int base;

	cli_parse(&argp_of_run, argc, argv, &options);
	path = realm_base(options.dir);
	base = path ? realm_base_open(path, true) : -1;
	if (base < 0 || set_environment(&options, path))
		return STATUS_FAILED;
	warn_of_trouble(options.command[0], options.verbose);
	if (options.private)
		return private_run(base, options.command);
	return exec_command(options.command);
}
