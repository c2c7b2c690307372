/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * perf_event.c: perf events that programs write into. Owns the ring, byte for byte that of the
 * kernel, and when its reader is woken. Must not know programs, maps or attributes of bpf(2).
 *
 * Synchronisation. Writers hold the lock. Readers see data_head and move data_tail, both in memory
 * that they may fill with anything: the position that counts is in the control area, and a tail is
 * only ever used modulo the size of the ring.
 *
 * Death of a process at any instruction. A record is written behind the head, and the store of head
 * makes it one; the copy for readers follows. The next owner of the lock publishes the head again.
 * A wake-up that a dead writer owed is noticed by waiters: waker names the thread.
 */
#include "maps/perf_event.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/atomic.h"
#include "base/syscall.h"
#include "shm/vcpu.h"

#define DATA_PAGES_MAX (1u << 14)
#define FILE_BYTES ((1ull + DATA_PAGES_MAX) * PAGE_BYTES)
#define LOST_BYTES 24u
#define SAMPLE_WORDS_MAX 9u /* all but RAW */

static inline struct perf_event_mmap_page *page_of(const struct perf_event *event)
{
	return (void *)event->object.region.base;
}

/* Of the ring; a power of two, or 0. In a file that was tampered with, pages may be anything. */
static inline u64 ring_bytes(const struct perf_event *event)
{
	const u32 pages = load_acquire(&event->control->pages) - 1;

	return pages <= DATA_PAGES_MAX && !(pages & (pages - 1)) ? (u64)pages * PAGE_BYTES : 0;
}

static int ring_lock(struct perf_event *event)
{
	const int err = lock_acquire(&event->control->lock);

	if (unlikely(err == LOCK_OWNER_DIED))
		store_release(&page_of(event)->data_head, event->control->head);
	return err < 0 ? err : 0;
}

/* A place in the ring that is being written. */
struct place {
	u8 *ring;
	u64 mask;
	u64 at;
};

static void put(struct place *to, const void *from, u64 size)
{
	const u64 offset = to->at & to->mask, first = MIN(size, to->mask + 1 - offset);

	memcpy(to->ring + offset, from, first);
	if (unlikely(first < size))
		memcpy(to->ring, (const u8 *)from + first, size - first);
	to->at += size;
}

u64 perf_event_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

/* The fields before RAW; their number. There is no kernel address that the event came from. */
static u32 sample_words(const struct perf_event *event, u64 type, u64 words[SAMPLE_WORDS_MAX])
{
	const u64 id = event->object.id;
	u32 count = 0;

	if (type & PERF_SAMPLE_IDENTIFIER)
		words[count++] = id;
	if (type & PERF_SAMPLE_IP)
		words[count++] = 0;
	if (type & PERF_SAMPLE_TID)
		words[count++] = (u64)thread_id() << 32 | (u32)sys_getpid();
	if (type & PERF_SAMPLE_TIME)
		words[count++] = perf_event_now();
	if (type & PERF_SAMPLE_ADDR)
		words[count++] = 0;
	if (type & PERF_SAMPLE_ID)
		words[count++] = id;
	if (type & PERF_SAMPLE_STREAM_ID)
		words[count++] = id;
	if (type & PERF_SAMPLE_CPU)
		words[count++] = event->control->cpu;
	if (type & PERF_SAMPLE_PERIOD)
		words[count++] = 0;
	return count;
}

struct sample {
	u64 words[SAMPLE_WORDS_MAX];
	u32 nr_words;
	bool has_raw;
	u32 raw_bytes; /* as the record says: what the program gave, padded */
	u64 bytes;
};

static int sample_prepare(const struct perf_event *event, const struct perf_raw *raw,
			  struct sample *sample)
{
	const u64 given = (u64)raw->size + raw->packet_size;
	const u64 type = load_relaxed(&event->control->sample_type); /* once: others may change it */

