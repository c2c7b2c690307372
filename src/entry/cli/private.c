/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * private.c: a realm for one run. Owns the realm's directory from its creation to its removal, and
 * stands for the command meanwhile: signals pass to it, its end becomes ours.
 *
 * A shared flock on the directory, held as long as this process lives, says that the realm is in
 * use; every process inside it holds one too.
 */
#include "entry/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INHERITED_FD 500 /* or above: out of the way of what the command opens */

/* True when the locked directory still is the one under its name: nobody took it for stale. */
static bool still_there(int base, const char *name, int dir)
{
	struct stat open, named;

	return !fstat(dir, &open) && !fstatat(base, name, &named, AT_SYMLINK_NOFOLLOW) &&
	       open.st_ino == named.st_ino;
}

/* Fills name; the descriptor holds the lock. -1 with errno. */
static int create_realm(int base, char *name, size_t size)
{
	unsigned random;
	int dir;

	for (int tries = 0; tries < 100; tries++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -1;
		snprintf(name, size, REALM_PRIVATE_PREFIX "%d-%08x", getpid(), random);
		if (mkdirat(base, name, 0700))
			return -1;
		dir = realm_dir_open(base, name);
		if (dir >= 0 && !flock(dir, LOCK_SH | LOCK_NB) && still_there(base, name, dir))
			return dir;
		if (dir >= 0)
			close(dir);
	}
	return -1;
}

/* The kernel has sent the terminal's signals to the command, too: it is in the same group. */
static void forward(pid_t child, const siginfo_t *info)
{
	if (info->si_code <= 0)
		kill(child, info->si_signo);
}

/* Waits for the command's end, or stop, passing signals on; its wait status. */
static int wait_for(pid_t child, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (sigwaitinfo(signals, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD) {
			forward(child, &info);
			continue;
		}
		while (waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
			if (!WIFSTOPPED(status))
				return status;
			raise(SIGSTOP);
		}
	}
}

/* Ends as the command did, for whoever waits for us. */
static int end_like(int status)
{
	sigset_t one;
	int signo;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signo = WTERMSIG(status);
	prctl(PR_SET_DUMPABLE, 0); /* one core file is enough */
	signal(signo, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, signo);
	kill(getpid(), signo);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + signo;
}

int private_run(int base, char **command)
{
	char name[NAME_MAX + 1];
	sigset_t all, old;
	int status, dir;
	pid_t child;

	realm_remove_stale(base);
	dir = create_realm(base, name, sizeof(name));
	if (dir < 0)
		return cli_fail("cannot create a private realm: %s", strerror(errno));
	setenv("USERBPF_REALM", name, 1);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would take the status from us */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	child = fork();
	if (!child) {
		/* The command and all its children keep the realm's lock, should we be killed. */
		fcntl(dir, F_DUPFD, INHERITED_FD);
		sigprocmask(SIG_SETMASK, &old, NULL);
		_exit(exec_command(command));
	}
	status = child < 0 ? STATUS_FAILED << 8 : wait_for(child, &all);
	if (child < 0)
		cli_fail("cannot start a process: %s", strerror(errno));
	realm_remove(base, name);
	close(dir);
	return end_like(status);
}
