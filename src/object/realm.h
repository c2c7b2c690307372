/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * realm.h: the directory that is to ids and pins what the machine is in the kernel.
 *
 *     $USERBPF_DIR or /dev/shm/userbpf-$UID   0700, owned by the caller, else refused
 *       <realm>/  $USERBPF_REALM or "default"
 *         state              shared counters: next ids, virtual CPUs (struct realm_state)
 *         lock               flock: creators of names shared, the collector exclusive
 *         bpf-map.<id> ...   objects
 *         refs/<holder>/...  names that keep objects referred to by other objects
 *         fs/                stands for /sys/fs/bpf
 *         trace              what bpf_trace_printk() wrote, bounded
 *         run_stats          open as long as somebody wants runs to be counted
 *
 * One realm per process, opened at first use, the same after fork. A process that has it open holds
 * a shared flock on the directory.
 */
#ifndef OBJECT_REALM_H
#define OBJECT_REALM_H

#include "base/compiler.h"
#include "shm/vcpu.h"

#define REALM_BPFFS "/sys/fs/bpf"
#define REALM_PRIVATE_PREFIX "private-" /* realms that go with the run they were made for */
#define REALM_TRACE_BYTES (1u << 20) /* the trace file is rotated to trace.old beyond this */

struct realm_state {
	u64 magic;
	u32 layout;
	u32 tag; /* random; part of every fd's identity */
	u32 pid_namespace; /* of all processes in the realm: locks name their owners by thread id */
	u32 next_id[8]; /* by object kind, last id given out */
	u32 created; /* weight of what was published since the last collection */
	u32 kept;    /* weight of what that one left: when to collect next */
	u32 removed; /* objects that collections removed, ever */
	u32 run_stats; /* runs may have to be counted, see run_stats.h */
	struct vcpu_table vcpus;
};

/*
 * Opens the realm, creating what is missing. 0; -EPERM when the directory belongs to another user,
 * is open to others, or is in use in another pid namespace; -EINVAL for a bad name or a state file
 * of another build; -ENOMEM, -EMFILE. Idempotent; the error is remembered and a line logged once.
 */
must_check int realm_open(void);
/*
 * Opens this one in place of what the environment says; "" leaves that. The results of
 * realm_open(); -EBUSY: one is open already; -ENAMETOOLONG. A failure leaves everything as it was.
 */
must_check int realm_open_as(const char *dir, const char *name);
struct realm_state *realm_state(void);
/* A descriptor of the realm directory, valid until the next call; reopened if the application
 * closed it. -errno. */
must_check int realm_dir(void);
/* Absolute path of the realm directory, "" before realm_open() succeeded. */
const char *realm_path(void);

/* The realm lock: exclusive for the collector, shared for creators of names. */
must_check int realm_lock(bool exclusive);
void realm_unlock(int lock);
/* flock(2) with an end to waiting: -EAGAIN after a second. */
must_check int realm_flock(int fd, int operation);

/*
 * Where an application's path lies in the realm: /sys/fs/bpf[/...] becomes <realm>/fs[/...].
 * Returns out, or path itself when it is not below /sys/fs/bpf. Lexical: . and .. and repeated
 * slashes are resolved first. A result too long for size is returned unchanged.
 */
const char *realm_translate(const char *path, char *out, size_t size);

/* Appends one line to the trace file. Errors are ignored, as the kernel drops lines. */
void realm_trace(const char *line, size_t len);

#endif
