/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * bpf.c: the door. Owns the rules that hold for every command: size and tail of the attribute,
 * unused fields, dispatch by commands.def, and the account of what was served and refused.
 * Knows no command by name.
 */
#include "cmd/bpf.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/syscall.h"
#include "btf/btf_object.h"
#include "cmd/internal.h"
#include "maps/map.h"
#include "maps/perf_event.h"
#include "object/realm.h"
#include "vm/prog.h"
#include "vm/vm.h"

struct command {
	const char *name;
	cmd_handler handler; /* NULL: absent */
	u32 last_used;
	bool names_map; /* CMD_MAP */
	s32 fd;    /* of an absent command: offset of its descriptor, or NO_FD */
	int error; /* of an absent command */
	const char *reason;
};

#define NO_FD (-1)

static const struct command commands[] = {
#define CMD(number, name, last_used, handler)                                                      \
	[number] = {#name, handler, last_used, false, NO_FD, 0, NULL},
#define CMD_MAP(number, name, last_used, handler)                                                  \
	[number] = {#name, handler, last_used, true, NO_FD, 0, NULL},
#define CMD_ABSENT(number, name, last_used, fd, error, reason)                                     \
	[number] = {#name, NULL, last_used, false, fd, error, reason},
#include "cmd/commands.def"
#undef CMD
#undef CMD_MAP
#undef CMD_ABSENT
};

/* For the summary of `userbpf run -v`; of two threads at once one may not be counted. */
static struct {
	u32 served, failed;
	bool told; /* the reason of an absent command is given once */
} account[ARRAY_SIZE(commands)];

/* Without a locked instruction on the hot path. */
static inline void count(u32 *counter)
{
	store_relaxed(counter, load_relaxed(counter) + 1);
}

/* Reads what 6.18 knows of the attribute; a longer one must have a zero tail. */
static int read_attr(struct call *call)
{
	u8 tail[PAGE_BYTES];
	u32 known = MIN(call->size, UAPI_ATTR_BYTES), rest = call->size - known;
	int err;

	if (call->size > PAGE_BYTES)
		return -E2BIG;
	err = user_read(&call->attr, call->user, known);
	if (err || !rest)
		return err;
	err = user_read(tail, call->user + known, rest);
	if (err)
		return err;
	for (u32 i = 0; i < rest; i++)
		if (tail[i])
			return -E2BIG;
	return 0;
}

/* What lies behind the size that was given is zero anyway. */
static bool unused_is_zero(const struct call *call, u32 last_used)
{
	const u32 end = MIN(call->size, UAPI_ATTR_BYTES);

	for (u32 i = last_used; i < end; i++)
		if (call->attr.bytes[i])
			return false;
	return true;
}

static cold void log_absent(const struct command *command, u32 cmd)
{
	if (load_relaxed(&account[cmd].told))
		return;
	store_relaxed(&account[cmd].told, true);
	log_line(LOG_REFUSED, "BPF_%s: %s (errno %d)", command->name, command->reason,
		 command->error);
}

static cold void log_call(const struct command *command, long result)
{
	if (result >= 0)
		log_line(LOG_CALLS, "BPF_%s = %ld", command->name, result);
	else
		log_line(LOG_CALLS, "BPF_%s = -1 errno %ld", command->name, -result);
}

static long refuse(const struct command *command, const union cmd_attr *attr)
{
	struct object *object;
	s32 fd, err;

	if (command->fd == NO_FD)
		return -command->error;
	memcpy(&fd, &attr->bytes[command->fd], sizeof(fd));
	err = object_from_fd(fd, OBJECT_PROG, &object, NULL);
	if (err)
		return err;
	object_put(object);
	return -command->error;
}

/* Handlers read no further than last_used. */
static void extend_attr(struct call *call, u32 last_used)
{
	if (unlikely(call->size < last_used))
		memset(call->attr.bytes + call->size, 0, last_used - call->size);
}

/*
 * The position of a map's descriptor is asked for here, not where it is needed: some processors
 * mispredict every return that is pending at a system call, and here the fewest are.
 */
INLINE long dispatch(u32 cmd, struct call *call)
{
	const struct command *command = &commands[cmd];

	if (!unused_is_zero(call, command->last_used))
		return -EINVAL;
	extend_attr(call, command->last_used);
	if (command->names_map)
		call->position = sys_lseek((int)call->attr.a.map_fd, 0, SEEK_CUR);
	if (command->handler)
		return command->handler(call);
	log_absent(command, cmd);
	return refuse(command, &call->attr);
}

long bpf_call(int cmd, u64 attr, u32 size)
{
	struct call call; /* attr is filled by read_attr() and extend_attr() */
	long result;
	int err;

	call.user = attr;
	call.size = size;
	err = read_attr(&call);
	if (err)
		return err;
	if (cmd < 0 || (size_t)cmd >= ARRAY_SIZE(commands))
		return -EINVAL;
	err = bpf_init();
	if (err)
		return err;
	result = dispatch((u32)cmd, &call);
	count(result < 0 ? &account[cmd].failed : &account[cmd].served);
	if (unlikely(log_enabled(LOG_CALLS)))
		log_call(&commands[cmd], result);
	return result;
}

/* Cold path */

int bpf_init(void)
{
	static int registered;

	if (unlikely(!load_acquire(&registered))) {
		object_register(&map_object_type);
		object_register(&prog_object_type);
		object_register(&btf_object_type);
		vm_set_bpf_call(bpf_call);
		object_register(&perf_event_object_type);
		store_release(&registered, 1); /* idempotent: two threads may do the same */
	}
	return realm_open();
}

void bpf_log_summary(void)
{
	char line[1024];
	size_t at = 0;

	for (u32 i = 0; i < ARRAY_SIZE(commands) && at < sizeof(line) - 80; i++) {
		if (!account[i].served && !account[i].failed)
			continue;
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s %u", at ? ", " : "",
				       commands[i].name, account[i].served);
		if (account[i].failed)
			at += (size_t)snprintf(line + at, sizeof(line) - at, " (%u failed)",
					       account[i].failed);
	}
	if (at)
		log_line(LOG_REFUSED, "served: %s", line);
}
