/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * work_queue.c: a BPF queue hands work from one process to its children. Nobody waits in it: a full
 * queue says E2BIG, an empty one ENOENT, and what to do then is the caller's choice.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <userbpf/userbpf.h>

#define WORKERS 2
#define JOBS 1000

struct job {
	uint32_t number; /* 0: there is no more */
	char text[28];
};

static int work(const struct userbpf_map *queue)
{
	struct job job;
	int done = 0, err;

	for (;;) {
		err = userbpf_map_pop(queue, &job);
		if (err == -ENOENT)
			sched_yield();
		else if (err || !job.number)
			return err ? 1 : 0;
		else if (job.number % 500 == 0)
			printf("job %u: %s (%d done here)\n", job.number, job.text, done);
		done += !err;
	}
}

static int put(const struct userbpf_map *queue, const struct job *job)
{
	int err;

	while ((err = userbpf_map_push(queue, job, BPF_ANY)) == -E2BIG)
		sched_yield();
	return err;
}

int main(void)
{
	const struct userbpf_map_opts opts = {
		.size = sizeof(opts),
		.type = BPF_MAP_TYPE_QUEUE,
		.value_size = sizeof(struct job),
		.max_entries = 64,
	};
	const struct job end = {0};
	struct userbpf_map *queue;
	int err = userbpf_map_create(&opts, &queue), status;

	if (err) {
		fprintf(stderr, "work_queue: %s\n", strerror(-err));
		return 1;
	}
	for (int i = 0; i < WORKERS; i++)
		if (!fork()) { /* the handle is as good in the child */
			status = work(queue);
			fflush(stdout);
			_exit(status);
		}
	for (uint32_t i = 1; i <= JOBS && !err; i++) {
		struct job job = {.number = i};

		snprintf(job.text, sizeof(job.text), "say %u", i);
		err = put(queue, &job);
	}
	for (int i = 0; i < WORKERS; i++)
		err |= put(queue, &end);
	while (wait(&status) > 0)
		err |= status;
	userbpf_map_close(queue);
	return err != 0;
}
