/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_realm.c: the realm directory. A process opens one realm for good, so each case runs in a
 * child of its own, which ends with the line number of what failed.
 */
#include "object/realm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "bpf_test.h"
#include "unit/realm_cases.h"

static bool exists_in_realm(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", realm, name);
	return access(path, F_OK) == 0;
}

static void opens(void)
{
	struct stat st;

	CHECK(!strcmp(realm_path(), ""));
	CHECK(realm_open() == 0);
	CHECK(realm_open() == 0);
	CHECK(!strcmp(realm_path(), realm));
	CHECK(realm_dir() >= 3);
	CHECK(exists_in_realm("state") && exists_in_realm("fs") && exists_in_realm("refs"));
	CHECK(!stat(realm, &st) && (st.st_mode & 0777) == 0700);
}

static void test_open(void **state)
{
	IN_CHILD(opens());
	IN_CHILD(opens());
}

static void creates_base(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/new", base);
	setenv("USERBPF_DIR", path, 1);
	CHECK(realm_open() == 0);
}

static void does_not_create_parents(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/missing/new", base);
	setenv("USERBPF_DIR", path, 1);
	CHECK(realm_open() == -ENOENT);
	CHECK(!strcmp(realm_path(), ""));
}

static void test_base(void **state)
{
	IN_CHILD(creates_base());
	IN_CHILD(does_not_create_parents());
}

static void checks_names(void)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {
		{"a", 0},       {"A-b_c.9", 0},   {"..", -EINVAL},
		{".", -EINVAL}, {".x", -EINVAL},  {"a/b", -EINVAL},
		{"/", -EINVAL}, {"a b", -EINVAL}, {"\xc3\xa9", -EINVAL},
	};
	char long_name[300];
	int status;
	pid_t pid;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid = fork();
		if (!pid) {
			setenv("USERBPF_REALM", cases[i].name, 1);
			CHECK(realm_open() == cases[i].err);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		CHECK(status == 0);
	}
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	setenv("USERBPF_REALM", long_name, 1);
	CHECK(realm_open() == -EINVAL);
}

static void test_names(void **state)
{
	IN_CHILD(checks_names());
}

static void open_to_others(void)
{
	chmod(base, 0755);
	CHECK(realm_open() == -EPERM);
	chmod(base, 0700);
	CHECK(realm_open() == -EPERM); /* remembered */
}

static void realm_open_to_others(void)
{
	mkdir(realm, 0700);
	chmod(realm, 0701);
	CHECK(realm_open() == -EPERM);
	CHECK(!exists_in_realm("state"));
}

static void owned_by_another(void)
{
	if (chown(base, 12345, 12345))
		_exit(SKIPPED);
	CHECK(realm_open() == -EPERM);
}

static void symbolic_link(void)
{
	char link[80];

	snprintf(link, sizeof(link), "%s/link", base);
	CHECK(!symlink("/tmp", link));
	setenv("USERBPF_DIR", link, 1);
	CHECK(realm_open() == -EPERM);
}

static void realm_is_a_link(void)
{
	CHECK(!symlink("/tmp", realm));
	CHECK(realm_open() == -EPERM);
}

static void base_is_a_file(void)
{
	setenv("USERBPF_DIR", "/dev/null", 1);
	CHECK(realm_open() == -EPERM);
}

static void test_not_ours_alone(void **state)
{
	IN_CHILD(open_to_others());
	IN_CHILD(symbolic_link());
	IN_CHILD(base_is_a_file());
	IN_CHILD(realm_is_a_link());
	assert_int_equal(unlink(realm), 0);
	IN_CHILD(realm_open_to_others());
}

static void test_another_user(void **state)
{
	IN_CHILD(owned_by_another());
}

static void unprivileged(void)
{
	if (getuid() || setuid(65534))
		_exit(SKIPPED);
	CHECK(realm_open() == -EPERM); /* root's */
}

