/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_object.c: an object lives as long as something refers to it, through whatever the kernel
 * and other processes do to descriptors; and nothing in the realm can harm who looks at it.
 *
 * Each case runs in a child with a realm of its own and ends with 1 after naming what failed.
 */
#include "object/object.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "bpf_test.h"
#include "object/realm.h"
#include "unit/die.h"
#include "unit/realm_cases.h"

#define COOKIE 0x5ca1ab1eu

static int attached; /* objects of this process */

/* What the types of this test keep in the control area. */
static int attach(struct object *object)
{
	if (*(u32 *)region_control(&object->region) != COOKIE)
		return -EINVAL;
	atomic_add(&attached, 1);
	return 0;
}

static void detach(struct object *object)
{
	atomic_sub(&attached, 1);
}

static const struct object_type map_type = {.kind = OBJECT_MAP,
					    .name = "bpf-map",
					    .local_size = sizeof(struct object) + 32,
					    .layout = 7,
					    .attach = attach,
					    .detach = detach};
static const struct object_type prog_type = {.kind = OBJECT_PROG,
					     .name = "bpf-prog",
					     .local_size = sizeof(struct object),
					     .attach = attach,
					     .detach = detach};
static const struct object_type btf_type = {.kind = OBJECT_BTF,
					    .name = "btf",
					    .local_size = sizeof(struct object),
					    .attach = attach,
					    .detach = detach};

static void register_types(void)
{
	object_register(&map_type);
	object_register(&prog_type);
	object_register(&btf_type);
}

static bool child_succeeds(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* A new object that refers to others; its descriptor. */
static int make(const struct object_type *type, struct object *const *refs, unsigned nr_refs,
		u32 *id)
{
	struct object *object;
	int fd, err = object_create(type, type == &map_type ? 4096 : 0, 64, 0, &object);

	if (err)
		return err;
	*(u32 *)region_control(&object->region) = COOKIE;
	fd = object_publish(object, refs, nr_refs, OBJECT_READ_WRITE);
	if (fd < 0) {
		object_discard(object);
		return fd;
	}
	if (id)
		*id = object->id;
	object_put(object);
	return fd;
}

static int make_map(u32 *id)
{
	return make(&map_type, NULL, 0, id);
}

static struct object *object_of(int fd)
{
	struct object *object;

	CHECK(object_from_fd(fd, 0, &object, NULL) == 0);
	object_put(object);
	return object;
}

static bool is_alive(enum object_kind kind, u32 id)
{
	u32 next;

	return object_next_id(kind, id - 1, &next) == 0 && next == id;
}

static bool in_realm(const char *name)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", realm, name);
	return !lstat(path, &st);
}

