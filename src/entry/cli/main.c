/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * main.c: the command `userbpf`. Owns the table of verbs, the usage text printed from it, and the
 * way in which arguments are refused. Each verb lives in a file of its own.
 */
#include "entry/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef USERBPF_VERSION
#define USERBPF_VERSION "0.1.0"
#endif

static int verb_help(int argc, char **argv);

static const struct verb verbs[] = {
	{"run", verb_run, "run a command whose bpf(2) calls are served in user space"},
	{"trace", verb_trace, "print what programs wrote with bpf_trace_printk()"},
	{"realm", verb_realm, "list realms, remove dead ones"},
	{"features", verb_features, "list what of bpf(2) is served"},
	{"help", verb_help, "explain a verb: userbpf help VERB"},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void print_usage(FILE *out)
{
	fputs("Usage: userbpf VERB [ARGUMENT...]\n"
	      "The bpf(2) system call in user space: unmodified BPF programs, no privilege.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fputs("\n'userbpf VERB --help' tells more; so does the manual page userbpf(1).\n"
	      "Example: userbpf run --private -- bpftool map show\n",
	      out);
}

static int call_verb(const struct verb *verb, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "userbpf %s", verb->name);
	argv[0] = name;
	return verb->run(argc, argv);
}

static int wrong_verb(const char *name)
{
	fprintf(stderr,
		name[0] == '-' ? "userbpf: unrecognized option '%s'\n"
			       : "userbpf: '%s' is not a verb\n",
		name);
	fputs("Try 'userbpf --help' for more information.\n", stderr);
	return STATUS_USAGE;
}

static int verb_help(int argc, char **argv)
{
	char help[] = "--help";
	char *args[] = {NULL, help, NULL};
	const struct verb *verb;

	if (argc < 2 || !strcmp(argv[1], help) || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	verb = find_verb(argv[1]);
	return verb ? call_verb(verb, 2, args) : wrong_verb(argv[1]);
}

static int run_command_line(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		print_usage(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("userbpf " USERBPF_VERSION);
		return 0;
	}
	verb = find_verb(argv[1]);
	return verb ? call_verb(verb, argc - 1, argv + 1) : wrong_verb(argv[1]);
}

/* What was asked for and could not be written is a failure. */
int main(int argc, char **argv)
{
	int status = run_command_line(argc, argv);

	if ((fflush(stdout) || ferror(stdout)) && !status)
		status = cli_fail("cannot write the output: %s", strerror(errno));
	return status;
}

int cli_fail(const char *fmt, ...)
{
	va_list args;

	fputs("userbpf: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return STATUS_FAILED;
}

error_t cli_wrong(const struct argp_state *state, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", state->argv[0]);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return EINVAL;
}

/* Without a stream for errors argp neither prints its own hint nor ends the program. */
static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		state->err_stream = NULL;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Leaves out argp's note on options that take an argument. */
static char *filter_help(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	static const struct argp_option options[] = {
		{"help", 'h', NULL, 0, "Explain this verb", -1},
		{0},
	};
	struct argp verb = *argp;
	const struct argp_child children[] = {{&verb, 0, NULL, 0}, {0}};
	const struct argp common = {.options = options,
				    .parser = parse_common,
				    .args_doc = argp->args_doc,
				    .doc = argp->doc,
				    .children = children,
				    .help_filter = filter_help};

	verb.args_doc = verb.doc = NULL; /* shown once, by the parent */
	if (!argp_parse(&common, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, input))
		return;
	fprintf(stderr, "Try '%s --help' for more information.\n", argv[0]);
	exit(STATUS_USAGE);
}

error_t cli_realm_name(const struct argp_state *state, const char *name)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (!*name || *name == '.' || strlen(name) > 255 || name[strspn(name, allowed)])
		return cli_wrong(state,
				 "'%s' cannot name a realm: letters, digits, '-', '_' and '.' can",
				 name);
	return 0;
}
