/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_preload.c: what an application sees of bpf objects through libc rather than through bpf(2):
 * pins as files below /sys/fs/bpf, links and fdinfo of descriptors, mmap, epoll; and that calls
 * which do not concern bpf are what they were. Natively it works on a bpffs of its own, mounted in
 * its own mount namespace.
 */
#include "bpf_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <linux/magic.h>

#define BPFFS "/sys/fs/bpf"
#define DIR_PATH BPFFS "/preload"
#define PIN DIR_PATH "/pin"

/* The result, or -errno. */
#define ERR(call)                       \
	({                              \
		long r_ = (long)(call); \
		r_ < 0 ? -errno : r_;   \
	})

static int map_fd;
static char *volatile nowhere = (char *)8; /* the compiler must not know */

static int pin(int fd, const char *path)
{
	union test_attr t = {.a = {.pathname = ptr64(path), .bpf_fd = (uint32_t)fd}};

	return (int)bpf_sys(BPF_OBJ_PIN, &t, 16);
}

static int get_pin(const char *path)
{
	union test_attr t = {.a.pathname = ptr64(path)};

	return (int)bpf_sys(BPF_OBJ_GET, &t, 16);
}

static int setup(void **state)
{
	map_fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_MMAPABLE);
	if (map_fd < 0 || mkdir(DIR_PATH, 0755))
		return -1;
	return pin(map_fd, PIN);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	close(map_fd);
	return nftw(DIR_PATH, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The system call. */

static void test_syscall_passes_on(void **state)
{
	int pipes[2];
	char text[8];
	void *page;

	assert_int_equal(syscall(SYS_getpid), getpid());
	assert_int_equal(syscall(SYS_pipe2, pipes, O_CLOEXEC), 0);
	assert_int_equal(syscall(SYS_write, pipes[1], "abc", 3), 3);
	assert_int_equal(syscall(SYS_read, pipes[0], text, sizeof(text)), 3);
	page = (void *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ,
			       (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L); /* six arguments */
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(syscall(SYS_munmap, page, 4096L), 0);
	assert_int_equal(ERR(syscall(SYS_close, -1)), -EBADF);
	assert_int_equal(syscall(SYS_close, -1), -1);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_errno(void **state)
{
	uint64_t value = 3;
	uint32_t key = 0;
	char link[64];

	errno = 77;
	assert_int_equal(map_update(map_fd, &key, &value, 0), 0);
	assert_int_equal(map_lookup(map_fd, &key, &value), 0);
	assert_true(readlink("/proc/self/exe", link, sizeof(link)) > 0);
	assert_int_equal(errno, 77);
	key = 100;
	assert_int_equal(syscall(SYS_bpf, 9999, &key, 4), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(map_lookup(map_fd, &key, &value), -ENOENT);
	assert_int_equal(map_lookup(-1, &key, &value), -EBADF);
	assert_int_equal(ERR(syscall(SYS_bpf, BPF_MAP_CREATE, (void *)8, 72)), -EFAULT);
}

/* Descriptors. */

static void check_link(int fd, const char *expected)
{
	char path[64], link[64] = "";
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link));
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(link, expected, len);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	assert_int_equal(readlinkat(AT_FDCWD, path, link, sizeof(link)), len);
	assert_memory_equal(link, expected, len);
	assert_int_equal(readlink(path, link, 4), 4); /* cut, as for any link */
	assert_int_equal(ERR(readlink(path, link, 0)), -EINVAL);
	assert_int_equal(ERR(readlink(path, nowhere, 4)), -EFAULT);
}

static void test_fd_links(void **state)
{
	struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
				   {.code = BPF_JMP | BPF_EXIT}};
	union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				   .insn_cnt = 2,
				   .insns = ptr64(insns),
				   .license = ptr64("GPL")}};
	int prog = (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(t.a));
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(prog >= 0);
	check_link(map_fd, "anon_inode:bpf-map");
	check_link(prog, "anon_inode:bpf-prog");
	check_link(null, "/dev/null");
	close(prog);
	close(null);
}

