/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_kfunc.c: kernel functions, called by programs that clang compiled and libbpf loaded
 * (kfunc.bpf.c), and what PROG_LOAD says of calls that are not allowed.
 */
#include "run.h"

#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "kfunc.skel.h"

static struct kfunc *skel;

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static int run_fd(int fd)
{
	static const char packet[256];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = 64, .repeat = 1);
	int err = bpf_prog_test_run_opts(fd, &opts);

	return err ? err : (int)opts.retval;
}

static int answer_of(const char *name)
{
	const struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);

	assert_non_null(prog);
	return run_fd(bpf_program__fd(prog));
}

static void load_all(void **state)
{
	skel = kfunc__open_and_load();
	assert_non_null(skel);
	memset(skel->bss->long_text, 'a', sizeof(skel->bss->long_text));
}

static void answers(void **state)
{
	static const struct {
		const char *name;
		int answer;
	} rows[] = {
		{"sections", 1},
		{"strcmp_less", -1},
		{"strcmp_more", 1},
		{"strcmp_equal", 0},
		{"strcasecmp_equal", 0},
		{"strcasecmp_more", 1},
		{"strchr_found", 4},
		{"strchr_end", 17},
		{"strchr_absent", -ENOENT},
		{"strchr_endless", -E2BIG},
		{"strchrnul_absent", 17},
		{"strnchr_short", -ENOENT},
		{"strnchr_found", 4},
		{"strrchr_found", 14},
		{"strlen_text", 17},
		{"strlen_endless", -E2BIG},
		{"strnlen_short", 4},
		{"strnlen_long", 17},
		{"strnlen_endless", -E2BIG},
		{"strlen_nowhere", -ERANGE},
		{"strspn_some", 6},
		{"strspn_none", 0},
		{"strcspn_some", 5},
		{"strcspn_all", 17},
		{"strstr_found", 4},
		{"strstr_absent", -ENOENT},
		{"strstr_empty", 0},
		{"strnstr_found", 4},
		{"strnstr_short", -ENOENT},
		{"iterate_twice", 50042160},
	};

	skel->bss->where = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int answer = answer_of(rows[i].name);

		if (answer != rows[i].answer)
			fail_msg("%s: %d instead of %d", rows[i].name, answer, rows[i].answer);
	}
}

