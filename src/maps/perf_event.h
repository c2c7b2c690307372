/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * perf_event.h: perf events of the kind that programs write into (PERF_COUNT_SW_BPF_OUTPUT), as
 * objects of the realm. The data area of the file is what the kernel lets an application map: a
 * page about the ring, then the ring. How large it is, the first mmap(2) says.
 */
#ifndef MAPS_PERF_EVENT_H
#define MAPS_PERF_EVENT_H

#include <linux/perf_event.h>

#include "base/lock.h"
#include "object/object.h"
#include "object/wake.h"

/* What samples may consist of, in the order of their fields. */
#define PERF_SAMPLES_SERVED                                                                        \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |            \
	 PERF_SAMPLE_ADDR | PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU |             \
	 PERF_SAMPLE_PERIOD | PERF_SAMPLE_RAW)

/* Shared, the control area. */
struct perf_control {
	struct lock lock; /* for writing into the ring */
	u32 cpu;
	u64 sample_type;
	u64 enabled_at; /* by perf_event_now(); 0: it is disabled */
	u32 wakeup;     /* events or, with watermark, bytes */
	u32 watermark;
	u32 paused;
	u32 pages;     /* that are mapped; 0: none yet. Set once */
	u32 overwrite; /* mapped without write permission: nobody says what has been read */
	u64 head;      /* bytes written; the mapped page shows a copy */
	u64 lost;      /* records without room since the last one that had it */
	u64 wakeup_at; /* as the kernel counts: bytes or events at the last wake-up */
	u32 events;    /* since the last wake-up */
	u32 ready;     /* a wake-up that poll(2) has not told yet */
	u32 waker;     /* thread that owes waiters a wake-up */
	struct wake wake;
};

/* Process-local. */
struct perf_event {
	struct object object; /* first */
	struct perf_control *control;
};

/* What a program hands over: bytes of its own, then bytes of its packet. */
struct perf_raw {
	const void *data;
	u32 size;
	const void *packet;
	u32 packet_size;
};

extern const struct object_type perf_event_object_type;

static inline struct perf_event *perf_event_of(struct object *object)
{
	return container_of(object, struct perf_event, object);
}

/* A descriptor of a new event; -ENOMEM, -EMFILE. */
must_check int perf_event_create(const struct perf_event_attr *attr, u32 cpu);
/*
 * May bytes from offset on be mapped? Makes the ring, the first time. 0; -EINVAL, -ENOMEM, -EBUSY.
 */
must_check int perf_event_map(struct perf_event *event, u64 offset, u64 bytes, bool writable);
void perf_event_enable(struct perf_event *event, bool enable);
u64 perf_event_now(void);
/* One sample. 0; -ENOSPC without room, without a ring, while paused; -E2BIG; -EBUSY. */
int perf_event_output(struct perf_event *event, const struct perf_raw *raw);

#endif