static unsigned open_fds(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void lives_with_its_descriptor(void)
{
	struct object *object, *again;
	enum object_access access;
	char link[64], target[128];
	int fd, first_free = dup(0);
	u32 id;

	close(first_free);
	fd = make_map(&id);
	CHECK(fd == first_free); /* as programs expect of a system call */
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(id == 1);
	CHECK(object_from_fd(fd, OBJECT_MAP, &object, &access) == 0);
	CHECK(access == OBJECT_READ_WRITE && object->id == id && object->users == 1);
	CHECK(object_from_fd(fd, 0, &again, NULL) == 0 && again == object);
	CHECK(object_from_id(OBJECT_MAP, id, &again) == 0 && again == object);
	object_put(object);
	object_put(object);
	object_put(object);
	CHECK(object->users == 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	memset(target, 0, sizeof(target));
	CHECK(readlink(link, target, sizeof(target) - 1) > 0 && strstr(target, "/bpf-map.1"));
	CHECK(is_alive(OBJECT_MAP, id) && attached == 1);
	close(fd);
	CHECK(!is_alive(OBJECT_MAP, id));
	object_collect();
	CHECK(!in_realm("bpf-map.1") && attached == 0);
	CHECK(object_open_id(OBJECT_MAP, id, OBJECT_READ) == -ENOENT);
	CHECK(object_from_id(OBJECT_MAP, id, &object) == -ENOENT);
	fd = make_map(&id);
	CHECK(id == 2); /* never used again */
}

static void test_descriptor(void **state)
{
	IN_CHILD((register_types(), lives_with_its_descriptor()));
}

static void checks_descriptors(void)
{
	static const struct {
		enum object_access access;
		int mode;
	} modes[] = {
		{OBJECT_READ, O_RDONLY}, {OBJECT_WRITE, O_WRONLY}, {OBJECT_READ_WRITE, O_RDWR}};
	struct object *object;
	enum object_access access;
	int fds[2], fd;
	u32 id;

	CHECK(pipe(fds) == 0);
	fd = make_map(&id);
	CHECK(object_from_fd(-1, 0, &object, NULL) == -EBADF);
	CHECK(object_from_fd(999, 0, &object, NULL) == -EBADF);
	CHECK(object_from_fd(fds[0], 0, &object, NULL) == -EINVAL);
	CHECK(object_from_fd(open("/dev/null", O_RDWR), 0, &object, NULL) == -EINVAL);
	CHECK(object_from_fd(open("/", O_RDONLY), 0, &object, NULL) == -EINVAL);
	CHECK(object_from_fd(open(base, O_RDONLY), 0, &object, NULL) == -EINVAL);
	CHECK(object_from_fd(open(realm, O_PATH), 0, &object, NULL) == -EBADF);
	CHECK(object_from_fd(fd, OBJECT_PROG, &object, NULL) == -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = object_open_id(OBJECT_MAP, id, modes[i].access);
		CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == modes[i].mode);
		CHECK(object_from_fd(fd, OBJECT_MAP, &object, &access) == 0);
		CHECK(access == modes[i].access);
		close(fd);
		fd = object_open(object, modes[i].access);
		object_put(object);
		CHECK(fd >= 0 && object_from_fd(fd, OBJECT_MAP, &object, &access) == 0);
		CHECK(access == modes[i].access);
		object_put(object);
		close(fd);
	}
	CHECK(object_open_id(OBJECT_MAP, id + 1, OBJECT_READ) == -ENOENT);
	CHECK(object_open_id(OBJECT_MAP, 0, OBJECT_READ) == -ENOENT);
	CHECK(object_open_id(OBJECT_LINK, 1, OBJECT_READ) == -ENOENT);
	CHECK(object_next_id(OBJECT_LINK, 0, &id) == -ENOENT);
}

static void test_descriptors(void **state)
{
	IN_CHILD((register_types(), checks_descriptors()));
}

/* The position is lost when the application seeks or opens the file anew; the stamp remains. */
static void survives_lost_position(void)
{
	struct object *object;
	enum object_access access;
	char path[64];
	int fd, again;
	u32 id;

	fd = make_map(&id);
	lseek(fd, 0, SEEK_SET);
	CHECK(object_from_fd(fd, OBJECT_MAP, &object, &access) == 0);
	CHECK(access == OBJECT_READ_WRITE && object->id == id);
	object_put(object);
	CHECK(lseek(fd, 0, SEEK_CUR) > 0); /* and is set again */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(object_from_fd(again, OBJECT_MAP, &object, &access) == 0);
	CHECK(access == OBJECT_READ && object->id == id);
	object_put(object);
	close(fd);
	CHECK(is_alive(OBJECT_MAP, id)); /* the new descriptor counts */
	close(again);
	CHECK(!is_alive(OBJECT_MAP, id));
}

static void test_lost_position(void **state)
{
	IN_CHILD((register_types(), survives_lost_position()));
}

static void counts_dup_and_fork(void)
{
	int fd, copy, pipes[2];
	pid_t pid;
	u32 id;
	char c;

	fd = make_map(&id);
	copy = dup(fd);
	close(fd);
	CHECK(is_alive(OBJECT_MAP, id));
	CHECK(object_of(copy)->id == id);
	CHECK(dup2(copy, 700) == 700);
	close(copy);
	CHECK(is_alive(OBJECT_MAP, id));
	CHECK(pipe(pipes) == 0);
	pid = fork();
	if (!pid) {
		CHECK(object_of(700)->id == id && is_alive(OBJECT_MAP, id));
		close(pipes[1]);
		CHECK(read(pipes[0], &c, 1) == 0); /* until the parent closes its end */
		CHECK(is_alive(OBJECT_MAP, id));
		_exit(0);
	}
	close(700);
	CHECK(is_alive(OBJECT_MAP, id));
	close(pipes[1]);
	CHECK(child_succeeds(pid));
	CHECK(!is_alive(OBJECT_MAP, id));
}

static void counts_mappings(void)
{
	u32 id;
	int fd = make_map(&id);
	u8 *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(mem != MAP_FAILED);
	mem[5] = 55;
	CHECK(object_of(fd)->region.base[5] == 55);
	close(fd);
	CHECK(is_alive(OBJECT_MAP, id));
	munmap(mem, 4096);
	CHECK(!is_alive(OBJECT_MAP, id));
}

static void send_fd(int to, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS}};
	struct iovec byte = {"x", 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK(sendmsg(to, &message, 0) == 1);
}

