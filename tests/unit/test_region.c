/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_region.c: files as memory: what is created can be attached, and nothing else. */
#include "shm/region.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bpf_test.h"

#define KIND 1

static char directory[] = "/dev/shm/userbpf-test-region-XXXXXX";
static int dir;

static int set_up(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int tear_down(void **state)
{
	close(dir);
	return rmdir(directory);
}

static unsigned open_fds(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static s64 blocks_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks * 512;
}

static void test_create_and_attach(void **state)
{
	struct region a, b;
	struct region_stamp stamp;
	int fd;

	assert_int_equal(region_create(dir, KIND, 5000, 100, 0, &a, &fd), 0);
	assert_int_equal(a.data_size, 2 * PAGE_BYTES);
	assert_int_equal(a.size, 4 * PAGE_BYTES);
	assert_true(blocks_of(fd) >= (s64)a.size);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	region_stamp(&a)->id = 77;
	assert_int_equal(region_attach(fd, KIND, &b), 0);
	assert_int_equal(b.size, a.size);
	assert_int_equal(b.data_size, a.data_size);
	strcpy((char *)region_control(&a), "control");
	strcpy((char *)a.base, "data");
	assert_string_equal((char *)region_control(&b), "control");
	assert_string_equal((char *)b.base, "data");
	region_detach(&b);
	assert_int_equal(region_attach(fd, KIND + 1, &b), -EINVAL);
	assert_int_equal(region_attach(fd, 0, &b), 0);
	region_detach(&b);
	assert_int_equal(region_read_stamp(fd, &stamp), 0);
	assert_int_equal(stamp.id, 77);
	assert_int_equal(stamp.kind, KIND);
	region_detach(&a);
	close(fd);
}

/* The mode of the descriptor does not matter, and its lock is not prolonged. */
static void test_attach_is_independent(void **state)
{
	const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};
	struct region region, attached;
	struct region_stamp stamp;
	int fd, other;

	assert_int_equal(region_create(dir, KIND, 0, 1, 0, &region, &fd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		other = region_reopen(fd, modes[i]);
		assert_true(other >= 0);
		assert_int_equal(flock(other, LOCK_SH), 0);
		assert_int_equal(region_read_stamp(other, &stamp), 0);
		assert_int_equal(region_attach(other, KIND, &attached), 0);
		assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
		close(other);
		assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
		assert_int_equal(flock(fd, LOCK_UN), 0);
		*(u8 *)region_control(&attached) = 9;
		region_detach(&attached);
	}
	region_detach(&region);
	close(fd);
}

static void test_sparse(void **state)
{
	const u64 size = 256ull << 20;
	struct region region;
	int fd;

	assert_int_equal(region_create(dir, KIND, 0, size, REGION_SPARSE, &region, &fd), 0);
	assert_true(blocks_of(fd) <= 2 * PAGE_BYTES);
	assert_int_equal(region_populate(&region, 1000, 10 * PAGE_BYTES), 0);
	assert_int_equal(region_populate(&region, 1000, 10 * PAGE_BYTES), 0);
	assert_true(blocks_of(fd) >= 11 * PAGE_BYTES && blocks_of(fd) <= 13 * PAGE_BYTES);
	region.base[1000] = 1;
	assert_int_equal(region_populate(&region, region.size, 1), -ENOMEM);
	assert_int_equal(region_populate(&region, 0, ~0ull), -ENOMEM);
	assert_int_equal(region_populate(&region, 1, ~0ull), -ENOMEM);
	region_detach(&region);
	close(fd);
}

static void test_sizes_refused(void **state)
{
	const struct {
		u64 data, control;
		unsigned flags;
		int err;
	} cases[] = {
		{~0ull, 0, 0, -E2BIG},
		{0, ~0ull, 0, -E2BIG},
		{1ull << 63, 1ull << 63, 0, -E2BIG},
		{~0ull - 4095, PAGE_BYTES, REGION_SPARSE, -E2BIG},
		{1ull << 45, 0, 0, -ENOMEM},
		{0, 1ull << 45, 0, -ENOMEM},
	};
	const unsigned fds = open_fds();
	struct region region;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(region_create(dir, KIND, cases[i].data, cases[i].control,
					       cases[i].flags, &region, &fd),
				 cases[i].err);
	assert_int_equal(open_fds(), fds);
}

static void check_refused(int fd, const char *what)
{
	struct region region;
	struct region_stamp stamp;

	if (region_attach(fd, 0, &region) != -EINVAL)
		fail_msg("attach: %s", what);
	if (region_read_stamp(fd, &stamp) != -EINVAL)
		fail_msg("read_stamp: %s", what);
}

/* Each spoils one thing; the stamp is put right again afterwards. */
static void test_spoilt_stamps(void **state)
{
	static const struct {
		const char *what;
		size_t offset, len;
		u64 value;
	} spoilt[] = {
		{"magic", offsetof(struct region_stamp, magic), 8, 0},
		{"layout", offsetof(struct region_stamp, layout), 4, 1},
		{"kind", offsetof(struct region_stamp, kind), 4, 0x7fffffff},
		{"size", offsetof(struct region_stamp, size), 8, PAGE_BYTES},
		{"huge size", offsetof(struct region_stamp, size), 8, ~0ull},
		{"odd data size", offsetof(struct region_stamp, data_size), 8, 1},
		{"data beyond the file", offsetof(struct region_stamp, data_size), 8, 1ull << 40},
		{"data is all", offsetof(struct region_stamp, data_size), 8, 4 * PAGE_BYTES},
		{"negative data", offsetof(struct region_stamp, data_size), 8, ~0ull << 12},
	};
	struct region_stamp good;
	struct region region;
	int fd;

	assert_int_equal(region_create(dir, KIND, 2 * PAGE_BYTES, 1, 0, &region, &fd), 0);
	good = *region_stamp(&region);
	for (size_t i = 0; i < ARRAY_SIZE(spoilt); i++) {
		memcpy((u8 *)region_stamp(&region) + spoilt[i].offset, &spoilt[i].value,
		       spoilt[i].len);
		check_refused(fd, spoilt[i].what);
		*region_stamp(&region) = good;
	}
	region_set_layout(KIND, 12345);
	check_refused(fd, "another build");
	region_set_layout(KIND, 0);
	assert_int_equal(ftruncate(fd, (off_t)region.size - 1), 0);
	check_refused(fd, "a byte short");
	assert_int_equal(ftruncate(fd, PAGE_BYTES), 0);
	check_refused(fd, "a page left");
	assert_int_equal(ftruncate(fd, 0), 0);
	check_refused(fd, "empty");
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	check_refused(fd, "all holes");
	region_detach(&region);
	close(fd);
}

static void test_foreign_files(void **state)
{
	const char *const paths[] = {"/dev/null", "/dev/zero", "/", "/proc/self/maps",
				     "/proc/self/exe"};
	int fd, fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		check_refused(fd, paths[i]);
		close(fd);
	}
	assert_int_equal(pipe(fds), 0);
	check_refused(fds[0], "pipe");
	close(fds[0]);
	close(fds[1]);
	check_refused(-1, "no descriptor");
}

