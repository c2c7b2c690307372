/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* test_objects.c: ids, pins, info and bindings, with the same expectations on kernel and userbpf. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "bpf_test.h"

#define BPFFS "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11

/* Offsets in an attribute that the tests need by number. */
#define ATTR_PATH_FD 16
#define F_PATH_FD (1u << 14)

static const struct bpf_insn return_7[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 7},
	{.code = BPF_JMP | BPF_EXIT},
};

static int load(const struct bpf_insn *insns, unsigned count, const char *name)
{
	union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				   .insns = ptr64(insns),
				   .insn_cnt = count,
				   .license = ptr64("GPL")}};

	strncpy(t.a.prog_name, name, sizeof(t.a.prog_name) - 1);
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static int info_raw(int fd, void *info, uint32_t *len)
{
	union test_attr t = {.a.info = {.bpf_fd = (uint32_t)fd, .info_len = *len, .info = ptr64(info)}};
	int err = (int)bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(t.a.info));

	*len = t.a.info.info_len;
	return err;
}

static uint32_t id_of_map(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	assert_int_equal(info_raw(fd, &info, &len), 0);
	return info.id;
}

static int by_id(int cmd, uint32_t id, uint32_t flags)
{
	union test_attr t = {.a = {.map_id = id, .open_flags = flags}};

	return (int)bpf_sys(cmd, &t, cmd == BPF_PROG_GET_FD_BY_ID ? 4 : 12);
}

static int next_id(int cmd, uint32_t start, uint32_t *next)
{
	union test_attr t = {.a.start_id = start};
	int err = (int)bpf_sys(cmd, &t, sizeof(union bpf_attr));

	*next = t.a.next_id;
	return err;
}

static int pin(int fd, const char *path)
{
	union test_attr t = {.a = {.pathname = ptr64(path), .bpf_fd = (uint32_t)fd}};

	return (int)bpf_sys(BPF_OBJ_PIN, &t, 16);
}

static int get(const char *path, uint32_t flags)
{
	union test_attr t = {.a = {.pathname = ptr64(path), .file_flags = flags}};

	return (int)bpf_sys(BPF_OBJ_GET, &t, 16);
}

/* A machine may have no bpffs mounted; then one is mounted for this process alone. */
static void require_bpffs(void)
{
	struct statfs sfs;

	if (!statfs(BPFFS, &sfs) && (uint32_t)sfs.f_type == BPFFS_MAGIC)
		return;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", BPFFS, "bpf", 0, NULL))
		skip();
}

/* A path below bpffs that no other run of the test uses. */
static const char *pin_path(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), BPFFS "/userbpf-test-%d-%s", getpid(), name);
	return out;
}

static void map_info_fields(void **state)
{
	union test_attr t = {.a = {.map_type = BPF_MAP_TYPE_HASH,
				   .key_size = 4,
				   .value_size = 12,
				   .max_entries = 9,
				   .map_flags = BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG | BPF_F_RDONLY,
				   .map_name = "some.name_1"}};
	int fd = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(info_raw(fd, &info, &len), 0);
	assert_int_equal(len, sizeof(info));
	assert_int_equal(info.type, BPF_MAP_TYPE_HASH);
	assert_true(info.id > 0);
	assert_int_equal(info.key_size, 4);
	assert_int_equal(info.value_size, 12);
	assert_int_equal(info.max_entries, 9);
	assert_int_equal(info.map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	assert_string_equal(info.name, "some.name_1");
	assert_int_equal(info.btf_id, 0);
	close(fd);
}

static void map_info_lengths(void **state)
{
	unsigned char buffer[5000] = {0};
	static const struct {
		uint32_t len, tail_at; /* tail_at: a byte of the input that is not zero */
		int err;
		uint32_t out;
	} cases[] = {
		{0, 0, 0, 0},
		{6, 0, 0, 6},
		{104, 0, 0, 104},
		{200, 0, 0, 104},
		{4096, 0, 0, 104},
		{4097, 0, -E2BIG, 4097},
		{200, 199, -E2BIG, 200},
		{104, 101, -E2BIG, 104},
		{50, 199, 0, 50},
	};
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t len = cases[i].len;

		memset(buffer, 0, sizeof(buffer));
		buffer[cases[i].tail_at] = cases[i].tail_at != 0;
		assert_int_equal(info_raw(fd, buffer, &len), cases[i].err);
		assert_int_equal(len, cases[i].out);
		if (!cases[i].err && len >= 4)
			assert_int_equal(buffer[0], BPF_MAP_TYPE_ARRAY);
		assert_int_equal(buffer[len < 4999 ? len + 1 : 4999] & 0xfe, 0);
	}
	assert_int_equal(info_raw(fd, NULL, &(uint32_t){0}), 0);
	assert_int_equal(info_raw(fd, NULL, &(uint32_t){80}), -EFAULT);
	close(fd);
}

