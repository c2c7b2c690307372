/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * side.c: starts this program again as the worker of a side, natively or under `userbpf run`, and
 * talks to it over its standard input and output.
 */
#include "side.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	pid_t pid; /* 0: not started */
	int to, from;
};

static struct process processes[NR_SIDES];

static const struct {
	const char *name;
	bool under_userbpf;
} sides[NR_SIDES] = {
	[SIDE_KERNEL] = {"kernel", false},
	[SIDE_USERBPF] = {"userbpf", true},
	[SIDE_INTERP] = {"interpreter", true},
	[SIDE_HANDLE] = {"handle", true},
	[SIDE_CK] = {"ck_ht", false},
	[SIDE_LFHT] = {"lfht", false},
	[SIDE_FLOOR] = {"floor", false},
};

const char *side_name(enum side side)
{
	return sides[side].name;
}

static void own_path(char *path, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", path, size - 1);

	path[len > 0 ? len : 0] = 0;
}

/* The launcher of the same build: ../userbpf. */
static const char *launcher(void)
{
	static char path[PATH_MAX + sizeof("userbpf")];
	char *slash;

	if (path[0])
		return path;
	own_path(path, PATH_MAX);
	for (int up = 0; up < 2; up++) {
		slash = strrchr(path, '/');
		if (slash)
			*slash = 0;
	}
	strcat(path, "/userbpf");
	return path;
}

/* Can the launcher choose between engines? */
static bool has_engines(void)
{
	static int known = -1;
	char command[PATH_MAX + 64];

	if (known < 0) {
		snprintf(command, sizeof(command), "'%s' help run | grep -q -e --engine",
			 launcher());
		known = system(command) == 0;
	}
	return known;
}

const char *side_engine(void)
{
	return has_engines() ? "jit" : "interpreter";
}

bool side_exists(enum side side)
{
	return side != SIDE_INTERP || has_engines();
}

static void become_worker(enum side side)
{
	char self[PATH_MAX], number[8];
	char *args[12];
	int n = 0;

	own_path(self, sizeof(self));
	snprintf(number, sizeof(number), "%d", (int)side);
	if (sides[side].under_userbpf) {
		args[n++] = (char *)launcher();
		args[n++] = "run";
		args[n++] = "--private";
		if (side != SIDE_HANDLE && has_engines()) {
			args[n++] = "--engine";
			args[n++] = side == SIDE_INTERP ? "interp" : "jit";
		}
		args[n++] = "--";
	}
	args[n++] = self;
	args[n++] = "--worker";
	args[n++] = number;
	args[n] = NULL;
	execv(args[0], args);
	_exit(127);
}

static int start(enum side side, struct process *process)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -errno;
	process->pid = fork();
	if (process->pid < 0)
		return -errno;
	if (!process->pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		become_worker(side);
	}
	close(to[0]);
	close(from[1]);
	process->to = to[1];
	process->from = from[0];
	return 0;
}

static void stop(struct process *process)
{
	close(process->to);
	close(process->from);
	waitpid(process->pid, NULL, 0);
	process->pid = 0;
}

void side_ask(enum side side, const struct request *request, struct reply *reply)
{
	struct process *process = &processes[side];

	signal(SIGPIPE, SIG_IGN);
	memset(reply, 0, sizeof(*reply));
	if (process->pid <= 0)
		reply->error = start(side, process);
	if (!reply->error && write(process->to, request, sizeof(*request)) == sizeof(*request) &&
	    read(process->from, reply, sizeof(*reply)) == sizeof(*reply))
		return;
	reply->error = -ECHILD;
	snprintf(reply->reason, sizeof(reply->reason), "its process ended");
	if (process->pid > 0)
		stop(process);
}

void side_stop_all(void)
{
	for (int side = 0; side < NR_SIDES; side++)
		if (processes[side].pid > 0)
			stop(&processes[side]);
}