static int receive_fd(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	int fd;

	CHECK(recvmsg(from, &message, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void counts_descriptors_in_flight(void)
{
	int sockets[2], fd;
	pid_t pid;
	u32 id;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	pid = fork();
	if (!pid) {
		close(sockets[0]);
		fd = receive_fd(sockets[1]);
		CHECK(object_of(fd)->id == 1 && is_alive(OBJECT_MAP, 1));
		_exit(0);
	}
	close(sockets[1]);
	fd = make_map(&id);
	send_fd(sockets[0], fd);
	close(fd);
	CHECK(child_succeeds(pid));
	CHECK(!is_alive(OBJECT_MAP, id));

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	fd = make_map(&id);
	send_fd(sockets[0], fd);
	close(fd);
	CHECK(is_alive(OBJECT_MAP, id)); /* nobody but the socket has it */
	fd = receive_fd(sockets[1]);
	CHECK(object_of(fd)->id == id);
	close(fd);
	CHECK(!is_alive(OBJECT_MAP, id));
}

static void survives_close_range(void)
{
	u32 id, kept;
	int fd = make_map(&id), keep;

	keep = make_map(&kept);
	close(fd);
	CHECK(close_range((unsigned)keep + 1, ~0u, 0) == 0); /* our own descriptors too */
	CHECK(object_of(keep)->id == kept);
	CHECK(!is_alive(OBJECT_MAP, id) && is_alive(OBJECT_MAP, kept));
	CHECK(close_range(3, ~0u, 0) == 0);
	CHECK(!is_alive(OBJECT_MAP, kept));
	CHECK(make_map(&id) == 3);
}

static void test_counting(void **state)
{
	IN_CHILD((register_types(), counts_dup_and_fork()));
	IN_CHILD((register_types(), counts_mappings()));
	IN_CHILD((register_types(), survives_close_range()));
}

static void test_in_flight(void **state)
{
	IN_CHILD((register_types(), counts_descriptors_in_flight()));
}

/* A new program image knows nothing of the old one's tables: main() comes back here. */
static int after_exec(int fd, u32 id)
{
	struct object *object;
	enum object_access access;

	register_types();
	CHECK(object_from_fd(fd, OBJECT_MAP, &object, &access) == 0);
	CHECK(object->id == id && access == OBJECT_READ_WRITE && attached == 1);
	CHECK(object->region.base[3] == 33);
	close(fd);
	object_put(object);
	CHECK(!is_alive(OBJECT_MAP, id));
	return 0;
}

static void executes(void)
{
	char fd_text[16], id_text[16];
	u32 id;
	int fd = make_map(&id);

	object_of(fd)->region.base[3] = 33;
	fcntl(fd, F_SETFD, 0);
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(id_text, sizeof(id_text), "%u", id);
	execl("/proc/self/exe", "test_object", fd_text, id_text, NULL);
	CHECK(false);
}

static void test_exec(void **state)
{
	IN_CHILD((register_types(), executes()));
}

static void keeps_what_it_refers_to(void)
{
	struct object *maps[2];
	int map[2], btf, prog;
	u32 map_id[2], prog_id, btf_id;

	map[0] = make_map(&map_id[0]);
	map[1] = make_map(&map_id[1]);
	maps[0] = object_of(map[0]);
	maps[1] = object_of(map[1]);
	btf = make(&btf_type, NULL, 0, &btf_id);
	CHECK(object_ref_add(maps[0], object_of(btf), 0) == 0);
	CHECK(object_ref_add(maps[0], object_of(btf), 0) == 0);
	CHECK(object_ref_add(maps[0], object_of(btf), 1) == 0);
	prog = make(&prog_type, maps, 2, &prog_id);
	CHECK(prog >= 0);
	close(map[0]);
	close(map[1]);
	close(btf);
	object_collect();
	CHECK(is_alive(OBJECT_MAP, map_id[0]) && is_alive(OBJECT_MAP, map_id[1]));
	CHECK(is_alive(OBJECT_BTF, btf_id));
	object_ref_drop(maps[0], OBJECT_BTF, btf_id, 0);
	CHECK(is_alive(OBJECT_BTF, btf_id)); /* the other slot */
	close(prog);
	CHECK(!is_alive(OBJECT_PROG, prog_id)); /* and with it all that it held */
	CHECK(!in_realm("bpf-map.1") && !in_realm("bpf-map.2") && !in_realm("btf.1"));
	CHECK(!in_realm("refs/bpf-prog.1") && !in_realm("refs/bpf-map.1"));
	object_collect();
	CHECK(attached == 0);
}

/* The directory of a holder that is gone is left when its collector was killed. */
static void collects_orphaned_references(void)
{
	char path[200], target[200];
	u32 id;
	int fd = make_map(&id);

	snprintf(path, sizeof(path), "%s/refs/bpf-prog.77", realm);
	CHECK(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/refs/bpf-prog.77/map", realm);
	snprintf(target, sizeof(target), "%s/bpf-map.%u", realm, id);
	CHECK(link(target, path) == 0);
	close(fd);
	object_collect();
	CHECK(!in_realm("refs/bpf-prog.77") && access(target, F_OK) != 0);
}

static void test_references(void **state)
{
	IN_CHILD((register_types(), keeps_what_it_refers_to()));
	IN_CHILD((register_types(), collects_orphaned_references()));
}

static void survives_kills(void)
{
	const struct timespec nap = {.tv_nsec = 3000000};
	struct object *object;
	u32 id;
	pid_t pid;
	int fd;

	CHECK(realm_open() == 0);
	for (int i = 0; i < 60; i++) {
		pid = fork();
		while (!pid) {
			fd = make_map(&id);
			CHECK(fd >= 0);
			object = object_of(fd);
			fd = make(&prog_type, &object, 1, NULL);
			CHECK(fd >= 0);
			if (id % 4)
				close_range(3, 400, 0);
			if (id % 50 == 0)
				object_collect();
		}
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	CHECK(object_next_id(OBJECT_MAP, 0, &id) == -ENOENT);
	CHECK(object_next_id(OBJECT_PROG, 0, &id) == -ENOENT);
	object_collect();
	fd = make_map(&id);
	CHECK(fd >= 0 && id > 60 && is_alive(OBJECT_MAP, id));
}

/* What a killed process leaves besides names is nothing: no link count can be wrong. */
static void leaves_no_trace(void)
{
	char path[200];
	int names = 0;

	survives_kills();
	for (const char *const *dir = (const char *const[]){"refs", "fs", NULL}; *dir; dir++) {
		snprintf(path, sizeof(path), "%s/%s", realm, *dir);
		names += rmdir(path) != 0;
	}
	CHECK(names == 0);
}

static void create_and_pin(void *path)
{
	const int fd = make_map(NULL);

	CHECK(fd >= 0 && object_pin(fd, AT_FDCWD, path) == 0);
}

/* Death on either side of each system call: there is a pinned map, or none. */
static void dies_while_creating(void)
{
	char path[200];
	const struct death death = {.run = create_and_pin, .arg = path, .at_calls = true};
	bool died = true;
	u32 id;

	CHECK(realm_open() == 0);
	snprintf(path, sizeof(path), "%s/fs/map", realm);
	for (unsigned place = 1; died; place++) {
		died = dies_at(&death, place);
		object_collect();
		if (access(path, F_OK) == 0) {
			CHECK(object_next_id(OBJECT_MAP, 0, &id) == 0 && is_alive(OBJECT_MAP, id));
			CHECK(unlink(path) == 0);
			object_collect();
		} else {
			CHECK(died);
		}
		CHECK(object_next_id(OBJECT_MAP, 0, &id) == -ENOENT);
	}
}

static void test_kills(void **state)
{
	IN_CHILD((register_types(), leaves_no_trace()));
	IN_CHILD((register_types(), dies_while_creating()));
}

enum pinned { A_MAP, A_PROG, A_BTF, A_PIPE, NOTHING };

/* As a 6.18 kernel answers, in this order; /sys/fs/bpf/dir is a directory. */
static const struct {
	enum pinned what;
	const char *path;
	int err;
} pin_cases[] = {
	{A_MAP, "/sys/fs/bpf/a", 0},
	{A_MAP, "/sys/fs/bpf/a", -EEXIST},
	{A_PROG, "/sys/fs/bpf/a", -EEXIST},
	{A_MAP, "/sys/fs/bpf/second name", 0},
	{A_PROG, "/sys/fs/bpf/p", 0},
	{A_MAP, "/sys/fs/bpf/dir", -EEXIST},
	{A_MAP, "/sys/fs/bpf/dir/", -EEXIST},
	{A_MAP, "/sys/fs/bpf", -EEXIST},
	{A_MAP, "/sys/fs/bpf/", -EEXIST},
	{A_MAP, "/sys/fs/bpf/.", -EEXIST},
	{A_MAP, "/sys/fs/bpf/..", -EEXIST},
	{A_MAP, "/sys/fs/bpf/dir/..", -EEXIST},
	{A_MAP, "/sys/fs/bpf/a/", -EEXIST},
	{A_MAP, "/sys/fs/bpf/dir/a", 0},
	{A_MAP, "/sys/fs/bpf/dir/../dir/b", 0},
	{A_MAP, "/sys/fs/bpf/dir/../ok", 0},
	{A_MAP, "/sys/fs/bpf/a.b", -EPERM},
	{A_MAP, "/sys/fs/bpf/.a", -EPERM},
	{A_MAP, "/sys/fs/bpf/x.y/z", -EPERM},
	{A_MAP, "/sys/fs/bpf/n.w/", -EPERM},
	{A_MAP, "/sys/fs/bpf/missing/a.b", -ENOENT},
	{A_MAP, "/sys/fs/bpf/missing/a", -ENOENT},
	{A_MAP, "/sys/fs/bpf/new/", -ENOENT},
	{A_MAP, "/sys/fs/bpf/a/b", -ENOTDIR},
	{A_MAP, "/tmp/userbpf-test-no-such-file", -EPERM},
	{A_MAP, "/tmp/userbpf-test-no-such-file/", -ENOENT},
	{A_MAP, "/userbpf-test-no-such-dir/x", -ENOENT},
	{A_MAP, "/tmp", -EEXIST},
	{A_MAP, "/tmp/", -EEXIST},
	{A_MAP, "/", -EEXIST},
	{A_MAP, "", -ENOENT},
	{A_BTF, "/sys/fs/bpf/btf", -EINVAL},
	{A_PIPE, "/sys/fs/bpf/x", -EINVAL},
	{A_PIPE, "/sys/fs/bpf/a", -EINVAL},
	{A_PIPE, "", -EINVAL},
	{NOTHING, "/sys/fs/bpf/x", -EINVAL},
};

static void pins_by_absolute_path(void)
{
	char below[200], long_name[300] = "/sys/fs/bpf/";
	int fds[] = {make_map(NULL), make(&prog_type, NULL, 0, NULL),
		     make(&btf_type, NULL, 0, NULL), open("/dev/null", O_RDWR), -1};
	int err;

	snprintf(below, sizeof(below), "%s/fs/dir", realm);
	CHECK(mkdir(below, 0700) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(pin_cases); i++) {
		err = object_pin(fds[pin_cases[i].what], AT_FDCWD, pin_cases[i].path);
		if (err != pin_cases[i].err)
			fprintf(stderr, "# pin %s: %d\n", pin_cases[i].path, err);
		/* The host's bpffs may be closed to this user, and what is above it with it. */
		if (err == -EPERM && access(pin_cases[i].path, F_OK) && errno == EACCES)
			continue;
		CHECK(err == pin_cases[i].err);
	}
	CHECK(object_pin(fds[A_MAP], AT_FDCWD, below) == -EEXIST);
	memset(long_name + 12, 'n', 256);
	CHECK(object_pin(fds[A_MAP], AT_FDCWD, long_name) == -ENAMETOOLONG);
	long_name[12 + 255] = 0;
	CHECK(object_pin(fds[A_MAP], AT_FDCWD, long_name) == 0);
}

static void pins_by_relative_path(void)
{
	const int map = make_map(NULL), none = open("/dev/null", O_RDWR);
	char below[200];
	int dir;

	snprintf(below, sizeof(below), "%s/fs/dir", realm);
	dir = open(below, O_RDONLY | O_DIRECTORY);
	CHECK(object_pin(map, dir, "relative") == 0);
	CHECK(object_pin(map, dir, "../up") == 0);
	CHECK(object_pin(map, dir, "../../out") == -EPERM);
	CHECK(object_pin(map, -1, "relative") == -EBADF);
	CHECK(object_pin(map, none, "relative") == -ENOTDIR);
	CHECK(object_pin(map, -1, "/sys/fs/bpf/absolute") == 0);
	CHECK(chdir(below) == 0 && object_pin(map, AT_FDCWD, "here") == 0);
	CHECK(object_pin(map, AT_FDCWD, ".") == -EEXIST);
}

static void gets_pinned(void)
{
	static const struct {
		const char *path;
		int err;
	} cases[] = {
		{"/sys/fs/bpf/a/", -ENOTDIR},
		{"/sys/fs/bpf/a.b", -EPERM},
		{"/sys/fs/bpf/a.b/c", -EPERM},
		{"/sys/fs/bpf/none/a.b", -ENOENT},
		{"/sys/fs/bpf/dir", -EACCES},
		{"/sys/fs/bpf", -EACCES},
		{"/sys/fs/bpf/none", -ENOENT},
		{"/sys/fs/bpf/none/", -ENOENT},
		{"/sys/fs/bpf/a/b", -ENOTDIR},
		{"/sys/fs/bpf/dir/leave", -EACCES},
		{"/sys/fs/bpf/garbage", -EACCES},
		{"/sys/fs/bpf/fifo", -EACCES},
		{"/sys/fs/bpf/nowhere", -ENOENT},
		{"/etc/passwd", -EACCES},
		{"/dev/null", -EACCES},
		{"/tmp", -EACCES},
		{"", -ENOENT},
	};
	enum object_access access;
	struct object *object;
	int fd;

	CHECK(realm_open() == 0 && chdir(realm) == 0 && chdir("fs") == 0);
	CHECK(close(creat("garbage", 0600)) == 0 && mkfifo("fifo", 0600) == 0);
	CHECK(symlink("../a", "dir/link") == 0 && symlink("/etc/passwd", "dir/leave") == 0);
	CHECK(symlink("no such", "nowhere") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK(object_get_pinned(AT_FDCWD, cases[i].path, OBJECT_WRITE) == cases[i].err);
	CHECK(object_get_pinned(-1, "a", OBJECT_READ) == -EBADF);
	fd = object_get_pinned(open("dir", O_RDONLY), "relative", OBJECT_READ);
	CHECK(object_from_fd(fd, OBJECT_MAP, &object, &access) == 0 && access == OBJECT_READ);
	fd = object_get_pinned(AT_FDCWD, "/sys/fs/bpf/dir/link", OBJECT_READ_WRITE);
	CHECK(object_of(fd)->id == 1);
	CHECK(is_alive(OBJECT_MAP, 1) && is_alive(OBJECT_PROG, 1) && !is_alive(OBJECT_BTF, 1));
}

static void keeps_pinned_after_exit(void)
{
	struct object *object;
	pid_t pid = fork();
	int fd;

	if (!pid) {
		fd = make_map(NULL);
		object_of(fd)->region.base[0] = 42;
		_exit(object_pin(fd, AT_FDCWD, "/sys/fs/bpf/kept") != 0);
	}
	CHECK(child_succeeds(pid));
	object_collect();
	fd = object_get_pinned(AT_FDCWD, "/sys/fs/bpf/kept", OBJECT_READ_WRITE);
	CHECK(object_from_fd(fd, OBJECT_MAP, &object, NULL) == 0);
	CHECK(object->region.base[0] == 42);
	CHECK(chdir(realm) == 0 && rename("fs/kept", "fs/moved") == 0);
	close(fd);
	CHECK(is_alive(OBJECT_MAP, object->id));
	CHECK(unlink("fs/moved") == 0);
	CHECK(!is_alive(OBJECT_MAP, object->id));
}

static void test_pins(void **state)
{
	IN_CHILD((register_types(), pins_by_absolute_path()));
	IN_CHILD((register_types(), pins_by_relative_path()));
	IN_CHILD((register_types(), gets_pinned()));
}

static void test_pins_keep(void **state)
{
	IN_CHILD((register_types(), keeps_pinned_after_exit()));
}

/* Whatever lies in the realm, by design or accident, is an errno or ignored. */
static void meets_garbage(void)
{
	static const char *const names[] = {"bpf-map.7",           "bpf-map.007", "bpf-map.",
					    "bpf-map.x",           "bpf-map.-1",  "bpf-map.0",
					    "bpf-map.8x",          "bpf-map",     "bpf-mop.9",
					    "bpf-map.99999999999", ".",           "bpf-prog.7"};
	struct object *object;
	u32 id;
	int fd;

	CHECK(realm_open() == 0 && chdir(realm) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fd = open(names[i], O_RDWR | O_CREAT, 0600);
		CHECK(fd < 0 || (write(fd, "junk", 4) == 4 && close(fd) == 0));
	}
	CHECK(mkdir("bpf-map.20", 0700) == 0 && mkfifo("bpf-map.21", 0600) == 0);
	CHECK(symlink("/etc/passwd", "bpf-map.22") == 0 && symlink("loop", "loop") == 0);
	CHECK(mkdir("refs/bpf-map.50", 0700) == 0 && mkdir("refs/bpf-map.50/deeper", 0700) == 0);
	CHECK(close(creat("refs/bpf-map.51", 0600)) == 0);
	CHECK(link("bpf-map.7", "fs/kept") == 0);
	for (u32 i = 0; i < 30; i++) {
		CHECK(object_open_id(OBJECT_MAP, i, OBJECT_READ_WRITE) == -ENOENT);
		CHECK(object_open_id(OBJECT_MAP, i, OBJECT_WRITE) == -ENOENT);
		CHECK(object_from_id(OBJECT_MAP, i, &object) == -ENOENT);
	}
	fd = open("bpf-map.7", O_RDWR);
	CHECK(object_from_fd(fd, 0, &object, NULL) == -EINVAL);
	lseek(fd, (s64)0x6b60000000000000 | 1ll << 32 | 7, SEEK_SET); /* claims to be map 7 */
	CHECK(object_from_fd(fd, 0, &object, NULL) == -EINVAL);
	CHECK(object_get_pinned(AT_FDCWD, "/sys/fs/bpf/kept", OBJECT_READ) == -EACCES);
	object_collect();
	CHECK(!in_realm("refs/bpf-map.51") && in_realm("refs/bpf-map.50/deeper"));
	CHECK(make_map(&id) >= 0 && id == 1);
}

/* A pinned map of a process that has ended: nobody has it mapped. */
static void make_pinned(u32 *id)
{
	const pid_t pid = fork();
	char path[64];
	int fd;

	if (!pid) {
		fd = make_map(id);
		snprintf(path, sizeof(path), "/sys/fs/bpf/m%u", *id);
		_exit(object_pin(fd, AT_FDCWD, path) != 0);
	}
	CHECK(child_succeeds(pid));
	CHECK(object_next_id(OBJECT_MAP, *id, id) == 0);
}

/* Spoils the file of an object in many ways; who attaches it must not come to harm. */
static void meets_spoilt_objects(void)
{
	static const struct {
		const char *what;
		off_t size; /* -1: as it is */
		off_t at;
		u64 value;
		int open_err; /* the type finds its own faults only at attach */
	} cases[] = {
		{"empty", 0, 0, 0, -ENOENT},
		{"a byte", 1, 0, 0, -ENOENT},
		{"a page lost", 8192, 0, 0, -ENOENT},
		{"huge", 1ll << 45, 0, 0, -ENOENT},
		{"stamp without magic", -1, 8192, 0, -ENOENT},
		{"stamp of another id", -1, 8192 + offsetof(struct region_stamp, id), 999, 0},
		{"control data", -1, 4096, 1, 0},
	};
	char path[200], pin[64];
	struct object *object;
	u32 id = 0;
	int fd;

	CHECK(realm_open() == 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_pinned(&id);
		snprintf(path, sizeof(path), "%s/bpf-map.%u", realm, id);
		snprintf(pin, sizeof(pin), "/sys/fs/bpf/m%u", id);
		CHECK(cases[i].size < 0 || truncate(path, cases[i].size) == 0);
		fd = open(path, O_RDWR);
		if (cases[i].size < 0)
			CHECK(pwrite(fd, &cases[i].value, 4, cases[i].at) == 4);
		CHECK(object_from_fd(fd, OBJECT_MAP, &object, NULL) == -EINVAL ||
		      cases[i].value == 999);
		close(fd);
		CHECK(object_from_id(OBJECT_MAP, id, &object) == -ENOENT);
		fd = object_open_id(OBJECT_MAP, id, OBJECT_READ);
		/* What its stamp calls another id is not found by this one, but a pin leads to it. */
		CHECK(cases[i].open_err || cases[i].value == 999 ? fd == -ENOENT : fd >= 0);
		fd = object_get_pinned(AT_FDCWD, pin, OBJECT_READ);
		CHECK(cases[i].open_err ? fd == -EACCES : fd >= 0);
		CHECK(fd < 0 || object_from_fd(fd, 0, &object, NULL) == -EINVAL ||
		      cases[i].value == 999);
	}
}

static void test_garbage(void **state)
{
	IN_CHILD((register_types(), meets_garbage()));
}

static void test_spoilt_objects(void **state)
{
	IN_CHILD((register_types(), meets_spoilt_objects()));
}

/* A file of another user may hold anything behind a good stamp. */
static void distrusts_other_users(void)
{
	struct object *object;
	char path[200];
	u32 id = 0;
	int fd;

	make_pinned(&id);
	snprintf(path, sizeof(path), "%s/bpf-map.%u", realm, id);
	if (chown(path, 12345, 12345))
		_exit(SKIPPED);
	fd = object_open_id(OBJECT_MAP, id, OBJECT_READ);
	CHECK(object_from_fd(fd, 0, &object, NULL) == -EINVAL);
	CHECK(object_from_id(OBJECT_MAP, id, &object) == -ENOENT);
}

/* Whatever the number by which it was known stands for meanwhile. */
static void knows_who_has_it_open(void)
{
	int fd = make_map(NULL), other = make_map(NULL), again, plain;
	struct object *object;
	pid_t pid;

	CHECK(object_from_fd(fd, OBJECT_MAP, &object, NULL) == 0);
	CHECK(object_has_users(object));
	again = dup(fd);
	CHECK(dup2(other, fd) == fd && object_has_users(object));
	CHECK(object_of(again) == object && object_has_users(object));
	plain = open("/dev/null", O_RDONLY);
	CHECK(dup2(plain, again) == again && !object_has_users(object));
	CHECK(dup2(other, again) == again && !object_has_users(object));
	close(again);
	CHECK(!object_has_users(object));
	CHECK(object_open(object, OBJECT_READ) == again && object_of(again) == object);
	pid = fork();
	if (!pid) {
		CHECK(object_has_users(object));
		close(again);
		CHECK(object_has_users(object)); /* the parent */
		_exit(0);
	}
	CHECK(child_succeeds(pid));
	CHECK(object_has_users(object));
	close(again);
	CHECK(!object_has_users(object));
	object_put(object);
}

static void test_open_elsewhere(void **state)
{
	IN_CHILD((register_types(), knows_who_has_it_open()));
}

/* A descriptor from root still serves after the process has become somebody else. */
static void serves_after_change_of_user(void)
{
	struct object *object;
	const int fd = make_map(NULL);
	pid_t pid;

	if (getuid())
		_exit(SKIPPED);
	pid = fork();
	if (!pid) {
		CHECK(setuid(65534) == 0);
		CHECK(object_from_fd(fd, OBJECT_MAP, &object, NULL) == 0);
		_exit(0);
	}
	CHECK(child_succeeds(pid));
}

static void test_users(void **state)
{
	IN_CHILD((register_types(), distrusts_other_users()));
	IN_CHILD((register_types(), serves_after_change_of_user()));
}

/* With every limit on descriptors: either all or nothing. */
static void runs_out_of_descriptors(void)
{
	struct rlimit limit = {0, 1024};
	struct object *object;
	unsigned before;
	int fd, err;
	u32 id;

	CHECK(realm_open() == 0);
	for (limit.rlim_cur = 3; limit.rlim_cur < 12; limit.rlim_cur++) {
		close_range(3, ~0u, 0);
		CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		before = open_fds();
		fd = make_map(&id);
		CHECK(fd == -EMFILE || fd >= 3);
		if (fd >= 0)
			close(fd);
		CHECK(open_fds() <= before + 1); /* the realm's */
		err = object_next_id(OBJECT_MAP, 0, &id);
		CHECK(err == -ENOENT || err == -EMFILE);
		CHECK(object_open_id(OBJECT_MAP, 1, OBJECT_READ) < 0);
		CHECK(object_get_pinned(AT_FDCWD, "/sys/fs/bpf/x", OBJECT_READ) < 0);
		CHECK(object_from_id(OBJECT_MAP, 1, &object) < 0);
	}
	close_range(3, ~0u, 0);
	limit.rlim_cur = 1024;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	object_collect();
	CHECK(object_next_id(OBJECT_MAP, 0, &id) == -ENOENT && attached == 0);
	CHECK(make_map(&id) == 3);
}

static void test_no_descriptors(void **state)
{
	IN_CHILD((register_types(), runs_out_of_descriptors()));
}

/* A full file system is ENOMEM, and garbage is collected before that is said. */
static void fills_file_system(void)
{
	struct object *object;
	int fds[300], count = 0, fd;
	u32 id;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", base, "tmpfs", 0, "size=1m,mode=0700"))
		_exit(SKIPPED);
	CHECK(object_create(&map_type, 2 << 20, 64, 0, &object) == -ENOMEM);
	while ((fd = make_map(&id)) >= 0) {
		CHECK(count < 300);
		fds[count++] = fd;
	}
	CHECK(fd == -ENOMEM && count > 50);
	CHECK(object_next_id(OBJECT_MAP, (u32)count, &id) == -ENOENT); /* no half object */
	for (int i = 0; i < count; i++) {
		object_of(fds[i])->region.base[4095] = 1;
		close(fds[i]);
	}
	for (int i = 0; i < 1000; i++) {
		fd = make_map(&id);
		CHECK(fd >= 0);
		close(fd);
	}
}

static void test_full_file_system(void **state)
{
	IN_CHILD((register_types(), fills_file_system()));
}

static volatile bool racing;

static void *look_up(void *arg)
{
	const int fd = *(int *)arg;
	struct object *object;
	u32 id, next;

	while (load_relaxed(&racing)) {
		CHECK(object_from_fd(fd, OBJECT_MAP, &object, NULL) == 0);
		CHECK(*(u32 *)region_control(&object->region) == COOKIE);
		object_put(object);
		for (id = 0; !object_next_id(OBJECT_MAP, id, &next); id = next) {
			if (object_from_id(OBJECT_MAP, next, &object))
				continue;
			CHECK(object->id == next);
			CHECK(*(u32 *)region_control(&object->region) == COOKIE);
			object_put(object);
		}
	}
	return NULL;
}

static void *make_and_drop(void *arg)
{
	struct object *object;
	u32 id, last = 0;
	int fd;

	while (load_relaxed(&racing)) {
		fd = make_map(&id);
		CHECK(fd >= 0 && id > last);
		last = id;
		CHECK(object_from_fd(fd, OBJECT_MAP, &object, NULL) == 0 && object->id == id);
		object_put(object);
		close(fd);
		object_collect();
	}
	return NULL;
}

static void races(void)
{
	const struct timespec while_ = {.tv_nsec = 800000000};
	pthread_t threads[4];
	int fd = make_map(NULL);

	racing = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, i % 2 ? look_up : make_and_drop, &fd) == 0);
	nanosleep(&while_, NULL);
	store_relaxed(&racing, false);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	object_collect();
	CHECK(attached == 1);
}

static void test_threads(void **state)
{
	IN_CHILD((register_types(), races()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_descriptor), TEST(test_descriptors),    TEST(test_lost_position),
		TEST(test_counting),   TEST(test_in_flight),      TEST(test_exec),
		TEST(test_references), TEST(test_kills),          TEST(test_pins),
		TEST(test_pins_keep),  TEST(test_garbage),        TEST(test_spoilt_objects),
		TEST(test_users),      TEST(test_no_descriptors), TEST(test_full_file_system),
		TEST(test_threads),    TEST(test_open_elsewhere),
	};

	if (argc == 3)
		return after_exec(atoi(argv[1]), (u32)atoi(argv[2]));
	return run_tests(tests);
}