	sample->nr_words = sample_words(event, type, sample->words);
	sample->bytes = sizeof(struct perf_event_header) + sample->nr_words * sizeof(u64);
	sample->has_raw = type & PERF_SAMPLE_RAW;
	sample->raw_bytes = 0;
	if (sample->has_raw) {
		sample->raw_bytes = (u32)(ROUND_UP(given + sizeof(u32), 8) - sizeof(u32));
		sample->bytes += sizeof(u32) + sample->raw_bytes;
	}
	return sample->bytes > UINT16_MAX ? -E2BIG : 0; /* the header could not say so */
}

static void put_sample(struct place *to, const struct sample *sample, const struct perf_raw *raw)
{
	const struct perf_event_header header = {.type = PERF_RECORD_SAMPLE,
						 .misc = PERF_RECORD_MISC_KERNEL,
						 .size = (u16)sample->bytes};
	static const u64 padding;

	put(to, &header, sizeof(header));
	put(to, sample->words, sample->nr_words * sizeof(u64));
	if (!sample->has_raw)
		return;
	put(to, &sample->raw_bytes, sizeof(u32));
	if (raw->size)
		put(to, raw->data, raw->size);
	if (raw->packet_size)
		put(to, raw->packet, raw->packet_size);
	put(to, &padding, sample->raw_bytes - raw->size - raw->packet_size);
}

static void put_lost(const struct perf_event *event, struct place *to, u64 lost)
{
	const struct {
		struct perf_event_header header;
		u64 id, lost;
	} record = {{PERF_RECORD_LOST, 0, LOST_BYTES}, event->object.id, lost};

	put(to, &record, sizeof(record));
}

/* Whatever tail a reader has left there. */
static bool has_room(const struct perf_event *event, u64 size, u64 bytes)
{
	const u64 head = event->control->head;
	const u64 tail = load_acquire(&page_of(event)->data_tail); /* pairs with the reader's store */

	if (load_relaxed(&event->control->overwrite))
		return bytes <= size;
	return ((tail - head - 1) & (size - 1)) >= bytes;
}

/* Does the record that ends at head wake the reader? */
static bool counts_as_wakeup(struct perf_control *control, u64 size, u64 head)
{
	u64 watermark = size / 2;
	bool wakes = false;

	if (control->watermark && control->wakeup)
		watermark = MIN(size, (u64)control->wakeup);
	if (head - control->wakeup_at > watermark) {
		control->wakeup_at += watermark;
		wakes = true;
	}
	if (!control->watermark && control->wakeup && ++control->events >= control->wakeup) {
		control->events = 0;
		control->wakeup_at++;
		wakes = true;
	}
	return wakes;
}

static int output_locked(struct perf_event *event, const struct sample *sample,
			 const struct perf_raw *raw, bool *wakes)
{
	struct perf_control *control = event->control;
	const u64 size = ring_bytes(event), lost = control->lost;
	struct place to = {event->object.region.base + PAGE_BYTES, size - 1, control->head};

	if (!size)
		return -ENOSPC;
	if (load_relaxed(&control->paused) ||
	    !has_room(event, size, sample->bytes + (lost ? LOST_BYTES : 0))) {
		control->lost++;
		return -ENOSPC;
	}
	if (lost)
		put_lost(event, &to, lost);
	put_sample(&to, sample, raw);
	*wakes = counts_as_wakeup(control, size, to.at);
	if (*wakes) {
		store_relaxed(&control->waker, thread_id());
		store_release(&control->ready, 1);
	}
	store_release(&control->head, to.at);
	control->lost = 0;
	store_release(&page_of(event)->data_head, to.at);
	return 0;
}

int perf_event_output(struct perf_event *event, const struct perf_raw *raw)
{
	struct perf_control *control = event->control;
	struct sample sample;
	bool wakes = false;
	int err = sample_prepare(event, raw, &sample);

	if (!err)
		err = ring_lock(event);
	if (unlikely(err))
		return err;
	err = output_locked(event, &sample, raw, &wakes);
	lock_release(&control->lock);
	if (wakes) {
		wake_up(&event->object, &control->wake);
		store_release(&control->waker, 0);
	}
	return err;
}

