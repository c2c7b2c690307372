/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * realm.c: opens the realm of this process and keeps its state mapped. Owns the directory's shape,
 * its state, lock and trace files; knows no object.
 *
 * The state file appears complete or not at all (an unnamed file, filled, then linked). What is not
 * ours alone is refused: a directory of another user, one open to others, a symbolic link.
 */
#include "object/realm.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/syscall.h"
#include "object/internal.h"
#include "shm/region.h"

#define STATE_MAGIC 0x6d6c616572425542ull /* "BUBrealm" */
#define STATE_BYTES ROUND_UP(sizeof(struct realm_state), (size_t)PAGE_BYTES)
#define LOCK_PAUSE_MIN_NS 10000
#define LOCK_PAUSE_MAX_NS 1000000
#define LOCK_PATIENCE_NS 1000000000

static struct {
	struct realm_state *state; /* published last: not NULL means open */
	int error;                 /* remembered refusal */
	char chosen_dir[PATH_MAX]; /* by realm_open_as(), else empty */
	char chosen_name[NAME_MAX + 1];
	int dir;                   /* cached; verified before each use */
	dev_t dev;
	ino_t ino;
	char path[PATH_MAX];
} realm = {.dir = -1};

static cold int realm_open_locked(void);

int realm_open(void)
{
	struct lock *lock = lock_of_process();
	u64 signals;
	int err;

	if (likely(load_acquire(&realm.state))) /* pairs with the release in realm_open_locked() */
		return 0;
	signals = signals_block();
	err = lock_acquire(lock);
	if (err >= 0) {
		err = realm_open_locked();
		lock_release(lock);
	}
	signals_restore(signals);
	return err;
}

static cold int open_as_locked(const char *dir, const char *name)
{
	const int before = realm.error;
	int err;

	if (realm.state)
		return -EBUSY;
	if (strlen(dir) >= sizeof(realm.chosen_dir) || strlen(name) >= sizeof(realm.chosen_name))
		return -ENAMETOOLONG;
	strcpy(realm.chosen_dir, dir);
	strcpy(realm.chosen_name, name);
	realm.error = 0;
	err = realm_open_locked();
	if (err) {
		*realm.chosen_dir = *realm.chosen_name = '\0';
		realm.error = before;
	}
	return err;
}

/* Choice and opening are one step: of two threads with different choices one gets -EBUSY. */
int realm_open_as(const char *dir, const char *name)
{
	struct lock *lock = lock_of_process();
	const u64 signals = signals_block();
	int err = lock_acquire(lock);

	if (err >= 0) {
		err = open_as_locked(dir, name);
		lock_release(lock);
	}
	signals_restore(signals);
	return err;
}

struct realm_state *realm_state(void)
{
	return realm.state;
}

const char *realm_path(void)
{
	return load_acquire(&realm.state) ? realm.path : "";
}

static bool is_realm_dir(int fd)
{
	struct stat st;

	return fd >= 0 && !sys_fstat(fd, &st) && st.st_dev == realm.dev && st.st_ino == realm.ino;
}

/* As long as a descriptor has this lock, nobody removes the realm. Best effort. */
static void mark_used(int dir)
{
	sys_flock(dir, LOCK_SH | LOCK_NB);
}

/*
 * Two threads that both find the descriptor lost may both open one; the loser's stays open, since
 * its number may already be in use.
 */