static void info_of_what_is_no_object(void **state)
{
	char buffer[256] = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(info_raw(fds[0], buffer, &(uint32_t){80}), -EINVAL);
	assert_int_equal(info_raw(999, buffer, &(uint32_t){80}), -EBADFD);
	close(fds[0]);
	close(fds[1]);
}

static void frozen_array_hash(void **state)
{
	static const unsigned char zeros_hash[4] = {0xaf, 0x55, 0x70, 0xf5};
	unsigned char info[104] = {0}, digest[32] = {0};
	uint64_t to = ptr64(digest);
	uint32_t size = 32, key = 0;
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);

	(void)state;
	memcpy(info + 88, &to, 8);
	memcpy(info + 96, &size, 4);
	assert_int_equal(info_raw(fd, info, &(uint32_t){100}), -EPERM);
	assert_int_equal(map_elem(BPF_MAP_FREEZE, fd, NULL, NULL, 0), 0);
	memset(info, 0, sizeof(info));
	memcpy(info + 88, &to, 8);
	assert_int_equal(info_raw(fd, info, &(uint32_t){100}), -EINVAL);
	memset(info, 0, sizeof(info));
	memcpy(info + 96, &size, 4);
	assert_int_equal(info_raw(fd, info, &(uint32_t){100}), -EINVAL);
	memcpy(info + 88, &to, 8);
	assert_int_equal(info_raw(fd, info, &(uint32_t){100}), 0);
	assert_memory_equal(digest, zeros_hash, sizeof(zeros_hash));
	assert_int_equal(map_update(fd, &key, digest, 0), -EPERM);
	close(fd);
}

static void prog_info_fields(void **state)
{
	struct bpf_prog_info info = {0};
	struct bpf_insn insns[4] = {0};
	uint32_t len = sizeof(info);
	int fd = load(return_7, 2, "seven");

	(void)state;
	assert_true(fd >= 0);
	info.xlated_prog_insns = ptr64(insns);
	info.xlated_prog_len = sizeof(insns);
	assert_int_equal(info_raw(fd, &info, &len), 0);
	assert_int_equal(len, sizeof(info));
	assert_int_equal(info.type, BPF_PROG_TYPE_SOCKET_FILTER);
	assert_true(info.id > 0);
	assert_string_equal(info.name, "seven");
	assert_int_equal(info.xlated_prog_len, sizeof(return_7));
	assert_memory_equal(insns, return_7, sizeof(return_7));
	assert_int_equal(info.gpl_compatible, 1);
	assert_int_equal(info.created_by_uid, geteuid());
	assert_int_equal(info.nr_map_ids, 0);
	assert_int_equal(info.nr_prog_tags, 1);
	assert_int_equal(info.func_info_rec_size, 8);
	assert_int_equal(info.line_info_rec_size, 16);
	assert_int_equal(info.verified_insns, 2);
	assert_true(info.load_time > 0);
	close(fd);
}

/* Map references come back by id; the tag does not depend on them. */
static void prog_info_maps(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0);
	int other = map_create(BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0);
	unsigned char tags[2][8];

	(void)state;
	for (int i = 0; i < 2; i++) {
		int used = i ? other : map;
		const struct bpf_insn insns[] = {
			{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = 1, .imm = used},
			{0},
			{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .src_reg = 2, .imm = used},
			{.imm = 8},
			{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
			{.code = BPF_JMP | BPF_EXIT},
		};
		int fd = load(insns, 6, "");
		struct bpf_insn out[6] = {0};
		uint32_t ids[2] = {0};
		struct bpf_prog_info info = {.map_ids = ptr64(ids),
					     .nr_map_ids = 2,
					     .xlated_prog_insns = ptr64(out),
					     .xlated_prog_len = sizeof(out)};

		assert_true(fd >= 0);
		assert_int_equal(info_raw(fd, &info, &(uint32_t){sizeof(info)}), 0);
		assert_int_equal(info.nr_map_ids, 1);
		assert_int_equal(ids[0], id_of_map(used));
		assert_int_equal(out[0].imm, ids[0]);
		assert_int_equal(out[0].src_reg, 1);
		assert_int_equal(out[1].imm, 0);
		assert_int_equal(out[2].imm, ids[0]);
		assert_int_equal(out[2].src_reg, 2);
		assert_int_equal(out[3].imm, 8);
		memcpy(tags[i], info.tag, sizeof(tags[i]));
		close(fd);
	}
	assert_memory_equal(tags[0], tags[1], sizeof(tags[0]));
	close(map);
	close(other);
}

