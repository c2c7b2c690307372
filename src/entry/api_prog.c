/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * api_prog.c: handles of programs, and runners, which run one program many times. What a run does
 * is PROG_TEST_RUN's; a runner adds what consecutive runs share: the place of the packet, and the
 * virtual CPU.
 */
#include "entry/api.h"

#include "base/atomic.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "base/user_stack.h"
#include "vm/prog.h"
#include "vm/test_run.h"

struct userbpf_prog {
	struct prog *prog;
	int fd;
};

struct userbpf_runner {
	struct prog *prog;
	struct test_turn turn;
	struct test_run test; /* what a run does not say stays 0 */
};

/* Memory and size of a context come together, as in bpf(2); what follows relies on it. */
static inline bool is_valid(const struct userbpf_run *run)
{
	return !run->reserved && !run->ctx == !run->ctx_size;
}

static void run_once(struct userbpf_runner *runner, struct userbpf_run *run)
{
	struct test_run *test = &runner->test;

	test->given = run->data ? TEST_DATA_IN : 0;
	test->written = 0;
	test->data_in = run->data;
	test->data_size_in = run->data_size;
	test->data_out = run->data_room ? run->data : NULL;
	test->data_out_room = run->data_room;
	test->ctx_in = test->ctx_out = run->ctx;
	test->ctx_size_in = test->ctx_out_room = run->ctx_size;
	test->retval = 0;
	run->error = is_valid(run) ? runner->prog->type->test_run(runner->prog, test) : -EINVAL;
	run->retval = test->retval;
	if (run->data_room && test->written & TEST_DATA_OUT)
		run->data_size = test->data_size_out;
}

API int userbpf_runner_run(struct userbpf_runner *runner, struct userbpf_run *runs, size_t count)
{
	USER_STACK_ENTRY;
	size_t done = 0;
	int first = 0;

	while (done < count) {
		test_turn_begin(&runner->turn);
		do {
			run_once(runner, &runs[done]);
			first = first ? first : runs[done].error;
		} while (++done < count && runner->turn.insns_left);
		test_turn_end(&runner->turn);
	}
	return first;
}

API int userbpf_runner_redirect(const struct userbpf_runner *runner,
				struct userbpf_redirect *redirect)
{
	const struct vm_redirect *last = &runner->test.redirect;

	if (!last->set)
		return -ENOENT;
	*redirect = (struct userbpf_redirect){.map_id = last->map_id,
					      .key = last->key,
					      .ifindex = last->ifindex,
					      .flags = (u32)last->flags};
	return 0;
}

API int userbpf_prog_fd(const struct userbpf_prog *handle)
{
	return handle->fd;
}

API uint32_t userbpf_prog_type(const struct userbpf_prog *handle)
{
	return handle->prog->checked.type;
}

/* Cold path */

API cold int userbpf_prog_open(int fd, uint32_t flags, struct userbpf_prog **handle)
{
	struct object *object;
	KEEP_ERRNO;
	int err;

	*handle = NULL;
	if (flags & ~USERBPF_TRUST)
		return -EINVAL;
	*handle = memory_zalloc(1, sizeof(**handle));
	if (!*handle)
		return -ENOMEM;
	err = api_open(fd, OBJECT_PROG, &object, NULL, &(*handle)->fd);
	if (err) {
		memory_free(*handle);
		*handle = NULL;
		return err;
	}
	(*handle)->prog = prog_of(object);
	if (flags & USERBPF_TRUST)
		store_relaxed(&prog_of(object)->checked.trusted, 1);
	return 0;
}

API cold void userbpf_prog_close(struct userbpf_prog *handle)
{
	KEEP_ERRNO;

	if (!handle)
		return;
	object_put(&handle->prog->object);
	sys_close(handle->fd);
	memory_free(handle);
}

API cold int userbpf_runner_open(struct userbpf_prog *handle, struct userbpf_runner **runner)
{
	KEEP_ERRNO;
	int err;

	*runner = NULL;
	if (!handle->prog->type->test_run)
		return -ENOTSUPP;
	*runner = memory_zalloc(1, sizeof(**runner));
	if (!*runner)
		return -ENOMEM;
	(*runner)->prog = handle->prog;
	(*runner)->test.turn = &(*runner)->turn;
	err = test_turn_init(&(*runner)->turn, handle->prog);
	if (!err)
		return 0;
	memory_free(*runner);
	*runner = NULL;
	return err;
}

API cold void userbpf_runner_close(struct userbpf_runner *runner)
{
	KEEP_ERRNO;

	if (!runner)
		return;
	test_turn_free(&runner->turn);
	memory_free(runner);
}
