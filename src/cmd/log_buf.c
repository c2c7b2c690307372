/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* log_buf.c: see log_buf.h. Knows neither the commands nor what the text says. */
#include "cmd/log_buf.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/user_mem.h"

#define LOG_KNOWN (LOG_LEVEL1 | LOG_LEVEL2 | LOG_STATS | LOG_FIXED)
#define LOG_SIZE_MAX (UINT32_MAX >> 2)

/* Room for the first want bytes of the ring; less only without memory. */
static bool make_room(struct log_buf *log, u64 want)
{
	u64 room = MAX(2 * (u64)log->room, 4096);
	char *text;

	want = MIN(want, log->keep);
	if (want <= log->room)
		return true;
	room = MIN(MAX(room, want), log->keep);
	text = memory_realloc(log->text, room);
	if (!text) {
		log->no_memory = true;
		return false;
	}
	log->text = text;
	log->room = (u32)room;
	return true;
}

static void log_buf_write(struct text_sink *sink, const char *text, size_t len)
{
	struct log_buf *log = container_of(sink, struct log_buf, sink);
	u64 at = log->length;

	log->length += len;
	if (!log->keep || log->no_memory || !make_room(log, log->length))
		return;
	while (len) {
		u32 start = (u32)(at % log->keep);
		size_t part = MIN(len, (size_t)(log->keep - start));

		if (log->level & LOG_FIXED && at >= log->keep)
			return;
		memcpy(log->text + start, text, part);
		text += part;
		at += part;
		len -= part;
	}
}

int log_buf_init(struct log_buf *log, u32 level, u64 user, u32 size)
{
	*log = (struct log_buf){.sink = {log_buf_write}, .level = level, .user = user};
	if (!user != !size || (user && !level) || level & ~(u32)LOG_KNOWN || size > LOG_SIZE_MAX)
		return -EINVAL;
	log->keep = size ? size - 1 : 0;
	return 0;
}

struct text_sink *log_buf_sink(struct log_buf *log)
{
	return log->level ? &log->sink : NULL;
}

static int hand_over(const struct log_buf *log)
{
	u32 shown = (u32)MIN(log->length, log->keep), oldest = 0;
	int err = 0;

	if (log->length > log->keep && shown && !(log->level & LOG_FIXED))
		oldest = (u32)(log->length % log->keep);
	if (shown)
		err = user_write(log->user, log->text + oldest, shown - oldest);
	if (!err && oldest)
		err = user_write(log->user + shown - oldest, log->text, oldest);
	if (!err)
		err = user_write(log->user + shown, "", 1);
	if (!err && log->length > log->keep)
		err = -ENOSPC;
	return err;
}

int log_buf_finish(struct log_buf *log, int err, u32 *true_size)
{
	int failed = 0;

	*true_size = log->length ? (u32)MIN(log->length + 1, UINT32_MAX) : 0;
	if (log->no_memory)
		failed = -ENOMEM;
	else if (log->user && log->length)
		failed = hand_over(log);
	memory_free(log->text);
	log->text = NULL;
	return failed ? failed : err;
}
