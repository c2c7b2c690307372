/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cli.h: what the verbs of the command share: arguments, messages, realm directories.
 *
 * Verbs return an exit status: 0, 1 when it did not work (one line on stderr says why), 2 for wrong
 * arguments. The command stays outside the core and works on realm directories by their layout in
 * object/realm.h, so that it starts fast and needs no realm of its own.
 */
#ifndef ENTRY_CLI_H
#define ENTRY_CLI_H

#include "base/compiler.h"

#include <argp.h>
#include <sys/types.h>

#include "object/realm.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

struct verb {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is "userbpf <name>" */
	const char *help;
};

int verb_run(int argc, char **argv);
int verb_trace(int argc, char **argv);
int verb_realm(int argc, char **argv);
int verb_features(int argc, char **argv);

/* Parses with argp; adds --help; ends the program with status 2 and a hint on a wrong argument. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);
/* For argp parsers: says what is wrong and returns what they return then. */
error_t cli_wrong(const struct argp_state *state, const char *fmt, ...) printf_like(2, 3);
/* "userbpf: <message>" on stderr; returns STATUS_FAILED. */
int cli_fail(const char *fmt, ...) printf_like(1, 2);
/* The parser value for --realm: a message and an error unless it may name a realm. */
error_t cli_realm_name(const struct argp_state *state, const char *name);

/*
 * The directory of all realms: dir, else $USERBPF_DIR, else the user's own in /dev/shm; absolute.
 * NULL after a message.
 */
const char *realm_base(const char *dir);
/* A descriptor of it, if it is ours alone; may create it. -1 after a message. */
int realm_base_open(const char *base, bool create);

/* Calls visit for every name in a directory, until it returns something else than 0. */
int realm_each(int dir, int (*visit)(int dir, const char *name, void *arg), void *arg);
/* A descriptor of a realm's directory, or -1 with errno. */
int realm_dir_open(int base, const char *name);
/* True unless nobody runs in the realm any more and no process holds an object of it. */
bool realm_is_used(int dir);
/* Removes a realm and everything in it. */
void realm_remove(int base, const char *name);
/* Removes private realms whose launcher died, and what an interrupted removal left. */
void realm_remove_stale(int base);

/* Why the preload library cannot work in this program, or NULL. certain: not only a guess. */
const char *program_trouble(const char *path, bool *certain);

/* Replaces this process by the command; returns the exit status for the reason it cannot. */
int exec_command(char **command);
/* Runs the command in a fresh realm below base; its exit status, or dies as the command died. */
int private_run(int base, char **command);

#endif