static void test_fdinfo(void **state)
{
	unsigned value, found = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map_fd);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		found += sscanf(line, "map_type:\t%u", &value) == 1 && value == BPF_MAP_TYPE_ARRAY;
		found += sscanf(line, "key_size:\t%u", &value) == 1 && value == 4;
		found += sscanf(line, "value_size:\t%u", &value) == 1 && value == 8;
		found += sscanf(line, "max_entries:\t%u", &value) == 1 && value == 4;
		found += sscanf(line, "map_flags:\t%x", &value) == 1 && value == BPF_F_MMAPABLE;
		found += sscanf(line, "memlock:\t%u", &value) == 1 && value > 0;
		found += sscanf(line, "frozen:\t%u", &value) == 1 && value == 0;
	}
	fclose(file);
	assert_int_equal(found, 7);
	assert_int_equal(ERR(open("/proc/self/fdinfo/99999", O_RDONLY)), -ENOENT);
}

static void test_mmap(void **state)
{
	int hash = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
	uint32_t key = 1;
	uint64_t value = 42, *page;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(map_update(map_fd, &key, &value, 0), 0);
	assert_int_equal(page[1], 42);
	page[1] = 43;
	assert_int_equal(map_lookup(map_fd, &key, &value), 0);
	assert_int_equal(value, 43);
	munmap(page, 4096);
	assert_int_equal(ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, map_fd, 0)), -EINVAL);
	assert_int_equal(ERR(mmap(NULL, 4096, PROT_EXEC, MAP_SHARED, map_fd, 0)), -EPERM);
	assert_int_equal(ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, map_fd, 1 << 20)), -EINVAL);
	assert_int_equal(ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, hash, 0)), -ENOTSUPP);
	assert_int_equal(ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, 9999, 0)), -EBADF);
	close(hash);
}

/* The size of what is behind a descriptor is no concern of its holder. */
static void test_size(void **state)
{
	int read_only = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_RDONLY);
	uint32_t key = 1;
	uint64_t value = 42;
	char path[64];

	errno = 77;
	assert_int_equal(posix_fallocate(map_fd, 0, 4096), ENODEV);
	assert_int_equal(posix_fallocate64(read_only, 0, 4096), EBADF);
	assert_int_equal(posix_fallocate(map_fd, 0, 0), EINVAL);
	assert_int_equal(errno, 77);
	assert_int_equal(ERR(ftruncate(map_fd, 0)), -EINVAL);
	assert_int_equal(ERR(ftruncate64(map_fd, 1 << 20)), -EINVAL);
	assert_int_equal(ERR(ftruncate(read_only, 0)), -EINVAL);
	assert_int_equal(ERR(fallocate(map_fd, 0, 0, 4096)), -ENODEV);
	assert_int_equal(ERR(fallocate64(map_fd, FALLOC_FL_KEEP_SIZE, 0, 4096)), -ENODEV);
	assert_int_equal(ERR(fallocate(map_fd, FALLOC_FL_PUNCH_HOLE, 0, 4096)), -EOPNOTSUPP);
	assert_int_equal(ERR(fallocate(map_fd, 0, -1, 4096)), -EINVAL);
	assert_int_equal(ERR(fallocate(read_only, 0, 0, 4096)), -EBADF);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", map_fd);
	assert_int_equal(ERR(truncate(path, 0)), -EINVAL);
	assert_int_equal(ERR(open(path, O_RDWR | O_TRUNC)), -ENXIO);
	assert_int_equal(ERR(open(path, O_RDONLY)), -ENXIO);
	assert_int_equal(map_update(map_fd, &key, &value, 0), 0);
	assert_int_equal(map_lookup(map_fd, &key, &value), 0);
	assert_int_equal(ERR(ftruncate(-1, 0)), -EBADF);
	assert_int_equal(ERR(fallocate(-1, 0, 0, 1)), -EBADF);
	close(read_only);
}

