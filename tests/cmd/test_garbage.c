/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_garbage.c: random attributes, bad pointers, no descriptors left. Whatever is thrown at
 * bpf(2), the answer is a result or an errno, and what was there before still works.
 */
#include "bpf_test.h"

#include <sys/mman.h>
#include <sys/resource.h>

#define ROUNDS 30000 /* USERBPF_GARBAGE_ROUNDS asks for another number */
#define FDS 24
#define TOKEN_CREATE 36 /* Linux 6.9 */

static uint64_t seed = 0x9e3779b97f4a7c15;
static unsigned char *memory; /* two pages, readable and writable; an unreadable one follows */
static int fds[FDS], nr_fds;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

static int some_fd(void)
{
	return nr_fds ? fds[rnd() % (unsigned)nr_fds] : -1;
}

static void keep_fd(int fd)
{
	if (nr_fds == FDS)
		close(fds[--nr_fds]);
	fds[nr_fds++] = fd;
}

/* What is found in attributes: small numbers, descriptors, pointers good and bad, anything. */
static uint64_t some_value(void)
{
	switch (rnd() % 10) {
	case 0:
		return 0;
	case 1:
		return 1 + rnd() % 16;
	case 2:
		return (uint64_t)some_fd();
	case 3:
		return ptr64(memory + rnd() % 4096);
	case 4:
		return ptr64(memory + 8192 - rnd() % 32); /* runs into the unreadable page */
	case 5:
		return 8; /* a pointer to nothing */
	case 6:
		return UINT64_MAX;
	case 7:
		return 1ull << rnd() % 64;
	default:
		return rnd();
	}
}

static void some_insns(union bpf_attr *attr)
{
	static struct bpf_insn insns[24];
	unsigned count = 1 + (unsigned)(rnd() % 20);

	for (unsigned i = 0; i < count; i++) {
		uint64_t bits = rnd(), more = rnd();

		memcpy(&insns[i], &bits, sizeof(bits));
		if (more & 1)
			insns[i].dst_reg = more >> 8 & 7, insns[i].src_reg = more >> 16 & 7;
		if (more & 2)
			insns[i].off = (int16_t)(more >> 24 & 3), insns[i].imm = more >> 32 & 15;
	}
	insns[count++] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K};
	insns[count++] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
	attr->prog_type = 1 + (uint32_t)(rnd() % 6);
	attr->insns = ptr64(insns);
	attr->insn_cnt = count;
	attr->license = ptr64("GPL");
}

/* Half of the time something that gets past the first checks. */
static void some_attr(int cmd, union test_attr *t)
{
	static const uint32_t types[] = {
		BPF_MAP_TYPE_HASH,     BPF_MAP_TYPE_ARRAY,           BPF_MAP_TYPE_PERCPU_HASH,
		BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY,
		BPF_MAP_TYPE_QUEUE,    BPF_MAP_TYPE_STACK,           BPF_MAP_TYPE_ARRAY_OF_MAPS,
		BPF_MAP_TYPE_HASH_OF_MAPS,
	};
	unsigned words = (unsigned)(rnd() % 21);

	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < words; i++) {
		uint64_t value = some_value();

		if (rnd() & 1)
			memcpy(t->bytes + 8 * i, &value, 8);
		else
			memcpy(t->bytes + 8 * i, &(uint32_t){(uint32_t)value}, 4);
	}
	if (cmd == BPF_MAP_CREATE) {
		t->a.map_type = rnd() & 1 ? types[rnd() % (sizeof(types) / sizeof(types[0]))] : (uint32_t)(rnd() % 40);
		t->a.key_size = rnd() & 3 ? 4 : (uint32_t)(rnd() % 300);
		t->a.value_size = rnd() & 3 ? 8 : (uint32_t)(rnd() % 40000);
		if (t->a.map_type == BPF_MAP_TYPE_QUEUE || t->a.map_type == BPF_MAP_TYPE_STACK)
			t->a.key_size = 0;
		t->a.max_entries = (uint32_t)(rnd() % 64);
		if (rnd() & 1)
			memset(t->bytes + 16, 0, sizeof(t->bytes) - 16);
		t->a.inner_map_fd = (uint32_t)some_fd();
	} else if (cmd == BPF_PROG_LOAD) {
		if (rnd() & 1)
			memset(t, 0, sizeof(*t));
		some_insns(&t->a);
	} else if (cmd == BPF_PROG_TEST_RUN) {
		t->a.test.prog_fd = (uint32_t)some_fd();
		t->a.test.repeat &= 7;
	} else if (rnd() & 1) {
		t->a.map_fd = (uint32_t)some_fd();
	}
}

static void random_attributes(void **state)
{
	static const int commands[] = {
		BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
		BPF_MAP_GET_NEXT_KEY, BPF_PROG_LOAD, BPF_OBJ_GET, BPF_PROG_TEST_RUN,
		BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID, BPF_OBJ_GET_INFO_BY_FD, BPF_BTF_LOAD,
		BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_FREEZE, BPF_BTF_GET_NEXT_ID,
		BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH,
		BPF_MAP_DELETE_BATCH, BPF_PROG_BIND_MAP,
	};
	const char *asked = getenv("USERBPF_GARBAGE_ROUNDS");
	int rounds = asked ? atoi(asked) : ROUNDS;
	unsigned made = 0;

	(void)state;
	for (int i = 0; i < rounds; i++) {
		int cmd = commands[rnd() % (sizeof(commands) / sizeof(commands[0]))];
		union test_attr t;
		long ret;

		if (i % 4 == 0)
			cmd = i % 8 ? BPF_MAP_CREATE : BPF_PROG_LOAD;
		some_attr(cmd, &t);
		ret = bpf_sys(cmd, &t, rnd() % 8 ? 168 : (unsigned)(rnd() % 256));
		assert_true(ret >= -4095);
		if (ret > 2 && (cmd == BPF_MAP_CREATE || cmd == BPF_PROG_LOAD)) {
			keep_fd((int)ret);
			made++;
		}
		if (i % 64 == 0)
			for (int j = 0; j < 64; j++)
				memory[rnd() % 8192] = (unsigned char)rnd();
	}
	while (nr_fds)
		close(fds[--nr_fds]);
	assert_true(made > (unsigned)rounds / 100);
}