static void iterate(void **state)
{
	static const struct {
		int from, to, sum, count;
	} rows[] = {
		{0, 0, 0, 0}, {0, 1, 0, 1}, {1, 11, 55, 10}, {-3, 2, -5, 5}, {5, 3, 0, 0},
		{INT32_MAX - 1, INT32_MAX, INT32_MAX - 1, 1},
		{INT32_MIN, INT32_MIN + 1, INT32_MIN, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		skel->bss->from = rows[i].from;
		skel->bss->to = rows[i].to;
		assert_int_equal((uint32_t)answer_of("iterate"),
				 (uint32_t)rows[i].sum * 100u + (uint32_t)rows[i].count);
	}
	assert_int_equal(answer_of("iterate_error"), 1);
	skel->bss->from = 2;
	skel->bss->to = 1;
	assert_int_equal(answer_of("iterate_error"), -EINVAL);
	skel->bss->from = 0;
	skel->bss->to = (8 << 20) + 1;
	assert_int_equal(answer_of("iterate_error"), -E2BIG);
	skel->bss->to = INT32_MAX;
	skel->bss->from = INT32_MIN;
	assert_int_equal(answer_of("iterate_error"), -E2BIG);
}

static void bits(void **state)
{
	static const struct {
		uint32_t nr_words;
		uint64_t first, second, last;
		int sum, count;
	} rows[] = {
		{1, 0, 0, 0, 0, 0},
		{1, 1, 0, 0, 0, 1},
		{1, 1ull << 63 | 6, 0, 0, 66, 3},
		{2, 0, 1, 0, 64, 1},
		{2, 3, 1ull << 63, 0, 128, 3},
		{511, 8, 0, 1ull << 63, 32706, 2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(skel->bss->words, 0, sizeof(skel->bss->words));
		skel->bss->words[0] = rows[i].first;
		skel->bss->words[1] = rows[i].second;
		if (rows[i].last)
			skel->bss->words[rows[i].nr_words - 1] = rows[i].last;
		skel->bss->nr_words = rows[i].nr_words;
		assert_int_equal(answer_of("bits"), rows[i].sum * 1000 + rows[i].count);
	}
	skel->bss->nr_words = 0;
	assert_int_equal(answer_of("bits"), -EINVAL);
	skel->bss->nr_words = 512;
	assert_int_equal(answer_of("bits"), -E2BIG);
	for (skel->bss->nr_words = 1; skel->bss->nr_words < 3; skel->bss->nr_words++) {
		skel->bss->where = 8;
		assert_int_equal(answer_of("bits_nowhere"),
				 skel->bss->nr_words == 1 ? -EFAULT : -ERANGE);
		skel->bss->where = 0;
		assert_int_equal(answer_of("bits_nowhere"), -EINVAL);
	}
}

static void exceptions(void **state)
{
	skel->bss->from = skel->bss->to = 0;
	assert_int_equal(answer_of("throws"), 7);
	assert_int_equal(answer_of("throws_below"), 2);
	skel->bss->from = skel->bss->to = 64;
	assert_int_equal(answer_of("throws"), 64);
	assert_int_equal(answer_of("throws_below"), 64);
	assert_int_equal(answer_of("asks"), 1);
}

static int load_alone(const char *name)
{
	struct kfunc *other = kfunc__open();
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, other->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	err = kfunc__load(other);
	kfunc__destroy(other);
	return err;
}

static void exceptions_refused(void **state)
{
	assert_int_equal(load_alone("throws_below"), 0);
	assert_int_equal(load_alone("throws_in_loop"), -EINVAL);
	assert_int_equal(load_alone("throws_below_loop"), -EINVAL);
	assert_int_equal(load_alone("catches"), -EINVAL);
	assert_int_equal(load_alone("catches_by_nobody"), -ENOENT);
}

static int copy_string(const char *from, uint32_t size, uint64_t flags)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	memset(skel->bss->copied, 'x', sizeof(skel->bss->copied));
	skel->bss->where = ptr64(from);
	skel->bss->copy_size = size;
	skel->bss->copy_flags = flags;
	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(skel->progs.copy_string), &opts), 0);
	return (int)opts.retval;
}

static void strings_of_users(void **state)
{
	static const char word[] = "word";

	assert_int_equal(copy_string(word, 8, 0), 5);
	assert_memory_equal(skel->bss->copied, "word\0xxx", 8);
	assert_int_equal(copy_string(word, 8, 1), 5);
	assert_memory_equal(skel->bss->copied, "word\0\0\0\0x", 9);
	assert_int_equal(copy_string(word, 5, 0), 5);
	assert_memory_equal(skel->bss->copied, "word\0x", 6);
	assert_int_equal(copy_string(word, 4, 0), 4);
	assert_memory_equal(skel->bss->copied, "wor\0x", 5);
	assert_int_equal(copy_string(word, 1, 0), 1);
	assert_memory_equal(skel->bss->copied, "\0x", 2);
	assert_int_equal(copy_string(word, 0, 1), 0);
	assert_int_equal(copy_string(word, 4, 2), -EINVAL);
	assert_int_equal(copy_string((const char *)8, 4, 0), -EFAULT);
	assert_memory_equal(skel->bss->copied, "xxxxx", 5);
	assert_int_equal(copy_string((const char *)8, 4, 1), -EFAULT);
	assert_memory_equal(skel->bss->copied, "\0\0\0\0x", 5);
}

/* Another process makes its own code of the program's file. */
static void other_process(void **state)
{
	char fd[16];
	int status;
	pid_t child;

	snprintf(fd, sizeof(fd), "%d", dup(bpf_program__fd(skel->progs.strlen_text)));
	child = fork();
	if (!child) {
		execl("/proc/self/exe", "test_kfunc", fd, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 17 << 8);
	close(atoi(fd));
}

static unsigned function_id(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);

	btf__free(btf);
	assert_true(id > 0);
	return (unsigned)id;
}

static int load(unsigned type, const char *license, const struct bpf_insn *insns, int fd_array,
		char *log, unsigned log_size)
{
	union test_attr t = {.a = {.prog_type = type,
				   .insns = ptr64(insns),
				   .insn_cnt = insn_count(insns),
				   .license = ptr64(license),
				   .log_level = 1,
				   .log_buf = ptr64(log),
				   .log_size = log_size,
				   .fd_array = fd_array < 0 ? 0 : ptr64(&fd_array)}};

	if (type == BPF_PROG_TYPE_SYSCALL)
		t.a.prog_flags = BPF_F_SLEEPABLE;
	log[0] = '\0';
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(t.a));
}