static void test_epoll(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u64 = 77}, out = {0};
	int epoll = epoll_create1(EPOLL_CLOEXEC), copy = dup(map_fd);

	assert_int_equal(ERR(epoll_ctl(epoll, EPOLL_CTL_MOD, map_fd, &event)), -ENOENT);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, map_fd, &event), 0);
	assert_int_equal(ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, map_fd, &event)), -EEXIST);
	assert_int_equal(epoll_wait(epoll, &out, 1, 0), 1);
	assert_int_equal(out.events, EPOLLERR);
	assert_int_equal(out.data.u64, 77);
	event.data.u64 = 78;
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_MOD, map_fd, &event), 0);
	assert_int_equal(epoll_wait(epoll, &out, 1, 0), 1);
	assert_int_equal(out.data.u64, 78);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event), 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_DEL, copy, NULL), 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_DEL, map_fd, NULL), 0);
	assert_int_equal(ERR(epoll_ctl(epoll, EPOLL_CTL_DEL, map_fd, NULL)), -ENOENT);
	assert_int_equal(epoll_wait(epoll, &out, 1, 0), 0);
	assert_int_equal(ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, map_fd, NULL)), -EFAULT);
	assert_int_equal(ERR(epoll_ctl(epoll, 99, map_fd, &event)), -EINVAL);
	close(copy);
	copy = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* an ordinary file still cannot */
	assert_int_equal(ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event)), -EPERM);
	close(copy);
	close(epoll);
}

static void test_epoll_many(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};

	for (int i = 0; i < 200; i++) {
		int epoll = epoll_create1(EPOLL_CLOEXEC);
		int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);

		assert_int_equal(ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)), 0);
		close(fd);
		close(epoll);
	}
}

/* Paths. */

static void test_statfs(void **state)
{
	struct statfs fs;
	struct statfs64 fs64;
	int dir = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(statfs(BPFFS, &fs), 0);
	assert_int_equal((unsigned)fs.f_type, BPF_FS_MAGIC);
	assert_int_equal(statfs64(DIR_PATH, &fs64), 0);
	assert_int_equal((unsigned)fs64.f_type, BPF_FS_MAGIC);
	assert_int_equal(statfs(PIN, &fs), 0);
	assert_int_equal((unsigned)fs.f_type, BPF_FS_MAGIC);
	assert_int_equal(fstatfs(dir, &fs), 0);
	assert_int_equal((unsigned)fs.f_type, BPF_FS_MAGIC);
	assert_int_equal(ERR(statfs(BPFFS "/none", &fs)), -ENOENT);
	assert_int_equal(statfs("/proc", &fs), 0);
	assert_int_equal((unsigned)fs.f_type, PROC_SUPER_MAGIC);
	close(dir);
}

