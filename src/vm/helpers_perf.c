/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_perf.c: helpers on perf events. Arguments have been proven by the caller. An event is
 * that of a CPU, and programs run on virtual ones.
 */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "maps/object_slots.h"
#include "maps/perf_event.h"
#include "shm/vcpu.h"
#include "vm/helpers.h"
#include "vm/packet.h"

/* The event that flags name, with a use. */
static int event_at(const struct map *map, u64 flags, struct perf_event **event)
{
	const u32 index = flags & BPF_F_INDEX_MASK, cpu = vcpu_current();
	const u32 nr = index == (u32)BPF_F_CURRENT_CPU ? cpu : index;
	struct object *object;
	u32 id;

	if (nr >= map->max_entries)
		return -E2BIG;
	id = object_slots_id_at(map, nr);
	if (!id || object_from_id(OBJECT_PERF, id, &object))
		return -ENOENT;
	*event = perf_event_of(object);
	return 0;
}

static int output(const struct map *map, u64 flags, const struct perf_raw *raw)
{
	struct perf_event *event;
	int err = event_at(map, flags, &event);

	if (err)
		return err;
	if (event->control->cpu != vcpu_current() || !load_acquire(&event->control->enabled_at))
		err = -EOPNOTSUPP;
	else
		err = perf_event_output(event, raw);
	object_put(&event->object);
	return err;
}

/* Bytes of the packet, those beyond data_end that a program reaches by helpers included. */
static u64 packet_bytes(struct vm_run *run)
{
	return packet_len(run->packet) + packet_run_of(run)->frag_bytes;
}

HELPER_FN(perf_event_output)
{
	const u32 wanted = (u32)((r3 & BPF_F_CTXLEN_MASK) >> 32);
	const u64 known = BPF_F_INDEX_MASK | (run->packet ? BPF_F_CTXLEN_MASK : 0);
	struct perf_raw raw = {.data = U64_PTR(r4), .size = (u32)r5, .packet_size = wanted};
	u64 result;

	if (r3 & ~known)
		return HELPER_ERROR(EINVAL);
	if (wanted && wanted > packet_bytes(run))
		return HELPER_ERROR(EFAULT);
	if (wanted)
		raw.packet = run->packet->data;
	if (vm_replays(run, &result))
		return result;
	return vm_varying(run, (u64)(s64)output(U64_PTR(r2), r3, &raw));
}

/* What programs write into counts nothing, and is always there to count. */
static int read_value(const struct map *map, u64 flags, struct bpf_perf_event_value *value)
{
	struct perf_event *event;
	u64 since;
	int err;

	if (flags & ~(u64)BPF_F_INDEX_MASK)
		return -EINVAL;
	err = event_at(map, flags, &event);
	if (err)
		return err;
	since = load_acquire(&event->control->enabled_at);
	err = event->control->cpu == vcpu_current() ? 0 : -EINVAL;
	object_put(&event->object);
	value->counter = 0;
	value->enabled = value->running = since ? perf_event_now() - since : 0;
	return err;
}

HELPER_FN(perf_event_read)
{
	struct bpf_perf_event_value value;

	return (u64)(s64)read_value(U64_PTR(r1), r2, &value);
}

HELPER_FN(perf_event_read_value)
{
	struct bpf_perf_event_value value = {0};
	const u32 size = (u32)r4;
	int err = size == sizeof(value) ? read_value(U64_PTR(r1), r2, &value) : -EINVAL;

	if (err) {
		memset(U64_PTR(r3), 0, size);
		return (u64)(s64)err;
	}
	value.enabled = value.running = vm_varying(run, value.enabled);
	memcpy(U64_PTR(r3), &value, sizeof(value));
	return 0;
}