/* A program keeps its maps; the id goes with the last reference. */
static void lifetimes(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	uint32_t id = id_of_map(map), key = 0;
	const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = 1, .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int prog = load(insns, 4, "holder"), again, tries = 200;
	uint64_t value = 42;

	(void)state;
	assert_true(prog >= 0);
	assert_int_equal(map_update(map, &key, &value, 0), 0);
	close(map);
	again = by_id(BPF_MAP_GET_FD_BY_ID, id, 0);
	assert_true(again >= 0);
	value = 0;
	assert_int_equal(map_lookup(again, &key, &value), 0);
	assert_int_equal(value, 42);
	close(again);
	close(prog);
	/* The kernel frees programs a little later. */
	while ((again = by_id(BPF_MAP_GET_FD_BY_ID, id, 0)) >= 0 && tries--) {
		close(again);
		usleep(10000);
	}
	assert_int_equal(again, -ENOENT);
}

static void bind_map(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), prog = load(return_7, 2, "binder");
	uint32_t id = id_of_map(map), ids[2] = {0};
	struct bpf_prog_info info = {.map_ids = ptr64(ids), .nr_map_ids = 2};
	union test_attr t = {
		.a.prog_bind_map = {.prog_fd = (uint32_t)prog, .map_fd = (uint32_t)map, .flags = 1}};
	int again;

	(void)state;
	assert_int_equal(bpf_sys(BPF_PROG_BIND_MAP, &t, 12), -EINVAL);
	t.a.prog_bind_map.flags = 0;
	assert_int_equal(bpf_sys(BPF_PROG_BIND_MAP, &t, 12), 0);
	assert_int_equal(bpf_sys(BPF_PROG_BIND_MAP, &t, 12), 0);
	assert_int_equal(info_raw(prog, &info, &(uint32_t){sizeof(info)}), 0);
	assert_int_equal(info.nr_map_ids, 1);
	assert_int_equal(ids[0], id);
	t.a.prog_bind_map.map_fd = (uint32_t)prog;
	assert_int_equal(bpf_sys(BPF_PROG_BIND_MAP, &t, 12), -EINVAL);
	t.a.prog_bind_map.prog_fd = (uint32_t)map;
	assert_int_equal(bpf_sys(BPF_PROG_BIND_MAP, &t, 12), -EINVAL);
	close(map);
	again = by_id(BPF_MAP_GET_FD_BY_ID, id, 0);
	assert_true(again >= 0);
	close(again);
	close(prog);
}