/* As in the kernel a wake-up is told once. */
static u32 perf_event_poll(struct object *object)
{
	struct perf_control *control = perf_event_of(object)->control;

	if (!load_acquire(&control->pages))
		return EPOLLHUP;
	return atomic_exchange(&control->ready, 0) ? EPOLLIN : 0;
}

static struct wake *perf_event_wake(struct object *object)
{
	struct perf_control *control = perf_event_of(object)->control;
	u32 waker = load_acquire(&control->waker);

	if (waker && !thread_is_alive(waker) && atomic_cas(&control->waker, &waker, 0))
		wake_note_missed(&control->wake);
	return &control->wake;
}

/* Cold path */

static cold int make_ring(struct perf_event *event, u32 pages, bool writable)
{
	struct perf_event_mmap_page *page = page_of(event);
	struct perf_control *control = event->control;
	int err = region_populate(&event->object.region, 0, (u64)pages * PAGE_BYTES);

	if (err)
		return err;
	page->cap_bit0_is_deprecated = 1;
	page->size = offsetof(struct perf_event_mmap_page, __reserved);
	page->data_offset = PAGE_BYTES;
	page->data_size = (u64)(pages - 1) * PAGE_BYTES;
	control->overwrite = !writable;
	store_release(&control->pages, pages);
	return 0;
}

cold int perf_event_map(struct perf_event *event, u64 offset, u64 bytes, bool writable)
{
	const u64 pages = ROUND_UP(bytes, PAGE_BYTES) / PAGE_BYTES, ring = pages - 1;
	struct perf_control *control = event->control;
	int err;

	if (offset || !pages || ring & (ring - 1))
		return -EINVAL;
	if (ring > DATA_PAGES_MAX)
		return -ENOMEM;
	err = ring_lock(event);
	if (err)
		return err;
	if (!control->pages)
		err = make_ring(event, (u32)pages, writable);
	else if (control->pages != pages)
		err = -EINVAL;
	lock_release(&control->lock);
	return err;
}

cold int perf_event_create(const struct perf_event_attr *attr, u32 cpu)
{
	struct perf_control *control;
	struct object *object;
	int err = object_create(&perf_event_object_type, FILE_BYTES, sizeof(*control),
				REGION_SPARSE, &object);

	if (err)
		return err;
	err = region_populate(&object->region, object->region.data_size, sizeof(*control));
	if (err)
		goto discard;
	control = region_control(&object->region);
	control->cpu = cpu;
	control->sample_type = attr->sample_type;
	control->watermark = attr->watermark;
	control->wakeup = attr->wakeup_events; /* or wakeup_watermark: a union */
	control->enabled_at = attr->disabled ? 0 : perf_event_now();
	err = object_publish(object, NULL, 0, OBJECT_READ_WRITE);
	if (err >= 0) {
		object_put(object);
		return err;
	}
discard:
	object_discard(object);
	return err;
}

cold void perf_event_enable(struct perf_event *event, bool enable)
{
	struct perf_control *control = event->control;

	if (!enable || !load_acquire(&control->enabled_at))
		store_release(&control->enabled_at, enable ? perf_event_now() : 0);
}

static cold int perf_event_attach(struct object *object)
{
	const struct region *region = &object->region;
	struct perf_control *control = region_control(region);

	if (region->data_size != FILE_BYTES ||
	    region->size - region->data_size < sizeof(*control) + PAGE_BYTES ||
	    control->sample_type & ~(u64)PERF_SAMPLES_SERVED)
		return -EINVAL;
	perf_event_of(object)->control = control;
	return 0;
}

static cold void perf_event_detach(struct object *object)
{
	perf_event_of(object)->control = NULL;
}

const struct object_type perf_event_object_type = {
	.kind = OBJECT_PERF,
	.name = "perf-event",
	.layout = sizeof(struct perf_control),
	.local_size = sizeof(struct perf_event),
	.attach = perf_event_attach,
	.detach = perf_event_detach,
	.poll = perf_event_poll,
	.wake = perf_event_wake,
};
