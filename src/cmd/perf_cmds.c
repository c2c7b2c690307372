/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * perf_cmds.c: perf_event_open(2) and ioctl(2) for the events that programs write into, as far as
 * they are served; everything else is left to the kernel. Owns the checks of attributes.
 */
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/syscall.h"
#include "cmd/bpf.h"
#include "cmd/internal.h"
#include "maps/perf_event.h"
#include "shm/vcpu.h"

static int read_attr(struct perf_event_attr *attr, u64 user)
{
	u32 size = 0;
	int err = user_read(&size, user + offsetof(struct perf_event_attr, size), sizeof(size));

	memset(attr, 0, sizeof(*attr));
	if (!size)
		size = PERF_ATTR_SIZE_VER0;
	if (err || size < PERF_ATTR_SIZE_VER0 || size > sizeof(*attr))
		return -EINVAL; /* the kernel says what is wrong */
	return user_read(attr, user, size);
}

static bool is_output_event(const struct perf_event_attr *attr)
{
	return attr->type == PERF_TYPE_SOFTWARE && attr->config == PERF_COUNT_SW_BPF_OUTPUT;
}

/* What is not served asks for something. */
static bool is_plain(const struct perf_event_attr *attr)
{
	static const struct perf_event_attr nothing;
	struct perf_event_attr rest = *attr;

	rest.type = rest.size = 0;
	rest.config = rest.sample_period = 0;
	rest.sample_type &= ~(u64)PERF_SAMPLES_SERVED;
	rest.wakeup_events = 0;
	rest.disabled = rest.watermark = 0;
	return !memcmp(&rest, &nothing, sizeof(rest));
}

bool bpf_perf_event_open(u64 user, int pid, int cpu, int group, u64 flags, long *result)
{
	struct perf_event_attr attr;
	int fd;

	if (read_attr(&attr, user) || !is_output_event(&attr))
		return false;
	if (!is_plain(&attr) || pid != -1 || group != -1 || flags & ~(u64)PERF_FLAG_FD_CLOEXEC) {
		log_line(LOG_REFUSED, "perf_event_open: of BPF output events only plain ones of a "
				      "CPU are served; this one is left to the kernel");
		return false;
	}
	*result = -EINVAL;
	if (cpu < 0 || (u32)cpu >= vcpu_possible())
		return true;
	fd = bpf_init();
	if (!fd)
		fd = perf_event_create(&attr, (u32)cpu);
	if (fd >= 0 && !(flags & PERF_FLAG_FD_CLOEXEC))
		sys_fcntl(fd, F_SETFD, 0);
	*result = fd;
	return true;
}

static long perf_event_ioctl(struct perf_event *event, u32 request, u64 argument)
{
	struct perf_control *control = event->control;
	const u64 id = event->object.id;
	u64 period;

	switch (request) {
	case PERF_EVENT_IOC_ENABLE:
	case PERF_EVENT_IOC_DISABLE:
		perf_event_enable(event, request == PERF_EVENT_IOC_ENABLE);
		return 0;
	case PERF_EVENT_IOC_RESET:
		return 0; /* it counts nothing */
	case PERF_EVENT_IOC_ID:
		return user_write(argument, &id, sizeof(id));
	case PERF_EVENT_IOC_PERIOD:
		if (user_read(&period, argument, sizeof(period)))
			return -EFAULT;
		return period && !(period >> 63) ? 0 : -EINVAL;
	case PERF_EVENT_IOC_PAUSE_OUTPUT:
		if (!load_acquire(&control->pages))
			return -EINVAL;
		store_release(&control->paused, argument != 0);
		return 0;
	case PERF_EVENT_IOC_REFRESH:
	case PERF_EVENT_IOC_SET_OUTPUT:
	case PERF_EVENT_IOC_SET_FILTER:
	case PERF_EVENT_IOC_SET_BPF:
	case PERF_EVENT_IOC_MODIFY_ATTRIBUTES:
		log_line(LOG_REFUSED, "ioctl of a perf event: request %#x is not served", request);
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}

bool bpf_ioctl(int fd, u32 request, u64 argument, long *result)
{
	struct object *object;

	if (bpf_init() || object_from_fd(fd, OBJECT_PERF, &object, NULL))
		return false;
	*result = perf_event_ioctl(perf_event_of(object), request, argument);
	object_put(object);
	return true;
}