static void ids(void **state)
{
	int a = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	int b = map_create(BPF_MAP_TYPE_HASH, 4, 8, 1, 0), fd;
	uint32_t id_a = id_of_map(a), id_b = id_of_map(b), next, seen = 0;

	(void)state;
	assert_true(id_b > id_a);
	for (uint32_t id = 0; !next_id(BPF_MAP_GET_NEXT_ID, id, &next); id = next) {
		assert_true(next > id);
		seen += next == id_a || next == id_b;
	}
	assert_int_equal(seen, 2);
	assert_int_equal(next_id(BPF_MAP_GET_NEXT_ID, 0x7ffffffe, &next), -ENOENT);
	assert_int_equal(next_id(BPF_MAP_GET_NEXT_ID, 0x7fffffff, &next), -EINVAL);
	assert_int_equal(by_id(BPF_MAP_GET_FD_BY_ID, 0, 0), -ENOENT);
	assert_int_equal(by_id(BPF_MAP_GET_FD_BY_ID, 0xffffffff, 0), -ENOENT);
	assert_int_equal(by_id(BPF_PROG_GET_FD_BY_ID, 0xffffffff, 0), -ENOENT);
	assert_int_equal(by_id(BPF_MAP_GET_FD_BY_ID, id_a, BPF_F_RDONLY | BPF_F_WRONLY), -EINVAL);
	assert_int_equal(by_id(BPF_MAP_GET_FD_BY_ID, id_a, 1), -EINVAL);
	fd = by_id(BPF_MAP_GET_FD_BY_ID, id_a, BPF_F_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(map_update(fd, &(uint32_t){0}, &(uint64_t){1}, 0), -EPERM);
	close(fd);
	close(b);
	assert_int_equal(by_id(BPF_MAP_GET_FD_BY_ID, id_b, 0), -ENOENT);
	close(a);
}

static void pin_and_get(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), fd;
	const char *path = pin_path("map"), *moved = pin_path("moved");
	uint32_t key = 0, id = id_of_map(map);
	uint64_t value = 77;
	struct statfs sfs;
	struct stat st;

	(void)state;
	require_bpffs();
	assert_int_equal(statfs(BPFFS, &sfs), 0);
	assert_int_equal((uint32_t)sfs.f_type, BPFFS_MAGIC);
	assert_int_equal(map_update(map, &key, &value, 0), 0);
	assert_int_equal(pin(map, path), 0);
	assert_int_equal(pin(map, path), -EEXIST);
	close(map);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(get(path, 0), -ENOENT);
	assert_int_equal(get(moved, BPF_F_RDONLY | BPF_F_WRONLY), -EINVAL);
	fd = get(moved, BPF_F_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(id_of_map(fd), id);
	value = 0;
	assert_int_equal(map_lookup(fd, &key, &value), 0);
	assert_int_equal(value, 77);
	assert_int_equal(map_update(fd, &key, &value, 0), -EPERM);
	close(fd);
	assert_int_equal(unlink(moved), 0);
	assert_int_equal(by_id(BPF_MAP_GET_FD_BY_ID, id, 0), -ENOENT);
}

static void pin_errors(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), fds[2], prog = load(return_7, 2, "p");
	const char *path = pin_path("err"), *dir = pin_path("dir");
	char inside[200];
	union test_attr t = {.a = {.pathname = ptr64(path), .bpf_fd = (uint32_t)map}};

	(void)state;
	require_bpffs();
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pin(map, NULL), -EFAULT);
	assert_int_equal(pin(map, ""), -ENOENT);
	assert_int_equal(pin(map, BPFFS "/none/at/all"), -ENOENT);
	assert_int_equal(pin(map, "/tmp/userbpf-not-bpffs"), -EPERM);
	assert_int_equal(pin(map, BPFFS "/a.b"), -EPERM);
	assert_int_equal(pin(fds[0], path), -EINVAL);
	assert_int_equal(pin(999, path), -EINVAL);
	t.a.file_flags = 1;
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &t, 16), -EINVAL);
	t.a.file_flags = 0;
	t.bytes[ATTR_PATH_FD] = 1;
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &t, 20), -EINVAL);
	assert_int_equal(get(NULL, 0), -EFAULT);
	assert_int_equal(get(path, 0), -ENOENT);
	assert_int_equal(get(BPFFS, 0), -EACCES);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(inside, sizeof(inside), "%s/prog", dir);
	assert_int_equal(pin(prog, inside), 0);
	assert_int_equal(rmdir(dir), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_true(get(inside, 0) >= 0);
	assert_int_equal(unlink(inside), 0);
	assert_int_equal(rmdir(dir), 0);
	close(map);
	close(prog);
	close(fds[0]);
	close(fds[1]);
}

static void pin_relative_to_directory(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), dir;
	const char *path = pin_path("reldir");
	union test_attr t = {.a = {.pathname = ptr64("leaf"), .bpf_fd = (uint32_t)map,
				   .file_flags = F_PATH_FD}};
	int fd;

	(void)state;
	require_bpffs();
	assert_int_equal(mkdir(path, 0700), 0);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	memcpy(t.bytes + ATTR_PATH_FD, &(int){-1}, 4);
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &t, 20), -EBADF);
	memcpy(t.bytes + ATTR_PATH_FD, &map, 4);
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &t, 20), -ENOTDIR);
	memcpy(t.bytes + ATTR_PATH_FD, &dir, 4);
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &t, 20), 0);
	t.a.bpf_fd = 0;
	fd = (int)bpf_sys(BPF_OBJ_GET, &t, 20);
	assert_true(fd >= 0);
	assert_int_equal(id_of_map(fd), id_of_map(map));
	assert_int_equal(unlinkat(dir, "leaf", 0), 0);
	assert_int_equal(rmdir(path), 0);
	close(fd);
	close(dir);
	close(map);
}

static void descriptor_names(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), prog = load(return_7, 2, "p");
	char path[64], name[64] = {0};

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", map);
	assert_true(readlink(path, name, sizeof(name) - 1) > 0);
	assert_string_equal(name, "anon_inode:bpf-map");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", prog);
	memset(name, 0, sizeof(name));
	assert_true(readlink(path, name, sizeof(name) - 1) > 0);
	assert_string_equal(name, "anon_inode:bpf-prog");
	close(map);
	close(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_info_fields),
		cmocka_unit_test(map_info_lengths),
		cmocka_unit_test(info_of_what_is_no_object),
		cmocka_unit_test(frozen_array_hash),
		cmocka_unit_test(prog_info_fields),
		cmocka_unit_test(prog_info_maps),
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(bind_map),
		cmocka_unit_test(ids),
		cmocka_unit_test(pin_and_get),
		cmocka_unit_test(pin_errors),
		cmocka_unit_test(pin_relative_to_directory),
		cmocka_unit_test(descriptor_names),
	};

	require_bpf();
	return run_tests(tests);
}