static void test_stat(void **state)
{
	struct statx stx;
	struct stat st;

	assert_int_equal(stat(PIN, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(lstat(PIN, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(fstatat(AT_FDCWD, DIR_PATH, &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(statx(AT_FDCWD, PIN, 0, STATX_BASIC_STATS, &stx), 0);
	assert_int_equal(stx.stx_size, 0);
	assert_int_equal(ERR(stat(BPFFS "/none", &st)), -ENOENT);
	assert_int_equal(ERR(stat(BPFFS "/a.b", &st)), -EPERM);
	assert_int_equal(access(PIN, R_OK | W_OK), 0);
	assert_int_equal(ERR(access(BPFFS "/none", F_OK)), -ENOENT);
	assert_int_equal(faccessat(AT_FDCWD, PIN, F_OK, 0), 0);
}

static void test_open(void **state)
{
	assert_int_equal(ERR(open(PIN, O_RDWR)), -EIO);
	assert_int_equal(ERR(open(PIN, O_WRONLY | O_TRUNC)), -EIO);
	assert_int_equal(ERR(openat(AT_FDCWD, PIN, O_CREAT | O_RDWR, 0600)), -EIO);
	assert_int_equal(ERR(open(PIN, O_CREAT | O_EXCL | O_RDWR, 0600)), -EEXIST);
	assert_int_equal(ERR(open(PIN, O_RDONLY | O_DIRECTORY)), -ENOTDIR);
	assert_int_equal(ERR(open(DIR_PATH "/new", O_RDONLY)), -ENOENT);
	assert_int_equal(ERR(creat(DIR_PATH "/new", 0600)), -EACCES);
	assert_int_equal(ERR(open(BPFFS "/none/new", O_CREAT | O_RDWR, 0600)), -ENOENT);
	assert_int_equal(ERR(open(DIR_PATH, O_CREAT | O_RDWR, 0600)), -EISDIR);
	assert_int_equal(ERR(open(DIR_PATH, O_TMPFILE | O_RDWR, 0600)), -EOPNOTSUPP);
	assert_null(fopen(PIN, "r"));
	assert_int_equal(errno, EIO);
	assert_int_equal(close(get_pin(PIN)), 0); /* and it is unharmed */
}

static void test_directories(void **state)
{
	struct dirent *entry;
	unsigned found = 0;
	DIR *dir;

	assert_int_equal(mkdir(DIR_PATH "/sub", 0700), 0);
	assert_int_equal(ERR(mkdir(DIR_PATH "/sub", 0700)), -EEXIST);
	assert_int_equal(ERR(mkdir(DIR_PATH "/a.b", 0700)), -EPERM);
	assert_int_equal(pin(map_fd, DIR_PATH "/sub/pin"), 0);
	assert_int_equal(ERR(rmdir(DIR_PATH "/sub")), -ENOTEMPTY);
	dir = opendir(DIR_PATH);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		found += !strcmp(entry->d_name, "pin") && entry->d_type == DT_REG;
		found += !strcmp(entry->d_name, "sub") && entry->d_type == DT_DIR;
	}
	assert_int_equal(found, 2);
	assert_int_equal(unlinkat(dirfd(dir), "sub/pin", 0), 0);
	closedir(dir);
	assert_int_equal(rmdir(DIR_PATH "/sub"), 0);
	assert_int_equal(ERR(rmdir(BPFFS)), -EBUSY);
	assert_int_equal(ERR(rename(BPFFS, BPFFS "/moved")), -EXDEV);
	assert_int_equal(mkdirat(AT_FDCWD, DIR_PATH "/sub", 0700), 0);
	assert_int_equal(unlinkat(AT_FDCWD, DIR_PATH "/sub", AT_REMOVEDIR), 0);
}

static void test_names(void **state)
{
	char target[64] = "", *real;
	int fd;

	assert_int_equal(rename(PIN, DIR_PATH "/moved"), 0);
	assert_int_equal(get_pin(PIN), -ENOENT);
	assert_int_equal(renameat(AT_FDCWD, DIR_PATH "/moved", AT_FDCWD, PIN), 0);
	assert_int_equal(link(PIN, DIR_PATH "/second"), 0);
	fd = get_pin(DIR_PATH "/second");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(DIR_PATH "/second"), 0);
	assert_int_equal(ERR(unlink(DIR_PATH "/second")), -ENOENT);
	assert_int_equal(symlink(PIN, DIR_PATH "/soft"), 0);
	assert_int_equal(readlink(DIR_PATH "/soft", target, sizeof(target)), strlen(PIN));
	assert_string_equal(target, PIN);
	fd = get_pin(DIR_PATH "/soft");
	assert_true(fd >= 0);
	close(fd);
	real = realpath(DIR_PATH "/soft", NULL);
	assert_string_equal(real, PIN);
	free(real);
	assert_int_equal(remove(DIR_PATH "/soft"), 0);
	assert_int_equal(ERR(rename(PIN, "/tmp/userbpf-test-pin")), -EXDEV);
	assert_int_equal(ERR(link("/proc/version", DIR_PATH "/version")), -EXDEV);
	assert_int_equal(ERR(link(PIN, DIR_PATH "/a.b")), -EPERM);
}

static void test_relative(void **state)
{
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	assert_int_equal(chdir(DIR_PATH), 0);
	assert_int_equal(stat("pin", &st), 0);
	assert_int_equal(statfs(".", &fs), 0);
	assert_int_equal((unsigned)fs.f_type, BPF_FS_MAGIC);
	assert_int_equal(pin(map_fd, "relative"), 0);
	assert_int_equal(fchdir(back), 0);
	assert_int_equal(access(DIR_PATH "/relative", F_OK), 0);
	assert_int_equal(unlink(DIR_PATH "//./relative"), 0);
	close(back);
}

static int visits;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	visits += !strcmp(path, DIR_PATH) && type == FTW_D && !strcmp(path + ftw->base, "preload");
	visits += !strcmp(path, PIN) && type == FTW_F && !strcmp(path + ftw->base, "pin");
	return 0;
}

static int visit_plainly(const char *path, const struct stat *st, int type)
{
	visits += !strcmp(path, PIN) && type == FTW_F;
	return 0;
}

static void test_walk(void **state)
{
	struct dirent **list;

	visits = 0;
	assert_int_equal(nftw(DIR_PATH, visit, 8, FTW_PHYS), 0);
	assert_int_equal(visits, 2);
	assert_int_equal(ftw(DIR_PATH, visit_plainly, 8), 0);
	assert_int_equal(visits, 3);
	assert_int_equal(scandir(DIR_PATH, &list, NULL, alphasort), 3);
	assert_string_equal(list[2]->d_name, "pin");
	for (int i = 0; i < 3; i++)
		free(list[i]);
	free(list);
}

static void test_mount_table(void **state)
{
	FILE *file = setmntent("/proc/mounts", "r");
	struct mntent *entry;
	int found = 0;

	assert_non_null(file);
	while ((entry = getmntent(file)))
		found += !strcmp(entry->mnt_dir, BPFFS) && !strcmp(entry->mnt_type, "bpf");
	endmntent(file);
	assert_int_equal(found, 1);
}

/* What has nothing to do with bpf. */
static void test_other_files(void **state)
{
	char dir[] = "/tmp/userbpf-test-XXXXXX", path[64], moved[64], text[8] = "";
	struct stat st;
	FILE *file;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.b", dir);
	snprintf(moved, sizeof(moved), "%s/sys", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mode & 0777 & ~0640, 0);
	assert_int_equal(truncate(path, 2), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(posix_fallocate(fd, 0, 8), 0);
	assert_int_equal(ftruncate(fd, 3), 0);
	close(fd);
	assert_int_equal(rename(path, moved), 0);
	file = fopen(moved, "r");
	assert_string_equal(fgets(text, sizeof(text), file), "he");
	fclose(file);
	assert_int_equal(unlink(moved), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(ERR(open("/sys/fs/bpfx", O_RDONLY)), -ENOENT);
	assert_int_equal(access("/sys/fs", X_OK), 0);
	assert_int_equal(ERR(access(nowhere, F_OK)), -EFAULT);
	assert_int_equal(ERR(syscall(SYS_openat, AT_FDCWD, NULL, O_RDONLY)), -EFAULT);
}

/* 0 when /sys/fs/bpf is served, or after a bpffs was mounted there for this process alone. */
static int provide_bpffs(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload && strstr(preload, "userbpf"))
		return 0;
	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	while (!umount2(BPFFS, MNT_DETACH)) /* the table shall have one */
		;
	return mount("bpf", BPFFS, "bpf", 0, "mode=0700");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_syscall_passes_on),
		CASE(test_errno),
		CASE(test_fd_links),
		CASE(test_fdinfo),
		CASE(test_mmap),
		CASE(test_size),
		CASE(test_epoll),
		CASE(test_epoll_many),
		CASE(test_statfs),
		CASE(test_stat),
		CASE(test_open),
		CASE(test_directories),
		CASE(test_names),
		CASE(test_relative),
		CASE(test_walk),
		CASE(test_mount_table),
		CASE(test_other_files),
	};

	require_bpf();
	if (provide_bpffs()) {
		printf("1..0 # SKIP no bpffs can be mounted here\n");
		return 0;
	}
	return run_tests(tests);
}