static void unprivileged_own(void)
{
	char path[96];

	snprintf(path, sizeof(path), "/dev/shm/userbpf-test-realm-%d", getpid());
	if (setuid(65534))
		_exit(SKIPPED);
	setenv("USERBPF_DIR", path, 1);
	CHECK(realm_open() == 0);
	CHECK(nftw(path, remove_path, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void test_unprivileged(void **state)
{
	IN_CHILD(unprivileged());
	IN_CHILD(unprivileged_own());
}

/* In place of the state file. */
static void put_state(const void *bytes, size_t len, off_t size)
{
	char path[128];
	int fd;

	mkdir(realm, 0700);
	snprintf(path, sizeof(path), "%s/state", realm);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	CHECK(write(fd, bytes, len) == (ssize_t)len && ftruncate(fd, size) == 0);
	close(fd);
}

static void refuses_state(void)
{
	CHECK(realm_open() == -EINVAL);
	CHECK(!strcmp(realm_path(), ""));
}

static void good_state(void)
{
	CHECK(realm_open() == 0);
}

static void test_spoilt_state(void **state)
{
	const off_t whole = ROUND_UP(sizeof(struct realm_state), (size_t)PAGE_BYTES);
	char path[128];

	put_state("", 0, 0);
	IN_CHILD(refuses_state());
	put_state("garbage", 7, 7);
	IN_CHILD(refuses_state());
	put_state("garbage", 7, whole);
	IN_CHILD(refuses_state());
	put_state("garbage", 7, 1ll << 40);
	IN_CHILD(refuses_state());
	snprintf(path, sizeof(path), "%s/state", realm);
	unlink(path);
	IN_CHILD(good_state());
	assert_int_equal(truncate(path, whole - PAGE_BYTES), 0);
	IN_CHILD(refuses_state());
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	IN_CHILD(refuses_state());
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	IN_CHILD(refuses_state());
	rmdir(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	IN_CHILD(refuses_state());
}

/* All processes that come at once see one complete state. */
static void counts_once(void)
{
	CHECK(realm_open() == 0);
	atomic_add(&realm_state()->next_id[1], 1);
}

static void test_open_at_once(void **state)
{
	pid_t pids[16];
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (!pids[i]) {
			counts_once();
			_exit(0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	if (!fork()) {
		CHECK(realm_open() == 0);
		CHECK(realm_state()->next_id[1] == ARRAY_SIZE(pids));
		_exit(0);
	}
	wait(&status);
	assert_int_equal(status, 0);
}

/* An application may close everything, and even put something else in the place. */
static void loses_descriptors(void)
{
	struct stat st;
	int dir;

	CHECK(realm_open() == 0);
	dir = realm_dir();
	CHECK(dir >= 0);
	CHECK(close_range(3, ~0u, 0) == 0);
	CHECK(realm_dir() >= 0);
	dir = realm_dir();
	CHECK(dup2(1, dir) == dir);
	dir = realm_dir();
	CHECK(dir >= 0 && !fstat(dir, &st) && S_ISDIR(st.st_mode));
	CHECK(fcntl(dir, F_GETFD) == FD_CLOEXEC);
}

static void runs_out_of_descriptors(void)
{
	const struct rlimit none = {3, 64}, some = {64, 64};

	close_range(3, ~0u, 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(realm_open() == -EMFILE);
	CHECK(setrlimit(RLIMIT_NOFILE, &some) == 0);
	CHECK(realm_open() == 0); /* that was no refusal */
	close_range(3, ~0u, 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(realm_dir() == -EMFILE);
	CHECK(realm_lock(true) == -EMFILE);
}

static void test_descriptors(void **state)
{
	IN_CHILD(loses_descriptors());
	IN_CHILD(runs_out_of_descriptors());
}

static void locks(void)
{
	pid_t pid;
	int a, b;

	CHECK(realm_open() == 0);
	a = realm_lock(false);
	b = realm_lock(false);
	CHECK(a >= 0 && b >= 0 && a != b);
	CHECK(realm_lock(true) == -EAGAIN); /* gives up after a second */
	realm_unlock(a);
	realm_unlock(b);
	a = realm_lock(true);
	CHECK(a >= 0);
	pid = fork();
	while (!pid) /* inherits the description, not the lock */
		pause();
	realm_unlock(a);
	a = realm_lock(true);
	CHECK(a >= 0);
	realm_unlock(a);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_lock(void **state)
{
	IN_CHILD(locks());
}

static void translates(void)
{
	static const struct {
		const char *path, *below; /* below "<realm>/fs"; NULL: unchanged */
	} cases[] = {
		{"/sys/fs/bpf", ""},
		{"/sys/fs/bpf/", "/"},
		{"/sys/fs/bpf/a/b", "/a/b"},
		{"/sys/fs/bpf/a/b/", "/a/b/"},
		{"//sys///fs/bpf//a", "/a"},
		{"/sys/./fs/bpf/./a/.", "/a"},
		{"/sys/fs/bpf/a/../b", "/b"},
		{"/sys/fs/bpf/../bpf/b", "/b"},
		{"/tmp/../sys/fs/bpf/x", "/x"},
		{"/../../sys/fs/bpf/x", "/x"},
		{"/sys/fs/bpf/a.b", "/a.b"},
		{"/sys/fs/bpf/..", NULL},
		{"/sys/fs/bpf/../../../etc/passwd", NULL},
		{"/sys/fs/bpfx", NULL},
		{"/sys/fs/bp", NULL},
		{"/sys/fs", NULL},
		{"/", NULL},
		{"", NULL},
		{"sys/fs/bpf/a", NULL},
		{"relative", NULL},
	};
	char out[256], expected[256], small[16], deep[8192];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *result = realm_translate(cases[i].path, out, sizeof(out));

		if (!cases[i].below) {
			CHECK(result == cases[i].path);
			continue;
		}
		snprintf(expected, sizeof(expected), "%s/fs%s", realm, cases[i].below);
		if (result != out || strcmp(out, expected))
			fprintf(stderr, "# %s -> %s\n", cases[i].path, result);
		CHECK(result == out && !strcmp(out, expected));
	}
	CHECK(realm_translate(cases[0].path, small, sizeof(small)) == cases[0].path);
	memset(deep, 'x', sizeof(deep));
	memcpy(deep, "/sys/fs/bpf/", 12);
	deep[sizeof(deep) - 1] = 0;
	CHECK(realm_translate(deep, out, sizeof(out)) == deep);
}

static void test_translate(void **state)
{
	IN_CHILD(translates());
}

static void traces(void)
{
	char line[100], path[160];
	struct stat now, old;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (u32 i = 0; i < REALM_TRACE_BYTES / sizeof(line) + 10; i++)
		realm_trace(line, sizeof(line));
	snprintf(path, sizeof(path), "%s/trace", realm);
	CHECK(!stat(path, &now));
	snprintf(path, sizeof(path), "%s/trace.old", realm);
	CHECK(!stat(path, &old));
	CHECK(now.st_size < old.st_size && now.st_size % sizeof(line) == 0);
	CHECK(old.st_size > REALM_TRACE_BYTES && old.st_size <= REALM_TRACE_BYTES + 100);
}

static void test_trace(void **state)
{
	IN_CHILD(traces());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open),           TEST(test_base),         TEST(test_names),
		TEST(test_not_ours_alone), TEST(test_another_user), TEST(test_unprivileged),
		TEST(test_spoilt_state),   TEST(test_open_at_once), TEST(test_descriptors),
		TEST(test_lock),           TEST(test_translate),    TEST(test_trace),
	};

	return run_tests(tests);
}