/* Runs fn in a child whose end is its own; 77 means that the machine does not allow it. */
static int in_child(int (*fn)(void))
{
	const pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int without_descriptors(void)
{
	const struct rlimit none = {3, 3};
	struct region region;
	int fd;

	close_range(3, ~0u, 0);
	dir = open(directory, O_RDONLY | O_DIRECTORY);
	if (setrlimit(RLIMIT_NOFILE, &none))
		return 1;
	if (region_create(dir, KIND, 0, 1, 0, &region, &fd) != -EMFILE)
		return 2;
	return region_attach(dir, KIND, &region) == -EMFILE ? 0 : 3;
}

static void test_no_descriptors(void **state)
{
	assert_int_equal(in_child(without_descriptors), 0);
}

/* All failures must be answers, never SIGBUS; what failed gives its blocks back. */
static int on_small_file_system(void)
{
	struct region region;
	u64 offset = 0;
	int fd;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", directory, "tmpfs", 0, "size=1m"))
		return 77;
	dir = open(directory, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 3; i++)
		if (region_create(dir, KIND, 0, 2 << 20, 0, &region, &fd) != -ENOMEM)
			return 1;
	if (region_create(dir, KIND, 0, 900 << 10, 0, &region, &fd))
		return 2;
	memset(region.base, 1, region.size - PAGE_BYTES);
	region_detach(&region);
	close(fd);
	if (region_create(dir, KIND, 0, 16 << 20, REGION_SPARSE, &region, &fd))
		return 3;
	while (!region_populate(&region, offset, PAGE_BYTES)) {
		memset(region.base + offset, 1, PAGE_BYTES);
		offset += PAGE_BYTES;
	}
	return offset > (512 << 10) && offset < (1 << 20) ? 0 : 4;
}

static void test_full_file_system(void **state)
{
	const int status = in_child(on_small_file_system);

	if (status == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_descriptors(void **state)
{
	char path[PATH_MAX], expected[PATH_MAX];
	int low = open("/dev/null", O_RDWR | O_CLOEXEC), raised = region_raise_fd(low);

	assert_true(raised > 63);
	assert_int_equal(fcntl(low, F_GETFD), -1);
	assert_int_equal(fcntl(raised, F_GETFD), FD_CLOEXEC);
	assert_int_equal(region_fd_path(raised, path, sizeof(path)), strlen("/dev/null"));
	assert_string_equal(path, "/dev/null");
	assert_int_equal(region_fd_path(raised, path, 5), -ENAMETOOLONG);
	close(raised);
	assert_int_equal(region_fd_path(raised, path, sizeof(path)), -ENOENT);
	assert_int_equal(region_reopen(raised, O_RDONLY), -ENOENT);
	assert_int_equal(region_raise_fd(-EMFILE), -EMFILE);
	assert_true(realpath(directory, expected) != NULL);
	assert_true(region_fd_path(dir, path, sizeof(path)) > 0);
	assert_string_equal(path, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_and_attach),
		cmocka_unit_test(test_attach_is_independent),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_sizes_refused),
		cmocka_unit_test(test_spoilt_stamps),
		cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_full_file_system),
		cmocka_unit_test(test_descriptors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