int realm_dir(void)
{
	int dir = load_relaxed(&realm.dir);

	if (likely(is_realm_dir(dir)))
		return dir;
	dir = sys_openat(AT_FDCWD, realm.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (dir < 0)
		return dir;
	if (!is_realm_dir(dir)) {
		sys_close(dir);
		return -ENOENT;
	}
	dir = region_raise_fd(dir);
	mark_used(dir);
	store_relaxed(&realm.dir, dir);
	return dir;
}

/* Cold path */

u64 signals_block(void)
{
	const u64 all = ~0ull;
	u64 old = 0;

	SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	return old;
}

void signals_restore(u64 mask)
{
	SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

static u32 state_layout(void)
{
	return (u32)(sizeof(struct realm_state) * 31 + offsetof(struct realm_state, vcpus)) * 31 +
	       (u32)sizeof(struct vcpu_slot);
}

static bool name_is_valid(const char *name)
{
	if (!*name || *name == '.' || strlen(name) > NAME_MAX)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

static int refuse(int err, const char *path, const char *why)
{
	log_line(LOG_REFUSED, "%s: %s", path, why);
	return err;
}

/* A descriptor of the directory, made if it is missing and may be, provided it is ours alone. */
static int open_own_dir(int parent, const char *path, bool create)
{
	struct stat st;
	int dir, err = create ? sys_mkdirat(parent, path, 0700) : 0;

	if (err && err != -EEXIST)
		return refuse(err, path, "cannot be created");
	dir = sys_openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (dir == -EMFILE || dir == -ENFILE || dir == -ENOMEM)
		return dir;
	if (dir < 0)
		return refuse(-EPERM, path, "is no directory of yours");
	err = sys_fstat(dir, &st);
	if (!err && st.st_uid != sys_geteuid())
		err = refuse(-EPERM, path, "belongs to another user");
	if (!err && (st.st_mode & 077))
		err = refuse(-EPERM, path, "is open to other users (mode 0700 is required)");
	if (err) {
		sys_close(dir);
		return err;
	}
	return region_raise_fd(dir);
}

static int base_path(char *path, size_t size)
{
	const char *dir = *realm.chosen_dir ? realm.chosen_dir : secure_getenv("USERBPF_DIR");
	int len;

	if (dir && *dir)
		len = snprintf(path, size, "%s", dir);
	else
		len = snprintf(path, size, "/dev/shm/userbpf-%u", sys_geteuid());
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static int open_realm_dir(void)
{
	const char *name = *realm.chosen_name ? realm.chosen_name : secure_getenv("USERBPF_REALM");
	char base[PATH_MAX];
	int parent, dir, err;

	if (!name || !*name)
		name = "default";
	if (!name_is_valid(name))
		return refuse(-EINVAL, name, "is no name for a realm");
	err = base_path(base, sizeof(base));
	if (err)
		return err;
	parent = open_own_dir(AT_FDCWD, base, true);
	if (parent < 0)
		return parent;
	/* A private realm is made and removed by its launcher; who outlives that has none. */
	dir = open_own_dir(parent, name,
			   strncmp(name, REALM_PRIVATE_PREFIX, strlen(REALM_PRIVATE_PREFIX)));
	sys_close(parent);
	if (dir >= 0)
		mark_used(dir);
	return dir;
}

/* As the kernel sees it, so that it compares with the paths of descriptors. */
static int read_path(int dir)
{
	const int len = region_fd_path(dir, realm.path, sizeof(realm.path) - NAME_MAX);

	return MIN(len, 0);
}

static int map_state(int fd, struct realm_state **state)
{
	void *mem = sys_mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (sys_is_err(mem))
		return -ENOMEM;
	*state = mem;
	return 0;
}

/* 0 also when another process was faster: the caller opens the file by its name. */
static int create_state(int dir)
{
	struct realm_state *state;
	int fd, err;

	fd = sys_openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd == -ENOSPC ? -ENOMEM : fd;
	err = sys_fallocate(fd, 0, 0, STATE_BYTES) ? -ENOMEM : map_state(fd, &state);
	if (err)
		goto close;
	state->magic = STATE_MAGIC;
	state->layout = state_layout();
	state->pid_namespace = thread_namespace();
	SYSCALL(SYS_getrandom, &state->tag, sizeof(state->tag), 0);
	sys_munmap(state, STATE_BYTES);
	err = region_link(fd, dir, "state");
	if (err == -EEXIST)
		err = 0;
	else if (err == -ENOSPC)
		err = -ENOMEM;
close:
	sys_close(fd);
	return err;
}

static int check_and_map_state(int fd, struct realm_state **state)
{
	struct stat st;
	int err;

	if (sys_fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size != (s64)STATE_BYTES)
		return -EINVAL;
	err = map_state(fd, state);
	if (err)
		return err;
	if ((*state)->magic == STATE_MAGIC && (*state)->layout == state_layout())
		return 0;
	sys_munmap(*state, STATE_BYTES);
	return -EINVAL;
}

static int attach_state(int dir, struct realm_state **state)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int err, fd = sys_openat(dir, "state", flags, 0);

	if (fd == -ENOENT) {
		err = create_state(dir);
		if (err)
			return err;
		fd = sys_openat(dir, "state", flags, 0);
	}
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return fd;
	if (fd < 0)
		return -EINVAL;
	err = check_and_map_state(fd, state);
	sys_close(fd);
	return err;
}

/*
 * Thread ids of different pid namespaces (two containers with one /dev/shm) must not meet in lock
 * words. A realm that nobody uses any more changes hands; what dead owners held was marked when
 * they died.
 */
static int check_namespace(int dir, struct realm_state *state)
{
	const u32 ours = thread_namespace();

	if (load_relaxed(&state->pid_namespace) == ours)
		return 0;
	if (sys_flock(dir, LOCK_EX | LOCK_NB))
		return refuse(-EPERM, realm.path, "is in use in another pid namespace");
	store_relaxed(&state->pid_namespace, ours);
	mark_used(dir);
	return 0;
}

static int fill_dir(int dir)
{
	static const char *const dirs[] = {"refs", "fs"};
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		err = sys_mkdirat(dir, dirs[i], 0700);
		if (err && err != -EEXIST)
			return err == -ENOSPC ? -ENOMEM : err;
	}
	return 0;
}

static int remember(struct stat *st, int dir, struct realm_state *state)
{
	realm.dir = dir;
	realm.dev = st->st_dev;
	realm.ino = st->st_ino;
	store_release(&realm.state, state);
	return 0;
}

static cold int realm_open_locked(void)
{
	struct realm_state *state;
	struct stat st;
	int dir, err;

	if (realm.state || realm.error)
		return realm.error;
	err = dir = open_realm_dir();
	if (dir < 0)
		goto failed;
	err = read_path(dir);
	if (!err)
		err = fill_dir(dir);
	if (!err)
		err = sys_fstat(dir, &st);
	if (!err)
		err = attach_state(dir, &state);
	if (!err)
		err = check_namespace(dir, state);
	if (!err)
		return remember(&st, dir, state);
	if (err == -EINVAL)
		refuse(err, realm.path, "was made by another version of userbpf; remove it");
	if (err == -ENOMEM)
		region_no_room(realm.path, STATE_BYTES);
	sys_close(dir);
failed:
	if (err != -EMFILE && err != -ENFILE && err != -ENOMEM)
		realm.error = err;
	return err;
}

/*
 * A flock belongs to an open file description, so each taker opens the file. A child forked at
 * this moment inherits the description: it is unlocked, not just closed, and waiting is bounded in
 * case the parent died before it could.
 */
int realm_flock(int fd, int operation)
{
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_MIN_NS};
	s64 waited = 0;
	int err;

	for (;;) {
		err = sys_flock(fd, operation | LOCK_NB);
		if (err != -EAGAIN || waited > LOCK_PATIENCE_NS)
			return err;
		SYSCALL(SYS_nanosleep, &pause, NULL);
		waited += pause.tv_nsec;
		pause.tv_nsec = MIN(2 * pause.tv_nsec, LOCK_PAUSE_MAX_NS);
	}
}

int realm_lock(bool exclusive)
{
	int err, fd, dir = realm_dir();

	if (dir < 0)
		return dir;
	fd = sys_openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd == -ENOSPC ? -ENOMEM : fd;
	fd = region_raise_fd(fd);
	err = realm_flock(fd, exclusive ? LOCK_EX : LOCK_SH);
	if (!err)
		return fd;
	sys_close(fd);
	return err;
}

void realm_unlock(int lock)
{
	sys_flock(lock, LOCK_UN);
	sys_close(lock);
}

/* Appends the components of path to out, resolving . and .. by their names. */
static bool normalize(const char *path, char *out, size_t size)
{
	size_t len = 0, part;

	for (; *path; path += part) {
		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (!part || (part == 1 && path[0] == '.'))
			continue;
		if (part == 2 && !memcmp(path, "..", 2)) {
			while (len && out[--len] != '/')
				;
			continue;
		}
		if (len + part + 2 > size)
			return false;
		out[len++] = '/';
		memcpy(out + len, path, part);
		len += part;
	}
	out[len] = 0;
	return true;
}

const char *realm_translate(const char *path, char *out, size_t size)
{
	const size_t prefix = strlen(REALM_BPFFS);
	char plain[PATH_MAX];
	const char *slash;
	int len;

	if (path[0] != '/' || !normalize(path, plain, sizeof(plain)))
		return path;
	if (strncmp(plain, REALM_BPFFS, prefix) || (plain[prefix] && plain[prefix] != '/'))
		return path;
	if (realm_open())
		return path;
	slash = path[strlen(path) - 1] == '/' ? "/" : "";
	len = snprintf(out, size, "%s/fs%s%s", realm.path, plain + prefix, slash);
	return len < 0 || (size_t)len >= size ? path : out;
}

/* Who finds the file full renames it, once: the others see another file under the name. */
static void rotate_trace(int dir, int fd)
{
	struct stat open, named;

	if (sys_flock(fd, LOCK_EX))
		return;
	if (!sys_fstat(fd, &open) && !sys_fstatat(dir, "trace", &named, AT_SYMLINK_NOFOLLOW) &&
	    open.st_ino == named.st_ino)
		SYSCALL(SYS_renameat2, dir, "trace", dir, "trace.old", 0);
	sys_flock(fd, LOCK_UN);
}

void realm_trace(const char *line, size_t len)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct stat st;
	int fd, dir;

	if (realm_open())
		return;
	dir = realm_dir();
	fd = dir < 0 ? dir : sys_openat(dir, "trace", flags, 0600);
	if (fd < 0)
		return;
	sys_write(fd, line, len);
	if (!sys_fstat(fd, &st) && st.st_size > REALM_TRACE_BYTES)
		rotate_trace(dir, fd);
	sys_close(fd);
}