#define KFUNC_CALL(id, module) RAW(0x85, 0, 2, module, id)
#define LOADED 0

static void refused(void **state)
{
	static char log[65536];
	const unsigned xdp = BPF_PROG_TYPE_XDP, kprobe = BPF_PROG_TYPE_KPROBE;
	const int lock = (int)function_id("bpf_rcu_read_lock");
	const int unlock = (int)function_id("bpf_rcu_read_unlock");
	const int new = (int)function_id("bpf_obj_new_impl"), find = (int)function_id("bpf_strnchr");
	struct {
		const char *what, *license, *text;
		unsigned type;
		int err, fd_array;
		struct bpf_insn insns[8];
	} rows[] = {
		{"good", "GPL", "", xdp, LOADED, -1,
		 {KFUNC_CALL(lock, 0), KFUNC_CALL(unlock, 0), MOV_K(0, 0), EXIT}},
		{"license", "BSD", "cannot call kernel function from non-GPL compatible program",
		 xdp, -EINVAL, -1, {KFUNC_CALL(lock, 0), MOV_K(0, 0), EXIT}},
		{"no function", "GPL", "kernel btf_id 1 is not a function", xdp, -EINVAL, -1,
		 {KFUNC_CALL(1, 0), MOV_K(0, 0), EXIT}},
		{"beyond the BTF", "GPL", "kernel btf_id 2000000000 is not a function", xdp, -EINVAL,
		 -1, {KFUNC_CALL(2000000000, 0), MOV_K(0, 0), EXIT}},
		{"none", "GPL", "invalid kernel function call not eliminated in verifier pass", xdp,
		 -EINVAL, -1, {KFUNC_CALL(0, 0), MOV_K(0, 0), EXIT}},
		{"type", "GPL", "calling kernel function bpf_obj_new_impl is not allowed", kprobe,
		 -EACCES, -1, {KFUNC_CALL(new, 0), MOV_K(0, 0), EXIT}},
		{"argument", "GPL", "R2 is not a scalar", xdp, -EINVAL, -1,
		 {KFUNC_CALL(find, 0), MOV_K(0, 0), EXIT}},
		{"kind of argument", "GPL", "R3 is not a scalar", xdp, -EINVAL, -1,
		 {MOV_X(3, 1), MOV_K(2, 0), KFUNC_CALL(find, 0), MOV_K(0, 0), EXIT}},
		{"any address", "GPL", "", xdp, LOADED, -1,
		 {MOV_K(2, 0), MOV_K(3, 0), KFUNC_CALL(find, 0), MOV_K(0, 0), EXIT}},
		{"result", "GPL", "R0 !read_ok", xdp, -EACCES, -1,
		 {KFUNC_CALL(lock, 0), KFUNC_CALL(unlock, 0), EXIT}},
		{"module without array", "GPL", "kfunc offset > 0 without fd_array is invalid", xdp,
		 -EPROTO, -1, {KFUNC_CALL(lock, 1), MOV_K(0, 0), EXIT}},
		{"negative module", "GPL",
		 "negative offset disallowed for kernel module function call", xdp, -EINVAL, 0,
		 {KFUNC_CALL(lock, -1), MOV_K(0, 0), EXIT}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = load(rows[i].type, rows[i].license, rows[i].insns, rows[i].fd_array, log,
			      sizeof(log));

		if (rows[i].err ? fd != rows[i].err || !strstr(log, rows[i].text) : fd < 0)
			fail_msg("%s: %d, %s", rows[i].what, fd, log);
		if (fd >= 0)
			close(fd);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load_all),
		cmocka_unit_test(answers),
		cmocka_unit_test(iterate),
		cmocka_unit_test(bits),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(exceptions_refused),
		cmocka_unit_test(strings_of_users),
		cmocka_unit_test(other_process),
		cmocka_unit_test(refused),
	};

	if (argc > 1)
		return run_fd(atoi(argv[1]));
	require_bpf();
	libbpf_set_print(quiet);
	return run_tests(tests);
}