/* A good call on a map after everything that happened. */
static void the_map_works(int fd)
{
	uint32_t key = 7;
	uint64_t value = 70, seen = 0;

	assert_int_equal(map_update(fd, &key, &value, 0), 0);
	assert_int_equal(map_lookup(fd, &key, &seen), 0);
	assert_int_equal(seen, value);
	assert_int_equal(map_delete(fd, &key), 0);
}

static void bad_pointers(void **state)
{
	void *const bad[] = {NULL, (void *)8, memory + 8192, memory + 8192 - 3, (void *)-8,
			     (void *)(uintptr_t)0x8000000000000000};
	int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 16, 0);
	uint32_t key = 1;
	uint64_t value = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(map_update(fd, bad[i], &value, 0), -EFAULT);
		assert_int_equal(map_update(fd, &key, bad[i], 0), -EFAULT);
		assert_int_equal(map_update(fd, &key, &value, 0), 0);
		assert_int_equal(map_lookup(fd, bad[i], &value), -EFAULT);
		assert_int_equal(map_lookup(fd, &key, bad[i]), -EFAULT);
		assert_int_equal(map_delete(fd, bad[i]), -EFAULT);
		assert_int_equal(map_next_key(fd, NULL, bad[i]), -EFAULT);
		assert_int_equal(bpf_sys(BPF_MAP_LOOKUP_ELEM, bad[i], 32), -EFAULT);
	}
	the_map_works(fd);
	close(fd);
}

static void no_descriptors_left(void **state)
{
	int fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 16, 0), taken[64], nr = 0, made;
	struct rlimit old, limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = (struct rlimit){48, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (nr < 64 && (taken[nr] = dup(1)) >= 0)
		nr++;
	assert_true(nr > 0 && nr < 64);
	assert_int_equal(map_create(BPF_MAP_TYPE_HASH, 4, 8, 16, 0), -EMFILE);
	the_map_works(fd);
	while (nr)
		close(taken[--nr]);
	made = map_create(BPF_MAP_TYPE_HASH, 4, 8, 16, 0);
	assert_true(made >= 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(made);
	close(fd);
}

/* Nothing can be attached with descriptors of the wrong kind, and no command pretends so. */
static void attaching_fails(void **state)
{
	static const int commands[] = {
		BPF_PROG_ATTACH, BPF_PROG_DETACH, BPF_RAW_TRACEPOINT_OPEN, BPF_LINK_CREATE,
		BPF_LINK_UPDATE, BPF_LINK_DETACH, BPF_ITER_CREATE, BPF_TASK_FD_QUERY,
	};
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		union test_attr t = {.bytes = {0}};

		assert_true(bpf_sys(commands[i], &t, 16) < 0);
		memcpy(t.bytes, &fd, sizeof(fd));
		assert_true(bpf_sys(commands[i], &t, 16) < 0);
		memcpy(t.bytes + 4, &fd, sizeof(fd));
		assert_true(bpf_sys(commands[i], &t, 16) < 0);
	}
	close(fd);
}

/* Commands that name a descriptor say so when it is closed, whether or not they can do anything. */
static void closed_descriptors(void **state)
{
	static const struct {
		int cmd, fd_at;
	} cases[] = {
		{BPF_PROG_DETACH, 0}, {BPF_PROG_QUERY, 0}, {BPF_LINK_CREATE, 0},
		{BPF_LINK_UPDATE, 0}, {BPF_LINK_DETACH, 0}, {BPF_ITER_CREATE, 0},
		{BPF_RAW_TRACEPOINT_OPEN, 8}, {BPF_PROG_ATTACH, 4}, {TOKEN_CREATE, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		union test_attr t = {.bytes = {0}};

		memcpy(t.bytes + cases[i].fd_at, &(int){-1}, sizeof(int));
		assert_int_equal(bpf_sys(cases[i].cmd, &t, 64), -EBADF);
	}
}

/* And those that want a program, when it is none. */
static void no_program(void **state)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	union test_attr t = {.a.raw_tracepoint = {ptr64("sys_enter"), (uint32_t)map}};

	(void)state;
	assert_int_equal(bpf_sys(BPF_RAW_TRACEPOINT_OPEN, &t, 24), -EINVAL);
	t = (union test_attr){.a = {.attach_bpf_fd = (uint32_t)map}};
	assert_int_equal(bpf_sys(BPF_PROG_ATTACH, &t, 24), -EINVAL);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_attributes),
		cmocka_unit_test(bad_pointers),
		cmocka_unit_test(no_descriptors_left),
		cmocka_unit_test(attaching_fails),
		cmocka_unit_test(closed_descriptors),
		cmocka_unit_test(no_program),
	};

	require_bpf();
	memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory + 8192, 4096, PROT_NONE))
		return 1;
	return run_tests(tests);
}
